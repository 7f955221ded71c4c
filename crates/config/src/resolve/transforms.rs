//! `transforms` and `predicates` of Kafka Connect, as far as there are native ones.

use std::collections::BTreeSet;

use crate::keys::distance;
use crate::pattern::Pattern;
use crate::pattern::rewrite::Rewrite;
use crate::raw::RawEntry;
use crate::resolve::classify::say_unknown;
use crate::resolve::reader::Reader;
use crate::transform::{Action, Condition, Predicate, Step, Transforms};

const PACKAGE: &str = "org.apache.kafka.connect.transforms.";
const PREDICATES: &str = "org.apache.kafka.connect.transforms.predicates.";

const NATIVE: &str = "there are Filter, RegexRouter, TimestampRouter, InsertHeader and DropHeaders; leave others out: records are \
     copied as they are";
const NATIVE_PREDICATES: &str = "there are TopicNameMatches, RecordIsTombstone and HasHeaderKey";

/// The chain; problems of its parts are reported, and leave the part out.
pub(super) fn transforms(reader: &mut Reader<'_>) -> Transforms {
    let mut steps = Vec::new();
    for alias in aliases(reader, "transforms") {
        steps.extend(step(reader, alias));
    }
    let predicates: BTreeSet<&str> = aliases(reader, "predicates").into_iter().collect();
    for alias in predicates {
        let used = reader
            .list("transforms")
            .into_iter()
            .any(|step| reader.text(&format!("transforms.{step}.predicate")) == Some(alias));
        if !used {
            // As in Connect, an unused one is read all the same.
            predicate(reader, alias);
        }
    }
    unused(reader, "transforms", own_keys);
    unused(reader, "predicates", own_keys_of_predicate);
    Transforms { steps }
}

/// What a transform can be told besides its class, when it holds, and the opposite of that.
fn own_keys(class: &str) -> Option<&'static [&'static str]> {
    match simple(class, PACKAGE) {
        "Filter" => Some(&["type", "predicate", "negate"]),
        "RegexRouter" => Some(&["type", "predicate", "negate", "regex", "replacement"]),
        "TimestampRouter" => Some(&[
            "type",
            "predicate",
            "negate",
            "topic.format",
            "timestamp.format",
        ]),
        "InsertHeader" => Some(&["type", "predicate", "negate", "header", "value.literal"]),
        "DropHeaders" => Some(&["type", "predicate", "negate", "headers"]),
        _ => None,
    }
}

fn own_keys_of_predicate(class: &str) -> Option<&'static [&'static str]> {
    match simple(class, PREDICATES) {
        "TopicNameMatches" => Some(&["type", "pattern"]),
        "RecordIsTombstone" => Some(&["type"]),
        "HasHeaderKey" => Some(&["type", "name"]),
        _ => None,
    }
}

/// Says which settings of transforms or predicates nobody reads: a slip of the pen there changes what is copied.
fn unused(
    reader: &mut Reader<'_>,
    kind: &str,
    own_keys: fn(&str) -> Option<&'static [&'static str]>,
) {
    let aliases = reader.list(kind);
    let mut unlisted = BTreeSet::new();
    for entry in reader.raw.entries() {
        let Some(rest) = entry
            .key
            .strip_prefix(kind)
            .and_then(|r| r.strip_prefix('.'))
        else {
            continue;
        };
        let of = |alias: &&&str| {
            rest.strip_prefix(**alias)
                .is_some_and(|r| r.starts_with('.'))
        };
        // An alias may have dots itself.
        let Some(alias) = aliases.iter().filter(of).max_by_key(|alias| alias.len()) else {
            let alias = rest.split_once('.').map_or(rest, |(alias, _)| alias);
            unlisted.insert(alias.to_owned());
            continue;
        };
        let class = reader
            .text(&format!("{kind}.{alias}.type"))
            .unwrap_or_default();
        let (Some(known), name) = (own_keys(class), &rest[alias.len() + 1..]) else {
            continue;
        };
        if !known.contains(&name) {
            let near = known.iter().map(|known| (distance(name, known), known));
            let near = near.filter(|(far, known)| far * 2 <= known.len()).min();
            let meant = near.map(|(_, known)| format!("{kind}.{alias}.{known}"));
            say_unknown(reader, entry, false, meant);
        }
    }
    for alias in unlisted {
        reader.warn(format!(
            "{kind}.{alias}.… has no effect: {kind} does not name {alias}"
        ));
    }
}

