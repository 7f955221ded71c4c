//! The OpenAPI document, made from the table of routes.

use serde_json::{Map, Value, json};

use crate::route::{Endpoint, ROWS};
use crate::v1;

/// The document, OpenAPI 3.1. `version` is that of the program.
#[must_use]
pub fn document(version: &str) -> Value {
    let mut paths = Map::new();
    for row in ROWS {
        let mut item = Map::new();
        let parameters = path_parameters(row.path);
        if !parameters.is_empty() {
            item.insert("parameters".into(), Value::Array(parameters));
        }
        for (method, summary) in row.methods {
            let operation = operation(row.endpoint, method, summary);
            item.insert(method.to_ascii_lowercase(), operation);
        }
        paths.insert(row.path.to_owned(), Value::Object(item));
    }
    let mut all = schemas();
    let members = all.as_object_mut().expect("schemas by name");
    v1::openapi::add(&mut paths, members);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tributary",
            "version": version,
            "description": "Kafka Connect's REST API, served by a Tributary worker, and below /api/v1 what that does not say: health, lag, topics, partitions, previews, explanations.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": all,
            "responses": {
                "Error": {
                    "description": "The request was not done",
                    "content": {"application/json": {"schema": reference("Error")}},
                },
            },
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{}, {"basic": []}, {"bearer": []}],
    })
}

pub(crate) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

pub(crate) fn path_parameters(path: &str) -> Vec<Value> {
    path.split('/')
        .filter_map(|part| Some(part.strip_prefix('{')?.split_once('}')?.0))
        .map(|name| {
            let schema = if ["task", "partition"].contains(&name) {
                json!({"type": "integer", "minimum": 0})
            } else {
                json!({"type": "string", "minLength": 1})
            };
            json!({"name": name, "in": "path", "required": true, "schema": schema})
        })
        .collect()
}

fn operation(endpoint: Endpoint, method: &str, summary: &str) -> Value {
    let mut operation = Map::new();
    let id = format!("{}{endpoint:?}", method.to_ascii_lowercase());
    operation.insert("operationId".into(), json!(id));
    operation.insert("summary".into(), json!(summary));
    let parameters = query_parameters(endpoint, method);
    if !parameters.is_empty() {
        operation.insert("parameters".into(), Value::Array(parameters));
    }
    if is_internal(endpoint, method) {
        operation.insert("x-internal".into(), json!(true));
    }
    if let Some((schema, example)) = body(endpoint, method) {
        let content = json!({"application/json": {"schema": schema, "example": example}});
        operation.insert(
            "requestBody".into(),
            json!({"required": true, "content": content}),
        );
    }
    let mut responses = Map::new();
    for (status, description, schema) in answers(endpoint, method) {
        let mut response = json!({"description": description});
        if let Some(schema) = schema {
            let kinds: &[&str] = match endpoint {
                Endpoint::Metrics => &["text/plain", "application/openmetrics-text"],
                _ => &["application/json"],
            };
            for kind in kinds {
                response["content"][*kind] = json!({"schema": schema});
            }
        }
        responses.insert(status.to_owned(), response);
    }
    responses.insert(
        "default".into(),
        json!({"$ref": "#/components/responses/Error"}),
    );
    operation.insert("responses".into(), Value::Object(responses));
    Value::Object(operation)
}

fn query_parameters(endpoint: Endpoint, method: &str) -> Vec<Value> {
    let flag = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "boolean"}});
    match (endpoint, method) {
        (Endpoint::Connectors, "GET") => vec![json!({
            "name": "expand", "in": "query",
            "schema": {"type": "array", "items": {"type": "string", "enum": ["status", "info"]}},
        })],
        (Endpoint::Restart, _) => vec![flag("includeTasks"), flag("onlyFailed")],
        (Endpoint::Plugins, _) => vec![flag("connectorsOnly")],
        (Endpoint::Logger, "PUT") => vec![json!({
            "name": "scope", "in": "query",
            "schema": {"type": "string", "enum": ["worker", "cluster"]},
        })],
        _ => Vec::new(),
    }
}

