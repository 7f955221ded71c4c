//! Which topics of the source are copied, and which rule said so.
//!
//! Precedence: topics of Kafka itself are never copied; then the excluding names and patterns; then the
//! including ones; what nothing includes is not copied.
//!
//! Deliberately absent: whether a topic exists or may be read. Selection looks at names only, so a topic that
//! is not selected is never asked about.

use std::collections::BTreeSet;
use std::fmt;

use crate::pattern::Pattern;
use crate::rename::RESERVED_TOPICS;

/// Exact names and whole-name patterns, including and excluding.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct TopicSelection {
    whitelist: BTreeSet<String>,
    blacklist: BTreeSet<String>,
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

/// What becomes of a topic, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision<'a> {
    /// It is copied.
    Selected {
        /// What selected it.
        rule: Rule<'a>,
    },
    /// It is not copied.
    Excluded {
        /// What excluded it.
        rule: Rule<'a>,
        /// Why that rule excludes it.
        reason: Reason,
    },
}

/// The rule that decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule<'a> {
    /// The built-in list of Kafka's own topics.
    Reserved,
    /// A name of `topic.blacklist`.
    Blacklist,
    /// An excluding pattern, by its text.
    Exclude(&'a str),
    /// A name of `topic.whitelist`.
    Whitelist,
    /// An including pattern, by its text.
    Include(&'a str),
    /// No rule selects it.
    Nothing,
}

/// Why a topic is not copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// It holds state of one cluster that is wrong on any other.
    BelongsToKafka,
    /// The configuration excludes it.
    ExcludedByName,
    /// The configuration excludes it.
    ExcludedByPattern,
    /// Neither a name nor a pattern selects it.
    NotSelected,
    /// Matching the pattern took more than a million steps. Copying what might be excluded cannot be undone, so
    /// the topic is left out, whether the pattern includes or excludes.
    PatternTooCostly,
}

impl TopicSelection {
    /// A selection of exact names and patterns: a topic is selected that is in `whitelist` or matches one of
    /// `include`, unless it is in `blacklist` or matches one of `exclude`.
    #[must_use]
    pub fn new(
        whitelist: impl IntoIterator<Item = String>,
        blacklist: impl IntoIterator<Item = String>,
        include: Vec<Pattern>,
        exclude: Vec<Pattern>,
    ) -> Self {
        Self {
            whitelist: whitelist.into_iter().collect(),
            blacklist: blacklist.into_iter().collect(),
            include,
            exclude,
        }
    }

    /// What becomes of the topic of this name.
    #[must_use]
    pub fn decide(&self, name: &str) -> Decision<'_> {
        let excluded = |rule, reason| Decision::Excluded { rule, reason };
        if RESERVED_TOPICS.contains(&name) {
            return excluded(Rule::Reserved, Reason::BelongsToKafka);
        }
        if self.blacklist.contains(name) {
            return excluded(Rule::Blacklist, Reason::ExcludedByName);
        }
        for pattern in &self.exclude {
            match pattern.is_match(name) {
                Ok(false) => {}
                Ok(true) => {
                    return excluded(Rule::Exclude(pattern.as_str()), Reason::ExcludedByPattern);
                }
                Err(_) => {
                    return excluded(Rule::Exclude(pattern.as_str()), Reason::PatternTooCostly);
                }
            }
        }
        if self.whitelist.contains(name) {
            return Decision::Selected {
                rule: Rule::Whitelist,
            };
        }
        let mut too_costly = None;
        for pattern in &self.include {
            match pattern.is_match(name) {
                Ok(false) => {}
                Ok(true) => {
                    return Decision::Selected {
                        rule: Rule::Include(pattern.as_str()),
                    };
                }
                Err(_) => too_costly = Some(pattern.as_str()),
            }
        }
        match too_costly {
            Some(text) => excluded(Rule::Include(text), Reason::PatternTooCostly),
            None => excluded(Rule::Nothing, Reason::NotSelected),
        }
    }

    /// Whether the topic of this name is copied.
    #[must_use]
    pub fn is_selected(&self, name: &str) -> bool {
        self.decide(name).is_selected()
    }

    /// Whether no name at all can be selected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.whitelist.is_empty() && self.include.is_empty()
    }

    /// The exact names that are to be copied, in order: each is expected to exist.
    pub fn whitelist(&self) -> impl Iterator<Item = &str> {
        self.whitelist.iter().map(String::as_str)
    }

    /// The including patterns.
    #[must_use]
    pub fn include(&self) -> &[Pattern] {
        &self.include
    }

    /// The excluding patterns.
    #[must_use]
    pub fn exclude(&self) -> &[Pattern] {
        &self.exclude
    }
}

impl Decision<'_> {
    /// Whether the topic is copied.
    #[must_use]
    pub fn is_selected(&self) -> bool {
        matches!(self, Self::Selected { .. })
    }
}

impl fmt::Display for Decision<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Selected { rule } => write!(f, "selected by {rule}"),
            Self::Excluded {
                rule: Rule::Nothing,
                reason,
            } => write!(f, "excluded: {reason}"),
            Self::Excluded { rule, reason } => write!(f, "excluded by {rule}: {reason}"),
        }
    }
}

impl fmt::Display for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reserved => f.write_str("the built-in list"),
            Self::Blacklist => f.write_str("the list of excluded names"),
            Self::Whitelist => f.write_str("the list of names"),
            Self::Exclude(pattern) | Self::Include(pattern) => write!(f, "the pattern {pattern}"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BelongsToKafka => "it holds state of its own cluster and is never copied",
            Self::ExcludedByName => "the configuration excludes this name",
            Self::ExcludedByPattern => "the configuration excludes names like this",
            Self::NotSelected => "neither a name nor a pattern selects it",
            Self::PatternTooCostly => "matching took more than a million steps",
        })
    }
}
