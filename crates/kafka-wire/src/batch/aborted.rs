//! read_committed, batch by batch: which batches of one fetch answer a reader may see.
//!
//! A broker answers a read_committed fetch with everything below the last stable offset, the data
//! of aborted transactions and all control batches included, and names the aborted transactions
//! that overlap the answer (KIP-98). A batch has one producer, so whole batches are judged and
//! nothing but the key of control records is read.
//!
//! Invariant: one filter per partition *and answer*. The list belongs to the answer; a filter kept
//! for the next one would miss its entries, or keep a producer that has begun a new transaction.

use std::collections::HashSet;

use super::control::ControlType;
use super::header::BatchInfo;
use crate::types::Offset;

/// An entry of the list of aborted transactions in a fetch answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTransaction {
    /// Whose transaction it was.
    pub producer_id: i64,
    /// Offset of its first record; may lie before the answer, or behind it.
    pub first_offset: Offset,
}

/// What becomes of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// A reader may see it.
    Deliver,
    /// Its transaction was aborted.
    DropAborted,
    /// Written by a broker for its own bookkeeping.
    DropControl,
}

/// Judges the batches of one partition of one answer, in their order.
#[derive(Clone, Debug)]
pub struct AbortedFilter {
    /// Not yet reached; sorted, the next one last.
    ahead: Vec<AbortedTransaction>,
    /// Producers whose transaction, open at this place, will turn out aborted.
    aborting: HashSet<i64>,
}

impl AbortedFilter {
    /// Takes the list of the answer, in any order. An empty one costs nothing.
    #[must_use]
    pub fn new(mut aborted: Vec<AbortedTransaction>) -> Self {
        aborted.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.first_offset));
        Self {
            ahead: aborted,
            aborting: HashSet::new(),
        }
    }

    /// Judges the next batch. `control` is what [`control_type`](super::control_type) says of a
    /// control batch, and `None` for any other.
    pub fn on_batch(&mut self, info: &BatchInfo, control: Option<ControlType>) -> Verdict {
        let is_control = info.attributes.is_control();
        if info.has_producer() {
            while let Some(entry) = self
                .ahead
                .pop_if(|next| next.first_offset <= info.last_offset)
            {
                self.aborting.insert(entry.producer_id);
            }
            // Only the abort ends it: a commit of a producer in the set cannot happen before, and
            // if it did, Kafka's own consumer would keep the producer in the set as well.
            if is_control && control == Some(ControlType::Abort) {
                self.aborting.remove(&info.producer_id);
            }
        }
        if is_control {
            Verdict::DropControl
        } else if info.attributes.is_transactional() && self.aborting.contains(&info.producer_id) {
            Verdict::DropAborted
        } else {
            Verdict::Deliver
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchBuilder, RawBatch, control_batch, control_type};
    use crate::types::ProducerIdentity;

    /// A batch of two records: (offset, producer, part of a transaction).
    fn data(offset: Offset, id: i64, transactional: bool) -> RawBatch {
        let builder = BatchBuilder::new(offset)
            .producer(ProducerIdentity { id, epoch: 0 }, 0)
            .record(None, None)
            .record(None, None);
        let builder = if transactional {
            builder.transactional()
        } else {
            builder
        };
        RawBatch::parse(builder.build()).unwrap()
    }

    fn marker(offset: Offset, id: i64, kind: ControlType) -> RawBatch {
        let producer = ProducerIdentity { id, epoch: 0 };
        RawBatch::parse(control_batch(offset, producer, kind)).unwrap()
    }

    fn check(aborted: &[(i64, Offset)], batches: &[RawBatch], expected: &[Verdict]) {
        let list = aborted
            .iter()
            .map(|&(producer_id, first_offset)| AbortedTransaction {
                producer_id,
                first_offset,
            });
        let mut filter = AbortedFilter::new(list.collect());
        let found: Vec<_> = batches
            .iter()
            .map(|batch| filter.on_batch(batch.info(), control_type(batch).unwrap_or(None)))
            .collect();
        assert_eq!(found, expected);
    }

    use Verdict::{Deliver, DropAborted, DropControl};

    #[test]
    fn an_aborted_transaction_is_dropped_up_to_its_marker() {
        check(
            &[(1, 0)],
            &[
                data(0, 1, true),
                data(2, 1, true),
                marker(4, 1, ControlType::Abort),
                data(5, 1, true),
                marker(7, 1, ControlType::Commit),
            ],
            &[DropAborted, DropAborted, DropControl, Deliver, DropControl],
        );
    }

    #[test]
    fn a_transaction_that_began_before_the_answer_is_dropped_from_the_first_batch() {
        let batches = [data(100, 1, true), marker(102, 1, ControlType::Abort)];
        check(&[(1, 3)], &batches, &[DropAborted, DropControl]);
    }

    #[test]
    fn what_others_write_between_is_delivered() {
        check(
            &[(1, 0)],
            &[
                data(0, 1, true),
                data(2, 2, true),
                data(4, 1, false),
                data(6, -1, false),
                data(8, -1, true),
                data(10, 1, true),
            ],
            &[DropAborted, Deliver, Deliver, Deliver, Deliver, DropAborted],
        );
    }

    #[test]
    fn an_entry_counts_from_its_own_first_offset_on() {
        // The producer's first transaction committed; the list is out of order.
        check(
            &[(1, 10), (1, 5)],
            &[
                data(0, 1, true),
                marker(2, 1, ControlType::Commit),
                // Holds the first offset of the second transaction behind its own.
                data(4, 1, true),
                marker(6, 1, ControlType::Abort),
                data(7, 1, true),
                marker(9, 1, ControlType::Commit),
                data(10, 1, true),
                marker(12, 1, ControlType::Abort),
                data(13, 1, true),
            ],
            &[
                Deliver,
                DropControl,
                DropAborted,
                DropControl,
                Deliver,
                DropControl,
                DropAborted,
                DropControl,
                Deliver,
            ],
        );
    }

    #[test]
    fn a_hole_does_not_hide_an_entry() {
        // Compaction removed the batch that the entry named; a later one of the transaction is left.
        check(
            &[(1, 3)],
            &[data(0, 2, true), data(8, 1, true)],
            &[Deliver, DropAborted],
        );
    }

    #[test]
    fn the_abort_of_one_producer_does_not_end_that_of_another() {
        check(
            &[(1, 0), (2, 2)],
            &[
                data(0, 1, true),
                data(2, 2, true),
                marker(4, 1, ControlType::Abort),
                data(5, 2, true),
                marker(7, 2, ControlType::Abort),
            ],
            &[
                DropAborted,
                DropAborted,
                DropControl,
                DropAborted,
                DropControl,
            ],
        );
    }

    #[test]
    fn other_control_batches_are_dropped_and_change_nothing() {
        check(
            &[(1, 0)],
            &[marker(0, 1, ControlType::Other(2)), data(1, 1, true)],
            &[DropControl, DropAborted],
        );
    }
}
