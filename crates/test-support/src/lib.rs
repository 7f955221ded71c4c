#![forbid(unsafe_code)]
//! What the tests, the demo and the benchmark stand on: real Kafka brokers, faults, load and a judge.
//!
//! ```text
//! kafka_jars ──► kafka_cluster ──► kafka_process ──► managed_process   (nothing survives its owner)
//!     │               │
//!     ▼               └──► fault_proxy, one per broker, when asked for
//!   tools (Kafka's own command line programs, MirrorMaker 2)
//!
//! workload ──► source ──► tributary_process ──► destination ──► judge
//! ```
//!
//! Invariants:
//! * No process outlives the one that started it, however that one ends.
//! * Nothing here uses `kafka-client`, the code under test, and the judge decodes with librdkafka alone.
//! * A broker that does not start is an error with its log, never a skipped test.
//! * Every wait has a limit and says what it waited for.
//!
//! Deliberately absent: an embedded imitation of a broker. [`fake_broker`] only answers what a script says.

pub mod certificates;
pub mod class_archive;
pub mod client_libraries;
mod environment;
pub mod eventually;
pub mod fake_broker;
pub mod fault_proxy;
#[cfg(feature = "judge")]
pub mod judge;
pub mod kafka_cluster;
pub mod kafka_jars;
pub mod kafka_process;
pub mod kdc;
pub mod limits;
pub mod machine_limit;
pub mod managed_process;
pub mod ports;
pub mod raw;
pub mod run_directory;
pub mod secure_cluster;
pub mod shared;
pub mod token_issuer;
pub mod tools;
pub mod tributary_process;
#[cfg(feature = "judge")]
pub mod workload;

pub use kafka_cluster::KafkaCluster;
pub use kafka_jars::{KafkaJars, KafkaVersion};
