//! Whether a link really copies: ends of logs, read on a path of its own, compared with how far copying has come.
//!
//! ```text
//!   run       asks both clusters, on connections of its own ──readings──▶ evidence ──▶ PartitionHealth ─▶ LinkHealth
//!   Reported  how far the data path says it is            ──progress──▶   (pure)          (rating, pure)
//! ```
//!
//! Invariants
//! - Nothing of the data path is waited for, and nothing of it waits for this room.
//! - What is not known is said to be unknown; it is never taken for good, and a lag that cannot be measured grows.
//! - A standstill is found by comparison, not from what the data path says of itself.

mod changes;
mod evidence;
mod history;
mod moved;
mod rating;
mod reach;
mod run;

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_wire::types::{NodeId, TopicPartition};
use tokio::time::Instant;

pub use run::{Health, HealthHandle, HealthOptions, Seen};

/// What the data path says of one partition.
#[derive(Clone, PartialEq, Debug)]
pub struct Reported {
    /// Where it is read.
    pub source: TopicPartition,
    /// Where it is written.
    pub destination: TopicPartition,
    /// Where it is in its life.
    pub condition: Condition,
    /// Next source offset that is not acknowledged.
    pub progress: Option<i64>,
    /// Records and bytes acknowledged since the start of the process.
    pub copied: (u64, u64),
    /// Time of the oldest record in memory that is not acknowledged, in milliseconds since 1970.
    pub oldest_ms: Option<i64>,
    /// Time in which its turn to be read comes, where it waits for nothing else: the link uses up its limit.
    pub turn: Option<Duration>,
}

/// Where a partition is in its life, as the data path says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// Its position is being established.
    Starting,
    /// It is copied.
    Active,
    /// It is tried again; why.
    Retrying(String),
    /// It stands until somebody acts.
    Stopped {
        /// The name of the state.
        state: &'static str,
        /// Why, with numbers and what can be done.
        reason: String,
    },
}

/// What a check says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// Good.
    Pass,
    /// Worth a look.
    Warn,
    /// Not known.
    Unknown,
    /// Bad.
    Fail,
}

impl Verdict {
    /// In capitals, as it is shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Warn => "WARN",
            Self::Unknown => "UNKNOWN",
            Self::Fail => "FAIL",
        }
    }
}

/// What a lag in seconds rests on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Basis {
    /// Readings of the end before and after the oldest record came.
    Observed,
    /// The time of the oldest record.
    Timestamp,
    /// The time since the first reading: it is at least so much.
    SinceStart,
    /// Readings are too old: it is at least so much, and not known.
    Stale,
}

impl Basis {
    /// As it is shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Timestamp => "timestamp",
            Self::SinceStart => "since-start",
            Self::Stale => "stale",
        }
    }
}

/// What of a partition, topic or link is not copied yet.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Lag {
    /// Whether the source's end was read recently. Otherwise the numbers are lower bounds.
    pub known: bool,
    /// Source offsets that are not acknowledged, as of the newest reading; nothing before there was one.
    pub records: Option<i64>,
    /// For how long the oldest of them has been readable.
    pub seconds: f64,
    /// Their size, estimated from what was copied.
    pub bytes: u64,
    /// What `seconds` rests on.
    pub basis: Basis,
    /// How old the newest reading is.
    pub age: Option<Duration>,
}

impl Lag {
    /// Nothing, known.
    pub const NONE: Self = Self {
        known: true,
        records: Some(0),
        seconds: 0.0,
        bytes: 0,
        basis: Basis::Observed,
        age: Some(Duration::ZERO),
    };

    /// Both together: sums, the longer time, the weaker evidence.
    #[must_use]
    pub fn with(self, other: &Self) -> Self {
        Self {
            known: self.known && other.known,
            records: match (self.records, other.records) {
                (Some(one), Some(two)) => Some(one.saturating_add(two)),
                (one, two) => one.or(two),
            },
            seconds: self.seconds.max(other.seconds),
            bytes: self.bytes.saturating_add(other.bytes),
            basis: self.basis.max(other.basis),
            age: self.age.zip(other.age).map(|(one, two)| one.max(two)),
        }
    }
}

