//! The command line: what can be asked for, and the exit codes.
//!
//! 0 done · 1 error · 2 wrong usage · 3 not ready (a check failed, something is missing) · 4 not so in time ·
//! 130 interrupted twice.

mod ask;
mod complete;
mod config_check;
mod distributed;
mod ending;
mod habits;
mod launcher;
mod launchers;
mod listen;
mod mirror_maker;
mod pages;
mod preflight;
mod prepare;
mod preview;
mod replicate;
mod replicator;
mod shipped;
mod standalone;
mod take_over;
mod validate;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use self::ending::Ending;
use self::launcher::Launcher;
use crate::{java_options, output, telemetry};

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// Everything asked for was done.
    Done,
    /// It could not be done.
    Error,
    /// It could not even begin.
    NotStarted,
    /// The command line or the configuration asks for something that cannot be.
    Usage,
    /// The configuration of a link does.
    LinkUsage,
    /// Something is missing or does not hold.
    NotReady,
    /// It did not become so in time.
    TimedOut,
}

impl Exit {
    /// The exit code of the process.
    fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Error | Self::NotStarted => 1,
            Self::Usage | Self::LinkUsage => 2,
            Self::NotReady => 3,
            Self::TimedOut => 4,
        }
    }
}

#[derive(Debug, Parser)]
#[command(
    name = "tributary",
    version,
    about = "Replicates topics between Apache Kafka clusters, batch for batch",
    after_help = "EXAMPLES\n  \
      Copy all topics that begin with \"orders.\" and keep copying:\n    \
      tributary replicate --from west-1:9092 --to central-1:9092 --topics 'orders\\..*'\n\n  \
      The same under other names, until everything is copied (for a migration):\n    \
      tributary replicate --from west-1:9092 --to central-1:9092 --topics 'orders\\..*' \\\n      \
      --rename 'west.${topic}' --until-caught-up\n\n  \
      Clusters with TLS and SASL, described by the files that Kafka's own tools take:\n    \
      tributary replicate --from west-1:9093 --from-config west.properties \\\n      \
      --to central-1:9093 --to-config central.properties --topics 'orders\\..*'\n\n  \
      One process with links from files, configured with Confluent Replicator's keys:\n    \
      tributary standalone worker.properties west.properties east.properties\n\n  \
      Whether a copy is complete and unchanged, record by record:\n    \
      tributary verify --from west-1:9092 --to central-1:9092 --topics 'orders\\..*'\n\n  \
      The flows of a MirrorMaker 2 file, checked first:\n    \
      tributary validate -f mm2.properties && tributary mirror-maker mm2.properties\n\n\
      Exit codes: 0 done, 1 error, 2 wrong usage, 3 something is missing or differs, \
      4 not so in time, 130 interrupted twice."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    logging: Logging,
}

#[derive(Debug, Args)]
struct Logging {
    /// How log lines look (on stderr)
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,

