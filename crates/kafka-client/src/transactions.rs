//! One transactional producer: its identity, its coordinator, and the ends of its transactions.
//!
//! ```text
//!   init ─▶ (announce ─▶ batches)* ─▶ end          what is written is in between, and not here
//! ```
//!
//! Invariants
//! - An identity is raised only from the one that is known: who was taken over is told so, and never takes back.
//! - Nothing is concluded from an answer that did not come. After any error but a refusal that can pass,
//!   [`TransactionalProducer::init`] comes next: it ends what is open one way or the other, and refuses what is still on
//!   its way.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use kafka_wire::error_code::{ErrorClass, ErrorCode};
use kafka_wire::message::add_partitions_to_txn::AddPartitionsToTxnRequest;
use kafka_wire::message::api_versions::ApiVersionsRequest;
use kafka_wire::message::end_txn::EndTxnRequest;
use kafka_wire::message::find_coordinator::{CoordinatorKind, FindCoordinatorRequest};
use kafka_wire::message::init_producer_id::InitProducerIdRequest;
use kafka_wire::message::{Request, Transaction, TransactionVersion};
use kafka_wire::types::{NodeId, PartitionId, ProducerIdentity, TopicName, TopicPartition};
use lifecycle::Backoff;
use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::cluster::{Cluster, Use};
use crate::error::ClientError;

/// How long a refusal that can pass is waited out: the coordinator writes markers meanwhile, or has just begun.
const LIMIT: Duration = Duration::from_secs(60);
/// The feature that says how transactions are dealt with, and its level from which epochs are per transaction.
const FEATURE: (&str, i16) = ("transaction.version", 2);

/// Why a step was not taken, or may not have been.
#[derive(Debug, Error)]
pub enum TransactionError {
    /// Another process has taken over.
    #[error(
        "transactional id {id} belongs to another process now ({what} was answered with {code})"
    )]
    Fenced {
        /// The transactional id.
        id: String,
        /// What was asked.
        what: &'static str,
        /// The answer.
        code: ErrorCode,
    },
    /// The coordinator refused.
    #[error("transactional id {id}: {what} was answered with {code}")]
    Refused {
        /// The transactional id.
        id: String,
        /// What was asked.
        what: &'static str,
        /// The answer.
        code: ErrorCode,
    },
    /// The outcome is not known.
    #[error("transactional id {id}: {cause}")]
    Client {
        /// The transactional id.
        id: String,
        /// What happened.
        cause: ClientError,
    },
}

/// See the module.
#[derive(Debug)]
pub struct TransactionalProducer {
    cluster: Cluster,
    id: String,
    timeout: Duration,
    version: TransactionVersion,
    identity: Option<ProducerIdentity>,
    coordinator: Option<NodeId>,
    /// Sequence numbers of partitions that it writes to through [`crate::topic_log`].
    sequences: HashMap<TopicPartition, i32>,
}

impl TransactionalProducer {
    /// A producer that has yet to be initialised. `timeout` is how long a transaction may be open.
    #[must_use]
    pub fn new(cluster: Cluster, id: String, timeout: Duration) -> Self {
        Self {
            cluster,
            id,
            timeout,
            version: TransactionVersion::Announced,
            identity: None,
            coordinator: None,
            sequences: HashMap::new(),
        }
    }

    /// The transactional id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// How transactions are dealt with, as of the last initialisation.
    #[must_use]
    pub fn version(&self) -> TransactionVersion {
        self.version
    }

    /// The identity that batches of the next transaction carry; `None` before the first initialisation.
    #[must_use]
    pub fn identity(&self) -> Option<ProducerIdentity> {
        self.identity
    }

