//! Positions in a compacted topic of the destination.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;
use kafka_client::Cluster;
use kafka_client::topic_log::{KeyValue, TopicLog, TopicLogError, TopicShape};
use kafka_client::transactions::TransactionalProducer;

use super::keys::{Foreign, KeyStyle, Keys};
use super::ownership::{Ownership, is_claim};
use super::{StoreEntry, StoreError, StoredLink, StoredText};

/// How long the topic may take to become available, to be read, to be written.
const LIMIT: Duration = Duration::from_secs(60);
/// After how long it is said that positions cannot be written; it goes on being tried.
const TOLD: Duration = Duration::from_secs(15);

/// See the module.
#[derive(Debug)]
pub struct TopicStore {
    log: TopicLog,
    keys: Keys,
}

impl TopicStore {
    /// Opens the topic, and makes it if it is missing.
    ///
    /// # Errors
    /// When it is not available within a minute, or not compacted.
    pub async fn open(
        cluster: Cluster,
        topic: &str,
        shape: TopicShape,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            log: TopicLog::open(cluster, topic.into(), shape, LIMIT).await?,
            keys: Keys::default(),
        })
    }

    /// Opens the topic if there is one; nothing is made.
    ///
    /// # Errors
    /// When the cluster does not say whether there is one.
    pub async fn find(cluster: Cluster, topic: &str) -> Result<Option<Self>, StoreError> {
        let log = TopicLog::find(cluster, topic.into()).await?;
        let keys = Keys::default();
        Ok(log.map(|log| Self { log, keys }))
    }

    /// Another handle to the topic, with keys of its own.
    pub(super) fn another(&self) -> Self {
        Self {
            log: self.log.clone(),
            keys: Keys::default(),
        }
    }

    pub(super) async fn claim(self, link: &str) -> Result<Ownership, StoreError> {
        Ok(Ownership::claim(self.log, link).await?)
    }

    pub(super) async fn load(
        &mut self,
        link: &str,
        style: KeyStyle,
    ) -> Result<StoredLink, StoreError> {
        Ok(self.load_all(link, style).await?.0)
    }

    pub(super) async fn load_all(
        &mut self,
        link: &str,
        style: KeyStyle,
    ) -> Result<(StoredLink, Vec<StoredText>), StoreError> {
        self.keys = Keys::new(style);
        let records = newest(link, self.log.read_all(LIMIT).await?);
        let mut known = StoredLink::new();
        for (key, value) in &records {
            let read = self.keys.decode(link, key, value.as_deref(), &mut known);
            read.map_err(|cause| TopicLogError::Unreadable {
                topic: self.log.topic().clone(),
                partition: -1,
                cause,
            })?;
        }
        Ok((known, texts(records)))
    }

    pub(super) async fn save(&mut self, entries: &[StoreEntry]) -> Result<(), StoreError> {
        let records = self.records(entries);
        Ok(self.log.write(&records, TOLD).await?)
    }

    pub(super) async fn save_in(
        &mut self,
        producer: &mut TransactionalProducer,
        entries: &[StoreEntry],
    ) -> Result<(), StoreError> {
        let records = self.records(entries);
        Ok(self.log.write_in(producer, &records).await?)
    }

    fn records(&mut self, entries: &[StoreEntry]) -> Vec<KeyValue> {
        let records = entries.iter().flat_map(|entry| self.keys.encode(entry));
        records
            .map(|(key, value)| (Bytes::from(key), Some(Bytes::from(value))))
            .collect()
    }

    pub(super) async fn load_texts(&mut self) -> Result<Vec<StoredText>, StoreError> {
        Ok(texts(self.log.read_all(LIMIT).await?))
    }

    pub(super) async fn save_texts(&mut self, texts: &[StoredText]) -> Result<(), StoreError> {
        let records: Vec<_> = texts
            .iter()
            .cloned()
            .map(|(key, value)| (Bytes::from(key), value.map(Bytes::from)))
            .collect();
        Ok(self.log.write(&records, LIMIT).await?)
    }
}

/// The last record of each key, in their order, without those that are certainly of other links: the topic may hold every
/// position of hours. Claims are all kept, because they tell who came before whom.
fn newest(link: &str, records: Vec<KeyValue>) -> Vec<KeyValue> {
    let foreign = Foreign::to(link);
    let is_foreign = |key: &[u8]| std::str::from_utf8(key).is_ok_and(|key| foreign.is(key));
    let mut seen: HashSet<Bytes> = HashSet::new();
    let mut kept: Vec<KeyValue> = Vec::new();
    for (key, value) in records.into_iter().rev() {
        if !is_foreign(&key) && (is_claim(&key) || seen.insert(key.clone())) {
            kept.push((key, value));
        }
    }
    kept.reverse();
    kept
}

/// Records that are not text are none of ours.
fn texts(records: Vec<KeyValue>) -> Vec<StoredText> {
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).ok();
    records
        .into_iter()
        .filter_map(|(key, value)| match value {
            None => Some((text(key)?, None)),
            Some(value) => Some((text(key)?, Some(text(value)?))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_record_of_each_key_is_kept_in_its_place_and_every_claim() {
        let record = |key: &str, value: &str| {
            let value = (!value.is_empty()).then(|| Bytes::from(value.to_owned()));
            (Bytes::from(key.to_owned()), value)
        };
        let (a, b) = (r#"["l",{"topic":"a"}]"#, r#"["l", {"topic":"a"}]"#);
        let claim = r#"["l",{"owner":"process"}]"#;
        let records = vec![
            record(a, "1"),
            record(claim, "x"),
            record(b, "2"),
            record(r#"["other",{"topic":"a"}]"#, "7"),
            record(a, "3"),
            record(claim, "y"),
            record(b, ""),
        ];
        let kept = newest("l", records);
        let expected = vec![
            record(claim, "x"),
            record(a, "3"),
            record(claim, "y"),
            record(b, ""),
        ];
        assert_eq!(kept, expected);
    }
}
