//! Broker error codes, and what each means for whoever asked: one table.
//!
//! Two questions are answered here and nowhere else:
//! - [`ErrorCode::class`]: what has to happen before the same request can succeed.
//! - [`ErrorCode::produce_outcome`]: whether the batches of a Produce request are in the log. It
//!   decides whether a resend can duplicate records, so everything not *known* to be refused before
//!   the append counts as unknown.
//!
//! Names and numbers are those of Kafka's protocol up to 4.3; a code that a later broker invents is
//! kept as a number, shown as such, and handled as [`ErrorClass::Fatal`] with an unknown outcome.

use std::fmt;

mod table;

/// An error code as it stands in an answer. Any number is one; [`Self::name`] knows the known ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorCode(pub i16);

/// What has to happen before the same request can succeed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorClass {
    /// No error.
    None,
    /// The same request to the same broker, after a pause.
    Retriable,
    /// Leaders, partitions or topic ids are not what we think: metadata first, then again.
    RefreshMetadata,
    /// Another broker coordinates this group or transaction: find it, then again.
    RefreshCoordinator,
    /// Every address we know is stale: begin with the bootstrap list again (KIP-1102).
    Rebootstrap,
    /// A quota: again after the answer's throttle time.
    Throttled,
    /// The fetch session is gone: fetch everything anew in a new one (KIP-227).
    NewFetchSession,
    /// The log does not hold the position we read from: compare it with the log's start, end and
    /// leader epochs. Never a reason to jump silently.
    CheckPosition,
    /// We are no longer the group member we think we are: join again.
    Rejoin,
    /// The broker's view of our producer (id, epoch, sequence, transaction) differs from ours: read
    /// the destination's end before anything else is written.
    ProducerState,
    /// These very records are refused, and will be refused again.
    RefusedData,
    /// Not allowed, or not authenticated; somebody has to grant it.
    Denied,
    /// Repeating does not help: the request is wrong, or the broker lacks the feature.
    Fatal,
}

/// Whether the batch of a Produce answer is in the destination's log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ProduceOutcome {
    /// It is, now or since an earlier attempt: a recognised duplicate answers without error, with
    /// the base offset of the first time.
    Appended,
    /// It is not: the broker refused it before the append.
    NotAppended,
    /// It was not appended by this request, but the broker's view of the producer differs from ours.
    /// It may be there from an earlier attempt: the destination's end has to be read first.
    OutOfStep,
    /// Nobody knows: the destination's end has to be read before anything is sent again. No answer
    /// at all (timeout, closed connection) means the same.
    Unknown,
}

impl ErrorCode {
    /// Whether the code stands for success.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// `Ok` for success, the code itself for anything else.
    ///
    /// # Errors
    /// Any code but 0.
    pub fn ok(self) -> Result<(), Self> {
        if self.is_none() { Ok(()) } else { Err(self) }
    }

