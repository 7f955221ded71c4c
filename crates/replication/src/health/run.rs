//! The task that reads both clusters for [`Health`], and evaluates what it has read.
//!
//! It has clusters of its own, so that no connection, queue or limit is shared with what it judges. One request per broker is
//! under way; a broker that hangs costs its own partitions their evidence, and nobody else.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::wall_ms;
use config::client::ClientConfig;
use kafka_client::Cluster;
use kafka_client::cluster::Use;
use kafka_client::offsets::{OffsetAnswer, list_offsets_within};
use kafka_wire::message::IsolationLevel;
use kafka_wire::message::list_offsets::{EARLIEST, LATEST};
use kafka_wire::message::metadata::MetadataTopics;
use kafka_wire::types::{NodeId, TopicName, TopicPartition};
use lifecycle::{OnFailure, Scope, StopSignal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::changes::Changes;
use super::evidence::{Evidence, Limits, Now, Silence, Silent};
use super::rating::{rate, unreachable};
use super::reach::Reach;
use super::{LinkHealth, Reported};

/// How long one request may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long looking up leaders may take: several brokers may be asked for it.
const LEADERS: Duration = Duration::from_secs(15);
/// How often leaders are looked up where nothing seems to have changed.
const LEADERS_EVERY: Duration = Duration::from_secs(30);
/// How often starts of the source and ends of the destination are read.
const SLOW: Duration = Duration::from_secs(30);
/// How often a broker of the destination is asked for anything at all: it may hang while nothing is to be copied.
const PULSE: Duration = Duration::from_secs(4);
/// Above so many partitions ends are read less often.
const MANY: usize = 5_000;
const MANY_INTERVAL: Duration = Duration::from_secs(10);
/// Readings that may wait to be taken in.
const READINGS: usize = 64;

/// What is known of the data path.
type Look = Box<dyn Fn() -> (Vec<Reported>, Option<String>) + Send>;

/// What it needs.
pub struct HealthOptions {
    /// The name of the link.
    pub link: String,
    /// How the source is reached.
    pub source: ClientConfig,
    /// How the destination is reached.
    pub destination: ClientConfig,
    /// How often ends are read.
    pub interval: Duration,
    /// Older readings say nothing.
    pub max_age: Duration,
    /// A longer standstill is one.
    pub stall: Duration,
    /// More lag is too much.
    pub objective: Duration,
    /// What the data path says of its partitions, and what else is wrong. Never waits.
    pub look: Look,
}

impl fmt::Debug for HealthOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthOptions")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}

/// Handle to the newest evaluation; cheap to clone.
#[derive(Clone, Debug)]
pub struct HealthHandle(watch::Receiver<Arc<LinkHealth>>);

impl HealthHandle {
    /// The newest evaluation. One that is too old says nothing any more.
    #[must_use]
    pub fn newest(&self) -> Arc<LinkHealth> {
        let newest = self.0.borrow().clone();
        if newest.at.elapsed() <= LinkHealth::TOO_OLD {
            return newest;
        }
        let mut old = (*newest).clone();
        old.rating = super::Rating::Unknown;
        old.lag.known = false;
        old.reason = format!(
            "health was evaluated {} s ago for the last time",
            newest.at.elapsed().as_secs()
        );
        Arc::new(old)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum What {
    SourceEnds,
    SourceStarts,
    DestinationEnds,
    /// The end of one log of each broker, between the times when all are read.
    DestinationPulse,
}

impl What {
    fn side(self) -> Side {
        match self {
            Self::SourceEnds | Self::SourceStarts => Side::Source,
            Self::DestinationEnds | Self::DestinationPulse => Side::Destination,
        }
    }
}

fn evidence_of<'a>(
    partitions: &'a mut HashMap<TopicPartition, Vec<(TopicPartition, Evidence)>>,
    reported: &Reported,
) -> Option<&'a mut Evidence> {
    let copies = partitions.get_mut(&reported.source)?;
    let found = copies
        .iter_mut()
        .find(|(destination, _)| *destination == reported.destination);
    found.map(|(_, evidence)| evidence)
}

enum Event {
    Leaders(Side, Result<HashMap<TopicPartition, NodeId>, String>),
    Read(What, NodeId, Instant, Answered),
}

/// What a broker has said, or that it said nothing.
type Answered = Result<Vec<(TopicPartition, Result<i64, String>)>, (Vec<TopicPartition>, String)>;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Source,
    Destination,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
        }
    }
}

