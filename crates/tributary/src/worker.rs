//! Runs links in one process: starts them, shows their progress, ends when asked to or when done.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::link::LinkConfig;
use config::worker::{OffsetStorage, WorkerConfig};
use kafka_client::Buffers;
use lifecycle::{OnFailure, Scope};
use replication::link::{Link, LinkHandle};
use replication::position_store::FileStore;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::cli::Exit;
use crate::overlap::Overlap;
use crate::progress::{CaughtUp, Progress};
use crate::{output, shutdown};

/// When a run ends by itself, and what it shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunOptions {
    /// End once everything has been copied for this long.
    pub(crate) until_caught_up: Option<Duration>,
    /// End after this time.
    pub(crate) stop_after: Option<Duration>,
    /// Interval of progress lines.
    pub(crate) progress: Option<Duration>,
}

/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Starts the links of one worker and runs them to their end.
pub(crate) async fn run(worker: WorkerConfig, links: Vec<LinkConfig>, options: RunOptions) -> Exit {
    let with_worker = links.into_iter().map(|link| (link, worker.clone()));
    Box::pin(run_each(with_worker.collect(), options)).await
}

/// Starts links that each have a worker's settings of their own, and runs them to their end. What the process has
/// only once is as the largest of them says.
pub(crate) async fn run_each(links: Vec<(LinkConfig, WorkerConfig)>, options: RunOptions) -> Exit {
    let watcher = Scope::new("signals");
    let scope = Arc::new(Scope::new("worker"));
    if let Err(error) = shutdown::on_signal(&watcher, &scope) {
        output::error(&format!("signals cannot be watched: {error}"));
        return Exit::Error;
    }
    let workers = links.iter().map(|(_, worker)| worker);
    let shutdown_timeout = workers.map(|worker| worker.shutdown_timeout).max();
    let shutdown_timeout = shutdown_timeout.unwrap_or_default();
    let handles = match Box::pin(start(links, &scope)).await {
        Ok(handles) => handles,
        Err(exit) => {
            // Links that were started before stop in order.
            let report = scope.stop(shutdown_timeout).await;
            tracing::debug!(?report, "stopped during start");
            return match exit {
                Exit::Done if options.until_caught_up.is_some() => Exit::NotReady,
                exit => exit,
            };
        }
    };
    let done = watch(&handles, &scope, options).await;
    let report = scope.stop(shutdown_timeout).await;
    for name in &report.aborted {
        tracing::warn!("{name} did not stop in time");
    }
    for failure in &report.failures {
        output::error(&failure.to_string());
    }
    let statuses: Vec<_> = handles
        .iter()
        .map(|(name, h)| (name.as_str(), h.status()))
        .collect();
    // Without anybody watching there is nothing to sum up unless the end was the purpose.
    if options.until_caught_up.is_some() || options.stop_after.is_some() {
        for line in Progress::summary(&statuses) {
            output::line(&line);
        }
    }
    if !report.failures.is_empty() {
        return Exit::Error;
    }
    match (options.until_caught_up, done) {
        (Some(_), Some(CaughtUp::Yes)) | (None, _) => Exit::Done,
        (Some(_), _) => Exit::NotReady,
    }
}

async fn start(
    links: Vec<(LinkConfig, WorkerConfig)>,
    scope: &Arc<Scope>,
) -> Result<Vec<(String, LinkHandle)>, Exit> {
    let memory = links.iter().map(|(_, worker)| worker.buffer_memory).max();
    let share = memory.unwrap_or_default() / links.len().max(1);
    // Links that keep positions in a file share it.
    let mut files: Vec<(PathBuf, FileStore)> = Vec::new();
    let mut handles = Vec::new();
    for (config, worker) in links {
        let name = config.name.clone();
        let file = match &worker.offsets {
            OffsetStorage::File(path) => Some(shared_file(&mut files, path)?),
            OffsetStorage::Topic { .. } => None,
        };
        let starting = Box::pin(Link::start(
            config,
            &worker,
            file,
            Buffers::new(share),
            scope,
        ));
        let stop = scope.stop_signal();
        let (link, handle) = match Box::pin(stop.unless_requested(starting)).await {
            None => return Err(Exit::Done),
            Some(Ok(started)) => started,
            Some(Err(error)) => {
                output::error(&format!("link {name} cannot start: {error}"));
                return Err(Exit::NotStarted);
            }
        };
        tracing::info!(link = name, "started");
        scope.spawn(format!("link {name}"), OnFailure::StopScope, link.run(stop));
        handles.push((name, handle));
    }
    Ok(handles)
}

fn shared_file(files: &mut Vec<(PathBuf, FileStore)>, path: &Path) -> Result<FileStore, Exit> {
    if let Some((_, store)) = files.iter().find(|(known, _)| known == path) {
        return Ok(store.clone());
    }
    let store = FileStore::open(path).map_err(|error| {
        output::error(&error.to_string());
        Exit::NotStarted
    })?;
    files.push((path.to_owned(), store.clone()));
    Ok(store)
}

/// Shows progress until there is a reason to end.
async fn watch(
    handles: &[(String, LinkHandle)],
    scope: &Arc<Scope>,
    options: RunOptions,
) -> Option<CaughtUp> {
    let mut progress = Progress::new(options.progress);
    let mut overlap = Overlap::default();
    let stop = scope.stop_signal();
    let started = Instant::now();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = options.stop_after.map(|after| started + after);
    let mut settled_since: Option<Instant> = None;
    loop {
        tokio::select! {
            _ = look.tick() => {}
            () = sleep_until(end.unwrap_or(started)), if end.is_some() => return None,
            () = stop.requested() => return None,
        }
        let statuses: Vec<_> = handles
            .iter()
            .map(|(n, h)| (n.as_str(), h.status()))
            .collect();
        progress.show(&statuses);
        overlap.say_new(&statuses);
        let Some(hold) = options.until_caught_up else {
            continue;
        };
        match CaughtUp::of(&statuses, started) {
            CaughtUp::NotYet => settled_since = None,
            verdict => {
                let since = *settled_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= hold {
                    return Some(verdict);
                }
            }
        }
    }
}
