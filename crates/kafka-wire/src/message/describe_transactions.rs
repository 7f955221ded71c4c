//! DescribeTransactions: what the coordinator knows of transactional ids; since Kafka 3.0 (KIP-664).

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::{PartitionId, ProducerIdentity};

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, ByTopic, DecodeError, EncodeError, Request, VersionRange};

/// Asks about transactional ids. Goes to the coordinator of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeTransactionsRequest {
    /// The transactional ids.
    pub transactional_ids: Vec<String>,
}

/// Transactional ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeTransactionsResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// One entry for each transactional id.
    pub transactions: Vec<DescribedTransaction>,
}

/// What is known of a transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedTransaction {
    /// TRANSACTIONAL_ID_NOT_FOUND, NOT_COORDINATOR, …, or NONE.
    pub error: ErrorCode,
    /// The transactional id.
    pub transactional_id: String,
    /// `Empty`, `Ongoing`, `PrepareCommit`, `CompleteAbort`, …; empty with an error.
    pub state: String,
    /// Milliseconds after which an open transaction is aborted.
    pub timeout_ms: i32,
    /// When the open transaction began, in milliseconds since 1970; `None` if none is open.
    pub start_time_ms: Option<i64>,
    /// Who may use the transactional id now; `None` if nobody.
    pub producer: Option<ProducerIdentity>,
    /// Partitions of the open transaction, or of the one that is being ended.
    pub topics: ByTopic<PartitionId>,
}

impl Request for DescribeTransactionsRequest {
    type Response = DescribeTransactionsResponse;
    const API: ApiKey = ApiKey::DESCRIBE_TRANSACTIONS;
    const VERSIONS: VersionRange = VersionRange::new(0, 0);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.strings("transactional ids", &self.transactional_ids)?;
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<DescribeTransactionsResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let transactions = reader.array("transactions", read_transaction)?;
        reader.skip_tags("DescribeTransactions")?;
        reader.finish("DescribeTransactions")?;
        Ok(DescribeTransactionsResponse {
            throttle_time_ms,
            transactions,
        })
    }
}

fn read_transaction(reader: &mut Reader) -> Result<DescribedTransaction, DecodeError> {
    let error = reader.error_code()?;
    let transactional_id = reader.string("transactional id")?;
    let state = reader.string("state")?;
    let timeout_ms = reader.i32("timeout")?;
    let start_time_ms = reader.i64("start time")?;
    let (id, epoch) = (reader.i64("producer id")?, reader.i16("producer epoch")?);
    let topics = reader.numbers_by_topic()?;
    reader.skip_tags("transaction")?;
    let open = error.is_none() && start_time_ms >= 0;
    let known = error.is_none() && id >= 0 && epoch >= 0;
    Ok(DescribedTransaction {
        error,
        transactional_id,
        state,
        timeout_ms,
        start_time_ms: open.then_some(start_time_ms),
        producer: known.then_some(ProducerIdentity { id, epoch }),
        topics,
    })
}
