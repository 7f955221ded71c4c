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
use tokio::time::Instant;

use super::encryption::{LISTENER, Material};
use super::log::LogSize;
use super::peer::{Errand, Peer};
use super::relay::Sides;
use super::window::{self, Sample, Window};
use super::{Prepared, machine};
use crate::failure::{Attempt as _, Failure, Result};
use crate::judge::PartitionDigest;

/// The longest a run may take before it is lost.
const LIMIT: Duration = Duration::from_secs(1200);
/// How long Tributary may take to end after everything has arrived: it waits a second for more, and stores positions.
const END_LIMIT: Duration = Duration::from_secs(30);
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
#[derive(Debug)]
pub(super) struct Job<'a> {
    pub(super) peer: Peer,
    pub(super) pair: u32,
    pub(super) topic: &'a str,
    pub(super) codec: &'a str,
    pub(super) source: &'a [PartitionDigest],
    pub(super) size: LogSize,
    pub(super) records: u64,
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

    /// Leaves nothing of earlier runs: copies, positions, MirrorMaker's topics on either side.
    async fn clear(&self, job: &Job<'_>) -> Result<()> {
        let judge = &self.prepared.judge;
        judge.ask(&["clear", &self.destination.bootstrap()]).await?;
        let source = self.source.bootstrap();
        let mut arguments = vec!["clear", &source, "--keep", job.topic];
        let present = judge.ends(&source).await?;
        for topic in present.keys().filter(|topic| topic.starts_with("bench.")) {
            arguments.extend(["--keep", topic]);
        }
        judge.ask(&arguments).await.map(drop)
    }

    async fn measured(&self, job: &Job<'_>) -> Result<Figures> {
        let mut watch = Watch::start(self, job)?;
        watch.next().await?;
        let sides = job.peer.sides();
        let source = address(self.source, sides != Sides::None)?;
        let destination = address(self.destination, sides == Sides::Both)?;
        let name = format!(
            "{}-{}-{}",
            job.topic.replace('.', "-"),
            job.peer.short(),
            job.pair
        );
        let errand = Errand {
            tributary: match job.peer {
                Peer::Former => self.prepared.former()?,
                _ => &self.prepared.tributary,
            },
            judge: self.prepared.judge.program(),
            jars: &self.prepared.jars,
            source: &source,
            destination: &destination,
            topic: job.topic,
            codec: job.codec,
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
        process.kill();
        drop(watch);
        self.judge(job).await?;
        let whole = window::whole(&samples, job.records, job.size.bytes);
        Ok(Figures {
            whole: whole.ok_or_else(|| Failure::new("there are no samples"))?,
            steady: window::steady(&samples, job.records, job.size.bytes),
            peak_bytes: samples.last().map_or(0, |sample| sample.peak_bytes),
            first_record: window::first_record(&samples),
            stolen: window::stolen(&samples),
            others: window::others(&samples),
            destination: super::log::measure(
                &self.destination.node(0).data_directory(),
                job.topic,
            )?,
        })
    }

    /// Looks at the replicator each time the judge has counted, until everything has arrived.
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
        loop {
            let records = watch.next().await?;
            let ended = process.status().attempting("look at the replicator")?;
            match look(process, brokers, records, began.elapsed()) {
                Some(sample) => samples.push(sample),
                None => {
                    let status = ended.map_or_else(|| "?".to_owned(), |status| status.to_string());
                    let of = job.records;
                    return Err(Failure::new(format!(
                        "ended ({status}) at {records} of {of} records"
                    )));
                }
            }
            if records >= job.records {
                return Ok(samples);
            }
            if began.elapsed() > LIMIT {
                let of = job.records;
                return Err(Failure::new(format!(
                    "only {records} of {of} records within {LIMIT:?}"
                )));
            }
        }
    }

    /// The gate: count, order, key, value, headers and timestamp of every record.
    async fn judge(&self, job: &Job<'_>) -> Result<()> {
        let copy = self
            .prepared
            .judge
            .digest(&self.destination.bootstrap(), job.topic)
            .await?;
        if copy == job.source {
            return Ok(());
        }
        let records: u64 = copy.iter().map(|partition| partition.records).sum();
        Err(Failure::new(format!(
            "the copy is not equal: {records} records of {}, hashes differ",
            job.records
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

fn look(
    process: &ManagedProcess,
    [source, destination]: [Option<u32>; 2],
    records: u64,
    at: Duration,
) -> Option<Sample> {
    let used = |pid: Option<u32>| pid.and_then(usage_of).map(|usage| usage.processor());
    let replicator = usage_of(process.pid())?;
    Some(Sample {
        at,
        records,
        replicator: replicator.processor(),
        source_broker: used(source)?,
        destination_broker: used(destination)?,
        peak_bytes: replicator.peak_resident,
        machine: machine::ticks(),
    })
}

pub(super) fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// The judge, counting records at the destination ten times a second.
struct Watch {
    lines: Lines<BufReader<ChildStdout>>,
    /// Killed when dropped.
    _process: Child,
}

impl Watch {
    fn start(place: &Place<'_>, job: &Job<'_>) -> Result<Self> {
        let mut process = tokio::process::Command::new(place.prepared.judge.program())
            .args(["watch", &place.destination.bootstrap(), job.topic])
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
    async fn next(&mut self) -> Result<u64> {
        let line = self
            .lines
            .next_line()
            .await
            .attempting("read the judge's count")?;
        let line = line.ok_or_else(|| Failure::new("the judge has stopped counting"))?;
        line.trim().parse().attempting("read the judge's count")
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
            Self::TlsBoth => "tlsboth",
            Self::Librdkafka => "loop",
            Self::MirrorMakerTuned => "mm2",
            Self::MirrorMakerStock => "mm2stock",
        }
    }
}
