#![forbid(unsafe_code)]
//! Who runs which link: configurations, wanted states, tasks, status and restarts of one worker.
//!
//! ```text
//!   rest-api, files ── Handle ──▶ Engine (one task owns everything) ── start, stop ──▶ Host ──▶ a link
//!                                   │  ConfigState ◀── records of Connect's config topic
//!                                   └─ reconcile: what is wanted × what runs → start, stop, wait
//! ```
//!
//! Invariants:
//! * The engine never waits for a link: it stays answerable while links start and stop.
//! * There is never more than one future of a link at a time.
//! * Configurations are kept as they were given; only `name` may be added.
//!
//! Deliberately absent: HTTP (`rest-api`), and how a link is run (the program joins this crate and `replication`).

mod adjustment;
pub mod assignor;
pub mod config_record;
pub mod config_state;
pub mod deal;
pub mod detail;
pub mod engine;
pub mod herder;
pub mod host;
pub mod loggers;
mod membership;
pub mod offset_change;
pub mod plugin;
pub mod refusal;
pub mod restart;
pub mod signing;
pub mod state;
pub mod status_record;
pub mod stores;
pub mod validate;
pub mod view;

use std::collections::BTreeMap;

pub use engine::{Engine, EngineOptions, Handle};
pub use herder::{Herder, HerderOptions, Submission, Submit, Submitted};
pub use refusal::{Kind, Refusal};

/// A configuration as it is kept: keys and values as given.
pub type Config = BTreeMap<String, String>;

/// A configuration as it arrives, where a key may stand for nothing.
pub type GivenConfig = BTreeMap<String, Option<String>>;
