//! Judges every entry by its row in the table: type, treatment, and the few keys whose value decides.

use crate::key::{ConfigKey, Kind, Treatment, parse_boolean};
use crate::keys;
use crate::problem::{ConfigProblem, Notice};
use crate::raw::RawEntry;
use crate::resolve::reader::Reader;

const JMX_REPORTER: &str = "org.apache.kafka.common.metrics.JmxReporter";

/// Clients of Connect that have no counterpart: the source is read as `src.` says, and data and metadata of the
/// destination share their settings.
const UNUSED_CLIENTS: [&str; 4] = [
    "consumer.override.",
    "admin.override.",
    "consumer.",
    "admin.",
];

pub(super) fn classify(reader: &mut Reader<'_>) {
    let mut without_effect = Vec::new();
    for entry in reader.raw.entries() {
        match reader.scope.find(&entry.key) {
            Some(row) => known(reader, entry, row, &mut without_effect),
            None => unknown(reader, entry),
        }
    }
    if !without_effect.is_empty() {
        let keys = without_effect.join(", ");
        reader
            .notices
            .insert(0, Notice::info(format!("accepted without effect: {keys}")));
    }
}

fn known<'a>(
    reader: &mut Reader<'a>,
    entry: &'a RawEntry,
    row: &'static ConfigKey,
    without_effect: &mut Vec<&'a str>,
) {
    let value = entry.value.trim();
    let effective = is_effective(row, value);
    match row.treatment {
        Treatment::Ignored => {
            without_effect.push(&entry.key);
            return by_value(reader, entry, row);
        }
        Treatment::IgnoredWarn(reason) => {
            if effective {
                reader.warn(format!("{} has no effect: {reason}", entry.key));
            }
            return;
        }
        Treatment::Rejected(remedy) => {
            if effective {
                let wrong = "it cannot be used here".to_owned();
                reader
                    .problems
                    .push(row.problem(entry, wrong, Some(remedy.to_owned())));
            }
            return;
        }
        Treatment::Implemented | Treatment::NotYet(_) => {}
    }
    if value.is_empty() && !matches!(row.kind, Kind::Number(..) | Kind::Boolean | Kind::Fraction) {
        return;
    }
    if let Err((wrong, remedy)) = row.check(value) {
        reader
            .problems
            .push(row.problem(entry, wrong, Some(remedy)));
        return;
    }
    match row.treatment {
        Treatment::NotYet(reason) if effective => {
            let shown = row.shown(value);
            reader.warn(format!(
                "{}={shown} is accepted, but not implemented yet: {reason}",
                entry.key
            ));
        }
        Treatment::Implemented => {
            by_value(reader, entry, row);
            if UNUSED_CLIENTS
                .iter()
                .any(|prefix| entry.key.starts_with(prefix))
            {
                without_effect.push(&entry.key);
            }
        }
        _ => {}
    }
}

/// Whether a value asks for something: neither nothing, nor off, nor what holds anyway. A switch that is on by
/// default is said again only by somebody who relies on it.
fn is_effective(row: &ConfigKey, value: &str) -> bool {
    match row.kind {
        Kind::Boolean => parse_boolean(value) == Some(true),
        _ => !value.is_empty() && row.default != Some(value),
    }
}

/// Keys with one meaning wherever they stand, and values that need a word.
fn by_value(reader: &mut Reader<'_>, entry: &RawEntry, row: &ConfigKey) {
    let key = &entry.key;
    let value = entry.value.trim();
    match (row.name, value) {
        ("isolation.level", "read_uncommitted") => reader.warn(format!(
            "{key}=read_uncommitted has no effect: copies are always read committed, because records of \
             aborted transactions could not be taken back"
        )),
        ("enable.auto.commit" | "allow.auto.create.topics", "true") => {
            reader.warn(format!("{key}=true has no effect: it is always false"));
        }
        ("acks", "0" | "1") => {
            reader.warn(format!("{key}={value} has no effect: acks=all is always used"));
        }
        ("metric.reporters", reporters) if reporters != JMX_REPORTER && !reporters.is_empty() => {
            reader.warn(format!("{key} has no effect: no Java code runs here"));
        }
        _ => {}
    }
}

fn unknown(reader: &mut Reader<'_>, entry: &RawEntry) {
    let meant = keys::nearest(reader.scope, &entry.key);
    if entry.key.starts_with("tributary.") {
        reader.problems.push(ConfigProblem {
            key: entry.key.clone(),
            shown: None,
            origin: Some(entry.origin.clone()),
            wrong: "there is no such key".to_owned(),
            remedy: None,
            did_you_mean: meant,
        });
        return;
    }
    let hint = meant
        .map(|key| format!("; did you mean {key} ?"))
        .unwrap_or_default();
    reader.warn(format!(
        "{} ({}) is unknown and has no effect{hint}",
        entry.key, entry.origin
    ));
}
