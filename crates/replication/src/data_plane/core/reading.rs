//! The reading half of [`Core`]: what each fetcher is to ask for, and what its answers change.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use foldhash::HashMap;
use kafka_client::fetch_session::Wanted;
use kafka_wire::error_code::{ErrorClass, ErrorCode};
use kafka_wire::types::{NodeId, TopicId, TopicPartition};
use tokio::time::Instant;

use super::super::decode::Rules;
use super::super::flow::Stage;
use super::super::pace::AHEAD_AT_LEAST;
use super::super::partition::{Partition, Phase};
use super::super::route::{Blocked, Cause, Routed};
use super::super::send_state::SendState;
use super::super::whole::{answer_of_each, answer_of_tails, whole_shares};
use super::channels::Channel;
use super::orders::FetchOrder;
use super::precedence::{YIELDING, has_left};
use super::turns::precedes;
use super::{Core, Index};

/// How long a fetch may wait for news, at least, while a partition is left out for lack of room: it must be asked for again soon
/// after there is room.
const WAIT_WHILE_HELD_BACK: Duration = Duration::from_millis(5);

/// How long a broker may take beyond the time it is allowed to wait for news before it is looked up whether it still leads, and
/// how often that is looked up then.
const SUSPECT: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_secs(4);

/// Longer than an answer about partitions with something to read takes, unless its line carries little.
const WAITS: Duration = Duration::from_secs(1);

/// Bytes from which an answer says how long reading takes: less may have been waited for. From far away half of it does, because as
/// much as is always read ahead may be asked for in whole batches: were that too little, no more would ever be read ahead.
const MUCH: usize = AHEAD_AT_LEAST;

/// What reading an answer took.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Reading {
    /// How long the broker wants to be left alone.
    pub(crate) throttle: Duration,
    /// Bytes of record batches in the answer.
    pub(crate) bytes: usize,
    /// Bytes of what was encoded anew out of it.
    pub(crate) made: usize,
    /// From the request to the end of the answer.
    pub(crate) took: Duration,
    /// To the beginning of the answer, where that was much sooner.
    pub(crate) began: Option<Duration>,
    /// There and back, where the connection was made for this answer; zero otherwise.
    pub(crate) round_trip: Duration,
    /// Whether there was no record of any partition, and no error.
    pub(crate) nothing: bool,
}

/// One partition of an answer.
#[derive(Debug)]
pub(crate) struct FetchedPartition {
    pub(crate) index: Index,
    /// The topic that was asked.
    pub(crate) topic_id: TopicId,
    /// The offset that was asked for.
    pub(crate) asked: i64,
    /// The life of the partition in which that was.
    pub(crate) life: u64,
    pub(crate) error: ErrorCode,
    /// Last stable offset, −1 where the answer has none.
    pub(crate) last_stable: i64,
    /// A follower that should be asked instead.
    pub(crate) follower: Option<NodeId>,
    pub(crate) routed: Routed,
}

/// What is known of one fetcher.
#[derive(Debug, Default)]
pub(super) struct Reader {
    busy: bool,
    /// When it is looked up whether its broker still leads, unless the answer comes before that.
    suspect: Option<Instant>,
    /// After trouble: not before this.
    not_before: Option<Instant>,
    failures: u32,
    /// How long answers with much in them took lately, and of how many partitions they were.
    took: Duration,
    sharing: usize,
    /// When it asked last, what its answers held lately, and what was paid for the question that is on its way.
    asked_at: Option<Instant>,
    /// When that is to be answered, also where there is nothing new.
    due_at: Option<Instant>,
    expected: usize,
    paid: Option<usize>,
    /// Bytes it asked for, and those of the largest answer lately with more: a batch comes whole however large it is.
    most: i32,
    largest: usize,
    /// The most bytes lately that were encoded anew out of an answer.
    made: usize,
    /// Whether nothing came last.
    rests: bool,
    /// Partitions that may have to be asked for otherwise.
    pub(super) news: BTreeSet<Index>,
    /// What its session asks for.
    pub(super) asked: HashMap<Index, (Wanted, Rules)>,
    /// What its session has yet to let go of.
    removals: Vec<(Index, TopicPartition)>,
    held_back: BTreeSet<Index>,
}

impl Reader {
    pub(super) fn due(&self) -> Option<Instant> {
        self.not_before.filter(|_| !self.busy)
    }

