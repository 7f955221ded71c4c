//! The Produce request, as segments for a vectored write.

use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::batch::HEADER_SIZE;
use crate::frame::LENGTH_PREFIX;
use crate::message::by_topic::has_equals;
use crate::message::writer::Writer;
use crate::message::{
    ApiKey, DecodeError, EncodeError, EncodeProblem, Request, TransactionVersion, VersionRange,
    encode_request_header,
};
use crate::types::{PartitionId, TopicId, TopicName};

use super::response::{ProduceResponse, decode};

/// Asks a broker to append batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceRequest {
    /// −1 to be answered once all in-sync replicas have the batches, 1 for the leader alone.
    pub acks: i16,
    /// Milliseconds the broker may wait for the replicas.
    pub timeout_ms: i32,
    /// The transactional id, needed for transactional batches, and how its transactions are dealt with: decides
    /// the versions.
    pub transactional_id: Option<(String, TransactionVersion)>,
    /// The batches, grouped by topic; each topic once.
    pub topics: Vec<ProduceTopic>,
}

/// Batches for one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceTopic {
    /// The topic's name; not sent from version 13 on.
    pub name: TopicName,
    /// The topic's id; sent from version 13 on, and then not zero.
    pub id: TopicId,
    /// The batches; each partition once.
    pub partitions: Vec<ProducePartition>,
}

/// A batch for one partition.
#[derive(Clone, PartialEq, Eq)]
pub struct ProducePartition {
    /// The partition.
    pub partition: PartitionId,
    /// The batch's header, rewritten for the destination.
    pub header: [u8; HEADER_SIZE],
    /// The batch from byte 61 on, as the source sent it.
    pub payload: Bytes,
}

/// Records are not printed, only their size.
impl fmt::Debug for ProducePartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProducePartition")
            .field("partition", &self.partition)
            .field("payload_bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

impl ProduceRequest {
    /// Appends the whole frame to `out`, length and header included, as segments to be written one
    /// after the other. Payloads are shared, not copied; see the module for the layout.
    ///
    /// # Errors
    /// [`EncodeError`] if `version` is not in [`Self::VERSIONS`](Request::VERSIONS) or cannot
    /// express the request, or if a topic or partition is named twice. `out` is then unchanged.
    pub fn encode_segments(
        &self,
        version: i16,
        correlation_id: i32,
        client_id: &str,
        out: &mut Vec<Bytes>,
    ) -> Result<(), EncodeError> {
        let mut framing = BytesMut::with_capacity(self.framing_estimate(client_id));
        framing.extend_from_slice(&[0; LENGTH_PREFIX]);
        encode_request_header(Self::API, version, correlation_id, client_id, &mut framing);
        let mut payloads = Vec::with_capacity(self.topics.iter().map(|t| t.partitions.len()).sum());
        self.write_framing(version, &mut framing, &mut payloads)?;

        let payload_bytes: usize = payloads.iter().map(|(_, payload)| payload.len()).sum();
        let length = framing.len() - LENGTH_PREFIX + payload_bytes;
        let prefix = i32::try_from(length).map_err(|_| EncodeError {
            api: Self::API,
            version,
            what: "frame",
            problem: EncodeProblem::TooLong { length },
        })?;
        framing[..LENGTH_PREFIX].copy_from_slice(&prefix.to_be_bytes());
        interleave(framing.freeze(), payloads, out);
        Ok(())
    }

    /// Bytes the framing takes, roughly from above: room for it is reserved at once.
    fn framing_estimate(&self, client_id: &str) -> usize {
        let transactional_id = self.transactional_id.as_ref().map_or(0, |(id, _)| id.len());
        let topics = self.topics.iter().map(|topic| {
            32 + topic.name.as_str().len() + topic.partitions.len() * (HEADER_SIZE + 16)
        });
        64 + client_id.len() + transactional_id + topics.sum::<usize>()
    }

    /// Writes the body without the payloads, and notes for each where in `framing` it belongs.
    fn write_framing(
        &self,
        version: i16,
        framing: &mut BytesMut,
        payloads: &mut Vec<(usize, Bytes)>,
    ) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, framing)?;
        if self.names_something_twice(writer.since(BY_ID)) {
            return Err(writer.error("topics", EncodeProblem::Twice));
        }
        let range = self.versions();
        if self.transactional_id.is_some() && !range.contains(version) {
            return Err(writer.error("transaction version", EncodeProblem::Version { range }));
        }
        let transactional_id = self.transactional_id.as_ref().map(|(id, _)| id.as_str());
        writer.nullable_string("transactional id", transactional_id)?;
        writer.i16(self.acks);
        writer.i32(self.timeout_ms);
        writer.array("topics", &self.topics, |writer, topic| {
            writer.topic(BY_ID, &topic.name, topic.id)?;
            writer.array("partitions", &topic.partitions, |writer, partition| {
                writer.i32(partition.partition);
                writer.length("batch", HEADER_SIZE + partition.payload.len())?;
                writer.raw(&partition.header);
                payloads.push((writer.position(), partition.payload.clone()));
                writer.end();
                Ok(())
            })?;
            writer.end();
            Ok(())
        })?;
        writer.end();
        Ok(())
    }

    fn names_something_twice(&self, by_id: bool) -> bool {
        let topic_twice = if by_id {
            has_equals(self.topics.iter().map(|topic| topic.id))
        } else {
            has_equals(self.topics.iter().map(|topic| topic.name.as_str()))
        };
        topic_twice
            || self.topics.iter().any(|topic| {
                has_equals(topic.partitions.iter().map(|partition| partition.partition))
            })
    }
}

