//! Memory is what the configuration says, also where single records are larger than what a fetch asks for.

use std::time::Duration;

use test_support::eventually::eventually;
use test_support::judge;
use test_support::kafka_cluster::ClusterBuilder;
use test_support::kafka_cluster::KafkaCluster;
use test_support::workload::{Codec, GeneratedRecord, Load};

use crate::support::{COPIED, NEW, Replicate, committed, new_topic, offsets, stored, unique};

const MIB: u64 = 1024 * 1024;
/// Bytes of each value.
const HUGE: usize = 20_000_000;
/// What the program may take beside the buffers.
const BESIDE: u64 = 64 * MIB;

/// Bytes that no codec makes smaller.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(HUGE).collect()
}

async fn load(cluster: &KafkaCluster, topic: &str, partitions: i32) {
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
        let records = some.into_iter().map(|partition| GeneratedRecord {
            partition,
            timestamp: 1_735_689_600_000,
            key: Some(b"huge".to_vec()),
            value: Some(noise(u64::from(partition.unsigned_abs()) + 1)),
            headers: Vec::new(),
        });
        Load::new(cluster.bootstrap(), topic)
            .codec(Codec::None)
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

#[tokio::test]
async fn huge_records_on_fifty_partitions_stay_within_the_buffers_and_64_mib() {
    let builder = |name: &str| KafkaCluster::builder().name(name).version(NEW);
    let builders = [builder("huge-source"), builder("huge-destination")];
    let [source, destination] = ClusterBuilder::start_all(builders)
        .await
        .expect("two clusters");
    let (wide, narrow) = (unique("huge"), unique("huge-decoded"));
    load(&source, &wide, 50).await;
    load(&source, &narrow, 8).await;
    let decodes = [
        "--set",
        "transforms=mark",
        "--set",
        "transforms.mark.type=InsertHeader",
    ];
    let mark = [
        "--set",
        "transforms.mark.header=h",
        "--set",
        "transforms.mark.value.literal=v",
    ];
    let mut table = "  topic                     buffers  peak     allowed\n".to_owned();
    let mut check = |what: &str, buffers: u64, peak: u64| {
        let allowed = buffers + BESIDE;
        table += &format!(
            "  {what:25} {:4} MiB {:4} MiB {:4} MiB\n",
            buffers / MIB,
            peak / MIB,
            allowed / MIB
        );
        (peak <= allowed)
            .then_some(())
            .ok_or(format!("{what}: {peak} of {allowed}"))
    };
    let mut verdicts = Vec::new();
    let seen = peak(&source, &destination, (&wide, &wide), 50, 128 * MIB, &[]).await;
    verdicts.push(check("50 partitions, untouched", 128 * MIB, seen));
    let (small, decoded) = (format!("small.{narrow}"), format!("decoded.{narrow}"));
    let renamed = ["--rename", "small.${topic}"];
    let seen = peak(
        &source,
        &destination,
        (&narrow, &small),
        8,
        32 * MIB,
        &renamed,
    )
    .await;
    verdicts.push(check("8 partitions, untouched", 32 * MIB, seen));
    let more = [&decodes[..], &mark[..], &["--rename", "decoded.${topic}"]].concat();
    let seen = peak(
        &source,
        &destination,
        (&narrow, &decoded),
        8,
        128 * MIB,
        &more,
    )
    .await;
    verdicts.push(check("8 partitions, transformed", 128 * MIB, seen));
    println!("{table}");
    let wrong: Vec<String> = verdicts.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let there = judge::digest(&committed(&source, &wide), COPIED)
        .await
        .expect("readable");
    let here = judge::digest(&stored(&destination, &wide), COPIED)
        .await
        .expect("readable");
    assert_eq!(there, here);
}
