//! One link: connects both sides, compares them, and runs the rooms together.
//!
//! ```text
//!   start: both clusters answer, are not the same one, are new enough ─▶ positions are loaded
//!   run:   MetadataSync ── rounds ──▶ assignments ──▶ DataPlane          until stop
//!                                              └────▶ one more for each third cluster (`streams`)
//! ```

mod streams;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use config::link::{LinkConfig, Start, StartPosition};
use config::naming::Naming;
use config::worker::{OffsetStorage, WorkerConfig};
use kafka_client::topic_log::TopicShape;
use kafka_client::{Buffers, ClientError, Cluster};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::fetch::FetchRequest;
use kafka_wire::message::metadata::MetadataTopics;
use kafka_wire::message::produce::ProduceRequest;
use kafka_wire::types::{TopicName, TopicPartition};
use lifecycle::{Failure, OnFailure, Scope, StopSignal};
use thiserror::Error;
use tokio::sync::{Notify, mpsc, watch};

use self::streams::{Follower, StreamMaker, Streams};
use crate::data_plane::{Assignment, DataPlane, Handle, Snapshot, Stop};
use crate::metadata_sync::acl::{AclHandle, AclOptions, AclStatus, AclSync, AclTopics};
use crate::metadata_sync::{History, MetadataSync, Replicated, Round, Rules};
use crate::origin::{REGISTRY, Stream};
use crate::position_store::{FileStore, PositionStore, StoreError, StoredLink, TopicStore};

/// How long streams of third clusters may take to end: what is on its way, then positions.
const STREAMS_END: Duration = Duration::from_secs(6);

/// Why a link cannot start.
#[derive(Debug, Error)]
pub enum LinkError {
    /// The source does not answer.
    #[error("source: {0}")]
    Source(ClientError),
    /// The destination does not answer.
    #[error("destination: {0}")]
    Destination(ClientError),
    /// Both addresses lead to the same cluster.
    #[error(
        "source and destination are the same cluster (id {0}), and topics would be copied onto themselves: \
         check both bootstrap addresses, or rename topics (topic.rename.format) so that copies are not selected again"
    )]
    SameCluster(String),
    /// A topic that is listed by name cannot be copied.
    #[error(
        "topic.whitelist contains topics that do not exist or may not be described: {0}; create them, grant DESCRIBE, or \
         set tributary.topic.whitelist.strict=false to wait for them"
    )]
    Listed(String),
    /// The stored positions cannot be had.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Copies of other links cannot be told from other records.
    #[error("copies cannot be kept from going in circles: {0}")]
    Origins(String),
}

/// What is known of a running link.
#[derive(Clone, Debug)]
pub struct LinkStatus {
    /// The newest round over topics.
    pub round: Arc<Round>,
    /// Partitions handed to the data plane.
    pub assigned: usize,
    /// The newest snapshot of the data plane.
    pub data: Arc<Snapshot>,
}

/// Handle to a running link; cheap to clone.
#[derive(Clone, Debug)]
pub struct LinkHandle {
    rounds: watch::Receiver<(Arc<Round>, usize)>,
    data: Handle,
    others: watch::Receiver<Vec<Handle>>,
    acls: Option<AclHandle>,
}

impl LinkHandle {
    /// What the copying of access rights is doing; `None` where it is switched off.
    #[must_use]
    pub fn acls(&self) -> Option<Arc<AclStatus>> {
        self.acls.as_ref().map(AclHandle::status)
    }

    /// What is known now.
    #[must_use]
    pub fn status(&self) -> LinkStatus {
        let (round, assigned) = self.rounds.borrow().clone();
        let mut data = self.data.status();
        for other in self.others.borrow().iter() {
            Arc::make_mut(&mut data).add(&other.status());
        }
        LinkStatus {
            round,
            assigned,
            data,
        }
    }
}

/// A link that has passed its checks and can run.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    rules: Rules,
    source: Cluster,
    destination: Cluster,
    stored: StoredLink,
    /// Asks for a look at the topics before it is due.
    look: Arc<Notify>,
    plane: DataPlane,
    data: Handle,
    maker: StreamMaker,
    others: watch::Sender<Vec<Handle>>,
    rounds: watch::Sender<(Arc<Round>, usize)>,
    acls: Option<(Box<AclSync>, AclHandle)>,
    scope: Scope,
}

