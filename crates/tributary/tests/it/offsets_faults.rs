//! Kills, lost answers and zombies where offsets are preserved: nothing is lost, nothing is there twice, and
//! every record is at its offset.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use test_support::fault_proxy::{Direction, FrameAction, FrameRule};
use test_support::kafka_cluster::KafkaCluster;
use test_support::managed_process::Stream;
use test_support::workload::{Codec, GeneratedRecord, Generator, Load, Mode, RunningLoad, Shape};

use crate::kill::Moments;
use crate::offsets::equal_with_offsets;
use crate::support::{
    COPIED, NEW, Replicate, all_copied, committed, moves_on, new_topic, offsets, pair, shaken,
    stored, transactions, unique, wait_for_offsets,
};

const SEED: u64 = 1_117;
const PER_SECOND: u32 = 400;
const KILLS: usize = 20;
/// Kafka's numbers of the Produce and WriteTxnMarkers APIs.
const PRODUCE: i16 = 0;
const MARKERS: i16 = 27;

/// Records with today's time: brokers remember who wrote them.
fn fresh(records: Generator) -> impl Iterator<Item = GeneratedRecord> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = i64::try_from(now.expect("after 1970").as_millis()).expect("a time");
    records
        .zip(0..)
        .map(move |(record, number)| GeneratedRecord {
            timestamp: now + number,
            ..record
        })
}

/// A plain topic and one with transactions, under load.
pub(crate) async fn mixed_loads(
    source: &KafkaCluster,
    prefix: &str,
    today: bool,
) -> Vec<(String, RunningLoad)> {
    let mut loads = Vec::new();
    for (producer, mode) in (0..).zip([Mode::Idempotent, transactions(SEED)]) {
        let topic = format!("{prefix}.{producer}");
        new_topic(source, &topic, 2, &[]).await;
        let shape = Shape::mixed(SEED, 2).producer(producer);
        let records = Generator::new(shape.largest_value(8 * 1024));
        let load = Load::new(source.bootstrap(), &topic)
            .codec(Codec::Lz4)
            .mode(mode);
        let running = match today {
            true => load.start(fresh(records), PER_SECOND),
            false => load.start(records, PER_SECOND),
        };
        loads.push((topic, running));
    }
    loads
}

async fn ends_equal(
    (source, destination): (&KafkaCluster, &KafkaCluster),
    link: &Replicate,
    loads: Vec<(String, RunningLoad)>,
) {
    let (run, topics) = all_copied(link, loads).await;
    for topic in topics {
        let (from, to) = (committed(source, &topic), committed(destination, &topic));
        let records = equal_with_offsets(&from, &to, &run.to_string()).await;
        println!("  {topic}: {records} records, all at their offsets, seed {SEED}");
    }
}

fn preserving(source: &KafkaCluster, destination: &KafkaCluster, prefix: &str) -> Replicate {
    let topics = format!("{prefix}\\..*");
    Replicate::new(source, destination, &topics).with(&["--set", "tributary.offsets=preserve"])
}

#[tokio::test]
async fn twenty_kills_at_seeded_moments_leave_every_record_once_and_at_its_offset() {
    let (source, destination) = pair(NEW, NEW).await;
    let prefix = unique("offsets-killed");
    let loads = mixed_loads(source, &prefix, true).await;
    let link = preserving(source, destination, &prefix);
    let mut moments = Moments(SEED);
    let copy = stored(destination, &loads[0].0);
    let (mut moved, mut before) = (0, 0);
    for _ in 0..KILLS {
        let program = link.start();
        // sleeps because the moment is the test: nothing is waited for.
        tokio::time::sleep(moments.next(150, 2_500)).await;
        assert!(
            program.runs().expect("known"),
            "{}",
            program.lines().tail(60)
        );
        program.kill9();
        let now = offsets(&copy).await;
        moved += usize::from(now > before);
        before = now;
    }
    println!("{KILLS} kills, {moved} of them after progress");
    assert!(moved >= KILLS / 3, "most kills interrupt a running copy");
    ends_equal((source, destination), &link, loads).await;
}

#[tokio::test]
async fn lost_answers_to_batches_and_markers_leave_every_record_once_and_at_its_offset() {
    let guard = shaken().await;
    let shaken = guard.as_ref().expect("started");
    let both = (&shaken.source, &shaken.destination);
    let prefix = unique("offsets-cut");
    let loads = mixed_loads(both.0, &prefix, false).await;
    let link = preserving(both.0, both.1, &prefix);
    let program = link.start();
    let copy = stored(both.1, &loads[1].0);
    wait_for_offsets(&copy, 200).await;
    let proxy = shaken.destination.proxy(0);
    for (api, direction, action) in [
        (PRODUCE, Direction::Answers, FrameAction::Cut),
        (MARKERS, Direction::Answers, FrameAction::Cut),
        (MARKERS, Direction::Requests, FrameAction::CutAfter),
        (PRODUCE, Direction::Requests, FrameAction::CutAfter),
        (MARKERS, Direction::Answers, FrameAction::Reset),
    ] {
        let mut cut = proxy.on_frame(FrameRule::new(direction, api, action).nth(2));
        assert!(cut.wait(1, COPIED).await, "a connection was cut");
        moves_on(&program, &copy).await;
    }
    program.terminate().expect("it runs");
    program.wait(COPIED).await.expect("it ends");
    ends_equal(both, &link, loads).await;
}

#[tokio::test]
async fn a_zombie_that_wakes_after_its_successor_took_over_writes_nothing_twice() {
    let (source, destination) = pair(NEW, NEW).await;
    let prefix = unique("offsets-zombie");
    let loads = mixed_loads(source, &prefix, true).await;
    let link = preserving(source, destination, &prefix);
    let copy = stored(destination, &loads[1].0);
    let zombie = link.start();
    wait_for_offsets(&copy, 300).await;
    let mut moments = Moments(SEED);
    for _ in 0..3 {
        // sleeps because the moment is the test: nothing is waited for.
        tokio::time::sleep(moments.next(100, 900)).await;
        zombie.suspend().expect("it runs");
        let successor = link.start();
        let now = offsets(&copy).await;
        wait_for_offsets(&copy, now + 400).await;
        zombie.resume().expect("it is there");
        // sleeps because both are to run beside each other for a while.
        tokio::time::sleep(Duration::from_secs(3)).await;
        println!(
            "zombie:\n{}",
            crate::support::loud(&zombie.text(Stream::Error)).join("\n")
        );
        successor.kill9();
        // sleeps because the zombie is to go on alone.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    zombie.kill9();
    ends_equal((source, destination), &link, loads).await;
}
