//! MirrorMaker 2's configurations: the connector's, and the file of flows.

use std::time::Duration;

use config::link::{DefaultsFrom, ReplicationFactor};
use config::raw::RawConfig;
use config::{Flow, LinkConfig, Naming, OffsetStorage, resolve_link, resolve_mirrors};

use crate::no_cluster;

/// A file as people have it, with most of what the documentation shows.
const FILE: &str = r"
# three clusters, two of them both ways
clusters = west, east, backup
west.bootstrap.servers = west-1:9092, west-2:9092
east.bootstrap.servers = east-1:9092
backup.bootstrap.servers = backup-1:9092
security.protocol = PLAINTEXT
west.consumer.fetch.max.bytes = 1000000
west.client.rack = r1
east.producer.max.request.size = 2000000
east.offset.storage.partitions = 7
offset.storage.replication.factor = 1
config.storage.replication.factor = 1

west->east.enabled = true
west->east.topics = orders.*, payments
east->west.enabled = true
east->west.topics.blacklist = secret.*
west->backup.enabled = true
west->backup.replication.policy.class = io.strimzi.kafka.connect.mirror.IdentityReplicationPolicy
west->backup.replication.factor = -1
west->backup.sync.topic.acls.enabled = false
east->backup.enabled = false

topics = .*
groups = .*
tasks.max = 4
replication.factor = 3
refresh.topics.interval.seconds = 30
sync.topic.configs.interval.seconds = 60
sync.topic.acls.interval.seconds = 90
use.defaults.from = source
emit.heartbeats.interval.seconds = 5
emit.checkpoints.interval.seconds = 10
key.converter = org.apache.kafka.connect.converters.ByteArrayConverter
";

fn file(text: &str) -> RawConfig {
    RawConfig::from_properties("mm2.properties", text)
        .expect("properties")
        .0
}

#[track_caller]
fn flows(text: &str, only: Option<&[&str]>) -> (Vec<Flow>, Vec<String>) {
    let only: Option<Vec<String>> =
        only.map(|only| only.iter().map(|name| (*name).to_owned()).collect());
    let (flows, notices) = resolve_mirrors(&file(text), only.as_deref()).expect("usable");
    (flows, notices.iter().map(ToString::to_string).collect())
}

fn brokers(client: &config::ClientConfig) -> String {
    let brokers: Vec<_> = client
        .bootstrap_servers
        .iter()
        .map(ToString::to_string)
        .collect();
    brokers.join(",")
}

fn named<'a>(flows: &'a [Flow], name: &str) -> &'a Flow {
    flows
        .iter()
        .find(|flow| flow.link.name == name)
        .expect(name)
}

#[test]
fn a_file_of_flows_runs_unchanged() {
    let (flows, notices) = flows(FILE, None);
    let names: Vec<_> = flows.iter().map(|flow| flow.link.name.as_str()).collect();
    assert_eq!(names, ["west->east", "west->backup", "east->west"]);
    assert_eq!(
        notices,
        [
            "accepted without effect: key.converter",
            "emit.heartbeats.interval.seconds=5, emit.heartbeats.enabled=true (the default) are accepted, \
             but not implemented yet: a MirrorHeartbeatConnector writes heartbeats, flows and other connectors do not",
            "emit.checkpoints.interval.seconds=10, emit.checkpoints.enabled=true (the default) are \
             accepted, but not implemented yet: checkpoints are not written, and offsets of consumer \
             groups are not translated",
            "emit.offset-syncs.enabled=true (the default) is accepted, but not implemented yet: offset \
             syncs are not written; the link keeps an exact map of its own",
        ]
    );
}

