#![forbid(unsafe_code)]
//! `tributary`: the program. It parses the command line, sets up logging, and hands over to `cli`.

mod answers;
mod asking;
mod cli;
mod distributed;
mod duration;
mod java_options;
mod link_host;
mod metrics;
mod output;
mod overlap;
mod preflight_document;
mod preview_document;
mod progress;
mod rest;
mod settings;
mod shutdown;
mod telemetry;
mod variables;
mod worker;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    shutdown::leave(cli::main())
}
