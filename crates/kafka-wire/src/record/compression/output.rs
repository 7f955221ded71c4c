//! The buffer that codecs write into: bounded, used again, cleared only once.
//!
//! Its bytes stay initialised from one use to the next, so that a second payload of the same size costs
//! neither memory nor zeroing.

use super::{Fault, KEPT};

/// The least by which it grows.
const STEP: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(super) struct Output {
    bytes: Vec<u8>,
    filled: usize,
    limit: usize,
}

impl Output {
    /// Begins anew; no more than `limit` bytes will be accepted.
    pub(super) fn begin(&mut self, limit: usize) {
        self.trim();
        self.limit = limit;
    }

    /// Forgets what was written, and gives back a large buffer.
    pub(super) fn trim(&mut self) {
        if self.bytes.len() > KEPT {
            self.bytes = Vec::new();
        }
        self.filled = 0;
    }

    /// What has been written.
    pub(super) fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Room for `wanted` more bytes, or for more. At the limit it may be less, down to one byte: by
    /// writing that byte a codec shows that there is more than allowed.
    pub(super) fn room(&mut self, wanted: usize) -> &mut [u8] {
        let most = self.limit.saturating_add(1);
        let end = self.filled.saturating_add(wanted.max(1)).min(most);
        if self.bytes.len() < end {
            let grown = self.bytes.len().saturating_mul(2).max(STEP).min(most);
            self.bytes.resize(end.max(grown), 0);
        }
        let end = self.bytes.len().min(most);
        &mut self.bytes[self.filled..end]
    }

    /// What was written before and room as [`Self::room`] gives, for codecs that refer back.
    pub(super) fn history_and_room(&mut self, wanted: usize) -> (&[u8], &mut [u8]) {
        let most = self.limit.saturating_add(1);
        self.room(wanted);
        let end = self.bytes.len().min(most);
        let (history, room) = self.bytes[..end].split_at_mut(self.filled);
        (history, room)
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(super) fn reserved(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes that may still be written.
    pub(super) fn left(&self) -> usize {
        self.limit - self.filled
    }

    /// Counts `count` bytes that were written into the room.
    pub(super) fn advance(&mut self, count: usize) -> Result<(), Fault> {
        self.filled += count;
        debug_assert!(self.filled <= self.bytes.len(), "more than there was room");
        if self.filled > self.limit {
            return Err(Fault::Full);
        }
        Ok(())
    }

    /// Appends bytes as they are.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if bytes.len() > self.left() {
            return Err(Fault::Full);
        }
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.advance(bytes.len())
    }
}
