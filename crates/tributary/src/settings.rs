//! From files and options to resolved settings, or to sentences that say what is wrong.
//!
//! The only place that reads property files.

use std::path::Path;

use config::key::holds_secret;
use config::link::LinkConfig;
use config::problem::{ConfigProblem, Notice, NoticeLevel};
use config::raw::RawConfig;
use config::resolve;
use config::worker::WorkerConfig;

use crate::output;

/// Why there is no configuration.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The file cannot be read.
    File(String),
    /// What it holds is no configuration.
    Text(String),
}

impl Unread {
    fn sentence(self) -> String {
        match self {
            Self::File(problem) | Self::Text(problem) => problem,
        }
    }
}

/// Reads a properties or JSON file, whichever its content is. Traps of the format are said.
pub(crate) fn read(path: &Path) -> Result<RawConfig, String> {
    match read_quietly(path) {
        Ok((raw, notices)) => {
            say(&path.display().to_string(), &notices);
            Ok(raw)
        }
        Err(unread) => Err(unread.sentence()),
    }
}

/// Reads all configurations of a file: properties have one, JSON and YAML one or several. What ends in `.yaml` or `.yml` is YAML, and so is a text that
/// begins a document or a mapping as only YAML does.
pub(crate) fn read_all(path: &Path) -> Result<Vec<RawConfig>, String> {
    let (name, text) = text_of(path).map_err(Unread::sentence)?;
    let extension = path.extension().and_then(|extension| extension.to_str());
    let all = if is_json(&text) {
        RawConfig::all_from_json(&name, &text)
    } else if matches!(extension, Some("yaml" | "yml")) || is_yaml(&text, extension) {
        RawConfig::all_from_yaml(&name, &text)
    } else {
        RawConfig::from_properties(&name, &text).map(|(raw, notices)| {
            say(&name, &notices);
            vec![raw]
        })
    };
    match all {
        Ok(all) if all.is_empty() => Err(format!("{name} has nothing in it")),
        all => all.map_err(|problem| problem.to_string()),
    }
}

/// Whether a text is YAML though its name does not say so. A quote behind a colon and a blank would be part of a property's value,
/// which nobody means who does not call it properties or writes `=` elsewhere.
fn is_yaml(text: &str, extension: Option<&str>) -> bool {
    let mut lines = text.lines().map(str::trim_end);
    if lines.any(|line| ["---", "config:"].contains(&line)) {
        return true;
    }
    let begins = |line: &str, separator: &str, quotes: &[char]| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        line.split_once(separator).is_some_and(|(key, value)| {
            let is_key = !key.is_empty() && key.trim_end().chars().all(is_plain);
            is_key && (quotes.is_empty() || value.trim_start().starts_with(quotes))
        })
    };
    extension != Some("properties")
        && text.lines().any(|line| begins(line, ": ", &['"', '\'']))
        && !text.lines().any(|line| begins(line, "=", &[]))
}

/// What a file is called, and what is in it.
fn text_of(path: &Path) -> Result<(String, String), Unread> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path)
        .map_err(|error| Unread::File(format!("{name} cannot be read: {error}")))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text)),
        Err(_) => Err(Unread::Text(format!("{name} is not UTF-8 text"))),
    }
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// As [`read`]; the caller says what is to be said.
pub(crate) fn read_quietly(path: &Path) -> Result<(RawConfig, Vec<Notice>), Unread> {
    let (name, text) = text_of(path)?;
    let problem = |problem: config::raw::ReadProblem| Unread::Text(problem.to_string());
    if is_json(&text) {
        let raw = RawConfig::from_json(&name, &text).map_err(problem)?;
        return Ok((raw, Vec::new()));
    }
    RawConfig::from_properties(&name, &text).map_err(problem)
}

/// Lays `KEY=VALUE` options over what was read. Secrets are refused: every process list would show them.
pub(crate) fn overlay(raw: &mut RawConfig, flag: &str, settings: &[String]) -> Result<(), String> {
    for setting in settings {
        let key = setting.split('=').next().unwrap_or("").trim();
        if holds_secret(key) && !setting.contains("${") {
            let file = match flag {
                "--from-set" => "the file of --from-config",
                "--to-set" => "the file of --to-config",
                _ => "a file",
            };
            return Err(format!(
                "{flag} {key}: a secret on the command line can be seen by everybody on this machine; put it into \
                 {file}, or name a variable: '{key}=${{env:NAME}}'"
            ));
        }
        raw.set_from_flag(flag, setting)
            .map_err(|problem| problem.to_string())?;
    }
    Ok(())
}

/// Resolves a worker; problems are printed.
pub(crate) fn worker(raw: &RawConfig, what: &str) -> Option<WorkerConfig> {
    resolved(what, resolve::resolve_worker(raw))
}

/// Prints the problems, or says the notices and returns the settings.
pub(crate) fn resolved<T>(
    what: &str,
    result: Result<(T, Vec<Notice>), Vec<ConfigProblem>>,
) -> Option<T> {
    match result {
        Ok((settings, notices)) => {
            say(what, &notices);
            Some(settings)
        }
        Err(problems) => {
            for problem in problems {
                output::error(&format!("{what}: {problem}"));
            }
            None
        }
    }
}

/// Resolves a link; problems are printed.
pub(crate) fn link(raw: &RawConfig, worker: &WorkerConfig, what: &str) -> Option<LinkConfig> {
    resolved(what, resolve::resolve_link(raw, worker))
}

fn say(what: &str, notices: &[Notice]) {
    for notice in notices {
        match notice.level {
            NoticeLevel::Info => tracing::info!("{what}: {}", notice.text),
            NoticeLevel::Warn => tracing::warn!("{what}: {}", notice.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_yaml;

    #[test]
    fn a_quote_behind_a_colon_is_of_yaml_unless_the_rest_is_of_properties() {
        for (text, extension, expected) in [
            ("name: a\ntopic.regex: \"a=.*\"\n", None, true),
            ("topic.regex: 'a.*'", Some("txt"), true),
            ("topic.regex:   'a.*'", None, true),
            ("---\nname: a", None, true),
            ("name: a\nconfig:\n  tasks.max: 1", None, true),
            ("topic.regex: a.*", None, false),
            ("topic.regex: \"a.*\"", Some("properties"), false),
            ("name=a\ntopic.regex: \"a.*\"", None, false),
            ("name = a\ntopic.regex: \"a.*\"", None, false),
            ("topic.regex=a: \"b\"", None, false),
            ("# it is: \"a\"\nname a", None, false),
        ] {
            assert_eq!(is_yaml(text, extension), expected, "{text}");
        }
    }
}
