//! Keys that Kafka Connect gives every connector.

use crate::key::Group::{Compatibility, Link, Offsets, Produce};
use crate::key::Kind::{Boolean, Class, List, Number, OneOf, Text};
use crate::key::Treatment::{Ignored, IgnoredWarn, Implemented, NotYet};
use crate::key::{ConfigKey, key};
use crate::keys::{BYTE_ARRAYS, INT, LONG};

const TOPIC_CREATION: &str = "topics are created like those of the source";

/// Keys of every connector.
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
        Produce,
        "key.converter",
        Class,
        Some(BYTE_ARRAYS),
        Implemented,
        "has to pass bytes through",
    )
    .low(),
    key(
        Produce,
        "value.converter",
        Class,
        Some(BYTE_ARRAYS),
        Implemented,
        "has to pass bytes through",
    )
    .low(),
    key(
        Produce,
        "header.converter",
        Class,
        Some(BYTE_ARRAYS),
        Implemented,
        "has to pass bytes through",
    )
    .low(),
    key(
        Compatibility,
        "key.converter.*",
        Text,
        None,
        Ignored,
        "settings of a converter",
    )
    .low(),
    key(
        Compatibility,
        "value.converter.*",
        Text,
        None,
        Ignored,
        "settings of a converter",
    )
    .low(),
    key(
        Compatibility,
        "header.converter.*",
        Text,
        None,
        Ignored,
        "settings of a converter",
    )
    .low(),
    key(
        Link,
        "transforms",
        List,
        Some(""),
        Implemented,
        "changes to records and topics' names: RegexRouter, TimestampRouter, Filter, InsertHeader, DropHeaders",
    )
    .low(),
    key(
        Link,
        "transforms.*",
        Text,
        None,
        Implemented,
        "settings of a transform: type, predicate, negate, and its own",
    )
    .low(),
    key(
        Link,
        "predicates",
        List,
        Some(""),
        Implemented,
        "conditions of transforms: TopicNameMatches, RecordIsTombstone, HasHeaderKey",
    )
    .low(),
    key(
        Link,
        "predicates.*",
        Text,
        None,
        Implemented,
        "settings of a predicate: type, and its own",
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
        Implemented,
        "longest pause between attempts, where retry.backoff.max.ms is unset",
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
        "topic.creation.groups",
        List,
        Some(""),
        IgnoredWarn(TOPIC_CREATION),
        "groups of created topics",
    )
    .low(),
    key(
        Compatibility,
        "topic.creation.*",
        Text,
        None,
        IgnoredWarn(TOPIC_CREATION),
        "creation of topics by Connect",
    )
    .low(),
    key(
        Link,
        "exactly.once.support",
        OneOf(&["requested", "required"]),
        Some("requested"),
        Implemented,
        "required: records and positions are written in transactions, and older writers are fenced; offsets are mapped then",
    ),
    key(
        Link,
        "transaction.boundary",
        OneOf(&["poll", "interval"]),
        Some("poll"),
        Implemented,
        "when transactions are committed: poll is after 100 ms",
    )
    .low(),
    key(
        Link,
        "transaction.boundary.interval.ms",
        Number(1, LONG),
        None,
        Implemented,
        "interval of commits; unset it is offset.flush.interval.ms; at most a third of transaction.timeout.ms is used",
    )
    .low(),
    key(
        Offsets,
        "offsets.storage.topic",
        Text,
        None,
        NotYet("the worker's offset.storage.topic is used"),
        "offsets topic of this link alone",
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
        "task.class",
        Text,
        None,
        Ignored,
        "internal to tasks",
    )
    .low(),
];
