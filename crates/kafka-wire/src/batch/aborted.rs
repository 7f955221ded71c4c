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
