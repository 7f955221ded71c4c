//! What the engine knows of one link, and how that is shown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lifecycle::{Backoff, Scope};
use tokio::time::Instant;

use crate::deal::{Partition, Shares, deal};
use crate::host::{LinkReport, Probe, Standing, trace};
use crate::state::{State, TargetState};

/// First and longest pause before a failed link is begun again. A cluster that is back is to be used within ten seconds,
/// however long it was away.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));
/// First and longest pause before what stands is tried again.
const RETRY_STANDING: (Duration, Duration) =
    (Duration::from_secs(60), Duration::from_secs(15 * 60));
/// How long a link has to run for its failures to be forgotten.
const SETTLED: Duration = Duration::from_secs(60);
/// What failed is told as.
const STANDING: &str = "org.apache.kafka.connect.errors.ConnectException";
/// Standing partitions that a trace names.
const NAMED: usize = 5;

/// A future of a link.
pub(super) struct Instance {
    pub(super) incarnation: u64,
    pub(super) generation: u64,
    pub(super) scope: Arc<Scope>,
    pub(super) ending: bool,
    /// Once it has started.
    pub(super) probe: Option<Box<dyn Probe>>,
    pub(super) since: Instant,
}

/// When what stands is tried again.
pub(super) struct Standstill {
    backoff: Backoff,
    /// Nothing while no partition stands, or while what stood is being tried.
    retry_at: Option<Instant>,
    /// Since when no partition stands.
    clear_since: Option<Instant>,
    /// Tasks that were begun again a moment ago: until then nobody knows how they fare.
    begun_again: BTreeMap<u32, Instant>,
}

impl Default for Standstill {
    fn default() -> Self {
        Self {
            backoff: Backoff::seeded(RETRY_STANDING.0, RETRY_STANDING.1),
            retry_at: None,
            clear_since: None,
            begun_again: BTreeMap::new(),
        }
    }
}

impl Standstill {
    /// Takes down whether any partition stands.
    pub(super) fn look(&mut self, stands: bool, now: Instant) {
        self.begun_again.retain(|_, until| *until > now);
        if stands {
            self.clear_since = None;
            if self.retry_at.is_none() {
                self.retry_at = Some(now + self.backoff.next_delay());
            }
            return;
        }
        self.retry_at = None;
        let since = *self.clear_since.get_or_insert(now);
        if now.duration_since(since) > SETTLED {
            self.backoff.reset();
        }
    }

    /// Whether it is time; once.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        self.retry_at.take_if(|at| *at <= now).is_some()
    }

    pub(super) fn begun_again(&mut self, tasks: &[u32], until: Instant) {
        let tasks = tasks.iter().map(|task| (*task, until));
        self.begun_again.extend(tasks);
    }

    /// Whether nobody knows yet how a task fares.
    pub(super) fn is_begun_again(&self, task: u32, now: Instant) -> bool {
        let until = self.begun_again.get(&task);
        until.is_some_and(|until| *until > now)
    }
}

/// What is kept of a link beyond its configuration.
pub(super) struct LinkState {
    /// Counts configurations and restarts; a future of another one is ended.
    pub(super) generation: u64,
    /// Why its last future failed.
    pub(super) failure: Option<String>,
    /// When it is begun again.
    pub(super) retry_at: Option<Instant>,
    pub(super) backoff: Backoff,
    /// Begun anew because somebody asked for it.
    pub(super) restarting: bool,
    /// Positions are being changed, by this task: it must not start meanwhile.
    pub(super) changing: Option<u64>,
    /// When what stands is tried again.
    pub(super) standing: Standstill,
    pub(super) shares: Shares,
    /// What the shares were dealt for: partitions of each topic, and the number of tasks allowed.
    topology: (BTreeMap<String, i32>, u32),
    /// Destination topics that were written to.
    pub(super) topics: BTreeSet<String>,
    /// How often it was started, and how often single tasks were begun again while it ran.
    pub(super) starts: u64,
    pub(super) begun_again: BTreeMap<u32, u64>,
    /// Why tasks fail, as it was when it was looked at last, and when each began to.
    failing: BTreeMap<u32, String>,
    pub(super) failed_at: BTreeMap<u32, SystemTime>,
    /// The state of each task as it was when it was looked at last, and since when.
    states: BTreeMap<u32, (State, SystemTime)>,
    counted: BTreeMap<String, u64>,
}

