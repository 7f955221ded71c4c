//! `tributary distributed`: one of several workers that share their links.

use std::path::PathBuf;

use clap::Args;
use config::Variables;
use config::worker::{OffsetStorage, WorkerConfig};

use super::Exit;
use crate::distributed::{self, GroupPlan};
use crate::{output, settings, variables};

/// Run one of several workers that share their links, as connect-distributed does.
///
/// Workers with the same `group.id` find each other through the cluster of `bootstrap.servers`, which also keeps links,
/// statuses and positions. Links come by the REST API, to any worker.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary distributed worker.properties")]
pub(crate) struct DistributedArgs {
    /// The worker's properties file
    worker: PathBuf,

    /// A key of the worker that wins over its file (repeatable)
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,

    /// Check the file and stop
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub(super) async fn run(args: DistributedArgs, level: String) -> Exit {
    let Some((worker, variables)) = resolve(&args) else {
        return if args.check {
            Exit::NotReady
        } else {
            Exit::Usage
        };
    };
    if args.check {
        output::line(&format!("{} can be used", args.worker.display()));
        return Exit::Done;
    }
    Box::pin(distributed::run(GroupPlan {
        worker,
        variables,
        level,
    }))
    .await
}

/// The settings of the worker, or nothing after every problem has been printed.
fn resolve(args: &DistributedArgs) -> Option<(WorkerConfig, Variables)> {
    let what = args.worker.display().to_string();
    let mut raw = settings::read(&args.worker)
        .map_err(|problem| output::error(&problem))
        .ok()?;
    if let Err(problem) = settings::overlay(&mut raw, "--override", &args.overrides) {
        output::error(&problem);
        return None;
    }
    let variables = variables::give_own(&mut raw, &what)?;
    let mut missing = false;
    for key in [
        "group.id",
        "config.storage.topic",
        "offset.storage.topic",
        "status.storage.topic",
    ] {
        if raw
            .get(key)
            .is_none_or(|entry| entry.value.trim().is_empty())
        {
            missing = true;
            output::error(&format!(
                "{what}: {key} is not set; workers that share links need it, and all of them the same"
            ));
        }
    }
    if missing {
        return None;
    }
    let worker = settings::worker(&raw, &what)?;
    if worker.bootstrap.is_none() || matches!(worker.offsets, OffsetStorage::File(_)) {
        output::error(&format!(
            "{what}: bootstrap.servers is not set; set it to the cluster that workers find each other through"
        ));
        return None;
    }
    Some((worker, variables))
}
