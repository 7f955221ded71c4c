//! MirrorMaker 2's file: one link and one worker for each flow that is enabled.
//!
//! ```text
//! each entry ──place──▶ top · <alias>.… · <source>-><destination>.…
//!                           │ weakest first, as MirrorMaker 2 lays them over each other
//!                           ▼
//!        one connector's configuration and one worker's for each flow ──▶ the same steps as for any other link
//! ```
//!
//! Invariant: entries keep the key and the place that the user wrote, so problems name those.

use crate::key::{ConfigKey, Group, parse_boolean};
use crate::keys::mirror::{NO_CHECKPOINTS, NO_HEARTBEATS};
use crate::keys::{self, Scope};
use crate::link::LinkConfig;
use crate::problem::{ConfigProblem, Notice};
use crate::raw::{Origin, RawConfig, RawEntry};
use crate::resolve::reader::Reader;
use crate::resolve::{Outcome, classify, link, outcome, worker};
use crate::worker::WorkerConfig;

/// Top-level keys that begin so are the worker's too, and stronger there than those of a cluster.
const FORWARDED: [&str; 9] = [
    "offset.storage",
    "config.storage",
    "status.storage",
    "key.converter",
    "value.converter",
    "header.converter",
    "task",
    "worker",
    "config.providers",
];

/// What no two flows have in common.
const OF_ONE_FLOW: [&str; 4] = [
    "name",
    "connector.class",
    "source.cluster.alias",
    "target.cluster.alias",
];

/// Settings of a connection that MirrorMaker 2 knows, besides those of TLS and SASL.
const CONNECTION: [&str; 2] = ["bootstrap.servers", "security.protocol"];

/// One enabled flow.
#[derive(Clone, PartialEq, Debug)]
pub struct Flow {
    /// What is copied.
    pub link: LinkConfig,
    /// The process it is copied by, which lives in the destination cluster.
    pub worker: WorkerConfig,
}

/// Whether a configuration is a file of MirrorMaker 2.
#[must_use]
pub fn is_mirror_file(raw: &RawConfig) -> bool {
    raw.get("clusters").is_some()
}

/// The flows of a file. `only` limits them to those that write to one of these clusters.
///
/// # Errors
/// All problems of the file.
pub fn resolve_mirrors(
    raw: &RawConfig,
    only: Option<&[String]>,
) -> Result<(Vec<Flow>, Vec<Notice>), Vec<ConfigProblem>> {
    mirrors_outcome(raw, only).into_result()
}

pub(crate) fn mirrors_outcome(raw: &RawConfig, only: Option<&[String]>) -> Outcome<Vec<Flow>> {
    let mut reader = Reader::new(raw, Scope::MirrorFile);
    let file = File::read(&mut reader);
    let chosen = file.flows(&mut reader, only);
    file.strays(&mut reader);
    let mut flows = Vec::new();
    let mut all = Findings {
        problems: reader.problems,
        notices: reader.notices,
    };
    for (source, destination) in chosen {
        let worker = outcome(
            &file.worker(source, destination),
            Scope::Worker,
            worker::worker,
        );
        let worker = all.take(worker);
        let fallback = || WorkerConfig::new(crate::worker::OffsetStorage::File("none".into()));
        let base = worker.clone().unwrap_or_else(fallback);
        let connector = file.connector(source, destination);
        let link = outcome(&connector, Scope::Mirror, |reader| {
            absent_connectors(reader);
            link::link(reader, &base, None)
        });
        let link = all.take(link);
        if let (Some(link), Some(mut worker)) = (link, worker) {
            worker
                .group_id
                .get_or_insert_with(|| format!("{source}-mm2"));
            flows.push(Flow { link, worker });
        }
    }
    all.same_names(&flows);
    Outcome {
        settings: Some(flows),
        problems: all.problems,
        notices: all.notices,
    }
}

