//! One link with many partitions on two workers: how long it takes to start, what the workers weigh, and how long it takes
//! until everything runs on one when the other is killed. Every run does a small form. The large one, whose figures are in
//! docs/benchmark-results:
//!
//! ```text
//! TRIBUTARY_TEST_PROGRAM=target/release/tributary TRIBUTARY_TEST_PARTITIONS=10000 \
//!   cargo test -p tributary --test it -- group_scale --nocapture --test-threads 1
//! ```

use std::time::Duration;

use serde_json::json;
use test_support::eventually::eventually;
use test_support::limits;
use test_support::workload::create_topics;
use tokio::time::Instant;

use crate::connect_worker::expect;
use crate::group::{Group, Member, link};
use crate::support::{NEW, pair, stored, unique, wait_for_offsets};
use crate::topics::send;

/// Without `TRIBUTARY_TEST_PARTITIONS`.
const PARTITIONS: usize = 60;
/// Partitions of a topic in the large form.
const EACH: usize = 1000;
const LIMIT: Duration = Duration::from_secs(900);
const MIB: u64 = 1024 * 1024;

/// What a worker weighs, and what it does while nothing happens.
async fn weigh(member: &Member, what: &str) {
    let before = member.process.usage().expect("it runs");
    let start = Instant::now();
    // sleeps because what is measured is what happens in a time in which nobody asks for anything
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = member.process.usage().expect("it runs");
    let busy = (after.processor() - before.processor()).as_secs_f64();
    println!(
        "  {what}: {} MiB resident, {} MiB at most, {:.3} of a processor while nothing happens, {:.1} s of it so far",
        after.resident / MIB,
        after.peak_resident / MIB,
        busy / start.elapsed().as_secs_f64(),
        after.processor().as_secs_f64()
    );
}

/// What it costs to be asked: by Prometheus, and by an open browser.
async fn asks_cost(member: &Member) {
    for (path, times) in [
        ("/metrics", 5),
        ("/api/v1/overview", 5),
        ("/api/v1/links/wide", 5),
        ("/api/v1/links/wide/health", 5),
        ("/api/v1/links/wide/topics?limit=1000", 5),
        ("/api/v1/links/wide/partitions?limit=1000", 5),
    ] {
        let (before, began) = (member.process.usage().expect("it runs"), Instant::now());
        let mut bytes = 0;
        for _ in 0..times {
            bytes = expect(member.client.get(path).await, 200).body.len();
            // sleeps because answers hold for a second, and what is measured is what it costs to make them
            tokio::time::sleep(Duration::from_millis(1100)).await;
        }
        let after = member.process.usage().expect("it runs");
        let busy = (after.processor() - before.processor()).as_secs_f64();
        println!(
            "  {path}: {:.1} ms of a processor each, with what happens anyway in {:.1} s; {} KiB; {} MiB resident",
            busy * 1000.0 / f64::from(times),
            began.elapsed().as_secs_f64() / f64::from(times),
            bytes / 1024,
            after.resident / MIB
        );
    }
}

/// Waits until so many partitions are copied by these workers, and nothing is left to copy.
async fn all_copied(members: &[&Member], partitions: u64) {
    let look = async || {
        let mut running = 0;
        let mut lag = 0;
        for member in members {
            let status = member.client.get("/connectors/wide/status").await;
            if status.status != 200 {
                return Err(status.body);
            }
            let own = &status.json()["tributary"];
            running += own["running"].as_u64().unwrap_or(0);
            lag += own["lag"].as_u64().unwrap_or(1);
        }
        match running == partitions && lag == 0 {
            true => Ok(()),
            false => Err(format!("{running} run, lag {lag}")),
        }
    };
    eventually("everything to be copied", LIMIT, look)
        .await
        .unwrap_or_else(|error| {
            panic!("{error}\n{}", members[0].process.lines().tail(60));
        });
}

#[tokio::test(flavor = "multi_thread")]
async fn many_partitions_run_on_two_workers_and_on_one_when_the_other_is_killed() {
    let (source, destination) = pair(NEW, NEW).await;
    let partitions = limits::partitions().unwrap_or(PARTITIONS);
    let topics = partitions.div_ceil(EACH);
    let prefix = unique("wide");
    let names: Vec<String> = (0..topics).map(|n| format!("{prefix}-{n}")).collect();
    let each = i32::try_from(partitions / topics).expect("few");
    let small = [("segment.index.bytes", "4096")];
    let made = create_topics(&source.bootstrap(), &names, each, &small).await;
    made.expect("topics");
    send(source, &names[0], each, 500).await;
    let group = Group::new(destination, "");
    let (one, other) = tokio::join!(group.member(), group.member());
    weigh(&one, "without links").await;
    let tasks = if limits::partitions().is_some() {
        64
    } else {
        6
    };
    let mut config = link(source, &names[0], tasks);
    config["topic.regex"] = json!(format!("{prefix}-.*"));
    let keys = config.as_object_mut().expect("a map");
    drop(keys.remove("topic.whitelist"));
    let body = json!({"name": "wide", "config": config}).to_string();
    let start = Instant::now();
    expect(one.settled("POST", "/connectors", Some(&body)).await, 201);
    let total = u64::try_from(partitions / topics * topics).expect("few");
    all_copied(&[&one, &other], total).await;
    println!(
        "  {total} partitions in {tasks} tasks: all are copied after {:.1} s",
        start.elapsed().as_secs_f64()
    );
    one.shared_by("wide", tasks, &[one.id(), other.id()]).await;
    weigh(&one, "the first worker").await;
    weigh(&other, "the second worker").await;
    let killed = Instant::now();
    other.process.kill9();
    one.shared_by("wide", tasks, &[one.id()]).await;
    println!(
        "  killed: all tasks run on the other one after {:.1} s",
        killed.elapsed().as_secs_f64()
    );
    all_copied(&[&one], total).await;
    println!(
        "  killed: all partitions are copied again after {:.1} s",
        killed.elapsed().as_secs_f64()
    );
    weigh(&one, "the one that is left").await;
    if limits::partitions().is_some() {
        asks_cost(&one).await;
    }
    wait_for_offsets(&stored(destination, &names[0]), 500).await;
}
