//! What Confluent Replicator reads: topics, data, conversion.

use crate::key::Group::{Client, Compatibility, Fetch, Link, Source};
use crate::key::Kind::{Boolean, Class, List, Number, Text};
use crate::key::Treatment::{Ignored, Implemented};
use crate::key::{ConfigKey, key};
use crate::keys::{BYTE_ARRAYS, INT, SOURCE_ALIAS};

/// Keys of the source in Replicator's vocabulary.
pub(super) const KEYS: &[ConfigKey] = &[
    key(
        Client,
        SOURCE_ALIAS,
        Text,
        None,
        Implemented,
        "name of the source cluster, in metrics and in the control center; copies are called after it only with replication.policy.class",
    )
    .high(),
    key(
        Source,
        "topic.regex",
        Text,
        None,
        Implemented,
        "Java regular expression; topics whose whole name matches are copied",
    )
    .high(),
    key(
        Source,
        "topic.whitelist",
        List,
        Some(""),
        Implemented,
        "exact names of topics to copy, besides those of topic.regex",
    )
    .high(),
    key(
        Source,
        "topic.blacklist",
        List,
        Some(""),
        Implemented,
        "exact names of topics never to copy; wins over both",
    )
    .high(),
    key(
        Source,
        "topic.poll.interval.ms",
        Number(1, INT),
        Some("120000"),
        Implemented,
        "period of the scan for new topics and partitions",
    ),
    key(
        Source,
        "consumer.poll.timeout.interval.ms",
        Number(1, INT),
        Some("5000"),
        Ignored,
        "bound of one poll",
    )
    .low(),
    key(
        Fetch,
        "src.key.converter",
        Class,
        Some(BYTE_ARRAYS),
        Implemented,
        "has to pass bytes through",
    )
    .low(),
    key(
        Fetch,
        "src.value.converter",
        Class,
        Some(BYTE_ARRAYS),
        Implemented,
        "has to pass bytes through",
    )
    .low(),
    key(
        Fetch,
        "src.header.converter",
        Class,
        Some(BYTE_ARRAYS),
        Implemented,
        "has to pass bytes through",
    )
    .low(),
    key(
        Compatibility,
        "src.key.converter.*",
        Text,
        None,
        Ignored,
        "settings of a converter",
    )
    .low(),
    key(
        Compatibility,
        "src.value.converter.*",
        Text,
        None,
        Ignored,
        "settings of a converter",
    )
    .low(),
    key(
        Compatibility,
        "src.header.converter.*",
        Text,
        None,
        Ignored,
        "settings of a converter",
    )
    .low(),
    key(
        Link,
        "provenance.header.enable",
        Boolean,
        Some("false"),
        Implemented,
        "add a header that tells where a record came from, and skip records that came from the destination",
    ),
    key(
        Link,
        "provenance.header.filter.overrides",
        Text,
        Some(""),
        Implemented,
        "exceptions from that",
    )
    .low(),
    key(
        Compatibility,
        "partition.assignment",
        Text,
        None,
        Ignored,
        "internal to tasks",
    )
    .low(),
    key(
        Compatibility,
        "task.id",
        Text,
        None,
        Ignored,
        "internal to tasks",
    )
    .low(),
    key(
        Compatibility,
        "src.zookeeper.connect",
        Text,
        Some(""),
        Ignored,
        "removed in Kafka 4.0",
    )
    .low(),
    key(
        Compatibility,
        "src.zookeeper.connection.timeout.ms",
        Number(0, INT),
        Some("6000"),
        Ignored,
        "removed in Kafka 4.0",
    )
    .low(),
    key(
        Compatibility,
        "src.zookeeper.session.timeout.ms",
        Number(0, INT),
        Some("6000"),
        Ignored,
        "removed in Kafka 4.0",
    )
    .low(),
    key(
        Compatibility,
        "dest.zookeeper.connect",
        Text,
        Some(""),
        Ignored,
        "removed in Kafka 4.0",
    )
    .low(),
    key(
        Compatibility,
        "dest.zookeeper.connection.timeout.ms",
        Number(0, INT),
        Some("6000"),
        Ignored,
        "removed in Kafka 4.0",
    )
    .low(),
    key(
        Compatibility,
        "dest.zookeeper.session.timeout.ms",
        Number(0, INT),
        Some("6000"),
        Ignored,
        "removed in Kafka 4.0",
    )
    .low(),
];
