//! How long records take from being visible at one cluster to being visible at another, at a steady rate (open loop).
//!
//! ```text
//! producer ─▶ source ──▶ replicator ──▶ destination
//!                └▶ consumer notes when   └▶ consumer notes when        added = the one behind the other
//! ```
//! One process, one clock; records carry their number. Timestamps of records are not used: they say when somebody meant to send.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::Answer;

/// For a question to a broker, and for everything to arrive at the end.
const LIMIT: Duration = Duration::from_secs(30);
/// The longest until the replicator copies what is written.
const WARM_LIMIT: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(100);
/// Share of the records at the beginning that do not count.
const SETTLES: usize = 10;

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct LatencyOptions {
    source: String,
    destination: String,
    topic: String,
    #[arg(long)]
    partitions: i32,
    /// Records per second
    #[arg(long)]
    rate: u32,
    #[arg(long)]
    seconds: u32,
    /// Bytes of a record
    #[arg(long, default_value_t = 1000)]
    size: usize,
    /// Only writes: whoever reads thousands of partitions uses more than what is measured
    #[arg(long)]
    unwatched: bool,
}

/// When records were seen, in nanoseconds since a moment; 0 for not yet.
struct Seen(Vec<AtomicU64>);

impl Seen {
    fn new(count: usize) -> Self {
        Self((0..count).map(|_| AtomicU64::new(0)).collect())
    }

    fn note(&self, payload: &[u8], since: Instant) {
        let number = payload.first_chunk::<8>();
        let number = number.and_then(|bytes| usize::try_from(u64::from_le_bytes(*bytes)).ok());
        let passed = u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX);
        if let Some(place) = number.and_then(|number| self.0.get(number)) {
            // A record that comes twice counts as it came first.
            let _ = place.compare_exchange(0, passed, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    fn at(&self, number: usize) -> Option<u64> {
        let at = self.0.get(number)?.load(Ordering::Relaxed);
        (at > 0).then_some(at)
    }

    fn missing(&self) -> usize {
        (0..self.0.len())
            .filter(|number| self.at(*number).is_none())
            .count()
    }
}

pub(crate) fn run(options: &LatencyOptions) -> Answer {
    let count = usize::try_from(u64::from(options.rate) * u64::from(options.seconds))?;
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", &options.source)
        .set("acks", "all")
        .set("linger.ms", "0")
        .create()?;
    if options.unwatched {
        let late = at_the_rate(&producer, options, count)?;
        producer.flush(LIMIT)?;
        return Ok(json!({"records": count, "producer_late_ms": late.as_secs_f64() * 1e3}));
    }
    let consumers = [
        consumer(&options.source, options)?,
        consumer(&options.destination, options)?,
    ];
    // One record to each partition, until all are through: then the replicator is warm enough to be measured.
    let partitions = usize::try_from(options.partitions)?;
    let began = Instant::now();
    let warm = [Seen::new(partitions), Seen::new(partitions)];
    watching(&consumers, &warm, began, || {
        for number in 0..partitions {
            send(&producer, options, number)?;
        }
        through(&warm, WARM_LIMIT)
    })?;
    let seen = [Seen::new(count), Seen::new(count)];
    let begin = Instant::now();
    let mut late = Duration::ZERO;
    watching(&consumers, &seen, begin, || {
        late = at_the_rate(&producer, options, count)?;
        through(&seen, LIMIT)
    })?;
    let counted = count / SETTLES..count;
    let added = counted.filter_map(|number| {
        let [source, destination] = [0, 1].map(|side: usize| seen[side].at(number));
        Some(destination?.saturating_sub(source?))
    });
    let mut answer = percentiles(added.collect());
    answer["records"] = json!(count);
    answer["lost"] = json!(seen[1].missing());
    answer["producer_late_ms"] = json!(late.as_secs_f64() * 1e3);
    Ok(answer)
}

/// Sends all of them when they are due; gives by how much the latest was late.
fn at_the_rate(
    producer: &ThreadedProducer<DefaultProducerContext>,
    options: &LatencyOptions,
    count: usize,
) -> Result<Duration, Box<dyn std::error::Error>> {
    let begin = Instant::now();
    let mut late = Duration::ZERO;
    for number in 0..count {
        let due = Duration::from_secs_f64(number as f64 / f64::from(options.rate));
        if let Some(early) = due.checked_sub(begin.elapsed()) {
            std::thread::sleep(early);
        }
        late = late.max(begin.elapsed().saturating_sub(due));
        send(producer, options, number)?;
    }
    Ok(late)
}

/// Reads everything from the end of now on.
fn consumer(
    bootstrap: &str,
    options: &LatencyOptions,
) -> Result<BaseConsumer, Box<dyn std::error::Error>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "latency")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut all = TopicPartitionList::new();
    for partition in 0..options.partitions {
        let (_, end) = consumer.fetch_watermarks(&options.topic, partition, LIMIT)?;
        all.add_partition_offset(&options.topic, partition, Offset::Offset(end))?;
    }
    consumer.assign(&all)?;
    Ok(consumer)
}

/// Does something while both sides are watched.
fn watching(
    consumers: &[BaseConsumer; 2],
    seen: &[Seen; 2],
    since: Instant,
    work: impl FnOnce() -> Result<(), Box<dyn std::error::Error>>,
) -> Result<(), Box<dyn std::error::Error>> {
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (consumer, seen) in consumers.iter().zip(seen) {
            let ends = &ends;
            scope.spawn(move || {
                while !ends.load(Ordering::Relaxed) {
                    // An error passes or shows as records that are missing.
                    if let Some(Ok(message)) = consumer.poll(POLL) {
                        seen.note(message.payload().unwrap_or_default(), since);
                    }
                }
            });
        }
        let done = work();
        ends.store(true, Ordering::Relaxed);
        done
    })
}

/// Waits until everything has arrived on both sides.
fn through(seen: &[Seen; 2], limit: Duration) -> Result<(), Box<dyn std::error::Error>> {
    let began = Instant::now();
    while seen.iter().any(|seen| seen.missing() > 0) {
        if began.elapsed() > limit {
            let [source, destination] = [0, 1].map(|side: usize| seen[side].missing());
            return Err(format!(
                "after {limit:?} {source} records are missing at the source and {destination} at the destination"
            )
            .into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn send(
    producer: &ThreadedProducer<DefaultProducerContext>,
    options: &LatencyOptions,
    number: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut payload = vec![b'.'; options.size.max(8)];
    payload[..8].copy_from_slice(&u64::try_from(number)?.to_le_bytes());
    let partition = i32::try_from(number % usize::try_from(options.partitions)?)?;
    let record: BaseRecord<'_, str, [u8]> = BaseRecord::to(&options.topic)
        .partition(partition)
        .payload(&payload);
    producer.send(record).map_err(|(error, _)| error.into())
}

/// Of nanoseconds, in milliseconds.
fn percentiles(mut times: Vec<u64>) -> Value {
    times.sort_unstable();
    let at = |per_mille: usize| {
        let place = (times.len() * per_mille / 1000).min(times.len().saturating_sub(1));
        times
            .get(place)
            .map(|nanoseconds| *nanoseconds as f64 / 1e6)
    };
    json!({"p50": at(500), "p90": at(900), "p99": at(990), "p99.9": at(999), "max": at(1000)})
}
