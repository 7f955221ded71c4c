//! Random faults, one after the other, while records of every codec and transactions are copied.

use std::path::Path;
use std::time::Duration;

use test_support::fault_proxy::{Direction, FrameAction, FrameRule};
use test_support::judge::{self, Verdict};
use test_support::kafka_cluster::KafkaCluster;
use test_support::limits::MEMORY_BEYOND_BUFFER;
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{Codec, Generator, Load, Mode, RunningLoad, Shape, create_topic};
use tokio::time::{Instant, sleep, timeout};

use crate::report::Page;
use crate::scene::{self, Random, committed, ends, stored};
use crate::{Result, say};

const PARTITIONS: i32 = 4;
/// Records of each of the loads, per second.
const PER_SECOND: u32 = 100;
/// A recovery that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(180);
/// For the judge to read everything.
const READ: Duration = Duration::from_secs(900);

/// What can go wrong.
#[derive(Debug, Clone, Copy)]
enum Fault {
    KillBroker,
    FreezeBroker,
    RestartBroker,
    CutProxy,
    StallProxy,
    ResetConnections,
    HalfOpen,
    LoseAnswers,
    KillProgram,
}

const FAULTS: [Fault; 9] = [
    Fault::KillBroker,
    Fault::FreezeBroker,
    Fault::RestartBroker,
    Fault::CutProxy,
    Fault::StallProxy,
    Fault::ResetConnections,
    Fault::HalfOpen,
    Fault::LoseAnswers,
    Fault::KillProgram,
];

/// Every codec, and transactions in two topics.
fn loads(source: &KafkaCluster, topics: &[String], seed: u64) -> Vec<RunningLoad> {
    let codecs = Codec::ALL.into_iter().chain([Codec::Lz4, Codec::Zstd]);
    let all = codecs.enumerate().map(|(number, codec)| {
        let producer = u32::try_from(number).unwrap_or(0);
        let shape = Shape::mixed(seed, PARTITIONS)
            .producer(producer)
            .largest_value(8 * 1024);
        let load = Load::new(source.bootstrap(), &topics[number % topics.len()]).codec(codec);
        let load = match number < Codec::ALL.len() {
            true => load,
            false => load.mode(Mode::Transactional {
                id: format!("soak-{seed}-{number}"),
                largest: 80,
                abort_percent: 30,
                seed,
            }),
        };
        load.start(Generator::new(shape), PER_SECOND)
    });
    all.collect()
}

async fn inflict(
    fault: Fault,
    cluster: &KafkaCluster,
    node: usize,
    length: Duration,
) -> Result<()> {
    let (broker, proxy) = (cluster.node(node), cluster.proxy(node));
    match fault {
        Fault::KillBroker => {
            broker.kill();
            sleep(length).await;
            broker.start().await?;
        }
        Fault::FreezeBroker => {
            broker.suspend()?;
            sleep(length).await;
            broker.resume()?;
        }
        Fault::RestartBroker => broker.restart().await?,
        Fault::CutProxy => {
            proxy.cut().await;
            sleep(length).await;
        }
        Fault::StallProxy => {
            proxy.stall(Direction::Requests);
            proxy.stall(Direction::Answers);
            sleep(length).await;
        }
        Fault::ResetConnections => proxy.reset().await,
        Fault::HalfOpen => proxy.half_open().await,
        Fault::LoseAnswers => {
            let rule = FrameRule::new(Direction::Answers, None, FrameAction::Cut).times(5);
            proxy.on_frame(rule);
            sleep(length).await;
        }
        Fault::KillProgram => {}
    }
    proxy.heal().await;
    Ok(())
}

