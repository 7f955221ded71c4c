//! The way of a partition to its placement: what is asked of both sides before the first write, and again
//! before anything is written after a doubt.

use std::collections::{BTreeSet, HashMap};

use config::link::Offsets;
use kafka_client::Cluster;
use kafka_client::cluster::Use;
use kafka_wire::batch::{AbortedFilter, BatchInfo, PassLimits, Passage, passage};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::acl::AclOperation;
use kafka_wire::message::metadata::{MetadataRequest, MetadataTopics};
use kafka_wire::message::write_txn_markers::{TxnMarker, WriteTxnMarkersRequest};
use kafka_wire::record::Levels;
use kafka_wire::types::{NodeId, ProducerIdentity, TopicName};
use tokio::sync::OnceCell;

use super::adoption::Adoption;
use super::ask::topic_settings;
use super::evidence::{batches, is_delivered};
use super::first::{begin, is_decided};
use super::missing::short;
use super::peer::Peer;
use super::preserve::{self, Ending, recognises};
use super::producers::Producers;
use super::room::{Room, Rooms};
use super::{READINGS, Readings, destination_behind, first_position, mapped, no_beginning};
use crate::data_plane::core::{EstablishOrder, Established, Ground};
use crate::data_plane::partition::Stop;
use crate::placement::{Choice, Facts, Grants, Rights, Topic, choose};
use crate::position::{Placement, Position, Preserved};
use crate::side::Source;

/// Bytes of the source's next record, at first.
const NEXT_BYTES: i32 = 2 * 1024;

/// What is known of a group of partitions that have the same two leaders.
pub(in super::super) struct Survey<'a> {
    pub(super) source: Peer<'a>,
    pub(super) destination: Peer<'a>,
    rights: HashMap<TopicName, Rights>,
    grants: Grants,
    rooms: Rooms,
    /// Who wrote to the destination, once somebody has asked.
    pub(super) registered: OnceCell<Result<Vec<(i64, String)>, String>>,
}

/// What a partition is compared with.
#[derive(Debug)]
pub(super) struct Means<'a> {
    pub(super) producers: &'a Producers,
    pub(super) room: Room<'a>,
}

/// Whether something may still arrive at the destination and would not be recognised: then its end has to
/// be read twice.
pub(in super::super) fn is_unsettled(
    order: &EstablishOrder,
    position: &Position,
    readings: Readings,
    tail: &[BatchInfo],
) -> bool {
    if order.shared {
        // Others move the end all the time.
        return false;
    }
    let preserved = position.placement.preserved().is_some();
    let grown = readings.destination_end > position.destination_end.0;
    let last = tail.last().filter(|_| grown).map(|info| info.max_timestamp);
    let (time, seen) = match order.doubt {
        Some((time, seen)) => (Some(time), seen),
        // A process before this one may have had markers on their way, which are not recognised.
        None if order.first && preserved => (Some(i64::MIN), None),
        None if order.first => (last, None),
        None => (None, None),
    };
    let settled = match seen {
        Some(seen) if preserved => seen == readings.destination_end,
        // Where somebody else writes there is no end that stays.
        Some(_) => true,
        None => false,
    };
    time.is_some_and(|time| order.memory.may_have_lost(time)) && !settled
}

impl<'a> Survey<'a> {
    /// Asks what may be done with the topics of partitions that have yet to be placed.
    pub(super) async fn new(
        source: &'a Cluster,
        destination: &'a Cluster,
        (from, to): (NodeId, NodeId),
        orders: &[EstablishOrder],
    ) -> Self {
        let topics: BTreeSet<TopicName> = orders
            .iter()
            .filter(|order| order.position.is_none() && order.offsets.placement != Offsets::Map)
            .map(|order| order.destination.topic.clone())
            .collect();
        let grants = Grants::of(destination.config());
        let (source, destination) = (
            Peer::source(source, from),
            Peer::destination(destination, to),
        );
        let rights = match topics.is_empty() {
            true => HashMap::new(),
            false => rights(&destination, topics).await,
        };
        Self {
            source,
            destination,
            rights,
            grants,
            rooms: Rooms::new(),
            registered: OnceCell::new(),
        }
    }

    /// Whether nothing is known that forbids markers.
    pub(super) fn may_write_markers(&self, destination: &TopicName) -> bool {
        let rights = self.rights.get(destination);
        rights.and_then(|rights| rights.alter_cluster) != Some(false)
    }

