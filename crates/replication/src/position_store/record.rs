//! The stored form: keys and values of Connect's offsets topic.
//!
//! ```text
//! ["<link>",{"topic":"t","partition":0}]            {"offset":123, "topic.id":…, …}     a position
//! ["<link>",{"topic":"t","partition":0,"runs":7}]   {"runs":[[source,destination,length],…]}
//! ["<link>",{"topic":"t","partition":0,"of":4,"to":1}]   the same for one of four destination partitions
//! ```
//!
//! `offset` is the next source offset to copy. A partition whose records have the source's offsets says so by
//! `"placement":"preserved"`, with what its markers need.
//!
//! The order of the members of a key matters, as Connect finds keys by their bytes. Other connectors' records in the same topic are none of ours and are
//! passed over, and so are a link's records of other things (`metadata_sync/acl/record.rs`).

use kafka_wire::types::{ProducerIdentity, TopicId, TopicPartition};
use serde_json::{Map, Value, json};

use super::{StoreEntry, Stored, StoredLink};
use crate::offset_map::{Run, Segment};
use crate::position::{Placement, Position, Preserved};
use crate::side::{Destination, Source};
use crate::spread::Spread;

/// The word for a partition whose records have the source's offsets; without one they are mapped.
const PRESERVED: &str = "preserved";
/// Marks a position that was stored in a transaction.
const TRANSACTIONAL: &str = "transactional";

/// A key and its value, as text.
pub type TextRecord = (String, String);

/// What an entry is stored as.
#[must_use]
pub fn encode(entry: &StoreEntry) -> Vec<TextRecord> {
    let mut records = vec![(key(entry, None), position(entry))];
    for segment in &entry.segments {
        let runs: Vec<_> = segment
            .runs
            .iter()
            .map(|run| json!([run.source.0, run.destination.0, run.length]))
            .collect();
        let value = json!({ "runs": runs }).to_string();
        records.push((key(entry, Some(segment.number)), value));
    }
    records
}

/// The key of a position, in the order of members that Replicator has.
pub(super) fn plain_key(link: &str, partition: &TopicPartition) -> String {
    key_of(link, partition, None, None)
}

fn key(entry: &StoreEntry, segment: Option<u32>) -> String {
    key_of(&entry.link, &entry.partition, entry.spread, segment)
}

fn key_of(
    link: &str,
    partition: &TopicPartition,
    spread: Option<Spread>,
    segment: Option<u32>,
) -> String {
    // Written by hand: the order of members is part of the format.
    let segment = segment
        .map(|number| format!(",\"runs\":{number}"))
        .unwrap_or_default();
    let spread = spread
        .map(|spread| format!(",\"of\":{},\"to\":{}", spread.of, spread.to))
        .unwrap_or_default();
    format!(
        "[{},{{\"topic\":{},\"partition\":{}{spread}{segment}}}]",
        Value::from(link),
        Value::from(partition.topic.as_str()),
        partition.partition
    )
}

fn position(entry: &StoreEntry) -> String {
    let position = &entry.position;
    let mut value = json!({
        "offset": position.offset.0,
        "leader.epoch": position.leader_epoch,
        "topic.id": position.topic_id.0.to_string(),
        "destination.topic": entry.destination.as_str(),
        "destination.topic.id": position.destination_topic_id.0.to_string(),
        "destination.offset": position.destination_end.0,
        "producer.id": position.producer.id,
        "producer.epoch": position.producer.epoch,
        "producer.sequence": position.sequence,
    });
    if let Placement::Preserved(preserved) = &position.placement {
        value["placement"] = PRESERVED.into();
        value["marker.id"] = preserved.marker.id.into();
        value["marker.epoch"] = preserved.marker.epoch.into();
        value["marker.coordinator.epoch"] = preserved.coordinator_epoch.into();
        value["padding"] = preserved.padding.into();
    }
    if position.transactional {
        value[TRANSACTIONAL] = true.into();
    }
    value.to_string()
}

