//! How links and what belongs to them are shown. Pure: what was gathered and the rates become JSON.
//!
//! What is not known is `null`, never 0.

use std::time::{Duration, SystemTime};

use config::keys::{DESTINATION_ALIAS, SOURCE_ALIAS};
use serde_json::{Map, Value, json};
use worker_group::Config;
use worker_group::detail::{ClusterDetail, instant};
use worker_group::state::State;
use worker_group::view::LagDetail;

use super::attention;
use super::gather::LinkView;
use super::rates::{CatchUp, LinkRates};
use super::topic;

/// A lag that nothing is known of.
pub(crate) fn no_lag() -> Value {
    json!({
        "known": false, "records": null, "seconds": null, "bytes": null, "seconds_basis": "stale",
        "bytes_basis": "estimated", "as_of": null,
    })
}

/// Whether anything was measured of a lag, be it long ago.
pub(crate) fn is_measured(lag: &LagDetail) -> bool {
    lag.known || lag.records.is_some()
}

/// A lag, with the time of the reading it rests on.
pub(crate) fn lag(lag: &LagDetail, now: SystemTime) -> Value {
    let measured = is_measured(lag);
    let age = lag.age_seconds.map(Duration::from_secs_f64);
    let read = age.and_then(|age| now.checked_sub(age));
    json!({
        "known": lag.known,
        "records": lag.records,
        "seconds": measured.then_some(lag.seconds),
        "bytes": measured.then_some(lag.bytes),
        "seconds_basis": lag.seconds_basis,
        "bytes_basis": "estimated",
        "as_of": read.map(instant),
    })
}

/// A catch-up time.
pub(crate) fn catch_up(catch_up: Option<&CatchUp>) -> Value {
    json!({
        "seconds": catch_up.and_then(|one| one.seconds),
        "records_per_second": catch_up.map(|one| one.records_per_second),
        "converging": catch_up.map(|one| one.converging),
    })
}

fn first<'a>(config: &'a Config, keys: &[&str]) -> Option<&'a str> {
    let mut values = keys.iter().filter_map(|key| config.get(*key));
    values
        .find(|value| !value.trim().is_empty())
        .map(|value| value.trim())
}

/// A side of a link, from its configuration and from what the cluster says of itself.
pub(crate) fn cluster_ref(
    config: &Config,
    is_source: bool,
    seen: Option<&ClusterDetail>,
    default: Option<&str>,
) -> Value {
    let (alias, servers) = if is_source {
        (
            SOURCE_ALIAS,
            [
                "source.cluster.bootstrap.servers",
                "src.kafka.bootstrap.servers",
            ],
        )
    } else {
        (
            DESTINATION_ALIAS,
            [
                "target.cluster.bootstrap.servers",
                "dest.kafka.bootstrap.servers",
            ],
        )
    };
    let bootstrap = seen
        .map(|seen| seen.bootstrap.as_str())
        .or_else(|| first(config, &servers))
        .or(default.filter(|_| !is_source));
    let alias = first(config, &[alias]).or_else(|| {
        // Addresses that nobody listens at come first in some lists; any of them tells people which cluster it is.
        bootstrap?.split(',').next_back().map(str::trim)
    });
    json!({
        "alias": alias,
        "cluster_id": seen.and_then(|seen| seen.id.as_deref()),
        "bootstrap": bootstrap,
    })
}

/// `${topic}` and an example.
fn naming(view: &LinkView) -> Value {
    let format = first(&view.config, &["topic.rename.format"]);
    let policy = first(&view.config, &["replication.policy.class"]);
    let topics = view.detail.iter().flat_map(|detail| &detail.topics);
    let example = topics
        .filter_map(|(source, topic)| Some((source, topic.destination.as_ref()?)))
        .map(|(source, destination)| format!("{source} → {destination}"))
        .next();
    json!({"format": format, "policy": policy, "example": example})
}

/// How many tasks are in which state.
pub(crate) fn tasks(view: &LinkView) -> Value {
    let tasks = &view.state.tasks;
    let count = |of: State| tasks.iter().filter(|task| task.state == of).count();
    json!({
        "total": tasks.len(),
        "running": count(State::Running),
        "failed": count(State::Failed),
        "paused": count(State::Paused),
        "unassigned": count(State::Unassigned) + count(State::Restarting),
    })
}

fn topics(view: &LinkView) -> Value {
    let Some(detail) = &view.detail else {
        return json!({
            "total": null, "active": null, "failing": null, "paused": null, "excluded": null,
        });
    };
    let classes = topic::classes(view);
    let count = |class: &str| classes.get(class).copied().unwrap_or(0);
    json!({
        "total": detail.topics.len(),
        "active": count("active"),
        "failing": count("failing"),
        "paused": 0,
        "excluded": detail.excluded,
    })
}

fn partitions(view: &LinkView) -> Value {
    let mut states = Map::new();
    for partition in view.partitions() {
        let count = states.entry(&*partition.state).or_insert(json!(0));
        *count = json!(count.as_u64().unwrap_or(0) + 1);
    }
    let known = view.detail.is_some();
    json!({"total": known.then(|| view.partitions().len()), "by_state": states})
}

