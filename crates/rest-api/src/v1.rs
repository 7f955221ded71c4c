//! `/api/v1`: what Connect's API does not say. Health and lag of links, topics and partitions, what needs attention, what
//! a link would do, what an error means.
//!
//! ```text
//!   gate ─▶ route (pure) ─▶ answer ─▶ gather (Handle, peers) ─▶ shape, topic, health, worker (pure) ─▶ list (pure)
//!                                        ▲ rates, activity
//!                                     observer: one task that looks at all links ─▶ events: frames for who listens
//! ```
//!
//! Invariants:
//! * What is not known is `null`, never 0.
//! * Nothing that Connect's API can do is repeated here.
//! * Any worker of a group answers for all (`peers`). What a silent one has is UNKNOWN, and never what it said last.

mod attention;
pub(crate) mod changes;
mod events;
mod gaps;
mod gather;
mod health;
mod history;
mod list;
mod looking;
mod observer;
pub(crate) mod openapi;
mod peers;
mod rates;
mod rebalances;
mod resume;
pub(crate) mod route;
mod shape;
mod together;
mod topic;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use bytes::Bytes;
use serde_json::{Value, json};
use worker_group::detail::instant;
use worker_group::{Handle, Kind, Refusal};

use self::gather::{LinkView, Sources};
pub use self::health::link_checks;
use self::observer::Entry;
pub(crate) use self::observer::{Observer, Watcher};
pub(crate) use self::peers::Peers;
use self::rates::LinkRates;
use self::route::{Names, Resource};
pub(crate) use self::shape::config_version;
pub(crate) use self::worker::Identity;
use self::worker::Myself;
use crate::answer;
use crate::auth::Caller;
use crate::endpoint::Masked;
use crate::forward::Again;
use crate::query::Query;
use crate::request;

/// Longest text that is explained, in bytes.
const LONGEST: usize = 64 * 1024;

/// A request that has passed the gate.
pub(crate) struct Asked<'a> {
    pub(crate) resource: Resource,
    pub(crate) names: Names,
    pub(crate) query: Query,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) caller: &'a Caller,
    /// Path and query as they came, for another worker.
    pub(crate) target: &'a str,
}

impl Asked<'_> {
    /// Who asks, for another worker.
    fn authorization(&self) -> Option<&HeaderValue> {
        self.headers.get(header::AUTHORIZATION)
    }

    /// The same request, for another worker.
    fn again(&self) -> Again {
        Again {
            method: Method::POST,
            target: self.target.to_owned(),
            forward: self
                .query
                .first("forward")
                .map(|value| value.eq_ignore_ascii_case("true")),
            body: self.body.clone(),
            authorization: self.authorization().cloned(),
            user_agent: self.headers.get(header::USER_AGENT).cloned(),
        }
    }
}

/// What somebody did to a link.
pub(crate) struct Told<'a> {
    pub(crate) kind: &'static str,
    pub(crate) link: &'a str,
    pub(crate) summary: String,
    /// What of its configuration became another; null where nothing did.
    pub(crate) diff: Value,
}

impl<'a> Told<'a> {
    fn of(kind: &'static str, link: &'a str, summary: String) -> Self {
        Self {
            kind,
            link,
            summary,
            diff: Value::Null,
        }
    }
}

/// What the API needs besides the handle.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) identity: Identity,
    pub(crate) watcher: Watcher,
    pub(crate) peers: Arc<Peers>,
}

/// Whether CSV is preferred.
fn wants_csv(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    accept.is_some_and(|value| value.as_bytes().starts_with(b"text/csv"))
}

/// Whether an answer can be given in one of the forms there are.
pub(crate) fn is_acceptable(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    let events = accept.is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    request::takes_json(headers) || wants_csv(headers) || events
}

