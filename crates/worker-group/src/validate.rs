//! What is right and wrong with a connector's configuration, key by key, as Connect shows it.
//!
//! Flow: the table of keys (`config`) and Connect's own (`framework`) give definitions; the same resolution as at start
//! gives problems; each problem becomes an error of its key, in Connect's words where Connect has some.
//!
//! Invariant: every key that is shown has a definition, with group and order.

mod framework;

use std::collections::{BTreeMap, BTreeSet};

use config::key::{ConfigKey, Group, Importance, Kind, Treatment, holds_secret, is_secret};
use config::keys::Scope;
use config::problem::ConfigProblem;
use config::raw::{Origin, RawConfig};
use config::resolve::{resolve_link, scope_of};
use config::variables::Variables;
use config::worker::WorkerConfig;
use serde::Serialize;

use crate::plugin::{Plugin, Role};
use crate::{Config, GivenConfig};

/// What is shown instead of a secret.
const HIDDEN: &str = "[hidden]";
const NULL: &str = "Null value can not be supplied as the configuration value.";

/// What a key is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ConfigKeyInfo {
    /// Its name.
    pub name: String,
    /// Its type, one of Connect's.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Whether it has to be given.
    pub required: bool,
    /// What holds where it is not.
    pub default_value: Option<&'static str>,
    /// `HIGH`, `MEDIUM` or `LOW`.
    pub importance: &'static str,
    /// What it means.
    pub documentation: String,
    /// Where it is shown.
    pub group: &'static str,
    /// How wide its field is.
    pub width: &'static str,
    /// What it is called on a page.
    pub display_name: String,
    /// Keys whose values depend on it; none.
    pub dependents: [&'static str; 0],
    /// Its place in the group.
    pub order: u32,
}

/// What is given for a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ConfigValueInfo {
    /// Its name.
    pub name: String,
    /// The value, also where it is the default.
    pub value: Option<String>,
    /// Values to choose from.
    pub recommended_values: Vec<&'static str>,
    /// What is wrong.
    pub errors: Vec<String>,
    /// Whether it is shown.
    pub visible: bool,
}

/// A key and its value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ConfigInfo {
    /// What it is.
    pub definition: ConfigKeyInfo,
    /// What is given.
    pub value: ConfigValueInfo,
}

/// Everything about a configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ConfigInfos {
    /// The class, as it was sent.
    pub name: String,
    /// The number of errors.
    pub error_count: usize,
    /// Groups, in order.
    pub groups: Vec<&'static str>,
    /// Keys.
    pub configs: Vec<ConfigInfo>,
}

impl ConfigInfos {
    /// All errors, in the order of the keys.
    #[must_use]
    pub fn errors(&self) -> Vec<String> {
        let errors = self
            .configs
            .iter()
            .flat_map(|info| info.value.errors.iter());
        errors.cloned().collect()
    }
}

/// The vocabulary of a class.
#[must_use]
pub fn scope(plugin: &Plugin) -> Scope {
    match plugin.role {
        Role::Replicator => Scope::Replicator,
        Role::MirrorSource | Role::MirrorCheckpoint | Role::MirrorHeartbeat => Scope::Mirror,
        Role::Own => Scope::Own,
    }
}

/// A configuration for `resolve`.
#[must_use]
pub fn raw(name: &str, config: &Config, variables: Option<&Variables>) -> RawConfig {
    let place: std::sync::Arc<str> = format!("connector {name}").into();
    let mut raw = RawConfig::new();
    raw.set_submitted();
    for (key, value) in config {
        let origin = Origin::Json(std::sync::Arc::clone(&place), format!("/{key}"));
        raw.set(key.clone(), value.clone(), origin);
    }
    if let Some(variables) = variables {
        raw.set_variables(variables.clone());
    }
    raw
}

/// The definitions of a class, all of them.
#[must_use]
pub fn definitions(plugin: &Plugin) -> Vec<ConfigKeyInfo> {
    let mut all: Vec<ConfigKeyInfo> = framework::KEYS.iter().map(of_framework).collect();
    let mut orders: BTreeMap<&'static str, u32> = BTreeMap::new();
    for (name, row) in rows(scope(plugin)) {
        let order = orders.entry(group(row.group)).or_default();
        *order += 1;
        all.push(of_row(&name, row, *order));
    }
    all
}

/// Rows with a name of their own, beyond Connect's; families and older names have none.
fn rows(scope: Scope) -> impl Iterator<Item = (String, &'static ConfigKey)> {
    // Clients of either side, and none of those that only pass settings on to Java clients.
    let shown = [
        "",
        "src.kafka.",
        "src.consumer.",
        "dest.kafka.",
        "source.cluster.",
        "target.cluster.",
    ];
    let families = scope.families().iter();
    let families = families.filter(move |family| shown.contains(&family.prefix));
    let rows = families.flat_map(|family| {
        family
            .rows()
            .map(move |row| (format!("{}{}", family.prefix, row.name), row))
    });
    let mut seen = BTreeSet::new();
    rows.filter(move |(name, row)| {
        !name.ends_with('*')
            && !matches!(row.treatment, Treatment::Mapped(_))
            && !framework::KEYS.iter().any(|key| key.name == name)
            && seen.insert(name.clone())
    })
}

