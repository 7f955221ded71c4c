//! The task that makes a process one of several workers: what the group's topics say, what this worker was given, and
//! what it therefore runs.
//!
//! ```text
//!   config, status topic ── records ─▶ ┌───── Herder ─────┐ ─ start, stop ─▶ Host::run, one future per connector or task
//!   Member ── Lead, Assigned, Lost ──▶ │ Core: one owner  │ ◀─ started, ended
//!   requests, a tick ────────────────▶ └──────────────────┘ ─ Join, Leave ─▶ Member
//! ```
//!
//! Requests that read are answered from memory. Those that write go to the topic first, and what they say holds when it
//! is read back, here as on every other worker.
//!
//! Invariants:
//! * Nothing runs that this worker was not given, and nothing at all when it may be out of the group: its work is cut off
//!   before the coordinator can have given it to somebody else.
//! * What is given back has ended before the group is joined again.
//! * The loop never waits for a broker, a link or another worker.

mod absent;
mod behind;
mod catching_up;
mod core;
mod dealt;
mod fence;
mod handle;
mod instances;
mod lead;
mod rebalances;
mod shares;
mod show;
mod statuses;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::config::group::GroupConfig;
use ::config::variables::Variables;
use ::config::worker::WorkerConfig;
use kafka_client::Cluster;
use kafka_client::group::{GroupClient, GroupSettings};
use kafka_client::topic_log::TailRecord;
use kafka_wire::message::connect_protocol::PROTOCOL_TYPE;
use lifecycle::{OnFailure, Scope, StopSignal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::Config;
use crate::engine::{Handle, Stage};
use crate::host::{Host, LinkFailure, Pending, Probe};
use crate::loggers::Loggers;
use crate::membership::{Member, MemberEvent, Order};
use crate::refusal::Refusal;
use crate::status_record::Subject;
use crate::stores::{self, Reader, StatusWriter, StoreHandle, StoreOptions};

use self::core::Core;
pub use dealt::{Dealt, Moved};
pub use handle::GroupHandle;
pub use rebalances::Rebalances;
pub use show::{GroupView, Waiting};

/// Requests and events that may wait for the herder.
const QUEUE: usize = 256;
/// How often what runs is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long the topics may take to be read at start.
const STARTUP: Duration = Duration::from_secs(600);
/// What of a session is left when a worker that hears nothing stops its work.
const LEASE: f64 = 0.9;

/// What a worker asks of its leader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Submitted {
    /// To write task configurations: the body, a list of them.
    Tasks(String),
    /// To fence writers of tasks of before.
    Fence,
}

impl Submitted {
    /// What is signed.
    fn body(&self) -> &[u8] {
        match self {
            Self::Tasks(body) => body.as_bytes(),
            Self::Fence => &[],
        }
    }
}

/// Something for the leader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Submission {
    /// The leader's URL.
    pub url: String,
    /// The connector.
    pub connector: String,
    /// What is asked.
    pub asks: Submitted,
    /// Headers that say that it comes from a worker.
    pub headers: Vec<(&'static str, String)>,
}

/// Sends it; an error says why it was refused.
pub type Submit = Arc<dyn Fn(Submission) -> Pending<Result<(), String>> + Send + Sync>;

/// What a herder needs.
pub struct HerderOptions {
    /// `host:port` under which this worker is known.
    pub worker_id: String,
    /// The same as a URL, for other workers.
    pub url: String,
    /// The worker's own cluster.
    pub cluster: Cluster,
    /// The group.
    pub group: GroupConfig,
    /// Runs links.
    pub host: Arc<dyn Host>,
    /// The settings of the process.
    pub worker: WorkerConfig,
    /// What variables in configurations are replaced with.
    pub variables: Option<Variables>,
    /// Levels of logging.
    pub loggers: Loggers,
    /// Sends task configurations to the leader.
    pub submit: Submit,
    /// The version of the program.
    pub version: &'static str,
}

impl fmt::Debug for HerderOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HerderOptions")
            .field("worker_id", &self.worker_id)
            .finish_non_exhaustive()
    }
}

/// A request, with where its answer goes.
type Command = Box<dyn FnOnce(&mut Core) + Send>;

