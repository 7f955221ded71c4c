//! More configurations that cannot be used: classes, security, topics, permissions, both vocabularies.
//!
//! Each row is lines over a complete link (or worker) and the one sentence that is said about them.

use config::{resolve_link, resolve_worker};

use crate::{link, no_cluster, worker};

#[track_caller]
fn check(rows: &[(&str, &str)]) {
    for (lines, expected) in rows {
        let problems = resolve_link(&link(lines), &no_cluster()).expect_err(lines);
        let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(shown, [*expected], "{lines}");
    }
}

#[track_caller]
fn check_worker(rows: &[(&str, &str)]) {
    for (lines, expected) in rows {
        let lines = format!("offset.storage.file.filename=p\n{lines}");
        let problems = resolve_worker(&worker(&lines)).expect_err(&lines);
        let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(shown, [*expected], "{lines}");
    }
}

/// A complete link in MirrorMaker 2's words, with more lines.
fn mirrored(lines: &str) -> String {
    format!(
        "src.kafka.bootstrap.servers\ndest.kafka.bootstrap.servers\ntopic.regex\n\
         connector.class=MirrorSource\nsource.cluster.alias=a\ntarget.cluster.alias=b\n\
         source.cluster.bootstrap.servers=a:1\ntarget.cluster.bootstrap.servers=b:1\n{lines}"
    )
}

#[track_caller]
fn check_mirror(rows: &[(&str, &str)]) {
    for (lines, expected) in rows {
        check(&[(&mirrored(lines), expected)]);
    }
}

const NO_HANDLERS: &str = "Tributary runs no Java plugins; logins are native: set sasl.mechanism, \
                           sasl.jaas.config and sasl.oauthbearer.* instead";

#[test]
fn classes_that_would_have_to_run_are_refused_by_their_keys() {
    let handler = |key: &str| {
        (
            format!("src.kafka.{key}=org.example.Own"),
            format!("src.kafka.{key}=org.example.Own (--set): {NO_HANDLERS}"),
        )
    };
    for key in [
        "sasl.client.callback.handler.class",
        "sasl.login.callback.handler.class",
        "sasl.oauthbearer.jwt.retriever.class",
        "sasl.oauthbearer.jwt.validator.class",
    ] {
        let (lines, expected) = handler(key);
        check(&[(&lines, &expected)]);
    }
    check(&[
        (
            "src.kafka.sasl.login.class=org.example.Login",
            "src.kafka.sasl.login.class=org.example.Login (--set): it cannot be used here; leave it \
             out: logins are native, and no Java code runs here",
        ),
        (
            "dest.kafka.ssl.engine.factory.class=org.example.Engine",
            "dest.kafka.ssl.engine.factory.class=org.example.Engine (--set): it cannot be used here; \
             leave it out: TLS is native, and no Java code runs here",
        ),
        (
            "src.consumer.value.deserializer=org.apache.kafka.common.serialization.StringDeserializer",
            "src.consumer.value.deserializer=org.apache.kafka.common.serialization.StringDeserializer \
             (--set): Tributary runs no Java plugins; leave it out: bytes pass through",
        ),
        (
            "producer.override.key.serializer=io.confluent.kafka.serializers.KafkaAvroSerializer",
            "producer.override.key.serializer=io.confluent.kafka.serializers.KafkaAvroSerializer \
             (--set): Tributary runs no Java plugins; leave it out: bytes pass through",
        ),
        (
            "src.key.converter=io.confluent.connect.avro.AvroConverter",
            "src.key.converter=io.confluent.connect.avro.AvroConverter (--set): Tributary copies bytes \
             and runs no converters; use a ByteArrayConverter",
        ),
    ]);
    check_worker(&[(
        "config.providers=v\nconfig.providers.v.class=com.example.Vault",
        "config.providers.v.class=com.example.Vault (--set): Tributary runs no Java plugins; choose one of \
         org.apache.kafka.common.config.provider.FileConfigProvider, \
         org.apache.kafka.common.config.provider.DirectoryConfigProvider, \
         org.apache.kafka.common.config.provider.EnvVarConfigProvider",
    )]);
    check_worker(&[(
        "connector.client.config.override.policy=org.example.Policy",
        "connector.client.config.override.policy=org.example.Policy (--set): Tributary runs no Java \
         plugins; choose one of All, None, Principal",
    )]);
}

