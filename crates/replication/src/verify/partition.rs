//! One partition: reads ends, decides the ranges, and feeds both logs to an [`Aligner`].

use std::sync::Arc;

use kafka_wire::message::IsolationLevel::{ReadCommitted, ReadUncommitted};
use kafka_wire::message::list_offsets::{EARLIEST, LATEST};

use super::align::{Aligner, Need, Rules};
use super::findings::{Findings, Kind};
use super::fingerprint::Fingerprint;
use super::plan::{Piece, Plan, Readings, guide, plan};
use super::read::{Log, Read, Reader};
use super::run::{Level, Options, Pair, Progress, Sides};

/// What one partition came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Outcome {
    pub(super) findings: Findings,
    /// Offsets looked at, first and end, of both sides.
    pub(super) source: (i64, i64),
    pub(super) destination: (i64, i64),
    /// Whether offsets were the guide; otherwise contents were.
    pub(super) by_offset: bool,
    /// Why there is no verdict.
    pub(super) unknown: Option<String>,
}

/// A pair with both its logs.
pub(super) struct Partition<'a> {
    pub(super) pair: &'a Pair,
    pub(super) source: Log,
    pub(super) destination: Log,
    /// Whether cleaners work at the source, and at the destination.
    pub(super) compacted: (bool, bool),
    /// Whose records have counterparts.
    pub(super) sides: &'a Sides,
}

impl Partition<'_> {
    /// Without the copies that links have made at the source; how many those are.
    fn own(&self, records: &mut Vec<Fingerprint>) -> u64 {
        let copies = &self.sides.copies_at_source;
        let before = records.len();
        records.retain(|record| record.producer < 0 || !copies.contains(&record.producer));
        (before - records.len()) as u64
    }

    /// Without what was first written to the destination; how many those are.
    fn copied(&self, records: &mut Vec<Fingerprint>) -> u64 {
        let Some(copies) = &self.sides.copies_at_destination else {
            return 0;
        };
        let before = records.len();
        records.retain(|record| copies.contains(&record.producer));
        (before - records.len()) as u64
    }
}

/// Compares a partition.
pub(super) async fn compare(
    partition: &Partition<'_>,
    options: &Options,
    progress: &Arc<Progress>,
) -> Result<Outcome, String> {
    let mut readings = read_ends(partition, options).await?;
    let guide = guide(partition.pair.stored.as_ref(), &readings);
    if guide.is_none() && options.range.since.is_none() && options.range.from.is_none() {
        readings.since = same_beginning(partition, &readings).await?;
    }
    let plan = plan(guide, &readings, &options.range);
    let mut outcome = Outcome {
        source: hull(plan.pieces.iter().map(|piece| piece.source)),
        destination: hull(plan.pieces.iter().map(|piece| piece.destination)),
        by_offset: plan.expected.is_some(),
        ..Outcome::default()
    };
    outcome.findings.explained = plan.excluded;
    if plan.expected.is_none() {
        match options.level {
            Level::Checksum => {}
            Level::Offsets => {
                outcome.unknown = Some(
                    "there is no offset map, and the ends differ: offsets cannot be compared; use --level checksum"
                        .to_owned(),
                );
                return Ok(outcome);
            }
            Level::Counts => return count(partition, &plan, progress, outcome).await,
        }
    }
    for piece in &plan.pieces {
        let found = compare_piece(partition, &plan, piece, &readings, options, progress).await?;
        outcome.findings.append(found);
    }
    let skipped = (readings.source_start, outcome.source.0);
    if plan.expected.is_none() && !plan.pieces.iter().any(|piece| piece.open_front) {
        let missing = never_there(partition, skipped, &readings, progress).await?;
        outcome.findings.add_many(Kind::Missing, missing, || {
            format!(
                "in front of source offset {}: more records than the {} offsets that the destination has dropped",
                skipped.1, readings.destination_start
            )
        });
    }
    Ok(outcome)
}

