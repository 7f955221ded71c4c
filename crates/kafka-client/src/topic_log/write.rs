//! Writing: each key to the partition that Kafka's Java clients choose, in rounds until all is written, or once and within a
//! transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;
use kafka_wire::batch::{BatchBuilder, BuiltRecord, HEADER_SIZE};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::TransactionVersion;
use kafka_wire::message::produce::{ProducePartition, ProduceRequest, ProduceTopic};
use kafka_wire::types::{NodeId, PartitionId, ProducerIdentity, TopicPartition};
use thiserror::Error;
use tokio::time::Instant;

use super::{ANSWER, KeyValue, TopicLog, TopicLogError, is_final};
use crate::cluster::Use;
use crate::transactions::{TransactionError, TransactionalProducer};

/// Bytes of keys and values in one batch, well below the default `max.message.bytes` of a topic.
const BATCH_BYTES: usize = 512 * 1024;

/// Before there is an identity; brokers refuse it.
const NOBODY: ProducerIdentity = ProducerIdentity { id: -1, epoch: -1 };

/// Why records could not be written within a transaction.
#[derive(Debug, Error)]
pub enum TransactionalWriteError {
    /// The transaction could not take them in.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// The topic could not.
    #[error(transparent)]
    Topic(#[from] TopicLogError),
}

impl TopicLog {
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
        let mut pending = self.batches_of(records, |_, builder, _| builder.build());
        let mut backoff = self.backoff();
        while !pending.is_empty() {
            let mut last = None;
            let mut left = Vec::new();
            for round in rounds(pending) {
                let (failed, error) = self.write_round(round, None).await;
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

    /// Writes records within the transaction that is open, or begins with them. They count when it is committed.
    ///
    /// # Errors
    /// When they are not written, or that is not known: the transaction cannot be committed then.
    pub async fn write_in(
        &mut self,
        producer: &mut TransactionalProducer,
        records: &[KeyValue],
    ) -> Result<(), TransactionalWriteError> {
        let identity = producer.identity().unwrap_or(NOBODY);
        let place = |partition| TopicPartition::new(self.topic.clone(), partition);
        let pending = self.batches_of(records, |partition, builder, count| {
            let sequence = producer.sequence(&place(partition), count);
            builder.producer(identity, sequence).transactional().build()
        });
        let partitions: BTreeSet<PartitionId> = pending.iter().map(|(p, _)| *p).collect();
        let partitions: Vec<_> = partitions.into_iter().map(place).collect();
        producer.announce(&partitions).await?;
        let id = (producer.id().to_owned(), producer.version());
        for round in rounds(pending) {
            if let (_, Some(error)) = self.write_round(round, Some(&id)).await {
                // So that the next attempt begins with what is known then.
                drop(self.find_leaders().await);
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Records as batches, each for the partition of its keys.
    fn batches_of(
        &self,
        records: &[KeyValue],
        mut build: impl FnMut(PartitionId, BatchBuilder, i32) -> Bytes,
    ) -> Vec<(PartitionId, Bytes)> {
        let count = u32::try_from(self.leaders.len()).unwrap_or(1).max(1);
        let mut by_partition: BTreeMap<PartitionId, Vec<&KeyValue>> = BTreeMap::new();
        for record in records {
            by_partition
                .entry(partition_of(&record.0, count))
                .or_default()
                .push(record);
        }
        let mut made = Vec::new();
        for (partition, records) in by_partition {
            for batch in batches(&records) {
                let count = i32::try_from(batch.len()).unwrap_or(i32::MAX);
                made.push((partition, build(partition, builder(batch), count)));
            }
        }
        made
    }

    /// Writes at most one batch per partition, and returns what has to be written again and why.
    async fn write_round(
        &self,
        round: Vec<(PartitionId, Bytes)>,
        transaction: Option<&(String, TransactionVersion)>,
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
            let request = ProduceRequest {
                transactional_id: transaction.cloned(),
                ..self.produce(&batches)
            };
            let limit = ANSWER.min(self.cluster.config().request_timeout);
            let asked = self
                .cluster
                .call_within(leader, Use::Store, &request, limit);
            match self.client(asked.await) {
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
}

/// Cuts the records into batches of [`BATCH_BYTES`]; a larger record goes alone.
fn batches<'a, 'b>(mut records: &'a [&'b KeyValue]) -> Vec<&'a [&'b KeyValue]> {
    let mut batches = Vec::new();
    while !records.is_empty() {
        let mut bytes = 0;
        let fitting = records
            .iter()
            .take_while(|(key, value)| {
                bytes += key.len() + value.as_ref().map_or(0, Bytes::len);
                bytes <= BATCH_BYTES
            })
            .count();
        let (batch, rest) = records.split_at(fitting.max(1));
        batches.push(batch);
        records = rest;
    }
    batches
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

fn builder(records: &[&KeyValue]) -> BatchBuilder {
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
    builder
}

/// The partition that Kafka's default partitioner gives a key: murmur2, its sign bit dropped.
pub(super) fn partition_of(key: &[u8], partitions: u32) -> PartitionId {
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
    fn batches_stay_below_what_a_topic_takes_and_keep_every_record_in_order() {
        let record = |bytes: usize| (Bytes::from_static(b"k"), Some(Bytes::from(vec![0; bytes])));
        let records = [
            record(300_000),
            record(200_000),
            record(600_000),
            record(1),
            record(2),
        ];
        let records: Vec<&KeyValue> = records.iter().collect();
        let sizes: Vec<usize> = batches(&records).into_iter().map(<[_]>::len).collect();
        assert_eq!(sizes, [2, 1, 2]);
        assert!(batches(&[]).is_empty());
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
