//! Letting partitions go on that stand, wherever in a group their tasks run.
//!
//! ```text
//!   :resume ─▶ whoever has the task ─▶ the partition goes on
//!                    └ append, recopy ─▶ :answered ─▶ whoever looks after the link's topics, which takes the topic for what
//!                                                     it is now: its settings are followed from then on
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::sleep;
use worker_group::{Handle, Kind, Refusal};

use super::gather::LinkView;
use super::route::Names;
use super::{Api, Asked, Told, done};
use crate::query::encode;
use crate::request;

/// How often the worker that looks after topics is told, and the pause between: a link may be moving.
const TIMES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// Whether partitions go on as parts of another topic than they were.
fn is_anew(action: &str) -> bool {
    matches!(action, "append" | "recopy")
}

/// Partitions of a topic that stand, by the worker that has them.
fn standing<'a>(view: &'a LinkView, topic: &str, here: &'a str) -> BTreeMap<&'a str, Vec<u32>> {
    let mut standing: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    let all = view.partitions().iter();
    for one in all.filter(|one| one.topic == topic && !one.answers.is_empty()) {
        if let Ok(number) = u32::try_from(one.partition) {
            let worker = view.worker_of(view.task_of(one)).unwrap_or(here);
            standing.entry(worker).or_default().push(number);
        }
    }
    standing
}

fn partitions(count: usize) -> String {
    match count {
        1 => "1 partition".to_owned(),
        many => format!("{many} partitions"),
    }
}

impl Api {
    /// One partition.
    pub(super) async fn resume(&self, handle: &Handle, asked: Asked<'_>) -> Result<Value, Refusal> {
        let Names {
            link,
            topic,
            partition,
            ..
        } = asked.names.clone();
        let number = u32::try_from(partition).unwrap_or(u32::MAX);
        let resume = request::resume(&asked.body, topic.clone(), number)?;
        let text = format!("{topic}-{partition} of {link} goes on ({})", resume.action);
        let is_anew = is_anew(&resume.action);
        handle.resume_partition(link.clone(), resume).await?;
        let notice = match is_anew {
            true => self.pass_on(handle, &asked, &link, &topic).await,
            false => None,
        };
        let told = Told::of("resume", &link, with(text, notice.as_deref()));
        self.record(asked.caller, asked.headers, told).await;
        let object = format!("partition/{link}/{topic}/{partition}");
        Ok(noticed(done(&object, "resumed"), notice))
    }

    /// The same answer to every partition of a topic that stands. With `scope=worker` those of this worker only.
    pub(super) async fn resume_topic(
        &self,
        handle: &Handle,
        asked: Asked<'_>,
    ) -> Result<Value, Refusal> {
        let Names { link, topic, .. } = asked.names.clone();
        let (view, _) = self.sources(handle, &asked).link(&link).await?;
        let here = self.identity.worker_id.as_str();
        let standing = standing(&view, &topic, here);
        let total: usize = standing.values().map(Vec::len).sum();
        if total == 0 {
            let text = format!("no partition of {topic} stands");
            return Err(Refusal::new(Kind::Conflict, text));
        }
        let action = request::resume(&asked.body, topic.clone(), 0)?.action;
        let is_whole = asked.query.first("scope") != Some("worker");
        let (mut count, mut refused) = (0, None);
        for (worker, numbers) in &standing {
            let (went_on, refusal) = match *worker == here || !is_whole {
                true => self.resume_here(handle, &asked, numbers).await,
                false => match self.resume_at(worker, &asked).await {
                    Ok(()) => (numbers.len(), None),
                    Err(refusal) => (0, Some(refusal)),
                },
            };
            count += went_on;
            refused = refused.or(refusal);
        }
        // Whoever was asked by another worker leaves the rest to it.
        let is_asked_first = is_whole || asked.query.first("forward").is_none();
        let mut notice = None;
        if is_asked_first && count > 0 {
            if is_anew(&action) {
                notice = self.pass_on(handle, &asked, &link, &topic).await;
            }
            let text = match count == total {
                true => partitions(count),
                false => format!("{count} of {}", partitions(total)),
            };
            let text = format!("{text} of {topic} of {link} go on ({action})");
            let told = Told::of("resume", &link, with(text, notice.as_deref()));
            self.record(asked.caller, asked.headers, told).await;
        }
        if let Some(refusal) = refused {
            return Err(refusal);
        }
        let object = format!("topic/{link}/{topic}");
        Ok(noticed(done(&object, "resumed"), notice))
    }