/// How long until every partition of the copies is further than now; nothing if that does not happen.
async fn recovered(destination: &KafkaCluster, topics: &[String]) -> Option<Duration> {
    let begin = Instant::now();
    let moved = async {
        let before = loop {
            match ends(destination, topics).await {
                Ok(before) => break before,
                Err(_) => sleep(Duration::from_millis(200)).await,
            }
        };
        loop {
            let now = ends(destination, topics).await.unwrap_or_default();
            if before.iter().all(|(key, end)| now.get(key) > Some(end)) {
                return;
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(PATIENCE, moved)
        .await
        .ok()
        .map(|()| begin.elapsed())
}

/// Random faults for so many minutes; then everything is compared.
pub(crate) async fn run(program: &Path, seed: u64, minutes: u64) -> Result<Page> {
    let clusters = scene::clusters(3).await?;
    let [source, destination] = &clusters;
    let topics: Vec<String> = (0..3).map(|number| format!("soak.{number}")).collect();
    for topic in &topics {
        create_topic(&source.bootstrap(), topic, PARTITIONS, &[]).await?;
    }
    let command = scene::Command::new(program, &clusters);
    let mut process = command.start()?;
    let mut page = Page {
        name: format!("{}-faults-{seed}", scene::stamp()),
        ..Page::default()
    };
    page.line(format!(
        "# {minutes} minutes of random faults, seed {seed}\n"
    ));
    page.line("12 partitions, five codecs, transactions of which 30 % abort; three brokers on each side.\n");
    let running = loads(source, &topics, seed);
    if recovered(destination, &topics).await.is_none() {
        return Err(process.lines().tail(60).into());
    }
    let (mut random, mut recoveries, mut peak) = (Random(seed), Vec::new(), 0);
    let begin = Instant::now();
    page.line(
        "| at | fault | where | seconds | all partitions go on after |\n|---|---|---|---|---|",
    );
    while begin.elapsed() < Duration::from_secs(60 * minutes) {
        sleep(Duration::from_millis(3_000 + random.below(9_000))).await;
        let fault = FAULTS[usize::try_from(random.below(FAULTS.len() as u64)).unwrap_or(0)];
        let side = &clusters[usize::try_from(random.below(2)).unwrap_or(0)];
        let node = usize::try_from(random.below(3)).unwrap_or(0);
        let length = Duration::from_millis(1_000 + random.below(12_000));
        let at = begin.elapsed().as_secs();
        peak = peak.max(process.usage().map_or(0, |usage| usage.peak_resident));
        if matches!(fault, Fault::KillProgram) {
            process.kill9();
            process = command.start()?;
        } else {
            inflict(fault, side, node, length).await?;
        }
        let took = recovered(destination, &topics).await;
        let shown = took.map_or("not".to_owned(), |took| {
            format!("{:.1} s", took.as_secs_f64())
        });
        let place = format!("{} node {}", side.name(), node + 1);
        page.line(format!(
            "| {at} s | {fault:?} | {place} | {} | {shown} |",
            length.as_secs()
        ));
        match took {
            Some(took) => recoveries.push(took),
            None => page
                .wrong
                .push(format!("no recovery after {fault:?} at {at} s")),
        }
    }
    let ended = stopped(running).await;
    peak = peak.max(process.usage().map_or(0, |usage| usage.peak_resident));
    recoveries.sort();
    let seconds = |at: usize| recoveries.get(at).map_or(0.0, Duration::as_secs_f64);
    page.line(format!(
        "\n{} faults; all partitions went on after {:.1} s (p50), {:.1} s (max); {ended} loads ended early.\n",
        recoveries.len(),
        seconds(recoveries.len() / 2),
        seconds(recoveries.len().saturating_sub(1))
    ));
    judged(&mut page, &clusters, &topics, &process).await?;
    let allowed = scene::BUFFERS + MEMORY_BEYOND_BUFFER;
    page.hold(
        peak <= allowed,
        format!("memory: {} of {} MiB", peak >> 20, allowed >> 20),
    );
    process.terminate()?;
    Ok(page)
}

/// Ends the loads; how many had ended early.
async fn stopped(loads: Vec<RunningLoad>) -> usize {
    let mut ended = 0;
    for load in loads {
        // A transaction that brokers gave up is theirs: what the source holds is what is compared.
        if let Err(error) = load.stop().await {
            ended += 1;
            say(&format!("a load ended early: {error}"));
        }
    }
    ended
}

async fn judged(
    page: &mut Page,
    [source, destination]: &[KafkaCluster; 2],
    topics: &[String],
    process: &TributaryProcess,
) -> Result<()> {
    for topic in topics {
        let (from, to) = (committed(source, topic), stored(destination, topic));
        let verdict = match judge::wait_until_equal(&from, &to, READ).await {
            Ok(verdict) => verdict,
            Err(judge::JudgeError::NotEqual { verdict, .. }) => *verdict,
            Err(error) => return Err(error.into()),
        };
        let Verdict {
            source,
            lost,
            duplicate,
            order,
            changed,
            extra,
            ..
        } = &verdict;
        page.hold(
            verdict.is_equal(),
            format!(
                "{topic}: {source} records; lost {lost}, duplicate {duplicate}, order {order}, changed {changed}, \
                 not at the source (aborted ones too) {extra}"
            ),
        );
        if !verdict.is_equal() {
            page.line(format!("{verdict}\n{}", process.lines().tail(200)));
        }
    }
    Ok(())
}
