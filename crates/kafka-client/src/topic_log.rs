//! A compacted topic as a store: created as it has to be, read from beginning to end, written record
//! by record.
//!
//! The last record of a key wins, so a write whose outcome is unknown is simply written again. A key
//! always goes to the partition that Kafka's Java clients choose (murmur2): another one would leave
//! two living versions of it.
//!
//! Deliberately absent: what the records mean (each store's `record.rs`), caching, and compressed
//! records, which only other programs write here.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::Bytes;
use kafka_wire::batch::{
    BatchBuilder, Batches, BuiltRecord, Entry, HEADER_SIZE, RawBatch, RecordsError, records,
};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::IsolationLevel;
use kafka_wire::message::create_topics::{CreateTopicsRequest, NewTopic};
use kafka_wire::message::describe_configs::{ConfigQuery, DescribeConfigsRequest, ResourceKind};
use kafka_wire::message::fetch::{FetchPartition, FetchRequest, FetchTopic};
use kafka_wire::message::list_offsets::{EARLIEST, LATEST};
use kafka_wire::message::metadata::MetadataTopics;
use kafka_wire::message::produce::{ProducePartition, ProduceRequest, ProduceTopic};
use kafka_wire::types::{NodeId, PartitionId, TopicId, TopicName, TopicPartition};
use lifecycle::Backoff;
use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, Use};
use crate::error::ClientError;
use crate::offsets::list_offsets;

/// Bytes of one fetch while reading the topic.
const FETCH_BYTES: i32 = 1024 * 1024;
/// Records in one batch.
const BATCH_RECORDS: usize = 1000;

/// Failure of the store.
#[derive(Debug, Error)]
pub enum TopicLogError {
    /// The cluster could not be asked.
    #[error("topic {topic}: {cause}")]
    Client {
        /// The topic.
        topic: TopicName,
        /// What happened.
        cause: ClientError,
    },
    /// A broker refused.
    #[error("topic {topic}: {what} was answered with {code}{detail}")]
    Refused {
        /// The topic.
        topic: TopicName,
        /// What was asked.
        what: &'static str,
        /// The answer.
        code: ErrorCode,
        /// The broker's words, with a separator, or nothing.
        detail: String,
    },
    /// The topic exists with another policy and would lose what it is to keep.
    #[error(
        "topic {topic} has cleanup.policy={found} and would lose positions: set it to compact \
         (kafka-configs --alter --entity-type topics --entity-name {topic} --add-config cleanup.policy=compact)"
    )]
    NotCompacted {
        /// The topic.
        topic: TopicName,
        /// Its policy.
        found: String,
    },
    /// A record cannot be read.
    #[error("topic {topic} partition {partition}: {cause}")]
    Unreadable {
        /// The topic.
        topic: TopicName,
        /// The partition.
        partition: PartitionId,
        /// What is wrong.
        cause: String,
    },
    /// It took too long.
    #[error("topic {topic}: not {what} within {limit:?}; the last trouble was: {last}")]
    TimedOut {
        /// The topic.
        topic: TopicName,
        /// What was to be reached.
        what: &'static str,
        /// The limit.
        limit: Duration,
        /// The newest error.
        last: String,
    },
}

/// How the topic is made if it is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TopicShape {
    /// Partitions, ≥ 1.
    pub partitions: i32,
    /// Replication factor; −1 lets the cluster decide.
    pub replication_factor: i16,
}

/// A record as it is written and read. A value of `None` deletes the key.
pub type KeyValue = (Bytes, Option<Bytes>);

/// Handle to a compacted topic.
#[derive(Debug)]
pub struct TopicLog {
    cluster: Cluster,
    topic: TopicName,
    id: TopicId,
    leaders: BTreeMap<PartitionId, NodeId>,
}

