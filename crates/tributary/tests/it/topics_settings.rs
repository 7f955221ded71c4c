//! Settings of copies: those of the source at creation, followed afterwards, and nobody else's touched.

use std::collections::BTreeMap;
use std::time::Duration;

use test_support::eventually::eventually;
use test_support::kafka_cluster::KafkaCluster;
use test_support::tools::{self, KafkaTools};
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{create_partitions, set_topic_settings, topic_settings, topics};
use tokio::time::Instant;

use crate::support::{COPIED, NEW, OLD, Replicate, both_directions, new_topic, pair, unique};
use crate::topics::described;

/// What quick mode promises, and what a busy machine may add.
const INTERVAL: Duration = Duration::from_secs(5);
const SLACK: Duration = Duration::from_secs(5);
/// For tests that wait for another comparison.
const OFTEN: &str = "topic.config.sync.interval.ms=1000";

/// Kafka's own `kafka-configs`, on one topic.
pub(crate) async fn configure(cluster: &KafkaCluster, topic: &str, change: &[&str]) {
    let kafka = KafkaTools::for_version(cluster.version()).expect("jars");
    let bootstrap = cluster.bootstrap();
    let mut arguments = vec!["--bootstrap-server", &bootstrap, "--alter"];
    arguments.extend(["--entity-type", "topics", "--entity-name", topic]);
    arguments.extend(change);
    kafka
        .run(tools::CONFIG_COMMAND, &arguments)
        .await
        .expect("changed");
}

