//! The known key that was probably meant by an unknown one.

use crate::keys::Scope;

/// Wrong keys that are seen in the wild, and the right ones.
const MISTAKES: &[(&str, &str)] = &[
    ("topic.preserve.config", "topic.config.sync"),
    (
        "confluent.license.replication.factor",
        "confluent.topic.replication.factor",
    ),
    ("src.kafka.group.id", "src.consumer.group.id"),
    ("src.kafka.consumer.group.id", "src.consumer.group.id"),
    ("topics.include", "topics"),
    ("sync.topic.config.enabled", "sync.topic.configs.enabled"),
];

/// Prefixes that are seen in the wild where others are meant.
const MOVED: &[(&[Scope], &str, &str)] = &[
    (
        &[Scope::Replicator, Scope::Own],
        "producer.",
        "producer.override.",
    ),
    (
        &[Scope::Mirror, Scope::Own],
        "source.cluster.consumer.",
        "source.consumer.",
    ),
    (
        &[Scope::Mirror, Scope::Own],
        "target.cluster.producer.",
        "producer.override.",
    ),
];

/// The known key that probably was meant by an unknown one.
#[must_use]
pub fn nearest(scope: Scope, unknown: &str) -> Option<String> {
    if let Some((_, right)) = MISTAKES.iter().find(|(wrong, _)| *wrong == unknown) {
        return Some((*right).to_owned());
    }
    let moved = MOVED.iter().filter(|(scopes, ..)| scopes.contains(&scope));
    for (_, wrong, right) in moved {
        let known = unknown
            .strip_prefix(wrong)
            .map(|rest| format!("{right}{rest}"))
            .filter(|name| scope.find(name).is_some());
        if known.is_some() {
            return known;
        }
    }
    let lower = unknown.to_ascii_lowercase();
    let words = sorted_words(&lower);
    let names: Vec<String> = scope.names().filter(|name| !name.ends_with('*')).collect();
    let by_distance = names
        .iter()
        // No need to look closer where the lengths say enough.
        .filter(|name| name.len().abs_diff(lower.len()) <= 3)
        .map(|name| (distance(&lower, name), name))
        .filter(|(distance, _)| *distance <= 3 && distance * 2 <= lower.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name);
    by_distance
        .or_else(|| names.iter().find(|name| sorted_words(name) == words))
        .or_else(|| {
            let tail = last_two_words(&lower)?;
            let alike = names
                .iter()
                .filter(|name| last_two_words(name) == Some(tail));
            alike.min_by_key(|name| distance(&lower, name))
        })
        .cloned()
}

/// Where else a key of this name is known.
#[must_use]
pub fn known_elsewhere(scope: Scope, name: &str) -> Option<Scope> {
    [Scope::Worker, Scope::Replicator, Scope::Mirror]
        .into_iter()
        .find(|other| *other != scope && other.find(name).is_some())
}

fn sorted_words(name: &str) -> Vec<&str> {
    let mut words: Vec<&str> = name.split('.').collect();
    words.sort_unstable();
    words
}

fn last_two_words(name: &str) -> Option<&str> {
    let mut dots = name.rmatch_indices('.').map(|(at, _)| at);
    dots.next()?;
    Some(&name[dots.next()? + 1..])
}

/// How many characters have to be inserted, removed or replaced.
pub(crate) fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}
