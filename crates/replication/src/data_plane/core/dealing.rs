//! Which connections to a destination broker are there, and which partition is written over which.
//!
//! A partition has one at a time, because its sequences have to arrive in their order: it changes when nothing of it is on its way.
//! Connections are made before anything is given to them, except the first where none is there, and one that fails gives back what it had:
//! a broker that allows no more of them costs nothing but the attempt. Partitions are dealt so that each has about as many of those that have
//! something to catch up with; going by their numbers, those of one of four brokers would all lie on one of four connections.

use std::time::Duration;

use kafka_wire::types::NodeId;
use tokio::time::Instant;

use super::super::partition::Partition;
use super::connecting::catches_up;
use super::lanes::{LaneId, count_of, is_behind};
use super::levelling::even;
use super::precedence::left;
use super::writer::{ApartStep, Writer};
use super::{Core, Index};

/// For how long a connection that could not be made is not tried again.
const REFUSED: Duration = Duration::from_secs(30);
/// The same of one that was there: the broker may be back in a moment.
const BROKEN: Duration = Duration::from_secs(2);

/// What a partition has to be sent where others wait for it. A flow of records that keeps up has less, also where answers take seconds.
const BACKLOG: usize = 1024 * 1024;

/// Whether what is current would wait for what a partition catches up with.
fn holds_up(partition: &Partition, now: Instant) -> bool {
    let send = partition.send.as_ref();
    catches_up(partition, now) || send.is_some_and(|send| send.bytes() >= BACKLOG)
}

impl Core {
    /// Makes as many connections to a broker as it is to have, and ends those that are too many, if that is another number than before:
    /// whether it is.
    pub(super) fn count_changed(&mut self, node: NodeId, before: u16, now: Instant) -> bool {
        let count = self.count_of_lanes(node);
        if count == before {
            return false;
        }
        self.remake(node, count, now);
        let writer = self.writers.entry(node).or_default();
        for number in count..before {
            if writer.lets_go(number) {
                self.unused_lanes.push(LaneId { node, number });
            }
        }
        self.deal(node, now);
        true
    }

    /// A connection is there.
    pub(crate) fn on_lane_stands(&mut self, lane: LaneId, now: Instant) {
        let is_needed = self.is_needed(lane);
        let writer = self.writers.entry(lane.node).or_default();
        writer.has_come(lane.number);
        if !is_needed {
            if writer.lets_go(lane.number) {
                self.unused_lanes.push(lane);
            }
            return;
        }
        self.deal(lane.node, now);
    }

    /// A connection has ended, or could not be made. If it is one of those that are being tried, the broker may allow no more.
    pub(crate) fn on_lane_gone(&mut self, lane: LaneId, has_failed: bool, now: Instant) {
        let LaneId { node, number } = lane;
        let Some(writer) = self.writers.get_mut(&node) else {
            return;
        };
        let pause = if writer.stands(number) {
            BROKEN
        } else {
            REFUSED
        };
        writer.has_gone(number, has_failed.then(|| now + pause));
        if number == LaneId::APART {
            // Its partitions go over the others.
            return self.queue_anew(node);
        }
        let before = self.count_of_lanes(node);
        if before == 1 {
            return;
        }
        if let Some(lanes) = self.lanes.get_mut(&node).filter(|_| has_failed) {
            lanes.on_failed(number, now);
        }
        if !self.count_changed(node, before, now) {
            self.deal(node, now);
        }
    }

    /// All connections to a broker are given up.
    pub(super) fn on_lanes_given_up(&mut self, node: NodeId, now: Instant) {
        if let Some(writer) = self.writers.get_mut(&node) {
            writer.have_gone();
        }
        self.deal(node, now);
    }

    fn is_needed(&self, lane: LaneId) -> bool {
        let writer = self.writers.get(&lane.node);
        match lane.number {
            LaneId::APART => writer.is_some_and(Writer::keeps_apart),
            number => number < self.count_of_lanes(lane.node),
        }
    }

