//! What a link would do, topic by topic, without doing it.
//!
//! The same observation and the same plan as in a round; then every step is put to the destination
//! with `validate_only`, so that what it would refuse is an error of its topic here already.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use config::link::{OnRecreate, TopicSettings};
use config::selection::{Decision, Reason};
use kafka_client::Cluster;
use kafka_client::cluster::Use;
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::describe_log_dirs::DescribeLogDirsRequest;
use kafka_wire::message::metadata::MetadataTopics;
use kafka_wire::types::TopicName;
use tokio::time::Instant;

use super::apply::{Applied, Mode, Outcome, apply};
use super::condition::{Condition, Problem};
use super::history::History;
use super::observe::{Look, Observation, observe};
use super::plan::settings::refusal;
use super::plan::{Plan, Rules, Step};
use crate::placement::Outlook;

#[cfg(test)]
mod tests;

/// Everything there is to show.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Preview {
    /// Every topic of the source, in order of names, and those that should be there.
    pub rows: Vec<Row>,
    /// What concerns no single topic.
    pub notices: BTreeSet<String>,
    /// Why the bytes retained are not known, if they are not.
    pub bytes_unknown: Option<String>,
}

/// One topic of the source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its name.
    pub source: TopicName,
    /// Whether it is selected.
    pub selected: bool,
    /// Which rule decided, in words.
    pub decision: String,
    /// Why it is left out, where it is.
    pub left_out: Option<Reason>,
    /// Where it would be copied.
    pub destination: Option<TopicName>,
    /// Its partitions, where known.
    pub partitions: Option<i32>,
    /// Partitions of its copy, where that is there.
    pub copy_partitions: Option<i32>,
    /// Replicas of its copy: those it has, or would be created with; −1 for the destination's default.
    pub replication_factor: Option<i16>,
    /// What would be done. Topics that are merged share steps, each of which names one of them.
    pub steps: Vec<Step>,
    /// Whether everything the source has of it is copied anew, though it was copied before.
    pub anew: bool,
    /// What is wrong with it, blocking or not.
    pub problems: Vec<Problem>,
    /// Bytes the source keeps of it, counted once per partition.
    pub bytes: Option<u64>,
    /// What is to be expected of its offsets, where that was looked at.
    pub offsets: Option<Outlook>,
}

impl Row {
    /// Whether records of it would not be copied, although it is selected.
    #[must_use]
    pub fn is_error(&self) -> bool {
        let refused = self.offsets.as_ref().is_some_and(|o| o.refused > 0);
        refused || self.problems.iter().any(Problem::is_blocking)
    }

    /// Whether there is something to know about it that does not keep its records back.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        self.problems.iter().any(|problem| !problem.is_blocking())
    }
}

/// Looks at both clusters and makes the plan; nothing is changed. `history` is what the link did before.
///
/// # Errors
/// When one of them does not answer.
pub async fn preview(
    source: &Cluster,
    destination: &Cluster,
    rules: &Rules,
    mut history: History,
) -> Result<Preview, String> {
    // The id is part of what is observed, and both have to have answered for that.
    let none = MetadataTopics::Topics(Vec::new());
    destination
        .metadata(none)
        .await
        .map_err(|error| format!("destination: {error}"))?;
    let look = Look {
        settings: &rules.settings,
        first: None,
        expected: history.expected(&rules.settings.selection),
        settings_due: rules.settings.config_sync.is_some(),
        everything: true,
        settling: BTreeMap::new(),
    };
    let seen = observe(source, destination, look).await?;
    history.observed_once(&seen, Instant::now());
    let plan = Plan::new(&seen, &history, rules);
    let report = apply(destination, &plan.steps, Mode::Check).await;
    let bytes = retained(source, &seen).await;
    let mut preview = rows(&seen, &plan, report.applied, rules);
    copied_before(&mut preview, &plan, &history, rules.on_recreate);
    preview.notices.extend(decoding(&rules.settings));
    let deleted = [Condition::SourceDeleted, Condition::DestinationDeleted];
    if plan.problems.iter().any(|p| deleted.contains(&p.state)) {
        let notice = "what is gone was looked for once; a link takes a topic for deleted when a second look, ten \
                      seconds later, says the same";
        preview.notices.insert(notice.to_owned());
    }
    match bytes {
        Ok(bytes) => {
            for row in preview.rows.iter_mut().filter(|row| row.selected) {
                row.bytes = Some(bytes.get(&row.source).copied().unwrap_or(0));
            }
        }
        Err(reason) => preview.bytes_unknown = Some(reason),
    }
    Ok(preview)
}

/// Why no batch passes as it is, where that is so.
fn decoding(settings: &TopicSettings) -> Vec<String> {
    let transforms = settings.naming.transforms();
    let transforms = transforms.map(|chain| format!("transforms, in this order: {chain}"));
    let spread = (!settings.preserve_partitions).then(|| {
        "topic.preserve.partitions=false: records are spread over the destination's partitions by their keys".to_owned()
    });
    transforms.into_iter().chain(spread).collect()
}

