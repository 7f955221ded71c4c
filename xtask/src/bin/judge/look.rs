//! Looks at clusters and changes their topics.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Map, Value, json};
use test_support::judge::{self, Place};
use tokio::time::Instant;

use crate::Answer;

/// For every single question to a broker.
const LIMIT: Duration = Duration::from_secs(15);
/// For reading a whole topic.
const READING_LIMIT: Duration = Duration::from_secs(600);

pub(crate) fn ends(bootstrap: &str) -> Answer {
    let consumer = consumer(bootstrap)?;
    patiently(|| spans(&consumer))
}

fn spans(consumer: &BaseConsumer) -> Answer {
    let mut topics = Map::new();
    for (topic, partitions) in topics_of(consumer)? {
        let mut spans = Vec::new();
        for partition in 0..partitions {
            let (first, end) = consumer.fetch_watermarks(&topic, partition, LIMIT)?;
            spans.push(json!([first, end]));
        }
        topics.insert(topic, Value::Array(spans));
    }
    Ok(Value::Object(topics))
}

pub(crate) fn digest(bootstrap: &str, topic: &str, last_of_keys: bool) -> Answer {
    let place = Place::new(bootstrap, topic);
    let runtime = runtime()?;
    let digest = match last_of_keys {
        true => runtime.block_on(judge::digest_of_last(&place, READING_LIMIT))?,
        false => runtime.block_on(judge::digest(&place, READING_LIMIT))?,
    };
    let partitions = digest.values().map(|partition| {
        let hash = format!("{:016x}", partition.hash);
        json!({ "records": partition.records, "bytes": partition.bytes, "hash": hash })
    });
    Ok(partitions.collect())
}

pub(crate) fn create(bootstrap: &str, topic: &str, partitions: i32, settings: &[String]) -> Answer {
    let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
    for setting in settings {
        let (key, value) = setting
            .split_once('=')
            .ok_or_else(|| format!("`{setting}` is not KEY=VALUE"))?;
        new = new.set(key, value);
    }
    let results = runtime()?.block_on(admin(bootstrap)?.create_topics(&[new], &options()))?;
    for result in results {
        result.map_err(|(topic, code)| format!("cannot create {topic}: {code}"))?;
    }
    Ok(Value::Null)
}

/// Creates it where it is not there.
pub(crate) fn ensure(bootstrap: &str, topic: &str, partitions: i32, settings: &[String]) -> Answer {
    let present = topics_of(&consumer(bootstrap)?)?;
    match present.iter().any(|(name, _)| name == topic) {
        true => Ok(Value::Null),
        false => create(bootstrap, topic, partitions, settings),
    }
}

