//! Moves batches from the source to the destination and remembers how far.
//!
//! ```text
//!  fetcher (one per source broker) ──batches──▶ ┌──────┐ ──calls──▶ lane (one per destination broker)
//!        ◀──orders── what has room              │ Core │ ◀──answers──
//!  locate, establish (asked when needed) ─────▶ │      │ ──positions──▶ store
//!                                               └──────┘ ──▶ status
//! ```
//!
//! One task (`run`) owns the `core`, which decides everything and waits for nothing; the others do
//! I/O and report. Batches are slices of the fetch answer's memory from here to the socket.
//!
//! Deliberately absent: which topics there are (`metadata_sync`).

mod aside;
mod borrow;
mod change;
mod core;
mod decode;
mod establish;
mod fetcher;
mod fill;
mod flow;
mod foresee;
mod late;
mod lingering;
mod locate;
mod memory;
mod pace;
mod partition;
mod piped;
mod placing;
mod quarantine;
mod recovery;
mod route;
mod run;
mod send_state;
mod status;
mod transact;
mod transaction;
mod whole;

pub use change::{Changes, Origin};
pub use core::{Answer, Assignment, NotResumed};
pub use flow::{Flow, Recent, Stage};
pub use foresee::{Candidate, foresee};
pub use partition::{Loss, Lost, Stop, Totals};
pub use piped::DecodeReason;
pub use run::{DataPlane, Handle, Options};
pub use status::{PartitionStatus, Side, Snapshot, State, Way};
pub use transact::Transactions;
