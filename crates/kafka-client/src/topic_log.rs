//! A compacted topic as a store: created as it has to be, read from beginning to end, written record
//! by record.
//!
//! The last record of a key wins, so a write whose outcome is unknown is simply written again. A key
//! always goes to the partition that Kafka's Java clients choose (murmur2): another one would leave
//! two living versions of it.
//!
//! Deliberately absent: what the records mean (each store's `record.rs`), caching, and compressed
//! records, which only other programs write here.

mod error;
mod read;
mod tail;
mod write;

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::create_topics::{CreateTopicsRequest, NewTopic};
use kafka_wire::message::describe_configs::{ConfigQuery, DescribeConfigsRequest, ResourceKind};
use kafka_wire::message::metadata::MetadataTopics;
use kafka_wire::types::{NodeId, PartitionId, TopicId, TopicName};
use lifecycle::Backoff;
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, Use};
use crate::error::ClientError;

pub use error::TopicLogError;
pub use tail::{Ends, TailRecord};

pub use write::TransactionalWriteError;

/// Bytes of one fetch while reading the topic.
const FETCH_BYTES: i32 = 1024 * 1024;
/// How long a broker may take. Whatever is asked may be asked again, and the leader may have moved.
const ANSWER: Duration = Duration::from_secs(10);

/// How the topic is made if it is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TopicShape {
    /// Partitions, ≥ 1.
    pub partitions: i32,
    /// Replication factor; −1 lets the cluster decide.
    pub replication_factor: i16,
}

/// A record as it is written and read. A value of `None` deletes the key.
pub type KeyValue = (Bytes, Option<Bytes>);

/// Handle to a compacted topic. A clone is a handle of its own: it need not find the topic again.
#[derive(Clone, Debug)]
pub struct TopicLog {
    cluster: Cluster,
    topic: TopicName,
    id: TopicId,
    leaders: BTreeMap<PartitionId, NodeId>,
}

impl TopicLog {
    /// Opens the topic, and makes it if it is missing.
    ///
    /// # Errors
    /// When it can be neither found nor made within `limit`, or is not compacted.
    pub async fn open(
        cluster: Cluster,
        topic: TopicName,
        shape: TopicShape,
        limit: Duration,
    ) -> Result<Self, TopicLogError> {
        Self::open_with(cluster, topic, shape, &[], limit).await
    }

    /// As [`TopicLog::open`]; where the topic has to be made it gets these settings too.
    ///
    /// # Errors
    /// As [`TopicLog::open`].
    pub async fn open_with(
        cluster: Cluster,
        topic: TopicName,
        shape: TopicShape,
        settings: &[(String, String)],
        limit: Duration,
    ) -> Result<Self, TopicLogError> {
        let deadline = Instant::now() + limit;
        let mut log = Self {
            cluster,
            topic,
            id: TopicId::ZERO,
            leaders: BTreeMap::new(),
        };
        let mut backoff = log.backoff();
        loop {
            let error = match log.find_or_create(shape, settings).await {
                Ok(()) => break,
                Err(error @ TopicLogError::Refused { code, .. }) if is_final(code) => {
                    return Err(error);
                }
                Err(error) => error,
            };
            log.pause_until(deadline, limit, "available", &error, &mut backoff)
                .await?;
        }
        log.check_policy().await?;
        Ok(log)
    }

