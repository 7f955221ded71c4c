//! The state of all links, with one owner, and everything that changes it. Nothing here waits.
//!
//! Long because everything that changes this state stands together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

use config::worker::WorkerConfig;
use lifecycle::{OnFailure, Scope};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::link_state::{Instance, LinkState};
use super::reconcile::{Action, Runs, Wanted, reconcile};
use super::{EngineOptions, Stage};
use crate::Config;
use crate::config_record::ConfigRecord;
use crate::config_state::{ConfigState, task_records};
use crate::deal::ranges;
use crate::host::{Host, LinkFailure, LinkStart, OffsetChange, Part, Probe, Started, trace};
use crate::loggers::Loggers;
use crate::refusal::Refusal;
use crate::restart::{RestartPlan, RestartRequest};
use crate::state::{State, TargetState};
use crate::view::{ConnectorInfo, ConnectorStateInfo};

/// What a task of the engine reports.
pub(super) enum Event {
    /// A link has started.
    Started(String, u64, Box<dyn Probe>),
    /// A link has ended.
    Ended(String, u64, Result<(), LinkFailure>),
    /// Positions have been changed, or not.
    OffsetsChanged(String, u64),
}

/// Where the outcome of a change of positions goes.
pub(super) type OffsetsReply = oneshot::Sender<Result<(), Refusal>>;

/// See the module.
pub(super) struct Core {
    pub(super) worker_id: String,
    host: Arc<dyn Host>,
    pub(super) worker: WorkerConfig,
    pub(super) loggers: Loggers,
    pub(super) configs: ConfigState,
    pub(super) links: BTreeMap<String, LinkState>,
    /// Also of links that are gone, until their futures have ended.
    pub(super) instances: HashMap<String, Instance>,
    /// Changes of positions that wait for a link to end.
    waiting: HashMap<String, (OffsetChange, OffsetsReply)>,
    stage: watch::Sender<Stage>,
    events: mpsc::Sender<Event>,
    scope: Scope,
    counter: u64,
}

impl Core {
    pub(super) fn new(
        options: EngineOptions,
        stage: watch::Sender<Stage>,
        events: mpsc::Sender<Event>,
        scope: Scope,
    ) -> Self {
        Self {
            worker_id: options.worker_id,
            host: options.host,
            worker: options.worker,
            loggers: options.loggers,
            configs: ConfigState::default(),
            links: BTreeMap::new(),
            instances: HashMap::new(),
            waiting: HashMap::new(),
            stage,
            events,
            scope,
            counter: 0,
        }
    }

    pub(super) fn begin(&mut self) {
        self.stage
            .send_modify(|stage| stage.ended = Some(SystemTime::now()));
    }

