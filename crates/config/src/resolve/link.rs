//! The settings of a link.

use crate::address::parse_addresses;
use crate::client::ClientConfig;
use crate::key::parse_boolean;
use crate::link::{
    AclMode, AclSettings, ConfigDelete, DefaultsFrom, FetchSettings, LinkConfig, OnGap, OnRecreate,
    OnRefused, ProduceSettings, ReplicationFactor, StartPosition, TimestampType, TopicSettings,
};
use crate::naming::Naming;
use crate::pattern::{Pattern, PatternList};
use crate::rename::{MAX_TOPIC_NAME, RenameFormat, check_name};
use crate::resolve::client::client;
use crate::resolve::reader::Reader;
use crate::selection::TopicSelection;
use crate::worker::WorkerConfig;

/// Settings of a topic that make no sense, or do harm, on another cluster: Replicator's form of
/// `config.properties.exclude`. A copied bound of timestamps would refuse old records while catching up.
const CONFIG_EXCLUDE: [&str; 6] = [
    r"follower\.replication\.throttled\.replicas",
    r"leader\.replication\.throttled\.replicas",
    r"message\.timestamp\.difference\.max\.ms",
    r"message\.timestamp\.before\.max\.ms",
    r"message\.timestamp\.after\.max\.ms",
    r"message\.timestamp\.type",
];

const OWN_CLASS: &str = "tributary.TributarySourceConnector";

const CLASSES: [&str; 6] = [
    "io.confluent.connect.replicator.ReplicatorSourceConnector",
    "ReplicatorSourceConnector",
    "ReplicatorSource",
    OWN_CLASS,
    "TributarySourceConnector",
    "TributarySource",
];

/// Whether a converter passes bytes through.
pub(super) fn is_byte_converter(class: &str) -> bool {
    [
        "io.confluent.connect.replicator.util.ByteArrayConverter",
        "org.apache.kafka.connect.converters.ByteArrayConverter",
        "ByteArrayConverter",
        "ByteArray",
    ]
    .contains(&class)
}

pub(super) fn link(
    reader: &mut Reader<'_>,
    worker: &WorkerConfig,
    selection: Option<TopicSelection>,
) -> Option<LinkConfig> {
    let name = name(reader);
    connector_class(reader);
    converters(reader);
    transforms(reader);
    guarantees(reader);
    let source = source(reader);
    let destination = destination(reader, worker);
    let topics = topics(reader, selection);
    let start = start(reader);
    let fetch = fetch(reader);
    let produce = produce(reader, destination.as_ref());
    Some(LinkConfig {
        name: name?,
        source: source?,
        destination: destination?,
        topics: topics?,
        fetch,
        produce,
        merge_below: reader
            .number("tributary.batch.merge.below")
            .unwrap_or(16_384),
        keep_append_time: reader.text("tributary.timestamps") == Some("appended"),
        start,
        on_refused: on_refused(reader),
        on_gap: match reader.text("tributary.on.gap") {
            Some("continue") => OnGap::Continue,
            _ => OnGap::Stop,
        },
        on_recreate: match reader.text("tributary.on.recreate") {
            Some("restart") => OnRecreate::Restart,
            _ => OnRecreate::Stop,
        },
    })
}

/// Our own key, else Connect's.
fn on_refused(reader: &mut Reader<'_>) -> OnRefused {
    match reader.text("tributary.on.refused") {
        Some("skip") => OnRefused::Skip,
        Some("quarantine") => {
            if let Some(entry) = reader.entry("tributary.on.refused") {
                reader.refuse(
                    entry,
                    "refused records cannot be quarantined yet",
                    Some("choose one of stop, skip".to_owned()),
                );
            }
            OnRefused::Stop
        }
        Some(_) => OnRefused::Stop,
        None if reader.text("errors.tolerance") == Some("all") => OnRefused::Skip,
        None => OnRefused::Stop,
    }
}

