#![forbid(unsafe_code)]
//! The judge as a process of its own: reads, creates, loads and watches topics with librdkafka, which shares no code
//! with Tributary.
//!
//! `cargo xtask demo` and `cargo xtask bench` run it; each subcommand prints one JSON document (or, for `watch`, two
//! numbers a line) on standard output and complains on standard error.

mod copy;
mod generator;
mod latency;
mod load;
mod look;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(
    name = "judge",
    about = "Reads and loads clusters with librdkafka, for cargo xtask"
)]
struct Arguments {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// First and end offset of every partition of every topic but the brokers' own
    Ends { bootstrap: String },
    /// Number of records and a hash over all of them, in order, per partition
    Digest {
        bootstrap: String,
        topic: String,
        /// Of the last record of each key only
        #[arg(long)]
        last_of_keys: bool,
    },
    /// Create a topic with replication factor 1; settings are KEY=VALUE
    Create {
        bootstrap: String,
        topic: String,
        partitions: i32,
        settings: Vec<String>,
    },
    /// Delete every topic but the brokers' own and those named
    Clear {
        bootstrap: String,
        /// Topics to keep
        #[arg(long)]
        keep: Vec<String>,
    },
    /// Fill a topic with generated records until its log on disk has a size
    Load(load::LoadOptions),
    /// Copy a topic record by record into one that it creates, until it is ended
    Copy(copy::CopyOptions),
    /// Produce at a steady rate, and tell how long after the source the destination shows each record
    Latency(latency::LatencyOptions),
    /// Print the number of offsets a topic spans, and in how many partitions the last record is committed, again and again,
    /// until standard output closes
    Watch(look::WatchOptions),
    /// Print generated records, to look at them
    Sample {
        #[arg(long, default_value_t = 3)]
        count: u64,
    },
}

/// Any error of the judge, as text: its caller shows it and stops.
type Answer = Result<serde_json::Value, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match answer(Arguments::parse().command) {
        Ok(value) => {
            // The caller may have gone; nobody is there to be told.
            let _ = writeln!(std::io::stdout(), "{value}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn answer(verb: Verb) -> Answer {
    match verb {
        Verb::Ends { bootstrap } => look::ends(&bootstrap),
        Verb::Digest {
            bootstrap,
            topic,
            last_of_keys,
        } => look::digest(&bootstrap, &topic, last_of_keys),
        Verb::Create {
            bootstrap,
            topic,
            partitions,
            settings,
        } => look::create(&bootstrap, &topic, partitions, &settings),
        Verb::Clear { bootstrap, keep } => look::clear(&bootstrap, &keep),
        Verb::Load(options) => load::run(&options),
        Verb::Copy(options) => copy::run(&options),
        Verb::Latency(options) => latency::run(&options),
        Verb::Watch(options) => look::watch(&options),
        Verb::Sample { count } => {
            let records =
                (0..count).map(|index| generator::record(1, index, generator::RECORD_BYTES));
            let texts = records.map(|record| String::from_utf8_lossy(&record).into_owned());
            Ok(texts.collect())
        }
    }
}
