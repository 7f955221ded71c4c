//! The loop of the data plane: select → event → core, then hand out the work the core has.
//!
//! The loop itself never waits for another task: orders and calls go into channels that have room by
//! construction (one order per fetcher, a few calls per lane), everything slow is a task that
//! reports.

mod again;
mod connections;
mod happened;
mod owning;
mod placing;
mod settings;
mod storing;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use config::bandwidth::Bandwidth;
use config::link::{FetchSettings, LinkConfig, ProduceSettings};
use kafka_client::produce_lane::{ProduceCall, ProduceEvent};
use kafka_client::{Buffers, ClientError, Cluster};
use kafka_wire::types::{NodeId, TopicName, TopicPartition};
use lifecycle::{Failure, OnFailure, Scope, StopSignal};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use self::connections::{Ends, Lane};
use self::happened::Happened;
use super::core::{
    Answer, AsideOrder, Assignment, Channel, Core, Established, FetchOrder, FillGap, Filled, Index,
    LaneId, Located, LookOrder, Looked, NotResumed, Watched,
};
use super::establish::establish;
use super::fetcher::FetchEvent;
use super::locate::locate;
use super::memory::BrokerMemory;
use super::partition::Stop;
use super::quarantine::{AsideTrouble, Quarantine};
use super::status::Snapshot;
use super::transact::Transactions;
use super::transaction::StepOutcome;
use crate::clock::{Moment, wall_ms};
use crate::origin::{Origins, Registrar};
use crate::position_store::service::StoreEvent;
use crate::position_store::{Ownership, PositionStore};

use owning::Look;
use storing::{Keeper, StoreLane};

/// Events that may wait for the loop.
const EVENTS: usize = 256;
/// How often the source's ends are read.
const ENDS_INTERVAL: Duration = Duration::from_secs(1);
/// At rest only every so many times.
const ENDS_AT_REST: u32 = 2;
/// How often the snapshot is made, where anything has happened since.
const STATUS_INTERVAL: Duration = Duration::from_millis(500);
/// How often positions are stored, or more often where the configuration says so.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// How often logs are looked at where offsets are preserved, or more seldom where topics are.
const WATCH_INTERVAL: Duration = Duration::from_secs(5);
/// How often settings of topics are looked at that refused something.
const REFUSALS_INTERVAL: Duration = Duration::from_secs(5);
/// A standstill of this process after which another one may have taken over: the timers of the loop are far below.
const PAUSED: Duration = Duration::from_secs(4);
/// One after which it is asked whether another one has.
const BRIEFLY_PAUSED: Duration = Duration::from_millis(1500);
/// How long a stop waits for answers to what is on its way.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);
/// How long a stop may take to store positions.
const FLUSH_LIMIT: Duration = Duration::from_millis(2500);

/// What a data plane needs.
#[derive(Debug)]
pub struct Options {
    /// Where it reads.
    pub source: Cluster,
    /// Where it writes.
    pub destination: Cluster,
    /// Where positions go.
    pub store: PositionStore,
    /// Memory for record data.
    pub buffers: Buffers,
    /// How much it may read, as it is changed while it runs.
    pub limit: watch::Receiver<Option<Bandwidth>>,
    /// Upper bound of the time between two storings of positions.
    pub flush_interval: Duration,
    /// Told when a broker does not know a topic.
    pub topics_in_doubt: Arc<Notify>,
    /// Tells copies of other links from records that are to be copied; without it all are.
    pub origins: Option<Origins>,
    /// Registers the producers that are written with; without it nobody does.
    pub registrar: Option<Registrar>,
    /// Whether other streams of the link write to the same partitions.
    pub shared: bool,
    /// How it writes in transactions, where it does.
    pub transactions: Option<Transactions>,
    /// The claim of this process, where there is one, and whether the process before it may not have noticed yet.
    pub ownership: Option<(Ownership, bool)>,
}

/// Handle to a running data plane; cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Arc<Snapshot>>,
}

impl Handle {
    /// Takes partitions in. `false` when the data plane has stopped.
    pub async fn assign(&self, assignments: Vec<Assignment>) -> bool {
        let command = Command::Assign(assignments);
        self.commands.send(command).await.is_ok()
    }

