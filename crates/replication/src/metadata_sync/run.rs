//! The loop: observe, plan, apply what is not waiting after a refusal, report, wait.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use config::link::OnRecreate;
use kafka_client::Cluster;
use kafka_wire::types::TopicName;
use lifecycle::Backoff;
use tokio::time::{Instant, sleep, sleep_until};

use super::apply::{Applied, Mode, Outcome, apply};
use super::condition::{Condition, Problem};
use super::first::First;
use super::history::{History, RefusedSetting};
use super::looking::Looking;
use super::observe::{Look, Observation, Settings, observe};
use super::operations::Operations;
use super::plan::settings::refusal;
use super::plan::{Copy, Plan, Rules, Step, selected};
use super::retention::{self, Retention};
use crate::link_memory::LinkMemory;

/// Pause before a round that could not look at both clusters is repeated, first and longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// How long a change that was answered with success may take to show in metadata.
const SETTLE: Duration = Duration::from_secs(5);
/// How long settings of a topic are left alone after the destination does not let us change them.
const NOT_FOLLOWED: Duration = Duration::from_secs(3600);
/// How long a copy may be created or grown before that is worth a look.
const PENDING: Duration = Duration::from_secs(60);

/// What one round found.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// Number of the round, from 1.
    pub number: u64,
    /// Topics that can be copied.
    pub copies: Vec<Copy>,
    /// Selected topics of the source and their partition counts, copied yet or not.
    pub selected: BTreeMap<TopicName, i32>,
    /// What is wrong with single topics.
    pub problems: Vec<Problem>,
    /// What concerns no single topic.
    pub notices: BTreeSet<String>,
    /// Topics whose partitions are to stop, with the reason.
    pub halted: BTreeMap<TopicName, Problem>,
    /// Topics that are others than before, on either side.
    pub renewed: BTreeSet<TopicName>,
    /// Why the round could not look at both clusters.
    pub trouble: Option<String>,
    /// The first of the topics that are not copied, and why, where that is not only for a moment.
    pub blocked: Option<String>,
    /// Steps that partitions wait for and that are still to be carried out.
    pub pending: usize,
    /// Topics of the source that were looked at, selected or not.
    pub seen: usize,
    /// Whether these were all: where exact names select, only they are looked at.
    pub everything: bool,
    /// For how long the source keeps records.
    pub retention: Retention,
    /// Whether settings of topics are followed by whoever went round.
    pub follows_settings: bool,
    /// What has been done to the destination since the link was started.
    pub operations: Operations,
    /// When it ended.
    pub at: Option<Instant>,
}

/// A change that was refused.
#[derive(Clone, Debug)]
struct Refused {
    not_before: Instant,
    state: Condition,
    reason: String,
}

/// See the module.
#[derive(Debug)]
pub struct MetadataSync {
    source: Cluster,
    destination: Cluster,
    rules: Rules,
    history: History,
    /// Ids of both clusters, from the first look.
    ids: Option<(Option<String>, Option<String>)>,
    /// Copies whose creation or growth was refused.
    refused: HashMap<TopicName, Refused>,
    /// Copies that were created or grown: not again before this time.
    settling: HashMap<TopicName, Instant>,
    /// Copies that wait for a quota of the destination: not again before this time.
    throttled: HashMap<TopicName, Instant>,
    /// Settings of source topics whose copies are settling.
    settling_settings: BTreeMap<TopicName, Settings>,
    /// What the first look found, where it is the only one.
    first: Option<First>,
    /// When settings are compared next.
    settings_at: Option<Instant>,
    /// Notes on settings, from the last comparison.
    notes: Vec<Problem>,
    /// Since when topics are not copied, by what keeps them.
    blocking: BTreeMap<(TopicName, Condition), Instant>,
    rounds: u64,
    said: BTreeSet<(TopicName, Condition, String)>,
    said_notices: BTreeSet<String>,
    /// Whether the last round could not look, and that was said.
    blind: bool,
    /// Why settings of no topic can be changed, if that is so.
    fixed_settings: Option<String>,
    /// Where this link remembers what it did.
    memory: Option<LinkMemory>,
    /// Whether it could not, and that was said.
    forgetful: bool,
    /// Another process makes the changes.
    only_looks: bool,
    /// For how long the source keeps records, as far as that was read.
    retention: Retention,
    /// What has been done to the destination.
    operations: Operations,
}

