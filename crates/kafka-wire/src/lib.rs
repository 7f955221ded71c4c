#![forbid(unsafe_code)]
//! Kafka bytes in, values out: protocol messages, frames, record batches, records.
//!
//! No I/O, no clock, no runtime: everything here is a function of its arguments.

pub mod batch;
pub mod error_code;
pub mod frame;
pub mod message;
pub mod record;
pub mod types;
