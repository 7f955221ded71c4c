//! Deleting the padding of a topic that is only compacted: brokers refuse that, unless `delete` is in its cleanup policy for
//! the moment.
//!
//! ```text
//!   compact ──▶ compact,delete with retention.ms=-1, retention.bytes=-1 ──▶ DeleteRecords ──▶ what it was before
//!           one request: all or none                                                one request
//! ```
//!
//! At no moment is there a limit by which retention could delete a record: the policy and both limits change together, on
//! the way there and back. Compaction goes on, so whoever looks at the topic meanwhile sees a compacted one. Nothing of
//! the partition but padding is written before the topic is what it was.

use std::time::Duration;

use kafka_client::Cluster;
use kafka_client::cluster::Use;
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::describe_configs::{
    ConfigEntry, ConfigQuery, ConfigSource, DescribeConfigsRequest, ResourceKind,
};
use kafka_wire::message::incremental_alter_configs::{
    ConfigChange, ConfigOperation, IncrementalAlterConfigsRequest, ResourceChange,
};
use kafka_wire::types::TopicName;
use tokio::time::sleep;

use super::core::{Index, TrimOrder};
use super::fill::trim;

/// What is set for the moment.
const BORROWED: [(&str, &str); 3] = [
    ("cleanup.policy", "compact,delete"),
    ("retention.ms", "-1"),
    ("retention.bytes", "-1"),
];
/// Attempts to give back what was there, and the pause between two.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

/// Moves log starts of one topic that is only compacted.
pub(super) async fn trim_compacted(
    destination: &Cluster,
    order: TrimOrder,
) -> Vec<(Index, Result<i64, String>)> {
    let Some((_, first, _)) = order.starts.first().cloned() else {
        return Vec::new();
    };
    let indices: Vec<Index> = order.starts.iter().map(|(index, ..)| *index).collect();
    let all = |trouble: String| {
        let outcomes = indices.iter();
        outcomes
            .map(|index| (*index, Err(trouble.clone())))
            .collect::<Vec<_>>()
    };
    let before = match settings(destination, &first.topic).await {
        Ok(before) => before,
        Err(trouble) => return all(trouble),
    };
    let borrow = BORROWED.map(|(name, value)| change(name, Some(value.to_owned())));
    tracing::info!(
        topic = %first.topic,
        "cleanup.policy is compact,delete for a moment, without a limit to retention, so that padding can be deleted"
    );
    if let Err(trouble) = alter(destination, &first.topic, borrow.to_vec()).await {
        return all(trouble);
    }
    let mut trimmed = trim(destination, order.clone()).await;
    // Brokers learn of a changed policy one after the other.
    for _ in 0..ATTEMPTS {
        let refused = |(_, outcome): &(Index, Result<i64, String>)| {
            let policy = ErrorCode::POLICY_VIOLATION.to_string();
            outcome.as_ref().is_err_and(|why| why.contains(&policy))
        };
        if !trimmed.iter().any(refused) {
            break;
        }
        sleep(PAUSE).await;
        trimmed = trim(destination, order.clone()).await;
    }
    let mut outcome = alter(destination, &first.topic, before.clone()).await;
    for _ in 0..ATTEMPTS {
        if outcome.is_ok() {
            break;
        }
        sleep(PAUSE).await;
        outcome = alter(destination, &first.topic, before.clone()).await;
    }
    match outcome {
        Ok(()) => trimmed,
        Err(trouble) => all(format!(
            "{trouble}; its cleanup.policy is still compact,delete, without a limit to retention"
        )),
    }
}

/// The changes that restore a topic's settings.
async fn settings(destination: &Cluster, topic: &TopicName) -> Result<Vec<ConfigChange>, String> {
    let request = DescribeConfigsRequest {
        resources: vec![ConfigQuery {
            kind: ResourceKind::Topic,
            name: topic.to_string(),
            keys: Some(BORROWED.map(|(name, _)| name.to_owned()).to_vec()),
        }],
    };
    let answer = destination.call_any(Use::Admin, &request).await;
    let answer = answer
        .map_err(|error| format!("destination: settings of {topic} cannot be read: {error}"))?;
    let resource = answer.resources.into_iter().next();
    let resource = resource.ok_or_else(|| format!("destination: {topic} has no settings"))?;
    if resource.error != ErrorCode::NONE {
        let code = resource.error;
        return Err(format!(
            "destination: settings of {topic} cannot be read: DescribeConfigs answered {code}"
        ));
    }
    Ok(restoring(&resource.entries))
}

/// What was set on the topic is set again, everything else is removed. What was borrowed before, by a process that ended
/// amid it, is not what the topic had.
fn restoring(entries: &[ConfigEntry]) -> Vec<ConfigChange> {
    let own = |name: &str| {
        let entry = entries.iter().find(|entry| entry.name == name)?;
        let is_own = entry.source == ConfigSource::Topic;
        entry.value.clone().filter(|_| is_own)
    };
    let left_over = BORROWED
        .iter()
        .all(|(name, value)| own(name).as_deref() == Some(*value));
    let restored = BORROWED.iter().map(|(name, _)| match *name {
        "cleanup.policy" => change(name, Some("compact".to_owned())),
        _ => change(name, own(name).filter(|_| !left_over)),
    });
    restored.collect()
}

fn change(name: &str, value: Option<String>) -> ConfigChange {
    ConfigChange {
        name: name.to_owned(),
        operation: value.map_or(ConfigOperation::Delete, ConfigOperation::Set),
    }
}

async fn alter(
    destination: &Cluster,
    topic: &TopicName,
    changes: Vec<ConfigChange>,
) -> Result<(), String> {
    let request = IncrementalAlterConfigsRequest {
        resources: vec![ResourceChange {
            kind: ResourceKind::Topic,
            name: topic.to_string(),
            changes,
        }],
        validate_only: false,
    };
    let answer = destination.call_any(Use::Admin, &request).await;
    let failed = |why: String| format!("destination: settings of {topic} cannot be changed: {why}");
    let answer = answer.map_err(|error| failed(error.to_string()))?;
    let resource = answer.resources.into_iter().next();
    match resource.map(|resource| (resource.error, resource.error_message)) {
        Some((ErrorCode::NONE, _)) => Ok(()),
        Some((code, message)) => {
            let message = message.unwrap_or_default();
            Err(failed(format!(
                "IncrementalAlterConfigs answered {code} {message}"
            )))
        }
        None => Err(failed("the answer does not name it".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, value: &str, source: ConfigSource) -> ConfigEntry {
        ConfigEntry {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            source,
            read_only: false,
            sensitive: false,
            list: false,
        }
    }

    #[test]
    fn limits_that_the_topic_had_come_back_and_those_of_the_cluster_hold_again() {
        let entries = [
            entry("cleanup.policy", "compact", ConfigSource::Topic),
            entry("retention.ms", "86400000", ConfigSource::Topic),
            entry("retention.bytes", "-1", ConfigSource::Default),
        ];
        let expected = [
            change("cleanup.policy", Some("compact".to_owned())),
            change("retention.ms", Some("86400000".to_owned())),
            change("retention.bytes", None),
        ];
        assert_eq!(restoring(&entries), expected);
    }

    #[test]
    fn what_an_interrupted_process_left_is_not_taken_for_the_topics_own() {
        let entries = BORROWED.map(|(name, value)| entry(name, value, ConfigSource::Topic));
        let expected = [
            change("cleanup.policy", Some("compact".to_owned())),
            change("retention.ms", None),
            change("retention.bytes", None),
        ];
        assert_eq!(restoring(&entries), expected);
    }
}
