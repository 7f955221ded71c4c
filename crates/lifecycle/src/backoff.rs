//! Pauses between attempts: doubling, bounded, spread by chance so that many do not retry in step.
//!
//! Deliberately absent: sleeping, counting of attempts and giving up. A caller awaits the delay together with
//! its stop signal, and decides itself what a failure is.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, RngExt};

/// Exponential delays from `first` to `max`.
///
/// The n-th delay lies within ±20 % of `first × 2ⁿ` (Kafka's clients spread by the same share) and never
/// exceeds `max`; once at the bound, delays lie between 80 % and 100 % of it.
#[derive(Clone, Debug)]
pub struct Backoff<R = SmallRng> {
    first: Duration,
    max: Duration,
    /// The next delay before it is spread.
    next: Duration,
    random: R,
}

impl Backoff<SmallRng> {
    /// Delays with randomness of the operating system's seeding; for everything but tests.
    #[must_use]
    pub fn seeded(first: Duration, max: Duration) -> Self {
        Self::new(first, max, rand::make_rng())
    }
}

impl<R: Rng> Backoff<R> {
    /// Delays from `first` to `max`. Where `max` is the smaller one, it bounds `first` too.
    #[must_use]
    pub fn new(first: Duration, max: Duration, random: R) -> Self {
        let first = first.min(max);
        Self {
            first,
            max,
            next: first,
            random,
        }
    }

    /// The pause before the next attempt. Each call counts as one failed attempt.
    pub fn next_delay(&mut self) -> Duration {
        let lowest = self.next.mul_f64(0.8);
        let highest = self
            .next
            .saturating_mul(6)
            .checked_div(5)
            .unwrap_or(self.max)
            .min(self.max);
        self.next = self.next.saturating_mul(2).min(self.max);
        self.random.random_range(lowest..=highest.max(lowest))
    }

    /// After a success: the next delay is about `first` again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    const fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn delays_double_within_a_fifth_and_stay_below_the_bound() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(millis(50), millis(1000), SmallRng::seed_from_u64(seed));
            for expected in [50, 100, 200, 400, 800] {
                let delay = backoff.next_delay();
                let low = millis(expected * 4 / 5);
                let high = millis((expected * 6 / 5).min(1000));
                assert!(
                    (low..=high).contains(&delay),
                    "seed {seed}: {delay:?} for {expected} ms"
                );
            }
            for _ in 0..100 {
                let delay = backoff.next_delay();
                assert!(
                    (millis(800)..=millis(1000)).contains(&delay),
                    "seed {seed}: {delay:?}"
                );
            }
        }
    }

    #[test]
    fn a_success_starts_over() {
        let mut backoff = Backoff::new(millis(10), millis(10_000), SmallRng::seed_from_u64(7));
        for _ in 0..8 {
            backoff.next_delay();
        }
        backoff.reset();
        assert!(backoff.next_delay() <= millis(12));
    }

    #[test]
    fn two_clients_do_not_retry_in_step() {
        let delays = |seed| {
            let mut backoff = Backoff::new(millis(50), millis(1000), SmallRng::seed_from_u64(seed));
            (0..20).map(|_| backoff.next_delay()).collect::<Vec<_>>()
        };
        assert_ne!(delays(1), delays(2));
    }

    #[test]
    fn odd_bounds_give_bounded_delays() {
        for (first, max) in [(0, 0), (0, 10), (10, 0), (500, 100)] {
            let mut backoff = Backoff::new(millis(first), millis(max), SmallRng::seed_from_u64(3));
            for _ in 0..10 {
                assert!(backoff.next_delay() <= millis(max), "{first} {max}");
            }
        }
        let mut backoff = Backoff::new(millis(1), Duration::MAX, SmallRng::seed_from_u64(3));
        for _ in 0..200 {
            backoff.next_delay();
        }
    }

    #[test]
    fn seeded_backoffs_can_move_into_tasks() {
        fn check(_: impl Send + 'static) {}
        check(Backoff::seeded(millis(1), millis(2)));
    }
}
