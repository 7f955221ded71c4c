//! Where a partition goes on whose records have the offsets they have at the source: at the end of the
//! destination's log, if that is what the source has there.
//!
//! ```text
//!   destination   … [ours][ours][marker] ── end ──▶ source offset = end
//!                         └── compared with the source's records at the same offsets
//! ```
//!
//! Decisions are in [`go_on`] and [`compare`], which are pure.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use config::link::OnGap;
use kafka_wire::batch::{BatchInfo, RawBatch};
use kafka_wire::record::{DecodeError, RecordDecoder};
use kafka_wire::types::ProducerIdentity;

use super::missing::{gap, truncation};
use super::{Readings, Stop};
use crate::data_plane::core::{EstablishOrder, Established, Ground};
use crate::position::{Placement, Position, Preserved, advance_sequence};
use crate::side::{Destination, Source};

/// Largest payload of a batch that is compared, decompressed.
const DECOMPRESSED: usize = 400 * 1024 * 1024;

/// What stands at the end of a destination partition.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Ending {
    /// Headers of what was written since the position was stored.
    pub(in super::super) since: Vec<BatchInfo>,
    /// The last batch with records.
    pub(in super::super) last: Option<BatchInfo>,
    /// What the source has at the offsets of that batch.
    pub(in super::super) comparison: Comparison,
}

/// How the last batch compares with the source's records at its offsets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) struct Comparison {
    /// Records that are equal.
    pub(in super::super) equal: usize,
    /// The first offset at which the source has another record.
    pub(in super::super) differs: Option<i64>,
    /// The leader epoch of the source's last batch at these offsets; −1 where it is not known.
    pub(in super::super) epoch: i32,
}

impl Default for Comparison {
    fn default() -> Self {
        Self {
            equal: 0,
            differs: None,
            epoch: -1,
        }
    }
}

/// Records by offset, each as a number that differs where key, value or headers do.
pub(in super::super) type Digests = BTreeMap<i64, u64>;

/// Digests of a batch's records.
pub(in super::super) fn digests(batch: &RawBatch) -> Result<Digests, DecodeError> {
    let mut decoder = RecordDecoder::new();
    let mut digests = Digests::new();
    for record in decoder.batch(batch, DECOMPRESSED)? {
        let record = record?;
        let mut hasher = DefaultHasher::new();
        (record.key(), record.value()).hash(&mut hasher);
        for header in record.headers().iter() {
            (header.key, header.value).hash(&mut hasher);
        }
        digests.insert(record.offset(), hasher.finish());
    }
    Ok(digests)
}

/// Compares what stands at some offsets. Where the source has nothing, or a record that is left out, a copy of
/// its next record may stand.
pub(in super::super) fn compare(
    copy: &Digests,
    markers: &[i64],
    original: &Digests,
    leaves_out: bool,
) -> Comparison {
    let mut comparison = Comparison {
        equal: 0,
        // One marker too many takes the offset of a record.
        differs: markers
            .iter()
            .find(|offset| original.contains_key(offset))
            .copied(),
        ..Comparison::default()
    };
    let mut behind = None;
    for (offset, digest) in copy.iter().rev() {
        let is_copy = leaves_out && behind == Some((offset + 1, *digest));
        match original.get(offset) {
            Some(there) if there == digest => comparison.equal += 1,
            Some(_) if !is_copy => {
                let first = comparison
                    .differs
                    .map_or(*offset, |differs| differs.min(*offset));
                comparison.differs = Some(first);
            }
            Some(_) | None => {}
        }
        behind = Some((*offset, *digest));
    }
    comparison
}

