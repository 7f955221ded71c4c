//! Which settings a copy is to have, and what has to change for that.
//!
//! A setting is *managed* when it is copied if the source has it: not read-only, not secret, not
//! excluded, and known to the destination. What is not managed is never looked at on the destination,
//! so that whoever runs it keeps what they set there.

use std::collections::{BTreeMap, BTreeSet};

use config::link::{ConfigDelete, DefaultsFrom, TopicSettings};
use kafka_wire::message::describe_configs::{ConfigEntry, ConfigSource};

use super::super::condition::Condition;
use super::super::history::History;
use super::step::SettingChange;

/// Settings that are never copied: broker ids of the other cluster, or of no effect and unknown to
/// newer brokers.
const NEVER_COPIED: [&str; 4] = [
    "leader.replication.throttled.replicas",
    "follower.replication.throttled.replicas",
    "message.format.version",
    "confluent.placement.constraints",
];
const TIMESTAMP_TYPE: &str = "message.timestamp.type";
const MIN_INSYNC: &str = "min.insync.replicas";
const MAX_BATCH: &str = "max.message.bytes";
const CLEANUP_POLICY: &str = "cleanup.policy";

/// The settings a copy is to have.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Wanted {
    pub(super) entries: BTreeMap<String, String>,
    /// What an operator should know about single ones.
    pub(super) notes: Vec<(Condition, String)>,
    /// What holds for all topics alike.
    pub(super) notices: BTreeSet<String>,
}

fn is_managed(entry: &ConfigEntry, settings: &TopicSettings) -> bool {
    let name = entry.name.as_str();
    let fixed = name == TIMESTAMP_TYPE && settings.timestamp_type.is_some();
    !entry.read_only
        && !entry.sensitive
        && !NEVER_COPIED.contains(&name)
        && (fixed || !settings.config_exclude.is_match(name))
}

/// Whether the source's value is to be set on the copy.
fn is_copied(entry: &ConfigEntry, settings: &TopicSettings) -> bool {
    match (entry.source, settings.defaults_from) {
        (ConfigSource::Topic, _)
        | (
            ConfigSource::Broker | ConfigSource::ClusterDefault | ConfigSource::Default,
            DefaultsFrom::Source,
        ) => true,
        // What stands in a broker's file says something about that broker.
        (ConfigSource::BrokerFile | ConfigSource::Other(_), _)
        | (
            ConfigSource::Broker | ConfigSource::ClusterDefault | ConfigSource::Default,
            DefaultsFrom::Target,
        ) => false,
    }
}

/// The settings of a copy with `replicas` replicas; −1 where that is not known yet.
pub(super) fn wanted(
    source: &[ConfigEntry],
    replicas: i16,
    settings: &TopicSettings,
    known: Option<&BTreeSet<String>>,
) -> Wanted {
    let mut wanted = Wanted::default();
    if let Some(kind) = settings.timestamp_type {
        let value = kind.as_str().to_owned();
        wanted.entries.insert(TIMESTAMP_TYPE.to_owned(), value);
    }
    for entry in source {
        let name = entry.name.as_str();
        let Some(value) = entry.value.as_deref().map(str::trim) else {
            continue;
        };
        let fixed = wanted.entries.contains_key(name);
        if fixed || !is_managed(entry, settings) || !is_copied(entry, settings) {
            continue;
        }
        if known.is_some_and(|known| !known.contains(name)) {
            wanted.notices.insert(format!(
                "the destination does not know the setting {name}; it is not copied"
            ));
            continue;
        }
        if let Some(reason) = out_of_reach(name, value, replicas) {
            // With the destination's default number it is set once that can be seen.
            if replicas > 0 {
                wanted.notes.push((Condition::SettingLeftOut, reason));
            }
            continue;
        }
        wanted.entries.insert(name.to_owned(), value.to_owned());
    }
    wanted
}

/// Why a setting asks for more in-sync replicas than there are, if it does.
pub(in super::super) fn out_of_reach(name: &str, value: &str, replicas: i16) -> Option<String> {
    let more = name == MIN_INSYNC && value.parse::<i16>().is_ok_and(|least| least > replicas);
    more.then(|| {
        format!("{MIN_INSYNC}={value} is not copied: with replication factor {replicas} nothing could be written")
    })
}