    /// Says what is done; everything here is over at once.
    fn stage(&self, text: String) {
        let now = SystemTime::now();
        self.stage.send_replace(Stage {
            text,
            began: now,
            ended: Some(now),
        });
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn apply(&mut self, records: impl IntoIterator<Item = ConfigRecord>) {
        // A group writes them to its topic and applies them when they are read back.
        for record in records {
            self.configs.apply(record);
        }
    }

    // === what is wanted ===

    pub(super) fn create(
        &mut self,
        name: &str,
        config: Config,
        initial: Option<TargetState>,
    ) -> Result<ConnectorInfo, Refusal> {
        if self.configs.config(name).is_some() {
            return Err(Refusal::exists(name));
        }
        let target = initial.map(|state| ConfigRecord::Target(name.to_owned(), Some(state)));
        self.apply(target);
        Ok(self.put(name, config))
    }

    /// Writes a configuration. Whether there was none before.
    pub(super) fn write(&mut self, name: &str, config: Config) -> (ConnectorInfo, bool) {
        let created = self.configs.config(name).is_none();
        (self.put(name, config), created)
    }

    /// As `write`, unless somebody else has changed the configuration meanwhile.
    pub(super) fn replace(
        &mut self,
        name: &str,
        before: &Config,
        config: Config,
    ) -> Result<Option<ConnectorInfo>, Refusal> {
        match self.configs.config(name) {
            None => Err(Refusal::connector_not_found(name)),
            Some(now) if now != before => Ok(None),
            Some(_) => Ok(Some(self.put(name, config))),
        }
    }

    fn put(&mut self, name: &str, config: Config) -> ConnectorInfo {
        self.stage(format!(
            "writing a config for connector {name} to the config topic"
        ));
        let same = self.configs.config(name) == Some(&config);
        self.apply([ConfigRecord::Connector(name.to_owned(), Some(config))]);
        let generation = self.next();
        match self.links.get_mut(name) {
            // A configuration that is written again as it is disturbs nothing, unless the link has failed.
            Some(link) if same && link.failure.is_none() => {}
            Some(link) => {
                link.generation = generation;
                link.failure = None;
                link.retry_at = None;
            }
            None => {
                self.links
                    .insert(name.to_owned(), LinkState::new(generation));
            }
        }
        self.share_out(name);
        self.reconcile(name);
        self.info(name).expect("it has just been written")
    }

    pub(super) fn delete(&mut self, name: &str) -> Result<(), Refusal> {
        if self.configs.config(name).is_none() {
            return Err(Refusal::connector_not_found(name));
        }
        self.stage(format!(
            "removing the config for connector {name} from the config topic"
        ));
        self.apply([
            ConfigRecord::Connector(name.to_owned(), None),
            ConfigRecord::Target(name.to_owned(), None),
        ]);
        self.links.remove(name);
        if let Some((_, reply)) = self.waiting.remove(name) {
            // Whoever asked may have gone.
            drop(reply.send(Err(Refusal::connector_not_found(name))));
        }
        self.reconcile(name);
        Ok(())
    }

    pub(super) fn set_target(&mut self, name: &str, target: TargetState) -> Result<(), Refusal> {
        if self.configs.config(name).is_none() {
            return Err(Refusal::unknown_connector(name));
        }
        if self.configs.target(name) == target {
            return Ok(());
        }
        self.stage(format!(
            "writing the {} target state for connector {name} to the config topic",
            target.as_str()
        ));
        if target == TargetState::Stopped {
            // Before the state, so that nobody sees a stopped connector with tasks.
            self.apply([ConfigRecord::Commit(name.to_owned(), 0)]);
        }
        self.apply([ConfigRecord::Target(name.to_owned(), Some(target))]);
        if let Some(link) = self.links.get_mut(name) {
            link.restarting = false;
            if target == TargetState::Started {
                link.failure = None;
                link.retry_at = None;
            }
        }
        self.share_out(name);
        self.reconcile(name);
        Ok(())
    }

    /// Writes the shares as tasks, if they are others than before.
    fn share_out(&mut self, name: &str) {
        let (Some(link), Some(config)) = (self.links.get(name), self.configs.config(name)) else {
            return;
        };
        if self.configs.target(name) == TargetState::Stopped {
            return;
        }
        let tasks: Vec<Config> = link
            .shares
            .iter()
            .enumerate()
            .map(|(index, share)| {
                let mut task = config.clone();
                task.insert("task.index".to_owned(), index.to_string());
                task.insert("tributary.task.partitions".to_owned(), ranges(share));
                task
            })
            .collect();
        if self.configs.tasks(name) != tasks.as_slice() {
            self.apply(task_records(name, &tasks));
        }
    }

    // === restarts ===

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
        if plan.connector {
            state.connector.state = State::Restarting;
            state.connector.trace = None;
        }
        for task in &mut state.tasks {
            if plan.tasks.contains(&task.id) {
                task.state = State::Restarting;
                task.trace = None;
            }
        }
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

    fn begin_anew(&mut self, name: &str, plan: &RestartPlan) {
        // What is paused or stopped stays so.
        if plan.is_empty() || self.configs.target(name) != TargetState::Started {
            return;
        }
        let generation = self.next();
        if let Some(link) = self.links.get_mut(name) {
            link.generation = generation;
            link.failure = None;
            link.retry_at = None;
            link.restarting = true;
            link.backoff.reset();
        }
        self.reconcile(name);
    }

    // === positions ===

    /// Has positions changed as soon as nothing runs; the outcome goes to `reply`.
    pub(super) fn change_offsets(&mut self, name: &str, change: OffsetChange, reply: OffsetsReply) {
        let refusal = if self.configs.config(name).is_none() {
            Some(Refusal::connector_not_found(name))
        } else if self.configs.target(name) != TargetState::Stopped
            || !self.configs.tasks(name).is_empty()
        {
            Some(Refusal::not_stopped(name))
        } else if self.waiting.contains_key(name)
            || self
                .links
                .get(name)
                .is_some_and(|link| link.changing.is_some())
        {
            let text = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)";
            Some(Refusal::new(crate::Kind::Conflict, text))
        } else {
            None
        };
        match refusal {
            // Whoever asked may have gone.
            Some(refusal) => drop(reply.send(Err(refusal))),
            None => {
                self.waiting.insert(name.to_owned(), (change, reply));
                self.reconcile(name);
            }
        }
    }