/// The row of a key of a file, wherever it stands in it.
pub(crate) fn mirrors_row(raw: &RawConfig, key: &str) -> Option<&'static ConfigKey> {
    let aliases = raw
        .get("clusters")
        .map(|entry| entry.value.split(',').map(str::trim).collect())
        .unwrap_or_default();
    match (File { raw, aliases }).place(key) {
        Place::Top => Scope::MirrorFile
            .find(key)
            .or_else(|| top_key(key))
            .or_else(|| Scope::Worker.find(key).filter(|_| forwarded(key))),
        Place::Cluster(_, rest) => Scope::Mirror
            .find(&format!("source.cluster.{rest}"))
            .filter(|_| rest != "alias")
            .or_else(|| Scope::Worker.find(rest)),
        Place::Flow(_, _, rest) => Scope::Mirror.find(rest),
        Place::Stranger(_) => None,
    }
}

/// What two more connectors of each flow would do.
fn absent_connectors(reader: &mut Reader<'_>) {
    for (key, reason) in [
        ("emit.checkpoints.enabled", NO_CHECKPOINTS),
        ("emit.heartbeats.enabled", NO_HEARTBEATS),
    ] {
        if !reader.is_given(key) {
            reader.not_yet(reason, format!("{key}=true (the default)"));
        }
    }
}

/// Problems and notices of all flows; what several flows have in common is said once.
struct Findings {
    problems: Vec<ConfigProblem>,
    notices: Vec<Notice>,
}

impl Findings {
    /// Positions and progress are kept by name.
    fn same_names(&mut self, flows: &[Flow]) {
        for (at, flow) in flows.iter().enumerate() {
            let name = &flow.link.name;
            if flows[..at].iter().any(|other| other.link.name == *name) {
                self.problems.push(ConfigProblem {
                    key: "name".to_owned(),
                    shown: Some(name.clone()),
                    origin: None,
                    wrong: "two flows have this name".to_owned(),
                    remedy: Some("leave it out: a flow is called A->B then".to_owned()),
                    did_you_mean: None,
                });
            }
        }
    }

    fn take<T>(&mut self, outcome: Outcome<T>) -> Option<T> {
        let Outcome {
            settings,
            problems,
            notices,
        } = outcome;
        for notice in notices {
            if !self.notices.contains(&notice) {
                self.notices.push(notice);
            }
        }
        for problem in problems {
            // Said already, by the alias that has no brokers.
            if problem.origin.is_none() && problem.key.ends_with(".cluster.bootstrap.servers") {
                continue;
            }
            let known = self.problems.iter().any(|known| {
                known.key == problem.key
                    && known.origin == problem.origin
                    && problem.origin.is_some()
                    || *known == problem
            });
            if !known {
                self.problems.push(problem);
            }
        }
        settings
    }
}

/// Where an entry stands in the file.
enum Place<'a> {
    Top,
    /// Behind the alias of a cluster.
    Cluster(&'a str, &'a str),
    /// Behind two aliases.
    Flow(&'a str, &'a str, &'a str),
    /// Behind an arrow between names of which one is no cluster.
    Stranger(&'a str),
}

/// The file, with its aliases.
struct File<'a> {
    raw: &'a RawConfig,
    aliases: Vec<&'a str>,
}

impl<'a> File<'a> {
    fn read(reader: &mut Reader<'a>) -> Self {
        let mut aliases = Vec::new();
        match reader.entry("clusters") {
            None => reader.missing(
                "clusters",
                "the file names no clusters",
                "set it to the aliases of all clusters, for example clusters=west,east",
            ),
            Some(entry) => {
                for alias in reader.list("clusters") {
                    let illegal = alias
                        .chars()
                        .find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_' | '-'));
                    if alias.is_empty() {
                        reader.refuse(entry, "there is an empty item between the commas", None);
                    } else if let Some(character) = illegal {
                        let wrong = format!(
                            "the alias {alias} becomes part of topic names, and {character:?} cannot stand there"
                        );
                        let remedy = "legal are letters, digits, '.', '_' and '-'; several are separated by commas";
                        reader.refuse(entry, wrong, Some(remedy.to_owned()));
                    } else if aliases.contains(&alias) {
                        reader.refuse(entry, format!("the alias {alias} stands there twice"), None);
                    } else {
                        aliases.push(alias);
                    }
                }
            }
        }
        let raw = reader.raw;
        for alias in &aliases {
            let key = format!("{alias}.bootstrap.servers");
            let blank = raw
                .get(&key)
                .is_none_or(|entry| entry.value.trim().is_empty());
            if blank && raw.get("bootstrap.servers").is_none() {
                let remedy = "set it to its brokers, for example broker1:9092,broker2:9092";
                let wrong = format!("clusters names {alias}, and nothing says where it is");
                reader.missing(&key, &wrong, remedy);
            }
        }
        Self { raw, aliases }
    }

