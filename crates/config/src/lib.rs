#![forbid(unsafe_code)]
//! Properties and JSON → resolved link, worker and client settings, or *all* problems. No I/O.
//!
//! ```text
//! text of files, flags ──▶ raw::RawConfig ──▶ resolve ──▶ LinkConfig, WorkerConfig + notices
//!                                              ▲      └─▶ or all ConfigProblems
//!                             key, keys: one row per key
//! ```
//!
//! Invariants:
//! * A resolved configuration cannot be invalid; nothing behind this crate checks settings again.
//! * All problems are reported at once, each with key, value, place and what would be right.
//! * No secret is ever part of a problem, a notice or a `Debug` text.
//! * A key is declared once, in `keys/`; what a configuration asks for and this build does not do is said.
//!
//! Deliberately absent: files, environment (`variables::Sources` asks the program for them), clusters. (The third-party crate of this
//! name is not used.)

pub mod address;
pub mod bandwidth;
pub mod client;
pub mod group;
pub mod jaas;
pub mod key;
pub mod keys;
pub mod link;
pub mod naming;
pub mod pattern;
pub mod problem;
mod properties;
pub mod provenance;
pub mod raw;
pub mod reference;
pub mod rename;
pub mod report;
pub mod resolve;
pub mod rest;
pub mod secret;
pub mod security;
pub mod selection;
pub mod transform;
pub mod unit;
pub mod variables;
pub mod worker;
mod yaml;

pub use client::{ClientConfig, HostPort};
pub use link::{
    AclMode, AclSettings, ConfigDelete, DefaultsFrom, FetchSettings, LinkConfig, LoopPrevention,
    OffsetSettings, Offsets, OnForeignWrites, OnGap, OnRecreate, OnRefused, ProduceSettings,
    ReplicationFactor, Start, StartPosition, TimestampType, TopicSettings,
};
pub use naming::{Aliases, Naming};
pub use pattern::{Pattern, PatternList, PatternProblem};
pub use problem::{ConfigProblem, Notice};
pub use raw::RawConfig;
pub use rename::{NameProblem, RenameFormat};
pub use resolve::{Flow, resolve_link, resolve_mirrors, resolve_worker};
pub use secret::Secret;
pub use security::Security;
pub use selection::{Decision, MirrorRules, TopicSelection};
pub use variables::{Sources, Variables};
pub use worker::{OffsetStorage, WorkerConfig};