    /// Least level that is logged: error, warn, info, debug or trace, also per module
    #[arg(long, global = true, default_value = "info", value_name = "LEVEL")]
    log_level: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Whether everything is replicated, on one screen
    Status(ask::StatusArgs),
    /// How much is not copied yet; with thresholds, for scripts
    Lag(ask::LagArgs),
    /// List links, topics, partitions, tasks, workers, rebalances, clusters, activity and more
    Get(ask::GetArgs),
    /// Everything about one link, topic, worker or cluster
    Describe(ask::DescribeArgs),
    /// What has happened and what was done, the newest last
    Events(ask::EventsArgs),
    /// Links, throughput and lag, drawn anew every few seconds
    Top(ask::TopArgs),
    /// Create links, from files or by options
    Create(ask::CreateArgs),
    /// Create or update links from files
    Apply(ask::ApplyArgs),
    /// Show which keys of links differ from files
    Diff(ask::DiffArgs),
    /// Set and remove single keys of links
    Patch(ask::PatchArgs),
    /// Change the configuration of a link in an editor
    Edit(ask::EditArgs),
    /// Print the configuration of a link, as a file or in the spelling of another tool
    Export(ask::ExportArgs),
    /// Delete links; positions and copies stay
    Delete(ask::DeleteArgs),
    /// Let links stand still
    Pause(ask::SteerArgs),
    /// Let links go on
    Resume(ask::ResumeArgs),
    /// Stored positions of a link: show, set, forget
    #[command(subcommand)]
    Offsets(ask::OffsetsVerb),
    /// Let links stand still without tasks, so that positions can be changed
    Stop(ask::SteerArgs),
    /// Begin links anew
    Restart(ask::RestartArgs),
    /// What links know of topics
    #[command(subcommand)]
    Topics(ask::TopicsVerb),
    /// What an error means, and what can be done
    Explain(ask::ExplainArgs),
    /// Levels of logging: show them, or set one
    Loggers(ask::LoggersArgs),
    /// Copy topics from one cluster to another, without a file
    Replicate(Box<ReplicateArgs>),
    /// Show what a link would do, topic by topic, and change nothing
    Preview(PreviewArgs),
    /// Say whether a link could run: connections and permissions, on both sides
    #[command(alias = "check")]
    Preflight(preflight::PreflightArgs),
    /// Run one process with the links of the given files, as connect-standalone does
    Standalone(StandaloneArgs),
    /// Run the flows of a MirrorMaker 2 file, as connect-mirror-maker does
    MirrorMaker(mirror_maker::MirrorMakerArgs),
    /// Run the link of Confluent Replicator's three files, as its executable does
    Replicator(replicator::ReplicatorArgs),
    /// Show what would be taken over of a Connect, MirrorMaker 2 or Replicator group
    TakeOver(take_over::TakeOverArgs),
    /// Run one of several workers that share their links, as connect-distributed does
    Distributed(distributed::DistributedArgs),
    /// Compare both sides record by record, and explain every difference
    Verify(Box<verify::VerifyArgs>),
    /// Say what is wrong with configuration files, without contacting anything
    Validate(validate::ValidateArgs),
    /// What keys mean, what becomes of those in a file, and contexts of commands that ask workers
    #[command(subcommand)]
    Config(config_check::ConfigVerb),
    /// Alert rules for Prometheus
    #[command(subcommand)]
    Rules(shipped::RulesVerb),
    /// A board for Grafana
    #[command(subcommand)]
    Dashboards(shipped::DashboardsVerb),
    /// Print the version of this program and of the worker
    Version(ask::VersionArgs),
    /// Print the JSON Schema of a document
    Schema(ask::SchemaArgs),
    /// Print the completion of commands and options for a shell
    Completion(pages::CompletionArgs),
    /// Copies, under the headings of Confluent's command line
    #[command(subcommand, hide = true)]
    Mirror(ask::MirrorVerb),
    /// Names that could stand where the last word begins; for completion scripts
    #[command(hide = true)]
    Complete(complete::CompleteArgs),
    /// Write a manual page for each command
    Man(pages::ManArgs),
    /// Make links by whose names this program takes the place of Kafka's and Confluent's
    InstallLaunchers(launchers::LaunchersArgs),
}

/// Copy topics from one cluster to another, without a file.
///
/// Positions are kept in the destination, so the command can be stopped and repeated on any host.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  \
    tributary replicate --from west-1:9092 --to central-1:9092 --topics 'orders\\..*' --exclude '.*\\.dlq'")]
pub(crate) struct ReplicateArgs {
    /// Bootstrap servers of the source
    #[arg(long, value_name = "HOST:PORT[,…]")]
    from: String,

    /// Bootstrap servers of the destination
    #[arg(long, value_name = "HOST:PORT[,…]")]
    to: String,

    /// Topics to copy: a regular expression (Java's dialect) that matches the whole name
    #[arg(long, value_name = "REGEX", required_unless_present = "topic")]
    topics: Vec<String>,

    /// A topic to copy, by its exact name
    #[arg(long, value_name = "NAME")]
    topic: Vec<String>,

    /// Topics to leave out; wins over selection
    #[arg(long, value_name = "REGEX")]
    exclude: Vec<String>,

