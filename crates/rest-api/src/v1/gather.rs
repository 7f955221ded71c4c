//! What is known of links, gathered for one answer: Connect's states, and the details of those that run, of this worker
//! and of the others of its group.
//!
//! A task whose worker is silent, or that no worker runs, leaves a gap: its partitions are UNKNOWN, with what was known of
//! them last as a lower bound, and so is the link.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::SystemTime;

use axum::http::HeaderValue;
use worker_group::deal::partitions_of;
use worker_group::detail::{LinkDetail, PartitionDetail, Word};
use worker_group::engine::is_link;
use worker_group::state::State;
use worker_group::view::{ConnectorStateInfo, LagDetail, TaskInfo, TaskState};
use worker_group::{Config, Handle, Refusal};

use super::gaps::{self, Gap};
use super::peers::{Group, Peers};

/// A link at one moment.
#[derive(Debug)]
pub(crate) struct LinkView {
    pub(crate) name: String,
    pub(crate) config: Config,
    pub(crate) state: ConnectorStateInfo,
    /// Nothing while it does not run on a worker that answers.
    pub(crate) detail: Option<LinkDetail>,
    /// Whether others were asked for their part of it.
    pub(crate) grouped: bool,
    /// What of it is not known, and why.
    pub(crate) gaps: Vec<Gap>,
    owners: Owners,
    /// How often tasks were begun again by the worker that has them; nothing of workers that do not answer.
    pub(crate) restarts: BTreeMap<u32, u64>,
    pub(crate) at: SystemTime,
}

/// What one worker tells of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tells {
    /// The state of its connector.
    pub(crate) state: bool,
    /// How the link, or this worker's share of it, fares.
    pub(crate) health: bool,
}

/// Which task has which partition.
#[derive(Debug, Default)]
struct Owners {
    tasks: HashMap<String, HashMap<i32, u32>>,
    /// How many each has.
    counts: HashMap<u32, usize>,
}

impl Owners {
    fn of(tasks: &[TaskInfo]) -> Self {
        let mut owners = Self::default();
        for task in tasks {
            let number = task.id.task;
            for (topic, partitions) in partitions_of(&task.config) {
                *owners.counts.entry(number).or_default() += partitions.len();
                let of_topic = owners.tasks.entry(topic).or_default();
                of_topic.extend(partitions.into_iter().map(|partition| (partition, number)));
            }
        }
        owners
    }
}

/// Where an answer comes from.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) handle: &'a Handle,
    /// The id of this worker.
    pub(crate) here: &'a str,
    /// The other workers, with the credentials for asking them; nothing where this worker is to speak for itself only.
    pub(crate) peers: Option<(&'a Peers, Option<&'a HeaderValue>)>,
}