#[test]
fn settings_of_security_are_checked_before_they_have_an_effect() {
    check(&[
        (
            "src.kafka.sasl.mechanism=KERBEROS",
            "src.kafka.sasl.mechanism=KERBEROS (--set): there is no such choice; choose one of PLAIN, \
             SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, GSSAPI, AWS_MSK_IAM",
        ),
        (
            "src.kafka.ssl.protocol=TLSv1.1",
            "src.kafka.ssl.protocol=TLSv1.1 (--set): there is no such choice; choose one of TLSv1.3, \
             TLSv1.2, TLS",
        ),
        (
            "src.kafka.ssl.truststore.type=P12",
            "src.kafka.ssl.truststore.type=P12 (--set): there is no such choice; choose one of JKS, \
             PKCS12, PEM",
        ),
        (
            "dest.kafka.security.protocol=ssl",
            "dest.kafka.security.protocol=ssl (--set): there is no such choice; write SSL",
        ),
        (
            "src.kafka.sasl.login.refresh.window.factor=much",
            "src.kafka.sasl.login.refresh.window.factor=much (--set): it is no number; an example: 0.8",
        ),
        (
            "src.kafka.sasl.oauthbearer.assertion.algorithm=HS256",
            "src.kafka.sasl.oauthbearer.assertion.algorithm=HS256 (--set): there is no such choice; \
             choose one of RS256, ES256",
        ),
        (
            "src.kafka.sasl.login.refresh.buffer.seconds=5000",
            "src.kafka.sasl.login.refresh.buffer.seconds=5000 (--set): the number is out of range; it \
             has to be from 0 to 3600",
        ),
    ]);
    check_worker(&[
        (
            "ssl.client.auth=maybe",
            "ssl.client.auth=maybe (--set): there is no such choice; choose one of none, requested, required",
        ),
        (
            "inter.worker.signature.algorithm=HmacMD5",
            "inter.worker.signature.algorithm=HmacMD5 (--set): there is no such choice; choose one of \
             HmacSHA256, HmacSHA384, HmacSHA512",
        ),
        (
            "rest.port=70000",
            "rest.port=70000 (--set): the number is out of range; it has to be from 0 to 65535",
        ),
        (
            "producer.security.protocol=SASL_SSL\nbootstrap.servers=a:1",
            "producer.sasl.jaas.config: sasl.mechanism is not set, which means GSSAPI, and that needs a key table or a \
             ticket cache; set it to com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true \
             keyTab=\"…\" principal=\"…\"; or set sasl.mechanism",
        ),
    ]);
}

