#![forbid(unsafe_code)]
//! Properties and JSON → resolved link, worker and client settings, or *all* problems. No I/O.

pub mod address;
pub mod client;
pub mod link;
pub mod pattern;
pub mod problem;
mod properties;
pub mod raw;
pub mod rename;
pub mod secret;
pub mod selection;
pub mod unit;
pub mod worker;

pub use client::{ClientConfig, HostPort, Security};
pub use link::{
    FetchSettings, LinkConfig, OnGap, OnRecreate, ProduceSettings, StartPosition, TimestampType,
    TopicSettings,
};
pub use pattern::{Pattern, PatternList, PatternProblem};
pub use rename::{NameProblem, RenameFormat};
pub use secret::Secret;
pub use selection::{Decision, TopicSelection};
pub use worker::{OffsetStorage, WorkerConfig};
