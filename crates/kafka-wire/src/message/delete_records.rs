//! DeleteRecords: raises the log start of partitions. Goes to each partition's leader.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::{Offset, PartitionId, TopicName};

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// Asks to delete all records below an offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteRecordsRequest {
    /// Topics, each once, with partitions and their new log starts; −1 is the high watermark.
    pub topics: Vec<(TopicName, Vec<(PartitionId, Offset)>)>,
    /// Milliseconds to wait until all replicas have followed.
    pub timeout_ms: i32,
}

/// What became of the partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteRecordsResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// One entry for each topic.
    pub topics: Vec<(TopicName, Vec<TrimmedPartition>)>,
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
        writer.array("topics", &self.topics, |writer, (name, partitions)| {
            writer.string("topic name", name.as_str())?;
            writer.array("partitions", partitions, |writer, (partition, offset)| {
                writer.i32(*partition);
                writer.i64(*offset);
                writer.end();
                Ok(())
            })?;
            writer.end();
            Ok(())
        })?;
        writer.i32(self.timeout_ms);
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<DeleteRecordsResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let topics = reader.array("topics", |reader| {
            let name = reader.topic_name()?;
            let partitions = reader.array("partitions", |reader| {
                let partition = TrimmedPartition {
                    partition: reader.i32("partition")?,
                    low_watermark: reader.i64("low watermark")?,
                    error: reader.error_code()?,
                };
                reader.skip_tags("partition")?;
                Ok(partition)
            })?;
            reader.skip_tags("topic")?;
            Ok((name, partitions))
        })?;
        reader.skip_tags("DeleteRecords")?;
        reader.finish("DeleteRecords")?;
        Ok(DeleteRecordsResponse {
            throttle_time_ms,
            topics,
        })
    }
}
