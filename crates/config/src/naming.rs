//! Which rule gives copies their names: Replicator's format, or one of MirrorMaker 2's two policies.
//!
//! Invariant: [`Naming::apply`] yields only names a broker accepts and that no part of Kafka reserves.
//! Deliberately absent: collisions of several topics (the metadata plan sees all of them).

use std::fmt;
use std::sync::Arc;

use crate::rename::{NameProblem, RenameFormat, check_name};
use crate::transform::{OfTopic, Transforms};

/// MirrorMaker 2's topic of heartbeats.
pub const HEARTBEATS: &str = "heartbeats";

/// How a copy is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Naming {
    /// `topic.rename.format`.
    Format(RenameFormat),
    /// `DefaultReplicationPolicy`: the source's alias, the separator, the name.
    Prefixed(Aliases),
    /// `IdentityReplicationPolicy`: the name, except that names ending in `heartbeats` are prefixed. That
    /// catches `device-heartbeats` too, as it does in Java: names must not change when a link moves here.
    Kept(Aliases),
    /// One of the others, and the chain of `transforms` behind it.
    Transformed(Box<Naming>, Arc<Transforms>),
}

/// What MirrorMaker 2 calls the two clusters, and what stands between an alias and a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Aliases {
    /// `source.cluster.alias`.
    pub source: String,
    /// `target.cluster.alias`.
    pub destination: String,
    /// `replication.policy.separator`; legal in topic names, not empty.
    pub separator: String,
}

impl Naming {
    /// The destination's name of a source topic.
    ///
    /// # Errors
    /// The name would be too long, illegal or reserved.
    pub fn apply(&self, topic: &str) -> Result<String, NameProblem> {
        let name = match self {
            Self::Format(format) => return format.apply(topic),
            Self::Transformed(naming, chain) => chain.of_topic(&naming.apply(topic)?).name,
            Self::Kept(_) if !topic.ends_with(HEARTBEATS) => topic.to_owned(),
            Self::Kept(aliases) | Self::Prefixed(aliases) => {
                format!("{}{}{topic}", aliases.source, aliases.separator)
            }
        };
        check_name(&name)?;
        Ok(name)
    }

    /// Whether all topics get one name, and so are merged.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        match self {
            Self::Format(format) => format.is_constant(),
            Self::Transformed(naming, _) => naming.is_constant(),
            Self::Prefixed(_) | Self::Kept(_) => false,
        }
    }

    /// Whether several topics may get one name, and are merged then.
    #[must_use]
    pub fn may_merge(&self) -> bool {
        match self {
            Self::Transformed(naming, chain) => naming.is_constant() || chain.rename(),
            _ => self.is_constant(),
        }
    }

    /// What the chain of `transforms` does to a topic, where there is one.
    #[must_use]
    pub fn transformed(&self, topic: &str) -> Option<OfTopic> {
        match self {
            Self::Transformed(naming, chain) => Some(chain.of_topic(&naming.apply(topic).ok()?)),
            Self::Format(_) | Self::Prefixed(_) | Self::Kept(_) => None,
        }
    }

    /// This naming with a chain of `transforms` behind it.
    #[must_use]
    pub fn with_transforms(self, chain: Transforms) -> Self {
        match chain.is_empty() {
            true => self,
            false => Self::Transformed(Box::new(self), Arc::new(chain)),
        }
    }

    /// The chain of `transforms`, where there is one.
    #[must_use]
    pub fn transforms(&self) -> Option<&Transforms> {
        match self {
            Self::Transformed(_, chain) => Some(chain),
            Self::Format(_) | Self::Prefixed(_) | Self::Kept(_) => None,
        }
    }

    /// Whether topics keep their names (heartbeats of MirrorMaker 2 aside).
    #[must_use]
    pub fn is_identity(&self) -> bool {
        match self {
            Self::Format(format) => format.is_identity(),
            Self::Prefixed(_) => false,
            Self::Kept(_) => true,
            Self::Transformed(naming, chain) => naming.is_identity() && !chain.rename(),
        }
    }

    /// Whether a link within one cluster would make no sense: topics would be copied onto themselves, or the
    /// aliases of MirrorMaker 2 would both mean that cluster.
    #[must_use]
    pub fn is_identity_or_mirrors(&self) -> bool {
        match self {
            Self::Transformed(naming, chain) => naming.is_identity_or_mirrors() && !chain.rename(),
            Self::Format(format) => format.is_identity(),
            Self::Prefixed(_) | Self::Kept(_) => true,
        }
    }

    /// Whether copies are called as at the source: then names do not show where records come from.
    #[must_use]
    pub fn keeps_names(&self) -> bool {
        match self {
            Self::Transformed(naming, chain) => naming.keeps_names() && !chain.rename(),
            Self::Format(format) => format.is_identity(),
            Self::Kept(_) => true,
            Self::Prefixed(_) => false,
        }
    }

    /// Whether a topic holds heartbeats, here or copied: what is left without all aliases is `heartbeats`.
    #[must_use]
    pub fn is_heartbeats(&self, topic: &str) -> bool {
        match self {
            Self::Format(_) => false,
            Self::Transformed(naming, _) => naming.is_heartbeats(topic),
            Self::Prefixed(aliases) | Self::Kept(aliases) => {
                topic.rsplit(aliases.separator.as_str()).next() == Some(HEARTBEATS)
            }
        }
    }

    /// Whether a topic is renamed though names are kept: its name ends in `heartbeats`, and heartbeats is not what it holds.
    #[must_use]
    pub fn takes_for_heartbeats(&self, topic: &str) -> bool {
        match self {
            Self::Format(_) | Self::Prefixed(_) => false,
            Self::Transformed(naming, _) => naming.takes_for_heartbeats(topic),
            Self::Kept(_) => topic.ends_with(HEARTBEATS) && !self.is_heartbeats(topic),
        }
    }

    /// Whether the aliases in front of a name have the source's own among them: copying it again would make it
    /// longer for ever.
    #[must_use]
    pub fn grows(&self, topic: &str) -> bool {
        match self {
            Self::Format(_) => false,
            Self::Transformed(naming, _) => naming.grows(topic),
            Self::Prefixed(aliases) | Self::Kept(aliases) => {
                let mut parts: Vec<_> = topic.split(aliases.separator.as_str()).collect();
                parts.pop();
                parts.contains(&aliases.source.as_str())
            }
        }
    }

    /// The text that every copy's name begins with, where names differ by that alone.
    #[must_use]
    pub fn prefix(&self) -> Option<String> {
        match self {
            Self::Format(format) => format.prefix().map(str::to_owned),
            Self::Prefixed(aliases) => Some(format!("{}{}", aliases.source, aliases.separator)),
            Self::Kept(_) => Some(String::new()),
            Self::Transformed(naming, chain) => naming.prefix().filter(|_| !chain.rename()),
        }
    }

    /// What the destination calls the topic that a name which [leads back](Self::leads_back) is taken for a copy of.
    #[must_use]
    pub fn original<'a>(&self, topic: &'a str) -> Option<&'a str> {
        let aliases = match self {
            Self::Format(_) => return None,
            Self::Transformed(naming, _) => return naming.original(topic),
            Self::Prefixed(aliases) | Self::Kept(aliases) => aliases,
        };
        // Chains like a.b.topic: each alias in turn.
        let mut rest = topic;
        while let Some((alias, below)) = rest.split_once(aliases.separator.as_str()) {
            if alias == aliases.destination {
                return Some(below);
            }
            rest = below;
        }
        None
    }

    /// Whether the name says that a source topic is itself a copy that came from the destination
    /// (`MirrorSourceConnector.isCycle`). Only MirrorMaker 2's names say that.
    #[must_use]
    pub fn leads_back(&self, topic: &str) -> bool {
        match self {
            Self::Transformed(naming, _) => naming.leads_back(topic),
            Self::Kept(aliases) if !topic.ends_with(HEARTBEATS) => {
                aliases.source == aliases.destination
            }
            _ => self.original(topic).is_some(),
        }
    }
}

