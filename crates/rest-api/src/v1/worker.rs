//! How the worker, its clusters and the whole are shown. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use serde_json::{Value, json};
use worker_group::Handle;
use worker_group::detail::{ClusterDetail, ReachDetail, Word, instant};
use worker_group::herder::GroupView;
use worker_group::state::State;

use super::gather::{LinkView, severity};
use super::health::{Found, verdict};
use super::peers::{Group, LinkShare, Share, Silent, worker_of};
use super::rates::LinkRates;
use super::shape::{cluster_ref, lag, link, no_lag};
use super::{rebalances, topic};
use crate::metered::Usage;

/// Rows of the overview's attention list.
const ATTENTION: usize = 100;

/// What this API can do; the control center offers nothing else.
const FEATURES: [&str; 7] = [
    "links", "preview", "explain", "activity", "events", "history", "resume",
];

/// What a worker is for as long as it runs.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// `host:port` under which it is known.
    pub(crate) worker_id: String,
    pub(crate) started_at: SystemTime,
}

impl Identity {
    /// What is known of it now.
    pub(crate) async fn now(&self, handle: &Handle, weight: Weight) -> Myself {
        let group = handle.group().await;
        let leader = group.as_ref().and_then(|group| group.leader.as_deref());
        let members = group.as_ref().and_then(|group| group.members.clone());
        Myself {
            leader: leader.and_then(worker_of),
            members,
            worker_id: self.worker_id.clone(),
            version: handle.version(),
            commit: option_env!("TRIBUTARY_COMMIT").unwrap_or("unknown"),
            started_at: self.started_at,
            stage: handle.stage_summary(),
            group: handle.group_id().map(str::to_owned),
            view: group,
            weight,
            buffer_limit: handle.buffer_limit(),
            default_destination: handle.default_destination(),
        }
    }
}

/// What its process uses, as of the last look.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Weight {
    pub(crate) usage: Usage,
    /// Processors that were kept busy since the look before.
    pub(crate) cpu: Option<f64>,
}

/// What is known of the worker itself.
#[derive(Clone, Debug)]
pub(crate) struct Myself {
    pub(crate) worker_id: String,
    pub(crate) version: &'static str,
    pub(crate) commit: &'static str,
    pub(crate) started_at: SystemTime,
    pub(crate) stage: String,
    pub(crate) group: Option<String>,
    /// Of its group.
    pub(crate) leader: Option<String>,
    /// URLs of all workers of its group, where it leads.
    pub(crate) members: Option<Vec<String>>,
    /// What it knows of that.
    pub(crate) view: Option<GroupView>,
    pub(crate) weight: Weight,
    pub(crate) buffer_limit: usize,
    pub(crate) default_destination: Option<String>,
}

/// Version, features and group.
pub(crate) fn info(me: &Myself, evidence_limit: f64, now: SystemTime) -> Value {
    json!({
        "schema": "tributary/v1/Info",
        "worker_id": me.worker_id,
        "version": me.version,
        "commit": me.commit,
        "group": me.group,
        "mode": if me.group.is_some() { "distributed" } else { "standalone" },
        "started_at": instant(me.started_at),
        "evidence_max_age_seconds": evidence_limit,
        "features": FEATURES,
        "as_of": instant(now),
    })
}

impl Myself {
    /// Whether it leads; a worker alone does.
    fn leads(&self) -> bool {
        self.group.is_none() || self.leader.as_ref() == Some(&self.worker_id)
    }
}

/// What this worker knows of its share of the links.
pub(crate) fn share(
    me: &Myself,
    own: &[LinkView],
    rates: &BTreeMap<String, LinkRates>,
    now: SystemTime,
) -> Share {
    let links = own.iter().filter_map(|view| {
        let detail = view.detail.clone()?;
        let rates = rates.get(&view.name).cloned().unwrap_or_default();
        let restarts = view.restarts.clone();
        let share = LinkShare {
            detail,
            rates,
            restarts,
        };
        Some((view.name.clone(), share))
    });
    Share {
        restarts: only_restarts(own),
        schema: "tributary/v1/Share".to_owned(),
        now,
        worker: worker(me, own, now),
        members: me.members.clone(),
        rebalances: rebalances::told(me.view.as_ref(), own, now),
        links: links.collect(),
    }
}

