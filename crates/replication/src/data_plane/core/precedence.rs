//! Which topics are read first: those that have little to catch up with are not held up by one that has much.
//!
//! Without that every partition gets the same share of what is read, and what is small waits until as much has been copied of
//! each partition of the large topic. What is left is counted in offsets, because nobody knows bytes before they are read.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use kafka_wire::types::{TopicName, TopicPartition};
use tokio::time::Instant;

use super::super::partition::{Partition, Phase};
use super::super::send_state::SendState;
use super::levelling::Levelling;
use super::{Core, Index};

/// A topic is small that has less than this part of all that is left.
const SMALL: i64 = 100;
/// A partition is late that has not been read to its end for so long.
const LATE: Duration = Duration::from_secs(2);
/// Nobody waits for one of which nothing was read for so long, or for as long as all have their turn under a limit: what holds it up is
/// its own.
const STANDS: Duration = Duration::from_secs(5);
/// Nobody waits longer than that for one that moves and does not get there: its own pace holds it up, not the others.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is asked of a partition at a time while it lets others go before: it goes on, but slowly.
pub(super) const YIELDING: i32 = 64 * 1024;

/// Offsets of a partition that are yet to be read, as far as its end is known.
pub(super) fn left(partition: &Partition) -> i64 {
    let end = partition.end.map_or(0, |(end, _)| end);
    let reads = matches!(partition.phase, Phase::Running);
    if reads {
        end.saturating_sub(partition.next_fetch).max(0)
    } else {
        0
    }
}

/// Whether something of a partition is known to be yet to be read.
pub(super) fn has_left(partitions: &BTreeMap<Index, Box<Partition>>, index: Index) -> bool {
    partitions.get(&index).is_some_and(|one| left(one) > 0)
}

impl Core {
    /// Takes a reading of source ends.
    pub(crate) fn on_ends(&mut self, ends: &[(TopicPartition, i64)], read_at: Instant) {
        let ends: HashMap<_, _> = ends.iter().map(|(p, end)| (p, *end)).collect();
        for (index, partition) in &mut self.partitions {
            if let Some(end) = ends.get(&partition.source) {
                partition.end = Some((*end, read_at));
                if *end > partition.next_fetch {
                    self.behind.insert(*index);
                } else {
                    partition.current_at = partition.current_at.max(Some(read_at));
                }
                // An idle partition is named by no answer: that nothing is missing is the evidence.
                let idle = matches!(partition.phase, Phase::Running)
                    && !partition.unreadable
                    && partition.bare.shown(partition.next_fetch) >= *end
                    && partition.send.as_ref().is_some_and(SendState::is_empty);
                if idle {
                    partition.recover();
                }
            }
        }
        self.precede(read_at);
        self.set_tails_apart(read_at);
        self.level(Levelling::Idle, read_at);
    }

    /// Lets large topics go behind small ones, as long as one of those is late.
    fn precede(&mut self, now: Instant) {
        let ago = |at: Instant| now.saturating_duration_since(at);
        let stands = STANDS.max(self.turn(now).unwrap_or_default());
        for partition in self.partitions.values_mut() {
            let moves = partition.moved_at.is_some_and(|at| ago(at) < stands);
            let current = partition.current_at.is_some_and(|at| ago(at) <= LATE);
            let late = moves && !current && left(partition) > 0;
            partition.late_since = late.then(|| partition.late_since.unwrap_or(now));
        }
        let is_late = |partition: &Partition| {
            let since = partition.late_since;
            since.is_some_and(|since| ago(since) < PATIENCE)
        };
        let mut topics: HashMap<&TopicName, (i64, bool)> = HashMap::new();
        // Mostly nobody is late, and topics need not be told apart.
        if self.partitions.values().any(|partition| is_late(partition)) {
            for partition in self.partitions.values() {
                let (all, late) = topics.entry(&partition.source.topic).or_default();
                *all = all.saturating_add(left(partition));
                *late |= is_late(partition);
            }
        }
        let total = topics
            .values()
            .fold(0_i64, |sum, (all, _)| sum.saturating_add(*all));
        let is_small = |all: i64| all < total / SMALL;
        let waited_for = topics.values().any(|(all, late)| *late && is_small(*all));
        let yields = |partition: &Partition| {
            let all = topics
                .get(&partition.source.topic)
                .map_or(0, |(all, _)| *all);
            waited_for && !is_small(all)
        };
        let changed = self.partitions.iter();
        let changed = changed.filter(|(_, partition)| yields(partition) != partition.yields);
        let changed: Vec<Index> = changed.map(|(index, _)| *index).collect();
        self.flip(changed, |partition| &mut partition.yields);
    }
}
