//! How fast bytes are acknowledged, over windows of a fifth of a second (pure).

use std::time::Duration;

use tokio::time::Instant;

/// Shorter windows would follow the size of single answers.
const WINDOW: Duration = Duration::from_millis(200);

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
