//! Reads what stands at the end of a destination's log, and what the source has at the same offsets.

use kafka_wire::batch::{
    AbortedFilter, BatchInfo, Batches, Entry, RawBatch, Verdict, control_type,
};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::fetch::FetchedPartition;
use kafka_wire::types::TopicPartition;

use super::Readings;
use super::peer::Unread;
use super::preserve::{self, Comparison, Digests, digests};
use super::questions::Question;
use super::room::{MOST, Room};
use super::survey::Survey;
use crate::data_plane::core::EstablishOrder;

/// Bytes of batches that were written since the position was stored and are compared; of what is more only the
/// last batch is.
const COMPARED_MOST: usize = 64 * 1024 * 1024;
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
    pub(super) last: Option<Last>,
    /// Bytes of the batches with records.
    pub(super) bytes: usize,
}

/// What is kept of the last batch with records. Itself it would keep its whole answer in memory, while its partition waits for room.
#[derive(Debug)]
pub(super) struct Last {
    pub(super) info: BatchInfo,
    bytes: usize,
    /// Its records, unless they are among those that are compared already; or why it cannot be compared.
    copies: Result<Digests, String>,
}

impl Last {
    fn of(batch: &RawBatch) -> Self {
        Self {
            copies: read_copies(batch),
            ..Self::of_known(batch)
        }
    }

    /// Of one whose records are compared already.
    fn of_known(batch: &RawBatch) -> Self {
        Self {
            info: *batch.info(),
            bytes: batch.bytes().len(),
            copies: Ok(Digests::new()),
        }
    }
}

impl Written {
    /// How much of the source is asked for at a time to compare it with: what follows would be read for nothing.
    fn bytes_at_a_time(&self) -> i32 {
        let last = self.last.as_ref().map_or(0, |last| last.bytes);
        let bytes = i32::try_from(self.bytes.max(last)).unwrap_or(i32::MAX);
        bytes.clamp(1, MOST)
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
        (from, to): (i64, i64),
        room: &mut Room<'_>,
    ) -> Result<Written, String> {
        let mut written = Written::default();
        let mut offset = from;
        while offset < to {
            if offset > from {
                room.grow().await;
            }
            let fetched = self.destination_batches(order, offset, room).await?;
            let before = offset;
            let mut last = None;
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
                    let is_compared = written.bytes <= COMPARED_MOST;
                    if is_compared {
                        written.copies.extend(read_copies(&batch)?);
                    }
                    last = Some((batch, is_compared));
                }
            }
            let last = last.map(|(batch, is_compared)| match is_compared {
                true => Last::of_known(&batch),
                false => Last::of(&batch),
            });
            written.last = last.or(written.last);
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
        room: &mut Room<'_>,
    ) -> Result<Option<Last>, String> {
        let (mut back, most) = BACK;
        loop {
            let from = (readings.destination_end - back).max(readings.destination_start);
            let mut found = None;
            let mut offset = from;
            while offset < readings.destination_end {
                if offset > from {
                    room.grow().await;
                }
                let fetched = self.destination_batches(order, offset, room).await?;
                let before = offset;
                let mut last = None;
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
                found = last.as_ref().map(Last::of).or(found);
                if offset == before {
                    // A hole at the end, which the cleaner has left.
                    break;
                }
            }
            if found.is_some() || from == readings.destination_start || back >= most {
                return Ok(found);
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
        room: &mut Room<'_>,
    ) -> Result<Comparison, String> {
        let mut copies = written.copies.clone();
        if let Some(last) = &written.last {
            copies.extend(last.copies.clone()?);
        }
        let first = copies.keys().chain(&written.markers).min().copied();
        let mut offset = first.unwrap_or(readings.end).max(readings.log_start);
        let end = readings.destination_end.min(readings.end);
        let mut original = Digests::new();
        let mut epoch = -1;
        let bytes = written.bytes_at_a_time();
        room.at_least(bytes).await;
        while offset < end {
            let fetched = self.source_batches(order, offset, bytes, room).await?;
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
        room: &mut Room<'_>,
    ) -> Result<FetchedPartition, String> {
        let fetched = self.source.batches(at_source(order, offset, bytes), room);
        fetched.await.map_err(|unread| match unread {
            Unread::Refused(code) => refused("source", &order.source, code),
            Unread::Trouble(trouble) => trouble,
        })
    }

    async fn destination_batches(
        &self,
        order: &EstablishOrder,
        offset: i64,
        room: &mut Room<'_>,
    ) -> Result<FetchedPartition, String> {
        let question = Question {
            partition: order.destination.clone(),
            id: order.destination_id,
            offset,
            bytes: room.bytes(),
        };
        let fetched = self.destination.batches(question, room);
        fetched.await.map_err(|unread| match unread {
            Unread::Refused(ErrorCode::TOPIC_AUTHORIZATION_FAILED) => self.unreadable(order),
            Unread::Refused(code) => refused("destination", &order.destination, code),
            Unread::Trouble(trouble) => trouble,
        })
    }
}

pub(super) fn at_source(order: &EstablishOrder, offset: i64, bytes: i32) -> Question {
    Question {
        partition: order.source.clone(),
        id: order.source_id,
        offset,
        bytes,
    }
}

pub(super) fn refused(side: &str, partition: &TopicPartition, code: ErrorCode) -> String {
    match code {
        ErrorCode::NONE => format!("{side}: the answer to a Fetch of {partition} left it out"),
        code => format!("{side}: Fetch of {partition} answered {code}"),
    }
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
