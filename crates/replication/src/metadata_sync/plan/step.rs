//! Changes of the destination, one topic each.

use std::fmt;

use kafka_wire::types::TopicName;

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
        /// Its replication factor; −1 for the destination's default.
        replication_factor: i16,
        /// Whether fewer replicas are better than no topic.
        reducible: bool,
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
    /// Settings of a topic change.
    Configure {
        /// The topic it is a copy of.
        source: TopicName,
        /// Its name.
        topic: TopicName,
        /// What changes, by name.
        changes: Vec<SettingChange>,
    },
}

/// A change of one setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingChange {
    /// Its name.
    pub name: String,
    /// The value the topic has of its own.
    pub from: Option<String>,
    /// The value it gets; `None` removes its own value, so that the destination's default holds.
    pub to: Option<String>,
}

impl Step {
    /// How many records of metadata it is to a controller.
    pub(in super::super) fn records(&self) -> usize {
        let count = |partitions: i32| usize::try_from(partitions).unwrap_or(0);
        match self {
            Self::Create {
                partitions,
                configs,
                ..
            } => 1 + configs.len() + count(*partitions),
            Self::Grow { from, to, .. } => 1 + count(to - from),
            Self::Configure { changes, .. } => changes.len(),
        }
    }

    /// The destination topic it changes.
    #[must_use]
    pub fn topic(&self) -> &TopicName {
        match self {
            Self::Create { topic, .. }
            | Self::Grow { topic, .. }
            | Self::Configure { topic, .. } => topic,
        }
    }

    /// The source topic it is for.
    #[must_use]
    pub fn source(&self) -> &TopicName {
        match self {
            Self::Create { source, .. }
            | Self::Grow { source, .. }
            | Self::Configure { source, .. } => source,
        }
    }

    /// Whether partitions wait for it.
    #[must_use]
    pub fn is_waited_for(&self) -> bool {
        match self {
            Self::Create { .. } | Self::Grow { .. } => true,
            Self::Configure { .. } => false,
        }
    }

    /// Brings what other parts of a cluster depend on to the front, the rest in the order of names.
    pub(super) fn rank(&self) -> (u8, bool, TopicName) {
        let kind = match self {
            Self::Create { .. } => 0,
            Self::Grow { .. } => 1,
            Self::Configure { .. } => 2,
        };
        let name = self.topic().as_str();
        let first = name.ends_with("heartbeats")
            || name.starts_with("__")
            || name.ends_with(".internal")
            || name.ends_with("-internal");
        (kind, !first, self.topic().clone())
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
            Self::Configure { topic, changes, .. } => {
                write!(f, "configure {topic}:")?;
                for (number, change) in changes.iter().enumerate() {
                    let comma = if number == 0 { "" } else { "," };
                    write!(f, "{comma} {change}")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for SettingChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match (&self.from, &self.to) {
            (None, Some(to)) => write!(f, "set {name}={to}"),
            (Some(from), Some(to)) => write!(f, "set {name}={to} (was {from})"),
            (Some(from), None) => write!(f, "remove {name} (was {from})"),
            (None, None) => write!(f, "leave {name}"),
        }
    }
}
