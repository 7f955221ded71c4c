//! Topics of the destination: made like the source's, followed while they grow, noticed when they appear.

use std::collections::BTreeMap;
use std::time::Duration;

use test_support::judge::{self, Place};
use test_support::kafka_cluster::KafkaCluster;
use test_support::limits::NOTICE_BEYOND_POLL;
use test_support::tools::{self, KafkaTools};
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{Codec, Generator, Load, Shape, create_partitions};
use tokio::time::Instant;

use crate::support::{
    COPIED, NEW, OLD, Replicate, both_directions, committed, compared, new_topic, offsets, pair,
    stored, unique,
};

const SEED: u64 = 9_981;

/// What Kafka's own tool says about a topic: partitions, replication factor, settings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) partitions: String,
    pub(crate) replication: String,
    pub(crate) configs: BTreeMap<String, String>,
}

pub(crate) async fn described(cluster: &KafkaCluster, topic: &str) -> Described {
    let kafka = KafkaTools::for_version(cluster.version()).expect("jars");
    let bootstrap = cluster.bootstrap();
    let arguments = [
        "--bootstrap-server",
        &bootstrap,
        "--describe",
        "--topic",
        topic,
    ];
    let output = kafka
        .run(tools::TOPIC_COMMAND, &arguments)
        .await
        .expect("described")
        .output;
    let field = |name: &str| {
        let line = output.lines().next().expect("the topic's line");
        let (_, rest) = line
            .split_once(&format!("{name}:"))
            .unwrap_or_else(|| panic!("{name} in {line}"));
        rest.split('\t')
            .next()
            .expect("a first part")
            .trim()
            .to_owned()
    };
    // Values may have commas themselves: what has no key belongs to the value before.
    let mut configs: Vec<(String, String)> = Vec::new();
    for part in field("Configs").split(',') {
        match (part.split_once('='), configs.last_mut()) {
            (Some((key, value)), _) => configs.push((key.to_owned(), value.to_owned())),
            (None, Some((_, value))) => *value += &format!(",{part}"),
            (None, None) => {}
        }
    }
    Described {
        partitions: field("PartitionCount"),
        replication: field("ReplicationFactor"),
        configs: configs.into_iter().collect(),
    }
}

pub(crate) async fn send(cluster: &KafkaCluster, topic: &str, partitions: i32, count: usize) {
    // Every record has a key, as compacted topics want it, and batches fit into the smallest segment here.
    Load::new(cluster.bootstrap(), topic)
        .codec(Codec::Zstd)
        .setting("batch.size", "16384")
        .send(Generator::new(Shape::uniform(SEED, partitions, 300)).take(count))
        .await
        .expect("acknowledged");
}

pub(crate) async fn equal(source: &KafkaCluster, destination: &KafkaCluster, topic: &str) {
    let verdict = compared(&committed(source, topic), &stored(destination, topic)).await;
    assert!(verdict.is_equal(), "{topic}, seed {SEED}: {verdict}");
}

#[tokio::test]
async fn a_missing_topic_is_made_with_the_sources_partitions_and_settings() {
    both_directions(made).await;
}

async fn made(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let topic = unique("made");
    let settings = [
        ("cleanup.policy", "compact,delete"),
        ("retention.bytes", "123456789"),
        ("max.message.bytes", "3000000"),
        ("segment.bytes", "2097152"),
        ("min.cleanable.dirty.ratio", "0.75"),
    ];
    new_topic(source, &topic, 7, &settings).await;
    send(source, &topic, 7, 300).await;
    let run = Replicate::new(source, destination, &topic)
        .until_caught_up()
        .await;
    run.ended_with(0).quiet();
    equal(source, destination, &topic).await;

    let there = described(source, &topic).await;
    let mut here = described(destination, &topic).await;
    println!("{here:?}");
    // Pinned, so that a destination with another default does not give the copies other times.
    let time = here.configs.remove("message.timestamp.type");
    assert!(time.is_none_or(|value| value == "CreateTime"));
    assert_eq!(there, here);
    assert_eq!(here.partitions, "7");
    for (key, value) in settings {
        assert_eq!(
            here.configs.get(key).map(String::as_str),
            Some(value),
            "{key}"
        );
    }
}

