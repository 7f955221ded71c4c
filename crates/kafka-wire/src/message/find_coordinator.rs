//! FindCoordinator: which broker coordinates a group or a transactional id.
//!
//! One key per request, also where a version takes several (KIP-699).

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::NodeId;

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, Broker, DecodeError, EncodeError, Request, VersionRange};

/// Asks for a coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindCoordinatorRequest {
    /// What the key names.
    pub kind: CoordinatorKind,
    /// Group id or transactional id.
    pub key: String,
}

/// What a coordinator coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CoordinatorKind {
    /// A group.
    Group,
    /// A transactional id.
    Transaction,
}

/// A coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindCoordinatorResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// COORDINATOR_NOT_AVAILABLE and others, or NONE.
    pub error: ErrorCode,
    /// The broker's words about the error; Kafka 4.3 says "NONE" or nothing where there is none.
    pub error_message: Option<String>,
    /// The coordinator; `None` with an error.
    pub coordinator: Option<Broker>,
}

impl Request for FindCoordinatorRequest {
    type Response = FindCoordinatorResponse;
    const API: ApiKey = ApiKey::FIND_COORDINATOR;
    const VERSIONS: VersionRange = VersionRange::new(2, 6);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        let kind = match self.kind {
            CoordinatorKind::Group => 0,
            CoordinatorKind::Transaction => 1,
        };
        if writer.since(4) {
            writer.i8(kind);
            writer.length("keys", 1)?;
            writer.string("key", &self.key)?;
        } else {
            writer.string("key", &self.key)?;
            writer.i8(kind);
        }
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<FindCoordinatorResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let answer = if reader.since(4) {
            let mut answers = reader.array("coordinators", read_coordinator)?;
            match (answers.pop(), answers.len()) {
                (Some(answer), 0) => answer,
                (_, others) => {
                    let others = i64::try_from(others).unwrap_or(i64::MAX);
                    return Err(reader.out_of_range("number of coordinators", others));
                }
            }
        } else {
            let error = reader.error_code()?;
            let error_message = reader.nullable_string("error message")?;
            let address = read_address(&mut reader)?;
            (error, error_message, broker(&reader, error, address)?)
        };
        reader.skip_tags("FindCoordinator")?;
        reader.finish("FindCoordinator")?;
        let (error, error_message, coordinator) = answer;
        Ok(FindCoordinatorResponse {
            throttle_time_ms,
            error,
            error_message,
            coordinator,
        })
    }
}

type Answer = (ErrorCode, Option<String>, Option<Broker>);

fn read_coordinator(reader: &mut Reader) -> Result<Answer, DecodeError> {
    reader.string("key")?;
    let address = read_address(reader)?;
    let error = reader.error_code()?;
    let error_message = reader.nullable_string("error message")?;
    reader.skip_tags("coordinator")?;
    Ok((error, error_message, broker(reader, error, address)?))
}

type Address = (NodeId, String, i32);

fn read_address(reader: &mut Reader) -> Result<Address, DecodeError> {
    Ok((
        reader.node_id("coordinator")?,
        reader.string("coordinator's host")?,
        reader.i32("coordinator's port")?,
    ))
}

/// With an error the address is node −1, an empty host and port −1.
fn broker(
    reader: &Reader,
    error: ErrorCode,
    (node, host, port): Address,
) -> Result<Option<Broker>, DecodeError> {
    if error != ErrorCode::NONE {
        return Ok(None);
    }
    let port = u16::try_from(port).map_err(|_| reader.out_of_range("coordinator's port", port))?;
    Ok(Some(Broker {
        node,
        host,
        port,
        rack: None,
    }))
}
