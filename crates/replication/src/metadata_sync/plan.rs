//! What has to change at the destination, and which topic is copied where (pure, printable).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use config::link::{OnRecreate, ReplicationFactor, TopicSettings};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::types::{TopicId, TopicName};

use super::condition::{Condition, Problem};
use super::history::History;
use super::observe::{Observation, Topic};
use settings::{difference, effects, wanted, without_refused};

pub(super) mod chosen;
mod names;
mod nearest;
pub(super) mod settings;
mod step;

pub(super) use settings::out_of_reach;
pub use step::{SettingChange, Step};

/// What holds for all topics of a link.
#[derive(Clone, PartialEq, Debug)]
pub struct Rules {
    /// Which topics, under which names, created how.
    pub settings: TopicSettings,
    /// What happens to copies that were deleted.
    pub on_recreate: OnRecreate,
    /// Topics of the destination that hold this program's own state.
    pub reserved: BTreeSet<String>,
}

/// A topic that is copied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copy {
    /// Where it is read.
    pub source: TopicName,
    /// The source topic's id.
    pub source_id: TopicId,
    /// Where it is written.
    pub destination: TopicName,
    /// The destination topic's id.
    pub destination_id: TopicId,
    /// Partitions that exist on both sides; all of the source's where they are spread.
    pub partitions: i32,
    /// Partitions of the destination, where records are spread over them anew.
    pub spread: Option<i32>,
}

/// What follows from an observation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// Changes of the destination.
    pub steps: Vec<Step>,
    /// Topics that can be copied now.
    pub copies: Vec<Copy>,
    /// What is wrong with topics.
    pub problems: Vec<Problem>,
    /// What an operator should know about settings; complete only where settings were asked for.
    pub notes: Vec<Problem>,
    /// What concerns no single topic.
    pub notices: BTreeSet<String>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        for problem in self.problems.iter().chain(&self.notes) {
            writeln!(f, "{problem}")?;
        }
        for notice in &self.notices {
            writeln!(f, "{notice}")?;
        }
        Ok(())
    }
}

impl Plan {
    /// Computes the plan.
    #[must_use]
    pub fn new(seen: &Observation, history: &History, rules: &Rules) -> Self {
        let mut plan = Self::default();
        for (topic, code) in &seen.absent {
            plan.absent(topic, *code, seen, history);
        }
        let (names, problems) = names::names(seen, history, rules);
        plan.problems.extend(problems);
        let mut merged = merged(&names);
        if rules.settings.naming.may_merge() {
            merged.extend(merged_before(&names, history));
        }
        for (name, copy) in names {
            if let Some(topic) = seen.source.get(&name) {
                let mut planner = Planner {
                    plan: &mut plan,
                    seen,
                    history,
                    rules,
                    merged: &merged,
                };
                planner.topic(&name, topic, &copy);
            }
        }
        plan.problems.extend(chosen::caught(seen, &rules.settings));
        plan.notices.extend(chosen::notices(seen, &rules.settings));
        plan.steps.sort_by_cached_key(Step::rank);
        plan
    }

    /// The source topics that a step is for: the one it names, and all that are merged with that.
    pub(super) fn sources(step: &Step, seen: &Observation, rules: &Rules) -> Vec<TopicName> {
        let naming = &rules.settings.naming;
        let same = |name: &&TopicName| {
            let copy = naming.apply(name.as_str());
            copy.is_ok_and(|copy| copy == step.topic().as_str())
        };
        match naming.may_merge() {
            true => seen.source.keys().filter(same).cloned().collect(),
            false => vec![step.source().clone()],
        }
    }

