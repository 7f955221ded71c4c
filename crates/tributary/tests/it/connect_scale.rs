//! Many links in one worker, and one link with many topics: how long they take to start, what they weigh, and how fast
//! the lists of the API are meanwhile. Every run does a small form. The large one, whose figures are in
//! docs/benchmark-results:
//!
//! ```text
//! cargo build --release -p tributary
//! TRIBUTARY_TEST_PROGRAM=target/release/tributary TRIBUTARY_TEST_LINKS=1000 TRIBUTARY_TEST_TOPICS=5000 \
//!   cargo test -p tributary --test it -- connect_scale --nocapture --test-threads 1
//! ```

use std::time::Duration;

use serde_json::{Value, json};
use test_support::eventually::eventually;
use test_support::kafka_cluster::KafkaCluster;
use test_support::limits;
use test_support::workload::{create_topics, topics};
use tokio::time::Instant;

use crate::connect_worker::{Worker, expect};
use crate::support::{NEW, OLD, bootstrap, pair, unique};
use crate::topics::send;

/// Without `TRIBUTARY_TEST_LINKS`.
const LINKS: usize = 25;
/// Without `TRIBUTARY_TEST_TOPICS`.
const TOPICS: usize = 200;
/// How many topics have records.
const FILLED: usize = 10;
/// Longest wait for everything to run.
const LIMIT: Duration = Duration::from_secs(600);
/// The longest that one of a hundred lists may take.
const SLOWEST: Duration = Duration::from_millis(100);
/// Between two requests of those whose times are taken.
const APART: Duration = Duration::from_millis(25);
const MIB: u64 = 1024 * 1024;

/// Makes the topics, with records in some of them.
async fn fill(source: &KafkaCluster, names: &[String]) {
    let made = create_topics(&source.bootstrap(), names, 1, &[]).await;
    made.expect("topics");
    for name in names.iter().step_by(names.len().div_ceil(FILLED)) {
        send(source, name, 1, 50).await;
    }
}

/// Topics whose names begin with the prefix.
async fn count(cluster: &KafkaCluster, prefix: &str) -> usize {
    let all = topics(&cluster.bootstrap()).await.expect("an answer");
    all.keys().filter(|name| name.starts_with(prefix)).count()
}

/// Waits until every link's every partition is being copied, and nothing is left to copy.
async fn all_run(worker: &Worker, links: usize, partitions: u64) {
    let look = async || {
        let all = worker.client.get("/connectors?expand=status").await.json();
        let all = all.as_object().expect("a map").clone();
        let running = |one: &&Value| one["status"]["connector"]["state"] == "RUNNING";
        let sum = |key: &str| {
            let each = all.values().map(|one| &one["status"]["tributary"][key]);
            each.filter_map(Value::as_u64).sum::<u64>()
        };
        let run = all.values().filter(running).count();
        let known = all
            .values()
            .all(|one| one["status"]["tributary"]["lag"].is_number());
        let (copied, lag) = (sum("running"), sum("lag"));
        match run == links && known && copied == partitions && lag == 0 {
            true => Ok(()),
            false => Err(format!("{run} links run, {copied} partitions, lag {lag}")),
        }
    };
    eventually("everything to run", LIMIT, look)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", worker.log()));
}

/// Times of a hundred requests each, a moment apart, while nothing else is asked.
async fn lists_are_quick(worker: &Worker, paths: &[&str]) {
    for path in paths {
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        let mut times = Vec::new();
        let mut size = 0;
        for _ in 0..100 {
            // sleeps because what happens seldom in the worker is to be met too
            tokio::time::sleep(APART).await;
            let start = Instant::now();
            let answer = worker.client.raw(request.as_bytes()).await;
            times.push(start.elapsed());
            let answer = answer.expect("an answer");
            assert!(answer.starts_with(b"HTTP/1.0 200"), "{path}");
            size = answer.len();
        }
        times.sort();
        println!(
            "GET {path}: median {:.1?}, p99 {:.1?}, slowest {:.1?}, {size} bytes",
            times[50], times[98], times[99]
        );
        assert!(times[98] < SLOWEST, "{path}: {:?}", times[98]);
    }
}

