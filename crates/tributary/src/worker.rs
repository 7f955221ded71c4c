//! Runs links in one process: starts them, shows their progress, ends when asked to or when done.

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

/// Starts the links and runs them to their end.
pub(crate) async fn run(worker: WorkerConfig, links: Vec<LinkConfig>, options: RunOptions) -> Exit {
    let watcher = Scope::new("signals");
    let scope = Arc::new(Scope::new("worker"));
    if let Err(error) = shutdown::on_signal(&watcher, &scope) {
        output::error(&format!("signals cannot be watched: {error}"));
        return Exit::Error;
    }
    let handles = match Box::pin(start(&worker, links, &scope)).await {
        Ok(handles) => handles,
        Err(exit) => {
            // Links that were started before stop in order.
            let report = scope.stop(worker.shutdown_timeout).await;
            tracing::debug!(?report, "stopped during start");
            return match exit {
                Exit::Done if options.until_caught_up.is_some() => Exit::NotReady,
                exit => exit,
            };
        }
    };
    let done = watch(&handles, &scope, options).await;
    let report = scope.stop(worker.shutdown_timeout).await;
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
    worker: &WorkerConfig,
    links: Vec<LinkConfig>,
    scope: &Arc<Scope>,
) -> Result<Vec<(String, LinkHandle)>, Exit> {
    let file = match &worker.offsets {
        OffsetStorage::File(path) => Some(FileStore::open(path).map_err(|error| {
            output::error(&error.to_string());
            Exit::Error
        })?),
        OffsetStorage::Topic { .. } => None,
    };
    let share = worker.buffer_memory / links.len().max(1);
    let mut handles = Vec::new();
    for config in links {
        let name = config.name.clone();
        let starting = Link::start(config, worker, file.clone(), Buffers::new(share), scope);
        let starting = Box::pin(starting);
        let stop = scope.stop_signal();
        let (link, handle) = match stop.unless_requested(starting).await {
            None => return Err(Exit::Done),
            Some(Ok(started)) => started,
            Some(Err(error)) => {
                output::error(&format!("link {name} cannot start: {error}"));
                return Err(Exit::Error);
            }
        };
        tracing::info!(link = name, "started");
        scope.spawn(format!("link {name}"), OnFailure::StopScope, link.run(stop));
        handles.push((name, handle));
    }
    Ok(handles)
}

/// Shows progress until there is a reason to end.
async fn watch(
    handles: &[(String, LinkHandle)],
    scope: &Arc<Scope>,
    options: RunOptions,
) -> Option<CaughtUp> {
    let mut progress = Progress::new(options.progress);
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
