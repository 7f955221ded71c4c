//! The only place that changes the destination's metadata.
//!
//! ```text
//!   steps ─▶ create.rs, grow.rs, configure.rs ─▶ one outcome per topic
//! ```
//!
//! Invariant: no answer about one topic says anything about another.

mod configure;
mod create;
mod grow;

use std::time::Duration;

use kafka_client::{ClientError, Cluster};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::types::TopicName;

use super::condition::Condition;
use super::plan::{SettingChange, Step};

/// Topics in one request.
const TOPICS: usize = 100;
/// How long the controller may take.
const TIMEOUT_MS: i32 = 30_000;

/// Whether the destination is to change, or only to say what it would refuse.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    /// It changes.
    Change,
    /// Requests carry `validate_only`.
    Check,
}

impl Mode {
    fn validates(self) -> bool {
        matches!(self, Self::Check)
    }
}

/// What became of a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// It is carried out.
    Done,
    /// Somebody else was faster: the topic is used as it is.
    Existed,
    /// Nobody knows, or it was too early: look, then decide.
    Again(String),
    /// A quota: not before this time has passed.
    Throttled(Duration),
    /// The destination has no such request, for whichever topic.
    Unsupported(String),
    /// The destination refused it; repeating it at once does not help.
    Refused(Condition, String),
}

/// A step with its outcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Applied {
    pub(super) step: Step,
    pub(super) outcome: Outcome,
    /// Settings that were left out because the destination refused them, each with its words.
    pub(super) refused: Vec<(SettingChange, String)>,
}

impl Applied {
    fn new(step: Step, outcome: Outcome) -> Self {
        Self {
            step,
            outcome,
            refused: Vec::new(),
        }
    }
}

/// What was applied, and in how many requests.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Report {
    pub(super) applied: Vec<Applied>,
    pub(super) requests: u32,
}

/// Carries the steps out; every topic has an outcome of its own.
pub(super) async fn apply(destination: &Cluster, steps: &[Step], mode: Mode) -> Report {
    let mut report = Report::default();
    let of = |kind: fn(&Step) -> bool| -> Vec<Step> {
        steps.iter().filter(|step| kind(step)).cloned().collect()
    };
    for chunk in of(|step| matches!(step, Step::Create { .. })).chunks(TOPICS) {
        create::create(destination, chunk, mode, &mut report).await;
    }
    for chunk in of(|step| matches!(step, Step::Grow { .. })).chunks(TOPICS) {
        grow::grow(destination, chunk, mode, &mut report).await;
    }
    for chunk in of(|step| matches!(step, Step::Configure { .. })).chunks(TOPICS) {
        configure::configure(destination, chunk, mode, &mut report).await;
    }
    report
}

fn refusal(what: &str, topic: &TopicName, code: ErrorCode, message: &str) -> String {
    let words = if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    };
    format!("destination answered {what} of {topic} with {code}{words}")
}

fn unanswered(what: &str, topic: &TopicName) -> Outcome {
    Outcome::Again(format!("destination did not answer {what} of {topic}"))
}

/// A request that failed as a whole: whether it was carried out is seen in the next look.
fn failed(steps: &[Step], what: &str, error: &ClientError, report: &mut Report) {
    for step in steps {
        let outcome = Outcome::Again(format!("destination: {what} failed: {error}"));
        report.applied.push(Applied::new(step.clone(), outcome));
    }
}

fn throttle(ms: i32) -> Outcome {
    let ms = u64::try_from(ms).unwrap_or(0).max(100);
    Outcome::Throttled(Duration::from_millis(ms))
}
