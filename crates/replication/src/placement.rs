//! Whether the records of a partition can have the offsets they have at the source (pure).
//!
//! Asked once per partition, before the first write, by whoever copies it; and by whoever shows what would
//! be done. The answer is kept with the position: offsets that were used up cannot be taken back.

use std::collections::BTreeSet;

use config::client::ClientConfig;
use config::link::{OffsetSettings, Offsets};
use config::security::Mechanism;

use crate::position::Placement;

/// Bytes of filler on the way for a million offsets.
const PADDING_BYTES: i64 = 590_000;
/// Offsets that are padded in a second where nothing is in the way: half of what was measured.
const PADDING_A_SECOND: i64 = 8_000_000;

/// What the choice depends on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// Whether several source partitions share the destination partition.
    pub shared: bool,
    /// Whether records are changed or left out on their way.
    pub changed: bool,
    /// Where copying begins.
    pub begin: i64,
    /// The source's log start.
    pub source_start: i64,
    /// Base of the batch that holds `begin`, where that can pass whole.
    pub first_batch: Option<i64>,
    /// Whether the first records show transactions.
    pub has_transactions: bool,
    /// The destination's log.
    pub destination_start: i64,
    /// See above.
    pub destination_end: i64,
    /// What the destination topic is.
    pub topic: Topic,
    /// What may be done there.
    pub rights: Rights,
}

/// Settings of a destination topic.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Topic {
    /// `compact` is in its cleanup policy.
    pub compacted: bool,
    /// `delete` is in its cleanup policy.
    pub deletes: bool,
    /// It refuses records that are older than some time.
    pub refuses_old: bool,
    /// Of everything that decides which records it takes, where that may be read: another one when any of it was changed.
    pub taking: Option<u64>,
}

impl Topic {
    /// Whether records are deleted from it by nothing but its cleaner.
    #[must_use]
    pub fn is_only_compacted(self) -> bool {
        self.compacted && !self.deletes
    }

    /// One whose settings may not be read: most are like this.
    pub const UNKNOWN: Self = Self {
        compacted: false,
        deletes: true,
        refuses_old: false,
        taking: None,
    };
}

/// What may be done with a destination topic and its cluster; `None` where the brokers do not say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rights {
    /// READ on the topic.
    pub read: Option<bool>,
    /// DELETE on the topic.
    pub delete: Option<bool>,
    /// ALTER_CONFIGS on the topic.
    pub alter_configs: Option<bool>,
    /// ALTER or CLUSTER_ACTION on the cluster.
    pub alter_cluster: Option<bool>,
}

/// What becomes of a partition's offsets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Choice {
    /// They are the source's. The destination's log has to be filled up to `padding` first.
    Preserve {
        /// Where the first record goes.
        padding: i64,
        /// What that means, in words.
        reason: String,
    },
    /// They are the next free ones.
    Map(String),
    /// They were to be the source's, and cannot be.
    Refuse(String),
}

/// What is to be expected of a topic's offsets.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outlook {
    /// Partitions whose records will have the source's offsets.
    pub preserved: usize,
    /// Partitions whose records will have other ones.
    pub mapped: usize,
    /// Partitions that will stop, because they cannot have the source's.
    pub refused: usize,
    /// Offsets to pad.
    pub padding: i64,
    /// Why, each once.
    pub reasons: BTreeSet<String>,
}

impl Outlook {
    /// Adds a partition whose destination log ends at `end`.
    pub fn add(&mut self, choice: Choice, end: i64) {
        let reason = match choice {
            Choice::Preserve { padding, reason } => {
                self.preserved += 1;
                self.padding += (padding - end).max(0);
                reason
            }
            Choice::Map(reason) => {
                self.mapped += 1;
                reason
            }
            Choice::Refuse(reason) => {
                self.refused += 1;
                reason
            }
        };
        self.reasons.insert(reason);
    }

    /// The outlook in a word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match (self.preserved, self.mapped, self.refused) {
            (_, _, 1..) => "refused",
            (_, 0, 0) => "preserved",
            (0, _, 0) => "mapped",
            _ => "partly preserved",
        }
    }
}

/// Whose rights are missing, and where they are given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Grants {
    bootstrap: String,
    principal: Option<String>,
}

impl Grants {
    /// Of the principal that these settings authenticate as.
    #[must_use]
    pub fn of(config: &ClientConfig) -> Self {
        let first = config.bootstrap_servers.last();
        let mechanism = config.security.sasl().map(|sasl| &sasl.mechanism);
        let principal = mechanism.and_then(|mechanism| match mechanism {
            Mechanism::Plain(credentials)
            | Mechanism::Scram {
                credentials,
                token: false,
                ..
            } => Some(credentials.username.clone()),
            // The broker makes a name of what these prove.
            Mechanism::Scram { .. }
            | Mechanism::OAuthBearer(_)
            | Mechanism::AwsMskIam(_)
            | Mechanism::Gssapi(_) => None,
        });
        Self {
            bootstrap: first
                .map_or_else(String::new, |peer| format!("{}:{}", peer.host, peer.port)),
            principal,
        }
    }

