//! What becomes of each batch of a fetch answer, decided from headers alone.
//!
//! ```text
//!   record set ─▶ split ─▶ aborted? control? ─▶ passage ─┬─ untouched ─▶ pipe
//!                                                        ├─ dropped: reading goes on behind it
//!                                                        ├─ decoded (`decode`) ─▶ pipe
//!                                                        └─ cannot be used: reading ends before it
//! ```
//!
//! Pure. Only what cannot pass is decoded, in its place in the order.

use bytes::Bytes;
use kafka_wire::batch::{
    AbortedFilter, AbortedTransaction, BatchInfo, Batches, Dropped, Entry, LegacyEntry, Obstacle,
    PassLimits, Passage, RawBatch, Verdict, control_type, passage, verify_crc,
};

use super::decode::{Decoder, Gathered, Returned, Rules, Tiny, reason};
use super::piped::{DecodeReason, PipedBatch};
use crate::origin::Decision;

/// Who has written a batch that names nobody.
const NO_PRODUCER: i64 = -1;

/// Why reading cannot go on.
#[derive(Clone, Debug)]
pub(crate) struct Blocked {
    /// Offset of the batch or record.
    pub(crate) offset: i64,
    /// Behind what cannot be used.
    pub(crate) behind: i64,
    /// What kind of trouble it is.
    pub(crate) cause: Cause,
    /// What is wrong with it, for an operator.
    pub(crate) reason: String,
    /// The record, in a batch of its own, where it is to be set aside before reading goes on behind it.
    pub(crate) aside: Option<Box<RawBatch>>,
}

/// Kinds of trouble with a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// No broker takes it, and it cannot be made into something that one takes.
    CannotPass,
    /// Its bytes are not those that were written. They may be when read again.
    Damaged,
    /// This destination does not take it.
    Refused,
    /// Whether it is a copy from the destination cannot be told any more.
    OriginLost,
    /// It cannot get the offsets it has at the source.
    CannotPlace,
}

impl Cause {
    /// The state of a partition that stops for it.
    pub(crate) fn state(self) -> &'static str {
        match self {
            Self::CannotPass => "cannot-pass",
            Self::Damaged => "damaged",
            Self::Refused => "refused",
            Self::OriginLost => "origins-lost",
            Self::CannotPlace => "cannot-place",
        }
    }
}

impl Blocked {
    /// Whether reading again may help.
    pub(crate) fn is_damage(&self) -> bool {
        self.cause == Cause::Damaged
    }

    pub(super) fn new(offset: i64, cause: Cause, reason: impl ToString) -> Self {
        Self {
            offset,
            behind: offset + 1,
            cause,
            reason: reason.to_string(),
            aside: None,
        }
    }

    /// The record at its offset is to be set aside.
    pub(super) fn set_aside(self, record: RawBatch) -> Self {
        Self {
            aside: Some(Box::new(record)),
            ..self
        }
    }
}

/// Numbers of what was not written, per answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct DroppedCount {
    /// Batches of the source's own bookkeeping.
    pub(crate) control: u64,
    /// Batches of aborted transactions.
    pub(crate) aborted: u64,
    /// Batches that compaction emptied.
    pub(crate) emptied: u64,
}

/// The content of one partition's answer, judged.
#[derive(Debug, Default)]
pub(crate) struct Routed {
    /// What is to be written, in order.
    pub(crate) batches: Vec<PipedBatch>,
    /// Where reading goes on.
    pub(crate) next: i64,
    /// Leader epoch of the last batch before `next`; −1 when there was none.
    pub(crate) leader_epoch: i32,
    /// Why it cannot go on there.
    pub(crate) blocked: Option<Blocked>,
    /// What was dropped.
    pub(crate) dropped: DroppedCount,
    /// Offsets of records that are left out because they are too large, and how large they are.
    pub(crate) skipped: Vec<(i64, String)>,
    /// Whether offsets are missing: a cleaner has been there.
    pub(crate) has_holes: bool,
    /// Where the next record can be written without copies of it in front, where holes are filled with them.
    pub(crate) filled: i64,
    /// How many whole batches were there, and their bytes together, as they came.
    pub(crate) whole: (usize, usize),
    /// How many bytes were copied out of their answer.
    pub(crate) copied: usize,
    /// Whether tiny batches are merged.
    merges: bool,
    tiny: Tiny,
    /// Behind the last entry of those that are gathered, in an old format or changed, and its leader epoch.
    old_end: i64,
    old_epoch: i32,
    /// Records that came back.
    pub(super) returned: Returned,
}

