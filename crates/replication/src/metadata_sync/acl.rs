//! Makes access rights of the destination follow those of the source: observe → plan → apply, apart
//! from topics.
//!
//! ```text
//!   DescribeAcls (both sides) ─▶ Desired::new (pure) ─▶ AclPlan::new (pure) ─▶ apply ─▶ AclStatus
//!        topics, from rounds ───▶┘      recorded ───────▶┘                      └─▶ record
//! ```
//!
//! Invariants
//! - A binding is deleted only if it is recorded as made by this link and the source no longer yields it.
//!   One that was there before is never recorded, so it stays whatever happens.
//! - A binding is recorded before it is created: a crash between the two leaves one too many in the record, never
//!   one that nobody would take back.
//! - Bans are created before grants, and grants deleted before bans. Where a ban cannot be had, the grants that it
//!   would have limited are not made either.
//! - Where nothing differs, nothing is sent but questions.
//! - Whatever happens here, data is copied.
//!
//! Deliberately absent: rights on the cluster, on delegation tokens and on users, which are never copied; the
//! takeover of bindings that other programs made.

mod apply;
mod desired;
mod observe;
mod plan;
mod record;
mod run;
mod vanished;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use config::client::ClientConfig;
use config::security::{Mechanism, Security};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::acl::AclBinding;
use kafka_wire::types::TopicName;
use tokio::time::Instant;

use super::operations::Outcomes;
use super::run::Round;

pub use desired::{Desired, Rules};
pub use observe::AclObservation;
pub use plan::AclPlan;
pub use record::{Origin, Recorded, decode as recorded};
pub use run::{AclHandle, AclOptions, AclSync, preview};

/// The topics of a link, as far as rights on them are concerned.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AclTopics {
    /// Topics that exist on both sides, under both names.
    pub copies: BTreeMap<TopicName, TopicName>,
    /// Selected topics that the source has.
    pub present: BTreeSet<TopicName>,
}

impl AclTopics {
    /// What a round over topics found.
    #[must_use]
    pub fn of(round: &Round) -> Self {
        let copies = round.copies.iter();
        Self {
            copies: copies
                .map(|copy| (copy.source.clone(), copy.destination.clone()))
                .collect(),
            present: round.selected.keys().cloned().collect(),
        }
    }
}

/// As whom Tributary is known to the clusters; `None` where only the broker could tell.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OwnPrincipals {
    /// At the source.
    pub source: Option<String>,
    /// At the destination.
    pub destination: Option<String>,
}

impl OwnPrincipals {
    /// As far as the settings of the connections tell.
    #[must_use]
    pub fn of(source: &ClientConfig, destination: &ClientConfig) -> Self {
        let name = |config: &ClientConfig| match &config.security {
            Security::Plaintext => Some("User:ANONYMOUS".to_owned()),
            // Brokers map the subject of a certificate by rules of their own; without one nobody is known.
            Security::Tls(tls) => match tls.identity {
                None => Some("User:ANONYMOUS".to_owned()),
                Some(_) => None,
            },
            Security::SaslPlaintext(sasl) | Security::SaslTls(_, sasl) => match &sasl.mechanism {
                Mechanism::Plain(credentials)
                | Mechanism::Scram {
                    credentials,
                    token: false,
                    ..
                } => Some(format!("User:{}", credentials.username)),
                // Brokers make names of tickets by rules of their own.
                Mechanism::Scram { token: true, .. }
                | Mechanism::OAuthBearer(_)
                | Mechanism::AwsMskIam(_)
                | Mechanism::Gssapi(_) => None,
            },
        };
        Self {
            source: name(source),
            destination: name(destination),
        }
    }
}

/// One of the clusters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Where rights are read.
    Source,
    /// Where they are written.
    Destination,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Destination => "destination",
        })
    }
}

/// Something to be known about a right of the source that is not copied as it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AclNote {
    /// Whether somebody has to act, for the copy is less protected than the source.
    pub error: bool,
    /// The source's binding.
    pub binding: AclBinding,
    /// What is not done with it, why, and what can be.
    pub reason: String,
}

impl fmt::Display for AclNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.binding, self.reason)
    }
}

/// A binding that the destination did not take, or give up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    /// The destination's binding.
    pub binding: AclBinding,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.binding, self.reason)
    }
}

/// Whether rights are copied.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum AclState {
    /// No round has ended yet.
    #[default]
    Waiting,
    /// The last round went through.
    Active,
    /// A cluster has no authorizer, or lets us not look or change; looked at again every hour.
    Off {
        /// Which.
        side: Side,
        /// SECURITY_DISABLED or CLUSTER_AUTHORIZATION_FAILED.
        code: ErrorCode,
    },
    /// The last round could not be finished; it is tried again.
    Trouble(String),
}

/// What the copying of rights is doing.
#[derive(Clone, Debug, Default)]
pub struct AclStatus {
    /// Rounds that have ended.
    pub rounds: u64,
    /// When the last one did.
    pub at: Option<Instant>,
    /// When the last one did that went through.
    pub went_through: Option<Instant>,
    /// What came of changes, counted by bindings.
    pub operations: Outcomes,
    /// Whether rights are copied.
    pub state: AclState,
    /// Bindings that the source yields.
    pub desired: usize,
    /// Bindings this link made and would take back.
    pub recorded: usize,
    /// Created in the last round that changed anything.
    pub created: Vec<AclBinding>,
    /// Deleted in that round.
    pub deleted: Vec<AclBinding>,
    /// Refused in the last round.
    pub refused: Vec<Refused>,
    /// Made by this link and no longer yielded by the source, but not to be deleted.
    pub drift: Vec<AclBinding>,
    /// Not made again before tomorrow, because somebody removes them.
    pub paused: Vec<AclBinding>,
    /// Rights of the source that are not copied as they are.
    pub notes: Vec<AclNote>,
}
