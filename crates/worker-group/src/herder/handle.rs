//! How a worker of a group is asked. What may be done here is; what another worker has to do is refused with its URL.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard, mpsc, oneshot, watch};
use tokio::time::timeout;

use super::core::Core;
use super::instances::connector_of;
use super::show::GroupView;
use super::{Command, write, write_tasks};
use crate::config_record::{ConfigRecord, encode};
use crate::engine::{LIMIT, Stage};
use crate::host::{Host, NotResumed, OffsetChange, Pending, Resume};
use crate::plugin::Role;
use crate::refusal::{Kind, Refusal};
use crate::restart::RestartRequest;
use crate::signing::{self, Signature};
use crate::state::TargetState;
use crate::status_record::Subject;
use crate::stores::{StatusWrite, StatusWriterHandle, StoreHandle};
use crate::view::{ConnectorInfo, ConnectorStateInfo, Expanded, LoggerLevel, TaskInfo, TaskState};
use crate::{Config, offset_change};

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct GroupHandle {
    commands: mpsc::Sender<Command>,
    pub(super) configs: StoreHandle,
    statuses: StatusWriterHandle,
    stage: watch::Receiver<Stage>,
    /// Changes are made one after the other: what is judged holds until it is written and read back.
    changing: Arc<Mutex<()>>,
    /// So are fences.
    pub(super) fencing: Arc<Mutex<()>>,
}

impl std::fmt::Debug for GroupHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupHandle").finish_non_exhaustive()
    }
}

impl GroupHandle {
    pub(super) fn new(
        commands: mpsc::Sender<Command>,
        configs: StoreHandle,
        statuses: StatusWriterHandle,
        stage: watch::Receiver<Stage>,
    ) -> Self {
        Self {
            commands,
            configs,
            statuses,
            stage,
            changing: Arc::default(),
            fencing: Arc::default(),
        }
    }

