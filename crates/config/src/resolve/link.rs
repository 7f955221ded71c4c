//! The settings of a link.

use crate::address::parse_addresses;
use crate::client::ClientConfig;
use crate::key::{holds_secret, is_secret};
use crate::keys::Scope;
use crate::link::{LinkConfig, LoopPrevention, OnGap, OnRecreate};
use crate::raw::{RawConfig, RawEntry};
use crate::resolve::client::client;
use crate::resolve::reader::Reader;
use crate::resolve::start::start;
use crate::resolve::{data, topics, transactions};
use crate::selection::TopicSelection;
use crate::transform::Step;
use crate::worker::WorkerConfig;

/// The class of a link in the keys of this program.
pub const OWN_CLASS: &str = "tributary.TributarySourceConnector";

const OWN_CLASSES: [&str; 3] = [OWN_CLASS, "TributarySourceConnector", "TributarySource"];

const REPLICATOR_CLASSES: [&str; 3] = [
    "io.confluent.connect.replicator.ReplicatorSourceConnector",
    "ReplicatorSourceConnector",
    "ReplicatorSource",
];

/// MirrorMaker 2's connectors, without package and suffix.
const MIRROR_CLASSES: [&str; 3] = ["MirrorSource", "MirrorCheckpoint", "MirrorHeartbeat"];

/// The vocabulary that `connector.class` stands for; without a known one it is our own.
#[must_use]
pub fn scope_of(raw: &RawConfig) -> Scope {
    let class = raw.get("connector.class").map(|entry| entry.value.trim());
    match class {
        Some(class) if REPLICATOR_CLASSES.contains(&class) => Scope::Replicator,
        Some(class) if mirror_class(class).is_some() => Scope::Mirror,
        _ => Scope::Own,
    }
}

fn mirror_class(class: &str) -> Option<&str> {
    let simple = class
        .strip_prefix("org.apache.kafka.connect.mirror.")
        .unwrap_or(class);
    let simple = simple.strip_suffix("Connector").unwrap_or(simple);
    MIRROR_CLASSES.contains(&simple).then_some(simple)
}

/// Prefixes of the keys of one client, the strongest first.
struct Prefixes {
    source: &'static [&'static str],
    destination: &'static [&'static str],
    fetch: &'static [&'static str],
    produce: &'static [&'static str],
}

fn prefixes(scope: Scope) -> Prefixes {
    match scope {
        Scope::Mirror => Prefixes {
            source: &["source.consumer.", "consumer.", "source.cluster.", ""],
            destination: &[
                "producer.override.",
                "target.producer.",
                "producer.",
                "target.cluster.",
                "",
            ],
            fetch: &["source.consumer.", "consumer."],
            produce: &["producer.override.", "target.producer.", "producer."],
        },
        Scope::Own => Prefixes {
            source: &[
                "src.consumer.",
                "src.kafka.",
                "source.consumer.",
                "source.cluster.",
            ],
            destination: &[
                "producer.override.",
                "dest.kafka.",
                "target.producer.",
                "target.cluster.",
            ],
            fetch: &["src.consumer.", "source.consumer."],
            produce: &["producer.override.", "target.producer."],
        },
        _ => Prefixes {
            source: &["src.consumer.", "src.kafka."],
            destination: &["producer.override.", "dest.kafka."],
            fetch: &["src.consumer."],
            produce: &["producer.override."],
        },
    }
}

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
    let prefixes = prefixes(reader.scope);
    let submitted = reader.raw.is_submitted();
    reader.allowed_urls = submitted.then(|| worker.oauth.allowed_urls.clone());
    reader.unsecured_tokens = worker.oauth.unsecured;
    let quick = selection.is_some();
    let name = name(reader);
    literal_secrets(reader);
    connector_class(reader);
    switched_off(reader);
    converters(reader);
    partitions_of_their_own(reader);
    let source = source(reader, prefixes.source);
    let destination = destination(reader, prefixes.destination, worker);
    let topics = topics::topics(reader, selection);
    if let (Some(source), Some(destination), Some(topics)) = (&source, &destination, &topics)
        && !quick
        && topics.naming.is_identity_or_mirrors()
    {
        same_cluster(reader, source, destination);
    }
    let start = start(reader, prefixes.fetch);
    let fetch = data::fetch(reader, prefixes.fetch);
    let produce = data::produce(reader, prefixes.produce, destination.as_ref());
    let provenance = data::provenance(reader);
    let quarantine_topic = data::quarantine_topic(reader, name.as_deref());
    let start_group = data::start_group(reader, name.as_deref());
    let transactions = transactions::transactions(reader, prefixes.produce, worker);
    let mut link = LinkConfig {
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
        start_group,
        provenance,
        on_refused: data::on_refused(reader),
        quarantine_topic,
        on_gap: match reader.text("tributary.on.gap") {
            Some("continue") => OnGap::Continue,
            _ => OnGap::Stop,
        },
        on_recreate: match reader.text("tributary.on.recreate") {
            Some("restart") => OnRecreate::Restart,
            _ => OnRecreate::Stop,
        },
        loops: match reader.text("tributary.loop.prevention") {
            Some("required") => LoopPrevention::Required,
            Some("off") => LoopPrevention::Off,
            _ => LoopPrevention::Auto,
        },
        accept_lost_origins: reader.text("tributary.on.origins.lost") == Some("continue"),
        offsets: data::offsets(reader),
        health: data::health(reader),
        transactions,
    };
    transactions::check(reader, &mut link);
    offsets_for_nobody(reader, &link);
    Some(link)
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

