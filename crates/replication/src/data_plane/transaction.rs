//! The transaction of a data plane: when it begins, when it ends, and what doubt makes of it (pure).
//!
//! ```text
//!   Idle ── a batch, or positions alone ──▶ Open ── boundary ──▶ Ending ── all answered ──▶ Committing ──▶ Idle
//!     ▲                                      └───── doubt ──────────┴──────────┬────────────────┘
//!     └── positions are read again ◀── Renewing ◀── after a pause ── Spoilt ◀──┘          Renewing ──▶ Fenced
//! ```
//!
//! Invariants
//! - One step at a time is given out, and nothing is given out before its outcome is known.
//! - What was spoilt is never committed.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use kafka_wire::message::TransactionVersion;
use kafka_wire::types::{ProducerIdentity, TopicPartition};
use lifecycle::Backoff;
use tokio::time::Instant;

use crate::position_store::{StoreEntry, StoredLink};

/// What the coordinator, and the store, are asked for.
#[derive(Debug)]
pub(crate) enum Step {
    /// Partitions that batches are about to go to.
    Announce(Vec<TopicPartition>),
    /// Positions, and the end of the transaction.
    Commit(Vec<StoreEntry>),
    /// A new identity, and what is stored.
    Renew {
        /// Whether the transaction is known to have been open, and its end was not asked for.
        was_open: bool,
    },
}

/// What became of a step.
#[derive(Debug)]
pub(crate) enum StepOutcome {
    /// Batches may go there.
    Announced,
    /// It is committed; the next transaction has this identity.
    Committed(ProducerIdentity),
    /// What was open has been ended; this is what is stored.
    Renewed(ProducerIdentity, TransactionVersion, StoredLink),
    /// What became of it is not known, or it was refused.
    Failed(String),
    /// Another process has taken over.
    Fenced(String),
}

/// What is to be done now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    Announce(Vec<TopicPartition>),
    Commit,
    Renew { was_open: bool },
}

#[derive(Debug)]
enum State {
    Idle,
    /// `None` until the time is known.
    Open(Option<Instant>),
    Ending,
    Committing,
    Spoilt {
        until: Option<Instant>,
        was_open: bool,
    },
    Renewing,
    Fenced(String),
}

/// How a data plane writes in transactions.
#[derive(Clone, Debug)]
pub(crate) struct TransactionPlan {
    pub(crate) id: String,
    pub(crate) version: TransactionVersion,
    pub(crate) writer: ProducerIdentity,
    /// How long a transaction takes in batches.
    pub(crate) interval: Duration,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Transaction {
    plan: TransactionPlan,
    state: State,
    /// A step has been given out.
    busy: bool,
    announcing: Vec<TopicPartition>,
    announced: HashSet<TopicPartition>,
    to_announce: BTreeSet<TopicPartition>,
    /// Whether a batch of it was sent, and whether one was acknowledged.
    sent: bool,
    written: bool,
    /// Positions alone are to be stored.
    flush: bool,
    backoff: Backoff,
}

impl Transaction {
    pub(crate) fn new(plan: TransactionPlan) -> Self {
        Self {
            plan,
            state: State::Idle,
            busy: false,
            announcing: Vec::new(),
            announced: HashSet::new(),
            to_announce: BTreeSet::new(),
            sent: false,
            written: false,
            flush: false,
            backoff: Backoff::seeded(Duration::from_millis(50), Duration::from_secs(5)),
        }
    }

    /// Whose name is on batches now.
    pub(crate) fn writer(&self) -> ProducerIdentity {
        self.plan.writer
    }

    /// What Produce requests name.
    pub(crate) fn named(&self) -> (String, TransactionVersion) {
        (self.plan.id.clone(), self.plan.version)
    }

    /// Whether batches may be sent.
    pub(crate) fn is_usable(&self) -> bool {
        matches!(self.state, State::Idle | State::Open(_))
    }

    /// Whether partitions may begin: positions in memory are, or will be, what is stored.
    pub(crate) fn is_sound(&self) -> bool {
        match self.state {
            State::Idle | State::Open(_) | State::Ending | State::Committing => true,
            State::Spoilt { .. } | State::Renewing | State::Fenced(_) => false,
        }
    }

    /// Why nothing is written any more.
    pub(crate) fn fenced(&self) -> Option<&str> {
        match &self.state {
            State::Fenced(why) => Some(why),
            _ => None,
        }
    }

    /// Whether nothing is open and nothing is being done.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle | State::Fenced(_)) && !self.busy && !self.flush
    }

    /// Whether a batch may go to this partition now; if not, it may once that has been announced.
    pub(crate) fn takes(&mut self, partition: &TopicPartition) -> bool {
        if matches!(self.state, State::Idle) {
            self.state = State::Open(None);
        }
        let State::Open(_) = self.state else {
            return false;
        };
        let announces = self.plan.version == TransactionVersion::Announced;
        if announces && !self.announced.contains(partition) {
            self.to_announce.insert(partition.clone());
            return false;
        }
        self.sent = true;
        true
    }