/// The health of one partition.
#[derive(Clone, PartialEq, Debug)]
pub struct PartitionHealth {
    /// Where it is read.
    pub source: TopicPartition,
    /// Where it is written.
    pub destination: TopicPartition,
    /// `active`, `starting`, `retrying`, `stalled`, or the named state in which it stands. Each has a page:
    /// see [`crate::help`].
    pub state: &'static str,
    /// Since when.
    pub since: Instant,
    /// Why, with side, numbers and what can be done.
    pub reason: Option<String>,
    /// What that means.
    pub verdict: Verdict,
    /// What is not copied yet.
    pub lag: Lag,
    /// For how long there was something to copy and none of it was.
    pub no_progress: Duration,
    /// Next source offset that is not acknowledged.
    pub progress: Option<i64>,
    /// First offset of the source's log, as of its newest reading.
    pub source_start: Option<i64>,
    /// Last stable offset of the source, as of its newest reading.
    pub source_end: Option<i64>,
    /// End of the destination's log, as of its newest reading.
    pub destination_end: Option<i64>,
    /// Brokers that lead it at the source and at the destination, as they were looked up last.
    pub leaders: [Option<NodeId>; 2],
}

/// Whether the brokers of one side answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reachability {
    /// Good when all that lead something of the link answer, bad when none does.
    pub verdict: Verdict,
    /// How many of them answer.
    pub answering: usize,
    /// How many lead something.
    pub needed: usize,
    /// What was seen: who does not answer, since when, and the last error.
    pub evidence: String,
}

impl Reachability {
    /// Before anybody was asked.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            verdict: Verdict::Unknown,
            answering: 0,
            needed: 0,
            evidence: "nobody was asked yet".to_owned(),
        }
    }
}

/// How a link fares as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Rating {
    /// Everything is copied within the objective.
    Healthy,
    /// All goes well, and there is more to copy than the objective allows.
    CatchingUp,
    /// Something is wrong with a part.
    Degraded,
    /// Nothing that could be copied is.
    Failed,
    /// It cannot be told.
    #[default]
    Unknown,
}

impl Rating {
    /// In capitals, as it is shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::CatchingUp => "CATCHING_UP",
            Self::Degraded => "DEGRADED",
            Self::Failed => "FAILED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// The health of a link, as of the newest evaluation.
#[derive(Clone, Debug)]
pub struct LinkHealth {
    /// When it was evaluated.
    pub at: Instant,
    /// In one word.
    pub rating: Rating,
    /// The sentence that decided it.
    pub reason: String,
    /// Of all partitions together.
    pub lag: Lag,
    /// How many partitions are in which state.
    pub states: BTreeMap<&'static str, usize>,
    /// Each partition, in the order in which they were assigned.
    pub partitions: Vec<PartitionHealth>,
    /// Whether the brokers of source and destination answer.
    pub reach: [Reachability; 2],
    /// When the oldest of the destination's ends was read; nothing before all were.
    pub destination_read: Option<Instant>,
}

impl LinkHealth {
    /// Before anything was read.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            at: Instant::now(),
            rating: Rating::Unknown,
            reason: "nothing was read yet".to_owned(),
            lag: Lag {
                known: false,
                records: None,
                seconds: 0.0,
                bytes: 0,
                basis: Basis::Stale,
                age: None,
            },
            states: BTreeMap::new(),
            partitions: Vec::new(),
            reach: [Reachability::unknown(), Reachability::unknown()],
            destination_read: None,
        }
    }

    /// The worst evidence still counts when this was not evaluated for longer than that: then nothing is known.
    pub const TOO_OLD: Duration = Duration::from_secs(30);
}
