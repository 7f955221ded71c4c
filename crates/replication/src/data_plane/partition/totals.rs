//! What has become of the records of a partition, in numbers.

use super::super::decode::Returned;
use super::super::piped::DecodeReason;
use super::Partition;
use super::lost::Loss;

/// Sums since the start of this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Records acknowledged.
    pub records: u64,
    /// Bytes of batches acknowledged, as stored.
    pub bytes: u64,
    /// Batches acknowledged that passed as they were.
    pub untouched: u64,
    /// Batches acknowledged that were decoded, by reason in the order of [`DecodeReason::ALL`].
    pub decoded: [u64; DecodeReason::ALL.len()],
    /// Control batches dropped.
    pub control: u64,
    /// Batches of aborted transactions dropped.
    pub aborted: u64,
    /// Batches that were found at the destination and not sent again.
    pub found: u64,
    /// Records that may be at the destination twice, reported when it happened.
    pub repeated: u64,
    /// Records that were left out because the destination does not take them.
    pub skipped: u64,
    /// Records that were set aside for the same reason.
    pub quarantined: u64,
    /// Records that were left out because they came from the destination, as often as they were read.
    pub returned: u64,
    /// Records that were copied although they had been in the source topic before.
    pub circled: u64,
    /// Markers written to use up offsets.
    pub markers: u64,
    /// Offsets used up by filler in front of the first record.
    pub padded: u64,
    /// Source offsets that could no longer be read, by reason in the order of [`Loss::ALL`].
    pub lost: [u64; Loss::ALL.len()],
}

impl Totals {
    /// Adds those of another.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self {
            records,
            bytes,
            untouched,
            decoded,
            control,
            aborted,
            found,
            repeated,
            skipped,
            quarantined,
            returned,
            circled,
            markers,
            padded,
            lost,
        } = *other;
        self.records += records;
        self.bytes += bytes;
        self.untouched += untouched;
        for (sum, more) in self.decoded.iter_mut().zip(decoded) {
            *sum += more;
        }
        self.control += control;
        self.aborted += aborted;
        self.found += found;
        self.repeated += repeated;
        self.skipped += skipped;
        self.quarantined += quarantined;
        self.returned += returned;
        self.circled += circled;
        self.markers += markers;
        self.padded += padded;
        for (sum, more) in self.lost.iter_mut().zip(lost) {
            *sum += more;
        }
    }
}

impl Partition {
    /// Says and counts which records were left out, and why. What was left out before a restart is met again.
    pub(crate) fn note_skipped(&mut self, skipped: &[(i64, String)]) {
        let known = self.skipped_up_to;
        for (offset, reason) in skipped.iter().filter(|(offset, _)| *offset > known) {
            self.skipped_up_to = *offset;
            tracing::error!(
                partition = %self.source, offset,
                "record left out, as tributary.on.refused=skip says: {reason}"
            );
            self.totals.skipped += 1;
        }
    }

    /// Counts records that came back; that there is another way in a circle is said once.
    pub(crate) fn note_returned(&mut self, returned: Returned) {
        if returned.circled > 0 && self.totals.circled == 0 {
            tracing::warn!(
                partition = %self.source,
                "records come back to the topic in which they began, on a way that this link is not all of"
            );
        }
        self.totals.returned += returned.left_out;
        self.totals.circled += returned.circled;
    }
}
