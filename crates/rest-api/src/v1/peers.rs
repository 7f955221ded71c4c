//! What the other workers of a group know of their share of the links.
//!
//! ```text
//!   who is asked: owners of tasks, the leader, and whom the leader names ─▶ GET /api/v1/share of each, at the same time
//!   ─▶ Group: the shares of those that answered, and who was silent, with what they said last
//! ```
//!
//! Invariants:
//! * A silent worker costs a request one time limit and nothing more.
//! * What a silent worker said last is never shown as if it held now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::http::HeaderValue;
use bytes::Bytes;
use lifecycle::{OnFailure, Scope};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;
use worker_group::Handle;
use worker_group::detail::LinkDetail;

use super::rates::{LinkRates, Rates};
use crate::forward::{OtherWorkers, split};

/// How long another worker may take.
const LIMIT: Duration = Duration::from_secs(2);
/// How long an answer, or a silence, holds.
const FRESH: Duration = Duration::from_secs(1);

/// How long it is kept what somebody said who is not asked any more.
const REMEMBERED: Duration = Duration::from_secs(600);

/// What one worker knows of its share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Share {
    pub(crate) schema: String,
    /// When, by its clock.
    pub(crate) now: SystemTime,
    /// The row that it is in a list of workers.
    pub(crate) worker: Value,
    /// URLs of all workers; of the leader only.
    pub(crate) members: Option<Vec<String>>,
    /// What it knows of rebalances.
    #[serde(default)]
    pub(crate) rebalances: Vec<Value>,
    pub(crate) links: BTreeMap<String, LinkShare>,
    /// How often tasks of links were begun again that do not come to run, so that there is nothing else to say of them.
    #[serde(default)]
    pub(crate) restarts: BTreeMap<String, BTreeMap<u32, u64>>,
}

/// What one worker knows of a link.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LinkShare {
    pub(crate) detail: LinkDetail,
    pub(crate) rates: LinkRates,
    /// How often its tasks that are there were begun again.
    #[serde(default)]
    pub(crate) restarts: BTreeMap<u32, u64>,
}

/// A worker that did not answer.
#[derive(Clone, Debug)]
pub(crate) struct Silent {
    pub(crate) worker_id: String,
    pub(crate) reason: String,
    pub(crate) since: SystemTime,
    /// What it said last.
    pub(crate) last: Option<Arc<Share>>,
}

/// What the others said; nothing of them where a worker is alone, or speaks for itself only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    /// Whether they were asked.
    pub(crate) asked: bool,
    pub(crate) shares: BTreeMap<String, Arc<Share>>,
    pub(crate) silent: Vec<Silent>,
}

impl Group {
    /// The rates of all, those of this worker among them.
    pub(crate) fn rates(&self, own: &Rates) -> Rates {
        if self.shares.is_empty() {
            return Arc::clone(own);
        }
        let mut all = BTreeMap::clone(own);
        for share in self.shares.values() {
            for (name, link) in &share.links {
                all.entry(name.clone()).or_default().add(&link.rates);
            }
        }
        Arc::new(all)
    }
}

#[derive(Clone, Debug)]
struct Peer {
    url: String,
    asked: Instant,
    share: Option<Arc<Share>>,
    silent: Option<(SystemTime, String)>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Peers {
    workers: OtherWorkers,
    known: Mutex<BTreeMap<String, Peer>>,
}

impl Peers {
    /// Nobody is known yet; `workers` says how they are reached.
    pub(crate) fn new(workers: OtherWorkers) -> Self {
        Self {
            workers,
            known: Mutex::default(),
        }
    }

    /// How they are reached.
    pub(crate) fn workers(&self) -> &OtherWorkers {
        &self.workers
    }

    /// Asks those in `owners`, and whoever else is in the group. `authorization` is that of whoever asks this worker.
    pub(crate) async fn ask(
        &self,
        handle: &Handle,
        here: &str,
        owners: BTreeSet<String>,
        authorization: Option<&HeaderValue>,
    ) -> Group {
        let Some(view) = handle.group().await else {
            return Group::default();
        };
        // Of an owner only the id is known; workers of a group speak alike.
        let leader = view.leader.as_deref();
        let https = leader.and_then(split).is_some_and(|(https, _)| https);
        let scheme = if https { "https" } else { "http" };
        let owners = owners.into_iter();
        let mut wanted: BTreeMap<String, String> = owners
            .map(|id| (id.clone(), format!("{scheme}://{id}/")))
            .collect();
        let urls = view
            .leader
            .into_iter()
            .chain(view.members.into_iter().flatten());
        wanted.extend(urls.filter_map(known));
        wanted.extend(self.named());
        wanted.remove(here);
        let begun = Instant::now();
        let mut asked = BTreeSet::new();
        // Those that only the leader knows are asked once it has named them.
        loop {
            let mut due = wanted.clone();
            due.retain(|id, _| asked.insert(id.clone()));
            if due.is_empty() {
                break;
            }
            due.retain(|id, _| !self.is_fresh(id));
            let limit = LIMIT.saturating_sub(begun.elapsed());
            self.refresh(due, authorization, limit.max(LIMIT / 4)).await;
            wanted.extend(self.named());
            wanted.remove(here);
        }
        self.group(&asked)
    }

