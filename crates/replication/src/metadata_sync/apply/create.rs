//! CreateTopics: each topic with all of its settings at once.

use std::collections::{BTreeMap, HashMap};

use kafka_client::{ClientError, Cluster};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::create_topics::{CreateTopicsRequest, NewTopic};
use kafka_wire::message::metadata::MetadataTopics;
use kafka_wire::types::TopicName;

use super::super::condition::Condition;
use super::super::plan::{SettingChange, Step, out_of_reach};
use super::{Applied, Mode, Outcome, Report, TIMEOUT_MS, failed, refusal, throttle, unanswered};

const API: &str = "CreateTopics";

/// Brokers' answers, and how long they held them back.
struct Answers {
    topics: BTreeMap<TopicName, (ErrorCode, String)>,
    throttle_ms: i32,
}

/// What the destination said of settings, so that it is asked once about each, not once per topic.
type Verdicts = HashMap<(String, Option<String>), Option<String>>;

pub(super) async fn create(destination: &Cluster, steps: &[Step], mode: Mode, report: &mut Report) {
    let topics: Vec<NewTopic> = steps.iter().filter_map(new_topic).collect();
    let answers = match request(destination, topics, mode.validates(), report).await {
        Ok(answers) => answers,
        Err(error) => return failed(steps, API, &error, report),
    };
    let mut verdicts = Verdicts::new();
    for step in steps {
        let Some(answer) = answers.topics.get(step.topic()) else {
            let outcome = unanswered(API, step.topic());
            report.applied.push(Applied::new(step.clone(), outcome));
            continue;
        };
        let mut creation = Creation {
            destination,
            mode,
            verdicts: &mut verdicts,
            applied: Applied::new(step.clone(), Outcome::Done),
        };
        creation
            .answered(answer.0, &answer.1, answers.throttle_ms, report)
            .await;
        report.applied.push(creation.applied);
    }
}

fn new_topic(step: &Step) -> Option<NewTopic> {
    match step {
        Step::Create {
            topic,
            partitions,
            replication_factor,
            configs,
            ..
        } => Some(NewTopic {
            name: topic.clone(),
            partitions: *partitions,
            replication_factor: *replication_factor,
            configs: configs
                .iter()
                .map(|(k, v)| (k.clone(), Some(v.clone())))
                .collect(),
        }),
        Step::Grow { .. } | Step::Configure { .. } => None,
    }
}

/// One topic whose creation was answered.
struct Creation<'a> {
    destination: &'a Cluster,
    mode: Mode,
    verdicts: &'a mut Verdicts,
    applied: Applied,
}

