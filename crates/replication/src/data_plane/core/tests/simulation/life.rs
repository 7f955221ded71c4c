//! One life: the core, everything around it, and the dice.

mod answers;
mod beside;
mod compare;
mod forgotten;
mod handed;
mod kept;
mod places;
mod transactions;
mod zombie;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use config::link::{OnGap, OnRecreate, OnRefused, StartPosition};
use kafka_wire::message::produce::{ProduceRequest, ProduceResponse};
use kafka_wire::types::{NodeId, TopicId, TopicPartition};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use super::logs::{DestinationLog, SourceLog};
use crate::data_plane::DecodeReason;
use crate::data_plane::core::{
    Assignment, Channel, Core, EstablishOrder, Established, FetchOrder, FillOrder, LaneId,
    LocateOrder, Located, Settings,
};
use crate::data_plane::decode::Rules;
use crate::data_plane::status::{Snapshot, State};
use crate::data_plane::transaction::{Step, StepOutcome};
use crate::offset_map::Segment;
use crate::position::Position;
use crate::position_store::StoreEntry;

/// A fault in the glue around the core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Plant {
    Nothing,
    /// Positions are stored as if everything read had been acknowledged.
    StoreAhead,
    /// The destination's log is never read.
    ForgetTail,
    /// Calls without an answer are reported as written.
    BelieveInCuts,
    /// Markers without an answer are written again.
    MarkersAgain,
    /// A gap is filled although the log was not read since another process ran.
    UnreadGap,
    /// After a doubt the destination's end is read once.
    OneReading,
    /// A partition that begins anew goes on behind what it had read before.
    ForgetRewind,
    /// What is sent again has the epoch that a broker refused.
    KeepEpoch,
    /// A process that was overtaken takes itself for the owner.
    NeverAsk,
}

/// Sent and not answered, with the answer once the broker has it.
#[derive(Debug)]
struct Sent {
    tag: u64,
    request: ProduceRequest,
    answer: Option<ProduceResponse>,
}

/// Questions of the core that wait.
#[derive(Debug, Default)]
struct Open {
    locate: Option<Vec<LocateOrder>>,
    /// With the outcome, once the logs have been read.
    establish: Vec<(EstablishOrder, Option<Established>)>,
    fetches: BTreeMap<Channel, FetchOrder>,
    /// What each session asks for: partition and offset.
    asked: BTreeMap<Channel, BTreeMap<TopicPartition, (usize, i64, Rules)>>,
    lanes: BTreeMap<LaneId, VecDeque<Sent>>,
    store: Option<Vec<StoreEntry>>,
    fills: Vec<places::Fill>,
    /// With the outcome, once the coordinator has decided.
    step: Option<(Step, Option<StepOutcome>)>,
}

/// With the number of the process that stored each of them.
#[derive(Clone, Debug, Default)]
struct Kept {
    position: Option<Position>,
    position_by: u32,
    segments: BTreeMap<u32, Segment>,
    segments_by: BTreeMap<u32, u32>,
}

pub(super) struct Life {
    random: SmallRng,
    restarts: SmallRng,
    looks: SmallRng,
    plant: Plant,
    now: Instant,
    core: Core,
    open: Open,
    sources: Vec<SourceLog>,
    destinations: Vec<DestinationLog>,
    /// Destination partition of each source partition.
    to: Vec<usize>,
    kept: Vec<Kept>,
    /// Requests of ended connections that a broker has already taken up.
    late: Vec<(NodeId, ProduceRequest)>,
    late_fills: Vec<FillOrder>,
    /// What the process before this one still writes.
    formers: Vec<beside::Former>,
    /// Whether the next process has a claim.
    guarded: bool,
    late_commits: Vec<transactions::LateCommit>,
    /// Number of the process that acts, and those before it that run on, where any do.
    process: u32,
    zombies: Option<zombie::Zombies>,
    /// Where batches and positions are written in transactions.
    coordinator: Option<transactions::Coordinator>,
    /// Whether records keep their offsets, whether brokers forget who wrote, and whether the source's retention overtakes the copy.
    places: bool,
    forgets: bool,
    loses: bool,
    /// Whether others write where records keep their offsets, which then are mapped.
    hands: bool,
    next_producer: i64,
    /// How often positions are stored, of 8 chances.
    store_often: u32,
    cleans: bool,
    tally: Tally,
    /// Partitions and destination offsets that were told to hold records a second time.
    told: BTreeSet<(usize, i64)>,
    found: Option<String>,
}

