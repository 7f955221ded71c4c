//! One link: connects both sides, compares them, and runs the rooms together.
//!
//! ```text
//!   start: both clusters answer, are not the same one, are new enough ─▶ positions are loaded
//!   run:   MetadataSync ── rounds ──▶ assignments ──▶ DataPlane          until stop
//!                                              └────▶ one more for each third cluster (`streams`)
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use config::link::{LinkConfig, OnRefused};
use config::naming::Naming;
use config::provenance::Provenance;
use config::worker::{OffsetStorage, WorkerConfig};
use kafka_client::committed::committed_offsets;
use kafka_client::topic_log::TopicShape;
use kafka_client::transactions::TransactionError;
use kafka_client::{Buffers, ClientError, Cluster};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::fetch::FetchRequest;
use kafka_wire::message::metadata::MetadataTopics;
use kafka_wire::message::produce::ProduceRequest;
use kafka_wire::types::{TopicName, TopicPartition};
use lifecycle::{Failure, OnFailure, Scope, StopSignal};
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use crate::data_plane::{DataPlane, Handle, Stop};
use crate::health::Health;
use crate::link::assign::{Beginnings, Known, RecordChanges, replicated};
use crate::link::begun::Begun;
use crate::link::streams::{Follower, StreamMaker, Streams};
use crate::link_memory::{ClusterIds, LinkMemory, Remembered};
use crate::metadata_sync::acl::{AclHandle, AclOptions, AclSync, AclTopics};
use crate::metadata_sync::{History, Looking, MetadataSync, Replicated, Round, Rules};
use crate::origin::{REGISTRY, Stream};
use crate::position_store::{FileStore, KeyStyle, PositionStore, StoreError, TopicStore};
use crate::standstill::Standstill;

mod again;
mod assign;
mod before;
mod begun;
mod handle;
mod health;
mod part;
mod standstill;
mod streams;
mod turn;

pub use before::Before;
pub use handle::{ClientSeen, ClusterSeen, LinkHandle, LinkStatus};
pub use part::LinkPart;
pub use streams::fence;

/// How long streams of third clusters may take to end: what is on its way, then positions.
const STREAMS_END: Duration = Duration::from_secs(6);

