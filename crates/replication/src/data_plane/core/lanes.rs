//! How many connections a destination broker is written over.
//!
//! Mostly one for each destination broker: requests are filled best then. To one that is far away a connection carries at most its
//! window in every round trip, so there are more where that carries more, found out as for reading (`channels.rs`). Which of them are
//! there, and which partition has which, is in `dealing.rs`.
//!
//! A broker that is slow has one more, for what is current: that would wait behind what catches up.

use foldhash::HashMap;
use kafka_wire::types::{NodeId, TopicPartition};
use tokio::time::{Duration, Instant};

use super::super::partition::Partition;
use super::super::status::{Side, Way};
use super::Core;
use super::channels::{Channels, Step};
use super::connecting::{are_more, catches_up};
use super::reading::Reading;

/// A connection that a destination broker is written over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct LaneId {
    pub(crate) node: NodeId,
    /// Which of several.
    pub(crate) number: u16,
}

impl LaneId {
    /// The number of that for what is current.
    pub(crate) const APART: u16 = u16::MAX;

    /// Which of its broker's it is, as it is shown.
    pub(crate) fn which(self) -> String {
        match self.number {
            Self::APART => "current".to_owned(),
            number => number.to_string(),
        }
    }
}

/// The first, and mostly the only one.
impl From<NodeId> for LaneId {
    fn from(node: NodeId) -> Self {
        Self { node, number: 0 }
    }
}

/// Bytes in memory with which a partition keeps a connection busy: all that its source has may have been read.
const WAITING: usize = 32 * 1024;

/// Whether something has to be caught up with, for which a partition needs a connection.
pub(super) fn is_behind(partition: &Partition, now: Instant) -> bool {
    let send = partition.send.as_ref();
    catches_up(partition, now) || send.is_some_and(|send| send.bytes() >= WAITING)
}

/// How many connections a broker is written over, as far as these are known.
pub(super) fn count_of(lanes: &HashMap<NodeId, Channels>, node: NodeId) -> u16 {
    lanes.get(&node).map_or(1, Channels::count)
}

impl Core {
    /// How many connections a broker is written over.
    pub(super) fn count_of_lanes(&self, node: NodeId) -> u16 {
        count_of(&self.lanes, node)
    }

    /// Bytes that one request to a broker may hold, and that may be on their way over a connection for another one to follow: to one that is
    /// far away what a connection carries within a few round trips. More would only wait there, and keep its partitions from others.
    pub(super) fn bytes_of_lane(&self, node: NodeId) -> usize {
        let lanes = self.lanes.get(&node).filter(|lanes| lanes.is_distant());
        let bytes = lanes.and_then(Channels::answer);
        bytes.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(0))
    }

    /// Destination brokers of which it is to be asked how far away they are, each with a partition that it leads: those that much
    /// was written to since.
    pub(crate) fn take_to_measure(&mut self) -> Vec<(NodeId, TopicPartition)> {
        let written = self.writers.iter_mut();
        let written = written.filter_map(|(node, writer)| writer.take_much().then_some(*node));
        let written: Vec<NodeId> = written.collect();
        let led = |node: NodeId| {
            let mut partitions = self.partitions.values();
            let led = partitions.find(|partition| partition.destination_leader == Some(node));
            led.map(|partition| (node, partition.destination.clone()))
        };
        written.into_iter().filter_map(led).collect()
    }

    /// Takes how long a small question to a destination broker took that waited for nothing.
    pub(crate) fn on_measured(&mut self, node: NodeId, took: Duration, now: Instant) {
        let lanes = self.lanes_of(node);
        let (before, was_distant) = (lanes.count(), lanes.is_distant());
        lanes.on_question(took, now);
        if lanes.is_distant() != was_distant {
            let round_trip = lanes.round_trip();
            tracing::debug!(
                broker = node.0,
                "the way to the destination takes {round_trip:?} there and back now"
            );
        }
        self.count_changed(node, before, now);
    }

    /// What is known of the connections to a broker. In transactions there is one: brokers add partitions to a transaction with the first
    /// batch of each, for one request of a transactional id at a time, and refuse others that come meanwhile (AddPartitionsToTxnManager).
    fn lanes_of(&mut self, node: NodeId) -> &mut Channels {
        let most = match self.transaction {
            Some(_) => 1,
            None => self.settings.max_connections,
        };
        let lanes = self.lanes.entry(node);
        lanes.or_insert_with(|| Channels::for_writing(most))
    }

    /// Writes to a broker over more connections, or fewer, if that is better.
    pub(super) fn count_lanes(&mut self, node: NodeId, reading: &Reading, now: Instant) {
        let Some(lanes) = self.lanes.get_mut(&node).filter(|all| all.is_distant()) else {
            return;
        };
        let before = lanes.count();
        let partitions = self.partitions.values();
        let theirs = partitions.filter(|one| one.destination_leader == Some(node));
        let allowances = self.allowances.as_ref();
        let behind = theirs.filter(|one| is_behind(one, now));
        let step = lanes.add(reading, now, |than| are_more(behind, than, allowances, now));
        if let Step::Helped(window) = step {
            tracing::info!(
                broker = node.0,
                connections = before,
                "the destination is far away ({} ms there and back) and what one connection carries in that time is limited to \
                 about {} KiB: more of them are made; fewer do with {}",
                lanes.round_trip().as_millis(),
                window / 1024,
                Side::Destination.remedy()
            );
        }
        self.count_changed(node, before, now);
    }

    /// The ways to destination brokers that are far away.
    pub(super) fn ways_of_lanes(&self) -> impl Iterator<Item = Way> {
        let lanes = self.lanes.iter();
        let ways = lanes.filter_map(|(node, lanes)| lanes.way(Side::Destination, *node));
        ways.map(|way| {
            let writer = self.writers.get(&NodeId(way.broker));
            // Some may be about to be made, or not allowed.
            let there = writer.map_or(1, |writer| writer.all_usable().len());
            Way {
                connections: u16::try_from(there).unwrap_or(way.connections),
                ..way
            }
        })
    }
}

#[cfg(test)]
impl Core {
    /// There are to be so many connections to a broker.
    pub(super) fn set_lanes(&mut self, node: NodeId, count: u16, now: Instant) {
        let before = self.count_of_lanes(node);
        self.lanes_of(node).set_count(count);
        self.count_changed(node, before, now);
    }

    /// A broker is slow, or is so no longer.
    pub(super) fn set_slow(&mut self, node: NodeId, is_slow: bool, now: Instant) {
        if let Some(writer) = self.writers.get_mut(&node) {
            writer.set_slow(is_slow, now);
        }
    }

    /// Partitions of a broker are to be written over so many connections, each over one by its number.
    pub(super) fn spread(&mut self, node: NodeId, count: u16) {
        let partitions = self.partitions.values_mut();
        for partition in partitions.filter(|one| one.destination_leader == Some(node)) {
            partition.over.home = Channels::number_of(&partition.destination, count);
        }
        self.queue_anew(node);
    }

    /// Whether a connection is there, or is the one that is made where none is.
    pub(super) fn may_write(&self, lane: LaneId) -> bool {
        let writer = self.writers.get(&lane.node);
        writer.is_some_and(|writer| match lane.number {
            LaneId::APART => writer.stands(lane.number),
            number => writer.all_usable().contains(&number),
        })
    }
}
