//! What this worker runs of what it was given: connectors and tasks, each a future of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lifecycle::{Backoff, OnFailure, Scope};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Event;
use super::core::Core;
use crate::Config;
use crate::adjustment::{goes_on, is_parted, is_taken_over};
use crate::deal::{PARTITIONS, partitions_of};
use crate::engine::reconcile::{Action, Runs, Wanted, reconcile};
use crate::host::{LinkFailure, LinkReport, LinkStart, Part, Probe, Started};
use crate::restart::RestartRequest;
use crate::state::{State, TargetState};
use crate::status_record::Subject;

/// First and longest pause before what failed is begun again: a cluster that is back is used within ten seconds.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));
/// How long it has to run for its failures to be forgotten.
const SETTLED: Duration = Duration::from_secs(60);

/// A future.
pub(super) struct Instance {
    incarnation: u64,
    version: u64,
    scope: Arc<Scope>,
    pub(super) ending: bool,
    /// Once it has started.
    pub(super) probe: Option<Box<dyn Probe>>,
    since: Instant,
}

/// What is kept of something that this worker was given.
pub(super) struct Piece {
    /// Counts configurations and restarts; a future of another one is ended.
    version: u64,
    pub(super) failure: Option<String>,
    /// It is begun again after this failure, which holds until it has started.
    pub(super) retrying: Option<String>,
    retry_at: Option<Instant>,
    backoff: Backoff,
    pub(super) restarting: bool,
    /// The status that was written last.
    pub(super) said: Option<(State, Option<String>)>,
    /// Somebody else has written another one after it.
    pub(super) contradicted: bool,
    /// Topics whose use was written.
    pub(super) used: BTreeSet<String>,
    /// How often it was started.
    pub(super) starts: u64,
    /// When it failed last.
    pub(super) failed_at: Option<SystemTime>,
}

impl Piece {
    fn new(version: u64) -> Self {
        Self {
            version,
            failure: None,
            retrying: None,
            retry_at: None,
            backoff: Backoff::seeded(RETRY.0, RETRY.1),
            restarting: false,
            said: None,
            contradicted: false,
            used: BTreeSet::new(),
            starts: 0,
            failed_at: None,
        }
    }
}

/// The connector that something belongs to.
pub(super) fn connector_of(subject: &Subject) -> &str {
    match subject {
        Subject::Connector(name) | Subject::Task(name, _) => name,
    }
}

