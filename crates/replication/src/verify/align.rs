//! Finds for every record of the source its counterpart at the destination. Pure: records in, findings out.
//!
//! ```text
//!   by offset   the heads stand at the offsets where they should ─▶ equal? matched : block
//!               one head stands alone                            ─▶ block (or filler)
//!   by content  heads equal ─▶ matched
//!               otherwise   ─▶ nearest place where both go on equally; what lies before it is a block
//! ```
//!
//! A block is named (`block.rs`) when both sides agree again. What only one side has is explained or counted as a difference
//! (`outcome.rs`); some of it only later, when another record shows what it was.
//!
//! Invariant: what is held is bounded, however the two sides differ.

mod outcome;

use std::collections::{HashMap, VecDeque};

use super::expect::{Expected, Place};
use super::findings::Findings;
use super::fingerprint::Fingerprint;
use super::memory::{Keys, Producers, Recent, Waiting};

/// Records that have to be equal, one after the other, for both sides to be taken to agree again.
const AGREEING: usize = 4;
/// Records of each side that are searched first, and at most.
const FIRST_WINDOW: usize = 64;
const LARGEST_WINDOW: usize = 16_384;
/// Records in a block.
const BLOCK: usize = 16_384;
/// Records in a row that are other ones than their offsets say, before offsets are no longer believed.
const DISBELIEF: usize = 32;
/// Places that are tried for one record.
const TRIED: usize = 32;

/// What is known about a partition before its records.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    /// Whether cleaners remove records, at the source and at the destination.
    pub(super) compacted: (bool, bool),
    /// Where both logs start.
    pub(super) starts: (i64, i64),
    /// The next source offset to be copied, by the stored position.
    pub(super) copied_to: Option<i64>,
    /// Whether others write to the destination partition too, and who writes these copies.
    pub(super) merged: bool,
    pub(super) producer: Option<i64>,
    /// Whether the ranges of both sides may begin, or end, at different records.
    pub(super) open_front: bool,
    pub(super) open_end: bool,
    /// Whether only offsets are compared.
    pub(super) places_only: bool,
}

/// What an aligner waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Need {
    Source,
    Destination,
    Nothing,
}

#[derive(Debug, Default)]
struct Side {
    queue: VecDeque<Fingerprint>,
    ended: bool,
}

