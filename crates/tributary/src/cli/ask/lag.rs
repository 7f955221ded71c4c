//! `tributary lag`: how much is not copied yet, for people and, with thresholds, for scripts.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::table::{self, Column, Kind, column, wide};
use super::{Exit, Format, Reach, all, items};
use crate::asking::{Failure, Workers, encode};
use crate::{duration, output};

/// How much is not copied yet.
///
/// With a threshold it ends with code 0 when every row is within it, and with 3 when one is not or is not known; with
/// --wait it waits for that and ends with 4 when the time is over.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLES\n  tributary lag\n  tributary lag orders-dr --by partition --top 10\n  \
    tributary lag orders-dr --max-records 0 --wait 10m && ./switch.sh"
)]
pub(in crate::cli) struct LagArgs {
    /// Links [default: all]
    links: Vec<String>,

    /// What a row stands for
    #[arg(long, value_enum, default_value_t = By::Link)]
    by: By,

    /// Only this topic
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,

    /// Only so many rows, the worst
    #[arg(long, value_name = "N")]
    top: Option<usize>,

    /// Show it again and again
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, num_args = 0..=1, require_equals = true, default_missing_value = "2s")]
    watch: Option<Duration>,

    /// Most seconds that the oldest record may have waited
    #[arg(long, value_name = "S")]
    max_seconds: Option<f64>,

    /// Most records that may wait
    #[arg(long, value_name = "N")]
    max_records: Option<i64>,

    /// Most bytes that may wait
    #[arg(long, value_name = "SIZE", value_parser = config::unit::parse_size)]
    max_bytes: Option<u64>,

    /// Wait so long for the thresholds to hold
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    wait: Option<Duration>,

    #[command(flatten)]
    reach: Reach,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum By {
    Link,
    Topic,
    Partition,
    /// Answered with what there is instead.
    #[value(hide = true)]
    Group,
}

/// Pause between two looks while waiting.
const LOOK: Duration = Duration::from_secs(1);
/// For how long a name that nobody knows is waited for: a worker hears a moment later of a link that was created at another.
const APPEARS: Duration = Duration::from_secs(10);

const COLUMNS: [Column; 10] = [
    column("LINK", "link", Kind::Text(20)),
    column("TOPIC", "topic", Kind::Text(20)),
    column("P", "partition", Kind::Exact),
    column("SRC-END", "source_end_offset", Kind::Exact),
    column("ACKED", "acked_offset", Kind::Exact),
    column("LAG(REC)", "lag.records", Kind::Count),
    column("LAG(S)", "lag.seconds", Kind::Seconds),
    column("LAG(BYTES)", "lag.bytes", Kind::Bytes),
    wide("CATCH-UP(S)", "catch_up.seconds", Kind::Seconds),
    wide("READ-AT", "lag.as_of", Kind::Text(26)),
];

impl LagArgs {
    fn columns(&self) -> Vec<Column> {
        let hidden: &[&str] = match self.by {
            By::Link => &["TOPIC", "P", "SRC-END", "ACKED"],
            By::Topic => &["P", "SRC-END", "ACKED"],
            By::Partition | By::Group => &["CATCH-UP(S)"],
        };
        let shown = COLUMNS
            .iter()
            .filter(|column| !hidden.contains(&column.heading));
        shown.copied().collect()
    }

    fn has_threshold(&self) -> bool {
        self.max_seconds.is_some() || self.max_records.is_some() || self.max_bytes.is_some()
    }

    /// Whether a lag is known and within every threshold.
    fn holds(&self, lag: &Value) -> bool {
        let within = |value: &Value, most: Option<f64>| {
            most.is_none_or(|most| value.as_f64().is_some_and(|value| value <= most))
        };
        lag["known"] == true
            && within(&lag["seconds"], self.max_seconds)
            && within(&lag["records"], self.max_records.map(|most| most as f64))
            && within(&lag["bytes"], self.max_bytes.map(|most| most as f64))
    }

    /// Without a row nothing is known.
    fn all_hold(&self, document: &Value) -> bool {
        let rows = items(document);
        !rows.is_empty() && rows.iter().all(|row| self.holds(&row["lag"]))
    }
}

