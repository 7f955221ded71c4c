//! What a copied topic is called at the destination.
//!
//! Invariant: [`RenameFormat::apply`] yields only names a broker accepts and that no part of Kafka reserves.
//! Deliberately absent: collisions of several topics (the metadata plan sees all of them), and the worker's own
//! topics, which its plan adds to the reserved names.

use std::fmt;

use thiserror::Error;

/// Longest name a broker accepts: it becomes a directory name with a suffix.
pub const MAX_TOPIC_NAME: usize = 249;

/// Topics that belong to the brokers and clients of one cluster. They are never copied, and nothing is ever
/// copied into them.
pub const RESERVED_TOPICS: [&str; 5] = [
    "__consumer_offsets",
    "__transaction_state",
    "__share_group_state",
    "__cluster_metadata",
    "__consumer_timestamps",
];

const PLACEHOLDER: &str = "${topic}";

/// A parsed `topic.rename.format`: literal text around any number of `${topic}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RenameFormat {
    /// The literal parts; between two neighbours stands the source's name. At least one.
    literals: Vec<String>,
}

/// Why a `topic.rename.format` cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum FormatProblem {
    /// No text at all.
    #[error("it is empty; use ${{topic}} to keep the names")]
    Empty,
    /// A placeholder that does not exist.
    #[error("\"{0}\" is not a placeholder; the only one is ${{topic}}")]
    UnknownPlaceholder(String),
    /// A character that topic names cannot have.
    #[error(
        "{0:?} cannot stand in a topic name; legal are letters, digits, '.', '_' and '-', and the placeholder ${{topic}}"
    )]
    IllegalCharacter(char),
    /// No name of a source topic is short enough for it.
    #[error("with one character for ${{topic}} it has {0} already; a topic name has at most 249")]
    TooLong(usize),
    /// A constant that is no legal name.
    #[error(transparent)]
    Name(#[from] NameProblem),
}

/// Why a name cannot be given to a destination topic.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum NameProblem {
    /// No text at all.
    #[error("a topic name cannot be empty")]
    Empty,
    /// Longer than 249 characters.
    #[error("{name:?} has {length} characters; a topic name has at most 249")]
    TooLong {
        /// The name.
        name: String,
        /// Its length in characters.
        length: usize,
    },
    /// A character that topic names cannot have.
    #[error("{name:?} contains {character:?}; legal are letters, digits, '.', '_' and '-'")]
    IllegalCharacter {
        /// The name.
        name: String,
        /// The first such character.
        character: char,
    },
    /// `.` or `..`.
    #[error("a topic cannot be called {0:?}")]
    Dots(String),
    /// A name that Kafka uses itself.
    #[error("{0:?} is used by Kafka itself; nothing is copied into it")]
    Reserved(String),
}

impl RenameFormat {
    /// Reads a format.
    ///
    /// # Errors
    /// An unknown `${…}`, characters that topic names cannot have, a constant that is no usable name.
    pub fn parse(text: &str) -> Result<Self, FormatProblem> {
        if text.is_empty() {
            return Err(FormatProblem::Empty);
        }
        let literals: Vec<String> = text.split(PLACEHOLDER).map(str::to_owned).collect();
        for literal in &literals {
            if let Some((_, rest)) = literal.split_once("${") {
                let name = rest.split_once('}').map_or(rest, |(name, _)| name);
                let end = if rest.contains('}') { "}" } else { "" };
                return Err(FormatProblem::UnknownPlaceholder(format!("${{{name}{end}")));
            }
            if let Some(character) = literal.chars().find(|c| !is_legal(*c)) {
                return Err(FormatProblem::IllegalCharacter(character));
            }
        }
        let format = Self { literals };
        if format.is_constant() {
            check_name(&format.literals[0])?;
        }
        let shortest = format.literals.join("x").len();
        if shortest > MAX_TOPIC_NAME {
            return Err(FormatProblem::TooLong(shortest));
        }
        Ok(format)
    }

    /// The destination's name of a source topic.
    ///
    /// # Errors
    /// The name would be too long, illegal or reserved.
    pub fn apply(&self, topic: &str) -> Result<String, NameProblem> {
        let name = self.literals.join(topic);
        check_name(&name)?;
        Ok(name)
    }

