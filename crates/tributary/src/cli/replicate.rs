//! `tributary replicate`: one link made from options.
//!
//! Positions are kept in the destination under the link's name. Unless it is given, the name is made
//! from the ids of both clusters, so that repeating the command on any host finds them.

use std::path::Path;

use config::keys::Scope;
use config::link::LinkConfig;
use config::pattern::{Pattern, probably_meant};
use config::raw::RawConfig;
use config::resolve::resolve_link_selecting;
use config::rest::RestConfig;
use config::selection::TopicSelection;
use config::worker::{OffsetStorage, WorkerConfig};
use kafka_client::Cluster;
use kafka_wire::message::metadata::MetadataTopics;

use super::prepare::prepared;
use super::preview::{self, View};
use super::{Exit, ReplicateArgs};
use crate::preview_document::Memory;
use crate::worker::{self, Plan};
use crate::{output, settings, variables};

/// How often new topics are looked for. They are promised within five seconds, creation included.
const POLL_INTERVAL_MS: &str = "2000";
/// How often settings are compared.
const CONFIG_INTERVAL_MS: &str = "5000";
/// Characters of each cluster id in the link's name.
const ID_LENGTH: usize = 8;

/// Runs the command.
pub(super) async fn run(args: ReplicateArgs, level: String) -> Exit {
    let asked = Quick {
        from: &args.from,
        to: &args.to,
        topics: &args.topics,
        topic: &args.topic,
        exclude: &args.exclude,
        rename: &args.rename,
        start: &args.start,
        name: args.name.as_deref(),
        from_config: args.from_config.as_deref(),
        to_config: args.to_config.as_deref(),
        from_set: &args.from_set,
        to_set: &args.to_set,
        set: &args.set,
        overrides: &args.overrides,
    };
    let (mut raw, link, worker) = match Box::pin(quick_shown(&asked)).await {
        Ok(settings) => settings,
        Err(exit) => return exit,
    };
    if args.dry_run {
        return preview::show(&link, &worker, Memory::OfWorker, View::default()).await;
    }
    let options = args.ending.options();
    show_selection(&args, &mut raw);
    let plan = Plan {
        rest: args.listen.0.clone().map(|listener| RestConfig {
            listeners: vec![listener],
            ..worker.rest.clone()
        }),
        links: vec![(prepared(&raw, link, worker.clone()), None)],
        worker,
        variables: None,
        level,
    };
    Box::pin(worker::run(plan, options)).await
}

/// A link that is described by options.
pub(super) struct Quick<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) topics: &'a [String],
    pub(super) topic: &'a [String],
    pub(super) exclude: &'a [String],
    pub(super) rename: &'a str,
    pub(super) start: &'a str,
    pub(super) name: Option<&'a str>,
    pub(super) from_config: Option<&'a Path>,
    pub(super) to_config: Option<&'a Path>,
    pub(super) from_set: &'a [String],
    pub(super) to_set: &'a [String],
    pub(super) set: &'a [String],
    pub(super) overrides: &'a [String],
}

/// The link with its name, and where its positions are. Problems are printed.
pub(super) async fn quick(args: &Quick<'_>) -> Result<(LinkConfig, WorkerConfig), Exit> {
    let (_, link, worker) = Box::pin(quick_shown(args)).await?;
    Ok((link, worker))
}

/// As `quick`, with the configuration that the options stand for.
async fn quick_shown(args: &Quick<'_>) -> Result<(RawConfig, LinkConfig, WorkerConfig), Exit> {
    let (raw, mut link, mut worker) = resolve(args).ok_or(Exit::Usage)?;
    if args.name.is_none() {
        match default_name(&link).await {
            Ok(name) => link.name = name,
            Err(error) => {
                output::error(&error);
                return Err(Exit::Error);
            }
        }
    }
    if let OffsetStorage::Topic { name, .. } = &mut worker.offsets
        && name.is_empty()
    {
        *name = format!("tributary.{}.offsets.internal", link.name);
    }
    Ok((raw, link, worker))
}

