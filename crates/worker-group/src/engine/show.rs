//! What the engine shows of its links: answers from memory, which never fail because links start or stop.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::core::Core;
use super::link_state::connector_state;
use crate::Config;
use crate::host::{LinkReport, NotResumed, Pending, Probe, Resume};
use crate::plugin;
use crate::refusal::{Kind, Refusal};
use crate::state::State;
use crate::view::{
    ConnectorInfo, ConnectorStateInfo, Expanded, InstanceState, TaskInfo, TaskState,
};

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

    pub(super) fn state(&self, name: &str) -> Result<ConnectorStateInfo, Refusal> {
        let (Some(config), Some(link)) = (self.configs.config(name), self.links.get(name)) else {
            return Err(Refusal::no_status(name));
        };
        let instance = self.instances.get(name);
        let target = self.configs.target(name);
        let (state, trace) = connector_state(target, link, instance);
        let report: Option<LinkReport> = instance
            .filter(|instance| !instance.ending)
            .and_then(|instance| Some(instance.probe.as_ref()?.look()));
        let failures = report
            .as_ref()
            .map(|report| link.task_failures(report))
            .unwrap_or_default();
        let now = Instant::now();
        let count = u32::try_from(self.configs.tasks(name).len()).unwrap_or(u32::MAX);
        let tasks = (0..count).map(|id| {
            let (state, trace) = match failures.get(&id) {
                Some(_) if link.standing.is_begun_again(id, now) => (State::Restarting, None),
                Some(trace) => (State::Failed, Some(trace.clone())),
                None => (state, trace.clone()),
            };
            TaskState {
                id,
                state,
                worker_id: self.worker_id.clone(),
                trace,
                since: link.since(id, state),
            }
        });
        Ok(ConnectorStateInfo {
            name: name.to_owned(),
            connector: InstanceState {
                state,
                worker_id: self.worker_id.clone(),
                trace: trace.clone(),
            },
            tasks: tasks.collect(),
            kind: plugin::kind(config),
            tributary: report.map(|report| report.replication),
        })
    }

    pub(super) fn task_state(&self, name: &str, task: u32) -> Result<TaskState, Refusal> {
        let missing = || Refusal::no_task_status(name, task);
        let state = self.state(name).map_err(|_| missing())?;
        let found = state.tasks.into_iter().find(|one| one.id == task);
        found.ok_or_else(missing)
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

    fn running(&self, name: &str) -> Result<&dyn Probe, Refusal> {
        if self.configs.config(name).is_none() {
            return Err(Refusal::connector_not_found(name));
        }
        let instance = self.instances.get(name).filter(|one| !one.ending);
        let probe = instance.and_then(|instance| instance.probe.as_deref());
        probe.ok_or_else(|| {
            Refusal::new(
                Kind::Conflict,
                format!(
                    "Connector {name} does not run, so that nothing is known of its partitions"
                ),
            )
        })
    }

    /// Begins to resume a partition of a running link.
    pub(super) fn resume_partition(
        &self,
        name: &str,
        resume: Resume,
    ) -> Result<Pending<Result<(), NotResumed>>, Refusal> {
        Ok(self.running(name)?.resume(resume))
    }

    /// Topics that were written to; none for a connector that is not there.
    pub(super) fn topics(&mut self, name: &str) -> Vec<String> {
        self.look(name, Instant::now());
        let link = self.links.get(name);
        link.map(|link| link.topics.iter().cloned().collect())
            .unwrap_or_default()
    }

    pub(super) fn reset_topics(&mut self, name: &str) {
        if let Some(link) = self.links.get_mut(name) {
            link.topics.clear();
        }
    }
}
