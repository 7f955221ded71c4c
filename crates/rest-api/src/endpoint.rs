//! What each endpoint answers: a request is understood, one method of the handle is called, its answer is shown.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri, header};
use bytes::Bytes;
use config::key::{HIDDEN, is_shown_only, shown_to_readers, stands_for};
use config::variables;
use serde::Serialize;
use worker_group::engine::Health;
use worker_group::herder::GroupView;
use worker_group::restart::RestartRequest;
use worker_group::signing::{ALGORITHM_HEADER, SIGNATURE_HEADER, Signature};
use worker_group::state::TargetState;
use worker_group::view::{ConnectorInfo, SourceOffset};
use worker_group::{Config, GivenConfig, Handle, Kind, Refusal};

use crate::answer;
use crate::forward::{Again, OtherWorkers};
use crate::openapi;
use crate::query::{Query, encode};
use crate::request;
use crate::route::{Endpoint, Target};
use crate::server::scheme;
use crate::v1;

/// Clients take the API's features from this version.
const CONNECT_VERSION: &str = "3.9.0";

/// A request that has passed the gate.
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    pub(crate) target: Target,
    pub(crate) uri: &'a Uri,
    pub(crate) query: Query,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: Bytes,
    /// Whether it came with TLS.
    pub(crate) https: bool,
    pub(crate) hide_secrets: bool,
    /// Whether whoever asks may have variables looked up.
    pub(crate) looks_up: bool,
}

#[derive(Serialize)]
struct Root {
    version: &'static str,
    commit: &'static str,
    kafka_cluster_id: Option<String>,
    tributary_version: &'static str,
    /// The group, of a worker that is one of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    tributary_group: Option<GroupView>,
}

#[derive(Serialize)]
struct HealthBody {
    status: &'static str,
    message: String,
}

#[derive(Serialize)]
struct Message {
    message: &'static str,
}

#[derive(Serialize)]
struct Topics {
    topics: Vec<String>,
}

#[derive(Serialize)]
struct Offsets {
    offsets: Vec<SourceOffset>,
}

type Answer = Result<Response<Body>, Refusal>;

fn ok(body: &impl Serialize) -> Answer {
    Ok(answer::json(StatusCode::OK, body))
}

fn done(status: StatusCode) -> Answer {
    Ok(answer::empty(status))
}

/// Answers a request.
pub(crate) async fn answer(
    handle: &Handle,
    workers: &OtherWorkers,
    asked: Asked<'_>,
) -> Response<Body> {
    let again = handle.is_grouped().then(|| asked.again());
    let answered = match asked.target.endpoint {
        // Metrics are answered at the gate, which counts what they are about.
        Endpoint::Root | Endpoint::Health | Endpoint::OpenApi | Endpoint::Metrics => {
            worker(handle, &asked).await
        }
        Endpoint::Connectors | Endpoint::Connector | Endpoint::Config => {
            Box::pin(configuration(handle, asked)).await
        }
        Endpoint::Plugins | Endpoint::PluginConfig | Endpoint::Validate => {
            plugins(handle, &asked).await
        }
        Endpoint::Loggers | Endpoint::Logger => loggers(handle, &asked).await,
        Endpoint::Offsets => offsets(handle, asked).await,
        Endpoint::Pause | Endpoint::Resume | Endpoint::Stop => target(handle, asked).await,
        Endpoint::Restart | Endpoint::TaskRestart => restart(handle, asked).await,
        Endpoint::Status
        | Endpoint::Tasks
        | Endpoint::TasksConfig
        | Endpoint::TaskStatus
        | Endpoint::Topics
        | Endpoint::TopicsReset
        | Endpoint::Fence => state(handle, asked).await,
    };
    match (answered, again) {
        (Ok(answer), _) => answer,
        (Err(refusal), Some(again)) if refusal.kind == Kind::Elsewhere => {
            Box::pin(again.at(&refusal.message, workers)).await
        }
        (Err(refusal), _) => answer::refusal(&refusal),
    }
}

async fn worker(handle: &Handle, asked: &Asked<'_>) -> Answer {
    match asked.target.endpoint {
        Endpoint::OpenApi => ok(&openapi::document(handle.version())),
        Endpoint::Health => {
            let (status, word, message) = match handle.health().await {
                Health::Healthy => (
                    StatusCode::OK,
                    "healthy",
                    "Worker has completed startup and is ready to handle requests.".to_owned(),
                ),
                Health::Starting(stage) => (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "starting",
                    format!("Worker is still starting up. {stage}"),
                ),
                Health::Unhealthy(stage) => (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "unhealthy",
                    format!(
                        "Worker was unable to handle this request and may be unable to handle other requests. {stage}"
                    ),
                ),
            };
            let body = HealthBody {
                status: word,
                message,
            };
            Ok(answer::json(status, &body))
        }
        _ => ok(&Root {
            version: CONNECT_VERSION,
            commit: option_env!("TRIBUTARY_COMMIT").unwrap_or("unknown"),
            kafka_cluster_id: handle.cluster_id(),
            tributary_version: handle.version(),
            tributary_group: handle.group().await,
        }),
    }
}

