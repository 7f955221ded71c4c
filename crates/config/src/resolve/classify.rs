//! Judges every entry by its row in the table: type, treatment, and the few keys whose value decides.

use crate::key::{ConfigKey, Kind, Treatment, parse_boolean};
use crate::keys::{self, Scope};
use crate::problem::{ConfigProblem, Notice};
use crate::raw::RawEntry;
use crate::resolve::reader::Reader;

const JMX_REPORTER: &str = "org.apache.kafka.common.metrics.JmxReporter";

/// Providers of variables with a native counterpart.
const PROVIDERS: [&str; 3] = [
    "org.apache.kafka.common.config.provider.FileConfigProvider",
    "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
    "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
];

/// Extensions of the HTTP listener that have a native counterpart.
const EXTENSIONS: [&str; 1] = [super::rest::BASIC_EXTENSION];

/// Clients that have no counterpart: data and metadata of a cluster share their settings.
fn unused_clients(scope: Scope) -> &'static [&'static str] {
    match scope {
        Scope::Worker => &["consumer.", "admin."],
        Scope::Replicator => &["consumer.override.", "admin.override."],
        Scope::Mirror | Scope::Own => &[
            "consumer.override.",
            "admin.override.",
            "source.producer.",
            "source.admin.",
            "target.consumer.",
            "target.admin.",
            "admin.",
        ],
        Scope::MirrorFile | Scope::Client => &[],
    }
}

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
            if matches!(row.kind, Kind::ClassOf(..))
                && let Err((wrong, remedy)) = row.check(value)
            {
                return reader
                    .problems
                    .push(row.problem(entry, wrong, Some(remedy)));
            }
            without_effect.push(entry.written());
            return by_value(reader, entry, row);
        }
        Treatment::IgnoredWarn(reason) => {
            if effective {
                reader.warn(format!("{} has no effect: {reason}", entry.written()));
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
        // Moved before entries are judged, so none is left.
        Treatment::Mapped(_) => return,
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
            by_value(reader, entry, row);
            let shown = crate::key::shown_of(entry);
            reader.not_yet(reason, format!("{}={shown}", entry.written()));
        }
        Treatment::Implemented => {
            by_value(reader, entry, row);
            if unused_clients(reader.scope)
                .iter()
                .any(|prefix| entry.key.starts_with(prefix))
            {
                without_effect.push(entry.written());
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
    let key = entry.written();
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
        ("rest.extension.classes", classes) if !classes.is_empty() => {
            let known = |class: &str| EXTENSIONS.contains(&class.trim());
            if !classes.split(',').all(known) {
                reader.warn(format!("{key} has no effect: no Java code runs here"));
            }
        }
        ("use.incremental.alter.configs", "never") => reader.warn(format!(
            "{key}=never has no effect: what is not named in a change is never replaced"
        )),
        ("config.providers.*", class)
            if entry.key.ends_with(".class") && !PROVIDERS.contains(&class) =>
        {
            let remedy = format!("choose one of {}", PROVIDERS.join(", "));
            reader.refuse(entry, "Tributary runs no Java plugins", Some(remedy));
        }
        _ => {}
    }
}

fn unknown(reader: &mut Reader<'_>, entry: &RawEntry) {
    let meant = keys::nearest(reader.scope, &entry.key);
    let ours = entry.key.starts_with("tributary.");
    match keys::known_elsewhere(reader.scope, &entry.key) {
        Some(scope) if !ours => reader.warn(format!(
            "{} ({}) is unknown here and has no effect; it is a key of {scope}",
            entry.written(),
            entry.origin
        )),
        _ => say_unknown(reader, entry, ours, meant),
    }
}

/// An unknown key: among our own it is a problem.
pub(super) fn say_unknown(
    reader: &mut Reader<'_>,
    entry: &RawEntry,
    ours: bool,
    meant: Option<String>,
) {
    if ours {
        reader.problems.push(ConfigProblem {
            key: entry.written().to_owned(),
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
        entry.written(),
        entry.origin
    ));
}
