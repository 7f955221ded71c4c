//! How many connections one source broker is read over; pure.
//!
//! A connection carries at most its window in every round trip, whatever the line could carry, and a broker's window cannot
//! be changed from here. So where a round trip is long and connections are busy all the time, their number is doubled, and
//! stays so only if more arrives. Over short distances there is one.

use std::time::Duration;

use kafka_wire::types::{NodeId, TopicPartition};
use tokio::time::Instant;

use super::super::status::Way;
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

/// Below this round trip a window never matters.
const DISTANT: Duration = Duration::from_millis(5);
/// Over how many round trips it is looked at what arrives, and over how long at least.
const LOOK: (u32, Duration) = (20, Duration::from_millis(500));
/// Share of the time that connections have to be busy reading for more of them to be tried.
const BUSY: f64 = 0.6;
/// By how much more has to arrive over twice the connections.
const WORTH: f64 = 1.1;
/// How long it is left at that where more did not help, at first.
const REST: Duration = Duration::from_secs(60);
const REST_AT_MOST: Duration = Duration::from_secs(1800);
/// Without much to read for so long, one connection is enough again.
const IDLE: Duration = Duration::from_secs(60);
/// Round trips that one answer takes, so that waiting for it is a small part of that.
const ROUND_TRIPS: u32 = 10;
/// Less is not asked for at a time.
const LEAST: f64 = 256.0 * 1024.0;