    pub(super) fn may_change_offsets(&self, name: &str) -> bool {
        self.configs.config(name).is_some() && self.configs.target(name) == TargetState::Stopped
    }

    fn begin_change(&mut self, name: &str) {
        let Some((change, reply)) = self.waiting.remove(name) else {
            return;
        };
        let number = self.next();
        let (Some(config), Some(link)) = (self.configs.config(name), self.links.get_mut(name))
        else {
            return;
        };
        link.changing = Some(number);
        self.stage(format!("modifying offsets for connector {name}"));
        let changing = self
            .host
            .change_offsets(name.to_owned(), config.clone(), change);
        let (events, name) = (self.events.clone(), name.to_owned());
        self.scope
            .spawn(format!("offsets {name}"), OnFailure::Report, async move {
                let outcome = changing.await.map_err(Refusal::internal);
                drop(reply.send(outcome));
                // The engine is gone only when the worker ends.
                drop(events.send(Event::OffsetsChanged(name, number)).await);
            });
    }

    // === what runs ===

    fn wanted(&self, name: &str) -> Wanted {
        let Some(link) = self.links.get(name) else {
            return Wanted::Rest;
        };
        let waits =
            link.failure.is_some() || link.changing.is_some() || self.waiting.contains_key(name);
        match self.configs.target(name) {
            TargetState::Started if !waits => Wanted::Run(link.generation),
            _ => Wanted::Rest,
        }
    }

    fn reconcile(&mut self, name: &str) {
        let runs = match self.instances.get(name) {
            None => Runs::Nothing,
            Some(instance) if instance.ending => Runs::Ending,
            Some(instance) => Runs::Future(instance.generation),
        };
        match reconcile(self.wanted(name), runs) {
            Action::Start => self.start(name),
            Action::Stop => self.stop(name),
            Action::Wait => {}
        }
        if !self.instances.contains_key(name) {
            self.begin_change(name);
        }
    }

    fn start(&mut self, name: &str) {
        let incarnation = self.next();
        let (Some(config), Some(link)) = (self.configs.config(name), self.links.get(name)) else {
            return;
        };
        self.stage("starting the connector".to_owned());
        let scope = Arc::new(self.scope.child(name));
        let (started, probe) = oneshot::channel();
        let start = LinkStart {
            name: name.to_owned(),
            config: config.clone(),
            part: Part::Whole,
        };
        let run = self.host.run(start, Started(started), scope.stop_signal());
        let (events, link_name) = (self.events.clone(), name.to_owned());
        scope.spawn("start", OnFailure::Report, async move {
            if let Ok(probe) = probe.await {
                drop(
                    events
                        .send(Event::Started(link_name, incarnation, probe))
                        .await,
                );
            }
        });
        let (events, link_name) = (self.events.clone(), name.to_owned());
        scope.spawn("run", OnFailure::Report, async move {
            let ended = run.await;
            drop(
                events
                    .send(Event::Ended(link_name, incarnation, ended))
                    .await,
            );
        });
        let instance = Instance {
            incarnation,
            generation: link.generation,
            scope,
            ending: false,
            probe: None,
            since: Instant::now(),
        };
        self.instances.insert(name.to_owned(), instance);
    }

    fn stop(&mut self, name: &str) {
        // What it has written since the last look would be forgotten.
        self.look(name, Instant::now());
        let Some(instance) = self.instances.get_mut(name) else {
            return;
        };
        instance.ending = true;
        let (scope, incarnation) = (Arc::clone(&instance.scope), instance.incarnation);
        scope.request_stop();
        self.stage(format!("stopping connector {name}"));
        let (events, grace) = (self.events.clone(), self.worker.shutdown_timeout);
        let link = name.to_owned();
        self.scope
            .spawn(format!("stop {name}"), OnFailure::Report, async move {
                let report = scope.stop(grace).await;
                if !report.aborted.is_empty() {
                    tracing::warn!(link, "did not end within {grace:?} and was cut off");
                }
                drop(events.send(Event::Ended(link, incarnation, Ok(()))).await);
            });
    }

