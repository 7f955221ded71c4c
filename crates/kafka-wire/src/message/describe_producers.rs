//! DescribeProducers: the producers a partition's leader remembers; since Kafka 2.8 (KIP-664).

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::{Offset, PartitionId};

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, ByTopic, DecodeError, EncodeError, Request, VersionRange};

/// Asks for producers. Goes to each partition's leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeProducersRequest {
    /// Topics, each once, with partitions.
    pub topics: ByTopic<PartitionId>,
}

/// Producers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeProducersResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// One entry for each topic.
    pub topics: ByTopic<PartitionProducers>,
}

/// The producers of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionProducers {
    /// The partition.
    pub partition: PartitionId,
    /// Why there is no answer, or NONE.
    pub error: ErrorCode,
    /// The broker's words about the error.
    pub error_message: Option<String>,
    /// The producers the leader remembers.
    pub producers: Vec<ActiveProducer>,
}

/// A producer the leader remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveProducer {
    /// Producer id.
    pub producer_id: i64,
    /// Producer epoch; wider here than in a batch.
    pub producer_epoch: i32,
    /// Sequence of the last record; −1 if the leader remembers only markers.
    pub last_sequence: i32,
    /// Time of the last record, in milliseconds since 1970.
    pub last_timestamp: i64,
    /// Epoch of the coordinator that wrote the last marker; −1 for none.
    pub coordinator_epoch: i32,
    /// Where the open transaction begins; `None` if none is open.
    pub transaction_start: Option<Offset>,
}

impl Request for DescribeProducersRequest {
    type Response = DescribeProducersResponse;
    const API: ApiKey = ApiKey::DESCRIBE_PRODUCERS;
    const VERSIONS: VersionRange = VersionRange::new(0, 0);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.numbers_by_topic(&self.topics)?;
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<DescribeProducersResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let topics = reader.by_topic(read_partition)?;
        reader.skip_tags("DescribeProducers")?;
        reader.finish("DescribeProducers")?;
        Ok(DescribeProducersResponse {
            throttle_time_ms,
            topics,
        })
    }
}

fn read_partition(reader: &mut Reader) -> Result<PartitionProducers, DecodeError> {
    Ok(PartitionProducers {
        partition: reader.i32("partition")?,
        error: reader.error_code()?,
        error_message: reader.nullable_string("error message")?,
        producers: reader.array("producers", read_producer)?,
    })
}

fn read_producer(reader: &mut Reader) -> Result<ActiveProducer, DecodeError> {
    let producer = ActiveProducer {
        producer_id: reader.i64("producer id")?,
        producer_epoch: reader.i32("producer epoch")?,
        last_sequence: reader.i32("last sequence")?,
        last_timestamp: reader.i64("last timestamp")?,
        coordinator_epoch: reader.i32("coordinator epoch")?,
        transaction_start: Some(reader.i64("transaction start")?).filter(|offset| *offset >= 0),
    };
    reader.skip_tags("producer")?;
    Ok(producer)
}
