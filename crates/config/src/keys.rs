//! Every key that is known, by where it may stand.
//!
//! ```text
//! link     own keys · src.kafka.<client> · src.consumer.<client or consumer> · dest.kafka.<client>
//!          producer.override.<client or producer> · consumer.override.… · admin.override.…
//! worker   own keys · <client> · producer.… · consumer.… · admin.…
//! ```

mod client;
mod consumer;
mod destination;
mod offsets;
mod producer;
pub(crate) mod security;
mod source;
pub(crate) mod worker;

use crate::key::ConfigKey;

/// Largest value of Java's `int`.
const INT: i64 = 2_147_483_647;
/// Largest value of Java's `short`.
const SHORT: i64 = 32_767;
/// Largest value of Java's `long`.
const LONG: i64 = i64::MAX;

/// What a configuration is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// A link (a connector, in Connect's words).
    Link,
    /// The process.
    Worker,
}

type Tables = &'static [&'static [ConfigKey]];

/// Keys behind a prefix.
struct Family {
    prefix: &'static str,
    tables: Tables,
}

const CLIENT: Tables = &[client::COMMON, security::KEYS];
const CONSUMER: Tables = &[consumer::CONSUMER, client::COMMON, security::KEYS];
const PRODUCER: Tables = &[producer::PRODUCER, client::COMMON, security::KEYS];

const LINK_FAMILIES: &[Family] = &[
    Family {
        prefix: "",
        tables: &[source::KEYS, destination::KEYS, offsets::KEYS],
    },
    Family {
        prefix: "src.kafka.",
        tables: CLIENT,
    },
    Family {
        prefix: "src.consumer.",
        tables: CONSUMER,
    },
    Family {
        prefix: "dest.kafka.",
        tables: CLIENT,
    },
    Family {
        prefix: "producer.override.",
        tables: PRODUCER,
    },
    Family {
        prefix: "consumer.override.",
        tables: CONSUMER,
    },
    Family {
        prefix: "admin.override.",
        tables: CLIENT,
    },
];

const WORKER_FAMILIES: &[Family] = &[
    Family {
        prefix: "",
        tables: &[worker::KEYS, client::COMMON, security::KEYS],
    },
    Family {
        prefix: "producer.",
        tables: PRODUCER,
    },
    Family {
        prefix: "consumer.",
        tables: CONSUMER,
    },
    Family {
        prefix: "admin.",
        tables: CLIENT,
    },
];

impl Scope {
    fn families(self) -> &'static [Family] {
        match self {
            Self::Link => LINK_FAMILIES,
            Self::Worker => WORKER_FAMILIES,
        }
    }

    /// The row of a key, if it is known in this scope.
    #[must_use]
    pub fn find(self, name: &str) -> Option<&'static ConfigKey> {
        self.families().iter().find_map(|family| {
            let rest = name.strip_prefix(family.prefix)?;
            family
                .tables
                .iter()
                .flat_map(|table| table.iter())
                .find(|key| key.covers(rest))
        })
    }

    /// Full names of all keys, those of families by their prefix and `*`.
    pub fn names(self) -> impl Iterator<Item = String> {
        self.families().iter().flat_map(|family| {
            let rows = family.tables.iter().flat_map(|table| table.iter());
            rows.map(|key| format!("{}{}", family.prefix, key.name))
        })
    }
}

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

/// The known key that probably was meant by an unknown one.
#[must_use]
pub fn nearest(scope: Scope, unknown: &str) -> Option<String> {
    if let Some((_, right)) = MISTAKES.iter().find(|(wrong, _)| *wrong == unknown) {
        return Some((*right).to_owned());
    }
    if scope == Scope::Link
        && let Some(rest) = unknown
            .strip_prefix("producer.")
            .filter(|rest| !rest.starts_with("override."))
    {
        return Some(format!("producer.override.{rest}"));
    }
    let lower = unknown.to_ascii_lowercase();
    let words = sorted_words(&lower);
    let names: Vec<String> = scope.names().filter(|name| !name.ends_with('*')).collect();
    let by_distance = names
        .iter()
        .map(|name| (distance(&lower, name), name))
        .filter(|(distance, _)| *distance <= 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name);
    by_distance
        .or_else(|| names.iter().find(|name| sorted_words(name) == words))
        .or_else(|| {
            let tail = last_two_words(&lower)?;
            names.iter().find(|name| last_two_words(name) == Some(tail))
        })
        .cloned()
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
fn distance(one: &str, other: &str) -> usize {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_hidden_by_another_one() {
        for scope in [Scope::Link, Scope::Worker] {
            for family in scope.families() {
                for row in family.tables.iter().flat_map(|table| table.iter()) {
                    let name = format!("{}{}", family.prefix, row.name.replace('*', "any"));
                    let found = scope.find(&name).expect("it is in the table");
                    // The worker's own keys come before those of clients on purpose.
                    let shared = family.prefix.is_empty() && scope == Scope::Worker;
                    assert!(
                        found.name == row.name || shared,
                        "{name} is found as {}",
                        found.name
                    );
                }
            }
        }
    }

    #[test]
    fn defaults_are_legal_values() {
        for scope in [Scope::Link, Scope::Worker] {
            for family in scope.families() {
                for row in family.tables.iter().flat_map(|table| table.iter()) {
                    if let Some(default) = row.default {
                        assert_eq!(row.check(default), Ok(()), "{}", row.name);
                    }
                    assert!(
                        !row.doc.is_empty() && !row.doc.ends_with('.'),
                        "{}",
                        row.name
                    );
                }
            }
        }
    }

    #[test]
    fn mistyped_keys_lead_to_known_ones() {
        let cases = [
            ("topic.whitelst", Some("topic.whitelist")),
            ("Topic.Regex", Some("topic.regex")),
            ("interval.poll.topic.ms", Some("topic.poll.interval.ms")),
            (
                "kafka.bootstrap.servers",
                Some("src.kafka.bootstrap.servers"),
            ),
            ("source.rename.format", Some("topic.rename.format")),
            (
                "producer.max.request.size",
                Some("producer.override.max.request.size"),
            ),
            ("topic.preserve.config", Some("topic.config.sync")),
            ("src.kafka.group.id", Some("src.consumer.group.id")),
            ("something.else", None),
        ];
        for (unknown, expected) in cases {
            assert_eq!(
                nearest(Scope::Link, unknown).as_deref(),
                expected,
                "{unknown}"
            );
        }
        assert_eq!(
            nearest(Scope::Worker, "offset.storage.file.filnames").as_deref(),
            Some("offset.storage.file.filename")
        );
    }
}
