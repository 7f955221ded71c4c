//! Looks at all links every few seconds, whoever asks: rates come from what it sees, and activity from what changed.
//!
//! One task owns the counters and the ring of activity; answers read what it published last.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lifecycle::StopSignal;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use worker_group::Handle;
use worker_group::detail::instant;

use super::gather::{self, LinkView};
use super::rates::{Counters, LinkRates};

/// How often links are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// Entries of activity that are kept.
const KEPT: usize = 1000;
/// Entries that may wait to be kept.
const QUEUE: usize = 64;

/// What was seen last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) rates: BTreeMap<String, LinkRates>,
    /// The newest first.
    pub(crate) activity: VecDeque<Arc<Value>>,
}

/// Something that was done or happened.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) kind: &'static str,
    pub(crate) actor: Value,
    pub(crate) object: Value,
    pub(crate) summary: String,
    pub(crate) explanation: Option<Value>,
}

/// How the observer is asked.
#[derive(Clone, Debug)]
pub(crate) struct Watcher {
    seen: watch::Receiver<Arc<Seen>>,
    entries: mpsc::Sender<Entry>,
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
}

/// What a link was when it was looked at last.
#[derive(Debug, Default, PartialEq)]
struct Last {
    health: &'static str,
    connect_state: &'static str,
    /// Partitions that are in trouble.
    states: HashMap<(String, i32), &'static str>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Observer {
    handle: Handle,
    counters: BTreeMap<String, Counters>,
    last: BTreeMap<String, Last>,
    activity: VecDeque<Arc<Value>>,
    number: u64,
    seen: watch::Sender<Arc<Seen>>,
    entries: mpsc::Receiver<Entry>,
}

impl Observer {
    /// An observer, and how it is asked.
    pub(crate) fn new(handle: Handle) -> (Self, Watcher) {
        let (seen, reader) = watch::channel(Arc::default());
        let (entries, received) = mpsc::channel(QUEUE);
        let observer = Self {
            handle,
            counters: BTreeMap::new(),
            last: BTreeMap::new(),
            activity: VecDeque::new(),
            number: 0,
            seen,
            entries: received,
        };
        let watcher = Watcher {
            seen: reader,
            entries,
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
                _ = look.tick() => {
                    let Some(looked) = stop.unless_requested(gather::links(&self.handle)).await else {
                        return;
                    };
                    // An engine that does not answer shows itself in every answer.
                    if let Ok(views) = looked {
                        self.look(&views, Instant::now());
                    }
                }
            }
            self.publish();
        }
    }

    fn look(&mut self, views: &[LinkView], at: Instant) {
        self.counters
            .retain(|name, _| views.iter().any(|view| view.name == *name));
        self.last
            .retain(|name, _| views.iter().any(|view| view.name == *name));
        for view in views {
            self.counters
                .entry(view.name.clone())
                .or_default()
                .look(view, at);
            for entry in self.changes(view) {
                self.keep(entry);
            }
        }
    }

    /// What of a link is different from the last look.
    fn changes(&mut self, view: &LinkView) -> Vec<Entry> {
        let (health, reason) = view.health();
        let now = Last {
            health,
            connect_state: view.state.connector.state.as_str(),
            states: view
                .partitions()
                .iter()
                .filter(|partition| partition.verdict != "PASS" && partition.state != "starting")
                .map(|one| ((one.topic.clone(), one.partition), one.state))
                .collect(),
        };
        let before = self.last.insert(view.name.clone(), now).unwrap_or_default();
        let now = &self.last[&view.name];
        let object = || json!({"kind": "link", "link": view.name});
        let mut entries = Vec::new();
        if before.connect_state != now.connect_state {
            let text = match before.connect_state {
                "" => format!("{} is {}", view.name, now.connect_state),
                before => format!("{} went from {before} to {}", view.name, now.connect_state),
            };
            entries.push(event(
                "state",
                object(),
                text,
                view.state.connector.trace.as_deref(),
            ));
        }
        if before.health != now.health {
            let text = format!("{} is {health}: {reason}", view.name);
            entries.push(event("health", object(), text, Some(&reason)));
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
            let object = json!({
                "kind": "partition", "link": view.name, "topic": topic, "partition": number,
                "count": partitions.len(),
            });
            entries.push(event("partition", object, text, reason));
        }
        entries
    }

    fn keep(&mut self, entry: Entry) {
        self.number += 1;
        let value = json!({
            "schema": "tributary/v1/Activity",
            "id": self.number.to_string(),
            "at": instant(SystemTime::now()),
            "kind": entry.kind,
            "actor": entry.actor,
            "object": entry.object,
            "summary": entry.summary,
            "diff": null,
            "explanation": entry.explanation,
        });
        self.activity.push_front(Arc::new(value));
        self.activity.truncate(KEPT);
    }

    fn publish(&self) {
        let rates = self.counters.iter();
        let seen = Seen {
            rates: rates
                .map(|(name, counters)| (name.clone(), counters.rates()))
                .collect(),
            activity: self.activity.clone(),
        };
        self.seen.send_replace(Arc::new(seen));
    }
}

fn event(kind: &'static str, object: Value, summary: String, text: Option<&str>) -> Entry {
    Entry {
        kind,
        actor: json!({"user": null, "address": null, "client": "worker"}),
        object,
        summary,
        explanation: text.and_then(super::attention::explained),
    }
}
