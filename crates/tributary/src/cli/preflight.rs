//! `tributary preflight`: whether a link could run, connection by connection and right by right; nothing is changed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use replication::preflight::{Preflight, Resource, SideReport, Verdict, preflight};

use super::ask::Reach;
use super::{Exit, OutputFormat, ask, preview};
use crate::output;
use crate::preflight_document::{Row, document, rows, verdict};
use crate::progress::cut;

/// Whether a link could run: connections and permissions, on both sides.
///
/// Connects as the link would, to every address that the clusters advertise, and asks what it may do there. Changes
/// nothing. Ends with code 3 when something is missing or cannot be known.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  \
    tributary preflight -f west.properties --worker worker.properties\n  \
    tributary preflight -f west.properties -o json\n  tributary preflight west-to-central --url http://worker-1:8083")]
pub(crate) struct PreflightArgs {
    /// A link that a worker has: it connects from there
    #[arg(
        value_name = "LINK",
        required_unless_present = "link",
        conflicts_with_all = ["link", "worker"]
    )]
    deployed: Option<String>,

    /// The link's file
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    link: Option<PathBuf>,

    /// The worker's properties file; needed where the link does not name its destination
    #[arg(long, value_name = "FILE")]
    worker: Option<PathBuf>,

    /// How it is printed
    #[arg(short = 'o', long, value_enum, default_value_t = OutputFormat::Table)]
    output: OutputFormat,

    /// Addresses of workers, where LINK is given [default: as of all commands that ask workers]
    #[arg(long, value_name = "URL[,URL]", requires = "deployed")]
    url: Option<String>,

    /// What `config set-context` has kept
    #[arg(long, value_name = "NAME", requires = "deployed")]
    context: Option<String>,
}

/// Widest table, and the least of it that is left for its last column.
const WIDTH: usize = 100;
const LAST: usize = 12;
/// Widest cell of a table that does not stand last.
const CELL: usize = 36;

/// Runs the command.
pub(super) async fn run(args: PreflightArgs) -> Exit {
    let Some(file) = &args.link else {
        let json = args.output == OutputFormat::Json;
        let reach = Reach::of(args.url, args.context, json);
        return ask::preflight(&reach, args.deployed.as_deref().unwrap_or_default()).await;
    };
    let Some((link, worker)) = preview::resolve(file, args.worker.as_deref()) else {
        return Exit::Usage;
    };
    let found = Box::pin(preflight(&link, &worker)).await;
    match args.output {
        OutputFormat::Json => {
            let mut document = document(&found, &link.name);
            document["worker_id"] = "local".into();
            document["as_of"] = worker_group::detail::instant(SystemTime::now()).into();
            output::line(&document.to_string());
        }
        OutputFormat::Table => {
            for line in lines(&found) {
                output::line(&line);
            }
        }
    }
    if found.is_ready() {
        Exit::Done
    } else {
        Exit::NotReady
    }
}

/// Rights that are alike: operation, verdict and purpose, with what they are about.
fn matrix(report: &SideReport) -> Vec<[String; 5]> {
    let mut alike: BTreeMap<(bool, String, &str, &str), Vec<&Resource>> = BTreeMap::new();
    for right in &report.rights {
        let ok = right.verdict == Verdict::Granted;
        let operation = right.need.operation.to_string();
        let key = (ok, operation, verdict(&right.verdict), right.need.purpose);
        alike.entry(key).or_default().push(&right.need.resource);
    }
    alike
        .into_iter()
        .map(|((_, operation, verdict, purpose), resources)| {
            let first = resources
                .first()
                .map_or_else(String::new, ToString::to_string);
            let resource = match resources.len() {
                0 | 1 => first,
                count => format!("{first} and {} more", count - 1),
            };
            [
                report.side.to_string(),
                resource,
                operation,
                verdict.to_owned(),
                purpose.to_owned(),
            ]
        })
        .collect()
}

fn lines(found: &Preflight) -> Vec<String> {
    let rows = rows(found);
    let mut steps = vec![["SIDE", "BROKER", "STEP", "RESULT", "DETAIL"].map(str::to_owned)];
    steps.extend(rows.iter().map(|row| {
        let (side, step) = (row.side.to_string(), row.step.to_owned());
        let (broker, result) = (row.broker.clone(), row.result.clone());
        [side, broker, step, result, row.detail.clone()]
    }));
    let mut lines = aligned(&steps);
    let mut rights = vec![["SIDE", "RESOURCE", "OPERATION", "RESULT", "FOR"].map(str::to_owned)];
    rights.extend(found.sides.iter().flat_map(matrix));
    if rights.len() > 1 {
        lines.push(String::new());
        lines.extend(aligned(&rights));
    }
    let certificates = rows.iter().filter(|row| row.step == "TLS" && row.is_ok());
    let certificates =
        certificates.map(|row| format!("  {} {}: {}", row.side, row.broker, row.detail));
    section(&mut lines, "CERTIFICATES", certificates);
    section(&mut lines, "ATTENTION", attention(found, &rows).into_iter());
    let commands = found.sides.iter().flat_map(|report| &report.commands);
    let commands = commands.map(|command| format!("  {command}"));
    section(&mut lines, "TO GRANT WHAT IS MISSING", commands);
    let ready = if found.is_ready() { "yes" } else { "NO" };
    lines.push(format!("ready: {ready}"));
    lines
}

/// What failed, what nobody says, and what else is to be known, in full.
fn attention(found: &Preflight, rows: &[Row]) -> Vec<String> {
    let failed = rows
        .iter()
        .filter(|row| !row.is_ok() && !row.detail.is_empty());
    let mut lines: Vec<String> = failed
        .map(|row| format!("  {} {} {}: {}", row.side, row.broker, row.step, row.detail))
        .collect();
    for report in &found.sides {
        let unknown = report
            .rights
            .iter()
            .filter_map(|right| match right.verdict {
                Verdict::Unknown(reason) => Some(format!(
                    "  {} {} on {}: {reason}",
                    report.side, right.need.operation, right.need.resource
                )),
                Verdict::Granted | Verdict::Missing => None,
            });
        lines.extend(unknown);
        let notes = report.notes.iter();
        lines.extend(notes.map(|note| format!("  {}: {note}", report.side)));
    }
    lines
}

fn section(lines: &mut Vec<String>, title: &str, content: impl Iterator<Item = String>) {
    let mut content = content.peekable();
    if content.peek().is_some() {
        lines.push(title.to_owned());
        lines.extend(content);
    }
}

/// Columns of one width each; the last gets what is left, and what is cut there stands below in full where it matters.
fn aligned(rows: &[[String; 5]]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count().min(CELL));
        cells.max().unwrap_or(0)
    };
    let widths: [usize; 4] = std::array::from_fn(width);
    let others: usize = widths.iter().map(|width| width + 2).sum();
    let left = WIDTH.saturating_sub(others).max(LAST);
    let line = |row: &[String; 5]| {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(widths) {
            text += &format!("{:<width$}  ", cut(cell, CELL));
        }
        text += &cut(&row[4], left);
        text.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_fits_its_width_whatever_its_cells_are() {
        let long = "l".repeat(200);
        let row = |cell: &str| [cell, &long, cell, cell, &long].map(str::to_owned);
        for line in aligned(&[row("SIDE"), row("source")]) {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}
