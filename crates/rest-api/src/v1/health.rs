//! The checks of a link, each with its evidence. Pure. A check that does not apply is absent.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use worker_group::detail::{LinkDetail, PartitionDetail, instant};
use worker_group::state::State;

use super::attention::explained;
use super::gather::{LinkView, message, severity};
use super::shape::lag;
use super::topic::{badness, headroom};

/// Seconds until records are deleted that are not copied, from which that is worth a look, and from which it is bad.
const CLOSE: f64 = 4.0 * 3600.0;
const TOO_CLOSE: f64 = 1800.0;

/// What a check found.
pub(crate) struct Found<'a> {
    pub(crate) check: &'a str,
    pub(crate) verdict: &'a str,
    pub(crate) evidence: String,
    pub(crate) remedy: Option<&'a str>,
    pub(crate) affected: &'a [&'a PartitionDetail],
}

/// A verdict as it is shown; `at` is the time of the reading, `now` that of the answer.
pub(crate) fn verdict(found: &Found<'_>, at: SystemTime, now: SystemTime, by: &str) -> Value {
    let mut topics: Vec<&str> = found
        .affected
        .iter()
        .map(|one| one.topic.as_str())
        .collect();
    topics.sort_unstable();
    topics.dedup();
    let explanation = match found.verdict {
        "PASS" => None,
        _ => explained(&found.evidence),
    };
    let age = now.duration_since(at).unwrap_or(Duration::ZERO);
    json!({
        "check": found.check,
        "verdict": found.verdict,
        "evidence": found.evidence,
        "observed_at": instant(at),
        "age_seconds": age.as_secs_f64(),
        "observed_by": by,
        "remedy": found.remedy,
        "explanation": explanation,
        "affected": {"topics": topics.len(), "partitions": found.affected.len()},
    })
}

/// The whole of it.
pub(crate) fn document(view: &LinkView, limit: Duration) -> Value {
    let (health, reason) = view.health();
    let mut checks = vec![connector(view), tasks(view)];
    checks.extend(workers(view));
    if let Some(detail) = &view.detail {
        checks.extend(of_detail(view, detail, limit));
    }
    let order = |check: &Value| match check["verdict"].as_str() {
        Some("FAIL") => 0,
        Some("UNKNOWN") => 1,
        Some("WARN") => 2,
        _ => 3,
    };
    checks.sort_by_key(order);
    json!({
        "schema": "tributary/v1/LinkHealth",
        "link": view.name,
        "health": health,
        "health_reason": reason,
        "severity": severity(&health),
        "connect_state": view.state.connector.state,
        "lag": view.detail.as_ref().map(|detail| lag(&detail.lag, view.at)),
        "checks": checks,
        "as_of": instant(view.at),
    })
}

fn connector(view: &LinkView) -> Value {
    let instance = &view.state.connector;
    let word = match instance.state {
        State::Running | State::Paused | State::Stopped => "PASS",
        State::Unassigned | State::Restarting => "WARN",
        State::Failed => "FAIL",
    };
    let trace = instance.trace.as_deref().map(message);
    let evidence = match trace {
        Some(trace) => format!("the connector is {}: {trace}", instance.state.as_str()),
        None => format!("the connector is {}", instance.state.as_str()),
    };
    let found = Found {
        check: "connector-running",
        verdict: word,
        evidence,
        remedy: (word == "FAIL")
            .then_some("mend what the message names; it is begun again by itself, or restart it"),
        affected: &[],
    };
    verdict(&found, view.at, view.at, &instance.worker_id)
}

fn tasks(view: &LinkView) -> Value {
    let tasks = &view.state.tasks;
    let running = tasks
        .iter()
        .filter(|task| task.state == State::Running)
        .count();
    let failed = tasks.iter().find(|task| task.state == State::Failed);
    let rests = matches!(view.state.connector.state, State::Paused | State::Stopped);
    let mut evidence = format!("{running}/{} tasks running", tasks.len());
    if let Some(task) = failed {
        let trace = task.trace.as_deref().map_or("it failed", message);
        evidence.push_str(&format!("; task {}: {trace}", task.id));
    }
    let found = Found {
        check: "tasks-running",
        verdict: match failed {
            Some(_) => "FAIL",
            None if rests || running == tasks.len() && running > 0 => "PASS",
            None if running > 0 => "WARN",
            None => "FAIL",
        },
        evidence,
        remedy: failed.map(|_| "mend what the task names, then restart it"),
        affected: &[],
    };
    verdict(&found, view.at, view.at, &view.state.connector.worker_id)
}

