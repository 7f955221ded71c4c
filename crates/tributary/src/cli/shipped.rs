//! `tributary rules export` and `dashboards export`: what is shipped for Prometheus and Grafana, printed by the program whose metrics it reads.
//!
//! Limits that others want otherwise have names; everything else is changed in the file that was exported.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Exit;
use crate::output;

const RULES: &str = include_str!("../../../../ops/prometheus/tributary.rules.yml");
const BOARD: &str = include_str!("../../../../ops/grafana/replication.json");

#[derive(Debug, Subcommand)]
pub(super) enum RulesVerb {
    /// Print the rules
    Export(RulesArgs),
}

/// Print the alert and recording rules for Prometheus.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLES\n  tributary rules export --set workers=3 --set lag_seconds=30 >tributary.rules.yml\n  \
    tributary rules export --format prometheusrule | kubectl apply -f -"
)]
pub(super) struct RulesArgs {
    /// A file for Prometheus, or a resource of its operator
    #[arg(long, value_enum, default_value_t = RulesFormat::Prometheus)]
    format: RulesFormat,

    /// Another limit (repeatable): lag_seconds, lag_records, stalled_seconds, evidence_seconds, sync_seconds; or workers, the number that there should be
    #[arg(long, value_name = "LIMIT=NUMBER")]
    set: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum RulesFormat {
    Prometheus,
    Prometheusrule,
}

#[derive(Debug, Subcommand)]
pub(super) enum DashboardsVerb {
    /// Print the board, or write it to a folder
    Export(BoardArgs),
}

/// Print the board for Grafana, or write it to a folder.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary dashboards export --dir /var/lib/grafana/dashboards")]
pub(super) struct BoardArgs {
    /// Which
    #[arg(long, value_enum, default_value_t = Board::Replication)]
    board: Board,

    /// The folder; it has to be there
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Board {
    Replication,
}

impl Board {
    fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::Replication => ("replication.json", BOARD),
        }
    }
}

/// Limits by name: what stands in front of them in the rules, and how they are shipped.
const LIMITS: [(&str, &[&str], &str); 5] = [
    (
        "lag_seconds",
        &[
            "tributary_lag_seconds) > ",
            "tributary_lag_seconds) > bool ",
        ],
        "60",
    ),
    ("lag_records", &["(tributary_lag_records) > "], "10000"),
    ("stalled_seconds", &["> "], "300"),
    ("evidence_seconds", &["> "], "120"),
    ("sync_seconds", &["> "], "3600"),
];
const WORKERS: &str = "count(tributary_worker_info) < ";

/// Runs `rules`.
pub(super) fn rules(verb: &RulesVerb) -> Exit {
    let RulesVerb::Export(args) = verb;
    match exported(args) {
        Ok(text) => {
            output::text(&text);
            Exit::Done
        }
        Err(problem) => {
            output::error(&problem);
            Exit::Usage
        }
    }
}

fn exported(args: &RulesArgs) -> Result<String, String> {
    let mut text = RULES.to_owned();
    for setting in &args.set {
        let (name, number) = setting.split_once('=').unwrap_or((setting, ""));
        let is_number = number.parse::<f64>().is_ok_and(|number| number >= 0.0);
        if !is_number {
            return Err(format!("--set {setting}: write LIMIT=NUMBER"));
        }
        text = with(&text, name, number).ok_or_else(|| {
            let known: Vec<&str> = LIMITS.iter().map(|(name, _, _)| *name).collect();
            format!(
                "--set {name}: there is no such limit; there are {} and workers",
                known.join(", ")
            )
        })?;
    }
    Ok(match args.format {
        RulesFormat::Prometheus => text,
        RulesFormat::Prometheusrule => resource(&text),
    })
}

/// The rules with another limit; nothing where there is none of that name.
fn with(rules: &str, name: &str, number: &str) -> Option<String> {
    if name == "workers" {
        return Some(counting(rules, number));
    }
    let (_, places, shipped) = LIMITS.iter().find(|(known, _, _)| *known == name)?;
    let lines = rules.lines().map(|line| {
        let mut line = line.to_owned();
        for place in *places {
            line = replaced(
                &line,
                &format!("{place}{shipped}"),
                &format!("{place}{number}"),
            );
        }
        line + "\n"
    });
    Some(lines.collect())
}

