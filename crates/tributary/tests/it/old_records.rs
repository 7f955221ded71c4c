//! Records that are older than brokers remember their writers: connections are cut between a request and its answer, while
//! the destination forgets producers every moment. What slips through is never silent, and in transactions nothing does.

use test_support::eventually::eventually;
use test_support::fault_proxy::{Direction, FrameAction, FrameRule};
use test_support::kafka_cluster::{ClusterBuilder, KafkaCluster};
use test_support::limits::long_run;
use test_support::managed_process::Stream;
use test_support::raw;
use test_support::workload::{Codec, Generator, Load, Mode, Shape};

use crate::support::{
    COPIED, MAPPED, NEW, OLD, PROXIES, Replicate, Run, committed, compared, new_topic, stored,
    unique, wait_for_offsets,
};

const SEED: u64 = 3_030;
const PRODUCE: i16 = 0;
const CUTS: u32 = 12;
const RECORDS: usize = 24_000;

/// A source, and a destination that forgets who wrote records older than a day, ten times a second.
async fn forgetful() -> [KafkaCluster; 2] {
    let starting = async {
        let destination = KafkaCluster::builder()
            .name("forgetful")
            .version(NEW)
            .through_proxy(true)
            .property("producer.id.expiration.check.interval.ms", "100");
        let source = KafkaCluster::builder().name("remembered").version(OLD);
        ClusterBuilder::start_all([source, destination]).await
    };
    let started = PROXIES.spawn(starting).await;
    started
        .expect("starting does not panic")
        .expect("two clusters")
}

/// Lines that tell of records that may be there twice, with the range.
fn reported(log: &str) -> Vec<&str> {
    let tells = |line: &&str| {
        line.contains("a second time")
            || line.contains("may be there twice")
            || line.contains("may be copied twice")
    };
    log.lines().filter(tells).collect()
}

async fn back_filled(
    source: &KafkaCluster,
    destination: &KafkaCluster,
    (setting, never_twice): (&str, bool),
) {
    let topic = unique("back-filled");
    new_topic(source, &topic, 2, &[]).await;
    let shape = Shape::mixed(SEED, 2).largest_value(2_000);
    Load::new(source.bootstrap(), &topic)
        .codec(Codec::Lz4)
        .mode(Mode::Idempotent)
        .setting("batch.num.messages", "50")
        .send(Generator::new(shape).take(RECORDS))
        .await
        .expect("acknowledged");
    let link = Replicate::new(source, destination, &topic)
        .with(&[
            "--set",
            setting,
            "--set",
            "dest.kafka.request.timeout.ms=2000",
        ])
        // Small requests, so that there is something to be cut.
        .with(&["--set", "producer.override.max.request.size=8192"]);
    let program = link.start();
    let copy = stored(destination, &topic);
    let proxy = destination.proxy(0);
    for cut in 0..CUTS {
        let (direction, action) = match cut % 3 {
            0 => (Direction::Answers, FrameAction::Cut),
            1 => (Direction::Requests, FrameAction::CutAfter),
            _ => (Direction::Answers, FrameAction::Reset),
        };
        let rule = FrameRule::new(direction, PRODUCE, action).nth(3);
        let mut cut = proxy.on_frame(rule);
        if !cut.wait(1, COPIED / 9).await {
            break;
        }
    }
    proxy.heal().await;
    wait_for_offsets(&copy, 1).await;
    program.terminate().expect("it runs");
    program.wait(COPIED).await.expect("it ends");
    let first = program.text(Stream::Error);
    let run: Run = link.until_caught_up().await;
    let log = format!("{first}\n{}", run.error);
    let told = reported(&log);
    let verdict = compared(&committed(source, &topic), &committed(destination, &topic)).await;
    println!(
        "{setting}: {} records, {} twice, told {} times, seed {SEED}",
        verdict.source,
        verdict.duplicate,
        told.len()
    );
    told.iter().for_each(|line| println!("  {line}"));
    if verdict.duplicate > 0 {
        assert!(!never_twice, "in transactions: {verdict}\n{log}");
        assert!(!told.is_empty(), "not silently: {verdict}\n{log}");
    }
    if run.code() == 0 {
        assert!(verdict.is_complete(), "{verdict}\n{log}");
    } else {
        // Where offsets are preserved, what came a second time cannot be put right.
        assert!(log.contains("destination-foreign-writes"), "{run}\n{log}");
    }
}

/// Has the destination carry out a request of the link once more, as one that was late, and tells what the link says of it.
async fn a_late_copy_is_told(source: &KafkaCluster, destination: &KafkaCluster) {
    let topic = unique("late");
    new_topic(source, &topic, 1, &[]).await;
    let load = async |seed: u64, count: usize| {
        let records = Generator::new(Shape::uniform(seed, 1, 100)).take(count);
        let load = Load::new(source.bootstrap(), &topic).mode(Mode::Plain);
        load.send(records).await.expect("acknowledged");
    };
    load(SEED, 20).await;
    let link = Replicate::new(source, destination, &topic).with(&MAPPED);
    let program = link.start();
    let copy = stored(destination, &topic);
    wait_for_offsets(&copy, 20).await;
    let bytes = raw::raw_fetch_all(&destination.bootstrap(), &topic, 0).await;
    let bytes = bytes.expect("a fetch");
    let batches = raw::whole_batches(&bytes);
    let mut last = batches.last().expect("there is one").to_vec();
    let first = i64::from_be_bytes(last[..8].try_into().expect("inside the header"));
    last[..8].copy_from_slice(&0_i64.to_be_bytes());
    // As long as the broker remembers the writer it answers with the place of the first copy.
    let again = eventually("the writer is forgotten", COPIED, async || {
        let base = raw::raw_produce(&destination.bootstrap(), &topic, 0, &last).await;
        match base {
            Ok(base) if base > first => Ok(base),
            other => Err(format!("{other:?}")),
        }
    });
    assert_eq!(again.await.expect("a second copy"), 20);
    load(SEED + 1, 5).await;
    let line = program.expect_line("a second time", COPIED).await;
    let line = line.unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));
    println!("{}", line.text);
    let range = format!("destination offsets 20–{} hold", 39 - first);
    assert!(line.text.contains(&range), "{range}: {}", line.text);
    program.kill9();
    let verdict = compared(&committed(source, &topic), &copy).await;
    assert_eq!(verdict.duplicate as i64, 20 - first, "{verdict}");
}

#[tokio::test]
async fn old_records_through_cut_connections_are_not_silently_there_twice_and_in_transactions_never()
 {
    let [source, destination] = &forgetful().await;
    let rounds = if long_run().is_some() { 10 } else { 1 };
    for _ in 0..rounds {
        for (setting, never_twice) in [
            ("tributary.offsets=map", false),
            ("tributary.offsets=preserve", false),
            ("exactly.once.support=required", true),
        ] {
            back_filled(source, destination, (setting, never_twice)).await;
        }
    }
    a_late_copy_is_told(source, destination).await;
}
