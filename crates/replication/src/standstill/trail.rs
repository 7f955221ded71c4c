//! Up to when the copy of one partition is known to be complete, and whether it was not for too long (pure).
//!
//! ```text
//!   reading (at, end) ─▶ mark ──progress reaches its end──▶ current: everything of before `at` is copied
//! ```
//! Under load progress never reaches the newest end, so some readings are kept as marks until it does.

use std::collections::VecDeque;

use kafka_wire::types::TopicId;

/// The source's end as it was at a time, in milliseconds since 1970, or later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reading {
    pub(super) at: i64,
    pub(super) end: i64,
}

/// The copy was not complete from one time to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Missed {
    pub(super) since: i64,
    pub(super) until: i64,
}

/// Marks lie so many times closer than deletions are kept: by such a part a lag is taken for longer than it is.
const MARKS: i64 = 16;
/// More are not kept: who lags this far is known to.
const MOST_MARKS: usize = 32;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Trail {
    /// Which topic the copy is.
    pub(super) copy: TopicId,
    /// Everything that was there is in the copy.
    pub(super) current: Reading,
    /// What was missed, until somebody takes note.
    pub(super) missed: Option<Missed>,
    marks: VecDeque<Reading>,
}

impl Trail {
    /// Begins where nothing is known of before.
    pub(super) fn new(copy: TopicId, current: Reading, missed: Option<Missed>) -> Self {
        Self {
            copy,
            current,
            missed,
            marks: VecDeque::new(),
        }
    }

    /// Takes a reading in, made between `reading.at` and `now`; deletions stay at the source for `kept` milliseconds.
    pub(super) fn look(&mut self, reading: Reading, progress: i64, now: i64, kept: i64) {
        if reading.end < self.current.end {
            // The log became shorter: it is another one, or a part of it was taken back.
            self.marks.clear();
            self.current.end = reading.end;
        }
        if progress < self.current.end {
            self.went_back(reading, progress, now, kept);
        }
        let reached = |one: &Reading| progress >= one.end;
        while let Some(mark) = self.marks.pop_front_if(|mark| reached(mark)) {
            self.judge(mark.end, now, kept);
            self.reach(mark);
        }
        if now.saturating_sub(self.current.at) <= kept {
            // Whatever was read until now was read in time.
            self.current.end = self.current.end.max(progress.min(reading.end));
        } else {
            self.judge(reading.end, now, kept);
        }
        let newest = self.marks.back();
        if reached(&reading) {
            self.reach(reading);
            self.marks.clear();
        } else if self.marks.len() < MOST_MARKS
            && newest.is_none_or(|mark| reading.at.saturating_sub(mark.at) >= kept / MARKS)
        {
            self.marks.push_back(reading);
        }
    }

    /// Takes in that the copy had everything before `position` when the process before this one ended: that was read in
    /// time, or it was said.
    pub(super) fn had(&mut self, position: i64) {
        self.current.end = self.current.end.max(position);
    }

    /// The source is copied anew, from `progress` on, into a copy that keeps what it had. What it had counts until now; from
    /// now on a deletion that is not read again in time may be missed, as the record that it deletes is copied again.
    fn went_back(&mut self, reading: Reading, progress: i64, now: i64, kept: i64) {
        if reading.end <= self.current.end {
            self.reach(reading);
        } else {
            self.judge(reading.end, now, kept);
        }
        self.marks.clear();
        self.current.end = progress;
    }

    /// Somebody takes note of what was missed; `at` is now. Whether there was anything.
    pub(super) fn note(&mut self, at: i64) -> bool {
        let noted = self.missed.take().is_some();
        if noted {
            // What is still to be read is old: that is known now.
            self.current.at = self.current.at.max(at);
            self.marks.clear();
        }
        noted
    }

    /// Whether what lies before `end` has waited for too long.
    fn judge(&mut self, end: i64, now: i64, kept: i64) {
        if end > self.current.end && now.saturating_sub(self.current.at) > kept {
            let since = self.missed.map_or(self.current.at, |missed| missed.since);
            self.missed = Some(Missed { since, until: now });
        }
    }