    pub(super) fn suspected(&self) -> Option<Instant> {
        self.suspect.filter(|_| self.busy)
    }

    /// Whether an answer takes long, whatever it was to wait for.
    pub(super) fn waits(&self, now: Instant) -> bool {
        let due_at = self.due_at;
        self.busy && due_at.is_some_and(|at| now.saturating_duration_since(at) >= WAITS)
    }

    /// Whether it could not ask last.
    pub(super) fn fails(&self) -> bool {
        self.failures > 0
    }

    /// The partitions it asked for, if its answer is due for so long that another broker may lead them by now.
    pub(super) fn in_doubt(&mut self, now: Instant) -> Option<impl Iterator<Item = Index> + '_> {
        self.suspected().filter(|at| *at <= now)?;
        self.suspect = Some(now + LOOK_AGAIN);
        Some(self.asked.keys().copied())
    }

    /// From which offset on a partition was asked for, and in which life of it.
    pub(super) fn asked_of(&self, index: Index) -> Option<(i64, u64)> {
        let (wanted, rules) = self.asked.get(&index)?;
        Some((wanted.offset, rules.life))
    }
}

impl Core {
    /// Notes that what is asked for of a partition may have changed, and what it holds.
    pub(super) fn touch_reader(&mut self, index: Index) {
        self.count_held(index);
        self.count_comparing(index);
        let here = self.tell_reader(index);
        // A leader that moved: the former one's session lets go of it with its next request.
        let others = self.readers.iter_mut();
        for (_, reader) in others.filter(|(channel, _)| Some(**channel) != here) {
            if reader.asked.contains_key(&index) || reader.held_back.contains(&index) {
                reader.news.insert(index);
            }
        }
    }

    /// Notes that a partition may have to be asked for otherwise, and says over which connection.
    pub(super) fn tell_reader(&mut self, index: Index) -> Option<Channel> {
        let channel = self.channel_of(index)?;
        self.reader(channel).news.insert(index);
        Some(channel)
    }

    /// What is known of a connection. A new one begins with what the first to the same broker has shown.
    pub(super) fn reader(&mut self, channel: Channel) -> &mut Reader {
        let first = self.readers.get(&Channel::from(channel.node));
        let shown = first.map(|r| (r.took, r.sharing, r.largest, r.made));
        let (took, sharing, largest, made) = shown.unwrap_or_default();
        // What is current has no large answers, as a rule.
        let (largest, made) = if channel.tails {
            (0, 0)
        } else {
            (largest, made)
        };
        self.readers.entry(channel).or_insert_with(|| Reader {
            took,
            sharing,
            largest,
            made,
            ..Reader::default()
        })
    }

    /// The next request of some fetcher that is free, if it has anything to ask.
    pub(crate) fn next_fetch(&mut self, now: Instant) -> Option<(Channel, FetchOrder)> {
        let allowances = self.allowances.as_ref();
        let due = |tails| allowances.and_then(|a| a.due(tails, now));
        let has_tails = self.readers.keys().any(|channel| channel.tails);
        let (all, tails) = (due(false), due(true).filter(|_| has_tails));
        self.waits_for_allowance = [all, tails];
        let readers = self.readers.iter();
        let readers = readers.filter(|(channel, reader)| {
            let waits = self.allowed_at(**channel).is_some();
            let paused = reader.not_before.is_some_and(|at| at > now);
            !waits && !paused && !reader.busy
        });
        let mut free: Vec<_> = readers
            .map(|(channel, reader)| {
                let precedes = precedes(reader.asked_at, reader.expected, reader.most);
                (precedes, *channel)
            })
            .collect();
        free.sort_unstable();
        free.into_iter()
            .find_map(|(_, channel)| Some((channel, self.order(channel, now)?)))
    }

    /// Until when a connection waits for an allowance, as of the last request.
    pub(super) fn allowed_at(&self, channel: Channel) -> Option<Instant> {
        self.waits_for_allowance[usize::from(channel.tails)]
    }