fn aliases<'a>(reader: &mut Reader<'a>, key: &str) -> Vec<&'a str> {
    let all = reader.list(key);
    let mut seen = BTreeSet::new();
    if let Some(entry) = reader.entry(key) {
        for alias in &all {
            if alias.is_empty() {
                reader.refuse(entry, "there is an empty item between the commas", None);
            } else if !seen.insert(*alias) {
                reader.refuse(entry, format!("{alias} stands there twice"), None);
            }
        }
    }
    all.into_iter().filter(|alias| !alias.is_empty()).collect()
}

/// The name of a class without its package, where it is one of Connect's own.
fn simple<'a>(class: &'a str, package: &str) -> &'a str {
    class.strip_prefix(package).unwrap_or(class)
}

fn step(reader: &mut Reader<'_>, alias: &str) -> Option<Step> {
    let key = |name: &str| format!("transforms.{alias}.{name}");
    let Some(class) = reader.entry(&key("type")) else {
        reader.missing(&key("type"), "the transform has no class", NATIVE);
        return None;
    };
    let action = match simple(class.value.trim(), PACKAGE) {
        "Filter" => Some(Action::Drop),
        "RegexRouter" => regex_router(reader, &key),
        "TimestampRouter" => timestamp_router(reader, class, &key),
        "InsertHeader" => insert_header(reader, &key),
        "DropHeaders" => drop_headers(reader, &key),
        _ => {
            reader.refuse(class, why_not(class.value.trim()), Some(NATIVE.to_owned()));
            None
        }
    };
    let condition = condition(reader, alias);
    let (action, condition) = (action?, condition?);
    let on_records =
        |condition: &Condition| !matches!(condition.predicate, Predicate::TopicNameMatches(_));
    if matches!(action, Action::Rename(_) | Action::Format(_))
        && condition.as_ref().is_some_and(on_records)
    {
        reader.refuse(
            class,
            "where a record goes cannot depend on the record itself: a partition of the source is copied to one topic",
            Some("use TopicNameMatches as its predicate, or none".to_owned()),
        );
        return None;
    }
    if matches!(action, Action::Drop) && condition.is_none() {
        reader.refuse(
            class,
            "without a predicate it leaves out every record of every topic",
            Some(format!("set {}", key("predicate"))),
        );
        return None;
    }
    Some(Step {
        name: alias.to_owned(),
        condition,
        action,
    })
}

/// What is missing for other transforms.
fn why_not(class: &str) -> String {
    let name = simple(class, PACKAGE);
    let name = name.split_once('$').map_or(name, |(name, _)| name);
    let about_fields = [
        "Cast",
        "ExtractField",
        "Flatten",
        "HeaderFrom",
        "HoistField",
        "InsertField",
        "MaskField",
        "ReplaceField",
        "SetSchemaMetadata",
        "TimestampConverter",
        "ValueToKey",
        "ExtractTopic",
        "ExtractTimestamp",
    ];
    if class.starts_with(PACKAGE) && about_fields.contains(&name) {
        format!("{name} needs the fields of keys and values, which are bytes here")
    } else {
        format!("Tributary runs no Java plugins such as {class}")
    }
}

/// `Err` where the predicate cannot be used, `Ok(None)` where there is none.
#[expect(
    clippy::option_option,
    reason = "the outer one is a reported problem, the inner one a step without a predicate"
)]
fn condition(reader: &mut Reader<'_>, alias: &str) -> Option<Option<Condition>> {
    let negated = reader.entry(&format!("transforms.{alias}.negate"));
    let is_negated = match negated.map(|entry| (entry, entry.value.trim())) {
        None => Some(false),
        Some((_, text)) if text.eq_ignore_ascii_case("true") => Some(true),
        Some((_, text)) if text.eq_ignore_ascii_case("false") => Some(false),
        Some((entry, _)) => {
            let remedy = "write true or false".to_owned();
            reader.refuse(entry, "it is neither true nor false", Some(remedy));
            None
        }
    };
    let Some(named) = reader.entry(&format!("transforms.{alias}.predicate")) else {
        if let Some(entry) = negated.filter(|_| is_negated == Some(true)) {
            let remedy = format!("set transforms.{alias}.predicate");
            reader.refuse(entry, "there is no predicate to be negated", Some(remedy));
            return None;
        }
        return is_negated.map(|_| None);
    };
    let name = named.value.trim();
    if !reader.list("predicates").contains(&name) {
        let remedy = format!("add {name} to predicates, and set predicates.{name}.type");
        reader.refuse(named, "there is no such predicate", Some(remedy));
        return None;
    }
    let predicate = predicate(reader, name)?;
    Some(Some(Condition {
        name: name.to_owned(),
        predicate,
        negated: is_negated?,
    }))
}

