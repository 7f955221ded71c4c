//! AddOffsetsToTxn: announces a group before its offsets are committed within a transaction.
//!
//! Not needed with [`EpochPerTransaction`](super::TransactionVersion::EpochPerTransaction):
//! TxnOffsetCommit does it then.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, Transaction, VersionRange};

/// Announces a group. Goes to the coordinator of the transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddOffsetsToTxnRequest {
    /// The transaction; this may be what begins it.
    pub transaction: Transaction,
    /// The group.
    pub group: String,
}

/// Whether the group is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddOffsetsToTxnResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// CONCURRENT_TRANSACTIONS, PRODUCER_FENCED, GROUP_AUTHORIZATION_FAILED, …, or NONE.
    pub error: ErrorCode,
}

impl Request for AddOffsetsToTxnRequest {
    type Response = AddOffsetsToTxnResponse;
    const API: ApiKey = ApiKey::ADD_OFFSETS_TO_TXN;
    const VERSIONS: VersionRange = VersionRange::new(0, 4);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        self.transaction.write(&mut writer)?;
        writer.string("group", &self.group)?;
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<AddOffsetsToTxnResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let answer = AddOffsetsToTxnResponse {
            throttle_time_ms: reader.i32("throttle time")?,
            error: reader.error_code()?,
        };
        reader.skip_tags("AddOffsetsToTxn")?;
        reader.finish("AddOffsetsToTxn")?;
        Ok(answer)
    }
}
