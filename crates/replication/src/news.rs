//! What happens to many partitions at once, as when a cluster is away, is said in a line for each kind of it: ten thousand lines
//! hide what they say.

use std::collections::BTreeMap;

use kafka_wire::types::TopicPartition;

/// Partitions that are named one by one.
const NAMED: usize = 8;

/// Says what was found of each partition: one by one where there are few, else once for each kind, with the number of further
/// partitions of that kind. Texts that differ only in their numbers are of one kind.
pub(crate) fn tell(
    found: Vec<(TopicPartition, String)>,
    mut say: impl FnMut(&TopicPartition, &str, usize),
) {
    if found.len() <= NAMED {
        for (partition, text) in &found {
            say(partition, text, 0);
        }
        return;
    }
    let mut kinds: BTreeMap<String, (usize, TopicPartition, String)> = BTreeMap::new();
    for (partition, text) in found {
        let kind: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
        let known = kinds.entry(kind).and_modify(|(more, ..)| *more += 1);
        known.or_insert((0, partition, text));
    }
    for (more, partition, text) in kinds.into_values() {
        say(&partition, &text, more);
    }
}

/// What follows a text that holds for so many more partitions; nothing for none.
pub(crate) fn and_more(more: usize) -> String {
    match more {
        0 => String::new(),
        1 => "; the same for one more partition".to_owned(),
        _ => format!("; the same for {more} more partitions"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_partitions_are_said_in_a_line_for_each_kind() {
        let partition = |number| TopicPartition::new("t".into(), number);
        let found = |count: i32| {
            let texts = (0..count).map(|number| {
                let text = match number % 10 {
                    0 => "the topic is merged".to_owned(),
                    _ => format!("the copy goes on at offset {number}"),
                };
                (partition(number), text)
            });
            texts.collect::<Vec<_>>()
        };
        let lines = |count| {
            let mut lines = Vec::new();
            tell(found(count), |partition, text, more| {
                lines.push(format!("{partition}: {text}{}", and_more(more)));
            });
            lines
        };
        assert_eq!(
            lines(100),
            [
                "t-1: the copy goes on at offset 1; the same for 89 more partitions",
                "t-0: the topic is merged; the same for 9 more partitions",
            ]
        );
        assert_eq!(
            lines(2),
            [
                "t-0: the topic is merged",
                "t-1: the copy goes on at offset 1"
            ]
        );
    }
}
