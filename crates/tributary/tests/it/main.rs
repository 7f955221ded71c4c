//! The program as a whole: the real binary between real Kafka clusters, judged by librdkafka.
//!
//! Clusters without faults are shared by all tests of this target; tests with faults share one pair behind proxies and
//! take turns on it. Topic and link names are unique, so tests do not see each other.

#![expect(
    clippy::print_stdout,
    reason = "tests print their seeds, figures and tables"
)]

mod acls;
mod alerts;
mod api;
mod api_cli;
mod bad_input;
mod both_ways;
mod changes;
mod config_files;
mod connect_clients;
mod connect_contract;
mod connect_hostile;
mod connect_http;
mod connect_links;
mod connect_scale;
mod connect_take_over;
mod connect_tls;
mod connect_worker;
mod cost;
mod damage;
mod distance;
mod encoded_batches;
mod fault_brokers;
mod fault_gone;
mod fault_hung;
mod fault_network;
mod fault_poison;
mod fault_states;
mod fidelity;
mod group;
mod group_faults;
mod group_moves;
mod group_scale;
mod group_truth;
mod java_patterns;
mod kill;
mod kill_awkward;
mod limits;
mod matrix;
mod memory;
mod metrics;
mod mirror_maker;
mod obstacle;
mod odd_topics;
mod offsets;
mod offsets_choice;
mod offsets_faults;
mod old_records;
mod outage;
mod positions;
mod prometheus;
mod quarantine;
mod secure;
mod slow_line;
mod standstill;
mod starts;
mod support;
mod topics;
mod topics_answers;
mod topics_changes;
mod topics_load;
mod topics_memory;
mod topics_names;
mod topics_preview;
mod topics_said;
mod topics_scale;
mod topics_settings;
mod transactional;
mod trickle;
mod truth;
mod turns;
mod untouched;
mod verify;
mod watched;
mod watching;
