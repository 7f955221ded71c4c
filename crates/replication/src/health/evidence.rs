//! What is known of one partition, and what that means (pure).

use std::time::Duration;

use tokio::time::Instant;

use super::history::{History, Readable};
use super::{Basis, Condition, Lag, PartitionHealth, Reported, Verdict};

/// How long a partition may start before that is worth a look.
const STARTING: Duration = Duration::from_secs(60);

/// Turns that a partition may miss before it stands still: how long one takes is an estimate.
const TURNS: u32 = 2;

/// What counts as what.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Limits {
    /// Older readings say nothing; where asking again failed since, readings of half that age say nothing.
    pub(super) max_age: Duration,
    /// A longer standstill is one.
    pub(super) stall: Duration,
}

impl Limits {
    /// How old a reading may be, after which was asked again: in vain, or not.
    fn age(&self, in_vain: bool) -> Duration {
        if in_vain {
            self.max_age / 2
        } else {
            self.max_age
        }
    }
}

/// How long the broker has not answered that leads a partition on each side, where it has not.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Silent<'a> {
    pub(super) source: Option<Silence<'a>>,
    pub(super) destination: Option<Silence<'a>>,
}

/// How long a broker has not answered, and why, where it was asked since it last did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence<'a> {
    pub(super) since: Instant,
    pub(super) error: &'a str,
}

/// The time, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) at: Instant,
    /// Milliseconds since 1970.
    pub(super) ms: i64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Evidence {
    /// When the partition was first heard of.
    begun: Instant,
    ends: History,
    /// Why the end could not be read, since it was last.
    unreadable: Option<String>,
    start: Option<i64>,
    progress: Option<i64>,
    progressed: Instant,
    /// Since when the end was behind progress.
    behind: Option<Instant>,
    /// The newest trouble that was heard of, also when it is no longer said.
    last_error: Option<String>,
    /// When it was said last that it stands: when it is tried again, it has not moved for longer than it had a chance to.
    stood: Option<Instant>,
    /// When it was said last that it waits for its turn: as soon as it has it, that was no standstill.
    waited: Option<Instant>,
    /// The longest time that a turn took since it moved: those who have had theirs, and have nothing left, are not counted any more.
    turn: Duration,
    state: &'static str,
    since: Instant,
}

