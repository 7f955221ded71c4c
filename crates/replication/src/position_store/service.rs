//! The task that owns a store: takes entries, writes until they are durable, and says so.

use std::time::Duration;

use lifecycle::Backoff;
use tokio::sync::mpsc;

use super::{PositionStore, StoreEntry};

/// Something the owner of the store has to say.
#[derive(Debug)]
pub enum StoreEvent {
    /// What was handed in last is durable.
    Stored,
    /// It is not, yet; it is tried again.
    Trouble(String),
}

/// Serves until `entries` closes. The sender hands in the next entries only after `Stored`.
pub async fn run<F>(
    mut store: PositionStore,
    mut entries: mpsc::Receiver<Vec<StoreEntry>>,
    mut emit: impl FnMut(StoreEvent) -> F,
) where
    F: Future<Output = ()>,
{
    let mut backoff = Backoff::seeded(Duration::from_millis(200), Duration::from_secs(5));
    while let Some(batch) = entries.recv().await {
        backoff.reset();
        while let Err(error) = store.save(&batch).await {
            emit(StoreEvent::Trouble(error.to_string())).await;
            tokio::time::sleep(backoff.next_delay()).await;
        }
        emit(StoreEvent::Stored).await;
    }
}
