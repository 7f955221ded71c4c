//! `tributary mirror list|describe`: copies under the headings of Confluent's command line, for scripts that were written for it.
//!
//! Flow: links, topics and partitions of the API → rows (pure) → columns with bars between them, as wide as Confluent's are.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::list::text;
use super::table::{quoted, visible};
use super::{Exit, Format, Reach, all, items};
use crate::asking::{Failure, Workers, encode};
use crate::output;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum MirrorVerb {
    /// A row for each copy
    List(ListArgs),
    /// A row for each partition of a copy
    Describe(DescribeArgs),
}

/// A row for each copy, with Confluent's words for its state.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary mirror list --link orders-dr --mirror-status failed")]
pub(in crate::cli) struct ListArgs {
    /// Only of this link
    #[arg(long, value_name = "LINK")]
    link: Option<String>,

    /// Only in this state: active, failed, LINK_FAILED, LINK_PAUSED, SOURCE_UNAVAILABLE or UNKNOWN
    #[arg(long, value_name = "WORD")]
    mirror_status: Option<String>,

    #[command(flatten)]
    reach: Reach,
}

/// A row for each partition of a copy.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary mirror describe orders --link orders-dr")]
pub(in crate::cli) struct DescribeArgs {
    /// The copy, by its name at the destination
    topic: String,

    /// Its link
    #[arg(long, value_name = "LINK")]
    link: String,

    #[command(flatten)]
    reach: Reach,
}

/// A heading, and the member of a row that stands under it.
type Column = (&'static str, &'static str);

const LIST: [Column; 7] = [
    ("Link Name", "link_name"),
    ("Mirror Topic Name", "mirror_topic_name"),
    ("Source Topic Name", "source_topic_name"),
    ("Mirror Status", "mirror_status"),
    ("Status Time (ms)", "status_time_ms"),
    ("Num Partition", "num_partition"),
    (
        "Max Per Partition Mirror Lag",
        "max_per_partition_mirror_lag",
    ),
];
const DESCRIPTION: [Column; 9] = [
    ("Link Name", "link_name"),
    ("Mirror Topic Name", "mirror_topic_name"),
    ("Source Topic Name", "source_topic_name"),
    ("Mirror Status", "mirror_status"),
    ("Mirror Topic Error", "mirror_topic_error"),
    ("Status Time (ms)", "status_time_ms"),
    ("Partition", "partition"),
    ("Partition Mirror Lag", "partition_mirror_lag"),
    ("Last Source Fetch Offset", "last_source_fetch_offset"),
];

/// A link with what was asked about it.
struct Seen {
    link: Value,
    checks: Value,
    topics: Value,
    partitions: Value,
}

/// Runs the command.
pub(in crate::cli) async fn mirror(verb: MirrorVerb) -> Exit {
    match verb {
        MirrorVerb::List(args) => {
            let native = args.link.as_deref().unwrap_or_default();
            let native = format!("here it is: tributary get topics {native}");
            let rows = async |workers: &Workers| list(&args, workers).await;
            show(&args.reach, native.trim_end(), &LIST, "MirrorList", rows).await
        }
        MirrorVerb::Describe(args) => {
            let native = format!(
                "here it is: tributary describe partitions {} {}",
                args.link, args.topic
            );
            let rows = async |workers: &Workers| {
                let seen = seen(workers, &args.link).await?;
                partitions(&seen, &args.topic).ok_or_else(|| {
                    Failure::of(
                        404,
                        format!("link {} makes no copy {}", args.link, args.topic),
                    )
                })
            };
            show(
                &args.reach,
                &native,
                &DESCRIPTION,
                "MirrorDescription",
                rows,
            )
            .await
        }
    }
}

async fn show(
    reach: &Reach,
    native: &str,
    columns: &[Column],
    schema: &str,
    rows: impl AsyncFnOnce(&Workers) -> Result<Vec<Value>, Failure>,
) -> Exit {
    let Some(workers) = reach.workers() else {
        return Exit::Usage;
    };
    output::notice(native);
    match rows(&workers).await {
        Ok(rows) => {
            let document = json!({
                "schema": format!("tributary/v1/{schema}"), "items": rows, "total": rows.len(),
            });
            reach.print(&document, |look| {
                lines(&rows, columns, look.format, look.headers)
            });
            Exit::Done
        }
        Err(failure) => reach.failed("copies cannot be listed", &failure),
    }
}