/// What the worker weighs, and what it does while nothing happens.
async fn weigh(worker: &Worker, what: &str) {
    let before = worker.process().usage().expect("it runs");
    let start = Instant::now();
    // sleeps because what is measured is what happens in a time in which nobody asks for anything
    tokio::time::sleep(Duration::from_secs(5)).await;
    let after = worker.process().usage().expect("it runs");
    let busy = (after.processor() - before.processor()).as_secs_f64();
    println!(
        "{what}: {} MiB resident, {} MiB at most, {:.2} of a processor while nothing happens; load of the machine {}",
        after.resident / MIB,
        after.peak_resident / MIB,
        busy / start.elapsed().as_secs_f64(),
        std::fs::read_to_string("/proc/loadavg")
            .unwrap_or_default()
            .trim()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_links_with_a_topic_each_run_in_one_worker_and_are_listed_quickly() {
    let (source, destination) = pair(OLD, NEW).await;
    let links = limits::links(LINKS);
    let prefix = unique("each");
    let names: Vec<String> = (0..links)
        .map(|number| format!("{prefix}-{number:04}"))
        .collect();
    fill(source, &names).await;
    let lines = format!("bootstrap.servers={}", bootstrap(destination));
    let worker = Worker::tributary(&lines, &[]).await;
    weigh(&worker, "without links").await;
    let start = Instant::now();
    for name in &names {
        let config = json!({
            "connector.class": "ReplicatorSourceConnector",
            "src.kafka.bootstrap.servers": source.bootstrap(),
            "dest.kafka.bootstrap.servers": destination.bootstrap(),
            "topic.whitelist": name,
            "dest.topic.replication.factor": 1,
        });
        let body = json!({"name": name, "config": config}).to_string();
        expect(worker.client.post("/connectors", Some(&body)).await, 201);
    }
    let posted = start.elapsed();
    all_run(&worker, links, links as u64).await;
    println!(
        "{links} links: posted in {posted:.1?}, all run and have copied after {:.1?}",
        start.elapsed()
    );
    assert_eq!(count(destination, &prefix).await, links);
    weigh(&worker, &format!("{links} links")).await;
    let paths = [
        "/connectors",
        "/connectors?expand=status",
        "/connectors?expand=status&expand=info",
    ];
    lists_are_quick(&worker, &paths).await;
    let start = Instant::now();
    for name in &names {
        let path = format!("/connectors/{name}");
        expect(worker.client.delete(&path).await, 204);
    }
    println!("{links} links deleted in {:.1?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_link_with_many_topics_runs_and_is_shown_quickly() {
    let (source, destination) = pair(OLD, NEW).await;
    let count_of_topics = limits::topics(TOPICS);
    let prefix = unique("all");
    let names: Vec<String> = (0..count_of_topics)
        .map(|number| format!("{prefix}-{number:04}"))
        .collect();
    fill(source, &names).await;
    let link = format!(
        "name=wide\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={}\n\
         topic.regex={prefix}-.*\ndest.topic.replication.factor=1\ntasks.max=8\n",
        bootstrap(source)
    );
    let lines = format!("bootstrap.servers={}", bootstrap(destination));
    let start = Instant::now();
    let worker = Worker::tributary(&lines, &[&link]).await;
    all_run(&worker, 1, count_of_topics as u64).await;
    println!(
        "{count_of_topics} topics: all are copied after {:.1?}",
        start.elapsed()
    );
    assert_eq!(count(destination, &prefix).await, count_of_topics);
    weigh(&worker, &format!("{count_of_topics} topics")).await;
    let paths = [
        "/connectors",
        "/connectors?expand=status&expand=info",
        "/connectors/wide/status",
        "/connectors/wide/topics",
        "/connectors/wide/tasks",
    ];
    lists_are_quick(&worker, &paths).await;
    let start = Instant::now();
    expect(worker.client.put("/connectors/wide/pause", None).await, 202);
    worker.becomes("wide", "PAUSED").await;
    println!("paused after {:.2?}", start.elapsed());
    expect(
        worker.client.put("/connectors/wide/resume", None).await,
        202,
    );
    let start = Instant::now();
    all_run(&worker, 1, count_of_topics as u64).await;
    println!("resumed after {:.2?}", start.elapsed());
}
