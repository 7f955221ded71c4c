//! What the records of the config topic amount to. Pure: records in, state out.
//!
//! Invariant: task configurations hold only from their commit on, and only as a complete set. A connector whose set is
//! incomplete has no tasks until a complete one is committed.

use std::collections::{BTreeMap, BTreeSet};

use crate::Config;
use crate::adjustment::goes_on;
use crate::config_record::ConfigRecord;
use crate::plugin;
use crate::state::TargetState;
use crate::view::{ConnectorInfo, TaskId, TaskInfo};

/// All connectors and what is wanted of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConfigState {
    connectors: BTreeMap<String, Config>,
    targets: BTreeMap<String, TargetState>,
    tasks: BTreeMap<String, Vec<Config>>,
    deferred: BTreeMap<String, BTreeMap<u32, Config>>,
    inconsistent: BTreeSet<String>,
    /// Tasks of before whose writers have to be fenced: those that are others now, or gone. Tasks that stay as they are
    /// run on.
    unfenced: BTreeMap<String, BTreeSet<u32>>,
    /// Tasks of the generation whose predecessors were fenced last. It outlives the connector: one of the same name may
    /// come, and writers of before are still to be fenced then.
    fenced: BTreeMap<String, u32>,
    /// Counts commits.
    commits: BTreeMap<String, u64>,
}

/// What a record changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A connector came, changed or went.
    Connector(String),
    /// Its tasks changed.
    Tasks(String),
    /// What is wanted of it changed.
    Target(String),
}

/// What is to be done about writers of before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fencing {
    /// Nothing: it was done for these tasks.
    Done,
    /// It is only recorded.
    Record {
        /// How many tasks there are now.
        tasks: u32,
    },
    /// The transactional ids of these tasks are taken over, then it is recorded.
    Raise {
        /// Tasks of before.
        former: Vec<u32>,
        /// How many tasks there are now.
        tasks: u32,
    },
}

impl ConfigState {
    /// Applies a record. Session keys, restarts and levels of logging change nothing here.
    pub fn apply(&mut self, record: ConfigRecord) -> Option<Change> {
        match record {
            ConfigRecord::Connector(name, Some(config)) => {
                self.connectors.insert(name.clone(), config);
                Some(Change::Connector(name))
            }
            ConfigRecord::Connector(name, None) => {
                self.connectors.remove(&name);
                self.tasks.remove(&name);
                self.deferred.remove(&name);
                self.inconsistent.remove(&name);
                self.unfenced.remove(&name);
                self.commits.remove(&name);
                // The tombstone of the target state follows.
                Some(Change::Connector(name))
            }
            ConfigRecord::Task(name, task, config) => {
                self.deferred.entry(name).or_default().insert(task, config);
                None
            }
            ConfigRecord::Commit(name, count) => self.commit(name, count),
            ConfigRecord::Target(name, state) => {
                match state {
                    Some(state) => self.targets.insert(name.clone(), state),
                    None => self.targets.remove(&name),
                };
                // It may precede the connector itself.
                self.connectors
                    .contains_key(&name)
                    .then_some(Change::Target(name))
            }
            ConfigRecord::Fencing(name, tasks) => {
                self.unfenced.remove(&name);
                self.fenced.insert(name, tasks);
                None
            }
            ConfigRecord::SessionKey { .. }
            | ConfigRecord::Restart(..)
            | ConfigRecord::Logger(..) => None,
        }
    }

    fn commit(&mut self, name: String, count: u32) -> Option<Change> {
        let mut deferred = self.deferred.remove(&name).unwrap_or_default();
        if !self.connectors.contains_key(&name) {
            return None;
        }
        *self.commits.entry(name.clone()).or_default() += 1;
        let complete: Option<Vec<Config>> = (0..count).map(|task| deferred.remove(&task)).collect();
        let former = self.former_tasks(&name, complete.as_deref().unwrap_or_default());
        self.unfenced
            .entry(name.clone())
            .or_default()
            .extend(former);
        match complete {
            Some(tasks) => {
                self.inconsistent.remove(&name);
                self.tasks.insert(name.clone(), tasks);
            }
            None => {
                self.inconsistent.insert(name.clone());
                self.tasks.remove(&name);
            }
        }
        Some(Change::Tasks(name))
    }

