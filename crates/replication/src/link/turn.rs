//! Turns in reading positions. Each task of a link reads those of all partitions and keeps its own share: a worker that takes over
//! sixty-four tasks at once would have everything in memory sixty-four times for a moment.

use tokio::sync::SemaphorePermit;

use super::LinkPart;
use crate::turn::Turns;

/// How many read at the same time in a process: decoding is what takes the time, not waiting for answers.
static READING: Turns = Turns::new(4);

/// Waits for a turn, which lasts as long as what this gives; nothing where nobody had one for too long, or where there is no other
/// part of the link to wait for.
pub(super) async fn turn(part: &LinkPart) -> Option<SemaphorePermit<'static>> {
    match part {
        LinkPart::Partitions { .. } => READING.next().await,
        LinkPart::Whole | LinkPart::Topics => None,
    }
}
