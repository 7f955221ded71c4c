//! `tributary validate`: what is wrong with configuration files, all of it at once, without contacting anything.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use config::problem::{ConfigProblem, Notice, NoticeLevel};
use config::raw::RawConfig;
use config::report::{self, FileKind, Report};
use config::worker::WorkerConfig;

use super::Exit;
use super::config_check::{self, Output};
use crate::output;
use crate::settings::{self, Unread};

/// Say what is wrong with configuration files.
///
/// Nothing is contacted. Every problem is named with its key, its value and its place, what is wrong, and what would be
/// right. With a worker's file among them, links are checked together with it. Exit code 0, or 3 if a file cannot be
/// used.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLE\n  tributary validate -f worker.properties -f west.properties -f east.json"
)]
pub(crate) struct ValidateArgs {
    /// A file of a worker, a link, MirrorMaker 2 or a client: properties or JSON (repeatable)
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true, num_args = 1..)]
    files: Vec<PathBuf>,

    /// What the files are [default: what most of their keys are for]
    #[arg(long, value_enum)]
    kind: Option<Kind>,

    /// How the result looks
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,

    /// The rules in this program are used, which is always so
    #[arg(long, hide = true)]
    local: bool,
}

/// What a file is, as the command line calls it.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Kind {
    Worker,
    Link,
    Mm2,
    Client,
}

impl From<Kind> for FileKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Worker => Self::Worker,
            Kind::Link => Self::Link,
            Kind::Mm2 => Self::Mirror,
            Kind::Client => Self::Client,
        }
    }
}

/// A file that was looked at.
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) result: Result<Report, Unread>,
}

impl Checked {
    pub(super) fn is_usable(&self) -> bool {
        let report = self.result.as_ref();
        report.is_ok_and(|report| report.problems.is_empty())
    }
}

/// Runs the command.
pub(super) fn run(args: &ValidateArgs) -> Exit {
    let checked = check(&args.files, args.kind, false);
    match args.output {
        Output::Json => output::line(&config_check::json(&checked)),
        Output::Table => {
            for file in &checked {
                print(file);
            }
        }
    }
    verdict(&checked)
}

/// Looks at all files; links together with the worker that is among them.
pub(super) fn check(files: &[PathBuf], kind: Option<Kind>, with_defaults: bool) -> Vec<Checked> {
    let read: Vec<_> = files
        .iter()
        .map(|path| (path.display().to_string(), settings::read_quietly(path)))
        .collect();
    let kind_of = |raw: &RawConfig| kind.map_or_else(|| report::kind_of(raw), FileKind::from);
    let worker: Option<WorkerConfig> = read
        .iter()
        .find_map(|(_, read)| {
            let (raw, _) = read.as_ref().ok()?;
            let is_worker = kind_of(raw) == FileKind::Worker;
            is_worker.then(|| config::resolve_worker(raw).ok())?
        })
        .map(|(worker, _)| worker);
    read.into_iter()
        .map(|(name, read)| {
            let result = read.map(|(raw, traps)| {
                let mut report =
                    report::report(&raw, kind_of(&raw), worker.as_ref(), with_defaults);
                report.notices.splice(0..0, traps);
                report
            });
            Checked { name, result }
        })
        .collect()
}

/// 1 where a file cannot be read, 3 where one cannot be used.
pub(super) fn verdict(checked: &[Checked]) -> Exit {
    let unreadable = |file: &Checked| matches!(file.result, Err(Unread::File(_)));
    if checked.iter().any(unreadable) {
        Exit::Error
    } else if checked.iter().all(Checked::is_usable) {
        Exit::Done
    } else {
        Exit::NotReady
    }
}

fn print(file: &Checked) {
    let report = match &file.result {
        Ok(report) => report,
        Err(Unread::File(problem) | Unread::Text(problem)) => {
            output::line(&format!("invalid: {problem}"));
            return;
        }
    };
    for problem in &report.problems {
        output::line(&format!("invalid: {}", placed(&file.name, problem)));
    }
    for Notice { level, text } in &report.notices {
        let word = match level {
            NoticeLevel::Warn => "warning",
            NoticeLevel::Info => "note",
        };
        output::line(&format!("{word}: {text}"));
    }
    let (name, kind) = (&file.name, report.kind);
    output::line(&match report.problems.len() {
        0 => format!("{name} ({kind}) can be used"),
        1 => format!("{name} ({kind}) has 1 problem"),
        count => format!("{name} ({kind}) has {count} problems"),
    });
}

/// A problem with its file; what is missing has no place of its own.
fn placed(file: &str, problem: &ConfigProblem) -> String {
    match problem.origin {
        Some(_) => problem.to_string(),
        None => format!("{file}: {problem}"),
    }
}
