//! One run of one replicator: empty the destination, start, sample until everything has arrived, judge.

use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use test_support::kafka_cluster::KafkaCluster;
use test_support::managed_process::ManagedProcess;
use test_support::tributary_process::usage_of;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::{Instant, sleep};

use super::encryption::{LISTENER, Material};
use super::log::LogSize;
use super::peer::{Errand, Peer};
use super::source::Source;
use super::window::{self, Sample, Window};
use super::workload::Case;
use super::{Prepared, machine};
use crate::failure::{Attempt as _, Failure, Result};

/// The longest a run may take before it is lost.
const LIMIT: Duration = Duration::from_secs(1200);
/// How long Tributary may take to end after everything has arrived: it waits a second for more, and stores positions.
const END_LIMIT: Duration = Duration::from_secs(30);
/// How long a commit may take that was due, where a replicator is killed.
const COMMITS: Duration = Duration::from_secs(2);
/// Above this share of stolen processor time a run does not count.
const STOLEN_LIMIT: f64 = 0.05;

/// Where runs take place.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) source: &'a KafkaCluster,
    pub(super) destination: &'a KafkaCluster,
    pub(super) directory: &'a Path,
    pub(super) prefix: &'a [&'a str],
    /// Where a peer with TLS runs.
    pub(super) material: Option<&'a Material>,
}

/// What is to be run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) peer: Peer,
    pub(super) pair: u32,
    /// Its number among the series: no two runs have the same name.
    pub(super) series: usize,
    pub(super) case: &'a Case,
    pub(super) source: &'a Source,
}

/// A run that took place.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) peer: Peer,
    pub(super) pair: u32,
    pub(super) outcome: Outcome,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Measured(Figures),
    /// No numbers, for this reason.
    Lost(String),
}

/// The numbers of a run that was judged equal.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    pub(super) whole: Window,
    /// Missing when the run was too short to be cut in half.
    pub(super) steady: Option<Window>,
    pub(super) peak_bytes: u64,
    /// Seconds from the start of the process until a record was seen at the destination.
    pub(super) first_record: Option<f64>,
    pub(super) stolen: f64,
    /// Share of processor time that neither the replicator nor the brokers used.
    pub(super) others: f64,
    pub(super) destination: LogSize,
}

impl Figures {
    /// Whether it counts in medians.
    pub(super) fn counts(&self) -> bool {
        self.stolen <= STOLEN_LIMIT
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = match &self.outcome {
            Outcome::Lost(reason) => return write!(f, "{}: lost: {reason}", self.peer),
            Outcome::Measured(figures) => figures,
        };
        write!(
            f,
            "{}: {:.2} CPU-s/GB whole, {} steady, {:.0} MB/s, {} MiB, all records equal",
            self.peer,
            figures.whole.seconds_per_gigabyte(),
            figures.steady.map_or_else(
                || "-".to_owned(),
                |w| format!("{:.2}", w.seconds_per_gigabyte())
            ),
            figures.whole.megabytes_per_second(),
            figures.peak_bytes >> 20,
        )
    }
}

