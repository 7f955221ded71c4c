//! The data planes of a link: one for what was first written to the source, and one for each third cluster whose records pass
//! through the source on their way to the destination.
//!
//! They do not know each other: each has its own positions, producers and fetch sessions, and takes its own batches only. A stream
//! is made when the registry of the source first names its origin, and copies that origin's records from the first one.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use config::bandwidth::Bandwidth;
use config::link::{LinkConfig, LoopPrevention, Offsets};
use config::worker::{OffsetStorage, WorkerConfig};
use kafka_client::transactions::TransactionalProducer;
use kafka_client::{Buffers, Cluster};
use kafka_wire::message::metadata::MetadataTopics;
use kafka_wire::types::{TopicName, TopicPartition};
use lifecycle::{OnFailure, Scope, StopSignal};
use tokio::sync::{Notify, mpsc, watch};

use super::assign::{Beginnings, FirstLooks, Known, RecordChanges, assignments};
use super::begun::Begun;
use super::turn::turn;
use super::{LinkError, LinkPart, follow, key_style};
use crate::data_plane::{DataPlane, Handle, Options, Transactions};
use crate::link_memory::FirstLook;
use crate::metadata_sync::Round;
use crate::origin::{Origins, OriginsOptions, Registrar, Stream};
use crate::position_store::{Ownership, PositionStore, StoredLink, StoredText};

/// Replicas of the registry where the configuration has no number for topics that hold state; never more than brokers.
const REPLICAS: i16 = 3;

/// `transaction.boundary=poll`: how long a transaction takes in batches.
const READ_TOGETHER: Duration = Duration::from_millis(100);

/// Everything that a stream is made from.
#[derive(Debug)]
pub(super) struct StreamMaker {
    pub(super) config: LinkConfig,
    pub(super) worker: WorkerConfig,
    pub(super) store: PositionStore,
    pub(super) source: Cluster,
    pub(super) destination: Cluster,
    pub(super) buffers: Buffers,
    /// How much may be read, as it is changed while the link runs.
    pub(super) limit: watch::Receiver<Option<Bandwidth>>,
    pub(super) topics_in_doubt: Arc<Notify>,
    pub(super) origins: Option<Origins>,
    pub(super) part: LinkPart,
}

impl StreamMaker {
    /// Ids of both clusters, where copies have to be told from other records.
    fn ids(&self) -> Option<(String, String)> {
        let wanted = match self.config.loops {
            LoopPrevention::Off => false,
            LoopPrevention::Required => true,
            LoopPrevention::Auto => self.config.topics.naming.keeps_names(),
        };
        let ids = (self.source.cluster_id()?, self.destination.cluster_id()?);
        (wanted && ids.0 != ids.1).then_some(ids)
    }

    fn is_required(&self) -> bool {
        self.config.loops == LoopPrevention::Required
    }

    /// What is known of producers at the source; `None` where it does not matter.
    pub(super) async fn open_origins(&self) -> Result<Option<Origins>, LinkError> {
        let Some((source_id, destination_id)) = self.ids() else {
            return Ok(None);
        };
        let store = self.store.another();
        let options = OriginsOptions {
            link: self.config.name.clone(),
            source: self.source.clone(),
            source_id,
            destination_id,
            store,
            required: self.is_required(),
            accept_lost: self.config.accept_lost_origins,
        };
        let origins = Box::pin(Origins::open(options)).await;
        origins.map(Some).map_err(LinkError::Origins)
    }

    /// The claim of what this process copies of a stream; nothing where it writes no records.
    async fn claim(&self, stream: &str) -> Result<Option<Ownership>, LinkError> {
        let Some(name) = self.part.name(stream) else {
            return Ok(None);
        };
        let store = self.store.another();
        Ok(store.claim(&name).await?)
    }

