//! What runs: links that are started, stopped, looked at, and begun anew when they have failed.

use std::sync::Arc;
use std::time::SystemTime;

use lifecycle::OnFailure;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::core::{Core, Event};
use super::link_state::{Instance, connector_state};
use super::reconcile::{Action, Runs, Wanted, reconcile};
use crate::Config;
use crate::adjustment::is_taken_over;
use crate::host::{LinkFailure, LinkStart, Part, Started};
use crate::state::TargetState;

impl Core {
    fn wanted(&self, name: &str) -> Wanted {
        let Some(link) = self.links.get(name) else {
            return Wanted::Rest;
        };
        let waits =
            link.failure.is_some() || link.changing.is_some() || self.waiting.contains_key(name);
        match self.configs.target(name) {
            TargetState::Started if !waits => Wanted::Run(link.generation),
            _ => Wanted::Rest,
        }
    }

    pub(super) fn reconcile(&mut self, name: &str) {
        let runs = match self.instances.get(name) {
            None => Runs::Nothing,
            Some(instance) if instance.ending => Runs::Ending,
            Some(instance) => Runs::Future(instance.generation),
        };
        match reconcile(self.wanted(name), runs) {
            Action::Start => self.start(name),
            Action::Stop => self.stop(name),
            Action::Wait => {}
        }
        if !self.instances.contains_key(name) {
            self.begin_change(name);
        }
    }

    /// Whether the link, which runs, goes on with this configuration in place of the one that it has.
    pub(super) fn takes_over(&self, name: &str, config: &Config) -> bool {
        let before = self.configs.config(name);
        let running = self
            .instances
            .get(name)
            .filter(|instance| !instance.ending)
            .and_then(|instance| instance.probe.as_ref());
        let (Some(before), Some(probe)) = (before, running) else {
            return false;
        };
        is_taken_over(before, config) && probe.adjust(config, 1)
    }

    fn start(&mut self, name: &str) {
        let incarnation = self.next();
        let (Some(config), Some(link)) = (self.configs.config(name), self.links.get_mut(name))
        else {
            return;
        };
        link.starts += 1;
        let generation = link.generation;
        self.stage("starting the connector".to_owned());
        let scope = Arc::new(self.scope.child(name));
        let (started, probe) = oneshot::channel();
        let start = LinkStart {
            name: name.to_owned(),
            config: config.clone(),
            part: Part::Whole,
        };
        let run = self.host.run(start, Started(started), scope.stop_signal());
        let (events, link_name) = (self.events.clone(), name.to_owned());
        scope.spawn("start", OnFailure::Report, async move {
            if let Ok(probe) = probe.await {
                drop(
                    events
                        .send(Event::Started(link_name, incarnation, probe))
                        .await,
                );
            }
        });
        let (events, link_name) = (self.events.clone(), name.to_owned());
        scope.spawn("run", OnFailure::Report, async move {
            let ended = run.await;
            drop(
                events
                    .send(Event::Ended(link_name, incarnation, ended))
                    .await,
            );
        });
        let instance = Instance {
            incarnation,
            generation,
            scope,
            ending: false,
            probe: None,
            since: Instant::now(),
        };
        self.instances.insert(name.to_owned(), instance);
    }

    fn stop(&mut self, name: &str) {
        // What it has written since the last look would be forgotten.
        self.look(name, Instant::now());
        let Some(instance) = self.instances.get_mut(name) else {
            return;
        };
        instance.ending = true;
        let (scope, incarnation) = (Arc::clone(&instance.scope), instance.incarnation);
        scope.request_stop();
        self.stage(format!("stopping connector {name}"));
        let (events, grace) = (self.events.clone(), self.worker.shutdown_timeout);
        let link = name.to_owned();
        self.scope
            .spawn(format!("stop {name}"), OnFailure::Report, async move {
                let report = scope.stop(grace).await;
                if !report.aborted.is_empty() {
                    tracing::warn!(link, "did not end within {grace:?} and was cut off");
                }
                drop(events.send(Event::Ended(link, incarnation, Ok(()))).await);
            });
    }

    pub(super) fn on(&mut self, event: Event, now: Instant) {
        match event {
            Event::Started(name, incarnation, probe) => {
                let Some(instance) = self.instances.get_mut(&name) else {
                    return;
                };
                if instance.incarnation != incarnation || instance.ending {
                    return;
                }
                tracing::info!(link = name, "started");
                instance.probe = Some(probe);
                instance.since = now;
                if let Some(link) = self.links.get_mut(&name) {
                    link.restarting = false;
                    link.failure = None;
                }
                self.look(&name, now);
            }
            Event::Ended(name, incarnation, ended) => self.ended(&name, incarnation, ended, now),
            Event::OffsetsChanged(name, number) => {
                // The connector may have been deleted and made anew meanwhile.
                let link = self.links.get_mut(&name);
                if let Some(link) = link.filter(|link| link.changing == Some(number)) {
                    link.changing = None;
                }
                self.reconcile(&name);
            }
        }
    }