/// How often tasks of links were begun again of which there is nothing else to say: none of them runs.
fn only_restarts(own: &[LinkView]) -> BTreeMap<String, BTreeMap<u32, u64>> {
    let of = own.iter();
    let of = of.filter(|view| view.detail.is_none() && !view.restarts.is_empty());
    of.map(|view| (view.name.clone(), view.restarts.clone()))
        .collect()
}

/// All workers of the group; `own` is what this one knows of its share.
pub(crate) fn workers(me: &Myself, own: &[LinkView], group: &Group, now: SystemTime) -> Vec<Value> {
    let mut rows = vec![worker(me, own, now)];
    rows.extend(group.shares.values().map(|share| share.worker.clone()));
    rows.extend(
        group
            .silent
            .iter()
            .map(|silent| silent_worker(me, silent, now)),
    );
    rows.sort_by(|one, two| one["worker_id"].as_str().cmp(&two["worker_id"].as_str()));
    rows
}

/// What is known of a worker that does not answer.
fn silent_worker(me: &Myself, silent: &Silent, now: SystemTime) -> Value {
    let answered = Found {
        check: "worker-answers",
        verdict: "UNKNOWN",
        evidence: silent.reason.clone(),
        remedy: Some("look whether it runs, and whether it is reached at its advertised address"),
        affected: &[],
    };
    let said = silent.last.as_ref().map(|share| &share.worker);
    let text = |name: &str| said.and_then(|row| row[name].as_str()).unwrap_or("unknown");
    json!({
        "schema": "tributary/v1/Worker",
        "worker_id": silent.worker_id,
        "version": text("version"),
        "commit": text("commit"),
        "started_at": said.map(|row| row["started_at"].clone()),
        "leader": me.leader.as_ref().map(|leader| *leader == silent.worker_id),
        "answered": verdict(&answered, silent.since, now, &me.worker_id),
        "links": null,
        "tasks": null,
        "partitions": null,
        "cpu_ratio": null,
        "resident_bytes": null,
        "buffer": {"used_bytes": null, "limit_bytes": null},
        "stage": {"text": "not known", "since": instant(silent.since)},
        "config_offset": null,
        "as_of": instant(now),
    })
}

/// The workers that do not answer, each with the number of partitions that are not known because of it.
pub(crate) fn incomplete<'a>(
    views: impl Iterator<Item = &'a LinkView> + Clone,
    group: &Group,
    all: bool,
) -> Vec<Value> {
    let silent = group.silent.iter().map(|silent| {
        let gaps = views.clone().flat_map(|view| &view.gaps);
        let its = gaps.filter(|gap| gap.worker_id.as_ref() == Some(&silent.worker_id));
        let partitions: usize = its.clone().map(|gap| gap.partitions).sum();
        (its.count() > 0 || all, silent, partitions)
    });
    let concerned = silent.filter(|(concerned, ..)| *concerned);
    concerned
        .map(|(_, silent, partitions)| {
            json!({"worker_id": silent.worker_id, "reason": silent.reason, "partitions": partitions})
        })
        .collect()
}

/// This worker, from what it knows of its share.
pub(crate) fn worker(me: &Myself, links: &[LinkView], now: SystemTime) -> Value {
    let here = |id: &str| id == me.worker_id;
    let tasks = links.iter().flat_map(|view| &view.state.tasks);
    let answered = Found {
        check: "worker-answers",
        verdict: "PASS",
        evidence: me.stage.clone(),
        remedy: None,
        affected: &[],
    };
    json!({
        "schema": "tributary/v1/Worker",
        "worker_id": me.worker_id,
        "version": me.version,
        "commit": me.commit,
        "started_at": instant(me.started_at),
        "leader": me.leads(),
        "answered": verdict(&answered, now, now, &me.worker_id),
        "links": links.iter().filter(|view| here(&view.state.connector.worker_id)).count(),
        "tasks": tasks.filter(|task| here(&task.worker_id)).count(),
        "partitions": links.iter().map(|view| view.partitions().len()).sum::<usize>(),
        "cpu_ratio": me.weight.cpu,
        "resident_bytes": me.weight.usage.resident_bytes,
        "buffer": {"used_bytes": me.weight.usage.buffer_bytes, "limit_bytes": me.buffer_limit},
        "stage": {"text": me.stage, "since": null},
        "config_offset": me.view.as_ref().map(|view| view.config_offset),
        "as_of": instant(now),
    })
}