#[test]
fn each_flow_has_its_own_two_clusters_topics_and_positions() {
    let (flows, _) = flows(FILE, None);
    let Flow { link, worker } = named(&flows, "west->east");
    assert_eq!(brokers(&link.source), "west-1:9092,west-2:9092");
    assert_eq!(brokers(&link.destination), "east-1:9092");
    assert_eq!(link.source.client_rack.as_deref(), Some("r1"));
    assert_eq!(link.destination.client_id, "west->east");
    assert_eq!(
        link.source.client_id, "west->east|MirrorSourceConnector-0|replication-consumer",
        "quotas of MirrorMaker 2 go on to hold"
    );
    assert_eq!(link.fetch.max_bytes, 1_000_000);
    assert_eq!(link.produce.max_request_size, 2_000_000);
    assert!(link.topics.selection.is_selected("orders.v1"));
    assert!(!link.topics.selection.is_selected("other"));
    assert_eq!(
        link.topics.naming.apply("orders").as_deref(),
        Ok("west.orders")
    );
    assert_eq!(
        worker.offsets,
        OffsetStorage::Topic {
            name: "mm2-offsets.west.internal".to_owned(),
            replication_factor: 1,
            partitions: 7,
        }
    );
    assert_eq!(worker.group_id.as_deref(), Some("west-mm2"));
    assert_eq!(
        worker.bootstrap.as_ref().map(brokers).as_deref(),
        Some("east-1:9092")
    );

    let back = &named(&flows, "east->west").link;
    assert_eq!(brokers(&back.source), "east-1:9092");
    assert_eq!(
        back.fetch.max_bytes, 52_428_800,
        "that was of the other cluster"
    );
    let decide = |name| back.topics.selection.decide(name).to_string();
    assert_eq!(decide("orders"), "selected by the pattern .*");
    assert_eq!(
        decide("secrets"),
        "excluded by the pattern secret.*: the configuration excludes names like this"
    );

    let backup = &named(&flows, "west->backup").link;
    assert!(matches!(backup.topics.naming, Naming::Kept(_)));
    assert_eq!(
        backup.topics.naming.apply("orders").as_deref(),
        Ok("orders")
    );
    assert_eq!(
        backup.topics.replication_factor,
        ReplicationFactor::BrokerDefault
    );
    assert_eq!(backup.topics.acls, None);
}

#[test]
fn settings_of_the_top_hold_for_every_flow_that_has_none() {
    let (flows, _) = flows(FILE, None);
    let topics = &named(&flows, "west->east").link.topics;
    let key = "replication.factor";
    let expected = ReplicationFactor::Fixed { count: 3, key };
    assert_eq!(topics.replication_factor, expected);
    assert_eq!(topics.timestamp_type, None, "MirrorMaker 2 leaves it alone");
    assert_eq!(topics.poll_interval, Duration::from_secs(30));
    assert_eq!(topics.config_sync, Some(Duration::from_secs(60)));
    assert_eq!(topics.defaults_from, DefaultsFrom::Source);
    let acls = topics.acls.as_ref().expect("on in this form");
    assert_eq!(acls.interval, Duration::from_secs(90));
    assert!(acls.topics && !acls.groups && acls.delete);
    assert!(topics.config_exclude.is_match("min.insync.replicas"));
    assert!(
        topics
            .config_exclude
            .is_match("message.timestamp.before.max.ms")
    );
    assert!(!topics.config_exclude.is_match("cleanup.policy"));
}

#[test]
fn a_process_can_be_limited_to_the_clusters_it_writes_to() {
    let (flows, _) = flows(FILE, Some(&["backup", "west"]));
    let names: Vec<_> = flows.iter().map(|flow| flow.link.name.as_str()).collect();
    assert_eq!(names, ["west->backup", "east->west"]);
}