    /// A batch of it was acknowledged.
    pub(crate) fn has_written(&mut self) {
        self.written = true;
    }

    /// It cannot be known what would be committed.
    pub(crate) fn spoil(&mut self) {
        match self.state {
            State::Idle | State::Open(_) | State::Ending => {
                let was_open = self.written || !self.announced.is_empty();
                self.state = State::Spoilt {
                    until: None,
                    was_open,
                };
            }
            State::Committing | State::Spoilt { .. } | State::Renewing | State::Fenced(_) => {}
        }
    }

    /// Positions are to be stored also where nothing is written.
    pub(crate) fn flush(&mut self) {
        if self.is_usable() {
            self.flush = true;
        }
    }

    /// It ends as soon as it can.
    pub(crate) fn end_now(&mut self) {
        if matches!(self.state, State::Open(_)) {
            self.state = State::Ending;
        }
    }

    /// When something is due by time alone.
    pub(crate) fn timer(&self) -> Option<Instant> {
        match self.state {
            State::Open(ends) if !self.busy => ends,
            State::Spoilt { until, .. } if !self.busy => until,
            _ => None,
        }
    }

    /// What is due. `drained` says that every batch that was sent has been answered, `waited_for` that a partition cannot
    /// go on before its position is stored.
    pub(crate) fn due(&mut self, now: Instant, drained: bool, waited_for: bool) -> Option<Due> {
        if let State::Open(ends) = &mut self.state
            // Announcing may take longer than a transaction does.
            && (ends.is_none() || !self.sent)
        {
            *ends = Some(now + self.plan.interval);
        }
        if self.busy {
            return None;
        }
        match self.state {
            State::Open(ends) => {
                if waited_for || ends.is_some_and(|ends| ends <= now) {
                    self.state = State::Ending;
                    return self.due(now, drained, waited_for);
                }
                if self.to_announce.is_empty() {
                    return None;
                }
                self.announcing = std::mem::take(&mut self.to_announce).into_iter().collect();
                self.busy = true;
                Some(Due::Announce(self.announcing.clone()))
            }
            State::Ending if drained => self.commit(),
            State::Idle if self.flush || waited_for => self.commit(),
            State::Spoilt { until: None, .. } => {
                // What is in memory is of no use; a pause keeps a lasting trouble from being repeated at once.
                let at = now + self.backoff.next_delay();
                if let State::Spoilt { until, .. } = &mut self.state {
                    *until = Some(at);
                }
                None
            }
            State::Spoilt {
                until: Some(until),
                was_open,
            } if until <= now => {
                self.state = State::Renewing;
                self.busy = true;
                Some(Due::Renew { was_open })
            }
            State::Idle
            | State::Ending
            | State::Committing
            | State::Spoilt { .. }
            | State::Renewing
            | State::Fenced(_) => None,
        }
    }

    fn commit(&mut self) -> Option<Due> {
        self.flush = false;
        self.to_announce.clear();
        self.state = State::Committing;
        self.busy = true;
        Some(Due::Commit)
    }

    /// There is nothing to commit after all: no position has moved.
    pub(crate) fn nothing_to_commit(&mut self) -> bool {
        let empty = !self.written && self.announced.is_empty();
        if empty {
            self.busy = false;
            self.state = State::Idle;
        }
        empty
    }

    /// Partitions were announced.
    pub(crate) fn on_announced(&mut self) {
        self.busy = false;
        self.announced.extend(self.announcing.drain(..));
    }

    /// It is committed, and the next one has this identity.
    pub(crate) fn on_committed(&mut self, writer: ProducerIdentity) {
        self.backoff.reset();
        self.begin(writer);
    }

    /// What was open has been ended, and the next one has this identity.
    pub(crate) fn on_renewed(&mut self, writer: ProducerIdentity, version: TransactionVersion) {
        self.plan.version = version;
        self.begin(writer);
    }

    fn begin(&mut self, writer: ProducerIdentity) {
        self.busy = false;
        self.state = State::Idle;
        self.announced.clear();
        self.to_announce.clear();
        self.sent = false;
        self.written = false;
        self.plan.writer = writer;
    }

    /// A step failed, or nobody knows.
    pub(crate) fn on_failed(&mut self) {
        self.busy = false;
        self.announcing.clear();
        let was_open = match self.state {
            // Its end may have been asked for.
            State::Committing | State::Renewing => false,
            State::Idle | State::Open(_) | State::Ending | State::Fenced(_) => {
                self.written || !self.announced.is_empty()
            }
            State::Spoilt { was_open, .. } => was_open,
        };
        if !matches!(self.state, State::Fenced(_)) {
            self.state = State::Spoilt {
                until: None,
                was_open,
            };
        }
    }

    /// Another process has taken over.
    pub(crate) fn on_fenced(&mut self, why: String) {
        self.busy = false;
        self.state = State::Fenced(why);
    }
}
