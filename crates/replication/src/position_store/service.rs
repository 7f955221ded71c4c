//! The task that owns a store: takes entries, writes until they are durable, and says so.

use std::time::Duration;

use lifecycle::Backoff;
use tokio::sync::mpsc;

use super::{PositionStore, StoreEntry};
use crate::origin::Registrar;

/// Something the owner of the store has to say.
#[derive(Debug)]
pub enum StoreEvent {
    /// What was handed in last is durable.
    Stored,
    /// It is not, yet; it is tried again.
    Trouble(String),
}

/// Serves until `entries` closes. The sender hands in the next entries only after `Stored`. Where producers are registered, those
/// that positions name are so before they are stored, and so before anything is written under them.
pub async fn run<F>(
    mut store: PositionStore,
    mut registrar: Option<Registrar>,
    mut entries: mpsc::Receiver<Vec<StoreEntry>>,
    mut emit: impl FnMut(StoreEvent) -> F,
) where
    F: Future<Output = ()>,
{
    let mut backoff = Backoff::seeded(Duration::from_millis(200), Duration::from_secs(5));
    while let Some(batch) = entries.recv().await {
        backoff.reset();
        while let Some(Err(trouble)) = register(&mut registrar, &batch).await {
            emit(StoreEvent::Trouble(trouble)).await;
            tokio::time::sleep(backoff.next_delay()).await;
        }
        while let Err(error) = store.save(&batch).await {
            emit(StoreEvent::Trouble(error.to_string())).await;
            tokio::time::sleep(backoff.next_delay()).await;
        }
        emit(StoreEvent::Stored).await;
    }
}

async fn register(
    registrar: &mut Option<Registrar>,
    batch: &[StoreEntry],
) -> Option<Result<(), String>> {
    let producers = batch.iter().map(|entry| entry.position.producer.id);
    Some(registrar.as_mut()?.register(producers).await)
}
