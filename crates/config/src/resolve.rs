//! From a configuration as given to settings that cannot be invalid, or to *all* of its problems.
//!
//! Flow: every entry is judged by its row in the table (`classify`); then the settings are put together from the
//! entries that have an effect (`link`, `worker`). Both add to one list, so that a user sees everything at once.
//! Deliberately absent: variables (`${file:…}`), which need files and the environment; contact with clusters.

mod classify;
mod client;
mod link;
mod reader;
mod worker;

use crate::keys::Scope;
use crate::link::LinkConfig;
use crate::problem::{ConfigProblem, Notice};
use crate::raw::RawConfig;
use crate::selection::TopicSelection;
use crate::worker::WorkerConfig;

use reader::Reader;

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
    let mut reader = Reader::new(raw, scope);
    classify::classify(&mut reader);
    let settings = settings(&mut reader);
    match settings {
        Some(settings) if reader.problems.is_empty() => Ok((settings, reader.notices)),
        _ => Err(reader.problems),
    }
}
