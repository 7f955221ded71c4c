//! What the core is told and what it asks for, as plain values.

use std::time::Duration;

use config::link::{OnGap, OnRecreate, OnRefused, StartPosition};
use kafka_wire::types::{TopicId, TopicName, TopicPartition};

use super::super::change::Changes;
use super::super::partition::{Leader, Stop};
use super::super::recovery::Landed;
use crate::offset_map::Segment;
use crate::position::Position;

/// Number of a partition within one data plane; never used twice.
pub(crate) type Index = usize;

/// What holds for all partitions.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The link, which is part of every stored key.
    pub(crate) link: String,
    /// Verify checksums also of batches that pass untouched.
    pub(crate) check_crcs: bool,
    /// Records get the append times of the source.
    pub(crate) keep_append_time: bool,
    /// Batches of a lagging partition are merged where their mean size is below this; 0 for never.
    pub(crate) merge_below: u32,
    /// Batches of a partition that have to wait before any are merged.
    pub(crate) merge_from: usize,
    /// Bytes of one partition in one fetch answer.
    pub(crate) max_partition_bytes: i32,
    /// Bytes in one fetch answer.
    pub(crate) max_fetch_bytes: i32,
    /// How long a fetch waits for news.
    pub(crate) max_wait: Duration,
    /// Bytes in one produce request.
    pub(crate) max_request_bytes: usize,
    /// Batches of one partition on their way.
    pub(crate) max_in_flight: usize,
    /// Bytes of one partition in memory above which it is not fetched.
    pub(crate) partition_room: usize,
    /// First and longest pause after trouble.
    pub(crate) retry: (Duration, Duration),
    /// Whether several source partitions share a destination partition (merged topics).
    pub(crate) shared: bool,
    /// What to do about records that the destination does not take.
    pub(crate) on_refused: OnRefused,
    /// What to do about source records that are gone.
    pub(crate) on_gap: OnGap,
    /// What to do about topics that were made anew.
    pub(crate) on_recreate: OnRecreate,
}

/// A partition to copy.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// Where it is read.
    pub source: TopicPartition,
    /// The source topic's id when it was planned.
    pub source_id: TopicId,
    /// Where it is written.
    pub destination: TopicPartition,
    /// What was stored for it.
    pub stored: Option<Position>,
    /// The topic the stored position was reached in, where that is another one.
    pub moved_from: Option<TopicName>,
    /// The newest stored segment of its offset map.
    pub segment: Option<Segment>,
    /// Where it begins if nothing was stored.
    pub start: StartPosition,
    /// What is done to its records.
    pub changes: Changes,
}

/// A partition that waits for leaders.
#[derive(Clone, Debug)]
pub(crate) struct LocateOrder {
    pub(crate) index: Index,
    pub(crate) source: TopicPartition,
    pub(crate) destination: TopicPartition,
}

/// One side of a located partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) leader: Leader,
    pub(crate) topic_id: TopicId,
}

/// Where a partition is, or the trouble that hides it.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    pub(crate) index: Index,
    pub(crate) source: Result<Place, String>,
    pub(crate) destination: Result<Place, String>,
}

/// A partition whose position is to be compared with both logs.
#[derive(Clone, Debug)]
pub(crate) struct EstablishOrder {
    pub(crate) index: Index,
    pub(crate) source: TopicPartition,
    pub(crate) source_id: TopicId,
    pub(crate) destination: TopicPartition,
    pub(crate) destination_id: TopicId,
    pub(crate) position: Option<Position>,
    pub(crate) start: StartPosition,
    pub(crate) raise_epoch: bool,
    /// Readings in a row that found the destination's log shorter than it was.
    pub(crate) readings: u32,
    /// Whether others of the link write to the same destination partition.
    pub(crate) shared: bool,
    pub(crate) on_gap: OnGap,
}

impl EstablishOrder {
    /// Whether it has no position and is to begin at a time.
    pub(crate) fn begins_at_time(&self) -> bool {
        self.position.is_none() && matches!(self.start, StartPosition::Time(_))
    }
}

/// Outcome of establishing.
#[derive(Clone, Debug)]
pub(crate) enum Established {
    /// Copying can begin.
    Ready {
        position: Position,
        landed: Vec<Landed>,
        /// The destination topic's `max.message.bytes`, where it may be read.
        max_message_bytes: Option<u32>,
        /// Whether the position has to be stored before anything is written.
        store_first: bool,
        /// Records that may be at the destination, and cannot be compared any more.
        repeated: i64,
        /// The source's last stable offset.
        end: i64,
    },
    /// Again after a pause.
    Retry(String),
    /// The destination's log seems shorter than it was; again after a pause, to be sure.
    Behind(String),
    /// An operator is needed.
    Stop(Stop),
}
