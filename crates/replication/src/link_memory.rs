//! What a link remembers besides positions: between which clusters it runs, which settings of copies it made, and which topics
//! it found when it began.
//!
//! Kept beside positions, in their form (`position_store`):
//!
//! ```text
//! ["<link>",{"clusters":"ids"}]           {"format":1,"source":"…","destination":"…"}
//! ["<link>",{"settings":"west.orders"}]   {"format":1,"names":"cleanup.policy,retention.ms"}
//! ["<link>",{"first":"0"}]                {"format":1,"topics":{"orders":4},"last":true}
//! ```
//! What it found is in as many records as it needs, of which the last one says so: without that it has not begun.
//!
//! Invariant: what is remembered was seen or done; nothing is remembered in advance.

use std::collections::{BTreeMap, BTreeSet};

use kafka_wire::types::TopicName;
use serde_json::{Map, Value, json};

use crate::position_store::{PositionStore, StoreError, StoredText};

/// Version of the stored form.
const FORMAT: u64 = 1;

/// Ids of the two clusters, as far as they are known.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClusterIds {
    /// Where the link reads.
    pub source: Option<String>,
    /// Where it writes.
    pub destination: Option<String>,
}

impl ClusterIds {
    /// The side that is another cluster than `before`, with both ids. An id that is not known says nothing.
    #[must_use]
    pub fn changed_since(&self, before: &Self) -> Option<(&'static str, String, String)> {
        let sides = [
            ("source", &before.source, &self.source),
            ("destination", &before.destination, &self.destination),
        ];
        sides.into_iter().find_map(|(side, before, now)| {
            let (before, now) = (before.as_ref()?, now.as_ref()?);
            (before != now).then(|| (side, before.clone(), now.clone()))
        })
    }

    /// These ids, and those of `before` where one is not known.
    #[must_use]
    pub fn or(self, before: &Self) -> Self {
        Self {
            source: self.source.or_else(|| before.source.clone()),
            destination: self.destination.or_else(|| before.destination.clone()),
        }
    }
}

/// Names of settings that the link made, by copy.
pub type OwnSettings = BTreeMap<TopicName, BTreeSet<String>>;

/// Topics that a link found when it began, with the number of their partitions.
pub type FirstLook = BTreeMap<TopicName, i32>;

/// Topics in one record.
const TOPICS_OF_RECORD: usize = 1_000;

/// A link's first look, to be kept.
#[must_use]
pub fn first_look(link: &str, look: &FirstLook) -> Vec<StoredText> {
    let topics: Vec<_> = look.iter().collect();
    let mut parts: Vec<&[_]> = topics.chunks(TOPICS_OF_RECORD).collect();
    if parts.is_empty() {
        parts.push(&[]);
    }
    let count = parts.len();
    let record = |(number, part): (usize, &[(&TopicName, &i32)])| {
        let part: Map<String, Value> = part
            .iter()
            .map(|(topic, partitions)| (topic.to_string(), Value::from(**partitions)))
            .collect();
        let key = format!("[{},{{\"first\":\"{number}\"}}]", Value::from(link));
        let value = json!({ "format": FORMAT, "topics": part, "last": number + 1 == count });
        (key, Some(value.to_string()))
    };
    parts.into_iter().enumerate().map(record).collect()
}

/// What is remembered, as it was read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Remembered {
    /// The clusters it ran between.
    pub clusters: ClusterIds,
    /// The settings it made.
    pub own: OwnSettings,
    /// The topics that it found when it began, with their partitions; nothing where it has not, or did not need to know.
    pub first: Option<FirstLook>,
}

