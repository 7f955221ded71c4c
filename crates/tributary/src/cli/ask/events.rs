//! `tributary events`: what has happened and what was done, the newest last; with `-f` also what comes.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::list::ACTIVITY;
use super::{Exit, Format, Reach, all, items, table};
use crate::asking::Workers;
use crate::output;

/// How often is looked for what has come.
const LOOK: Duration = Duration::from_secs(2);

/// What has happened and what was done: states of links and partitions, changes, rebalances.
///
/// Workers keep the last thousand entries each. With -f it goes on until it is interrupted; then each entry is a document of its own
/// with -o json.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLES\n  tributary events orders-dr\n  tributary events -f --kind partition"
)]
pub(in crate::cli) struct EventsArgs {
    /// Only of these links [default: all, and what belongs to none]
    links: Vec<String>,

    /// Only of this kind: state, health, partition, …
    #[arg(long, value_name = "WORD")]
    kind: Option<String>,

    /// Go on with what comes
    #[arg(short, long)]
    follow: bool,

    #[command(flatten)]
    reach: Reach,
}

impl EventsArgs {
    fn wants(&self, row: &Value) -> bool {
        let of_kind = self.kind.as_deref().is_none_or(|kind| {
            let own = row["kind"].as_str().unwrap_or("");
            own.eq_ignore_ascii_case(kind)
        });
        let link = &row["object"]["link"];
        of_kind && (self.links.is_empty() || self.links.iter().any(|one| *link == **one))
    }
}

/// Runs `events`.
pub(in crate::cli) async fn events(mut args: EventsArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let mut seen = BTreeSet::new();
    let mut is_first = true;
    loop {
        if let Err(exit) = look(&args, &workers, &mut seen, is_first).await {
            return exit;
        }
        if !args.follow {
            return Exit::Done;
        }
        is_first = false;
        args.reach.no_headers = true;
        sleep(LOOK).await;
    }
}

/// Prints what was not seen yet.
async fn look(
    args: &EventsArgs,
    workers: &Workers,
    seen: &mut BTreeSet<String>,
    is_first: bool,
) -> Result<(), Exit> {
    let document = match all(workers, "/api/v1/activity").await {
        Ok(document) => document,
        // Who goes on looking sees a worker come back.
        Err(failure) if !is_first => {
            output::notice(&format!("no answer: {}", failure.message));
            return Ok(());
        }
        Err(failure) => return Err(args.reach.failed("nothing is known of events", &failure)),
    };
    let rows = fresh(&document, seen, |row| args.wants(row));
    if args.follow && matches!(args.reach.format(), Format::Json | Format::Yaml) {
        for row in &rows {
            args.reach.print(row, |_| Vec::new());
        }
    } else if is_first || !rows.is_empty() {
        let mut document = document;
        document["total"] = json!(rows.len());
        document["items"] = Value::Array(rows);
        args.reach.print(&document, |look| {
            let rows = items(&document);
            match look.format {
                Format::Name => rows.iter().map(name).collect(),
                _ => table::lines(rows, &ACTIVITY, look),
            }
        });
    }
    Ok(())
}

fn name(row: &Value) -> String {
    format!("activity/{}", row["id"].as_str().unwrap_or("-"))
}

/// What was not there at the last look, the newest last. What is gone meanwhile is forgotten.
fn fresh(
    document: &Value,
    seen: &mut BTreeSet<String>,
    wanted: impl Fn(&Value) -> bool,
) -> Vec<Value> {
    let id = |row: &Value| row["id"].as_str().unwrap_or("").to_owned();
    let rows = items(document);
    let mut new: Vec<Value> = rows
        .iter()
        .filter(|row| !seen.contains(&id(row)) && wanted(row))
        .cloned()
        .collect();
    *seen = rows.iter().map(id).collect();
    // Those of several workers, by their clocks.
    new.sort_by(|one, two| one["at"].as_str().cmp(&two["at"].as_str()));
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_is_told_once_and_in_its_order() {
        let mut seen = BTreeSet::new();
        let mut check = |rows: &[(&str, &str)], expected: &[&str]| {
            let rows = rows.iter().map(|(id, at)| json!({"id": id, "at": at}));
            let document = json!({"items": rows.collect::<Vec<_>>()});
            let found = fresh(&document, &mut seen, |row| row["id"] != "unwanted");
            let found: Vec<&str> = found.iter().filter_map(|row| row["id"].as_str()).collect();
            assert_eq!(found, expected);
        };
        check(&[("b", "2"), ("unwanted", "3"), ("a", "1")], &["a", "b"]);
        check(&[("c", "4"), ("b", "2"), ("unwanted", "3")], &["c"]);
        check(&[("c", "4")], &[]);
    }
}
