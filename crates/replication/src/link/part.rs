//! How much of a link runs in one process. Several processes share a link: one follows its topics, each copies some
//! partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kafka_wire::types::TopicPartition;

/// See the module.
#[derive(Clone, Debug, Default)]
pub enum LinkPart {
    /// All of it.
    #[default]
    Whole,
    /// Topics, partitions, settings and rights of the copies, and no records.
    Topics,
    /// The records of these partitions; copies are waited for, not made.
    Partitions(Arc<BTreeMap<String, BTreeSet<i32>>>),
}

impl LinkPart {
    /// These partitions, by source topic.
    #[must_use]
    pub fn partitions(share: &BTreeMap<String, Vec<i32>>) -> Self {
        let share = share.iter();
        let share =
            share.map(|(topic, numbers)| (topic.clone(), numbers.iter().copied().collect()));
        Self::Partitions(Arc::new(share.collect()))
    }

    /// Whether what it finds is made so at the destination.
    pub(crate) fn changes_topics(&self) -> bool {
        match self {
            Self::Whole | Self::Topics => true,
            Self::Partitions(_) => false,
        }
    }

    /// Whether the records of a partition are copied here.
    pub(crate) fn has(&self, source: &TopicPartition) -> bool {
        match self {
            Self::Whole => true,
            Self::Topics => false,
            Self::Partitions(share) => share
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
            LinkPart::partitions(&share(&[0, 2])),
            LinkPart::partitions(&share(&[1])),
        );
        for number in 0..3 {
            let partition = TopicPartition::new("t".into(), number);
            assert!(LinkPart::Whole.has(&partition) && !LinkPart::Topics.has(&partition));
            assert_ne!(one.has(&partition), other.has(&partition));
        }
        assert!(!one.has(&TopicPartition::new("u".into(), 0)));
        assert!(LinkPart::Topics.changes_topics() && !one.changes_topics());
    }
}
