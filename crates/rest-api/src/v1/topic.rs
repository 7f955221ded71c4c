//! How topics and partitions are shown. Pure.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::SystemTime;

use serde_json::{Value, json};
use worker_group::Refusal;
use worker_group::detail::{PartitionDetail, TopicDetail, instant};
use worker_group::view::LagDetail;

use super::attention;
use super::gather::LinkView;
use super::list::{self, Rank};
use super::rates::LinkRates;
use super::shape::{catch_up, is_measured, lag, no_lag};
use crate::query::Query;

/// States in which the two sides do not fit together.
const GAPS: [&str; 8] = [
    "source-gap",
    "source-truncated",
    "source-recreated",
    "source-deleted",
    "destination-behind",
    "destination-recreated",
    "destination-deleted",
    "destination-foreign-writes",
];

/// How bad a verdict is; the worst last.
pub(crate) fn badness(verdict: &str) -> u8 {
    match verdict {
        "PASS" => 0,
        "WARN" => 1,
        "UNKNOWN" => 2,
        _ => 3,
    }
}

/// Sums, the longer time, the weaker evidence.
fn together(all: &[&PartitionDetail]) -> Option<LagDetail> {
    let mut lags = all.iter().map(|partition| &partition.lag);
    let mut sum = lags.next()?.clone();
    lags.for_each(|lag| sum.add(lag));
    Some(sum)
}

/// State, class, and the partition that decided it.
fn state<'a>(
    topic: &'a TopicDetail,
    partitions: &[&'a PartitionDetail],
) -> (&'a str, &'static str, Option<&'a PartitionDetail>) {
    if let Some(problem) = topic.problem.as_ref().filter(|problem| problem.blocking) {
        let class = if problem.state == "destination-pending" {
            "creating"
        } else {
            "failing"
        };
        return (&problem.state, class, None);
    }
    let worst = partitions
        .iter()
        .max_by_key(|partition| badness(&partition.verdict));
    match worst {
        None => ("starting", "creating", None),
        Some(worst) => match (&*worst.verdict, &*worst.state) {
            (_, state @ ("starting" | "creating")) => (state, "creating", Some(worst)),
            ("PASS", _) => ("replicating", "active", None),
            ("UNKNOWN", state) => (state, "neutral", Some(worst)),
            (_, state) => (state, "failing", Some(worst)),
        },
    }
}

/// A topic, with its partitions.
struct Gathered<'a> {
    name: &'a str,
    topic: &'a TopicDetail,
    partitions: Vec<&'a PartitionDetail>,
}

/// Of a topic that only its partitions tell of.
static UNTOLD: LazyLock<TopicDetail> = LazyLock::new(TopicDetail::default);

/// Topics of a link, by name.
fn gathered(view: &LinkView) -> Vec<Gathered<'_>> {
    let Some(detail) = &view.detail else {
        return Vec::new();
    };
    let told = detail.topics.iter().map(|(name, topic)| {
        let partitions = Vec::new();
        (name.as_str(), (topic, partitions))
    });
    let mut all: BTreeMap<&str, (&TopicDetail, Vec<&PartitionDetail>)> = told.collect();
    for partition in &detail.partitions {
        let untold = || (&*UNTOLD, Vec::new());
        let (_, partitions) = all.entry(&partition.topic).or_insert_with(untold);
        partitions.push(partition);
    }
    let all = all.into_iter();
    all.map(|(name, (topic, partitions))| Gathered {
        name,
        topic,
        partitions,
    })
    .collect()
}

/// How many topics of a link are of each class. Asked each second for as long as somebody looks: no row is made for it.
pub(crate) fn classes(view: &LinkView) -> BTreeMap<&'static str, usize> {
    let mut classes = BTreeMap::new();
    for one in gathered(view) {
        let (_, class, _) = state(one.topic, &one.partitions);
        *classes.entry(class).or_default() += 1;
    }
    classes
}

/// The topic of a link that is furthest behind in time, where that was measured, and its lag.
pub(crate) fn furthest(view: &LinkView) -> Option<(&str, LagDetail)> {
    let all = gathered(view).into_iter();
    let lags = all.filter_map(|one| Some((one.name, together(&one.partitions)?)));
    lags.filter(|(_, lag)| is_measured(lag))
        .max_by(|(_, one), (_, two)| one.seconds.total_cmp(&two.seconds))
}

/// Topics of a link as rows, by name.
pub(crate) fn rows(view: &LinkView, rates: Option<&LinkRates>) -> Vec<Value> {
    gathered(view)
        .iter()
        .map(|one| row(view, one.name, one.topic, &one.partitions, rates))
        .collect()
}

