//! Which connection a partition is read over.
//!
//! Mostly one for each source broker; several where it is far away (`channels.rs`). While some partition has much to catch up
//! with, those that are current are read over one of their own, if what is read of the others would hold them up: under a
//! limit, and from far away. Near and without a limit an answer takes a few milliseconds, whatever is in it.

use std::collections::BTreeSet;
use std::time::Duration;

use kafka_wire::types::NodeId;
use tokio::time::Instant;

use super::super::partition::Partition;
use super::super::status::Way;
use super::channels::{Channel, Channels, Step};
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
        let most = self.settings.max_connections;
        self.channels
            .entry(node)
            .or_insert_with(|| Channels::new(most))
    }

    /// Which connection a partition is read over.
    pub(super) fn channel_of(&self, index: Index) -> Option<Channel> {
        let partition = self.partitions.get(&index)?;
        let node = partition.read_from()?;
        let (count, tails) = self.counts(node);
        let tails = partition.tail.then_some(tails).filter(|count| *count > 0);
        Some(Channel {
            node,
            tails: tails.is_some(),
            number: Channels::number_of(&partition.source, tails.unwrap_or(count)),
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

    /// Reads a broker over more connections, or fewer, if that is better.
    pub(super) fn count_channels(&mut self, channel: Channel, reading: &Reading, now: Instant) {
        let node = channel.node;
        let channels = self.channels(node);
        if channel.tails {
            return channels.add_of_tails(reading.bytes, now);
        }
        let before = channels.count();
        let step = channels.add(reading, now);
        if let Step::Helped(window) = step {
            tracing::info!(
                broker = node.0,
                connections = before,
                "the source is far away ({} ms there and back) and what one connection carries in that time is limited to about \
                 {} KiB: more of them are made; {}",
                channels.round_trip().as_millis(),
                window / 1024,
                Way::REMEDY
            );
        }
        if channels.count() == before {
            return;
        }
        let theirs = self.partitions.iter();
        let theirs = theirs.filter(|(_, partition)| partition.read_from() == Some(node));
        let theirs: Vec<Index> = theirs.map(|(index, _)| *index).collect();
        for index in theirs {
            self.touch_reader(index);
        }
    }

    /// The ways to source brokers that are far away, in the order of their ids.
    pub(crate) fn ways(&self) -> Vec<Way> {
        let channels = self.channels.iter();
        let ways = channels.filter_map(|(node, channels)| channels.way(*node));
        let mut ways: Vec<Way> = ways.collect();
        ways.sort_unstable_by_key(|way| way.broker);
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
        let changed: Vec<Index> = changed.map(|(index, _)| *index).collect();
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
        let limited = limited.is_some_and(|allowances| allowances.answer(now).is_some());
        let is_slow =
            |node: &NodeId| limited || self.channels.get(node).is_some_and(Channels::is_distant);
        if !limited && !self.channels.values().any(Channels::is_distant) {
            return BTreeSet::new();
        }
        let catching_up = self.partitions.values();
        let catching_up = catching_up.filter(|partition| {
            let since = partition.late_since;
            since.is_some_and(|since| now.saturating_duration_since(since) >= LASTS)
        });
        let nodes = catching_up.filter_map(|partition| partition.read_from());
        nodes.filter(is_slow).collect()
    }
}

fn is_current(partition: &Partition, now: Instant) -> bool {
    let at = partition.current_at;
    at.is_some_and(|at| now.saturating_duration_since(at) <= CURRENT)
}
