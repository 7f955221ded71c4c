//! Turns in reading positions. Each task of a link reads those of all partitions and keeps its own share: a worker that takes over
//! sixty-four tasks at once would have everything in memory sixty-four times for a moment, and an allocator gives back late what
//! such a moment took.
//!
//! Nobody waits while nobody goes on: who reads from a cluster that hangs must not keep others from theirs.

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::LinkPart;

/// How many read at the same time in a process: decoding is what takes the time, not waiting for answers.
const AT_ONCE: usize = 4;
/// When nobody has had a turn for so long a task reads all the same.
const LONGEST: Duration = Duration::from_secs(5);

static READING: Turns = Turns::new(AT_ONCE);

/// Turns, and how many there were.
struct Turns {
    free: Semaphore,
    given: AtomicU64,
}

impl Turns {
    const fn new(at_once: usize) -> Self {
        Self {
            free: Semaphore::const_new(at_once),
            given: AtomicU64::new(0),
        }
    }

    async fn next(&self) -> Option<SemaphorePermit<'_>> {
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

/// Waits for a turn, which lasts as long as what this gives; nothing where nobody had one for too long, or where there is no other
/// part of the link to wait for.
pub(super) async fn turn(part: &LinkPart) -> Option<SemaphorePermit<'static>> {
    match part {
        LinkPart::Partitions { .. } => READING.next().await,
        LinkPart::Whole | LinkPart::Topics => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_few_read_at_once_and_nobody_waits_long_for_those_who_hang() {
        let reading = Turns::new(2);
        let begin = Instant::now();
        let one = reading.next().await;
        let other = reading.next().await;
        assert!(one.is_some() && other.is_some());
        assert_eq!(begin.elapsed(), Duration::ZERO);
        assert!(reading.next().await.is_none());
        assert_eq!(begin.elapsed(), LONGEST);
        drop(one);
        assert!(reading.next().await.is_some());
        assert_eq!(begin.elapsed(), LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn as_long_as_others_go_on_each_waits_for_its_turn() {
        let reading = Turns::new(1);
        let most = AtomicU64::new(0);
        let read = async || {
            let turn = reading.next().await;
            most.fetch_add(u64::from(turn.is_none()), Ordering::Relaxed);
            tokio::time::sleep(LONGEST / 2).await;
        };
        tokio::join!(read(), read(), read(), read(), read(), read());
        assert_eq!(most.into_inner(), 0, "nobody went without");
    }
}
