//! `cargo xtask bench-waiting`: how long a record takes when there is no backlog, and what it costs when there is nothing.
//!
//! Latency: a topic is written to at a steady rate, and one process notes when each record is visible on both sides (see the
//! judge's `latency`); the replicators take turns. Many partitions: followed while nothing happens, while some and while all are
//! written to, by Tributary alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use test_support::kafka_cluster::KafkaCluster;
use test_support::managed_process::ManagedProcess;
use test_support::run_directory::RunDirectory;
use test_support::tributary_process::{Usage, usage_of};
use tokio::time::{Instant, sleep};

use super::peer::{Errand, Peer};
use super::report::{push, said};
use super::window::spread;
use super::{Layout, Prepared, Programs, machine};
use crate::failure::{Attempt as _, Failure, Result};
use crate::interrupt::Interrupt;
use crate::judge::Judge;
use crate::output;

/// Until a replicator has found everything out.
const SETTLES: Duration = Duration::from_secs(20);
/// Until it copies all partitions of the idle measurement.
const BEGINS: Duration = Duration::from_secs(300);
/// Partitions of a topic: a broker makes fewer than 10,000 at a time.
const EACH: u32 = 1000;
/// Their topics.
const MANY: &str = "bench.many-[0-9]+";
/// Records in a second, and for how long, on many partitions.
const WARM_RATE: u32 = 1000;
const WARM_SECONDS: u32 = 30;
/// Index files of empty partitions need not be large.
const SMALL: [&str; 1] = ["segment.index.bytes=4096"];
const FIGURES: [&str; 5] = ["p50", "p90", "p99", "p99.9", "max"];

/// Options of the measurement.
#[derive(Debug, clap::Args)]
pub(crate) struct WaitingOptions {
    /// Records per second
    #[arg(long, default_value_t = 1000)]
    rate: u32,
    /// How long each replicator is measured
    #[arg(long, default_value_t = 30)]
    seconds: u32,
    /// How many times
    #[arg(long, default_value_t = 3)]
    pairs: u32,
    /// Seconds of the same load before, with Tributary, so that the brokers are compiled
    #[arg(long, default_value_t = 120)]
    warm_up: u32,
    /// Partitions that are written to
    #[arg(long, default_value_t = 12)]
    partitions: u32,
    /// Who runs beside Tributary
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "librdkafka,mm2"
    )]
    peers: Vec<Peer>,
    /// How many partitions are followed, at rest and written to
    #[arg(long, value_delimiter = ',', default_value = "1000,10000")]
    idle: Vec<u32>,
    /// As for the benchmark
    #[arg(long, value_enum, default_value = "pinned")]
    layout: Layout,
    /// What the result's file name ends with
    #[arg(long, default_value = "waiting")]
    label: String,
}

/// Milliseconds of a run at each of the `FIGURES`, or why there are none.
type Latency = std::result::Result<Vec<f64>, String>;

/// Measures and writes a page.
pub(crate) fn run(root: &Path, options: &WaitingOptions) -> Result<()> {
    let prepared = Prepared::new(root, options.layout, &Programs::default())?;
    let page = crate::runtime()?.block_on(async {
        let mut interrupt = Interrupt::listen()?;
        interrupt.or(measure(root, options, &prepared)).await?
    })?;
    let path = root.join("docs/benchmark-results");
    let path = path.join(format!("{}-{}.md", machine::date()?, options.label));
    fs::write(&path, &page).attempting(format!("write {}", path.display()))?;
    output::heading(format!("written to {}", path.display()));
    output::line(page);
    Ok(())
}

/// What both measurements need.
struct Scene<'a> {
    prepared: &'a Prepared,
    clusters: [KafkaCluster; 2],
    directory: RunDirectory,
    prefix: &'a [&'a str],
}

