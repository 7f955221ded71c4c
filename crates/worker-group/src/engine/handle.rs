//! How the engine is asked. Cheap to clone; methods, no channels shown.

mod detail;
mod grouped;
mod judge;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use config::variables::Variables;
use config::worker::WorkerConfig;
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;

use super::core::Core;
use super::{Command, EngineOptions, Stage};
use crate::herder::GroupHandle;
use crate::host::{Host, OffsetChange};
use crate::offset_change;
use crate::plugin::{self, PluginInfo};
use crate::refusal::{Kind, Refusal};
use crate::restart::RestartRequest;
use crate::state::TargetState;
use crate::view::{
    ConnectorInfo, ConnectorStateInfo, Expanded, LoggerLevel, SourceOffset, TaskInfo, TaskState,
};
use crate::{Config, GivenConfig};

pub use detail::is_link;

/// How long a request may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);
/// How long the worker may take to say that it is well.
const HEALTH_LIMIT: Duration = Duration::from_secs(10);
/// How often a patch is tried when others write the same configuration.
const PATCHES: usize = 5;

/// What came of a write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WriteOutcome {
    /// The connector as it is now.
    pub info: ConnectorInfo,
    /// Whether there was none of this name before.
    pub created: bool,
}

/// How the worker itself fares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Health {
    /// It answers.
    Healthy,
    /// It has not begun yet; what it is doing.
    Starting(String),
    /// It does not answer; what it is doing.
    Unhealthy(String),
}