/// By what a lag is ordered.
fn lags(lag: Option<&LagDetail>) -> [Option<f64>; 3] {
    let Some(lag) = lag else {
        return [None; 3];
    };
    let measured = is_measured(lag);
    [
        measured.then_some(lag.seconds),
        lag.records.map(|records| records as f64),
        measured.then_some(lag.bytes as f64),
    ]
}

/// A page of the topics of links, the worst first.
pub(crate) fn page(
    views: &[LinkView],
    rates: &BTreeMap<String, LinkRates>,
    asked: (&Query, SystemTime),
) -> Result<Value, Refusal> {
    let mut all: Vec<(&LinkView, Gathered<'_>)> = Vec::new();
    for view in views {
        all.extend(gathered(view).into_iter().map(|one| (view, one)));
    }
    let rank = |(_, one): &(&LinkView, Gathered<'_>)| {
        let (_, class, _) = state(one.topic, &one.partitions);
        Rank {
            bad: list::rank_of_class(class),
            lags: lags(together(&one.partitions).as_ref()),
        }
    };
    list::page_of("TopicList", all, asked, rank, |(view, one)| {
        let rates = rates.get(&view.name);
        row(view, one.name, one.topic, &one.partitions, rates)
    })
}

/// A page of the partitions of a link, or of one topic, the worst first; those that stand are explained.
pub(crate) fn partition_page(
    view: &LinkView,
    topic: Option<&str>,
    asked: (&Query, SystemTime),
) -> Result<Value, Refusal> {
    let all = view.partitions().iter();
    let all = all.filter(|one| topic.is_none_or(|topic| one.topic == topic));
    let rank = |one: &&PartitionDetail| Rank {
        bad: list::rank_of_verdict(&one.verdict),
        lags: lags(Some(&one.lag)),
    };
    let mut page = list::page_of("PartitionList", all.collect(), asked, rank, |one| {
        partition_row(view, one)
    })?;
    let rows = page["items"].as_array_mut();
    rows.into_iter().flatten().for_each(explain);
    Ok(page)
}

/// Whether a link has a topic, be it without partitions.
pub(crate) fn has(view: &LinkView, name: &str) -> bool {
    let detail = view.detail.as_ref();
    let told = detail.is_some_and(|detail| detail.topics.contains_key(name));
    told || view.partitions().iter().any(|one| one.topic == name)
}

fn row(
    view: &LinkView,
    name: &str,
    topic: &TopicDetail,
    partitions: &[&PartitionDetail],
    rates: Option<&LinkRates>,
) -> Value {
    let (state, class, decided) = state(topic, partitions);
    let problem = topic.problem.as_ref();
    let reason = decided
        .and_then(|partition| partition.reason.as_deref())
        .or_else(|| problem.map(|problem| problem.reason.as_str()));
    let destination = topic.destination.as_deref().or_else(|| {
        partitions
            .first()
            .map(|partition| partition.destination.as_str())
    });
    let is_whole = || !partitions.iter().any(|one| view.is_silent(one));
    let rates = rates.and_then(|rates| rates.topics.get(name));
    let rates = rates.filter(|_| is_whole());
    json!({
        "schema": "tributary/v1/Topic",
        "link": view.name,
        "topic": name,
        "destination_topic": destination,
        "partitions": {
            "source": topic.partitions,
            "destination": topic.destination.as_ref().map(|_| partitions.len()),
        },
        "state": state,
        "state_class": class,
        "condition": problem.map(|problem| &problem.state),
        "reason": reason,
        "since": decided.map(|partition| instant(partition.since)),
        "lag": together(partitions).map_or_else(no_lag, |sum| lag(&sum, view.at)),
        "records_per_second": rates.map(|rates| rates.records),
        "bytes_per_second": rates.map(|rates| rates.bytes),
        "catch_up": catch_up(rates.and_then(|rates| rates.catch_up.as_ref())),
        "retention_headroom_seconds": headroom(topic, partitions),
        "drift": null,
        "verified_at": null,
        "excluded_by": null,
        "as_of": instant(view.at),
    })
}

/// Seconds until the source may delete a record that is not copied, by its time; nothing where that threatens none, or is not
/// known. Segments are deleted as a whole, which makes it later.
pub(crate) fn headroom<'a>(
    topic: &TopicDetail,
    partitions: impl IntoIterator<Item = &'a &'a PartitionDetail>,
) -> Option<f64> {
    let retention = topic.retention?;
    let waits = |one: &&&PartitionDetail| one.lag.records.is_some_and(|records| records > 0);
    let left = partitions.into_iter().filter(waits).map(|one| {
        let age = one.oldest_age.unwrap_or(0.0).max(one.lag.seconds);
        (retention - age).max(0.0)
    });
    left.reduce(f64::min)
}