/// Adds a record to what is known of `link`; a value of `None` deletes. Records of other links, and
/// such that are not ours at all, change nothing.
///
/// # Errors
/// When the key is ours and the value cannot be understood: what to go on with is not known then.
pub fn decode(
    link: &str,
    key: &[u8],
    value: Option<&[u8]>,
    known: &mut StoredLink,
) -> Result<(), String> {
    let Some((partition, spread, segment)) = parse_key(link, key) else {
        return Ok(());
    };
    let unreadable = || format!("the stored position of {partition} cannot be read");
    let value: Option<Map<String, Value>> = match value {
        None => None,
        Some(bytes) => Some(serde_json::from_slice(bytes).map_err(|_| unreadable())?),
    };
    let mut stored: &mut Stored = known.entry(partition.clone()).or_default();
    if let Some(spread) = spread {
        stored = stored.spread.entry(spread).or_default();
    }
    match (segment, value) {
        (None, None) => stored.position = None,
        (None, Some(value)) => {
            stored.position = Some(parse_position(&value).ok_or_else(unreadable)?);
            let name = value.get("destination.topic").and_then(Value::as_str);
            stored.destination = Some(name.ok_or_else(unreadable)?.into());
        }
        (Some(number), value) => {
            let runs = value
                .map(|value| parse_runs(&value).ok_or_else(unreadable))
                .transpose()?;
            let newest = stored.segment.as_ref().is_none_or(|s| s.number <= number);
            if newest {
                stored.segment = runs.map(|runs| Segment { number, runs });
            }
        }
    }
    Ok(())
}

