//! Which partitions are copied from now on, where each begins, and what is done to its records (pure).

use std::collections::{BTreeMap, HashMap, HashSet};

use config::link::{Start, StartPosition};
use config::naming::Naming;
use config::provenance::Provenance;
use kafka_wire::types::{TopicName, TopicPartition};

use crate::data_plane::{Assignment, Changes, Origin};
use crate::metadata_sync::{Copy, Round};
use crate::position_store::{Stored, StoredLink};
use crate::spread::Spread;

/// Where partitions begin that have no position.
#[derive(Clone, Debug, Default)]
pub(super) struct Beginnings {
    /// What a group of the source has committed; it comes first.
    pub(super) committed: HashMap<TopicPartition, i64>,
    pub(super) start: Start,
}

/// What is done to the records of a link.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordChanges {
    /// Has the `transforms`.
    pub(super) naming: Naming,
    /// Ids of source and destination, and exceptions, where records tell them.
    pub(super) clusters: Option<(String, String, Provenance)>,
}

/// Partitions of the round that are not assigned yet. The configured start holds for what the first
/// look at the source found, in topics of which nothing is stored; whatever appears later, also while
/// the process was down, is copied from its first record.
pub(super) fn assignments(
    round: &Round,
    assigned: &mut HashSet<TopicPartition>,
    stored: &StoredLink,
    first: &BTreeMap<TopicName, i32>,
    beginnings: &Beginnings,
    changes: &RecordChanges,
) -> Vec<Assignment> {
    let known: HashSet<&TopicName> = stored.keys().map(|partition| &partition.topic).collect();
    let mut new = Vec::new();
    for copy in &round.copies {
        let there = first.get(&copy.source).copied().unwrap_or(0);
        let fresh = !known.contains(&copy.source);
        for number in 0..copy.partitions {
            let source = TopicPartition::new(copy.source.clone(), number);
            if !assigned.insert(source.clone()) {
                continue;
            }
            let start = beginnings
                .committed
                .get(&source)
                .map(|offset| StartPosition::Offset(*offset))
                .or_else(|| beginnings.start.of(copy.source.as_str(), number))
                .or_else(|| {
                    let topic = copy.source.as_str();
                    (fresh && number < there).then(|| beginnings.start.of_topic(topic))
                })
                .unwrap_or(StartPosition::Earliest);
            let known = stored.get(&source).cloned().unwrap_or_default();
            match copy.spread {
                None => new.push(whole(copy, source, known, start, changes)),
                Some(_) => spread(copy, &source, &known, start, changes, &mut new),
            }
        }
    }
    new
}

/// A partition that keeps its number.
fn whole(
    copy: &Copy,
    source: TopicPartition,
    known: Stored,
    start: StartPosition,
    changes: &RecordChanges,
) -> Assignment {
    // Where another program, or an operator, says that it goes on.
    let start = match known.begin.filter(|_| known.position.is_none()) {
        Some(offset) => StartPosition::Offset(offset),
        None => start,
    };
    // Its records were spread before: behind what all parts have.
    let parts = known.spread.values();
    let behind = parts
        .filter_map(|part| Some(part.position.as_ref()?.offset.0))
        .min();
    let start = match behind.filter(|_| known.position.is_none()) {
        Some(offset) => {
            tracing::warn!(
                partition = %source, offset,
                "its records were spread over other partitions before; from here on they keep their number"
            );
            StartPosition::Offset(offset)
        }
        None => start,
    };
    Assignment {
        destination: TopicPartition::new(copy.destination.clone(), source.partition),
        changes: changes.of(copy, source.partition, None),
        ..assignment(copy, source, known, start)
    }
}

/// The parts of a partition that is spread. Their number stays what it was when its copy began: a key that moved in
/// between would be out of order, and of what moves between parts that stand at different offsets some would be lost.
fn spread(
    copy: &Copy,
    source: &TopicPartition,
    known: &Stored,
    start: StartPosition,
    changes: &RecordChanges,
    new: &mut Vec<Assignment>,
) {
    let count = copy.spread.unwrap_or(1);
    let before = known.spread.keys().next().map(|spread| spread.of);
    let of = before.unwrap_or(count).min(count.max(1));
    if let Some(before) = before.filter(|before| *before != count) {
        tracing::warn!(
            partition = %source, of = before, now = count,
            "its records stay on the partitions of the destination that there were when the copy began"
        );
    }
    let start = match (before, &known.position) {
        (None, Some(position)) => {
            tracing::warn!(
                partition = %source, offset = position.offset.0,
                "its records kept their partition before; from here on they are spread"
            );
            StartPosition::Offset(position.offset.0)
        }
        _ => start,
    };
    for to in 0..of {
        let spread = Spread { of, to };
        let known = known.spread.get(&spread).cloned().unwrap_or_default();
        new.push(Assignment {
            destination: TopicPartition::new(copy.destination.clone(), to),
            changes: changes.of(copy, source.partition, Some(spread)),
            ..assignment(copy, source.clone(), known, start)
        });
    }
}

