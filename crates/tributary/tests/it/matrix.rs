//! The matrix: every codec, and every kind of topic that replicators lose something of, identical to an independent reader.
//!
//! ```text
//! {none, gzip, snappy, lz4, zstd} × {plain, transactional with aborts, thinned by the cleaner, tombstones, 20 MB records,
//!                                    LogAppendTime, empty and null, 10,000 headers}
//! ```

use test_support::eventually::eventually;
use test_support::kafka_cluster::KafkaCluster;
use test_support::kafka_jars::KafkaVersion;
use test_support::workload::{Codec, GeneratedRecord, Generator, Load, Shape};

use crate::obstacle;
use crate::support::{
    COPIED, MAPPED, NEW, OLD, Replicate, committed, compared, new_topic, pair, stored,
    transactions, unique,
};

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
        "empty-null" => (0..400)
            .map(|n| {
                let bytes = |kind: i64| match kind % 3 {
                    0 => None,
                    1 => Some(Vec::new()),
                    _ => Some(n.to_string().into_bytes()),
                };
                GeneratedRecord {
                    key: bytes(n),
                    headers: vec![
                        (String::new(), bytes(n / 9)),
                        (String::new(), bytes(n / 27)),
                    ],
                    ..record("", bytes(n / 3), n)
                }
            })
            .collect(),
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
        // Plain, transactional, append-time.
        _ => Generator::new(Shape::mixed(SEED, 1)).take(400).collect(),
    }
}

const ROWS: [(&str, &[(&str, &str)]); 8] = [
    ("plain", &[]),
    ("transactional", &[]),
    (
        "thinned",
        &[
            ("cleanup.policy", "compact"),
            ("segment.ms", "100"),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("delete.retention.ms", "0"),
        ],
    ),
    ("empty-null", &[]),
    ("huge", &[("max.message.bytes", "31000000")]),
    ("headers", &[]),
    ("tombstones", &[("cleanup.policy", "compact")]),
    (
        "append-time",
        &[("message.timestamp.type", "LogAppendTime")],
    ),
];

/// Fills a topic, and returns how many of its records were aborted.
async fn fill(source: &KafkaCluster, topic: &str, codec: Codec, row: &str) -> u64 {
    let load = Load::new(source.bootstrap(), topic).codec(codec);
    let load = match row {
        "transactional" => load.mode(transactions(SEED)),
        _ => load.setting("message.max.bytes", "30000000"),
    };
    if row != "thinned" {
        let produced = load.send(records(row)).await.expect("acknowledged");
        return produced.aborted;
    }
    // The second batch makes records of the first one superfluous, one of them with a tombstone.
    let again = ["b", "d", "h"].map(|key| obstacle::record(0, key, b"new".to_vec()));
    let tombstone = GeneratedRecord {
        value: None,
        ..obstacle::record(0, "f", Vec::new())
    };
    let batches = [
        obstacle::batch_of_keys(0, "first"),
        [again.to_vec(), vec![tombstone]].concat(),
    ];
    for batch in batches {
        load.clone().send(batch).await.expect("acknowledged");
    }
    0
}

/// Waits until the cleaner has taken records out of the middle of a batch.
async fn wait_for_cleaner(source: &KafkaCluster, topic: &str) {
    eventually("the cleaner's work", COPIED, async || {
        // Only closed segments are cleaned, and one closes when a record comes that is younger by segment.ms.
        Load::new(source.bootstrap(), topic)
            .send(vec![obstacle::record(0, "last", b"again".to_vec())])
            .await
            .map_err(|error| error.to_string())?;
        obstacle::thinned(source, topic, 0).await
    })
    .await
    .expect("it cleans");
}

async fn every_row_is_equal(version: KafkaVersion, destination: &KafkaCluster) {
    let source = KafkaCluster::builder()
        .name("matrix")
        .version(version)
        .property("log.cleaner.backoff.ms", "200")
        .start()
        .await
        .expect("it starts");
    let prefix = unique("matrix");
    let mut aborted = Vec::new();
    for codec in Codec::ALL {
        for (row, settings) in ROWS {
            let topic = format!("{prefix}.{codec}.{row}");
            new_topic(&source, &topic, 1, settings).await;
            aborted.push(fill(&source, &topic, codec, row).await);
        }
    }
    for codec in Codec::ALL {
        wait_for_cleaner(&source, &format!("{prefix}.{codec}.thinned")).await;
    }
    let run = Replicate::new(&source, destination, &format!("{prefix}\\..*"))
        .with(&["--set", "tributary.timestamps=appended"])
        // With the source's offsets, copies of the next record stand in the holes of a thinned topic until the
        // destination's cleaner has run: `offsets.rs` judges that.
        .with(&MAPPED)
        .until_caught_up()
        .await
        .ended_with(0);
    let mut table = format!(
        "{} → {}, seed {SEED}\n  codec   row            records  aborted  identical\n",
        source.version(),
        destination.version()
    );
    let mut different = Vec::new();
    let cells = Codec::ALL
        .into_iter()
        .flat_map(|codec| ROWS.map(|(row, _)| (codec, row)));
    for ((codec, row), aborted) in cells.zip(aborted) {
        let topic = format!("{prefix}.{codec}.{row}");
        let verdict = compared(&committed(&source, &topic), &stored(destination, &topic)).await;
        let equal = verdict.is_equal();
        table += &format!(
            "  {:7} {row:14} {:7}  {aborted:7}  {equal}\n",
            codec.name(),
            verdict.destination
        );
        if !equal {
            different.push(format!("{codec}, {row}: {verdict}"));
        }
        assert_eq!(row == "transactional", aborted > 0, "{codec}, {row}");
    }
    println!("{table}");
    assert!(different.is_empty(), "{different:?}\n{run}");
    assert!(
        run.output.contains("thinned"),
        "batches with holes were met: {run}"
    );
}

#[tokio::test]
async fn every_kind_of_topic_in_every_codec_arrives_identical_at_an_older_cluster() {
    let (_, destination) = pair(NEW, OLD).await;
    every_row_is_equal(NEW, destination).await;
}

#[tokio::test]
async fn every_kind_of_topic_of_an_older_cluster_arrives_identical() {
    let (_, destination) = pair(OLD, NEW).await;
    every_row_is_equal(OLD, destination).await;
}