impl Place<'_> {
    /// Runs the job. An error means that the benchmark itself cannot go on; a replicator that fails is a lost run.
    pub(super) async fn run(&self, job: &Job<'_>) -> Result<Run> {
        self.clear(job).await?;
        let outcome = match self.measured(job).await {
            Ok(figures) => Outcome::Measured(figures),
            Err(failure) => Outcome::Lost(failure.to_string()),
        };
        Ok(Run {
            peer: job.peer,
            pair: job.pair,
            outcome,
        })
    }

    /// Leaves nothing of earlier runs: copies, positions, MirrorMaker's topics on either side. Makes the copy, where it is to be
    /// another one than who copies would make.
    async fn clear(&self, job: &Job<'_>) -> Result<()> {
        let judge = &self.prepared.judge;
        let [source, destination] = [self.source, self.destination].map(KafkaCluster::bootstrap);
        judge.ask(&["clear", &destination]).await?;
        let mut arguments = vec!["clear", &source, "--keep", &job.source.topic];
        if let Some(topic) = &job.source.idle {
            arguments.extend(["--keep", topic]);
        }
        judge.ask(&arguments).await?;
        let settings = job.case.destination;
        if settings.is_empty() {
            return Ok(());
        }
        let partitions = job.case.data.partitions;
        judge
            .create_topic(&destination, &job.source.topic, partitions, settings)
            .await
    }

    /// Processor seconds that each broker uses in a second while nothing is copied.
    pub(super) async fn at_rest(&self, looked: Duration) -> Result<[f64; 2]> {
        let used =
            || [self.source, self.destination].map(|cluster| processor(cluster.node(0).pid()));
        let before = used();
        let began = Instant::now();
        sleep(looked).await;
        let (after, seconds) = (used(), began.elapsed().as_secs_f64());
        let share = |index: usize| {
            let used = after[index]?.saturating_sub(before[index]?);
            Some(used.as_secs_f64() / seconds)
        };
        let both = share(0).zip(share(1));
        let (source, destination) = both.ok_or_else(|| Failure::new("a broker has ended"))?;
        Ok([source, destination])
    }

    async fn measured(&self, job: &Job<'_>) -> Result<Figures> {
        let (case, topic) = (job.case, job.source.topic.as_str());
        let mut watch = Watch::start(self, job)?;
        watch.next().await?;
        let sides = job.peer.sides();
        let source = address(self.source, sides.source())?;
        let destination = address(self.destination, sides.destination())?;
        let name = format!("bench-{}-{}-{}", job.series, job.peer.short(), job.pair);
        let errand = Errand {
            tributary: match job.peer {
                Peer::Former | Peer::FormerTls => self.prepared.former()?,
                _ => &self.prepared.tributary,
            },
            judge: self.prepared.judge.program(),
            jars: &self.prepared.jars,
            source: &source,
            destination: &destination,
            topic,
            codec: &case.data.codec,
            also: job.source.idle.as_deref(),
            settings: case.data.settings,
            recompressed: !case.destination.is_empty(),
            commit: case.commit,
            name: &name,
            directory: self.directory,
            tls_settings: self
                .material
                .map(|material| material.settings().display().to_string()),
            prefix: self.prefix,
            goes_on: false,
        };
        let began = Instant::now();
        let (process, log) = errand.start(job.peer)?;
        let samples = self
            .sample(job, &process, &mut watch, began)
            .await
            .map_err(|failure| Failure::new(format!("{failure}\n{}", last_lines(&log))))?;
        if job.peer.is_tributary() {
            let status = process
                .wait(END_LIMIT)
                .await
                .attempting("wait for tributary's end")?;
            if !status.success() {
                return Err(Failure::new(format!(
                    "ended with {status}:\n{}",
                    last_lines(&log)
                )));
            }
        }
        if let (Some(milliseconds), false) = (case.commit, job.peer.is_tributary()) {
            // sleeps because it ends by being killed: what it has begun to commit it may finish, or the copy could not be read.
            sleep(Duration::from_millis(u64::from(milliseconds)) + COMMITS).await;
        }
        process.kill();
        drop(watch);
        self.judge(job).await?;
        let (records, bytes) = (job.source.records, job.source.size.bytes);
        let samples = window::of_records(samples, records);
        let whole = window::whole(&samples, records, bytes);
        Ok(Figures {
            whole: whole.ok_or_else(|| Failure::new("there are no samples"))?,
            steady: window::steady(&samples, records, bytes),
            peak_bytes: samples.last().map_or(0, |sample| sample.peak_bytes),
            first_record: window::first_record(&samples),
            stolen: window::stolen(&samples),
            others: window::others(&samples),
            destination: super::log::measure(&self.destination.node(0).data_directory(), topic)?,
        })
    }

    /// Looks at the replicator each time the judge has counted, until the last record of every partition has arrived.
    async fn sample(
        &self,
        job: &Job<'_>,
        process: &ManagedProcess,
        watch: &mut Watch,
        began: Instant,
    ) -> Result<Vec<Sample>> {
        let brokers = [self.source, self.destination].map(|cluster| cluster.node(0).pid());
        let first = look(process, brokers, 0, Duration::ZERO);
        // At its start it has used nothing; what the look itself found is already part of the run.
        let mut samples = vec![Sample {
            replicator: Duration::ZERO,
            ..first.unwrap_or_default()
        }];
        let partitions = u64::from(job.case.data.partitions);
        let of = job.source.records;
        loop {
            let Count { offsets, arrived } = watch.next().await?;
            let ended = process.status().attempting("look at the replicator")?;
            match look(process, brokers, offsets, began.elapsed()) {
                Some(sample) => samples.push(sample),
                None => {
                    let status = ended.map_or_else(|| "?".to_owned(), |status| status.to_string());
                    return Err(Failure::new(format!(
                        "ended ({status}) with {offsets} offsets, {of} records to be copied"
                    )));
                }
            }
            if arrived >= partitions {
                return Ok(samples);
            }
            if began.elapsed() > LIMIT {
                return Err(Failure::new(format!(
                    "{offsets} offsets within {LIMIT:?}, {of} records to be copied; {arrived} of {partitions} partitions are complete"
                )));
            }
        }
    }

    /// The gate: count, order, key, value, headers and timestamp of every record.
    async fn judge(&self, job: &Job<'_>) -> Result<()> {
        let copy = self
            .prepared
            .judge
            .digest(
                &self.destination.bootstrap(),
                &job.source.topic,
                job.case.data.is_compacted(),
            )
            .await?;
        if copy == job.source.digest {
            return Ok(());
        }
        let records: u64 = copy.iter().map(|partition| partition.records).sum();
        Err(Failure::new(format!(
            "the copy is not equal: {records} records of {}, hashes differ",
            job.source.records
        )))
    }
}

