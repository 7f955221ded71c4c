//! What becomes of offsets is said for each partition while there are few, and in a line for all where there are many.

use std::collections::BTreeMap;

use kafka_wire::types::TopicPartition;

/// Partitions that are named one by one.
const NAMED: usize = 8;

/// What was found out since it was said last.
#[derive(Debug, Default)]
pub(super) struct Said {
    preserved: Vec<(TopicPartition, String)>,
    mapped: Vec<(TopicPartition, String)>,
}

impl Said {
    pub(super) fn preserved(&mut self, partition: &TopicPartition, reason: &str) {
        tracing::debug!(%partition, "offsets are preserved: {reason}");
        self.preserved.push((partition.clone(), reason.to_owned()));
    }

    pub(super) fn mapped(&mut self, partition: &TopicPartition, reason: &str) {
        tracing::debug!(%partition, "offsets are mapped: {reason}");
        self.mapped.push((partition.clone(), reason.to_owned()));
    }

    /// Says it.
    pub(super) fn say(&mut self) {
        for (what, found) in [
            ("preserved", std::mem::take(&mut self.preserved)),
            ("mapped", std::mem::take(&mut self.mapped)),
        ] {
            if found.len() <= NAMED {
                for (partition, reason) in found {
                    tracing::info!(%partition, "offsets are {what}: {reason}");
                }
                continue;
            }
            for line in lines(what, found) {
                tracing::info!("{line}");
            }
        }
    }
}

/// A line for each kind of reason: reasons that differ only in their numbers are of one kind.
fn lines(what: &str, found: Vec<(TopicPartition, String)>) -> Vec<String> {
    let mut kinds: BTreeMap<String, (usize, TopicPartition, String)> = BTreeMap::new();
    for (partition, reason) in found {
        let kind: String = reason.chars().filter(|c| !c.is_ascii_digit()).collect();
        let (count, ..) = kinds.entry(kind).or_insert((0, partition, reason));
        *count += 1;
    }
    let line = |(count, partition, reason): (usize, TopicPartition, String)| {
        format!("offsets are {what} in {count} partitions, for instance in {partition}: {reason}")
    };
    kinds.into_values().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_partitions_are_said_in_a_line_for_each_kind_of_reason() {
        let partition = |number| TopicPartition::new("t".into(), number);
        let found = (0..100).map(|number| {
            let reason = match number % 10 {
                0 => "the topic is merged".to_owned(),
                _ => format!("the copy goes on at offset {number}"),
            };
            (partition(number), reason)
        });
        assert_eq!(
            lines("preserved", found.collect()),
            [
                "offsets are preserved in 90 partitions, for instance in t-1: the copy goes on at offset 1",
                "offsets are preserved in 10 partitions, for instance in t-0: the topic is merged",
            ]
        );
    }
}
