//! What the brokers are asked before a partition begins: one request for many partitions where that can be.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::time::Duration;

use config::link::StartPosition;
use kafka_client::Cluster;
use kafka_client::cluster::Use;
use kafka_client::offsets::{OffsetAnswer, list_offsets, list_offsets_within};
use kafka_wire::batch::BatchInfo;
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::IsolationLevel;
use kafka_wire::message::describe_configs::{ConfigQuery, DescribeConfigsRequest, ResourceKind};
use kafka_wire::message::describe_producers::DescribeProducersRequest;
use kafka_wire::message::init_producer_id::InitProducerIdRequest;
use kafka_wire::message::list_offsets::LATEST;
use kafka_wire::message::offset_for_leader_epoch::{EpochQuery, OffsetForLeaderEpochRequest};
use kafka_wire::record::Levels;
use kafka_wire::types::{NodeId, ProducerIdentity, TopicId, TopicName, TopicPartition};

use super::super::core::EstablishOrder;
use super::Readings;
use super::evidence::{batches, refused};
use super::peer::{Peer, Unread};
use super::questions::Question;
use super::room::Room;
use crate::placement::Topic;
use crate::position::{Position, advance_sequence};

/// Topics in one DescribeConfigs request.
const DESCRIBED_TOPICS: usize = 500;
/// The setting of a topic that bounds its batches.
const MAX_MESSAGE_BYTES: &str = "max.message.bytes";
/// The setting of a topic that says what becomes of old records.
const CLEANUP_POLICY: &str = "cleanup.policy";
/// The setting of a topic that bounds how old records are.
const OLDEST: &str = "message.timestamp.before.max.ms";
/// The settings of a topic that decide which records it takes. The third time is that of brokers before 3.6.
const TAKING: [&str; 6] = [
    MAX_MESSAGE_BYTES,
    CLEANUP_POLICY,
    OLDEST,
    "message.timestamp.after.max.ms",
    "message.timestamp.difference.max.ms",
    "message.timestamp.type",
];

/// How long a leader may take to tell offsets; leadership may move meanwhile, and it is looked up again then.
const ANSWER: Duration = Duration::from_secs(5);

/// That limit, or a shorter one that is configured.
pub(super) fn within(cluster: &Cluster) -> Duration {
    ANSWER.min(cluster.config().request_timeout)
}

pub(super) fn pick(
    side: &str,
    answers: &Result<HashMap<TopicPartition, OffsetAnswer>, kafka_client::ClientError>,
    partition: &TopicPartition,
) -> Result<i64, String> {
    match answers {
        Err(error) => Err(format!("{side}: {error}")),
        Ok(answers) => match answers.get(partition) {
            Some(Ok(offset)) => Ok(*offset),
            Some(Err(code)) => Err(format!(
                "{side}: ListOffsets of {partition} answered {code}"
            )),
            None => Err(format!(
                "{side}: ListOffsets of {partition} was not answered"
            )),
        },
    }
}

pub(super) async fn epoch_ends(
    source: &Cluster,
    leader: NodeId,
    orders: &[EstablishOrder],
) -> Result<HashMap<TopicPartition, OffsetAnswer>, kafka_client::ClientError> {
    let mut topics: HashMap<_, Vec<EpochQuery>> = HashMap::new();
    for order in orders {
        let Some(epoch) = order.copied_epoch() else {
            continue;
        };
        topics
            .entry(order.source.topic.clone())
            .or_default()
            .push(EpochQuery {
                partition: order.source.partition,
                current_leader_epoch: order.source_epoch,
                leader_epoch: epoch,
            });
    }
    if topics.is_empty() {
        return Ok(HashMap::new());
    }
    let request = OffsetForLeaderEpochRequest {
        topics: topics.into_iter().collect(),
    };
    let limit = within(source);
    let asked = source.call_within(leader, Use::Metadata, &request, limit);
    let answer = asked.await?;
    Ok(answer
        .topics
        .into_iter()
        .flat_map(|(topic, ends)| {
            ends.into_iter()
                .map(move |p| (TopicPartition::new(topic.clone(), p.partition), p))
        })
        // A log that knows no epochs says nothing.
        .filter(|(_, p)| p.error != ErrorCode::NONE || p.end_offset >= 0)
        .map(|(partition, p)| match p.error {
            ErrorCode::NONE => (partition, Ok(p.end_offset)),
            code => (partition, Err(code)),
        })
        .collect())
}

