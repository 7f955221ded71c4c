//! Produce: one batch per partition to one broker.
//!
//! ```text
//! segment 0   length · request header · body up to the first batch's 61 header bytes
//! segment 1   the first batch from byte 61: a slice of the source's fetch answer
//! segment 2   framing up to and with the next 61 header bytes
//! …
//! last        tagged fields that end the body, where the version has them
//! ```
//!
//! Invariants:
//! - *No copies of payloads*: only framing and headers are written, into one buffer that the
//!   segments share.
//! - *One batch per partition*: a topic or partition named twice is refused here. A broker would
//!   append only the last of them and say nothing about the other.
//!
//! From version 13 on topics are named by id (KIP-516), so nothing is written to a re-created topic
//! by mistake.

mod request;
mod response;
#[cfg(test)]
mod tests;

pub use request::{ProducePartition, ProduceRequest, ProduceTopic};
pub use response::{ProduceResponse, ProducedPartition, ProducedTopic, RecordError};
