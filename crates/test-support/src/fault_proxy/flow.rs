//! How fast bytes go in one direction.

use std::collections::VecDeque;
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
    /// What may be on its way without having been acknowledged.
    pub window: Option<Window>,
}

/// What a connection may have on its way: as TCP with a fixed buffer at one end, a sender waits when so much is not
/// acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// At least one piece of the proxy's, 16 KiB.
    pub bytes: usize,
    /// From sending to being acknowledged.
    pub round_trip: Duration,
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

/// What is on its way in one direction of one connection.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// When each piece will have been acknowledged, and its bytes.
    pieces: VecDeque<(Instant, usize)>,
    bytes: usize,
}

impl InFlight {
    /// Waits until the window has room for so many bytes, and takes them in as sent.
    pub(super) async fn send(&mut self, window: Window, bytes: usize) {
        while let Some((acknowledged, piece)) = self.pieces.front().copied() {
            let has_room = self.bytes + bytes <= window.bytes;
            if acknowledged > Instant::now() {
                if has_room {
                    break;
                }
                tokio::time::sleep_until(acknowledged).await;
            }
            self.bytes -= piece;
            self.pieces.pop_front();
        }
        self.pieces
            .push_back((Instant::now() + window.round_trip, bytes));
        self.bytes += bytes;
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