impl TopicLog {
    /// Opens the topic, and makes it if it is missing.
    ///
    /// # Errors
    /// When it can be neither found nor made within `limit`, or is not compacted.
    pub async fn open(
        cluster: Cluster,
        topic: TopicName,
        shape: TopicShape,
        limit: Duration,
    ) -> Result<Self, TopicLogError> {
        let deadline = Instant::now() + limit;
        let mut log = Self {
            cluster,
            topic,
            id: TopicId::ZERO,
            leaders: BTreeMap::new(),
        };
        let mut backoff = log.backoff();
        loop {
            let error = match log.find_or_create(shape).await {
                Ok(()) => break,
                Err(error @ TopicLogError::Refused { code, .. }) if is_final(code) => {
                    return Err(error);
                }
                Err(error) => error,
            };
            log.pause_until(deadline, limit, "available", &error, &mut backoff)
                .await?;
        }
        log.check_policy().await?;
        Ok(log)
    }

    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &TopicName {
        &self.topic
    }

    async fn find_or_create(&mut self, shape: TopicShape) -> Result<(), TopicLogError> {
        match self.find_leaders().await {
            Err(TopicLogError::Refused { code, .. })
                if code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {}
            found => return found,
        }
        let config = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        let brokers = i16::try_from(self.cluster.broker_count())
            .unwrap_or(i16::MAX)
            .max(1);
        let request = CreateTopicsRequest {
            topics: vec![NewTopic {
                name: self.topic.clone(),
                partitions: shape.partitions,
                replication_factor: shape.replication_factor.min(brokers),
                // The codec of our own batches, whatever the broker's default is.
                configs: vec![
                    config("cleanup.policy", "compact"),
                    config("compression.type", "producer"),
                ],
            }],
            timeout_ms: 30_000,
            validate_only: false,
        };
        let answer = self.client(self.cluster.call_controller(&request).await)?;
        for created in answer.topics {
            if created.error != ErrorCode::NONE && created.error != ErrorCode::TOPIC_ALREADY_EXISTS
            {
                return Err(self.refused(
                    "CreateTopics",
                    created.error,
                    created.error_message.as_deref(),
                ));
            }
        }
        self.find_leaders().await
    }

    async fn find_leaders(&mut self) -> Result<(), TopicLogError> {
        let topics = MetadataTopics::Topics(vec![self.topic.clone()]);
        let answer = self.client(self.cluster.metadata(topics).await)?;
        let Some(found) = answer.topics.into_iter().next() else {
            return Err(self.refused("Metadata", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None));
        };
        if found.error != ErrorCode::NONE {
            return Err(self.refused("Metadata", found.error, None));
        }
        if found.partitions.is_empty() || found.partitions.iter().any(|p| p.leader.0 < 0) {
            return Err(self.refused("Metadata", ErrorCode::LEADER_NOT_AVAILABLE, None));
        }
        self.id = found.id;
        self.leaders = found
            .partitions
            .into_iter()
            .map(|p| (p.index, p.leader))
            .collect();
        Ok(())
    }

    async fn check_policy(&self) -> Result<(), TopicLogError> {
        let request = DescribeConfigsRequest {
            resources: vec![ConfigQuery {
                kind: ResourceKind::Topic,
                name: self.topic.to_string(),
                keys: Some(vec!["cleanup.policy".to_owned()]),
            }],
        };
        // Without the right to look, the topic is taken as it is.
        let Ok(answer) = self.cluster.call_any(Use::Admin, &request).await else {
            return Ok(());
        };
        let policy = answer
            .resources
            .into_iter()
            .flat_map(|resource| resource.entries)
            .find(|entry| entry.name == "cleanup.policy")
            .and_then(|entry| entry.value);
        match policy {
            Some(found) if found != "compact" => Err(TopicLogError::NotCompacted {
                topic: self.topic.clone(),
                found,
            }),
            _ => Ok(()),
        }
    }

