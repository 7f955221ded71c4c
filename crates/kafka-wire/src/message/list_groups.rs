//! ListGroups: the groups that one broker coordinates.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// Asks for groups. Every broker answers for itself.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ListGroupsRequest {
    /// Only groups in these states, `Empty`, `Stable` and others; none for all. Needs version 4
    /// (KIP-518).
    pub states: Vec<String>,
    /// Only groups of these kinds, `classic`, `consumer` and others; none for all. Needs version 5
    /// (KIP-848).
    pub kinds: Vec<String>,
}

/// Groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListGroupsResponse {
    /// Milliseconds the broker held the answer back for a quota, from version 1 on.
    pub throttle_time_ms: i32,
    /// COORDINATOR_LOAD_IN_PROGRESS while some groups are not known yet, …, or NONE.
    pub error: ErrorCode,
    /// The groups the principal may describe.
    pub groups: Vec<ListedGroup>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    /// The group.
    pub group: String,
    /// `consumer`, `connect`, …; empty where only offsets were committed.
    pub protocol_type: String,
    /// Its state, from version 4 on.
    pub state: Option<String>,
    /// Its kind, from version 5 on.
    pub kind: Option<String>,
}

/// The first version with states.
const STATES: i16 = 4;
/// The first version with kinds.
const KINDS: i16 = 5;

impl Request for ListGroupsRequest {
    type Response = ListGroupsResponse;
    const API: ApiKey = ApiKey::LIST_GROUPS;
    const VERSIONS: VersionRange = VersionRange::new(0, 5);

    fn versions(&self) -> VersionRange {
        Self::VERSIONS
            .since_if(STATES, !self.states.is_empty())
            .since_if(KINDS, !self.kinds.is_empty())
    }

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        write_filter("states", &self.states, STATES, &mut writer)?;
        write_filter("kinds", &self.kinds, KINDS, &mut writer)?;
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<ListGroupsResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.throttle_time(1)?;
        let error = reader.error_code()?;
        let groups = reader.array("groups", |reader| {
            let group = ListedGroup {
                group: reader.string("group")?,
                protocol_type: reader.string("protocol type")?,
                state: if reader.since(STATES) {
                    Some(reader.string("state")?)
                } else {
                    None
                },
                kind: if reader.since(KINDS) {
                    Some(reader.string("kind")?)
                } else {
                    None
                },
            };
            reader.skip_tags("group")?;
            Ok(group)
        })?;
        reader.skip_tags("ListGroups")?;
        reader.finish("ListGroups")?;
        Ok(ListGroupsResponse {
            throttle_time_ms,
            error,
            groups,
        })
    }
}

/// A filter that a version does not have is not left out: more would be listed than was asked for.
fn write_filter(
    what: &'static str,
    filter: &[String],
    since: i16,
    writer: &mut Writer<'_>,
) -> Result<(), EncodeError> {
    if writer.since(since) || !filter.is_empty() {
        writer.needs(what, since)?;
        writer.strings(what, filter)?;
    }
    Ok(())
}
