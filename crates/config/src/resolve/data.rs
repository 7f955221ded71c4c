//! How data is read and written, and where partitions begin.

use crate::client::ClientConfig;
use crate::key::parse_boolean;
use crate::link::{
    FetchSettings, OffsetSettings, Offsets, OnForeignWrites, OnRefused, ProduceSettings,
};
use crate::resolve::reader::Reader;

/// With more requests under way an idempotent producer does not keep order.
const MOST_IN_FLIGHT: usize = 5;

fn behind(prefixes: &[&str], name: &str) -> Vec<String> {
    prefixes
        .iter()
        .map(|prefix| format!("{prefix}{name}"))
        .collect()
}

/// What becomes of records that the destination refuses: our own key, else Connect's.
pub(super) fn on_refused(reader: &mut Reader<'_>) -> OnRefused {
    match reader.text("tributary.on.refused") {
        Some("skip") => OnRefused::Skip,
        Some("quarantine") => {
            if let Some(entry) = reader.entry("tributary.on.refused") {
                reader.refuse(
                    entry,
                    "refused records cannot be quarantined yet",
                    Some("choose one of stop, skip".to_owned()),
                );
            }
            OnRefused::Stop
        }
        Some(_) => OnRefused::Stop,
        None if reader.text("errors.tolerance") == Some("all") => OnRefused::Skip,
        None => OnRefused::Stop,
    }
}

/// Which offsets records get at the destination.
pub(super) fn offsets(reader: &Reader<'_>) -> OffsetSettings {
    let defaults = OffsetSettings::default();
    OffsetSettings {
        placement: match reader.text("tributary.offsets") {
            Some("preserve") => Offsets::Preserve,
            Some("map") => Offsets::Map,
            _ => Offsets::Auto,
        },
        max_padding: reader
            .number("tributary.offsets.max.padding")
            .unwrap_or(defaults.max_padding),
        follow_start: reader
            .boolean("tributary.offsets.follow.start")
            .unwrap_or(defaults.follow_start),
        on_foreign_writes: match reader.text("tributary.on.foreign.writes") {
            Some("map") => OnForeignWrites::Map,
            Some(_) => OnForeignWrites::Stop,
            // Several links may write to one topic: that has to go on working where nothing else was asked for.
            None if reader.text("tributary.offsets") == Some("preserve") => OnForeignWrites::Stop,
            None => OnForeignWrites::Map,
        },
    }
}

pub(super) fn fetch(reader: &Reader<'_>, prefixes: &[&str]) -> FetchSettings {
    let defaults = FetchSettings::default();
    let text = |name: &str| {
        let entry = reader.first(&behind(prefixes, name))?;
        Some(entry.value.trim())
    };
    let number = |name: &str| text(name).and_then(|text| text.parse().ok());
    FetchSettings {
        min_bytes: number("fetch.min.bytes").unwrap_or(defaults.min_bytes),
        max_bytes: number("fetch.max.bytes").unwrap_or(defaults.max_bytes),
        max_wait: text("fetch.max.wait.ms")
            .and_then(|text| text.parse().ok())
            .map_or(defaults.max_wait, std::time::Duration::from_millis),
        max_partition_bytes: number("max.partition.fetch.bytes")
            .unwrap_or(defaults.max_partition_bytes),
        check_crcs: text("check.crcs").and_then(parse_boolean).unwrap_or(false),
    }
}

pub(super) fn produce(
    reader: &mut Reader<'_>,
    prefixes: &[&str],
    destination: Option<&ClientConfig>,
) -> ProduceSettings {
    let defaults = ProduceSettings::default();
    let mut max_in_flight = defaults.max_in_flight;
    let keys = behind(prefixes, "max.in.flight.requests.per.connection");
    if let Some(entry) = reader.first(&keys)
        && let Some(wanted) = reader.number::<usize>(&entry.key)
    {
        if wanted > MOST_IN_FLIGHT {
            reader.warn(format!(
                "{}={wanted}: {MOST_IN_FLIGHT} is used, the most with which order is kept",
                entry.written()
            ));
        }
        max_in_flight = wanted.min(MOST_IN_FLIGHT);
    }
    let max_request_size = reader
        .first(&behind(prefixes, "max.request.size"))
        .and_then(|entry| reader.number(&entry.key));
    ProduceSettings {
        max_request_size: max_request_size.unwrap_or(defaults.max_request_size),
        max_in_flight,
        request_timeout: destination
            .map_or(defaults.request_timeout, |client| client.request_timeout),
    }
}
