//! How far away a broker is, measured again and again; pure.
//!
//! A broker and this process take time on top of what the way takes, so the shortest of several measurements counts. And only
//! the last ones count, because the way may become another one while a link runs.

use std::collections::VecDeque;
use std::time::Duration;

/// What counts of a broker, and as far away.
#[derive(Clone, Copy, Debug)]
struct Yardstick {
    /// Below this round trip a broker is near.
    distant: Duration,
    /// So many questions count, which are a second apart at least. What makes one of them late, such as a broker that stands for a
    /// moment or a processor that is busy, makes hardly all of them late.
    questions: usize,
    /// Before there were so many it is near.
    least: usize,
}

/// Below this a window never matters to who reads.
const READING: Yardstick = Yardstick {
    distant: Duration::from_millis(5),
    questions: 4,
    least: 1,
};

/// A broker that is written to as fast as it can answers questions late, however near it is: after 4 to 12 ms on two busy cores.
const WRITING: Yardstick = Yardstick {
    distant: Duration::from_millis(10),
    questions: 8,
    least: 3,
};

/// See the module.
#[derive(Debug)]
pub(super) struct Distance {
    yardstick: Yardstick,
    /// How long each of the last questions took, or what was shorter before the next one.
    took: VecDeque<Duration>,
    is_distant: bool,
}

impl Default for Distance {
    fn default() -> Self {
        Self {
            yardstick: READING,
            took: VecDeque::new(),
            is_distant: false,
        }
    }
}

impl Distance {
    /// Of a broker that is written to.
    pub(super) fn for_writing() -> Self {
        Self {
            yardstick: WRITING,
            took: VecDeque::new(),
            is_distant: false,
        }
    }

    /// There and back, as far as it is known.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.took.iter().min().copied()
    }

    pub(super) fn is_distant(&self) -> bool {
        self.is_distant
    }

    /// A way that is about as long as counts as far away stays what it was: everything that was found out of it would be found out again.
    fn judge(&mut self) {
        let Yardstick { distant, least, .. } = self.yardstick;
        let distant = if self.is_distant {
            distant * 4 / 5
        } else {
            distant
        };
        let far = self.round_trip().is_some_and(|time| time >= distant);
        self.is_distant = far && self.took.len() >= least;
    }

    /// Takes how long a question took that was small and waited for nothing. Where these become longer the way did.
    pub(super) fn ask(&mut self, took: Duration) {
        if self.took.len() == self.yardstick.questions {
            self.took.pop_front();
        }
        self.took.push_back(took);
        self.judge();
    }

    /// Takes how long something took that may have had to wait, or held much. The way is not longer than that.
    pub(super) fn bound(&mut self, took: Duration) {
        match self.took.back_mut() {
            Some(last) => *last = took.min(*last),
            None => self.took.push_back(took),
        }
        self.judge();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// Questions that take as long as it says: what is known after each.
    fn asked<const N: usize>(distance: &mut Distance, took: [u64; N]) -> [Duration; N] {
        took.map(|took| {
            distance.ask(ms(took));
            distance.round_trip().expect("it was measured")
        })
    }

    #[test]
    fn a_way_that_becomes_longer_is_noticed_after_a_few_questions_and_a_shorter_one_at_once() {
        let mut distance = Distance::default();
        assert!(distance.round_trip().is_none() && !distance.is_distant());
        let known = asked(&mut distance, [1, 1, 1, 1, 1, 101, 102, 103, 104, 2, 104]);
        assert_eq!(known, [1, 1, 1, 1, 1, 1, 1, 1, 101, 2, 2].map(ms));
    }

    #[test]
    fn what_is_late_now_and_then_makes_no_way_longer() {
        let mut distance = Distance::default();
        for _ in 0..100 {
            let known = asked(&mut distance, [3, 900, 40, 4, 12]);
            assert!(known.iter().all(|known| *known <= ms(4)), "{known:?}");
            assert!(!distance.is_distant());
        }
    }

    #[test]
    fn a_line_that_is_busy_makes_no_way_longer_and_a_short_answer_makes_it_shorter() {
        let mut distance = Distance::default();
        distance.bound(ms(1));
        for _ in 0..100 {
            distance.bound(ms(4000));
        }
        assert_eq!(distance.round_trip(), Some(ms(1)));
        asked(&mut distance, [50; READING.questions]);
        assert!(distance.is_distant());
        distance.bound(ms(2));
        assert_eq!(distance.round_trip(), Some(ms(2)));
        assert!(!distance.is_distant());
    }

    #[test]
    fn a_way_that_is_about_as_long_as_counts_stays_what_it_was() {
        let mut distance = Distance::for_writing();
        let check = |distance: &mut Distance, all: [u64; 2], far: bool| {
            for took in all.into_iter().cycle().take(100) {
                distance.ask(ms(took));
            }
            assert_eq!(distance.is_distant(), far, "{all:?}");
        };
        check(&mut distance, [9, 9], false);
        for _ in 0..3 {
            check(&mut distance, [10, 10], true);
            check(&mut distance, [8, 11], true);
        }
        check(&mut distance, [7, 11], false);
        check(&mut distance, [9, 11], false);
    }

    #[test]
    fn a_busy_broker_that_is_written_to_is_near_and_one_far_away_is_so_from_the_third_question_on()
    {
        let mut distance = Distance::for_writing();
        for took in [4, 9, 12, 9, 5, 11, 8].into_iter().cycle().take(100) {
            distance.ask(ms(took));
            assert!(!distance.is_distant());
        }
        let mut distance = Distance::for_writing();
        let far = [24, 25, 24, 70].map(|took| {
            distance.ask(ms(took));
            distance.is_distant()
        });
        assert_eq!(far, [false, false, true, true]);
    }
}