impl Api {
    /// Answers a request.
    pub(crate) async fn answer(&self, handle: &Handle, asked: Asked<'_>) -> Response<Body> {
        if asked.resource == Resource::Events {
            return self.listen(&asked).await;
        }
        let (csv, resource, by_status) = (
            wants_csv(asked.headers),
            asked.resource,
            asked.query.first("as") == Some("status"),
        );
        let again = resource.is_change().then(|| asked.again());
        let value = match (Box::pin(self.value(handle, asked)).await, again) {
            (Ok(value), _) => value,
            (Err(refusal), Some(again)) if refusal.kind == Kind::Elsewhere => {
                return Box::pin(again.at(&refusal.message, self.peers.workers())).await;
            }
            (Err(refusal), _) => return refused(&refusal),
        };
        let well = matches!(value["health"].as_str(), Some("HEALTHY" | "CATCHING_UP"));
        if resource == Resource::LinkHealth && by_status && !well {
            return answer::json(StatusCode::SERVICE_UNAVAILABLE, &value);
        }
        if csv && value["items"].is_array() {
            return answer::csv(list::csv(&value));
        }
        let status = if resource.is_change() {
            StatusCode::ACCEPTED
        } else {
            StatusCode::OK
        };
        answer::json(status, &value)
    }

    async fn listen(&self, asked: &Asked<'_>) -> Response<Body> {
        let filter = events::Filter::of(&asked.query);
        let last = events::last_id(asked.headers);
        let authorization = asked.authorization().cloned();
        match self.watcher.listen(filter, last, authorization).await {
            Some(frames) => events::stream(frames),
            None => {
                let text = format!(
                    "{} listen already, and no more can; close one",
                    events::STREAMS
                );
                refused(&Refusal::new(Kind::Unavailable, text))
            }
        }
    }

    async fn value(&self, handle: &Handle, asked: Asked<'_>) -> Result<Value, Refusal> {
        let now = SystemTime::now();
        match asked.resource {
            Resource::Info => {
                let limit = handle.evidence_limit().as_secs_f64();
                Ok(worker::info(&self.me(handle).await, limit, now))
            }
            Resource::Whoami => Ok(json!({
                "schema": "tributary/v1/Whoami",
                "user": asked.caller.user,
                "role": asked.caller.role.name(),
                "authentication": asked.caller.authentication,
                "as_of": instant(now),
            })),
            Resource::Activity => self.activity(handle, &asked, now).await,
            Resource::Share => {
                let (own, _) = self.own(handle).links().await?;
                let me = self.me(handle).await;
                let share = worker::share(&me, &own, &self.watcher.seen().rates, now);
                Ok(serde_json::to_value(share).expect("all its keys are texts"))
            }
            Resource::History => Box::pin(self.history(handle, &asked, now)).await,
            Resource::Explain => explained(&asked.body, now),
            Resource::Explanations => list::page("ExplanationList", known(), &asked.query, now),
            Resource::Preview => looking::preview(handle, &asked).await,
            Resource::Preflight => {
                looking::preflight(handle, &asked, &self.identity.worker_id, now).await
            }
            Resource::Refresh => self.refresh(handle, asked).await,
            Resource::PartitionResume => self.resume(handle, asked).await,
            Resource::TopicResume => self.resume_topic(handle, asked).await,
            Resource::TopicSync => self.sync_topic(handle, asked).await,
            Resource::TopicAnswered => self.answered(handle, asked).await,
            Resource::Overview
            | Resource::Links
            | Resource::Topics
            | Resource::Clusters
            | Resource::Workers
            | Resource::Worker
            | Resource::Rebalances
            // Answered before.
            | Resource::Events => self.whole(handle, &asked, now).await,
            Resource::Link
            | Resource::LinkHealth
            | Resource::LinkTopics
            | Resource::LinkTopic
            | Resource::TopicPartitions
            | Resource::Partition
            | Resource::Partitions
            | Resource::Tasks
            | Resource::Config => self.one(handle, &asked, now).await,
        }
    }

    /// What is known of this worker now.
    async fn me(&self, handle: &Handle) -> Myself {
        self.identity.now(handle, self.watcher.seen().weight).await
    }

    /// What this worker knows itself.
    fn own<'a>(&'a self, handle: &'a Handle) -> Sources<'a> {
        Sources {
            handle,
            here: &self.identity.worker_id,
            peers: None,
        }
    }

    /// What the group knows, or with `scope=worker` this worker only.
    fn sources<'a>(&'a self, handle: &'a Handle, asked: &'a Asked<'_>) -> Sources<'a> {
        let mut sources = self.own(handle);
        if asked.query.first("scope") != Some("worker") {
            sources.peers = Some((&self.peers, asked.authorization()));
        }
        sources
    }