    /// Takes the transactional id over or, later, raises the own epoch: no transaction is open then, and nothing that was sent
    /// before is carried out any more.
    ///
    /// `was_open` says that a transaction is known to have been open, and that its end was not asked for. A coordinator that
    /// has ended it because it took too long has raised the epoch by one. Another process would have raised it by two: by one to
    /// end what was open, and by one for itself. So the next epoch is still the own one.
    ///
    /// # Errors
    /// `Fenced` when another process has taken over since the last time.
    pub async fn init(&mut self, was_open: bool) -> Result<ProducerIdentity, TransactionError> {
        self.version = self.find_version().await?;
        let outcome = match self.init_from(self.identity).await {
            Err(TransactionError::Fenced { .. }) if was_open => {
                let timed_out = self.identity.map(|own| ProducerIdentity {
                    epoch: own.epoch.saturating_add(1),
                    ..own
                });
                self.init_from(timed_out).await
            }
            outcome => outcome,
        };
        let identity = outcome?;
        self.take(identity);
        Ok(identity)
    }

    async fn init_from(
        &mut self,
        current: Option<ProducerIdentity>,
    ) -> Result<ProducerIdentity, TransactionError> {
        let request = InitProducerIdRequest {
            transactional_id: Some(self.id.clone()),
            transaction_timeout_ms: i32::try_from(self.timeout.as_millis()).unwrap_or(i32::MAX),
            current,
        };
        let what = "InitProducerId";
        let answer = self
            .ask(what, &request, |answer| answer.error, Lost::AskAgain)
            .await?;
        let unusable = || self.refused(what, ErrorCode::UNKNOWN_SERVER_ERROR);
        answer.producer.ok_or_else(unusable)
    }

    /// Announces partitions, where that is asked for.
    ///
    /// # Errors
    /// When they are not, or that is not known.
    pub async fn announce(
        &mut self,
        partitions: &[TopicPartition],
    ) -> Result<(), TransactionError> {
        if self.version == TransactionVersion::EpochPerTransaction || partitions.is_empty() {
            return Ok(());
        }
        let mut topics: BTreeMap<TopicName, Vec<PartitionId>> = BTreeMap::new();
        for partition in partitions {
            let numbers = topics.entry(partition.topic.clone()).or_default();
            numbers.push(partition.partition);
        }
        let request = AddPartitionsToTxnRequest {
            transaction: self.transaction(),
            topics: topics.into_iter().collect(),
        };
        // Beside the one that failed the others were not tried.
        let error = |answer: &<AddPartitionsToTxnRequest as Request>::Response| {
            let outcomes = answer.topics.iter().flat_map(|(_, outcomes)| outcomes);
            let errors = outcomes.map(|outcome| outcome.error);
            let failed: Vec<ErrorCode> = errors.filter(|error| !error.is_none()).collect();
            let told = |error: &&ErrorCode| **error != ErrorCode::OPERATION_NOT_ATTEMPTED;
            let first = failed.iter().find(told).or(failed.first());
            first.copied().unwrap_or(ErrorCode::NONE)
        };
        self.ask("AddPartitionsToTxn", &request, error, Lost::Told)
            .await?;
        Ok(())
    }

    /// Commits what is open, or takes it back. Says the identity of the next transaction.
    ///
    /// # Errors
    /// Whether it was ended is not known then, unless it was refused.
    pub async fn end(&mut self, commit: bool) -> Result<ProducerIdentity, TransactionError> {
        let request = EndTxnRequest {
            transaction: self.transaction(),
            transaction_version: self.version,
            commit,
        };
        let answer = self
            .ask("EndTxn", &request, |answer| answer.error, Lost::Told)
            .await?;
        let identity = answer.next.unwrap_or(request.transaction.producer);
        self.take(identity);
        Ok(identity)
    }

    /// The next sequence number of a partition; it counts as used.
    pub(crate) fn sequence(&mut self, partition: &TopicPartition, records: i32) -> i32 {
        let next = self.sequences.entry(partition.clone()).or_insert(0);
        let sequence = *next;
        // 31 bits, as brokers count.
        *next = next.wrapping_add(records) & i32::MAX;
        sequence
    }

    fn take(&mut self, identity: ProducerIdentity) {
        if self.identity != Some(identity) {
            self.sequences.clear();
        }
        self.identity = Some(identity);
    }

    fn transaction(&self) -> Transaction {
        let nobody = ProducerIdentity { id: -1, epoch: -1 };
        Transaction {
            transactional_id: self.id.clone(),
            producer: self.identity.unwrap_or(nobody),
        }
    }

