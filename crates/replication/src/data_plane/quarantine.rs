//! Writes records that are set aside to the quarantine topic, which is made where it is missing.
//!
//! Returns only when the records are there, or with what keeps them from it. Doing it again is harmless: a record
//! that is there twice is not lost.

use std::time::Duration;

use kafka_client::Cluster;
use kafka_client::cluster::Use;
use kafka_wire::error_code::{ErrorClass, ErrorCode};
use kafka_wire::message::create_topics::{CreateTopicsRequest, NewTopic};
use kafka_wire::message::metadata::{MetadataTopics, TopicMetadata};
use kafka_wire::message::produce::{ProducePartition, ProduceRequest, ProduceTopic};
use kafka_wire::types::{PartitionId, TopicName};

use super::core::AsideOrder;

/// How long a broker may take for one record: it can have a hundred megabytes.
const LIMIT: Duration = Duration::from_secs(60);
/// How long the creation of the topic may take.
const CREATION_MS: i32 = 30_000;

/// The topic takes what others do not: any time, any size that a request can have, no key; and it keeps it.
const SETTINGS: [(&str, &str); 5] = [
    ("cleanup.policy", "delete"),
    ("retention.ms", "-1"),
    ("retention.bytes", "-1"),
    ("max.message.bytes", "104857600"),
    ("message.timestamp.type", "CreateTime"),
];
/// As above; brokers before 3.6 do not know them, and have no such bounds.
const BOUNDS: [(&str, &str); 2] = [
    ("message.timestamp.before.max.ms", "9223372036854775807"),
    ("message.timestamp.after.max.ms", "9223372036854775807"),
];

/// Where refused records go.
#[derive(Clone, Debug)]
pub(crate) struct Quarantine {
    pub(crate) cluster: Cluster,
    pub(crate) topic: TopicName,
    /// Whether the topic is made where it is missing.
    pub(crate) may_create: bool,
}

/// Why a record cannot be set aside.
#[derive(Clone, Debug)]
pub(crate) enum AsideTrouble {
    /// Again after a pause.
    Passing(String),
    /// An operator is needed.
    Final(String),
}

impl Quarantine {
    /// Writes the records of an order.
    pub(crate) async fn write(&self, order: &AsideOrder) -> Result<(), AsideTrouble> {
        let topic = self.topic(&order.destination.topic).await?;
        let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let number = order.destination.partition.checked_rem(count).unwrap_or(0);
        let leader = topic
            .partitions
            .iter()
            .find(|partition| partition.index == number)
            .map(|partition| partition.leader);
        let Some(leader) = leader.filter(|leader| leader.0 >= 0) else {
            return Err(self.passing(format!("partition {number} has no leader")));
        };
        for aside in &order.records {
            let request = ProduceRequest {
                acks: -1,
                timeout_ms: CREATION_MS,
                transactional_id: None,
                topics: vec![ProduceTopic {
                    name: self.topic.clone(),
                    id: topic.id,
                    partitions: vec![ProducePartition {
                        partition: number,
                        header: *aside.batch.header_bytes(),
                        payload: aside.batch.payload(),
                    }],
                }],
            };
            let answer = self
                .cluster
                .call_within(leader, Use::Store, &request, LIMIT)
                .await
                .map_err(|error| self.passing(error))?;
            let answers = answer.topics.iter().flat_map(|topic| &topic.partitions);
            let error = answers
                .map(|partition| partition.error)
                .next()
                .unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR);
            match error.class() {
                _ if error == ErrorCode::NONE => {}
                ErrorClass::RefusedData | ErrorClass::Fatal | ErrorClass::Denied => {
                    return Err(self.is_final(format!("Produce answered {error}")));
                }
                _ => return Err(self.passing(format!("Produce answered {error}"))),
            }
        }
        Ok(())
    }

    /// The topic, made where it is missing: with as many partitions as `like` has.
    async fn topic(&self, like: &TopicName) -> Result<TopicMetadata, AsideTrouble> {
        let topics = MetadataTopics::Topics(vec![self.topic.clone(), like.clone()]);
        let answer = self
            .cluster
            .metadata(topics)
            .await
            .map_err(|error| self.passing(error))?;
        let mut partitions = 1;
        let mut found = None;
        for topic in answer.topics {
            if topic.name.as_ref() == Some(&self.topic) {
                found = Some(topic);
            } else {
                partitions = i32::try_from(topic.partitions.len()).unwrap_or(1).max(1);
            }
        }
        match found {
            Some(topic) if topic.error == ErrorCode::NONE => Ok(topic),
            Some(topic) if topic.error == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                self.create(partitions).await?;
                Err(self.passing("it was created a moment ago"))
            }
            Some(topic)
                if matches!(topic.error.class(), ErrorClass::Fatal | ErrorClass::Denied) =>
            {
                Err(self.is_final(format!("Metadata answered {}", topic.error)))
            }
            Some(topic) => Err(self.passing(format!("Metadata answered {}", topic.error))),
            None => Err(self.passing("Metadata does not name it")),
        }
    }

    async fn create(&self, partitions: PartitionId) -> Result<(), AsideTrouble> {
        if !self.may_create {
            return Err(self.is_final(
                "it does not exist, and topic.auto.create is false; create it, with max.message.bytes as large as the \
                 records and cleanup.policy=delete",
            ));
        }
        let mut bounds: &[(&str, &str)] = &BOUNDS;
        loop {
            let configs = SETTINGS.iter().chain(bounds);
            let topic = NewTopic {
                name: self.topic.clone(),
                partitions,
                replication_factor: -1,
                configs: configs
                    .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
                    .collect(),
            };
            let request = CreateTopicsRequest {
                topics: vec![topic],
                timeout_ms: CREATION_MS,
                validate_only: false,
            };
            let answer = self
                .cluster
                .call_controller(&request)
                .await
                .map_err(|error| self.passing(error))?;
            let outcome = answer.topics.into_iter().next();
            let (error, message) = outcome
                .map_or((ErrorCode::UNKNOWN_SERVER_ERROR, None), |topic| {
                    (topic.error, topic.error_message)
                });
            let said = format!(
                "CreateTopics answered {error}{}",
                message.map(|text| format!(" ({text})")).unwrap_or_default()
            );
            match error {
                ErrorCode::NONE | ErrorCode::TOPIC_ALREADY_EXISTS => return Ok(()),
                ErrorCode::INVALID_CONFIG if !bounds.is_empty() => bounds = &[],
                _ if matches!(error.class(), ErrorClass::Fatal | ErrorClass::Denied) => {
                    return Err(self.is_final(said));
                }
                _ => return Err(self.passing(said)),
            }
        }
    }

    fn passing(&self, what: impl ToString) -> AsideTrouble {
        AsideTrouble::Passing(self.said(&what.to_string()))
    }

    fn is_final(&self, what: impl ToString) -> AsideTrouble {
        AsideTrouble::Final(self.said(&what.to_string()))
    }

    fn said(&self, what: &str) -> String {
        format!(
            "destination: the quarantine topic {} cannot be written: {what}",
            self.topic
        )
    }
}
