//! `cargo xtask bench`: what a copied gigabyte costs, beside MirrorMaker 2 and beside the floor.
//!
//! ```text
//! source cluster, filled once per codec ──┬─ Tributary ─────┐
//!                                         └─ MirrorMaker 2 ─┴─▶ destination cluster, emptied before every run
//! for every pair: Tributary, MirrorMaker 2, Tributary, MirrorMaker 2 …
//! ```
//! Every run is judged: the destination is read with librdkafka and compared with the source, record by record. A run
//! that is not equal has no numbers; it is reported as lost. Runs during which the host took more than 5 % of the
//! processor away are reported and left out of the medians.
//!
//! Peers with TLS (`--peers tls-source,tls-both`) are Tributary itself over other listeners of the same brokers; the relay
//! runs with TLS too then, and the report compares what each uses more than without.
//!
//! Generator, judge and this program are processes of their own and in nobody's figures.

mod encryption;
mod log;
mod machine;
mod peer;
mod relay;
mod report;
mod run;
mod waiting;
mod window;

use std::path::{Path, PathBuf};

use test_support::kafka_cluster::{ClusterBuilder, KafkaCluster};
use test_support::kafka_jars::{KafkaJars, KafkaVersion};
use test_support::run_directory::RunDirectory;

use crate::build::{self, Profile};
use crate::failure::{Attempt as _, Failure, Result};
use crate::interrupt::Interrupt;
use crate::judge::{Judge, PartitionDigest};
use crate::{kafka, output, setup};
use encryption::Material;
use log::LogSize;
use peer::Peer;
use relay::Sides;
pub(crate) use relay::{RelayOptions, run as run_relay};
use report::{Report, Series};
use run::Place;
pub(crate) use waiting::{WaitingOptions, run as run_waiting};

/// Bytes through the relay: enough for the kernel's hundredths of a second.
const FLOOR_BYTES: u64 = 4_000_000_000;
/// Of fewer relays nothing could be said.
const LEAST_FLOORS: usize = 3;

/// Options of the benchmark.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchOptions {
    /// Size of the source topic's log in GB (10⁹ bytes as they travel)
    #[arg(long, default_value_t = 1.0)]
    gb: f64,
    /// How many times each replicator runs
    #[arg(long, default_value_t = 3)]
    pairs: u32,
    /// Codecs of the source's batches
    #[arg(long, value_delimiter = ',', default_value = "zstd,none")]
    codec: Vec<String>,
    /// Partitions of the topic
    #[arg(long, default_value_t = 12)]
    partitions: u32,
    /// Size of a source batch on the wire, about; 1 puts every record into a batch of its own
    #[arg(long, default_value_t = 65_536)]
    batch_bytes: u32,
    /// Who runs beside Tributary
    #[arg(long, value_enum, value_delimiter = ',', default_value = "mm2")]
    peers: Vec<Peer>,
    /// Pinned: brokers, generator and judge on core 0, the replicator on core 1. Free: everything on all cores
    #[arg(long, value_enum, default_value = "pinned")]
    layout: Layout,
    /// A program of an earlier state, for the peer `former`
    #[arg(long, value_name = "PROGRAM")]
    former: Option<PathBuf>,
    /// Fail where Tributary's steady cost is above so many times the floor of the same run: a guard against regressions
    #[arg(long, value_name = "TIMES")]
    at_most: Option<f64>,
    /// What the result's file name ends with
    #[arg(long, default_value = "foundation")]
    label: String,
}

/// Which cores who uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Layout {
    Pinned,
    Free,
}

impl Layout {
    /// What stands in front of a replicator's command.
    fn replicator_prefix(self) -> &'static [&'static str] {
        match self {
            Self::Pinned => &["taskset", "-c", "1"],
            Self::Free => &[],
        }
    }
}

/// Everything that is built and fetched before something runs.
struct Prepared {
    jars: KafkaJars,
    tributary: PathBuf,
    /// For `former`.
    former: Option<PathBuf>,
    judge: Judge,
}

