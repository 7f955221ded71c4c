//! Lists and series that each worker keeps of its own share, and that are put together when somebody asks.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use worker_group::{Handle, Refusal};

use super::history::{self, Metric, Points, Wanted};
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
        // A worker with no part of the link has nothing to say, and leaves no gap.
        if self.has_part(handle, &wanted.link) {
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
            let has_part = link.is_some_and(|link| !link.detail.partitions.is_empty());
            match parsed {
                Ok(part) => {
                    if has_part {
                        parts.push(part.points.clone());
                    }
                    history::join(&mut whole, part, wanted.metric);
                }
                Err(reason) if has_part => incomplete.push(missing(&id, &reason)),
                Err(_) => {}
            }
        }
        // One partition is where it is.
        if wanted.partition.is_none() && wanted.topic.is_none() {
            history::leave_gaps(&mut whole, &parts);
        }
        let mut document = history::document(&wanted, &whole, now);
        document["incomplete"] = Value::Array(incomplete);
        Ok(document)
    }

    fn has_part(&self, handle: &Handle, link: &str) -> bool {
        let detail = handle.detail(link);
        detail.is_some_and(|detail| !detail.partitions.is_empty())
    }
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
