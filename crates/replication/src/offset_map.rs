//! The exact map from source offsets to destination offsets of one partition, as runs.
//!
//! A run says: the records at source offsets `source .. source + length` are at destination offsets
//! `destination .. destination + length`, one for one. A new run begins only where the two sides
//! stop moving together: control records, aborted data, compaction, foreign writers.
//!
//! Invariants
//! - Runs are in rising source order and do not overlap; the same holds for destination offsets.
//! - An offset that lies in no run was not copied. It is never guessed.
//!
//! Runs are grouped in segments of [`SEGMENT_RUNS`]: a full segment never changes again, so storing
//! the map costs as much as what is new.

use crate::side::{Destination, Source};

/// Runs in one stored segment.
pub const SEGMENT_RUNS: usize = 128;
/// Full segments that may wait to be stored, some 800 KB: a batch seldom begins a run, and positions are stored every second.
const UNSTORED: usize = 256;

/// Consecutive offsets on both sides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    /// First source offset.
    pub source: Source<i64>,
    /// First destination offset.
    pub destination: Destination<i64>,
    /// Number of offsets, ≥ 1.
    pub length: i64,
}

impl Run {
    fn source_end(&self) -> i64 {
        self.source.0 + self.length
    }

    fn destination_end(&self) -> i64 {
        self.destination.0 + self.length
    }
}

/// The newest end of a partition's map: the segment that still grows. Older segments are in the
/// store.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OffsetMap {
    segment: u32,
    runs: Vec<Run>,
    sealed: Vec<Segment>,
    changed: bool,
}

/// A stored piece of the map.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Its number, from 0.
    pub number: u32,
    /// Its runs, at most [`SEGMENT_RUNS`].
    pub runs: Vec<Run>,
}

impl OffsetMap {
    /// Goes on from the newest stored segment.
    #[must_use]
    pub fn resume(last: Segment) -> Self {
        Self {
            segment: last.number,
            runs: last.runs,
            sealed: Vec::new(),
            changed: false,
        }
    }

    /// Forgets all runs, because the topic they belong to is gone; what follows goes into a segment of
    /// its own, so that it is newer than all that is stored.
    pub fn begin_anew(&mut self) {
        if !self.runs.is_empty() || self.segment > 0 {
            self.segment += 1;
        }
        self.runs.clear();
        self.changed = true;
    }

    /// Appends a run that was acknowledged. One that begins below what is known already replaces what
    /// it overlaps: the records were copied again (at-least-once after a lost position).
    pub fn append(&mut self, run: Run) {
        if run.length <= 0 {
            return;
        }
        self.changed = true;
        while let Some(last) = self.runs.last_mut() {
            if run.source.0 == last.source_end() && run.destination.0 == last.destination_end() {
                last.length += run.length;
                return;
            }
            if run.source.0 >= last.source_end() {
                break;
            }
            last.length = run.source.0 - last.source.0;
            if last.length > 0 {
                break;
            }
            self.runs.pop();
        }
        if self.runs.len() >= SEGMENT_RUNS {
            let runs = std::mem::take(&mut self.runs);
            self.sealed.push(Segment {
                number: self.segment,
                runs,
            });
            self.segment += 1;
        }
        self.runs.push(run);
    }

    /// Whether there is room for more before what is full has been stored: what cannot be stored for hours would take all memory.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.sealed.len() < UNSTORED
    }

    /// Destination offset of a source offset, where the growing segment knows it.
    #[must_use]
    pub fn translate(&self, source: Source<i64>) -> Option<Destination<i64>> {
        let index = self
            .runs
            .partition_point(|run| run.source.0 <= source.0)
            .checked_sub(1)?;
        let run = &self.runs[index];
        (source.0 < run.source_end())
            .then(|| Destination(run.destination.0 + (source.0 - run.source.0)))
    }

    /// Segments that differ from what was taken last, oldest first; they count as stored from now on.
    pub fn take_changed(&mut self) -> Vec<Segment> {
        let mut segments = std::mem::take(&mut self.sealed);
        if std::mem::take(&mut self.changed) {
            segments.push(Segment {
                number: self.segment,
                runs: self.runs.clone(),
            });
        }
        segments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(source: i64, destination: i64, length: i64) -> Run {
        Run {
            source: Source(source),
            destination: Destination(destination),
            length,
        }
    }

    #[test]
    fn runs_that_go_on_are_joined_and_others_are_not() {
        let mut map = OffsetMap::default();
        map.append(run(0, 100, 10));
        map.append(run(10, 110, 5));
        map.append(run(16, 115, 5));
        assert_eq!(map.runs, [run(0, 100, 15), run(16, 115, 5)]);
        assert_eq!(map.translate(Source(14)), Some(Destination(114)));
        assert_eq!(map.translate(Source(15)), None);
        assert_eq!(map.translate(Source(16)), Some(Destination(115)));
        assert_eq!(map.translate(Source(21)), None);
    }

    #[test]
    fn what_is_copied_again_is_found_at_its_newest_place() {
        let mut map = OffsetMap::default();
        map.append(run(0, 0, 10));
        map.append(run(10, 20, 10));
        map.append(run(5, 50, 15));
        assert_eq!(map.runs, [run(0, 0, 5), run(5, 50, 15)]);
    }

    #[test]
    fn a_full_segment_is_sealed_and_stored_once() {
        let mut map = OffsetMap::default();
        for i in 0..=SEGMENT_RUNS as i64 {
            map.append(run(i * 2, i, 1));
        }
        let stored = map.take_changed();
        assert_eq!(
            stored
                .iter()
                .map(|s| (s.number, s.runs.len()))
                .collect::<Vec<_>>(),
            [(0, SEGMENT_RUNS), (1, 1)]
        );
        assert_eq!(map.take_changed(), []);
        map.append(run(1000, 1000, 1));
        let stored = map.take_changed();
        assert_eq!(
            stored
                .iter()
                .map(|s| (s.number, s.runs.len()))
                .collect::<Vec<_>>(),
            [(1, 2)]
        );
        let mut resumed = OffsetMap::resume(stored[0].clone());
        assert_eq!(resumed.take_changed(), []);
        assert_eq!(resumed.translate(Source(1000)), Some(Destination(1000)));
    }

    proptest! {
        #[test]
        fn the_map_knows_exactly_what_was_appended(
            steps in prop::collection::vec((0..4_i64, 0..4_i64, 1..6_i64), 1..60)
        ) {
            let (mut source, mut destination) = (0, 0);
            let mut map = OffsetMap::default();
            let mut known = std::collections::BTreeMap::new();
            for (source_gap, destination_gap, length) in steps {
                source += source_gap;
                destination += destination_gap;
                map.append(run(source, destination, length));
                for i in 0..length {
                    known.insert(source + i, destination + i);
                }
                source += length;
                destination += length;
            }
            for offset in 0..source + 3 {
                prop_assert_eq!(
                    map.translate(Source(offset)).map(|d| d.0),
                    known.get(&offset).copied()
                );
            }
        }
    }
}