    /// Gives what is current a connection of its own to brokers that are slow and have something to catch up with, and takes it back a
    /// while after.
    fn tend_apart(&mut self, now: Instant) {
        if self.transaction.is_some() {
            return;
        }
        let mut changed = Vec::new();
        for (&node, writer) in &mut self.writers {
            let others = count_of(&self.lanes, node);
            let may_be = others < self.settings.max_connections;
            let holds_up = || {
                let mut partitions = self.partitions.values();
                partitions.any(|one| one.destination_leader == Some(node) && holds_up(one, now))
            };
            let lane = LaneId {
                node,
                number: LaneId::APART,
            };
            match writer.tend_apart(may_be, holds_up, now) {
                ApartStep::Nothing => {}
                ApartStep::Make => self.lanes_to_make.push(lane),
                ApartStep::Stay => changed.push(node),
                ApartStep::Leave(ends) => {
                    changed.push(node);
                    self.unused_lanes.extend(ends.then_some(lane));
                }
            }
        }
        for node in changed {
            self.queue_anew(node);
        }
    }

    /// Nothing is on its way over this connection any more: it ends if it is one too many.
    pub(super) fn leave_lane(&mut self, lane: LaneId) {
        if self.is_needed(lane) {
            return;
        }
        if let Some(writer) = self.writers.get_mut(&lane.node) {
            writer.has_gone(lane.number, None);
        }
        self.unused_lanes.push(lane);
    }

    /// Connections that are to be made. What is given to each follows when it is there.
    pub(crate) fn take_lanes_to_make(&mut self) -> Vec<LaneId> {
        std::mem::take(&mut self.lanes_to_make)
    }

    /// Connections that nothing is written over any more.
    pub(crate) fn take_unused_lanes(&mut self) -> Vec<LaneId> {
        std::mem::take(&mut self.unused_lanes)
    }

    /// Looks after brokers with several connections, to be done every second or so. Whether any has another number of them.
    pub(crate) fn tend_lanes(&mut self, now: Instant) -> bool {
        self.tend_apart(now);
        let mut changed = false;
        let nodes: Vec<NodeId> = self.lanes.keys().copied().collect();
        for node in nodes {
            let before = self.count_of_lanes(node);
            let mut partitions = self.partitions.values();
            if !partitions.any(|one| one.destination_leader == Some(node)) {
                changed |= self.lanes.remove(&node).is_some();
            } else if let Some(lanes) = self.lanes.get_mut(&node) {
                lanes.rest(now);
            }
            if self.count_changed(node, before, now) {
                changed = true;
            } else if before > 1 {
                self.remake(node, before, now);
                self.deal(node, now);
            }
        }
        changed
    }

    /// Makes those of a broker's connections that ended, or failed a while ago. Where none is there, one is made by writing first.
    fn remake(&mut self, node: NodeId, count: u16, now: Instant) {
        let writer = self.writers.entry(node).or_default();
        writer.forgive(now);
        let made = writer.take_to_make(count).into_iter();
        self.lanes_to_make
            .extend(made.map(|number| LaneId { node, number }));
    }

    /// Gives each connection to a broker about as many partitions that have something to catch up with.
    fn deal(&mut self, node: NodeId, now: Instant) {
        let Some(writer) = self.writers.get(&node) else {
            return;
        };
        let lanes = writer.all_usable();
        let mut loads: Vec<Vec<(i64, Index)>> = vec![Vec::new(); lanes.len()];
        let mut moved: Vec<(Index, usize)> = Vec::new();
        let partitions = self.partitions.iter();
        let theirs = partitions.filter(|(_, one)| one.destination_leader == Some(node));
        for (rank, (index, partition)) in theirs.enumerate() {
            let place = lanes
                .binary_search(&partition.over.home)
                .unwrap_or_else(|_| {
                    let place = rank % lanes.len();
                    moved.push((*index, place));
                    place
                });
            if is_behind(partition, now) {
                loads[place].push((left(partition), *index));
            }
        }
        moved.extend(even(loads, |_| true));
        for (index, place) in moved {
            if let Some(partition) = self.partitions.get_mut(&index) {
                partition.over.home = lanes[place];
            }
        }
        self.queue_anew(node);
    }

    /// Has what waits for a broker wait for the connections that it is to go over now.
    pub(super) fn queue_anew(&mut self, node: NodeId) {
        let writer = self.writers.get_mut(&node);
        let waiting: Vec<Index> = writer.map(|writer| writer.take_ready()).unwrap_or_default();
        for index in &waiting {
            if let Some(partition) = self.partitions.get_mut(index) {
                partition.queued_for_send = false;
            }
        }
        for index in waiting {
            self.queue_for_send(index);
        }
    }
}
