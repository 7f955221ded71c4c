//! Fills a topic with generated records.
//!
//! The size to reach is one of the *log on disk*, read from the broker's own directory: what a replicator moves is
//! compressed bytes, and how many records that takes is known only afterwards.
//!
//! The last record of each partition has a time of its own, later than that of all others: whoever finds it in a copy that is
//! in order knows that everything is there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use serde_json::json;

use crate::Answer;
use crate::generator;

/// Looking at the log's size costs a few system calls; so many bytes of values lie between two looks.
const BETWEEN_LOOKS: u64 = 10_000_000;
const FLUSH_LIMIT: Duration = Duration::from_secs(120);
/// Bytes of values in a transaction.
const TRANSACTION: u64 = 12_000_000;
/// Every so manieth transaction is aborted.
const ABORTED: u64 = 10;
/// Bytes of values in a row that are thinned later, and then as many that are not: several batches of each partition.
const STRETCH: u64 = 10_000_000;
/// In a stretch that is thinned, one in so many records of a partition has a key that comes again.
const AGAIN: u64 = 4;
/// Keys that come again.
const KEYS_AGAIN: u64 = 100;
/// How much later than all others the last records are, in milliseconds.
const LATER: i64 = 1000;

/// How the records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shape {
    Plain,
    /// In transactions, every tenth aborted
    Transactions,
    /// With keys that come again in every other stretch, for a cleaner to take out
    Thinned,
}

/// What to load.
#[derive(Debug, clap::Args)]
pub(crate) struct LoadOptions {
    bootstrap: String,
    topic: String,
    #[arg(long)]
    partitions: i32,
    #[arg(long)]
    codec: String,
    /// Bytes of a record's value
    #[arg(long, default_value_t = generator::RECORD_BYTES)]
    record_bytes: usize,
    #[arg(long, value_enum, default_value = "plain")]
    shape: Shape,
    /// Bytes of records in a batch before compression
    #[arg(long, default_value_t = 65_536)]
    batch_bytes: u32,
    /// Stop when the topic's log has this size
    #[arg(long)]
    wire_bytes: u64,
    /// Where the broker keeps its partitions
    #[arg(long)]
    log_directory: PathBuf,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Counts records the broker did not take.
#[derive(Debug, Default, Clone)]
struct Losses(Arc<AtomicU64>);

impl ClientContext for Losses {}

impl ProducerContext for Losses {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes records, in the order of their index.
struct Writer<'a> {
    options: &'a LoadOptions,
    producer: ThreadedProducer<Losses>,
    losses: Losses,
    /// Records so far.
    index: u64,
    /// Those whose transaction was aborted.
    aborted: u64,
}

pub(crate) fn run(options: &LoadOptions) -> Answer {
    if options.record_bytes < generator::LEAST_BYTES {
        let least = generator::LEAST_BYTES;
        return Err(format!("records have at least {least} bytes").into());
    }
    let mut writer = Writer::new(options)?;
    let size = u64::try_from(options.record_bytes)?;
    let transactional = options.shape == Shape::Transactions;
    let mut transaction = 0;
    while size_of(options)? < options.wire_bytes {
        if transactional {
            transaction += 1;
            writer.transaction(TRANSACTION / size, transaction % ABORTED == 0)?;
        } else {
            for _ in 0..(BETWEEN_LOOKS / size).max(1) {
                writer.next()?;
            }
        }
    }
    let last = now()? + LATER;
    if transactional {
        writer.producer.begin_transaction()?;
    }
    for partition in 0..options.partitions {
        writer.send(partition, &format!("last-{partition}"), Some(last))?;
    }
    if transactional {
        writer.producer.commit_transaction(FLUSH_LIMIT)?;
    }
    writer.ended(last)
}

impl<'a> Writer<'a> {
    fn new(options: &'a LoadOptions) -> Result<Self, KafkaError> {
        let losses = Losses::default();
        let mut settings = ClientConfig::new();
        settings
            .set("bootstrap.servers", &options.bootstrap)
            .set("compression.codec", &options.codec)
            .set("batch.size", options.batch_bytes.to_string())
            .set("batch.num.messages", "100000")
            .set("message.max.bytes", "10485760")
            .set("linger.ms", "20")
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("queue.buffering.max.kbytes", "32768");
        if options.shape == Shape::Transactions {
            settings.set("transactional.id", &options.topic);
        }
        let producer: ThreadedProducer<Losses> = settings.create_with_context(losses.clone())?;
        if options.shape == Shape::Transactions {
            producer.init_transactions(FLUSH_LIMIT)?;
        }
        Ok(Self {
            options,
            producer,
            losses,
            index: 0,
            aborted: 0,
        })
    }

    /// The next record.
    fn next(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        let partitions = u64::try_from(self.options.partitions)?;
        let (partition, number) = (self.index % partitions, self.index / partitions);
        let stretch = self.index * u64::try_from(self.options.record_bytes)? / STRETCH;
        let comes_again = self.options.shape == Shape::Thinned
            && stretch.is_multiple_of(2)
            && number.is_multiple_of(AGAIN);
        let key = match (comes_again, self.options.shape) {
            (true, _) => format!("again-{partition}-{}", number / AGAIN % KEYS_AGAIN),
            (false, Shape::Thinned) => format!("key-{:010}", self.index),
            (false, _) => format!("key-{:08}", self.index % 1_000_000),
        };
        self.send(i32::try_from(partition)?, &key, None)
    }

    /// So many records in a transaction of their own.
    fn transaction(
        &mut self,
        records: u64,
        aborts: bool,
    ) -> Result<(), Box<dyn std::error::Error>> {
        self.producer.begin_transaction()?;
        for _ in 0..records {
            self.next()?;
        }
        if aborts {
            // Aborting drops what has not been sent: the aborted records are to be there.
            self.producer.flush(FLUSH_LIMIT)?;
            self.producer.abort_transaction(FLUSH_LIMIT)?;
            self.aborted += records;
        } else {
            self.producer.commit_transaction(FLUSH_LIMIT)?;
        }
        Ok(())
    }

    /// Waits while the producer's queue is full.
    fn send(
        &mut self,
        partition: i32,
        key: &str,
        time: Option<i64>,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let value = generator::record(self.options.seed, self.index, self.options.record_bytes);
        let mut record = BaseRecord::to(&self.options.topic)
            .partition(partition)
            .key(key)
            .payload(&value);
        if let Some(time) = time {
            record = record.timestamp(time);
        }
        while let Err((error, refused)) = self.producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            record = refused;
            std::thread::sleep(Duration::from_millis(1));
        }
        self.index += 1;
        Ok(())
    }

    /// How many records a reader of committed ones finds, and the time of the last of each partition.
    fn ended(self, last: i64) -> Answer {
        self.producer.flush(FLUSH_LIMIT)?;
        let lost = self.losses.0.load(Ordering::Relaxed);
        if lost > 0 {
            return Err(format!("the broker did not take {lost} of {} records", self.index).into());
        }
        Ok(json!({ "records": self.index - self.aborted, "last": last }))
    }
}

/// Milliseconds since 1970.
fn now() -> Result<i64, Box<dyn std::error::Error>> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_millis())?)
}

fn size_of(options: &LoadOptions) -> std::io::Result<u64> {
    let prefix = format!("{}-", options.topic);
    let mut bytes = 0;
    for entry in std::fs::read_dir(&options.log_directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            bytes += segments(&entry.path())?;
        }
    }
    Ok(bytes)
}

fn segments(directory: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            // A segment may be gone that was there a moment ago.
            bytes += std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        }
    }
    Ok(bytes)
}
