//! Configurations that can be used.

use std::time::Duration;

use config::link::{OnGap, OnRecreate, ReplicationFactor, Start, StartPosition, TimestampType};
use config::raw::RawConfig;
use config::resolve::resolve_link_selecting;
use config::{
    LinkConfig, OffsetStorage, Pattern, TopicSelection, WorkerConfig, resolve_link, resolve_worker,
};

use crate::{link, no_cluster, worker};

#[track_caller]
fn resolved(raw: &RawConfig) -> (LinkConfig, Vec<String>) {
    let (link, notices) = resolve_link(raw, &no_cluster()).expect("usable");
    (link, notices.iter().map(ToString::to_string).collect())
}

#[track_caller]
fn check_notices(lines: &str, expected: &[&str]) {
    assert_eq!(resolved(&link(lines)).1, expected, "{lines}");
}

fn addresses(client: &config::ClientConfig) -> String {
    client
        .bootstrap_servers
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

/// The example of Replicator's documentation.
const UNCHANGED: &str = r#"{"name":"replicate-europe-to-us","config":{
 "connector.class":"io.confluent.connect.replicator.ReplicatorSourceConnector",
 "key.converter":"io.confluent.connect.replicator.util.ByteArrayConverter",
 "value.converter":"io.confluent.connect.replicator.util.ByteArrayConverter",
 "header.converter":"io.confluent.connect.replicator.util.ByteArrayConverter",
 "src.consumer.group.id":"replicate-europe-to-us",
 "src.kafka.bootstrap.servers":"broker-europe:9092","dest.kafka.bootstrap.servers":"broker-us:9092",
 "confluent.topic.replication.factor":1,"provenance.header.enable":true,
 "topic.whitelist":"sales_EUROPE","topic.rename.format":"${topic}","tasks.max":"1"}}"#;

#[test]
fn a_replicator_configuration_runs_unchanged() {
    let raw = RawConfig::from_json("link.json", UNCHANGED).expect("JSON");
    let (link, notices) = resolved(&raw);
    assert_eq!(link.name, "replicate-europe-to-us");
    assert_eq!(addresses(&link.source), "broker-europe:9092");
    assert_eq!(addresses(&link.destination), "broker-us:9092");
    assert!(link.topics.selection.is_selected("sales_EUROPE"));
    assert!(!link.topics.selection.is_selected("sales_US"));
    assert!(link.topics.naming.is_identity());
    assert_eq!(
        notices,
        [
            "accepted without effect: confluent.topic.replication.factor",
            "src.consumer.group.id=replicate-europe-to-us is accepted, but not implemented yet: \
             nothing is committed on the source",
        ]
    );
}

