//! A small driver: it answers what every scene takes for granted, and leaves the rest to the scene.
//!
//! Source broker 1 leads all source partitions and destination broker 11 all destination partitions,
//! unless a scene moves them. Destination logs begin at offset 100, so that no offset fits by chance.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use config::link::{OffsetSettings, OnGap, OnRecreate, OnRefused, StartPosition};
use kafka_wire::batch::{BatchBuilder, BatchHeader, Identity, RawBatch, rewrite_header};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::TopicRef;
use kafka_wire::message::produce::{
    ProduceRequest, ProduceResponse, ProducedPartition, ProducedTopic,
};
use kafka_wire::types::{NodeId, ProducerIdentity, TopicId, TopicPartition};
use tokio::time::Instant;

use crate::data_plane::core::{
    Assignment, Core, EstablishOrder, Established, FetchOrder, FetchedPartition, Index, LaneId,
    LocateOrder, Located, Place, Reading, Settings,
};
use crate::data_plane::decode::{Decoder, Rules};
use crate::data_plane::partition::{Leader, Partition, Phase, Stop};
use crate::data_plane::recovery::Landed;
use crate::data_plane::route::{Routed, route};
use crate::position::Position;
use crate::position_store::StoreEntry;
use crate::side::{Destination, Source};

pub(super) const FROM: NodeId = NodeId(1);
pub(super) const TO: NodeId = NodeId(11);
pub(super) const SOURCE_ID: TopicId = TopicId([1; 16]);
pub(super) const DESTINATION_ID: TopicId = TopicId([2; 16]);

/// A Produce request as the scene sees it.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) lane: LaneId,
    pub(super) tag: u64,
    pub(super) request: ProduceRequest,
}

impl Sent {
    /// Destination partition, producer epoch and first sequence number of each batch.
    pub(super) fn batches(&self) -> Vec<(TopicPartition, i16, i32)> {
        let topics = self.request.topics.iter();
        topics
            .flat_map(|topic| {
                topic.partitions.iter().map(|p| {
                    let header = BatchHeader::new(&p.header);
                    (
                        TopicPartition::new(topic.name.clone(), p.partition),
                        header.producer_epoch(),
                        header.base_sequence(),
                    )
                })
            })
            .collect()
    }
}

pub(super) struct Scene {
    pub(super) core: Core,
    pub(super) now: Instant,
    /// Where partitions are, if not at the usual place.
    pub(super) places: HashMap<TopicPartition, Place>,
    /// What establishing finds of our own behind the position.
    pub(super) landed: HashMap<Index, Vec<Landed>>,
    pub(super) rules: BTreeMap<Index, Rules>,
    /// What the destination takes, as the next partition that is established learns it.
    pub(super) max_message_bytes: Option<u32>,
    /// What the sessions ask for.
    pub(super) asked: BTreeMap<NodeId, BTreeMap<TopicPartition, (Index, i64)>>,
}

pub(super) fn settings() -> Settings {
    Settings {
        shared: false,
        check_crcs: false,
        keep_append_time: false,
        merge_below: 0,
        merge_from: 1,
        link: "link".to_owned(),
        max_partition_bytes: 1000,
        max_connections: 1,
        max_fetch_bytes: 10_000,
        max_wait: Duration::from_millis(500),
        max_request_bytes: 1 << 20,
        max_in_flight: 5,
        memory: 1 << 30,
        partition_room: 1 << 20,
        retry: (Duration::from_millis(100), Duration::from_secs(5)),
        on_refused: OnRefused::Stop,
        on_gap: OnGap::Stop,
        on_recreate: OnRecreate::Stop,
        levels: config::link::CompressionLevels::default(),
        offsets: OffsetSettings::default(),
        grants: Default::default(),
        settle: Duration::from_secs(5),
        memory_of_writers: Default::default(),
    }
}

pub(super) fn source(partition: i32) -> TopicPartition {
    TopicPartition::new("s".into(), partition)
}

pub(super) fn destination(partition: i32) -> TopicPartition {
    TopicPartition::new("d".into(), partition)
}

/// A batch of `records` records at offset `base`.
pub(super) fn batch(base: i64, records: usize) -> Bytes {
    (0..records)
        .fold(BatchBuilder::new(base), |b, _| b.record(None, Some(b"v")))
        .build()
}

/// A topic's partition that this broker leads, in this epoch.
pub(super) fn led_by(topic_id: TopicId, node: i32, epoch: i32) -> Place {
    let node = NodeId(node);
    let leader = Leader { node, epoch };
    Place { leader, topic_id }
}

/// The copy of a source batch as the destination's broker stores it.
pub(super) fn stored(source: &RawBatch, base: i64, sequence: i32) -> Landed {
    let producer = position(0, base, sequence).producer;
    let header = rewrite_header(
        source.header_bytes(),
        Identity::new(producer, sequence),
        false,
    );
    let mut bytes = BytesMut::from(&header[..]);
    bytes[..8].copy_from_slice(&base.to_be_bytes());
    bytes.extend_from_slice(&source.payload());
    let batch = RawBatch::parse(bytes.freeze()).expect("well formed");
    Landed {
        base: Destination(base),
        offsets: i64::from(batch.info().offsets()),
        batch: Some(*batch.info()),
    }
}

