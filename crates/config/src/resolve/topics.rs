//! Which topics are copied, what they are called, how they are made and kept alike.

use std::time::Duration;

use crate::keys::Scope;
use crate::keys::mirror::{IDENTITY_POLICY, NO_SYNCS};
use crate::link::{ConfigDelete, DefaultsFrom, ReplicationFactor, TimestampType, TopicSettings};
use crate::naming::{Aliases, Naming};
use crate::pattern::{Pattern, PatternList, probably_meant};
use crate::problem::Notice;
use crate::rename::{MAX_TOPIC_NAME, RenameFormat, check_name};
use crate::resolve::acls;
use crate::resolve::reader::Reader;
use crate::resolve::transforms;
use crate::selection::{MirrorRules, TopicSelection};
use crate::transform::Transforms;

/// Settings of a topic that make no sense, or do harm, on another cluster: Replicator's form of
/// `config.properties.exclude`. A copied bound of timestamps would refuse old records while catching up.
const CONFIG_EXCLUDE: [&str; 6] = [
    r"follower\.replication\.throttled\.replicas",
    r"leader\.replication\.throttled\.replicas",
    r"message\.timestamp\.difference\.max\.ms",
    r"message\.timestamp\.before\.max\.ms",
    r"message\.timestamp\.after\.max\.ms",
    r"message\.timestamp\.type",
];

/// MirrorMaker 2 leaves out these too.
const MIRROR_CONFIG_EXCLUDE: [&str; 2] = [
    r"unclean\.leader\.election\.enable",
    r"min\.insync\.replicas",
];

const MIRROR_TOPICS: &[&str] = &[".*"];
const MIRROR_EXCLUDE: &[&str] = &[r".*[\-\.]internal", r".*\.replica", "__.*"];

/// Scans that never come.
const NEVER: Duration = Duration::from_secs(10 * 365 * 86_400);

pub(super) fn topics(
    reader: &mut Reader<'_>,
    selection: Option<TopicSelection>,
) -> Option<TopicSettings> {
    let mirror = reader.scope == Scope::Mirror;
    let selection = match selection {
        Some(selection) => Some(selection),
        None => configured_selection(reader),
    };
    let naming = naming(reader);
    let transforms = transforms::transforms(reader);
    let config_exclude = config_exclude(reader);
    let acls = acls::acls(reader);
    let replication_factor = replication_factor(reader);
    offset_syncs(reader);
    let seconds_or_millis = |seconds: &str, millis: &str| {
        let default = Duration::from_secs(if mirror { 600 } else { 120 });
        reader
            .millis(millis)
            .or_else(|| reader.seconds(seconds))
            .unwrap_or(default)
    };
    let timestamp_type = match reader.text("topic.timestamp.type") {
        Some("LogAppendTime") => Some(TimestampType::LogAppendTime),
        Some(_) => Some(TimestampType::CreateTime),
        None if mirror => None,
        None => Some(TimestampType::CreateTime),
    };
    let refresh = reader.boolean("refresh.topics.enabled").unwrap_or(true);
    let poll_interval = match refresh {
        false => NEVER,
        true => seconds_or_millis("refresh.topics.interval.seconds", "topic.poll.interval.ms"),
    };
    let synced = reader
        .boolean("topic.config.sync")
        .or_else(|| reader.boolean("sync.topic.configs.enabled"))
        .unwrap_or(true);
    let config_sync = synced.then(|| {
        seconds_or_millis(
            "sync.topic.configs.interval.seconds",
            "topic.config.sync.interval.ms",
        )
    });
    let (mut selection, naming) = (selection?, naming?);
    if let Naming::Prefixed(aliases) | Naming::Kept(aliases) = &naming {
        selection.set_mirror(mirror_rules(reader, &naming, aliases));
    }
    let naming = transformed(reader, naming, transforms, &mut selection);
    Some(TopicSettings {
        whitelist_strict: reader
            .boolean("tributary.topic.whitelist.strict")
            .unwrap_or(false),
        auto_create: reader.boolean("topic.auto.create").unwrap_or(true),
        preserve_partitions: reader.boolean("topic.preserve.partitions").unwrap_or(true),
        replication_factor: replication_factor?,
        timestamp_type,
        poll_interval,
        refresh,
        create_backoff: reader
            .millis("topic.create.backoff.ms")
            .unwrap_or(Duration::from_secs(120)),
        config_exclude: config_exclude?,
        defaults_from: match reader.text("use.defaults.from") {
            Some("source") => DefaultsFrom::Source,
            _ => DefaultsFrom::Target,
        },
        config_sync,
        config_delete: match reader.text("tributary.topic.config.delete") {
            Some("own") => ConfigDelete::Own,
            Some("never") => ConfigDelete::Never,
            _ => ConfigDelete::Follow,
        },
        acls: acls?,
        selection,
        naming,
    })
}