impl Sources<'_> {
    /// All links, and what the group said.
    pub(crate) async fn links(self) -> Result<(Vec<LinkView>, Group), Refusal> {
        let mut all = self.handle.expanded(true, true).await?;
        all.retain(|_, one| one.info.as_ref().is_some_and(|info| is_link(&info.config)));
        let states = all.values().filter_map(|one| one.status.as_ref());
        let group = self.ask(states.flat_map(owners_of).collect()).await;
        let mut views = Vec::with_capacity(all.len());
        for (name, one) in all {
            if let (Some(state), Some(info)) = (one.status, one.info) {
                // One that was deleted a moment ago has no tasks.
                let tasks = self.handle.tasks(name.clone()).await.unwrap_or_default();
                let mut view = self.view(name, info.config, state, &tasks, &group);
                view.add_restarts(one.restarts);
                views.push(view);
            }
        }
        Ok((views, group))
    }

    /// One link, and what the group said.
    pub(crate) async fn link(self, name: &str) -> Result<(LinkView, Group), Refusal> {
        let config = self.handle.config(name.to_owned()).await?;
        let state = self.handle.state(name.to_owned()).await?;
        let tasks = self.handle.tasks(name.to_owned()).await?;
        let group = self.ask(owners_of(&state).collect()).await;
        let mut view = self.view(name.to_owned(), config, state, &tasks, &group);
        view.add_restarts(self.handle.restarts(name.to_owned()).await?);
        Ok((view, group))
    }

    /// What the other workers know.
    pub(crate) async fn ask(self, owners: BTreeSet<String>) -> Group {
        match self.peers {
            Some((peers, authorization)) => {
                peers
                    .ask(self.handle, self.here, owners, authorization)
                    .await
            }
            None => Group::default(),
        }
    }

    fn view(
        self,
        name: String,
        config: Config,
        state: ConnectorStateInfo,
        tasks: &[TaskInfo],
        group: &Group,
    ) -> LinkView {
        let mut view = LinkView {
            detail: None,
            grouped: group.asked,
            gaps: Vec::new(),
            name,
            config,
            state,
            owners: Owners::of(tasks),
            restarts: BTreeMap::new(),
            at: SystemTime::now(),
        };
        // Tasks go on while their connector waits for a worker, is begun anew, or has failed.
        if matches!(view.state.connector.state, State::Paused | State::Stopped) {
            return view;
        }
        view.detail = self.handle.detail(&view.name);
        for share in group.shares.values() {
            if let Some(restarts) = share.restarts.get(&view.name) {
                view.restarts.extend(restarts);
            }
            if let Some(part) = share.links.get(&view.name) {
                view.restarts.extend(&part.restarts);
                let part = part.detail.clone();
                match &mut view.detail {
                    Some(whole) => whole.add(part),
                    None => view.detail = Some(part),
                }
            }
        }
        gaps::find(&mut view, tasks, group);
        view
    }
}

/// Workers that have something of a link.
fn owners_of(state: &ConnectorStateInfo) -> impl Iterator<Item = String> {
    let tasks = state.tasks.iter().map(|task| task.worker_id.clone());
    tasks.chain([state.connector.worker_id.clone()])
}

impl LinkView {
    /// How it fares, and the sentence that decided that.
    pub(crate) fn health(&self) -> (Word, String) {
        let instance = &self.state.connector;
        let (word, reason) = match (instance.state, &self.detail) {
            (State::Paused, _) => ("PAUSED", "paused by request".to_owned()),
            (State::Stopped, _) => ("STOPPED", "stopped by request".to_owned()),
            (State::Failed, _) => {
                let trace = instance.trace.as_deref();
                ("FAILED", message(trace.unwrap_or("it failed")).to_owned())
            }
            (State::Running, Some(detail)) => return self.of_detail(detail),
            (State::Running, None) => {
                let gap = self.gaps.first().map(|gap| gap.reason.clone());
                let text = || "it runs, and nothing is known of it here".to_owned();
                ("UNKNOWN", gap.unwrap_or_else(text))
            }
            // A task has nothing to say of topics that nobody looks for.
            (state @ (State::Unassigned | State::Restarting), Some(detail))
                if !detail.partitions.is_empty() =>
            {
                let (word, reason) = self.of_detail(detail);
                if !matches!(&*word, "HEALTHY" | "CATCHING_UP") {
                    return (word, reason);
                }
                let text = match state {
                    State::Unassigned => "its connector waits for a worker",
                    _ => "its connector is begun anew",
                };
                ("DEGRADED", format!("{text}; its tasks go on"))
            }
            (State::Unassigned | State::Restarting, _) => {
                ("UNKNOWN", "it is being started".to_owned())
            }
        };
        (Word::Borrowed(word), reason)
    }

    /// What a worker of a group tells of what happens to a link, so that it is told once: `here` is its id, and it speaks for the
    /// connector if it `stands_in` for the worker that had it.
    pub(crate) fn tells(&self, here: &str, stands_in: bool) -> Tells {
        let instance = &self.state.connector;
        let state = instance.worker_id == here || stands_in;
        let health = match instance.state {
            State::Paused | State::Stopped | State::Failed => state,
            // How it fares is known where its partitions are; of one that has none, or whose tasks nobody has, by whoever would
            // have them.
            State::Running | State::Unassigned | State::Restarting => {
                let has_none = self.owners.counts.is_empty() || self.is_nobodys();
                !self.partitions().is_empty() || (state && has_none)
            }
        };
        Tells { state, health }
    }