    /// Establishes one partition, under a producer that can still be told from its successors. The last epoch there is is
    /// never written with: none could be raised above it.
    pub(super) async fn usable(
        &self,
        order: &EstablishOrder,
        readings: Readings,
        producers: &Producers,
    ) -> Established {
        let mut means = Means {
            producers,
            room: self.room(),
        };
        let mut outcome = self.one(order, readings, &mut means).await;
        if let Established::Ready {
            position,
            store_first,
            ..
        } = &mut outcome
            && position.producer.epoch == i16::MAX
            && !position.transactional
        {
            match producers.for_records(&order.destination).await {
                Ok(producer) => position.producer = producer,
                Err(trouble) => return Established::Retry(trouble),
            }
            (position.sequence, *store_first) = (0, true);
        }
        outcome
    }

    /// Establishes one partition.
    async fn one(
        &self,
        order: &EstablishOrder,
        readings: Readings,
        means: &mut Means<'_>,
    ) -> Established {
        let preserved = order.position.as_ref();
        let preserved = preserved.is_some_and(|position| position.placement.preserved().is_some());
        if let Some(writer) = order.transaction.filter(|_| !preserved) {
            return self.transactional(order, writer, readings, means).await;
        }
        let Some(position) = &order.position else {
            return self.begin(order, readings, means).await;
        };
        if position.transactional {
            return self
                .after_transactions(order, position, readings, means)
                .await;
        }
        match (position.placement, order.offsets.placement) {
            (Placement::Preserved(preserved), _) if order.given_up.is_some() => {
                let both = (position, preserved);
                let outcome = self.given_up(order, both, readings, means).await;
                outcome.unwrap_or_else(Established::Retry)
            }
            (Placement::Mapped, _) => {
                let reason = "they were before".to_owned();
                self.mapped(order, readings, reason, means).await
            }
            (Placement::Preserved(_), _) if order.changed || order.shared => {
                Established::CannotPlace(Stop {
                    state: "offsets-mapped",
                    offset: Some(position.offset.0),
                    reason: "records are changed, left out or merged on their way now".to_owned(),
                    lost: None,
                })
            }
            (Placement::Preserved(_), Offsets::Map) => Established::CannotPlace(Stop {
                state: "offsets-mapped",
                offset: Some(position.offset.0),
                reason: "tributary.offsets=map".to_owned(),
                lost: None,
            }),
            (Placement::Preserved(preserved), _) => {
                let outcome = self
                    .go_on(order, (position, preserved), readings, &mut means.room)
                    .await;
                outcome.unwrap_or_else(Established::Retry)
            }
        }
    }

    /// Chooses for a partition that has no position.
    async fn begin(
        &self,
        order: &EstablishOrder,
        readings: Readings,
        means: &mut Means<'_>,
    ) -> Established {
        if let Some(reason) = order.given_up.clone() {
            return self.mapped(order, readings, reason, means).await;
        }
        if let Some(stop) = no_beginning(order, readings) {
            return Established::Stop(stop);
        }
        let facts = match self.facts(order, readings, &mut means.room).await {
            Ok(facts) => facts,
            Err(trouble) => return Established::Retry(trouble),
        };
        let topic = order.destination.topic.as_str();
        let choice = choose(&order.offsets, &facts, topic, &self.grants);
        let (padding, reason) = match choice {
            Choice::Preserve { padding, reason } => (padding, reason),
            Choice::Map(reason) | Choice::Refuse(reason)
                if readings.destination_end > readings.destination_start
                    && facts.may_be_a_copy(order) =>
            {
                match self.adopted(order, readings, &mut means.room).await {
                    // Nothing is to be filled, and nothing of it to be deleted.
                    Ok(Adoption::Ours(reason)) => (0, reason),
                    Ok(Adoption::Others(reason)) => {
                        return self.otherwise(order, readings, reason, means).await;
                    }
                    Ok(Adoption::NoCopy) => {
                        return self.otherwise(order, readings, reason, means).await;
                    }
                    Err(trouble) => return Established::Retry(trouble),
                }
            }
            Choice::Map(reason) | Choice::Refuse(reason) => {
                return self.otherwise(order, readings, reason, means).await;
            }
        };
        match self.first(order, readings, padding, means).await {
            Ok(position) => Established::Ready {
                position,
                landed: Vec::new(),
                max_message_bytes: readings.max_message_bytes,
                store_first: true,
                repeated: 0,
                end: readings.end,
                ground: Ground {
                    reason: reason.into(),
                    ..readings.ground()
                },
            },
            Err(trouble) => Established::Retry(trouble),
        }
    }

    /// Offsets are mapped, or the partition stops: as it was asked for.
    async fn otherwise(
        &self,
        order: &EstablishOrder,
        readings: Readings,
        reason: String,
        means: &mut Means<'_>,
    ) -> Established {
        if order.offsets.placement == Offsets::Preserve {
            return Established::Stop(Stop {
                state: "offsets-not-preserved",
                offset: None,
                reason: format!(
                    "{} cannot have the source's offsets: {reason}. Nothing was written; tributary.offsets=map copies \
                     without equal offsets",
                    order.destination
                ),
                lost: None,
            });
        }
        self.mapped(order, readings, reason, means).await
    }