impl Remembered {
    /// Reads what `texts` tell of a link. Records of other things are passed over, and so is what cannot be
    /// understood: such a setting is taken for somebody else's, and stays.
    #[must_use]
    pub fn of(link: &str, texts: &[StoredText]) -> Self {
        let mut remembered = Self::default();
        let mut first = BTreeMap::new();
        for (key, value) in texts {
            let Some(subject) = subject(link, key) else {
                continue;
            };
            let value = value.as_deref().and_then(parse);
            match subject {
                Subject::Clusters => {
                    remembered.clusters = value.map(|value| ids(&value)).unwrap_or_default();
                }
                Subject::First(number) => match value.as_ref().and_then(topics) {
                    Some(part) => drop(first.insert(number, part)),
                    None => drop(first.remove(&number)),
                },
                Subject::Settings(topic) => match value.as_ref().and_then(names) {
                    Some(names) => drop(remembered.own.insert(topic, names)),
                    None => drop(remembered.own.remove(&topic)),
                },
            }
        }
        let is_whole = first.values().any(|(_, last)| *last);
        let all = first.into_values().flat_map(|(topics, _)| topics);
        remembered.first = is_whole.then(|| all.collect());
        remembered
    }
}

enum Subject {
    Clusters,
    First(String),
    Settings(TopicName),
}

fn subject(link: &str, key: &str) -> Option<Subject> {
    let Value::Array(parts) = serde_json::from_str(key).ok()? else {
        return None;
    };
    let [Value::String(name), Value::Object(members)] = parts.as_slice() else {
        return None;
    };
    if name != link || members.len() != 1 {
        return None;
    }
    if members.contains_key("clusters") {
        return Some(Subject::Clusters);
    }
    if let Some(number) = members.get("first") {
        return Some(Subject::First(number.as_str()?.to_owned()));
    }
    let topic = members.get("settings")?.as_str()?;
    Some(Subject::Settings(topic.into()))
}

fn parse(text: &str) -> Option<Map<String, Value>> {
    let value: Map<String, Value> = serde_json::from_str(text).ok()?;
    let known = value.get("format").and_then(Value::as_u64) == Some(FORMAT);
    known.then_some(value)
}

fn ids(value: &Map<String, Value>) -> ClusterIds {
    let id = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    ClusterIds {
        source: id("source"),
        destination: id("destination"),
    }
}

fn topics(value: &Map<String, Value>) -> Option<(FirstLook, bool)> {
    let part = value.get("topics")?.as_object()?.iter();
    let part = part.map(|(topic, partitions)| {
        let partitions = i32::try_from(partitions.as_i64()?).ok()?;
        Some((topic.as_str().into(), partitions))
    });
    Some((part.collect::<Option<_>>()?, value.get("last")?.as_bool()?))
}

fn names(value: &Map<String, Value>) -> Option<BTreeSet<String>> {
    let names = value.get("names")?.as_str()?.split(',');
    Some(names.filter(|n| !n.is_empty()).map(str::to_owned).collect())
}

/// Where a link remembers things.
#[derive(Debug)]
pub struct LinkMemory {
    link: String,
    store: PositionStore,
    /// As stored.
    own: OwnSettings,
}

impl LinkMemory {
    /// A memory that holds what was `remembered`.
    #[must_use]
    pub fn new(link: &str, store: PositionStore, remembered: &Remembered) -> Self {
        Self {
            link: link.to_owned(),
            store,
            own: remembered.own.clone(),
        }
    }

    /// Remembers the clusters; on return that is durable.
    ///
    /// # Errors
    /// When it is not.
    pub async fn clusters(&mut self, ids: &ClusterIds) -> Result<(), StoreError> {
        let key = format!("[{},{{\"clusters\":\"ids\"}}]", Value::from(&*self.link));
        let value =
            json!({ "format": FORMAT, "source": ids.source, "destination": ids.destination });
        self.store
            .save_texts(&[(key, Some(value.to_string()))])
            .await
    }

    /// Remembers these settings instead of those before; only what differs is written.
    ///
    /// # Errors
    /// When it is not durable; doing it again is harmless.
    pub async fn own(&mut self, own: &OwnSettings) -> Result<(), StoreError> {
        let texts = difference(&self.link, &self.own, own);
        if texts.is_empty() {
            return Ok(());
        }
        self.store.save_texts(&texts).await?;
        self.own.clone_from(own);
        Ok(())
    }
}

