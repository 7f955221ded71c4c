//! What the destination did not take of a partition.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::piped::PipedBatch;
use super::Partition;

/// A batch that was refused several times in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refusal {
    /// Where it begins.
    offset: i64,
    times: u32,
    since: Instant,
}

impl Partition {
    /// Leaves records of a refused batch out from now on. Nothing when the broker does not say which.
    pub(crate) fn leave_out(
        &mut self,
        batch: &PipedBatch,
        indices: impl Iterator<Item = i32>,
    ) -> usize {
        let offsets: BTreeSet<i64> = indices
            .filter_map(|index| batch.offset_at(i64::from(index)))
            .collect();
        // Nothing is won where a record is refused that was to be left out already.
        let known = |offset: &&i64| self.refused_records.contains(offset);
        let count = offsets.iter().filter(|offset| !known(offset)).count();
        // Those of earlier batches lie behind.
        let mut all: BTreeSet<i64> = offsets;
        all.extend(self.refused_records.range(batch.first_offset()..));
        self.refused_records = Arc::new(all);
        self.totals.skipped += count as u64;
        count
    }

    /// A batch of this size was too large for the destination.
    pub(crate) fn guess_limit(&mut self, size: usize) {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        // Above what is known the limit was lowered meanwhile, and is read again.
        if self.max_message_bytes.is_none_or(|limit| size <= limit) {
            self.guessed_limit = Some(size / 2);
        }
    }

    /// Forgets what was to be left out: at these offsets other records are now.
    pub(crate) fn forget_offsets(&mut self) {
        self.refused_records = Arc::default();
        self.skipped_up_to = -1;
        self.skip_to = None;
        self.renumber = None;
        self.refused = None;
    }

    /// Counts refusals of the same batch in a row: how often, and for how long.
    pub(crate) fn count_refusal(&mut self, offset: i64, now: Instant) -> (u32, Duration) {
        let before = self.refused.filter(|refusal| refusal.offset == offset);
        let refusal = Refusal {
            offset,
            times: before.map_or(1, |before| before.times.saturating_add(1)),
            since: before.map_or(now, |before| before.since),
        };
        self.refused = Some(refusal);
        let lasts = now.saturating_duration_since(refusal.since);
        (refusal.times, lasts)
    }
}
