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
//! Deliberately absent: variables (`${file:…}`), which need files and the environment; contact with clusters.

mod acls;
mod classify;
mod client;
mod data;
mod link;
mod mirrors;
mod reader;
mod topics;
mod worker;

use crate::key::Treatment;
use crate::keys::Scope;
use crate::link::LinkConfig;
use crate::problem::{ConfigProblem, Notice};
use crate::raw::RawConfig;
use crate::selection::TopicSelection;
use crate::worker::WorkerConfig;

pub use link::scope_of;
pub use mirrors::{Flow, is_mirror_file, resolve_mirrors};
use reader::Reader;

/// The settings of a link, in the vocabulary of Replicator, of MirrorMaker 2, or in our own, as `connector.class`
/// says; without one it is our own. `worker` supplies the destination where the link names none. `name` is required.
///
/// # Errors
/// All problems of the configuration.
pub fn resolve_link(
    raw: &RawConfig,
    worker: &WorkerConfig,
) -> Result<(LinkConfig, Vec<Notice>), Vec<ConfigProblem>> {
    resolve(raw, scope_of(raw), |reader| {
        link::link(reader, worker, None)
    })
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
    resolve(raw, scope_of(raw), |reader| {
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

/// What is wrong and what is worth saying about the properties of a Kafka client.
///
/// # Errors
/// All problems of the configuration.
pub fn check_client(raw: &RawConfig) -> Result<Vec<Notice>, Vec<ConfigProblem>> {
    resolve(raw, Scope::Client, |reader| {
        let client = client::client(reader, &[""], None);
        client.map(|_| ()).or(Some(()))
    })
    .map(|((), notices)| notices)
}

fn resolve<T>(
    raw: &RawConfig,
    scope: Scope,
    settings: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Result<(T, Vec<Notice>), Vec<ConfigProblem>> {
    let (raw, notices) = with_newer_names(raw, scope);
    let mut reader = Reader::new(&raw, scope);
    classify::classify(&mut reader);
    let settings = settings(&mut reader);
    reader.say_not_yet();
    match settings {
        Some(settings) if reader.problems.is_empty() => {
            let notices = notices.into_iter().chain(reader.notices).collect();
            Ok((settings, notices))
        }
        _ => Err(reader.problems),
    }
}

/// Moves values of older names to the newer ones. Where both are set the newer one holds.
fn with_newer_names(raw: &RawConfig, scope: Scope) -> (RawConfig, Vec<Notice>) {
    let mut moved = RawConfig::new();
    moved.initial_state.clone_from(&raw.initial_state);
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