    /// The command that gives a right on a topic, or on the cluster.
    #[must_use]
    pub fn command(&self, operation: &str, topic: Option<&str>) -> String {
        let principal = self
            .principal
            .as_deref()
            .unwrap_or("<this link's principal>");
        let resource = topic.map_or_else(
            || "--cluster".to_owned(),
            |name| format!("--topic '{name}'"),
        );
        format!(
            "kafka-acls --bootstrap-server {} --add --allow-principal 'User:{principal}' --operation {operation} {resource}",
            self.bootstrap
        )
    }
}

/// What a partition goes on with that was placed before.
#[must_use]
pub fn keep(placement: &Placement, settings: &OffsetSettings, changed: bool) -> Choice {
    let Some(preserved) = placement.preserved() else {
        return Choice::Map("they were before".to_owned());
    };
    if changed {
        return Choice::Map("records are changed, left out or merged on their way now".to_owned());
    }
    match settings.placement {
        Offsets::Map => Choice::Map("tributary.offsets=map".to_owned()),
        Offsets::Auto | Offsets::Preserve => Choice::Preserve {
            padding: preserved.padding,
            reason: "they were before".to_owned(),
        },
    }
}

/// Chooses for a partition without a position, at a destination topic of this name.
#[must_use]
pub fn choose(settings: &OffsetSettings, facts: &Facts, topic: &str, grants: &Grants) -> Choice {
    if settings.placement == Offsets::Map {
        return Choice::Map("tributary.offsets=map".to_owned());
    }
    match obstacle(settings, facts, topic, grants) {
        None => {
            let padding = padding(facts);
            Choice::Preserve {
                padding,
                reason: cost(padding - facts.destination_end, facts),
            }
        }
        Some(obstacle) if settings.placement == Offsets::Preserve => Choice::Refuse(obstacle),
        Some(obstacle) => Choice::Map(obstacle),
    }
}

/// Where the first record goes: with it, the batch that holds it.
fn padding(facts: &Facts) -> i64 {
    facts
        .first_batch
        .map_or(facts.begin, |base| base.min(facts.begin))
}

fn obstacle(
    settings: &OffsetSettings,
    facts: &Facts,
    topic: &str,
    grants: &Grants,
) -> Option<String> {
    let Facts {
        rights,
        destination_start: start,
        destination_end: end,
        ..
    } = facts;
    let padding = padding(facts);
    let missing = (padding - end).max(0);
    if facts.shared {
        return Some("several source topics are merged into one".to_owned());
    }
    if facts.changed {
        return Some("records are changed or left out on their way".to_owned());
    }
    if rights.read == Some(false) {
        return Some(format!(
            "what stands at the end of {topic} cannot be read without READ on it: {}",
            grants.command("Read", Some(topic))
        ));
    }
    if end > start || *end > padding {
        return Some(format!(
            "the destination partition is not empty: it holds offsets [{start}, {end}), which are not the source's \
             records at these offsets"
        ));
    }
    if missing > settings.max_padding {
        return Some(format!(
            "the source's log begins at {}: {missing} offsets would have to be padded, more than \
             tributary.offsets.max.padding={}",
            facts.begin, settings.max_padding
        ));
    }
    let borrows = facts.begin > *start && facts.topic.is_only_compacted();
    if borrows && rights.alter_configs == Some(false) {
        return Some(format!(
            "the source's log begins at {}, and to delete padding from a topic that is only compacted its cleanup.policy is \
             changed for the moment, which needs ALTER_CONFIGS on {topic}: {}",
            facts.begin,
            grants.command("AlterConfigs", Some(topic))
        ));
    }
    if missing > 0 && facts.topic.refuses_old {
        return Some(
            "padding is old, and message.timestamp.before.max.ms of the destination topic refuses it".to_owned(),
        );
    }
    let first = facts.begin.max(facts.source_start);
    if first > *start && rights.delete == Some(false) {
        return Some(format!(
            "the source's log begins at {first}, and what is written before that offset is deleted, which needs DELETE \
             on {topic}: {}",
            grants.command("Delete", Some(topic))
        ));
    }
    let needs_markers = facts.has_transactions && !facts.topic.compacted;
    if needs_markers && rights.alter_cluster == Some(false) {
        return Some(format!(
            "the source has transactions, whose markers take offsets, and to use them up needs ALTER on the \
             destination cluster: {}",
            grants.command("Alter", None)
        ));
    }
    None
}

