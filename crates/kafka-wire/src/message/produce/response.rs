//! The Produce answer.

use bytes::Bytes;

use crate::error_code::ErrorCode;
use crate::message::reader::Reader;
use crate::message::{Broker, CurrentLeader, DecodeError, TopicRef};
use crate::types::{Offset, PartitionId};

use super::request::{BY_ID, ProduceRequest};

/// What became of the batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceResponse {
    /// One entry for each topic.
    pub topics: Vec<ProducedTopic>,
    /// Milliseconds for which the broker does not read from this connection (a quota).
    pub throttle_time_ms: i32,
    /// Addresses of the brokers that `current_leader` names, from version 10 on (KIP-951).
    pub node_endpoints: Vec<Broker>,
}

/// What became of the batches for one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducedTopic {
    /// The topic: by name up to version 12, by id from 13 on.
    pub topic: TopicRef,
    /// One entry for each partition.
    pub partitions: Vec<ProducedPartition>,
}

/// What became of the batch for one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducedPartition {
    /// The partition.
    pub partition: PartitionId,
    /// Why the batch was not appended, or NONE.
    pub error: ErrorCode,
    /// Offset of the first record, also of a batch recognised as a duplicate; −1 with an error.
    pub base_offset: Offset,
    /// The broker's time, in milliseconds since 1970, where it replaced the records' times
    /// (LogAppendTime); otherwise −1.
    pub log_append_time_ms: i64,
    /// First offset in the log; −1 with an error.
    pub log_start_offset: Offset,
    /// The records that made the broker refuse the batch.
    pub record_errors: Vec<RecordError>,
    /// The broker's words about the error.
    pub error_message: Option<String>,
    /// The leader, if the broker asked is not it; from version 10 on.
    pub current_leader: Option<CurrentLeader>,
}

/// A record that made the broker refuse its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Index of the record in the batch.
    pub batch_index: i32,
    /// The broker's words about it.
    pub message: Option<String>,
}

pub(super) fn decode(version: i16, body: Bytes) -> Result<ProduceResponse, DecodeError> {
    let mut reader = Reader::open::<ProduceRequest>(version, body)?;
    let topics = reader.array("topics", |reader| {
        let topic = reader.topic(BY_ID)?;
        let partitions = reader.array("partitions", read_partition)?;
        reader.skip_tags("topic")?;
        Ok(ProducedTopic { topic, partitions })
    })?;
    let throttle_time_ms = reader.i32("throttle time")?;
    let mut node_endpoints = Vec::new();
    reader.tags("Produce", |tag, reader| {
        if tag == 0 {
            node_endpoints = reader.array("node endpoints", Broker::read)?;
        }
        Ok(tag == 0)
    })?;
    reader.finish("Produce")?;
    Ok(ProduceResponse {
        topics,
        throttle_time_ms,
        node_endpoints,
    })
}

fn read_partition(reader: &mut Reader) -> Result<ProducedPartition, DecodeError> {
    let mut partition = ProducedPartition {
        partition: reader.i32("partition")?,
        error: reader.error_code()?,
        base_offset: reader.i64("base offset")?,
        log_append_time_ms: reader.i64("append time")?,
        log_start_offset: reader.i64("log start offset")?,
        record_errors: reader.array("record errors", |reader| {
            let error = RecordError {
                batch_index: reader.i32("record index")?,
                message: reader.nullable_string("record error")?,
            };
            reader.skip_tags("record error")?;
            Ok(error)
        })?,
        error_message: reader.nullable_string("error message")?,
        current_leader: None,
    };
    reader.tags("partition", |tag, reader| {
        if tag == 0 {
            partition.current_leader = CurrentLeader::read(reader)?;
        }
        Ok(tag == 0)
    })?;
    Ok(partition)
}
