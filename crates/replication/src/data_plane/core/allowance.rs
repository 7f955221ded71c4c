//! How much may be read while the link has a limit (`tributary.bandwidth.limit`); pure.
//!
//! What an answer holds is known only when it is there, so it is counted then, and what went beyond is waited for before
//! the next question. Over any time that is longer than an answer the limit is kept, whatever single answers hold.
//!
//! Answers are small, so that they follow each other closely and every partition has its turn: a broker begins the next
//! answer with the partitions that it left out of the one before.

use std::time::Duration;

use config::bandwidth::Bandwidth;
use tokio::time::Instant;

/// Time whose bytes one answer may hold, and time that may be made up for.
const ANSWER: Duration = Duration::from_millis(100);
/// Less is not asked for at a time: requests would cost more than bytes.
const LEAST: u64 = 64 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Allowance {
    bandwidth: Bandwidth,
    /// A moment, and its time of day in seconds since 1970.
    origin: (Instant, u64),
    /// Until when what was read is paid for.
    paid_until: Instant,
}

impl Allowance {
    pub(super) fn new(bandwidth: Bandwidth, now: Instant, seconds: u64) -> Self {
        Self {
            bandwidth,
            origin: (now, seconds),
            paid_until: now,
        }
    }

    fn rate(&self, now: Instant) -> Option<u64> {
        let (origin, seconds) = self.origin;
        let passed = now.saturating_duration_since(origin).as_secs();
        self.bandwidth.at(seconds + passed)
    }

    /// When the next question may be asked, if not now.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        self.rate(now)?;
        (self.paid_until > now).then_some(self.paid_until)
    }

    /// From when on a question may be asked.
    pub(super) fn paid_until(&self) -> Instant {
        self.paid_until
    }

    /// Counts an answer.
    pub(super) fn add(&mut self, bytes: usize, now: Instant) {
        let Some(rate) = self.rate(now) else {
            self.paid_until = now;
            return;
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "bytes in memory and rates are far below 2⁵²"
        )]
        let costs = Duration::from_secs_f64(bytes as f64 / rate as f64);
        // What was not used a while ago is lost.
        let earliest = now.checked_sub(ANSWER).unwrap_or(now);
        self.paid_until = self.paid_until.max(earliest) + costs;
    }

    /// Most bytes of an answer, where there is a limit.
    pub(super) fn answer(&self, now: Instant) -> Option<i32> {
        let rate = self.rate(now)?;
        let bytes = (rate / 10).max(LEAST);
        Some(i32::try_from(bytes).unwrap_or(i32::MAX))
    }

    /// Most bytes of one partition in an answer, where there is a limit: several have their turn in each.
    pub(super) fn share(&self, now: Instant) -> Option<i32> {
        let answer = self.answer(now)?;
        Some((answer / 4).max(i32::try_from(LEAST).unwrap_or(i32::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    #[test]
    fn what_is_read_in_a_second_is_what_may_be() {
        let begin = Instant::now();
        let bandwidth = Bandwidth::parse("1MB").expect("a rate");
        let mut allowance = Allowance::new(bandwidth, begin, 0);
        let (mut now, mut read) = (begin, 0);
        // Answers of very different sizes, each at the first moment at which it may be asked for.
        for bytes in [100_000, 3_000_000, 1, 64_000].into_iter().cycle().take(40) {
            now = allowance.due(now).unwrap_or(now);
            read += bytes;
            allowance.add(bytes, now);
        }
        let seconds = (allowance.paid_until - begin).as_secs_f64();
        let rate = f64::from(u32::try_from(read).expect("small")) / seconds;
        assert!((0.99e6..1.02e6).contains(&rate), "{rate}");
    }

    #[test]
    fn what_was_not_used_is_not_made_up_for_later() {
        let begin = Instant::now();
        let bandwidth = Bandwidth::parse("1MB").expect("a rate");
        let mut allowance = Allowance::new(bandwidth, begin, 0);
        let later = begin + Duration::from_secs(100);
        assert_eq!(allowance.due(later), None);
        allowance.add(1_100_000, later);
        assert_eq!(allowance.due(later), Some(later + Duration::from_secs(1)));
    }

    #[test]
    fn another_time_of_the_day_has_another_limit() {
        let begin = Instant::now();
        let bandwidth = Bandwidth::parse("none, 08:00-18:00=1MB").expect("a rate and a window");
        let mut allowance = Allowance::new(bandwidth, begin, 7 * HOUR + 59 * 60);
        allowance.add(50_000_000, begin);
        assert_eq!(
            (allowance.due(begin), allowance.answer(begin)),
            (None, None)
        );
        let later = begin + Duration::from_secs(120);
        assert_eq!(allowance.answer(later), Some(100_000));
        allowance.add(1_100_000, later);
        assert_eq!(allowance.due(later), Some(later + Duration::from_secs(1)));
    }
}
