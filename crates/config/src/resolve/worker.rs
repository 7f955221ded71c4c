//! The settings of a process.

use crate::keys::worker::CONVERTER_NOTICE;
use crate::resolve::client::client;
use crate::resolve::group::group;
use crate::resolve::link::is_byte_converter;
use crate::resolve::reader::Reader;
use crate::resolve::rest::rest;
use crate::worker::{MetricsNames, OAuthRules, OffsetStorage, WorkerConfig};

pub(super) fn worker(reader: &mut Reader<'_>) -> Option<WorkerConfig> {
    let oauth = oauth(reader);
    reader.unsecured_tokens = oauth.unsecured;
    for key in ["key.converter", "value.converter"] {
        if let Some(class) = reader.text(key)
            && !is_byte_converter(class)
        {
            reader.warn(format!("{key}={class} has no effect: {CONVERTER_NOTICE}"));
        }
    }
    let bootstrap = client(reader, &[""], None);
    let offsets = offset_storage(reader);
    let defaults = WorkerConfig::new(offsets?);
    Some(WorkerConfig {
        data: bootstrap
            .as_ref()
            .and_then(|own| client(reader, &["producer."], Some(own))),
        bootstrap,
        flush_interval: reader
            .millis("offset.flush.interval.ms")
            .unwrap_or(defaults.flush_interval),
        flush_timeout: reader
            .millis("offset.flush.timeout.ms")
            .unwrap_or(defaults.flush_timeout),
        shutdown_timeout: reader
            .millis("task.shutdown.graceful.timeout.ms")
            .unwrap_or(defaults.shutdown_timeout),
        buffer_memory: reader
            .number("tributary.buffer.memory")
            .unwrap_or(defaults.buffer_memory),
        topic_tracking: reader.boolean("topic.tracking.enable").unwrap_or(true),
        topic_tracking_reset: reader.boolean("topic.tracking.allow.reset").unwrap_or(true),
        metrics_partition_limit: reader
            .number("tributary.metrics.partition.limit")
            .unwrap_or(defaults.metrics_partition_limit),
        metrics_compat: metrics_names(reader),
        health_interval: reader
            .millis("tributary.health.interval.ms")
            .unwrap_or(defaults.health_interval),
        health_max_age: reader
            .millis("tributary.health.evidence.max.age.ms")
            .unwrap_or(defaults.health_max_age),
        oauth,
        rest: rest(reader),
        group: group(reader),
        group_id: reader.text("group.id").map(str::to_owned),
        exactly_once: reader.text("exactly.once.source.support") == Some("enabled"),
        offsets: defaults.offsets,
    })
}

fn oauth(reader: &Reader<'_>) -> OAuthRules {
    let urls = "tributary.oauth.allowed.urls";
    OAuthRules {
        // Set to nothing it allows nothing.
        allowed_urls: match reader.is_given(urls) {
            true => reader.list(urls).into_iter().map(str::to_owned).collect(),
            false => OAuthRules::default().allowed_urls,
        },
        unsecured: reader.boolean("tributary.oauth.unsecured").unwrap_or(false),
    }
}

fn offset_storage(reader: &mut Reader<'_>) -> Option<OffsetStorage> {
    let topic = reader.entry("offset.storage.topic");
    let file = reader.entry("offset.storage.file.filename");
    let grouped = reader.text("group.id").is_some();
    match (topic, file) {
        (Some(topic), None) => offset_topic(reader, topic),
        (Some(topic), Some(_)) if grouped => offset_topic(reader, topic),
        (_, Some(file)) => Some(OffsetStorage::File(file.value.trim().into())),
        (None, None) => {
            reader.missing(
                "offset.storage.file.filename",
                "it is not said where positions are kept",
                "set it to a file, or offset.storage.topic to the name of a topic",
            );
            None
        }
    }
}

fn offset_topic(reader: &mut Reader<'_>, entry: &crate::raw::RawEntry) -> Option<OffsetStorage> {
    let name = entry.value.trim();
    if let Err(problem) = crate::rename::check_name(name) {
        reader.refuse(entry, problem.to_string(), None);
        return None;
    }
    for key in [
        "offset.storage.replication.factor",
        "offset.storage.partitions",
    ] {
        if reader.number::<i64>(key) == Some(0)
            && let Some(entry) = reader.entry(key)
        {
            let remedy = "write 1 or more, or -1 for the broker's default".to_owned();
            reader.refuse(entry, "a topic cannot have none", Some(remedy));
        }
    }
    Some(OffsetStorage::Topic {
        name: name.to_owned(),
        replication_factor: reader
            .number("offset.storage.replication.factor")
            .unwrap_or(3),
        partitions: reader.number("offset.storage.partitions").unwrap_or(25),
    })
}

fn metrics_names(reader: &mut Reader<'_>) -> Vec<MetricsNames> {
    let key = "tributary.metrics.compat";
    let mut names = Vec::new();
    for word in reader.list(key).into_iter().filter(|word| !word.is_empty()) {
        let known = MetricsNames::ALL.iter().find(|(known, _)| *known == word);
        match (known, reader.entry(key).cloned()) {
            (Some((_, known)), _) => names.push(*known),
            (None, Some(entry)) => {
                let words = MetricsNames::ALL.map(|(word, _)| word).join(", ");
                let remedy = Some(format!("choose from {words}"));
                reader.refuse(&entry, format!("there are no names of {word}"), remedy);
            }
            (None, None) => {}
        }
    }
    names
}
