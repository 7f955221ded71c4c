//! Kills, lost answers and zombies: nothing is lost, nothing is there twice, and where offsets are preserved every record is
//! at its own.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use test_support::fault_proxy::{Direction, FrameAction, FrameRule};
use test_support::judge::Place;
use test_support::kafka_cluster::KafkaCluster;
use test_support::managed_process::Stream;
use test_support::workload::{Codec, GeneratedRecord, Generator, Load, Mode, RunningLoad, Shape};

use crate::kill::Moments;
use crate::offsets::equal_with_offsets;
use crate::support::{
    COPIED, NEW, Replicate, all_copied, committed, compared, moves_on, new_topic, offsets, pair,
    shaken, stored, transactions, unique, wait_for_offsets,
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

/// What is promised in each way of writing, beside each other: of the same source, to copies of their own.
struct Ways {
    preserved: Replicate,
    mapped: Replicate,
    transactional: Replicate,
}

impl Ways {
    fn new(source: &KafkaCluster, destination: &KafkaCluster, prefix: &str) -> Self {
        let way = |name: &str, setting: &str| {
            let rename = format!("topic.rename.format={name}.${{topic}}");
            let link = Replicate::new(source, destination, &format!("{prefix}\\..*"));
            link.with(&["--set", setting, "--set", &rename])
        };
        Self {
            preserved: preserving(source, destination, prefix),
            mapped: way("mapped", "tributary.offsets=map"),
            transactional: way("transactional", "exactly.once.support=required"),
        }
    }

    fn all(&self) -> [&Replicate; 3] {
        [&self.preserved, &self.mapped, &self.transactional]
    }

    /// Every record once and in order in each copy, and where offsets are preserved at its own.
    async fn end_equal(
        &self,
        (source, destination): (&KafkaCluster, &KafkaCluster),
        loads: Vec<(String, RunningLoad)>,
    ) {
        let topics: Vec<String> = loads.iter().map(|(topic, _)| topic.clone()).collect();
        ends_equal((source, destination), &self.preserved, loads).await;
        for (name, link) in [
            ("mapped", &self.mapped),
            ("transactional", &self.transactional),
        ] {
            let run = link.until_caught_up().await.ended_with(0);
            for topic in &topics {
                let copy = format!("{name}.{topic}");
                let (from, to) = (committed(source, topic), committed(destination, &copy));
                let verdict = compared(&from, &to).await;
                println!(
                    "  {copy}: {} records, {} twice, seed {SEED}",
                    verdict.source, verdict.duplicate
                );
                assert!(verdict.is_equal(), "seed {SEED}, {copy}: {verdict}\n{run}");
            }
        }
    }
}

#[tokio::test]
async fn twenty_kills_at_seeded_moments_leave_every_record_once_in_every_way_of_writing() {
    let (source, destination) = pair(NEW, NEW).await;
    let prefix = unique("offsets-killed");
    let loads = mixed_loads(source, &prefix, true).await;
    let ways = Ways::new(source, destination, &prefix);
    let mut moments = Moments(SEED);
    let plain = &loads[0].0;
    let copies = [
        plain.clone(),
        format!("mapped.{plain}"),
        format!("transactional.{plain}"),
    ];
    let copies = copies.map(|copy| stored(destination, &copy));
    let (mut moved, mut before) = ([0; 3], [0; 3]);
    let mut longest = 3_000;
    for _ in 0..KILLS {
        let running = ways.all().map(Replicate::start);
        // sleeps because the moment is the test: nothing is waited for.
        tokio::time::sleep(moments.next(150, longest)).await;
        for program in &running {
            let runs = program.runs().expect("known");
            assert!(runs, "{}", program.lines().tail(60));
            program.kill9();
        }
        for (way, copy) in copies.iter().enumerate() {
            let now = offsets(copy).await;
            let is_moved = now > before[way];
            moved[way] += usize::from(is_moved);
            before[way] = now;
            // A machine with other work begins later.
            longest += if is_moved { 0 } else { 200 };
        }
    }
    println!("{KILLS} kills each, after progress: {moved:?}");
    let enough = moved.iter().all(|moved| *moved >= KILLS / 4);
    assert!(enough, "many kills interrupt a running copy: {moved:?}");
    ways.end_equal((source, destination), loads).await;
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

/// Stops a process of a link three times, each time until its successor has taken over, and wakes it beside that one.
async fn woken_beside_its_successor(link: &Replicate, copy: &Place) {
    let zombie = link.start();
    wait_for_offsets(copy, 300).await;
    let mut moments = Moments(SEED);
    for _ in 0..3 {
        // sleeps because the moment is the test: nothing is waited for.
        tokio::time::sleep(moments.next(100, 900)).await;
        zombie.suspend().expect("it runs");
        let successor = link.start();
        let now = offsets(copy).await;
        wait_for_offsets(copy, now + 400).await;
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
}

#[tokio::test]
async fn a_zombie_that_wakes_after_its_successor_took_over_writes_nothing_twice() {
    let (source, destination) = pair(NEW, NEW).await;
    let prefix = unique("offsets-zombie");
    let loads = mixed_loads(source, &prefix, true).await;
    let ways = Ways::new(source, destination, &prefix);
    let topic = &loads[1].0;
    let copy = |name: &str| stored(destination, &format!("{name}.{topic}"));
    let (preserved, mapped) = (stored(destination, topic), copy("mapped"));
    let transactional = copy("transactional");
    tokio::join!(
        woken_beside_its_successor(&ways.preserved, &preserved),
        woken_beside_its_successor(&ways.mapped, &mapped),
        woken_beside_its_successor(&ways.transactional, &transactional),
    );
    ways.end_equal((source, destination), loads).await;
}
