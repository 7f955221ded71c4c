//! ListOffsets: log start, end, and offsets by time. Goes to the partition's leader.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::{LeaderEpoch, Offset, PartitionId};

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, ByTopic, DecodeError, EncodeError, IsolationLevel, Request, VersionRange};

/// Asks for the end: the high watermark, or the last stable offset when reading committed.
pub const LATEST: i64 = -1;
/// Asks for the log start.
pub const EARLIEST: i64 = -2;

/// Who asks is no replica: the end is the high watermark, or the last stable offset.
pub const CONSUMER: i32 = -1;
/// Who asks looks for a fault: the end is that of the broker's own log, also of what is not replicated yet. A broker answers
/// whether it leads or not.
pub const DEBUGGER: i32 = -2;

/// Asks for offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListOffsetsRequest {
    /// [`CONSUMER`] or [`DEBUGGER`].
    pub replica: i32,
    /// What "end" means to a consumer.
    pub isolation_level: IsolationLevel,
    /// Topics, each once, with partitions, each once: a broker answers a second mention with
    /// INVALID_REQUEST.
    pub topics: ByTopic<ListOffsetsPartition>,
    /// Milliseconds a broker may take to ask remote storage; from version 10 on (KIP-1075).
    pub timeout_ms: i32,
}

/// What to ask about one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListOffsetsPartition {
    /// The partition.
    pub partition: PartitionId,
    /// The leader epoch as known here; −1 to not compare it. A broker with another one answers
    /// FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH.
    pub current_leader_epoch: LeaderEpoch,
    /// [`LATEST`], [`EARLIEST`], or milliseconds since 1970: the first record at or after it.
    pub timestamp: i64,
}

/// Offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListOffsetsResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// One entry for each topic and partition asked about.
    pub topics: ByTopic<ListedOffset>,
}

/// The offset found in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedOffset {
    /// The partition.
    pub partition: PartitionId,
    /// Why there is no offset, or NONE.
    pub error: ErrorCode,
    /// Time of the record found, in milliseconds since 1970; −1 for [`LATEST`] and [`EARLIEST`],
    /// and if there is none.
    pub timestamp: i64,
    /// The offset; −1 if there is no such record.
    pub offset: Offset,
    /// Leader epoch of the record at the offset; −1 if unknown.
    pub leader_epoch: LeaderEpoch,
}

impl Request for ListOffsetsRequest {
    type Response = ListOffsetsResponse;
    const API: ApiKey = ApiKey::LIST_OFFSETS;
    const VERSIONS: VersionRange = VersionRange::new(5, 10);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.i32(self.replica);
        writer.i8(self.isolation_level.wire());
        writer.by_topic(&self.topics, |writer, partition| {
            writer.i32(partition.partition);
            writer.i32(partition.current_leader_epoch);
            writer.i64(partition.timestamp);
            Ok(())
        })?;
        if writer.since(10) {
            writer.i32(self.timeout_ms);
        }
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<ListOffsetsResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let topics = reader.by_topic(|reader| {
            Ok(ListedOffset {
                partition: reader.i32("partition")?,
                error: reader.error_code()?,
                timestamp: reader.i64("timestamp")?,
                offset: reader.i64("offset")?,
                leader_epoch: reader.i32("leader epoch")?,
            })
        })?;
        reader.skip_tags("ListOffsets")?;
        reader.finish("ListOffsets")?;
        Ok(ListOffsetsResponse {
            throttle_time_ms,
            topics,
        })
    }
}
