//! The Fetch answer.

use std::fmt;

use bytes::Bytes;

use crate::batch::AbortedTransaction;
use crate::error_code::ErrorCode;
use crate::message::reader::Reader;
use crate::message::{Broker, CurrentLeader, DecodeError, TopicRef};
use crate::types::{LeaderEpoch, NodeId, Offset, PartitionId};

use super::request::{BY_ID, FetchRequest};

/// Batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchResponse {
    /// Milliseconds for which the broker does not read from this connection (a quota).
    pub throttle_time_ms: i32,
    /// Error of the whole request: FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH, …, or
    /// NONE.
    pub error: ErrorCode,
    /// The session; 0 for none.
    pub session_id: i32,
    /// The partitions with something to say, grouped by topic.
    pub topics: Vec<FetchedTopic>,
    /// Addresses of the brokers that `current_leader` names, from version 16 on (KIP-951).
    pub node_endpoints: Vec<Broker>,
}

impl FetchResponse {
    /// The answer to a request that asked for [one partition](FetchRequest::of_one); it may carry an error.
    ///
    /// # Errors
    /// The error of the whole answer, where it says nothing of any partition.
    pub fn into_one(self) -> Result<FetchedPartition, ErrorCode> {
        let mut partitions = self.topics.into_iter().flat_map(|topic| topic.partitions);
        partitions.next().ok_or(self.error)
    }
}

/// Partitions of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedTopic {
    /// The topic: by name up to version 12, by id from 13 on.
    pub topic: TopicRef,
    /// Its partitions.
    pub partitions: Vec<FetchedPartition>,
}

/// What was read from one partition.
#[derive(Clone, PartialEq, Eq)]
pub struct FetchedPartition {
    /// The partition.
    pub partition: PartitionId,
    /// NOT_LEADER_OR_FOLLOWER, OFFSET_OUT_OF_RANGE, …, or NONE.
    pub error: ErrorCode,
    /// First offset that not all replicas have; −1 with an error.
    pub high_watermark: Offset,
    /// First offset of the oldest open transaction, or the high watermark; −1 with an error.
    pub last_stable_offset: Offset,
    /// First offset in the log; −1 with an error.
    pub log_start_offset: Offset,
    /// Aborted transactions that overlap `records`; empty when not reading committed.
    pub aborted: Vec<AbortedTransaction>,
    /// A replica to read from instead; then `records` is empty (KIP-392).
    pub preferred_read_replica: Option<NodeId>,
    /// Epoch and end offset where the logs diverge: what was read beyond it is gone at the source.
    pub diverging_epoch: Option<(LeaderEpoch, Offset)>,
    /// The leader, if the broker asked is not it.
    pub current_leader: Option<CurrentLeader>,
    /// Batches one after the other; a slice of the answer. The last one may be cut off anywhere.
    pub records: Bytes,
}

impl FetchedPartition {
    /// What was read, where there was no error.
    ///
    /// # Errors
    /// The partition's.
    pub fn without_error(self) -> Result<Self, ErrorCode> {
        match self.error {
            ErrorCode::NONE => Ok(self),
            code => Err(code),
        }
    }
}

/// Records are not printed, only their size.
impl fmt::Debug for FetchedPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchedPartition")
            .field("partition", &self.partition)
            .field("error", &self.error)
            .field("high_watermark", &self.high_watermark)
            .field("last_stable_offset", &self.last_stable_offset)
            .field("log_start_offset", &self.log_start_offset)
            .field("aborted", &self.aborted)
            .field("preferred_read_replica", &self.preferred_read_replica)
            .field("diverging_epoch", &self.diverging_epoch)
            .field("current_leader", &self.current_leader)
            .field("records_bytes", &self.records.len())
            .finish()
    }
}

pub(super) fn decode(version: i16, body: Bytes) -> Result<FetchResponse, DecodeError> {
    let mut reader = Reader::open::<FetchRequest>(version, body)?;
    let throttle_time_ms = reader.i32("throttle time")?;
    let error = reader.error_code()?;
    let session_id = reader.i32("session id")?;
    let topics = reader.array("topics", |reader| {
        let topic = reader.topic(BY_ID)?;
        let partitions = reader.array("partitions", read_partition)?;
        reader.skip_tags("topic")?;
        Ok(FetchedTopic { topic, partitions })
    })?;
    let mut node_endpoints = Vec::new();
    reader.tags("Fetch", |tag, reader| {
        if tag == 0 {
            node_endpoints = reader.array("node endpoints", Broker::read)?;
        }
        Ok(tag == 0)
    })?;
    reader.finish("Fetch")?;
    Ok(FetchResponse {
        throttle_time_ms,
        error,
        session_id,
        topics,
        node_endpoints,
    })
}

fn read_partition(reader: &mut Reader) -> Result<FetchedPartition, DecodeError> {
    let mut partition = FetchedPartition {
        partition: reader.i32("partition")?,
        error: reader.error_code()?,
        high_watermark: reader.i64("high watermark")?,
        last_stable_offset: reader.i64("last stable offset")?,
        log_start_offset: reader.i64("log start offset")?,
        aborted: reader
            .nullable_array("aborted transactions", read_aborted)?
            .unwrap_or_default(),
        preferred_read_replica: Some(reader.node_id("preferred read replica")?)
            .filter(|node| node.0 >= 0),
        diverging_epoch: None,
        current_leader: None,
        records: reader.bytes("records")?,
    };
    reader.tags("partition", |tag, reader| match tag {
        0 => {
            let epoch = reader.i32("diverging epoch")?;
            let end_offset = reader.i64("diverging epoch's end")?;
            reader.skip_tags("diverging epoch")?;
            partition.diverging_epoch = (epoch >= 0).then_some((epoch, end_offset));
            Ok(true)
        }
        1 => {
            partition.current_leader = CurrentLeader::read(reader)?;
            Ok(true)
        }
        // 2 is a snapshot of the metadata log (KIP-630).
        _ => Ok(false),
    })?;
    Ok(partition)
}

fn read_aborted(reader: &mut Reader) -> Result<AbortedTransaction, DecodeError> {
    let aborted = AbortedTransaction {
        producer_id: reader.i64("aborted producer id")?,
        first_offset: reader.i64("aborted first offset")?,
    };
    reader.skip_tags("aborted transaction")?;
    Ok(aborted)
}
