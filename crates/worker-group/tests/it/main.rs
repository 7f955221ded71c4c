//! The decisions of a group, against those of Kafka Connect's own classes.

#![expect(clippy::print_stdout, reason = "tests print their seeds and figures")]

mod java_assignor;
