//! What the destination refused is tried again when the settings that decide about that are others.
//!
//! Whether they are is found by reading them, not by sending the record again: that would cost the destination its size every
//! time.

use std::collections::HashMap;

use kafka_wire::types::{TopicName, TopicPartition};

use super::super::partition::{Partition, Phase, Stop};
use super::{Answer, Core, Index};

/// The partition stands because of what its destination topic takes, as it was when it began.
fn refused(partition: &Partition) -> Option<(&Stop, u64)> {
    match &partition.phase {
        Phase::Stopped(stop) if stop.state == "refused" && partition.halted.is_none() => {
            Some((stop, partition.taking?))
        }
        _ => None,
    }
}

impl Core {
    /// Destination partitions whose topics refused something, as long as that stands.
    pub(crate) fn refusing(&self) -> Vec<TopicPartition> {
        let all = self.partitions.values();
        all.filter(|partition| refused(partition).is_some())
            .map(|partition| partition.destination.clone())
            .collect()
    }

    /// Takes what now decides which records topics take.
    pub(crate) fn on_takings(&mut self, takings: &HashMap<TopicName, u64>) {
        let changed = |partition: &Partition| {
            let (stop, then) = refused(partition)?;
            let now = takings.get(&partition.destination.topic)?;
            (*now != then).then(|| stop.clone())
        };
        let all = self.partitions.iter();
        let again: Vec<(Index, Stop)> = all
            .filter_map(|(index, partition)| Some((*index, changed(partition)?)))
            .collect();
        for (index, stop) in again {
            if let Some(partition) = self.partitions.get_mut(&index) {
                tracing::info!(
                    partition = %partition.source,
                    destination = %partition.destination,
                    offset = stop.offset,
                    "the destination topic takes other records now: what it refused is tried again"
                );
                partition.answer(Answer::Again, &stop);
            }
            self.mark_changed(index);
            self.to_locate.insert(index);
        }
    }
}
