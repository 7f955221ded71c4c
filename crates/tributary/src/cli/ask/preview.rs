//! `tributary preview LINK`: what a deployed link would do now, as its worker sees it.

use serde_json::{Value, json};

use super::table::{self, Kind, column};
use super::{Exit, Format, Reach, list::text};
use crate::cli::Show;
use crate::output;
use crate::progress::size;

/// What is asked for.
pub(in crate::cli) struct Wanted<'a> {
    pub(in crate::cli) link: &'a str,
    pub(in crate::cli) show: Show,
    /// Everything about this topic.
    pub(in crate::cli) why: Option<&'a str>,
    /// Bytes per second.
    pub(in crate::cli) rate: u64,
}

/// Runs it.
pub(in crate::cli) async fn preview(reach: &Reach, wanted: Wanted<'_>) -> Exit {
    let Some(workers) = reach.workers() else {
        return Exit::Usage;
    };
    let body = json!({"link": wanted.link, "rate_bytes_per_second": wanted.rate});
    let mut document = match workers.send("POST", "/api/v1/preview", Some(&body)).await {
        Ok(document) => document,
        Err(failure) => {
            let what = format!("link/{} cannot be looked at", wanted.link);
            return reach.failed(&what, &failure);
        }
    };
    let failing = document["totals"]["error"].as_u64() > Some(0);
    if let Some(topic) = wanted.why {
        let rows = document["rows"].as_array().into_iter().flatten();
        let mut rows = rows.filter(|row| row["topic"] == topic);
        let Some(row) = rows.next() else {
            output::error(&format!(
                "{topic} does not exist at the source, or may not be described there"
            ));
            return Exit::NotReady;
        };
        reach.print(row, |_| table::members(row));
        return if is_error(row) {
            Exit::NotReady
        } else {
            Exit::Done
        };
    }
    if let Some(rows) = document["rows"].as_array_mut() {
        rows.retain(|row| is_shown(row, wanted.show));
    }
    reach.print(&document, |look| screen(&document, look));
    if failing { Exit::NotReady } else { Exit::Done }
}

fn is_error(row: &Value) -> bool {
    row["action"] == "error"
}

fn warnings(row: &Value) -> impl Iterator<Item = &Value> {
    row["warnings"].as_array().into_iter().flatten()
}

fn is_shown(row: &Value, show: Show) -> bool {
    let left_out = ["excluded", "not-matched", "internal"];
    let excluded = left_out.contains(&text(&row["decision"]));
    match show {
        Show::All => true,
        Show::Matched => !excluded,
        Show::Excluded => excluded,
        Show::Warnings => !is_error(row) && warnings(row).next().is_some(),
        Show::Errors => is_error(row),
    }
}

fn screen(document: &Value, look: &table::Look) -> Vec<String> {
    let rows = document["rows"].as_array().cloned().unwrap_or_default();
    if look.format == Format::Name {
        let names = rows
            .iter()
            .map(|row| format!("topic/{}", text(&row["topic"])));
        return names.collect();
    }
    let noted = rows.iter().map(|row| {
        let mut row = row.clone();
        let first = warnings(&row).next().map(|one| one["id"].clone());
        row["note"] = first.unwrap_or_else(|| row["steps"].clone());
        row
    });
    let noted: Vec<Value> = noted.collect();
    let columns = [
        column("SOURCE TOPIC", "topic", Kind::Text(24)),
        column("DECISION", "decision", Kind::Text(18)),
        column("DESTINATION TOPIC", "destination_topic", Kind::Text(24)),
        column("PARTS", "partitions.source", Kind::Exact),
        column("ACTION", "action", Kind::Text(8)),
        column("NOTE", "note", Kind::Text(40)),
    ];
    let mut lines = table::lines(&noted, &columns, look);
    if look.format == Format::Csv {
        return lines;
    }
    lines.push(sums(document));
    let attention: Vec<String> = rows
        .iter()
        .flat_map(|row| {
            let (topic, all) = (text(&row["topic"]), warnings(row));
            all.map(move |one| format!("  {topic}: {}: {}", text(&one["id"]), text(&one["text"])))
        })
        .collect();
    if !attention.is_empty() {
        lines.push("ATTENTION".to_owned());
        lines.extend(attention);
    }
    lines
}

fn sums(document: &Value) -> String {
    let totals = &document["totals"];
    let count = |member: &str| totals[member].as_u64().unwrap_or(0);
    let retained = document["estimate"]["retained_bytes"].as_f64();
    let retained = retained.map_or_else(
        || "bytes retained unknown".to_owned(),
        |bytes| format!("{} retained", size(bytes)),
    );
    format!(
        "{} topics, {} partitions · {} create, {} change, {} error, {} excluded · {retained}",
        count("topics"),
        count("partitions"),
        count("create"),
        count("grow") + count("alter"),
        count("error"),
        count("excluded"),
    )
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn rows_are_shown_as_asked_for_and_errors_are_told_below() {
        let row = |topic: &str, decision: &str, action: &str, id: Option<&str>| {
            let warnings: Vec<Value> = id
                .map(|id| json!({"id": id, "text": "because"}))
                .into_iter()
                .collect();
            json!({"topic": topic, "decision": decision, "destination_topic": topic, "action": action,
                "partitions": {"source": 3}, "steps": ["create 3"], "warnings": warnings})
        };
        let rows = [
            row("a", "match", "create", None),
            row("b", "name-invalid", "error", Some("name-invalid")),
            row("c", "excluded", "none", None),
            row("d", "match", "exists", Some("settings-differ")),
        ];
        let count = |show| rows.iter().filter(|row| is_shown(row, show)).count();
        let counts: Vec<usize> = Show::value_variants().iter().copied().map(count).collect();
        assert_eq!(counts, [4, 3, 1, 1, 1]);
        let document = json!({"rows": rows, "totals": {"topics": 4, "error": 1}, "estimate": {}});
        let look = table::Look {
            format: Format::Table,
            headers: true,
            ascii: false,
        };
        let lines = screen(&document, &look);
        assert!(lines[1].ends_with("create 3"), "{lines:?}");
        assert!(
            lines[5].contains("4 topics") && lines[5].contains("1 error"),
            "{lines:?}"
        );
        assert_eq!(
            lines[6..],
            [
                "ATTENTION",
                "  b: name-invalid: because",
                "  d: settings-differ: because"
            ]
        );
    }
}