    /// Tasks of before that are others in `now`, or gone. Where those of before are not known, all of them. One that takes over what is
    /// another runs on, or has its own writer fenced when it begins anew.
    fn former_tasks(&self, name: &str, now: &[Config]) -> BTreeSet<u32> {
        let Some(before) = self.tasks.get(name) else {
            return (0..self.fenced.get(name).copied().unwrap_or(0)).collect();
        };
        let others = (0..).zip(before).filter(|(task, config)| {
            let number = usize::try_from(*task).unwrap_or(usize::MAX);
            !now.get(number).is_some_and(|now| goes_on(config, now))
        });
        others.map(|(task, _)| task).collect()
    }

    /// Names of all connectors, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.connectors.keys().map(String::as_str)
    }

    /// A connector's configuration.
    #[must_use]
    pub fn config(&self, name: &str) -> Option<&Config> {
        self.connectors.get(name)
    }

    /// What is wanted of a connector; STARTED where nothing is said.
    #[must_use]
    pub fn target(&self, name: &str) -> TargetState {
        self.targets.get(name).copied().unwrap_or_default()
    }

    /// The committed task configurations.
    #[must_use]
    pub fn tasks(&self, name: &str) -> &[Config] {
        self.tasks.get(name).map_or(&[], Vec::as_slice)
    }

    /// A connector as it is shown; nothing where there is none.
    #[must_use]
    pub fn info(&self, name: &str) -> Option<ConnectorInfo> {
        let config = self.config(name)?.clone();
        let tasks = (0..).zip(self.tasks(name)).map(|(task, _)| TaskId {
            connector: name.to_owned(),
            task,
        });
        Some(ConnectorInfo {
            name: name.to_owned(),
            kind: plugin::kind(&config),
            config,
            tasks: tasks.collect(),
        })
    }

    /// Its tasks as they are shown; nothing where there is no such connector.
    #[must_use]
    pub fn task_infos(&self, name: &str) -> Option<Vec<TaskInfo>> {
        let ids = self.info(name)?.tasks.into_iter();
        let tasks = ids.zip(self.tasks(name).iter().cloned());
        Some(tasks.map(|(id, config)| TaskInfo { id, config }).collect())
    }

    /// Whether what failed of a connector is begun again by itself.
    #[must_use]
    pub fn retries(&self, name: &str) -> bool {
        let value = self
            .config(name)
            .and_then(|config| config.get("tributary.task.auto.restart"));
        value.is_none_or(|value| !value.trim().eq_ignore_ascii_case("false"))
    }

    /// Whether its tasks are not known, because what was committed was no complete set.
    #[must_use]
    pub fn is_inconsistent(&self, name: &str) -> bool {
        self.inconsistent.contains(name)
    }

    /// Whether older writers have to be fenced before its tasks may start, in exactly-once mode.
    #[must_use]
    pub fn needs_fencing(&self, name: &str) -> bool {
        self.unfenced.contains_key(name)
    }

    /// What has to be fenced before its tasks may start, in exactly-once mode.
    #[must_use]
    pub fn fencing(&self, name: &str) -> Fencing {
        let tasks = self.tasks(name).len();
        let tasks = u32::try_from(tasks).unwrap_or(u32::MAX);
        let Some(former) = self.unfenced.get(name) else {
            return Fencing::Done;
        };
        // The only task of now takes the place of the only one of before, and fences it by that.
        let takes_its_place = tasks == 1 && self.fenced.get(name) == Some(&1);
        if former.is_empty() || takes_its_place {
            return Fencing::Record { tasks };
        }
        Fencing::Raise {
            former: former.iter().copied().collect(),
            tasks,
        }
    }

    /// A number that is another one once other tasks have been committed.
    #[must_use]
    pub fn generation(&self, name: &str) -> u64 {
        self.commits.get(name).copied().unwrap_or(0)
    }

    /// The number of connectors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.connectors.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connectors.is_empty()
    }
}

