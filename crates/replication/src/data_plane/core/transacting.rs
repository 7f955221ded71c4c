//! The transactional part of [`Core`]: what belongs to a transaction, and how all of it is taken back.

use kafka_wire::error_code::{ErrorCode, ProduceOutcome};
use tokio::time::Instant;

use super::super::partition::{Partition, Phase, Stop, Totals};
use super::super::recovery::Recovery;
use super::super::transaction::{Due, Step, StepOutcome, Transaction, TransactionPlan};
use super::{Core, Index};
use crate::offset_map::OffsetMap;
use crate::position_store::StoredLink;

/// What of a partition is committed, where it is written in transactions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Committed {
    /// The next source offset, and sums up to there.
    pub(crate) kept: Option<(i64, Totals)>,
    /// The same, of what is being committed.
    taken: Option<(i64, Totals)>,
}

impl Partition {
    /// The next source offset that is not settled.
    pub(crate) fn settled(&self) -> Option<i64> {
        let committed = self.committed.kept.map(|(offset, _)| offset);
        committed.or_else(|| Some(self.position.as_ref()?.offset.0))
    }

    fn is_committed(&mut self) {
        if let Some(taken) = self.committed.taken.take() {
            self.committed.kept = Some(taken);
        }
    }

    /// Goes back to what is stored.
    fn take_back(&mut self, stored: &StoredLink) {
        let known = stored.get(&self.source);
        self.position = known.and_then(|known| known.position.clone());
        let segment = known.and_then(|known| known.segment.clone());
        self.map = segment.map_or_else(OffsetMap::default, OffsetMap::resume);
        self.position_changed = false;
        self.raise_epoch = false;
        self.store_first = false;
        self.doubt = None;
        self.outdated = self.establishing;
        self.committed.taken = None;
        if let Some((offset, totals)) = &mut self.committed.kept {
            self.totals = *totals;
            // A commit whose answer was lost may have counted.
            if let Some(position) = &self.position {
                *offset = position.offset.0;
            }
        }
        if !matches!(self.phase, Phase::Stopped(_)) {
            self.restart();
        }
    }
}

impl Core {
    /// Writes in transactions from now on.
    pub(crate) fn transact(&mut self, plan: TransactionPlan) {
        self.transaction = Some(Transaction::new(plan));
    }

    /// Positions are to be stored, also where nothing is written.
    pub(crate) fn flush_transaction(&mut self) {
        let changed = !self.changed.is_empty();
        if let Some(transaction) = self.transaction.as_mut().filter(|_| changed) {
            transaction.flush();
        }
    }

    /// The last transaction is to end, with all positions.
    pub(crate) fn end_transaction(&mut self) {
        self.flush_transaction();
        if let Some(transaction) = &mut self.transaction {
            transaction.end_now();
        }
    }

    /// Whether no transaction is open, and none is to be made.
    pub(crate) fn is_settled(&self) -> bool {
        self.transaction.as_ref().is_none_or(Transaction::is_idle)
    }

    /// What a step of the transaction asks for, where one is due.
    pub(crate) fn next_step(&mut self, now: Instant) -> Option<Step> {
        let drained = self.calls.is_empty();
        let waited_for = self.waits_for_store();
        let due = self.transaction.as_mut()?.due(now, drained, waited_for)?;
        Some(match due {
            Due::Announce(partitions) => Step::Announce(partitions),
            Due::Renew { was_open } => Step::Renew { was_open },
            Due::Commit => {
                let entries = self.take_positions(true);
                for index in &self.storing {
                    if let Some(partition) = self.partitions.get_mut(index) {
                        let offset = partition.position.as_ref().map(|p| p.offset.0);
                        let totals = partition.totals;
                        partition.committed.taken = offset.map(|offset| (offset, totals));
                    }
                }
                let transaction = self.transaction.as_mut()?;
                if entries.is_empty() && transaction.nothing_to_commit() {
                    return None;
                }
                Step::Commit(entries)
            }
        })
    }

    /// Takes what became of a step. Says what trouble there is, if any.
    pub(crate) fn on_step(&mut self, outcome: StepOutcome) -> Option<String> {
        let transaction = self.transaction.as_mut()?;
        match outcome {
            StepOutcome::Announced => transaction.on_announced(),
            StepOutcome::Committed(writer) => {
                transaction.on_committed(writer);
                for index in &self.storing {
                    if let Some(partition) = self.partitions.get_mut(index) {
                        partition.is_committed();
                    }
                }
                for partition in self.partitions.values_mut() {
                    if let Some(send) = &mut partition.send {
                        send.renew(writer);
                    }
                }
                self.on_stored();
            }
            StepOutcome::Renewed(writer, version, stored) => {
                transaction.on_renewed(writer, version);
                self.take_back(&stored);
            }
            StepOutcome::Failed(trouble) => {
                transaction.on_failed();
                return Some(trouble);
            }
            StepOutcome::Fenced(why) => {
                transaction.on_fenced(why);
                let all: Vec<Index> = self.partitions.keys().copied().collect();
                for index in all {
                    self.stop_if_fenced(index);
                }
            }
        }
        None
    }

    fn take_back(&mut self, stored: &StoredLink) {
        self.storing.clear();
        self.changed.clear();
        let all: Vec<Index> = self.partitions.keys().copied().collect();
        for index in all {
            let Some(partition) = self.partitions.get_mut(&index) else {
                continue;
            };
            partition.take_back(stored);
            // Those that wait for something else come back by themselves.
            if partition.timer.is_none() && !partition.outdated {
                self.to_locate.insert(index);
            }
            self.touch_reader(index);
        }
    }

    /// Stops a partition because another process has taken over; `true` if it is so.
    pub(super) fn stop_if_fenced(&mut self, index: Index) -> bool {
        let why = self.transaction.as_ref().and_then(Transaction::fenced);
        let Some(why) = why.map(str::to_owned) else {
            return false;
        };
        let partition = self.partitions.get(&index);
        if partition.is_some_and(|partition| matches!(partition.phase, Phase::Stopped(_))) {
            return true;
        }
        let offset = partition.and_then(|one| one.settled());
        let stop = Stop {
            state: "taken-over",
            offset,
            reason: format!(
                "destination: {why}. Nothing of this process counts any more; end one of the two"
            ),
            lost: None,
        };
        self.stop(index, stop);
        true
    }

    /// What is on its way, or was, does not have to be there: what is written now cannot be committed.
    pub(super) fn spoil(&mut self, why: &str) {
        if let Some(transaction) = &mut self.transaction {
            tracing::debug!("the transaction is given up: {why}");
            transaction.spoil();
        }
    }

    /// Whether an answer leaves open what the transaction holds.
    pub(super) fn spoil_by(&mut self, code: ErrorCode, awaited: bool) {
        let spoils = match code.produce_outcome() {
            // It was appended, and nobody counts it.
            ProduceOutcome::Appended => !awaited,
            ProduceOutcome::NotAppended => false,
            // What followed a refused batch is out of step as well.
            ProduceOutcome::OutOfStep => awaited,
            ProduceOutcome::Unknown => true,
        };
        if spoils && self.transaction.is_some() {
            self.spoil(&format!("a batch was answered with {code}"));
        }
    }
}

/// Whether a partition may be stored: not while what landed before transactions were used is still being compared, or
/// it would never be again.
pub(super) fn may_be_stored(transacts: bool, recovery: &Recovery) -> bool {
    !transacts || recovery.is_over()
}
