//! What one link copies, and how: resolved settings, which cannot be invalid.
//!
//! Deliberately absent: reading keys (see `resolve`); an isolation level, because copies are always read
//! committed: a reader of uncommitted data can neither tell aborted records apart nor take them back.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::bandwidth::Bandwidth;
use crate::client::ClientConfig;
use crate::naming::Naming;
use crate::pattern::PatternList;
use crate::provenance::Provenance;
use crate::selection::TopicSelection;

/// One link: a source, a destination, and what is copied between them.
#[derive(Clone, PartialEq, Debug)]
pub struct LinkConfig {
    /// `name`: unique within a worker, part of where positions are kept.
    pub name: String,
    /// How the source is reached.
    pub source: ClientConfig,
    /// How the destination is reached.
    pub destination: ClientConfig,
    /// Which topics, under which names, created how.
    pub topics: TopicSettings,
    /// How data is read.
    pub fetch: FetchSettings,
    /// How data is written.
    pub produce: ProduceSettings,
    /// `tributary.timestamps=appended`: records get the time at which the source's broker appended them, where
    /// it set one; `producer` leaves those of their producers.
    pub keep_append_time: bool,
    /// `tributary.batch.merge.below`: neighbouring batches of a partition that lags are merged where their mean
    /// size in bytes is below this; 0 for never.
    pub merge_below: u32,
    /// `tributary.start`: where partitions begin that have no position.
    pub start: Start,
    /// `offset.start`, `src.consumer.group.id`: partitions without a position begin where this group of the source
    /// has come to.
    pub start_group: Option<StartGroup>,
    /// `provenance.header.enable`.
    pub provenance: Option<Provenance>,
    /// `tributary.on.refused`, or `errors.tolerance`.
    pub on_refused: OnRefused,
    /// `tributary.quarantine.topic`.
    pub quarantine_topic: String,
    /// `tributary.on.gap`.
    pub on_gap: OnGap,
    /// `tributary.on.recreate`.
    pub on_recreate: OnRecreate,
    /// `tributary.loop.prevention`.
    pub loops: LoopPrevention,
    /// `tributary.on.origins.lost`: whether a lost registry of origins is replaced by what there is.
    pub accept_lost_origins: bool,
    /// `tributary.offsets…`, `tributary.on.foreign.writes`.
    pub offsets: OffsetSettings,
    /// `tributary.health…`.
    pub health: HealthSettings,
    /// `exactly.once.support=required`: records and positions are written in transactions.
    pub transactions: Option<TransactionSettings>,
}

/// How transactions are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TransactionSettings {
    /// `transaction.boundary.interval.ms`, where `transaction.boundary=interval`; `None` for `poll`: what was read together
    /// ends together.
    pub interval: Option<Duration>,
    /// `transaction.timeout.ms`: a transaction that is open for so long is taken back by its coordinator.
    pub timeout: Duration,
}

impl LinkConfig {
    /// What its transactional ids begin with, within a group of workers: the number of a task follows, and for records of
    /// third clusters the origin.
    #[must_use]
    pub fn transactional_id_prefix(&self, group: Option<&str>) -> String {
        format!("{}-{}-", group.unwrap_or("tributary"), self.name)
    }

    /// Whether several source partitions may be copied to one destination partition.
    #[must_use]
    pub fn may_share_partitions(&self) -> bool {
        self.topics.naming.may_merge() || !self.topics.preserve_partitions
    }

    /// Whether records of a source topic can be changed or left out on their way.
    #[must_use]
    pub fn changes_records_of(&self, topic: &str) -> bool {
        let transformed = self.topics.naming.transformed(topic);
        self.provenance.is_some() || transformed.is_some_and(|topic| !topic.records.is_empty())
    }