/// Waits until the copy has exactly these settings; returns how long that took.
pub(crate) async fn has_settings(
    cluster: &KafkaCluster,
    topic: &str,
    expected: &[(&str, &str)],
    program: &TributaryProcess,
) -> Duration {
    let begin = Instant::now();
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let expected: BTreeMap<String, String> = expected.iter().map(owned).collect();
    let bootstrap = cluster.bootstrap();
    let found = eventually("the settings of the copy", COPIED, async || {
        let found = topic_settings(&bootstrap, topic).await;
        let found = found.map_err(|error| error.to_string())?;
        if found == expected {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
    if let Err(error) = found {
        panic!(
            "{error}, expected {expected:?}\n{}",
            program.lines().tail(60)
        );
    }
    begin.elapsed()
}

fn count(program: &TributaryProcess, text: &str) -> usize {
    program.lines().tail(100_000).matches(text).count()
}

#[tokio::test]
async fn a_link_that_looks_at_topics_once_follows_their_settings_and_finds_nothing_new() {
    both_directions(looks_once).await;
}

async fn looks_once(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let prefix = unique("once");
    let (first, later) = (format!("{prefix}.first"), format!("{prefix}.later"));
    new_topic(source, &first, 1, &[]).await;
    let link = Replicate::new(source, destination, &format!("{prefix}\\..*"));
    let program = link
        .with(&["--set", "refresh.topics.enabled=false", "--set", OFTEN])
        .start();
    let pinned = ("message.timestamp.type", "CreateTime");
    has_settings(destination, &first, &[pinned], &program).await;
    new_topic(source, &later, 1, &[]).await;
    let grown = create_partitions(&source.bootstrap(), &first, 2).await;
    grown.expect("grown");
    for value in ["222222222", "333333333"] {
        // Twice, so that one whole look lies between.
        let change = format!("retention.bytes={value}");
        configure(source, &first, &["--add-config", &change]).await;
        let expected = [pinned, ("retention.bytes", value)];
        has_settings(destination, &first, &expected, &program).await;
    }
    let there = topics(&destination.bootstrap()).await.expect("listed");
    assert_eq!(there[&first], 1, "not grown");
    assert!(!there.contains_key(&later), "{there:?}");
    program.terminate().expect("it runs");
}

#[tokio::test]
async fn settings_follow_the_source_and_what_is_excluded_is_never_touched() {
    both_directions(followed).await;
}

async fn followed(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let topic = unique("followed");
    let first = [
        ("cleanup.policy", "compact,delete"),
        ("retention.bytes", "123456789"),
        ("segment.ms", "90000000"),
        // Excluded by default: it would refuse old records.
        ("message.timestamp.after.max.ms", "7200000"),
        // Of no use on another cluster.
        ("leader.replication.throttled.replicas", "*"),
    ];
    new_topic(source, &topic, 2, &first).await;
    let program = Replicate::new(source, destination, &topic).start();
    let created = [
        ("cleanup.policy", "compact,delete"),
        ("message.timestamp.type", "CreateTime"),
        ("retention.bytes", "123456789"),
        ("segment.ms", "90000000"),
    ];
    has_settings(destination, &topic, &created, &program).await;

    // One change, one new, one gone at the source; at the destination one of each kind.
    let own = "--add-config";
    let settings = "message.timestamp.before.max.ms=9000000000,segment.jitter.ms=17";
    configure(destination, &topic, &[own, settings]).await;
    let change = [
        "--add-config",
        "retention.bytes=222222222,max.message.bytes=3000000",
    ];
    let (from, to) = (source, destination);
    configure(
        from,
        &topic,
        &[&change[..], &["--delete-config", "segment.ms"]].concat(),
    )
    .await;
    let followed = [
        ("cleanup.policy", "compact,delete"),
        ("max.message.bytes", "3000000"),
        ("message.timestamp.before.max.ms", "9000000000"),
        ("message.timestamp.type", "CreateTime"),
        ("retention.bytes", "222222222"),
    ];
    let took = has_settings(to, &topic, &followed, &program).await;
    println!("a change of settings was followed within {took:?}");
    assert!(took < INTERVAL + SLACK, "{took:?}");
    // Kafka's own tool sees the same.
    let seen = described(to, &topic).await;
    assert_eq!(
        seen.configs.get("retention.bytes").map(String::as_str),
        Some("222222222")
    );
    assert!(!seen.configs.contains_key("segment.jitter.ms"), "{seen:?}");

    // A list in another order is the same list: nothing is done about it.
    let before = count(&program, "plan: configure");
    let reordered = ["--add-config", "cleanup.policy=[delete,compact]"];
    configure(destination, &topic, &reordered).await;
    // sleeps because nothing is to happen in two intervals.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(
        count(&program, "plan: configure"),
        before,
        "{}",
        program.lines().tail(60)
    );
    let settings = topic_settings(&to.bootstrap(), &topic)
        .await
        .expect("settings");
    assert_eq!(settings["cleanup.policy"], "delete,compact");
    let removed = count(&program, "remove segment.ms (was 90000000)");
    assert_eq!(removed, 1, "what is removed is logged with its value");
    program.terminate().expect("it runs");
}

#[tokio::test]
async fn defaults_come_from_the_source_where_that_is_asked_for() {
    both_directions(defaults).await;
}

async fn defaults(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let topic = unique("defaults");
    new_topic(source, &topic, 1, &[("segment.ms", "90000000")]).await;
    let program = Replicate::new(source, destination, &topic)
        .with(&["--set", "use.defaults.from=source", "--set", OFTEN])
        .start();
    let bootstrap = destination.bootstrap();
    let settings = eventually("a copy with its settings", COPIED, async || {
        let settings = topic_settings(&bootstrap, &topic).await;
        match settings {
            Ok(settings) if settings.contains_key("segment.bytes") => Ok(settings),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));
    assert_eq!(settings["segment.ms"], "90000000");
    // Kafka's default, as the source has it.
    assert_eq!(settings["retention.bytes"], "-1");
    // In the broker's file: it says something about that broker only.
    assert!(!settings.contains_key("retention.ms"), "{settings:?}");
    // sleeps because settings that cannot be followed would be tried again in this time.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let lines = program.lines().tail(1000);
    let again = lines.matches("plan: configure").count();
    assert_eq!(again, 0, "nothing is left to do\n{lines}");
    // What the source has no value of its own for any more has its default there, and so here.
    configure(source, &topic, &["--delete-config", "segment.ms"]).await;
    eventually("the source's default", COPIED, async || {
        let settings = topic_settings(&bootstrap, &topic).await;
        match settings {
            Ok(settings) if settings["segment.ms"] == "604800000" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await
    .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));
    program.terminate().expect("it runs");
}

#[tokio::test]
async fn a_refused_setting_holds_nothing_else_up_and_is_tried_again_when_it_changes() {
    let (source, destination) = pair(OLD, NEW).await;
    let topic = unique("refused-later");
    new_topic(source, &topic, 1, &[]).await;
    let link = Replicate::new(source, destination, &topic).with(&["--set", OFTEN]);
    let program = link.start();
    let pinned = ("message.timestamp.type", "CreateTime");
    has_settings(destination, &topic, &[pinned], &program).await;
    // 4.x wants segments of 1 MiB or more.
    let settings = [("segment.bytes", "40000"), ("retention.bytes", "987654321")];
    set_topic_settings(&source.bootstrap(), &topic, &settings)
        .await
        .expect("set");
    let accepted = [pinned, ("retention.bytes", "987654321")];
    has_settings(destination, &topic, &accepted, &program).await;
    let line = program
        .expect_line(
            "the destination refuses the setting segment.bytes=40000",
            COPIED,
        )
        .await
        .expect("said");
    println!("{}", line.text);
    // sleeps because it must not be tried again while nothing changes.
    tokio::time::sleep(INTERVAL * 2 + Duration::from_secs(1)).await;
    assert_eq!(count(&program, "set segment.bytes=40000"), 1);
    assert_eq!(count(&program, "refuses the setting"), 1, "said once");
    let settings = [
        ("segment.bytes", "2000000"),
        ("retention.bytes", "987654321"),
    ];
    set_topic_settings(&source.bootstrap(), &topic, &settings)
        .await
        .expect("set");
    let accepted = [accepted[0], accepted[1], ("segment.bytes", "2000000")];
    has_settings(destination, &topic, &accepted, &program).await;
    program.terminate().expect("it runs");
}

#[tokio::test]
async fn replicas_and_in_sync_replicas_are_no_more_than_the_destination_can_have() {
    // Three brokers at the source, one at the destination.
    let source = KafkaCluster::builder().name("three").nodes(3).start();
    let (source, (old, new)) = tokio::join!(source, pair(OLD, NEW));
    let source = source.expect("three brokers");
    let topic = unique("replicas");
    new_topic(&source, &topic, 2, &[("min.insync.replicas", "2")]).await;
    tokio::join!(
        replicas_at(&source, old, &topic),
        replicas_at(&source, new, &topic)
    );
}

async fn replicas_at(source: &KafkaCluster, destination: &KafkaCluster, topic: &str) {
    let strict = Replicate::new(source, destination, topic)
        .with(&["--set", "tributary.topic.replication.factor.strict=true"]);
    let run = strict.until_caught_up().await.ended_with(3);
    assert!(run.output.contains("create-failed"), "{run}");
    let fixed = Replicate::new(source, destination, topic)
        .with(&["--set", "dest.topic.replication.factor=2"]);
    let run = fixed.until_caught_up().await.ended_with(3);
    assert!(run.output.contains("create-failed"), "{run}");
    // What MirrorMaker 2 is told for the destination's own default.
    let default = format!("default.{topic}");
    let usual = Replicate::new(source, destination, topic).with(&[
        "--set",
        "replication.factor=-1",
        "--rename",
        "default.${topic}",
    ]);
    usual.until_caught_up().await.ended_with(0);
    assert_eq!(described(destination, &default).await.replication, "1");
    let copied = Replicate::new(source, destination, topic);
    let run = copied.until_caught_up().await.ended_with(0);
    for state in ["replication-reduced", "setting-left-out"] {
        assert!(run.output.contains(state), "{run}");
    }
    let seen = described(destination, topic).await;
    assert_eq!(seen.replication, "1");
    let settings = topic_settings(&destination.bootstrap(), topic).await;
    let settings = settings.expect("readable");
    assert!(
        !settings.contains_key("min.insync.replicas"),
        "{settings:?}"
    );
}