fn predicate(reader: &mut Reader<'_>, alias: &str) -> Option<Predicate> {
    let key = |name: &str| format!("predicates.{alias}.{name}");
    let Some(class) = reader.entry(&key("type")) else {
        reader.missing(
            &key("type"),
            "the predicate has no class",
            NATIVE_PREDICATES,
        );
        return None;
    };
    match simple(class.value.trim(), PREDICATES) {
        "TopicNameMatches" => {
            let pattern = required(reader, &key("pattern"), "the pattern of names")?;
            match Pattern::parse(pattern.value.trim()) {
                Ok(pattern) => Some(Predicate::TopicNameMatches(pattern)),
                Err(problem) => {
                    reader.refuse(pattern, problem.to_string(), None);
                    None
                }
            }
        }
        "RecordIsTombstone" => Some(Predicate::RecordIsTombstone),
        "HasHeaderKey" => {
            let name = required(reader, &key("name"), "the header's key")?;
            Some(Predicate::HasHeaderKey(name.value.trim().to_owned()))
        }
        other => {
            let wrong = format!("Tributary runs no Java plugins such as {other}");
            reader.refuse(class, wrong, Some(NATIVE_PREDICATES.to_owned()));
            None
        }
    }
}

fn required<'a>(reader: &mut Reader<'a>, key: &str, what: &str) -> Option<&'a RawEntry> {
    let entry = reader.entry(key);
    if entry.is_none() {
        reader.missing(key, "it has to be set", &format!("set it to {what}"));
    }
    entry
}

fn regex_router(reader: &mut Reader<'_>, key: &impl Fn(&str) -> String) -> Option<Action> {
    let pattern = required(reader, &key("regex"), "the pattern of names to change");
    let replacement = required(reader, &key("replacement"), "the new name, for example $1");
    let (pattern, replacement) = (pattern?, replacement?);
    match Rewrite::parse(pattern.value.trim(), replacement.value.trim()) {
        Ok(rewrite) => Some(Action::Rename(rewrite)),
        Err(problem) => {
            reader.refuse(pattern, problem.to_string(), None);
            None
        }
    }
}

/// A date in the name depends on each record, so that one partition would be written to several topics.
fn timestamp_router(
    reader: &mut Reader<'_>,
    class: &RawEntry,
    key: &impl Fn(&str) -> String,
) -> Option<Action> {
    let format = reader
        .text(&key("topic.format"))
        .unwrap_or("${topic}-${timestamp}");
    if format.contains("${timestamp}") {
        reader.refuse(
            class,
            format!(
                "{format} has each record's own time in the topic's name, and a partition of the source is copied to \
                 one topic"
            ),
            Some(format!(
                "set {} to a name without ${{timestamp}}, or use topic.rename.format",
                key("topic.format")
            )),
        );
        return None;
    }
    Some(Action::Format(
        format.split("${topic}").map(str::to_owned).collect(),
    ))
}

fn insert_header(reader: &mut Reader<'_>, key: &impl Fn(&str) -> String) -> Option<Action> {
    let header = required(reader, &key("header"), "the new header's key");
    let literal = key("value.literal");
    // A header without a value's text is one all the same.
    let value = match reader.is_given(&literal) {
        true => Some(reader.text(&literal).unwrap_or_default()),
        false => required(reader, &literal, "the new header's value").map(|_| ""),
    };
    let (header, value) = (header?, value?);
    Some(Action::InsertHeader {
        key: header.value.trim().to_owned(),
        value: value.as_bytes().to_vec(),
    })
}

fn drop_headers(reader: &mut Reader<'_>, key: &impl Fn(&str) -> String) -> Option<Action> {
    let headers = required(
        reader,
        &key("headers"),
        "the keys of the headers to leave out",
    )?;
    let keys = headers.value.split(',').map(str::trim);
    let keys: Vec<String> = keys
        .filter(|key| !key.is_empty())
        .map(str::to_owned)
        .collect();
    if keys.is_empty() {
        let remedy = "name the keys of the headers to leave out".to_owned();
        reader.refuse(headers, "it names no header", Some(remedy));
        return None;
    }
    Some(Action::DropHeaders(keys))
}
