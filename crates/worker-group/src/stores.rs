//! The topics in which a group keeps its configurations and statuses: opened as they have to be, read from beginning to
//! end, and read on.
//!
//! ```text
//!   topic ──▶ Reader (one task) ── records, in order ──▶ the herder
//!                └ progress ──▶ StoreHandle::read_to_end waits until what is there now has been handed over
//!   StoreHandle::write ──▶ topic
//! ```
//!
//! Deliberately absent: what records say (`config_record`, `status_record`), and what follows from them (`herder`).

mod open;
mod reader;
mod status_writer;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_client::topic_log::{Ends, KeyValue, TopicLog, TopicLogError};
use lifecycle::Backoff;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, timeout_at};

pub use open::{StoreError, StoreOptions, open};
pub use reader::Reader;
pub use status_writer::{StatusWrite, StatusWriter, StatusWriterHandle};

/// Pause before a topic that could not be read is looked at again, first and longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Writes to a topic, and says when everything that is in it has been read; cheap to clone.
#[derive(Clone, Debug)]
pub struct StoreHandle {
    /// Held while something is written: records of one request stand together.
    log: Arc<Mutex<TopicLog>>,
    progress: watch::Receiver<Ends>,
}

impl StoreHandle {
    /// Writes records; returns when all in-sync replicas have them.
    ///
    /// # Errors
    /// When that was not reached within `limit`. Some of the records may have been written.
    pub async fn write(
        &self,
        records: &[(String, Option<String>)],
        limit: Duration,
    ) -> Result<(), TopicLogError> {
        let records: Vec<KeyValue> = records
            .iter()
            .map(|(key, value)| (Bytes::from(key.clone()), value.clone().map(Bytes::from)))
            .collect();
        self.log.lock().await.write(&records, limit).await
    }

    /// Waits until everything that is in the topic now has been handed over.
    ///
    /// # Errors
    /// When that was not reached within `limit`.
    pub async fn read_to_end(&self, limit: Duration) -> Result<(), String> {
        let deadline = Instant::now() + limit;
        let mut backoff = Backoff::seeded(RETRY.0, RETRY.1);
        let ends = loop {
            let mut log = self.log.lock().await;
            let error = match timeout_at(deadline, log.ends()).await {
                Ok(Ok(ends)) => break ends,
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("the end of topic {} was not told in time", log.topic()),
            };
            let pause = backoff.next_delay();
            if Instant::now() + pause >= deadline {
                return Err(error);
            }
            // If leaders cannot be asked for, the next attempt says so.
            let _ = timeout_at(deadline, log.look_again()).await;
            drop(log);
            sleep(pause).await;
        };
        let mut progress = self.progress.clone();
        let there = |now: &Ends| {
            ends.iter()
                .all(|(partition, end)| now.get(partition).is_some_and(|at| at >= end))
        };
        match timeout_at(deadline, progress.wait_for(there)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err("the worker ends".to_owned()),
            Err(_) => Err(format!("it was not read to its end within {limit:?}")),
        }
    }
}
