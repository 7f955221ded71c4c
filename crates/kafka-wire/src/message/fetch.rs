//! Fetch: batches of many partitions from one broker.
//!
//! Incremental sessions (KIP-227): a request of a session names only partitions that are new or
//! changed and lists the forgotten ones; an answer names only partitions with something to say.
//! From version 13 on topics are named by id, so a re-created topic cannot be read by mistake.
//!
//! The answer is walked once. `records` of every partition are a slice of the answer, not a copy;
//! they are cut into batches elsewhere (`batch.rs`).

mod request;
mod response;
#[cfg(test)]
mod tests;

pub use request::{FetchPartition, FetchRequest, FetchTopic};
pub use response::{FetchResponse, FetchedPartition, FetchedTopic};
