//! DeleteTopics, by name.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::{TopicId, TopicName};

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// Asks to delete topics with all their records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteTopicsRequest {
    /// The topics, each once.
    pub topics: Vec<TopicName>,
    /// Milliseconds to wait until the topics are gone.
    pub timeout_ms: i32,
}

/// What became of the topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteTopicsResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// One entry for each topic.
    pub topics: Vec<DeletedTopic>,
}

/// What became of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedTopic {
    /// The topic; null where it was named by an id that is unknown, from version 6 on.
    pub name: Option<TopicName>,
    /// Its id; zero below version 6 and where it is unknown.
    pub id: TopicId,
    /// UNKNOWN_TOPIC_OR_PARTITION, TOPIC_DELETION_DISABLED, …, or NONE.
    pub error: ErrorCode,
    /// The broker's words about the error, from version 5 on.
    pub error_message: Option<String>,
}

impl Request for DeleteTopicsRequest {
    type Response = DeleteTopicsResponse;
    const API: ApiKey = ApiKey::DELETE_TOPICS;
    const VERSIONS: VersionRange = VersionRange::new(3, 6);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.array("topics", &self.topics, |writer, topic| {
            writer.string("topic name", topic.as_str())?;
            // From version 6 on an entry is a structure of name and id; before, it is the name.
            if writer.since(6) {
                writer.raw(&TopicId::ZERO.0);
                writer.end();
            }
            Ok(())
        })?;
        writer.i32(self.timeout_ms);
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<DeleteTopicsResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let topics = reader.array("topics", read_topic)?;
        reader.skip_tags("DeleteTopics")?;
        reader.finish("DeleteTopics")?;
        Ok(DeleteTopicsResponse {
            throttle_time_ms,
            topics,
        })
    }
}

fn read_topic(reader: &mut Reader) -> Result<DeletedTopic, DecodeError> {
    let by_id = reader.since(6);
    let topic = DeletedTopic {
        name: if by_id {
            reader.nullable_topic_name()?
        } else {
            Some(reader.topic_name()?)
        },
        id: if by_id {
            reader.topic_id()?
        } else {
            TopicId::ZERO
        },
        error: reader.error_code()?,
        error_message: if reader.since(5) {
            reader.nullable_string("error message")?
        } else {
            None
        },
    };
    reader.skip_tags("topic")?;
    Ok(topic)
}
