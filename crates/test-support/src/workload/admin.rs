//! Topics for tests, made and changed with librdkafka: quicker than a Java tool.

use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication, TopicResult,
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
    let change = Change {
        what: "create",
        topic,
        bootstrap,
    };
    // -1: the cluster's default.
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(-1));
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