    /// Whether all topics get one name, and so are merged.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.literals.len() == 1
    }

    /// The text in front of the name, where nothing else is added.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        match self.literals.as_slice() {
            [prefix, rest] if rest.is_empty() => Some(prefix),
            _ => None,
        }
    }

    /// Whether every topic keeps its name.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.literals.len() == 2 && self.literals.iter().all(String::is_empty)
    }
}

impl Default for RenameFormat {
    /// Every topic keeps its name.
    fn default() -> Self {
        Self {
            literals: vec![String::new(), String::new()],
        }
    }
}

impl fmt::Display for RenameFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.literals.join(PLACEHOLDER))
    }
}

fn is_legal(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-')
}

/// The broker's rules for topic names (`org.apache.kafka.common.internals.Topic.validate`), and ours on
/// reserved ones.
///
/// # Errors
/// The first rule that the name breaks.
pub fn check_name(name: &str) -> Result<(), NameProblem> {
    if name.is_empty() {
        return Err(NameProblem::Empty);
    }
    if let Some(character) = name.chars().find(|c| !is_legal(*c)) {
        return Err(NameProblem::IllegalCharacter {
            name: name.to_owned(),
            character,
        });
    }
    if name.len() > MAX_TOPIC_NAME {
        return Err(NameProblem::TooLong {
            name: name.to_owned(),
            length: name.len(),
        });
    }
    if name == "." || name == ".." {
        return Err(NameProblem::Dots(name.to_owned()));
    }
    if RESERVED_TOPICS.contains(&name) {
        return Err(NameProblem::Reserved(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(format: &str, topic: &str, expected: &str) {
        let format = RenameFormat::parse(format).expect("a usable format");
        assert_eq!(format.apply(topic).expect("a usable name"), expected);
    }

    #[track_caller]
    fn check_refused(format: &str, expected: &str) {
        let problem = RenameFormat::parse(format).expect_err(format);
        assert_eq!(problem.to_string(), expected, "{format}");
    }

    #[track_caller]
    fn check_name_refused(format: &str, topic: &str, expected: &str) {
        let format = RenameFormat::parse(format).expect("a usable format");
        assert_eq!(format.apply(topic).expect_err(topic).to_string(), expected);
    }

    #[test]
    fn every_placeholder_becomes_the_sources_name() {
        check("${topic}", "orders", "orders");
        check("west.${topic}", "orders", "west.orders");
        check("${topic}.copy", "orders", "orders.copy");
        check("${topic}-${topic}", "a", "a-a");
        check("all", "orders", "all");
    }

    #[test]
    fn a_format_shows_as_it_was_written() {
        for text in ["${topic}", "west.${topic}", "${topic}${topic}", "all"] {
            let format = RenameFormat::parse(text).expect("a usable format");
            assert_eq!(format.to_string(), text);
            assert_eq!(format.is_constant(), text == "all");
            assert_eq!(format.is_identity(), text == "${topic}");
        }
        assert_eq!(
            RenameFormat::default(),
            RenameFormat::parse("${topic}").expect("legal")
        );
    }

    #[test]
    fn formats_that_cannot_yield_a_name_are_refused() {
        check_refused("", "it is empty; use ${topic} to keep the names");
        check_refused(
            "${cluster}.${topic}",
            "\"${cluster}\" is not a placeholder; the only one is ${topic}",
        );
        check_refused(
            "${topic",
            "\"${topic\" is not a placeholder; the only one is ${topic}",
        );
        check_refused(
            "eu/${topic}",
            "'/' cannot stand in a topic name; legal are letters, digits, '.', '_' and '-', and the placeholder ${topic}",
        );
        check_refused("..", "a topic cannot be called \"..\"");
        check_refused(
            &format!("${{topic}}{}${{topic}}", "y".repeat(248)),
            "with one character for ${topic} it has 250 already; a topic name has at most 249",
        );
        check_refused(
            "__consumer_offsets",
            "\"__consumer_offsets\" is used by Kafka itself; nothing is copied into it",
        );
    }

    #[test]
    fn names_that_a_broker_would_refuse_are_problems_of_that_topic() {
        let long = "x".repeat(248);
        check("${topic}.", &long, &format!("{long}."));
        check_name_refused(
            "a.${topic}",
            &long,
            &format!("\"a.{long}\" has 250 characters; a topic name has at most 249"),
        );
        check_name_refused(
            "__consumer_${topic}",
            "offsets",
            "\"__consumer_offsets\" is used by Kafka itself; nothing is copied into it",
        );
        check_name_refused("${topic}", "", "a topic name cannot be empty");
    }
}