fn name(reader: &mut Reader<'_>) -> Option<String> {
    let Some(entry) = reader.entry("name") else {
        reader.missing(
            "name",
            "the link has no name",
            "choose one that is unique within the worker",
        );
        return None;
    };
    let name = entry.value.trim();
    if name.chars().any(char::is_control) {
        reader.refuse(entry, "a name cannot contain control characters", None);
        return None;
    }
    Some(name.to_owned())
}

fn connector_class(reader: &mut Reader<'_>) {
    let Some(entry) = reader.entry("connector.class") else {
        return;
    };
    let class = entry.value.trim();
    if CLASSES.contains(&class) {
        return;
    }
    let simple = class
        .strip_prefix("org.apache.kafka.connect.mirror.")
        .unwrap_or(class);
    let simple = simple.strip_suffix("Connector").unwrap_or(simple);
    if ["MirrorSource", "MirrorCheckpoint", "MirrorHeartbeat"].contains(&simple) {
        let remedy = format!("use {OWN_CLASS} with topic.regex or topic.whitelist");
        reader.refuse(
            entry,
            "MirrorMaker 2's connectors are not supported yet",
            Some(remedy),
        );
    } else {
        let remedy = format!("use {OWN_CLASS}, or Replicator's class");
        reader.refuse(entry, "Tributary runs no Java plugins", Some(remedy));
    }
}

fn converters(reader: &mut Reader<'_>) {
    for prefix in ["", "src."] {
        for part in ["key", "value", "header"] {
            let Some(entry) = reader.entry(&format!("{prefix}{part}.converter")) else {
                continue;
            };
            let class = entry.value.trim();
            if is_byte_converter(class) {
                continue;
            }
            let mut wrong = "Tributary copies bytes and runs no converters".to_owned();
            if class.ends_with("SimpleHeaderConverter") {
                wrong.push_str("; it would rewrite header values");
            }
            reader.refuse(entry, wrong, Some("use a ByteArrayConverter".to_owned()));
        }
    }
}

fn transforms(reader: &mut Reader<'_>) {
    for key in ["transforms", "predicates"] {
        let Some(entry) = reader.entry(key) else {
            continue;
        };
        let router = reader.list(key).into_iter().find_map(|alias| {
            reader
                .text(&format!("{key}.{alias}.type"))
                .filter(|class| class.ends_with("RegexRouter"))
        });
        let remedy = match router {
            Some(_) => "topic.rename.format gives copies other names",
            None => "topics are selected by topic.regex, topic.whitelist and topic.blacklist",
        };
        reader.refuse(
            entry,
            "Tributary runs no Java plugins",
            Some(remedy.to_owned()),
        );
    }
}

/// Values that promise something this build cannot keep.
fn guarantees(reader: &mut Reader<'_>) {
    if reader.text("exactly.once.support") == Some("required")
        && let Some(entry) = reader.entry("exactly.once.support")
    {
        reader.refuse(
            entry,
            "exactly-once delivery cannot be guaranteed yet",
            Some("with requested, records are copied at least once, and duplicates are only possible after a crash".to_owned()),
        );
    }
    if reader.boolean("topic.preserve.partitions") == Some(false)
        && let Some(entry) = reader.entry("topic.preserve.partitions")
    {
        reader.refuse(
            entry,
            "records cannot be spread over partitions anew yet",
            Some("with true, each record goes to the partition of the same number".to_owned()),
        );
    }
    match reader.raw.initial_state.as_deref() {
        None => {}
        Some(state) if state.eq_ignore_ascii_case("RUNNING") => {}
        Some(state) => {
            let text = format!(
                "initial_state={state} is accepted, but not implemented yet: the link starts at once"
            );
            reader.warn(text);
        }
    }
}

fn source(reader: &mut Reader<'_>) -> Option<ClientConfig> {
    let set = [
        "src.consumer.bootstrap.servers",
        "src.kafka.bootstrap.servers",
    ]
    .iter()
    .any(|key| reader.entry(key).is_some());
    if !set {
        reader.missing(
            "src.kafka.bootstrap.servers",
            "the source is not named",
            "set it to the source's brokers, for example broker1:9092,broker2:9092",
        );
    }
    client(reader, &["src.consumer.", "src.kafka."], None)
}

