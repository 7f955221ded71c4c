//! What earlier rounds found, as far as later ones need it (pure).
//!
//! A topic that is missing from one answer has not been deleted: a broker that has just started, or
//! one that lags behind, answers from old knowledge. It has been deleted when requests by name, at
//! least ten seconds apart, say so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use config::selection::TopicSelection;
use kafka_wire::error_code::ErrorCode;
use kafka_wire::types::{TopicId, TopicName};
use tokio::time::Instant;

use super::condition::Condition;
use super::observe::Observation;
use super::plan::{Copy, Step};

/// Time between two answers that say a topic is gone.
pub(super) const CONFIRMED_AFTER: Duration = Duration::from_secs(10);

/// A topic that is replicated, or was before this process started.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replicated {
    /// Where it is written.
    pub destination: TopicName,
    /// Which topic it is at the source; zero if that is not known.
    pub source_id: TopicId,
    /// Which topic it is at the destination; zero if that is not known.
    pub destination_id: TopicId,
    /// How many of its partitions.
    pub partitions: i32,
}

/// A setting that the destination refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedSetting {
    /// The value it refused; `None` if it refused to remove it.
    pub value: Option<String>,
    /// Its words.
    pub reason: String,
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct History {
    /// Source topics that replicate.
    pub replicated: BTreeMap<TopicName, Replicated>,
    /// Of these, those that were deleted at the source.
    pub deleted_at_source: BTreeSet<TopicName>,
    /// Of these, those whose copy was deleted.
    pub deleted_at_destination: BTreeSet<TopicName>,
    /// Names of settings that the destination knows, once any topic there was described.
    pub known_settings: Option<BTreeSet<String>>,
    /// Settings that the destination refused, by copy and name.
    pub refused: BTreeMap<(TopicName, String), RefusedSetting>,
    /// Settings that were made by this link, by copy.
    pub own: BTreeMap<TopicName, BTreeSet<String>>,
    /// Copies that this link created and that have not been seen since.
    created: BTreeSet<TopicName>,
    /// Copies whose settings are not compared before this time, and why.
    pub not_followed: BTreeMap<TopicName, (Instant, String)>,
    /// Topics that are others than they were, as reported.
    reported: BTreeMap<TopicName, (TopicId, TopicId)>,
    /// Topics that are others than they were, and of which an operator says that they are to be copied.
    answered: BTreeSet<TopicName>,
    missing_at_source: BTreeMap<TopicName, Instant>,
    missing_at_destination: BTreeMap<TopicName, Instant>,
}

impl History {
    /// What is known from stored positions.
    #[must_use]
    pub fn new(replicated: BTreeMap<TopicName, Replicated>) -> Self {
        Self {
            replicated,
            ..Self::default()
        }
    }

