#![forbid(unsafe_code)]
//! Properties and JSON → resolved link, worker and client settings, or *all* problems. No I/O.

pub mod client;