/// What is submitted is stored as it is, where many can read it.
fn literal_secrets(reader: &mut Reader<'_>) {
    if !reader.raw.is_submitted() {
        return;
    }
    let entries = reader.raw.entries().iter();
    let literal: Vec<&str> = entries
        .filter(|entry| {
            let value = entry.given_value().trim();
            holds_secret(&entry.key) && !value.is_empty() && is_secret(&entry.key, value)
        })
        .map(RawEntry::written)
        .collect();
    if !literal.is_empty() {
        reader.warn(format!(
            "secrets stand in the configuration itself, which is stored and shown to administrators: {}; keep them in a file, \
             and write a variable such as ${{file:/path:key}} in their place",
            literal.join(", ")
        ));
    }
}

fn connector_class(reader: &mut Reader<'_>) {
    let Some(entry) = reader.entry("connector.class") else {
        return;
    };
    let class = entry.value.trim();
    match mirror_class(class) {
        Some("MirrorCheckpoint") => reader.warn(format!(
            "{class} runs and does nothing yet: checkpoints are not written, and offsets of consumer groups are not \
             translated"
        )),
        Some(_) => {}
        None if OWN_CLASSES.contains(&class) || REPLICATOR_CLASSES.contains(&class) => {}
        None => {
            let remedy =
                format!("use {OWN_CLASS}, Replicator's class, or MirrorMaker 2's source connector");
            reader.refuse(entry, "Tributary runs no Java plugins", Some(remedy));
        }
    }
}

/// A connector that MirrorMaker 2 would start, to do nothing.
fn switched_off(reader: &mut Reader<'_>) {
    if reader.boolean("enabled") == Some(false)
        && let Some(entry) = reader.entry("enabled")
    {
        let remedy = "leave it out of what is started".to_owned();
        reader.refuse(entry, "this connector is switched off", Some(remedy));
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

/// Where records do not keep their partitions.
fn partitions_of_their_own(reader: &mut Reader<'_>) {
    if reader.boolean("topic.preserve.partitions") == Some(false) {
        let mut keys = prefixes(reader.scope).produce.iter();
        let class = keys.find_map(|prefix| reader.entry(&format!("{prefix}partitioner.class")));
        if let Some(class) = class
            && class.value.trim()
                != "org.apache.kafka.clients.producer.internals.DefaultPartitioner"
        {
            let remedy =
                "leave it out: records are spread as by Kafka's default partitioner".to_owned();
            reader.refuse(class, "Tributary runs no Java plugins", Some(remedy));
        }
        let mut keys = prefixes(reader.scope).produce.iter();
        let ignores = |entry: &&RawEntry| entry.value.trim().eq_ignore_ascii_case("true");
        let ignoring = keys
            .find_map(|prefix| reader.entry(&format!("{prefix}partitioner.ignore.keys")))
            .filter(ignores);
        if let Some(entry) = ignoring {
            reader.refuse(
                entry,
                "records with a key go to the partition that the key gives",
                Some("leave it out".to_owned()),
            );
        }
        reader.warn(
            "topic.preserve.partitions=false: every record is decoded, once for each partition of the destination, and \
             offsets of consumer groups have no exact counterpart there",
        );
    }
}

/// What makes every partition stop that is to have the source's offsets. Steps for single topics say so when these are met.
fn offsets_for_nobody(reader: &mut Reader<'_>, link: &LinkConfig) {
    let Some(entry) = reader
        .entry("tributary.offsets")
        .filter(|entry| entry.value.trim() == "preserve")
    else {
        return;
    };
    let mut steps = link
        .topics
        .naming
        .transforms()
        .map(|chain| chain.steps.iter());
    let everywhere = |step: &Step| step.condition.is_none() && step.is_about_records();
    let wrong = if !link.topics.preserve_partitions {
        "where records are spread over other partitions (topic.preserve.partitions=false) none keeps its offset"
    } else if link.provenance.is_some() {
        "where records get a header (provenance.header.enable=true) none keeps its offset"
    } else if steps.as_mut().is_some_and(|steps| steps.any(everywhere)) {
        "where all records are changed on their way (transforms) none keeps its offset"
    } else {
        return;
    };
    reader.refuse(entry, wrong, Some("leave one of both out".to_owned()));
}

/// Whether one of these keys is set, and with what.
fn named<'a>(reader: &Reader<'a>, prefixes: &[&str]) -> Option<&'a RawEntry> {
    prefixes
        .iter()
        .find_map(|prefix| reader.entry(&format!("{prefix}bootstrap.servers")))
}