    /// Whether no worker has any of its tasks, though they have partitions.
    pub(crate) fn is_nobodys(&self) -> bool {
        let tasks = &self.state.tasks;
        let is_to_run = !matches!(
            self.state.connector.state,
            State::Paused | State::Stopped | State::Failed
        );
        let has_some = !self.owners.counts.is_empty() && !tasks.is_empty();
        let waits = |task: &TaskState| task.state == State::Unassigned;
        is_to_run && has_some && tasks.iter().all(waits) && self.partitions().is_empty()
    }

    /// Whether other workers have tasks of it.
    pub(crate) fn is_shared(&self, here: &str) -> bool {
        self.state.tasks.iter().any(|task| task.worker_id != here)
    }

    /// Those of tasks that no other worker has.
    fn add_restarts(&mut self, own: BTreeMap<u32, u64>) {
        for (task, count) in own {
            self.restarts.entry(task).or_insert(count);
        }
    }

    fn of_detail(&self, detail: &LinkDetail) -> (Word, String) {
        let said = |word, text: String| (Word::Borrowed(word), text);
        if detail.is_too_old(self.at) {
            let text = "its health was not found out for longer than 30 s";
            return said("UNKNOWN", text.to_owned());
        }
        let total = self.state.tasks.len();
        if let Some(gap) = self.gaps.first().filter(|_| detail.health != "FAILED") {
            let unknown: usize = self.gaps.iter().map(|gap| gap.tasks.len()).sum();
            let text = match unknown {
                0 => gap.reason.clone(),
                some => format!("{some} of {total} tasks are not known: {}", gap.reason),
            };
            return said("UNKNOWN", text);
        }
        if self.is_nobodys() {
            let text = match total {
                1 => "no worker has its task".to_owned(),
                many => format!("no worker has any of its {many} tasks"),
            };
            return said("UNKNOWN", text);
        }
        let mut failed = self
            .state
            .tasks
            .iter()
            .filter(|task| task.state == State::Failed);
        match failed.next() {
            // What stands is in the detail already.
            Some(task) if matches!(&*detail.health, "HEALTHY" | "CATCHING_UP") => {
                let trace = task.trace.as_deref().map_or("it failed", message);
                let number = 1 + failed.count();
                let text = format!(
                    "{number} of {total} tasks failed; task {}: {trace}",
                    task.id
                );
                said("DEGRADED", text)
            }
            _ => (detail.health.clone(), detail.reason.clone()),
        }
    }

    /// The task that has a partition.
    pub(crate) fn task_of(&self, partition: &PartitionDetail) -> Option<u32> {
        let of_topic = self.owners.tasks.get(&partition.topic)?;
        of_topic.get(&partition.partition).copied()
    }

    /// Whether a part of it is with a worker that does not answer: sums of what is copied would lack it.
    pub(crate) fn has_silent(&self) -> bool {
        self.gaps.iter().any(|gap| gap.worker_id.is_some())
    }

    /// Whether a partition is part of that.
    pub(crate) fn is_silent(&self, partition: &PartitionDetail) -> bool {
        let worker = || self.worker_of(self.task_of(partition));
        let is_its = |gap: &Gap| gap.worker_id.is_some() && gap.worker_id.as_deref() == worker();
        self.gaps.iter().any(is_its)
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
        self.owners.counts.get(&task).copied().unwrap_or(0)
    }

