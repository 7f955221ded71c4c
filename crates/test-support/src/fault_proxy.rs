//! A TCP proxy in front of one broker listener that misbehaves on command while a test runs.
//!
//! ```text
//! client ──requests──► read frames ─► rules ─► queue ─► pace ─► broker
//!        ◄──answers─── pace ◄─ queue ◄─ rules ◄─ read frames ◄──
//! ```
//!
//! It reads whole length-delimited Kafka frames, in plain text, so that faults can be aimed at the n-th request or answer
//! of an API. Bytes of a frame that no rule touches pass unchanged.
//!
//! Invariants:
//! * [`FaultProxy::cut`], [`FaultProxy::turn_away`], [`FaultProxy::reset`] and [`FaultProxy::half_open`] have taken effect
//!   when they return.
//! * After [`FaultProxy::heal`] new connections pass as if there were no proxy.
//! * Everything ends when the proxy is dropped.

mod bit;
mod flow;
mod pipe;
mod rule;
mod seconds;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use flow::{Pace, Window};
pub use rule::{FrameAction, FrameRule, RuleHandle};
pub use seconds::{Second, seconds_of};

use crate::ports::PortLease;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// From the client to the broker.
    Requests,
    /// From the broker to the client.
    Answers,
}

/// The API key under which answers without a request are counted.
const UNKNOWN: i16 = -1;

/// What has passed since the proxy started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Connections that were accepted and passed on.
    pub connections: u64,
    /// Connections that were accepted and reset at once.
    pub turned_away: u64,
    /// Connections open now.
    pub open: u64,
    /// Frames read, by direction and API key.
    pub frames: BTreeMap<(Direction, i16), u64>,
    /// Bytes read, frame lengths included, by direction and API key.
    pub bytes: BTreeMap<(Direction, i16), u64>,
}

impl Traffic {
    /// How many requests of an API there were.
    #[must_use]
    pub fn requests(&self, api_key: i16) -> u64 {
        let count = self.frames.get(&(Direction::Requests, api_key));
        count.copied().unwrap_or(0)
    }
}

/// The proxy; see the module.
#[derive(Debug)]
pub struct FaultProxy {
    lease: PortLease,
    shared: Arc<Shared>,
    commands: mpsc::Sender<(Command, oneshot::Sender<()>)>,
    /// Aborts the acceptor, and with it all connections, when dropped.
    _acceptor: JoinSet<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Cut,
    TurnAway,
    Reset,
    HalfOpen,
    Heal,
}

/// What the connections of a proxy look at.
#[derive(Debug)]
struct Shared {
    broker: SocketAddr,
    requests: watch::Sender<flow::Flow>,
    answers: watch::Sender<flow::Flow>,
    rules: Mutex<rule::RuleBook>,
    traffic: Mutex<Traffic>,
    seconds: Mutex<seconds::Seconds>,
}

impl FaultProxy {
    /// Starts a proxy on a free loopback port in front of `broker`, which need not listen yet.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(broker: SocketAddr) -> std::io::Result<Self> {
        let lease = PortLease::new().map_err(std::io::Error::other)?;
        let listener = TcpListener::bind(lease.address()).await?;
        let shared = Arc::new(Shared {
            broker,
            requests: watch::Sender::new(flow::Flow::default()),
            answers: watch::Sender::new(flow::Flow::default()),
            rules: Mutex::default(),
            traffic: Mutex::default(),
            seconds: Mutex::new(seconds::Seconds::since(Instant::now())),
        });
        let (commands, inbox) = mpsc::channel(4);
        let acceptor = Acceptor {
            address: lease.address(),
            listener: Some(listener),
            shared: Arc::clone(&shared),
            turns_away: false,
            orders: watch::Sender::new(None),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(acceptor.run(inbox));
        Ok(Self {
            lease,
            shared,
            commands,
            _acceptor: tasks,
        })
    }

    /// Where clients connect; stays the same.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.lease.address()
    }

    /// Closes all connections and refuses new ones until healed.
    pub async fn cut(&self) {
        self.command(Command::Cut).await;
    }

    /// Closes all connections; new ones are accepted and reset at once, as by a load balancer with nobody behind it, until
    /// healed. Unlike after [`FaultProxy::cut`], attempts can be counted.
    pub async fn turn_away(&self) {
        self.command(Command::TurnAway).await;
    }

    /// Resets (RST) all connections on both sides; new ones pass.
    pub async fn reset(&self) {
        self.command(Command::Reset).await;
    }

    /// Closes the broker's side of all connections; the client's side stays open and silent, whatever it sends. New
    /// connections pass.
    pub async fn half_open(&self) {
        self.command(Command::HalfOpen).await;
    }

    /// Ends all faults: rules are forgotten, the pace is full, connections are accepted. Connections that are half open
    /// are closed.
    pub async fn heal(&self) {
        self.shared.requests.send_replace(flow::Flow::default());
        self.shared.answers.send_replace(flow::Flow::default());
        self.shared.rules().clear();
        self.command(Command::Heal).await;
    }

    /// Moves no byte in one direction any more; connections stay open and are accepted.
    pub fn stall(&self, direction: Direction) {
        self.shared
            .flow(direction)
            .send_modify(|flow| flow.stalled = true);
    }

    /// Ends a stall.
    pub fn unstall(&self, direction: Direction) {
        self.shared
            .flow(direction)
            .send_modify(|flow| flow.stalled = false);
    }

    /// Slows one direction down.
    pub fn slow(&self, direction: Direction, pace: Pace) {
        self.shared
            .flow(direction)
            .send_modify(|flow| flow.pace = pace);
    }

    /// Does something to certain frames; the handle tells how often it was done.
    pub fn on_frame(&self, rule: FrameRule) -> RuleHandle {
        self.shared.rules().add(rule)
    }

    /// What has passed until now.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.shared.traffic().clone()
    }

    /// Begins to count by seconds anew.
    pub fn begin_seconds(&self) {
        *self.shared.seconds() = seconds::Seconds::since(Instant::now());
    }

    /// What has arrived in each second since then, or since the start.
    #[must_use]
    pub fn seconds(&self) -> Vec<Second> {
        self.shared.seconds().until(Instant::now())
    }

    async fn command(&self, command: Command) {
        let (done, is_done) = oneshot::channel();
        let sent = self.commands.send((command, done)).await;
        // The acceptor ends only with the proxy, or with the runtime, and then there is nobody to wait for.
        if sent.is_ok() {
            let _ = is_done.await;
        }
    }
}