    /// Name of the copies, for instance 'west.${topic}'
    #[arg(long, value_name = "FORMAT", default_value = "${topic}")]
    rename: String,

    /// Where partitions begin that have no position
    #[arg(
        long,
        value_name = "earliest|latest|TIME|TOPIC=…|TOPIC:PARTITION=OFFSET,…",
        default_value = "earliest"
    )]
    start: String,

    /// Name of the link, under which positions are kept [default: made from both cluster ids]
    #[arg(long)]
    name: Option<String>,

    /// Properties file with client settings of the source, as Kafka's own tools take it: TLS, SASL, …
    #[arg(long, value_name = "FILE")]
    from_config: Option<PathBuf>,

    /// Properties file with client settings of the destination
    #[arg(long, value_name = "FILE")]
    to_config: Option<PathBuf>,

    /// A client setting of the source, without prefix (repeatable); secrets belong in a file
    #[arg(long, value_name = "KEY=VALUE")]
    from_set: Vec<String>,

    /// A client setting of the destination, without prefix (repeatable); secrets belong in a file
    #[arg(long, value_name = "KEY=VALUE")]
    to_set: Vec<String>,

    /// Any key of a link, as in a file (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Any key of a worker, as in a file (repeatable)
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,

    /// Show what would be done, topic by topic, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Serve the REST API at this address
    #[arg(long, value_name = "HOST:PORT|off", value_parser = listen::parse, default_value = "off")]
    listen: listen::Listen,

    #[command(flatten)]
    ending: Ending,
}

/// Show what a link would do, topic by topic, and change nothing.
///
/// It is the plan that the link would apply, checked by the destination. Ends with code 3 when a selected topic could
/// not be copied.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  \
    tributary preview -f west.properties --worker worker.properties --show errors\n  \
    tributary preview -f west.properties --why orders.dlq\n  tributary preview west-to-central --url http://worker-1:8083")]
pub(crate) struct PreviewArgs {
    /// A link that a worker has: the worker is asked
    #[arg(
        value_name = "LINK",
        required_unless_present = "link",
        conflicts_with = "link"
    )]
    deployed: Option<String>,

    /// The link's file
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    link: Option<PathBuf>,

    /// The worker's properties file: says where the destination is, if the link does not, and what was copied before
    #[arg(long, value_name = "FILE")]
    worker: Option<PathBuf>,

    /// Which topics of the source
    #[arg(long, value_enum, default_value_t = Show::Matched)]
    show: Show,

    /// Everything about one topic, selected or not
    #[arg(long, value_name = "TOPIC")]
    why: Option<String>,

    /// How it is printed
    #[arg(short = 'o', long, value_enum, default_value_t = OutputFormat::Table)]
    output: OutputFormat,

    /// Bytes per second that the copy is expected to reach
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "50MiB")]
    rate: u64,

    /// Addresses of workers, where LINK is given [default: as of all commands that ask workers]
    #[arg(long, value_name = "URL[,URL]", requires = "deployed")]
    url: Option<String>,

    /// What `config set-context` has kept
    #[arg(long, value_name = "NAME", requires = "deployed")]
    context: Option<String>,
}

/// Which rows of a preview are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Show {
    All,
    Matched,
    Excluded,
    Warnings,
    Errors,
}

/// How a result is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum OutputFormat {
    Table,
    Json,
}

fn size(text: &str) -> Result<u64, String> {
    config::unit::parse_size(text).map_err(|error| error.to_string())
}

/// Run one process with the links of the given files.
///
/// Files are Kafka Connect's: properties with `name`, a flat JSON map, or {"name", "config", "initial_state"}. Keys are
/// those of Confluent Replicator or of MirrorMaker 2, as connector.class says. The worker serves Connect's REST API, by
/// default at port 8083 of this machine and for this machine only.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLE\n  tributary standalone worker.properties west.properties east.properties"
)]
pub(crate) struct StandaloneArgs {
    /// The worker's properties file
    worker: PathBuf,

    /// A file for each link; more come by the REST API
    links: Vec<PathBuf>,

    /// A key of the worker that wins over its file (repeatable)
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,

