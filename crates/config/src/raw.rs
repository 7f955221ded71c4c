//! A configuration as it was given: keys, values, and where each of them came from.
//!
//! Flow: files (text read by the caller) and flags → `RawConfig`, one laid over the other → `resolve`.
//! Invariant: nothing is lost or changed on the way in; later entries win over earlier ones of the same key.
//! Deliberately absent: types, defaults, meaning; reading of files; what variables read (`variables`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::value::RawValue;
use thiserror::Error;

use crate::problem::{ConfigProblem, Notice};
use crate::secret::Secret;
use crate::variables::Variables;
use crate::yaml;

/// What a variable brought is put back by its name from this length on, in characters of a message.
const SHORTEST_CONCEALED: usize = 3;

/// Keys and values, in the order in which they were given.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RawConfig {
    entries: Vec<RawEntry>,
    /// `initial_state` of a JSON document that has one.
    pub initial_state: Option<String>,
    variables: Option<Variables>,
    submitted: bool,
}

/// One key with its value.
#[derive(Clone, PartialEq, Eq)]
pub struct RawEntry {
    /// The key.
    pub key: String,
    /// The key as the user wrote it, where it was an older name, or stood behind a name of a flow.
    pub written: Option<String>,
    /// The value as given; not trimmed.
    pub value: String,
    /// Where it was given.
    pub origin: Origin,
    replaced: Option<Replaced>,
}

/// What variables have brought into a value.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Replaced {
    /// The value with its variables.
    written: String,
    /// Each variable as written, and what it brought.
    values: Vec<(String, Secret<String>)>,
}

impl RawEntry {
    /// The value as it was written, variables unreplaced.
    #[must_use]
    pub fn given_value(&self) -> &str {
        self.replaced
            .as_ref()
            .map_or(&self.value, |replaced| &replaced.written)
    }

    pub(crate) fn has_variables(&self) -> bool {
        crate::variables::first(self.given_value()).is_some()
    }

    pub(crate) fn is_replaced(&self) -> bool {
        self.replaced.is_some()
    }

    pub(crate) fn as_written(&self) -> Self {
        Self {
            value: self.given_value().to_owned(),
            replaced: None,
            ..self.clone()
        }
    }

    /// The entry with its variables replaced. Where one is not to be had, the problem does not show the value.
    pub(crate) fn replace(
        &self,
        variables: Option<&Variables>,
    ) -> Result<Self, Box<ConfigProblem>> {
        let problem = |wrong| {
            Box::new(ConfigProblem {
                key: self.key.clone(),
                shown: None,
                origin: Some(self.origin.clone()),
                wrong,
                remedy: None,
                did_you_mean: None,
            })
        };
        let Some(variable) = crate::variables::first(&self.value) else {
            return Ok(self.clone());
        };
        let Some(variables) = variables else {
            let wrong = format!("variables like {variable} are not replaced here");
            return Err(problem(wrong));
        };
        let expanded = variables.expand(&self.value).map_err(problem)?;
        Ok(Self {
            value: expanded.text,
            replaced: Some(Replaced {
                written: self.value.clone(),
                values: expanded
                    .values
                    .into_iter()
                    .map(|(variable, value)| (variable, Secret::new(value)))
                    .collect(),
            }),
            ..self.clone()
        })
    }

    /// Puts variables back where a text shows what they brought, or one of the parts that lists are taken apart into.
    pub(crate) fn conceal(&self, text: &mut String) {
        let Some(replaced) = &self.replaced else {
            return;
        };
        for (variable, value) in &replaced.values {
            let whole = value.expose().trim();
            let parts = whole.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'));
            for part in std::iter::once(whole).chain(parts) {
                // Shorter ones would be found in every text; whoever hides one letter hides nothing.
                if part.len() >= SHORTEST_CONCEALED {
                    conceal(text, part, variable);
                }
            }
        }
    }
}

