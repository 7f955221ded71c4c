//! Topics that are awkward to copy, in every codec: huge records, thousands of headers, append times, tombstones.
//!
//! Thinned topics are in `obstacle`, plain and transactional ones in `fidelity`.

use test_support::kafka_cluster::KafkaCluster;
use test_support::workload::{Codec, GeneratedRecord, Generator, Load, Shape};

use crate::support::{NEW, OLD, Replicate, committed, compared, new_topic, pair, stored, unique};

const SEED: u64 = 20_000;
/// Bytes of a huge value.
const HUGE: usize = 20_000_000;
/// Headers of one record.
const HEADERS: usize = 10_000;

fn record(key: &str, value: Option<Vec<u8>>, sequence: i64) -> GeneratedRecord {
    GeneratedRecord {
        partition: 0,
        timestamp: 1_735_689_600_000 + sequence,
        key: Some(key.as_bytes().to_vec()),
        value,
        headers: Vec::new(),
    }
}

/// Text that codecs shrink to about a third.
fn text(bytes: usize) -> Vec<u8> {
    (0_u32..)
        .flat_map(|n| {
            format!(
                "{:08x} line {n} of a long text\n",
                n.wrapping_mul(2_654_435_761)
            )
            .into_bytes()
        })
        .take(bytes)
        .collect()
}

/// The records of one row, all of them for partition 0.
fn records(row: &str) -> Vec<GeneratedRecord> {
    match row {
        "huge" => (0..2)
            .map(|n| record("huge", Some(text(HUGE + n)), 0))
            .chain([record("small", Some(b"behind it".to_vec()), 1)])
            .collect(),
        "headers" => {
            let header = |n: usize| {
                let value = match n % 3 {
                    0 => None,
                    1 => Some(Vec::new()),
                    _ => Some(n.to_be_bytes().to_vec()),
                };
                (format!("header {}", n % 50), value)
            };
            let many = (0..HEADERS).map(header).collect();
            vec![
                GeneratedRecord {
                    headers: many,
                    ..record("many", Some(b"headers".to_vec()), 0)
                },
                record("none", None, 1),
            ]
        }
        "tombstones" => (0..300)
            .map(|n| {
                let value = match n % 3 {
                    0 => None,
                    1 => Some(Vec::new()),
                    _ => Some(format!("value {n}").into_bytes()),
                };
                record(&format!("key {}", n % 40), value, n)
            })
            .collect(),
        _ => Generator::new(Shape::mixed(SEED, 1)).take(400).collect(),
    }
}

const ROWS: [(&str, &[(&str, &str)]); 4] = [
    ("huge", &[("max.message.bytes", "31000000")]),
    ("headers", &[]),
    ("tombstones", &[("cleanup.policy", "compact")]),
    (
        "append-time",
        &[("message.timestamp.type", "LogAppendTime")],
    ),
];

async fn every_row_is_equal(source: &KafkaCluster, destination: &KafkaCluster) {
    let prefix = unique("awkward");
    for codec in Codec::ALL {
        for (row, settings) in ROWS {
            let topic = format!("{prefix}.{codec}.{row}");
            new_topic(source, &topic, 1, settings).await;
            Load::new(source.bootstrap(), &topic)
                .codec(codec)
                .setting("message.max.bytes", "30000000")
                .send(records(row))
                .await
                .expect("acknowledged");
        }
    }
    let run = Replicate::new(source, destination, &format!("{prefix}\\..*"))
        .with(&["--set", "tributary.timestamps=appended"])
        .until_caught_up()
        .await
        .ended_with(0);
    let mut table = format!(
        "{} → {}, seed {SEED}\n  codec   row          records  equal\n",
        source.version(),
        destination.version()
    );
    for codec in Codec::ALL {
        for (row, _) in ROWS {
            let topic = format!("{prefix}.{codec}.{row}");
            let verdict = compared(&committed(source, &topic), &stored(destination, &topic)).await;
            let equal = verdict.is_equal();
            table += &format!(
                "  {:7} {row:12} {:7}  {equal}\n",
                codec.name(),
                verdict.destination
            );
            assert!(equal, "{codec}, {row}: {verdict}\n{run}");
        }
    }
    println!("{table}");
}

#[tokio::test]
async fn awkward_topics_arrive_unchanged_in_every_codec() {
    let (source, destination) = pair(NEW, NEW).await;
    every_row_is_equal(source, destination).await;
}

#[tokio::test]
async fn awkward_topics_of_an_older_cluster_arrive_unchanged() {
    let (source, destination) = pair(OLD, NEW).await;
    every_row_is_equal(source, destination).await;
}
