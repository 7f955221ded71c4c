//! Reads what stands at the end of a destination's log, and what the source has at the same offsets.

use kafka_client::cluster::Use;
use kafka_wire::batch::{
    AbortedFilter, BatchInfo, Batches, Entry, RawBatch, Verdict, control_type,
};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::IsolationLevel;
use kafka_wire::message::fetch::{FetchRequest, FetchedPartition};
use kafka_wire::types::{TopicId, TopicPartition};

use super::Readings;
use super::preserve::{self, Comparison, Digests, digests};
use super::survey::Survey;
use crate::data_plane::core::EstablishOrder;

/// Bytes of batches that were written since the position was stored and are compared; of what is more only the
/// last batch is.
const COMPARED_MOST: usize = 64 * 1024 * 1024;
/// Bytes per request while records are compared.
const COMPARED_BYTES: i32 = 1024 * 1024;
/// How far back the last record is looked for behind markers, at first and at most.
const BACK: (i64, i64) = (1, 1 << 20);

/// What stands at the end of a destination partition.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) since: Vec<BatchInfo>,
    /// Offsets of markers.
    pub(super) markers: Vec<i64>,
    pub(super) copies: Digests,
    /// The last batch with records.
    pub(super) last: Option<RawBatch>,
    /// Bytes of the batches with records.
    pub(super) bytes: usize,
}

impl Written {
    /// How much of the source is asked for at a time to compare it with: what follows would be read for nothing.
    fn bytes_at_a_time(&self) -> i32 {
        let last = self.last.as_ref().map_or(0, |batch| batch.bytes().len());
        let bytes = i32::try_from(self.bytes.max(last)).unwrap_or(i32::MAX);
        bytes.clamp(1, COMPARED_BYTES)
    }
}

fn read_copies(batch: &RawBatch) -> Result<Digests, String> {
    digests(batch).map_err(|error| format!("destination: a batch cannot be compared: {error}"))
}

