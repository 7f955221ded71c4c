//! What the leader of a group does besides: it says who gets what, writes session keys, and buries what was deleted.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use kafka_wire::message::connect_protocol::{
    Assignment, AssignmentError, ConnectProtocol, WorkerState,
};
use lifecycle::OnFailure;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::absent::Absent;
use super::core::Core;
use super::dealt::Past;
use super::{Event, Owners, write};
use crate::assignor::{ByMember, Cooperative, Round, TaskKey, Work, assign_all};
use crate::config_record;
use crate::membership::Assignments;
use crate::signing::SessionKey;
use crate::state::State;
use crate::status_record::{Status, Subject};
use crate::stores::StatusWrite;

/// How long a leader that is behind reads before it says so.
const CATCH_UP: std::time::Duration = std::time::Duration::from_secs(3);

/// Milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// What is kept of leading.
pub(super) struct Leading {
    assignor: Cooperative,
    /// The last generation in which this worker was.
    pub(super) completed: i32,
    /// Who has what, as of the last decision.
    pub(super) owners: Owners,
    /// What nobody has until its worker is back, or the time is over.
    pub(super) waiting: Work,
    pub(super) waiting_until: Option<Instant>,
    absent: Absent,
    /// What decisions changed.
    pub(super) past: Past,
    pub(super) writing_key: bool,
    pending: Option<(PendingLead, bool)>,
    began: Instant,
}

/// A decision that the group waits for.
pub(super) struct PendingLead {
    pub(super) members: Vec<(String, Bytes)>,
    pub(super) member_id: String,
    pub(super) protocol: ConnectProtocol,
    pub(super) generation: i32,
    pub(super) reply: oneshot::Sender<Assignments>,
}

/// What all members are told alike.
struct OfAll {
    error: AssignmentError,
    config_offset: i64,
    delay_ms: i32,
}

impl Leading {
    pub(super) fn new(max_delay: i32) -> Self {
        Self {
            assignor: Cooperative::new(max_delay),
            completed: -1,
            owners: Owners::new(),
            waiting: Work::default(),
            waiting_until: None,
            absent: Absent::default(),
            past: Past::default(),
            writing_key: false,
            pending: None,
            began: Instant::now(),
        }
    }

    /// What was known of others does not hold any more.
    pub(super) fn forget(&mut self) {
        self.owners.clear();
        self.waiting = Work::default();
        self.waiting_until = None;
    }
}

impl Core {
    pub(super) fn is_signing(&self) -> bool {
        self.standing.protocol == Some(ConnectProtocol::Sessioned)
    }

    pub(super) fn lead(&mut self, pending: PendingLead) {
        self.leading.pending = Some((pending, false));
        self.lead_again();
    }

    /// Decides, if everything that some member has read has been read here too; reads it first otherwise, once.
    pub(super) fn lead_again(&mut self) {
        let Some((pending, has_read)) = self.leading.pending.take() else {
            return;
        };
        let states: Vec<(String, WorkerState)> = pending
            .members
            .iter()
            .map(|(member, bytes)| (member.clone(), state_of(member, bytes)))
            .collect();
        let most = states.iter().map(|(_, state)| state.config_offset).max();
        let most = most.unwrap_or(0);
        if self.config_offset < most && !has_read {
            let (configs, events) = (self.links.configs.clone(), self.links.events.clone());
            self.leading.pending = Some((pending, true));
            self.scope
                .spawn("leader catches up", OnFailure::Report, async move {
                    if let Err(error) = configs.read_to_end(CATCH_UP).await {
                        tracing::warn!("the leader is behind the group: {error}");
                    }
                    // The herder is gone only when the worker ends.
                    drop(events.send(Event::LeadAgain).await);
                });
            return;
        }
        let assignments = if self.config_offset < most {
            self.mismatch(&pending, &states, most)
        } else {
            self.decide(&pending, &states)
        };
        // Where the member has given up it joins again.
        drop(pending.reply.send(assignments));
    }

