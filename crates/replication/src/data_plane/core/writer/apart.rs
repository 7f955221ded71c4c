//! The connection to a slow broker for what is current, which would wait behind what catches up: when it is made, and when it ends.

use std::time::Duration;

use tokio::time::Instant;

use super::super::lanes::LaneId;
use super::{Standing, Writer};

/// A broker that leaves a request unanswered for so long has what is current wait behind it: that gets a connection of its own, and keeps
/// it for so long after.
const SLOW: Duration = Duration::from_secs(1);
const KEPT_APART: Duration = Duration::from_secs(30);
/// Bytes of a request over that connection, and the most that a partition has that is current.
pub(in super::super) const APART: usize = 256 * 1024;

/// What is to be done about the connection of what is current.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum ApartStep {
    Nothing,
    Make,
    /// It is there still, and is given what is current again.
    Stay,
    /// Nothing is given to it any more, and where it says so it ends at once.
    Leave(bool),
}

impl Writer {
    /// Whether what is current is to have a connection of its own.
    pub(in super::super) fn keeps_apart(&self) -> bool {
        self.slow_at.is_some()
    }

    /// Sees to the connection of what is current, to be done every second or so: whether there may be one, and whether something catches
    /// up that the rest would wait for, which is asked only where the broker is slow.
    pub(in super::super) fn tend_apart(
        &mut self,
        may_be: bool,
        holds_up: impl FnOnce() -> bool,
        now: Instant,
    ) -> ApartStep {
        let ago = |at| now.saturating_duration_since(at);
        let mut others = self.sent.iter().filter(|sent| sent.lane != LaneId::APART);
        if may_be && others.any(|sent| ago(sent.at) >= SLOW) && holds_up() {
            self.slow_at = Some(now);
        }
        self.slow_at = self.slow_at.filter(|at| may_be && ago(*at) < KEPT_APART);
        let (is_kept, is_reached) = (self.keeps_apart(), self.standing().next().is_some());
        let standing = &mut self.lane(LaneId::APART).standing;
        match *standing {
            Standing::Stands if !is_kept => ApartStep::Leave(self.lets_go(LaneId::APART)),
            Standing::Leaving if is_kept => {
                *standing = Standing::Stands;
                ApartStep::Stay
            }
            Standing::Failed(until) if until <= now => {
                *standing = Standing::Absent;
                ApartStep::Nothing
            }
            Standing::Absent if is_kept && is_reached => {
                *standing = Standing::Making;
                ApartStep::Make
            }
            _ => ApartStep::Nothing,
        }
    }

    /// It is slow, or has not been so for long.
    #[cfg(test)]
    pub(in super::super) fn set_slow(&mut self, is_slow: bool, now: Instant) {
        self.slow_at = is_slow.then_some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_takes_a_second_has_one_more_connection_until_it_has_not_for_half_a_minute() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut writer = Writer::default();
        writer.has_come(0);
        writer.has_sent(0, 1, 1_000, begin);
        assert_eq!(
            writer.tend_apart(true, || true, at(999)),
            ApartStep::Nothing
        );
        assert!(!writer.keeps_apart());
        assert_eq!(writer.tend_apart(true, || true, at(1_000)), ApartStep::Make);
        // It is being made.
        assert_eq!(
            writer.tend_apart(true, || true, at(2_000)),
            ApartStep::Nothing
        );
        writer.has_come(LaneId::APART);
        assert!(writer.stands(LaneId::APART) && writer.all_usable() == [0]);
        writer.has_ended(1);
        // What goes over it says nothing of the others, and does not end it.
        writer.has_sent(LaneId::APART, 2, 1_000, at(2_000));
        assert_eq!(
            writer.tend_apart(true, || true, at(31_000)),
            ApartStep::Nothing
        );
        assert_eq!(
            writer.tend_apart(true, || true, at(32_000)),
            ApartStep::Leave(false)
        );
        // It is slow again before that is answered.
        writer.has_sent(0, 3, 1_000, at(32_000));
        assert_eq!(
            writer.tend_apart(true, || true, at(33_000)),
            ApartStep::Stay
        );
        assert!(writer.stands(LaneId::APART));
        writer.has_ended(2);
        writer.has_ended(3);
        assert_eq!(
            writer.tend_apart(true, || true, at(63_000)),
            ApartStep::Leave(true)
        );
        assert_eq!(
            writer.tend_apart(true, || true, at(64_000)),
            ApartStep::Nothing
        );
    }

