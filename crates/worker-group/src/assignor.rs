//! Who gets what: the decisions of a group's leader. Pure.
//!
//! ```text
//!   what is configured × what each member holds × what was decided before ──▶ what each is given and gives back
//! ```
//!
//! The decisions are those of Kafka Connect, also where it does not matter which of several workers gets something: so
//! nothing moves only because another program leads (`java_order`).
//!
//! Deliberately absent: bytes (`kafka_wire::message::connect_protocol`), and the clock, which is passed in.

mod cooperative;
mod eager;
mod java_order;

use std::collections::{BTreeMap, HashSet};

use kafka_wire::message::connect_protocol::ConnectorWork;

pub use cooperative::{Cooperative, Decision, Round};
pub use eager::assign_all;

/// A task of a connector.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TaskKey {
    /// The connector.
    pub connector: String,
    /// Its number, from 0.
    pub task: u32,
}

impl TaskKey {
    /// A task.
    #[must_use]
    pub fn new(connector: &str, task: u32) -> Self {
        Self {
            connector: connector.to_owned(),
            task,
        }
    }
}

/// Connectors and tasks; what was added first comes first, and nothing is in it twice.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Work {
    /// Connectors.
    pub connectors: Vec<String>,
    /// Tasks.
    pub tasks: Vec<TaskKey>,
}

/// What each member has, by member id.
pub type ByMember = BTreeMap<String, Work>;

impl Work {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connectors.is_empty() && self.tasks.is_empty()
    }

    /// Whether a task is among it.
    #[must_use]
    pub fn has_task(&self, connector: &str, task: u32) -> bool {
        self.tasks
            .iter()
            .any(|key| key.task == task && key.connector == connector)
    }

    /// What is not in any of `others`, in the same order.
    #[must_use]
    pub fn without(&self, others: &[&Self]) -> Self {
        let connectors: HashSet<&String> = others.iter().flat_map(|one| &one.connectors).collect();
        let tasks: HashSet<&TaskKey> = others.iter().flat_map(|one| &one.tasks).collect();
        self.filter(
            |connector| !connectors.contains(connector),
            |task| !tasks.contains(task),
        )
    }

    fn filter(&self, connector: impl Fn(&String) -> bool, task: impl Fn(&TaskKey) -> bool) -> Self {
        let connectors = self.connectors.iter().filter(|one| connector(one));
        let tasks = self.tasks.iter().filter(|one| task(one));
        Self {
            connectors: connectors.cloned().collect(),
            tasks: tasks.cloned().collect(),
        }
    }

    /// In the order of names and numbers.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.connectors.sort();
        self.tasks.sort();
        self
    }

    /// What is in `other` too.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        let connectors: HashSet<&String> = other.connectors.iter().collect();
        let tasks: HashSet<&TaskKey> = other.tasks.iter().collect();
        self.filter(
            |connector| connectors.contains(connector),
            |task| tasks.contains(task),
        )
    }

    /// Adds what is not in it yet.
    pub fn add(&mut self, other: &Self) {
        let known: HashSet<String> = self.connectors.iter().cloned().collect();
        let new = other.connectors.iter().filter(|one| !known.contains(*one));
        self.connectors.extend(new.cloned());
        let known: HashSet<TaskKey> = self.tasks.iter().cloned().collect();
        let new = other.tasks.iter().filter(|one| !known.contains(*one));
        self.tasks.extend(new.cloned());
    }

    /// As the group's protocol has it.
    #[must_use]
    pub fn to_wire(&self) -> Vec<ConnectorWork> {
        let mut by_name: BTreeMap<&str, ConnectorWork> = BTreeMap::new();
        let empty = |name: &str| ConnectorWork {
            name: name.to_owned(),
            connector: false,
            tasks: Vec::new(),
        };
        for name in &self.connectors {
            let entry = by_name.entry(name).or_insert_with(|| empty(name));
            entry.connector = true;
        }
        for key in &self.tasks {
            let entry = by_name.entry(&key.connector);
            let entry = entry.or_insert_with(|| empty(&key.connector));
            entry.tasks.extend(i32::try_from(key.task));
        }
        by_name.into_values().collect()
    }

    /// From what the group's protocol has.
    #[must_use]
    pub fn from_wire(work: &[ConnectorWork]) -> Self {
        let mut all = Self::default();
        let (mut connectors, mut tasks) = (HashSet::new(), HashSet::new());
        for one in work {
            if one.connector && connectors.insert(&one.name) {
                all.connectors.push(one.name.clone());
            }
            for task in &one.tasks {
                let key = u32::try_from(*task).map(|task| TaskKey::new(&one.name, task));
                let Ok(key) = key else { continue };
                if tasks.insert(key.clone()) {
                    all.tasks.push(key);
                }
            }
        }
        all
    }
}

impl std::fmt::Display for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} connectors, {} tasks",
            self.connectors.len(),
            self.tasks.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(connectors: &[&str], tasks: &[(&str, u32)]) -> Work {
        Work {
            connectors: connectors.iter().map(|name| (*name).to_owned()).collect(),
            tasks: tasks
                .iter()
                .map(|(name, task)| TaskKey::new(name, *task))
                .collect(),
        }
    }

    #[test]
    fn work_is_a_set_that_keeps_its_order() {
        let mut all = work(&["b", "a"], &[("b", 1), ("a", 0)]);
        all.add(&work(&["a", "c"], &[("a", 0), ("a", 1)]));
        assert_eq!(all, work(&["b", "a", "c"], &[("b", 1), ("a", 0), ("a", 1)]));
        let less = all.without(&[&work(&["a"], &[]), &work(&[], &[("b", 1)])]);
        assert_eq!(less, work(&["b", "c"], &[("a", 0), ("a", 1)]));
        assert_eq!(all.common(&less), less);
        assert!(all.has_task("a", 1) && !all.has_task("a", 2));
    }

    #[test]
    fn work_reads_back_from_the_wire() {
        let all = work(&["a", "c"], &[("a", 0), ("a", 1), ("b", 7)]);
        assert_eq!(Work::from_wire(&all.to_wire()), all);
        assert_eq!(all.to_wire().len(), 3);
    }
}