    pub(super) fn on(&mut self, event: Event, now: Instant) {
        match event {
            Event::Started(name, incarnation, probe) => {
                let Some(instance) = self.instances.get_mut(&name) else {
                    return;
                };
                if instance.incarnation != incarnation || instance.ending {
                    return;
                }
                tracing::info!(link = name, "started");
                instance.probe = Some(probe);
                instance.since = now;
                if let Some(link) = self.links.get_mut(&name) {
                    link.restarting = false;
                    link.failure = None;
                }
                self.look(&name, now);
            }
            Event::Ended(name, incarnation, ended) => self.ended(&name, incarnation, ended, now),
            Event::OffsetsChanged(name, number) => {
                // The connector may have been deleted and made anew meanwhile.
                let link = self.links.get_mut(&name);
                if let Some(link) = link.filter(|link| link.changing == Some(number)) {
                    link.changing = None;
                }
                self.reconcile(&name);
            }
        }
    }

    fn ended(
        &mut self,
        name: &str,
        incarnation: u64,
        ended: Result<(), LinkFailure>,
        now: Instant,
    ) {
        let Some(instance) = self.instances.get(name) else {
            return;
        };
        if instance.incarnation != incarnation {
            return;
        }
        let (generation, was_asked) = (instance.generation, instance.ending);
        if let (Some(probe), Some(link)) = (&instance.probe, self.links.get_mut(name)) {
            link.track(&probe.look());
        }
        self.instances.remove(name);
        let retries = self
            .configs
            .config(name)
            .and_then(|config| config.get("tributary.task.auto.restart"))
            .is_none_or(|value| !value.trim().eq_ignore_ascii_case("false"));
        if let Some(link) = self.links.get_mut(name)
            && link.generation == generation
            && !was_asked
        {
            let failure = ended.err().map_or_else(
                || {
                    trace(
                        "java.lang.IllegalStateException",
                        "the link ended by itself",
                    )
                },
                |failure| failure.trace,
            );
            link.restarting = false;
            link.retry_at = retries.then(|| now + link.backoff.next_delay());
            let again = link.retry_at.map(|at| at - now);
            tracing::error!(link = name, retry_in = ?again, "failed: {failure}");
            link.failure = Some(failure);
        }
        self.reconcile(name);
    }

    /// Looks at everything that runs, and begins again what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        let names: Vec<String> = self.instances.keys().cloned().collect();
        for name in names {
            self.look(&name, now);
        }
        let due: Vec<String> = self
            .links
            .iter()
            .filter(|(_, link)| link.retry_at.is_some_and(|at| at <= now))
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.retry(&name);
        }
    }

    /// Begins a failed link again. It counts as failed until it has started.
    fn retry(&mut self, name: &str) {
        let Some(link) = self.links.get_mut(name) else {
            return;
        };
        link.retry_at = None;
        let failure = link.failure.take();
        self.reconcile(name);
        if let Some(link) = self.links.get_mut(name) {
            link.failure = failure;
        }
    }

    pub(super) fn look(&mut self, name: &str, now: Instant) {
        let Some(instance) = self.instances.get(name) else {
            return;
        };
        if let Some(failure) = instance.scope.first_failure() {
            // A panic: nothing else ends without an event.
            let incarnation = instance.incarnation;
            let failure = LinkFailure::new("java.lang.IllegalStateException", &failure.to_string());
            return self.ended(name, incarnation, Err(failure), now);
        }
        let (Some(probe), Some(link)) = (&instance.probe, self.links.get_mut(name)) else {
            return;
        };
        let report = probe.look();
        link.settle(instance.since, now);
        link.track(&report);
        let most = self
            .configs
            .config(name)
            .and_then(|config| config.get("tasks.max")?.trim().parse().ok())
            .unwrap_or(1);
        if link.deal(&report, most) {
            self.stage(format!("generating task configs for connector {name}"));
            self.share_out(name);
        }
    }

    /// Ends all links in order.
    pub(super) async fn shut_down(&mut self) {
        self.stage("shutting down".to_owned());
        for instance in self.instances.values() {
            instance.scope.request_stop();
        }
        let deadline = Instant::now() + self.worker.shutdown_timeout;
        for (name, instance) in self.instances.drain() {
            let grace = deadline.saturating_duration_since(Instant::now());
            let report = instance.scope.stop(grace).await;
            if !report.aborted.is_empty() {
                tracing::warn!(link = name, "did not stop in time");
            }
        }
        let report = self.scope.stop(std::time::Duration::ZERO).await;
        tracing::debug!(?report, "links stopped");
    }
}
