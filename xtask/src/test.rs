//! `cargo xtask test`: every test of the project, the ones against real Kafka included.
//!
//! ```text
//! set-up check → Kafka's jars → clients → fmt → tidy → clippy → made pages → alert rules → tests → doctests → docs → fuzz targets → cargo-deny
//! ```
//! Cheap steps come first; the first failure ends the run. Each step says that it began and how long it took. The one
//! step that may not take place, cargo-deny where it is not installed, says so and is named again in the last line.
//!
//! With names given, only the tests whose names contain one of them run (after set-up and jars): that is for the hand,
//! not for the record, and the last line says so too.

mod failed;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use test_support::KafkaVersion;
use tokio::time::Instant;

use crate::failure::{Attempt as _, Failure, Result};
use crate::fuzz::{self, FuzzOptions};
use crate::{clients, docs, kafka, output, setup, tidy};

/// Without it the judge, a program of this crate, would be left out.
const JUDGE: &str = "xtask/judge";

/// What a step came to, when it did not fail.
enum Outcome {
    Done,
    /// The step did not take place; the sentence says why and how to have it.
    NotRun(String),
}

struct Run<'a> {
    root: &'a Path,
    began: Instant,
    steps: usize,
    not_run: Vec<String>,
}

/// Runs everything, or the tests whose names contain one of `filters`.
pub(crate) fn run(root: &Path, filters: &[String]) -> Result<()> {
    let mut run = Run {
        root,
        began: Instant::now(),
        steps: 0,
        not_run: Vec::new(),
    };
    let result = if filters.is_empty() {
        run.everything()
    } else {
        run.chosen(filters)
    };
    let took = output::spoken(run.began.elapsed());
    match result {
        Ok(()) => {
            for sentence in &run.not_run {
                output::line(format!("not run: {sentence}"));
            }
            let what = if filters.is_empty() {
                "all steps passed"
            } else {
                "the chosen tests passed"
            };
            output::line(format!("\n{what}: {} steps in {took}", run.steps));
            Ok(())
        }
        Err(failure) => Err(Failure::new(format!("{failure} (after {took})"))),
    }
}

impl Run<'_> {
    fn everything(&mut self) -> Result<()> {
        self.prepare()?;
        self.cargo("format", &["fmt", "--all", "--", "--check"])?;
        self.step("tidy", |root| tidy::run(root).map(|()| Outcome::Done))?;
        self.cargo(
            "clippy",
            &[
                "clippy",
                "--locked",
                "--workspace",
                "--features",
                JUDGE,
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ],
        )?;
        self.step("pages made from the program", |root| {
            docs::run(root, true).map(|()| Outcome::Done)
        })?;
        self.step("alert rules", alert_rules)?;
        self.tests(&[])?;
        self.cargo("doctests", &["test", "--locked", "--workspace", "--doc"])?;
        self.step("documentation", documentation)?;
        self.step("fuzz targets", |root| {
            fuzz::run(root, &FuzzOptions::short()).map(|()| Outcome::Done)
        })?;
        self.step("licences and bans (cargo-deny)", licences)
    }

    fn chosen(&mut self, filters: &[String]) -> Result<()> {
        self.prepare()?;
        self.tests(filters)
    }

    fn prepare(&mut self) -> Result<()> {
        self.step("set-up", |_| {
            setup::ensure(setup::FOR_TESTS).map(|()| Outcome::Done)
        })?;
        self.step("Kafka's jars", |_| {
            kafka::fetch(&KafkaVersion::ALL).map(|()| Outcome::Done)
        })?;
        self.step("other people's clients", |_| {
            clients::fetch().map(|()| Outcome::Done)
        })
    }

    /// The same set either way: nextest where it is installed, else Cargo's own runner.
    fn tests(&mut self, filters: &[String]) -> Result<()> {
        let nextest = is_installed("nextest");
        let mut arguments = match nextest {
            true => vec![
                "nextest",
                "run",
                "--locked",
                "--workspace",
                "--features",
                JUDGE,
            ],
            false => vec![
                "test",
                "--locked",
                "--workspace",
                "--features",
                JUDGE,
                "--lib",
                "--bins",
                "--tests",
            ],
        };
        if !nextest && !filters.is_empty() {
            arguments.push("--");
        }
        arguments.extend(filters.iter().map(String::as_str));
        let name = if nextest { "tests (nextest)" } else { "tests" };
        self.step(name, |root| {
            run_tests(root, &arguments).map(|()| Outcome::Done)
        })
    }

    fn cargo(&mut self, name: &str, arguments: &[&str]) -> Result<()> {
        self.step(name, |root| {
            run_cargo(root, arguments, &[]).map(|()| Outcome::Done)
        })
    }

    fn step(&mut self, name: &str, work: impl FnOnce(&Path) -> Result<Outcome>) -> Result<()> {
        output::heading(name);
        let began = Instant::now();
        match work(self.root) {
            Ok(Outcome::Done) => {
                self.steps += 1;
                output::line(format!(
                    "   {name}: passed in {}",
                    output::spoken(began.elapsed())
                ));
                Ok(())
            }
            Ok(Outcome::NotRun(sentence)) => {
                output::line(format!("   {name}: not run: {sentence}"));
                self.not_run.push(sentence);
                Ok(())
            }
            Err(failure) => Err(Failure::new(format!("{name}: {failure}"))),
        }
    }
}

