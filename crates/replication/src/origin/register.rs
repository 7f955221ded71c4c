//! Registers producers in the destination before anything is written under them.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use kafka_client::Cluster;
use kafka_client::topic_log::{TopicLog, TopicLogError, TopicShape};
use kafka_wire::error_code::{ErrorClass, ErrorCode};
use kafka_wire::message::metadata::MetadataTopics;
use kafka_wire::types::TopicName;

use super::{REGISTRY, entry};

/// How long it may take to make the topic, or to write to it.
const LIMIT: Duration = Duration::from_secs(30);
/// Pause after the topic was made. A broker that does not know of it yet would say that there is none, and a link in the other
/// direction would take copies for local records.
const SETTLING: Duration = Duration::from_secs(2);

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
                    tokio::time::sleep(SETTLING).await;
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
        let topics = MetadataTopics::Topics(vec![REGISTRY.into()]);
        let answer = self.destination.metadata(topics).await;
        answer.is_ok_and(|answer| {
            answer
                .topics
                .iter()
                .any(|topic| topic.error == ErrorCode::NONE)
        })
    }
}

fn is_denied(error: &TopicLogError) -> bool {
    matches!(error, TopicLogError::Refused { code, .. } if code.class() == ErrorClass::Denied)
}
