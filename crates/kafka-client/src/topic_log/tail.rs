//! Reading on: what has come to a topic since it was read last, with a wait for more.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use kafka_wire::batch::{Batches, Entry};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::IsolationLevel;
use kafka_wire::message::fetch::{FetchPartition, FetchRequest, FetchedPartition};
use kafka_wire::message::list_offsets::{EARLIEST, LATEST};
use kafka_wire::record::RecordDecoder;
use kafka_wire::types::{NodeId, PartitionId, TopicPartition};

use super::{ANSWER, FETCH_BYTES, TopicLog, TopicLogError};
use crate::cluster::Use;
use crate::offsets::list_offsets_within;

/// The largest batch, decompressed, in bytes: other programs write here too.
const LARGEST_BATCH: usize = 64 * 1024 * 1024;

/// The next offset to read, by partition.
pub type Ends = BTreeMap<PartitionId, i64>;

/// A record and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TailRecord {
    /// Its partition.
    pub partition: PartitionId,
    /// Its offset.
    pub offset: i64,
    /// The key.
    pub key: Bytes,
    /// The value; none deletes the key.
    pub value: Option<Bytes>,
    /// When it was written, in milliseconds since 1970; −1 for none.
    pub timestamp: i64,
}

impl TopicLog {
    /// Where each partition begins.
    ///
    /// # Errors
    /// When a leader cannot be asked.
    pub async fn beginnings(&self) -> Result<Ends, TopicLogError> {
        self.limits(EARLIEST).await
    }

    /// Where each partition ends.
    ///
    /// # Errors
    /// When a leader cannot be asked.
    pub async fn ends(&self) -> Result<Ends, TopicLogError> {
        self.limits(LATEST).await
    }

    /// The number of partitions.
    #[must_use]
    pub fn partition_count(&self) -> usize {
        self.leaders.len()
    }

    /// Asks anew who leads the partitions: after an error, or they would be asked in vain for ever.
    ///
    /// # Errors
    /// When that is not known now.
    pub async fn look_again(&mut self) -> Result<(), TopicLogError> {
        self.find_leaders().await
    }

    async fn limits(&self, at: i64) -> Result<Ends, TopicLogError> {
        let mut found = Ends::new();
        for (leader, partitions) in self.by_leader() {
            let asked: Vec<TopicPartition> = partitions
                .iter()
                .map(|partition| TopicPartition::new(self.topic.clone(), *partition))
                .collect();
            let isolation = IsolationLevel::ReadUncommitted;
            let limit = ANSWER.min(self.cluster.config().request_timeout);
            let (cluster, at) = (&self.cluster, (at, isolation));
            let answer = list_offsets_within(cluster, leader, Use::Store, &asked, at, limit).await;
            for (partition, offset) in self.client(answer)? {
                let offset = offset.map_err(|code| self.refused("ListOffsets", code, None))?;
                found.insert(partition.partition, offset);
            }
        }
        match found.len() == self.leaders.len() {
            true => Ok(found),
            false => Err(self.refused("ListOffsets", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None)),
        }
    }

    fn by_leader(&self) -> BTreeMap<NodeId, Vec<PartitionId>> {
        let mut leaders: BTreeMap<NodeId, Vec<PartitionId>> = BTreeMap::new();
        for (partition, leader) in &self.leaders {
            leaders.entry(*leader).or_default().push(*partition);
        }
        leaders
    }

    /// Reads on from `next`, which follows. Where nothing has come yet it waits up to `wait`; with several leaders for
    /// each of them in turn. What is read goes to `found`, also when something cannot be read: `next` does not come back to it.
    ///
    /// # Errors
    /// When a partition cannot be read now. Those of other leaders were read all the same.
    pub async fn read_on(
        &self,
        next: &mut Ends,
        wait: Duration,
        found: &mut Vec<TailRecord>,
    ) -> Result<(), TopicLogError> {
        let leaders = self.by_leader();
        let wait = wait / u32::try_from(leaders.len()).unwrap_or(1).max(1);
        let mut outcome = Ok(());
        for (leader, partitions) in leaders {
            let read = self
                .read_on_from(leader, &partitions, next, wait, found)
                .await;
            outcome = outcome.and(read);
        }
        outcome
    }

    async fn read_on_from(
        &self,
        leader: NodeId,
        partitions: &[PartitionId],
        next: &mut Ends,
        wait: Duration,
        found: &mut Vec<TailRecord>,
    ) -> Result<(), TopicLogError> {
        let request = self.tail_request(partitions, next, wait);
        let limit = wait + ANSWER.min(self.cluster.config().request_timeout);
        let asked = self.cluster.call_within(leader, Use::Tail, &request, limit);
        let answer = self.client(asked.await)?;
        if answer.error != ErrorCode::NONE {
            return Err(self.refused("Fetch", answer.error, None));
        }
        let mut outcome = Ok(());
        for fetched in answer.topics.into_iter().flat_map(|topic| topic.partitions) {
            let read = fetched
                .without_error()
                .map_err(|code| self.refused("Fetch", code, None))
                .and_then(|fetched| self.take_tail(fetched, next, found));
            outcome = outcome.and(read);
        }
        outcome
    }

    fn tail_request(
        &self,
        partitions: &[PartitionId],
        next: &Ends,
        wait: Duration,
    ) -> FetchRequest {
        let at = |partition: &PartitionId| next.get(partition).copied().unwrap_or(0);
        let first = partitions.first().copied().unwrap_or(0);
        let mut request =
            FetchRequest::of_one(self.topic.clone(), self.id, first, at(&first), FETCH_BYTES);
        request.max_wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        if let Some(topic) = request.topics.first_mut()
            && let Some(template) = topic.partitions.first().copied()
        {
            let all = partitions.iter().map(|partition| FetchPartition {
                partition: *partition,
                fetch_offset: at(partition),
                ..template
            });
            topic.partitions = all.collect();
        }
        request
    }

    fn take_tail(
        &self,
        fetched: FetchedPartition,
        next: &mut Ends,
        found: &mut Vec<TailRecord>,
    ) -> Result<(), TopicLogError> {
        let partition = fetched.partition;
        let at = next.entry(partition).or_insert(0);
        let mut decoder = RecordDecoder::new();
        for entry in Batches::new(fetched.records) {
            let batch = match entry {
                Ok(Entry::Batch(batch)) => batch,
                Ok(Entry::Legacy(_)) => {
                    return Err(self.unreadable(partition, "an old message format"));
                }
                Err(error) => return Err(self.unreadable(partition, error)),
            };
            if !batch.header().is_control() {
                let records = decoder
                    .batch(&batch, LARGEST_BATCH)
                    .map_err(|error| self.unreadable(partition, error))?;
                for record in records {
                    let record = record.map_err(|error| self.unreadable(partition, error))?;
                    let Some(key) = record.key().filter(|_| record.offset() >= *at) else {
                        continue;
                    };
                    found.push(TailRecord {
                        partition,
                        offset: record.offset(),
                        key: Bytes::copy_from_slice(key),
                        value: record.value().map(Bytes::copy_from_slice),
                        timestamp: record.timestamp(),
                    });
                }
            }
            *at = (*at).max(batch.info().next_offset());
        }
        Ok(())
    }
}
