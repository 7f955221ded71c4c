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
/// Partitions and settings in one request: KRaft refuses a request as a whole, with POLICY_VIOLATION, that would be more than
/// 10,000 records of metadata.
const RECORDS: usize = 5_000;
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
    for chunk in requests(&of(|step| matches!(step, Step::Create { .. }))) {
        create::create(destination, chunk, mode, &mut report).await;
    }
    for chunk in requests(&of(|step| matches!(step, Step::Grow { .. }))) {
        grow::grow(destination, chunk, mode, &mut report).await;
    }
    for chunk in requests(&of(|step| matches!(step, Step::Configure { .. }))) {
        configure::configure(destination, chunk, mode, &mut report).await;
    }
    report
}

/// The steps, cut into what one request may carry. A step that is too large for any has one of its own.
fn requests(mut steps: &[Step]) -> Vec<&[Step]> {
    let mut requests = Vec::new();
    while !steps.is_empty() {
        let mut records = 0;
        let fits = |step: &&Step| {
            records += step.records();
            records <= RECORDS
        };
        let count = steps.iter().take(TOPICS).take_while(fits).count().max(1);
        let (request, rest) = steps.split_at(count);
        requests.push(request);
        steps = rest;
    }
    requests
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_request_is_larger_than_a_controller_takes() {
        let check = |sizes: &[i32], expected: &[usize]| {
            let topics = sizes.iter().enumerate();
            let steps: Vec<Step> = topics
                .map(|(number, partitions)| Step::Grow {
                    source: TopicName::from(format!("from-{number}")),
                    topic: TopicName::from(format!("to-{number}")),
                    from: 1,
                    to: 1 + partitions,
                })
                .collect();
            let requests = requests(&steps);
            let found: Vec<usize> = requests.iter().map(|request| request.len()).collect();
            assert_eq!(found, expected);
            assert_eq!(requests.concat(), steps);
        };
        check(&[], &[]);
        check(&[1; 250], &[100, 100, 50]);
        check(&[1_000; 10], &[4, 4, 2]);
        check(&[9_000, 1, 20_000, 2_000, 2_000, 2_000], &[1, 1, 1, 2, 1]);
    }
}