/// A number that changes with the configuration, for `If-Match`.
pub(crate) fn config_version(config: &Config) -> String {
    use sha2::{Digest, Sha256};
    let mut digest = Sha256::new();
    for (key, value) in config {
        digest.update((key.len() as u64).to_be_bytes());
        digest.update(key.as_bytes());
        digest.update((value.len() as u64).to_be_bytes());
        digest.update(value.as_bytes());
    }
    let digest = digest.finalize();
    digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What arriving once means here: it is promised, and where a partition had to go on without knowing what the destination
/// holds, that is said with how much may be there twice. Nothing where it is not known of all partitions.
fn mode(view: &LinkView) -> Option<&'static str> {
    let is_whole = view.detail.is_some() && !view.has_silent();
    match view.partitions().iter().any(|one| one.repeated > 0) {
        true => Some("at-least-once"),
        false => is_whole.then_some("exactly-once"),
    }
}

/// A link. `default` is where it writes if its configuration does not say.
pub(crate) fn link(view: &LinkView, rates: Option<&LinkRates>, default: Option<&str>) -> Value {
    let (health, reason) = view.health();
    let rates = rates.filter(|_| !view.has_silent());
    let detail = view.detail.as_ref();
    let (source, destination) = (
        detail.map(|detail| &detail.source),
        detail.map(|detail| &detail.destination),
    );
    let mut workers: Vec<&str> = view
        .state
        .tasks
        .iter()
        .map(|task| task.worker_id.as_str())
        .collect();
    workers.push(&view.state.connector.worker_id);
    workers.sort_unstable();
    workers.dedup();
    json!({
        "schema": "tributary/v1/Link",
        "name": view.name,
        "source": cluster_ref(&view.config, true, source, default),
        "destination": cluster_ref(&view.config, false, destination, default),
        "health": health,
        "health_reason": reason,
        "connect_state": view.state.connector.state,
        "mode": mode(view),
        "naming": naming(view),
        "tasks": tasks(view),
        "topics": topics(view),
        "partitions": partitions(view),
        "records_per_second": rates.and_then(|rates| rates.records),
        "bytes_per_second": rates.and_then(|rates| rates.bytes),
        "lag": detail.map_or_else(no_lag, |detail| lag(&detail.lag, view.at)),
        "catch_up": catch_up(rates.and_then(|rates| rates.catch_up.as_ref())),
        "retention_headroom_seconds": topic::least_headroom(view),
        "groups": null,
        "attention": attention::of_link(view),
        "workers": workers,
        "created_at": null,
        "changed_at": null,
        "config_version": config_version(&view.config),
        "companions": [],
        "as_of": instant(view.at),
    })
}

/// Its tasks.
pub(crate) fn task_rows(view: &LinkView) -> Vec<Value> {
    let lags = view.lags();
    let tasks = view.state.tasks.iter();
    tasks
        .map(|task| {
            let trace = task.trace.as_deref();
            let lag_of = lags.get(&task.id);
            json!({
                "schema": "tributary/v1/Task",
                "link": view.name,
                "task": task.id,
                "state": task.state,
                "worker_id": task.worker_id,
                "since": task.since.map(instant),
                "partitions": view.partitions_of(task.id),
                "lag": lag_of.map_or_else(no_lag, |known| lag(known, view.at)),
                "restarts": view.restarts.get(&task.id),
                "trace": trace,
                "explanation": trace.and_then(attention::explained),
                "as_of": instant(view.at),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::gaps::{Gap, nothing};
    use super::super::gather::tests::of_one_worker;
    use super::*;

    #[test]
    fn a_cluster_is_called_as_its_link_says_in_every_vocabulary_and_else_by_its_address() {
        let called = |is_source: bool, keys: &[(&str, &str)]| {
            let keys = keys.iter();
            let config: Config = keys
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect();
            cluster_ref(&config, is_source, None, Some("here:9092"))["alias"].clone()
        };
        let replicators = [
            ("src.kafka.bootstrap.servers", "a:9092,b:9092"),
            ("source.cluster.alias", " west "),
            ("target.cluster.alias", ""),
        ];
        assert_eq!(called(true, &replicators), "west");
        assert_eq!(called(true, &replicators[..1]), "b:9092");
        // Where nothing is said it writes to the worker's own cluster.
        assert_eq!(called(false, &replicators), "here:9092");
    }

    #[test]
    fn how_records_arrive_is_not_known_of_what_nobody_speaks_of() {
        let (mut view, _) = of_one_worker();
        assert_eq!(mode(&view), Some("exactly-once"));
        view.gaps.push(Gap {
            worker_id: Some("w:1".to_owned()),
            reason: String::new(),
            tasks: vec![0],
            partitions: 2,
        });
        assert_eq!(mode(&view), None);
        let mut row = nothing("t", 0, view.at);
        row.repeated = 1;
        let detail = view.detail.as_mut().expect("it runs");
        detail.partitions.push(row);
        assert_eq!(mode(&view), Some("at-least-once"));
        view.detail = None;
        assert_eq!(mode(&view), None);
    }

    #[test]
    fn what_names_clusters_is_a_key_of_every_link() {
        use config::keys::Scope;
        for scope in [Scope::Replicator, Scope::Mirror, Scope::Own] {
            for key in [SOURCE_ALIAS, DESTINATION_ALIAS] {
                assert!(scope.find(key).is_some(), "{key} in {scope}");
            }
        }
    }
}
