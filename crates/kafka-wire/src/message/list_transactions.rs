//! ListTransactions: the transactional ids that one broker coordinates; since Kafka 3.0 (KIP-664).

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// Asks for transactional ids. Every broker answers for itself.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ListTransactionsRequest {
    /// Only these states, `Ongoing` and others; none for all.
    pub states: Vec<String>,
    /// Only these producer ids; none for all.
    pub producer_ids: Vec<i64>,
    /// Only transactions that have been open for this many milliseconds; needs version 1 (KIP-994).
    pub open_for_ms: Option<i64>,
    /// Only transactional ids that match this regular expression of RE2; needs version 2
    /// (KIP-1152).
    pub pattern: Option<String>,
}

/// Transactional ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListTransactionsResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// COORDINATOR_LOAD_IN_PROGRESS while some are not known yet, INVALID_REGULAR_EXPRESSION, …, or
    /// NONE.
    pub error: ErrorCode,
    /// States of the request that the broker does not know.
    pub unknown_states: Vec<String>,
    /// What the principal may describe.
    pub transactions: Vec<ListedTransaction>,
}

/// A transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedTransaction {
    /// The transactional id.
    pub transactional_id: String,
    /// Its producer id.
    pub producer_id: i64,
    /// `Empty`, `Ongoing`, `PrepareCommit`, `CompleteAbort`, ….
    pub state: String,
}

/// The first version that can ask by duration.
const DURATION: i16 = 1;
/// The first version that can ask by pattern.
const PATTERN: i16 = 2;

impl Request for ListTransactionsRequest {
    type Response = ListTransactionsResponse;
    const API: ApiKey = ApiKey::LIST_TRANSACTIONS;
    const VERSIONS: VersionRange = VersionRange::new(0, 2);

    fn versions(&self) -> VersionRange {
        Self::VERSIONS
            .since_if(DURATION, self.open_for_ms.is_some())
            .since_if(PATTERN, self.pattern.is_some())
    }

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.strings("states", &self.states)?;
        writer.array("producer ids", &self.producer_ids, |writer, id| {
            writer.i64(*id);
            Ok(())
        })?;
        if writer.since(DURATION) || self.open_for_ms.is_some() {
            writer.needs("duration", DURATION)?;
            writer.i64(self.open_for_ms.unwrap_or(-1));
        }
        if writer.since(PATTERN) || self.pattern.is_some() {
            writer.needs("pattern", PATTERN)?;
            writer.nullable_string("pattern", self.pattern.as_deref())?;
        }
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<ListTransactionsResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let error = reader.error_code()?;
        let unknown_states = reader.array("states", |reader| reader.string("state"))?;
        let transactions = reader.array("transactions", |reader| {
            let listed = ListedTransaction {
                transactional_id: reader.string("transactional id")?,
                producer_id: reader.i64("producer id")?,
                state: reader.string("state")?,
            };
            reader.skip_tags("transaction")?;
            Ok(listed)
        })?;
        reader.skip_tags("ListTransactions")?;
        reader.finish("ListTransactions")?;
        Ok(ListTransactionsResponse {
            throttle_time_ms,
            error,
            unknown_states,
            transactions,
        })
    }
}
