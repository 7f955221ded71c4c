//! What is known of a running link, and the handle that tells it.

use std::sync::Arc;

use tokio::sync::Notify;

use super::health::Heard;
use crate::data_plane::Snapshot;
use crate::health::{HealthHandle, LinkHealth};
use crate::metadata_sync::Round;
use crate::metadata_sync::acl::{AclHandle, AclStatus, AclSync};

/// What is known of a running link.
#[derive(Clone, Debug)]
pub struct LinkStatus {
    /// Id of the cluster it writes to, where that has one.
    pub destination: Option<Arc<str>>,
    /// The newest round over topics.
    pub round: Arc<Round>,
    /// Partitions handed to the data plane.
    pub assigned: usize,
    /// The newest snapshot of the data plane.
    pub data: Arc<Snapshot>,
    /// The newest comparison with both clusters.
    pub health: Arc<LinkHealth>,
}

/// Handle to a running link; cheap to clone.
#[derive(Clone, Debug)]
pub struct LinkHandle {
    destination: Option<Arc<str>>,
    pub(super) heard: Heard,
    health: HealthHandle,
    acls: Option<AclHandle>,
    pub(super) look: Arc<Notify>,
}

impl LinkHandle {
    pub(super) fn new(
        destination: Option<String>,
        heard: Heard,
        health: HealthHandle,
        acls: Option<&(Box<AclSync>, AclHandle)>,
        look: Arc<Notify>,
    ) -> Self {
        Self {
            destination: destination.map(Arc::from),
            heard,
            health,
            acls: acls.map(|(_, handle)| handle.clone()),
            look,
        }
    }

    /// What the copying of access rights is doing; `None` where it is switched off.
    #[must_use]
    pub fn acls(&self) -> Option<Arc<AclStatus>> {
        self.acls.as_ref().map(AclHandle::status)
    }

    /// What is known now.
    #[must_use]
    pub fn status(&self) -> LinkStatus {
        let (round, assigned) = self.heard.rounds.borrow().clone();
        let mut data = self.heard.local.status();
        for other in self.heard.others.borrow().iter() {
            Arc::make_mut(&mut data).add(&other.status());
        }
        LinkStatus {
            destination: self.destination.clone(),
            round,
            assigned,
            data,
            health: self.health.newest(),
        }
    }
}
