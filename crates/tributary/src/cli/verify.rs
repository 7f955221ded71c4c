//! `tributary verify`: compares both sides of a link and says, record by record, whether the copy is right.

mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use config::link::{LinkConfig, LoopPrevention};
use config::worker::{OffsetStorage, WorkerConfig};
use kafka_client::Cluster;
use kafka_wire::message::metadata::MetadataTopics;
use replication::verify::{
    self, Kind, Level, Options, PartitionReport, Progress, Range, StoredCopies, Verdict,
};

use super::replicate::{Quick, quick};
use super::{Exit, OutputFormat, preview};
use crate::progress::{count, size};
use crate::{duration, output};
use report::Document;

/// Compare both sides record by record, and explain every difference.
///
/// Key, value, headers, time, order and offset of every record are compared; nothing is written. Ends with code 0 when
/// the copy is right, and with 3 when something differs or cannot be told.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  \
    tributary verify -f west.properties --worker worker.properties --last 1h\n  \
    tributary verify --from west-1:9092 --to central-1:9092 --topics 'orders\\..*' --level offsets")]
pub(crate) struct VerifyArgs {
    /// The link's file
    #[arg(short = 'f', long = "file", value_name = "FILE", conflicts_with_all = ["from", "to"], required_unless_present_all = ["from", "to"])]
    link: Option<PathBuf>,

    /// The worker's properties file: says where positions and offset map are
    #[arg(long, value_name = "FILE", requires = "link")]
    worker: Option<PathBuf>,

    #[command(flatten)]
    quick: QuickArgs,

    /// Only this topic of the source (repeatable)
    #[arg(long, value_name = "NAME")]
    topic: Vec<String>,

    /// How closely: numbers of records, their offsets, or everything in them
    #[arg(long, value_enum, default_value_t = LevelName::Checksum)]
    level: LevelName,

    #[command(flatten)]
    range: RangeArgs,

    /// Least part of the source's records, in percent, that has to have been compared
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value = "0")]
    min_coverage: f64,

    /// Kinds of differences that count
    #[arg(long, value_enum, value_name = "KIND,…", value_delimiter = ',')]
    fail_on: Vec<KindName>,

    /// Write the report, as JSON, to this file too
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Do not show the records around differences
    #[arg(long)]
    no_contents: bool,

    /// How it is printed
    #[arg(short = 'o', long, value_enum, default_value_t = OutputFormat::Table)]
    output: OutputFormat,

    /// Interval of the progress lines, or off
    #[arg(long, value_name = "DURATION|off", value_parser = duration::parse_or_off, default_value = "5s")]
    progress: duration::OrOff,
}

/// A link without a file, as `replicate` takes it.
#[derive(Debug, Args)]
struct QuickArgs {
    /// Bootstrap servers of the source, for a link of `replicate`
    #[arg(long, value_name = "HOST:PORT[,…]", requires = "to")]
    from: Option<String>,

    /// Bootstrap servers of the destination
    #[arg(long, value_name = "HOST:PORT[,…]", requires = "from")]
    to: Option<String>,

    /// Topics that are copied: a regular expression (Java's dialect) that matches the whole name
    #[arg(long, value_name = "REGEX", requires = "from")]
    topics: Vec<String>,

    /// Topics that are left out
    #[arg(long, value_name = "REGEX", requires = "from")]
    exclude: Vec<String>,

    /// Name of the copies
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "${topic}",
        requires = "from"
    )]
    rename: String,

    /// Name of the link, under which positions are kept [default: made from both cluster ids]
    #[arg(long, requires = "from")]
    name: Option<String>,

    /// Properties file with client settings of the source
    #[arg(long, value_name = "FILE", requires = "from")]
    from_config: Option<PathBuf>,

    /// Properties file with client settings of the destination
    #[arg(long, value_name = "FILE", requires = "from")]
    to_config: Option<PathBuf>,

    /// A client setting of the source (repeatable)
    #[arg(long, value_name = "KEY=VALUE", requires = "from")]
    from_set: Vec<String>,

    /// A client setting of the destination (repeatable)
    #[arg(long, value_name = "KEY=VALUE", requires = "from")]
    to_set: Vec<String>,

    /// Any key of the link, as in a file (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "from")]
    set: Vec<String>,

    /// Any key of the worker, as in a file (repeatable)
    #[arg(long = "override", value_name = "KEY=VALUE", requires = "from")]
    overrides: Vec<String>,
}

