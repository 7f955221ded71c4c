//! What of one partition waits to be sent, what is on its way, and under which name (pure).
//!
//! Invariants
//! - Batches leave in order and carry contiguous sequence numbers of one producer; at most the
//!   allowed number are on their way; until the first answer after an uncertain moment only one is.
//! - An answer belongs to the oldest batch on its way. Its base offset is compared with where the
//!   destination's log was known to end.
//! - After any refusal or doubt nothing more is sent from here: the state is dropped, the
//!   destination's log is read, and a new state begins behind what is there.

use std::collections::VecDeque;

use bytes::Bytes;
use kafka_wire::batch::{HEADER_SIZE, Identity, rewrite_header};
use kafka_wire::types::ProducerIdentity;

use super::piped::PipedBatch;
use crate::position::advance_sequence;
use crate::side::Destination;

#[derive(Debug)]
struct InFlight {
    tag: u64,
    batch: PipedBatch,
}

/// A batch that the destination has acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged {
    /// The batch.
    pub(crate) batch: PipedBatch,
    /// Where its first record is.
    pub(crate) base: Destination<i64>,
    /// Sequence number behind it.
    pub(crate) sequence: i32,
}

/// An answer that contradicts what is known of the destination's log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Displaced {
    /// Where the batch should have gone, or later.
    pub(crate) expected: i64,
    /// Where the broker says it is.
    pub(crate) found: i64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct SendState {
    producer: ProducerIdentity,
    next_sequence: i32,
    /// Sequence number behind the last acknowledged batch.
    acknowledged_sequence: i32,
    /// Where the destination's log ends as far as it is ours.
    end: i64,
    queue: VecDeque<PipedBatch>,
    in_flight: VecDeque<InFlight>,
    bytes: usize,
    /// Whether an answer has come since this state began.
    proven: bool,
}

impl SendState {
    /// Begins behind everything that is known to be at the destination.
    pub(crate) fn new(producer: ProducerIdentity, sequence: i32, end: Destination<i64>) -> Self {
        Self {
            producer,
            next_sequence: sequence,
            acknowledged_sequence: sequence,
            end: end.0,
            queue: VecDeque::new(),
            in_flight: VecDeque::new(),
            bytes: 0,
            proven: false,
        }
    }

    /// Bytes of record data held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Batches that wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Where the destination's log ends as far as it is ours, and the sequence number behind that.
    pub(crate) fn acknowledged_up_to(&self) -> (Destination<i64>, i32) {
        (Destination(self.end), self.acknowledged_sequence)
    }

