//! `tributary preview`: what a link would do, topic by topic; `replicate --dry-run` shows the same.

use std::path::Path;

use config::link::LinkConfig;
use config::raw::RawConfig;
use config::worker::WorkerConfig;
use kafka_client::Cluster;
use replication::data_plane::{Candidate, foresee};
use replication::link;
use replication::metadata_sync::preview::{Preview, Row, preview};
use replication::metadata_sync::{Condition, Problem, Step};
use replication::preview_rights::preview_rights;
use serde_json::{Value, json};

use super::{Exit, OutputFormat, PreviewArgs, Show};
use crate::progress::{cut, size};
use crate::{output, settings, variables};
use columns::{aligned, fit};

mod columns;
mod rights;

/// Widest cells of the first three columns.
const CELLS: [usize; 3] = [24, 18, 24];

/// What of a preview is shown, and how.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) show: Show,
    pub(super) why: Option<String>,
    pub(super) output: OutputFormat,
    /// Bytes per second.
    pub(super) rate: u64,
}

impl Default for View {
    fn default() -> Self {
        Self {
            show: Show::Matched,
            why: None,
            output: OutputFormat::Table,
            rate: 50 * 1024 * 1024,
        }
    }
}

/// Runs the command.
pub(super) async fn run(args: PreviewArgs) -> Exit {
    let Some((link, worker)) = resolve(&args.link, args.worker.as_deref()) else {
        return Exit::Usage;
    };
    let view = View {
        show: args.show,
        why: args.why,
        output: args.output,
        rate: args.rate,
    };
    show(&link, &worker, view).await
}

/// The settings of a link and its worker, or nothing after every problem has been printed.
pub(super) fn resolve(link: &Path, worker: Option<&Path>) -> Option<(LinkConfig, WorkerConfig)> {
    let read = |path| {
        settings::read(path)
            .map_err(|problem| output::error(&problem))
            .ok()
    };
    let (mut of_worker, what) = match worker {
        Some(path) => (read(path)?, path.display().to_string()),
        None => {
            let mut raw = RawConfig::new();
            // Nothing is stored; without it a worker is not complete.
            raw.set_flag("default", "offset.storage.file.filename", "positions");
            (raw, "default".to_owned())
        }
    };
    let variables = variables::give_own(&mut of_worker, &what)?;
    let worker = settings::worker(&of_worker, &what)?;
    let mut raw = read(link)?;
    raw.set_variables(variables);
    let link = settings::link(&raw, &worker, &link.display().to_string())?;
    Some((link, worker))
}

/// Makes the preview and prints it.
pub(super) async fn show(link: &LinkConfig, worker: &WorkerConfig, view: View) -> Exit {
    let source = Cluster::new(link.source.clone(), "source");
    let destination = Cluster::new(link.destination.clone(), "destination");
    let rules = link::rules(link, worker);
    let preview = match preview(&source, &destination, &rules).await {
        Ok(mut preview) => {
            look_at_offsets(link, &source, &destination, &mut preview).await;
            let unmet = link.start.unmet(|topic| {
                let mut rows = preview.rows.iter().filter(|row| row.selected);
                rows.find(|row| row.source.as_str() == topic)?.partitions
            });
            preview.notices.extend(unmet);
            preview
        }
        Err(error) => {
            output::error(&error);
            return Exit::Error;
        }
    };
    if let Some(topic) = &view.why {
        return why(&preview, topic, link, view.output);
    }
    let rights = preview_rights(link, worker, (&source, &destination), &preview).await;
    match view.output {
        OutputFormat::Json => {
            let mut document = document(&preview, link, &view);
            document["access_rights"] = rights.as_ref().map_or(Value::Null, rights::object);
            output::line(&document.to_string());
        }
        OutputFormat::Table => {
            let rights = rights.as_ref().map(rights::lines);
            let lines = table(&preview, &view).into_iter();
            for line in lines.chain(rights.into_iter().flatten()) {
                output::line(&line);
            }
        }
    }
    if preview.rows.iter().any(Row::is_error) || rights.as_ref().is_some_and(rights::is_error) {
        Exit::NotReady
    } else {
        Exit::Done
    }
}

