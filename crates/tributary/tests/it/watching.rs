//! What it costs a worker with many partitions to be watched: by its own probes of health, by Prometheus, by a probe of an
//! orchestrator, by a terminal and by an open page of the control center. The same worker rests first, is watched, and rests again;
//! another one, whose probes practically never run, says what the probes cost. Every run does a small form without limits. The large one,
//! whose figures are in docs/benchmark-results and which holds the program to its promise:
//!
//! ```text
//! cargo build --release -p tributary
//! TRIBUTARY_TEST_PROGRAM=target/release/tributary TRIBUTARY_TEST_PARTITIONS=10000 \
//!   cargo test -p tributary --test it -- watching --nocapture --test-threads 1
//! ```

use std::time::Duration;

use serde_json::Value;
use test_support::eventually::eventually;
use test_support::kafka_cluster::{ClusterBuilder, KafkaCluster};
use test_support::limits;
use test_support::workload::create_topics;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::connect_http::Client;
use crate::connect_worker::{Worker, expect};
use crate::support::{NEW, bootstrap, pair, unique};
use crate::topics::send;

/// Without `TRIBUTARY_TEST_PARTITIONS`.
const PARTITIONS: usize = 40;
/// Partitions of a topic.
const EACH: i32 = 4;
/// Topics that have records.
const FILLED: usize = 10;
const LIMIT: Duration = Duration::from_secs(900);
/// Seconds of each part of the large form, and of the small one.
const LONG: usize = 120;
const SHORT: u64 = 4;
const MIB: f64 = 1024.0 * 1024.0;
/// What watching 10,000 partitions may cost: this share of a core, and so much memory.
const SHARE: f64 = 0.03;
const MEMORY: f64 = 50.0;

/// What a worker took during a time.
#[derive(Clone, Copy)]
struct Cost {
    /// Of a core.
    share: f64,
    /// Resident memory in MiB: on average, and at most.
    resident: f64,
    most: f64,
}

/// Measures for so long.
async fn cost(worker: &Worker, what: &str, time: Duration) -> Cost {
    let usage = || worker.process().usage().expect("it runs");
    let (before, begin) = (usage(), Instant::now());
    let (mut sum, mut most, mut looks) = (0.0, 0.0_f64, 0.0);
    while begin.elapsed() < time {
        // sleeps because what is measured is what happens in a time
        sleep(Duration::from_millis(500)).await;
        let resident = usage().resident as f64 / MIB;
        sum += resident;
        most = most.max(resident);
        looks += 1.0;
    }
    let busy = (usage().processor() - before.processor()).as_secs_f64();
    let cost = Cost {
        share: busy / begin.elapsed().as_secs_f64(),
        resident: sum / looks,
        most,
    };
    println!(
        "| {what} | {:.2} % | {:.0} MiB | {:.0} MiB |",
        100.0 * cost.share,
        cost.resident,
        cost.most
    );
    cost
}

/// One who asks for the same again and again: how often it was answered, with how much, and how long the longest took.
struct Asked {
    what: &'static str,
    times: usize,
    bytes: usize,
    longest: Duration,
}

impl Asked {
    fn print(&self) {
        println!(
            "  {}: {} answers, {} KiB each, the longest after {:.1?}",
            self.what,
            self.times,
            self.bytes / self.times.max(1) / 1024,
            self.longest
        );
    }
}

/// Asks at once and then after each pause, which depends on how long the answer took.
async fn asks(
    client: &Client,
    what: &'static str,
    until: Instant,
    pause: impl Fn(Duration) -> Duration,
) -> Asked {
    let mut asked = Asked {
        what,
        times: 0,
        bytes: 0,
        longest: Duration::ZERO,
    };
    while Instant::now() < until {
        let begin = Instant::now();
        asked.bytes += expect(client.get(what).await, 200).body.len();
        let took = begin.elapsed();
        asked.longest = asked.longest.max(took);
        asked.times += 1;
        // sleeps because the pause is what is tried
        sleep_until(until.min(Instant::now() + pause(took))).await;
    }
    asked
}

/// As the control center reads what it shows: an answer may cost it a sixtieth of the time.
fn page(every: u64) -> impl Fn(Duration) -> Duration {
    let every = Duration::from_secs(every);
    move |took| {
        (60 * took)
            .max(every)
            .min(Duration::from_secs(15).max(every))
    }
}

/// The event stream of an open page; how many bytes came.
async fn listens(client: &Client, until: Instant) -> usize {
    let mut stream = TcpStream::connect(&client.address)
        .await
        .expect("it listens");
    let request = format!(
        "GET /api/v1/events?channels=links,tasks&link=wide HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n\r\n",
        client.address
    );
    let sent = stream.write_all(request.as_bytes()).await;
    sent.expect("it reads");
    let (mut bytes, mut buffer) = (0, Vec::with_capacity(1 << 16));
    while let Ok(read) = timeout_at(until, stream.read_buf(&mut buffer)).await {
        buffer.clear();
        let read = read.expect("it writes");
        assert!(read > 0, "the stream ended");
        bytes += read;
    }
    bytes
}

/// Everybody who watches, until then.
async fn watch(client: &Client, until: Instant) {
    let every = |seconds: u64| move |_: Duration| Duration::from_secs(seconds);
    let (prometheus, health, status, lag, link, partitions, events) = tokio::join!(
        asks(client, "/metrics", until, every(15)),
        asks(client, "/health", until, every(5)),
        // What `tributary status` and `tributary lag` ask for.
        asks(client, "/api/v1/overview", until, every(5)),
        asks(client, "/api/v1/links", until, every(5)),
        asks(client, "/api/v1/links/wide", until, page(4)),
        asks(
            client,
            "/api/v1/links/wide/partitions?limit=200&sort=-lag_seconds",
            until,
            page(5)
        ),
        listens(client, until),
    );
    for asked in [prometheus, health, status, lag, link, partitions] {
        asked.print();
    }
    println!("  /api/v1/events: {} KiB", events / 1024);
}

