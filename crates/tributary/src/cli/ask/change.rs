//! `tributary create`, `apply` and `delete`: links from files, by Connect's API. Doing the same again changes nothing.

use std::path::{Path, PathBuf};

use clap::Args;
use config::RawConfig;
use config::key::HIDDEN;
use serde_json::{Map, Value, json};

use super::described::Described;
use super::matching::Matching;
use super::prune::Created;
use super::{Exit, Reach, alter, confirmed, steer};
use crate::asking::{Failure, Workers, encode};
use crate::{output, settings};

/// Create links, from files or one by options; a link that is there already is an error.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLES\n  tributary create -f orders-dr.json\n  tributary create link orders-dr --source west-1:9092 \
    --destination central-1:9092 --topics 'orders\\..*'"
)]
pub(in crate::cli) struct CreateArgs {
    /// Name of a link without a file, with or without the word link in front
    #[arg(num_args = 1..=2, requires = "source", value_name = "NAME")]
    names: Vec<String>,

    /// Files with a link each: properties, a flat JSON map, or {"name", "config", "initial_state"}; a folder of such, or - for the input
    #[arg(
        short = 'f',
        long = "file",
        value_name = "FILE",
        required_unless_present = "names"
    )]
    files: Vec<PathBuf>,

    /// Only say whether it could be created; of one without a file, print its configuration
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    described: Described,

    #[command(flatten)]
    reach: Reach,
}

/// Create or update links from files; one that is so already stays untouched.
#[derive(Debug, Args)]
#[command(
    after_help = "EXAMPLES\n  tributary apply -f orders-dr.json -f audit-dr.properties --dry-run\n  \
    tributary apply -f links/ --prune --yes"
)]
pub(in crate::cli) struct ApplyArgs {
    /// Files with a link each; a folder of such, or - for the input
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Name of the link, where the file has none; wins over the one that it has
    #[arg(short, long, conflicts_with = "prune")]
    name: Option<String>,

    /// Delete links that earlier apply commands of this user created at these workers and that no file has any more; positions are kept
    #[arg(long)]
    prune: bool,

    /// Do not ask before links are deleted
    #[arg(long, requires = "prune")]
    yes: bool,

    /// Only show which keys would change, and which links would be deleted
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    reach: Reach,
}

/// Delete links; the destination's topics stay, and positions unless they are to be forgotten.
#[derive(Debug, Args)]
#[command(after_help = "EXAMPLE\n  tributary delete link orders-dr --yes")]
pub(in crate::cli) struct DeleteArgs {
    /// Names, with or without the word link in front
    #[arg(required = true)]
    names: Vec<String>,

    #[command(flatten)]
    matching: Matching,

    /// Forget stored positions too: a link of this name would begin anew
    #[arg(long)]
    offsets: bool,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    reach: Reach,
}

/// A link of a file.
pub(super) struct Given {
    pub(super) name: String,
    pub(super) config: Map<String, Value>,
    initial: Option<String>,
}

/// The files that are meant; of a folder, those in it that may be links, by name.
pub(super) fn files(given: &[PathBuf]) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in given {
        let Ok(entries) = std::fs::read_dir(path) else {
            all.push(path.clone());
            continue;
        };
        let inside = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let mut inside: Vec<PathBuf> = inside
            .filter(|path| {
                let extension = path.extension().and_then(|extension| extension.to_str());
                matches!(extension, Some("properties" | "json"))
            })
            .collect();
        inside.sort_unstable();
        all.extend(inside);
    }
    all
}

/// What a file says, as a worker takes it.
pub(super) fn config_of(raw: &RawConfig) -> Map<String, Value> {
    let entries = raw.entries().iter();
    entries
        .map(|entry| (entry.key.clone(), Value::from(entry.value.clone())))
        .collect()
}

/// Reads a link's file, or says what is wrong with it.
pub(super) fn read(path: &Path) -> Option<Given> {
    read_as(path, None)
}

/// The same of a link that has this name, whatever the file says.
fn read_as(path: &Path, name: Option<&str>) -> Option<Given> {
    let input = Path::new("/dev/stdin");
    let raw = settings::read(if path == Path::new("-") { input } else { path })
        .map_err(|problem| output::error(&problem))
        .ok()?;
    let mut config = config_of(&raw);
    if let Some(name) = name {
        config.insert("name".to_owned(), Value::from(name));
    }
    let Some(name) = config
        .get("name")
        .and_then(Value::as_str)
        .map(str::to_owned)
    else {
        output::error(&format!("{} has no name: add name=…", path.display()));
        return None;
    };
    Some(Given {
        name,
        config,
        initial: raw.initial_state.clone(),
    })
}

