//! Memory is what the configuration says, also where single records are larger than what a fetch asks for.

use std::time::Duration;

use test_support::eventually::eventually;
use test_support::judge;
use test_support::kafka_cluster::ClusterBuilder;
use test_support::kafka_cluster::KafkaCluster;
use test_support::workload::{Codec, GeneratedRecord, Load};

use crate::support::{COPIED, NEW, Replicate, committed, new_topic, offsets, stored, unique};

const MIB: u64 = 1024 * 1024;
/// Settings by which every record is taken apart and put together again.
const MARKED: [&str; 4] = [
    "transforms=mark",
    "transforms.mark.type=InsertHeader",
    "transforms.mark.header=h",
    "transforms.mark.value.literal=v",
];
/// Bytes of each value.
const HUGE: usize = 20_000_000;
/// What the program may take beside the buffers.
const BESIDE: u64 = 64 * MIB;

/// How many of them a codec makes smaller, in the topic that is compressed.
const SOFT: usize = 17_000_000;

/// A value of which no codec makes anything smaller but the first `soft` bytes.
fn value(seed: u64, soft: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let soft = std::iter::repeat_n(b'.', soft);
    soft.chain(words.flatten()).take(HUGE).collect()
}

async fn load(cluster: &KafkaCluster, topic: &str, partitions: i32, codec: Codec) {
    let soft = if codec == Codec::None { 0 } else { SOFT };
    new_topic(
        cluster,
        topic,
        partitions,
        &[("max.message.bytes", "31000000")],
    )
    .await;
    // A few at a time: the producer keeps what it sends.
    for some in (0..partitions).collect::<Vec<_>>().chunks(4) {
        let some = some.to_vec();
        let records = some.into_iter().map(move |partition| GeneratedRecord {
            partition,
            timestamp: 1_735_689_600_000,
            key: Some(b"huge".to_vec()),
            value: Some(value(u64::from(partition.unsigned_abs()) + 1, soft)),
            headers: Vec::new(),
        });
        Load::new(cluster.bootstrap(), topic)
            .codec(codec)
            .setting("message.max.bytes", "30000000")
            .setting("queue.buffering.max.kbytes", "200000")
            .send(records)
            .await
            .expect("acknowledged");
    }
}

/// Copies a topic, and returns the program's peak memory in bytes.
async fn peak(
    source: &KafkaCluster,
    destination: &KafkaCluster,
    (topic, copy): (&str, &str),
    partitions: i32,
    buffers: u64,
    more: &[&str],
) -> u64 {
    let memory = format!("tributary.buffer.memory={buffers}");
    let process = Replicate::new(source, destination, topic)
        .with(&["--override", &memory])
        .with(more)
        .start();
    let copy = stored(destination, copy);
    eventually("all records", COPIED, async || match offsets(&copy).await {
        end if end >= i64::from(partitions) => Ok(()),
        end => Err(format!(
            "{end} of {partitions}: {}",
            process.lines().tail(5)
        )),
    })
    .await
    .expect("they arrive");
    let usage = process.usage().expect("it runs");
    process.terminate().expect("it runs");
    process
        .wait(Duration::from_secs(20))
        .await
        .expect("it ends");
    usage.peak_resident
}

async fn arrived(source: &KafkaCluster, destination: &KafkaCluster, topic: &str) {
    let there = judge::digest(&committed(source, topic), COPIED).await;
    let here = judge::digest(&stored(destination, topic), COPIED).await;
    assert_eq!(there.expect("readable"), here.expect("readable"), "{topic}");
}

#[tokio::test]
async fn huge_records_on_fifty_partitions_stay_within_the_buffers_and_64_mib() {
    let builder = |name: &str| KafkaCluster::builder().name(name).version(NEW);
    let builders = [builder("huge-source"), builder("huge-destination")];
    let [source, destination] = ClusterBuilder::start_all(builders)
        .await
        .expect("two clusters");
    let (wide, narrow) = (unique("huge"), unique("huge-decoded"));
    let packed = unique("huge-packed");
    load(&source, &wide, 50, Codec::None).await;
    load(&source, &narrow, 8, Codec::None).await;
    load(&source, &packed, 50, Codec::Zstd).await;
    let rows = [
        ("50 partitions, untouched", &wide, "", 50, 128),
        ("50 partitions, zstd", &packed, "", 50, 128),
        ("50, zstd, transformed", &packed, "unpacked.", 50, 128),
        ("8 partitions, untouched", &narrow, "small.", 8, 32),
        ("8 partitions, transformed", &narrow, "decoded.", 8, 128),
    ];
    let mut table = "  topic                     buffers  peak     allowed\n".to_owned();
    let mut wrong = Vec::new();
    for (what, topic, prefix, partitions, buffers) in rows {
        let rename = format!("{prefix}${{topic}}");
        let mut more = vec!["--rename", &rename];
        if what.ends_with("transformed") {
            more.extend(MARKED.iter().flat_map(|setting| ["--set", *setting]));
        }
        let copy = format!("{prefix}{topic}");
        let names = (topic.as_str(), copy.as_str());
        let (buffers, allowed) = (buffers * MIB, buffers * MIB + BESIDE);
        let seen = peak(&source, &destination, names, partitions, buffers, &more).await;
        table += &format!(
            "  {what:25} {:4} MiB {:4} MiB {:4} MiB\n",
            buffers / MIB,
            seen / MIB,
            allowed / MIB
        );
        if seen > allowed {
            wrong.push(format!("{what}: {seen} of {allowed}"));
        }
    }
    println!("{table}");
    assert!(wrong.is_empty(), "{wrong:?}");
    for topic in [&wide, &packed] {
        arrived(&source, &destination, topic).await;
    }
}
