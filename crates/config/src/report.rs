//! What there is to say about a configuration, key by key, without starting anything.
//!
//! Flow: a configuration and what it is for → the same steps as at start → a row per key, all problems, all notices.
//! Deliberately absent: contact with clusters; whether topics and files exist.

use std::fmt;

use crate::key::{self, ConfigKey, Treatment};
use crate::keys::{self, Scope};
use crate::problem::{ConfigProblem, Notice};
use crate::raw::{Origin, RawConfig, RawEntry};
use crate::resolve::{self, scope_of};
use crate::worker::{OffsetStorage, WorkerConfig};

/// What a file configures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// A process.
    Worker,
    /// A link (a connector).
    Link,
    /// Flows of MirrorMaker 2.
    Mirror,
    /// A Kafka client.
    Client,
}

/// Everything about one file.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    /// What it was taken for.
    pub kind: FileKind,
    /// Each key that is given, and each that is required and missing; then the unset ones.
    pub rows: Vec<Row>,
    /// What has to change.
    pub problems: Vec<ConfigProblem>,
    /// What is worth knowing.
    pub notices: Vec<Notice>,
}

/// One key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// As the user wrote it.
    pub key: String,
    /// `[hidden]` for secrets; `None` where it is missing or has no default.
    pub value: Option<String>,
    /// Where it was given.
    pub origin: Option<Origin>,
    /// What becomes of it.
    pub status: Status,
    /// What it means, or what is wrong with it.
    pub meaning: String,
}

/// What becomes of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// It has its effect.
    Set,
    /// It is unset, and this holds.
    Default,
    /// It is an older name of another key.
    Mapped,
    /// It has no effect.
    Ignored,
    /// Nothing of this name is known.
    Unknown,
    /// It has to change.
    Invalid,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set => "set",
            Self::Default => "default",
            Self::Mapped => "mapped",
            Self::Ignored => "ignored",
            Self::Unknown => "unknown",
            Self::Invalid => "invalid",
        })
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Worker => "worker",
            Self::Link => "link",
            Self::Mirror => "mm2",
            Self::Client => "client",
        })
    }
}

/// What a configuration is probably for: what most of its keys are for.
#[must_use]
pub fn kind_of(raw: &RawConfig) -> FileKind {
    if resolve::is_mirror_file(raw) {
        return FileKind::Mirror;
    }
    if raw.get("connector.class").is_some() {
        return FileKind::Link;
    }
    let count = |is: &dyn Fn(&str) -> bool| {
        let entries = raw.entries().iter();
        entries.filter(|entry| is(&entry.key)).count()
    };
    let client = |key: &str| Scope::Client.find(key).is_some();
    let link = count(&|key| Scope::Own.find(key).is_some());
    // A worker has the keys of a client too, and some that no client has.
    let worker = count(&|key| Scope::Worker.find(key).is_some());
    let worker_alone = count(&|key| Scope::Worker.find(key).is_some() && !client(key));
    if worker_alone > 0 && worker > link {
        FileKind::Worker
    } else if count(&client) > link {
        FileKind::Client
    } else {
        FileKind::Link
    }
}

/// Looks at a configuration as it would be looked at when it is started. `worker` is that of the process, where it is
/// known; without it a link need not name its destination. `with_defaults` adds a row for each unset key that has one.
#[must_use]
pub fn report(
    raw: &RawConfig,
    kind: FileKind,
    worker: Option<&WorkerConfig>,
    with_defaults: bool,
) -> Report {
    let (mut problems, mut notices) = findings(raw, kind, worker);
    if kind == FileKind::Link && worker.is_none() {
        problems.retain(|problem| {
            let elsewhere = problem.origin.is_none()
                && problem
                    .wrong
                    .contains("the worker has no bootstrap.servers");
            if elsewhere {
                let text = "the destination is not named; it has to be the worker's cluster";
                notices.push(Notice::info(text));
            }
            !elsewhere
        });
    }
    let scope = match kind {
        FileKind::Worker => Scope::Worker,
        FileKind::Link => scope_of(raw),
        FileKind::Mirror => Scope::Mirror,
        FileKind::Client => Scope::Client,
    };
    let find = |key: &str| match kind {
        FileKind::Mirror => resolve::mirrors_row(raw, key),
        _ => scope.find(key),
    };
    let mut rows: Vec<Row> = raw
        .entries()
        .iter()
        .map(|entry| given(entry, find(&entry.key), scope, &problems, &notices))
        .collect();
    rows.extend(
        problems
            .iter()
            .filter(|problem| problem.origin.is_none())
            .map(missing),
    );
    if with_defaults {
        let unset = scope.families().iter().flat_map(|family| {
            family
                .rows()
                .map(|row| (format!("{}{}", family.prefix, row.name), row))
        });
        rows.extend(unset.filter_map(|(key, row)| {
            let default = row.default.filter(|_| raw.get(&key).is_none())?;
            Some(Row {
                key,
                value: Some(default.to_owned()),
                origin: None,
                status: Status::Default,
                meaning: row.doc.to_owned(),
            })
        }));
    }
    Report {
        kind,
        rows,
        problems,
        notices,
    }
}