    /// All records from beginning to end, in the order of each partition.
    ///
    /// # Errors
    /// When a partition cannot be read to its end within `limit`.
    pub async fn read_all(&mut self, limit: Duration) -> Result<Vec<KeyValue>, TopicLogError> {
        let deadline = Instant::now() + limit;
        let mut found = Vec::new();
        for partition in self.leaders.keys().copied().collect::<Vec<_>>() {
            let mut backoff = self.backoff();
            loop {
                let error = match self.read_partition(partition).await {
                    Ok(records) => {
                        found.extend(records);
                        break;
                    }
                    Err(error @ TopicLogError::Unreadable { .. }) => return Err(error),
                    Err(TopicLogError::Refused { code, .. }) if is_final(code) => {
                        return Err(self.refused("Fetch", code, None));
                    }
                    Err(error) => error,
                };
                self.pause_until(deadline, limit, "read to its end", &error, &mut backoff)
                    .await?;
                // Leaders may have moved; if they cannot be asked, the next attempt says so.
                drop(self.find_leaders().await);
            }
        }
        Ok(found)
    }

    async fn read_partition(&self, partition: PartitionId) -> Result<Vec<KeyValue>, TopicLogError> {
        let leader = self.leader(partition)?;
        let mut offset = self.offset(leader, partition, EARLIEST).await?;
        let end = self.offset(leader, partition, LATEST).await?;
        let mut found = Vec::new();
        while offset < end {
            let request = self.fetch(partition, offset);
            let answer = self.client(self.cluster.call(leader, Use::Store, &request).await)?;
            let fetched = answer.topics.into_iter().flat_map(|t| t.partitions).next();
            let Some(fetched) = fetched else {
                return Err(self.refused("Fetch", answer.error, None));
            };
            if fetched.error != ErrorCode::NONE {
                return Err(self.refused("Fetch", fetched.error, None));
            }
            let before = offset;
            for entry in Batches::new(fetched.records) {
                let batch = match entry {
                    Ok(Entry::Batch(batch)) => batch,
                    Ok(Entry::Legacy(_)) => {
                        return Err(self.unreadable(partition, "an old message format"));
                    }
                    Err(error) => return Err(self.unreadable(partition, error)),
                };
                offset = offset.max(batch.info().next_offset());
                if !batch.header().is_control() {
                    self.take(partition, &batch, &mut found)?;
                }
            }
            if offset == before {
                return Err(self.unreadable(partition, "the broker sends nothing below the end"));
            }
        }
        Ok(found)
    }

    fn take(
        &self,
        partition: PartitionId,
        batch: &RawBatch,
        found: &mut Vec<KeyValue>,
    ) -> Result<(), TopicLogError> {
        let read =
            records(batch).map_err(|cause: RecordsError| self.unreadable(partition, cause))?;
        for record in read {
            // Copied, so that one record does not keep a whole answer alive.
            let copy = |bytes: Bytes| Bytes::copy_from_slice(&bytes);
            if let Some(key) = record.key {
                found.push((copy(key), record.value.map(copy)));
            }
        }
        Ok(())
    }

    /// Writes records; returns when all in-sync replicas have them.
    ///
    /// # Errors
    /// When that was not reached within `limit`. Some of the records may have been written.
    pub async fn write(
        &mut self,
        records: &[KeyValue],
        limit: Duration,
    ) -> Result<(), TopicLogError> {
        let deadline = Instant::now() + limit;
        let count = u32::try_from(self.leaders.len()).unwrap_or(1).max(1);
        let mut by_partition: BTreeMap<PartitionId, Vec<&KeyValue>> = BTreeMap::new();
        for record in records {
            by_partition
                .entry(partition_of(&record.0, count))
                .or_default()
                .push(record);
        }
        let mut pending: Vec<(PartitionId, Bytes)> = by_partition
            .into_iter()
            .flat_map(|(partition, records)| {
                records
                    .chunks(BATCH_RECORDS)
                    .map(|chunk| (partition, build(chunk)))
                    .collect::<Vec<_>>()
            })
            .collect();
        let mut backoff = self.backoff();
        while !pending.is_empty() {
            let mut last = None;
            let mut left = Vec::new();
            for round in rounds(pending) {
                let (failed, error) = self.write_round(round).await;
                left.extend(failed);
                last = error.or(last);
            }
            pending = left;
            let Some(error) = last else { continue };
            if let TopicLogError::Refused { code, .. } = error
                && is_final(code)
            {
                return Err(error);
            }
            self.pause_until(deadline, limit, "written", &error, &mut backoff)
                .await?;
            drop(self.find_leaders().await);
        }
        Ok(())
    }

