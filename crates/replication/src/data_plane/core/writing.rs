//! The writing half of [`Core`]: which batches go into the next Produce request of a broker, and what
//! its answers change.

use std::collections::VecDeque;
use std::time::Duration;

use config::link::OnRefused;
use foldhash::{HashSet, HashSetExt as _};
use kafka_wire::batch::verify_crc;
use kafka_wire::error_code::{ErrorClass, ErrorCode};
use kafka_wire::message::TopicRef;
use kafka_wire::message::produce::{
    ProducePartition, ProduceRequest, ProduceResponse, ProduceTopic, ProducedPartition,
    ProducedTopic,
};
use kafka_wire::types::{TopicId, TopicPartition};
use tokio::time::Instant;

use super::super::partition::{Partition, Phase, Stop};
use super::super::piped::PipedBatch;
use super::super::transaction::Transaction;
use super::lanes::LaneId;
use super::precedence::left;
use super::writer::{APART, Call, Writer};
use super::{Core, Index};

/// A batch that a smaller one helps against.
const TOO_LARGE: [ErrorCode; 2] = [
    ErrorCode::MESSAGE_TOO_LARGE,
    ErrorCode::RECORD_LIST_TOO_LARGE,
];

/// Partitions in a request for which room is made at once.
const USUAL: usize = 64;

/// How many sizes are tried: where the limit may not be read, each is half of the one before.
const SIZES: u32 = 12;

/// How often the same batch is tried, and for how long at least, before a refusal that could pass is taken as final: a broker that
/// is ill for a moment gives no reason either, and everything it leads would stand until somebody comes.
const TRIES: u32 = 3;
const LASTS: Duration = Duration::from_secs(10);

/// Whether a partition has little to send, and nothing more to be read.
fn is_current(partition: &Partition) -> bool {
    let send = partition.send.as_ref();
    send.is_some_and(|send| send.bytes() <= APART) && left(partition) == 0
}

/// Which connection what a partition has to send goes over. What is current has one of its own where there is one.
fn lane_of(partition: &Partition, writer: &Writer) -> u16 {
    match is_current(partition) && writer.stands(LaneId::APART) {
        true => LaneId::APART,
        false => writer.usable(partition.over.home),
    }
}