    fn place<'k>(&self, key: &'k str) -> Place<'k>
    where
        'a: 'k,
    {
        if let Some((source, rest)) = key.split_once("->") {
            let destination = self
                .aliases
                .iter()
                .filter_map(|alias| Some((*alias, rest.strip_prefix(alias)?.strip_prefix('.')?)))
                .max_by_key(|(alias, _)| alias.len());
            return match destination {
                Some((destination, rest)) if self.aliases.contains(&source) => {
                    Place::Flow(source, destination, rest)
                }
                _ => Place::Stranger(key),
            };
        }
        self.aliases
            .iter()
            .filter_map(|alias| Some((*alias, key.strip_prefix(alias)?.strip_prefix('.')?)))
            .max_by_key(|(alias, _)| alias.len())
            .map_or(Place::Top, |(alias, rest)| Place::Cluster(alias, rest))
    }

    /// The flows that are to be copied.
    fn flows(&self, reader: &mut Reader<'_>, only: Option<&[String]>) -> Vec<(&'a str, &'a str)> {
        for name in only.unwrap_or_default() {
            if !self.aliases.contains(&name.as_str()) {
                let remedy = format!("clusters has {}", self.aliases.join(", "));
                let wrong = format!("there is no cluster {name}");
                reader.missing("--clusters", &wrong, &remedy);
            }
        }
        let mut flows = Vec::new();
        for source in &self.aliases {
            for destination in &self.aliases {
                let own = self.raw.get(&format!("{source}->{destination}.enabled"));
                let entry = own.or_else(|| self.raw.get("enabled"));
                let Some(entry) = entry else { continue };
                let enabled = match parse_boolean(entry.value.trim()) {
                    Some(enabled) => enabled,
                    None => {
                        let remedy = Some("write true or false".to_owned());
                        reader.refuse(entry, "it is neither true nor false", remedy);
                        continue;
                    }
                };
                if !enabled {
                    continue;
                }
                if source == destination {
                    if own.is_some() {
                        let remedy = Some("a flow goes from one cluster to another".to_owned());
                        reader.refuse(entry, "a cluster cannot be copied onto itself", remedy);
                    }
                    continue;
                }
                flows.push((*source, *destination));
            }
        }
        if flows.is_empty() && reader.problems.is_empty() {
            let example = match self.aliases.as_slice() {
                [one, other, ..] => format!("{one}->{other}.enabled"),
                _ => "A->B.enabled".to_owned(),
            };
            let remedy = format!("set {example}=true");
            reader.missing(
                &example,
                "no flow is enabled, so nothing would be copied",
                &remedy,
            );
        }
        if let Some(only) = only {
            flows.retain(|(_, destination)| only.iter().any(|name| name == destination));
            if flows.is_empty() && reader.problems.is_empty() {
                let wrong = format!("no enabled flow writes to {}", only.join(", "));
                reader.missing("--clusters", &wrong, "name the destinations of flows");
            }
        }
        flows
    }

    /// Says of every entry that will have no effect why that is.
    fn strays(&self, reader: &mut Reader<'_>) {
        let mut without_effect = Vec::new();
        for entry in self.raw.entries() {
            let key = entry.key.as_str();
            match self.place(key) {
                Place::Top if key == "dedicated.mode.enable.internal.rest" => {
                    without_effect.push(key);
                }
                Place::Top => self.stray_at_top(reader, entry),
                Place::Cluster(_, rest) if rest.starts_with("admin.") => without_effect.push(key),
                Place::Cluster(alias, rest) => {
                    if cluster_key(rest).is_some() || Scope::Worker.find(rest).is_some() {
                        continue;
                    }
                    if Scope::Mirror.find(rest).is_some() {
                        reader.warn(format!(
                            "{key} ({}) has no effect: {rest} is a key of flows; write it as {rest}, for all of them, or behind the name of a flow",
                            entry.origin
                        ));
                        continue;
                    }
                    let meant = [Scope::Client, Scope::Worker, Scope::Mirror]
                        .into_iter()
                        .find_map(|scope| keys::nearest(scope, rest));
                    unknown(
                        reader,
                        entry,
                        rest,
                        meant.map(|meant| format!("{alias}.{meant}")),
                    );
                }
                Place::Flow(source, destination, rest) => {
                    if Scope::Mirror.find(rest).is_none() {
                        let meant = keys::nearest(Scope::Mirror, rest)
                            .map(|meant| format!("{source}->{destination}.{meant}"));
                        unknown(reader, entry, rest, meant);
                    }
                }
                Place::Stranger(key) => reader.warn(format!(
                    "{key} ({}) has no effect: clusters has only {}",
                    entry.origin,
                    self.aliases.join(", ")
                )),
            }
        }
        if !without_effect.is_empty() {
            let keys = without_effect.join(", ");
            let text = format!("accepted without effect: {keys}");
            reader.notices.push(Notice::info(text));
        }
    }

    fn stray_at_top(&self, reader: &mut Reader<'_>, entry: &RawEntry) {
        let key = entry.key.as_str();
        if Scope::MirrorFile.find(key).is_some() {
            return;
        }
        if top_key(key).is_some() || forwarded(key) || key == "bootstrap.servers" {
            return;
        }
        let clusters = self.aliases.first().copied().unwrap_or("A");
        if Scope::Mirror.find(key).is_some() {
            reader.warn(format!(
                "{key} ({}) has no effect at the top of the file; write it behind the name of a flow",
                entry.origin
            ));
        } else if Scope::Worker.find(key).is_some() {
            reader.warn(format!(
                "{key} ({}) has no effect at the top of the file; write it behind an alias, as in {clusters}.{key}",
                entry.origin
            ));
        } else {
            let meant = keys::nearest(Scope::Mirror, key)
                .or_else(|| keys::nearest(Scope::MirrorFile, key))
                .or_else(|| keys::nearest(Scope::Worker, key));
            unknown(reader, entry, key, meant);
        }
    }

    /// The configuration of a flow's connector.
    fn connector(&self, source: &str, destination: &str) -> RawConfig {
        let mut raw = self.raw.with_entries(Vec::new());
        let flow = format!("{source}->{destination}");
        for (key, value) in [
            ("name", flow.as_str()),
            ("connector.class", "MirrorSourceConnector"),
            ("source.cluster.alias", source),
            ("target.cluster.alias", destination),
        ] {
            let origin = Origin::Flag(format!("the flow {flow}").into());
            raw.set(key.to_owned(), value.to_owned(), origin);
        }
        for entry in self.raw.entries() {
            // Converters of the top are the worker's, and those do nothing.
            let converter = entry.key.contains(".converter");
            if let Place::Top = self.place(&entry.key)
                && let Some(row) = top_key(&entry.key)
                && row.group != Group::Security
                && !converter
            {
                raw.set_moved(&entry.key, entry);
            }
        }
        self.cluster(&mut raw, source, "source", "consumer");
        self.cluster(&mut raw, destination, "target", "producer");
        for entry in self.raw.entries() {
            if let Place::Flow(from, to, rest) = self.place(&entry.key)
                && (from, to) == (source, destination)
                && Scope::Mirror.find(rest).is_some()
            {
                raw.set_moved(rest, entry);
            }
        }
        raw
    }

    /// A cluster's settings as those of one side of a connector.
    fn cluster(&self, raw: &mut RawConfig, alias: &str, side: &str, data: &str) {
        let global = self.raw.entries().iter().filter(|entry| {
            matches!(self.place(&entry.key), Place::Top) && is_connection(&entry.key)
        });
        for entry in global {
            raw.set_moved(&format!("{side}.cluster.{}", entry.key), entry);
            raw.set_moved(&format!("{side}.{data}.{}", entry.key), entry);
        }
        let of_cluster = |entry: &'a RawEntry| match self.place(&entry.key) {
            Place::Cluster(of, rest) if of == alias => Some((rest.to_owned(), entry)),
            _ => None,
        };
        let own: Vec<(String, &RawEntry)> =
            self.raw.entries().iter().filter_map(of_cluster).collect();
        for (rest, entry) in &own {
            if Scope::Client.find(rest).is_some() && is_connection(rest) {
                raw.set_moved(&format!("{side}.{data}.{rest}"), entry);
            }
        }
        for (rest, entry) in &own {
            match cluster_key(rest) {
                // The source is only read and the destination only written to.
                Some(true) if rest.starts_with(data) => {
                    raw.set_moved(&format!("{side}.{rest}"), entry);
                }
                Some(true) => {}
                Some(false) => raw.set_moved(&format!("{side}.cluster.{rest}"), entry),
                None => {}
            }
        }
    }

    /// The configuration of the worker of a flow.
    fn worker(&self, source: &str, destination: &str) -> RawConfig {
        let mut raw = self.raw.with_entries(Vec::new());
        let origin = Origin::Flag(format!("the flow {source}->{destination}").into());
        for (key, value) in [
            ("client.id", format!("{source}->{destination}")),
            (
                "offset.storage.topic",
                format!("mm2-offsets.{source}.internal"),
            ),
        ] {
            raw.set(key.to_owned(), value, origin.clone());
        }
        for entry in self.raw.entries() {
            if matches!(self.place(&entry.key), Place::Top) && is_connection(&entry.key) {
                raw.set_moved(&entry.key, entry);
            }
        }
        for entry in self.raw.entries() {
            if let Place::Cluster(alias, rest) = self.place(&entry.key)
                && alias == destination
                && !rest.starts_with("consumer.")
                && !rest.starts_with("admin.")
                && Scope::Worker.find(rest).is_some()
            {
                raw.set_moved(rest, entry);
            }
        }
        for entry in self.raw.entries() {
            if matches!(self.place(&entry.key), Place::Top) && forwarded(&entry.key) {
                raw.set_moved(&entry.key, entry);
            }
        }
        raw
    }
}