impl MetadataSync {
    /// A synchroniser; nothing happens before [`MetadataSync::run`].
    #[must_use]
    pub fn new(source: Cluster, destination: Cluster, rules: Rules, history: History) -> Self {
        Self {
            source,
            destination,
            rules,
            history,
            ids: None,
            refused: HashMap::new(),
            settling: HashMap::new(),
            throttled: HashMap::new(),
            settling_settings: BTreeMap::new(),
            first: None,
            settings_at: None,
            notes: Vec::new(),
            blocking: BTreeMap::new(),
            rounds: 0,
            said: BTreeSet::new(),
            said_notices: BTreeSet::new(),
            blind: false,
            fixed_settings: None,
            memory: None,
            forgetful: false,
            only_looks: false,
            retention: Retention::default(),
            operations: Operations::default(),
        }
    }

    /// As before, and nothing is changed: another process does that, and what it has made is found here.
    #[must_use]
    pub fn only_looking(mut self) -> Self {
        self.only_looks = true;
        self
    }

    /// As before, and what is done is remembered in `memory`.
    #[must_use]
    pub fn remembering(mut self, memory: LinkMemory) -> Self {
        self.memory = Some(memory);
        self
    }

    /// Goes round until the future is dropped; `report` gets every round. A notification of `look` asks
    /// for the next round before it is due.
    pub async fn run<F>(mut self, look: &Looking, mut report: impl FnMut(Round) -> F)
    where
        F: Future<Output = ()>,
    {
        let mut backoff = Backoff::seeded(RETRY.0, RETRY.1);
        let compares = self.rules.settings.config_sync.filter(|_| !self.only_looks);
        self.settings_at = compares.map(|_| Instant::now());
        let soon = look.soon();
        loop {
            self.history.answered(look.take_answered());
            if look.take_settings() && compares.is_some() {
                self.settings_at = Some(Instant::now());
            }
            let (round, again) = self.round().await;
            let failed = round.trouble.is_some();
            report(round).await;
            self.remember().await;
            if failed || again {
                sleep(backoff.next_delay()).await;
                continue;
            }
            backoff.reset();
            let (now, due) = (Instant::now(), self.next_look(Instant::now()));
            // Either way another round follows, so nothing is lost by dropping the other branch.
            tokio::select! {
                () = sleep_until(due) => {}
                () = soon.notified() => sleep_until(due.min(now + RETRY.1)).await,
            }
        }
    }

    /// What was changed is looked at soon, what is missing in time to be sure of it, what was refused
    /// when it is due, everything else at the configured intervals.
    fn next_look(&self, now: Instant) -> Instant {
        let poll = now + self.rules.settings.poll_interval;
        if !self.settling.is_empty() {
            return poll.min(now + RETRY.0);
        }
        let refused = self.refused.values().map(|refused| refused.not_before);
        let others = self.settings_at.into_iter().chain(refused);
        let others = others.chain(self.throttled.values().copied());
        let others = others.chain(self.history.confirmation_due());
        others.fold(poll, Instant::min).max(now + RETRY.0)
    }

    /// A round that has found nothing yet.
    fn begun(&self) -> Round {
        Round {
            number: self.rounds,
            operations: self.operations,
            follows_settings: self.rules.settings.config_sync.is_some() && !self.only_looks,
            ..Round::default()
        }
    }