/// Private items are documented too: the readers are those who work on it. So a public text may link to a private item.
fn documentation(root: &Path) -> Result<Outcome> {
    let arguments = [
        "doc",
        "--locked",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ];
    let flags = "-D warnings -A rustdoc::private_intra_doc_links";
    run_cargo(root, &arguments, &[("RUSTDOCFLAGS", flags)]).map(|()| Outcome::Done)
}

/// Each alert fires when it should, and is silent where it only looks so.
fn alert_rules(root: &Path) -> Result<Outcome> {
    let status = Command::new("promtool")
        .args(["test", "rules", "tributary.rules.test.yml"])
        .current_dir(root.join("ops/prometheus"))
        .status()
        .attempting("run promtool")?;
    match status.success() {
        true => Ok(Outcome::Done),
        false => Err(Failure::new(format!(
            "promtool test rules ended with {status}"
        ))),
    }
}

/// Advisories are left out: they fail by the passing of time, not by a change.
fn licences(root: &Path) -> Result<Outcome> {
    if !is_installed("deny") {
        let sentence = "cargo-deny is not installed; `cargo install --locked cargo-deny` brings it";
        return Ok(Outcome::NotRun(sentence.to_owned()));
    }
    run_cargo(root, &["deny", "check", "bans", "licenses", "sources"], &[]).map(|()| Outcome::Done)
}

fn run_cargo(root: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    let mut cargo = cargo(root, arguments);
    cargo.envs(environment.iter().copied());
    let status = cargo.status().attempting("start cargo")?;
    ended(arguments, status)
}

/// Cargo with these arguments, which are shown.
fn cargo(root: &Path, arguments: &[&str]) -> Command {
    output::line(format!("   cargo {}", arguments.join(" ")));
    let mut cargo = Command::new("cargo");
    cargo.args(arguments).current_dir(root);
    cargo
}

/// Passes on what the tests print, and says at the end once more what failed and why: their logs are long, and often only
/// the last lines of a run are kept.
fn run_tests(root: &Path, arguments: &[&str]) -> Result<()> {
    let mut cargo = cargo(root, arguments)
        // The frames of the test runner hide the message.
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::piped())
        .spawn()
        .attempting("start cargo")?;
    let printed = cargo.stdout.take().into_iter();
    let mut failed = failed::Failed::default();
    for line in printed.flat_map(|printed| BufReader::new(printed).split(b'\n')) {
        let line = line.attempting("read what the tests print")?;
        let line = String::from_utf8_lossy(&line);
        failed.line(&line);
        output::line(&line);
    }
    let status = cargo.wait().attempting("wait for cargo")?;
    for summary in failed.summaries() {
        output::line(summary);
    }
    ended(arguments, status)
}

fn ended(arguments: &[&str], status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "`cargo {}` ended with {status}",
        arguments.join(" ")
    )))
}

fn is_installed(subcommand: &str) -> bool {
    Command::new("cargo")
        .args([subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
