//! The task that follows partitions of compacted topics, and keeps what it knows where it outlives the process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kafka_client::cluster::Use;
use kafka_client::{ClientError, Cluster};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::describe_configs::{ConfigQuery, DescribeConfigsRequest, ResourceKind};
use kafka_wire::types::{TopicId, TopicName, TopicPartition};
use lifecycle::StopSignal;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::record;
use super::trail::{Missed, Reading, Trail};
use crate::clock::wall_ms;
use crate::position_store::{PositionStore, StoredText};

const CLEANUP_POLICY: &str = "cleanup.policy";
const DELETE_RETENTION: &str = "delete.retention.ms";
/// The state of a topic whose copy may lack deletions.
pub const STATE: &str = "tombstones-missed";
/// Topics in one DescribeConfigs request.
const DESCRIBE_TOPICS: usize = 100;
/// How often settings of topics are read again.
const SETTINGS_EVERY: Duration = Duration::from_secs(600);
/// Pause after settings could not be read.
const SETTINGS_RETRY: Duration = Duration::from_secs(30);
/// A standstill of so many looks is the shortest that can be told from none, and no shorter one than this: the data path
/// tells how far it is once a second.
const LOOKS: u32 = 10;
const SHORTEST: Duration = Duration::from_secs(5);
/// Looks that are remembered; a reading that is older than all of them says nothing.
const LOOKS_KEPT: usize = 128;
/// A time is stored again when it is older by this part of the time for which deletions are kept.
const STORED_PART: i64 = 20;
/// Partitions that are named in a sentence.
const NAMED: usize = 5;

/// A partition as the data path and health see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Where it is read.
    pub source: TopicPartition,
    /// Which topic it is written to.
    pub copy: TopicId,
    /// Next source offset that is not acknowledged.
    pub progress: i64,
    /// Whether the copy was compared with that. Before, what was stored may be less than it has.
    pub settled: bool,
    /// The source's end.
    pub end: i64,
    /// When the end was read.
    pub read: Instant,
}

/// Looks at partitions of topics that are wanted.
pub type Look = Box<dyn Fn(&dyn Fn(&TopicName) -> bool) -> Vec<Seen> + Send>;

/// What it needs.
pub struct StandstillOptions {
    /// The name of the link.
    pub link: String,
    /// Asked for settings of topics.
    pub source: Cluster,
    /// Where positions are kept.
    pub store: PositionStore,
    /// Whether a partition is copied here. What others copy is theirs: they store newer ones.
    pub is_own: Box<dyn Fn(&TopicPartition) -> bool + Send>,
    /// Next source offsets as they were stored before, each with the topic that it was written to.
    pub positions: BTreeMap<TopicPartition, (TopicId, i64)>,
    /// How often partitions are looked at.
    pub interval: Duration,
    /// The partitions of wanted topics that are copied here. Never waits.
    pub look: Look,
}

impl fmt::Debug for StandstillOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StandstillOptions")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}

/// Topics whose copies may lack deletions, with the reason.
type Found = BTreeMap<TopicName, String>;

/// Somebody takes note of what a partition missed.
type Note = (TopicPartition, oneshot::Sender<bool>);

/// Handle to what is known; cheap to clone.
#[derive(Clone, Debug)]
pub struct StandstillHandle {
    found: watch::Receiver<Arc<Found>>,
    notes: mpsc::Sender<Note>,
}

impl StandstillHandle {
    /// Topics whose copies may lack deletions, with the reason.
    #[must_use]
    pub fn found(&self) -> Arc<BTreeMap<TopicName, String>> {
        self.found.borrow().clone()
    }

    /// Takes note of what a partition missed, which then is not shown any more; `false` if it missed nothing.
    pub async fn take_note(&self, partition: TopicPartition) -> bool {
        let (answer, answered) = oneshot::channel();
        let told = self.notes.send((partition, answer)).await;
        told.is_ok() && answered.await.unwrap_or(false)
    }
}

/// What is known of a topic's settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kept {
    /// Deletions stay for so many milliseconds.
    For(i64),
    /// It is not compacted.
    Everything,
}

/// See the module.
pub struct Standstill {
    options: StandstillOptions,
    trails: BTreeMap<TopicPartition, Trail>,
    /// As stored.
    stored: BTreeMap<TopicPartition, Trail>,
    kept: BTreeMap<TopicName, Kept>,
    /// Topics whose settings were asked for, and when all are again.
    asked: BTreeSet<TopicName>,
    settings_at: Instant,
    /// Settings could not be read: not again before.
    not_before: Instant,
    /// Partitions that are copied here, as of the look before.
    here: BTreeSet<TopicPartition>,
    /// The newest looks, on both clocks.
    looks: VecDeque<(Instant, i64)>,
    said: BTreeSet<TopicPartition>,
    /// Whether it could not be stored, and that was said.
    forgetful: bool,
    found: watch::Sender<Arc<Found>>,
    notes: mpsc::Receiver<Note>,
}