/// The records that set the tasks of a connector, in the order in which they have to be written.
#[must_use]
pub fn task_records(name: &str, tasks: &[Config]) -> Vec<ConfigRecord> {
    let count = u32::try_from(tasks.len()).expect("fewer tasks than numbers");
    let configs = (0..count).zip(tasks);
    let mut records: Vec<_> = configs
        .map(|(task, config)| ConfigRecord::Task(name.to_owned(), task, config.clone()))
        .collect();
    records.push(ConfigRecord::Commit(name.to_owned(), count));
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(value: &str) -> Config {
        Config::from([("k".to_owned(), value.to_owned())])
    }

    fn with_connector() -> ConfigState {
        let mut state = ConfigState::default();
        state.apply(ConfigRecord::Connector("c".into(), Some(config("c"))));
        state
    }

    #[test]
    fn commit_defers_tasks() {
        let mut state = with_connector();
        let task = |number, value| ConfigRecord::Task("c".into(), number, config(value));
        assert_eq!(state.apply(task(0, "a")), None);
        assert!(state.tasks("c").is_empty());
        state.apply(task(1, "b"));
        let changed = state.apply(ConfigRecord::Commit("c".into(), 2));
        assert_eq!(changed, Some(Change::Tasks("c".into())));
        assert_eq!(state.tasks("c"), [config("a"), config("b")]);
        // An incomplete set.
        state.apply(task(1, "c"));
        state.apply(ConfigRecord::Commit("c".into(), 2));
        assert!(state.is_inconsistent("c"));
        assert!(state.tasks("c").is_empty());
        // What was deferred does not linger.
        state.apply(task(0, "d"));
        state.apply(ConfigRecord::Commit("c".into(), 2));
        assert!(state.is_inconsistent("c"));
        for record in task_records("c", &[config("e"), config("f")]) {
            state.apply(record);
        }
        assert!(!state.is_inconsistent("c"));
        assert_eq!(state.tasks("c").len(), 2);
        assert!(state.needs_fencing("c"));
        state.apply(ConfigRecord::Fencing("c".into(), 2));
        assert!(!state.needs_fencing("c"));
    }

    #[test]
    fn writers_of_tasks_that_are_others_now_or_gone_are_fenced_and_no_others() {
        let mut state = with_connector();
        let commit = |state: &mut ConfigState, tasks: &[&str]| {
            let tasks: Vec<Config> = tasks.iter().map(|task| config(task)).collect();
            for record in task_records("c", &tasks) {
                state.apply(record);
            }
        };
        let raise = |former: &[u32], tasks| Fencing::Raise {
            former: former.to_vec(),
            tasks,
        };
        let done = |tasks| ConfigRecord::Fencing("c".into(), tasks);
        assert_eq!(state.fencing("c"), Fencing::Done, "nothing was committed");
        commit(&mut state, &["a", "b", "c"]);
        let first = state.generation("c");
        assert_eq!(state.fencing("c"), Fencing::Record { tasks: 3 });
        state.apply(done(3));
        assert_eq!(state.fencing("c"), Fencing::Done);
        commit(&mut state, &["a", "x"]);
        assert_ne!(state.generation("c"), first);
        assert_eq!(state.fencing("c"), raise(&[1, 2], 2));
        // Those that take another limit over run on.
        let limited = |name| {
            let mut limited = config(name);
            limited.insert("tributary.bandwidth.limit".into(), "1MB".into());
            limited
        };
        for record in task_records("c", &["a", "x"].map(limited)) {
            state.apply(record);
        }
        assert_eq!(state.fencing("c"), raise(&[1, 2], 2));
        // What was not done yet is not forgotten.
        commit(&mut state, &[]);
        assert_eq!(state.fencing("c"), raise(&[0, 1, 2], 0));
        commit(&mut state, &["a"]);
        assert_eq!(state.fencing("c"), raise(&[0, 1, 2], 1));
        state.apply(done(1));
        commit(&mut state, &["z"]);
        assert_eq!(state.fencing("c"), Fencing::Record { tasks: 1 });
        // Also after it was deleted and made anew, by whoever reads only what is left of the topic.
        state.apply(done(2));
        state.apply(ConfigRecord::Connector("c".into(), None));
        state.apply(ConfigRecord::Connector("c".into(), Some(config("c"))));
        commit(&mut state, &["a"]);
        assert_eq!(state.fencing("c"), raise(&[0, 1], 1));
    }

    #[test]
    fn tombstone_deletes() {
        let mut state = with_connector();
        for record in task_records("c", &[config("e")]) {
            state.apply(record);
        }
        state.apply(ConfigRecord::Target("c".into(), Some(TargetState::Paused)));
        state.apply(ConfigRecord::Connector("c".into(), None));
        state.apply(ConfigRecord::Target("c".into(), None));
        assert_eq!(state, ConfigState::default());
        // A commit for a connector that is not there.
        assert_eq!(state.apply(ConfigRecord::Commit("c".into(), 0)), None);
        assert_eq!(state, ConfigState::default());
    }

    #[test]
    fn the_initial_state_may_precede_the_connector() {
        let mut state = ConfigState::default();
        let stopped = ConfigRecord::Target("c".into(), Some(TargetState::Stopped));
        assert_eq!(state.apply(stopped), None);
        state.apply(ConfigRecord::Connector("c".into(), Some(config("c"))));
        assert_eq!(state.target("c"), TargetState::Stopped);
        assert_eq!(state.target("other"), TargetState::Started);
    }
}
