//! Looks at all links every few seconds, whoever asks: rates come from what it sees, and activity and events from what
//! changed.
//!
//! One task owns the counters, the ring of activity and those who listen; answers read what it published last.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::HeaderValue;
use bytes::Bytes;
use lifecycle::StopSignal;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use worker_group::Handle;
use worker_group::detail::{Word, instant};

use super::events::{Channel, Filter, Hub};
use super::gather::{LinkView, Sources, Tells};
use super::history::{Found, History, Wanted};
use super::peers::{Group, Peers};
use super::rates::{Counters, Rates};
use super::worker::{self, Identity, Weight};
use super::{shape, topic};
use crate::metered::{MetricsSource, Unexplained};

/// How often links are looked at while somebody listens, and every how many of these times otherwise.
const LOOK: Duration = Duration::from_secs(1);
const RATES: u32 = 5;
/// Looking for those who listen may take this share of the time: what many partitions cost is no business of every second.
const SHARE: u32 = 100;
/// Entries of activity that are kept.
const KEPT: usize = 1000;
/// Entries that may wait to be kept.
const QUEUE: usize = 64;

/// What was seen last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) rates: Rates,
    pub(crate) weight: Weight,
    /// The newest first.
    pub(crate) activity: VecDeque<Arc<Value>>,
}

/// How long to look for nobody after a look that took `took`; everybody is looked for every few seconds.
fn rest(took: Duration) -> Duration {
    (took * SHARE).min(LOOK * RATES)
}

/// Something that was done or happened.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) kind: &'static str,
    pub(crate) actor: Value,
    pub(crate) object: Value,
    pub(crate) summary: String,
    /// What of a configuration became another, key by key; null where nothing did.
    pub(crate) diff: Value,
    pub(crate) explanation: Option<Value>,
}

/// How the observer is asked.
#[derive(Clone, Debug)]
pub(crate) struct Watcher {
    seen: watch::Receiver<Arc<Seen>>,
    entries: mpsc::Sender<Entry>,
    listeners: mpsc::Sender<Listen>,
    questions: mpsc::Sender<Question>,
}

/// Somebody who wants to know how it was.
#[derive(Debug)]
struct Question {
    wanted: Wanted,
    reply: oneshot::Sender<Found>,
}

/// Somebody who wants to listen.
#[derive(Debug)]
struct Listen {
    filter: Filter,
    last: Option<u64>,
    authorization: Option<HeaderValue>,
    reply: oneshot::Sender<Option<mpsc::Receiver<Bytes>>>,
}

impl Watcher {
    /// What was seen last.
    pub(crate) fn seen(&self) -> Arc<Seen> {
        self.seen.borrow().clone()
    }

    /// Takes down what somebody did.
    pub(crate) async fn record(&self, entry: Entry) {
        // The observer is gone only when the server ends.
        drop(self.entries.send(entry).await);
    }

    /// Frames from now on, or after frame `last`; nothing where too many listen.
    pub(crate) async fn listen(
        &self,
        filter: Filter,
        last: Option<u64>,
        authorization: Option<HeaderValue>,
    ) -> Option<mpsc::Receiver<Bytes>> {
        let (reply, answer) = oneshot::channel();
        let listen = Listen {
            filter,
            last,
            authorization,
            reply,
        };
        self.listeners.send(listen).await.ok()?;
        answer.await.ok().flatten()
    }
}

impl Watcher {
    /// How it was on this worker; nothing when the server ends.
    pub(crate) async fn history(&self, wanted: Wanted) -> Option<Found> {
        let (reply, answer) = oneshot::channel();
        let question = Question { wanted, reply };
        self.questions.send(question).await.ok()?;
        answer.await.ok()
    }
}