/// Whether everything of a link is spoken for; nothing for a worker that has nobody to ask.
fn workers(view: &LinkView) -> Option<Value> {
    if !view.grouped || view.state.connector.state != State::Running {
        return None;
    }
    let total = view.state.tasks.len();
    let unknown: usize = view.gaps.iter().map(|gap| gap.tasks.len()).sum();
    let mut evidence = format!("{} of {total} tasks are spoken for", total - unknown);
    for gap in &view.gaps {
        evidence.push_str(&format!("; {} partitions: {}", gap.partitions, gap.reason));
    }
    let found = Found {
        check: "workers-answer",
        verdict: if unknown == 0 { "PASS" } else { "UNKNOWN" },
        evidence,
        remedy: (unknown > 0).then_some(
            "look whether the worker runs and is reached at its advertised address; what it had is dealt to others once \
             the group has lost it",
        ),
        affected: &[],
    };
    let by = &view.state.connector.worker_id;
    Some(verdict(&found, view.at, view.at, by))
}

/// Name, verdict, evidence, and the partitions that it is about.
type Check<'a> = (&'a str, &'a str, String, Vec<&'a PartitionDetail>);

/// All of them.
fn checks(detail: &LinkDetail, limit: Duration) -> Vec<Check<'_>> {
    let mut checks = reading_checks(detail, limit);
    checks.extend(partition_checks(detail));
    let (word, text) = lag_check(detail);
    checks.push(("lag", word, text, Vec::new()));
    let (word, text) = topics_check(detail);
    checks.push(("topics-sync", word, text, Vec::new()));
    let others = detail.checks.iter();
    checks.extend(others.map(|one| (&*one.check, &*one.verdict, one.evidence.clone(), Vec::new())));
    checks
}

/// What each check says of what is known of a link here: its name and its verdict.
pub fn link_checks(detail: &LinkDetail, limit: Duration) -> Vec<(&str, String)> {
    let all = checks(detail, limit).into_iter();
    all.map(|(check, verdict, ..)| (check, verdict.to_owned()))
        .collect()
}

fn of_detail(view: &LinkView, detail: &LinkDetail, limit: Duration) -> Vec<Value> {
    let by = format!("end-offset probe, {}", view.state.connector.worker_id);
    let mut checks = checks(detail, limit);
    // Only the connector's worker knows settings, and only together with the others' partitions they say anything.
    checks.extend(retention(detail));
    let shown = checks.iter().map(|(check, word, evidence, affected)| {
        let found = Found {
            check,
            verdict: word,
            evidence: evidence.clone(),
            remedy: None,
            affected,
        };
        verdict(&found, detail.evaluated_at, view.at, &by)
    });
    shown.collect()
}

/// Whether the source deletes before it is copied what waits. Absent where it keeps everything, or nobody has read for how
/// long.
fn retention(detail: &LinkDetail) -> Option<Check<'_>> {
    detail.topics.values().find_map(|topic| topic.retention)?;
    let of = |one: &PartitionDetail| headroom(detail.topics.get(&one.topic)?, [&one]);
    let all = detail.partitions.iter();
    let left = all.filter_map(|one| Some((one, of(one)?)));
    let (mut least, mut close) = (None, Vec::new());
    for (partition, left) in left {
        if least.is_none_or(|(_, before)| left < before) {
            least = Some((partition, left));
        }
        if left <= CLOSE {
            close.push(partition);
        }
    }
    let (word, text) = match least {
        None => ("PASS", "nothing waits that the source deletes".to_owned()),
        Some((first, left)) => {
            let word = match left {
                left if left <= TOO_CLOSE => "FAIL",
                left if left <= CLOSE => "WARN",
                _ => "PASS",
            };
            let text = format!(
                "the source keeps what waits of {}-{} for {left:.0} s more, and everything else for longer",
                first.topic, first.partition
            );
            (word, text)
        }
    };
    Some(("retention", word, text, close))
}

/// Whether topics can be looked at, and copied.
fn topics_check(detail: &LinkDetail) -> (&'static str, String) {
    if let Some(trouble) = detail.trouble.first() {
        return ("WARN", trouble.clone());
    }
    let all = detail.topics.iter();
    let blocked = all.filter_map(|(name, topic)| {
        let problem = topic.problem.as_ref()?;
        problem.blocking.then_some((name, problem))
    });
    let blocked: Vec<_> = blocked.collect();
    match blocked.first() {
        None => (
            "PASS",
            format!("{} topics were looked at", detail.topics.len()),
        ),
        Some((name, problem)) => (
            "WARN",
            format!(
                "{} of {} topics are not copied; first {name}: {}: {}",
                blocked.len(),
                detail.topics.len(),
                problem.state,
                problem.reason
            ),
        ),
    }
}

