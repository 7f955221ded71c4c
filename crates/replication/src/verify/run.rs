//! All partitions of a link: several at a time, each with a report.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use config::link::TopicSettings;
use kafka_client::Cluster;
use kafka_client::cluster::Use;
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::describe_configs::{ConfigQuery, DescribeConfigsRequest, ResourceKind};
use kafka_wire::message::metadata::{MetadataResponse, MetadataTopics};
use kafka_wire::types::{TopicName, TopicPartition};
use lifecycle::{OnFailure, Scope};
use tokio::sync::mpsc;

use super::findings::{Difference, Explained, Kind};
use super::partition::{Outcome, Partition, compare};
use super::plan::Range;
use super::read::Log;
use super::show::{ShownRecord, ShownSide, around};
use super::stored::{StoredCopies, StoredCopy};
use crate::origin::registrations;

/// Partitions that are read at the same time.
const AT_ONCE: usize = 4;
/// Topics in one question for settings.
const DESCRIBED: usize = 100;
/// Differences of a partition around which records are shown.
const SHOWN: usize = 5;

/// How closely both sides are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Numbers of records, at the offsets they should have where those are known.
    Counts,
    /// Whether each offset that should have a record has one. Contents are not read.
    Offsets,
    /// Everything.
    Checksum,
}

/// What to do.
#[derive(Clone, PartialEq, Debug)]
pub struct Options {
    /// How closely.
    pub level: Level,
    /// Which part of each partition.
    pub range: Range,
    /// Whether records around differences are read again, to be shown.
    pub contents: bool,
    /// Whether links in both directions write to these topics (`tributary.loop.prevention=required`): then copies that other links
    /// made at the source, and what was first written to the destination, are no part of the comparison.
    pub origins: bool,
}

/// Which producers' records have counterparts on the other side, where links go both ways.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Sides {
    /// Producers at the source whose records are copies that links made.
    pub(super) copies_at_source: HashSet<i64>,
    /// Producers at the destination that stand for the source's records, where others write there too.
    pub(super) copies_at_destination: Option<HashSet<i64>>,
}

impl Sides {
    async fn read(source: &Cluster, destination: &Cluster) -> Result<Self, String> {
        let (Some(here), Some(there)) = (source.cluster_id(), destination.cluster_id()) else {
            return Ok(Self::default());
        };
        let at_source = registrations(source).await;
        let at_source = at_source.map_err(|error| format!("source: {error}"))?;
        let at_destination = registrations(destination).await;
        let at_destination = at_destination.map_err(|error| format!("destination: {error}"))?;
        let both_ways = at_source.iter().any(|(_, origin)| *origin == there);
        let passes_on = !at_source.is_empty();
        let copies = at_destination
            .into_iter()
            .filter(|(_, origin)| *origin == here);
        Ok(Self {
            copies_at_source: at_source
                .into_iter()
                .map(|(producer, _)| producer)
                .collect(),
            copies_at_destination: (both_ways || passes_on)
                .then(|| copies.map(|(producer, _)| producer).collect()),
        })
    }
}

/// A partition and its copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pair {
    /// The partition.
    pub source: TopicPartition,
    /// Its copy.
    pub destination: TopicPartition,
    /// Whether the destination has that partition.
    pub exists: bool,
    /// Whether other partitions are copied to the same one.
    pub merged: bool,
    /// What the link has stored about it.
    pub stored: Option<StoredCopy>,
}

/// How far a comparison is.
#[derive(Debug, Default)]
pub struct Progress {
    /// Partitions there are.
    pub partitions: AtomicU64,
    /// Partitions that are done.
    pub done: AtomicU64,
    /// Records read, of both sides.
    pub records: AtomicU64,
    /// Bytes read, of both sides.
    pub bytes: AtomicU64,
    /// Differences in partitions that are done.
    pub differences: AtomicU64,
}

