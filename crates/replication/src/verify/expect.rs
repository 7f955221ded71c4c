//! Which destination offset a source offset should have.

use std::sync::Arc;

use crate::offset_map::Run;
use crate::side::{Destination, Source};

/// Where a record should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// Exactly there.
    At(i64),
    /// Nowhere: it lies in front of the first record that was copied.
    Before,
    /// Nowhere: it was passed over.
    Hole,
    /// Not known any more: behind the map's end.
    Beyond,
}

/// What is known about places.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Expected {
    /// Every record at its own offset.
    Same,
    /// As the map says.
    Map(Arc<[Run]>),
}

impl Expected {
    /// From the segments of a stored map, oldest first. `None` where there is nothing in them.
    ///
    /// A later run replaces what it overlaps on the source's side: the records were copied again.
    pub(super) fn from_runs(stored: impl IntoIterator<Item = Run>) -> Option<Self> {
        let mut runs: Vec<Run> = Vec::new();
        for run in stored {
            while let Some(last) = runs.last_mut() {
                let overlap = source_end(last) - run.source.0;
                if overlap <= 0 && last.destination.0 < run.destination.0 {
                    break;
                }
                if overlap > 0 && overlap < last.length && last.destination.0 < run.destination.0 {
                    last.length -= overlap;
                    break;
                }
                runs.pop();
            }
            runs.push(run);
        }
        (!runs.is_empty()).then(|| Self::Map(runs.into()))
    }

    /// The place of a source offset.
    pub(super) fn place(&self, source: i64) -> Place {
        let runs = match self {
            Self::Same => return Place::At(source),
            Self::Map(runs) => runs,
        };
        let after = runs.partition_point(|run| run.source.0 <= source);
        let Some(index) = after.checked_sub(1) else {
            return Place::Before;
        };
        let run = &runs[index];
        if source < source_end(run) {
            Place::At(run.destination.0 + (source - run.source.0))
        } else if after == runs.len() {
            Place::Beyond
        } else {
            Place::Hole
        }
    }

    /// The destination offset at which the first record at or behind a source offset should be.
    pub(super) fn destination_from(&self, source: i64) -> i64 {
        let runs = match self {
            Self::Same => return source,
            Self::Map(runs) => runs,
        };
        let at = runs.partition_point(|run| source_end(run) <= source);
        match runs.get(at) {
            Some(run) => run.destination.0 + (source - run.source.0).max(0),
            None => self.destination_end(),
        }
    }

    /// The source offset of the first record that should be at or behind a destination offset.
    pub(super) fn source_from(&self, destination: i64) -> i64 {
        let runs = match self {
            Self::Same => return destination,
            Self::Map(runs) => runs,
        };
        let at = runs.partition_point(|run| run.destination.0 + run.length <= destination);
        match runs.get(at) {
            Some(run) => run.source.0 + (destination - run.destination.0).max(0),
            None => runs.last().map_or(0, source_end),
        }
    }

    /// Behind the last destination offset that is known.
    pub(super) fn destination_end(&self) -> i64 {
        match self {
            Self::Same => i64::MAX,
            Self::Map(runs) => runs.last().map_or(0, |run| run.destination.0 + run.length),
        }
    }

    /// The first source offset that was copied.
    pub(super) fn first(&self) -> Option<(Source<i64>, Destination<i64>)> {
        match self {
            Self::Same => None,
            Self::Map(runs) => runs.first().map(|run| (run.source, run.destination)),
        }
    }
}

fn source_end(run: &Run) -> i64 {
    run.source.0 + run.length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(runs: &[(i64, i64, i64)]) -> Expected {
        let runs = runs.iter().map(|&(source, destination, length)| Run {
            source: Source(source),
            destination: Destination(destination),
            length,
        });
        Expected::from_runs(runs).expect("runs")
    }

    #[test]
    fn a_map_tells_places_holes_and_where_its_knowledge_ends() {
        let map = map(&[(10, 0, 5), (20, 5, 5), (25, 100, 1)]);
        for (source, place) in [
            (9, Place::Before),
            (10, Place::At(0)),
            (14, Place::At(4)),
            (15, Place::Hole),
            (24, Place::At(9)),
            (25, Place::At(100)),
            (26, Place::Beyond),
        ] {
            assert_eq!(map.place(source), place, "{source}");
        }
        assert_eq!(
            [0, 12, 15, 25, 26].map(|s| map.destination_from(s)),
            [0, 2, 5, 100, 101]
        );
        assert_eq!(
            [0, 4, 5, 10, 101].map(|d| map.source_from(d)),
            [10, 14, 20, 25, 26]
        );
    }

    #[test]
    fn what_was_copied_again_counts_at_its_newest_place() {
        assert_eq!(
            map(&[(0, 0, 10), (5, 20, 10)]),
            map(&[(0, 0, 5), (5, 20, 10)])
        );
        // The topic was made anew: everything begins at the front again.
        assert_eq!(
            map(&[(0, 0, 10), (20, 10, 5), (0, 40, 3)]),
            map(&[(0, 40, 3)])
        );
        assert_eq!(map(&[(0, 50, 10), (10, 0, 5)]), map(&[(10, 0, 5)]));
    }
}
