//! What every request passes before an endpoint sees it, and every answer on its way out.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response, StatusCode};
use config::rest::HeaderRule;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use worker_group::Handle;

use crate::answer;
use crate::auth::{self, Caller, Users, Verdict};
use crate::cors::Cors;
use crate::endpoint::{self, Asked};
use crate::forward::{DoneElsewhere, OtherWorkers};
use crate::headers;
use crate::metered::{MetricsSource, Requests};
use crate::query::Query;
use crate::request;
use crate::route::{self, Endpoint, NoRoute};
use crate::ui;
use crate::v1::{self, Api, Told};

/// Which requests a listener answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Surface {
    /// All.
    Whole,
    /// All but those of administration.
    WithoutAdmin,
    /// Only those of administration.
    AdminOnly,
}

/// What all listeners share.
pub(crate) struct Shared {
    pub(crate) handle: Handle,
    /// Those of the group, for what has to be done there.
    pub(crate) workers: OtherWorkers,
    pub(crate) users: Option<Users>,
    pub(crate) cors: Option<Cors>,
    pub(crate) rules: Vec<HeaderRule>,
    pub(crate) hide_secrets: bool,
    /// Whether `/health` is answered to everybody.
    pub(crate) health_public: bool,
    /// Whether the control center is served.
    pub(crate) ui: bool,
    /// Room for bodies that are being read.
    pub(crate) room: Semaphore,
    /// The same for requests of other workers: anybody may begin one, and must not keep out those who are known.
    pub(crate) workers_room: Semaphore,
    pub(crate) metrics: MetricsSource,
    pub(crate) requests: Requests,
    pub(crate) api: Api,
}

/// What one listener needs.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) shared: Arc<Shared>,
    pub(crate) surface: Surface,
    /// Whether it speaks TLS.
    pub(crate) https: bool,
}

/// Answers any request.
pub(crate) async fn pass(State(gate): State<Gate>, request: Request) -> Response<Body> {
    let begin = Instant::now();
    let (parts, body) = request.into_parts();
    let preflight = Cors::is_preflight(&parts.method, &parts.headers);
    let shared = &gate.shared;
    let is_intruder = Cors::is_intruder(shared.cors.as_ref(), &parts.method, &parts.headers);
    let mut response = match is_intruder {
        true => intruder(),
        false => Box::pin(gate.answer(&parts, body)).await,
    };
    if let Some(cors) = shared
        .cors
        .as_ref()
        .filter(|_| gate.surface != Surface::AdminOnly)
    {
        cors.mark(&parts.headers, preflight, &mut response);
    }
    headers::apply(&shared.rules, &mut response);
    let endpoint = route::route(parts.uri.path()).map(|target| target.endpoint);
    let status = response.status().as_u16();
    shared
        .requests
        .count(&parts.method, endpoint.ok(), status, begin.elapsed());
    response
}

fn intruder() -> Response<Body> {
    let text = "a page of another origin may change nothing here; access.control.allow.origin names those that may";
    answer::error(StatusCode::FORBIDDEN, text)
}

impl Gate {
    async fn answer(&self, parts: &axum::http::request::Parts, body: Body) -> Response<Body> {
        if v1::route::is_here(parts.uri.path()) && self.surface != Surface::AdminOnly {
            return Box::pin(self.answer_api(parts, body)).await;
        }
        let shared = &self.shared;
        let (method, headers) = (&parts.method, &parts.headers);
        // Before it is asked who it is: the page that asks for credentials needs none.
        if shared.ui
            && self.surface != Surface::AdminOnly
            && let Some(response) = ui::answer(method, parts.uri.path(), headers)
        {
            return response;
        }
        let target = route::route(parts.uri.path());
        let endpoint = target.as_ref().ok().map(|target| target.endpoint);
        // A browser asks without credentials whether it may ask.
        let asks = shared.cors.is_some() && Cors::is_preflight(method, headers);
        let is_open = asks || (shared.health_public && endpoint == Some(Endpoint::Health));
        if let Some(users) = shared.users.as_ref().filter(|_| !is_open) {
            match users.judge(headers, method, endpoint) {
                Verdict::Allowed => {}
                Verdict::Unknown => return answer::unauthorized(),
                Verdict::Forbidden => {
                    let text = "you may look and change nothing: your role is viewer";
                    return answer::error(StatusCode::FORBIDDEN, text);
                }
            }
        }
        let target = match target {
            Ok(target) if self.has(target.endpoint) => target,
            Ok(_) | Err(NoRoute::Unknown) => return answer::plain_error(StatusCode::NOT_FOUND),
            Err(NoRoute::Undecodable) => return answer::plain_error(StatusCode::BAD_REQUEST),
        };
        let methods = route::methods(target.endpoint);
        if *method == Method::OPTIONS {
            return answer::options(&methods);
        }
        let known = if *method == Method::HEAD {
            "GET"
        } else {
            method.as_str()
        };
        if !methods.contains(&known) {
            return answer::wrong_method(&methods);
        }
        if target.endpoint == Endpoint::Metrics {
            return shared.metrics.answer(headers, &shared.requests).await;
        }
        if !request::takes_json(headers) {
            return answer::plain_error(StatusCode::NOT_ACCEPTABLE);
        }
        let room = match auth::is_signed(method, target.endpoint) {
            true => &shared.workers_room,
            false => &shared.room,
        };
        let body = match request::read(headers, body, room).await {
            Ok(body) => body,
            Err(request::BadBody(status)) => return answer::plain_error(status),
        };
        let caller = self.caller(headers).unwrap_or(Caller::ANYBODY);
        let asked = Asked {
            method,
            target,
            uri: &parts.uri,
            query: Query::parse(parts.uri.query().unwrap_or("")),
            headers,
            body,
            https: self.https,
            hide_secrets: shared.hide_secrets || !caller.is_admin(),
            looks_up: caller.is_admin(),
        };
        let (endpoint, name) = (asked.target.endpoint, asked.target.name.clone());
        let change = self.change(&asked).await;
        let answered = endpoint::answer(&shared.handle, &shared.workers, asked).await;
        let is_here = answered.extensions().get::<DoneElsewhere>().is_none();
        if answered.status().is_success() && is_here {
            let did = activity(endpoint, method);
            self.tell((&caller, headers), &name, did, change).await;
        }
        answered
    }

