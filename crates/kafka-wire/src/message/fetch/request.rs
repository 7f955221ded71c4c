//! The Fetch request.

use bytes::{Bytes, BytesMut};

use crate::message::writer::Writer;
use crate::message::{ApiKey, DecodeError, EncodeError, IsolationLevel, Request, VersionRange};
use crate::types::{LeaderEpoch, Offset, PartitionId, TopicId, TopicName};

use super::response::{FetchResponse, decode};

/// Asks a broker for batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// Milliseconds the broker may wait for `min_bytes`.
    pub max_wait_ms: i32,
    /// Bytes the broker waits for.
    pub min_bytes: i32,
    /// Bytes the answer may hold; a first batch that is larger comes whole.
    pub max_bytes: i32,
    /// Whether aborted transactions are listed and the answer ends at the last stable offset.
    pub isolation_level: IsolationLevel,
    /// The session; 0 to ask for one, or for none.
    pub session_id: i32,
    /// 0 with the first request of a session, then 1, 2, …; −1 for no session.
    pub session_epoch: i32,
    /// The reader's rack; empty for none. A leader with a closer replica names it (KIP-392).
    pub rack_id: String,
    /// The partitions, grouped by topic; each topic once.
    pub topics: Vec<FetchTopic>,
    /// Partitions that leave the session.
    pub forgotten: Vec<(TopicName, TopicId, Vec<PartitionId>)>,
}

/// Partitions of one topic to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchTopic {
    /// The topic's name; not sent from version 13 on.
    pub name: TopicName,
    /// The topic's id; sent from version 13 on, and then not zero.
    pub id: TopicId,
    /// Its partitions, each once.
    pub partitions: Vec<FetchPartition>,
}

/// Where to read one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    /// The partition.
    pub partition: PartitionId,
    /// The leader epoch as known here; −1 to not compare it. A broker with another one answers
    /// FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH.
    pub current_leader_epoch: LeaderEpoch,
    /// The offset to read from. The batch that holds it comes whole.
    pub fetch_offset: Offset,
    /// Epoch of the last record read; −1 for none. With it the broker finds out whether the logs
    /// diverged (KIP-595); sent from version 12 on.
    pub last_fetched_epoch: LeaderEpoch,
    /// A follower's log start; −1 for a consumer.
    pub log_start_offset: Offset,
    /// Bytes to return for this partition; a first batch that is larger comes whole.
    pub max_bytes: i32,
}

impl FetchRequest {
    /// Versions that name topics by name.
    pub const BY_NAME: VersionRange = VersionRange::new(Self::VERSIONS.min, BY_ID - 1);

    /// Asks for one partition outside any session (KIP-227, `FINAL_EPOCH`), open transactions and
    /// aborted data included: for reading what we wrote ourselves. `max_bytes` bounds the answer; a
    /// first batch that is larger comes whole.
    #[must_use]
    pub fn of_one(
        name: TopicName,
        id: TopicId,
        partition: PartitionId,
        offset: i64,
        max_bytes: i32,
    ) -> Self {
        Self {
            max_wait_ms: 500,
            min_bytes: 1,
            max_bytes,
            isolation_level: IsolationLevel::ReadUncommitted,
            session_id: 0,
            session_epoch: -1,
            rack_id: String::new(),
            topics: vec![FetchTopic {
                name,
                id,
                partitions: vec![FetchPartition {
                    partition,
                    current_leader_epoch: -1,
                    fetch_offset: offset,
                    last_fetched_epoch: -1,
                    log_start_offset: -1,
                    max_bytes,
                }],
            }],
            forgotten: Vec::new(),
        }
    }
}

/// The first version that names topics by id.
pub(super) const BY_ID: i16 = 13;

impl Request for FetchRequest {
    type Response = FetchResponse;
    const API: ApiKey = ApiKey::FETCH;
    /// Kafka 2.4 speaks up to 11; 18 adds something for replicas only.
    const VERSIONS: VersionRange = VersionRange::new(11, 17);

    /// Versions that can express this request: up to 12 where the id of a topic is not known. Any
    /// broker may advertise more; a cluster whose `inter.broker.protocol.version` is below 2.8 has
    /// no ids all the same.
    fn versions(&self) -> VersionRange {
        let topics = self.topics.iter().map(|topic| topic.id);
        let forgotten = self.forgotten.iter().map(|(_, id, _)| *id);
        Self::VERSIONS.without_ids(BY_ID, topics.chain(forgotten))
    }

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        if !writer.since(15) {
            let not_a_replica = -1;
            writer.i32(not_a_replica);
        }
        writer.i32(self.max_wait_ms);
        writer.i32(self.min_bytes);
        writer.i32(self.max_bytes);
        writer.i8(self.isolation_level.wire());
        writer.i32(self.session_id);
        writer.i32(self.session_epoch);
        writer.array("topics", &self.topics, |writer, topic| {
            writer.topic(BY_ID, &topic.name, topic.id)?;
            writer.array("partitions", &topic.partitions, write_partition)?;
            writer.end();
            Ok(())
        })?;
        writer.array(
            "forgotten topics",
            &self.forgotten,
            |writer, (name, id, partitions)| {
                writer.topic(BY_ID, name, *id)?;
                writer.numbers("forgotten partitions", partitions)?;
                writer.end();
                Ok(())
            },
        )?;
        writer.string("rack", &self.rack_id)?;
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<FetchResponse, DecodeError> {
        decode(version, body)
    }
}

fn write_partition(writer: &mut Writer<'_>, partition: &FetchPartition) -> Result<(), EncodeError> {
    writer.i32(partition.partition);
    writer.i32(partition.current_leader_epoch);
    writer.i64(partition.fetch_offset);
    if writer.since(12) {
        writer.i32(partition.last_fetched_epoch);
    }
    writer.i64(partition.log_start_offset);
    writer.i32(partition.max_bytes);
    writer.end();
    Ok(())
}
