//! How much may be read while the link has a limit (`tributary.bandwidth.limit`); pure.
//!
//! A question pays for as much as the connection's answers held lately, and the next one, over whatever connection, waits until
//! that is paid: so connections to a source far away ask one after the other, and all of them are on their way at any time.
//! What an answer holds is known only when it is there; what went beyond is waited for then, and what was too much is given
//! back. Over any time that is longer than an answer the limit is kept, whatever single answers hold.
//!
//! Answers are small, so that they follow each other closely and every partition has its turn: a broker begins the next
//! answer with the partitions that it left out of the one before.

use std::time::Duration;

use config::bandwidth::Bandwidth;
use tokio::time::Instant;

/// Time whose bytes one answer may hold, and time that may be made up for.
const ANSWER: Duration = Duration::from_millis(100);
/// And so many times there and back, where that is more.
const TRIPS: u32 = 2;
/// Less is not asked for at a time: requests would cost more than bytes.
const LEAST: u64 = 64 * 1024;
/// Partitions that have their turn in one answer.
const TURNS: usize = 4;
/// Time over which it is told whether a limit is used up: in more than half of it something was yet to be paid for.
const LATELY: Duration = Duration::from_secs(2);
/// Part of the time in which something is owed where next to all of a limit is used.
const NEXT_TO_ALL: f64 = 0.9;
/// Nobody is woken sooner than that.
const SOON: Duration = Duration::from_millis(1);

/// What all partitions may read together, and what those may that are current while others catch up: up to half of the limit they
/// wait for what they read themselves and for nothing else. The others wait for all of it, and have the other half at least.
#[derive(Debug)]
pub(super) struct Allowances {
    all: Allowance,
    tails: Allowance,
}

impl Allowances {
    pub(super) fn new(bandwidth: &Bandwidth, now: Instant, seconds: u64) -> Self {
        let [all, tails] = parts(bandwidth).map(|part| Allowance::new(part, now, seconds));
        Self { all, tails }
    }

    /// Another limit holds from now on.
    pub(super) fn change(&mut self, bandwidth: &Bandwidth, now: Instant) {
        let [all, tails] = parts(bandwidth);
        self.all.change(all, now);
        self.tails.change(tails, now);
    }

    /// Clocks are set, and machines sleep.
    pub(super) fn set_time_of_day(&mut self, now: Instant, seconds: u64) {
        for allowance in [&mut self.all, &mut self.tails] {
            allowance.set_time_of_day(now, seconds);
        }
    }

    /// Until when nothing may be asked, of tails or of the others.
    pub(super) fn due(&self, tails: bool, now: Instant) -> Option<Instant> {
        let all = self.all.due(now)?;
        match tails {
            true => self.tails.due(now).map(|due| due.min(all)),
            false => Some(all),
        }
    }

    /// Pays for an answer that is expected to hold so much; gives what was paid, nothing where there is no limit.
    pub(super) fn ask(&mut self, tails: bool, bytes: usize, now: Instant) -> Option<usize> {
        if tails {
            self.tails.ask(bytes, now);
        }
        self.all.ask(bytes, now)
    }

    /// Counts an answer whose question paid so much.
    pub(super) fn add(&mut self, tails: bool, bytes: usize, paid: Option<usize>, now: Instant) {
        if tails {
            self.tails.add(bytes, paid, now);
        }
        self.all.add(bytes, paid, now);
    }

    /// Most bytes of an answer, where there is a limit, over a way that takes so long there and back.
    pub(super) fn answer(&self, way: Duration, now: Instant) -> Option<i32> {
        self.all.answer(way, now)
    }

    /// Whether there is a limit now.
    pub(super) fn are_limited(&self, now: Instant) -> bool {
        self.all.rate(now).is_some()
    }

    /// Whether the limit is what is waited for.
    pub(super) fn are_used_up(&self, now: Instant) -> bool {
        self.used(now) > 0.5
    }