/// Whether a partition's copy is right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is.
    Equal,
    /// It is not.
    Different,
    /// It cannot be told, and why.
    Unknown(String),
    /// It could not be read, and why.
    Failed(String),
}

/// What is known of one partition in the end.
#[derive(Clone, PartialEq, Debug)]
pub struct PartitionReport {
    /// The partition.
    pub source: TopicPartition,
    /// Its copy.
    pub destination: TopicPartition,
    /// Whether the copy is right.
    pub verdict: Verdict,
    /// Source offsets that were looked at, end exclusive.
    pub source_range: (i64, i64),
    /// Destination offsets that were looked at, end exclusive.
    pub destination_range: (i64, i64),
    /// Whether offsets told which records belong together; otherwise contents did.
    pub by_offset: bool,
    /// Records that were read.
    pub source_records: u64,
    /// Records that were read.
    pub destination_records: u64,
    /// Records that are the same on both sides.
    pub equal: u64,
    /// Part of the source's records that were compared, in percent.
    pub coverage: f64,
    /// What differs for a reason.
    pub explained: Explained,
    /// Differences by kind.
    pub counts: BTreeMap<Kind, u64>,
    /// The first of them.
    pub differences: Vec<(Difference, Vec<ShownRecord>)>,
    /// Hash over all records compared, of both sides.
    pub hashes: (u64, u64),
}

/// All pairs of a link: every partition of every selected topic.
///
/// # Errors
/// When a cluster does not answer.
pub async fn pairs(
    source: &Cluster,
    destination: &Cluster,
    settings: &TopicSettings,
    mut stored: StoredCopies,
) -> Result<Vec<Pair>, String> {
    let answer = source.metadata(MetadataTopics::All).await;
    let answer = answer.map_err(|error| format!("source: {error}"))?;
    let mut copies: Vec<(TopicPartition, TopicName)> = Vec::new();
    for topic in answer.topics {
        let Some(name) = topic
            .name
            .filter(|name| settings.selection.is_selected(name.as_str()))
        else {
            continue;
        };
        let Ok(copy) = settings.naming.apply(name.as_str()) else {
            continue;
        };
        for partition in topic.partitions {
            let source = TopicPartition::new(name.clone(), partition.index);
            copies.push((source, copy.as_str().into()));
        }
    }
    copies.sort();
    let names: BTreeSet<TopicName> = copies.iter().map(|(_, copy)| copy.clone()).collect();
    let answer = destination
        .metadata(MetadataTopics::Topics(names.into_iter().collect()))
        .await;
    let there = partitions_of(answer.map_err(|error| format!("destination: {error}"))?);
    let mut writers: BTreeMap<TopicPartition, u32> = BTreeMap::new();
    let pairs = copies.into_iter().map(|(source, copy)| {
        let stored = stored.remove(&source);
        let copy = stored
            .as_ref()
            .and_then(|s| s.destination.clone())
            .unwrap_or(copy);
        let destination = TopicPartition::new(copy, source.partition);
        *writers.entry(destination.clone()).or_default() += 1;
        Pair {
            exists: there.contains(&destination),
            source,
            destination,
            merged: false,
            stored,
        }
    });
    let mut pairs: Vec<Pair> = pairs.collect();
    for pair in &mut pairs {
        pair.merged = writers[&pair.destination] > 1;
    }
    Ok(pairs)
}

fn partitions_of(answer: MetadataResponse) -> BTreeSet<TopicPartition> {
    let topics = answer
        .topics
        .into_iter()
        .filter(|topic| topic.error == ErrorCode::NONE);
    let partitions = topics.flat_map(|topic| {
        let name = topic.name.unwrap_or_else(|| TopicName::from(""));
        topic
            .partitions
            .into_iter()
            .map(move |p| TopicPartition::new(name.clone(), p.index))
    });
    partitions.collect()
}

