//! JoinGroup: becomes a member of the next generation of a classic group. Goes to its coordinator,
//! which answers when all members have joined.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;

use super::membership::write_instance;
use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// Joins a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinGroupRequest {
    /// The group.
    pub group: String,
    /// Milliseconds without a heartbeat after which the member is out.
    pub session_timeout_ms: i32,
    /// Milliseconds the members have to join again; version 0 takes the session's.
    pub rebalance_timeout_ms: i32,
    /// Empty the first time; MEMBER_ID_REQUIRED then brings the id to come again with, from version
    /// 4 on (KIP-394).
    pub member_id: String,
    /// `group.instance.id` of a static member; needs version 5 (KIP-345).
    pub instance_id: Option<String>,
    /// `consumer`, `connect`, …; the same for all members.
    pub protocol_type: String,
    /// What the member can speak, the preferred first: name and metadata.
    pub protocols: Vec<(String, Bytes)>,
    /// Why it joins, for the broker's log; versions below 8 go without (KIP-800).
    pub reason: Option<String>,
}

/// A generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinGroupResponse {
    /// Milliseconds the broker held the answer back for a quota, from version 2 on.
    pub throttle_time_ms: i32,
    /// MEMBER_ID_REQUIRED, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, INCONSISTENT_GROUP_PROTOCOL, …, or
    /// NONE.
    pub error: ErrorCode,
    /// Number of the generation; −1 with an error.
    pub generation: i32,
    /// The group's protocol type, from version 7 on (KIP-559).
    pub protocol_type: Option<String>,
    /// The most preferred protocol that all members speak.
    pub protocol: Option<String>,
    /// Member id of the leader.
    pub leader: String,
    /// The leader need not assign anything: nothing has changed, from version 9 on (KIP-814).
    pub skip_assignment: bool,
    /// The member's own id.
    pub member_id: String,
    /// All members, for the leader; nobody for the others.
    pub members: Vec<JoinedMember>,
}

/// A member as the leader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinedMember {
    /// Member id.
    pub member_id: String,
    /// `group.instance.id` of a static member, from version 5 on.
    pub instance_id: Option<String>,
    /// What it gave with the protocol that was chosen.
    pub metadata: Bytes,
}

/// The first version with static members.
const INSTANCE: i16 = 5;

impl Request for JoinGroupRequest {
    type Response = JoinGroupResponse;
    const API: ApiKey = ApiKey::JOIN_GROUP;
    const VERSIONS: VersionRange = VersionRange::new(0, 9);

    fn versions(&self) -> VersionRange {
        Self::VERSIONS.since_if(INSTANCE, self.instance_id.is_some())
    }

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.string("group", &self.group)?;
        writer.i32(self.session_timeout_ms);
        if writer.since(1) {
            writer.i32(self.rebalance_timeout_ms);
        }
        writer.string("member id", &self.member_id)?;
        write_instance(self.instance_id.as_deref(), INSTANCE, &mut writer)?;
        writer.string("protocol type", &self.protocol_type)?;
        writer.array("protocols", &self.protocols, |writer, (name, metadata)| {
            writer.string("protocol", name)?;
            writer.bytes("metadata", metadata)?;
            writer.end();
            Ok(())
        })?;
        if writer.since(8) {
            writer.nullable_string("reason", self.reason.as_deref())?;
        }
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<JoinGroupResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let answer = JoinGroupResponse {
            throttle_time_ms: reader.throttle_time(2)?,
            error: reader.error_code()?,
            generation: reader.i32("generation")?,
            protocol_type: if reader.since(7) {
                reader.nullable_string("protocol type")?
            } else {
                None
            },
            protocol: if reader.since(7) {
                reader.nullable_string("protocol")?
            } else {
                Some(reader.string("protocol")?)
            },
            leader: reader.string("leader")?,
            skip_assignment: reader.since(9) && reader.bool("skip assignment")?,
            member_id: reader.string("member id")?,
            members: reader.array("members", read_member)?,
        };
        reader.skip_tags("JoinGroup")?;
        reader.finish("JoinGroup")?;
        Ok(answer)
    }
}

fn read_member(reader: &mut Reader) -> Result<JoinedMember, DecodeError> {
    let member = JoinedMember {
        member_id: reader.string("member id")?,
        instance_id: if reader.since(INSTANCE) {
            reader.nullable_string("instance id")?
        } else {
            None
        },
        metadata: reader.bytes("metadata")?,
    };
    reader.skip_tags("member")?;
    Ok(member)
}
