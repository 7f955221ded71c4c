//! What the copying of access rights would do once the previewed topics exist, without doing it.

use std::collections::{BTreeMap, BTreeSet};

use config::link::LinkConfig;
use kafka_client::Cluster;

use crate::link::Before;
use crate::metadata_sync::Condition;
use crate::metadata_sync::acl::{
    AclPlan, AclState, AclTopics, OwnPrincipals, Rules, preview, recorded,
};
use crate::metadata_sync::preview::{Preview, Row};

/// The plan; `None` where rights are not copied. What the link made is what it has recorded `before`.
///
/// # Errors
/// Why rights cannot be compared: never [`AclState::Active`].
pub async fn preview_rights(
    config: &LinkConfig,
    before: &Before,
    (source, destination): (&Cluster, &Cluster),
    topics: &Preview,
) -> Option<Result<AclPlan, AclState>> {
    let settings = config.topics.acls.as_ref()?;
    if let Some(trouble) = &before.trouble {
        return Some(Err(AclState::Trouble(trouble.clone())));
    }
    let made = recorded(&config.name, &before.texts);
    let rules = Rules {
        settings,
        naming: &config.topics.naming,
        own: &OwnPrincipals::of(&config.source, &config.destination),
        topics: &copied(topics),
    };
    Some(preview(source, destination, rules, &config.topics.selection, &made).await)
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