/// What MirrorMaker 2 does whatever its lists say.
fn mirror_rules(reader: &mut Reader<'_>, naming: &Naming, aliases: &Aliases) -> MirrorRules {
    MirrorRules {
        naming: naming.clone(),
        heartbeats: reader
            .boolean("heartbeats.replication.enabled")
            .unwrap_or(true),
        internal: match reader.boolean("replication.policy.internal.topic.separator.enabled") {
            Some(false) => ".internal".to_owned(),
            _ => format!("{}internal", aliases.separator),
        },
    }
}

/// Puts the chain behind the names, and its filters on names behind the selection.
fn transformed(
    reader: &mut Reader<'_>,
    naming: Naming,
    transforms: Transforms,
    selection: &mut TopicSelection,
) -> Naming {
    if transforms.is_empty() {
        return naming;
    }
    let text = format!("transforms, in this order: {transforms}");
    reader.notices.push(Notice::info(text));
    let naming = naming.with_transforms(transforms);
    selection.set_transforms(naming.clone());
    naming
}

/// `dest.topic.replication.factor` in Replicator's words, `replication.factor` in MirrorMaker 2's.
fn replication_factor(reader: &mut Reader<'_>) -> Option<ReplicationFactor> {
    const MIRROR: &str = "replication.factor";
    const OWN: &str = "dest.topic.replication.factor";
    let mirrored = match reader.number::<i16>(MIRROR) {
        Some(0) => {
            let entry = reader.entry(MIRROR)?;
            let remedy = "write 1 or more, or -1 for the broker's default".to_owned();
            reader.refuse(entry, "a topic cannot have none", Some(remedy));
            return None;
        }
        Some(-1) => Some(ReplicationFactor::BrokerDefault),
        Some(count) => Some(ReplicationFactor::Fixed { count, key: MIRROR }),
        None if reader.scope == Scope::Mirror => Some(ReplicationFactor::Fixed {
            count: 2,
            key: MIRROR,
        }),
        None => None,
    };
    let strict = reader
        .boolean("tributary.topic.replication.factor.strict")
        .unwrap_or(false);
    match reader.number(OWN) {
        Some(count) if count > 0 => Some(ReplicationFactor::Fixed { count, key: OWN }),
        _ => mirrored.or(Some(ReplicationFactor::Source { strict })),
    }
}

/// As MirrorMaker 2 does: what has been switched off is not configured too.
fn offset_syncs(reader: &mut Reader<'_>) {
    if reader.boolean("emit.offset-syncs.enabled") == Some(false) {
        let raw = reader.raw;
        for entry in raw.entries() {
            if entry.key.starts_with("offset-syncs") && reader.is_given(&entry.key) {
                let remedy = "leave one of both out".to_owned();
                let wrong = "emit.offset-syncs.enabled=false switches offset syncs off";
                reader.refuse(entry, wrong, Some(remedy));
            }
        }
    } else if reader.scope == Scope::Mirror && !reader.is_given("emit.offset-syncs.enabled") {
        reader.not_yet(
            NO_SYNCS,
            "emit.offset-syncs.enabled=true (the default)".to_owned(),
        );
    }
}

