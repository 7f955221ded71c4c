//! The part of [`Core`] that looks at logs now and then: log starts are followed, and what happens to a destination log to which
//! nothing is written shows nowhere else.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use kafka_wire::types::{NodeId, TopicPartition};
use tokio::time::Instant;

use super::super::partition::{Partition, Phase};
use super::Core;

/// Readings of logs where offsets are preserved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watched {
    pub(crate) source_starts: Vec<(TopicPartition, i64)>,
    pub(crate) destination_starts: Vec<(TopicPartition, i64)>,
    pub(crate) destination_ends: Vec<(TopicPartition, i64)>,
    /// Destination partitions whose leaders did not tell.
    pub(crate) untold: BTreeSet<TopicPartition>,
}

impl Core {
    /// Partitions whose logs are to be watched: by source leader and by destination leader.
    pub(crate) fn take_watch(
        &mut self,
        now: Instant,
    ) -> [BTreeMap<NodeId, Vec<TopicPartition>>; 2] {
        let mut by_leader: [BTreeMap<NodeId, Vec<TopicPartition>>; 2] = Default::default();
        let all = self.partitions.values_mut();
        let (shared, transacts) = (self.settings.shared, self.transaction.is_some());
        let watched = |one: &&mut Box<Partition>| {
            one.preserved().is_some() || !shared && !transacts && one.awaits_copies(now)
        };
        for partition in all.filter(watched) {
            let acknowledged = partition.position.as_ref().map(|p| p.destination_end.0);
            partition.placing.asked_behind = acknowledged.unwrap_or(0);
            let (Some(from), Some(to)) = (partition.leader, partition.destination_leader) else {
                continue;
            };
            let [sources, destinations] = &mut by_leader;
            sources
                .entry(from.node)
                .or_default()
                .push(partition.source.clone());
            let destination = partition.destination.clone();
            destinations.entry(to).or_default().push(destination);
        }
        by_leader
    }

    /// Takes readings of logs: starts at the source, starts and ends at the destination.
    pub(crate) fn on_watched(&mut self, watched: &Watched, now: Instant) {
        let by_partition = |readings: &[(TopicPartition, i64)]| -> HashMap<TopicPartition, i64> {
            readings.iter().cloned().collect()
        };
        let source = by_partition(&watched.source_starts);
        let destination = by_partition(&watched.destination_starts);
        let ends = by_partition(&watched.destination_ends);
        let mut changed = Vec::new();
        for (index, partition) in &mut self.partitions {
            if partition.preserved().is_none() {
                let end = ends.get(&partition.destination).copied();
                if let Some(end) = end.filter(|_| partition.is_idle()) {
                    partition.note_growth(end, now);
                }
                continue;
            }
            if let Some(start) = source.get(&partition.source) {
                partition.placing.source_start = *start;
            }
            if let Some(start) = destination.get(&partition.destination) {
                partition.placing.destination_start = *start;
            }
            self.to_trim.insert(*index);
            if !partition.is_idle() {
                continue;
            }
            match ends.get(&partition.destination).copied() {
                Some(end) => changed.extend(partition.changed_to(end).map(|what| (*index, what))),
                // Others may lead it, whose log may be another one.
                None if watched.untold.contains(&partition.destination) => {
                    self.to_locate.insert(*index);
                }
                None => {}
            }
        }
        for (index, what) in changed {
            // Who it was is found out before anything is written.
            self.restart(index, what.to_owned(), now);
        }
    }
}

impl Partition {
    /// Whether nothing of it is to be written.
    fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Running)
            && self.open_calls == 0
            && self.send.as_ref().is_some_and(|send| send.is_empty())
    }

    /// What has happened to the destination's log, of which nothing was to be written, if it ends here.
    fn changed_to(&self, end: i64) -> Option<&'static str> {
        let known = self.position.as_ref()?.destination_end.0;
        match end {
            _ if end > known => {
                Some("the destination's log has grown although nothing was written to it")
            }
            _ if end < self.placing.asked_behind => {
                Some("the destination's log has become shorter")
            }
            _ => None,
        }
    }
}
