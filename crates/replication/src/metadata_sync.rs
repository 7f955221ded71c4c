//! Makes the destination's topics like the source's: observe → plan → apply.
//!
//! ```text
//!   observe (both sides) ─▶ Observation ─▶ plan (pure) ─▶ Plan ─▶ apply ─▶ outcomes per topic
//!                                            └─▶ Copies: which topic goes where
//! ```
//!
//! Invariants
//! - The destination's metadata changes only in `apply`, from a plan that was logged.
//! - A topic is created with all of its settings in one request: a topic that exists for a moment
//!   with default retention or cleanup policy can lose data.
//! - What is refused concerns one topic, which is left alone for a while; all others go on.
//!
//! Deliberately absent: records, and changes of settings after creation.

pub mod acl;
mod apply;
mod observe;
mod plan;
mod run;

pub use observe::{Observation, SourceTopic};
pub use plan::{Copy, Plan, Problem, Step};
pub use run::{MetadataSync, Round};