    fn mismatch(
        &self,
        pending: &PendingLead,
        states: &[(String, WorkerState)],
        offset: i64,
    ) -> Assignments {
        let all = OfAll {
            error: AssignmentError::ConfigMismatch,
            config_offset: offset,
            delay_ms: 0,
        };
        self.encode(pending, states, &all, |_| {
            (Work::default(), Work::default())
        })
    }

    fn configured(&self) -> Work {
        let mut configured = Work::default();
        for name in self.configs.names() {
            configured.connectors.push(name.to_owned());
            let count = u32::try_from(self.configs.tasks(name).len()).unwrap_or(u32::MAX);
            configured
                .tasks
                .extend((0..count).map(|task| TaskKey::new(name, task)));
        }
        configured
    }

    fn decide(&mut self, pending: &PendingLead, states: &[(String, WorkerState)]) -> Assignments {
        let configured = self.configured();
        let held: ByMember = states
            .iter()
            .map(|(member, state)| {
                let held = state.allocation.as_ref();
                let held = held.map(|held| Work::from_wire(&held.assigned));
                (member.clone(), held.unwrap_or_default())
            })
            .collect();
        let now = self.leading.began.elapsed().as_millis();
        let (given, revoked, delay) = if pending.protocol == ConnectProtocol::Eager {
            let members: Vec<String> = held.keys().cloned().collect();
            self.leading.waiting = Work::default();
            (assign_all(&configured, &members), ByMember::new(), 0)
        } else {
            let urls = states.iter().map(|(_, state)| state.url.clone());
            if !self.leading.absent.came(urls.collect()) {
                self.leading.assignor.misses_nobody();
            }
            let decision = self.leading.assignor.decide(&Round {
                configured: &configured,
                held: &held,
                last_generation: self.leading.completed,
                generation: pending.generation,
                // Never 0, which stands for no time.
                now: i64::try_from(now).unwrap_or(i64::MAX).saturating_add(1),
            });
            if decision.waiting.is_empty() {
                self.leading.absent.dealt();
            }
            self.leading.waiting = decision.waiting;
            (decision.given, decision.revoked, decision.delay)
        };
        let delay_ms = u64::try_from(delay).unwrap_or(0);
        self.leading.waiting_until =
            (delay_ms > 0).then(|| Instant::now() + std::time::Duration::from_millis(delay_ms));
        if !self.leading.waiting.is_empty() {
            tracing::warn!(
                waiting = %self.leading.waiting, delay_ms,
                "a worker was lost; its work waits for it, and is dealt to others then"
            );
        }
        let owners: Owners = states
            .iter()
            .map(|(member, state)| {
                let mut all = match pending.protocol {
                    ConnectProtocol::Eager => Work::default(),
                    _ => held[member].clone(),
                };
                all.add(&given.get(member).cloned().unwrap_or_default());
                let back = revoked.get(member).cloned().unwrap_or_default();
                (member.clone(), (state.url.clone(), all.without(&[&back])))
            })
            .collect();
        let before = std::mem::replace(&mut self.leading.owners, owners);
        let leading = &mut self.leading;
        let (past, after) = (&mut leading.past, &leading.owners);
        past.take(&before, after, pending.generation, now_ms());
        let all = OfAll {
            error: AssignmentError::None,
            config_offset: self.config_offset,
            delay_ms: delay,
        };
        let of = |member: &str| {
            let given = given.get(member).cloned().unwrap_or_default();
            (given, revoked.get(member).cloned().unwrap_or_default())
        };
        self.encode(pending, states, &all, of)
    }

