//! What waits for more of the source to be compared with what landed: a share of the memory, and no more.
//!
//! Batches that were merged on their way have to be read until as many records are there as landed in one. With many partitions, each of
//! which waits for some more, that would be all the memory there is, and then nothing more could be read for any of them. So where it is more than
//! the share, partitions let go of what they have read, those first that were read longest ago, and are read again when there is memory for as
//! much. What was read last is beside the share: of those that wait one goes on, and what it gathers is bounded
//! (`recovery.rs`).

use std::collections::BTreeMap;
use std::time::Duration;

use foldhash::HashMap;
use tokio::time::Instant;

use super::{Core, Index};

/// The part of the memory that may wait to be compared.
const SHARE: usize = 8;

/// Where nothing is found for so long, and others could be read in place of those that wait, they let go one by one. That becomes twice as
/// long each time, and half as long when something is found: turns may just take long.
const PATIENCE: Duration = Duration::from_secs(10);
/// To three quarters of an hour.
const MOST_DOUBLINGS: u32 = 8;

/// Who waits, and how much.
#[derive(Debug, Default)]
pub(super) struct Comparing {
    /// By partition: bytes, and which of the turns was its last one.
    waiting: HashMap<Index, (usize, u64)>,
    /// Turns in which one of them got more, and whose they were.
    turns: BTreeMap<u64, Index>,
    last_turn: u64,
    bytes: usize,
    /// Those that have let go, of how many bytes, and are not read until there is memory.
    later: BTreeMap<Index, usize>,
    /// Those of them that are read again, and have not come yet.
    coming: HashMap<Index, usize>,
    /// Since when nothing was found, as far as that was looked at, and how often the patience has been doubled.
    nothing_since: Option<Instant>,
    doublings: u32,
}

impl Comparing {
    /// A partition has so many bytes that wait; `false` where that is nothing new.
    fn note(&mut self, index: Index, bytes: usize) -> bool {
        let before = self.waiting.get(&index).copied();
        if before.map_or(0, |(bytes, _)| bytes) == bytes {
            return false;
        }
        if let Some((bytes, turn)) = before {
            self.bytes -= bytes;
            self.turns.remove(&turn);
            self.waiting.remove(&index);
        }
        if bytes > 0 {
            self.last_turn += 1;
            self.bytes += bytes;
            self.turns.insert(self.last_turn, index);
            self.waiting.insert(index, (bytes, self.last_turn));
            // It was asked for before it let go, and the answer came.
            self.later.remove(&index);
        }
        true
    }

    /// Whether there is nobody to look after.
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.later.is_empty() && self.coming.is_empty()
    }

    /// Something that waited was found.
    pub(super) fn finds(&mut self) {
        self.nothing_since = None;
        self.doublings = self.doublings.saturating_sub(1);
    }

    /// Bytes that count: what was read last does not.
    fn counted(&self) -> usize {
        let newest = self.turns.last_key_value();
        let newest = newest.and_then(|(_, index)| self.waiting.get(index));
        self.bytes - newest.map_or(0, |(bytes, _)| *bytes)
    }

    /// Who was read longest ago.
    fn oldest(&self) -> Option<Index> {
        self.turns.first_key_value().map(|(_, index)| *index)
    }

    /// Takes those out of `later` for which there is memory; one at least where nobody is waited for.
    fn take_next(&mut self, share: usize) -> Vec<Index> {
        let coming: usize = self.coming.values().sum();
        let mut room = share.saturating_sub(self.bytes + coming);
        let mut nobody = self.waiting.is_empty() && self.coming.is_empty();
        let mut next = Vec::new();
        while let Some(first) = self.later.first_entry()
            && (nobody || *first.get() <= room)
        {
            let (index, bytes) = first.remove_entry();
            room = room.saturating_sub(bytes);
            nobody = false;
            self.coming.insert(index, bytes);
            next.push(index);
        }
        next
    }

    /// Whether nothing is found, while others could be read.
    fn is_stuck(&mut self, now: Instant) -> bool {
        if self.later.is_empty() {
            self.nothing_since = None;
            return false;
        }
        let since = *self.nothing_since.get_or_insert(now);
        let patience = PATIENCE * 2_u32.pow(self.doublings);
        let is_stuck = now.saturating_duration_since(since) >= patience;
        if is_stuck {
            self.nothing_since = Some(now);
            self.doublings = (self.doublings + 1).min(MOST_DOUBLINGS);
        }
        is_stuck
    }
}

impl Core {
    /// Counts what waits in a partition, and sees to it that it is not too much in all.
    pub(super) fn count_comparing(&mut self, index: Index) {
        let Some(partition) = self.partitions.get(&index) else {
            return;
        };
        let recovery = &partition.recovery;
        if recovery.is_over() && self.comparing.is_idle() {
            return;
        }
        self.comparing.coming.remove(&index);
        if recovery.is_over() {
            self.comparing.later.remove(&index);
        }
        if self.comparing.note(index, recovery.bytes()) {
            self.make_room_to_compare();
        }
        self.compare_more();
    }

    /// Has partitions let go of what is more than the share.
    fn make_room_to_compare(&mut self) {
        while self.comparing.counted() > self.comparing_share()
            && let Some(oldest) = self.comparing.oldest()
        {
            self.compare_later(oldest);
        }
    }

    /// Whether a partition is not read because others are compared first.
    pub(super) fn is_compared_later(&self, index: Index) -> bool {
        self.comparing.later.contains_key(&index)
    }

    /// To be called about once a second: there may be less memory by now, and those that wait for what does not come hold up nobody
    /// for long.
    pub(crate) fn look_at_comparing(&mut self, now: Instant) {
        self.make_room_to_compare();
        if self.comparing.is_stuck(now) {
            self.comparing.coming.clear();
            if let Some(oldest) = self.comparing.oldest() {
                self.compare_later(oldest);
            }
        }
        self.compare_more();
    }

    /// Has a partition let go of what it has gathered, until there is memory for it.
    pub(super) fn compare_later(&mut self, index: Index) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        let bytes = partition.recovery.bytes();
        if let Some(from) = partition.recovery.let_go() {
            partition.next_fetch = from;
        }
        self.comparing.note(index, 0);
        self.comparing.later.insert(index, bytes);
        self.tell_reader(index);
    }

    /// Has those read on that have let go, where there is memory.
    fn compare_more(&mut self) {
        if self.comparing.later.is_empty() {
            return;
        }
        for index in self.comparing.take_next(self.comparing_share()) {
            self.tell_reader(index);
        }
    }

    fn comparing_share(&self) -> usize {
        self.settings.memory / SHARE
    }
}