    pub(super) async fn mapped(
        &self,
        order: &EstablishOrder,
        readings: Readings,
        reason: String,
        means: &mut Means<'_>,
    ) -> Established {
        mapped(&self.destination, order, readings, reason, means).await
    }

    /// Room for a partition that begins to be compared.
    pub(in super::super) fn room(&self) -> Room<'_> {
        self.rooms.one()
    }

    /// The position of a partition that begins at the source's offsets.
    async fn first(
        &self,
        order: &EstablishOrder,
        readings: Readings,
        padding: i64,
        means: &mut Means<'_>,
    ) -> Result<Position, String> {
        let producer = means.producers.for_records(&order.destination).await?;
        let marker = means.producers.for_markers().await?;
        let end = readings.destination_end;
        Ok(Position {
            offset: Source(end),
            placement: Placement::Preserved(Preserved {
                marker,
                coordinator_epoch: 1,
                padding,
            }),
            ..first_position(order, readings, producer)
        })
    }

    /// Readings of a partition that begins, from starts and ends of both sides. A topic that is yet to be created
    /// gets the source's settings.
    pub(in super::super) async fn readings(
        &self,
        order: &EstablishOrder,
        exists: bool,
        [log_start, end, destination_start, destination_end]: [i64; 4],
    ) -> Readings {
        let (cluster, partition) = match exists {
            true => (self.destination.cluster, &order.destination),
            false => (self.source.cluster, &order.source),
        };
        let settings = topic_settings(cluster, std::slice::from_ref(partition)).await;
        let settings = settings.get(&partition.topic);
        Readings {
            log_start,
            end,
            epoch_end: None,
            destination_start,
            destination_end,
            max_message_bytes: settings.and_then(|settings| settings.max_message_bytes),
            levels: settings.map_or_else(Levels::default, |settings| settings.levels),
            at_time: None,
            topic: settings.map_or(Topic::UNKNOWN, |settings| settings.topic),
        }
    }

    /// What the choice depends on.
    pub(in super::super) async fn facts(
        &self,
        order: &EstablishOrder,
        readings: Readings,
        room: &mut Room<'_>,
    ) -> Result<Facts, String> {
        let begin = begin(order, readings);
        let mut facts = Facts {
            shared: order.shared,
            changed: order.changed,
            begin,
            source_start: readings.log_start,
            first_batch: None,
            has_transactions: false,
            destination_start: readings.destination_start,
            destination_end: readings.destination_end,
            topic: readings.topic,
            rights: self
                .rights
                .get(&order.destination.topic)
                .copied()
                .unwrap_or_default(),
        };
        if is_decided(order, begin, readings) {
            return Ok(facts);
        }
        let Some(fetched) = self.first_batches(order, begin, room).await? else {
            return Ok(facts);
        };
        let mut filter = AbortedFilter::new(fetched.aborted);
        for (number, batch) in batches(fetched.records).enumerate() {
            let info = batch.info();
            facts.has_transactions |= info.attributes.is_transactional();
            let limits = PassLimits {
                max_message_bytes: readings.max_message_bytes,
                first_offset: None,
                keep_append_time: true,
            };
            let passes = number == 0
                && begin == readings.log_start
                && !readings.topic.compacted
                && is_delivered(&mut filter, &batch)
                && passage(info, &limits) == Passage::Untouched;
            if passes {
                facts.first_batch = Some(info.base_offset);
            }
        }
        Ok(facts)
    }

    /// Goes on where the destination's log ends.
    async fn go_on(
        &self,
        order: &EstablishOrder,
        (position, preserved): (&Position, Preserved),
        readings: Readings,
        room: &mut Room<'_>,
    ) -> Result<Established, String> {
        let end = readings.destination_end;
        let shrunk = position.destination_end.0 > end;
        if (shrunk || readings.end < end) && order.readings < READINGS {
            let reason = match shrunk {
                true => destination_behind(order, position, readings).reason,
                false => short(order, readings, end),
            };
            return Ok(Established::Behind(reason));
        }
        if shrunk {
            return Ok(Established::Stop(destination_behind(
                order, position, readings,
            )));
        }
        let from = position.destination_end.0.max(readings.destination_start);
        let mut written = self.written(order, (from, end), room).await?;
        // Where somebody else writes there is no end that stays, and it is said at once.
        let may_grow = !preserve::has_strangers(position, preserved, &written.since)
            && is_unsettled(order, position, readings, &written.since);
        if may_grow && !self.nothing_can_come(order, readings, room).await? {
            return Ok(Established::Unsettled(end));
        }
        if written.last.is_none() && end > readings.destination_start {
            written.last = self.last(order, readings, room).await?;
        }
        let last = written.last.as_ref().map(|last| last.info);
        if may_grow && !recognises(position, end, &written.since, last) {
            return Ok(Established::Unsettled(end));
        }
        let comparison = self.compared(order, readings, &written, room).await?;
        let ending = Ending {
            since: written.since,
            last,
            comparison,
        };
        let padding = match end <= preserved.padding && readings.log_start > end {
            true => {
                let facts = self.facts(order, readings, room).await?;
                Some(facts.first_batch.unwrap_or(readings.log_start))
            }
            false => None,
        };
        Ok(preserve::go_on(
            order, position, preserved, readings, &ending, padding,
        ))
    }

    /// Whether nothing that a process before this one left on its way can still come unnoticed: its markers were for offsets
    /// without a record, and its batches are recognised while they are young. So where the source has a young record at the
    /// copy's end, or nothing, one reading of that end is enough.
    async fn nothing_can_come(
        &self,
        order: &EstablishOrder,
        readings: Readings,
        room: &mut Room<'_>,
    ) -> Result<bool, String> {
        let end = readings.destination_end;
        let is_there = (readings.log_start..=readings.end).contains(&end);
        if order.doubt.is_some() || !order.first || !is_there {
            return Ok(false);
        }
        if end == readings.end {
            return Ok(true);
        }
        let fetched = self.source_batches(order, end, NEXT_BYTES, room).await?;
        let mut filter = AbortedFilter::new(fetched.aborted);
        let next = batches(fetched.records).find(|batch| batch.info().next_offset() > end);
        Ok(next.is_some_and(|batch| {
            let info = batch.info();
            let is_whole = info.records == info.offsets();
            is_delivered(&mut filter, &batch)
                && is_whole
                && info.base_offset <= end
                && !order.memory.may_have_lost(info.max_timestamp)
        }))
    }

    pub(super) fn unreadable(&self, order: &EstablishOrder) -> String {
        let topic = order.destination.topic.as_str();
        format!(
            "destination: what stands at the end of {topic} has to be read before anything is written, and READ on it is \
             missing: {}",
            self.grants.command("Read", Some(topic))
        )
    }
}