/// One number in place of another, where that is the whole number and the line is no comment.
fn replaced(line: &str, shipped: &str, wanted: &str) -> String {
    if line.trim_start().starts_with('#') {
        return line.to_owned();
    }
    let goes_on = |rest: &str| rest.starts_with(|next: char| next.is_ascii_digit() || next == '.');
    match line.split_once(shipped) {
        Some((before, rest)) if !goes_on(rest) => {
            let rest = replaced(rest, shipped, wanted);
            format!("{before}{wanted}{rest}")
        }
        _ => line.to_owned(),
    }
}

/// With the rule that counts workers, which is a comment until somebody says how many there should be.
fn counting(rules: &str, number: &str) -> String {
    let lines = rules.lines().map(|line| {
        let rest = line.trim_start();
        let is_rule = rest.starts_with("# - alert:") || rest.starts_with("#   ");
        let line = match is_rule {
            true => line.replacen("# ", "", 1),
            false => line.to_owned(),
        };
        match line.split_once(WORKERS) {
            Some((before, _)) => format!("{before}{WORKERS}{number}\n"),
            None => line + "\n",
        }
    });
    lines.collect()
}

/// As Prometheus' operator takes rules.
fn resource(rules: &str) -> String {
    let lines = rules.lines().filter(|line| !line.starts_with('#'));
    let lines = lines.map(|line| match line {
        "" => "\n".to_owned(),
        line => format!("  {line}\n"),
    });
    let head = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: tributary\nspec:\n";
    format!("{head}{}", lines.collect::<String>())
}

/// Runs `dashboards`.
pub(super) fn dashboards(verb: &DashboardsVerb) -> Exit {
    let DashboardsVerb::Export(args) = verb;
    let (name, text) = args.board.file();
    let Some(folder) = &args.dir else {
        output::text(text);
        return Exit::Done;
    };
    let path = folder.join(name);
    match std::fs::write(&path, text) {
        Ok(()) => {
            output::line(&path.display().to_string());
            Exit::Done
        }
        Err(error) => {
            output::error(&format!("{} cannot be written: {error}", path.display()));
            Exit::Error
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_changed_where_they_stand_and_nowhere_else() {
        for (name, _, shipped) in LIMITS {
            assert_eq!(with(RULES, name, shipped).as_deref(), Some(RULES), "{name}");
            let changed = with(RULES, name, "77").expect("known");
            let differ = RULES.lines().zip(changed.lines());
            let differ: Vec<(&str, &str)> = differ.filter(|(old, new)| old != new).collect();
            let expected = if name == "lag_seconds" { 3 } else { 1 };
            assert!(differ.len() >= expected, "{name}: {differ:?}");
            for (old, new) in differ {
                assert_eq!(old.replace(shipped, "77"), new, "{name}");
            }
        }
        let growing = with(RULES, "lag_seconds", "5").expect("known");
        assert!(
            growing.contains("(tributary_lag_records) > 10000"),
            "another limit"
        );
        assert_eq!(with(RULES, "nothing", "1"), None);
        let counted = with(RULES, "workers", "4").expect("known");
        assert!(counted.contains("\n      - alert: TributaryWorkerDown\n        for: 3m\n"));
        assert!(counted.contains("        expr: count(tributary_worker_info) < 4\n"));
    }

    #[test]
    fn a_limit_that_is_none_is_refused_and_a_resource_has_the_same_rules() {
        let args = |format, set: &str| RulesArgs {
            format,
            set: vec![set.to_owned()],
        };
        for wrong in ["lag_seconds", "lag_seconds=x", "lag_seconds=-1", "lag=3"] {
            exported(&args(RulesFormat::Prometheus, wrong)).expect_err(wrong);
        }
        let resource = exported(&args(RulesFormat::Prometheusrule, "lag_seconds=5"));
        let resource = resource.expect("right");
        assert!(
            resource.contains("spec:\n  groups:\n    - name: tributary-recording\n"),
            "{resource}"
        );
        let alerts = |text: &str| text.matches("- alert: ").count();
        assert_eq!(alerts(&resource), alerts(RULES));
        serde_json::from_str::<serde_json::Value>(BOARD).expect("JSON");
    }
}
