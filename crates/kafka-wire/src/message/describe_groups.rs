//! DescribeGroups: state, members and assignments of classic groups. Goes to their coordinator.
//!
//! Deliberately absent: what the bytes of members mean; that depends on the group's protocol type.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, AuthorizedOperations, DecodeError, EncodeError, Request, VersionRange};

/// Asks about groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeGroupsRequest {
    /// The groups.
    pub groups: Vec<String>,
    /// Also what the principal may do with them; needs version 3 (KIP-430).
    pub authorized_operations: bool,
}

/// Groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeGroupsResponse {
    /// Milliseconds the broker held the answer back for a quota, from version 1 on.
    pub throttle_time_ms: i32,
    /// One entry for each group.
    pub groups: Vec<DescribedGroup>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedGroup {
    /// NOT_COORDINATOR, GROUP_AUTHORIZATION_FAILED, GROUP_ID_NOT_FOUND from version 6 on (KIP-1043),
    /// …, or NONE. Before, an unknown group is `Dead`.
    pub error: ErrorCode,
    /// The broker's words about the error, from version 6 on.
    pub error_message: Option<String>,
    /// The group.
    pub group: String,
    /// `Stable`, `Empty`, `Dead`, `PreparingRebalance` or `CompletingRebalance`.
    pub state: String,
    /// `consumer`, `connect`, …; empty where only offsets were committed.
    pub protocol_type: String,
    /// The protocol its members agreed on; empty where they have not.
    pub protocol: String,
    /// Its members.
    pub members: Vec<DescribedMember>,
    /// What the principal may do with the group, where that was asked.
    pub authorized_operations: Option<AuthorizedOperations>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedMember {
    /// Member id.
    pub member_id: String,
    /// `group.instance.id` of a static member, from version 4 on.
    pub instance_id: Option<String>,
    /// Client id of its connection.
    pub client_id: String,
    /// Address it comes from.
    pub client_host: String,
    /// What it joined with; empty unless the group is stable.
    pub metadata: Bytes,
    /// What it was assigned; empty unless the group is stable.
    pub assignment: Bytes,
}

/// The first version that can say what the principal may do.
const OPERATIONS: i16 = 3;

impl Request for DescribeGroupsRequest {
    type Response = DescribeGroupsResponse;
    const API: ApiKey = ApiKey::DESCRIBE_GROUPS;
    const VERSIONS: VersionRange = VersionRange::new(0, 6);

    fn versions(&self) -> VersionRange {
        Self::VERSIONS.since_if(OPERATIONS, self.authorized_operations)
    }

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.strings("groups", &self.groups)?;
        if writer.since(OPERATIONS) {
            writer.bool(self.authorized_operations);
        } else if self.authorized_operations {
            writer.needs("authorized operations", OPERATIONS)?;
        }
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<DescribeGroupsResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.throttle_time(1)?;
        let groups = reader.array("groups", read_group)?;
        reader.skip_tags("DescribeGroups")?;
        reader.finish("DescribeGroups")?;
        Ok(DescribeGroupsResponse {
            throttle_time_ms,
            groups,
        })
    }
}

fn read_group(reader: &mut Reader) -> Result<DescribedGroup, DecodeError> {
    let group = DescribedGroup {
        error: reader.error_code()?,
        error_message: if reader.since(6) {
            reader.nullable_string("error message")?
        } else {
            None
        },
        group: reader.string("group")?,
        state: reader.string("state")?,
        protocol_type: reader.string("protocol type")?,
        protocol: reader.string("protocol")?,
        members: reader.array("members", read_member)?,
        authorized_operations: if reader.since(OPERATIONS) {
            AuthorizedOperations::read(reader)?
        } else {
            None
        },
    };
    reader.skip_tags("group")?;
    Ok(group)
}

fn read_member(reader: &mut Reader) -> Result<DescribedMember, DecodeError> {
    let member = DescribedMember {
        member_id: reader.string("member id")?,
        instance_id: if reader.since(4) {
            reader.nullable_string("instance id")?
        } else {
            None
        },
        client_id: reader.string("client id")?,
        client_host: reader.string("client host")?,
        metadata: reader.bytes("member metadata")?,
        assignment: reader.bytes("member assignment")?,
    };
    reader.skip_tags("member")?;
    Ok(member)
}