impl Shared {
    fn flow(&self, direction: Direction) -> &watch::Sender<flow::Flow> {
        match direction {
            Direction::Requests => &self.requests,
            Direction::Answers => &self.answers,
        }
    }

    fn count(&self, direction: Direction, api_key: Option<i16>, bytes: usize) {
        let key = (direction, api_key.unwrap_or(UNKNOWN));
        let mut traffic = self.traffic();
        *traffic.frames.entry(key).or_default() += 1;
        *traffic.bytes.entry(key).or_default() += bytes as u64;
        drop(traffic);
        if direction == Direction::Requests {
            let mut seconds = self.seconds();
            let requests = &mut seconds.at(Instant::now()).requests;
            *requests.entry(api_key.unwrap_or(UNKNOWN)).or_default() += 1;
        }
    }

    fn count_connection(&self, turned_away: bool) {
        let mut traffic = self.traffic();
        match turned_away {
            true => traffic.turned_away += 1,
            false => traffic.connections += 1,
        }
        drop(traffic);
        self.seconds().at(Instant::now()).connections += 1;
    }

    fn seconds(&self) -> MutexGuard<'_, seconds::Seconds> {
        self.seconds
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn rules(&self) -> MutexGuard<'_, rule::RuleBook> {
        self.rules
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Accepts connections and carries out commands.
struct Acceptor {
    address: SocketAddr,
    /// Nothing while cut.
    listener: Option<TcpListener>,
    shared: Arc<Shared>,
    /// Whether whoever comes is sent off.
    turns_away: bool,
    /// Tells connections that were there before it how to end.
    orders: watch::Sender<Option<pipe::Order>>,
}

impl Acceptor {
    async fn run(mut self, mut commands: mpsc::Receiver<(Command, oneshot::Sender<()>)>) {
        let mut connections = JoinSet::new();
        // Half-open ones are kept apart: no command but healing ends them.
        let mut half_open = JoinSet::new();
        loop {
            // All branches are cancel-safe: accept, recv and join_next lose nothing.
            tokio::select! {
                accepted = accept(self.listener.as_ref()) => {
                    // An error of accept concerns one client that is already gone.
                    if let Ok((client, _)) = accepted {
                        self.shared.count_connection(self.turns_away);
                        if self.turns_away {
                            // If it cannot be reset, the close has to do.
                            let _ = client.set_zero_linger();
                            continue;
                        }
                        connections.spawn(pipe::run(client, Arc::clone(&self.shared), self.orders.subscribe()));
                    }
                }
                Some(_) = connections.join_next() => {}
                Some(_) = half_open.join_next() => {}
                command = commands.recv() => {
                    let Some((command, done)) = command else { return };
                    match command {
                        Command::Cut => {
                            self.listener = None;
                            connections.shutdown().await;
                        }
                        Command::TurnAway => {
                            self.turns_away = true;
                            connections.shutdown().await;
                        }
                        Command::Reset => self.order(pipe::Order::Reset, &mut connections).await,
                        Command::HalfOpen => {
                            self.orders.send_replace(Some(pipe::Order::HalfOpen));
                            while let Some(ended) = connections.join_next().await {
                                if let Ok(Some(client)) = ended {
                                    half_open.spawn(pipe::swallow(client));
                                }
                            }
                            self.orders = watch::Sender::new(None);
                        }
                        Command::Heal => {
                            half_open.shutdown().await;
                            self.turns_away = false;
                            self.listen().await;
                        }
                    }
                    let _ = done.send(());
                }
            }
        }
    }

    /// Gives an order to all connections and waits until each has obeyed.
    async fn order(
        &mut self,
        order: pipe::Order,
        connections: &mut JoinSet<Option<tokio::net::TcpStream>>,
    ) {
        self.orders.send_replace(Some(order));
        while connections.join_next().await.is_some() {}
        // Connections that come later have their own channel and know nothing of it.
        self.orders = watch::Sender::new(None);
    }

    async fn listen(&mut self) {
        if self.listener.is_none() {
            // The port is leased and nobody else's; binding fails only if the system is out of sockets.
            self.listener = TcpListener::bind(self.address).await.ok();
        }
    }
}

async fn accept(
    listener: Option<&TcpListener>,
) -> std::io::Result<(tokio::net::TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
