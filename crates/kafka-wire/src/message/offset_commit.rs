//! OffsetCommit: how far a group has come. Goes to the coordinator of the group.
//!
//! Deliberately absent: version 10, which names topics by id (KIP-848).

use bytes::{Bytes, BytesMut};

use super::reader::Reader;
use super::writer::Writer;
use super::{
    ApiKey, ByTopic, CommittedOffset, DecodeError, EncodeError, Membership, PartitionOutcome,
    Request, VersionRange,
};

/// Commits offsets of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetCommitRequest {
    /// The group.
    pub group: String,
    /// Who commits. [`Membership::NONE`] is accepted only while the group has no members, else
    /// UNKNOWN_MEMBER_ID is the answer; so offsets are never moved under a running consumer.
    pub member: Membership,
    /// Topics, each once, with offsets.
    pub topics: ByTopic<CommittedOffset>,
}

/// Whether the offsets are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetCommitResponse {
    /// Milliseconds the broker held the answer back for a quota, from version 3 on.
    pub throttle_time_ms: i32,
    /// One entry for each partition. Errors of the group stand at each of them.
    pub topics: ByTopic<PartitionOutcome>,
}

/// The first version with static members.
const INSTANCE: i16 = 7;

impl Request for OffsetCommitRequest {
    type Response = OffsetCommitResponse;
    const API: ApiKey = ApiKey::OFFSET_COMMIT;
    const VERSIONS: VersionRange = VersionRange::new(2, 9);

    fn versions(&self) -> VersionRange {
        Self::VERSIONS.since_if(INSTANCE, self.member.instance_id.is_some())
    }

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.string("group", &self.group)?;
        self.member.write(INSTANCE, &mut writer)?;
        if !writer.since(5) {
            let as_the_broker_is_configured = -1;
            writer.i64(as_the_broker_is_configured);
        }
        writer.by_topic(&self.topics, |writer, committed| committed.write(6, writer))?;
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<OffsetCommitResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.throttle_time(3)?;
        let topics = reader.by_topic(PartitionOutcome::read)?;
        reader.skip_tags("OffsetCommit")?;
        reader.finish("OffsetCommit")?;
        Ok(OffsetCommitResponse {
            throttle_time_ms,
            topics,
        })
    }
}