const TOPICS: &[(&str, &str)] = &[
    (
        "topic.preserve.partitions=false\ntributary.offsets=preserve",
        "tributary.offsets=preserve (--set): where records are spread over other partitions \
             (topic.preserve.partitions=false) none keeps its offset; leave one of both out",
    ),
    (
        "producer.override.compression.gzip.level=0",
        "producer.override.compression.gzip.level=0 (--set): gzip has no level 0 in Kafka; choose a number from 1 to 9, \
             or -1 for the default",
    ),
    (
        "topic.config.sync=on",
        "topic.config.sync=on (--set): it is neither true nor false; write true or false",
    ),
    (
        "topic.config.sync.interval.ms=0",
        "topic.config.sync.interval.ms=0 (--set): the number is out of range; it has to be from 1 to 2147483647",
    ),
    (
        "use.defaults.from=destination",
        "use.defaults.from=destination (--set): there is no such choice; choose one of target, source",
    ),
    (
        "tributary.topic.config.delete=Follow",
        "tributary.topic.config.delete=Follow (--set): there is no such choice; write follow",
    ),
    (
        "tributary.topic.replication.factor.strict=1",
        "tributary.topic.replication.factor.strict=1 (--set): it is neither true nor false; write true or false",
    ),
    (
        "tributary.topic.whitelist.strict=y",
        "tributary.topic.whitelist.strict=y (--set): it is neither true nor false; write true or false",
    ),
    (
        "config.properties.exclude=retention.ms,,cleanup.policy",
        "config.properties.exclude=retention.ms,,cleanup.policy (--set): there is an empty item \
             between the commas",
    ),
    (
        "config.properties.blacklist=*",
        "config.properties.blacklist=* (--set): the pattern *, character 1: nothing stands before \
             this * that it could repeat; did you mean .* ?",
    ),
    (
        "sync.topic.acls.enabled=true\nsync.topic.acls.interval.seconds=10m",
        "sync.topic.acls.interval.seconds=10m (--set): it is no whole number; an example: 600",
    ),
    (
        "tributary.acl.mode=all",
        "tributary.acl.mode=all (--set): there is no such choice; choose one of read-only, exact",
    ),
    (
        "tributary.acl.resources=topic,cluster",
        "tributary.acl.resources=topic,cluster (--set): permissions of \"cluster\" are never copied; \
             choose from topic, group, transactional-id",
    ),
    (
        "tributary.acl.principals=User:(a",
        "tributary.acl.principals=User:(a (--set): the pattern User:(a, character 6: this group is \
             not closed; write \\( for the character",
    ),
    (
        "topic.rename.format=__consumer_offsets",
        "topic.rename.format=__consumer_offsets (--set): \"__consumer_offsets\" is used by Kafka \
             itself; nothing is copied into it",
    ),
    (
        "topics=a{1,3}",
        "topics=a{1,3} (--set): the pattern a{1, character 2: a list is split at every comma, also \
             at the one of a count like {1,3}; write the alternatives: (a|aa|aaa)",
    ),
    (
        "src.kafka.bootstrap.servers=one:1,two:2\ndest.kafka.bootstrap.servers=TWO:2,one:1",
        "dest.kafka.bootstrap.servers=TWO:2,one:1 (--set): source and destination are the same \
             brokers, and topics would be copied onto themselves; name two clusters, or rename topics \
             (topic.rename.format)",
    ),
    (
        "transaction.boundary=connector",
        "transaction.boundary=connector (--set): there is no such choice; choose one of poll, interval",
    ),
    (
        "errors.tolerance=some",
        "errors.tolerance=some (--set): there is no such choice; choose one of none, all",
    ),
    (
        "offset.start=earliest",
        "offset.start=earliest (--set): there is no such choice; choose one of connect, consumer",
    ),
    (
        "offset.topic.commit.batch.period.ms=-2",
        "offset.topic.commit.batch.period.ms=-2 (--set): the number is out of range; it has to be \
             from -1 to 2147483647",
    ),
    (
        "tributary.offsets=keep",
        "tributary.offsets=keep (--set): there is no such choice; choose one of auto, preserve, map",
    ),
    (
        "tributary.on.refused=ignore",
        "tributary.on.refused=ignore (--set): there is no such choice; choose one of stop, quarantine, skip",
    ),
    (
        "tributary.start=yesterday",
        "tributary.start=yesterday (--set): \"yesterday\" is no place to start; choose one of earliest, latest, a time \
             like 2026-01-31T12:00:00Z, topic=place or topic:partition=offset",
    ),
    (
        "src.consumer.auto.offset.reset=smallest",
        "src.consumer.auto.offset.reset=smallest (--set): there is no such choice; choose one of earliest, latest, none",
    ),
    (
        "producer.override.compression.type=brotli",
        "producer.override.compression.type=brotli (--set): there is no such choice; choose one of \
             none, gzip, snappy, lz4, zstd",
    ),
    (
        "src.kafka.request.timeout.ms=30s",
        "src.kafka.request.timeout.ms=30s (--set): it is no whole number of milliseconds; the unit \
             is part of the key; an example: 30000",
    ),
];

#[test]
fn settings_of_topics_and_permissions_are_refused_with_what_would_be_right() {
    check(TOPICS);
}

