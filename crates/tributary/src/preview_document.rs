//! What a link would do, topic by topic: looked at, summed up, and as the document that the command line and the API
//! show.

pub(crate) mod rights;

use std::collections::BTreeMap;

use config::link::LinkConfig;
use config::selection::Reason;
use config::worker::{OffsetStorage, WorkerConfig};
use kafka_client::Cluster;
use replication::data_plane::{Candidate, foresee};
use replication::link::{self, Before};
use replication::metadata_sync::preview::{Preview, Row, preview};
use replication::metadata_sync::{Condition, Problem, Step};
use replication::preview_rights::preview_rights;
use serde_json::{Value, json};

use self::rights::Rights;

/// What was found by looking at both clusters.
#[derive(Debug)]
pub(crate) struct Previewed {
    pub(crate) preview: Preview,
    pub(crate) rights: Option<Rights>,
}

impl Previewed {
    /// Whether something that was asked for could not be done.
    pub(crate) fn is_error(&self) -> bool {
        self.preview.rows.iter().any(Row::is_error)
            || self.rights.as_ref().is_some_and(rights::is_error)
    }
}

/// Whether what a link did before is to be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Memory {
    /// Where the worker keeps positions.
    OfWorker,
    /// No worker was named.
    Unknown,
}

/// Looks at both clusters, and at what the link did before; nothing is changed.
pub(crate) async fn look(
    link: &LinkConfig,
    worker: &WorkerConfig,
    memory: Memory,
) -> Result<Previewed, String> {
    let refused = |error: link::LinkError| error.to_string();
    let (source, destination) = link::both_sides(link).await.map_err(refused)?;
    let sides = (&source, &destination);
    let before = match memory {
        Memory::OfWorker => Before::read(link, worker, sides).await.map_err(refused)?,
        Memory::Unknown => Before::default(),
    };
    let rules = link::rules(link, worker);
    let mut preview = preview(&source, &destination, &rules, before.history.clone()).await?;
    preview
        .notices
        .extend(unknown(memory, &before, &worker.offsets));
    look_at_offsets(link, sides, &before, &mut preview).await;
    let unmet = link.start.unmet(|topic| {
        let mut rows = preview.rows.iter().filter(|row| row.selected);
        rows.find(|row| row.source.as_str() == topic)?.partitions
    });
    preview.notices.extend(unmet);
    let rights = preview_rights(link, &before, sides, &preview).await;
    Ok(Previewed { preview, rights })
}

/// Why this may not be what a worker would do.
fn unknown(memory: Memory, before: &Before, kept: &OffsetStorage) -> Option<String> {
    let begins = "shown is what a link does that has copied nothing yet";
    match (memory, &before.trouble) {
        (Memory::Unknown, _) => Some(format!("no worker's file is given (--worker): {begins}")),
        (Memory::OfWorker, Some(trouble)) => {
            let remedy = match kept {
                OffsetStorage::Topic { name, .. } => format!("; it takes READ on the topic {name}"),
                OffsetStorage::File(_) => String::new(),
            };
            Some(format!(
                "what this link did before cannot be read, and {begins}: {trouble}{remedy}"
            ))
        }
        (Memory::OfWorker, None) => None,
    }
}

/// Says of each topic that would be copied which offsets its records would get.
async fn look_at_offsets(
    link: &LinkConfig,
    (source, destination): (&Cluster, &Cluster),
    before: &Before,
    preview: &mut Preview,
) {
    let candidates: Vec<Candidate> = preview
        .rows
        .iter()
        .filter(|row| is_copied(row))
        .filter_map(|row| {
            let (topic, copy) = (&row.source, row.destination.as_ref()?);
            Some(Candidate {
                source: topic.clone(),
                destination: copy.clone(),
                partitions: row.partitions?,
                stored: match row.anew {
                    true => BTreeMap::new(),
                    false => before.of_copy(topic, copy),
                },
            })
        })
        .collect();
    let mut outlooks = foresee(link, source, destination, &candidates).await;
    for row in &mut preview.rows {
        row.offsets = outlooks.remove(&row.source);
    }
}

fn is_copied(row: &Row) -> bool {
    row.selected && !row.is_error() && !is_cycle(row)
}

/// Whether copying it would copy it back to where it came from.
pub(crate) fn is_cycle(row: &Row) -> bool {
    let mut states = row.problems.iter().map(|problem| problem.state);
    row.left_out == Some(Reason::LeadsBack) || states.any(|state| state == Condition::Cycle)
}

/// What would be done, in a word.
pub(crate) fn action(row: &Row) -> &'static str {
    if !row.selected || is_cycle(row) {
        return "-";
    }
    if row.is_error() {
        return "error";
    }
    let first = row.steps.first().map(|step| match step {
        Step::Create { .. } => "create",
        Step::Grow { .. } => "grow",
        Step::Configure { .. } => "change",
    });
    first.unwrap_or("none")
}

