//! `cargo xtask bench`: what a copied gigabyte costs, beside MirrorMaker 2 and beside the floor.
//!
//! ```text
//! workloads ─▶ cases ─▶ source cluster, filled once for the same data ──┬─ Tributary ─────┐
//!                                                                       └─ MirrorMaker 2 ─┴─▶ destination cluster, emptied before every run
//! 2 GB that do not count, then pair by pair: Tributary, MirrorMaker 2; MirrorMaker 2, Tributary; …
//! ```
//! Every run is judged: the destination is read with librdkafka and compared with the source, record by record. A run
//! that is not equal has no numbers; it is reported as lost. Runs during which the host took more than 5 % of the
//! processor away are reported and left out of the medians.
//!
//! Peers with TLS (`--peers tls-source,tls-both`, `--workload w13`) are Tributary itself over other listeners of the same brokers;
//! the relay runs with TLS too then, and the report compares what each uses more than without.
//!
//! Generator, judge and this program are processes of their own and in nobody's figures.

mod encryption;
mod log;
mod machine;
mod peer;
mod relay;
mod report;
mod run;
mod source;
mod waiting;
mod window;
mod workload;

use std::path::{Path, PathBuf};
use std::time::Duration;

use test_support::kafka_cluster::{ClusterBuilder, KafkaCluster};
use test_support::kafka_jars::{KafkaJars, KafkaVersion};
use test_support::run_directory::RunDirectory;

use crate::build::{self, Profile};
use crate::failure::{Attempt as _, Failure, Result};
use crate::interrupt::Interrupt;
use crate::judge::Judge;
use crate::{kafka, output, setup};
use encryption::Material;
use peer::Peer;
use relay::{Ends, Sides};
pub(crate) use relay::{RelayOptions, run as run_relay};
use report::{Report, Series};
use run::Place;
use source::Source;
pub(crate) use waiting::{WaitingOptions, run as run_waiting};
use workload::{Case, Overrides, Workload};

/// Bytes through the relay: enough for the kernel's hundredths of a second.
const FLOOR_BYTES: u64 = 4_000_000_000;
/// And through one between logs: they are on disks, and what is written there would go on being written while others are measured.
const LOG_BYTES: u64 = 1_000_000_000;
/// Of fewer relays nothing could be said.
const LEAST_FLOORS: usize = 3;
/// Bytes that are copied before any copy counts.
const WARM: u64 = 2_000_000_000;
/// How long brokers are looked at while nothing is copied.
const AT_REST: Duration = Duration::from_secs(4);

/// Options of the benchmark.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchOptions {
    /// Size of the source topic's log in GB (10⁹ bytes as they travel)
    #[arg(long, default_value_t = 1.0)]
    gb: f64,
    /// How many times each replicator runs
    #[arg(long, default_value_t = 3)]
    pairs: u32,
    /// What is copied, by name; without one, 1 KB records of the codecs
    #[arg(long, value_enum, value_delimiter = ',')]
    workload: Vec<Workload>,
    /// Codecs of the source's batches in place of the workload's [default: zstd,none]
    #[arg(long, value_delimiter = ',')]
    codec: Vec<String>,
    /// Partitions of the topic in place of the workload's [default: 12]
    #[arg(long)]
    partitions: Option<u32>,
    /// Size of a source batch on the wire, about, in place of the workload's; 1 puts every record into a batch of its own
    /// [default: 65536]
    #[arg(long)]
    batch_bytes: Option<u32>,
    /// Who runs beside Tributary
    #[arg(long, value_enum, value_delimiter = ',', default_value = "mm2")]
    peers: Vec<Peer>,
    /// Pinned: brokers, generator and judge on core 0, the replicator on core 1. Free: everything on all cores
    #[arg(long, value_enum, default_value = "pinned")]
    layout: Layout,
    #[command(flatten)]
    programs: Programs,
    /// Fail where Tributary's steady cost is above so many times the floor of the same run: a guard against regressions
    #[arg(long, value_name = "TIMES")]
    at_most: Option<f64>,
    /// What the result's file name ends with
    #[arg(long, default_value = "foundation")]
    label: String,
}

impl BenchOptions {
    fn cases(&self) -> Vec<Case> {
        let overrides = Overrides {
            codecs: self.codec.clone(),
            partitions: self.partitions,
            batch_bytes: self.batch_bytes,
        };
        workload::cases(&self.workload, &overrides, &self.peers)
    }
}

