//! AddPartitionsToTxn: announces partitions before the first batch of a transaction goes there.
//!
//! The form of clients only. Versions 4 and 5 belong to brokers, which check with them whether a
//! producer has announced what it sends (KIP-890): they need CLUSTER_ACTION.

use bytes::{Bytes, BytesMut};

use crate::types::PartitionId;

use super::reader::Reader;
use super::writer::Writer;
use super::{
    ApiKey, ByTopic, DecodeError, EncodeError, PartitionOutcome, Request, Transaction, VersionRange,
};

/// Announces partitions. Goes to the coordinator of the transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddPartitionsToTxnRequest {
    /// The transaction; the first partition begins it.
    pub transaction: Transaction,
    /// Topics, each once, with partitions.
    pub topics: ByTopic<PartitionId>,
}

/// Whether the partitions are announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddPartitionsToTxnResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// One entry for each partition. CONCURRENT_TRANSACTIONS while the last transaction is being
    /// ended. All or nothing: beside one that failed, the others have OPERATION_NOT_ATTEMPTED.
    pub topics: ByTopic<PartitionOutcome>,
}

impl Request for AddPartitionsToTxnRequest {
    type Response = AddPartitionsToTxnResponse;
    const API: ApiKey = ApiKey::ADD_PARTITIONS_TO_TXN;
    const VERSIONS: VersionRange = VersionRange::new(0, 3);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        self.transaction.write(&mut writer)?;
        writer.numbers_by_topic(&self.topics)?;
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<AddPartitionsToTxnResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let topics = reader.by_topic(PartitionOutcome::read)?;
        reader.skip_tags("AddPartitionsToTxn")?;
        reader.finish("AddPartitionsToTxn")?;
        Ok(AddPartitionsToTxnResponse {
            throttle_time_ms,
            topics,
        })
    }
}
