//! Positions that other programs have written, and the keys under which they stand.
//!
//! ```text
//!   ["<connector>",{"cluster":"A","partition":0,"topic":"t"}]  {"offset":41}   MirrorMaker 2: the last one that was copied
//!   ["<connector>",{"topic":"t","partition":0}]                {"offset":41}   Replicator: taken for the next one
//! ```
//!
//! Connect finds keys by their bytes, so a key that is there is written again byte for byte; only what has no key yet
//! gets one, in the order of members that its product has. A record of ours is told by its further members.
//!
//! Invariant: a position of another program is never passed over in silence and never skips a record. Whether
//! Replicator counts the last or the next offset is not known; the next is taken, which repeats one record at most.

use std::collections::HashMap;

use kafka_wire::types::TopicPartition;
use serde_json::{Map, Value};

use super::record::{self, TextRecord};
use super::{StoreEntry, StoredLink};

/// The connector of MirrorMaker 2's own process is called by its class.
const DEDICATED: &str = "MirrorSourceConnector";
/// A member that positions of ours have and those of other programs have not.
const OURS: &str = "destination.offset";

/// Whose keys a link continues.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum KeyStyle {
    /// Topic and partition.
    #[default]
    Plain,
    /// MirrorMaker 2's, with the alias of the source cluster.
    Mirror(String),
}

/// The keys of one link's positions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    style: KeyStyle,
    /// Keys that are others than those of new positions: every task of a link reads the positions of all, and what can be made
    /// again need not be kept in each.
    known: HashMap<TopicPartition, String>,
}

/// Knows keys that are certainly of other links by how they begin, so that a thousand links need not read each other's.
pub(super) struct Foreign {
    own: String,
    dedicated: String,
}

impl Foreign {
    pub(super) fn to(link: &str) -> Self {
        let begin = |name: &str| format!("[{}", Value::from(name));
        Self {
            own: begin(link),
            dedicated: begin(DEDICATED),
        }
    }

    /// Keys with blanks or escapes, as others may have written them, are left to those who read them properly.
    pub(super) fn is(&self, key: &str) -> bool {
        let plain = key.starts_with("[\"") && !key.contains('\\');
        plain && !key.starts_with(&self.own) && !key.starts_with(&self.dedicated)
    }
}

/// A key, understood.
#[derive(Debug)]
struct Key {
    connector: String,
    partition: Map<String, Value>,
}

impl Key {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let Value::Array(parts) = serde_json::from_slice(bytes).ok()? else {
            return None;
        };
        let [Value::String(connector), Value::Object(partition)] = parts.as_slice() else {
            return None;
        };
        Some(Self {
            connector: connector.clone(),
            partition: partition.clone(),
        })
    }

    fn source(&self) -> Option<TopicPartition> {
        let topic = self.partition.get("topic")?.as_str()?;
        let number = i32::try_from(self.partition.get("partition")?.as_i64()?).ok()?;
        Some(TopicPartition::new(topic.into(), number))
    }

    fn cluster(&self) -> Option<&str> {
        self.partition.get("cluster")?.as_str()
    }

    /// Whether it is a position, and not something else that is kept beside positions.
    fn is_position(&self) -> bool {
        let names = ["topic", "partition", "cluster"];
        self.partition
            .keys()
            .all(|key| names.contains(&key.as_str()))
    }
}

impl Keys {
    pub(super) fn new(style: KeyStyle) -> Self {
        Self {
            style,
            known: HashMap::new(),
        }
    }

    /// Whether a key is one of the link's.
    fn is_of(&self, link: &str, key: &Key) -> bool {
        match (&self.style, key.cluster()) {
            // The same topic may be kept for several sources.
            (KeyStyle::Mirror(alias), Some(cluster)) if alias != cluster => false,
            (KeyStyle::Mirror(_), Some(_)) => {
                key.connector == link || (key.connector == DEDICATED && link.contains("->"))
            }
            _ => key.connector == link,
        }
    }