    /// Kafka's name of the code; `None` for a number that Kafka 4.3 does not have.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        table::entry(self).map(|(name, _)| name)
    }

    /// What has to happen before the same request can succeed. [`ErrorClass::Fatal`] for a number
    /// that Kafka 4.3 does not have.
    #[must_use]
    pub fn class(self) -> ErrorClass {
        table::entry(self).map_or(ErrorClass::Fatal, |(_, class)| class)
    }

    /// Whether waiting (and finding out who is responsible now) is enough for another attempt.
    #[must_use]
    pub fn is_retriable(self) -> bool {
        match self.class() {
            ErrorClass::Retriable
            | ErrorClass::RefreshMetadata
            | ErrorClass::RefreshCoordinator
            | ErrorClass::Rebootstrap
            | ErrorClass::Throttled
            | ErrorClass::NewFetchSession => true,
            ErrorClass::None
            | ErrorClass::CheckPosition
            | ErrorClass::Rejoin
            | ErrorClass::ProducerState
            | ErrorClass::RefusedData
            | ErrorClass::Denied
            | ErrorClass::Fatal => false,
        }
    }

    /// Whether the batch that this code answers is in the log.
    #[must_use]
    pub fn produce_outcome(self) -> ProduceOutcome {
        match self {
            Self::NONE => ProduceOutcome::Appended,

            // Found while the batch is checked, before it is appended.
            Self::INVALID_RECORD
            | Self::INVALID_TIMESTAMP
            | Self::CORRUPT_MESSAGE
            | Self::MESSAGE_TOO_LARGE
            | Self::RECORD_LIST_TOO_LARGE
            | Self::UNSUPPORTED_COMPRESSION_TYPE
            | Self::UNSUPPORTED_FOR_MESSAGE_FORMAT => ProduceOutcome::NotAppended,

            // Found while the request is checked, before any of its batches is looked at.
            Self::TOPIC_AUTHORIZATION_FAILED
            | Self::CLUSTER_AUTHORIZATION_FAILED
            | Self::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            | Self::INVALID_PRODUCER_ID_MAPPING
            | Self::INVALID_REQUIRED_ACKS
            | Self::INVALID_TOPIC_EXCEPTION
            | Self::UNSUPPORTED_VERSION => ProduceOutcome::NotAppended,

            // The partition is taken into the transaction before the append, which has to wait while the last one is
            // being ended (KIP-890).
            Self::CONCURRENT_TRANSACTIONS => ProduceOutcome::NotAppended,

            // The leader counts its in-sync replicas before it appends; too few *afterwards* has
            // its own code, below.
            Self::NOT_ENOUGH_REPLICAS => ProduceOutcome::NotAppended,

            // The producer's state is compared before the append, so this request added nothing.
            // But the code does not say whether the sequence is too old (then the batch may be
            // there), ahead (then one before it is missing) or cut differently.
            Self::OUT_OF_ORDER_SEQUENCE_NUMBER
            | Self::DUPLICATE_SEQUENCE_NUMBER
            | Self::INVALID_PRODUCER_EPOCH
            | Self::PRODUCER_FENCED
            | Self::UNKNOWN_PRODUCER_ID
            | Self::INVALID_TXN_STATE => ProduceOutcome::OutOfStep,

            // Each of these can follow an append to the leader's log, while the request waits for
            // the other replicas: the leader moves (NOT_LEADER_OR_FOLLOWER), the topic or replica
            // goes away (UNKNOWN_TOPIC_OR_PARTITION), a disk fails (KAFKA_STORAGE_ERROR), time runs
            // out (REQUEST_TIMED_OUT), replicas drop out (NOT_ENOUGH_REPLICAS_AFTER_APPEND), or
            // something else breaks (UNKNOWN_SERVER_ERROR). And so can a code we do not know.
            _ => ProduceOutcome::Unknown,
        }
    }
}

/// `NAME (code)`, which an operator can look up either way.
impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({})",
            self.name().unwrap_or("error code not known to Kafka 4.3"),
            self.0
        )
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ErrorCode {}

