//! `tributary get` and `tributary describe`: what there is, as tables, and everything about one thing.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::loggers::{self, LOGGERS};
use super::table::{self, Column, Kind, column, wide};
use super::{Exit, Format, Reach, all, items, list_of};
use crate::asking::{Failure, Workers, encode};
use crate::output;

/// List links, topics, partitions, tasks, workers, rebalances, clusters, activity, plugins or loggers.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLES\n  tributary get links\n  tributary get topics orders-dr -o wide\n  \
    tributary get partitions orders-dr --topic orders --sort -lag_seconds"
)]
pub(in crate::cli) struct GetArgs {
    /// What is listed
    #[arg(value_enum)]
    what: What,

    /// Names; of a link where topics, partitions or tasks are listed
    names: Vec<String>,

    /// Of this link, as if it were named (repeatable); also of activity
    #[arg(long = "link", value_name = "LINK")]
    links: Vec<String>,

    /// Only what is in this state, or of this health or kind
    #[arg(long, value_name = "WORD")]
    state: Option<String>,

    /// Only partitions of this topic
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,

    /// Field to order by; a minus in front turns the order round [default: the worst first]
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    sort: Option<String>,

    #[command(flatten)]
    reach: Reach,
}

/// Everything about one link, topic, worker or cluster.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLES\n  tributary describe link orders-dr\n  tributary describe topic orders-dr orders"
)]
pub(in crate::cli) struct DescribeArgs {
    /// What is described
    #[arg(value_enum)]
    what: What,

    /// Its name; for a topic that of its link and its own
    #[arg(required = true, num_args = 1..=2)]
    names: Vec<String>,