/// Replaces a part of a text, in whatever case it stands there. What variables are called stays readable.
fn conceal(text: &mut String, part: &str, variable: &str) {
    let (lower, part) = (text.to_ascii_lowercase(), part.to_ascii_lowercase());
    if !lower.contains(&part) {
        return;
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if let Some(kept) = text[at..].strip_prefix(variable) {
            out.push_str(variable);
            at = text.len() - kept.len();
        } else if lower[at..].starts_with(&part) {
            out.push_str(variable);
            at += part.len();
        } else {
            let next = text[at..].chars().next().map_or(1, char::len_utf8);
            out.push_str(&text[at..at + next]);
            at += next;
        }
    }
    *text = out;
}

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A line of a properties file, from 1.
    Line(Arc<str>, usize),
    /// A place in a JSON document, as a JSON pointer (RFC 6901).
    Json(Arc<str>, String),
    /// A flag of the command line, as the user knows it, for example `--set`.
    Flag(Arc<str>),
}

/// Why a text is no configuration at all.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ReadProblem {
    /// A `\u` that is not followed by four hexadecimal digits, or is half of a pair.
    #[error(
        "{file}, line {line}: \\u has to be followed by four hexadecimal digits; write \\\\u for the characters"
    )]
    BadUnicodeEscape {
        /// The file.
        file: Arc<str>,
        /// The line, from 1.
        line: usize,
    },
    /// The text is no JSON object.
    #[error("{file} is not a JSON object of keys and values: {reason}")]
    NotJson {
        /// The file.
        file: Arc<str>,
        /// What the parser says.
        reason: String,
    },
    /// The text is no YAML that is read.
    #[error("{file}, line {line}: {reason}")]
    NotYaml {
        /// The file.
        file: Arc<str>,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
    /// An array or an object where a value belongs.
    #[error(
        "{file}, {pointer}: a value is a text, a number or a boolean; a list is one text with commas"
    )]
    NotScalar {
        /// The file.
        file: Arc<str>,
        /// The place.
        pointer: String,
    },
    /// A flag without `=`.
    #[error("{flag} {given}: a setting is written KEY=VALUE")]
    NoValue {
        /// The flag.
        flag: Arc<str>,
        /// What followed it.
        given: String,
    },
}

impl RawConfig {
    /// No keys at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads Java properties, and notices spellings that the format reads differently than they look.
    ///
    /// # Errors
    /// A malformed `\u`.
    pub fn from_properties(file: &str, text: &str) -> Result<(Self, Vec<Notice>), ReadProblem> {
        let file: Arc<str> = file.into();
        let mut notices = Vec::new();
        let mut config = Self::new();
        for property in crate::properties::read(text) {
            let property = property.map_err(|line| ReadProblem::BadUnicodeEscape {
                file: Arc::clone(&file),
                line,
            })?;
            notices.extend(
                property
                    .traps()
                    .into_iter()
                    .map(|trap| Notice::warn(format!("{file}, line {}: {trap}", property.line))),
            );
            let origin = Origin::Line(Arc::clone(&file), property.line);
            config.set(property.key, property.value, origin);
        }
        Ok((config, notices))
    }

    /// Reads a JSON object of keys and values, or one of `name`, `config` and `initial_state`. Numbers and
    /// booleans become texts as they are written; `null` means unset.
    ///
    /// # Errors
    /// Anything else.
    pub fn from_json(file: &str, text: &str) -> Result<Self, ReadProblem> {
        let file: Arc<str> = file.into();
        let object = json_object(&file, text)?;
        let mut config = Self::new();
        let inner = object
            .get("config")
            .filter(|value| value.get().starts_with('{'));
        match inner {
            None => config.add_json(&file, "", &object)?,
            Some(inner) => {
                let inner = json_object(&file, inner.get())?;
                if let Some(name) = object.get("name")
                    && let Some(name) = json_scalar(&file, "/name", name)?
                {
                    let origin = Origin::Json(Arc::clone(&file), "/name".to_owned());
                    config.set("name".to_owned(), name, origin);
                }
                if let Some(state) = object.get("initial_state") {
                    config.initial_state = json_scalar(&file, "/initial_state", state)?;
                }
                config.add_json(&file, "/config", &inner)?;
            }
        }
        Ok(config)
    }