/// Says of each topic that would be copied which offsets its records would get.
async fn look_at_offsets(
    link: &LinkConfig,
    source: &Cluster,
    destination: &Cluster,
    preview: &mut Preview,
) {
    let copied = |row: &&Row| row.selected && !row.is_error() && !is_cycle(row);
    let candidates: Vec<Candidate> = preview
        .rows
        .iter()
        .filter(copied)
        .filter_map(|row| {
            Some(Candidate {
                source: row.source.clone(),
                destination: row.destination.clone()?,
                partitions: row.partitions?,
            })
        })
        .collect();
    let mut outlooks = foresee(link, source, destination, &candidates).await;
    for row in &mut preview.rows {
        row.offsets = outlooks.remove(&row.source);
    }
}

fn is_shown(row: &Row, show: Show) -> bool {
    match show {
        Show::All => true,
        Show::Matched => row.selected,
        Show::Excluded => !row.selected,
        Show::Warnings => row.is_warning(),
        Show::Errors => row.is_error(),
    }
}

/// What would be done, in a word.
fn action(row: &Row) -> &'static str {
    if !row.selected || is_cycle(row) {
        return "-";
    }
    if row.is_error() {
        return "error";
    }
    let first = row.steps.first().map(|step| match step {
        Step::Create { .. } => "create",
        Step::Grow { .. } => "grow",
        Step::Configure { .. } => "change",
    });
    first.unwrap_or("none")
}

fn is_cycle(row: &Row) -> bool {
    let mut states = row.problems.iter().map(|problem| problem.state);
    row.leads_back || states.any(|state| state == Condition::Cycle)
}

fn decision(row: &Row) -> String {
    if is_cycle(row) {
        "skipped: loop".to_owned()
    } else {
        row.decision.clone()
    }
}

fn note(row: &Row) -> String {
    let problem = row.problems.iter().find(|problem| problem.is_blocking());
    if let Some(problem) = problem.or(row.problems.first()) {
        return problem.state.to_string();
    }
    let mut parts = Vec::new();
    if let Some(offsets) = &row.offsets {
        parts.push(format!("offsets {}", offsets.word()));
    }
    for step in &row.steps {
        match step {
            Step::Create {
                replication_factor,
                configs,
                ..
            } => {
                parts.push(format!("rf {replication_factor}"));
                parts.extend(
                    configs
                        .iter()
                        .map(|(name, value)| format!("{name}={value}")),
                );
            }
            Step::Grow { from, to, .. } => parts.push(format!("{from}→{to} partitions")),
            Step::Configure { changes, .. } => {
                parts.extend(changes.iter().map(ToString::to_string));
            }
        }
    }
    parts.join(", ")
}

fn table(preview: &Preview, view: &View) -> Vec<String> {
    let header = [
        "SOURCE TOPIC",
        "DECISION",
        "DESTINATION TOPIC",
        "PARTS",
        "ACTION",
        "NOTE",
    ];
    let shown = preview.rows.iter().filter(|row| is_shown(row, view.show));
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(shown.clone().map(|row| {
        let destination = row.destination.as_ref().filter(|_| !is_cycle(row));
        let parts = row
            .partitions
            .map_or("?".to_owned(), |count| count.to_string());
        [
            cut(row.source.as_str(), CELLS[0]),
            cut(
                decision(row).trim_start_matches("selected by the "),
                CELLS[1],
            ),
            cut(destination.map_or("-", |name| name.as_str()), CELLS[2]),
            parts,
            action(row).to_owned(),
            note(row),
        ]
    }));
    fit(&mut rows);
    let mut lines = aligned(&rows);
    let refused = shown.clone().filter_map(|row| {
        let offsets = row.offsets.as_ref().filter(|offsets| offsets.refused > 0)?;
        let reasons: Vec<&str> = offsets.reasons.iter().map(String::as_str).collect();
        let reasons = reasons.join("; ");
        Some(format!(
            "  {}: offsets-not-preserved: {reasons}",
            row.source
        ))
    });
    let attention: Vec<String> = shown
        .flat_map(|row| &row.problems)
        .map(|p| format!("  {}: {}: {}", p.topic, p.state, p.sentence()))
        .chain(refused)
        .chain(preview.notices.iter().map(|notice| format!("  {notice}")))
        .collect();
    lines.push(totals(preview, view).line());
    if !attention.is_empty() {
        lines.push("ATTENTION".to_owned());
        lines.extend(attention);
    }
    lines
}

