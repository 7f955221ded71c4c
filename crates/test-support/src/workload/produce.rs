//! Producing with librdkafka: per codec; plain, idempotent or transactional.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::generate::GeneratedRecord;
use crate::judge::{Digest, PartitionDigest};

/// How long a transaction may take to begin, and to end.
const ANSWER: Duration = Duration::from_secs(60);
/// And until everything that was given to the client is acknowledged: a hundred thousand batches may wait there.
const FLUSHED: Duration = Duration::from_secs(240);

/// Compression of record batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    /// Uncompressed.
    None,
    /// gzip.
    Gzip,
    /// snappy.
    Snappy,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Codec {
    /// All five, in the order of their numbers in a batch's attributes.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The name in Kafka's configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The lowest three bits of a batch's attributes.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the producer promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// acks=all, one request in flight, no producer id.
    Plain,
    /// A producer id and sequence numbers.
    Idempotent,
    /// Transactions; which end in an abort comes from the seed.
    Transactional {
        /// The transactional id.
        id: String,
        /// Records per transaction, at most; the number is random.
        largest: usize,
        /// The share of transactions that abort, in percent.
        abort_percent: u32,
        /// Decides sizes and outcomes.
        seed: u64,
    },
}

/// Producing failed.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// librdkafka refused.
    #[error("cannot {what} topic {topic} at {bootstrap}: {source}")]
    Kafka {
        /// What was tried.
        what: &'static str,
        /// Which topic.
        topic: String,
        /// Where.
        bootstrap: String,
        /// What librdkafka said.
        source: Box<KafkaError>,
    },
    /// Brokers did not acknowledge.
    #[error(
        "{count} records to topic {topic} at {bootstrap} were not acknowledged; the first: {first}"
    )]
    NotAcknowledged {
        /// Which topic.
        topic: String,
        /// Where.
        bootstrap: String,
        /// How many.
        count: u64,
        /// Why.
        first: String,
    },
}

/// What was acknowledged and, in transactions, committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Produced {
    /// By partition, as the judge sums it up.
    pub digests: Digest,
    /// Records in aborted transactions.
    pub aborted: u64,
}

impl Produced {
    /// All records that can be read.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.digests.values().map(|digest| digest.records).sum()
    }

    fn add(&mut self, record: &GeneratedRecord) {
        let digest: &mut PartitionDigest = self.digests.entry(record.partition).or_default();
        let headers = record
            .headers
            .iter()
            .map(|(name, value)| (name, value.as_ref()));
        digest.add(
            Some(record.timestamp),
            record.key.as_deref(),
            record.value.as_deref(),
            headers,
        );
    }
}

/// A producer to be run on some records.
#[derive(Debug, Clone)]
pub struct Load {
    bootstrap: String,
    topic: String,
    codec: Codec,
    mode: Mode,
    settings: BTreeMap<String, String>,
}

