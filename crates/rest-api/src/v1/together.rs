//! Lists and series that each worker keeps of its own share, and that are put together when somebody asks.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use worker_group::detail::{LinkDetail, PartitionDetail};
use worker_group::{Handle, Refusal};

use super::gather::LinkView;
use super::history::{self, Metric, Points, Wanted};
use super::peers::{Group, Silent};
use super::{Api, Asked, list, worker};
use crate::query::encode;

/// Seconds that are shown unless others are asked for.
const SHOWN: u64 = 3600;

/// A worker whose answer is missing.
fn missing(id: &str, reason: &str) -> Value {
    json!({"worker_id": id, "reason": reason, "partitions": null})
}

impl Api {
    /// What was done and what happened, on all workers.
    pub(super) async fn activity(
        &self,
        handle: &Handle,
        asked: &Asked<'_>,
        now: SystemTime,
    ) -> Result<Value, Refusal> {
        let seen = self.watcher.seen();
        let mut rows: Vec<Value> = seen.activity.iter().map(|row| Value::clone(row)).collect();
        let (_, group) = self.sources(handle, asked).links().await?;
        let target = "/api/v1/activity?scope=worker&limit=1000";
        let mut incomplete = worker::incomplete([].iter(), &group, true);
        for (id, answer) in self
            .peers
            .of_all(&group, target, asked.authorization())
            .await
        {
            match answer {
                Ok(mut list) => rows.extend(
                    list["items"]
                        .as_array_mut()
                        .into_iter()
                        .flat_map(std::mem::take),
                ),
                Err(reason) => incomplete.push(missing(&id, &reason)),
            }
        }
        rows.sort_by(|one, two| two["at"].as_str().cmp(&one["at"].as_str()));
        let mut page = list::page("ActivityList", rows, &asked.query, now)?;
        page["incomplete"] = Value::Array(incomplete);
        Ok(page)
    }

    /// How lag or rates were.
    pub(super) async fn history(
        &self,
        handle: &Handle,
        asked: &Asked<'_>,
        now: SystemTime,
    ) -> Result<Value, Refusal> {
        let wanted = wanted(asked, now)?;
        let (view, group) = self.sources(handle, asked).link(&wanted.link).await?;
        let own = self.watcher.history(wanted.clone()).await;
        let own = own.ok_or_else(Refusal::shutting_down)?;
        let mut whole = own.clone();
        let mut incomplete = worker::incomplete([&view].into_iter(), &group, false);
        let mut parts: Vec<Points> = Vec::new();
        // A worker with no part of it has nothing to say, and leaves no gap.
        if handle
            .detail(&wanted.link)
            .is_some_and(|detail| has_part(&detail, &wanted))
        {
            parts.push(own.points);
        }
        for (id, answer) in self
            .peers
            .of_all(&group, &target(&wanted), asked.authorization())
            .await
        {
            let parsed = answer.and_then(|document| {
                history::parsed(&document).ok_or_else(|| "its history cannot be read".to_owned())
            });
            let share = group.shares.get(&id);
            let link = share.and_then(|share| share.links.get(&wanted.link));
            let has_part = link.is_some_and(|link| has_part(&link.detail, &wanted));
            match parsed {
                Ok(part) => {
                    if has_part {
                        parts.push(part.points.clone());
                    }
                    history::join(&mut whole, part, wanted.metric);
                }
                Err(reason) if has_part => {
                    incomplete.push(missing(&id, &reason));
                    parts.push(Points::new());
                }
                Err(_) => {}
            }
        }
        let silent = silent_parts(&view, &group, &wanted);
        for silent in &silent {
            if !incomplete
                .iter()
                .any(|one| one["worker_id"] == *silent.worker_id)
            {
                incomplete.push(missing(&silent.worker_id, &silent.reason));
            }
        }
        // One partition is where it is.
        if wanted.partition.is_none() {
            parts.extend(silent.iter().map(|_| Points::new()));
            history::leave_gaps(&mut whole, &parts);
        }
        let mut document = history::document(&wanted, &whole, now);
        document["incomplete"] = Value::Array(incomplete);
        Ok(document)
    }
}

/// Whether what is known of a link has partitions of what is asked for.
fn has_part(detail: &LinkDetail, wanted: &Wanted) -> bool {
    detail.partitions.iter().any(|one| is_wanted(one, wanted))
}

