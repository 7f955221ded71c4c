//! What the copying of access rights would do once the previewed topics exist, without doing it.
//!
//! What the link made before is read from where positions are kept; nothing is made there.

use std::collections::{BTreeMap, BTreeSet};

use config::link::LinkConfig;
use config::worker::{OffsetStorage, WorkerConfig};
use kafka_client::Cluster;

use crate::metadata_sync::Condition;
use crate::metadata_sync::acl::{
    AclPlan, AclState, AclTopics, OwnPrincipals, Recorded, Rules, preview, recorded,
};
use crate::metadata_sync::preview::{Preview, Row};
use crate::position_store::{FileStore, PositionStore, StoreError, TopicStore};

/// The plan; `None` where rights are not copied.
///
/// # Errors
/// Why rights cannot be compared: never [`AclState::Active`].
pub async fn preview_rights(
    config: &LinkConfig,
    worker: &WorkerConfig,
    (source, destination): (&Cluster, &Cluster),
    topics: &Preview,
) -> Option<Result<AclPlan, AclState>> {
    let settings = config.topics.acls.as_ref()?;
    let made = match made_before(&config.name, worker, destination).await {
        Ok(made) => made,
        Err(error) => return Some(Err(AclState::Trouble(error.to_string()))),
    };
    let rules = Rules {
        settings,
        naming: &config.topics.naming,
        own: &OwnPrincipals::of(&config.source, &config.destination),
        topics: &copied(topics),
    };
    Some(preview(source, destination, rules, &config.topics.selection, &made).await)
}

async fn made_before(
    link: &str,
    worker: &WorkerConfig,
    destination: &Cluster,
) -> Result<Recorded, StoreError> {
    let store = match &worker.offsets {
        OffsetStorage::File(path) => Some(PositionStore::File(FileStore::look(path)?)),
        OffsetStorage::Topic { name, .. } => {
            let found = TopicStore::find(destination.clone(), name).await?;
            found.map(PositionStore::Topic)
        }
    };
    match store {
        Some(store) => recorded(link, store).await,
        None => Ok(Recorded::new()),
    }
}

/// The topics that would be copied, as if their copies were there.
fn copied(topics: &Preview) -> AclTopics {
    let is_cycle = |row: &Row| row.problems.iter().any(|p| p.state == Condition::Cycle);
    let rows = topics.rows.iter().filter(|row| row.selected);
    let mut present = BTreeSet::new();
    let mut copies = BTreeMap::new();
    for row in rows.filter(|row| row.partitions.is_some()) {
        present.insert(row.source.clone());
        if let Some(copy) = &row.destination
            && !row.is_error()
            && !is_cycle(row)
        {
            copies.insert(row.source.clone(), copy.clone());
        }
    }
    AclTopics { copies, present }
}