impl Link {
    /// Checks both sides and loads positions. `file` is the store shared by all links of a process
    /// that keeps positions in a file.
    ///
    /// # Errors
    /// See [`LinkError`]; nothing has been changed then, except that a topic for positions may have
    /// been created.
    pub async fn start(
        config: LinkConfig,
        worker: &WorkerConfig,
        file: Option<FileStore>,
        buffers: Buffers,
        scope: &Scope,
    ) -> Result<(Self, LinkHandle), LinkError> {
        let scope = scope.child(&config.name);
        let source = Cluster::new(config.source.clone(), "source");
        let destination = Cluster::new(config.destination.clone(), "destination");
        check(&source).await.map_err(LinkError::Source)?;
        check(&destination).await.map_err(LinkError::Destination)?;
        if let (Some(from), Some(to)) = (source.cluster_id(), destination.cluster_id())
            && from == to
            && !matches!(&config.topics.naming, Naming::Format(format) if !format.is_identity())
        {
            return Err(LinkError::SameCluster(from));
        }
        check_listed(&source, &config).await?;
        let rules = rules(&config, worker);
        // Opened once: two stores of one file would overwrite each other's records.
        let file = match (&worker.offsets, file) {
            (OffsetStorage::File(path), None) => Some(FileStore::open(path)?),
            (_, file) => file,
        };
        let acls = open_acls(&config, worker, file.clone(), &source, &destination);
        let acls = Box::pin(acls).await?;
        let look = Arc::new(Notify::new());
        let mut maker = StreamMaker {
            config: config.clone(),
            worker: worker.clone(),
            file,
            source: source.clone(),
            destination: destination.clone(),
            buffers,
            topics_in_doubt: Arc::clone(&look),
            origins: None,
        };
        maker.origins = Box::pin(maker.open_origins()).await?;
        let (plane, data, stored) = Box::pin(maker.make(&Stream::Local, &scope)).await?;
        let (others, further) = watch::channel(Vec::new());
        let (rounds, seen) = watch::channel((Arc::new(Round::default()), 0));
        let handle = LinkHandle {
            rounds: seen,
            data: data.clone(),
            others: further,
            acls: acls.as_ref().map(|(_, handle)| handle.clone()),
        };
        Ok((
            Self {
                config,
                rules,
                source,
                destination,
                stored,
                look,
                plane,
                data,
                maker,
                others,
                rounds,
                acls,
                scope,
            },
            handle,
        ))
    }

    /// The source cluster's id.
    #[must_use]
    pub fn cluster_ids(&self) -> (Option<String>, Option<String>) {
        (self.source.cluster_id(), self.destination.cluster_id())
    }

    /// Runs until `stop` is requested; everything acknowledged is stored then.
    ///
    /// # Errors
    /// When a task of it failed, which is a fault of the program.
    pub async fn run(self, stop: StopSignal) -> Result<(), Failure> {
        let (report, reports) = mpsc::channel::<Round>(1);
        let history = History::new(replicated(&self.stored));
        let sync = MetadataSync::new(self.source, self.destination, self.rules, history);
        let look = self.look;
        let rooms = self.scope.child("rooms");
        rooms.spawn("topics", OnFailure::StopScope, async move {
            sync.run(&look, |round| {
                let report = report.clone();
                // When nobody takes the report the link is stopping.
                async move { drop(report.send(round).await) }
            })
            .await;
        });
        let (acls, acl_topics) = self.acls.unzip();
        // In a scope that is not watched: a fault in it must not end the copying of data.
        let rights = self.scope.child("rights");
        if let Some(acls) = acls {
            rights.spawn("access rights", OnFailure::Report, acls.run());
        }
        let streams = Arc::new(self.scope.child("streams"));
        let followers = Streams::new(
            self.maker,
            Follower::new(self.data, self.stored, self.config.start.clone()),
            (Arc::clone(&streams), stop.clone()),
            self.others,
        );
        let rounds = self.rounds;
        rooms.spawn("assignments", OnFailure::StopScope, async move {
            let told = |round: &Round, assigned| {
                if let (None, Some(acls)) = (&round.trouble, &acl_topics) {
                    acls.topics(topics_with_rights(round));
                }
                rounds.send_replace((Arc::new(round.clone()), assigned));
            };
            followers.run(reports, told).await;
        });
        let copied = tokio::select! {
            copied = self.plane.run(stop) => copied,
            failure = rooms.failed() => Err(failure),
            failure = streams.failed() => Err(failure),
        };
        // They were asked to stop when the first one was, and store their positions as it does.
        let report = streams.stop(STREAMS_END).await;
        tracing::debug!(?report, "streams stopped");
        let report = rights.stop(Duration::ZERO).await;
        tracing::debug!(?report, "access rights stopped");
        let report = rooms.stop(Duration::ZERO).await;
        tracing::debug!(?report, "link stopped");
        let report = self.scope.stop(Duration::ZERO).await;
        tracing::debug!(?report, "link ended");
        copied
    }
}

