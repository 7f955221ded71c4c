//! Writes statuses: the newest of each key, until it is written.

use std::collections::BTreeMap;
use std::time::Duration;

use lifecycle::{Backoff, StopSignal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::StoreHandle;

/// Statuses that may wait.
const QUEUE: usize = 1024;
/// How long one attempt may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Pause after an attempt that failed, first and longest: what is refused is refused at once.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Something for the status topic.
#[derive(Debug)]
pub enum StatusWrite {
    /// A record; no value deletes the key.
    Record(String, Option<String>),
    /// To be told when everything before it has been written.
    Flush(oneshot::Sender<()>),
}

/// Where statuses are left; cheap to clone.
#[derive(Clone, Debug)]
pub struct StatusWriterHandle(mpsc::Sender<StatusWrite>);

impl StatusWriterHandle {
    /// Leaves one. Where too many wait it is not taken, which `false` says.
    #[must_use]
    pub fn leave(&self, write: StatusWrite) -> bool {
        self.0.try_send(write).is_ok()
    }

    /// Waits until everything left so far has been written, at most `limit`.
    pub async fn flush(&self, limit: Duration) {
        let (done, written) = oneshot::channel();
        let flushed = async {
            if self.0.send(StatusWrite::Flush(done)).await.is_ok() {
                // Where the writer has ended there is nothing to wait for.
                drop(written.await);
            }
        };
        let _ = tokio::time::timeout(limit, flushed).await;
    }
}

/// See the module.
#[derive(Debug)]
pub struct StatusWriter {
    store: StoreHandle,
    queue: mpsc::Receiver<StatusWrite>,
}

impl StatusWriter {
    /// A writer to the status topic.
    #[must_use]
    pub fn new(store: StoreHandle) -> (Self, StatusWriterHandle) {
        let (left, queue) = mpsc::channel(QUEUE);
        (Self { store, queue }, StatusWriterHandle(left))
    }

    /// Writes until `stop` is requested; what was left before is written then, if that is possible.
    pub async fn run(mut self, stop: StopSignal) {
        let mut pending: BTreeMap<String, Option<String>> = BTreeMap::new();
        let mut said = false;
        let mut backoff = Backoff::seeded(RETRY.0, RETRY.1);
        loop {
            let mut flushes = Vec::new();
            if pending.is_empty() {
                let first = tokio::select! {
                    biased;
                    write = self.queue.recv() => write,
                    () = stop.requested() => None,
                };
                let Some(first) = first else { return };
                take(first, &mut pending, &mut flushes);
            }
            while let Ok(more) = self.queue.try_recv() {
                take(more, &mut pending, &mut flushes);
            }
            let records: Vec<_> = pending
                .iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            match self.store.write(&records, LIMIT).await {
                Ok(()) => {
                    said = false;
                    backoff.reset();
                    pending.clear();
                }
                Err(error) => {
                    if !std::mem::replace(&mut said, true) {
                        tracing::warn!(
                            "statuses cannot be written now, and are tried again: {error}"
                        );
                    }
                    if stop.is_requested() {
                        return;
                    }
                }
            }
            for done in flushes {
                // Whoever asked may have gone.
                let _ = done.send(());
            }
            if said {
                // At the end of it what has come meanwhile is written too, also when it was cut short.
                let _ = stop.unless_requested(sleep(backoff.next_delay())).await;
            }
        }
    }
}

fn take(
    write: StatusWrite,
    pending: &mut BTreeMap<String, Option<String>>,
    flushes: &mut Vec<oneshot::Sender<()>>,
) {
    match write {
        StatusWrite::Record(key, value) => {
            pending.insert(key, value);
        }
        StatusWrite::Flush(done) => flushes.push(done),
    }
}
