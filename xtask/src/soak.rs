//! `cargo xtask soak`: a link under random faults, or through a long outage; the report goes to docs/soak-results.
//!
//! The work is done by the program `soak` (`src/bin/soak/`), which is built with librdkafka as the judge is.

use std::path::Path;
use std::process::Command;

use clap::{Args, ValueEnum};

use crate::build::{self, Profile};
use crate::failure::{Attempt as _, Failure, Result};
use crate::{output, setup};

/// How long, and what.
#[derive(Debug, Args)]
pub(crate) struct SoakOptions {
    /// What goes wrong
    #[arg(long, value_enum, default_value_t = Mode::Faults)]
    mode: Mode,

    /// Minutes of faults, or of outage
    #[arg(long, default_value_t = 30)]
    minutes: u64,

    /// What decides load and faults
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// What is written during an outage
    #[arg(long, default_value_t = 5.0)]
    gigabytes: f64,

    /// Partitions that a slow broker leads after the second outage
    #[arg(long, default_value_t = 1)]
    slow_partitions: usize,

    /// Bytes per second that it takes
    #[arg(long, default_value_t = 500_000)]
    slow_rate: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Random faults on both sides
    Faults,
    /// The destination is away while the source is written to
    Outage,
}

/// Builds everything and runs it.
pub(crate) fn run(root: &Path, options: &SoakOptions) -> Result<()> {
    output::heading("set-up");
    setup::ensure(setup::FOR_DEMO)?;
    let tributary = build::tributary(root, Profile::Release)?;
    let wanted = ["--package", "xtask", "--features", "judge", "--bin", "soak"];
    let soak = build::program(root, Profile::Debug, &wanted, "soak")?;
    let mut command = Command::new(soak);
    command
        .arg("--program")
        .arg(tributary)
        .arg("--results")
        .arg(root.join("docs").join("soak-results"))
        .args(["--seed", &options.seed.to_string()]);
    let minutes = options.minutes.to_string();
    match options.mode {
        Mode::Faults => command.args(["faults", "--minutes", &minutes]),
        Mode::Outage => {
            let gigabytes = options.gigabytes.to_string();
            let partitions = options.slow_partitions.to_string();
            let rate = options.slow_rate.to_string();
            command
                .args(["outage", "--minutes", &minutes, "--gigabytes", &gigabytes])
                .args(["--slow-partitions", &partitions, "--slow-rate", &rate])
        }
    };
    let status = command.status().attempting("start the soak")?;
    match status.success() {
        true => Ok(()),
        false => Err(Failure::new("not everything held; see the report")),
    }
}