impl Facts {
    /// Whether what the destination holds can be a copy that was made before.
    fn may_be_a_copy(&self, order: &EstablishOrder) -> bool {
        !self.shared
            && !self.changed
            && order.offsets.placement != Offsets::Map
            && self.rights.read != Some(false)
            && self.destination_end > self.source_start
    }
}

/// What may be done with topics and their cluster; empty where no broker says.
async fn rights(destination: &Peer<'_>, topics: BTreeSet<TopicName>) -> HashMap<TopicName, Rights> {
    let some = topics.first().cloned();
    let request = MetadataRequest {
        topics: MetadataTopics::Topics(topics.into_iter().collect()),
        authorized_operations: true,
    };
    let (topics, alter_cluster) = tokio::join!(
        destination.ask_any(Use::Metadata, &request),
        may_write_markers(destination, some)
    );
    let Ok(topics) = topics else {
        return HashMap::new();
    };
    let rights = topics.topics.into_iter().filter_map(|topic| {
        let allowed = topic.authorized_operations;
        let rights = Rights {
            read: allowed.map(|allowed| allowed.allows(AclOperation::Read)),
            delete: allowed.map(|allowed| allowed.allows(AclOperation::Delete)),
            alter_configs: allowed.map(|allowed| allowed.allows(AclOperation::AlterConfigs)),
            alter_cluster,
        };
        Some((topic.name?, rights))
    });
    rights.collect()
}

/// Whether markers may be written. Who may not describe the cluster is not told its rights, so this is tried
/// with a partition that does not exist.
async fn may_write_markers(destination: &Peer<'_>, topic: Option<TopicName>) -> Option<bool> {
    let marker = TxnMarker {
        producer: ProducerIdentity { id: 0, epoch: 0 },
        commit: false,
        topics: vec![(topic?, vec![i32::MAX])],
        coordinator_epoch: 0,
        transaction_version: 0,
    };
    let request = WriteTxnMarkersRequest {
        markers: vec![marker],
    };
    let answer = destination.ask_gently(Use::Metadata, &request).await;
    let producers = answer?.producers.into_iter();
    let mut outcomes = producers.flat_map(|p| p.topics).flat_map(|(_, p)| p);
    let error = outcomes.next()?.error;
    Some(error != ErrorCode::CLUSTER_AUTHORIZATION_FAILED)
}