    /// Check the files and stop
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    ending: Ending,
}

/// Runs the program; gives its exit code.
pub(crate) fn main() -> u8 {
    if let Err(problem) = java_options::hand_over() {
        output::error(&problem);
        return Exit::Error.code();
    }
    if let Some((launcher, arguments)) = launcher::launched() {
        if Launcher::refuses_daemon(&arguments) {
            output::error(
                "-daemon: start it in the background by a service manager, or with a shell's &",
            );
            return launcher.wrong_arguments();
        }
        return match Cli::try_parse_from(arguments) {
            Ok(cli) => launcher.code(execute(cli)),
            Err(error) => {
                // Usage goes where clap would have sent it; a closed stream is no reason for another code.
                drop(error.print());
                launcher.wrong_arguments()
            }
        };
    }
    let mut arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(exit) = habits::turn(&mut arguments) {
        return exit.code();
    }
    // Clap prints help and errors itself, with its own codes: 0 for help, 2 for wrong usage.
    execute(Cli::parse_from(arguments)).code()
}

fn execute(cli: Cli) -> Exit {
    let json = matches!(cli.logging.log_format, LogFormat::Json);
    if let Err(error) = telemetry::start(&cli.logging.log_level, json) {
        output::error(&format!("--log-level: {error}"));
        return Exit::Usage;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&format!("cannot start threads: {error}"));
            return Exit::Error;
        }
    };
    let level = cli.logging.log_level;
    let exit = runtime.block_on(async {
        match cli.command {
            Command::Status(args) => ask::status(args).await,
            Command::Lag(args) => ask::lag(args).await,
            Command::Get(args) => ask::get(args).await,
            Command::Describe(args) => ask::describe(args).await,
            Command::Events(args) => ask::events(args).await,
            Command::Top(args) => ask::top(args).await,
            Command::Create(args) => ask::create(args).await,
            Command::Apply(args) => ask::apply(args).await,
            Command::Diff(args) => ask::diff(args).await,
            Command::Patch(args) => ask::patch(args).await,
            Command::Edit(args) => ask::edit(args).await,
            Command::Export(args) => ask::export(args).await,
            Command::Delete(args) => ask::delete(args).await,
            Command::Pause(args) => ask::steer(ask::Steer::Pause, args).await,
            Command::Resume(args) => ask::resume(args).await,
            Command::Offsets(verb) => ask::offsets(verb).await,
            Command::Stop(args) => ask::steer(ask::Steer::Stop, args).await,
            Command::Restart(args) => ask::restart(args).await,
            Command::Topics(verb) => ask::topics(verb).await,
            Command::Explain(args) => ask::explain(args).await,
            Command::Loggers(args) => ask::loggers(args).await,
            Command::Preview(args) => preview::run(args).await,
            Command::Preflight(args) => preflight::run(args).await,
            Command::Replicate(args) => replicate::run(*args, level).await,
            Command::Standalone(args) => standalone::run(args, level).await,
            Command::MirrorMaker(args) => mirror_maker::run(args, level).await,
            Command::Replicator(args) => replicator::run(args, level).await,
            Command::TakeOver(args) => take_over::run(args).await,
            Command::Distributed(args) => distributed::run(args, level).await,
            Command::Verify(args) => Box::pin(verify::run(*args)).await,
            Command::Validate(args) => validate::run(&args),
            Command::Config(verb) => config_check::run(verb).await,
            Command::Rules(verb) => shipped::rules(&verb),
            Command::Dashboards(verb) => shipped::dashboards(&verb),
            Command::Version(args) => ask::version(args).await,
            Command::Schema(args) => ask::schema(&args),
            Command::Completion(args) => pages::completion(&args),
            Command::Mirror(verb) => ask::mirror(verb).await,
            Command::Complete(args) => complete::run(args).await,
            Command::Man(args) => pages::man(&args),
            Command::InstallLaunchers(args) => launchers::run(&args),
        }
    });
    // Blocking work that is left (a name look-up, say) is not waited for; `shutdown::leave` says what that asks for.
    runtime.shutdown_background();
    exit
}
