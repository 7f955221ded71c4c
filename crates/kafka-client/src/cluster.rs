//! One cluster as its callers see it: an address book of brokers, learned from metadata, and lanes
//! to them that are opened when they are first used.
//!
//! A first bootstrap host that cannot be reached is normal: addresses are tried in turn, the one
//! that answered last is tried first.

mod lane;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use config::client::{ClientConfig, HostPort};
use kafka_wire::message::Request;
use kafka_wire::message::metadata::{MetadataRequest, MetadataResponse, MetadataTopics};
use kafka_wire::types::NodeId;
use lifecycle::{OnFailure, Scope};
use tokio::time::{Instant, timeout};

use crate::connection::{Connection, Dialer, Probe};
use crate::error::ClientError;
use crate::meter::{ClientCounts, Expiry};
use lane::Lane;

/// What a connection is used for. Uses do not share connections, so that a slow answer to one never
/// delays another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Use {
    /// Metadata, offsets: many, short, waited for by the data path.
    Metadata,
    /// Changes and descriptions of topics: may take long at the broker.
    Admin,
    /// Reading end offsets for lag and health, apart from everything they judge.
    Watch,
    /// Reading and writing of compacted topics that hold our own state.
    Store,
    /// Waiting for what comes to such a topic.
    Tail,
    /// Joining a group: the answer comes when all members have.
    Group,
    /// Signs of life of a member of a group, while it joins too.
    Heartbeat,
    /// Beginning and ending of transactions: a coordinator may hold answers back.
    Transactions,
}

impl Use {
    fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Admin => "admin",
            Self::Watch => "watch",
            Self::Store => "store",
            Self::Tail => "tail",
            Self::Group => "group",
            Self::Heartbeat => "heartbeat",
            Self::Transactions => "transactions",
        }
    }
}

/// Handle to a cluster; clones share connections and address book.
#[derive(Clone, Debug)]
pub struct Cluster(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    dialer: Arc<Dialer>,
    scope: Scope,
    lanes: Mutex<HashMap<(HostPort, Use), Lane>>,
    book: Mutex<AddressBook>,
}

#[derive(Debug, Default)]
struct AddressBook {
    brokers: BTreeMap<NodeId, HostPort>,
    controller: Option<NodeId>,
    cluster_id: Option<String>,
    /// The address that answered last.
    good: Option<HostPort>,
    /// One whose answers led nowhere, and since when it is asked last.
    doubted: Option<(HostPort, Instant)>,
    /// Those that could not be reached, or did not answer, when they were asked last.
    failing: HashSet<HostPort>,
}

