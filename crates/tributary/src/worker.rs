//! Runs links in one process: the worker's engine with its links, the HTTP side where it is asked for, progress, and
//! the end, when asked to or when done.
//!
//! Without HTTP nobody could repair a link, so the first one that fails ends the process; with it a link that fails is
//! shown so, and begun again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use config::rest::RestConfig;
use config::variables::Variables;
use config::worker::WorkerConfig;
use lifecycle::{OnFailure, Scope};
use replication::link::LinkHandle;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use worker_group::loggers::Loggers;
use worker_group::state::TargetState;
use worker_group::{Engine, EngineOptions, Handle};

use crate::answers::{self, Given};
use crate::cli::Exit;
use crate::link_host::{Failed, LinkHost, Prepared};
use crate::metrics::Metrics;
use crate::overlap::Overlap;
use crate::progress::{CaughtUp, Progress, Since};
use crate::rest::Rest;
use crate::{output, shutdown, telemetry};

/// When a run ends by itself, and what it shows.
#[derive(Clone, Debug)]
pub(crate) struct RunOptions {
    /// End once everything has been copied for this long.
    pub(crate) until_caught_up: Option<Duration>,
    /// End after this time.
    pub(crate) stop_after: Option<Duration>,
    /// Interval of progress lines.
    pub(crate) progress: Option<Duration>,
    /// What is said to partitions that stand.
    pub(crate) answers: Vec<Given>,
}

/// What is run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The settings of the process.
    pub(crate) worker: WorkerConfig,
    /// What variables in configurations are replaced with.
    pub(crate) variables: Option<Variables>,
    /// The links it begins with, and what is wanted of them.
    pub(crate) links: Vec<(Prepared, Option<TargetState>)>,
    /// The HTTP side.
    pub(crate) rest: Option<RestConfig>,
    /// The level of logging it began with.
    pub(crate) level: String,
}

/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// What the engine needs to end beyond the time its links have.
const END: Duration = Duration::from_secs(3);

/// Runs a worker to its end.
pub(crate) async fn run(plan: Plan, mut options: RunOptions) -> Exit {
    let watcher = Scope::new("signals");
    let scope = Arc::new(Scope::new("worker"));
    if let Err(error) = shutdown::on_signal(&watcher, &scope) {
        output::error(&format!("signals cannot be watched: {error}"));
        return Exit::Error;
    }
    let workers = plan.links.iter().map(|(link, _)| &link.worker);
    let timeouts = workers.chain([&plan.worker]);
    let grace = timeouts.map(|worker| worker.shutdown_timeout).max();
    let grace = grace.unwrap_or_default();
    let count = plan.links.len();
    let (fatal, mut failed) = mpsc::channel(1);
    let ends = options.until_caught_up.is_some();
    let Some(host) = Box::pin(start(plan, fatal, ends, &scope)).await else {
        let report = scope.stop(grace + END).await;
        tracing::debug!(?report, "stopped during start");
        return Exit::NotStarted;
    };
    let end = watch(&host, count, &scope, &mut failed, &mut options).await;
    answers::say_unused(&options.answers);
    // Links that run stop in order.
    let handles = host.handles();
    let report = scope.stop(grace + END).await;
    for name in &report.aborted {
        tracing::warn!("{name} did not stop in time");
    }
    for failure in &report.failures {
        output::error(&failure.to_string());
    }
    let done = match end {
        End::Failed(failed) => {
            output::error(&failed.text);
            if !failed.ran {
                return Exit::NotStarted;
            }
            summarise(&handles, &options);
            return Exit::Error;
        }
        End::CaughtUp(verdict) => Some(verdict),
        End::Stopped => None,
    };
    summarise(&handles, &options);
    if !report.failures.is_empty() {
        return Exit::Error;
    }
    match (options.until_caught_up, done) {
        (Some(_), Some(CaughtUp::Yes)) | (None, _) => Exit::Done,
        (Some(_), _) => Exit::NotReady,
    }
}

fn summarise(handles: &[(String, LinkHandle)], options: &RunOptions) {
    // Without anybody watching there is nothing to sum up unless the end was the purpose.
    if options.until_caught_up.is_none() && options.stop_after.is_none() {
        return;
    }
    let statuses: Vec<_> = handles
        .iter()
        .map(|(name, handle)| (name.as_str(), handle.status()))
        .collect();
    for line in Progress::summary(&statuses) {
        output::line(&line);
    }
}