    /// A data plane for a stream, with what is stored of it and beside it. Its producers of before are registered then.
    pub(super) async fn make(
        &self,
        stream: &Stream,
        scope: &Scope,
    ) -> Result<(Box<DataPlane>, Handle, StoredLink, Vec<StoredText>), LinkError> {
        let mut config = self.config.clone();
        if let Stream::Of(origin) = stream {
            config.name = format!("{}@{origin}", config.name);
            // Others write to the same partitions.
            config.offsets.placement = Offsets::Map;
        }
        let mut store = self.store.another();
        let style = key_style(&config);
        // Before positions are read: whoever wrote them does not write any more, or will notice.
        let transactions = self.transactions(stream).await?;
        let ownership = match transactions {
            Some(_) => None,
            None => self.claim(&config.name).await?,
        };
        if let Some(ownership) = &ownership {
            store.store_for(ownership);
        }
        // Held until what was read is sorted out.
        let _turn = turn(&self.part).await;
        let (mut stored, texts) = store.load_all(&config.name, style.clone()).await?;
        // Partitions of a task may come from a task of another number, whose claim has another name.
        let is_part = !matches!(self.part, LinkPart::Whole);
        let ownership = ownership.map(|ownership| {
            let has_predecessor = is_part || ownership.has_predecessor(&texts);
            (ownership, has_predecessor)
        });
        let writes = self.part.task().is_some();
        if writes && transactions.is_none() && were_transactional(&stored) {
            // Whoever wrote in transactions before cannot commit any more; then what is stored is what counts.
            let mut before = self.transactional_producer(stream, Duration::from_secs(60));
            before.init(false).await?;
            stored = store.load(&config.name, style).await?;
        }
        let registrar = match (&self.origins, self.ids()) {
            (Some(_), Some((source_id, _))) => {
                let origin = match stream {
                    Stream::Local => source_id,
                    Stream::Of(origin) => origin.clone(),
                };
                let replicas = match &self.worker.offsets {
                    OffsetStorage::Topic {
                        replication_factor, ..
                    } => *replication_factor,
                    OffsetStorage::File(_) => REPLICAS,
                };
                let mut registrar = Registrar::new(
                    self.destination.clone(),
                    &origin,
                    &config.name,
                    self.is_required(),
                    replicas,
                );
                let known = writers(&stored);
                let writer = transactions.as_ref().and_then(|t| t.producer.identity());
                let known = known.chain(writer.map(|writer| writer.id));
                registrar
                    .register(known)
                    .await
                    .map_err(LinkError::Origins)?;
                Some(registrar)
            }
            _ => None,
        };
        let options = Options {
            source: self.source.clone(),
            destination: self.destination.clone(),
            store,
            buffers: self.buffers.clone(),
            limit: self.limit.clone(),
            flush_interval: self.worker.flush_interval,
            topics_in_doubt: Arc::clone(&self.topics_in_doubt),
            origins: self
                .origins
                .as_ref()
                .map(|origins| origins.of(stream.clone())),
            registrar,
            shared: matches!(stream, Stream::Of(_)),
            transactions,
            ownership,
        };
        let (plane, handle) = DataPlane::new(&config, options, scope);
        Ok((plane, handle, stored, texts))
    }
}

impl StreamMaker {
    /// The transactional producer of a stream, which nobody else has from now on; nothing where there are no transactions.
    /// Positions are read after that.
    async fn transactions(&self, stream: &Stream) -> Result<Option<Transactions>, LinkError> {
        let settings = self.config.transactions;
        let Some(settings) = settings.filter(|_| self.part.task().is_some()) else {
            return Ok(None);
        };
        let mut producer = self.transactional_producer(stream, settings.timeout);
        producer.init(false).await?;
        let longest = settings.timeout / 3;
        Ok(Some(Transactions {
            producer,
            style: key_style(&self.config),
            interval: settings.interval.unwrap_or(READ_TOGETHER).min(longest),
        }))
    }

    fn transactional_producer(&self, stream: &Stream, timeout: Duration) -> TransactionalProducer {
        let task = self.part.task().unwrap_or(0);
        let mut id = transactional_id(&self.config, &self.worker, task);
        if let Stream::Of(origin) = stream {
            id = format!("{id}@{origin}");
        }
        TransactionalProducer::new(self.destination.clone(), id, timeout)
    }
}

/// The transactional id of a task's records of its source, as Connect has it.
fn transactional_id(config: &LinkConfig, worker: &WorkerConfig, task: u32) -> String {
    let group = worker.group_id.as_deref();
    format!("{}{task}", config.transactional_id_prefix(group))
}