/// How long one that is in doubt is asked last, and so how often another one is put there.
const DOUBT: Duration = Duration::from_secs(10);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cluster {
    /// A handle; nothing is connected yet. Lanes belong to the handle and end with its last clone, not
    /// when the rest of the program is asked to stop: positions are stored after that.
    #[must_use]
    pub fn new(config: ClientConfig, name: &str) -> Self {
        let dialer = Arc::new(Dialer::new(config));
        let scope = Scope::new(name);
        if let Some(protection) = dialer.protection().cloned() {
            let stop = scope.stop_signal();
            scope.spawn("credentials", OnFailure::Report, async move {
                stop.unless_requested(protection.watch()).await;
            });
        }
        Self(Arc::new(Inner {
            dialer,
            scope,
            lanes: Mutex::default(),
            book: Mutex::default(),
        }))
    }

    /// The settings it was made with.
    #[must_use]
    pub fn config(&self) -> &ClientConfig {
        self.0.dialer.config()
    }

    /// The cluster's id, once any metadata has been received; brokers without one give `None`.
    #[must_use]
    pub fn cluster_id(&self) -> Option<String> {
        lock(&self.0.book).cluster_id.clone()
    }

    /// The release of Kafka whose metadata the cluster has agreed on; nothing with ZooKeeper, or before a broker has answered.
    #[must_use]
    pub fn release(&self) -> Option<&'static str> {
        self.0.dialer.release()
    }

    /// Requests over connections of this handle and its clones.
    #[must_use]
    pub fn counts(&self) -> ClientCounts {
        self.0.dialer.meter().counts()
    }

    /// Their connections that are open now, by broker.
    #[must_use]
    pub fn connections(&self) -> Vec<(HostPort, usize)> {
        self.0.dialer.meter().connections()
    }

    /// Until when what they are made with is good.
    #[must_use]
    pub fn expiry(&self) -> Expiry {
        let protection = self.0.dialer.protection();
        let (own, token) = protection.map_or((None, None), |one| one.ends());
        Expiry {
            brokers: self.0.dialer.meter().certificate(),
            own,
            token,
        }
    }

    /// Whether both handles lead to one cluster, as far as metadata tell: by its id, and where brokers have none by
    /// their numbers and addresses.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        // Copied out, so that no two books are locked at once.
        let view = |cluster: &Self| {
            let book = lock(&cluster.0.book);
            (book.cluster_id.clone(), book.brokers.clone())
        };
        is_same(&view(self), &view(other))
    }

    /// Number of brokers in the newest metadata.
    #[must_use]
    pub fn broker_count(&self) -> usize {
        lock(&self.0.book).brokers.len()
    }

    /// The address of a broker in the newest metadata.
    ///
    /// # Errors
    /// `UnknownNode`.
    pub fn address(&self, node: NodeId) -> Result<HostPort, ClientError> {
        lock(&self.0.book)
            .brokers
            .get(&node)
            .cloned()
            .ok_or(ClientError::UnknownNode(node.0))
    }

    /// Asks any broker for metadata and takes over the brokers it names.
    ///
    /// # Errors
    /// `NoBroker` when none answers; the text has each address with its reason.
    pub async fn metadata(&self, topics: MetadataTopics) -> Result<MetadataResponse, ClientError> {
        let request = MetadataRequest {
            topics,
            authorized_operations: false,
        };
        let answer = self.call_any(Use::Metadata, &request).await?;
        let mut book = lock(&self.0.book);
        // A broker that has just started may not know any: keep what we had.
        if !answer.brokers.is_empty() {
            book.brokers = answer
                .brokers
                .iter()
                .map(|b| {
                    (
                        b.node,
                        HostPort {
                            host: b.host.clone(),
                            port: b.port,
                        },
                    )
                })
                .collect();
            book.controller = (answer.controller.0 >= 0).then_some(answer.controller);
        }
        if answer.cluster_id.is_some() {
            book.cluster_id.clone_from(&answer.cluster_id);
        }
        drop(book);
        self.forget_unknown_lanes();
        Ok(answer)
    }

    /// What was learned from metadata did not help: whoever told it may be cut off from its cluster and tell old news for ever.
    /// The others are asked first for a while.
    pub fn doubt(&self) {
        let now = Instant::now();
        let mut book = lock(&self.0.book);
        let lasts = |since: Instant| now.saturating_duration_since(since) < DOUBT;
        if !book
            .doubted
            .as_ref()
            .is_some_and(|(_, since)| lasts(*since))
        {
            book.doubted = book.good.take().map(|address| (address, now));
        }
    }

    /// Calls whichever broker answers first in the order: the one that answered last, the known
    /// ones, the bootstrap addresses. One that hangs, or whose answer trickles, is not waited for while there are others: each gets a
    /// little time, then more, and only at last as long as something comes.
    ///
    /// # Errors
    /// `NoBroker` when none could be reached; any other error is the broker's answer.
    pub async fn call_any<R>(&self, use_: Use, request: &R) -> Result<R::Response, ClientError>
    where
        R: Request + Clone + Send + Sync + 'static,
    {
        let candidates = self.candidates();
        let longest = self.0.dialer.config().request_timeout;
        let mut tried: Vec<ClientError> = Vec::new();
        let rounds = patience(candidates.len(), longest);
        for (number, patience) in (1..).zip(&rounds) {
            tried.clear();
            for address in &candidates {
                let lane = self.lane(address, None, use_);
                let call = lane.call(request, *patience, None);
                // An answer that only trickles is not waited for either while there are others.
                let answer = match number == rounds.len() {
                    true => call.await,
                    false => timeout(*patience, call).await.unwrap_or_else(|_| {
                        Err(ClientError::no_answer(address, R::API, *patience))
                    }),
                };
                match answer {
                    Ok(answer) => {
                        let mut book = lock(&self.0.book);
                        book.failing.remove(address);
                        if book.doubted.as_ref().is_none_or(|(one, _)| one != address) {
                            book.good = Some(address.clone());
                        }
                        drop(book);
                        return Ok(answer);
                    }
                    Err(error @ (ClientError::Encode { .. } | ClientError::Unsupported { .. })) => {
                        return Err(error);
                    }
                    Err(ClientError::Stopping) => return Err(ClientError::Stopping),
                    Err(error) => {
                        lock(&self.0.book).failing.insert(address.clone());
                        tried.push(error);
                    }
                }
            }
            // More patience helps only against silence.
            let silent = |error: &ClientError| matches!(error, ClientError::Timeout { .. });
            if !tried.iter().any(silent) {
                break;
            }
        }
        Err(ClientError::no_broker(&tried))
    }

    /// Calls one broker.
    ///
    /// # Errors
    /// `UnknownNode`, or what the call meets.
    pub async fn call<R>(
        &self,
        node: NodeId,
        use_: Use,
        request: &R,
    ) -> Result<R::Response, ClientError>
    where
        R: Request + Clone + Send + Sync + 'static,
    {
        self.call_within(node, use_, request, self.0.dialer.config().request_timeout)
            .await
    }

    /// As [`Cluster::call`], with a limit of its own.
    ///
    /// # Errors
    /// As [`Cluster::call`].
    pub async fn call_within<R>(
        &self,
        node: NodeId,
        use_: Use,
        request: &R,
        limit: Duration,
    ) -> Result<R::Response, ClientError>
    where
        R: Request + Clone + Send + Sync + 'static,
    {
        self.call_until(node, use_, request, limit, None).await
    }

    /// As [`Cluster::call_within`], of what may not be sent after a moment, if there is one: while a connection is made, or
    /// others are served, it passes.
    ///
    /// # Errors
    /// As [`Cluster::call`]; [`ClientError::TooLate`] where it had passed and nothing was sent.
    pub async fn call_until<R>(
        &self,
        node: NodeId,
        use_: Use,
        request: &R,
        limit: Duration,
        latest: Option<Instant>,
    ) -> Result<R::Response, ClientError>
    where
        R: Request + Clone + Send + Sync + 'static,
    {
        let address = self.address(node)?;
        self.lane(&address, Some(node), use_)
            .call(request, limit, latest)
            .await
    }

    /// Calls the controller: with KRaft any broker forwards, before it only the controller answers.
    ///
    /// # Errors
    /// As [`Cluster::call`]; without a known controller any broker is asked.
    pub async fn call_controller<R>(&self, request: &R) -> Result<R::Response, ClientError>
    where
        R: Request + Clone + Send + Sync + 'static,
    {
        let controller = lock(&self.0.book).controller;
        match controller {
            Some(node) => self.call(node, Use::Admin, request).await,
            None => self.call_any(Use::Admin, request).await,
        }
    }

    /// Whether some broker speaks a version of `R` that we speak too.
    ///
    /// # Errors
    /// `Unsupported`, or what dialling meets.
    pub async fn check_versions<R: Request>(&self) -> Result<(), ClientError> {
        let mut tried: Vec<ClientError> = Vec::new();
        for address in self.candidates() {
            match Box::pin(self.0.dialer.open(&address, None)).await {
                Ok(connection) => return connection.version::<R>().map(drop),
                Err(error) => tried.push(error),
            }
        }
        Err(ClientError::no_broker(&tried))
    }

    /// Makes a connection for nothing but to see how far that goes.
    pub async fn probe(&self, peer: &HostPort) -> Probe {
        Box::pin(self.0.dialer.probe(peer)).await
    }

    /// Addresses of all brokers in the newest metadata, as they advertise them.
    #[must_use]
    pub fn advertised(&self) -> Vec<(NodeId, HostPort)> {
        let book = lock(&self.0.book);
        let brokers = book.brokers.iter();
        brokers.map(|(node, at)| (*node, at.clone())).collect()
    }

    /// A connection of the caller's own to a broker.
    ///
    /// # Errors
    /// `UnknownNode`, or what dialling meets.
    pub async fn connect(&self, node: NodeId) -> Result<Connection, ClientError> {
        let address = self.address(node)?;
        Box::pin(self.0.dialer.open(&address, Some(node))).await
    }

    fn candidates(&self) -> Vec<HostPort> {
        let book = lock(&self.0.book);
        let mut candidates: Vec<HostPort> = book.good.iter().cloned().collect();
        for address in book
            .brokers
            .values()
            .chain(&self.0.dialer.config().bootstrap_servers)
        {
            if !candidates.contains(address) {
                candidates.push(address.clone());
            }
        }
        let doubted = book.doubted.as_ref().map(|(address, _)| address);
        // The first that seem well.
        let fails = |one: &HostPort| book.failing.contains(one) || self.0.dialer.is_away(one);
        candidates.sort_by_cached_key(|one| (fails(one), Some(one) == doubted));
        candidates
    }

    fn lane(&self, address: &HostPort, node: Option<NodeId>, use_: Use) -> Lane {
        lock(&self.0.lanes)
            .entry((address.clone(), use_))
            .or_insert_with(|| {
                Lane::start(&self.0.scope, &self.0.dialer, address, node, use_.name())
            })
            .clone()
    }

    /// A broker that left would keep its lane for ever.
    fn forget_unknown_lanes(&self) {
        let known = self.candidates();
        lock(&self.0.lanes).retain(|(address, _), _| known.contains(address));
        lock(&self.0.book)
            .failing
            .retain(|address| known.contains(address));
    }
}