    fn reach(&mut self, reading: Reading) {
        if reading.at >= self.current.at {
            self.current = reading;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: i64 = 100;

    fn trail(at: i64, end: i64) -> Trail {
        Trail::new(TopicId([1; 16]), Reading { at, end }, None)
    }

    fn look(trail: &mut Trail, at: i64, end: i64, progress: i64) -> Option<(i64, i64)> {
        trail.look(Reading { at, end }, progress, at + 2, KEPT);
        trail.missed.map(|missed| (missed.since, missed.until))
    }

    #[test]
    fn a_copy_that_stood_still_for_too_long_has_missed_something_if_there_was_something_to_miss() {
        let mut idle = trail(0, 10);
        assert_eq!(look(&mut idle, 1_000, 10, 10), None, "nothing was written");
        assert_eq!(idle.current, Reading { at: 1_000, end: 10 });
        // It has caught up before anybody looked: what it read was old all the same.
        let mut quick = trail(0, 10);
        assert_eq!(look(&mut quick, 1_000, 11, 11), Some((0, 1_002)));
        let mut short = trail(0, 10);
        assert_eq!(look(&mut short, 90, 11, 11), None);
        assert_eq!(look(&mut short, 185, 12, 11), None);
    }

    #[test]
    fn a_copy_that_follows_under_load_never_stands_still_though_it_is_never_at_the_end() {
        let mut trail = trail(0, 0);
        for second in 1..1_000 {
            let end = second * 10;
            assert_eq!(
                look(&mut trail, second * 10, end, end - 15),
                None,
                "{second}"
            );
        }
        assert!(trail.current.at > 9_900, "{trail:?}");
    }

    #[test]
    fn a_copy_that_always_lags_misses_something_where_the_lag_is_longer_than_deletions_are_kept() {
        for (lag, missed) in [(60, false), (80, false), (130, true)] {
            let mut trail = trail(0, 0);
            for at in (10..2_000).step_by(10) {
                look(&mut trail, at, at, (at - lag).max(0));
            }
            assert_eq!(trail.missed.is_some(), missed, "{lag}: {trail:?}");
            assert!(trail.marks.len() <= MOST_MARKS);
        }
    }

    #[test]
    fn who_took_note_is_told_again_only_after_as_long() {
        let mut trail = trail(0, 0);
        assert_eq!(look(&mut trail, 150, 1_000, 10), Some((0, 152)));
        assert!(trail.note(155));
        assert!(!trail.note(155));
        assert_eq!(look(&mut trail, 160, 1_000, 20), None);
        assert_eq!(look(&mut trail, 250, 1_000, 30), None);
        assert_eq!(look(&mut trail, 260, 1_000, 40), Some((155, 262)));
    }

    #[test]
    fn a_copy_that_lags_for_too_long_misses_something_and_that_stays_so() {
        let mut trail = trail(0, 0);
        for at in (10..=90).step_by(10) {
            assert_eq!(look(&mut trail, at, 1_000, at), None);
        }
        assert_eq!(look(&mut trail, 110, 1_000, 110), Some((0, 112)));
        assert_eq!(look(&mut trail, 120, 1_000, 1_000), Some((0, 122)));
        // It has caught up: nothing more is missed, and what was stays missed.
        assert_eq!(look(&mut trail, 150, 1_010, 1_000), Some((0, 122)));
        assert_eq!(look(&mut trail, 160, 1_010, 1_010), Some((0, 122)));
        trail.missed = None;
        assert_eq!(look(&mut trail, 200, 1_020, 1_020), None);
    }

    #[test]
    fn what_was_read_in_time_is_not_missed_though_the_end_was_not_read_again() {
        let mut trail = trail(20, 0);
        // Read before the trail began.
        assert_eq!(look(&mut trail, 10, 5, 5), None);
        assert_eq!(trail.current, Reading { at: 20, end: 5 });
        assert_eq!(look(&mut trail, 500, 5, 5), None);
    }

    #[test]
    fn a_copy_that_is_made_once_more_is_behind_from_then_on_and_not_from_when_it_was_complete() {
        // Long after: nothing was written since, so it was complete until now.
        let mut anew = trail(0, 100);
        assert_eq!(look(&mut anew, 1_000, 100, 0), None);
        assert_eq!(anew.current, Reading { at: 1_000, end: 0 });
        assert_eq!(look(&mut anew, 1_050, 100, 60), None);
        assert_eq!(look(&mut anew, 1_090, 100, 100), None);
        assert_eq!(
            anew.current,
            Reading {
                at: 1_090,
                end: 100
            }
        );
        // It takes too long, though nothing is written meanwhile.
        let mut slow = trail(0, 100);
        assert_eq!(look(&mut slow, 1_000, 100, 0), None);
        assert_eq!(look(&mut slow, 1_090, 100, 10), None);
        assert_eq!(look(&mut slow, 1_110, 100, 20), Some((1_000, 1_112)));
        // It stood still for too long before, and what was written then is not to be had any more.
        let mut late = trail(0, 100);
        assert_eq!(look(&mut late, 1_000, 101, 0), Some((0, 1_002)));
        // It was behind when that began, and that counts.
        let mut behind = trail(0, 100);
        assert_eq!(look(&mut behind, 60, 110, 0), None);
        assert_eq!(behind.current, Reading { at: 0, end: 0 });
        assert_eq!(look(&mut behind, 110, 110, 50), Some((0, 112)));
    }

    #[test]
    fn what_was_stored_as_copied_is_not_missed_though_the_trail_was_stored_before() {
        let kill = |position: i64| {
            let mut trail = trail(0, 100);
            trail.had(position);
            look(&mut trail, 1_000, 150, 150)
        };
        assert_eq!(
            kill(150),
            None,
            "all of it was copied by the process that was killed"
        );
        assert_eq!(kill(149), Some((0, 1_002)));
        assert_eq!(
            kill(10),
            Some((0, 1_002)),
            "a position that is older says nothing"
        );
    }

    #[test]
    fn a_log_that_became_shorter_is_followed_from_its_new_end() {
        let mut trail = trail(0, 100);
        assert_eq!(look(&mut trail, 50, 40, 40), None);
        assert_eq!(trail.current, Reading { at: 50, end: 40 });
        assert_eq!(look(&mut trail, 60, 45, 40), None);
        assert_eq!(look(&mut trail, 200, 45, 41), Some((50, 202)));
    }
}