/// What the herder is told.
enum Event {
    /// Records of the config topic.
    Configs(Vec<TailRecord>),
    /// Records of the status topic.
    Statuses(Vec<TailRecord>),
    /// Everything that was in the topics at the start has been read.
    Read(Result<(), String>),
    /// What was to be caught up with before an assignment holds.
    CaughtUp(Result<(), String>),
    /// What was to be read before this leader decides.
    LeadAgain,
    /// A connector or task has started.
    Started(Subject, u64, Box<dyn Probe>),
    /// One has ended.
    Ended(Subject, u64, Result<(), LinkFailure>),
    /// Task configurations were written, or not.
    Submitted(String, Result<(), String>),
    /// A session key was written, or not.
    KeyWritten(Result<(), String>),
}

/// See the module.
pub struct Herder {
    core: Core,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Receiver<Event>,
    member: mpsc::Receiver<MemberEvent>,
    alive: watch::Receiver<Option<Instant>>,
    lease: Duration,
}

impl fmt::Debug for Herder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Herder").finish_non_exhaustive()
    }
}

/// What the parts of a herder share.
struct Links {
    events: mpsc::Sender<Event>,
    orders: mpsc::Sender<Order>,
    configs: StoreHandle,
    statuses: stores::StatusWriterHandle,
    submit: Submit,
}

impl Herder {
    /// Opens the group's topics, and begins to read them. Everything runs in scopes below `scope`.
    ///
    /// # Errors
    /// When a topic cannot be had, or is not as it has to be.
    pub async fn open(options: HerderOptions, scope: &Scope) -> Result<(Self, Handle), String> {
        let (commands, received) = mpsc::channel(QUEUE);
        let (events, reported) = mpsc::channel(QUEUE);
        let group = &options.group;
        // No child of `scope`: when everything is asked to stop, statuses are still to be written and the group to be left.
        // The herder stops it then.
        let stored = Scope::new("stores");
        let [config_topic, status_topic] = topics(group);
        let cluster = &options.cluster;
        let configs = follow(cluster, &config_topic, &events, Event::Configs, &stored).await?;
        let statuses = follow(cluster, &status_topic, &events, Event::Statuses, &stored).await?;
        let (writer, status_writer) = StatusWriter::new(statuses.clone());
        let stop = stored.stop_signal();
        stored.spawn("statuses", OnFailure::Report, writer.run(stop));
        let (orders, ordered) = mpsc::channel(4);
        let (member_events, member) = mpsc::channel(16);
        let (alive, lives) = watch::channel(None);
        let client = GroupClient::new(
            cluster.clone(),
            GroupSettings {
                group: group.id.clone(),
                protocol_type: PROTOCOL_TYPE,
                session_timeout: group.session_timeout,
                rebalance_timeout: group.rebalance_timeout,
            },
        );
        let beat = group.heartbeat_interval;
        let membership = Member::new(client, beat, ordered, member_events, alive);
        let stop = stored.stop_signal();
        stored.spawn("membership", OnFailure::Report, membership.run(stop));
        read_at_start(&stored, [configs.clone(), statuses], events.clone());
        let stage = watch::Sender::new(Stage::begun(
            "initializing and reading to the end of internal topics",
        ));
        let lease = group.session_timeout.mul_f64(LEASE);
        let links = Links {
            events,
            orders,
            configs: configs.clone(),
            statuses: status_writer.clone(),
            submit: Arc::clone(&options.submit),
        };
        let group_handle = GroupHandle::new(commands, configs, status_writer, stage.subscribe());
        let handle = Handle::of_group(group_handle, stage.subscribe(), &options);
        let core = Core::new(options, links, stage, stored, scope.child("links"));
        let herder = Self {
            core,
            commands: received,
            events: reported,
            member,
            alive: lives,
            lease,
        };
        Ok((herder, handle))
    }

