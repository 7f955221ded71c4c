//! Reads the registry of the source whenever a producer id is met that is not known.

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use kafka_client::Cluster;
use kafka_client::topic_log::TopicLog;
use kafka_wire::error_code::{ErrorClass, ErrorCode};
use kafka_wire::message::metadata::MetadataTopics;
use kafka_wire::types::{TopicId, TopicName};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::{Mutex, watch};

use super::known::{Known, OriginRule, Stream};
use super::{REGISTRY, entry};
use crate::position_store::PositionStore;

/// How long reading the registry may take.
const LIMIT: Duration = Duration::from_secs(20);
/// Pause before a registry that seems missing is looked for again: brokers that lag answer from old knowledge.
const SECOND_LOOK: Duration = Duration::from_secs(5);

/// Why it cannot be said where records come from.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub(super) enum OriginError {
    /// It may be over soon.
    #[error("source: the registry of origins cannot be read: {0}")]
    Passing(String),
    /// The registry is not the one that was used before.
    #[error("{0}")]
    Lost(String),
}

/// What is needed to tell origins.
#[derive(Debug)]
pub struct OriginsOptions {
    /// The link, which is part of the stored key.
    pub link: String,
    /// The source.
    pub source: Cluster,
    /// Ids of both clusters.
    pub source_id: String,
    /// Ids of both clusters.
    pub destination_id: String,
    /// Where the registry's id is kept.
    pub store: PositionStore,
    /// Whether the registry has to be readable.
    pub required: bool,
    /// Whether a lost registry is replaced by what there is.
    pub accept_lost: bool,
}

/// Handle to what is known about producers at the source; cheap to clone.
#[derive(Clone, Debug)]
pub struct Origins {
    shared: Arc<Shared>,
    stream: Stream,
}

#[derive(Debug)]
struct Shared {
    source: Cluster,
    ids: [String; 2],
    required: bool,
    accept_lost: bool,
    key: String,
    /// Held while the registry is read: whoever needs it too waits for the same answer.
    state: Mutex<State>,
    /// Apart from that: who only meets producers that are known waits for nobody.
    known: std::sync::Mutex<Known>,
    thirds: watch::Sender<BTreeSet<String>>,
}

#[derive(Debug)]
struct State {
    /// The id of the registry that is used.
    registry: Option<TopicId>,
    store: PositionStore,
    /// Whether it has been said that the registry may not be read.
    said: bool,
}

impl Origins {
    /// Loads which registry was used before, and reads it.
    ///
    /// # Errors
    /// When what was stored cannot be read, or the registry cannot and has to.
    pub async fn open(options: OriginsOptions) -> Result<Self, String> {
        let mut store = options.store;
        let key = format!(
            "[{},{{\"origins\":{}}}]",
            Value::from(options.link.as_str()),
            Value::from(options.source_id.as_str())
        );
        let texts = store
            .load_texts()
            .await
            .map_err(|error| error.to_string())?;
        let stored = texts.into_iter().rfind(|(found, _)| *found == key);
        let registry = match stored.and_then(|(_, value)| value) {
            None => None,
            Some(value) => Some(
                parse(&value).ok_or("the stored id of the registry of origins cannot be read")?,
            ),
        };
        let origins = Self {
            shared: Arc::new(Shared {
                source: options.source,
                ids: [options.source_id, options.destination_id],
                required: options.required,
                accept_lost: options.accept_lost,
                key,
                state: Mutex::new(State {
                    registry,
                    store,
                    said: false,
                }),
                known: std::sync::Mutex::default(),
                thirds: watch::Sender::new(BTreeSet::new()),
            }),
            stream: Stream::Local,
        };
        match origins.look(&[]).await {
            Ok(()) => Ok(origins),
            // Partitions say it, each when it meets a producer that is not known.
            Err(error @ OriginError::Lost(_)) => {
                tracing::error!("{error}");
                Ok(origins)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// The same knowledge, for another stream.
    #[must_use]
    pub fn of(&self, stream: Stream) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            stream,
        }
    }

    /// Clusters whose records pass through the source on their way, as they become known.
    #[must_use]
    pub fn thirds(&self) -> watch::Receiver<BTreeSet<String>> {
        self.shared.thirds.subscribe()
    }

    /// Which batches are this stream's. `producers` are those of batches that have been read.
    ///
    /// # Errors
    /// When one of them is not known, and the registry cannot be read now.
    pub async fn rule(&self, producers: &BTreeSet<i64>) -> Result<OriginRule, String> {
        let unknown: Vec<i64> = {
            let known = self.shared.known();
            let new = producers.iter().copied();
            new.filter(|producer| known.is_new(*producer)).collect()
        };
        let looked = match unknown.is_empty() {
            true => Ok(()),
            false => self.look(&unknown).await,
        };
        let lost = match looked {
            Ok(()) => None,
            Err(error @ OriginError::Passing(_)) => return Err(error.to_string()),
            Err(OriginError::Lost(reason)) => {
                Some(Arc::new((unknown.into_iter().collect(), reason)))
            }
        };
        let take = self.shared.known().take(&self.stream);
        Ok(OriginRule { take, lost })
    }

    async fn look(&self, asked: &[i64]) -> Result<(), OriginError> {
        let mut state = self.shared.state.lock().await;
        // Somebody else may have looked while this one waited, and after these were read.
        let is_new = |producer: &i64| self.shared.known().is_new(*producer);
        if !asked.is_empty() && !asked.iter().any(is_new) {
            return Ok(());
        }
        let entries = self.shared.read(&mut state).await?;
        let [source, destination] = &self.shared.ids;
        let thirds = {
            let mut known = self.shared.known();
            known.learn(entries, asked);
            known.origins([source, destination])
        };
        self.shared.thirds.send_if_modified(|before| {
            let changed = *before != thirds;
            *before = thirds;
            changed
        });
        Ok(())
    }
}

/// What a look at the topic shows.
#[derive(Clone, Copy)]
enum Seen {
    Missing,
    Forbidden,
    There(TopicId),
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All registrations, after it is clear that they are those of the right registry.
    async fn read(&self, state: &mut State) -> Result<Vec<(i64, String)>, OriginError> {
        let mut seen = self.see().await?;
        if matches!(seen, Seen::Missing) && state.registry.is_some() {
            tokio::time::sleep(SECOND_LOOK).await;
            seen = self.see().await?;
        }
        match (state.registry, seen) {
            (None, Seen::Missing) => return Ok(Vec::new()),
            (None, Seen::Forbidden) if !self.required => {
                if !std::mem::replace(&mut state.said, true) {
                    tracing::info!(
                        "the source's topic {REGISTRY} may not be read, so copies that links have made there are not told \
                         from other records; grant READ and DESCRIBE on it before a link in the other direction is started"
                    );
                }
                return Ok(Vec::new());
            }
            (_, Seen::Forbidden) => {
                return Err(OriginError::Passing(format!(
                    "READ and DESCRIBE on topic {REGISTRY} are missing"
                )));
            }
            (Some(_), Seen::Missing) if self.accept_lost => return Ok(Vec::new()),
            (Some(_), Seen::Missing) => return Err(self.lost("is gone")),
            (Some(before), Seen::There(id)) if before == id => {}
            (Some(_), Seen::There(_)) if !self.accept_lost => {
                return Err(self.lost("is another one than before: it was deleted and made again"));
            }
            (_, Seen::There(id)) => {
                let value = json!({"format": 1, "topic.id": id.to_string()}).to_string();
                let text = [(self.key.clone(), Some(value))];
                let saved = state.store.save_texts(&text).await;
                saved.map_err(|error| OriginError::Passing(error.to_string()))?;
                state.registry = Some(id);
            }
        }
        let entries = match seen {
            Seen::There(id) => entries(&self.source, id).await,
            Seen::Missing | Seen::Forbidden => Ok(Vec::new()),
        };
        entries.map_err(OriginError::Passing)
    }

