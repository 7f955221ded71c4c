//! The APIs in use: key, name, and the first version in flexible encoding.
//!
//! One table. "Flexible" (KIP-482) decides the header versions, compact lengths and tagged fields.

use std::fmt;

/// Key of an API, as in the request header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiKey(pub i16);

impl ApiKey {
    /// Appending batches.
    pub const PRODUCE: Self = Self(0);
    /// Reading batches.
    pub const FETCH: Self = Self(1);
    /// Offsets by time, log start and end.
    pub const LIST_OFFSETS: Self = Self(2);
    /// Brokers, topics, leaders.
    pub const METADATA: Self = Self(3);
    /// How far a group has come.
    pub const OFFSET_COMMIT: Self = Self(8);
    /// How far groups have come.
    pub const OFFSET_FETCH: Self = Self(9);
    /// Which broker coordinates a group or a transactional id.
    pub const FIND_COORDINATOR: Self = Self(10);
    /// Becoming a member of a group.
    pub const JOIN_GROUP: Self = Self(11);
    /// A member's sign of life.
    pub const HEARTBEAT: Self = Self(12);
    /// Leaving a group.
    pub const LEAVE_GROUP: Self = Self(13);
    /// Assignments of a group's members.
    pub const SYNC_GROUP: Self = Self(14);
    /// State and members of groups.
    pub const DESCRIBE_GROUPS: Self = Self(15);
    /// The groups of one broker.
    pub const LIST_GROUPS: Self = Self(16);
    /// Which SASL mechanism follows.
    pub const SASL_HANDSHAKE: Self = Self(17);
    /// What the broker speaks.
    pub const API_VERSIONS: Self = Self(18);
    /// Creating topics.
    pub const CREATE_TOPICS: Self = Self(19);
    /// Deleting topics.
    pub const DELETE_TOPICS: Self = Self(20);
    /// Raising the log start.
    pub const DELETE_RECORDS: Self = Self(21);
    /// A producer id and epoch.
    pub const INIT_PRODUCER_ID: Self = Self(22);
    /// Where a leader epoch ends.
    pub const OFFSET_FOR_LEADER_EPOCH: Self = Self(23);
    /// Partitions that a transaction will write to.
    pub const ADD_PARTITIONS_TO_TXN: Self = Self(24);
    /// A group whose offsets a transaction will commit.
    pub const ADD_OFFSETS_TO_TXN: Self = Self(25);
    /// Committing or aborting a transaction.
    pub const END_TXN: Self = Self(26);
    /// Control records outside any transaction.
    pub const WRITE_TXN_MARKERS: Self = Self(27);
    /// Committing offsets of a group within a transaction.
    pub const TXN_OFFSET_COMMIT: Self = Self(28);
    /// Reading access rights.
    pub const DESCRIBE_ACLS: Self = Self(29);
    /// Adding access rights.
    pub const CREATE_ACLS: Self = Self(30);
    /// Removing access rights.
    pub const DELETE_ACLS: Self = Self(31);
    /// Reading configurations.
    pub const DESCRIBE_CONFIGS: Self = Self(32);
    /// Sizes of replicas.
    pub const DESCRIBE_LOG_DIRS: Self = Self(35);
    /// A step of a SASL mechanism.
    pub const SASL_AUTHENTICATE: Self = Self(36);
    /// Growing topics.
    pub const CREATE_PARTITIONS: Self = Self(37);
    /// Deleting groups.
    pub const DELETE_GROUPS: Self = Self(42);
    /// Changing single configuration keys.
    pub const INCREMENTAL_ALTER_CONFIGS: Self = Self(44);
    /// Forgetting offsets of a group.
    pub const OFFSET_DELETE: Self = Self(47);
    /// Cluster id, controller, brokers.
    pub const DESCRIBE_CLUSTER: Self = Self(60);
    /// The producers a partition's leader remembers.
    pub const DESCRIBE_PRODUCERS: Self = Self(61);
    /// What is known of transactional ids.
    pub const DESCRIBE_TRANSACTIONS: Self = Self(65);
    /// The transactional ids of one broker.
    pub const LIST_TRANSACTIONS: Self = Self(66);