async fn measure(root: &Path, options: &WaitingOptions, prepared: &Prepared) -> Result<String> {
    output::heading("two clusters");
    let scene = Scene {
        prepared,
        clusters: super::clusters(None, false).await?,
        directory: RunDirectory::new("bench").attempting("make a directory for the benchmark")?,
        prefix: options.layout.replicator_prefix(),
    };
    let mut page = String::from("# Without a backlog\n\n| | |\n|---|---|\n");
    for (name, value) in machine::describe(root, &prepared.jars, options.layout)? {
        line(&mut page, format_args!("| {name} | {value} |"));
    }
    if options.pairs > 0 {
        latencies(options, &scene, &mut page).await?;
    }
    if !options.idle.is_empty() {
        line(
            &mut page,
            format_args!(
                "\n## Many partitions\n\nNothing to copy for a minute; then {WARM_RATE} records of 1 KB a second for {WARM_SECONDS} s on a \
                 hundredth of the partitions, and on all of them. Times of a record are milliseconds from visible to visible, of the first topic \
                 of up to {EACH} partitions. *Begins* is the time from the start of the process until a record has passed.\n\n| partitions | | CPU-s in a \
                 minute | resident MiB | p50 | p99 |\n|---|---|---|---|---|---|"
            ),
        );
    }
    for partitions in &options.idle {
        // What was measured before is not lost with it.
        if let Err(failure) = many(&scene, *partitions, &mut page).await {
            line(
                &mut page,
                format_args!("\nLost: {partitions} partitions: {failure}"),
            );
        }
    }
    Ok(page)
}

async fn latencies(options: &WaitingOptions, scene: &Scene<'_>, page: &mut String) -> Result<()> {
    let peers: Vec<Peer> = std::iter::once(Peer::Tributary)
        .chain(options.peers.iter().copied())
        .collect();
    if options.warm_up > 0 {
        let found = scene.latency(options, Peer::Tributary, (0, options.warm_up));
        output::line(format!("   warming up: {:?}", found.await?));
    }
    let mut all: Vec<(Peer, Latency)> = Vec::new();
    for pair in 1..=options.pairs {
        for peer in &peers {
            let found = scene
                .latency(options, *peer, (pair, options.seconds))
                .await?;
            output::line(format!("   {pair}/{} {peer}: {found:?}", options.pairs));
            all.push((*peer, found));
        }
    }
    line(
        page,
        format_args!(
            "\n## Added latency\n\nFrom being visible at the source to being visible at the destination, in milliseconds; {} records of \
             1 KB a second on {} partitions for {} s, the first tenth left out; median (lowest to highest) of {} runs that took \
             turns, after {} s of warming up. Two one-node clusters over loopback: acks=all is the leader's answer alone. librdkafka's loop has linger 0 \
             here, MirrorMaker 2 the producer settings of the benchmark but linger 0.\n",
            options.rate, options.partitions, options.seconds, options.pairs, options.warm_up
        ),
    );
    line(
        page,
        format_args!(
            "| | {} | runs |\n|{}",
            FIGURES.join(" | "),
            "---|".repeat(FIGURES.len() + 2)
        ),
    );
    for peer in peers {
        let runs = all.iter().filter(|(who, _)| *who == peer);
        let runs: Vec<&Vec<f64>> = runs.filter_map(|(_, found)| found.as_ref().ok()).collect();
        let cells = (0..FIGURES.len()).map(|figure| {
            let values = runs.iter().filter_map(|run| run.get(figure).copied());
            said(spread(values.collect()), 1)
        });
        let cells: Vec<String> = cells.collect();
        line(
            page,
            format_args!("| {peer} | {} | {} |", cells.join(" | "), runs.len()),
        );
    }
    for (peer, reason) in all
        .iter()
        .filter_map(|(peer, found)| Some((peer, found.as_ref().err()?)))
    {
        line(page, format_args!("\nLost: {peer}: {reason}"));
    }
    Ok(())
}

