//! Changes to topics' names and to records, in the words of Kafka Connect's single message transforms.
//!
//! ```text
//! chain, name of a copy ──of_topic──▶ the name it gets, whether it is copied at all, what is left to do per record
//! ```
//!
//! Invariants:
//! * Where a record goes depends on its topic alone: a router whose condition looks at records was refused.
//! * As in Connect, the chain sees the name that the link gives a copy, and each step the name that the step before it left.
//!
//! Deliberately absent: doing it to records (the data plane does), and everything that needs the fields of a value.

use std::fmt;

use crate::pattern::Pattern;
use crate::pattern::rewrite::Rewrite;

/// A chain of steps, in order; empty where nothing is changed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Transforms {
    /// The steps.
    pub steps: Vec<Step>,
}

/// A transform of the chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// Its alias in the configuration.
    pub name: String,
    /// Where it holds; everywhere without.
    pub condition: Option<Condition>,
    /// What it does.
    pub action: Action,
}

/// A predicate, or its opposite.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition {
    /// Its alias in the configuration.
    pub name: String,
    /// What is asked.
    pub predicate: Predicate,
    /// `negate`: whether the step holds where the answer is no.
    pub negated: bool,
}

/// A question about a record or its topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Predicate {
    /// `TopicNameMatches`.
    TopicNameMatches(Pattern),
    /// `RecordIsTombstone`: whether the value is null.
    RecordIsTombstone,
    /// `HasHeaderKey`.
    HasHeaderKey(String),
}

/// What a step does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// `Filter`: the record is left out.
    Drop,
    /// `RegexRouter`: the topic gets another name where the whole name matches.
    Rename(Rewrite),
    /// `TimestampRouter` with a format that has no time in it; between the literals stands the topic's name.
    Format(Vec<String>),
    /// `InsertHeader`: behind the headers that are there.
    InsertHeader {
        /// Its key.
        key: String,
        /// Its value.
        value: Vec<u8>,
    },
    /// `DropHeaders`: all headers with one of these keys.
    DropHeaders(Vec<String>),
}

/// What a chain does to one topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OfTopic {
    /// What the copy is called in the end.
    pub name: String,
    /// The step that leaves out all records of it.
    pub dropped_by: Option<String>,
    /// What has to be done to each record; empty where none is looked at.
    pub records: Vec<RecordStep>,
}

/// A step as it holds for the records of one topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordStep {
    /// Where it holds; for every record without.
    pub condition: Option<RecordCondition>,
    /// What it does.
    pub action: RecordAction,
}

/// A question about a record alone, or its opposite.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordCondition {
    /// What is asked.
    pub predicate: RecordPredicate,
    /// Whether the step holds where the answer is no.
    pub negated: bool,
}

/// A question about a record alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordPredicate {
    /// Whether the value is null.
    IsTombstone,
    /// Whether it has a header with this key.
    HasHeader(String),
}

/// What is done to a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordAction {
    /// It is left out.
    Drop,
    /// It gets one more header.
    InsertHeader {
        /// Its key.
        key: String,
        /// Its value.
        value: Vec<u8>,
    },
    /// It loses all headers with one of these keys.
    DropHeaders(Vec<String>),
}

impl Transforms {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether copies can get other names than the link gives them, and so the same one.
    #[must_use]
    pub fn rename(&self) -> bool {
        let mut actions = self.steps.iter().map(|step| &step.action);
        actions.any(|action| matches!(action, Action::Rename(_) | Action::Format(_)))
    }

    /// What becomes of a copy of this name. A name that is too costly to match counts as one that does not match, and
    /// for a `Filter` as one that does: what should not be copied cannot be taken back.
    #[must_use]
    pub fn of_topic(&self, copy: &str) -> OfTopic {
        let mut topic = OfTopic {
            name: copy.to_owned(),
            dropped_by: None,
            records: Vec::new(),
        };
        for step in &self.steps {
            let drops = matches!(step.action, Action::Drop);
            let condition = match &step.condition {
                None => None,
                Some(Condition {
                    predicate, negated, ..
                }) => {
                    let predicate = match predicate {
                        Predicate::TopicNameMatches(pattern) => {
                            let holds = pattern
                                .is_match(&topic.name)
                                .map_or(drops, |matches| matches != *negated);
                            if !holds {
                                continue;
                            }
                            None
                        }
                        Predicate::RecordIsTombstone => Some(RecordPredicate::IsTombstone),
                        Predicate::HasHeaderKey(key) => {
                            Some(RecordPredicate::HasHeader(key.clone()))
                        }
                    };
                    predicate.map(|predicate| RecordCondition {
                        predicate,
                        negated: *negated,
                    })
                }
            };
            let action = match &step.action {
                Action::Drop if condition.is_none() => {
                    topic.dropped_by = Some(step.name.clone());
                    return topic;
                }
                Action::Drop => RecordAction::Drop,
                Action::Rename(rewrite) => {
                    if let Ok(Some(name)) = rewrite.apply(&topic.name) {
                        topic.name = name;
                    }
                    continue;
                }
                Action::Format(literals) => {
                    topic.name = literals.join(&topic.name);
                    continue;
                }
                Action::InsertHeader { key, value } => RecordAction::InsertHeader {
                    key: key.clone(),
                    value: value.clone(),
                },
                Action::DropHeaders(keys) => RecordAction::DropHeaders(keys.clone()),
            };
            topic.records.push(RecordStep { condition, action });
        }
        topic
    }
}