    /// What concerns all links.
    async fn whole(
        &self,
        handle: &Handle,
        asked: &Asked<'_>,
        now: SystemTime,
    ) -> Result<Value, Refusal> {
        let (views, group) = self.sources(handle, asked).links().await?;
        let me = self.me(handle).await;
        let rates = group.rates(&self.watcher.seen().rates);
        let mut page = match asked.resource {
            Resource::Overview => return Ok(worker::overview(&me, &views, &rates, &group, now)),
            Resource::Clusters => {
                let rows = worker::clusters(&me, &views, now);
                list::page("ClusterList", rows, &asked.query, now)?
            }
            Resource::Topics => topic::page(&views, &rates, (&asked.query, now))?,
            Resource::Rebalances => {
                let (own, _) = self.own(handle).links().await?;
                let told = rebalances::told(me.view.as_ref(), &own, now);
                let rows = rebalances::rows(told, &group);
                list::page("RebalanceList", rows, &asked.query, now)?
            }
            Resource::Workers | Resource::Worker => {
                let (own, _) = self.own(handle).links().await?;
                let mut rows = worker::workers(&me, &own, &group, now);
                if asked.resource == Resource::Worker {
                    let id = &asked.names.worker;
                    rows.retain(|row| row["worker_id"] == **id);
                    let found = rows.into_iter().next();
                    return found.ok_or_else(|| missing(&format!("there is no worker {id}")));
                }
                list::page("WorkerList", rows, &asked.query, now)?
            }
            _ => {
                let default = me.default_destination.as_deref();
                let mut rows: Vec<Value> = views
                    .iter()
                    .map(|view| shape::link(view, rates.get(&view.name), default))
                    .collect();
                list::worst_first(&mut rows);
                list::page("LinkList", rows, &asked.query, now)?
            }
        };
        page["incomplete"] = Value::Array(worker::incomplete(views.iter(), &group, true));
        Ok(page)
    }

    /// What concerns one link.
    async fn one(
        &self,
        handle: &Handle,
        asked: &Asked<'_>,
        now: SystemTime,
    ) -> Result<Value, Refusal> {
        let name = &asked.names.link;
        let (view, group) = self.sources(handle, asked).link(name).await?;
        let rates = group.rates(&self.watcher.seen().rates);
        let mut value = self.of_link(handle, asked, &view, &rates, now)?;
        if value["items"].is_array() {
            value["incomplete"] =
                Value::Array(worker::incomplete([&view].into_iter(), &group, false));
        }
        Ok(value)
    }

    fn of_link(
        &self,
        handle: &Handle,
        asked: &Asked<'_>,
        view: &LinkView,
        all: &BTreeMap<String, LinkRates>,
        now: SystemTime,
    ) -> Result<Value, Refusal> {
        let (names, rates) = (&asked.names, all.get(&view.name));
        let topic = Some(names.topic.as_str());
        let page = (&asked.query, now);
        match asked.resource {
            Resource::LinkHealth => Ok(health::document(view, handle.evidence_limit())),
            Resource::LinkTopics => topic::page(std::slice::from_ref(view), all, page),
            Resource::LinkTopic => {
                let mut rows = topic::rows(view, rates).into_iter();
                let found = rows.find(|row| row["topic"] == *names.topic);
                found.ok_or_else(|| no_topic(view, names))
            }
            Resource::TopicPartitions => {
                if !topic::has(view, &names.topic) {
                    return Err(no_topic(view, names));
                }
                topic::partition_page(view, topic, page)
            }
            Resource::Partition => {
                let mut rows = topic::partition_rows(view, topic).into_iter();
                let found = rows.find(|row| row["partition"] == names.partition);
                let mut row = found.ok_or_else(|| no_topic(view, names))?;
                topic::explain(&mut row);
                Ok(row)
            }
            Resource::Partitions => topic::partition_page(view, None, page),
            Resource::Tasks => list::page("TaskList", shape::task_rows(view), &asked.query, now),
            Resource::Config => Ok(config(handle, view)),
            _ => {
                let default = handle.default_destination();
                Ok(shape::link(view, rates, default.as_deref()))
            }
        }
    }

