//! What is known of one destination broker: what waits for it, what is on its way, and how much may be. It is mostly written over one
//! connection (`lanes.rs`); what the line and the broker carry holds for all of them together.

mod apart;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kafka_wire::types::TopicPartition;
use tokio::time::Instant;

use super::super::pace::Pace;
use super::Index;
use super::lanes::LaneId;
use super::reading::Reading;

pub(super) use apart::{APART, ApartStep};

/// Produce calls open on one connection. A broker serves them one by one; more would only wait there.
pub(crate) const OPEN_CALLS: usize = 5;

/// Bytes written after which it is worth asking how far away a broker is.
const MUCH: usize = 64 * 1024;

/// How long a broker may leave a request unanswered before it is looked up whether it still leads.
const SUSPECT: Duration = Duration::from_secs(3);
/// How often that is looked up then.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Time of a broker's pace that may be on its way, and bytes that always may. Answers of a broker whose replicas lag take seconds
/// whatever is on its way: much less would make it slower still.
const MOMENT: Duration = Duration::from_secs(3);
const LEAST: usize = 1024 * 1024;
/// The most that is expected in a second of a broker whose connection ended with requests on their way: [`LEAST`] follows.
const AFTER_A_CUT: u32 = 300_000;
/// Without anything on its way for so long its pace does not show. Shorter pauses are between all requests of a fast broker.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a broker that owes an answer may give no sign of life before it is silent; and how long at most, whatever its pace
/// explains: one that was asked for little only seems slow.
const SILENT: Duration = Duration::from_secs(5);
const SILENT_AT_MOST: Duration = Duration::from_secs(20);

/// A request without an answer, as its broker's writer knows it.
#[derive(Debug)]
struct Sent {
    tag: u64,
    lane: u16,
    at: Instant,
    bytes: usize,
}

/// One of its connections.
#[derive(Debug, Default)]
struct Lane {
    /// Partitions with something to send, in turn.
    ready: VecDeque<Index>,
    /// Calls on their way, and their bytes.
    open: usize,
    open_bytes: usize,
    /// When something was answered over it last.
    answered_at: Option<Instant>,
    standing: Standing,
}

/// Whether a connection is there to be written over. Where none is, the first one is made by writing over it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Standing {
    #[default]
    Absent,
    Making,
    Stands,
    /// It is one too many, and ends when nothing is on its way over it.
    Leaving,
    /// It could not be made, or broke: it is not tried again before this.
    Failed(Instant),
}

/// What is known of one destination broker.
#[derive(Debug, Default)]
pub(super) struct Writer {
    /// By number.
    lanes: BTreeMap<u16, Lane>,
    /// When it was slow last while something caught up, where what is current is to have a connection of its own.
    slow_at: Option<Instant>,
    /// Bytes on their way, but for those of what is current.
    open_bytes: usize,
    /// Bytes that were answered since it was asked how far away it is.
    answered: usize,
    /// How fast its answers come, and when one came last; those to what is current come as that comes.
    pace: Pace,
    answered_at: Option<Instant>,
    /// Its last sign of life: an answer, and for as long as a quota has it wait behind one.
    heard: Option<Instant>,
    /// Requests without an answer, oldest first.
    sent: VecDeque<Sent>,
    /// When leaders were looked up last, if that was since its last sign of life.
    looked: Option<Instant>,
    /// A quota: the broker does not read from the connection before this.
    pub(super) throttled_until: Option<Instant>,
}

impl Writer {
    /// The connections to write over next: those with something to send that would not only wait behind what is on its way, the one with the
    /// least on it first. Each has less than so many bytes on it.
    pub(super) fn free_lanes(&self, bytes: usize) -> Vec<u16> {
        if self.throttled_until.is_some() {
            return Vec::new();
        }
        let has_room = self.open_bytes < self.most();
        let free = self.lanes.iter().filter(|(number, lane)| {
            let has_room = match **number {
                LaneId::APART => lane.open_bytes < APART,
                _ => has_room && lane.open_bytes < bytes,
            };
            has_room && lane.open < OPEN_CALLS && !lane.ready.is_empty()
        });
        let mut free: Vec<(usize, u16)> = free
            .map(|(number, lane)| (lane.open_bytes, *number))
            .collect();
        free.sort_unstable();
        free.into_iter().map(|(_, number)| number).collect()
    }

