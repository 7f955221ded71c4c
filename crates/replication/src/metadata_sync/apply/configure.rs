//! IncrementalAlterConfigs: only what differs, and nothing else is touched.
//!
//! The older AlterConfigs, which replaces everything, is never used.

use std::collections::BTreeMap;

use kafka_client::cluster::Use;
use kafka_client::{ClientError, Cluster};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::describe_configs::ResourceKind;
use kafka_wire::message::incremental_alter_configs::{
    ConfigChange, ConfigOperation, IncrementalAlterConfigsRequest, ResourceChange,
};
use kafka_wire::types::TopicName;

use super::super::condition::Condition;
use super::super::plan::{SettingChange, Step};
use super::{Applied, Mode, Outcome, Report, failed, refusal, throttle, unanswered};

const API: &str = "IncrementalAlterConfigs";

/// A broker's answer about one topic.
type Answer = (ErrorCode, String);

pub(super) async fn configure(
    destination: &Cluster,
    steps: &[Step],
    mode: Mode,
    report: &mut Report,
) {
    let resources = steps.iter().filter_map(|step| match step {
        Step::Configure { topic, changes, .. } => Some(resource(topic, changes)),
        Step::Create { .. } | Step::Grow { .. } => None,
    });
    let answered = request(destination, resources.collect(), mode, report).await;
    let (answers, throttle_ms) = match answered {
        Ok(answers) => answers,
        Err(error @ ClientError::Unsupported { .. }) => {
            for step in steps {
                let outcome = Outcome::Unsupported(error.to_string());
                report.applied.push(Applied::new(step.clone(), outcome));
            }
            return;
        }
        Err(error) => return failed(steps, API, &error, report),
    };
    for step in steps {
        let mut applied = Applied::new(step.clone(), unanswered(API, step.topic()));
        match answers.get(step.topic()) {
            None => {}
            Some((ErrorCode::INVALID_CONFIG | ErrorCode::POLICY_VIOLATION, _)) => {
                one_by_one(destination, &mut applied, mode, report).await;
            }
            Some((code, message)) => {
                applied.outcome = outcome(step.topic(), *code, message, throttle_ms);
            }
        }
        report.applied.push(applied);
    }
}

fn outcome(topic: &TopicName, code: ErrorCode, message: &str, throttle_ms: i32) -> Outcome {
    let reason = refusal(API, topic, code, message);
    match code {
        ErrorCode::NONE => Outcome::Done,
        // The topic has gone meanwhile, or nobody knows: the next look tells.
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::REQUEST_TIMED_OUT
        | ErrorCode::NOT_CONTROLLER => Outcome::Again(reason),
        ErrorCode::THROTTLING_QUOTA_EXCEEDED => throttle(throttle_ms),
        _ => Outcome::Refused(Condition::SettingsNotFollowed, reason),
    }
}

/// All changes of a topic are made or none, so one that is refused holds the others up.
async fn one_by_one(destination: &Cluster, applied: &mut Applied, mode: Mode, report: &mut Report) {
    applied.outcome = Outcome::Done;
    let Step::Configure { topic, changes, .. } = &mut applied.step else {
        return;
    };
    let mut made = Vec::new();
    for change in std::mem::take(changes) {
        let resources = vec![resource(topic, std::slice::from_ref(&change))];
        let answer = match request(destination, resources, mode, report).await {
            Ok((answers, _)) => answers.get(topic).cloned(),
            Err(error) => {
                applied.outcome = Outcome::Again(format!("destination: {API} failed: {error}"));
                return;
            }
        };
        match answer {
            Some((ErrorCode::NONE, _)) => made.push(change),
            Some((ErrorCode::INVALID_CONFIG | ErrorCode::POLICY_VIOLATION, message)) => {
                applied.refused.push((change, message));
            }
            Some((code, message)) => {
                applied.outcome = outcome(topic, code, &message, 0);
                return;
            }
            None => {
                applied.outcome = unanswered(API, topic);
                return;
            }
        }
    }
    *changes = made;
}

fn resource(topic: &TopicName, changes: &[SettingChange]) -> ResourceChange {
    let change = |change: &SettingChange| ConfigChange {
        name: change.name.clone(),
        operation: match &change.to {
            Some(value) => ConfigOperation::Set(value.clone()),
            None => ConfigOperation::Delete,
        },
    };
    ResourceChange {
        kind: ResourceKind::Topic,
        name: topic.to_string(),
        changes: changes.iter().map(change).collect(),
    }
}

async fn request(
    destination: &Cluster,
    resources: Vec<ResourceChange>,
    mode: Mode,
    report: &mut Report,
) -> Result<(BTreeMap<TopicName, Answer>, i32), ClientError> {
    let request = IncrementalAlterConfigsRequest {
        resources,
        validate_only: mode.validates(),
    };
    report.requests += 1;
    let answer = destination.call_any(Use::Admin, &request).await?;
    let answers = answer.resources.into_iter().map(|resource| {
        let message = resource.error_message.unwrap_or_default();
        (TopicName::from(resource.name), (resource.error, message))
    });
    Ok((answers.collect(), answer.throttle_time_ms))
}