    #[test]
    fn there_is_none_where_the_others_are_as_many_as_there_may_be_or_nothing_catches_up() {
        let begin = Instant::now();
        let later = begin + SLOW;
        let mut writer = Writer::default();
        writer.has_come(0);
        writer.has_sent(0, 1, 1_000, begin);
        assert_eq!(writer.tend_apart(false, || true, later), ApartStep::Nothing);
        assert_eq!(writer.tend_apart(true, || false, later), ApartStep::Nothing);
        assert_eq!(writer.tend_apart(true, || true, later), ApartStep::Make);
        writer.has_come(LaneId::APART);
        assert_eq!(
            writer.tend_apart(false, || true, later),
            ApartStep::Leave(true)
        );
    }

    #[test]
    fn its_answers_say_nothing_of_how_much_the_others_carry() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let mut writer = Writer::default();
        writer.has_sent(0, 0, 6_000_000, begin);
        for second in 1..=30 {
            let ms = second * 1_000;
            writer.has_sent(LaneId::APART, second, 100, at(ms - 300));
            // 2 MB/s, each time 250 ms behind a small answer.
            if second % 3 == 0 {
                writer.has_sent(0, 1_000 + second, 6_000_000, at(ms - 300));
            }
            writer.has_ended(second);
            writer.is_answered(LaneId::APART, 100, at(ms - 250));
            if second % 3 == 0 {
                let tag = if second == 3 { 0 } else { 997 + second };
                writer.has_ended(tag);
                writer.is_answered(0, 6_000_000, at(ms));
            }
        }
        let most = writer.most();
        assert!((5_000_000..7_000_000).contains(&most), "{most}");
        // 6 MB are owed, which take three seconds, and a few bytes that were sent before.
        writer.sent.clear();
        writer.has_sent(LaneId::APART, 1, 100, at(30_000));
        writer.has_sent(0, 2, 6_000_000, at(30_000));
        assert_eq!(writer.silent_for(at(35_500)), None);
        assert!(writer.silent_for(at(36_500)).is_some());
    }

    #[test]
    fn it_is_not_tried_where_no_other_is_there_and_again_when_it_failed_a_while_ago() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut writer = Writer::default();
        writer.has_sent(0, 1, 1_000, begin);
        assert_eq!(writer.tend_apart(true, || true, at(2)), ApartStep::Nothing);
        writer.has_come(0);
        assert_eq!(writer.tend_apart(true, || true, at(3)), ApartStep::Make);
        writer.has_gone(LaneId::APART, Some(at(10)));
        for seconds in [9, 10] {
            assert_eq!(
                writer.tend_apart(true, || true, at(seconds)),
                ApartStep::Nothing
            );
        }
        assert_eq!(writer.tend_apart(true, || true, at(11)), ApartStep::Make);
    }

    #[test]
    fn what_goes_over_it_does_not_wait_for_room_behind_the_others() {
        let begin = Instant::now();
        let mut writer = Writer::default();
        for number in [0, LaneId::APART] {
            writer.has_come(number);
            writer.ready(number).push_back(7);
        }
        writer.has_sent(0, 1, 50_000_000, begin);
        assert_eq!(writer.free_lanes(usize::MAX), [LaneId::APART]);
        writer.has_sent(LaneId::APART, 2, APART, begin);
        assert!(writer.free_lanes(usize::MAX).is_empty());
    }
}