/// Which part of each partition.
#[derive(Debug, Args)]
struct RangeArgs {
    /// Only records of the last hours, minutes, …
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, conflicts_with = "from_offset")]
    last: Option<Duration>,

    /// Only source offsets from this one on
    #[arg(long, value_name = "OFFSET")]
    from_offset: Option<i64>,

    /// Only source offsets before this one
    #[arg(long, value_name = "OFFSET")]
    to_offset: Option<i64>,

    /// Only a part of each partition, in percent, where offsets tell which records belong together
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    sample: Option<f64>,

    /// Decides which part; a report names it
    #[arg(long, value_name = "NUMBER", requires = "sample")]
    seed: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum LevelName {
    Counts,
    Offsets,
    Checksum,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum KindName {
    Missing,
    Duplicate,
    Altered,
    Order,
    Displaced,
    Foreign,
    Extra,
    NoCopy,
}

impl KindName {
    fn kind(self) -> Kind {
        match self {
            Self::Missing => Kind::Missing,
            Self::Duplicate => Kind::Duplicate,
            Self::Altered => Kind::Altered,
            Self::Order => Kind::Order,
            Self::Displaced => Kind::Displaced,
            Self::Foreign => Kind::Foreign,
            Self::Extra => Kind::Extra,
            Self::NoCopy => Kind::NoCopy,
        }
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text
        .trim_end_matches('%')
        .parse()
        .map_err(|_| "a number from 0 to 100 is expected".to_owned())?;
    match number {
        0.0..=100.0 => Ok(number),
        _ => Err("a number from 0 to 100 is expected".to_owned()),
    }
}

/// Runs the command.
pub(super) async fn run(args: VerifyArgs) -> Exit {
    let (link, worker) = match Box::pin(link_of(&args)).await {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    match Box::pin(compare(&args, &link, worker.as_ref())).await {
        Ok(document) => finish(&args, &document),
        Err(problem) => {
            output::error(&problem);
            Exit::Error
        }
    }
}

/// The link, and where its positions are if that is known. Problems are printed.
async fn link_of(args: &VerifyArgs) -> Result<(LinkConfig, Option<WorkerConfig>), Exit> {
    let Some(path) = &args.link else {
        let quick_args = &args.quick;
        let asked = Quick {
            from: quick_args.from.as_deref().unwrap_or_default(),
            to: quick_args.to.as_deref().unwrap_or_default(),
            topics: &quick_args.topics,
            topic: &args.topic,
            exclude: &quick_args.exclude,
            rename: &quick_args.rename,
            start: "earliest",
            name: quick_args.name.as_deref(),
            from_config: quick_args.from_config.as_deref(),
            to_config: quick_args.to_config.as_deref(),
            from_set: &quick_args.from_set,
            to_set: &quick_args.to_set,
            set: &quick_args.set,
            overrides: &quick_args.overrides,
        };
        if quick_args.topics.is_empty() && args.topic.is_empty() {
            output::error("which topics? give --topics REGEX or --topic NAME");
            return Err(Exit::Usage);
        }
        let (link, worker) = Box::pin(quick(&asked)).await?;
        return Ok((link, Some(worker)));
    };
    // As a preview reads them; without a worker's file its settings are made up.
    let read = preview::resolve(path, args.worker.as_deref());
    let (link, worker) = read.ok_or(Exit::Usage)?;
    Ok((link, args.worker.is_some().then_some(worker)))
}

async fn compare(
    args: &VerifyArgs,
    link: &LinkConfig,
    worker: Option<&WorkerConfig>,
) -> Result<Document, String> {
    if let Some(what) = link.changes_records() {
        return Err(format!(
            "with {what} copies are not what their records are; verify compares links that change nothing"
        ));
    }
    let source = Cluster::new(link.source.clone(), "source");
    let destination = Cluster::new(link.destination.clone(), "destination");
    let stored = stored(link, worker, &destination).await?;
    let mut pairs = verify::pairs(&source, &destination, &link.topics, stored).await?;
    if !args.topic.is_empty() {
        pairs.retain(|pair| {
            args.topic
                .iter()
                .any(|name| name == pair.source.topic.as_str())
        });
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let options = Options {
        level: match args.level {
            LevelName::Counts => Level::Counts,
            LevelName::Offsets => Level::Offsets,
            LevelName::Checksum => Level::Checksum,
        },
        range: Range {
            since: args
                .range
                .last
                .map(|last| milliseconds(now.saturating_sub(last))),
            from: args.range.from_offset,
            to: args.range.to_offset,
            sample: args.range.sample,
            seed: args
                .range
                .seed
                .unwrap_or_else(|| u64::from(now.subsec_nanos())),
        },
        contents: !args.no_contents,
        // Only where it is said that others write to the copies: elsewhere what they write is foreign.
        origins: link.loops == LoopPrevention::Required,
    };
    let progress = Arc::new(Progress::default());
    let work = verify::verify(&source, &destination, pairs, &options, &progress);
    let reports = with_progress(work, args.progress.0, &progress).await?;
    Ok(Document {
        link: link.name.clone(),
        level: args
            .level
            .to_possible_value()
            .map_or_else(String::new, |v| v.get_name().to_owned()),
        seed: args.range.sample.map(|_| options.range.seed),
        at: milliseconds(now),
        fail_on: match args.fail_on.is_empty() {
            true => Kind::ALL.to_vec(),
            false => args.fail_on.iter().map(|kind| kind.kind()).collect(),
        },
        reports,
    })
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// What the link has stored. Nothing is known of it where no worker is named.
async fn stored(
    link: &LinkConfig,
    worker: Option<&WorkerConfig>,
    destination: &Cluster,
) -> Result<StoredCopies, String> {
    let Some(worker) = worker else {
        tracing::info!(
            "no worker file is given (--worker): positions and offset map are not known, so records are told apart by \
             their offsets where both ends are equal, and by their contents elsewhere"
        );
        return Ok(StoredCopies::new());
    };
    match &worker.offsets {
        OffsetStorage::File(path) => {
            verify::load_file(path, &link.name).map_err(|error| error.to_string())
        }
        OffsetStorage::Topic { name, .. } => {
            // The id of the cluster and its brokers are known from here on.
            let none = MetadataTopics::Topics(Vec::new());
            let answer = destination.metadata(none).await;
            answer.map_err(|error| format!("destination: {error}"))?;
            verify::load(destination, name, &link.name).await
        }
    }
}

async fn with_progress(
    work: impl Future<Output = Result<Vec<PartitionReport>, String>>,
    every: Option<Duration>,
    progress: &Progress,
) -> Result<Vec<PartitionReport>, String> {
    tokio::pin!(work);
    let Some(every) = every else {
        return work.await;
    };
    let begin = tokio::time::Instant::now();
    loop {
        // The work itself goes on in tasks of its own; waiting for it can be interrupted at any time.
        if let Ok(reports) = tokio::time::timeout(every, &mut work).await {
            return reports;
        }
        let of = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::Relaxed);
        let seconds = begin.elapsed().as_secs_f64().max(0.001);
        let bytes = of(&progress.bytes) as f64;
        output::notice(&format!(
            "{} of {} partitions · {} records · {} read · {}/s · {} differences",
            of(&progress.done),
            of(&progress.partitions),
            count(of(&progress.records) as f64),
            size(bytes),
            size(bytes / seconds),
            of(&progress.differences),
        ));
    }
}

fn finish(args: &VerifyArgs, document: &Document) -> Exit {
    let json = document.json().to_string();
    match args.output {
        OutputFormat::Json => output::line(&json),
        OutputFormat::Table => document.table().iter().for_each(|line| output::line(line)),
    }
    if let Some(path) = &args.report
        && let Err(error) = std::fs::write(path, json)
    {
        output::error(&format!(
            "the report cannot be written to {}: {error}",
            path.display()
        ));
        return Exit::Error;
    }
    if document.reports.is_empty() {
        output::error("no topic of the source is selected: nothing was compared");
        return Exit::NotReady;
    }
    let failed = |report: &PartitionReport| matches!(report.verdict, Verdict::Failed(_));
    if document.differs() {
        Exit::NotReady
    } else if document.reports.iter().any(failed) {
        Exit::Error
    } else if document.is_unknown() || document.coverage() < args.min_coverage {
        Exit::NotReady
    } else {
        Exit::Done
    }
}
