//! How a task learns that it should end.
//!
//! Invariant: a signal fires once and stays fired; there is no way back to "not requested".

use std::fmt;
use std::future::Future;

use tokio::sync::watch;

/// Fires when its scope, or one above it, is asked to stop, and also when the scope is gone. Cheap to clone.
#[derive(Clone)]
pub struct StopSignal {
    receiver: watch::Receiver<bool>,
}

impl StopSignal {
    pub(crate) fn new(receiver: watch::Receiver<bool>) -> Self {
        Self { receiver }
    }

    /// Whether a stop has been requested.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.receiver.borrow() || self.receiver.has_changed().is_err()
    }

    /// Returns when a stop has been requested, at once if that was before. Cancel-safe: dropping the future
    /// and calling again loses nothing.
    pub async fn requested(&self) {
        // An error means that the scope is gone, which asks for the same.
        let _ = self.receiver.clone().wait_for(|requested| *requested).await;
    }

    /// Runs `future` until a stop is requested: its value, or `None` when the stop came first. `future` is then
    /// dropped where it stands, so it has to be cancel-safe in whatever way its caller needs.
    pub async fn unless_requested<F: Future>(&self, future: F) -> Option<F::Output> {
        tokio::select! {
            // A fired signal wins, or a loop around an ever-ready future would not end.
            biased;
            () = self.requested() => None,
            value = future => Some(value),
        }
    }
}

impl fmt::Debug for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StopSignal")
            .field(&self.is_requested())
            .finish()
    }
}