    /// The same question to each worker that answered in `group`; what they said.
    pub(crate) async fn of_all(
        &self,
        group: &Group,
        target: &str,
        authorization: Option<&HeaderValue>,
    ) -> Vec<(String, Result<Value, String>)> {
        let urls = {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let asked = group.shares.keys();
            let urls = asked.filter_map(|id| Some((id.clone(), known.get(id)?.url.clone())));
            urls.collect()
        };
        let answers = self.read(urls, target, authorization, LIMIT).await;
        let parsed = answers.into_iter().map(|(id, answer)| {
            let value = answer.and_then(|bytes| {
                serde_json::from_slice(&bytes).map_err(|error| format!("its answer: {error}"))
            });
            (id, value)
        });
        parsed.collect()
    }

    /// Where a worker is that was asked.
    pub(crate) fn url_of(&self, id: &str) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(id).map(|peer| peer.url.clone())
    }

    /// Workers that the leader named last.
    fn named(&self) -> Vec<(String, String)> {
        let all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let said = all.values().filter(|peer| peer.silent.is_none());
        let named = said.filter_map(|peer| peer.share.as_ref()?.members.clone());
        named.flatten().filter_map(self::known).collect()
    }

    fn is_fresh(&self, id: &str) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let peer = known.get(id);
        peer.is_some_and(|peer| peer.asked.elapsed() < FRESH)
    }

    fn group(&self, asked: &BTreeSet<String>) -> Group {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, peer| peer.asked.elapsed() < REMEMBERED);
        let mut group = Group {
            asked: true,
            ..Group::default()
        };
        for (id, peer) in known.iter().filter(|(id, _)| asked.contains(*id)) {
            match (&peer.silent, &peer.share) {
                (None, Some(share)) => {
                    group.shares.insert(id.clone(), Arc::clone(share));
                }
                (Some((since, reason)), last) => group.silent.push(Silent {
                    worker_id: id.clone(),
                    reason: reason.clone(),
                    since: *since,
                    last: last.clone(),
                }),
                (None, None) => {}
            }
        }
        group
    }

    async fn refresh(
        &self,
        urls: BTreeMap<String, String>,
        authorization: Option<&HeaderValue>,
        limit: Duration,
    ) {
        let sent = SystemTime::now();
        let share = "/api/v1/share";
        let answers = self.read(urls.clone(), share, authorization, limit).await;
        let now = Instant::now();
        let answers: Vec<_> = answers
            .into_iter()
            .map(|(id, answer)| (id, answer.and_then(|bytes| parsed(&bytes, sent))))
            .collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, answer) in answers {
            let url = urls.get(&id).cloned().unwrap_or_default();
            let peer = known.entry(id).or_insert(Peer {
                url: String::new(),
                asked: now,
                share: None,
                silent: None,
            });
            peer.url = url;
            peer.asked = now;
            match answer {
                Ok(share) => {
                    peer.share = Some(Arc::new(share));
                    peer.silent = None;
                }
                Err(reason) => {
                    let since = peer.silent.take().map_or(sent, |(since, _)| since);
                    peer.silent = Some((since, reason));
                }
            }
        }
    }

    async fn read(
        &self,
        urls: BTreeMap<String, String>,
        target: &str,
        authorization: Option<&HeaderValue>,
        limit: Duration,
    ) -> Vec<(String, Result<Bytes, String>)> {
        let scope = Scope::new("peers");
        let (answers, mut arriving) = mpsc::channel(urls.len().max(1));
        for (id, url) in urls {
            let (answers, target) = (answers.clone(), target.to_owned());
            let (authorization, workers) = (authorization.cloned(), self.workers.clone());
            scope.spawn(id.clone(), OnFailure::Report, async move {
                let answer = workers.read(&url, target, authorization, limit).await;
                // Whoever asked may have gone.
                drop(answers.send((id, answer)).await);
            });
        }
        drop(answers);
        let mut all = Vec::new();
        while let Some(answer) = arriving.recv().await {
            all.push(answer);
        }
        let report = scope.stop(Duration::ZERO).await;
        tracing::trace!(?report, "other workers were asked");
        all
    }
}

/// The id of the worker at a URL.
pub(crate) fn worker_of(url: &str) -> Option<String> {
    let (_, id) = split(url)?;
    Some(id.to_owned()).filter(|id| !id.is_empty())
}

/// The id of the worker at a URL, with that.
fn known(url: String) -> Option<(String, String)> {
    Some((worker_of(&url)?, url))
}

/// A share, its times told by this worker's clock: what it says held when it was asked for, at the latest.
fn parsed(bytes: &[u8], asked: SystemTime) -> Result<Share, String> {
    let mut share: Share = serde_json::from_slice(bytes)
        .map_err(|error| format!("it speaks another version of this API: {error}"))?;
    for link in share.links.values_mut() {
        link.detail.move_times(share.now, asked);
        link.detail.count();
    }
    Ok(share)
}