    /// Has `request` done by the herder, and waits for the answer.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        request: impl FnOnce(&mut Core) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        let command: Command = Box::new(move |core| {
            // Whoever asked may have gone.
            drop(reply.send(request(core)));
        });
        let asked = async {
            let sent = self.commands.send(command).await;
            sent.map_err(|_| Refusal::shutting_down())?;
            answer.await.map_err(|_| Refusal::shutting_down())
        };
        match timeout(LIMIT, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(self.timed_out()),
        }
    }

    fn timed_out(&self) -> Refusal {
        Refusal::internal(format!(
            "Request timed out. {}",
            self.stage.borrow().summary()
        ))
    }

    /// Whether this worker leads; who does otherwise.
    pub(crate) async fn leads(&self) -> Result<(), Refusal> {
        self.ask(|core| core.may_lead()).await?
    }

    /// Takes the right to change configurations, where this worker leads.
    pub(super) async fn lead(&self) -> Result<MutexGuard<'_, ()>, Refusal> {
        let changing = self.alone().await?;
        self.leads().await?;
        Ok(changing)
    }

    /// Waits until nobody else changes anything. While the config topic cannot be written each change takes long, and many
    /// may wait.
    async fn alone(&self) -> Result<MutexGuard<'_, ()>, Refusal> {
        let alone = timeout(LIMIT, self.changing.lock()).await;
        alone.map_err(|_| self.timed_out())
    }

    pub(super) async fn write(&self, records: &[ConfigRecord]) -> Result<(), Refusal> {
        let records: Vec<_> = records.iter().map(encode).collect();
        write(&self.configs, &records).await
    }

    // === reading ===

    pub(crate) async fn health(&self) -> Result<(), Refusal> {
        self.ask(|_| ()).await
    }

    pub(crate) async fn view(&self) -> Result<GroupView, Refusal> {
        self.ask(|core| core.view()).await
    }

    pub(crate) async fn names(&self) -> Result<Vec<String>, Refusal> {
        self.ask(|core| core.names()).await
    }

    pub(crate) async fn expanded(
        &self,
        status: bool,
        info: bool,
    ) -> Result<BTreeMap<String, Expanded>, Refusal> {
        self.ask(move |core| core.expanded(status, info)).await
    }

    pub(crate) async fn restarts(&self, name: String) -> Result<BTreeMap<u32, u64>, Refusal> {
        self.ask(move |core| core.restarts(&name)).await
    }

    pub(crate) async fn info(&self, name: String) -> Result<ConnectorInfo, Refusal> {
        self.ask(move |core| core.info(&name)).await?
    }

    pub(crate) async fn config(&self, name: String) -> Result<Config, Refusal> {
        self.ask(move |core| core.config(&name)).await?
    }

    pub(crate) async fn state(&self, name: String) -> Result<ConnectorStateInfo, Refusal> {
        self.ask(move |core| core.state(&name)).await?
    }

    pub(crate) async fn tasks(&self, name: String) -> Result<Vec<TaskInfo>, Refusal> {
        self.ask(move |core| core.tasks(&name)).await?
    }

    pub(crate) async fn task_state(&self, name: String, task: u32) -> Result<TaskState, Refusal> {
        self.ask(move |core| core.task_state(&name, task)).await?
    }

    pub(crate) async fn topics(&self, name: String) -> Result<Vec<String>, Refusal> {
        self.ask(move |core| core.topics(&name)).await
    }

    pub(crate) async fn reset_topics(&self, name: String) -> Result<(), Refusal> {
        let used = self.ask(move |core| core.used.get(&name).cloned()).await?;
        for topic in used.unwrap_or_default().values() {
            let write = StatusWrite::Record(topic.record().0, None);
            if !self.statuses.leave(write) {
                return Err(Refusal::internal(
                    "too much waits to be written to the status topic; the request can be safely retried",
                ));
            }
        }
        Ok(())
    }

    pub(crate) async fn loggers(&self) -> Result<BTreeMap<String, LoggerLevel>, Refusal> {
        self.ask(|core| core.loggers.all()).await
    }

    pub(crate) async fn logger(&self, name: String) -> Result<LoggerLevel, Refusal> {
        self.ask(move |core| core.loggers.get(&name)).await?
    }

    pub(crate) async fn set_logger(
        &self,
        name: String,
        level: String,
    ) -> Result<Vec<String>, Refusal> {
        self.ask(move |core| core.loggers.set(&name, &level))
            .await?
    }

    /// For all workers: each sets it when it has read it.
    pub(crate) async fn set_all_loggers(&self, name: String, level: String) -> Result<(), Refusal> {
        crate::loggers::check(&level)?;
        let record = encode(&ConfigRecord::Logger(name, level.to_ascii_uppercase()));
        let written = self.configs.write(&[record], super::WRITE).await;
        written.map_err(|_| Refusal::not_written())
    }

    // === writing ===

    pub(crate) async fn create(
        &self,
        name: String,
        config: Config,
        initial: Option<TargetState>,
    ) -> Result<ConnectorInfo, Refusal> {
        let _changing = self.lead().await?;
        let of = name.clone();
        if self
            .ask(move |core| core.configs.config(&of).is_some())
            .await?
        {
            return Err(Refusal::exists(&name));
        }
        let target = initial.map(|state| ConfigRecord::Target(name.clone(), Some(state)));
        let connector = ConfigRecord::Connector(name.clone(), Some(config));
        let records: Vec<_> = target.into_iter().chain([connector]).collect();
        self.write(&records).await?;
        self.info(name).await
    }

    /// Whether there was none before.
    pub(crate) async fn put(
        &self,
        name: String,
        config: Config,
    ) -> Result<(ConnectorInfo, bool), Refusal> {
        let _changing = self.lead().await?;
        let of = name.clone();
        let is_new = self
            .ask(move |core| core.configs.config(&of).is_none())
            .await?;
        self.write(&[ConfigRecord::Connector(name.clone(), Some(config))])
            .await?;
        Ok((self.info(name).await?, is_new))
    }

    /// As `put`, unless somebody else has changed the configuration meanwhile.
    pub(crate) async fn replace(
        &self,
        name: String,
        before: &Config,
        config: Config,
    ) -> Result<Option<ConnectorInfo>, Refusal> {
        let _changing = self.lead().await?;
        if self.config(name.clone()).await? != *before {
            return Ok(None);
        }
        self.write(&[ConfigRecord::Connector(name.clone(), Some(config))])
            .await?;
        self.info(name).await.map(Some)
    }

    pub(crate) async fn delete(&self, name: String) -> Result<(), Refusal> {
        let _changing = self.lead().await?;
        self.config(name.clone()).await?;
        self.write(&[
            ConfigRecord::Connector(name.clone(), None),
            ConfigRecord::Target(name, None),
        ])
        .await
    }

    pub(crate) async fn set_target(
        &self,
        name: String,
        target: TargetState,
    ) -> Result<(), Refusal> {
        let there = |name: String| async move {
            let of = name.clone();
            match self
                .ask(move |core| core.configs.config(&of).is_some())
                .await?
            {
                true => Ok(()),
                false => Err(Refusal::unknown_connector(&name)),
            }
        };
        let record = ConfigRecord::Target(name.clone(), Some(target));
        if target != TargetState::Stopped {
            // Any worker may say this, and it is not read back.
            there(name).await?;
            let written = self.configs.write(&[encode(&record)], super::WRITE).await;
            return written.map_err(|_| Refusal::not_written());
        }
        let _changing = self.lead().await?;
        there(name.clone()).await?;
        // Before the state, so that nobody sees a stopped connector with tasks.
        self.write(&[ConfigRecord::Commit(name, 0), record]).await
    }

    /// Task configurations from the worker that runs the connector.
    pub(crate) async fn put_tasks(&self, name: String, tasks: Vec<Config>) -> Result<(), Refusal> {
        let _changing = self.alone().await?;
        let (of, is_empty) = (name.clone(), tasks.is_empty());
        self.ask(move |core| {
            if !core.is_leader() {
                return Err(Refusal::conflicting());
            }
            core.config(&of)?;
            if core.configs.target(&of) == TargetState::Stopped && !is_empty {
                let text = format!(
                    "Cannot submit non-empty set of task configs for stopped connector {of}"
                );
                return Err(Refusal::bad(text));
            }
            Ok(())
        })
        .await??;
        write_tasks(&self.configs, &name, &tasks).await
    }

    /// Whether a request comes from another worker of the group.
    pub(crate) async fn check(&self, given: Signature, body: bytes::Bytes) -> Result<(), Refusal> {
        self.ask(move |core| {
            if !core.is_signing() && core.is_member() {
                return Ok(());
            }
            signing::check(&given, &body, core.key.as_ref(), &core.group.signing)
        })
        .await?
    }

    // === restarts ===

    pub(crate) async fn restart(
        &self,
        name: String,
        request: RestartRequest,
    ) -> Result<ConnectorStateInfo, Refusal> {
        if request.is_plain() {
            return self
                .ask(move |core| {
                    if core.configs.config(&name).is_none() {
                        return Err(Refusal::restart_of_unknown(&name));
                    }
                    let subject = Subject::Connector(name.clone());
                    core.own(&subject)?;
                    let state = core.state(&name);
                    core.stage(format!("handling restart request for connector {name}"));
                    core.begin_anew(&subject);
                    state
                })
                .await?;
        }
        let _changing = self.lead().await?;
        let of = name.clone();
        let mut state = self
            .ask(move |core| {
                if core.configs.config(&of).is_none() {
                    return Err(Refusal::restart_of_unknown(&of));
                }
                if core.is_rebalancing() {
                    return Err(Refusal::stale());
                }
                core.state(&of).map_err(|_| {
                    Refusal::new(
                        Kind::NotFound,
                        format!("Status for connector {of} not found"),
                    )
                })
            })
            .await??;
        let tasks = state.tasks.iter().map(|task| (task.id, task.state));
        let plan = request.plan(state.connector.state, tasks);
        if plan.is_empty() {
            return Ok(state);
        }
        self.write(&[ConfigRecord::Restart(name, request)]).await?;
        plan.mark(&mut state);
        Ok(state)
    }

    pub(crate) async fn restart_task(&self, name: String, task: u32) -> Result<(), Refusal> {
        self.ask(move |core| {
            if core.configs.config(&name).is_none() {
                return Err(Refusal::restart_of_unknown(&name));
            }
            if core.configs.tasks(&name).len() <= task as usize {
                return Err(Refusal::unknown_task(&name, task));
            }
            let subject = Subject::Task(name.clone(), task);
            core.own(&subject)?;
            core.stage(format!("restarting task {name}-{task}"));
            core.begin_anew(&subject);
            Ok(())
        })
        .await?
    }

    // === running links ===

    /// Lets a partition go on that stands; whoever has its task does it.
    pub(crate) async fn resume_partition(
        &self,
        name: String,
        resume: Resume,
    ) -> Result<Result<(), NotResumed>, Refusal> {
        let begun = self.ask(move |core| core.resume(&name, resume)).await??;
        Ok(begun.await)
    }

    /// Whether this worker looks after the topics of a link; the worker that does otherwise.
    pub(crate) async fn has_connector(&self, name: String) -> Result<(), Refusal> {
        self.ask(move |core| core.own(&Subject::Connector(name)))
            .await?
    }

    // === positions ===

    pub(crate) async fn change_offsets(
        &self,
        host: &dyn Host,
        name: String,
        change: OffsetChange,
        role: Option<Role>,
    ) -> Result<(), Refusal> {
        let _changing = self.lead().await?;
        let (of, shape) = (name.clone(), change.clone());
        let config = self
            .ask(move |core| {
                let config = core.config(&of)?;
                if core.configs.target(&of) != TargetState::Stopped
                    || !core.configs.tasks(&of).is_empty()
                {
                    return Err(Refusal::not_stopped(&of));
                }
                // Tasks end in the round that takes them back.
                let runs = core
                    .instances
                    .keys()
                    .any(|subject| connector_of(subject) == of);
                if core.is_rebalancing() || runs {
                    return Err(Refusal::stale());
                }
                if let (OffsetChange::Alter(offsets), Some(role)) = (&shape, role) {
                    offset_change::check(role, offsets)?;
                }
                core.stage(format!("modifying offsets for connector {of}"));
                Ok(config)
            })
            .await??;
        let changed = host.change_offsets(name, config, change).await;
        changed.map_err(Refusal::internal)
    }
}

