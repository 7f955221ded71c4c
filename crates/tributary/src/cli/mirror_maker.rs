//! `tributary mirror-maker`: one process with the flows of a MirrorMaker 2 file, also under the name
//! `connect-mirror-maker`.
//!
//! Each flow keeps its positions in its destination, in the topic that MirrorMaker 2 would use for it
//! (`mm2-offsets.<source>.internal`).

use std::path::PathBuf;

use clap::Args;
use config::resolve::resolve_mirrors;
use config::{Flow, RawConfig};

use super::Exit;
use super::ending::Ending;
use super::prepare::prepared;
use crate::worker::{self, Plan};
use crate::{output, settings, variables};

const CLASS: &str = "org.apache.kafka.connect.mirror.MirrorSourceConnector";

/// Run the flows of a MirrorMaker 2 file, as connect-mirror-maker does.
///
/// The file is that of MirrorMaker 2: `clusters`, `A.bootstrap.servers`, `A->B.enabled`, `A->B.topics` and so on.
/// Positions are kept in the destination of each flow.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary mirror-maker mm2.properties --clusters west")]
pub(crate) struct MirrorMakerArgs {
    /// MirrorMaker 2's properties file
    file: PathBuf,

    /// Only flows that write to these clusters, by their aliases
    #[arg(long, value_name = "ALIAS", num_args = 1.., value_delimiter = ',')]
    clusters: Option<Vec<String>>,

    /// A key that wins over the file (repeatable)
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,

    /// Check the file and stop
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    ending: Ending,
}

/// Runs the command.
pub(super) async fn run(args: MirrorMakerArgs, level: String) -> Exit {
    let Some(flows) = resolve(&args) else {
        return if args.check {
            Exit::NotReady
        } else {
            Exit::Usage
        };
    };
    let names: Vec<_> = flows.iter().map(|flow| flow.link.name.as_str()).collect();
    if args.check {
        output::line(&format!(
            "{} can be used; its flows are {}",
            args.file.display(),
            names.join(", ")
        ));
        return Exit::Done;
    }
    tracing::info!(flows = names.join(", "), "read {}", args.file.display());
    let options = args.ending.options();
    let Some(worker) = flows.first().map(|flow| flow.worker.clone()) else {
        output::error("the file has no flow that writes to one of these clusters");
        return Exit::Usage;
    };
    let links = flows.into_iter().map(|Flow { link, worker }| {
        let shown = shown(&link);
        (prepared(&shown, link, worker), None)
    });
    let plan = Plan {
        worker,
        variables: None,
        links: links.collect(),
        rest: None,
        level,
    };
    Box::pin(worker::run(plan, options)).await
}

/// What a flow would be as a connector; its keys stand in the file, behind the flow's name.
fn shown(link: &config::link::LinkConfig) -> RawConfig {
    let mut raw = RawConfig::new();
    raw.set_flag("flow", "name", &link.name);
    raw.set_flag("flow", "connector.class", CLASS);
    raw
}

/// The flows, or nothing after every problem has been printed.
fn resolve(args: &MirrorMakerArgs) -> Option<Vec<Flow>> {
    let read = settings::read(&args.file).and_then(|mut raw| {
        settings::overlay(&mut raw, "--override", &args.overrides)?;
        Ok(raw)
    });
    let what = args.file.display().to_string();
    match read {
        Ok(mut raw) => {
            variables::give_own(&mut raw, &what)?;
            settings::resolved(&what, resolve_mirrors(&raw, args.clusters.as_deref()))
        }
        Err(problem) => {
            output::error(&problem);
            None
        }
    }
}