#[test]
fn a_replicator_link_may_name_its_clusters_and_copies_keep_their_names() {
    let names = r#""source.cluster.alias":"europe","target.cluster.alias":"us","topic.whitelist""#;
    let text = UNCHANGED.replace(r#""topic.whitelist""#, names);
    let raw = RawConfig::from_json("link.json", &text).expect("JSON");
    let (link, notices) = resolved(&raw);
    assert!(link.topics.naming.is_identity());
    let of_names: Vec<&String> = notices
        .iter()
        .filter(|notice| notice.contains("alias"))
        .collect();
    assert!(of_names.is_empty(), "{of_names:?}");
}

#[test]
fn unset_keys_have_the_documented_defaults() {
    let (link, notices) = resolved(&link(""));
    assert!(notices.is_empty(), "{notices:?}");
    assert_eq!(link.start, Start::default());
    assert_eq!(link.on_gap, OnGap::Stop);
    assert_eq!(link.on_recreate, OnRecreate::Stop);
    assert!(link.topics.auto_create);
    assert_eq!(
        link.topics.replication_factor,
        ReplicationFactor::Source { strict: false }
    );
    assert_eq!(link.topics.timestamp_type, Some(TimestampType::CreateTime));
    assert_eq!(link.topics.poll_interval, Duration::from_secs(120));
    assert!(
        link.topics
            .config_exclude
            .is_match("message.timestamp.type")
    );
    assert!(!link.topics.config_exclude.is_match("cleanup.policy"));
    assert_eq!(link.fetch.max_bytes, 52_428_800);
    assert!(
        !link.fetch.check_crcs,
        "checksums are carried over, so arrival is no place to verify"
    );
    assert_eq!(
        (link.produce.max_in_flight, link.produce.max_request_size),
        (5, 52_428_800)
    );
    assert_eq!(link.source.client_id, "tributary");
    assert_eq!(link.source.send_buffer, None);
}

#[test]
fn set_keys_have_their_effect() {
    let raw = link(
        "topic.whitelist=a, b
         topic.blacklist=orders.internal
         topic.rename.format=west.${topic}
         topic.auto.create=FALSE
         topic.poll.interval.ms=5000
         topic.create.backoff.ms=1000
         topic.timestamp.type=LogAppendTime
         dest.topic.replication.factor=2
         config.properties.exclude=retention\\.ms, cleanup.*
         tributary.start=latest
         tributary.on.gap=continue
         tributary.on.recreate=restart
         src.consumer.fetch.min.bytes=2
         src.consumer.fetch.max.bytes=3
         src.consumer.fetch.max.wait.ms=4
         src.consumer.max.partition.fetch.bytes=5
         src.consumer.check.crcs=true
         src.consumer.isolation.level=read_committed
         src.kafka.client.rack=r1
         src.kafka.client.id=copier
         src.kafka.request.timeout.ms=1001
         src.consumer.request.timeout.ms=1002
         src.kafka.receive.buffer.bytes=65536
         src.kafka.send.buffer.bytes=-1
         dest.kafka.request.timeout.ms=2001
         producer.override.max.request.size=1048576
         producer.override.max.in.flight.requests.per.connection=1
         producer.override.acks=all
         connector.class=tributary.TributarySourceConnector
         tasks.max=4",
    );
    let (link, notices) = resolved(&raw);
    assert!(notices.is_empty(), "{notices:?}");
    let selected = |name| link.topics.selection.is_selected(name);
    assert!(selected("a") && selected("b") && selected("orders.v1"));
    assert!(!selected("orders.internal") && !selected("c"));
    assert_eq!(link.topics.naming.apply("a"), Ok("west.a".to_owned()));
    assert!(!link.topics.auto_create);
    assert_eq!(link.topics.poll_interval, Duration::from_secs(5));
    assert_eq!(link.topics.create_backoff, Duration::from_secs(1));
    assert_eq!(
        link.topics.timestamp_type,
        Some(TimestampType::LogAppendTime)
    );
    let key = "dest.topic.replication.factor";
    let expected = ReplicationFactor::Fixed { count: 2, key };
    assert_eq!(link.topics.replication_factor, expected);
    assert!(link.topics.config_exclude.is_match("cleanup.policy"));
    assert!(
        !link
            .topics
            .config_exclude
            .is_match("message.timestamp.type")
    );
    assert_eq!(link.start.everywhere, StartPosition::Latest);
    assert_eq!(link.on_gap, OnGap::Continue);
    assert_eq!(link.on_recreate, OnRecreate::Restart);
    assert_eq!((link.fetch.min_bytes, link.fetch.max_bytes), (2, 3));
    assert_eq!(link.fetch.max_wait, Duration::from_millis(4));
    assert_eq!(link.fetch.max_partition_bytes, 5);
    assert!(link.fetch.check_crcs);
    assert_eq!(link.source.client_rack.as_deref(), Some("r1"));
    assert_eq!(link.source.client_id, "copier");
    assert_eq!(
        link.source.request_timeout,
        Duration::from_millis(1002),
        "src.consumer is stronger"
    );
    assert_eq!(
        (link.source.receive_buffer, link.source.send_buffer),
        (Some(65_536), None)
    );
    assert_eq!(link.produce.request_timeout, Duration::from_millis(2001));
    assert_eq!(
        (link.produce.max_in_flight, link.produce.max_request_size),
        (1, 1_048_576)
    );
}

#[test]
fn the_destination_is_found_from_the_weakest_place_to_the_strongest() {
    let process = worker(
        "bootstrap.servers=w1:1
         client.id=worker
         offset.storage.file.filename=positions
         producer.bootstrap.servers=w2:2
         producer.retry.backoff.ms=7",
    );
    let (process, _) = resolve_worker(&process).expect("usable");
    assert_eq!(
        process.bootstrap.as_ref().map(addresses).as_deref(),
        Some("w1:1")
    );

    let of = |lines: &str| {
        resolve_link(&link(lines), &process)
            .expect("usable")
            .0
            .destination
    };
    let own = of("dest.kafka.bootstrap.servers");
    assert_eq!(addresses(&own), "w2:2");
    assert_eq!(own.client_id, "worker");
    assert_eq!(own.retry_backoff, Duration::from_millis(7));
    assert_eq!(addresses(&of("dest.kafka.bootstrap.servers=d:3")), "d:3");
    let strongest = of("dest.kafka.bootstrap.servers=d:3\nproducer.override.bootstrap.servers=p:4");
    assert_eq!(addresses(&strongest), "p:4");
}

#[test]
fn patterns_of_the_command_line_take_the_place_of_keys() {
    let pattern = |text| Pattern::parse(text).expect("legal");
    let selection = TopicSelection::new(
        ["exact".to_owned()],
        [],
        vec![pattern("a.*"), pattern("b.*")],
        vec![pattern(".*-internal")],
    );
    let raw = link("topic.regex");
    let (link, notices) = resolve_link_selecting(&raw, &no_cluster(), selection).expect("usable");
    assert!(notices.is_empty(), "{notices:?}");
    let decide = |name| link.topics.selection.decide(name).to_string();
    assert_eq!(decide("exact"), "selected by the list of names");
    assert_eq!(decide("b1"), "selected by the pattern b.*");
    assert_eq!(
        decide("a-internal"),
        "excluded by the pattern .*-internal: the configuration excludes names like this"
    );
    assert_eq!(
        decide("c"),
        "excluded: neither a name nor a pattern selects it"
    );
    assert_eq!(
        decide("__consumer_offsets"),
        "excluded by the built-in list: it holds state of its own cluster and is never copied"
    );
}

#[test]
fn what_has_no_effect_is_said_in_one_line_each() {
    check_notices(
        "src.consumer.max.poll.records=5\nproducer.override.retries=3\nconfluent.license=abc",
        &[
            "accepted without effect: src.consumer.max.poll.records, producer.override.retries, confluent.license",
        ],
    );
    check_notices(
        "src.consumer.isolation.level=read_uncommitted",
        &[
            "src.consumer.isolation.level=read_uncommitted has no effect: copies are always read \
           committed, because records of aborted transactions could not be taken back",
        ],
    );
    check_notices(
        "producer.override.acks=1",
        &["producer.override.acks=1 has no effect: acks=all is always used"],
    );
    check_notices(
        "producer.override.max.in.flight.requests.per.connection=10",
        &[
            "producer.override.max.in.flight.requests.per.connection=10: 5 is used, the most with \
           which order is kept",
        ],
    );
    check_notices(
        "topic.config.sync=false\nprovenance.header.enable=false",
        &[],
    );
    check_notices(
        "topic.whitelst=a",
        &["topic.whitelst (--set) is unknown and has no effect; did you mean topic.whitelist ?"],
    );
    check_notices("zzz=1", &["zzz (--set) is unknown and has no effect"]);
    check_notices(
        "topic.regex=orders*",
        &["topic.regex=orders* repeats only its last character; did you mean orders.* ?"],
    );
    check_notices(
        "topic.regex",
        &[
            "neither topic.whitelist nor topic.regex is set: no topic is selected, and nothing is copied",
        ],
    );
    check_notices(
        "topic.rename.format=all",
        &["topic.rename.format=all has no ${topic}: all topics are merged into one"],
    );
    check_notices(
        "src.kafka.reconnect.backoff.max.ms=60000",
        &[
            "src.kafka.reconnect.backoff.max.ms is more than 5000, which is used: a cluster that comes \
           back is to be noticed within seconds",
        ],
    );
    check_notices(
        "src.kafka.ssl.keystore.password=hunter2",
        &[
            "connections are made in plain text, because src.kafka.security.protocol is PLAINTEXT or not \
           set: no effect has src.kafka.ssl.keystore.password",
        ],
    );
}

#[test]
fn what_is_elsewhere_or_asked_for_too_early_is_said_in_one_line_each() {
    check_notices(
        "offset.topic.commit=true\noffset.topic.commit.batch.period.ms=5",
        &[
            "offset.topic.commit=true, offset.topic.commit.batch.period.ms=5 are accepted, but not \
             implemented yet: nothing is committed on the source; positions are kept at the \
             destination or in a file",
        ],
    );
    check_notices(
        "tributary.acl.mode=exact",
        &[
            "tributary.acl.mode: without effect, because permissions are copied only with \
             sync.topic.acls.enabled=true",
        ],
    );
    check_notices(
        "offset.flush.interval.ms=5",
        &[
            "offset.flush.interval.ms (--set) is unknown here and has no effect; it is a key of a worker",
        ],
    );
    check_notices(
        "config.properties.blacklist=a\nconfig.properties.exclude=b",
        &[
            "config.properties.blacklist (--set) is an older name of config.properties.exclude, which \
             is set too, to something else, and wins",
        ],
    );
}

#[test]
fn a_standalone_worker_and_a_distributed_one_keep_positions_where_they_say() {
    let check = |lines: &str, expected: OffsetStorage| {
        let (resolved, _) = resolve_worker(&worker(lines)).expect("usable");
        assert_eq!(resolved.offsets, expected, "{lines}");
        resolved
    };
    let topic = |name: &str, replication_factor, partitions| OffsetStorage::Topic {
        name: name.to_owned(),
        replication_factor,
        partitions,
    };
    let standalone: WorkerConfig = check(
        "offset.storage.file.filename=/tmp/p",
        OffsetStorage::File("/tmp/p".into()),
    );
    assert_eq!(
        standalone,
        WorkerConfig::new(OffsetStorage::File("/tmp/p".into()))
    );

    let distributed = check(
        "bootstrap.servers=a:1,b:2
         group.id=g
         offset.storage.topic=o
         offset.storage.replication.factor=-1
         offset.storage.partitions=5
         offset.storage.file.filename=/tmp/p
         offset.flush.interval.ms=1000
         offset.flush.timeout.ms=2000
         task.shutdown.graceful.timeout.ms=3000
         tributary.buffer.memory=16777216
         key.converter=org.apache.kafka.connect.converters.ByteArrayConverter",
        topic("o", -1, 5),
    );
    assert_eq!(distributed.group_id.as_deref(), Some("g"));
    assert_eq!(distributed.flush_interval, Duration::from_secs(1));
    assert_eq!(distributed.flush_timeout, Duration::from_secs(2));
    assert_eq!(distributed.shutdown_timeout, Duration::from_secs(3));
    assert_eq!(distributed.buffer_memory, 16_777_216);
    assert_eq!(
        distributed
            .bootstrap
            .map(|client| addresses(&client))
            .as_deref(),
        Some("a:1,b:2")
    );
    check("offset.storage.topic=o", topic("o", 3, 25));
}

#[test]
fn json_values_become_texts_as_they_are_written() {
    let text = r#"{"a":1,"b":1.10,"c":true,"d":null,"e":" x ","f/g":"","h":1e3}"#;
    let raw = RawConfig::from_json("x.json", text).expect("JSON");
    let shown: Vec<_> = raw
        .entries()
        .iter()
        .map(|e| format!("{}={} @{}", e.key, e.value, e.origin))
        .collect();
    assert_eq!(
        shown,
        [
            "a=1 @x.json, /a",
            "b=1.10 @x.json, /b",
            "c=true @x.json, /c",
            "e= x  @x.json, /e",
            "f/g= @x.json, /f~1g",
            "h=1e3 @x.json, /h",
        ]
    );
    let wrapped = r#"{"name":"n","config":{"topic.regex":".*"},"initial_state":"STOPPED"}"#;
    let raw = RawConfig::from_json("x.json", wrapped).expect("JSON");
    assert_eq!(raw.initial_state.as_deref(), Some("STOPPED"));
    assert_eq!(raw.get("name").map(|entry| entry.value.as_str()), Some("n"));
}

#[test]
fn later_values_win_and_keep_their_origin() {
    let (mut raw, notices) =
        RawConfig::from_properties("w.properties", "a=1\nb=2\na=3\n").expect("properties");
    assert!(notices.is_empty());
    let mut flags = RawConfig::new();
    flags
        .set_from_flag("--override", "b=4=5")
        .expect("a setting");
    raw.overlay(flags);
    let shown: Vec<_> = raw
        .entries()
        .iter()
        .map(|e| format!("{}={} @{}", e.key, e.value, e.origin))
        .collect();
    assert_eq!(shown, ["a=3 @w.properties, line 3", "b=4=5 @--override"]);
    assert!(!format!("{raw:?}").contains("4=5"), "values may be secrets");
}
