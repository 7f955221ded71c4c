//! The only place that changes the destination's metadata.

use std::collections::BTreeMap;

use kafka_client::{ClientError, Cluster};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::create_partitions::CreatePartitionsRequest;
use kafka_wire::message::create_topics::{CreateTopicsRequest, NewTopic};
use kafka_wire::types::TopicName;

use super::plan::Step;

/// Topics in one request.
const TOPICS: usize = 100;
/// How long the controller may take.
const TIMEOUT_MS: i32 = 30_000;

/// What became of a step: done, or the reason it is not.
pub(super) type Outcome = Result<(), String>;

/// Carries the steps out; every topic has an outcome of its own.
pub(super) async fn apply(destination: &Cluster, steps: &[Step]) -> Vec<(TopicName, Outcome)> {
    let mut outcomes = Vec::new();
    let creates: Vec<NewTopic> = steps.iter().filter_map(new_topic).collect();
    for chunk in creates.chunks(TOPICS) {
        outcomes.extend(create(destination, chunk).await);
    }
    let grows: Vec<(TopicName, i32)> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Grow { topic, to, .. } => Some((topic.clone(), *to)),
            Step::Create { .. } => None,
        })
        .collect();
    for chunk in grows.chunks(TOPICS) {
        outcomes.extend(grow(destination, chunk).await);
    }
    outcomes
}

fn new_topic(step: &Step) -> Option<NewTopic> {
    match step {
        Step::Create {
            topic,
            partitions,
            replication_factor,
            configs,
            ..
        } => Some(NewTopic {
            name: topic.clone(),
            partitions: *partitions,
            replication_factor: *replication_factor,
            configs: configs
                .iter()
                .map(|(k, v)| (k.clone(), Some(v.clone())))
                .collect(),
        }),
        Step::Grow { .. } => None,
    }
}

async fn create(destination: &Cluster, topics: &[NewTopic]) -> Vec<(TopicName, Outcome)> {
    let answers = match request(destination, topics.to_vec(), false).await {
        Ok(answers) => answers,
        Err(error) => return failed(topics.iter().map(|t| &t.name), "CreateTopics", &error),
    };
    let mut outcomes = Vec::new();
    for topic in topics {
        let outcome = match answers.get(&topic.name) {
            // Somebody else was faster: it is used as it is.
            Some((ErrorCode::NONE | ErrorCode::TOPIC_ALREADY_EXISTS, _)) => Ok(()),
            Some((ErrorCode::INVALID_CONFIG, message)) => {
                create_with_fewer_settings(destination, topic, message).await
            }
            Some((code, message)) => Err(refusal("CreateTopics", *code, message)),
            None => Err("CreateTopics did not answer for it".to_owned()),
        };
        outcomes.push((topic.name.clone(), outcome));
    }
    outcomes
}

/// Brokers of other versions know other settings. Those that are refused one by one are left out,
/// except the cleanup policy, without which the topic would be another one.
async fn create_with_fewer_settings(
    destination: &Cluster,
    topic: &NewTopic,
    message: &str,
) -> Outcome {
    let mut accepted = Vec::new();
    let mut dropped = Vec::new();
    for config in &topic.configs {
        let probe = NewTopic {
            configs: vec![config.clone()],
            ..topic.clone()
        };
        let answers = request(destination, vec![probe], true)
            .await
            .map_err(|error| format!("CreateTopics failed: {error}"))?;
        match answers.get(&topic.name) {
            Some((ErrorCode::INVALID_CONFIG, _)) => dropped.push(config.clone()),
            _ => accepted.push(config.clone()),
        }
    }
    if dropped.is_empty() || dropped.iter().any(|(name, _)| name == "cleanup.policy") {
        return Err(refusal("CreateTopics", ErrorCode::INVALID_CONFIG, message));
    }
    let fewer = NewTopic {
        configs: accepted,
        ..topic.clone()
    };
    let answers = request(destination, vec![fewer], false)
        .await
        .map_err(|error| format!("CreateTopics failed: {error}"))?;
    match answers.get(&topic.name) {
        Some((ErrorCode::NONE | ErrorCode::TOPIC_ALREADY_EXISTS, _)) => {
            for (name, value) in dropped {
                let value = value.unwrap_or_default();
                tracing::warn!(
                    topic = %topic.name,
                    "the destination refuses the setting {name}={value}; the topic was created without it"
                );
            }
            Ok(())
        }
        Some((code, message)) => Err(refusal("CreateTopics", *code, message)),
        None => Err("CreateTopics did not answer for it".to_owned()),
    }
}

async fn request(
    destination: &Cluster,
    topics: Vec<NewTopic>,
    validate_only: bool,
) -> Result<BTreeMap<TopicName, (ErrorCode, String)>, ClientError> {
    let request = CreateTopicsRequest {
        topics,
        timeout_ms: TIMEOUT_MS,
        validate_only,
    };
    let answer = destination.call_controller(&request).await?;
    Ok(answer
        .topics
        .into_iter()
        .map(|t| (t.name, (t.error, t.error_message.unwrap_or_default())))
        .collect())
}

async fn grow(destination: &Cluster, topics: &[(TopicName, i32)]) -> Vec<(TopicName, Outcome)> {
    let request = CreatePartitionsRequest {
        topics: topics.to_vec(),
        timeout_ms: TIMEOUT_MS,
        validate_only: false,
    };
    match destination.call_controller(&request).await {
        Err(error) => failed(
            topics.iter().map(|(name, _)| name),
            "CreatePartitions",
            &error,
        ),
        Ok(answer) => answer
            .topics
            .into_iter()
            .map(|grown| {
                let message = grown.error_message.unwrap_or_default();
                let outcome = match grown.error {
                    ErrorCode::NONE => Ok(()),
                    code => Err(refusal("CreatePartitions", code, &message)),
                };
                (grown.name, outcome)
            })
            .collect(),
    }
}

fn refusal(what: &str, code: ErrorCode, message: &str) -> String {
    let words = if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    };
    format!("destination answered {what} with {code}{words}")
}

fn failed<'a>(
    topics: impl Iterator<Item = &'a TopicName>,
    what: &str,
    error: &ClientError,
) -> Vec<(TopicName, Outcome)> {
    topics
        .map(|name| {
            (
                name.clone(),
                Err(format!("destination: {what} failed: {error}")),
            )
        })
        .collect()
}