    fn encode(
        &self,
        pending: &PendingLead,
        states: &[(String, WorkerState)],
        all: &OfAll,
        of: impl Fn(&str) -> (Work, Work),
    ) -> Assignments {
        let assignments = states.iter().filter_map(|(member, _)| {
            let (given, back) = of(member);
            let assignment = Assignment {
                error: all.error,
                leader: pending.member_id.clone(),
                leader_url: self.url.clone(),
                config_offset: all.config_offset,
                assigned: given.to_wire(),
                revoked: back.to_wire(),
                delay_ms: all.delay_ms,
            };
            match assignment.encode(pending.protocol) {
                Ok(bytes) => Some((member.clone(), bytes)),
                Err(error) => {
                    tracing::error!(member, "nothing can be assigned: {error}");
                    None
                }
            }
        });
        assignments.collect()
    }

    /// Writes a session key where one is due.
    pub(super) fn renew_key(&mut self) {
        if !self.is_leader() || !self.is_signing() || self.leading.writing_key {
            return;
        }
        let now = now_ms();
        let signing = &self.group.signing;
        if self
            .key
            .as_ref()
            .is_some_and(|key| !key.is_due(signing, now))
        {
            return;
        }
        self.stage("writing a new session key to the config topic".to_owned());
        self.leading.writing_key = true;
        let record = config_record::encode(&SessionKey::generate(signing, now).record());
        let (store, events) = (self.links.configs.clone(), self.links.events.clone());
        self.scope
            .spawn("session key", OnFailure::Report, async move {
                let written = write(&store, &[record]).await;
                let written = written.map_err(|refusal| refusal.to_string());
                // The herder is gone only when the worker ends.
                drop(events.send(Event::KeyWritten(written)).await);
            });
    }

    /// Deletes statuses of what is not there any more: after the round that took it from its owner, whose last word may
    /// have come after the deletion. What does not fit now is deleted after a later round.
    pub(super) fn bury(&self) {
        if !self.is_leader() {
            return;
        }
        self.give_up();
        for subject in self.statuses.keys() {
            let is_there = match subject {
                Subject::Connector(name) => self.configs.config(name).is_some(),
                Subject::Task(name, task) => (*task as usize) < self.configs.tasks(name).len(),
            };
            if !is_there {
                let write = StatusWrite::Record(subject.key(), None);
                let _ = self.links.statuses.leave(write);
            }
        }
        for (connector, topics) in &self.used {
            if self.configs.config(connector).is_none() {
                for used in topics.values() {
                    let write = StatusWrite::Record(used.record().0, None);
                    let _ = self.links.statuses.leave(write);
                }
            }
        }
    }

    /// Says of what waits for a worker that was lost that nobody runs it: the worker itself cannot.
    fn give_up(&self) {
        let waiting = &self.leading.waiting;
        let connectors = waiting.connectors.iter().cloned().map(Subject::Connector);
        let tasks = waiting.tasks.iter();
        let tasks = tasks.map(|key| Subject::Task(key.connector.clone(), key.task));
        for subject in connectors.chain(tasks) {
            let Some(lost) = self.statuses.get(&subject) else {
                continue;
            };
            if let Some(status) = given_up(lost, self.standing.generation) {
                let write = StatusWrite::Record(subject.key(), Some(status.value()));
                let _ = self.links.statuses.leave(write);
            }
        }
    }
}

/// What is said of something whose worker was lost, in this generation; nothing where its state does not depend on a worker.
fn given_up(lost: &Status, generation: i32) -> Option<Status> {
    let ran = matches!(lost.state, State::Running | State::Restarting);
    (ran && lost.generation <= generation).then(|| Status {
        state: State::Unassigned,
        trace: None,
        worker_id: lost.worker_id.clone(),
        generation,
    })
}

/// What a member says about itself; one that cannot be understood holds nothing.
fn state_of(member: &str, bytes: &Bytes) -> WorkerState {
    match WorkerState::decode(bytes.clone()) {
        Ok((_, state)) => state,
        Err(error) => {
            tracing::warn!(member, "{error}");
            WorkerState {
                url: String::new(),
                config_offset: 0,
                allocation: None,
            }
        }
    }
}