/// A segment of a map: its partition, its number, its runs; runs of `None` where it is deleted. `None` for any
/// other record, also for the maps of what is spread over other partitions.
///
/// # Errors
/// When the key is ours and the value cannot be understood.
#[expect(
    clippy::type_complexity,
    reason = "three things that have no other use together"
)]
pub fn segment(
    link: &str,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<Option<(TopicPartition, u32, Option<Vec<Run>>)>, String> {
    let Some((partition, None, Some(number))) = parse_key(link, key) else {
        return Ok(None);
    };
    let runs = value
        .map(|value| parse_runs(&serde_json::from_slice(value).ok()?))
        .map(|runs| {
            runs.ok_or_else(|| format!("the stored offset map of {partition} cannot be read"))
        })
        .transpose()?;
    Ok(Some((partition, number, runs)))
}

fn parse_key(link: &str, key: &[u8]) -> Option<(TopicPartition, Option<Spread>, Option<u32>)> {
    let Value::Array(parts) = serde_json::from_slice(key).ok()? else {
        return None;
    };
    let [Value::String(name), Value::Object(partition)] = parts.as_slice() else {
        return None;
    };
    if name != link {
        return None;
    }
    let topic = partition.get("topic")?.as_str()?;
    let number = i32::try_from(partition.get("partition")?.as_i64()?).ok()?;
    let count = |name: &str| i32::try_from(partition.get(name)?.as_i64()?).ok();
    let spread = match partition.contains_key("of") {
        true => Some(Spread {
            of: count("of")?,
            to: count("to")?,
        }),
        false => None,
    };
    let segment = match partition.get("runs") {
        None => None,
        Some(number) => Some(u32::try_from(number.as_u64()?).ok()?),
    };
    Some((TopicPartition::new(topic.into(), number), spread, segment))
}

fn parse_position(value: &Map<String, Value>) -> Option<Position> {
    let number = |name: &str| value.get(name)?.as_i64();
    let id = |name: &str| TopicId::parse(value.get(name)?.as_str()?);
    Some(Position {
        offset: Source(number("offset").filter(|offset| *offset >= 0)?),
        leader_epoch: i32::try_from(number("leader.epoch")?).ok()?,
        topic_id: Source(id("topic.id")?),
        destination_topic_id: Destination(id("destination.topic.id")?),
        destination_end: Destination(number("destination.offset").filter(|offset| *offset >= 0)?),
        producer: ProducerIdentity {
            id: number("producer.id").filter(|id| *id >= 0)?,
            epoch: i16::try_from(number("producer.epoch")?)
                .ok()
                .filter(|epoch| *epoch >= 0)?,
        },
        sequence: i32::try_from(number("producer.sequence")?)
            .ok()
            .filter(|s| *s >= 0)?,
        placement: match value.get("placement") {
            None => Placement::Mapped,
            Some(word) if word == PRESERVED => Placement::Preserved(parse_preserved(value)?),
            Some(_) => return None,
        },
        transactional: value.get(TRANSACTIONAL) == Some(&Value::Bool(true)),
    })
}

fn parse_preserved(value: &Map<String, Value>) -> Option<Preserved> {
    let number = |name: &str| value.get(name)?.as_i64().filter(|number| *number >= 0);
    Some(Preserved {
        marker: ProducerIdentity {
            id: number("marker.id")?,
            epoch: i16::try_from(number("marker.epoch")?).ok()?,
        },
        coordinator_epoch: i32::try_from(number("marker.coordinator.epoch")?).ok()?,
        padding: number("padding")?,
    })
}

fn parse_runs(value: &Map<String, Value>) -> Option<Vec<Run>> {
    value
        .get("runs")?
        .as_array()?
        .iter()
        .map(|run| {
            let [source, destination, length] = run.as_array()?.as_slice() else {
                return None;
            };
            Some(Run {
                source: Source(source.as_i64()?),
                destination: Destination(destination.as_i64()?),
                length: length.as_i64()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> StoreEntry {
        StoreEntry {
            link: "a \"b\"".to_owned(),
            partition: TopicPartition::new("orders".into(), 3),
            destination: "west.orders".into(),
            spread: None,
            position: Position {
                offset: Source(42),
                leader_epoch: 5,
                topic_id: Source(TopicId(*b"0123456789abcdef")),
                destination_topic_id: Destination(TopicId([7; 16])),
                destination_end: Destination(40),
                producer: ProducerIdentity { id: 1000, epoch: 2 },
                sequence: 17,
                placement: Placement::Preserved(Preserved {
                    marker: ProducerIdentity { id: 1001, epoch: 0 },
                    coordinator_epoch: 4,
                    padding: 33,
                }),
                transactional: true,
            },
            segments: vec![Segment {
                number: 2,
                runs: vec![Run {
                    source: Source(2),
                    destination: Destination(0),
                    length: 40,
                }],
            }],
        }
    }

    #[test]
    fn an_entry_reads_back_and_its_keys_have_the_members_in_connects_order() {
        let entry = entry();
        let records = encode(&entry);
        assert_eq!(
            records[0].0,
            r#"["a \"b\"",{"topic":"orders","partition":3}]"#
        );
        assert_eq!(
            records[1].0,
            r#"["a \"b\"",{"topic":"orders","partition":3,"runs":2}]"#
        );
        assert_eq!(records[1].1, r#"{"runs":[[2,0,40]]}"#);
        let mut known = StoredLink::new();
        for (key, value) in &records {
            decode(
                &entry.link,
                key.as_bytes(),
                Some(value.as_bytes()),
                &mut known,
            )
            .expect("ours");
        }
        let stored = &known[&entry.partition];
        assert_eq!(stored.position.as_ref(), Some(&entry.position));
        assert_eq!(stored.destination.as_ref(), Some(&entry.destination));
        assert_eq!(stored.segment.as_ref(), Some(&entry.segments[0]));
        decode(&entry.link, records[0].0.as_bytes(), None, &mut known).expect("a tombstone");
        assert_eq!(known[&entry.partition].position, None);
    }

    #[test]
    fn the_parts_of_a_partition_that_is_spread_are_kept_apart() {
        let spread = Spread { of: 4, to: 1 };
        let entry = StoreEntry {
            spread: Some(spread),
            ..entry()
        };
        let records = encode(&entry);
        assert_eq!(
            records[0].0,
            r#"["a \"b\"",{"topic":"orders","partition":3,"of":4,"to":1}]"#
        );
        assert_eq!(
            records[1].0,
            r#"["a \"b\"",{"topic":"orders","partition":3,"of":4,"to":1,"runs":2}]"#
        );
        let mut known = StoredLink::new();
        for (key, value) in &records {
            let value = Some(value.as_bytes());
            decode(&entry.link, key.as_bytes(), value, &mut known).expect("ours");
        }
        let stored = &known[&entry.partition];
        assert_eq!((&stored.position, &stored.segment), (&None, &None));
        let part = &stored.spread[&spread];
        assert_eq!(part.position.as_ref(), Some(&entry.position));
        assert_eq!(part.segment.as_ref(), Some(&entry.segments[0]));
    }

    #[test]
    fn foreign_records_are_passed_over_and_broken_ones_of_ours_are_not() {
        let mut known = StoredLink::new();
        for key in [
            "",
            "x",
            "[]",
            r#"["other",{"topic":"t","partition":0}]"#,
            r#"["l",{"file":"f"}]"#,
        ] {
            decode("l", key.as_bytes(), Some(b"{}"), &mut known).expect("not ours");
        }
        assert!(known.is_empty());
        let key = br#"["l",{"topic":"t","partition":0}]"#;
        for value in ["", "{}", r#"{"offset":-1}"#, r#"{"offset":"1"}"#] {
            decode("l", key, Some(value.as_bytes()), &mut known).expect_err("ours, and unusable");
        }
    }
}