/// Sums over all rows, shown or not.
struct Totals {
    topics: usize,
    partitions: i64,
    create: usize,
    change: usize,
    errors: usize,
    excluded: usize,
    bytes: Option<u64>,
    seconds: Option<u64>,
    rate: u64,
}

fn totals(preview: &Preview, view: &View) -> Totals {
    let count = |of: fn(&Row) -> bool| preview.rows.iter().filter(|row| of(row)).count();
    let copied = preview
        .rows
        .iter()
        .filter(|row| row.selected && !row.is_error() && !is_cycle(row));
    let bytes = match preview.bytes_unknown {
        Some(_) => None,
        None => Some(copied.clone().filter_map(|row| row.bytes).sum::<u64>()),
    };
    Totals {
        topics: copied.clone().count(),
        partitions: copied.filter_map(|row| row.partitions).map(i64::from).sum(),
        create: count(|row| action(row) == "create"),
        change: count(|row| matches!(action(row), "grow" | "change")),
        errors: count(Row::is_error),
        excluded: count(|row| !row.selected),
        bytes,
        seconds: bytes.map(|bytes| bytes.div_ceil(view.rate.max(1))),
        rate: view.rate,
    }
}

impl Totals {
    fn line(&self) -> String {
        let data = match (self.bytes, self.seconds) {
            (Some(bytes), Some(seconds)) => format!(
                "{} retained · ≈ {} at {}/s",
                size(bytes as f64),
                span(seconds),
                size(self.rate as f64)
            ),
            _ => "bytes retained unknown".to_owned(),
        };
        format!(
            "{} topics, {} partitions · {} create, {} change, {} error, {} excluded · {data}",
            self.topics, self.partitions, self.create, self.change, self.errors, self.excluded
        )
    }
}

/// A rough duration: its largest unit.
fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds.div_ceil(60)),
        7_200..=172_799 => format!("{} h", seconds.div_ceil(3_600)),
        _ => format!("{} d", seconds.div_ceil(86_400)),
    }
}

fn condition(problem: &Problem) -> Value {
    json!({
        "condition": problem.state.name(),
        "error": problem.is_blocking(),
        "reason": problem.reason,
        "remedy": problem.state.remedy(),
    })
}

fn object(row: &Row) -> Value {
    let steps: Vec<String> = row.steps.iter().map(ToString::to_string).collect();
    let mut configs = serde_json::Map::new();
    for step in &row.steps {
        match step {
            Step::Create { configs: set, .. } => {
                configs.extend(set.iter().map(|(name, value)| (name.clone(), json!(value))));
            }
            Step::Configure { changes, .. } => {
                configs.extend(changes.iter().map(|c| (c.name.clone(), json!(c.to))));
            }
            Step::Grow { .. } => {}
        }
    }
    json!({
        "source": row.source.as_str(),
        "selected": row.selected,
        "decision": decision(row),
        "rule": row.decision,
        "destination": row.destination.as_ref().map(|name| name.as_str()),
        "partitions": row.partitions,
        "replication_factor": row.replication_factor,
        "action": action(row),
        "configs": configs,
        "steps": steps,
        "conditions": row.problems.iter().map(condition).collect::<Vec<_>>(),
        "bytes": row.bytes,
        "offsets": row.offsets.as_ref().map(|offsets| json!({
            "outlook": offsets.word(),
            "padding": offsets.padding,
            "reasons": offsets.reasons,
        })),
    })
}

fn document(preview: &Preview, link: &LinkConfig, view: &View) -> Value {
    let totals = totals(preview, view);
    let shown = preview.rows.iter().filter(|row| is_shown(row, view.show));
    json!({
        "schema": "tributary/v1/Preview",
        "link": link.name,
        "topics": shown.map(object).collect::<Vec<_>>(),
        "notices": preview.notices,
        "totals": {
            "topics": totals.topics,
            "partitions": totals.partitions,
            "create": totals.create,
            "change": totals.change,
            "errors": totals.errors,
            "excluded": totals.excluded,
            "bytes": totals.bytes,
            "bytes_unknown": preview.bytes_unknown,
            "rate": totals.rate,
            "seconds": totals.seconds,
        },
    })
}

