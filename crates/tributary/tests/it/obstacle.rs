//! Batches that cannot pass as they are arrive record by record; what cannot be copied at all stops its own
//! partition, says where and why, and nothing else stops.

use std::sync::atomic::{AtomicI64, Ordering};

use test_support::eventually::eventually;
use test_support::judge::{self, ReadRecord, Topic};
use test_support::kafka_cluster::KafkaCluster;
use test_support::raw;
use test_support::workload::{Codec, GeneratedRecord, Generator, Load, Shape};

use crate::support::{
    COPIED, MAPPED, NEW, Replicate, Run, committed, compared, new_topic, pair, shaken, stored,
    unique,
};

const SEED: u64 = 8;

pub(crate) fn record(partition: i32, key: &str, value: Vec<u8>) -> GeneratedRecord {
    static SENT: AtomicI64 = AtomicI64::new(1_735_689_600_000);
    GeneratedRecord {
        partition,
        // Brokers go by the records' time when they close segments.
        timestamp: SENT.fetch_add(1_000, Ordering::Relaxed),
        key: Some(key.as_bytes().to_vec()),
        value: Some(value),
        headers: Vec::new(),
    }
}

async fn send(cluster: &KafkaCluster, topic: &str, records: Vec<GeneratedRecord>) {
    Load::new(cluster.bootstrap(), topic)
        .codec(Codec::None)
        .send(records)
        .await
        .expect("acknowledged");
}

/// An ordinary topic beside the one with the obstacle, large enough not to be done before that is met.
async fn ordinary(cluster: &KafkaCluster, topic: &str) {
    new_topic(cluster, topic, 3, &[]).await;
    Load::new(cluster.bootstrap(), topic)
        .codec(Codec::Snappy)
        .send(Generator::new(Shape::mixed(SEED, 3)).take(20_000))
        .await
        .expect("acknowledged");
}

/// One partition of a topic, for comparisons.
fn only(partition: i32, records: &[ReadRecord]) -> Topic {
    Topic::from([(partition, records.to_vec())])
}

/// The base offset of the first batch from which the cleaner has taken records.
pub(crate) async fn thinned(
    cluster: &KafkaCluster,
    topic: &str,
    partition: i32,
) -> Result<i64, String> {
    let bytes = raw::raw_fetch_all(&cluster.bootstrap(), topic, partition)
        .await
        .map_err(|error| error.to_string())?;
    let int = |batch: &[u8], at: usize| {
        i32::from_be_bytes(batch[at..at + 4].try_into().expect("inside the header"))
    };
    let batches = raw::whole_batches(&bytes);
    batches
        .iter()
        .find(|batch| int(batch, 57) < int(batch, 23) + 1)
        .map(|batch| i64::from_be_bytes(batch[..8].try_into().expect("8 bytes")))
        .ok_or_else(|| format!("{} batches, all full", batches.len()))
}

/// Nine keys in a batch, the first of which the cleaner can take away. Partition 1 keeps all of its keys.
pub(crate) fn batch_of_keys(partition: i32, text: &str) -> Vec<GeneratedRecord> {
    let value = |key: &str| format!("{text} value of {key} ").repeat(20).into_bytes();
    ["a", "b", "c", "d", "e", "f", "g", "h", "i"]
        .map(|key| record(partition, key, value(key)))
        .to_vec()
}

#[tokio::test]
async fn batches_thinned_by_compaction_arrive_record_by_record_in_every_codec() {
    let guard = shaken().await;
    let clusters = guard.as_ref().expect("started");
    let (source, destination) = (&clusters.source, &clusters.destination);
    let prefix = unique("thinned");
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("delete.retention.ms", "0"),
    ];
    let topics = Codec::ALL.map(|codec| (codec, format!("{prefix}.{}", codec.name())));
    for (codec, topic) in &topics {
        new_topic(source, topic, 2, &settings).await;
        let load = async |records: Vec<GeneratedRecord>| {
            Load::new(source.bootstrap(), topic)
                .codec(*codec)
                .send(records)
                .await
                .expect("acknowledged");
        };
        load([batch_of_keys(0, "first"), batch_of_keys(1, "first")].concat()).await;
        // A tombstone, and a value that is empty.
        let mut again = vec![record(0, "b", Vec::new()), record(0, "d", b"new".to_vec())];
        again.push(GeneratedRecord {
            value: None,
            ..record(0, "f", Vec::new())
        });
        load(again).await;
    }
    for (codec, topic) in &topics {
        let at = eventually("the cleaner's work", COPIED, async || {
            // Only closed segments are cleaned, and one closes when a record comes that is younger by segment.ms.
            send(source, topic, vec![record(0, "last", b"again".to_vec())]).await;
            thinned(source, topic, 0).await
        })
        .await
        .expect("it cleans");
        println!("{}: thinned at offset {at}", codec.name());
    }

    let link = Replicate::new(source, destination, &format!("{prefix}\\..*"));
    let run = link.until_caught_up().await.ended_with(0);
    let decoded = run
        .output
        .lines()
        .find(|line| line.contains("decoded: thinned"));
    println!("{}", decoded.unwrap_or_else(|| panic!("it is said: {run}")));
    for (codec, topic) in &topics {
        let verdict = compared(&committed(source, topic), &stored(destination, topic)).await;
        assert!(verdict.is_equal(), "{}: {verdict}\n{run}", codec.name());
    }
}

