//! The part of the OpenAPI document that describes `/api/v1`, made from the table of routes.

use serde_json::{Map, Value, json};

use super::route::{Need, ROWS, Resource, Row};
use crate::openapi::{object, path_parameters, reference};

/// Adds paths and schemas to a document.
pub(crate) fn add(paths: &mut Map<String, Value>, all: &mut Map<String, Value>) {
    for row in &ROWS {
        let item = paths
            .entry(row.path.to_owned())
            .or_insert_with(|| json!({"parameters": path_parameters(row.path)}));
        item[row.method.to_ascii_lowercase()] = operation(row);
    }
    for (name, schema) in shapes().into_iter().chain(parts()) {
        all.insert(name.to_owned(), schema);
    }
}

fn operation(row: &Row) -> Value {
    let resource = row.resource;
    let status = if resource == Resource::Refresh {
        "202"
    } else {
        "200"
    };
    let mut answer = json!({"description": row.summary});
    answer["content"] = match resource {
        // One event of the stream.
        Resource::Events => json!({"text/event-stream": {"schema": {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "event": {"type": "string"},
                "data": {"type": "string"},
            },
        }}}),
        _ => json!({"application/json": {"schema": reference(row.schema)}}),
    };
    let mut operation = json!({
        "operationId": format!("{}Api{resource:?}", row.method.to_ascii_lowercase()),
        "summary": row.summary,
        "description": match row.need {
            Need::Viewer => "For viewers and administrators.",
            Need::Admin => "For administrators.",
            Need::ViewerOfLinks => "For administrators; for viewers with the name of a link.",
        },
        "parameters": parameters(row),
        "responses": {status: answer, "default": {"$ref": "#/components/responses/Error"}},
    });
    let body = match resource {
        Resource::Preview => Some("PreviewRequest"),
        Resource::Preflight => Some("PreflightRequest"),
        Resource::Explain => Some("ExplainRequest"),
        Resource::PartitionResume | Resource::TopicResume => Some("Resume"),
        _ => None,
    };
    if let Some(name) = body {
        let content = json!({"application/json": {"schema": reference(name)}});
        operation["requestBody"] = json!({"required": name != "Resume", "content": content});
    }
    if resource == Resource::LinkHealth {
        operation["responses"]["503"] = operation["responses"]["200"].clone();
    }
    operation
}

fn parameters(row: &Row) -> Vec<Value> {
    let query = |name: &str, schema: Value| json!({"name": name, "in": "query", "schema": schema});
    let text = || json!({"type": "string"});
    if row.resource == Resource::LinkHealth {
        return vec![query("as", json!({"type": "string", "enum": ["status"]}))];
    }
    if row.resource == Resource::History {
        let metrics = super::history::Metric::ALL.map(|(name, _)| name);
        return vec![
            query("metric", choice(&metrics)),
            query("topic", text()),
            query("partition", whole()),
            // Seconds since 1970.
            query("from", whole()),
            query("to", whole()),
            query("scope", choice(&["cluster", "worker"])),
        ];
    }
    if row.resource == Resource::Events {
        let last = json!({"name": "Last-Event-ID", "in": "header", "schema": text()});
        return vec![query("channels", text()), query("link", text()), last];
    }
    if !row.schema.ends_with("List") || row.method != "GET" {
        return Vec::new();
    }
    vec![
        query(
            "limit",
            json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}),
        ),
        query("cursor", text()),
        query("sort", text()),
        query("q", text()),
        query("scope", choice(&["cluster", "worker"])),
    ]
}

fn text() -> Value {
    json!({"type": "string"})
}

fn maybe_text() -> Value {
    json!({"type": ["string", "null"]})
}

fn whole() -> Value {
    json!({"type": "integer"})
}

fn maybe_whole() -> Value {
    json!({"type": ["integer", "null"]})
}

fn number() -> Value {
    json!({"type": "number"})
}

fn maybe_number() -> Value {
    json!({"type": ["number", "null"]})
}