/// One cluster, and who leads what in it.
#[derive(Debug)]
struct Observed {
    side: Side,
    cluster: Cluster,
    leaders: HashMap<TopicPartition, NodeId>,
    looking: bool,
    looked: Option<Instant>,
    /// Somebody answered that he does not lead.
    moved: bool,
    trouble: Option<String>,
    reach: Reach,
}

impl Observed {
    fn new(side: Side, config: ClientConfig) -> Self {
        Self {
            side,
            cluster: Cluster::new(config, &format!("{} health", side.name())),
            leaders: HashMap::new(),
            looking: false,
            looked: None,
            moved: false,
            trouble: None,
            reach: Reach::default(),
        }
    }

    /// How long the broker that leads a partition has been silent, where it is.
    fn silence_of(&self, partition: &TopicPartition) -> Option<Silence<'_>> {
        self.reach.silence(*self.leaders.get(partition)?)
    }
}

/// See the module.
pub struct Health {
    options: HealthOptions,
    source: Observed,
    destination: Observed,
    /// By source partition, with the destination's; one that is spread has several.
    partitions: HashMap<TopicPartition, Vec<(TopicPartition, Evidence)>>,
    reported: Vec<Reported>,
    elsewhere: Option<String>,
    destination_ends: HashMap<TopicPartition, i64>,
    reading: HashSet<(What, NodeId)>,
    slow_at: Option<Instant>,
    pulse_at: Option<Instant>,
    asked_at: Option<Instant>,
    ready: bool,
    events: mpsc::Sender<Event>,
    incoming: mpsc::Receiver<Event>,
    shown: watch::Sender<Arc<LinkHealth>>,
    scope: Scope,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Health {
    /// Nothing is connected before it runs.
    #[must_use]
    pub fn new(options: HealthOptions, scope: &Scope) -> (Self, HealthHandle) {
        let (events, incoming) = mpsc::channel(READINGS);
        let (shown, seen) = watch::channel(Arc::new(LinkHealth::unknown()));
        let health = Self {
            source: Observed::new(Side::Source, options.source.clone()),
            destination: Observed::new(Side::Destination, options.destination.clone()),
            options,
            partitions: HashMap::new(),
            reported: Vec::new(),
            elsewhere: None,
            destination_ends: HashMap::new(),
            reading: HashSet::new(),
            slow_at: None,
            pulse_at: None,
            asked_at: None,
            ready: false,
            events,
            incoming,
            shown,
            scope: scope.child("health"),
        };
        (health, HealthHandle(seen))
    }

    /// Reads and evaluates until `stop` is requested.
    pub async fn run(mut self: Box<Self>, stop: StopSignal) {
        let mut tick = interval(self.options.interval.max(Duration::from_millis(100)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Every branch is cancel-safe: channel and timer keep what was not taken.
            tokio::select! {
                Some(event) = self.incoming.recv() => self.take(event),
                _ = tick.tick() => self.look(Instant::now()),
                () = stop.requested() => break,
            }
        }
        let report = self.scope.stop(Duration::ZERO).await;
        tracing::debug!(?report, "health stopped");
    }

    fn take(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Leaders(side, found) => {
                let observed = self.side(side);
                observed.looking = false;
                match found {
                    Ok(leaders) => {
                        observed.reach.needs(leaders.values().copied(), now);
                        observed.reach.looked(Ok(()), now);
                        observed.leaders = leaders;
                        observed.looked = Some(now);
                        observed.moved = false;
                        observed.trouble = None;
                        self.without_leader(side, now);
                        self.ask(now);
                    }
                    Err(trouble) => {
                        observed.reach.looked(Err(trouble.clone()), now);
                        observed.trouble = Some(trouble);
                    }
                }
            }
            Event::Read(what, node, asked, answered) => {
                self.reading.remove(&(what, node));
                let observed = self.side(what.side());
                let readings = match answered {
                    Ok(readings) => {
                        observed.reach.heard(node, asked, Ok(()));
                        readings
                    }
                    Err((partitions, trouble)) => {
                        observed.reach.heard(node, asked, Err(trouble.clone()));
                        if what.side() == Side::Destination {
                            // One answer that is late says little: it is asked again at once.
                            self.pulse_at = None;
                        }
                        let all = partitions.into_iter();
                        all.map(|partition| (partition, Err(trouble.clone())))
                            .collect()
                    }
                };
                for (partition, reading) in readings {
                    self.reading(what, &partition, asked, reading);
                }
            }
        }
    }

    /// Nobody can be asked for the ends of partitions that nobody leads.
    fn without_leader(&mut self, side: Side, now: Instant) {
        if side == Side::Destination {
            return;
        }
        let leaders = &self.source.leaders;
        let of_nobody = self.partitions.iter_mut();
        let of_nobody = of_nobody.filter(|(partition, _)| !leaders.contains_key(*partition));
        for (_, evidence) in of_nobody.flat_map(|(_, copies)| copies) {
            let trouble = "source: no broker leads the partition now".to_owned();
            evidence.end_read(now, Err(trouble));
        }
    }

    fn side(&mut self, side: Side) -> &mut Observed {
        match side {
            Side::Source => &mut self.source,
            Side::Destination => &mut self.destination,
        }
    }

    fn reading(
        &mut self,
        what: What,
        partition: &TopicPartition,
        asked: Instant,
        reading: Result<i64, String>,
    ) {
        if reading.is_err() {
            self.side(what.side()).moved = true;
        }
        match what {
            What::SourceEnds => {
                for (_, evidence) in self.partitions.get_mut(partition).into_iter().flatten() {
                    evidence.end_read(asked, reading.clone());
                }
            }
            What::SourceStarts => {
                let Ok(start) = reading else { return };
                for (_, evidence) in self.partitions.get_mut(partition).into_iter().flatten() {
                    evidence.start_read(start);
                }
            }
            What::DestinationEnds | What::DestinationPulse => {
                if let Ok(end) = reading {
                    self.destination_ends.insert(partition.clone(), end);
                }
            }
        }
    }

    /// Hears the data path, asks for what is due, and evaluates.
    fn look(&mut self, now: Instant) {
        let (reported, elsewhere) = (self.options.look)();
        self.reported = reported;
        self.elsewhere = elsewhere;
        for reported in &self.reported {
            if let Some(evidence) = evidence_of(&mut self.partitions, reported) {
                evidence.report(reported, now);
                continue;
            }
            let mut evidence = Evidence::new(now);
            evidence.report(reported, now);
            let copies = self.partitions.entry(reported.source.clone()).or_default();
            copies.push((reported.destination.clone(), evidence));
        }
        for side in [Side::Source, Side::Destination] {
            self.find_leaders(side, now);
        }
        let pause = match self.reported.len() > MANY {
            true => self.options.interval.max(MANY_INTERVAL),
            false => Duration::ZERO,
        };
        if self.asked_at.is_none_or(|at| now - at >= pause) {
            self.asked_at = Some(now);
            self.ask(now);
        }
        self.evaluate(now);
    }

    fn find_leaders(&mut self, side: Side, now: Instant) {
        let topics: BTreeSet<TopicName> = match side {
            Side::Source => self
                .reported
                .iter()
                .map(|r| r.source.topic.clone())
                .collect(),
            Side::Destination => self
                .reported
                .iter()
                .map(|r| r.destination.topic.clone())
                .collect(),
        };
        let reported = &self.reported;
        let observed = match side {
            Side::Source => &mut self.source,
            Side::Destination => &mut self.destination,
        };
        let is_missing = reported.iter().any(|one| {
            let partition = match side {
                Side::Source => &one.source,
                Side::Destination => &one.destination,
            };
            !observed.leaders.contains_key(partition)
        });
        let old = observed.looked.is_none_or(|at| now - at >= LEADERS_EVERY);
        if topics.is_empty() || observed.looking || !(is_missing || old || observed.moved) {
            return;
        }
        observed.looking = true;
        let (cluster, events) = (observed.cluster.clone(), self.events.clone());
        self.scope.spawn(
            format!("{} leaders", side.name()),
            OnFailure::Report,
            async move {
                let found = leaders(&cluster, topics).await;
                let found = found.map_err(|error| format!("{}: {error}", side.name()));
                // The loop has ended: nobody is left who could use it.
                drop(events.send(Event::Leaders(side, found)).await);
            },
        );
    }

    /// Asks each broker for what is due, unless it still owes an answer.
    fn ask(&mut self, now: Instant) {
        let mut due = vec![What::SourceEnds];
        if self.slow_at.is_none_or(|at| now - at >= SLOW) {
            due.extend([What::SourceStarts, What::DestinationEnds]);
            if !self.source.leaders.is_empty() && !self.destination.leaders.is_empty() {
                self.slow_at = Some(now);
            }
        } else if self.pulse_at.is_none_or(|at| now - at >= PULSE) {
            self.pulse_at = Some(now);
            due.push(What::DestinationPulse);
        }
        for what in due {
            let mut by_leader: BTreeMap<NodeId, Vec<TopicPartition>> = BTreeMap::new();
            for one in &self.reported {
                let (observed, partition) = match what.side() {
                    Side::Destination => (&self.destination, &one.destination),
                    Side::Source => (&self.source, &one.source),
                };
                if let Some(leader) = observed.leaders.get(partition) {
                    let asked = by_leader.entry(*leader).or_default();
                    if what != What::DestinationPulse || asked.is_empty() {
                        asked.push(partition.clone());
                    }
                }
            }
            for (node, partitions) in by_leader {
                self.read(what, node, partitions, now);
            }
        }
    }

    fn read(&mut self, what: What, node: NodeId, partitions: Vec<TopicPartition>, now: Instant) {
        if !self.reading.insert((what, node)) {
            return;
        }
        let (observed, at, level) = match what {
            What::SourceEnds => (&self.source, LATEST, IsolationLevel::ReadCommitted),
            What::SourceStarts => (&self.source, EARLIEST, IsolationLevel::ReadUncommitted),
            What::DestinationEnds | What::DestinationPulse => {
                (&self.destination, LATEST, IsolationLevel::ReadUncommitted)
            }
        };
        let (cluster, side) = (observed.cluster.clone(), observed.side);
        let events = self.events.clone();
        self.scope.spawn(
            format!("{} {node}", side.name()),
            OnFailure::Report,
            async move {
                let asked = (at, level);
                let answer =
                    list_offsets_within(&cluster, node, Use::Watch, &partitions, asked, ANSWER);
                let readings = readings(side, partitions.clone(), answer.await);
                drop(events.send(Event::Read(what, node, now, readings)).await);
            },
        );
    }

    fn evaluate(&mut self, now: Instant) {
        let ms = wall_ms();
        let limits = Limits {
            max_age: self.options.max_age,
            stall: self.options.stall,
        };
        if let Some(trouble) = self.source.trouble.clone() {
            for (_, evidence) in self.partitions.values_mut().flatten() {
                evidence.cannot_ask(&trouble);
            }
        }
        let mut judged = Vec::with_capacity(self.reported.len());
        let mut news = Changes::default();
        for reported in &self.reported {
            let Some(evidence) = evidence_of(&mut self.partitions, reported) else {
                continue;
            };
            let before = evidence.state();
            let silent = Silent {
                source: self.source.silence_of(&reported.source),
                destination: self.destination.silence_of(&reported.destination),
            };
            let mut health = evidence.judge(reported, silent, Now { at: now, ms }, &limits);
            let end = self.destination_ends.get(&reported.destination);
            health.destination_end = end.copied();
            if health.state != before {
                news.note(before, &health);
            }
            judged.push(health);
        }
        news.say(&self.options.link);
        let before = self.shown.borrow().clone();
        let limit = self.options.max_age;
        let reach =
            [&self.source, &self.destination].map(|observed| observed.reach.judge(now, limit));
        let silent = unreachable(&reach);
        let mut health = rate(
            judged,
            silent.as_deref().or(self.elsewhere.as_deref()),
            self.options.objective,
            &before,
            &mut self.ready,
            now,
        );
        health.reach = reach;
        self.shown.send_replace(Arc::new(health));
    }
}

fn readings(
    side: Side,
    partitions: Vec<TopicPartition>,
    answer: Result<HashMap<TopicPartition, OffsetAnswer>, kafka_client::ClientError>,
) -> Answered {
    let side = side.name();
    let mut answers = match answer {
        Ok(answers) => answers,
        Err(error) => return Err((partitions, format!("{side}: {error}"))),
    };
    let reading = |partition: TopicPartition| {
        let reading = match answers.remove(&partition) {
            Some(Ok(offset)) => Ok(offset),
            Some(Err(code)) => Err(format!("{side}: ListOffsets answered {code}")),
            None => Err(format!("{side}: ListOffsets was not answered")),
        };
        (partition, reading)
    };
    Ok(partitions.into_iter().map(reading).collect())
}

async fn leaders(
    cluster: &Cluster,
    topics: BTreeSet<TopicName>,
) -> Result<HashMap<TopicPartition, NodeId>, String> {
    let asked = cluster.metadata(MetadataTopics::Topics(topics.into_iter().collect()));
    let answer = match timeout(LEADERS, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string())?,
        Err(_) => return Err(format!("no broker told its topics within {LEADERS:?}")),
    };
    let mut leaders = HashMap::new();
    for topic in answer.topics {
        let Some(name) = topic.name else { continue };
        for partition in topic.partitions {
            if partition.leader.0 >= 0 {
                let name = TopicPartition::new(name.clone(), partition.index);
                leaders.insert(name, partition.leader);
            }
        }
    }
    Ok(leaders)
}