/// The row of a connector's key that may stand at the top of the file. Those behind prefixes may not, as in
/// MirrorMaker 2.
fn top_key(key: &str) -> Option<&'static ConfigKey> {
    if OF_ONE_FLOW.contains(&key) {
        return None;
    }
    let unprefixed = Scope::Mirror
        .families()
        .iter()
        .find(|family| family.prefix.is_empty())?;
    unprefixed.rows().find(|row| row.covers(key))
}

/// Whether a key at the top is one of the worker.
fn forwarded(key: &str) -> bool {
    let Some(row) = Scope::Worker.find(key) else {
        return false;
    };
    FORWARDED.iter().any(|prefix| key.starts_with(prefix))
        || row.group == Group::Rest
        || key.starts_with("tributary.")
}

/// A key behind an alias that is about the connection: `Some(true)` where it names the kind of client itself.
fn cluster_key(rest: &str) -> Option<bool> {
    let typed = ["producer.", "consumer.", "admin."]
        .iter()
        .find_map(|prefix| rest.strip_prefix(prefix));
    match typed {
        Some(name) => Scope::Client.find(name).map(|_| true),
        None => Scope::Mirror
            .find(&format!("source.cluster.{rest}"))
            .filter(|_| rest != "alias")
            .map(|_| false),
    }
}

fn is_connection(key: &str) -> bool {
    CONNECTION.contains(&key) || key.starts_with("ssl.") || key.starts_with("sasl.")
}

/// An unknown key; `name` is what is left of it behind an alias or a flow.
fn unknown(reader: &mut Reader<'_>, entry: &RawEntry, name: &str, meant: Option<String>) {
    classify::say_unknown(reader, entry, name.starts_with("tributary."), meant);
}
