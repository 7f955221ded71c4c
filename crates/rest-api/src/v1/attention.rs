//! What of a link needs somebody: one row per problem, those of one cause together, with what can be done. Pure.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use worker_group::detail::{PartitionDetail, instant};
use worker_group::state::State;

use super::gather::{LinkView, message};
use crate::query::encode;

/// Rows of one link at most; the rest is counted in the last.
const ROWS: usize = 20;

/// The most specific explanation of a text.
pub(crate) fn explained(text: &str) -> Option<Value> {
    let first = explain::explain(text).into_iter().next()?;
    Some(serde_json::to_value(first).expect("an explanation has only texts for keys"))
}

fn action(label: &str, method: &str, path: String) -> Value {
    json!({"label": label, "method": method, "path": path})
}

fn row(
    severity: &str,
    object: Value,
    summary: &str,
    since: Option<String>,
    explanation: Option<Value>,
    actions: Vec<Value>,
) -> Value {
    json!({
        "severity": severity,
        "object": object,
        "summary": summary,
        "since": since,
        "explanation": explanation,
        "actions": actions,
    })
}

/// Everything of a link that needs attention, the worst first.
pub(crate) fn of_link(view: &LinkView) -> Vec<Value> {
    let mut rows = Vec::new();
    let connector = format!("/connectors/{}", encode(&view.name));
    if let Some(trace) = &view.state.connector.trace {
        rows.push(row(
            "critical",
            json!({"kind": "link", "link": view.name}),
            message(trace),
            None,
            explained(trace),
            vec![action(
                "Restart link",
                "POST",
                format!("{connector}/restart?includeTasks=true"),
            )],
        ));
    }
    partitions(view, &mut rows);
    // A task that failed says of which partitions; where those are shown it is said already.
    if view.state.connector.trace.is_none() {
        let failed = view
            .state
            .tasks
            .iter()
            .filter(|task| task.state == State::Failed);
        for task in failed {
            let trace = task.trace.as_deref().unwrap_or("it failed");
            let path = format!("{connector}/tasks/{}/restart", task.id);
            rows.push(row(
                "critical",
                json!({"kind": "task", "link": view.name, "task": task.id}),
                message(trace),
                None,
                explained(trace),
                vec![action("Restart task", "POST", path)],
            ));
        }
    }
    topics(view, &mut rows);
    let trouble = view.detail.iter().flat_map(|detail| &detail.trouble);
    for text in trouble {
        let object = json!({"kind": "link", "link": view.name});
        rows.push(row(
            "warning",
            object,
            text,
            None,
            explained(text),
            Vec::new(),
        ));
    }
    rows.truncate(ROWS);
    rows
}

/// Partitions in the same state, together.
fn partitions(view: &LinkView, rows: &mut Vec<Value>) {
    let mut groups: BTreeMap<(u8, &str), Vec<&PartitionDetail>> = BTreeMap::new();
    for partition in view.partitions() {
        // One that is being established needs nobody.
        let rank = match (&*partition.verdict, &*partition.state) {
            ("FAIL", _) => 0,
            ("UNKNOWN", state) if state != "starting" => 1,
            ("WARN", _) => 2,
            _ => continue,
        };
        groups
            .entry((rank, &*partition.state))
            .or_default()
            .push(partition);
    }
    for ((rank, state), all) in groups {
        let first = all[0];
        let reason = first.reason.as_deref().unwrap_or("it is not said why");
        let name = format!("{}-{}", first.topic, first.partition);
        let summary = match all.len() {
            1 => format!("{name} is {state}: {reason}"),
            many => format!("{many} partitions are {state}; the first is {name}: {reason}"),
        };
        let since = all.iter().map(|partition| partition.since).min();
        let object = json!({
            "kind": "partition",
            "link": view.name,
            "topic": first.topic,
            "partition": first.partition,
            "count": all.len(),
        });
        let actions = match rank {
            0 => vec![action(
                "Resume partition",
                "POST",
                format!(
                    "/api/v1/links/{}/topics/{}/partitions/{}:resume",
                    encode(&view.name),
                    encode(&first.topic),
                    first.partition
                ),
            )],
            _ => Vec::new(),
        };
        let severity = if rank == 0 { "critical" } else { "warning" };
        rows.push(row(
            severity,
            object,
            &summary,
            since.map(instant),
            explained(reason),
            actions,
        ));
    }
}

/// Topics with the same problem, together.
fn topics(view: &LinkView, rows: &mut Vec<Value>) {
    let mut groups: BTreeMap<(bool, &str), Vec<(&str, &str)>> = BTreeMap::new();
    for (name, topic) in view.detail.iter().flat_map(|detail| &detail.topics) {
        if let Some(problem) = &topic.problem {
            let key = (!problem.blocking, &*problem.state);
            groups.entry(key).or_default().push((name, &problem.reason));
        }
    }
    for ((harmless, state), all) in groups {
        let (name, reason) = all[0];
        let summary = match all.len() {
            1 => format!("{name} is {state}: {reason}"),
            many => format!("{many} topics are {state}; the first is {name}: {reason}"),
        };
        let object = json!({"kind": "topic", "link": view.name, "topic": name, "count": all.len()});
        let severity = if harmless { "info" } else { "critical" };
        let explanation = explained(state).or_else(|| explained(reason));
        rows.push(row(
            severity,
            object,
            &summary,
            None,
            explanation,
            Vec::new(),
        ));
    }
}