impl LinkState {
    pub(super) fn new(generation: u64) -> Self {
        Self {
            generation,
            failure: None,
            retry_at: None,
            backoff: Backoff::seeded(RETRY.0, RETRY.1),
            restarting: false,
            changing: None,
            standing: Standstill::default(),
            shares: vec![BTreeMap::new()],
            topology: (BTreeMap::new(), 0),
            topics: BTreeSet::new(),
            starts: 0,
            begun_again: BTreeMap::new(),
            failing: BTreeMap::new(),
            failed_at: BTreeMap::new(),
            states: BTreeMap::new(),
            counted: BTreeMap::new(),
        }
    }

    /// Whether failures of before still count.
    pub(super) fn settle(&mut self, running_since: Instant, now: Instant) {
        if now.duration_since(running_since) > SETTLED {
            self.backoff.reset();
        }
    }

    /// Deals anew if topics or partitions came or went. Whether the shares are others now.
    pub(super) fn deal(&mut self, report: &LinkReport, most: u32) -> bool {
        let topology: BTreeMap<String, i32> = report
            .topics
            .iter()
            .map(|(topic, load)| (topic.clone(), load.partitions))
            .collect();
        let topology = (topology, most);
        if topology == self.topology {
            return false;
        }
        self.topology = topology;
        let shares = deal(&loads(report), most, &self.shares);
        let changed = shares != self.shares;
        self.shares = shares;
        changed
    }

    /// Takes down which topics have been written to since this was asked last.
    pub(super) fn track(&mut self, report: &LinkReport) {
        for (topic, count) in &report.written {
            let before = self.counted.insert(topic.clone(), *count).unwrap_or(0);
            // A link that was begun anew counts from zero.
            if *count > before || (*count > 0 && *count < before) {
                self.topics.insert(topic.clone());
            }
        }
    }

    /// Takes down which tasks fail, and for those that fail for another reason than before, that they do since `now`.
    pub(super) fn note_failures(&mut self, failing: BTreeMap<u32, String>, now: SystemTime) {
        for (task, trace) in &failing {
            if self.failing.get(task) != Some(trace) {
                self.failed_at.insert(*task, now);
            }
        }
        self.failing = failing;
    }

    /// Takes down in which states `count` tasks are: that of the connector, but for those that fail.
    pub(super) fn note_states(&mut self, (count, of_all): (u32, State), now: Instant) {
        let at = SystemTime::now();
        for task in 0..count {
            let fails = of_all == State::Running && self.failing.contains_key(&task);
            let state = match fails {
                true if self.standing.is_begun_again(task, now) => State::Restarting,
                true => State::Failed,
                false => of_all,
            };
            let known = self.states.get(&task);
            if known.is_none_or(|(known, _)| *known != state) {
                self.states.insert(task, (state, at));
            }
        }
        self.states.retain(|task, _| *task < count);
    }

    /// Since when a task is in this state; nothing for one that has just come to it.
    pub(super) fn since(&self, task: u32, state: State) -> Option<SystemTime> {
        let (known, at) = self.states.get(&task)?;
        (*known == state).then_some(*at)
    }

    fn owner(&self, standing: &Standing) -> usize {
        let holds = |share: &BTreeMap<String, Vec<i32>>| {
            share
                .get(&standing.topic)
                .is_some_and(|numbers| numbers.contains(&standing.partition))
        };
        // One that was found a moment ago has no task yet.
        self.shares.iter().position(holds).unwrap_or(0)
    }

    /// Why each task failed, by number; tasks that run are missing.
    pub(super) fn task_failures(&self, report: &LinkReport) -> BTreeMap<u32, String> {
        let mut by_task: BTreeMap<u32, Vec<&Standing>> = BTreeMap::new();
        for standing in &report.standing {
            let task = u32::try_from(self.owner(standing)).unwrap_or(u32::MAX);
            by_task.entry(task).or_default().push(standing);
        }
        by_task
            .into_iter()
            .map(|(task, all)| (task, trace_of(&all)))
            .collect()
    }
}

/// The expected load of each partition: even at first, and as it was once something has been copied.
fn loads(report: &LinkReport) -> BTreeMap<Partition, f64> {
    let partitions: i64 = report
        .topics
        .values()
        .map(|load| i64::from(load.partitions))
        .sum();
    let bytes: u64 = report.topics.values().map(|load| load.bytes).sum();
    let mean = (bytes as f64 / partitions.max(1) as f64).max(1.0);
    let mut loads = BTreeMap::new();
    for (topic, load) in &report.topics {
        let each = load.bytes as f64 / f64::from(load.partitions.max(1)) / mean;
        for number in 0..load.partitions {
            // Also what is quiet now may become busy.
            loads.insert((topic.clone(), number), 0.25 + each);
        }
    }
    loads
}

