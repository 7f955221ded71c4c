//! Heartbeat: says that a member is alive, and hears whether it has to join again.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Membership, Request, VersionRange};

/// A sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatRequest {
    /// The group.
    pub group: String,
    /// The member. An instance id needs version 3.
    pub member: Membership,
}

/// Whether the membership holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartbeatResponse {
    /// Milliseconds the broker held the answer back for a quota, from version 1 on.
    pub throttle_time_ms: i32,
    /// REBALANCE_IN_PROGRESS to join again, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID,
    /// FENCED_INSTANCE_ID, …, or NONE.
    pub error: ErrorCode,
}

/// The first version with static members.
const INSTANCE: i16 = 3;

impl Request for HeartbeatRequest {
    type Response = HeartbeatResponse;
    const API: ApiKey = ApiKey::HEARTBEAT;
    const VERSIONS: VersionRange = VersionRange::new(0, 4);

    fn versions(&self) -> VersionRange {
        Self::VERSIONS.since_if(INSTANCE, self.member.instance_id.is_some())
    }

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.string("group", &self.group)?;
        self.member.write(INSTANCE, &mut writer)?;
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<HeartbeatResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let answer = HeartbeatResponse {
            throttle_time_ms: reader.throttle_time(1)?,
            error: reader.error_code()?,
        };
        reader.skip_tags("Heartbeat")?;
        reader.finish("Heartbeat")?;
        Ok(answer)
    }
}
