//! SyncGroup: the leader's assignments to the coordinator, and each member's own from there.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Membership, Request, VersionRange};

/// Asks for the own assignment; from the leader with those of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncGroupRequest {
    /// The group.
    pub group: String,
    /// The member. An instance id needs version 3.
    pub member: Membership,
    /// Protocol type as JoinGroup answered it, to be compared; versions below 5 go without (KIP-559).
    pub protocol_type: Option<String>,
    /// Protocol as JoinGroup answered it, likewise.
    pub protocol: Option<String>,
    /// Member id and assignment of each member, from the leader; nothing from the others.
    pub assignments: Vec<(String, Bytes)>,
}

/// The own assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncGroupResponse {
    /// Milliseconds the broker held the answer back for a quota, from version 1 on.
    pub throttle_time_ms: i32,
    /// REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, …, or NONE.
    pub error: ErrorCode,
    /// The group's protocol type, from version 5 on.
    pub protocol_type: Option<String>,
    /// The group's protocol, from version 5 on.
    pub protocol: Option<String>,
    /// The assignment; empty with an error, and where the leader gave none.
    pub assignment: Bytes,
}

/// The first version with static members.
const INSTANCE: i16 = 3;
/// The first version that compares protocols.
const PROTOCOLS: i16 = 5;

impl Request for SyncGroupRequest {
    type Response = SyncGroupResponse;
    const API: ApiKey = ApiKey::SYNC_GROUP;
    const VERSIONS: VersionRange = VersionRange::new(0, 5);

    fn versions(&self) -> VersionRange {
        Self::VERSIONS.since_if(INSTANCE, self.member.instance_id.is_some())
    }

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.string("group", &self.group)?;
        self.member.write(INSTANCE, &mut writer)?;
        if writer.since(PROTOCOLS) {
            writer.nullable_string("protocol type", self.protocol_type.as_deref())?;
            writer.nullable_string("protocol", self.protocol.as_deref())?;
        }
        writer.array("assignments", &self.assignments, |writer, (id, bytes)| {
            writer.string("member id", id)?;
            writer.bytes("assignment", bytes)?;
            writer.end();
            Ok(())
        })?;
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<SyncGroupResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.throttle_time(1)?;
        let error = reader.error_code()?;
        let (protocol_type, protocol) = if reader.since(PROTOCOLS) {
            (
                reader.nullable_string("protocol type")?,
                reader.nullable_string("protocol")?,
            )
        } else {
            (None, None)
        };
        let assignment = reader.bytes("assignment")?;
        reader.skip_tags("SyncGroup")?;
        reader.finish("SyncGroup")?;
        Ok(SyncGroupResponse {
            throttle_time_ms,
            error,
            protocol_type,
            protocol,
            assignment,
        })
    }
}
