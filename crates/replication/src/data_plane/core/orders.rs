//! What the core is told and what it asks for, as plain values.

use std::time::Duration;

use config::link::{
    CompressionLevels, OffsetSettings, OnGap, OnRecreate, OnRefused, StartPosition,
};
use kafka_client::Turn;
use kafka_client::fetch_session::Wanted;
use kafka_wire::batch::Codec;
use kafka_wire::record::Levels;
use kafka_wire::types::{NodeId, ProducerIdentity, TopicId, TopicName, TopicPartition};
use tokio::time::Instant;

use super::super::change::Changes;
use super::super::decode::Rules;
use super::super::memory::BrokerMemory;
use super::super::partition::{Leader, Lost, Partition, Stop};
use super::super::recovery::Landed;
use crate::offset_map::Segment;
use crate::placement::Grants;
use crate::position::Position;

/// Number of a partition within one data plane; never used twice.
pub(crate) type Index = usize;

/// What is to change in a fetcher's session, and the bounds of its next request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct FetchOrder {
    /// Partitions to ask for, new or otherwise than before.
    pub(crate) set: Vec<(Index, TopicPartition, Wanted, Rules)>,
    /// Partitions to ask for no longer.
    pub(crate) remove: Vec<(Index, TopicPartition)>,
    /// How long the broker may wait for news.
    pub(crate) max_wait: Duration,
    /// Bytes in the answer.
    pub(crate) max_bytes: i32,
    /// Bytes of the largest answer lately that held more than was asked for; 0 where none did.
    pub(crate) largest: usize,
    /// The most bytes lately that were encoded anew out of an answer.
    pub(crate) made: usize,
    /// Whether memory for it is waited for behind others.
    pub(crate) turn: Turn,
}

/// What holds for all partitions.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The link, which is part of every stored key.
    pub(crate) link: String,
    /// Verify checksums also of batches that pass untouched.
    pub(crate) check_crcs: bool,
    /// Records get the append times of the source.
    pub(crate) keep_append_time: bool,
    /// Batches are merged where their mean size in an answer is below this; 0 for never.
    pub(crate) merge_below: u32,
    /// Batches of a partition that have to wait, or that an answer needs to have, before any are merged.
    pub(crate) merge_from: usize,
    /// Bytes of one partition in one fetch answer.
    pub(crate) max_partition_bytes: i32,
    /// Bytes in one fetch answer.
    pub(crate) max_fetch_bytes: i32,
    /// Most connections to one broker, for reading or for writing.
    pub(crate) max_connections: u16,
    /// How long a fetch waits for news.
    pub(crate) max_wait: Duration,
    /// Bytes in one produce request.
    pub(crate) max_request_bytes: usize,
    /// Batches of one partition on their way.
    pub(crate) max_in_flight: usize,
    /// Bytes of one partition in memory above which it is not fetched.
    pub(crate) partition_room: usize,
    /// Bytes that all records in memory may have.
    pub(crate) memory: usize,
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
    /// Levels of compression that hold instead of the destination topic's.
    pub(crate) levels: CompressionLevels,
    /// Which offsets records get.
    pub(crate) offsets: OffsetSettings,
    /// Who may be given rights at the destination.
    pub(crate) grants: Grants,
    /// How long a request may be carried out after its connection has ended.
    pub(crate) settle: Duration,
    /// How long the destination's brokers remember writers.
    pub(crate) memory_of_writers: BrokerMemory,
}

impl Settings {
    /// The levels of a destination topic, except where the link has its own.
    pub(crate) fn levels_over(&self, topic: Levels) -> Levels {
        let own = self.levels;
        [
            (Codec::Gzip, own.gzip),
            (Codec::Lz4, own.lz4),
            (Codec::Zstd, own.zstd),
        ]
        .into_iter()
        .fold(topic, |levels, (codec, level)| {
            let own = level.and_then(|level| levels.with(codec, level).ok());
            own.unwrap_or(levels)
        })
    }
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
    /// Whether it has waited for a while although it was looked up.
    pub(crate) in_vain: bool,
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
    /// Whether records are changed or left out on their way.
    pub(crate) changed: bool,
    pub(crate) on_gap: OnGap,
    pub(crate) offsets: OffsetSettings,
    /// Why offsets are mapped although the position says otherwise: it is in front of the first record.
    pub(crate) given_up: Option<String>,
    /// Whether records may have been left out.
    pub(crate) leaves_out: bool,
    /// Whether this process has not yet begun it.
    pub(crate) first: bool,
    /// Whether the position has to be stored before anything is written, whatever is found.
    pub(crate) store_first: bool,
    /// The epoch of the source's leader, as it was looked up; −1 where that is not known.
    pub(crate) source_epoch: i32,
    /// The newest leader epoch among what this process has sent, if it has sent anything.
    pub(crate) sent_epoch: Option<i32>,
    /// Up to which source offset this process has sent anything.
    pub(crate) sent_to: i64,
    /// Something may still be carried out: the newest time of its oldest batch, and the end that was read
    /// since, once it was.
    pub(crate) doubt: Option<(i64, Option<i64>)>,
    /// Who will write it in transactions; `None` where there are none.
    pub(crate) transaction: Option<ProducerIdentity>,
    /// How long the destination's brokers remember writers.
    pub(crate) memory: BrokerMemory,
}

