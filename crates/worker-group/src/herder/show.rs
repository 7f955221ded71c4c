//! What a worker shows of its group: answers from what it has read, which do not fail because the group rebalances.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;
use tokio::time::Instant;

use super::core::Core;
use super::dealt::Dealt;
use super::rebalances::Rebalances;
use crate::Config;
use crate::deal::partitions_of;
use crate::plugin;
use crate::refusal::Refusal;
use crate::state::State;
use crate::status_record::{Status, Subject};
use crate::view::{
    ConnectorInfo, ConnectorStateInfo, Expanded, InstanceState, TaskId, TaskInfo, TaskState,
};

/// A worker's group, as it sees it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct GroupView {
    /// `group.id`.
    pub id: String,
    /// The generation it is in; −1 before the first.
    pub generation: i32,
    /// The protocol that all members speak.
    pub protocol: Option<&'static str>,
    /// The leader's URL.
    pub leader: Option<String>,
    /// Whether assignments are being made.
    pub rebalancing: bool,
    /// What this worker was given: connectors, tasks.
    pub connectors: usize,
    /// See `connectors`.
    pub tasks: usize,
    /// What waits for a worker that was lost; on the leader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// URLs of all its workers; on the leader, which alone is told.
    #[serde(skip)]
    pub members: Option<Vec<String>>,
    /// What decisions of this worker changed while it led, the newest first.
    #[serde(skip)]
    pub past: Vec<Arc<Dealt>>,
    /// How often it waited for an assignment, and how long.
    #[serde(skip)]
    pub rebalances: Rebalances,
    /// How far it has read the config topic.
    #[serde(skip)]
    pub config_offset: i64,
}

/// What waits for a worker that was lost.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Waiting {
    /// Connectors that nobody runs.
    pub connectors: Vec<String>,
    /// Tasks that nobody runs.
    pub tasks: Vec<TaskId>,
    /// Milliseconds until they are dealt to others.
    pub reassigned_in_ms: u64,
}

impl Core {
    pub(super) fn names(&self) -> Vec<String> {
        self.configs.names().map(str::to_owned).collect()
    }

    pub(super) fn config(&self, name: &str) -> Result<Config, Refusal> {
        let config = self.configs.config(name).cloned();
        config.ok_or_else(|| Refusal::connector_not_found(name))
    }

    pub(super) fn info(&self, name: &str) -> Result<ConnectorInfo, Refusal> {
        let info = self.configs.info(name);
        info.ok_or_else(|| Refusal::connector_not_found(name))
    }

    pub(super) fn tasks(&self, name: &str) -> Result<Vec<TaskInfo>, Refusal> {
        let tasks = self.configs.task_infos(name);
        tasks.ok_or_else(|| Refusal::connector_not_found(name))
    }

    /// Statuses as they were read, of the connector and of the tasks that it has now.
    pub(super) fn state(&self, name: &str) -> Result<ConnectorStateInfo, Refusal> {
        let missing = || Refusal::no_status(name);
        let config = self.configs.config(name).ok_or_else(missing)?;
        let status = self.statuses.get(&Subject::Connector(name.to_owned()));
        let status = status.ok_or_else(missing)?;
        let count = u32::try_from(self.configs.tasks(name).len()).unwrap_or(u32::MAX);
        let tasks = (0..count).map(|id| {
            let subject = Subject::Task(name.to_owned(), id);
            let known = self.statuses.get(&subject);
            TaskState {
                id,
                state: known.map_or(State::Unassigned, |known| known.state),
                worker_id: known.unwrap_or(status).worker_id.clone(),
                trace: known.and_then(shown_trace),
                since: self.since.get(&subject).copied(),
            }
        });
        Ok(ConnectorStateInfo {
            name: name.to_owned(),
            connector: InstanceState {
                state: status.state,
                worker_id: status.worker_id.clone(),
                trace: shown_trace(status),
            },
            tasks: tasks.collect(),
            kind: plugin::kind(config),
            tributary: self.replication(name),
        })
    }

