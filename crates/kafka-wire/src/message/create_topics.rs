//! CreateTopics: topics with partition count, replication factor and configuration in one request.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::{TopicId, TopicName};

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// Asks to create topics. KRaft brokers pass it on to the controller; with ZooKeeper it has to go
/// there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTopicsRequest {
    /// The topics, each once: a name given twice is refused.
    pub topics: Vec<NewTopic>,
    /// Milliseconds to wait until the topics are there.
    pub timeout_ms: i32,
    /// Only check, create nothing.
    pub validate_only: bool,
}

/// A topic to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: TopicName,
    /// Number of partitions; −1 for the broker's `num.partitions`.
    pub partitions: i32,
    /// Number of replicas; −1 for the broker's `default.replication.factor`.
    pub replication_factor: i16,
    /// Configuration overrides: key and value.
    pub configs: Vec<(String, Option<String>)>,
}

/// What became of the topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTopicsResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// One entry for each topic.
    pub topics: Vec<CreatedTopic>,
}

/// What became of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// The topic.
    pub name: TopicName,
    /// Its id; zero with an error, when only validating, and below version 7.
    pub id: TopicId,
    /// TOPIC_ALREADY_EXISTS, INVALID_CONFIG, …, or NONE.
    pub error: ErrorCode,
    /// The broker's words about the error.
    pub error_message: Option<String>,
    /// Number of partitions; −1 with an error or if the principal may not describe the topic.
    pub partitions: i32,
    /// Number of replicas; −1 likewise.
    pub replication_factor: i16,
}

impl Request for CreateTopicsRequest {
    type Response = CreateTopicsResponse;
    const API: ApiKey = ApiKey::CREATE_TOPICS;
    const VERSIONS: VersionRange = VersionRange::new(4, 7);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.array("topics", &self.topics, |writer, topic| {
            writer.string("topic name", topic.name.as_str())?;
            writer.i32(topic.partitions);
            writer.i16(topic.replication_factor);
            writer.length("replica assignments", 0)?;
            writer.array("configuration", &topic.configs, |writer, (key, value)| {
                writer.string("configuration key", key)?;
                writer.nullable_string("configuration value", value.as_deref())?;
                writer.end();
                Ok(())
            })?;
            writer.end();
            Ok(())
        })?;
        writer.i32(self.timeout_ms);
        writer.bool(self.validate_only);
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<CreateTopicsResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let topics = reader.array("topics", read_topic)?;
        reader.skip_tags("CreateTopics")?;
        reader.finish("CreateTopics")?;
        Ok(CreateTopicsResponse {
            throttle_time_ms,
            topics,
        })
    }
}

fn read_topic(reader: &mut Reader) -> Result<CreatedTopic, DecodeError> {
    let mut topic = CreatedTopic {
        name: reader.topic_name()?,
        id: if reader.since(7) {
            reader.topic_id()?
        } else {
            TopicId::ZERO
        },
        error: reader.error_code()?,
        error_message: reader.nullable_string("error message")?,
        partitions: -1,
        replication_factor: -1,
    };
    if reader.since(5) {
        topic.partitions = reader.i32("partitions")?;
        topic.replication_factor = reader.i16("replication factor")?;
        reader.nullable_array("configuration", |reader| {
            reader.string("configuration key")?;
            reader.nullable_string("configuration value")?;
            reader.bool("read-only")?;
            reader.i8("configuration source")?;
            reader.bool("sensitive")?;
            reader.skip_tags("configuration")
        })?;
    }
    reader.skip_tags("topic")?;
    Ok(topic)
}
