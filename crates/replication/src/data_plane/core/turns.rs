//! Whose turn it is to be read while the link uses up its limit, and how long partitions wait for theirs. Nothing is wrong with
//! those: only who has waited for longer than that stands still.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::super::partition::Partition;
use super::Core;
use super::channels::{Channel, Channels};
use super::precedence::left;

/// Bytes of answers of a connection that catches nothing up, and how long it goes before those that do.
const LITTLE: usize = 64 * 1024;
const HEAD_START: Duration = Duration::from_secs(1);

/// Whose turn it is among connections that wait for each other: the earliest, and before it who never asked. `expected` is what an
/// answer held lately, `most` what it may hold. One that holds as much is small under a low limit, and says nothing of how much
/// there is.
pub(super) fn precedes(asked_at: Option<Instant>, expected: usize, most: i32) -> Option<Instant> {
    let most = usize::try_from(most).unwrap_or_default();
    let has_little = expected <= LITTLE && expected <= most / 4;
    // Not for ever: what is new may use up the limit.
    let behind = if has_little {
        Duration::ZERO
    } else {
        HEAD_START
    };
    asked_at.map(|at| at + behind)
}

impl Core {
    /// Time in which every partition that has something to read has its turn, while the limit is what they wait for.
    pub(crate) fn turn(&self, now: Instant) -> Option<Duration> {
        let allowances = self.allowances.as_ref()?;
        if !allowances.are_used_up(now) {
            return None;
        }
        let mut batches: BTreeMap<Channel, Vec<usize>> = BTreeMap::new();
        let behind = self.partitions.iter();
        for (index, partition) in behind.filter(|(_, one)| one.is_readable() && left(one) > 0) {
            if let Some(channel) = self.channel_of(*index) {
                let sizes = batches.entry(channel).or_default();
                sizes.push(partition.batch_size.mean());
            }
        }
        let batches: Vec<_> = batches.into_values().collect();
        let way = self.channels.values().map(Channels::round_trip).max();
        allowances.turn(&batches, way.unwrap_or_default(), now)
    }

    /// Whether nothing but its turn is missing to a partition.
    pub(crate) fn waits_for_its_turn(&self, partition: &Partition) -> bool {
        let to = partition.destination_leader;
        partition.is_readable()
            && partition.trouble.is_none()
            && left(partition) > 0
            && partition.send.as_ref().is_some_and(|send| send.is_empty())
            && !to.is_some_and(|node| self.is_full(node))
    }
}
