//! What the first look at the source found, for a link that looks no further (`refresh.topics.enabled=false`) (pure).
//!
//! Later looks ask for these topics by name, because what follows them (settings, what is refused or gone) goes on. What has
//! come since does not show in them. A topic that is listed by its name is waited for all the same.

use std::collections::{BTreeMap, BTreeSet};

use kafka_wire::types::TopicName;

use super::observe::Observation;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct First {
    topics: BTreeMap<TopicName, i32>,
    unselected: BTreeSet<TopicName>,
}

impl First {
    /// Of the first observation.
    pub(super) fn of(seen: &Observation) -> Self {
        let topics = seen.source.iter();
        Self {
            topics: topics
                .map(|(name, topic)| (name.clone(), topic.partitions))
                .collect(),
            unselected: seen.unselected.clone(),
        }
    }

    /// The topics that it found.
    pub(super) fn topics(&self) -> impl Iterator<Item = &TopicName> {
        self.topics.keys()
    }

    /// Takes what has come since out of a later look at the source.
    pub(super) fn narrow(&mut self, seen: &mut Observation) {
        for (name, topic) in &mut seen.source {
            let first = self.topics.entry(name.clone());
            topic.partitions = topic.partitions.min(*first.or_insert(topic.partitions));
        }
        seen.unselected.clone_from(&self.unselected);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata_sync::Topic;

    fn seen(topics: &[(&str, i32)], unselected: &[&str]) -> Observation {
        let topic = |partitions| Topic {
            partitions,
            ..Topic::default()
        };
        let topics = topics.iter();
        Observation {
            source: topics
                .map(|(name, partitions)| ((*name).into(), topic(*partitions)))
                .collect(),
            unselected: unselected.iter().map(|name| (*name).into()).collect(),
            ..Observation::default()
        }
    }

    #[test]
    fn partitions_that_have_come_since_the_first_look_do_not_show_and_a_listed_topic_does() {
        let mut first = First::of(&seen(&[("a", 2), ("b", 3)], &["other"]));
        let asked: Vec<&str> = first.topics().map(TopicName::as_str).collect();
        assert_eq!(asked, ["a", "b"]);
        // One grew, one was made anew with fewer, and one was listed and is there now.
        let mut later = seen(&[("a", 9), ("b", 1), ("listed", 4)], &[]);
        first.narrow(&mut later);
        let narrowed = seen(&[("a", 2), ("b", 1), ("listed", 4)], &["other"]);
        assert_eq!(later, narrowed);
        let mut later = seen(&[("listed", 5)], &[]);
        first.narrow(&mut later);
        assert_eq!(later, seen(&[("listed", 4)], &["other"]));
    }
}