/// Where the source's log ends for what was copied, if it knows. A leader that will not say is asked again: nothing is read
/// from one that was not compared.
pub(super) fn epoch_end(
    epochs: &Result<HashMap<TopicPartition, OffsetAnswer>, kafka_client::ClientError>,
    partition: &TopicPartition,
) -> Result<Option<i64>, String> {
    let epochs = epochs
        .as_ref()
        .map_err(|error| format!("source: {error}"))?;
    match epochs.get(partition).copied() {
        Some(Err(code)) => Err(format!(
            "source: OffsetForLeaderEpoch of {partition} answered {code}"
        )),
        Some(Ok(end)) => Ok(Some(end)),
        None => Ok(None),
    }
}

/// Where partitions begin that are to begin at a time, which may be another one for each topic.
pub(super) async fn offsets_at_time(
    source: &Cluster,
    leader: NodeId,
    orders: &[EstablishOrder],
) -> Result<HashMap<TopicPartition, OffsetAnswer>, kafka_client::ClientError> {
    let mut by_time: HashMap<i64, Vec<TopicPartition>> = HashMap::new();
    for order in orders.iter().filter(|order| order.begins_at_time()) {
        if let StartPosition::Time(time) = order.start {
            by_time.entry(time).or_default().push(order.source.clone());
        }
    }
    let mut offsets = HashMap::new();
    for (time, partitions) in by_time {
        let committed = IsolationLevel::ReadCommitted;
        let found = list_offsets(source, leader, Use::Metadata, &partitions, time, committed);
        offsets.extend(found.await?);
    }
    Ok(offsets)
}

/// Where logs end with what is written in transactions that are still open, of partitions that are to begin behind the last
/// stable offset: a group may have read so far.
pub(super) async fn open_ends(
    source: &Cluster,
    leader: NodeId,
    orders: &[EstablishOrder],
    ends: &Result<HashMap<TopicPartition, OffsetAnswer>, kafka_client::ClientError>,
) -> HashMap<TopicPartition, OffsetAnswer> {
    let end = |order: &EstablishOrder| pick("source", ends, &order.source).ok();
    let beyond = orders
        .iter()
        .filter(|order| end(order).is_some_and(|end| order.begins_behind(end)));
    let partitions: Vec<TopicPartition> = beyond.map(|order| order.source.clone()).collect();
    if partitions.is_empty() {
        return HashMap::new();
    }
    let all = IsolationLevel::ReadUncommitted;
    let limits = (LATEST, all);
    list_offsets_within(
        source,
        leader,
        Use::Metadata,
        &partitions,
        limits,
        within(source),
    )
    .await
    .unwrap_or_default()
}

/// What a partition waits for that is to begin within, or behind, a transaction that is still open.
pub(super) fn waits_for_transactions(
    order: &EstablishOrder,
    end: i64,
    open_end: Option<&OffsetAnswer>,
) -> Option<String> {
    let StartPosition::Offset(at) = order.start else {
        return None;
    };
    if !order.begins_behind(end) {
        return None;
    }
    let partition = &order.source;
    match open_end {
        Some(Ok(open)) if at > *open => None,
        Some(Ok(_)) => Some(format!(
            "source: {partition} is to begin at offset {at}, and a transaction that is open there at {end} has to end first"
        )),
        Some(Err(_)) | None => Some(format!(
            "source: {partition} is to begin at offset {at}; where its log ends was not answered"
        )),
    }
}

/// What a partition waits for whose destination holds batches that are not replicated yet. They may be what was sent before,
/// and no reader is shown them: written once more they would be there twice where the broker has forgotten who wrote them, and
/// markers in any case. Where others of the link write, the log grows all the time.
pub(super) fn waits_for_replicas(
    order: &EstablishOrder,
    end: i64,
    appended: Option<i64>,
) -> Option<String> {
    let appended = appended.filter(|appended| *appended > end && !order.shared)?;
    Some(format!(
        "destination: offsets [{end}, {appended}) of {} wait for replicas that are in sync; nothing is written before it shows \
         what they are",
        order.destination
    ))
}

