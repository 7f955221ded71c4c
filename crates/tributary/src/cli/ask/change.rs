//! `tributary create`, `apply` and `delete`: links from files, by Connect's API. Doing the same again changes nothing.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::described::Described;
use super::given::{self, Given, config_of, files};
use super::matching::Matching;
use super::prune::{self, Created};
use super::{Exit, Reach, alter, confirmed, context, difference, steer};
use crate::asking::{Failure, Workers, encode};
use crate::output;

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

    /// Files with links: properties with one, JSON or YAML with one or several, flat or as {"name", "config", "initial_state"}; a folder of such, or - for the input
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
    /// Files with links: properties with one, JSON or YAML with one or several; a folder of such, or - for the input
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

/// What is wrong with a configuration, as the worker sees it. What was shown in the place of a value has to stand for one that is
/// `stored`. One with secrets that are only known to the worker is judged by it when it is to hold.
pub(super) async fn validated(
    workers: &Workers,
    config: &Map<String, Value>,
    stored: &Value,
) -> Result<(), Failure> {
    let refused = |message| Failure::of(400, message);
    let whole = difference::whole(config, stored);
    if difference::has_hidden(&whole, stored).map_err(refused)? {
        return Ok(());
    }
    let config = &whole;
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
    Err(refused(errors.join("; ")))
}

/// Runs `create`.
pub(in crate::cli) async fn create(args: CreateArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
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
    let (of_files, mut exit) = given::all(&files(&args.files), None);
    all.extend(of_files);
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
                    && let Err(problem) = forget(&workers, &given.name).await
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
        Ok(_) => Err(Failure::of(
            409,
            format!("Connector {} already exists", given.name),
        )),
        Err(failure) if failure.status == Some(404) => {
            validated(workers, &given.config, &Value::Null).await
        }
        Err(failure) => Err(failure),
    }
}

