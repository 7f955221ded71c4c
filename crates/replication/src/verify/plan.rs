//! Which offsets of both sides are compared, and by what guide. Pure.

use super::expect::Expected;
use super::findings::Explained;
use super::fingerprint::mix;
use super::stored::StoredCopy;

/// Offsets that are taken into a sample, or left out of it, together.
const SAMPLE_BLOCK: i64 = 10_000;

/// What of each partition is compared. Everything, by default.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Range {
    /// Only records from this time on, in milliseconds since 1970.
    pub since: Option<i64>,
    /// Only source offsets from here on.
    pub from: Option<i64>,
    /// Only source offsets before this one.
    pub to: Option<i64>,
    /// Only this part of the offsets, in percent.
    pub sample: Option<f64>,
    /// Decides which.
    pub seed: u64,
}

/// Where both logs start and end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Readings {
    pub(super) source_start: i64,
    /// Last stable offset: what can be read.
    pub(super) source_end: i64,
    /// High watermark.
    pub(super) source_high: i64,
    pub(super) destination_start: i64,
    pub(super) destination_end: i64,
    pub(super) destination_high: i64,
    /// First records at or behind the time asked for, where one was: both sides.
    pub(super) since: Option<(i64, i64)>,
}

/// Offsets of both sides that are compared with each other; ends exclusive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Piece {
    pub(super) source: (i64, i64),
    pub(super) destination: (i64, i64),
    /// Whether both sides may begin, or end, with records of which the other has none.
    pub(super) open_front: bool,
    pub(super) open_end: bool,
}

/// What to do for one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    pub(super) expected: Option<Expected>,
    pub(super) pieces: Vec<Piece>,
    /// What is not looked at, and why.
    pub(super) excluded: Explained,
}

/// What tells the place of a record.
pub(super) fn guide(stored: Option<&StoredCopy>, readings: &Readings) -> Option<Expected> {
    let Some(stored) = stored else {
        // Nothing is known. Equal ends say that offsets may be equal; if they are not, that shows at once.
        return (readings.source_high == readings.destination_high).then_some(Expected::Same);
    };
    let map = Expected::from_runs(stored.runs.iter().copied());
    map.or_else(|| {
        let position = stored.position.as_ref()?;
        (position.offset.0 == position.destination_end.0).then_some(Expected::Same)
    })
}

/// The ranges to compare.
pub(super) fn plan(expected: Option<Expected>, readings: &Readings, range: &Range) -> Plan {
    match expected {
        Some(expected) => by_offset(expected, readings, range),
        None => by_content(readings, range),
    }
}

fn offsets(from: i64, to: i64) -> u64 {
    u64::try_from(to - from).unwrap_or(0)
}

fn by_offset(expected: Expected, readings: &Readings, range: &Range) -> Plan {
    let mut excluded = Explained::default();
    let asked = range
        .from
        .or(readings.since.map(|(source, _)| source))
        .unwrap_or(0);
    let begin = readings.source_start.max(asked);
    let first = expected
        .first()
        .map_or(begin, |(source, _)| source.0.max(begin));
    excluded.before_the_copy = offsets(begin, first);
    let from = first.max(expected.source_from(readings.destination_start));
    excluded.retention_at_destination = offsets(first, from.min(readings.source_end));
    let to = range
        .to
        .unwrap_or(i64::MAX)
        .min(readings.source_end)
        .max(from);
    let destination_from = expected
        .destination_from(from)
        .max(readings.destination_start);
    if asked <= readings.source_start {
        let first = expected.first().map_or(0, |(_, destination)| destination.0);
        let there = readings.destination_start.max(first);
        excluded.retention_at_source =
            offsets(there, destination_from.min(readings.destination_end));
    }
    let destination_to = |to: i64| {
        let known =
            to < readings.source_end && expected.destination_from(to) < expected.destination_end();
        let at = if known {
            expected.destination_from(to)
        } else {
            i64::MAX
        };
        at.min(readings.destination_end)
    };
    let whole = Piece {
        source: (from, to),
        destination: (
            destination_from.min(readings.destination_end),
            destination_to(to),
        ),
        open_front: false,
        open_end: to < readings.source_end,
    };
    let pieces = match range.sample {
        None => vec![whole],
        Some(percent) => {
            let chosen = sample((from, to), percent, range.seed);
            let kept: u64 = chosen.iter().map(|(from, to)| offsets(*from, *to)).sum();
            excluded.not_sampled = offsets(from, to).saturating_sub(kept);
            let piece = |(from, to): (i64, i64)| Piece {
                source: (from, to),
                destination: (
                    expected
                        .destination_from(from)
                        .min(readings.destination_end),
                    destination_to(to),
                ),
                open_front: false,
                open_end: to < readings.source_end,
            };
            chosen.into_iter().map(piece).collect()
        }
    };
    Plan {
        expected: Some(expected),
        pieces,
        excluded,
    }
}