    /// Stops the partitions of a source topic; what was read of them is written first. `false` when
    /// the data plane has stopped.
    pub async fn halt(&self, topic: TopicName, stop: Stop) -> bool {
        self.commands.send(Command::Halt(topic, stop)).await.is_ok()
    }

    /// Looks again at who leads the partitions of a source topic and at which topics both sides really
    /// are; those that were halted begin anew. `false` when the data plane has stopped.
    pub async fn look_again(&self, topic: TopicName) -> bool {
        self.commands.send(Command::LookAgain(topic)).await.is_ok()
    }

    /// Lets a partition go on that stands.
    ///
    /// # Errors
    /// It was not resumed, and why.
    pub async fn resume(
        &self,
        source: TopicPartition,
        answer: Answer,
        expected: Option<i64>,
    ) -> Result<(), NotResumed> {
        let (reply, outcome) = oneshot::channel();
        let command = Command::Resume(source, answer, expected, reply);
        let sent = self.commands.send(command).await;
        sent.map_err(|_| NotResumed::Stopping)?;
        outcome.await.unwrap_or(Err(NotResumed::Stopping))
    }

    /// The newest snapshot.
    #[must_use]
    pub fn status(&self) -> Arc<Snapshot> {
        self.status.borrow().clone()
    }
}

/// What the data plane is told; one channel keeps the order.
#[derive(Debug)]
enum Command {
    Assign(Vec<Assignment>),
    Halt(TopicName, Stop),
    LookAgain(TopicName),
    Resume(
        TopicPartition,
        Answer,
        Option<i64>,
        oneshot::Sender<Result<(), NotResumed>>,
    ),
    BeginAgain(BTreeSet<TopicPartition>),
}

enum Event {
    Fetch(Channel, FetchEvent),
    Produce(LaneId, u64, ProduceEvent),
    /// A connection to a destination broker is there.
    Stands(LaneId, u64),
    Located(Vec<Located>),
    Established(Vec<(Index, Established)>),
    Store(StoreEvent),
    Step(StepOutcome),
    Owner(Look),
    SetAside(AsideOrder, Result<(), AsideTrouble>),
    Ends(NodeId, Ends),
    /// How long a small question to a destination broker took, where it was answered.
    Measured(NodeId, Option<Duration>),
    Filled(NodeId, Vec<(FillGap, Filled)>),
    Trimmed(Vec<(Index, Result<i64, String>)>),
    Watched(Watched),
    Takings(HashMap<TopicName, u64>),
    Looked(Vec<(LookOrder, Looked)>),
    Memory(BrokerMemory),
}

/// See the module.
pub struct DataPlane {
    core: Core,
    source: Cluster,
    destination: Cluster,
    quarantine: Quarantine,
    fetch: FetchSettings,
    produce: ProduceSettings,
    rack: String,
    buffers: Buffers,
    limit: watch::Receiver<Option<Bandwidth>>,
    flush_interval: Duration,
    topics_in_doubt: Arc<Notify>,
    origins: Option<Origins>,
    scope: Scope,
    events: mpsc::Sender<Event>,
    incoming: mpsc::Receiver<Event>,
    commands: mpsc::Receiver<Command>,
    fetchers: HashMap<Channel, mpsc::Sender<FetchOrder>>,
    lanes: HashMap<LaneId, Lane>,
    next_lane: u64,
    store: StoreLane,
    /// Asks whose the link is, where there is a claim.
    question: Option<watch::Sender<u64>>,
    store_trouble: Option<String>,
    /// When positions were given out that are not stored yet.
    storing_since: Option<Instant>,
    /// Brokers that owe an answer about ends.
    reading_ends: BTreeSet<NodeId>,
    /// Destination brokers that are being asked how far away they are.
    measuring: BTreeSet<NodeId>,
    /// What has happened since the last snapshot, and since ends were read.
    happened: Happened,
    watching: bool,
    looking_at_refusals: bool,
    watch_interval: Duration,
    status: watch::Sender<Arc<Snapshot>>,
}

impl std::fmt::Debug for DataPlane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataPlane").finish_non_exhaustive()
    }
}

