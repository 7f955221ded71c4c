//! DeleteGroups: deletes groups with their offsets. Goes to their coordinator.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// Deletes groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteGroupsRequest {
    /// The groups, each once.
    pub groups: Vec<String>,
}

/// What became of the groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteGroupsResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// Each group, in no particular order, with NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND, …, or NONE.
    pub groups: Vec<(String, ErrorCode)>,
}

impl Request for DeleteGroupsRequest {
    type Response = DeleteGroupsResponse;
    const API: ApiKey = ApiKey::DELETE_GROUPS;
    const VERSIONS: VersionRange = VersionRange::new(0, 2);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.strings("groups", &self.groups)?;
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<DeleteGroupsResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let groups = reader.array("groups", |reader| {
            let deleted = (reader.string("group")?, reader.error_code()?);
            reader.skip_tags("group")?;
            Ok(deleted)
        })?;
        reader.skip_tags("DeleteGroups")?;
        reader.finish("DeleteGroups")?;
        Ok(DeleteGroupsResponse {
            throttle_time_ms,
            groups,
        })
    }
}
