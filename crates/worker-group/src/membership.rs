//! A worker's membership in its group: one task that joins, gives signs of life, and says what became of it.
//!
//! ```text
//!   herder ── Join with what it holds, Leave ──▶ Member ── Lead, Assigned, Rebalancing, Lost ──▶ herder
//!                                                  └ alive: until when nobody else can have been given our work
//! ```
//!
//! Invariants:
//! * Signs of life go on while the group is joined, which may take as long as the slowest member needs.
//! * `alive` moves only when the coordinator has answered, and by the time at which it was *asked*: its clock of our
//!   session cannot have begun earlier.
//!
//! Deliberately absent: what is assigned to whom (`assignor`), and what a worker does about it (`herder`).

use std::time::Duration;

use bytes::Bytes;
use kafka_client::group::{GroupClient, GroupError};
use kafka_wire::error_code::{ErrorClass, ErrorCode};
use kafka_wire::message::Membership;
use kafka_wire::message::connect_protocol::{Assignment, ConnectProtocol};
use kafka_wire::message::join_group::JoinGroupResponse;
use kafka_wire::types::NodeId;
use lifecycle::{Backoff, StopSignal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// Pause before a coordinator is asked again, first and longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// How long leaving may take.
const LEAVING: Duration = Duration::from_secs(2);

/// What the herder wants.
#[derive(Debug)]
pub(crate) enum Order {
    /// To take part in the next generation.
    Join {
        /// Protocols with what they say about this worker, the preferred first.
        protocols: Vec<(String, Bytes)>,
        /// Why, for the broker's log.
        reason: String,
    },
    /// To be out.
    Leave {
        /// Told when it is so, or cannot be had.
        done: oneshot::Sender<()>,
    },
}

/// What each member of a group gets, by member id.
pub(crate) type Assignments = Vec<(String, Bytes)>;

/// What became of it.
#[derive(Debug)]
pub(crate) enum MemberEvent {
    /// This worker leads, and has to say who gets what.
    Lead {
        /// Who came, with what each says about itself.
        members: Vec<(String, Bytes)>,
        /// This worker among them.
        member_id: String,
        /// The protocol that all speak.
        protocol: ConnectProtocol,
        /// The generation that is being made.
        generation: i32,
        /// Where the answer goes.
        reply: oneshot::Sender<Assignments>,
    },
    /// The new generation, and what it brings.
    Assigned {
        /// Its number.
        generation: i32,
        /// This worker.
        member_id: String,
        /// The protocol that all speak.
        protocol: ConnectProtocol,
        /// What to take and to give back.
        assignment: Assignment,
    },
    /// Others join: this worker has to, too.
    Rebalancing,
    /// It is no member any more. What it held may be given to others at once.
    Lost(String),
    /// It cannot join; why, and that it is tried again.
    Trouble(String),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Member {
    client: GroupClient,
    heartbeat: Duration,
    orders: mpsc::Receiver<Order>,
    events: mpsc::Sender<MemberEvent>,
    alive: watch::Sender<Option<Instant>>,
    coordinator: Option<NodeId>,
    membership: Membership,
    /// The herder knows that it has to join again.
    told: bool,
    next_beat: Instant,
}

/// What ended an attempt to join.
enum Joining {
    Done,
    /// Again, after a pause, with the same words.
    Again(String),
    /// The herder has to begin anew.
    Over,
    Leave(oneshot::Sender<()>),
}

impl Member {
    pub(crate) fn new(
        client: GroupClient,
        heartbeat: Duration,
        orders: mpsc::Receiver<Order>,
        events: mpsc::Sender<MemberEvent>,
        alive: watch::Sender<Option<Instant>>,
    ) -> Self {
        Self {
            client,
            heartbeat,
            orders,
            events,
            alive,
            coordinator: None,
            membership: Membership::NONE,
            told: false,
            next_beat: Instant::now(),
        }
    }

    /// Serves until `stop` is requested or the herder is gone.
    pub(crate) async fn run(mut self, stop: StopSignal) {
        // The herder has it leave before it ends.
        stop.unless_requested(self.serve()).await;
    }

    async fn serve(&mut self) {
        loop {
            let is_member =
                !self.membership.member_id.is_empty() && self.membership.generation >= 0;
            // Both are cancel-safe.
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    None => return,
                    Some(Order::Leave { done }) => self.leave(done).await,
                    Some(Order::Join { protocols, reason }) => self.join(&protocols, &reason).await,
                },
                () = sleep_until(self.next_beat), if is_member => self.beat().await,
            }
        }
    }

    /// Says something to the herder; where it is gone, nobody has to know.
    async fn say(&self, event: MemberEvent) {
        drop(self.events.send(event).await);
    }

    fn lives(&self, asked: Instant) {
        self.alive.send_replace(Some(asked));
    }

    async fn lose(&mut self, error: GroupError) {
        self.membership = after(&self.membership, error.code());
        self.alive.send_replace(None);
        self.say(MemberEvent::Lost(error.to_string())).await;
    }

    /// Who coordinates, asked where it is not known.
    async fn coordinator(&mut self) -> Result<NodeId, GroupError> {
        match self.coordinator {
            Some(node) => Ok(node),
            None => Ok(*self
                .coordinator
                .insert(self.client.find_coordinator().await?)),
        }
    }

    // === signs of life ===

    async fn beat(&mut self) {
        let asked = Instant::now();
        self.next_beat = asked + self.heartbeat;
        let member = self.membership.clone();
        let outcome = match self.coordinator().await {
            Ok(node) => self.client.heartbeat(node, &member).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => self.lives(asked),
            Err(error) => self.missed(error, asked).await,
        }
    }

    async fn missed(&mut self, error: GroupError, asked: Instant) {
        match error.code() {
            Some(ErrorCode::REBALANCE_IN_PROGRESS) => {
                self.lives(asked);
                if !std::mem::replace(&mut self.told, true) {
                    self.say(MemberEvent::Rebalancing).await;
                }
            }
            Some(code) if code.class() == ErrorClass::Rejoin => self.lose(error).await,
            _ => {
                if error.is_coordinator_unknown() {
                    self.coordinator = None;
                }
                tracing::debug!("no sign of life reached the group: {error}");
                // Soon again: until then it is not known whether this worker is a member.
                self.next_beat = Instant::now() + (self.heartbeat / 4).min(RETRY.1);
            }
        }
    }

    // === joining ===

    async fn join(&mut self, protocols: &[(String, Bytes)], reason: &str) {
        self.told = false;
        let mut backoff = Backoff::seeded(RETRY.0, RETRY.1);
        let mut said = false;
        loop {
            match self.attempt(protocols, reason).await {
                Joining::Done | Joining::Over => return,
                Joining::Leave(done) => return self.leave(done).await,
                Joining::Again(why) => {
                    if !std::mem::replace(&mut said, true) {
                        self.say(MemberEvent::Trouble(why)).await;
                    }
                }
            }
            let pause = sleep(backoff.next_delay());
            // Cancel-safe; another order to join says nothing new.
            tokio::select! {
                () = pause => {}
                order = self.orders.recv() => match order {
                    Some(Order::Leave { done }) => return self.leave(done).await,
                    Some(Order::Join { .. }) => {}
                    None => return,
                },
            }
        }
    }

    async fn attempt(&mut self, protocols: &[(String, Bytes)], reason: &str) -> Joining {
        let node = match self.coordinator().await {
            Ok(node) => node,
            Err(error) => return Joining::Again(error.to_string()),
        };
        let client = self.client.clone();
        let member_id = self.membership.member_id.clone();
        let joining = client.join(node, &member_id, protocols.to_vec(), reason);
        let joined = match self.beating(node, joining).await {
            Ok(Ok(joined)) => joined,
            Ok(Err(error)) => return self.not_joined(error).await,
            Err(left) => return left,
        };
        self.lives(Instant::now());
        self.membership = Membership {
            generation: joined.generation,
            member_id: joined.member_id.clone(),
            instance_id: None,
        };
        let name = joined.protocol.clone().unwrap_or_default();
        let Some(protocol) = ConnectProtocol::from_name(&name) else {
            return Joining::Again(format!("the group speaks {name}, which is not known here"));
        };
        let assignments = match self.lead(&joined, protocol, node).await {
            Ok(assignments) => assignments,
            Err(left) => return left,
        };
        let member = self.membership.clone();
        let syncing = client.sync(node, &member, &name, assignments);
        let bytes = match self.beating(node, syncing).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => return self.not_joined(error).await,
            Err(left) => return left,
        };
        self.lives(Instant::now());
        self.next_beat = Instant::now() + self.heartbeat;
        match Assignment::decode(bytes) {
            Ok((_, assignment)) => {
                self.say(MemberEvent::Assigned {
                    generation: joined.generation,
                    member_id: joined.member_id,
                    protocol,
                    assignment,
                })
                .await;
                Joining::Done
            }
            Err(error) => Joining::Again(error.to_string()),
        }
    }

    /// Has the herder decide, where this worker leads.
    async fn lead(
        &mut self,
        joined: &JoinGroupResponse,
        protocol: ConnectProtocol,
        node: NodeId,
    ) -> Result<Assignments, Joining> {
        if joined.leader != joined.member_id {
            return Ok(Vec::new());
        }
        let (reply, decided) = oneshot::channel();
        let members = joined.members.iter();
        let lead = MemberEvent::Lead {
            members: members
                .map(|member| (member.member_id.clone(), member.metadata.clone()))
                .collect(),
            member_id: joined.member_id.clone(),
            protocol,
            generation: joined.generation,
            reply,
        };
        self.say(lead).await;
        match self.beating(node, decided).await? {
            Ok(assignments) => Ok(assignments),
            Err(_) => Err(Joining::Again("nobody decided who gets what".to_owned())),
        }
    }

    async fn not_joined(&mut self, error: GroupError) -> Joining {
        match error.code() {
            Some(ErrorCode::REBALANCE_IN_PROGRESS) => {
                self.told = true;
                self.say(MemberEvent::Rebalancing).await;
                Joining::Over
            }
            Some(code) if code.class() == ErrorClass::Rejoin => {
                if self.membership.member_id.is_empty() {
                    return Joining::Again(error.to_string());
                }
                self.lose(error).await;
                Joining::Over
            }
            _ => {
                if error.is_coordinator_unknown() {
                    self.coordinator = None;
                }
                Joining::Again(error.to_string())
            }
        }
    }

    /// Waits for something that takes as long as other members need, with signs of life meanwhile.
    async fn beating<T>(
        &mut self,
        node: NodeId,
        waiting: impl Future<Output = T>,
    ) -> Result<T, Joining> {
        tokio::pin!(waiting);
        let member = self.membership.clone();
        let is_member = !member.member_id.is_empty() && member.generation >= 0;
        let client = self.client.clone();
        loop {
            // The first is kept alive over all rounds; the others are cancel-safe.
            tokio::select! {
                biased;
                done = &mut waiting => return Ok(done),
                order = self.orders.recv() => match order {
                    Some(Order::Leave { done }) => return Err(Joining::Leave(done)),
                    // The same words: it is already being done.
                    Some(Order::Join { .. }) => {}
                    None => return Err(Joining::Over),
                },
                () = sleep_until(self.next_beat), if is_member => {
                    let asked = Instant::now();
                    self.next_beat = asked + self.heartbeat;
                    let beat = client.heartbeat(node, &member);
                    let outcome = tokio::select! {
                        biased;
                        done = &mut waiting => return Ok(done),
                        outcome = beat => outcome,
                    };
                    match outcome {
                        Ok(()) => self.lives(asked),
                        Err(error) if error.code() == Some(ErrorCode::REBALANCE_IN_PROGRESS) => {
                            self.lives(asked);
                        }
                        // Another broker may be asked for the group by now, and this one never answer.
                        Err(error) if error.is_coordinator_unknown() => {
                            self.coordinator = None;
                            return Err(Joining::Again(error.to_string()));
                        }
                        // The answer to what is waited for says what is wrong.
                        Err(_) => {}
                    }
                }
            }
        }
    }

    // === leaving ===

    async fn leave(&mut self, done: oneshot::Sender<()>) {
        let member_id = std::mem::take(&mut self.membership.member_id);
        self.membership = Membership::NONE;
        if let (Some(node), false) = (self.coordinator, member_id.is_empty()) {
            let leaving = self.client.leave(node, &member_id, "the worker stops");
            match tokio::time::timeout(LEAVING, leaving).await {
                Ok(Ok(())) => tracing::debug!("left the group"),
                Ok(Err(error)) => tracing::debug!("the group was not told: {error}"),
                Err(_) => tracing::debug!("the group was not told within {LEAVING:?}"),
            }
        }
        self.alive.send_replace(None);
        // Whoever asked may have gone.
        let _ = done.send(());
    }
}

/// What is left of a membership when the coordinator does not accept it. Whoever it knows goes on under its name, as in Connect:
/// a group that misses a member keeps that one's work for it.
fn after(membership: &Membership, code: Option<ErrorCode>) -> Membership {
    let mut left = Membership::NONE;
    // It knows the member, and only the generation was another one.
    if code == Some(ErrorCode::ILLEGAL_GENERATION) {
        left.member_id.clone_from(&membership.member_id);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_the_coordinator_knows_keeps_its_name() {
        let member = Membership {
            generation: 7,
            member_id: "connect-1".to_owned(),
            instance_id: None,
        };
        for (code, name) in [
            (ErrorCode::ILLEGAL_GENERATION, "connect-1"),
            (ErrorCode::UNKNOWN_MEMBER_ID, ""),
        ] {
            let left = after(&member, Some(code));
            assert_eq!((left.member_id.as_str(), left.generation), (name, -1));
        }
    }
}