/// How many of the records that were not looked at, because retention explains them, it cannot explain: each took an offset.
async fn never_there(
    partition: &Partition<'_>,
    skipped: (i64, i64),
    readings: &Readings,
    progress: &Arc<Progress>,
) -> Result<u64, String> {
    // Where a cleaner works, it may have been that.
    if skipped.1 - skipped.0 <= readings.destination_start || partition.compacted.1 {
        return Ok(0);
    }
    let mut reader = Reader::new(
        partition.source.clone(),
        skipped,
        true,
        Arc::clone(progress),
    );
    let mut count = 0;
    loop {
        match reader.read().await? {
            Read::Records(mut records) => {
                partition.own(&mut records);
                count += records.len() as u64;
            }
            Read::StartsAt(_) => {}
            Read::End => break,
        }
    }
    let gone = u64::try_from(readings.destination_start).unwrap_or(0);
    Ok(count.saturating_sub(gone))
}

fn hull(ranges: impl Iterator<Item = (i64, i64)>) -> (i64, i64) {
    let hull = ranges.reduce(|all, range| (all.0.min(range.0), all.1.max(range.1)));
    hull.unwrap_or_default()
}

/// The destination's ends first: whatever it holds then, the source's end covers.
async fn read_ends(partition: &Partition<'_>, options: &Options) -> Result<Readings, String> {
    let (from, to) = (&partition.source, &partition.destination);
    let destination_start = to.offset(EARLIEST, ReadCommitted).await?;
    let destination_end = to.offset(LATEST, ReadCommitted).await?;
    let destination_high = to.offset(LATEST, ReadUncommitted).await?;
    let source_start = from.offset(EARLIEST, ReadCommitted).await?;
    let source_end = from.offset(LATEST, ReadCommitted).await?;
    let source_high = from.offset(LATEST, ReadUncommitted).await?;
    let since = match options.range.since {
        None => None,
        Some(time) => Some((
            at_time(from, time, source_end).await?,
            at_time(to, time, destination_end).await?,
        )),
    };
    Ok(Readings {
        source_start,
        source_end,
        source_high,
        destination_start,
        destination_end,
        destination_high,
        since,
    })
}

async fn at_time(log: &Log, time: i64, end: i64) -> Result<i64, String> {
    let at = log.offset(time, ReadCommitted).await?;
    Ok(if at < 0 { end } else { at.min(end) })
}

/// Where to begin on both sides when nothing but contents tells and one of them has lost its beginning: at the time of
/// the first record that the other still has.
async fn same_beginning(
    partition: &Partition<'_>,
    readings: &Readings,
) -> Result<Option<(i64, i64)>, String> {
    let mut begin = (readings.source_start, readings.destination_start);
    let quiet = Arc::new(Progress::default());
    if readings.destination_start > 0 {
        let range = (readings.destination_start, readings.destination_end);
        if let Some(time) = first_time(&partition.destination, range, &quiet).await? {
            begin.0 = at_time(&partition.source, time, readings.source_end).await?;
        }
    }
    if readings.source_start > 0 {
        let range = (readings.source_start, readings.source_end);
        if let Some(time) = first_time(&partition.source, range, &quiet).await? {
            begin.1 = at_time(&partition.destination, time, readings.destination_end).await?;
        }
    }
    Ok(Some(begin))
}

async fn first_time(
    log: &Log,
    range: (i64, i64),
    progress: &Arc<Progress>,
) -> Result<Option<i64>, String> {
    let mut reader = Reader::new(log.clone(), range, false, Arc::clone(progress));
    loop {
        match reader.read().await? {
            Read::Records(records) => {
                if let Some(first) = records.first() {
                    return Ok(Some(first.timestamp).filter(|time| *time >= 0));
                }
            }
            Read::StartsAt(_) => {}
            Read::End => return Ok(None),
        }
    }
}

fn readers(
    partition: &Partition<'_>,
    piece: &Piece,
    places_only: bool,
    progress: &Arc<Progress>,
) -> (Reader, Reader) {
    let reader =
        |log: &Log, range| Reader::new(log.clone(), range, places_only, Arc::clone(progress));
    (
        reader(&partition.source, piece.source),
        reader(&partition.destination, piece.destination),
    )
}