impl DataPlane {
    /// A data plane for `link`; its tasks live in a child of `scope`.
    #[must_use]
    pub fn new(link: &LinkConfig, options: Options, scope: &Scope) -> (Box<Self>, Handle) {
        let scope = scope.child("data");
        let (events, incoming) = mpsc::channel(EVENTS);
        let (command, commands) = mpsc::channel(16);
        let mut settings = settings::settings(link, options.buffers.limit());
        settings.shared |= options.shared;
        let mut core = Core::new(settings);
        core.keep_in(options.buffers.clone());
        core.set_time_of_day(Instant::now(), wall_ms());
        let snapshot = Arc::new(Snapshot::of(&core, None));
        let (status, seen) = watch::channel(snapshot);
        let keeper = Keeper {
            link: link.name.clone(),
            store: options.store,
            registrar: options.registrar,
            transactions: options.transactions,
        };
        let store = keeper.start(&mut core, &events, &scope);
        let question = options.ownership.map(|(ownership, has_predecessor)| {
            core.guard(has_predecessor);
            owning::start(ownership, &events, &scope)
        });
        let plane = Box::new(Self {
            core,
            source: options.source,
            quarantine: Quarantine {
                cluster: options.destination.clone(),
                topic: link.quarantine_topic.as_str().into(),
                may_create: link.topics.auto_create,
            },
            destination: options.destination,
            fetch: link.fetch.clone(),
            produce: link.produce.clone(),
            rack: link.source.client_rack.clone().unwrap_or_default(),
            buffers: options.buffers,
            limit: options.limit,
            flush_interval: options.flush_interval.min(FLUSH_INTERVAL),
            topics_in_doubt: options.topics_in_doubt,
            origins: options.origins,
            scope,
            events,
            incoming,
            commands,
            fetchers: HashMap::new(),
            lanes: HashMap::new(),
            next_lane: 0,
            store,
            question,
            store_trouble: None,
            storing_since: None,
            reading_ends: BTreeSet::new(),
            measuring: BTreeSet::new(),
            happened: Happened::default(),
            watching: false,
            looking_at_refusals: false,
            watch_interval: link.topics.poll_interval.min(WATCH_INTERVAL),
            status,
        });
        (
            plane,
            Handle {
                commands: command,
                status: seen,
            },
        )
    }