/// A stored position at source offset `offset` and destination end `end`.
pub(super) fn position(offset: i64, end: i64, sequence: i32) -> Position {
    Position {
        offset: Source(offset),
        leader_epoch: 0,
        topic_id: Source(SOURCE_ID),
        destination_topic_id: Destination(DESTINATION_ID),
        destination_end: Destination(end),
        producer: ProducerIdentity { id: 7, epoch: 0 },
        sequence,
        placement: Default::default(),
        transactional: false,
    }
}

impl Scene {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            core: Core::new(settings),
            now: Instant::now(),
            places: HashMap::new(),
            landed: HashMap::new(),
            rules: BTreeMap::new(),
            max_message_bytes: None,
            asked: BTreeMap::new(),
        }
    }

    /// One partition, running, with nothing copied.
    pub(super) fn running() -> Self {
        Self::with(settings(), 1)
    }

    /// So many partitions, running, with nothing copied.
    pub(super) fn with(settings: Settings, partitions: i32) -> Self {
        let mut scene = Self::new(settings);
        for partition in 0..partitions {
            scene.assign(source(partition), destination(partition), None);
        }
        scene.settle();
        scene
    }

    pub(super) fn assign(
        &mut self,
        source: TopicPartition,
        destination: TopicPartition,
        stored: Option<Position>,
    ) -> Index {
        self.core.assign(Assignment {
            moved_from: None,
            source,
            source_id: SOURCE_ID,
            destination,
            stored,
            segment: None,
            start: StartPosition::Earliest,
            changes: Default::default(),
        })
    }

    pub(super) fn partition(&self, index: Index) -> &Partition {
        &self.core.partitions[&index]
    }

    pub(super) fn is_running(&self, index: Index) -> bool {
        matches!(self.partition(index).phase, Phase::Running)
    }

    pub(super) fn stop_of(&self, index: Index) -> Option<&Stop> {
        match &self.partition(index).phase {
            Phase::Stopped(stop) => Some(stop),
            Phase::Starting | Phase::Storing | Phase::Running => None,
        }
    }

    /// Next source offset that is not acknowledged.
    pub(super) fn offset(&self, index: Index) -> i64 {
        let position = self.partition(index).position.as_ref();
        position.expect("established").offset.0
    }

    /// Answers look-ups, readings and stores until the core asks no more.
    pub(super) fn settle(&mut self) {
        loop {
            let located = self.locate();
            let orders = self.establish_orders();
            let established = !orders.is_empty();
            for order in orders {
                self.establish(&order);
            }
            let stored = self.core.waits_for_store();
            if stored {
                let entries = self.core.take_positions(false);
                assert!(!entries.is_empty(), "something waits to be stored");
                self.core.on_stored();
            }
            if !located && !established && !stored {
                return;
            }
        }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.core.on_time(self.now);
    }

    /// Time enough for every pause, then everything that is asked.
    pub(super) fn pass_and_settle(&mut self) {
        self.pass(Duration::from_secs(10));
        self.settle();
    }

    /// Answers a look-up, if there is one.
    pub(super) fn locate(&mut self) -> bool {
        let Some(orders) = self.core.take_locate() else {
            return false;
        };
        let located = orders.iter().map(|order| self.located(order)).collect();
        self.core.on_located(located, self.now);
        true
    }

    pub(super) fn located(&self, order: &LocateOrder) -> Located {
        let place = |partition, node, topic_id| {
            let usual = Place {
                leader: Leader { node, epoch: 0 },
                topic_id,
            };
            self.places.get(partition).cloned().unwrap_or(usual)
        };
        Located {
            index: order.index,
            source: Ok(place(&order.source, FROM, SOURCE_ID)),
            destination: Ok(place(&order.destination, TO, DESTINATION_ID)),
        }
    }

    pub(super) fn establish_orders(&mut self) -> Vec<EstablishOrder> {
        let mut orders: Vec<_> = self.core.take_establish().flat_map(|(_, o)| o).collect();
        orders.sort_by_key(|order| order.index);
        orders
    }

    /// A position goes on where it is; without one the partition begins at offset 0.
    pub(super) fn establish(&mut self, order: &EstablishOrder) {
        let first = Position {
            topic_id: Source(order.source_id),
            destination_topic_id: Destination(order.destination_id),
            leader_epoch: -1,
            ..position(0, 100, 0)
        };
        let mut position = order.position.clone().unwrap_or(first);
        let store_first = order.position.is_none() || order.raise_epoch;
        if order.raise_epoch {
            position.producer.epoch += 1;
            position.sequence = 0;
        }
        let outcome = Established::Ready {
            position,
            repeated: 0,
            landed: self.landed.remove(&order.index).unwrap_or_default(),
            max_message_bytes: self.max_message_bytes,
            store_first,
            end: 0,
            ground: Default::default(),
        };
        self.core.on_established(order.index, outcome, self.now);
    }

    /// The next fetch order, which has to exist.
    pub(super) fn order(&mut self) -> (NodeId, FetchOrder) {
        self.next_order().expect("something is to be fetched")
    }

    pub(super) fn next_order(&mut self) -> Option<(NodeId, FetchOrder)> {
        let (channel, order) = self.core.next_fetch(self.now)?;
        let node = channel.node;
        let asked = self.asked.entry(node).or_default();
        for (_, removed) in &order.remove {
            asked.remove(removed);
        }
        for (index, partition, wanted, rules) in &order.set {
            self.rules.insert(*index, rules.clone());
            asked.insert(partition.clone(), (*index, wanted.offset));
        }
        Some((node, order))
    }

    /// Answers one partition of a fetch with batches.
    pub(super) fn fetched(&mut self, index: Index, asked: i64, batches: &[Bytes]) {
        let answer = self.answer_of(index, asked, batches);
        self.answer_fetch(FROM, vec![answer]);
    }

    /// An answer about one partition.
    pub(super) fn answer_of(
        &self,
        index: Index,
        asked: i64,
        batches: &[Bytes],
    ) -> FetchedPartition {
        self.answer_with(index, asked, batches.concat().into())
    }

    /// An answer about one partition, with these bytes.
    pub(super) fn answer_with(&self, index: Index, asked: i64, bytes: Bytes) -> FetchedPartition {
        let rules = self.rules.get(&index).cloned().unwrap_or_default();
        let routed = route(bytes, Vec::new(), asked, &rules, &mut Decoder::default());
        FetchedPartition {
            routed,
            life: rules.life,
            ..refused_fetch(index, asked, ErrorCode::NONE)
        }
    }

    pub(super) fn answer_fetch(&mut self, node: NodeId, answer: Vec<FetchedPartition>) {
        let nothing = answer.iter().all(|fetched| {
            fetched.error == ErrorCode::NONE && fetched.routed.next == fetched.asked
        });
        let reading = Reading {
            nothing,
            ..Reading::default()
        };
        self.core.on_fetched(node.into(), answer, reading, self.now);
    }

    /// Orders a fetch and answers it with batches for partition `index`.
    pub(super) fn fetch(&mut self, index: Index, batches: &[Bytes]) {
        let asked = self.partition(index).next_fetch;
        self.order();
        self.fetched(index, asked, batches);
    }

    /// All requests that can leave now.
    pub(super) fn send(&mut self) -> Vec<Sent> {
        let mut sent = Vec::new();
        while let Some((lane, tag, request)) = self.core.next_produce(self.now) {
            if lane.number == 0 {
                self.core.on_lane_stands(lane, self.now);
            }
            sent.push(Sent { lane, tag, request });
        }
        sent
    }

    /// The only request that can leave now.
    pub(super) fn send_one(&mut self) -> Sent {
        let mut sent = self.send();
        assert_eq!(sent.len(), 1, "one request leaves: {sent:?}");
        sent.pop().expect("counted")
    }

    /// Answers a request, the same for all its partitions.
    pub(super) fn answer(&mut self, sent: &Sent, outcome: Result<i64, ErrorCode>) {
        let response = response(sent, |_| Some(outcome));
        self.core.on_answer(sent.tag, &response, self.now);
    }

    /// Positions to be stored, which then are.
    pub(super) fn store(&mut self) -> Vec<StoreEntry> {
        let entries = self.core.take_positions(true);
        self.core.on_stored();
        entries
    }
}

