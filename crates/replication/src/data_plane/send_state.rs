//! What of one partition waits to be sent, what is on its way, and under which name (pure).
//!
//! ```text
//!   mapped      [batch][batch][batch] …                  any offset behind the end
//!   preserved   [filler][filler][batch][gap][batch] …    each has to get the offset it has at the source
//! ```
//!
//! Invariants
//! - Batches leave in order and carry contiguous sequence numbers of one producer; at most the
//!   allowed number are on their way; until the first answer after an uncertain moment only one is.
//! - An answer belongs to the oldest batch on its way. Its base offset is compared with where the
//!   destination's log was known to end.
//! - Where offsets are preserved, what is queued covers every offset once, without a hole. A gap is filled
//!   while nothing is on its way, and nothing leaves before the end was read and is where the gap ends:
//!   what lands out of place cannot be taken back.
//! - After any refusal or doubt nothing more is sent from here: the state is dropped, the
//!   destination's log is read, and a new state begins behind what is there.

use std::collections::VecDeque;

use bytes::Bytes;
use kafka_wire::batch::{HEADER_SIZE, Identity, rewrite_header};
use kafka_wire::types::ProducerIdentity;
use tokio::time::Instant;

use super::piped::PipedBatch;
use crate::position::advance_sequence;
use crate::side::Destination;

#[derive(Debug)]
struct InFlight {
    tag: u64,
    batch: PipedBatch,
}

#[derive(Debug)]
enum Item {
    Batch(PipedBatch),
    Gap(Gap),
}

/// Offsets without a record: they are used up by markers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Gap {
    /// The first of them.
    pub(crate) from: i64,
    /// Behind the last of them.
    pub(crate) to: i64,
    /// Leader epoch of what the source has there.
    pub(crate) leader_epoch: i32,
}

/// Why a batch cannot get the offsets it has at the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unplaceable {
    /// Offsets lie between its records.
    Scattered,
    /// They are taken already.
    Taken {
        /// Behind what is queued.
        placed: i64,
    },
    /// Too many offsets lie in front of it.
    GapTooLarge(Gap),
}

/// The most offsets that one gap may have: each takes 78 bytes on the destination's disk.
pub(crate) const LARGEST_GAP: i64 = 1_000_000;