    /// What makes copies differ from their records, or keeps some away on purpose; nothing where each record is to be at
    /// the destination as it is, in the partition of the same number.
    #[must_use]
    pub fn changes_records(&self) -> Option<&'static str> {
        let chain = self.topics.naming.transforms();
        if chain.is_some_and(|chain| chain.steps.iter().any(|step| step.is_about_records())) {
            Some("transforms")
        } else if self.provenance.is_some() {
            Some("provenance.header.enable=true")
        } else if !self.topics.preserve_partitions {
            Some("topic.preserve.partitions=false")
        } else {
            None
        }
    }
}

/// Which topics are copied, what they are called, how they are created and kept alike.
#[derive(Clone, PartialEq, Debug)]
pub struct TopicSettings {
    /// `topic.whitelist`, `topic.blacklist`, `topic.regex`; `topics`, `topics.exclude`.
    pub selection: TopicSelection,
    /// `tributary.topic.whitelist.strict`: a listed topic that is missing ends the link.
    pub whitelist_strict: bool,
    /// `topic.rename.format`, or MirrorMaker 2's policy.
    pub naming: Naming,
    /// `topic.auto.create`: missing destination topics are created. Too small ones are grown in any case.
    pub auto_create: bool,
    /// `topic.preserve.partitions`: records keep their partition number, and the destination is grown for them.
    pub preserve_partitions: bool,
    /// Replicas of created topics.
    pub replication_factor: ReplicationFactor,
    /// `topic.timestamp.type`, set on every destination topic; `None` leaves it alone (MirrorMaker 2).
    pub timestamp_type: Option<TimestampType>,
    /// `topic.poll.interval.ms`, `refresh.topics.interval.seconds`: period of the scan for new topics and
    /// partitions.
    pub poll_interval: Duration,
    /// `refresh.topics.enabled`: new topics and partitions are looked for also after the first look.
    pub refresh: bool,
    /// `topic.create.backoff.ms`: pause before a refused creation or growth is tried again, per topic.
    pub create_backoff: Duration,
    /// `config.properties.exclude`: names of topic settings that are not copied.
    pub config_exclude: PatternList,
    /// `use.defaults.from`: whose defaults hold where the source topic has no setting of its own.
    pub defaults_from: DefaultsFrom,
    /// `topic.config.sync`, `topic.config.sync.interval.ms` (`sync.topic.configs.…`): period in which settings
    /// of existing topics are compared; `None` means never.
    pub config_sync: Option<Duration>,
    /// `tributary.topic.config.delete`: which settings of the destination are removed.
    pub config_delete: ConfigDelete,
    /// `sync.topic.acls.…`: access rights are copied too.
    pub acls: Option<AclSettings>,
}

impl TopicSettings {
    /// Replicator's defaults for these topics.
    #[must_use]
    pub fn selecting(selection: TopicSelection) -> Self {
        let poll = Duration::from_secs(120);
        Self {
            selection,
            whitelist_strict: false,
            naming: Naming::default(),
            auto_create: true,
            preserve_partitions: true,
            replication_factor: ReplicationFactor::default(),
            timestamp_type: Some(TimestampType::default()),
            poll_interval: poll,
            refresh: true,
            create_backoff: poll,
            config_exclude: PatternList::default(),
            defaults_from: DefaultsFrom::default(),
            config_sync: Some(poll),
            config_delete: ConfigDelete::default(),
            acls: None,
        }
    }
}

/// How many replicas a created topic has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplicationFactor {
    /// `dest.topic.replication.factor=0`: as many as the source topic, or as there are brokers.
    Source {
        /// `tributary.topic.replication.factor.strict`: rather no topic than one with fewer replicas.
        strict: bool,
    },
    /// This number, 1 or more; with fewer brokers the topic is not created.
    Fixed {
        /// How many.
        count: i16,
        /// The key that says so, for who is told that it cannot be had.
        key: &'static str,
    },
    /// `replication.factor=-1`: what the destination's brokers say.
    BrokerDefault,
}