/// What happened in a life.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) steps: u64,
    pub(super) crashes: u64,
    pub(super) cuts: u64,
    /// Batches that were found in the destination's log.
    pub(super) landed: u64,
    /// Times that what waited to be compared with one was let go of, and read again.
    pub(super) let_go: u64,
    pub(super) apart: u64,
    pub(super) raised_epochs: u64,
    pub(super) records: u64,
    /// Records that were reported as possibly twice, and those that are.
    pub(super) repeated: u64,
    pub(super) twice: u64,
    /// Records that were reported as left out.
    pub(super) skipped: u64,
    /// Times that a cleaner took something away on either side.
    pub(super) cleaned: u64,
    /// Markers that a process wrote beside its successor.
    pub(super) beside: u64,
    /// Partitions that were handed over from preserved to mapped offsets.
    pub(super) handed: u64,
    /// Markers that were written, and partitions that stopped because something was out of place.
    pub(super) markers: u64,
    pub(super) stopped: u64,
    /// Batches acknowledged that had been decoded, by reason.
    pub(super) decoded: [u64; DecodeReason::ALL.len()],
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.crashes += other.crashes;
        self.cuts += other.cuts;
        self.landed += other.landed;
        self.let_go += other.let_go;
        self.apart += other.apart;
        self.raised_epochs += other.raised_epochs;
        self.records += other.records;
        self.repeated += other.repeated;
        self.twice += other.twice;
        self.skipped += other.skipped;
        self.cleaned += other.cleaned;
        self.markers += other.markers;
        self.beside += other.beside;
        self.handed += other.handed;
        self.stopped += other.stopped;
        for (sum, more) in self.decoded.iter_mut().zip(other.decoded) {
            *sum += more;
        }
    }
}

fn source(number: usize) -> TopicPartition {
    TopicPartition::new("s".into(), i32::try_from(number).expect("few"))
}

fn destination(number: usize) -> TopicPartition {
    TopicPartition::new("d".into(), i32::try_from(number).expect("few"))
}

fn number(partition: &TopicPartition) -> usize {
    usize::try_from(partition.partition).expect("made from a usize")
}

const SOURCE_ID: TopicId = TopicId([1; 16]);
const DESTINATION_ID: TopicId = TopicId([2; 16]);

