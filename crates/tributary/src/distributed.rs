//! Runs one of several workers: its herder and the HTTP side, until it is asked to stop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use config::variables::Variables;
use config::worker::WorkerConfig;
use kafka_client::Cluster;
use lifecycle::{OnFailure, Scope};
use worker_group::loggers::Loggers;
use worker_group::{Herder, HerderOptions, Submit};

use crate::cli::Exit;
use crate::link_host::LinkHost;
use crate::metrics::Metrics;
use crate::rest::Rest;
use crate::{output, shutdown, telemetry};

/// What the herder needs to end beyond the time its links have: statuses, the group.
const END: Duration = Duration::from_secs(12);

/// What is run.
#[derive(Debug)]
pub(crate) struct GroupPlan {
    /// The settings of the process.
    pub(crate) worker: WorkerConfig,
    /// What variables in configurations are replaced with.
    pub(crate) variables: Variables,
    /// The level of logging it began with.
    pub(crate) level: String,
}

/// Runs a worker to its end.
pub(crate) async fn run(plan: GroupPlan) -> Exit {
    let watcher = Scope::new("signals");
    let scope = Arc::new(Scope::new("worker"));
    if let Err(error) = shutdown::on_signal(&watcher, &scope) {
        output::error(&format!("signals cannot be watched: {error}"));
        return Exit::Error;
    }
    let grace = plan.worker.shutdown_timeout;
    let stop = scope.stop_signal();
    let started = stop.unless_requested(Box::pin(start(plan, &scope))).await;
    let is_running = match started {
        Some(Some(())) => {
            stop.requested().await;
            true
        }
        Some(None) => false,
        // Asked to stop while it started.
        None => true,
    };
    let report = scope.stop(grace + END).await;
    for name in &report.aborted {
        tracing::warn!("{name} did not stop in time");
    }
    for failure in &report.failures {
        output::error(&failure.to_string());
    }
    match (is_running, report.failures.is_empty()) {
        (false, _) => Exit::NotStarted,
        (true, false) => Exit::Error,
        (true, true) => Exit::Done,
    }
}

/// Starts everything; problems are printed.
async fn start(plan: GroupPlan, scope: &Arc<Scope>) -> Option<()> {
    let GroupPlan {
        worker,
        variables,
        level,
    } = plan;
    let (Some(group), Some(bootstrap)) = (worker.group.clone(), worker.bootstrap.clone()) else {
        output::error("the worker's file names no group");
        return None;
    };
    let rest = Rest::open(&worker.rest).await?;
    let worker_id = rest.worker_id();
    let host = LinkHost::new(
        worker.clone(),
        Some(variables.clone()),
        BTreeMap::new(),
        None,
        Arc::clone(scope),
    );
    let measured = host.clone();
    let (partition_limit, buffer_limit) = (worker.metrics_partition_limit, worker.buffer_memory);
    let names = worker.metrics_compat.clone();
    let workers = rest.workers();
    let submit: Submit = Arc::new(move |submission| {
        let workers = workers.clone();
        Box::pin(async move { workers.submit(submission).await })
    });
    let root = level.split(',').next().unwrap_or("info");
    let options = HerderOptions {
        url: rest.url(),
        worker_id: worker_id.clone(),
        cluster: Cluster::new(bootstrap, "worker"),
        group,
        host: Arc::new(host.clone()),
        worker,
        variables: Some(variables),
        loggers: Loggers::new(root, Box::new(telemetry::set_levels)),
        submit,
        version: env!("CARGO_PKG_VERSION"),
    };
    let (herder, handle) = match Box::pin(Herder::open(options, scope)).await {
        Ok(opened) => opened,
        Err(problem) => {
            output::error(&problem);
            return None;
        }
    };
    scope.spawn(
        "herder",
        OnFailure::StopScope,
        herder.run(scope.stop_signal()),
    );
    let stop = scope.stop_signal();
    scope.spawn("cluster id", OnFailure::Report, async move {
        // Where the worker ends first, nobody asks for it any more.
        let _ = stop.unless_requested(host.find_cluster_id()).await;
    });
    rest.announce();
    let metrics = Metrics {
        handle: handle.clone(),
        host: measured,
        worker_id,
        partition_limit,
        buffer_limit,
        names,
    };
    rest.serve(handle, metrics.source(), scope);
    Some(())
}