impl Default for ReplicationFactor {
    fn default() -> Self {
        Self::Source { strict: false }
    }
}

/// Whose defaults hold for settings that the source topic does not have itself (`use.defaults.from`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DefaultsFrom {
    /// The destination's: only settings made on the source topic itself are copied.
    #[default]
    Target,
    /// The source's: its effective values are set on the copy.
    Source,
}

/// Which settings of a destination topic are removed when the source has none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ConfigDelete {
    /// All that are managed.
    #[default]
    Follow,
    /// Only those that were set by this link.
    Own,
    /// None.
    Never,
}

/// How access rights are copied.
#[derive(Clone, PartialEq, Debug)]
pub struct AclSettings {
    /// `sync.topic.acls.interval.seconds`.
    pub interval: Duration,
    /// `tributary.acl.mode`.
    pub mode: AclMode,
    /// `tributary.acl.resources` has `topic`.
    pub topics: bool,
    /// `tributary.acl.resources` has `group`.
    pub groups: bool,
    /// `tributary.acl.resources` has `transactional-id`.
    pub transactional_ids: bool,
    /// `tributary.acl.principals`, over `Type:name`.
    pub principals: PatternList,
    /// `tributary.acl.principals.exclude`, over `Type:name`.
    pub principals_exclude: PatternList,
    /// `tributary.acl.delete`: bindings this link made are removed when the source has them no more.
    pub delete: bool,
}

/// How much of the source's rights the copy grants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AclMode {
    /// Reading only: a copy is not written to by others.
    #[default]
    ReadOnly,
    /// Everything, for a copy that is to take over.
    Exact,
}

/// How data is read from the source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchSettings {
    /// `fetch.min.bytes`: a broker answers as soon as it has so much, 1 or more.
    pub min_bytes: i32,
    /// `fetch.max.bytes` of one answer, 1 or more. A larger first batch is still sent.
    pub max_bytes: i32,
    /// `fetch.max.wait.ms`: a broker answers after this time at the latest.
    pub max_wait: Duration,
    /// `max.partition.fetch.bytes`, 1 or more. A larger first batch is still sent.
    pub max_partition_bytes: i32,
    /// `check.crcs`, where it is set to `true` explicitly: batches are verified on arrival too. Checksums of
    /// untouched batches are carried over, so the destination verifies them in any case.
    pub check_crcs: bool,
    /// `tributary.bandwidth.limit`.
    pub bandwidth: Option<Bandwidth>,
    /// `tributary.fetch.connections.max`: most connections to one source broker for reading, and to one of the destination for writing; 1 or
    /// more.
    pub max_connections: u16,
}

/// `tributary.fetch.connections.max`, where it is not set.
const MAX_CONNECTIONS: u16 = 32;
/// Connections that each task may make, however many tasks there are: with fewer none would be left for partitions that are current.
const CONNECTIONS_OF_EACH: u16 = 4;

impl FetchSettings {
    /// What each of so many tasks of a link has of what is meant for all of it.
    #[must_use]
    pub fn divided(mut self, tasks: u32) -> Self {
        let among = u16::try_from(tasks.max(1)).unwrap_or(u16::MAX);
        let connections = self.max_connections.div_ceil(among);
        self.max_connections = connections.max(CONNECTIONS_OF_EACH.min(self.max_connections));
        self.bandwidth = self.bandwidth.map(|bandwidth| bandwidth.divided(tasks));
        self
    }
}

/// How data is written to the destination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProduceSettings {
    /// `max.request.size`: bound of one produce request in bytes. A single larger batch is still sent.
    pub max_request_size: usize,
    /// `max.in.flight.requests.per.connection`: 1..=5, the range in which an idempotent producer keeps order.
    pub max_in_flight: usize,
    /// `request.timeout.ms` of the destination: limit of one produce request and its answer.
    pub request_timeout: Duration,
    /// `compression.<codec>.level` of batches that are encoded anew.
    pub levels: CompressionLevels,
}

