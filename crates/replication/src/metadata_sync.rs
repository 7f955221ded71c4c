//! Makes the destination's topics like the source's: observe → plan → apply.
//!
//! ```text
//!   observe (both sides) ─▶ Observation ─┐
//!   History (earlier rounds, positions) ─┴▶ plan (pure) ─▶ Plan ─▶ apply ─▶ outcomes per topic
//!                                            ├─▶ Copies: which topic goes where
//!                                            └─▶ Problems: conditions of topics, with reasons
//! ```
//!
//! Invariants
//! - The destination's metadata changes only in `apply`, from a plan that was logged.
//! - A topic is created with all of its settings in one request: a topic that exists for a moment
//!   with default retention or cleanup policy can lose data.
//! - What is refused concerns one topic, which is left alone for a while; all others go on.
//! - A round that finds nothing to do sends only requests that look.
//! - Nothing is ever deleted, shrunk or moved, and the source is never changed.
//!
//! Deliberately absent: records.

pub mod acl;
mod apply;
mod condition;
mod first;
mod history;
mod lasting;
mod looking;
mod observe;
mod operations;
mod plan;
pub mod preview;
mod retention;
mod run;

pub use condition::{Condition, Problem};
pub use history::{History, Replicated};
pub use looking::Looking;
pub use observe::{Observation, Settings, Topic};
pub use operations::{Came, Changed, Operations, Outcomes};
pub use plan::{Copy, Plan, Rules, SettingChange, Step};
pub use run::{MetadataSync, Round};
