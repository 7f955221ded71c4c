//! Reads a topic from its beginning and goes on for ever.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kafka_client::topic_log::{Ends, TailRecord, TopicLog, TopicLogError};
use kafka_wire::error_code::ErrorClass;
use lifecycle::{Backoff, StopSignal};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::sleep;

use super::{RETRY, StoreHandle};

/// How long the broker waits for something new.
const WAIT: Duration = Duration::from_millis(500);

/// See the module.
pub struct Reader<E> {
    log: TopicLog,
    progress: watch::Sender<Ends>,
    out: mpsc::Sender<E>,
    event: fn(Vec<TailRecord>) -> E,
}

impl<E> fmt::Debug for Reader<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("topic", self.log.topic())
            .finish_non_exhaustive()
    }
}

impl<E: Send + 'static> Reader<E> {
    /// Reads with one handle of a topic and writes with another; what is read goes to `out` as `event`.
    #[must_use]
    pub fn new(
        reads: TopicLog,
        writes: TopicLog,
        out: mpsc::Sender<E>,
        event: fn(Vec<TailRecord>) -> E,
    ) -> (Self, StoreHandle) {
        let progress = watch::Sender::new(Ends::new());
        let handle = StoreHandle {
            log: Arc::new(Mutex::new(writes)),
            progress: progress.subscribe(),
        };
        let reader = Self {
            log: reads,
            progress,
            out,
            event,
        };
        (reader, handle)
    }

    /// Reads until `stop` is requested, or nobody listens any more.
    pub async fn run(mut self, stop: StopSignal) {
        // Nothing is lost where it is cut off: what was read is in the topic.
        stop.unless_requested(self.read()).await;
    }

    async fn read(&mut self) {
        let mut backoff = Backoff::seeded(RETRY.0, RETRY.1);
        let mut next: Option<Ends> = None;
        let mut said = false;
        loop {
            let error = match self.step(&mut next).await {
                Ok(true) => {
                    backoff.reset();
                    said = false;
                    continue;
                }
                Ok(false) => return,
                Err(error) => error,
            };
            if let TopicLogError::Refused { code, .. } = &error
                && code.class() == ErrorClass::CheckPosition
            {
                // Its beginning has moved, or it was made anew.
                next = None;
            }
            if !std::mem::replace(&mut said, true) {
                tracing::warn!("cannot be read now, and is tried again: {error}");
            }
            sleep(backoff.next_delay()).await;
            // If leaders cannot be asked for, the next attempt says so.
            drop(self.log.look_again().await);
        }
    }

    /// Whether anybody listens.
    async fn step(&mut self, next: &mut Option<Ends>) -> Result<bool, TopicLogError> {
        let next = match next {
            Some(next) => next,
            None => next.insert(self.log.beginnings().await?),
        };
        let mut records = Vec::new();
        let read = self.log.read_on(next, WAIT, &mut records).await;
        if !records.is_empty() && self.out.send((self.event)(records)).await.is_err() {
            return Ok(false);
        }
        // Only now: whoever waits for it finds the records handed over.
        self.progress.send_if_modified(|progress| {
            let moved = progress != next;
            progress.clone_from(next);
            moved
        });
        // What was read of others is handed over, whatever one broker does.
        read.map(|()| true)
    }
}
