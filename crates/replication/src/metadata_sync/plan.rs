//! What has to change at the destination, and which topic is copied where (pure, printable).

use std::collections::BTreeMap;
use std::fmt;

use config::link::{ReplicationFactor, TopicSettings};
use kafka_wire::types::{TopicId, TopicName};

use super::observe::{Observation, SourceTopic};

/// Settings that are never copied: broker ids of the other cluster, or of no effect and unknown to
/// newer brokers.
const NEVER_COPIED: [&str; 4] = [
    "leader.replication.throttled.replicas",
    "follower.replication.throttled.replicas",
    "message.format.version",
    "confluent.placement.constraints",
];

/// One change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// A topic is made, with everything it is to have.
    Create {
        /// The topic it is a copy of.
        source: TopicName,
        /// Its name.
        topic: TopicName,
        /// Its partitions.
        partitions: i32,
        /// Its replication factor.
        replication_factor: i16,
        /// Its settings.
        configs: Vec<(String, String)>,
    },
    /// A topic gets more partitions.
    Grow {
        /// The topic it is a copy of.
        source: TopicName,
        /// Its name.
        topic: TopicName,
        /// Partitions it has.
        from: i32,
        /// Partitions it gets.
        to: i32,
    },
}

impl Step {
    /// The destination topic it changes.
    #[must_use]
    pub fn topic(&self) -> &TopicName {
        match self {
            Self::Create { topic, .. } | Self::Grow { topic, .. } => topic,
        }
    }

    /// The source topic it is for.
    #[must_use]
    pub fn source(&self) -> &TopicName {
        match self {
            Self::Create { source, .. } | Self::Grow { source, .. } => source,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create {
                topic,
                partitions,
                replication_factor,
                configs,
                ..
            } => {
                write!(
                    f,
                    "create {topic}: {partitions} partitions, replication factor {replication_factor}"
                )?;
                for (name, value) in configs {
                    write!(f, ", {name}={value}")?;
                }
                Ok(())
            }
            Self::Grow {
                topic, from, to, ..
            } => write!(f, "grow {topic}: {from} to {to} partitions"),
        }
    }
}

/// Something about a topic that an operator should know. It concerns that topic only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The source topic.
    pub topic: TopicName,
    /// Name of the state, for instance `name-invalid`.
    pub state: &'static str,
    /// What is wrong and what can be done.
    pub reason: String,
    /// Whether records of the topic, or of some of its partitions, are not copied because of it.
    pub blocking: bool,
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
    /// Partitions that exist on both sides.
    pub partitions: i32,
}

/// What follows from an observation.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// Changes of the destination.
    pub steps: Vec<Step>,
    /// Topics that can be copied now.
    pub copies: Vec<Copy>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        for problem in &self.problems {
            writeln!(
                f,
                "{}: {}: {}",
                problem.topic, problem.state, problem.reason
            )?;
        }
        Ok(())
    }
}

impl Plan {
    /// Computes the plan.
    #[must_use]
    pub fn new(observation: &Observation, settings: &TopicSettings) -> Self {
        let mut plan = Self::default();
        for (topic, code) in &observation.unreadable {
            plan.problem(
                topic,
                "source-unauthorized",
                true,
                format!("Metadata answered {code}"),
            );
        }
        let mut taken: BTreeMap<TopicName, TopicName> = BTreeMap::new();
        for (name, topic) in &observation.source {
            let destination = match settings.naming.apply(name.as_str()) {
                Ok(destination) => TopicName::from(destination),
                Err(problem) => {
                    plan.problem(name, "name-invalid", true, problem.to_string());
                    continue;
                }
            };
            if observation.same_cluster && settings.selection.is_selected(destination.as_str()) {
                let reason = format!(
                    "both sides are the same cluster, and its copy {destination} is selected too: it would be \
                     copied without end. Exclude the copies from the selection"
                );
                plan.problem(name, "loop", true, reason);
                continue;
            }
            if let Some(other) = taken
                .get(&destination)
                .filter(|_| !settings.naming.is_constant())
            {
                let reason = format!("{other} is already copied to {destination}");
                plan.problem(name, "name-collision", true, reason);
                continue;
            }
            taken.insert(destination.clone(), name.clone());
            plan.topic(name, topic, destination, observation, settings);
        }
        plan
    }