impl fmt::Debug for Standstill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standstill")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Standstill {
    /// Follows partitions when it runs; `texts` is what is kept beside positions.
    #[must_use]
    pub fn new(options: StandstillOptions, texts: &[StoredText]) -> (Self, StandstillHandle) {
        let mut stored = record::decode(&options.link, texts);
        stored.retain(|partition, _| (options.is_own)(partition));
        let (found, seen) = watch::channel(Arc::default());
        let (tell, notes) = mpsc::channel(1);
        let now = Instant::now();
        let mut trails = stored.clone();
        for (partition, trail) in &mut trails {
            if let Some((copy, position)) = options.positions.get(partition)
                && *copy == trail.copy
            {
                trail.had(*position);
            }
        }
        let standstill = Self {
            options,
            trails,
            stored,
            kept: BTreeMap::new(),
            asked: BTreeSet::new(),
            settings_at: now,
            not_before: now,
            here: BTreeSet::new(),
            looks: VecDeque::from([(now, wall_ms())]),
            said: BTreeSet::new(),
            forgetful: false,
            found,
            notes,
        };
        let handle = StandstillHandle {
            found: seen,
            notes: tell,
        };
        (standstill, handle)
    }

    /// Looks until `stop` is requested, and then once more.
    pub async fn run(mut self, stop: StopSignal) {
        let mut tick = interval(self.options.interval);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Every branch is cancel-safe: channel and timer keep what was not taken.
            tokio::select! {
                () = stop.requested() => break,
                _ = tick.tick() => self.round(false).await,
                Some((partition, answer)) = self.notes.recv() => {
                    let known = self.trails.get_mut(&partition);
                    let noted = known.is_some_and(|trail| trail.note(wall_ms()));
                    self.show();
                    self.store(false).await;
                    // Who asked may have gone.
                    let _ = answer.send(noted);
                }
            }
        }
        self.round(true).await;
    }

    async fn round(&mut self, last: bool) {
        // Where nothing is compacted there is nothing to follow, until settings are read again.
        let all = self.settings_at <= Instant::now();
        let kept = &self.kept;
        let is_wanted =
            |topic: &TopicName| all || !matches!(kept.get(topic), Some(Kept::Everything));
        let seen = (self.options.look)(&is_wanted);
        self.read_settings(&seen).await;
        let now = (Instant::now(), wall_ms());
        for one in &seen {
            self.follow(one, now.1);
        }
        self.here = seen.into_iter().map(|one| one.source).collect();
        if self.looks.len() == LOOKS_KEPT {
            self.looks.pop_front();
        }
        self.looks.push_back(now);
        self.show();
        self.store(last).await;
    }

    fn follow(&mut self, seen: &Seen, now: i64) {
        let kept = match self.kept.get(&seen.source.topic) {
            None => return,
            Some(Kept::Everything) => {
                self.trails.remove(&seen.source);
                return;
            }
            Some(Kept::For(kept)) => *kept,
        };
        let Some((_, newest)) = self.looks.back().copied() else {
            return;
        };
        let begin = || {
            let current = Reading {
                at: newest,
                end: seen.progress,
            };
            Trail::new(seen.copy, current, None)
        };
        let trail = self.trails.entry(seen.source.clone()).or_insert_with(begin);
        if !seen.copy.is_zero() && trail.copy != seen.copy {
            *trail = begin();
        }
        // A reading counts from the look before it.
        let mut looks = self.looks.iter().rev();
        let Some((_, at)) = looks.find(|(look, _)| *look <= seen.read) else {
            return;
        };
        let reading = Reading {
            at: *at,
            end: seen.end,
        };
        let shortest = self.options.interval.saturating_mul(LOOKS).max(SHORTEST);
        let shortest = i64::try_from(shortest.as_millis()).unwrap_or(i64::MAX);
        let progress = match seen.settled {
            true => seen.progress,
            false => seen.progress.max(trail.current.end),
        };
        trail.look(reading, progress, now, kept.max(shortest));
        if trail.missed.is_none() {
            self.said.remove(&seen.source);
        }
    }

    /// Reads settings of topics that are new, or of all when that is due.
    async fn read_settings(&mut self, seen: &[Seen]) {
        let now = Instant::now();
        let due = self.settings_at <= now;
        if due {
            self.asked.clear();
        }
        let topics: BTreeSet<&TopicName> = seen.iter().map(|one| &one.source.topic).collect();
        let asked = &self.asked;
        let wanted = topics.into_iter().filter(|topic| !asked.contains(*topic));
        let wanted: Vec<TopicName> = wanted.cloned().collect();
        if wanted.is_empty() || self.not_before > now {
            return;
        }
        match describe(&self.options.source, &wanted).await {
            Ok(found) => {
                self.kept.extend(found);
                self.asked.extend(wanted);
                if due {
                    self.settings_at = now + SETTINGS_EVERY;
                }
            }
            // Whoever follows settings says why they cannot be read.
            Err(error) => {
                tracing::debug!("settings of topics cannot be read: {error}");
                self.not_before = now + SETTINGS_RETRY;
            }
        }
    }

    /// Shows topics that missed something; a partition is said once.
    fn show(&mut self) {
        let mut topics: BTreeMap<TopicName, Vec<(i32, Missed)>> = BTreeMap::new();
        let mut new = BTreeSet::new();
        for partition in &self.here {
            let missed = self.trails.get(partition).and_then(|trail| trail.missed);
            let Some(missed) = missed else { continue };
            let all = topics.entry(partition.topic.clone()).or_default();
            all.push((partition.partition, missed));
            if self.said.insert(partition.clone()) {
                new.insert(partition.topic.clone());
            }
        }
        let found: Found = topics
            .into_iter()
            .map(|(topic, missed)| {
                let kept = self.kept.get(&topic).copied();
                let reason = sentence(&missed, kept);
                (topic, reason)
            })
            .collect();
        for topic in new {
            tracing::warn!(
                link = self.options.link,
                %topic,
                state = %STATE,
                "{} ({})",
                found.get(&topic).map_or("", String::as_str),
                crate::help::page(STATE)
            );
        }
        if **self.found.borrow() != found {
            self.found.send_replace(Arc::new(found));
        }
    }

    /// Stores what differs enough from what is stored; in the end all of it.
    async fn store(&mut self, last: bool) {
        let kept = |partition: &TopicPartition| match self.kept.get(&partition.topic) {
            Some(Kept::For(kept)) => *kept / STORED_PART,
            Some(Kept::Everything) | None => i64::MAX,
        };
        let changed = |(partition, trail): &(&TopicPartition, &Trail)| {
            self.stored.get(*partition).is_none_or(|before| {
                before.missed.is_some() != trail.missed.is_some()
                    || before.copy != trail.copy
                    // It is copied anew: who goes on has to know since when.
                    || trail.current.end < before.current.end
                    || trail.current.at - before.current.at > kept(partition)
                    || (last && trail.current != before.current)
            })
        };
        let changed: Vec<(TopicPartition, Trail)> = self
            .trails
            .iter()
            .filter(changed)
            .map(|(partition, trail)| (partition.clone(), trail.clone()))
            .collect();
        let gone: Vec<TopicPartition> = self
            .stored
            .keys()
            .filter(|partition| !self.trails.contains_key(*partition))
            .cloned()
            .collect();
        if changed.is_empty() && gone.is_empty() {
            return;
        }
        let link = &self.options.link;
        let gone_texts = gone
            .iter()
            .map(|partition| record::encode(link, partition, None));
        let texts: Vec<StoredText> = changed
            .iter()
            .map(|(partition, trail)| record::encode(link, partition, Some(trail)))
            .chain(gone_texts)
            .collect();
        match self.options.store.save_texts(&texts).await {
            Ok(()) => {
                self.stored.extend(changed);
                self.stored.retain(|partition, _| !gone.contains(partition));
                if std::mem::replace(&mut self.forgetful, false) {
                    tracing::info!(
                        "up to when copies of compacted topics are complete is stored again"
                    );
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut self.forgetful, true) {
                    tracing::warn!(
                        "up to when copies of compacted topics are complete cannot be stored, it is tried again: {error}"
                    );
                }
            }
        }
    }
}

