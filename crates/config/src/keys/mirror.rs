//! MirrorMaker 2's keys.

use crate::key::Group::{Client, Compatibility, Destination, Link, Metadata, Offsets, Source};
use crate::key::Kind::{Boolean, ClassOf, List, Number, OneOf, Text};
use crate::key::Treatment::{Ignored, Implemented, Mapped, NotYet};
use crate::key::{ConfigKey, key};
use crate::keys::{DESTINATION_ALIAS, INT, LONG, SHORT, SOURCE_ALIAS};

/// The two policies that there are, by their classes.
pub(crate) const DEFAULT_POLICY: &str = "org.apache.kafka.connect.mirror.DefaultReplicationPolicy";
/// See there; vendors have their own copies of it, which do the same.
pub(crate) const IDENTITY_POLICY: &str = "IdentityReplicationPolicy";
/// Why settings of offset syncs do nothing.
pub(crate) const NO_SYNCS: &str =
    "offset syncs are not written; the link keeps an exact map of its own";
/// Why settings of checkpoints do nothing.
pub(crate) const NO_CHECKPOINTS: &str =
    "checkpoints are not written, and offsets of consumer groups are not translated";
/// Why settings of heartbeats do nothing.
pub(crate) const NO_HEARTBEATS: &str =
    "a MirrorHeartbeatConnector writes heartbeats, flows and other connectors do not";
const NO_PLUGINS: &str = "leave it out: topics are administered natively";

