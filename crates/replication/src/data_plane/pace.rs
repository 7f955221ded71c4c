//! How fast bytes are acknowledged, over windows of a fifth of a second, and how much is read ahead therefore (pure).

use std::time::Duration;

use tokio::time::Instant;

/// Shorter windows would follow the size of single answers.
const WINDOW: Duration = Duration::from_millis(200);

/// Bytes of a partition that are always read ahead.
const AHEAD_AT_LEAST: usize = 256 * 1024;

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

    /// Bytes of a partition to have in memory, where an answer of the source takes `reading`.
    pub(crate) fn ahead(&self, reading: Duration) -> usize {
        self.bytes_within(time_ahead(reading)).max(AHEAD_AT_LEAST)
    }

    /// Bytes that are acknowledged within `time`, at the pace of the last window; 0 before it is known.
    fn bytes_within(&self, time: Duration) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "never negative, and a cast of a float saturates"
        )]
        let bytes = (self.per_second * time.as_secs_f64()) as usize;
        bytes
    }
}

/// How much time is read ahead, at the pace of the destination.
///
/// From near, what keeps the destination busy until the next answer is there and no more: what lies in memory for longer has
/// left the processor's caches when it is sent. Twice the reading, as from far or from slow disks, would feed itself there:
/// the larger an answer, the longer it takes.
fn time_ahead(reading: Duration) -> Duration {
    const NEAR: Duration = Duration::from_millis(8);
    const LONG: Duration = Duration::from_millis(50);
    const AT_MOST: Duration = Duration::from_secs(1);

    match reading >= LONG {
        true => reading.saturating_mul(2).min(AT_MOST),
        false => NEAR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_read_ahead_from_near_and_two_answers_from_far() {
        let begin = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.ahead(Duration::ZERO), AHEAD_AT_LEAST);
        pace.add(0, begin);
        pace.add(20_000_000, begin + WINDOW);
        // 100 MB/s.
        for (reading, ahead) in [(0, 800_000), (49, 800_000), (50, 10_000_000)] {
            assert_eq!(pace.ahead(Duration::from_millis(reading)), ahead);
        }
        assert_eq!(pace.ahead(Duration::from_secs(30)), 100_000_000);
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
