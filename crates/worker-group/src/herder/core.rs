//! The state of a worker in its group, with one owner: what was read, what was given, whether it is a member.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use config::group::{GroupConfig, GroupProtocol};
use config::worker::WorkerConfig;
use kafka_client::topic_log::TailRecord;
use kafka_wire::message::connect_protocol::{
    Assignment, AssignmentError, ConnectProtocol, WorkerState,
};
use lifecycle::{OnFailure, Scope};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::behind::Behind;
use super::instances::{Instance, Piece};
use super::lead::{Leading, PendingLead};
use super::rebalances::{Cause, Rebalances};
use super::shares::Dealing;
use super::{Event, HerderOptions, Links};
use crate::assignor::Work;
use crate::config_record::{self, ConfigRecord};
use crate::config_state::{Change, ConfigState};
use crate::engine::Stage;
use crate::host::Host;
use crate::loggers::Loggers;
use crate::membership::{MemberEvent, Order};
use crate::signing::SessionKey;
use crate::status_record::{Status, Subject, UsedTopic};

/// How long the group may take to let go at the end.
const LEAVING: Duration = Duration::from_secs(3);

/// See the module.
pub(super) struct Core {
    pub(super) worker_id: String,
    pub(super) url: String,
    pub(super) group: GroupConfig,
    pub(super) host: Arc<dyn Host>,
    pub(super) worker: WorkerConfig,
    pub(super) loggers: Loggers,
    pub(super) links: Links,
    pub(super) stage: watch::Sender<Stage>,
    pub(super) stores: Scope,
    pub(super) scope: Scope,
    // === what was read ===
    pub(super) configs: ConfigState,
    pub(super) config_offset: i64,
    pub(super) key: Option<SessionKey>,
    started: bool,
    pub(super) statuses: BTreeMap<Subject, Status>,
    /// When the status of each was written that brought it where it is.
    pub(super) since: BTreeMap<Subject, SystemTime>,
    /// Topics in use, by connector and name.
    pub(super) used: BTreeMap<String, BTreeMap<String, UsedTopic>>,
    // === the group ===
    pub(super) standing: Standing,
    pub(super) held: Work,
    pub(super) join: Join,
    /// Assignments hold: what was given may be started.
    pub(super) may_start: bool,
    rejoin_at: Option<Instant>,
    pub(super) rebalances: Rebalances,
    pub(super) leading: Leading,
    // === what runs ===
    pub(super) pieces: BTreeMap<Subject, Piece>,
    pub(super) instances: BTreeMap<Subject, Instance>,
    pub(super) dealing: BTreeMap<String, Dealing>,
    counter: u64,
}

/// What this worker is in its group.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Standing {
    pub(super) is_member: bool,
    pub(super) generation: i32,
    pub(super) member_id: String,
    pub(super) protocol: Option<ConnectProtocol>,
    pub(super) leader: String,
    pub(super) leader_url: String,
    /// The config offset of the newest assignment.
    pub(super) assigned_at: i64,
}

/// What is going on about joining.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Join {
    pub(super) wanted: Option<Cause>,
    pub(super) ordered: bool,
    /// What was ordered says that this worker holds what it has lost since.
    is_stale: bool,
    /// The leader was behind: once this worker has read everything, the group has to come together again.
    pub(super) after_catching_up: bool,
    /// That is being done.
    pub(super) catching_up: bool,
    /// Attempts to read what the group has read.
    pub(super) behind: Behind,
}

