//! Which connection a partition is read over.
//!
//! Mostly one for each source broker; several where it is far away (`channels.rs`). While some partition has much to catch up
//! with, those that are current are read over one of their own, if what is read of the others would hold them up: under a
//! limit, from far away, and over a line that carries little. Elsewhere an answer takes a few milliseconds, whatever is in it.

use std::collections::BTreeSet;
use std::time::Duration;

use foldhash::HashMap;
use kafka_wire::types::NodeId;
use tokio::time::Instant;

use super::super::partition::Partition;
use super::super::status::{Side, Way};
use super::allowance::Allowances;
use super::channels::{Channel, Channels, Step};
use super::levelling::Levelling;
use super::precedence::left;
use super::reading::Reading;
use super::{Core, Index};

/// A partition is current that has been read to its end, or was seen to be, within this time. Ends are read every second or two,
/// and brokers may take a moment to tell them.
const CURRENT: Duration = Duration::from_secs(5);

/// Nobody is moved for what is caught up with sooner, such as a topic that has just been made.
const LASTS: Duration = Duration::from_secs(2);

impl Core {
    /// How many connections a broker is read over.
    pub(super) fn channels(&mut self, node: NodeId) -> &mut Channels {
        channels_of(&mut self.channels, node, self.settings.max_connections)
    }

    /// Which connection a partition is read over.
    pub(super) fn channel_of(&self, index: Index) -> Option<Channel> {
        let partition = self.partitions.get(&index)?;
        let node = partition.read_from()?;
        let (count, tails) = self.counts(node);
        let tails = partition.tail.then_some(tails).filter(|count| *count > 0);
        let by_number = |count| Channels::number_of(&partition.source, count);
        let number = match tails {
            Some(tails) => by_number(tails),
            None => {
                let moved_to = partition.moved_to.filter(|number| *number < count);
                moved_to.unwrap_or_else(|| by_number(count))
            }
        };
        Some(Channel {
            node,
            tails: tails.is_some(),
            number,
        })
    }

    /// How many connections to a broker there are, and how many more for tails there may be.
    fn counts(&self, node: NodeId) -> (u16, u16) {
        let of = |channels: &Channels| (channels.count(), channels.count_of_tails());
        let known = self.channels.get(&node);
        known.map_or_else(|| of(&Channels::new(self.settings.max_connections)), of)
    }

    /// Whether nothing can be read over a connection any more. Those for tails end with the backlog.
    pub(super) fn is_beyond(&self, channel: Channel) -> bool {
        channel.tails || channel.number >= self.counts(channel.node).0
    }

    /// Takes how long a question about ends took: it is small, goes over a connection of its own and waits for nothing, so it
    /// says how far away the broker is.
    pub(crate) fn on_question(&mut self, node: NodeId, took: Duration, now: Instant) {
        let channels = self.channels(node);
        let (before, was_distant) = (channels.count(), channels.is_distant());
        channels.on_question(took, now);
        if channels.is_distant() != was_distant {
            let round_trip = channels.round_trip();
            tracing::debug!(
                broker = node.0,
                "the way to the source takes {round_trip:?} there and back now"
            );
        }
        self.move_readers(node, before, now);
    }

    /// Reads a broker over more connections, or fewer, if that is better.
    pub(super) fn count_channels(&mut self, channel: Channel, reading: &Reading, now: Instant) {
        let node = channel.node;
        let (partitions, allowances) = (&self.partitions, self.allowances.as_ref());
        let channels = channels_of(&mut self.channels, node, self.settings.max_connections);
        let before = channels.count();
        let theirs = partitions.values();
        let theirs = theirs.filter(|one| one.read_from() == Some(node));
        let behind = theirs.filter(|one| catches_up(one, now));
        let is_behind = |than| are_more(behind, than, allowances, now);
        let step = if channel.tails {
            channels.add_of_tails(reading, now)
        } else {
            channels.add(reading, now, is_behind)
        };
        if let Step::Helped(window) = step {
            tracing::info!(
                broker = node.0,
                connections = before,
                "the source is far away ({} ms there and back) and what one connection carries in that time is limited to about \
                 {} KiB: more of them are made; fewer do with {}",
                channels.round_trip().as_millis(),
                window / 1024,
                Side::Source.remedy()
            );
        }
        self.move_readers(node, before, now);
    }

    /// Takes in that a connection to a source broker could not be made, or broke.
    pub(super) fn on_connection_failed(&mut self, channel: Channel, now: Instant) {
        let channels = self.channels(channel.node);
        let before = channels.count();
        if !channel.tails {
            channels.on_failed(channel.number, now);
        }
        self.move_readers(channel.node, before, now);
        let moved = self.partitions.iter();
        let moved = moved.filter(|(index, partition)| {
            partition.moved_to.is_some() && self.channel_of(**index) == Some(channel)
        });
        let moved: Vec<Index> = moved.map(|(index, _)| *index).collect();
        for index in moved {
            self.move_to(index, None);
        }
    }