    fn absent(&mut self, topic: &TopicName, code: ErrorCode, seen: &Observation, known: &History) {
        let (state, reason) = match code {
            ErrorCode::TOPIC_AUTHORIZATION_FAILED => (
                Condition::SourceUnauthorized,
                format!("Metadata answered {code}"),
            ),
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION if known.deleted_at_source.contains(topic) => (
                Condition::SourceDeleted,
                "it was deleted at the source".to_owned(),
            ),
            // Not confirmed yet: nobody is alarmed by one broker that lags behind.
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION if known.replicated.contains_key(topic) => return,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
                let all = seen.source.keys().chain(&seen.unselected);
                let near = nearest::nearest(topic.as_str(), all.map(TopicName::as_str));
                let hint = match near.as_slice() {
                    [] => String::new(),
                    near => format!(" (similar names: {})", near.join(", ")),
                };
                (
                    Condition::SourceMissing,
                    format!("it does not exist at the source{hint}"),
                )
            }
            code => (
                Condition::SourceMissing,
                format!("Metadata answered {code}"),
            ),
        };
        self.problems.push(Problem::new(topic, state, reason));
    }

    /// Adds a step. Topics that are merged into one need it once, with room for the largest: a broker
    /// refuses a request that names a topic twice.
    fn add(&mut self, step: Step) {
        let same = self
            .steps
            .iter_mut()
            .rfind(|other| other.topic() == step.topic());
        match (same, step) {
            (
                Some(Step::Create { partitions, .. }),
                Step::Create {
                    partitions: more, ..
                },
            ) => {
                *partitions = more.max(*partitions);
            }
            (Some(Step::Grow { to, .. }), Step::Grow { to: more, .. }) => *to = more.max(*to),
            (_, step) => self.steps.push(step),
        }
    }
}

/// Plans one topic after the other.
struct Planner<'a> {
    plan: &'a mut Plan,
    seen: &'a Observation,
    history: &'a History,
    rules: &'a Rules,
    merged: &'a BTreeSet<TopicName>,
}