    /// Serves until `stop` is requested; then everything ends in order, and the group is left.
    pub async fn run(mut self, stop: StopSignal) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut asked = true;
        loop {
            let alive = *self.alive.borrow_and_update();
            let lease = alive.map(|at| at + self.lease);
            let rejoin = self.core.rejoin_at();
            let now = Instant::now();
            // All branches are cancel-safe: receiving takes nothing unless it returns it. In this order: first whether
            // anything may run at all, then what was read, so that answers to requests know it.
            tokio::select! {
                biased;
                () = stop.requested() => break,
                () = sleep_until(lease.unwrap_or(now)), if lease.is_some() && self.core.is_member() => {
                    self.core.lease_is_over();
                }
                event = self.member.recv() => match event {
                    Some(event) => self.core.on_member(event),
                    None => break,
                },
                event = self.events.recv() => match event {
                    Some(event) => self.core.on(event, Instant::now()),
                    None => break,
                },
                changed = self.alive.changed() => {
                    // A new lease: the loop takes it up.
                    if changed.is_err() {
                        break;
                    }
                }
                command = self.commands.recv(), if asked => match command {
                    Some(command) => command(&mut self.core),
                    // Nobody will ask any more; links run on.
                    None => asked = false,
                },
                () = sleep_until(rejoin.unwrap_or(now)), if rejoin.is_some() => self.core.rejoin(),
                _ = look.tick() => self.core.tick(Instant::now()),
            }
        }
        // Whoever asks from now on hears that the worker is going away.
        self.commands.close();
        // Nobody waits for what is reported any more; it must not stand in the way of the end.
        self.events.close();
        self.member.close();
        self.core.shut_down().await;
    }
}

/// Reads everything that is there at the start.
fn read_at_start(scope: &Scope, stores: [StoreHandle; 2], events: mpsc::Sender<Event>) {
    scope.spawn("startup", OnFailure::Report, async move {
        let mut read = Ok(());
        for store in stores {
            if read.is_ok() {
                read = store.read_to_end(STARTUP).await;
            }
        }
        // The herder is gone only when the worker ends.
        drop(events.send(Event::Read(read)).await);
    });
}

/// The topics of configurations and of statuses.
fn topics(group: &GroupConfig) -> [StoreOptions; 2] {
    [
        StoreOptions {
            topic: group.config_topic.clone(),
            key: "config.storage.topic",
            purpose: "connector configurations",
            single: true,
        },
        StoreOptions {
            topic: group.status_topic.clone(),
            key: "status.storage.topic",
            purpose: "connector and task statuses",
            single: false,
        },
    ]
}

/// Opens a topic twice, to be read on and to be written, and begins to read it.
async fn follow(
    cluster: &Cluster,
    options: &StoreOptions,
    events: &mpsc::Sender<Event>,
    event: fn(Vec<TailRecord>) -> Event,
    scope: &Scope,
) -> Result<StoreHandle, String> {
    let opened = |error: stores::StoreError| error.to_string();
    let reads = stores::open(cluster, options).await.map_err(opened)?;
    let writes = stores::open(cluster, options).await.map_err(opened)?;
    let (reader, handle) = Reader::new(reads, writes, events.clone(), event);
    let name = format!("reader of {}", options.topic.name);
    scope.spawn(name, OnFailure::Report, reader.run(scope.stop_signal()));
    Ok(handle)
}

/// Everything that is configured by tasks of a connector, as it travels.
type TaskConfigs = Vec<Config>;

/// Writes task configurations so that they hold all at once: records, then the commit, each read back.
async fn write_tasks(store: &StoreHandle, name: &str, tasks: &TaskConfigs) -> Result<(), Refusal> {
    let mut records: Vec<_> = crate::config_state::task_records(name, tasks)
        .iter()
        .map(crate::config_record::encode)
        .collect();
    let commit = records.split_off(tasks.len());
    for part in [records, commit] {
        if part.is_empty() {
            continue;
        }
        write(store, &part).await?;
    }
    Ok(())
}

/// How long a change of the config topic may take, until it has been read back.
const WRITE: Duration = Duration::from_secs(30);

/// Writes records to the config topic, and waits until they have been read back.
async fn write(store: &StoreHandle, records: &[(String, Option<String>)]) -> Result<(), Refusal> {
    let failed = |error: String| {
        tracing::error!("the config topic cannot be written: {error}");
        Refusal::not_written()
    };
    match store.write(records, WRITE).await {
        Ok(()) => store.read_to_end(WRITE).await.map_err(failed),
        Err(error) if error.is_too_large() => {
            let largest = records
                .iter()
                .filter_map(|(_, value)| Some(value.as_ref()?.len()));
            Err(Refusal::bad(format!(
                "it takes {} bytes, which is more than a record of the config topic may have; make it smaller, or raise \
                 max.message.bytes of that topic",
                largest.max().unwrap_or(0)
            )))
        }
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Work of other workers, by member id, with where they are.
type Owners = BTreeMap<String, (String, crate::assignor::Work)>;
