//! What a life has left at the destination, compared with the truth.

use std::collections::{BTreeMap, BTreeSet};

use super::Life;
use crate::side::Destination;

impl Life {
    pub(super) fn compare(&self) -> Result<(), String> {
        for (index, log) in self.sources.iter().enumerate() {
            let arrived: Vec<(i64, i64)> = self.arrived(index).collect();
            let offsets: Vec<i64> = arrived.iter().map(|(offset, _)| *offset).collect();
            let wanted: Vec<i64> = self.wanted(index).collect();
            let told = || format!("partition {index} holds {offsets:?} instead of {wanted:?}");
            let unknown = |offset: &&i64| log.committed.binary_search(offset).is_err();
            if offsets.iter().find(unknown).is_some() {
                return Err(told());
            }
            // First arrivals are in order, and what counts in the end, the last ones, too.
            let mut first = Vec::new();
            for offset in &offsets {
                if first.last().is_none_or(|last| last < offset) {
                    first.push(*offset);
                }
            }
            let distinct: BTreeSet<i64> = offsets.iter().copied().collect();
            if first.len() != distinct.len() {
                return Err(format!("out of order: {}", told()));
            }
            let places: BTreeMap<i64, i64> = arrived.iter().copied().collect();
            let mut last: Vec<(i64, i64)> = wanted
                .iter()
                .filter_map(|offset| Some((*places.get(offset)?, *offset)))
                .collect();
            last.sort_unstable();
            if last
                .iter()
                .map(|(_, offset)| *offset)
                .ne(wanted.iter().copied())
            {
                return Err(told());
            }
            let map = self.map_of(index);
            // What could not be compared is not in the map, and was reported.
            let is_known =
                self.tally.repeated > 0 || wanted.iter().all(|offset| map.contains_key(offset));
            // Where exactly something was that the destination's cleaner has removed, nobody can tell.
            let is_cleaned = self.destinations[self.to[index]].is_cleaned;
            let mut entries = map.iter();
            let is_true = is_cleaned || entries.all(|(from, to)| arrived.contains(&(*from, *to)));
            if !is_known || !is_true {
                return Err(format!("the map {map:?} is not {arrived:?}"));
            }
        }
        Ok(())
    }

    /// Where the stored map says that the records of a partition are: source and destination offsets.
    pub(super) fn map_of(&self, index: usize) -> BTreeMap<i64, i64> {
        let runs = self.kept[index]
            .segments
            .values()
            .flat_map(|segment| &segment.runs);
        let pairs = runs.flat_map(|run| {
            let Destination(to) = run.destination;
            (0..run.length).map(move |i| (run.source.0 + i, to + i))
        });
        pairs.collect()
    }

    /// No more records are twice than were reported.
    pub(super) fn count_twice(&mut self) -> Result<(), String> {
        let mut twice = 0;
        for index in 0..self.sources.len() {
            let offsets: Vec<i64> = self.arrived(index).map(|(offset, _)| offset).collect();
            let distinct: BTreeSet<i64> = offsets.iter().copied().collect();
            twice += (offsets.len() - distinct.len()) as u64;
        }
        self.tally.twice = twice;
        if twice > self.tally.repeated {
            let reported = self.tally.repeated;
            return Err(format!(
                "{twice} records are twice, reported were {reported}"
            ));
        }
        Ok(())
    }
}