impl Planner<'_> {
    fn problem(&mut self, topic: &TopicName, state: Condition, reason: impl Into<String>) {
        self.plan.problems.push(Problem::new(topic, state, reason));
    }

    fn topic(&mut self, name: &TopicName, topic: &Topic, copy: &TopicName) {
        if name.as_str() == "_schemas" || name.as_str().starts_with("_confluent") {
            let reason = "it holds the state of another program, which is wrong on another cluster while that runs there";
            self.problem(name, Condition::SystemTopic, reason);
        }
        if let Some(code) = self.seen.hidden.get(copy) {
            let reason = format!("Metadata of {copy} answered {code}");
            return self.problem(name, Condition::DestinationUnauthorized, reason);
        }
        let Some(there) = self.seen.destination.get(copy) else {
            return self.missing(name, topic, copy);
        };
        let mut whole = Copy {
            source: name.clone(),
            source_id: topic.id,
            destination: copy.clone(),
            destination_id: there.id,
            partitions: there.partitions.min(topic.partitions),
            spread: None,
        };
        if !self.rules.settings.preserve_partitions {
            whole.partitions = topic.partitions;
            whole.spread = Some(there.partitions);
        }
        if let Some(state) = self.history.renewed(&whole)
            && matches!(self.rules.on_recreate, OnRecreate::Stop)
        {
            // Its partitions are left as they are, each with its own numbers.
            let known = self.history.replicated.get(name);
            let known = known.map_or(0, |known| known.partitions);
            whole.partitions = whole.partitions.min(known);
            self.plan.copies.push(whole);
            let side = match state {
                Condition::SourceRecreated => format!("source topic {name}"),
                _ => format!("destination topic {copy}"),
            };
            let reason = format!("{side} was deleted and created anew; nothing of it is copied");
            return self.problem(name, state, reason);
        }
        self.partitions(name, topic, copy, there);
        self.replicas(name, topic, copy, there);
        self.configure(name, topic, copy, there);
        self.plan.copies.push(whole);
    }

    fn partitions(&mut self, name: &TopicName, topic: &Topic, copy: &TopicName, there: &Topic) {
        let settings = &self.rules.settings;
        let (from, to) = (there.partitions, topic.partitions);
        if !settings.preserve_partitions {
            return;
        }
        if from > to && !self.is_merged(copy) {
            let reason =
                format!("{copy} has {from} partitions, the source {to}: the others stay empty");
            self.problem(name, Condition::DestinationLarger, reason);
        }
        if from >= to {
            return;
        }
        // Also with topic.auto.create=false, which is about topics that are missing.
        self.plan.add(Step::Grow {
            source: name.clone(),
            topic: copy.clone(),
            from,
            to,
        });
    }

    /// Whether several source topics are copied into one.
    fn is_merged(&self, copy: &TopicName) -> bool {
        self.rules.settings.naming.is_constant() || self.merged.contains(copy)
    }

    fn replicas(&mut self, name: &TopicName, topic: &Topic, copy: &TopicName, there: &Topic) {
        let follows = matches!(
            self.rules.settings.replication_factor,
            ReplicationFactor::Source { .. }
        );
        if follows && !self.is_merged(copy) && there.replication_factor < topic.replication_factor {
            let reason = format!(
                "{copy} has replication factor {}, the source {}",
                there.replication_factor, topic.replication_factor
            );
            self.problem(name, Condition::ReplicationReduced, reason);
        }
    }

    fn missing(&mut self, name: &TopicName, topic: &Topic, copy: &TopicName) {
        let replicated = self
            .history
            .replicated
            .get(name)
            .is_some_and(|known| known.destination == *copy);
        if replicated {
            let deleted = self.history.deleted_at_destination.contains(name);
            match (deleted, self.rules.on_recreate) {
                (false, _) => {
                    let reason = format!("{copy} does not exist any more; it is looked for again");
                    return self.problem(name, Condition::DestinationPending, reason);
                }
                (true, OnRecreate::Stop) => {
                    let reason =
                        format!("{copy} was deleted; what was copied before is not in it any more");
                    return self.problem(name, Condition::DestinationDeleted, reason);
                }
                (true, OnRecreate::Restart) => {}
            }
        }
        if !self.rules.settings.auto_create {
            let reason = format!("{copy} does not exist, and topic.auto.create is false");
            return self.problem(name, Condition::DestinationPending, reason);
        }
        self.create(name, topic, copy);
    }

    fn create(&mut self, name: &TopicName, topic: &Topic, copy: &TopicName) {
        let settings = &self.rules.settings;
        let entries = match &topic.settings {
            Some(Ok(entries)) => entries,
            // Without the source's cleanup policy records could be lost.
            Some(Err(code)) => {
                let reason =
                    format!("its settings cannot be read: DescribeConfigs answered {code}");
                return self.problem(name, Condition::SourceUnauthorized, reason);
            }
            None => {
                let reason = "its settings are not known yet";
                return self.problem(name, Condition::DestinationPending, reason);
            }
        };
        let Some((replication_factor, reducible)) = self.replication_factor(name, topic) else {
            return;
        };
        let known = self.history.known_settings.as_ref();
        let mut wanted = wanted(entries, replication_factor, settings, known);
        for ((topic, key), refused) in &self.history.refused {
            if topic == copy && wanted.entries.get(key) == refused.value.as_ref() {
                wanted.entries.remove(key);
            }
        }
        self.note(name, wanted.notes);
        self.plan.notices.extend(wanted.notices);
        self.plan.add(Step::Create {
            source: name.clone(),
            topic: copy.clone(),
            partitions: topic.partitions,
            replication_factor,
            reducible,
            configs: wanted.entries.into_iter().collect(),
        });
    }

    /// The replication factor, and whether fewer are better than no topic.
    fn replication_factor(&mut self, name: &TopicName, topic: &Topic) -> Option<(i16, bool)> {
        let brokers = i16::try_from(self.seen.destination_brokers)
            .unwrap_or(i16::MAX)
            .max(1);
        let too_many = |wanted: i16, key: &str| {
            format!(
                "replication factor {wanted} ({key}) needs as many brokers, and the destination has {brokers}"
            )
        };
        match self.rules.settings.replication_factor {
            ReplicationFactor::BrokerDefault => Some((-1, false)),
            ReplicationFactor::Fixed { count, key } if count > brokers => {
                let reason = too_many(count, key);
                self.problem(name, Condition::CreateFailed, reason);
                None
            }
            ReplicationFactor::Fixed { count, .. } => Some((count, false)),
            ReplicationFactor::Source { strict } if topic.replication_factor > brokers => {
                let wanted = topic.replication_factor;
                if strict {
                    let reason = too_many(wanted, "tributary.topic.replication.factor.strict");
                    self.problem(name, Condition::CreateFailed, reason);
                    return None;
                }
                let reason = format!(
                    "replication factor {wanted} of the source is reduced to {brokers}, the number of destination brokers"
                );
                self.problem(name, Condition::ReplicationReduced, reason);
                Some((brokers, true))
            }
            ReplicationFactor::Source { strict } => Some((topic.replication_factor, !strict)),
        }
    }

    fn configure(&mut self, name: &TopicName, topic: &Topic, copy: &TopicName, there: &Topic) {
        let settings = &self.rules.settings;
        let (Some(from), Some(to)) = (&topic.settings, &there.settings) else {
            return;
        };
        if self.is_merged(copy) {
            return;
        }
        let (from, to) = match (from, to) {
            (Ok(from), Ok(to)) => (from, to),
            (Err(code), _) => {
                let reason = format!("source: DescribeConfigs answered {code}");
                return self.note(name, vec![(Condition::SettingsNotFollowed, reason)]);
            }
            (_, Err(code)) => {
                let reason = format!("destination: DescribeConfigs of {copy} answered {code}");
                return self.note(name, vec![(Condition::SettingsNotFollowed, reason)]);
            }
        };
        let known: BTreeSet<String> = to.iter().map(|entry| entry.name.clone()).collect();
        let wanted = wanted(from, there.replication_factor, settings, Some(&known));
        let own = self.history.own.get(copy);
        let changes = difference(&wanted, to, settings, own);
        let (changes, refused) = without_refused(changes, copy, self.history);
        self.note(name, effects(from, to, &changes));
        self.note(name, wanted.notes);
        self.note(name, refused);
        self.plan.notices.extend(wanted.notices);
        if let Some((_, reason)) = self.history.not_followed.get(copy) {
            return self.note(name, vec![(Condition::SettingsNotFollowed, reason.clone())]);
        }
        if !changes.is_empty() {
            self.plan.add(Step::Configure {
                source: name.clone(),
                topic: copy.clone(),
                changes,
            });
        }
    }

    fn note(&mut self, name: &TopicName, notes: Vec<(Condition, String)>) {
        let notes = notes.into_iter();
        let problems = notes.map(|(state, reason)| Problem::new(name, state, reason));
        self.plan.notes.extend(problems);
    }
}

