//! From a configuration as given to settings that cannot be invalid, or to *all* of its problems.
//!
//! ```text
//! older names move to newer ones ─▶ classify: every entry is judged by its row ─▶ link, topics, data, worker:
//! settings are put together from the entries that have an effect
//! ```
//!
//! All steps add to one list, so that a user sees everything at once. A file of MirrorMaker 2 is first taken apart
//! into one such configuration for each flow (`mirrors`).
//!
//! Variables (`${file:…}`) are replaced before all that, and put back in everything that is said.
//!
//! Deliberately absent: contact with clusters.

mod acls;
mod classify;
mod client;
mod data;
mod group;
mod link;
mod mirrors;
mod reader;
mod rest;
mod security;
mod start;
mod topics;
mod transactions;
mod transforms;
mod worker;

use crate::key::Treatment;
use crate::keys::Scope;
use crate::link::LinkConfig;
use crate::problem::{ConfigProblem, Notice};
use crate::raw::{RawConfig, RawEntry};
use crate::selection::TopicSelection;
use crate::worker::WorkerConfig;

pub use link::{OWN_CLASS, scope_of};
pub use mirrors::{Flow, is_mirror_file, resolve_mirrors};
pub(crate) use mirrors::{mirrors_outcome, mirrors_row};
use reader::Reader;
pub(crate) use security::{listener_tls_now, security_now};

/// The settings of a link, in the vocabulary of Replicator, of MirrorMaker 2, or in our own, as `connector.class`
/// says; without one it is our own. `worker` supplies the destination where the link names none. `name` is required.
///
/// # Errors
/// All problems of the configuration.
pub fn resolve_link(
    raw: &RawConfig,
    worker: &WorkerConfig,
) -> Result<(LinkConfig, Vec<Notice>), Vec<ConfigProblem>> {
    link_outcome(raw, worker).into_result()
}

/// As [`resolve_link`], with topics selected by the caller rather than by keys: the command line takes several
/// patterns.
///
/// # Errors
/// All problems of the configuration.
pub fn resolve_link_selecting(
    raw: &RawConfig,
    worker: &WorkerConfig,
    selection: TopicSelection,
) -> Result<(LinkConfig, Vec<Notice>), Vec<ConfigProblem>> {
    outcome(raw, scope_of(raw), |reader| {
        link::link(reader, worker, Some(selection))
    })
    .into_result()
}

/// The settings of a process, in Connect's vocabulary and our own. Positions are kept in `offset.storage.topic`
/// where `group.id` or only that topic is set, else in `offset.storage.file.filename`.
///
/// # Errors
/// All problems of the configuration.
pub fn resolve_worker(raw: &RawConfig) -> Result<(WorkerConfig, Vec<Notice>), Vec<ConfigProblem>> {
    worker_outcome(raw).into_result()
}

/// What came of a configuration: settings, unless something is wrong, and everything there is to say.
pub(crate) struct Outcome<T> {
    pub(crate) settings: Option<T>,
    pub(crate) problems: Vec<ConfigProblem>,
    pub(crate) notices: Vec<Notice>,
}

impl<T> Outcome<T> {
    fn into_result(self) -> Result<(T, Vec<Notice>), Vec<ConfigProblem>> {
        match self.settings {
            Some(settings) if self.problems.is_empty() => Ok((settings, self.notices)),
            _ => Err(self.problems),
        }
    }
}

fn outcome<T>(
    raw: &RawConfig,
    scope: Scope,
    settings: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Outcome<T> {
    let (raw, unreplaced) = replaced(raw);
    let (raw, mut notices) = with_newer_names(&raw, scope);
    let mut reader = Reader::new(&raw, scope);
    let reported = unreplaced.len();
    reader.problems = unreplaced;
    classify::classify(&mut reader);
    let settings = settings(&mut reader);
    reader.say_not_yet();
    notices.append(&mut reader.notices);
    let mut problems = reader.problems;
    let unreplaced: Vec<String> = problems[..reported].iter().map(|p| p.key.clone()).collect();
    let mut index = 0;
    problems.retain(|problem| {
        index += 1;
        index <= reported || !unreplaced.contains(&problem.key)
    });
    conceal_entries(raw.entries(), &mut problems, &mut notices);
    Outcome {
        settings,
        problems,
        notices,
    }
}

/// The configuration with its variables replaced. An entry whose variables are not to be had is reported, and stays as
/// it is written.
fn replaced(raw: &RawConfig) -> (RawConfig, Vec<ConfigProblem>) {
    let mut problems = Vec::new();
    let mut entries = Vec::new();
    for entry in raw.entries() {
        match entry.replace(raw.variables()) {
            Ok(entry) => entries.push(entry),
            Err(problem) => {
                problems.push(*problem);
                entries.push(entry.clone());
            }
        }
    }
    (raw.with_entries(entries), problems)
}

/// What variables brought is not shown anywhere: they are put back.
fn conceal_entries<'a>(
    entries: impl IntoIterator<Item = &'a RawEntry>,
    problems: &mut [ConfigProblem],
    notices: &mut [Notice],
) {
    for entry in entries.into_iter().filter(|entry| entry.is_replaced()) {
        for problem in problems.iter_mut() {
            if problem.key == entry.key && problem.shown.as_deref() == Some(entry.value.trim()) {
                problem.shown = Some(entry.given_value().to_owned());
            }
            entry.conceal(&mut problem.wrong);
            for text in problem.shown.iter_mut().chain(problem.remedy.iter_mut()) {
                entry.conceal(text);
            }
        }
        for notice in notices.iter_mut() {
            entry.conceal(&mut notice.text);
        }
    }
}

pub(crate) fn link_outcome(raw: &RawConfig, worker: &WorkerConfig) -> Outcome<LinkConfig> {
    outcome(raw, scope_of(raw), |reader| {
        link::link(reader, worker, None)
    })
}

pub(crate) fn worker_outcome(raw: &RawConfig) -> Outcome<WorkerConfig> {
    outcome(raw, Scope::Worker, worker::worker)
}

/// Client properties have no required keys: nothing is put together that would miss them.
pub(crate) fn client_outcome(raw: &RawConfig) -> Outcome<()> {
    outcome(raw, Scope::Client, |reader| {
        client::client(reader, &[""], None);
        Some(())
    })
}

/// Moves values of older names to the newer ones. Where both are set the newer one holds.
fn with_newer_names(raw: &RawConfig, scope: Scope) -> (RawConfig, Vec<Notice>) {
    let mut moved = raw.with_entries(Vec::new());
    let mut notices = Vec::new();
    for entry in raw.entries() {
        let newer = match scope.find(&entry.key).map(|row| row.treatment) {
            Some(Treatment::Mapped(newer)) => newer,
            _ => {
                moved.set_moved(&entry.key, entry);
                continue;
            }
        };
        match raw.get(newer) {
            None => moved.set_moved(newer, entry),
            Some(given) if given.value.trim() == entry.value.trim() => {}
            Some(_) => notices.push(Notice::warn(format!(
                "{} ({}) is an older name of {newer}, which is set too, to something else, and wins",
                entry.written(),
                entry.origin
            ))),
        }
    }
    (moved, notices)
}