impl Prepared {
    /// Builds and fetches, and goes where brokers run.
    fn new(root: &Path, layout: Layout, former: Option<PathBuf>) -> Result<Self> {
        output::heading("set-up");
        setup::ensure(setup::FOR_BENCH)?;
        let prepared = Self {
            jars: kafka::jars(KafkaVersion::default())?,
            tributary: build::tributary(root, Profile::Release)?,
            former,
            judge: Judge::build(root, Profile::Release)?,
        };
        if layout == Layout::Pinned {
            // Children inherit it: brokers, generator and judge stay on core 0, replicators are sent to core 1.
            machine::pin(std::process::id(), 0)?;
        }
        Ok(prepared)
    }

    fn former(&self) -> Result<&Path> {
        let former = self.former.as_deref();
        former.ok_or_else(|| Failure::new("the peer `former` needs --former with a program"))
    }
}

/// Runs the benchmark and writes its report.
pub(crate) fn run(root: &Path, options: &BenchOptions) -> Result<()> {
    if !(options.gb > 0.0 && options.gb <= 100.0) {
        return Err(Failure::new("--gb must lie above 0 and at most at 100"));
    }
    let prepared = Prepared::new(root, options.layout, options.former.clone())?;
    let report = crate::runtime()?.block_on(async {
        let mut interrupt = Interrupt::listen()?;
        interrupt.or(measure(root, options, &prepared)).await?
    })?;
    let directory = root.join("docs").join("benchmark-results");
    let path = report.write(&directory, &options.label)?;
    output::heading(format!("written to {}", path.display()));
    output::line(report.summary());
    if let Some((most, found)) = options.at_most.zip(report.worst_over_floor())
        && found > most
    {
        return Err(Failure::new(format!(
            "Tributary uses {found:.1} times the floor where {most:.1} times may be used; look for what was added to the path \
             of untouched batches (docs/performance.md)"
        )));
    }
    if report.lost() == 0 {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} runs have no numbers; the report says why",
        report.lost()
    )))
}

async fn measure(root: &Path, options: &BenchOptions, prepared: &Prepared) -> Result<Report> {
    let directory = RunDirectory::new("bench").attempting("make a directory for the benchmark")?;
    let prefix = options.layout.replicator_prefix();
    output::heading("the floor: a relay that only moves bytes");
    let with_tls = options.peers.iter().any(|peer| peer.sides() != Sides::None);
    let material = with_tls
        .then(|| Material::new(directory.path()))
        .transpose()?;
    let pairs = usize::try_from(options.pairs).unwrap_or_default();
    // Each pair adds one of its own moment.
    let before = LEAST_FLOORS.saturating_sub(pairs * options.codec.len());
    let mut floor = floors(before, prefix, Sides::None, None)?;
    let mut tls_floors = Vec::new();
    if let Some(material) = &material {
        for sides in [Sides::Source, Sides::Both] {
            let count = pairs.max(LEAST_FLOORS);
            tls_floors.push((sides, floors(count, prefix, sides, Some(material))?));
        }
    }
    output::heading("two clusters");
    let [source, destination] = clusters(material.as_ref()).await?;
    let mut series = Vec::new();
    for codec in &options.codec {
        let place = Place {
            prepared,
            source: &source,
            destination: &destination,
            directory: directory.path(),
            prefix,
            material: material.as_ref(),
        };
        series.push(one_codec(options, &place, codec, &mut floor).await?);
    }
    let description = machine::describe(root, &prepared.jars, options.layout)?;
    Ok(Report {
        description,
        floor,
        tls_floors,
        series,
        pairs: options.pairs,
    })
}

async fn clusters(material: Option<&Material>) -> Result<[KafkaCluster; 2]> {
    let builder = |name| {
        let builder = KafkaCluster::builder().name(name);
        let builder = match material {
            Some(material) => material.listener(builder),
            None => builder,
        };
        builder
            .heap_mib(1024)
            .full_jit()
            .property("log.retention.ms", "-1")
            .property("log.segment.delete.delay.ms", "1000")
    };
    let clusters = ClusterBuilder::start_all([builder("source"), builder("destination")]);
    clusters.await.attempting("start the clusters")
}

