//! From a configuration as given to settings that cannot be invalid, or to *all* of its problems.
//!
//! Flow: every entry is judged by its row in the table (`classify`); then the settings are put together from the
//! entries that have an effect (`link`, `worker`). Both add to one list, so that a user sees everything at once.
//! Variables (`${file:…}`) are replaced before that, and put back in everything that is said.
//! Deliberately absent: contact with clusters.

mod classify;
mod client;
mod link;
mod reader;
mod security;
mod worker;

use crate::keys::Scope;
use crate::link::LinkConfig;
use crate::problem::{ConfigProblem, Notice};
use crate::raw::{RawConfig, RawEntry};
use crate::selection::TopicSelection;
use crate::worker::WorkerConfig;

use reader::Reader;
pub(crate) use security::security_now;

/// The settings of a link, in Replicator's vocabulary and our own. `worker` supplies the destination where the link
/// names none. `name` is required; a missing `connector.class` stands for our own.
///
/// # Errors
/// All problems of the configuration.
pub fn resolve_link(
    raw: &RawConfig,
    worker: &WorkerConfig,
) -> Result<(LinkConfig, Vec<Notice>), Vec<ConfigProblem>> {
    resolve(raw, Scope::Link, |reader| link::link(reader, worker, None))
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
    resolve(raw, Scope::Link, |reader| {
        link::link(reader, worker, Some(selection))
    })
}

/// The settings of a process, in Connect's vocabulary and our own. Positions are kept in `offset.storage.topic`
/// where `group.id` or only that topic is set, else in `offset.storage.file.filename`.
///
/// # Errors
/// All problems of the configuration.
pub fn resolve_worker(raw: &RawConfig) -> Result<(WorkerConfig, Vec<Notice>), Vec<ConfigProblem>> {
    resolve(raw, Scope::Worker, worker::worker)
}

fn resolve<T>(
    raw: &RawConfig,
    scope: Scope,
    settings: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Result<(T, Vec<Notice>), Vec<ConfigProblem>> {
    let (raw, unreplaced) = replaced(raw);
    let mut reader = Reader::new(&raw, scope);
    let reported = unreplaced.len();
    reader.problems = unreplaced;
    classify::classify(&mut reader);
    let settings = settings(&mut reader);
    let (mut problems, mut notices) = (reader.problems, reader.notices);
    let unreplaced: Vec<String> = problems[..reported].iter().map(|p| p.key.clone()).collect();
    let mut index = 0;
    problems.retain(|problem| {
        index += 1;
        index <= reported || !unreplaced.contains(&problem.key)
    });
    conceal_entries(raw.entries(), &mut problems, &mut notices);
    match settings {
        Some(settings) if problems.is_empty() => Ok((settings, notices)),
        _ => Err(problems),
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
            Err(wrong) => {
                problems.push(ConfigProblem {
                    key: entry.key.clone(),
                    shown: None,
                    origin: Some(entry.origin.clone()),
                    wrong,
                    remedy: None,
                    did_you_mean: None,
                });
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
                problem.shown = Some(entry.written().to_owned());
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