    /// Takes an observation in, before a plan is made of it.
    pub(super) fn observed(&mut self, seen: &Observation, now: Instant) {
        self.not_followed.retain(|_, (until, _)| *until > now);
        let described = seen.destination.values().filter_map(|topic| {
            let settings = topic.settings.as_ref()?.as_ref().ok()?;
            Some(settings.iter().map(|entry| entry.name.clone()))
        });
        let names: BTreeSet<String> = described.flatten().collect();
        if !names.is_empty() {
            self.known_settings = Some(names);
        }
        for (name, replicated) in &self.replicated {
            let gone = seen.absent.get(name) == Some(&ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
            let (missing, deleted) = (&mut self.missing_at_source, &mut self.deleted_at_source);
            note(name, gone, missing, deleted, now);
            // Nothing is known of the copy of a topic that is not there.
            if !seen.source.contains_key(name) {
                continue;
            }
            let copy = &replicated.destination;
            let gone = !seen.destination.contains_key(copy) && !seen.hidden.contains_key(copy);
            let missing = &mut self.missing_at_destination;
            note(name, gone, missing, &mut self.deleted_at_destination, now);
        }
    }

    /// As [`Self::observed`], of the only observation there will be: what is missing in it counts as deleted.
    pub(super) fn observed_once(&mut self, seen: &Observation, now: Instant) {
        self.observed(seen, now);
        let missing = self.missing_at_source.keys();
        self.deleted_at_source.extend(missing.cloned());
        let missing = self.missing_at_destination.keys();
        self.deleted_at_destination.extend(missing.cloned());
    }

    /// Topics that should be at the source, whether a list of all topics has them or not. What is listed and excluded is
    /// not expected.
    pub(super) fn expected(&self, selection: &TopicSelection) -> BTreeSet<TopicName> {
        let listed = selection.expected().map(TopicName::from);
        let replicated = self.replicated.keys();
        let replicated = replicated.filter(|name| selection.is_selected(name.as_str()));
        listed.chain(replicated.cloned()).collect()
    }

    /// Takes in that a step was carried out.
    pub(super) fn made(&mut self, step: &Step) {
        match step {
            Step::Create { topic, configs, .. } => {
                self.created.insert(topic.clone());
                let names = configs.iter().map(|(name, _)| name.clone());
                self.own.insert(topic.clone(), names.collect());
            }
            Step::Configure { topic, changes, .. } => {
                let own = self.own.entry(topic.clone()).or_default();
                for change in changes {
                    self.refused.remove(&(topic.clone(), change.name.clone()));
                    if change.to.is_some() {
                        own.insert(change.name.clone());
                    } else {
                        own.remove(&change.name);
                    }
                }
            }
            Step::Grow { .. } => {}
        }
    }

    /// Takes in that an operator has these copied, whatever they were before.
    pub(super) fn answered(&mut self, topics: BTreeSet<TopicName>) {
        self.answered.extend(topics);
    }

    /// Takes over what is copied; returns source topics that are, or whose copies are, others than
    /// when that was last said. With `restart` those are what is replicated from now on.
    pub(super) fn copied(&mut self, copies: &[Copy], restart: bool) -> BTreeSet<TopicName> {
        let mut renewed = BTreeSet::new();
        for copy in copies {
            let ids = (copy.source_id, copy.destination_id);
            let renewed_side = self.renewed(copy);
            let same = renewed_side.is_none();
            let created = self.created.remove(&copy.destination);
            // Somebody else made it, with settings that are theirs.
            if renewed_side == Some(Condition::DestinationRecreated) && !created {
                self.own.remove(&copy.destination);
            }
            if same {
                self.reported.remove(&copy.source);
            } else if self.reported.insert(copy.source.clone(), ids) != Some(ids) {
                renewed.insert(copy.source.clone());
            }
            // An answer holds for what it was given to, not for what is made anew after that.
            let answered = self.answered.remove(&copy.source);
            if same || restart || answered {
                let now = Replicated {
                    destination: copy.destination.clone(),
                    source_id: copy.source_id,
                    destination_id: copy.destination_id,
                    partitions: copy.partitions,
                };
                self.replicated.insert(copy.source.clone(), now);
            }
        }
        renewed
    }

    /// Which side of a copy is another topic than it was.
    pub(super) fn renewed(&self, copy: &Copy) -> Option<Condition> {
        if self.answered.contains(&copy.source) {
            return None;
        }
        let known = self.replicated.get(&copy.source)?;
        let differs = |a: TopicId, b: TopicId| !a.is_zero() && !b.is_zero() && a != b;
        if differs(known.source_id, copy.source_id) {
            Some(Condition::SourceRecreated)
        } else if known.destination == copy.destination
            && differs(known.destination_id, copy.destination_id)
        {
            Some(Condition::DestinationRecreated)
        } else {
            None
        }
    }

    /// When a topic that is missing is to be looked at again.
    pub(super) fn confirmation_due(&self) -> Option<Instant> {
        let unconfirmed = |missing: &BTreeMap<TopicName, Instant>,
                           deleted: &BTreeSet<TopicName>| {
            let since = missing.iter().filter(|(name, _)| !deleted.contains(*name));
            since.map(|(_, since)| *since + CONFIRMED_AFTER).min()
        };
        let source = unconfirmed(&self.missing_at_source, &self.deleted_at_source);
        let destination = unconfirmed(&self.missing_at_destination, &self.deleted_at_destination);
        source.into_iter().chain(destination).min()
    }
}

fn note(
    name: &TopicName,
    gone: bool,
    missing: &mut BTreeMap<TopicName, Instant>,
    deleted: &mut BTreeSet<TopicName>,
    now: Instant,
) {
    if !gone {
        missing.remove(name);
        deleted.remove(name);
        return;
    }
    let since = *missing.entry(name.clone()).or_insert(now);
    if now - since >= CONFIRMED_AFTER {
        deleted.insert(name.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata_sync::Topic;

    fn history() -> History {
        History::new(BTreeMap::from([(
            "a".into(),
            Replicated {
                destination: "x".into(),
                source_id: TopicId([1; 16]),
                destination_id: TopicId([2; 16]),
                partitions: 1,
            },
        )]))
    }

    fn seen(source: bool, copy: bool) -> Observation {
        let mut seen = Observation::default();
        if source {
            seen.source.insert("a".into(), Topic::default());
        } else {
            let code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
            seen.absent.insert("a".into(), code);
        }
        if copy {
            seen.destination.insert("x".into(), Topic::default());
        }
        seen
    }

    #[test]
    fn a_topic_is_deleted_when_two_answers_ten_seconds_apart_say_so() {
        let (mut history, start) = (history(), Instant::now());
        let mut deleted_after = |seconds, source, copy| {
            let now = start + Duration::from_secs(seconds);
            history.observed(&seen(source, copy), now);
            let due = history.confirmation_due().map(|at| (at - start).as_secs());
            let deleted = (
                !history.deleted_at_source.is_empty(),
                !history.deleted_at_destination.is_empty(),
            );
            (deleted, due)
        };
        assert_eq!(deleted_after(0, true, true), ((false, false), None));
        assert_eq!(deleted_after(1, false, true), ((false, false), Some(11)));
        assert_eq!(deleted_after(2, false, true), ((false, false), Some(11)));
        // A stale broker was asked: it is there.
        assert_eq!(deleted_after(3, true, true), ((false, false), None));
        assert_eq!(deleted_after(20, false, true), ((false, false), Some(30)));
        assert_eq!(deleted_after(30, false, true), ((true, false), None));
        assert_eq!(deleted_after(40, true, false), ((false, false), Some(50)));
        assert_eq!(deleted_after(50, true, false), ((false, true), None));
        assert_eq!(deleted_after(51, true, true), ((false, false), None));
    }

    fn copy(source: u8, destination: u8) -> Copy {
        Copy {
            source: "a".into(),
            source_id: TopicId([source; 16]),
            destination: "x".into(),
            destination_id: TopicId([destination; 16]),
            partitions: 1,
            spread: None,
        }
    }

    #[test]
    fn a_topic_of_another_id_is_noticed_and_an_unknown_id_says_nothing() {
        let mut history = history();
        let mut renewed = |source, destination, restart| {
            history.copied(&[copy(source, destination)], restart).len()
        };
        assert_eq!(renewed(1, 2, false), 0);
        assert_eq!(renewed(0, 0, false), 0);
        assert_eq!(renewed(1, 3, false), 0, "what it was is not known");
        // Said once, and again when it is yet another one.
        assert_eq!(renewed(1, 4, false), 1);
        assert_eq!(renewed(1, 4, false), 0);
        assert_eq!(renewed(5, 4, false), 1);
        assert_eq!(renewed(1, 3, false), 0);
        assert_eq!(renewed(1, 6, true), 1);
        assert_eq!(renewed(1, 6, true), 0);
        assert_eq!(renewed(1, 3, true), 1);
    }

    #[test]
    fn a_topic_made_anew_is_copied_once_an_operator_says_so_and_the_next_one_is_not() {
        let mut history = history();
        let copy = |source| copy(source, 2);
        history.copied(&[copy(1)], false);
        history.copied(&[copy(4)], false);
        assert_eq!(history.renewed(&copy(4)), Some(Condition::SourceRecreated));
        history.answered(BTreeSet::from(["a".into(), "another".into()]));
        assert_eq!(history.renewed(&copy(4)), None);
        assert_eq!(history.copied(&[copy(4)], false), BTreeSet::new());
        assert_eq!(history.renewed(&copy(4)), None, "that is what it is now");
        assert_eq!(history.renewed(&copy(5)), Some(Condition::SourceRecreated));
    }
}