/// Judges what was read from `wanted` on.
pub(crate) fn route(
    records: Bytes,
    aborted: Vec<AbortedTransaction>,
    wanted: i64,
    rules: &Rules,
    decoder: &mut Decoder,
) -> Routed {
    let mut filter = AbortedFilter::new(aborted);
    let mut routed = Routed::nothing(wanted);
    routed.merges = are_many_and_tiny(&records, rules);
    let pending = rules.place.as_ref().and_then(|place| place.pending);
    routed.filled = pending.map_or(wanted, |pending| pending.min(wanted));
    let mut old = Gathered::default();
    for entry in Batches::new(records) {
        let behind = match &entry {
            Ok(Entry::Batch(batch)) => batch.info().next_offset(),
            Ok(Entry::Legacy(_)) | Err(_) => 0,
        };
        let done = match entry {
            Ok(Entry::Batch(batch)) => {
                let (count, bytes) = &mut routed.whole;
                *count += 1;
                *bytes += batch.bytes().len();
                if rules.changes.is_empty() {
                    routed
                        .release(&mut old, rules, decoder)
                        .and_then(|()| routed.judge(batch, &mut filter, rules, decoder))
                } else {
                    routed.change(&batch, &mut filter, &mut old, rules, decoder)
                }
            }
            Ok(Entry::Legacy(entry)) => {
                // What came before it is written before it, and leaves the encoder free.
                routed.merge(rules, decoder);
                routed.gather(&entry, wanted, &mut old, rules, decoder)
            }
            Err(error) => {
                let reason = format_args!("the source's answer cannot be read: {error}");
                Err(Blocked::new(routed.next, Cause::CannotPass, reason))
            }
        };
        if let Err(mut blocked) = done {
            // A record is refused alone; damage is a whole batch's.
            if blocked.cause != Cause::Refused {
                blocked.behind = blocked.behind.max(behind);
            }
            // What was gathered, and turned out not to be usable, is not passed over.
            routed.old_end = routed.old_end.min(blocked.offset);
            routed.blocked = Some(blocked);
            break;
        }
    }
    let rest = routed.release(&mut old, rules, decoder);
    routed.merge(rules, decoder);
    if let Err(blocked) = rest {
        // What lies further in front is the first to be met.
        routed.blocked = Some(blocked);
    }
    routed
}

/// Whether there are as many batches as merging needs, and those of the front are tiny on average. Only so many are
/// looked at.
fn are_many_and_tiny(records: &Bytes, rules: &Rules) -> bool {
    let Some(least) = rules.merge_from.map(|from| from.max(2)) else {
        return false;
    };
    // More bytes than this are not tiny, however many batches follow.
    let below = least.saturating_mul(rules.merge_below as usize);
    let (mut count, mut bytes) = (0, 0);
    for entry in Batches::new(records.clone()) {
        let Ok(Entry::Batch(batch)) = entry else {
            break;
        };
        count += 1;
        bytes += batch.bytes().len();
        if count == least || bytes >= below {
            break;
        }
    }
    count == least && bytes < below
}

impl Rules {
    /// Whether a batch belongs to this stream, by its producer.
    fn takes(&self, info: &BatchInfo) -> Result<bool, Blocked> {
        match self.origins.decide(info.producer_id) {
            Decision::Take => Ok(true),
            Decision::Leave => Ok(false),
            Decision::Lost(reason) => {
                Err(Blocked::new(info.base_offset, Cause::OriginLost, reason))
            }
        }
    }
}