/// A batch that the destination has acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged {
    /// The batch.
    pub(crate) batch: PipedBatch,
    /// Where its first record is.
    pub(crate) base: Destination<i64>,
    /// Where the log was known to end before.
    pub(crate) expected: Destination<i64>,
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
    queue: VecDeque<Item>,
    in_flight: VecDeque<InFlight>,
    bytes: usize,
    records: u64,
    /// Whether an answer has come since this state began.
    proven: bool,
    /// Behind what is queued, where offsets are preserved.
    placed: Option<i64>,
    /// Whether the gap in front is being filled.
    filling: bool,
    /// Whether batches belong to transactions.
    transactional: bool,
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
            records: 0,
            proven: false,
            placed: None,
            filling: false,
            transactional: false,
        }
    }

    /// Writes in transactions.
    pub(crate) fn transacting(self) -> Self {
        Self {
            transactional: true,
            ..self
        }
    }

    /// Under which name batches are sent, and whether in transactions.
    pub(crate) fn writer(&self) -> (ProducerIdentity, bool) {
        (self.producer, self.transactional)
    }

    /// The next transaction has another identity, whose sequence numbers begin anew. Nothing is on its way then.
    pub(crate) fn renew(&mut self, producer: ProducerIdentity) {
        if self.producer != producer {
            self.producer = producer;
            self.next_sequence = 0;
            self.acknowledged_sequence = 0;
        }
    }

    /// Gives every record the offset it has at the source.
    pub(crate) fn preserving(self) -> Self {
        Self {
            placed: Some(self.end),
            ..self
        }
    }

    /// Behind what is queued, where offsets are preserved.
    pub(crate) fn placed(&self) -> Option<i64> {
        self.placed
    }

    /// Bytes of record data held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Records held.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Batches that wait to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Where the destination's log ends as far as it is ours, and the sequence number behind that.
    pub(crate) fn acknowledged_up_to(&self) -> (Destination<i64>, i32) {
        (Destination(self.end), self.acknowledged_sequence)
    }

    /// Time of the oldest record that is here, in milliseconds since 1970.
    pub(crate) fn oldest_ms(&self) -> Option<i64> {
        Some(self.oldest()?.batch.header().base_timestamp())
    }

    /// When the oldest record that is here was read.
    pub(crate) fn oldest_read(&self) -> Option<Instant> {
        self.oldest()?.read_at
    }

    fn oldest(&self) -> Option<&PipedBatch> {
        let sent = self.in_flight.iter().map(|sent| &sent.batch);
        let queued = self.queue.iter().filter_map(|item| match item {
            Item::Batch(batch) => Some(batch),
            Item::Gap(_) => None,
        });
        sent.chain(queued).find(|batch| !batch.is_filler())
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
    ///
    /// # Errors
    /// When it cannot get the offsets it has at the source, and is to.
    pub(crate) fn push(&mut self, batch: PipedBatch) -> Result<(), Unplaceable> {
        if let Some(placed) = self.placed {
            let (first, last) = (batch.first_offset(), batch.last_offset());
            if last - first + 1 != batch.offsets() {
                return Err(Unplaceable::Scattered);
            }
            if first < placed {
                return Err(Unplaceable::Taken { placed });
            }
            self.fill_to(first, batch.leader_epoch)?;
            self.placed = Some(last + 1);
        }
        self.bytes += batch.size();
        self.records += u64::from(batch.batch.info().records);
        self.queue.push_back(Item::Batch(batch));
        Ok(())
    }

    /// Uses up the offsets below `next` that nothing stands at, where offsets are preserved.
    ///
    /// # Errors
    /// When they are too many.
    pub(crate) fn fill_to(&mut self, next: i64, leader_epoch: i32) -> Result<(), Unplaceable> {
        let Some(placed) = self.placed.filter(|placed| *placed < next) else {
            return Ok(());
        };
        let gap = Gap {
            from: placed,
            to: next,
            leader_epoch,
        };
        if next - placed > LARGEST_GAP {
            return Err(Unplaceable::GapTooLarge(gap));
        }
        self.queue.push_back(Item::Gap(gap));
        self.placed = Some(next);
        Ok(())
    }

    /// Counts dropped records as read with the newest batch; `false` when there is none.
    pub(crate) fn pass_over(&mut self, next: i64, leader_epoch: i32) -> bool {
        let queued = self.queue.iter_mut().rev().find_map(|item| match item {
            Item::Batch(batch) => Some(batch),
            Item::Gap(_) => None,
        });
        let newest = queued.or_else(|| self.in_flight.back_mut().map(|sent| &mut sent.batch));
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
        match self.queue.front()? {
            Item::Batch(batch) => Some(batch.size()),
            Item::Gap(_) => None,
        }
    }

    /// Takes the next batch out, under its new header. Also says the newest time of its records.
    pub(crate) fn send(&mut self, tag: u64) -> Option<([u8; HEADER_SIZE], Bytes, i64)> {
        let batch = match self.queue.pop_front()? {
            Item::Batch(batch) => batch,
            gap @ Item::Gap(_) => {
                self.queue.push_front(gap);
                return None;
            }
        };
        let identity = Identity::new(self.producer, self.next_sequence);
        let header = rewrite_header(batch.batch.header_bytes(), identity, self.transactional);
        let payload = batch.batch.payload();
        let time = batch.batch.header().max_timestamp();
        self.next_sequence = advance_sequence(self.next_sequence, batch.offsets());
        self.in_flight.push_back(InFlight { tag, batch });
        Some((header, payload, time))
    }

    /// The gap that may be filled now.
    pub(crate) fn gap(&self) -> Option<Gap> {
        match self.queue.front() {
            Some(Item::Gap(gap)) if self.in_flight.is_empty() && !self.filling => Some(*gap),
            _ => None,
        }
    }

    /// The gap in front is being filled: nothing else happens before [`Self::filled`].
    pub(crate) fn fill(&mut self) {
        self.filling = true;
    }

    /// Nothing was written: the gap in front is as it was.
    pub(crate) fn not_filled(&mut self) {
        self.filling = false;
    }

    /// Whether a gap is being filled.
    pub(crate) fn is_filling(&self) -> bool {
        self.filling
    }

    /// Markers were written, and the log ends at `end` now. Says how far the gap is filled.
    ///
    /// # Errors
    /// When that is not the end that was expected.
    pub(crate) fn filled(&mut self, expected: i64, end: i64) -> Result<Option<Gap>, Displaced> {
        let displaced = Displaced {
            expected,
            found: end,
        };
        self.filling = false;
        let Some(Item::Gap(gap)) = self.queue.front_mut() else {
            return Ok(None);
        };
        if end != expected || end > gap.to {
            return Err(displaced);
        }
        self.end = end;
        gap.from = end;
        let filled = *gap;
        if gap.from == gap.to {
            self.queue.pop_front();
        }
        Ok(Some(filled))
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
        let fits = match self.placed {
            Some(_) => base_offset == self.end,
            // Others may write in between.
            None => base_offset >= self.end,
        };
        if !fits {
            return Some(Err(Displaced {
                expected: self.end,
                found: base_offset,
            }));
        }
        let sent = self.in_flight.pop_front()?;
        let offsets = sent.batch.offsets();
        self.bytes -= sent.batch.size();
        self.records -= u64::from(sent.batch.batch.info().records);
        self.proven = true;
        let expected = Destination(self.end);
        self.end = base_offset + offsets;
        self.acknowledged_sequence = advance_sequence(self.acknowledged_sequence, offsets);
        Some(Ok(Acknowledged {
            batch: sent.batch,
            base: Destination(base_offset),
            expected,
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
            state.push(batch(i, 1)).expect("anything fits");
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
        state.push(batch(0, 3)).expect("anything fits");
        state.push(batch(3, 2)).expect("anything fits");
        let (first, ..) = state.send(1).expect("queued");
        let (second, ..) = state.send(2).expect("queued");
        assert_eq!(BatchHeader::new(&first).base_sequence(), i32::MAX - 1);
        assert_eq!(BatchHeader::new(&second).base_sequence(), 1);
        assert_eq!(BatchHeader::new(&second).producer_id(), 7);
    }

    #[test]
    fn an_answer_below_the_known_end_is_not_taken() {
        let mut state = state(0, 100);
        state.push(batch(0, 3)).expect("anything fits");
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
        state.push(batch(5, 1)).expect("anything fits");
        state.send(1).expect("queued");
        assert!(state.pass_over(9, 3));
        let done = state.acknowledge(1, 0).expect("oldest").expect("fits");
        assert_eq!((done.batch.next, done.batch.leader_epoch), (9, 3));
    }

    #[test]
    fn a_gap_is_filled_alone_and_what_follows_waits_for_the_end_to_be_right() {
        let mut state = state(0, 100).preserving();
        state.push(batch(100, 3)).expect("it is next");
        state.push(batch(105, 1)).expect("behind a gap");
        state.fill_to(107, 4).expect("few");
        assert_eq!(state.gap(), None);
        state.send(1).expect("queued");
        assert_eq!(state.gap(), None, "a batch is on its way");
        state
            .acknowledge(1, 100)
            .expect("oldest")
            .expect("in place");
        let gap = Gap {
            from: 103,
            to: 105,
            leader_epoch: 0,
        };
        assert_eq!(state.gap(), Some(gap));
        assert_eq!(state.sendable(5), None);
        state.fill();
        assert_eq!((state.gap(), state.sendable(5)), (None, None));
        let done = state.filled(104, 104).expect("in part");
        assert_eq!(done.map(|gap| gap.from), Some(104));
        state.fill();
        state.filled(105, 105).expect("to its end");
        assert!(state.send(2).is_some());
        assert_eq!(state.gap(), None, "the last gap waits for the answer");
        state
            .acknowledge(2, 105)
            .expect("oldest")
            .expect("in place");
        state.fill();
        let displaced = state.filled(107, 108).expect_err("one too many");
        assert_eq!((displaced.expected, displaced.found), (107, 108));
    }

    #[test]
    fn where_offsets_are_preserved_every_answer_names_exactly_the_offset_of_its_batch() {
        for base in [99, 101] {
            let mut state = state(0, 100).preserving();
            state.push(batch(100, 3)).expect("it is next");
            state.send(1).expect("queued");
            let displaced = state.acknowledge(1, base).expect("oldest").err();
            let expected = Displaced {
                expected: 100,
                found: base,
            };
            assert_eq!(displaced, Some(expected));
        }
    }

    #[test]
    fn what_cannot_get_its_offsets_is_not_taken_in() {
        let mut state = state(0, 100).preserving();
        let taken = state.push(batch(99, 3));
        assert_eq!(taken, Err(Unplaceable::Taken { placed: 100 }));
        let far = state.push(batch(101 + LARGEST_GAP, 1));
        assert!(matches!(far, Err(Unplaceable::GapTooLarge(_))), "{far:?}");
        assert!(state.is_empty());
    }
}