impl EstablishOrder {
    /// What is known of a partition whose leaders have been found.
    pub(super) fn new(
        settings: &Settings,
        index: Index,
        partition: &Partition,
        destination_id: TopicId,
        transaction: Option<ProducerIdentity>,
    ) -> Self {
        Self {
            index,
            source: partition.source.clone(),
            source_id: partition.source_id,
            destination: partition.destination.clone(),
            destination_id,
            position: partition.position.clone(),
            start: partition.start,
            raise_epoch: partition.raise_epoch,
            readings: partition.readings,
            shared: settings.shared,
            changed: !partition.changes.is_empty(),
            on_gap: match partition.accepts_gap {
                true => OnGap::Continue,
                false => settings.on_gap,
            },
            offsets: settings.offsets,
            given_up: partition.placing.given_up.clone(),
            leaves_out: settings.on_refused != OnRefused::Stop,
            first: partition.life == 0,
            store_first: partition.store_first,
            source_epoch: partition.leader.map_or(-1, |leader| leader.epoch),
            sent_epoch: partition.sent_epoch,
            sent_to: partition.sent_to,
            doubt: partition.doubt.map(|doubt| (doubt.record_time, doubt.seen)),
            transaction,
            memory: settings.memory_of_writers,
        }
    }
}

impl EstablishOrder {
    /// The newest leader epoch of what was copied, as far as it is known.
    pub(crate) fn copied_epoch(&self) -> Option<i32> {
        let stored = self.position.as_ref()?.leader_epoch;
        let newest = self.sent_epoch.unwrap_or(-1).max(stored);
        (newest >= 0).then_some(newest)
    }

    /// Up to which source offset that epoch says something. What an earlier process has written behind its stored
    /// position, or behind what this one has sent, may be of a newer one.
    pub(crate) fn covered(&self, stored: i64, reached: i64) -> i64 {
        match self.sent_epoch {
            Some(_) => reached.min(self.sent_to).max(stored),
            None => stored,
        }
    }

    /// Whether it has no position and is to begin at an offset behind this one.
    pub(crate) fn begins_behind(&self, end: i64) -> bool {
        self.position.is_none() && matches!(self.start, StartPosition::Offset(at) if at > end)
    }

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
        /// What was found out about offsets.
        ground: Ground,
    },
    /// The destination's log ended here, and may still grow by what was sent before: again after a while.
    Unsettled(i64),
    /// Again after a pause.
    Retry(String),
    /// The destination's log seems shorter than it was; again after a pause, to be sure.
    Behind(String),
    /// An operator is needed.
    Stop(Stop),
    /// The same, and these destination offsets hold records of this link a second time, first and behind the last.
    StopAndTell(Stop, Box<[(i64, i64)]>),
    /// Somebody else has written where offsets are preserved.
    Foreign(Stop),
    /// Offsets cannot be preserved any more.
    CannotPlace(Stop),
}

/// What establishing found out about a partition and its offsets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Ground {
    /// Whether the destination's cleaner takes the topic.
    pub(crate) compacted: bool,
    /// What decides which records its topic takes, as far as that may be read.
    pub(crate) taking: Option<u64>,
    /// Whether records of the destination topic may be deleted in front.
    pub(crate) deletes: bool,
    pub(crate) source_start: i64,
    pub(crate) destination_start: i64,
    /// The destination topic's levels of compression.
    pub(crate) levels: Levels,
    /// Why its offsets are mapped, or how they came to be preserved.
    pub(crate) reason: Box<str>,
    /// Up to where the destination's log is padding that nobody needs, of a partition whose offsets were to be preserved.
    pub(crate) padded: i64,
    /// Destination offsets that hold records of this link a second time, first and behind the last.
    pub(crate) copies: Box<[(i64, i64)]>,
    /// What the source no longer has, where it goes on all the same.
    pub(crate) lost: Option<Lost>,
}

/// Gaps of partitions with the same leader, to be filled with markers.
#[derive(Clone, Debug)]
pub(crate) struct FillOrder {
    pub(crate) node: NodeId,
    /// Not to be sent later: another process may own the link then.
    pub(crate) latest: Option<Instant>,
    pub(crate) gaps: Vec<FillGap>,
}

/// One of them, or its first part.
#[derive(Clone, Debug)]
pub(crate) struct FillGap {
    pub(crate) index: Index,
    /// In which life of the partition that was.
    pub(crate) life: u64,
    pub(crate) partition: TopicPartition,
    pub(crate) marker: ProducerIdentity,
    pub(crate) coordinator_epoch: i32,
    /// How many offsets.
    pub(crate) count: i64,
    /// Where the log has to end then.
    pub(crate) end: i64,
    /// Whether the log has to be read before, because others' markers are refused only when the first of this owner stands.
    pub(crate) unfenced: bool,
}

/// What became of a gap.
#[derive(Clone, Debug)]
pub(crate) enum Filled {
    /// The log ends here.
    End(i64),
    /// Nothing was written, because the log ends elsewhere, or cannot be read.
    Elsewhere(String),
    /// Nothing was written: it had become too late for it.
    Late,
    /// Nothing was written.
    Refused(kafka_wire::error_code::ErrorCode),
    /// Whether anything was, or will be, is not known.
    Unknown(String),
}

/// Log starts to be moved, of partitions with the same leader.
#[derive(Clone, Debug)]
pub(crate) struct TrimOrder {
    pub(crate) node: NodeId,
    pub(crate) starts: Vec<(Index, TopicPartition, i64)>,
    /// Whether the topic, one alone, is only compacted: its cleanup policy is another one for the moment.
    pub(crate) compacted: bool,
}
