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

    /// Another limit (repeatable): lag_seconds, lag_records, stall_seconds, headroom_seconds, objective, errors_per_second, evidence_seconds, sync_seconds; or workers, the number that there should be
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

/// A figure of the rules that has a name.
struct Limit {
    name: &'static str,
    /// What stands in front of it, with the metric that it limits: other rules may have the same number.
    places: &'static [&'static str],
    /// How it is shipped.
    shipped: &'static str,
}

static LIMITS: [Limit; 8] = [
    Limit {
        name: "lag_seconds",
        places: &[
            "(tributary_lag_seconds) > ",
            "(tributary_lag_seconds) > bool ",
        ],
        shipped: "60",
    },
    Limit {
        name: "lag_records",
        places: &["(tributary_lag_records) > "],
        shipped: "10000",
    },
    Limit {
        name: "stall_seconds",
        places: &["(tributary_no_progress_seconds) > "],
        shipped: "300",
    },
    Limit {
        name: "headroom_seconds",
        places: &[
            "(tributary_source_retention_headroom_seconds) < ",
            "(tributary_lag_seconds) < ",
        ],
        shipped: "14400",
    },
    Limit {
        name: "objective",
        places: &["> 14.4 * (1 - "],
        shipped: "0.999",
    },
    Limit {
        name: "errors_per_second",
        places: &["(rate(tributary_record_errors_total[5m])) > "],
        shipped: "1",
    },
    Limit {
        name: "evidence_seconds",
        places: &["kind=~\"source-ends|destination-ends\"}) > "],
        shipped: "120",
    },
    Limit {
        name: "sync_seconds",
        places: &["(tributary_sync_last_success_timestamp_seconds) > "],
        shipped: "3600",
    },
];
/// How many workers there should be: nobody knows but the reader, so that its rule is a comment as it is shipped.
const WORKERS: (&str, &str) = ("workers", "count(tributary_worker_info) < ");

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
    let mut wanted: Vec<(&str, &str)> = Vec::new();
    for setting in &args.set {
        let (name, number) = given(setting)?;
        if wanted.iter().any(|(known, _)| *known == name) {
            return Err(format!("--set {name}: it is set twice"));
        }
        wanted.push((name, number));
    }
    let text = with(RULES, &wanted);
    Ok(match args.format {
        RulesFormat::Prometheus => text,
        RulesFormat::Prometheusrule => resource(&text),
    })
}

/// The limit and the number that a setting names, or what is wrong with it.
fn given(setting: &str) -> Result<(&str, &str), String> {
    let (name, number) = setting.split_once('=').unwrap_or((setting, ""));
    let names = LIMITS.iter().map(|limit| limit.name);
    if !names.clone().any(|known| known == name) && name != WORKERS.0 {
        let known: Vec<&str> = names.collect();
        return Err(format!(
            "--set {name}: there is no such limit; there are {} and {}",
            known.join(", "),
            WORKERS.0
        ));
    }
    let is_decimal = number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let value = number.parse::<f64>().ok().filter(|_| is_decimal);
    let wrong = |what: &str| Err(format!("--set {setting}: {what}"));
    match (name, value) {
        (_, None) => wrong("write LIMIT=NUMBER"),
        // What burns an allowance is 14.4 times what it allows, and no more than all can be late.
        ("objective", Some(value)) if 14.4 * (1.0 - value) >= 1.0 || value >= 1.0 => {
            wrong("an objective lies between 0.931 and 1, or its alert never fires")
        }
        (name, Some(value)) if name == WORKERS.0 && (value < 1.0 || value.fract() != 0.0) => {
            wrong("workers are counted: 1, 2, …")
        }
        (name, Some(_)) => Ok((name, number)),
    }
}

/// The rules with other limits. What was replaced once is not looked at again.
fn with(rules: &str, wanted: &[(&str, &str)]) -> String {
    let workers = wanted.iter().find(|(name, _)| *name == WORKERS.0);
    let lines = rules.lines().map(|line| {
        let line = match workers {
            Some((_, number)) => counting(line, number),
            None => line.to_owned(),
        };
        match line.trim_start().starts_with('#') {
            true => line + "\n",
            false => limited(&line, wanted) + "\n",
        }
    });
    lines.collect()
}