/// Programs that are not built for the benchmark.
#[derive(Debug, Clone, Default, clap::Args)]
struct Programs {
    /// A program of an earlier state, for the peer `former`
    #[arg(long, value_name = "PROGRAM")]
    former: Option<PathBuf>,
    /// Tributary, where it is not to be built: for work on the benchmark itself
    #[arg(long, value_name = "PROGRAM", hide = true)]
    program: Option<PathBuf>,
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
    fn new(root: &Path, layout: Layout, programs: &Programs) -> Result<Self> {
        output::heading("set-up");
        setup::ensure(setup::FOR_BENCH)?;
        let prepared = Self {
            jars: kafka::jars(KafkaVersion::default())?,
            tributary: match &programs.program {
                Some(program) => program.clone(),
                None => build::tributary(root, Profile::Release)?,
            },
            former: programs.former.clone(),
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
    let prepared = Prepared::new(root, options.layout, &options.programs)?;
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
    let cases = options.cases();
    let with_tls = cases
        .iter()
        .flat_map(|case| &case.peers)
        .any(|peer| peer.sides() != Sides::None);
    let material = with_tls
        .then(|| Material::new(directory.path()))
        .transpose()?;
    let pairs = usize::try_from(options.pairs).unwrap_or_default();
    // Each pair adds one of its own moment.
    let before = LEAST_FLOORS.saturating_sub(pairs * cases.len());
    let mut floor = floors(before, prefix, Ends::Plain)?;
    let mut between_brokers = Vec::new();
    let mut tls_floors = Vec::new();
    if let Some(material) = &material {
        for sides in [Sides::Source, Sides::Destination, Sides::Both] {
            let is_used = |case: &Case| case.peers.iter().any(|peer| peer.sides() == sides);
            if cases.iter().any(is_used) {
                let count = pairs.max(LEAST_FLOORS);
                tls_floors.push((sides, floors(count, prefix, Ends::Tls(sides, material))?));
            }
        }
    }
    output::heading("two clusters");
    let cleans = cases.iter().any(|case| case.data.is_compacted());
    let [source, destination] = clusters(material.as_ref(), cleans).await?;
    let place = Place {
        prepared,
        source: &source,
        destination: &destination,
        directory: directory.path(),
        prefix,
        material: material.as_ref(),
    };
    let mut series: Vec<Series> = Vec::new();
    let mut loaded: Option<(&Case, Source)> = None;
    for (number, case) in (1..).zip(&cases) {
        let source = match loaded {
            Some((of, source)) if of.data == case.data => source,
            _ => Source::load(&place, &case.data, number, bytes(options)).await?,
        };
        let relays = (&mut floor, &mut between_brokers);
        series.push(one_case(options, &place, (number, case), &source, relays).await?);
        loaded = Some((case, source));
    }
    let description = machine::describe(root, &prepared.jars, options.layout)?;
    Ok(Report {
        description,
        floor,
        between_brokers,
        tls_floors,
        series,
        pairs: options.pairs,
        layout: options.layout,
    })
}

/// `cleans`: the source is compacted while it is loaded, and the copies stay as they were written, or they would differ by what
/// their cleaner took out in the meantime.
async fn clusters(material: Option<&Material>, cleans: bool) -> Result<[KafkaCluster; 2]> {
    let builder = |name, pause| {
        let builder = KafkaCluster::builder().name(name);
        let builder = match cleans {
            true => builder.property("log.cleaner.backoff.ms", pause),
            false => builder,
        };
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
    let builders = [builder("source", "500"), builder("destination", "86400000")];
    let clusters = ClusterBuilder::start_all(builders);
    clusters.await.attempting("start the clusters")
}

/// Processor seconds per GB of the relay, run by run.
fn floors(count: usize, prefix: &[&str], ends: Ends<'_>) -> Result<Vec<f64>> {
    let bytes = match ends {
        Ends::Brokers(_) => LOG_BYTES,
        Ends::Plain | Ends::Tls(..) => FLOOR_BYTES,
    };
    let mut floor = Vec::new();
    for _ in 0..count {
        let seconds = relay::measure(bytes, prefix, ends)?;
        output::line(format!("   relay{}: {seconds:.3} CPU-s/GB", ends.suffix()));
        floor.push(seconds);
    }
    Ok(floor)
}

/// Runs all pairs of a case.
async fn one_case(
    options: &BenchOptions,
    place: &Place<'_>,
    (number, case): (usize, &Case),
    source: &Source,
    (floor, between_brokers): (&mut Vec<f64>, &mut Vec<f64>),
) -> Result<Series> {
    output::heading(&case.name);
    let job = |peer, pair| run::Job {
        peer,
        pair,
        series: number,
        case,
        source,
    };
    output::line("   copies that do not count, in which brokers compile their code …");
    for _ in 0..WARM.div_ceil(source.size.bytes.max(1)) {
        let warm = place.run(&job(Peer::Tributary, 0)).await?;
        output::line(format!("   {warm}"));
    }
    let at_rest = place.at_rest(AT_REST).await?;
    let mut runs = Vec::new();
    for pair in 1..=options.pairs {
        floor.extend(floors(1, place.prefix, Ends::Plain)?);
        let logs = Ends::Brokers(place.directory);
        between_brokers.extend(floors(1, place.prefix, logs)?);
        for peer in order(pair, &case.peers) {
            output::line(format!("   {pair}/{} {peer} …", options.pairs));
            let done = place.run(&job(peer, pair)).await?;
            output::line(format!("   {pair}/{} {done}", options.pairs));
            runs.push(done);
        }
    }
    Ok(Series {
        case: case.clone(),
        size: source.size,
        records: source.records,
        logical_bytes: source.logical_bytes,
        at_rest,
        runs,
    })
}

/// Who runs after whom in a pair. Whoever is first finds other memory than the others, so every second pair is the other way round.
fn order(pair: u32, peers: &[Peer]) -> Vec<Peer> {
    let mut order = vec![Peer::Tributary];
    order.extend(peers);
    if pair.is_multiple_of(2) {
        order.reverse();
    }
    order
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be above 0 and at most 100 GB"
)]
fn bytes(options: &BenchOptions) -> u64 {
    (options.gb * 1e9) as u64
}
