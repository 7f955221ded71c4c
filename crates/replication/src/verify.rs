//! Proves a copy: compares both sides partition by partition and explains every difference.
//!
//! ```text
//!   source log ──read──▶ fingerprints ──▶ ┌─────────┐
//!                                         │ Aligner │ ──▶ Findings: matched, explained, differences
//!   destination log ──read──▶ … ────────▶ └─────────┘
//!        ▲ ranges and guide: stored position and map (`stored`), log starts and ends (`plan`)
//! ```
//!
//! `align`, `expect`, `memory`, `findings`, `fingerprint` and `plan` are pure; `read`, `show`, `partition`, `run` and `stored` ask
//! brokers. Nothing is ever written.
//!
//! Deliberately absent: which topics a link copies (the caller says so), and settings, groups and access rights.

mod align;
mod block;
mod expect;
mod findings;
mod fingerprint;
mod memory;
mod partition;
mod plan;
mod read;
mod run;
mod show;
mod stored;

pub use findings::{Difference, Explained, Kind};
pub use fingerprint::Part;
pub use plan::Range;
pub use run::{Level, Options, Pair, PartitionReport, Progress, Verdict, pairs, verify};
pub use show::{Excerpt, ShownRecord, ShownSide};
pub use stored::{StoredCopies, StoredCopy, load, load_file};
