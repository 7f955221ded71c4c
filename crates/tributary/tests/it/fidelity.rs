//! The copy is the source, record by record, for every codec and version, plain and in transactions.

use test_support::judge;
use test_support::kafka_cluster::KafkaCluster;
use test_support::kafka_jars::KafkaVersion;
use test_support::workload::{Codec, Generator, Load, Mode, Produced, Shape};

use crate::support::{
    COPIED, NEW, OLD, Replicate, batches, both_directions, committed, compared, new_topic, pair,
    stored, transactions, unique,
};

const PARTITIONS: i32 = 3;
const RECORDS: usize = 1_500;

/// A topic of the source, and what was put into it.
struct Loaded {
    topic: String,
    codec: Codec,
    kind: &'static str,
    produced: Produced,
}

async fn load(
    cluster: &KafkaCluster,
    prefix: &str,
    codec: Codec,
    kind: &'static str,
    seed: u64,
) -> Loaded {
    let topic = format!("{prefix}.{codec}.{kind}");
    let bootstrap = cluster.bootstrap();
    new_topic(cluster, &topic, PARTITIONS, &[]).await;
    let mode = match kind {
        "plain" => Mode::Plain,
        _ => transactions(seed),
    };
    let records = Generator::new(Shape::mixed(seed, PARTITIONS)).take(RECORDS);
    let load = Load::new(bootstrap, &topic).codec(codec).mode(mode);
    let produced = load.send(records).await.expect("all are acknowledged");
    Loaded {
        topic,
        codec,
        kind,
        produced,
    }
}

/// Ten topics, one run of the program, ten comparisons.
async fn copies_are_equal(
    source: &KafkaCluster,
    destination: &KafkaCluster,
    rename: &str,
    seed: u64,
) {
    let versions = format!("{} → {}", source.version(), destination.version());
    let prefix = unique("fidelity");
    let mut topics = Vec::new();
    let begin = tokio::time::Instant::now();
    for codec in Codec::ALL {
        let plain = load(source, &prefix, codec, "plain", seed);
        let transactional = load(source, &prefix, codec, "transactional", seed);
        topics.extend(<[Loaded; 2]>::from(tokio::join!(plain, transactional)));
    }
    let run = Replicate::new(source, destination, &format!("{prefix}\\..*"))
        .with(&["--rename", rename])
        .until_caught_up()
        .await;
    let run = run.ended_with(0).quiet();
    assert!(run.output.contains("CURRENT"), "{run}");

    let mut table =
        format!("{versions}, seed {seed}\n  codec   kind           records  aborted  equal\n");
    for loaded in &topics {
        let from = committed(source, &loaded.topic);
        let to = stored(destination, &rename.replace("${topic}", &loaded.topic));
        let verdict = compared(&from, &to).await;
        let (codec, kind) = (loaded.codec.name(), loaded.kind);
        table += &format!(
            "  {codec:7} {kind:14} {:7}  {:7}  {}
",
            verdict.destination,
            loaded.produced.aborted,
            verdict.is_equal()
        );
        assert!(
            verdict.is_equal(),
            "{versions}, seed {seed}, {codec}, {kind}: {verdict}"
        );
        let digest = judge::digest(&to, COPIED).await.expect("readable");
        assert_eq!(
            digest, loaded.produced.digests,
            "{versions}, seed {seed}, {codec}, {kind}"
        );
        if kind == "transactional" {
            assert!(
                loaded.produced.aborted > 100,
                "the load has aborted records"
            );
        }
    }
    println!("{table}checked {:?}", begin.elapsed());
}

#[tokio::test]
async fn what_a_3_9_cluster_holds_is_in_a_4_3_cluster_unchanged() {
    let (source, destination) = pair(OLD, NEW).await;
    copies_are_equal(source, destination, "${topic}", 3_943).await;
}

#[tokio::test]
async fn what_a_4_3_cluster_holds_is_in_a_3_9_cluster_unchanged() {
    let (source, destination) = pair(NEW, OLD).await;
    copies_are_equal(source, destination, "${topic}", 4_339).await;
}

#[tokio::test]
async fn what_a_4_3_cluster_holds_is_in_another_under_a_new_name() {
    let (source, destination) = pair(NEW, NEW).await;
    copies_are_equal(source, destination, "west.${topic}", 4_343).await;
}

#[tokio::test]
async fn what_the_newest_broker_holds_is_in_a_4_3_cluster_unchanged() {
    let newest = KafkaCluster::builder()
        .name("newest")
        .version(KafkaVersion::V4_4_0);
    let source = newest.start().await.expect("it starts");
    let (_, destination) = pair(NEW, NEW).await;
    copies_are_equal(&source, destination, "${topic}", 4_443).await;
}

#[tokio::test]
async fn tiny_batches_of_a_partition_that_is_behind_are_merged_to_the_end_and_not_every_other_answer()
 {
    both_directions(merged).await;
}

async fn merged(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let prefix = unique("tiny");
    for codec in [Codec::None, Codec::Lz4] {
        let topic = format!("{prefix}.{codec}");
        new_topic(source, &topic, 1, &[]).await;
        let records = Generator::new(Shape::uniform(1_024, 1, 1_000)).take(8_000);
        Load::new(source.bootstrap(), &topic)
            .codec(codec)
            .setting("batch.num.messages", "1")
            .setting("linger.ms", "0")
            .send(records)
            .await
            .expect("acknowledged");
    }
    let run = Replicate::new(source, destination, &format!("{prefix}\\..*"))
        .until_caught_up()
        .await
        .ended_with(0);
    for codec in [Codec::None, Codec::Lz4] {
        let topic = format!("{prefix}.{codec}");
        let verdict = compared(&committed(source, &topic), &stored(destination, &topic)).await;
        assert!(verdict.is_equal(), "{topic}: {verdict}");
        let (there, here) = (
            batches(source, &topic).await,
            batches(destination, &topic).await,
        );
        println!("{topic}: {there} batches became {here}");
        // What comes with the first answer is not known to be behind; what comes later is.
        assert!(
            here * 3 < there,
            "{topic}: {there} batches became {here}\n{run}"
        );
    }
}