/// Sums over all rows, shown or not.
#[derive(Debug)]
pub(crate) struct Totals {
    pub(crate) topics: usize,
    pub(crate) partitions: i64,
    pub(crate) create: usize,
    pub(crate) change: usize,
    pub(crate) errors: usize,
    pub(crate) excluded: usize,
    pub(crate) bytes: Option<u64>,
    pub(crate) seconds: Option<u64>,
    pub(crate) rate: u64,
}

/// Sums; `rate` is the expected one in bytes per second.
pub(crate) fn totals(preview: &Preview, rate: u64) -> Totals {
    let count = |of: fn(&Row) -> bool| preview.rows.iter().filter(|row| of(row)).count();
    let copied = preview.rows.iter().filter(|row| is_copied(row));
    let bytes = match preview.bytes_unknown {
        Some(_) => None,
        None => Some(copied.clone().filter_map(|row| row.bytes).sum::<u64>()),
    };
    Totals {
        topics: copied.clone().count(),
        partitions: copied.filter_map(|row| row.partitions).map(i64::from).sum(),
        create: count(|row| action(row) == "create"),
        change: count(|row| matches!(action(row), "grow" | "change")),
        errors: count(Row::is_error),
        excluded: count(|row| !row.selected),
        bytes,
        seconds: bytes.map(|bytes| bytes.div_ceil(rate.max(1))),
        rate,
    }
}

/// The decision about a topic, one of a closed set of words.
fn decision(row: &Row) -> &'static str {
    let is = |state| row.problems.iter().any(|problem| problem.state == state);
    if is_cycle(row) {
        "loop"
    } else if is(Condition::NameInvalid) {
        "name-invalid"
    } else if is(Condition::NameCollision) {
        "name-collision"
    } else if is(Condition::SourceUnauthorized) {
        "unreadable"
    } else if row.selected {
        "match"
    } else {
        match row.left_out {
            Some(Reason::BelongsToKafka | Reason::Internal) => "internal",
            Some(Reason::NotSelected) => "not-matched",
            _ => "excluded",
        }
    }
}

/// The action of a topic, in the words of the API.
fn action_word(row: &Row) -> Option<&'static str> {
    match action(row) {
        "-" => None,
        "none" => Some("exists"),
        "change" => Some("alter"),
        word => Some(word),
    }
}

/// Partitions that the copy will have.
fn planned(row: &Row) -> Option<i32> {
    match row.steps.first() {
        Some(Step::Create { partitions, .. }) => Some(*partitions),
        Some(Step::Grow { to, .. }) => Some(*to),
        Some(Step::Configure { .. }) | None => row.copy_partitions,
    }
}

fn settings(row: &Row) -> Vec<Value> {
    let mut settings = Vec::new();
    for step in &row.steps {
        match step {
            Step::Create { configs, .. } => settings.extend(configs.iter().map(|(key, value)| {
                json!({"key": key, "actual": null, "planned": value, "why": "set on the source"})
            })),
            Step::Configure { changes, .. } => settings.extend(changes.iter().map(|change| {
                json!({
                    "key": change.name, "actual": change.from, "planned": change.to,
                    "why": if change.to.is_some() { "set on the source" } else { "not set on the source" },
                })
            })),
            Step::Grow { .. } => {}
        }
    }
    settings
}

fn warning(problem: &Problem) -> Value {
    json!({
        "id": problem.state.name(),
        "error": problem.is_blocking(),
        "text": problem.reason,
        "fix": problem.state.remedy(),
    })
}

/// One topic as it is shown.
pub(crate) fn object(row: &Row) -> Value {
    let steps: Vec<String> = row.steps.iter().map(ToString::to_string).collect();
    json!({
        "topic": row.source.as_str(),
        "decision": decision(row),
        "rule": row.decision,
        "destination_topic": row.destination.as_ref().map(|name| name.as_str()),
        "action": action_word(row),
        "partitions": {
            "source": row.partitions,
            "destination": is_copied(row).then(|| row.copy_partitions.unwrap_or(0)),
            "planned": planned(row).filter(|_| is_copied(row)),
        },
        // Below one stands for the destination's default, which is not known.
        "replication_factor": {"planned": row.replication_factor.filter(|factor| *factor > 0)},
        "settings": settings(row),
        "steps": steps,
        "warnings": row.problems.iter().map(warning).collect::<Vec<_>>(),
        "retained_bytes": row.bytes,
        "offsets": row.offsets.as_ref().map(|offsets| json!({
            "outlook": offsets.word(),
            "padding": offsets.padding,
            "reasons": offsets.reasons,
        })),
    })
}

fn plan(preview: &Preview) -> Vec<Value> {
    let steps = preview.rows.iter().flat_map(|row| {
        let all = row.steps.iter();
        // Topics that are merged share it.
        all.filter(|step| *step.source() == row.source)
    });
    steps
        .map(|step| {
            let word = match step {
                Step::Create { .. } => "create-topic",
                Step::Grow { .. } => "add-partitions",
                Step::Configure { .. } => "alter-settings",
            };
            let (object, change) = (step.topic().as_str(), step.to_string());
            json!({"step": word, "object": object, "change": change, "destructive": false})
        })
        .collect()
}