    #[command(flatten)]
    reach: Reach,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum What {
    #[value(alias = "link")]
    Links,
    #[value(alias = "topic")]
    Topics,
    #[value(alias = "partition")]
    Partitions,
    #[value(alias = "task")]
    Tasks,
    #[value(alias = "worker")]
    Workers,
    #[value(alias = "rebalance")]
    Rebalances,
    #[value(alias = "cluster")]
    Clusters,
    Activity,
    // As Connect's API shows them.
    #[value(alias = "connector")]
    Connectors,
    // Every key of a link's configuration, and what becomes of it.
    Config,
    // What the worker can run.
    #[value(alias = "plugin")]
    Plugins,
    // Levels of logging of the worker.
    #[value(alias = "logger")]
    Loggers,
}

const LINKS: [Column; 14] = [
    column("NAME", "name", Kind::Text(20)),
    column("FLOW", "source.alias→destination.alias", Kind::Text(24)),
    column("HEALTH", "health", Kind::Text(11)),
    column("TASKS", "tasks.running/tasks.total", Kind::Exact),
    column("TOPICS", "topics.total", Kind::Exact),
    column("RECORDS/S", "records_per_second", Kind::Count),
    column("BYTES/S", "bytes_per_second", Kind::Bytes),
    column("LAG(REC)", "lag.records", Kind::Count),
    column("LAG(S)", "lag.seconds", Kind::Seconds),
    wide("LAG(BYTES)", "lag.bytes", Kind::Bytes),
    wide("STATE", "connect_state", Kind::Text(12)),
    wide("PARTS", "partitions.total", Kind::Exact),
    wide("WORKERS", "workers", Kind::Text(40)),
    wide("REASON", "health_reason", Kind::Text(80)),
];
const TOPICS: [Column; 11] = [
    column("TOPIC", "topic", Kind::Text(26)),
    column("DESTINATION", "destination_topic", Kind::Text(26)),
    column("P", "partitions.source", Kind::Exact),
    column("STATE", "state", Kind::Text(18)),
    column("RECORDS/S", "records_per_second", Kind::Count),
    column("LAG(REC)", "lag.records", Kind::Count),
    column("LAG(S)", "lag.seconds", Kind::Seconds),
    wide("BYTES/S", "bytes_per_second", Kind::Bytes),
    wide("LAG(BYTES)", "lag.bytes", Kind::Bytes),
    wide("LINK", "link", Kind::Text(30)),
    wide("REASON", "reason", Kind::Text(80)),
];
const PARTITIONS: [Column; 13] = [
    column("TOPIC", "topic", Kind::Text(26)),
    column("P", "partition", Kind::Exact),
    column("STATE", "state", Kind::Text(18)),
    column("SRC-END", "source_end_offset", Kind::Exact),
    column("ACKED", "acked_offset", Kind::Exact),
    column("LAG(REC)", "lag.records", Kind::Count),
    column("LAG(S)", "lag.seconds", Kind::Seconds),
    column("TASK", "task", Kind::Exact),
    wide("SRC-START", "source_start_offset", Kind::Exact),
    wide("DST-END", "destination_end_offset", Kind::Exact),
    wide("DESTINATION", "destination_topic", Kind::Text(40)),
    wide("WORKER", "worker_id", Kind::Text(30)),
    wide("REASON", "reason", Kind::Text(80)),
];
const TASKS: [Column; 7] = [
    column("LINK", "link", Kind::Text(30)),
    column("TASK", "task", Kind::Exact),
    column("STATE", "state", Kind::Text(12)),
    column("PARTS", "partitions", Kind::Exact),
    column("RESTARTS", "restarts", Kind::Exact),
    column("WORKER", "worker_id", Kind::Text(30)),
    wide("TRACE", "trace", Kind::Text(80)),
];
const WORKERS: [Column; 11] = [
    column("WORKER", "worker_id", Kind::Text(30)),
    column("VERSION", "version", Kind::Text(12)),
    column("ANSWERED", "answered.verdict", Kind::Text(8)),
    column("LINKS", "links", Kind::Exact),
    column("TASKS", "tasks", Kind::Exact),
    column("PARTS", "partitions", Kind::Exact),
    column("CPUS", "cpu_ratio", Kind::Part),
    column("RSS", "resident_bytes", Kind::Bytes),
    wide("BUFFER", "buffer.used_bytes", Kind::Bytes),
    wide("LEADER", "leader", Kind::Text(6)),
    wide("STARTED", "started_at", Kind::Text(30)),
];
const REBALANCES: [Column; 6] = [
    column("GENERATION", "generation", Kind::Exact),
    column("STATE", "state", Kind::Text(9)),
    column("STARTED", "started_at", Kind::Text(24)),
    column("LEFT(S)", "remaining_seconds", Kind::Text(8)),
    column("MOVES", "moves", Kind::Exact),
    column("REASON", "reason", Kind::Text(32)),
];
const CLUSTERS: [Column; 7] = [
    column("ALIAS", "alias", Kind::Text(24)),
    column("CLUSTER-ID", "cluster_id", Kind::Text(24)),
    column("VERSION", "version", Kind::Text(8)),
    column("REACHABLE", "reachability.verdict", Kind::Text(9)),
    column("BROKERS", "brokers.reachable/brokers.total", Kind::Exact),
    column("ROLES", "roles", Kind::Text(20)),
    wide("LINKS", "links", Kind::Text(60)),
];
pub(super) const ACTIVITY: [Column; 4] = [
    column("AT", "at", Kind::Text(24)),
    column("KIND", "kind", Kind::Text(10)),
    column("SUMMARY", "summary", Kind::Text(62)),
    wide("USER", "actor.user", Kind::Text(20)),
];

const CONNECTORS: [Column; 5] = [
    column("NAME", "name", Kind::Text(30)),
    column("TYPE", "type", Kind::Text(7)),
    column("STATE", "state", Kind::Text(12)),
    column("TASKS", "tasks", Kind::Text(40)),
    wide("WORKER", "worker_id", Kind::Text(30)),
];
const CONFIG: [Column; 4] = [
    column("KEY", "key", Kind::Text(36)),
    column("VALUE", "value", Kind::Text(36)),
    column("STATUS", "status", Kind::Text(12)),
    wide("MEANING", "meaning", Kind::Text(80)),
];

const PLUGINS: [Column; 3] = [
    column("CLASS", "class", Kind::Text(70)),
    column("TYPE", "type", Kind::Text(14)),
    column("VERSION", "version", Kind::Text(12)),
];

impl What {
    fn columns(self) -> &'static [Column] {
        match self {
            Self::Links => &LINKS,
            Self::Topics => &TOPICS,
            Self::Partitions => &PARTITIONS,
            Self::Tasks => &TASKS,
            Self::Workers => &WORKERS,
            Self::Rebalances => &REBALANCES,
            Self::Clusters => &CLUSTERS,
            Self::Activity => &ACTIVITY,
            Self::Connectors => &CONNECTORS,
            Self::Config => &CONFIG,
            Self::Plugins => &PLUGINS,
            Self::Loggers => &LOGGERS,
        }
    }