    /// Whether there is next to nothing left of it for anybody else.
    pub(super) fn leave_nothing(&self, now: Instant) -> bool {
        self.used(now) > NEXT_TO_ALL
    }

    fn used(&self, now: Instant) -> f64 {
        let rate = self.all.rate(now);
        rate.map_or(0.0, |rate| self.all.used(rate, now))
    }

    /// Time in which every partition has its turn, given the size of its batches, by connection. A turn brings a partition's share of
    /// an answer, or a whole batch. Connections answer in turn too, however many partitions each has.
    pub(super) fn turn(
        &self,
        batches: &[Vec<usize>],
        way: Duration,
        now: Instant,
    ) -> Option<Duration> {
        let rate = self.all.rate(now)?;
        let of_one = batches.iter().filter_map(|sizes| {
            let share = usize::try_from(self.share(sizes.len(), way, now)?).ok()?;
            let turns = sizes.iter().map(|size| share.max(*size));
            Some(turns.sum::<usize>())
        });
        let bytes = of_one.max()?.saturating_mul(batches.len());
        Some(Duration::from_secs(bytes as u64 / rate.max(1) + 1))
    }

    /// Most bytes of one of so many partitions in an answer, where there is a limit.
    pub(super) fn share(&self, partitions: usize, way: Duration, now: Instant) -> Option<i32> {
        self.all.share(partitions, way, now)
    }
}

/// What all may read, and what tails may.
fn parts(bandwidth: &Bandwidth) -> [Bandwidth; 2] {
    [bandwidth.clone(), bandwidth.clone().divided(2)]
}

/// One of them.
#[derive(Debug)]
struct Allowance {
    bandwidth: Bandwidth,
    /// A moment, and its time of day in seconds since 1970.
    origin: (Instant, u64),
    /// Bytes that are yet to be paid for, when that was; below zero what may be made up for.
    owed: f64,
    at: Instant,
    /// Part of the time, of late, in which something was owed.
    used: f64,
}

impl Allowance {
    fn new(bandwidth: Bandwidth, now: Instant, seconds: u64) -> Self {
        Self {
            bandwidth,
            origin: (now, seconds),
            owed: 0.0,
            at: now,
            used: 0.0,
        }
    }

    /// What is owed at the old rate until now is paid at the new one.
    fn change(&mut self, bandwidth: Bandwidth, now: Instant) {
        self.owe(0.0, now);
        self.bandwidth = bandwidth;
    }

    /// Clocks are set, and machines sleep.
    fn set_time_of_day(&mut self, now: Instant, seconds: u64) {
        self.origin = (now, seconds);
    }

    fn rate(&self, now: Instant) -> Option<u64> {
        let (origin, seconds) = self.origin;
        let passed = now.saturating_duration_since(origin).as_secs();
        self.bandwidth.at(seconds + passed)
    }

    /// Until when what was read, or asked for, is paid for, where that is not yet so.
    fn due(&self, now: Instant) -> Option<Instant> {
        let rate = self.rate(now)?;
        let owed = self.owed(rate, now);
        (owed > 0.0).then(|| now + Duration::from_secs_f64(owed / to_f64(rate)).max(SOON))
    }

