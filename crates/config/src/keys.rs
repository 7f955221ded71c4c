//! Every key that is known, by where it may stand.
//!
//! ```text
//! Replicator  own keys · src.kafka.<client> · src.consumer.<consumer> · dest.kafka.<client>
//!             producer.override.<producer> · consumer.override.… · admin.override.…
//! MirrorMaker own keys · source.cluster.<client> · source.consumer.… · target.producer.… · consumer.… · …
//! Tributary   those of both, except unprefixed clients
//! worker      own keys · <client> · producer.… · consumer.… · admin.…
//! ```
//!
//! A key that two products have with different defaults has a row in the table of each.

mod client;
mod connect;
mod consumer;
mod destination;
pub(crate) mod mirror;
mod offsets;
mod own;
mod producer;
mod rest;
mod sasl;
mod source;
mod suggest;
mod tls;
pub(crate) mod worker;

use std::sync::LazyLock;

use crate::key::{ConfigKey, Kind, Treatment};

pub(crate) use suggest::distance;
pub use suggest::{known_elsewhere, nearest};

/// What the source cluster is called, in every vocabulary: MirrorMaker 2's word for it.
pub const SOURCE_ALIAS: &str = "source.cluster.alias";
/// What the destination cluster is called.
pub const DESTINATION_ALIAS: &str = "target.cluster.alias";
/// Largest value of Java's `int`.
const INT: i64 = 2_147_483_647;
/// Largest value of Java's `short`.
const SHORT: i64 = 32_767;
/// Largest value of Java's `long`.
const LONG: i64 = i64::MAX;

const BYTE_ARRAYS: &str = "io.confluent.connect.replicator.util.ByteArrayConverter";

/// What a configuration is for, and so which vocabulary it uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// A link of Confluent Replicator's class.
    Replicator,
    /// A link of MirrorMaker 2's class, or a flow of its file.
    Mirror,
    /// A link of our own class, or of none.
    Own,
    /// The process.
    Worker,
    /// What is said about a whole file of MirrorMaker 2, once.
    MirrorFile,
    /// A Kafka client, without a prefix.
    Client,
}

type Tables = &'static [&'static [ConfigKey]];

/// Keys behind a prefix.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// What stands before each name; may be empty.
    pub prefix: &'static str,
    tables: Tables,
}

impl Family {
    const fn new(prefix: &'static str, tables: Tables) -> Self {
        Self { prefix, tables }
    }

    /// The rows, in the order of their tables.
    pub fn rows(&self) -> impl Iterator<Item = &'static ConfigKey> {
        self.tables.iter().flat_map(|table| table.iter())
    }
}

const CLIENT: Tables = &[client::COMMON, tls::KEYS, sasl::KEYS];
const CONSUMER: Tables = &[consumer::CONSUMER, client::COMMON, tls::KEYS, sasl::KEYS];
const PRODUCER: Tables = &[producer::PRODUCER, client::COMMON, tls::KEYS, sasl::KEYS];

const REPLICATOR_FAMILIES: &[Family] = &[
    Family::new(
        "",
        &[
            source::KEYS,
            destination::KEYS,
            offsets::KEYS,
            own::TOPICS,
            own::KEYS,
            connect::KEYS,
        ],
    ),
    Family::new("src.kafka.", CLIENT),
    Family::new("src.consumer.", CONSUMER),
    Family::new("dest.kafka.", CLIENT),
    Family::new("producer.override.", PRODUCER),
    Family::new("consumer.override.", CONSUMER),
    Family::new("admin.override.", CLIENT),
];

const MIRROR_FAMILIES: &[Family] = &[
    Family::new(
        "",
        &[
            mirror::KEYS,
            own::TOPICS,
            own::KEYS,
            connect::KEYS,
            tls::KEYS,
            sasl::KEYS,
        ],
    ),
    Family::new("source.cluster.", CLIENT),
    Family::new("target.cluster.", CLIENT),
    Family::new("source.consumer.", CONSUMER),
    Family::new("source.producer.", PRODUCER),
    Family::new("source.admin.", CLIENT),
    Family::new("target.consumer.", CONSUMER),
    Family::new("target.producer.", PRODUCER),
    Family::new("target.admin.", CLIENT),
    Family::new("producer.override.", PRODUCER),
    Family::new("consumer.override.", CONSUMER),
    Family::new("admin.override.", CLIENT),
    Family::new("consumer.", CONSUMER),
    Family::new("producer.", PRODUCER),
    Family::new("admin.", CLIENT),
];

