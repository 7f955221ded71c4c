//! What one process needs besides its links: resolved settings, which cannot be invalid.

use std::path::PathBuf;
use std::time::Duration;

use crate::client::ClientConfig;
use crate::group::GroupConfig;
use crate::rest::RestConfig;

/// Settings of one process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkerConfig {
    /// The worker's own cluster, where `bootstrap.servers` is set: holds its topics, and is the destination of
    /// links that name none.
    pub bootstrap: Option<ClientConfig>,
    /// As `bootstrap`, with the worker's `producer.*` keys laid over it: writes the data of links that do not say
    /// otherwise.
    pub data: Option<ClientConfig>,
    /// Where positions are kept.
    pub offsets: OffsetStorage,
    /// `offset.flush.interval.ms`: positions are written at least this often while they move.
    pub flush_interval: Duration,
    /// `offset.flush.timeout.ms`: a slower write is abandoned and tried again.
    pub flush_timeout: Duration,
    /// `task.shutdown.graceful.timeout.ms`: budget of an orderly stop.
    pub shutdown_timeout: Duration,
    /// `tributary.buffer.memory`: bytes of records in flight, all links together.
    pub buffer_memory: usize,
    /// `group.id`, in distributed mode.
    pub group_id: Option<String>,
    /// The group, where it and its topics are named.
    pub group: Option<GroupConfig>,
    /// `exactly.once.source.support=enabled`: links may ask for transactions.
    pub exactly_once: bool,
    /// `topic.tracking.enable`: topics that a link has written to are listed.
    pub topic_tracking: bool,
    /// `topic.tracking.allow.reset`: that list may be emptied.
    pub topic_tracking_reset: bool,
    /// `tributary.health.interval.ms`: how often ends of logs are read.
    pub health_interval: Duration,
    /// `tributary.health.evidence.max.age.ms`: older readings say nothing.
    pub health_max_age: Duration,
    /// `tributary.metrics.partition.limit`: with more partitions single ones have no series.
    pub metrics_partition_limit: usize,
    /// `tributary.metrics.compat`: whose names there are besides.
    pub metrics_compat: Vec<MetricsNames>,
    /// What links may do for tokens.
    pub oauth: OAuthRules,
    /// The HTTP listener.
    pub rest: RestConfig,
}

/// Somebody else's names of metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricsNames {
    /// MirrorMaker 2 as Strimzi exports it from JMX.
    StrimziJmx,
    /// MirrorMaker 2 by Strimzi's own reporter.
    StrimziReporter,
    /// Connect and MirrorMaker 2 as the JMX exporter names them where it has no rules.
    Generic,
    /// Confluent Replicator.
    Replicator,
}

impl MetricsNames {
    /// All of them, by their words in the configuration.
    pub const ALL: [(&'static str, Self); 4] = [
        ("strimzi-jmx", Self::StrimziJmx),
        ("strimzi-reporter", Self::StrimziReporter),
        ("generic", Self::Generic),
        ("replicator", Self::Replicator),
    ];
}

/// What links may do for tokens of OAUTHBEARER.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OAuthRules {
    /// `tributary.oauth.allowed.urls`: where links that were submitted over REST may send credentials, and which files they
    /// may have read for that.
    pub allowed_urls: Vec<String>,
    /// `tributary.oauth.unsecured`: tokens without a signature may be made.
    pub unsecured: bool,
}

impl Default for OAuthRules {
    /// Every endpoint, no file, no token without a signature.
    fn default() -> Self {
        Self {
            allowed_urls: vec!["https:".to_owned(), "http:".to_owned()],
            unsecured: false,
        }
    }
}

/// Where positions are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OffsetStorage {
    /// `offset.storage.file.filename`: a local file, standalone only.
    File(PathBuf),
    /// `offset.storage.topic`: a compacted topic in the worker's cluster, else in the link's destination.
    Topic {
        /// Name of the topic.
        name: String,
        /// `offset.storage.replication.factor`: 1 or more, or -1 for the broker's default.
        replication_factor: i16,
        /// `offset.storage.partitions`: 1 or more, or -1 for the broker's default.
        partitions: i32,
    },
}

impl WorkerConfig {
    /// The defaults, with positions kept in `offsets`.
    #[must_use]
    pub fn new(offsets: OffsetStorage) -> Self {
        Self {
            bootstrap: None,
            data: None,
            offsets,
            flush_interval: Duration::from_secs(60),
            flush_timeout: Duration::from_secs(5),
            shutdown_timeout: Duration::from_secs(5),
            buffer_memory: 134_217_728,
            group_id: None,
            group: None,
            exactly_once: false,
            topic_tracking: true,
            topic_tracking_reset: true,
            metrics_partition_limit: 5_000,
            metrics_compat: Vec::new(),
            health_interval: Duration::from_secs(2),
            health_max_age: Duration::from_secs(20),
            oauth: OAuthRules::default(),
            rest: RestConfig::default(),
        }
    }
}
