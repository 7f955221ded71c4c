//! What becomes of each batch of a fetch answer, decided from headers alone.
//!
//! ```text
//!   record set ─▶ split ─▶ aborted? control? ─▶ passage ─┬─ untouched ─▶ pipe
//!                                                        ├─ dropped: reading goes on behind it
//!                                                        └─ obstacle: reading ends before it
//! ```
//!
//! Pure. The place for the decode path is [`Passage::Blocked`]: what lands there today stops the
//! partition with its offset and the reason.

use bytes::Bytes;
use kafka_wire::batch::{
    AbortedFilter, AbortedTransaction, BatchInfo, Batches, Dropped, Entry, PassLimits, Passage,
    RawBatch, Verdict, control_type, passage, verify_crc,
};

use super::piped::PipedBatch;

/// Why reading cannot go on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Blocked {
    /// Offset of the batch.
    pub(crate) offset: i64,
    /// What is wrong with it, for an operator.
    pub(crate) reason: String,
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
#[derive(Clone, Debug, Default)]
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
}

/// Judges what was read from `wanted` on. `check_crcs` verifies every batch that is to be written.
pub(crate) fn route(
    records: Bytes,
    aborted: Vec<AbortedTransaction>,
    wanted: i64,
    check_crcs: bool,
) -> Routed {
    let mut filter = AbortedFilter::new(aborted);
    let limits = PassLimits {
        first_offset: Some(wanted),
        ..PassLimits::default()
    };
    let mut routed = Routed {
        next: wanted,
        leader_epoch: -1,
        ..Routed::default()
    };
    for entry in Batches::new(records) {
        let batch = match entry {
            Ok(Entry::Batch(batch)) => batch,
            Ok(Entry::Legacy(entry)) => {
                routed.block(entry.offset, entry.obstacle());
                return routed;
            }
            Err(error) => {
                let at = routed.next;
                routed.block(
                    at,
                    format_args!("the source's answer cannot be read: {error}"),
                );
                return routed;
            }
        };
        if let Some(problem) = routed.judge(batch, &mut filter, &limits, check_crcs) {
            routed.blocked = Some(problem);
            return routed;
        }
    }
    routed
}

impl Routed {
    fn judge(
        &mut self,
        batch: RawBatch,
        filter: &mut AbortedFilter,
        limits: &PassLimits,
        check_crcs: bool,
    ) -> Option<Blocked> {
        let info = *batch.info();
        let blocked = |reason: String| {
            Some(Blocked {
                offset: info.base_offset,
                reason,
            })
        };
        let control = if info.attributes.is_control() {
            match control_type(&batch) {
                Ok(control) => control,
                Err(error) => return blocked(error.to_string()),
            }
        } else {
            None
        };
        match filter.on_batch(&info, control) {
            Verdict::Deliver => {}
            Verdict::DropAborted => {
                self.dropped.aborted += 1;
                self.pass_over(&info);
                return None;
            }
            Verdict::DropControl => {
                self.dropped.control += 1;
                self.pass_over(&info);
                return None;
            }
        }
        match passage(&info, limits) {
            Passage::Untouched => {
                if check_crcs && !verify_crc(batch.bytes()) {
                    return blocked("damaged at the source: its checksum does not fit".to_owned());
                }
                self.next = info.next_offset();
                self.leader_epoch = info.leader_epoch;
                self.batches.push(PipedBatch::untouched(batch));
            }
            Passage::Drop(dropped) => {
                match dropped {
                    Dropped::Control => self.dropped.control += 1,
                    Dropped::Empty => self.dropped.emptied += 1,
                    Dropped::BeforeStart => {}
                }
                self.pass_over(&info);
            }
            Passage::Blocked(obstacle) => return blocked(obstacle.to_string()),
        }
        None
    }

    fn pass_over(&mut self, info: &BatchInfo) {
        // The first batch of an answer may end before the wanted offset.
        if info.next_offset() <= self.next {
            return;
        }
        self.next = info.next_offset();
        self.leader_epoch = info.leader_epoch;
        if let Some(last) = self.batches.last_mut() {
            last.next = self.next;
            last.leader_epoch = self.leader_epoch;
        }
    }

    fn block(&mut self, offset: i64, reason: impl ToString) {
        self.blocked = Some(Blocked {
            offset,
            reason: reason.to_string(),
        });
    }
}

#[cfg(test)]
mod tests;
