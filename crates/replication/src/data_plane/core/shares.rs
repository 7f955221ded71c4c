//! Shares of the memory: without them a broker of the destination that is slow would take it from all others.
//!
//! One that has its share is full until a quarter of that is gone: what its partitions wait for is not one batch each. While it is
//! full nothing is asked for that it leads, in requests that are on their way alone.

use kafka_wire::types::NodeId;

use super::super::partition::Phase;
use super::super::send_state::SendState;
use super::{Core, Index};

/// What there is for a broker of the destination.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Held {
    /// Partitions that it leads.
    partitions: usize,
    /// Bytes in memory for it.
    bytes: usize,
}

impl Core {
    /// Keeps the sums of what is in memory for each destination broker.
    pub(super) fn count_held(&mut self, index: Index) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        let bytes = partition.send.as_ref().map_or(0, SendState::bytes);
        let leader = partition.destination_leader;
        // One that is stopped is not written, whoever leads it.
        let leader = leader.filter(|_| !matches!(partition.phase, Phase::Stopped(_)));
        let now = leader.map(|node| (node, bytes));
        let before = std::mem::replace(&mut partition.held, now);
        if let Some((node, bytes)) = now {
            let held = self.held.entry(node).or_default();
            held.partitions += 1;
            held.bytes += bytes;
        }
        if let Some((node, bytes)) = before
            && let Some(held) = self.held.get_mut(&node)
        {
            held.partitions -= 1;
            held.bytes -= bytes;
            // One that leads nothing any more has no share.
            if held.partitions == 0 {
                self.held.remove(&node);
            }
        }
        let [before, now] = [before, now].map(|held| held.map(|(node, _)| node));
        for node in before.into_iter().chain(now) {
            self.weigh(node);
        }
    }

    /// Looks whether a broker of the destination has its share, after what it has to take became more or less.
    pub(super) fn weigh(&mut self, node: NodeId) {
        let brokers = self.held.len();
        let share = self.settings.memory / 4 * 3 / brokers.max(1);
        let held = self.held.get(&node).map_or(0, |held| held.bytes);
        let full = self.is_full(node);
        if !full && brokers > 1 && held > share {
            self.starved.insert(node, Default::default());
            self.withdraw(node);
        } else if full && (brokers < 2 || held <= share / 4 * 3) {
            for index in self.starved.remove(&node).unwrap_or_default() {
                self.tell_reader(index);
            }
        }
    }

    /// Whether a broker of the destination has its share.
    pub(super) fn is_full(&self, node: NodeId) -> bool {
        self.starved.contains_key(&node)
    }

    /// Whether a partition is not read because its broker has its share. It is when that has become less.
    pub(super) fn starve(&mut self, node: NodeId, index: Index) -> bool {
        let starved = self.starved.get_mut(&node);
        starved.map(|all| all.insert(index)).is_some()
    }

    /// Has everything let go of that is asked for and led by `node`.
    fn withdraw(&mut self, node: NodeId) {
        for reader in self.readers.values_mut() {
            let asked = reader.asked.keys().copied();
            let led = asked.filter(|index| {
                let partition = self.partitions.get(index);
                partition.is_some_and(|p| p.destination_leader == Some(node))
            });
            reader.news.extend(led);
        }
    }
}
