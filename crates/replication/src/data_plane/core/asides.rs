//! The part of [`Core`] that has records set aside: what waits for that, and what follows.
//!
//! A partition waits in `Starting` while a record of it is on its way to the quarantine; when it is there, the partition
//! begins anew and leaves it out. So a position never passes a record that is in neither place.

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_wire::message::produce::ProducedPartition;
use kafka_wire::types::TopicPartition;
use tokio::time::Instant;

use super::super::aside::{Aside, Way, set_aside};
use super::super::partition::{Partition, Phase, Stop};
use super::super::piped::PipedBatch;
use super::super::quarantine::AsideTrouble;
use super::super::route::Blocked;
use super::writing::refusal;
use super::{Core, Index};

/// Records to be set aside.
#[derive(Clone, Debug)]
pub(crate) struct AsideOrder {
    pub(crate) index: Index,
    /// Where they would have gone.
    pub(crate) destination: TopicPartition,
    pub(crate) records: Vec<Aside>,
}

impl Core {
    /// The next records to be set aside.
    pub(crate) fn take_aside(&mut self) -> Option<AsideOrder> {
        self.to_set_aside.pop()
    }

    /// Has the refused records of a batch set aside. The partition stops where the broker does not say which they are, or
    /// they cannot be read.
    pub(super) fn refuse_aside(
        &mut self,
        index: Index,
        batch: &PipedBatch,
        answer: &ProducedPartition,
        alone: bool,
        trouble: &str,
    ) {
        let indices = answer.record_errors.iter().map(|e| e.batch_index);
        let indices = indices.chain(alone.then_some(0));
        let partition = self.partitions.get(&index);
        match partition
            .and_then(|partition| self.refused_records(partition, batch, indices, trouble))
        {
            Some(asides) => self.wait_for_aside(index, asides),
            None => self.stop(index, refusal(batch, batch.first_offset(), trouble)),
        }
    }

    fn refused_records(
        &self,
        partition: &Partition,
        batch: &PipedBatch,
        indices: impl Iterator<Item = i32>,
        reason: &str,
    ) -> Option<Vec<Aside>> {
        let mut places: Vec<(usize, i64)> = indices
            .filter_map(|index| {
                let offset = batch.offset_at(i64::from(index))?;
                Some((usize::try_from(index).ok()?, offset))
            })
            .filter(|(_, offset)| !partition.refused_records.contains(offset))
            .collect();
        // Where copies of a record fill a hole, all of them are refused; it is one record.
        places.sort_unstable_by_key(|(index, _)| *index);
        places.dedup_by_key(|(_, offset)| *offset);
        let asides = set_aside(&batch.batch, &places, reason, self.way(partition)).ok()?;
        (!asides.is_empty()).then_some(asides)
    }

    /// What a block asks to set aside, where it does.
    pub(super) fn blocked_aside(
        &self,
        partition: &Partition,
        blocked: &Blocked,
    ) -> Option<Vec<Aside>> {
        let batch = blocked.aside.as_ref()?;
        let places = [(0, blocked.offset)];
        set_aside(batch, &places, &blocked.reason, self.way(partition)).ok()
    }

    fn way<'a>(&'a self, partition: &'a Partition) -> Way<'a> {
        Way {
            link: &self.settings.link,
            source: &partition.source,
            destination: &partition.destination,
        }
    }

    /// Orders it; the partition waits.
    pub(super) fn wait_for_aside(&mut self, index: Index, records: Vec<Aside>) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        partition.restart();
        partition.setting_aside = true;
        self.to_set_aside.push(AsideOrder {
            index,
            destination: partition.destination.clone(),
            records,
        });
        self.touch_reader(index);
    }

    /// Takes the outcome of an order.
    pub(crate) fn on_set_aside(
        &mut self,
        order: AsideOrder,
        outcome: Result<(), AsideTrouble>,
        now: Instant,
    ) {
        let index = order.index;
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        partition.setting_aside = false;
        if matches!(partition.phase, Phase::Stopped(_)) {
            return;
        }
        let first = order.records.first().map(|aside| aside.offset);
        match outcome {
            Ok(()) => {
                let stands = partition.position.as_ref().map_or(i64::MIN, |p| p.offset.0);
                let mut all: BTreeSet<i64> =
                    partition.refused_records.range(stands..).copied().collect();
                for aside in &order.records {
                    tracing::warn!(
                        partition = %partition.source, offset = aside.offset,
                        "record set aside, as tributary.on.refused=quarantine says: {}", aside.reason
                    );
                    all.insert(aside.offset);
                }
                partition.totals.quarantined += order.records.len() as u64;
                partition.refused_records = Arc::new(all);
                partition.recover();
                self.to_locate.insert(index);
            }
            Err(AsideTrouble::Passing(trouble)) => {
                // What is met again is set aside again.
                partition.meet(trouble, now);
                self.pause(index, now);
            }
            Err(AsideTrouble::Final(trouble)) => {
                let refused = order.records.into_iter().next();
                let reason = refused.map(|aside| aside.reason).unwrap_or_default();
                self.stop(
                    index,
                    Stop {
                        state: "refused",
                        offset: first,
                        reason: format!("{reason}; and it cannot be set aside: {trouble}"),
                        lost: None,
                    },
                );
            }
        }
    }
}