/// The last version whose transactional batches go to partitions that were announced (KIP-890).
const LAST_ANNOUNCED: i16 = 11;

/// The first version that names topics by id.
pub(super) const BY_ID: i16 = 13;

/// Cuts `framing` where the payloads belong and puts them in between.
fn interleave(mut framing: Bytes, payloads: Vec<(usize, Bytes)>, out: &mut Vec<Bytes>) {
    out.reserve(2 * payloads.len() + 1);
    let mut taken = 0;
    for (position, payload) in payloads {
        out.push(framing.split_to(position - taken));
        taken = position;
        if !payload.is_empty() {
            out.push(payload);
        }
    }
    if !framing.is_empty() {
        out.push(framing);
    }
}

impl Request for ProduceRequest {
    type Response = ProduceResponse;
    const API: ApiKey = ApiKey::PRODUCE;
    /// Kafka 2.4 speaks up to 8; below 8 an answer does not say which record was refused.
    const VERSIONS: VersionRange = VersionRange::new(8, 13);

    /// Copies the payloads; the data path uses [`ProduceRequest::encode_segments`].
    /// Versions that can express this request: up to 12 where the id of a topic is not known. Any
    /// broker may advertise more; a cluster whose `inter.broker.protocol.version` is below 2.8 has
    /// no ids all the same. For transactions only those that mean the right way of dealing with them.
    fn versions(&self) -> VersionRange {
        let topics = self.topics.iter().map(|topic| topic.id);
        let range = Self::VERSIONS.without_ids(BY_ID, topics);
        match &self.transactional_id {
            None => range,
            Some((_, TransactionVersion::Announced)) => range.until_if(LAST_ANNOUNCED, true),
            Some((_, TransactionVersion::EpochPerTransaction)) => {
                range.since_if(LAST_ANNOUNCED + 1, true)
            }
        }
    }

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut framing = BytesMut::new();
        let mut payloads = Vec::new();
        self.write_framing(version, &mut framing, &mut payloads)?;
        let mut segments = Vec::new();
        interleave(framing.freeze(), payloads, &mut segments);
        for segment in segments {
            out.extend_from_slice(&segment);
        }
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<ProduceResponse, DecodeError> {
        decode(version, body)
    }
}