    async fn refresh(&self, handle: &Handle, asked: Asked<'_>) -> Result<Value, Refusal> {
        let link = asked.names.link;
        handle.refresh(link.clone()).await?;
        let text = format!("topics of {link} are looked at");
        self.record(
            asked.caller,
            asked.headers,
            Told::of("refresh", &link, text),
        )
        .await;
        Ok(done(&format!("link/{link}"), "refreshed"))
    }

    async fn sync_topic(&self, handle: &Handle, asked: Asked<'_>) -> Result<Value, Refusal> {
        let Names { link, topic, .. } = asked.names;
        handle.compare_settings(link.clone(), &topic).await?;
        let text = format!("settings of topics of {link} are compared");
        self.record(asked.caller, asked.headers, Told::of("sync", &link, text))
            .await;
        Ok(done(&format!("topic/{link}/{topic}"), "synchronised"))
    }

    /// Takes down what somebody did to a link.
    pub(crate) async fn record(&self, caller: &Caller, headers: &HeaderMap, told: Told<'_>) {
        let client = headers.get(header::USER_AGENT);
        let client = client.and_then(|value| value.to_str().ok());
        let entry = Entry {
            kind: told.kind,
            actor: json!({"user": caller.user, "address": null, "client": client}),
            object: json!({"kind": "link", "link": told.link}),
            summary: told.summary,
            diff: told.diff,
            explanation: None,
        };
        self.watcher.record(entry).await;
    }
}

fn done(object: &str, action: &str) -> Value {
    json!({"schema": "tributary/v1/Result", "object": object, "action": action, "dry_run": false})
}

fn missing(text: &str) -> Refusal {
    Refusal::new(Kind::NotFound, text)
}

fn no_topic(view: &LinkView, names: &Names) -> Refusal {
    if view.detail.is_none() {
        let text = format!(
            "link {} does not run on any worker that answers, so that nothing is known of its topics",
            view.name
        );
        return Refusal::new(Kind::Conflict, text);
    }
    missing(&format!(
        "link {} has no topic {} or no such partition of it",
        view.name, names.topic
    ))
}

/// A refusal, with what is known about its text.
pub(crate) fn refused(refusal: &Refusal) -> Response<Body> {
    let plain = answer::refusal(refusal);
    let body = json!({
        "error_code": plain.status().as_u16(),
        "message": refusal.message,
        "explanation": attention::explained(&refusal.message),
    });
    answer::json(plain.status(), &body)
}

fn config(handle: &Handle, view: &LinkView) -> Value {
    let masked = Masked(true).config(view.config.clone());
    let report = handle.effective(&view.name, &view.config);
    let rows: Vec<Value> = report
        .rows
        .iter()
        .map(|row| {
            json!({
                "key": row.key,
                "value": row.value,
                "status": row.status.to_string(),
                "meaning": row.meaning,
                "origin": row.origin.as_ref().map(ToString::to_string),
            })
        })
        .collect();
    json!({
        "schema": "tributary/v1/LinkConfig",
        "link": view.name,
        "config_version": shape::config_version(&view.config),
        "config": masked,
        "rows": rows,
        "problems": report.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "notices": report.notices.iter().map(|notice| notice.text.clone()).collect::<Vec<_>>(),
        "as_of": instant(view.at),
    })
}

/// The members of a body that has to be an object.
fn body(bytes: &Bytes) -> Result<Value, Refusal> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| Refusal::bad(format!("the body is no JSON: {error}")))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(Refusal::bad("the body is not an object"))
    }
}

/// Everything that can be explained, as it reads without a text.
fn known() -> Vec<Value> {
    let all = explain::RULES.iter();
    all.map(|rule| {
        serde_json::to_value(rule.plain()).expect("an explanation has only texts for keys")
    })
    .collect()
}

fn explained(bytes: &Bytes, now: SystemTime) -> Result<Value, Refusal> {
    let body = body(bytes)?;
    let text = body["text"].as_str();
    let text = text.ok_or_else(|| Refusal::bad("the body has no text to explain"))?;
    if text.len() > LONGEST {
        let message =
            format!("the text is longer than {LONGEST} bytes; send the lines with the error");
        return Err(Refusal::bad(message));
    }
    let found = explain::explain(text);
    Ok(json!({
        "schema": "tributary/v1/ExplanationList",
        "items": found,
        "total": found.len(),
        "next_cursor": null,
        "incomplete": [],
        "as_of": instant(now),
    }))
}