    fn order(&mut self, channel: Channel, now: Instant) -> Option<FetchOrder> {
        let channels = self.channels(channel.node);
        let (way, in_time) = (channels.round_trip(), channels.answer());
        let allowances = self.allowances.as_ref();
        let answer = allowances.and_then(|a| a.answer(way, now));
        let answer = answer.unwrap_or(i32::MAX);
        let limited = allowances.and_then(|allowances| {
            // Those share it that have something to read.
            let asked = self.readers.get(&channel).map(|reader| reader.asked.keys());
            let asked = asked.into_iter().flatten();
            let sharing = asked
                .filter(|index| has_left(&self.partitions, **index))
                .count();
            allowances.share(sharing, way, now)
        });
        let share = limited.unwrap_or(i32::MAX);
        // What is current has little in memory: whether it is read apart changes nothing for the others.
        let readers = self.readers.keys().filter(|channel| !channel.tails).count();
        let memory = answer_of_each(self.settings.memory, readers);
        let answer = answer.min(in_time.unwrap_or(i32::MAX)).min(memory);
        let reader = self.readers.get_mut(&channel)?;
        let news = std::mem::take(&mut reader.news);
        let mut set = Vec::new();
        for index in news {
            set.extend(self.tell(channel, index, share, now));
        }
        let reader = self.readers.get_mut(&channel)?;
        reader.not_before = None;
        if reader.asked.is_empty() {
            if reader.held_back.is_empty() && self.is_beyond(channel) {
                self.readers.remove(&channel);
                self.retired.push(channel);
            }
            return None;
        }
        let max_wait = wait_of(reader, &self.partitions, now).min(self.settings.max_wait);
        // The last partition of an answer is not to be cut in the middle of a batch either. Only a limit makes answers so small
        // that all partitions are looked at for it.
        let answer = limited.map_or(answer, |_| {
            let asked = reader.asked.iter();
            let theirs = asked.filter(|(index, _)| has_left(&self.partitions, **index));
            let shares = theirs.map(|(_, (wanted, _))| wanted.max_bytes);
            whole_shares(answer, shares.max().unwrap_or_default())
        });
        let max_bytes = self.settings.max_fetch_bytes.min(answer);
        // Little is had without waiting for those who need much.
        let max_bytes = match channel.tails {
            true => max_bytes.min(answer_of_tails(self.settings.memory)),
            false => max_bytes,
        };
        reader.busy = true;
        let due_at = now + max_wait;
        (reader.due_at, reader.suspect) = (Some(due_at), Some(due_at + SUSPECT));
        reader.asked_at = Some(now);
        reader.most = max_bytes;
        // The limit may be a lower one by now.
        let expected = reader
            .expected
            .min(usize::try_from(max_bytes).unwrap_or_default());
        let allowances = self.allowances.as_mut();
        reader.paid = allowances.and_then(|a| a.ask(channel.tails, expected, now));
        // While nothing comes no memory is kept for what might.
        let known = (!reader.rests).then_some((reader.largest, reader.made));
        let (largest, made) = known.unwrap_or_default();
        Some(FetchOrder {
            set,
            remove: std::mem::take(&mut reader.removals),
            max_wait,
            max_bytes,
            largest,
            made,
            turn: channel.turn(),
        })
    }

    /// What `node` does not know yet about a partition, if it is to be asked for there.
    fn tell(
        &mut self,
        channel: Channel,
        index: Index,
        share: i32,
        now: Instant,
    ) -> Option<(Index, TopicPartition, Wanted, Rules)> {
        let to = self.partitions.get(&index)?.destination_leader;
        let full = to.is_some_and(|node| self.starve(node, index)) || self.is_compared_later(index);
        let here = self.channel_of(index) == Some(channel);
        let reader = self.readers.get_mut(&channel)?;
        let partition = self.partitions.get(&index)?;
        let settings = &self.settings;
        let share = if partition.yields {
            share.min(YIELDING)
        } else {
            share
        };
        let wanted = (here && !full)
            .then(|| {
                partition.wanted(
                    settings.partition_room,
                    settings.max_partition_bytes.min(share),
                    (reader.took, reader.sharing),
                )
            })
            .flatten();
        if here && partition.is_readable() && wanted.is_none() {
            reader.held_back.insert(index);
        } else {
            reader.held_back.remove(&index);
        }
        let Some(wanted) = wanted else {
            if reader.asked.remove(&index).is_some() {
                reader.removals.push((index, partition.source.clone()));
            }
            return None;
        };
        let oldest = partition.send.as_ref().and_then(SendState::oldest_read);
        let rules = Rules {
            lingers: partition.stay.is_long(oldest, now),
            ..partition.rules(settings)
        };
        let before = reader.asked.insert(index, (wanted, rules.clone()));
        if before.is_none() {
            // Let go of and wanted again before any request was made.
            reader.removals.retain(|(removed, _)| *removed != index);
        }
        let told = before.is_some_and(|(w, r)| w == wanted && r == rules);
        (!told).then(|| (index, partition.source.clone(), wanted, rules))
    }