    /// As [`record::decode`], for positions of other programs too.
    pub(crate) fn decode(
        &mut self,
        link: &str,
        bytes: &[u8],
        value: Option<&[u8]>,
        known: &mut StoredLink,
    ) -> Result<(), String> {
        let Some(key) = Key::parse(bytes).filter(|key| self.is_of(link, key)) else {
            return Ok(());
        };
        let Some(partition) = key.source().filter(|_| key.is_position()) else {
            // Records of other things, such as the offsets of groups, are none of ours.
            let ours = ["runs", "of"]
                .iter()
                .any(|name| key.partition.contains_key(*name));
            return match ours {
                true => record::decode(link, bytes, value, known),
                false => Ok(()),
            };
        };
        if value.is_some() {
            let text = String::from_utf8_lossy(bytes);
            if text == new_key(&self.style, link, &partition) {
                self.known.remove(&partition);
            } else {
                self.known.insert(partition.clone(), text.into_owned());
            }
        }
        let unreadable = || format!("the stored position of {partition} cannot be read");
        let value: Option<Map<String, Value>> = value
            .map(serde_json::from_slice)
            .transpose()
            .map_err(|_| unreadable())?;
        // MirrorMaker 2 counts what was copied last.
        let behind = i64::from(key.cluster().is_some());
        let plain = record::plain_key(link, &partition);
        match value {
            Some(mut value) if value.contains_key(OURS) => {
                let offset = value.get("offset").and_then(Value::as_i64);
                let next = offset.ok_or_else(unreadable)? + behind;
                value.insert("offset".to_owned(), next.into());
                let value = Value::Object(value).to_string();
                record::decode(link, plain.as_bytes(), Some(value.as_bytes()), known)?;
                known.entry(partition).or_default().begin = None;
            }
            foreign => {
                record::decode(link, plain.as_bytes(), None, known)?;
                let offset = foreign.and_then(|value| value.get("offset")?.as_i64());
                // Java reads a negative offset as none at all.
                let begin = offset
                    .filter(|offset| *offset >= 0)
                    .map(|offset| offset + behind);
                known.entry(partition).or_default().begin = begin;
            }
        }
        Ok(())
    }

    /// As [`record::encode`], under the key that is there already.
    pub(super) fn encode(&self, entry: &StoreEntry) -> Vec<TextRecord> {
        // A part of a partition that is spread has a key of our own.
        if entry.spread.is_some() {
            return record::encode(entry);
        }
        let key = match self.known.get(&entry.partition) {
            Some(key) => key.clone(),
            None => new_key(&self.style, &entry.link, &entry.partition),
        };
        let behind = Key::parse(key.as_bytes()).is_some_and(|key| key.cluster().is_some());
        let mut records = if behind {
            let mut entry = entry.clone();
            entry.position.offset.0 -= 1;
            record::encode(&entry)
        } else {
            record::encode(entry)
        };
        let (position, _) = records.first_mut().expect("the position comes first");
        *position = key;
        records
    }
}

/// The key of a position that has none yet.
#[must_use]
pub fn new_key(style: &KeyStyle, link: &str, partition: &TopicPartition) -> String {
    match style {
        KeyStyle::Plain => record::plain_key(link, partition),
        KeyStyle::Mirror(alias) => format!(
            "[{},{{\"cluster\":{},\"partition\":{},\"topic\":{}}}]",
            Value::from(link),
            Value::from(alias.as_str()),
            partition.partition,
            Value::from(partition.topic.as_str())
        ),
    }
}

/// A stored position as Connect shows it: the partition's members, and the offset as it is stored.
#[derive(Clone, PartialEq, Debug)]
pub struct ShownPosition {
    /// The key, byte for byte.
    pub key: String,
    /// Members of the partition.
    pub partition: Map<String, Value>,
    /// The offset, in the sense of its product; `None` where none can be read.
    pub offset: Option<i64>,
}

