//! Metadata: brokers, topics, partitions and their leaders.
//!
//! Never creates a topic: the request says so, and the versions that could not say it (below 4)
//! are not spoken.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::{LeaderEpoch, NodeId, PartitionId, TopicId, TopicName};

use super::reader::Reader;
use super::writer::Writer;
use super::{
    ApiKey, AuthorizedOperations, Broker, DecodeError, EncodeError, Request, VersionRange,
};

/// Asks for the brokers and for topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataRequest {
    /// Which topics.
    pub topics: MetadataTopics,
    /// Also what the principal may do with each topic and, up to version 10, with the cluster
    /// (KIP-430; later brokers say the latter with DescribeCluster).
    pub authorized_operations: bool,
}

/// Which topics to ask about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataTopics {
    /// All topics the principal may describe.
    All,
    /// These topics; none is only the brokers.
    Topics(Vec<TopicName>),
}

/// Brokers and topics as one broker knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// Brokers that are alive.
    pub brokers: Vec<Broker>,
    /// Id of the cluster, the same from every broker.
    pub cluster_id: Option<String>,
    /// The controller; −1 for none. A KRaft broker names any broker, which passes requests on.
    pub controller: NodeId,
    /// The topics asked for, in no particular order.
    pub topics: Vec<TopicMetadata>,
    /// What the principal may do with the cluster, up to version 10 and where that was asked.
    pub authorized_operations: Option<AuthorizedOperations>,
    /// Error of the whole answer: REBOOTSTRAP_REQUIRED from version 13 on (KIP-1102), else NONE.
    pub error: ErrorCode,
}

/// A topic as one broker knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMetadata {
    /// UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED, …, or NONE.
    pub error: ErrorCode,
    /// Name; null only in answers about ids, from version 12 on.
    pub name: Option<TopicName>,
    /// Id; zero below version 10 and where the topic is unknown.
    pub id: TopicId,
    /// Whether the broker calls it internal, like `__consumer_offsets`.
    pub internal: bool,
    /// Partitions, in no particular order.
    pub partitions: Vec<PartitionMetadata>,
    /// What the principal may do with the topic, where that was asked; also of one that is unknown.
    pub authorized_operations: Option<AuthorizedOperations>,
}

/// A partition as one broker knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// LEADER_NOT_AVAILABLE and others, or NONE.
    pub error: ErrorCode,
    /// The partition.
    pub index: PartitionId,
    /// Its leader; −1 for none.
    pub leader: NodeId,
    /// The leader's epoch; −1 if unknown. Older knowledge has a lower one.
    pub leader_epoch: LeaderEpoch,
    /// All replicas, the preferred leader first.
    pub replicas: Vec<NodeId>,
    /// Replicas in sync with the leader.
    pub isr: Vec<NodeId>,
    /// Replicas that are offline.
    pub offline: Vec<NodeId>,
}

impl Request for MetadataRequest {
    type Response = MetadataResponse;
    const API: ApiKey = ApiKey::METADATA;
    const VERSIONS: VersionRange = VersionRange::new(8, 13);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        match &self.topics {
            MetadataTopics::All => writer.null_array(),
            MetadataTopics::Topics(topics) => writer.array("topics", topics, |writer, topic| {
                if writer.since(10) {
                    writer.raw(&TopicId::ZERO.0);
                }
                writer.string("topic name", topic.as_str())?;
                writer.end();
                Ok(())
            })?,
        }
        let create_topics = false;
        writer.bool(create_topics);
        if !writer.since(11) {
            writer.bool(self.authorized_operations);
        }
        writer.bool(self.authorized_operations);
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<MetadataResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let brokers = reader.array("brokers", Broker::read)?;
        let cluster_id = reader.nullable_string("cluster id")?;
        let controller = reader.node_id("controller")?;
        let topics = reader.array("topics", read_topic)?;
        let authorized_operations = if reader.since(11) {
            None
        } else {
            AuthorizedOperations::read(&mut reader)?
        };
        let error = if reader.since(13) {
            reader.error_code()?
        } else {
            ErrorCode::NONE
        };
        reader.skip_tags("Metadata")?;
        reader.finish("Metadata")?;
        Ok(MetadataResponse {
            throttle_time_ms,
            brokers,
            cluster_id,
            controller,
            topics,
            authorized_operations,
            error,
        })
    }
}

fn read_topic(reader: &mut Reader) -> Result<TopicMetadata, DecodeError> {
    let error = reader.error_code()?;
    let name = if reader.since(12) {
        reader.nullable_topic_name()?
    } else {
        Some(reader.topic_name()?)
    };
    let id = if reader.since(10) {
        reader.topic_id()?
    } else {
        TopicId::ZERO
    };
    let internal = reader.bool("internal")?;
    let partitions = reader.array("partitions", read_partition)?;
    let authorized_operations = AuthorizedOperations::read(reader)?;
    reader.skip_tags("topic")?;
    Ok(TopicMetadata {
        error,
        name,
        id,
        internal,
        partitions,
        authorized_operations,
    })
}

fn read_partition(reader: &mut Reader) -> Result<PartitionMetadata, DecodeError> {
    let partition = PartitionMetadata {
        error: reader.error_code()?,
        index: reader.i32("partition")?,
        leader: reader.node_id("leader")?,
        leader_epoch: reader.i32("leader epoch")?,
        replicas: reader.array("replicas", |reader| reader.node_id("replica"))?,
        isr: reader.array("in-sync replicas", |reader| reader.node_id("replica"))?,
        offline: reader.array("offline replicas", |reader| reader.node_id("replica"))?,
    };
    reader.skip_tags("partition")?;
    Ok(partition)
}
