//! CreatePartitions: more partitions for topics that exist.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::TopicName;

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// Asks to grow topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatePartitionsRequest {
    /// Topics and their new *total* number of partitions; each topic once.
    pub topics: Vec<(TopicName, i32)>,
    /// Milliseconds to wait until the partitions are there.
    pub timeout_ms: i32,
    /// Only check, create nothing.
    pub validate_only: bool,
}

/// What became of the topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatePartitionsResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// One entry for each topic.
    pub topics: Vec<GrownTopic>,
}

/// What became of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrownTopic {
    /// The topic.
    pub name: TopicName,
    /// INVALID_PARTITIONS if it has as many or more, other errors, or NONE.
    pub error: ErrorCode,
    /// The broker's words about the error.
    pub error_message: Option<String>,
}

impl Request for CreatePartitionsRequest {
    type Response = CreatePartitionsResponse;
    const API: ApiKey = ApiKey::CREATE_PARTITIONS;
    const VERSIONS: VersionRange = VersionRange::new(1, 3);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.array("topics", &self.topics, |writer, (name, count)| {
            writer.string("topic name", name.as_str())?;
            writer.i32(*count);
            // Null lets the broker place the replicas.
            writer.null_array();
            writer.end();
            Ok(())
        })?;
        writer.i32(self.timeout_ms);
        writer.bool(self.validate_only);
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<CreatePartitionsResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let topics = reader.array("topics", |reader| {
            let topic = GrownTopic {
                name: reader.topic_name()?,
                error: reader.error_code()?,
                error_message: reader.nullable_string("error message")?,
            };
            reader.skip_tags("topic")?;
            Ok(topic)
        })?;
        reader.skip_tags("CreatePartitions")?;
        reader.finish("CreatePartitions")?;
        Ok(CreatePartitionsResponse {
            throttle_time_ms,
            topics,
        })
    }
}