#[tokio::test]
async fn a_batch_larger_than_the_destination_takes_arrives_in_parts() {
    let (source, destination) = pair(NEW, NEW).await;
    let prefix = unique("parts");
    for codec in Codec::ALL {
        let topic = format!("{prefix}.{}", codec.name());
        new_topic(source, &topic, 2, &[]).await;
        new_topic(destination, &topic, 2, &[("max.message.bytes", "20000")]).await;
        Load::new(source.bootstrap(), &topic)
            .codec(codec)
            .setting("batch.size", "200000")
            .setting("linger.ms", "200")
            .send(Generator::new(Shape::uniform(SEED, 2, 700)).take(2_000))
            .await
            .expect("acknowledged");
    }
    // The destination keeps its own limit, which the source does not have.
    let link = Replicate::new(source, destination, &format!("{prefix}\\..*"))
        .with(&["--set", "topic.config.sync=false"]);
    let run = link.until_caught_up().await.ended_with(0);
    assert!(run.output.contains("decoded: too-large"), "{run}");
    for codec in Codec::ALL {
        let topic = format!("{prefix}.{}", codec.name());
        let verdict = compared(&committed(source, &topic), &stored(destination, &topic)).await;
        assert!(verdict.is_equal(), "{}: {verdict}\n{run}", codec.name());
    }
}

#[tokio::test]
async fn a_record_larger_than_the_destination_takes_stops_its_partition_alone() {
    let (source, destination) = pair(NEW, NEW).await;
    let prefix = unique("large");
    let (strict, other) = (format!("{prefix}.strict"), format!("{prefix}.other"));
    new_topic(source, &strict, 3, &[]).await;
    new_topic(destination, &strict, 3, &[("max.message.bytes", "4000")]).await;
    ordinary(source, &other).await;
    for round in 0..20 {
        let small = |partition| record(partition, "small", vec![b'.'; 100 + round]);
        send(source, &strict, (0..3).map(small).collect()).await;
        if round == 9 {
            send(source, &strict, vec![record(2, "large", vec![b'x'; 9_000])]).await;
        }
    }
    // The destination keeps its own limit, which the source does not have.
    let link = Replicate::new(source, destination, &format!("{prefix}\\..*"))
        .with(&["--set", "topic.config.sync=false"]);
    let run: Run = link.until_caught_up().await.ended_with(3);
    let report = format!("{strict}-2: refused at offset 10: ");
    let line = run.output.lines().find(|line| line.contains(&report));
    let line = line.unwrap_or_else(|| panic!("\"{report}\" is in the summary: {run}"));
    assert!(
        line.contains("max.message.bytes") && line.contains("4000"),
        "{line}"
    );
    println!("{line}");
    let there = judge::read_all(&committed(source, &strict), COPIED)
        .await
        .expect("readable");
    let here = judge::read_all(&stored(destination, &strict), COPIED)
        .await
        .expect("readable");
    for partition in 0..3 {
        let expected = if partition == 2 {
            &there[&2][..10]
        } else {
            &there[&partition][..]
        };
        let verdict = judge::compare(
            &only(partition, expected),
            &only(partition, &here[&partition]),
        );
        assert!(
            verdict.is_equal(),
            "partition {partition}: {verdict}\n{run}"
        );
    }
    let verdict = compared(&committed(source, &other), &stored(destination, &other)).await;
    assert!(verdict.is_equal(), "the other topic: {verdict}\n{run}");
}

#[tokio::test]
async fn records_that_the_destination_refuses_are_left_out_only_where_that_is_asked_for() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("refused");
    new_topic(source, &topic, 1, &[]).await;
    let settings = [("cleanup.policy", "compact"), ("max.message.bytes", "4000")];
    new_topic(destination, &topic, 1, &settings).await;
    let keyless = |value: &str| GeneratedRecord {
        key: None,
        ..record(0, "", value.as_bytes().to_vec())
    };
    let batch = |n: usize| {
        let mut records = vec![record(0, "a", vec![b'.'; 10 + n]), keyless("nowhere to go")];
        records.push(record(0, "b", vec![b'.'; 20 + n]));
        records
    };
    send(source, &topic, batch(0)).await;
    send(source, &topic, vec![record(0, "large", vec![b'x'; 9_000])]).await;
    send(source, &topic, batch(1)).await;

    // The destination keeps its own limits, which the source does not have.
    let own = ["--set", "topic.config.sync=false"];
    let stops = Replicate::new(source, destination, &topic).with(&own);
    let run = stops.until_caught_up().await.ended_with(3);
    assert!(run.output.contains("refused at offset 0: "), "{run}");

    let skips = Replicate::new(source, destination, &topic)
        .with(&own)
        // Where offsets are preserved, copies of the next record take the place of those that are left out.
        .with(&MAPPED)
        .with(&["--set", "tributary.on.refused=skip"]);
    let run = skips.until_caught_up().await.ended_with(0);
    assert!(run.output.contains("3 records were left out"), "{run}");
    let there = judge::read_all(&committed(source, &topic), COPIED)
        .await
        .expect("readable");
    let here = judge::read_all(&stored(destination, &topic), COPIED)
        .await
        .expect("readable");
    let expected: Vec<ReadRecord> = there[&0]
        .iter()
        .filter(|r| r.key.as_deref().is_some_and(|key| key != b"large"))
        .cloned()
        .collect();
    assert_eq!(expected.len(), 4);
    let verdict = judge::compare(&only(0, &expected), &only(0, &here[&0]));
    assert!(verdict.is_equal(), "{verdict}\n{run}");
}
