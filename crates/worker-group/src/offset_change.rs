//! Whether positions that a client wants to set have the right shape for the class of the connector. Pure.
//!
//! Texts are those of MirrorMaker 2's connectors.

use serde_json::{Map, Value};

use crate::plugin::Role;
use crate::refusal::Refusal;
use crate::view::SourceOffset;

/// What a member has to be.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    Number,
}

const MIRROR: &[(&str, Shape)] = &[
    ("cluster", Shape::Text),
    ("topic", Shape::Text),
    ("partition", Shape::Number),
];
const CHECKPOINT: &[(&str, Shape)] = &[
    ("group", Shape::Text),
    ("topic", Shape::Text),
    ("partition", Shape::Number),
];
const HEARTBEAT: &[(&str, Shape)] = &[
    ("sourceClusterAlias", Shape::Text),
    ("targetClusterAlias", Shape::Text),
];
const REPLICATOR: &[(&str, Shape)] = &[("topic", Shape::Text), ("partition", Shape::Number)];

/// Judges a list of positions.
///
/// # Errors
/// The first one that cannot be, in Connect's words.
pub fn check(role: Role, offsets: &[SourceOffset]) -> Result<(), Refusal> {
    if offsets.is_empty() {
        return Err(Refusal::bad(
            "Partitions / offsets need to be provided for an alter offsets request",
        ));
    }
    offsets.iter().try_for_each(|one| check_one(role, one))
}

fn check_one(role: Role, one: &SourceOffset) -> Result<(), Refusal> {
    let members = match role {
        Role::MirrorSource => MIRROR,
        Role::MirrorCheckpoint => CHECKPOINT,
        Role::MirrorHeartbeat => HEARTBEAT,
        Role::Replicator | Role::Own => REPLICATOR,
    };
    let partition = java_map(&one.partition);
    // Where there is nothing to set, the partition is only a name: clients may remove what is odd.
    let Some(offset) = &one.offset else {
        return Ok(());
    };
    for (name, shape) in members {
        check_member(&partition, &one.partition, name, *shape)?;
    }
    check_offset(role, &partition, offset)
}

fn check_member(
    shown: &str,
    partition: &Map<String, Value>,
    name: &str,
    shape: Shape,
) -> Result<(), Refusal> {
    let refuse = |why: String| Err(Refusal::bad(format!("Source partition {shown} {why}")));
    let Some(value) = partition.get(name) else {
        return refuse(format!("is missing the '{name}' key, which is required"));
    };
    let invalid = |why: &str| {
        let value = java(value);
        refuse(format!(
            "has an invalid value {value} for the '{name}' key, which {why}"
        ))
    };
    match shape {
        Shape::Text if value.is_string() => Ok(()),
        Shape::Text => invalid("must be a string"),
        Shape::Number => match value.as_i64() {
            Some(number) if number < 0 => invalid("cannot be negative"),
            Some(number) if i32::try_from(number).is_ok() => Ok(()),
            _ => invalid("must be an integer"),
        },
    }
}

fn check_offset(role: Role, partition: &str, offset: &Map<String, Value>) -> Result<(), Refusal> {
    let shown = java_map(offset);
    let refuse = |why: String| {
        Err(Refusal::bad(format!(
            "Source offset {shown} for source partition {partition} {why}"
        )))
    };
    let Some(value) = offset.get("offset") else {
        return refuse("is missing the 'offset' key, which is required".to_owned());
    };
    let only_zero = matches!(role, Role::MirrorCheckpoint | Role::MirrorHeartbeat);
    let text = java(value);
    let begin = format!("has an invalid value {text} for the 'offset' key");
    match value.as_i64() {
        None => refuse(format!("{begin}, which must be an integer")),
        Some(number) if only_zero && number != 0 => {
            refuse(format!("{begin}; the only accepted value is 0"))
        }
        Some(number) if number < 0 => refuse(format!("{begin}, which cannot be negative")),
        Some(_) => Ok(()),
    }
}

/// A map as Java prints it.
#[must_use]
pub fn java_map(map: &Map<String, Value>) -> String {
    let members: Vec<String> = map
        .iter()
        .map(|(key, value)| format!("{key}={}", java(value)))
        .collect();
    format!("{{{}}}", members.join(", "))
}

fn java(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(map) => java_map(map),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(java).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check_text(role: Role, partition: &Value, offset: &Value, expected: &str) {
        let map = |value: &Value| value.as_object().cloned();
        let one = SourceOffset {
            partition: map(partition).expect("a map"),
            offset: map(offset),
        };
        let judged = check(role, &[one]);
        let text = judged.map_or_else(|refusal| refusal.to_string(), |()| "right".to_owned());
        assert_eq!(text, expected);
    }

    #[test]
    fn shapes_are_judged_in_the_words_of_mirror_maker_2() {
        let right = json!({"cluster": "A", "partition": 0, "topic": "t"});
        let zero = json!({"offset": 0});
        let source = Role::MirrorSource;
        check_text(source, &right, &zero, "right");
        check_text(source, &right, &Value::Null, "right");
        check_text(
            source,
            &json!({"partition": 0, "topic": "t"}),
            &zero,
            "Source partition {partition=0, topic=t} is missing the 'cluster' key, which is required",
        );
        check_text(
            source,
            &json!({"cluster": "A", "partition": -1, "topic": "t"}),
            &zero,
            "Source partition {cluster=A, partition=-1, topic=t} has an invalid value -1 for the 'partition' key, \
             which cannot be negative",
        );
        check_text(
            source,
            &json!({"cluster": 7, "partition": 0, "topic": "t"}),
            &zero,
            "Source partition {cluster=7, partition=0, topic=t} has an invalid value 7 for the 'cluster' key, which \
             must be a string",
        );
        check_text(
            source,
            &right,
            &json!({"offset": "x"}),
            "Source offset {offset=x} for source partition {cluster=A, partition=0, topic=t} has an invalid value x \
             for the 'offset' key, which must be an integer",
        );
        check_text(
            source,
            &right,
            &json!({}),
            "Source offset {} for source partition {cluster=A, partition=0, topic=t} is missing the 'offset' key, \
             which is required",
        );
        check_text(
            Role::MirrorHeartbeat,
            &json!({"sourceClusterAlias": "a", "targetClusterAlias": "b"}),
            &json!({"offset": 3}),
            "Source offset {offset=3} for source partition {sourceClusterAlias=a, targetClusterAlias=b} has an \
             invalid value 3 for the 'offset' key; the only accepted value is 0",
        );
    }
}
