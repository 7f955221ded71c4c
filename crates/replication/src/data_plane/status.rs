//! What the data plane says of itself: a snapshot per second, made from the core's state.
//!
//! `Running` means that a partition is being copied, not that it is healthy: lag needs a reading of
//! the source's end, and the reading has a time.

use kafka_wire::types::TopicPartition;
use tokio::time::Instant;

use super::core::Core;
use super::partition::{Partition, Phase, Stop, Totals};
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
    /// Newest reading of the source's last stable offset, and its time.
    pub end: Option<(i64, Instant)>,
    /// Time of the oldest record in memory that is not acknowledged, in milliseconds since 1970.
    pub oldest_ms: Option<i64>,
    /// Sums since the start of this process.
    pub totals: Totals,
}

impl PartitionStatus {
    /// Source offsets not yet acknowledged, as of the newest reading of the end.
    #[must_use]
    pub fn lag(&self) -> Option<i64> {
        let (end, _) = self.end?;
        Some((end - self.position?).max(0))
    }
}

/// All partitions at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was made.
    pub at: Instant,
    /// In the order of their assignment.
    pub partitions: Vec<PartitionStatus>,
    /// Why positions cannot be stored, while they cannot.
    pub store_trouble: Option<String>,
}

impl Snapshot {
    /// Adds what another data plane of the same link says.
    pub(crate) fn add(&mut self, other: &Self) {
        self.partitions.extend(other.partitions.iter().cloned());
        if self.store_trouble.is_none() {
            self.store_trouble.clone_from(&other.store_trouble);
        }
    }

    pub(super) fn of(core: &Core, store_trouble: Option<String>) -> Self {
        let partitions = core.partitions.values().map(status).collect();
        Self {
            at: Instant::now(),
            partitions,
            store_trouble,
        }
    }
}

fn status(partition: &Partition) -> PartitionStatus {
    let state = match (&partition.phase, &partition.trouble) {
        (Phase::Stopped(stop), _) => State::Stopped(stop.clone()),
        (_, Some(trouble)) => State::Waiting(trouble.clone()),
        (Phase::Running, None) => match partition.blocked_stop() {
            Some(stop) if !partition.sets_aside() => State::Stopped(stop),
            _ => State::Running,
        },
        (Phase::Starting | Phase::Storing, None) => State::Starting,
    };
    PartitionStatus {
        source: partition.source.clone(),
        destination: partition.destination.clone(),
        state,
        position: partition.settled(),
        end: partition.end,
        oldest_ms: partition.send.as_ref().and_then(SendState::oldest_ms),
        totals: partition.totals,
    }
}