    /// Whether everything has been acknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_empty()
    }

    /// Whether no answer has come yet under this producer, epoch and sequence.
    pub(crate) fn is_unproven(&self) -> bool {
        !self.proven
    }

    /// Takes a batch in.
    pub(crate) fn push(&mut self, batch: PipedBatch) {
        self.bytes += batch.size();
        self.queue.push_back(batch);
    }

    /// Counts dropped records as read with the newest batch; `false` when there is none.
    pub(crate) fn pass_over(&mut self, next: i64, leader_epoch: i32) -> bool {
        let newest = self
            .queue
            .back_mut()
            .or_else(|| self.in_flight.back_mut().map(|sent| &mut sent.batch));
        match newest {
            Some(batch) => {
                batch.pass_over(next, leader_epoch);
                true
            }
            None => false,
        }
    }

    /// Size of the batch that may be sent now.
    pub(crate) fn sendable(&self, max_in_flight: usize) -> Option<usize> {
        let allowed = if self.proven { max_in_flight } else { 1 };
        if self.in_flight.len() >= allowed {
            return None;
        }
        self.queue.front().map(PipedBatch::size)
    }

    /// Takes the next batch out, under its new header.
    pub(crate) fn send(&mut self, tag: u64) -> Option<([u8; HEADER_SIZE], Bytes)> {
        let batch = self.queue.pop_front()?;
        let identity = Identity::new(self.producer, self.next_sequence);
        let header = rewrite_header(batch.batch.header_bytes(), identity, false);
        let payload = batch.batch.payload();
        self.next_sequence = advance_sequence(self.next_sequence, batch.offsets());
        self.in_flight.push_back(InFlight { tag, batch });
        Some((header, payload))
    }

    /// Takes the answer to the oldest batch on its way.
    ///
    /// # Errors
    /// When the batch is not where the log ended. Nothing is acknowledged then.
    pub(crate) fn acknowledge(
        &mut self,
        tag: u64,
        base_offset: i64,
    ) -> Option<Result<Acknowledged, Displaced>> {
        if self.in_flight.front().is_none_or(|sent| sent.tag != tag) {
            return None;
        }
        if base_offset < self.end {
            return Some(Err(Displaced {
                expected: self.end,
                found: base_offset,
            }));
        }
        let sent = self.in_flight.pop_front()?;
        let offsets = sent.batch.offsets();
        self.bytes -= sent.batch.size();
        self.proven = true;
        self.end = base_offset + offsets;
        self.acknowledged_sequence = advance_sequence(self.acknowledged_sequence, offsets);
        Some(Ok(Acknowledged {
            batch: sent.batch,
            base: Destination(base_offset),
            sequence: self.acknowledged_sequence,
        }))
    }

    /// Whether the oldest batch on its way was sent in call `tag`.
    pub(crate) fn awaits(&self, tag: u64) -> bool {
        self.in_flight.iter().any(|sent| sent.tag == tag)
    }

    /// The batch that was sent in call `tag`.
    pub(crate) fn sent_in(&self, tag: u64) -> Option<&PipedBatch> {
        self.in_flight
            .iter()
            .find(|sent| sent.tag == tag)
            .map(|sent| &sent.batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_wire::batch::{BatchBuilder, BatchHeader, RawBatch};

    fn batch(base: i64, records: usize) -> PipedBatch {
        let mut builder = BatchBuilder::new(base);
        for _ in 0..records {
            builder = builder.record(None, Some(b"v"));
        }
        let batch = RawBatch::parse(builder.build()).expect("well formed");
        PipedBatch::untouched(batch)
    }

    fn state(sequence: i32, end: i64) -> SendState {
        SendState::new(
            ProducerIdentity { id: 7, epoch: 1 },
            sequence,
            Destination(end),
        )
    }

    #[test]
    fn one_batch_goes_alone_until_it_is_answered_and_then_five_are_on_their_way() {
        let mut state = state(0, 100);
        for i in 0..10 {
            state.push(batch(i, 1));
        }
        assert!(state.sendable(5).is_some());
        state.send(1).expect("queued");
        assert_eq!(state.sendable(5), None);
        state
            .acknowledge(1, 100)
            .expect("oldest")
            .expect("where expected");
        for tag in 2..7 {
            assert!(state.sendable(5).is_some());
            state.send(tag).expect("queued");
        }
        assert_eq!(state.sendable(5), None);
    }

    #[test]
    fn sequences_count_records_and_follow_each_other() {
        let mut state = state(i32::MAX - 1, 0);
        state.push(batch(0, 3));
        state.push(batch(3, 2));
        let (first, _) = state.send(1).expect("queued");
        let (second, _) = state.send(2).expect("queued");
        assert_eq!(BatchHeader::new(&first).base_sequence(), i32::MAX - 1);
        assert_eq!(BatchHeader::new(&second).base_sequence(), 1);
        assert_eq!(BatchHeader::new(&second).producer_id(), 7);
    }

    #[test]
    fn an_answer_below_the_known_end_is_not_taken() {
        let mut state = state(0, 100);
        state.push(batch(0, 3));
        state.send(1).expect("queued");
        assert_eq!(
            state.acknowledge(1, 90).expect("oldest").err(),
            Some(Displaced {
                expected: 100,
                found: 90
            })
        );
        assert!(state.acknowledge(2, 100).is_none());
        let acknowledged = state
            .acknowledge(1, 105)
            .expect("oldest")
            .expect("a foreign writer");
        assert_eq!(acknowledged.base, Destination(105));
        assert_eq!(acknowledged.sequence, 3);
        assert!(state.is_empty());
        assert_eq!(state.bytes(), 0);
    }

    #[test]
    fn dropped_records_count_as_read_with_the_batch_before_them() {
        let mut state = state(0, 0);
        assert!(!state.pass_over(5, 3));
        state.push(batch(5, 1));
        state.send(1).expect("queued");
        assert!(state.pass_over(9, 3));
        let done = state.acknowledge(1, 0).expect("oldest").expect("fits");
        assert_eq!((done.batch.next, done.batch.leader_epoch), (9, 3));
    }
}