/// What was found out about a destination topic.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TopicSettings {
    /// The largest batch it takes.
    pub(super) max_message_bytes: Option<u32>,
    /// How hard its broker lets codecs work.
    pub(super) levels: Levels,
    pub(super) topic: Topic,
}

/// What each destination topic takes, and what becomes of its records. Without the right to read settings
/// nothing is known: a limit then shows when a batch is refused.
pub(super) async fn topic_settings(
    destination: &Cluster,
    partitions: &[TopicPartition],
) -> HashMap<TopicName, TopicSettings> {
    let topics: BTreeSet<&TopicName> = partitions.iter().map(|p| &p.topic).collect();
    let topics: Vec<&TopicName> = topics.into_iter().collect();
    let mut settings = HashMap::new();
    for chunk in topics.chunks(DESCRIBED_TOPICS) {
        let resources = chunk
            .iter()
            .map(|topic| ConfigQuery {
                kind: ResourceKind::Topic,
                name: topic.to_string(),
                keys: Some(
                    TAKING
                        .into_iter()
                        .map(str::to_owned)
                        .chain(Levels::CODECS.map(|(codec, _)| level_of(codec)))
                        .collect(),
                ),
            })
            .collect();
        let request = DescribeConfigsRequest { resources };
        let Ok(answer) = destination.call_any(Use::Metadata, &request).await else {
            continue;
        };
        for resource in answer.resources {
            let value = |name: &str| {
                let entry = resource.entries.iter().find(|entry| entry.name == name)?;
                entry.value.as_deref()
            };
            if resource.error != ErrorCode::NONE {
                continue;
            }
            let policies = value(CLEANUP_POLICY).unwrap_or("delete").split(',');
            let policies: Vec<&str> = policies.map(str::trim).collect();
            let oldest = value(OLDEST).and_then(|text| text.parse().ok());
            let found = TopicSettings {
                max_message_bytes: value(MAX_MESSAGE_BYTES).and_then(|text| text.parse().ok()),
                levels: levels(value),
                topic: Topic {
                    compacted: policies.contains(&"compact"),
                    deletes: policies.contains(&"delete"),
                    refuses_old: oldest.is_some_and(|oldest: i64| oldest < i64::MAX),
                    taking: Some(taking(value)),
                },
            };
            settings.insert(TopicName::from(resource.name), found);
        }
    }
    settings
}

fn taking<'a>(value: impl Fn(&str) -> Option<&'a str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    TAKING.map(value).hash(&mut hasher);
    hasher.finish()
}

/// What decides now which records each of these topics takes; nothing of a topic whose settings may not be read.
pub(in super::super) async fn takings(
    destination: &Cluster,
    partitions: &[TopicPartition],
) -> HashMap<TopicName, u64> {
    let settings = topic_settings(destination, partitions).await;
    let found = settings.into_iter();
    found
        .filter_map(|(topic, settings)| Some((topic, settings.topic.taking?)))
        .collect()
}

/// The setting of a topic that says how hard a codec works (KIP-390). Brokers before 3.8 do not have it.
fn level_of(codec: &str) -> String {
    format!("compression.{codec}.level")
}

fn levels<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Levels {
    Levels::CODECS
        .into_iter()
        .fold(Levels::default(), |levels, (name, codec)| {
            let level = value(&level_of(name)).and_then(|text| text.parse().ok());
            // A level that is unknown here, as a later Kafka may have it, is none.
            level
                .and_then(|level| levels.with(codec, level).ok())
                .unwrap_or(levels)
        })
}

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum Tail {
    #[error("{0}")]
    Trouble(String),
    #[error("destination: READ is missing")]
    Forbidden,
}

/// What the broker remembers of the link's own writing.
enum Remembered {
    /// Nothing was written behind the position.
    Nothing,
    /// The sequence of the last record.
    Until(i32),
}

