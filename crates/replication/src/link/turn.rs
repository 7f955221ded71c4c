//! Turns in reading positions. Each task of a link reads those of all partitions and keeps its own share: a worker that takes over
//! sixty-four tasks at once would have everything in memory sixty-four times for a moment, and an allocator gives back late what
//! such a moment took.
//!
//! Nobody waits long: who reads from a cluster that hangs must not keep others from theirs.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::LinkPart;

/// How many read at the same time in a process: decoding is what takes the time, not waiting for answers.
const AT_ONCE: usize = 4;
/// After so long a task reads all the same.
const LONGEST: Duration = Duration::from_secs(5);

static READING: Semaphore = Semaphore::const_new(AT_ONCE);

/// Waits for a turn, which lasts as long as what this gives; nothing where it was waited for too long, or where there is no other
/// part of the link to wait for.
pub(super) async fn turn(part: &LinkPart) -> Option<SemaphorePermit<'static>> {
    match part {
        LinkPart::Partitions { .. } => turn_of(&READING).await,
        LinkPart::Whole | LinkPart::Topics => None,
    }
}

async fn turn_of(reading: &Semaphore) -> Option<SemaphorePermit<'_>> {
    let turn = timeout(LONGEST, reading.acquire()).await;
    turn.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_few_read_at_once_and_nobody_waits_long_for_those_who_hang() {
        let reading = Semaphore::new(2);
        let begin = Instant::now();
        let one = turn_of(&reading).await;
        let other = turn_of(&reading).await;
        assert!(one.is_some() && other.is_some());
        assert_eq!(begin.elapsed(), Duration::ZERO);
        assert!(turn_of(&reading).await.is_none());
        assert_eq!(begin.elapsed(), LONGEST);
        drop(one);
        assert!(turn_of(&reading).await.is_some());
        assert_eq!(begin.elapsed(), LONGEST);
    }
}
