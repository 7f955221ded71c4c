//! WriteTxnMarkers: control records, written by the partition's leader as it is told, outside any
//! transaction. Needs ALTER (Kafka 3.8, KIP-664) or CLUSTER_ACTION on the cluster.
//!
//! Not idempotent: the same marker again takes one more offset. Nobody sees a marker, but a marker
//! under the producer id of an open transaction ends that transaction.

use bytes::{Bytes, BytesMut};

use crate::types::{PartitionId, ProducerIdentity, TopicName};

use super::by_topic::has_equals;
use super::reader::Reader;
use super::writer::Writer;
use super::{
    ApiKey, ByTopic, DecodeError, EncodeError, EncodeProblem, PartitionOutcome, Request,
    VersionRange,
};

/// Asks for markers. Goes to each partition's leader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteTxnMarkersRequest {
    /// The markers, in the order in which they take their offsets.
    pub markers: Vec<TxnMarker>,
}

/// One marker in each of some partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnMarker {
    /// The producer. A lower epoch than the leader knows is answered with INVALID_PRODUCER_EPOCH, a
    /// higher one raises it: the producer's next batch then has sequence 0.
    pub producer: ProducerIdentity,
    /// Commit or abort.
    pub commit: bool,
    /// Topics, each once, with partitions, each once: a request that names one twice in a marker is
    /// never answered, so it is refused here.
    pub topics: ByTopic<PartitionId>,
    /// Epoch of whoever coordinates the producer. A lower one than the leader knows for the producer
    /// is answered with TRANSACTION_COORDINATOR_FENCED.
    pub coordinator_epoch: i32,
    /// `transaction.version` the transaction ended with (KIP-1228): from 2 on the leader demands a
    /// higher producer epoch than the one it knows. Anything but 0 needs version 2.
    pub transaction_version: i8,
}

/// What became of the markers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteTxnMarkersResponse {
    /// One entry for each producer id, also where a request has several markers of it: then it says
    /// what became of the last.
    pub producers: Vec<WrittenMarkers>,
}

/// What became of a producer's markers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenMarkers {
    /// Producer id.
    pub producer_id: i64,
    /// Its topics and partitions.
    pub topics: ByTopic<PartitionOutcome>,
}

/// The first version that can say the transaction version.
const WITH_TRANSACTION_VERSION: i16 = 2;

impl Request for WriteTxnMarkersRequest {
    type Response = WriteTxnMarkersResponse;
    const API: ApiKey = ApiKey::WRITE_TXN_MARKERS;
    /// Brokers up to 2.7 speak version 0 only, Kafka 4 does not speak it any more.
    const VERSIONS: VersionRange = VersionRange::new(0, 2);

    fn versions(&self) -> VersionRange {
        let strict = self.markers.iter().any(|m| m.transaction_version != 0);
        Self::VERSIONS.since_if(WITH_TRANSACTION_VERSION, strict)
    }

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.array("markers", &self.markers, |writer, marker| {
            if names_something_twice(&marker.topics) {
                return Err(writer.error("topics", EncodeProblem::Twice));
            }
            writer.i64(marker.producer.id);
            writer.i16(marker.producer.epoch);
            writer.bool(marker.commit);
            writer.numbers_by_topic(&marker.topics)?;
            writer.i32(marker.coordinator_epoch);
            if writer.since(WITH_TRANSACTION_VERSION) {
                writer.i8(marker.transaction_version);
            } else if marker.transaction_version != 0 {
                writer.needs("transaction version", WITH_TRANSACTION_VERSION)?;
            }
            writer.end();
            Ok(())
        })?;
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<WriteTxnMarkersResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let producers = reader.array("markers", |reader| {
            let written = WrittenMarkers {
                producer_id: reader.i64("producer id")?,
                topics: reader.by_topic(PartitionOutcome::read)?,
            };
            reader.skip_tags("marker")?;
            Ok(written)
        })?;
        reader.skip_tags("WriteTxnMarkers")?;
        reader.finish("WriteTxnMarkers")?;
        Ok(WriteTxnMarkersResponse { producers })
    }
}

fn names_something_twice(topics: &[(TopicName, Vec<PartitionId>)]) -> bool {
    has_equals(topics.iter().map(|(name, _)| name))
        || topics
            .iter()
            .any(|(_, partitions)| has_equals(partitions.iter()))
}
