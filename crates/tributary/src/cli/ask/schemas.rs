//! Shapes of documents that only commands make; all others are those of the API.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

fn text() -> Value {
    json!({"type": "string"})
}

fn maybe() -> Value {
    json!({"type": ["string", "null"]})
}

fn whole() -> Value {
    json!({"type": "integer"})
}

/// A whole number, or nothing where it is not known.
fn number() -> Value {
    json!({"type": ["integer", "null"]})
}

fn boolean() -> Value {
    json!({"type": "boolean"})
}

fn object() -> Value {
    json!({"type": "object"})
}

fn maybe_object() -> Value {
    json!({"type": ["object", "null"]})
}

fn list(item: Value) -> Value {
    json!({"type": "array", "items": item})
}

fn members(members: Value) -> Value {
    json!({"type": "object", "properties": members})
}

/// A list of rows with their number.
fn rows(row: Value) -> Value {
    json!({"items": list(members(row)), "total": whole()})
}

/// By name, without the member that names them.
pub(super) fn of_commands() -> BTreeMap<String, Value> {
    let all = [of_changes(), of_lists(), of_files(), of_mirrors()];
    let named = all.into_iter().flatten();
    named
        .map(|(name, shape)| (name.to_owned(), named_as(name, shape)))
        .collect()
}

/// An object with all of these members, and the one that names it.
fn named_as(name: &str, mut shape: Value) -> Value {
    shape["schema"] = json!({"const": format!("tributary/v1/{name}")});
    let required: Vec<&String> = shape.as_object().into_iter().flat_map(Map::keys).collect();
    json!({"type": "object", "required": required, "properties": shape})
}

fn of_changes() -> Vec<(&'static str, Value)> {
    let change = json!({"key": text(), "before": maybe(), "after": maybe()});
    let difference = json!({
        "object": text(),
        "action": {"enum": ["created", "updated", "unchanged"]},
        "changes": list(members(change)),
    });
    let error = json!({
        "error_code": number(), "message": text(), "explanation": maybe_object(), "hints": list(text()),
    });
    vec![
        ("Error", error),
        ("Diff", json!({"items": list(members(difference))})),
    ]
}

fn of_lists() -> Vec<(&'static str, Value)> {
    let connector = json!({
        "name": text(), "type": maybe(), "state": maybe(), "worker_id": maybe(), "trace": maybe(), "tasks": list(text()),
    });
    let plugin = json!({"class": text(), "type": text(), "version": maybe()});
    let logger = json!({"name": text(), "level": text(), "last_modified": {"type": ["integer", "string", "null"]}});
    let setting = json!({
        "key": text(), "value": maybe(), "status": text(), "origin": maybe(), "meaning": text(),
    });
    let lag = json!({
        "link": text(), "topic": maybe(), "partition": number(), "source_end_offset": number(),
        "acked_offset": number(), "lag": object(), "catch_up": maybe_object(),
    });
    let mut lags = rows(lag);
    lags["as_of"] = text();
    let position = json!({"partition": object(), "offset": maybe_object()});
    vec![
        ("ConnectorList", rows(connector.clone())),
        ("Connector", connector),
        ("PluginList", rows(plugin.clone())),
        ("Plugin", plugin),
        ("LoggerList", rows(logger)),
        ("LinkConfigList", rows(setting)),
        ("Lag", lags),
        ("OffsetList", json!({"offsets": list(members(position))})),
        (
            "AttentionList",
            json!({"link": text(), "items": list(object())}),
        ),
        (
            "Version",
            json!({"client": object(), "worker": maybe_object()}),
        ),
    ]
}

fn of_files() -> Vec<(&'static str, Value)> {
    let key = json!({
        "key": text(), "value": maybe(), "origin": maybe(), "status": text(), "meaning": text(),
    });
    let problem = json!({
        "key": text(), "value": maybe(), "origin": maybe(), "wrong": text(), "remedy": maybe(), "did_you_mean": maybe(),
    });
    let notice = json!({"level": {"enum": ["info", "warning"]}, "text": text()});
    let file = json!({
        "file": text(), "kind": maybe(), "valid": boolean(), "error": text(), "keys": list(members(key)),
        "problems": list(members(problem)), "notices": list(members(notice)),
    });
    let effective = json!({
        "of": text(), "key": text(), "value": maybe(), "status": text(), "origin": text(), "place": maybe(),
        "meaning": text(),
    });
    vec![
        (
            "ConfigCheck",
            json!({"valid": boolean(), "files": list(members(file))}),
        ),
        ("ConfigEffective", rows(effective)),
        ("Verification", verification()),
    ]
}

fn verification() -> Value {
    let percent = || json!({"type": ["number", "null"]});
    let range = || members(json!({"from": whole(), "end": whole()}));
    let partition = json!({
        "topic": text(), "partition": whole(), "destination_topic": text(), "destination_partition": whole(),
        "result": text(), "reason": maybe(), "by": {"enum": ["offset", "content"]},
        "source_range": range(), "destination_range": range(), "source_records": whole(), "destination_records": whole(),
        "equal": whole(), "coverage_percent": percent(), "source_hash": text(), "destination_hash": text(),
        "differences": object(), "explained": object(), "listed": list(object()),
    });
    json!({
        "link": maybe(), "level": text(), "as_of_ms": whole(), "sample_seed": number(), "result": text(),
        "coverage_percent": percent(), "differences": object(), "explained": object(),
        "partitions": list(members(partition)),
    })
}

fn of_mirrors() -> Vec<(&'static str, Value)> {
    let list = json!({
        "link_name": text(), "mirror_topic_name": maybe(), "source_topic_name": text(), "mirror_status": text(),
        "status_time_ms": number(), "num_partition": number(), "max_per_partition_mirror_lag": number(),
    });
    let description = json!({
        "link_name": text(), "mirror_topic_name": maybe(), "source_topic_name": text(), "mirror_status": text(),
        "mirror_topic_error": maybe(), "status_time_ms": number(), "partition": number(),
        "partition_mirror_lag": number(), "last_source_fetch_offset": number(),
    });
    vec![
        ("MirrorList", rows(list)),
        ("MirrorDescription", rows(description)),
    ]
}
