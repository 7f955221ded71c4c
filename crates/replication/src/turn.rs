//! Turns in what takes memory: what many tasks of a process do at the same moment would be in memory for all of them, and an allocator
//! gives back late what such a moment took.
//!
//! Nobody waits while nobody goes on: who asks a cluster that hangs must not keep others from theirs.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// When nobody has had a turn for so long it is taken all the same.
const LONGEST: Duration = Duration::from_secs(5);

/// Turns, and how many there were.
pub(crate) struct Turns {
    free: Semaphore,
    given: AtomicU64,
}

impl Turns {
    pub(crate) const fn new(at_once: usize) -> Self {
        Self {
            free: Semaphore::const_new(at_once),
            given: AtomicU64::new(0),
        }
    }

    /// Waits for a turn, which lasts as long as what this gives; nothing where nobody had one for too long.
    pub(crate) async fn next(&self) -> Option<SemaphorePermit<'_>> {
        // Kept while waiting: it is a place in the queue.
        let mut turn = pin!(self.free.acquire());
        loop {
            let before = self.given.load(Ordering::Relaxed);
            if let Ok(turn) = timeout(LONGEST, turn.as_mut()).await {
                self.given.fetch_add(1, Ordering::Relaxed);
                return turn.ok();
            }
            if self.given.load(Ordering::Relaxed) == before {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_few_go_at_once_and_nobody_waits_long_for_those_who_hang() {
        let turns = Turns::new(2);
        let begin = Instant::now();
        let one = turns.next().await;
        let other = turns.next().await;
        assert!(one.is_some() && other.is_some());
        assert_eq!(begin.elapsed(), Duration::ZERO);
        assert!(turns.next().await.is_none());
        assert_eq!(begin.elapsed(), LONGEST);
        drop(one);
        assert!(turns.next().await.is_some());
        assert_eq!(begin.elapsed(), LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn as_long_as_others_go_on_each_waits_for_its_turn() {
        let turns = Turns::new(1);
        let most = AtomicU64::new(0);
        let go = async || {
            let turn = turns.next().await;
            most.fetch_add(u64::from(turn.is_none()), Ordering::Relaxed);
            tokio::time::sleep(LONGEST / 2).await;
        };
        tokio::join!(go(), go(), go(), go(), go(), go());
        assert_eq!(most.into_inner(), 0, "nobody went without");
    }
}
