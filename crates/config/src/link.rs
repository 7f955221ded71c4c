//! What one link copies, and how: resolved settings, which cannot be invalid.
//!
//! Deliberately absent: reading keys (see `resolve`); an isolation level, because copies are always read
//! committed: a reader of uncommitted data can neither tell aborted records apart nor take them back.

use std::time::Duration;

use crate::client::ClientConfig;
use crate::pattern::PatternList;
use crate::rename::RenameFormat;
use crate::selection::TopicSelection;

/// One link: a source, a destination, and what is copied between them.
#[derive(Clone, PartialEq, Debug)]
pub struct LinkConfig {
    /// `name`: unique within a worker, part of where positions are kept.
    pub name: String,
    /// How the source is reached.
    pub source: ClientConfig,
    /// How the destination is reached.
    pub destination: ClientConfig,
    /// Which topics, under which names, created how.
    pub topics: TopicSettings,
    /// How data is read.
    pub fetch: FetchSettings,
    /// How data is written.
    pub produce: ProduceSettings,
    /// `tributary.start`: where partitions begin that have no position.
    pub start: StartPosition,
    /// `tributary.on.gap`.
    pub on_gap: OnGap,
    /// `tributary.on.recreate`.
    pub on_recreate: OnRecreate,
}

/// Which topics are copied, what they are called and how they are created.
#[derive(Clone, PartialEq, Debug)]
pub struct TopicSettings {
    /// `topic.whitelist`, `topic.blacklist`, `topic.regex`.
    pub selection: TopicSelection,
    /// `topic.rename.format`.
    pub rename: RenameFormat,
    /// `topic.auto.create`: missing destination topics are created.
    pub auto_create: bool,
    /// `dest.topic.replication.factor`, at least 1; `None` (0 in the configuration) copies the source's.
    pub replication_factor: Option<i16>,
    /// `topic.timestamp.type`, set on every destination topic.
    pub timestamp_type: TimestampType,
    /// `topic.poll.interval.ms`: period of the scan for new topics and partitions.
    pub poll_interval: Duration,
    /// `topic.create.backoff.ms`: pause before a refused creation or growth is tried again, per topic.
    pub create_backoff: Duration,
    /// `config.properties.exclude`: names of topic settings that are not copied.
    pub config_exclude: PatternList,
}

/// How data is read from the source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchSettings {
    /// `fetch.min.bytes`: a broker answers as soon as it has so much, 1 or more.
    pub min_bytes: i32,
    /// `fetch.max.bytes` of one answer, 1 or more. A larger first batch is still sent.
    pub max_bytes: i32,
    /// `fetch.max.wait.ms`: a broker answers after this time at the latest.
    pub max_wait: Duration,
    /// `max.partition.fetch.bytes`, 1 or more. A larger first batch is still sent.
    pub max_partition_bytes: i32,
    /// `check.crcs`, where it is set to `true` explicitly: batches are verified on arrival too. Checksums of
    /// untouched batches are carried over, so the destination verifies them in any case.
    pub check_crcs: bool,
}

/// How data is written to the destination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProduceSettings {
    /// `max.request.size`: bound of one produce request in bytes. A single larger batch is still sent.
    pub max_request_size: usize,
    /// `max.in.flight.requests.per.connection`: 1..=5, the range in which an idempotent producer keeps order.
    pub max_in_flight: usize,
    /// `request.timeout.ms` of the destination: limit of one produce request and its answer.
    pub request_timeout: Duration,
}

/// Where partitions begin that have no stored position.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StartPosition {
    /// At the first record the source still has.
    #[default]
    Earliest,
    /// At the end as of the link's creation. Topics and partitions that appear later begin at their first record.
    Latest,
}

/// What happens when records after the position can no longer be read from the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnGap {
    /// The partition stops and says what is missing.
    #[default]
    Stop,
    /// The partition goes on behind the gap, which is recorded.
    Continue,
}

/// What happens when a topic was deleted and made again, on either side.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnRecreate {
    /// The topic's partitions stop until somebody decides.
    #[default]
    Stop,
    /// Everything the source has is copied from its first record.
    Restart,
}

/// `message.timestamp.type` of destination topics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimestampType {
    /// Records keep the timestamps of their producers.
    #[default]
    CreateTime,
    /// The destination broker stamps records when it appends them.
    LogAppendTime,
}

impl TimestampType {
    /// As the broker spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateTime => "CreateTime",
            Self::LogAppendTime => "LogAppendTime",
        }
    }
}

impl Default for FetchSettings {
    /// Those of the Kafka consumer, without a second verification.
    fn default() -> Self {
        Self {
            min_bytes: 1,
            max_bytes: 52_428_800,
            max_wait: Duration::from_millis(500),
            max_partition_bytes: 1_048_576,
            check_crcs: false,
        }
    }
}

impl Default for ProduceSettings {
    fn default() -> Self {
        Self {
            max_request_size: 52_428_800,
            max_in_flight: 5,
            request_timeout: Duration::from_secs(30),
        }
    }
}