/// What a link was when it was looked at last.
#[derive(Debug, Default, PartialEq)]
struct Last {
    health: Word,
    connect_state: &'static str,
    /// No worker had its tasks.
    is_nobodys: bool,
    /// Partitions that are in trouble.
    states: HashMap<(String, i32), Word>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Observer {
    handle: Handle,
    counters: BTreeMap<String, Counters>,
    /// As of the last look at them.
    rates: Rates,
    last: BTreeMap<String, Last>,
    activity: VecDeque<Arc<Value>>,
    number: u64,
    seen: watch::Sender<Arc<Seen>>,
    entries: mpsc::Receiver<Entry>,
    listeners: mpsc::Receiver<Listen>,
    questions: mpsc::Receiver<Question>,
    history: History,
    hub: Hub,
    looks: u64,
    /// Until when nobody is looked for who only listens.
    resting: Instant,
    identity: Identity,
    metrics: MetricsSource,
    weight: Weight,
    weighed: Option<Instant>,
    peers: Arc<Peers>,
    /// Of whoever came last to listen: with it other workers are asked, for frames about the whole group.
    authorization: Option<HeaderValue>,
}

impl Observer {
    /// An observer, and how it is asked.
    pub(crate) fn new(
        handle: Handle,
        identity: Identity,
        peers: Arc<Peers>,
        metrics: MetricsSource,
        history_bytes: usize,
    ) -> (Self, Watcher) {
        let (seen, reader) = watch::channel(Arc::default());
        let (entries, received) = mpsc::channel(QUEUE);
        let (listeners, listening) = mpsc::channel(QUEUE);
        let (questions, asked) = mpsc::channel(QUEUE);
        let observer = Self {
            handle,
            counters: BTreeMap::new(),
            rates: Rates::default(),
            last: BTreeMap::new(),
            activity: VecDeque::new(),
            number: 0,
            seen,
            entries: received,
            listeners: listening,
            questions: asked,
            history: History::new(history_bytes),
            hub: Hub::new(SystemTime::now()),
            looks: 0,
            resting: Instant::now(),
            identity,
            metrics,
            weight: Weight::default(),
            weighed: None,
            peers,
            authorization: None,
        };
        let watcher = Watcher {
            seen: reader,
            entries,
            listeners,
            questions,
        };
        (observer, watcher)
    }

