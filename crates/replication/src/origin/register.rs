//! Registers producers in the destination before anything is written under them.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use kafka_client::Cluster;
use kafka_client::cluster::Use;
use kafka_client::topic_log::{TopicLog, TopicLogError, TopicShape};
use kafka_wire::error_code::{ErrorClass, ErrorCode};
use kafka_wire::message::metadata::{MetadataRequest, MetadataResponse, MetadataTopics};
use kafka_wire::types::TopicName;
use tokio::time::{sleep, timeout};

use super::{REGISTRY, entry};

/// How long it may take to make the topic, or to write to it.
const LIMIT: Duration = Duration::from_secs(30);
/// How long it is waited, after the topic was made, for every broker to know of it. One that does not would say that there is
/// none, and a link in the other direction would take copies for local records. A broker that cannot be asked knows by then.
const SETTLING: Duration = Duration::from_secs(2);
/// Pause between looks at that.
const LOOK: Duration = Duration::from_millis(50);

/// Registers the producers of one stream.
#[derive(Debug)]
pub struct Registrar {
    destination: Cluster,
    origin: String,
    link: String,
    required: bool,
    shape: TopicShape,
    log: Option<TopicLog>,
    registered: HashSet<i64>,
    /// Whether it is not allowed, and does not have to be.
    given_up: bool,
}

impl Registrar {
    /// For copies of the records of cluster `origin`, written by `link`.
    #[must_use]
    pub fn new(
        destination: Cluster,
        origin: &str,
        link: &str,
        required: bool,
        replication_factor: i16,
    ) -> Self {
        Self {
            destination,
            origin: origin.to_owned(),
            link: link.to_owned(),
            required,
            shape: TopicShape {
                partitions: 1,
                replication_factor,
            },
            log: None,
            registered: HashSet::new(),
            given_up: false,
        }
    }

    /// Registers producers; on return it is durable for all of them.
    ///
    /// # Errors
    /// When it is not: nothing may be written under them.
    pub async fn register(
        &mut self,
        producers: impl IntoIterator<Item = i64>,
    ) -> Result<(), String> {
        let new: HashSet<i64> = producers
            .into_iter()
            .filter(|producer| *producer >= 0 && !self.registered.contains(producer))
            .collect();
        if new.is_empty() || self.given_up {
            return Ok(());
        }
        match self.write(&new).await {
            Ok(()) => {
                self.registered.extend(new);
                Ok(())
            }
            Err(error) if !self.required && is_denied(&error) => {
                self.given_up = true;
                tracing::info!(
                    "copies are not registered at the destination ({error}): a link in the other direction would take them for \
                     local records and copy them back; grant CREATE, DESCRIBE, READ and WRITE on topic {REGISTRY} before one is started"
                );
                Ok(())
            }
            Err(error) => {
                self.log = None;
                Err(format!(
                    "producers cannot be registered in the destination: {error}"
                ))
            }
        }
    }

    async fn write(&mut self, producers: &HashSet<i64>) -> Result<(), TopicLogError> {
        let log = match &mut self.log {
            Some(log) => log,
            None => {
                let existed = self.exists().await;
                let log = TopicLog::open(
                    self.destination.clone(),
                    TopicName::from(REGISTRY),
                    self.shape,
                    LIMIT,
                );
                let log = log.await?;
                if !existed {
                    let settled = known_by_all(&self.destination);
                    timeout(SETTLING, settled).await.unwrap_or(());
                }
                self.log.insert(log)
            }
        };
        let records: Vec<_> = producers
            .iter()
            .map(|producer| entry::encode(*producer, &self.origin, &self.link))
            .map(|(key, value)| (Bytes::from(key), Some(Bytes::from(value))))
            .collect();
        log.write(&records, LIMIT).await
    }

    /// Whether the topic is there already. Where that cannot be told, it counts as new.
    async fn exists(&self) -> bool {
        let answer = self.destination.metadata(registry()).await;
        answer.is_ok_and(|answer| names_it(&answer))
    }
}

/// Returns when every broker of the cluster knows the topic.
async fn known_by_all(cluster: &Cluster) {
    while !is_known_by_all(cluster).await {
        sleep(LOOK).await;
    }
}

async fn is_known_by_all(cluster: &Cluster) -> bool {
    let Ok(answer) = cluster.metadata(registry()).await else {
        return false;
    };
    let request = MetadataRequest {
        topics: registry(),
        authorized_operations: false,
    };
    for broker in &answer.brokers {
        let answer = cluster.call(broker.node, Use::Metadata, &request).await;
        if !answer.is_ok_and(|answer| names_it(&answer)) {
            return false;
        }
    }
    !answer.brokers.is_empty()
}

fn registry() -> MetadataTopics {
    MetadataTopics::Topics(vec![REGISTRY.into()])
}

fn names_it(answer: &MetadataResponse) -> bool {
    let mut topics = answer.topics.iter();
    topics.any(|topic| topic.error == ErrorCode::NONE)
}

fn is_denied(error: &TopicLogError) -> bool {
    matches!(error, TopicLogError::Refused { code, .. } if code.class() == ErrorClass::Denied)
}