impl Life {
    pub(super) fn new(seed: u64, plant: Plant) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let partitions = random.random_range(1..4_usize);
        // Sometimes two source partitions are merged into one.
        let merged = random.random_bool(0.3);
        let to: Vec<usize> = (0..partitions)
            .map(|i| if merged { i / 2 } else { i })
            .collect();
        let (skips, cleans) = (random.random_bool(0.2), random.random_bool(0.4));
        let on_gap = if cleans { OnGap::Continue } else { OnGap::Stop };
        let on_refused = if skips {
            OnRefused::Skip
        } else {
            OnRefused::Stop
        };
        let settings = Settings {
            shared: false,
            check_crcs: true,
            keep_append_time: false,
            merge_from: 1,
            merge_below: if random.random_bool(0.5) { 200 } else { 0 },
            link: "link".to_owned(),
            max_partition_bytes: 1000,
            // One more for partitions that are current.
            max_connections: 2,
            max_fetch_bytes: 10_000,
            max_wait: Duration::from_millis(500),
            max_request_bytes: random.random_range(1..600),
            max_in_flight: random.random_range(1..6),
            memory: 1 << 30,
            partition_room: random.random_range(1..2000),
            retry: (Duration::from_millis(100), Duration::from_secs(5)),
            on_refused,
            on_gap,
            on_recreate: OnRecreate::Stop,
            levels: Default::default(),
            offsets: Default::default(),
            grants: Default::default(),
            settle: Duration::from_secs(5),
            memory_of_writers: Default::default(),
        };
        let mut life = Self {
            random,
            restarts: SmallRng::seed_from_u64(!seed),
            looks: SmallRng::seed_from_u64(seed.rotate_left(32)),
            plant,
            now: Instant::now(),
            core: Core::new(settings),
            open: Open::default(),
            sources: (0..partitions).map(SourceLog::new).collect(),
            destinations: (0..partitions).map(|_| DestinationLog::new()).collect(),
            to,
            kept: vec![Kept::default(); partitions],
            late: Vec::new(),
            late_fills: Vec::new(),
            formers: Vec::new(),
            guarded: false,
            late_commits: Vec::new(),
            process: 1,
            zombies: None,
            coordinator: None,
            places: false,
            forgets: false,
            loses: false,
            hands: false,
            next_producer: 1,
            store_often: 0,
            cleans,
            tally: Tally::default(),
            told: BTreeSet::new(),
            found: None,
        };
        for log in &mut life.destinations {
            // A record with its header has up to 80 bytes, four of them up to 120.
            log.limit = life.random.random_bool(0.4).then_some(90);
            log.tells_limit = life.random.random_bool(0.7);
            log.restamps = cleans && life.random.random_bool(0.3);
            log.refuses = if skips { 5 } else { 0 };
        }
        life.store_often = life.random.random_range(0..8);
        life.assign();
        life
    }

    /// Lives, comes to rest, and is compared with the truth.
    pub(super) fn live(mut self) -> Result<Tally, String> {
        let steps = self.random.random_range(20..400);
        for _ in 0..steps {
            self.hand_out();
            self.step();
            self.tally.steps += 1;
            if let Some(found) = self.found.take() {
                return Err(found);
            }
        }
        self.come_to_rest()?;
        if self.forgets && !self.places {
            self.compare_forgotten()?;
            self.tally.records = self.sources.iter().map(|s| s.committed.len() as u64).sum();
            return Ok(self.tally);
        }
        self.count_totals();
        if self.hands {
            self.compare_handed()?;
        } else if self.places {
            self.compare_places()?;
        } else {
            self.compare()?;
            self.count_twice()?;
        }
        self.tally.records = self.sources.iter().map(|s| s.committed.len() as u64).sum();
        Ok(self.tally)
    }

    fn assign(&mut self) {
        for index in 0..self.sources.len() {
            let kept = &self.kept[index];
            self.core.assign(Assignment {
                moved_from: None,
                source: source(index),
                source_id: SOURCE_ID,
                destination: destination(self.to[index]),
                stored: kept.position.clone(),
                segment: kept.segments.values().next_back().cloned(),
                start: StartPosition::Earliest,
                changes: Default::default(),
            });
        }
    }

    /// Takes over all work the core has, as the loop does.
    fn hand_out(&mut self) {
        while let Some((channel, order)) = self.core.next_fetch(self.now) {
            let asked = self.open.asked.entry(channel).or_default();
            for (_, removed) in &order.remove {
                asked.remove(removed);
            }
            for (index, partition, wanted, rules) in &order.set {
                asked.insert(partition.clone(), (*index, wanted.offset, rules.clone()));
            }
            self.open.fetches.insert(channel, order);
        }
        self.take_step();
        for lane in self.core.take_unused_lanes() {
            let open = self.open.lanes.remove(&lane).unwrap_or_default();
            assert!(open.is_empty(), "{lane:?} ends with requests on their way");
        }
        while let Some((id, tag, request)) = self.core.next_produce(self.now) {
            self.connect(id);
            self.check_request(&request);
            self.check_announced(&request);
            let lane = self.open.lanes.entry(id).or_default();
            lane.push_back(Sent {
                tag,
                request,
                answer: None,
            });
        }
        self.answer_owner();
        self.take_fills();
        if let Some(orders) = self.core.take_locate() {
            self.open.locate = Some(orders);
        }
        let orders = (self.core.take_establish()).flat_map(|(_, orders)| orders);
        (self.open.establish).extend(orders.map(|order| (order, None)));
        self.open.establish.sort_by_key(|(order, _)| order.index);
        self.take_step();
        if self.core.waits_for_store() {
            self.store(false);
        }
    }

    fn check_request(&mut self, request: &ProduceRequest) {
        let mut named: Vec<i32> = request
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|p| p.partition))
            .collect();
        let count = named.len();
        named.sort_unstable();
        named.dedup();
        if named.len() != count {
            self.found = Some("a request names a partition twice".to_owned());
        }
    }

    fn step(&mut self) {
        self.act_beside();
        self.act_as_zombie();
        match self.random.random_range(0..100) {
            0..15 => {
                let at = self.random.random_range(0..self.sources.len());
                self.sources[at].grow(&mut self.random);
            }
            15..33 => {
                self.answer_fetch();
                self.let_go_of_compared();
            }
            33..48 => {
                self.execute_step();
                self.execute_fill();
                for _ in 0..self.random.random_range(1..5) {
                    self.execute();
                }
            }
            48..62 => {
                self.answer_step();
                self.answer_fill();
                for _ in 0..self.random.random_range(1..5) {
                    self.answer_call();
                }
            }
            62..70 => self.answer_locate(),
            70..78 => self.answer_establish(),
            78..85 => {
                if self.random.random_range(0..8) < self.store_often {
                    self.store(true);
                }
            }
            85..91 => self.stored(),
            91..95 => self.pass_time(),
            _ => self.trouble(),
        }
    }

    fn trouble(&mut self) {
        let at = self.random.random_range(0..self.sources.len());
        match self.random.random_range(0..17) {
            0 => self.sources[at].move_leader(&mut self.random),
            1 => self.destinations[at].leader = NodeId(self.random.random_range(11..13)),
            2 if self.hands => self.destinations[at].write_foreign(),
            2 if self.forgets && self.places => self.destinations[at].forget(),
            2 if self.forgets => self.forget_amid(at),
            2 if self.coordinator.is_none()
                && self.zombies.is_none()
                && self.random.random_bool(0.5) =>
            {
                self.destinations[at].fence();
            }
            2 if self.places => {}
            2 if self.coordinator.is_some() && self.random.random_bool(0.5) => self.cut_step(),
            2 => self.destinations[at].write_foreign(),
            3 if self.places => self.cut_fill(),
            3..6 => self.cut(),
            6 => {
                self.land_commit();
                self.land_late();
            }
            7 => {
                if let Some(channel) = self.some_fetch() {
                    self.open.fetches.remove(&channel);
                    self.core.on_fetch_failed(channel, "cut", self.now);
                }
            }
            8 => {
                if let Some(orders) = self.open.locate.take() {
                    let failed = |order: LocateOrder| Located {
                        index: order.index,
                        source: Err("no broker".to_owned()),
                        destination: Err("no broker".to_owned()),
                    };
                    let located = orders.into_iter().map(failed).collect();
                    self.core.on_located(located, self.now);
                }
            }
            9 => {
                if let Some((order, _)) = self.open.establish.pop() {
                    let outcome = Established::Retry("cut".to_owned());
                    self.core.on_established(order.index, outcome, self.now);
                }
            }
            10 => self.answer_with_refusal(),
            11 => {
                let log = &mut self.destinations[at];
                // A record with its header has up to 80 bytes.
                log.limit = log.limit.map(|_| self.random.random_range(85..140));
            }
            12..15 if self.loses => self.sources[at].move_start(&mut self.restarts),
            12..15 if !self.cleans => {}
            12 | 13 if self.random.random_bool(0.7) => {
                self.tally.cleaned += 1;
                self.sources[at].clean(&mut self.random);
            }
            12 | 13 => self.sources[at].move_start(&mut self.random),
            14 => {
                self.tally.cleaned += 1;
                self.destinations[at].clean(&mut self.random);
            }
            15 => self.move_between_connections(at),
            _ => self.crash(),
        }
    }

    fn pass_time(&mut self) {
        if self.places {
            // Longer than a request lives behind its connection.
            self.land_all();
            self.end_beside();
        }
        // Somebody restarts a task. Dice of their own keep all other lives as they were.
        if self.plant == Plant::Nothing && self.restarts.random_bool(0.3) {
            let at = self.restarts.random_range(0..self.sources.len());
            self.core.begin_again(&[source(at)].into());
        }
        // What a watch finds is looked at later, if the process lives until then.
        if self.looks.random_bool(0.2) {
            self.answer_looks();
        }
        if self.hands || self.forgets && !self.places {
            self.watch();
        }
        // Longer than any pause, so that the dice of the pauses do not matter.
        self.now += Duration::from_secs(10);
        self.core.look_at_comparing(self.now);
        self.core.on_time(self.now);
        self.pass_time_of_zombie();
    }

    fn count_totals(&mut self) {
        for partition in self.core.partitions.values() {
            self.tally.repeated += partition.totals.repeated;
            self.tally.skipped += partition.totals.skipped;
            for (sum, more) in self.tally.decoded.iter_mut().zip(partition.totals.decoded) {
                *sum += more;
            }
        }
    }

    /// Everything is answered until nothing is left to do.
    fn come_to_rest(&mut self) -> Result<(), String> {
        self.end_zombie();
        self.land_all();
        let rounds = 3000;
        for _ in 0..rounds {
            self.hand_out();
            self.answer_locate();
            self.answer_establish();
            self.answer_fetch();
            self.execute_faithfully();
            self.execute_fill();
            self.execute_step();
            self.answer_call();
            self.answer_step();
            self.answer_fill();
            self.stored();
            self.pass_time();
            self.store(true);
            if let Some(found) = self.found.take() {
                return Err(found);
            }
            let snapshot = Snapshot::of(&self.core, None);
            for partition in &snapshot.partitions {
                if let State::Stopped(stop) = &partition.state
                    && !(self.forgets && stop.state == "destination-foreign-writes")
                {
                    return Err(format!("{} stopped: {stop:?}", partition.source));
                }
            }
            let ends = snapshot.partitions.iter().zip(&self.sources);
            let done = ends.into_iter().all(|(status, log)| {
                matches!(status.state, State::Stopped(_))
                    || status.position >= Some(log.last_batch_end())
            });
            let settled = self.core.is_settled() && self.open.step.is_none();
            // A position may be held back until something was looked at.
            let stored = self.coordinator.is_some() || self.core.changed.is_empty();
            let stored = stored && !self.core.is_storing();
            if done && settled && !self.core.has_open_calls() && stored {
                return Ok(());
            }
        }
        let stands: Vec<_> = Snapshot::of(&self.core, None).partitions;
        Err(format!(
            "no rest after {rounds} rounds: {stands:?}, {:?}",
            self.open.step
        ))
    }

    /// Source offsets that have to arrive, in order: what the source still holds and the destination takes.
    fn wanted(&self, index: usize) -> impl Iterator<Item = i64> {
        let log = &self.sources[index];
        let to = &self.destinations[self.to[index]];
        let offsets = log.committed.iter().copied();
        offsets.filter(|offset| !log.removed.contains(offset) && !to.is_refused(*offset))
    }

    /// Source and destination offset of every record of a partition that arrived, in the order of arrival.
    fn arrived(&self, index: usize) -> impl Iterator<Item = (i64, i64)> {
        let records = self.destinations[self.to[index]].records.iter();
        records
            .filter(move |((from, _), _)| *from == index)
            .map(|((_, offset), at)| (*offset, *at))
    }
}
