//! MirrorMaker 2's heartbeats: a record now and then that says that a flow is meant to be alive.
//!
//! ```text
//!   key    sourceClusterAlias STRING, targetClusterAlias STRING
//!   value  version INT16 = 0, timestamp INT64
//! ```
//!
//! The topic has one partition and is compacted. A heartbeat that cannot be written is not made up for: the next one
//! says the same.

use std::time::Duration;

use crate::clock::wall_ms;
use bytes::{BufMut, Bytes, BytesMut};
use kafka_client::Cluster;
use kafka_client::topic_log::{TopicLog, TopicLogError, TopicShape};
use lifecycle::StopSignal;
use tokio::time::{MissedTickBehavior, interval_at};

/// How long the topic may take to become available, and a record to be written.
const LIMIT: Duration = Duration::from_secs(60);

/// What is emitted where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Emission {
    /// Alias of the source.
    pub source: String,
    /// Alias of the destination.
    pub destination: String,
    /// The topic, `heartbeats`.
    pub topic: String,
    /// Replicas of the topic if it is made.
    pub replication_factor: i16,
    /// Period.
    pub every: Duration,
}

/// Emits heartbeats.
#[derive(Debug)]
pub struct Heartbeats {
    log: TopicLog,
    key: Bytes,
    every: Duration,
}

impl Emission {
    /// Opens the topic, and makes it if it is missing.
    ///
    /// # Errors
    /// It is not to be had.
    pub async fn open(self, cluster: Cluster) -> Result<Heartbeats, TopicLogError> {
        let shape = TopicShape {
            partitions: 1,
            replication_factor: self.replication_factor,
        };
        let log = TopicLog::open(cluster, self.topic.as_str().into(), shape, LIMIT).await?;
        Ok(Heartbeats {
            log,
            key: key(&self.source, &self.destination),
            every: self.every.max(Duration::from_millis(1)),
        })
    }
}

impl Heartbeats {
    /// Emits until `stop` is requested; the first one comes after one period.
    pub async fn run(&mut self, stop: &StopSignal) {
        let first = tokio::time::Instant::now() + self.every;
        let mut beat = interval_at(first, self.every);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut silent = false;
        while stop.unless_requested(beat.tick()).await.is_some() {
            let record = (self.key.clone(), Some(value(wall_ms())));
            match self.log.write(&[record], LIMIT).await {
                Ok(()) => silent = false,
                // Said once, and not for every period.
                Err(error) if !silent => {
                    tracing::warn!("heartbeats cannot be written: {error}");
                    silent = true;
                }
                Err(_) => {}
            }
        }
    }
}

fn put_text(bytes: &mut BytesMut, text: &str) {
    // Aliases are parts of topic names.
    let length = i16::try_from(text.len()).unwrap_or(i16::MAX);
    bytes.put_i16(length);
    bytes.put_slice(&text.as_bytes()[..usize::try_from(length).unwrap_or(0)]);
}

fn key(source: &str, destination: &str) -> Bytes {
    let mut bytes = BytesMut::new();
    put_text(&mut bytes, source);
    put_text(&mut bytes, destination);
    bytes.freeze()
}

fn value(timestamp: i64) -> Bytes {
    let mut bytes = BytesMut::with_capacity(10);
    bytes.put_i16(0);
    bytes.put_i64(timestamp);
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_has_mirror_maker_2s_bytes() {
        assert_eq!(key("B", "A"), &b"\x00\x01B\x00\x01A"[..]);
        let expected = b"\x00\x00\x00\x00\x01\x8b\xcf\xe5\x68\x00";
        assert_eq!(value(1_700_000_000_000), &expected[..]);
    }
}