/// Judges a configuration. `worker` is that of the process.
#[must_use]
pub fn validate(
    plugin: &Plugin,
    given: &GivenConfig,
    worker: &WorkerConfig,
    variables: Option<&Variables>,
) -> ConfigInfos {
    let scope = scope(plugin);
    let present: Config = given
        .iter()
        .filter_map(|(key, value)| Some((key.clone(), value.clone()?)))
        .collect();
    let mut errors = problems(scope, &present, worker, variables);
    for (key, value) in given {
        if value.is_none() {
            // Nothing else is to be said about it.
            errors.insert(key.clone(), vec![NULL.to_owned()]);
        }
    }
    let mut definitions = definitions(plugin);
    let mut defined: BTreeSet<String> = definitions.iter().map(|one| one.name.clone()).collect();
    for key in given.keys().chain(errors.keys()) {
        if !defined.insert(key.clone()) {
            continue;
        }
        match scope.find(key) {
            Some(row) => definitions.push(of_row(key, row, 1000)),
            None if errors.contains_key(key) => definitions.push(of_unknown(key)),
            None => {}
        }
    }
    let configs: Vec<ConfigInfo> = definitions
        .into_iter()
        .map(|definition| {
            let name = definition.name.clone();
            let found = errors.remove(&name).unwrap_or_default();
            let value = match given.get(&name) {
                Some(value) => value.clone(),
                None => definition.default_value.map(str::to_owned),
            };
            let secret = definition.kind == "PASSWORD";
            ConfigInfo {
                value: ConfigValueInfo {
                    value: value.map(|value| if secret { HIDDEN.to_owned() } else { value }),
                    recommended_values: choices(scope, &name),
                    errors: found,
                    visible: true,
                    name,
                },
                definition,
            }
        })
        .collect();
    let mut groups = framework::GROUPS.to_vec();
    for info in &configs {
        if !groups.contains(&info.definition.group) {
            groups.push(info.definition.group);
        }
    }
    ConfigInfos {
        name: present.get("connector.class").cloned().unwrap_or_default(),
        error_count: configs.iter().map(|info| info.value.errors.len()).sum(),
        groups,
        configs,
    }
}

/// What is wrong, by key.
fn problems(
    scope: Scope,
    config: &Config,
    worker: &WorkerConfig,
    variables: Option<&Variables>,
) -> BTreeMap<String, Vec<String>> {
    let mut errors: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, error) in framework_problems(config, worker) {
        errors.entry(key.to_owned()).or_default().push(error);
    }
    let name = config.get("name").map_or("", String::as_str);
    let raw = raw(name, config, variables);
    debug_assert_eq!(scope_of(&raw), scope, "the class decides both");
    for problem in resolve_link(&raw, worker).err().unwrap_or_default() {
        // Connect's own words go first, and are enough.
        if !errors.contains_key(&problem.key) {
            let error = error(scope, &problem, config);
            errors.insert(problem.key.clone(), vec![error]);
        }
    }
    errors
}

/// The longest name of a connector, in bytes. It stands in paths, of which a request's head holds so much with every byte
/// encoded, and in what workers of a group tell each other, where 32,767 bytes of one keep everybody from joining.
const LONGEST_NAME: usize = 8_000;

/// What Connect itself checks, in its words.
fn framework_problems(config: &Config, worker: &WorkerConfig) -> Vec<(&'static str, String)> {
    let mut errors = Vec::new();
    let mut invalid = |key: &'static str, value: &str, why: &str| {
        errors.push((
            key,
            format!("Invalid value {value} for configuration {key}: {why}"),
        ));
    };
    if let Some(name) = config.get("name") {
        let control: Vec<String> = name
            .chars()
            .filter(|character| character.is_control())
            .map(|character| u32::from(character).to_string())
            .collect();
        if name.is_empty() {
            invalid("name", name, "String may not be empty");
        } else if name.len() > LONGEST_NAME {
            let begin: String = name.chars().take(64).collect();
            let why = format!(
                "it has {} bytes, and a name may have {LONGEST_NAME}",
                name.len()
            );
            invalid("name", &format!("{begin}…"), &why);
        } else if !control.is_empty() {
            let why = format!(
                "String may not contain control sequences but had the following ASCII chars: {}",
                control.join(", ")
            );
            invalid("name", name, &why);
        }
    }
    for key in ["transforms", "predicates"] {
        let list = config.get(key).map_or("", String::as_str);
        let aliases: Vec<&str> = list.split(',').map(str::trim).collect();
        let mut unique = aliases.clone();
        unique.sort_unstable();
        unique.dedup();
        if unique.len() < aliases.len() {
            let shown = format!("[{}]", aliases.join(", "));
            invalid(key, &shown, "Duplicate alias provided.");
        }
    }
    let required = config.get("exactly.once.support");
    if !worker.exactly_once && required.is_some_and(|value| value == "required") {
        let text = "This worker does not have exactly-once source support enabled.";
        errors.push(("exactly.once.support", text.to_owned()));
    }
    errors
}

