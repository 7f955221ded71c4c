//! How many connections one source broker is read over, or one of the destination written over (`lanes.rs`); pure.
//!
//! A connection carries at most its window in every round trip, whatever the line could carry, and a broker's window cannot
//! be changed from here. So where a round trip is long and connections are busy all the time, there are four times as many, and
//! they stay only if more arrives. Over short distances there is one, and the distance may change while a link runs.

use std::time::Duration;

use kafka_client::Turn;
use kafka_wire::types::{NodeId, TopicPartition};
use tokio::time::Instant;

use super::super::status::{Side, Way};
use super::distance::Distance;
use super::reading::Reading;

/// A connection that a source broker is read over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Channel {
    pub(crate) node: NodeId,
    /// Whether it is for partitions that are current, while others catch up.
    pub(crate) tails: bool,
    /// Which of several.
    pub(crate) number: u16,
}

impl Channel {
    /// Whether memory for its answers is waited for behind others: little, for what is current, is not.
    pub(super) fn turn(self) -> Turn {
        match self.tails {
            true => Turn::First,
            false => Turn::Last,
        }
    }
}

/// The first, and mostly the only one.
impl From<NodeId> for Channel {
    fn from(node: NodeId) -> Self {
        Self {
            node,
            tails: false,
            number: 0,
        }
    }
}

/// How long a broker has to be near before there is one connection again: a way that is sometimes longer is no reason to make
/// and end connections all the time.
const STAYS: Duration = Duration::from_secs(10);
/// Over how many round trips it is looked at what arrives, and over how long at least.
const LOOK: (u32, Duration) = (20, Duration::from_millis(500));
/// Share of the time that connections have to be busy reading for more of them to be tried.
const BUSY: f64 = 0.6;
/// How many times as many are tried: what each step takes to be judged is time in which little arrives.
const STEP: u16 = 4;
/// By how much more has to arrive over them.
const WORTH: f64 = 1.1;
/// How long it is left at that where more did not help, at first.
const REST: Duration = Duration::from_secs(60);
const REST_AT_MOST: Duration = Duration::from_secs(1800);
/// Bytes of an answer from which its connection was busy with it: a full one under a limit holds more, however low that is.
const BUSY_WITH: f64 = LEAST / 8.0;
/// The same of a request for writing: it has one batch of each partition, and those may be small.
const BUSY_WRITING: f64 = LEAST / 32.0;
/// Without much to read for so long, one connection is enough again.
const IDLE: Duration = Duration::from_secs(60);
/// Round trips that one answer takes, so that waiting for it is a small part of that; and so long comes what was on its way.
const ROUND_TRIPS: u32 = 10;
/// How long an answer takes at most where the way is short, going by the one before.
const NEAR: Duration = Duration::from_secs(1);
/// An answer that takes so long holds up what is new.
const LONG: Duration = Duration::from_millis(250);
/// What is asked for first over a short way, of which it is not known yet how much it carries.
const FIRST: i32 = 1024 * 1024;
/// Less is not asked for at a time.
const LEAST: f64 = 256.0 * 1024.0;

/// What is known of the connections to one broker.
#[derive(Debug)]
pub(super) struct Channels {
    count: u16,
    most: u16,
    /// Of these, how many are left for partitions that are current.
    left: u16,
    /// Bytes with which one is busy.
    busy_with: f64,
    distance: Distance,
    /// Since when it has been near, as long as it is.
    near_since: Option<Instant>,
    /// When an answer with much in it took long, for as long as that counts.
    takes_long: Option<Instant>,
    /// Bytes per second of one connection while it is busy: lately, or over a short way that of the last answer.
    pace: f64,
    /// What the next measurement of that counts.
    carried: Carried,
    look: Option<Look>,
    trial: Option<Trial>,
    /// That more did not help.
    rests: Option<Rest>,
    busy_at: Option<Instant>,
    answered_at: Option<Instant>,
    /// When something was read of partitions that are current over connections of their own, last.
    tails_at: Option<Instant>,
    /// What one connection carries in a round trip, in bytes, where more of them carried more.
    window: Option<u64>,
}

/// A step that has yet to show that it helps.
#[derive(Clone, Copy, Debug)]
struct Trial {
    /// How many there were, and what arrived then.
    count: u16,
    rate: f64,
    /// The first look is not counted: connections are made, and what was on its way before comes.
    settles: bool,
}