/// How long storing up to when copies are complete may take at the end.
const REMEMBERED: Duration = Duration::from_secs(2);

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
    /// The link ran between other clusters before.
    #[error(
        "{side}: the cluster behind the bootstrap servers changed: link {link} ran with the cluster {before} before, \
         and this is {now}. Positions of one mean nothing in the other, so nothing was copied: correct the addresses, \
         or give the link another name to begin anew"
    )]
    OtherCluster {
        /// Which.
        side: &'static str,
        /// The link.
        link: String,
        /// The id that was recorded.
        before: String,
        /// The id of the cluster that answers.
        now: String,
    },
    /// A topic that is listed by name cannot be copied.
    #[error(
        "topic.whitelist contains topics that do not exist or may not be described: {0}; create them, grant DESCRIBE, or \
         set tributary.topic.whitelist.strict=false to wait for them"
    )]
    Listed(String),
    /// The group whose offsets are asked for by name cannot be asked about.
    #[error(
        "source: the offsets of group {group}, where partitions are to begin, cannot be read: {cause}; grant DESCRIBE on the \
         group, or leave out offset.start and src.consumer.group.id"
    )]
    Group {
        /// The group.
        group: String,
        /// Why not.
        cause: ClientError,
    },
    /// Records cannot say where they came from.
    #[error(
        "provenance.header.enable=true needs the ids of both clusters, and the {0} does not tell its own; set it to false"
    )]
    NoClusterId(&'static str),
    /// The stored positions cannot be had.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The transactional id cannot be had.
    #[error("destination: {0}")]
    Transactions(#[from] TransactionError),
    /// Copies of other links cannot be told from other records.
    #[error("copies cannot be kept from going in circles: {0}")]
    Origins(String),
}

/// A link that has passed its checks and can run.
#[derive(Debug)]
pub struct Link {
    rules: Rules,
    part: LinkPart,
    source: Cluster,
    destination: Cluster,
    /// What is stored of its topics, whoever copies them.
    replicated: BTreeMap<TopicName, Replicated>,
    stored: Known,
    beginnings: Beginnings,
    changes: RecordChanges,
    memory: LinkMemory,
    remembered: Remembered,
    begun: Begun,
    /// Asks for a look at the topics before it is due.
    look: Arc<Looking>,
    plane: Box<DataPlane>,
    data: Handle,
    maker: StreamMaker,
    others: watch::Sender<Vec<Handle>>,
    rounds: watch::Sender<(Arc<Round>, usize)>,
    health: Box<Health>,
    acls: Option<(Box<AclSync>, AclHandle)>,
    standstill: Box<Standstill>,
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
    ) -> Result<(Box<Self>, LinkHandle), LinkError> {
        Self::start_part(config, LinkPart::Whole, worker, file, buffers, scope).await
    }

    /// As [`Link::start`], of a part of the link.
    ///
    /// # Errors
    /// As [`Link::start`].
    pub async fn start_part(
        config: LinkConfig,
        part: LinkPart,
        worker: &WorkerConfig,
        file: Option<FileStore>,
        buffers: Buffers,
        scope: &Scope,
    ) -> Result<(Box<Self>, LinkHandle), LinkError> {
        let scope = scope.child(&config.name);
        let (source, destination) = both_sides(&config).await?;
        check_listed(&source, &config).await?;
        let rules = rules(&config, worker);
        // Opened once: two stores of one file would overwrite each other's records.
        let store = open_store(worker, file, &destination).await?;
        let acls = open_acls(&part, &config, &store, &source, &destination);
        let look = Arc::new(Looking::default());
        let sides = (&source, &destination);
        let (memory, remembered) = match part {
            // Their group has said that they may write: what is read for that tells the rest, once.
            LinkPart::Partitions { .. } => {
                let none = Remembered::default();
                (LinkMemory::new(&config.name, store.another(), &none), none)
            }
            LinkPart::Whole | LinkPart::Topics => {
                memory_of(&config, sides, store.another()).await?
            }
        };
        let committed = committed(&source, &config).await?;
        let clusters = cluster_ids(&config, &source, &destination)?;
        let limit = watch::Sender::new(config.fetch.bandwidth.clone());
        let mut maker = StreamMaker {
            config: config.clone(),
            worker: worker.clone(),
            store,
            source: source.clone(),
            destination: destination.clone(),
            buffers,
            limit: limit.subscribe(),
            topics_in_doubt: look.soon(),
            origins: None,
            part: part.clone(),
        };
        maker.origins = Box::pin(maker.open_origins()).await?;
        let made = Box::pin(maker.make(&Stream::Local, &scope)).await?;
        let (plane, data, stored, texts) = made;
        let told = Remembered::of(&config.name, &texts);
        known_clusters(&config.name, sides, &told)?;
        let (replicated, stored) = (replicated(&stored), Known::of(stored, &part));
        let store = maker.store.another();
        let begun = Begun::of(&config, told.first, stored.is_any(), store);
        let (others, further) = watch::channel(Vec::new());
        let (rounds, seen) = watch::channel((Arc::new(Round::default()), 0));
        let heard = health::Heard::new(data.clone(), further, seen);
        let (health, found) = health::of(&config, worker, heard.clone(), &scope);
        let (standstill, standing) = standstill::of(&maker, (&stored, &texts), &heard, &found);
        let watched = (found, standing);
        let (from, to, looking) = (source.clone(), destination.clone(), Arc::clone(&look));
        let handle = LinkHandle::new((from, to), looking, heard, watched, limit, acls.as_ref());
        let (config_start, naming) = (config.start.clone(), config.topics.naming.clone());
        Ok((
            Box::new(Self {
                rules,
                part,
                source,
                destination,
                replicated,
                stored,
                beginnings: Beginnings {
                    committed,
                    start: config_start,
                },
                changes: RecordChanges { naming, clusters },
                begun,
                memory,
                remembered,
                look,
                plane,
                data,
                maker,
                others,
                rounds,
                health: Box::new(health),
                acls,
                standstill: Box::new(standstill),
                scope,
            }),
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
    pub async fn run(self: Box<Self>, stop: StopSignal) -> Result<(), Failure> {
        let (report, reports) = mpsc::channel::<Arc<Round>>(1);
        let mut history = History::new(self.replicated);
        history.own = self.remembered.own;
        let sync = MetadataSync::new(self.source, self.destination, self.rules, history);
        let sync = match self.part.changes_topics() {
            true => sync.remembering(self.memory),
            false => sync.only_looking(),
        };
        let look = self.look;
        let rooms = self.scope.child("rooms");
        rooms.spawn("topics", OnFailure::StopScope, async move {
            sync.run(&look, |round| {
                let report = report.clone();
                // When nobody takes the report the link is stopping.
                async move { drop(report.send(Arc::new(round)).await) }
            })
            .await;
        });
        let (acls, acl_topics) = self.acls.unzip();
        // In a scope that is not watched: a fault in what runs there must not end the copying of data.
        let beside = self.scope.child("beside");
        if let Some(acls) = acls {
            beside.spawn("access rights", OnFailure::Report, acls.run());
        }
        beside.spawn("health", OnFailure::Report, self.health.run(stop.clone()));
        let remembering = self.scope.child("remembering");
        // It looks for the last time when nothing is copied any more.
        let standstill = self.standstill.run(remembering.stop_signal());
        remembering.spawn("standstill", OnFailure::Report, standstill);
        let streams = Arc::new(self.scope.child("streams"));
        let followers = Box::new(Streams::new(
            self.maker,
            Follower::new(
                self.data,
                self.stored,
                self.beginnings,
                self.changes,
                self.part,
                self.begun,
            ),
            (Arc::clone(&streams), stop.clone()),
            self.others,
        ));
        let rounds = self.rounds;
        rooms.spawn("assignments", OnFailure::StopScope, async move {
            let told = |round: &Arc<Round>, assigned| {
                if let (None, Some(acls)) = (&round.trouble, &acl_topics) {
                    acls.topics(AclTopics::of(round));
                }
                let known = Arc::clone(&rounds.borrow().0);
                rounds.send_replace((round.or_as_before(&known), assigned));
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
        let report = remembering.stop(REMEMBERED).await;
        tracing::debug!(?report, "what is remembered is stored");
        let report = beside.stop(Duration::ZERO).await;
        tracing::debug!(?report, "what ran beside stopped");
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
            lost: None,
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

/// Whose keys the positions of a link have.
#[must_use]
pub fn key_style(config: &LinkConfig) -> KeyStyle {
    fn of(naming: &Naming) -> KeyStyle {
        match naming {
            Naming::Prefixed(aliases) | Naming::Kept(aliases) => {
                KeyStyle::Mirror(aliases.source.clone())
            }
            Naming::Transformed(naming, _) => of(naming),
            Naming::Format(_) => KeyStyle::Plain,
        }
    }
    of(&config.topics.naming)
}

/// What holds for the topics of a link whose positions are kept as `worker` says.
#[must_use]
pub fn rules(config: &LinkConfig, worker: &WorkerConfig) -> Rules {
    let mut reserved = BTreeSet::from([REGISTRY.to_owned()]);
    if let OffsetStorage::Topic { name, .. } = &worker.offsets {
        reserved.insert(name.clone());
    }
    // Records of another group's topics of these names would be taken for this group's own.
    if let Some(group) = &worker.group {
        reserved.insert(group.config_topic.name.clone());
        reserved.insert(group.status_topic.name.clone());
    }
    if config.on_refused == OnRefused::Quarantine {
        reserved.insert(config.quarantine_topic.clone());
    }
    Rules {
        settings: config.topics.clone(),
        on_recreate: config.on_recreate,
        reserved,
    }
}

/// What a link remembers, which is read before anything is claimed or written; what is learned of clusters is added.
async fn memory_of(
    config: &LinkConfig,
    sides: (&Cluster, &Cluster),
    mut store: PositionStore,
) -> Result<(LinkMemory, Remembered), LinkError> {
    let (_, texts) = store.load_all(&config.name, key_style(config)).await?;
    let remembered = Remembered::of(&config.name, &texts);
    let mut memory = LinkMemory::new(&config.name, store, &remembered);
    let ids = known_clusters(&config.name, sides, &remembered)?;
    if ids != remembered.clusters {
        memory.clusters(&ids).await?;
    }
    Ok((memory, remembered))
}

/// The clusters have to be those that positions are of. What is known of their ids now.
fn known_clusters(
    link: &str,
    (source, destination): (&Cluster, &Cluster),
    remembered: &Remembered,
) -> Result<ClusterIds, LinkError> {
    let ids = ClusterIds {
        source: source.cluster_id(),
        destination: destination.cluster_id(),
    };
    match ids.changed_since(&remembered.clusters) {
        Some((side, before, now)) => Err(LinkError::OtherCluster {
            side,
            link: link.to_owned(),
            before,
            now,
        }),
        None => Ok(ids.or(&remembered.clusters)),
    }
}

/// Topics that are listed by name have to be there, where the configuration is strict about it.
async fn check_listed(source: &Cluster, config: &LinkConfig) -> Result<(), LinkError> {
    if !config.topics.whitelist_strict {
        return Ok(());
    }
    let names = config.topics.selection.expected().map(TopicName::from);
    let names: Vec<TopicName> = names.collect();
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

/// Both clusters, which answer and are not one.
///
/// # Errors
/// They do not, or are.
pub async fn both_sides(config: &LinkConfig) -> Result<(Cluster, Cluster), LinkError> {
    let source = Cluster::new(config.source.clone(), "source");
    let destination = Cluster::new(config.destination.clone(), "destination");
    check(&source).await.map_err(LinkError::Source)?;
    check(&destination).await.map_err(LinkError::Destination)?;
    if source.is_same_as(&destination) && config.topics.naming.is_identity_or_mirrors() {
        let id = source.cluster_id().unwrap_or_else(|| "unknown".to_owned());
        return Err(LinkError::SameCluster(id));
    }
    Ok((source, destination))
}

/// A cluster that answers and speaks what copying needs.
async fn check(cluster: &Cluster) -> Result<(), ClientError> {
    cluster.metadata(MetadataTopics::Topics(Vec::new())).await?;
    cluster.check_versions::<FetchRequest>().await?;
    cluster.check_versions::<ProduceRequest>().await
}

/// Opens the store of a link's positions, as its worker says.
///
/// # Errors
/// It cannot be opened.
pub async fn open_store(
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

/// The copying of access rights, where it is switched on. Its record has a handle of its own to the store of positions: the
/// keys differ, so neither waits for the other.
fn open_acls(
    part: &LinkPart,
    config: &LinkConfig,
    store: &PositionStore,
    source: &Cluster,
    destination: &Cluster,
) -> Option<(Box<AclSync>, AclHandle)> {
    let wanted = config.topics.acls.clone();
    let settings = wanted.filter(|_| part.changes_topics())?;
    let (sync, handle) = AclSync::new(AclOptions {
        link: config.name.clone(),
        source: source.clone(),
        destination: destination.clone(),
        settings,
        naming: config.topics.naming.clone(),
        selection: config.topics.selection.clone(),
        store: store.another(),
    });
    Some((Box::new(sync), handle))
}

/// Where partitions begin: what the group of the source has committed, or what the configuration says.
async fn committed(
    source: &Cluster,
    config: &LinkConfig,
) -> Result<HashMap<TopicPartition, i64>, LinkError> {
    let Some(group) = &config.start_group else {
        return Ok(HashMap::new());
    };
    match committed_offsets(source, &group.id).await {
        Ok(offsets) => Ok(offsets),
        Err(cause) if group.is_given => Err(LinkError::Group {
            group: group.id.clone(),
            cause,
        }),
        Err(cause) => {
            tracing::info!(
                group = group.id,
                "whether a group of this name has committed offsets is not known ({cause}); none are used"
            );
            Ok(HashMap::new())
        }
    }
}

/// The ids of source and destination, where records are to tell them.
fn cluster_ids(
    config: &LinkConfig,
    source: &Cluster,
    destination: &Cluster,
) -> Result<Option<(String, String, Provenance)>, LinkError> {
    let Some(provenance) = config.provenance.clone() else {
        return Ok(None);
    };
    let source = source
        .cluster_id()
        .ok_or(LinkError::NoClusterId("source"))?;
    let destination = destination.cluster_id();
    let destination = destination.ok_or(LinkError::NoClusterId("destination"))?;
    Ok(Some((source, destination, provenance)))
}
