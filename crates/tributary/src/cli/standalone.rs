//! `tributary standalone`: one process with the links of the given files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use config::Variables;
use config::worker::WorkerConfig;
use worker_group::state::TargetState;

use super::prepare::prepared;
use super::{Exit, StandaloneArgs};
use crate::link_host::Prepared;
use crate::worker::{self, Plan};
use crate::{output, settings, variables};

/// Runs the command.
pub(super) async fn run(args: StandaloneArgs, level: String) -> Exit {
    let plan = match resolve(&args, level) {
        Ok(plan) => plan,
        Err(_) if args.check => return Exit::NotReady,
        Err(exit) => return exit,
    };
    if args.check {
        output::line(&format!(
            "{} and {} links can be used",
            args.worker.display(),
            plan.links.len()
        ));
        return Exit::Done;
    }
    let options = args.ending.options();
    Box::pin(worker::run(plan, options)).await
}

/// What is to be run, or how that ends after every problem of every file has been printed.
fn resolve(args: &StandaloneArgs, level: String) -> Result<Plan, Exit> {
    let (worker, variables) = own(args).ok_or(Exit::Usage)?;
    let links = links(&args.links, &worker, &variables).ok_or(Exit::LinkUsage)?;
    // A run that ends by itself is a command, not a service.
    let service = !args.ending.ends();
    Ok(Plan {
        rest: service.then(|| worker.rest.clone()),
        worker,
        variables: Some(variables),
        links,
        level,
    })
}

/// The settings of the process.
fn own(args: &StandaloneArgs) -> Option<(WorkerConfig, Variables)> {
    let mut raw = read(&args.worker)?;
    if let Err(problem) = settings::overlay(&mut raw, "--override", &args.overrides) {
        output::error(&problem);
        return None;
    }
    let what = args.worker.display().to_string();
    let variables = variables::give_own(&mut raw, &what)?;
    let worker = settings::worker(&raw, &what)?;
    Some((worker, variables))
}

fn read(path: &Path) -> Option<config::RawConfig> {
    settings::read(path)
        .map_err(|problem| output::error(&problem))
        .ok()
}

type Links = Vec<(Prepared, Option<TargetState>)>;

fn links(paths: &[PathBuf], worker: &WorkerConfig, variables: &Variables) -> Option<Links> {
    let mut links = Vec::new();
    let mut names = HashSet::new();
    for path in paths {
        let what = path.display().to_string();
        let Some(mut raw) = read(path) else { continue };
        raw.set_variables(variables.clone());
        let Some(link) = settings::link(&raw, worker, &what) else {
            continue;
        };
        let initial = match raw.initial_state.as_deref().map(TargetState::parse_initial) {
            None => None,
            Some(Some(state)) => Some(state),
            Some(None) => {
                output::error(&format!(
                    "{what}: initial_state is none of RUNNING, PAUSED and STOPPED"
                ));
                continue;
            }
        };
        if names.insert(link.name.clone()) {
            links.push((prepared(&raw, link, worker.clone()), initial));
        } else {
            output::error(&format!(
                "{what}: another file has a link of the name {} too",
                link.name
            ));
        }
    }
    (links.len() == paths.len()).then_some(links)
}