impl Evidence {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            begun: now,
            ends: History::default(),
            unreadable: None,
            start: None,
            progress: None,
            progressed: now,
            behind: None,
            last_error: None,
            stood: None,
            waited: None,
            turn: Duration::ZERO,
            state: "starting",
            since: now,
        }
    }

    /// Takes a reading of the source's end. It counts from when it was asked for. Whether it is another one than before.
    pub(super) fn end_read(&mut self, asked: Instant, end: Result<i64, String>) -> bool {
        let before = self.ends.newest();
        match end {
            // Two questions are under way, and the second was answered first.
            Ok(_) if before.is_some_and(|(read, _)| asked < read) => return false,
            Ok(end) => {
                self.unreadable = None;
                self.ends.add(asked, end);
                self.compare(asked);
            }
            Err(error) => self.unreadable = Some(error),
        }
        let end = |newest: Option<(Instant, i64)>| newest.map(|(_, end)| end);
        end(before) != end(self.ends.newest())
    }

    /// Nobody can be asked.
    pub(super) fn cannot_ask(&mut self, error: &str) {
        self.unreadable.get_or_insert_with(|| error.to_owned());
    }

    /// The state as it was judged last.
    pub(super) fn state(&self) -> &'static str {
        self.state
    }

    pub(super) fn start_read(&mut self, start: i64) {
        self.start = Some(start);
    }

    /// Takes what the data path says. Whether copying has come further.
    pub(super) fn report(&mut self, reported: &Reported, now: Instant) -> bool {
        let has_moved = reported.progress != self.progress;
        if has_moved {
            self.progress = reported.progress;
            self.progressed = now;
            self.behind = None;
            self.turn = Duration::ZERO;
        }
        if let Some(progress) = self.progress {
            self.ends.forget_before(progress);
        }
        match &reported.condition {
            Condition::Retrying(trouble) => self.last_error = Some(trouble.clone()),
            Condition::Stopped { .. } => self.stood = Some(now),
            Condition::Starting | Condition::Active => {}
        }
        if let Some(turn) = reported.turn {
            self.waited = Some(now);
            self.turn = self.turn.max(turn);
        }
        self.compare(now);
        has_moved
    }

    fn compare(&mut self, now: Instant) {
        if self.remaining().is_some_and(|remaining| remaining > 0) {
            self.behind.get_or_insert(now);
        } else {
            self.behind = None;
        }
    }

    /// Offsets that are not acknowledged. A partition without progress has everything before it.
    fn remaining(&self) -> Option<i64> {
        let (_, end) = self.ends.newest()?;
        let from = self.progress.or(self.start).unwrap_or(0);
        Some((end - from).max(0))
    }

    fn age(&self, now: Instant) -> Option<Duration> {
        let (at, _) = self.ends.newest()?;
        Some(now.saturating_duration_since(at))
    }

    /// For how long there was something to copy and none of it was.
    fn no_progress(&self, now: Instant) -> Duration {
        self.behind.map_or(Duration::ZERO, |behind| {
            now.saturating_duration_since(behind.max(self.progressed))
        })
    }

    fn lag(&self, reported: &Reported, now: Now, limits: &Limits) -> Lag {
        let age = self.age(now.at);
        let limit = limits.age(self.unreadable.is_some());
        let known = age.is_some_and(|age| age <= limit) && self.progress.is_some();
        let records = self.remaining();
        let (seconds, basis) = self.seconds(reported, now);
        let (copied, size) = reported.copied;
        let mean = size.checked_div(copied).unwrap_or(0);
        let bytes = u64::try_from(records.unwrap_or(0)).unwrap_or(0);
        let mut lag = Lag {
            known,
            records,
            seconds,
            bytes: bytes.saturating_mul(mean),
            basis,
            age,
        };
        if !known {
            // What cannot be measured grows.
            let unread = age.unwrap_or(now.at.saturating_duration_since(self.begun));
            lag.seconds = lag.seconds.max(unread.as_secs_f64());
            lag.basis = Basis::Stale;
        }
        lag
    }

    fn seconds(&self, reported: &Reported, now: Now) -> (f64, Basis) {
        let Some(progress) = self.progress else {
            let since = now.at.saturating_duration_since(self.begun);
            return (since.as_secs_f64(), Basis::SinceStart);
        };
        let passed = |since: Instant| now.at.saturating_duration_since(since).as_secs_f64();
        // A clock that is ahead makes no negative lag.
        let by_record = reported.oldest_ms.filter(|ms| *ms > 0);
        let by_record = by_record.map(|ms| (now.ms.saturating_sub(ms)).max(0) as f64 / 1000.0);
        match self.ends.readable_since(progress) {
            Readable::NotYet => (0.0, Basis::Observed),
            Readable::Between(missed, seen) => {
                let (longest, shortest) = (passed(missed), passed(seen));
                let told = by_record.filter(|age| (shortest..=longest).contains(age));
                (told.unwrap_or(longest), Basis::Observed)
            }
            Readable::Before(first) => match by_record {
                Some(age) => (age.max(passed(first)), Basis::Timestamp),
                None => (passed(first), Basis::SinceStart),
            },
        }
    }

    /// What all that means, with what is known of the brokers that it needs.
    pub(super) fn judge(
        &mut self,
        reported: &Reported,
        silent: Silent<'_>,
        now: Now,
        limits: &Limits,
    ) -> PartitionHealth {
        let lag = self.lag(reported, now, limits);
        let no_progress = self.no_progress(now.at);
        let broker = silent.destination.or(silent.source);
        let broker = broker.map(|silence| silence.error);
        let mut decided = self.decide(reported, broker, &lag, now.at, limits);
        if let Some(silence) = silent.destination.filter(|_| decided.2 < Verdict::Unknown) {
            let silent = now.at.saturating_duration_since(silence.since);
            if silent > limits.age(true) {
                let reason = format!(
                    "the destination has not answered for {} s: {}",
                    silent.as_secs(),
                    silence.error
                );
                decided = ("destination-unknown", Some(reason), Verdict::Unknown);
            }
        }
        let (state, reason, verdict) = decided;
        if state != self.state {
            self.since = now.at;
            self.state = state;
        }
        PartitionHealth {
            source: reported.source.clone(),
            destination: reported.destination.clone(),
            state,
            since: self.since,
            reason,
            verdict,
            lag,
            no_progress,
            progress: self.progress,
            source_start: self.start,
            source_end: self.ends.newest().map(|(_, end)| end),
            destination_end: None,
            leaders: [None; 2],
        }
    }

    fn decide(
        &self,
        reported: &Reported,
        broker: Option<&str>,
        lag: &Lag,
        now: Instant,
        limits: &Limits,
    ) -> (&'static str, Option<String>, Verdict) {
        if let Condition::Stopped { state, reason } = &reported.condition {
            return (state, Some(reason.clone()), Verdict::Fail);
        }
        let no_progress = self.no_progress(now);
        // What is known to stand still does so whether or not the end can still be read.
        let was_stalled = self.state == "stalled" && self.progressed < self.since;
        let (since, turns) = match reported.turn {
            Some(_) => (self.stood, self.turn.saturating_mul(TURNS)),
            None => (self.stood.max(self.waited), Duration::ZERO),
        };
        let tried = since.map_or(no_progress, |since| {
            no_progress.min(now.saturating_duration_since(since))
        });
        let longest = limits.stall.saturating_add(turns);
        if tried > longest || (was_stalled && !no_progress.is_zero()) {
            let waiting = lag.records.unwrap_or(0);
            // An error that is no longer said explains less than a broker that does not answer now.
            let error = match &reported.condition {
                Condition::Retrying(trouble) => Some(trouble.as_str()),
                _ => broker.or(self.last_error.as_deref()),
            };
            let reason = format!(
                "no progress for {} s, and {waiting} records wait at the source; {}",
                no_progress.as_secs(),
                match error {
                    Some(error) => format!("the last error: {error}"),
                    None => "no error was reported".to_owned(),
                }
            );
            return ("stalled", Some(reason), Verdict::Fail);
        }
        let silent = now.saturating_duration_since(
            self.begun
                .max(self.ends.newest().map_or(self.begun, |(at, _)| at)),
        );
        if silent > limits.age(self.unreadable.is_some()) {
            // What was heard of other things before, perhaps of the other side, does not explain it.
            let error = self.unreadable.as_deref();
            let reason = format!(
                "the source's end could not be read for {} s: {}",
                silent.as_secs(),
                error.unwrap_or("source: the answer of a broker is awaited")
            );
            return ("end-unknown", Some(reason), Verdict::Unknown);
        }
        match &reported.condition {
            Condition::Retrying(trouble) => ("retrying", Some(trouble.clone()), Verdict::Warn),
            Condition::Starting => {
                let long = self.state == "starting"
                    && now.saturating_duration_since(self.since) > STARTING;
                let verdict = if long { Verdict::Warn } else { Verdict::Pass };
                ("starting", None, verdict)
            }
            Condition::Active | Condition::Stopped { .. } => {
                let waits = reported.turn.is_some() && no_progress > limits.stall;
                let reason = waits.then(|| {
                    format!(
                        "no progress for {} s: it waits for tributary.bandwidth.limit, which lets every partition \
                         have its turn within about {} s",
                        no_progress.as_secs(),
                        self.turn.as_secs()
                    )
                });
                ("active", reason, Verdict::Pass)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kafka_wire::types::TopicPartition;

    use super::*;

    const LIMITS: Limits = Limits {
        max_age: Duration::from_secs(20),
        stall: Duration::from_secs(20),
    };

    struct Scene {
        begin: Instant,
        evidence: Evidence,
        reported: Reported,
    }

    impl Scene {
        fn new() -> Self {
            let begin = Instant::now();
            let partition = TopicPartition::new("t".into(), 0);
            Self {
                begin,
                evidence: Evidence::new(begin),
                reported: Reported {
                    source: partition.clone(),
                    destination: partition,
                    condition: Condition::Active,
                    progress: Some(0),
                    copied: (10, 1000),
                    oldest_ms: None,
                    turn: None,
                },
            }
        }

        fn at(&self, seconds: u64) -> Instant {
            self.begin + Duration::from_secs(seconds)
        }

        /// Progress and end as of a second; then what that means.
        fn look(&mut self, second: u64, progress: i64, end: Result<i64, &str>) -> PartitionHealth {
            let at = self.at(second);
            self.reported.progress = Some(progress);
            self.evidence.end_read(at, end.map_err(str::to_owned));
            self.evidence.report(&self.reported, at);
            let ms = 1_000_000 + i64::try_from(second).expect("small") * 1000;
            let now = Now { at, ms };
            let silent = Silent::default();
            self.evidence.judge(&self.reported, silent, now, &LIMITS)
        }
    }

    #[test]
    fn a_partition_that_says_it_runs_and_does_not_move_is_stalled_with_its_last_error() {
        let mut scene = Scene::new();
        assert_eq!(scene.look(0, 5, Ok(5)).state, "active");
        scene.reported.condition = Condition::Retrying("source: broker 1 is gone".to_owned());
        scene.look(2, 5, Ok(5));
        scene.reported.condition = Condition::Active;
        assert_eq!(scene.look(4, 5, Ok(9)).state, "active");
        assert_eq!(scene.look(24, 5, Ok(9)).state, "active");
        let stalled = scene.look(25, 5, Ok(9));
        assert_eq!((stalled.state, stalled.verdict), ("stalled", Verdict::Fail));
        let reason = stalled.reason.expect("told");
        assert!(reason.contains("4 records wait") && reason.contains("broker 1 is gone"));
        assert_eq!(stalled.no_progress, Duration::from_secs(21));
        // Only progress ends it.
        assert_eq!(scene.look(30, 6, Ok(9)).state, "active");
    }

    #[test]
    fn a_partition_that_stood_is_not_stalled_as_soon_as_it_is_tried_again() {
        let mut scene = Scene::new();
        scene.look(0, 5, Ok(9));
        scene.reported.condition = Condition::Stopped {
            state: "refused",
            reason: "too large".to_owned(),
        };
        assert_eq!(scene.look(60, 5, Ok(9)).state, "refused");
        scene.reported.condition = Condition::Active;
        assert_eq!(scene.look(62, 5, Ok(9)).state, "active");
        assert_eq!(scene.look(81, 5, Ok(9)).state, "stalled");
    }

    #[test]
    fn a_partition_that_waits_for_its_turn_is_stalled_only_when_others_have_had_theirs_twice() {
        let mut scene = Scene::new();
        scene.look(0, 5, Ok(9));
        scene.reported.turn = Some(Duration::from_secs(50));
        assert_eq!(scene.look(20, 5, Ok(9)).reason, None);
        let waits = scene.look(60, 5, Ok(9));
        assert_eq!((waits.state, waits.verdict), ("active", Verdict::Pass));
        let reason = waits.reason.expect("told");
        assert!(
            reason.contains("no progress for 60 s: it waits for tributary.bandwidth.limit"),
            "{reason}"
        );
        // It is read, and has the usual time to be written.
        scene.reported.turn = None;
        assert_eq!(scene.look(61, 5, Ok(9)).state, "active");
        assert_eq!(scene.look(80, 5, Ok(9)).state, "active");
        assert_eq!(scene.look(81, 5, Ok(9)).state, "stalled");
        // Waiting again changes nothing of that.
        scene.reported.turn = Some(Duration::from_secs(50));
        assert_eq!(scene.look(82, 5, Ok(9)).state, "stalled");
        assert_eq!(scene.look(90, 6, Ok(9)).state, "active");
        // Its turn does not come, and few are left that wait with it.
        scene.look(91, 6, Ok(9));
        scene.reported.turn = Some(Duration::from_secs(1));
        assert_eq!(scene.look(210, 6, Ok(9)).state, "active");
        let stalled = scene.look(211, 6, Ok(9));
        assert_eq!((stalled.state, stalled.verdict), ("stalled", Verdict::Fail));
    }

    #[test]
    fn trouble_under_a_limit_has_no_longer_time_than_elsewhere() {
        let mut scene = Scene::new();
        scene.look(0, 5, Ok(9));
        scene.reported.turn = Some(Duration::from_secs(50));
        scene.look(10, 5, Ok(9));
        // The data plane never says both.
        scene.reported.turn = None;
        scene.reported.condition = Condition::Retrying("source: broker 1 is gone".to_owned());
        assert_eq!(scene.look(30, 5, Ok(9)).state, "retrying");
        assert_eq!(scene.look(31, 5, Ok(9)).state, "stalled");
    }

    #[test]
    fn an_answer_that_was_overtaken_says_nothing_and_is_no_log_that_became_shorter() {
        let mut scene = Scene::new();
        let (first, second) = (scene.at(2), scene.at(4));
        assert!(scene.evidence.end_read(second, Ok(20)));
        assert!(!scene.evidence.end_read(first, Ok(10)));
        assert!(!scene.evidence.end_read(second, Ok(20)));
        assert_eq!(scene.look(6, 20, Ok(20)).source_end, Some(20));
        assert_eq!(scene.look(8, 20, Ok(7)).source_end, Some(7));
    }

    #[test]
    fn nothing_to_copy_is_no_standstill() {
        let mut scene = Scene::new();
        scene.look(0, 5, Ok(5));
        let idle = scene.look(1000, 5, Ok(5));
        assert_eq!((idle.state, idle.verdict), ("active", Verdict::Pass));
        assert_eq!((idle.lag.records, idle.lag.seconds), (Some(0), 0.0));
    }

    #[test]
    fn an_end_that_cannot_be_read_is_unknown_and_its_lag_grows() {
        let mut scene = Scene::new();
        scene.look(0, 5, Ok(5));
        // Where nobody failed to answer, a reading says something for longer.
        assert!(scene.look(9, 5, Err("source: gone")).lag.known);
        let soon = scene.look(11, 5, Err("source: gone"));
        assert_eq!((soon.state, soon.lag.known), ("end-unknown", false));
        let unknown = scene.look(30, 5, Err("source: gone"));
        assert_eq!(
            (unknown.state, unknown.verdict),
            ("end-unknown", Verdict::Unknown)
        );
        assert!(unknown.reason.expect("told").contains("source: gone"));
        assert!(!unknown.lag.known);
        assert_eq!(
            (unknown.lag.seconds, unknown.lag.basis),
            (30.0, Basis::Stale)
        );
    }

    #[test]
    fn a_destination_that_does_not_answer_makes_unknown_what_seemed_well() {
        let mut scene = Scene::new();
        scene.look(0, 5, Ok(5));
        let mut judged = |second: u64| {
            let at = scene.at(second);
            scene.evidence.end_read(at, Ok(5));
            let silent = Silent {
                source: None,
                destination: Some(Silence {
                    since: scene.begin,
                    error: "broker 2 is gone",
                }),
            };
            let now = Now { at, ms: 0 };
            let health = scene.evidence.judge(&scene.reported, silent, now, &LIMITS);
            (health.state, health.verdict)
        };
        assert_eq!(judged(10), ("active", Verdict::Pass));
        assert_eq!(judged(11), ("destination-unknown", Verdict::Unknown));
    }

    #[test]
    fn lag_is_the_time_for_which_the_oldest_record_has_been_readable() {
        let mut scene = Scene::new();
        scene.look(0, 5, Ok(5));
        scene.look(2, 5, Ok(5));
        let behind = scene.look(4, 5, Ok(9));
        assert_eq!((behind.lag.records, behind.lag.bytes), (Some(4), 400));
        assert_eq!(
            (behind.lag.seconds, behind.lag.basis),
            (2.0, Basis::Observed)
        );
        // The record itself tells it better, where it lies between both readings.
        scene.reported.oldest_ms = Some(1_003_000);
        assert_eq!(scene.look(6, 5, Ok(12)).lag.seconds, 3.0);
        scene.reported.oldest_ms = Some(5);
        assert_eq!(scene.look(6, 5, Ok(12)).lag.seconds, 4.0);
    }

    #[test]
    fn what_was_there_before_the_first_reading_has_the_age_of_its_oldest_record() {
        let mut scene = Scene::new();
        let unknown = scene.look(0, 5, Ok(50)).lag;
        assert_eq!((unknown.seconds, unknown.basis), (0.0, Basis::SinceStart));
        scene.reported.oldest_ms = Some(990_000);
        let told = scene.look(2, 5, Ok(50)).lag;
        assert_eq!((told.seconds, told.basis), (12.0, Basis::Timestamp));
    }

    #[test]
    fn a_partition_that_stands_says_why_whatever_else_is_known() {
        let mut scene = Scene::new();
        scene.reported.condition = Condition::Stopped {
            state: "source-gap",
            reason: "offsets [5, 9) are lost".to_owned(),
        };
        let stands = scene.look(100, 5, Ok(9));
        assert_eq!(
            (stands.state, stands.verdict),
            ("source-gap", Verdict::Fail)
        );
    }
}