    /// Takes down what was done, where that changes something.
    async fn tell(
        &self,
        (caller, headers): (&Caller, &axum::http::HeaderMap),
        name: &str,
        did: Option<(&'static str, &'static str)>,
        change: Option<Value>,
    ) {
        let Some((kind, done)) = did else {
            return;
        };
        let link = if name.is_empty() { "a link" } else { name };
        let told = Told {
            kind,
            link: name,
            summary: format!("{link} {done}"),
            diff: change.unwrap_or_default(),
        };
        self.shared.api.record(caller, headers, told).await;
    }

    /// What a request is about to make of a configuration; nothing for one that is about something else.
    async fn change(&self, asked: &Asked<'_>) -> Option<Value> {
        let is_whole = *asked.method == Method::PUT;
        if asked.target.endpoint != Endpoint::Config
            || !(is_whole || *asked.method == Method::PATCH)
        {
            return None;
        }
        let given = request::config(&asked.body).ok()?;
        // One that is not there is created by it.
        let stored = self.shared.handle.config(asked.target.name.clone()).await;
        Some(v1::changes::between(&stored.ok()?, given, is_whole))
    }

    /// Who asks; nothing for somebody who may not.
    fn caller(&self, headers: &axum::http::HeaderMap) -> Option<Caller> {
        match &self.shared.users {
            None => Some(Caller::ANYBODY),
            Some(users) => users.caller(headers),
        }
    }

    async fn answer_api(&self, parts: &axum::http::request::Parts, body: Body) -> Response<Body> {
        let shared = &self.shared;
        let (method, headers) = (&parts.method, &parts.headers);
        let asks = shared.cors.is_some() && Cors::is_preflight(method, headers);
        let caller = if asks {
            Some(Caller::ANYBODY)
        } else {
            self.caller(headers)
        };
        let Some(caller) = caller else {
            return answer::unauthorized();
        };
        let (rows, names) = match v1::route::route(parts.uri.path()) {
            Ok(found) => found,
            Err(NoRoute::Unknown) => return answer::plain_error(StatusCode::NOT_FOUND),
            Err(NoRoute::Undecodable) => return answer::plain_error(StatusCode::BAD_REQUEST),
        };
        let methods: Vec<&str> = rows.iter().map(|row| row.method).collect();
        if *method == Method::OPTIONS {
            return answer::options(&methods);
        }
        let known = if *method == Method::HEAD {
            "GET"
        } else {
            method.as_str()
        };
        let Some(row) = rows.iter().find(|row| row.method == known) else {
            return answer::wrong_method(&methods);
        };
        if row.need == v1::route::Need::Admin && !caller.is_admin() {
            let text = "you may look and change nothing: your role is viewer";
            return answer::error(StatusCode::FORBIDDEN, text);
        }
        if !v1::is_acceptable(headers) {
            return answer::plain_error(StatusCode::NOT_ACCEPTABLE);
        }
        let body = match request::read(headers, body, &shared.room).await {
            Ok(body) => body,
            Err(request::BadBody(status)) => return answer::plain_error(status),
        };
        let asked = v1::Asked {
            resource: row.resource,
            names,
            query: Query::parse(parts.uri.query().unwrap_or("")),
            headers,
            body,
            caller: &caller,
            target: parts
                .uri
                .path_and_query()
                .map_or("/", |target| target.as_str()),
        };
        shared.api.answer(&shared.handle, asked).await
    }

    fn has(&self, endpoint: Endpoint) -> bool {
        let admin = matches!(endpoint, Endpoint::Loggers | Endpoint::Logger);
        match self.surface {
            Surface::Whole => true,
            Surface::WithoutAdmin => !admin,
            Surface::AdminOnly => admin,
        }
    }
}

/// What a request did, for the list of activity; nothing for one that changes nothing.
fn activity(endpoint: Endpoint, method: &Method) -> Option<(&'static str, &'static str)> {
    match (endpoint, method.as_str()) {
        (Endpoint::Connectors, "POST") => Some(("create", "was created")),
        (Endpoint::Connector, "DELETE") => Some(("delete", "was deleted")),
        (Endpoint::Config, "PUT" | "PATCH") => Some(("configure", "got another configuration")),
        (Endpoint::Pause, _) => Some(("pause", "is to pause")),
        (Endpoint::Resume, _) => Some(("resume", "is to go on")),
        (Endpoint::Stop, _) => Some(("stop", "is to stop")),
        (Endpoint::Restart, _) => Some(("restart", "is begun anew")),
        (Endpoint::TaskRestart, _) => Some(("restart", "has a task begun anew")),
        (Endpoint::Offsets, "PATCH" | "DELETE") => Some(("offsets", "got other positions")),
        _ => None,
    }
}
