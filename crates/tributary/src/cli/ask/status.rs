//! `tributary status`: one screen that says whether everything is replicated; `tributary top` shows it again and again.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::list::text;
use super::table::{self, Column, Kind, column};
use super::{Exit, Format, Reach, items};
use crate::asking::Failure;
use crate::progress::cut;
use crate::{duration, output};

/// Whether everything is replicated, on one screen.
///
/// Ends with code 0 when every link that is wanted to run is HEALTHY or CATCHING_UP, and with 3 otherwise; UNKNOWN counts
/// as not well.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLES\n  tributary status --url http://worker-1:8083\n  tributary status orders-dr || page-somebody"
)]
pub(in crate::cli) struct StatusArgs {
    /// Only these links, and what they need [default: all]
    links: Vec<String>,

    /// End with code 0 also when something is not well
    #[arg(long)]
    no_check: bool,

    #[command(flatten)]
    reach: Reach,
}

/// Links, throughput, lag and what needs attention, drawn anew every few seconds.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary top --every 1s")]
pub(in crate::cli) struct TopArgs {
    /// How often it is drawn
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "2s")]
    every: Duration,

    /// End after so many drawings
    #[arg(long, value_name = "N")]
    count: Option<usize>,

    #[command(flatten)]
    reach: Reach,
}

/// Links whose trouble is told on the screen; the others are counted.
const TOLD: usize = 10;

const LINKS: [Column; 8] = [
    column("LINK", "name", Kind::Text(24)),
    column("HEALTH", "health", Kind::Text(11)),
    column("TASKS", "tasks.running/tasks.total", Kind::Exact),
    column("TOPICS", "topics.total", Kind::Exact),
    column("RECORDS/S", "records_per_second", Kind::Count),
    column("BYTES/S", "bytes_per_second", Kind::Bytes),
    column("LAG(REC)", "lag.records", Kind::Count),
    column("LAG(S)", "lag.seconds", Kind::Seconds),
];

/// Runs `status`.
pub(in crate::cli) async fn status(args: StatusArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    match workers.get("/api/v1/overview").await {
        Ok(overview) => {
            let mut document = overview;
            if let Err(unknown) = keep_only(&mut document, &args.links) {
                return args.reach.failed("the status is not known", &unknown);
            }
            document["schema"] = json!("tributary/v1/Status");
            document["well"] = json!(is_well(&document));
            args.reach.print(&document, |_| screen(&document));
            if args.no_check || is_well(&document) {
                Exit::Done
            } else {
                Exit::NotReady
            }
        }
        Err(failure) => args.reach.failed("the status is not known", &failure),
    }
}

/// Runs `top`.
pub(in crate::cli) async fn top(args: TopArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let mut drawn = 0;
    let mut before = 0;
    loop {
        let lines = match workers.get("/api/v1/overview").await {
            Ok(overview) => {
                let look = table::Look {
                    format: Format::Table,
                    headers: true,
                    ascii: false,
                };
                let mut lines = screen(&overview);
                let rows = overview["links"].as_array().cloned().unwrap_or_default();
                lines.push(String::new());
                lines.extend(table::lines(&rows, &LINKS, &look));
                lines
            }
            Err(Failure { message, .. }) => vec![format!("UNKNOWN  {message}")],
        };
        if output::is_terminal() {
            output::redraw(&lines, before);
            before = lines.len();
        } else {
            lines.iter().for_each(|line| output::line(line));
        }
        drawn += 1;
        if args.count.is_some_and(|count| drawn >= count) {
            return Exit::Done;
        }
        // sleeps because a person looks at it
        sleep(args.every).await;
    }
}

