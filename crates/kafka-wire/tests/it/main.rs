//! Promises about bytes: against what a real broker wrote, and against what chance builds.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod compression;
mod golden;
mod hostile_records;
mod java_records;
mod reshape;
mod round_trip;
mod support;
