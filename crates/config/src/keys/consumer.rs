//! Keys of Kafka consumers besides those that every client has.

use crate::key::Group::{Compatibility, Fetch};
use crate::key::Kind::{Boolean, ClassOf, List, Number, OneOf, Text};
use crate::key::Treatment::{Ignored, Implemented, NotYet};
use crate::key::{ConfigKey, key};
use crate::keys::INT;

const SERIALIZERS: &[&str] = &["org.apache.kafka.common.serialization.ByteArrayDeserializer"];

/// Further keys of consumers.
pub(super) const CONSUMER: &[ConfigKey] = &[
    key(
        Fetch,
        "group.id",
        Text,
        None,
        NotYet("nothing is committed on the source"),
        "group that holds the link's offsets on the source",
    ),
    key(
        Fetch,
        "fetch.max.wait.ms",
        Number(0, INT),
        Some("500"),
        Implemented,
        "a broker answers after this time at the latest",
    ),
    key(
        Fetch,
        "fetch.min.bytes",
        Number(1, INT),
        Some("1"),
        Implemented,
        "a broker answers as soon as it has so much",
    ),
    key(
        Fetch,
        "fetch.max.bytes",
        Number(1, INT),
        Some("52428800"),
        Implemented,
        "bound of one answer; a larger first batch is still sent",
    ),
    key(
        Fetch,
        "max.partition.fetch.bytes",
        Number(1, INT),
        Some("1048576"),
        Implemented,
        "bound per partition; a larger first batch is still sent",
    ),
    key(
        Fetch,
        "check.crcs",
        Boolean,
        Some("true"),
        Implemented,
        "verify batches on arrival too, where it is set; unset they are not, because the destination verifies them in any case",
    ),
    key(
        Fetch,
        "isolation.level",
        OneOf(&["read_committed", "read_uncommitted"]),
        Some("read_committed"),
        Implemented,
        "copies are always read committed",
    ),
    key(
        Fetch,
        "auto.offset.reset",
        Text,
        Some("earliest"),
        Implemented,
        "where partitions without a position begin; tributary.start wins",
    ),
    key(
        Fetch,
        "enable.auto.commit",
        OneOf(&["false", "true"]),
        Some("false"),
        Implemented,
        "always false",
    )
    .low(),
    key(
        Fetch,
        "allow.auto.create.topics",
        OneOf(&["false", "true"]),
        Some("false"),
        Implemented,
        "always false",
    )
    .low(),
    key(
        Compatibility,
        "max.poll.records",
        Number(1, INT),
        Some("500"),
        Ignored,
        "records of one poll",
    )
    .low(),
    key(
        Compatibility,
        "max.poll.interval.ms",
        Number(1, INT),
        Some("300000"),
        Ignored,
        "time between polls",
    )
    .low(),
    key(
        Compatibility,
        "session.timeout.ms",
        Number(1, INT),
        None,
        Ignored,
        "there is no consumer group",
    )
    .low(),
    key(
        Compatibility,
        "heartbeat.interval.ms",
        Number(1, INT),
        None,
        Ignored,
        "there is no consumer group",
    )
    .low(),
    key(
        Compatibility,
        "partition.assignment.strategy",
        List,
        None,
        Ignored,
        "there is no consumer group",
    )
    .low(),
    key(
        Compatibility,
        "group.instance.id",
        Text,
        None,
        Ignored,
        "there is no consumer group",
    )
    .low(),
    key(
        Compatibility,
        "group.protocol",
        Text,
        None,
        Ignored,
        "there is no consumer group",
    )
    .low(),
    key(
        Compatibility,
        "group.remote.assignor",
        Text,
        None,
        Ignored,
        "there is no consumer group",
    )
    .low(),
    key(
        Compatibility,
        "auto.commit.interval.ms",
        Number(0, INT),
        None,
        Ignored,
        "there is no automatic commit",
    )
    .low(),
    key(
        Compatibility,
        "exclude.internal.topics",
        Boolean,
        None,
        Ignored,
        "internal topics are never copied",
    )
    .low(),
    key(
        Compatibility,
        "key.deserializer",
        ClassOf(SERIALIZERS, "leave it out: bytes pass through"),
        None,
        Ignored,
        "bytes pass through",
    )
    .low(),
    key(
        Compatibility,
        "value.deserializer",
        ClassOf(SERIALIZERS, "leave it out: bytes pass through"),
        None,
        Ignored,
        "bytes pass through",
    )
    .low(),
];
