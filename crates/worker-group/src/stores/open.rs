//! A topic of a group, made if it is missing, and checked if it is there.

use std::time::Duration;

use config::group::StorageTopic;
use kafka_client::Cluster;
use kafka_client::topic_log::{TopicLog, TopicLogError, TopicShape};
use thiserror::Error;

/// How long a topic may take to become available.
const LIMIT: Duration = Duration::from_secs(60);

/// Which topic, and what it is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoreOptions {
    /// The topic.
    pub topic: StorageTopic,
    /// The key that names it.
    pub key: &'static str,
    /// What would not be kept otherwise.
    pub purpose: &'static str,
    /// Whether it has to have one partition.
    pub single: bool,
}

/// Why a topic of a group cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Records of it would be lost.
    #[error(
        "Topic '{topic}' supplied via the '{key}' property is required to have 'cleanup.policy=compact' to guarantee \
         consistency and durability of {purpose}, but found the topic currently has 'cleanup.policy={found}'. \
         Continuing would likely result in eventually losing {purpose} and problems restarting this Connect cluster in \
         the future. Change the '{key}' property in the Connect worker configurations to use a topic with \
         'cleanup.policy=compact'."
    )]
    NotCompacted {
        /// The topic.
        topic: String,
        /// The key that names it.
        key: &'static str,
        /// What it is for.
        purpose: &'static str,
        /// Its policy.
        found: String,
    },
    /// Its records have no order.
    #[error(
        "Topic '{topic}' supplied via the '{key}' property is required to have a single partition in order to guarantee \
         consistency of connector configurations, but found {found} partitions."
    )]
    Partitions {
        /// The topic.
        topic: String,
        /// The key that names it.
        key: &'static str,
        /// How many it has.
        found: usize,
    },
    /// It cannot be had.
    #[error("{key}: {cause}")]
    Unavailable {
        /// The key that names it.
        key: &'static str,
        /// Why.
        cause: TopicLogError,
    },
}

/// Opens a topic.
///
/// # Errors
/// When it cannot be had within a minute, or is not as it has to be.
pub async fn open(cluster: &Cluster, options: &StoreOptions) -> Result<TopicLog, StoreError> {
    let StoreOptions { topic, key, .. } = options;
    let shape = TopicShape {
        partitions: topic.partitions,
        replication_factor: topic.replication_factor,
    };
    let name = topic.name.as_str().into();
    let opened = TopicLog::open_with(cluster.clone(), name, shape, &topic.settings, LIMIT).await;
    let log = opened.map_err(|cause| match cause {
        TopicLogError::NotCompacted { found, .. } => StoreError::NotCompacted {
            topic: topic.name.clone(),
            key,
            purpose: options.purpose,
            found,
        },
        cause => StoreError::Unavailable { key, cause },
    })?;
    match log.partition_count() {
        found if options.single && found != 1 => Err(StoreError::Partitions {
            topic: topic.name.clone(),
            key,
            found,
        }),
        _ => Ok(log),
    }
}