impl Scene<'_> {
    fn addresses(&self) -> [String; 2] {
        self.clusters.each_ref().map(KafkaCluster::bootstrap)
    }

    async fn clear(&self) -> Result<()> {
        for address in self.addresses() {
            self.prepared.judge.ask(&["clear", &address]).await?;
        }
        Ok(())
    }

    /// Starts a replicator that goes on.
    fn start(&self, peer: Peer, topic: &str, name: &str) -> Result<(ManagedProcess, PathBuf)> {
        let [source, destination] = self.addresses();
        let errand = Errand {
            tributary: &self.prepared.tributary,
            judge: self.prepared.judge.program(),
            jars: &self.prepared.jars,
            source: &source,
            destination: &destination,
            topic,
            codec: "none",
            also: None,
            settings: &[],
            recompressed: false,
            commit: None,
            name,
            directory: self.directory.path(),
            tls_settings: None,
            prefix: self.prefix,
            goes_on: true,
        };
        errand.start(peer)
    }

    /// A run with its number and its seconds.
    async fn latency(
        &self,
        options: &WaitingOptions,
        peer: Peer,
        (pair, seconds): (u32, u32),
    ) -> Result<Latency> {
        self.clear().await?;
        let topic = "bench.latency";
        let name = format!("latency-{}-{pair}", peer.short());
        let judge = &self.prepared.judge;
        let [source, destination] = self.addresses();
        judge
            .create_topic(&source, topic, options.partitions, &[])
            .await?;
        let (process, log) = self.start(peer, topic, &name)?;
        let began = Instant::now();
        while !judge.ends(&destination).await?.contains_key(topic) {
            if began.elapsed() > SETTLES * 3 {
                return Ok(Err(super::run::last_lines(&log)));
            }
            sleep(Duration::from_millis(500)).await;
        }
        let load = Load {
            topic: topic.to_owned(),
            partitions: options.partitions,
            rate: options.rate,
            seconds,
        };
        let found = load.seen(judge, &self.addresses(), true).await;
        process.kill();
        Ok(match found {
            Ok(found) => FIGURES
                .iter()
                .map(|figure| found[figure].as_f64())
                .collect::<Option<Vec<f64>>>()
                .filter(|_| found["lost"] == 0)
                .ok_or_else(|| found.to_string()),
            Err(failure) => Err(failure.to_string()),
        })
    }
}

/// What so many partitions cost that rest, that are written to here and there, and that are all written to.
async fn many(scene: &Scene<'_>, partitions: u32, page: &mut String) -> Result<()> {
    output::line(format!("   {partitions} partitions …"));
    scene.clear().await?;
    let topics: Vec<(String, u32)> = (0..partitions.div_ceil(EACH))
        .map(|number| {
            let rest = partitions - number * EACH;
            (format!("bench.many-{number}"), rest.min(EACH))
        })
        .collect();
    let name = format!("many-{partitions}");
    let (process, log) = copied(scene, &topics, &name).await?;
    let mut row = |what: &str, cost: &str, times: [&str; 2]| {
        let [p50, p99] = times;
        line(
            page,
            format_args!("| {partitions} | {what} | {cost} | {p50} | {p99} |"),
        );
    };
    let (rests, ()) = cost(&process, &log, async {
        sleep(Duration::from_secs(60)).await;
        Ok(())
    })
    .await?;
    row("at rest", &rests, ["", ""]);
    let (topic, count) = &topics[0];
    let few = [(topic.clone(), (partitions / 100).clamp(1, *count))];
    for (what, topics) in [("on a hundredth", &few[..]), ("on all", &topics)] {
        let (cost, times) = cost(&process, &log, warm(scene, topics)).await?;
        let [p50, p99] = times.map(|time| format!("{time:.1}"));
        row(what, &cost, [&p50, &p99]);
    }
    process.kill();
    let began = Instant::now();
    let (process, _) = scene.start(Peer::Tributary, MANY, &name)?;
    let first = Load {
        topic: topic.clone(),
        partitions: 1,
        rate: 1,
        seconds: 1,
    };
    first
        .times(scene.prepared.judge.clone(), scene.addresses())
        .await?;
    let begins = format!("begins after {}", output::spoken(began.elapsed()));
    row(&begins, " | ", ["", ""]);
    process.kill();
    Ok(())
}

