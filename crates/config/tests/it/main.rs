//! Configurations as users give them: what is resolved, what is refused and with which sentence.

mod any_text;
mod java_patterns;
mod known_keys;
mod listeners;
mod mirror;
mod right;
mod security;
mod security_aws;
mod security_shown;
mod transforms;
mod wrong;
mod wrong_more;

use config::raw::RawConfig;
use config::{OffsetStorage, WorkerConfig};

/// The flag that test settings seem to come from.
const FLAG: &str = "--set";

/// `key=value` lines over a link that is complete without them; a line `key` alone removes that key.
fn link(lines: &str) -> RawConfig {
    let mut raw = RawConfig::new();
    let base = [
        ("name", "copy"),
        ("src.kafka.bootstrap.servers", "west:9092"),
        ("dest.kafka.bootstrap.servers", "east:9092"),
        ("topic.regex", "orders.*"),
    ];
    let removed: Vec<&str> = lines
        .lines()
        .map(str::trim)
        .filter(|line| !line.contains('='))
        .collect();
    for (key, value) in base.into_iter().filter(|(key, _)| !removed.contains(key)) {
        raw.set_flag(FLAG, key, value);
    }
    for line in lines
        .lines()
        .map(str::trim)
        .filter(|line| line.contains('='))
    {
        raw.set_from_flag(FLAG, line).expect("it contains =");
    }
    raw
}

fn worker(lines: &str) -> RawConfig {
    let mut raw = RawConfig::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        raw.set_from_flag(FLAG, line).expect("it contains =");
    }
    raw
}

fn no_cluster() -> WorkerConfig {
    WorkerConfig::new(OffsetStorage::File("positions".into()))
}