/// Passes on what happened to topics that were assigned before. `false` when the data plane has
/// stopped.
async fn follow(round: &Round, halted: &mut BTreeSet<TopicName>, data: &Handle) -> bool {
    for (topic, problem) in &round.halted {
        let stop = Stop {
            state: problem.state.name(),
            offset: None,
            reason: problem.sentence(),
        };
        if halted.insert(topic.clone()) && !data.halt(topic.clone(), stop).await {
            return false;
        }
    }
    let back = round.copies.iter().map(|copy| &copy.source);
    let back: BTreeSet<TopicName> = back
        .filter(|topic| halted.contains(*topic))
        .cloned()
        .collect();
    for topic in back.union(&round.renewed) {
        halted.remove(topic);
        if !data.look_again(topic.clone()).await {
            return false;
        }
    }
    true
}

/// What positions tell about topics.
fn replicated(stored: &StoredLink) -> BTreeMap<TopicName, Replicated> {
    let mut topics: BTreeMap<TopicName, Replicated> = BTreeMap::new();
    for (partition, known) in stored {
        let (Some(destination), Some(position)) = (&known.destination, &known.position) else {
            continue;
        };
        let topic = topics
            .entry(partition.topic.clone())
            .or_insert_with(|| Replicated {
                destination: destination.clone(),
                source_id: position.topic_id.0,
                destination_id: position.destination_topic_id.0,
                partitions: 0,
            });
        topic.partitions = topic.partitions.max(partition.partition.saturating_add(1));
    }
    topics
}

/// What holds for the topics of a link whose positions are kept as `worker` says.
#[must_use]
pub fn rules(config: &LinkConfig, worker: &WorkerConfig) -> Rules {
    let reserved = match &worker.offsets {
        OffsetStorage::Topic { name, .. } => BTreeSet::from([name.clone(), REGISTRY.to_owned()]),
        OffsetStorage::File(_) => BTreeSet::from([REGISTRY.to_owned()]),
    };
    Rules {
        settings: config.topics.clone(),
        on_recreate: config.on_recreate,
        reserved,
    }
}

/// Topics that are listed by name have to be there, where the configuration is strict about it.
async fn check_listed(source: &Cluster, config: &LinkConfig) -> Result<(), LinkError> {
    if !config.topics.whitelist_strict {
        return Ok(());
    }
    let names: Vec<TopicName> = config
        .topics
        .selection
        .whitelist()
        .map(TopicName::from)
        .collect();
    let answer = source
        .metadata(MetadataTopics::Topics(names))
        .await
        .map_err(LinkError::Source)?;
    let missing: BTreeSet<String> = answer
        .topics
        .into_iter()
        .filter(|topic| topic.error != ErrorCode::NONE)
        .filter_map(|topic| Some(format!("{} ({})", topic.name?, topic.error)))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<String> = missing.into_iter().collect();
    Err(LinkError::Listed(missing.join(", ")))
}

/// A cluster that answers and speaks what copying needs.
async fn check(cluster: &Cluster) -> Result<(), ClientError> {
    cluster.metadata(MetadataTopics::Topics(Vec::new())).await?;
    cluster.check_versions::<FetchRequest>().await?;
    cluster.check_versions::<ProduceRequest>().await
}

async fn open_store(
    worker: &WorkerConfig,
    file: Option<FileStore>,
    destination: &Cluster,
) -> Result<PositionStore, StoreError> {
    match (&worker.offsets, file) {
        (_, Some(file)) => Ok(PositionStore::File(file)),
        (OffsetStorage::File(path), None) => Ok(PositionStore::File(FileStore::open(path)?)),
        (
            OffsetStorage::Topic {
                name,
                replication_factor,
                partitions,
            },
            None,
        ) => {
            let shape = TopicShape {
                partitions: *partitions,
                replication_factor: *replication_factor,
            };
            Ok(PositionStore::Topic(
                TopicStore::open(destination.clone(), name, shape).await?,
            ))
        }
    }
}