fn assignment(
    copy: &Copy,
    source: TopicPartition,
    known: Stored,
    start: StartPosition,
) -> Assignment {
    let moved_from = known
        .destination
        .filter(|before| *before != copy.destination);
    Assignment {
        destination: source.clone(),
        source_id: copy.source_id,
        stored: known.position,
        moved_from,
        segment: known.segment,
        start,
        changes: Changes::default(),
        source,
    }
}

impl RecordChanges {
    fn of(&self, copy: &Copy, partition: i32, spread: Option<Spread>) -> Changes {
        let topic = self.naming.transformed(copy.source.as_str());
        let provenance = self.clusters.clone();
        let provenance = provenance.map(|(source_cluster, destination_cluster, rules)| Origin {
            source_cluster,
            destination_cluster,
            source: copy.source.clone(),
            partition,
            destination: copy.destination.clone(),
            rules,
        });
        Changes {
            steps: topic.map(|topic| topic.records).unwrap_or_default(),
            provenance,
            spread,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(copies: &[(&str, i32)]) -> Round {
        let copies = copies.iter().map(|(name, partitions)| Copy {
            source: (*name).into(),
            source_id: Default::default(),
            destination: (*name).into(),
            destination_id: Default::default(),
            partitions: *partitions,
            spread: None,
        });
        Round {
            copies: copies.collect(),
            ..Round::default()
        }
    }

    #[test]
    fn latest_holds_for_what_was_there_at_first_and_nothing_else() {
        let first = BTreeMap::from([
            ("old".into(), 2),
            ("late-copy".into(), 1),
            ("known".into(), 1),
        ]);
        let stored =
            StoredLink::from([(TopicPartition::new("known".into(), 0), Stored::default())]);
        let mut assigned = HashSet::new();
        let mut starts = |copies: &[(&str, i32)]| -> Vec<StartPosition> {
            let beginnings = Beginnings {
                start: Start {
                    everywhere: StartPosition::Latest,
                    ..Start::default()
                },
                ..Beginnings::default()
            };
            let changes = RecordChanges::default();
            assignments(
                &round(copies),
                &mut assigned,
                &stored,
                &first,
                &beginnings,
                &changes,
            )
            .into_iter()
            .map(|assignment| assignment.start)
            .collect()
        };
        let (earliest, latest) = (StartPosition::Earliest, StartPosition::Latest);
        assert_eq!(starts(&[("old", 2)]), [latest, latest]);
        // Created at the destination in the first round, and so copied from the second on.
        assert_eq!(starts(&[("late-copy", 1)]), [latest]);
        // Grown and created after the first look.
        assert_eq!(starts(&[("old", 3), ("new", 1)]), [earliest, earliest]);
        // Grown while the process was down.
        assert_eq!(starts(&[("known", 2)]), [earliest, earliest]);
    }

    #[test]
    fn a_partition_that_is_spread_keeps_the_number_of_parts_it_began_with() {
        let spread = |count| Round {
            copies: vec![Copy {
                spread: Some(count),
                ..round(&[("t", 1)]).copies[0].clone()
            }],
            ..Round::default()
        };
        let parts = |round: &Round, stored: &StoredLink| -> Vec<(i32, Spread, StartPosition)> {
            let (beginnings, changes) = (Beginnings::default(), RecordChanges::default());
            let first = BTreeMap::from([("t".into(), 1)]);
            let mut assigned = HashSet::new();
            assignments(round, &mut assigned, stored, &first, &beginnings, &changes)
                .into_iter()
                .filter_map(|assignment| {
                    let spread = assignment.changes.spread?;
                    Some((assignment.destination.partition, spread, assignment.start))
                })
                .collect()
        };
        let earliest = StartPosition::Earliest;
        let all = |of: i32, start| {
            (0..of)
                .map(|to| (to, Spread { of, to }, start))
                .collect::<Vec<_>>()
        };
        assert_eq!(parts(&spread(2), &StoredLink::new()), all(2, earliest));
        let mut known = Stored::default();
        known
            .spread
            .insert(Spread { of: 2, to: 0 }, Stored::default());
        let stored = StoredLink::from([(TopicPartition::new("t".into(), 0), known)]);
        assert_eq!(parts(&spread(5), &stored), all(2, earliest));
    }
}