// === configurations ===

async fn configuration(handle: &Handle, asked: Asked<'_>) -> Answer {
    let name = asked.target.name.clone();
    if let Some(wanted) = asked.headers.get(header::IF_MATCH)
        && matches!(*asked.method, Method::PUT | Method::PATCH)
    {
        let stored = handle.config(name.clone()).await?;
        let version = v1::config_version(&stored);
        if !is_version(wanted.to_str().unwrap_or(""), &version) {
            let text = format!(
                "somebody has changed {name} meanwhile: its configuration is of version {version} now; look at the difference \
                 and try again"
            );
            return Ok(answer::error(StatusCode::PRECONDITION_FAILED, &text));
        }
    }
    match (asked.target.endpoint, asked.method) {
        (Endpoint::Connectors, &Method::POST) => create(handle, &asked).await,
        (Endpoint::Connectors, _) => list(handle, &asked).await,
        (Endpoint::Connector, &Method::DELETE) => {
            handle.delete(name).await?;
            done(StatusCode::NO_CONTENT)
        }
        (Endpoint::Connector, _) => ok(&asked.shown(handle.info(name).await?)),
        (_, &Method::PUT) => {
            let given = asked.given(handle, &name).await?;
            let written = handle.write(name, given).await?;
            if written.created {
                return Ok(created(&asked, written.info));
            }
            ok(&asked.shown(written.info))
        }
        (_, &Method::PATCH) => {
            let patch = asked.given(handle, &name).await?;
            ok(&asked.shown(handle.patch(name, patch).await?))
        }
        _ => ok(&asked.masked(handle.config(name).await?)),
    }
}

/// Whether a version is among those that a change is for.
fn is_version(wanted: &str, version: &str) -> bool {
    let mut all = wanted.split(',').map(str::trim);
    all.any(|one| one == "*" || one.trim_matches('"') == version)
}

async fn create(handle: &Handle, asked: &Asked<'_>) -> Answer {
    let mut new = request::new_connector(&asked.body)?;
    unmask(&mut new.config, &Config::new())?;
    let info = handle.create(new.name, new.config, new.initial).await?;
    Ok(created(asked, info))
}

fn created(asked: &Asked<'_>, info: ConnectorInfo) -> Response<Body> {
    let host = asked.headers.get(header::HOST);
    let host = host
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    let scheme = scheme(asked.https);
    let place = format!("{scheme}://{host}/connectors/{}", encode(&info.name));
    answer::with_location(
        answer::json(StatusCode::CREATED, &asked.shown(info)),
        &place,
    )
}

async fn list(handle: &Handle, asked: &Asked<'_>) -> Answer {
    let parts: Vec<&str> = asked.query.all("expand").collect();
    let (status, info) = (parts.contains(&"status"), parts.contains(&"info"));
    if !status && !info {
        return ok(&handle.names().await?);
    }
    let mut all = handle.expanded(status, info).await?;
    for one in all.values_mut() {
        one.info = one.info.take().map(|info| asked.shown(info));
    }
    ok(&all)
}

/// Whether a value has the mark of one that was shown without its secret.
fn is_masked(value: &str) -> bool {
    value.contains(HIDDEN)
}

/// Puts what is stored in the place of what was shown of it.
pub(crate) fn unmask(given: &mut GivenConfig, stored: &Config) -> Result<(), Refusal> {
    for (key, value) in given {
        let Some(shown) = value.as_deref().filter(|value| is_masked(value)) else {
            continue;
        };
        match stored.get(key) {
            Some(secret) if stands_for(key, shown, secret) => *value = Some(secret.clone()),
            _ if is_shown_only(key, shown) => return Err(nothing_hidden(key)),
            _ => {}
        }
    }
    Ok(())
}

fn nothing_hidden(key: &str) -> Refusal {
    Refusal::bad(format!(
        "the value of {key} reads {HIDDEN}, which stands for what is stored, and nothing is stored that it could stand \
         for; give the secret itself, or a variable such as ${{file:/path:key}}"
    ))
}

/// Whether secrets are shown as `[hidden]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Masked(pub(crate) bool);