    /// Connections that may be written over, by number: those that are there. Where none is, the first one is made.
    pub(super) fn all_usable(&self) -> Vec<u16> {
        let mut usable: Vec<u16> = self.standing().collect();
        if usable.is_empty() {
            usable.push(0);
        }
        usable
    }

    /// This connection, if it may be written over, or one that may.
    pub(super) fn usable(&self, number: u16) -> u16 {
        if self.stands(number) {
            return number;
        }
        self.standing().next().unwrap_or(0)
    }

    fn standing(&self) -> impl Iterator<Item = u16> {
        let lanes = self.lanes.range(..LaneId::APART);
        let standing = lanes.filter(|(_, lane)| lane.standing == Standing::Stands);
        standing.map(|(number, _)| *number)
    }

    pub(super) fn stands(&self, number: u16) -> bool {
        let lane = self.lanes.get(&number);
        lane.is_some_and(|lane| lane.standing == Standing::Stands)
    }

    /// Which ones are to be made beside those that are there for there to be so many, but for those that failed lately. They are taken for
    /// being made from now on.
    pub(super) fn take_to_make(&mut self, count: u16) -> Vec<u16> {
        for (_, lane) in self.lanes.range_mut(..count) {
            if lane.standing == Standing::Leaving {
                lane.standing = Standing::Stands;
            }
        }
        if !(0..count).any(|number| self.stands(number)) {
            return Vec::new();
        }
        let absent = (0..count).filter(|number| {
            let standing = &mut self.lane(*number).standing;
            let is_absent = *standing == Standing::Absent;
            if is_absent {
                *standing = Standing::Making;
            }
            is_absent
        });
        absent.collect()
    }

    /// It is one too many: whether it may end at once, because nothing is on its way over it.
    pub(super) fn lets_go(&mut self, number: u16) -> bool {
        let lane = self.lane(number);
        let is_unused = lane.open == 0;
        lane.standing = match lane.standing {
            Standing::Stands if !is_unused => Standing::Leaving,
            _ => Standing::Absent,
        };
        is_unused
    }

    /// It may be written over from now on.
    pub(super) fn has_come(&mut self, number: u16) {
        self.lane(number).standing = Standing::Stands;
    }

    /// It has ended, and is not to be made again before this where it says so.
    pub(super) fn has_gone(&mut self, number: u16, until: Option<Instant>) {
        self.lane(number).standing = until.map_or(Standing::Absent, Standing::Failed);
    }

    /// All of them are given up.
    pub(super) fn have_gone(&mut self) {
        for lane in self.lanes.values_mut() {
            lane.standing = Standing::Absent;
        }
    }

    /// Those that failed a while ago may be tried again.
    pub(super) fn forgive(&mut self, now: Instant) {
        for lane in self.lanes.values_mut() {
            if matches!(lane.standing, Standing::Failed(until) if until <= now) {
                lane.standing = Standing::Absent;
            }
        }
    }

    /// Partitions with something to send over a connection, in turn.
    pub(super) fn ready(&mut self, number: u16) -> &mut VecDeque<Index> {
        &mut self.lane(number).ready
    }

    /// All of them, which are to be dealt to connections anew.
    pub(super) fn take_ready(&mut self) -> Vec<Index> {
        let lanes = self.lanes.values_mut();
        lanes
            .flat_map(|lane| std::mem::take(&mut lane.ready))
            .collect()
    }

    /// Whether much was written to it since this was asked last.
    pub(super) fn take_much(&mut self) -> bool {
        let much = self.answered >= MUCH;
        if much {
            self.answered = 0;
        }
        much
    }

    fn lane(&mut self, number: u16) -> &mut Lane {
        self.lanes.entry(number).or_default()
    }

    /// Most bytes of one request, and those that are on their way together may be once that much more.
    ///
    /// A request that waits longer than it is given ends its connection, and everything on it is sent again: over a line that
    /// carries little, for ever. And what is new waits behind it.
    pub(super) fn most(&self) -> usize {
        self.pace.bytes_within(MOMENT).max(LEAST)
    }

