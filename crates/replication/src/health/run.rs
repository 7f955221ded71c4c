//! The task that reads both clusters for [`Health`], and evaluates what it has read.
//!
//! It has clusters of its own, so that no connection, queue or limit is shared with what it judges. One request per broker is
//! under way; a broker that hangs costs its own partitions their evidence, and nobody else.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::wall_ms;
use config::client::ClientConfig;
use kafka_client::Cluster;
use kafka_wire::types::{NodeId, TopicPartition};
use lifecycle::{Scope, StopSignal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

mod asking;

use super::changes::Changes;
use super::evidence::{Evidence, Limits, Now, Silence, Silent};
use super::moved::{Ends, Moved};
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
/// Above so many partitions of a link ends are read less often.
const MANY: usize = 5_000;
const MANY_INTERVAL: Duration = Duration::from_secs(10);
/// Readings that may wait to be taken in.
const READINGS: usize = 64;

/// What is known of the data path.
type Look = Box<dyn Fn() -> Seen + Send>;

/// What the data path says.
#[derive(Debug, Default)]
pub struct Seen {
    /// The partitions that are copied here.
    pub reported: Vec<Reported>,
    /// What else is wrong.
    pub elsewhere: Option<String>,
    /// Partitions of the link, wherever they are copied.
    pub partitions: usize,
}

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
    /// Ends of what has been copied since they were read.
    SourceMoved,
    DestinationMoved,
    /// The end of one log of each broker, between the times when all are read.
    DestinationPulse,
}

impl What {
    fn side(self) -> Side {
        match self {
            Self::SourceEnds | Self::SourceStarts | Self::SourceMoved => Side::Source,
            Self::DestinationEnds | Self::DestinationMoved | Self::DestinationPulse => {
                Side::Destination
            }
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
pub(super) enum Side {
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

    /// The partition on this side.
    pub(super) fn of(self, reported: &Reported) -> &TopicPartition {
        match self {
            Self::Source => &reported.source,
            Self::Destination => &reported.destination,
        }
    }
}

/// One cluster, and who leads what in it.
#[derive(Debug)]
struct Observed {
    cluster: Cluster,
    leaders: HashMap<TopicPartition, NodeId>,
    looking: bool,
    looked: Option<Instant>,
    /// Somebody answered that he does not lead.
    moved: bool,
    /// Whether nobody is known to lead some partition.
    is_missing: bool,
    trouble: Option<String>,
    reach: Reach,
}

impl Observed {
    fn new(side: Side, config: ClientConfig) -> Self {
        Self {
            cluster: Cluster::new(config, &format!("{} health", side.name())),
            leaders: HashMap::new(),
            looking: false,
            looked: None,
            moved: false,
            is_missing: true,
            trouble: None,
            reach: Reach::default(),
        }
    }

    /// How long the broker that leads a partition has been silent, where it is.
    fn silence_of(&self, partition: &TopicPartition) -> Option<Silence<'_>> {
        // Mostly nobody is, and nobody need be looked up.
        if !self.reach.has_silent() {
            return None;
        }
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
    /// Partitions of the link, wherever they are copied.
    link_partitions: usize,
    destination_ends: Ends,
    moved: Moved,
    /// Whether an end was read that is another one than what is shown.
    has_news: bool,
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
            link_partitions: 0,
            destination_ends: Ends::default(),
            moved: Moved::default(),
            has_news: false,
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
                        observed.reach.looked(Ok(()), now);
                        observed.leaders = leaders;
                        observed.looked = Some(now);
                        observed.moved = false;
                        observed.trouble = None;
                        self.find_missing(side);
                        self.without_leader(side, now);
                        self.ask_for_all(now);
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
                // Who looks meanwhile sees both sides as of about the same time.
                if self.has_news && self.reading.is_empty() {
                    self.evaluate(now, false);
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

    fn observed(&self, side: Side) -> &Observed {
        match side {
            Side::Source => &self.source,
            Side::Destination => &self.destination,
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
            if matches!(
                what,
                What::SourceMoved | What::DestinationMoved | What::DestinationEnds
            ) {
                self.moved.is_unread(what.side(), partition);
            }
        }
        match what {
            What::SourceEnds | What::SourceMoved => {
                for (_, evidence) in self.partitions.get_mut(partition).into_iter().flatten() {
                    self.has_news |= evidence.end_read(asked, reading.clone());
                }
            }
            What::SourceStarts => {
                let Ok(start) = reading else { return };
                for (_, evidence) in self.partitions.get_mut(partition).into_iter().flatten() {
                    evidence.start_read(start);
                }
            }
            What::DestinationEnds | What::DestinationMoved | What::DestinationPulse => {
                if let Ok(end) = reading {
                    self.has_news |= self.destination_ends.add(partition, asked, end);
                }
            }
        }
    }

    /// Hears the data path, asks for what is due, and evaluates.
    fn look(&mut self, now: Instant) {
        let seen = (self.options.look)();
        self.reported = seen.reported;
        self.elsewhere = seen.elsewhere;
        self.link_partitions = seen.partitions.max(self.reported.len());
        for reported in &self.reported {
            if let Some(evidence) = evidence_of(&mut self.partitions, reported) {
                if evidence.report(reported, now) {
                    self.moved.note(reported);
                }
                continue;
            }
            self.source.is_missing = true;
            self.destination.is_missing = true;
            let mut evidence = Evidence::new(now);
            if evidence.report(reported, now) {
                self.moved.note(reported);
            }
            let copies = self.partitions.entry(reported.source.clone()).or_default();
            // Mostly it stays the only one.
            copies.reserve_exact(1);
            copies.push((reported.destination.clone(), evidence));
        }
        for side in [Side::Source, Side::Destination] {
            self.find_leaders(side, now);
        }
        self.ask_what_is_due(now);
        self.evaluate(now, true);
    }

    /// What all that was read and heard means. Between two looks, where `is_look` is unset, a link does not rise to healthy.
    fn evaluate(&mut self, now: Instant, is_look: bool) {
        self.has_news = false;
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
            health.destination_end = self.destination_ends.of(&reported.destination);
            health.leaders = [
                self.source.leaders.get(&reported.source).copied(),
                self.destination.leaders.get(&reported.destination).copied(),
            ];
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
        let mut ready = self.ready && is_look;
        let mut health = rate(
            judged,
            silent.as_deref().or(self.elsewhere.as_deref()),
            self.options.objective,
            &before,
            &mut ready,
            now,
        );
        self.ready = ready && (is_look || self.ready);
        health.reach = reach;
        let copies = self.reported.iter().map(|reported| &reported.destination);
        health.destination_read = self.destination_ends.oldest(copies);
        self.shown.send_replace(Arc::new(health));
    }
}
