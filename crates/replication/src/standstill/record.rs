//! The stored form, beside positions and in their form (`position_store`):
//!
//! ```text
//! ["<link>",{"current":"orders","partition":3}]   {"format":1,"copy":"<topic id>","at":…,"end":…,"missed.since":…,"missed.until":…}
//! ```
//! Times are milliseconds since 1970. Records of other things are passed over, and so is what cannot be understood: then
//! nothing is known of before, which is said of nobody.

use std::collections::BTreeMap;

use kafka_wire::types::{TopicId, TopicPartition};
use serde_json::{Map, Value, json};

use super::trail::{Missed, Reading, Trail};
use crate::position_store::StoredText;

/// Version of the stored form.
const FORMAT: u64 = 1;

/// What is stored of a link.
pub(super) fn decode(link: &str, texts: &[StoredText]) -> BTreeMap<TopicPartition, Trail> {
    let mut trails = BTreeMap::new();
    for (key, value) in texts {
        let Some(partition) = partition(link, key) else {
            continue;
        };
        match value.as_deref().and_then(trail) {
            Some(trail) => drop(trails.insert(partition, trail)),
            None => drop(trails.remove(&partition)),
        }
    }
    trails
}

/// What is stored of a partition; `None` deletes.
pub(super) fn encode(link: &str, partition: &TopicPartition, trail: Option<&Trail>) -> StoredText {
    let key = format!(
        "[{},{{\"current\":{},\"partition\":{}}}]",
        Value::from(link),
        Value::from(partition.topic.as_str()),
        partition.partition
    );
    let value = trail.map(|trail| {
        let mut value = json!({
            "format": FORMAT,
            "copy": trail.copy.to_string(),
            "at": trail.current.at,
            "end": trail.current.end,
        });
        if let Some(missed) = trail.missed {
            value["missed.since"] = missed.since.into();
            value["missed.until"] = missed.until.into();
        }
        value.to_string()
    });
    (key, value)
}

fn partition(link: &str, key: &str) -> Option<TopicPartition> {
    let Value::Array(parts) = serde_json::from_str(key).ok()? else {
        return None;
    };
    let [Value::String(name), Value::Object(members)] = parts.as_slice() else {
        return None;
    };
    let topic = members.get("current")?.as_str()?;
    let number = i32::try_from(members.get("partition")?.as_i64()?).ok()?;
    (name == link && members.len() == 2).then(|| TopicPartition::new(topic.into(), number))
}

fn trail(text: &str) -> Option<Trail> {
    let value: Map<String, Value> = serde_json::from_str(text).ok()?;
    let number = |name: &str| value.get(name).and_then(Value::as_i64);
    if value.get("format").and_then(Value::as_u64) != Some(FORMAT) {
        return None;
    }
    let missed = number("missed.since").zip(number("missed.until"));
    Some(Trail::new(
        TopicId::parse(value.get("copy")?.as_str()?)?,
        Reading {
            at: number("at")?,
            end: number("end")?,
        },
        missed.map(|(since, until)| Missed { since, until }),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_reads_back_and_what_is_not_ours_is_passed_over() {
        let partition = TopicPartition::new("a \"b\"".into(), 3);
        let missed = Missed { since: 5, until: 9 };
        let current = Reading { at: 7, end: 42 };
        let trail = Trail::new(TopicId([7; 16]), current, Some(missed));
        let text = encode("l", &partition, Some(&trail));
        assert_eq!(text.0, r#"["l",{"current":"a \"b\"","partition":3}]"#);
        let foreign = [
            (r#"["l",{"topic":"t","partition":0}]"#, r#"{"offset":1}"#),
            (r#"["l",{"current":"t","partition":0}]"#, r#"{"format":2}"#),
            (r#"["l",{"settings":"t"}]"#, r#"{"format":1,"names":"a"}"#),
            ("x", "y"),
        ];
        let foreign = foreign.map(|(key, value)| (key.to_owned(), Some(value.to_owned())));
        let mut texts = foreign.to_vec();
        texts.push(text);
        assert_eq!(decode("other", &texts), BTreeMap::new());
        let found = decode("l", &texts);
        assert_eq!(found, BTreeMap::from([(partition.clone(), trail)]));
        texts.push(encode("l", &partition, None));
        assert_eq!(decode("l", &texts), BTreeMap::new());
    }
}