    /// These partitions of a topic; how many go on, and why one does not.
    async fn resume_here(
        &self,
        handle: &Handle,
        asked: &Asked<'_>,
        numbers: &[u32],
    ) -> (usize, Option<Refusal>) {
        let Names { link, topic, .. } = &asked.names;
        let (mut count, mut refused) = (0, None);
        for number in numbers {
            let resumed = match request::resume(&asked.body, topic.clone(), *number) {
                Ok(resume) => handle.resume_partition(link.clone(), resume).await,
                Err(refusal) => Err(refusal),
            };
            match resumed {
                Ok(()) => count += 1,
                Err(refusal) if refusal.kind == Kind::Elsewhere => {
                    let text = format!("{topic}-{number} has moved to another worker; ask again");
                    refused = refused.or(Some(Refusal::new(Kind::Conflict, text)));
                }
                Err(refusal) => refused = refused.or(Some(refusal)),
            }
        }
        (count, refused)
    }

    /// Those that another worker has.
    async fn resume_at(&self, worker: &str, asked: &Asked<'_>) -> Result<(), Refusal> {
        let url = self.peers.url_of(worker).ok_or_else(|| {
            Refusal::new(Kind::Conflict, format!("worker {worker} is not known here"))
        })?;
        let (link, topic) = (encode(&asked.names.link), encode(&asked.names.topic));
        let mut again = asked.again();
        again.forward = None;
        again.target = format!("/api/v1/links/{link}/topics/{topic}:resume?scope=worker");
        let answer = Box::pin(again.at(&url, self.peers.workers())).await;
        match answer.status().is_success() {
            true => Ok(()),
            false => {
                let said = message_of(answer).await;
                let text = format!("worker {worker}: {said}");
                Err(Refusal::new(Kind::Conflict, text))
            }
        }
    }

    /// Takes in that partitions of a topic that was made anew go on, on whatever worker.
    pub(super) async fn answered(
        &self,
        handle: &Handle,
        asked: Asked<'_>,
    ) -> Result<Value, Refusal> {
        let Names { link, topic, .. } = asked.names;
        handle.answered(link.clone(), &topic).await?;
        Ok(done(&format!("topic/{link}/{topic}"), "answered"))
    }

    /// Tells the worker that looks after the link's topics, which has not heard what was answered; why it could not be told.
    /// One that begins the link anew finds it out by itself.
    async fn pass_on(
        &self,
        handle: &Handle,
        asked: &Asked<'_>,
        link: &str,
        topic: &str,
    ) -> Option<String> {
        if !handle.is_grouped() {
            return None;
        }
        let mut why = String::new();
        for time in 0..TIMES {
            if time > 0 {
                sleep(PAUSE).await;
            }
            why = match handle.answered(link.to_owned(), topic).await {
                Ok(()) => return None,
                Err(refusal) if refusal.kind == Kind::Elsewhere => {
                    let mut again = asked.again();
                    again.forward = None;
                    again.body = Bytes::new();
                    let (link, topic) = (encode(link), encode(topic));
                    again.target = format!("/api/v1/links/{link}/topics/{topic}:answered");
                    let answer = Box::pin(again.at(&refusal.message, self.peers.workers())).await;
                    if answer.status().is_success() {
                        return None;
                    }
                    format!("{}: {}", refusal.message, message_of(answer).await)
                }
                Err(refusal) => refusal.message,
            };
        }
        tracing::warn!(
            link,
            topic,
            "whoever looks after the link's topics was not told that {topic} is copied: {why}"
        );
        Some(format!(
            "settings of {topic} are not followed until the connector is begun anew: the worker that has it was not told ({why})"
        ))
    }
}

/// Why another worker did not do it.
async fn message_of(answer: Response<Body>) -> String {
    let status = answer.status();
    let body = answer.into_body().collect().await;
    let said = body.ok().and_then(|body| {
        let value: Value = serde_json::from_slice(&body.to_bytes()).ok()?;
        Some(value["message"].as_str()?.to_owned())
    });
    said.unwrap_or_else(|| format!("it answered {status}"))
}

/// A sentence, and what has to be added to it.
fn with(text: String, notice: Option<&str>) -> String {
    match notice {
        Some(notice) => format!("{text}; {notice}"),
        None => text,
    }
}

fn noticed(mut result: Value, notice: Option<String>) -> Value {
    if let Some(notice) = notice {
        result["notice"] = json!(notice);
    }
    result
}
