//! Brokers that die, freeze and come back; answers that are lost: the copy goes on by itself and nothing is there twice.

use std::time::Duration;

use test_support::fault_proxy::{Direction, FrameAction, FrameRule};
use test_support::kafka_cluster::KafkaCluster;
use test_support::limits::RECOVER;
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{Codec, Generator, Load, RunningLoad, Shape};
use tokio::time::Instant;

use crate::support::{
    COPIED, Replicate, Shaken, committed, compared, new_topic, offsets, shaken, stored, unique,
    wait_for_offsets,
};

const SEED: u64 = 14;
const PER_SECOND: u32 = 400;
/// Kafka's number of the Produce API.
const PRODUCE: i16 = 0;

/// A copy under load.
struct Running<'a> {
    pair: &'a Shaken,
    topic: String,
    load: RunningLoad,
    link: Replicate,
    program: TributaryProcess,
}

impl<'a> Running<'a> {
    /// Starts both and waits until records arrive.
    async fn start(pair: &'a Shaken, name: &str) -> Self {
        let topic = unique(name);
        new_topic(&pair.source, &topic, 4, &[]).await;
        let records = Generator::new(Shape::mixed(SEED, 4).largest_value(8 * 1024));
        let load = Load::new(pair.source.bootstrap(), &topic).codec(Codec::Lz4);
        let load = load.start(records, PER_SECOND);
        let link = Replicate::new(&pair.source, &pair.destination, &topic);
        let program = link.start();
        wait_for_offsets(&stored(&pair.destination, &topic), 300).await;
        Self {
            pair,
            topic,
            load,
            link,
            program,
        }
    }

    /// Waits until more is copied than at the moment of the call; returns how long that took.
    async fn goes_on(&self, limit: Duration) -> Duration {
        let begin = Instant::now();
        let place = stored(&self.pair.destination, &self.topic);
        let now = offsets(&place).await;
        let more = async || offsets(&place).await > now;
        let waited = test_support::eventually::eventually_true("progress", limit, more).await;
        if let Err(error) = waited {
            panic!("{error}\n{}", self.program.lines().tail(60));
        }
        begin.elapsed()
    }

    /// Ends the load, lets the copy finish in the same process, and compares.
    async fn ends_equal(self) {
        let produced = self.load.stop().await.expect("all are acknowledged");
        let from = committed(&self.pair.source, &self.topic);
        let to = stored(&self.pair.destination, &self.topic);
        let count = i64::try_from(produced.records()).expect("few");
        wait_for_offsets(&to, count).await;
        assert!(
            self.program.runs().expect("known"),
            "the same process to the end"
        );
        self.program.terminate().expect("it runs");
        let status = self.program.wait(COPIED).await.expect("it ends");
        assert_eq!(status.code(), Some(0), "{}", self.program.lines().tail(60));
        let verdict = compared(&from, &to).await;
        assert!(
            verdict.is_equal(),
            "seed {SEED}: {verdict}\n{}",
            self.program.lines().tail(60)
        );
        self.link.until_caught_up().await.ended_with(0).quiet();
        println!(
            "{}: {} records, no duplicates",
            self.topic, verdict.destination
        );
    }
}

async fn restart_killed(cluster: &KafkaCluster, down: Duration) {
    cluster.node(0).kill();
    // sleeps because the outage is the test.
    tokio::time::sleep(down).await;
    cluster.node(0).start().await.expect("it starts again");
}

#[tokio::test]
async fn a_destination_broker_killed_and_started_again_costs_time_only() {
    let guard = shaken().await;
    let pair = guard.as_ref().expect("started");
    let running = Running::start(pair, "destination-killed").await;
    restart_killed(&pair.destination, Duration::from_secs(2)).await;
    let took = running.goes_on(2 * RECOVER).await;
    println!("progress {took:?} after the broker answered");
    running.ends_equal().await;
}

#[tokio::test]
async fn a_source_broker_killed_and_started_again_costs_time_only() {
    let guard = shaken().await;
    let pair = guard.as_ref().expect("started");
    let running = Running::start(pair, "source-killed").await;
    restart_killed(&pair.source, Duration::from_secs(2)).await;
    let took = running.goes_on(2 * RECOVER).await;
    println!("progress {took:?} after the broker answered");
    running.ends_equal().await;
}

#[tokio::test]
async fn frozen_brokers_cost_time_only() {
    let guard = shaken().await;
    let pair = guard.as_ref().expect("started");
    let running = Running::start(pair, "frozen").await;
    for cluster in [&pair.destination, &pair.source] {
        cluster.node(0).suspend().expect("it runs");
        // sleeps because the outage is the test.
        tokio::time::sleep(Duration::from_secs(5)).await;
        cluster.node(0).resume().expect("it is there");
        let took = running.goes_on(2 * RECOVER).await;
        println!("{}: progress {took:?} after 5 s of silence", cluster.name());
    }
    running.ends_equal().await;
}

#[tokio::test]
async fn lost_answers_to_produce_requests_repeat_nothing() {
    let guard = shaken().await;
    let pair = guard.as_ref().expect("started");
    let running = Running::start(pair, "answer-lost").await;
    let proxy = pair.destination.proxy(0);
    for action in [FrameAction::Cut, FrameAction::Reset, FrameAction::Cut] {
        // The broker has stored the batches; the program never hears of it.
        let rule = FrameRule::new(Direction::Answers, PRODUCE, action);
        let mut lost = proxy.on_frame(rule.nth(3));
        assert!(lost.wait(1, COPIED).await, "an answer was lost");
        let took = running.goes_on(2 * RECOVER).await;
        println!("{action:?}: progress {took:?} later");
    }
    // The other way round: the request is forwarded, then the connection ends; stored or not is a matter of luck.
    let rule = FrameRule::new(Direction::Requests, PRODUCE, FrameAction::CutAfter);
    let mut cut = proxy.on_frame(rule.nth(2));
    assert!(cut.wait(1, COPIED).await, "a connection was cut");
    running.goes_on(2 * RECOVER).await;
    running.ends_equal().await;
}

#[tokio::test]
async fn a_kill_right_behind_a_produce_request_repeats_nothing() {
    let guard = shaken().await;
    let pair = guard.as_ref().expect("started");
    let running = Running::start(pair, "killed-in-flight").await;
    let proxy = pair.destination.proxy(0);
    let mut process = None;
    for nth in [1, 2, 5] {
        let program = process.as_ref().unwrap_or(&running.program);
        let rule = FrameRule::new(Direction::Answers, PRODUCE, FrameAction::Drop).nth(nth);
        let mut dropped = proxy.on_frame(rule.times(20));
        assert!(
            dropped.wait(1, COPIED).await,
            "an answer was dropped\n{}",
            program.lines().tail(60)
        );
        program.kill9();
        proxy.heal().await;
        process = Some(running.link.start());
        let took = running.goes_on(2 * RECOVER).await;
        println!("progress {took:?} after the start");
    }
    let running = Running {
        program: process.expect("three rounds"),
        ..running
    };
    running.ends_equal().await;
}