impl Default for Naming {
    /// Every topic keeps its name.
    fn default() -> Self {
        Self::Format(RenameFormat::default())
    }
}

impl fmt::Display for Naming {
    /// As a format with `${topic}`, which is how people think of all three.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(format) => format.fmt(f),
            Self::Prefixed(aliases) => {
                write!(f, "{}{}${{topic}}", aliases.source, aliases.separator)
            }
            Self::Kept(_) => f.write_str("${topic}"),
            Self::Transformed(naming, chain) if chain.rename() => {
                write!(f, "{naming}, then {chain}")
            }
            Self::Transformed(naming, _) => naming.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aliases(source: &str, destination: &str) -> Aliases {
        Aliases {
            source: source.to_owned(),
            destination: destination.to_owned(),
            separator: ".".to_owned(),
        }
    }

    #[test]
    fn the_default_policy_prefixes_and_finds_chains_that_lead_back() {
        let naming = Naming::Prefixed(aliases("a", "b"));
        assert_eq!(naming.apply("orders").as_deref(), Ok("a.orders"));
        assert_eq!(naming.prefix().as_deref(), Some("a."));
        for (topic, back) in [
            ("orders", false),
            ("b.orders", true),
            ("c.b.orders", true),
            ("c.orders.b", false),
            ("bb.orders", false),
        ] {
            assert_eq!(naming.leads_back(topic), back, "{topic}");
        }
    }

    #[test]
    fn the_identity_policy_keeps_names_except_those_of_heartbeats() {
        let naming = Naming::Kept(aliases("a", "b"));
        assert!(naming.is_identity() && !naming.is_constant());
        assert_eq!(naming.apply("orders").as_deref(), Ok("orders"));
        assert_eq!(naming.apply("heartbeats").as_deref(), Ok("a.heartbeats"));
        assert_eq!(
            naming.apply("device-heartbeats").as_deref(),
            Ok("a.device-heartbeats")
        );
        for (topic, taken) in [
            ("device-heartbeats", true),
            ("heartbeats", false),
            ("c.heartbeats", false),
            ("orders", false),
        ] {
            assert_eq!(naming.takes_for_heartbeats(topic), taken, "{topic}");
        }
        let prefixed = Naming::Prefixed(aliases("a", "b"));
        assert!(!prefixed.takes_for_heartbeats("device-heartbeats"));
        assert!(!naming.leads_back("b.orders"));
        assert!(naming.leads_back("b.heartbeats"));
        assert!(Naming::Kept(aliases("a", "a")).leads_back("orders"));
    }
}
