//! Where partitions begin that have no position: per link, per topic, per partition, and where a group has come to.

use test_support::judge;
use test_support::kafka_cluster::KafkaCluster;
use test_support::tools::{CONSUMER_GROUPS, KafkaTools};
use test_support::workload::{Codec, GeneratedRecord, Load};

use crate::support::{COPIED, NEW, OLD, Replicate, new_topic, pair, stored, unique};

/// 2026-01-01T00:00:00Z.
const NEW_YEAR: i64 = 1_767_225_600_000;

async fn ten_records(cluster: &KafkaCluster, topic: &str) {
    new_topic(cluster, topic, 1, &[]).await;
    let records = (0..10).map(|n| GeneratedRecord {
        partition: 0,
        timestamp: NEW_YEAR + n * 1_000,
        key: None,
        value: Some(n.to_string().into_bytes()),
        headers: Vec::new(),
    });
    Load::new(cluster.bootstrap(), topic)
        .codec(Codec::Gzip)
        .send(records)
        .await
        .expect("acknowledged");
}

async fn copied(cluster: &KafkaCluster, topic: &str) -> Vec<String> {
    let read = judge::read_all(&stored(cluster, topic), COPIED)
        .await
        .expect("readable");
    let values = read[&0].iter().map(|record| record.value.clone());
    values
        .map(|value| String::from_utf8(value.unwrap_or_default()).expect("a number"))
        .collect()
}

fn numbers(from: i64) -> Vec<String> {
    (from..10).map(|n| n.to_string()).collect()
}

#[tokio::test]
async fn each_topic_begins_where_it_is_told_to() {
    let (source, destination) = pair(NEW, OLD).await;
    let prefix = unique("begin");
    for name in ["first", "last", "timed", "exact", "otherwise"] {
        ten_records(source, &format!("{prefix}.{name}")).await;
    }
    let start = format!(
        "{prefix}.first=earliest, {prefix}.frist=latest, {prefix}.last=latest, {prefix}.timed=2026-01-01T00:00:03.500Z, {prefix}.exact:0=7, \
         2026-01-01T02:00:06+02:00"
    );
    let link =
        Replicate::new(source, destination, &format!("{prefix}\\..*")).with(&["--start", &start]);
    let run = link.until_caught_up().await.ended_with(0);
    // A slip of the pen would have everything copied in silence.
    let unmet = format!("tributary.start names {prefix}.frist, which is none of the topics");
    assert_eq!(run.error.matches(&unmet).count(), 1, "{run}");
    for (name, from) in [
        ("first", 0),
        ("last", 10),
        ("timed", 4),
        ("exact", 7),
        ("otherwise", 6),
    ] {
        let copied = copied(destination, &format!("{prefix}.{name}")).await;
        assert_eq!(copied, numbers(from), "{name}: {run}");
    }
    // What was not there when the link began is copied whole, although no process has seen it appear.
    let later = format!("{prefix}.later");
    ten_records(source, &later).await;
    let run = link.until_caught_up().await.ended_with(0);
    assert_eq!(copied(destination, &later).await, numbers(0), "{run}");
}

#[tokio::test]
async fn partitions_without_a_position_begin_where_a_group_of_the_source_has_come_to() {
    let (source, destination) = pair(OLD, NEW).await;
    let prefix = unique("taken-over");
    let (read, unread) = (format!("{prefix}.read"), format!("{prefix}.unread"));
    let group = unique("old-copier");
    for topic in [&read, &unread] {
        ten_records(source, topic).await;
    }
    let kafka = KafkaTools::for_version(OLD).expect("jars");
    let bootstrap = source.bootstrap();
    let arguments = [
        "--bootstrap-server",
        &bootstrap,
        "--group",
        &group,
        "--topic",
        &read,
    ];
    let reset = ["--reset-offsets", "--to-offset", "6", "--execute"];
    kafka
        .run(CONSUMER_GROUPS, &[&arguments[..], &reset[..]].concat())
        .await
        .expect("committed");
    let group = format!("src.consumer.group.id={group}");
    let link = Replicate::new(source, destination, &format!("{prefix}\\..*")).with(&[
        "--set",
        &group,
        "--set",
        "offset.start=consumer",
    ]);
    let run = link.until_caught_up().await.ended_with(0);
    assert_eq!(copied(destination, &read).await, numbers(6), "{run}");
    assert_eq!(copied(destination, &unread).await, numbers(0), "{run}");
    // Its own position comes first from now on.
    link.until_caught_up().await.ended_with(0);
    assert_eq!(copied(destination, &read).await, numbers(6));
}