/// Starts the engine and hands it its links; problems are printed.
async fn start(
    plan: Plan,
    fatal: mpsc::Sender<Failed>,
    ends: bool,
    scope: &Arc<Scope>,
) -> Option<LinkHost> {
    let Plan {
        mut worker,
        variables,
        links,
        rest,
        level,
    } = plan;
    let memory = links.iter().map(|(link, _)| link.worker.buffer_memory);
    worker.buffer_memory = memory.max().unwrap_or(worker.buffer_memory);
    let rest = match &rest {
        None => None,
        Some(config) => Some(Rest::open(config).await?),
    };
    let prepared: BTreeMap<String, Prepared> = links
        .iter()
        .map(|(link, _)| (link.link.name.clone(), link.clone()))
        .collect();
    let fatal = rest.is_none().then_some(fatal);
    let host = LinkHost::new(
        worker.clone(),
        variables.clone(),
        prepared,
        fatal,
        Arc::clone(scope),
    );
    if let Err(problem) = host.open_files() {
        output::error(&problem);
        return None;
    }
    let (partition_limit, buffer_limit) = (worker.metrics_partition_limit, worker.buffer_memory);
    let names = worker.metrics_compat.clone();
    let root = level.split(',').next().unwrap_or("info");
    let engine = EngineOptions {
        worker_id: rest
            .as_ref()
            .map_or_else(|| "localhost:0".to_owned(), Rest::worker_id),
        host: Arc::new(host.clone()),
        worker,
        variables,
        loggers: Loggers::new(root, Box::new(telemetry::set_levels)),
        version: env!("CARGO_PKG_VERSION"),
        // What stands when everything else is copied is the result of a run that ends.
        retries_tasks: !ends,
    };
    let (engine, handle) = Engine::new(engine, scope);
    scope.spawn(
        "engine",
        OnFailure::StopScope,
        engine.run(scope.stop_signal()),
    );
    if let Some(rest) = rest {
        let finding = host.clone().find_cluster_id();
        let stop = scope.stop_signal();
        scope.spawn("cluster id", OnFailure::Report, async move {
            // Where the worker ends first, nobody asks for it any more.
            let _ = stop.unless_requested(finding).await;
        });
        rest.announce();
        let metrics = Metrics {
            handle: handle.clone(),
            host: host.clone(),
            worker_id: rest.worker_id(),
            partition_limit,
            buffer_limit,
            names,
        };
        rest.serve(handle.clone(), metrics.source(), scope);
    }
    adopt(&handle, links).await?;
    Some(host)
}

async fn adopt(handle: &Handle, links: Vec<(Prepared, Option<TargetState>)>) -> Option<()> {
    for (link, initial) in links {
        let name = link.link.name;
        if let Err(refusal) = handle.adopt(name.clone(), link.config, initial).await {
            output::error(&format!("link {name} cannot start: {refusal}"));
            return None;
        }
    }
    Some(())
}

/// Why a run ends.
enum End {
    /// Asked to, or the time is over.
    Stopped,
    /// Everything is copied, or never will be.
    CaughtUp(CaughtUp),
    /// A link failed.
    Failed(Failed),
}

/// Shows progress until there is a reason to end.
async fn watch(
    host: &LinkHost,
    count: usize,
    scope: &Arc<Scope>,
    failed: &mut mpsc::Receiver<Failed>,
    options: &mut RunOptions,
) -> End {
    let mut progress = Progress::new(options.progress);
    let mut overlap = Overlap::default();
    let stop = scope.stop_signal();
    let started = Instant::now();
    let mut since = Since::Started(started);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = options.stop_after.map(|after| started + after);
    let mut settled_since: Option<Instant> = None;
    loop {
        // All branches are cancel-safe.
        tokio::select! {
            biased;
            Some(failed) = failed.recv() => return End::Failed(failed),
            () = stop.requested() => return End::Stopped,
            () = sleep_until(end.unwrap_or(started)), if end.is_some() => return End::Stopped,
            _ = look.tick() => {}
        }
        let handles = host.handles();
        let statuses: Vec<_> = handles
            .iter()
            .map(|(name, handle)| (name.as_str(), handle.status()))
            .collect();
        progress.show(&statuses);
        overlap.say_new(&statuses);
        if answers::give(&mut options.answers, &handles, &statuses).await {
            since = Since::Answered(Instant::now());
            settled_since = None;
            continue;
        }
        let Some(hold) = options.until_caught_up else {
            continue;
        };
        if statuses.len() < count {
            continue;
        }
        match CaughtUp::of(&statuses, since) {
            CaughtUp::NotYet => settled_since = None,
            verdict => {
                let settled = *settled_since.get_or_insert_with(Instant::now);
                if settled.elapsed() >= hold {
                    return End::CaughtUp(verdict);
                }
            }
        }
    }
}
