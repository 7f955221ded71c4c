//! How data is read and written, and where partitions begin.

use crate::bandwidth::Bandwidth;
use crate::client::ClientConfig;
use crate::key::parse_boolean;
use crate::keys::Scope;
use crate::link::{
    CompressionLevels, FetchSettings, HealthSettings, OffsetSettings, Offsets, OnForeignWrites,
    OnRefused, ProduceSettings, StartGroup,
};
use crate::provenance::Provenance;
use crate::rename::{MAX_TOPIC_NAME, check_name};
use crate::resolve::reader::Reader;

/// With more requests under way an idempotent producer does not keep order.
const MOST_IN_FLIGHT: usize = 5;

pub(super) fn behind(prefixes: &[&str], name: &str) -> Vec<String> {
    prefixes
        .iter()
        .map(|prefix| format!("{prefix}{name}"))
        .collect()
}

/// What becomes of records that the destination refuses: our own key, else Connect's.
pub(super) fn on_refused(reader: &mut Reader<'_>) -> OnRefused {
    match reader.text("tributary.on.refused") {
        Some("skip") => OnRefused::Skip,
        Some("quarantine") => OnRefused::Quarantine,
        Some(_) => OnRefused::Stop,
        None if reader.text("errors.tolerance") == Some("all") => OnRefused::Skip,
        None => OnRefused::Stop,
    }
}

/// What counts as healthy.
pub(super) fn health(reader: &Reader<'_>) -> HealthSettings {
    let defaults = HealthSettings::default();
    HealthSettings {
        stall: reader
            .millis("tributary.health.stall.ms")
            .unwrap_or(defaults.stall),
        objective: reader
            .seconds("tributary.health.lag.seconds")
            .unwrap_or(defaults.objective),
    }
}

/// Where refused records go: a topic that is called after the link.
pub(super) fn quarantine_topic(reader: &mut Reader<'_>, link: Option<&str>) -> String {
    if let Some(entry) = reader.entry("tributary.quarantine.topic") {
        let name = entry.value.trim();
        if let Err(problem) = check_name(name) {
            reader.refuse(entry, problem.to_string(), None);
        }
        return name.to_owned();
    }
    let legal = |c: char| match c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
        true => c,
        false => '_',
    };
    let link: String = link.unwrap_or_default().chars().map(legal).collect();
    let longest = MAX_TOPIC_NAME - ".quarantine".len();
    format!("{}.quarantine", &link[..link.len().min(longest)])
}

/// What records say of where they came from.
pub(super) fn provenance(reader: &mut Reader<'_>) -> Option<Provenance> {
    let key = "provenance.header.filter.overrides";
    let overrides = match Provenance::parse(reader.text(key).unwrap_or_default()) {
        Ok(provenance) => provenance,
        Err(wrong) => {
            if let Some(entry) = reader.entry(key) {
                reader.refuse(entry, wrong, None);
            }
            Provenance::default()
        }
    };
    let enabled = reader.boolean("provenance.header.enable") == Some(true);
    enabled.then_some(overrides)
}

/// The group whose offsets partitions begin at that have no position.
pub(super) fn start_group(reader: &Reader<'_>, link: Option<&str>) -> Option<StartGroup> {
    let group = reader.text("src.consumer.group.id");
    let is_given = group.is_some() || reader.text("offset.start").is_some();
    if !is_given && reader.scope != Scope::Replicator {
        return None;
    }
    let id = group.or(link)?.to_owned();
    Some(StartGroup { id, is_given })
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

pub(super) fn fetch(reader: &mut Reader<'_>, prefixes: &[&str]) -> FetchSettings {
    let defaults = FetchSettings::default();
    let bandwidth = bandwidth(reader);
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
        bandwidth,
        max_connections: reader
            .number("tributary.fetch.connections.max")
            .unwrap_or(defaults.max_connections),
    }
}

fn bandwidth(reader: &mut Reader<'_>) -> Option<Bandwidth> {
    let entry = reader.entry("tributary.bandwidth.limit")?;
    match Bandwidth::parse(&entry.value) {
        Ok(bandwidth) => Some(bandwidth),
        Err(wrong) => {
            let remedy = "write bytes per second, and after commas windows of other rates in UTC: \
                          20MB, 08:00-18:00=5MB, 22:00-04:00=none";
            reader.refuse(entry, wrong, Some(remedy.to_owned()));
            None
        }
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
        levels: levels(reader, prefixes),
    }
}

fn levels(reader: &mut Reader<'_>, prefixes: &[&str]) -> CompressionLevels {
    let mut level = |codec: &str| {
        let key = format!("compression.{codec}.level");
        let entry = reader.first(&behind(prefixes, &key))?;
        let level = reader.number(&entry.key);
        if codec == "gzip" && level == Some(0) {
            let remedy = "choose a number from 1 to 9, or -1 for the default".to_owned();
            reader.refuse(entry, "gzip has no level 0 in Kafka", Some(remedy));
            return None;
        }
        level
    };
    CompressionLevels {
        gzip: level("gzip"),
        lz4: level("lz4"),
        zstd: level("zstd"),
    }
}