    /// Writes at most one batch per partition, and returns what has to be written again and why.
    async fn write_round(
        &self,
        round: Vec<(PartitionId, Bytes)>,
    ) -> (Vec<(PartitionId, Bytes)>, Option<TopicLogError>) {
        let mut by_leader: HashMap<Option<NodeId>, Vec<(PartitionId, Bytes)>> = HashMap::new();
        for (partition, batch) in round {
            by_leader
                .entry(self.leader(partition).ok())
                .or_default()
                .push((partition, batch));
        }
        let mut failed = Vec::new();
        let mut last = None;
        for (leader, batches) in by_leader {
            let Some(leader) = leader else {
                failed.extend(batches);
                last = Some(self.refused("Metadata", ErrorCode::LEADER_NOT_AVAILABLE, None));
                continue;
            };
            let request = self.produce(&batches);
            match self.client(self.cluster.call(leader, Use::Store, &request).await) {
                Err(error) => {
                    failed.extend(batches);
                    last = Some(error);
                }
                Ok(answer) => {
                    let answers: HashMap<_, _> = answer
                        .topics
                        .iter()
                        .flat_map(|topic| &topic.partitions)
                        .map(|p| (p.partition, (p.error, p.error_message.as_deref())))
                        .collect();
                    for (partition, batch) in batches {
                        let (error, detail) = answers
                            .get(&partition)
                            .copied()
                            .unwrap_or((ErrorCode::UNKNOWN_SERVER_ERROR, None));
                        if error != ErrorCode::NONE {
                            failed.push((partition, batch));
                            last = Some(self.refused("Produce", error, detail));
                        }
                    }
                }
            }
        }
        (failed, last)
    }

    fn produce(&self, batches: &[(PartitionId, Bytes)]) -> ProduceRequest {
        let partitions = batches
            .iter()
            .map(|(partition, batch)| ProducePartition {
                partition: *partition,
                header: *batch
                    .first_chunk::<HEADER_SIZE>()
                    .expect("built with a whole header"),
                payload: batch.slice(HEADER_SIZE..),
            })
            .collect();
        ProduceRequest {
            acks: -1,
            timeout_ms: 30_000,
            transactional_id: None,
            topics: vec![ProduceTopic {
                name: self.topic.clone(),
                id: self.id,
                partitions,
            }],
        }
    }

    fn fetch(&self, partition: PartitionId, offset: i64) -> FetchRequest {
        FetchRequest {
            max_wait_ms: 500,
            min_bytes: 1,
            max_bytes: FETCH_BYTES,
            isolation_level: IsolationLevel::ReadUncommitted,
            session_id: 0,
            // −1: a full request without a session (KIP-227, FINAL_EPOCH).
            session_epoch: -1,
            rack_id: String::new(),
            topics: vec![FetchTopic {
                name: self.topic.clone(),
                id: self.id,
                partitions: vec![FetchPartition {
                    partition,
                    current_leader_epoch: -1,
                    fetch_offset: offset,
                    last_fetched_epoch: -1,
                    log_start_offset: -1,
                    max_bytes: FETCH_BYTES,
                }],
            }],
            forgotten: Vec::new(),
        }
    }

    async fn offset(
        &self,
        leader: NodeId,
        partition: PartitionId,
        at: i64,
    ) -> Result<i64, TopicLogError> {
        let wanted = TopicPartition::new(self.topic.clone(), partition);
        let isolation = IsolationLevel::ReadUncommitted;
        let answer = list_offsets(
            &self.cluster,
            leader,
            Use::Store,
            std::slice::from_ref(&wanted),
            at,
            isolation,
        )
        .await;
        match self.client(answer)?.remove(&wanted) {
            Some(Ok(offset)) => Ok(offset),
            Some(Err(code)) => Err(self.refused("ListOffsets", code, None)),
            None => Err(self.refused("ListOffsets", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None)),
        }
    }