    /// A request with so many bytes is on its way over a connection.
    pub(super) fn has_sent(&mut self, number: u16, tag: u64, bytes: usize, now: Instant) {
        if number != LaneId::APART {
            let ago = |at| now.saturating_duration_since(at);
            if self.open_bytes == 0 && self.answered_at.is_none_or(|at| ago(at) >= PAUSE) {
                self.pace.go_on(now);
            }
            self.open_bytes += bytes;
        }
        self.sent.push_back(Sent {
            tag,
            lane: number,
            at: now,
            bytes,
        });
        let lane = self.lane(number);
        lane.open += 1;
        lane.open_bytes += bytes;
    }

    /// It is not any more: the connection, if it was the last one there.
    pub(super) fn has_ended(&mut self, tag: u64) -> Option<u16> {
        let place = self.sent.iter().position(|sent| sent.tag == tag)?;
        let sent = self.sent.remove(place)?;
        if sent.lane != LaneId::APART {
            self.open_bytes = self.open_bytes.saturating_sub(sent.bytes);
        }
        if self.sent.is_empty() {
            self.looked = None;
        }
        let lane = self.lane(sent.lane);
        lane.open = lane.open.saturating_sub(1);
        lane.open_bytes = lane.open_bytes.saturating_sub(sent.bytes);
        (lane.open == 0).then_some(sent.lane)
    }

    /// What a request's answer tells of its connection, to be asked before it has ended.
    pub(super) fn reading(&mut self, tag: u64, now: Instant) -> Option<Reading> {
        let sent = self.sent.iter().find(|sent| sent.tag == tag)?;
        let (at, bytes, number) = (sent.at, sent.bytes, sent.lane);
        // A connection serves one after the other.
        let before = self.lane(number).answered_at.replace(now);
        let begin = before.map_or(at, |before| before.max(at));
        Some(Reading {
            bytes,
            took: now.saturating_duration_since(begin),
            began: Some(now.saturating_duration_since(at)),
            ..Reading::default()
        })
    }

    /// So many bytes were answered over a connection.
    pub(super) fn is_answered(&mut self, number: u16, bytes: usize, now: Instant) {
        self.answered = self.answered.saturating_add(bytes);
        // What another connection was told may reach further.
        self.heard = self.heard.max(Some(now));
        self.looked = None;
        if number != LaneId::APART {
            self.answered_at = Some(now);
            self.pace.add(bytes, now);
        }
    }

    /// A quota: it does not read from the connection for so long.
    pub(super) fn is_throttled(&mut self, pause: Duration, now: Instant) {
        self.throttled_until = self.throttled_until.max(Some(now + pause));
        self.heard = self.heard.max(self.throttled_until);
    }

    /// Its connection has ended and left requests without an answer: perhaps because they took longer than they were given, so
    /// what it answered before says no more how much the next one may hold.
    pub(super) fn is_cut(&mut self) {
        self.pace.expect_at_most(AFTER_A_CUT);
    }

    /// When the quota's pause ends, or an answer is due for too long.
    pub(super) fn due(&self) -> Option<Instant> {
        let suspect = self.quiet_since().map(|since| {
            let looked = self.looked.map(|looked| looked + LOOK_AGAIN);
            looked.map_or(since + SUSPECT, |looked| looked.max(since + SUSPECT))
        });
        self.throttled_until.into_iter().chain(suspect).min()
    }

    /// Whether it owes an answer for so long that it may have stopped leading.
    pub(super) fn is_suspect(&self, now: Instant) -> bool {
        let since = self.quiet_since();
        since.is_some_and(|since| now.saturating_duration_since(since) >= SUSPECT)
    }

