//! How fast bytes go in one direction.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Emulates distance or a poor line. The default is no limit at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    /// Every frame arrives this much later. Frames behind each other share the delay, as on a long line.
    pub latency: Duration,
    /// A random part, up to this, added to the latency of each frame; order is kept.
    pub jitter: Duration,
    /// No more than this; both the sender's window and ours fill when it sends faster.
    pub bytes_per_second: Option<u64>,
}

impl Pace {
    /// A line with a latency.
    #[must_use]
    pub fn latency(latency: Duration) -> Self {
        Self {
            latency,
            ..Self::default()
        }
    }

    /// A line with a bandwidth.
    #[must_use]
    pub fn bytes_per_second(rate: u64) -> Self {
        Self {
            bytes_per_second: Some(rate.max(1)),
            ..Self::default()
        }
    }

    /// When a frame that was read now may go on.
    pub(super) fn due(&self) -> Instant {
        let jitter = if self.jitter.is_zero() {
            Duration::ZERO
        } else {
            rand::random_range(Duration::ZERO..=self.jitter)
        };
        Instant::now() + self.latency + jitter
    }
}

/// The present state of one direction.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flow {
    pub(super) stalled: bool,
    pub(super) pace: Pace,
}

/// Waits until bytes may move, and says at which pace.
pub(super) async fn open(flow: &mut watch::Receiver<Flow>) -> Pace {
    // The guard must not live across the wait below.
    let pace = flow
        .wait_for(|flow| !flow.stalled)
        .await
        .map(|flow| flow.pace);
    match pace {
        Ok(pace) => pace,
        // The proxy is being dropped; this connection ends with it.
        Err(_) => std::future::pending().await,
    }
}
