//! What differs between two sides, record by record and partition by partition.
//!
//! Records are compared by content (key, value, headers, timestamp): equal ones are told apart only by how many there
//! are. What is too few or too many is classified:
//!
//! ```text
//! source       a b c d e        missing: c, d     unexpected: D
//! destination  a b b D e        b is there once more than at the source   → duplicate
//!                               D is where d was (after a and b)          → changed, with d or c
//!                               the other missing one                     → lost
//! ```

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use super::read::{ReadRecord, Topic};

/// Only so many differences are described.
const DESCRIBED: usize = 12;
/// Only so many bytes of a key or value are shown.
const SHOWN: usize = 40;

/// How the destination differs from the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Records at the source.
    pub source: u64,
    /// Records at the destination.
    pub destination: u64,
    /// At the source, not at the destination.
    pub lost: u64,
    /// At the destination more often than at the source.
    pub duplicate: u64,
    /// Behind a record that is behind them at the source.
    pub order: u64,
    /// In the place of a record of the source, with other content.
    pub changed: u64,
    /// At the destination, and nothing like it at the source.
    pub extra: u64,
    /// The first differences in words.
    pub differences: Vec<String>,
}

impl Verdict {
    /// Whether both sides hold the same records in the same order.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.duplicate == 0 && self.is_complete()
    }

    /// Whether nothing is wrong except that some records are there more than once.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.lost == 0 && self.order == 0 && self.changed == 0 && self.extra == 0
    }

    fn describe(&mut self, difference: impl FnOnce() -> String) {
        if self.differences.len() < DESCRIBED {
            self.differences.push(difference());
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} records at the source, {} at the destination: {} lost, {} duplicate, {} out of order, {} changed, {} extra",
            self.source,
            self.destination,
            self.lost,
            self.duplicate,
            self.order,
            self.changed,
            self.extra
        )?;
        self.differences
            .iter()
            .try_for_each(|difference| write!(f, "\n  {difference}"))
    }
}

/// Compares partition by partition.
#[must_use]
pub fn compare(source: &Topic, destination: &Topic) -> Verdict {
    let mut verdict = Verdict::default();
    let partitions: BTreeSet<_> = source.keys().chain(destination.keys()).copied().collect();
    for partition in partitions {
        let there = source.get(&partition).map_or(&[][..], Vec::as_slice);
        let here = destination.get(&partition).map_or(&[][..], Vec::as_slice);
        verdict.source += there.len() as u64;
        verdict.destination += here.len() as u64;
        if !there.iter().map(content).eq(here.iter().map(content)) {
            compare_partition(partition, there, here, &mut verdict);
        }
    }
    verdict
}

type Content<'a> = (
    Option<&'a [u8]>,
    Option<&'a [u8]>,
    &'a [(String, Option<Vec<u8>>)],
    Option<i64>,
);

fn content(record: &ReadRecord) -> Content<'_> {
    (
        record.key.as_deref(),
        record.value.as_deref(),
        &record.headers,
        record.timestamp,
    )
}

/// A record that has no partner, and how many records with one are before it.
struct Single<'a> {
    record: &'a ReadRecord,
    rank: usize,
}

fn compare_partition(
    partition: i32,
    source: &[ReadRecord],
    destination: &[ReadRecord],
    verdict: &mut Verdict,
) {
    // Places of each content at the source, in order; a record of the destination takes the first that is left.
    let mut places: HashMap<Content<'_>, Vec<usize>> = HashMap::new();
    for (place, record) in source.iter().enumerate().rev() {
        places.entry(content(record)).or_default().push(place);
    }
    let mut taken = vec![false; source.len()];
    let mut furthest: Option<usize> = None;
    let mut rank = 0;
    let mut unexpected = Vec::new();
    for record in destination {
        match places.get_mut(&content(record)) {
            None => unexpected.push(Single { record, rank }),
            Some(left) => match left.pop() {
                None => {
                    verdict.duplicate += 1;
                    verdict
                        .describe(|| format!("partition {partition}: duplicate: {}", show(record)));
                }
                Some(place) => {
                    taken[place] = true;
                    rank += 1;
                    if furthest.is_some_and(|furthest| place < furthest) {
                        verdict.order += 1;
                        verdict.describe(|| {
                            format!(
                                "partition {partition}: out of order: {}, source {}",
                                show(record),
                                source[place].offset
                            )
                        });
                    }
                    furthest = furthest.max(Some(place));
                }
            },
        }
    }
    let mut rank = 0;
    let mut missing = Vec::new();
    for (record, taken) in source.iter().zip(taken) {
        if taken {
            rank += 1;
        } else {
            missing.push(Single { record, rank });
        }
    }
    pair_changed(partition, &missing, unexpected, verdict);
}

/// A missing and an unexpected record with as many common ones before them are one record that was changed.
fn pair_changed(
    partition: i32,
    missing: &[Single<'_>],
    unexpected: Vec<Single<'_>>,
    verdict: &mut Verdict,
) {
    let mut unexpected = unexpected.into_iter().peekable();
    for single in missing {
        while let Some(extra) = unexpected.next_if(|other| other.rank < single.rank) {
            count_extra(partition, extra.record, verdict);
        }
        if let Some(other) = unexpected.next_if(|other| other.rank == single.rank) {
            verdict.changed += 1;
            verdict.describe(|| {
                format!(
                    "partition {partition}: changed: {} became {}",
                    show(single.record),
                    show(other.record)
                )
            });
        } else {
            verdict.lost += 1;
            verdict.describe(|| format!("partition {partition}: lost: {}", show(single.record)));
        }
    }
    for extra in unexpected {
        count_extra(partition, extra.record, verdict);
    }
}

fn count_extra(partition: i32, record: &ReadRecord, verdict: &mut Verdict) {
    verdict.extra += 1;
    verdict.describe(|| format!("partition {partition}: extra: {}", show(record)));
}

fn show(record: &ReadRecord) -> String {
    let headers: Vec<_> = record
        .headers
        .iter()
        .map(|(name, value)| format!("{name}={}", text(value.as_deref())))
        .collect();
    format!(
        "offset {} time {} key {} value {} headers [{}]",
        record.offset,
        record
            .timestamp
            .map_or_else(|| "none".to_owned(), |millis| millis.to_string()),
        text(record.key.as_deref()),
        text(record.value.as_deref()),
        headers.join(", ")
    )
}

fn text(bytes: Option<&[u8]>) -> String {
    match bytes {
        None => "null".to_owned(),
        Some(bytes) if bytes.len() > SHOWN => {
            format!(
                "\"{}…\" ({} bytes)",
                bytes[..SHOWN].escape_ascii(),
                bytes.len()
            )
        }
        Some(bytes) => format!("\"{}\"", bytes.escape_ascii()),
    }
}

#[cfg(test)]
mod tests;
