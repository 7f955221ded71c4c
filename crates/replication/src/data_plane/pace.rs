//! How fast bytes are acknowledged, over windows of a fifth of a second, and how much is read ahead therefore (pure).

use std::time::Duration;

use tokio::time::Instant;

/// Shorter windows would follow the size of single answers.
const WINDOW: Duration = Duration::from_millis(200);

/// Time that is read ahead, and bytes of a partition that always are.
const AHEAD: Duration = Duration::from_millis(8);
const AHEAD_AT_MOST: Duration = Duration::from_secs(1);
pub(super) const AHEAD_AT_LEAST: usize = 256 * 1024;

/// Bytes of all partitions together that are read ahead where answers take less than [`LONG`].
const NEAR: usize = 6 * 1024 * 1024;
const LONG: Duration = Duration::from_millis(50);

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    begin: Option<Instant>,
    bytes: usize,
    per_second: f64,
}

impl Pace {
    /// Bytes were acknowledged.
    pub(crate) fn add(&mut self, bytes: usize, now: Instant) {
        self.bytes = self.bytes.saturating_add(bytes);
        let begin = *self.begin.get_or_insert(now);
        let passed = now.saturating_duration_since(begin);
        if passed >= WINDOW {
            #[expect(
                clippy::cast_precision_loss,
                reason = "an estimate; bytes in memory are far below 2⁵²"
            )]
            let bytes = self.bytes as f64;
            self.per_second = bytes / passed.as_secs_f64();
            self.begin = Some(now);
            self.bytes = 0;
        }
    }

    /// Nothing was on its way for a while: that says nothing about the pace.
    pub(crate) fn go_on(&mut self, now: Instant) {
        self.begin = Some(now);
        self.bytes = 0;
    }

    /// No more than so many bytes a second are expected until more are acknowledged.
    pub(crate) fn expect_at_most(&mut self, per_second: u32) {
        self.per_second = self.per_second.min(f64::from(per_second));
    }

    /// Bytes of a partition to have in memory: what the destination takes while two answers of the source are read, each of
    /// which takes so long and is of so many partitions.
    ///
    /// That feeds itself, because larger answers take longer; and what lies in memory for longer than it has to has left the
    /// processor's caches when it is sent. So from near all partitions together have no more than [`NEAR`]. Where answers take
    /// long in any case, from far away or from slow disks, each has to bring much.
    pub(crate) fn ahead(&self, (reading, sharing): (Duration, usize)) -> usize {
        let time = reading.saturating_mul(2).clamp(AHEAD, AHEAD_AT_MOST);
        let most = match reading >= LONG {
            true => usize::MAX,
            false => NEAR / sharing.max(1),
        };
        self.bytes_within(time).min(most).max(AHEAD_AT_LEAST)
    }

    /// Bytes that are acknowledged within `time`, at the pace of the last window; 0 before it is known.
    pub(crate) fn bytes_within(&self, time: Duration) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "never negative, and a cast of a float saturates"
        )]
        let bytes = (self.per_second * time.as_secs_f64()) as usize;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_near_little_is_read_ahead_of_all_partitions_and_two_answers_of_each_from_far() {
        let begin = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.ahead((Duration::ZERO, 0)), AHEAD_AT_LEAST);
        pace.add(0, begin);
        pace.add(20_000_000, begin + WINDOW);
        // 100 MB/s.
        let ahead = |ms, sharing| pace.ahead((Duration::from_millis(ms), sharing));
        assert_eq!([ahead(0, 1), ahead(10, 1)], [800_000, 2_000_000]);
        assert_eq!([ahead(49, 1), ahead(49, 12)], [NEAR, NEAR / 12]);
        assert_eq!(ahead(49, 1000), AHEAD_AT_LEAST);
        assert_eq!(
            [ahead(50, 1000), ahead(30_000, 1)],
            [10_000_000, 100_000_000]
        );
    }

    #[test]
    fn the_pace_is_that_of_the_last_whole_window() {
        let begin = Instant::now();
        let mut pace = Pace::default();
        pace.add(1_000, begin);
        assert_eq!(pace.bytes_within(WINDOW), 0);
        pace.add(9_000, begin + WINDOW);
        assert_eq!(pace.bytes_within(WINDOW), 10_000);
        pace.add(500, begin + WINDOW / 2 * 3);
        assert_eq!(pace.bytes_within(WINDOW), 10_000);
        pace.add(500, begin + WINDOW * 3);
        assert_eq!(pace.bytes_within(WINDOW), 500);
    }
}