    fn ended(
        &mut self,
        name: &str,
        incarnation: u64,
        ended: Result<(), LinkFailure>,
        now: Instant,
    ) {
        let Some(instance) = self.instances.get(name) else {
            return;
        };
        if instance.incarnation != incarnation {
            return;
        }
        let (generation, was_asked) = (instance.generation, instance.ending);
        if let (Some(probe), Some(link)) = (&instance.probe, self.links.get_mut(name)) {
            link.track(&probe.look());
        }
        self.instances.remove(name);
        let retries = self.retries(name);
        if let Some(link) = self.links.get_mut(name)
            && link.generation == generation
            && !was_asked
        {
            let failure = LinkFailure::of(ended).trace;
            link.restarting = false;
            link.retry_at = retries.then(|| now + link.backoff.next_delay());
            let again = link.retry_at.map(|at| at - now);
            // During a long outage the same failure comes every few seconds.
            if link.failure.as_ref() == Some(&failure) {
                tracing::debug!(link = name, retry_in = ?again, "failed again: {failure}");
            } else {
                tracing::error!(link = name, retry_in = ?again, "failed: {failure}");
            }
            link.failure = Some(failure);
            let now = SystemTime::now();
            let tasks = (0..).take(link.shares.len());
            link.failed_at = tasks.map(|task| (task, now)).collect();
        }
        self.reconcile(name);
    }

    /// Looks at everything that runs, and begins again what is due.
    pub(super) fn tick(&mut self, now: Instant) {
        let names: Vec<String> = self.instances.keys().cloned().collect();
        for name in names {
            self.look(&name, now);
        }
        let due: Vec<String> = self
            .links
            .iter()
            .filter(|(_, link)| link.retry_at.is_some_and(|at| at <= now))
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.retry(&name);
        }
        self.retry_tasks(now);
        self.note_states(now);
    }

    /// Takes down since when tasks are in their states.
    fn note_states(&mut self, now: Instant) {
        for (name, link) in &mut self.links {
            let (state, _) =
                connector_state(self.configs.target(name), link, self.instances.get(name));
            let count = u32::try_from(self.configs.tasks(name).len()).unwrap_or(u32::MAX);
            link.note_states((count, state), now);
        }
    }

    /// Begins a failed link again. It counts as failed until it has started.
    fn retry(&mut self, name: &str) {
        let Some(link) = self.links.get_mut(name) else {
            return;
        };
        link.retry_at = None;
        let failure = link.failure.take();
        self.reconcile(name);
        if let Some(link) = self.links.get_mut(name) {
            link.failure = failure;
        }
    }

    pub(super) fn look(&mut self, name: &str, now: Instant) {
        let Some(instance) = self.instances.get(name) else {
            return;
        };
        if let Some(failure) = instance.scope.first_failure() {
            // A panic: nothing else ends without an event.
            let incarnation = instance.incarnation;
            let failure = LinkFailure::new("java.lang.IllegalStateException", &failure.to_string());
            return self.ended(name, incarnation, Err(failure), now);
        }
        let (Some(probe), Some(link)) = (&instance.probe, self.links.get_mut(name)) else {
            return;
        };
        let report = probe.look();
        link.settle(instance.since, now);
        link.track(&report);
        link.standing.look(!report.standing.is_empty(), now);
        link.note_failures(link.task_failures(&report), SystemTime::now());
        let most = self
            .configs
            .config(name)
            .and_then(|config| config.get("tasks.max")?.trim().parse().ok())
            .unwrap_or(1);
        if link.deal(&report, most) {
            self.stage(format!("generating task configs for connector {name}"));
            self.share_out(name);
        }
    }

    /// Ends all links in order.
    pub(super) async fn shut_down(&mut self) {
        self.stage("shutting down".to_owned());
        for instance in self.instances.values() {
            instance.scope.request_stop();
        }
        let deadline = Instant::now() + self.worker.shutdown_timeout;
        for (name, instance) in self.instances.drain() {
            let grace = deadline.saturating_duration_since(Instant::now());
            let report = instance.scope.stop(grace).await;
            if !report.aborted.is_empty() {
                tracing::warn!(link = name, "did not stop in time");
            }
        }
        let report = self.scope.stop(std::time::Duration::ZERO).await;
        tracing::debug!(?report, "links stopped");
    }
}
