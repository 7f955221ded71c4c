//! What Confluent Replicator writes: topics at the destination, schemas, licence keys.

use crate::key::Group::{Client, Compatibility, Destination, Metadata};
use crate::key::Kind::{Boolean, Class, List, Number, OneOf, Password, Text};
use crate::key::Treatment::{Ignored, Implemented, Rejected};
use crate::key::{ConfigKey, key};
use crate::keys::{DESTINATION_ALIAS, INT, SHORT};

const NO_SCHEMAS: &str = "a byte copy of the schema topic into a live registry would corrupt it; leave schema.registry.topic out and the topic unselected";

/// Keys of the destination in Replicator's vocabulary.
pub(super) const KEYS: &[ConfigKey] = &[
    key(
        Client,
        DESTINATION_ALIAS,
        Text,
        None,
        Implemented,
        "name of the destination cluster, in metrics and in the control center",
    )
    .high(),
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
        "create missing topics; those that are there and have fewer partitions are grown in any case (topic.preserve.partitions)",
    ),
    key(
        Destination,
        "topic.preserve.partitions",
        Boolean,
        Some("true"),
        Implemented,
        "each record goes to the partition of the same number, and copies are grown for that; with false to the one that its key gives, as with Kafka's default partitioner",
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
        Metadata,
        "sync.topic.acls.enabled",
        Boolean,
        Some("false"),
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
        "schema.registry.url",
        List,
        None,
        Ignored,
        "addresses of a schema registry; no effect without schema.registry.topic",
    )
    .low(),
    key(
        Compatibility,
        "schema.registry.max.schemas.per.subject",
        Number(0, INT),
        Some("1000"),
        Ignored,
        "cache of schemas; no effect without schema.registry.topic",
    )
    .low(),
    key(
        Compatibility,
        "schema.registry.client.basic.auth.credentials.source",
        Text,
        Some("URL"),
        Ignored,
        "where the registry's credentials are; no effect without schema.registry.topic",
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
        "schema.subject.translator.class",
        Class,
        None,
        Ignored,
        "renames subjects; no effect without schema.registry.topic",
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
        "confluent.topic.bootstrap.servers",
        List,
        None,
        Ignored,
        "brokers of the licence topic",
    )
    .low(),
    key(
        Compatibility,
        "confluent.topic.replication.factor",
        Number(-1, SHORT),
        Some("3"),
        Ignored,
        "replicas of the licence topic",
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