/// What was written behind the position, as far as the broker remembers its writer.
async fn remembered(
    destination: &Peer<'_>,
    order: &EstablishOrder,
    position: &Position,
) -> Option<Remembered> {
    let partition = &order.destination;
    let request = DescribeProducersRequest {
        topics: vec![(partition.topic.clone(), vec![partition.partition])],
    };
    // Brokers before 2.8 do not know it; then everything is read.
    let answer = destination.ask_gently(Use::Store, &request).await?;
    let mut found = answer.topics.into_iter().flat_map(|(_, all)| all);
    let found = found.find(|found| found.error == ErrorCode::NONE)?;
    let mut producers = found.producers.into_iter();
    let own = producers.find(|producer| producer.producer_id == position.producer.id)?;
    if own.producer_epoch != i32::from(position.producer.epoch) || own.last_sequence < 0 {
        return None;
    }
    Some(match advance_sequence(own.last_sequence, 1) {
        next if next == position.sequence => Remembered::Nothing,
        _ => Remembered::Until(own.last_sequence),
    })
}

/// Whether a batch ends with the last record that the broker remembers of the link.
fn is_last(info: &BatchInfo, position: &Position, last: Option<i32>) -> bool {
    let ends = |last| {
        let offsets = i64::from(info.offsets());
        advance_sequence(info.base_sequence, offsets) == advance_sequence(last, 1)
    };
    info.producer_id == position.producer.id
        && info.producer_epoch == position.producer.epoch
        && last.is_some_and(ends)
}

/// Headers of all batches from the position's destination end to the end now, and of the one in front of it. Where others write
/// too, what they have written behind the last record of the link is not read: it can be any number of times as much.
pub(super) async fn read_tail(
    destination: &Peer<'_>,
    order: &EstablishOrder,
    position: &Position,
    readings: Readings,
    room: &mut Room<'_>,
) -> Result<Vec<BatchInfo>, Tail> {
    let from = (position.destination_end.0 - 1).max(readings.destination_start);
    let at = (&order.destination, order.destination_id);
    let mut range = from..readings.destination_end;
    let mut last = None;
    if order.shared && readings.destination_start <= position.destination_end.0 {
        match remembered(destination, order, position).await {
            Some(Remembered::Nothing) => range.end = range.end.min(position.destination_end.0),
            Some(Remembered::Until(sequence)) => last = Some(sequence),
            None => {}
        }
    }
    let is_last = |info: &BatchInfo| is_last(info, position, last);
    headers_until(destination, at, range, is_last, room).await
}

/// Headers of all batches between two offsets, of a partition that is read while no others are.
pub(in super::super) async fn headers(
    destination: &Peer<'_>,
    at: (&TopicPartition, TopicId),
    range: Range<i64>,
) -> Result<Vec<BatchInfo>, Tail> {
    headers_until(destination, at, range, |_| false, &mut Room::alone()).await
}

/// Headers of batches between two offsets, up to the one that is the last that matters.
async fn headers_until(
    destination: &Peer<'_>,
    (partition, topic_id): (&TopicPartition, TopicId),
    range: Range<i64>,
    is_last: impl Fn(&BatchInfo) -> bool,
    room: &mut Room<'_>,
) -> Result<Vec<BatchInfo>, Tail> {
    let mut offset = range.start;
    let mut tail = Vec::new();
    while offset < range.end {
        if offset > range.start {
            room.grow().await;
        }
        let question = Question {
            partition: partition.clone(),
            id: topic_id,
            offset,
            bytes: room.bytes(),
        };
        let fetched = destination.batches(question, room).await;
        let fetched = fetched.map_err(|unread| match unread {
            Unread::Refused(ErrorCode::TOPIC_AUTHORIZATION_FAILED) => Tail::Forbidden,
            Unread::Refused(code) => Tail::Trouble(refused("destination", partition, code)),
            Unread::Trouble(trouble) => Tail::Trouble(trouble),
        })?;
        let before = offset;
        for batch in batches(fetched.records) {
            let info = *batch.info();
            if info.next_offset() > offset {
                offset = info.next_offset();
                tail.push(info);
                if is_last(&info) {
                    return Ok(tail);
                }
            }
        }
        if offset == before {
            return Err(Tail::Trouble(format!(
                "destination: {partition} sends nothing at offset {offset}, below its end {}",
                range.end
            )));
        }
    }
    Ok(tail)
}

pub(super) async fn new_producer(destination: &Peer<'_>) -> Result<ProducerIdentity, String> {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 60_000,
        current: None,
    };
    let answer = destination.ask_any(Use::Metadata, &request).await?;
    answer.producer.ok_or_else(|| {
        format!(
            "destination: InitProducerId was answered with {}",
            answer.error
        )
    })
}
