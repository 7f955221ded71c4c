//! The loop: observe, plan, apply, report, wait.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use config::link::AclSettings;
use config::naming::Naming;
use config::selection::TopicSelection;
use kafka_client::Cluster;
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::acl::AclBinding;
use lifecycle::Backoff;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::super::operations::Came;
use super::apply::apply;
use super::desired::Rules;
use super::observe::{AclObservation, Obstacle, observe};
use super::plan::AclPlan;
use super::record::{Failed, Record, Recorded};
use super::vanished::Vanished;
use super::{AclNote, AclState, AclStatus, AclTopics, OwnPrincipals, Refused};
use crate::position_store::PositionStore;

/// Pause after a round that could not be finished, first and longest.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Pause where a cluster has no authorizer, or does not let us.
const RECHECK: Duration = Duration::from_secs(60 * 60);
/// Pause between two rounds when topics appear one after the other.
const TOPICS_PAUSE: Duration = Duration::from_secs(1);
/// How long a change that was answered with success may take to show.
const SETTLE: Duration = Duration::from_secs(5);

/// What the copying of access rights needs.
#[derive(Debug)]
pub struct AclOptions {
    /// The link's name.
    pub link: String,
    /// Where rights are read.
    pub source: Cluster,
    /// Where they are made.
    pub destination: Cluster,
    /// `sync.topic.acls.…`, `tributary.acl.…`.
    pub settings: AclSettings,
    /// How copies are called.
    pub naming: Naming,
    /// Which topics are selected.
    pub selection: TopicSelection,
    /// Where the record of what was made is kept.
    pub store: PositionStore,
}

/// Handle to the copying of rights; cheap to clone.
#[derive(Clone, Debug)]
pub struct AclHandle {
    topics: watch::Sender<Option<AclTopics>>,
    status: watch::Receiver<Arc<AclStatus>>,
}

impl AclHandle {
    /// Says which topics there are. Nothing is done before this was said once.
    pub fn topics(&self, topics: AclTopics) {
        self.topics.send_if_modified(|known| {
            let changed = known.as_ref() != Some(&topics);
            *known = Some(topics);
            changed
        });
    }

    /// What is known now.
    #[must_use]
    pub fn status(&self) -> Arc<AclStatus> {
        self.status.borrow().clone()
    }
}

/// See the module above.
#[derive(Debug)]
pub struct AclSync {
    source: Cluster,
    destination: Cluster,
    settings: AclSettings,
    naming: Naming,
    selection: TopicSelection,
    own: OwnPrincipals,
    unread: Option<(String, PositionStore)>,
    topics: watch::Receiver<Option<AclTopics>>,
    report: watch::Sender<Arc<AclStatus>>,
    status: AclStatus,
    vanished: Vanished,
    /// What was changed a moment ago, and whether it was created.
    settling: HashMap<AclBinding, (bool, Instant)>,
    said: Said,
}

/// What has been logged and is not logged again until it changes.
#[derive(Debug, Default)]
struct Said {
    state: AclState,
    notes: Vec<AclNote>,
    refused: Vec<Refused>,
    drift: Vec<AclBinding>,
}

/// What would be done now, without doing it. `recorded` is what the link has made before, as [`super::recorded`] tells.
///
/// # Errors
/// Why rights cannot be compared: never [`AclState::Active`].
pub async fn preview(
    source: &Cluster,
    destination: &Cluster,
    rules: Rules<'_>,
    selection: &TopicSelection,
    recorded: &Recorded,
) -> Result<AclPlan, AclState> {
    let observation = observe(source, destination, rules.settings).await?;
    let (_, plan) = AclPlan::of(&observation, rules, selection, recorded, &BTreeSet::new());
    Ok(plan)
}

impl From<Obstacle> for AclState {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Off { side, code } => Self::Off { side, code },
            Obstacle::Trouble(trouble) => Self::Trouble(trouble),
        }
    }
}

impl AclSync {
    /// A synchroniser; nothing happens before [`AclSync::run`].
    #[must_use]
    pub fn new(options: AclOptions) -> (Self, AclHandle) {
        let own = OwnPrincipals::of(options.source.config(), options.destination.config());
        let (tell, topics) = watch::channel(None);
        let (report, status) = watch::channel(Arc::default());
        let sync = Self {
            source: options.source,
            destination: options.destination,
            settings: options.settings,
            naming: options.naming,
            selection: options.selection,
            own,
            unread: Some((options.link, options.store)),
            topics,
            report,
            status: AclStatus::default(),
            vanished: Vanished::default(),
            settling: HashMap::new(),
            said: Said::default(),
        };
        let topics = tell;
        (sync, AclHandle { topics, status })
    }

    /// Goes round until the future is dropped.
    pub async fn run(mut self) {
        let mut record = self.load().await;
        let mut backoff =
            Backoff::seeded(RETRY.0, RETRY.1.min(self.settings.interval).max(RETRY.0));
        // Ends with the handle: nobody can say any more which topics there are.
        while self.topics.wait_for(Option::is_some).await.is_ok() {
            let topics = self.topics.borrow_and_update().clone().unwrap_or_default();
            self.round(&topics, &mut record).await;
            let ended = Instant::now();
            let pause = match &self.status.state {
                AclState::Off { .. } => RECHECK,
                AclState::Trouble(_) => backoff.next_delay(),
                AclState::Waiting | AclState::Active => {
                    backoff.reset();
                    self.settings.interval
                }
            };
            if self.status.state != AclState::Active {
                sleep(pause).await;
                continue;
            }
            // Both are cancel-safe; a change that is not taken here is taken in the next turn.
            tokio::select! {
                () = sleep_until(ended + pause) => {}
                changed = self.topics.changed() => match changed {
                    Ok(()) => sleep(TOPICS_PAUSE).await,
                    Err(_) => return,
                },
            }
        }
    }

