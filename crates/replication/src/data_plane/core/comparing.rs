//! What waits for more of the source to be compared with what landed: a share of the memory, and no more.
//!
//! Batches that were merged on their way have to be read until as many records are there as landed in one. With many partitions, each of
//! which waits for some more, that would be all the memory there is, and then nothing more could be read for any of them. So where it is more than
//! the share, partitions let go of what they have read, those first that were read longest ago, and are read again when most of it is free.
//! The one that was read last goes on in any case: of those that wait one always gets what it waits for.

use std::collections::BTreeSet;

use foldhash::HashMap;

use super::{Core, Index};

/// The part of the memory that may wait to be compared.
const SHARE: usize = 8;

/// Who waits, and how much.
#[derive(Debug, Default)]
pub(super) struct Comparing {
    /// By partition: bytes, and when the newest of them came, counted in answers.
    waiting: HashMap<Index, (usize, u64)>,
    bytes: usize,
    answers: u64,
    /// Those that have let go, and are not read until there is memory.
    later: BTreeSet<Index>,
}

impl Comparing {
    /// A partition has so many bytes that wait; `true` where that is something new.
    fn note(&mut self, index: Index, bytes: usize) -> bool {
        let before = self.waiting.get(&index).map_or(0, |(bytes, _)| *bytes);
        if before == bytes {
            return false;
        }
        self.bytes = self.bytes - before + bytes;
        self.answers += 1;
        match bytes {
            0 => drop(self.waiting.remove(&index)),
            _ => drop(self.waiting.insert(index, (bytes, self.answers))),
        }
        true
    }

    /// Who is to let go: whoever was read longest ago, if there is anybody else.
    fn last(&self, share: usize) -> Option<Index> {
        let too_much = self.bytes > share && self.waiting.len() > 1;
        let waiting = self.waiting.iter().filter(|_| too_much);
        let oldest = waiting.min_by_key(|(_, (_, answer))| *answer);
        oldest.map(|(index, _)| *index)
    }
}

impl Core {
    /// Counts what waits in a partition, and sees to it that it is not too much in all.
    pub(super) fn count_comparing(&mut self, index: Index) {
        let partition = self.partitions.get(&index);
        let bytes = partition.map_or(0, |partition| partition.recovery.bytes());
        if !self.comparing.note(index, bytes) {
            return;
        }
        let share = self.settings.memory / SHARE;
        let Some(last) = self.comparing.last(share) else {
            return self.compare_more();
        };
        let mut last = Some(last);
        while let Some(index) = last {
            self.let_go_of_compared(index);
            self.comparing.later.insert(index);
            last = self.comparing.last(share);
        }
    }

    /// Whether a partition is not read because others are compared first.
    pub(super) fn is_compared_later(&self, index: Index) -> bool {
        self.comparing.later.contains(&index)
    }

    /// What a partition waits for does not come now. Others that could be compared meanwhile get its memory.
    pub(super) fn yield_comparison(&mut self, index: Index) {
        if !self.comparing.later.is_empty() && self.comparing.waiting.contains_key(&index) {
            self.let_go_of_compared(index);
            self.compare_more();
        }
    }

    /// Has those read on that have let go, where there is memory.
    fn compare_more(&mut self) {
        if self.comparing.bytes > self.settings.memory / SHARE / 2 {
            return;
        }
        for index in std::mem::take(&mut self.comparing.later) {
            self.tell_reader(index);
        }
    }

    /// Has a partition read again what waits in it.
    pub(super) fn let_go_of_compared(&mut self, index: Index) {
        if let Some(partition) = self.partitions.get_mut(&index)
            && let Some(from) = partition.recovery.let_go()
        {
            partition.next_fetch = from;
        }
        self.comparing.note(index, 0);
        self.tell_reader(index);
    }
}