impl Side {
    fn lacks(&self, count: usize) -> bool {
        !self.ended && self.queue.len() < count
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Aligner {
    rules: Rules,
    expected: Option<Expected>,
    by_content: bool,
    source: Side,
    destination: Side,
    block: (Vec<Fingerprint>, Vec<Fingerprint>),
    /// Records in a row that are not what their offsets say.
    disbelief: usize,
    window: usize,
    has_matched: bool,
    /// By how much the last displaced record is off.
    displaced_by: Option<i64>,
    recent: Recent,
    waiting: Waiting,
    keys: Keys,
    producers: Producers,
    found: Findings,
}

impl Aligner {
    pub(super) fn new(rules: Rules, expected: Option<Expected>) -> Self {
        let mut producers = Producers::default();
        rules.producer.into_iter().for_each(|p| producers.add(p));
        Self {
            by_content: expected.is_none(),
            rules,
            expected,
            source: Side::default(),
            destination: Side::default(),
            block: Default::default(),
            disbelief: 0,
            window: FIRST_WINDOW,
            has_matched: false,
            displaced_by: None,
            recent: Recent::default(),
            waiting: Waiting::default(),
            keys: Keys::default(),
            producers,
            found: Findings::default(),
        }
    }

    pub(super) fn push_source(&mut self, records: Vec<Fingerprint>) {
        self.found.source_records += records.len() as u64;
        self.source.queue.extend(records);
    }

    pub(super) fn push_destination(&mut self, records: Vec<Fingerprint>) {
        self.found.destination_records += records.len() as u64;
        self.destination.queue.extend(records);
        self.set_aside_merged();
    }

    pub(super) fn end_source(&mut self) {
        self.source.ended = true;
    }

    pub(super) fn end_destination(&mut self) {
        self.destination.ended = true;
    }

    /// A log starts later than it did.
    pub(super) fn source_starts_at(&mut self, offset: i64) {
        self.rules.starts.0 = offset;
    }

    pub(super) fn destination_starts_at(&mut self, offset: i64) {
        self.rules.starts.1 = offset;
    }

    /// Goes on as far as possible.
    pub(super) fn advance(&mut self) -> Need {
        loop {
            let need = if self.by_content {
                self.step_by_content()
            } else {
                self.step_by_offset()
            };
            if let Some(need) = need {
                return need;
            }
            if self.block.0.len() + self.block.1.len() >= BLOCK {
                self.flush();
            }
        }
    }

    fn place_of(&self, record: &Fingerprint) -> Option<i64> {
        match self.expected.as_ref()?.place(record.offset) {
            Place::At(offset) => Some(offset),
            Place::Before | Place::Hole | Place::Beyond => None,
        }
    }

    // By offset.

    /// `None` to go on.
    fn step_by_offset(&mut self) -> Option<Need> {
        if self.source.lacks(1) {
            return Some(Need::Source);
        }
        if self.destination.lacks(1) {
            return Some(Need::Destination);
        }
        let expected = self
            .expected
            .as_ref()
            .expect("a guide, or it goes by content");
        let (source, destination) = (self.source.queue.front(), self.destination.queue.front());
        let (Some(s), d) = (source.copied(), destination.copied()) else {
            return match self.destination.queue.pop_front() {
                None => Some(Need::Nothing),
                Some(record) => {
                    self.block.1.push(record);
                    None
                }
            };
        };
        let place = match expected.place(s.offset) {
            Place::At(place) => place,
            Place::Before | Place::Hole => {
                self.source.queue.pop_front();
                self.block.0.push(s);
                return None;
            }
            Place::Beyond => {
                let known_end = expected.destination_end();
                match d.filter(|d| d.offset < known_end) {
                    Some(d) => {
                        self.destination.queue.pop_front();
                        self.block.1.push(d);
                    }
                    None => self.go_by_content(),
                }
                return None;
            }
        };
        match d {
            Some(d) if d.offset < place => {
                self.destination.queue.pop_front();
                if self.is_filler(&d, &s) {
                    self.found.explained.filler += 1;
                } else {
                    self.block.1.push(d);
                }
            }
            Some(d) if d.offset == place => {
                self.source.queue.pop_front();
                self.destination.queue.pop_front();
                if s.is_copy_of(&d) {
                    self.flush();
                    self.disbelief = 0;
                    self.matched(&s, &d);
                } else {
                    self.block.0.push(s);
                    self.block.1.push(d);
                    self.disbelief += 1;
                    if self.disbelief >= DISBELIEF {
                        self.go_by_content();
                    }
                }
            }
            _ => {
                self.source.queue.pop_front();
                self.block.0.push(s);
            }
        }
        None
    }

    /// Whether a record keeps a place in front of the record it is a copy of.
    fn is_filler(&self, record: &Fingerprint, next: &Fingerprint) -> bool {
        self.expected == Some(Expected::Same)
            && self.rules.compacted.0
            && !self.rules.places_only
            && record.is_copy_of(next)
    }

    /// Offsets tell nothing any more: what is in the block is looked at again, by content.
    fn go_by_content(&mut self) {
        self.by_content = true;
        self.disbelief = 0;
        let (source, destination) = std::mem::take(&mut self.block);
        for record in source.into_iter().rev() {
            self.source.queue.push_front(record);
        }
        for record in destination.into_iter().rev() {
            self.destination.queue.push_front(record);
        }
        self.set_aside_merged();
    }

    /// By content, records of others in a merged topic would only be in the way.
    fn set_aside_merged(&mut self) {
        let Some(own) = self.rules.producer else {
            return;
        };
        if self.by_content && self.rules.merged {
            let before = self.destination.queue.len();
            self.destination
                .queue
                .retain(|record| record.producer == own);
            let merged = before - self.destination.queue.len();
            self.found.explained.merged += merged as u64;
        }
    }

    // By content.

    fn step_by_content(&mut self) -> Option<Need> {
        if let (Some(s), Some(d)) = (self.source.queue.front(), self.destination.queue.front())
            && s.is_copy_of(d)
        {
            let (s, d) = (*s, *d);
            self.source.queue.pop_front();
            self.destination.queue.pop_front();
            self.flush();
            self.window = FIRST_WINDOW;
            self.matched(&s, &d);
            return None;
        }
        if self.source.lacks(self.window) {
            return Some(Need::Source);
        }
        if self.destination.lacks(self.window) {
            return Some(Need::Destination);
        }
        let (here, there) = (self.source.queue.len(), self.destination.queue.len());
        if here == 0 && there == 0 {
            return Some(Need::Nothing);
        }
        if here == 0 || there == 0 {
            self.take_into_block(here.min(BLOCK / 2), there.min(BLOCK / 2));
            return None;
        }
        if let Some((here, there)) = self.agreement() {
            self.take_into_block(here, there);
        } else if self.window < LARGEST_WINDOW && self.sees_more(here.max(there)) {
            self.window *= 4;
        } else {
            // Nothing agrees far and wide: these records have no counterparts.
            self.take_into_block(here.min(self.window), there.min(self.window));
            self.flush();
            self.window = FIRST_WINDOW;
        }
        None
    }

    /// Whether a larger window would show anything new.
    fn sees_more(&self, held: usize) -> bool {
        self.window < held || !(self.source.ended && self.destination.ended)
    }

    fn take_into_block(&mut self, source: usize, destination: usize) {
        self.block.0.extend(self.source.queue.drain(..source));
        self.block
            .1
            .extend(self.destination.queue.drain(..destination));
    }

    /// How many records of each side lie before the nearest place from which both go on equally.
    fn agreement(&self) -> Option<(usize, usize)> {
        let (here, there) = (&self.source.queue, &self.destination.queue);
        let (rows, columns) = (here.len().min(self.window), there.len().min(self.window));
        let mut places: HashMap<u64, Vec<usize>> = HashMap::with_capacity(columns);
        for (place, record) in there.iter().take(columns).enumerate() {
            let places = places.entry(record.content()).or_default();
            if places.len() < TRIED {
                places.push(place);
            }
        }
        let mut best: Option<(usize, usize)> = None;
        for (row, record) in here.iter().enumerate().take(rows) {
            let reach = best.map_or(usize::MAX, |(row, column)| row + column);
            if row >= reach {
                break;
            }
            let Some(columns) = places.get(&record.content()) else {
                continue;
            };
            let near = columns
                .iter()
                .copied()
                .filter(|column| row + column < reach);
            if let Some(column) = { near }.find(|&column| self.agrees_from(row, column)) {
                best = Some((row, column));
            }
        }
        best
    }

    fn agrees_from(&self, row: usize, column: usize) -> bool {
        let here = self.source.queue.iter().skip(row);
        let there = self.destination.queue.iter().skip(column);
        let equal = here
            .zip(there)
            .take(AGREEING)
            .take_while(|(s, d)| s.is_copy_of(d))
            .count();
        let ends = (self.source.ended && row + equal == self.source.queue.len())
            || (self.destination.ended && column + equal == self.destination.queue.len());
        equal == AGREEING || (equal > 0 && ends)
    }
}

#[cfg(test)]
mod tests;
