//! How many brokers run at once on this machine, over all test processes and threads.
//!
//! Each broker holds one of a fixed number of locked files. A cluster takes all it needs under one gate, so two clusters
//! that wait never hold half of what each other needs. A process that already holds some and needs more could still
//! wait for itself; after half a minute it is let through instead: too many brokers are slow, a deadlock is forever.

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Brokers at once: two cores are the bottleneck, and each broker takes up to about 700 MiB.
pub const BROKERS: usize = 6;
/// How long a process that already runs brokers waits for more.
const OVERCOMMIT: Duration = Duration::from_secs(30);
/// How long any process waits: longer than the longest test.
const LIMIT: Duration = Duration::from_secs(900);
const PAUSE: Duration = Duration::from_millis(50);

static HELD_HERE: AtomicUsize = AtomicUsize::new(0);

/// The machine is full, or its locks cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum MachineLimitError {
    /// The lock files cannot be written.
    #[error("cannot keep broker locks in {path}: {source}; make the directory writable")]
    Locks {
        /// Where the lock files are.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Other test processes run too many brokers for too long.
    #[error(
        "{wanted} more brokers did not fit beside those of other tests within {LIMIT:?} (at most {BROKERS} at once)"
    )]
    Full {
        /// How many were asked for.
        wanted: usize,
    },
}

/// Permission to run a number of brokers; ends when dropped.
#[derive(Debug)]
pub struct BrokerPermits {
    locks: Vec<File>,
}

impl BrokerPermits {
    /// Waits until `count` more brokers may run. More than [`BROKERS`] are cut to that number.
    ///
    /// # Errors
    /// When that takes longer than 15 minutes or the locks cannot be written.
    pub async fn acquire(count: usize) -> Result<Self, MachineLimitError> {
        let directory = std::env::temp_dir().join("tributary-test-brokers");
        let failed = |source| MachineLimitError::Locks {
            path: directory.clone(),
            source,
        };
        std::fs::create_dir_all(&directory).map_err(failed)?;
        let count = count.min(BROKERS);
        let begin = Instant::now();
        let gate = File::create(directory.join("gate")).map_err(failed)?;
        let mut locks: Vec<File> = Vec::with_capacity(count);
        let mut through = false;
        loop {
            through = through || gate.try_lock().is_ok();
            if through {
                for slot in 0..BROKERS {
                    if locks.len() == count {
                        break;
                    }
                    let lock = File::create(directory.join(slot.to_string())).map_err(failed)?;
                    if lock.try_lock().is_ok() {
                        locks.push(lock);
                    }
                }
            }
            let full = locks.len() < count;
            let holds_some = HELD_HERE.load(Ordering::Relaxed) > 0;
            if !full || (holds_some && begin.elapsed() > OVERCOMMIT) {
                HELD_HERE.fetch_add(locks.len(), Ordering::Relaxed);
                return Ok(Self { locks });
            }
            if begin.elapsed() > LIMIT {
                return Err(MachineLimitError::Full { wanted: count });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Takes `count` of these permits out, or all that there are.
    #[must_use]
    pub(crate) fn split(&mut self, count: usize) -> Self {
        let kept = self.locks.len().saturating_sub(count);
        Self {
            locks: self.locks.split_off(kept),
        }
    }
}

impl Drop for BrokerPermits {
    fn drop(&mut self) {
        HELD_HERE.fetch_sub(self.locks.len(), Ordering::Relaxed);
    }
}