    async fn find_version(&self) -> Result<TransactionVersion, TransactionError> {
        let request = ApiVersionsRequest::default();
        let answer = self.cluster.call_any(Use::Metadata, &request).await;
        let answer = answer.map_err(|cause| self.client(cause))?;
        let mut features = answer.finalized_features.iter();
        let level = features.find(|feature| feature.name == FEATURE.0);
        Ok(
            match level.is_some_and(|level| level.max_level >= FEATURE.1) {
                true => TransactionVersion::EpochPerTransaction,
                false => TransactionVersion::Announced,
            },
        )
    }

    /// Asks the coordinator, again while it says that it will be able to answer.
    async fn ask<R>(
        &mut self,
        what: &'static str,
        request: &R,
        error: impl Fn(&R::Response) -> ErrorCode,
        lost: Lost,
    ) -> Result<R::Response, TransactionError>
    where
        R: Request + Clone + Send + Sync + 'static,
    {
        let deadline = Instant::now() + LIMIT;
        let mut backoff = Backoff::seeded(Duration::from_millis(5), Duration::from_millis(500));
        loop {
            let outcome = self.ask_once(request).await;
            let trouble = match outcome {
                Ok(answer) => match error(&answer) {
                    ErrorCode::NONE => return Ok(answer),
                    code if is_fenced(code) => {
                        let id = self.id.clone();
                        return Err(TransactionError::Fenced { id, what, code });
                    }
                    code if is_passing(code) => {
                        if code.class() == ErrorClass::RefreshCoordinator {
                            self.coordinator = None;
                        }
                        self.refused(what, code)
                    }
                    code => return Err(self.refused(what, code)),
                },
                Err(error) if lost == Lost::AskAgain => error,
                Err(error) => return Err(error),
            };
            let pause = backoff.next_delay();
            if Instant::now() + pause > deadline {
                return Err(trouble);
            }
            sleep(pause).await;
        }
    }

    async fn ask_once<R>(&mut self, request: &R) -> Result<R::Response, TransactionError>
    where
        R: Request + Clone + Send + Sync + 'static,
    {
        let node = match self.coordinator.take() {
            Some(node) => node,
            None => self.find_coordinator().await?,
        };
        let answer = self.cluster.call(node, Use::Transactions, request).await;
        let answer = answer.map_err(|cause| self.client(cause))?;
        self.coordinator = Some(node);
        Ok(answer)
    }

    async fn find_coordinator(&self) -> Result<NodeId, TransactionError> {
        let request = FindCoordinatorRequest {
            kind: CoordinatorKind::Transaction,
            key: self.id.clone(),
        };
        let deadline = Instant::now() + LIMIT;
        let mut backoff = Backoff::seeded(Duration::from_millis(50), Duration::from_millis(500));
        loop {
            let answer = self.cluster.call_any(Use::Transactions, &request).await;
            let found = answer.map_err(|cause| self.client(cause))?;
            if let Some(coordinator) = found.coordinator.filter(|_| found.error.is_none()) {
                return Ok(coordinator.node);
            }
            let pause = backoff.next_delay();
            if !is_passing(found.error) || Instant::now() + pause > deadline {
                return Err(self.refused("FindCoordinator", found.error));
            }
            sleep(pause).await;
        }
    }

    fn refused(&self, what: &'static str, code: ErrorCode) -> TransactionError {
        let id = self.id.clone();
        TransactionError::Refused { id, what, code }
    }

    fn client(&self, cause: ClientError) -> TransactionError {
        let id = self.id.clone();
        TransactionError::Client { id, cause }
    }
}

/// What follows when no answer comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lost {
    /// The same may be asked again: the answer to a repetition is the answer.
    AskAgain,
    /// Whoever asked is told.
    Told,
}

fn is_fenced(code: ErrorCode) -> bool {
    [
        ErrorCode::PRODUCER_FENCED,
        ErrorCode::INVALID_PRODUCER_EPOCH,
    ]
    .contains(&code)
}

/// Whether waiting, and asking who coordinates, is enough.
fn is_passing(code: ErrorCode) -> bool {
    code.is_retriable()
}