    /// The kind in front of a name, and where the name is.
    fn name(self, row: &Value) -> String {
        let (kind, paths): (_, &[&str]) = match self {
            Self::Links => ("link", &["name"]),
            Self::Topics => ("topic", &["link", "topic"]),
            Self::Partitions => ("partition", &["link", "topic", "partition"]),
            Self::Tasks => ("task", &["link", "task"]),
            Self::Workers => ("worker", &["worker_id"]),
            Self::Rebalances => ("rebalance", &["generation"]),
            Self::Clusters => ("cluster", &["cluster_id"]),
            Self::Activity => ("activity", &["id"]),
            Self::Connectors => ("connector", &["name"]),
            Self::Config => ("key", &["key"]),
            Self::Plugins => ("plugin", &["class"]),
            Self::Loggers => ("logger", &["name"]),
        };
        let parts = paths.iter().map(|path| match &row[*path] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        format!("{kind}/{}", parts.collect::<Vec<_>>().join("/"))
    }

    /// Whether a row is the one of this name. People call a cluster by its alias.
    fn is(self, row: &Value, name: &str) -> bool {
        let is_alias = || row["alias"] == *name;
        self.name(row).ends_with(&format!("/{name}")) || self == Self::Clusters && is_alias()
    }

    fn is_of_links(self) -> bool {
        matches!(
            self,
            Self::Topics | Self::Partitions | Self::Tasks | Self::Config
        )
    }

    fn word(self) -> &'static str {
        match self {
            Self::Links => "links",
            Self::Topics => "topics",
            Self::Partitions => "partitions",
            Self::Tasks => "tasks",
            Self::Workers => "workers",
            Self::Rebalances => "rebalances",
            Self::Clusters => "clusters",
            Self::Activity => "activity",
            Self::Connectors => "connectors",
            Self::Config => "config",
            Self::Plugins => "plugins",
            Self::Loggers => "loggers",
        }
    }
}

/// Runs `get`.
pub(in crate::cli) async fn get(args: GetArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    match gathered(&args, &workers).await {
        Ok(mut document) => {
            keep_only(&args, &mut document);
            args.reach.print(&document, |look| {
                let rows = items(&document);
                if look.format == Format::Name {
                    return rows.iter().map(|row| args.what.name(row)).collect();
                }
                let mut lines = table::lines(rows, args.what.columns(), look);
                if args.what == What::Links && look.format == Format::Table {
                    lines.extend(attention(rows));
                }
                lines
            });
            Exit::Done
        }
        Err(failure) => args.reach.failed("nothing can be listed", &failure),
    }
}

