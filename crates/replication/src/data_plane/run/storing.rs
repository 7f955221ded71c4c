//! The loop's part in storing positions: by themselves, or in transactions with what was written.

use lifecycle::{OnFailure, Scope};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::core::Core;
use super::super::transact::{Transactions, Transactor};
use super::super::transaction::{Step, StepOutcome, TransactionPlan};
use super::{DataPlane, Event, send};
use crate::origin::Registrar;
use crate::position_store::{PositionStore, StoreEntry, service};

/// The way to the task that owns the store.
pub(super) enum StoreLane {
    Entries(mpsc::Sender<Vec<StoreEntry>>),
    Steps(mpsc::Sender<Step>),
}

/// What that task needs.
pub(super) struct Keeper {
    pub(super) link: String,
    pub(super) store: PositionStore,
    pub(super) registrar: Option<Registrar>,
    pub(super) transactions: Option<Transactions>,
}

impl Keeper {
    /// Starts it.
    pub(super) fn start(
        self,
        core: &mut Core,
        events: &mpsc::Sender<Event>,
        scope: &Scope,
    ) -> StoreLane {
        let report = events.clone();
        let Self {
            link,
            store,
            registrar,
            transactions,
        } = self;
        let transactions = transactions.and_then(|plan| Some((plan.producer.identity()?, plan)));
        let Some((writer, plan)) = transactions else {
            let (lane, entries) = mpsc::channel(1);
            scope.spawn("positions", OnFailure::StopScope, async move {
                service::run(store, registrar, entries, |event| {
                    send(&report, Event::Store(event))
                })
                .await;
            });
            return StoreLane::Entries(lane);
        };
        core.transact(TransactionPlan {
            id: plan.producer.id().to_owned(),
            version: plan.producer.version(),
            writer,
            interval: plan.interval,
        });
        let transactor = Transactor {
            producer: plan.producer,
            store,
            registrar,
            link,
            style: plan.style,
        };
        let (lane, steps) = mpsc::channel(1);
        scope.spawn("transactions", OnFailure::StopScope, async move {
            transactor
                .run(steps, |outcome| send(&report, Event::Step(outcome)))
                .await;
        });
        StoreLane::Steps(lane)
    }
}

impl DataPlane {
    /// Has positions stored: all that changed, or those that a partition waits for.
    pub(super) fn store(&mut self, all: bool) {
        let StoreLane::Entries(store) = &self.store else {
            // What a partition waits for is found with the next step.
            if all {
                self.core.flush_transaction();
            }
            return;
        };
        let entries = self.core.take_positions(all);
        if !entries.is_empty() {
            self.storing_since = Some(Instant::now());
        }
        // The channel has room: the core gives nothing out before the last was stored.
        if !entries.is_empty() && store.try_send(entries).is_err() {
            self.store_trouble = Some("the store has ended".to_owned());
        }
    }

    /// Gives out the next step of the transaction.
    pub(super) fn hand_out_steps(&mut self) {
        let StoreLane::Steps(steps) = &self.store else {
            return;
        };
        // The channel has room: the core gives nothing out before the last was taken.
        if let Some(step) = self.core.next_step(Instant::now())
            && steps.try_send(step).is_err()
        {
            self.store_trouble = Some("the store has ended".to_owned());
        }
    }

    pub(super) fn apply_step(&mut self, outcome: StepOutcome) {
        let trouble = self.core.on_step(outcome);
        if let Some(trouble) = &trouble {
            tracing::warn!("the transaction is given up, and what is stored is read: {trouble}");
        }
        self.store_trouble = trouble;
    }

    /// What becomes of what is written and not stored.
    pub(super) fn unstored(&self) -> &'static str {
        match self.store {
            StoreLane::Entries(_) => "what was written since is found at the next start",
            StoreLane::Steps(_) => {
                "what was written since does not count, and is copied again at the next start"
            }
        }
    }

    /// Stores what is not stored yet; ends when all of it is.
    pub(super) async fn store_the_last(&mut self) {
        loop {
            let done = match self.store {
                StoreLane::Entries(_) => {
                    if !self.core.is_storing() {
                        self.store(true);
                    }
                    !self.core.is_storing()
                }
                StoreLane::Steps(_) => {
                    self.core.end_transaction();
                    self.hand_out_steps();
                    self.core.is_settled()
                }
            };
            if done {
                break;
            }
            match self.incoming.recv().await {
                Some(event) => self.apply(event),
                None => break,
            }
        }
    }
}
