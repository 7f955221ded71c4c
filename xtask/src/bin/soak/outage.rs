//! A long outage in small: the destination is away while the source is written to, and comes back; first as it was, then with
//! a broker that takes its one partition slowly.
//!
//! ```text
//!   source, one broker ──▶ program ──▶ proxy ──▶ broker 1   49 of 50 partitions, and what the link remembers
//!                                 └──▶ proxy ──▶ broker 2   one partition of the large topic; slow in the second outage
//! ```
//! While it is away both proxies accept and reset every connection, so that attempts are counted. The second outage is
//! compared with the first: who is not slow must not wait for who is.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use test_support::fault_proxy::{Direction, Pace, seconds_of};
use test_support::judge;
use test_support::judge::follow::{Follower, longest_behind};
use test_support::kafka_cluster::KafkaCluster;
use test_support::limits::{
    CATCH_UP, CAUGHT_UP_SHARE, MEMORY_BEYOND_BUFFER, SMALL_BEHIND, SMALL_CURRENT,
};
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{
    Codec, Generator, Load, RunningLoad, Shape, create_topic, create_topic_on,
};
use tokio::time::{Instant, sleep, timeout};

use crate::report::Page;
use crate::scene::{self, ends, stored};
use crate::{Result, herd, say};

/// Partitions of the topic with the backlog, and topics of one partition with little.
const LARGE: usize = 40;
const SMALL: usize = 10;
const RECORD: usize = 4_000;
/// Load while nothing is wrong, in records per second.
const USUAL: u32 = 500;
/// What the others may take longer beside a slow partition: a share, and what two runs differ by anyway.
const LONGER: (f64, Duration) = (1.25, Duration::from_secs(3));
const PATIENCE: Duration = Duration::from_secs(1_800);
/// Nodes of the destination: of nearly everything, and of what is slow.
const USUAL_NODE: i32 = 1;
const SLOW_NODE: i32 = 2;
/// What the link remembers, made here so that it is not where it is slow.
const REMEMBERED: [&str; 2] = ["soak-positions", "tributary.origins.internal"];

/// What a run is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    pub(crate) minutes: u64,
    /// Written while the destination is away.
    pub(crate) gigabytes: f64,
    /// Partitions that the slow broker leads, and bytes per second that it takes.
    pub(crate) slow: (usize, u64),
}

/// Everything that takes part.
struct Scene {
    clusters: [KafkaCluster; 2],
    large: Vec<String>,
    small: Vec<String>,
    process: TributaryProcess,
    options: Options,
}

/// Offsets of the partitions that are not slow.
async fn total(cluster: &KafkaCluster, topics: &[String], but: &BTreeSet<i32>) -> i64 {
    let ends = ends(cluster, topics).await.unwrap_or_default();
    let others = ends.iter().filter(|((_, number), _)| !but.contains(number));
    others.map(|(_, end)| end).sum()
}