async fn compare_piece(
    partition: &Partition<'_>,
    plan: &Plan,
    piece: &Piece,
    readings: &Readings,
    options: &Options,
    progress: &Arc<Progress>,
) -> Result<Findings, String> {
    let position = partition
        .pair
        .stored
        .as_ref()
        .and_then(|stored| stored.position.as_ref());
    let places_only = options.level != Level::Checksum;
    let rules = Rules {
        compacted: partition.compacted,
        starts: (readings.source_start, readings.destination_start),
        copied_to: position.map(|position| position.offset.0),
        merged: partition.pair.merged,
        producer: position.map(|position| position.producer.id),
        open_front: piece.open_front,
        open_end: piece.open_end,
        places_only,
    };
    let mut aligner = Aligner::new(rules, plan.expected.clone());
    let (mut source, mut destination) = readers(partition, piece, places_only, progress);
    let (mut elsewhere, mut local) = (0, 0);
    loop {
        match aligner.advance() {
            Need::Nothing => break,
            Need::Source => match source.read().await? {
                Read::Records(mut records) => {
                    elsewhere += partition.own(&mut records);
                    aligner.push_source(records);
                }
                Read::StartsAt(offset) => aligner.source_starts_at(offset),
                Read::End => aligner.end_source(),
            },
            Need::Destination => match destination.read().await? {
                Read::Records(mut records) => {
                    local += partition.copied(&mut records);
                    aligner.push_destination(records);
                }
                Read::StartsAt(offset) => aligner.destination_starts_at(offset),
                Read::End => aligner.end_destination(),
            },
        }
    }
    let mut found = aligner.finish();
    found.explained.of_other_origins += elsewhere;
    found.explained.local_at_destination += local;
    found.explained.source_control += source.tally.control;
    found.explained.aborted += source.tally.aborted;
    found.explained.destination_control += destination.tally.control;
    found.explained.destination_aborted += destination.tally.aborted;
    Ok(found)
}

/// Without any guide only numbers can be compared from headers.
async fn count(
    partition: &Partition<'_>,
    plan: &Plan,
    progress: &Arc<Progress>,
    mut outcome: Outcome,
) -> Result<Outcome, String> {
    let stored = partition.pair.stored.as_ref();
    let copied_to = stored.and_then(|stored| Some(stored.position.as_ref()?.offset.0));
    let found = &mut outcome.findings;
    for piece in &plan.pieces {
        let (source, destination) = readers(partition, piece, true, progress);
        let (here, later) = count_one(source, copied_to, found, true, |records| {
            partition.own(records)
        })
        .await?;
        let (there, _) = count_one(destination, None, found, false, |records| {
            partition.copied(records)
        })
        .await?;
        found.source_records += here + later;
        found.destination_records += there;
        found.compared += here;
        // What is copied beyond the stored position is not known: both numbers are right.
        let extra = there.saturating_sub(here + later);
        let missing = here.saturating_sub(there);
        found.explained.not_copied_yet += (here + later).saturating_sub(there.max(here));
        found.equal += here.min(there);
        if missing + extra == 0 {
            continue;
        }
        if partition.compacted.0 || partition.compacted.1 || partition.pair.merged {
            outcome.unknown = Some(format!(
                "the source has {here} records and the destination {there}, which cleaners or other writers may have \
                 changed; use --level checksum"
            ));
            continue;
        }
        for (kind, count) in [(Kind::Missing, missing), (Kind::Extra, extra)] {
            found.add_many(kind, count, || {
                format!("by number: {here} at the source, {there} at the destination")
            });
        }
    }
    Ok(outcome)
}

/// Records before and from an offset on.
async fn count_one(
    mut reader: Reader,
    split: Option<i64>,
    found: &mut Findings,
    is_source: bool,
    leave_out: impl Fn(&mut Vec<Fingerprint>) -> u64,
) -> Result<(u64, u64), String> {
    let (mut before, mut behind, mut left_out) = (0, 0, 0);
    loop {
        match reader.read().await? {
            Read::Records(mut records) => {
                left_out += leave_out(&mut records);
                let is_behind = |offset| split.is_some_and(|split| offset >= split);
                let later = records
                    .iter()
                    .filter(|record| is_behind(record.offset))
                    .count();
                behind += later as u64;
                before += (records.len() - later) as u64;
            }
            Read::StartsAt(_) => {}
            Read::End => break,
        }
    }
    let explained = &mut found.explained;
    let (control, aborted) = (reader.tally.control, reader.tally.aborted);
    if is_source {
        explained.source_control += control;
        explained.aborted += aborted;
        explained.of_other_origins += left_out;
    } else {
        explained.local_at_destination += left_out;
        explained.destination_control += control;
        explained.destination_aborted += aborted;
    }
    Ok((before, behind))
}
