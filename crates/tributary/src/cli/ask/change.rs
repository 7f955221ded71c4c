//! `tributary create`, `apply` and `delete`: links from files, by Connect's API. Doing the same again changes nothing.

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Exit, Reach};
use crate::asking::{Failure, Workers, encode};
use crate::{output, settings};

/// Create links from files; a link that is there already is an error.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary create -f orders-dr.json")]
pub(in crate::cli) struct CreateArgs {
    /// Files with a link each: properties, a flat JSON map, or {"name", "config", "initial_state"}
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Only say whether it could be created
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    reach: Reach,
}

/// Create or update links from files; one that is so already stays untouched.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLE\n  tributary apply -f orders-dr.json -f audit-dr.properties --dry-run"
)]
pub(in crate::cli) struct ApplyArgs {
    /// Files with a link each
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Only show which keys would change
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    reach: Reach,
}

/// Delete links; their positions and the destination's topics stay.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary delete link orders-dr --yes")]
pub(in crate::cli) struct DeleteArgs {
    /// Names, with or without the word link in front
    #[arg(required = true)]
    names: Vec<String>,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    reach: Reach,
}

/// A link of a file.
struct Given {
    name: String,
    config: Map<String, Value>,
    initial: Option<String>,
}

fn read(path: &Path) -> Option<Given> {
    let raw = settings::read(path)
        .map_err(|problem| output::error(&problem))
        .ok()?;
    let entries = raw.entries().iter();
    let config: Map<String, Value> = entries
        .map(|entry| (entry.key.clone(), Value::from(entry.value.clone())))
        .collect();
    let Some(name) = config
        .get("name")
        .and_then(Value::as_str)
        .map(str::to_owned)
    else {
        output::error(&format!("{} has no name: add name=…", path.display()));
        return None;
    };
    Some(Given {
        name,
        config,
        initial: raw.initial_state.clone(),
    })
}