/// Waits until those copies end where the sources did at the moment of the call.
async fn current(
    [source, destination]: &[KafkaCluster; 2],
    topics: &[String],
    but: &BTreeSet<i32>,
) -> Result<Option<Duration>> {
    let begin = Instant::now();
    let mut wanted = ends(source, topics).await?;
    wanted.retain(|(_, number), _| !but.contains(number));
    let reached = async {
        loop {
            let now = ends(destination, topics).await.unwrap_or_default();
            if wanted.iter().all(|(key, end)| now.get(key) >= Some(end)) {
                return;
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    let reached = timeout(PATIENCE, reached).await;
    Ok(reached.ok().map(|()| begin.elapsed()))
}

/// A producer of a topic, and what it sends.
fn load(
    source: &KafkaCluster,
    topic: &str,
    partitions: usize,
    seed: (u64, u32),
) -> (Load, Generator) {
    let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
    let shape = Shape::uniform(seed.0, partitions, RECORD).producer(seed.1);
    let load = Load::new(source.bootstrap(), topic).codec(Codec::Lz4);
    (load, Generator::new(shape))
}

impl Scene {
    /// Starts the clusters, makes the topics on both sides, and starts the program.
    async fn start(program: &Path, options: Options) -> Result<Self> {
        let clusters = scene::clusters_of(1, 2, 1).await?;
        let [source, destination] = &clusters;
        let large = "soak.large".to_owned();
        let small: Vec<String> = (0..SMALL).map(|n| format!("soak.small.{n}")).collect();
        let (from, to) = (source.bootstrap(), destination.bootstrap());
        let mut nodes = vec![USUAL_NODE; LARGE - options.slow.0.min(LARGE)];
        nodes.resize(LARGE, SLOW_NODE);
        create_topic(&from, &large, i32::try_from(LARGE)?, &[]).await?;
        create_topic_on(&to, &large, &nodes, &[]).await?;
        for topic in &small {
            create_topic(&from, topic, 1, &[]).await?;
            create_topic_on(&to, topic, &[USUAL_NODE], &[]).await?;
        }
        for topic in REMEMBERED {
            let compacted = [("cleanup.policy", "compact")];
            create_topic_on(&to, topic, &[USUAL_NODE], &compacted).await?;
        }
        let remembered = format!("offset.storage.topic={}", REMEMBERED[0]);
        let command = scene::Command::new(program, &clusters).with(&["--override", &remembered]);
        let process = command.start()?;
        Ok(Self {
            clusters,
            large: vec![large],
            small,
            process,
            options,
        })
    }

    /// Numbers of the partitions of the large topic that the slow broker leads.
    fn slow(&self) -> BTreeSet<i32> {
        let all = (0..LARGE).rev().take(self.options.slow.0);
        all.filter_map(|number| i32::try_from(number).ok())
            .collect()
    }

    /// Begins the load that goes on all the time.
    fn loads(&self) -> Vec<RunningLoad> {
        let (source, seed) = (&self.clusters[0], self.options.seed);
        let mut loads = Vec::new();
        for (number, topic) in self.small.iter().enumerate() {
            let producer = u32::try_from(number).unwrap_or(0);
            let (small, records) = load(source, topic, 1, (seed, producer));
            loads.push(small.start(records, 10));
        }
        let (usual, records) = load(source, &self.large[0], LARGE, (seed, 100));
        loads.push(usual.start(records, USUAL));
        loads
    }

    /// Takes the destination away, writes the backlog, waits, and lets it come back.
    async fn away(&self, page: &mut Page, number: u32, slow: bool) -> Result<u64> {
        let [source, destination] = &self.clusters;
        let Options {
            seed,
            minutes,
            gigabytes,
            slow: (_, rate),
        } = self.options;
        let before = herd::open(destination);
        let away = Instant::now();
        herd::begin(destination);
        for proxy in destination.proxies() {
            proxy.turn_away().await;
        }
        let count = (gigabytes * 1e9 / RECORD as f64) as usize;
        let (backlog, records) = load(source, &self.large[0], LARGE, (seed, 200 + number));
        // Uncompressed, so that as much is copied as is written.
        let backlog = backlog.codec(Codec::None);
        backlog.send(records.take(count)).await?;
        say(&format!(
            "the backlog was written within {:?}",
            away.elapsed()
        ));
        sleep(Duration::from_secs(60 * minutes).saturating_sub(away.elapsed())).await;
        herd::away(
            page,
            &seconds_of(destination.proxies()),
            destination.proxies().len(),
        );
        let waiting = self.process.usage()?;
        page.line(format!(
            "- resident while the destination was away: {} MiB",
            waiting.resident >> 20
        ));
        herd::begin(destination);
        for proxy in destination.proxies() {
            proxy.heal().await;
        }
        if slow {
            destination
                .proxy(1)
                .slow(Direction::Requests, Pace::bytes_per_second(rate));
        }
        Ok(before)
    }

    /// One outage from its begin until all is copied; how long after the return all but the slow partitions had the backlog.
    async fn outage(
        &self,
        page: &mut Page,
        number: u32,
        slow: bool,
        usual: f64,
    ) -> Result<Option<Duration>> {
        let (clusters, slow_ones) = (&self.clusters, self.slow());
        let [source, destination] = clusters;
        let watched = [&self.small[0], &self.small[SMALL - 1]];
        let follow = |cluster| watched.map(|topic| Follower::of(&stored(cluster, topic)));
        let none = BTreeSet::new();
        let bytes = || -> u64 {
            let all = destination.proxies().iter().map(|proxy| proxy.traffic());
            all.filter_map(|traffic| traffic.bytes.get(&(Direction::Requests, 0)).copied())
                .sum()
        };
        let bytes_before = bytes();
        let before = self.away(page, number, slow).await?;
        let back = Instant::now();
        let followers = (follow(source), follow(destination));
        let rate = async {
            let before = total(destination, &self.large, &slow_ones).await;
            sleep(CATCH_UP).await;
            let copied = total(destination, &self.large, &slow_ones).await - before;
            copied as f64 / CATCH_UP.as_secs_f64()
        };
        let (quick, others, whole, rate) = tokio::join!(
            current(clusters, &self.small, &none),
            current(clusters, &self.large, &slow_ones),
            current(clusters, &self.large, &none),
            rate
        );
        let (quick, others, whole) = (quick?, others?, whole?);
        let within = (back + SMALL_CURRENT, Instant::now());
        let mut behind = Duration::ZERO;
        for (there, here) in followers.0.into_iter().zip(followers.1) {
            let longest = longest_behind(&there.stop().await?, &here.stop().await?, within);
            behind = longest.into_values().max().unwrap_or_default().max(behind);
        }
        herd::back(
            page,
            &seconds_of(destination.proxies()),
            before,
            (destination.proxies().len(), LARGE + SMALL),
        );
        page.hold(
            quick.is_some_and(|quick| quick <= SMALL_CURRENT),
            format!(
                "small topics current {} after the return, limit {SMALL_CURRENT:?}",
                seconds(quick)
            ),
        );
        page.hold(
            behind <= SMALL_BEHIND,
            format!("two of them {behind:.1?} behind at most in the {:.0?} after that, limit {SMALL_BEHIND:?}",
                within.1.saturating_duration_since(within.0)
            ),
        );
        page.hold(
            rate >= usual * CAUGHT_UP_SHARE,
            format!("{rate:.0} records/s in the first {CATCH_UP:?}, {usual:.0} before"),
        );
        page.hold(
            whole.is_some(),
            format!(
                "the backlog was copied {} after the return, {} where nothing is slow; {:.2} GB were sent",
                seconds(whole),
                seconds(others),
                (bytes() - bytes_before) as f64 / 1e9
            ),
        );
        destination.proxy(1).heal().await;
        self.remembers(page);
        Ok(others)
    }

    /// Holds the memory to its limit.
    fn remembers(&self, page: &mut Page) {
        let allowed = scene::BUFFERS + MEMORY_BEYOND_BUFFER;
        let peak = self.process.usage().map(|usage| usage.peak_resident);
        page.hold(
            peak.as_ref().is_ok_and(|peak| *peak <= allowed),
            format!(
                "memory: {} of {} MiB at most until now",
                peak.unwrap_or_default() >> 20,
                allowed >> 20
            ),
        );
    }
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or_else(
        || "never".to_owned(),
        |time| format!("{:.1} s", time.as_secs_f64()),
    )
}

async fn compared(page: &mut Page, [source, destination]: &[KafkaCluster; 2], topic: &str) {
    let (from, to) = (scene::committed(source, topic), stored(destination, topic));
    let equal = judge::wait_until_digests_equal(&from, &to, PATIENCE).await;
    page.hold(equal.is_ok(), format!("{topic}: equal, record by record"));
}

/// Runs it.
pub(crate) async fn run(program: &Path, options: Options) -> Result<Page> {
    let Options {
        seed,
        minutes,
        gigabytes,
        slow: (count, rate),
    } = options;
    let scene = Scene::start(program, options).await?;
    let loads = scene.loads();
    let mut page = Page {
        name: format!("{}-outage-{seed}", scene::stamp()),
        ..Page::default()
    };
    page.line(format!(
        "# The destination away for {minutes} minutes, {gigabytes} GB written, seed {seed}; twice\n"
    ));
    page.line(format!(
        "{} partitions: {LARGE} of one topic, {SMALL} topics of one. {count} of the {LARGE} are led by a second broker of the \
         destination, which takes {rate} bytes per second after the second outage.",
        LARGE + SMALL
    ));
    let none = BTreeSet::new();
    for topics in [&scene.large, &scene.small] {
        if current(&scene.clusters, topics, &none).await?.is_none() {
            return Err(scene.process.lines().tail(60).into());
        }
    }
    let destination = &scene.clusters[1];
    let slow_ones = scene.slow();
    let before = total(destination, &scene.large, &slow_ones).await;
    let began = Instant::now();
    sleep(Duration::from_secs(30)).await;
    let copied = total(destination, &scene.large, &slow_ones).await - before;
    let usual = copied as f64 / began.elapsed().as_secs_f64();

    page.line("\n## Nothing is slow\n");
    let alone = scene.outage(&mut page, 0, false, usual).await?;
    page.line("\n## One broker is slow\n");
    let beside = scene.outage(&mut page, 1, true, usual).await?;
    page.line("\n## Both\n");
    let allowed = alone.map(|time| time.mul_f64(LONGER.0) + LONGER.1);
    page.hold(
        beside.is_some() && beside <= allowed,
        format!(
            "the others had the backlog {} after the return beside what is slow, {} without; limit {}",
            seconds(beside),
            seconds(alone),
            seconds(allowed)
        ),
    );
    for load in loads {
        load.stop().await?;
    }
    for topic in scene.large.iter().chain(&scene.small) {
        compared(&mut page, &scene.clusters, topic).await;
    }
    scene.process.terminate()?;
    Ok(page)
}