/// What was found out where more did not help.
#[derive(Clone, Copy, Debug)]
struct Rest {
    /// Until when no more are tried, and how long that is.
    until: Instant,
    lasts: Duration,
    /// Over which way that was, and for so many: fewer are as few as before, whatever became of more.
    round_trip: Duration,
    count: u16,
}

/// What a connection carried while it was busy.
#[derive(Clone, Copy, Default, Debug)]
struct Carried {
    bytes: f64,
    seconds: f64,
}

/// What arrived since some moment.
#[derive(Clone, Copy, Debug)]
struct Look {
    since: Instant,
    bytes: f64,
    busy: Duration,
}

/// What became of a look.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Step {
    /// Everything stays.
    None,
    /// There are more, or fewer.
    Changed,
    /// More of them carry more: a window limits each. Its size in bytes, about.
    Helped(u64),
}

impl Channels {
    pub(super) fn new(most: u16) -> Self {
        Self {
            count: 1,
            most,
            // Where that does not leave too few.
            left: if most < 4 { 0 } else { most.div_ceil(8) },
            busy_with: BUSY_WITH,
            distance: Distance::default(),
            near_since: None,
            takes_long: None,
            pace: 0.0,
            carried: Carried::default(),
            look: None,
            trial: None,
            rests: None,
            busy_at: None,
            answered_at: None,
            tails_at: None,
            window: None,
        }
    }

    /// Connections that are written over.
    pub(super) fn for_writing(most: u16) -> Self {
        Self {
            left: 0,
            busy_with: BUSY_WRITING,
            distance: Distance::for_writing(),
            ..Self::new(most)
        }
    }