pub(super) fn trace_of(standing: &[&Standing]) -> String {
    let named = standing.iter().take(NAMED);
    let mut text: Vec<String> = named
        .map(|one| format!("{}-{} stands: {}", one.topic, one.partition, one.reason))
        .collect();
    if standing.len() > NAMED {
        text.push(format!("and {} more partitions", standing.len() - NAMED));
    }
    trace(STANDING, &text.join("; "))
}

/// The state of a connector's own instance.
pub(super) fn connector_state(
    target: TargetState,
    link: &LinkState,
    instance: Option<&Instance>,
) -> (State, Option<String>) {
    match (target, instance) {
        (TargetState::Stopped, None) => (State::Stopped, None),
        (TargetState::Paused, None) => (State::Paused, None),
        // It still ends.
        (TargetState::Stopped | TargetState::Paused, Some(_)) => (State::Running, None),
        (TargetState::Started, Some(instance)) if instance.probe.is_some() && !instance.ending => {
            (State::Running, None)
        }
        (TargetState::Started, _) if link.restarting => (State::Restarting, None),
        (TargetState::Started, _) if link.failure.is_some() => {
            (State::Failed, link.failure.clone())
        }
        (TargetState::Started, _) => (State::Unassigned, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::TopicLoad;

    fn report(topics: &[(&str, i32)]) -> LinkReport {
        let topics = topics.iter().map(|(topic, partitions)| {
            let load = TopicLoad {
                partitions: *partitions,
                bytes: 0,
            };
            ((*topic).to_owned(), load)
        });
        LinkReport {
            topics: topics.collect(),
            ..LinkReport::default()
        }
    }

    #[test]
    fn a_standing_partition_fails_the_task_that_has_it_and_no_other() {
        let mut link = LinkState::new(1);
        let mut report = report(&[("t", 4)]);
        assert!(link.deal(&report, 2));
        assert!(!link.deal(&report, 2), "nothing came or went");
        report.standing.push(Standing {
            topic: "t".into(),
            partition: 3,
            reason: "it was deleted (grant READ)".into(),
        });
        let failures = link.task_failures(&report);
        assert_eq!(failures.len(), 1);
        let (task, trace) = failures.first_key_value().expect("one");
        assert!(link.shares[*task as usize]["t"].contains(&3));
        assert_eq!(
            trace,
            "org.apache.kafka.connect.errors.ConnectException: t-3 stands: it was deleted (grant READ)."
        );
    }

    #[test]
    fn a_task_is_in_its_state_since_it_came_to_it() {
        let mut link = LinkState::new(1);
        let now = Instant::now();
        link.note_states((2, State::Running), now);
        let began = link.since(0, State::Running).expect("it was seen to run");
        assert_eq!(
            link.since(0, State::Failed),
            None,
            "it is not in this state"
        );
        link.note_failures(
            BTreeMap::from([(1, "no".to_owned())]),
            SystemTime::UNIX_EPOCH,
        );
        link.note_states((2, State::Running), now);
        assert_eq!(link.since(0, State::Running), Some(began), "it runs on");
        assert_eq!(link.since(1, State::Running), None);
        assert!(link.since(1, State::Failed).is_some());
        link.note_states((1, State::Paused), now);
        assert!(link.since(0, State::Paused).is_some());
        assert_eq!(link.since(1, State::Failed), None, "it is gone");
    }

    #[test]
    fn topics_are_tracked_by_what_was_written_since() {
        let mut link = LinkState::new(1);
        let mut report = report(&[]);
        report.written = BTreeMap::from([("a".to_owned(), 5), ("b".to_owned(), 0)]);
        link.track(&report);
        assert_eq!(link.topics, BTreeSet::from(["a".to_owned()]));
        // After a reset only what is used again comes back.
        link.topics.clear();
        link.track(&report);
        assert!(link.topics.is_empty());
        report.written.insert("b".to_owned(), 1);
        link.track(&report);
        assert_eq!(link.topics, BTreeSet::from(["b".to_owned()]));
    }
}