/// Weakest first: the worker's cluster, the worker's producers, `dest.kafka.`, `producer.override.`.
fn destination(reader: &mut Reader<'_>, worker: &WorkerConfig) -> Option<ClientConfig> {
    let base = worker.data.as_ref().or(worker.bootstrap.as_ref());
    let keys = [
        "producer.override.bootstrap.servers",
        "dest.kafka.bootstrap.servers",
    ];
    if base.is_none() && keys.iter().all(|key| reader.entry(key).is_none()) {
        reader.missing(
            "dest.kafka.bootstrap.servers",
            "the destination is not named, and the worker has no bootstrap.servers",
            "set it to the destination's brokers, for example broker1:9092,broker2:9092",
        );
    }
    let destination = client(reader, &["producer.override.", "dest.kafka."], base);
    administered_elsewhere(reader, destination.as_ref());
    destination
}

/// Replicator would write data to one cluster and create its topics in another.
fn administered_elsewhere(reader: &mut Reader<'_>, destination: Option<&ClientConfig>) {
    if let Some(entry) = reader.entry("admin.override.bootstrap.servers")
        && let Some(destination) = destination
        && parse_addresses(entry.value.trim()).as_ref() != Ok(&destination.bootstrap_servers)
    {
        reader.refuse(
            entry,
            "topics would be created in another cluster than the one that data is written to",
            Some("name the destination by dest.kafka.bootstrap.servers alone".to_owned()),
        );
    }
}

fn topics(reader: &mut Reader<'_>, selection: Option<TopicSelection>) -> Option<TopicSettings> {
    let selection = match selection {
        Some(selection) => Some(selection),
        None => configured_selection(reader),
    };
    let rename = match reader.entry("topic.rename.format") {
        None => Some(RenameFormat::default()),
        Some(entry) => match RenameFormat::parse(entry.value.trim()) {
            Ok(format) => Some(format),
            Err(problem) => {
                reader.refuse(entry, problem.to_string(), None);
                None
            }
        },
    };
    if let Some(rename) = rename.as_ref().filter(|rename| rename.is_constant()) {
        reader.warn(format!(
            "topic.rename.format={rename} has no ${{topic}}: all topics are merged into one"
        ));
    }
    let config_exclude = config_exclude(reader);
    let millis = |key, default| {
        reader
            .millis(key)
            .unwrap_or(std::time::Duration::from_millis(default))
    };
    let config_sync = reader.boolean("topic.config.sync").unwrap_or(true);
    Some(TopicSettings {
        whitelist_strict: reader
            .boolean("tributary.topic.whitelist.strict")
            .unwrap_or(false),
        auto_create: reader.boolean("topic.auto.create").unwrap_or(true),
        preserve_partitions: reader.boolean("topic.preserve.partitions").unwrap_or(true),
        replication_factor: match reader.number("dest.topic.replication.factor") {
            Some(count) if count > 0 => ReplicationFactor::Fixed(count),
            _ => ReplicationFactor::Source {
                strict: reader
                    .boolean("tributary.topic.replication.factor.strict")
                    .unwrap_or(false),
            },
        },
        timestamp_type: Some(match reader.text("topic.timestamp.type") {
            Some("LogAppendTime") => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        }),
        poll_interval: millis("topic.poll.interval.ms", 120_000),
        create_backoff: millis("topic.create.backoff.ms", 120_000),
        config_exclude: config_exclude?,
        defaults_from: match reader.text("use.defaults.from") {
            Some("source") => DefaultsFrom::Source,
            _ => DefaultsFrom::Target,
        },
        config_sync: config_sync.then(|| millis("topic.config.sync.interval.ms", 120_000)),
        config_delete: match reader.text("tributary.topic.config.delete") {
            Some("own") => ConfigDelete::Own,
            Some("never") => ConfigDelete::Never,
            _ => ConfigDelete::Follow,
        },
        acls: acls(reader),
        selection: selection?,
        naming: Naming::Format(rename?),
    })
}