    /// Reads a partition over another connection to its broker: of this number, or by its own.
    pub(super) fn move_to(&mut self, index: Index, number: Option<u16>) {
        if let Some(partition) = self.partitions.get_mut(&index) {
            partition.moved_to = number;
        }
        self.touch_reader(index);
    }

    /// Asks for the partitions of a broker over other connections, if their number is another one than before.
    fn move_readers(&mut self, node: NodeId, before: u16, now: Instant) {
        if self.counts(node).0 == before {
            return;
        }
        let theirs = self.partitions.iter();
        let theirs = theirs.filter(|(_, partition)| partition.read_from() == Some(node));
        let theirs: Vec<Index> = theirs.map(|(index, _)| *index).collect();
        for index in theirs {
            self.move_to(index, None);
        }
        self.level(Levelling::All(node), now);
    }

    /// The ways to brokers that are far away, those of the source first, in the order of their ids.
    pub(crate) fn ways(&self) -> Vec<Way> {
        let channels = self.channels.iter();
        let ways = channels.filter_map(|(node, channels)| channels.way(Side::Source, *node));
        let mut ways: Vec<Way> = ways.chain(self.ways_of_lanes()).collect();
        ways.sort_unstable_by_key(|way| (way.side, way.broker));
        ways
    }

    /// Connections that nothing is read over any more.
    pub(crate) fn take_retired(&mut self) -> Vec<Channel> {
        std::mem::take(&mut self.retired)
    }

    /// Gives partitions that are current a connection of their own, or takes it back.
    pub(super) fn set_tails_apart(&mut self, now: Instant) {
        let apart = self.brokers_with_backlog(now);
        let is_tail = |partition: &Partition| {
            let node = partition.read_from();
            node.is_some_and(|node| apart.contains(&node)) && is_current(partition, now)
        };
        let changed = self.partitions.iter();
        let changed = changed.filter(|(_, partition)| is_tail(partition) != partition.tail);
        // A large batch that is on its way to a tail would be asked for once more.
        let comes = |index: Index| {
            let reader = self.channel_of(index).filter(|channel| channel.tails);
            let reader = reader.and_then(|channel| self.readers.get(&channel));
            reader.is_some_and(|reader| reader.waits(now))
        };
        let changed = changed.map(|(index, _)| *index);
        let changed: Vec<Index> = changed.filter(|index| !comes(*index)).collect();
        self.flip(changed, |partition| &mut partition.tail);
    }

    /// These partitions are asked for otherwise from now on.
    pub(super) fn flip(&mut self, changed: Vec<Index>, flag: fn(&mut Partition) -> &mut bool) {
        for index in changed {
            if let Some(partition) = self.partitions.get_mut(&index) {
                let flag = flag(partition);
                *flag = !*flag;
            }
            self.touch_reader(index);
        }
    }

    /// Source brokers where what is read of partitions that catch up would hold up the others.
    fn brokers_with_backlog(&self, now: Instant) -> BTreeSet<NodeId> {
        let limited = self.allowances.as_ref();
        let limited = limited.is_some_and(|allowances| allowances.are_limited(now));
        let channels = self.channels.iter();
        let slow = channels.filter(|(_, channels)| channels.is_slow());
        let slow: BTreeSet<NodeId> = slow.map(|(node, _)| *node).collect();
        let waits = self.readers.iter();
        let waits = waits.filter(|(channel, reader)| !channel.tails && reader.waits(now));
        let waits: BTreeSet<NodeId> = waits.map(|(channel, _)| channel.node).collect();
        if !limited && slow.is_empty() && waits.is_empty() {
            return BTreeSet::new();
        }
        let hold_up = |partition: &Partition, node: &NodeId| {
            let since = partition.late_since;
            let late = since.is_some_and(|since| now.saturating_duration_since(since) >= LASTS);
            // One answer takes long already.
            let waits = waits.contains(node) && left(partition) > 0;
            (late && (limited || slow.contains(node))) || waits
        };
        let partitions = self.partitions.values();
        partitions
            .filter_map(|partition| Some((partition, partition.read_from()?)))
            .filter(|(partition, node)| hold_up(partition, node))
            .map(|(_, node)| node)
            .collect()
    }
}

/// How many connections a broker is read over, of `most`.
fn channels_of(channels: &mut HashMap<NodeId, Channels>, node: NodeId, most: u16) -> &mut Channels {
    channels.entry(node).or_insert_with(|| Channels::new(most))
}

/// Whether more than so many partitions have something to catch up with that a limit leaves room for: each is read and written over one
/// connection at a time.
pub(super) fn are_more(
    behind: impl Iterator,
    than: u16,
    allowances: Option<&Allowances>,
    now: Instant,
) -> bool {
    let mut behind = behind;
    !allowances.is_some_and(|allowances| allowances.leave_nothing(now))
        && behind.nth(usize::from(than)).is_some()
}

/// Whether there is something to read of it that was not just written.
pub(super) fn catches_up(partition: &Partition, now: Instant) -> bool {
    left(partition) > 0 && !is_current(partition, now)
}

fn is_current(partition: &Partition, now: Instant) -> bool {
    let at = partition.current_at;
    at.is_some_and(|at| now.saturating_duration_since(at) <= CURRENT)
}