/// How hard codecs work on what is encoded anew; without a level as hard as the destination topic says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CompressionLevels {
    /// −1 for its default, or 1 to 9.
    pub gzip: Option<i32>,
    /// 1 to 17.
    pub lz4: Option<i32>,
    /// −131072 to 22.
    pub zstd: Option<i32>,
}

/// A consumer group of the source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StartGroup {
    /// Its id.
    pub id: String,
    /// Whether it was asked for: where it may not be described the link does not start then.
    pub is_given: bool,
}

/// Where partitions begin that have no stored position.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Start {
    /// Those that are there when the link is created. Topics and partitions that appear later begin at their
    /// first record.
    pub everywhere: StartPosition,
    /// Those of single topics, likewise.
    pub topics: BTreeMap<String, StartPosition>,
    /// Single partitions of the source, by topic and number.
    pub partitions: BTreeMap<(String, i32), i64>,
}

/// A place in a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum StartPosition {
    /// The first record the source still has.
    #[default]
    Earliest,
    /// The end.
    Latest,
    /// The first record with this time or a later one, in milliseconds since 1970; the end if there is none.
    Time(i64),
    /// This offset.
    Offset(i64),
    /// No place: the partition stops until it is given one (`auto.offset.reset=none`).
    Nowhere,
}

impl Start {
    /// The place for the partitions of a topic that are there when the link is created.
    #[must_use]
    pub fn of_topic(&self, topic: &str) -> StartPosition {
        self.topics.get(topic).copied().unwrap_or(self.everywhere)
    }

    /// Topics and partitions that are named and are not there, in a sentence each: without it everything of what was
    /// meant would be copied in silence. `partitions` tells how many a topic has that is copied.
    #[must_use]
    pub fn unmet(&self, partitions: impl Fn(&str) -> Option<i32>) -> Vec<String> {
        let topics = self.topics.keys().map(|topic| (topic, None));
        let single = self.partitions.keys();
        let single = single.map(|(topic, number)| (topic, Some(*number)));
        let mut unmet = Vec::new();
        for (topic, number) in topics.chain(single) {
            let wrong = match (partitions(topic), number) {
                (None, _) => format!(
                    "tributary.start names {topic}, which is none of the topics that are copied"
                ),
                (Some(count), Some(number)) if number >= count => format!(
                    "tributary.start names {topic}:{number}, and the partitions of {topic} are numbered up to {}",
                    count - 1
                ),
                _ => continue,
            };
            if !unmet.contains(&wrong) {
                unmet.push(wrong);
            }
        }
        unmet
    }

    /// The offset that was given for a single partition.
    #[must_use]
    pub fn of(&self, topic: &str, partition: i32) -> Option<StartPosition> {
        let key = (topic.to_owned(), partition);
        self.partitions
            .get(&key)
            .map(|at| StartPosition::Offset(*at))
    }
}

/// What happens when records after the position can no longer be read from the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnGap {
    /// The partition stops and says what is missing.
    #[default]
    Stop,
    /// The partition goes on behind the gap, which is recorded.
    Continue,
}

/// Which offsets records get at the destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetSettings {
    /// `tributary.offsets`.
    pub placement: Offsets,
    /// `tributary.offsets.max.padding`: offsets of one partition.
    pub max_padding: i64,
    /// `tributary.offsets.follow.start`: what the source has deleted in front is deleted at the destination.
    pub follow_start: bool,
    /// `tributary.on.foreign.writes`.
    pub on_foreign_writes: OnForeignWrites,
}

impl Default for OffsetSettings {
    fn default() -> Self {
        Self {
            placement: Offsets::Auto,
            max_padding: 1_000_000_000,
            follow_start: true,
            on_foreign_writes: OnForeignWrites::Map,
        }
    }
}

