//! Reads from one source broker, or a part of its partitions: one connection, one incremental session, one request at a time.
//!
//! Orders come from the core, answers go back as a whole, already split and judged batch by batch:
//! that is the only work on the way of a record, and it touches headers only unless a batch cannot
//! pass as it is.

use std::collections::BTreeSet;
use std::time::Duration;

use foldhash::{HashMap, HashMapExt as _};
use kafka_client::fetch_session::{FetchSession, Wanted};
use kafka_client::{Buffers, ClientError, Cluster, Connection, Reservation};
use kafka_wire::batch::{Batches, Entry};
use kafka_wire::error_code::{ErrorClass, ErrorCode};
use kafka_wire::message::fetch::{FetchRequest, FetchResponse};
use kafka_wire::message::{ApiKey, IsolationLevel, Request, TopicRef};
use kafka_wire::types::{NodeId, PartitionId, TopicId, TopicName, TopicPartition};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::mpsc;
use tokio::task::block_in_place;
use tokio::time::Instant;

use super::core::{FetchOrder, FetchedPartition, Index, Reading};
use super::decode::{Decoder, Rules};
use super::lingering::is_worth_copies;
use super::route::route;
use super::whole::answer_within;
use crate::clock::wall_ms;
use crate::origin::{OriginRule, Origins};

/// A batch may be as large as a broker takes a request (`socket.request.max.bytes`), and comes whole
/// on top of what was asked for.
const LARGEST_BATCH: usize = 100 * 1024 * 1024;

/// Taking an answer apart for so long keeps the other tasks of a thread waiting. What passes untouched, and what is put together
/// from uncompressed batches, takes less; leaving the thread for that would cost more than it brings (a tenth of the processor time of
/// one-record batches, measured).
const LONG: Duration = Duration::from_millis(10);

/// How long a broker may take beyond the time it is allowed to wait for news.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// What a fetcher has to say.
#[derive(Debug)]
pub(crate) enum FetchEvent {
    /// The answer to an order.
    Fetched {
        partitions: Vec<FetchedPartition>,
        reading: Reading,
    },
    /// The order could not be carried out; the session begins anew with the next one.
    Failed(ClientError),
}

/// What a fetcher needs to know once.
#[derive(Clone, Debug)]
pub(crate) struct FetcherOptions {
    pub(crate) node: NodeId,
    pub(crate) min_bytes: i32,
    pub(crate) rack: String,
    pub(crate) origins: Option<Origins>,
}

/// Somebody who wants a partition: one, or each part of it where it is spread.
struct Asker {
    index: Index,
    wanted: Wanted,
    rules: Rules,
}

/// See the module.
pub(crate) struct Fetcher {
    cluster: Cluster,
    options: FetcherOptions,
    buffers: Buffers,
    connection: Option<Connection>,
    /// There and back over a connection that was just made, until it is told once; zero otherwise.
    round_trip: Duration,
    session: FetchSession,
    /// Who wants what, by index: the parts of a partition that is spread are read together where they can be. Mostly there is one,
    /// and a node of a map has room for eleven.
    known: HashMap<TopicPartition, Vec<Asker>>,
    names: HashMap<TopicId, TopicName>,
    decoder: Decoder,
    /// How long an answer took to be taken apart, of the last ones that held something.
    judging: Duration,
    /// Whether some topic has no id: the cluster is older than topic ids.
    by_name: bool,
}

impl Fetcher {
    pub(crate) fn new(cluster: Cluster, options: FetcherOptions, buffers: Buffers) -> Self {
        Self {
            cluster,
            options,
            buffers,
            connection: None,
            round_trip: Duration::ZERO,
            session: FetchSession::default(),
            known: HashMap::new(),
            names: HashMap::new(),
            decoder: Decoder::default(),
            judging: Duration::ZERO,
            by_name: false,
        }
    }

    /// Serves until `orders` closes.
    pub(crate) async fn run<F>(
        mut self,
        mut orders: mpsc::Receiver<FetchOrder>,
        mut emit: impl FnMut(FetchEvent) -> F,
    ) where
        F: Future<Output = ()>,
    {
        while let Some(order) = orders.recv().await {
            let event = match self.serve(order).await {
                Ok(event) => event,
                Err(error) => {
                    self.connection = None;
                    self.session.reset();
                    FetchEvent::Failed(error)
                }
            };
            emit(event).await;
        }
    }