    fn problem(&mut self, topic: &TopicName, state: &'static str, blocking: bool, reason: String) {
        self.problems.push(Problem {
            topic: topic.clone(),
            state,
            reason,
            blocking,
        });
    }

    /// Adds a step. Topics that are merged into one need it once, with room for the largest: a broker
    /// refuses a request that names a topic twice.
    fn add(&mut self, step: Step) {
        let same = self.steps.last_mut().filter(|s| s.topic() == step.topic());
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

    fn topic(
        &mut self,
        name: &TopicName,
        topic: &SourceTopic,
        destination: TopicName,
        observation: &Observation,
        settings: &TopicSettings,
    ) {
        if let Some(code) = observation.hidden.get(&destination) {
            let reason = format!("Metadata of {destination} answered {code}");
            return self.problem(name, "destination-unauthorized", true, reason);
        }
        let Some(&there) = observation.destination.get(&destination) else {
            return self.create(name, topic, destination, observation, settings);
        };
        if there < topic.partitions {
            if settings.auto_create {
                self.add(Step::Grow {
                    source: name.clone(),
                    topic: destination.clone(),
                    from: there,
                    to: topic.partitions,
                });
            } else {
                let reason = format!(
                    "{destination} has {there} partitions, the source {}; topic.auto.create is false, so somebody \
                     else has to add them",
                    topic.partitions
                );
                self.problem(name, "destination-smaller", true, reason);
            }
        }
        self.copies.push(Copy {
            source: name.clone(),
            source_id: topic.id,
            destination,
            partitions: there.min(topic.partitions),
        });
    }

    fn create(
        &mut self,
        name: &TopicName,
        topic: &SourceTopic,
        destination: TopicName,
        observation: &Observation,
        settings: &TopicSettings,
    ) {
        if !settings.auto_create {
            let reason = format!(
                "{destination} does not exist; topic.auto.create is false, so somebody else has to create it"
            );
            return self.problem(name, "destination-missing", true, reason);
        }
        let overrides = match &topic.overrides {
            Some(Ok(overrides)) => overrides,
            Some(Err(code)) => {
                let reason =
                    format!("its settings cannot be read: DescribeConfigs answered {code}");
                return self.problem(name, "source-unauthorized", true, reason);
            }
            None => {
                return self.problem(
                    name,
                    "starting",
                    true,
                    "its settings are not known yet".to_owned(),
                );
            }
        };
        let brokers = i16::try_from(observation.destination_brokers)
            .unwrap_or(i16::MAX)
            .max(1);
        let replication_factor = match settings.replication_factor {
            ReplicationFactor::Fixed(wanted) => wanted,
            ReplicationFactor::BrokerDefault => -1,
            ReplicationFactor::Source { .. } if topic.replication_factor > brokers => {
                let reason = format!(
                    "replication factor {} of the source is reduced to {brokers}, the number of destination brokers",
                    topic.replication_factor
                );
                self.problem(name, "replication-reduced", false, reason);
                brokers
            }
            ReplicationFactor::Source { .. } => topic.replication_factor,
        };
        let configs = self.configs(name, overrides, replication_factor, settings);
        self.add(Step::Create {
            source: name.clone(),
            topic: destination,
            partitions: topic.partitions,
            replication_factor,
            configs,
        });
    }

    fn configs(
        &mut self,
        name: &TopicName,
        overrides: &[(String, String)],
        replication_factor: i16,
        settings: &TopicSettings,
    ) -> Vec<(String, String)> {
        let mut configs: Vec<(String, String)> = settings
            .timestamp_type
            .iter()
            .map(|kind| {
                (
                    "message.timestamp.type".to_owned(),
                    kind.as_str().to_owned(),
                )
            })
            .collect();
        for (key, value) in overrides {
            let excluded = settings.config_exclude.is_match(key);
            if excluded || NEVER_COPIED.contains(&key.as_str()) || key == "message.timestamp.type" {
                continue;
            }
            let too_many = key == "min.insync.replicas"
                && value
                    .parse::<i16>()
                    .is_ok_and(|wanted| wanted > replication_factor);
            if too_many {
                let reason = format!(
                    "min.insync.replicas={value} is not copied: with replication factor {replication_factor} nothing \
                     could be written"
                );
                self.problem(name, "setting-left-out", false, reason);
                continue;
            }
            configs.push((key.clone(), value.clone()));
        }
        configs
    }
}

#[cfg(test)]
mod tests;
