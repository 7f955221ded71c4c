//! OffsetForLeaderEpoch: where an epoch ends in the leader's log (KIP-101, KIP-320). Tells whether
//! what was read before is still in the log.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::{LeaderEpoch, Offset, PartitionId};

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, ByTopic, DecodeError, EncodeError, Request, VersionRange};

/// Asks where epochs end. Goes to each partition's leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetForLeaderEpochRequest {
    /// Topics, each once, with partitions.
    pub topics: ByTopic<EpochQuery>,
}

/// What to ask about one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochQuery {
    /// The partition.
    pub partition: PartitionId,
    /// The leader epoch as known here; −1 to not compare it.
    pub current_leader_epoch: LeaderEpoch,
    /// The epoch whose end is asked for.
    pub leader_epoch: LeaderEpoch,
}

/// Where epochs end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetForLeaderEpochResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// One entry for each topic.
    pub topics: ByTopic<EpochEnd>,
}

/// Where an epoch ends in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// Why there is no answer, or NONE.
    pub error: ErrorCode,
    /// The partition.
    pub partition: PartitionId,
    /// The largest epoch in the log that is not above the one asked for; −1 if the log knows none.
    pub leader_epoch: LeaderEpoch,
    /// The first offset after that epoch; −1 if the log knows none.
    pub end_offset: Offset,
}

impl Request for OffsetForLeaderEpochRequest {
    type Response = OffsetForLeaderEpochResponse;
    const API: ApiKey = ApiKey::OFFSET_FOR_LEADER_EPOCH;
    const VERSIONS: VersionRange = VersionRange::new(3, 4);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        let not_a_replica = -1;
        writer.i32(not_a_replica);
        writer.by_topic(&self.topics, |writer, query| {
            writer.i32(query.partition);
            writer.i32(query.current_leader_epoch);
            writer.i32(query.leader_epoch);
            Ok(())
        })?;
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<OffsetForLeaderEpochResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let topics = reader.by_topic(|reader| {
            Ok(EpochEnd {
                error: reader.error_code()?,
                partition: reader.i32("partition")?,
                leader_epoch: reader.i32("leader epoch")?,
                end_offset: reader.i64("end offset")?,
            })
        })?;
        reader.skip_tags("OffsetForLeaderEpoch")?;
        reader.finish("OffsetForLeaderEpoch")?;
        Ok(OffsetForLeaderEpochResponse {
            throttle_time_ms,
            topics,
        })
    }
}