fn naming(reader: &mut Reader<'_>) -> Option<Naming> {
    if reader.scope == Scope::Mirror || reader.entry("replication.policy.class").is_some() {
        let aliases = aliases(reader)?;
        let class = reader.text("replication.policy.class").unwrap_or_default();
        return Some(if class.ends_with(IDENTITY_POLICY) {
            Naming::Kept(aliases)
        } else {
            Naming::Prefixed(aliases)
        });
    }
    let Some(entry) = reader.entry("topic.rename.format") else {
        return Some(Naming::default());
    };
    match RenameFormat::parse(entry.value.trim()) {
        Ok(rename) => {
            if rename.is_constant() {
                reader.warn(format!(
                    "topic.rename.format={rename} has no ${{topic}}: all topics are merged into one"
                ));
            }
            Some(Naming::Format(rename))
        }
        Err(problem) => {
            reader.refuse(entry, problem.to_string(), None);
            None
        }
    }
}

fn aliases(reader: &mut Reader<'_>) -> Option<Aliases> {
    let key = "replication.policy.separator";
    if let Some(entry) = reader.blank(key) {
        let wrong =
            "with nothing between alias and name no copy could be told from a topic of its own";
        let remedy = "name a separator, or keep the names with IdentityReplicationPolicy";
        reader.refuse(entry, wrong.to_owned(), Some(remedy.to_owned()));
    }
    let separator = name_part(reader, key, ".");
    let destination = name_part(reader, "target.cluster.alias", "target");
    if reader.entry("source.cluster.alias").is_none() {
        reader.missing(
            "source.cluster.alias",
            "the source has no alias",
            "set it to a short name; copies are called after it",
        );
        return None;
    }
    let source = name_part(reader, "source.cluster.alias", "");
    let (source, destination) = (source?, destination?);
    if source == destination {
        if let Some(entry) = reader.entry("target.cluster.alias") {
            let remedy = "give the two clusters different names".to_owned();
            let wrong = "source and destination have the same alias";
            reader.refuse(entry, wrong, Some(remedy));
        } else {
            reader.missing(
                "target.cluster.alias",
                "source and destination have the same alias, target",
                "give the two clusters different names",
            );
        }
        return None;
    }
    Some(Aliases {
        source,
        destination,
        separator: separator?,
    })
}

/// A text that becomes part of the names of topics.
fn name_part(reader: &mut Reader<'_>, key: &str, default: &str) -> Option<String> {
    let Some(entry) = reader.entry(key) else {
        return Some(default.to_owned());
    };
    let text = entry.value.trim();
    let illegal = text
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-'));
    match illegal {
        None => Some(text.to_owned()),
        Some(character) => {
            let wrong =
                format!("it becomes part of topic names, and {character:?} cannot stand there");
            let remedy = "legal are letters, digits, '.', '_' and '-'".to_owned();
            reader.refuse(entry, wrong, Some(remedy));
            None
        }
    }
}

fn config_exclude(reader: &mut Reader<'_>) -> Option<PatternList> {
    let mut default = CONFIG_EXCLUDE.to_vec();
    if reader.scope == Scope::Mirror {
        default.extend(MIRROR_CONFIG_EXCLUDE);
    }
    pattern_list(reader, "config.properties.exclude", &default)
}

/// A default that holds for MirrorMaker 2 alone.
fn mirror_default(
    reader: &Reader<'_>,
    default: &'static [&'static str],
) -> &'static [&'static str] {
    match reader.scope {
        Scope::Mirror => default,
        _ => &[],
    }
}

/// A list of patterns; one that is given takes the place of the default, be it empty.
pub(super) fn pattern_list(
    reader: &mut Reader<'_>,
    key: &str,
    default: &[&str],
) -> Option<PatternList> {
    if !reader.is_given(key) {
        let list = PatternList::parse(default.iter().copied());
        return Some(list.expect("tests parse the built-in lists"));
    }
    let Some(entry) = reader.entry(key) else {
        return Some(PatternList::default());
    };
    let items = reader.list(key);
    if items.iter().any(|item| item.is_empty()) {
        // An empty alternative matches only the empty name, which nothing has: it was not meant.
        reader.refuse(entry, "there is an empty item between the commas", None);
        return None;
    }
    match PatternList::parse(items) {
        Ok(list) => {
            for item in list.items() {
                if let Some(meant) = probably_meant(item) {
                    reader.warn(format!(
                        "{}: {item} repeats only its last character; did you mean {meant} ?",
                        entry.written()
                    ));
                }
            }
            Some(list)
        }
        Err(problem) => {
            reader.refuse(entry, problem.to_string(), None);
            None
        }
    }
}

