//! Asking for offsets of many partitions: one request per leader, an answer per partition.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::IsolationLevel;
use kafka_wire::message::list_offsets::{
    CONSUMER, DEBUGGER, LATEST, ListOffsetsPartition, ListOffsetsRequest,
};
use kafka_wire::types::{NodeId, TopicName, TopicPartition};

use crate::cluster::{Cluster, Use};
use crate::error::ClientError;

/// The offset of a partition at the time asked for, or why there is none.
pub type OffsetAnswer = Result<i64, ErrorCode>;

/// Asks one broker for the offsets of partitions it leads. `at` is
/// [`LATEST`],
/// [`EARLIEST`](kafka_wire::message::list_offsets::EARLIEST) or a time in milliseconds.
///
/// # Errors
/// When the broker cannot be asked; errors of single partitions are in the answer.
pub async fn list_offsets(
    cluster: &Cluster,
    leader: NodeId,
    use_: Use,
    partitions: &[TopicPartition],
    at: i64,
    isolation_level: IsolationLevel,
) -> Result<HashMap<TopicPartition, OffsetAnswer>, ClientError> {
    let limit = cluster.config().request_timeout;
    list_offsets_within(
        cluster,
        leader,
        use_,
        partitions,
        (at, isolation_level),
        limit,
    )
    .await
}

/// As [`list_offsets`], with a time limit of its own.
///
/// # Errors
/// As [`list_offsets`].
pub async fn list_offsets_within(
    cluster: &Cluster,
    leader: NodeId,
    use_: Use,
    partitions: &[TopicPartition],
    asked: (i64, IsolationLevel),
    limit: Duration,
) -> Result<HashMap<TopicPartition, OffsetAnswer>, ClientError> {
    ask(
        cluster,
        (leader, use_),
        partitions,
        (CONSUMER, asked),
        limit,
    )
    .await
}

/// Asks the leader of partitions where its own logs end, with what is not replicated yet and no consumer is told of.
///
/// # Errors
/// As [`list_offsets`].
pub async fn appended_ends(
    cluster: &Cluster,
    leader: NodeId,
    use_: Use,
    partitions: &[TopicPartition],
    limit: Duration,
) -> Result<HashMap<TopicPartition, OffsetAnswer>, ClientError> {
    let asked = (LATEST, IsolationLevel::ReadUncommitted);
    ask(
        cluster,
        (leader, use_),
        partitions,
        (DEBUGGER, asked),
        limit,
    )
    .await
}

async fn ask(
    cluster: &Cluster,
    (leader, use_): (NodeId, Use),
    partitions: &[TopicPartition],
    (replica, (at, isolation_level)): (i32, (i64, IsolationLevel)),
    limit: Duration,
) -> Result<HashMap<TopicPartition, OffsetAnswer>, ClientError> {
    let mut topics: BTreeMap<TopicName, Vec<ListOffsetsPartition>> = BTreeMap::new();
    for partition in partitions {
        topics
            .entry(partition.topic.clone())
            .or_default()
            .push(ListOffsetsPartition {
                partition: partition.partition,
                current_leader_epoch: -1,
                timestamp: at,
            });
    }
    let topics = topics
        .into_iter()
        .map(|(name, mut partitions)| {
            // A broker refuses a partition that is named twice.
            partitions.sort_unstable_by_key(|p| p.partition);
            partitions.dedup_by_key(|p| p.partition);
            (name, partitions)
        })
        .collect();
    let timeout_ms = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
    let request = ListOffsetsRequest {
        replica,
        isolation_level,
        topics,
        timeout_ms,
    };
    let answer = cluster.call_within(leader, use_, &request, limit).await?;
    Ok(answer
        .topics
        .into_iter()
        .flat_map(|(name, partitions)| {
            partitions.into_iter().map(move |listed| {
                let offset = if listed.error == ErrorCode::NONE {
                    Ok(listed.offset)
                } else {
                    Err(listed.error)
                };
                (TopicPartition::new(name.clone(), listed.partition), offset)
            })
        })
        .collect())
}
