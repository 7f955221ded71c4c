//! What a link did before, for who shows what it would do now: read, and nothing is written, claimed or made for it.

use std::collections::BTreeMap;

use config::link::LinkConfig;
use config::worker::{OffsetStorage, WorkerConfig};
use kafka_client::Cluster;
use kafka_wire::types::TopicName;

use super::assign::replicated;
use super::{LinkError, key_style, known_clusters};
use crate::link_memory::Remembered;
use crate::metadata_sync::History;
use crate::position_store::{
    FileStore, PositionStore, StoreError, Stored, StoredLink, StoredText, TopicStore,
};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// What looking after topics begins with.
    pub history: History,
    /// What is kept beside positions.
    pub texts: Vec<StoredText>,
    /// Why it could not be read: everything else is as of a link that begins.
    pub trouble: Option<String>,
    stored: StoredLink,
}

impl Before {
    /// Reads it from where `worker` keeps positions.
    ///
    /// # Errors
    /// The link would not start, because it ran between other clusters. Both have to have answered.
    pub async fn read(
        config: &LinkConfig,
        worker: &WorkerConfig,
        sides: (&Cluster, &Cluster),
    ) -> Result<Self, LinkError> {
        let (stored, texts) = match load(config, worker, sides.1).await {
            Ok(found) => found,
            Err(error) => {
                return Ok(Self {
                    trouble: Some(error.to_string()),
                    ..Self::default()
                });
            }
        };
        let remembered = Remembered::of(&config.name, &texts);
        known_clusters(&config.name, sides, &remembered)?;
        Ok(Self::of(stored, texts, remembered))
    }

    fn of(stored: StoredLink, texts: Vec<StoredText>, remembered: Remembered) -> Self {
        let mut history = History::new(replicated(&stored));
        history.own = remembered.own;
        Self {
            history,
            texts,
            trouble: None,
            stored,
        }
    }

    /// What is stored of the partitions of a topic, as far as it was copied to `copy`.
    #[must_use]
    pub fn of_copy(&self, topic: &TopicName, copy: &TopicName) -> BTreeMap<i32, Stored> {
        let partitions = self.stored.iter();
        let partitions = partitions.filter(|(partition, known)| {
            let elsewhere = known.destination.as_ref().is_some_and(|to| to != copy);
            partition.topic == *topic && !elsewhere
        });
        partitions
            .map(|(partition, known)| (partition.partition, known.clone()))
            .collect()
    }
}

async fn load(
    config: &LinkConfig,
    worker: &WorkerConfig,
    destination: &Cluster,
) -> Result<(StoredLink, Vec<StoredText>), StoreError> {
    let store = match &worker.offsets {
        OffsetStorage::File(path) => Some(PositionStore::File(FileStore::look(path)?)),
        OffsetStorage::Topic { name, .. } => {
            let found = TopicStore::find(destination.clone(), name).await?;
            found.map(PositionStore::Topic)
        }
    };
    match store {
        Some(mut store) => store.load_all(&config.name, key_style(config)).await,
        None => Ok((StoredLink::new(), Vec::new())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use kafka_wire::types::TopicPartition;

    use super::*;

    #[test]
    fn what_is_stored_is_what_a_link_begins_with() {
        let text = |key: &str, value: &str| (key.to_owned(), Some(value.to_owned()));
        let texts = vec![
            text(
                r#"["l",{"settings":"x"}]"#,
                r#"{"format":1,"names":"retention.ms"}"#,
            ),
            text(r#"["m",{"settings":"y"}]"#, r#"{"format":1,"names":"a"}"#),
        ];
        let known = |to: &str| Stored {
            destination: Some(to.into()),
            begin: Some(7),
            ..Stored::default()
        };
        let partition = |topic: &str, number| TopicPartition::new(topic.into(), number);
        let stored = StoredLink::from([
            (partition("a", 0), known("x")),
            (partition("a", 1), Stored::default()),
            (partition("a", 2), known("elsewhere")),
            (partition("b", 0), known("x")),
        ]);
        let remembered = Remembered::of("l", &texts);
        let before = Before::of(stored, texts, remembered);
        let own = BTreeSet::from(["retention.ms".to_owned()]);
        assert_eq!(before.history.own, BTreeMap::from([("x".into(), own)]));
        let of_copy = before.of_copy(&"a".into(), &"x".into());
        assert_eq!(of_copy.keys().copied().collect::<Vec<_>>(), [0, 1]);
    }
}
