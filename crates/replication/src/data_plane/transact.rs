//! The task that takes the steps of a transaction: it owns the producer's identity at the coordinator, and the store.

use kafka_client::transactions::{TransactionError, TransactionalProducer};
use tokio::sync::mpsc;

use super::transaction::{Step, StepOutcome};
use crate::origin::Registrar;
use crate::position_store::{KeyStyle, PositionStore, StoreEntry};

/// What is needed to write in transactions.
#[derive(Debug)]
pub struct Transactions {
    /// Initialised before the positions were read.
    pub producer: TransactionalProducer,
    /// Whose keys positions have.
    pub style: KeyStyle,
    /// How long a transaction takes in batches.
    pub interval: std::time::Duration,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Transactor {
    pub(super) producer: TransactionalProducer,
    pub(super) store: PositionStore,
    pub(super) registrar: Option<Registrar>,
    pub(super) link: String,
    pub(super) style: KeyStyle,
}

impl Transactor {
    /// Serves until `steps` closes.
    pub(super) async fn run<F>(
        mut self,
        mut steps: mpsc::Receiver<Step>,
        mut emit: impl FnMut(StepOutcome) -> F,
    ) where
        F: Future<Output = ()>,
    {
        while let Some(step) = steps.recv().await {
            let outcome = match step {
                Step::Announce(partitions) => match self.producer.announce(&partitions).await {
                    Ok(()) => Ok(StepOutcome::Announced),
                    Err(error) => Err(failed(&error)),
                },
                Step::Commit(entries) => self.commit(&entries).await,
                Step::Renew { was_open } => self.renew(was_open).await,
            };
            emit(outcome.unwrap_or_else(|failure| failure)).await;
        }
    }

    async fn commit(&mut self, entries: &[StoreEntry]) -> Result<StepOutcome, StepOutcome> {
        let before = self.producer.identity();
        let saved = self.store.save_in(&mut self.producer, entries).await;
        saved.map_err(|error| StepOutcome::Failed(error.to_string()))?;
        let next = self.producer.end(true).await;
        let next = next.map_err(|error| failed(&error))?;
        // Another id comes when the epochs of one are used up. Who copies in the other direction has to know it.
        if before.is_none_or(|before| before.id != next.id) {
            self.register().await?;
        }
        Ok(StepOutcome::Committed(next))
    }

    async fn renew(&mut self, was_open: bool) -> Result<StepOutcome, StepOutcome> {
        let writer = match self.producer.init(was_open).await {
            Err(error @ TransactionError::Fenced { .. }) => {
                return Err(StepOutcome::Fenced(error.to_string()));
            }
            outcome => outcome.map_err(|error| failed(&error))?,
        };
        self.register().await?;
        let stored = self.store.load(&self.link, self.style.clone()).await;
        let stored = stored.map_err(|error| StepOutcome::Failed(error.to_string()))?;
        let version = self.producer.version();
        Ok(StepOutcome::Renewed(writer, version, stored))
    }

    async fn register(&mut self) -> Result<(), StepOutcome> {
        let Some(registrar) = &mut self.registrar else {
            return Ok(());
        };
        let id = self.producer.identity().map(|identity| identity.id);
        registrar.register(id).await.map_err(StepOutcome::Failed)
    }
}

/// That another process has taken over is certain only when a new identity is refused: a coordinator that ended what took too
/// long refuses in the same words.
fn failed(error: &TransactionError) -> StepOutcome {
    StepOutcome::Failed(format!("destination: {error}"))
}