/// What is wrong with a configuration, as the worker sees it. One with secrets that are only known to the worker is judged by it
/// when it is to hold.
pub(super) async fn validated(
    workers: &Workers,
    config: &Map<String, Value>,
) -> Result<(), Failure> {
    let is_hidden = |value: &Value| value.as_str().is_some_and(|text| text.contains(HIDDEN));
    if config.values().any(is_hidden) {
        return Ok(());
    }
    let class = config
        .get("connector.class")
        .and_then(Value::as_str)
        .unwrap_or("");
    let path = format!("/connector-plugins/{}/config/validate", encode(class));
    let infos = workers
        .send("PUT", &path, Some(&Value::Object(config.clone())))
        .await?;
    let configs = infos["configs"].as_array().into_iter().flatten();
    let errors: Vec<&str> = configs
        .flat_map(|one| one["value"]["errors"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    Err(Failure {
        status: Some(400),
        message: errors.join("; "),
        explanation: None,
    })
}

/// Runs `create`.
pub(in crate::cli) async fn create(args: CreateArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let mut exit = Exit::Done;
    let mut all = Vec::new();
    if args.described.source.is_some() {
        match described(&args) {
            Ok(given) => all.push(given),
            Err(problem) => {
                output::error(&problem);
                return Exit::Usage;
            }
        }
    }
    for path in &files(&args.files) {
        match read(path) {
            Some(given) => all.push(given),
            None => exit = Exit::Error,
        }
    }
    for given in all {
        let object = format!("link/{}", given.name);
        let outcome = if args.dry_run {
            creatable(&workers, &given).await
        } else {
            let mut body = json!({"name": given.name, "config": given.config});
            if let Some(initial) = &given.initial {
                body["initial_state"] = json!(initial);
            }
            workers
                .send("POST", "/connectors", Some(&body))
                .await
                .map(drop)
        };
        match outcome {
            Ok(()) if args.dry_run && args.described.source.is_some() => {
                let config = alter::hidden(&Value::Object(given.config));
                let text = alter::properties(&config);
                let document = json!({"name": given.name, "config": config});
                let lines = text.lines().map(str::to_owned);
                args.reach.print(&document, |_| lines.collect());
            }
            Ok(()) => {
                args.reach.done(&object, "created", args.dry_run);
                // An earlier one of this name may have been made by apply, and be gone since.
                if !args.dry_run
                    && let Err(problem) = forget(&args.reach, &given.name)
                {
                    output::error(&problem);
                    exit = Exit::Error;
                }
            }
            Err(failure) => {
                exit = args
                    .reach
                    .failed(&format!("{object} cannot be created"), &failure)
            }
        }
    }
    exit
}

/// The link that options describe.
fn described(args: &CreateArgs) -> Result<Given, String> {
    let [name] = steer::without_noun(&args.names) else {
        return Err("one link at a time: tributary create link NAME --source …".to_owned());
    };
    let raw = args.described.config(name)?;
    Ok(Given {
        name: name.clone(),
        config: config_of(&raw),
        initial: args.described.initial_state.clone(),
    })
}

/// Whether a link could be created: there is none of its name, and its configuration is right.
async fn creatable(workers: &Workers, given: &Given) -> Result<(), Failure> {
    match workers
        .get(&format!("/connectors/{}", encode(&given.name)))
        .await
    {
        Ok(_) => Err(Failure {
            status: Some(409),
            message: format!("Connector {} already exists", given.name),
            explanation: None,
        }),
        Err(failure) if failure.status == Some(404) => validated(workers, &given.config).await,
        Err(failure) => Err(failure),
    }
}

/// Runs `apply`.
pub(in crate::cli) async fn apply(args: ApplyArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let created = args.reach.address().and_then(|(at, _)| Created::at(&at));
    let mut created = match created {
        Ok(created) => Some(created),
        // Nothing can be kept: that matters to those only who want to prune.
        Err(_) if !args.prune => None,
        Err(problem) => {
            output::error(&problem);
            return Exit::Error;
        }
    };
    let mut exit = Exit::Done;
    let mut names = Vec::new();
    let files = files(&args.files);
    if args.name.is_some() && files.len() > 1 {
        output::error("--name is that of one link: say it with one file");
        return Exit::Usage;
    }
    for path in &files {
        let Some(given) = read_as(path, args.name.as_deref()) else {
            exit = Exit::Error;
            continue;
        };
        let object = format!("link/{}", given.name);
        match applied(&workers, &given, args.dry_run).await {
            Ok(action) => {
                args.reach.done(&object, action, args.dry_run);
                let is_new = action == "created" && !args.dry_run;
                if let Some(created) = created.as_mut().filter(|_| is_new)
                    && let Err(problem) = created.add(&given.name)
                {
                    output::error(&format!("{object} will not be pruned: {problem}"));
                    exit = Exit::Error;
                }
            }
            Err(failure) => {
                exit = args
                    .reach
                    .failed(&format!("{object} cannot be applied"), &failure)
            }
        }
        names.push(given.name);
    }
    match created {
        Some(created) if args.prune && exit == Exit::Done => {
            prune(&args, &workers, created, &names).await
        }
        _ if args.prune => {
            output::error("nothing was pruned, because not everything was applied");
            exit
        }
        _ => exit,
    }
}

/// Deletes what was created and is not given any more.
async fn prune(
    args: &ApplyArgs,
    workers: &Workers,
    mut created: Created,
    given: &[String],
) -> Exit {
    let gone = created.without(given.iter().map(String::as_str));
    let question = || {
        let names = gone.join(", ");
        format!("delete {names}? Positions are kept, destination topics are not touched.")
    };
    if !gone.is_empty() && !args.yes && !args.dry_run && !confirmed(&question()) {
        output::error("nothing was pruned: say so at the prompt, or with --yes");
        return Exit::Usage;
    }
    let mut exit = Exit::Done;
    for name in &gone {
        let object = format!("link/{name}");
        match deleted(workers, name, false, args.dry_run).await {
            Ok(true) => args.reach.done(&object, "deleted", args.dry_run),
            // Somebody else has deleted it.
            Ok(false) => {}
            Err(failure) => {
                exit = args
                    .reach
                    .failed(&format!("{object} cannot be deleted"), &failure);
                continue;
            }
        }
        if !args.dry_run
            && let Err(problem) = created.remove(name)
        {
            output::error(&problem);
            exit = Exit::Error;
        }
    }
    exit
}

async fn applied(workers: &Workers, given: &Given, dry_run: bool) -> Result<&'static str, Failure> {
    let path = format!("/connectors/{}/config", encode(&given.name));
    let stored = alter::stored(workers, &given.name).await?;
    let before = stored.as_ref().unwrap_or(&Value::Null);
    let changes = alter::differences(before, &given.config);
    let action = match &stored {
        None => "created",
        Some(_) if changes.is_empty() => return Ok("unchanged"),
        Some(_) => "updated",
    };
    if dry_run {
        validated(workers, &alter::whole(&given.config, before)).await?;
        for line in alter::lines(&changes) {
            output::notice(&line);
        }
        return Ok(action);
    }
    match (&stored, &given.initial) {
        // Only at its creation a link can be told in which state to begin.
        (None, Some(initial)) => {
            let body =
                json!({"name": given.name, "config": given.config, "initial_state": initial});
            workers.send("POST", "/connectors", Some(&body)).await?;
        }
        _ => {
            let wanted = Value::Object(given.config.clone());
            workers.send("PUT", &path, Some(&wanted)).await?;
        }
    }
    Ok(action)
}

/// Deletes a link, with its positions where `offsets` is said; a dry run only looks for it. Whether it was there.
async fn deleted(
    workers: &Workers,
    name: &str,
    offsets: bool,
    dry_run: bool,
) -> Result<bool, Failure> {
    let base = format!("/connectors/{}", encode(name));
    let delete = async {
        if dry_run {
            return workers.get(&base).await;
        }
        if offsets {
            super::offsets::stop(workers, &base).await?;
            workers
                .send("DELETE", &format!("{base}/offsets"), None)
                .await?;
        }
        workers.send("DELETE", &base, None).await
    };
    match delete.await {
        Ok(_) => Ok(true),
        Err(failure) if failure.status == Some(404) => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// Who makes a link of that name next may be somebody else.
fn forget(reach: &Reach, name: &str) -> Result<(), String> {
    let (at, _) = reach.address()?;
    match Created::at(&at) {
        Ok(mut created) => created.remove(name),
        // Nothing was kept.
        Err(_) => Ok(()),
    }
}

/// Runs `delete`.
pub(in crate::cli) async fn delete(args: DeleteArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let found = args
        .matching
        .links(&args.names, &workers, &args.reach)
        .await;
    let names = match found {
        Ok(names) => names,
        Err(exit) => return exit,
    };
    let question = || {
        let names = names.join(", ");
        let positions = if args.offsets { "forgotten" } else { "kept" };
        format!("delete {names}? Positions are {positions}, destination topics are not touched.")
    };
    if !args.yes && !args.dry_run && !confirmed(&question()) {
        output::error("nothing was deleted: say so at the prompt, or with --yes");
        return Exit::Usage;
    }
    let mut exit = Exit::Done;
    for name in &names {
        let object = format!("link/{name}");
        match deleted(&workers, name, args.offsets, args.dry_run).await {
            // One that is gone already is forgotten too.
            Ok(was_there) => {
                let action = if was_there { "deleted" } else { "unchanged" };
                args.reach.done(&object, action, args.dry_run);
                if !args.dry_run
                    && let Err(problem) = forget(&args.reach, name)
                {
                    output::error(&problem);
                    exit = Exit::Error;
                }
            }
            Err(failure) => {
                exit = args
                    .reach
                    .failed(&format!("{object} cannot be deleted"), &failure)
            }
        }
    }
    exit
}