    /// Takes a fetcher's answer.
    pub(crate) fn on_fetched(
        &mut self,
        channel: Channel,
        partitions: Vec<FetchedPartition>,
        reading: Reading,
        now: Instant,
    ) {
        let is_distant = self.channels(channel.node).is_distant();
        let much = if is_distant { MUCH / 2 } else { MUCH };
        if let Some(reader) = self.readers.get_mut(&channel) {
            if let Some(allowances) = &mut self.allowances {
                let tails = channel.tails;
                allowances.add(tails, reading.bytes, reader.paid.take(), now);
            }
            reader.expected = (reader.expected * 3).saturating_add(reading.bytes) / 4;
            let beyond = usize::try_from(reader.most).is_ok_and(|most| reading.bytes > most);
            let beyond = if beyond { reading.bytes } else { 0 };
            reader.largest = beyond.max(reader.largest / 8 * 7);
            reader.made = reading.made.max(reader.made / 8 * 7);
            reader.rests = reading.bytes == 0;
            reader.busy = false;
            reader.failures = 0;
            let throttle = reading.throttle;
            reader.not_before = (!throttle.is_zero()).then(|| now + throttle);
            if reading.bytes >= much {
                reader.took = (reader.took * 3 + reading.took) / 4;
                reader.sharing = partitions.len();
            }
        }
        self.meter.flow.fetched_bytes += reading.bytes as u64;
        if reading.bytes > 0 {
            self.meter.flow.took(Stage::Fetch, reading.took);
        }
        for fetched in partitions {
            self.meter.flow.apart_bytes += fetched.routed.copied as u64;
            self.take_fetched(fetched, now);
        }
        self.count_channels(channel, &reading, now);
        if reading.nothing && reading.throttle.is_zero() {
            self.nothing_was_read(channel, now);
        }
    }

    /// A fetcher could not ask: again after a pause, and leaders may have moved.
    pub(crate) fn on_fetch_failed(&mut self, channel: Channel, error: &str, now: Instant) {
        let Some(reader) = self.readers.get_mut(&channel) else {
            return;
        };
        // What it paid is not given back: much of the answer may have come. A broker that is not there holds up no other one.
        reader.paid = None;
        reader.expected = 0;
        reader.busy = false;
        reader.failures = reader.failures.saturating_add(1);
        let (first, longest) = self.settings.retry;
        let pause = first
            .saturating_mul(1 << reader.failures.min(8))
            .min(longest);
        reader.not_before = Some(now + pause);
        let affected: Vec<Index> = reader.asked.keys().copied().collect();
        for index in affected {
            if let Some(partition) = self.partitions.get_mut(&index) {
                partition.meet(format!("source: {error}"), now);
                if partition.follower.take().is_some() {
                    self.touch_reader(index);
                }
            }
            self.to_locate.insert(index);
        }
        self.on_connection_failed(channel, now);
    }

    fn take_fetched(&mut self, fetched: FetchedPartition, now: Instant) {
        let index = fetched.index;
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        // An answer to a question of an earlier life, or asked twice.
        if !matches!(partition.phase, Phase::Running)
            || partition.next_fetch != fetched.asked
            || partition.life != fetched.life
            || partition.source_id != fetched.topic_id
        {
            self.touch_reader(index);
            return;
        }
        if fetched.error != ErrorCode::NONE {
            self.fetch_refused(index, fetched.error, now);
            return;
        }
        if let Some(follower) = fetched.follower {
            if partition.read_from() != Some(follower) {
                partition.follower = Some(follower);
                self.touch_reader(index);
            }
            return;
        }
        if fetched.last_stable >= 0 {
            partition.end = Some((fetched.last_stable, now));
        }
        let mut routed = fetched.routed;
        partition.batch_size.note(routed.whole);
        partition.note_skipped(&routed.skipped);
        partition.note_returned(routed.returned);
        if routed.has_holes {
            partition.recovery.distrust_numbers();
        }
        let (mut placed, found) = (true, partition.totals.found);
        for mut piped in std::mem::take(&mut routed.batches) {
            self.meter.read(&mut partition.ages, &mut piped, now);
            placed = placed && partition.read(piped, &mut self.decoder);
        }
        partition.next_fetch = routed.next;
        if routed.next > fetched.asked {
            partition.moved_at = Some(now);
        }
        // Where something could not be placed, reading does not go on.
        if placed && routed.next > fetched.asked {
            partition.has_read(&routed);
        }
        let at_the_end = fetched.last_stable >= 0 && routed.next >= fetched.last_stable;
        if at_the_end {
            partition.current_at = Some(now);
        }
        if at_the_end || routed.blocked.is_some() {
            partition.read_to_the_end();
        }
        partition.recovery.keep_apart(&self.buffers);
        if partition.totals.found > found {
            self.comparing.finds();
        }
        self.note_end(index);
        if self.restart_if_written_off(index, now) {
            return;
        }
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        let news = routed.next != fetched.asked || routed.blocked.is_some() || !placed;
        if partition.send.as_ref().is_some_and(SendState::is_empty) {
            // Reading works; trouble in writing ends with an acknowledgement.
            partition.recover();
        }
        if let Some(blocked) = routed.blocked.filter(|_| placed) {
            partition.blocked = Some(blocked);
        }
        if news {
            self.mark_changed(index);
            self.queue_for_send(index);
            self.settle_blocked(index, now);
        }
        self.touch_reader(index);
    }

