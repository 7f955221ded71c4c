//! All decisions of the data plane, pure: events in (`on_*`), work out (`next_*`, `take_*`).
//!
//! ```text
//!   on_located, on_established, on_stored ─▶ ┌──────┐ ─▶ take_locate, take_establish, take_positions
//!   on_fetched                            ─▶ │ Core │ ─▶ next_fetch      (core/reading.rs)
//!   on_answer, on_lane_ended              ─▶ └──────┘ ─▶ next_produce    (core/writing.rs)
//!   on_time                               ─▶            ─▶ next_timer
//! ```
//!
//! One task owns it and calls it from its loop; nothing here waits, and time comes in as an argument.
//!
//! Invariants
//! - Work is done for partitions that have news, never for all of them.
//! - A partition's trouble changes that partition only.
//! - A partition is established anew only when every Produce call that names it has been answered or
//!   lost, so that no answer can arrive that belongs to an earlier life.

mod again;
mod allowance;
mod apart;
mod asides;
mod bare;
mod beginning;
mod channels;
mod comparing;
mod connecting;
mod dealing;
mod distance;
mod lanes;
mod late;
mod levelling;
mod measuring;
mod orders;
mod owning;
mod placing;
mod precedence;
mod reading;
mod recreated;
mod refusing;
mod said;
mod shares;
mod silent;
mod standing;
mod storing;
#[cfg(test)]
mod tests;
mod transacting;
mod turns;
mod watching;
mod writer;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use config::bandwidth::Bandwidth;
use config::link::OnRecreate;
use foldhash::{HashMap, HashMapExt as _};
use kafka_client::Buffers;
use kafka_wire::error_code::ErrorCode;
use kafka_wire::record::Levels;
use kafka_wire::types::{NodeId, TopicPartition};
use lifecycle::Backoff;
use tokio::time::Instant;

use super::decode::Decoder;
use super::flow::{Ages, Meter};
use super::pace::Pace;
use super::partition::{Leader, Over, Partition, Phase, Stop, Totals};
use super::placing::{Filler, Placing};
use super::transaction::Transaction;
use crate::offset_map::OffsetMap;
use crate::spread::Spread;

use allowance::Allowances;
pub(crate) use asides::AsideOrder;
pub(crate) use bare::Bare;
pub(crate) use channels::Channel;
pub(crate) use lanes::LaneId;
pub(crate) use late::{Late, LookOrder, Looked, Stretch};
pub use orders::Assignment;
pub(crate) use orders::{
    EstablishOrder, Established, FetchOrder, FillGap, FillOrder, Filled, Ground, Index,
    LocateOrder, Located, Place, Settings, TrimOrder,
};
use reading::Reader;
pub(crate) use reading::{FetchedPartition, Reading};
use recreated::{differs, recreated};
pub use standing::{Answer, NotResumed};
pub(crate) use transacting::Committed;
pub(crate) use watching::Watched;
pub(crate) use writer::OPEN_CALLS;
use writer::{Call, Writer};

