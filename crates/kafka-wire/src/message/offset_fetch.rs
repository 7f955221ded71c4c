//! OffsetFetch: how far groups have come. Goes to the coordinator of the groups.
//!
//! Deliberately absent: version 10, which names topics by id (KIP-848), and members of groups with
//! the newer protocol, who would be checked; whoever asks here is none.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::{LeaderEpoch, Offset, PartitionId, TopicName};

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, ByTopic, DecodeError, EncodeError, EncodeProblem, Request, VersionRange};

/// Asks for committed offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetFetchRequest {
    /// The groups, each once; anything but one needs version 8 (KIP-709).
    pub groups: Vec<GroupOffsetsQuery>,
    /// Partitions with offsets of an open transaction are answered with UNSTABLE_OFFSET_COMMIT
    /// instead of the offset before; needs version 7 (KIP-447).
    pub require_stable: bool,
}

/// What to ask about one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOffsetsQuery {
    /// The group.
    pub group: String,
    /// Topics, each once, with partitions; `None` for all that the group has offsets in, which needs
    /// version 2.
    pub topics: Option<ByTopic<PartitionId>>,
}

/// Committed offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetFetchResponse {
    /// Milliseconds the broker held the answer back for a quota, from version 3 on.
    pub throttle_time_ms: i32,
    /// One entry for each group.
    pub groups: Vec<GroupOffsets>,
}

/// Committed offsets of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOffsets {
    /// The group; `None` below version 8, which answers about the one that was asked about.
    pub group: Option<String>,
    /// NOT_COORDINATOR, GROUP_AUTHORIZATION_FAILED, …, or NONE. Version 1 has it at each partition
    /// instead. A group that does not exist has no offsets and no error.
    pub error: ErrorCode,
    /// The topics asked about, or all that have offsets.
    pub topics: ByTopic<FetchedOffset>,
}

/// How far a group has come in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedOffset {
    /// The partition.
    pub partition: PartitionId,
    /// Offset of the next record the group will read; −1 if it has committed none.
    pub offset: Offset,
    /// Leader epoch of the last record it has read, from version 5 on; −1 if unknown.
    pub leader_epoch: LeaderEpoch,
    /// Text of the group's own.
    pub metadata: Option<String>,
    /// UNSTABLE_OFFSET_COMMIT, TOPIC_AUTHORIZATION_FAILED, …, or NONE.
    pub error: ErrorCode,
}

/// The first version for several groups.
const SEVERAL: i16 = 8;
/// The first version that can ask for all topics.
const ALL_TOPICS: i16 = 2;
/// The first version that can leave out what is not final.
const STABLE: i16 = 7;

impl Request for OffsetFetchRequest {
    type Response = OffsetFetchResponse;
    const API: ApiKey = ApiKey::OFFSET_FETCH;
    const VERSIONS: VersionRange = VersionRange::new(1, 9);

    fn versions(&self) -> VersionRange {
        let all = self.groups.iter().any(|group| group.topics.is_none());
        Self::VERSIONS
            .since_if(ALL_TOPICS, all)
            .since_if(STABLE, self.require_stable)
            .since_if(SEVERAL, self.groups.len() != 1)
    }

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        if writer.since(SEVERAL) {
            writer.array("groups", &self.groups, |writer, query| {
                writer.string("group", &query.group)?;
                if writer.since(9) {
                    let (no_member, no_epoch) = (None, -1);
                    writer.nullable_string("member id", no_member)?;
                    writer.i32(no_epoch);
                }
                write_topics(query.topics.as_deref(), writer)?;
                writer.end();
                Ok(())
            })?;
        } else if let [query] = &self.groups[..] {
            writer.string("group", &query.group)?;
            write_topics(query.topics.as_deref(), &mut writer)?;
        } else {
            let problem = EncodeProblem::NeedsVersion { since: SEVERAL };
            return Err(writer.error("groups", problem));
        }
        if writer.since(STABLE) {
            writer.bool(self.require_stable);
        } else if self.require_stable {
            writer.needs("require stable", STABLE)?;
        }
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<OffsetFetchResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.throttle_time(3)?;
        let groups = if reader.since(SEVERAL) {
            reader.array("groups", |reader| {
                let group = Some(reader.string("group")?);
                let read = read_group(group, reader)?;
                reader.skip_tags("group")?;
                Ok(read)
            })?
        } else {
            vec![read_group(None, &mut reader)?]
        };
        reader.skip_tags("OffsetFetch")?;
        reader.finish("OffsetFetch")?;
        Ok(OffsetFetchResponse {
            throttle_time_ms,
            groups,
        })
    }
}

fn write_topics(
    topics: Option<&[(TopicName, Vec<PartitionId>)]>,
    writer: &mut Writer<'_>,
) -> Result<(), EncodeError> {
    if let Some(topics) = topics {
        return writer.numbers_by_topic(topics);
    }
    writer.needs("all topics", ALL_TOPICS)?;
    writer.null_array();
    Ok(())
}

fn read_group(group: Option<String>, reader: &mut Reader) -> Result<GroupOffsets, DecodeError> {
    let topics = reader.by_topic(|reader| {
        Ok(FetchedOffset {
            partition: reader.i32("partition")?,
            offset: reader.i64("committed offset")?,
            leader_epoch: if reader.since(5) {
                reader.i32("leader epoch")?
            } else {
                -1
            },
            metadata: reader.nullable_string("metadata")?,
            error: reader.error_code()?,
        })
    })?;
    let error = if reader.since(2) {
        reader.error_code()?
    } else {
        ErrorCode::NONE
    };
    Ok(GroupOffsets {
        group,
        error,
        topics,
    })
}
