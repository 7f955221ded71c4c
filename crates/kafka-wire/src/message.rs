//! Protocol messages: requests to bytes, answers to values.
//!
//! ```text
//! frame   = length (frame.rs) · header (header.rs) · body
//! request = encode_request_header + Request::encode        one buffer
//!           ProduceRequest::encode_segments                a list of slices, payload not copied
//! answer  = split_response_header + Request::decode        byte fields are slices of the frame
//! ```
//!
//! Invariants:
//! - *Bounded*: no number a peer sends reserves memory before it is known to fit the bytes left
//!   (`reader.rs`); a malformed answer is a [`DecodeError`], never a panic.
//! - *Own floor*: a version below or above a request's `VERSIONS` is refused, whatever a broker
//!   advertises: Kafka 4 advertises Produce 0–2 and closes the connection when they are used.
//! - Error codes inside an answer are data; only bytes that cannot be read are errors here.
//!
//! Each range of versions begins with what Kafka 2.4 speaks, or below that for groups and
//! transactions, where other makers' brokers stop early and old layouts cost a line; it ends with the newest layout known
//! here. The layouts are those of Kafka 4.1's message definitions; the tests compare every message
//! in every version with `kafka-protocol`, an independent implementation generated from them.
//!
//! Deliberately absent: requests as a broker reads them, and whatever is inside `records`
//! (`batch.rs`).

mod api_key;
mod authorized_operations;
mod broker;
mod by_topic;
mod error;
mod group_offset;
mod header;
mod membership;
mod reader;
mod throttle;
mod transaction;
mod writer;

pub mod acl;
pub mod add_offsets_to_txn;
pub mod add_partitions_to_txn;
pub mod api_versions;
pub mod connect_protocol;
pub mod create_acls;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_acls;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_acls;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_transactions;
pub mod end_txn;
pub mod fetch;
pub mod find_coordinator;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_groups;
pub mod list_offsets;
pub mod list_transactions;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod sasl_authenticate;
pub mod sasl_handshake;
pub mod sync_group;
pub mod txn_offset_commit;
pub mod write_txn_markers;

#[cfg(test)]
mod tests;

use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::types::{LeaderEpoch, NodeId, TopicId, TopicName};

pub use api_key::ApiKey;
pub use authorized_operations::AuthorizedOperations;
pub use broker::Broker;
pub use by_topic::{ByTopic, PartitionOutcome};
pub use error::{DecodeError, DecodeProblem, EncodeError, EncodeProblem};
pub use group_offset::CommittedOffset;
pub use header::{encode_request_header, response_header_version, split_response_header};
pub use membership::Membership;
pub use throttle::throttle_time_ms;
pub use transaction::{Transaction, TransactionVersion};

/// One request type: encodes itself at a version, decodes its answer.
pub trait Request {
    /// What the answer says.
    type Response;
    /// The API's key.
    const API: ApiKey;
    /// Versions this code speaks.
    const VERSIONS: VersionRange;

    /// Versions that can express this very request; narrower than [`Self::VERSIONS`] where it needs,
    /// or lacks, something.
    fn versions(&self) -> VersionRange {
        Self::VERSIONS
    }

    /// Appends the body, without a header, in `version`.
    ///
    /// # Errors
    /// [`EncodeError`] if `version` is not in [`Self::VERSIONS`] or cannot express the request;
    /// `out` may then hold a part of it.
    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError>;

    /// Reads the body of an answer: the frame after its header.
    ///
    /// # Errors
    /// [`DecodeError`] if the bytes are not an answer in `version`, up to the last byte.
    fn decode(version: i16, body: Bytes) -> Result<Self::Response, DecodeError>;
}

/// Versions of an API, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct VersionRange {
    /// The lowest version.
    pub min: i16,
    /// The highest version.
    pub max: i16,
}

impl VersionRange {
    /// The versions from `min` to `max`.
    #[must_use]
    pub const fn new(min: i16, max: i16) -> Self {
        Self { min, max }
    }

    /// Whether `version` is one of these.
    #[must_use]
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    /// The part of this range from `min` on, if `when`; empty if there is none.
    fn since_if(self, min: i16, when: bool) -> Self {
        let min = if when { self.min.max(min) } else { self.min };
        Self { min, ..self }
    }

    /// The part of this range up to `max`, if `when`; empty if there is none.
    fn until_if(self, max: i16, when: bool) -> Self {
        let max = if when { self.max.min(max) } else { self.max };
        Self { max, ..self }
    }

    /// This range, or its part below `by_id` if one of `ids` is not known.
    fn without_ids(self, by_id: i16, mut ids: impl Iterator<Item = TopicId>) -> Self {
        self.until_if(by_id - 1, ids.any(|id| id.is_zero()))
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}–{}", self.min, self.max)
    }
}

/// The highest version both sides speak; `None` if there is none.
///
/// The broker's minimum only counts against: a version below the own floor is never chosen, even
/// where the broker advertises it (Kafka 4 advertises Produce 0–2 and closes the connection).
#[must_use]
pub fn choose_version(own: VersionRange, broker: VersionRange) -> Option<i16> {
    let version = own.max.min(broker.max);
    (own.contains(version) && broker.contains(version)).then_some(version)
}

/// Which records a read may see.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IsolationLevel {
    /// All below the high watermark, open and aborted transactions included.
    ReadUncommitted,
    /// All below the last stable offset; aborted data is listed, not left out.
    ReadCommitted,
}

impl IsolationLevel {
    const fn wire(self) -> i8 {
        match self {
            Self::ReadUncommitted => 0,
            Self::ReadCommitted => 1,
        }
    }
}

/// How an answer names a topic: by name, or by id from Fetch 13 and Produce 13 on (KIP-516).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TopicRef {
    /// By name.
    Name(TopicName),
    /// By id.
    Id(TopicId),
}

impl fmt::Display for TopicRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Id(id) => id.fmt(f),
        }
    }
}

/// The leader a broker names when it is not the leader itself (KIP-951).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CurrentLeader {
    /// The leader.
    pub leader: NodeId,
    /// Its epoch.
    pub epoch: LeaderEpoch,
}

impl CurrentLeader {
    /// Reads the tagged field; `None` where it names no broker.
    fn read(reader: &mut reader::Reader) -> Result<Option<Self>, DecodeError> {
        let leader = reader.node_id("current leader")?;
        let epoch = reader.i32("current leader epoch")?;
        reader.skip_tags("current leader")?;
        Ok((leader.0 >= 0).then_some(Self { leader, epoch }))
    }
}