/// See the module.
pub(crate) struct Core {
    pub(super) settings: Settings,
    /// Boxed: most links have few, and a node of the map has room for eleven.
    pub(super) partitions: BTreeMap<Index, Box<Partition>>,
    next_index: Index,
    timers: BTreeSet<(Instant, Index)>,
    to_locate: BTreeSet<Index>,
    locating: bool,
    /// Partitions that could not be looked up with any other that could.
    apart: BTreeSet<Index>,
    /// By both leaders. The parts of a spread partition apart: no request names a partition twice.
    to_establish: HashMap<(NodeId, NodeId, Option<Spread>), Vec<EstablishOrder>>,
    to_set_aside: Vec<AsideOrder>,
    changed: BTreeSet<Index>,
    storing: Vec<Index>,
    readers: BTreeMap<Channel, Reader>,
    channels: HashMap<NodeId, channels::Channels>,
    retired: Vec<Channel>,
    writers: BTreeMap<NodeId, Writer>,
    /// How many connections each destination broker is written over, where it is known how far away it is.
    lanes: HashMap<NodeId, channels::Channels>,
    unused_lanes: Vec<LaneId>,
    lanes_to_make: Vec<LaneId>,
    calls: HashMap<u64, Call>,
    next_tag: u64,
    /// For what is compared with the destination's log after a restart.
    decoder: Decoder,
    filler: Filler,
    /// Partitions with a gap to be filled, and brokers that are filling some.
    gaps: BTreeSet<Index>,
    filling: BTreeSet<NodeId>,
    /// Partitions whose log start may have to be moved.
    to_trim: BTreeSet<Index>,
    /// The first partition whose topic has another cleanup policy for the moment.
    borrowing: Option<Index>,
    /// What was found out about offsets, and is to be said.
    said: said::Said,
    /// Whether a broker did not know a topic since this was asked last.
    topics_in_doubt: bool,
    /// Partitions whose source ends behind what was read of it.
    behind: BTreeSet<Index>,
    /// What there is for each destination broker that leads something.
    held: HashMap<NodeId, shares::Held>,
    /// Brokers that have their share of it, and their partitions that are not read therefore.
    starved: HashMap<NodeId, BTreeSet<Index>>,
    /// What waits for more to be compared with what landed, and the budget that it counts against.
    comparing: comparing::Comparing,
    buffers: Buffers,
    /// Brokers that owe answers, and whose partitions are led by others now.
    to_cut: BTreeSet<NodeId>,
    /// Whether the link is still this process's.
    owner: owning::Owner,
    /// Where batches and positions are written in transactions.
    transaction: Option<Transaction>,
    /// What may be read, where there is a limit, and until when it is waited for: by tails, which is the second, and by the others.
    allowances: Option<Allowances>,
    waits_for_allowance: [Option<Instant>; 2],
    /// Whether it is being asked how long writers are remembered: nothing is begun before that is known.
    waits_for_memory: bool,
    /// How long things take.
    pub(super) meter: Meter,
}