/// The settings, or nothing after every problem has been printed.
fn resolve(args: &Quick<'_>) -> Option<(RawConfig, LinkConfig, WorkerConfig)> {
    let include = patterns("--topics", args.topics);
    let exclude = patterns("--exclude", args.exclude);
    let mut raw = RawConfig::new();
    for (flag, key, value) in [
        ("--from", "src.kafka.bootstrap.servers", args.from),
        ("--to", "dest.kafka.bootstrap.servers", args.to),
        ("--rename", "topic.rename.format", args.rename),
        ("--start", "tributary.start", args.start),
        ("--name", "name", args.name.unwrap_or("quick")),
        ("default", "topic.poll.interval.ms", POLL_INTERVAL_MS),
        ("default", "topic.create.backoff.ms", "10000"),
        (
            "default",
            "topic.config.sync.interval.ms",
            CONFIG_INTERVAL_MS,
        ),
    ] {
        raw.set_flag(flag, key, value);
    }
    let mut worker_raw = RawConfig::new();
    worker_raw.set_flag("--to", "bootstrap.servers", args.to);
    worker_raw.set_flag("default", "exactly.once.source.support", "enabled");
    let overlaid = sides(args, &mut raw, &mut worker_raw)
        .and_then(|()| settings::overlay(&mut raw, "--set", args.set))
        .and_then(|()| settings::overlay(&mut worker_raw, "--override", args.overrides));
    if let Err(problem) = overlaid {
        output::error(&problem);
        return None;
    }
    let variables = variables::give_own(&mut worker_raw, "--override")?;
    raw.set_variables(variables);
    let keeps_elsewhere = ["offset.storage.topic", "offset.storage.file.filename"]
        .iter()
        .any(|key| worker_raw.get(key).is_some());
    if !keeps_elsewhere {
        // Replaced once the link's name is known.
        worker_raw.set_flag("default", "offset.storage.topic", "tributary");
    }
    let mut worker = settings::worker(&worker_raw, "--override")?;
    if let OffsetStorage::Topic { name, .. } = &mut worker.offsets
        && !keeps_elsewhere
    {
        name.clear();
    }
    let (include, exclude) = (include?, exclude?);
    let selection = TopicSelection::new(args.topic.iter().cloned(), Vec::new(), include, exclude);
    let link = settings::resolved(
        "replicate",
        resolve_link_selecting(&raw, &worker, selection),
    )?;
    Some((raw, link, worker))
}

/// One pattern for what any of several matches.
fn any_of(patterns: &[String]) -> String {
    match patterns {
        [one] => one.clone(),
        several => {
            let groups: Vec<String> = several.iter().map(|one| format!("(?:{one})")).collect();
            groups.join("|")
        }
    }
}

/// Puts the topics that are selected into a configuration, in the keys of a file: by patterns, and by names.
pub(super) fn select(raw: &mut RawConfig, topics: &[String], topic: &[String]) {
    if !topics.is_empty() {
        raw.set_flag("--topics", "topic.regex", &any_of(topics));
    }
    if !topic.is_empty() {
        raw.set_flag("--topic", "topic.whitelist", &topic.join(","));
    }
}

/// Puts what options select into the configuration that is shown.
fn show_selection(args: &ReplicateArgs, raw: &mut RawConfig) {
    select(raw, &args.topics, &args.topic);
    if !args.exclude.is_empty() {
        raw.set_flag("--exclude", "topic.blacklist", &args.exclude.join(","));
    }
}

/// Client settings of both sides. The destination also keeps positions, so the worker takes its settings too.
fn sides(args: &Quick<'_>, link: &mut RawConfig, worker: &mut RawConfig) -> Result<(), String> {
    let from = side(args.from_config, "--from-set", args.from_set)?;
    let to = side(args.to_config, "--to-set", args.to_set)?;
    give(link, "src.kafka.", &from);
    give(link, "dest.kafka.", &to);
    for entry in to.entries() {
        // What is unknown is said once, for the link.
        if Scope::Worker.find(&entry.key).is_some() {
            worker.set(entry.key.clone(), entry.value.clone(), entry.origin.clone());
        }
    }
    Ok(())
}

/// Gives a link the client settings of one side.
pub(super) fn give(link: &mut RawConfig, prefix: &str, side: &RawConfig) {
    for entry in side.entries() {
        let key = format!("{prefix}{}", entry.key);
        link.set(key, entry.value.clone(), entry.origin.clone());
    }
}

/// The client settings of one side. Its brokers are named by an option of their own.
pub(super) fn side(
    file: Option<&Path>,
    flag: &str,
    settings: &[String],
) -> Result<RawConfig, String> {
    let mut raw = match file {
        Some(path) => settings::read(path)?,
        None => RawConfig::new(),
    };
    settings::overlay(&mut raw, flag, settings)?;
    raw.remove("bootstrap.servers");
    Ok(raw)
}

/// Reads patterns; problems are printed, likely slips are said.
fn patterns(flag: &str, texts: &[String]) -> Option<Vec<Pattern>> {
    let mut patterns = Vec::new();
    for text in texts {
        match Pattern::parse(text) {
            Ok(pattern) => {
                if let Some(meant) = probably_meant(text) {
                    tracing::warn!(
                        "{flag} '{text}' is a regular expression, not a file name pattern: for all topics that begin \
                         so write '{meant}'"
                    );
                }
                patterns.push(pattern);
            }
            Err(problem) => output::error(&format!("{flag} '{text}': {problem}")),
        }
    }
    (patterns.len() == texts.len()).then_some(patterns)
}

/// The first characters of both cluster ids.
async fn default_name(link: &LinkConfig) -> Result<String, String> {
    let id = async |config: &config::client::ClientConfig, side: &str| {
        let cluster = Cluster::new(config.clone(), side);
        let none = MetadataTopics::Topics(Vec::new());
        cluster
            .metadata(none)
            .await
            .map_err(|error| format!("{side}: {error}"))?;
        let id = cluster.cluster_id().unwrap_or_else(|| "unknown".to_owned());
        Ok::<_, String>(id.chars().take(ID_LENGTH).collect::<String>())
    };
    let from = id(&link.source, "source").await?;
    let to = id(&link.destination, "destination").await?;
    Ok(format!("{from}-{to}"))
}
