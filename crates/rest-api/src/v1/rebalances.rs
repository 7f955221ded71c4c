//! What moves between the workers of a group: now, soon, and lately. Pure.
//!
//! The leader alone knows; other workers hear it with its share.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use worker_group::detail::instant;
use worker_group::herder::{Dealt, GroupView, Waiting};

use super::gather::LinkView;
use super::peers::{Group, worker_of};

/// Names of workers in one sentence.
const NAMED: usize = 5;

/// What this worker says of its group: what goes on, what waits, and what was decided while it led.
pub(crate) fn told(view: Option<&GroupView>, own: &[LinkView], now: SystemTime) -> Vec<Value> {
    let Some(view) = view else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    if view.rebalancing {
        rows.push(row(view.generation, "running", now));
    }
    if let Some(waiting) = &view.waiting {
        rows.push(scheduled(view.generation, waiting, own, now));
    }
    rows.extend(view.past.iter().map(|dealt| done(dealt, now)));
    rows
}

/// What the whole group says, what is not over first.
pub(crate) fn rows(own: Vec<Value>, group: &Group) -> Vec<Value> {
    let others = group.shares.values().flat_map(|share| &share.rebalances);
    let mut rows: Vec<Value> = own.into_iter().chain(others.cloned()).collect();
    let order = |row: &Value| match row["state"].as_str() {
        Some("scheduled") => 0,
        Some("running") => 1,
        _ => 2,
    };
    rows.sort_by_key(|row| (order(row), -row["generation"].as_i64().unwrap_or(-1)));
    // All workers take part in the same one.
    let mut running = false;
    rows.retain(|row| row["state"] != "running" || !std::mem::replace(&mut running, true));
    rows
}

/// The one that is not over.
pub(crate) fn pending(rows: &[Value]) -> Value {
    let first = rows.first().filter(|row| row["state"] != "done");
    first.cloned().unwrap_or(Value::Null)
}

fn row(generation: i32, state: &str, now: SystemTime) -> Value {
    json!({
        "schema": "tributary/v1/Rebalance",
        "generation": generation,
        "state": state,
        "reason": null,
        "started_at": null,
        "duration_seconds": null,
        "remaining_seconds": null,
        "moved": [],
        "moves": 0,
        "unassigned": [],
        "as_of": instant(now),
    })
}

fn scheduled(generation: i32, waiting: &Waiting, own: &[LinkView], now: SystemTime) -> Value {
    let state = |name: &str| own.iter().find(|view| view.name == *name);
    let connectors = waiting.connectors.iter().map(|name| {
        let last = state(name).map(|view| view.state.connector.worker_id.clone());
        (name, None, last)
    });
    let tasks = waiting.tasks.iter().map(|id| {
        let tasks = state(&id.connector).map(|view| &view.state.tasks);
        let task = tasks.and_then(|tasks| tasks.iter().find(|task| task.id == id.task));
        (
            &id.connector,
            Some(id.task),
            task.map(|task| task.worker_id.clone()),
        )
    });
    let all: Vec<_> = connectors.chain(tasks).collect();
    let mut lost: Vec<&str> = all.iter().filter_map(|one| one.2.as_deref()).collect();
    lost.sort_unstable();
    lost.dedup();
    let mut scheduled = row(generation, "scheduled", now);
    scheduled["reason"] = match lost.is_empty() {
        true => json!("a worker was lost"),
        false => json!(format!("{} was lost", listed(&lost))),
    };
    scheduled["remaining_seconds"] =
        json!(Duration::from_millis(waiting.reassigned_in_ms).as_secs_f64());
    let unassigned = all
        .into_iter()
        .map(|(link, task, last)| json!({"link": link, "task": task, "last_worker": last}));
    scheduled["unassigned"] = unassigned.collect();
    scheduled
}

fn done(dealt: &Dealt, now: SystemTime) -> Value {
    let ids = |urls: &[String]| -> Vec<String> {
        urls.iter()
            .map(|url| worker_of(url).unwrap_or_else(|| url.clone()))
            .collect()
    };
    let mut reasons = Vec::new();
    for (what, urls) in [("joined", &dealt.joined), ("left", &dealt.left)] {
        if !urls.is_empty() {
            let ids = ids(urls);
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            reasons.push(format!("{} {what}", listed(&ids)));
        }
    }
    let mut done = row(dealt.generation, "done", now);
    done["reason"] = match reasons.is_empty() {
        true => json!("links or tasks were others, or were evened out"),
        false => json!(reasons.join(", ")),
    };
    let since = Duration::from_millis(u64::try_from(dealt.at_ms).unwrap_or(0));
    done["started_at"] = json!(instant(UNIX_EPOCH + since));
    let id = |url: &Option<String>| url.as_deref().and_then(worker_of);
    let moved = dealt.moved.iter().map(|moved| {
        json!({
            "link": moved.connector, "task": moved.task,
            "from": id(&moved.from), "to": id(&moved.to),
        })
    });
    done["moved"] = moved.collect();
    done["moves"] = json!(dealt.moves);
    done
}

/// The first of them, and how many more.
fn listed(names: &[&str]) -> String {
    let mut text = names[..names.len().min(NAMED)].join(", ");
    if names.len() > NAMED {
        text.push_str(&format!(" and {} more", names.len() - NAMED));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use worker_group::herder::{Moved, Rebalances};
    use worker_group::view::TaskId;

    use super::*;

    fn view() -> GroupView {
        GroupView {
            id: "g".to_owned(),
            generation: 7,
            protocol: None,
            leader: None,
            rebalancing: false,
            connectors: 0,
            tasks: 0,
            waiting: None,
            members: None,
            past: Vec::new(),
            rebalances: Rebalances::default(),
            config_offset: 0,
        }
    }

    #[test]
    fn what_waits_is_counted_down_and_comes_before_what_is_over() {
        let mut led = view();
        led.waiting = Some(Waiting {
            connectors: Vec::new(),
            tasks: vec![TaskId {
                connector: "a".to_owned(),
                task: 3,
            }],
            reassigned_in_ms: 252_000,
        });
        led.past = vec![Arc::new(Dealt {
            generation: 6,
            at_ms: 0,
            joined: vec!["http://one:8083/".to_owned()],
            left: Vec::new(),
            moved: vec![Moved {
                connector: "a".to_owned(),
                task: Some(3),
                from: None,
                to: Some("http://one:8083/".to_owned()),
            }],
            moves: 1,
        })];
        let rows = rows(told(Some(&led), &[], UNIX_EPOCH), &Group::default());
        let said = pending(&rows);
        assert_eq!(said["state"], "scheduled");
        assert_eq!(said["remaining_seconds"], 252.0);
        assert_eq!(said["reason"], "a worker was lost");
        assert_eq!(said["unassigned"][0]["task"], 3);
        assert_eq!(rows[1]["reason"], "one:8083 joined");
        assert_eq!(rows[1]["moved"][0]["to"], "one:8083");
    }

    #[test]
    fn nothing_is_pending_where_nothing_is() {
        assert_eq!(pending(&[]), Value::Null);
        let rows = rows(told(Some(&view()), &[], UNIX_EPOCH), &Group::default());
        assert_eq!(pending(&rows), Value::Null);
    }
}