/// Leaves what concerns some links; workers that do not answer show in the health of those that they concern.
fn keep_only(overview: &mut Value, names: &[String]) -> Result<(), Failure> {
    if names.is_empty() {
        return Ok(());
    }
    let links = overview["links"].as_array().cloned().unwrap_or_default();
    let is = |value: &Value, name: &String| value == name.as_str();
    if let Some(name) = names
        .iter()
        .find(|name| !links.iter().any(|link| is(&link["name"], name)))
    {
        return Err(Failure::of(404, format!("there is no link {name}")));
    }
    let wanted = |value: &Value| names.iter().any(|name| is(value, name));
    let mut rows = links;
    rows.retain(|link| wanted(&link["name"]));
    overview["tiles"] = tiles(&rows, &overview["tiles"]["worst_lag"]);
    if let Some(clusters) = overview["clusters"].as_array_mut() {
        let concerns = |cluster: &Value| {
            let links = cluster["links"].as_array();
            links.is_some_and(|links| links.iter().any(wanted))
        };
        clusters.retain(concerns);
    }
    if let Some(attention) = overview["attention"].as_array_mut() {
        attention.retain(|row| wanted(&row["object"]["link"]));
    }
    overview["incomplete"] = json!([]);
    overview["links"] = Value::Array(rows);
    Ok(())
}

/// What there is to say of these links together. What is not known of one is not known of all. `of_all` is the worst lag of every link.
fn tiles(rows: &[Value], of_all: &Value) -> Value {
    let mut counts = serde_json::Map::new();
    for link in rows {
        let count = counts.entry(text(&link["health"])).or_insert(json!(0));
        *count = json!(count.as_u64().unwrap_or(0) + 1);
    }
    let seconds = |link: &&Value| link["lag"]["seconds"].as_f64();
    let lagging = rows.iter().filter(|link| seconds(link).is_some());
    let worst = lagging.max_by(|one, two| {
        let [one, two] = [one, two].map(|link| seconds(link).unwrap_or(0.0));
        one.total_cmp(&two)
    });
    // Where nothing is known of any lag, its shape stays.
    let worst = worst.or(rows.first());
    let worst = worst.map_or(Value::Null, |link| {
        let is_same = of_all["link"] == link["name"];
        let topic = if is_same {
            &of_all["topic"]
        } else {
            &Value::Null
        };
        json!({"link": link["name"], "topic": topic, "lag": link["lag"]})
    });
    let tasks = |member: &str| -> u64 {
        let numbers = rows.iter().map(|link| link["tasks"][member].as_u64());
        numbers.map(Option::unwrap_or_default).sum()
    };
    let running = || {
        rows.iter()
            .filter(|link| link["connect_state"] == "RUNNING")
    };
    let sum =
        |member: &str| running().try_fold(0.0, |all, link| Some(all + link[member].as_f64()?));
    json!({
        "links_by_health": counts,
        "tasks": {"running": tasks("running"), "total": tasks("total")},
        "records_per_second": sum("records_per_second"),
        "bytes_per_second": sum("bytes_per_second"),
        "worst_lag": worst,
        "lag_known": running().all(|link| link["lag"]["known"] == true),
        "groups": null,
    })
}

/// Whether everything that is wanted to run is well, on evidence.
fn is_well(overview: &Value) -> bool {
    let links = overview["links"].as_array().map_or(&[][..], Vec::as_slice);
    let complete = overview["incomplete"].as_array().is_none_or(Vec::is_empty);
    let wanted = ["HEALTHY", "CATCHING_UP", "PAUSED", "STOPPED"];
    complete
        && links
            .iter()
            .all(|link| wanted.contains(&text(&link["health"])))
}

/// The screen.
fn screen(overview: &Value) -> Vec<String> {
    let workers = &overview["workers"];
    let mut lines = vec![format!(
        "group    {}   {}/{} workers answered, leader {}, {}",
        overview["group"].as_str().unwrap_or("(standalone)"),
        workers["answered"],
        workers["total"],
        text(&workers["leader"]),
        rebalance(&overview["rebalance"]),
    )];
    for (number, cluster) in overview["clusters"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let verdict = text(&cluster["reachability"]["verdict"]);
        let word = match verdict {
            "PASS" => "ok",
            "FAIL" => "UNREACHABLE",
            other => other,
        };
        let brokers = &cluster["brokers"];
        let brokers = match (&brokers["reachable"], &brokers["total"]) {
            (_, Value::Null) => "brokers unknown".to_owned(),
            (Value::Null, total) => format!("{total} brokers"),
            (reachable, total) => format!("{reachable}/{total} brokers"),
        };
        let head = if number == 0 { "clusters" } else { "        " };
        let alias = cut(text(&cluster["alias"]), 40);
        let version = cluster["version"].as_str();
        let version = version.map_or_else(String::new, |version| format!("  {version}"));
        lines.push(format!("{head} {alias}  {word}  {brokers}{version}"));
    }
    let counts = &overview["tiles"]["links_by_health"];
    let count = |word: &str| counts[word].as_u64().unwrap_or(0);
    let mut links = format!(
        "links    {} healthy, {} catching up, {} degraded, {} failed, {} unknown",
        count("HEALTHY"),
        count("CATCHING_UP"),
        count("DEGRADED"),
        count("FAILED"),
        count("UNKNOWN")
    );
    let rest = count("PAUSED") + count("STOPPED");
    if rest > 0 {
        links.push_str(&format!(", {rest} paused or stopped"));
    }
    let worst = &overview["tiles"]["worst_lag"];
    if let Some(seconds) = worst["lag"]["seconds"].as_f64() {
        let least = if worst["lag"]["known"] == false {
            "≥"
        } else {
            ""
        };
        links.push_str(&format!(
            "   worst lag {least}{seconds:.1} s ({})",
            text(&worst["link"])
        ));
    }
    lines.push(links);
    lines.extend(attention(overview));
    lines
}

