//! What can be wrong with a message, as values: nothing is matched by text.

use super::{ApiKey, VersionRange};

/// An answer that cannot be read. The peer and this code disagree about its bytes, so the
/// connection it came from is given up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {api} answer (version {version}) cannot be read at {what}: {problem}")]
pub struct DecodeError {
    /// The API of the request.
    pub api: ApiKey,
    /// The version the request was sent with.
    pub version: i16,
    /// The field that was being read.
    pub what: &'static str,
    /// What is wrong with it.
    pub problem: DecodeProblem,
}

/// What is wrong with a field of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeProblem {
    /// The bytes end inside the field.
    #[error("{needed} bytes needed, {left} left")]
    EndOfBytes {
        /// Bytes the field needs.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// A count or a length that the bytes left cannot hold, or that is below zero.
    #[error("length {length} does not fit the {left} bytes left")]
    Length {
        /// The length or count as sent.
        length: i64,
        /// Bytes that are left.
        left: usize,
    },
    /// Null where the protocol does not allow it.
    #[error("null is not allowed here")]
    Null,
    /// A string that is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// A variable-length number above 32 bits.
    #[error("a variable-length number is above 32 bits")]
    VarintTooLong,
    /// Tagged fields have to come in rising order (KIP-482); this one did not.
    #[error("tagged field {tag} is out of order")]
    TagOrder {
        /// The tag.
        tag: u32,
    },
    /// A number outside the range its meaning allows.
    #[error("{value} is out of range")]
    OutOfRange {
        /// The number as sent.
        value: i64,
    },
    /// Bytes are left over after the last field.
    #[error("{left} bytes left over")]
    LeftOver {
        /// How many.
        left: usize,
    },
    /// The version is outside what this code speaks; a mistake on this side.
    #[error("only versions {range} are spoken here")]
    Version {
        /// The versions this code speaks.
        range: VersionRange,
    },
}

/// A request that cannot be written. Nothing was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {api} request (version {version}) cannot be written at {what}: {problem}")]
pub struct EncodeError {
    /// The API of the request.
    pub api: ApiKey,
    /// The version it was to be written in.
    pub version: i16,
    /// The field that was being written.
    pub what: &'static str,
    /// What is wrong with it.
    pub problem: EncodeProblem,
}

/// What is wrong with a field of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeProblem {
    /// The version is outside what this code speaks.
    #[error("only versions {range} are spoken here")]
    Version {
        /// The versions this code speaks.
        range: VersionRange,
    },
    /// Longer than the protocol can say.
    #[error("{length} is more than the protocol can express")]
    TooLong {
        /// Bytes or elements.
        length: usize,
    },
    /// The value needs a later version of the API.
    #[error("needs version {since} or later")]
    NeedsVersion {
        /// The first version that can carry it.
        since: i16,
    },
    /// This version names topics by id, and the topic's id is not known.
    #[error("the topic's id is not known")]
    NoTopicId,
    /// A topic or partition twice in one request: a broker keeps only the last one, silently.
    #[error("a topic or partition is named twice in one request")]
    Twice,
}