/// What only workers ask each other.
fn is_internal(endpoint: Endpoint, method: &str) -> bool {
    matches!(
        (endpoint, method),
        (Endpoint::Tasks, "POST") | (Endpoint::Fence, _)
    )
}

/// The schema of a body, and a body.
fn body(endpoint: Endpoint, method: &str) -> Option<(Value, Value)> {
    let config = || {
        json!({
            "connector.class": "io.confluent.connect.replicator.ReplicatorSourceConnector",
            "src.kafka.bootstrap.servers": "west-1:9092,west-2:9092",
            "dest.kafka.bootstrap.servers": "central-1:9092",
            "topic.regex": "orders.*",
            "tasks.max": 4,
        })
    };
    let (schema, example) = match (endpoint, method) {
        (Endpoint::Connectors, "POST") => (
            "NewConnector",
            json!({"name": "west-to-central", "config": config(), "initial_state": "RUNNING"}),
        ),
        (Endpoint::Config, "PATCH") => {
            ("GivenConfig", json!({"tasks.max": 8, "topic.regex": null}))
        }
        (Endpoint::Config, "PUT") | (Endpoint::Validate, _) => ("GivenConfig", config()),
        (Endpoint::Offsets, "PATCH") => (
            "ConnectorOffsets",
            json!({"offsets": [
                {"partition": {"topic": "orders", "partition": 0}, "offset": {"offset": 42}},
                {"partition": {"topic": "orders", "partition": 1}, "offset": null},
            ]}),
        ),
        (Endpoint::Logger, "PUT") => ("NewLevel", json!({"level": "DEBUG"})),
        _ => return None,
    };
    Some((reference(schema), example))
}

type Answers = Vec<(&'static str, &'static str, Option<Value>)>;

fn answers(endpoint: Endpoint, method: &str) -> Answers {
    let list = |name: &str| Some(json!({"type": "array", "items": reference(name)}));
    let map = |name: &str| Some(json!({"type": "object", "additionalProperties": reference(name)}));
    let one = |name: &str| Some(reference(name));
    let texts = || json!({"type": "array", "items": {"type": "string"}});
    match (endpoint, method) {
        (Endpoint::Root, _) => vec![("200", "The worker", one("Root"))],
        (Endpoint::Health, _) => vec![
            ("200", "It answers", one("Health")),
            ("503", "It has not begun yet", one("Health")),
            ("500", "It does not answer", one("Health")),
        ],
        (Endpoint::OpenApi, _) => vec![("200", "This document", Some(json!({"type": "object"})))],
        (Endpoint::Metrics, _) => {
            let text = json!({"type": "string"});
            vec![(
                "200",
                "Series; as OpenMetrics where that is accepted",
                Some(text),
            )]
        }
        (Endpoint::Connectors, "GET") => {
            let expanded = map("Expanded").expect("a schema");
            vec![(
                "200",
                "Names, or parts by name",
                Some(json!({"oneOf": [texts(), expanded]})),
            )]
        }
        (Endpoint::Connectors, _) => vec![("201", "Created", one("ConnectorInfo"))],
        (Endpoint::Connector, "DELETE") => vec![("204", "Deleted", None)],
        (Endpoint::Connector, _) => vec![("200", "The connector", one("ConnectorInfo"))],
        (Endpoint::Config, "PUT") => vec![
            ("200", "Replaced", one("ConnectorInfo")),
            ("201", "Created", one("ConnectorInfo")),
        ],
        (Endpoint::Config, "PATCH") => vec![("200", "Changed", one("ConnectorInfo"))],
        (Endpoint::Config, _) => vec![("200", "The configuration", one("Config"))],
        (Endpoint::Status, _) => vec![("200", "The state", one("ConnectorStateInfo"))],
        (Endpoint::Tasks, "GET") => vec![("200", "The tasks", list("TaskInfo"))],
        (Endpoint::TasksConfig, _) => vec![("200", "By task", map("Config"))],
        (Endpoint::TaskStatus, _) => vec![("200", "The state", one("TaskState"))],
        (Endpoint::Restart, _) => vec![
            (
                "202",
                "What is restarted reads RESTARTING",
                one("ConnectorStateInfo"),
            ),
            ("204", "Restarted", None),
        ],
        (Endpoint::Pause | Endpoint::Resume | Endpoint::TopicsReset, _) => {
            vec![("202", "It will be so", None)]
        }
        (Endpoint::Stop | Endpoint::TaskRestart | Endpoint::Tasks | Endpoint::Fence, _) => {
            vec![("204", "Done", None)]
        }
        (Endpoint::Topics, _) => vec![("200", "By connector", map("Topics"))],
        (Endpoint::Offsets, "GET") => vec![("200", "Positions", one("ConnectorOffsets"))],
        (Endpoint::Offsets, _) => vec![("200", "Done", one("Message"))],
        (Endpoint::Plugins, _) => vec![("200", "Classes", list("PluginInfo"))],
        (Endpoint::PluginConfig, _) => vec![("200", "Keys", list("ConfigKeyInfo"))],
        (Endpoint::Validate, _) => {
            vec![("200", "Also where something is wrong", one("ConfigInfos"))]
        }
        (Endpoint::Loggers, _) => vec![("200", "By name", map("LoggerLevel"))],
        (Endpoint::Logger, "PUT") => vec![
            ("200", "Loggers that were set", Some(texts())),
            ("204", "Set everywhere", None),
        ],
        (Endpoint::Logger, _) => vec![("200", "The level", one("LoggerLevel"))],
    }
}