impl Load {
    /// Idempotent and uncompressed, if nothing else is said.
    #[must_use]
    pub fn new(bootstrap: impl Into<String>, topic: impl Into<String>) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            topic: topic.into(),
            codec: Codec::None,
            mode: Mode::Idempotent,
            settings: BTreeMap::new(),
        }
    }

    /// Compresses batches.
    #[must_use]
    pub fn codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// Says what the producer promises.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// A setting of librdkafka; wins.
    #[must_use]
    pub fn setting(mut self, key: &str, value: &str) -> Self {
        self.settings.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Produces all records and waits until each is acknowledged.
    ///
    /// # Errors
    /// When any is not, or the cluster cannot be used.
    pub async fn send(
        self,
        records: impl IntoIterator<Item = GeneratedRecord, IntoIter: Send + 'static>,
    ) -> Result<Produced, LoadError> {
        let records = records.into_iter();
        let never = AtomicBool::new(false);
        tokio::task::spawn_blocking(move || self.run(records, &never))
            .await
            .expect("producing does not panic and is not cancelled")
    }

    /// Produces at a steady rate in the background until stopped (or until the records end).
    pub fn start(
        self,
        records: impl IntoIterator<Item = GeneratedRecord, IntoIter: Send + 'static>,
        per_second: u32,
    ) -> RunningLoad {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let records = Paced {
            records: records.into_iter(),
            begin: Instant::now(),
            sent: 0,
            per_second,
        };
        let work = tokio::task::spawn_blocking(move || self.run(records, &stopped));
        RunningLoad {
            stop,
            work: Some(work),
        }
    }

    fn run(
        &self,
        records: impl Iterator<Item = GeneratedRecord>,
        stop: &AtomicBool,
    ) -> Result<Produced, LoadError> {
        let producer = self.producer()?;
        let records = records.take_while(|_| !stop.load(Ordering::Relaxed));
        let produced = match &self.mode {
            Mode::Plain | Mode::Idempotent => self.send_all(&producer, records),
            Mode::Transactional {
                largest,
                abort_percent,
                seed,
                ..
            } => self.send_transactions(&producer, records, *largest, *abort_percent, *seed),
        }?;
        Ok(produced)
    }

    fn send_all(
        &self,
        producer: &ThreadedProducer<Deliveries>,
        records: impl Iterator<Item = GeneratedRecord>,
    ) -> Result<Produced, LoadError> {
        let mut produced = Produced::default();
        for record in records {
            self.enqueue(producer, &record)?;
            produced.add(&record);
        }
        producer
            .flush(FLUSHED)
            .map_err(|source| self.failed("flush records to", source))?;
        self.acknowledged(producer)?;
        Ok(produced)
    }

    fn send_transactions(
        &self,
        producer: &ThreadedProducer<Deliveries>,
        records: impl Iterator<Item = GeneratedRecord>,
        largest: usize,
        abort_percent: u32,
        seed: u64,
    ) -> Result<Produced, LoadError> {
        let failed = |source| self.failed("run a transaction on", source);
        let mut random = StdRng::seed_from_u64(seed);
        let mut produced = Produced::default();
        let mut records = records.peekable();
        producer.init_transactions(ANSWER).map_err(failed)?;
        while records.peek().is_some() {
            let size = random.random_range(1..=largest.max(1));
            let aborts = random.random_range(0..100) < abort_percent;
            producer.begin_transaction().map_err(failed)?;
            for record in records.by_ref().take(size) {
                self.enqueue(producer, &record)?;
                if aborts {
                    produced.aborted += 1;
                } else {
                    produced.add(&record);
                }
            }
            // Aborting would throw away what has not been sent yet; the topic shall hold aborted records.
            producer.flush(FLUSHED).map_err(failed)?;
            if aborts {
                producer.abort_transaction(ANSWER).map_err(failed)?;
            } else {
                producer.commit_transaction(ANSWER).map_err(failed)?;
            }
        }
        self.acknowledged(producer)?;
        Ok(produced)
    }

    fn enqueue(
        &self,
        producer: &ThreadedProducer<Deliveries>,
        record: &GeneratedRecord,
    ) -> Result<(), LoadError> {
        let mut message = BaseRecord::<[u8], [u8]>::to(&self.topic)
            .partition(record.partition)
            .timestamp(record.timestamp);
        message.key = record.key.as_deref();
        message.payload = record.value.as_deref();
        if !record.headers.is_empty() {
            message = message.headers(headers(record));
        }
        loop {
            match producer.send(message) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                    message = again;
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err((source, _)) => return Err(self.failed("produce to", source)),
            }
        }
    }

    fn acknowledged(&self, producer: &ThreadedProducer<Deliveries>) -> Result<(), LoadError> {
        let failures = producer
            .context()
            .failures
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match &failures.first {
            None => Ok(()),
            Some(first) => Err(LoadError::NotAcknowledged {
                topic: self.topic.clone(),
                bootstrap: self.bootstrap.clone(),
                count: failures.count,
                first: first.clone(),
            }),
        }
    }

    fn producer(&self) -> Result<ThreadedProducer<Deliveries>, LoadError> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("compression.codec", self.codec.name())
            .set("acks", "all")
            .set("linger.ms", "5")
            .set("message.max.bytes", "20000000")
            .set("queue.buffering.max.kbytes", "65536")
            .set("socket.nagle.disable", "true")
            .set("log_level", "0");
        match &self.mode {
            Mode::Plain => config.set("max.in.flight.requests.per.connection", "1"),
            Mode::Idempotent => config.set("enable.idempotence", "true"),
            Mode::Transactional { id, .. } => config.set("transactional.id", id),
        };
        for (key, value) in &self.settings {
            config.set(key, value);
        }
        config
            .create_with_context(Deliveries::default())
            .map_err(|source| self.failed("make a producer for", source))
    }

    fn failed(&self, what: &'static str, source: KafkaError) -> LoadError {
        LoadError::Kafka {
            what,
            topic: self.topic.clone(),
            bootstrap: self.bootstrap.clone(),
            source: Box::new(source),
        }
    }
}

fn headers(record: &GeneratedRecord) -> OwnedHeaders {
    let empty = OwnedHeaders::new_with_capacity(record.headers.len());
    record.headers.iter().fold(empty, |headers, (key, value)| {
        headers.insert(Header {
            key,
            value: value.as_deref(),
        })
    })
}

/// A load in the background. Dropped without [`RunningLoad::stop`], it stops after the record it is at.
#[derive(Debug)]
pub struct RunningLoad {
    stop: Arc<AtomicBool>,
    work: Option<JoinHandle<Result<Produced, LoadError>>>,
}

impl RunningLoad {
    /// Stops it and waits until everything sent is acknowledged.
    ///
    /// # Errors
    /// When something was not.
    pub async fn stop(self) -> Result<Produced, LoadError> {
        self.stop.store(true, Ordering::Relaxed);
        self.finish().await
    }

    /// Waits until its records end (an endless generator never does) and everything is acknowledged.
    ///
    /// # Errors
    /// When something was not.
    pub async fn finish(mut self) -> Result<Produced, LoadError> {
        self.work
            .take()
            .expect("taken only here")
            .await
            .expect("producing does not panic and is not cancelled")
    }
}

impl Drop for RunningLoad {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Gives records out no faster than a rate. Used on the producing thread, which may sleep.
struct Paced<I> {
    records: I,
    begin: Instant,
    sent: u32,
    per_second: u32,
}

impl<I: Iterator> Iterator for Paced<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        let due = self.begin + Duration::from_secs(1) * self.sent / self.per_second.max(1);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        self.sent = self.sent.saturating_add(1);
        self.records.next()
    }
}

/// Remembers deliveries that failed.
#[derive(Debug, Default)]
struct Deliveries {
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    count: u64,
    first: Option<String>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let mut failures = self
                .failures
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            failures.count += 1;
            failures.first.get_or_insert_with(|| error.to_string());
        }
    }
}