/// What is known of the connections to one broker.
#[derive(Debug)]
pub(super) struct Channels {
    count: u16,
    most: u16,
    /// The shortest way there and back that was seen.
    round_trip: Option<Duration>,
    /// Bytes per second of one connection while it is busy.
    pace: f64,
    look: Option<Look>,
    trial: Option<Trial>,
    not_before: Option<Instant>,
    rest: Duration,
    busy_at: Option<Instant>,
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
    /// To the first look belongs what was on its way before.
    settles: bool,
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
            round_trip: None,
            pace: 0.0,
            look: None,
            trial: None,
            not_before: None,
            rest: REST,
            busy_at: None,
            tails_at: None,
            window: None,
        }
    }

    /// The way to this broker, where it was so long that more connections were tried.
    pub(super) fn way(&self, node: NodeId) -> Option<Way> {
        let matters = self.count > 1 || self.window.is_some();
        (self.is_distant() && matters).then(|| Way {
            broker: node.0,
            connections: self.count,
            round_trip: self.round_trip(),
            window: self.window,
        })
    }

    /// How many there are.
    pub(super) fn count(&self) -> u16 {
        self.count
    }

    pub(super) fn round_trip(&self) -> Duration {
        self.round_trip.unwrap_or_default()
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
        self.round_trip.is_some_and(|time| time >= DISTANT)
    }

    /// Most bytes of one answer, where the distance bounds it: an answer that takes long holds up what is new meanwhile. The
    /// first one, before anything is known, is small.
    pub(super) fn answer(&self) -> Option<i32> {
        if self.round_trip.is_some() && !self.is_distant() {
            return None;
        }
        let time = self.round_trip().as_secs_f64() * f64::from(ROUND_TRIPS);
        let bytes = (self.pace * time).clamp(LEAST, f64::from(i32::MAX));
        #[expect(clippy::cast_possible_truncation, reason = "clamped")]
        let bytes = bytes as i32;
        Some(bytes)
    }

    /// Counts an answer about partitions that are current: it is part of what arrives, and how long it took says nothing, because
    /// news are waited for. As long as there are such answers there remain as many connections.
    pub(super) fn add_of_tails(&mut self, bytes: usize, now: Instant) {
        self.tails_at = Some(now);
        if let Some(look) = &mut self.look {
            look.bytes += to_f64(bytes);
        }
    }

    /// Counts an answer.
    pub(super) fn add(&mut self, reading: &Reading, now: Instant) -> Step {
        // An answer with something in it may have been waited for, but was not there before a round trip was over.
        let seen = [
            (!reading.round_trip.is_zero()).then_some(reading.round_trip),
            (reading.bytes > 0).then_some(reading.took),
        ];
        let seen = seen.into_iter().flatten().chain(self.round_trip);
        self.round_trip = seen.min();
        if !self.is_distant() {
            return Step::None;
        }
        let bytes = to_f64(reading.bytes);
        let took = reading.took.as_secs_f64();
        // What took a few round trips was not waited for but on its way.
        let is_long = bytes >= LEAST / 4.0 && took > 0.0;
        if is_long {
            let pace = bytes / took;
            self.pace = if self.pace > 0.0 {
                (self.pace * 3.0 + pace) / 4.0
            } else {
                pace
            };
        }
        let (trips, least) = LOOK;
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
        look.bytes += bytes;
        if is_long {
            look.busy += reading.took;
        }
        let passed = now.saturating_duration_since(look.since);
        if passed < enough {
            return Step::None;
        }
        let look = std::mem::replace(look, anew);
        self.judge(look, passed, now)
    }

    fn judge(&mut self, look: Look, passed: Duration, now: Instant) -> Step {
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
                self.count = trial.count;
                self.not_before = Some(now + self.rest);
                self.rest = (self.rest * 2).min(REST_AT_MOST);
                return Step::Changed;
            }
            self.rest = REST;
            self.try_more(busy, rate, now);
            return self.helped();
        }
        if busy >= BUSY {
            self.busy_at = Some(now);
        }
        if self.try_more(busy, rate, now) {
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

    fn try_more(&mut self, busy: f64, rate: f64, now: Instant) -> bool {
        let rests = self.not_before.is_some_and(|at| now < at);
        if busy < BUSY || rests || self.count >= self.most {
            return false;
        }
        self.trial = Some(Trial {
            count: self.count,
            rate,
            settles: true,
        });
        self.count = self.count.saturating_mul(2).min(self.most);
        true
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

#[expect(
    clippy::cast_precision_loss,
    reason = "an estimate; bytes in memory are far below 2⁵²"
)]
fn to_f64(bytes: usize) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIP: Duration = Duration::from_millis(100);

    /// Answers for a minute, of a line that carries `line` bytes per second and connections that carry `each`.
    fn read(channels: &mut Channels, line: f64, each: f64, begin: Instant) -> Vec<u16> {
        let mut counts = Vec::new();
        let mut now = begin;
        while now < begin + Duration::from_secs(60) {
            let count = channels.count();
            let bytes = 800_000.0;
            let pace = each.min(line / f64::from(count));
            let took = TRIP + Duration::from_secs_f64(bytes / pace);
            now += took;
            for _ in 0..count {
                let reading = Reading {
                    throttle: Duration::ZERO,
                    bytes: 800_000,
                    took,
                    round_trip: TRIP,
                    nothing: false,
                };
                channels.add(&reading, now);
            }
            if counts.last() != Some(&channels.count()) {
                counts.push(channels.count());
            }
        }
        counts
    }

    #[test]
    fn connections_are_added_while_each_is_limited_by_its_window() {
        let mut channels = Channels::new(32);
        assert_eq!(channels.way(NodeId(3)), None);
        let counts = read(&mut channels, 50e6, 1e6, Instant::now());
        assert_eq!(counts, [1, 2, 4, 8, 16, 32]);
        let way = channels.way(NodeId(3)).expect("it is far away");
        assert_eq!((way.broker, way.connections, way.round_trip), (3, 32, TRIP));
        let window = way.window.expect("it was found");
        assert!((80_000..=100_000).contains(&window), "{window}");
    }

    #[test]
    fn where_the_line_is_full_the_last_step_is_taken_back() {
        let mut channels = Channels::new(32);
        let counts = read(&mut channels, 4e6, 1e6, Instant::now());
        assert_eq!(counts, [1, 2, 4, 8, 4]);
    }

    #[test]
    fn a_step_is_not_judged_by_what_was_on_its_way_before() {
        let mut channels = Channels::new(4);
        let begin = Instant::now();
        let mut answer = |after: u64, bytes: usize| {
            let reading = Reading {
                throttle: Duration::ZERO,
                bytes,
                took: Duration::from_secs(4),
                round_trip: TRIP,
                nothing: false,
            };
            channels.add(&reading, begin + Duration::from_secs(after));
            channels.count()
        };
        let counts = [0, 1, 2].map(|at| answer(at, 1_000_000));
        assert_eq!(counts, [1, 1, 2]);
        assert_eq!([4, 6].map(|at| answer(at, 4_000_000)), [2, 4]);
        assert_eq!([8, 10].map(|at| answer(at, 4_000_000)), [4, 2]);
    }

    #[test]
    fn there_is_one_over_short_distances() {
        let mut channels = Channels::new(32);
        let mut now = Instant::now();
        for _ in 0..1000 {
            now += Duration::from_millis(10);
            let reading = Reading {
                throttle: Duration::ZERO,
                bytes: 8_000_000,
                took: Duration::from_millis(10),
                round_trip: Duration::from_millis(1),
                nothing: false,
            };
            assert_eq!(channels.add(&reading, now), Step::None);
        }
        assert_eq!((channels.count(), channels.answer()), (1, None));
    }

    #[test]
    fn answers_take_a_few_round_trips_at_the_pace_of_a_connection() {
        let mut channels = Channels::new(1);
        read(&mut channels, 50e6, 1e6, Instant::now());
        let answer = channels.answer().expect("it is distant");
        assert!((800_000..1_100_000).contains(&answer), "{answer}");
    }
}