#[test]
fn stronger_places_win_in_the_order_of_mirrormaker_2() {
    let base =
        "clusters=a,b\na.bootstrap.servers=a:1\nb.bootstrap.servers=b:1\na->b.enabled=true\n";
    let of = |lines: &str| {
        let (mut flows, notices) = flows(&format!("{base}{lines}"), None);
        (flows.remove(0), notices)
    };
    let (flow, _) = of("topics=top\na->b.topics=flow");
    assert!(flow.link.topics.selection.is_selected("flow"));
    assert!(!flow.link.topics.selection.is_selected("top"));
    // A cluster's consumer is stronger than the flow's, because it is the more exact of the two.
    let (flow, _) = of("a.consumer.fetch.max.bytes=1\na->b.consumer.fetch.max.bytes=2");
    assert_eq!(flow.link.fetch.max_bytes, 1);
    let (flow, _) = of("a->b.source.consumer.fetch.max.bytes=3\na.consumer.fetch.max.bytes=1");
    assert_eq!(flow.link.fetch.max_bytes, 3);
    let (flow, _) = of("b.offset.storage.topic=mine");
    assert!(matches!(flow.worker.offsets, OffsetStorage::Topic { name, .. } if name == "mine"));
    let (flow, _) = of("b.offset.storage.topic=mine\noffset.storage.topic=all");
    assert!(matches!(flow.worker.offsets, OffsetStorage::Topic { name, .. } if name == "all"));
    let (flow, _) = of("topics=");
    assert!(flow.link.topics.selection.is_empty());
    let (flow, _) = of("refresh.topics.enabled=false\nsync.topic.configs.enabled=false");
    assert!(!flow.link.topics.refresh);
    assert!(flow.link.topics.poll_interval > Duration::from_secs(1_000_000_000 / 10));
    assert_eq!(flow.link.topics.config_sync, None);
}

#[test]
fn keys_at_the_wrong_place_of_the_file_are_told() {
    let text = "clusters=a,b\na.bootstrap.servers=a:1\nb.bootstrap.servers=b:1\na->b.enabled=true
emit.heartbeats.enabled=false\nemit.checkpoints.enabled=false\nemit.offset-syncs.enabled=false
a.sync.topic.configs.enabled=false
a->b.topisc=x
a->c.enabled=true
a.bootstrap.server=x:1
offset.flush.interval.ms=5
source.consumer.fetch.max.bytes=5
topics.include=x
name=all
dedicated.mode.enable.internal.rest=true";
    let (_, notices) = flows(text, None);
    let at = |line| format!("(mm2.properties, line {line})");
    assert_eq!(
        notices,
        [
            format!(
                "a.sync.topic.configs.enabled {} has no effect: sync.topic.configs.enabled is a key of \
                 flows; write it as sync.topic.configs.enabled, for all of them, or behind the name of a flow",
                at(8)
            ),
            format!(
                "a->b.topisc {} is unknown and has no effect; did you mean a->b.topics ?",
                at(9)
            ),
            format!(
                "a->c.enabled {} has no effect: clusters has only a, b",
                at(10)
            ),
            format!(
                "a.bootstrap.server {} is unknown and has no effect; did you mean a.bootstrap.servers ?",
                at(11)
            ),
            format!(
                "offset.flush.interval.ms {} has no effect at the top of the file; write it behind an \
                 alias, as in a.offset.flush.interval.ms",
                at(12)
            ),
            format!(
                "source.consumer.fetch.max.bytes {} has no effect at the top of the file; write it \
                 behind the name of a flow",
                at(13)
            ),
            format!(
                "topics.include {} is unknown and has no effect; did you mean topics ?",
                at(14)
            ),
            format!(
                "name {} has no effect at the top of the file; write it behind the name of a flow",
                at(15)
            ),
            "accepted without effect: dedicated.mode.enable.internal.rest".to_owned(),
        ]
    );
}

#[track_caller]
fn check_wrong(lines: &str, expected: &[&str]) {
    let problems = resolve_mirrors(&file(lines), None).expect_err(lines);
    let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(shown, expected, "{lines}");
}