fn difference(link: &str, before: &OwnSettings, now: &OwnSettings) -> Vec<StoredText> {
    let key = |topic: &TopicName| {
        let (link, topic) = (Value::from(link), Value::from(topic.as_str()));
        format!("[{link},{{\"settings\":{topic}}}]")
    };
    let gone = before.keys().filter(|topic| !now.contains_key(*topic));
    let new = now
        .iter()
        .filter(|(topic, names)| before.get(*topic) != Some(*names));
    let new = new.map(|(topic, names)| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let value = json!({ "format": FORMAT, "names": names.join(",") });
        (key(topic), Some(value.to_string()))
    });
    new.chain(gone.map(|topic| (key(topic), None))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(all: &[(&str, &[&str])]) -> OwnSettings {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        all.iter()
            .map(|(topic, all)| ((*topic).into(), names(all)))
            .collect()
    }

    #[test]
    fn settings_read_back_and_only_what_differs_is_written() {
        let first = own(&[
            ("a.x", &["retention.ms", "segment.ms"]),
            ("b", &["cleanup.policy"]),
        ]);
        let mut texts = difference("l \"1\"", &OwnSettings::new(), &first);
        assert_eq!(
            texts[0],
            (
                r#"["l \"1\"",{"settings":"a.x"}]"#.to_owned(),
                Some(r#"{"format":1,"names":"retention.ms,segment.ms"}"#.to_owned())
            )
        );
        assert_eq!(Remembered::of("l \"1\"", &texts).own, first);
        assert_eq!(Remembered::of("other", &texts), Remembered::default());
        let second = own(&[("a.x", &["retention.ms"])]);
        let changes = difference("l \"1\"", &first, &second);
        assert_eq!(changes.len(), 2);
        texts.extend(changes);
        assert_eq!(Remembered::of("l \"1\"", &texts).own, second);
        assert!(difference("l \"1\"", &second, &second).is_empty());
    }

    #[test]
    fn what_is_no_record_of_ours_is_passed_over() {
        let text = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
        let texts = [
            text("x", "y"),
            text(r#"["l",{"topic":"t","partition":0}]"#, r#"{"offset":1}"#),
            text(r#"["l",{"settings":"t"}]"#, r#"{"format":2,"names":"a"}"#),
            text(r#"["l",{"settings":7}]"#, r#"{"format":1,"names":"a"}"#),
            text(
                r#"["l",{"clusters":"ids"}]"#,
                r#"{"format":1,"source":"s","destination":null}"#,
            ),
        ];
        let remembered = Remembered::of("l", &texts);
        assert!(remembered.own.is_empty());
        assert_eq!(remembered.clusters.source.as_deref(), Some("s"));
        assert_eq!(remembered.clusters.destination, None);
    }

    #[test]
    fn another_cluster_is_noticed_and_an_unknown_one_says_nothing() {
        let ids = |source: &str, destination: &str| {
            let id = |id: &str| (!id.is_empty()).then(|| id.to_owned());
            ClusterIds {
                source: id(source),
                destination: id(destination),
            }
        };
        let side = |before: ClusterIds, now: ClusterIds| now.changed_since(&before).map(|c| c.0);
        assert_eq!(side(ids("a", "b"), ids("a", "b")), None);
        assert_eq!(side(ids("a", "b"), ids("c", "b")), Some("source"));
        assert_eq!(side(ids("a", "b"), ids("a", "c")), Some("destination"));
        assert_eq!(side(ids("", ""), ids("a", "b")), None);
        assert_eq!(side(ids("a", "b"), ids("", "")), None);
        assert_eq!(ids("", "c").or(&ids("a", "b")), ids("a", "c"));
    }

    #[test]
    fn the_first_look_is_read_as_it_was_kept_and_not_before_it_is_whole() {
        for count in [0, 1, TOPICS_OF_RECORD, 2 * TOPICS_OF_RECORD + 1] {
            let look: FirstLook = (0..count)
                .map(|number| (format!("t{number}").as_str().into(), 3))
                .collect();
            let texts = first_look("l", &look);
            assert_eq!(Remembered::of("l", &texts).first, Some(look), "{count}");
            assert_eq!(Remembered::of("m", &texts).first, None);
            let missing = &texts[..texts.len() - 1];
            assert_eq!(Remembered::of("l", missing).first, None, "{count}");
        }
    }
}