fn boolean() -> Value {
    json!({"type": "boolean"})
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn maybe_time() -> Value {
    json!({"type": ["string", "null"], "format": "date-time"})
}

fn null() -> Value {
    json!({"type": "null"})
}

fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

fn choice(values: &[&str]) -> Value {
    json!({"type": "string", "enum": values})
}

fn maybe(schema: Value) -> Value {
    let nothing = null();
    json!({"oneOf": [nothing, schema]})
}

fn counts() -> Value {
    json!({"type": "object", "additionalProperties": whole()})
}

/// A shape with its name in `schema` and the time of what it says.
fn named(name: &str, members: &[(&str, Value)]) -> Value {
    let mut all = vec![
        ("schema", json!({"const": format!("tributary/v1/{name}")})),
        ("as_of", time()),
    ];
    all.extend(members.iter().cloned());
    object(&all)
}

const HEALTH: [&str; 7] = [
    "HEALTHY",
    "CATCHING_UP",
    "DEGRADED",
    "FAILED",
    "UNKNOWN",
    "PAUSED",
    "STOPPED",
];
const STATES: [&str; 6] = [
    "UNASSIGNED",
    "RUNNING",
    "PAUSED",
    "FAILED",
    "RESTARTING",
    "STOPPED",
];

/// What paths answer with.
fn shapes() -> Vec<(&'static str, Value)> {
    let mut shapes = worker_shapes();
    shapes.extend(link_shapes());
    shapes.extend(preview_shapes());
    let lists = [
        ("LinkList", "Link"),
        ("TopicList", "Topic"),
        ("PartitionList", "Partition"),
        ("TaskList", "Task"),
        ("ClusterList", "Cluster"),
        ("WorkerList", "Worker"),
        ("RebalanceList", "Rebalance"),
        ("ActivityList", "Activity"),
        ("ExplanationList", "Explanation"),
    ];
    shapes.extend(lists.map(|(name, item)| {
        let members = [
            ("items", list(reference(item))),
            ("total", whole()),
            ("next_cursor", maybe_text()),
            ("incomplete", list(reference("Incomplete"))),
        ];
        (name, named(name, &members))
    }));
    shapes
}

#[rustfmt::skip]
fn worker_shapes() -> Vec<(&'static str, Value)> {
    vec![
        ("Info", named("Info", &[
            ("worker_id", text()), ("version", text()), ("commit", text()), ("group", maybe_text()),
            ("mode", choice(&["standalone", "distributed"])), ("started_at", time()),
            ("evidence_max_age_seconds", number()), ("features", list(text())),
        ])),
        ("Whoami", named("Whoami", &[
            ("user", maybe_text()), ("role", choice(&["admin", "viewer"])),
            ("authentication", choice(&["none", "basic", "bearer"])),
        ])),
        ("Overview", named("Overview", &[
            ("group", maybe_text()),
            ("workers", object(&[("total", whole()), ("answered", whole()), ("leader", maybe_text())])),
            ("rebalance", maybe(reference("Rebalance"))), ("clusters", list(reference("Cluster"))),
            ("links", list(reference("Link"))), ("tiles", reference("Tiles")),
            ("attention", list(reference("Attention"))), ("incomplete", list(reference("Incomplete"))),
        ])),
        ("Tiles", object(&[
            ("links_by_health", counts()), ("tasks", object(&[("running", whole()), ("total", whole())])),
            ("records_per_second", maybe_number()), ("bytes_per_second", maybe_number()),
            ("worst_lag", object(&[("link", maybe_text()), ("topic", maybe_text()), ("lag", reference("LinkLag"))])),
            ("lag_known", boolean()), ("groups", null()),
        ])),
        ("Cluster", named("Cluster", &[
            ("alias", maybe_text()), ("aliases", list(text())), ("cluster_id", maybe_text()), ("bootstrap", maybe_text()),
            ("version", maybe_text()), ("brokers", object(&[("reachable", maybe_whole()), ("total", maybe_whole())])),
            ("reachability", reference("Verdict")), ("roles", list(choice(&["source", "destination"]))), ("links", list(text())),
        ])),
        ("Worker", named("Worker", &[
            ("worker_id", text()), ("version", text()), ("commit", text()), ("started_at", maybe_time()),
            ("leader", json!({"type": ["boolean", "null"]})), ("answered", reference("Verdict")),
            ("links", maybe_whole()), ("tasks", maybe_whole()), ("partitions", maybe_whole()),
            ("cpu_ratio", maybe_number()), ("resident_bytes", maybe_whole()),
            ("buffer", object(&[("used_bytes", maybe_whole()), ("limit_bytes", maybe_whole())])),
            ("stage", object(&[("text", text()), ("since", maybe_time())])), ("config_offset", maybe_whole()),
        ])),
        ("Rebalance", named("Rebalance", &[
            ("generation", whole()), ("state", choice(&["done", "running", "scheduled"])), ("reason", maybe_text()),
            ("started_at", maybe_time()), ("duration_seconds", maybe_number()), ("remaining_seconds", maybe_number()),
            ("moved", list(object(&[
                ("link", text()), ("task", maybe_whole()), ("from", maybe_text()), ("to", maybe_text()),
            ]))),
            ("moves", whole()), ("unassigned", list(object(&[
                ("link", text()), ("task", maybe_whole()), ("last_worker", maybe_text()),
            ]))),
        ])),
        ("Activity", object(&[
            ("schema", json!({"const": "tributary/v1/Activity"})), ("id", text()), ("at", time()), ("kind", text()),
            ("actor", object(&[("user", maybe_text()), ("address", maybe_text()), ("client", maybe_text())])),
            ("object", reference("Object")), ("summary", text()),
            ("diff", maybe(list(object(&[("key", text()), ("before", maybe_text()), ("after", maybe_text())])))),
            ("explanation", maybe(reference("Explanation"))),
        ])),
        // What workers of one version tell each other: its members are nobody else's.
        ("Share", json!({"type": "object"})),
        ("Result", object(&[
            ("schema", json!({"const": "tributary/v1/Result"})), ("object", text()), ("action", text()), ("dry_run", boolean()),
            ("notice?", text()),
        ])),
        ("PreflightRequest", object(&[("link?", text()), ("config?", reference("GivenConfig"))])),
        ("PreviewRequest", object(&[
            ("link?", text()), ("config?", reference("GivenConfig")), ("rate_bytes_per_second?", whole()),
        ])),
        ("ExplainRequest", object(&[("text", text()), ("context?", json!({"type": "object"}))])),
    ]
}

#[rustfmt::skip]
fn link_shapes() -> Vec<(&'static str, Value)> {
    let catch_up = || reference("CatchUp");
    vec![
        ("Link", named("Link", &[
            ("name", text()), ("source", reference("ClusterRef")), ("destination", reference("ClusterRef")),
            ("health", choice(&HEALTH)), ("health_reason", text()), ("connect_state", choice(&STATES)),
            ("mode", maybe(choice(&["exactly-once", "at-least-once"]))),
            ("naming", object(&[("format", maybe_text()), ("policy", maybe_text()), ("example", maybe_text())])),
            ("tasks", object(&[
                ("total", whole()), ("running", whole()), ("failed", whole()), ("paused", whole()), ("unassigned", whole()),
            ])),
            ("topics", object(&[
                ("total", maybe_whole()), ("active", maybe_whole()), ("failing", maybe_whole()), ("paused", maybe_whole()),
                ("excluded", maybe_whole()),
            ])),
            ("partitions", object(&[("total", maybe_whole()), ("by_state", counts())])),
            ("records_per_second", maybe_number()), ("bytes_per_second", maybe_number()), ("lag", reference("LinkLag")),
            ("catch_up", catch_up()), ("retention_headroom_seconds", maybe_number()), ("groups", null()),
            ("attention", list(reference("Attention"))), ("workers", list(text())), ("created_at", maybe_time()),
            ("changed_at", maybe_time()), ("config_version", text()), ("companions", list(text())),
        ])),
        ("LinkHealth", named("LinkHealth", &[
            ("link", text()), ("health", choice(&HEALTH)), ("health_reason", text()), ("severity", whole()),
            ("connect_state", choice(&STATES)), ("lag", maybe(reference("LinkLag"))), ("checks", list(reference("Verdict"))),
        ])),
        ("Topic", named("Topic", &[
            ("link", text()), ("topic", text()), ("destination_topic", maybe_text()),
            ("partitions", object(&[("source", maybe_whole()), ("destination", maybe_whole())])),
            ("state", text()), ("state_class", choice(&["active", "creating", "failing", "neutral"])),
            ("condition", maybe_text()), ("reason", maybe_text()), ("since", maybe_time()), ("lag", reference("LinkLag")),
            ("records_per_second", maybe_number()), ("bytes_per_second", maybe_number()), ("catch_up", catch_up()),
            ("retention_headroom_seconds", maybe_number()), ("drift", maybe_whole()), ("verified_at", maybe_time()),
            ("excluded_by", maybe_text()),
        ])),
        ("Partition", named("Partition", &[
            ("link", text()), ("topic", text()), ("partition", whole()), ("destination_topic", text()), ("state", text()),
            ("verdict", choice(&["PASS", "WARN", "UNKNOWN", "FAIL"])), ("reason", maybe_text()), ("since", time()),
            ("no_progress_seconds", number()), ("source_start_offset", maybe_whole()), ("source_end_offset", maybe_whole()),
            ("read_offset", maybe_whole()), ("acked_offset", maybe_whole()), ("destination_end_offset", maybe_whole()),
            ("records_total", whole()), ("bytes_total", whole()), ("lag", reference("LinkLag")),
            ("last_record_timestamp", maybe_time()), ("source_leader", maybe_whole()), ("destination_leader", maybe_whole()),
            ("task", maybe_whole()), ("worker_id", maybe_text()), ("error", maybe(reference("PartitionError"))),
            ("gap", maybe(reference("Gap"))), ("answers", list(text())), ("help", maybe_text()),
        ])),
        ("Task", named("Task", &[
            ("link", text()), ("task", whole()), ("state", choice(&STATES)), ("worker_id", text()), ("since", maybe_time()),
            ("partitions", whole()), ("lag", reference("LinkLag")), ("restarts", maybe_whole()), ("trace", maybe_text()),
            ("explanation", maybe(reference("Explanation"))),
        ])),
        ("History", named("History", &[
            ("link", text()), ("topic", maybe_text()), ("partition", maybe_whole()), ("metric", text()),
            ("step_seconds", whole()), ("incomplete", list(reference("Incomplete"))),
            ("points", list(object(&[("at", time()), ("second", whole()), ("value", maybe_number())]))),
        ])),
        ("LinkConfig", named("LinkConfig", &[
            ("link", text()), ("config_version", text()), ("config", reference("Config")),
            ("rows", list(object(&[
                ("key", text()), ("value", maybe_text()),
                ("status", choice(&["set", "default", "mapped", "ignored", "unknown", "invalid"])), ("meaning", text()),
                ("origin", maybe_text()),
            ]))),
            ("problems", list(text())), ("notices", list(text())),
        ])),
    ]
}

#[rustfmt::skip]
fn preview_shapes() -> Vec<(&'static str, Value)> {
    vec![
        ("Preview", named("Preview", &[
            ("reading_id", maybe_text()), ("link", text()), ("rows", list(reference("PreviewRow"))), ("notices", list(text())),
            ("totals", counts()),
            ("plan", list(object(&[("step", text()), ("object", text()), ("change", text()), ("destructive", boolean())]))),
            ("estimate", object(&[
                ("retained_bytes", maybe_whole()), ("retained_bytes_unknown", maybe_text()),
                ("rate_bytes_per_second", whole()), ("seconds", maybe_whole()), ("tasks", maybe_whole()),
            ])),
            ("acls", null()), ("access_rights", json!({"type": ["object", "null"]})),
        ])),
        ("Preflight", named("Preflight", &[
            ("link", text()), ("worker_id", text()), ("ready", boolean()),
            ("steps", list(object(&[
                ("side", choice(&["source", "destination"])), ("broker", text()), ("step", text()), ("result", text()), ("detail", text()),
            ]))),
            ("rights", list(object(&[
                ("side", choice(&["source", "destination"])), ("resource", text()), ("operation", text()),
                ("result", choice(&["ok", "missing", "unknown"])), ("purpose", text()),
            ]))),
            ("commands", list(text())), ("notes", list(text())),
        ])),
        ("PreviewRow", object(&[
            ("topic", text()),
            ("decision", choice(&[
                "match", "excluded", "not-matched", "internal", "loop", "unreadable", "name-invalid", "name-collision",
            ])),
            ("rule", text()), ("destination_topic", maybe_text()),
            ("action", json!({"enum": ["create", "exists", "grow", "alter", "error", null]})),
            ("partitions", object(&[("source", maybe_whole()), ("destination", maybe_whole()), ("planned", maybe_whole())])),
            ("replication_factor", object(&[("planned", maybe_whole())])),
            ("settings", list(object(&[("key", text()), ("actual", maybe_text()), ("planned", maybe_text()), ("why", text())]))),
            ("steps", list(text())),
            ("warnings", list(object(&[("id", text()), ("error", boolean()), ("text", text()), ("fix", text())]))),
            ("retained_bytes", maybe_whole()), ("offsets", json!({"type": ["object", "null"]})),
        ])),
    ]
}

/// What shapes are made of.
#[rustfmt::skip]
fn parts() -> Vec<(&'static str, Value)> {
    vec![
        ("ClusterRef", object(&[("alias", maybe_text()), ("cluster_id", maybe_text()), ("bootstrap", maybe_text())])),
        ("LinkLag", object(&[
            ("known", boolean()), ("records", maybe_whole()), ("seconds", maybe_number()), ("bytes", maybe_whole()),
            ("seconds_basis", choice(&["observed", "timestamp", "since-start", "stale"])),
            ("bytes_basis", choice(&["estimated"])), ("as_of", maybe_time()),
        ])),
        ("CatchUp", object(&[
            ("seconds", maybe_number()), ("records_per_second", maybe_number()), ("converging", json!({"type": ["boolean", "null"]})),
        ])),
        ("Verdict", object(&[
            ("check", text()), ("verdict", choice(&["PASS", "WARN", "FAIL", "UNKNOWN"])), ("evidence", text()),
            ("observed_at", time()), ("age_seconds", number()), ("observed_by", text()), ("remedy", maybe_text()),
            ("explanation", maybe(reference("Explanation"))),
            ("affected", object(&[("topics", whole()), ("partitions", whole())])),
        ])),
        ("Object", object(&[
            ("kind", choice(&["link", "task", "topic", "partition"])), ("link", text()), ("task?", whole()), ("topic?", text()),
            ("partition?", whole()), ("count?", whole()),
        ])),
        ("Attention", object(&[
            ("severity", choice(&["critical", "warning", "info"])), ("object", reference("Object")), ("summary", text()),
            ("since", maybe_time()), ("explanation", maybe(reference("Explanation"))),
            ("actions", list(object(&[("label", text()), ("method", text()), ("path", text())]))),
        ])),
        ("PartitionError", object(&[
            ("offset", maybe_whole()), ("kind", text()), ("message", text()), ("side", maybe_text()),
            ("next_attempt_at", maybe_time()), ("explanation", maybe(reference("Explanation"))),
        ])),
        ("Gap", object(&[
            ("kind", text()), ("from_offset", maybe_whole()), ("to_offset", maybe_whole()), ("policy", text()),
            ("answers", list(text())),
        ])),
        ("Explanation", object(&[
            ("id", text()), ("title", text()), ("cause", text()),
            ("side", choice(&["source", "destination", "worker", "unknown"])), ("fix", list(text())), ("commands", list(text())),
            ("retries", choice(&["automatic", "needs-action"])), ("help", text()), ("matched_text", maybe_text()),
        ])),
        ("Incomplete", object(&[("worker_id", text()), ("reason", text()), ("partitions", maybe_whole())])),
    ]
}
