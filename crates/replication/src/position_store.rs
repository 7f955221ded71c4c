//! Where positions and offset maps are kept: a compacted topic of the destination, or a file.
//!
//! Positions are in the format of Connect's offsets topic (`record.rs`). A store is owned by one task
//! ([`service`]), which writes what it is given until it succeeds, and says so.
//!
//! Invariant: what is reported as stored survives the loss of the process; in a topic also that of
//! the machine.

mod file;
mod java_file;
pub mod keys;
mod ownership;
pub mod record;
pub mod service;
mod topic;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use kafka_client::topic_log::{TopicLogError, TransactionalWriteError};
use kafka_client::transactions::TransactionalProducer;
use kafka_wire::types::{TopicName, TopicPartition};
use thiserror::Error;

use crate::offset_map::Segment;
use crate::position::Position;
use crate::spread::Spread;

pub use file::FileStore;
pub use keys::KeyStyle;
pub use ownership::Ownership;
pub use topic::TopicStore;

/// What is to be stored of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreEntry {
    /// The link.
    pub link: String,
    /// The source partition.
    pub partition: TopicPartition,
    /// The topic it is written to.
    pub destination: TopicName,
    /// Which of the destination partitions it is about, where the source partition is spread over several.
    pub spread: Option<Spread>,
    /// Its position.
    pub position: Position,
    /// Segments of its offset map that changed.
    pub segments: Vec<Segment>,
}

/// What is stored of one partition.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stored {
    /// Its position; `None` if there is only a map.
    pub position: Option<Position>,
    /// The topic the position was reached in.
    pub destination: Option<TopicName>,
    /// The next source offset, where that is all that is known: another program wrote it, or an operator set it.
    pub begin: Option<i64>,
    /// The newest segment of its offset map.
    pub segment: Option<Segment>,
    /// The same for each of the destination partitions that it is spread over.
    pub spread: BTreeMap<Spread, Stored>,
}

/// All that is stored of one link.
pub type StoredLink = HashMap<TopicPartition, Stored>;

/// Key and value of something else that is kept beside positions; a value of `None` deletes the key.
/// Keys have Connect's form too, `["<link>",{…}]`, with members that no position has.
pub type StoredText = (String, Option<String>);

/// Failure of a store.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The topic cannot be read or written.
    #[error("positions cannot be kept in the destination: {0}")]
    Topic(#[from] TopicLogError),
    /// The file cannot be read or written.
    #[error("positions cannot be kept in {path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        cause: std::io::Error,
    },
    /// They cannot be stored within a transaction.
    #[error("positions cannot be kept in the destination: {0}")]
    Transaction(#[from] TransactionalWriteError),
    /// Files take no part in transactions.
    #[error("positions in a file take no part in transactions: set offset.storage.topic")]
    NoTransactions,
    /// The file is not one of ours.
    #[error("{path} does not hold Tributary's positions: {cause}")]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what can be done.
        cause: String,
    },
}

/// Some store.
#[derive(Debug)]
pub enum PositionStore {
    /// A file on this machine.
    File(FileStore),
    /// A topic of a cluster.
    Topic(TopicStore),
}

impl PositionStore {
    /// Another handle to the same store: it is opened once, and each room of a link has its own.
    #[must_use]
    pub fn another(&self) -> Self {
        match self {
            Self::File(store) => Self::File(store.clone()),
            Self::Topic(store) => Self::Topic(store.another()),
        }
    }

    /// Reads all that is stored of a link; what is saved from then on goes under the keys that were found.
    ///
    /// # Errors
    /// When the store cannot be read: going on would mean to begin anew.
    pub async fn load(&mut self, link: &str, style: KeyStyle) -> Result<StoredLink, StoreError> {
        match self {
            Self::File(store) => store.load(link, style).await,
            Self::Topic(store) => store.load(link, style).await,
        }
    }

    /// As [`PositionStore::load`] and [`PositionStore::load_texts`], in one reading. Records that are certainly of other
    /// links may be missing among the texts, and those that later ones of their keys replace.
    ///
    /// # Errors
    /// As they have.
    pub async fn load_all(
        &mut self,
        link: &str,
        style: KeyStyle,
    ) -> Result<(StoredLink, Vec<StoredText>), StoreError> {
        match self {
            Self::File(store) => {
                let texts = store.load_texts_of(link).await;
                Ok((store.load(link, style).await?, texts))
            }
            Self::Topic(store) => store.load_all(link, style).await,
        }
    }

    /// Claims a link for this process, before its positions are read. Nothing where they are kept in a file: that is on one
    /// machine.
    ///
    /// # Errors
    /// When the claim cannot be written.
    pub async fn claim(self, link: &str) -> Result<Option<Ownership>, StoreError> {
        match self {
            Self::File(_) => Ok(None),
            Self::Topic(store) => Ok(Some(store.claim(link).await?)),
        }
    }

    /// What is stored from now on says which process has stored it, and what is loaded is that of the last one that claimed:
    /// one that was overtaken may store once more before it knows.
    pub fn store_for(&mut self, ownership: &Ownership) {
        match self {
            Self::File(_) => {}
            Self::Topic(store) => store.store_for(ownership),
        }
    }

    /// Stores; on return it is durable.
    ///
    /// # Errors
    /// When it is not, or not all of it. Doing it again is harmless.
    pub async fn save(&mut self, entries: &[StoreEntry]) -> Result<(), StoreError> {
        match self {
            Self::File(store) => store.save(entries).await,
            Self::Topic(store) => store.save(entries).await,
        }
    }

    /// Stores in the transaction that is open, or begins one with it; it counts when that is committed.
    ///
    /// # Errors
    /// When it is not stored: the transaction cannot be committed then.
    pub async fn save_in(
        &mut self,
        producer: &mut TransactionalProducer,
        entries: &[StoreEntry],
    ) -> Result<(), StoreError> {
        match self {
            Self::File(_) => Err(StoreError::NoTransactions),
            Self::Topic(store) => store.save_in(producer, entries).await,
        }
    }

    /// Reads all records, also those that are no positions, in an order in which the last of a key counts.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn load_texts(&mut self) -> Result<Vec<StoredText>, StoreError> {
        match self {
            Self::File(store) => Ok(store.load_texts().await),
            Self::Topic(store) => store.load_texts().await,
        }
    }

    /// Stores records that are no positions; on return they are durable.
    ///
    /// # Errors
    /// When they are not, or not all of them. Doing it again is harmless.
    pub async fn save_texts(&mut self, texts: &[StoredText]) -> Result<(), StoreError> {
        match self {
            Self::File(store) => store.save_texts(texts).await,
            Self::Topic(store) => store.save_texts(texts).await,
        }
    }
}