/// `tributary.offsets`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Offsets {
    /// The source's own where that can be had, the next free ones elsewhere.
    #[default]
    Auto,
    /// The source's own; a partition that cannot have them stops.
    Preserve,
    /// The next free ones.
    Map,
}

/// What happens when somebody else has written to a partition that has the source's offsets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnForeignWrites {
    /// The partition stops and says so.
    Stop,
    /// What follows gets the next free offsets.
    #[default]
    Map,
}

/// What happens to a record that the destination does not take: too large, without a key for a compacted topic,
/// with a time outside the topic's window.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnRefused {
    /// Its partition stops and says so.
    #[default]
    Stop,
    /// It is left out, counted and logged.
    Skip,
    /// It is written to a topic of its own, and left out then.
    Quarantine,
}

/// What happens when a topic was deleted and made again, on either side, or a copy was cut short.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OnRecreate {
    /// The topic's partitions stop until somebody decides.
    #[default]
    Stop,
    /// Everything the source has is copied from its first record.
    Restart,
}

/// Whether copies of other links are told apart, so that links in both directions do not copy in circles.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LoopPrevention {
    /// Where names are kept and the permissions are there.
    #[default]
    Auto,
    /// Always; without the permissions the link does not start.
    Required,
    /// Never.
    Off,
}

/// `message.timestamp.type` of destination topics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimestampType {
    /// Records keep the timestamps of their producers.
    #[default]
    CreateTime,
    /// The destination broker stamps records when it appends them.
    LogAppendTime,
}

impl TimestampType {
    /// As the broker spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CreateTime => "CreateTime",
            Self::LogAppendTime => "LogAppendTime",
        }
    }
}

impl Default for FetchSettings {
    /// Those of the Kafka consumer, without a second verification.
    fn default() -> Self {
        Self {
            min_bytes: 1,
            max_bytes: 52_428_800,
            max_wait: Duration::from_millis(500),
            max_partition_bytes: 1_048_576,
            check_crcs: false,
            bandwidth: None,
            max_connections: MAX_CONNECTIONS,
        }
    }
}

impl Default for ProduceSettings {
    fn default() -> Self {
        Self {
            max_request_size: 52_428_800,
            max_in_flight: 5,
            request_timeout: Duration::from_secs(30),
            levels: CompressionLevels::default(),
        }
    }
}

/// What counts as healthy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HealthSettings {
    /// `tributary.health.stall.ms`: a longer standstill of a partition is one.
    pub stall: Duration,
    /// `tributary.health.lag.seconds`: more lag is too much.
    pub objective: Duration,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(20),
            objective: Duration::from_secs(60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_to_start_at_that_are_not_there_are_told_apart() {
        let start = Start {
            topics: BTreeMap::from([
                ("orders".to_owned(), StartPosition::Latest),
                ("ordres".to_owned(), StartPosition::Latest),
            ]),
            partitions: BTreeMap::from([
                (("orders".to_owned(), 2), 17),
                (("orders".to_owned(), 3), 17),
                (("ordres".to_owned(), 0), 17),
            ]),
            ..Start::default()
        };
        let unmet = start.unmet(|topic| (topic == "orders").then_some(3));
        let expected = [
            "tributary.start names ordres, which is none of the topics that are copied",
            "tributary.start names orders:3, and the partitions of orders are numbered up to 2",
        ];
        assert_eq!(unmet, expected);
    }

    #[test]
    fn tasks_share_connections_and_have_four_each_where_there_are_so_many() {
        let each = |max_connections: u16, tasks| {
            let whole = FetchSettings {
                max_connections,
                ..FetchSettings::default()
            };
            whole.divided(tasks).max_connections
        };
        assert_eq!([1, 2, 8, 64].map(|tasks| each(32, tasks)), [32, 16, 4, 4]);
        assert_eq!([1, 3, 10].map(|most| each(most, 8)), [1, 3, 4]);
    }
}
