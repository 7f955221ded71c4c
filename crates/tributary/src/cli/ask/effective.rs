//! `tributary config effective`: every value that holds, with where it comes from: a file and a line, an older name of the key,
//! or its default. Of files nothing is contacted; of a link the worker that has it is asked.

use std::path::{Path, PathBuf};

use clap::Args;
use config::report::{Row, Status};
use serde_json::{Value, json};

use super::table::{self, Column, Kind, column, wide};
use super::{Exit, Format, Reach, items};
use crate::asking::encode;
use crate::cli::validate;
use crate::output;
use crate::settings::Unread;

/// Every value that holds, and where it comes from.
///
/// What is no file is a link, whose worker is asked. Exit code 0, or 3 if a value is invalid.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLES\n  tributary config effective worker.properties orders-dr.properties\n  \
    tributary config effective orders-dr"
)]
pub(in crate::cli) struct EffectiveArgs {
    /// Files of a worker, a link, MirrorMaker 2 or a client; or a link
    #[arg(required = true, value_name = "FILE|LINK")]
    names: Vec<String>,

    /// What the files are [default: what most of their keys are for]
    #[arg(long, value_enum)]
    kind: Option<validate::Kind>,

    #[command(flatten)]
    reach: Reach,
}

const COLUMNS: [Column; 5] = [
    column("OF", "of", Kind::Text(18)),
    column("KEY", "key", Kind::Text(34)),
    column("VALUE", "value", Kind::Text(20)),
    column("ORIGIN", "origin", Kind::Text(20)),
    wide("MEANING", "meaning", Kind::Text(100)),
];

/// Where a value comes from, in words, without the file: that has a column of its own.
fn origin(status: &str, place: Option<&str>) -> String {
    let place = place.map(|place| place.split_once(", ").map_or(place, |(_, within)| within));
    match (status, place) {
        ("default", _) => "default".to_owned(),
        ("mapped", Some(place)) => format!("{place}, mapped"),
        (_, Some(place)) => place.to_owned(),
        (status, None) => status.to_owned(),
    }
}

/// A row, where its value holds or has to change.
fn row(of: &str, one: &Row) -> Option<Value> {
    let status = one.status.to_string();
    if matches!(one.status, Status::Ignored | Status::Unknown) {
        return None;
    }
    let place = one.origin.as_ref().map(ToString::to_string);
    Some(json!({
        "of": of, "key": one.key, "value": one.value, "status": status,
        "origin": origin(&status, place.as_deref()), "place": place, "meaning": one.meaning,
    }))
}

/// The same of a link, as its worker tells it.
fn told(of: &str, one: &Value) -> Option<Value> {
    let status = one["status"].as_str()?;
    if matches!(status, "ignored" | "unknown") {
        return None;
    }
    // Its configuration came by the API, whatever file it was in before.
    let place = (status != "default").then_some("REST");
    Some(json!({
        "of": of, "key": one["key"], "value": one["value"], "status": status,
        "origin": origin(status, place), "place": place, "meaning": one["meaning"],
    }))
}

/// Runs `config effective`.
pub(in crate::cli) async fn effective(args: EffectiveArgs) -> Exit {
    let is_file = |name: &&String| PathBuf::from(name).exists();
    let files: Vec<PathBuf> = args
        .names
        .iter()
        .filter(is_file)
        .map(PathBuf::from)
        .collect();
    let mut rows = Vec::new();
    let checked = validate::check(&files, args.kind, true);
    for file in &checked {
        match &file.result {
            Ok(report) => {
                let name = Path::new(&file.name).file_name();
                let name = name.map_or(file.name.clone().into(), |name| name.to_string_lossy());
                rows.extend(report.rows.iter().filter_map(|one| row(&name, one)));
            }
            Err(Unread::File(problem) | Unread::Text(problem)) => output::error(problem),
        }
    }
    let mut exit = validate::verdict(&checked);
    let links: Vec<&String> = args.names.iter().filter(|name| !is_file(name)).collect();
    if !links.is_empty() {
        let Some(workers) = args.reach.workers() else {
            return Exit::Usage;
        };
        for link in links {
            let path = format!("/api/v1/links/{}/config", encode(link));
            match workers.get(&path).await {
                Ok(document) => {
                    let all = document["rows"].as_array().into_iter().flatten();
                    rows.extend(all.filter_map(|one| told(link, one)));
                }
                Err(failure) => {
                    let what = format!("{link} is no file, and as a link it is not known");
                    exit = args.reach.failed(&what, &failure);
                }
            }
        }
    }
    let total = rows.len();
    let document = json!({"schema": "tributary/v1/ConfigEffective", "items": rows, "total": total});
    args.reach.print(&document, |look| {
        let rows = items(&document);
        if look.format == Format::Name {
            let names = rows.iter().filter_map(|row| row["key"].as_str());
            return names.map(|name| format!("key/{name}")).collect();
        }
        table::lines(rows, &COLUMNS, look)
    });
    exit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_value_comes_from_is_said() {
        for (status, place, expected) in [
            ("default", None, "default"),
            ("set", Some("/etc/w.properties, line 3"), "line 3"),
            ("set", Some("REST"), "REST"),
            ("mapped", Some("w.properties, line 3"), "line 3, mapped"),
            ("invalid", None, "invalid"),
        ] {
            assert_eq!(origin(status, place), expected);
        }
    }

    #[test]
    fn what_has_no_effect_is_not_effective() {
        let row = |status: &str| json!({"key": "a", "value": "1", "status": status, "meaning": ""});
        assert_eq!(told("orders", &row("ignored")), None);
        let told = told("orders", &row("set")).expect("it holds");
        assert_eq!(
            (&told["origin"], &told["of"]),
            (&json!("REST"), &json!("orders"))
        );
    }
}