impl Creation<'_> {
    async fn answered(&mut self, code: ErrorCode, message: &str, ms: i32, report: &mut Report) {
        self.applied.outcome = self.outcome(code, message, ms);
        let again = match code {
            ErrorCode::INVALID_REPLICATION_FACTOR => self.with_fewer_replicas(report).await,
            ErrorCode::INVALID_CONFIG => self.with_fewer_settings(report).await,
            _ => return,
        };
        match again {
            None => {}
            Some(Err(error)) => {
                self.applied.outcome =
                    Outcome::Again(format!("destination: {API} failed: {error}"));
            }
            Some(Ok((code, message, ms))) => {
                self.applied.outcome = self.outcome(code, &message, ms);
            }
        }
    }

    fn outcome(&self, code: ErrorCode, message: &str, throttle_ms: i32) -> Outcome {
        let topic = self.applied.step.topic();
        let reason = refusal(API, topic, code, message);
        match code {
            ErrorCode::NONE => Outcome::Done,
            ErrorCode::TOPIC_ALREADY_EXISTS => Outcome::Existed,
            ErrorCode::REQUEST_TIMED_OUT | ErrorCode::NOT_CONTROLLER => Outcome::Again(reason),
            ErrorCode::THROTTLING_QUOTA_EXCEEDED => throttle(throttle_ms),
            ErrorCode::TOPIC_AUTHORIZATION_FAILED | ErrorCode::CLUSTER_AUTHORIZATION_FAILED => {
                Outcome::Refused(Condition::DestinationUnauthorized, reason)
            }
            // The names of the other topic and of this one differ in '.' and '_' only.
            ErrorCode::INVALID_TOPIC_EXCEPTION if message.contains("collides") => {
                Outcome::Refused(Condition::NameCollision, reason)
            }
            _ => Outcome::Refused(Condition::CreateFailed, reason),
        }
    }

    /// A broker that was alive a moment ago may be gone, or not be used for new replicas.
    async fn with_fewer_replicas(
        &mut self,
        report: &mut Report,
    ) -> Option<Result<(ErrorCode, String, i32), ClientError>> {
        let Step::Create {
            replication_factor,
            reducible: true,
            configs,
            ..
        } = &mut self.applied.step
        else {
            return None;
        };
        if *replication_factor <= 1 {
            return None;
        }
        let none = MetadataTopics::Topics(Vec::new());
        let brokers = match self.destination.metadata(none).await {
            Ok(answer) => i16::try_from(answer.brokers.len()).unwrap_or(i16::MAX),
            Err(error) => return Some(Err(error)),
        };
        report.requests += 1;
        *replication_factor = brokers.min(*replication_factor - 1).max(1);
        let replicas = *replication_factor;
        let refused = &mut self.applied.refused;
        configs.retain(|(name, value)| {
            let reason = out_of_reach(name, value, replicas);
            let change = SettingChange {
                name: name.clone(),
                from: None,
                to: Some(value.clone()),
            };
            let is_kept = reason.is_none();
            refused.extend(reason.map(|reason| (change, reason)));
            is_kept
        });
        Some(self.repeat(report).await)
    }

    /// Brokers of other versions know other settings. Those that are refused one by one are left out,
    /// except the cleanup policy, without which the topic would be another one.
    async fn with_fewer_settings(
        &mut self,
        report: &mut Report,
    ) -> Option<Result<(ErrorCode, String, i32), ClientError>> {
        let topic = new_topic(&self.applied.step)?;
        let mut accepted = Vec::new();
        let mut dropped = Vec::new();
        for config in &topic.configs {
            let reason = match self.verdict(&topic, config, report).await {
                Ok(reason) => reason,
                Err(error) => return Some(Err(error)),
            };
            match (reason, &config.1) {
                (Some(_), _) if config.0 == "cleanup.policy" => return None,
                (Some(reason), value) => dropped.push((
                    SettingChange {
                        name: config.0.clone(),
                        from: None,
                        to: value.clone(),
                    },
                    reason,
                )),
                (None, Some(value)) => accepted.push((config.0.clone(), value.clone())),
                (None, None) => {}
            }
        }
        // Each by itself is accepted: it is their combination that is refused.
        if dropped.is_empty() {
            return None;
        }
        if let Step::Create { configs, .. } = &mut self.applied.step {
            *configs = accepted;
        }
        self.applied.refused.extend(dropped);
        Some(self.repeat(report).await)
    }

    /// Why the destination refuses a setting, if it does.
    async fn verdict(
        &mut self,
        topic: &NewTopic,
        config: &(String, Option<String>),
        report: &mut Report,
    ) -> Result<Option<String>, ClientError> {
        if let Some(known) = self.verdicts.get(config) {
            return Ok(known.clone());
        }
        let probe = NewTopic {
            configs: vec![config.clone()],
            ..topic.clone()
        };
        let answers = request(self.destination, vec![probe], true, report).await?;
        let refused = match answers.topics.get(&topic.name) {
            Some((ErrorCode::INVALID_CONFIG, message)) => Some(message.clone()),
            _ => None,
        };
        self.verdicts.insert(config.clone(), refused.clone());
        Ok(refused)
    }

    async fn repeat(
        &mut self,
        report: &mut Report,
    ) -> Result<(ErrorCode, String, i32), ClientError> {
        let topics: Vec<NewTopic> = new_topic(&self.applied.step).into_iter().collect();
        let answers = request(self.destination, topics, self.mode.validates(), report).await?;
        let answer = answers.topics.get(self.applied.step.topic()).cloned();
        let (code, message) = answer.unwrap_or((ErrorCode::REQUEST_TIMED_OUT, String::new()));
        Ok((code, message, answers.throttle_ms))
    }
}

async fn request(
    destination: &Cluster,
    topics: Vec<NewTopic>,
    validate_only: bool,
    report: &mut Report,
) -> Result<Answers, ClientError> {
    let request = CreateTopicsRequest {
        topics,
        timeout_ms: TIMEOUT_MS,
        validate_only,
    };
    report.requests += 1;
    let answer = destination.call_controller(&request).await?;
    Ok(Answers {
        topics: answer
            .topics
            .into_iter()
            .map(|t| (t.name, (t.error, t.error_message.unwrap_or_default())))
            .collect(),
        throttle_ms: answer.throttle_time_ms,
    })
}
