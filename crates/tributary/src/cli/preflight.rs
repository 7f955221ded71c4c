//! `tributary preflight`: whether a link could run, connection by connection and right by right; nothing is changed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use kafka_client::ClientError;
use kafka_client::connection::{Looked, Probe, ProbeStep};
use replication::metadata_sync::acl::Side;
use replication::preflight::{Preflight, Resource, Right, SideReport, Verdict, preflight};
use serde_json::{Value, json};

use super::{Exit, OutputFormat, preview};
use crate::output;
use crate::progress::cut;

/// Whether a link could run: connections and permissions, on both sides.
///
/// Connects as the link would, to every address that the clusters advertise, and asks what it may do there. Changes
/// nothing. Ends with code 3 when something is missing or cannot be known.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  \
    tributary preflight -f west.properties --worker worker.properties\n  \
    tributary preflight -f west.properties -o json")]
pub(crate) struct PreflightArgs {
    /// The link's file
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    link: PathBuf,

    /// The worker's properties file; needed where the link does not name its destination
    #[arg(long, value_name = "FILE")]
    worker: Option<PathBuf>,

    /// How it is printed
    #[arg(short = 'o', long, value_enum, default_value_t = OutputFormat::Table)]
    output: OutputFormat,
}

/// Widest table, and the least of it that is left for its last column.
const WIDTH: usize = 100;
const LAST: usize = 12;
/// Widest cell of a table that does not stand last.
const CELL: usize = 36;

/// Runs the command.
pub(super) async fn run(args: PreflightArgs) -> Exit {
    let Some((link, worker)) = preview::resolve(&args.link, args.worker.as_deref()) else {
        return Exit::Usage;
    };
    let found = Box::pin(preflight(&link, &worker)).await;
    match args.output {
        OutputFormat::Json => output::line(&document(&found, &link.name).to_string()),
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

/// A step of a connection, as it is shown.
struct Row {
    side: Side,
    broker: String,
    step: &'static str,
    result: String,
    detail: String,
}

impl Row {
    fn is_ok(&self) -> bool {
        self.result == "ok"
    }
}

fn step_name(step: ProbeStep) -> &'static str {
    match step {
        ProbeStep::Credentials => "CREDENTIALS",
        ProbeStep::Resolve => "DNS",
        ProbeStep::Connect => "TCP",
        ProbeStep::Tls => "TLS",
        ProbeStep::Versions => "API",
        ProbeStep::Login => "SASL",
    }
}

/// The kind of a failure. What a broker advertises and nobody here can reach is the listener's fault.
fn class(step: ProbeStep, error: &ClientError, advertised: bool) -> &'static str {
    match (step, error) {
        (ProbeStep::Resolve | ProbeStep::Connect, _) if advertised => "LISTENER",
        (ProbeStep::Resolve, _) => "DNS",
        (ProbeStep::Connect, _) => "NETWORK",
        (_, ClientError::Tls { .. }) | (ProbeStep::Tls, _) => "TLS",
        (_, ClientError::Authentication { .. } | ClientError::Credentials { .. }) => "AUTH",
        (ProbeStep::Credentials | ProbeStep::Login, _) => "AUTH",
        (ProbeStep::Versions, _) => "PROTOCOL",
    }
}

/// What can be done, where the error does not say it itself.
fn remedy(step: ProbeStep, advertised: bool) -> &'static str {
    match (step, advertised) {
        (ProbeStep::Resolve | ProbeStep::Connect, true) => {
            "; brokers name this address to clients (advertised.listeners), and it has to be reachable from here"
        }
        (ProbeStep::Resolve, false) => "; check the name, and this machine's resolver",
        (ProbeStep::Connect, false) => {
            "; check the address, that a broker listens there, and firewalls between"
        }
        _ => "",
    }
}

fn rows_of(side: Side, broker: &str, probe: &Probe, advertised: bool, rows: &mut Vec<Row>) {
    let mut failed = None;
    for Looked {
        step,
        took,
        outcome,
    } in &probe.steps
    {
        let (result, detail) = match outcome {
            Ok(shown) => ("ok".to_owned(), format!("{shown} ({took:.1?})")),
            Err(error) => {
                failed = Some(step_name(*step));
                let remedy = remedy(*step, advertised);
                (
                    class(*step, error, advertised).to_owned(),
                    format!("{error}{remedy}"),
                )
            }
        };
        rows.push(Row {
            side,
            broker: broker.to_owned(),
            step: step_name(*step),
            result,
            detail,
        });
    }
    let Some(failed) = failed else { return };
    for step in probe.whole.iter().skip(probe.steps.len()) {
        rows.push(Row {
            side,
            broker: broker.to_owned(),
            step: step_name(*step),
            result: format!("skipped ({failed})"),
            detail: String::new(),
        });
    }
}

fn rows(found: &Preflight) -> Vec<Row> {
    let mut rows = Vec::new();
    for report in &found.sides {
        for probe in &report.bootstrap {
            let broker = format!("{} (bootstrap)", probe.peer);
            rows_of(report.side, &broker, probe, false, &mut rows);
        }
        for (node, probe) in &report.advertised {
            let broker = format!("{} (broker {node})", probe.peer);
            rows_of(report.side, &broker, probe, true, &mut rows);
        }
        if let Some(trouble) = &report.unasked {
            rows.push(Row {
                side: report.side,
                broker: "-".to_owned(),
                step: "METADATA",
                result: "PROTOCOL".to_owned(),
                detail: trouble.clone(),
            });
        }
    }
    rows
}

fn verdict(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Granted => "ok",
        Verdict::Missing => "missing",
        Verdict::Unknown(_) => "unknown",
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

fn document(found: &Preflight, link: &str) -> Value {
    let steps: Vec<Value> = rows(found)
        .into_iter()
        .map(|row| {
            json!({
                "side": row.side.to_string(),
                "broker": row.broker,
                "step": row.step,
                "result": row.result,
                "detail": row.detail,
            })
        })
        .collect();
    let rights = found.sides.iter().flat_map(|report| &report.rights);
    let right = |right: &Right| {
        json!({
            "side": right.need.side.to_string(),
            "resource": right.need.resource.to_string(),
            "operation": right.need.operation.to_string(),
            "result": verdict(&right.verdict),
            "purpose": right.need.purpose,
        })
    };
    let all = |of: fn(&SideReport) -> &Vec<String>| -> Vec<&String> {
        found.sides.iter().flat_map(of).collect()
    };
    json!({
        "schema": "tributary/v1/Preflight",
        "link": link,
        "ready": found.is_ready(),
        "steps": steps,
        "rights": rights.map(right).collect::<Vec<_>>(),
        "commands": all(|report| &report.commands),
        "notes": all(|report| &report.notes),
    })
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
