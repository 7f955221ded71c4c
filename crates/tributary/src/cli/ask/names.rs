//! Names of what a worker knows, for completion: asked for a second at most, and kept for ten.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Reach, context, items};
use crate::asking::{Failure, Workers, encode};

/// How long somebody who types may wait.
const LIMIT: Duration = Duration::from_secs(1);
/// How long an answer is good.
const FRESH: Duration = Duration::from_secs(10);

/// Whose names are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::cli) enum Named {
    Links,
    /// `LINK/N`.
    Tasks,
    /// Of a link.
    Topics(String),
    Workers,
    Clusters,
    Loggers,
    Contexts,
}

/// The names; none where they cannot be had in time.
pub(in crate::cli) async fn names(
    named: &Named,
    url: Option<String>,
    context: Option<String>,
) -> Vec<String> {
    if *named == Named::Contexts {
        return context::names();
    }
    let reach = Reach::of(url, context, true);
    let (Ok((at, _)), Ok(workers)) = (reach.address(), reach.found()) else {
        return Vec::new();
    };
    let key = format!("{at} {named:?}");
    if let Some(known) = kept(&key) {
        return known;
    }
    let Ok(Ok(found)) = timeout(LIMIT, asked(named, &workers)).await else {
        return Vec::new();
    };
    keep(&key, &found);
    found
}

async fn asked(named: &Named, workers: &Workers) -> Result<Vec<String>, Failure> {
    let rows = async |path: &str, member: &str| -> Result<Vec<String>, Failure> {
        let list = workers.get(path).await?;
        let names = items(&list).iter().filter_map(|row| row[member].as_str());
        Ok(names.map(str::to_owned).collect())
    };
    match named {
        Named::Links => {
            let all = workers.get("/connectors").await?;
            let names = all.as_array().into_iter().flatten();
            Ok(names.filter_map(Value::as_str).map(str::to_owned).collect())
        }
        Named::Tasks => {
            let all = workers.get("/connectors?expand=status").await?;
            let links = all.as_object().into_iter().flatten();
            let tasks = links.flat_map(|(name, shown)| {
                let tasks = shown["status"]["tasks"].as_array().into_iter().flatten();
                tasks.map(move |task| format!("{name}/{}", task["id"]))
            });
            Ok(tasks.collect())
        }
        Named::Topics(link) => {
            let path = format!("/api/v1/links/{}/topics?limit=1000", encode(link));
            rows(&path, "topic").await
        }
        Named::Workers => rows("/api/v1/workers", "worker_id").await,
        Named::Clusters => rows("/api/v1/clusters", "alias").await,
        Named::Loggers => {
            let all = workers.get("/admin/loggers").await?;
            Ok(all
                .as_object()
                .into_iter()
                .flat_map(|all| all.keys().cloned())
                .collect())
        }
        Named::Contexts => Ok(Vec::new()),
    }
}

fn seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// What was answered last, if it was to the same question, and a moment ago.
fn kept(key: &str) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(context::beside("names.json").ok()?).ok()?;
    let known: Value = serde_json::from_str(&text).ok()?;
    let age = seconds().checked_sub(known["at"].as_u64()?)?;
    if known["of"] != *key || age >= FRESH.as_secs() {
        return None;
    }
    let names = known["names"].as_array()?.iter();
    Some(names.filter_map(Value::as_str).map(str::to_owned).collect())
}

fn keep(key: &str, names: &[String]) {
    let known = json!({"of": key, "at": seconds(), "names": names});
    if let Ok(path) = context::beside("names.json") {
        // Where it cannot be kept, the worker is asked again.
        drop(context::write(&path, &known));
    }
}