impl Routed {
    /// Nothing was read from `next` on.
    pub(crate) fn nothing(next: i64) -> Self {
        Self {
            next,
            filled: next,
            leader_epoch: -1,
            old_epoch: -1,
            ..Self::default()
        }
    }

    /// Takes in an entry in an old format.
    fn gather(
        &mut self,
        entry: &LegacyEntry,
        wanted: i64,
        old: &mut Gathered,
        rules: &Rules,
        decoder: &mut Decoder,
    ) -> Result<(), Blocked> {
        // Nothing in an old format is a copy: no link writes it.
        if rules.origins.decide(NO_PRODUCER) == Decision::Leave {
            (self.old_end, self.old_epoch) = (entry.offset.saturating_add(1), -1);
            return Ok(());
        }
        let mut made = Vec::new();
        let done = decoder.gather(entry, wanted, rules, old, &mut made);
        self.skipped.append(&mut decoder.take_skipped());
        made.into_iter().for_each(|piped| self.take_old(piped));
        if done.is_ok() {
            (self.old_end, self.old_epoch) = (entry.offset.saturating_add(1), -1);
        }
        done
    }

    /// Takes in what is left of old formats. Reading goes on behind the last entry, also where none of its
    /// records is to be written.
    fn release(
        &mut self,
        old: &mut Gathered,
        rules: &Rules,
        decoder: &mut Decoder,
    ) -> Result<(), Blocked> {
        let made = decoder.gathered(old, rules);
        self.skipped.append(&mut decoder.take_skipped());
        match made? {
            Some(piped) if rules.changes.is_empty() => self.take_old(piped),
            // What is left out on purpose is no hole.
            Some(piped) => self.take(piped),
            None => {}
        }
        let end = std::mem::take(&mut self.old_end);
        self.pass_over_to(end, self.old_epoch);
        Ok(())
    }

    fn take_old(&mut self, piped: PipedBatch) {
        let offsets = piped.last_offset() - piped.first_offset() + 1;
        self.has_holes |= piped.first_offset() > self.next || offsets > piped.offsets();
        self.take(piped);
    }

    /// Makes one batch of the tiny ones that were read, if there are any.
    fn merge(&mut self, rules: &Rules, decoder: &mut Decoder) {
        if !self.tiny.is_empty() {
            let tiny = std::mem::take(&mut self.tiny);
            self.batches.append(&mut decoder.merge(tiny, rules));
        }
    }

    fn take(&mut self, piped: PipedBatch) {
        self.next = piped.next;
        self.filled = piped.last_offset() + 1;
        self.leader_epoch = piped.leader_epoch;
        self.batches.push(piped);
    }

    fn judge(
        &mut self,
        batch: RawBatch,
        filter: &mut AbortedFilter,
        rules: &Rules,
        decoder: &mut Decoder,
    ) -> Result<(), Blocked> {
        let info = *batch.info();
        self.has_holes |= info.base_offset > self.next || info.records < info.offsets();
        let control = if info.attributes.is_control() {
            control_type(&batch)
                .map_err(|error| Blocked::new(info.base_offset, Cause::CannotPass, error))?
        } else {
            None
        };
        match filter.on_batch(&info, control) {
            Verdict::Deliver => {}
            Verdict::DropAborted => {
                self.dropped.aborted += 1;
                self.leave_gap(&info, rules);
                return Ok(());
            }
            Verdict::DropControl => {
                self.dropped.control += 1;
                self.leave_gap(&info, rules);
                return Ok(());
            }
        }
        if !rules.takes(&info)? {
            self.pass_over(&info);
            return Ok(());
        }
        let limits = PassLimits {
            max_message_bytes: rules.max_message_bytes,
            first_offset: Some(
                rules
                    .place
                    .map_or(self.next, |p| p.whole_from.min(self.next)),
            ),
            keep_append_time: rules.keep_append_time,
        };
        match passage(&info, &limits) {
            Passage::Untouched | Passage::Blocked(Obstacle::Thinned { .. })
                if rules.place.is_some_and(|place| place.copies)
                    && (info.base_offset > self.filled || info.records < info.offsets()) =>
            {
                self.decode(&batch, DecodeReason::Thinned, rules, decoder)?;
            }
            Passage::Untouched if rules.refuse_some_of(info.base_offset, info.last_offset) => {
                self.decode(&batch, DecodeReason::Refused, rules, decoder)?;
            }
            Passage::Untouched if rules.renumber == Some(info.base_offset) => {
                self.decode(&batch, DecodeReason::Renumbered, rules, decoder)?;
            }
            Passage::Untouched => {
                if rules.check_crcs && !verify_crc(batch.bytes()) {
                    let reason = "damaged at the source: its checksum does not fit";
                    return Err(Blocked::new(info.base_offset, Cause::Damaged, reason));
                }
                self.pass(batch, rules, decoder);
            }
            Passage::Drop(dropped) => {
                match dropped {
                    Dropped::Control => self.dropped.control += 1,
                    Dropped::Empty => self.dropped.emptied += 1,
                    Dropped::BeforeStart => {}
                }
                self.pass_over(&info);
            }
            Passage::Blocked(obstacle) => {
                let reason = reason(&obstacle)
                    .ok_or_else(|| Blocked::new(info.base_offset, Cause::CannotPass, obstacle))?;
                self.decode(&batch, reason, rules, decoder)?;
            }
        }
        Ok(())
    }