/// Copies of several source topics.
fn merged(names: &BTreeMap<TopicName, TopicName>) -> BTreeSet<TopicName> {
    let mut once = BTreeSet::new();
    let copies = names.values();
    copies.filter(|copy| !once.insert(*copy)).cloned().collect()
}

/// Copies that also hold records of a topic that cannot be seen now: settings of one alone would be wrong for the others.
fn merged_before(names: &BTreeMap<TopicName, TopicName>, history: &History) -> Vec<TopicName> {
    let mut known: BTreeMap<&TopicName, Vec<&TopicName>> = BTreeMap::new();
    for (source, replicated) in &history.replicated {
        known
            .entry(&replicated.destination)
            .or_default()
            .push(source);
    }
    let another = |source: &TopicName, copy: &TopicName| {
        let known = known.get(copy);
        known.is_some_and(|all| all.iter().any(|name| *name != source))
    };
    let found = names.iter().filter(|(source, copy)| another(source, copy));
    found.map(|(_, copy)| copy.clone()).collect()
}

/// Topics by the number of partitions they have, for who starts copying.
pub(super) fn selected(seen: &Observation) -> BTreeMap<TopicName, i32> {
    seen.source
        .iter()
        .map(|(name, topic)| (name.clone(), topic.partitions))
        .collect()
}

#[cfg(test)]
mod tests;
