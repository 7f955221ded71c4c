//! The settings of a group of workers.

use std::time::Duration;

use crate::group::{GroupConfig, GroupProtocol, SigningConfig, StorageTopic};
use crate::resolve::reader::Reader;

/// Nothing where the process is not one of several.
pub(super) fn group(reader: &mut Reader<'_>) -> Option<GroupConfig> {
    let id = reader.text("group.id")?.to_owned();
    let config_topic = topic(reader, "config", 1)?;
    let status_topic = topic(reader, "status", 5)?;
    let millis = |key: &str, default: u64| {
        let given = reader.millis(key);
        given.unwrap_or(Duration::from_millis(default))
    };
    let algorithm = |key: &str| reader.text(key).unwrap_or("HmacSHA256").to_owned();
    let accepted = reader.list("inter.worker.verification.algorithms");
    let accepted: Vec<String> = accepted.into_iter().map(str::to_owned).collect();
    let group = GroupConfig {
        id,
        protocol: match reader.text("connect.protocol") {
            Some("eager") => GroupProtocol::Eager,
            Some("compatible") => GroupProtocol::Compatible,
            _ => GroupProtocol::Sessioned,
        },
        session_timeout: millis("session.timeout.ms", 10_000),
        heartbeat_interval: millis("heartbeat.interval.ms", 3_000),
        rebalance_timeout: millis("rebalance.timeout.ms", 60_000),
        sync_timeout: millis("worker.sync.timeout.ms", 3_000),
        unsync_backoff: millis("worker.unsync.backoff.ms", 300_000),
        max_delay: millis("scheduled.rebalance.max.delay.ms", 300_000),
        config_topic,
        status_topic,
        signing: SigningConfig {
            key_algorithm: algorithm("inter.worker.key.generation.algorithm"),
            key_size: reader.number("inter.worker.key.size"),
            key_life: millis("inter.worker.key.ttl.ms", 3_600_000),
            algorithm: algorithm("inter.worker.signature.algorithm"),
            accepted: match accepted.is_empty() {
                true => vec!["HmacSHA256".to_owned()],
                false => accepted,
            },
        },
    };
    judge(reader, &group);
    Some(group)
}

fn judge(reader: &mut Reader<'_>, group: &GroupConfig) {
    if group.heartbeat_interval >= group.session_timeout
        && let Some(entry) = reader
            .entry("heartbeat.interval.ms")
            .or_else(|| reader.entry("session.timeout.ms"))
    {
        let remedy = "keep it at a third of session.timeout.ms or less".to_owned();
        let wrong = "a worker would be taken for lost between two signs of life";
        reader.refuse(entry, wrong, Some(remedy));
    }
    let signing = &group.signing;
    if !signing.accepted.contains(&signing.algorithm)
        && let Some(entry) = reader
            .entry("inter.worker.verification.algorithms")
            .or_else(|| reader.entry("inter.worker.signature.algorithm"))
    {
        let wrong = "the worker would not accept what it signs itself";
        let remedy = format!(
            "add {} to inter.worker.verification.algorithms",
            signing.algorithm
        );
        reader.refuse(entry, wrong, Some(remedy));
    }
}

fn topic(reader: &mut Reader<'_>, kind: &str, partitions: i32) -> Option<StorageTopic> {
    let prefix = format!("{kind}.storage.");
    let entry = reader.entry(&format!("{prefix}topic"))?;
    let name = entry.value.trim();
    if let Err(problem) = crate::rename::check_name(name) {
        reader.refuse(entry, problem.to_string(), None);
        return None;
    }
    let count_key = format!("{prefix}partitions");
    let known = ["topic", "replication.factor", "partitions"];
    let settings = reader.below(&prefix);
    Some(StorageTopic {
        name: name.to_owned(),
        // Configurations have one order, and so one partition.
        partitions: match kind {
            "config" => partitions,
            _ => reader.number(&count_key).unwrap_or(partitions),
        },
        replication_factor: reader
            .number(&format!("{prefix}replication.factor"))
            .unwrap_or(3),
        settings: settings
            .into_iter()
            .filter(|(key, _)| !known.contains(&key.as_str()))
            .collect(),
    })
}