impl From<i16> for ErrorCode {
    fn from(code: i16) -> Self {
        Self(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_dense_and_every_number_finds_its_own_row() {
        for code in -1..=133 {
            let name = ErrorCode(code)
                .name()
                .unwrap_or_else(|| panic!("{code} has no row"));
            assert_eq!(ErrorCode(code).to_string(), format!("{name} ({code})"));
        }
        for unknown in [i16::MIN, -2, 134, i16::MAX] {
            assert_eq!(ErrorCode(unknown).name(), None);
            assert_eq!(ErrorCode(unknown).class(), ErrorClass::Fatal);
            assert_eq!(
                ErrorCode(unknown).produce_outcome(),
                ProduceOutcome::Unknown
            );
        }
        assert_eq!(
            ErrorCode(134).to_string(),
            "error code not known to Kafka 4.3 (134)"
        );
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::HashSet<_> =
            (-1..=133).map(|code| ErrorCode(code).name()).collect();
        assert_eq!(names.len(), 135);
    }

    #[test]
    fn landmarks_have_kafkas_numbers() {
        let landmarks = [
            (ErrorCode::UNKNOWN_SERVER_ERROR, -1),
            (ErrorCode::NONE, 0),
            (ErrorCode::NOT_LEADER_OR_FOLLOWER, 6),
            (ErrorCode::NOT_CONTROLLER, 41),
            (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, 45),
            (ErrorCode::KAFKA_STORAGE_ERROR, 56),
            (ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 70),
            (ErrorCode::INVALID_RECORD, 87),
            (ErrorCode::UNKNOWN_TOPIC_ID, 100),
            (ErrorCode::TRANSACTION_ABORTABLE, 120),
            (ErrorCode::REBOOTSTRAP_REQUIRED, 129),
        ];
        for (code, number) in landmarks {
            assert_eq!(code, ErrorCode(number));
        }
    }

    #[test]
    fn classes_say_what_to_do_next() {
        use ErrorClass as Class;
        let expected = [
            (ErrorCode::NONE, Class::None),
            (ErrorCode::NOT_ENOUGH_REPLICAS, Class::Retriable),
            (ErrorCode::NOT_LEADER_OR_FOLLOWER, Class::RefreshMetadata),
            (ErrorCode::FENCED_LEADER_EPOCH, Class::RefreshMetadata),
            (ErrorCode::NOT_CONTROLLER, Class::RefreshMetadata),
            (ErrorCode::NOT_COORDINATOR, Class::RefreshCoordinator),
            (ErrorCode::REBOOTSTRAP_REQUIRED, Class::Rebootstrap),
            (ErrorCode::THROTTLING_QUOTA_EXCEEDED, Class::Throttled),
            (
                ErrorCode::INVALID_FETCH_SESSION_EPOCH,
                Class::NewFetchSession,
            ),
            (ErrorCode::OFFSET_OUT_OF_RANGE, Class::CheckPosition),
            (ErrorCode::REBALANCE_IN_PROGRESS, Class::Rejoin),
            (
                ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
                Class::ProducerState,
            ),
            (ErrorCode::CORRUPT_MESSAGE, Class::RefusedData),
            (ErrorCode::TOPIC_AUTHORIZATION_FAILED, Class::Denied),
            (ErrorCode::UNSUPPORTED_VERSION, Class::Fatal),
        ];
        for (code, class) in expected {
            assert_eq!(code.class(), class, "{code}");
        }
    }

    #[test]
    fn what_kafka_calls_retriable_is_retried_unless_a_reason_is_given_here() {
        // As `RetriableException` marks them in Kafka 4.3.
        let retriable_in_kafka = [
            2, 3, 5, 6, 7, 9, 13, 14, 15, 16, 19, 20, 41, 51, 56, 70, 71, 72, 74, 75, 78, 80, 83,
            84, 88, 89, 100, 103, 106, 122, 123, 133,
        ];
        // Damaged bytes stay damaged: they are looked at before they are sent again.
        let kept_from_retrying = [ErrorCode::CORRUPT_MESSAGE];
        // Kafka leaves these to its callers; each is over after a while.
        let retried_besides = [
            ErrorCode::UNKNOWN_SERVER_ERROR,
            ErrorCode::BROKER_NOT_AVAILABLE,
            ErrorCode::STALE_CONTROLLER_EPOCH,
            ErrorCode::OPERATION_NOT_ATTEMPTED,
            ErrorCode::REASSIGNMENT_IN_PROGRESS,
            ErrorCode::REBOOTSTRAP_REQUIRED,
        ];
        for code in (-1..=133).map(ErrorCode) {
            let expected = (retriable_in_kafka.contains(&code.0)
                && !kept_from_retrying.contains(&code))
                || retried_besides.contains(&code);
            assert_eq!(code.is_retriable(), expected, "{code}");
        }
    }

    #[test]
    fn only_refusals_before_the_append_count_as_not_appended() {
        let with = |outcome| -> Vec<i16> {
            (-1..=133)
                .filter(|&code| ErrorCode(code).produce_outcome() == outcome)
                .collect()
        };
        assert_eq!(with(ProduceOutcome::Appended), [0]);
        assert_eq!(
            with(ProduceOutcome::NotAppended),
            [
                2, 10, 17, 18, 19, 21, 29, 31, 32, 35, 43, 49, 51, 53, 76, 87
            ]
        );
        assert_eq!(with(ProduceOutcome::OutOfStep), [45, 46, 47, 48, 59, 90]);
    }

    #[test]
    fn an_answer_that_can_follow_an_append_is_unknown() {
        for code in [
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::REQUEST_TIMED_OUT,
            ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            ErrorCode::KAFKA_STORAGE_ERROR,
            ErrorCode::UNKNOWN_SERVER_ERROR,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode::NETWORK_EXCEPTION,
        ] {
            assert_eq!(code.produce_outcome(), ProduceOutcome::Unknown, "{code}");
        }
    }
}