/// See the module.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    stage: watch::Receiver<Stage>,
    host: Arc<dyn Host>,
    worker: Arc<WorkerConfig>,
    variables: Option<Variables>,
    version: &'static str,
    /// Room for configurations that are being judged.
    judging: Arc<Semaphore>,
    /// Patches are made one after the other: each is laid over what the one before has left.
    patching: Arc<Mutex<()>>,
    /// Who is asked, where the worker is one of several.
    group: Option<GroupHandle>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Handle {
    pub(super) fn new(
        commands: mpsc::Sender<Command>,
        stage: watch::Receiver<Stage>,
        options: &EngineOptions,
    ) -> Self {
        Self {
            commands,
            stage,
            host: Arc::clone(&options.host),
            worker: Arc::new(options.worker.clone()),
            variables: options.variables.clone(),
            version: options.version,
            judging: judge::room(),
            patching: Arc::default(),
            group: None,
        }
    }

    /// Has `request` done by the engine, and waits for the answer.
    async fn ask<T: Send + 'static>(
        &self,
        request: impl FnOnce(&mut Core) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        let command: Command = Box::new(move |core| {
            // Whoever asked may have gone.
            drop(reply.send(request(core)));
        });
        let asked = async {
            self.commands
                .send(command)
                .await
                .map_err(|_| Refusal::shutting_down())?;
            answer.await.map_err(|_| Refusal::shutting_down())
        };
        match timeout(LIMIT, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(self.timed_out()),
        }
    }

    /// What the worker is doing, or has done last, in one sentence.
    #[must_use]
    pub fn stage_summary(&self) -> String {
        self.stage.borrow().summary()
    }

    fn timed_out(&self) -> Refusal {
        Refusal::internal(format!("Request timed out. {}", self.stage_summary()))
    }

    /// Whether the worker is well: a request goes through its loop.
    pub async fn health(&self) -> Health {
        if self.stage.borrow().ended.is_none() {
            return Health::Starting(self.stage_summary());
        }
        let asked = async {
            match &self.group {
                Some(group) => group.health().await,
                None => self.ask(|_| ()).await,
            }
        };
        match timeout(HEALTH_LIMIT, asked).await {
            Ok(Ok(())) => Health::Healthy,
            Ok(Err(_)) | Err(_) => Health::Unhealthy(self.stage_summary()),
        }
    }

    /// The id of the worker's cluster, where it is known.
    #[must_use]
    pub fn cluster_id(&self) -> Option<String> {
        self.host.cluster_id()
    }

    /// The version of the program.
    #[must_use]
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// Classes that a configuration may name, and with `all` the converters too.
    #[must_use]
    pub fn plugins(&self, all: bool) -> Vec<PluginInfo> {
        plugin::list(!all, self.version)
    }

    // === reading ===

    /// Names of all connectors.
    ///
    /// # Errors
    /// Only when the worker ends or hangs; this holds for all reading.
    pub async fn names(&self) -> Result<Vec<String>, Refusal> {
        if let Some(group) = &self.group {
            return group.names().await;
        }
        self.ask(|core| core.names()).await
    }

    /// All connectors with parts of what is known of them.
    ///
    /// # Errors
    /// As [`Handle::names`].
    pub async fn expanded(
        &self,
        status: bool,
        info: bool,
    ) -> Result<BTreeMap<String, Expanded>, Refusal> {
        if let Some(group) = &self.group {
            return group.expanded(status, info).await;
        }
        self.ask(move |core| core.expanded(status, info)).await
    }

    /// How often tasks of a connector that are here were begun again.
    ///
    /// # Errors
    /// As [`Handle::names`].
    pub async fn restarts(&self, name: String) -> Result<BTreeMap<u32, u64>, Refusal> {
        if let Some(group) = &self.group {
            return group.restarts(name).await;
        }
        self.ask(move |core| core.restarts(&name)).await
    }

    /// A connector with its configuration and tasks.
    ///
    /// # Errors
    /// There is none of this name.
    pub async fn info(&self, name: String) -> Result<ConnectorInfo, Refusal> {
        if let Some(group) = &self.group {
            return group.info(name).await;
        }
        self.ask(move |core| core.info(&name)).await?
    }

    /// Its configuration.
    ///
    /// # Errors
    /// There is none of this name.
    pub async fn config(&self, name: String) -> Result<Config, Refusal> {
        if let Some(group) = &self.group {
            return group.config(name).await;
        }
        self.ask(move |core| core.config(&name)).await?
    }

    /// Its state and those of its tasks.
    ///
    /// # Errors
    /// There is none of this name.
    pub async fn state(&self, name: String) -> Result<ConnectorStateInfo, Refusal> {
        if let Some(group) = &self.group {
            return group.state(name).await;
        }
        self.ask(move |core| core.state(&name)).await?
    }

    /// Its tasks with their configurations.
    ///
    /// # Errors
    /// There is none of this name.
    pub async fn tasks(&self, name: String) -> Result<Vec<TaskInfo>, Refusal> {
        if let Some(group) = &self.group {
            return group.tasks(name).await;
        }
        self.ask(move |core| core.tasks(&name)).await?
    }

    /// The state of one task.
    ///
    /// # Errors
    /// There is no such task.
    pub async fn task_state(&self, name: String, task: u32) -> Result<TaskState, Refusal> {
        if let Some(group) = &self.group {
            return group.task_state(name, task).await;
        }
        self.ask(move |core| core.task_state(&name, task)).await?
    }

    /// Topics it has written to.
    ///
    /// # Errors
    /// Tracking is switched off.
    pub async fn topics(&self, name: String) -> Result<Vec<String>, Refusal> {
        if !self.worker.topic_tracking {
            return Err(Refusal::new(Kind::Forbidden, "Topic tracking is disabled."));
        }
        if let Some(group) = &self.group {
            return group.topics(name).await;
        }
        self.ask(move |core| core.topics(&name)).await
    }

    /// Forgets them.
    ///
    /// # Errors
    /// Tracking, or forgetting, is switched off.
    pub async fn reset_topics(&self, name: String) -> Result<(), Refusal> {
        if !self.worker.topic_tracking {
            return Err(Refusal::new(Kind::Forbidden, "Topic tracking is disabled."));
        }
        if !self.worker.topic_tracking_reset {
            let text = "Topic tracking reset is disabled.";
            return Err(Refusal::new(Kind::Forbidden, text));
        }
        if let Some(group) = &self.group {
            return group.reset_topics(name).await;
        }
        self.ask(move |core| core.reset_topics(&name)).await
    }

    // === writing ===

    /// A new connector.
    ///
    /// # Errors
    /// The configuration cannot be used, or the name is taken.
    pub async fn create(
        &self,
        name: String,
        config: GivenConfig,
        initial: Option<TargetState>,
    ) -> Result<ConnectorInfo, Refusal> {
        let config = self.checked(&name, config).await?;
        if let Some(group) = &self.group {
            return group.create(name, config, initial).await;
        }
        self.ask(move |core| core.create(&name, config, initial))
            .await?
    }

    /// A connector whose configuration has been judged already, by the command that made it.
    ///
    /// # Errors
    /// The name is taken.
    pub async fn adopt(
        &self,
        name: String,
        config: Config,
        initial: Option<TargetState>,
    ) -> Result<ConnectorInfo, Refusal> {
        self.ask(move |core| core.create(&name, config, initial))
            .await?
    }

    /// A configuration, of a new connector or of one that is there.
    ///
    /// # Errors
    /// It cannot be used.
    pub async fn write(&self, name: String, config: GivenConfig) -> Result<WriteOutcome, Refusal> {
        let config = self.checked(&name, config).await?;
        let (info, created) = match &self.group {
            Some(group) => group.put(name, config).await?,
            None => self.ask(move |core| core.write(&name, config)).await?,
        };
        Ok(WriteOutcome { info, created })
    }

    /// Lays `patch` over the configuration; what it gives nothing for is taken out.
    ///
    /// # Errors
    /// There is no such connector, or what comes of it cannot be used.
    pub async fn patch(&self, name: String, patch: GivenConfig) -> Result<ConnectorInfo, Refusal> {
        // What is patched is what the leader has: others may not have read it yet.
        self.leads().await?;
        let patching = timeout(LIMIT, self.patching.lock()).await;
        let _patching = patching.map_err(|_| self.timed_out())?;
        for _ in 0..PATCHES {
            let before = self.config(name.clone()).await?;
            let mut merged: GivenConfig = before
                .iter()
                .map(|(key, value)| (key.clone(), Some(value.clone())))
                .collect();
            for (key, value) in &patch {
                match value {
                    Some(value) => merged.insert(key.clone(), Some(value.clone())),
                    None => merged.remove(key),
                };
            }
            let config = self.checked(&name, merged).await?;
            let target = name.clone();
            let written = match &self.group {
                Some(group) => group.replace(target, &before, config).await?,
                None => {
                    self.ask(move |core| core.replace(&target, &before, config))
                        .await??
                }
            };
            if let Some(info) = written {
                return Ok(info);
            }
        }
        Err(Refusal::stale())
    }

    /// Whether this worker may change configurations: one alone always may.
    async fn leads(&self) -> Result<(), Refusal> {
        match &self.group {
            Some(group) => group.leads().await,
            None => Ok(()),
        }
    }

    /// Takes a connector away. Its positions stay.
    ///
    /// # Errors
    /// There is none of this name.
    pub async fn delete(&self, name: String) -> Result<(), Refusal> {
        if let Some(group) = &self.group {
            return group.delete(name).await;
        }
        self.ask(move |core| core.delete(&name)).await?
    }

    /// What a connector is wanted to do from now on.
    ///
    /// # Errors
    /// There is none of this name.
    pub async fn set_target(&self, name: String, target: TargetState) -> Result<(), Refusal> {
        if let Some(group) = &self.group {
            return group.set_target(name, target).await;
        }
        self.ask(move |core| core.set_target(&name, target)).await?
    }

    /// Restarts what `request` covers; what is restarted reads RESTARTING in the answer.
    ///
    /// # Errors
    /// There is none of this name.
    pub async fn restart(
        &self,
        name: String,
        request: RestartRequest,
    ) -> Result<ConnectorStateInfo, Refusal> {
        if let Some(group) = &self.group {
            return group.restart(name, request).await;
        }
        self.ask(move |core| core.restart(&name, request)).await?
    }

    /// Restarts a task.
    ///
    /// # Errors
    /// There is no such task.
    pub async fn restart_task(&self, name: String, task: u32) -> Result<(), Refusal> {
        if let Some(group) = &self.group {
            return group.restart_task(name, task).await;
        }
        self.ask(move |core| core.restart_task(&name, task)).await?
    }

    // === positions ===

    /// Stored positions, in Connect's form.
    ///
    /// # Errors
    /// There is no such connector, or the store cannot be read.
    pub async fn offsets(&self, name: String) -> Result<Vec<SourceOffset>, Refusal> {
        let config = self.config(name.clone()).await?;
        let stored = self.host.offsets(name, config).await;
        stored.map_err(Refusal::internal)
    }

    /// Sets positions, or forgets those that are given none.
    ///
    /// # Errors
    /// They have the wrong shape, the connector is not stopped, or the store cannot be written.
    pub async fn alter_offsets(
        &self,
        name: String,
        offsets: Vec<SourceOffset>,
    ) -> Result<(), Refusal> {
        if offsets.is_empty() {
            offset_change::check(plugin::Role::Own, &offsets)?;
        }
        self.leads().await?;
        let config = self.config(name.clone()).await?;
        let class = config.get("connector.class").map_or("", String::as_str);
        let change = OffsetChange::Alter(offsets);
        let role = plugin::find(class.trim()).map_or(plugin::Role::Own, |plugin| plugin.role);
        self.change_offsets(name, change, Some(role)).await
    }

    /// Forgets all positions.
    ///
    /// # Errors
    /// The connector is not there or not stopped, or the store cannot be written.
    pub async fn reset_offsets(&self, name: String) -> Result<(), Refusal> {
        self.change_offsets(name, OffsetChange::Reset, None).await
    }

    async fn change_offsets(
        &self,
        name: String,
        change: OffsetChange,
        role: Option<plugin::Role>,
    ) -> Result<(), Refusal> {
        if let Some(group) = &self.group {
            return group
                .change_offsets(self.host.as_ref(), name, change, role)
                .await;
        }
        let (reply, outcome) = oneshot::channel();
        self.ask(move |core| {
            // The state is judged before the shape, as Connect does.
            let shape = match (&change, role) {
                (OffsetChange::Alter(offsets), Some(role)) if core.may_change_offsets(&name) => {
                    offset_change::check(role, offsets)
                }
                _ => Ok(()),
            };
            match shape {
                Ok(()) => core.change_offsets(&name, change, reply),
                Err(refusal) => drop(reply.send(Err(refusal))),
            }
        })
        .await?;
        match timeout(LIMIT, outcome).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Refusal::shutting_down()),
            Err(_) => Err(self.timed_out()),
        }
    }

    // === logging ===

    /// All loggers.
    ///
    /// # Errors
    /// As [`Handle::names`].
    pub async fn loggers(&self) -> Result<BTreeMap<String, LoggerLevel>, Refusal> {
        if let Some(group) = &self.group {
            return group.loggers().await;
        }
        self.ask(|core| core.loggers.all()).await
    }

    /// One logger.
    ///
    /// # Errors
    /// There is none of this name.
    pub async fn logger(&self, name: String) -> Result<LoggerLevel, Refusal> {
        if let Some(group) = &self.group {
            return group.logger(name).await;
        }
        self.ask(move |core| core.loggers.get(&name)).await?
    }

    /// Sets a logger and those below it; says which.
    ///
    /// # Errors
    /// There is no such level.
    pub async fn set_logger(&self, name: String, level: String) -> Result<Vec<String>, Refusal> {
        if let Some(group) = &self.group {
            return group.set_logger(name, level).await;
        }
        self.ask(move |core| core.loggers.set(&name, &level))
            .await?
    }
}