    /// Whether `version` of this API is in flexible encoding. An API that is not in the table is
    /// taken as never flexible; every API a [`Request`](super::Request) names is in it.
    #[must_use]
    pub fn is_flexible(self, version: i16) -> bool {
        self.row().is_some_and(|row| version >= row.first_flexible)
    }

    fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.key == self)
    }
}

struct Row {
    key: ApiKey,
    name: &'static str,
    first_flexible: i16,
}

const fn row(key: ApiKey, name: &'static str, first_flexible: i16) -> Row {
    Row {
        key,
        name,
        first_flexible,
    }
}

/// For an API that was never given flexible versions.
const NEVER: i16 = i16::MAX;

/// From the message definitions of Kafka 4.1; the tests compare it with another implementation.
const TABLE: [Row; 39] = [
    row(ApiKey::PRODUCE, "Produce", 9),
    row(ApiKey::FETCH, "Fetch", 12),
    row(ApiKey::LIST_OFFSETS, "ListOffsets", 6),
    row(ApiKey::METADATA, "Metadata", 9),
    row(ApiKey::OFFSET_COMMIT, "OffsetCommit", 8),
    row(ApiKey::OFFSET_FETCH, "OffsetFetch", 6),
    row(ApiKey::FIND_COORDINATOR, "FindCoordinator", 3),
    row(ApiKey::JOIN_GROUP, "JoinGroup", 6),
    row(ApiKey::HEARTBEAT, "Heartbeat", 4),
    row(ApiKey::LEAVE_GROUP, "LeaveGroup", 4),
    row(ApiKey::SYNC_GROUP, "SyncGroup", 4),
    row(ApiKey::DESCRIBE_GROUPS, "DescribeGroups", 5),
    row(ApiKey::LIST_GROUPS, "ListGroups", 3),
    row(ApiKey::SASL_HANDSHAKE, "SaslHandshake", NEVER),
    row(ApiKey::API_VERSIONS, "ApiVersions", 3),
    row(ApiKey::CREATE_TOPICS, "CreateTopics", 5),
    row(ApiKey::DELETE_TOPICS, "DeleteTopics", 4),
    row(ApiKey::DELETE_RECORDS, "DeleteRecords", 2),
    row(ApiKey::INIT_PRODUCER_ID, "InitProducerId", 2),
    row(ApiKey::OFFSET_FOR_LEADER_EPOCH, "OffsetForLeaderEpoch", 4),
    row(ApiKey::ADD_PARTITIONS_TO_TXN, "AddPartitionsToTxn", 3),
    row(ApiKey::ADD_OFFSETS_TO_TXN, "AddOffsetsToTxn", 3),
    row(ApiKey::END_TXN, "EndTxn", 3),
    row(ApiKey::WRITE_TXN_MARKERS, "WriteTxnMarkers", 1),
    row(ApiKey::TXN_OFFSET_COMMIT, "TxnOffsetCommit", 3),
    row(ApiKey::DESCRIBE_ACLS, "DescribeAcls", 2),
    row(ApiKey::CREATE_ACLS, "CreateAcls", 2),
    row(ApiKey::DELETE_ACLS, "DeleteAcls", 2),
    row(ApiKey::DESCRIBE_CONFIGS, "DescribeConfigs", 4),
    row(ApiKey::DESCRIBE_LOG_DIRS, "DescribeLogDirs", 2),
    row(ApiKey::SASL_AUTHENTICATE, "SaslAuthenticate", 2),
    row(ApiKey::CREATE_PARTITIONS, "CreatePartitions", 2),
    row(ApiKey::DELETE_GROUPS, "DeleteGroups", 2),
    row(
        ApiKey::INCREMENTAL_ALTER_CONFIGS,
        "IncrementalAlterConfigs",
        1,
    ),
    row(ApiKey::OFFSET_DELETE, "OffsetDelete", NEVER),
    row(ApiKey::DESCRIBE_CLUSTER, "DescribeCluster", 0),
    row(ApiKey::DESCRIBE_PRODUCERS, "DescribeProducers", 0),
    row(ApiKey::DESCRIBE_TRANSACTIONS, "DescribeTransactions", 0),
    row(ApiKey::LIST_TRANSACTIONS, "ListTransactions", 0),
];

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row() {
            Some(row) => f.write_str(row.name),
            None => write!(f, "API {}", self.0),
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({})", self.0)
    }
}