impl Step {
    /// Whether it can leave out or change a record of a topic that is copied.
    #[must_use]
    pub fn is_about_records(&self) -> bool {
        match &self.action {
            Action::Rename(_) | Action::Format(_) => false,
            Action::InsertHeader { .. } | Action::DropHeaders(_) => true,
            Action::Drop => {
                let condition = self.condition.as_ref();
                let predicate = condition.map(|condition| &condition.predicate);
                !matches!(predicate, Some(Predicate::TopicNameMatches(_)))
            }
        }
    }
}

/// One line for all steps, in the words of the configuration.
impl fmt::Display for Transforms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            let arrow = if index == 0 { "" } else { " → " };
            write!(f, "{arrow}{step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        match &self.action {
            Action::Drop => f.write_str("Filter")?,
            Action::Rename(rewrite) => write!(f, "RegexRouter {}", rewrite.pattern())?,
            Action::Format(literals) => {
                write!(f, "TimestampRouter {}", literals.join("${topic}"))?;
            }
            Action::InsertHeader { key, .. } => write!(f, "InsertHeader {key}")?,
            Action::DropHeaders(keys) => write!(f, "DropHeaders {}", keys.join(","))?,
        }
        match &self.condition {
            None => Ok(()),
            Some(condition) => write!(f, " {condition}"),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.negated { "unless " } else { "where " })?;
        match &self.predicate {
            Predicate::TopicNameMatches(pattern) => write!(f, "TopicNameMatches {pattern}"),
            Predicate::RecordIsTombstone => f.write_str("RecordIsTombstone"),
            Predicate::HasHeaderKey(key) => write!(f, "HasHeaderKey {key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str, action: Action, condition: Option<(Predicate, bool)>) -> Step {
        Step {
            name: name.to_owned(),
            action,
            condition: condition.map(|(predicate, negated)| Condition {
                name: "p".to_owned(),
                predicate,
                negated,
            }),
        }
    }

    fn matches(pattern: &str) -> Predicate {
        Predicate::TopicNameMatches(Pattern::parse(pattern).expect("legal"))
    }

    #[test]
    fn each_step_sees_the_name_that_the_one_before_left() {
        let chain = Transforms {
            steps: vec![
                step(
                    "route",
                    Action::Rename(Rewrite::parse("(.*)-\\d+", "$1").expect("legal")),
                    None,
                ),
                step("gone", Action::Drop, Some((matches("secret"), false))),
                step(
                    "mark",
                    Action::InsertHeader {
                        key: "k".to_owned(),
                        value: b"v".to_vec(),
                    },
                    Some((matches("orders"), true)),
                ),
            ],
        };
        let topic = chain.of_topic("orders-1");
        assert_eq!((topic.name.as_str(), topic.records.len()), ("orders", 0));
        assert_eq!(
            chain.of_topic("secret-7").dropped_by.as_deref(),
            Some("gone")
        );
        let topic = chain.of_topic("payments");
        assert_eq!((topic.name.as_str(), topic.dropped_by), ("payments", None));
        assert_eq!(topic.records[0].condition, None);
    }

    #[test]
    fn what_only_a_record_can_tell_is_left_for_the_records() {
        let chain = Transforms {
            steps: vec![step(
                "drop",
                Action::Drop,
                Some((Predicate::RecordIsTombstone, true)),
            )],
        };
        let topic = chain.of_topic("orders");
        assert_eq!(topic.dropped_by, None);
        let expected = RecordStep {
            condition: Some(RecordCondition {
                predicate: RecordPredicate::IsTombstone,
                negated: true,
            }),
            action: RecordAction::Drop,
        };
        assert_eq!(topic.records, [expected]);
        assert_eq!(chain.to_string(), "drop: Filter unless RecordIsTombstone");
    }
}
