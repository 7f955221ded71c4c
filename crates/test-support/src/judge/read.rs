//! Reading a topic to its end with librdkafka.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message, Timestamp};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::time::Instant;

use super::{Isolation, JudgeError, Place, Watermarks};

/// How long brokers may take for one answer about metadata or offsets.
const ANSWER: Duration = Duration::from_secs(20);
pub(super) const POLL: Duration = Duration::from_millis(100);
/// The judge's own group, which commits nothing.
pub(super) const GROUP: &str = "tributary-judge";

/// One record as an independent reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadRecord {
    /// Its offset in the topic that was read.
    pub offset: i64,
    /// Its time in milliseconds since 1970, if it has one.
    pub timestamp: Option<i64>,
    /// Null and empty differ.
    pub key: Option<Vec<u8>>,
    /// Null and empty differ.
    pub value: Option<Vec<u8>>,
    /// In their order, equal keys included.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Records of a topic by partition; partitions without records are there, empty.
pub type Topic = BTreeMap<i32, Vec<ReadRecord>>;

pub(super) fn read_all(place: &Place, limit: Duration) -> Result<Topic, JudgeError> {
    let mut records = Topic::new();
    let partitions = for_each(place, limit, |message| {
        records
            .entry(message.partition())
            .or_default()
            .push(record(message));
    })?;
    for partition in partitions {
        records.entry(partition).or_default();
    }
    Ok(records)
}

/// Gives every record up to the present end of every partition to `see`, in order within a partition; returns all
/// partitions.
pub(super) fn for_each(
    place: &Place,
    limit: Duration,
    mut see: impl FnMut(&BorrowedMessage<'_>),
) -> Result<Vec<i32>, JudgeError> {
    let consumer = consumer(place, GROUP)?;
    let partitions = partitions(&consumer, place)?;
    let mut assignment = TopicPartitionList::new();
    for partition in &partitions {
        // The start is asked for and not left to the consumer: its own look-up gives up at the first error, and
        // starting over at the beginning by itself would read records twice.
        let start = marks_of(&consumer, place, *partition)?.start;
        assignment
            .add_partition_offset(&place.topic, *partition, Offset::Offset(start))
            .map_err(|source| place.failed("assign", source))?;
    }
    to_the_end(&consumer, place, &assignment, limit, &mut see)?;
    Ok(partitions)
}

/// Reads what a group that has committed these offsets has still to read, by partition. The group is another one each time.
pub(super) fn read_the_rest(
    place: &Place,
    group: &str,
    offsets: &BTreeMap<i32, i64>,
    limit: Duration,
) -> Result<Topic, JudgeError> {
    let failed = |what| move |source| place.failed(what, source);
    let consumer = consumer(place, group)?;
    let (mut committed, mut stored) = (TopicPartitionList::new(), TopicPartitionList::new());
    let mut records = Topic::new();
    for (partition, offset) in offsets {
        committed
            .add_partition_offset(&place.topic, *partition, Offset::Offset(*offset))
            .and_then(|()| stored.add_partition_offset(&place.topic, *partition, Offset::Stored))
            .map_err(failed("assign"))?;
        records.insert(*partition, Vec::new());
    }
    consumer
        .commit(&committed, CommitMode::Sync)
        .map_err(failed("commit offsets of"))?;
    to_the_end(&consumer, place, &stored, limit, &mut |message| {
        let partition = records.entry(message.partition()).or_default();
        partition.push(record(message));
    })?;
    Ok(records)
}

/// Gives every record up to the present ends of what is assigned to `see`.
fn to_the_end(
    consumer: &BaseConsumer,
    place: &Place,
    assignment: &TopicPartitionList,
    limit: Duration,
    see: &mut impl FnMut(&BorrowedMessage<'_>),
) -> Result<(), JudgeError> {
    consumer
        .assign(assignment)
        .map_err(|source| place.failed("assign", source))?;
    let assigned = assignment.elements();
    let mut open: BTreeSet<i32> = assigned.iter().map(|element| element.partition()).collect();
    let end = Instant::now() + limit;
    let mut read = 0;
    let mut last = "none".to_owned();
    while !open.is_empty() {
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                read += 1;
                see(&message);
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            // It stopped reading a partition, whose start was removed meanwhile.
            Some(Err(source))
                if source.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) =>
            {
                return Err(place.failed("read", source));
            }
            // librdkafka reconnects and retries by itself; a fatal error repeats until the limit.
            Some(Err(error)) => last = error.to_string(),
            None => {}
        }
        if Instant::now() >= end && !open.is_empty() {
            return Err(JudgeError::NotInTime {
                topic: place.topic.clone(),
                bootstrap: place.bootstrap.clone(),
                limit,
                read,
                open: open.into_iter().collect(),
                last,
            });
        }
    }
    Ok(())
}