/// The whole, with the rows that `is_shown` takes.
pub(crate) fn document(
    previewed: &Previewed,
    link: &LinkConfig,
    tasks: Option<u32>,
    rate: u64,
    is_shown: impl Fn(&Row) -> bool,
) -> Value {
    let preview = &previewed.preview;
    let totals = totals(preview, rate);
    let rows = preview.rows.iter();
    let count = |word| {
        let rows = rows.clone();
        rows.filter(|row| action_word(row) == Some(word)).count()
    };
    json!({
        "schema": "tributary/v1/Preview",
        "as_of": worker_group::detail::instant(std::time::SystemTime::now()),
        "reading_id": null,
        "link": link.name,
        "rows": rows.clone().filter(|row| is_shown(row)).map(object).collect::<Vec<_>>(),
        "notices": preview.notices,
        "totals": {
            "topics": totals.topics,
            "partitions": totals.partitions,
            "create": totals.create,
            "grow": count("grow"),
            "alter": count("alter"),
            "exists": count("exists"),
            "error": totals.errors,
            "warnings": rows.clone().filter(|row| row.is_warning()).count(),
            "excluded": totals.excluded,
        },
        "plan": plan(preview),
        "estimate": {
            "retained_bytes": totals.bytes,
            "retained_bytes_unknown": preview.bytes_unknown,
            "rate_bytes_per_second": totals.rate,
            "seconds": totals.seconds,
            "tasks": tasks,
        },
        "acls": null,
        "access_rights": previewed.rights.as_ref().map_or(Value::Null, rights::object),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn row(topic: &str) -> Row {
        Row {
            source: topic.into(),
            selected: true,
            decision: "selected by the pattern .*".to_owned(),
            left_out: None,
            destination: Some("all".into()),
            partitions: Some(2),
            copy_partitions: None,
            replication_factor: Some(1),
            steps: Vec::new(),
            anew: false,
            problems: Vec::new(),
            bytes: None,
            offsets: None,
        }
    }

    #[test]
    fn the_decision_about_a_topic_is_one_of_the_apis_words() {
        let left_out = |reason| Row {
            selected: false,
            left_out: Some(reason),
            ..row("t")
        };
        let with = |state| Row {
            problems: vec![Problem::new(&"t".into(), state, "because")],
            ..row("t")
        };
        for (row, word) in [
            (row("t"), "match"),
            (left_out(Reason::NotSelected), "not-matched"),
            (left_out(Reason::ExcludedByName), "excluded"),
            (left_out(Reason::ExcludedByPattern), "excluded"),
            (left_out(Reason::PatternTooCostly), "excluded"),
            (left_out(Reason::Filtered), "excluded"),
            (left_out(Reason::BelongsToKafka), "internal"),
            (left_out(Reason::Internal), "internal"),
            (left_out(Reason::LeadsBack), "loop"),
            (with(Condition::Cycle), "loop"),
            (with(Condition::NameInvalid), "name-invalid"),
            (with(Condition::NameCollision), "name-collision"),
            (with(Condition::SourceUnauthorized), "unreadable"),
            (with(Condition::DestinationRecreated), "match"),
        ] {
            assert_eq!(object(&row)["decision"], word, "{row:?}");
            // What is not to be copied has no action, and what stands is an error.
            let action = match (word, row.problems.is_empty()) {
                ("match", true) => json!("exists"),
                ("match" | "name-invalid" | "name-collision" | "unreadable", false) => {
                    json!("error")
                }
                _ => Value::Null,
            };
            assert_eq!(object(&row)["action"], action, "{row:?}");
        }
    }

    #[test]
    fn topics_that_are_merged_share_a_step_which_the_plan_has_once() {
        let create = Step::Create {
            source: "a".into(),
            topic: "all".into(),
            partitions: 3,
            replication_factor: 1,
            reducible: true,
            configs: Vec::new(),
        };
        let both = ["a", "b"].map(|topic| Row {
            steps: vec![create.clone()],
            ..row(topic)
        });
        let preview = Preview {
            rows: both.to_vec(),
            notices: BTreeSet::new(),
            bytes_unknown: None,
        };
        for row in &preview.rows {
            let shown = object(row);
            assert_eq!(shown["action"], "create", "{shown}");
            let partitions = json!({"source": 2, "destination": 0, "planned": 3});
            assert_eq!(shown["partitions"], partitions);
        }
        assert_eq!(plan(&preview).len(), 1);
        assert_eq!(totals(&preview, 1).create, 2);
    }

    #[test]
    fn a_preview_that_does_not_know_what_was_copied_says_so() {
        let topic = |name: &str| OffsetStorage::Topic {
            name: name.to_owned(),
            replication_factor: 1,
            partitions: 1,
        };
        let mut unread = Before::default();
        unread.trouble = Some("because".to_owned());
        let said = |memory, before: &Before| unknown(memory, before, &topic("positions"));
        assert_eq!(said(Memory::OfWorker, &Before::default()), None);
        let text = said(Memory::OfWorker, &unread).expect("said");
        assert!(
            text.ends_with("because; it takes READ on the topic positions"),
            "{text}"
        );
        let text = said(Memory::Unknown, &Before::default()).expect("said");
        assert!(text.contains("--worker"), "{text}");
    }
}