/// A worker that has copied everything.
async fn copied(
    destination: &KafkaCluster,
    link: &str,
    positions: &str,
    lines: &str,
    partitions: u64,
) -> Worker {
    let text = format!(
        "bootstrap.servers={}\nlisteners=http://127.0.0.1:0\noffset.storage.file.filename={positions}\n\
         offset.flush.interval.ms=1000\n{lines}\n",
        bootstrap(destination)
    );
    let folder = tempfile::tempdir().expect("a folder");
    let worker = Worker::of_files(folder, &text, &[link]).await;
    let look = async || {
        let status = worker.client.get("/connectors/wide/status").await;
        if status.status != 200 {
            return Err(status.body);
        }
        let own = &status.json()["tributary"];
        match own["running"] == partitions && own["lag"] == 0 {
            true => Ok(()),
            false => Err(format!("{} run, lag {}", own["running"], own["lag"])),
        }
    };
    let all = eventually("everything to be copied", LIMIT, look).await;
    all.unwrap_or_else(|error| panic!("{error}\n{}", worker.log()));
    worker
}

/// Two brokers with room for many partitions.
async fn large() -> [KafkaCluster; 2] {
    let builder = |name: &str| {
        let builder = KafkaCluster::builder().name(name).version(NEW);
        // A broker keeps a fetch that was answered because its time was over until so many are, each with all its partitions.
        let builder = builder.property("fetch.purgatory.purge.interval.requests", "50");
        builder.heap_mib(1024)
    };
    ClusterBuilder::start_all([builder("large-source"), builder("large-destination")])
        .await
        .expect("two brokers")
}

/// Makes the topics, with records in some of them.
async fn fill(source: &KafkaCluster, prefix: &str, partitions: usize) -> u64 {
    let each = usize::try_from(EACH).expect("few");
    let topics = partitions.div_ceil(each);
    let names: Vec<String> = (0..topics).map(|n| format!("{prefix}-{n:05}")).collect();
    // Ten thousand partitions need no room for ten thousand large indexes.
    let small = [("segment.index.bytes", "4096")];
    let made = create_topics(&source.bootstrap(), &names, EACH, &small).await;
    made.expect("topics");
    for name in names.iter().step_by(topics.div_ceil(FILLED)) {
        send(source, name, EACH, 40).await;
    }
    u64::try_from(topics * each).expect("few")
}

/// Whether the worker itself says that all is well.
async fn is_well(client: &Client) {
    let healthy = async || {
        let link: Value = expect(client.get("/api/v1/links/wide").await, 200).json();
        match link["health"] == "HEALTHY" {
            true => Ok(()),
            false => Err(link.to_string()),
        }
    };
    let healthy = eventually("the link to be healthy", LIMIT, healthy).await;
    healthy.expect("it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn to_be_watched_costs_a_worker_with_many_partitions_little() {
    let asked = limits::partitions();
    let own;
    let (source, destination) = match asked {
        // The shared brokers have a small heap: ten thousand partitions fill it, and then nothing is answered any more.
        Some(_) => {
            own = large().await;
            (&own[0], &own[1])
        }
        None => pair(NEW, NEW).await,
    };
    let time = match asked {
        Some(_) => Duration::from_secs(limits::seconds(LONG) as u64),
        None => Duration::from_secs(SHORT),
    };
    let prefix = unique("seen");
    let partitions = fill(source, &prefix, asked.unwrap_or(PARTITIONS)).await;
    let link = format!(
        "name=wide\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={}\n\
         topic.regex={prefix}-.*\ndest.topic.replication.factor=1\ntasks.max=8\n",
        bootstrap(source)
    );
    let folder = tempfile::tempdir().expect("a folder");
    let positions = folder.path().join("positions").display().to_string();
    let worker = copied(destination, &link, &positions, "", partitions).await;
    is_well(&worker.client).await;
    // What beginning took is not what watching takes.
    cost(&worker, "after the beginning", time / 4).await;
    println!("| {partitions} partitions | of a core | resident | at most |\n|---|---|---|---|");
    let rests = cost(&worker, "nobody asks", time).await;
    let until = Instant::now() + time;
    let (watched, ()) = tokio::join!(cost(&worker, "watched", time), watch(&worker.client, until));
    is_well(&worker.client).await;
    let again = cost(&worker, "nobody asks any more", time).await;
    worker.process().terminate().expect("it runs");
    worker.process().wait(LIMIT).await.expect("it ends");
    let seldom = "tributary.health.interval.ms=86400000";
    let blind = copied(destination, &link, &positions, seldom, partitions).await;
    cost(&blind, "after the beginning, without probes", time / 4).await;
    let blind = cost(&blind, "nobody asks, without probes", time).await;
    let asking = watched.share - rests.share.min(again.share);
    let probes = rests.share - blind.share;
    // Memory that a process has given back can be resident still: what counts is what is held beyond rest.
    let memory = watched.most - rests.resident;
    let probing = rests.resident - blind.resident;
    println!(
        "being asked: {:.2} % of a core, {memory:.0} MiB; probes: {:.2} %, {probing:.0} MiB",
        100.0 * asking,
        100.0 * probes
    );
    if asked.is_some() {
        let (share, memory) = (asking + probes.max(0.0), memory + probing.max(0.0));
        assert!(share < SHARE, "{:.2} % of a core", 100.0 * share);
        assert!(memory < MEMORY, "{memory:.0} MiB");
    }
}
