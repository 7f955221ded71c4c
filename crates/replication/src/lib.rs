#![forbid(unsafe_code)]
//! One link: what is copied from a source cluster to a destination cluster, and how far.
//!
//! ```text
//!   metadata_sync   topics and partitions of the destination follow the source   observe → plan → apply
//!   data_plane      fetch → route → pipe → send → progress
//!   health          ends of logs, read on a path of its own, compared with how far copying has come
//!   standstill      whether copies of compacted topics were behind for longer than deletions are kept
//!   link            puts the rooms together; they do not know each other
//!   verify          reads both sides and proves the copy, or says where it differs
//! ```

mod clock;
pub mod data_plane;
pub mod health;
pub mod heartbeat;
pub mod help;
pub mod link;
pub mod link_memory;
pub mod metadata_sync;
mod news;
pub mod offset_map;
pub mod origin;
pub mod placement;
pub mod position;
pub mod position_store;
pub mod preflight;
pub mod preview_rights;
pub mod side;
pub mod spread;
pub mod standstill;
mod turn;
pub mod verify;