/// Takes the transactional ids of these tasks over: what they have open is taken back, and whoever still has one of them
/// writes nothing any more. Nothing where the link does not write in transactions.
///
/// # Errors
/// One cannot be had.
pub async fn fence(
    config: &LinkConfig,
    worker: &WorkerConfig,
    tasks: &[u32],
) -> Result<(), LinkError> {
    let Some(settings) = config.transactions else {
        return Ok(());
    };
    let destination = Cluster::new(config.destination.clone(), "destination");
    let none = MetadataTopics::Topics(Vec::new());
    let known = destination.metadata(none).await;
    known.map_err(LinkError::Destination)?;
    for task in tasks {
        let id = transactional_id(config, worker, *task);
        let mut producer = TransactionalProducer::new(destination.clone(), id, settings.timeout);
        producer.init(false).await?;
    }
    Ok(())
}

/// Producers under which a link has written, also those of partitions that are spread over several.
fn writers(stored: &StoredLink) -> impl Iterator<Item = i64> {
    let all = stored
        .values()
        .flat_map(|stored| std::iter::once(stored).chain(stored.spread.values()));
    let positions = all.filter_map(|stored| stored.position.as_ref());
    positions.map(|position| position.producer.id)
}

/// Whether positions were stored in transactions.
fn were_transactional(stored: &StoredLink) -> bool {
    let mut positions = stored
        .values()
        .filter_map(|stored| stored.position.as_ref());
    positions.any(|position| position.transactional)
}

/// Tells one data plane what rounds over topics found.
pub(super) struct Follower {
    data: Handle,
    stored: Known,
    beginnings: Beginnings,
    changes: RecordChanges,
    part: LinkPart,
    /// Partitions that were given to the data plane.
    assigned: HashSet<TopicPartition>,
    /// How many parts of partitions the data plane was given.
    count: usize,
    /// What the first look at the source found, of this process.
    first: Option<FirstLook>,
    begun: Begun,
    halted: BTreeSet<TopicName>,
}

impl Follower {
    pub(super) fn new(
        data: Handle,
        stored: Known,
        beginnings: Beginnings,
        changes: RecordChanges,
        part: LinkPart,
        begun: Begun,
    ) -> Self {
        Self {
            data,
            stored,
            beginnings,
            changes,
            part,
            assigned: HashSet::new(),
            count: 0,
            first: None,
            begun,
            halted: BTreeSet::new(),
        }
    }

    /// `false` when the data plane has stopped.
    async fn follow(&mut self, round: &Round) -> bool {
        let is_begun = self.begun.found().is_some();
        if !is_begun && (round.trouble.is_some() || !self.begun.at(&round.selected).await) {
            return true;
        }
        if round.trouble.is_none() && self.first.is_none() {
            let partitions = |topic: &str| round.selected.get(&TopicName::from(topic)).copied();
            for unmet in self.beginnings.start.unmet(partitions) {
                tracing::warn!("{unmet}");
            }
            self.first = Some(round.selected.clone());
        }
        let first = FirstLooks {
            here: self.first.as_ref().unwrap_or(&round.selected),
            ever: self.begun.found().unwrap_or(&round.selected),
        };
        let new = assignments(
            round,
            &mut self.assigned,
            &mut self.stored,
            first,
            &self.beginnings,
            &self.changes,
        );
        self.count += new.len();
        if !new.is_empty() && !self.data.assign(new).await {
            return false;
        }
        follow(round, &mut self.halted, &self.data).await
    }
}

/// All streams of a running link.
pub(super) struct Streams {
    maker: StreamMaker,
    local: Follower,
    thirds: BTreeMap<String, Follower>,
    scope: Arc<Scope>,
    stop: StopSignal,
    handles: watch::Sender<Vec<Handle>>,
}

impl Streams {
    pub(super) fn new(
        maker: StreamMaker,
        local: Follower,
        (scope, stop): (Arc<Scope>, StopSignal),
        handles: watch::Sender<Vec<Handle>>,
    ) -> Self {
        Self {
            maker,
            local,
            thirds: BTreeMap::new(),
            scope,
            stop,
            handles,
        }
    }