/// Without a guide a sample cannot be found again on the other side: the whole is compared.
fn by_content(readings: &Readings, range: &Range) -> Plan {
    let since = readings.since.unwrap_or_default();
    let from = range.from.unwrap_or(since.0).max(readings.source_start);
    let to = range
        .to
        .unwrap_or(i64::MAX)
        .min(readings.source_end)
        .max(from);
    let destination_from = since.1.max(readings.destination_start);
    let piece = Piece {
        source: (from, to),
        destination: (
            destination_from.min(readings.destination_end),
            readings.destination_end,
        ),
        open_front: range.from.is_some() || range.since.is_some(),
        open_end: to < readings.source_end,
    };
    let skipped = range.from.is_none() && range.since.is_none();
    let excluded = Explained {
        retention_at_destination: if skipped {
            offsets(readings.source_start, from)
        } else {
            0
        },
        retention_at_source: if skipped {
            offsets(readings.destination_start, piece.destination.0)
        } else {
            0
        },
        ..Explained::default()
    };
    Plan {
        expected: None,
        pieces: vec![piece],
        excluded,
    }
}

/// Blocks of offsets, at least one.
fn sample((from, to): (i64, i64), percent: f64, seed: u64) -> Vec<(i64, i64)> {
    if from >= to {
        return Vec::new();
    }
    let limit = (percent.clamp(0.0, 100.0) / 100.0 * u64::MAX as f64) as u64;
    let blocks = from.div_euclid(SAMPLE_BLOCK)..=(to - 1).div_euclid(SAMPLE_BLOCK);
    let lot = |block: i64| mix(mix(seed, block as u64), 1);
    let mut chosen: Vec<i64> = blocks
        .clone()
        .filter(|block| lot(*block) <= limit)
        .collect();
    if chosen.is_empty() {
        chosen.extend(blocks.min_by_key(|block| lot(*block)));
    }
    chosen
        .into_iter()
        .map(|block| {
            (
                (block * SAMPLE_BLOCK).max(from),
                ((block + 1) * SAMPLE_BLOCK).min(to),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offset_map::Run;
    use crate::side::{Destination, Source};

    fn readings(source: (i64, i64), destination: (i64, i64)) -> Readings {
        Readings {
            source_start: source.0,
            source_end: source.1,
            source_high: source.1,
            destination_start: destination.0,
            destination_end: destination.1,
            destination_high: destination.1,
            since: None,
        }
    }

    fn map(runs: &[(i64, i64, i64)]) -> Option<Expected> {
        Expected::from_runs(runs.iter().map(|&(source, destination, length)| Run {
            source: Source(source),
            destination: Destination(destination),
            length,
        }))
    }

    #[test]
    fn what_one_side_no_longer_has_is_excluded_on_both() {
        let plan = plan(
            map(&[(0, 0, 50), (60, 50, 40)]),
            &readings((10, 100), (55, 90)),
            &Range::default(),
        );
        let piece = plan.pieces[0];
        assert_eq!((piece.source, piece.destination), ((65, 100), (55, 90)));
        assert_eq!(plan.excluded.retention_at_destination, 55);
        let plan = super::plan(
            map(&[(0, 0, 50), (60, 50, 40)]),
            &readings((62, 100), (0, 90)),
            &Range::default(),
        );
        let piece = plan.pieces[0];
        assert_eq!((piece.source, piece.destination), ((62, 100), (52, 90)));
        assert_eq!(plan.excluded.retention_at_source, 52);
    }

    #[test]
    fn what_was_there_before_the_copy_is_excluded() {
        let plan = plan(
            map(&[(40, 7, 60)]),
            &readings((0, 100), (0, 67)),
            &Range::default(),
        );
        let piece = plan.pieces[0];
        assert_eq!((piece.source, piece.destination), ((40, 100), (7, 67)));
        assert_eq!(plan.excluded.before_the_copy, 40);
        assert_eq!(plan.excluded.retention_at_source, 0);
    }

    #[test]
    fn a_sample_has_the_same_records_on_both_sides() {
        let range = Range {
            sample: Some(20.0),
            seed: 7,
            ..Range::default()
        };
        let plan = plan(
            map(&[(0, 1_000, 1_000_000)]),
            &readings((0, 1_000_000), (0, 1_001_000)),
            &range,
        );
        let kept: i64 = plan
            .pieces
            .iter()
            .map(|piece| piece.source.1 - piece.source.0)
            .sum();
        assert!((100_000..300_000).contains(&kept), "{kept}");
        for piece in &plan.pieces[..plan.pieces.len() - 1] {
            assert_eq!(piece.source.0 + 1_000, piece.destination.0);
            assert_eq!(piece.source.1 + 1_000, piece.destination.1);
        }
        assert_eq!(plan.excluded.not_sampled, 1_000_000 - kept as u64);
        assert_eq!(sample((5, 9), 0.0, 1), [(5, 9)]);
    }

    #[test]
    fn a_range_of_offsets_ends_where_the_map_says() {
        let range = Range {
            from: Some(20),
            to: Some(70),
            ..Range::default()
        };
        let plan = plan(
            map(&[(0, 0, 50), (60, 50, 40)]),
            &readings((0, 100), (0, 90)),
            &range,
        );
        let piece = plan.pieces[0];
        assert_eq!((piece.source, piece.destination), ((20, 70), (20, 60)));
        assert!(piece.open_end);
    }
}