/// The answer of a fetch that has nothing but an error.
pub(super) fn refused_fetch(index: Index, asked: i64, error: ErrorCode) -> FetchedPartition {
    FetchedPartition {
        life: 1,
        index,
        topic_id: SOURCE_ID,
        asked,
        error,
        last_stable: -1,
        follower: None,
        routed: Routed::nothing(asked),
    }
}

/// An answer to a request; partitions without an outcome are left out.
pub(super) fn response(
    sent: &Sent,
    outcome: impl Fn(i32) -> Option<Result<i64, ErrorCode>>,
) -> ProduceResponse {
    let topics = sent.request.topics.iter();
    ProduceResponse {
        topics: topics
            .map(|topic| ProducedTopic {
                topic: TopicRef::Name(topic.name.clone()),
                partitions: topic
                    .partitions
                    .iter()
                    .filter_map(|p| Some(produced(p.partition, outcome(p.partition)?)))
                    .collect(),
            })
            .collect(),
        throttle_time_ms: 0,
        node_endpoints: Vec::new(),
    }
}

fn produced(partition: i32, outcome: Result<i64, ErrorCode>) -> ProducedPartition {
    ProducedPartition {
        partition,
        error: outcome.err().unwrap_or(ErrorCode::NONE),
        base_offset: outcome.unwrap_or(-1),
        log_append_time_ms: -1,
        log_start_offset: 0,
        record_errors: Vec::new(),
        error_message: None,
        current_leader: None,
    }
}