/// The positions of a link among all records of a store, the last of a key being the one that counts.
#[must_use]
pub fn shown(style: &KeyStyle, link: &str, texts: &[super::StoredText]) -> Vec<ShownPosition> {
    let keys = Keys::new(style.clone());
    let mut last: std::collections::BTreeMap<&str, Option<&str>> =
        std::collections::BTreeMap::new();
    for (key, value) in texts {
        last.insert(key, value.as_deref());
    }
    last.into_iter()
        .filter_map(|(text, value)| {
            let key = Key::parse(text.as_bytes()).filter(|key| keys.is_of(link, key))?;
            key.source().filter(|_| key.is_position())?;
            let value: Map<String, Value> = serde_json::from_str(value?).ok()?;
            Some(ShownPosition {
                key: text.to_owned(),
                partition: key.partition,
                offset: value.get("offset").and_then(Value::as_i64),
            })
        })
        .collect()
}

/// Keys of everything else that is kept of these partitions of a link: pieces of offset maps.
#[must_use]
pub fn map_keys(
    link: &str,
    partitions: &[TopicPartition],
    texts: &[super::StoredText],
) -> Vec<String> {
    let mut found: Vec<String> = texts
        .iter()
        .filter(|(text, value)| {
            let key = Key::parse(text.as_bytes()).filter(|key| key.connector == link);
            let piece = key.filter(|key| key.partition.contains_key("runs"));
            value.is_some()
                && piece
                    .and_then(|key| key.source())
                    .is_some_and(|partition| partitions.contains(&partition))
        })
        .map(|(text, _)| text.clone())
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Position;
    use crate::side::{Destination, Source};
    use kafka_wire::types::{ProducerIdentity, TopicId};

    fn partition() -> TopicPartition {
        TopicPartition::new("foo".into(), 0)
    }

    fn read(style: &KeyStyle, link: &str, records: &[(&str, &str)]) -> (Keys, StoredLink) {
        let mut keys = Keys::new(style.clone());
        let mut known = StoredLink::new();
        for (key, value) in records {
            let value = (!value.is_empty()).then_some(value.as_bytes());
            keys.decode(link, key.as_bytes(), value, &mut known)
                .expect("readable");
        }
        (keys, known)
    }

    fn entry(link: &str, offset: i64) -> StoreEntry {
        StoreEntry {
            link: link.to_owned(),
            partition: partition(),
            destination: "A.foo".into(),
            position: Position {
                offset: Source(offset),
                leader_epoch: 0,
                topic_id: Source(TopicId::ZERO),
                destination_topic_id: Destination(TopicId::ZERO),
                destination_end: Destination(7),
                producer: ProducerIdentity { id: 1, epoch: 0 },
                sequence: 0,
                placement: Default::default(),
                transactional: false,
            },
            segments: Vec::new(),
            spread: None,
        }
    }

    #[test]
    fn offset_keys_preserved_byte_exact_on_takeover() {
        let mirror = KeyStyle::Mirror("A".into());
        // Another order of members, and white space.
        let odd = r#"["MirrorSourceConnector", {"topic":"foo", "cluster":"A","partition":0}]"#;
        let (keys, known) = read(&mirror, "A->B", &[(odd, r#"{"offset":41}"#)]);
        assert_eq!(
            known[&partition()].begin,
            Some(42),
            "it goes on behind the last one"
        );
        let written = keys.encode(&entry("A->B", 50));
        assert_eq!(written[0].0, odd);
        // MirrorMaker 2 would go on at 50 too.
        assert!(written[0].1.contains(r#""offset":49"#), "{}", written[0].1);
        let (_, known) = read(&mirror, "A->B", &[(odd, &written[0].1)]);
        let position = known[&partition()].position.as_ref().expect("ours");
        assert_eq!(position.offset, Source(50));
        assert_eq!(known[&partition()].begin, None);
    }

    #[test]
    fn only_keys_that_are_others_than_new_ones_are_kept() {
        let (plain, odd) = (
            r#"["c",{"topic":"foo","partition":0}]"#,
            r#"["c", {"topic":"foo","partition":0}]"#,
        );
        let value = r#"{"offset":3}"#;
        let read = |keys: &[&str]| {
            let records: Vec<_> = keys.iter().map(|key| (*key, value)).collect();
            let (keys, _) = read(&KeyStyle::Plain, "c", &records);
            let written = keys.encode(&entry("c", 5)).swap_remove(0).0;
            (keys.known.len(), written)
        };
        assert_eq!(read(&[plain]), (0, plain.to_owned()));
        assert_eq!(read(&[odd]), (1, odd.to_owned()));
        // The last one counts.
        assert_eq!(read(&[plain, odd]), (1, odd.to_owned()));
        assert_eq!(read(&[odd, plain]), (0, plain.to_owned()));
    }

    #[test]
    fn new_keys_have_their_products_order() {
        let mirror = Keys::new(KeyStyle::Mirror("A".into()));
        assert_eq!(
            mirror.encode(&entry("c", 0))[0].0,
            r#"["c",{"cluster":"A","partition":0,"topic":"foo"}]"#
        );
        let plain = Keys::new(KeyStyle::Plain);
        assert_eq!(
            plain.encode(&entry("c", 0))[0].0,
            r#"["c",{"topic":"foo","partition":0}]"#
        );
        // Nothing copied yet.
        let (key, value) = mirror.encode(&entry("c", 0)).swap_remove(0);
        let (_, known) = read(&KeyStyle::Mirror("A".into()), "c", &[(&key, &value)]);
        assert_eq!(
            known[&partition()].position.as_ref().map(|p| p.offset),
            Some(Source(0))
        );
    }

    /// The figures of docs/benchmark-results come from here: `cargo test --release -p replication -- thousand --nocapture`.
    #[expect(clippy::print_stdout, reason = "figures for whoever asks for them")]
    #[test]
    fn positions_of_a_hundred_thousand_partitions_are_written_and_read() {
        let keys = Keys::new(KeyStyle::Plain);
        let begin = tokio::time::Instant::now();
        let records: Vec<_> = (0..100_000)
            .flat_map(|number| {
                let mut one = entry("west-to-central", i64::from(number) * 1_000);
                one.partition = TopicPartition::new("a.topic.with.a.name".into(), number);
                keys.encode(&one)
            })
            .collect();
        let written = begin.elapsed();
        let bytes: usize = records
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        let begin = tokio::time::Instant::now();
        let (mut read, mut known) = (Keys::new(KeyStyle::Plain), StoredLink::new());
        for (key, value) in &records {
            let value = Some(value.as_bytes());
            read.decode("west-to-central", key.as_bytes(), value, &mut known)
                .expect("readable");
        }
        println!(
            "positions of 100,000 partitions: {bytes} bytes, written in {written:?}, read in {:?}",
            begin.elapsed()
        );
        assert_eq!(known.len(), 100_000);
    }

    #[test]
    fn positions_of_others_are_not_ours() {
        let mirror = KeyStyle::Mirror("A".into());
        for key in [
            r#"["c",{"cluster":"X","partition":0,"topic":"foo"}]"#,
            r#"["other",{"cluster":"A","partition":0,"topic":"foo"}]"#,
            r#"["MirrorSourceConnector",{"cluster":"A","partition":0,"topic":"foo"}]"#,
            r#"["c",{"partition":0,"topic":"foo","group":"g"}]"#,
        ] {
            let (_, known) = read(&mirror, "c", &[(key, r#"{"offset":1}"#)]);
            assert!(known.values().all(|stored| stored.begin.is_none()), "{key}");
        }
    }

    #[test]
    fn a_reset_position_is_none_and_replicators_is_the_next_one() {
        let key = r#"["c",{"topic":"foo","partition":0}]"#;
        let (_, known) = read(&KeyStyle::Plain, "c", &[(key, r#"{"offset":3}"#)]);
        assert_eq!(known[&partition()].begin, Some(3));
        let (_, known) = read(
            &KeyStyle::Plain,
            "c",
            &[(key, r#"{"offset":3}"#), (key, "")],
        );
        assert_eq!(known[&partition()].begin, None);
        let (_, known) = read(&KeyStyle::Plain, "c", &[(key, r#"{"offset":-1}"#)]);
        assert_eq!(known[&partition()].begin, None);
    }
}