    /// Reads JSON objects, one behind the other.
    ///
    /// # Errors
    /// As of [`RawConfig::from_json`].
    pub fn all_from_json(file: &str, text: &str) -> Result<Vec<Self>, ReadProblem> {
        let documents = serde_json::Deserializer::from_str(text).into_iter::<Box<RawValue>>();
        let read = documents.map(|document| {
            let document = document.map_err(|error| ReadProblem::NotJson {
                file: file.into(),
                reason: error.to_string(),
            })?;
            Self::from_json(file, document.get())
        });
        read.collect()
    }

    /// Reads documents of YAML, each a mapping of keys and values, or one of `name`, `config` and `initial_state`. Values are texts as they are
    /// written; null means unset.
    ///
    /// # Errors
    /// Anything else.
    pub fn all_from_yaml(file: &str, text: &str) -> Result<Vec<Self>, ReadProblem> {
        let file: Arc<str> = file.into();
        let wrong = |line: usize, reason: &str| ReadProblem::NotYaml {
            file: Arc::clone(&file),
            line,
            reason: reason.to_owned(),
        };
        let documents = yaml::read(text).map_err(|(line, reason)| wrong(line, &reason))?;
        let read = documents.into_iter().map(|entries| {
            let is_inner = |entry: &yaml::Entry| entry.parent.as_deref() == Some("config");
            let is_whole = entries.iter().any(is_inner);
            let mut config = Self::new();
            for entry in entries {
                let is_of_config = is_inner(&entry);
                if entry.parent.is_some() && !is_of_config {
                    return Err(wrong(entry.line, "only `config` holds keys"));
                }
                let Some(value) = entry.value else { continue };
                let is_outer = is_whole && !is_of_config;
                if is_outer && entry.key == "initial_state" {
                    config.initial_state = Some(value);
                } else if is_outer && entry.key != "name" {
                    return Err(wrong(entry.line, "it stands beside `config`, not in it"));
                } else {
                    let origin = Origin::Line(Arc::clone(&file), entry.line);
                    config.set(entry.key, value, origin);
                }
            }
            Ok(config)
        });
        read.collect()
    }

    fn add_json(
        &mut self,
        file: &Arc<str>,
        parent: &str,
        object: &BTreeMap<String, Box<RawValue>>,
    ) -> Result<(), ReadProblem> {
        for (key, value) in object {
            let pointer = format!("{parent}/{}", key.replace('~', "~0").replace('/', "~1"));
            if let Some(value) = json_scalar(file, &pointer, value)? {
                self.set(key.clone(), value, Origin::Json(Arc::clone(file), pointer));
            }
        }
        Ok(())
    }