    /// Copies until `stop` is requested; then waits a moment for what is on its way and stores
    /// positions.
    ///
    /// # Errors
    /// When a task of it failed, which is a fault of the program: nothing would be copied any more.
    pub async fn run(mut self: Box<Self>, stop: StopSignal) -> Result<(), Failure> {
        let mut flush = interval(self.flush_interval);
        let mut ends = interval(ENDS_INTERVAL);
        let mut status = interval(STATUS_INTERVAL);
        let mut watch = interval(self.watch_interval);
        let mut refusals = interval(REFUSALS_INTERVAL);
        for timer in [
            &mut flush,
            &mut ends,
            &mut status,
            &mut watch,
            &mut refusals,
        ] {
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        self.ask_for_memory();
        self.take_limit();
        let (mut commanded, mut limited) = (true, true);
        let mut looked = Moment::now();
        let outcome = loop {
            let (now, moment) = (Instant::now(), Moment::now());
            let pause = moment.since(looked);
            if pause > PAUSED {
                self.happened.moves();
                self.core.was_paused(now);
            } else if pause > BRIEFLY_PAUSED {
                self.core.doubt_ownership();
            }
            looked = moment;
            self.hand_out();
            let timer = self.core.next_timer();
            let until = timer.unwrap_or_else(Instant::now);
            // Every branch is cancel-safe: channels and timers keep what was not taken.
            tokio::select! {
                Some(event) = self.incoming.recv() => {
                    self.apply(event);
                    while let Ok(event) = self.incoming.try_recv() {
                        self.apply(event);
                    }
                }
                command = self.commands.recv(), if commanded => match command {
                    Some(command) => self.obey(command),
                    None => commanded = false,
                },
                changed = self.limit.changed(), if limited => match changed {
                    Ok(()) => self.take_limit(),
                    // Nobody is left who could change it.
                    Err(_) => limited = false,
                },
                () = sleep_until(until), if timer.is_some() => {
                    self.happened.shows();
                    self.core.on_time(Instant::now());
                }
                _ = watch.tick() => self.watch_logs(),
                _ = refusals.tick() => self.look_at_refusals(),
                _ = flush.tick() => self.store(true),
                _ = ends.tick() => {
                    if self.happened.are_ends_due() {
                        self.read_ends();
                    }
                    if self.core.tend_lanes(Instant::now()) {
                        self.happened.shows();
                    }
                    self.measure_ways();
                    self.look_for_copies();
                }
                _ = status.tick() => self.publish(),
                () = stop.requested() => break Ok(()),
                failure = self.scope.failed() => break Err(failure),
            }
        };
        self.finish().await;
        outcome
    }

    fn obey(&mut self, command: Command) {
        self.happened.moves();
        match command {
            Command::Assign(assigned) => {
                for assignment in assigned {
                    self.core.assign(assignment);
                }
            }
            Command::Halt(topic, stop) => self.core.halt(&topic, &stop),
            Command::LookAgain(topic) => self.core.look_again(&topic),
            Command::Resume(source, answer, expected, reply) => {
                // Whoever asked may have gone.
                drop(reply.send(self.core.resume(&source, answer, expected)));
            }
            Command::BeginAgain(partitions) => self.core.begin_again(&partitions),
        }
    }

    async fn finish(mut self) {
        let drained = timeout(DRAIN_LIMIT, async {
            while self.core.has_open_calls() {
                match self.incoming.recv().await {
                    Some(event) => self.apply(event),
                    None => break,
                }
            }
        });
        if drained.await.is_err() {
            tracing::warn!(
                "stopped with requests on their way; what landed is found at the next start"
            );
        }
        self.look_for_the_last_copies().await;
        let flushed = timeout(FLUSH_LIMIT, self.store_the_last());
        if flushed.await.is_err() {
            tracing::warn!(
                "positions could not be stored in time{}; {}",
                self.store_trouble
                    .as_ref()
                    .map(|t| format!(" ({t})"))
                    .unwrap_or_default(),
                self.unstored()
            );
        }
        self.happened.shows();
        self.publish();
        self.release().await;
        // Nothing of the rest is worth waiting for: connections are simply closed.
        let report = self.scope.stop(Duration::ZERO).await;
        tracing::debug!(?report, "data plane stopped");
    }

    fn apply(&mut self, event: Event) {
        self.happened.take(&event);
        let now = Instant::now();
        match event {
            Event::Fetch(
                channel,
                FetchEvent::Fetched {
                    partitions,
                    reading,
                },
            ) => {
                self.core.on_fetched(channel, partitions, reading, now);
            }
            Event::Fetch(channel, FetchEvent::Failed(error)) => {
                tracing::warn!(broker = channel.node.0, "source cannot be read: {error}");
                self.core.on_fetch_failed(channel, &error.to_string(), now);
            }
            Event::Produce(.., ProduceEvent::Answered { tag, response }) => {
                self.core.on_answer(tag, &response, now);
            }
            Event::Produce(lane, number, ProduceEvent::Ended { error, unanswered }) => {
                self.lane_ended(lane, number, &error, &unanswered, now);
            }
            Event::Stands(lane, number) => self.lane_stands(lane, number, now),
            Event::Located(located) => self.core.on_located(located, now),
            Event::Established(outcomes) => {
                for (index, outcome) in outcomes {
                    self.core.on_established(index, outcome, now);
                }
            }
            Event::SetAside(order, outcome) => self.core.on_set_aside(order, outcome, now),
            Event::Store(StoreEvent::Stored) => {
                if self.store_trouble.take().is_some() {
                    tracing::info!("positions are stored again");
                }
                if let Some(since) = self.storing_since.take() {
                    self.core.has_stored(now.saturating_duration_since(since));
                }
                self.core.on_stored();
            }
            Event::Store(StoreEvent::Trouble(trouble)) => {
                self.core.has_not_stored();
                // It is tried again all the time, and said once.
                if self.store_trouble.is_none() {
                    tracing::error!("{trouble}");
                }
                self.store_trouble = Some(trouble);
            }
            Event::Step(outcome) => self.apply_step(outcome),
            Event::Owner(look) => self.apply_look(look),
            Event::Filled(node, outcomes) => self.core.on_filled(node, outcomes, now),
            Event::Trimmed(outcomes) => self.core.on_trimmed(outcomes, now),
            Event::Looked(outcomes) => self.core.on_looked(outcomes),
            Event::Memory(memory) => self.core.on_memory(memory),
            Event::Watched(watched) => {
                self.watching = false;
                self.core.on_watched(&watched, now);
            }
            Event::Takings(takings) => {
                self.looking_at_refusals = false;
                self.core.on_takings(&takings);
            }
            Event::Ends(node, ends) => self.take_ends(node, ends, now),
            Event::Measured(node, took) => self.take_measured(node, took, now),
        }
    }

    /// Gives out all work there is. Reading comes first, so that it overlaps with writing.
    fn hand_out(&mut self) {
        let now = Instant::now();
        while let Some((channel, order)) = self.core.next_fetch(now) {
            if let Err(error) = self.fetcher(channel).try_send(order) {
                self.fetchers.remove(&channel);
                let error = format!("its reader has ended ({error})");
                self.core.on_fetch_failed(channel, &error, now);
            }
        }
        for channel in self.core.take_retired() {
            self.fetchers.remove(&channel);
        }
        for node in self.core.take_cut(now) {
            tracing::warn!(
                broker = node.0,
                "the destination's broker answers nothing, and others lead its partitions now: its connection is given up"
            );
            self.lanes.retain(|lane, _| lane.node != node);
        }
        for lane in self.core.take_unused_lanes() {
            self.lanes.remove(&lane);
        }
        for lane in self.core.take_lanes_to_make() {
            self.lane(lane);
        }
        while let Some((lane, tag, mut request)) = self.core.next_produce(now) {
            let limit = self.produce.request_timeout.as_millis();
            request.timeout_ms = i32::try_from(limit).unwrap_or(i32::MAX);
            let (number, calls) = self.lane(lane);
            if calls.try_send(ProduceCall { tag, request }).is_err() {
                self.lane_ended(lane, number, &ClientError::Stopping, &[tag], now);
            }
        }
        if let Some(orders) = self.core.take_locate() {
            let (source, destination) = (self.source.clone(), self.destination.clone());
            let events = self.events.clone();
            self.scope
                .spawn("locate", OnFailure::StopScope, async move {
                    let located = locate(&source, &destination, orders).await;
                    send(&events, Event::Located(located)).await;
                });
        }
        for (leaders, orders) in self.core.take_establish() {
            let (source, destination) = (self.source.clone(), self.destination.clone());
            let events = self.events.clone();
            self.scope
                .spawn("establish", OnFailure::StopScope, async move {
                    let outcomes = establish(&source, &destination, leaders, orders).await;
                    send(&events, Event::Established(outcomes)).await;
                });
        }
        while let Some(order) = self.core.take_aside() {
            let (quarantine, events) = (self.quarantine.clone(), self.events.clone());
            self.scope
                .spawn("quarantine", OnFailure::StopScope, async move {
                    let outcome = quarantine.write(&order).await;
                    send(&events, Event::SetAside(order, outcome)).await;
                });
        }
        self.hand_out_placing();
        self.hand_out_steps();
        self.hand_out_question();
        if self.core.waits_for_store() {
            self.store(false);
        }
        if self.core.take_topics_in_doubt() {
            self.topics_in_doubt.notify_one();
        }
    }

    fn publish(&mut self) {
        let now = Instant::now();
        self.core.set_time_of_day(now, wall_ms());
        self.buffers.trim(now);
        // Others may have begun or ended, that share the worker's memory.
        let memory = self.buffers.limit();
        if memory != self.core.settings.memory {
            settings::share_of(&mut self.core.settings, &self.fetch, memory);
        }
        self.core.look_at_comparing(now);
        if !self.happened.is_to_be_shown() {
            return;
        }
        self.core.say();
        let snapshot = Snapshot::of(&self.core, self.store_trouble.clone());
        self.status.send_replace(Arc::new(snapshot));
    }
}

async fn send(events: &mpsc::Sender<Event>, event: Event) {
    // The loop has ended: nobody is left who could use it.
    drop(events.send(event).await);
}
