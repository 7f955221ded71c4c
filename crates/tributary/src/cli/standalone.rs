//! `tributary standalone`: one process with the links of the given files.

use std::collections::HashSet;

use super::{Exit, StandaloneArgs};
use crate::worker;
use crate::{output, settings, variables};

/// Runs the command.
pub(super) async fn run(args: StandaloneArgs) -> Exit {
    let Some((worker, links)) = resolve(&args) else {
        return if args.check {
            Exit::NotReady
        } else {
            Exit::Usage
        };
    };
    if args.check {
        output::line(&format!(
            "{} and {} links can be used",
            args.worker.display(),
            links.len()
        ));
        return Exit::Done;
    }
    let options = args.ending.options();
    Box::pin(worker::run(worker, links, options)).await
}

/// The settings, or nothing after every problem of every file has been printed.
fn resolve(
    args: &StandaloneArgs,
) -> Option<(config::worker::WorkerConfig, Vec<config::link::LinkConfig>)> {
    let read = |path| {
        settings::read(path)
            .map_err(|problem| output::error(&problem))
            .ok()
    };
    let mut raw = read(&args.worker)?;
    if let Err(problem) = settings::overlay(&mut raw, "--override", &args.overrides) {
        output::error(&problem);
        return None;
    }
    let variables = variables::of_worker(&raw, &args.worker.display().to_string())?;
    raw.set_variables(variables.clone());
    let worker = settings::worker(&raw, &args.worker.display().to_string())?;
    let mut links = Vec::new();
    let mut names = HashSet::new();
    for path in &args.links {
        let what = path.display().to_string();
        let link = read(path).and_then(|mut raw| {
            raw.set_variables(variables.clone());
            settings::link(&raw, &worker, &what)
        });
        if let Some(link) = link {
            if names.insert(link.name.clone()) {
                links.push(link);
            } else {
                output::error(&format!(
                    "{what}: another file has a link of the name {} too",
                    link.name
                ));
            }
        }
    }
    (links.len() == args.links.len()).then_some((worker, links))
}
