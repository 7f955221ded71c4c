//! The tasks of the connectors that this worker runs: dealt from what the source has, and brought to the config topic.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use lifecycle::{Backoff, OnFailure};
use serde_json::Value;
use tokio::time::Instant;

use super::core::Core;
use super::{Event, Submission, Submitted, write_tasks};
use crate::Config;
use crate::deal::{PARTITIONS, Partition, Shares, deal, partitions_of, ranges};
use crate::host::Pending;
use crate::state::TargetState;
use crate::status_record::Subject;

/// Pause before task configurations that were not taken are sent again, first and longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));

/// What is kept of a connector's tasks.
pub(super) struct Dealing {
    /// What they were dealt from, and the number of tasks allowed.
    from: Option<(BTreeMap<String, i32>, u32)>,
    shares: Shares,
    /// They are on their way.
    sending: bool,
    not_before: Option<Instant>,
    backoff: Backoff,
}

impl Dealing {
    fn new(shares: Shares) -> Self {
        Self {
            from: None,
            shares,
            sending: false,
            not_before: None,
            backoff: Backoff::seeded(RETRY.0, RETRY.1),
        }
    }

    fn deal(&mut self, selected: BTreeMap<String, i32>, most: u32) {
        let from = (selected, most);
        if self.from.as_ref() == Some(&from) {
            return;
        }
        let mut loads: BTreeMap<Partition, f64> = BTreeMap::new();
        for (topic, count) in &from.0 {
            loads.extend((0..*count).map(|number| ((topic.clone(), number), 1.0)));
        }
        self.shares = deal(&loads, most, &self.shares);
        self.from = Some(from);
    }
}

/// The configurations of tasks with these shares.
pub(super) fn task_configs(config: &Config, shares: &Shares) -> Vec<Config> {
    let tasks = shares.iter().enumerate().map(|(index, share)| {
        let mut task = config.clone();
        task.insert("task.index".to_owned(), index.to_string());
        task.insert(PARTITIONS.to_owned(), ranges(share));
        task
    });
    tasks.collect()
}

/// The shares that task configurations say.
fn shares_of(tasks: &[Config]) -> Shares {
    tasks.iter().map(partitions_of).collect()
}

impl Core {
    /// Deals the tasks of all connectors that run here, and brings those that are others now to the config topic.
    pub(super) fn deal_out(&mut self, now: Instant) {
        if !self.is_member() {
            return;
        }
        let here: BTreeSet<String> = self
            .instances
            .keys()
            .filter_map(|subject| match subject {
                Subject::Connector(name) => Some(name.clone()),
                Subject::Task(..) => None,
            })
            .collect();
        for name in here {
            self.deal_one(&name, now);
        }
    }

    fn deal_one(&mut self, name: &str, now: Instant) {
        let Some(config) = self.configs.config(name) else {
            return;
        };
        let report = self.report(&Subject::Connector(name.to_owned()));
        let Some(selected) = report.and_then(|report| report.selected) else {
            return;
        };
        if self.configs.target(name) != TargetState::Started {
            return;
        }
        let most = config
            .get("tasks.max")
            .and_then(|text| text.trim().parse().ok());
        let committed = self.configs.tasks(name);
        let dealing = self.dealing.entry(name.to_owned());
        // As little as possible moves, also when another worker has taken the connector over.
        let dealing = dealing.or_insert_with(|| Dealing::new(shares_of(committed)));
        dealing.deal(selected, most.unwrap_or(1));
        let waits = dealing.sending || dealing.not_before.is_some_and(|at| at > now);
        let tasks = task_configs(config, &dealing.shares);
        // Written again as they are they would have the whole group rebalance.
        if waits || committed == tasks.as_slice() {
            return;
        }
        let Some(sending) = self.sending(name, tasks) else {
            return;
        };
        if let Some(dealing) = self.dealing.get_mut(name) {
            dealing.sending = true;
        }
        self.stage(format!("generating task configs for connector {name}"));
        let (events, of) = (self.links.events.clone(), name.to_owned());
        self.scope
            .spawn(format!("tasks of {name}"), OnFailure::Report, async move {
                let outcome = sending.await;
                // The herder is gone only when the worker ends.
                drop(events.send(Event::Submitted(of, outcome)).await);
            });
    }