    fn lost(&self, how: &str) -> OriginError {
        OriginError::Lost(format!(
            "the source's topic {REGISTRY}, which tells the copies of other links from local records, {how}: what it would say \
             about this producer is not known, and its records may be copies that must not go back. Start the links that write to \
             the source again, so that they register anew, make sure that the source holds no copies by producers of before, \
             and set tributary.on.origins.lost=continue"
        ))
    }

    async fn see(&self) -> Result<Seen, OriginError> {
        see(&self.source).await.map_err(OriginError::Passing)
    }
}

/// What a cluster's registry holds: producers, and whose records they stand for. Nothing where there is none, or where it may
/// not be read. It is never made.
///
/// # Errors
/// When it is there and cannot be read.
pub async fn registrations(cluster: &Cluster) -> Result<Vec<(i64, String)>, String> {
    match see(cluster).await? {
        Seen::Missing | Seen::Forbidden => Ok(Vec::new()),
        Seen::There(id) => entries(cluster, id).await,
    }
}

async fn see(cluster: &Cluster) -> Result<Seen, String> {
    let topics = MetadataTopics::Topics(vec![REGISTRY.into()]);
    let answer = cluster.metadata(topics).await;
    let answer = answer.map_err(|error| error.to_string())?;
    let Some(topic) = answer.topics.into_iter().next() else {
        return Ok(Seen::Missing);
    };
    match topic.error {
        ErrorCode::NONE => Ok(Seen::There(topic.id)),
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => Ok(Seen::Missing),
        code if code.class() == ErrorClass::Denied => Ok(Seen::Forbidden),
        code => Err(code.to_string()),
    }
}

/// What this one registry holds. Another one in its place, or one made here, would be empty, and everything a local record.
async fn entries(cluster: &Cluster, id: TopicId) -> Result<Vec<(i64, String)>, String> {
    let log = TopicLog::open_that(cluster.clone(), TopicName::from(REGISTRY), id).await;
    let mut log = log.map_err(|error| error.to_string())?;
    let records = log.read_all(LIMIT).await;
    let records = records.map_err(|error| error.to_string())?;
    // Leaders that moved were looked up by name.
    if log.id() != id {
        return Err(format!("topic {REGISTRY} was made again while it was read"));
    }
    // Registrations are never taken back.
    let live = records
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)));
    live.map(|(key, value)| entry::decode(&key, &value))
        .collect()
}

fn parse(value: &str) -> Option<TopicId> {
    let value: Value = serde_json::from_str(value).ok()?;
    TopicId::parse(value.get("topic.id")?.as_str()?)
}