fn is_wanted(one: &PartitionDetail, wanted: &Wanted) -> bool {
    let topic = wanted
        .topic
        .as_ref()
        .is_none_or(|topic| *topic == one.topic);
    topic
        && wanted
            .partition
            .is_none_or(|number| number == one.partition)
}

/// Workers that do not answer and have a part of what is asked for, or had one when they spoke last: what they remember of it
/// is missing.
fn silent_parts<'a>(view: &LinkView, group: &'a Group, wanted: &Wanted) -> Vec<&'a Silent> {
    let has = |silent: &&Silent| {
        let all = view.partitions().iter();
        let mut its = all.filter(|one| {
            let worker = view.worker_of(view.task_of(one));
            worker == Some(silent.worker_id.as_str())
        });
        let last = silent.last.as_ref();
        let last = last.and_then(|share| share.links.get(&wanted.link));
        its.any(|one| is_wanted(one, wanted))
            || last.is_some_and(|link| has_part(&link.detail, wanted))
    };
    group.silent.iter().filter(has).collect()
}

fn wanted(asked: &Asked<'_>, now: SystemTime) -> Result<Wanted, Refusal> {
    let query = &asked.query;
    let name = query.first("metric").unwrap_or("lag_seconds");
    let metric = Metric::of(name).ok_or_else(|| {
        let known = Metric::ALL.map(|(name, _)| name).join(", ");
        Refusal::bad(format!(
            "there is no history of {name}; there is of {known}"
        ))
    })?;
    let number = |name: &str, default: u64| match query.first(name) {
        None | Some("") => Ok(default),
        Some(text) => text.parse::<u64>().map_err(|_| {
            Refusal::bad(format!(
                "{name} {text} is not a number of seconds since 1970"
            ))
        }),
    };
    let to = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let to = number("to", to)?;
    let from = number("from", to.saturating_sub(SHOWN))?;
    let partition = match query.first("partition") {
        None | Some("") => None,
        Some(text) => Some(text.parse().map_err(|_| {
            Refusal::bad(format!("partition {text} is not the number of a partition"))
        })?),
    };
    let topic = query.first("topic").filter(|topic| !topic.is_empty());
    if partition.is_some() && topic.is_none() {
        return Err(Refusal::bad("a partition needs its topic"));
    }
    Ok(Wanted {
        link: asked.names.link.clone(),
        topic: topic.map(str::to_owned),
        partition,
        metric,
        from,
        to,
    })
}

/// The same question, for another worker.
fn target(wanted: &Wanted) -> String {
    let metric = Metric::ALL.iter().find(|(_, one)| *one == wanted.metric);
    let mut target = format!(
        "/api/v1/links/{}/history?scope=worker&metric={}&from={}&to={}",
        encode(&wanted.link),
        metric.map_or("", |(name, _)| name),
        wanted.from,
        wanted.to
    );
    if let Some(topic) = &wanted.topic {
        target.push_str(&format!("&topic={}", encode(topic)));
    }
    if let Some(partition) = wanted.partition {
        target.push_str(&format!("&partition={partition}"));
    }
    target
}

#[cfg(test)]
mod tests {
    use super::super::gaps;
    use super::super::gather::tests::of_one_worker;
    use super::*;

    #[test]
    fn what_a_silent_worker_remembers_of_its_part_is_missing_and_of_others_parts_is_not() {
        let silent = |worker_id: &str| Silent {
            worker_id: worker_id.to_owned(),
            reason: "no answer".to_owned(),
            since: UNIX_EPOCH,
            last: None,
        };
        let group = Group {
            asked: true,
            silent: vec![silent("w:1"), silent("w:2")],
            ..Group::default()
        };
        let (mut view, tasks) = of_one_worker();
        gaps::find(&mut view, &tasks, &group);
        let missing = |topic: Option<&str>, partition: Option<i32>| {
            let wanted = Wanted {
                link: "a".to_owned(),
                topic: topic.map(str::to_owned),
                partition,
                metric: Metric::LagSeconds,
                from: 0,
                to: 0,
            };
            let parts = silent_parts(&view, &group, &wanted).into_iter();
            parts.map(|one| one.worker_id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(missing(None, None), ["w:1"]);
        assert_eq!(missing(Some("t"), None), ["w:1"]);
        assert_eq!(missing(Some("t"), Some(1)), ["w:1"]);
        assert!(missing(Some("t"), Some(2)).is_empty());
        assert!(missing(Some("u"), None).is_empty());
    }
}