    /// How the copying fares of what runs on this worker.
    fn replication(&self, name: &str) -> Option<crate::view::Replication> {
        let mut all: Option<crate::view::Replication> = None;
        let tasks = |number| Subject::Task(name.to_owned(), number);
        for (subject, _) in self.instances.range(tasks(0)..=tasks(u32::MAX)) {
            let Some(report) = self.report(subject) else {
                continue;
            };
            let one = report.replication;
            match &mut all {
                None => all = Some(one),
                Some(sum) => sum.add(one),
            }
        }
        all
    }

    pub(super) fn task_state(&self, name: &str, task: u32) -> Result<TaskState, Refusal> {
        let missing = || Refusal::no_task_status(name, task);
        let state = self.state(name).map_err(|_| missing())?;
        let found = state.tasks.into_iter().find(|one| one.id == task);
        found.ok_or_else(missing)
    }

    /// The task that has a partition.
    pub(super) fn task_of(&self, name: &str, topic: &str, partition: i32) -> Option<u32> {
        let tasks = self.configs.tasks(name).iter();
        let place = tasks.map(partitions_of).position(|share| {
            share
                .get(topic)
                .is_some_and(|numbers| numbers.contains(&partition))
        });
        place.and_then(|place| u32::try_from(place).ok())
    }

    /// How often tasks that are here were begun again.
    pub(super) fn restarts(&self, name: &str) -> BTreeMap<u32, u64> {
        let pieces = self.pieces.iter();
        let restarts = pieces.filter_map(|(subject, piece)| match subject {
            Subject::Task(of, task) if of == name => Some((*task, piece.starts.saturating_sub(1))),
            Subject::Task(..) | Subject::Connector(_) => None,
        });
        restarts.collect()
    }

    /// When tasks that are here failed last.
    fn failed_at(&self, name: &str) -> BTreeMap<u32, SystemTime> {
        let pieces = self.pieces.iter();
        let failed = pieces.filter_map(|(subject, piece)| match subject {
            Subject::Task(of, task) if of == name => Some((*task, piece.failed_at?)),
            Subject::Task(..) | Subject::Connector(_) => None,
        });
        failed.collect()
    }

    pub(super) fn expanded(&self, status: bool, info: bool) -> BTreeMap<String, Expanded> {
        let mut all = BTreeMap::new();
        for name in self.configs.names() {
            let one = Expanded {
                status: status.then(|| self.state(name).ok()).flatten(),
                info: info.then(|| self.info(name).ok()).flatten(),
                restarts: self.restarts(name),
                failed_at: self.failed_at(name),
            };
            // Never one part without the other.
            if one.status.is_some() == status && one.info.is_some() == info {
                all.insert(name.to_owned(), one);
            }
        }
        all
    }

    /// Topics that were written to; none for a connector that is not there.
    pub(super) fn topics(&self, name: &str) -> Vec<String> {
        let topics = self.used.get(name);
        topics
            .map(|topics| topics.keys().cloned().collect())
            .unwrap_or_default()
    }

    pub(super) fn view(&self) -> GroupView {
        let waiting = &self.leading.waiting;
        let until = self
            .leading
            .waiting_until
            .filter(|_| self.is_leader() && !waiting.is_empty());
        let owners = self.leading.owners.values();
        let members = owners.map(|(url, _)| url.clone()).collect();
        GroupView {
            members: Some(members).filter(|_| self.is_leader()),
            past: self.leading.past.all(),
            rebalances: self.rebalances.clone(),
            config_offset: self.config_offset,
            id: self.group.id.clone(),
            generation: self.standing.generation,
            protocol: self.standing.protocol.map(|protocol| protocol.name()),
            leader: Some(self.standing.leader_url.clone()).filter(|url| !url.is_empty()),
            rebalancing: self.is_rebalancing(),
            connectors: self.held.connectors.len(),
            tasks: self.held.tasks.len(),
            waiting: until.map(|until| Waiting {
                connectors: waiting.connectors.clone(),
                tasks: waiting
                    .tasks
                    .iter()
                    .map(|key| TaskId {
                        connector: key.connector.clone(),
                        task: key.task,
                    })
                    .collect(),
                reassigned_in_ms: u64::try_from(
                    until.saturating_duration_since(Instant::now()).as_millis(),
                )
                .unwrap_or(u64::MAX),
            }),
        }
    }
}

fn shown_trace(status: &Status) -> Option<String> {
    status
        .trace
        .clone()
        .filter(|_| status.state == State::Failed)
}
