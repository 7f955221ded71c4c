//! Keys of every Kafka client besides its security; they stand behind prefixes such as `src.kafka.`.

use crate::key::Group::{Client, Compatibility};
use crate::key::Kind::{Boolean, List, Number, OneOf, Text};
use crate::key::Treatment::{Ignored, IgnoredWarn, Implemented, NotYet};
use crate::key::{ConfigKey, key};
use crate::keys::{INT, LONG};

const NO_INTERCEPTORS: &str = "no Java code runs here; metrics are exported natively";

/// Keys that every client has.
pub(super) const COMMON: &[ConfigKey] = &[
    key(
        Client,
        "bootstrap.servers",
        List,
        Some(""),
        Implemented,
        "brokers to ask first, host:port with commas",
    )
    .high(),
    key(
        Client,
        "client.id",
        Text,
        Some(""),
        Implemented,
        "name that brokers see, for quotas",
    ),
    key(
        Client,
        "client.rack",
        Text,
        Some(""),
        Implemented,
        "rack of this process; followers there are read",
    ),
    key(
        Client,
        "client.dns.lookup",
        OneOf(&[
            "use_all_dns_ips",
            "resolve_canonical_bootstrap_servers_only",
        ]),
        Some("use_all_dns_ips"),
        NotYet("all addresses of a name are used"),
        "how names of brokers are resolved",
    )
    .low(),
    key(
        Client,
        "request.timeout.ms",
        Number(1, INT),
        Some("30000"),
        Implemented,
        "limit of one request and its answer",
    ),
    key(
        Client,
        "default.api.timeout.ms",
        Number(1, INT),
        Some("60000"),
        NotYet("operations are retried until they succeed or the link stops"),
        "limit of one operation",
    )
    .low(),
    key(
        Client,
        "retry.backoff.ms",
        Number(0, LONG),
        Some("100"),
        Implemented,
        "first pause after a failed request",
    ),
    key(
        Client,
        "retry.backoff.max.ms",
        Number(0, LONG),
        Some("1000"),
        Implemented,
        "longest pause after failed requests",
    ),
    key(
        Client,
        "reconnect.backoff.ms",
        Number(0, LONG),
        Some("50"),
        Implemented,
        "first pause after a failed connection",
    ),
    key(
        Client,
        "reconnect.backoff.max.ms",
        Number(0, LONG),
        Some("1000"),
        Implemented,
        "longest pause after failed connections",
    ),
    key(
        Client,
        "connections.max.idle.ms",
        Number(1, LONG),
        Some("540000"),
        Implemented,
        "idle connections are closed after this time",
    ),
    key(
        Client,
        "socket.connection.setup.timeout.ms",
        Number(1, LONG),
        Some("10000"),
        Implemented,
        "limit of making a connection",
    ),
    key(
        Client,
        "socket.connection.setup.timeout.max.ms",
        Number(1, LONG),
        Some("30000"),
        NotYet("socket.connection.setup.timeout.ms holds for every attempt"),
        "limit after failed attempts",
    )
    .low(),
    key(
        Client,
        "metadata.max.age.ms",
        Number(1, LONG),
        Some("300000"),
        Implemented,
        "metadata is refreshed at least this often",
    ),
    key(
        Client,
        "metadata.recovery.strategy",
        OneOf(&["none", "rebootstrap"]),
        Some("rebootstrap"),
        NotYet("brokers are asked anew at bootstrap.servers"),
        "what to do when all known brokers are gone",
    )
    .low(),
    key(
        Client,
        "metadata.recovery.rebootstrap.trigger.ms",
        Number(0, LONG),
        Some("300000"),
        NotYet("brokers are asked anew at bootstrap.servers"),
        "when to do that",
    )
    .low(),
    key(
        Client,
        "send.buffer.bytes",
        Number(-1, INT),
        Some("131072"),
        Implemented,
        "SO_SNDBUF, only where it is set; -1, or unset, leaves it to the system",
    )
    .low(),
    key(
        Client,
        "receive.buffer.bytes",
        Number(-1, INT),
        Some("65536"),
        Implemented,
        "SO_RCVBUF, only where it is set; -1, or unset, leaves it to the system",
    )
    .low(),
    key(
        Compatibility,
        "interceptor.classes",
        List,
        Some(""),
        IgnoredWarn(NO_INTERCEPTORS),
        "interceptors",
    )
    .low(),
    key(
        Compatibility,
        "confluent.monitoring.interceptor.*",
        Text,
        None,
        IgnoredWarn(NO_INTERCEPTORS),
        "settings of an interceptor",
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
    key(
        Compatibility,
        "metrics.num.samples",
        Number(1, INT),
        Some("2"),
        Ignored,
        "metrics of the JVM",
    )
    .low(),
    key(
        Compatibility,
        "metrics.sample.window.ms",
        Number(0, LONG),
        Some("30000"),
        Ignored,
        "metrics of the JVM",
    )
    .low(),
    key(
        Compatibility,
        "metrics.recording.level",
        Text,
        Some("INFO"),
        Ignored,
        "metrics of the JVM",
    )
    .low(),
    key(
        Compatibility,
        "metrics.*",
        Text,
        None,
        Ignored,
        "metrics of the JVM",
    )
    .low(),
    key(
        Compatibility,
        "auto.include.jmx.reporter",
        Boolean,
        Some("true"),
        Ignored,
        "metrics of the JVM",
    )
    .low(),
    key(
        Compatibility,
        "enable.metrics.push",
        Boolean,
        Some("true"),
        Ignored,
        "metrics pushed to brokers",
    )
    .low(),
];