struct Cluster<'a> {
    reference: Value,
    aliases: BTreeSet<String>,
    roles: BTreeSet<&'static str>,
    links: BTreeSet<&'a str>,
    brokers: Option<usize>,
    release: Option<&'a str>,
    reach: Option<&'a ReachDetail>,
}

/// A cluster has one name: its id, or where it is asked first as long as that is not known.
fn key(reference: &Value) -> String {
    let id = reference["cluster_id"].as_str();
    id.or(reference["bootstrap"].as_str())
        .unwrap_or("")
        .to_owned()
}

/// What a link has seen of one of its clusters.
fn seen(view: &LinkView, is_source: bool) -> Option<&ClusterDetail> {
    let detail = view.detail.as_ref()?;
    Some(match is_source {
        true => &detail.source,
        false => &detail.destination,
    })
}

/// Ids of clusters by the addresses at which links have found them: another link that has not come so far means the same ones.
fn ids(links: &[LinkView]) -> BTreeMap<&str, &str> {
    let sides = [true, false];
    let all = sides.iter().flat_map(|is_source| {
        let seen = links.iter().filter_map(|view| seen(view, *is_source));
        seen.filter_map(|seen| Some((seen.bootstrap.as_str(), seen.id.as_deref()?)))
    });
    let all = all.flat_map(|(servers, id)| servers.split(',').map(move |server| (server, id)));
    all.filter(|(server, _)| !server.is_empty()).collect()
}

/// The clusters that links read or write.
pub(crate) fn clusters(me: &Myself, links: &[LinkView], now: SystemTime) -> Vec<Value> {
    let mut all: BTreeMap<String, Cluster<'_>> = BTreeMap::new();
    let known = ids(links);
    for view in links {
        for (role, is_source) in [("source", true), ("destination", false)] {
            let seen = seen(view, is_source);
            let default = me.default_destination.as_deref();
            let mut reference = cluster_ref(&view.config, is_source, seen, default);
            if reference["cluster_id"].is_null() {
                let servers = reference["bootstrap"].as_str().unwrap_or("");
                let id = servers.split(',').find_map(|server| known.get(server));
                reference["cluster_id"] = json!(id);
            }
            let cluster = all.entry(key(&reference)).or_insert_with(|| Cluster {
                reference: reference.clone(),
                aliases: BTreeSet::new(),
                roles: BTreeSet::new(),
                links: BTreeSet::new(),
                brokers: None,
                release: None,
                reach: None,
            });
            cluster
                .aliases
                .extend(reference["alias"].as_str().map(str::to_owned));
            cluster.roles.insert(role);
            cluster.links.insert(&view.name);
            cluster.brokers = cluster.brokers.max(seen.map(|seen| seen.brokers));
            let release = seen.and_then(|seen| seen.release.as_deref());
            cluster.release = cluster.release.or(release);
            let reach = seen.map(|seen| &seen.reach);
            let known = [cluster.reach, reach].into_iter().flatten();
            cluster.reach = known.max_by_key(|reach| reach.badness());
        }
    }
    all.into_values()
        .map(|cluster| shown(me, cluster, now))
        .collect()
}

fn shown(me: &Myself, cluster: Cluster<'_>, now: SystemTime) -> Value {
    let total = cluster.brokers.filter(|count| *count > 0);
    // Those that lead nothing of a link are not asked; what they are is not held against them.
    let silent = cluster.reach.and_then(|reach| reach.silent);
    let reachable = total
        .zip(silent)
        .map(|(total, silent)| total.saturating_sub(silent));
    let (word, evidence) = match cluster.reach {
        Some(reach) => (&*reach.verdict, reach.evidence.as_str()),
        None => ("UNKNOWN", "nothing was read here"),
    };
    let found = Found {
        check: "reachable",
        verdict: word,
        evidence: evidence.to_owned(),
        remedy: None,
        affected: &[],
    };
    json!({
        "schema": "tributary/v1/Cluster",
        "alias": cluster.reference["alias"],
        "aliases": cluster.aliases,
        "cluster_id": cluster.reference["cluster_id"],
        "bootstrap": cluster.reference["bootstrap"],
        "version": cluster.release,
        "brokers": {"reachable": reachable, "total": total},
        "reachability": verdict(&found, now, now, &me.worker_id),
        "roles": cluster.roles,
        "links": cluster.links,
        "as_of": instant(now),
    })
}