/// Keys of its connectors, and of flows in its file.
pub(super) const KEYS: &[ConfigKey] = &[
    key(
        Link,
        "enabled",
        Boolean,
        Some("true"),
        Implemented,
        "whether this flow is copied; in a file of flows it is off until set",
    ),
    key(
        Client,
        SOURCE_ALIAS,
        Text,
        None,
        Implemented,
        "name of the source cluster; copies are called after it",
    )
    .high(),
    key(
        Client,
        DESTINATION_ALIAS,
        Text,
        Some("target"),
        Implemented,
        "name of the destination cluster",
    )
    .high(),
    key(
        Compatibility,
        "admin.timeout.ms",
        Number(1, LONG),
        Some("60000"),
        NotYet("operations are retried until they succeed or the link stops"),
        "limit of administrative work",
    )
    .low(),
    key(
        Destination,
        "replication.policy.class",
        ClassOf(
            &[DEFAULT_POLICY, IDENTITY_POLICY],
            "topic.rename.format of Tributary's own connector gives copies other names",
        ),
        Some("org.apache.kafka.connect.mirror.DefaultReplicationPolicy"),
        Implemented,
        "how copies are called: with the source's alias in front, or like the source",
    ),
    key(
        Destination,
        "replication.policy.separator",
        Text,
        Some("."),
        Implemented,
        "stands between an alias and a name",
    ),
    key(
        Destination,
        "replication.policy.internal.topic.separator.enabled",
        Boolean,
        Some("true"),
        Implemented,
        "internal topics are recognised by the separator too",
    )
    .low(),
    key(
        Compatibility,
        "forwarding.admin.class",
        ClassOf(
            &["org.apache.kafka.clients.admin.ForwardingAdmin"],
            NO_PLUGINS,
        ),
        Some("org.apache.kafka.clients.admin.ForwardingAdmin"),
        Ignored,
        "administrative client",
    )
    .low(),
    key(
        Source,
        "topics",
        List,
        Some(".*"),
        Implemented,
        "names and patterns of topics to copy",
    )
    .high(),
    key(
        Source,
        "topics.exclude",
        List,
        Some(".*[\\-\\.]internal, .*\\.replica, __.*"),
        Implemented,
        "names and patterns of topics never to copy; wins",
    )
    .high(),
    key(
        Source,
        "topics.blacklist",
        List,
        None,
        Mapped("topics.exclude"),
        "older name of topics.exclude",
    )
    .low(),
    key(
        Compatibility,
        "topic.filter.class",
        ClassOf(
            &["org.apache.kafka.connect.mirror.DefaultTopicFilter"],
            "topics are selected by topics and topics.exclude",
        ),
        Some("org.apache.kafka.connect.mirror.DefaultTopicFilter"),
        Ignored,
        "selection of topics",
    )
    .low(),
    key(
        Compatibility,
        "config.property.filter.class",
        ClassOf(
            &["org.apache.kafka.connect.mirror.DefaultConfigPropertyFilter"],
            "settings are left out by config.properties.exclude",
        ),
        Some("org.apache.kafka.connect.mirror.DefaultConfigPropertyFilter"),
        Ignored,
        "selection of topic settings",
    )
    .low(),
    key(
        Compatibility,
        "consumer.poll.timeout.ms",
        Number(0, LONG),
        Some("1000"),
        Ignored,
        "bound of one poll",
    )
    .low(),
    key(
        Source,
        "refresh.topics.enabled",
        Boolean,
        Some("true"),
        Implemented,
        "look for new topics and partitions; with false they are looked at once, when the link starts, and never again",
    ),
    key(
        Source,
        "refresh.topics.interval.seconds",
        Number(1, INT),
        Some("600"),
        Implemented,
        "period of that",
    ),
    key(
        Destination,
        "sync.topic.configs.enabled",
        Boolean,
        Some("true"),
        Implemented,
        "keep settings of topics equal to the source's",
    ),
    key(
        Destination,
        "sync.topic.configs.interval.seconds",
        Number(1, INT),
        Some("600"),
        Implemented,
        "period of that",
    )
    .low(),
    key(
        Metadata,
        "sync.topic.acls.enabled",
        Boolean,
        Some("true"),
        Implemented,
        "copy permissions of topics",
    ),
    key(
        Metadata,
        "sync.topic.acls.interval.seconds",
        Number(1, INT),
        Some("600"),
        Implemented,
        "period of that",
    )
    .low(),
    key(
        Destination,
        "replication.factor",
        Number(-1, SHORT),
        Some("2"),
        Implemented,
        "replicas of created topics; -1 takes the broker's default",
    ),
    key(
        Offsets,
        "emit.offset-syncs.enabled",
        Boolean,
        Some("true"),
        NotYet(NO_SYNCS),
        "write the topic of offset syncs",
    ),
    key(
        Offsets,
        "offset-syncs.topic.replication.factor",
        Number(-1, SHORT),
        Some("3"),
        NotYet(NO_SYNCS),
        "its replicas",
    )
    .low(),
    key(
        Offsets,
        "offset-syncs.topic.location",
        OneOf(&["source", "target"]),
        Some("source"),
        NotYet(NO_SYNCS),
        "cluster that holds it",
    )
    .low(),
    key(
        Offsets,
        "offset.lag.max",
        Number(0, LONG),
        Some("100"),
        NotYet(NO_SYNCS),
        "offsets between two syncs",
    )
    .low(),
    key(
        Source,
        "heartbeats.replication.enabled",
        Boolean,
        Some("true"),
        Implemented,
        "copy topics of heartbeats, whatever is selected",
    ),
    key(
        Compatibility,
        "task.assigned.partitions",
        Text,
        None,
        Ignored,
        "internal to tasks",
    )
    .low(),
    key(
        Compatibility,
        "task.assigned.groups",
        Text,
        None,
        Ignored,
        "internal to tasks",
    )
    .low(),
    key(
        Compatibility,
        "task.index",
        Text,
        None,
        Ignored,
        "internal to tasks",
    )
    .low(),
    key(
        Offsets,
        "groups",
        List,
        Some(".*"),
        NotYet(NO_CHECKPOINTS),
        "names and patterns of groups",
    ),
    key(
        Offsets,
        "groups.exclude",
        List,
        Some("console-consumer-.*, connect-.*, __.*"),
        NotYet(NO_CHECKPOINTS),
        "names and patterns of groups that are left out",
    ),
    key(
        Offsets,
        "groups.blacklist",
        List,
        None,
        Mapped("groups.exclude"),
        "older name of groups.exclude",
    )
    .low(),
    key(
        Compatibility,
        "group.filter.class",
        ClassOf(
            &["org.apache.kafka.connect.mirror.DefaultGroupFilter"],
            "groups are selected by groups and groups.exclude",
        ),
        Some("org.apache.kafka.connect.mirror.DefaultGroupFilter"),
        Ignored,
        "selection of groups",
    )
    .low(),
    key(
        Offsets,
        "refresh.groups.enabled",
        Boolean,
        Some("true"),
        NotYet(NO_CHECKPOINTS),
        "look for new groups",
    )
    .low(),
    key(
        Offsets,
        "refresh.groups.interval.seconds",
        Number(1, INT),
        Some("600"),
        NotYet(NO_CHECKPOINTS),
        "period of that",
    )
    .low(),
    key(
        Offsets,
        "emit.checkpoints.enabled",
        Boolean,
        Some("true"),
        NotYet(NO_CHECKPOINTS),
        "write the topic of checkpoints",
    ),
    key(
        Offsets,
        "emit.checkpoints.interval.seconds",
        Number(0, INT),
        Some("60"),
        NotYet(NO_CHECKPOINTS),
        "period of that",
    )
    .low(),
    key(
        Offsets,
        "sync.group.offsets.enabled",
        Boolean,
        Some("false"),
        NotYet(NO_CHECKPOINTS),
        "commit translated offsets for groups of the destination",
    ),
    key(
        Offsets,
        "sync.group.offsets.interval.seconds",
        Number(0, INT),
        Some("60"),
        NotYet(NO_CHECKPOINTS),
        "period of that",
    )
    .low(),
    key(
        Offsets,
        "checkpoints.topic.replication.factor",
        Number(-1, SHORT),
        Some("3"),
        NotYet(NO_CHECKPOINTS),
        "replicas of the topic of checkpoints",
    )
    .low(),
    key(
        Link,
        "emit.heartbeats.enabled",
        Boolean,
        Some("true"),
        NotYet(NO_HEARTBEATS),
        "write heartbeats, into the destination",
    ),
    key(
        Link,
        "emit.heartbeats.interval.seconds",
        Number(0, INT),
        Some("1"),
        NotYet(NO_HEARTBEATS),
        "period of that",
    )
    .low(),
    key(
        Link,
        "heartbeats.topic.replication.factor",
        Number(-1, SHORT),
        Some("3"),
        NotYet(NO_HEARTBEATS),
        "replicas of the topic of heartbeats",
    )
    .low(),
    key(
        Compatibility,
        "use.incremental.alter.configs",
        OneOf(&["requested", "required", "never"]),
        Some("requested"),
        Ignored,
        "changes are always incremental",
    )
    .low(),
    key(
        Compatibility,
        "add.source.alias.to.metrics",
        Boolean,
        Some("false"),
        NotYet("the source is a label of every series"),
        "name the source in metrics",
    )
    .low(),
    key(
        Compatibility,
        "metric.names.formats",
        Text,
        None,
        Ignored,
        "names of metrics of the JVM",
    )
    .low(),
    key(
        Compatibility,
        "metric.reporters",
        List,
        Some("org.apache.kafka.common.metrics.JmxReporter"),
        Ignored,
        "metric reporters",
    )
    .low(),
];

/// Keys of its file alone.
pub(super) const FILE: &[ConfigKey] = &[
    key(
        Link,
        "clusters",
        List,
        None,
        Implemented,
        "aliases of all clusters; each needs ALIAS.bootstrap.servers",
    )
    .high(),
    key(
        Compatibility,
        "dedicated.mode.enable.internal.rest",
        Boolean,
        Some("false"),
        Ignored,
        "processes need no HTTP to divide their work",
    )
    .low(),
];