/// The least of a link.
pub(crate) fn least_headroom(view: &LinkView) -> Option<f64> {
    let detail = view.detail.as_ref()?;
    let of =
        |partition: &PartitionDetail| headroom(detail.topics.get(&partition.topic)?, [&partition]);
    detail.partitions.iter().filter_map(of).reduce(f64::min)
}

/// Partitions of a link, or of one topic; what stopped those that stand is not explained yet.
pub(crate) fn partition_rows(view: &LinkView, topic: Option<&str>) -> Vec<Value> {
    let all = view.partitions().iter();
    all.filter(|partition| topic.is_none_or(|topic| partition.topic == topic))
        .map(|partition| partition_row(view, partition))
        .collect()
}

/// Explains what stopped the partition of a row. Apart from making it, because of twenty thousand only a page is shown.
pub(crate) fn explain(row: &mut Value) {
    let message = row["error"]["message"].as_str();
    if let Some(explanation) = message.and_then(attention::explained) {
        row["error"]["side"] = explanation["side"].clone();
        row["error"]["explanation"] = explanation;
    }
}

fn partition_row(view: &LinkView, partition: &PartitionDetail) -> Value {
    let task = view.task_of(partition);
    let reason = partition.reason.as_deref();
    let is_wrong = partition.verdict != "PASS";
    let error = reason.filter(|_| is_wrong).map(|reason| {
        json!({
            "offset": partition.stands_at,
            "kind": partition.state,
            "message": reason,
            "side": null,
            "next_attempt_at": null,
            "explanation": null,
        })
    });
    let kind = &*partition.state;
    let gap = GAPS.contains(&kind).then(|| {
        let policy = if kind.ends_with("gap") || kind.ends_with("truncated") {
            "tributary.on.gap"
        } else {
            "tributary.on.recreate"
        };
        json!({
            "kind": kind,
            "from_offset": partition.acked,
            "to_offset": partition.source_start,
            "policy": view.config.get(policy).map_or("stop", String::as_str),
            "answers": partition.answers,
        })
    });
    json!({
        "schema": "tributary/v1/Partition",
        "link": view.name,
        "topic": partition.topic,
        "partition": partition.partition,
        "destination_topic": partition.destination,
        "state": partition.state,
        "verdict": partition.verdict,
        "reason": reason,
        "since": instant(partition.since),
        "no_progress_seconds": partition.no_progress,
        "source_start_offset": partition.source_start,
        "source_end_offset": partition.source_end,
        "read_offset": partition.read,
        "acked_offset": partition.acked,
        "destination_end_offset": partition.destination_end,
        "records_total": partition.records,
        "bytes_total": partition.bytes,
        "lag": lag(&partition.lag, view.at),
        "last_record_timestamp": null,
        "source_leader": partition.leaders[0],
        "destination_leader": partition.leaders[1],
        "task": task,
        "worker_id": view.worker_of(task),
        "error": error,
        "gap": gap,
        "answers": partition.answers,
        "help": partition.help,
        "as_of": instant(view.at),
    })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::super::gaps;
    use super::*;

    #[test]
    fn what_waits_is_threatened_by_its_age_and_what_is_copied_is_not() {
        let partition = |records: Option<i64>, seconds: f64, oldest_age: Option<f64>| {
            let mut one = gaps::nothing("t", 0, SystemTime::UNIX_EPOCH);
            (one.lag.records, one.lag.seconds) = (records, seconds);
            one.oldest_age = oldest_age;
            one
        };
        let topic = |retention| TopicDetail {
            retention,
            ..TopicDetail::default()
        };
        let check =
            |retention: Option<f64>, partitions: &[PartitionDetail], expected: Option<f64>| {
                let all: Vec<&PartitionDetail> = partitions.iter().collect();
                assert_eq!(headroom(&topic(retention), &all), expected);
            };
        let waits = partition(Some(1), 100.0, None);
        check(Some(3600.0), std::slice::from_ref(&waits), Some(3500.0));
        check(None, std::slice::from_ref(&waits), None);
        // Records from before they were produced here.
        let old = partition(Some(1), 100.0, Some(5000.0));
        check(Some(3600.0), &[waits, old], Some(0.0));
        check(Some(3600.0), &[partition(Some(0), 0.0, Some(9e9))], None);
        check(Some(3600.0), &[partition(None, 50.0, None)], None);
    }
}
