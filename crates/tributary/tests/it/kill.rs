//! SIGKILL at any moment loses nothing, keeps the order, and repeats nothing.

use std::time::Duration;

use test_support::eventually::eventually_true;
use test_support::judge::{self, Place};
use test_support::kafka_cluster::KafkaCluster;
use test_support::managed_process::Stream;
use test_support::workload::{Codec, Generator, Load, Mode, Produced, RunningLoad, Shape};

use crate::offsets_faults::mixed_loads;
use crate::support::{
    COPIED, NEW, Replicate, all_copied, committed, compared, new_topic, offsets, pair, stored,
    transactions, unique, wait_for_offsets,
};

const SEED: u64 = 2_759;
const KILLS: usize = 10;
const PER_SECOND: u32 = 400;
/// A start that has copied nothing by then, in milliseconds, is not slow but wrong.
const LATEST: u64 = 20_000;

/// Pseudo-random moments from the seed (SplitMix64), in milliseconds after the start of the program.
pub(crate) struct Moments(pub(crate) u64);

impl Moments {
    pub(crate) fn next(&mut self, least: u64, most: u64) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Duration::from_millis(least + (mixed ^ (mixed >> 31)) % (most - least))
    }
}

/// Twelve partitions in four topics: three codecs and none, one of the topics with transactions.
async fn loads(source: &KafkaCluster, prefix: &str) -> Vec<(String, RunningLoad)> {
    let kinds = [
        (Codec::None, Mode::Idempotent),
        (Codec::Lz4, Mode::Plain),
        (Codec::Zstd, Mode::Idempotent),
        (Codec::Gzip, transactions(SEED)),
    ];
    let mut loads = Vec::new();
    for (producer, (codec, mode)) in (0..).zip(kinds) {
        let topic = format!("{prefix}.{codec}");
        new_topic(source, &topic, 3, &[]).await;
        let records = Generator::new(
            Shape::mixed(SEED, 3)
                .producer(producer)
                .largest_value(16 * 1024),
        );
        let load = Load::new(source.bootstrap(), &topic)
            .codec(codec)
            .mode(mode);
        loads.push((topic, load.start(records, PER_SECOND)));
    }
    loads
}

async fn all_offsets(places: &[Place]) -> i64 {
    let mut sum = 0;
    for place in places {
        sum += offsets(place).await;
    }
    sum
}

#[tokio::test]
async fn ten_kills_at_random_moments_lose_nothing_and_repeat_nothing() {
    let (source, destination) = pair(NEW, NEW).await;
    let prefix = unique("killed");
    let loads = loads(source, &prefix).await;
    let copies: Vec<_> = loads
        .iter()
        .map(|(topic, _)| stored(destination, topic))
        .collect();
    let link = Replicate::new(source, destination, &format!("{prefix}\\..*"));
    let mut moments = Moments(SEED);
    let mut moved = 0;
    let mut before = 0;
    let mut latest = 3_500;
    println!("seed {SEED}\n  kill  after      copied");
    // On a busy machine a start takes longer than many a moment; then there are more of them, and later ones.
    for kill in 1..=3 * KILLS {
        if kill > KILLS && moved >= KILLS / 2 {
            break;
        }
        let after = moments.next(150, latest);
        let program = link.start();
        // sleeps because the moment is the test: nothing is waited for.
        tokio::time::sleep(after).await;
        assert!(
            program.runs().expect("known"),
            "it was still there to be killed"
        );
        program.kill9();
        let now = all_offsets(&copies).await;
        moved += usize::from(now > before);
        if now == before {
            latest = (latest + latest / 4).min(LATEST);
        }
        println!(
            "  {kill:4}  {:>5} ms  {:>6}",
            after.as_millis(),
            now - before
        );
        before = now;
    }
    assert!(
        moved >= KILLS / 2,
        "most kills interrupt a running copy, these only {moved} times"
    );
    let mut produced: Vec<(String, Produced)> = Vec::new();
    for (topic, load) in loads {
        produced.push((topic, load.stop().await.expect("all are acknowledged")));
    }
    link.until_caught_up().await.ended_with(0);

    let mut duplicates = 0;
    for (topic, produced) in &produced {
        let from = committed(source, topic);
        let to = stored(destination, topic);
        let verdict = compared(&from, &to).await;
        println!(
            "  {topic}: {} records, {} aborted, {} duplicates",
            verdict.source, produced.aborted, verdict.duplicate
        );
        assert!(verdict.is_complete(), "seed {SEED}, {topic}: {verdict}");
        duplicates += verdict.duplicate;
        let digest = judge::digest(&from, COPIED).await.expect("readable");
        assert_eq!(
            digest, produced.digests,
            "the source holds what was acknowledged"
        );
    }
    println!("  {duplicates} duplicates after {KILLS} kills, seed {SEED}");
    assert_eq!(duplicates, 0, "seed {SEED}");
}

