//! The test support itself, against real brokers.

mod clusters;
mod faults;
mod records;