/// Processor seconds per GB of the relay, run by run.
fn floors(
    count: usize,
    prefix: &[&str],
    sides: Sides,
    material: Option<&Material>,
) -> Result<Vec<f64>> {
    let mut floor = Vec::new();
    for _ in 0..count {
        let seconds = relay::measure(FLOOR_BYTES, prefix, sides, material)?;
        output::line(format!("   relay{}: {seconds:.3} CPU-s/GB", sides.suffix()));
        floor.push(seconds);
    }
    Ok(floor)
}

/// Fills the source with one codec and runs all pairs on it.
async fn one_codec(
    options: &BenchOptions,
    place: &Place<'_>,
    codec: &str,
    floor: &mut Vec<f64>,
) -> Result<Series> {
    let topic = format!("bench.{codec}");
    output::heading(format!("{topic}: loading"));
    let (size, records) = load(options, place, &topic, codec).await?;
    let source = place
        .prepared
        .judge
        .digest(&place.source.bootstrap(), &topic)
        .await?;
    let counted: u64 = source
        .iter()
        .map(|partition: &PartitionDigest| partition.records)
        .sum();
    if counted != records {
        return Err(Failure::new(format!(
            "{records} records were loaded, {counted} are there"
        )));
    }
    output::line(format!(
        "   {records} records, {} bytes in {} batches",
        size.bytes, size.batches
    ));
    let mut series = Series {
        codec: codec.to_owned(),
        size,
        records,
        runs: Vec::new(),
    };
    let job = |peer, pair| run::Job {
        peer,
        pair,
        topic: &topic,
        codec,
        source: &source,
        size,
        records,
    };
    output::line("   a copy that does not count, in which brokers compile their code …");
    let warm = place.run(&job(Peer::Tributary, 0)).await?;
    output::line(format!("   {warm}"));
    for pair in 1..=options.pairs {
        floor.extend(floors(1, place.prefix, Sides::None, None)?);
        for peer in [Peer::Tributary].iter().chain(&options.peers) {
            let job = job(*peer, pair);
            output::line(format!("   {pair}/{} {peer} …", options.pairs));
            let done = place.run(&job).await?;
            output::line(format!("   {pair}/{} {done}", options.pairs));
            series.runs.push(done);
        }
    }
    Ok(series)
}

/// Creates the source topic and has the judge fill it; returns its size and the number of records.
async fn load(
    options: &BenchOptions,
    place: &Place<'_>,
    topic: &str,
    codec: &str,
) -> Result<(LogSize, u64)> {
    let judge = &place.prepared.judge;
    let bootstrap = place.source.bootstrap();
    judge
        .create_topic(
            &bootstrap,
            topic,
            options.partitions,
            &["compression.type=producer"],
        )
        .await?;
    let log_directory = place.source.node(0).data_directory();
    let log_text = log_directory.display().to_string();
    let (partitions, batch) = (
        options.partitions.to_string(),
        uncompressed(options.batch_bytes, codec).to_string(),
    );
    let size = bytes(options).to_string();
    let mut arguments = vec!["load", &bootstrap, topic, "--codec", codec];
    arguments.extend(["--partitions", &partitions, "--batch-bytes", &batch]);
    arguments.extend(["--wire-bytes", &size, "--log-directory", &log_text]);
    let loaded = judge.ask(&arguments).await?;
    let records = loaded["records"].as_u64().unwrap_or_default();
    Ok((log::measure(&log_directory, topic)?, records))
}

/// Bytes of the generator's records that make a batch of a size on the wire. Producers count what they have not compressed
/// yet, or guess; ratios are those of 64 to 240 records of the generator.
fn uncompressed(wire: u32, codec: &str) -> u32 {
    let tenths = match codec {
        "zstd" => 38,
        "gzip" => 39,
        "snappy" => 25,
        "lz4" => 24,
        _ => 10,
    };
    match wire {
        1 => 1,
        _ => wire.saturating_mul(tenths) / 10,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be above 0 and at most 100 GB"
)]
fn bytes(options: &BenchOptions) -> u64 {
    (options.gb * 1e9) as u64
}
