//! The link itself, and what it reads: topics, data, conversion.

use crate::key::Group::{Compatibility, Fetch, Link, Source};
use crate::key::Kind::{Boolean, Class, List, Number, OneOf, Text};
use crate::key::Treatment::{Ignored, IgnoredWarn, Implemented, NotYet};
use crate::key::{ConfigKey, key};
use crate::keys::{INT, LONG};

const BYTE_ARRAYS: &str = "io.confluent.connect.replicator.util.ByteArrayConverter";

pub(super) const KEYS: &[ConfigKey] = &[
    key(
        Link,
        "name",
        Text,
        None,
        Implemented,
        "name of the link, unique within a worker",
    )
    .high(),
    key(
        Link,
        "connector.class",
        Class,
        None,
        Implemented,
        "which product's vocabulary the configuration uses",
    )
    .high(),
    key(
        Link,
        "tasks.max",
        Number(1, INT),
        Some("1"),
        Implemented,
        "upper bound of task units placed on workers; parallelism within a process does not depend on it",
    ),
    key(
        Link,
        "tasks.max.enforce",
        Boolean,
        Some("true"),
        Ignored,
        "deprecated in Connect",
    )
    .low(),
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
        "tributary.topic.whitelist.strict",
        Boolean,
        Some("false"),
        NotYet("a listed topic that is missing does not fail the link"),
        "a listed topic that is missing fails the link",
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
        Link,
        "tributary.start",
        Text,
        Some("earliest"),
        Implemented,
        "where partitions without a position begin: earliest, latest",
    ),
    key(
        Link,
        "tributary.on.gap",
        OneOf(&["stop", "continue"]),
        Some("stop"),
        Implemented,
        "when source records after the position can no longer be read",
    ),
    key(
        Link,
        "tributary.on.recreate",
        OneOf(&["stop", "restart"]),
        Some("stop"),
        Implemented,
        "when a topic was deleted and made again, on either side",
    ),
    key(
        Link,
        "tributary.on.refused",
        OneOf(&["stop", "quarantine", "skip"]),
        Some("stop"),
        Implemented,
        "when the destination cannot accept a record",
    ),
    key(
        Link,
        "tributary.quarantine.topic",
        Text,
        None,
        NotYet("nothing is quarantined"),
        "where quarantined records go",
    )
    .low(),
    key(
        Link,
        "tributary.offsets",
        OneOf(&["auto", "preserve", "map"]),
        Some("auto"),
        NotYet("offsets are mapped, and the map is recorded"),
        "placement of records at the destination",
    ),
    key(
        Link,
        "tributary.offsets.max.padding",
        Number(0, LONG),
        Some("1000000000"),
        NotYet("nothing is padded"),
        "most offsets to pad per partition",
    )
    .low(),
    key(
        Link,
        "tributary.timestamps",
        OneOf(&["producer", "appended"]),
        Some("producer"),
        Implemented,
        "which timestamps the copies carry",
    )
    .low(),
    key(
        Link,
        "tributary.batch.merge.below",
        Number(0, INT),
        Some("16384"),
        Implemented,
        "mean batch size below which lagging partitions are merged",
    )
    .low(),
    key(
        Link,
        "tributary.bandwidth.limit",
        Text,
        None,
        NotYet("bandwidth is not limited"),
        "bytes per second of the link",
    ),
    key(
        Link,
        "tributary.task.auto.restart",
        Boolean,
        Some("true"),
        Ignored,
        "failed work is retried with backoff",
    )
    .low(),
    key(
        Link,
        "tributary.health.lag.seconds",
        Number(0, INT),
        Some("60"),
        NotYet("health is not rated"),
        "lag from which a link counts as degraded",
    )
    .low(),
    key(
        Link,
        "tributary.health.stall.ms",
        Number(1, INT),
        Some("20000"),
        NotYet("health is not rated"),
        "standstill from which a partition counts as stalled",
    )
    .low(),
    key(
        Link,
        "provenance.header.enable",
        Boolean,
        Some("false"),
        NotYet("no header is added, and no record is skipped because of one"),
        "add a header that tells where a record came from, and skip records that came from the destination",
    ),
    key(
        Link,
        "provenance.header.filter.overrides",
        Text,
        Some(""),
        NotYet("no record is skipped because of a header"),
        "exceptions from that",
    )
    .low(),
    key(
        Link,
        "exactly.once.support",
        OneOf(&["requested", "required"]),
        Some("requested"),
        Implemented,
        "required is refused where it cannot be guaranteed",
    ),
    key(
        Link,
        "transaction.boundary",
        OneOf(&["poll", "interval", "connector"]),
        Some("poll"),
        NotYet("no transactions are used"),
        "when transactions are committed",
    )
    .low(),
    key(
        Link,
        "transaction.boundary.interval.ms",
        Number(1, LONG),
        None,
        NotYet("no transactions are used"),
        "interval of such commits",
    )
    .low(),
    key(
        Link,
        "errors.tolerance",
        OneOf(&["none", "all"]),
        Some("none"),
        Implemented,
        "all skips records the destination refuses",
    ),
    key(
        Link,
        "errors.retry.timeout",
        Number(-1, LONG),
        Some("0"),
        Ignored,
        "retriable errors are retried without limit",
    )
    .low(),
    key(
        Link,
        "errors.retry.delay.max.ms",
        Number(0, LONG),
        Some("60000"),
        NotYet("pauses are bounded by retry.backoff.max.ms"),
        "longest pause between attempts",
    )
    .low(),
    key(
        Link,
        "errors.log.enable",
        Boolean,
        Some("false"),
        Ignored,
        "failures are always logged",
    )
    .low(),
    key(
        Link,
        "errors.log.include.messages",
        Boolean,
        Some("false"),
        Ignored,
        "contents of records are never logged",
    )
    .low(),
    key(
        Compatibility,
        "errors.deadletterqueue.*",
        Text,
        None,
        IgnoredWarn("Connect has dead letters for sinks only"),
        "dead letters",
    )
    .low(),
    key(
        Compatibility,
        "config.action.reload",
        OneOf(&["restart", "none"]),
        Some("restart"),
        Ignored,
        "what happens when a secret expires",
    )
    .low(),
    key(
        Compatibility,
        "connector.plugin.version",
        Text,
        None,
        Ignored,
        "version of a plug-in",
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
        "task.class",
        Text,
        None,
        Ignored,
        "internal to tasks",
    )
    .low(),
    key(
        Compatibility,
        "src.zookeeper.*",
        Text,
        None,
        Ignored,
        "removed in Kafka 4.0",
    )
    .low(),
    key(
        Compatibility,
        "dest.zookeeper.*",
        Text,
        None,
        Ignored,
        "removed in Kafka 4.0",
    )
    .low(),
];
