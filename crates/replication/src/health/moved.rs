//! Which ends are other ones than when they were read, because copying has come further since (pure).
//!
//! What is at rest does not grow by this link, so its ends are read seldom; what moves is read at the next look.

use std::collections::{HashMap, HashSet};

use kafka_wire::types::TopicPartition;
use tokio::time::Instant;

use super::Reported;
use super::run::Side;

/// Partitions that were copied since they were asked for their ends.
#[derive(Debug, Default)]
pub(super) struct Moved {
    source: HashSet<TopicPartition>,
    destination: HashSet<TopicPartition>,
}

impl Moved {
    /// Its copying has come further.
    pub(super) fn note(&mut self, reported: &Reported) {
        for side in [Side::Source, Side::Destination] {
            self.is_unread(side, side.of(reported));
        }
    }

    /// A reading failed.
    pub(super) fn is_unread(&mut self, side: Side, partition: &TopicPartition) {
        self.side(side).insert(partition.clone());
    }

    /// Their leader is being asked.
    pub(super) fn are_asked(&mut self, side: Side, partitions: &[TopicPartition]) {
        let moved = self.side(side);
        if !moved.is_empty() {
            partitions.iter().for_each(|asked| drop(moved.take(asked)));
        }
    }

    pub(super) fn of(&self, side: Side) -> &HashSet<TopicPartition> {
        match side {
            Side::Source => &self.source,
            Side::Destination => &self.destination,
        }
    }

    fn side(&mut self, side: Side) -> &mut HashSet<TopicPartition> {
        match side {
            Side::Source => &mut self.source,
            Side::Destination => &mut self.destination,
        }
    }
}

/// Ends of logs, as of their newest readings.
#[derive(Debug, Default)]
pub(super) struct Ends(HashMap<TopicPartition, (Instant, i64)>);

impl Ends {
    /// Takes a reading, which counts from when it was asked for. Whether it is another end than before.
    pub(super) fn add(&mut self, partition: &TopicPartition, asked: Instant, end: i64) -> bool {
        match self.0.get_mut(partition) {
            // Two questions are under way, and the second was answered first.
            Some((read, _)) if asked < *read => false,
            Some(known) => {
                let before = std::mem::replace(known, (asked, end));
                before.1 != end
            }
            None => self.0.insert(partition.clone(), (asked, end)).is_none(),
        }
    }

    pub(super) fn of(&self, partition: &TopicPartition) -> Option<i64> {
        self.0.get(partition).map(|(_, end)| *end)
    }

    /// When the oldest of these was read; nothing where one never was.
    pub(super) fn oldest<'a>(
        &self,
        mut partitions: impl Iterator<Item = &'a TopicPartition>,
    ) -> Option<Instant> {
        partitions.try_fold(None, |oldest: Option<Instant>, partition| {
            let (read, _) = self.0.get(partition)?;
            Some(Some(oldest.map_or(*read, |oldest| oldest.min(*read))))
        })?
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Condition;
    use super::*;

    fn place(topic: &str) -> TopicPartition {
        TopicPartition::new(topic.into(), 0)
    }

    #[test]
    fn what_was_copied_is_asked_for_once_on_each_side_and_again_where_that_failed() {
        let mut moved = Moved::default();
        moved.note(&Reported {
            source: place("t"),
            destination: place("copy"),
            condition: Condition::Active,
            progress: Some(1),
            copied: (1, 1),
            oldest_ms: None,
            turn: None,
        });
        assert!(moved.of(Side::Source).contains(&place("t")));
        assert!(moved.of(Side::Destination).contains(&place("copy")));
        moved.are_asked(Side::Destination, &[place("copy"), place("other")]);
        assert!(moved.of(Side::Destination).is_empty());
        assert_eq!(moved.of(Side::Source).len(), 1);
        moved.is_unread(Side::Destination, &place("copy"));
        assert_eq!(moved.of(Side::Destination).len(), 1);
    }

    #[test]
    fn an_end_is_that_of_the_newest_question() {
        let (mut ends, first) = (Ends::default(), Instant::now());
        let second = first + Duration::from_secs(2);
        assert!(ends.add(&place("t"), second, 20));
        assert!(!ends.add(&place("t"), first, 10));
        assert!(!ends.add(&place("t"), second, 20));
        assert_eq!(ends.of(&place("t")), Some(20));
        assert_eq!(ends.of(&place("u")), None);
        assert!(ends.add(&place("u"), first, 1));
        let (t, u, never) = (place("t"), place("u"), place("v"));
        assert_eq!(ends.oldest([&t].into_iter()), Some(second));
        assert_eq!(ends.oldest([&t, &u].into_iter()), Some(first));
        assert_eq!(ends.oldest([&t, &never].into_iter()), None);
        assert_eq!(ends.oldest(std::iter::empty()), None);
    }
}
