//! InitProducerId: a producer id and epoch.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::ProducerIdentity;

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// Asks for a producer id, or for a higher epoch of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitProducerIdRequest {
    /// `None` for an idempotent producer; then any broker answers. Otherwise the coordinator of
    /// the id does.
    pub transactional_id: Option<String>,
    /// Milliseconds after which an open transaction is aborted; without a transactional id it is
    /// not used.
    pub transaction_timeout_ms: i32,
    /// The identity whose epoch is to be raised, with a transactional id; needs version 3.
    pub current: Option<ProducerIdentity>,
}

/// A producer id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitProducerIdResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// Why there is no producer id, or NONE. A broker that has just started answers
    /// COORDINATOR_LOAD_IN_PROGRESS until it has a block of ids, also without a transactional id.
    pub error: ErrorCode,
    /// The identity; `None` with an error. With a transactional id its epoch is higher than that of
    /// all before, which fences them, and no transaction of theirs is open any more.
    pub producer: Option<ProducerIdentity>,
}

impl Request for InitProducerIdRequest {
    type Response = InitProducerIdResponse;
    const API: ApiKey = ApiKey::INIT_PRODUCER_ID;
    /// Version 6 takes part in transactions of two phases (KIP-939), which no broker offers yet.
    const VERSIONS: VersionRange = VersionRange::new(1, 5);

    fn versions(&self) -> VersionRange {
        Self::VERSIONS.since_if(3, self.current.is_some())
    }

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.nullable_string("transactional id", self.transactional_id.as_deref())?;
        writer.i32(self.transaction_timeout_ms);
        if writer.since(3) {
            let ProducerIdentity { id, epoch } = self
                .current
                .unwrap_or(ProducerIdentity { id: -1, epoch: -1 });
            writer.i64(id);
            writer.i16(epoch);
        } else if self.current.is_some() {
            writer.needs("current identity", 3)?;
        }
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<InitProducerIdResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let error = reader.error_code()?;
        let id = reader.i64("producer id")?;
        let epoch = reader.i16("producer epoch")?;
        reader.skip_tags("InitProducerId")?;
        reader.finish("InitProducerId")?;
        let producer = (id >= 0 && epoch >= 0).then_some(ProducerIdentity { id, epoch });
        Ok(InitProducerIdResponse {
            throttle_time_ms,
            error,
            producer,
        })
    }
}