/// What is wrong with a configuration, as the worker sees it.
async fn validated(workers: &Workers, config: &Map<String, Value>) -> Result<(), Failure> {
    let class = config
        .get("connector.class")
        .and_then(Value::as_str)
        .unwrap_or("");
    let path = format!("/connector-plugins/{}/config/validate", encode(class));
    let infos = workers
        .send("PUT", &path, Some(&Value::Object(config.clone())))
        .await?;
    let configs = infos["configs"].as_array().into_iter().flatten();
    let errors: Vec<&str> = configs
        .flat_map(|one| one["value"]["errors"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    Err(Failure {
        status: Some(400),
        message: errors.join("; "),
        explanation: None,
    })
}

/// Runs `create`.
pub(in crate::cli) async fn create(args: CreateArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let mut exit = Exit::Done;
    for path in &args.files {
        let Some(given) = read(path) else {
            exit = Exit::Error;
            continue;
        };
        let object = format!("link/{}", given.name);
        let outcome = if args.dry_run {
            validated(&workers, &given.config).await
        } else {
            let mut body = json!({"name": given.name, "config": given.config});
            if let Some(initial) = &given.initial {
                body["initial_state"] = json!(initial);
            }
            workers
                .send("POST", "/connectors", Some(&body))
                .await
                .map(drop)
        };
        match outcome {
            Ok(()) => args.reach.done(&object, "created", args.dry_run),
            Err(failure) => {
                exit = args
                    .reach
                    .failed(&format!("{object} cannot be created"), &failure)
            }
        }
    }
    exit
}

/// Runs `apply`.
pub(in crate::cli) async fn apply(args: ApplyArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let mut exit = Exit::Done;
    for path in &args.files {
        let Some(given) = read(path) else {
            exit = Exit::Error;
            continue;
        };
        let object = format!("link/{}", given.name);
        match applied(&workers, &given, args.dry_run).await {
            Ok(action) => args.reach.done(&object, action, args.dry_run),
            Err(failure) => {
                exit = args
                    .reach
                    .failed(&format!("{object} cannot be applied"), &failure)
            }
        }
    }
    exit
}

async fn applied(workers: &Workers, given: &Given, dry_run: bool) -> Result<&'static str, Failure> {
    let path = format!("/connectors/{}/config", encode(&given.name));
    let stored = match workers.get(&path).await {
        Ok(stored) => Some(stored),
        Err(failure) if failure.status == Some(404) => None,
        Err(failure) => return Err(failure),
    };
    let wanted = Value::Object(given.config.clone());
    let action = match &stored {
        None => "created",
        Some(stored) if *stored == wanted => return Ok("unchanged"),
        Some(_) => "updated",
    };
    if dry_run {
        validated(workers, &given.config).await?;
        for line in changed(stored.as_ref(), &given.config) {
            output::notice(&line);
        }
        return Ok(action);
    }
    match (&stored, &given.initial) {
        // Only at its creation a link can be told in which state to begin.
        (None, Some(initial)) => {
            let body =
                json!({"name": given.name, "config": given.config, "initial_state": initial});
            workers.send("POST", "/connectors", Some(&body)).await?;
        }
        _ => {
            workers.send("PUT", &path, Some(&wanted)).await?;
        }
    }
    Ok(action)
}

/// Keys that differ, without secrets.
fn changed(stored: Option<&Value>, wanted: &Map<String, Value>) -> Vec<String> {
    let nothing = Map::new();
    let stored = stored.and_then(Value::as_object).unwrap_or(&nothing);
    let shown = |key: &str, value: &Value| {
        config::key::shown_to_readers(key, value.as_str().unwrap_or_default())
    };
    let mut lines = Vec::new();
    for (key, value) in stored {
        if wanted.get(key) != Some(value) {
            lines.push(format!("- {key}={}", shown(key, value)));
        }
    }
    for (key, value) in wanted {
        if stored.get(key) != Some(value) {
            lines.push(format!("+ {key}={}", shown(key, value)));
        }
    }
    lines
}

/// Runs `delete`.
pub(in crate::cli) async fn delete(args: DeleteArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let names = super::steer::without_noun(&args.names);
    if names.is_empty() {
        output::error("which link?");
        return Exit::Usage;
    }
    if !args.yes && !args.dry_run && !confirmed(names) {
        output::error("nothing was deleted: say so at the prompt, or with --yes");
        return Exit::Usage;
    }
    let mut exit = Exit::Done;
    for name in names {
        let path = format!("/connectors/{}", encode(name));
        let outcome = match args.dry_run {
            true => workers.get(&path).await,
            false => workers.send("DELETE", &path, None).await,
        };
        let object = format!("link/{name}");
        match outcome {
            Ok(_) => args.reach.done(&object, "deleted", args.dry_run),
            Err(failure) if failure.status == Some(404) => {
                args.reach.done(&object, "unchanged", args.dry_run)
            }
            Err(failure) => {
                exit = args
                    .reach
                    .failed(&format!("{object} cannot be deleted"), &failure)
            }
        }
    }
    exit
}

fn confirmed(names: &[String]) -> bool {
    if !std::io::stdin().is_terminal() {
        return false;
    }
    output::notice(&format!(
        "delete {}? Positions are kept, destination topics are not touched. Type yes:",
        names.join(", ")
    ));
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).is_ok() && line.trim() == "yes"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told_key_by_key_without_secrets() {
        let stored = json!({"a": "1", "b": "2", "sasl.jaas.config": "x"});
        let wanted = json!({"a": "1", "b": "3", "sasl.jaas.config": "y", "c": "4"});
        let wanted = wanted.as_object().expect("an object");
        assert_eq!(
            changed(Some(&stored), wanted),
            [
                "- b=2",
                "- sasl.jaas.config=[hidden]",
                "+ b=3",
                "+ c=4",
                "+ sasl.jaas.config=[hidden]"
            ]
        );
    }
}
