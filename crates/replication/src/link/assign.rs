//! Which partitions are copied from now on, where each begins, and what is done to its records (pure).

use std::collections::{BTreeMap, HashMap, HashSet};

use config::link::{Start, StartPosition};
use config::naming::Naming;
use config::provenance::Provenance;
use kafka_wire::types::{TopicName, TopicPartition};

use super::LinkPart;
use crate::data_plane::{Assignment, Changes, Origin};
use crate::metadata_sync::{Copy, Replicated, Round};
use crate::position::Position;
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

/// What was found at the source at first, by this process and by the link at all.
#[derive(Clone, Copy, Debug)]
pub(super) struct FirstLooks<'a> {
    pub(super) here: &'a BTreeMap<TopicName, i32>,
    pub(super) ever: &'a BTreeMap<TopicName, i32>,
}

impl FirstLooks<'_> {
    /// Where a partition of a topic begins of which nothing is stored. What is said of a single topic holds where it was there
    /// when this process began: it may have been named only then.
    fn start(&self, start: &Start, topic: &TopicName, number: i32) -> Option<StartPosition> {
        let (looked, place) = match start.topics.get(topic.as_str()) {
            Some(place) => (self.here, *place),
            None => (self.ever, start.everywhere),
        };
        let there = looked.get(topic).copied().unwrap_or(0);
        (number < there).then_some(place)
    }
}

/// What is stored of a link, as far as one part of it needs that.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Of partitions that are copied here and are not assigned yet. What others copy is theirs: they store newer ones.
    own: StoredLink,
    /// Topics of which anything is stored, whoever copies it.
    topics: HashSet<TopicName>,
    /// What is copied here.
    part: LinkPart,
}

impl Known {
    /// What a part needs of all that is stored.
    pub(super) fn of(mut stored: StoredLink, part: &LinkPart) -> Self {
        let topics = stored.keys().map(|partition| partition.topic.clone());
        let mut topics: HashSet<TopicName> = topics.collect();
        // It had room for as many topics as there are partitions.
        topics.shrink_to_fit();
        stored.retain(|partition, _| part.has(partition));
        stored.shrink_to_fit();
        Self {
            own: stored,
            topics,
            part: part.clone(),
        }
    }

    /// Whether anything is stored, whoever copies it.
    pub(super) fn is_any(&self) -> bool {
        !self.topics.is_empty()
    }

    pub(super) fn own(&self) -> &StoredLink {
        &self.own
    }

    /// What is stored of a partition that is assigned now: from then on the data plane knows better.
    fn take(&mut self, partition: &TopicPartition) -> Stored {
        let known = self.own.remove(partition).unwrap_or_default();
        if self.own.is_empty() {
            self.own.shrink_to_fit();
        }
        known
    }
}