fn config_exclude(reader: &mut Reader<'_>) -> Option<PatternList> {
    let Some(entry) = reader.entry("config.properties.exclude") else {
        let list = PatternList::parse(CONFIG_EXCLUDE);
        return Some(list.expect("a test parses the built-in list"));
    };
    match PatternList::parse(reader.list("config.properties.exclude")) {
        Ok(list) => Some(list),
        Err(problem) => {
            reader.refuse(entry, problem.to_string(), None);
            None
        }
    }
}

/// How access rights are copied; `None` where they are not.
fn acls(reader: &mut Reader<'_>) -> Option<AclSettings> {
    if reader.boolean("sync.topic.acls.enabled") != Some(true) {
        return None;
    }
    let mut patterns = |key: &str, default: &str| {
        let mut items = reader.list(key);
        items.retain(|item| !item.is_empty());
        if items.is_empty() && !default.is_empty() {
            items.push(default);
        }
        PatternList::parse(items).unwrap_or_else(|problem| {
            if let Some(entry) = reader.entry(key) {
                reader.refuse(entry, problem.to_string(), None);
            }
            PatternList::default()
        })
    };
    let principals = patterns("tributary.acl.principals", ".*");
    let principals_exclude = patterns("tributary.acl.principals.exclude", "");
    let resources = reader.list("tributary.acl.resources");
    if let Some(entry) = reader.entry("tributary.acl.resources")
        && let Some(other) = resources
            .iter()
            .find(|name| !["topic", "group", "transactional-id"].contains(*name))
    {
        reader.refuse(
            entry,
            format!("\"{other}\" is no kind of resource whose permissions can be copied"),
            Some("choose of topic, group, transactional-id".to_owned()),
        );
    }
    let seconds = reader.number("sync.topic.acls.interval.seconds");
    Some(AclSettings {
        interval: std::time::Duration::from_secs(seconds.unwrap_or(600)),
        mode: match reader.text("tributary.acl.mode") {
            Some("exact") => AclMode::Exact,
            _ => AclMode::ReadOnly,
        },
        topics: resources.is_empty() || resources.contains(&"topic"),
        groups: resources.contains(&"group"),
        transactional_ids: resources.contains(&"transactional-id"),
        principals,
        principals_exclude,
        delete: reader.boolean("tributary.acl.delete").unwrap_or(true),
    })
}

fn configured_selection(reader: &mut Reader<'_>) -> Option<TopicSelection> {
    let whitelist = topic_names(reader, "topic.whitelist");
    let blacklist = topic_names(reader, "topic.blacklist");
    let mut include = Vec::new();
    let mut legal = true;
    if let Some(entry) = reader.entry("topic.regex") {
        match Pattern::parse(entry.value.trim()) {
            Ok(pattern) => {
                if let Some(meant) = pattern.probably_meant() {
                    reader.warn(format!(
                        "topic.regex={pattern} repeats only its last character; did you mean {meant} ?"
                    ));
                }
                include.push(pattern);
            }
            Err(problem) => {
                legal = false;
                reader.refuse(entry, problem.to_string(), None);
            }
        }
    }
    let selection = TopicSelection::new(whitelist?, blacklist?, include, Vec::new());
    if selection.is_empty() && legal {
        reader.warn(
            "neither topic.whitelist nor topic.regex is set: no topic is selected, and nothing is copied",
        );
    }
    for name in selection.whitelist().filter(|name| *name == "_schemas") {
        reader.warn(format!("{name} is copied byte for byte: that corrupts a live schema registry at the destination"));
    }
    legal.then_some(selection)
}

/// A list of exact names.
fn topic_names(reader: &mut Reader<'_>, key: &str) -> Option<Vec<String>> {
    let Some(entry) = reader.entry(key) else {
        return Some(Vec::new());
    };
    let mut names = Vec::new();
    let mut legal = true;
    for name in reader.list(key) {
        let looks_like_pattern = name.contains(['*', '+', '?', '(', '[', '|', '\\', '^', '$']);
        if name.is_empty() {
            legal = false;
            reader.refuse(entry, "there is an empty item between the commas", None);
        } else if looks_like_pattern {
            legal = false;
            let remedy = match key {
                "topic.whitelist" => "patterns belong into topic.regex",
                _ => "exclude by topic.regex, for example (?!internal-).*",
            };
            reader.refuse(
                entry,
                format!("\"{name}\" is no name of a topic"),
                Some(remedy.to_owned()),
            );
        } else if name.len() > MAX_TOPIC_NAME || check_name_characters(name).is_err() {
            legal = false;
            let reason = check_name_characters(name).err().unwrap_or_default();
            reader.refuse(entry, reason, None);
        } else {
            names.push(name.to_owned());
        }
    }
    legal.then_some(names)
}

