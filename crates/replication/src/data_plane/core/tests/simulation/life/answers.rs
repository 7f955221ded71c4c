//! What the brokers of a life answer, and when they do not.

use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::TopicRef;
use kafka_wire::message::produce::{
    ProduceRequest, ProduceResponse, ProducedPartition, ProducedTopic, RecordError,
};
use kafka_wire::types::{NodeId, ProducerIdentity, TopicPartition};
use rand::RngExt;

use super::super::logs::DestinationLog;
use super::{DESTINATION_ID, Life, Plant, SOURCE_ID, number};
use crate::data_plane::core::{
    Channel, EstablishOrder, Established, FetchedPartition, Index, LaneId, Located, Place, Reading,
};
use crate::data_plane::decode::Decoder;
use crate::data_plane::establish::{Made, Readings, decide, first_position};
use crate::data_plane::partition::Leader;
use crate::data_plane::route::{Routed, route};
use crate::side::Source;

impl Life {
    pub(super) fn some_fetch(&mut self) -> Option<Channel> {
        let channels: Vec<Channel> = self.open.fetches.keys().copied().collect();
        (!channels.is_empty()).then(|| channels[self.random.random_range(0..channels.len())])
    }

    pub(super) fn answer_fetch(&mut self) {
        let Some(channel) = self.some_fetch() else {
            return;
        };
        let node = channel.node;
        self.open.fetches.remove(&channel);
        let asked = self.open.asked.get(&channel).cloned().unwrap_or_default();
        let mut answer = Vec::new();
        // Whatever the limits are, a broker sends the first batch that there is.
        let mut nothing = true;
        for (partition, (index, offset, rules)) in asked {
            let log = &self.sources[number(&partition)];
            let (count, life) = (self.random.random_range(0..8), rules.life);
            let (error, routed) = if log.leader.node == node && offset < log.start {
                (ErrorCode::OFFSET_OUT_OF_RANGE, Routed::default())
            } else if log.leader.node == node {
                let (bytes, aborted) = log.read(offset, count);
                let decoder = &mut Decoder::default();
                let routed = route(bytes, aborted, offset, &rules, decoder);
                (ErrorCode::NONE, routed)
            } else {
                (ErrorCode::NOT_LEADER_OR_FOLLOWER, Routed::default())
            };
            let log = &self.sources[number(&partition)];
            nothing &= error == ErrorCode::NONE && log.read(offset, 1).0.is_empty();
            answer.push(FetchedPartition {
                index,
                topic_id: SOURCE_ID,
                asked: offset,
                life,
                error,
                last_stable: log.end,
                follower: None,
                routed,
            });
        }
        let reading = Reading {
            nothing,
            ..Reading::default()
        };
        self.core.on_fetched(channel, answer, reading, self.now);
    }

    /// Now and then there is no memory for what waits to be compared: it is read again.
    pub(super) fn let_go_of_compared(&mut self) {
        // Without dice, so that all other lives stay as they were.
        let short = self.tally.steps.is_multiple_of(2);
        let mut partitions = self.core.partitions.iter();
        let waiting = partitions.find(|(_, partition)| short && partition.recovery.waits());
        if let Some((&index, _)) = waiting {
            self.core.compare_later(index);
            self.tally.let_go += 1;
        }
    }

    pub(super) fn some_lane(&mut self) -> Option<LaneId> {
        let lanes = self.open.lanes.iter().filter(|(_, lane)| !lane.is_empty());
        let lanes: Vec<LaneId> = lanes.map(|(id, _)| *id).collect();
        (!lanes.is_empty()).then(|| lanes[self.random.random_range(0..lanes.len())])
    }

    /// A partition has become current beside others that catch up, or is so no longer.
    pub(super) fn move_between_connections(&mut self, index: Index) {
        if let Some(partition) = self.core.partitions.get_mut(&index) {
            partition.tail = !partition.tail;
            self.core.touch_reader(index);
        }
        // Without dice, so that all other lives stay as they were.
        let count = 1 + u16::try_from(self.tally.steps % 3).expect("small");
        let leaders = self.destinations.iter().map(|log| log.leader);
        let leaders: Vec<NodeId> = leaders.collect();
        let is_slow = self.tally.steps % 5 < 3;
        for leader in &leaders {
            self.core.set_slow(*leader, is_slow, self.now);
        }
        self.core.tend_lanes(self.now);
        for leader in leaders {
            self.core.set_lanes(leader, count, self.now);
            self.make_lanes();
            self.core.spread(leader, count);
        }
    }

    /// Of the connections that are to be made some are refused, and some hang.
    fn make_lanes(&mut self) {
        let steps = self.tally.steps;
        for (lane, dice) in self.core.take_lanes_to_make().into_iter().zip(steps..) {
            match dice % 8 {
                0 => self.core.on_lane_gone(lane, true, self.now),
                1 => {}
                _ => self.core.on_lane_stands(lane, self.now),
            }
        }
    }