    /// How they come to the config topic: the leader writes, others ask it to.
    fn sending(&self, name: &str, tasks: Vec<Config>) -> Option<Pending<Result<(), String>>> {
        let name = name.to_owned();
        if self.is_leader() {
            let store = self.links.configs.clone();
            return Some(Box::pin(async move {
                let written = write_tasks(&store, &name, &tasks).await;
                written.map_err(|refusal| refusal.to_string())
            }));
        }
        let body = Value::from_iter(tasks.into_iter().map(Value::from_iter)).to_string();
        let submission = self.for_leader(&name, Submitted::Tasks(body))?;
        Some((self.links.submit)(submission))
    }

    /// A request to the leader; nothing while it cannot be signed.
    pub(super) fn for_leader(&self, connector: &str, asks: Submitted) -> Option<Submission> {
        let headers = match (&self.key, self.is_signing()) {
            (Some(key), true) => key
                .headers(&self.group.signing.algorithm, asks.body())?
                .to_vec(),
            (None, true) => return None,
            (_, false) => Vec::new(),
        };
        Some(Submission {
            url: self.standing.leader_url.clone(),
            connector: connector.to_owned(),
            asks,
            headers,
        })
    }

    pub(super) fn submitted(&mut self, name: &str, outcome: Result<(), String>, now: Instant) {
        let Some(dealing) = self.dealing.get_mut(name) else {
            return;
        };
        dealing.sending = false;
        match outcome {
            Ok(()) => {
                dealing.backoff.reset();
                // Until they are read back.
                dealing.not_before = Some(now + RETRY.0);
            }
            Err(error) => {
                let pause = dealing.backoff.next_delay();
                tracing::warn!(
                    link = name, retry_in = ?pause,
                    "the tasks could not be brought to the leader: {error}"
                );
                dealing.not_before = Some(now + pause);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_record::{ConfigRecord, encode};

    fn selected(topics: &[(&str, i32)]) -> BTreeMap<String, i32> {
        let topics = topics.iter();
        topics
            .map(|(topic, count)| ((*topic).to_owned(), *count))
            .collect()
    }

    #[test]
    fn a_connector_that_another_worker_takes_over_is_dealt_as_before() {
        let config = Config::from([("tasks.max".to_owned(), "3".to_owned())]);
        let mut dealing = Dealing::new(Shares::new());
        dealing.deal(selected(&[("a", 7), ("b", 5)]), 3);
        let tasks = task_configs(&config, &dealing.shares);
        let mut taken = Dealing::new(shares_of(&tasks));
        taken.deal(selected(&[("a", 7), ("b", 5)]), 3);
        assert_eq!(task_configs(&config, &taken.shares), tasks);
        // A topic that comes adds to tasks and takes nothing from them.
        taken.deal(selected(&[("a", 7), ("b", 5), ("c", 3)]), 3);
        for (before, now) in dealing.shares.iter().zip(&taken.shares) {
            assert_eq!(before.get("a"), now.get("a"));
            assert_eq!(before.get("b"), now.get("b"));
        }
    }

    #[expect(clippy::print_stdout, reason = "figures for whoever asks for them")]
    #[test]
    fn the_tasks_of_a_hundred_thousand_partitions_fit_their_records() {
        for most in [1, 2, 64, 1_000] {
            let mut dealing = Dealing::new(Shares::new());
            let topics = selected(&[("a.topic.with.a.name", 60_000), ("b", 40_000)]);
            let begin = Instant::now();
            dealing.deal(topics, most);
            let dealt = begin.elapsed();
            let tasks = task_configs(&Config::new(), &dealing.shares);
            let sizes = tasks.iter().zip(0..).map(|(task, number)| {
                let (_, value) = encode(&ConfigRecord::Task("c".into(), number, task.clone()));
                value.map_or(0, |value| value.len())
            });
            let sizes: Vec<usize> = sizes.collect();
            println!(
                "100,000 partitions, {most} tasks: dealt in {dealt:?}, records of {} bytes in sum",
                sizes.iter().sum::<usize>()
            );
            let largest = sizes.into_iter().max().expect("a task");
            // What a topic takes by default.
            assert!(largest < 1_000_000, "{most} tasks: {largest} bytes");
            let partitions: usize = dealing
                .shares
                .iter()
                .flat_map(BTreeMap::values)
                .map(Vec::len)
                .sum();
            assert_eq!(partitions, 100_000);
        }
    }
}