    /// What is left of what was owed; what was not used a while ago is lost.
    fn owed(&self, rate: u64, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at);
        let [paid, most] = [passed, ANSWER].map(|time| time.as_secs_f64() * to_f64(rate));
        (self.owed - paid).max(-most)
    }

    fn owe(&mut self, bytes: f64, now: Instant) {
        let now_owed = |rate| (self.owed(rate, now) + bytes, self.used(rate, now));
        let owed = self.rate(now).map(now_owed);
        (self.owed, self.used) = owed.unwrap_or_default();
        self.at = now;
    }

    /// In which part of the time, of late, something was owed.
    fn used(&self, rate: u64, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        let owing = (self.owed.max(0.0) / to_f64(rate)).min(passed);
        let before = (-passed / LATELY.as_secs_f64()).exp();
        self.used * before + owing / passed.max(f64::EPSILON) * (1.0 - before)
    }

    /// Pays for an answer that is expected to hold so much; gives what was paid, nothing where there is no limit.
    fn ask(&mut self, bytes: usize, now: Instant) -> Option<usize> {
        self.rate(now)?;
        self.owe(to_f64(bytes as u64), now);
        Some(bytes)
    }

    /// Counts an answer whose question paid so much. One that was asked for while there was no limit is not counted.
    fn add(&mut self, bytes: usize, paid: Option<usize>, now: Instant) {
        if let Some(paid) = paid {
            self.owe(to_f64(bytes as u64) - to_f64(paid as u64), now);
        }
    }

    /// Most bytes of an answer, where there is a limit. Over a long way one that was over sooner would be waited for longer than it
    /// takes.
    fn answer(&self, way: Duration, now: Instant) -> Option<i32> {
        let rate = self.rate(now)?;
        let time = u64::try_from(ANSWER.max(way * TRIPS).as_millis()).unwrap_or(u64::MAX);
        let bytes = (rate.saturating_mul(time) / 1_000).max(LEAST);
        Some(i32::try_from(bytes).unwrap_or(i32::MAX))
    }

    /// Most bytes of one of so many partitions in an answer, where there is a limit: several have their turn in each.
    fn share(&self, partitions: usize, way: Duration, now: Instant) -> Option<i32> {
        let answer = self.answer(way, now)?;
        let turns = i32::try_from(partitions.clamp(1, TURNS)).unwrap_or(1);
        Some((answer / turns).max(i32::try_from(LEAST).unwrap_or(i32::MAX)))
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "bytes in memory and rates are far below 2⁵²"
)]
fn to_f64(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    fn limited(limit: &str, seconds: u64) -> (Allowance, Instant) {
        let begin = Instant::now();
        let bandwidth = Bandwidth::parse(limit).expect("a rate");
        (Allowance::new(bandwidth, begin, seconds), begin)
    }

    /// How long is to be waited, in milliseconds.
    fn waits(allowance: &Allowance, now: Instant) -> u128 {
        let due = allowance.due(now).map(|due| due - now);
        (due.unwrap_or_default() + Duration::from_micros(1)).as_millis()
    }

    #[test]
    fn what_is_read_in_a_second_is_what_may_be() {
        let (mut allowance, begin) = limited("1MB", 0);
        let (mut now, mut read) = (begin, 0);
        // Answers of very different sizes, each at the first moment at which it may be asked for.
        for bytes in [100_000, 3_000_000, 1, 64_000].into_iter().cycle().take(40) {
            now = allowance.due(now).unwrap_or(now);
            read += bytes;
            allowance.add(bytes, Some(0), now);
        }
        now = allowance.due(now).unwrap_or(now);
        let seconds = (now - begin).as_secs_f64();
        let rate = f64::from(u32::try_from(read).expect("small")) / seconds;
        assert!((0.99e6..1.02e6).contains(&rate), "{rate}");
    }

    /// Reads over connections whose answers take 400 ms for a minute; gives bytes per second, and the most that were asked for
    /// within 100 ms.
    fn far_away(limit: &str, connections: usize, answer: usize) -> (f64, usize) {
        let (mut allowance, begin) = limited(limit, 0);
        let mut on_their_way = std::collections::VecDeque::new();
        let mut free = vec![0; connections];
        let (mut asked, mut read) = (Vec::new(), 0);
        for ms in 0..60_000 {
            let now = begin + Duration::from_millis(ms);
            while let Some((_, paid)) = on_their_way.pop_front_if(|(at, _)| *at <= now) {
                allowance.add(answer, paid, now);
                read += answer;
                free.push(answer);
            }
            while allowance.due(now).is_none()
                && let Some(expected) = free.pop()
            {
                let paid = allowance.ask(expected, now);
                on_their_way.push_back((now + Duration::from_millis(400), paid));
                asked.push(ms);
            }
        }
        let later = asked.iter().filter(|at| **at > 5_000);
        let together = later.map(|at| {
            let others = asked
                .iter()
                .filter(|other| (*at..at + 100).contains(*other));
            others.count()
        });
        let most = together.max();
        let read = f64::from(u32::try_from(read).expect("small"));
        (read / 60.0, most.unwrap_or_default())
    }

    #[test]
    fn connections_to_a_source_far_away_use_the_limit_and_ask_one_after_the_other() {
        // They could read 12 MB/s.
        let (rate, together) = far_away("8MB", 16, 300_000);
        assert!((7.8e6..8.1e6).contains(&rate), "{rate}");
        assert!(together <= 4, "{together}");
        // What one answer holds takes longer than the way.
        let (rate, _) = far_away("100KB", 4, 64_000);
        assert!((95e3..103e3).contains(&rate), "{rate}");
    }

    #[test]
    fn what_was_paid_for_and_did_not_come_is_given_back_and_nothing_else() {
        let (mut allowance, begin) = limited("1MB", 0);
        allowance.add(100_000, Some(0), begin);
        let paid = allowance.ask(500_000, begin);
        assert_eq!(waits(&allowance, begin), 600);
        allowance.add(0, paid, begin);
        assert_eq!(waits(&allowance, begin), 100);
        let later = begin + Duration::from_secs(9);
        let paid = allowance.ask(500_000, later);
        allowance.add(2_000_000, Some(0), later + Duration::from_secs(1));
        // What it paid has long been waited for: that is not taken off what others owe, but for 100 ms.
        allowance.add(0, paid, later + Duration::from_secs(1));
        assert!(waits(&allowance, later + Duration::from_secs(1)) >= 1_400);
    }

    #[test]
    fn a_limit_is_used_up_while_something_is_to_be_paid_for_most_of_the_time() {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let limited = || {
            let bandwidth = Bandwidth::parse("1MB, 08:00-18:00=none").expect("a rate");
            Allowances::new(&bandwidth, begin, 0)
        };
        let mut allowances = limited();
        assert!(!allowances.are_used_up(at(60_000)));
        // As much as may be read, and then nothing any more.
        for ms in (0..20_000).step_by(100) {
            let paid = allowances.ask(false, 100_000, at(ms));
            allowances.add(false, 100_000, paid, at(ms + 50));
        }
        assert!(allowances.are_used_up(at(20_000)) && allowances.leave_nothing(at(20_000)));
        assert!(!allowances.are_used_up(at(25_000)));
        // One answer that takes long to pay for; and windows without a limit.
        allowances.add(false, 60_000_000, Some(0), at(30_000));
        assert!(!allowances.are_used_up(at(31_000)) && allowances.are_used_up(at(40_000)));
        assert!(allowances.are_used_up(at(89_000)));
        allowances.set_time_of_day(at(80_000), 9 * HOUR);
        assert!(!allowances.are_used_up(at(89_000)));
        // A third of what may be read.
        let mut allowances = limited();
        for ms in (0..20_000).step_by(300) {
            allowances.add(false, 100_000, Some(0), at(ms));
            assert!(!allowances.are_used_up(at(ms + 100)), "{ms}");
        }
        // Three quarters of it.
        let mut allowances = limited();
        for ms in (0..20_000).step_by(1_000) {
            allowances.add(false, 750_000, Some(0), at(ms));
        }
        assert!(allowances.are_used_up(at(20_000)) && !allowances.leave_nothing(at(20_000)));
    }

    #[test]
    fn a_turn_takes_as_long_as_those_of_all_others() {
        let begin = Instant::now();
        let turn = |limit: &str, batches: &[Vec<usize>]| {
            let bandwidth = Bandwidth::parse(limit).expect("a rate");
            let turn = Allowances::new(&bandwidth, begin, 0).turn(batches, Duration::ZERO, begin);
            turn.map(|turn| turn.as_secs())
        };
        assert_eq!(turn("1MB", &[vec![1_000_000; 50]]), Some(51));
        assert_eq!(
            turn("1MB", &[vec![16_000; 50]]),
            Some(50 * 65_536 / 1_000_000 + 1)
        );
        assert_eq!(
            turn("100MB", &[vec![1_000_000; 50]]),
            Some(50 * 2_500_000 / 100_000_000 + 1)
        );
        // One of three brokers leads most of it, and has every third answer.
        let sizes = [vec![1_000_000; 48], vec![1_000_000], vec![0]];
        assert_eq!(turn("1MB", &sizes), Some(3 * 48 + 1));
        assert_eq!(turn("1MB", &[]), None);
        assert_eq!(turn("none", &[vec![1_000_000; 50]]), None);
    }

    #[test]
    fn what_was_not_used_is_not_made_up_for_later() {
        let (mut allowance, begin) = limited("1MB", 0);
        let later = begin + Duration::from_secs(100);
        assert_eq!(allowance.due(later), None);
        allowance.add(1_100_000, Some(0), later);
        assert_eq!(waits(&allowance, later), 1_000);
    }

    #[test]
    fn another_time_of_the_day_has_another_limit() {
        let (mut allowance, begin) = limited("none, 08:00-18:00=1MB", 7 * HOUR + 59 * 60);
        let paid = allowance.ask(50_000_000, begin);
        assert_eq!(
            (
                paid,
                allowance.due(begin),
                allowance.answer(Duration::ZERO, begin)
            ),
            (None, None, None)
        );
        let later = begin + Duration::from_secs(120);
        assert_eq!(allowance.answer(Duration::ZERO, later), Some(100_000));
        let far = Duration::from_millis(150);
        assert_eq!(allowance.answer(far, later), Some(300_000));
        // It was asked for when there was no limit.
        allowance.add(50_000_000, paid, later);
        assert_eq!(allowance.due(later), None);
        allowance.add(1_100_000, Some(0), later);
        assert_eq!(waits(&allowance, later), 1_000);
        // The clock was wrong.
        allowance.set_time_of_day(later, 19 * HOUR);
        assert_eq!(
            (
                allowance.due(later),
                allowance.answer(Duration::ZERO, later)
            ),
            (None, None)
        );
    }

    #[test]
    fn a_limit_that_is_changed_leaves_what_is_owed() {
        let begin = Instant::now();
        let bandwidth = |text| Bandwidth::parse(text).expect("a rate");
        let mut allowances = Allowances::new(&bandwidth("1MB"), begin, 0);
        allowances.add(false, 21_000_000, Some(0), begin);
        let later = begin + Duration::from_secs(1);
        allowances.change(&bandwidth("10MB"), later);
        assert_eq!(waits(&allowances.all, later), 2_000);
        allowances.change(&bandwidth("500KB"), later + Duration::from_secs(1));
        assert_eq!(
            waits(&allowances.all, later + Duration::from_secs(1)),
            20_000
        );
        // Without a limit everything is paid for.
        let later = begin + Duration::from_secs(3);
        allowances.change(&bandwidth("none"), later);
        allowances.change(&bandwidth("1MB"), later + Duration::from_secs(1));
        assert_eq!(waits(&allowances.all, later + Duration::from_secs(1)), 0);
    }

    #[test]
    fn what_is_owed_is_bytes_whose_time_another_limit_changes() {
        let (mut allowance, begin) = limited("1MB, 08:00-18:00=10MB", 7 * HOUR + 59 * 60 + 59);
        allowance.add(11_000_000, Some(0), begin);
        assert_eq!(waits(&allowance, begin), 11_000);
        let later = begin + Duration::from_secs(1);
        assert!(waits(&allowance, later) <= 1_000);
    }
}