#[test]
fn a_file_that_cannot_be_used_is_refused_with_all_its_problems() {
    let base =
        "clusters=a,b\na.bootstrap.servers=a:1\nb.bootstrap.servers=b:1\na->b.enabled=true\n";
    let wrong = |lines: &str, expected: &[&str]| check_wrong(&format!("{base}{lines}"), expected);
    check_wrong(
        "clusters=a,b\na.bootstrap.servers=a:1\na->b.enabled=true",
        &[
            "b.bootstrap.servers: clusters names b, and nothing says where it is; set it to its brokers, \
           for example broker1:9092,broker2:9092",
        ],
    );
    check_wrong(
        "clusters=\n",
        &[
            "clusters: the file names no clusters; set it to the aliases of all clusters, for example \
           clusters=west,east",
        ],
    );
    check_wrong(
        "clusters=a,b\na.bootstrap.servers=a:1\nb.bootstrap.servers=b:1",
        &["a->b.enabled: no flow is enabled, so nothing would be copied; set a->b.enabled=true"],
    );
    check_wrong(
        "clusters=a,a\na.bootstrap.servers=a:1",
        &["clusters=a,a (mm2.properties, line 1): the alias a stands there twice"],
    );
    check_wrong(
        "clusters=a b\na.bootstrap.servers=a:1",
        &[
            "clusters=a b (mm2.properties, line 1): the alias a b becomes part of topic names, and ' ' \
           cannot stand there; legal are letters, digits, '.', '_' and '-'; several are separated by commas",
        ],
    );
    wrong(
        "b->a.enabled=true\na->b.name=x\nb->a.name=x",
        &["name=x: two flows have this name; leave it out: a flow is called A->B then"],
    );
    wrong(
        "b->b.enabled=true",
        &[
            "b->b.enabled=true (mm2.properties, line 5): a cluster cannot be copied onto itself; a flow \
           goes from one cluster to another",
        ],
    );
    wrong(
        "b->a.enabled=yes",
        &[
            "b->a.enabled=yes (mm2.properties, line 5): it is neither true nor false; write true or false",
        ],
    );
    wrong(
        "b.bootstrap.servers=a:1",
        &[
            "b.bootstrap.servers=a:1 (mm2.properties, line 5): source and destination are the same \
           brokers, and topics would be copied onto themselves; name two clusters",
        ],
    );
    wrong(
        "b->a.enabled=true\ntasks.max=0\ntopics=a{1,3}",
        &[
            "tasks.max=0 (mm2.properties, line 6): the number is out of range; it has to be from 1 to 2147483647",
            "topics=a{1,3} (mm2.properties, line 7): the pattern a{1, character 2: a list is split at every \
           comma, also at the one of a count like {1,3}; write the alternatives: (a|aa|aaa)",
        ],
    );
    wrong(
        "a.security.protocol=TLS",
        &[
            "a.security.protocol=TLS (mm2.properties, line 5): there is no such choice; choose one of \
           PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL",
        ],
    );
    wrong(
        "a->b.tributary.on.gaps=stop\ntributary.topics=1",
        &[
            "a->b.tributary.on.gaps (mm2.properties, line 5): there is no such key; did you mean \
           a->b.tributary.on.gap ?",
            "tributary.topics (mm2.properties, line 6): there is no such key",
        ],
    );
}

fn connector(lines: &str) -> RawConfig {
    file(&format!(
        "name=m\nconnector.class=org.apache.kafka.connect.mirror.MirrorSourceConnector\n\
         source.cluster.alias=a\ntarget.cluster.alias=b\nsource.cluster.bootstrap.servers=a:1\n\
         target.cluster.bootstrap.servers=b:1\nemit.offset-syncs.enabled=false\n{lines}"
    ))
}

#[track_caller]
fn link(lines: &str) -> LinkConfig {
    resolve_link(&connector(lines), &no_cluster())
        .expect(lines)
        .0
}

#[test]
fn a_mirror_source_connector_is_a_link_with_mirrormaker_2s_defaults() {
    let (link, notices) = resolve_link(&connector(""), &no_cluster()).expect("usable");
    assert!(notices.is_empty(), "{notices:?}");
    assert_eq!(
        (brokers(&link.source), brokers(&link.destination)),
        ("a:1".into(), "b:1".into())
    );
    let topics = link.topics;
    let key = "replication.factor";
    let expected = ReplicationFactor::Fixed { count: 2, key };
    assert_eq!(topics.replication_factor, expected);
    assert_eq!(topics.poll_interval, Duration::from_secs(600));
    assert_eq!(topics.create_backoff, Duration::from_secs(120));
    assert_eq!(topics.config_sync, Some(Duration::from_secs(600)));
    assert!(topics.acls.is_some());
    assert_eq!(topics.naming.to_string(), "a.${topic}");
}