    /// Whether leaders have been looked up since its last sign of life.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.looked.is_some()
    }

    /// Since when it owes an answer and gives no sign of life. The age of its oldest request says nothing of that: a slow broker
    /// that answers one after the other always has some that are old.
    fn quiet_since(&self) -> Option<Instant> {
        let oldest = self.sent.front()?.at;
        Some(self.heard.map_or(oldest, |heard| heard.max(oldest)))
    }

    /// For how long it has given no sign of life, if that is long, and longer than its pace explains.
    pub(super) fn silent_for(&self, now: Instant) -> Option<Duration> {
        let quiet = now.saturating_duration_since(self.quiet_since()?);
        let others = self.sent.iter().find(|sent| sent.lane != LaneId::APART);
        let owed = others.or_else(|| self.sent.front())?.bytes;
        is_silent(quiet, owed, &self.pace).then_some(quiet)
    }

    /// When a request was sent.
    pub(super) fn sent_at(&self, tag: u64) -> Option<Instant> {
        let sent = self.sent.iter().find(|sent| sent.tag == tag);
        sent.map(|sent| sent.at)
    }

    /// Ends the pause if it is over. Whether leaders have to be looked up, because there is no answer.
    pub(super) fn on_time(&mut self, now: Instant) -> bool {
        self.throttled_until = self.throttled_until.filter(|until| *until > now);
        let again = self
            .looked
            .is_none_or(|looked| now.saturating_duration_since(looked) >= LOOK_AGAIN);
        let looks = again && self.is_suspect(now);
        if looks {
            self.looked = Some(now);
        }
        looks
    }
}

/// Whether a broker is silent that has given no sign of life for so long, while the next answer it owes is of so many bytes: not
/// while twice the time that its pace gives them is not over.
fn is_silent(quiet: Duration, owed: usize, pace: &Pace) -> bool {
    let in_half = pace.bytes_within(quiet / 2);
    // A pace that is not known explains nothing.
    let is_explained = (1..owed).contains(&in_half);
    quiet >= SILENT && (!is_explained || quiet >= SILENT_AT_MOST)
}

