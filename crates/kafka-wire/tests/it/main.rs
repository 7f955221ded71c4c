//! Promises about bytes: against what a real broker wrote, and against what chance builds.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod golden;
mod round_trip;
