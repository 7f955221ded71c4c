//! Memory that is reserved before it is known how much of it is needed, and who is granted it when.

use super::{Buffers, size_of};
use std::sync::atomic::Ordering;

/// Whom a reservation waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// Everybody who came before.
    Last,
    /// Nobody, where it is small: it keeps nobody waiting.
    First,
}

/// A reservation is small that is no larger than this part of the budget.
const SMALL: usize = 32;

impl Buffers {
    /// Reserves a buffer for `bytes`, or nothing when it does not fit now. What needs more than half of the limit waits for that
    /// half only: nothing else may be held any more, or not for long, and it is to make progress all the same.
    #[must_use]
    pub fn reserve(&self, bytes: usize) -> Option<Reservation> {
        self.grant(size_of(bytes))
    }

    fn grant(&self, bytes: usize) -> Option<Reservation> {
        let limit = self.limit();
        let room = bytes.min(limit / 2);
        self.0
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |used| {
                (used == 0 || used.saturating_add(room) <= limit)
                    .then(|| used.saturating_add(bytes))
            })
            .ok()
            .map(|_| Reservation {
                buffers: self.clone(),
                bytes,
            })
    }

    /// Reserves a buffer as soon as it fits and everybody who came before has theirs. Cancel-safe.
    ///
    /// For how many bytes is asked again whenever that may have changed, with the limit there is then.
    pub async fn reserved(&self, bytes: impl Fn(usize) -> usize) -> Reservation {
        self.reserved_beside(bytes, 0, Turn::Last).await.0
    }

    /// The same, together with `beside` bytes for what is made of the buffer's content. Both at once: who holds one and waits for the
    /// other could wait for somebody who does the same.
    pub async fn reserved_beside(
        &self,
        bytes: impl Fn(usize) -> usize,
        beside: usize,
        turn: Turn,
    ) -> (Reservation, Reservation) {
        let limit = self.limit();
        let is_small = bytes(limit).saturating_add(beside) <= limit / SMALL;
        let waits = turn == Turn::Last || !is_small;
        let turn = async { self.0.turn.acquire().await.expect("it is never closed") };
        let _turn = if waits { Some(turn.await) } else { None };
        loop {
            // Listens before it looks: what is released between looking and listening would be
            // missed, and it may have been the last.
            let released = self.0.released.notified();
            let buffer = size_of(bytes(self.limit()));
            if let Some(both) = self.grant(buffer.saturating_add(beside)) {
                return both.split(buffer);
            }
            released.await;
        }
    }
}

/// A share of the budget that is given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    buffers: Buffers,
    bytes: usize,
}

impl Reservation {
    /// How much it is.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Somebody else counts it from now on.
    pub(super) fn hand_over(mut self) -> usize {
        std::mem::take(&mut self.bytes)
    }

    /// The first `bytes` of it, and the rest.
    fn split(mut self, bytes: usize) -> (Self, Self) {
        let rest = self.bytes.saturating_sub(bytes);
        self.bytes -= rest;
        let rest = Self {
            buffers: self.buffers.clone(),
            bytes: rest,
        };
        (self, rest)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.buffers.release(self.bytes);
    }
}

#[cfg(test)]
mod tests;