pub(super) fn watermarks(place: &Place) -> Result<BTreeMap<i32, Watermarks>, JudgeError> {
    let consumer = consumer(place, GROUP)?;
    let mut marks = BTreeMap::new();
    for partition in partitions(&consumer, place)? {
        marks.insert(partition, marks_of(&consumer, place, partition)?);
    }
    Ok(marks)
}

/// A topic that has just been made has a leader that does not know it yet.
fn marks_of(
    consumer: &BaseConsumer,
    place: &Place,
    partition: i32,
) -> Result<Watermarks, JudgeError> {
    let begun = Instant::now();
    loop {
        match consumer.fetch_watermarks(&place.topic, partition, ANSWER) {
            Ok((start, end)) => return Ok(Watermarks { start, end }),
            Err(error) if is_passing(&error) && begun.elapsed() < ANSWER => {
                std::thread::sleep(POLL);
            }
            Err(error) => return Err(place.failed("ask for offsets of", error)),
        }
    }
}

fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::UnknownTopicOrPartition
        )
    )
}

pub(super) fn consumer(place: &Place, group: &str) -> Result<BaseConsumer, JudgeError> {
    let isolation = match place.isolation {
        Isolation::Committed => "read_committed",
        Isolation::Uncommitted => "read_uncommitted",
    };
    ClientConfig::new()
        .set("bootstrap.servers", &place.bootstrap)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        .set("isolation.level", isolation)
        .set("check.crcs", "true")
        .set("fetch.wait.max.ms", "50")
        .set("socket.nagle.disable", "true")
        // Brokers of tests come and go; its lines on standard error would be noise.
        .set("log_level", "0")
        .create()
        .map_err(|source| place.failed("make a consumer for", source))
}

/// All partitions of the topic that the brokers know, sorted. A broker that has just started or been elected may not
/// know a topic yet, so that answer is believed only when it repeats.
pub(super) fn partitions(consumer: &BaseConsumer, place: &Place) -> Result<Vec<i32>, JudgeError> {
    for _ in 0..3 {
        let partitions = ask_for_partitions(consumer, place)?;
        if !partitions.is_empty() {
            return Ok(partitions);
        }
        std::thread::sleep(POLL);
    }
    Err(JudgeError::NoTopic {
        topic: place.topic.clone(),
        bootstrap: place.bootstrap.clone(),
    })
}

/// Empty when the broker does not know the topic.
fn ask_for_partitions(consumer: &BaseConsumer, place: &Place) -> Result<Vec<i32>, JudgeError> {
    let metadata = consumer
        .fetch_metadata(Some(&place.topic), ANSWER)
        .map_err(|source| place.failed("ask for partitions of", source))?;
    let Some(topic) = metadata
        .topics()
        .iter()
        .find(|topic| topic.name() == place.topic)
    else {
        return Ok(Vec::new());
    };
    match topic.error().map(RDKafkaErrorCode::from) {
        None => {}
        Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
            return Ok(Vec::new());
        }
        Some(code) => {
            return Err(place.failed("ask for partitions of", KafkaError::MetadataFetch(code)));
        }
    }
    let mut partitions: Vec<_> = topic
        .partitions()
        .iter()
        .map(|partition| partition.id())
        .collect();
    partitions.sort_unstable();
    Ok(partitions)
}

fn record(message: &BorrowedMessage<'_>) -> ReadRecord {
    ReadRecord {
        offset: message.offset(),
        timestamp: millis(message),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: message.headers().map_or_else(Vec::new, |headers| {
            headers
                .iter()
                .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect()
        }),
    }
}

pub(super) fn millis(message: &BorrowedMessage<'_>) -> Option<i64> {
    match message.timestamp() {
        Timestamp::NotAvailable => None,
        Timestamp::CreateTime(millis) | Timestamp::LogAppendTime(millis) => Some(millis),
    }
}

impl Place {
    pub(super) fn failed(&self, what: &'static str, source: KafkaError) -> JudgeError {
        JudgeError::Kafka {
            what,
            topic: self.topic.clone(),
            bootstrap: self.bootstrap.clone(),
            source: Box::new(source),
        }
    }
}
