//! The part of a life in which batches and positions are written in transactions: a coordinator, and what it loses.

use std::collections::BTreeSet;

use kafka_wire::message::TransactionVersion;
use kafka_wire::message::produce::ProduceRequest;
use kafka_wire::types::ProducerIdentity;
use rand::RngExt;

use super::{Kept, Life, Plant, destination, source};
use crate::data_plane::core::{Core, EstablishOrder, Established};
use crate::data_plane::establish::{Readings, exact, first_position};
use crate::data_plane::transaction::{Step, StepOutcome, TransactionPlan};
use crate::position_store::{StoreEntry, Stored, StoredLink};

const INTERVAL: std::time::Duration = std::time::Duration::from_millis(100);

/// Who may write, and what of it is open.
#[derive(Debug)]
pub(super) struct Coordinator {
    version: TransactionVersion,
    identity: ProducerIdentity,
    announced: BTreeSet<i32>,
}

/// A commit that may still be carried out, for the identity it was asked for with.
#[derive(Debug)]
pub(super) struct LateCommit {
    identity: ProducerIdentity,
    entries: Vec<StoreEntry>,
}

impl Life {
    /// A life in which everything is written in transactions.
    pub(in super::super) fn transacting(seed: u64, plant: Plant) -> Self {
        let mut life = Self::new(seed, plant);
        life.cleans = false;
        life.to = (0..life.sources.len()).collect();
        let version = match life.random.random_bool(0.5) {
            true => TransactionVersion::Announced,
            false => TransactionVersion::EpochPerTransaction,
        };
        for log in &mut life.destinations {
            log.restamps = false;
            log.transactional = Some(version);
        }
        life.coordinator = Some(Coordinator {
            version,
            identity: ProducerIdentity { id: 900, epoch: 0 },
            announced: BTreeSet::new(),
        });
        life.core = Core::new(life.core.settings.clone());
        life.begin_transacting();
        life.assign();
        life
    }

    /// A process initialises its producer: what was open is taken back, and the epoch is raised.
    pub(super) fn begin_transacting(&mut self) {
        let Some(coordinator) = &mut self.coordinator else {
            return;
        };
        coordinator.identity.epoch += 1;
        coordinator.announced.clear();
        let (identity, version) = (coordinator.identity, coordinator.version);
        for log in &mut self.destinations {
            log.take_back();
            log.fenced_below = identity.epoch;
        }
        if self.core.partitions.is_empty() {
            self.core.transact(TransactionPlan {
                id: "link-0".to_owned(),
                version,
                writer: identity,
                interval: INTERVAL,
            });
        }
    }

    pub(super) fn take_step(&mut self) {
        if let Some(step) = self.core.next_step(self.now) {
            assert!(self.open.step.is_none(), "one step at a time");
            self.open.step = Some((step, None));
        }
    }

    /// The coordinator does what it was asked for.
    pub(super) fn execute_step(&mut self) {
        let Some((step, None)) = &self.open.step else {
            return;
        };
        let outcome = match step {
            Step::Announce(partitions) => {
                let numbers = partitions.iter().map(|partition| partition.partition);
                let numbers: Vec<i32> = numbers.collect();
                if let Some(coordinator) = &mut self.coordinator {
                    coordinator.announced.extend(numbers);
                }
                StepOutcome::Announced
            }
            Step::Commit(entries) => {
                let entries = entries.clone();
                StepOutcome::Committed(self.commit(entries))
            }
            Step::Renew { .. } => {
                self.begin_transacting();
                let coordinator = self.coordinator.as_ref().expect("such a life");
                let (identity, version) = (coordinator.identity, coordinator.version);
                StepOutcome::Renewed(identity, version, self.stored_link())
            }
        };
        if let Some((_, answer)) = &mut self.open.step {
            *answer = Some(outcome);
        }
    }

    fn commit(&mut self, entries: Vec<StoreEntry>) -> ProducerIdentity {
        for entry in &entries {
            self.check_position(entry);
        }
        for entry in entries {
            self.keep(entry);
        }
        for log in &mut self.destinations {
            log.commit();
        }
        let coordinator = self.coordinator.as_mut().expect("such a life");
        coordinator.announced.clear();
        if coordinator.version == TransactionVersion::EpochPerTransaction {
            coordinator.identity.epoch += 1;
            for log in &mut self.destinations {
                log.fenced_below = coordinator.identity.epoch;
            }
        }
        coordinator.identity
    }

    pub(super) fn answer_step(&mut self) {
        if let Some((_, Some(_))) = &self.open.step
            && let Some((_, Some(outcome))) = self.open.step.take()
        {
            self.core.on_step(outcome);
        }
    }

    /// The answer is lost; what was asked for may be done, or will be.
    pub(super) fn cut_step(&mut self) {
        let Some((step, answer)) = self.open.step.take() else {
            return;
        };
        self.tally.cuts += 1;
        if let (Step::Commit(entries), None) = (step, answer) {
            self.leave_commit(entries);
        }
        if self.plant == Plant::BelieveInCuts {
            let identity = self.coordinator.as_ref().expect("such a life").identity;
            self.core.on_step(StepOutcome::Committed(identity));
            return;
        }
        self.core.on_step(StepOutcome::Failed("cut".to_owned()));
    }

    fn leave_commit(&mut self, entries: Vec<StoreEntry>) {
        let identity = self.coordinator.as_ref().map(|c| c.identity);
        if let Some(identity) = identity.filter(|_| self.random.random_bool(0.6)) {
            self.late_commits.push(LateCommit { identity, entries });
        }
    }

    /// A commit of a connection that has ended: it counts only for the identity that still holds.
    pub(super) fn land_commit(&mut self) {
        if let Some(late) = self.late_commits.pop()
            && self
                .coordinator
                .as_ref()
                .is_some_and(|c| c.identity == late.identity)
        {
            self.commit(late.entries);
        }
    }

    /// The process ends amid a step.
    pub(super) fn crash_step(&mut self) {
        if let Some((Step::Commit(entries), None)) = self.open.step.take() {
            self.leave_commit(entries);
            self.land_commit();
        }
    }

    fn stored_link(&self) -> StoredLink {
        let stored = |(index, kept): (usize, &Kept)| {
            let stored = Stored {
                position: kept.position.clone(),
                segment: kept.segments.values().next_back().cloned(),
                ..Stored::default()
            };
            (source(index), stored)
        };
        self.kept.iter().enumerate().map(stored).collect()
    }

    /// Every batch goes to a partition that was announced, where that is asked for.
    pub(super) fn check_announced(&mut self, request: &ProduceRequest) {
        let Some(coordinator) = &self.coordinator else {
            return;
        };
        let mut named = request.topics.iter().flat_map(|topic| &topic.partitions);
        let unknown = named.find(|p| !coordinator.announced.contains(&p.partition));
        if let Some(unknown) = unknown
            && coordinator.version == TransactionVersion::Announced
        {
            let partition = destination(usize::try_from(unknown.partition).unwrap_or(0));
            self.found = Some(format!("{partition} was not announced"));
        }
    }

    pub(super) fn establish_transactional(
        &self,
        order: &EstablishOrder,
        readings: Readings,
        writer: ProducerIdentity,
    ) -> Established {
        match &order.position {
            Some(position) => exact(order, position, readings),
            None => Established::Ready {
                position: first_position(order, readings, writer),
                landed: Vec::new(),
                max_message_bytes: readings.max_message_bytes,
                store_first: true,
                repeated: 0,
                end: readings.end,
                ground: Default::default(),
            },
        }
    }
}