/// How long a broker is waited for, round after round.
fn patience(candidates: usize, longest: Duration) -> Vec<Duration> {
    const FIRST: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(10)];
    let mut rounds: Vec<Duration> = Vec::new();
    if candidates > 1 {
        rounds.extend(FIRST.into_iter().filter(|limit| *limit < longest));
    }
    rounds.push(longest);
    rounds
}

type View = (Option<String>, BTreeMap<NodeId, HostPort>);

fn is_same(one: &View, other: &View) -> bool {
    match (&one.0, &other.0) {
        (Some(one), Some(other)) => one == other,
        _ => !one.1.is_empty() && one.1 == other.1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_broker_costs_little_while_there_are_others() {
        let seconds = |numbers: &[u64]| -> Vec<Duration> {
            numbers.iter().map(|n| Duration::from_secs(*n)).collect()
        };
        let check = |candidates, longest, expected: &[u64]| {
            let longest = Duration::from_secs(longest);
            assert_eq!(patience(candidates, longest), seconds(expected));
        };
        check(1, 30, &[30]);
        check(3, 30, &[3, 10, 30]);
        check(3, 5, &[3, 5]);
        check(3, 1, &[1]);
    }

    #[test]
    fn clusters_are_told_apart_by_their_ids_and_without_ids_by_their_brokers() {
        let view = |id: Option<&str>, brokers: &[(i32, &str)]| -> View {
            let address = |host: &str| HostPort {
                host: host.to_owned(),
                port: 9092,
            };
            let brokers = brokers.iter();
            let brokers = brokers.map(|(node, host)| (NodeId(*node), address(host)));
            (id.map(str::to_owned), brokers.collect())
        };
        let (one, two) = ([(1, "a"), (2, "b")], [(1, "a"), (3, "b")]);
        assert!(is_same(&view(Some("x"), &one), &view(Some("x"), &two)));
        assert!(!is_same(&view(Some("x"), &one), &view(Some("y"), &one)));
        assert!(is_same(&view(None, &one), &view(None, &one)));
        assert!(is_same(&view(None, &one), &view(Some("x"), &one)));
        assert!(!is_same(&view(None, &one), &view(None, &two)));
        assert!(!is_same(&view(None, &[]), &view(None, &[])));
    }
}