/// Replicator's rows come first, so its defaults hold where both products have a key.
const OWN_FAMILIES: &[Family] = &[
    Family::new(
        "",
        &[
            source::KEYS,
            destination::KEYS,
            offsets::KEYS,
            own::TOPICS,
            own::KEYS,
            connect::KEYS,
            mirror::KEYS,
        ],
    ),
    Family::new("src.kafka.", CLIENT),
    Family::new("src.consumer.", CONSUMER),
    Family::new("dest.kafka.", CLIENT),
    Family::new("producer.override.", PRODUCER),
    Family::new("consumer.override.", CONSUMER),
    Family::new("admin.override.", CLIENT),
    Family::new("source.cluster.", CLIENT),
    Family::new("target.cluster.", CLIENT),
    Family::new("source.consumer.", CONSUMER),
    Family::new("source.producer.", PRODUCER),
    Family::new("source.admin.", CLIENT),
    Family::new("target.consumer.", CONSUMER),
    Family::new("target.producer.", PRODUCER),
    Family::new("target.admin.", CLIENT),
];

const WORKER_FAMILIES: &[Family] = &[
    Family::new(
        "",
        &[
            worker::KEYS,
            rest::KEYS,
            client::COMMON,
            tls::KEYS,
            sasl::KEYS,
        ],
    ),
    Family::new("producer.", PRODUCER),
    Family::new("consumer.", CONSUMER),
    Family::new("admin.", CLIENT),
];

const FILE_FAMILIES: &[Family] = &[Family::new("", &[mirror::FILE])];

const CLIENT_FAMILIES: &[Family] = &[Family::new(
    "",
    &[
        client::COMMON,
        consumer::CONSUMER,
        producer::PRODUCER,
        tls::KEYS,
        sasl::KEYS,
    ],
)];

/// A part of the reference.
pub(crate) struct Section {
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
    pub(crate) tables: Tables,
}

/// All tables, each once.
pub(crate) const SECTIONS: &[Section] = &[
    Section {
        title: "Every link",
        text: "Kafka Connect's keys of a connector.",
        tables: &[connect::KEYS],
    },
    Section {
        title: "Every link: Tributary's own",
        text: "What neither product has a name for, and settings of topics that hold in both vocabularies.",
        tables: &[own::TOPICS, own::KEYS],
    },
    Section {
        title: "Links in Replicator's vocabulary",
        text: "With `connector.class` of Replicator or of Tributary. Connections are behind `src.kafka.` and \
            `dest.kafka.`, data settings behind `src.consumer.` and `producer.override.`.",
        tables: &[source::KEYS, destination::KEYS, offsets::KEYS],
    },
    Section {
        title: "Links in MirrorMaker 2's vocabulary",
        text: "With `connector.class` of `MirrorSourceConnector` or of Tributary, and for flows of a file. Connections \
            are behind `source.cluster.` and `target.cluster.`, data settings behind `source.consumer.`, `consumer.`, \
            `producer.override.`, `target.producer.` and `producer.`, the stronger first. With Tributary's own class \
            Replicator's defaults hold where both products have a key.",
        tables: &[mirror::KEYS],
    },
    Section {
        title: "MirrorMaker 2's file",
        text: "For `tributary mirror-maker`. Other keys stand behind `ALIAS.` (a cluster's connection, and settings of \
            the workers that write to it), behind `A->B.` (a flow), or at the top, for all flows.",
        tables: &[mirror::FILE],
    },
    Section {
        title: "Workers",
        text: "Keys of a process, besides those of every client, which are its own cluster's. `producer.` in front of \
            a client's key makes it one of the connections that data is written by.",
        tables: &[worker::KEYS],
    },
    Section {
        title: "Workers: HTTP",
        text: "The listener of a process.",
        tables: &[rest::KEYS],
    },
    Section {
        title: "Every Kafka client",
        text: "Behind the prefixes above.",
        tables: &[client::COMMON],
    },
    Section {
        title: "Every Kafka client: TLS",
        text: "Behind the prefixes above.",
        tables: &[tls::KEYS],
    },
    Section {
        title: "Every Kafka client: SASL",
        text: "Behind the prefixes above.",
        tables: &[sasl::KEYS],
    },
    Section {
        title: "Consumers",
        text: "Behind the prefixes of source clients.",
        tables: &[consumer::CONSUMER],
    },
    Section {
        title: "Producers",
        text: "Behind the prefixes of destination clients.",
        tables: &[producer::PRODUCER],
    },
];

