//! What Connect workers say to each other inside JoinGroup and SyncGroup, protocol type `connect`.
//!
//! ```text
//! JoinGroup   each worker → leader   WorkerState: where it is, what it has read, what it holds
//! SyncGroup   leader → each worker   Assignment: who leads, what to take and to give back
//! ```
//!
//! Three protocols are offered and the most preferred one that all members speak is chosen, so a
//! cluster is upgraded worker by worker. `default` (version 0) hands out everything anew each time,
//! `compatible` (1) only what changes (KIP-415), `sessioned` (2) is the same bytes and says that
//! requests between workers are signed (KIP-507).
//!
//! Invariants:
//! - *Bounded*, like answers: other workers are peers, too.
//! - *As tolerant as Java's workers*: fields that are missing at the end are empty, bytes behind the
//!   last field are passed over, versions above 2 are read like 2.
//!
//! Deliberately absent: who gets what.

mod assignment;
mod worker_state;

use super::{DecodeError, DecodeProblem, EncodeError, EncodeProblem};

pub use assignment::{Assignment, AssignmentError, ConnectorWork};
pub use worker_state::WorkerState;

/// The protocol type of groups of Connect workers.
pub const PROTOCOL_TYPE: &str = "connect";

/// How workers share their work; the later is preferred.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ConnectProtocol {
    /// Version 0, `default`: everything is given back before each assignment.
    Eager,
    /// Version 1, `compatible`: only what moves is given back.
    Compatible,
    /// Version 2, `sessioned`: the same, and requests between workers are signed.
    Sessioned,
}

impl ConnectProtocol {
    /// All of them, the most preferred first, as a worker offers them.
    pub const BY_PREFERENCE: [Self; 3] = [Self::Sessioned, Self::Compatible, Self::Eager];

    /// The name in JoinGroup and SyncGroup.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eager => "default",
            Self::Compatible => "compatible",
            Self::Sessioned => "sessioned",
        }
    }

    /// The protocol of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::BY_PREFERENCE
            .into_iter()
            .find(|protocol| protocol.name() == name)
    }

    const fn version(self) -> i16 {
        match self {
            Self::Eager => 0,
            Self::Compatible => 1,
            Self::Sessioned => 2,
        }
    }

    /// Later versions begin like the last one; there are none below 0.
    const fn from_version(version: i16) -> Option<Self> {
        match version {
            ..0 => None,
            0 => Some(Self::Eager),
            1 => Some(Self::Compatible),
            2.. => Some(Self::Sessioned),
        }
    }
}

/// Bytes of a Connect worker that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what another Connect worker of the group sent cannot be read at {what}: {problem}")]
pub struct ConnectDecodeError {
    /// The field that was being read.
    pub what: &'static str,
    /// What is wrong with it.
    pub problem: DecodeProblem,
}

impl From<DecodeError> for ConnectDecodeError {
    fn from(DecodeError { what, problem, .. }: DecodeError) -> Self {
        Self { what, problem }
    }
}

/// What the other Connect workers cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectEncodeError {
    /// Longer than the protocol can say.
    #[error("{what} cannot be sent to the other Connect workers: {problem}")]
    Field {
        /// The field that was being written.
        what: &'static str,
        /// What is wrong with it.
        problem: EncodeProblem,
    },
    /// Version 0 has everything given back before, and does not wait.
    #[error("the protocol `default` cannot give work back or delay it")]
    NotIncremental,
}

impl From<EncodeError> for ConnectEncodeError {
    fn from(EncodeError { what, problem, .. }: EncodeError) -> Self {
        Self::Field { what, problem }
    }
}
