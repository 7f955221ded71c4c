//! From a stored position and two logs to the exact place where copying goes on.
//!
//! ```text
//!   position:       source offset S, destination end D, producer P, next sequence q
//!   destination:    … ──────────── D [P q..][foreign][P ..] ──▶ end
//!                                    └── batches of ours behind D: they are already there,
//!                                        so as many source offsets behind S are not sent again
//! ```
//!
//! The position may be older than the log: what was written since is recognised by producer and
//! sequence, which must go on from `q` without a hole. So nothing is lost and nothing is copied twice
//! after a kill, and foreign writers in the same partition do not disturb the count.
//!
//! Decisions are in [`decide`] and [`landing`], which are pure; the rest asks the brokers.

mod adoption;
mod ask;
mod behind;
mod evidence;
mod first;
mod given_up;
mod landing;
mod missing;
mod peer;
mod preserve;
mod producers;
mod questions;
mod room;
mod survey;
mod together;
mod transact;

use std::collections::HashMap;

use config::link::{OnGap, StartPosition};
use kafka_client::cluster::Use;
use kafka_client::offsets::{OffsetAnswer, appended_ends, list_offsets_within};
use kafka_client::{ClientError, Cluster};
use kafka_wire::batch::BatchInfo;
use kafka_wire::message::IsolationLevel;
use kafka_wire::message::list_offsets::{EARLIEST, LATEST};
use kafka_wire::record::Levels;
use kafka_wire::types::{NodeId, ProducerIdentity, TopicPartition};

use self::ask::{
    Tail, epoch_end, epoch_ends, new_producer, offsets_at_time, open_ends, pick, read_tail,
    topic_settings, waits_for_replicas, waits_for_transactions, within,
};
pub(super) use self::ask::{headers, takings};
use self::behind::{destination_behind, replaced};
use self::landing::count_landed;
#[cfg(test)]
use self::landing::landed;
use self::missing::{is_short, missing, short};
pub(super) use self::peer::Peer;
#[cfg(test)]
pub(super) use self::producers::Made;
use self::survey::Means;
pub(super) use self::survey::Survey;
use self::together::together;
#[cfg(test)]
pub(super) use self::transact::exact;
use super::core::{EstablishOrder, Established, Ground, Index};
use super::partition::{Loss, Stop};
use super::recovery::Landed;
use crate::placement;
use crate::position::{Placement, Position, advance_sequence};
use crate::side::{Destination, Source};

/// Readings of a destination end below the position before it is believed: behind a new leader the
/// high watermark can lag for a moment.
const READINGS: u32 = 6;

/// What the brokers say about one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Readings {
    pub(super) log_start: i64,
    /// Last stable offset of the source.
    pub(super) end: i64,
    /// Where the source's log ends for the position's leader epoch, if it knows that epoch.
    pub(super) epoch_end: Option<i64>,
    pub(super) destination_start: i64,
    pub(super) destination_end: i64,
    /// The destination topic's `max.message.bytes`, where it may be read.
    pub(super) max_message_bytes: Option<u32>,
    /// Its levels of compression, where they may be read.
    pub(super) levels: Levels,
    /// Offset of the first record at or behind the time to start at, where there is one.
    pub(super) at_time: Option<i64>,
    /// What the destination topic is.
    pub(super) topic: placement::Topic,
}

impl Readings {
    /// What they say about offsets, without a reason.
    pub(super) fn ground(&self) -> Ground {
        Ground {
            compacted: self.topic.compacted,
            taking: self.topic.taking,
            deletes: self.topic.deletes,
            source_start: self.log_start,
            destination_start: self.destination_start,
            levels: self.levels,
            reason: Box::default(),
            padded: 0,
            copies: Box::default(),
            lost: None,
        }
    }
}

#[cfg(test)]
pub(super) mod preserving {
    //! For the simulation of lives in which offsets are preserved.
    pub(in super::super) use super::given_up::{behind_padding, mapped_behind};
    pub(in super::super) use super::preserve::{
        Digests, Ending, compare, digests, go_on, has_strangers, recognises,
    };
    pub(in super::super) use super::survey::is_unsettled;
}

/// See [`Survey`].
pub(super) async fn survey_of<'a>(
    source: &'a Cluster,
    destination: &'a Cluster,
    leaders: (NodeId, NodeId),
    orders: &[EstablishOrder],
) -> Survey<'a> {
    Survey::new(source, destination, leaders, orders).await
}

/// The offset that was answered for a partition, if one was.
pub(super) fn offset_of(
    answers: &Result<HashMap<TopicPartition, OffsetAnswer>, ClientError>,
    partition: &TopicPartition,
) -> Option<i64> {
    answers
        .as_ref()
        .ok()?
        .get(partition)?
        .as_ref()
        .ok()
        .copied()
}