pub(crate) fn clear(bootstrap: &str, keep: &[String]) -> Answer {
    let consumer = consumer(bootstrap)?;
    let doomed = || -> Result<Vec<String>, Box<dyn std::error::Error>> {
        let all = topics_of(&consumer)?.into_iter().map(|(topic, _)| topic);
        Ok(all.filter(|topic| !keep.contains(topic)).collect())
    };
    let names = doomed()?;
    if !names.is_empty() {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let results = runtime()?.block_on(admin(bootstrap)?.delete_topics(&names, &options()))?;
        for result in results {
            result.map_err(|(topic, code)| format!("cannot delete {topic}: {code}"))?;
        }
    }
    for _ in 0..100 {
        if doomed()?.is_empty() {
            return Ok(json!(names));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err("deleted topics did not disappear within 10 s".into())
}

/// What to watch.
#[derive(Debug, clap::Args)]
pub(crate) struct WatchOptions {
    bootstrap: String,
    topic: String,
    /// Time of the last record of every partition, later than that of all others
    #[arg(long)]
    last: i64,
    /// Number of records: before so many offsets are there, nobody looks for the last ones
    #[arg(long)]
    records: i64,
    #[arg(long, default_value_t = 100)]
    every_ms: u64,
}

/// Counting offsets alone does not tell the end: markers of transactions and what is left out of offsets that are kept count
/// as well. That the last record of a partition can be read committed does.
pub(crate) fn watch(options: &WatchOptions) -> Answer {
    let counts = consumer(&options.bootstrap)?;
    let reads = committed(&options.bootstrap)?;
    let topic = &options.topic;
    let mut out = std::io::stdout();
    loop {
        let total: i64 = patiently(|| found(&counts, topic, Offset::End))?
            .values()
            .sum();
        let arrived = match total >= options.records {
            true => patiently(|| arrived(&counts, &reads, options))?,
            false => 0,
        };
        if writeln!(out, "{total} {arrived}")
            .and_then(|()| out.flush())
            .is_err()
        {
            return Ok(Value::Null);
        }
        std::thread::sleep(Duration::from_millis(options.every_ms));
    }
}

/// In how many partitions the last record lies in front of what is committed.
fn arrived(
    counts: &BaseConsumer,
    reads: &BaseConsumer,
    options: &WatchOptions,
) -> Result<usize, Box<dyn std::error::Error>> {
    let last = found(counts, &options.topic, Offset::Offset(options.last))?;
    let stable = found(reads, &options.topic, Offset::End)?;
    let is_stable = |(partition, offset): &(&i32, &i64)| {
        let end = stable.get(*partition);
        end.is_some_and(|end| *offset < end)
    };
    Ok(last.iter().filter(is_stable).count())
}

/// Asks again for a while: topics that have just been made have partitions without a leader.
fn patiently<T>(
    mut ask: impl FnMut() -> Result<T, Box<dyn std::error::Error>>,
) -> Result<T, Box<dyn std::error::Error>> {
    let patience = Instant::now() + LIMIT;
    loop {
        match ask() {
            Err(_) if Instant::now() < patience => std::thread::sleep(Duration::from_millis(50)),
            answered => return answered,
        }
    }
}

/// The offset of every partition at a time, or at its end, in one request for each broker. Partitions that have nothing at or
/// behind that time are missing, and so are all while the topic does not exist.
fn found(
    consumer: &BaseConsumer,
    topic: &str,
    time: Offset,
) -> Result<BTreeMap<i32, i64>, Box<dyn std::error::Error>> {
    let metadata = consumer.fetch_metadata(Some(topic), LIMIT)?;
    let mut wanted = TopicPartitionList::new();
    for found in metadata
        .topics()
        .iter()
        .filter(|found| found.error().is_none())
    {
        for partition in found.partitions() {
            // In a question by time, −1, which is how librdkafka writes "end", asks for the end (ListOffsets, "latest").
            wanted.add_partition_offset(topic, partition.id(), time)?;
        }
    }
    if wanted.count() == 0 {
        return Ok(BTreeMap::new());
    }
    let answered = consumer.offsets_for_times(wanted, LIMIT)?;
    let offset = |offset: Offset| match offset {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    };
    let offsets = answered.elements();
    let known = offsets.iter().filter(|element| element.error().is_ok());
    Ok(known
        .filter_map(|element| Some((element.partition(), offset(element.offset())?)))
        .collect())
}

fn topics_of(consumer: &BaseConsumer) -> Result<Vec<(String, i32)>, Box<dyn std::error::Error>> {
    let metadata = consumer.fetch_metadata(None, LIMIT)?;
    let mut topics = Vec::new();
    for topic in metadata
        .topics()
        .iter()
        .filter(|topic| !topic.name().starts_with("__"))
    {
        topics.push((
            topic.name().to_owned(),
            i32::try_from(topic.partitions().len())?,
        ));
    }
    Ok(topics)
}

/// Asks for all offsets, those of transactions that are open too.
fn consumer(bootstrap: &str) -> rdkafka::error::KafkaResult<BaseConsumer> {
    consumer_of(bootstrap, "read_uncommitted")
}

/// Asks for what is committed.
fn committed(bootstrap: &str) -> rdkafka::error::KafkaResult<BaseConsumer> {
    consumer_of(bootstrap, "read_committed")
}

fn consumer_of(bootstrap: &str, isolation: &str) -> rdkafka::error::KafkaResult<BaseConsumer> {
    ClientConfig::new()
        .set("isolation.level", isolation)
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "tributary-judge")
        .set("enable.auto.commit", "false")
        .set("allow.auto.create.topics", "false")
        .create()
}

fn admin(bootstrap: &str) -> rdkafka::error::KafkaResult<AdminClient<DefaultClientContext>> {
    ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .create()
}

fn options() -> AdminOptions {
    AdminOptions::new()
        .operation_timeout(Some(LIMIT))
        .request_timeout(Some(LIMIT))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}
