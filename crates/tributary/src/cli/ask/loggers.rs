//! `tributary loggers`: levels of logging of a worker, or of all of its group.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::table::{self, Column, Kind, column};
use super::{Exit, Reach, items};
use crate::asking::{Failure, Workers, encode};
use crate::output;

/// Levels of logging: show them, or set one.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "EXAMPLES\n  tributary loggers\n  tributary loggers set replication DEBUG --cluster"
)]
pub(in crate::cli) struct LoggersArgs {
    #[command(subcommand)]
    verb: Option<LoggersVerb>,

    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Subcommand)]
enum LoggersVerb {
    /// Set the level of one, and of all below it
    Set(SetArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLE\n  tributary loggers set kafka_client DEBUG --url http://worker-1:8083"
)]
struct SetArgs {
    /// Its name; root is all
    name: String,

    /// OFF, ERROR, WARN, INFO, DEBUG or TRACE
    level: String,

    /// On all workers of the group, not only on the one that is asked
    #[arg(long)]
    cluster: bool,

    #[command(flatten)]
    reach: Reach,
}

pub(super) const LOGGERS: [Column; 3] = [
    column("LOGGER", "name", Kind::Text(40)),
    column("LEVEL", "level", Kind::Text(6)),
    column("MODIFIED", "last_modified", Kind::Text(24)),
];

/// Loggers, as Connect's API shows them: it has an object of them.
pub(super) async fn list(workers: &Workers) -> Result<Value, Failure> {
    let shown = workers.get("/admin/loggers").await?;
    let rows = shown.as_object().into_iter().flatten();
    let rows = rows.map(|(name, shown)| {
        let at = shown["last_modified"].as_u64();
        let at = at.map(|ms| std::time::UNIX_EPOCH + std::time::Duration::from_millis(ms));
        json!({
            "name": name,
            "level": shown["level"],
            "last_modified": at.map(worker_group::detail::instant),
        })
    });
    let rows: Vec<Value> = rows.collect();
    Ok(json!({"schema": "tributary/v1/LoggerList", "items": rows, "total": rows.len()}))
}

/// Runs `loggers`.
pub(in crate::cli) async fn loggers(args: LoggersArgs) -> Exit {
    match args.verb {
        Some(LoggersVerb::Set(args)) => set(args).await,
        None => {
            let Some(workers) = args.reach.workers() else {
                return Exit::Usage;
            };
            match list(&workers).await {
                Ok(document) => {
                    args.reach.print(&document, |look| {
                        table::lines(items(&document), &LOGGERS, look)
                    });
                    Exit::Done
                }
                Err(failure) => args.reach.failed("nothing can be listed", &failure),
            }
        }
    }
}

async fn set(args: SetArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let scope = if args.cluster { "cluster" } else { "worker" };
    let path = format!("/admin/loggers/{}?scope={scope}", encode(&args.name));
    let body = json!({"level": args.level.to_ascii_uppercase()});
    match workers.send("PUT", &path, Some(&body)).await {
        Ok(changed) => {
            // Whoever was asked names what else has this level now.
            let more = changed.as_array().into_iter().flatten();
            for name in more.filter_map(Value::as_str) {
                output::notice(&format!("logger/{name} has the level {}", body["level"]));
            }
            args.reach
                .done(&format!("logger/{}", args.name), "updated", false);
            Exit::Done
        }
        Err(failure) => args.reach.failed(
            &format!("the level of {} cannot be set", args.name),
            &failure,
        ),
    }
}