impl Core {
    pub(super) fn new(
        options: HerderOptions,
        links: Links,
        stage: watch::Sender<Stage>,
        stores: Scope,
        scope: Scope,
    ) -> Self {
        let delay = i32::try_from(options.group.max_delay.as_millis()).unwrap_or(i32::MAX);
        Self {
            worker_id: options.worker_id,
            url: options.url,
            group: options.group,
            host: options.host,
            worker: options.worker,
            loggers: options.loggers,
            links,
            stage,
            stores,
            scope,
            configs: ConfigState::default(),
            config_offset: 0,
            key: None,
            started: false,
            statuses: BTreeMap::new(),
            since: BTreeMap::new(),
            used: BTreeMap::new(),
            standing: Standing {
                generation: -1,
                ..Standing::default()
            },
            held: Work::default(),
            join: Join::default(),
            may_start: false,
            rejoin_at: None,
            rebalances: Rebalances::default(),
            leading: Leading::new(delay),
            pieces: BTreeMap::new(),
            instances: BTreeMap::new(),
            dealing: BTreeMap::new(),
            counter: 0,
        }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Says what is done; everything here is over at once.
    pub(super) fn stage(&self, text: String) {
        self.stage.send_replace(Stage::done(text));
    }

    pub(super) fn is_member(&self) -> bool {
        self.standing.is_member
    }

    pub(super) fn is_leader(&self) -> bool {
        self.standing.is_member && self.standing.leader == self.standing.member_id
    }

    /// Whether assignments are being made: what is known of owners may be old.
    pub(super) fn is_rebalancing(&self) -> bool {
        !self.standing.is_member || self.join.ordered || self.join.wanted.is_some()
    }

    pub(super) fn rejoin_at(&self) -> Option<Instant> {
        self.rejoin_at
    }

    pub(super) fn on(&mut self, event: Event, now: Instant) {
        match event {
            Event::Configs(records) => self.read_configs(records),
            Event::Statuses(records) => self.read_statuses(records),
            Event::Read(Ok(())) => {
                self.started = true;
                self.stage("initializing and reading to the end of internal topics".to_owned());
                self.want_join(Cause::Start);
            }
            Event::Read(Err(error)) => {
                tracing::error!("the topics of the group cannot be read: {error}; still trying");
                self.read_again();
            }
            Event::CaughtUp(outcome) => self.caught_up(outcome),
            Event::LeadAgain => self.lead_again(),
            Event::Started(subject, incarnation, probe) => {
                self.piece_started(&subject, incarnation, probe, now);
            }
            Event::Ended(subject, incarnation, outcome) => {
                self.piece_ended(&subject, incarnation, outcome, now);
                self.try_join();
            }
            Event::Submitted(name, outcome) => self.submitted(&name, outcome, now),
            Event::KeyWritten(outcome) => {
                self.leading.writing_key = false;
                if let Err(error) = outcome {
                    tracing::warn!("no session key could be written: {error}; still trying");
                }
            }
        }
    }

    fn read_again(&self) {
        let (configs, events) = (self.links.configs.clone(), self.links.events.clone());
        self.stores.spawn("startup", OnFailure::Report, async move {
            let read = configs.read_to_end(super::STARTUP).await;
            // The herder is gone only when the worker ends.
            drop(events.send(Event::Read(read)).await);
        });
    }

    // === what is read ===

    fn read_configs(&mut self, records: Vec<TailRecord>) {
        let before: Vec<String> = self.configs.names().map(str::to_owned).collect();
        let mut touched: Vec<String> = Vec::new();
        for record in records {
            self.config_offset = record.offset + 1;
            let Ok(key) = std::str::from_utf8(&record.key) else {
                continue;
            };
            match config_record::decode(key, record.value.as_deref()) {
                Ok(Some(record)) => touched.extend(self.read_config(record)),
                Ok(None) => {}
                Err(error) => tracing::warn!("{error}; it is passed over"),
            }
        }
        if self.configs.names().ne(before.iter().map(String::as_str)) {
            self.want_join(Cause::Connectors);
        }
        touched.sort();
        touched.dedup();
        for name in touched {
            self.reconcile_all(&name);
        }
        self.try_join();
    }

    /// Takes a record; which connector is to be looked at then.
    fn read_config(&mut self, record: ConfigRecord) -> Option<String> {
        match &record {
            ConfigRecord::SessionKey {
                key,
                algorithm,
                created,
            } => match SessionKey::read(key, algorithm, *created) {
                Some(key) => self.key = Some(key),
                None => tracing::warn!("a session key of the config topic cannot be read"),
            },
            // What was asked for before this worker came is over.
            ConfigRecord::Restart(name, request) if self.started => {
                self.restart_own(name, *request);
                return Some(name.clone());
            }
            ConfigRecord::Logger(name, level) if self.started => {
                if let Err(refusal) = self.loggers.set(name, level) {
                    tracing::warn!("the level {level} of {name} cannot be set: {refusal}");
                }
            }
            _ => {}
        }
        let name = match &record {
            ConfigRecord::Connector(name, _) | ConfigRecord::Commit(name, _) => name.clone(),
            _ => String::new(),
        };
        let (config, tasks) = (
            self.configs.config(&name).cloned(),
            self.configs.tasks(&name).to_vec(),
        );
        match self.configs.apply(record)? {
            Change::Connector(name) => {
                self.take_config(&name, config.as_ref());
                Some(name)
            }
            Change::Tasks(name) => {
                if self.configs.tasks(&name).len() != tasks.len() {
                    self.want_join(Cause::Tasks);
                }
                self.take_tasks(&name, &tasks);
                Some(name)
            }
            Change::Target(name) => {
                self.forget_failures(&name);
                Some(name)
            }
        }
    }

    // === joining ===

    pub(super) fn want_join(&mut self, cause: Cause) {
        if self.started {
            self.note_cause(cause);
            self.try_join();
        }
    }

    /// An assignment is wanted as soon as one can be had.
    fn note_cause(&mut self, cause: Cause) {
        self.rebalances.begin(cause, Instant::now());
        self.join.wanted.get_or_insert(cause);
    }

    pub(super) fn rejoin(&mut self) {
        self.rejoin_at = None;
        self.want_join(Cause::LostWork);
    }

    /// Joins, unless that is being done, or something that was given back has not ended yet.
    pub(super) fn try_join(&mut self) {
        // Whoever could not catch up stays out until that is done.
        if self.join.ordered || self.join.wanted.is_none() || self.join.behind.is_out() {
            return;
        }
        if self.standing.protocol == Some(ConnectProtocol::Eager) && !self.held.is_empty() {
            // This protocol has everything given back first.
            self.held = Work::default();
            self.may_start = false;
            self.reconcile_everything();
        }
        let given_back = |subject: &Subject| !self.holds(subject);
        if self.instances.keys().any(given_back) {
            return;
        }
        let protocols = match self.offers() {
            Ok(protocols) => protocols,
            Err(error) => {
                tracing::error!("this worker cannot join the group: {error}");
                return;
            }
        };
        let reason = self.join.wanted.take().map_or("", Cause::text).to_owned();
        self.stage("ensuring membership in the cluster".to_owned());
        let order = Order::Join { protocols, reason };
        // There is room: orders are given one at a time.
        if self.links.orders.try_send(order).is_ok() {
            self.join.ordered = true;
        }
    }

    fn offers(&self) -> Result<Vec<(String, bytes::Bytes)>, String> {
        let most = match self.group.protocol {
            GroupProtocol::Eager => ConnectProtocol::Eager,
            GroupProtocol::Compatible => ConnectProtocol::Compatible,
            GroupProtocol::Sessioned => ConnectProtocol::Sessioned,
        };
        let allocation = (!self.held.is_empty()).then(|| Assignment {
            error: AssignmentError::None,
            leader: self.standing.leader.clone(),
            leader_url: self.standing.leader_url.clone(),
            config_offset: self.standing.assigned_at,
            assigned: self.held.to_wire(),
            revoked: Vec::new(),
            delay_ms: 0,
        });
        let state = WorkerState {
            url: self.url.clone(),
            config_offset: self.config_offset,
            allocation,
        };
        ConnectProtocol::BY_PREFERENCE
            .into_iter()
            .filter(|protocol| *protocol <= most)
            .map(|protocol| {
                let bytes = state.encode(protocol).map_err(|error| error.to_string())?;
                Ok((protocol.name().to_owned(), bytes))
            })
            .collect()
    }

    pub(super) fn on_member(&mut self, event: MemberEvent) {
        match event {
            MemberEvent::Lead {
                members,
                member_id,
                protocol,
                generation,
                reply,
            } => self.lead(PendingLead {
                members,
                member_id,
                protocol,
                generation,
                reply,
            }),
            MemberEvent::Assigned {
                generation,
                member_id,
                protocol,
                assignment,
            } => self.assigned(generation, member_id, protocol, &assignment),
            MemberEvent::Rebalancing => {
                self.join.ordered = false;
                self.want_join(Cause::Group);
            }
            MemberEvent::Lost(why) => {
                self.join.ordered = false;
                self.join.is_stale = false;
                self.lose(&why);
                self.want_join(Cause::Membership);
            }
            MemberEvent::Trouble(why) => {
                tracing::warn!("the group cannot be joined now, and is tried again: {why}");
            }
        }
    }

    fn assigned(
        &mut self,
        generation: i32,
        member_id: String,
        protocol: ConnectProtocol,
        assignment: &Assignment,
    ) {
        self.join.ordered = false;
        if self.join.behind.is_out() {
            // It has left meanwhile.
            return;
        }
        if std::mem::take(&mut self.join.is_stale) {
            // It was made for what this worker held before it lost everything.
            return self.want_join(Cause::Membership);
        }
        if self
            .standing
            .protocol
            .is_some_and(|before| protocol < before)
        {
            tracing::warn!(
                "a worker that speaks less has joined the group, which falls back to {}{}",
                protocol.name(),
                match protocol {
                    ConnectProtocol::Sessioned => "",
                    _ =>
                        ": requests between workers are not signed any more, and whoever reaches this port can write \
                          task configurations",
                }
            );
        }
        self.standing = Standing {
            is_member: true,
            generation,
            member_id,
            protocol: Some(protocol),
            leader: assignment.leader.clone(),
            leader_url: assignment.leader_url.clone(),
            assigned_at: assignment.config_offset,
        };
        self.rebalances.end(Instant::now());
        self.leading.completed = generation;
        if assignment.error != AssignmentError::None {
            self.join.after_catching_up = true;
            return self.catch_up();
        }
        let (given, back) = (
            Work::from_wire(&assignment.assigned),
            Work::from_wire(&assignment.revoked),
        );
        if protocol == ConnectProtocol::Eager {
            self.held = given.clone();
        } else {
            self.held = self.held.without(&[&back]);
            self.held.add(&given);
        }
        self.rejoin_at = u64::try_from(assignment.delay_ms)
            .ok()
            .filter(|delay| *delay > 0)
            .map(|delay| Instant::now() + Duration::from_millis(delay));
        tracing::info!(
            generation,
            leader = self.standing.leader_url,
            given = %given,
            given_back = %back,
            holds = %self.held,
            delay_ms = assignment.delay_ms,
            "assigned"
        );
        if !back.is_empty() {
            self.note_cause(Cause::GivenBack);
        }
        self.compare_offsets(assignment.config_offset);
        self.reconcile_everything();
        self.bury();
        self.try_join();
    }

    /// Starts nothing before everything is read that the assignment was made from, nor when it is old already.
    fn compare_offsets(&mut self, assigned_at: i64) {
        match self.config_offset.cmp(&assigned_at) {
            std::cmp::Ordering::Less => {
                self.may_start = false;
                self.catch_up();
            }
            std::cmp::Ordering::Greater => {
                self.may_start = false;
                self.note_cause(Cause::Configurations);
            }
            std::cmp::Ordering::Equal => self.may_start = true,
        }
    }

    // === being out ===

    /// Nobody has said for so long that this worker is a member that it may be out: stop before others start.
    pub(super) fn lease_is_over(&mut self) {
        let silence = self.group.session_timeout.mul_f64(super::LEASE);
        self.lose(&format!("the coordinator has not answered for {silence:?}"));
        match self.join.ordered {
            true => self.join.is_stale = true,
            false => self.want_join(Cause::Membership),
        }
    }

    pub(super) fn lose(&mut self, why: &str) {
        if self.standing.is_member {
            tracing::warn!(
                holds = %self.held,
                "this worker may be out of the group, and stops all its work at once: {why}"
            );
        }
        self.standing.is_member = false;
        self.held = Work::default();
        self.may_start = false;
        self.rejoin_at = None;
        self.leading.forget();
        self.cut_off_everything();
    }

    /// Ends everything in order, and leaves the group.
    pub(super) async fn shut_down(&mut self) {
        self.stage("shutting down".to_owned());
        self.stop_everything().await;
        self.links.statuses.flush(LEAVING).await;
        let (done, left) = oneshot::channel();
        if self.links.orders.send(Order::Leave { done }).await.is_ok() {
            // Where it cannot be told the session ends by itself.
            let _ = tokio::time::timeout(LEAVING, left).await;
        }
        let report = self.stores.stop(LEAVING).await;
        tracing::debug!(?report, "the group was left");
    }
}