/// Runs the command.
pub(in crate::cli) async fn lag(args: LagArgs) -> Exit {
    if args.by == By::Group {
        output::error(
            "offsets of groups are not copied, so that nothing is known of their lag; what groups at the destination can read \
             there is in `tributary lag --by topic`",
        );
        return Exit::Error;
    }
    if args.wait.is_some() && !args.has_threshold() {
        output::error(
            "--wait needs --max-seconds, --max-records or --max-bytes: what is waited for?",
        );
        return Exit::Usage;
    }
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let started = Instant::now();
    loop {
        let gathered = rows(&args, &workers).await;
        let is_late = args.wait.is_some_and(|limit| started.elapsed() >= limit);
        match &gathered {
            Ok(document) => {
                let holds = args.all_hold(document);
                let is_last = args.watch.is_none() && (args.wait.is_none() || holds || is_late);
                if is_last || args.watch.is_some() {
                    show(&args, document);
                }
                if args.has_threshold() && holds && (args.wait.is_some() || args.watch.is_none()) {
                    return Exit::Done;
                }
                if is_last && !is_late {
                    return if args.has_threshold() {
                        Exit::NotReady
                    } else {
                        Exit::Done
                    };
                }
            }
            Err(failure) => {
                let passes = may_pass(failure.status, started.elapsed());
                if args.wait.is_none() || is_late || !passes {
                    let exit = args.reach.failed("the lag is not known", failure);
                    return match is_late && passes && failure.status != Some(404) {
                        true => Exit::TimedOut,
                        false => exit,
                    };
                }
            }
        }
        if is_late {
            output::notice("the thresholds did not hold in time");
            return Exit::TimedOut;
        }
        // sleeps because readings are made every other second
        sleep(args.watch.unwrap_or(LOOK)).await;
    }
}

/// Whether an answer may be another one later, after so long: a worker that is silent or busy may answer, a name that is
/// wrong and somebody who may not ask stay so.
fn may_pass(status: Option<u16>, waited: Duration) -> bool {
    match status {
        Some(404) => waited < APPEARS,
        None | Some(409 | 429 | 500..) => true,
        Some(_) => false,
    }
}

fn show(args: &LagArgs, document: &Value) {
    args.reach.print(document, |look| {
        let rows = items(document);
        if look.format == Format::Name {
            let names = rows
                .iter()
                .map(|row| format!("link/{}", super::list::text(&row["link"])));
            return names.collect();
        }
        table::lines(rows, &args.columns(), look)
    });
}

async fn rows(args: &LagArgs, workers: &Workers) -> Result<Value, Failure> {
    let mut names = args.links.clone();
    let mut rows = Vec::new();
    if names.is_empty() || args.by == By::Link {
        let links = all(workers, "/api/v1/links").await?;
        let known = |name: &str| items(&links).iter().any(|link| link["name"] == name);
        if let Some(name) = names.iter().find(|name| !known(name)) {
            return Err(Failure::of(404, format!("there is no link {name}")));
        }
        if names.is_empty() {
            names.extend(
                items(&links)
                    .iter()
                    .filter_map(|link| link["name"].as_str())
                    .map(str::to_owned),
            );
        }
        if args.by == By::Link && args.topic.is_none() {
            let wanted = items(&links)
                .iter()
                .filter(|link| names.iter().any(|name| link["name"] == **name));
            rows.extend(wanted.map(|link| {
                let (name, lag, catch_up) = (&link["name"], &link["lag"], &link["catch_up"]);
                json!({"link": name, "topic": null, "partition": null, "lag": lag, "catch_up": catch_up})
            }));
            return Ok(document(args, rows));
        }
    }
    for name in &names {
        let base = format!("/api/v1/links/{}", encode(name));
        let part = match (args.by, &args.topic) {
            (By::Partition | By::Group, Some(topic)) => {
                all(
                    workers,
                    &format!("{base}/topics/{}/partitions", encode(topic)),
                )
                .await?
            }
            (By::Partition | By::Group, None) => {
                all(workers, &format!("{base}/partitions")).await?
            }
            (_, Some(topic)) => {
                json!({"items": [workers.get(&format!("{base}/topics/{}", encode(topic))).await?]})
            }
            (_, None) => all(workers, &format!("{base}/topics")).await?,
        };
        rows.extend(items(&part).iter().map(|row| {
            json!({
                "link": row["link"], "topic": row["topic"], "partition": row["partition"],
                "source_end_offset": row["source_end_offset"], "acked_offset": row["acked_offset"],
                "lag": row["lag"], "catch_up": row["catch_up"],
            })
        }));
    }
    Ok(document(args, rows))
}

fn document(args: &LagArgs, mut rows: Vec<Value>) -> Value {
    // What is not known may be the worst.
    let seconds = |row: &Value| row["lag"]["seconds"].as_f64().unwrap_or(f64::INFINITY);
    rows.sort_by(|one, two| seconds(two).total_cmp(&seconds(one)));
    // A threshold holds for all rows, not only for those shown.
    if let Some(top) = args.top.filter(|_| !args.has_threshold()) {
        rows.truncate(top);
    }
    let now = worker_group::detail::instant(std::time::SystemTime::now());
    json!({"schema": "tributary/v1/Lag", "items": rows, "total": rows.len(), "as_of": now})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_waits_for_what_may_pass_and_not_for_what_stays_wrong() {
        let soon = Duration::from_secs(1);
        for status in [None, Some(404), Some(409), Some(500), Some(503)] {
            assert!(may_pass(status, soon), "{status:?}");
        }
        for status in [Some(400), Some(401), Some(403)] {
            assert!(!may_pass(status, soon), "{status:?}");
        }
        assert!(!may_pass(Some(404), APPEARS));
    }
}
