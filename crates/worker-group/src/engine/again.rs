//! What is begun again: a connector, tasks, or what stands, because somebody asked for it or because it is due.
//!
//! A link that runs goes on while tasks of it begin again; only a restart of all of it begins it anew.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use lifecycle::OnFailure;
use tokio::time::Instant;

use super::core::Core;
use super::link_state::Standstill;
use crate::refusal::Refusal;
use crate::restart::{RestartPlan, RestartRequest};
use crate::state::TargetState;
use crate::view::ConnectorStateInfo;

/// So long it may take until a link shows how partitions fare that were begun again.
const BEING_LOOKED_AT: Duration = Duration::from_secs(2);

impl Core {
    /// Restarts what `request` covers, and says what that is.
    pub(super) fn restart(
        &mut self,
        name: &str,
        request: RestartRequest,
    ) -> Result<ConnectorStateInfo, Refusal> {
        if self.configs.config(name).is_none() {
            return Err(Refusal::restart_of_unknown(name));
        }
        let mut state = self.state(name)?;
        let tasks = state.tasks.iter().map(|task| (task.id, task.state));
        let plan = request.plan(state.connector.state, tasks);
        self.stage(format!("handling restart request for connector {name}"));
        plan.mark(&mut state);
        self.begin_anew(name, &plan);
        Ok(state)
    }

    pub(super) fn restart_task(&mut self, name: &str, task: u32) -> Result<(), Refusal> {
        if self.configs.config(name).is_none() {
            return Err(Refusal::restart_of_unknown(name));
        }
        if self.configs.tasks(name).len() <= task as usize {
            return Err(Refusal::unknown_task(name, task));
        }
        self.stage(format!("restarting task {name}-{task}"));
        let plan = RestartPlan {
            connector: false,
            tasks: vec![task],
        };
        self.begin_anew(name, &plan);
        Ok(())
    }

    /// What is paused or stopped stays so.
    fn begin_anew(&mut self, name: &str, plan: &RestartPlan) {
        if plan.is_empty() || self.configs.target(name) != TargetState::Started {
            return;
        }
        if !self.covers_all(name, plan) && self.begin_again(name, &plan.tasks) {
            return;
        }
        let generation = self.next();
        if let Some(link) = self.links.get_mut(name) {
            link.generation = generation;
            link.failure = None;
            link.retry_at = None;
            link.restarting = true;
            link.backoff.reset();
            link.standing = Standstill::default();
        }
        self.reconcile(name);
    }

    /// How often tasks were begun again, with the whole link or alone.
    pub(super) fn restarts(&self, name: &str) -> BTreeMap<u32, u64> {
        let Some(link) = self.links.get(name) else {
            return BTreeMap::new();
        };
        let whole = link.starts.saturating_sub(1);
        let tasks = (0..).take(self.configs.tasks(name).len());
        let alone = |task| link.begun_again.get(&task).copied().unwrap_or(0);
        tasks.map(|task| (task, whole + alone(task))).collect()
    }

    /// When tasks failed last.
    pub(super) fn failed_at(&self, name: &str) -> BTreeMap<u32, SystemTime> {
        let link = self.links.get(name);
        link.map(|link| link.failed_at.clone()).unwrap_or_default()
    }

    fn covers_all(&self, name: &str, plan: &RestartPlan) -> bool {
        plan.connector && plan.tasks.len() == self.configs.tasks(name).len()
    }

    /// Begins the partitions of tasks again while the others go on. `false` where the link does not run.
    fn begin_again(&mut self, name: &str, tasks: &[u32]) -> bool {
        let Some(link) = self.links.get_mut(name) else {
            return false;
        };
        let mut partitions: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for share in tasks
            .iter()
            .filter_map(|task| link.shares.get(*task as usize))
        {
            for (topic, numbers) in share {
                partitions.entry(topic.clone()).or_default().extend(numbers);
            }
        }
        let until = Instant::now() + BEING_LOOKED_AT;
        let Some(instance) = self.instances.get(name).filter(|one| !one.ending) else {
            return false;
        };
        let Some(probe) = &instance.probe else {
            return false;
        };
        link.standing.begun_again(tasks, until);
        for task in tasks {
            *link.begun_again.entry(*task).or_default() += 1;
        }
        let beginning = probe.begin_again(partitions);
        instance
            .scope
            .spawn("begin again", OnFailure::Report, beginning);
        true
    }

    /// Whether what failed is begun again by itself.
    pub(super) fn retries(&self, name: &str) -> bool {
        self.configs.retries(name)
    }

    /// Tries again what stands, where it is due.
    pub(super) fn retry_tasks(&mut self, now: Instant) {
        let links = self.links.iter_mut();
        let due: Vec<String> = links
            .filter_map(|(name, link)| link.standing.take_due(now).then(|| name.clone()))
            .collect();
        for name in due {
            if self.retries_tasks && self.retries(&name) {
                self.retry_standing(&name);
            }
        }
    }

    /// Only what stands: the other partitions of the same tasks are copied.
    fn retry_standing(&self, name: &str) {
        let instance = self.instances.get(name).filter(|one| !one.ending);
        let Some((instance, probe)) = instance.and_then(|one| Some((one, one.probe.as_ref()?)))
        else {
            return;
        };
        let mut partitions: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for standing in probe.look().standing {
            let numbers = partitions.entry(standing.topic).or_default();
            numbers.push(standing.partition);
        }
        let count: usize = partitions.values().map(Vec::len).sum();
        tracing::info!(
            link = name,
            partitions = count,
            "what stands is tried again"
        );
        let beginning = probe.begin_again(partitions);
        instance
            .scope
            .spawn("begin again", OnFailure::Report, beginning);
    }
}
