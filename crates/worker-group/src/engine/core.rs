//! The state of all links, with one owner: what is wanted of them, and their positions. Nothing here waits.
//!
//! What runs is in `running`, what is begun again in `again`, what is shown in `show`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

use config::worker::WorkerConfig;
use lifecycle::{OnFailure, Scope};
use tokio::sync::{mpsc, oneshot, watch};

use super::link_state::{Instance, LinkState};
use super::{EngineOptions, Stage};
use crate::Config;
use crate::config_record::ConfigRecord;
use crate::config_state::{ConfigState, task_records};
use crate::deal::ranges;
use crate::host::{Host, LinkFailure, OffsetChange, Probe};
use crate::loggers::Loggers;
use crate::refusal::Refusal;
use crate::state::TargetState;
use crate::view::ConnectorInfo;

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
    pub(super) host: Arc<dyn Host>,
    pub(super) worker: WorkerConfig,
    pub(super) loggers: Loggers,
    pub(super) configs: ConfigState,
    pub(super) links: BTreeMap<String, LinkState>,
    /// Also of links that are gone, until their futures have ended.
    pub(super) instances: HashMap<String, Instance>,
    /// Changes of positions that wait for a link to end.
    pub(super) waiting: HashMap<String, (OffsetChange, OffsetsReply)>,
    stage: watch::Sender<Stage>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) scope: Scope,
    /// Whether failed tasks are begun again by themselves.
    pub(super) retries_tasks: bool,
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
            retries_tasks: options.retries_tasks,
            counter: 0,
        }
    }

    pub(super) fn begin(&mut self) {
        self.stage
            .send_modify(|stage| stage.ended = Some(SystemTime::now()));
    }

    /// Says what is done; everything here is over at once.
    pub(super) fn stage(&self, text: String) {
        let now = SystemTime::now();
        self.stage.send_replace(Stage {
            text,
            began: now,
            ended: Some(now),
        });
    }

    pub(super) fn next(&mut self) -> u64 {
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
        let same = self.configs.config(name) == Some(&config) || self.takes_over(name, &config);
        self.apply([ConfigRecord::Connector(name.to_owned(), Some(config))]);
        let generation = self.next();
        match self.links.get_mut(name) {
            // A configuration that is written again as it is, or is taken over, disturbs nothing, unless the link has failed.
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
    pub(super) fn share_out(&mut self, name: &str) {
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

    pub(super) fn begin_change(&mut self, name: &str) {
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
}