/// The copying of access rights, where it is switched on. Its record has a store of its own beside that of positions:
/// the keys differ, so neither waits for the other.
async fn open_acls(
    config: &LinkConfig,
    worker: &WorkerConfig,
    file: Option<FileStore>,
    source: &Cluster,
    destination: &Cluster,
) -> Result<Option<(Box<AclSync>, AclHandle)>, StoreError> {
    let Some(settings) = config.topics.acls.clone() else {
        return Ok(None);
    };
    let store = open_store(worker, file, destination).await?;
    let (sync, handle) = AclSync::new(AclOptions {
        link: config.name.clone(),
        source: source.clone(),
        destination: destination.clone(),
        settings,
        naming: config.topics.naming.clone(),
        selection: config.topics.selection.clone(),
        store,
    });
    Ok(Some((Box::new(sync), handle)))
}

fn topics_with_rights(round: &Round) -> AclTopics {
    let copies = round.copies.iter();
    AclTopics {
        copies: copies
            .map(|copy| (copy.source.clone(), copy.destination.clone()))
            .collect(),
        present: round.selected.keys().cloned().collect(),
    }
}

/// Partitions of the round that are not assigned yet. The configured start holds for what the first
/// look at the source found, in topics of which nothing is stored; whatever appears later, also while
/// the process was down, is copied from its first record.
fn assignments(
    round: &Round,
    assigned: &mut HashSet<TopicPartition>,
    stored: &StoredLink,
    first: &BTreeMap<TopicName, i32>,
    start: &Start,
) -> Vec<Assignment> {
    let known: HashSet<&TopicName> = stored.keys().map(|partition| &partition.topic).collect();
    let mut new = Vec::new();
    for copy in &round.copies {
        let there = first.get(&copy.source).copied().unwrap_or(0);
        let fresh = !known.contains(&copy.source);
        for number in 0..copy.partitions {
            let source = TopicPartition::new(copy.source.clone(), number);
            if !assigned.insert(source.clone()) {
                continue;
            }
            let known = stored.get(&source).cloned().unwrap_or_default();
            let moved_from = known
                .destination
                .filter(|before| *before != copy.destination);
            new.push(Assignment {
                destination: TopicPartition::new(copy.destination.clone(), number),
                source_id: copy.source_id,
                stored: known.position,
                moved_from,
                segment: known.segment,
                start: start
                    .of(copy.source.as_str(), number)
                    .or_else(|| (fresh && number < there).then_some(start.everywhere))
                    .unwrap_or(StartPosition::Earliest),
                source,
            });
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata_sync::Copy;
    use crate::position_store::Stored;

    fn round(copies: &[(&str, i32)]) -> Round {
        let copies = copies.iter().map(|(name, partitions)| Copy {
            source: (*name).into(),
            source_id: Default::default(),
            destination: (*name).into(),
            destination_id: Default::default(),
            partitions: *partitions,
        });
        Round {
            copies: copies.collect(),
            ..Round::default()
        }
    }

    #[test]
    fn latest_holds_for_what_was_there_at_first_and_nothing_else() {
        let first = BTreeMap::from([
            ("old".into(), 2),
            ("late-copy".into(), 1),
            ("known".into(), 1),
        ]);
        let stored =
            StoredLink::from([(TopicPartition::new("known".into(), 0), Stored::default())]);
        let mut assigned = HashSet::new();
        let mut starts = |copies: &[(&str, i32)]| -> Vec<StartPosition> {
            let start = Start {
                everywhere: StartPosition::Latest,
                ..Start::default()
            };
            assignments(&round(copies), &mut assigned, &stored, &first, &start)
                .into_iter()
                .map(|assignment| assignment.start)
                .collect()
        };
        let (earliest, latest) = (StartPosition::Earliest, StartPosition::Latest);
        assert_eq!(starts(&[("old", 2)]), [latest, latest]);
        // Created at the destination in the first round, and so copied from the second on.
        assert_eq!(starts(&[("late-copy", 1)]), [latest]);
        // Grown and created after the first look.
        assert_eq!(starts(&[("old", 3), ("new", 1)]), [earliest, earliest]);
        // Grown while the process was down.
        assert_eq!(starts(&[("known", 2)]), [earliest, earliest]);
    }
}
