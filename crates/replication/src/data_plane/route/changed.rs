//! Partitions whose records are changed: nothing passes untouched, and what is left is gathered over an answer.

use kafka_wire::batch::{
    AbortedFilter, Dropped, PassLimits, Passage, RawBatch, Verdict, control_type, passage,
};

use super::super::decode::{Decoder, Gathered, Rules, reason};
use super::{Blocked, Cause, Routed};

impl Routed {
    /// Takes in a batch whose records are changed.
    pub(super) fn change(
        &mut self,
        batch: &RawBatch,
        filter: &mut AbortedFilter,
        gathered: &mut Gathered,
        rules: &Rules,
        decoder: &mut Decoder,
    ) -> Result<(), Blocked> {
        let info = *batch.info();
        let from = self.next.max(self.old_end);
        self.has_holes |= info.base_offset > from || info.records < info.offsets();
        let control = if info.attributes.is_control() {
            control_type(batch)
                .map_err(|error| Blocked::new(info.base_offset, Cause::CannotPass, error))?
        } else {
            None
        };
        let is_delivered = match filter.on_batch(&info, control) {
            Verdict::Deliver => rules.takes(&info)?,
            Verdict::DropAborted => {
                self.dropped.aborted += 1;
                false
            }
            Verdict::DropControl => {
                self.dropped.control += 1;
                false
            }
        };
        let limits = PassLimits {
            max_message_bytes: None,
            first_offset: Some(from),
            keep_append_time: false,
        };
        if is_delivered {
            match passage(&info, &limits) {
                Passage::Drop(dropped) => match dropped {
                    Dropped::Control => self.dropped.control += 1,
                    Dropped::Empty => self.dropped.emptied += 1,
                    Dropped::BeforeStart => {}
                },
                Passage::Blocked(obstacle) if reason(&obstacle).is_none() => {
                    return Err(Blocked::new(info.base_offset, Cause::CannotPass, obstacle));
                }
                Passage::Blocked(_) | Passage::Untouched => {
                    let mut made = Vec::new();
                    let done = decoder.change(batch, from, rules, gathered, &mut made);
                    self.skipped.append(&mut decoder.take_skipped());
                    self.returned += decoder.take_returned();
                    made.into_iter().for_each(|piped| self.take(piped));
                    done?;
                }
            }
        }
        if info.next_offset() > self.old_end {
            self.old_end = info.next_offset();
            self.old_epoch = info.leader_epoch;
        }
        Ok(())
    }
}