const MIRRORED: &[(&str, &str)] = &[
    (
        "source.cluster.alias=",
        "source.cluster.alias: the source has no alias; set it to a short name; copies are called after it",
    ),
    (
        "target.cluster.alias=a",
        "target.cluster.alias=a (--set): source and destination have the same alias; give the two \
             clusters different names",
    ),
    (
        "source.cluster.alias=target\ntarget.cluster.alias=",
        "target.cluster.alias: source and destination have the same alias, target; give the two \
             clusters different names",
    ),
    (
        "source.cluster.alias=a/b",
        "source.cluster.alias=a/b (--set): it becomes part of topic names, and '/' cannot stand \
             there; legal are letters, digits, '.', '_' and '-'",
    ),
    (
        "replication.policy.separator=",
        "replication.policy.separator= (--set): with nothing between alias and name no copy could be told from a topic \
             of its own; name a separator, or keep the names with IdentityReplicationPolicy",
    ),
    (
        "replication.policy.separator=->",
        "replication.policy.separator=-> (--set): it becomes part of topic names, and '>' cannot \
             stand there; legal are letters, digits, '.', '_' and '-'",
    ),
    (
        "replication.policy.class=org.example.Policy",
        "replication.policy.class=org.example.Policy (--set): Tributary runs no Java plugins; \
             topic.rename.format of Tributary's own connector gives copies other names",
    ),
    (
        "topic.filter.class=org.example.Filter",
        "topic.filter.class=org.example.Filter (--set): Tributary runs no Java plugins; topics are \
             selected by topics and topics.exclude",
    ),
    (
        "group.filter.class=org.example.Filter",
        "group.filter.class=org.example.Filter (--set): Tributary runs no Java plugins; groups are \
             selected by groups and groups.exclude",
    ),
    (
        "config.property.filter.class=org.example.Filter",
        "config.property.filter.class=org.example.Filter (--set): Tributary runs no Java plugins; \
             settings are left out by config.properties.exclude",
    ),
    (
        "forwarding.admin.class=org.example.Admin",
        "forwarding.admin.class=org.example.Admin (--set): Tributary runs no Java plugins; leave it \
             out: topics are administered natively",
    ),
    (
        "topics=*",
        "topics=* (--set): the pattern *, character 1: nothing stands before this * that it could \
             repeat; did you mean .* ?",
    ),
    (
        "topics=orders,",
        "topics=orders, (--set): there is an empty item between the commas",
    ),
    (
        "topics.blacklist=(a",
        "topics.blacklist=(a (--set): the pattern (a, character 1: this group is not closed; write \
             \\( for the character",
    ),
    (
        "replication.factor=0",
        "replication.factor=0 (--set): a topic cannot have none; write 1 or more, or -1 for the \
             broker's default",
    ),
    (
        "refresh.topics.interval.seconds=0",
        "refresh.topics.interval.seconds=0 (--set): the number is out of range; it has to be from 1 \
             to 2147483647",
    ),
    (
        "sync.topic.configs.interval.seconds=ten",
        "sync.topic.configs.interval.seconds=ten (--set): it is no whole number; an example: 600",
    ),
    (
        "emit.offset-syncs.enabled=false\noffset-syncs.topic.location=target",
        "offset-syncs.topic.location=target (--set): emit.offset-syncs.enabled=false switches offset \
             syncs off; leave one of both out",
    ),
    (
        "offset-syncs.topic.location=both",
        "offset-syncs.topic.location=both (--set): there is no such choice; choose one of source, target",
    ),
    (
        "enabled=false",
        "enabled=false (--set): this connector is switched off; leave it out of what is started",
    ),
    (
        "source.cluster.bootstrap.servers=",
        "source.cluster.bootstrap.servers: the source is not named; set it to the source's brokers, \
             for example broker1:9092,broker2:9092",
    ),
    (
        "target.cluster.bootstrap.servers=a:1",
        "target.cluster.bootstrap.servers=a:1 (--set): source and destination are the same brokers, \
             and topics would be copied onto themselves; name two clusters",
    ),
    (
        "value.converter=org.apache.kafka.connect.json.JsonConverter",
        "value.converter=org.apache.kafka.connect.json.JsonConverter (--set): Tributary copies bytes \
             and runs no converters; use a ByteArrayConverter",
    ),
    (
        "security.protocol=SASL_SSL",
        "sasl.jaas.config: sasl.mechanism is not set, which means GSSAPI, and that needs a key table or a \
             ticket cache; set it to com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true \
             keyTab=\"…\" principal=\"…\"; or set sasl.mechanism",
    ),
    (
        "use.incremental.alter.configs=maybe\nadd.source.alias.to.metrics=maybe",
        "add.source.alias.to.metrics=maybe (--set): it is neither true nor false; write true or false",
    ),
];

#[test]
fn what_mirrormaker_2_refuses_is_refused_and_what_it_lets_pass_to_its_harm_too() {
    check_mirror(MIRRORED);
}
