//! `exactly.once.support=required`: records and positions in one transaction, through kills, zombies and lost answers. Judged
//! by what a reader of committed records sees.

use std::time::Duration;

use test_support::fault_proxy::{Direction, FrameAction, FrameRule};
use test_support::judge::Place;
use test_support::kafka_cluster::KafkaCluster;
use test_support::kafka_jars::KafkaVersion;
use test_support::managed_process::Stream;
use test_support::workload::{Codec, Generator, Load, RunningLoad, Shape};

use crate::kill::Moments;
use crate::offsets_faults::mixed_loads;
use crate::support::{
    COPIED, MAPPED, NEW, OLD, Replicate, all_copied, committed, compared, loud, moves_on,
    new_topic, offsets, pair, program, shaken, stored, unique, wait_for_offsets,
};

const SEED: u64 = 618;
const KILLS: usize = 10;
/// Kafka's numbers of the APIs.
const PRODUCE: i16 = 0;
const INIT_PRODUCER_ID: i16 = 22;
const END_TXN: i16 = 26;

const REQUIRED: [&str; 2] = ["--set", "exactly.once.support=required"];

fn transactional(source: &KafkaCluster, destination: &KafkaCluster, prefix: &str) -> Replicate {
    Replicate::new(source, destination, &format!("{prefix}\\..*")).with(&REQUIRED)
}

/// Ends the load, has the rest copied, and compares what can be read committed.
async fn ends_equal(
    (source, destination): (&KafkaCluster, &KafkaCluster),
    link: &Replicate,
    loads: Vec<(String, RunningLoad)>,
) {
    let (run, topics) = all_copied(link, loads).await;
    for topic in topics {
        let (from, to) = (committed(source, &topic), committed(destination, &topic));
        let verdict = compared(&from, &to).await;
        println!(
            "  {topic}: {} records, {} duplicates, seed {SEED}",
            verdict.source, verdict.duplicate
        );
        assert!(
            verdict.is_complete() && verdict.duplicate == 0,
            "seed {SEED}, {topic}: {verdict}\n{run}"
        );
    }
}

/// Kills the link at seeded moments.
async fn killed(link: &Replicate, copy: &Place) {
    let mut moments = Moments(SEED);
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
        let now = offsets(copy).await;
        moved += usize::from(now > before);
        before = now;
    }
    println!("{KILLS} kills, {moved} of them after progress, seed {SEED}");
    assert!(moved >= KILLS / 3, "most kills interrupt a running copy");
}

async fn kills_leave_every_record_once(versions: (KafkaVersion, KafkaVersion)) {
    let (source, destination) = pair(versions.0, versions.1).await;
    let prefix = unique("transactional-killed");
    let loads = mixed_loads(source, &prefix, true).await;
    let link = transactional(source, destination, &prefix);
    killed(&link, &stored(destination, &loads[0].0)).await;
    ends_equal((source, destination), &link, loads).await;
}

// To a newer broker the same is done beside the other ways of writing.
#[tokio::test]
async fn kills_of_a_transactional_link_to_an_older_broker_leave_every_record_once() {
    kills_leave_every_record_once((NEW, OLD)).await;
}

#[tokio::test]
async fn lost_answers_of_the_coordinator_are_never_guessed() {
    let guard = shaken().await;
    let shaken = guard.as_ref().expect("started");
    let both = (&shaken.source, &shaken.destination);
    let prefix = unique("transactional-cut");
    let loads = mixed_loads(both.0, &prefix, false).await;
    let link = transactional(both.0, both.1, &prefix);
    let program = link.start();
    let copy = stored(both.1, &loads[0].0);
    wait_for_offsets(&copy, 200).await;
    let proxy = shaken.destination.proxy(0);
    for (api, direction, action) in [
        (END_TXN, Direction::Answers, FrameAction::Cut),
        (END_TXN, Direction::Requests, FrameAction::CutAfter),
        (END_TXN, Direction::Requests, FrameAction::Cut),
        (PRODUCE, Direction::Answers, FrameAction::Cut),
        (PRODUCE, Direction::Requests, FrameAction::CutAfter),
        (END_TXN, Direction::Answers, FrameAction::Reset),
    ] {
        // What follows is a new identity, whose answer is lost as well.
        let mut again = proxy.on_frame(FrameRule::new(
            Direction::Answers,
            INIT_PRODUCER_ID,
            FrameAction::Cut,
        ));
        let mut cut = proxy.on_frame(FrameRule::new(direction, api, action).nth(2));
        assert!(cut.wait(1, COPIED).await, "a connection was cut");
        assert!(again.wait(1, COPIED).await, "a new identity was asked for");
        moves_on(&program, &copy).await;
    }
    program.terminate().expect("it runs");
    program.wait(COPIED).await.expect("it ends");
    ends_equal(both, &link, loads).await;
}

#[tokio::test]
async fn a_zombie_finds_its_transactions_fenced_and_stops() {
    let (source, destination) = pair(NEW, NEW).await;
    let prefix = unique("transactional-zombie");
    let loads = mixed_loads(source, &prefix, true).await;
    let link = transactional(source, destination, &prefix);
    let copy = stored(destination, &loads[0].0);
    let mut moments = Moments(SEED);
    for _ in 0..3 {
        let zombie = link.start();
        let now = offsets(&copy).await;
        wait_for_offsets(&copy, now + 200).await;
        // sleeps because the moment is the test: nothing is waited for.
        tokio::time::sleep(moments.next(100, 900)).await;
        zombie.suspend().expect("it runs");
        let successor = link.start();
        let now = offsets(&copy).await;
        wait_for_offsets(&copy, now + 400).await;
        zombie.resume().expect("it is there");
        test_support::eventually::eventually_true("the zombie stops", COPIED, async || {
            zombie.text(Stream::Error).contains("taken-over")
        })
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", zombie.lines().tail(60)));
        let now = offsets(&copy).await;
        wait_for_offsets(&copy, now + 100).await;
        let said = successor.text(Stream::Error);
        assert!(!said.contains("taken-over"), "{}", loud(&said).join("\n"));
        successor.kill9();
        zombie.kill9();
    }
    ends_equal((source, destination), &link, loads).await;
}

#[tokio::test]
async fn a_link_goes_on_exactly_where_it_was_when_transactions_are_switched_on_and_off() {
    let (source, destination) = pair(NEW, NEW).await;
    let prefix = unique("transactional-switched");
    let topic = format!("{prefix}.one");
    new_topic(source, &topic, 3, &[]).await;
    let records = Generator::new(Shape::mixed(SEED, 3).largest_value(4 * 1024));
    let load = Load::new(source.bootstrap(), &topic).codec(Codec::Zstd);
    let load = load.start(records, 600);
    let plain = Replicate::new(source, destination, &format!("{prefix}\\..*"));
    let copy = stored(destination, &topic);
    let modes: [&[&str]; 5] = [&MAPPED, &REQUIRED, &MAPPED, &REQUIRED, &MAPPED];
    for more in modes {
        let arguments = [
            plain.arguments().to_vec(),
            more.iter().map(ToString::to_string).collect(),
        ];
        let program = program(&arguments.concat());
        let now = offsets(&copy).await;
        wait_for_offsets(&copy, now + 300).await;
        // sleeps because a kill amid what is not stored yet is the test.
        tokio::time::sleep(Duration::from_millis(150)).await;
        program.kill9();
    }
    ends_equal((source, destination), &plain, vec![(topic, load)]).await;
}