/// A Produce request without an answer.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) lane: LaneId,
    /// With the newest time of the batch's records.
    pub(super) partitions: Vec<(TopicPartition, Index, i64)>,
    pub(super) bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// So many bytes are answered in a second.
    fn pace(bytes: usize) -> Pace {
        let begin = Instant::now();
        let mut pace = Pace::default();
        pace.add(0, begin);
        pace.add(bytes, begin + SECOND);
        pace
    }

    #[test]
    fn silence_is_longer_than_what_is_owed_explains_and_never_longer_than_twenty_seconds() {
        let check = |bytes_per_second, owed, seconds: [f64; 2]| {
            let pace = pace(bytes_per_second);
            let silent = seconds.map(|s| is_silent(Duration::from_secs_f64(s), owed, &pace));
            assert_eq!(silent, [false, true], "{owed} at {bytes_per_second}");
        };
        // A fast broker, also with a batch as large as they come; one of which nothing is known.
        check(200_000_000, 100, [4.9, 5.0]);
        check(200_000_000, 100_000_000, [4.9, 5.0]);
        check(0, LEAST, [4.9, 5.0]);
        // As much as is ever sent at once takes 3 s, and a mebibyte over the narrowest lines 7 s.
        check(1_000_000, 3_000_000, [5.9, 6.1]);
        check(150_000, LEAST, [13.9, 14.1]);
        // Hardly anything was asked for when its pace was measured.
        check(100, LEAST, [19.9, 20.0]);
    }

    #[test]
    fn a_broker_is_quiet_since_its_last_answer_and_the_end_of_a_quota_s_pause() {
        let begin = Instant::now();
        let at = |seconds| begin + SECOND * seconds;
        let mut writer = Writer::default();
        assert!(writer.due().is_none());
        for tag in 0..5 {
            writer.has_sent(0, tag, 100, begin);
        }
        // Replicas take 2 s for each.
        for tag in 0..4 {
            let now = at(u32::try_from(tag).expect("small") * 2 + 2);
            assert!(!writer.is_suspect(now) && writer.silent_for(now).is_none());
            assert_eq!(writer.due(), Some(now + SECOND));
            writer.has_ended(tag);
            writer.is_answered(0, 100, now);
        }
        assert!(writer.is_suspect(at(11)) && writer.on_time(at(11)));
        assert_eq!(
            (writer.silent_for(at(12)), writer.due()),
            (None, Some(at(13)))
        );
        assert_eq!(writer.silent_for(at(13)), Some(SECOND * 5));
        // Its answer says that it waits for 9 s.
        writer.has_sent(0, 5, 100, at(13));
        writer.has_ended(4);
        writer.is_answered(0, 100, at(14));
        assert!(!writer.is_in_doubt());
        writer.is_throttled(SECOND * 9, at(14));
        assert!(!writer.on_time(at(23)));
        assert_eq!(writer.due(), Some(at(26)));
        // It has come down to 16 bytes a second.
        assert_eq!(writer.silent_for(at(34)), None);
        assert_eq!(writer.silent_for(at(36)), Some(SECOND * 13));
        writer.has_ended(5);
        assert!(writer.due().is_none() && writer.silent_for(at(60)).is_none());
    }

    #[test]
    fn a_pause_that_was_told_over_one_connection_is_not_shortened_over_another() {
        let now = Instant::now();
        let mut writer = Writer::default();
        writer.has_sent(0, 0, 100, now);
        writer.has_sent(1, 1, 100, now);
        writer.has_sent(0, 2, 100, now);
        writer.has_ended(0);
        writer.is_answered(0, 100, now);
        writer.is_throttled(SECOND * 9, now);
        // This one was answered before, and tells of a second.
        writer.has_ended(1);
        writer.is_answered(0, 100, now);
        writer.is_throttled(SECOND, now);
        assert!(!writer.is_suspect(now + SECOND * 11));
        assert_eq!(writer.throttled_until, Some(now + SECOND * 9));
    }

    #[test]
    fn a_request_that_took_too_long_is_not_followed_by_one_of_the_same_size() {
        let mut writer = Writer {
            pace: pace(10_000_000),
            ..Writer::default()
        };
        assert_eq!(writer.most(), 30_000_000);
        writer.is_cut();
        assert_eq!(writer.most(), LEAST);
        // What is slower than that was known before.
        writer.pace = pace(100);
        writer.is_cut();
        assert_eq!(writer.pace.bytes_within(SECOND), 100);
    }

    #[test]
    fn what_is_on_its_way_is_what_was_answered_within_three_seconds() {
        let mut now = Instant::now();
        let mut writer = Writer::default();
        writer.ready(0).push_back(0);
        for tag in 0..2 {
            assert!(!writer.free_lanes(usize::MAX).is_empty(), "{tag}");
            writer.has_sent(0, tag, 600_000, now);
        }
        assert!(
            writer.free_lanes(usize::MAX).is_empty(),
            "nothing is known of it yet"
        );
        // 1 MB/s from now on, after a while of silence.
        now += Duration::from_secs(60);
        for tag in 0..2 {
            writer.has_ended(tag);
        }
        for tag in 2..20 {
            writer.has_sent(0, tag, 100_000, now);
            now += Duration::from_millis(100);
            writer.has_ended(tag);
            writer.is_answered(0, 100_000, now);
            now += PAUSE;
        }
        assert_eq!(writer.most(), LEAST, "between silences nothing shows");
        // A fast broker has answered everything now and then.
        for tag in 2..20 {
            writer.has_sent(0, tag, 1_000_000, now);
            now += Duration::from_millis(10);
            writer.has_ended(tag);
            writer.is_answered(0, 1_000_000, now);
            now += Duration::from_millis(10);
        }
        assert!(
            (100_000_000..200_000_000).contains(&writer.most()),
            "{}",
            writer.most()
        );
        writer.has_sent(0, 20, 100_000, now);
        for tag in 21..60 {
            writer.has_sent(0, tag, 100_000, now);
            now += Duration::from_millis(100);
            writer.has_ended(tag - 1);
            writer.is_answered(0, 100_000, now);
        }
        assert!(
            (2_900_000..3_100_000).contains(&writer.most()),
            "{}",
            writer.most()
        );
        writer.has_sent(0, 60, 3_100_000, now);
        assert!(writer.free_lanes(usize::MAX).is_empty());
        // One is always allowed, however large.
        writer.has_ended(60);
        writer.has_ended(59);
        writer.has_sent(0, 61, 50_000_000, now);
        assert!(writer.free_lanes(usize::MAX).is_empty());
        writer.has_ended(61);
        assert!(!writer.free_lanes(usize::MAX).is_empty());
    }
}