/// What rests on the age of readings.
fn reading_checks(detail: &LinkDetail, limit: Duration) -> Vec<Check<'_>> {
    let total = detail.partitions.len();
    let is_fresh = |one: &&PartitionDetail| {
        let age = one.lag.age_seconds;
        age.is_some_and(|age| age <= limit.as_secs_f64())
    };
    let old: Vec<&PartitionDetail> = detail
        .partitions
        .iter()
        .filter(|one| !is_fresh(one))
        .collect();
    let read = total - old.len();
    let word = if old.is_empty() { "PASS" } else { "UNKNOWN" };
    let text = format!(
        "{read}/{total} readings are younger than {} s",
        limit.as_secs()
    );
    let mut checks = vec![("evidence-fresh", word, text, old)];
    for (check, cluster) in [
        ("source-reachable", &detail.source),
        ("destination-reachable", &detail.destination),
    ] {
        // Where nothing is copied nobody is needed.
        if total > 0 {
            let reach = &cluster.reach;
            checks.push((check, &*reach.verdict, reach.evidence.clone(), Vec::new()));
        }
    }
    checks
}

/// What partitions say of themselves, and what comparing them says.
fn partition_checks(detail: &LinkDetail) -> Vec<Check<'_>> {
    let total = detail.partitions.len();
    let all = detail.partitions.iter();
    let stalled: Vec<_> = all.clone().filter(|one| one.state == "stalled").collect();
    let word = if stalled.is_empty() { "PASS" } else { "FAIL" };
    let text = match stalled.first() {
        None => format!("all {total} partitions that have something to copy move on"),
        Some(first) => format!(
            "{} of {total} partitions stand still; {}-{} for {:.0} s",
            stalled.len(),
            first.topic,
            first.partition,
            first.no_progress
        ),
    };
    let progress = ("progress", word, text, stalled);
    let wrong: Vec<_> = all.filter(|one| one.verdict != "PASS").collect();
    let worst = wrong.iter().max_by_key(|one| badness(&one.verdict));
    let text = match worst {
        None => format!("no partition of {total} is in trouble"),
        Some(one) => format!(
            "{} of {total} partitions; {}-{} is {}: {}",
            wrong.len(),
            one.topic,
            one.partition,
            one.state,
            one.reason.as_deref().unwrap_or("")
        ),
    };
    let word = worst.map_or("PASS", |one| &one.verdict);
    vec![progress, ("partitions", word, text, wrong), gaps(detail)]
}

/// What the source no longer has of what was to be copied, or was: open, or passed over as configured.
fn gaps(detail: &LinkDetail) -> Check<'_> {
    let open = |one: &PartitionDetail| matches!(&*one.state, "source-gap" | "source-truncated");
    let all = detail.partitions.iter();
    let found: Vec<_> = all.filter(|one| one.lost.is_some() || open(one)).collect();
    let first = found.iter().find(|one| open(one)).or(found.first());
    let Some(first) = first else {
        let text = "nothing was missing at the source since this process started";
        return ("gaps", "PASS", text.to_owned(), found);
    };
    let word = if open(first) { "FAIL" } else { "WARN" };
    let lost = first.lost.as_deref().or(first.reason.as_deref());
    let text = format!(
        "{} of {} partitions; {}-{}: {} at the source",
        found.len(),
        detail.partitions.len(),
        first.topic,
        first.partition,
        lost.unwrap_or("records are missing")
    );
    ("gaps", word, text, found)
}

fn lag_check(detail: &LinkDetail) -> (&'static str, String) {
    let lag = &detail.lag;
    match (lag.known, lag.records) {
        (true, Some(records)) => {
            let word = if detail.health == "CATCHING_UP" {
                "WARN"
            } else {
                "PASS"
            };
            (
                word,
                format!("{records} records, the oldest {:.1} s", lag.seconds),
            )
        }
        (_, Some(records)) => (
            "UNKNOWN",
            format!("at least {records} records; not known now"),
        ),
        (_, None) => ("UNKNOWN", "not known yet".to_owned()),
    }
}
