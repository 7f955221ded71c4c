//! Which topics of the source are copied, and which rule said so.
//!
//! Precedence: topics of Kafka itself are never copied; then the excluding names and patterns; then the
//! including ones; what nothing includes is not copied. Under MirrorMaker 2's naming, topics of heartbeats are
//! copied past these lists, and of what is selected, internal topics and copies that came from the destination stay
//! out whatever the lists say.
//!
//! Deliberately absent: whether a topic exists or may be read. Selection looks at names only, so a topic that
//! is not selected is never asked about.

use std::collections::BTreeSet;
use std::fmt;

use crate::naming::Naming;
use crate::pattern::{Pattern, PatternList};
use crate::rename::RESERVED_TOPICS;

/// Exact names and whole-name patterns, including and excluding.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct TopicSelection {
    whitelist: BTreeSet<String>,
    blacklist: BTreeSet<String>,
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
    topics: PatternList,
    topics_exclude: PatternList,
    mirror: Option<MirrorRules>,
    /// A naming whose `transforms` leave out topics.
    transformed: Option<Naming>,
}

/// What MirrorMaker 2 does whatever its lists say.
#[derive(Clone, PartialEq, Debug)]
pub struct MirrorRules {
    /// Tells copies and heartbeats by their names.
    pub naming: Naming,
    /// `heartbeats.replication.enabled`.
    pub heartbeats: bool,
    /// Internal topics end in this, besides `-internal` and `.internal`.
    pub internal: String,
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
    /// Heartbeats of MirrorMaker 2 are copied whatever is selected.
    Heartbeats,
    /// MirrorMaker 2's rules on names, which its lists do not change.
    Mirror,
    /// A `Filter` among the `transforms`.
    Transforms,
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
    /// A `Filter` leaves out all of its records.
    Filtered,
    /// It holds state of MirrorMaker 2, Kafka Connect or Kafka.
    Internal,
    /// Its name says that it is a copy of what the destination has.
    LeadsBack,
    /// Heartbeats that came from the source itself: each copy of a copy would get a longer name, for ever.
    HeartbeatsLoop,
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
            topics: PatternList::default(),
            topics_exclude: PatternList::default(),
            mirror: None,
            transformed: None,
        }
    }

    /// Adds lists of patterns (`topics`, `topics.exclude`) to what is included and excluded.
    pub fn set_lists(&mut self, topics: PatternList, exclude: PatternList) {
        self.topics = topics;
        self.topics_exclude = exclude;
    }

    /// Adds MirrorMaker 2's rules.
    pub fn set_mirror(&mut self, rules: MirrorRules) {
        self.mirror = Some(rules);
    }

    /// Adds the `transforms` of a naming, among which may be a `Filter` on names.
    pub fn set_transforms(&mut self, naming: Naming) {
        self.transformed = Some(naming);
    }

    /// What becomes of the topic of this name.
    #[must_use]
    pub fn decide(&self, name: &str) -> Decision<'_> {
        if RESERVED_TOPICS.contains(&name) {
            return excluded(Rule::Reserved, Reason::BelongsToKafka);
        }
        if self.blacklist.contains(name) {
            return excluded(Rule::Blacklist, Reason::ExcludedByName);
        }
        let decision = match &self.mirror {
            Some(rules) if rules.heartbeats && rules.naming.is_heartbeats(name) => {
                Decision::Selected {
                    rule: Rule::Heartbeats,
                }
            }
            _ => self.excluding(name).unwrap_or_else(|| self.including(name)),
        };
        let decision = match (&self.mirror, decision) {
            (Some(rules), Decision::Selected { .. }) => rules.objection(name).unwrap_or(decision),
            _ => decision,
        };
        let drops = |naming: &Naming| {
            let topic = naming.transformed(name);
            topic.is_some_and(|topic| topic.dropped_by.is_some())
        };
        if decision.is_selected() && self.transformed.as_ref().is_some_and(drops) {
            return excluded(Rule::Transforms, Reason::Filtered);
        }
        decision
    }

    /// What the excluding patterns say, if anything.
    fn excluding(&self, name: &str) -> Option<Decision<'_>> {
        let patterns = self.exclude.iter();
        let by_pattern = patterns.map(|pattern| (pattern.as_str(), pattern.is_match(name)));
        let by_list = match self.topics_exclude.matching(name) {
            Ok(None) => None,
            Ok(Some(item)) => Some((item, Ok(true))),
            Err(costly) => Some((self.topics_exclude.joined(), Err(costly))),
        };
        for (text, matches) in by_pattern.chain(by_list) {
            match matches {
                Ok(false) => {}
                Ok(true) => return Some(excluded(Rule::Exclude(text), Reason::ExcludedByPattern)),
                Err(_) => return Some(excluded(Rule::Exclude(text), Reason::PatternTooCostly)),
            }
        }
        None
    }

    /// What the names and the including patterns say of a topic that nothing excludes.
    fn including(&self, name: &str) -> Decision<'_> {
        if self.whitelist.contains(name) {
            return Decision::Selected {
                rule: Rule::Whitelist,
            };
        }
        let patterns = self.include.iter();
        let by_pattern = patterns.map(|pattern| (pattern.as_str(), pattern.is_match(name)));
        let by_list = match self.topics.matching(name) {
            Ok(None) => None,
            Ok(Some(item)) => Some((item, Ok(true))),
            Err(costly) => Some((self.topics.joined(), Err(costly))),
        };
        let mut too_costly = None;
        for (text, matches) in by_pattern.chain(by_list) {
            match matches {
                Ok(false) => {}
                Ok(true) => {
                    return Decision::Selected {
                        rule: Rule::Include(text),
                    };
                }
                Err(_) => too_costly = Some(text),
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
        self.whitelist.is_empty() && self.include.is_empty() && self.topics.is_empty()
    }

    /// Whether nothing but exact names selects: no other topic can be copied, whatever there is.
    #[must_use]
    pub fn is_of_names(&self) -> bool {
        self.include.is_empty() && self.topics.is_empty() && self.mirror.is_none()
    }

    /// The exact names that are to be copied, in order.
    pub fn whitelist(&self) -> impl Iterator<Item = &str> {
        self.whitelist.iter().map(String::as_str)
    }

    /// Those of the exact names that nothing excludes: each is expected to exist.
    pub fn expected(&self) -> impl Iterator<Item = &str> {
        self.whitelist().filter(|name| self.is_selected(name))
    }

    /// The including list.
    #[must_use]
    pub fn topics(&self) -> &PatternList {
        &self.topics
    }

    /// The excluding list.
    #[must_use]
    pub fn topics_exclude(&self) -> &PatternList {
        &self.topics_exclude
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

fn excluded(rule: Rule<'_>, reason: Reason) -> Decision<'_> {
    Decision::Excluded { rule, reason }
}

impl MirrorRules {
    /// Why a selected topic is not copied, if it is not.
    fn objection(&self, name: &str) -> Option<Decision<'_>> {
        let is_internal = name.starts_with("__")
            || name.starts_with('.')
            || name.ends_with(".internal")
            || name.ends_with("-internal")
            || name.ends_with(&self.internal);
        let reason = if is_internal {
            Reason::Internal
        } else if self.naming.leads_back(name) {
            Reason::LeadsBack
        } else if self.naming.is_heartbeats(name) && self.naming.grows(name) {
            Reason::HeartbeatsLoop
        } else {
            return None;
        };
        Some(excluded(Rule::Mirror, reason))
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
            Self::Heartbeats => f.write_str("the rule that heartbeats are always copied"),
            Self::Mirror => f.write_str("the rules on names"),
            Self::Transforms => f.write_str("transforms"),
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
            Self::Filtered => "a Filter leaves out all of its records",
            Self::Internal => "it is internal to Kafka, Connect or MirrorMaker 2",
            Self::LeadsBack => "it is a copy that came from the destination",
            Self::HeartbeatsLoop => "these heartbeats came from the source itself",
            Self::PatternTooCostly => "matching took more than a million steps",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(whitelist: &[&str], blacklist: &[&str], regex: &str) -> TopicSelection {
        let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let regex = (!regex.is_empty()).then(|| Pattern::parse(regex).expect("a pattern"));
        let include = regex.into_iter().collect();
        TopicSelection::new(names(whitelist), names(blacklist), include, Vec::new())
    }

    #[test]
    fn exclusion_wins_over_selection_names_over_patterns_and_kafkas_own_topics_are_never_copied() {
        let own = RESERVED_TOPICS.to_vec();
        let listed = [&["a", "x", "y"], own.as_slice()].concat();
        let selection = selection(&listed, &["y", "b.out"], "b\\..*|__.*");
        for (topic, expected) in [
            ("a", "selected by the list of names"),
            ("b.1", "selected by the pattern b\\..*|__.*"),
            (
                "b.out",
                "excluded by the list of excluded names: the configuration excludes this name",
            ),
            (
                "y",
                "excluded by the list of excluded names: the configuration excludes this name",
            ),
            ("c", "excluded: neither a name nor a pattern selects it"),
            ("xb.1", "excluded: neither a name nor a pattern selects it"),
        ] {
            assert_eq!(selection.decide(topic).to_string(), expected, "{topic}");
        }
        for own in own {
            let decision = selection.decide(own).to_string();
            assert!(decision.contains("never copied"), "{own}: {decision}");
        }
    }

    #[test]
    fn a_listed_name_is_expected_to_exist_unless_it_is_excluded_too() {
        let selection = selection(&["a", "b", "__consumer_offsets"], &["b"], "");
        assert_eq!(selection.expected().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn where_nothing_is_listed_nothing_is_selected() {
        let selection = selection(&[], &[], "");
        assert!(selection.is_empty());
        assert!(!selection.is_selected("a"));
    }
}