    /// Something leaves over a connection: one that is there, or the first, which is made now if it is not.
    pub(super) fn connect(&mut self, lane: LaneId) {
        assert!(self.core.may_write(lane), "{lane:?} is not there");
        self.tally.apart += u64::from(lane.number == LaneId::APART);
        if lane.number == 0 {
            self.core.on_lane_stands(lane, self.now);
        }
    }

    /// A broker serves the first request of a connection that it has not served.
    pub(super) fn execute(&mut self) {
        let Some(id) = self.some_lane() else { return };
        let lane = self.open.lanes.get_mut(&id).expect("chosen from these");
        if let Some(sent) = lane.iter_mut().find(|sent| sent.answer.is_none()) {
            let request = sent.request.clone();
            let fails = self.random.random_bool(0.03);
            let answer = serve(&mut self.destinations, id.node, &request, fails);
            let lane = self.open.lanes.get_mut(&id).expect("chosen from these");
            let sent = lane.iter_mut().find(|sent| sent.answer.is_none());
            sent.expect("found above").answer = Some(answer);
        }
    }

    pub(super) fn execute_faithfully(&mut self) {
        let lanes: Vec<LaneId> = self.open.lanes.keys().copied().collect();
        for id in lanes {
            let lane = self.open.lanes.get_mut(&id).expect("a key");
            for sent in lane.iter_mut().filter(|sent| sent.answer.is_none()) {
                let answer = serve(&mut self.destinations, id.node, &sent.request, false);
                sent.answer = Some(answer);
            }
        }
    }

    pub(super) fn answer_call(&mut self) {
        let Some(id) = self.some_lane() else { return };
        let lane = self.open.lanes.get_mut(&id).expect("chosen from these");
        if lane.front().is_some_and(|sent| sent.answer.is_some()) {
            let sent = lane.pop_front().expect("looked at");
            let answer = sent.answer.expect("looked at");
            self.core.on_answer(sent.tag, &answer, self.now);
        }
    }

    /// The first request a broker has not served is refused as a whole, without being appended.
    pub(super) fn answer_with_refusal(&mut self) {
        let Some(id) = self.some_lane() else { return };
        let codes = [
            ErrorCode::NOT_ENOUGH_REPLICAS,
            ErrorCode::CORRUPT_MESSAGE,
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ];
        let code = codes[self.random.random_range(0..codes.len())];
        let lane = self.open.lanes.get_mut(&id).expect("chosen from these");
        if let Some(sent) = lane.iter_mut().find(|sent| sent.answer.is_none()) {
            let refused = |_: &TopicPartition, _: Batch<'_>| Err((code, Vec::new()));
            sent.answer = Some(answer_to(&sent.request, refused));
        }
    }

    /// A connection ends. What was not served is lost, except perhaps the first.
    pub(super) fn cut(&mut self) {
        let Some(id) = self.some_lane() else { return };
        let lane = self.open.lanes.remove(&id).expect("chosen from these");
        if self.plant == Plant::BelieveInCuts {
            for sent in lane {
                let destinations = &self.destinations;
                let answer = answer_to(&sent.request, |p, _| Ok(destinations[number(p)].end));
                self.core.on_answer(sent.tag, &answer, self.now);
            }
            return;
        }
        self.tally.cuts += 1;
        let tags: Vec<u64> = lane.iter().map(|sent| sent.tag).collect();
        let not_served = lane.into_iter().find(|sent| sent.answer.is_none());
        if let Some(sent) = not_served.filter(|_| self.random.random_bool(0.6)) {
            self.late.push((id.node, sent.request));
        }
        self.land_before_cleaning();
        self.core.on_lane_ended(id, &tags, "cut", self.now);
        self.core.on_lane_gone(id, true, self.now);
    }

    pub(super) fn land_late(&mut self) {
        if let Some((node, request)) = self.late.pop() {
            serve(&mut self.destinations, node, &request, false);
        }
    }

    pub(super) fn answer_locate(&mut self) {
        let Some(orders) = self.open.locate.take() else {
            return;
        };
        let located = orders
            .into_iter()
            .map(|order| Located {
                index: order.index,
                source: Ok(Place {
                    leader: self.sources[number(&order.source)].leader,
                    topic_id: SOURCE_ID,
                }),
                destination: Ok(Place {
                    leader: Leader {
                        node: self.destinations[number(&order.destination)].leader,
                        epoch: 0,
                    },
                    topic_id: DESTINATION_ID,
                }),
            })
            .collect();
        self.core.on_located(located, self.now);
    }

    /// Reads the logs, or hands in what was read a while ago.
    pub(super) fn answer_establish(&mut self) {
        if self.open.establish.is_empty() {
            return;
        }
        let at = self.random.random_range(0..self.open.establish.len());
        let (order, read) = self.open.establish.remove(at);
        match read {
            Some(outcome) => {
                self.note_told(&order, &outcome);
                self.core.on_established(order.index, outcome, self.now);
            }
            None => {
                let outcome = self.establish(&order);
                self.open.establish.push((order, Some(outcome)));
            }
        }
    }

