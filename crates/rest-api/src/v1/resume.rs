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
use tokio::time::{sleep, timeout};
use worker_group::{Handle, Kind, Refusal};

use super::gather::LinkView;
use super::route::Names;
use super::{Api, Asked, Told, done};
use crate::query::encode;
use crate::request;

/// How often the worker that looks after topics is told, and the pause between: a link may be moving.
const TIMES: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
/// How long all that may take: whoever asked waits for it.
const LIMIT: Duration = Duration::from_secs(15);

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

/// How many partitions of a topic go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Resumed {
    count: usize,
    /// Those of workers that were asked and did not say that all of theirs do: some may.
    unknown: usize,
}

impl Resumed {
    fn is_any(self) -> bool {
        self.count + self.unknown > 0
    }

    /// Said of a topic some partitions of which stood.
    fn text(self, total: usize) -> String {
        let known = match self.count == total {
            true => partitions(total),
            false => format!("{} of {}", self.count, partitions(total)),
        };
        match (self.count, self.unknown) {
            (_, 0) => known,
            (0, unknown) => format!("an unknown number of {}", partitions(unknown)),
            (_, unknown) => format!("{known}, and an unknown number of {unknown} others,"),
        }
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
        self.note(&asked, text).await;
        let notice = match is_anew {
            true => self.pass_on(handle, &asked, &link, &topic).await,
            false => None,
        };
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
        let (mut resumed, mut refused) = (Resumed::default(), None);
        for (worker, numbers) in &standing {
            let (went_on, refusal) = match *worker == here || !is_whole {
                true => self.resume_here(handle, &asked, numbers).await,
                false => self.resume_at(worker, &asked, numbers.len()).await,
            };
            resumed.count += went_on.count;
            resumed.unknown += went_on.unknown;
            refused = refused.or(refusal);
        }
        // Whoever was asked by another worker leaves the rest to it.
        let is_asked_first = is_whole || asked.query.first("forward").is_none();
        let mut notice = None;
        if is_asked_first && resumed.is_any() {
            let text = resumed.text(total);
            let text = format!("{text} of {topic} of {link} go on ({action})");
            self.note(&asked, text).await;
            if is_anew(&action) {
                notice = self.pass_on(handle, &asked, &link, &topic).await;
            }
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
    ) -> (Resumed, Option<Refusal>) {
        let Names { link, topic, .. } = &asked.names;
        let (mut went_on, mut refused) = (Resumed::default(), None);
        for number in numbers {
            let resumed = match request::resume(&asked.body, topic.clone(), *number) {
                Ok(resume) => handle.resume_partition(link.clone(), resume).await,
                Err(refusal) => Err(refusal),
            };
            match resumed {
                Ok(()) => went_on.count += 1,
                Err(refusal) if refusal.kind == Kind::Elsewhere => {
                    let text = format!("{topic}-{number} has moved to another worker; ask again");
                    refused = refused.or(Some(Refusal::new(Kind::Conflict, text)));
                }
                Err(refusal) => refused = refused.or(Some(refusal)),
            }
        }
        (went_on, refused)
    }

    /// Those that another worker has. One that refuses some may have let others go on, and so may one whose answer is lost.
    async fn resume_at(
        &self,
        worker: &str,
        asked: &Asked<'_>,
        count: usize,
    ) -> (Resumed, Option<Refusal>) {
        let Some(url) = self.peers.url_of(worker) else {
            let text = format!("worker {worker} is not known here");
            let refusal = Refusal::new(Kind::Conflict, text);
            return (Resumed::default(), Some(refusal));
        };
        let (link, topic) = (encode(&asked.names.link), encode(&asked.names.topic));
        let mut again = asked.again();
        again.forward = None;
        again.target = format!("/api/v1/links/{link}/topics/{topic}:resume?scope=worker");
        let answer = Box::pin(again.at(&url, self.peers.workers())).await;
        if answer.status().is_success() {
            return (Resumed { count, unknown: 0 }, None);
        }
        let said = message_of(answer).await;
        let text = format!("worker {worker}: {said}");
        let unknown = Resumed {
            count: 0,
            unknown: count,
        };
        (unknown, Some(Refusal::new(Kind::Conflict, text)))
    }

    /// Takes down what goes on.
    async fn note(&self, asked: &Asked<'_>, text: String) {
        let told = Told::of("resume", &asked.names.link, text);
        self.record(asked.caller, asked.headers, told).await;
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
        let mut why = "it did not answer".to_owned();
        let telling = self.tell(handle, asked, (link, topic), &mut why);
        if timeout(LIMIT, telling).await == Ok(true) {
            return None;
        }
        tracing::warn!(
            link,
            topic,
            "whoever looks after the link's topics was not told that {topic} is copied: {why}"
        );
        let notice = format!(
            "settings of {topic} are not followed until the connector is begun anew: the worker that has it was not told ({why})"
        );
        self.note(asked, notice.clone()).await;
        Some(notice)
    }

    /// Whether it was told; `why` is why it was not the last time.
    async fn tell(
        &self,
        handle: &Handle,
        asked: &Asked<'_>,
        (link, topic): (&str, &str),
        why: &mut String,
    ) -> bool {
        for time in 0..TIMES {
            if time > 0 {
                sleep(PAUSE).await;
            }
            *why = match handle.answered(link.to_owned(), topic).await {
                Ok(()) => return true,
                Err(refusal) if refusal.kind == Kind::Elsewhere => {
                    let mut again = asked.again();
                    again.forward = None;
                    again.body = Bytes::new();
                    let (link, topic) = (encode(link), encode(topic));
                    again.target = format!("/api/v1/links/{link}/topics/{topic}:answered");
                    let answer = Box::pin(again.at(&refusal.message, self.peers.workers())).await;
                    if answer.status().is_success() {
                        return true;
                    }
                    format!("{}: {}", refusal.message, message_of(answer).await)
                }
                Err(refusal) => refusal.message,
            };
        }
        false
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

fn noticed(mut result: Value, notice: Option<String>) -> Value {
    if let Some(notice) = notice {
        result["notice"] = json!(notice);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_worker_that_refused_may_have_let_go_on_is_told_as_unknown() {
        for (count, unknown, total, text) in [
            (1, 0, 1, "1 partition"),
            (5, 0, 5, "5 partitions"),
            (3, 0, 5, "3 of 5 partitions"),
            (0, 3, 5, "an unknown number of 3 partitions"),
            (
                2,
                3,
                5,
                "2 of 5 partitions, and an unknown number of 3 others,",
            ),
        ] {
            let resumed = Resumed { count, unknown };
            assert!(resumed.is_any());
            assert_eq!(resumed.text(total), text);
        }
        assert!(!Resumed::default().is_any());
    }
}