impl Masked {
    /// The configuration as it is shown.
    pub(crate) fn config(self, mut config: Config) -> Config {
        if self.0 {
            for (key, value) in &mut config {
                *value = shown_to_readers(key, value);
            }
        }
        config
    }
}

impl Asked<'_> {
    /// The same request, for another worker.
    fn again(&self) -> Again {
        let target = self.uri.path_and_query();
        Again {
            method: self.method.clone(),
            target: target.map_or("/", |target| target.as_str()).to_owned(),
            forward: self
                .query
                .first("forward")
                .map(|value| value.eq_ignore_ascii_case("true")),
            body: self.body.clone(),
            authorization: self.headers.get(header::AUTHORIZATION).cloned(),
            user_agent: self.headers.get(header::USER_AGENT).cloned(),
        }
    }

    /// What a request between workers is signed with.
    fn signature(&self) -> Signature {
        let text = |name: &str| {
            let value = self.headers.get(name)?;
            Some(value.to_str().ok()?.to_owned())
        };
        Signature {
            signature: text(SIGNATURE_HEADER),
            algorithm: text(ALGORITHM_HEADER),
        }
    }

    /// The configuration of the body. What was shown without its secret stands for what is stored.
    async fn given(&self, handle: &Handle, name: &str) -> Result<GivenConfig, Refusal> {
        let mut given = request::config(&self.body)?;
        if given.values().flatten().any(|value| is_masked(value)) {
            let stored = match handle.config(name.to_owned()).await {
                Err(refusal) if refusal.kind == Kind::NotFound => Config::new(),
                stored => stored?,
            };
            unmask(&mut given, &stored)?;
        }
        Ok(given)
    }

    fn masked(&self, config: Config) -> Config {
        Masked(self.hide_secrets).config(config)
    }

    fn shown(&self, mut info: ConnectorInfo) -> ConnectorInfo {
        info.config = self.masked(info.config);
        info
    }
}

// === what it does ===

async fn target(handle: &Handle, asked: Asked<'_>) -> Answer {
    let (target, status) = match asked.target.endpoint {
        Endpoint::Pause => (TargetState::Paused, StatusCode::ACCEPTED),
        Endpoint::Resume => (TargetState::Started, StatusCode::ACCEPTED),
        _ => (TargetState::Stopped, StatusCode::NO_CONTENT),
    };
    handle.set_target(asked.target.name, target).await?;
    done(status)
}

async fn restart(handle: &Handle, asked: Asked<'_>) -> Answer {
    let Target { name, task, .. } = asked.target;
    if asked.target.endpoint == Endpoint::TaskRestart {
        handle.restart_task(name, task).await?;
        return done(StatusCode::NO_CONTENT);
    }
    let request = RestartRequest {
        include_tasks: asked.query.flag("includeTasks"),
        only_failed: asked.query.flag("onlyFailed"),
    };
    let state = handle.restart(name, request).await?;
    if request.is_plain() {
        return done(StatusCode::NO_CONTENT);
    }
    Ok(answer::json(StatusCode::ACCEPTED, &state))
}

async fn state(handle: &Handle, asked: Asked<'_>) -> Answer {
    let endpoint = asked.target.endpoint;
    let Target { name, task, .. } = asked.target.clone();
    match endpoint {
        Endpoint::Status => ok(&handle.state(name).await?),
        Endpoint::TaskStatus => ok(&handle.task_state(name, task).await?),
        Endpoint::Topics => {
            let topics = handle.topics(name.clone()).await?;
            ok(&BTreeMap::from([(name, Topics { topics })]))
        }
        Endpoint::TopicsReset => {
            handle.reset_topics(name).await?;
            done(StatusCode::ACCEPTED)
        }
        Endpoint::Tasks if asked.method == Method::POST => {
            let signature = asked.signature();
            handle.put_tasks(name, signature, asked.body).await?;
            done(StatusCode::NO_CONTENT)
        }
        Endpoint::Fence => {
            handle.fence(name, asked.signature()).await?;
            done(StatusCode::NO_CONTENT)
        }
        _ => {
            let mut tasks = handle.tasks(name).await?;
            for task in &mut tasks {
                task.config = asked.masked(std::mem::take(&mut task.config));
            }
            if endpoint == Endpoint::Tasks {
                return ok(&tasks);
            }
            let named = tasks.into_iter().map(|task| {
                let id = format!("{}-{}", task.id.connector, task.id.task);
                (id, task.config)
            });
            ok(&named.collect::<BTreeMap<_, _>>())
        }
    }
}