async fn list(args: &ListArgs, workers: &Workers) -> Result<Vec<Value>, Failure> {
    let names = match &args.link {
        Some(link) => vec![link.clone()],
        None => {
            let links = all(workers, "/api/v1/links").await?;
            let names = items(&links).iter().map(|link| text(&link["name"]));
            names.map(str::to_owned).collect()
        }
    };
    let mut rows = Vec::new();
    for name in &names {
        rows.extend(topics(&seen(workers, name).await?));
    }
    if let Some(word) = &args.mirror_status {
        rows.retain(|row| text(&row["mirror_status"]).eq_ignore_ascii_case(word));
    }
    Ok(rows)
}

async fn seen(workers: &Workers, name: &str) -> Result<Seen, Failure> {
    let path = format!("/api/v1/links/{}", encode(name));
    let link = workers.get(&path).await?;
    let health = workers.get(&format!("{path}/health")).await?;
    Ok(Seen {
        link,
        checks: health["checks"].clone(),
        topics: all(workers, &format!("{path}/topics")).await?,
        partitions: all(workers, &format!("{path}/partitions")).await?,
    })
}

impl Seen {
    /// Whether the source answers: `PASS`, `FAIL`, `UNKNOWN` or what else the worker says of it; unknown where it says nothing.
    fn reach(&self) -> &str {
        let mut checks = self.checks.as_array().into_iter().flatten();
        let found = checks.find(|check| check["check"] == "source-reachable");
        found.map_or("UNKNOWN", |check| text(&check["verdict"]))
    }

    /// Confluent's word for how a copy is. What is not known is not called active.
    fn status(&self, topic: &Value) -> &'static str {
        match text(&self.link["connect_state"]) {
            "PAUSED" | "STOPPED" => return "LINK_PAUSED",
            "FAILED" => return "LINK_FAILED",
            _ => {}
        }
        match (self.reach(), text(&topic["state_class"])) {
            ("FAIL", _) => "SOURCE_UNAVAILABLE",
            (_, "failing") => "failed",
            ("PASS" | "WARN", "active") => "active",
            _ => "UNKNOWN",
        }
    }

    fn partitions_of(&self, topic: &Value) -> impl Iterator<Item = &Value> {
        let of = topic["topic"].clone();
        let rows = items(&self.partitions).iter();
        rows.filter(move |row| row["topic"] == of)
    }

    /// What is said of a copy in every row about it.
    fn row(&self, topic: &Value) -> Value {
        let partitions = self.partitions_of(topic);
        let since = partitions
            .filter_map(|row| milliseconds(&row["since"]))
            .max();
        json!({
            "link_name": self.link["name"],
            "mirror_topic_name": topic["destination_topic"],
            "source_topic_name": topic["topic"],
            "mirror_status": self.status(topic),
            "status_time_ms": milliseconds(&topic["since"]).or(since),
        })
    }
}

fn milliseconds(time: &Value) -> Option<i64> {
    let time: Timestamp = time.as_str()?.parse().ok()?;
    Some(time.as_millisecond())
}

/// Records that wait, if that is known.
fn lag(row: &Value) -> Value {
    match row["lag"]["known"] == true {
        true => row["lag"]["records"].clone(),
        false => Value::Null,
    }
}

/// A row for each copy. The most that waits is known only where every partition's is: a worker that is silent tells none of its own.
fn topics(seen: &Seen) -> Vec<Value> {
    let rows = items(&seen.topics).iter().map(|topic| {
        let mut row = seen.row(topic);
        let lags: Option<Vec<i64>> = seen
            .partitions_of(topic)
            .map(|partition| lag(partition).as_i64())
            .collect();
        let told: BTreeSet<Option<i64>> = seen
            .partitions_of(topic)
            .map(|partition| partition["partition"].as_i64())
            .collect();
        let all = topic["partitions"]["source"].as_u64();
        let lags = lags.filter(|_| Some(told.len() as u64) == all);
        row["num_partition"] = topic["partitions"]["source"].clone();
        row["max_per_partition_mirror_lag"] = json!(lags.and_then(|lags| lags.into_iter().max()));
        row
    });
    rows.collect()
}

/// A row for each partition of a copy; nothing where there is no such copy.
fn partitions(seen: &Seen, name: &str) -> Option<Vec<Value>> {
    let mut topics = items(&seen.topics).iter();
    let topic = topics.find(|topic| topic["destination_topic"] == name)?;
    let mut rows: Vec<Value> = seen
        .partitions_of(topic)
        .map(|partition| {
            let mut row = seen.row(topic);
            row["mirror_topic_error"] = match &topic["reason"] {
                Value::Null => partition["reason"].clone(),
                reason => reason.clone(),
            };
            row["partition"] = partition["partition"].clone();
            row["partition_mirror_lag"] = lag(partition);
            row["last_source_fetch_offset"] = partition["acked_offset"].clone();
            row
        })
        .collect();
    rows.sort_by_key(|row| row["partition"].as_i64());
    Some(rows)
}

