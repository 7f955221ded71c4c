//! Partitions that are begun again because somebody outside of the data plane asks for it.

use std::collections::BTreeSet;

use kafka_wire::types::TopicPartition;

use super::super::partition::Phase;
use super::{Core, Index};

impl Core {
    /// Begins partitions again at their positions: what stands tries once more, and what runs drops what it holds and looks
    /// at the destination's log. What is being begun, or waits, goes on with that: waits make sure that nothing lands behind
    /// a look. Partitions of halted topics begin again when their topics can be copied.
    pub(crate) fn begin_again(&mut self, wanted: &BTreeSet<TopicPartition>) {
        let all = self.partitions.iter();
        let chosen: Vec<Index> = all
            .filter(|(_, partition)| wanted.contains(&partition.source))
            .filter(|(_, partition)| partition.halted.is_none())
            .filter(|(_, partition)| match &partition.phase {
                Phase::Running | Phase::Stopped(_) => true,
                Phase::Starting | Phase::Storing => false,
            })
            .map(|(index, _)| *index)
            .collect();
        for index in chosen {
            let Some(partition) = self.partitions.get_mut(&index) else {
                continue;
            };
            partition.restart();
            partition.backoff.reset();
            self.to_locate.insert(index);
            self.touch_reader(index);
        }
    }
}