/// What preserving costs, in words.
fn cost(padding: i64, facts: &Facts) -> String {
    let mut parts = Vec::new();
    if padding > 0 {
        let bytes = padding.saturating_mul(PADDING_BYTES) / 1_000_000;
        parts.push(format!(
            "{padding} offsets are padded first, about {} KB that are deleted again, in some {} s",
            bytes / 1000 + 1,
            padding / PADDING_A_SECOND + 1
        ));
    }
    if padding > 0 && facts.topic.is_only_compacted() {
        parts.push(
            "for that cleanup.policy is compact,delete for a moment, without a limit to retention"
                .to_owned(),
        );
    }
    if facts.has_transactions && !facts.topic.compacted {
        parts.push(
            "offsets of transaction markers and aborted records are used up by markers of 78 bytes"
                .to_owned(),
        );
    }
    if parts.is_empty() {
        parts.push("nothing has to be padded".to_owned());
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONLY_COMPACTED: Topic = Topic {
        compacted: true,
        deletes: false,
        refuses_old: false,
        taking: None,
    };

    fn facts() -> Facts {
        Facts {
            shared: false,
            changed: false,
            begin: 0,
            source_start: 0,
            first_batch: None,
            has_transactions: false,
            destination_start: 0,
            destination_end: 0,
            topic: Topic {
                compacted: false,
                deletes: true,
                refuses_old: false,
                taking: None,
            },
            rights: Rights {
                read: Some(true),
                delete: Some(true),
                alter_configs: Some(true),
                alter_cluster: Some(true),
            },
        }
    }

    fn choice(placement: Offsets, facts: &Facts) -> Choice {
        let settings = OffsetSettings {
            placement,
            max_padding: 1000,
            ..OffsetSettings::default()
        };
        let grants = Grants {
            bootstrap: "b:9092".to_owned(),
            principal: Some("copier".to_owned()),
        };
        choose(&settings, facts, "t", &grants)
    }

    fn padded(facts: &Facts) -> Option<i64> {
        match choice(Offsets::Auto, facts) {
            Choice::Preserve { padding, .. } => Some(padding),
            Choice::Map(_) | Choice::Refuse(_) => None,
        }
    }

    #[test]
    fn offsets_are_preserved_from_the_base_of_the_first_batch_that_passes_whole() {
        assert_eq!(padded(&facts()), Some(0));
        let begins = Facts {
            begin: 333,
            source_start: 333,
            ..facts()
        };
        assert_eq!(padded(&begins), Some(333));
        let inside = Facts {
            first_batch: Some(300),
            ..begins.clone()
        };
        assert_eq!(padded(&inside), Some(300));
        let emptied = Facts {
            destination_start: 200,
            destination_end: 200,
            ..begins
        };
        assert_eq!(padded(&emptied), Some(333));
    }

    #[test]
    fn records_that_are_changed_get_the_next_free_offsets() {
        let facts = Facts {
            changed: true,
            ..facts()
        };
        let why = obstacle(
            &OffsetSettings::default(),
            &facts,
            "orders",
            &Grants::default(),
        );
        assert_eq!(
            why.as_deref(),
            Some("records are changed or left out on their way")
        );
    }

    #[test]
    fn each_obstacle_is_named_and_auto_maps_where_preserve_refuses() {
        let rights = facts().rights;
        let begins = Facts {
            begin: 333,
            source_start: 333,
            ..facts()
        };
        let obstacles = [
            (
                Facts {
                    shared: true,
                    ..facts()
                },
                "merged",
            ),
            (
                Facts {
                    destination_end: 5,
                    ..facts()
                },
                "not empty",
            ),
            (
                Facts {
                    begin: 1001,
                    ..facts()
                },
                "tributary.offsets.max.padding",
            ),
            (
                Facts {
                    rights: Rights {
                        read: Some(false),
                        ..rights
                    },
                    ..facts()
                },
                "kafka-acls --bootstrap-server b:9092 --add --allow-principal 'User:copier' --operation Read --topic 't'",
            ),
            (
                Facts {
                    rights: Rights {
                        delete: Some(false),
                        ..rights
                    },
                    ..begins.clone()
                },
                "--operation Delete --topic 't'",
            ),
            (
                Facts {
                    rights: Rights {
                        alter_cluster: Some(false),
                        ..rights
                    },
                    has_transactions: true,
                    ..facts()
                },
                "--operation Alter --cluster",
            ),
            (
                Facts {
                    topic: ONLY_COMPACTED,
                    rights: Rights {
                        alter_configs: Some(false),
                        ..rights
                    },
                    ..begins
                },
                "--operation AlterConfigs --topic 't'",
            ),
        ];
        for (facts, named) in obstacles {
            let Choice::Map(reason) = choice(Offsets::Auto, &facts) else {
                panic!("auto maps: {facts:?}");
            };
            assert!(reason.contains(named), "{reason}");
            assert_eq!(choice(Offsets::Preserve, &facts), Choice::Refuse(reason));
        }
        assert!(matches!(choice(Offsets::Map, &facts()), Choice::Map(_)));
    }
}
