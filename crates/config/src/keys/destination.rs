//! What a link writes: topics at the destination, conversion, schemas, licence keys.

use crate::key::Group::{Compatibility, Destination, Metadata, Produce};
use crate::key::Kind::{Boolean, Class, List, Number, OneOf, Password, Text};
use crate::key::Treatment::{Ignored, IgnoredWarn, Implemented, NotYet, Rejected};
use crate::key::{ConfigKey, key};
use crate::keys::{INT, SHORT};

const BYTE_ARRAYS: &str = "io.confluent.connect.replicator.util.ByteArrayConverter";
const NO_SCHEMAS: &str = "a byte copy of the schema topic into a live registry would corrupt it; leave schema.registry.topic out and the topic unselected";
const TOPIC_CREATION: &str = "topics are created like those of the source";
const NO_ACLS: &str = "permissions are not copied";

pub(super) const KEYS: &[ConfigKey] = &[
    key(
        Destination,
        "topic.rename.format",
        Text,
        Some("${topic}"),
        Implemented,
        "name of the copy; ${topic} is the source's name, a constant merges all topics",
    )
    .high(),
    key(
        Destination,
        "topic.auto.create",
        Boolean,
        Some("true"),
        Implemented,
        "create missing topics",
    ),
    key(
        Destination,
        "topic.preserve.partitions",
        Boolean,
        Some("true"),
        Implemented,
        "each record goes to the partition of the same number",
    ),
    key(
        Destination,
        "topic.create.backoff.ms",
        Number(0, INT),
        Some("120000"),
        Implemented,
        "pause before a refused creation or growth is tried again",
    ),
    key(
        Destination,
        "topic.config.sync",
        Boolean,
        Some("true"),
        Implemented,
        "keep settings of topics equal to the source's",
    ),
    key(
        Destination,
        "topic.config.sync.interval.ms",
        Number(1, INT),
        Some("120000"),
        Implemented,
        "period of that",
    )
    .low(),
    key(
        Destination,
        "topic.timestamp.type",
        OneOf(&["CreateTime", "LogAppendTime"]),
        Some("CreateTime"),
        Implemented,
        "message.timestamp.type of the copies",
    ),
    key(
        Destination,
        "dest.topic.replication.factor",
        Number(0, SHORT),
        Some("0"),
        Implemented,
        "replicas of created topics; 0 takes the source's",
    ),
    key(
        Destination,
        "config.properties.exclude",
        List,
        None,
        Implemented,
        "names or patterns of topic settings that are not copied",
    ),
    key(
        Destination,
        "config.properties.blacklist",
        List,
        None,
        NotYet("write config.properties.exclude"),
        "older name of that",
    )
    .low(),
    key(
        Destination,
        "use.defaults.from",
        OneOf(&["target", "source"]),
        Some("target"),
        NotYet("the destination's defaults apply"),
        "whose defaults apply where the source overrides nothing",
    )
    .low(),
    key(
        Destination,
        "tributary.topic.config.delete",
        OneOf(&["follow", "own", "never"]),
        Some("follow"),
        NotYet("no settings are removed"),
        "which settings are removed at the destination",
    )
    .low(),
    key(
        Destination,
        "tributary.topic.replication.factor.strict",
        Boolean,
        Some("false"),
        NotYet("a copied factor is reduced to the number of brokers"),
        "never reduce a copied replication factor",
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
        Compatibility,
        "transforms",
        List,
        Some(""),
        Implemented,
        "transforms of Connect; none can run here",
    )
    .low(),
    key(
        Compatibility,
        "transforms.*",
        Text,
        None,
        Ignored,
        "settings of a transform",
    )
    .low(),
    key(
        Compatibility,
        "predicates",
        List,
        Some(""),
        Implemented,
        "predicates of Connect; none can run here",
    )
    .low(),
    key(
        Compatibility,
        "predicates.*",
        Text,
        None,
        Ignored,
        "settings of a predicate",
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
        Metadata,
        "sync.topic.acls.enabled",
        Boolean,
        Some("false"),
        NotYet(NO_ACLS),
        "copy permissions of topics",
    ),
    key(
        Metadata,
        "sync.topic.acls.interval.seconds",
        Number(1, INT),
        Some("600"),
        NotYet(NO_ACLS),
        "period of that",
    )
    .low(),
    key(
        Metadata,
        "tributary.acl.mode",
        OneOf(&["read-only", "exact"]),
        Some("read-only"),
        NotYet(NO_ACLS),
        "which permissions are copied",
    )
    .low(),
    key(
        Metadata,
        "tributary.acl.resources",
        List,
        Some("topic"),
        NotYet(NO_ACLS),
        "permissions of what are copied",
    )
    .low(),
    key(
        Metadata,
        "tributary.acl.principals",
        List,
        Some(".*"),
        NotYet(NO_ACLS),
        "whose permissions are copied",
    )
    .low(),
    key(
        Metadata,
        "tributary.acl.principals.exclude",
        List,
        Some(""),
        NotYet(NO_ACLS),
        "whose permissions are not copied",
    )
    .low(),
    key(
        Metadata,
        "tributary.acl.delete",
        Boolean,
        Some("true"),
        NotYet(NO_ACLS),
        "remove permissions that the source no longer has",
    )
    .low(),
    key(
        Metadata,
        "schema.registry.topic",
        Text,
        None,
        Rejected(NO_SCHEMAS),
        "topic that is the log of a schema registry",
    )
    .low(),
    key(
        Compatibility,
        "schema.registry.client.basic.auth.user.info",
        Password,
        Some(""),
        Ignored,
        "user and password of a schema registry",
    )
    .low(),
    key(
        Compatibility,
        "schema.registry.*",
        Text,
        None,
        Ignored,
        "access to a schema registry; no effect without schema.registry.topic",
    )
    .low(),
    key(
        Compatibility,
        "schema.subject.translator.*",
        Text,
        None,
        Ignored,
        "no effect without schema.registry.topic",
    )
    .low(),
    key(
        Compatibility,
        "confluent.license",
        Password,
        Some(""),
        Ignored,
        "licence key",
    )
    .low(),
    key(
        Compatibility,
        "confluent.topic",
        Text,
        Some("_confluent-command"),
        Ignored,
        "licence topic",
    )
    .low(),
    key(
        Compatibility,
        "confluent.topic.*",
        Text,
        None,
        Ignored,
        "client of the licence topic",
    )
    .low(),
];
