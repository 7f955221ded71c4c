#![forbid(unsafe_code)]
//! The soak as a process of its own: real clusters, load, faults from a seed, and an independent judge; `cargo xtask soak`
//! builds and runs it.
//!
//! ```text
//!   scene    clusters of three brokers behind proxies, the program under test, what it has copied
//!   faults   one random fault after the other, on either side; how long until every partition goes on
//!   outage   a destination that is away while the source is written to, and comes back, also with a slow broker
//!   herd     who comes to a cluster, second by second
//!   report   one page per run
//! ```
//! The same seed gives the same load and the same schedule of faults; what meets what is up to the clock.

mod faults;
mod herd;
mod outage;
mod report;
mod scene;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Any error of the soak, as text: nobody handles it but the developer.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Debug, Parser)]
#[command(name = "soak", about = "A link under random faults, for cargo xtask")]
struct Arguments {
    /// The program under test
    #[arg(long)]
    program: PathBuf,
    /// Where the report goes
    #[arg(long)]
    results: PathBuf,
    /// What decides load and faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Debug, Subcommand)]
enum Mode {
    /// Random faults on both sides
    Faults {
        #[arg(long, default_value_t = 30)]
        minutes: u64,
    },
    /// The destination is away under load
    Outage {
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        #[arg(long, default_value_t = 5.0)]
        gigabytes: f64,
        /// Partitions that the slow broker leads
        #[arg(long, default_value_t = 1)]
        slow_partitions: usize,
        /// Bytes per second that it takes
        #[arg(long, default_value_t = 500_000)]
        slow_rate: u64,
    },
}

/// Writes one line for whoever watches.
fn say(text: &str) {
    // Nobody reads any more: no reason to stop.
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let run = async {
        let page = match arguments.mode {
            Mode::Faults { minutes } => {
                faults::run(&arguments.program, arguments.seed, minutes).await?
            }
            Mode::Outage {
                minutes,
                gigabytes,
                slow_partitions,
                slow_rate,
            } => {
                let options = outage::Options {
                    seed: arguments.seed,
                    minutes,
                    gigabytes,
                    slow: (slow_partitions, slow_rate),
                };
                outage::run(&arguments.program, options).await?
            }
        };
        page.write(&arguments.results)
    };
    let ended: Result<bool> = tokio::runtime::Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run));
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}
