//! What the link has stored about its copy: position and offset map of each partition. Only read: a topic or file that
//! does not exist is not made.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use kafka_client::Cluster;
use kafka_client::topic_log::{TopicLog, TopicShape};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::metadata::MetadataTopics;
use kafka_wire::types::{TopicName, TopicPartition};

use crate::offset_map::Run;
use crate::position::Position;
use crate::position_store::keys::Keys;
use crate::position_store::{FileStore, StoreError, StoredLink, record};

/// How long reading the topic may take.
const LIMIT: Duration = Duration::from_secs(120);
/// Runs of all partitions that are held in memory. A map beyond that is left out, and its partition compared by content.
const RUNS: usize = 4_000_000;

/// What is stored of one partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StoredCopy {
    /// How far it has been copied.
    pub position: Option<Position>,
    /// The topic it was copied to.
    pub destination: Option<TopicName>,
    /// Whether its records are spread over other partitions.
    pub is_spread: bool,
    /// All runs of the map, oldest first.
    pub runs: Vec<Run>,
}

/// All that is stored of a link.
pub type StoredCopies = HashMap<TopicPartition, StoredCopy>;

/// Gathers records in the order in which they were written.
#[derive(Debug, Default)]
struct Gathered {
    keys: Keys,
    positions: StoredLink,
    segments: HashMap<TopicPartition, BTreeMap<u32, Vec<Run>>>,
}

impl Gathered {
    fn add(&mut self, link: &str, key: &[u8], value: Option<&[u8]>) -> Result<(), String> {
        if let Some((partition, number, runs)) = record::segment(link, key, value)? {
            let segments = self.segments.entry(partition).or_default();
            match runs {
                Some(runs) => drop(segments.insert(number, runs)),
                None => drop(segments.remove(&number)),
            }
            return Ok(());
        }
        self.keys.decode(link, key, value, &mut self.positions)
    }

    fn into_copies(self) -> StoredCopies {
        let mut copies = StoredCopies::new();
        for (partition, stored) in self.positions {
            let copy = copies.entry(partition).or_default();
            copy.is_spread = !stored.spread.is_empty();
            copy.position = stored.position;
            copy.destination = stored.destination;
        }
        let mut held = 0;
        for (partition, segments) in self.segments {
            let count: usize = segments.values().map(Vec::len).sum();
            held += count;
            if held > RUNS {
                tracing::warn!(%partition, runs = count, "the offset map is too large to be held; records are compared by content");
                continue;
            }
            copies.entry(partition).or_default().runs = segments.into_values().flatten().collect();
        }
        copies
    }
}

/// Reads what a link keeps in a topic. Nothing, where there is no such topic.
///
/// # Errors
/// When the topic is there and cannot be read.
pub async fn load(cluster: &Cluster, topic: &str, link: &str) -> Result<StoredCopies, String> {
    let name = TopicName::from(topic);
    let answer = cluster
        .metadata(MetadataTopics::Topics(vec![name.clone()]))
        .await
        .map_err(|error| format!("destination: {error}"))?;
    let found = answer.topics.into_iter().next();
    match found.map_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, |topic| topic.error) {
        ErrorCode::NONE => {}
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => return Ok(StoredCopies::new()),
        code => {
            return Err(format!(
                "destination: topic {topic} with the positions cannot be read: {code}"
            ));
        }
    }
    // Only for a topic that would have to be made, and this one is there.
    let shape = TopicShape {
        partitions: 1,
        replication_factor: -1,
    };
    let problem = |error| format!("destination: {error}");
    let log = TopicLog::open(cluster.clone(), name, shape, LIMIT).await;
    let records = log
        .map_err(problem)?
        .read_all(LIMIT)
        .await
        .map_err(problem)?;
    let mut gathered = Gathered::default();
    for (key, value) in records {
        gathered.add(link, &key, value.as_deref())?;
    }
    Ok(gathered.into_copies())
}

/// Reads what a link keeps in a file. Nothing, where there is no such file.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn load_file(path: &Path, link: &str) -> Result<StoredCopies, StoreError> {
    let mut gathered = Gathered::default();
    for (key, value) in FileStore::read(path)? {
        gathered
            .add(link, key.as_bytes(), Some(value.as_bytes()))
            .map_err(|cause| StoreError::NotOurs {
                path: path.to_owned(),
                cause,
            })?;
    }
    Ok(gathered.into_copies())
}