/// Compares all pairs. Reports come in the order of the pairs.
///
/// # Errors
/// When it cannot be told which records are copies.
pub async fn verify(
    source: &Cluster,
    destination: &Cluster,
    pairs: Vec<Pair>,
    options: &Options,
    progress: &Arc<Progress>,
) -> Result<Vec<PartitionReport>, String> {
    let sides = if options.origins {
        Sides::read(source, destination).await?
    } else {
        Sides::default()
    };
    let sides = Arc::new(sides);
    progress
        .partitions
        .store(pairs.len() as u64, Ordering::Relaxed);
    let names =
        |of: fn(&Pair) -> &TopicName| pairs.iter().map(of).cloned().collect::<BTreeSet<_>>();
    let (here, there) = tokio::join!(
        compacted(source, names(|pair| &pair.source.topic)),
        compacted(destination, names(|pair| &pair.destination.topic)),
    );
    let count = pairs.len();
    let work = Arc::new(Mutex::new(
        pairs.into_iter().enumerate().collect::<VecDeque<_>>(),
    ));
    let (reports, mut done) = mpsc::channel(AT_ONCE);
    let scope = Scope::new("verify");
    let (here, there) = (Arc::new(here), Arc::new(there));
    for number in 0..AT_ONCE.min(count) {
        let (work, reports) = (Arc::clone(&work), reports.clone());
        let (source, destination) = (source.clone(), destination.clone());
        let (options, progress) = (options.clone(), Arc::clone(progress));
        let (here, there) = (Arc::clone(&here), Arc::clone(&there));
        let sides = Arc::clone(&sides);
        scope.spawn(
            format!("partitions {number}"),
            OnFailure::StopScope,
            async move {
                loop {
                    let next = work
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .pop_front();
                    let Some((index, pair)) = next else { return };
                    let log = |cluster: &Cluster, side, partition: &TopicPartition| Log {
                        cluster: cluster.clone(),
                        side,
                        partition: partition.clone(),
                    };
                    let partition = Partition {
                        source: log(&source, "source", &pair.source),
                        destination: log(&destination, "destination", &pair.destination),
                        compacted: (
                            here.contains(&pair.source.topic),
                            there.contains(&pair.destination.topic),
                        ),
                        pair: &pair,
                        sides: &sides,
                    };
                    let report = one(&partition, &options, &progress).await;
                    progress.done.fetch_add(1, Ordering::Relaxed);
                    let differences = report.counts.values().sum();
                    progress
                        .differences
                        .fetch_add(differences, Ordering::Relaxed);
                    if reports.send((index, report)).await.is_err() {
                        return;
                    }
                }
            },
        );
    }
    drop(reports);
    let mut all = BTreeMap::new();
    while let Some((index, report)) = done.recv().await {
        all.insert(index, report);
    }
    let ended = scope.stop(Duration::ZERO).await;
    tracing::debug!(?ended, "all partitions are done");
    Ok(all.into_values().collect())
}