/// Columns with bars between them; with commas for programs.
fn lines(rows: &[Value], columns: &[Column], format: Format, headers: bool) -> Vec<String> {
    if format == Format::Name {
        let name = |row: &Value| format!("topic/{}", text(&row["mirror_topic_name"]));
        return rows.iter().map(name).collect();
    }
    let cell = |row: &Value, member: &str| match &row[member] {
        Value::Null if member.ends_with("_error") => String::new(),
        Value::Null => "UNKNOWN".to_owned(),
        Value::String(text) => visible(text),
        other => other.to_string(),
    };
    let mut cells: Vec<Vec<String>> = Vec::new();
    if headers {
        cells.push(columns.iter().map(|(name, _)| (*name).to_owned()).collect());
    }
    let of_row = |row: &Value| {
        columns
            .iter()
            .map(|(_, member)| cell(row, member))
            .collect()
    };
    cells.extend(rows.iter().map(of_row));
    if format == Format::Csv {
        let line = |row: Vec<String>| {
            let cells = row.into_iter().map(quoted);
            cells.collect::<Vec<_>>().join(",")
        };
        return cells.into_iter().map(line).collect();
    }
    let width = |column: usize| {
        let widths = cells.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join(" | ").trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(state: &str, reachable: &str) -> Seen {
        let lag = |records: Value| json!({"known": !records.is_null(), "records": records});
        let partition = |number: i32, records: Value| {
            json!({
                "topic": "orders", "partition": number, "since": "2026-01-31T12:00:00.250Z", "acked_offset": 7,
                "lag": lag(records),
            })
        };
        let topic = |name: &str, class: &str| {
            json!({
                "topic": name, "destination_topic": format!("east.{name}"), "state_class": class, "since": null,
                "partitions": {"source": 2}, "reason": null,
            })
        };
        Seen {
            link: json!({"name": "dr", "connect_state": state}),
            checks: json!([{"check": "source-reachable", "verdict": reachable}]),
            topics: json!({"items": [topic("orders", "active"), topic("audit", "failing"), topic("new", "creating")]}),
            partitions: json!({"items": [partition(1, json!(3)), partition(0, json!(12))]}),
        }
    }

    #[test]
    fn copies_have_the_words_and_headings_of_others() {
        let rows = topics(&seen("RUNNING", "PASS"));
        let words: Vec<&str> = rows.iter().map(|row| text(&row["mirror_status"])).collect();
        assert_eq!(words, ["active", "failed", "UNKNOWN"]);
        assert_eq!(
            lines(&rows[..1], &LIST, Format::Table, true),
            [
                "Link Name | Mirror Topic Name | Source Topic Name | Mirror Status | Status Time (ms) | Num Partition | Max Per Partition Mirror Lag",
                "dr        | east.orders       | orders            | active        | 1769860800250    | 2             | 12"
            ]
        );
        for (state, reachable, expected) in [
            ("PAUSED", "PASS", "LINK_PAUSED"),
            ("FAILED", "FAIL", "LINK_FAILED"),
            ("RUNNING", "FAIL", "SOURCE_UNAVAILABLE"),
            ("RUNNING", "UNKNOWN", "UNKNOWN"),
            ("RUNNING", "", "UNKNOWN"),
            ("RUNNING", "WARN", "active"),
        ] {
            let rows = topics(&seen(state, reachable));
            assert_eq!(rows[0]["mirror_status"], expected, "{state} {reachable}");
        }
    }

    #[test]
    fn a_lag_that_is_not_known_is_not_zero() {
        let mut seen = seen("RUNNING", "PASS");
        let told = seen.partitions.clone();
        seen.partitions = json!({"items": [told["items"][0]]});
        // Another partition is not told of at all.
        assert_eq!(
            topics(&seen)[0]["max_per_partition_mirror_lag"],
            Value::Null
        );
        seen.partitions = told;
        seen.partitions["items"][0]["lag"]["known"] = json!(false);
        let rows = topics(&seen);
        assert_eq!(rows[0]["max_per_partition_mirror_lag"], Value::Null);
        let rows = partitions(&seen, "east.orders").expect("it is there");
        let lags: Vec<&Value> = rows
            .iter()
            .map(|row| &row["partition_mirror_lag"])
            .collect();
        assert_eq!(lags, [&json!(12), &Value::Null]);
        assert_eq!(rows[1]["last_source_fetch_offset"], 7);
        let csv = lines(&rows, &DESCRIPTION, Format::Csv, false);
        assert_eq!(
            csv[1],
            "dr,east.orders,orders,active,,1769860800250,1,UNKNOWN,7"
        );
        assert_eq!(partitions(&seen, "orders"), None);
    }
}
