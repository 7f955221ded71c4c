//! A damaged batch is refused by the destination, reported, and never stored.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use test_support::fault_proxy::{Direction, FrameAction, FrameRule};
use test_support::judge;
use test_support::raw;
use test_support::workload::{Codec, Generator, Load, Shape};

use crate::support::{
    COPIED, MAPPED, Replicate, Run, committed, compared, new_topic, shaken, stored, unique,
};

const SEED: u64 = 1;
/// Kafka's number of the Fetch API.
const FETCH: i16 = 1;

#[tokio::test]
async fn a_bit_flipped_on_the_way_is_refused_reported_and_read_again() {
    let guard = shaken().await;
    let pair = guard.as_ref().expect("started");
    for codec in [Codec::None, Codec::Zstd] {
        let topic = unique("flipped");
        new_topic(&pair.source, &topic, 2, &[]).await;
        Load::new(pair.source.bootstrap(), &topic)
            .codec(codec)
            .send(Generator::new(Shape::mixed(SEED, 2)).take(600))
            .await
            .expect("acknowledged");
        let flip = FrameRule::new(Direction::Answers, FETCH, FrameAction::FlipBit);
        let flipped = pair.source.proxy(0).on_frame(flip);
        // Where offsets are preserved, the first records are looked at before they are copied.
        let link = Replicate::new(&pair.source, &pair.destination, &topic).with(&MAPPED);
        let run = link.until_caught_up().await.ended_with(0);
        assert_eq!(flipped.hits(), 1, "one answer was damaged");
        let report = "destination refused a batch as damaged";
        let line = run.error.lines().find(|line| line.contains(report));
        let line = line.unwrap_or_else(|| panic!("the damage is reported: {run}"));
        assert!(
            line.contains(&topic) && line.contains("offset=") && line.contains("does not fit"),
            "{line}"
        );
        let verdict = compared(
            &committed(&pair.source, &topic),
            &stored(&pair.destination, &topic),
        )
        .await;
        assert!(verdict.is_equal(), "{codec}, seed {SEED}: {verdict}");
        println!("{codec}: {line}");
    }
}

/// Flips one bit in the middle of a file's byte range.
fn flip(file: &Path, at: u64) {
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .expect("a segment");
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).expect("inside");
    file.read_exact(&mut byte).expect("inside");
    file.seek(SeekFrom::Start(at)).expect("inside");
    file.write_all(&[byte[0] ^ 0x04]).expect("written");
}

#[tokio::test]
async fn damage_on_the_sources_disk_stops_that_partition_before_it_and_no_other() {
    let guard = shaken().await;
    let pair = guard.as_ref().expect("started");
    let topic = unique("rotten");
    new_topic(&pair.source, &topic, 3, &[]).await;
    Load::new(pair.source.bootstrap(), &topic)
        .codec(Codec::Lz4)
        .setting("batch.num.messages", "50")
        .send(Generator::new(Shape::mixed(SEED, 3)).take(3_000))
        .await
        .expect("acknowledged");
    let whole = judge::read_all(&committed(&pair.source, &topic), COPIED)
        .await
        .expect("readable");

    // The fifth batch of partition 1. Brokers do not look into what they serve, and a clean stop leaves nothing to check.
    let bytes = raw::raw_fetch_all(&pair.source.bootstrap(), &topic, 1)
        .await
        .expect("a fetch");
    let batches = raw::whole_batches(&bytes);
    assert!(batches.len() > 10, "{} batches", batches.len());
    let before: usize = batches[..5].iter().map(|batch| batch.len()).sum();
    let damaged = i64::from_be_bytes(batches[5][..8].try_into().expect("8 bytes"));
    let files = raw::segment_files(&pair.source, &topic, 1).expect("readable");
    pair.source.node(0).stop().await.expect("a clean stop");
    let middle = before + 61 + (batches[5].len() - 61) / 2;
    flip(&files[0], u64::try_from(middle).expect("small"));
    pair.source.node(0).start().await.expect("it starts");

    let link = Replicate::new(&pair.source, &pair.destination, &topic);
    let program = link.with(&["--until-caught-up", "--hold", "1s"]).start();
    let run = Run::to_end(&program).await.ended_with(3);
    let here = judge::read_all(&stored(&pair.destination, &topic), COPIED)
        .await
        .expect("readable");
    let intact = usize::try_from(damaged).expect("small");
    let report = format!("{topic}-1: damaged at offset {damaged}: ");
    assert!(
        run.output.contains(&report),
        "\"{report}\" is in the summary: {run}"
    );
    let reason = run.output.lines().find(|line| line.contains(&report));
    assert!(
        reason.is_some_and(|line| line.contains("checksum")),
        "{run}"
    );
    for (partition, records) in &whole {
        let (from, what) = if *partition == 1 {
            (&records[..intact], "up to the damage")
        } else {
            (&records[..], "whole")
        };
        let part =
            |records: &[judge::ReadRecord]| judge::Topic::from([(*partition, records.to_vec())]);
        let verdict = judge::compare(&part(from), &part(&here[partition]));
        println!(
            "partition {partition}: {} of {} records, {what}",
            verdict.destination,
            records.len()
        );
        assert!(
            verdict.is_equal(),
            "partition {partition}, {what}, seed {SEED}: {verdict}\n{run}"
        );
    }
    println!("{}", reason.unwrap_or_default());
}
