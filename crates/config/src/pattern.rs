//! Java's regular expressions over names.

use std::fmt;

use thiserror::Error;

/// A whole-name pattern in the dialect of `java.util.regex`, as of JDK 17, with no flags set.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    engine: regex::Regex,
}

/// Why a pattern cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{message}")]
pub struct PatternProblem {
    message: String,
}

/// Matching one name took more than a million steps.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("matching took more than a million steps")]
pub struct TooCostly;

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What Java refuses, and what cannot be expressed here.
    pub fn parse(text: &str) -> Result<Self, PatternProblem> {
        let engine =
            regex::Regex::new(&format!(r"\A(?:{text})\z")).map_err(|error| PatternProblem {
                message: error.to_string(),
            })?;
        Ok(Self {
            text: text.to_owned(),
            engine,
        })
    }

    /// Whether the whole name matches.
    ///
    /// # Errors
    /// Patterns with look-around or back references can take too long on an unlucky name.
    pub fn is_match(&self, name: &str) -> Result<bool, TooCostly> {
        Ok(self.engine.is_match(name))
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Several patterns that count as one, as a comma-separated list of a configuration gives them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PatternList {
    joined: Option<Pattern>,
}

impl PatternList {
    /// Reads a list of patterns.
    ///
    /// # Errors
    /// As [`Pattern::parse`], for the first item that cannot be used.
    pub fn parse<'a>(items: impl IntoIterator<Item = &'a str>) -> Result<Self, PatternProblem> {
        let text = items.into_iter().collect::<Vec<_>>().join("|");
        let joined = if text.is_empty() {
            None
        } else {
            Some(Pattern::parse(&text)?)
        };
        Ok(Self { joined })
    }

    /// Whether one of the patterns matches the whole name. What is too costly to decide counts as a match.
    #[must_use]
    pub fn is_match(&self, name: &str) -> bool {
        self.joined
            .as_ref()
            .is_some_and(|pattern| pattern.is_match(name).unwrap_or(true))
    }
}
