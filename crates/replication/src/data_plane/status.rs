//! What the data plane says of itself: a snapshot, twice a second at most and only where something has happened, made from the core's state.
//!
//! `Running` means that a partition is being copied, not that it is healthy: lag needs a reading of
//! the source's end, and the reading has a time.

use std::collections::HashMap;
use std::time::Duration;

use kafka_wire::types::TopicPartition;
use tokio::time::Instant;

use super::core::Core;
use super::flow::{Flow, Recent};
use super::partition::{Lost, Partition, Phase, Stop, Totals};
use super::send_state::SendState;

/// Where a partition is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum State {
    /// Leaders and ends are being looked up.
    Starting,
    /// It is copied.
    Running,
    /// It is not copied at the moment, and tried again by itself.
    Waiting(String),
    /// It stands until an operator acts.
    Stopped(Stop),
}

impl State {
    /// The larger, the more there is to worry about.
    fn gravity(&self) -> u8 {
        match self {
            Self::Running => 0,
            Self::Starting => 1,
            Self::Waiting(_) => 2,
            Self::Stopped(_) => 3,
        }
    }
}

/// One partition, as of the snapshot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionStatus {
    /// Where it is read.
    pub source: TopicPartition,
    /// Where it is written.
    pub destination: TopicPartition,
    /// Where it is in its life.
    pub state: State,
    /// Next source offset that is not acknowledged, or not committed; `None` before it is known.
    pub position: Option<i64>,
    /// Next source offset that is not read; `None` where nothing is read.
    pub read: Option<i64>,
    /// Newest reading of the source's last stable offset, and its time.
    pub end: Option<(i64, Instant)>,
    /// Time of the oldest record in memory that is not acknowledged, in milliseconds since 1970.
    pub oldest_ms: Option<i64>,
    /// Time in which its turn to be read comes, where it waits for nothing else: the link uses up its limit.
    pub turn: Option<Duration>,
    /// How old its records of late were when they were read.
    pub age: Option<Recent>,
    /// How old they were when they were acknowledged.
    pub latency: Option<Recent>,
    /// Sums since the start of this process.
    pub totals: Totals,
    /// What was found lost at the source last.
    pub lost: Option<Lost>,
}

impl PartitionStatus {
    /// Source offsets not yet acknowledged, as of the newest reading of the end.
    #[must_use]
    pub fn lag(&self) -> Option<i64> {
        let (end, _) = self.end?;
        Some((end - self.position?).max(0))
    }

    /// Takes in what another data plane says of it.
    fn join(&mut self, other: &Self) {
        if other.state.gravity() > self.state.gravity() {
            self.state = other.state.clone();
        }
        let positions = self.position.zip(other.position);
        self.position = positions.map(|(one, other)| one.min(other));
        let read = [self.read, other.read].into_iter().flatten();
        self.read = read.min();
        let ends = [self.end, other.end].into_iter().flatten();
        self.end = ends.max_by_key(|(_, at)| *at);
        let oldest = [self.oldest_ms, other.oldest_ms].into_iter().flatten();
        self.oldest_ms = oldest.min();
        self.turn = self.turn.max(other.turn);
        self.age = Recent::both(self.age, other.age);
        self.latency = Recent::both(self.latency, other.latency);
        self.totals.add(&other.totals);
        self.lost = self.lost.or(other.lost);
    }
}

/// A cluster of a link.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Side {
    /// The one that is read.
    Source,
    /// The one that is written.
    Destination,
}

impl Side {
    /// What makes one connection to its brokers carry more over a long way.
    #[must_use]
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Source => {
                "socket.send.buffer.bytes=-1 at the source's brokers, or a higher limit in tcp_wmem there and \
                 tcp_rmem here"
            }
            Self::Destination => {
                "socket.receive.buffer.bytes=-1 at the destination's brokers, or a higher limit in tcp_rmem there \
                 and tcp_wmem here"
            }
        }
    }
}

/// The way to a broker that is far away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Way {
    /// Whose broker it is.
    pub side: Side,
    /// The broker's id.
    pub broker: i32,
    /// How many connections it is read or written over.
    pub connections: u16,
    /// Whether there may be no more than one.
    pub is_all: bool,
    /// There and back.
    pub round_trip: Duration,
    /// Bytes that one connection carries in that time, where it was found that this limits what is copied.
    pub window: Option<u64>,
    /// Bytes that one connection carried in that time when it was busy last, if it was.
    pub carried: Option<u64>,
}

/// All partitions at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was made.
    pub at: Instant,
    /// In the order of their assignment.
    pub partitions: Vec<PartitionStatus>,
    /// How long things took.
    pub flow: Flow,
    /// Records in memory that are not acknowledged, and their bytes.
    pub in_flight: (u64, u64),
    /// Why positions cannot be stored, while they cannot.
    pub store_trouble: Option<String>,
    /// Brokers that are far away.
    pub ways: Vec<Way>,
}