    async fn load(&mut self) -> Record {
        let mut backoff = Backoff::seeded(RETRY.0, RETRY.1);
        let (mut link, mut store) = self.unread.take().expect("run is called once");
        loop {
            match Record::load(link, store).await {
                Ok(record) => return record,
                Err(failed) => {
                    let Failed { cause, .. } = &failed;
                    let trouble = format!("the record of copied access rights: {cause}");
                    self.become_state(AclState::Trouble(trouble));
                    (link, store) = (failed.link, failed.store);
                    sleep(backoff.next_delay()).await;
                }
            }
        }
    }

    async fn round(&mut self, topics: &AclTopics, record: &mut Record) {
        let observed = observe(&self.source, &self.destination, &self.settings).await;
        let outcome = match observed {
            Ok(observation) => self.carry_out(observation, topics, record).await,
            Err(obstacle) => Some(obstacle),
        };
        self.status.rounds += 1;
        self.status.at = Some(Instant::now());
        self.status.recorded = record.recorded().len();
        if outcome.is_none() {
            self.status.went_through = self.status.at;
        }
        self.become_state(outcome.map_or(AclState::Active, AclState::from));
    }

    async fn carry_out(
        &mut self,
        mut observation: AclObservation,
        topics: &AclTopics,
        record: &mut Record,
    ) -> Option<Obstacle> {
        let now = Instant::now();
        self.settle(&mut observation.destination, now);
        let rules = Rules {
            settings: &self.settings,
            naming: &self.naming,
            own: &self.own,
            topics,
        };
        let existing = &observation.destination;
        for binding in self.vanished.observe(existing, record.recorded(), now) {
            tracing::warn!(
                "somebody removes what this link makes at the destination: {binding} vanished twice within an hour, and \
                 is left alone until tomorrow. Where another program owns the access rights, switch their copying off \
                 (sync.topic.acls.enabled=false)"
            );
        }
        let (desired, plan) = AclPlan::of(
            &observation,
            rules,
            &self.selection,
            record.recorded(),
            &self.vanished.paused(),
        );
        for step in plan.steps() {
            tracing::info!("plan: {step}");
        }
        let applied = apply(&self.destination, &plan, record).await;
        for binding in &applied.created {
            self.settling.insert(binding.clone(), (true, now + SETTLE));
        }
        for binding in &applied.deleted {
            self.vanished.deleted(binding);
            self.settling.insert(binding.clone(), (false, now + SETTLE));
        }
        self.status.desired = desired.bindings.len();
        let done = applied.created.len() + applied.deleted.len();
        for (came, times) in [
            (Came::Done, done),
            (Came::Again, applied.unanswered),
            (Came::Refused, applied.refused.len()),
        ] {
            self.status.operations.count(came, times);
        }
        if !applied.created.is_empty() || !applied.deleted.is_empty() {
            self.status.created = applied.created;
            self.status.deleted = applied.deleted;
        }
        self.status.refused = applied.refused;
        self.status.drift = plan.drift;
        self.status.paused = plan.paused;
        self.status.notes = plan.notes;
        self.say_new(applied.obstacle.is_some());
        applied.obstacle
    }

    /// Brokers may show a change a moment after they have answered it.
    fn settle(&mut self, existing: &mut BTreeSet<AclBinding>, now: Instant) {
        self.settling.retain(|_, (_, until)| now < *until);
        for (binding, (created, _)) in &self.settling {
            if *created {
                existing.insert(binding.clone());
            } else {
                existing.remove(binding);
            }
        }
    }

    /// Takes the state over and reports; it is logged when it changes.
    fn become_state(&mut self, state: AclState) {
        if self.said.state != state {
            match &state {
                AclState::Off { side, code } if *code == ErrorCode::SECURITY_DISABLED => {
                    tracing::info!(
                        "access rights are not copied: the {side} has no authorizer ({code}); it is asked again every hour"
                    );
                }
                AclState::Off { side, code } => tracing::warn!(
                    "access rights are not copied: the {side} answers {code}; Tributary needs DESCRIBE on the cluster at \
                     both sides and ALTER on the cluster at the destination. It is tried again every hour"
                ),
                AclState::Trouble(trouble) => {
                    tracing::warn!("access rights are not copied now: {trouble}");
                }
                AclState::Active if self.said.state != AclState::Waiting => {
                    tracing::info!("access rights are copied again");
                }
                AclState::Active | AclState::Waiting => {}
            }
            self.said.state = state.clone();
        }
        self.status.state = state;
        self.report.send_replace(Arc::new(self.status.clone()));
    }

    /// Logs what is wrong with single rights when it appears. Where a whole cluster refuses, that is said instead.
    fn say_new(&mut self, all_refused: bool) {
        let status = &self.status;
        for note in status.notes.iter().filter(|n| !self.said.notes.contains(n)) {
            if note.error {
                tracing::error!("access right of the source: {note}");
            } else {
                tracing::warn!("access right of the source: {note}");
            }
        }
        let refused = status
            .refused
            .iter()
            .filter(|r| !self.said.refused.contains(r));
        for refused in refused.filter(|_| !all_refused) {
            tracing::warn!("access right: {refused}");
        }
        for binding in status.drift.iter().filter(|b| !self.said.drift.contains(b)) {
            tracing::warn!(
                "access right: {binding} was made by this link and the source has it no more; it stays, because \
                 tributary.acl.delete=false"
            );
        }
        self.said.notes.clone_from(&status.notes);
        self.said.refused.clone_from(&status.refused);
        self.said.drift.clone_from(&status.drift);
    }
}