fn findings(
    raw: &RawConfig,
    kind: FileKind,
    worker: Option<&WorkerConfig>,
) -> (Vec<ConfigProblem>, Vec<Notice>) {
    match kind {
        FileKind::Worker => {
            let outcome = resolve::worker_outcome(raw);
            (outcome.problems, outcome.notices)
        }
        FileKind::Mirror => {
            let outcome = resolve::mirrors_outcome(raw, None);
            (outcome.problems, outcome.notices)
        }
        FileKind::Client => {
            let outcome = resolve::client_outcome(raw);
            (outcome.problems, outcome.notices)
        }
        FileKind::Link => {
            let none = WorkerConfig::new(OffsetStorage::File(std::path::PathBuf::new()));
            let outcome = resolve::link_outcome(raw, worker.unwrap_or(&none));
            (outcome.problems, outcome.notices)
        }
    }
}

fn given(
    entry: &RawEntry,
    row: Option<&'static ConfigKey>,
    scope: Scope,
    problems: &[ConfigProblem],
    notices: &[Notice],
) -> Row {
    let value = entry.value.trim();
    let shown = key::shown_in_changes(&entry.key, value);
    let problem = problems
        .iter()
        .find(|problem| problem.key == entry.key && problem.origin.as_ref() == Some(&entry.origin));
    let (status, meaning) = match (problem, row) {
        (Some(problem), _) => (Status::Invalid, what_is_wrong(problem)),
        (None, None) => unknown(entry, scope, notices),
        (None, Some(row)) => match row.treatment {
            Treatment::Implemented => (Status::Set, row.doc.to_owned()),
            Treatment::Mapped(newer) => (Status::Mapped, format!("older name of {newer}")),
            Treatment::NotYet(reason) => {
                (Status::Ignored, format!("not implemented yet: {reason}"))
            }
            Treatment::Ignored => (Status::Ignored, row.doc.to_owned()),
            Treatment::IgnoredWarn(reason) => (Status::Ignored, reason.to_owned()),
            Treatment::Rejected(remedy) => (Status::Ignored, remedy.to_owned()),
        },
    };
    Row {
        key: entry.written().to_owned(),
        value: Some(shown),
        origin: Some(entry.origin.clone()),
        status,
        meaning,
    }
}

/// A key that is known at another place at most: what was said about it says so.
fn unknown(entry: &RawEntry, scope: Scope, notices: &[Notice]) -> (Status, String) {
    let begin = format!("{} ({}) has no effect", entry.written(), entry.origin);
    let said = notices
        .iter()
        .find_map(|notice| notice.text.strip_prefix(&begin));
    if let Some(why) = said {
        return (Status::Ignored, format!("no effect{why}"));
    }
    let meaning = match keys::nearest(scope, &entry.key) {
        Some(meant) => format!("did you mean {meant} ?"),
        None => "nothing of this name is known".to_owned(),
    };
    (Status::Unknown, meaning)
}

fn missing(problem: &ConfigProblem) -> Row {
    Row {
        key: problem.key.clone(),
        value: None,
        origin: None,
        status: Status::Invalid,
        meaning: what_is_wrong(problem),
    }
}

fn what_is_wrong(problem: &ConfigProblem) -> String {
    let mut text = problem.wrong.clone();
    if let Some(remedy) = &problem.remedy {
        text = format!("{text}; {remedy}");
    }
    if let Some(key) = &problem.did_you_mean {
        text = format!("{text}; did you mean {key} ?");
    }
    text
}