    /// Opens the topic if there is one; nothing is made.
    ///
    /// # Errors
    /// When the cluster does not say whether there is one.
    pub async fn find(cluster: Cluster, topic: TopicName) -> Result<Option<Self>, TopicLogError> {
        let mut log = Self {
            cluster,
            topic,
            id: TopicId::ZERO,
            leaders: BTreeMap::new(),
        };
        match log.find_leaders().await {
            Ok(()) => Ok(Some(log)),
            Err(TopicLogError::Refused { code, .. })
                if code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Opens the topic of this id, and only that one; nothing is made.
    ///
    /// # Errors
    /// When there is none of that name, another one, or one that is not compacted; or the cluster does not say.
    pub async fn open_that(
        cluster: Cluster,
        topic: TopicName,
        id: TopicId,
    ) -> Result<Self, TopicLogError> {
        let mut log = Self {
            cluster,
            topic,
            id: TopicId::ZERO,
            leaders: BTreeMap::new(),
        };
        log.find_leaders().await?;
        if log.id != id {
            return Err(log.refused("Metadata", ErrorCode::INCONSISTENT_TOPIC_ID, None));
        }
        log.check_policy().await?;
        Ok(log)
    }

    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    /// The id of the topic that its leaders were looked up for last.
    #[must_use]
    pub fn id(&self) -> TopicId {
        self.id
    }

    async fn find_or_create(
        &mut self,
        shape: TopicShape,
        settings: &[(String, String)],
    ) -> Result<(), TopicLogError> {
        match self.find_leaders().await {
            Err(TopicLogError::Refused { code, .. })
                if code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {}
            found => return found,
        }
        let config = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        let further = settings
            .iter()
            .filter(|(name, _)| name != "cleanup.policy" && name != "compression.type")
            .map(|(name, value)| config(name, value));
        let brokers = i16::try_from(self.cluster.broker_count())
            .unwrap_or(i16::MAX)
            .max(1);
        let request = CreateTopicsRequest {
            topics: vec![NewTopic {
                name: self.topic.clone(),
                partitions: shape.partitions,
                replication_factor: shape.replication_factor.min(brokers),
                // The codec of our own batches, whatever the broker's default is.
                configs: [
                    config("cleanup.policy", "compact"),
                    config("compression.type", "producer"),
                ]
                .into_iter()
                .chain(further)
                .collect(),
            }],
            timeout_ms: 30_000,
            validate_only: false,
        };
        let answer = self.client(self.cluster.call_controller(&request).await)?;
        for created in answer.topics {
            if created.error != ErrorCode::NONE && created.error != ErrorCode::TOPIC_ALREADY_EXISTS
            {
                return Err(self.refused(
                    "CreateTopics",
                    created.error,
                    created.error_message.as_deref(),
                ));
            }
        }
        self.find_leaders().await
    }

    async fn find_leaders(&mut self) -> Result<(), TopicLogError> {
        let topics = MetadataTopics::Topics(vec![self.topic.clone()]);
        let answer = self.client(self.cluster.metadata(topics).await)?;
        let Some(found) = answer.topics.into_iter().next() else {
            return Err(self.refused("Metadata", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None));
        };
        if found.error != ErrorCode::NONE {
            return Err(self.refused("Metadata", found.error, None));
        }
        if found.partitions.is_empty() || found.partitions.iter().any(|p| p.leader.0 < 0) {
            return Err(self.refused("Metadata", ErrorCode::LEADER_NOT_AVAILABLE, None));
        }
        self.id = found.id;
        self.leaders = found
            .partitions
            .into_iter()
            .map(|p| (p.index, p.leader))
            .collect();
        Ok(())
    }

    async fn check_policy(&self) -> Result<(), TopicLogError> {
        let request = DescribeConfigsRequest {
            resources: vec![ConfigQuery {
                kind: ResourceKind::Topic,
                name: self.topic.to_string(),
                keys: Some(vec!["cleanup.policy".to_owned()]),
            }],
        };
        // Without the right to look, the topic is taken as it is.
        let Ok(answer) = self.cluster.call_any(Use::Admin, &request).await else {
            return Ok(());
        };
        let policy = answer
            .resources
            .into_iter()
            .flat_map(|resource| resource.entries)
            .find(|entry| entry.name == "cleanup.policy")
            .and_then(|entry| entry.value);
        match policy {
            Some(found) if found != "compact" => Err(TopicLogError::NotCompacted {
                topic: self.topic.clone(),
                found,
            }),
            _ => Ok(()),
        }
    }

    fn leader(&self, partition: PartitionId) -> Result<NodeId, TopicLogError> {
        self.leaders
            .get(&partition)
            .copied()
            .ok_or_else(|| self.refused("Metadata", ErrorCode::LEADER_NOT_AVAILABLE, None))
    }

    fn backoff(&self) -> Backoff {
        let config = self.cluster.config();
        Backoff::seeded(config.retry_backoff, config.retry_backoff_max)
    }

    async fn pause_until(
        &self,
        deadline: Instant,
        limit: Duration,
        what: &'static str,
        last: &TopicLogError,
        backoff: &mut Backoff,
    ) -> Result<(), TopicLogError> {
        let pause = backoff.next_delay();
        if Instant::now() + pause > deadline {
            let (topic, last) = (self.topic.clone(), last.to_string());
            return Err(TopicLogError::TimedOut {
                topic,
                what,
                limit,
                last,
            });
        }
        sleep(pause).await;
        Ok(())
    }

    fn client<T>(&self, result: Result<T, ClientError>) -> Result<T, TopicLogError> {
        result.map_err(|cause| TopicLogError::Client {
            topic: self.topic.clone(),
            cause,
        })
    }

    fn refused(&self, what: &'static str, code: ErrorCode, detail: Option<&str>) -> TopicLogError {
        let detail = detail.map(|text| format!(" ({text})")).unwrap_or_default();
        TopicLogError::Refused {
            topic: self.topic.clone(),
            what,
            code,
            detail,
        }
    }
}

/// Codes that waiting does not change.
fn is_final(code: ErrorCode) -> bool {
    use kafka_wire::error_code::ErrorClass;
    matches!(
        code.class(),
        ErrorClass::Denied | ErrorClass::Fatal | ErrorClass::RefusedData
    )
}
