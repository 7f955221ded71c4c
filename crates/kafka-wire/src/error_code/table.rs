//! The rows: Kafka's number and name, what the code says, and its class with the reason where the
//! class is not plain from the words.
//!
//! Facts: `org.apache.kafka.common.protocol.Errors` of Kafka 4.3. Classes are ours.

use super::ErrorClass::{
    self, CheckPosition, Denied, Fatal, NewFetchSession, ProducerState, Rebootstrap,
    RefreshCoordinator, RefreshMetadata, RefusedData, Rejoin, Retriable, Throttled,
};
use super::ErrorCode;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal => $class:ident;)+) => {
        impl ErrorCode {
            $($(#[$doc])* pub const $name: Self = Self($code);)+
        }

        /// Name and class of a known code.
        pub(super) fn entry(code: ErrorCode) -> Option<(&'static str, ErrorClass)> {
            match code.0 {
                $($code => Some((stringify!($name), $class)),)+
                _ => None,
            }
        }
    };
}

/// "No error" under a name that does not hide `Option::None` here.
const NO_ERROR: ErrorClass = ErrorClass::None;

error_codes! {
    /// The broker failed in a way it has no code for. Tried again because it says nothing about the
    /// request; whoever writes has to look at the outcome first.
    UNKNOWN_SERVER_ERROR = -1 => Retriable;
    /// Success.
    NONE = 0 => NO_ERROR;
    /// The wanted offset is below the log's start or above its end.
    OFFSET_OUT_OF_RANGE = 1 => CheckPosition;
    /// The batch does not agree with its CRC. Kafka's producer sends it again; here it is first held
    /// against the CRC it came with, because damage from the source would be sent for ever.
    CORRUPT_MESSAGE = 2 => RefusedData;
    /// The broker has no such partition: deleted, or not yet known to it.
    UNKNOWN_TOPIC_OR_PARTITION = 3 => RefreshMetadata;
    /// The size asked for makes no sense.
    INVALID_FETCH_SIZE = 4 => Fatal;
    /// An election is going on.
    LEADER_NOT_AVAILABLE = 5 => RefreshMetadata;
    /// The leader is another broker now.
    NOT_LEADER_OR_FOLLOWER = 6 => RefreshMetadata;
    /// The broker gave up waiting, for replicas mostly.
    REQUEST_TIMED_OUT = 7 => Retriable;
    /// A broker is not there. Kafka leaves this to its callers; new metadata shows who is.
    BROKER_NOT_AVAILABLE = 8 => RefreshMetadata;
    /// The replica asked is not there.
    REPLICA_NOT_AVAILABLE = 9 => RefreshMetadata;
    /// Larger than the topic's `max.message.bytes`.
    MESSAGE_TOO_LARGE = 10 => RefusedData;
    /// The controller moved while it worked on the request.
    STALE_CONTROLLER_EPOCH = 11 => RefreshMetadata;
    /// The text stored with a committed offset is too long.
    OFFSET_METADATA_TOO_LARGE = 12 => Fatal;
    /// Used by clients for a lost connection; no broker sends it.
    NETWORK_EXCEPTION = 13 => RefreshMetadata;
    /// The coordinator is still reading its log.
    COORDINATOR_LOAD_IN_PROGRESS = 14 => Retriable;
    /// No coordinator at the moment.
    COORDINATOR_NOT_AVAILABLE = 15 => RefreshCoordinator;
    /// The coordinator is another broker now.
    NOT_COORDINATOR = 16 => RefreshCoordinator;
    /// The topic's name is illegal, or the topic is internal.
    INVALID_TOPIC_EXCEPTION = 17 => Fatal;
    /// Larger than the topic's `segment.bytes`.
    RECORD_LIST_TOO_LARGE = 18 => RefusedData;
    /// Fewer replicas in sync than `min.insync.replicas`; nothing was appended.
    NOT_ENOUGH_REPLICAS = 19 => Retriable;
    /// The same, found after the append.
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20 => Retriable;
    /// acks is neither −1, 0 nor 1.
    INVALID_REQUIRED_ACKS = 21 => Fatal;
    /// The group has a later generation.
    ILLEGAL_GENERATION = 22 => Rejoin;
    /// The group speaks other protocols.
    INCONSISTENT_GROUP_PROTOCOL = 23 => Fatal;
    /// The group's name is illegal.
    INVALID_GROUP_ID = 24 => Fatal;
    /// The coordinator does not know the member.
    UNKNOWN_MEMBER_ID = 25 => Rejoin;
    /// Outside of what the broker allows.
    INVALID_SESSION_TIMEOUT = 26 => Fatal;
    /// The group is being assigned anew.
    REBALANCE_IN_PROGRESS = 27 => Rejoin;
    /// The offset commit is too large.
    INVALID_COMMIT_OFFSET_SIZE = 28 => Fatal;
    /// A permission on the topic is missing.
    TOPIC_AUTHORIZATION_FAILED = 29 => Denied;
    /// A permission on the group is missing.
    GROUP_AUTHORIZATION_FAILED = 30 => Denied;
    /// A permission on the cluster is missing.
    CLUSTER_AUTHORIZATION_FAILED = 31 => Denied;
    /// A record's time is outside of the topic's window.
    INVALID_TIMESTAMP = 32 => RefusedData;
    /// The broker does not offer the SASL mechanism.
    UNSUPPORTED_SASL_MECHANISM = 33 => Denied;
    /// The request does not fit the state of the authentication.
    ILLEGAL_SASL_STATE = 34 => Fatal;
    /// The broker does not speak this version of the request.
    UNSUPPORTED_VERSION = 35 => Fatal;
    /// A topic of this name is there. Whoever creates topics asks what it looks like.
    TOPIC_ALREADY_EXISTS = 36 => Fatal;
    /// The number of partitions is illegal, or would shrink.
    INVALID_PARTITIONS = 37 => Fatal;
    /// The replication factor is illegal, or there are fewer brokers.
    INVALID_REPLICATION_FACTOR = 38 => Fatal;
    /// The placement of replicas is illegal.
    INVALID_REPLICA_ASSIGNMENT = 39 => Fatal;
    /// A setting is unknown or its value illegal.
    INVALID_CONFIG = 40 => Fatal;
    /// The controller is another broker; metadata names it.
    NOT_CONTROLLER = 41 => RefreshMetadata;
    /// The broker cannot make sense of the request.
    INVALID_REQUEST = 42 => Fatal;
    /// The topic's message format is too old for the request.
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43 => Fatal;
    /// A policy of the cluster forbids it.
    POLICY_VIOLATION = 44 => Fatal;
    /// The batch's sequence is not the next: too old, ahead, or cut differently.
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45 => ProducerState;
    /// The batch is there already. Brokers answer NONE instead.
    DUPLICATE_SEQUENCE_NUMBER = 46 => ProducerState;
    /// The producer has a later epoch.
    INVALID_PRODUCER_EPOCH = 47 => ProducerState;
    /// The transaction is not in a state for this.
    INVALID_TXN_STATE = 48 => ProducerState;
    /// The producer id is not that of the transactional id.
    INVALID_PRODUCER_ID_MAPPING = 49 => ProducerState;
    /// Longer than the broker's `transaction.max.timeout.ms`.
    INVALID_TRANSACTION_TIMEOUT = 50 => Fatal;
    /// The transactional id is busy, with the end of its last transaction mostly.
    CONCURRENT_TRANSACTIONS = 51 => Retriable;
    /// A marker from a coordinator that was replaced.
    TRANSACTION_COORDINATOR_FENCED = 52 => ProducerState;
    /// A permission on the transactional id is missing.
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53 => Denied;
    /// The cluster has no authorizer.
    SECURITY_DISABLED = 54 => Fatal;
    /// Another part of the same request failed, this one was not tried.
    OPERATION_NOT_ATTEMPTED = 55 => Retriable;
    /// A disk failed; the partition gets another leader.
    KAFKA_STORAGE_ERROR = 56 => RefreshMetadata;
    /// The broker has no such log directory.
    LOG_DIR_NOT_FOUND = 57 => Fatal;
    /// Wrong credentials.
    SASL_AUTHENTICATION_FAILED = 58 => Denied;
    /// The broker has forgotten the producer.
    UNKNOWN_PRODUCER_ID = 59 => ProducerState;
    /// Replicas are being moved. Kafka leaves this to its callers; it ends.
    REASSIGNMENT_IN_PROGRESS = 60 => Retriable;
    /// The cluster has no delegation tokens.
    DELEGATION_TOKEN_AUTH_DISABLED = 61 => Denied;
    /// The broker does not know the token.
    DELEGATION_TOKEN_NOT_FOUND = 62 => Denied;
    /// The token belongs to someone else.
    DELEGATION_TOKEN_OWNER_MISMATCH = 63 => Denied;
    /// Not over this kind of connection.
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64 => Denied;
    /// A permission on the token is missing.
    DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65 => Denied;
    /// The token has expired.
    DELEGATION_TOKEN_EXPIRED = 66 => Denied;
    /// This kind of principal is not supported.
    INVALID_PRINCIPAL_TYPE = 67 => Fatal;
    /// The group has members.
    NON_EMPTY_GROUP = 68 => Fatal;
    /// There is no such group.
    GROUP_ID_NOT_FOUND = 69 => Fatal;
    /// The broker has given the fetch session's place to another.
    FETCH_SESSION_ID_NOT_FOUND = 70 => NewFetchSession;
    /// The fetch session has seen another request than we think.
    INVALID_FETCH_SESSION_EPOCH = 71 => NewFetchSession;
    /// The leader does not offer the listener we came by.
    LISTENER_NOT_FOUND = 72 => RefreshMetadata;
    /// The cluster does not allow deletion.
    TOPIC_DELETION_DISABLED = 73 => Fatal;
    /// We named an older leader epoch than the broker's.
    FENCED_LEADER_EPOCH = 74 => RefreshMetadata;
    /// We named a newer leader epoch than the broker's: it will learn of it.
    UNKNOWN_LEADER_EPOCH = 75 => Retriable;
    /// The codec is not allowed with this version of the request.
    UNSUPPORTED_COMPRESSION_TYPE = 76 => RefusedData;
    /// Between brokers: the broker has registered anew.
    STALE_BROKER_EPOCH = 77 => Fatal;
    /// A new leader does not know its high watermark yet.
    OFFSET_NOT_AVAILABLE = 78 => Retriable;
    /// Join again with the member id of this answer (KIP-394).
    MEMBER_ID_REQUIRED = 79 => Rejoin;
    /// The preferred leader is not there.
    PREFERRED_LEADER_NOT_AVAILABLE = 80 => RefreshMetadata;
    /// The group is full.
    GROUP_MAX_SIZE_REACHED = 81 => Fatal;
    /// Another member runs under the same `group.instance.id`. Joining again would fence it in turn.
    FENCED_INSTANCE_ID = 82 => Fatal;
    /// No replica may become leader now.
    ELIGIBLE_LEADERS_NOT_AVAILABLE = 83 => RefreshMetadata;
    /// The leader is the preferred one already.
    ELECTION_NOT_NEEDED = 84 => RefreshMetadata;
    /// Nothing is being moved.
    NO_REASSIGNMENT_IN_PROGRESS = 85 => Fatal;
    /// The group reads the topic at present.
    GROUP_SUBSCRIBED_TO_TOPIC = 86 => Fatal;
    /// A record, or the batch around it, breaks a rule; the answer may name the record.
    INVALID_RECORD = 87 => RefusedData;
    /// A transaction has committed offsets that are not final yet.
    UNSTABLE_OFFSET_COMMIT = 88 => Retriable;
    /// Too many changes in too short a time (KIP-599).
    THROTTLING_QUOTA_EXCEEDED = 89 => Throttled;
    /// A newer producer has taken the transactional id.
    PRODUCER_FENCED = 90 => ProducerState;
    /// The request names something that does not exist.
    RESOURCE_NOT_FOUND = 91 => Fatal;
    /// The request names something twice.
    DUPLICATE_RESOURCE = 92 => Fatal;
    /// The credential does not meet the cluster's demands.
    UNACCEPTABLE_CREDENTIAL = 93 => Fatal;
    /// Between controllers: the voters differ.
    INCONSISTENT_VOTER_SET = 94 => Fatal;
    /// The version of a feature is illegal.
    INVALID_UPDATE_VERSION = 95 => Fatal;
    /// A feature could not be changed.
    FEATURE_UPDATE_FAILED = 96 => Fatal;
    /// Between brokers: who asked could not be read.
    PRINCIPAL_DESERIALIZATION_FAILURE = 97 => Fatal;
    /// Between controllers: no such snapshot.
    SNAPSHOT_NOT_FOUND = 98 => Fatal;
    /// Between controllers: outside of the snapshot.
    POSITION_OUT_OF_RANGE = 99 => Fatal;
    /// The broker has no topic with this id: deleted, made anew, or not yet known to it.
    UNKNOWN_TOPIC_ID = 100 => RefreshMetadata;
    /// Between broker and controller: the broker id is taken.
    DUPLICATE_BROKER_REGISTRATION = 101 => Fatal;
    /// The broker id is not registered.
    BROKER_ID_NOT_REGISTERED = 102 => Fatal;
    /// The log belongs to a topic with another id.
    INCONSISTENT_TOPIC_ID = 103 => RefreshMetadata;
    /// This is another cluster.
    INCONSISTENT_CLUSTER_ID = 104 => Fatal;
    /// There is no such transactional id.
    TRANSACTIONAL_ID_NOT_FOUND = 105 => Fatal;
    /// The fetch session mixes topics with and without ids.
    FETCH_SESSION_TOPIC_ID_ERROR = 106 => NewFetchSession;
    /// Between broker and controller: a replica may not be in sync.
    INELIGIBLE_REPLICA = 107 => Fatal;
    /// Between broker and controller: the leader has changed.
    NEW_LEADER_ELECTED = 108 => Fatal;
    /// The offset is in remote storage only. Meant for followers; a position is compared all the same.
    OFFSET_MOVED_TO_TIERED_STORAGE = 109 => CheckPosition;
    /// The coordinator has given the member's partitions away (KIP-848).
    FENCED_MEMBER_EPOCH = 110 => Rejoin;
    /// The former member under this `group.instance.id` has not left yet.
    UNRELEASED_INSTANCE_ID = 111 => Fatal;
    /// The coordinator does not know the assignor.
    UNSUPPORTED_ASSIGNOR = 112 => Fatal;
    /// The member has a later epoch, which the next heartbeat brings.
    STALE_MEMBER_EPOCH = 113 => Rejoin;
    /// A controller was asked what a broker answers, or the other way round.
    MISMATCHED_ENDPOINT_TYPE = 114 => Fatal;
    /// This kind of end point is not served.
    UNSUPPORTED_ENDPOINT_TYPE = 115 => Fatal;
    /// There is no such controller.
    UNKNOWN_CONTROLLER_ID = 116 => Fatal;
    /// Telemetry was pushed for another subscription.
    UNKNOWN_SUBSCRIPTION_ID = 117 => Fatal;
    /// Telemetry was too large.
    TELEMETRY_TOO_LARGE = 118 => Fatal;
    /// Between broker and controller: the registration is illegal.
    INVALID_REGISTRATION = 119 => Fatal;
    /// The transaction can only be aborted (KIP-890).
    TRANSACTION_ABORTABLE = 120 => ProducerState;
    /// Share groups: the record is not in a state for this (KIP-932).
    INVALID_RECORD_STATE = 121 => Fatal;
    /// Share groups: the session is gone.
    SHARE_SESSION_NOT_FOUND = 122 => Retriable;
    /// Share groups: the session has seen another request.
    INVALID_SHARE_SESSION_EPOCH = 123 => Retriable;
    /// Share groups: the state has a later epoch.
    FENCED_STATE_EPOCH = 124 => Fatal;
    /// Between controllers: a voter's key differs.
    INVALID_VOTER_KEY = 125 => Fatal;
    /// Between controllers: the voter is there already.
    DUPLICATE_VOTER = 126 => Fatal;
    /// Between controllers: there is no such voter.
    VOTER_NOT_FOUND = 127 => Fatal;
    /// The broker cannot read the regular expression.
    INVALID_REGULAR_EXPRESSION = 128 => Fatal;
    /// The client's metadata is too old to go on with (KIP-1102).
    REBOOTSTRAP_REQUIRED = 129 => Rebootstrap;
    /// Streams groups: the topology is illegal (KIP-1071).
    STREAMS_INVALID_TOPOLOGY = 130 => Fatal;
    /// Streams groups: the topology's epoch is illegal.
    STREAMS_INVALID_TOPOLOGY_EPOCH = 131 => Fatal;
    /// Streams groups: the topology is an older one.
    STREAMS_TOPOLOGY_FENCED = 132 => Fatal;
    /// Share groups: too many sessions.
    SHARE_SESSION_LIMIT_REACHED = 133 => Retriable;
}
