//! `tributary config`: what becomes of each key of a file, and the reference of all keys. Nothing is contacted.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use config::problem::{ConfigProblem, Notice, NoticeLevel};
use config::reference;
use config::report::{Report, Row, Status};
use serde_json::{Value, json};

use super::validate::{self, Checked, Kind};
use super::{Exit, ask};
use crate::output;
use crate::progress::cut;
use crate::settings::Unread;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigVerb {
    /// What becomes of each key of a file
    Check(CheckArgs),
    /// Every value that holds, and where it comes from, of files or of a link that a worker has
    Effective(ask::EffectiveArgs),
    #[command(flatten)]
    Context(ask::ContextVerb),
    /// All keys, as the page of the documentation
    #[command(hide = true)]
    Reference,
    /// The OpenAPI document of the REST API, as a page of the documentation
    #[command(hide = true)]
    Openapi,
    /// All metrics, as the page of the documentation
    #[command(hide = true)]
    Metrics,
}

/// What becomes of each key of a file: set, mapped, ignored, unknown or invalid, and what it means.
///
/// Nothing is contacted. Exit code 0, or 3 if a key is invalid.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary config check mm2.properties")]
pub(crate) struct CheckArgs {
    /// Files of a worker, a link, MirrorMaker 2 or a client
    #[arg(required = true)]
    files: Vec<PathBuf>,

    /// What the files are [default: what most of their keys are for]
    #[arg(long, value_enum)]
    kind: Option<Kind>,

    /// How the result looks
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,

    /// Also keys that are not set, with the default that holds
    #[arg(long)]
    all: bool,

    /// An unknown key counts as invalid
    #[arg(long)]
    strict: bool,
}

/// How results look.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Output {
    Table,
    Json,
}

/// Runs the command.
pub(super) async fn run(verb: ConfigVerb) -> Exit {
    let args = match verb {
        ConfigVerb::Check(args) => args,
        ConfigVerb::Effective(args) => return ask::effective(args).await,
        ConfigVerb::Context(verb) => return ask::contexts(&verb),
        ConfigVerb::Reference => {
            output::text(&reference::markdown());
            return Exit::Done;
        }
        ConfigVerb::Metrics => {
            output::text(&metrics::catalogue::markdown());
            return Exit::Done;
        }
        ConfigVerb::Openapi => {
            let document = rest_api::openapi_document(env!("CARGO_PKG_VERSION"));
            let text = serde_json::to_string_pretty(&document).expect("a document of texts");
            output::line(&text);
            return Exit::Done;
        }
    };
    let checked = validate::check(&args.files, args.kind, args.all);
    match args.output {
        Output::Json => output::line(&json(&checked)),
        Output::Table => print(&checked),
    }
    let unknown = checked.iter().any(|file| {
        let rows = file.result.iter().flat_map(|report| &report.rows);
        rows.into_iter().any(|row| row.status == Status::Unknown)
    });
    match validate::verdict(&checked) {
        Exit::Done if args.strict && unknown => Exit::NotReady,
        exit => exit,
    }
}

fn print(checked: &[Checked]) {
    for file in checked {
        let report = match &file.result {
            Ok(report) => report,
            Err(Unread::File(problem) | Unread::Text(problem)) => {
                output::line(&format!("invalid: {problem}"));
                continue;
            }
        };
        if checked.len() > 1 {
            output::line(&format!("{} ({})", file.name, report.kind));
        }
        for line in table(&report.rows) {
            output::line(&line);
        }
    }
}

/// Widest table, and the widest that keys and values are in it.
const WIDTH: usize = 100;
const KEY: usize = 40;
const VALUE: usize = 20;

/// Columns with two spaces between them, as wide as a terminal. What is wrong stands below in full where it was cut.
fn table(rows: &[Row]) -> Vec<String> {
    let mut cells = vec![["KEY", "VALUE", "STATUS", "MEANING"].map(str::to_owned)];
    cells.extend(rows.iter().map(|row| {
        let value = row.value.as_deref().unwrap_or("-");
        let value = value.replace(|c: char| c.is_control(), " ");
        [
            cut(&row.key, KEY),
            cut(&value, VALUE),
            row.status.to_string(),
            row.meaning.clone(),
        ]
    }));
    let width = |column: usize| {
        let widths = cells.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let (key, value, status) = (width(0), width(1), width(2));
    let left = WIDTH.saturating_sub(key + value + status + 6);
    let line = |[a, b, c, d]: &[String; 4]| {
        let d = cut(d, left);
        let line = format!("{a:key$}  {b:value$}  {c:status$}  {d}");
        line.trim_end().to_owned()
    };
    let mut lines: Vec<String> = cells.iter().map(line).collect();
    let is_wrong = |row: &&Row| matches!(row.status, Status::Invalid | Status::Unknown);
    let is_cut = |row: &&Row| row.meaning.chars().count() > left || row.key.chars().count() > KEY;
    let wrong = rows.iter().filter(is_wrong).filter(is_cut);
    let mut wrong = wrong
        .map(|row| format!("  {}: {}", row.key, row.meaning))
        .peekable();
    if wrong.peek().is_some() {
        lines.push("ATTENTION".to_owned());
        lines.extend(wrong);
    }
    lines
}

/// All of it, for programs.
pub(super) fn json(checked: &[Checked]) -> String {
    let files: Vec<Value> = checked.iter().map(file_json).collect();
    json!({
        "schema": "tributary/v1/ConfigCheck",
        "valid": checked.iter().all(Checked::is_usable),
        "files": files,
    })
    .to_string()
}

fn file_json(file: &Checked) -> Value {
    let report: &Report = match &file.result {
        Ok(report) => report,
        Err(Unread::File(problem) | Unread::Text(problem)) => {
            return json!({"file": file.name, "kind": null, "valid": false, "error": problem});
        }
    };
    let keys: Vec<Value> = report
        .rows
        .iter()
        .map(|row| {
            json!({
                "key": row.key,
                "value": row.value,
                "origin": row.origin.as_ref().map(ToString::to_string),
                "status": row.status.to_string(),
                "meaning": row.meaning,
            })
        })
        .collect();
    json!({
        "file": file.name,
        "kind": report.kind.to_string(),
        "valid": report.problems.is_empty(),
        "keys": keys,
        "problems": report.problems.iter().map(problem_json).collect::<Vec<_>>(),
        "notices": report.notices.iter().map(notice_json).collect::<Vec<_>>(),
    })
}

fn problem_json(problem: &ConfigProblem) -> Value {
    json!({
        "key": problem.key,
        "value": problem.shown,
        "origin": problem.origin.as_ref().map(ToString::to_string),
        "wrong": problem.wrong,
        "remedy": problem.remedy,
        "did_you_mean": problem.did_you_mean,
    })
}

fn notice_json(notice: &Notice) -> Value {
    let level = match notice.level {
        NoticeLevel::Info => "info",
        NoticeLevel::Warn => "warning",
    };
    json!({"level": level, "text": notice.text})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_a_terminal_and_what_is_wrong_is_said_in_full() {
        let row = |status: Status| Row {
            key: format!("{status}.{}", "k".repeat(60)),
            value: Some("v".repeat(60)),
            origin: None,
            status,
            meaning: format!("{status} {}", "m".repeat(120)),
        };
        let lines = table(&[row(Status::Set), row(Status::Invalid)]);
        let (below, table): (Vec<&String>, Vec<&String>) =
            lines.iter().partition(|line| line.starts_with("  "));
        for line in table {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        assert_eq!(below.len(), 1, "{lines:?}");
        assert!(below[0].contains(&row(Status::Invalid).meaning));
    }
}