    fn leader(&self, partition: PartitionId) -> Result<NodeId, TopicLogError> {
        self.leaders
            .get(&partition)
            .copied()
            .ok_or_else(|| self.refused("Metadata", ErrorCode::LEADER_NOT_AVAILABLE, None))
    }

    fn backoff(&self) -> Backoff {
        let config = self.cluster.config();
        Backoff::seeded(config.retry_backoff, config.retry_backoff_max)
    }

    async fn pause_until(
        &self,
        deadline: Instant,
        limit: Duration,
        what: &'static str,
        last: &TopicLogError,
        backoff: &mut Backoff,
    ) -> Result<(), TopicLogError> {
        let pause = backoff.next_delay();
        if Instant::now() + pause > deadline {
            let (topic, last) = (self.topic.clone(), last.to_string());
            return Err(TopicLogError::TimedOut {
                topic,
                what,
                limit,
                last,
            });
        }
        sleep(pause).await;
        Ok(())
    }

    fn client<T>(&self, result: Result<T, ClientError>) -> Result<T, TopicLogError> {
        result.map_err(|cause| TopicLogError::Client {
            topic: self.topic.clone(),
            cause,
        })
    }

    fn refused(&self, what: &'static str, code: ErrorCode, detail: Option<&str>) -> TopicLogError {
        let detail = detail.map(|text| format!(" ({text})")).unwrap_or_default();
        TopicLogError::Refused {
            topic: self.topic.clone(),
            what,
            code,
            detail,
        }
    }

    fn unreadable(&self, partition: PartitionId, cause: impl ToString) -> TopicLogError {
        TopicLogError::Unreadable {
            topic: self.topic.clone(),
            partition,
            cause: cause.to_string(),
        }
    }
}

/// Codes that waiting does not change.
fn is_final(code: ErrorCode) -> bool {
    use kafka_wire::error_code::ErrorClass;
    matches!(
        code.class(),
        ErrorClass::Denied | ErrorClass::Fatal | ErrorClass::RefusedData
    )
}

/// Splits into rounds in which each partition occurs once: a request that names one twice silently
/// loses all but the last.
fn rounds(pending: Vec<(PartitionId, Bytes)>) -> Vec<Vec<(PartitionId, Bytes)>> {
    let mut rounds: Vec<Vec<(PartitionId, Bytes)>> = Vec::new();
    let mut seen: HashMap<PartitionId, usize> = HashMap::new();
    for (partition, batch) in pending {
        let round = seen.entry(partition).or_insert(0);
        if rounds.len() == *round {
            rounds.push(Vec::new());
        }
        rounds[*round].push((partition, batch));
        *round += 1;
    }
    rounds
}

fn build(records: &[&KeyValue]) -> Bytes {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        });
    let mut builder = BatchBuilder::new(0).base_timestamp(now);
    for (key, value) in records {
        builder = builder.full_record(BuiltRecord {
            key: Some(key.to_vec()),
            value: value.as_ref().map(|value| value.to_vec()),
            ..BuiltRecord::default()
        });
    }
    builder.build()
}

/// The partition that Kafka's default partitioner gives a key: murmur2, its sign bit dropped.
fn partition_of(key: &[u8], partitions: u32) -> PartitionId {
    i32::try_from((murmur2(key) & 0x7fff_ffff) % partitions).expect("31 bits")
}

/// The hash of Kafka's Java clients (`Utils.murmur2`).
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ (data.len() as u32);
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    for (place, byte) in tail.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * place);
    }
    if !tail.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_where_the_java_client_puts_them() {
        // Values of Kafka's own test of this function.
        for (key, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            (
                "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8",
                -58_897_971,
            ),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
        }
    }

    #[test]
    fn no_round_names_a_partition_twice() {
        let batch = Bytes::from_static(b"x");
        let pending = [0, 0, 1, 0, 2, 1].map(|p| (p, batch.clone())).to_vec();
        let rounds: Vec<Vec<i32>> = rounds(pending)
            .into_iter()
            .map(|r| r.into_iter().map(|(p, _)| p).collect())
            .collect();
        assert_eq!(rounds, [vec![0, 1, 2], vec![0, 1], vec![0]]);
    }
}
