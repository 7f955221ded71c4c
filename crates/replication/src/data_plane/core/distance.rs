//! How far away a source broker is, measured again and again; pure.
//!
//! A broker and this process take time on top of what the way takes, so the shortest of several measurements counts. And it
//! counts for some seconds only, because the way may become another one while a link runs.

use std::time::Duration;

use tokio::time::Instant;

/// Below this round trip a window never matters.
const DISTANT: Duration = Duration::from_millis(5);
/// How long measurements are taken together, at least, and of how many questions. What makes one of them late, such as a broker
/// that stands for a second, makes hardly all of them late.
const WINDOW: Duration = Duration::from_millis(2500);
const QUESTIONS: u32 = 3;

/// See the module.
#[derive(Default, Debug)]
pub(super) struct Distance {
    /// The shortest of those that were taken together before.
    before: Option<Duration>,
    window: Option<Window>,
}

/// Measurements that are taken together.
#[derive(Clone, Copy, Debug)]
struct Window {
    since: Instant,
    questions: u32,
    shortest: Duration,
}

impl Distance {
    /// There and back, as far as it is known.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        let now = self.window.map(|window| window.shortest);
        [self.before, now].into_iter().flatten().min()
    }

    pub(super) fn is_distant(&self) -> bool {
        self.round_trip().is_some_and(|time| time >= DISTANT)
    }

    /// Takes how long a question took that was small and waited for nothing. Where these become longer the way did.
    pub(super) fn ask(&mut self, took: Duration, now: Instant) {
        let is_full = |window: &mut Window| {
            let passed = now.saturating_duration_since(window.since);
            window.questions >= QUESTIONS && passed >= WINDOW
        };
        if let Some(full) = self.window.take_if(is_full) {
            self.before = Some(full.shortest);
        }
        self.take(took, now).questions += 1;
    }

    /// Takes how long something took that may have had to wait, or held much. The way is not longer than that.
    pub(super) fn bound(&mut self, took: Duration, now: Instant) {
        self.take(took, now);
    }

    fn take(&mut self, took: Duration, now: Instant) -> &mut Window {
        let window = self.window.get_or_insert(Window {
            since: now,
            questions: 0,
            shortest: took,
        });
        window.shortest = window.shortest.min(took);
        window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// A question each second, of which each takes as long as it says: what is known after each.
    fn asked<const N: usize>(
        distance: &mut Distance,
        begin: Instant,
        took: [u64; N],
    ) -> [Option<u64>; N] {
        let mut now = begin;
        took.map(|took| {
            distance.ask(ms(took), now);
            now += ms(1000);
            let known = distance.round_trip().map(|time| time.as_millis());
            known.and_then(|known| u64::try_from(known).ok())
        })
    }

    #[test]
    fn a_way_that_becomes_longer_is_noticed_after_a_few_seconds_and_a_shorter_one_at_once() {
        let mut distance = Distance::default();
        let begin = Instant::now();
        assert!(distance.round_trip().is_none() && !distance.is_distant());
        let known = asked(&mut distance, begin, [1, 1, 1, 1, 101, 101, 101, 101, 101, 101]);
        assert_eq!(known, [1, 1, 1, 1, 1, 1, 1, 1, 1, 101].map(Some));
        assert!(distance.is_distant());
        let later = begin + ms(10_000);
        let known = asked(&mut distance, later, [101, 101, 2, 101, 101]);
        assert_eq!(known, [101, 101, 2, 2, 2].map(Some));
    }

    #[test]
    fn what_is_late_now_and_then_makes_no_way_longer() {
        let mut distance = Distance::default();
        let begin = Instant::now();
        for round in 0..100 {
            let known = asked(&mut distance, begin + ms(round * 5000), [3, 900, 40, 4, 12]);
            assert!(known.iter().flatten().all(|known| *known <= 4), "{known:?}");
        }
    }

    #[test]
    fn a_line_that_is_busy_makes_no_way_longer_and_a_short_answer_makes_it_shorter() {
        let mut distance = Distance::default();
        let begin = Instant::now();
        distance.bound(ms(1), begin);
        for second in 1..100 {
            distance.bound(ms(4000), begin + ms(second * 1000));
        }
        assert_eq!(distance.round_trip(), Some(ms(1)));
        asked(&mut distance, begin + ms(100_000), [50; 8]);
        assert!(distance.is_distant());
        distance.bound(ms(2), begin + ms(108_000));
        assert_eq!((distance.round_trip(), distance.is_distant()), (Some(ms(2)), false));
    }

    #[test]
    fn what_is_not_measured_stays_as_it_was() {
        let mut distance = Distance::default();
        let begin = Instant::now();
        asked(&mut distance, begin, [1; 4]);
        let hours = begin + ms(7_200_000);
        assert_eq!(asked(&mut distance, hours, [90, 90, 90]), [Some(1); 3]);
    }
}
