#![deny(unsafe_code)]
//! The only crate that opens a broker socket.
//!
//! ```text
//!   Cluster ── address book, one lane per broker and use ──▶ Lane ──▶ Connection
//!   fetch and produce paths take a Connection of their own: ─────────▶ Connection
//!   Connection = dial (DNS, TCP, TLS, SASL) + handshake (ApiVersions)
//!                + FrameReader / FrameWriter, both cancel-safe
//! ```
//!
//! Invariants
//! - A connection on which anything was in doubt (cut frame, wrong correlation id, an abandoned
//!   request) is poisoned: it answers nothing any more, and whoever owns it dials a new one.
//! - Every request has a deadline.
//! - Fetch and produce never share a connection with anything else: a long poll or a slow append
//!   blocks whatever stands behind it (brokers serve one request per connection at a time).
//!
//! Deliberately absent: what is copied and how far (that is `replication`), and caching of topic
//! metadata — who needs leaders asks for them and keeps them.

pub mod buffer;
pub mod cluster;
pub mod committed;
pub mod connection;
pub mod error;
pub mod fetch_session;
pub mod group;
pub mod meter;
pub mod offsets;
pub mod produce_lane;
mod security;
pub mod topic_log;
pub mod transactions;

pub use buffer::{Buffers, Reservation, Turn};
pub use cluster::Cluster;
pub use connection::Connection;
pub use error::ClientError;
pub use security::{ListenerProtection, OutwardProtection};
