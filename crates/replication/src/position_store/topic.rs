//! Positions in a compacted topic of the destination.

use std::time::Duration;

use bytes::Bytes;
use kafka_client::Cluster;
use kafka_client::topic_log::{TopicLog, TopicLogError, TopicShape};

use super::keys::{KeyStyle, Keys};
use super::{StoreEntry, StoreError, StoredLink, StoredText};

/// How long the topic may take to become available, to be read, to be written.
const LIMIT: Duration = Duration::from_secs(60);

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

    pub(super) async fn load(
        &mut self,
        link: &str,
        style: KeyStyle,
    ) -> Result<StoredLink, StoreError> {
        self.keys = Keys::new(style);
        let mut known = StoredLink::new();
        for (key, value) in self.log.read_all(LIMIT).await? {
            let read = self.keys.decode(link, &key, value.as_deref(), &mut known);
            read.map_err(|cause| TopicLogError::Unreadable {
                topic: self.log.topic().clone(),
                partition: -1,
                cause,
            })?;
        }
        Ok(known)
    }

    pub(super) async fn save(&mut self, entries: &[StoreEntry]) -> Result<(), StoreError> {
        let records: Vec<_> = entries
            .iter()
            .flat_map(|entry| self.keys.encode(entry))
            .map(|(key, value)| (Bytes::from(key), Some(Bytes::from(value))))
            .collect();
        Ok(self.log.write(&records, LIMIT).await?)
    }

    /// Records that are not text are none of ours.
    pub(super) async fn load_texts(&mut self) -> Result<Vec<StoredText>, StoreError> {
        let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).ok();
        let records = self.log.read_all(LIMIT).await?;
        Ok(records
            .into_iter()
            .filter_map(|(key, value)| match value {
                None => Some((text(key)?, None)),
                Some(value) => Some((text(key)?, Some(text(value)?))),
            })
            .collect())
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
