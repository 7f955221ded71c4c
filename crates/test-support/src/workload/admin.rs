//! Topics for tests, made and changed with librdkafka: quicker than a Java tool.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigSource, NewPartitions, NewTopic,
    ResourceSpecifier, TopicReplication, TopicResult,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;

/// How long brokers may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A topic could not be made or changed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} topic {topic} at {bootstrap}: {cause}")]
pub struct AdminError {
    what: &'static str,
    topic: String,
    bootstrap: String,
    cause: String,
}

/// Where the change is to be made, for errors.
struct Change<'a> {
    what: &'static str,
    topic: &'a str,
    bootstrap: &'a str,
}

impl Change<'_> {
    fn client(&self) -> Result<AdminClient<DefaultClientContext>, AdminError> {
        ClientConfig::new()
            .set("bootstrap.servers", self.bootstrap)
            .set("log_level", "0")
            .create()
            .map_err(|error| self.failed(&error))
    }

    /// The outcome for the one topic that was asked for.
    fn outcome(&self, results: Result<Vec<TopicResult>, KafkaError>) -> Result<(), AdminError> {
        let results = results.map_err(|error| self.failed(&error))?;
        for result in results {
            result.map_err(|(_, code)| self.failed(&code))?;
        }
        Ok(())
    }

    fn failed(&self, cause: &impl ToString) -> AdminError {
        AdminError {
            what: self.what,
            topic: self.topic.to_owned(),
            bootstrap: self.bootstrap.to_owned(),
            cause: cause.to_string(),
        }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .operation_timeout(Some(LIMIT))
        .request_timeout(Some(LIMIT))
}

/// Creates a topic with the cluster's default replication factor and waits until its leaders are known.
///
/// # Errors
/// When it exists or a broker refuses.
pub async fn create_topic(
    bootstrap: &str,
    topic: &str,
    partitions: i32,
    configs: &[(&str, &str)],
) -> Result<(), AdminError> {
    // -1: the cluster's default.
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
    create(bootstrap, new, configs).await
}

/// Creates a topic whose partitions have one replica each, on the nodes that are named in their order.
///
/// # Errors
/// When it exists, or a broker refuses.
pub async fn create_topic_on(
    bootstrap: &str,
    topic: &str,
    nodes: &[i32],
    configs: &[(&str, &str)],
) -> Result<(), AdminError> {
    let replicas: Vec<&[i32]> = nodes.iter().map(std::slice::from_ref).collect();
    let count = i32::try_from(nodes.len()).unwrap_or(i32::MAX);
    let new = NewTopic::new(topic, count, TopicReplication::Variable(&replicas));
    create(bootstrap, new, configs).await
}

async fn create(
    bootstrap: &str,
    new: NewTopic<'_>,
    configs: &[(&str, &str)],
) -> Result<(), AdminError> {
    let change = Change {
        what: "create",
        topic: new.name,
        bootstrap,
    };
    let new = configs
        .iter()
        .fold(new, |new, (key, value)| new.set(key, value));
    change.outcome(change.client()?.create_topics([&new], &options()).await)
}

/// Deletes a topic.
///
/// # Errors
/// When it does not exist or a broker refuses.
pub async fn delete_topic(bootstrap: &str, topic: &str) -> Result<(), AdminError> {
    let change = Change {
        what: "delete",
        topic,
        bootstrap,
    };
    change.outcome(change.client()?.delete_topics(&[topic], &options()).await)
}

/// Raises the number of partitions of a topic to `count`.
///
/// # Errors
/// When it has as many already or a broker refuses.
pub async fn create_partitions(
    bootstrap: &str,
    topic: &str,
    count: usize,
) -> Result<(), AdminError> {
    let change = Change {
        what: "add partitions to",
        topic,
        bootstrap,
    };
    let new = NewPartitions::new(topic, count);
    change.outcome(change.client()?.create_partitions([&new], &options()).await)
}

