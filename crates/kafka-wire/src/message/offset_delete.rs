//! OffsetDelete: forgets offsets of a group (KIP-496). Goes to the coordinator of the group.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::PartitionId;

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, ByTopic, DecodeError, EncodeError, PartitionOutcome, Request, VersionRange};

/// Deletes offsets of a group. Kafka 3.9 deletes an empty group with its last offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetDeleteRequest {
    /// The group.
    pub group: String,
    /// Topics, each once, with partitions.
    pub topics: ByTopic<PartitionId>,
}

/// What became of the offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetDeleteResponse {
    /// NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND, …, or NONE.
    pub error: ErrorCode,
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// One entry for each partition; GROUP_SUBSCRIBED_TO_TOPIC where a member reads the topic.
    pub topics: ByTopic<PartitionOutcome>,
}

impl Request for OffsetDeleteRequest {
    type Response = OffsetDeleteResponse;
    const API: ApiKey = ApiKey::OFFSET_DELETE;
    const VERSIONS: VersionRange = VersionRange::new(0, 0);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.string("group", &self.group)?;
        writer.numbers_by_topic(&self.topics)?;
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<OffsetDeleteResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let answer = OffsetDeleteResponse {
            error: reader.error_code()?,
            throttle_time_ms: reader.i32("throttle time")?,
            topics: reader.by_topic(PartitionOutcome::read)?,
        };
        reader.finish("OffsetDelete")?;
        Ok(answer)
    }
}