impl Core {
    /// Whether this worker was given it.
    pub(super) fn holds(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Connector(name) => self.held.connectors.contains(name),
            Subject::Task(name, task) => self.held.has_task(name, *task),
        }
    }

    /// Everything that this worker was given, or still runs.
    fn subjects(&self) -> BTreeSet<Subject> {
        let connectors = self.held.connectors.iter().cloned().map(Subject::Connector);
        let tasks = self.held.tasks.iter();
        let tasks = tasks.map(|key| Subject::Task(key.connector.clone(), key.task));
        let given = connectors.chain(tasks);
        given
            .chain(self.instances.keys().cloned())
            .chain(self.pieces.keys().cloned())
            .collect()
    }

    pub(super) fn reconcile_everything(&mut self) {
        for subject in self.subjects() {
            self.reconcile(&subject);
        }
    }

    pub(super) fn reconcile_all(&mut self, name: &str) {
        let of_it = self.subjects().into_iter();
        for subject in of_it.filter(|subject| connector_of(subject) == name) {
            self.reconcile(&subject);
        }
    }

    /// Its configuration is another one: a future of before is ended, and failures of before do not count.
    pub(super) fn renew(&mut self, subject: &Subject) {
        let version = self.next();
        if let Some(piece) = self.pieces.get_mut(subject) {
            piece.version = version;
            piece.failure = None;
            piece.retrying = None;
            piece.retry_at = None;
        }
    }

    /// The configuration of a connector was written.
    pub(super) fn take_config(&mut self, name: &str, before: Option<&Config>) {
        let now = self.configs.config(name);
        if now == before {
            return;
        }
        // What a task can take over is brought to it with its own configuration.
        let stays = (before.zip(now)).is_some_and(|(before, now)| is_taken_over(before, now));
        let connector = Subject::Connector(name.to_owned());
        let piece = self.pieces.get(&connector);
        let has_failed = piece.is_some_and(|piece| piece.failure.is_some());
        if has_failed || !stays {
            self.renew(&connector);
        }
    }

    /// The tasks of a connector were written: those that are others now are begun anew, unless they can take over what is.
    pub(super) fn take_tasks(&mut self, name: &str, before: &[Config]) {
        let now = self.configs.tasks(name).to_vec();
        let count = u32::try_from(now.len()).unwrap_or(u32::MAX);
        let is_dealt_anew = before.len() != now.len();
        for (task, config) in (0..).zip(&now) {
            let subject = Subject::Task(name.to_owned(), task);
            let stays = match before.get(task as usize) {
                None => false,
                Some(before) if before == config && !(is_dealt_anew && is_parted(config)) => true,
                Some(before) => goes_on(before, config) && self.adjust(&subject, config, count),
            };
            if !stays {
                self.renew(&subject);
            }
        }
    }

    /// Whether it runs and goes on with this configuration.
    fn adjust(&self, subject: &Subject, config: &Config, tasks: u32) -> bool {
        let instance = self.instances.get(subject);
        let running = instance.filter(|instance| !instance.ending);
        let probe = running.and_then(|instance| instance.probe.as_ref());
        probe.is_some_and(|probe| probe.adjust(config, tasks))
    }

    pub(super) fn forget_failures(&mut self, name: &str) {
        for (subject, piece) in &mut self.pieces {
            if connector_of(subject) == name {
                piece.failure = None;
                piece.retry_at = None;
                piece.restarting = false;
            }
        }
    }

    /// Begins anew what a request covers, of what this worker has.
    pub(super) fn restart_own(&mut self, name: &str, request: RestartRequest) {
        let status = |subject: &Subject| self.statuses.get(subject).map(|status| status.state);
        let connector = Subject::Connector(name.to_owned());
        let state = status(&connector).unwrap_or(State::Unassigned);
        let tasks = self.pieces.keys().filter_map(|subject| match subject {
            Subject::Task(of, task) if of == name => {
                Some((*task, status(subject).unwrap_or(State::Unassigned)))
            }
            _ => None,
        });
        let plan = request.plan(state, tasks);
        self.stage(format!("handling restart request for connector {name}"));
        if plan.connector {
            self.begin_anew(&connector);
        }
        for task in plan.tasks {
            self.begin_anew(&Subject::Task(name.to_owned(), task));
        }
    }

    /// Restarts something. What is paused or stopped stays so.
    pub(super) fn begin_anew(&mut self, subject: &Subject) {
        if self.configs.target(connector_of(subject)) != TargetState::Started {
            return;
        }
        self.renew(subject);
        if let Some(piece) = self.pieces.get_mut(subject) {
            piece.restarting = true;
            piece.backoff.reset();
        }
        self.reconcile(subject);
    }

    pub(super) fn is_configured(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Connector(name) => self.configs.config(name).is_some(),
            Subject::Task(name, task) => (*task as usize) < self.configs.tasks(name).len(),
        }
    }

    fn wanted(&self, subject: &Subject) -> Wanted {
        let target = self.configs.target(connector_of(subject));
        match self.pieces.get(subject) {
            Some(piece)
                if piece.failure.is_none()
                    && target == TargetState::Started
                    && self.holds(subject)
                    && self.is_configured(subject) =>
            {
                Wanted::Run(piece.version)
            }
            _ => Wanted::Rest,
        }
    }

    pub(super) fn reconcile(&mut self, subject: &Subject) {
        if self.holds(subject) && !self.pieces.contains_key(subject) {
            let version = self.next();
            self.pieces.insert(subject.clone(), Piece::new(version));
        }
        let runs = match self.instances.get(subject) {
            None => Runs::Nothing,
            Some(instance) if instance.ending => Runs::Ending,
            Some(instance) => Runs::Future(instance.version),
        };
        match reconcile(self.wanted(subject), runs) {
            // What was given in a round that does not hold yet waits; what runs, runs on.
            Action::Start if self.may_start => self.start(subject),
            Action::Stop => self.stop(subject),
            Action::Start | Action::Wait => {}
        }
        self.say(subject);
        if !self.holds(subject) && !self.instances.contains_key(subject) {
            self.pieces.remove(subject);
            if let Subject::Connector(name) = subject {
                self.dealing.remove(name);
            }
        }
    }

    fn part(&self, subject: &Subject) -> Part {
        match subject {
            Subject::Connector(_) => Part::Connector,
            Subject::Task(name, number) => {
                let tasks = self.configs.tasks(name);
                let own = tasks.get(*number as usize);
                Part::Task {
                    number: *number,
                    of: u32::try_from(tasks.len()).unwrap_or(u32::MAX),
                    partitions: own.map_or_else(BTreeMap::new, partitions_of),
                }
            }
        }
    }

    fn start(&mut self, subject: &Subject) {
        let incarnation = self.next();
        let name = connector_of(subject).to_owned();
        let config = match subject {
            Subject::Connector(_) => self.configs.config(&name),
            Subject::Task(_, task) => self.configs.tasks(&name).get(*task as usize),
        };
        let (Some(config), Some(piece)) = (config, self.pieces.get_mut(subject)) else {
            return;
        };
        piece.starts += 1;
        let version = piece.version;
        let mut config = config.clone();
        config.remove(PARTITIONS);
        config.remove("task.index");
        self.stage("starting the connector".to_owned());
        let scope = Arc::new(self.scope.child(subject.key()));
        let (started, probe) = oneshot::channel();
        let start = LinkStart {
            name,
            config,
            part: self.part(subject),
        };
        let fence = match subject {
            Subject::Connector(_) => None,
            Subject::Task(of, _) => self.fence_first(of),
        };
        let stop = scope.stop_signal();
        let run = self.host.run(start, Started(started), stop.clone());
        let (events, of) = (self.links.events.clone(), subject.clone());
        scope.spawn("start", OnFailure::Report, async move {
            if let Ok(probe) = probe.await {
                // The herder is gone only when the worker ends.
                drop(events.send(Event::Started(of, incarnation, probe)).await);
            }
        });
        let (events, of) = (self.links.events.clone(), subject.clone());
        scope.spawn("run", OnFailure::Report, async move {
            let fenced = match fence {
                None => Some(Ok(())),
                Some(fence) => stop.unless_requested(fence).await,
            };
            let ended = match fenced {
                None => Ok(()),
                Some(Ok(())) => run.await,
                Some(Err(failure)) => Err(failure),
            };
            drop(events.send(Event::Ended(of, incarnation, ended)).await);
        });
        let instance = Instance {
            incarnation,
            version,
            scope,
            ending: false,
            probe: None,
            since: Instant::now(),
        };
        self.instances.insert(subject.clone(), instance);
    }

    fn stop(&mut self, subject: &Subject) {
        let grace = self.worker.shutdown_timeout;
        self.end(subject, grace);
    }

    /// Ends everything at once: what it has on its way is given up.
    pub(super) fn cut_off_everything(&mut self) {
        let all: Vec<Subject> = self.instances.keys().cloned().collect();
        for subject in all {
            self.end(&subject, Duration::ZERO);
        }
        // Whoever has it next says how it fares.
        self.pieces.clear();
        self.dealing.clear();
    }

    fn end(&mut self, subject: &Subject, grace: Duration) {
        let Some(instance) = self.instances.get_mut(subject) else {
            return;
        };
        instance.ending = true;
        instance.probe = None;
        let (scope, incarnation) = (Arc::clone(&instance.scope), instance.incarnation);
        scope.request_stop();
        self.stage(format!("stopping connector {}", connector_of(subject)));
        let (events, of) = (self.links.events.clone(), subject.clone());
        self.scope.spawn(
            format!("stop {}", of.key()),
            OnFailure::Report,
            async move {
                let report = scope.stop(grace).await;
                if !report.aborted.is_empty() && !grace.is_zero() {
                    tracing::warn!("{} did not end within {grace:?} and was cut off", of.key());
                }
                drop(events.send(Event::Ended(of, incarnation, Ok(()))).await);
            },
        );
    }

    pub(super) async fn stop_everything(&mut self) {
        for instance in self.instances.values() {
            instance.scope.request_stop();
        }
        let deadline = Instant::now() + self.worker.shutdown_timeout;
        let all: Vec<(Subject, Instance)> =
            std::mem::take(&mut self.instances).into_iter().collect();
        for (subject, instance) in all {
            let grace = deadline.saturating_duration_since(Instant::now());
            let report = instance.scope.stop(grace).await;
            if !report.aborted.is_empty() {
                tracing::warn!("{} did not stop in time", subject.key());
            }
            // Where too many wait, the leader says it of what is lost.
            let _ = self.write_status(&subject, State::Unassigned, None);
        }
        let report = self.scope.stop(Duration::ZERO).await;
        tracing::debug!(?report, "links stopped");
    }

    pub(super) fn piece_started(
        &mut self,
        subject: &Subject,
        incarnation: u64,
        probe: Box<dyn Probe>,
        now: Instant,
    ) {
        let Some(instance) = self.instances.get_mut(subject) else {
            return;
        };
        if instance.incarnation != incarnation || instance.ending {
            return;
        }
        tracing::info!("{} started", subject.key());
        instance.probe = Some(probe);
        instance.since = now;
        if let Some(piece) = self.pieces.get_mut(subject) {
            piece.restarting = false;
            piece.retrying = None;
        }
        self.look(subject, now);
    }

    pub(super) fn piece_ended(
        &mut self,
        subject: &Subject,
        incarnation: u64,
        ended: Result<(), LinkFailure>,
        now: Instant,
    ) {
        let Some(instance) = self.instances.get(subject) else {
            return;
        };
        if instance.incarnation != incarnation {
            return;
        }
        let (version, was_asked) = (instance.version, instance.ending);
        self.instances.remove(subject);
        let retries = self.configs.retries(connector_of(subject));
        if let Some(piece) = self.pieces.get_mut(subject)
            && piece.version == version
            && !was_asked
        {
            let failure = LinkFailure::of(ended).trace;
            piece.restarting = false;
            piece.retry_at = retries.then(|| now + piece.backoff.next_delay());
            let again = piece.retry_at.map(|at| at - now);
            // During a long outage the same failure comes every few seconds.
            let known = piece.failure.as_ref().or(piece.retrying.as_ref());
            if known == Some(&failure) {
                tracing::debug!(retry_in = ?again, "{} failed again: {failure}", subject.key());
            } else {
                tracing::error!(retry_in = ?again, "{} failed: {failure}", subject.key());
            }
            piece.retrying = None;
            piece.failure = Some(failure);
            piece.failed_at = Some(SystemTime::now());
        }
        self.reconcile(subject);
    }

    /// Looks at everything that runs, and begins again what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        let running: Vec<Subject> = self.instances.keys().cloned().collect();
        for subject in running {
            self.look(&subject, now);
        }
        let due: Vec<Subject> = self
            .pieces
            .iter()
            .filter(|(_, piece)| piece.retry_at.is_some_and(|at| at <= now))
            .map(|(subject, _)| subject.clone())
            .collect();
        for subject in due {
            self.retry(&subject);
        }
        self.deal_out(now);
        self.renew_key();
    }

    /// Begins something that failed again. It counts as failed until it has started.
    fn retry(&mut self, subject: &Subject) {
        let Some(piece) = self.pieces.get_mut(subject) else {
            return;
        };
        piece.retry_at = None;
        piece.retrying = piece.failure.take();
        self.reconcile(subject);
    }

    fn look(&mut self, subject: &Subject, now: Instant) {
        let Some(instance) = self.instances.get(subject) else {
            return;
        };
        if let Some(failure) = instance.scope.first_failure() {
            // A panic: nothing else ends without an event.
            let incarnation = instance.incarnation;
            let failure = LinkFailure::new("java.lang.IllegalStateException", &failure.to_string());
            self.piece_ended(subject, incarnation, Err(failure), now);
            return self.try_join();
        }
        if let Some(piece) = self.pieces.get_mut(subject)
            && instance.probe.is_some()
            && now.duration_since(instance.since) > SETTLED
        {
            piece.backoff.reset();
        }
        self.say(subject);
        self.track(subject);
    }

    pub(super) fn report(&self, subject: &Subject) -> Option<LinkReport> {
        let instance = self.instances.get(subject)?;
        Some(instance.probe.as_ref()?.look())
    }
}