/// The decision for a partition that was preserved before. `padding` is where its first record goes, as far
/// as none was written yet.
pub(in super::super) fn go_on(
    order: &EstablishOrder,
    position: &Position,
    preserved: Preserved,
    readings: Readings,
    ending: &Ending,
    padding: Option<i64>,
) -> Established {
    let end = readings.destination_end;
    // Before what the source has taken back: an offset that somebody else has used seems to be missing there.
    if let Some(stop) = strangers(order, position, preserved, ending) {
        return Established::Foreign(stop);
    }
    // Behind the end nothing was copied, whatever is known of it, nor is padding a copy.
    let is_padding = end <= preserved.padding;
    let covered = order.covered(position.offset.0, end).min(end);
    let taken_back = readings.epoch_end.filter(|at| *at < covered && !is_padding);
    // Also where no epoch tells: what is written there next is not what was copied.
    let short = Some(readings.end).filter(|at| *at < end);
    if let Some(at) = taken_back.or(short) {
        // Whether what follows is copied is not for offsets to decide.
        let stop = truncation(order, end, at);
        return match order.on_gap {
            OnGap::Stop => Established::Stop(stop),
            OnGap::Continue => Established::CannotPlace(stop),
        };
    }
    if let Some(stop) = different(order, ending) {
        return Established::Foreign(stop);
    }
    let mut preserved = preserved;
    let mut store_first = order.store_first;
    let mut lost = None;
    let mut begin = end;
    if is_padding {
        // No record is there yet.
        if let Some(padding) = padding.filter(|padding| *padding != preserved.padding) {
            preserved.padding = padding.max(end);
            store_first = true;
        }
    } else if readings.log_start > end {
        // Markers use up what is missing. Filler would be read by whoever reads there, and could not be deleted without
        // the records in front of it. Up to the position it is known already that nothing was there, or that it is lost.
        if readings.log_start > position.offset.0 {
            let stop = gap(order, end, readings.log_start);
            if order.on_gap == OnGap::Stop {
                return Established::Stop(stop);
            }
            tracing::warn!(partition = %order.source, state = stop.state, "going on behind a gap: {}", stop.reason);
            lost = stop.lost;
            store_first = true;
        }
        begin = readings.log_start;
    }
    if order.first {
        preserved.coordinator_epoch = preserved.coordinator_epoch.saturating_add(1);
        store_first = true;
    }
    let (producer, sequence) = writer(order, position, end, ending);
    store_first |= producer != position.producer;
    Established::Ready {
        position: Position {
            offset: Source(begin),
            // Where nothing tells that of the last batch: with an earlier one the source would seem to be cut short.
            leader_epoch: match end == position.offset.0 {
                _ if begin > end => -1,
                true => position.leader_epoch,
                false => ending.comparison.epoch,
            },
            destination_end: Destination(end),
            producer,
            sequence,
            placement: Placement::Preserved(preserved),
            ..position.clone()
        },
        landed: Vec::new(),
        max_message_bytes: readings.max_message_bytes,
        store_first,
        repeated: 0,
        end: readings.end,
        ground: Ground {
            reason: format!("the copy goes on at offset {end}").into(),
            lost,
            ..readings.ground()
        },
    }
}

/// Under which name, and with which sequence number, writing goes on.
fn writer(
    order: &EstablishOrder,
    position: &Position,
    end: i64,
    ending: &Ending,
) -> (ProducerIdentity, i32) {
    let next = next_number(position, end, &ending.since, ending.last);
    // Where the log has grown since the refusal, whoever wrote is of the same stream, and the sequence goes on.
    let refused = order.raise_epoch && end == position.destination_end.0;
    let raised = (position.producer.epoch.saturating_add(1), 0);
    let (epoch, sequence) = next.filter(|_| !refused).unwrap_or(raised);
    let id = position.producer.id;
    (ProducerIdentity { id, epoch }, sequence)
}

/// Epoch and sequence number behind what stands, if that tells them.
fn next_number(
    position: &Position,
    end: i64,
    since: &[BatchInfo],
    last: Option<BatchInfo>,
) -> Option<(i16, i32)> {
    let stored = (position.producer.epoch, position.sequence);
    match last_of_ours(position, last) {
        // Nothing of the raised epoch was written yet.
        Some(info) if info.producer_epoch < position.producer.epoch => Some(stored),
        Some(info) => {
            let behind = advance_sequence(info.base_sequence, i64::from(info.offsets()));
            Some((info.producer_epoch, behind))
        }
        None if end <= position.destination_end.0 => Some(stored),
        // Markers have no numbers.
        None => {
            let begins = since.first().map(|info| info.base_offset);
            let only_markers = begins == Some(position.destination_end.0)
                && since.iter().all(|info| info.attributes.is_control());
            only_markers.then_some(stored)
        }
    }
}