/// What has to change on `copy`, of which `own` names were set by this link.
pub(super) fn difference(
    wanted: &Wanted,
    copy: &[ConfigEntry],
    settings: &TopicSettings,
    own: Option<&BTreeSet<String>>,
) -> Vec<SettingChange> {
    let actual: BTreeMap<&str, &ConfigEntry> = copy
        .iter()
        .filter(|entry| entry.source == ConfigSource::Topic && is_managed(entry, settings))
        .map(|entry| (entry.name.as_str(), entry))
        .collect();
    let lists: BTreeSet<&str> = copy
        .iter()
        .filter(|entry| entry.list)
        .map(|entry| entry.name.as_str())
        .collect();
    let value = |entry: &ConfigEntry| entry.value.clone().unwrap_or_default();
    let mut changes = Vec::new();
    for (name, to) in &wanted.entries {
        let from = actual.get(name.as_str()).map(|entry| value(entry));
        let list = lists.contains(name.as_str()) || name == CLEANUP_POLICY;
        if from.as_deref().is_none_or(|from| !is_same(from, to, list)) {
            changes.push(SettingChange {
                name: name.clone(),
                from,
                to: Some(to.clone()),
            });
        }
    }
    for (name, entry) in actual {
        let removed = match settings.config_delete {
            ConfigDelete::Follow => true,
            ConfigDelete::Own => own.is_some_and(|own| own.contains(name)),
            ConfigDelete::Never => false,
        };
        if removed && !wanted.entries.contains_key(name) {
            changes.push(SettingChange {
                name: name.to_owned(),
                from: Some(value(entry)),
                to: None,
            });
        }
    }
    changes
}

/// Values as brokers mean them: without space around, lists in any order.
fn is_same(one: &str, other: &str, list: bool) -> bool {
    if !list {
        return one.trim() == other.trim();
    }
    let items = |text: &str| -> BTreeSet<String> {
        let items = text.split(',').map(str::trim);
        items.filter(|i| !i.is_empty()).map(str::to_owned).collect()
    };
    items(one) == items(other)
}

/// Leaves out what the destination has refused before, as long as nothing else is wanted.
pub(super) fn without_refused(
    changes: Vec<SettingChange>,
    copy: &kafka_wire::types::TopicName,
    history: &History,
) -> (Vec<SettingChange>, Vec<(Condition, String)>) {
    let mut notes = Vec::new();
    let mut left = Vec::new();
    for change in changes {
        match history.refused.get(&(copy.clone(), change.name.clone())) {
            Some(refused) if refused.value == change.to => {
                notes.push((Condition::SettingRefused, refusal(&change, &refused.reason)));
            }
            _ => left.push(change),
        }
    }
    (left, notes)
}

/// A setting that was refused, in a sentence.
pub(in super::super) fn refusal(change: &SettingChange, reason: &str) -> String {
    match &change.to {
        Some(value) => format!(
            "the destination refuses the setting {}={value}: {reason}",
            change.name
        ),
        None => format!(
            "the destination refuses to remove the setting {}: {reason}",
            change.name
        ),
    }
}

/// What follows from the values in force on both sides, whoever set them, once `changes` are made.
pub(super) fn effects(
    source: &[ConfigEntry],
    copy: &[ConfigEntry],
    changes: &[SettingChange],
) -> Vec<(Condition, String)> {
    let value = |entries: &[ConfigEntry], name: &str| -> Option<String> {
        let entry = entries.iter().find(|entry| entry.name == name)?;
        entry.value.clone()
    };
    // What holds where a topic's own value is removed is not known before.
    let after = |name: &str| match changes.iter().find(|change| change.name == name) {
        Some(change) => change.to.clone(),
        None => value(copy, name),
    };
    let mut notes = Vec::new();
    if after(TIMESTAMP_TYPE).as_deref() == Some("LogAppendTime") {
        let reason = "its copy has message.timestamp.type=LogAppendTime: timestamps of producers are not kept";
        notes.push((Condition::TimestampsReplaced, reason.to_owned()));
    }
    let number = |text: Option<String>| text.and_then(|text| text.trim().parse::<i64>().ok());
    if let (Some(from), Some(to)) = (number(value(source, MAX_BATCH)), number(after(MAX_BATCH)))
        && from > to
    {
        let reason = format!(
            "the source takes batches of {from} bytes, its copy of {to}: larger ones will be refused"
        );
        notes.push((Condition::BatchesTooLarge, reason));
    }
    if let (Some(from), Some(to)) = (value(source, CLEANUP_POLICY), after(CLEANUP_POLICY))
        && !is_same(&from, &to, true)
    {
        let reason = format!("the source has {CLEANUP_POLICY}={from}, its copy {to}");
        notes.push((Condition::CleanupDiffers, reason));
    }
    notes
}