    async fn serve(&mut self, mut order: FetchOrder) -> Result<FetchEvent, ClientError> {
        for (index, partition) in &order.remove {
            if let Some(askers) = self.known.get_mut(partition) {
                askers.retain(|asker| asker.index != *index);
            }
            self.tell_session(partition);
        }
        for (index, partition, wanted, rules) in std::mem::take(&mut order.set) {
            if wanted.topic_id.is_zero() && !self.by_name {
                self.by_name = true;
                self.session.reset();
            }
            self.names.insert(wanted.topic_id, partition.topic.clone());
            let asker = Asker {
                index,
                wanted,
                rules,
            };
            self.take_in(&partition, asker);
        }
        let (mut answer, mut took) = self.ask(&order).await?;
        let mut verdict = self.session.accept(answer.error, answer.session_id);
        if verdict.is_err_and(is_session_loss) {
            // The broker has forgotten the session: once more, in full. What was reserved for this answer would be waited for.
            drop((answer, took));
            (answer, took) = self.ask(&order).await?;
            verdict = self.session.accept(answer.error, answer.session_id);
        }
        if let Err(code) = verdict {
            let peer = self.cluster.address(self.options.node)?;
            return Err(ClientError::Refused {
                peer,
                api: ApiKey::FETCH,
                code,
            });
        }
        let origins = match &self.options.origins {
            Some(origins) => rule(origins, &answer).await,
            None => Ok(OriginRule::default()),
        };
        let origins = match origins {
            Ok(origins) => origins,
            Err(cause) => {
                let peer = self.cluster.address(self.options.node)?;
                return Err(ClientError::Closed { peer, cause });
            }
        };
        let throttle = u64::try_from(answer.throttle_time_ms).unwrap_or(0);
        let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let nothing = partitions.clone().all(|p| {
            p.records.is_empty() && p.error == ErrorCode::NONE && p.preferred_read_replica.is_none()
        });
        let bytes = partitions.map(|p| p.records.len()).sum();
        // What took long lately does so again.
        let (is_long, began) = (self.judging > LONG, Instant::now());
        let (partitions, made) = beside_others(is_long, || self.judge(answer, &origins));
        if bytes > 0 {
            self.judging = began.elapsed().max(self.judging / 8 * 7);
        }
        let reading = Reading {
            throttle: Duration::from_millis(throttle),
            bytes,
            made,
            took: took.whole,
            began: took.began,
            round_trip: std::mem::take(&mut self.round_trip),
            nothing,
        };
        // What was made counts by now; before that it was reserved.
        drop(took.beside);
        Ok(FetchEvent::Fetched {
            partitions,
            reading,
        })
    }

    fn take_in(&mut self, partition: &TopicPartition, asker: Asker) {
        let askers = self.known.entry(partition.clone()).or_default();
        match askers.binary_search_by_key(&asker.index, |known| known.index) {
            Ok(at) => askers[at] = asker,
            Err(at) => {
                askers.reserve_exact(1);
                askers.insert(at, asker);
            }
        }
        self.tell_session(partition);
    }

    /// Asks for what the hindmost of its askers wants; the others take from the answer what lies behind that.
    fn tell_session(&mut self, partition: &TopicPartition) {
        let askers = self.known.get(partition).into_iter().flatten();
        let all = askers.map(|asker| asker.wanted);
        match all.min_by_key(|wanted| wanted.offset) {
            Some(wanted) => self.session.set(partition, wanted),
            None => {
                self.session.remove(partition);
                self.known.remove(partition);
            }
        }
    }