#[tokio::test]
async fn two_processes_of_one_link_end_with_one_and_leave_every_record_once() {
    let (source, destination) = pair(NEW, NEW).await;
    for setting in ["tributary.offsets=map", "tributary.offsets=preserve"] {
        let prefix = unique("two-processes");
        let loads = mixed_loads(source, &prefix, true).await;
        let link = Replicate::new(source, destination, &format!("{prefix}\\..*"))
            .with(&["--set", setting]);
        let copy = stored(destination, &loads[0].0);
        let first = link.start();
        wait_for_offsets(&copy, 200).await;
        // At the same time as the first, and then the first wakes beside it.
        let second = link.start();
        let limit = COPIED;
        let stops = async || first.text(Stream::Error).contains("taken-over");
        let stopped = eventually_true("the first gives way", limit, stops).await;
        stopped.unwrap_or_else(|error| panic!("{error}\n{}", first.lines().tail(60)));
        // It knows by then that its claim was written: one that it had to write again would come after the third's.
        let now = offsets(&copy).await;
        wait_for_offsets(&copy, now + 50).await;
        second.suspend().expect("it runs");
        let third = link.start();
        let now = offsets(&copy).await;
        wait_for_offsets(&copy, now + 300).await;
        second.resume().expect("it is there");
        let stops = async || second.text(Stream::Error).contains("taken-over");
        let stopped = eventually_true("the second gives way", limit, stops).await;
        stopped.unwrap_or_else(|error| panic!("{error}\n{}", second.lines().tail(60)));
        let now = offsets(&copy).await;
        wait_for_offsets(&copy, now + 100).await;
        let said = third.text(Stream::Error);
        assert!(!said.contains("taken-over"), "{said}");
        for process in [&first, &second, &third] {
            process.kill9();
        }
        let (run, topics) = all_copied(&link, loads).await;
        for topic in topics {
            let (from, to) = (committed(source, &topic), committed(destination, &topic));
            let verdict = compared(&from, &to).await;
            println!(
                "  {setting} {topic}: {} records, {} twice",
                verdict.source, verdict.duplicate
            );
            assert!(verdict.is_equal(), "{setting} {topic}: {verdict}\n{run}");
        }
    }
}

/// Neither finds a position of the other one, so each makes producers of its own, whose batches nobody would take for the other's.
#[tokio::test]
async fn two_processes_that_begin_a_link_at_the_same_moment_leave_every_record_once() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("begun-twice");
    new_topic(source, &topic, 4, &[]).await;
    let records = Generator::new(Shape::uniform(SEED, 4, 100)).take(4000);
    let load = Load::new(source.bootstrap(), &topic).mode(Mode::Plain);
    load.send(records).await.expect("acknowledged");
    for setting in ["tributary.offsets=map", "tributary.offsets=preserve"] {
        let rename = format!("topic.rename.format={}.${{topic}}", unique("copy"));
        let copy = rename
            .replace("topic.rename.format=", "")
            .replace("${topic}", &topic);
        let link =
            Replicate::new(source, destination, &topic).with(&["--set", setting, "--set", &rename]);
        let both = [link.start(), link.start()];
        let gives_way = async || {
            let mut texts = both.iter().map(|process| process.text(Stream::Error));
            texts.any(|text| text.contains("taken-over"))
        };
        let stopped = eventually_true("one of them gives way", COPIED, gives_way).await;
        stopped.unwrap_or_else(|error| panic!("{error}\n{}", both[0].lines().tail(60)));
        wait_for_offsets(&stored(destination, &copy), 1000).await;
        both.iter().for_each(|process| process.kill9());
        let run = link.until_caught_up().await.ended_with(0);
        let (from, to) = (committed(source, &topic), committed(destination, &copy));
        let verdict = compared(&from, &to).await;
        println!(
            "  {setting}: {} records, {} twice",
            verdict.source, verdict.duplicate
        );
        assert!(verdict.is_equal(), "{setting}: {verdict}\n{run}");
    }
}