/// Partitions of the round that this part copies and that are not assigned yet. The configured start holds for what the first
/// look at the source found, in topics of which nothing is stored; whatever appears later, also while
/// the process was down, is copied from its first record.
pub(super) fn assignments(
    round: &Round,
    assigned: &mut HashSet<TopicPartition>,
    stored: &mut Known,
    first: FirstLooks<'_>,
    beginnings: &Beginnings,
    changes: &RecordChanges,
) -> Vec<Assignment> {
    let mut new = Vec::new();
    for copy in &round.copies {
        let fresh = !stored.topics.contains(&copy.source);
        for number in stored.part.numbers(&copy.source, copy.partitions) {
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
                    let place = || first.start(&beginnings.start, &copy.source, number);
                    fresh.then(place).flatten()
                })
                .unwrap_or(StartPosition::Earliest);
            let known = stored.take(&source);
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
    mut known: Stored,
    start: StartPosition,
    changes: &RecordChanges,
) -> Assignment {
    // Where another program, or an operator, says that it goes on.
    let start = match known.begin.filter(|_| known.position.is_none()) {
        Some(offset) => StartPosition::Offset(offset),
        None => start,
    };
    // Its records were spread before, and not only before they were copied whole: behind what all parts have.
    let behind = all_parts(&known)
        .filter(|behind| is_ahead(behind, known.position.as_ref()))
        .map(|behind| behind.offset.0);
    let start = match behind {
        Some(offset) => {
            tracing::warn!(
                partition = %source, offset,
                "its records were spread over other partitions before; from here on they keep their number"
            );
            known.position = None;
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
    let whole = known.position.as_ref();
    let mut moved = false;
    for to in 0..of {
        let spread = Spread { of, to };
        let mut known = known.spread.get(&spread).cloned().unwrap_or_default();
        // Copied whole before: all of what lies in front of that is there, for every part.
        let behind = whole.filter(|whole| is_ahead(whole, known.position.as_ref()));
        let start = match behind {
            Some(whole) => {
                moved = true;
                known.position = None;
                StartPosition::Offset(whole.offset.0)
            }
            None => start,
        };
        new.push(Assignment {
            destination: TopicPartition::new(copy.destination.clone(), to),
            changes: changes.of(copy, source.partition, Some(spread)),
            ..assignment(copy, source.clone(), known, start)
        });
    }
    if let Some(whole) = whole.filter(|_| moved) {
        tracing::warn!(
            partition = %source, offset = whole.offset.0,
            "its records kept their partition before; from here on they are spread"
        );
    }
}

/// The hindmost of the parts that a partition was spread over; nothing where one of them had not yet begun.
pub(super) fn all_parts(known: &Stored) -> Option<&Position> {
    let of = known.spread.keys().next()?.of;
    let parts = (0..of).map(|to| known.spread.get(&Spread { of, to })?.position.as_ref());
    let parts: Option<Vec<&Position>> = parts.collect();
    parts?.into_iter().min_by_key(|position| position.offset)
}

/// Whether a position of the other way to copy a partition was reached later than the one of this way: whoever goes back
/// to that way would copy again what was copied meanwhile.
fn is_ahead(other: &Position, own: Option<&Position>) -> bool {
    own.is_none_or(|own| own.topic_id == other.topic_id && own.offset < other.offset)
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

/// What positions tell about topics.
pub(super) fn replicated(stored: &StoredLink) -> BTreeMap<TopicName, Replicated> {
    let mut topics: BTreeMap<TopicName, Replicated> = BTreeMap::new();
    let parts = |known: &Stored| known.spread.values().cloned().collect::<Vec<_>>();
    let all = stored.iter().flat_map(|(partition, known)| {
        let parts = parts(known);
        std::iter::once(known.clone())
            .chain(parts)
            .map(move |known| (partition, known))
    });
    for (partition, known) in all {
        let (Some(destination), Some(position)) = (&known.destination, &known.position) else {
            continue;
        };
        let topic = topics
            .entry(partition.topic.clone())
            .or_insert_with(|| Replicated {
                destination: destination.clone(),
                source_id: position.topic_id.0,
                destination_id: position.destination_topic_id.0,
                partitions: 0,
            });
        topic.partitions = topic.partitions.max(partition.partition.saturating_add(1));
    }
    topics
}

#[cfg(test)]
mod tests {
    use kafka_wire::types::ProducerIdentity;

    use super::*;
    use crate::position::Placement;
    use crate::side::{Destination, Source};

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

    fn looks(first: &BTreeMap<TopicName, i32>) -> FirstLooks<'_> {
        FirstLooks {
            here: first,
            ever: first,
        }
    }

    #[test]
    fn what_appears_between_two_processes_of_a_link_is_later_unless_it_is_named() {
        let ever = BTreeMap::from([("old".into(), 1)]);
        let here = BTreeMap::from([("old".into(), 2), ("new".into(), 1), ("named".into(), 1)]);
        let first = FirstLooks {
            here: &here,
            ever: &ever,
        };
        let (earliest, latest) = (StartPosition::Earliest, StartPosition::Latest);
        let start = Start {
            everywhere: latest,
            topics: BTreeMap::from([("named".to_owned(), StartPosition::Time(5))]),
            ..Start::default()
        };
        let at = |topic: &str, number| {
            let place = first.start(&start, &topic.into(), number);
            place.unwrap_or(earliest)
        };
        assert_eq!((at("old", 0), at("old", 1)), (latest, earliest));
        assert_eq!(at("new", 0), earliest);
        assert_eq!(at("named", 0), StartPosition::Time(5));
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
        let mut stored = Known::of(stored, &LinkPart::Whole);
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
                &mut stored,
                looks(&first),
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
    fn a_part_keeps_nothing_of_what_others_copy_and_still_knows_their_topics() {
        let place = |topic: &str, number| TopicPartition::new(topic.into(), number);
        let stored = StoredLink::from([
            (place("t", 0), at(5)),
            (place("t", 1), at(7)),
            (place("other", 0), at(9)),
        ]);
        let share = BTreeMap::from([("t".to_owned(), vec![1]), ("other".to_owned(), vec![1])]);
        let part = LinkPart::partitions(3, &share);
        let mut stored = Known::of(stored, &part);
        assert_eq!(stored.own().keys().collect::<Vec<_>>(), [&place("t", 1)]);
        assert!(stored.topics.capacity() < 8, "room for its topics only");
        let mut assigned = HashSet::new();
        let beginnings = Beginnings {
            start: Start {
                everywhere: StartPosition::Latest,
                ..Start::default()
            },
            ..Beginnings::default()
        };
        let new = assignments(
            &round(&[("t", 2), ("other", 2), ("theirs", 2)]),
            &mut assigned,
            &mut stored,
            looks(&BTreeMap::from([("t".into(), 2), ("other".into(), 2)])),
            &beginnings,
            &RecordChanges::default(),
        );
        let places: Vec<_> = new
            .iter()
            .map(|one| (one.stored.as_ref().map(|at| at.offset.0), one.start))
            .collect();
        // A topic of which another task has copied something is not new to this one.
        let earliest = StartPosition::Earliest;
        assert_eq!(places, [(Some(7), earliest), (None, earliest)]);
        assert!(stored.own().is_empty(), "the data plane has it now");
        let own = HashSet::from([place("t", 1), place("other", 1)]);
        assert_eq!(assigned, own, "what others copy takes no memory here");
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
            assignments(
                round,
                &mut assigned,
                &mut Known::of(stored.clone(), &LinkPart::Whole),
                looks(&first),
                &beginnings,
                &changes,
            )
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

    /// What is stored of a way to copy a partition that stands there.
    fn at(offset: i64) -> Stored {
        let position = Position {
            offset: Source(offset),
            leader_epoch: 0,
            topic_id: Source(Default::default()),
            destination_topic_id: Destination(Default::default()),
            destination_end: Destination(0),
            producer: ProducerIdentity { id: 1, epoch: 0 },
            sequence: 0,
            placement: Placement::Mapped,
            transactional: false,
        };
        Stored {
            position: Some(position),
            ..Stored::default()
        }
    }

    /// Where each copy goes on by its own position, or begins.
    fn places(whole: Option<i64>, parts: [Option<i64>; 2], spread: bool) -> Vec<(bool, i64)> {
        let mut known = whole.map(at).unwrap_or_default();
        for (to, offset) in (0..).zip(parts) {
            let part = offset.map(|offset| (Spread { of: 2, to }, at(offset)));
            known.spread.extend(part);
        }
        let copies = round(&[("t", 1)]).copies.into_iter().map(|copy| Copy {
            spread: spread.then_some(2),
            ..copy
        });
        let round = Round {
            copies: copies.collect(),
            ..Round::default()
        };
        let stored = StoredLink::from([(TopicPartition::new("t".into(), 0), known)]);
        assignments(
            &round,
            &mut HashSet::new(),
            &mut Known::of(stored, &LinkPart::Whole),
            looks(&BTreeMap::new()),
            &Beginnings::default(),
            &RecordChanges::default(),
        )
        .into_iter()
        .map(|copy| match (copy.stored, copy.start) {
            (Some(position), _) => (true, position.offset.0),
            (None, StartPosition::Offset(offset)) => (false, offset),
            (None, _) => (false, -1),
        })
        .collect()
    }

    #[test]
    fn whoever_changes_between_spread_and_whole_goes_on_where_the_other_way_stood() {
        // Whole, then spread; the second time both have been stored, or only one part before a crash.
        assert_eq!(
            places(Some(5), [None, None], true),
            [(false, 5), (false, 5)]
        );
        assert_eq!(
            places(Some(5), [Some(7), None], true),
            [(true, 7), (false, 5)]
        );
        assert_eq!(
            places(Some(5), [Some(7), Some(8)], true),
            [(true, 7), (true, 8)]
        );
        // And back, and forth again.
        assert_eq!(places(Some(5), [Some(7), Some(8)], false), [(false, 7)]);
        assert_eq!(places(Some(20), [Some(7), Some(8)], false), [(true, 20)]);
        assert_eq!(
            places(Some(20), [Some(7), Some(30)], true),
            [(false, 20), (true, 30)]
        );
        // A part that had not begun has nothing of what the others have.
        assert_eq!(places(Some(5), [Some(7), None], false), [(true, 5)]);
        assert_eq!(places(None, [Some(7), None], false), [(false, -1)]);
        // Never copied whole.
        assert_eq!(
            places(None, [Some(7), Some(8)], true),
            [(true, 7), (true, 8)]
        );
        assert_eq!(places(None, [Some(7), Some(8)], false), [(false, 7)]);
    }
}
