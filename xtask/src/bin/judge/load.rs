//! Fills a topic with generated records.
//!
//! The size to reach is one of the *log on disk*, read from the broker's own directory: what a replicator moves is
//! compressed bytes, and how many records that takes is known only afterwards.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use serde_json::json;

use crate::Answer;
use crate::generator;

/// Looking at the log's size costs a few system calls; so many records lie between two looks.
const BETWEEN_LOOKS: u64 = 10_000;
const FLUSH_LIMIT: Duration = Duration::from_secs(120);

/// What to load.
#[derive(Debug, clap::Args)]
pub(crate) struct LoadOptions {
    bootstrap: String,
    topic: String,
    #[arg(long)]
    partitions: i32,
    #[arg(long)]
    codec: String,
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

pub(crate) fn run(options: &LoadOptions) -> Answer {
    let losses = Losses::default();
    let producer: ThreadedProducer<Losses> = ClientConfig::new()
        .set("bootstrap.servers", &options.bootstrap)
        .set("compression.codec", &options.codec)
        .set("batch.size", options.batch_bytes.to_string())
        .set("batch.num.messages", "100000")
        .set("linger.ms", "20")
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("queue.buffering.max.kbytes", "32768")
        .create_with_context(losses.clone())?;
    let mut index: u64 = 0;
    while !index.is_multiple_of(BETWEEN_LOOKS) || size(options)? < options.wire_bytes {
        let value = generator::record(options.seed, index);
        let key = format!("key-{:08}", index % 1_000_000);
        let partition = i32::try_from(index % u64::try_from(options.partitions)?)?;
        let mut record = BaseRecord::to(&options.topic)
            .partition(partition)
            .key(&key)
            .payload(&value);
        while let Err((error, refused)) = producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            record = refused;
            std::thread::sleep(Duration::from_millis(1));
        }
        index += 1;
    }
    producer.flush(FLUSH_LIMIT)?;
    let lost = losses.0.load(Ordering::Relaxed);
    if lost > 0 {
        return Err(format!("the broker did not take {lost} of {index} records").into());
    }
    Ok(json!({ "records": index, "record_bytes": index * generator::RECORD_BYTES as u64 }))
}

fn size(options: &LoadOptions) -> std::io::Result<u64> {
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
        let entry = entry?;
        if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "log")
        {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}
