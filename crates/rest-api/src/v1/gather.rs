//! What the worker knows of its links, gathered for one answer: Connect's states and the details of those that run.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use worker_group::detail::{LinkDetail, PartitionDetail};
use worker_group::engine::is_link;
use worker_group::state::State;
use worker_group::view::{ConnectorStateInfo, TaskInfo};
use worker_group::{Config, Handle, Refusal};

/// An evaluation of health that is older says nothing.
const EVALUATED: Duration = Duration::from_secs(30);

/// A link at one moment.
#[derive(Debug)]
pub(crate) struct LinkView {
    pub(crate) name: String,
    pub(crate) config: Config,
    pub(crate) state: ConnectorStateInfo,
    /// Nothing while it does not run on this worker.
    pub(crate) detail: Option<LinkDetail>,
    /// Tasks on other workers, of which nothing is known here.
    elsewhere: usize,
    /// Which task has which partition.
    owners: HashMap<(String, i32), u32>,
    pub(crate) at: SystemTime,
}

/// All links, as the worker `here` sees them.
pub(crate) async fn links(handle: &Handle, here: &str) -> Result<Vec<LinkView>, Refusal> {
    let all = handle.expanded(true, true).await?;
    let mut views = Vec::with_capacity(all.len());
    for (name, one) in all {
        let (Some(state), Some(info)) = (one.status, one.info) else {
            continue;
        };
        if is_link(&info.config) {
            // One that was deleted a moment ago has no tasks.
            let tasks = handle.tasks(name.clone()).await.unwrap_or_default();
            views.push(view((handle, here), name, info.config, state, &tasks));
        }
    }
    Ok(views)
}

/// One link.
pub(crate) async fn link(handle: &Handle, here: &str, name: &str) -> Result<LinkView, Refusal> {
    let config = handle.config(name.to_owned()).await?;
    let state = handle.state(name.to_owned()).await?;
    let tasks = handle.tasks(name.to_owned()).await?;
    Ok(view((handle, here), name.to_owned(), config, state, &tasks))
}

fn view(
    (handle, here): (&Handle, &str),
    name: String,
    config: Config,
    state: ConnectorStateInfo,
    tasks: &[TaskInfo],
) -> LinkView {
    let runs = matches!(state.connector.state, State::Running);
    let mut detail = handle.detail(&name).filter(|_| runs);
    let elsewhere = state.tasks.iter().filter(|task| task.worker_id != here);
    let elsewhere = elsewhere.count();
    if let Some(detail) = detail.as_mut().filter(|_| elsewhere > 0) {
        // Of a part of it: a lower bound.
        detail.lag.known = false;
    }
    LinkView {
        elsewhere,
        detail,
        name,
        config,
        state,
        owners: owners(tasks),
        at: SystemTime::now(),
    }
}

fn owners(tasks: &[TaskInfo]) -> HashMap<(String, i32), u32> {
    let mut owners = HashMap::new();
    for task in tasks {
        let text = task.config.get("tributary.task.partitions");
        let share = text.map_or("", String::as_str).split(';');
        for (topic, ranges) in share.filter_map(|part| part.rsplit_once(':')) {
            for range in ranges.split(',') {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                if let (Ok(first), Ok(last)) = (first.parse::<i32>(), last.parse::<i32>()) {
                    owners.extend(
                        (first..=last).map(|number| ((topic.to_owned(), number), task.id.task)),
                    );
                }
            }
        }
    }
    owners
}

impl LinkView {
    /// How it fares, and the sentence that decided that.
    pub(crate) fn health(&self) -> (&'static str, String) {
        let instance = &self.state.connector;
        match (instance.state, &self.detail) {
            (State::Paused, _) => ("PAUSED", "paused by request".to_owned()),
            (State::Stopped, _) => ("STOPPED", "stopped by request".to_owned()),
            (State::Failed, _) => {
                let trace = instance.trace.as_deref();
                ("FAILED", message(trace.unwrap_or("it failed")).to_owned())
            }
            (State::Running, Some(detail)) => {
                let age = self.at.duration_since(detail.evaluated_at);
                if age.is_ok_and(|age| age > EVALUATED) {
                    let text = "its health was not found out for longer than 30 s";
                    return ("UNKNOWN", text.to_owned());
                }
                if self.elsewhere > 0 && detail.health != "FAILED" {
                    let text = format!(
                        "{} of {} tasks run on other workers, and are not known here",
                        self.elsewhere,
                        self.state.tasks.len()
                    );
                    return ("UNKNOWN", text);
                }
                (detail.health, detail.reason.clone())
            }
            (State::Running, None) => (
                "UNKNOWN",
                "it runs, and nothing is known of it here".to_owned(),
            ),
            (State::Unassigned | State::Restarting, _) => {
                ("UNKNOWN", "it is being started".to_owned())
            }
        }
    }

    /// The task that has a partition.
    pub(crate) fn task_of(&self, partition: &PartitionDetail) -> Option<u32> {
        let key = (partition.topic.clone(), partition.partition);
        self.owners.get(&key).copied()
    }

    /// The worker of a task.
    pub(crate) fn worker_of(&self, task: Option<u32>) -> Option<&str> {
        let task = task?;
        let tasks = &self.state.tasks;
        let found = tasks.iter().find(|known| known.id == task)?;
        Some(&found.worker_id)
    }

    /// Partitions of each task, by number.
    pub(crate) fn partitions_of(&self, task: u32) -> usize {
        self.owners.values().filter(|owner| **owner == task).count()
    }

    /// Partitions in detail; none where nothing is known.
    pub(crate) fn partitions(&self) -> &[PartitionDetail] {
        let detail = self.detail.as_ref();
        detail.map_or(&[], |detail| &detail.partitions)
    }
}

/// The sentence of a trace, without Java's class in front and the rest behind.
pub(crate) fn message(trace: &str) -> &str {
    let line = trace.lines().next().unwrap_or("");
    match line.split_once(": ") {
        Some((class, text)) if !class.contains(' ') && class.contains('.') => text,
        _ => line,
    }
}

/// How bad a state of health is; the worst first.
pub(crate) fn severity(health: &str) -> u8 {
    let order = [
        "FAILED",
        "UNKNOWN",
        "DEGRADED",
        "CATCHING_UP",
        "PAUSED",
        "STOPPED",
        "HEALTHY",
    ];
    let place = order.iter().position(|word| *word == health);
    u8::try_from(place.unwrap_or(1)).unwrap_or(u8::MAX)
}