async fn gathered(args: &GetArgs, workers: &Workers) -> Result<Value, Failure> {
    let sort = args
        .sort
        .as_deref()
        .map(|sort| format!("sort={}", encode(sort)));
    let with = |path: String| match &sort {
        Some(sort) => format!("{path}?{sort}"),
        None => path,
    };
    let word = args.what.word();
    if !args.what.is_of_links() {
        let document = listed(args.what, workers, &with(format!("/api/v1/{word}"))).await?;
        return named(args, word, document);
    }
    let mut names = [&args.names[..], &args.links[..]].concat();
    if names.is_empty() {
        let links = all(workers, "/api/v1/links").await?;
        names.extend(
            items(&links)
                .iter()
                .filter_map(|row| row["name"].as_str())
                .map(str::to_owned),
        );
    }
    let mut whole: Option<Value> = None;
    for name in &names {
        let path = match (&args.topic, args.what) {
            (Some(topic), What::Partitions) => {
                format!(
                    "/api/v1/links/{}/topics/{}/partitions",
                    encode(name),
                    encode(topic)
                )
            }
            _ => format!("/api/v1/links/{}/{word}", encode(name)),
        };
        let part = match args.what {
            What::Config => config(workers, &path).await?,
            _ => all(workers, &with(path)).await?,
        };
        match &mut whole {
            None => whole = Some(part),
            Some(whole) => {
                let more = items(&part).to_vec();
                if let Some(items) = whole["items"].as_array_mut() {
                    items.extend(more);
                    whole["total"] = json!(whole["items"].as_array().map_or(0, Vec::len));
                }
            }
        }
    }
    Ok(whole.unwrap_or_else(|| nothing(args.what)))
}

/// The list of a worker that has no links.
fn nothing(what: What) -> Value {
    let schema = match what {
        What::Topics => "TopicList",
        What::Partitions => "PartitionList",
        What::Tasks => "TaskList",
        _ => {
            return json!({"schema": "tributary/v1/LinkConfigList", "items": [], "total": 0});
        }
    };
    list_of(schema, &[])
}

/// All of what belongs to no link. Connect's API has lists of its own; everything else is at `path`.
async fn listed(what: What, workers: &Workers, path: &str) -> Result<Value, Failure> {
    match what {
        What::Connectors => connectors(workers).await,
        What::Plugins => plugins(workers).await,
        What::Loggers => loggers::list(workers).await,
        _ => all(workers, path).await,
    }
}

/// Leaves what was asked for by its state or its link.
fn keep_only(args: &GetArgs, document: &mut Value) {
    let is = |value: &Value, word: &str| {
        let text = value.as_str();
        text.is_some_and(|text| text.eq_ignore_ascii_case(word))
    };
    let is_wanted = |row: &Value| {
        let state = args.state.as_deref();
        let in_state = state.is_none_or(|word| {
            let of = ["state", "health", "kind", "status"];
            of.iter().any(|of| is(&row[*of], word))
        });
        let of_link = args.what != What::Activity
            || args.links.is_empty()
            || args
                .links
                .iter()
                .any(|link| row["object"]["link"] == **link);
        in_state && of_link
    };
    if let Some(rows) = document["items"].as_array_mut() {
        rows.retain(is_wanted);
        document["total"] = json!(rows.len());
    }
}

/// Connectors, as Connect's API shows them: it has an object of them.
async fn connectors(workers: &Workers) -> Result<Value, Failure> {
    let shown = workers.get("/connectors?expand=status").await?;
    let rows = shown.as_object().into_iter().flatten();
    let rows = rows.map(|(name, shown)| {
        let status = &shown["status"];
        let tasks = status["tasks"].as_array().into_iter().flatten();
        let tasks = tasks.map(|task| format!("{}: {}", task["id"], text(&task["state"])));
        json!({
            "name": name,
            "type": status["type"],
            "state": status["connector"]["state"],
            "worker_id": status["connector"]["worker_id"],
            "trace": status["connector"]["trace"],
            "tasks": tasks.collect::<Vec<_>>(),
        })
    });
    let rows: Vec<Value> = rows.collect();
    Ok(json!({"schema": "tributary/v1/ConnectorList", "items": rows, "total": rows.len()}))
}

/// Plugins, as Connect's API shows them.
async fn plugins(workers: &Workers) -> Result<Value, Failure> {
    let rows = workers.get("/connector-plugins").await?;
    let total = rows.as_array().map_or(0, Vec::len);
    Ok(json!({"schema": "tributary/v1/PluginList", "items": rows, "total": total}))
}

/// The keys of a link's configuration.
async fn config(workers: &Workers, path: &str) -> Result<Value, Failure> {
    let document = workers.get(path).await?;
    let rows = document["rows"].clone();
    let total = rows.as_array().map_or(0, Vec::len);
    Ok(json!({"schema": "tributary/v1/LinkConfigList", "items": rows, "total": total}))
}

