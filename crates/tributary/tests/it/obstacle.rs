//! What cannot be copied stops its own partition, says where and why, and nothing else stops.

use std::sync::atomic::{AtomicI64, Ordering};

use test_support::eventually::eventually;
use test_support::judge::{self, ReadRecord, Topic};
use test_support::kafka_cluster::KafkaCluster;
use test_support::raw;
use test_support::workload::{Codec, GeneratedRecord, Generator, Load, Shape};

use crate::support::{
    COPIED, NEW, Replicate, Run, committed, compared, new_topic, pair, shaken, stored, unique,
};

const SEED: u64 = 8;

fn record(partition: i32, key: &str, value: Vec<u8>) -> GeneratedRecord {
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
async fn thinned(cluster: &KafkaCluster, topic: &str, partition: i32) -> Result<i64, String> {
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

#[tokio::test]
async fn a_batch_thinned_by_compaction_stops_its_partition_alone() {
    let guard = shaken().await;
    let clusters = guard.as_ref().expect("started");
    let (source, destination) = (&clusters.source, &clusters.destination);
    let prefix = unique("thinned");
    let (compacted, other) = (format!("{prefix}.compacted"), format!("{prefix}.other"));
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("delete.retention.ms", "0"),
    ];
    new_topic(source, &compacted, 2, &settings).await;
    ordinary(source, &other).await;
    // Partition 1 keeps all its keys; in partition 0 the first batch loses one of three.
    let first = |partition: i32| {
        ["a", "b", "c"]
            .map(|key| record(partition, key, b"first".to_vec()))
            .to_vec()
    };
    send(source, &compacted, [first(0), first(1)].concat()).await;
    send(
        source,
        &compacted,
        vec![
            record(0, "b", b"second".to_vec()),
            record(1, "d", b"first".to_vec()),
        ],
    )
    .await;
    let obstacle = eventually("the cleaner's work", COPIED, async || {
        // Only closed segments are cleaned, and one closes when a record comes that is younger by segment.ms.
        send(
            source,
            &compacted,
            vec![record(0, "last", b"again".to_vec())],
        )
        .await;
        thinned(source, &compacted, 0).await
    })
    .await
    .expect("it cleans");

    let link = Replicate::new(source, destination, &format!("{prefix}\\..*"));
    let run = link.until_caught_up().await.ended_with(3);
    let report = format!("{compacted}-0: cannot-pass at offset {obstacle}: ");
    let line = run.output.lines().find(|line| line.contains(&report));
    let line = line.unwrap_or_else(|| panic!("\"{report}\" is in the summary: {run}"));
    assert!(
        line.to_lowercase().contains("compact"),
        "the reason is named: {line}"
    );
    println!("{line}");
    assert_eq!(run.output.matches("cannot-pass").count(), 1, "{run}");
    let verdict = compared(&committed(source, &other), &stored(destination, &other)).await;
    assert!(verdict.is_equal(), "the other topic: {verdict}\n{run}");
    let there = judge::read_all(&committed(source, &compacted), COPIED)
        .await
        .expect("readable");
    let here = judge::read_all(&stored(destination, &compacted), COPIED)
        .await
        .expect("readable");
    let verdict = judge::compare(&only(1, &there[&1]), &only(1, &here[&1]));
    assert!(verdict.is_equal(), "the other partition: {verdict}\n{run}");
    assert!(
        here[&0].is_empty(),
        "nothing passes the obstacle: {:?}",
        here[&0]
    );
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
        line.contains("MESSAGE_TOO_LARGE") && line.contains("bytes"),
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
