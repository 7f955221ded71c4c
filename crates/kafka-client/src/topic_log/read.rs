//! Reading: every partition from beginning to end, as both are when it begins.
//!
//! Records of transactions count from their commit on: what was taken back is left out, and so is what is still open. Nobody is
//! waited for. Whoever has to know about transactions of its own ends them first.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use kafka_wire::batch::{
    Batches, ControlType, Entry, RawBatch, RecordsError, control_type, records,
};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::IsolationLevel;
use kafka_wire::message::fetch::{FetchRequest, FetchedPartition};
use kafka_wire::message::list_offsets::{EARLIEST, LATEST};
use kafka_wire::types::{NodeId, PartitionId, TopicPartition};
use tokio::time::Instant;

use super::write::partition_of;
use super::{ANSWER, FETCH_BYTES, KeyValue, OFFSETS, TopicLog, TopicLogError, is_final};
use crate::cluster::Use;
use crate::offsets::list_offsets_within;

impl TopicLog {
    /// All records from beginning to end, in the order of each partition.
    ///
    /// # Errors
    /// When a partition cannot be read to its end within `limit`.
    pub async fn read_all(&mut self, limit: Duration) -> Result<Vec<KeyValue>, TopicLogError> {
        let deadline = Instant::now() + limit;
        let mut found = Vec::new();
        // Each leader is asked once for all of its partitions. What fails here is asked for again below.
        let (starts, ends) = match self.beginnings().await {
            Ok(starts) => (starts, self.ends().await.unwrap_or_default()),
            Err(_) => Default::default(),
        };
        for partition in self.leaders.keys().copied().collect::<Vec<_>>() {
            let mut backoff = self.backoff();
            let mut between = starts
                .get(&partition)
                .copied()
                .zip(ends.get(&partition).copied());
            loop {
                let read = match between.take() {
                    Some((start, end)) => self.read_between(partition, start, end).await,
                    None => self.read_partition(partition, None).await,
                };
                let error = match read {
                    Ok((records, _)) => {
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

    /// The records in the partition of a key, from an offset on, and where they end; from where the partition ends now, without
    /// an offset.
    ///
    /// # Errors
    /// When they cannot be read within `limit`.
    pub async fn read_beside(
        &mut self,
        key: &[u8],
        from: Option<i64>,
        limit: Duration,
    ) -> Result<(Vec<KeyValue>, i64), TopicLogError> {
        let deadline = Instant::now() + limit;
        let count = u32::try_from(self.leaders.len()).unwrap_or(1).max(1);
        let partition = partition_of(key, count);
        let mut backoff = self.backoff();
        loop {
            let read = match from {
                Some(_) => self.read_partition(partition, from).await,
                None => self.end_of(partition).await.map(|end| (Vec::new(), end)),
            };
            let error = match read {
                Ok(read) => return Ok(read),
                Err(error @ TopicLogError::Unreadable { .. }) => return Err(error),
                Err(error) => error,
            };
            self.pause_until(deadline, limit, "read to its end", &error, &mut backoff)
                .await?;
            drop(self.find_leaders().await);
        }
    }

    async fn end_of(&self, partition: PartitionId) -> Result<i64, TopicLogError> {
        let leader = self.leader(partition)?;
        self.offset(leader, partition, LATEST).await
    }

    async fn read_partition(
        &self,
        partition: PartitionId,
        from: Option<i64>,
    ) -> Result<(Vec<KeyValue>, i64), TopicLogError> {
        let leader = self.leader(partition)?;
        let start = self.offset(leader, partition, EARLIEST).await?;
        let end = self.offset(leader, partition, LATEST).await?;
        self.read_between(partition, from.unwrap_or(start).max(start), end)
            .await
    }

    async fn read_between(
        &self,
        partition: PartitionId,
        start: i64,
        end: i64,
    ) -> Result<(Vec<KeyValue>, i64), TopicLogError> {
        let leader = self.leader(partition)?;
        let mut offset = start;
        let mut found = Vec::new();
        // Of transactions that have not ended yet, by producer.
        let mut open: HashMap<i64, Vec<KeyValue>> = HashMap::new();
        while offset < end {
            let request = self.fetch(partition, offset);
            let limit = ANSWER.min(self.cluster.config().request_timeout);
            let asked = self
                .cluster
                .call_within(leader, Use::Store, &request, limit);
            let answer = self.client(asked.await)?;
            let fetched = answer
                .into_one()
                .and_then(FetchedPartition::without_error)
                .map_err(|code| self.refused("Fetch", code, None))?;
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
                let producer = batch.info().producer_id;
                if batch.header().is_control() {
                    let ended = open.remove(&producer);
                    if let Ok(Some(ControlType::Commit)) = control_type(&batch) {
                        found.extend(ended.into_iter().flatten());
                    }
                } else if batch.info().attributes.is_transactional() {
                    let records = open.entry(producer).or_default();
                    self.take(partition, &batch, records)?;
                } else {
                    self.take(partition, &batch, &mut found)?;
                }
            }
            if offset == before {
                return Err(self.unreadable(partition, "the broker sends nothing below the end"));
            }
        }
        Ok((found, offset))
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

    fn fetch(&self, partition: PartitionId, offset: i64) -> FetchRequest {
        FetchRequest::of_one(self.topic.clone(), self.id, partition, offset, FETCH_BYTES)
    }

    async fn offset(
        &self,
        leader: NodeId,
        partition: PartitionId,
        at: i64,
    ) -> Result<i64, TopicLogError> {
        let wanted = TopicPartition::new(self.topic.clone(), partition);
        let isolation = IsolationLevel::ReadUncommitted;
        let asked = list_offsets_within(
            &self.cluster,
            leader,
            Use::Store,
            std::slice::from_ref(&wanted),
            (at, isolation),
            OFFSETS.min(self.cluster.config().request_timeout),
        );
        let answer = asked.await;
        match self.client(answer)?.remove(&wanted) {
            Some(Ok(offset)) => Ok(offset),
            Some(Err(code)) => Err(self.refused("ListOffsets", code, None)),
            None => Err(self.refused("ListOffsets", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None)),
        }
    }

    pub(super) fn unreadable(&self, partition: PartitionId, cause: impl ToString) -> TopicLogError {
        TopicLogError::Unreadable {
            topic: self.topic.clone(),
            partition,
            cause: cause.to_string(),
        }
    }
}