/// Only what was asked for by its name, where anything was.
fn named(args: &GetArgs, word: &str, mut document: Value) -> Result<Value, Failure> {
    if args.names.is_empty() {
        return Ok(document);
    }
    let is = |row: &Value, name: &String| args.what.is(row, name);
    let rows = items(&document);
    let unknown = |name: &&String| !rows.iter().any(|row| is(row, name));
    if let Some(name) = args.names.iter().find(unknown) {
        return Err(missing(format!("there is no {word} of the name {name}")));
    }
    let wanted = |row: &&Value| args.names.iter().any(|name| is(row, name));
    let rows: Vec<Value> = rows.iter().filter(wanted).cloned().collect();
    document["total"] = json!(rows.len());
    document["items"] = Value::Array(rows);
    Ok(document)
}

fn missing(message: String) -> Failure {
    Failure::of(404, message)
}

/// What needs attention, below the table.
pub(super) fn attention(links: &[Value]) -> Vec<String> {
    let rows = links.iter().flat_map(|link| {
        let rows = link["attention"].as_array().into_iter().flatten();
        rows.map(|row| format!("  {}  {}", text(&link["name"]), text(&row["summary"])))
    });
    let rows: Vec<String> = rows.collect();
    if rows.is_empty() {
        return rows;
    }
    let mut lines = vec!["ATTENTION".to_owned()];
    lines.extend(rows);
    lines
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

/// Runs `describe`.
pub(in crate::cli) async fn describe(args: DescribeArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let name = encode(&args.names[0]);
    let second = args.names.get(1).map(|name| encode(name));
    let is_row = matches!(
        args.what,
        What::Clusters | What::Connectors | What::Rebalances | What::Plugins
    );
    if is_row && second.is_none() {
        return row(&args, &workers).await;
    }
    let path = match (args.what, second) {
        (What::Links, None) => format!("/api/v1/links/{name}"),
        (What::Workers, None) => format!("/api/v1/workers/{name}"),
        (What::Tasks, None) => format!("/api/v1/links/{name}/tasks"),
        (What::Topics, Some(topic)) => format!("/api/v1/links/{name}/topics/{topic}"),
        (What::Partitions, Some(topic)) => {
            format!("/api/v1/links/{name}/topics/{topic}/partitions")
        }
        _ => {
            output::error(
                "write: describe link NAME, describe topic LINK TOPIC, describe partitions LINK TOPIC, or describe \
                 worker|cluster|connector|plugin|rebalance NAME",
            );
            return Exit::Usage;
        }
    };
    match workers.get(&path).await {
        Ok(mut document) => {
            if args.what == What::Links {
                match workers.get(&format!("{path}/health")).await {
                    Ok(health) => document["checks"] = health["checks"].clone(),
                    Err(failure) => return args.reach.failed("its health is not known", &failure),
                }
            }
            args.reach.print(&document, |_| table::members(&document));
            Exit::Done
        }
        Err(failure) => args.reach.failed("it cannot be described", &failure),
    }
}

/// Describes what is a row of a list.
async fn row(args: &DescribeArgs, workers: &Workers) -> Exit {
    let word = args.what.word();
    let name = &args.names[0];
    let found = listed(args.what, workers, &format!("/api/v1/{word}")).await;
    let found = found.and_then(|document| {
        let row = items(&document).iter().find(|row| args.what.is(row, name));
        let unknown = || missing(format!("there is no {word} of the name {name}"));
        row.cloned().ok_or_else(unknown)
    });
    match found {
        Ok(mut row) => {
            // Rows of the API say what they are; those of Connect's do not.
            let schema = match args.what {
                What::Connectors => Some("tributary/v1/Connector"),
                What::Plugins => Some("tributary/v1/Plugin"),
                _ => None,
            };
            let shown = table::members(&row);
            if let Some(schema) = schema {
                row["schema"] = json!(schema);
            }
            args.reach.print(&row, |_| shown);
            Exit::Done
        }
        Err(failure) => args.reach.failed("it cannot be described", &failure),
    }
}
