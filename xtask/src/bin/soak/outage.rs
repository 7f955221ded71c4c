//! A long outage in small: the destination is away while the source is written to, and comes back.

use std::path::Path;
use std::time::Duration;

use test_support::judge;
use test_support::kafka_cluster::KafkaCluster;
use test_support::limits::{CATCH_UP, CAUGHT_UP_SHARE, MEMORY_BEYOND_BUFFER};
use test_support::workload::{Codec, Generator, Load, RunningLoad, Shape, create_topic};
use tokio::time::{Instant, sleep, timeout};

use crate::report::Page;
use crate::scene::{self, ends, stored};
use crate::{Result, say};

/// Partitions of the topic with the backlog, and topics of one partition with little.
const LARGE: i32 = 40;
const SMALL: usize = 10;
const RECORD: usize = 4_000;
/// Load while nothing is wrong, in records per second.
const USUAL: u32 = 500;
/// Small topics are current within this after the return.
const CURRENT: Duration = Duration::from_secs(10);
const PATIENCE: Duration = Duration::from_secs(1_800);

/// Offsets of all copies together.
async fn total(cluster: &KafkaCluster, topics: &[String]) -> i64 {
    ends(cluster, topics)
        .await
        .map_or(0, |ends| ends.values().sum())
}

/// Waits until the copies end where the sources did at the moment of the call.
async fn current(
    [source, destination]: &[KafkaCluster; 2],
    topics: &[String],
) -> Result<Option<Duration>> {
    let begin = Instant::now();
    let wanted = ends(source, topics).await?;
    let reached = async {
        loop {
            let now = ends(destination, topics).await.unwrap_or_default();
            if wanted.iter().all(|(key, end)| now.get(key) >= Some(end)) {
                return;
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    Ok(timeout(PATIENCE, reached)
        .await
        .ok()
        .map(|()| begin.elapsed()))
}

/// A producer of a topic, and what it sends.
fn load(
    source: &KafkaCluster,
    topic: &str,
    partitions: i32,
    seed: (u64, u32),
) -> (Load, Generator) {
    let shape = Shape::uniform(seed.0, partitions, RECORD).producer(seed.1);
    let load = Load::new(source.bootstrap(), topic).codec(Codec::Lz4);
    (load, Generator::new(shape))
}

/// Creates the topics, and begins the load that goes on all the time.
async fn begin(
    source: &KafkaCluster,
    large: &str,
    small: &[String],
    seed: u64,
) -> Result<Vec<RunningLoad>> {
    create_topic(&source.bootstrap(), large, LARGE, &[]).await?;
    let mut loads = Vec::new();
    for (number, topic) in small.iter().enumerate() {
        create_topic(&source.bootstrap(), topic, 1, &[]).await?;
        let producer = u32::try_from(number).unwrap_or(0);
        let (small, records) = load(source, topic, 1, (seed, producer));
        loads.push(small.start(records, 10));
    }
    let (usual, records) = load(source, large, LARGE, (seed, 100));
    loads.push(usual.start(records, USUAL));
    Ok(loads)
}

async fn compared(page: &mut Page, [source, destination]: &[KafkaCluster; 2], topic: &str) {
    let (from, to) = (scene::committed(source, topic), stored(destination, topic));
    let equal = judge::wait_until_digests_equal(&from, &to, PATIENCE).await;
    page.hold(equal.is_ok(), format!("{topic}: equal, record by record"));
}

/// Runs it; `gigabytes` are written while the destination is away.
pub(crate) async fn run(program: &Path, seed: u64, minutes: u64, gigabytes: f64) -> Result<Page> {
    let clusters = scene::clusters(1).await?;
    let [source, destination] = &clusters;
    let large = vec!["soak.large".to_owned()];
    let small: Vec<String> = (0..SMALL).map(|n| format!("soak.small.{n}")).collect();
    let loads = begin(source, &large[0], &small, seed).await?;
    let process = scene::Command::new(program, &clusters).start()?;
    let mut page = Page {
        name: format!("{}-outage-{seed}", scene::stamp()),
        ..Page::default()
    };
    page.line(format!(
        "# The destination away for {minutes} minutes, {gigabytes} GB written, seed {seed}\n"
    ));
    page.line("50 partitions: 40 of one topic, ten topics of one.\n");
    if current(&clusters, &large).await?.is_none() || current(&clusters, &small).await?.is_none() {
        return Err(process.lines().tail(60).into());
    }
    let (began, before) = (Instant::now(), total(destination, &large).await);
    sleep(Duration::from_secs(30)).await;
    let copied = total(destination, &large).await - before;
    let usual = copied as f64 / began.elapsed().as_secs_f64();

    let away = Instant::now();
    destination.proxy(0).cut().await;
    let count = (gigabytes * 1e9 / RECORD as f64) as usize;
    let (backlog, records) = load(source, &large[0], LARGE, (seed, 200));
    backlog.send(records.take(count)).await?;
    say(&format!(
        "the backlog was written within {:?}",
        away.elapsed()
    ));
    sleep(Duration::from_secs(60 * minutes).saturating_sub(away.elapsed())).await;
    let waiting = process.usage()?;
    destination.proxy(0).heal().await;
    let back = Instant::now();
    let (quick, rate) = tokio::join!(current(&clusters, &small), async {
        let before = total(destination, &large).await;
        sleep(CATCH_UP).await;
        let copied = total(destination, &large).await - before;
        copied as f64 / CATCH_UP.as_secs_f64()
    });
    let quick = quick?;
    let whole = current(&clusters, &large).await?;
    let took = back.elapsed();
    for load in loads {
        load.stop().await?;
    }
    let usage = process.usage()?;
    let allowed = scene::BUFFERS + MEMORY_BEYOND_BUFFER;
    page.line(format!(
        "Resident while the destination was away: {} MiB.\n",
        waiting.resident >> 20
    ));
    page.hold(
        usage.peak_resident <= allowed,
        format!(
            "memory: {} of {} MiB",
            usage.peak_resident >> 20,
            allowed >> 20
        ),
    );
    page.hold(
        quick.is_some_and(|quick| quick <= CURRENT),
        format!("small topics current {quick:?} after the return, limit {CURRENT:?}"),
    );
    page.hold(
        rate >= usual * CAUGHT_UP_SHARE,
        format!("{rate:.0} records/s in the first {CATCH_UP:?}, {usual:.0} before"),
    );
    page.hold(
        whole.is_some(),
        format!("the backlog was copied {took:?} after the return"),
    );
    for topic in large.iter().chain(&small) {
        compared(&mut page, &clusters, topic).await;
    }
    process.terminate()?;
    Ok(page)
}
