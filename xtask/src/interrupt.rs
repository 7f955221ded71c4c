//! Ctrl-C, SIGTERM and SIGHUP as something to wait for, so that a command ends by returning and everything it owns is
//! dropped: brokers, producers, directories.
//!
//! Children share the terminal and get Ctrl-C too. What they do then does not matter: they are killed by their owner.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::{Attempt as _, Failure, Result};

/// Signals that ask this program to end.
#[derive(Debug)]
pub(crate) struct Interrupt {
    interrupted: Signal,
    terminated: Signal,
    hung_up: Signal,
}

impl Interrupt {
    /// Begins to listen; from here on these signals do not end the process by themselves.
    pub(crate) fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).attempting("listen for signals");
        Ok(Self {
            interrupted: listen(SignalKind::interrupt())?,
            terminated: listen(SignalKind::terminate())?,
            hung_up: listen(SignalKind::hangup())?,
        })
    }

    /// Waits for the first of them.
    pub(crate) async fn wait(&mut self) {
        // Receiving a signal is cancel-safe: one that was not taken is there for the next call.
        tokio::select! {
            _ = self.interrupted.recv() => {}
            _ = self.terminated.recv() => {}
            _ = self.hung_up.recv() => {}
        }
    }

    /// The outcome of `work`, or a failure if a signal comes first; `work` is dropped then.
    pub(crate) async fn or<T>(&mut self, work: impl Future<Output = T>) -> Result<T> {
        tokio::select! {
            done = work => Ok(done),
            () = self.wait() => Err(Failure::interrupted()),
        }
    }
}
