//! Seeded records of every shape, and producers that remember what the brokers acknowledged.
//!
//! ```text
//! Generator (seed) ──► Load (codec, plain | idempotent | transactional) ──► topic
//!                        └─► Produced: what was acknowledged and committed, as the judge's digests
//! ```
//!
//! Invariants:
//! * The same seed and shape give the same records.
//! * Order per partition is the generator's: producers never have more in flight than keeps it.
//! * What is not acknowledged is an error of the load, never left out silently.

mod admin;
mod generate;
mod produce;

pub use admin::{
    AdminError, Led, create_partitions, create_topic, create_topic_on, create_topics, delete_topic,
    leaders, set_topic_settings, topic_settings, topics,
};
pub use generate::{GeneratedRecord, Generator, Shape};
pub use produce::{Codec, Load, LoadError, Mode, Produced, RunningLoad};
