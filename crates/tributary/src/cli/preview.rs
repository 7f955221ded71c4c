//! `tributary preview`: what a link would do, topic by topic; `replicate --dry-run` shows the same.

use std::path::Path;

use config::link::LinkConfig;
use config::raw::RawConfig;
use config::worker::WorkerConfig;
use replication::metadata_sync::Step;
use replication::metadata_sync::preview::{Preview, Row};
use serde_json::json;

use super::ask::{self, Reach};
use super::{Exit, OutputFormat, PreviewArgs, Show};
use crate::preview_document::{self, Memory, Totals, action, is_cycle, object, rights, totals};
use crate::progress::{cut, size};
use crate::{output, settings, variables};
use columns::{aligned, fit};

mod columns;

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
    let Some(file) = &args.link else {
        let json = args.output == OutputFormat::Json;
        let reach = Reach::of(args.url, args.context, json);
        let wanted = ask::Wanted {
            link: args.deployed.as_deref().unwrap_or_default(),
            show: args.show,
            why: args.why.as_deref(),
            rate: args.rate,
        };
        return ask::preview(&reach, wanted).await;
    };
    let Some((link, worker)) = resolve(file, args.worker.as_deref()) else {
        return Exit::Usage;
    };
    let view = View {
        show: args.show,
        why: args.why,
        output: args.output,
        rate: args.rate,
    };
    let memory = match args.worker {
        Some(_) => Memory::OfWorker,
        None => Memory::Unknown,
    };
    show(&link, &worker, memory, view).await
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
pub(super) async fn show(
    link: &LinkConfig,
    worker: &WorkerConfig,
    memory: Memory,
    view: View,
) -> Exit {
    let looked = preview_document::look(link, worker, memory);
    let previewed = match Box::pin(looked).await {
        Ok(previewed) => previewed,
        Err(error) => {
            output::error(&error);
            return Exit::Error;
        }
    };
    if let Some(topic) = &view.why {
        return why(&previewed.preview, topic, link, view.output);
    }
    match view.output {
        OutputFormat::Json => {
            let shown = |row: &Row| is_shown(row, view.show);
            let document = preview_document::document(&previewed, link, None, view.rate, shown);
            output::line(&document.to_string());
        }
        OutputFormat::Table => {
            let rights = previewed.rights.as_ref().map(rights::lines);
            let lines = table(&previewed.preview, &view).into_iter();
            for line in lines.chain(rights.into_iter().flatten()) {
                output::line(&line);
            }
        }
    }
    if previewed.is_error() {
        Exit::NotReady
    } else {
        Exit::Done
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
    lines.push(sums(&totals(preview, view.rate)));
    if !attention.is_empty() {
        lines.push("ATTENTION".to_owned());
        lines.extend(attention);
    }
    lines
}

/// The line of sums.
fn sums(totals: &Totals) -> String {
    let data = match (totals.bytes, totals.seconds) {
        (Some(bytes), Some(seconds)) => format!(
            "{} retained · ≈ {} at {}/s",
            size(bytes as f64),
            span(seconds),
            size(totals.rate as f64)
        ),
        _ => "bytes retained unknown".to_owned(),
    };
    format!(
        "{} topics, {} partitions · {} create, {} change, {} error, {} excluded · {data}",
        totals.topics,
        totals.partitions,
        totals.create,
        totals.change,
        totals.errors,
        totals.excluded
    )
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

    use replication::metadata_sync::{Condition, Problem, SettingChange};

    use clap::ValueEnum as _;

    use super::*;

    fn row(name: &str, steps: Vec<Step>, problems: Vec<Problem>) -> Row {
        Row {
            source: name.into(),
            selected: true,
            decision: "selected by the pattern .*".to_owned(),
            left_out: None,
            destination: Some(format!("to.{name}").as_str().into()),
            partitions: Some(12),
            copy_partitions: None,
            replication_factor: Some(3),
            anew: false,
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
        let counts: Vec<usize> = Show::value_variants().iter().copied().map(count).collect();
        assert_eq!(counts, [5, 4, 1, 1, 1]);
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