/// Reserved names may be listed: they are never copied, and `decide` says so.
fn check_name_characters(name: &str) -> Result<(), String> {
    match check_name(name) {
        Ok(()) | Err(crate::rename::NameProblem::Reserved(_)) => Ok(()),
        Err(problem) => Err(problem.to_string()),
    }
}

fn start(reader: &mut Reader<'_>) -> StartPosition {
    if let Some(entry) = reader.entry("tributary.start") {
        return match entry.value.trim() {
            "earliest" => StartPosition::Earliest,
            "latest" => StartPosition::Latest,
            _ => {
                reader.refuse(
                    entry,
                    "times and single offsets are not supported yet",
                    Some("choose one of earliest, latest".to_owned()),
                );
                StartPosition::Earliest
            }
        };
    }
    let keys = [
        "src.consumer.auto.offset.reset",
        "consumer.override.auto.offset.reset",
    ];
    let Some(entry) = keys.iter().find_map(|key| reader.entry(key)) else {
        return StartPosition::Earliest;
    };
    match entry.value.trim() {
        "earliest" => StartPosition::Earliest,
        "latest" => StartPosition::Latest,
        "none" => {
            let remedy = Some("choose one of earliest, latest".to_owned());
            reader.refuse(
                entry,
                "refusing partitions without a position is not supported yet",
                remedy,
            );
            StartPosition::Earliest
        }
        _ => {
            let remedy = Some("choose one of earliest, latest".to_owned());
            reader.refuse(entry, "there is no such choice", remedy);
            StartPosition::Earliest
        }
    }
}

fn fetch(reader: &Reader<'_>) -> FetchSettings {
    let defaults = FetchSettings::default();
    let text = |name: &str| reader.text(&format!("src.consumer.{name}"));
    let number = |name: &str| text(name).and_then(|text| text.parse().ok());
    FetchSettings {
        min_bytes: number("fetch.min.bytes").unwrap_or(defaults.min_bytes),
        max_bytes: number("fetch.max.bytes").unwrap_or(defaults.max_bytes),
        max_wait: text("fetch.max.wait.ms")
            .and_then(|text| text.parse().ok())
            .map_or(defaults.max_wait, std::time::Duration::from_millis),
        max_partition_bytes: number("max.partition.fetch.bytes")
            .unwrap_or(defaults.max_partition_bytes),
        check_crcs: text("check.crcs").and_then(parse_boolean).unwrap_or(false),
    }
}

fn produce(reader: &mut Reader<'_>, destination: Option<&ClientConfig>) -> ProduceSettings {
    let defaults = ProduceSettings::default();
    let key = "producer.override.max.in.flight.requests.per.connection";
    let mut max_in_flight = reader.number(key).unwrap_or(defaults.max_in_flight);
    if max_in_flight > 5 {
        reader.warn(format!(
            "{key}={max_in_flight}: 5 is used, the most with which order is kept"
        ));
        max_in_flight = 5;
    }
    ProduceSettings {
        max_request_size: reader
            .number("producer.override.max.request.size")
            .unwrap_or(defaults.max_request_size),
        max_in_flight,
        request_timeout: destination
            .map_or(defaults.request_timeout, |client| client.request_timeout),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_exclusions_are_patterns_and_match_what_they_name() {
        let list = PatternList::parse(CONFIG_EXCLUDE).expect("legal");
        assert!(list.is_match("message.timestamp.type"));
        assert!(!list.is_match("min.insync.replicas"));
        assert!(!list.is_match("messageXtimestamp.type"));
    }
}
