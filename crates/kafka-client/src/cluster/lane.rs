//! One connection for one use, shared by many callers: requests are served one after the other, as
//! the broker does it anyway.
//!
//! The connection is opened by the first request, given up when idle, and dialled anew after any
//! error.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use config::client::HostPort;
use kafka_wire::message::{ApiKey, EncodeError, Request, VersionRange};
use kafka_wire::types::NodeId;
use lifecycle::{OnFailure, Scope};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use crate::connection::{Connection, Dialer};
use crate::error::ClientError;

/// Requests that may wait in a lane; more callers wait before it.
const QUEUE: usize = 64;

type Encode = Box<dyn FnOnce(i16, &mut BytesMut) -> Result<(), EncodeError> + Send>;

struct Job {
    api: ApiKey,
    own: VersionRange,
    encode: Encode,
    limit: Duration,
    not_after: Option<Instant>,
    reply: oneshot::Sender<Result<(i16, Bytes), ClientError>>,
}

/// Handle to a lane; the lane ends with its last handle.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    /// Boxed: a channel has room for thirty-two from the beginning, and mostly there is none.
    jobs: mpsc::Sender<Box<Job>>,
    peer: HostPort,
    /// Bytes that have come over its connections.
    received: Arc<AtomicU64>,
}

impl Lane {
    pub(super) fn start(
        scope: &Scope,
        dialer: &Arc<Dialer>,
        peer: &HostPort,
        node: Option<NodeId>,
        name: &str,
    ) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let received = Arc::<AtomicU64>::default();
        let worker = Worker {
            received: Arc::clone(&received),
            dialer: Arc::clone(dialer),
            peer: peer.clone(),
            node,
            connection: None,
        };
        let stop = scope.stop_signal();
        scope.spawn(
            format!("lane {name} {peer}"),
            OnFailure::Report,
            async move {
                // Dropping the worker mid-request is fine: its connection goes with it.
                stop.unless_requested(worker.run(queue)).await;
            },
        );
        Self {
            jobs,
            peer: peer.clone(),
            received,
        }
    }

    pub(super) async fn call<R>(
        &self,
        request: &R,
        limit: Duration,
        not_after: Option<Instant>,
    ) -> Result<R::Response, ClientError>
    where
        R: Request + Clone + Send + Sync + 'static,
    {
        let request = request.clone();
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Job {
            api: R::API,
            own: request.versions(),
            encode: Box::new(move |version, out| request.encode(version, out)),
            limit,
            not_after,
            reply,
        });
        self.jobs
            .send(job)
            .await
            .map_err(|_| ClientError::Stopping)?;
        // The lane's own limit begins when the request is sent. Behind others that hang nobody waits longer than that; while some
        // answer is coming, ours or one in front of it, nothing hangs.
        let answered = self.while_coming(limit, answer).await;
        let answered = answered.ok_or_else(|| ClientError::no_answer(&self.peer, R::API, limit))?;
        let (version, body) = answered.map_err(|_| ClientError::Stopping)??;
        R::decode(version, body).map_err(|cause| ClientError::Decode {
            peer: self.peer.clone(),
            cause,
        })
    }

    /// Waits as long as something comes, and no longer than `limit` where nothing does.
    async fn while_coming<T>(
        &self,
        limit: Duration,
        mut answer: impl Future<Output = T> + Unpin,
    ) -> Option<T> {
        loop {
            let before = self.received.load(Ordering::Relaxed);
            let answered = timeout(limit, &mut answer).await;
            if answered.is_ok() || self.received.load(Ordering::Relaxed) == before {
                return answered.ok();
            }
        }
    }
}

struct Worker {
    received: Arc<AtomicU64>,
    dialer: Arc<Dialer>,
    peer: HostPort,
    node: Option<NodeId>,
    connection: Option<Connection>,
}

impl Worker {
    async fn run(mut self, mut queue: mpsc::Receiver<Box<Job>>) {
        loop {
            let job = match timeout(self.dialer.config().connections_max_idle, queue.recv()).await {
                Ok(Some(job)) => job,
                Ok(None) => return,
                Err(_) => {
                    self.connection = None;
                    continue;
                }
            };
            let Job {
                api,
                own,
                encode,
                limit,
                not_after,
                mut reply,
            } = *job;
            // Whoever asked has given up while others were served.
            if reply.is_closed() {
                continue;
            }
            let outcome = tokio::select! {
                // Boxed: most of the time a lane serves nobody, and a process may have ten thousand.
                outcome = Box::pin(self.serve(api, own, encode, limit, not_after)) => outcome,
                // Nobody waits any more; the connection is in doubt and is dialled anew.
                () = reply.closed() => {
                    self.connection = None;
                    continue;
                }
            };
            if self.connection.as_ref().is_some_and(|c| !c.is_usable()) {
                self.connection = None;
            }
            // The caller may have gone in this very moment; there is nobody to tell.
            drop(reply.send(outcome));
        }
    }

    async fn serve(
        &mut self,
        api: ApiKey,
        own: VersionRange,
        encode: Encode,
        limit: Duration,
        not_after: Option<Instant>,
    ) -> Result<(i16, Bytes), ClientError> {
        let connection = match &mut self.connection {
            Some(connection) => {
                connection.renew().await;
                connection
            }
            None => {
                let mut connection = Box::pin(self.dialer.open(&self.peer, self.node)).await?;
                connection.count_received(Arc::clone(&self.received));
                self.connection.insert(connection)
            }
        };
        let version = connection.versions().choose(&self.peer, api, own)?;
        // As late as can be: waiting in the queue and dialling are behind.
        if not_after.is_some_and(|latest| Instant::now() > latest) {
            return Err(ClientError::TooLate {
                peer: self.peer.clone(),
                api,
            });
        }
        let body = connection
            .exchange(api, version, |out| encode(version, out), limit)
            .await?;
        Ok((version, body))
    }
}