    /// Passes rounds on until there are no more, or a data plane has stopped.
    pub(super) async fn run(
        mut self: Box<Self>,
        mut rounds: mpsc::Receiver<Arc<Round>>,
        mut told: impl FnMut(&Arc<Round>, usize),
    ) {
        let mut origins = self.maker.origins.as_ref().map(Origins::thirds);
        let mut newest: Option<Arc<Round>> = None;
        loop {
            // Both are cancel-safe: channels keep what was not taken.
            let round = tokio::select! {
                round = rounds.recv() => match round {
                    Some(round) => round,
                    None => return,
                },
                () = changed(&mut origins) => match newest.take() {
                    Some(round) => round,
                    None => continue,
                },
            };
            self.add_streams(origins.as_ref()).await;
            if !self.local.follow(&round).await {
                return;
            }
            for stream in self.thirds.values_mut() {
                if !stream.follow(&round).await {
                    return;
                }
            }
            told(&round, self.local.count);
            newest = Some(round);
        }
    }

    /// Makes the streams that are missing. What cannot be made now is tried again with the next round.
    async fn add_streams(&mut self, origins: Option<&watch::Receiver<BTreeSet<String>>>) {
        let wanted = origins
            .map(|origins| origins.borrow().clone())
            .unwrap_or_default();
        for origin in wanted {
            if self.thirds.contains_key(&origin) {
                continue;
            }
            let scope = self.scope.child(&origin);
            let stream = Stream::Of(origin.clone());
            let (plane, handle, stored, _) = match Box::pin(self.maker.make(&stream, &scope)).await
            {
                Ok(made) => made,
                Err(error) => {
                    tracing::error!(
                        origin,
                        "records of a third cluster are not copied yet: {error}"
                    );
                    continue;
                }
            };
            tracing::info!(
                origin,
                "records of a third cluster pass through the source; they are copied as a stream of their own"
            );
            let stop = self.stop.clone();
            self.scope.spawn(
                format!("data of {origin}"),
                OnFailure::StopScope,
                async move {
                    let ended = Box::pin(plane.run(stop)).await;
                    let report = scope.stop(Duration::ZERO).await;
                    tracing::debug!(?report, "stream ended");
                    ended
                },
            );
            self.handles
                .send_modify(|handles| handles.push(handle.clone()));
            let (changes, part) = (self.local.changes.clone(), self.local.part.clone());
            let beginnings = Beginnings::default();
            // Copied from the first record in any case.
            let begun = Begun::Known(FirstLook::new());
            let stored = Known::of(stored, &part);
            let follower = Follower::new(handle, stored, beginnings, changes, part, begun);
            self.thirds.insert(origin, follower);
        }
    }
}

/// Waits until other clusters are known. For ever, where that does not matter.
async fn changed(origins: &mut Option<watch::Receiver<BTreeSet<String>>>) {
    let changed = match origins {
        Some(origins) => origins.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use kafka_wire::types::{ProducerIdentity, TopicId};

    use super::*;
    use crate::position::Position;
    use crate::position_store::Stored;
    use crate::side::{Destination, Source};
    use crate::spread::Spread;

    #[test]
    fn writers_of_partitions_that_are_spread_are_known_too() {
        let stored = |id| Stored {
            position: Some(Position {
                offset: Source(0),
                leader_epoch: -1,
                topic_id: Source(TopicId::ZERO),
                destination_topic_id: Destination(TopicId::ZERO),
                destination_end: Destination(0),
                producer: ProducerIdentity { id, epoch: 0 },
                sequence: 0,
                placement: Default::default(),
                transactional: false,
            }),
            ..Stored::default()
        };
        let spread = Stored {
            spread: BTreeMap::from([(Spread { of: 2, to: 1 }, stored(8))]),
            ..Stored::default()
        };
        let partition = |number| TopicPartition::new("t".into(), number);
        let link = StoredLink::from([(partition(0), stored(7)), (partition(1), spread)]);
        let writers: BTreeSet<i64> = writers(&link).collect();
        assert_eq!(writers, BTreeSet::from([7, 8]));
    }
}