/// A problem as an error text: Connect's where it has one, else what is wrong and what would be right.
fn error(scope: Scope, problem: &ConfigProblem, config: &Config) -> String {
    let key = &problem.key;
    if problem.origin.is_none() {
        return format!("Missing required configuration \"{key}\" which has no default value.");
    }
    let value = problem.shown.as_deref().unwrap_or("");
    let given = config.get(key).map_or("", |value| value.trim());
    let known = scope.find(key);
    let of_type = known.filter(|row| row.check(given).is_err());
    let connects = of_type.and_then(|row| match row.kind {
        Kind::Number(low, high) => Some(match given.parse::<i64>() {
            Ok(number) if number < low => format!("Value must be at least {low}"),
            Ok(_) => format!("Value must be no more than {high}"),
            Err(_) => format!("Not a number of type {}", number_type(high)),
        }),
        Kind::Fraction => Some("Not a number of type DOUBLE".to_owned()),
        Kind::Boolean => Some("Expected value to be either true or false".to_owned()),
        Kind::OneOf(choices) => Some(format!("String must be one of: {}", choices.join(", "))),
        Kind::Text | Kind::Password | Kind::List | Kind::Class | Kind::ClassOf(..) => None,
    });
    let why = connects.unwrap_or_else(|| {
        let remedy = problem.remedy.iter().map(|remedy| format!("; {remedy}"));
        let meant = problem.did_you_mean.iter();
        let meant = meant.map(|key| format!("; did you mean {key} ?"));
        let more: String = remedy.chain(meant).collect();
        format!("{}{more}", problem.wrong)
    });
    format!("Invalid value {value} for configuration {key}: {why}")
}

fn number_type(high: i64) -> &'static str {
    match high {
        32_767 => "SHORT",
        high if high <= i64::from(i32::MAX) => "INT",
        _ => "LONG",
    }
}

fn choices(scope: Scope, name: &str) -> Vec<&'static str> {
    match scope.find(name).map(|row| row.kind) {
        Some(Kind::OneOf(choices)) => choices.to_vec(),
        _ => Vec::new(),
    }
}

fn of_framework(key: &framework::FrameworkKey) -> ConfigKeyInfo {
    ConfigKeyInfo {
        name: key.name.to_owned(),
        kind: key.kind,
        required: key.required,
        default_value: key.default,
        importance: key.importance,
        documentation: key.doc.to_owned(),
        group: key.group,
        width: key.width,
        display_name: key.display_name.to_owned(),
        dependents: [],
        order: key.order,
    }
}

fn of_row(name: &str, row: &ConfigKey, order: u32) -> ConfigKeyInfo {
    let kind = match row.kind {
        _ if holds_secret(name) => "PASSWORD",
        Kind::Text | Kind::OneOf(_) => "STRING",
        Kind::Password => "PASSWORD",
        Kind::List => "LIST",
        Kind::Boolean => "BOOLEAN",
        Kind::Number(_, high) => number_type(high),
        Kind::Fraction => "DOUBLE",
        Kind::Class | Kind::ClassOf(..) => "CLASS",
    };
    ConfigKeyInfo {
        name: name.to_owned(),
        kind,
        required: false,
        default_value: row.default,
        importance: match row.importance {
            Importance::High => "HIGH",
            Importance::Medium => "MEDIUM",
            Importance::Low => "LOW",
        },
        documentation: row.doc.to_owned(),
        group: group(row.group),
        width: match kind {
            "BOOLEAN" | "INT" | "SHORT" | "LONG" | "DOUBLE" => "SHORT",
            "LIST" => "LONG",
            _ => "MEDIUM",
        },
        display_name: name.to_owned(),
        dependents: [],
        order,
    }
}

/// A key that is not known and has an error all the same.
fn of_unknown(name: &str) -> ConfigKeyInfo {
    ConfigKeyInfo {
        name: name.to_owned(),
        kind: "STRING",
        required: false,
        default_value: None,
        importance: "LOW",
        documentation: String::new(),
        group: framework::GROUPS[0],
        width: "NONE",
        display_name: name.to_owned(),
        dependents: [],
        order: 1000,
    }
}

fn group(group: Group) -> &'static str {
    match group {
        Group::Link => "Link",
        Group::Source => "Source",
        Group::Destination => "Destination",
        Group::Fetch => "Reading",
        Group::Produce => "Writing",
        Group::Offsets => "Positions",
        Group::Client => "Connections",
        Group::Security => "Security",
        Group::Metadata => "Metadata",
        Group::Worker => "Worker",
        Group::Rest => "REST",
        Group::Compatibility => "Compatibility",
    }
}

/// A configuration as Java prints a map.
pub(crate) fn java_map(config: &GivenConfig) -> String {
    let entries: Vec<String> = config
        .iter()
        .map(|(key, value)| {
            let value = match value.as_deref() {
                Some(value) if holds_secret(key) || is_secret(key, value) => HIDDEN,
                Some(value) => value,
                None => "null",
            };
            format!("{key}={value}")
        })
        .collect();
    format!("{{{}}}", entries.join(", "))
}

#[cfg(test)]
mod tests;