/// Compares a group of partitions that have the same two leaders.
pub(crate) async fn establish(
    source: &Cluster,
    destination: &Cluster,
    (from, to): (NodeId, NodeId),
    orders: Vec<EstablishOrder>,
) -> Vec<(Index, Established)> {
    let sources: Vec<_> = orders.iter().map(|o| o.source.clone()).collect();
    let destinations: Vec<_> = orders.iter().map(|o| o.destination.clone()).collect();
    let (committed, all) = (
        IsolationLevel::ReadCommitted,
        IsolationLevel::ReadUncommitted,
    );
    // In front of the ends that consumers are told of: what was appended by now is in them, or is not replicated yet.
    let limit = within(destination);
    let appended = appended_ends(destination, to, Use::Metadata, &destinations, limit).await;
    let (starts, ends, epochs, destination_starts, destination_ends, settings) = tokio::join!(
        offsets(source, from, &sources, (EARLIEST, committed)),
        offsets(source, from, &sources, (LATEST, committed)),
        epoch_ends(source, from, &orders),
        offsets(destination, to, &destinations, (EARLIEST, all)),
        offsets(destination, to, &destinations, (LATEST, all)),
        topic_settings(destination, &destinations),
    );
    // Behind the ends: a record that comes in between would be in front of an end that was read later, and without an
    // offset, because at its time there was none yet.
    let (times, open) = tokio::join!(
        offsets_at_time(source, from, &orders),
        open_ends(source, from, &orders, &ends),
    );
    let read = |order: &EstablishOrder| -> Result<Readings, String> {
        let settings = settings.get(&order.destination.topic);
        Ok(Readings {
            log_start: pick("source", &starts, &order.source)?,
            end: pick("source", &ends, &order.source)?,
            epoch_end: epoch_end(&epochs, &order.source)?,
            destination_start: pick("destination", &destination_starts, &order.destination)?,
            destination_end: pick("destination", &destination_ends, &order.destination)?,
            at_time: match order.begins_at_time() {
                true => Some(pick("source", &times, &order.source)?).filter(|at| *at >= 0),
                false => None,
            },
            max_message_bytes: settings.and_then(|settings| settings.max_message_bytes),
            levels: settings.map_or_else(Levels::default, |settings| settings.levels),
            topic: settings.map_or(placement::Topic::UNKNOWN, |settings| settings.topic),
        })
    };
    let waits = |order: &EstablishOrder, readings: &Readings| {
        let appended = offset_of(&appended, &order.destination);
        waits_for_replicas(order, readings.destination_end, appended)
            .or_else(|| waits_for_transactions(order, readings.end, open.get(&order.source)))
    };
    let readings = orders.iter().map(|order| {
        let readings = read(order)?;
        waits(order, &readings).map_or(Ok(readings), Err)
    });
    let readings: Vec<_> = readings.collect();
    let survey = Survey::new(source, destination, (from, to), &orders).await;
    together(survey, &orders, &readings).await
}

async fn offsets(
    cluster: &Cluster,
    leader: NodeId,
    partitions: &[TopicPartition],
    asked: (i64, IsolationLevel),
) -> Result<HashMap<TopicPartition, OffsetAnswer>, ClientError> {
    let limit = within(cluster);
    list_offsets_within(cluster, leader, Use::Metadata, partitions, asked, limit).await
}

/// A partition whose records get the next free offsets, for this reason.
async fn mapped(
    destination: &Peer<'_>,
    order: &EstablishOrder,
    readings: Readings,
    reason: String,
    means: &mut Means<'_>,
) -> Established {
    let ground = Ground {
        reason: reason.into(),
        ..readings.ground()
    };
    let Some(position) = &order.position else {
        if let Some(stop) = no_beginning(order, readings) {
            return Established::Stop(stop);
        }
        let identity = match means.producers.for_records(&order.destination).await {
            Ok(identity) => identity,
            Err(trouble) => return Established::Retry(trouble),
        };
        let there = readings.destination_end - readings.destination_start;
        if there > 0 && !order.shared && order.given_up.is_none() {
            // It is used as it is; who did not expect that has to be able to find out.
            tracing::warn!(
                partition = %order.source,
                destination = %order.destination,
                records = there,
                "the destination holds existing data not written by this link; its copies go behind it"
            );
        }
        return Established::Ready {
            position: first_position(order, readings, identity),
            landed: Vec::new(),
            max_message_bytes: readings.max_message_bytes,
            store_first: true,
            repeated: 0,
            end: readings.end,
            ground,
        };
    };
    let behind = position.destination_end.0 > readings.destination_end;
    if behind && order.readings < READINGS {
        return Established::Behind(destination_behind(order, position, readings).reason);
    }
    let tail = if readings.destination_end > position.destination_end.0 {
        match read_tail(destination, order, position, readings, &mut means.room).await {
            Ok(mut tail) => {
                if let Some(stop) = replaced(order, position, &tail) {
                    return Established::Stop(stop);
                }
                tail.retain(|batch| batch.base_offset >= position.destination_end.0);
                tail
            }
            Err(Tail::Trouble(trouble)) => return Established::Retry(trouble),
            Err(Tail::Forbidden) => {
                tracing::warn!(
                    partition = %order.source,
                    "the destination's log cannot be read (READ on topic {} is missing): records behind its \
                     offset {} up to {} may be copied twice",
                    order.destination.topic, position.destination_end, readings.destination_end
                );
                Vec::new()
            }
        }
    } else {
        Vec::new()
    };
    if survey::is_unsettled(order, position, readings, &tail) {
        return Established::Unsettled(readings.destination_end);
    }
    decide(order, position.clone(), readings, &tail)
}

