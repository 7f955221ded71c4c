//! Keys for which neither product has a name, and those of topics that every link takes.

use crate::key::Group::{Destination, Link, Metadata, Source};
use crate::key::Kind::{Boolean, List, Number, OneOf, Text};
use crate::key::Treatment::{Implemented, Mapped};
use crate::key::{ConfigKey, key};
use crate::keys::{INT, LONG};

/// Settings and permissions of topics.
pub(super) const TOPICS: &[ConfigKey] = &[
    key( Destination, "config.properties.exclude", List, None, Implemented, "names or patterns of topic settings that are not copied", ),
    key(Destination, "config.properties.blacklist", List, None, Mapped("config.properties.exclude"), "older name of config.properties.exclude").low(),
    key(Destination, "use.defaults.from", OneOf(&["target", "source"]), Some("target"), Implemented, "whose defaults apply where the source topic has no setting of its own").low(),
    key(Destination, "tributary.topic.config.delete", OneOf(&["follow", "own", "never"]), Some("follow"), Implemented, "which settings are removed at the destination when the source has none: all, those this link made, none").low(),
    key(Destination, "tributary.topic.replication.factor.strict", Boolean, Some("false"), Implemented, "rather no topic than one with fewer replicas than the source's").low(),
    key(Source, "tributary.topic.whitelist.strict", Boolean, Some("false"), Implemented, "a listed topic that is missing ends the link"),
    key(Metadata, "tributary.acl.mode", OneOf(&["read-only", "exact"]), Some("read-only"), Implemented, "which permissions are copied: those to read, or all").low(),
    key(Metadata, "tributary.acl.resources", List, Some("topic"), Implemented, "permissions of what are copied: topic, group, transactional-id").low(),
    key(Metadata, "tributary.acl.principals", List, Some(".*"), Implemented, "patterns of Type:name; whose permissions are copied").low(),
    key(Metadata, "tributary.acl.principals.exclude", List, Some(""), Implemented, "patterns of Type:name; whose permissions are not copied").low(),
    key(Metadata, "tributary.acl.delete", Boolean, Some("true"), Implemented, "remove permissions this link made when the source has them no more").low(),
];

/// Tributary's own keys of a link.
pub(super) const KEYS: &[ConfigKey] = &[
    key(
        Link,
        "tributary.start",
        Text,
        Some("earliest"),
        Implemented,
        "where partitions without a position begin: earliest, latest or a time like 2026-01-31T12:00:00Z, for single topics topic=place, for single partitions topic:partition=offset",
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
        "when a topic was deleted and made again, on either side, or a copy was cut short",
    ),
    key(
        Link,
        "tributary.loop.prevention",
        OneOf(&["auto", "required", "off"]),
        Some("auto"),
        Implemented,
        "copies of other links are told apart by their producers and not sent back: where names are kept, in any case, or never",
    ),
    key(
        Link,
        "tributary.on.origins.lost",
        OneOf(&["stop", "continue"]),
        Some("stop"),
        Implemented,
        "when the registry that tells copies apart is gone or another one",
    )
    .low(),
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
        Implemented,
        "where refused records go with tributary.on.refused=quarantine; <link>.quarantine if unset",
    )
    .low(),
    key(
        Link,
        "tributary.offsets",
        OneOf(&["auto", "preserve", "map"]),
        Some("auto"),
        Implemented,
        "placement of records at the destination: preserve gives them the source's offsets, map the next free ones; auto preserves where it can",
    ),
    key(
        Link,
        "tributary.offsets.max.padding",
        Number(0, LONG),
        Some("1000000000"),
        Implemented,
        "most offsets to pad per partition to preserve offsets",
    )
    .low(),
    key(
        Link,
        "tributary.offsets.follow.start",
        Boolean,
        Some("true"),
        Implemented,
        "where offsets are preserved, what the source has deleted at the front of a log is deleted at the destination",
    )
    .low(),
    key(
        Link,
        "tributary.on.foreign.writes",
        OneOf(&["stop", "map"]),
        None,
        Implemented,
        "when somebody else writes where offsets are preserved: stop the partition (with tributary.offsets=preserve, if not said otherwise), or map offsets from there on (with auto)",
    ),
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
        "mean batch size below which many batches that wait, or arrive together, are merged",
    )
    .low(),
    key(
        Link,
        "tributary.bandwidth.limit",
        Text,
        None,
        Implemented,
        "bytes per second that the link reads, dealt evenly to its tasks, also with a unit; a running link takes another one over; after commas windows of another rate, in UTC: 20MB, 08:00-18:00=5MB, 22:00-04:00=none",
    ),
    key(
        Link,
        "tributary.fetch.connections.max",
        Number(1, 256),
        Some("32"),
        Implemented,
        "most connections to one source broker for reading, and to one of the destination for writing; more than one are made where the window of one limits it, as over long distances, and one more for what is current beside a backlog where a broker is slow; dealt to the tasks of a link, of which each may make four; in transactions there is one for writing",
    )
    .low(),
    key(
        Link,
        "tributary.task.auto.restart",
        Boolean,
        Some("true"),
        Implemented,
        "failed links and tasks are begun again by themselves, after a while that grows; false: they stay FAILED",
    )
    .low(),
    key(
        Link,
        "tributary.health.lag.seconds",
        Number(0, INT),
        Some("60"),
        Implemented,
        "lag from which a link counts as degraded",
    )
    .low(),
    key(
        Link,
        "tributary.health.stall.ms",
        Number(1, INT),
        Some("20000"),
        Implemented,
        "standstill from which a partition counts as stalled",
    )
    .low(),
];