    /// What of each task is not copied yet, by number. Where nobody speaks of all its partitions it is a lower bound, and of a
    /// task that has none there is nothing.
    pub(crate) fn lags(&self) -> BTreeMap<u32, LagDetail> {
        let mut lags: BTreeMap<u32, (LagDetail, usize)> = BTreeMap::new();
        for partition in self.partitions() {
            let Some(task) = self.task_of(partition) else {
                continue;
            };
            match lags.get_mut(&task) {
                Some((lag, count)) => {
                    lag.add(&partition.lag);
                    *count += 1;
                }
                None => {
                    lags.insert(task, (partition.lag.clone(), 1));
                }
            }
        }
        let lags = lags.into_iter().map(|(task, (mut lag, count))| {
            lag.known &= count >= self.partitions_of(task);
            (task, lag)
        });
        lags.collect()
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

#[cfg(test)]
pub(super) mod tests {
    use worker_group::detail::{ClusterDetail, ReachDetail, TopicDetail};
    use worker_group::view::{Doing, InstanceState, LagDetail, TaskId};

    use super::*;

    fn cluster() -> ClusterDetail {
        ClusterDetail {
            id: None,
            bootstrap: String::new(),
            brokers: 1,
            release: None,
            reach: ReachDetail {
                verdict: "PASS".into(),
                evidence: String::new(),
                silent: Some(0),
            },
        }
    }

    /// A link of one task, whose worker says that it runs and is well, and nothing of partitions.
    fn silent_on_partitions(task: State) -> (LinkView, Vec<TaskInfo>) {
        let now = SystemTime::now();
        let detail = LinkDetail {
            at: now,
            evaluated_at: now,
            health: "HEALTHY".into(),
            reason: String::new(),
            doing: Doing::default(),
            lag: LagDetail {
                known: true,
                records: Some(0),
                seconds: 0.0,
                bytes: 0,
                seconds_basis: "observed".into(),
                age_seconds: Some(0.0),
            },
            source: cluster(),
            destination: cluster(),
            topics: BTreeMap::new(),
            excluded: None,
            trouble: Vec::new(),
            topics_at: Some(now),
            partitions: Vec::new(),
            checks: Vec::new(),
        };
        let worker_id = "w:1".to_owned();
        let state = ConnectorStateInfo {
            name: "a".to_owned(),
            connector: InstanceState {
                state: State::Running,
                worker_id: worker_id.clone(),
                trace: None,
            },
            tasks: vec![TaskState {
                id: 0,
                state: task,
                worker_id,
                trace: None,
                since: None,
            }],
            kind: "source",
            tributary: None,
        };
        let config = [("tributary.task.partitions".to_owned(), "t:0-1".to_owned())];
        let tasks = vec![TaskInfo {
            id: TaskId {
                connector: "a".to_owned(),
                task: 0,
            },
            config: config.into_iter().collect(),
        }];
        let view = LinkView {
            name: "a".to_owned(),
            config: Config::default(),
            state,
            detail: Some(detail),
            grouped: true,
            gaps: Vec::new(),
            owners: Owners::default(),
            restarts: BTreeMap::new(),
            at: now,
        };
        (view, tasks)
    }

    /// The same link, whose worker `w:1` has been given two partitions.
    pub(in crate::v1) fn of_one_worker() -> (LinkView, Vec<TaskInfo>) {
        let (mut view, tasks) = silent_on_partitions(State::Running);
        view.owners = Owners::of(&tasks);
        (view, tasks)
    }

    #[test]
    fn a_link_whose_partitions_no_task_has_yet_is_unknown_and_not_caught_up() {
        let group = Group {
            asked: true,
            ..Group::default()
        };
        let (mut view, _) = silent_on_partitions(State::Running);
        view.state.tasks.clear();
        let topic = TopicDetail {
            partitions: Some(3),
            ..TopicDetail::default()
        };
        let detail = view.detail.as_mut().expect("it runs");
        detail.topics.insert("t".to_owned(), topic);
        gaps::find(&mut view, &[], &group);
        let (health, reason) = view.health();
        assert_eq!(
            (&*health, &*reason),
            ("UNKNOWN", "3 partitions are to be dealt to tasks")
        );
        let detail = view.detail.as_ref().expect("as before");
        assert!(!detail.lag.known);
        assert_eq!(detail.partitions.len(), 3);
    }

    #[test]
    fn a_link_whose_connector_waits_for_a_worker_is_as_its_tasks_are_and_not_well() {
        let (mut view, _) = silent_on_partitions(State::Running);
        view.state.connector.state = State::Unassigned;
        assert_eq!(view.health().0, "UNKNOWN", "nobody speaks of a partition");
        let row = gaps::nothing("t", 0, view.at);
        let detail = view.detail.as_mut().expect("as before");
        detail.partitions.push(row);
        assert_eq!(
            view.health(),
            (
                "DEGRADED".into(),
                "its connector waits for a worker; its tasks go on".to_owned()
            )
        );
        let detail = view.detail.as_mut().expect("as before");
        detail.health = "FAILED".into();
        assert_eq!(view.health().0, "FAILED");
    }

    #[test]
    fn what_happens_to_a_link_is_told_by_one_worker_of_its_group() {
        let (mut view, _) = of_one_worker();
        let tells = |view: &LinkView, here: &str, stands_in: bool| {
            let tells = view.tells(here, stands_in);
            (tells.state, tells.health)
        };
        assert_eq!(tells(&view, "w:1", false), (true, false), "its connector");
        assert_eq!(tells(&view, "w:2", false), (false, false), "nothing of it");
        assert_eq!(tells(&view, "w:2", true), (true, false), "the leader");
        view.state.connector.state = State::Paused;
        assert_eq!(tells(&view, "w:1", false), (true, true));
        assert_eq!(tells(&view, "w:2", false), (false, false));
        view.state.connector.state = State::Running;
        let row = gaps::nothing("t", 0, view.at);
        let detail = view.detail.as_mut().expect("it runs");
        detail.partitions.push(row);
        assert_eq!(tells(&view, "w:2", false), (false, true), "partitions");
        assert!(!view.is_shared("w:1") && view.is_shared("w:2"));
        // Nobody is left who has some.
        let (mut view, _) = of_one_worker();
        view.state.tasks[0].state = State::Unassigned;
        assert_eq!(tells(&view, "w:1", false), (true, true), "nobody's");
        assert_eq!(tells(&view, "w:2", false), (false, false), "nobody's");
        let health = view.health();
        assert_eq!(
            health,
            ("UNKNOWN".into(), "no worker has its task".to_owned())
        );
        // Nobody has a partition where there is none.
        let (view, _) = silent_on_partitions(State::Running);
        assert_eq!(tells(&view, "w:1", false), (true, true));
    }

    #[test]
    fn a_topic_that_grew_is_known_again_once_its_partitions_are_dealt() {
        let group = Group {
            asked: true,
            ..Group::default()
        };
        let (mut view, tasks) = silent_on_partitions(State::Failed);
        let topic = TopicDetail {
            partitions: Some(2),
            ..TopicDetail::default()
        };
        let detail = view.detail.as_mut().expect("it runs");
        detail.topics.insert("t".to_owned(), topic);
        gaps::find(&mut view, &tasks, &group);
        assert!(view.gaps.is_empty());
    }

    #[test]
    fn a_task_that_says_nothing_of_its_partitions_yet_makes_its_link_unknown() {
        let group = Group {
            asked: true,
            ..Group::default()
        };
        let (mut view, tasks) = silent_on_partitions(State::Running);
        gaps::find(&mut view, &tasks, &group);
        assert_eq!(view.health().0, "UNKNOWN");
        let detail = view.detail.expect("as before");
        assert!(!detail.lag.known);
        assert_eq!(detail.partitions.len(), 2);
        // What has failed is told by its trace.
        let (mut view, tasks) = silent_on_partitions(State::Failed);
        gaps::find(&mut view, &tasks, &group);
        assert!(view.gaps.is_empty());
    }
}