/// Settings that a topic has of its own, in order of names.
///
/// # Errors
/// When it does not exist or a broker refuses.
pub async fn topic_settings(
    bootstrap: &str,
    topic: &str,
) -> Result<BTreeMap<String, String>, AdminError> {
    let change = Change {
        what: "describe",
        topic,
        bootstrap,
    };
    let asked = [ResourceSpecifier::Topic(topic)];
    let answers = change.client()?.describe_configs(&asked, &options()).await;
    let mut settings = BTreeMap::new();
    for answer in answers.map_err(|error| change.failed(&error))? {
        let resource = answer.map_err(|code| change.failed(&code))?;
        for entry in resource.entries {
            if let (ConfigSource::DynamicTopic, Some(value)) = (entry.source, entry.value) {
                settings.insert(entry.name, value);
            }
        }
    }
    Ok(settings)
}

/// Replaces all settings that a topic has of its own.
///
/// # Errors
/// When it does not exist or a broker refuses.
pub async fn set_topic_settings(
    bootstrap: &str,
    topic: &str,
    settings: &[(&str, &str)],
) -> Result<(), AdminError> {
    let change = Change {
        what: "configure",
        topic,
        bootstrap,
    };
    let new = AlterConfig::new(ResourceSpecifier::Topic(topic));
    let new = settings
        .iter()
        .fold(new, |new, (key, value)| new.set(key, value));
    let answers = change.client()?.alter_configs([&new], &options()).await;
    for answer in answers.map_err(|error| change.failed(&error))? {
        answer.map_err(|(_, code)| change.failed(&code))?;
    }
    Ok(())
}

/// Creates many topics alike, in few requests.
///
/// # Errors
/// When one of them exists or a broker refuses.
pub async fn create_topics(
    bootstrap: &str,
    topics: &[String],
    partitions: i32,
    configs: &[(&str, &str)],
) -> Result<(), AdminError> {
    // A controller takes a few thousand partitions in a request.
    let together = 5_000 / usize::try_from(partitions.max(1)).unwrap_or(1);
    for chunk in topics.chunks(together.clamp(1, 100)) {
        let change = Change {
            what: "create",
            topic: chunk.first().map_or("", String::as_str),
            bootstrap,
        };
        let new: Vec<NewTopic<'_>> = chunk
            .iter()
            .map(|topic| {
                let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
                configs
                    .iter()
                    .fold(new, |new, (key, value)| new.set(key, value))
            })
            .collect();
        change.outcome(change.client()?.create_topics(&new, &options()).await)?;
    }
    Ok(())
}

/// Names and partition counts of all topics.
///
/// # Errors
/// When no broker answers.
pub async fn topics(bootstrap: &str) -> Result<BTreeMap<String, usize>, AdminError> {
    let change = Change {
        what: "list",
        topic: "",
        bootstrap,
    };
    let client = change.client()?;
    let listed = tokio::task::spawn_blocking(move || {
        let metadata = client.inner().fetch_metadata(None, LIMIT)?;
        let topics = metadata.topics().iter();
        Ok::<_, KafkaError>(
            topics
                .map(|topic| (topic.name().to_owned(), topic.partitions().len()))
                .collect(),
        )
    });
    listed
        .await
        .expect("asking does not panic and is not cancelled")
        .map_err(|error| change.failed(&error))
}

/// Who leads a partition, and who follows in step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Led {
    /// The leader's node id; -1 without one.
    pub leader: i32,
    /// Replicas in the in-sync set.
    pub in_sync: Vec<i32>,
}

/// The leaders of a topic's partitions, as an independent client sees them.
///
/// # Errors
/// When no broker answers.
pub async fn leaders(bootstrap: &str, topic: &str) -> Result<BTreeMap<i32, Led>, AdminError> {
    let change = Change {
        what: "look up leaders of",
        topic,
        bootstrap,
    };
    let client = change.client()?;
    let name = topic.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        let metadata = client.inner().fetch_metadata(Some(&name), LIMIT)?;
        let topics = metadata.topics().iter();
        let partitions = topics.flat_map(|topic| topic.partitions());
        let led = partitions.map(|partition| {
            let led = Led {
                leader: partition.leader(),
                in_sync: partition.isr().to_vec(),
            };
            (partition.id(), led)
        });
        Ok::<_, KafkaError>(led.collect())
    });
    asked
        .await
        .expect("asking does not panic and is not cancelled")
        .map_err(|error| change.failed(&error))
}