    /// Before anything is sent again it has to be stored that what landed is written off.
    pub(super) fn restart_if_written_off(&mut self, index: Index, now: Instant) -> bool {
        let partition = self.partitions.get(&index);
        let written_off = partition.is_some_and(|partition| partition.raise_epoch);
        if written_off {
            let trouble = "what landed is not what the source holds; it is copied again";
            self.restart(index, trouble.to_owned(), now);
        }
        written_off
    }

    fn fetch_refused(&mut self, index: Index, code: ErrorCode, now: Instant) {
        self.note_topic(code);
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        let from_follower = partition.follower.take().is_some();
        let trouble = format!("source: Fetch of {} answered {code}", partition.source);
        match code.class() {
            // The leader knows better than a follower that lags.
            ErrorClass::CheckPosition if from_follower => self.touch_reader(index),
            // The position is compared with the log's start and end before anything is read.
            ErrorClass::CheckPosition => self.restart(index, trouble, now),
            // Left out until it was looked up again: the broker would repeat the refusal at once.
            _ => {
                partition.unreadable = true;
                self.retry(index, trouble, now);
                self.touch_reader(index);
            }
        }
    }

    /// Stops a blocked partition once everything before the obstacle is acknowledged.
    pub(super) fn settle_blocked(&mut self, index: Index, now: Instant) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        let waits = partition.send.as_ref().is_some_and(|send| !send.is_empty());
        let Some(stop) = partition.blocked_stop().filter(|_| !waits) else {
            return;
        };
        let blocked = partition
            .blocked
            .clone()
            .filter(|_| partition.halted.is_none());
        let asides = self.partitions.get(&index).zip(blocked.as_ref());
        if let Some(asides) = asides.and_then(|(p, blocked)| self.blocked_aside(p, blocked)) {
            return self.wait_for_aside(index, asides);
        }
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        // What was damaged on the way is whole when it is read again; once is enough to know.
        let blocked = partition.blocked.as_ref();
        let cannot_be_placed = blocked.is_some_and(|b| b.cause == Cause::CannotPlace);
        if cannot_be_placed && partition.halted.is_none() {
            return self.cannot_place(index, stop, now);
        }
        let damaged = partition.blocked.as_ref().is_some_and(Blocked::is_damage);
        if damaged && partition.count_refusal(stop.offset.unwrap_or(-1), now).0 < 2 {
            let trouble = format!("{}; it is read again", stop.reason);
            self.restart(index, trouble, now);
        } else {
            self.stop(index, stop);
        }
    }
}

/// How long the broker may wait for news: half of the time since what is held back was read, because it will have room after about
/// as long. What is taken slowly, or not at all, would cost two hundred requests a second otherwise.
fn wait_of(
    reader: &Reader,
    partitions: &BTreeMap<Index, Box<Partition>>,
    now: Instant,
) -> Duration {
    let held_back = reader.held_back.iter();
    let read = held_back.filter_map(|index| partitions.get(index)?.moved_at);
    let last = read.max().map(|at| now.saturating_duration_since(at) / 2);
    last.map_or(Duration::MAX, |half| half.max(WAIT_WHILE_HELD_BACK))
}