impl Snapshot {
    /// Adds what another data plane of the same link says. What both copy, each its own part of the records, is one
    /// partition, and as well off as the worse of them.
    pub(crate) fn add(&mut self, other: &Self) {
        let key =
            |partition: &PartitionStatus| (partition.source.clone(), partition.destination.clone());
        let known = self.partitions.iter().enumerate();
        let known: HashMap<_, usize> = known.map(|(at, one)| (key(one), at)).collect();
        for partition in &other.partitions {
            match known.get(&key(partition)) {
                Some(at) => self.partitions[*at].join(partition),
                None => self.partitions.push(partition.clone()),
            }
        }
        self.flow.add(&other.flow);
        self.in_flight.0 += other.in_flight.0;
        self.in_flight.1 += other.in_flight.1;
        self.ways.extend(&other.ways);
        if self.store_trouble.is_none() {
            self.store_trouble.clone_from(&other.store_trouble);
        }
    }

    pub(super) fn of(core: &Core, store_trouble: Option<String>) -> Self {
        let now = Instant::now();
        let unowned = core.owner_trouble();
        let store_trouble = store_trouble.or_else(|| unowned.map(str::to_owned));
        let waits = [unowned, store_trouble.as_deref()];
        let partitions = core.partitions.values();
        let held = partitions.clone().filter_map(|one| one.send.as_ref());
        let in_flight = held.fold((0, 0), |(records, bytes), send| {
            (records + send.records(), bytes + send.bytes() as u64)
        });
        let turn = core.turn(now);
        let told = |one: &Partition| PartitionStatus {
            turn: turn.filter(|_| core.waits_for_its_turn(one)),
            ..status(one, now, waits)
        };
        Self {
            at: now,
            partitions: partitions.map(|one| told(one)).collect(),
            flow: core.meter.flow.clone(),
            in_flight,
            store_trouble,
            ways: core.ways(),
        }
    }
}

/// `waits` is why it is not known whose the link is, and why positions cannot be stored, while that is so.
fn status(partition: &Partition, now: Instant, waits: [Option<&str>; 2]) -> PartitionStatus {
    let [unowned, unstored] = waits;
    let waiting = |trouble: &str| State::Waiting(trouble.to_owned());
    let state = match (&partition.phase, &partition.trouble) {
        (Phase::Stopped(stop), _) => State::Stopped(stop.clone()),
        (_, Some(trouble)) => State::Waiting(trouble.clone()),
        (Phase::Running, None) => match partition.blocked_stop() {
            Some(stop) if !partition.sets_aside() => State::Stopped(stop),
            // Nothing more is read before some of what is known of it is stored.
            _ if !partition.map.has_room() => unstored.map_or(State::Running, waiting),
            _ => State::Running,
        },
        (Phase::Starting, None) => unowned.map_or(State::Starting, waiting),
        // Nothing is written before its position is stored.
        (Phase::Storing, None) => unstored.map_or(State::Starting, waiting),
    };
    PartitionStatus {
        source: partition.source.clone(),
        destination: partition.destination.clone(),
        state,
        position: partition.settled().map(|at| partition.bare.shown(at)),
        read: matches!(partition.phase, Phase::Running).then_some(partition.next_fetch),
        end: partition.end,
        oldest_ms: partition.send.as_ref().and_then(SendState::oldest_ms),
        turn: None,
        age: partition.ages.recent(now),
        latency: partition.latencies.recent(now),
        totals: partition.totals,
        lost: partition.lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32, position: Option<i64>, state: State) -> PartitionStatus {
        let place = TopicPartition::new("t".into(), number);
        PartitionStatus {
            source: place.clone(),
            destination: place,
            state,
            position,
            read: position,
            end: Some((9, Instant::now())),
            oldest_ms: None,
            turn: None,
            age: None,
            latency: None,
            totals: Totals {
                records: 4,
                ..Totals::default()
            },
            lost: None,
        }
    }

    #[test]
    fn a_partition_that_two_data_planes_copy_is_one_and_as_well_off_as_the_worse() {
        let snapshot = |partitions: Vec<PartitionStatus>| Snapshot {
            at: Instant::now(),
            partitions,
            flow: Flow::default(),
            in_flight: (0, 0),
            store_trouble: None,
            ways: Vec::new(),
        };
        let mut all = snapshot(vec![
            partition(0, Some(9), State::Running),
            partition(1, Some(9), State::Running),
        ]);
        all.add(&snapshot(vec![
            partition(0, Some(5), State::Waiting("gone".to_owned())),
            partition(1, None, State::Running),
            partition(2, Some(9), State::Running),
        ]));
        let told: Vec<_> = all
            .partitions
            .iter()
            .map(|one| (one.lag(), one.state.gravity(), one.totals.records))
            .collect();
        assert_eq!(told, [(Some(4), 2, 8), (None, 0, 8), (Some(0), 0, 4)]);
    }
}
