//! Keys of the process: group, storage, memory.

use crate::key::Group::{Compatibility, Worker};
use crate::key::Kind::{Boolean, Class, ClassOf, List, Number, OneOf, Text};
use crate::key::Treatment::{Ignored, Implemented, NotYet};
use crate::key::{ConfigKey, key};
use crate::keys::{INT, LONG, SHORT};

/// What is said about converters of a worker that would change bytes, if a link used them.
pub(crate) const CONVERTER_NOTICE: &str = "bytes pass through, whatever the worker's converter is";

const POLICIES: &[&str] = &[
    "All",
    "None",
    "Principal",
    "org.apache.kafka.connect.connector.policy.AllConnectorClientConfigOverridePolicy",
    "org.apache.kafka.connect.connector.policy.NoneConnectorClientConfigOverridePolicy",
    "org.apache.kafka.connect.connector.policy.PrincipalConnectorClientConfigOverridePolicy",
];

/// Keys of the process.
pub(super) const KEYS: &[ConfigKey] = &[
    key(
        Worker,
        "group.id",
        Text,
        None,
        Implemented,
        "workers of one id share their links",
    )
    .high(),
    key(
        Worker,
        "offset.storage.topic",
        Text,
        None,
        Implemented,
        "topic that holds positions",
    )
    .high(),
    key(
        Worker,
        "offset.storage.replication.factor",
        Number(-1, SHORT),
        Some("3"),
        Implemented,
        "its replicas; -1 takes the broker's default",
    ),
    key(
        Worker,
        "offset.storage.partitions",
        Number(-1, INT),
        Some("25"),
        Implemented,
        "its partitions; -1 takes the broker's default",
    ),
    key(
        Worker,
        "offset.storage.file.filename",
        Text,
        None,
        Implemented,
        "file that holds positions, standalone",
    )
    .high(),
    key(
        Worker,
        "offset.storage.*",
        Text,
        None,
        NotYet("the topic gets no further settings"),
        "further settings of the offsets topic",
    )
    .low(),
    key(
        Worker,
        "config.storage.topic",
        Text,
        None,
        Implemented,
        "topic that holds configurations",
    ),
    key(
        Worker,
        "config.storage.replication.factor",
        Number(-1, SHORT),
        Some("3"),
        Implemented,
        "its replicas",
    )
    .low(),
    key(
        Worker,
        "config.storage.*",
        Text,
        None,
        Implemented,
        "further settings of that topic",
    ),
    key(
        Worker,
        "status.storage.topic",
        Text,
        None,
        Implemented,
        "topic that holds status",
    ),
    key(
        Worker,
        "status.storage.replication.factor",
        Number(-1, SHORT),
        Some("3"),
        Implemented,
        "its replicas",
    )
    .low(),
    key(
        Worker,
        "status.storage.partitions",
        Number(-1, INT),
        Some("5"),
        Implemented,
        "its partitions",
    )
    .low(),
    key(
        Worker,
        "status.storage.*",
        Text,
        None,
        Implemented,
        "further settings of that topic",
    ),
    key(
        Worker,
        "offset.flush.interval.ms",
        Number(1, LONG),
        Some("60000"),
        Implemented,
        "positions are written at least this often while they move",
    ),
    key(
        Worker,
        "offset.flush.timeout.ms",
        Number(1, LONG),
        Some("5000"),
        Implemented,
        "a slower write is abandoned and tried again",
    ),
    key(
        Worker,
        "task.shutdown.graceful.timeout.ms",
        Number(0, LONG),
        Some("5000"),
        Implemented,
        "budget of an orderly stop",
    ),
    key(
        Worker,
        "tributary.buffer.memory",
        Number(1_048_576, LONG),
        Some("134217728"),
        Implemented,
        "bytes of records in flight, all links together",
    )
    .high(),
    key(
        Worker,
        "exactly.once.source.support",
        OneOf(&["disabled", "preparing", "enabled"]),
        Some("disabled"),
        Implemented,
        "enabled: links may ask for transactions (exactly.once.support=required)",
    )
    .low(),
    key(
        Worker,
        "connect.protocol",
        OneOf(&["eager", "compatible", "sessioned"]),
        Some("sessioned"),
        Implemented,
        "protocol of the group",
    )
    .low(),
    key(
        Worker,
        "session.timeout.ms",
        Number(1, INT),
        Some("10000"),
        Implemented,
        "session of the group",
    )
    .low(),
    key(
        Worker,
        "heartbeat.interval.ms",
        Number(1, INT),
        Some("3000"),
        Implemented,
        "heartbeat of the group",
    )
    .low(),
    key(
        Worker,
        "rebalance.timeout.ms",
        Number(1, INT),
        Some("60000"),
        Implemented,
        "rebalance of the group",
    )
    .low(),
    key(
        Worker,
        "scheduled.rebalance.max.delay.ms",
        Number(0, INT),
        Some("300000"),
        Implemented,
        "wait for a departed worker",
    )
    .low(),
    key(
        Worker,
        "worker.sync.timeout.ms",
        Number(0, INT),
        Some("3000"),
        Implemented,
        "time to catch up",
    )
    .low(),
    key(
        Worker,
        "worker.unsync.backoff.ms",
        Number(0, INT),
        Some("300000"),
        Implemented,
        "pause after that failed, with connect.protocol=eager; otherwise a worker tries five times, with pauses that grow to \
         a tenth of scheduled.rebalance.max.delay.ms, before it leaves the group",
    )
    .low(),
    key(
        Worker,
        "inter.worker.key.generation.algorithm",
        OneOf(&["HmacSHA256", "HmacSHA384", "HmacSHA512"]),
        Some("HmacSHA256"),
        Implemented,
        "signing of requests between workers",
    )
    .low(),
    key(
        Worker,
        "inter.worker.signature.algorithm",
        OneOf(&["HmacSHA256", "HmacSHA384", "HmacSHA512"]),
        Some("HmacSHA256"),
        Implemented,
        "signing of requests between workers",
    )
    .low(),
    key(
        Worker,
        "inter.worker.verification.algorithms",
        List,
        Some("HmacSHA256"),
        Implemented,
        "signing of requests between workers",
    )
    .low(),
    key(
        Worker,
        "inter.worker.key.size",
        Number(1, INT),
        None,
        Implemented,
        "bits of the key",
    )
    .low(),
    key(
        Worker,
        "inter.worker.key.ttl.ms",
        Number(0, INT),
        Some("3600000"),
        Implemented,
        "life of the key",
    )
    .low(),
    key(
        Compatibility,
        "key.converter",
        Class,
        None,
        Ignored,
        "bytes pass through",
    )
    .low(),
    key(
        Compatibility,
        "value.converter",
        Class,
        None,
        Ignored,
        "bytes pass through",
    )
    .low(),
    key(
        Compatibility,
        "header.converter",
        Class,
        None,
        Ignored,
        "bytes pass through",
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
        "internal.key.converter*",
        Text,
        None,
        Ignored,
        "removed in Kafka 3.0",
    )
    .low(),
    key(
        Compatibility,
        "internal.value.converter*",
        Text,
        None,
        Ignored,
        "removed in Kafka 3.0",
    )
    .low(),
    key(
        Compatibility,
        "plugin.path",
        List,
        None,
        Ignored,
        "Java plug-ins",
    )
    .low(),
    key(
        Compatibility,
        "plugin.discovery",
        Text,
        Some("hybrid_warn"),
        Ignored,
        "Java plug-ins",
    )
    .low(),
    key(
        Worker,
        "config.providers",
        List,
        Some(""),
        Implemented,
        "providers of variables",
    ),
    key(
        Worker,
        "config.providers.*",
        Text,
        None,
        Implemented,
        "settings of a provider",
    )
    .low(),
    key(
        Worker,
        "connector.client.config.override.policy",
        ClassOf(POLICIES, "choose one of All, None, Principal"),
        Some("All"),
        NotYet("all overrides are allowed"),
        "which client keys a link may override",
    )
    .low(),
    key(
        Compatibility,
        "topic.creation.enable",
        Boolean,
        Some("true"),
        Ignored,
        "creation of topics by tasks",
    )
    .low(),
    key(
        Worker,
        "topic.tracking.enable",
        Boolean,
        Some("true"),
        Implemented,
        "topics that a link has written to are listed",
    )
    .low(),
    key(
        Worker,
        "topic.tracking.allow.reset",
        Boolean,
        Some("true"),
        Implemented,
        "that list may be emptied",
    )
    .low(),
    key(
        Worker,
        "tributary.oauth.allowed.urls",
        List,
        None,
        Implemented,
        "token endpoints and files for tokens that links submitted over REST may use: whole URLs, those that end in / for all below, or https:, http:, file: for all; unset it is https:,http:",
    )
    .low(),
    key(
        Worker,
        "tributary.oauth.unsecured",
        Boolean,
        Some("false"),
        Implemented,
        "links may make tokens without a signature, for brokers of tests",
    )
    .low(),
    key(
        Worker,
        "tributary.health.interval.ms",
        Number(100, INT),
        Some("2000"),
        Implemented,
        "how often ends of logs are read to find out health and lag",
    )
    .low(),
    key(
        Worker,
        "tributary.health.evidence.max.age.ms",
        Number(1000, INT),
        Some("20000"),
        Implemented,
        "age from which a reading of the source's end says nothing any more, and what rests on it is unknown",
    )
    .low(),
    key(
        Worker,
        "tributary.activity.retention.ms",
        Number(0, LONG),
        None,
        NotYet("the newest 1000 entries are kept, in memory"),
        "how long activity is kept",
    )
    .low(),
    key(
        Worker,
        "tributary.activity.retention.max.entries",
        Number(0, LONG),
        None,
        NotYet("the newest 1000 entries are kept, in memory"),
        "how much activity is kept",
    )
    .low(),
    key(
        Worker,
        "tributary.log.format",
        OneOf(&["text", "json"]),
        Some("text"),
        NotYet("the flag --log-format decides"),
        "form of log lines",
    )
    .low(),
    key(
        Worker,
        "tributary.log.record.content",
        Boolean,
        Some("false"),
        NotYet("contents of records are never logged"),
        "log contents of records",
    )
    .low(),
    key(
        Worker,
        "tributary.metrics.partition.limit",
        Number(0, INT),
        Some("5000"),
        Implemented,
        "with more partitions in a worker, metrics of single ones are left out",
    )
    .low(),
    key(
        Worker,
        "tributary.metrics.compat",
        List,
        None,
        Implemented,
        "names of other tools under which metrics are told besides: strimzi-jmx, strimzi-reporter, generic, replicator",
    )
    .low(),
    key(
        Worker,
        "tributary.metrics.*",
        Text,
        None,
        NotYet("no other listener"),
        "metrics",
    )
    .low(),
];
