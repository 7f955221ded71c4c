//! What can go wrong between us and a broker, with whom and doing what.
//!
//! Error codes *inside* an answer are not here: they belong to the topic or partition they name, and
//! `kafka_wire::error_code` says what they mean.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use config::client::HostPort;
use kafka_wire::error_code::ErrorCode;
use kafka_wire::frame::FrameError;
use kafka_wire::message::{ApiKey, DecodeError, EncodeError, VersionRange};
use thiserror::Error;

/// Failure of a call to a broker. Every variant but [`ClientError::Encode`],
/// [`ClientError::Unsupported`] and [`ClientError::Refused`] is worth a retry on a new connection.
#[derive(Clone, Debug, Error)]
pub enum ClientError {
    /// None of the addresses could be used; the text lists each with its reason.
    #[error("no broker can be reached: {0}")]
    NoBroker(String),

    /// The host name has no address.
    #[error("cannot resolve {peer}: {cause}")]
    Resolve {
        /// The address as configured or advertised.
        peer: HostPort,
        /// The resolver's words.
        cause: Arc<io::Error>,
    },

    /// TCP connect failed.
    #[error("cannot connect to {peer}: {cause}")]
    Connect {
        /// The address as configured or advertised.
        peer: HostPort,
        /// The operating system's words.
        cause: Arc<io::Error>,
    },

    /// The connection cannot be secured.
    #[error("no secure connection to {peer}: {cause}; {remedy}")]
    Tls {
        /// The broker.
        peer: HostPort,
        /// What is wrong, to be read after the broker's name.
        cause: String,
        /// What to do.
        remedy: String,
    },

    /// The broker does not let us in.
    #[error("{peer} does not let us in: {cause}; {remedy}")]
    Authentication {
        /// The broker.
        peer: HostPort,
        /// What is wrong.
        cause: String,
        /// What to do.
        remedy: String,
    },

    /// What we would secure a connection or authenticate with cannot be used.
    #[error("no connection to {peer} can be made: {cause}")]
    Credentials {
        /// The broker.
        peer: HostPort,
        /// Key, file and what is wrong.
        cause: String,
    },

    /// Nothing came back in time.
    #[error("{peer} did not {what} within {limit:?}")]
    Timeout {
        /// The broker.
        peer: HostPort,
        /// What was awaited, to be read after "did not".
        what: String,
        /// The limit that passed.
        limit: Duration,
    },

    /// The moment until which it was to be asked had passed; nothing was sent.
    #[error("{peer} was not asked for {api}: it had become too late for that")]
    TooLate {
        /// The broker.
        peer: HostPort,
        /// The API.
        api: ApiKey,
    },

    /// The connection ended, or was given up, while an answer was awaited.
    #[error("connection to {peer} ended: {cause}")]
    Closed {
        /// The broker.
        peer: HostPort,
        /// What ended it.
        cause: String,
    },

    /// A frame that cannot be.
    #[error("{peer} sent a frame that cannot be: {cause}")]
    Frame {
        /// The broker.
        peer: HostPort,
        /// What is wrong with it.
        cause: FrameError,
    },

    /// An answer that does not follow the protocol.
    #[error("{peer} sent an answer that cannot be read: {cause}")]
    Decode {
        /// The broker.
        peer: HostPort,
        /// API, version and place.
        cause: DecodeError,
    },

    /// A request that cannot be expressed at the negotiated version.
    #[error("cannot ask {peer}: {cause}")]
    Encode {
        /// The broker.
        peer: HostPort,
        /// What cannot be expressed.
        cause: EncodeError,
    },

    /// Broker and Tributary have no version of this API in common.
    #[error(
        "{peer} is too old or too new: it offers {api} {offered}, Tributary speaks {}–{}; Kafka 2.4 or newer is needed",
        own.min, own.max
    )]
    Unsupported {
        /// The broker.
        peer: HostPort,
        /// The API.
        api: ApiKey,
        /// What the broker offers, as text ("not at all" where it does not know the API).
        offered: String,
        /// What this program speaks.
        own: VersionRange,
    },

    /// The broker answered the request as a whole with an error code.
    #[error("{peer} refused {api}: {code}")]
    Refused {
        /// The broker.
        peer: HostPort,
        /// The API.
        api: ApiKey,
        /// The broker's code.
        code: ErrorCode,
    },

    /// The broker is not in the cluster's metadata (any more).
    #[error("broker {0} is not in the cluster's metadata")]
    UnknownNode(i32),

    /// The part of the program that would have answered has stopped.
    #[error("stopping")]
    Stopping,
}

impl ClientError {
    /// All addresses of a cluster have failed.
    pub(crate) fn no_broker(tried: &[Self]) -> Self {
        let mut text: Vec<String> = tried.iter().map(ToString::to_string).collect();
        let is_reached = |error: &Self| {
            matches!(
                error,
                Self::Tls { .. } | Self::Authentication { .. } | Self::Credentials { .. }
            )
        };
        // Where a broker was reached its own error says what to do.
        if !tried.iter().any(is_reached) {
            text.push(
                "check the bootstrap addresses, and that a broker listens there; see docs/errors/no-broker.md"
                    .to_owned(),
            );
        }
        Self::NoBroker(text.join("; "))
    }

    /// `peer` has not answered within `limit`.
    pub(crate) fn no_answer(peer: &HostPort, api: ApiKey, limit: Duration) -> Self {
        Self::Timeout {
            peer: peer.clone(),
            what: format!("answer {api}"),
            limit,
        }
    }
}
