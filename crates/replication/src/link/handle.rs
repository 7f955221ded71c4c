//! What is known of a running link, and the handle that tells it.

use std::sync::Arc;

use config::bandwidth::Bandwidth;
use config::client::HostPort;
use kafka_client::Cluster;
use kafka_client::meter::{ClientCounts, Expiry};
use kafka_wire::types::{TopicName, TopicPartition};
use tokio::sync::watch;

use super::health::Heard;
use crate::data_plane::{Answer, NotResumed, Snapshot};
use crate::health::{HealthHandle, LinkHealth};
use crate::metadata_sync::acl::{AclHandle, AclStatus, AclSync};
use crate::metadata_sync::{Condition, Looking, Problem, Round};
use crate::standstill::StandstillHandle;

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

/// A cluster as it showed itself last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterSeen {
    /// Its id.
    pub id: Option<String>,
    /// Where it is asked first.
    pub bootstrap: Vec<HostPort>,
    /// Brokers that it named; 0 before it named any.
    pub brokers: usize,
    /// The release of Kafka whose metadata it has agreed on.
    pub release: Option<&'static str>,
}

/// What talking to a cluster takes, apart from the readings for health, which have connections of their own.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ClientSeen {
    /// Requests by kind.
    pub counts: ClientCounts,
    /// Connections that are open, by broker.
    pub connections: Vec<(HostPort, usize)>,
    /// Until when certificates and tokens are good.
    pub expiry: Expiry,
}

/// Handle to a running link; cheap to clone.
#[derive(Clone, Debug)]
pub struct LinkHandle {
    clusters: [Cluster; 2],
    /// The destination's id, as it was when the link started.
    destination: Option<Arc<str>>,
    pub(super) heard: Heard,
    health: HealthHandle,
    acls: Option<AclHandle>,
    standstill: StandstillHandle,
    limit: watch::Sender<Option<Bandwidth>>,
    pub(super) look: Arc<Looking>,
}

impl LinkHandle {
    pub(super) fn new(
        (source, destination): (Cluster, Cluster),
        look: Arc<Looking>,
        heard: Heard,
        (health, standstill): (HealthHandle, StandstillHandle),
        limit: watch::Sender<Option<Bandwidth>>,
        acls: Option<&(Box<AclSync>, AclHandle)>,
    ) -> Self {
        Self {
            destination: destination.cluster_id().map(Arc::from),
            clusters: [source, destination],
            look,
            heard,
            health,
            acls: acls.map(|(_, handle)| handle.clone()),
            standstill,
            limit,
        }
    }

    /// Reads no more than this from now on, `None` for as much as there is. What is copied goes on.
    pub fn limit(&self, bandwidth: Option<Bandwidth>) {
        self.limit.send_if_modified(|limit| {
            let is_another = *limit != bandwidth;
            *limit = bandwidth;
            is_another
        });
    }

    /// What the copying of access rights is doing; `None` where it is switched off.
    #[must_use]
    pub fn acls(&self) -> Option<Arc<AclStatus>> {
        self.acls.as_ref().map(AclHandle::status)
    }

    /// Both clusters as they showed themselves last: source, destination.
    #[must_use]
    pub fn clusters(&self) -> [ClusterSeen; 2] {
        self.clusters.each_ref().map(|cluster| ClusterSeen {
            id: cluster.cluster_id(),
            bootstrap: cluster.config().bootstrap_servers.clone(),
            brokers: cluster.broker_count(),
            release: cluster.release(),
        })
    }

    /// What talking to both clusters takes: source, destination.
    #[must_use]
    pub fn clients(&self) -> [ClientSeen; 2] {
        self.clusters.each_ref().map(|cluster| ClientSeen {
            counts: cluster.counts(),
            connections: cluster.connections(),
            expiry: cluster.expiry(),
        })
    }

    /// Until when credentials are good: of the source, of the destination.
    #[must_use]
    pub fn expiry(&self) -> [Expiry; 2] {
        self.clusters.each_ref().map(Cluster::expiry)
    }

    /// Has topics looked at now, before it is due.
    pub fn refresh(&self) {
        self.look.soon().notify_one();
    }

    /// Has settings of topics compared now, before it is due.
    pub fn compare_settings(&self) {
        self.look.compare_settings();
    }

    /// Takes in that an operator has a topic copied that was made anew on one side: partitions of it go on in another part of the
    /// link.
    pub fn answered(&self, topic: TopicName) {
        self.look.answered(topic);
    }

    /// Lets one partition go on that stands; nothing else is touched.
    ///
    /// # Errors
    /// It was not resumed, and why.
    pub async fn resume(
        &self,
        source: TopicPartition,
        answer: Answer,
        expected: Option<i64>,
    ) -> Result<(), NotResumed> {
        // Nothing stands because of what was missed: whoever says `continue` has taken note.
        let noted = answer == Answer::Continue && self.standstill.take_note(source.clone()).await;
        let others = self.heard.others.borrow().clone();
        let mut outcome = Err(NotResumed::Unknown);
        for stream in std::iter::once(&self.heard.local).chain(&others) {
            let resumed = stream.resume(source.clone(), answer, expected).await;
            // Each stream that stands is resumed; what those say which do not stand counts for nothing then.
            outcome = match (outcome, resumed) {
                (Ok(()), _) | (_, Ok(())) => Ok(()),
                (Err(NotResumed::Unknown), said) => said,
                (Err(NotResumed::Runs), Err(said)) if said != NotResumed::Unknown => Err(said),
                (said, Err(_)) => said,
            };
        }
        if outcome.is_ok() && matches!(answer, Answer::Append | Answer::Recopy) {
            self.look.answered(source.topic);
        }
        match outcome {
            Err(NotResumed::Runs) if noted => Ok(()),
            outcome => outcome,
        }
    }

    /// What is known now.
    #[must_use]
    pub fn status(&self) -> LinkStatus {
        let (mut round, assigned) = self.heard.rounds.borrow().clone();
        let missed = self.standstill.found();
        if !missed.is_empty() {
            let missed = missed.iter().map(|(topic, reason)| {
                Problem::new(topic, Condition::TombstonesMissed, reason.as_str())
            });
            let problems = &mut Arc::make_mut(&mut round).problems;
            // What keeps records back comes first.
            let at = problems.iter().position(|problem| !problem.is_blocking());
            let at = at.unwrap_or(problems.len());
            problems.splice(at..at, missed);
        }
        LinkStatus {
            destination: self.destination.clone(),
            round,
            assigned,
            data: self.heard.snapshot(),
            health: self.health.newest(),
        }
    }
}