fn address(cluster: &KafkaCluster, tls: bool) -> Result<String> {
    if !tls {
        return Ok(cluster.bootstrap());
    }
    cluster
        .bootstrap_of(LISTENER)
        .ok_or_else(|| Failure::new("the cluster has no listener with TLS"))
}

fn processor(pid: Option<u32>) -> Option<Duration> {
    pid.and_then(usage_of).map(|usage| usage.processor())
}

fn look(
    process: &ManagedProcess,
    [source, destination]: [Option<u32>; 2],
    records: u64,
    at: Duration,
) -> Option<Sample> {
    let replicator = usage_of(process.pid())?;
    Some(Sample {
        at,
        records,
        replicator: replicator.processor(),
        source_broker: processor(source)?,
        destination_broker: processor(destination)?,
        peak_bytes: replicator.peak_resident,
        machine: machine::ticks(),
    })
}

pub(super) fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// What the judge has counted.
#[derive(Debug, Clone, Copy)]
struct Count {
    /// Offsets that the copy spans.
    offsets: u64,
    /// Partitions whose last record is there and committed.
    arrived: u64,
}

/// The judge, counting offsets at the destination ten times a second.
struct Watch {
    lines: Lines<BufReader<ChildStdout>>,
    /// Killed when dropped.
    _process: Child,
}

impl Watch {
    fn start(place: &Place<'_>, job: &Job<'_>) -> Result<Self> {
        let mut process = tokio::process::Command::new(place.prepared.judge.program())
            .args(["watch", &place.destination.bootstrap(), &job.source.topic])
            .args(["--last", &job.source.last.to_string()])
            .args(["--records", &job.source.records.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .attempting("start the judge")?;
        let output = process
            .stdout
            .take()
            .ok_or_else(|| Failure::new("the judge has no output"))?;
        Ok(Self {
            lines: BufReader::new(output).lines(),
            _process: process,
        })
    }

    /// Waits for the next count.
    async fn next(&mut self) -> Result<Count> {
        let line = self
            .lines
            .next_line()
            .await
            .attempting("read the judge's count")?;
        let line = line.ok_or_else(|| Failure::new("the judge has stopped counting"))?;
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        match (numbers.next(), numbers.next()) {
            (Some(Ok(offsets)), Some(Ok(arrived))) => Ok(Count { offsets, arrived }),
            _ => Err(Failure::new(format!("the judge has counted {line}"))),
        }
    }
}

impl Peer {
    pub(super) fn short(self) -> &'static str {
        match self {
            Self::Tributary => "tributary",
            Self::Unmerged => "unmerged",
            Self::Mapped => "mapped",
            Self::Decoded => "decoded",
            Self::Former => "former",
            Self::TlsSource => "tlssource",
            Self::Checked => "checked",
            Self::TlsDestination => "tlsdestination",
            Self::TlsBoth => "tlsboth",
            Self::FormerTls => "formertls",
            Self::Librdkafka => "loop",
            Self::MirrorMakerTuned => "mm2",
            Self::MirrorMakerStock => "mm2stock",
        }
    }
}