/// An object with these members, of which those without a question mark are always there.
pub(crate) fn object(members: &[(&str, Value)]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, schema) in members {
        let plain = name.trim_end_matches('?');
        if plain == *name {
            required.push(plain);
        }
        properties.insert(plain.to_owned(), schema.clone());
    }
    json!({"type": "object", "properties": properties, "required": required})
}

fn schemas() -> Value {
    let text = || json!({"type": "string"});
    let maybe = || json!({"type": ["string", "null"]});
    let number = || json!({"type": "integer"});
    let maybe_number = || json!({"type": ["integer", "null"]});
    let boolean = || json!({"type": "boolean"});
    let list = |schema: Value| json!({"type": "array", "items": schema});
    let choice = |values: &[&str]| json!({"type": "string", "enum": values});
    let free = || json!({"type": "object"});
    let states = ["UNASSIGNED", "RUNNING", "PAUSED", "FAILED", "RESTARTING"];
    let connector_states = [&states[..], &["STOPPED"]].concat();
    let kind = || choice(&["source", "sink", "unknown"]);
    let scalar = json!({"type": ["string", "number", "boolean", "null"]});
    json!({
        "Error": object(&[("error_code", number()), ("message", text())]),
        "Message": object(&[("message", text())]),
        "Root": object(&[("version", text()), ("commit", text()), ("kafka_cluster_id", maybe()), ("tributary_version", text())]),
        "Health": object(&[("status", choice(&["healthy", "starting", "unhealthy"])), ("message", text())]),
        "Config": {"type": "object", "additionalProperties": text()},
        "GivenConfig": {"type": "object", "additionalProperties": scalar},
        "NewConnector": object(&[("name", text()), ("config", reference("GivenConfig")), ("initial_state?", text())]),
        "NewLevel": object(&[("level", text())]),
        "TaskId": object(&[("connector", text()), ("task", number())]),
        "TaskInfo": object(&[("id", reference("TaskId")), ("config", reference("Config"))]),
        "ConnectorInfo": object(&[("name", text()), ("config", reference("Config")), ("tasks", list(reference("TaskId"))), ("type", kind())]),
        "InstanceState": object(&[("state", choice(&connector_states)), ("worker_id", text()), ("trace?", text())]),
        "TaskState": object(&[("id", number()), ("state", choice(&states)), ("worker_id", text()), ("trace?", text())]),
        "Replication": object(&[
            ("partitions", number()), ("running", number()), ("starting", number()), ("waiting", number()),
            ("stopped", number()), ("lag", maybe_number()),
            ("health", choice(&["HEALTHY", "CATCHING_UP", "DEGRADED", "FAILED", "UNKNOWN", ""])), ("health_reason", text()),
            ("lag_detail", json!({"oneOf": [reference("LagDetail"), {"type": "null"}]})),
            ("states", json!({"type": "object", "additionalProperties": number()})), ("trouble", list(text())),
        ]),
        "LagDetail": object(&[
            ("known", boolean()), ("records", maybe_number()), ("seconds", json!({"type": "number"})), ("bytes", number()),
            ("seconds_basis", text()), ("age_seconds", json!({"type": ["number", "null"]})),
        ]),
        "Resume": object(&[
            ("action?", choice(&["resume", "skip-record", "continue", "append", "recopy"])), ("expected_offset?", number()),
        ]),
        "ConnectorStateInfo": object(&[
            ("name", text()), ("connector", reference("InstanceState")), ("tasks", list(reference("TaskState"))),
            ("type", kind()), ("tributary?", reference("Replication")),
        ]),
        "Expanded": object(&[("status?", reference("ConnectorStateInfo")), ("info?", reference("ConnectorInfo"))]),
        "Topics": object(&[("topics", list(text()))]),
        "SourceOffset": object(&[("partition", free()), ("offset", json!({"type": ["object", "null"]}))]),
        "ConnectorOffsets": object(&[("offsets", list(reference("SourceOffset")))]),
        "PluginInfo": object(&[
            ("class", text()),
            ("type", choice(&["source", "sink", "converter", "header_converter", "transformation", "predicate"])),
            ("version?", text()),
        ]),
        "ConfigKeyInfo": object(&[
            ("name", text()),
            ("type", choice(&["BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"])),
            ("required", boolean()), ("default_value", maybe()), ("importance", choice(&["HIGH", "MEDIUM", "LOW"])),
            ("documentation", text()), ("group", text()), ("width", choice(&["NONE", "SHORT", "MEDIUM", "LONG"])),
            ("display_name", text()), ("dependents", list(text())), ("order", number()),
        ]),
        "ConfigValueInfo": object(&[
            ("name", text()), ("value", maybe()), ("recommended_values", list(text())), ("errors", list(text())),
            ("visible", boolean()),
        ]),
        "ConfigInfo": object(&[("definition", reference("ConfigKeyInfo")), ("value", reference("ConfigValueInfo"))]),
        "ConfigInfos": object(&[
            ("name", text()), ("error_count", number()), ("groups", list(text())), ("configs", list(reference("ConfigInfo"))),
        ]),
        "LoggerLevel": object(&[("level", text()), ("last_modified", json!({"type": ["integer", "null"]}))]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` of a value.
    fn references(value: &Value, all: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    if key == "$ref" {
                        all.extend(value.as_str().map(str::to_owned));
                    }
                    references(value, all);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, all)),
            _ => {}
        }
    }

    #[test]
    fn every_route_is_described_and_every_reference_leads_somewhere() {
        let document = document("1.2.3");
        let distinct = v1::route::ROWS.iter().map(|row| row.path);
        let distinct: std::collections::BTreeSet<&str> = distinct.collect();
        assert_eq!(
            document["paths"].as_object().map(Map::len),
            Some(ROWS.len() + distinct.len())
        );
        let mut all = Vec::new();
        references(&document, &mut all);
        for reference in all {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }
}