impl Core {
    /// Notes that a partition may have something to send.
    pub(super) fn queue_for_send(&mut self, index: Index) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        let Some(node) = partition.destination_leader else {
            return;
        };
        let sendable = partition.sendable(self.settings.max_in_flight).is_some();
        if partition
            .send
            .as_ref()
            .is_some_and(|send| send.gap().is_some())
        {
            self.gaps.insert(index);
        }
        if !sendable || partition.queued_for_send {
            return;
        }
        let writer = self.writers.entry(node).or_default();
        let number = lane_of(partition, writer);
        if number != partition.over.lane && partition.open_calls > 0 {
            // It changes its connection when the last of these has ended.
            return;
        }
        partition.over.lane = number;
        partition.queued_for_send = true;
        writer.ready(number).push_back(index);
    }

    /// The next request for some broker that takes one.
    pub(crate) fn next_produce(&mut self, now: Instant) -> Option<(LaneId, u64, ProduceRequest)> {
        let usable = self.transaction.as_ref().is_none_or(Transaction::is_usable);
        if !usable || !self.owner.is_sure() {
            return None;
        }
        let lanes = self.writers.iter().flat_map(|(&node, writer)| {
            let numbers = writer.free_lanes(self.bytes_of_lane(node)).into_iter();
            numbers.map(move |number| LaneId { node, number })
        });
        let lanes: Vec<LaneId> = lanes.collect();
        lanes.into_iter().find_map(|lane| {
            let tag = self.next_tag;
            let request = self.fill(lane, tag, now)?;
            self.next_tag += 1;
            self.note_sent(tag, now);
            Some((lane, tag, request))
        })
    }

    /// At most one batch of each partition, in turn, up to the size of a request.
    fn fill(&mut self, lane: LaneId, tag: u64, now: Instant) -> Option<ProduceRequest> {
        let most = match lane.number {
            LaneId::APART => APART,
            _ => self.bytes_of_lane(lane.node),
        };
        let writer = self.writers.get_mut(&lane.node)?;
        let most = most.min(self.settings.max_request_bytes).min(writer.most());
        let mut waiting = std::mem::take(writer.ready(lane.number));
        let mut later = VecDeque::new();
        let mut call = Call {
            lane,
            partitions: Vec::new(),
            bytes: 0,
        };
        let mut topics: Vec<ProduceTopic> = Vec::new();
        // Several source partitions may share a destination partition; a request that names one
        // twice silently loses all but the last.
        let mut named: HashSet<TopicPartition> = HashSet::with_capacity(waiting.len().min(USUAL));
        while let Some(index) = waiting.pop_front() {
            let Some(partition) = self.partitions.get_mut(&index) else {
                continue;
            };
            let size = partition
                .sendable(self.settings.max_in_flight)
                .filter(|_| partition.destination_leader == Some(lane.node))
                .filter(|_| partition.over.lane == lane.number);
            let Some(size) = size else {
                partition.queued_for_send = false;
                continue;
            };
            if call.bytes > 0 && call.bytes + size > most {
                // First in the next: smaller batches of the others would fill every request before it.
                waiting.push_front(index);
                break;
            }
            let transaction = self.transaction.as_mut();
            let is_taken = !named.contains(&partition.destination)
                && transaction.is_none_or(|transaction| transaction.takes(&partition.destination));
            if !is_taken {
                later.push_back(index);
                continue;
            }
            let Some((header, payload, time)) =
                partition.send.as_mut().and_then(|send| send.send(tag))
            else {
                continue;
            };
            call.bytes += size;
            partition.open_calls += 1;
            named.insert(partition.destination.clone());
            let destination = partition.destination.clone();
            call.partitions.push((destination, index, time));
            let produced = ProducePartition {
                partition: partition.destination.partition,
                header,
                payload,
            };
            add(
                &mut topics,
                &partition.destination,
                partition.position.as_ref(),
                produced,
            );
            let stays = lane.number != LaneId::APART || is_current(partition);
            let more = stays && partition.sendable(self.settings.max_in_flight).is_some();
            partition.queued_for_send = more;
            if more {
                later.push_back(index);
            }
        }
        waiting.append(&mut later);
        let writer = self.writers.get_mut(&lane.node)?;
        *writer.ready(lane.number) = waiting;
        if call.partitions.is_empty() {
            return None;
        }
        writer.has_sent(lane.number, tag, call.bytes, now);
        self.calls.insert(tag, call);
        Some(ProduceRequest {
            acks: -1,
            timeout_ms: 0,
            transactional_id: self.transaction.as_ref().map(Transaction::named),
            topics,
        })
    }

    /// Takes a broker's answer.
    pub(crate) fn on_answer(&mut self, tag: u64, response: &ProduceResponse, now: Instant) {
        self.note_answer(tag, now);
        let node = self.calls.get(&tag).map(|call| call.lane.node);
        let writer = node.and_then(|node| self.writers.get_mut(&node));
        let reading = writer.and_then(|writer| writer.reading(tag, now));
        let Some(call) = self.end_call(tag) else {
            return;
        };
        // What is current comes as it comes: it says nothing of what a connection carries.
        let reading = reading.filter(|_| call.lane.number != LaneId::APART);
        let node = call.lane.node;
        let throttle = u64::try_from(response.throttle_time_ms).unwrap_or(0);
        if let Some(writer) = self.writers.get_mut(&node) {
            writer.is_answered(call.lane.number, call.bytes, now);
            if throttle > 0 {
                writer.is_throttled(Duration::from_millis(throttle), now);
            }
        }
        let mut answers = response
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(move |p| (topic, p)))
            .peekable();
        for (destination, index, time) in call.partitions {
            let id = self.destination_id(index);
            // Brokers answer in the order of the request; anything else is searched for.
            let in_order = answers.next_if(|(topic, p)| is(topic, p, &destination, id));
            let found = in_order.map(|(_, p)| p).or_else(|| {
                response.topics.iter().find_map(|topic| {
                    topic
                        .partitions
                        .iter()
                        .find(|p| is(topic, p, &destination, id))
                })
            });
            match found {
                Some(answer) => self.take_answer(index, tag, answer, now),
                None => {
                    let why = "the answer does not name the partition";
                    self.spoil(why);
                    self.doubt(index, time, now);
                    self.in_doubt(index, tag, why, now);
                }
            }
            self.after_call(index, now);
        }
        if let Some(reading) = reading {
            self.count_lanes(node, &reading, now);
        }
    }

    /// A connection to a broker has ended: the outcome of these calls is unknown.
    pub(crate) fn on_lane_ended(
        &mut self,
        lane: LaneId,
        unanswered: &[u64],
        error: &str,
        now: Instant,
    ) {
        let error = format!("destination: {error}");
        let writer = self.writers.get_mut(&lane.node);
        let says = !unanswered.is_empty() && lane.number != LaneId::APART;
        if let Some(writer) = writer.filter(|_| says) {
            writer.is_cut();
        }
        for tag in unanswered {
            let Some(call) = self.end_call(*tag) else {
                continue;
            };
            self.spoil(&error);
            for (_, index, time) in call.partitions {
                self.doubt(index, time, now);
                self.in_doubt(index, *tag, &error, now);
                self.after_call(index, now);
            }
        }
        // Those with nothing on their way keep what they have, but their leader may be gone.
        if let Some(writer) = self.writers.get_mut(&lane.node) {
            self.to_locate.extend(writer.ready(lane.number).iter());
        }
    }

    fn destination_id(&self, index: Index) -> TopicId {
        let position = self
            .partitions
            .get(&index)
            .and_then(|p| p.position.as_ref());
        position
            .map(|position| position.destination_topic_id.0)
            .unwrap_or_default()
    }

    fn end_call(&mut self, tag: u64) -> Option<Call> {
        let call = self.calls.remove(&tag)?;
        let writer = self.writers.get_mut(&call.lane.node);
        let emptied = writer.and_then(|writer| writer.has_ended(tag));
        if emptied.is_some() {
            self.leave_lane(call.lane);
        }
        for (_, index, _) in &call.partitions {
            if let Some(partition) = self.partitions.get_mut(index) {
                partition.open_calls = partition.open_calls.saturating_sub(1);
            }
        }
        Some(call)
    }

    /// A partition that waited for its calls to end may be looked at again.
    pub(super) fn after_call(&mut self, index: Index, now: Instant) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        // Its timer may have passed meanwhile.
        let waits = matches!(partition.phase, Phase::Starting) && partition.open_calls == 0;
        if waits && partition.timer.is_none() {
            partition.timer = Some(now);
            self.timers.insert((now, index));
        }
        // It may have waited for that to change its connection.
        if !waits && partition.open_calls == 0 {
            self.queue_for_send(index);
        }
    }

    fn take_answer(&mut self, index: Index, tag: u64, answer: &ProducedPartition, now: Instant) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        let send = partition.send.as_mut().filter(|send| send.awaits(tag));
        let Some(send) = send.filter(|_| answer.error == ErrorCode::NONE) else {
            return self.take_other_answer(index, tag, answer, now);
        };
        match send.acknowledge(tag, answer.base_offset) {
            Some(Ok(done)) => {
                if let Some(transaction) = &mut self.transaction {
                    transaction.has_written();
                }
                partition.pace.add(done.batch.size(), now);
                partition.stay.ends(done.batch.read_at, now);
                partition.acknowledged(&done);
                self.meter
                    .acknowledged(&mut partition.latencies, &done.batch, now);
                let jumped = done.expected.0 < done.base.0;
                partition.pad(&mut self.filler);
                let trims = partition.has_start_to_set();
                if jumped {
                    self.note_stretch(index, &done, now);
                }
                self.mark_changed(index);
                if trims {
                    self.trim_later(index);
                }
                self.queue_for_send(index);
                self.touch_reader(index);
                self.settle_blocked(index, now);
            }
            Some(Err(displaced)) if partition.preserved().is_some() => {
                self.displaced(index, displaced, now);
            }
            Some(Err(displaced)) => {
                let why = "a batch is not where the log was known to end";
                let offset = partition.position.as_ref().map(|p| p.offset.0);
                let reason = format!(
                    "destination partition {} answered offset {} where its log was known to end at {}: \
                     it was cut short or replaced. Compare it with the source before going on",
                    partition.destination, displaced.found, displaced.expected
                );
                let stop = Stop {
                    state: "destination-behind",
                    offset,
                    reason,
                    lost: None,
                };
                if let Some(stop) = self.recopied(index, stop, now) {
                    self.stop(index, stop);
                }
                self.spoil(why);
            }
            None => {
                let why = "answers came out of order";
                self.spoil(why);
                self.in_doubt(index, tag, why, now);
            }
        }
    }

    /// Takes a refusal, or an answer that nobody awaits any more.
    fn take_other_answer(
        &mut self,
        index: Index,
        tag: u64,
        answer: &ProducedPartition,
        now: Instant,
    ) {
        let send = self.partitions.get(&index).and_then(|p| p.send.as_ref());
        let awaited = send.is_some_and(|send| send.awaits(tag));
        self.spoil_by(answer.error, awaited);
        if !awaited {
            return;
        }
        if answer.error.class() == ErrorClass::ProducerState {
            // As if somebody else wrote under this name.
            self.doubt_ownership();
        }
        self.refused(index, tag, answer, now);
    }

    fn in_doubt(&mut self, index: Index, tag: u64, why: &str, now: Instant) {
        let awaits = self
            .partitions
            .get(&index)
            .and_then(|p| p.send.as_ref())
            .is_some_and(|send| send.awaits(tag));
        if awaits {
            self.restart(index, why.to_owned(), now);
        }
    }

    fn refused(&mut self, index: Index, tag: u64, answer: &ProducedPartition, now: Instant) {
        self.note_topic(answer.error);
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        let Some(send) = &partition.send else { return };
        let Some(piped) = send.sent_in(tag) else {
            return;
        };
        let offset = piped.first_offset();
        let trouble = said(&partition.destination, answer);
        let too_large = TOO_LARGE.contains(&answer.error);
        let alone = too_large && piped.offsets() == 1;
        let skips = self.settings.on_refused == OnRefused::Skip;
        let is_about_records =
            answer.error.class() == ErrorClass::RefusedData && (alone || !too_large);
        if self.settings.on_refused == OnRefused::Quarantine && is_about_records {
            let batch = piped.clone();
            return self.refuse_aside(index, &batch, answer, alone, &trouble);
        }
        let stop = match answer.error.class() {
            ErrorClass::ProducerState => {
                // Alone on its way and out of step all the same: the broker knows another history
                // of this producer. A raised epoch begins a new one.
                partition.raise_epoch = send.is_unproven();
                None
            }
            _ if answer.error == ErrorCode::CORRUPT_MESSAGE => {
                let intact = verify_crc(piped.batch.bytes());
                tracing::warn!(
                    partition = %partition.source, offset,
                    "destination refused a batch as damaged; as it came from the source its checksum {}",
                    if intact { "fits" } else { "does not fit" }
                );
                let (times, _) = partition.count_refusal(offset, now);
                (!intact && times > 1).then(|| Stop {
                    state: "damaged",
                    offset: Some(offset),
                    reason: format!(
                        "the batch at source offset {offset} of {} is damaged at the source: its checksum \
                         does not fit, also when read again, and the destination refuses it",
                        partition.source
                    ),
                    lost: None,
                })
            }
            // Where the limit may not be read, a record shows only here that it is too large.
            _ if too_large && !(alone && skips) => {
                // Read again with the limit as it is now, it comes in parts.
                let (stop, size) = (refusal(piped, offset, &trouble), piped.size());
                partition.guess_limit(size);
                (partition.count_refusal(offset, now).0 >= SIZES || alone).then_some(stop)
            }
            ErrorClass::RefusedData if skips => {
                let (stop, batch) = (refusal(piped, offset, &trouble), piped.clone());
                let indices = answer.record_errors.iter().map(|e| e.batch_index);
                let count = partition.leave_out(&batch, indices.chain(alone.then_some(0)));
                tracing::error!(
                    partition = %partition.source,
                    records = count,
                    offsets = ?partition.refused_records,
                    "records left out, as tributary.on.refused=skip says: {trouble}"
                );
                (count == 0).then_some(stop)
            }
            ErrorClass::RefusedData => Some(refusal(piped, offset, &trouble)),
            // An unknown error may pass, but is also what brokers answer to a compressed batch whose
            // records are numbered wrongly; that one stays.
            _ if answer.error.class() == ErrorClass::Fatal
                || answer.error == ErrorCode::UNKNOWN_SERVER_ERROR =>
            {
                let stop = refusal(piped, offset, &trouble);
                if answer.error == ErrorCode::UNKNOWN_SERVER_ERROR && piped.reason().is_none() {
                    partition.renumber = Some(offset);
                }
                let (times, lasts) = partition.count_refusal(offset, now);
                (times >= TRIES && lasts >= LASTS).then_some(stop)
            }
            _ => None,
        };
        match stop {
            Some(stop) => self.stop(index, stop),
            None => self.restart(index, trouble, now),
        }
    }
}

