//! When a connection is to be followed by a new one, and how that is made.
//!
//! Why not authenticate again in place (KIP-368): brokers may refuse that for some mechanisms, certificates cannot be
//! exchanged on an open connection at all, and a connection that fails half-way would take its answers with it. A new
//! connection beside the old one serves every case, and the old one works on until the new one is there.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use config::client::HostPort;
use kafka_wire::types::NodeId;
use rand::RngExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::dial::Dialer;
use super::frames::Limits;
use super::{Connection, Parts};
use crate::error::ClientError;

/// Longest and shortest pause after a successor could not be made.
const AGAIN: Duration = Duration::from_secs(5);
const AT_ONCE: Duration = Duration::from_millis(100);

/// Life of a connection whose credentials may change or end.
#[derive(Debug)]
pub struct Renewal {
    dialer: Arc<Dialer>,
    /// The generation it was made with.
    generation: u64,
    /// The newest generation that a successor was tried with.
    tried: u64,
    generations: watch::Receiver<u64>,
    /// When the successor is to be made, and when the session ends.
    session: Option<(Instant, Instant)>,
    not_before: Instant,
}

impl Renewal {
    /// `lifetime` is that of the session the broker has granted. The successor is made after 70 to 80 % of it, not at
    /// once for many connections, and earlier than Java's clients do: what has been sent has to be answered before the
    /// session ends, because a broker closes the connection at the first request that it reads after that.
    pub(super) fn new(
        dialer: Arc<Dialer>,
        generation: u64,
        generations: watch::Receiver<u64>,
        lifetime: Option<Duration>,
    ) -> Self {
        let now = Instant::now();
        let per_cent = rand::rng().random_range(70..=80_u32);
        Self {
            dialer,
            generation,
            tried: generation,
            generations,
            session: lifetime.map(|life| (now + life * per_cent / 100, now + life)),
            // Whatever a broker grants, it gets no endless row of handshakes.
            not_before: now + AT_ONCE,
        }
    }

    /// When a successor is wanted, as far as it is known; credentials that nobody has tried yet are wanted at once.
    fn wanted(&self) -> Option<Instant> {
        let newest = *self.generations.borrow();
        if newest != self.tried {
            return Some(Instant::now());
        }
        if newest != self.generation {
            return Some(self.not_before);
        }
        self.session.map(|(renew, _)| renew.max(self.not_before))
    }

    /// Whether it is time.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.wanted().is_some_and(|at| Instant::now() >= at)
    }

    /// Waits until it is time. Cancel-safe.
    pub async fn due(&mut self) {
        let wanted = self.wanted();
        let tried = self.tried;
        let generations = &mut self.generations;
        // The guard that `wait_for` gives must not live on in the future.
        let changed = async {
            generations
                .wait_for(|newest| *newest != tried)
                .await
                .is_ok()
        };
        tokio::select! {
            () = sleep_until(wanted.unwrap_or_else(Instant::now)), if wanted.is_some() => {}
            // Otherwise the cluster's handle is gone; its connections end with their owners.
            true = changed => {}
            else => std::future::pending().await,
        }
    }

    /// Tries again after a pause, which is short where the session is about to end, or with the next credentials.
    pub fn postpone(&mut self) {
        let now = Instant::now();
        self.tried = *self.generations.borrow();
        let pause = match self.session {
            Some((_, end)) if end > now => (end - now) / 4,
            _ => AGAIN,
        };
        self.not_before = now + pause.clamp(AT_ONCE, AGAIN);
    }
}

/// What is needed to make a successor, apart from the connection itself.
struct Heir {
    dialer: Arc<Dialer>,
    peer: HostPort,
    node: Option<NodeId>,
    limits: Limits,
}

type Opening = Pin<Box<dyn Future<Output = Result<Parts, ClientError>> + Send>>;

impl Heir {
    fn of(parts: &Parts) -> Option<Self> {
        Some(Self {
            dialer: Arc::clone(&parts.renewal.as_ref()?.dialer),
            peer: parts.peer.clone(),
            node: parts.node,
            limits: parts.reader.limits(),
        })
    }

    /// A new connection to the same broker, with the same limits.
    fn open(&self) -> Opening {
        let (dialer, peer) = (Arc::clone(&self.dialer), self.peer.clone());
        let (node, limits) = (self.node, self.limits.clone());
        Box::pin(async move {
            let mut parts = dialer.try_open(&peer, node).await?.into_parts()?;
            parts.reader.inherit(limits);
            Ok(parts)
        })
    }
}

/// The change from a pipelined connection to its successor: the new one is opened while the old one works; then no
/// more requests are sent, the old one's answers are awaited, and the new one takes over.
pub(crate) struct Succession {
    heir: Option<Heir>,
    opening: Option<Opening>,
    next: Option<Parts>,
}

impl Succession {
    /// For a connection that has been taken apart.
    pub(crate) fn of(parts: &Parts) -> Self {
        Self {
            heir: Heir::of(parts),
            opening: None,
            next: None,
        }
    }

    /// Whether the successor waits for the last answers.
    pub(crate) fn is_ready(&self) -> bool {
        self.next.is_some()
    }

    /// To be called when nothing is unanswered.
    pub(crate) fn take_over(&mut self, parts: &mut Parts) {
        if let Some(next) = self.next.take() {
            *parts = next;
        }
    }

    /// Waits for the next step of the change. Cancel-safe: what has been begun goes on with the next call.
    pub(crate) async fn progress(&mut self, renewal: &mut Option<Renewal>) {
        if let Some(opening) = &mut self.opening {
            match opening.await {
                Ok(parts) => self.next = Some(parts),
                Err(error) => said_later(&error, renewal.as_mut()),
            }
            self.opening = None;
            return;
        }
        match (renewal, &self.heir) {
            (Some(renewal), Some(heir)) if self.next.is_none() => {
                renewal.due().await;
                self.opening = Some(heir.open());
            }
            _ => std::future::pending().await,
        }
    }
}

/// The old connection goes on; should it end for the same reason, its owner is told.
fn said_later(error: &ClientError, renewal: Option<&mut Renewal>) {
    tracing::debug!(%error, "a connection cannot be renewed yet");
    if let Some(renewal) = renewal {
        renewal.postpone();
    }
}

impl Connection {
    /// To be called between two requests: where the connection's credentials have changed, or its session is about to
    /// end, a new connection takes its place. Says whether it did; where none can be made the old one goes on.
    pub async fn renew(&mut self) -> bool {
        if self.poisoned.is_some() || !self.parts.renewal.as_ref().is_some_and(Renewal::is_due) {
            return false;
        }
        let Some(heir) = Heir::of(&self.parts) else {
            return false;
        };
        match heir.open().await {
            Ok(parts) => {
                self.parts = parts;
                true
            }
            Err(error) => {
                said_later(&error, self.parts.renewal.as_mut());
                false
            }
        }
    }
}