    /// Asks for no more than an order says and there is memory for, and says how long the answer took.
    async fn ask(&mut self, order: &FetchOrder) -> Result<(FetchResponse, Took), ClientError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let mut connection = self.cluster.connect(self.options.node).await?;
                let asked = usize::try_from(order.max_bytes).unwrap_or(0);
                connection.set_frame_limit(asked + LARGEST_BATCH);
                connection.set_buffers(self.buffers.clone());
                self.session.reset();
                self.round_trip = connection.round_trip();
                self.connection.insert(connection)
            }
        };
        let most = usize::try_from(order.max_bytes).unwrap_or(0);
        let room = |limit| most.min(answer_within(limit)).max(order.largest);
        let reserved = self.buffers.reserved_beside(room, order.made, order.turn);
        let (reserved, beside) = reserved.await;
        // That may have taken long, so this is looked at behind it. Sessions belong to their connection.
        if connection.renew().await {
            self.session.reset();
            self.round_trip = connection.round_trip();
        }
        // Of memory that has become less meanwhile, or is little, less is asked for.
        let max_bytes = order
            .max_bytes
            .min(i32::try_from(reserved.bytes()).unwrap_or(i32::MAX));
        connection.set_reservation(reserved);
        let begun = Instant::now();
        let part = self.session.build();
        let mut forgotten: HashMap<(TopicName, TopicId), Vec<PartitionId>> = HashMap::new();
        for (partition, id) in part.forgotten {
            forgotten
                .entry((partition.topic, id))
                .or_default()
                .push(partition.partition);
        }
        let request = FetchRequest {
            max_wait_ms: i32::try_from(order.max_wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: self.options.min_bytes,
            max_bytes,
            isolation_level: IsolationLevel::ReadCommitted,
            session_id: part.session_id,
            session_epoch: part.session_epoch,
            rack_id: self.options.rack.clone(),
            topics: part.topics,
            forgotten: forgotten
                .into_iter()
                .map(|((name, id), list)| (name, id, list))
                .collect(),
        };
        let limit = order.max_wait + ANSWER_LIMIT.min(self.cluster.config().request_timeout);
        // A session begun by name goes on by name, also with a request that names nothing.
        let range = if self.by_name {
            FetchRequest::BY_NAME
        } else {
            FetchRequest::VERSIONS
        };
        let version = connection
            .versions()
            .choose(connection.peer(), ApiKey::FETCH, range)?;
        let answer = connection.call_at(version, &request, limit).await?;
        let began = connection.answer_began();
        let took = Took {
            whole: begun.elapsed(),
            began: began.map(|at| at.saturating_duration_since(begun)),
            beside,
        };
        Ok((answer, took))
    }

    /// The bytes of each partition of an answer, and whether they will stay in memory for long.
    fn lingering(&self, answer: &FetchResponse) -> impl Iterator<Item = (usize, bool)> {
        let topics = answer.topics.iter();
        let partitions = topics.flat_map(|topic| topic.partitions.iter().map(move |p| (topic, p)));
        partitions.map(|(topic, fetched)| {
            let name = name_of(&self.names, &topic.topic);
            let partition = name.map(|name| TopicPartition::new(name.clone(), fetched.partition));
            let askers = partition.and_then(|partition| self.known.get(&partition));
            let lingers = askers.is_some_and(|askers| linger(askers));
            (fetched.records.len(), lingers)
        })
    }

    /// What becomes of an answer, and how many bytes of it were encoded anew.
    fn judge(
        &mut self,
        answer: FetchResponse,
        origins: &OriginRule,
    ) -> (Vec<FetchedPartition>, usize) {
        self.decoder.set_time(wall_ms());
        let copies = is_worth_copies(self.lingering(&answer), &self.buffers);
        let (mut judged, mut made) = (Vec::new(), 0);
        for topic in answer.topics {
            // Not asked for; an answer about it changes nothing.
            let Some(name) = name_of(&self.names, &topic.topic) else {
                continue;
            };
            for fetched in topic.partitions {
                // An answer about a topic that has been replaced meanwhile is told apart by its id.
                let partition = TopicPartition::new(name.clone(), fetched.partition);
                let Some(askers) = self.known.get(&partition) else {
                    continue;
                };
                let (mut records, mut copied) = (fetched.records, 0);
                if copies && linger(askers) {
                    copied = records.len();
                    records = self.buffers.copied(&records);
                }
                for asker in askers {
                    let (wanted, rules) = (&asker.wanted, &asker.rules);
                    if matches!(topic.topic, TopicRef::Id(id) if id != wanted.topic_id) {
                        continue;
                    }
                    let rules = Rules {
                        origins: origins.clone(),
                        ..rules.clone()
                    };
                    let mut routed = route(
                        records.clone(),
                        fetched.aborted.clone(),
                        wanted.offset,
                        &rules,
                        &mut self.decoder,
                    );
                    routed.copied = std::mem::take(&mut copied);
                    for piped in &mut routed.batches {
                        made += piped.count_in(&self.buffers);
                    }
                    judged.push(FetchedPartition {
                        index: asker.index,
                        topic_id: wanted.topic_id,
                        asked: wanted.offset,
                        life: rules.life,
                        error: fetched.error,
                        last_stable: fetched.last_stable_offset,
                        follower: fetched.preferred_read_replica,
                        routed,
                    });
                }
            }
        }
        (judged, made)
    }
}

/// How long an answer took, and after which time it began to come, if it came in pieces.
struct Took {
    whole: Duration,
    began: Option<Duration>,
    /// The memory for what is made of it.
    beside: Reservation,
}

fn name_of<'a>(
    names: &'a HashMap<TopicId, TopicName>,
    topic: &'a TopicRef,
) -> Option<&'a TopicName> {
    match topic {
        TopicRef::Name(name) => Some(name),
        TopicRef::Id(id) => names.get(id),
    }
}

/// Whether what is read for somebody will stay in memory for long.
fn linger(askers: &[Asker]) -> bool {
    askers.iter().any(|asker| asker.rules.lingers)
}

/// How the batches of an answer are told apart. Asked before they are judged, because what is not known has to be looked up
/// *after* its batch was read.
async fn rule(origins: &Origins, answer: &FetchResponse) -> Result<OriginRule, String> {
    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    let mut producers = BTreeSet::new();
    for entry in partitions.flat_map(|fetched| Batches::new(fetched.records.clone())) {
        if let Ok(Entry::Batch(batch)) = entry
            && batch.info().has_producer()
        {
            producers.insert(batch.info().producer_id);
        }
    }
    origins.rule(&producers).await
}

fn is_session_loss(code: ErrorCode) -> bool {
    code.class() == ErrorClass::NewFetchSession
}

/// Does work that may take long, so that the other tasks of this thread need not wait for it: on a machine with one core it would be
/// the only one that they have.
fn beside_others<T>(is_long: bool, work: impl FnOnce() -> T) -> T {
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) if is_long => block_in_place(work),
        _ => work(),
    }
}
