//! `exactly.once.support`: whether records and positions are written in transactions, and how.

use std::time::Duration;

use crate::link::{LinkConfig, Offsets, TransactionSettings};
use crate::resolve::data::behind;
use crate::resolve::reader::Reader;
use crate::worker::{OffsetStorage, WorkerConfig};

const KEY: &str = "exactly.once.support";

/// The settings, where transactions are required. What makes them impossible is a problem.
pub(super) fn transactions(
    reader: &mut Reader<'_>,
    prefixes: &[&str],
    worker: &WorkerConfig,
) -> Option<TransactionSettings> {
    if reader.text(KEY) != Some("required") {
        return None;
    }
    if !worker.exactly_once {
        refuse(
            reader,
            "this worker does not have exactly-once source support enabled",
            "set exactly.once.source.support=enabled for the worker",
        );
    }
    if matches!(worker.offsets, OffsetStorage::File(_)) {
        refuse(
            reader,
            "positions are kept in a file, which takes no part in transactions",
            "set offset.storage.topic for the worker",
        );
    }
    let timeout = reader
        .first(&behind(prefixes, "transaction.timeout.ms"))
        .and_then(|entry| reader.number(&entry.key));
    let given = reader.millis("transaction.boundary.interval.ms");
    Some(TransactionSettings {
        interval: match reader.text("transaction.boundary") {
            Some("interval") => Some(given.unwrap_or(worker.flush_interval)),
            _ => None,
        },
        timeout: Duration::from_millis(timeout.unwrap_or(60_000)),
    })
}

/// What a link cannot have beside transactions.
pub(super) fn check(reader: &mut Reader<'_>, link: &mut LinkConfig) {
    if link.transactions.is_none() {
        return;
    }
    if link.offsets.placement == Offsets::Preserve {
        refuse(
            reader,
            "tributary.offsets=preserve is set too: the end of each transaction takes an offset at the destination",
            "leave one of the two out",
        );
    }
    link.offsets.placement = Offsets::Map;
    if link.may_share_partitions() {
        refuse(
            reader,
            "several source partitions may go to one destination partition, where one transactional producer cannot keep \
             them apart",
            "give each source topic a destination topic of its own (topic.rename.format), and keep partitions \
             (topic.preserve.partitions=true)",
        );
    }
}

fn refuse(reader: &mut Reader<'_>, wrong: &str, remedy: &str) {
    if let Some(entry) = reader.entry(KEY) {
        let wrong = format!("exactly-once delivery cannot be guaranteed: {wrong}");
        reader.refuse(entry, wrong, Some(remedy.to_owned()));
    }
}