fn rows(seen: &Observation, plan: &Plan, applied: Vec<Applied>, rules: &Rules) -> Preview {
    let mut rows: BTreeMap<TopicName, Row> = BTreeMap::new();
    let names = seen.source.keys().chain(seen.absent.keys());
    for name in names.chain(&seen.unselected) {
        rows.insert(name.clone(), row(name, seen, &rules.settings));
    }
    for problem in plan.problems.iter().chain(&plan.notes) {
        if let Some(row) = rows.get_mut(&problem.topic) {
            row.problems.push(problem.clone());
        }
    }
    for applied in applied {
        let problem = match applied.outcome {
            Outcome::Done | Outcome::Existed | Outcome::Throttled(_) => None,
            Outcome::Again(reason) => Some((Condition::DestinationPending, reason)),
            Outcome::Unsupported(reason) => Some((Condition::SettingsNotFollowed, reason)),
            Outcome::Refused(state, reason) => Some((state, reason)),
        };
        for source in Plan::sources(&applied.step, seen, rules) {
            let Some(row) = rows.get_mut(&source).filter(|row| is_copied(row)) else {
                continue;
            };
            if let Some((state, reason)) = &problem {
                row.problems.push(Problem::new(&source, *state, reason));
            }
            if let Step::Create {
                replication_factor, ..
            } = &applied.step
            {
                row.replication_factor = Some(*replication_factor);
            }
            for (change, reason) in &applied.refused {
                let reason = refusal(change, reason);
                let problem = Problem::new(&source, Condition::SettingRefused, reason);
                row.problems.push(problem);
            }
            row.steps.push(applied.step.clone());
        }
    }
    Preview {
        rows: rows.into_values().collect(),
        notices: plan.notices.clone(),
        bytes_unknown: None,
    }
}

/// Whether nothing that was found by now keeps its records back.
fn is_copied(row: &Row) -> bool {
    row.selected && !row.problems.iter().any(|p| p.state == Condition::Cycle)
}

/// Says of topics that were copied before what becomes of their copies.
fn copied_before(preview: &mut Preview, plan: &Plan, history: &History, on_recreate: OnRecreate) {
    let renewed: BTreeMap<&TopicName, Condition> = plan
        .copies
        .iter()
        .filter_map(|copy| Some((&copy.source, history.renewed(copy)?)))
        .collect();
    let mut notices = Vec::new();
    let rows = preview.rows.iter_mut();
    for row in rows.filter(|row| is_copied(row) && row.partitions.is_some()) {
        let (Some(known), Some(copy)) = (history.replicated.get(&row.source), &row.destination)
        else {
            continue;
        };
        let before = &known.destination;
        let what = if before != copy {
            format!("what was copied before is in {before}, not in {copy}")
        } else if let Some(state) = renewed.get(&row.source) {
            match state {
                Condition::SourceRecreated => "it was deleted at the source and created anew",
                _ => "its copy was deleted and created anew",
            }
            .to_owned()
        } else if history.deleted_at_destination.contains(&row.source) {
            "its copy was deleted".to_owned()
        } else {
            continue;
        };
        match on_recreate {
            OnRecreate::Restart => {
                row.anew = true;
                notices.push(format!(
                    "{}: {what}: everything the source has is copied (tributary.on.recreate=restart)",
                    row.source
                ));
            }
            // Of the others the plan says so.
            OnRecreate::Stop if before != copy => {
                let problem = Problem::new(&row.source, Condition::DestinationRenamed, what);
                row.problems.push(problem);
            }
            OnRecreate::Stop => {}
        }
    }
    preview.notices.extend(notices);
}

fn row(name: &TopicName, seen: &Observation, settings: &TopicSettings) -> Row {
    let topic = seen.source.get(name);
    let selected = !seen.unselected.contains(name);
    let decision = settings.selection.decide(name.as_str());
    let left_out = match &decision {
        Decision::Excluded { reason, .. } => Some(*reason),
        _ => None,
    };
    let destination = settings.naming.apply(name.as_str()).ok();
    let destination = destination.map(TopicName::from).filter(|_| selected);
    let copy = destination.as_ref().and_then(|d| seen.destination.get(d));
    Row {
        source: name.clone(),
        selected,
        decision: decision.to_string(),
        left_out,
        partitions: topic.map(|topic| topic.partitions),
        copy_partitions: copy.map(|copy| copy.partitions),
        replication_factor: copy.map(|copy| copy.replication_factor),
        destination,
        steps: Vec::new(),
        anew: false,
        problems: Vec::new(),
        bytes: None,
        offsets: None,
    }
}

/// Bytes of every topic: the largest replica of each partition.
async fn retained(
    source: &Cluster,
    seen: &Observation,
) -> Result<BTreeMap<TopicName, u64>, String> {
    let none = MetadataTopics::Topics(Vec::new());
    let brokers = source.metadata(none).await.map_err(|e| e.to_string())?;
    let mut largest: HashMap<(TopicName, i32), u64> = HashMap::new();
    let mut directories = 0;
    for broker in brokers.brokers {
        let answer = source
            .call(
                broker.node,
                Use::Admin,
                &DescribeLogDirsRequest { topics: None },
            )
            .await
            .map_err(|error| error.to_string())?;
        if answer.error != ErrorCode::NONE {
            return Err(format!("DescribeLogDirs answered {}", answer.error));
        }
        directories += answer.directories.len();
        let topics = answer.directories.into_iter().flat_map(|d| d.topics);
        for (topic, replicas) in topics.filter(|(topic, _)| seen.source.contains_key(topic)) {
            for replica in replicas {
                let bytes = u64::try_from(replica.bytes).unwrap_or(0);
                let known = largest
                    .entry((topic.clone(), replica.partition))
                    .or_default();
                *known = bytes.max(*known);
            }
        }
    }
    if directories == 0 {
        return Err(
            "the source tells the sizes of logs only with DESCRIBE on the cluster".to_owned(),
        );
    }
    let mut topics: BTreeMap<TopicName, u64> = BTreeMap::new();
    for ((topic, _), bytes) in largest {
        *topics.entry(topic).or_default() += bytes;
    }
    Ok(topics)
}