/// The last batch with records, if this partition's producer wrote it.
fn last_of_ours(position: &Position, last: Option<BatchInfo>) -> Option<BatchInfo> {
    last.filter(|info| info.producer_id == position.producer.id)
}

/// Whether batches that a process before this one left on its way are recognised when they come: not where the epoch is
/// raised, or was and nothing tells it yet. What was written under the epoch before would land in between.
pub(in super::super) fn recognises(
    position: &Position,
    end: i64,
    since: &[BatchInfo],
    last: Option<BatchInfo>,
) -> bool {
    next_number(position, end, since, last).is_some()
        && last_of_ours(position, last)
            .is_none_or(|info| info.producer_epoch >= position.producer.epoch)
}

/// The state of a partition that others have written to.
const FOREIGN: &str = "destination-foreign-writes";

/// Whether something stands there that was not written by this partition's producers.
pub(in super::super) fn has_strangers(
    position: &Position,
    preserved: Preserved,
    since: &[BatchInfo],
) -> bool {
    let ours = [position.producer.id, preserved.marker.id];
    since.iter().any(|info| !ours.contains(&info.producer_id))
}

/// What stands at the end, and was not written by this partition's producers, or twice.
fn strangers(
    order: &EstablishOrder,
    position: &Position,
    preserved: Preserved,
    ending: &Ending,
) -> Option<Stop> {
    let state = FOREIGN;
    let ours = [position.producer.id, preserved.marker.id];
    if let Some(out) = out_of_step(position, &ending.since) {
        let what = match out.missing {
            None => "a second time: a late request of this link was carried out after the broker had forgotten its first copy"
                .to_owned(),
            Some(missing) => format!(
                "where {missing} records of this link in front of them were to come: the broker had forgotten their writer, and \
                 took one of several requests without the one before it"
            ),
        };
        let info = out.batch;
        return Some(Stop {
            state,
            offset: Some(info.base_offset),
            reason: format!(
                "destination partition {} holds offsets {}–{} {what}",
                order.destination, info.base_offset, info.last_offset
            ),
            lost: None,
        });
    }
    let mut written = ending.since.iter();
    let info = written.find(|info| !ours.contains(&info.producer_id))?;
    Some(Stop {
        state,
        offset: Some(info.base_offset),
        reason: format!(
            "destination partition {} holds offsets {}–{} of another writer (producer id {}) where the source's \
             records were to go",
            order.destination, info.base_offset, info.last_offset, info.producer_id
        ),
        lost: None,
    })
}

/// What stands at the end and is not what the source has there.
fn different(order: &EstablishOrder, ending: &Ending) -> Option<Stop> {
    let offset = ending.comparison.differs?;
    Some(Stop {
        state: FOREIGN,
        offset: Some(offset),
        reason: format!(
            "destination partition {} holds another record at offset {offset} than the source",
            order.destination
        ),
        lost: None,
    })
}

/// A batch of ours that stands where another one of ours was to come.
struct OutOfStep {
    batch: BatchInfo,
    /// How many records before it are missing; `None` where it stands there again.
    missing: Option<i64>,
}

/// The first such batch. Behind what a cleaner or retention has taken away numbers may go on further.
fn out_of_step(position: &Position, since: &[BatchInfo]) -> Option<OutOfStep> {
    // What goes on behind the position has its next number.
    let mut next = Some((position.producer.epoch, position.sequence));
    let (mut behind, mut gone) = (position.destination_end.0, 0);
    for info in since {
        gone += (info.base_offset - behind).max(0);
        behind = info.next_offset();
        if info.producer_id != position.producer.id || info.attributes.is_control() {
            continue;
        }
        let (epoch, sequence) = (info.producer_epoch, info.base_sequence);
        if let Some((before, due)) = next
            && before == epoch
        {
            let ahead = (i64::from(sequence) - i64::from(due)).rem_euclid(1 << 31);
            let repeated = ahead > 1 << 30;
            if repeated || ahead > gone {
                return Some(OutOfStep {
                    batch: *info,
                    missing: Some(ahead).filter(|_| !repeated),
                });
            }
        }
        gone = 0;
        next = Some((epoch, advance_sequence(sequence, i64::from(info.offsets()))));
    }
    None
}

#[cfg(test)]
mod tests;
