//! What can go wrong with a topic that holds state.

use std::time::Duration;

use kafka_wire::error_code::ErrorCode;
use kafka_wire::types::{PartitionId, TopicName};
use thiserror::Error;

use crate::error::ClientError;

/// Failure of the store.
#[derive(Debug, Error)]
pub enum TopicLogError {
    /// The cluster could not be asked.
    #[error("topic {topic}: {cause}")]
    Client {
        /// The topic.
        topic: TopicName,
        /// What happened.
        cause: ClientError,
    },
    /// A broker refused.
    #[error("topic {topic}: {what} was answered with {code}{detail}")]
    Refused {
        /// The topic.
        topic: TopicName,
        /// What was asked.
        what: &'static str,
        /// The answer.
        code: ErrorCode,
        /// The broker's words, with a separator, or nothing.
        detail: String,
    },
    /// The topic exists with another policy and would lose what it is to keep.
    #[error(
        "topic {topic} has cleanup.policy={found} and would lose positions: set it to compact \
         (kafka-configs --alter --entity-type topics --entity-name {topic} --add-config cleanup.policy=compact)"
    )]
    NotCompacted {
        /// The topic.
        topic: TopicName,
        /// Its policy.
        found: String,
    },
    /// A record cannot be read.
    #[error("topic {topic} partition {partition}: {cause}")]
    Unreadable {
        /// The topic.
        topic: TopicName,
        /// The partition.
        partition: PartitionId,
        /// What is wrong.
        cause: String,
    },
    /// It took too long.
    #[error("topic {topic}: not {what} within {limit:?}; the last trouble was: {last}")]
    TimedOut {
        /// The topic.
        topic: TopicName,
        /// What was to be reached.
        what: &'static str,
        /// The limit.
        limit: Duration,
        /// The newest error.
        last: String,
    },
}

impl TopicLogError {
    /// Whether a record, or what it was sent with, has more bytes than the topic takes.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        matches!(
            self,
            Self::Refused {
                code: ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE,
                ..
            }
        )
    }
}