impl Survey<'_> {
    /// What stands in the destination's log between two offsets.
    pub(super) async fn written(
        &self,
        order: &EstablishOrder,
        from: i64,
        to: i64,
    ) -> Result<Written, String> {
        let mut written = Written::default();
        let mut offset = from;
        while offset < to {
            let fetched = self.destination_batches(order, offset).await?;
            let before = offset;
            for batch in batches(fetched.records) {
                let info = *batch.info();
                offset = offset.max(info.next_offset());
                if info.next_offset() <= from || info.base_offset >= to {
                    continue;
                }
                written.since.push(info);
                if info.attributes.is_control() {
                    written.markers.push(info.base_offset);
                } else if info.records > 0 {
                    written.bytes += batch.bytes().len();
                    if written.bytes <= COMPARED_MOST {
                        written.copies.extend(read_copies(&batch)?);
                    }
                    written.last = Some(batch);
                }
            }
            if offset == before {
                let partition = &order.destination;
                return Err(format!(
                    "destination: {partition} sends nothing at offset {offset}, below its end {to}"
                ));
            }
        }
        Ok(written)
    }

    /// The last batch with records in the destination's log.
    pub(super) async fn last(
        &self,
        order: &EstablishOrder,
        readings: Readings,
    ) -> Result<Option<RawBatch>, String> {
        let (mut back, most) = BACK;
        loop {
            let from = (readings.destination_end - back).max(readings.destination_start);
            let mut last = None;
            let mut offset = from;
            while offset < readings.destination_end {
                let fetched = self.destination_batches(order, offset).await?;
                let before = offset;
                for batch in batches(fetched.records) {
                    offset = offset.max(batch.info().next_offset());
                    // What was written since the end was read belongs to the next reading: its sequence would be
                    // taken for that of the end.
                    let is_read = batch.info().base_offset < readings.destination_end;
                    let holds_records = batch.info().records > 0;
                    if is_read && holds_records && !batch.info().attributes.is_control() {
                        last = Some(batch);
                    }
                }
                if offset == before {
                    // A hole at the end, which the cleaner has left.
                    break;
                }
            }
            if last.is_some() || from == readings.destination_start || back >= most {
                return Ok(last);
            }
            back = back.saturating_mul(64).min(most);
        }
    }

    /// Compares what was written with the source's records at the same offsets.
    pub(super) async fn compared(
        &self,
        order: &EstablishOrder,
        readings: Readings,
        written: &Written,
    ) -> Result<Comparison, String> {
        let mut copies = written.copies.clone();
        if let Some(last) = &written.last {
            copies.extend(read_copies(last)?);
        }
        let first = copies.keys().chain(&written.markers).min().copied();
        let mut offset = first.unwrap_or(readings.end).max(readings.log_start);
        let end = readings.destination_end.min(readings.end);
        let mut original = Digests::new();
        let mut epoch = -1;
        while offset < end {
            let bytes = written.bytes_at_a_time();
            let fetched = self.source_batches(order, offset, bytes).await?;
            let mut filter = AbortedFilter::new(fetched.aborted);
            let before = offset;
            for batch in batches(fetched.records) {
                offset = offset.max(batch.info().next_offset());
                if batch.info().base_offset < end {
                    epoch = batch.info().leader_epoch;
                }
                let concerned = batch.info().base_offset < end && batch.info().records > 0;
                if is_delivered(&mut filter, &batch) && concerned {
                    let read = digests(&batch);
                    original.extend(
                        read.map_err(|error| {
                            format!("source: a batch cannot be compared: {error}")
                        })?,
                    );
                }
            }
            if offset == before {
                break;
            }
        }
        // The batch that holds the log's start is served whole, and may have been padded over.
        let original = original.split_off(&readings.log_start);
        let markers = &written.markers;
        Ok(Comparison {
            epoch,
            ..preserve::compare(&copies, markers, &original, order.leaves_out)
        })
    }

    pub(super) async fn source_batches(
        &self,
        order: &EstablishOrder,
        offset: i64,
        bytes: i32,
    ) -> Result<FetchedPartition, String> {
        let request = FetchRequest {
            isolation_level: IsolationLevel::ReadCommitted,
            ..one_partition(&order.source, order.source_id, offset, bytes)
        };
        let answer = self.source.ask(Use::Metadata, &request).await?;
        let fetched = answer.into_one().and_then(FetchedPartition::without_error);
        fetched.map_err(|code| refused("source", &order.source, code))
    }

    async fn destination_batches(
        &self,
        order: &EstablishOrder,
        offset: i64,
    ) -> Result<FetchedPartition, String> {
        let request = one_partition(
            &order.destination,
            order.destination_id,
            offset,
            COMPARED_BYTES,
        );
        let answer = self.destination.ask(Use::Store, &request).await?;
        let fetched = answer.into_one().and_then(FetchedPartition::without_error);
        fetched.map_err(|code| match code {
            ErrorCode::TOPIC_AUTHORIZATION_FAILED => self.unreadable(order),
            code => refused("destination", &order.destination, code),
        })
    }
}

fn one_partition(partition: &TopicPartition, id: TopicId, offset: i64, bytes: i32) -> FetchRequest {
    FetchRequest::of_one(
        partition.topic.clone(),
        id,
        partition.partition,
        offset,
        bytes,
    )
}

pub(super) fn refused(side: &str, partition: &TopicPartition, code: ErrorCode) -> String {
    format!("{side}: Fetch of {partition} answered {code}")
}

pub(super) fn batches(records: bytes::Bytes) -> impl Iterator<Item = RawBatch> {
    Batches::new(records).map_while(|entry| match entry {
        Ok(Entry::Batch(batch)) => Some(batch),
        Ok(Entry::Legacy(_)) | Err(_) => None,
    })
}

/// Whether a committed reader sees the batch.
pub(super) fn is_delivered(filter: &mut AbortedFilter, batch: &RawBatch) -> bool {
    let control = match batch.info().attributes.is_control() {
        true => control_type(batch).ok().flatten(),
        false => None,
    };
    filter.on_batch(batch.info(), control) == Verdict::Deliver
}
