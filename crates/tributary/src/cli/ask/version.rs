//! `tributary version` and `tributary schema`: what this program is, and what its documents look like.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Map, Value, json};

use super::schemas::of_commands;
use super::{Exit, Reach};
use crate::output;

/// Print the version of this program and of the worker.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary version --client")]
pub(in crate::cli) struct VersionArgs {
    /// Ask no worker
    #[arg(long)]
    client: bool,

    #[command(flatten)]
    reach: Reach,
}

/// Print the JSON Schema of a document, or the names of all.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary schema LinkList")]
pub(in crate::cli) struct SchemaArgs {
    /// Its name: what stands behind tributary/v1/ in its member "schema"
    name: Option<String>,
}

/// Runs `version`.
pub(in crate::cli) async fn version(args: VersionArgs) -> Exit {
    let commit = option_env!("TRIBUTARY_COMMIT").unwrap_or("unknown");
    let own = json!({"version": env!("CARGO_PKG_VERSION"), "commit": commit});
    let asked = match args.client {
        true => None,
        false => match args.reach.workers() {
            Some(workers) => Some(workers.get("/api/v1/info").await),
            None => return Exit::Usage,
        },
    };
    let worker = asked.as_ref().and_then(|answer| answer.as_ref().ok());
    let worker = worker.map(|info| {
        json!({"version": info["version"], "commit": info["commit"], "worker_id": info["worker_id"]})
    });
    let document = json!({"schema": "tributary/v1/Version", "client": own, "worker": worker});
    args.reach.print(&document, |_| {
        let text = |value: &Value| value.as_str().unwrap_or("unknown").to_owned();
        let line = |what: &str, one: &Value| {
            let (version, commit) = (text(&one["version"]), text(&one["commit"]));
            format!("{what:<7} {version} (commit {commit})")
        };
        let of_worker = worker
            .iter()
            .map(|one| format!("{} at {}", line("worker", one), text(&one["worker_id"])));
        [line("client", &own)]
            .into_iter()
            .chain(of_worker)
            .collect()
    });
    match asked {
        Some(Err(failure)) => args
            .reach
            .failed("the worker's version is not known", &failure),
        _ => Exit::Done,
    }
}

/// Every document there is, by the name that it has in `schema`.
fn all() -> BTreeMap<String, Value> {
    let document = rest_api::openapi_document(env!("CARGO_PKG_VERSION"));
    let shapes = document["components"]["schemas"].as_object();
    let shapes = shapes.cloned().unwrap_or_default();
    let of_api = shapes.values().filter_map(|shape| {
        let name = shape["properties"]["schema"]["const"].as_str()?;
        let name = name.strip_prefix("tributary/v1/")?;
        let mut shape = shape.clone();
        if name == "Link" {
            // `describe` adds them.
            let check = json!({"$ref": format!("{PLACE}Verdict")});
            shape["properties"]["checks"] = json!({"type": "array", "items": check});
        }
        Some((name.to_owned(), with_parts(&shape, &shapes)))
    });
    let own = of_commands();
    // What status prints is the overview, with the answer to the question.
    let status = shapes.get("Overview").map(|shape| {
        let mut shape = with_parts(shape, &shapes);
        shape["properties"]["schema"] = json!({"const": "tributary/v1/Status"});
        shape["properties"]["well"] = json!({"type": "boolean"});
        ("Status".to_owned(), shape)
    });
    of_api
        .chain(status)
        .chain(own)
        .map(|(name, mut shape)| {
            shape["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
            shape["title"] = json!(name);
            (name, shape)
        })
        .collect()
}

const PLACE: &str = "#/components/schemas/";

/// A shape that stands for itself: what it refers to is in it.
fn with_parts(shape: &Value, shapes: &Map<String, Value>) -> Value {
    let mut whole = shape.clone();
    let mut parts = Map::new();
    let mut wanted = moved(&mut whole);
    while let Some(name) = wanted.pop() {
        if parts.contains_key(&name) {
            continue;
        }
        let mut part = shapes.get(&name).cloned().unwrap_or(Value::Bool(true));
        wanted.extend(moved(&mut part));
        parts.insert(name, part);
    }
    if !parts.is_empty() {
        whole["$defs"] = Value::Object(parts);
    }
    whole
}

/// Has references lead into the document itself, and says to what.
fn moved(value: &mut Value) -> Vec<String> {
    let mut found = Vec::new();
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str().and_then(|text| text.strip_prefix(PLACE)) {
                    Some(part) if name == "$ref" => {
                        found.push(part.to_owned());
                        *member = json!(format!("#/$defs/{part}"));
                    }
                    _ => found.extend(moved(member)),
                }
            }
        }
        Value::Array(items) => found.extend(items.iter_mut().flat_map(moved)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    found
}

/// Runs `schema`.
pub(in crate::cli) fn schema(args: &SchemaArgs) -> Exit {
    let all = all();
    let Some(name) = &args.name else {
        all.keys().for_each(|name| output::line(name));
        return Exit::Done;
    };
    let short = name.trim_start_matches("tributary/v1/");
    match all.get(short) {
        Some(shape) => {
            output::line(&serde_json::to_string_pretty(shape).expect("a document of texts"));
            Exit::Done
        }
        None => {
            output::error(&format!(
                "there is no document {name}: `tributary schema` lists all"
            ));
            Exit::Error
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_that_a_command_was_seen_to_print_has_a_schema() {
        let (all, approved) = (all(), include_str!("../../../tests/answers.txt"));
        let mark = "schema = \"tributary/v1/";
        for name in approved.split(mark).skip(1) {
            let name = name.split('"').next().unwrap_or_default();
            assert!(all.contains_key(name), "{name}");
        }
    }

    #[test]
    fn every_schema_stands_for_itself() {
        let all = all();
        for name in [
            "LinkList",
            "Status",
            "Partition",
            "Preview",
            "Result",
            "Diff",
        ] {
            assert!(all.contains_key(name), "{name}: {:?}", all.keys());
        }
        for (name, shape) in &all {
            let text = shape.to_string();
            assert!(!text.contains(PLACE), "{name}");
            for part in text.split("#/$defs/").skip(1) {
                let part = part.split('"').next().unwrap_or("");
                assert!(!shape["$defs"][part].is_null(), "{name}: {part}");
            }
        }
    }
}