/// What moves between workers, in some words.
fn rebalance(rebalance: &Value) -> String {
    let waiting = rebalance["unassigned"].as_array().map_or(0, Vec::len);
    match (text(&rebalance["state"]), &rebalance["remaining_seconds"]) {
        ("scheduled", Value::Number(seconds)) => format!(
            "{}: what it had ({waiting}) goes to others in {:.0} s",
            text(&rebalance["reason"]),
            seconds.as_f64().unwrap_or(0.0)
        ),
        ("running", _) => "work is being dealt".to_owned(),
        _ => "no rebalance pending".to_owned(),
    }
}

fn attention(overview: &Value) -> Vec<String> {
    let links = overview["links"].as_array().map_or(&[][..], Vec::as_slice);
    let mut lines = Vec::new();
    let is_well = |link: &&Value| matches!(text(&link["health"]), "HEALTHY" | "PAUSED" | "STOPPED");
    let troubled: Vec<&Value> = links.iter().filter(|link| !is_well(link)).collect();
    for link in troubled.iter().take(TOLD) {
        let health = text(&link["health"]);
        let name = text(&link["name"]);
        lines.push(format!(
            "  {name}  {health}  {}",
            text(&link["health_reason"])
        ));
        let explained = link["attention"].as_array().into_iter().flatten();
        let fix = explained
            .filter_map(|row| row["explanation"]["fix"][0].as_str())
            .next();
        if let Some(fix) = fix {
            lines.push(format!("    fix:  {fix}"));
        }
        if health != "CATCHING_UP" {
            lines.push(format!("    next: tributary explain {name}"));
        }
    }
    if troubled.len() > TOLD {
        let more = troubled.len() - TOLD;
        lines.push(format!("  and {more} more: tributary get links"));
    }
    for missing in items(&json!({"items": overview["incomplete"]})) {
        lines.push(format!(
            "  worker {} did not answer: {}",
            text(&missing["worker_id"]),
            text(&missing["reason"])
        ));
    }
    if !lines.is_empty() {
        lines.insert(0, "ATTENTION".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overview(health: &str, seconds: Value) -> Value {
        json!({
            "group": null, "workers": {"answered": 1, "total": 1, "leader": "w:8083"}, "rebalance": null,
            "clusters": [
                {"alias": "east", "reachability": {"verdict": "PASS"}, "version": "3.9",
                    "brokers": {"reachable": 2, "total": 3}},
                {"alias": "west", "reachability": {"verdict": "UNKNOWN"}, "brokers": {"total": null}},
            ],
            "links": [{
                "name": "audit-dr", "health": health, "health_reason": "1 of 8 partitions is not copied",
                "attention": [{"explanation": {"fix": ["grant it"]}}],
            }],
            "tiles": {
                "links_by_health": {health: 1},
                "worst_lag": {"link": "audit-dr", "lag": {"seconds": seconds, "known": true}},
            },
            "incomplete": [],
        })
    }

    #[test]
    fn some_links_are_summed_up_as_all_are_and_what_is_not_known_of_one_is_not_known() {
        let link = |name: &str, seconds: Value, rate: Value| {
            json!({
                "name": name, "health": "HEALTHY", "connect_state": "RUNNING", "tasks": {"running": 1, "total": 2},
                "records_per_second": rate, "bytes_per_second": 5.0, "lag": {"seconds": seconds, "known": !rate.is_null()},
            })
        };
        let of_all = json!({"link": "b", "topic": "t"});
        let found = tiles(
            &[
                link("a", json!(1.0), json!(2.0)),
                link("b", json!(3.0), json!(4.0)),
            ],
            &of_all,
        );
        assert_eq!(found["worst_lag"]["topic"], "t");
        assert_eq!(found["tasks"], json!({"running": 2, "total": 4}));
        assert_eq!(
            (&found["records_per_second"], &found["lag_known"]),
            (&json!(6.0), &json!(true))
        );
        let found = tiles(
            &[
                link("a", json!(9.0), Value::Null),
                link("b", json!(3.0), json!(4.0)),
            ],
            &of_all,
        );
        assert_eq!(found["worst_lag"]["topic"], Value::Null);
        assert_eq!(
            (&found["records_per_second"], &found["lag_known"]),
            (&Value::Null, &json!(false))
        );
        assert_eq!(found["bytes_per_second"], 10.0);
    }

    #[test]
    fn the_screen_says_what_is_wrong_and_what_to_do() {
        assert_eq!(
            screen(&overview("DEGRADED", json!(412.0))),
            [
                "group    (standalone)   1/1 workers answered, leader w:8083, no rebalance pending",
                "clusters east  ok  2/3 brokers  3.9",
                "         west  UNKNOWN  brokers unknown",
                "links    0 healthy, 0 catching up, 1 degraded, 0 failed, 0 unknown   worst lag 412.0 s (audit-dr)",
                "ATTENTION",
                "  audit-dr  DEGRADED  1 of 8 partitions is not copied",
                "    fix:  grant it",
                "    next: tributary explain audit-dr",
            ]
        );
    }

    #[test]
    fn what_waits_for_a_lost_worker_is_counted_down() {
        let scheduled = json!({
            "state": "scheduled", "reason": "w3:8083 was lost", "remaining_seconds": 251.6, "unassigned": [{}, {}],
        });
        let said = "w3:8083 was lost: what it had (2) goes to others in 252 s";
        assert_eq!(rebalance(&scheduled), said);
        assert_eq!(rebalance(&Value::Null), "no rebalance pending");
    }

    #[test]
    fn one_link_is_asked_for_alone_and_a_name_that_nobody_has_is_refused() {
        let mut both = overview("FAILED", Value::Null);
        let other = json!({"name": "orders-dr", "health": "HEALTHY", "lag": {"seconds": 0.4}});
        both["links"].as_array_mut().expect("links").push(other);
        both["incomplete"] = json!([{"worker_id": "w", "reason": "silent"}]);
        assert!(!is_well(&both));
        assert!(keep_only(&mut both, &["no-such".to_owned()]).is_err());
        keep_only(&mut both, &["orders-dr".to_owned()]).expect("it is there");
        assert!(is_well(&both));
        assert_eq!(both["tiles"]["worst_lag"]["link"], "orders-dr");
    }

    #[test]
    fn a_screen_stays_one_screen_however_many_links_fail() {
        let mut many = overview("FAILED", Value::Null);
        let link = many["links"][0].clone();
        many["links"] = vec![link; TOLD + 5].into();
        let screen = screen(&many);
        assert!(screen.len() < 40, "{}", screen.len());
        let last = screen.last().map(String::as_str);
        assert_eq!(last, Some("  and 5 more: tributary get links"));
    }

    #[test]
    fn what_is_not_known_is_not_well() {
        for (health, well) in [
            ("HEALTHY", true),
            ("CATCHING_UP", true),
            ("PAUSED", true),
            ("STOPPED", true),
            ("DEGRADED", false),
            ("FAILED", false),
            ("UNKNOWN", false),
            ("", false),
        ] {
            assert_eq!(is_well(&overview(health, Value::Null)), well, "{health}");
        }
        let mut partial = overview("HEALTHY", Value::Null);
        partial["incomplete"] = json!([{"worker_id": "w", "reason": "silent"}]);
        assert!(!is_well(&partial));
    }
}