    /// The way to this broker, where it is long and something is known of it.
    pub(super) fn way(&self, side: Side, node: NodeId) -> Option<Way> {
        let is_all = self.most == 1;
        let is_busy = self.pace > 0.0;
        let matters = self.count > 1 || self.window.is_some() || is_all || is_busy;
        let in_round_trip = self.pace * self.round_trip().as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not below zero, and a saturating cast"
        )]
        let carried = is_busy.then_some(in_round_trip as u64);
        (self.is_distant() && matters).then(|| Way {
            side,
            broker: node.0,
            connections: self.count,
            is_all,
            round_trip: self.round_trip(),
            window: self.window,
            carried,
        })
    }

    #[cfg(test)]
    pub(super) fn set_count(&mut self, count: u16) {
        self.count = count;
    }

    /// How many there are.
    pub(super) fn count(&self) -> u16 {
        self.count
    }

    pub(super) fn round_trip(&self) -> Duration {
        self.distance.round_trip().unwrap_or_default()
    }

    /// How many there may be beside them, for partitions that are current.
    pub(super) fn count_of_tails(&self) -> u16 {
        self.most.saturating_sub(self.count).min(self.count)
    }

    /// Which of so many, at least one, a partition is read over: partitions of a topic are spread evenly.
    pub(super) fn number_of(partition: &TopicPartition, count: u16) -> u16 {
        let hash = partition.topic.as_str().bytes();
        let hash = hash.fold(0_u32, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(u32::from(byte))
        });
        let place = hash.wrapping_add(u32::try_from(partition.partition).unwrap_or(0));
        u16::try_from(place % u32::from(count.max(1))).unwrap_or(0)
    }

    pub(super) fn is_distant(&self) -> bool {
        self.distance.is_distant()
    }

    /// Whether answers with much in them take long, because of the way or of what the line carries.
    pub(super) fn is_slow(&self) -> bool {
        self.is_distant() || self.takes_long.is_some()
    }

    /// Most bytes of one answer: one that takes long holds up what is new meanwhile, and tells late that the way has become another
    /// one. The first, before anything is known, is small, unless the way is short.
    pub(super) fn answer(&self) -> Option<i32> {
        let is_near = self.distance.round_trip().is_some() && !self.is_distant();
        if is_near && self.pace <= 0.0 {
            return Some(FIRST);
        }
        let time = if is_near {
            NEAR
        } else {
            self.round_trip() * ROUND_TRIPS
        };
        let time = time.as_secs_f64();
        let bytes = (self.pace * time).clamp(LEAST, f64::from(i32::MAX));
        #[expect(clippy::cast_possible_truncation, reason = "clamped")]
        let bytes = bytes as i32;
        Some(bytes)
    }

    /// Takes how long a small question took that was asked over none of these connections.
    pub(super) fn on_question(&mut self, took: Duration, now: Instant) -> Step {
        self.distance.ask(took);
        self.turn(now)
    }

    /// Counts an answer about partitions that are current: it is part of what arrives, and how long it took says nothing, because
    /// news are waited for. As long as there are such answers there remain as many connections.
    pub(super) fn add_of_tails(&mut self, reading: &Reading, now: Instant) -> Step {
        self.tails_at = Some(now);
        if let Some(look) = &mut self.look {
            look.bytes += to_f64(reading.bytes);
        }
        self.measure(reading, now)
    }

    /// What an answer says of the distance.
    fn measure(&mut self, reading: &Reading, now: Instant) -> Step {
        // An answer with something in it may have been waited for, but was not there before a round trip was over.
        let seen = [
            (!reading.round_trip.is_zero()).then_some(reading.round_trip),
            (reading.bytes > 0).then_some(reading.began.unwrap_or(reading.took)),
        ];
        for took in seen.into_iter().flatten() {
            self.distance.bound(took);
        }
        self.turn(now)
    }

    /// What follows where the broker has become far away, or near, or has been near for some time.
    fn turn(&mut self, now: Instant) -> Step {
        let was_near = self.near_since.is_some();
        if self.is_distant() == was_near {
            // What was seen of its connections was of another way, and a step that has yet to show that it helps with it.
            self.count = self.trial.map_or(self.count, |trial| trial.count);
            (self.look, self.trial, self.pace) = (None, None, 0.0);
            self.carried = Carried::default();
            self.near_since = (!was_near).then_some(now);
        }
        let stays = self.near_since;
        let stays = stays.is_some_and(|since| now.saturating_duration_since(since) >= STAYS);
        if stays {
            (self.window, self.rests) = (None, None);
        }
        if !stays || self.count == 1 {
            return Step::None;
        }
        self.count = 1;
        Step::Changed
    }

    /// Takes in that one of several connections could not be made, or broke: if it is one of those that are being tried, a broker may
    /// allow no more, and what is read over it stands still.
    pub(super) fn on_failed(&mut self, number: u16, now: Instant) {
        let count = self.count;
        let tried = |trial: &Trial| trial.count..count;
        if let Some(trial) = self.trial.take_if(|trial| tried(trial).contains(&number)) {
            self.look = None;
            self.take_back(trial, now);
        }
    }

    /// Counts an answer. `is_behind` says whether more partitions than so many have something to catch up with at this broker that a limit
    /// leaves room for: where they have not, more connections carry no more, and that says nothing of them.
    pub(super) fn add(
        &mut self,
        reading: &Reading,
        now: Instant,
        is_behind: impl FnOnce(u16) -> bool,
    ) -> Step {
        let step = self.measure(reading, now);
        self.answered_at = Some(now);
        let bytes = to_f64(reading.bytes);
        // What took a few round trips was not waited for but on its way.
        let is_long = bytes >= self.busy_with;
        if bytes >= LEAST {
            let lasts = |at: &Instant| now.saturating_duration_since(*at) < STAYS;
            self.takes_long = match reading.took >= LONG {
                true => Some(now),
                false => self.takes_long.filter(lasts),
            };
        }
        if is_long {
            self.count_pace(bytes, reading.took);
        }
        if !self.is_distant() {
            return step;
        }
        let (trips, least) = LOOK;
        let trips = match self.trial {
            Some(trial) if trial.settles => ROUND_TRIPS,
            // The answers of one connection follow each other, so that a look ends with what it counts.
            None if self.count == 1 => ROUND_TRIPS,
            _ => trips,
        };
        let enough = least.max(self.round_trip() * trips);
        // What came with the answer that begins a look was on its way before.
        let anew = Look {
            since: now,
            bytes: 0.0,
            busy: Duration::ZERO,
        };
        let Some(look) = &mut self.look else {
            self.look = Some(anew);
            return Step::None;
        };
        let passed = now.saturating_duration_since(look.since);
        // What came of it before the look belongs to the one before.
        let since = reading.took.min(passed);
        look.bytes += bytes * share(since, reading.took);
        if is_long {
            look.busy += since;
        }
        if passed < enough {
            return Step::None;
        }
        let look = std::mem::replace(look, anew);
        let than = self.trial.map_or(self.count, |trial| trial.count);
        self.judge(look, passed, now, is_behind(than))
    }

    /// Counts what a connection carried while it was busy. Answers to several writes may come together, as if the last of them had taken no
    /// time: a measurement has at least a round trip.
    fn count_pace(&mut self, bytes: f64, took: Duration) {
        self.carried.bytes += bytes;
        self.carried.seconds += took.as_secs_f64();
        let Carried { bytes, seconds } = self.carried;
        let far = self.is_distant();
        let is_short = far && seconds < self.round_trip().as_secs_f64();
        if seconds <= 0.0 || is_short {
            return;
        }
        self.carried = Carried::default();
        let pace = bytes / seconds;
        self.pace = if self.pace > 0.0 && far {
            (self.pace * 3.0 + pace) / 4.0
        } else {
            pace
        };
    }

    /// Takes in that time passes: where nothing is carried for long, one connection is enough again.
    pub(super) fn rest(&mut self, now: Instant) {
        let at = self.answered_at;
        let idle = at.is_none_or(|at| now.saturating_duration_since(at) >= IDLE);
        if idle && self.count > 1 {
            self.count = 1;
            (self.look, self.trial) = (None, None);
        }
    }

    fn judge(&mut self, look: Look, passed: Duration, now: Instant, is_behind: bool) -> Step {
        let seconds = passed.as_secs_f64();
        let rate = look.bytes / seconds;
        let busy = look.busy.as_secs_f64() / seconds / f64::from(self.count);
        if let Some(mut trial) = self.trial.take() {
            if trial.settles {
                trial.settles = false;
                self.trial = Some(trial);
                return Step::None;
            }
            if rate < trial.rate * WORTH {
                if !is_behind {
                    // There was nothing left for them to carry: they stay until there is little to read.
                    return Step::None;
                }
                self.take_back(trial, now);
                return Step::Changed;
            }
            self.rests = None;
            self.try_more(busy, rate, now, is_behind);
            return self.helped();
        }
        if busy >= BUSY {
            self.busy_at = Some(now);
        }
        if self.try_more(busy, rate, now, is_behind) {
            return Step::Changed;
        }
        let uses = self.busy_at.max(self.tails_at);
        let idle = uses.is_none_or(|at| now.saturating_duration_since(at) >= IDLE);
        if idle && busy < BUSY / 4.0 && self.count > 1 {
            self.count = 1;
            return Step::Changed;
        }
        Step::None
    }

    /// Undoes a step, and leaves it at that for a while.
    fn take_back(&mut self, trial: Trial, now: Instant) {
        self.count = trial.count;
        let doubled = |rest: Rest| (rest.lasts * 2).min(REST_AT_MOST);
        let lasts = self.rests.map_or(REST, doubled);
        self.rests = Some(Rest {
            until: now + lasts,
            lasts,
            round_trip: self.round_trip(),
            count: trial.count,
        });
    }

    fn try_more(&mut self, busy: f64, rate: f64, now: Instant, is_behind: bool) -> bool {
        let most = self.most - self.left;
        if !is_behind || busy < BUSY || self.count >= most || self.rests(now) {
            return false;
        }
        self.trial = Some(Trial {
            count: self.count,
            rate,
            settles: true,
        });
        self.count = self.count.saturating_mul(STEP).min(most);
        true
    }

    /// Whether it was found a while ago that more than there are do not help, over a way of about this length.
    fn rests(&mut self, now: Instant) -> bool {
        let round_trip = self.round_trip();
        let same = |rest: &Rest| round_trip < rest.round_trip * 2 && self.count >= rest.count;
        self.rests = self.rests.filter(same);
        self.rests.is_some_and(|rest| now < rest.until)
    }

    fn helped(&mut self) -> Step {
        let window = self.pace * self.round_trip().as_secs_f64();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast of a float saturates"
        )]
        let window = window as u64;
        self.window = Some(window);
        Step::Helped(window)
    }
}

/// Which part of a time another one is.
fn share(part: Duration, whole: Duration) -> f64 {
    if whole.is_zero() {
        return 1.0;
    }
    part.as_secs_f64() / whole.as_secs_f64()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an estimate; bytes in memory are far below 2⁵²"
)]
fn to_f64(bytes: usize) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests;
