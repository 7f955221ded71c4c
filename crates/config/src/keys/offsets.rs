//! Positions of a link, and offsets of consumer groups, in Replicator's vocabulary.

use crate::key::Group::Offsets;
use crate::key::Kind::{Boolean, List, Number, OneOf, Text};
use crate::key::Treatment::{Ignored, IgnoredWarn, Implemented, NotYet};
use crate::key::{ConfigKey, key};
use crate::keys::{INT, LONG, SHORT};

const NO_COMMIT: &str =
    "nothing is committed on the source; positions are kept at the destination or in a file";
const NO_TIMESTAMPS: &str = "the layout of __consumer_timestamps is not confirmed";
const NO_TRANSLATION: &str = "offsets of consumer groups are not translated";

/// Keys of positions and groups.
pub(super) const KEYS: &[ConfigKey] = &[
    key(
        Offsets,
        "offset.start",
        OneOf(&["connect", "consumer"]),
        Some("connect"),
        Implemented,
        "where partitions without a position begin if src.consumer.group.id has committed offsets there: at those; both choices mean the same, as a position of the link's own always comes first",
    ),
    key(
        Offsets,
        "offset.topic.commit",
        Boolean,
        Some("true"),
        NotYet(NO_COMMIT),
        "commit the link's own group on the source",
    ),
    key(
        Offsets,
        "offset.topic.commit.batch.period.ms",
        Number(-1, INT),
        Some("60000"),
        NotYet(NO_COMMIT),
        "period of those commits",
    )
    .low(),
    key(
        Offsets,
        "offset.timestamps.commit",
        Boolean,
        Some("true"),
        IgnoredWarn(NO_TIMESTAMPS),
        "also write the link's own group to __consumer_timestamps",
    )
    .low(),
    key(
        Offsets,
        "offset.translator.tasks.max",
        Number(-1, INT),
        Some("-1"),
        Ignored,
        "tasks that translate",
    )
    .low(),
    key(
        Offsets,
        "offset.translator.tasks.separate",
        Boolean,
        Some("false"),
        Ignored,
        "translate in separate tasks",
    )
    .low(),
    key(
        Offsets,
        "offset.translator.batch.period.ms",
        Number(1, INT),
        Some("60000"),
        NotYet(NO_TRANSLATION),
        "period of translation",
    )
    .low(),
    key(
        Offsets,
        "offset.translator.batch.size",
        Number(1, INT),
        Some("2147483647"),
        Ignored,
        "bound of one translation",
    )
    .low(),
    key(
        Offsets,
        "fetch.offset.expiry.ms",
        Number(0, LONG),
        Some("600000"),
        NotYet(NO_TRANSLATION),
        "give up translating one offset after this time",
    )
    .low(),
    key(
        Offsets,
        "fetch.offset.retry.backoff.ms",
        Number(0, LONG),
        Some("100"),
        NotYet(NO_TRANSLATION),
        "pause between such attempts",
    )
    .low(),
    key(
        Offsets,
        "src.kafka.timestamps.topic.num.partitions",
        Number(1, INT),
        Some("50"),
        NotYet(NO_TIMESTAMPS),
        "partitions of __consumer_timestamps",
    )
    .low(),
    key(
        Offsets,
        "src.kafka.timestamps.topic.replication.factor",
        Number(1, SHORT),
        Some("3"),
        NotYet(NO_TIMESTAMPS),
        "its replicas",
    )
    .low(),
    key(
        Offsets,
        "src.kafka.timestamps.producer.*",
        Text,
        None,
        Ignored,
        "its producer",
    )
    .low(),
    key(
        Offsets,
        "timestamps.producer.topic.whitelist",
        List,
        None,
        Ignored,
        "topics whose commits are recorded",
    )
    .low(),
    key(
        Offsets,
        "timestamps.producer.topic.blacklist",
        List,
        Some(""),
        Ignored,
        "topics whose commits are not recorded",
    )
    .low(),
    key(
        Offsets,
        "timestamps.producer.topic.regex",
        Text,
        None,
        Ignored,
        "topics whose commits are recorded",
    )
    .low(),
    key(
        Offsets,
        "timestamps.producer.max.per.partition",
        Number(0, INT),
        Some("2147483647"),
        Ignored,
        "bound of records per partition",
    )
    .low(),
    key(
        Offsets,
        "timestamps.producer.*",
        Text,
        None,
        Ignored,
        "recording of commits",
    )
    .low(),
    key(
        Offsets,
        "timestamps.topic.*",
        Text,
        None,
        Ignored,
        "recording of commits",
    )
    .low(),
];