impl Core {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            buffers: Buffers::new(settings.memory),
            settings,
            partitions: BTreeMap::new(),
            next_index: 0,
            timers: BTreeSet::new(),
            to_locate: BTreeSet::new(),
            locating: false,
            apart: BTreeSet::new(),
            to_establish: HashMap::new(),
            to_set_aside: Vec::new(),
            changed: BTreeSet::new(),
            storing: Vec::new(),
            readers: BTreeMap::new(),
            channels: HashMap::new(),
            retired: Vec::new(),
            writers: BTreeMap::new(),
            lanes: HashMap::new(),
            unused_lanes: Vec::new(),
            lanes_to_make: Vec::new(),
            calls: HashMap::new(),
            next_tag: 0,
            decoder: Decoder::default(),
            filler: Filler::default(),
            gaps: BTreeSet::new(),
            filling: BTreeSet::new(),
            to_trim: BTreeSet::new(),
            borrowing: None,
            said: said::Said::default(),
            topics_in_doubt: false,
            behind: BTreeSet::new(),
            held: HashMap::new(),
            starved: HashMap::new(),
            comparing: comparing::Comparing::default(),
            to_cut: BTreeSet::new(),
            owner: owning::Owner::default(),
            transaction: None,
            allowances: None,
            waits_for_allowance: [None; 2],
            waits_for_memory: false,
            meter: Meter::default(),
        }
    }

    /// What is kept of answers counts there.
    pub(crate) fn keep_in(&mut self, buffers: Buffers) {
        self.buffers = buffers;
    }

    /// Reads no more than this from now on; what was read before and is not paid for stays so. `seconds` is the time of day,
    /// counted from 1970.
    pub(crate) fn limit(&mut self, bandwidth: Option<Bandwidth>, now: Instant, seconds: u64) {
        let Some(bandwidth) = bandwidth else {
            self.allowances = None;
            return;
        };
        match &mut self.allowances {
            Some(allowances) => allowances.change(&bandwidth, now),
            none => *none = Some(Allowances::new(&bandwidth, now, seconds)),
        }
    }

    /// Takes a partition in.
    pub(crate) fn assign(&mut self, assignment: Assignment) -> Index {
        let index = self.next_index;
        self.next_index += 1;
        let (first, longest) = self.settings.retry;
        let map = (assignment.segment).map_or_else(OffsetMap::default, OffsetMap::resume);
        let partition = Partition {
            source: assignment.source,
            source_id: assignment.source_id,
            destination: assignment.destination,
            changes: Arc::new(assignment.changes),
            setting_aside: false,
            start: assignment.start,
            phase: Phase::Starting,
            timer: None,
            establishing: false,
            unreadable: false,
            backoff: Backoff::seeded(first, longest),
            trouble: None,
            troubled_since: None,
            news: None,
            leader: None,
            follower: None,
            destination_leader: None,
            destination_epoch: None,
            next_fetch: 0,
            begun_at: 0,
            life: 0,
            position: assignment.stored,
            position_changed: false,
            send: None,
            recovery: Default::default(),
            blocked: None,
            halted: None,
            held: None,
            accepts_gap: false,
            lost: None,
            taking: None,
            skip_to: None,
            map,
            end: None,
            current_at: None,
            late_since: None,
            moved_at: None,
            yields: false,
            tail: false,
            moved_to: None,
            bare: Bare::default(),
            late: Late::default(),
            max_message_bytes: None,
            levels: Levels::default(),
            guessed_limit: None,
            renumber: None,
            pace: Pace::default(),
            batch_size: Default::default(),
            skipped_up_to: -1,
            stay: Default::default(),
            refused_records: Default::default(),
            open_calls: 0,
            over: Over::default(),
            raise_epoch: false,
            sent_epoch: None,
            sent_to: 0,
            readings: 0,
            refused: None,
            queued_for_send: false,
            placing: Placing::default(),
            doubt: None,
            store_first: false,
            outdated: false,
            is_new_writer: false,
            committed: Committed::default(),
            ages: Ages::default(),
            latencies: Ages::default(),
            totals: Totals::default(),
        };
        self.partitions.insert(index, Box::new(partition));
        self.to_locate.insert(index);
        if let Some(before) = assignment.moved_from {
            self.moved(index, &before);
        }
        index
    }

    /// When something is due by time alone.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let writer = self.writers.values().filter_map(Writer::due).min();
        let transaction = self.transaction.as_ref().and_then(Transaction::timer);
        let writes = writer.into_iter().chain(transaction);
        // Who waits for an allowance does not read before: one whose pause ends earlier would be woken for nothing, again and again.
        let free = self.readers.iter();
        let free = free.filter(|(channel, _)| self.allowed_at(**channel).is_none());
        let reads = free.filter_map(|(_, reader)| reader.due());
        let allowed = self.waits_for_allowance.into_iter().flatten();
        let reads = reads.chain(allowed).min();
        let silent = self.readers.values().filter_map(Reader::suspected).min();
        let all = timer.into_iter().chain(reads).chain(silent);
        all.chain(writes).min()
    }

    /// Does what is due.
    pub(crate) fn on_time(&mut self, now: Instant) {
        self.suspect(now);
        while let Some(&(at, index)) = self.timers.first().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, index));
            if let Some(partition) = self.partitions.get_mut(&index) {
                partition.timer = None;
            }
            self.to_locate.insert(index);
        }
    }

    /// Partitions whose leaders are to be looked up, unless a look-up is under way.
    pub(crate) fn take_locate(&mut self) -> Option<Vec<LocateOrder>> {
        if self.locating || self.to_locate.is_empty() {
            return None;
        }
        let orders: Vec<_> = std::mem::take(&mut self.to_locate)
            .into_iter()
            .filter_map(|index| {
                let partition = self.partitions.get(&index)?;
                // It comes back when its last call ends, or is given up because another broker leads.
                let waits = matches!(partition.phase, Phase::Starting)
                    && partition.open_calls > 0
                    && !self.is_in_doubt(partition.destination_leader);
                let stands = matches!(partition.phase, Phase::Stopped(_));
                (!waits && !stands).then(|| LocateOrder {
                    index,
                    source: partition.source.clone(),
                    destination: partition.destination.clone(),
                    in_vain: partition.troubled_since.is_some_and(|(_, said)| said),
                })
            })
            .collect();
        self.locating = !orders.is_empty();
        self.locating.then_some(orders)
    }

    /// Takes the outcome of a look-up.
    pub(crate) fn on_located(&mut self, located: Vec<Located>, now: Instant) {
        self.locating = false;
        self.note_answers(&located);
        for one in located {
            self.place(one, now);
        }
    }

    fn place(&mut self, located: Located, now: Instant) {
        let Some(partition) = self.partitions.get_mut(&located.index) else {
            return;
        };
        let (source, destination) = match (located.source, located.destination) {
            (Ok(source), Ok(destination)) => (source, destination),
            (Err(_), _) | (_, Err(_)) if partition.halted.is_some() => {
                if let Some(stop) = partition.halted.clone() {
                    self.stop(located.index, stop);
                }
                return;
            }
            (Err(trouble), _) | (_, Err(trouble)) => {
                self.retry(located.index, trouble, now);
                return;
            }
        };
        let led = partition.leader;
        partition.follow(&source);
        // Who leads now is not who it was compared with, or not in that epoch.
        let compares = partition.establishing || matches!(partition.phase, Phase::Storing);
        partition.outdated |= compares && partition.leader != led;
        if partition.is_former(&destination) {
            let trouble = "destination: a broker that lags behind tells of a former leader";
            return match partition.phase {
                Phase::Running => self.touch_reader(located.index),
                _ => self.retry(located.index, trouble.to_owned(), now),
            };
        }
        if matches!(partition.phase, Phase::Running) {
            return self.follow_leaders(located.index, led, &source, &destination, now);
        }
        // One reading at a time, and none while a call could still change what is read: the partition
        // may have been running when the look-up began.
        let reads = matches!(partition.phase, Phase::Starting)
            && partition.open_calls == 0
            && !partition.establishing
            && !partition.setting_aside;
        if !reads {
            let former = partition.destination_leader;
            if let Some(former) = former.filter(|former| *former != destination.leader.node) {
                self.leave(former, now);
            }
            return;
        }
        // Its last records were not written; they are, when its topic can be copied again.
        if let Some(stop) = partition.halted.clone() {
            return self.stop(located.index, stop);
        }
        let sound = self.transaction.as_ref().is_none_or(Transaction::is_sound);
        if !sound || !self.owner.is_sure() {
            // It is looked at again when it is known what is stored, and whose it is.
            if !self.stop_if_fenced(located.index) {
                self.stop_if_lost(located.index);
            }
            return;
        }
        partition.destination_leader = Some(destination.leader.node);
        if let Some(stop) = recreated(partition, &source, &destination) {
            match self.settings.on_recreate {
                OnRecreate::Stop => return self.stop(located.index, stop),
                OnRecreate::Restart => partition.begin_anew(&stop),
            }
        }
        partition.source_id = source.topic_id;
        // One that was overtaken may store once more, under a name of its own, and what was stored last by whoever claimed last
        // counts: so it has to be something of this process before anything is written.
        partition.store_first |= partition.life == 0 && self.owner.has_predecessor();
        let order = EstablishOrder::new(
            &self.settings,
            located.index,
            partition,
            destination.topic_id,
            self.transaction.as_ref().map(Transaction::writer),
        );
        partition.establishing = true;
        self.to_establish
            .entry((
                source.leader.node,
                destination.leader.node,
                partition.changes.spread,
            ))
            .or_default()
            .push(order);
    }

    /// A running partition begins anew where its leaders or topics are others than before. `led` is who led at the source.
    fn follow_leaders(
        &mut self,
        index: Index,
        led: Option<Leader>,
        source: &Place,
        destination: &Place,
        now: Instant,
    ) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        let former = partition.destination_leader;
        let moved = former != Some(destination.leader.node);
        // The new leader's log may be another one: it is compared before anything is read from it.
        let led_anew = led.is_some_and(|led| Some(led.epoch) != partition.leader.map(|l| l.epoch));
        let stored = partition.position.as_ref();
        let remade = differs(partition.source_id, source.topic_id)
            || stored.is_some_and(|p| differs(p.destination_topic_id.0, destination.topic_id));
        let reason = match (remade, moved, led_anew) {
            (true, ..) => "the topic was created anew",
            (_, true, _) => "its leader at the destination moved",
            (.., true) => "its leader at the source moved",
            _ => {
                partition.unreadable = false;
                return self.touch_reader(index);
            }
        };
        // What is on its way to the former leader may or may not be there.
        self.restart(index, reason.to_owned(), now);
        if let Some(former) = former.filter(|_| moved) {
            self.leave(former, now);
        }
    }

    fn stop(&mut self, index: Index, stop: Stop) {
        if let Some(partition) = self.partitions.get_mut(&index) {
            tracing::error!(
                partition = %partition.source,
                destination = %partition.destination,
                state = stop.state,
                offset = stop.offset,
                "partition stopped: {} ({})", stop.reason, crate::help::page(stop.state)
            );
            partition.count_lost(stop.lost);
            partition.stop(stop);
            self.touch_reader(index);
        }
    }

    /// Begins anew after a pause; what is in memory is dropped.
    fn restart(&mut self, index: Index, trouble: String, now: Instant) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        tracing::debug!(partition = %partition.source, "partition begins anew: {trouble}");
        partition.restart();
        partition.meet(trouble, now);
        self.pause(index, now);
        self.touch_reader(index);
    }

    /// Looks again after a pause; what is in memory stays.
    fn retry(&mut self, index: Index, trouble: String, now: Instant) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        partition.meet(trouble, now);
        self.pause(index, now);
    }

    /// Looks at the partition again after its backoff, or when it was going to anyway: a second timer
    /// would go on for ever beside the first.
    fn pause(&mut self, index: Index, now: Instant) {
        if let Some(partition) = self.partitions.get_mut(&index)
            && partition.timer.is_none()
        {
            let at = now + partition.backoff.next_delay();
            partition.timer = Some(at);
            self.timers.insert((at, index));
        }
    }

    /// Partitions by the node that leads them at the source, for a look at their ends.
    pub(crate) fn by_source_leader(&self) -> HashMap<NodeId, Vec<TopicPartition>> {
        let mut by_leader: HashMap<NodeId, Vec<TopicPartition>> = HashMap::new();
        for partition in self.partitions.values() {
            if let Some(leader) = partition.leader {
                by_leader
                    .entry(leader.node)
                    .or_default()
                    .push(partition.source.clone());
            }
        }
        by_leader
    }

    /// Notes that a broker did not know a topic, if that is what it says.
    fn note_topic(&mut self, code: ErrorCode) {
        self.topics_in_doubt |= [
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode::UNKNOWN_TOPIC_ID,
            ErrorCode::INCONSISTENT_TOPIC_ID,
        ]
        .contains(&code);
    }

    /// Whether a broker did not know a topic since this was asked last: it may have been deleted.
    pub(crate) fn take_topics_in_doubt(&mut self) -> bool {
        std::mem::take(&mut self.topics_in_doubt)
    }

    /// Whether anything that writes has no answer.
    pub(crate) fn has_open_calls(&self) -> bool {
        !self.calls.is_empty() || !self.filling.is_empty()
    }

    fn mark_changed(&mut self, index: Index) {
        self.changed.insert(index);
    }
}