/// Everything about one topic.
fn why(preview: &Preview, topic: &str, link: &LinkConfig, format: OutputFormat) -> Exit {
    let Some(row) = preview.rows.iter().find(|row| row.source == topic.into()) else {
        let decision = link.topics.selection.decide(topic);
        output::line(&format!(
            "{topic}: it does not exist at the source, or may not be described there; by its name it would be {decision}"
        ));
        return Exit::NotReady;
    };
    if format == OutputFormat::Json {
        let mut value = object(row);
        value["schema"] = json!("tributary/v1/Preview");
        output::line(&value.to_string());
    } else {
        output::line(&format!("{topic}: {}", decision(row)));
        if let Some(destination) = &row.destination {
            output::line(&format!("  copied to {destination}: {}", action(row)));
        }
        for step in &row.steps {
            output::line(&format!("  {step}"));
        }
        if let Some(offsets) = &row.offsets {
            output::line(&format!("  offsets {}", offsets.word()));
            for reason in &offsets.reasons {
                output::line(&format!("    {reason}"));
            }
        }
        for problem in &row.problems {
            output::line(&format!("  {}: {}", problem.state, problem.sentence()));
        }
    }
    if row.is_error() {
        Exit::NotReady
    } else {
        Exit::Done
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use replication::metadata_sync::SettingChange;

    use super::columns::WIDTH;
    use super::*;

    fn row(name: &str, steps: Vec<Step>, problems: Vec<Problem>) -> Row {
        Row {
            source: name.into(),
            selected: true,
            decision: "selected by the pattern .*".to_owned(),
            leads_back: false,
            destination: Some(format!("to.{name}").as_str().into()),
            partitions: Some(12),
            replication_factor: Some(3),
            steps,
            problems,
            bytes: Some(1 << 30),
            offsets: None,
        }
    }

    fn preview() -> Preview {
        let create = Step::Create {
            source: "orders".into(),
            topic: "to.orders".into(),
            partitions: 12,
            replication_factor: 3,
            reducible: true,
            configs: vec![("cleanup.policy".to_owned(), "compact".to_owned())],
        };
        let change = SettingChange {
            name: "retention.ms".to_owned(),
            from: Some("1".to_owned()),
            to: None,
        };
        let configure = Step::Configure {
            source: "same".into(),
            topic: "to.same".into(),
            changes: vec![change],
        };
        let problem = |name: &str, state| vec![Problem::new(&name.into(), state, "because")];
        let long = "l".repeat(200);
        let mut left = row("left", Vec::new(), Vec::new());
        left.selected = false;
        Preview {
            rows: vec![
                row("orders", vec![create], Vec::new()),
                row("same", vec![configure], Vec::new()),
                row(
                    "west.orders",
                    Vec::new(),
                    problem("west.orders", Condition::Cycle),
                ),
                row(&long, Vec::new(), problem(&long, Condition::NameInvalid)),
                left,
            ],
            notices: BTreeSet::from(["a notice".to_owned()]),
            bytes_unknown: None,
        }
    }

    #[test]
    fn a_table_fits_its_width_and_shows_errors_below() {
        let lines = table(&preview(), &View::default());
        let end = lines
            .iter()
            .position(|line| line == "ATTENTION")
            .expect("attention");
        for line in &lines[..end - 1] {
            assert!(line.chars().count() <= columns::WIDTH, "{line}");
        }
        assert!(lines[1].contains("create  rf 3, cleanup"), "{}", lines[1]);
        assert!(lines[2].contains("change  remove retent"), "{}", lines[2]);
        assert!(lines[3].contains("skipped: loop"), "{}", lines[3]);
        assert!(lines[4].contains("error   name-invalid"), "{}", lines[4]);
        let totals = "2 topics, 24 partitions · 1 create, 1 change, 1 error, 1 excluded · 2.0GiB retained · ≈ 41 s at 50.0MiB/s";
        assert_eq!(lines[end - 1], totals);
        assert_eq!(lines.last().map(String::as_str), Some("  a notice"));
    }

    #[test]
    fn the_rows_that_are_shown_are_those_asked_for() {
        let preview = preview();
        let count = |show| {
            preview
                .rows
                .iter()
                .filter(|row| is_shown(row, show))
                .count()
        };
        let shows = [
            Show::All,
            Show::Matched,
            Show::Excluded,
            Show::Warnings,
            Show::Errors,
        ];
        assert_eq!(shows.map(count), [5, 4, 1, 1, 1]);
    }

    #[test]
    fn a_duration_is_told_by_its_largest_unit() {
        for (seconds, text) in [
            (41, "41 s"),
            (600, "10 min"),
            (25_000, "7 h"),
            (400_000, "5 d"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
