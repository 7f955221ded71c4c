//! EndTxn: commits or aborts a transaction.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::ProducerIdentity;

use super::reader::Reader;
use super::writer::Writer;
use super::{
    ApiKey, DecodeError, EncodeError, Request, Transaction, TransactionVersion, VersionRange,
};

/// Ends a transaction. Goes to the coordinator of the transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndTxnRequest {
    /// The transaction.
    pub transaction: Transaction,
    /// How its transactions are dealt with: decides the version.
    pub transaction_version: TransactionVersion,
    /// Commit or abort.
    pub commit: bool,
}

/// Whether the transaction is ended. The coordinator has decided then; the markers may follow later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTxnResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// INVALID_TXN_STATE, PRODUCER_FENCED, TRANSACTION_ABORTABLE (KIP-890), …, or NONE.
    pub error: ErrorCode,
    /// The identity of the next transaction, from version 5 on. Another producer id where the epochs
    /// of the last one are used up.
    pub next: Option<ProducerIdentity>,
}

impl Request for EndTxnRequest {
    type Response = EndTxnResponse;
    const API: ApiKey = ApiKey::END_TXN;
    const VERSIONS: VersionRange = VersionRange::new(0, 5);

    fn versions(&self) -> VersionRange {
        self.transaction_version.narrow(Self::VERSIONS)
    }

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        self.transaction_version.check::<Self>(version, &writer)?;
        self.transaction.write(&mut writer)?;
        writer.bool(self.commit);
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<EndTxnResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let error = reader.error_code()?;
        let next = if reader.since(5) {
            let (id, epoch) = (reader.i64("producer id")?, reader.i16("producer epoch")?);
            (id >= 0 && epoch >= 0).then_some(ProducerIdentity { id, epoch })
        } else {
            None
        };
        reader.skip_tags("EndTxn")?;
        reader.finish("EndTxn")?;
        Ok(EndTxnResponse {
            throttle_time_ms,
            error,
            next,
        })
    }
}
