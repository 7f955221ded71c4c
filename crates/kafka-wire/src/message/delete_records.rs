//! DeleteRecords: raises the log start of partitions. Goes to each partition's leader.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::{Offset, PartitionId};

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, ByTopic, DecodeError, EncodeError, Request, VersionRange};

/// Asks to delete all records below an offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteRecordsRequest {
    /// Topics, each once, with partitions and their new log starts; −1 is the high watermark.
    pub topics: ByTopic<(PartitionId, Offset)>,
    /// Milliseconds to wait until all replicas have followed.
    pub timeout_ms: i32,
}

/// What became of the partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteRecordsResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// One entry for each topic.
    pub topics: ByTopic<TrimmedPartition>,
}

/// What became of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrimmedPartition {
    /// The partition.
    pub partition: PartitionId,
    /// The lowest log start among the replicas; −1 with an error.
    pub low_watermark: Offset,
    /// POLICY_VIOLATION where the topic does not have `delete` in its policy, other errors, or
    /// NONE.
    pub error: ErrorCode,
}

impl Request for DeleteRecordsRequest {
    type Response = DeleteRecordsResponse;
    const API: ApiKey = ApiKey::DELETE_RECORDS;
    const VERSIONS: VersionRange = VersionRange::new(1, 2);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.by_topic(&self.topics, |writer, (partition, offset)| {
            writer.i32(*partition);
            writer.i64(*offset);
            Ok(())
        })?;
        writer.i32(self.timeout_ms);
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<DeleteRecordsResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let topics = reader.by_topic(|reader| {
            Ok(TrimmedPartition {
                partition: reader.i32("partition")?,
                low_watermark: reader.i64("low watermark")?,
                error: reader.error_code()?,
            })
        })?;
        reader.skip_tags("DeleteRecords")?;
        reader.finish("DeleteRecords")?;
        Ok(DeleteRecordsResponse {
            throttle_time_ms,
            topics,
        })
    }
}