async fn one(
    partition: &Partition<'_>,
    options: &Options,
    progress: &Arc<Progress>,
) -> PartitionReport {
    let outcome = match unable(partition.pair) {
        Some(reason) => Ok(Outcome {
            unknown: Some(reason.to_owned()),
            ..Outcome::default()
        }),
        None if partition.pair.exists => compare(partition, options, progress).await,
        None => without_copy(partition).await,
    };
    let (outcome, failure) = match outcome {
        Ok(outcome) => (outcome, None),
        Err(problem) => (Outcome::default(), Some(problem)),
    };
    let found = &outcome.findings;
    let verdict = match (failure, outcome.unknown) {
        (Some(problem), _) => Verdict::Failed(problem),
        (None, _) if found.differences() > 0 => Verdict::Different,
        (None, Some(reason)) => Verdict::Unknown(reason),
        (None, None) => Verdict::Equal,
    };
    let mut differences = Vec::new();
    for (number, difference) in found.kept.iter().enumerate() {
        let mut shown = Vec::new();
        if options.contents && number < SHOWN {
            let source = (&partition.source, ShownSide::Source, difference.source);
            let destination = (
                &partition.destination,
                ShownSide::Destination,
                difference.destination,
            );
            for (log, side, offset) in [source, destination] {
                if let Some(offset) = offset.filter(|_| partition.pair.exists) {
                    shown.extend(around(log, side, offset).await);
                }
            }
        }
        differences.push((difference.clone(), shown));
    }
    let explained = found.explained;
    let outside = explained.not_copied_yet
        + explained.before_the_copy
        + explained.retention_at_destination
        + explained.not_sampled;
    let all = found.compared + outside;
    PartitionReport {
        source: partition.pair.source.clone(),
        destination: partition.pair.destination.clone(),
        coverage: match (&verdict, all) {
            (Verdict::Failed(_) | Verdict::Unknown(_), _) => 0.0,
            (_, 0) => 100.0,
            _ => found.compared as f64 * 100.0 / all as f64,
        },
        verdict,
        source_range: outcome.source,
        destination_range: outcome.destination,
        by_offset: outcome.by_offset,
        source_records: found.source_records,
        destination_records: found.destination_records,
        equal: found.equal,
        explained,
        counts: found.counts.clone(),
        differences,
        hashes: (found.source_hash, found.destination_hash),
    }
}

/// Why a pair cannot be compared at all.
fn unable(pair: &Pair) -> Option<&'static str> {
    let is_spread = pair.stored.as_ref().is_some_and(|stored| stored.is_spread);
    is_spread
        .then_some("its records are spread over other partitions, which cannot be compared yet")
}

/// There is no such partition at the destination. That is a difference of its own: without records nothing is missing, and
/// still the copy is not there.
async fn without_copy(partition: &Partition<'_>) -> Result<Outcome, String> {
    use kafka_wire::message::IsolationLevel::ReadCommitted;
    use kafka_wire::message::list_offsets::{EARLIEST, LATEST};
    let start = partition.source.offset(EARLIEST, ReadCommitted).await?;
    let end = partition.source.offset(LATEST, ReadCommitted).await?;
    let mut outcome = Outcome {
        source: (start, end),
        ..Outcome::default()
    };
    outcome.findings.add(Difference {
        kind: Kind::NoCopy,
        source: None,
        destination: None,
        parts: Vec::new(),
        note: Some(format!(
            "{} does not exist at the destination",
            partition.pair.destination
        )),
    });
    let there = u64::try_from(end - start).unwrap_or(0);
    if there > 0 {
        outcome.findings.compared = there;
        outcome.findings.counts.insert(Kind::Missing, there);
    }
    Ok(outcome)
}

/// Topics from which a cleaner removes records. Where settings may not be read, every topic is taken for one: then a
/// missing record with a later one of its key is explained.
async fn compacted(cluster: &Cluster, topics: BTreeSet<TopicName>) -> BTreeSet<TopicName> {
    let all: Vec<TopicName> = topics.iter().cloned().collect();
    let mut compacted = topics;
    for chunk in all.chunks(DESCRIBED) {
        let resources = chunk.iter().map(|topic| ConfigQuery {
            kind: ResourceKind::Topic,
            name: topic.to_string(),
            keys: Some(vec!["cleanup.policy".to_owned()]),
        });
        let request = DescribeConfigsRequest {
            resources: resources.collect(),
        };
        let Ok(answer) = cluster.call_any(Use::Watch, &request).await else {
            continue;
        };
        for resource in answer.resources {
            let policy = resource
                .entries
                .iter()
                .find(|entry| entry.name == "cleanup.policy");
            let policy = policy.and_then(|entry| entry.value.as_deref());
            if policy.is_some_and(|policy| !policy.contains("compact")) {
                compacted.remove(&TopicName::from(resource.name));
            }
        }
    }
    compacted
}
