//! The part of [`Core`] that counts how long things take.

use std::time::Duration;

use tokio::time::Instant;

use super::super::flow::{Stage, TimeOfDay};
use super::Core;

impl Core {
    /// It is so many milliseconds since 1970 now.
    pub(crate) fn set_time_of_day(&mut self, now: Instant, milliseconds: i64) {
        self.meter.day = TimeOfDay::new(now, milliseconds);
        if let Some(allowances) = &mut self.allowances {
            let seconds = u64::try_from(milliseconds / 1000).unwrap_or(0);
            allowances.set_time_of_day(now, seconds);
        }
    }

    /// Storing positions took that long.
    pub(crate) fn has_stored(&mut self, took: Duration) {
        self.meter.flow.stored.observe(took.as_secs_f64());
    }

    /// Positions could not be stored.
    pub(crate) fn has_not_stored(&mut self) {
        self.meter.flow.not_stored += 1;
    }

    /// A request with batches is sent.
    pub(super) fn note_sent(&mut self, tag: u64, now: Instant) {
        let Some(call) = self.calls.get(&tag) else {
            return;
        };
        for (_, index, _) in &call.partitions {
            let partition = self.partitions.get(index);
            let send = partition.and_then(|partition| partition.send.as_ref());
            if let Some(batch) = send.and_then(|send| send.sent_in(tag)) {
                self.meter.sent(batch, now);
            }
        }
    }

    /// It was answered.
    pub(super) fn note_answer(&mut self, tag: u64, now: Instant) {
        let call = self.calls.get(&tag);
        let writer = call.and_then(|call| self.writers.get(&call.lane.node));
        if let Some(sent) = writer.and_then(|writer| writer.sent_at(tag)) {
            let took = now.saturating_duration_since(sent);
            self.meter.flow.took(Stage::Produce, took);
        }
    }
}