/// Everything on one screen.
pub(crate) fn overview(
    me: &Myself,
    links: &[LinkView],
    rates: &BTreeMap<String, LinkRates>,
    group: &Group,
    now: SystemTime,
) -> Value {
    let answered = 1 + group.shares.len();
    let leader = match me.group {
        Some(_) => me.leader.as_ref(),
        None => Some(&me.worker_id),
    };
    let default = me.default_destination.as_deref();
    let mut rows: Vec<Value> = links
        .iter()
        .map(|view| link(view, rates.get(&view.name), default))
        .collect();
    rows.sort_by_key(|row| severity(row["health"].as_str().unwrap_or("")));
    let mut attention: Vec<Value> = rows
        .iter()
        .flat_map(|row| row["attention"].as_array().cloned().unwrap_or_default())
        .collect();
    attention.sort_by_key(|row| match row["severity"].as_str() {
        Some("critical") => 0,
        Some("warning") => 1,
        _ => 2,
    });
    attention.truncate(ATTENTION);
    let moving = rebalances::rows(rebalances::told(me.view.as_ref(), links, now), group);
    json!({
        "schema": "tributary/v1/Overview",
        "group": me.group,
        "workers": {"total": answered + group.silent.len(), "answered": answered, "leader": leader},
        "rebalance": rebalances::pending(&moving),
        "clusters": clusters(me, links, now),
        "links": rows,
        "tiles": tiles(links, &rows),
        "attention": attention,
        "incomplete": incomplete(links.iter(), group, true),
        "as_of": instant(now),
    })
}

fn tiles(links: &[LinkView], rows: &[Value]) -> Value {
    let mut by_health: BTreeMap<Word, usize> = [
        "HEALTHY",
        "CATCHING_UP",
        "DEGRADED",
        "FAILED",
        "UNKNOWN",
        "PAUSED",
        "STOPPED",
    ]
    .map(|word| (Word::Borrowed(word), 0))
    .into();
    for view in links {
        *by_health.entry(view.health().0).or_default() += 1;
    }
    let tasks = links.iter().flat_map(|view| &view.state.tasks);
    let running = tasks
        .clone()
        .filter(|task| task.state == State::Running)
        .count();
    // What is not known of one link is not known of all together.
    let running_links = rows.iter().filter(|row| row["connect_state"] == "RUNNING");
    let known = running_links.clone().all(|row| row["lag"]["known"] == true);
    let sum = |name: &str| -> Option<f64> {
        let mut rates = running_links.clone().map(|row| row[name].as_f64());
        // Not `sum`, whose sum of nothing is −0.
        rates.try_fold(0.0, |all, one| Some(all + one?))
    };
    json!({
        "links_by_health": by_health,
        "tasks": {"running": running, "total": tasks.count()},
        "records_per_second": sum("records_per_second"),
        "bytes_per_second": sum("bytes_per_second"),
        "worst_lag": worst_lag(links),
        "lag_known": known,
        "groups": null,
    })
}

fn worst_lag(links: &[LinkView]) -> Value {
    let all = links
        .iter()
        .filter_map(|view| Some((view, topic::furthest(view)?)));
    let worst = all.max_by(|(_, (_, one)), (_, (_, two))| one.seconds.total_cmp(&two.seconds));
    match worst {
        Some((view, (topic, behind))) => {
            json!({"link": view.name, "topic": topic, "lag": lag(&behind, view.at)})
        }
        None => json!({"link": null, "topic": null, "lag": no_lag()}),
    }
}

#[cfg(test)]
mod tests {
    use super::super::gather::tests::of_one_worker;
    use super::*;

    #[test]
    fn restarts_of_tasks_that_do_not_come_to_run_are_told_to_other_workers() {
        let (mut view, _) = of_one_worker();
        view.restarts.insert(0, 7);
        assert!(only_restarts(std::slice::from_ref(&view)).is_empty());
        view.detail = None;
        let told = only_restarts(&[view]);
        assert_eq!(told["a"], BTreeMap::from([(0, 7)]));
    }
}
