//! How much of a link runs in one process. Several processes share a link: one follows its topics, each copies some
//! partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_wire::types::{TopicName, TopicPartition};

/// See the module.
#[derive(Clone, Debug, Default)]
pub enum LinkPart {
    /// All of it.
    #[default]
    Whole,
    /// Topics, partitions, settings and rights of the copies, and no records.
    Topics,
    /// The records of some partitions; copies are waited for, not made.
    Partitions {
        /// Which part of several: each is written by one process at a time.
        number: u32,
        /// The partitions, by source topic.
        share: Arc<BTreeMap<String, BTreeSet<i32>>>,
    },
}

impl LinkPart {
    /// These partitions, by source topic.
    #[must_use]
    pub fn partitions(number: u32, share: &BTreeMap<String, Vec<i32>>) -> Self {
        let share = share.iter();
        let share =
            share.map(|(topic, numbers)| (topic.clone(), numbers.iter().copied().collect()));
        Self::Partitions {
            number,
            share: Arc::new(share.collect()),
        }
    }

    /// Whether what it finds is made so at the destination.
    pub(crate) fn changes_topics(&self) -> bool {
        match self {
            Self::Whole | Self::Topics => true,
            Self::Partitions { .. } => false,
        }
    }

    /// What this part of a link is known by where one process at a time may write; nothing where it writes no records.
    pub(crate) fn name(&self, link: &str) -> Option<String> {
        match self {
            Self::Whole => Some(link.to_owned()),
            Self::Topics => None,
            Self::Partitions { number, .. } => Some(format!("{link}#{number}")),
        }
    }

    /// The number of the task whose records it copies; a whole link is one.
    pub(crate) fn task(&self) -> Option<u32> {
        match self {
            Self::Whole => Some(0),
            Self::Topics => None,
            Self::Partitions { number, .. } => Some(*number),
        }
    }

    /// The partitions of a topic that are copied here, of so many.
    pub(crate) fn numbers(&self, topic: &TopicName, count: i32) -> Vec<i32> {
        match self {
            Self::Whole => (0..count).collect(),
            Self::Topics => Vec::new(),
            Self::Partitions { share, .. } => match share.get(topic.as_str()) {
                Some(numbers) => numbers.range(..count).copied().collect(),
                None => Vec::new(),
            },
        }
    }

    /// Whether the records of a partition are copied here.
    pub(crate) fn has(&self, source: &TopicPartition) -> bool {
        match self {
            Self::Whole => true,
            Self::Topics => false,
            Self::Partitions { share, .. } => share
                .get(source.topic.as_str())
                .is_some_and(|numbers| numbers.contains(&source.partition)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_one_part() {
        let share = |numbers: &[i32]| BTreeMap::from([("t".to_owned(), numbers.to_vec())]);
        let (one, other) = (
            LinkPart::partitions(0, &share(&[0, 2])),
            LinkPart::partitions(1, &share(&[1])),
        );
        let t = TopicName::from("t");
        assert_eq!(one.numbers(&t, 3), [0, 2]);
        // One is not there, or not yet.
        assert_eq!(one.numbers(&t, 2), [0]);
        assert!(one.numbers(&"u".into(), 3).is_empty());
        assert_eq!(LinkPart::Whole.numbers(&t, 2), [0, 1]);
        assert!(LinkPart::Topics.numbers(&t, 2).is_empty());
        for number in 0..3 {
            let partition = TopicPartition::new("t".into(), number);
            assert!(LinkPart::Whole.has(&partition) && !LinkPart::Topics.has(&partition));
            assert_ne!(one.has(&partition), other.has(&partition));
        }
        assert!(!one.has(&TopicPartition::new("u".into(), 0)));
        assert!(LinkPart::Topics.changes_topics() && !one.changes_topics());
        assert_ne!(one.name("l"), other.name("l"));
        assert_eq!(LinkPart::Topics.name("l"), None);
    }
}