impl Core {
    /// Whether this worker may change configurations.
    fn may_lead(&self) -> Result<(), Refusal> {
        if self.is_leader() {
            return Ok(());
        }
        Err(self.leader())
    }

    /// The leader has to do it.
    fn leader(&self) -> Refusal {
        if self.is_leader() || self.standing.leader_url.is_empty() || !self.is_member() {
            return Refusal::no_leader();
        }
        Refusal::elsewhere(&self.standing.leader_url)
    }

    /// Begins to resume a partition of a task that runs here.
    fn resume(
        &self,
        name: &str,
        resume: Resume,
    ) -> Result<Pending<Result<(), NotResumed>>, Refusal> {
        if self.configs.config(name).is_none() {
            return Err(Refusal::connector_not_found(name));
        }
        let what = format!("{}-{}", resume.topic, resume.partition);
        let task = self.task_of(name, &resume.topic, resume.partition);
        let task = task
            .ok_or_else(|| Refusal::new(Kind::NotFound, format!("no task of {name} has {what}")))?;
        let subject = Subject::Task(name.to_owned(), task);
        self.own(&subject)?;
        let instance = self.instances.get(&subject);
        let probe = instance.and_then(|instance| instance.probe.as_deref());
        let probe = probe.ok_or_else(|| {
            let text = format!("task {task} of {name} does not run, so that {what} cannot go on");
            Refusal::new(Kind::Conflict, text)
        })?;
        Ok(probe.resume(resume))
    }

    /// Whether this worker runs it; who does otherwise.
    fn own(&self, subject: &Subject) -> Result<(), Refusal> {
        if self.is_rebalancing() {
            return Err(Refusal::stale());
        }
        if self.holds(subject) {
            return Ok(());
        }
        if !self.is_leader() {
            return Err(self.leader());
        }
        let owner = self
            .leading
            .owners
            .values()
            .find(|(_, work)| match subject {
                Subject::Connector(name) => work.connectors.contains(name),
                Subject::Task(name, task) => work.has_task(name, *task),
            });
        match owner {
            Some((url, _)) if !url.is_empty() && *url != self.url => Err(Refusal::elsewhere(url)),
            _ => Err(Refusal::no_leader()),
        }
    }
}
