//! The loop: observe, plan, apply what is not waiting after a refusal, report, wait.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use config::link::TopicSettings;
use kafka_client::Cluster;
use kafka_wire::types::TopicName;
use lifecycle::Backoff;
use tokio::time::{Instant, sleep};

use super::apply::apply;
use super::observe::observe;
use super::plan::{Copy, Plan, Problem, Step};

/// Pause before a round that could not look at both clusters is repeated, first and longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// How long a change that was answered with success may take to show in metadata.
const SETTLE: Duration = Duration::from_secs(5);

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
    /// Why the round could not look at both clusters.
    pub trouble: Option<String>,
    /// Whether steps are still to be carried out.
    pub pending: usize,
    /// Topics of the source that were looked at, selected or not.
    pub seen: usize,
    /// When it ended.
    pub at: Option<Instant>,
}

/// See the module.
#[derive(Debug)]
pub struct MetadataSync {
    source: Cluster,
    destination: Cluster,
    settings: TopicSettings,
    /// Topics whose step was refused: not before this time, and why.
    refused: HashMap<TopicName, (Instant, String)>,
    /// Topics whose step was carried out: not again before this time.
    settling: HashMap<TopicName, Instant>,
    rounds: u64,
    known_problems: Vec<Problem>,
}

impl MetadataSync {
    /// A synchroniser; nothing happens before [`MetadataSync::run`].
    #[must_use]
    pub fn new(source: Cluster, destination: Cluster, settings: TopicSettings) -> Self {
        Self {
            source,
            destination,
            settings,
            refused: HashMap::new(),
            settling: HashMap::new(),
            rounds: 0,
            known_problems: Vec::new(),
        }
    }

    /// Goes round until the future is dropped; `report` gets every round.
    pub async fn run<F>(mut self, mut report: impl FnMut(Round) -> F)
    where
        F: Future<Output = ()>,
    {
        let mut backoff = Backoff::seeded(RETRY.0, RETRY.1);
        loop {
            let (round, unsettled) = self.round().await;
            let failed = round.trouble.is_some();
            report(round).await;
            if failed {
                sleep(backoff.next_delay()).await;
                continue;
            }
            backoff.reset();
            // What was changed is seen at once; what was refused waits for its own time.
            let pause = if unsettled {
                RETRY.0
            } else {
                self.settings.poll_interval
            };
            sleep(pause).await;
        }
    }

    /// One round, and whether something that was changed does not show yet.
    async fn round(&mut self) -> (Round, bool) {
        self.rounds += 1;
        let mut round = Round {
            number: self.rounds,
            ..Round::default()
        };
        let observed = observe(&self.source, &self.destination, &self.settings).await;
        round.at = Some(Instant::now());
        let observation = match observed {
            Ok(observation) => observation,
            Err(trouble) => {
                tracing::warn!("topics cannot be looked at: {trouble}");
                round.trouble = Some(trouble);
                return (round, false);
            }
        };
        let plan = Plan::new(&observation, &self.settings);
        round.seen = observation.seen;
        round.selected = observation
            .source
            .iter()
            .map(|(name, topic)| (name.clone(), topic.partitions))
            .collect();
        round.pending = plan.steps.len();
        let now = Instant::now();
        self.settling.retain(|topic, until| {
            *until > now && plan.steps.iter().any(|step| step.topic() == topic)
        });
        let unsettled = plan
            .steps
            .into_iter()
            .filter(|step| !self.settling.contains_key(step.topic()));
        let (due, waiting): (Vec<Step>, Vec<Step>) = unsettled.partition(|step| {
            self.refused
                .get(step.topic())
                .is_none_or(|(at, _)| *at <= now)
        });
        for step in &due {
            tracing::info!("plan: {step}");
        }
        for (topic, outcome) in apply(&self.destination, &due).await {
            match outcome {
                Ok(()) => {
                    self.refused.remove(&topic);
                    self.settling.insert(topic, now + SETTLE);
                }
                Err(reason) => {
                    self.refused
                        .insert(topic, (now + self.settings.create_backoff, reason));
                }
            }
        }
        round.copies = plan.copies;
        round.problems = plan.problems;
        round
            .problems
            .extend(due.iter().chain(&waiting).filter_map(|step| {
                let (_, reason) = self.refused.get(step.topic())?;
                let state = match step {
                    Step::Create { .. } => "create-failed",
                    Step::Grow { .. } => "grow-failed",
                };
                let (topic, reason) =
                    (step.source().clone(), format!("{}: {reason}", step.topic()));
                Some(Problem {
                    topic,
                    state,
                    reason,
                    blocking: true,
                })
            }));
        self.say_new(&round.problems);
        (round, !self.settling.is_empty())
    }

    /// Logs problems when they appear, not in every round.
    fn say_new(&mut self, problems: &[Problem]) {
        for problem in problems.iter().filter(|p| !self.known_problems.contains(p)) {
            tracing::warn!(topic = %problem.topic, state = problem.state, "{}", problem.reason);
        }
        self.known_problems = problems.to_vec();
    }
}