const BROKERS: &str = "broker1:9092,broker2:9092";

fn source(reader: &mut Reader<'_>, prefixes: &[&str]) -> Option<ClientConfig> {
    if named(reader, prefixes).is_none() {
        let key = match reader.scope {
            Scope::Mirror => "source.cluster.bootstrap.servers",
            _ => "src.kafka.bootstrap.servers",
        };
        let remedy = format!("set it to the source's brokers, for example {BROKERS}");
        reader.missing(key, "the source is not named", &remedy);
    }
    let mut source = client(reader, prefixes, None)?;
    longest_pause(reader, prefixes, Some(&mut source));
    if reader.scope == Scope::Mirror {
        let own = prefixes
            .iter()
            .any(|prefix| reader.entry(&format!("{prefix}client.id")).is_some());
        let label = mirror_client_id(reader);
        source.client_id = if own {
            format!("{}|{label}", source.client_id)
        } else {
            label
        };
    }
    Some(source)
}

/// What MirrorMaker 2's first task calls its consumer, so that quotas go on to hold.
fn mirror_client_id(reader: &Reader<'_>) -> String {
    let alias = |key| reader.text(key).unwrap_or("target");
    let (source, destination) = (alias("source.cluster.alias"), alias("target.cluster.alias"));
    let connector = match reader.text("name") {
        // In a file of flows the connector has its class for a name.
        Some(name) if !name.contains("->") => name,
        _ => "MirrorSourceConnector",
    };
    format!("{source}->{destination}|{connector}-0|replication-consumer")
}

/// Weakest first: the worker's cluster, the worker's producers, the link's keys.
fn destination(
    reader: &mut Reader<'_>,
    prefixes: &[&str],
    worker: &WorkerConfig,
) -> Option<ClientConfig> {
    let base = worker.data.as_ref().or(worker.bootstrap.as_ref());
    if base.is_none() && named(reader, prefixes).is_none() {
        let key = match reader.scope {
            Scope::Mirror => "target.cluster.bootstrap.servers",
            _ => "dest.kafka.bootstrap.servers",
        };
        let wrong = "the destination is not named, and the worker has no bootstrap.servers";
        let remedy = format!("set it to the destination's brokers, for example {BROKERS}");
        reader.missing(key, wrong, &remedy);
    }
    let mut destination = client(reader, prefixes, base);
    longest_pause(reader, prefixes, destination.as_mut());
    administered_elsewhere(reader, destination.as_ref());
    destination
}

/// `errors.retry.delay.max.ms`, where the client has no bound of its own.
fn longest_pause(reader: &Reader<'_>, prefixes: &[&str], client: Option<&mut ClientConfig>) {
    let own = prefixes.iter().any(|prefix| {
        reader
            .entry(&format!("{prefix}retry.backoff.max.ms"))
            .is_some()
    });
    if let (false, Some(client)) = (own, client)
        && let Some(bound) = reader.millis("errors.retry.delay.max.ms")
    {
        client.retry_backoff_max = bound;
        client.retry_backoff = client.retry_backoff.min(bound);
    }
}

/// The same brokers on both sides: told before anything is asked of them. Other spellings of one cluster are found
/// by its id when the link starts.
fn same_cluster(reader: &mut Reader<'_>, source: &ClientConfig, destination: &ClientConfig) {
    let sorted = |client: &ClientConfig| {
        let mut brokers: Vec<String> = client
            .bootstrap_servers
            .iter()
            .map(|broker| broker.to_string().to_ascii_lowercase())
            .collect();
        brokers.sort_unstable();
        brokers
    };
    if sorted(source) != sorted(destination) {
        return;
    }
    let prefixes = prefixes(reader.scope);
    let wrong =
        "source and destination are the same brokers, and topics would be copied onto themselves";
    let remedy = match reader.scope {
        Scope::Mirror => "name two clusters",
        _ => "name two clusters, or rename topics (topic.rename.format)",
    };
    match named(reader, prefixes.destination).or_else(|| named(reader, prefixes.source)) {
        Some(entry) => reader.refuse(entry, wrong, Some(remedy.to_owned())),
        None => reader.missing("bootstrap.servers", wrong, remedy),
    }
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