    fn establish(&mut self, order: &EstablishOrder) -> Established {
        let mut order = order.clone();
        order.raise_epoch &= self.plant != Plant::KeepEpoch;
        let mut outcome = match self.places && !self.is_handed_over(&order) {
            true if order.given_up.is_some() => self.establish_given_up(&order),
            true => self.establish_preserved(&order),
            false => self.establish_mapped(&order),
        };
        if let Established::Ready { position, .. } = &mut outcome
            && self.plant == Plant::ForgetRewind
        {
            let read = self.core.partitions[&order.index].next_fetch;
            position.offset = Source(position.offset.0.max(read));
        }
        outcome
    }

    /// What both logs say of a partition whose offsets are mapped.
    pub(super) fn read(&self, order: &EstablishOrder) -> Readings {
        let source = &self.sources[number(&order.source)];
        let destination = &self.destinations[number(&order.destination)];
        let epoch = order.copied_epoch().unwrap_or(-1);
        Readings {
            log_start: source.start,
            end: source.end,
            epoch_end: source.epoch_end(epoch),
            destination_start: 0,
            destination_end: destination.end,
            at_time: None,
            levels: Default::default(),
            topic: crate::placement::Topic::UNKNOWN,
            max_message_bytes: destination.limit.filter(|_| destination.tells_limit),
        }
    }

    fn establish_mapped(&mut self, order: &EstablishOrder) -> Established {
        let readings = self.read(order);
        let destination = &self.destinations[number(&order.destination)];
        if let Some(writer) = order.transaction {
            return self.establish_transactional(order, readings, writer);
        }
        match &order.position {
            Some(position) => {
                let tail = match self.plant {
                    Plant::ForgetTail => Vec::new(),
                    _ => destination.tail(position.destination_end.0),
                };
                let outcome = decide(order, position.clone(), readings, &tail);
                if let Established::Ready {
                    landed,
                    store_first,
                    ..
                } = &outcome
                {
                    self.tally.landed += landed.len() as u64;
                    self.tally.raised_epochs += u64::from(*store_first);
                }
                outcome
            }
            None => {
                let mut producers = Made::default();
                let identity = ProducerIdentity {
                    id: self.next_producer,
                    epoch: 0,
                };
                self.next_producer += 1;
                let identity = producers.add(identity, &order.destination);
                Established::Ready {
                    position: first_position(order, readings, identity),
                    landed: Vec::new(),
                    max_message_bytes: readings.max_message_bytes,
                    store_first: true,
                    repeated: 0,
                    end: readings.end,
                    ground: Default::default(),
                }
            }
        }
    }
}

/// A broker's answer; with `fails` set it appends and then reports a failure all the same.
fn serve(
    destinations: &mut [DestinationLog],
    node: NodeId,
    request: &ProduceRequest,
    fails: bool,
) -> ProduceResponse {
    answer_to(request, |partition, (header, payload)| {
        let log = &mut destinations[number(partition)];
        if log.leader != node {
            return Err((ErrorCode::NOT_LEADER_OR_FOLLOWER, Vec::new()));
        }
        let outcome = log.append(header, payload);
        if fails {
            return Err((ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND, Vec::new()));
        }
        outcome
    })
}

/// Where a batch went, or why it did not, with the indices of the records at fault.
type Outcome = Result<i64, (ErrorCode, Vec<i32>)>;
type Batch<'a> = (&'a [u8; kafka_wire::batch::HEADER_SIZE], &'a [u8]);

fn answer_to(
    request: &ProduceRequest,
    mut outcome: impl FnMut(&TopicPartition, Batch<'_>) -> Outcome,
) -> ProduceResponse {
    let topics = request
        .topics
        .iter()
        .map(|topic| ProducedTopic {
            topic: TopicRef::Name(topic.name.clone()),
            partitions: topic
                .partitions
                .iter()
                .map(|p| {
                    let name = TopicPartition::new(topic.name.clone(), p.partition);
                    produced(p.partition, outcome(&name, (&p.header, &p.payload)))
                })
                .collect(),
        })
        .collect();
    ProduceResponse {
        topics,
        throttle_time_ms: 0,
        node_endpoints: Vec::new(),
    }
}

fn produced(partition: i32, outcome: Outcome) -> ProducedPartition {
    let (base_offset, error, indices) = match outcome {
        Ok(base) => (base, ErrorCode::NONE, Vec::new()),
        Err((code, indices)) => (-1, code, indices),
    };
    let record_errors = indices.into_iter().map(|batch_index| RecordError {
        batch_index,
        message: None,
    });
    ProducedPartition {
        partition,
        error,
        base_offset,
        log_append_time_ms: -1,
        log_start_offset: 0,
        record_errors: record_errors.collect(),
        error_message: None,
        current_leader: None,
    }
}