    /// Passes a batch on as it is, or with its neighbours.
    fn pass(&mut self, batch: RawBatch, rules: &Rules, decoder: &mut Decoder) {
        let (next, leader_epoch) = (batch.info().next_offset(), batch.info().leader_epoch);
        if !self.merges {
            return self.take(PipedBatch::untouched(batch));
        }
        let again = match self.tiny.add(batch, rules) {
            Ok(()) => None,
            Err(batch) => {
                self.merge(rules, decoder);
                self.tiny.add(batch, rules).err()
            }
        };
        match again {
            Some(batch) => self.take(PipedBatch::untouched(batch)),
            None => (self.next, self.filled, self.leader_epoch) = (next, next, leader_epoch),
        }
    }

    fn decode(
        &mut self,
        batch: &RawBatch,
        reason: DecodeReason,
        rules: &Rules,
        decoder: &mut Decoder,
    ) -> Result<(), Blocked> {
        self.merge(rules, decoder);
        let made = match &rules.place {
            Some(place) if place.copies => decoder.fill(batch, self.filled, self.next, rules),
            Some(place) if place.runs => decoder
                .reshape(batch, reason, self.next, rules)
                .and_then(|made| decoder.by_runs(made, rules)),
            _ => decoder.reshape(batch, reason, self.next, rules),
        };
        // Nothing of a batch that cannot be used has been left out.
        let mut skipped = decoder.take_skipped();
        let made = made?;
        self.skipped.append(&mut skipped);
        if made.is_empty() {
            self.pass_over(batch.info());
        }
        made.into_iter().for_each(|piped| self.take(piped));
        Ok(())
    }

    /// Reading goes on behind a batch that is not written. Where markers take its offsets, no copies do.
    fn leave_gap(&mut self, info: &BatchInfo, rules: &Rules) {
        let markers = rules.place.is_some_and(|place| place.markers);
        if markers && self.filled >= info.base_offset {
            self.filled = self.filled.max(info.next_offset());
        }
        self.pass_over(info);
    }

    fn pass_over(&mut self, info: &BatchInfo) {
        self.pass_over_to(info.next_offset(), info.leader_epoch);
    }

    fn pass_over_to(&mut self, next: i64, leader_epoch: i32) {
        // The first batch of an answer may end before the wanted offset.
        if next <= self.next {
            return;
        }
        (self.next, self.leader_epoch) = (next, leader_epoch);
        if !self.tiny.is_empty() {
            self.tiny.pass_over(next, leader_epoch);
        } else if let Some(last) = self.batches.last_mut() {
            last.pass_over(next, leader_epoch);
        }
    }
}

mod changed;
#[cfg(test)]
mod tests;