/// Runs `apply`.
pub(in crate::cli) async fn apply(args: ApplyArgs) -> Exit {
    let Some(workers) = args.reach.workers() else {
        return Exit::Usage;
    };
    let mut created = match kept(&workers).await {
        Ok(created) => Some(created),
        // Nothing can be kept: that stops those only who want to prune.
        Err(problem) if !args.prune => {
            output::notice(&format!(
                "what is created now will not be pruned later: {problem}"
            ));
            None
        }
        Err(problem) => {
            output::error(&problem);
            return Exit::Error;
        }
    };
    let mut names = Vec::new();
    let files = files(&args.files);
    let (all, mut exit) = given::all(&files, args.name.as_deref());
    if args.name.is_some() && (files.len() > 1 || all.len() > 1) {
        output::error("--name is that of one link: say it with one file that has one");
        return Exit::Usage;
    }
    for given in all {
        let object = format!("link/{}", given.name);
        match applied(&workers, &given, args.dry_run).await {
            Ok((action, config)) => {
                args.reach.done(&object, action, args.dry_run);
                // One that it has not created stays somebody else's, whatever is changed of it.
                let is_mine = |created: &&mut Created| {
                    !args.dry_run && (action == "created" || created.has(&given.name))
                };
                let mark = prune::mark(&config);
                if let Some(created) = created.as_mut().filter(is_mine)
                    && let Err(problem) = created.add(&given.name, mark)
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
    let (gone, mut exit) = match theirs(workers, &mut created, given, args.dry_run).await {
        Ok(found) => found,
        Err(failure) => return args.reach.failed("nothing was pruned", &failure),
    };
    let question = || {
        let names: Vec<&str> = gone.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(", ");
        format!("delete {names}? Positions are kept, destination topics are not touched.")
    };
    if !gone.is_empty() && !args.yes && !args.dry_run && !confirmed(&question()) {
        output::error("nothing was pruned: say so at the prompt, or with --yes");
        return Exit::Usage;
    }
    for (name, mark) in &gone {
        let object = format!("link/{name}");
        // Somebody may have changed it since it was asked about.
        let outcome = match is_as_left(workers, name, mark).await {
            Ok(Some(false)) => {
                say_theirs(name);
                exit = Exit::NotReady;
                continue;
            }
            Ok(Some(true)) => deleted(workers, name, false, args.dry_run).await,
            Ok(None) => Ok(false),
            Err(failure) => Err(failure),
        };
        match outcome {
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

/// Whether a link is as it was applied last; nothing where it is gone.
async fn is_as_left(workers: &Workers, name: &str, mark: &str) -> Result<Option<bool>, Failure> {
    let stored = alter::stored(workers, name).await?;
    Ok(stored.map(|config| config.as_object().is_some_and(|it| prune::mark(it) == mark)))
}

fn say_theirs(name: &str) {
    output::error(&format!(
        "link/{name} is not pruned: it is not as it was applied last, so that it may be somebody else's; \
         `tributary delete {name}` deletes it"
    ));
}

/// Links that were created here, that no file has any more, and that are as they were left, with their marks; and how the command ends. Those that are gone are
/// forgotten, and those that somebody has changed since are said and stay.
async fn theirs(
    workers: &Workers,
    created: &mut Created,
    given: &[String],
    dry_run: bool,
) -> Result<(Vec<(String, String)>, Exit), Failure> {
    let (mut mine, mut exit) = (Vec::new(), Exit::Done);
    for (name, mark) in created.without(given.iter().map(String::as_str)) {
        match is_as_left(workers, &name, &mark).await? {
            None if dry_run => {}
            None => {
                if let Err(problem) = created.remove(&name) {
                    output::error(&problem);
                    exit = Exit::Error;
                }
            }
            Some(true) => mine.push((name, mark)),
            Some(false) => {
                say_theirs(&name);
                exit = Exit::NotReady;
            }
        }
    }
    Ok((mine, exit))
}

/// What was done, and the configuration that is there now.
async fn applied(
    workers: &Workers,
    given: &Given,
    dry_run: bool,
) -> Result<(&'static str, Map<String, Value>), Failure> {
    let path = format!("/connectors/{}/config", encode(&given.name));
    let stored = alter::stored(workers, &given.name).await?;
    let before = stored.as_ref().unwrap_or(&Value::Null);
    let changes = difference::differences(before, &given.config);
    let action = match &stored {
        None => "created",
        Some(stored) if changes.is_empty() => return Ok(("unchanged", object(stored))),
        Some(_) => "updated",
    };
    if dry_run {
        validated(workers, &given.config, before).await?;
        for line in difference::lines(&changes) {
            output::notice(&line);
        }
        return Ok((action, given.config.clone()));
    }
    let answer = match (&stored, &given.initial) {
        // Only at its creation a link can be told in which state to begin.
        (None, Some(initial)) => {
            let body =
                json!({"name": given.name, "config": given.config, "initial_state": initial});
            workers.send("POST", "/connectors", Some(&body)).await?
        }
        _ => {
            let wanted = Value::Object(given.config.clone());
            workers.send("PUT", &path, Some(&wanted)).await?
        }
    };
    Ok((action, object(&answer["config"])))
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
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
async fn forget(workers: &Workers, name: &str) -> Result<(), String> {
    // Without a place, nothing was kept.
    if context::beside("applied.json").is_err() {
        return Ok(());
    }
    match kept(workers).await {
        Ok(mut created) => created.remove(name),
        Err(problem) => {
            output::notice(&format!(
                "that {name} was created by apply is not forgotten, if it was: {problem}"
            ));
            Ok(())
        }
    }
}

/// What was created at these workers.
async fn kept(workers: &Workers) -> Result<Created, String> {
    let at = prune::place(workers).await;
    Created::at(at.map_err(|failure| failure.message)?)
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
                    && let Err(problem) = forget(&workers, name).await
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