    /// One round, and whether something has to be looked at again as after a failure.
    async fn round(&mut self) -> (Round, bool) {
        self.rounds += 1;
        let mut round = self.begun();
        let observed = self.look().await;
        let now = Instant::now();
        round.at = Some(now);
        let seen = match observed {
            Ok(seen) => seen,
            Err(trouble) => {
                if !std::mem::replace(&mut self.blind, true) {
                    tracing::warn!("topics cannot be looked at: {trouble}");
                }
                round.trouble = Some(trouble);
                return (round, true);
            }
        };
        if std::mem::replace(&mut self.blind, false) {
            tracing::info!("topics can be looked at again");
        }
        self.history.observed(&seen, now);
        let plan = Plan::new(&seen, &self.history, &self.rules);
        (round.seen, round.everything) = (seen.seen(), seen.everything);
        round.selected = selected(&seen);
        retention::update(&mut self.retention, &seen.source);
        round.retention = Arc::clone(&self.retention);
        let planned: BTreeSet<TopicName> =
            plan.steps.iter().map(|step| step.topic().clone()).collect();
        self.forget_past(&planned, now);
        let due: Vec<Step> = plan
            .steps
            .iter()
            .filter(|step| !self.only_looks && self.is_due(step, now))
            .cloned()
            .collect();
        for step in &due {
            tracing::info!("plan: {step}");
        }
        let report = apply(&self.destination, &due, Mode::Change).await;
        let (mut again, mut notes) = (false, plan.notes);
        for applied in report.applied {
            again |= self.applied(applied, &mut notes, now);
        }
        round.operations = self.operations;
        self.schedule_settings(&seen, again, now);
        self.keep_settings(&plan.steps, &seen);
        tracing::debug!(
            looks = seen.requests,
            changes = report.requests,
            "topics were looked at"
        );
        round.pending = plan
            .steps
            .iter()
            .filter(|step| step.is_waited_for() && !self.refused.contains_key(step.topic()))
            .count();
        // What another process makes is looked for soon.
        again |= self.only_looks && round.pending > 0;
        round.problems = plan.problems;
        for step in plan.steps.iter().filter(|step| step.is_waited_for()) {
            if let Some(refused) = self.refused.get(step.topic()) {
                let sources = Plan::sources(step, &seen, &self.rules).into_iter();
                let problems =
                    sources.map(|source| Problem::new(&source, refused.state, &refused.reason));
                round.problems.extend(problems);
            }
        }
        round.problems.extend(self.kept(notes, seen.settings_due));
        round.halted = halted(&round.problems);
        round.blocked = blocked(&mut self.blocking, &round.problems, now);
        let restart = matches!(self.rules.on_recreate, OnRecreate::Restart);
        round.renewed = self.history.copied(&plan.copies, restart);
        round.copies = plan.copies;
        round.notices = plan.notices;
        round.notices.extend(self.fixed_settings.clone());
        self.say_new(&round);
        (round, again)
    }

    /// What is over, or planned no more, holds nothing up.
    fn forget_past(&mut self, planned: &BTreeSet<TopicName>, now: Instant) {
        self.settling
            .retain(|topic, until| *until > now && planned.contains(topic));
        self.throttled
            .retain(|topic, until| *until > now && planned.contains(topic));
        self.refused.retain(|topic, _| planned.contains(topic));
    }

    async fn look(&mut self) -> Result<Observation, String> {
        let settings = &self.rules.settings;
        let look = Look {
            settings,
            first: self.first.as_mut(),
            expected: self.history.expected(&settings.selection),
            settings_due: self.settings_at.is_some_and(|at| at <= Instant::now()),
            everything: false,
            settling: std::mem::take(&mut self.settling_settings),
        };
        let seen = observe(&self.source, &self.destination, look).await?;
        let ids = (self.source.cluster_id(), self.destination.cluster_id());
        let before = self.ids.get_or_insert_with(|| ids.clone());
        if *before != ids {
            return Err(format!(
                "the cluster behind the bootstrap servers changed: its id was {} at the source and {} at the \
                 destination, is {} and {}; nothing is changed there. Restart the link if that is what you want",
                shown(before.0.as_deref()),
                shown(before.1.as_deref()),
                shown(ids.0.as_deref()),
                shown(ids.1.as_deref())
            ));
        }
        if !self.rules.settings.refresh && self.first.is_none() {
            self.first = Some(First::of(&seen));
        }
        Ok(seen)
    }

