//! CreatePartitions: more partitions, placed by the destination.

use std::collections::BTreeMap;

use kafka_client::Cluster;
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::create_partitions::CreatePartitionsRequest;

use super::super::condition::Condition;
use super::super::plan::Step;
use super::{Applied, Mode, Outcome, Report, TIMEOUT_MS, failed, refusal, throttle, unanswered};

const API: &str = "CreatePartitions";

pub(super) async fn grow(destination: &Cluster, steps: &[Step], mode: Mode, report: &mut Report) {
    let topics = steps.iter().filter_map(|step| match step {
        Step::Grow { topic, to, .. } => Some((topic.clone(), *to)),
        Step::Create { .. } | Step::Configure { .. } => None,
    });
    let request = CreatePartitionsRequest {
        topics: topics.collect(),
        timeout_ms: TIMEOUT_MS,
        validate_only: mode.validates(),
    };
    report.requests += 1;
    let answer = match destination.call_controller(&request).await {
        Ok(answer) => answer,
        Err(error) => return failed(steps, API, &error, report),
    };
    let throttle_ms = answer.throttle_time_ms;
    let answers: BTreeMap<_, _> = answer
        .topics
        .into_iter()
        .map(|t| (t.name.clone(), t))
        .collect();
    for step in steps {
        let topic = step.topic();
        let outcome = match answers.get(topic) {
            None => unanswered(API, topic),
            Some(grown) => {
                let message = grown.error_message.as_deref().unwrap_or_default();
                let reason = refusal(API, topic, grown.error, message);
                match grown.error {
                    ErrorCode::NONE => Outcome::Done,
                    // Somebody else was faster, or a leader is not known yet: look again.
                    ErrorCode::INVALID_PARTITIONS
                    | ErrorCode::REQUEST_TIMED_OUT
                    | ErrorCode::NOT_CONTROLLER => Outcome::Again(reason),
                    ErrorCode::THROTTLING_QUOTA_EXCEEDED => throttle(throttle_ms),
                    _ => Outcome::Refused(Condition::PartitionsPending, reason),
                }
            }
        };
        report.applied.push(Applied::new(step.clone(), outcome));
    }
}