/// A replicator of these topics, which it has made and looked at.
async fn copied(
    scene: &Scene<'_>,
    topics: &[(String, u32)],
    name: &str,
) -> Result<(ManagedProcess, PathBuf)> {
    let [source, destination] = scene.addresses();
    let judge = &scene.prepared.judge;
    for (topic, count) in topics {
        judge.create_topic(&source, topic, *count, &SMALL).await?;
    }
    let (process, log) = scene.start(Peer::Tributary, MANY, name)?;
    let began = Instant::now();
    loop {
        // Thousands of partitions that are being made have no leaders for a while.
        let there = judge.ends(&destination).await;
        let is_there = |(topic, _): &(String, u32)| {
            let there = there.as_ref();
            there.is_ok_and(|there| there.contains_key(topic))
        };
        if topics.iter().all(is_there) {
            break;
        }
        used(&process, &log)?;
        if began.elapsed() > BEGINS {
            there?;
            return Err(Failure::new(format!(
                "it has not made all copies within {BEGINS:?}"
            )));
        }
        sleep(Duration::from_secs(2)).await;
    }
    sleep(SETTLES * 2).await;
    Ok((process, log))
}

/// What a process uses while something is done: processor seconds in a minute, and MiB at the end.
async fn cost<T>(
    process: &ManagedProcess,
    log: &Path,
    work: impl Future<Output = Result<T>>,
) -> Result<(String, T)> {
    let before = used(process, log)?;
    let began = Instant::now();
    let found = work.await?;
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    let after = used(process, log)?;
    let processor = after.processor().saturating_sub(before.processor());
    let seconds = processor.as_secs_f64() / minutes;
    Ok((format!("{seconds:.2} | {}", after.resident >> 20), found))
}

fn used(process: &ManagedProcess, log: &Path) -> Result<Usage> {
    usage_of(process.pid())
        .ok_or_else(|| Failure::new(format!("it has ended:\n{}", super::run::last_lines(log))))
}

/// Writes to these partitions of these topics at once; median and 99th percentile of the first, in milliseconds. Readers of all
/// would use more of the machine than everything else.
async fn warm(scene: &Scene<'_>, topics: &[(String, u32)]) -> Result<[f64; 2]> {
    let rate = WARM_RATE / u32::try_from(topics.len()).unwrap_or(1).max(1);
    let mut loads = topics.iter().map(|(topic, partitions)| Load {
        topic: topic.clone(),
        partitions: *partitions,
        rate,
        seconds: WARM_SECONDS,
    });
    let first = loads.next().expect("there is one");
    let mut others = tokio::task::JoinSet::new();
    for load in loads {
        let (judge, addresses) = (scene.prepared.judge.clone(), scene.addresses());
        others.spawn(async move { load.seen(&judge, &addresses, false).await });
    }
    let times = first
        .times(scene.prepared.judge.clone(), scene.addresses())
        .await;
    while let Some(written) = others.join_next().await {
        written.expect("asking the judge does not panic")?;
    }
    times
}

/// Records written at a steady rate while both sides are watched.
struct Load {
    topic: String,
    partitions: u32,
    /// Records in a second.
    rate: u32,
    seconds: u32,
}

impl Load {
    /// `watched`: how long records take is looked at too.
    async fn seen(
        &self,
        judge: &Judge,
        [source, destination]: &[String; 2],
        watched: bool,
    ) -> Result<Value> {
        let [partitions, rate, seconds] =
            [self.partitions, self.rate, self.seconds].map(|n| n.to_string());
        let mut arguments = vec!["latency", source, destination, &self.topic];
        arguments.extend(["--partitions", &partitions, "--rate", &rate]);
        arguments.extend(["--seconds", &seconds]);
        if !watched {
            arguments.push("--unwatched");
        }
        judge.ask(&arguments).await
    }

    /// Median and 99th percentile in milliseconds, where nothing was lost.
    async fn times(self, judge: Judge, addresses: [String; 2]) -> Result<[f64; 2]> {
        let found = self.seen(&judge, &addresses, true).await?;
        let figures = [&found["p50"], &found["p99"]].map(Value::as_f64);
        match (found["lost"] == 0, figures) {
            (true, [Some(p50), Some(p99)]) => Ok([p50, p99]),
            _ => Err(Failure::new(format!("{}: {found}", self.topic))),
        }
    }
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    push(page, format_args!("{text}\n"));
}