/// Why a partition without a position cannot begin where it is told to.
pub(super) fn no_beginning(order: &EstablishOrder, readings: Readings) -> Option<Stop> {
    let stop = |state, offset, reason| {
        Some(Stop {
            state,
            offset,
            reason,
            lost: None,
        })
    };
    let (source, first, end) = (&order.source, readings.log_start, readings.end);
    match order.start {
        StartPosition::Nowhere => stop(
            "no-position",
            None,
            format!(
                "{source} has no position, and auto.offset.reset is none; say where to begin by tributary.start"
            ),
        ),
        StartPosition::Offset(at) if at > end => stop(
            "no-position",
            Some(at),
            format!("{source} is to begin at offset {at}, but its log ends at {end}"),
        ),
        StartPosition::Offset(at) if at < first && order.on_gap == OnGap::Stop => stop(
            "source-gap",
            Some(at),
            format!(
                "{source} is to begin at offset {at}, but its log now starts at {first}: {} offsets [{at}, {first}) \
                 are lost. Set tributary.on.gap=continue to begin at {first}",
                first - at
            ),
        ),
        _ => None,
    }
}

/// Where a partition begins that has no position.
pub(super) fn first_position(
    order: &EstablishOrder,
    readings: Readings,
    producer: ProducerIdentity,
) -> Position {
    let offset = match order.start {
        StartPosition::Earliest => readings.log_start,
        StartPosition::Latest => readings.end,
        StartPosition::Time(_) => readings.at_time.unwrap_or(readings.end),
        // Below the log's start only where going on behind a gap is wanted.
        StartPosition::Offset(offset) => offset.max(readings.log_start),
        StartPosition::Nowhere => readings.end,
    };
    Position {
        offset: Source(offset),
        leader_epoch: -1,
        topic_id: Source(order.source_id),
        destination_topic_id: Destination(order.destination_id),
        destination_end: Destination(readings.destination_end),
        producer,
        sequence: 0,
        placement: Placement::Mapped,
        transactional: order.transaction.is_some(),
    }
}

/// The decision, once everything is known.
pub(super) fn decide(
    order: &EstablishOrder,
    mut position: Position,
    readings: Readings,
    tail: &[BatchInfo],
) -> Established {
    if position.destination_end.0 > readings.destination_end {
        return Established::Stop(destination_behind(order, &position, readings));
    }
    let mut copies = Vec::new();
    let mut landed = match count_landed(order, &position, readings, tail, &mut copies) {
        Ok(landed) => landed,
        Err(stop) => return Established::StopAndTell(stop, copies.into()),
    };
    let there: i64 = landed.iter().map(|l| l.offsets).sum();
    // At least as far has been copied; control records at the source may make it more.
    let reached = position.offset.0 + there;
    if is_short(readings, reached) && order.readings < READINGS {
        return Established::Behind(short(order, readings, reached));
    }
    let mut repeated = 0;
    let mut lost = None;
    if let Some((stop, at)) = missing(order, &position, readings, reached) {
        if order.on_gap == OnGap::Stop {
            return Established::StopAndTell(stop, copies.into());
        }
        tracing::warn!(partition = %order.source, state = stop.state, "going on behind a gap: {}", stop.reason);
        lost = stop.lost;
        if lost.is_some_and(|lost| lost.why == Loss::Deleted) {
            repeated = there;
        }
        position = settled(position, &landed, at);
        landed = Vec::new();
    } else if readings.log_start > position.offset.0 {
        // The source has dropped what would be compared; it is at the destination, and so may be some of
        // what follows: control records, and what compaction removed, are not among what landed.
        repeated = there;
        position = settled(position, &landed, reached);
        landed = Vec::new();
    }
    let anew = order.raise_epoch || repeated > 0;
    let raise = anew && landed.is_empty();
    if raise {
        position.producer.epoch = position.producer.epoch.saturating_add(1);
        position.sequence = 0;
        position.destination_end = Destination(readings.destination_end);
    }
    Established::Ready {
        position,
        landed,
        max_message_bytes: readings.max_message_bytes,
        store_first: anew || order.store_first,
        repeated,
        end: readings.end,
        ground: Ground {
            copies: copies.into(),
            lost,
            ..readings.ground()
        },
    }
}

/// A position behind everything that landed, at another source offset.
fn settled(position: Position, landed: &[Landed], offset: i64) -> Position {
    let offsets = landed.iter().map(|l| l.offsets).sum();
    Position {
        offset: Source(offset),
        leader_epoch: -1,
        destination_end: landed.last().map_or(position.destination_end, |last| {
            Destination(last.base.0 + last.offsets)
        }),
        sequence: advance_sequence(position.sequence, offsets),
        ..position
    }
}

#[cfg(test)]
mod tests;
