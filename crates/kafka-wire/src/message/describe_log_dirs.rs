//! DescribeLogDirs: how much room partitions take on a broker's disks. Every broker answers for
//! itself; needs DESCRIBE on the cluster.
//!
//! Deliberately absent: version 5, which says which directories take no new partitions.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::PartitionId;

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, ByTopic, DecodeError, EncodeError, Request, VersionRange};

/// Asks for the sizes of partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeLogDirsRequest {
    /// Topics, each once, with partitions; `None` for all that are on the broker.
    pub topics: Option<ByTopic<PartitionId>>,
}

/// The directories of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeLogDirsResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// CLUSTER_AUTHORIZATION_FAILED, …, or NONE. Below version 3 there is nothing but an empty
    /// answer then.
    pub error: ErrorCode,
    /// The directories; also those that hold nothing that was asked for.
    pub directories: Vec<LogDirectory>,
}

/// A directory of logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirectory {
    /// KAFKA_STORAGE_ERROR of a disk that failed, or NONE.
    pub error: ErrorCode,
    /// Where it is.
    pub path: String,
    /// Its partitions.
    pub topics: ByTopic<PartitionSize>,
    /// Bytes of the file system, from version 4 on (KIP-827).
    pub total_bytes: Option<i64>,
    /// Bytes of it that are free, from version 4 on.
    pub usable_bytes: Option<i64>,
}

/// How much room a replica takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionSize {
    /// The partition.
    pub partition: PartitionId,
    /// Bytes of its segments.
    pub bytes: i64,
    /// Records it lacks to the high watermark, or to the log it is to replace.
    pub offset_lag: i64,
    /// Being made in another directory, to replace the log that is there.
    pub future: bool,
}

impl Request for DescribeLogDirsRequest {
    type Response = DescribeLogDirsResponse;
    const API: ApiKey = ApiKey::DESCRIBE_LOG_DIRS;
    const VERSIONS: VersionRange = VersionRange::new(1, 4);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        match &self.topics {
            Some(topics) => writer.numbers_by_topic(topics)?,
            None => writer.null_array(),
        }
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
    let path = reader.string("path")?;
    let topics = reader.by_topic(|reader| {
        Ok(PartitionSize {
            partition: reader.i32("partition")?,
            bytes: reader.i64("size")?,
            offset_lag: reader.i64("offset lag")?,
            future: reader.bool("future")?,
        })
    })?;
    let (total_bytes, usable_bytes) = if reader.since(4) {
        (read_bytes(reader)?, read_bytes(reader)?)
    } else {
        (None, None)
    };
    reader.skip_tags("directory")?;
    Ok(LogDirectory {
        error,
        path,
        topics,
        total_bytes,
        usable_bytes,
    })
}

/// −1 where the broker cannot tell.
fn read_bytes(reader: &mut Reader) -> Result<Option<i64>, DecodeError> {
    Ok(Some(reader.i64("bytes of the file system")?).filter(|bytes| *bytes >= 0))
}
