//! Whether the copy of a compacted topic may lack deletions.
//!
//! A broker keeps a tombstone for `delete.retention.ms` and then removes it together with the records it deletes. A copy that
//! was behind for longer may never see it, and keeps for ever what the source has not any more. That cannot be seen in
//! either log afterwards, so the time is remembered:
//!
//! ```text
//!   data path, health ──ends, progress──▶ Trail (pure) ──▶ stored beside positions
//!                                           └── behind for longer than deletions are kept ──▶ Missed ──▶ state of the topic
//! ```
//!
//! Invariants
//! - A time counts only where everything that was there at that time is in the copy.
//! - Readings count from before they were asked for, and time is that of the wall: a machine that sleeps stands still too.
//! - What was missed is shown until the copy is another topic or somebody takes note of it; also after a restart.
//!
//! Deliberately absent: a look into the logs. Whether there was a tombstone cannot be told when it is gone.

mod record;
mod run;
mod trail;

pub use run::{Look, STATE, Seen, Standstill, StandstillHandle, StandstillOptions};