const SELECTED_BY_ALL: &str = "selected by the pattern .*";
const HEARTBEATS: &str = "selected by the rule that heartbeats are always copied";
const BACK: &str = "excluded by the rules on names: it is a copy that came from the destination";
const GROWS: &str = "excluded by the rules on names: these heartbeats came from the source itself";
const INTERNAL: &str =
    "excluded by the rules on names: it is internal to Kafka, Connect or MirrorMaker 2";

#[track_caller]
fn check_decisions(lines: &str, decisions: &[(&str, &str)]) {
    let selection = link(lines).topics.selection;
    for (topic, expected) in decisions {
        let decision = selection.decide(topic).to_string();
        assert_eq!(decision, *expected, "{topic} with {lines}");
    }
}

#[test]
fn every_topic_gets_mirrormaker_2s_decision_and_its_reason() {
    check_decisions(
        "",
        &[
            ("orders", SELECTED_BY_ALL),
            ("c.orders", SELECTED_BY_ALL),
            ("b.orders", BACK),
            ("c.b.orders", BACK),
            ("heartbeats", HEARTBEATS),
            ("c.heartbeats", HEARTBEATS),
            ("b.heartbeats", BACK),
            ("a.heartbeats", GROWS),
            ("c.a.heartbeats", GROWS),
            ("device-heartbeats", SELECTED_BY_ALL),
            (
                "x.replica",
                r"excluded by the pattern .*\.replica: the configuration excludes names like this",
            ),
            (
                "mm2-offsets.b.internal",
                r"excluded by the pattern .*[\-\.]internal: the configuration excludes names like this",
            ),
            (
                "__consumer_offsets",
                "excluded by the built-in list: it holds state of its own cluster and is never copied",
            ),
        ],
    );
    check_decisions(
        "topics.exclude=",
        &[
            ("x.replica", SELECTED_BY_ALL),
            ("connect-internal", INTERNAL),
            (".hidden", INTERNAL),
            ("__anything", INTERNAL),
        ],
    );
    check_decisions(
        "topics=orders\nheartbeats.replication.enabled=false",
        &[
            ("orders", "selected by the pattern orders"),
            (
                "heartbeats",
                "excluded: neither a name nor a pattern selects it",
            ),
        ],
    );
    check_decisions(
        "replication.policy.separator=_\ntopics.exclude=",
        &[
            ("x_internal", INTERNAL),
            ("b_orders", BACK),
            ("b.orders", SELECTED_BY_ALL),
        ],
    );
    check_decisions(
        "replication.policy.separator=_\nreplication.policy.internal.topic.separator.enabled=false",
        &[("x_internal", SELECTED_BY_ALL)],
    );
    check_decisions(
        "replication.policy.class=org.apache.kafka.connect.mirror.IdentityReplicationPolicy",
        &[
            ("b.orders", SELECTED_BY_ALL),
            ("b.heartbeats", BACK),
            ("heartbeats", HEARTBEATS),
        ],
    );
}

#[test]
fn our_own_connector_takes_the_words_of_both_products() {
    let raw = crate::link(
        "topic.regex
         src.kafka.bootstrap.servers
         source.cluster.bootstrap.servers=w:1
         source.cluster.alias=w
         target.cluster.alias=e
         replication.policy.class=org.apache.kafka.connect.mirror.DefaultReplicationPolicy
         topics=a.*
         topics.exclude=ab
         refresh.topics.interval.seconds=5
         replication.factor=4",
    );
    let (link, notices) = resolve_link(&raw, &no_cluster()).expect("usable");
    assert!(notices.is_empty(), "{notices:?}");
    assert_eq!(brokers(&link.source), "w:1");
    assert!(link.topics.selection.is_selected("aa") && !link.topics.selection.is_selected("ab"));
    assert_eq!(link.topics.naming.apply("aa").as_deref(), Ok("w.aa"));
    assert_eq!(link.topics.poll_interval, Duration::from_secs(5));
    let key = "replication.factor";
    let expected = ReplicationFactor::Fixed { count: 4, key };
    assert_eq!(link.topics.replication_factor, expected);
    assert_eq!(link.topics.acls, None, "off, as in Replicator");
}