/// What a topic missed, in a sentence.
fn sentence(missed: &[(i32, Missed)], kept: Option<Kept>) -> String {
    let numbers: Vec<String> = missed
        .iter()
        .take(NAMED)
        .map(|(number, _)| number.to_string())
        .collect();
    let more = match missed.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let since = missed
        .iter()
        .map(|(_, missed)| missed.since)
        .min()
        .unwrap_or(0);
    let until = missed
        .iter()
        .map(|(_, missed)| missed.until)
        .max()
        .unwrap_or(0);
    let seconds = until.saturating_sub(since) / 1000;
    let kept = match kept {
        Some(Kept::For(kept)) => format!(" ({DELETE_RETENTION}={kept})"),
        Some(Kept::Everything) | None => String::new(),
    };
    format!(
        "the copy of partition {}{more} was behind from {} to {} ({seconds} s), which is longer than the source keeps \
         deletions{kept}: keys that were deleted there in between may still be in the copy",
        numbers.join(", "),
        shown(since),
        shown(until)
    )
}

fn shown(ms: i64) -> String {
    let time = Timestamp::from_second(ms.div_euclid(1000));
    time.map_or_else(|_| format!("{ms} ms"), |time| time.to_string())
}

/// Topics whose settings can be read. Those of others are not known, and nothing is said of them.
async fn describe(
    source: &Cluster,
    topics: &[TopicName],
) -> Result<BTreeMap<TopicName, Kept>, ClientError> {
    let mut found = BTreeMap::new();
    let keys = [CLEANUP_POLICY, DELETE_RETENTION].map(str::to_owned);
    for chunk in topics.chunks(DESCRIBE_TOPICS) {
        let resources = chunk.iter().map(|topic| ConfigQuery {
            kind: ResourceKind::Topic,
            name: topic.to_string(),
            keys: Some(keys.to_vec()),
        });
        let request = DescribeConfigsRequest {
            resources: resources.collect(),
        };
        let answer = source.call_any(Use::Admin, &request).await?;
        for resource in answer.resources {
            if resource.error != ErrorCode::NONE {
                continue;
            }
            let value = |name: &str| {
                let entry = resource.entries.iter().find(|entry| entry.name == name)?;
                entry.value.clone()
            };
            let is_compacted =
                value(CLEANUP_POLICY).is_some_and(|policy| policy.contains("compact"));
            let kept = value(DELETE_RETENTION).and_then(|ms| ms.trim().parse().ok());
            let kept = match (is_compacted, kept) {
                (true, Some(kept)) => Kept::For(kept),
                (true, None) => continue,
                (false, _) => Kept::Everything,
            };
            found.insert(TopicName::from(resource.name), kept);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use config::client::{ClientConfig, HostPort};
    use lifecycle::Scope;

    use super::*;
    use crate::position_store::FileStore;

    /// What a process that copies only `own` leaves stored of two partitions: both were stored at 10, and both copies had
    /// come to 50.
    async fn left(own: fn(&TopicPartition) -> bool, meanwhile: &[StoredText]) -> Vec<i64> {
        let directory = tempfile::tempdir().expect("a directory");
        let file = FileStore::open(&directory.path().join("positions")).expect("a new file");
        let store = PositionStore::File(file);
        let places = [0, 1].map(|number| TopicPartition::new("t".into(), number));
        let copy = TopicId([1; 16]);
        let trail = Trail::new(copy, Reading { at: 1, end: 10 }, None);
        let texts = places.each_ref();
        let texts = texts.map(|place| record::encode("l", place, Some(&trail)));
        store.another().save_texts(&texts).await.expect("stored");
        let address = HostPort {
            host: "127.0.0.1".to_owned(),
            port: 1,
        };
        let options = StandstillOptions {
            link: "l".to_owned(),
            source: Cluster::new(ClientConfig::new(vec![address]), "nobody is asked"),
            store: store.another(),
            is_own: Box::new(own),
            positions: places
                .each_ref()
                .map(|place| (place.clone(), (copy, 50)))
                .into(),
            interval: Duration::from_secs(2),
            look: Box::new(|_| Vec::new()),
        };
        let (standstill, _handle) = Standstill::new(options, &texts);
        store.another().save_texts(meanwhile).await.expect("stored");
        let scope = Scope::new("test");
        let stop = scope.stop_signal();
        assert!(scope.stop(Duration::ZERO).await.is_clean());
        standstill.run(stop).await;
        let texts = store.another().load_texts().await.expect("readable");
        let found = record::decode("l", &texts);
        places
            .iter()
            .map(|place| found[place].current.end)
            .collect()
    }

    #[tokio::test]
    async fn what_others_copy_is_not_stored_again_over_what_they_have_stored_since() {
        let newer = Trail::new(TopicId([1; 16]), Reading { at: 9, end: 80 }, None);
        let other = TopicPartition::new("t".into(), 1);
        let newer = [record::encode("l", &other, Some(&newer))];
        assert_eq!(left(|place| place.partition == 0, &newer).await, [50, 80]);
        // Whoever copies all of it is the only one who stores.
        assert_eq!(left(|_| true, &newer).await, [50, 50]);
    }

    #[test]
    fn what_was_missed_is_told_with_partitions_times_and_the_setting() {
        let missed = Missed {
            since: 1_764_144_000_000,
            until: 1_764_240_000_000,
        };
        let of = |count: i32| {
            (0..count)
                .map(|number| (number, missed))
                .collect::<Vec<_>>()
        };
        let one = sentence(&of(1), Some(Kept::For(86_400_000)));
        assert!(
            one.contains(
                "partition 0 was behind from 2025-11-26T08:00:00Z to 2025-11-27T10:40:00Z (96000 s)"
            ),
            "{one}"
        );
        assert!(one.contains("(delete.retention.ms=86400000)"), "{one}");
        assert!(sentence(&of(8), None).contains("partition 0, 1, 2, 3, 4 and 3 more was"));
    }
}
