//! What makes a process one of several workers that share their links: resolved settings, which cannot be invalid.

use std::time::Duration;

/// How the workers of a group share their work; the later is preferred where all speak it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum GroupProtocol {
    /// Everything is given back before each assignment.
    Eager,
    /// Only what moves is given back.
    Compatible,
    /// The same, and requests between workers are signed.
    Sessioned,
}

/// A compacted topic in which a group keeps something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StorageTopic {
    /// Its name.
    pub name: String,
    /// Partitions; −1 for the broker's default.
    pub partitions: i32,
    /// Replicas; −1 for the broker's default.
    pub replication_factor: i16,
    /// Further settings for the case that it has to be made.
    pub settings: Vec<(String, String)>,
}

/// How requests between workers are signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SigningConfig {
    /// `inter.worker.key.generation.algorithm`.
    pub key_algorithm: String,
    /// `inter.worker.key.size`, in bits; nothing for the algorithm's own.
    pub key_size: Option<u32>,
    /// `inter.worker.key.ttl.ms`.
    pub key_life: Duration,
    /// `inter.worker.signature.algorithm`.
    pub algorithm: String,
    /// `inter.worker.verification.algorithms`.
    pub accepted: Vec<String>,
}

/// Settings of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupConfig {
    /// `group.id`.
    pub id: String,
    /// `connect.protocol`: the most preferred one that is offered.
    pub protocol: GroupProtocol,
    /// `session.timeout.ms`.
    pub session_timeout: Duration,
    /// `heartbeat.interval.ms`.
    pub heartbeat_interval: Duration,
    /// `rebalance.timeout.ms`.
    pub rebalance_timeout: Duration,
    /// `worker.sync.timeout.ms`.
    pub sync_timeout: Duration,
    /// `worker.unsync.backoff.ms`: how long a worker stays out that could not catch up, where all give everything back.
    pub unsync_backoff: Duration,
    /// `scheduled.rebalance.max.delay.ms`: so long lost work waits for its worker.
    pub max_delay: Duration,
    /// `config.storage.topic`.
    pub config_topic: StorageTopic,
    /// `status.storage.topic`.
    pub status_topic: StorageTopic,
    /// `inter.worker.*`.
    pub signing: SigningConfig,
}