#[tokio::test]
async fn a_setting_that_the_destination_refuses_does_not_stop_the_topic() {
    let (source, destination) = pair(OLD, NEW).await;
    let topic = unique("refused-setting");
    // 4.x wants segments of 1 MiB or more.
    let settings = [
        ("segment.bytes", "40000"),
        ("retention.bytes", "987654321"),
        // Unknown to 4.x, and excluded unless something else is.
        ("message.timestamp.difference.max.ms", "9000000000000"),
    ];
    new_topic(source, &topic, 2, &settings).await;
    send(source, &topic, 2, 300).await;
    let run = Replicate::new(source, destination, &topic)
        .with(&["--set", "config.properties.exclude=preallocate"])
        .until_caught_up()
        .await
        .ended_with(0);
    let warning = "the destination refuses the setting segment.bytes=40000";
    assert!(run.error.contains(warning), "it is said: {run}");
    equal(source, destination, &topic).await;
    let here = described(destination, &topic).await;
    assert!(!here.configs.contains_key("segment.bytes"), "{here:?}");
    assert!(run.error.contains(settings[2].0), "it is said: {run}");
    assert!(!here.configs.contains_key(settings[2].0), "{here:?}");
    assert_eq!(
        here.configs.get("retention.bytes").map(String::as_str),
        Some("987654321")
    );
}

/// Waits until a first record is stored; returns how long it took.
async fn first_record(place: &Place, since: Instant, program: &TributaryProcess) -> Duration {
    let there = async || offsets(place).await > 0;
    let waited = test_support::eventually::eventually_true("a first record", COPIED, there).await;
    if let Err(error) = waited {
        panic!("{error}\n{}", program.lines().tail(60));
    }
    since.elapsed()
}

#[tokio::test]
async fn topics_and_partitions_that_appear_while_it_runs_are_copied_from_their_first_record() {
    both_directions(appear).await;
}

async fn appear(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let prefix = unique("appears");
    let (early, late) = (format!("{prefix}.early"), format!("{prefix}.late"));
    new_topic(source, &early, 1, &[]).await;
    // What appears later begins at its first record also where everything else begins at its end.
    let program = Replicate::new(source, destination, &format!("{prefix}\\..*"))
        .with(&["--start", "latest"])
        .start();
    let begins = async || {
        send(source, &early, 1, 1).await;
        offsets(&stored(destination, &early)).await > 0
    };
    test_support::eventually::eventually_true("a first record", COPIED, begins)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));

    let begin = Instant::now();
    new_topic(source, &late, 3, &[]).await;
    send(source, &late, 3, 100).await;
    let topic = first_record(&stored(destination, &late), begin, &program).await;

    let begin = Instant::now();
    create_partitions(&source.bootstrap(), &early, 3)
        .await
        .expect("two more");
    send(source, &early, 3, 300).await;
    let place = stored(destination, &early);
    let grown = async || {
        judge::watermarks(&place)
            .await
            .is_ok_and(|marks| marks.get(&2).is_some_and(|marks| marks.end > 0))
    };
    let limit = COPIED;
    test_support::eventually::eventually_true("a record in the new partition", limit, grown)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));
    let partition = begin.elapsed();
    println!(
        "from its creation to the first record copied: topic {topic:?}, partition {partition:?}"
    );
    let (from, to) = (committed(source, &late), stored(destination, &late));
    judge::wait_until_equal(&from, &to, COPIED)
        .await
        .expect("complete");
    let ends = async |place: &Place| {
        let marks = judge::watermarks(place).await.expect("readable");
        [1, 2].map(|partition| marks[&partition].end)
    };
    let grown = ends(&committed(source, &early)).await;
    let copied = async || ends(&place).await == grown;
    test_support::eventually::eventually_true("all of the new partitions", COPIED, copied)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));
    assert_eq!(described(destination, &early).await.partitions, "3");
    assert!(program.runs().expect("known"), "it goes on");
    program.terminate().expect("it runs");
    assert_eq!(program.wait(COPIED).await.expect("it ends").code(), Some(0));
    assert!(
        topic <= NOTICE_BEYOND_POLL && partition <= NOTICE_BEYOND_POLL,
        "topic {topic:?}, partition {partition:?}"
    );
}