/// A line with the limits that stand in it.
fn limited(line: &str, wanted: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(one) = rest.chars().next() {
        let limit = LIMITS.iter().find_map(|limit| {
            let is_here = |place: &&&str| out.ends_with(**place) && stands(rest, limit.shipped);
            limit.places.iter().find(is_here).map(|_| limit)
        });
        let number = limit.and_then(|limit| {
            let (_, number) = wanted.iter().find(|(name, _)| *name == limit.name)?;
            Some((number, limit.shipped.len()))
        });
        let taken = match number {
            Some((number, long)) => {
                out.push_str(number);
                long
            }
            None => {
                out.push(one);
                one.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out
}

/// Whether a text begins with this number, and not with a longer one.
fn stands(text: &str, number: &str) -> bool {
    let goes_on = |next: char| next.is_ascii_digit() || next == '.';
    text.strip_prefix(number)
        .is_some_and(|rest| !rest.starts_with(goes_on))
}

/// A line of the rule that counts workers, which is a comment until somebody says how many there should be; any other as it is.
fn counting(line: &str, number: &str) -> String {
    let rest = line.trim_start();
    let is_rule = rest.starts_with("# - alert:") || rest.starts_with("#   ");
    let line = match is_rule {
        true => line.replacen("# ", "", 1),
        false => line.to_owned(),
    };
    match line.split_once(WORKERS.1) {
        Some((before, _)) => format!("{before}{}{number}", WORKERS.1),
        None => line,
    }
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

    /// Lines that differ, without what is the same in both.
    fn changed(wanted: &[(&str, &str)]) -> Vec<(String, String)> {
        let text = with(RULES, wanted);
        let both = RULES.lines().zip(text.lines());
        let differ = both.filter(|(old, new)| old != new);
        differ
            .map(|(old, new)| (old.trim().to_owned(), new.trim().to_owned()))
            .collect()
    }

    #[test]
    fn a_limit_is_changed_wherever_it_stands_and_nowhere_else() {
        for limit in &LIMITS {
            let same = with(RULES, &[(limit.name, limit.shipped)]);
            assert_eq!(same, RULES, "{}", limit.name);
            for (old, new) in changed(&[(limit.name, "77")]) {
                assert_eq!(old.replace(limit.shipped, "77"), new, "{}", limit.name);
            }
            for place in limit.places {
                let found = RULES.matches(&format!("{place}{}", limit.shipped)).count();
                assert!(found > 0, "no rule has {place}{}", limit.shipped);
            }
        }
        for (name, lines) in [
            ("lag_seconds", 3),
            ("lag_records", 1),
            ("stall_seconds", 1),
            ("headroom_seconds", 2),
            ("objective", 1),
            ("errors_per_second", 1),
            ("evidence_seconds", 1),
            ("sync_seconds", 1),
        ] {
            assert_eq!(changed(&[(name, "77")]).len(), lines, "{name}");
        }
        assert_eq!(
            changed(&[("objective", "0.99")])[0]
                .1
                .matches("0.99)")
                .count(),
            2
        );
    }

    #[test]
    fn a_limit_that_is_set_to_what_another_one_is_shipped_with_stays_what_it_was_set_to() {
        let told = changed(&[
            ("lag_seconds", "300"),
            ("stall_seconds", "5"),
            ("evidence_seconds", "3600"),
            ("sync_seconds", "7"),
        ]);
        let told: Vec<&str> = told.iter().map(|(_, new)| new.as_str()).collect();
        assert!(told.contains(&"expr: max by (link) (tributary_lag_seconds) > 300"));
        assert!(told.contains(&"expr: max by (link, topic) (tributary_no_progress_seconds) > 5"));
        let of = |end: &str| told.iter().filter(|line| line.ends_with(end)).count();
        assert_eq!((of("> 3600"), of("> 7")), (1, 1), "{told:#?}");
        let counted = with(RULES, &[("workers", "4")]);
        assert!(counted.contains("\n      - alert: TributaryWorkerDown\n        for: 3m\n"));
        assert!(
            counted.contains("        expr: count(tributary_worker_info) < 4\n        labels: ")
        );
    }

    fn args(format: RulesFormat, set: &[&str]) -> RulesArgs {
        RulesArgs {
            format,
            set: set.iter().map(|one| (*one).to_owned()).collect(),
        }
    }

    #[test]
    fn what_is_no_limit_or_no_number_is_refused() {
        for wrong in [
            "lag_seconds",
            "lag_seconds=x",
            "lag_seconds=-1",
            "lag_seconds=inf",
            "lag_seconds=1e3",
            "lag=3",
            "objective=1",
            "objective=0.9",
            "objective=99.9",
            "workers=0",
            "workers=2.5",
        ] {
            exported(&args(RulesFormat::Prometheus, &[wrong])).expect_err(wrong);
        }
        let twice = &["lag_seconds=1", "lag_seconds=2"];
        exported(&args(RulesFormat::Prometheus, twice)).expect_err("twice");
        exported(&args(RulesFormat::Prometheus, &["objective=0.94"])).expect("one");
    }

    #[test]
    fn a_resource_has_the_same_rules_and_nothing_that_its_operator_does_not_know() {
        let resource = exported(&args(RulesFormat::Prometheusrule, &["workers=3"]));
        let resource = resource.expect("right");
        let head = "spec:\n  groups:\n    - name: tributary-recording\n";
        assert!(resource.contains(head), "{resource}");
        let rules = with(RULES, &[("workers", "3")]);
        for kind in ["- alert: ", "- record: "] {
            assert_eq!(resource.matches(kind).count(), rules.matches(kind).count());
        }
        // Members of rules, and nothing else, stand at their depth: the operator refuses what it does not know.
        let known = ["for", "expr", "labels", "annotations"];
        for line in resource.lines().skip_while(|line| *line != "spec:") {
            let Some(member) = line.strip_prefix("          ") else {
                continue;
            };
            if member.starts_with([' ', '#']) {
                continue;
            }
            let (name, _) = member.split_once(':').expect("a member");
            assert!(known.contains(&name), "{line}");
        }
        // Every alert has what a person reads, and whom it wakes.
        let alerts = rules.split("- alert: ").skip(1);
        for alert in alerts {
            let name = alert.lines().next().expect("a name");
            for has in ["labels: {severity: ", "annotations:\n", "summary: "] {
                assert!(alert.contains(has), "{name} has no {has}");
            }
        }
        serde_json::from_str::<serde_json::Value>(BOARD).expect("JSON");
    }
}