fn is(
    topic: &ProducedTopic,
    produced: &ProducedPartition,
    destination: &TopicPartition,
    id: TopicId,
) -> bool {
    let same_topic = match &topic.topic {
        TopicRef::Name(name) => *name == destination.topic,
        TopicRef::Id(found) => *found == id,
    };
    same_topic && produced.partition == destination.partition
}

/// A broker's refusal in words.
fn said(destination: &TopicPartition, answer: &ProducedPartition) -> String {
    let message = answer.error_message.as_ref();
    let message = message.map(|text| format!(" ({text})")).unwrap_or_default();
    format!(
        "destination: Produce to {destination} answered {}{message}",
        answer.error
    )
}

pub(super) fn refusal(piped: &PipedBatch, offset: i64, trouble: &str) -> Stop {
    Stop {
        state: "refused",
        offset: Some(offset),
        reason: format!(
            "{trouble}; the batch holds source offsets {}–{} in {} bytes",
            piped.first_offset(),
            piped.last_offset(),
            piped.size()
        ),
        lost: None,
    }
}

fn add(
    topics: &mut Vec<ProduceTopic>,
    destination: &TopicPartition,
    position: Option<&crate::position::Position>,
    produced: ProducePartition,
) {
    if let Some(topic) = topics
        .iter_mut()
        .rev()
        .find(|topic| topic.name == destination.topic)
    {
        topic.partitions.push(produced);
        return;
    }
    topics.push(ProduceTopic {
        name: destination.topic.clone(),
        id: position
            .map(|p| p.destination_topic_id.0)
            .unwrap_or_default(),
        partitions: vec![produced],
    });
}
