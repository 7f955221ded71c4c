//! Keys of Kafka producers besides those that every client has.

use crate::key::Group::{Compatibility, Produce};
use crate::key::Kind::{Boolean, ClassOf, Number, OneOf, Text};
use crate::key::Treatment::{Ignored, IgnoredWarn, Implemented, NotYet};
use crate::key::{ConfigKey, key};
use crate::keys::{INT, LONG};

const SERIALIZERS: &[&str] = &["org.apache.kafka.common.serialization.ByteArraySerializer"];

/// Further keys of producers.
pub(super) const PRODUCER: &[ConfigKey] = &[
    key(
        Produce,
        "acks",
        OneOf(&["all", "-1", "0", "1"]),
        Some("all"),
        Implemented,
        "always all",
    ),
    key(
        Produce,
        "max.request.size",
        Number(1, INT),
        Some("52428800"),
        Implemented,
        "bound of one produce request; a single larger batch is still sent",
    ),
    key(
        Produce,
        "max.in.flight.requests.per.connection",
        Number(1, INT),
        Some("5"),
        Implemented,
        "batches of a partition on their way, at most 5; a connection has up to five requests in any case",
    ),
    key(
        Produce,
        "enable.idempotence",
        Boolean,
        Some("true"),
        Ignored,
        "always on",
    )
    .low(),
    key(
        Produce,
        "compression.type",
        OneOf(&["none", "gzip", "snappy", "lz4", "zstd"]),
        Some("none"),
        NotYet("batches pass as they are"),
        "codec for batches that arrive uncompressed",
    ),
    key(
        Produce,
        "compression.gzip.level",
        Number(-1, 9),
        None,
        Implemented,
        "level of gzip in batches that are encoded anew; without it the destination topic's",
    )
    .low(),
    key(
        Produce,
        "compression.lz4.level",
        Number(1, 17),
        None,
        Implemented,
        "level of lz4 in batches that are encoded anew; without it the destination topic's; all are its fast one",
    )
    .low(),
    key(
        Produce,
        "compression.zstd.level",
        Number(-131_072, 22),
        None,
        Implemented,
        "level of zstd in batches that are encoded anew; without it the destination topic's",
    )
    .low(),
    key(
        Produce,
        "batch.size",
        Number(0, INT),
        Some("16384"),
        NotYet("batches pass as they are"),
        "size of batches made anew",
    )
    .low(),
    key(
        Produce,
        "linger.ms",
        Number(0, LONG),
        Some("0"),
        NotYet("batches pass as they are"),
        "wait for batches made anew",
    )
    .low(),
    key(
        Produce,
        "transaction.timeout.ms",
        Number(1, INT),
        Some("60000"),
        Implemented,
        "with exactly.once.support=required: a transaction that is open for so long is taken back",
    )
    .low(),
    key(
        Compatibility,
        "transactional.id",
        Text,
        None,
        IgnoredWarn("ids are derived"),
        "id of a transactional producer",
    )
    .low(),
    key(
        Compatibility,
        "buffer.memory",
        Number(0, LONG),
        Some("33554432"),
        Ignored,
        "memory is bounded by tributary.buffer.memory",
    )
    .low(),
    key(
        Compatibility,
        "retries",
        Number(0, INT),
        None,
        Ignored,
        "retriable errors are retried without limit",
    )
    .low(),
    key(
        Compatibility,
        "delivery.timeout.ms",
        Number(0, INT),
        None,
        Ignored,
        "retriable errors are retried without limit",
    )
    .low(),
    key(
        Compatibility,
        "max.block.ms",
        Number(0, LONG),
        None,
        Ignored,
        "retriable errors are retried without limit",
    )
    .low(),
    key(
        Compatibility,
        "partitioner.*",
        Text,
        None,
        Ignored,
        "records keep their partition",
    )
    .low(),
    key(
        Compatibility,
        "key.serializer",
        ClassOf(SERIALIZERS, "leave it out: bytes pass through"),
        None,
        Ignored,
        "bytes pass through",
    )
    .low(),
    key(
        Compatibility,
        "value.serializer",
        ClassOf(SERIALIZERS, "leave it out: bytes pass through"),
        None,
        Ignored,
        "bytes pass through",
    )
    .low(),
];
