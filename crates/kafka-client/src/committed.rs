//! How far a consumer group has come, as its coordinator says.

use std::collections::HashMap;
use std::time::Duration;

use kafka_wire::error_code::{ErrorClass, ErrorCode};
use kafka_wire::message::ApiKey;
use kafka_wire::message::find_coordinator::{CoordinatorKind, FindCoordinatorRequest};
use kafka_wire::message::offset_fetch::{GroupOffsetsQuery, OffsetFetchRequest};
use kafka_wire::types::TopicPartition;
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, Use};
use crate::error::ClientError;

/// How long a coordinator that is just starting is waited for.
const LIMIT: Duration = Duration::from_secs(30);
/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(250);

/// The committed offsets of a group, those of open transactions left out. A group that does not exist has none.
///
/// # Errors
/// When the brokers cannot be asked, or refuse: [`ClientError::Refused`] with the code.
pub async fn committed_offsets(
    cluster: &Cluster,
    group: &str,
) -> Result<HashMap<TopicPartition, i64>, ClientError> {
    let deadline = Instant::now() + LIMIT;
    loop {
        match ask(cluster, group).await {
            Err(ClientError::Refused { code, .. })
                if !matches!(code.class(), ErrorClass::Fatal | ErrorClass::Denied)
                    && Instant::now() < deadline =>
            {
                sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

async fn ask(cluster: &Cluster, group: &str) -> Result<HashMap<TopicPartition, i64>, ClientError> {
    let request = FindCoordinatorRequest {
        kind: CoordinatorKind::Group,
        key: group.to_owned(),
    };
    let found = cluster.call_any(Use::Metadata, &request).await?;
    let Some(coordinator) = found.coordinator.filter(|_| found.error == ErrorCode::NONE) else {
        let code = match found.error {
            ErrorCode::NONE => ErrorCode::COORDINATOR_NOT_AVAILABLE,
            code => code,
        };
        return Err(refused(cluster, ApiKey::FIND_COORDINATOR, code));
    };
    let request = OffsetFetchRequest {
        groups: vec![GroupOffsetsQuery {
            group: group.to_owned(),
            topics: None,
        }],
        require_stable: false,
    };
    let answer = cluster
        .call(coordinator.node, Use::Metadata, &request)
        .await?;
    let mut offsets = HashMap::new();
    for group in answer.groups {
        if group.error != ErrorCode::NONE {
            return Err(refused(cluster, ApiKey::OFFSET_FETCH, group.error));
        }
        for (topic, partitions) in group.topics {
            for committed in partitions {
                if committed.error == ErrorCode::NONE && committed.offset >= 0 {
                    let partition = TopicPartition::new(topic.clone(), committed.partition);
                    offsets.insert(partition, committed.offset);
                }
            }
        }
    }
    Ok(offsets)
}

fn refused(cluster: &Cluster, api: ApiKey, code: ErrorCode) -> ClientError {
    let peer = cluster.config().bootstrap_servers.first().cloned();
    match peer {
        Some(peer) => ClientError::Refused { peer, api, code },
        None => ClientError::Stopping,
    }
}