    fn is_due(&self, step: &Step, now: Instant) -> bool {
        let topic = step.topic();
        !step.is_waited_for()
            || (!self.settling.contains_key(topic)
                && !self.throttled.contains_key(topic)
                && self.refused.get(topic).is_none_or(|r| r.not_before <= now))
    }

    /// Takes an outcome; `true` when it has to be looked at again as after a failure.
    fn applied(&mut self, applied: Applied, notes: &mut Vec<Problem>, now: Instant) -> bool {
        self.operations.count(&applied);
        let (topic, source) = (applied.step.topic().clone(), applied.step.source().clone());
        for (change, reason) in applied.refused {
            let sentence = refusal(&change, &reason);
            notes.push(Problem::new(&source, Condition::SettingRefused, sentence));
            let value = change.to;
            let refused = RefusedSetting { value, reason };
            self.history
                .refused
                .insert((topic.clone(), change.name), refused);
        }
        match applied.outcome {
            Outcome::Done | Outcome::Existed => {
                if matches!(applied.outcome, Outcome::Done) {
                    self.history.made(&applied.step);
                }
                if matches!(applied.step, Step::Configure { .. }) {
                    self.fixed_settings = None;
                }
                if applied.step.is_waited_for() {
                    self.refused.remove(&topic);
                    self.settling.insert(topic, now + SETTLE);
                }
                false
            }
            Outcome::Throttled(pause) => {
                tracing::debug!(topic = %topic, ?pause, "the destination's quota is used up");
                self.throttled.insert(topic, now + pause);
                false
            }
            Outcome::Unsupported(reason) => {
                let sentence = format!(
                    "settings of copies are not followed, because the destination cannot change single ones: {reason}; \
                     records are copied all the same"
                );
                if self.fixed_settings.as_ref() != Some(&sentence) {
                    tracing::error!("{sentence}");
                    self.said_notices.insert(sentence.clone());
                }
                self.fixed_settings = Some(sentence);
                false
            }
            Outcome::Again(reason) => {
                tracing::debug!(topic = %topic, "to be looked at again: {reason}");
                true
            }
            Outcome::Refused(state, reason) if applied.step.is_waited_for() => {
                let not_before = now + self.rules.settings.create_backoff;
                let refused = Refused {
                    not_before,
                    state,
                    reason,
                };
                self.refused.insert(topic, refused);
                false
            }
            Outcome::Refused(state, reason) => {
                notes.push(Problem::new(&source, state, &reason));
                let until = now + NOT_FOLLOWED;
                self.history.not_followed.insert(topic, (until, reason));
                false
            }
        }
    }

    /// Keeps what this link made where it outlives the process.
    async fn remember(&mut self) {
        let Some(memory) = &mut self.memory else {
            return;
        };
        match memory.own(&self.history.own).await {
            Ok(()) if std::mem::replace(&mut self.forgetful, false) => {
                tracing::info!("settings that this link made are remembered again");
            }
            Ok(()) => {}
            Err(error) => {
                if !std::mem::replace(&mut self.forgetful, true) {
                    tracing::warn!(
                        "settings that this link made cannot be remembered, it is tried again: {error}"
                    );
                }
            }
        }
    }

    /// While copies that were made do not show, their sources are not described again.
    fn keep_settings(&mut self, steps: &[Step], seen: &Observation) {
        for step in steps {
            let settings = seen
                .source
                .get(step.source())
                .and_then(|t| t.settings.clone());
            if let Some(settings) = settings.filter(|_| self.settling.contains_key(step.topic())) {
                self.settling_settings
                    .insert(step.source().clone(), settings);
            }
        }
    }

    fn schedule_settings(&mut self, seen: &Observation, again: bool, now: Instant) {
        if let Some(interval) = self.rules.settings.config_sync
            && seen.settings_due
        {
            let pause = match (&self.fixed_settings, again) {
                (Some(_), _) => interval.max(NOT_FOLLOWED),
                (None, true) => interval.min(RETRY.1),
                (None, false) => interval,
            };
            self.settings_at = Some(now + pause);
        }
    }