impl Scope {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Replicator,
        Self::Mirror,
        Self::Own,
        Self::Worker,
        Self::MirrorFile,
        Self::Client,
    ];

    /// What may stand in this scope, by prefix.
    #[must_use]
    pub fn families(self) -> &'static [Family] {
        match self {
            Self::Replicator => REPLICATOR_FAMILIES,
            Self::Mirror => MIRROR_FAMILIES,
            Self::Own => OWN_FAMILIES,
            Self::Worker => WORKER_FAMILIES,
            Self::MirrorFile => FILE_FAMILIES,
            Self::Client => CLIENT_FAMILIES,
        }
    }

    /// The row of a key, if it is known in this scope.
    #[must_use]
    pub fn find(self, name: &str) -> Option<&'static ConfigKey> {
        self.families().iter().find_map(|family| {
            let rest = name.strip_prefix(family.prefix)?;
            family.rows().find(|key| key.covers(rest))
        })
    }

    /// Full names of all keys, those of families by their prefix and `*`.
    pub fn names(self) -> impl Iterator<Item = String> {
        self.families().iter().flat_map(|family| {
            family
                .rows()
                .map(|key| format!("{}{}", family.prefix, key.name))
        })
    }

    /// Older names of a key.
    pub fn aliases(self, name: &str) -> impl Iterator<Item = &'static str> {
        self.families()
            .iter()
            .flat_map(Family::rows)
            .filter(move |row| matches!(row.treatment, Treatment::Mapped(to) if to == name))
            .map(|row| row.name)
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Replicator => "a Replicator connector",
            Self::Mirror => "a MirrorMaker 2 connector or flow",
            Self::Own => "a link",
            Self::Worker => "a worker",
            Self::MirrorFile => "the top of a MirrorMaker 2 file",
            Self::Client => "a Kafka client",
        })
    }
}

/// Whether a key is known anywhere.
pub(crate) fn is_known(name: &str) -> bool {
    Scope::ALL.iter().any(|scope| scope.find(name).is_some())
}

/// Whether a key is one whose value is never shown, behind whatever prefix.
pub(crate) fn is_password(name: &str) -> bool {
    PASSWORDS.iter().any(|password| {
        let begin = name.strip_suffix(password);
        begin.is_some_and(|begin| begin.is_empty() || begin.ends_with('.'))
    })
}

/// Names of all of them. This is asked for every key of every configuration that is shown.
static PASSWORDS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let tables = SECTIONS.iter().flat_map(|section| section.tables);
    let rows = tables.flat_map(|table| table.iter());
    let passwords = rows.filter(|row| row.kind == Kind::Password);
    passwords.map(|row| row.name).collect()
});

/// The row of a key of TLS or SASL, by its name without a prefix.
pub(crate) fn security_row(name: &str) -> Option<&'static ConfigKey> {
    let mut rows = tls::KEYS.iter().chain(sasl::KEYS);
    rows.find(|row| row.covers(name))
}

/// Whether a key without its prefix is one of TLS or SASL.
pub(crate) fn is_security(name: &str) -> bool {
    name == "security.protocol" || name.starts_with("ssl.") || name.starts_with("sasl.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_row_is_hidden_by_another_one() {
        for scope in Scope::ALL {
            for family in scope.families() {
                for row in family.rows() {
                    let name = format!("{}{}", family.prefix, row.name.replace('*', "any"));
                    let found = scope.find(&name).expect("it is in the table");
                    // Some names have several meanings: a worker's own keys come before those of clients, and
                    // Replicator's rows before MirrorMaker 2's, on purpose.
                    let shared = family.prefix.is_empty()
                        && [Scope::Worker, Scope::Client, Scope::Own].contains(&scope);
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
        for scope in Scope::ALL {
            for family in scope.families() {
                for row in family.rows() {
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
                nearest(Scope::Replicator, unknown).as_deref(),
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
