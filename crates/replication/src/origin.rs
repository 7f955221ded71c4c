//! Where records come from, told by the producer ids in their batches: what keeps links in both directions, and rings of
//! links, from copying a record twice.
//!
//! ```text
//!   position names a new producer ─▶ Registrar ─▶ registry topic of the destination ─▶ then the first write
//!   fetch answer with unknown ids ─▶ Origins ─▶ registry topic of the source ─▶ OriginRule: which batches are this stream's
//! ```
//!
//! Invariants
//! - An id is registered before anything is written under it, so an id that is not in a registry read *after* its batch was seen
//!   is nobody's copy.
//! - Without a registry that is known to be the right one nothing is decided: an unknown id may be a copy.
//!
//! `entry` and `known` are pure. Deliberately absent: who stops a partition, and which streams there are (`link`).

mod entry;
mod known;
mod read;
mod register;

pub use known::{Decision, OriginRule, Stream};
pub use read::{Origins, OriginsOptions, registrations};
pub use register::Registrar;

/// The registry topic, the same in every cluster.
pub const REGISTRY: &str = "tributary.origins.internal";
