//! A loop that consumes and produces with librdkafka: the fair native peer that decodes and encodes every record.
//!
//! All partitions of one topic, or of a second one beside it, explicit partition, timestamp and headers, positions stored once a record is acknowledged. It
//! does what such a loop does and no more: it ends by being killed.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::FromClientConfig as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Message as _};
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};

use crate::{Answer, look};

const LIMIT: Duration = Duration::from_secs(15);

/// What to copy.
#[derive(Debug, clap::Args)]
pub(crate) struct CopyOptions {
    source: String,
    destination: String,
    topic: String,
    #[arg(long)]
    codec: String,
    /// Where positions are stored at the source
    #[arg(long)]
    group: String,
    #[arg(long, default_value_t = 20)]
    linger_ms: u32,
    /// A second topic
    #[arg(long)]
    also: Option<String>,
    /// Settings of the copies, KEY=VALUE
    #[arg(long)]
    setting: Vec<String>,
}

/// Stores the position behind each record that is acknowledged; ends the process at the first that is not.
struct Positions {
    consumer: Arc<BaseConsumer>,
}

impl ClientContext for Positions {}

impl ProducerContext for Positions {
    /// The record's topic, partition and offset at the source.
    type DeliveryOpaque = Box<(Arc<str>, i32, i64)>;

    fn delivery(&self, result: &DeliveryResult<'_>, place: Self::DeliveryOpaque) {
        let (topic, partition, offset) = *place;
        let stored = match result {
            Ok(_) => self.consumer.store_offset(&topic, partition, offset),
            Err((error, _)) => Err(error.clone()),
        };
        if let Err(error) = stored {
            eprintln!("{topic}, partition {partition}, offset {offset}: {error}");
            std::process::exit(1);
        }
    }
}

pub(crate) fn run(options: &CopyOptions) -> Answer {
    let consumer = BaseConsumer::from_config(
        ClientConfig::new()
            .set("bootstrap.servers", &options.source)
            .set("group.id", &options.group)
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("fetch.message.max.bytes", "8388608")
            .set("socket.receive.buffer.bytes", "0"),
    )?;
    let consumer = Arc::new(consumer);
    let mut all = TopicPartitionList::new();
    let topics = std::iter::once(&options.topic).chain(&options.also);
    let topics: Vec<Arc<str>> = topics.map(|topic| Arc::from(topic.as_str())).collect();
    for name in &topics {
        let metadata = consumer.fetch_metadata(Some(name), LIMIT)?;
        let topic = metadata.topics().first().ok_or("the topic is not there")?;
        for partition in topic.partitions() {
            all.add_partition_offset(name, partition.id(), Offset::Beginning)?;
        }
        let count = i32::try_from(topic.partitions().len())?;
        look::ensure(&options.destination, name, count, &options.setting)?;
    }
    consumer.assign(&all)?;
    let producer: ThreadedProducer<Positions> = ClientConfig::new()
        .set("bootstrap.servers", &options.destination)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", options.linger_ms.to_string())
        .set("batch.size", "1000000")
        .set("message.max.bytes", "10485760")
        .set("compression.codec", &options.codec)
        .set("queue.buffering.max.kbytes", "131072")
        .set("socket.send.buffer.bytes", "0")
        .create_with_context(Positions {
            consumer: Arc::clone(&consumer),
        })?;
    loop {
        if let Some(message) = consumer.poll(LIMIT) {
            let message = message?;
            let topic = topics.iter().find(|topic| &***topic == message.topic());
            send(
                &producer,
                topic.ok_or("a record of another topic")?,
                &message,
            )?;
        }
    }
}

/// Waits while the producer's queue is full.
fn send(
    producer: &ThreadedProducer<Positions>,
    topic: &Arc<str>,
    message: &BorrowedMessage<'_>,
) -> Result<(), KafkaError> {
    let place = Box::new((Arc::clone(topic), message.partition(), message.offset()));
    let mut record = BaseRecord::with_opaque_to(topic, place).partition(message.partition());
    if let Some(key) = message.key() {
        record = record.key(key);
    }
    if let Some(value) = message.payload() {
        record = record.payload(value);
    }
    if let Some(timestamp) = message.timestamp().to_millis() {
        record = record.timestamp(timestamp);
    }
    if let Some(headers) = message.headers() {
        record = record.headers(headers.detach());
    }
    while let Err((error, refused)) = producer.send(record) {
        if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
            return Err(error);
        }
        record = refused;
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
