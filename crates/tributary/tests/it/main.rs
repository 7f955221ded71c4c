//! The program as a whole: the real binary between real Kafka clusters, judged by librdkafka.
//!
//! Clusters without faults are shared by all tests of this target; tests with faults share one pair behind proxies and
//! take turns on it. Topic and link names are unique, so tests do not see each other.

#![expect(
    clippy::print_stdout,
    reason = "tests print their seeds, figures and tables"
)]

mod bad_input;
mod damage;
mod fidelity;
mod kill;
mod obstacle;
mod outage;
mod positions;
mod secure;
mod support;
mod topics;
mod untouched;
