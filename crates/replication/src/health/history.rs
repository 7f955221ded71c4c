//! Readings of the end of one log, and since when an offset could be read (pure).
//!
//! Readings are kept as runs of the same end. Old ones are thinned, and those before the run in which progress lies are
//! dropped, so that a partition that is copied costs one or two.

use std::collections::VecDeque;

use tokio::time::Instant;

/// Runs that are kept; beyond, every second one of the older half goes.
const KEPT: usize = 64;

/// The same end, from one reading to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Run {
    first: Instant,
    last: Instant,
    end: i64,
}

/// Since when an offset could be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Readable {
    /// It is not there, as of the newest reading.
    NotYet,
    /// It came between two readings.
    Between(Instant, Instant),
    /// It was there at the first reading.
    Before(Instant),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct History {
    runs: VecDeque<Run>,
}

impl History {
    /// Takes a reading. An end that went back begins a new history: the log is another one.
    pub(super) fn add(&mut self, at: Instant, end: i64) {
        match self.runs.back_mut() {
            Some(run) if run.end == end => run.last = at,
            Some(run) if run.end > end => {
                self.runs.clear();
                self.push(at, end);
            }
            _ => self.push(at, end),
        }
    }

    fn push(&mut self, at: Instant, end: i64) {
        self.runs.push_back(Run {
            first: at,
            last: at,
            end,
        });
        if self.runs.len() > KEPT {
            // What lies between two kept readings is then taken for a little older than it is.
            let mut number = 0;
            self.runs.retain(|_| {
                number += 1;
                number > KEPT / 2 || number == 1 || number % 2 == 0
            });
        }
    }

    /// The newest reading.
    pub(super) fn newest(&self) -> Option<(Instant, i64)> {
        self.runs.back().map(|run| (run.last, run.end))
    }

    /// Drops what is known of offsets before this one.
    pub(super) fn forget_before(&mut self, progress: i64) {
        while self.runs.len() > 1 && self.runs[1].end <= progress {
            self.runs.pop_front();
        }
    }

    /// Since when `offset` could be read.
    pub(super) fn readable_since(&self, offset: i64) -> Readable {
        let found = self.runs.iter().position(|run| run.end > offset);
        match found {
            None => Readable::NotYet,
            Some(0) => Readable::Before(self.runs[0].first),
            Some(index) => Readable::Between(self.runs[index - 1].last, self.runs[index].first),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn after(seconds: u64, begin: Instant) -> Instant {
        begin + Duration::from_secs(seconds)
    }

    #[test]
    fn an_offset_is_readable_since_it_was_first_seen_and_not_before_it_was_last_missed() {
        let begin = Instant::now();
        let mut history = History::default();
        for (seconds, end) in [(0, 10), (2, 10), (4, 15), (6, 20)] {
            history.add(after(seconds, begin), end);
        }
        assert_eq!(history.readable_since(20), Readable::NotYet);
        let between = Readable::Between(after(2, begin), after(4, begin));
        assert_eq!(history.readable_since(10), between);
        assert_eq!(history.readable_since(14), between);
        assert_eq!(history.readable_since(9), Readable::Before(begin));
        history.forget_before(15);
        let between = Readable::Between(after(4, begin), after(6, begin));
        assert_eq!(history.readable_since(15), between);
        assert_eq!(history.newest(), Some((after(6, begin), 20)));
    }

    #[test]
    fn a_log_that_became_shorter_begins_a_new_history() {
        let begin = Instant::now();
        let mut history = History::default();
        history.add(begin, 100);
        history.add(after(2, begin), 40);
        assert_eq!(
            history.readable_since(39),
            Readable::Before(after(2, begin))
        );
    }

    #[test]
    fn a_long_standstill_keeps_a_bounded_number_of_readings_and_the_oldest_of_them() {
        let begin = Instant::now();
        let mut history = History::default();
        for second in 0..100_000 {
            history.add(after(second, begin), i64::try_from(second).expect("few"));
        }
        assert!(history.runs.len() <= KEPT);
        let Readable::Between(since, _) = history.readable_since(0) else {
            panic!("the first reading is kept");
        };
        assert_eq!(since, begin);
    }
}
