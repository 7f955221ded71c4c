//! DescribeLogDirs: how many bytes a broker's replicas take.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::{PartitionId, TopicName};

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// Asks one broker about all of its replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeLogDirsRequest;

/// The broker's directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeLogDirsResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// CLUSTER_AUTHORIZATION_FAILED and others from version 3 on, else NONE; below, a principal that
    /// may not ask gets no directories.
    pub error: ErrorCode,
    /// One entry for each directory.
    pub directories: Vec<LogDirectory>,
}

/// One directory of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirectory {
    /// KAFKA_STORAGE_ERROR and others, or NONE.
    pub error: ErrorCode,
    /// The replicas in it.
    pub replicas: Vec<ReplicaSize>,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaSize {
    /// Its topic.
    pub topic: TopicName,
    /// Its partition.
    pub partition: PartitionId,
    /// Bytes of its segments.
    pub bytes: i64,
}

impl Request for DescribeLogDirsRequest {
    type Response = DescribeLogDirsResponse;
    const API: ApiKey = ApiKey::DESCRIBE_LOG_DIRS;
    const VERSIONS: VersionRange = VersionRange::new(1, 4);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.null_array();
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<DescribeLogDirsResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let error = if reader.since(3) {
            reader.error_code()?
        } else {
            ErrorCode::NONE
        };
        let directories = reader.array("directories", read_directory)?;
        reader.skip_tags("DescribeLogDirs")?;
        reader.finish("DescribeLogDirs")?;
        Ok(DescribeLogDirsResponse {
            throttle_time_ms,
            error,
            directories,
        })
    }
}

fn read_directory(reader: &mut Reader) -> Result<LogDirectory, DecodeError> {
    let error = reader.error_code()?;
    reader.string("directory")?;
    let topics = reader.array("topics", read_topic)?;
    if reader.since(4) {
        reader.i64("total bytes")?;
        reader.i64("usable bytes")?;
    }
    reader.skip_tags("directory")?;
    Ok(LogDirectory {
        error,
        replicas: topics.into_iter().flatten().collect(),
    })
}

fn read_topic(reader: &mut Reader) -> Result<Vec<ReplicaSize>, DecodeError> {
    let topic = reader.topic_name()?;
    let replicas = reader.array("partitions", |reader| {
        let replica = ReplicaSize {
            topic: topic.clone(),
            partition: reader.i32("partition")?,
            bytes: reader.i64("bytes")?,
        };
        reader.i64("offset lag")?;
        reader.bool("future")?;
        reader.skip_tags("partition")?;
        Ok(replica)
    })?;
    reader.skip_tags("topic")?;
    Ok(replicas)
}