    /// Sets a key from a flag that holds `KEY=VALUE`, such as `--set`.
    ///
    /// # Errors
    /// There is no `=`, or nothing before it.
    pub fn set_from_flag(&mut self, flag: &str, setting: &str) -> Result<(), ReadProblem> {
        match setting.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                self.set_flag(flag, key.trim(), value);
                Ok(())
            }
            _ => Err(ReadProblem::NoValue {
                flag: flag.into(),
                given: setting.to_owned(),
            }),
        }
    }

    /// Sets a key to what a flag of its own says, such as `--rename`.
    pub fn set_flag(&mut self, flag: &str, key: &str, value: &str) {
        self.set(key.to_owned(), value.to_owned(), Origin::Flag(flag.into()));
    }

    /// Variables in values are replaced by these when the configuration is resolved.
    pub fn set_variables(&mut self, variables: Variables) {
        self.variables = Some(variables);
    }

    /// It came over the network, from somebody who may not be at home on this machine.
    pub fn set_submitted(&mut self) {
        self.submitted = true;
    }

    pub(crate) fn is_submitted(&self) -> bool {
        self.submitted
    }

    pub(crate) fn variables(&self) -> Option<&Variables> {
        self.variables.as_ref()
    }

    pub(crate) fn with_entries(&self, entries: Vec<RawEntry>) -> Self {
        Self {
            entries,
            initial_state: self.initial_state.clone(),
            variables: self.variables.clone(),
            submitted: self.submitted,
        }
    }

    /// Sets a key. An earlier value is replaced, and the new one takes the last place.
    pub fn set(&mut self, key: String, value: String, origin: Origin) {
        self.entries.retain(|entry| entry.key != key);
        self.entries.push(RawEntry {
            key,
            written: None,
            value,
            origin,
            replaced: None,
        });
    }

    /// Sets a key to what `entry` says, which was written under another key.
    pub(crate) fn set_moved(&mut self, key: &str, entry: &RawEntry) {
        self.entries.retain(|known| known.key != key);
        let written = entry.written();
        self.entries.push(RawEntry {
            key: key.to_owned(),
            written: (written != key).then(|| written.to_owned()),
            value: entry.value.clone(),
            origin: entry.origin.clone(),
            replaced: entry.replaced.clone(),
        });
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) {
        self.entries.retain(|entry| entry.key != key);
    }

    /// Lays `over` on top: its values win.
    pub fn overlay(&mut self, over: RawConfig) {
        for entry in over.entries {
            self.entries.retain(|known| known.key != entry.key);
            self.entries.push(entry);
        }
        self.initial_state = over.initial_state.or(self.initial_state.take());
    }

    /// The entry of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&RawEntry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// All entries, each key once, in the order in which they were given.
    #[must_use]
    pub fn entries(&self) -> &[RawEntry] {
        &self.entries
    }
}

fn json_object(
    file: &Arc<str>,
    text: &str,
) -> Result<BTreeMap<String, Box<RawValue>>, ReadProblem> {
    serde_json::from_str(text).map_err(|error| ReadProblem::NotJson {
        file: Arc::clone(file),
        reason: error.to_string(),
    })
}

/// `None` for `null`.
fn json_scalar(
    file: &Arc<str>,
    pointer: &str,
    value: &RawValue,
) -> Result<Option<String>, ReadProblem> {
    match value.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str(value.get())
            .map(Some)
            .map_err(|error| ReadProblem::NotJson {
                file: Arc::clone(file),
                reason: error.to_string(),
            }),
        Some(b'[' | b'{') => Err(ReadProblem::NotScalar {
            file: Arc::clone(file),
            pointer: pointer.to_owned(),
        }),
        Some(b'n') => Ok(None),
        _ => Ok(Some(value.get().to_owned())),
    }
}

impl RawEntry {
    /// The key as the user knows it.
    #[must_use]
    pub fn written(&self) -> &str {
        self.written.as_deref().unwrap_or(&self.key)
    }
}

impl fmt::Debug for RawEntry {
    /// Without the value: whether it is a secret is known only to the table of keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.key, self.origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(file, line) => write!(f, "{file}, line {line}"),
            Self::Json(file, pointer) => write!(f, "{file}, {pointer}"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_variable_brought_is_put_back_in_parts_and_in_any_case() {
        let entry = |value: &str| RawEntry {
            key: "k".to_owned(),
            written: None,
            value: value.to_owned(),
            origin: Origin::Flag("--set".into()),
            replaced: Some(Replaced {
                written: "${env:PASS}".to_owned(),
                values: vec![("${env:PASS}".to_owned(), Secret::new(value.to_owned()))],
            }),
        };
        for (value, text, expected) in [
            (
                "hunter2",
                "there is no Hunter2!",
                "there is no ${env:PASS}!",
            ),
            (
                "hun,ter2 xy",
                "hun, ter2 cannot be used, xy can",
                "${env:PASS}, ${env:PASS} cannot be used, xy can",
            ),
            ("pass", "${env:PASS} is pass", "${env:PASS} is ${env:PASS}"),
            ("größe", "ü größe ß", "ü ${env:PASS} ß"),
        ] {
            let mut text = text.to_owned();
            entry(value).conceal(&mut text);
            assert_eq!(text, expected);
        }
    }
}