    /// Looks until `stop` is requested.
    pub(crate) async fn run(mut self, stop: StopSignal) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // All branches are cancel-safe.
            tokio::select! {
                () = stop.requested() => return,
                Some(entry) = self.entries.recv() => self.keep(entry),
                Some(question) = self.questions.recv() => {
                    let found = self.history.find(&question.wanted, seconds_now());
                    // Whoever asked may have gone.
                    drop(question.reply.send(found));
                    continue;
                }
                Some(listen) = self.listeners.recv() => {
                    self.authorization = listen.authorization;
                    let frames = self.hub.listen(listen.filter, listen.last, Instant::now());
                    // Whoever asked may have gone.
                    drop(listen.reply.send(frames));
                    continue;
                }
                _ = look.tick() => {
                    let is_due = self.looks.is_multiple_of(u64::from(RATES));
                    self.looks += 1;
                    self.hub.tick(Instant::now());
                    if !is_due && (!self.hub.is_heard() || Instant::now() < self.resting) {
                        continue;
                    }
                    let looking = Box::pin(self.look_around(is_due));
                    if stop.unless_requested(looking).await.is_none() {
                        return;
                    }
                }
            }
            self.publish();
        }
    }

    /// Looks at this worker's share, and for those who listen at the whole group.
    async fn look_around(&mut self, is_due: bool) {
        let (handle, peers) = (self.handle.clone(), Arc::clone(&self.peers));
        let here = self.identity.worker_id.clone();
        let mut sources = Sources {
            handle: &handle,
            here: &here,
            peers: None,
        };
        let began = Instant::now();
        // An engine that does not answer shows itself in every answer.
        let Ok((own, alone)) = sources.links().await else {
            return;
        };
        let waiting = handle.group().await.and_then(|group| group.waiting);
        let waiting = waiting.map_or_else(Vec::new, |waiting| waiting.connectors);
        self.look(&own, &waiting, Instant::now(), is_due);
        self.resting = Instant::now() + rest(began.elapsed());
        if !self.hub.is_heard() {
            return;
        }
        if !handle.is_grouped() {
            return self.tell(&own, &own, &alone).await;
        }
        let authorization = self.authorization.clone();
        sources.peers = Some((&peers, authorization.as_ref()));
        if let Ok((views, group)) = sources.links().await {
            self.tell(&views, &own, &group).await;
        }
    }

    /// `waiting` are connectors that nobody has, for which this worker speaks.
    fn look(&mut self, views: &[LinkView], waiting: &[String], at: Instant, is_due: bool) {
        let is_there = |name: &String| views.iter().any(|view| view.name == *name);
        self.counters.retain(|name, _| is_there(name));
        self.last.retain(|name, _| is_there(name));
        for view in views {
            let counters = self.counters.entry(view.name.clone()).or_default();
            if is_due {
                counters.look(view, at);
            }
            let speaks = !self.handle.is_grouped() || waiting.contains(&view.name);
            let tells = view.tells(&self.identity.worker_id, speaks);
            for (entry, unexplained) in self.changes(view, tells) {
                if let Some(of) = unexplained {
                    self.metrics.is_unexplained(of);
                }
                self.keep(entry);
            }
        }
        if is_due {
            self.weigh(at);
            let rates = self.counters.iter();
            let rates = rates.map(|(name, counters)| (name.clone(), counters.rates()));
            self.rates = Arc::new(rates.collect());
            let all = views.iter().map(|view| (view, self.rates.get(&view.name)));
            self.history.look(all, seconds_now());
        }
    }

    /// What the process used since the last time.
    fn weigh(&mut self, at: Instant) {
        let usage = self.metrics.usage();
        let (before, now) = (self.weight.usage.processor, usage.processor);
        let used = now
            .zip(before)
            .map(|(now, before)| now.saturating_sub(before));
        let past = self.weighed.replace(at).map(|before| at - before);
        let ratio = |(used, past): (Duration, Duration)| used.as_secs_f64() / past.as_secs_f64();
        let cpu = used.zip(past.filter(|past| !past.is_zero())).map(ratio);
        self.weight = Weight { usage, cpu };
    }

    /// Sends what changed to those who listen: `views` of the whole group, `own` of this worker's share.
    async fn tell(&mut self, views: &[LinkView], own: &[LinkView], group: &Group) {
        let now = Instant::now();
        let default = self.handle.default_destination();
        let all = group.rates(&self.rates);
        for view in views {
            let name = Some(view.name.as_str());
            let rates = all.get(&view.name);
            if self.hub.is_wanted(Channel::Links, name) {
                let row = shape::link(view, rates, default.as_deref());
                self.offer((Channel::Links, "link"), view, view.name.clone(), &row, now);
            }
            if self.hub.is_wanted(Channel::Tasks, name) {
                for row in shape::task_rows(view) {
                    let key = format!("{}/{}", view.name, row["task"]);
                    // How far tasks are behind changes every second: that alone is no news, as it is told of their link.
                    let mut news = row.clone();
                    news["lag"] = Value::Null;
                    if self.hub.is_news("task", key, &news, now) {
                        let link = Some(view.name.as_str());
                        self.hub.happened(Channel::Tasks, "task", link, &row, now);
                    }
                }
            }
            if self.hub.is_wanted(Channel::Topics, name) {
                self.tell_topics(view, topic::rows(view, rates), now);
            }
        }
        if self.hub.is_wanted(Channel::Links, None) || self.hub.is_wanted(Channel::Workers, None) {
            let (me, time) = (
                self.identity.now(&self.handle, self.weight).await,
                SystemTime::now(),
            );
            for row in worker::clusters(&me, views, time) {
                let key = format!("{}/{}", row["cluster_id"], row["bootstrap"]);
                if self.hub.is_news("cluster", key, &row, now) {
                    self.hub
                        .happened(Channel::Links, "cluster", None, &row, now);
                }
            }
            for row in worker::workers(&me, own, group, time) {
                let key = row["worker_id"].to_string();
                if self.hub.is_news("worker", key, &row, now) {
                    self.hub
                        .happened(Channel::Workers, "worker", None, &row, now);
                }
            }
        }
    }

    fn offer(
        &mut self,
        (channel, event): (Channel, &'static str),
        view: &LinkView,
        key: String,
        row: &Value,
        now: Instant,
    ) {
        if self.hub.is_news(event, key, row, now) {
            self.hub
                .happened(channel, event, Some(&view.name), row, now);
        }
    }

    /// All topics of a link that changed are one frame.
    fn tell_topics(&mut self, view: &LinkView, mut rows: Vec<Value>, now: Instant) {
        rows.retain(|row| {
            let key = format!("{}/{}", view.name, row["topic"]);
            self.hub.is_news("topics", key, row, now)
        });
        if rows.is_empty() {
            return;
        }
        let frame = json!({
            "schema": "tributary/v1/TopicList",
            "link": view.name,
            "items": rows,
            "as_of": instant(view.at),
        });
        self.hub
            .happened(Channel::Topics, "topics", Some(&view.name), &frame, now);
    }

    /// What of a link is different from the last look. What another worker tells is only kept in mind.
    fn changes(&mut self, view: &LinkView, tells: Tells) -> Vec<(Entry, Option<Unexplained>)> {
        let (mut health, reason) = view.health();
        let before = self.last.remove(&view.name).unwrap_or_default();
        let is_nobodys = view.is_nobodys();
        // Between two workers, tasks are nobody's for a moment.
        if is_nobodys && !before.is_nobodys {
            health = before.health.clone();
        }
        let now = Last {
            health: health.clone(),
            is_nobodys,
            connect_state: view.state.connector.state.as_str(),
            states: view
                .partitions()
                .iter()
                .filter(|partition| partition.verdict != "PASS" && partition.state != "starting")
                .map(|one| ((one.topic.clone(), one.partition), one.state.clone()))
                .collect(),
        };
        self.last.insert(view.name.clone(), now);
        let now = &self.last[&view.name];
        let object = || json!({"kind": "link", "link": view.name});
        let mut entries = Vec::new();
        if tells.state && before.connect_state != now.connect_state {
            let text = match before.connect_state {
                "" => format!("{} is {}", view.name, now.connect_state),
                before => format!("{} went from {before} to {}", view.name, now.connect_state),
            };
            let trace = view.state.connector.trace.as_deref();
            let entry = event("state", object(), text, trace);
            let is_known = trace.is_none() || entry.explanation.is_some();
            entries.push((entry, (!is_known).then_some(Unexplained::Link)));
        }
        if tells.health && before.health != now.health {
            let text = health_text(view, &self.identity.worker_id, &health, &reason);
            entries.push((event("health", object(), text, Some(&reason)), None));
        }
        let mut fresh: BTreeMap<&str, Vec<&(String, i32)>> = BTreeMap::new();
        for (partition, state) in &now.states {
            if before.states.get(partition) != Some(state) {
                fresh.entry(state).or_default().push(partition);
            }
        }
        for (state, mut partitions) in fresh {
            partitions.sort_unstable();
            let (topic, number) = partitions[0];
            let all = view.partitions().iter();
            let mut reasons = all.filter(|one| one.topic == *topic && one.partition == *number);
            let reason = reasons.next().and_then(|one| one.reason.as_deref());
            let others = match partitions.len() {
                1 => String::new(),
                many => format!(" and {} more", many - 1),
            };
            let why = reason.map_or(String::new(), |reason| format!(": {reason}"));
            let text = format!("{topic}-{number}{others} became {state}{why}");
            let is_wanted = self.hub.is_wanted(Channel::Topics, Some(&view.name));
            let rows = is_wanted.then(|| topic::partition_rows(view, None));
            for mut row in rows.into_iter().flatten() {
                let is_one =
                    |one: &&(String, i32)| row["topic"] == *one.0 && row["partition"] == one.1;
                if partitions.iter().any(is_one) {
                    topic::explain(&mut row);
                    let (hub, now) = (&mut self.hub, Instant::now());
                    hub.happened(Channel::Topics, "partition", Some(&view.name), &row, now);
                }
            }
            let object = json!({
                "kind": "partition", "link": view.name, "topic": topic, "partition": number,
                "count": partitions.len(),
            });
            let entry = event("partition", object, text, reason);
            let is_known = reason.is_none() || entry.explanation.is_some();
            entries.push((entry, (!is_known).then_some(Unexplained::Partition)));
        }
        entries
    }

    fn keep(&mut self, entry: Entry) {
        self.number += 1;
        let value = json!({
            "schema": "tributary/v1/Activity",
            "id": format!("{}/{}", self.identity.worker_id, self.number),
            "at": instant(SystemTime::now()),
            "kind": entry.kind,
            "actor": entry.actor,
            "object": entry.object,
            "summary": entry.summary,
            "diff": entry.diff,
            "explanation": entry.explanation,
        });
        let link = value["object"]["link"].as_str().map(str::to_owned);
        let hub = &mut self.hub;
        hub.happened(
            Channel::Activity,
            "activity",
            link.as_deref(),
            &value,
            Instant::now(),
        );
        self.activity.push_front(Arc::new(value));
        self.activity.truncate(KEPT);
    }

    fn publish(&self) {
        let seen = Seen {
            rates: Arc::clone(&self.rates),
            weight: self.weight,
            activity: self.activity.clone(),
        };
        self.seen.send_replace(Arc::new(seen));
    }
}

fn seconds_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// How a link fares, or this worker's share of it.
fn health_text(view: &LinkView, here: &str, health: &str, reason: &str) -> String {
    let name = &view.name;
    match !view.partitions().is_empty() && view.is_shared(here) {
        true => format!("the share of {name} on {here} is {health}: {reason}"),
        false => format!("{name} is {health}: {reason}"),
    }
}

fn event(kind: &'static str, object: Value, summary: String, text: Option<&str>) -> Entry {
    Entry {
        kind,
        actor: json!({"user": null, "address": null, "client": "worker"}),
        object,
        summary,
        diff: Value::Null,
        explanation: text.and_then(super::attention::explained),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_costs_a_hundredth_of_the_time_and_never_misses_the_regular_look() {
        let check = |took: u64, pause: u64| {
            let (took, pause) = (Duration::from_micros(took), Duration::from_micros(pause));
            assert_eq!(rest(took), pause, "{took:?}");
        };
        check(300, 30_000);
        check(20_000, 2_000_000);
        check(80_000, 5_000_000);
        check(3_000_000, 5_000_000);
    }
}