async fn offsets(handle: &Handle, asked: Asked<'_>) -> Answer {
    let name = asked.target.name;
    match *asked.method {
        Method::PATCH => {
            let offsets = request::offsets(&asked.body)?;
            handle.alter_offsets(name, offsets).await?;
            ok(&Message {
                message: "The offsets for this connector have been altered successfully",
            })
        }
        Method::DELETE => {
            handle.reset_offsets(name).await?;
            ok(&Message {
                message: "The offsets for this connector have been reset successfully",
            })
        }
        _ => ok(&Offsets {
            offsets: handle.offsets(name).await?,
        }),
    }
}

// === plugins and logging ===

async fn plugins(handle: &Handle, asked: &Asked<'_>) -> Answer {
    let name = &asked.target.name;
    match asked.target.endpoint {
        Endpoint::Plugins => {
            let only = asked.query.first("connectorsOnly");
            let only = only.is_none_or(|value| value.eq_ignore_ascii_case("true"));
            ok(&handle.plugins(!only))
        }
        Endpoint::PluginConfig => ok(&handle.plugin_config(name)?),
        _ => {
            let given = request::config(&asked.body)?;
            // What is wrong with a value says something about it, and a file that cannot be read says something too.
            let has_variables = given
                .values()
                .flatten()
                .any(|value| variables::are_in(value));
            if has_variables && !asked.looks_up {
                let text = "variables are looked up for administrators only: your role is viewer";
                return Err(Refusal::new(Kind::Forbidden, text));
            }
            ok(&handle.validate(name, given).await?)
        }
    }
}

async fn loggers(handle: &Handle, asked: &Asked<'_>) -> Answer {
    let name = asked.target.name.clone();
    match (asked.target.endpoint, asked.method) {
        (Endpoint::Loggers, _) => ok(&handle.loggers().await?),
        (_, &Method::PUT) => {
            let level = request::level(&asked.body)?;
            let scope = asked.query.first("scope").unwrap_or("worker");
            if scope.eq_ignore_ascii_case("cluster") {
                handle.set_all_loggers(name, level).await?;
                return done(StatusCode::NO_CONTENT);
            }
            ok(&handle.set_logger(name, level).await?)
        }
        _ => ok(&handle.logger(name).await?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map<V>(lines: &[(&str, &str)], value: impl Fn(&str) -> V) -> BTreeMap<String, V> {
        let lines = lines
            .iter()
            .map(|(key, text)| ((*key).to_owned(), value(text)));
        lines.collect()
    }

    #[test]
    fn a_change_is_for_the_version_that_it_names() {
        for (wanted, fits) in [
            ("\"a1\"", true),
            ("*", true),
            ("\"b\", \"a1\"", true),
            ("\"a\"", false),
            ("", false),
        ] {
            assert_eq!(is_version(wanted, "a1"), fits, "{wanted}");
        }
    }

    #[test]
    fn what_is_shown_without_its_secret_can_be_written_back() {
        let stored: Config = map(
            &[
                ("name", "n"),
                ("src.kafka.ssl.key.password", "hunter2"),
                ("src.kafka.ssl.keystore.password", "${env:P}"),
                ("schema.registry.url", "http://al:hunter2@r"),
                ("confluent.license", "hunter2"),
                ("dest.kafka.ssl.truststore.certificates", "hunter2"),
                ("my.own.key", "password=hunter2"),
            ],
            str::to_owned,
        );
        let shown = Masked(true).config(stored.clone());
        assert!(!format!("{shown:?}").contains("hunter2"));
        assert_eq!(shown["src.kafka.ssl.keystore.password"], "${env:P}");
        let mut given: GivenConfig = shown.into_iter().map(|(k, v)| (k, Some(v))).collect();
        unmask(&mut given, &stored).expect("all is stored");
        let kept: Config = given
            .into_iter()
            .filter_map(|(k, v)| Some((k, v?)))
            .collect();
        assert_eq!(kept, stored);
    }

    #[test]
    fn a_mark_that_stands_for_nothing_is_never_stored() {
        for (key, value) in [
            ("src.kafka.ssl.key.password", "[hidden]"),
            ("schema.registry.url", "http://[hidden]@r"),
            ("confluent.license", "[hidden] 01234567"),
            ("b.ssl.truststore.certificates", "[hidden] 01234567"),
            ("my.own.key", "[hidden] 01234567"),
            ("topic.regex", "[hidden]"),
        ] {
            let mut given = map(&[(key, value)], |text| Some(text.to_owned()));
            let refusal = unmask(&mut given, &Config::new()).expect_err(key);
            assert!(refusal.message.contains(key), "{}", refusal.message);
        }
    }
}