    /// Notes on settings hold until settings are compared again.
    fn kept(&mut self, notes: Vec<Problem>, complete: bool) -> Vec<Problem> {
        if complete {
            self.notes = notes;
        } else {
            for note in notes {
                if !self.notes.contains(&note) {
                    self.notes.push(note);
                }
            }
        }
        self.notes.clone()
    }

    /// Logs states when they begin and end, not in every round.
    fn say_new(&mut self, round: &Round) {
        let key = |problem: &Problem| {
            // What the broker says may change from answer to answer.
            let detail = if problem.is_blocking() {
                String::new()
            } else {
                problem.reason.clone()
            };
            (problem.topic.clone(), problem.state, detail)
        };
        let now: BTreeSet<_> = round.problems.iter().map(key).collect();
        for problem in round
            .problems
            .iter()
            .filter(|p| !self.said.contains(&key(p)))
        {
            tracing::warn!(
                topic = %problem.topic, state = %problem.state,
                "{} ({})", problem.sentence(), crate::help::page(problem.state.name())
            );
        }
        for (topic, state, _) in self.said.difference(&now) {
            if state.is_blocking() {
                tracing::info!(%topic, %state, "no longer so");
            }
        }
        self.said = now;
        for notice in round.notices.difference(&self.said_notices) {
            tracing::warn!("{notice}");
        }
        self.said_notices.clone_from(&round.notices);
    }
}

fn shown(id: Option<&str>) -> &str {
    id.unwrap_or("unknown")
}

/// What keeps topics back, and what passes by itself mostly has done so for a while.
fn blocked(
    since: &mut BTreeMap<(TopicName, Condition), Instant>,
    problems: &[Problem],
    now: Instant,
) -> Option<String> {
    let known = std::mem::take(since);
    let mut lasting: Vec<&Problem> = Vec::new();
    for problem in problems.iter().filter(|problem| problem.is_blocking()) {
        let key = (problem.topic.clone(), problem.state);
        let begun = known.get(&key).copied().unwrap_or(now);
        since.insert(key, begun);
        let passes = matches!(
            problem.state,
            Condition::DestinationPending | Condition::PartitionsPending
        );
        if !passes || now.saturating_duration_since(begun) >= PENDING {
            lasting.push(problem);
        }
    }
    let first = lasting.first()?;
    let topics: BTreeSet<&TopicName> = lasting.iter().map(|problem| &problem.topic).collect();
    Some(format!(
        "{} selected topics are not copied; first {}: {}: {}",
        topics.len(),
        first.topic,
        first.state,
        first.sentence()
    ))
}

/// Topics that nothing can be copied of until somebody acts.
fn halted(problems: &[Problem]) -> BTreeMap<TopicName, Problem> {
    problems
        .iter()
        .filter(|problem| {
            matches!(
                problem.state,
                Condition::SourceDeleted | Condition::DestinationDeleted
            )
        })
        .map(|problem| (problem.topic.clone(), problem.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_that_are_not_copied_are_said_and_what_is_being_made_only_when_that_lasts() {
        let begin = Instant::now();
        let mut since = BTreeMap::new();
        let problem = |topic: &str, state| Problem::new(&topic.into(), state, "for a test");
        let mut after = |seconds, problems: &[Problem]| {
            blocked(&mut since, problems, begin + Duration::from_secs(seconds))
        };
        let pending = [problem("new", Condition::DestinationPending)];
        assert_eq!(after(0, &pending), None);
        assert_eq!(after(59, &pending), None);
        let told = after(60, &pending).expect("it lasts");
        assert!(
            told.starts_with("1 selected topics are not copied; first new: destination-pending")
        );
        assert_eq!(after(61, &[]), None);
        assert_eq!(after(62, &pending), None);
        let harmless = [problem("t", Condition::CleanupDiffers)];
        assert_eq!(after(63, &harmless), None);
        let refused = [problem("t", Condition::CreateFailed)];
        assert!(after(64, &refused).is_some());
    }
}
