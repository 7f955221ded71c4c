#![forbid(unsafe_code)]
//! Every developer command, as `cargo xtask COMMAND`.
//!
//! `demo` and `test` are the two that a newcomer types; both look for what they need beyond Rust before anything else.
//! This program is built without librdkafka, because it is what checks that a C++ compiler is there: what needs the
//! judge runs it as a process of its own (`src/bin/judge/`). It drives `tributary` from outside, through its command
//! line, and depends on none of its crates.

mod bench;
mod build;
mod clients;
mod demo;
mod docs;
mod duration;
mod failure;
mod fuzz;
mod interrupt;
mod judge;
mod kafka;
mod output;
mod setup;
mod soak;
mod test;
mod tidy;
mod ui;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::{Attempt as _, Result};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    about = "The developer commands of Tributary",
    version
)]
struct Arguments {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Two regional clusters are aggregated into a central one, live, on real data
    Demo(demo::DemoOptions),
    /// Run every test of the project, the ones against real Kafka included
    Test {
        /// Run only the tests whose names contain one of these
        filters: Vec<String>,
    },
    /// What every change must pass: the same as `test`
    Ci,
    /// Processor seconds per GB, memory and throughput beside MirrorMaker 2; writes docs/benchmark-results
    Bench(bench::BenchOptions),
    /// How long a record takes beside MirrorMaker 2, and what idle partitions cost; writes docs/benchmark-results
    BenchWaiting(bench::WaitingOptions),
    /// The relay that the benchmark measures as its floor
    #[command(hide = true)]
    BenchRelay(bench::RelayOptions),
    /// Write the pages that are made from the program, such as docs/config-reference.md
    Docs {
        /// Write nothing; fail where a page is not as the program says
        #[arg(long)]
        check: bool,
    },
    /// Hostile bytes for every reader of them, from the kept corpus on
    Fuzz(fuzz::FuzzOptions),
    /// A link under random faults or through an outage; writes docs/soak-results
    Soak(soak::SoakOptions),
    /// Check and build the control center: ui/src into ui/dist, which the program embeds
    Ui(ui::UiOptions),
    /// Pictures of every screen of the control center: light, dark, on a phone, empty, failing; the same as `ui --shots`
    UiShots {
        /// Where they are put
        #[arg(default_value = "target/ui-shots")]
        folder: std::path::PathBuf,
    },
    /// Check what the compiler does not: module docs, layers, sizes, rooms
    Tidy,
    /// Install the client libraries that the tests drive a worker with, under target/clients
    Clients,
    /// Apache Kafka for tests and by hand
    #[command(subcommand)]
    Kafka(kafka::KafkaVerb),
}

fn main() -> ExitCode {
    match dispatch(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::error(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn dispatch(verb: Verb) -> Result<()> {
    let root = workspace::root()?;
    match verb {
        Verb::Demo(options) => demo::run(&root, &options),
        Verb::Test { filters } => test::run(&root, &filters),
        Verb::Bench(options) => bench::run(&root, &options),
        Verb::BenchWaiting(options) => bench::run_waiting(&root, &options),
        Verb::BenchRelay(options) => bench::run_relay(&options),
        Verb::Ci => test::run(&root, &[]),
        Verb::Docs { check } => docs::run(&root, check),
        Verb::Fuzz(options) => fuzz::run(&root, &options),
        Verb::Soak(options) => soak::run(&root, &options),
        Verb::Ui(options) => ui::run(&root, &options),
        Verb::UiShots { folder } => ui::run(&root, &ui::UiOptions::pictures(folder)),
        Verb::Tidy => tidy::run(&root),
        Verb::Clients => clients::run(),
        Verb::Kafka(verb) => kafka::run(&verb),
    }
}

/// The runtime that commands with processes of their own run on.
fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Runtime::new().attempting("start the runtime")
}
