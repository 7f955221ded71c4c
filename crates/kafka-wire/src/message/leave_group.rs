//! LeaveGroup: ends memberships at once, instead of after the session's time-out.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, EncodeProblem, Request, VersionRange};

/// Takes members out of a group. Goes to its coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveGroupRequest {
    /// The group.
    pub group: String,
    /// Who leaves; anything but one member without an instance id needs version 3 (KIP-345).
    pub members: Vec<LeavingMember>,
}

/// A member that leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeavingMember {
    /// Member id; may be empty for a static member.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// Why, for the broker's log; versions below 5 go without (KIP-800).
    pub reason: Option<String>,
}

/// Whether the members are out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveGroupResponse {
    /// Milliseconds the broker held the answer back for a quota, from version 1 on.
    pub throttle_time_ms: i32,
    /// Error of the whole request, or NONE.
    pub error: ErrorCode,
    /// One entry for each member, from version 3 on; nobody before.
    pub members: Vec<LeftMember>,
}

/// Whether a member is out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftMember {
    /// Member id.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, …, or NONE.
    pub error: ErrorCode,
}

/// The first version for several members, and for static ones.
const SEVERAL: i16 = 3;

impl Request for LeaveGroupRequest {
    type Response = LeaveGroupResponse;
    const API: ApiKey = ApiKey::LEAVE_GROUP;
    const VERSIONS: VersionRange = VersionRange::new(0, 5);

    fn versions(&self) -> VersionRange {
        Self::VERSIONS.since_if(SEVERAL, self.one_dynamic_member().is_none())
    }

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.string("group", &self.group)?;
        if writer.since(SEVERAL) {
            writer.array("members", &self.members, |writer, member| {
                writer.string("member id", &member.member_id)?;
                writer.nullable_string("instance id", member.instance_id.as_deref())?;
                if writer.since(5) {
                    writer.nullable_string("reason", member.reason.as_deref())?;
                }
                writer.end();
                Ok(())
            })?;
        } else if let Some(member) = self.one_dynamic_member() {
            writer.string("member id", &member.member_id)?;
        } else {
            let problem = EncodeProblem::NeedsVersion { since: SEVERAL };
            return Err(writer.error("members", problem));
        }
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<LeaveGroupResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.throttle_time(1)?;
        let error = reader.error_code()?;
        let members = if reader.since(SEVERAL) {
            reader.array("members", read_member)?
        } else {
            Vec::new()
        };
        reader.skip_tags("LeaveGroup")?;
        reader.finish("LeaveGroup")?;
        Ok(LeaveGroupResponse {
            throttle_time_ms,
            error,
            members,
        })
    }
}

impl LeaveGroupRequest {
    fn one_dynamic_member(&self) -> Option<&LeavingMember> {
        match &self.members[..] {
            [member] if member.instance_id.is_none() => Some(member),
            _ => None,
        }
    }
}

fn read_member(reader: &mut Reader) -> Result<LeftMember, DecodeError> {
    let member = LeftMember {
        member_id: reader.string("member id")?,
        instance_id: reader.nullable_string("instance id")?,
        error: reader.error_code()?,
    };
    reader.skip_tags("member")?;
    Ok(member)
}