fn configured_selection(reader: &mut Reader<'_>) -> Option<TopicSelection> {
    let whitelist = topic_names(reader, "topic.whitelist");
    let blacklist = topic_names(reader, "topic.blacklist");
    let mut include = Vec::new();
    let mut legal = true;
    if let Some(entry) = reader.entry("topic.regex") {
        match Pattern::parse(entry.value.trim()) {
            Ok(pattern) => {
                if let Some(meant) = probably_meant(pattern.as_str()) {
                    reader.warn(format!(
                        "topic.regex={pattern} repeats only its last character; did you mean {meant} ?"
                    ));
                }
                include.push(pattern);
            }
            Err(problem) => {
                legal = false;
                reader.refuse(entry, problem.to_string(), None);
            }
        }
    }
    let topics = pattern_list(reader, "topics", mirror_default(reader, MIRROR_TOPICS));
    let exclude = pattern_list(
        reader,
        "topics.exclude",
        mirror_default(reader, MIRROR_EXCLUDE),
    );
    let mut selection = TopicSelection::new(whitelist?, blacklist?, include, Vec::new());
    selection.set_lists(topics?, exclude?);
    if selection.is_empty() && legal {
        let unset = match reader.scope {
            Scope::Mirror => "topics is empty",
            _ => "neither topic.whitelist nor topic.regex is set",
        };
        reader.warn(format!(
            "{unset}: no topic is selected, and nothing is copied"
        ));
    }
    for name in selection.whitelist() {
        if name == "_schemas" {
            reader.warn(format!("{name} is copied byte for byte: that corrupts a live schema registry at the destination"));
        } else if name.starts_with("_confluent") {
            reader.warn(format!("{name} holds state of a service at the source; a service at the destination would take it for its own"));
        }
    }
    legal.then_some(selection)
}

/// A list of exact names.
fn topic_names(reader: &mut Reader<'_>, key: &str) -> Option<Vec<String>> {
    let Some(entry) = reader.entry(key) else {
        return Some(Vec::new());
    };
    let mut names = Vec::new();
    let mut legal = true;
    for name in reader.list(key) {
        let looks_like_pattern = name.contains(['*', '+', '?', '(', '[', '|', '\\', '^', '$']);
        if name.is_empty() {
            legal = false;
            reader.refuse(entry, "there is an empty item between the commas", None);
        } else if looks_like_pattern {
            legal = false;
            let remedy = match key {
                "topic.whitelist" => "patterns belong into topic.regex",
                _ => "exclude by topic.regex, for example (?!internal-).*",
            };
            reader.refuse(
                entry,
                format!("\"{name}\" is no name of a topic"),
                Some(remedy.to_owned()),
            );
        } else if name.len() > MAX_TOPIC_NAME || check_name_characters(name).is_err() {
            legal = false;
            let reason = check_name_characters(name).err().unwrap_or_default();
            reader.refuse(entry, reason, None);
        } else {
            names.push(name.to_owned());
        }
    }
    legal.then_some(names)
}

/// Reserved names may be listed: they are never copied, and `decide` says so.
fn check_name_characters(name: &str) -> Result<(), String> {
    match check_name(name) {
        Ok(()) | Err(crate::rename::NameProblem::Reserved(_)) => Ok(()),
        Err(problem) => Err(problem.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_exclusions_are_patterns_and_match_what_they_name() {
        let list = PatternList::parse(CONFIG_EXCLUDE).expect("legal");
        assert!(list.is_match("message.timestamp.type"));
        assert!(!list.is_match("min.insync.replicas"));
        assert!(!list.is_match("messageXtimestamp.type"));
        let list = PatternList::parse(MIRROR_CONFIG_EXCLUDE).expect("legal");
        assert!(list.is_match("min.insync.replicas"));
        for built_in in [MIRROR_TOPICS, MIRROR_EXCLUDE] {
            PatternList::parse(built_in.iter().copied()).expect("legal");
        }
    }
}
