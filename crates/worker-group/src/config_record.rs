//! Records of Connect's config topic: keys and values, byte for byte.
//!
//! ```text
//!   connector-NAME         {"properties":{…}}                        null deletes
//!   task-NAME-N            {"properties":{…}}                        waits for the commit
//!   commit-NAME            {"tasks":N}
//!   target-state-NAME      {"state":"PAUSED","state.v2":"STOPPED"}   null: STARTED
//!   tasks-fencing-NAME     {"task-count":N}
//!   session-key            {"key":…,"algorithm":…,"creation-timestamp":…}
//!   restart-connector-NAME {"include-tasks":…,"only-failed":…}
//!   logger-cluster-NAME    {"level":…}
//! ```
//!
//! Writing has one order of members; reading takes any. Deliberately absent: what the records do (`config_state`).

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::Config;
use crate::restart::RestartRequest;
use crate::state::TargetState;

/// One record, understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConfigRecord {
    /// A connector's configuration, or its end.
    Connector(String, Option<Config>),
    /// A task's configuration, which waits for the commit.
    Task(String, u32, Config),
    /// The tasks written before it hold from here on, this many.
    Commit(String, u32),
    /// What a connector is wanted to do; nothing stands for STARTED.
    Target(String, Option<TargetState>),
    /// Older writers of so many tasks have been fenced.
    Fencing(String, u32),
    /// The key that requests between workers are signed with.
    SessionKey {
        /// In base64.
        key: String,
        /// Java's name of it.
        algorithm: String,
        /// Milliseconds since 1970.
        created: i64,
    },
    /// A connector is to be restarted.
    Restart(String, RestartRequest),
    /// A level of logging for all workers.
    Logger(String, String),
}

/// Key and value; no value deletes the key.
pub type Bytes = (String, Option<String>);

/// The record as it is written.
#[must_use]
pub fn encode(record: &ConfigRecord) -> Bytes {
    match record {
        ConfigRecord::Connector(name, config) => {
            (format!("connector-{name}"), config.as_ref().map(properties))
        }
        ConfigRecord::Task(name, task, config) => {
            (format!("task-{name}-{task}"), Some(properties(config)))
        }
        ConfigRecord::Commit(name, tasks) => (
            format!("commit-{name}"),
            Some(format!("{{\"tasks\":{tasks}}}")),
        ),
        ConfigRecord::Target(name, state) => (
            format!("target-state-{name}"),
            state.map(|state| {
                // Readers from before STOPPED existed know only `state`.
                let old = match state {
                    TargetState::Stopped => TargetState::Paused,
                    other => other,
                };
                format!(
                    "{{\"state\":\"{}\",\"state.v2\":\"{}\"}}",
                    old.as_str(),
                    state.as_str()
                )
            }),
        ),
        ConfigRecord::Fencing(name, tasks) => (
            format!("tasks-fencing-{name}"),
            Some(format!("{{\"task-count\":{tasks}}}")),
        ),
        ConfigRecord::SessionKey {
            key,
            algorithm,
            created,
        } => (
            "session-key".to_owned(),
            Some(format!(
                "{{\"key\":{},\"algorithm\":{},\"creation-timestamp\":{created}}}",
                text(key),
                text(algorithm)
            )),
        ),
        ConfigRecord::Restart(name, request) => (
            format!("restart-connector-{name}"),
            Some(format!(
                "{{\"include-tasks\":{},\"only-failed\":{}}}",
                request.include_tasks, request.only_failed
            )),
        ),
        ConfigRecord::Logger(name, level) => (
            format!("logger-cluster-{name}"),
            Some(format!("{{\"level\":{}}}", text(level))),
        ),
    }
}

fn properties(config: &Config) -> String {
    let members: Vec<String> = config
        .iter()
        .map(|(key, value)| format!("{}:{}", text(key), text(value)))
        .collect();
    format!("{{\"properties\":{{{}}}}}", members.join(","))
}

/// A JSON text as Java's Jackson writes it: what has to be escaped is, with upper-case digits, and nothing else.
#[must_use]
pub fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if u32::from(control) < 0x20 => {
                // Writing to a text cannot fail.
                let _ = write!(out, "\\u{:04X}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// Understands a record. `Ok(None)` where it is none of Connect's, or says nothing.
///
/// # Errors
/// What is wrong with a record that is one of Connect's; it is to be passed over, and said.
pub fn decode(key: &str, value: Option<&[u8]>) -> Result<Option<ConfigRecord>, String> {
    let wrong = |what: &str| format!("the record {key} of the config topic {what}");
    let object = match value {
        None => None,
        Some(bytes) => Some(
            serde_json::from_slice::<Map<String, Value>>(bytes)
                .map_err(|_| wrong("does not hold an object"))?,
        ),
    };
    let object = object.as_ref();
    let count = |name: &str| {
        let number = object.and_then(|object| object.get(name)?.as_i64());
        number
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| wrong(&format!("has no number {name}")))
    };
    let map = || {
        object
            .and_then(config_of)
            .ok_or_else(|| wrong("has no properties"))
    };
    if let Some(name) = key.strip_prefix("connector-") {
        if i16::try_from(name.len()).is_err() {
            // Whoever were given it could tell nobody, and everybody would be kept from joining.
            return Err(format!(
                "a record of the config topic has a connector whose name takes {} bytes; workers can name 32,767 to each other",
                name.len()
            ));
        }
        let config = object.map(|_| map()).transpose()?;
        return Ok(Some(ConfigRecord::Connector(name.to_owned(), config)));
    }
    if let Some(rest) = key.strip_prefix("target-state-") {
        return target(rest, object).map_err(|what| wrong(&what));
    }
    if let Some(rest) = key.strip_prefix("tasks-fencing-") {
        return match object {
            None => Ok(None),
            Some(_) => Ok(Some(ConfigRecord::Fencing(
                rest.to_owned(),
                count("task-count")?,
            ))),
        };
    }
    if let Some(rest) = key.strip_prefix("task-") {
        let (name, task) = split_task(rest).ok_or_else(|| wrong("names no task"))?;
        return Ok(Some(ConfigRecord::Task(name, task, map()?)));
    }
    if let Some(name) = key.strip_prefix("commit-") {
        return Ok(Some(ConfigRecord::Commit(name.to_owned(), count("tasks")?)));
    }
    if let Some(name) = key.strip_prefix("restart-connector-") {
        let flag = |name: &str| {
            object
                .and_then(|object| object.get(name)?.as_bool())
                .unwrap_or(false)
        };
        return Ok(object.map(|_| {
            let request = RestartRequest {
                include_tasks: flag("include-tasks"),
                only_failed: flag("only-failed"),
            };
            ConfigRecord::Restart(name.to_owned(), request)
        }));
    }
    if let Some(name) = key.strip_prefix("logger-cluster-") {
        let level = object.and_then(|object| object.get("level")?.as_str());
        return Ok(level.map(|level| ConfigRecord::Logger(name.to_owned(), level.to_owned())));
    }
    if key == "session-key" {
        return session_key(object).map_err(|what| wrong(&what));
    }
    Ok(None)
}

fn config_of(object: &Map<String, Value>) -> Option<Config> {
    let properties = object.get("properties")?.as_object()?;
    properties
        .iter()
        .map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

fn target(name: &str, object: Option<&Map<String, Value>>) -> Result<Option<ConfigRecord>, String> {
    let name = name.to_owned();
    let Some(object) = object else {
        return Ok(Some(ConfigRecord::Target(name, None)));
    };
    let state = object.get("state.v2").or_else(|| object.get("state"));
    let state = state.and_then(Value::as_str).and_then(TargetState::parse);
    match state {
        Some(state) => Ok(Some(ConfigRecord::Target(name, Some(state)))),
        None => Err("has no known state".to_owned()),
    }
}

fn session_key(object: Option<&Map<String, Value>>) -> Result<Option<ConfigRecord>, String> {
    let Some(object) = object else {
        return Ok(None);
    };
    let word = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let created = object.get("creation-timestamp").and_then(Value::as_i64);
    match (word("key"), word("algorithm"), created) {
        (Some(key), Some(algorithm), Some(created)) => Ok(Some(ConfigRecord::SessionKey {
            key,
            algorithm,
            created,
        })),
        _ => Err("holds no key".to_owned()),
    }
}

/// `NAME-N`; names may have hyphens of their own.
pub(crate) fn split_task(text: &str) -> Option<(String, u32)> {
    let (name, number) = text.rsplit_once('-')?;
    Some((name.to_owned(), number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, &str)]) -> Config {
        let entries = entries.iter();
        entries
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_connector_whose_name_would_keep_everybody_from_joining_is_passed_over() {
        let key = |length: usize| format!("connector-{}", "n".repeat(length));
        let value = Some(&b"{\"properties\":{}}"[..]);
        decode(&key(32_767), value).expect("it can be told");
        let error = decode(&key(32_768), value).expect_err("it cannot");
        assert!(error.len() < 300, "{error}");
    }

    #[test]
    fn every_record_has_connects_bytes_and_reads_back() {
        let check = |record: ConfigRecord, key: &str, value: Option<&str>| {
            let (written_key, written) = encode(&record);
            assert_eq!((written_key.as_str(), written.as_deref()), (key, value));
            let read = decode(key, value.map(str::as_bytes)).expect("ours");
            assert_eq!(read, Some(record));
        };
        let name = || "a-b".to_owned();
        let some = config(&[("k", "v \"q\" \\ \u{1}\u{1f} é/"), ("name", "a-b")]);
        check(
            ConfigRecord::Connector(name(), Some(some)),
            "connector-a-b",
            Some(r#"{"properties":{"k":"v \"q\" \\ \u0001\u001F é/","name":"a-b"}}"#),
        );
        check(ConfigRecord::Connector(name(), None), "connector-a-b", None);
        check(
            ConfigRecord::Task(name(), 12, config(&[("k", "v")])),
            "task-a-b-12",
            Some(r#"{"properties":{"k":"v"}}"#),
        );
        check(
            ConfigRecord::Commit(name(), 3),
            "commit-a-b",
            Some(r#"{"tasks":3}"#),
        );
        check(
            ConfigRecord::Target(name(), Some(TargetState::Stopped)),
            "target-state-a-b",
            Some(r#"{"state":"PAUSED","state.v2":"STOPPED"}"#),
        );
        check(
            ConfigRecord::Target(name(), Some(TargetState::Started)),
            "target-state-a-b",
            Some(r#"{"state":"STARTED","state.v2":"STARTED"}"#),
        );
        check(ConfigRecord::Target(name(), None), "target-state-a-b", None);
        check(
            ConfigRecord::Fencing(name(), 3),
            "tasks-fencing-a-b",
            Some(r#"{"task-count":3}"#),
        );
        check(
            ConfigRecord::SessionKey {
                key: "AAEC".into(),
                algorithm: "HmacSHA256".into(),
                created: 1_700_000_000_000,
            },
            "session-key",
            Some(r#"{"key":"AAEC","algorithm":"HmacSHA256","creation-timestamp":1700000000000}"#),
        );
        let request = RestartRequest {
            include_tasks: true,
            only_failed: false,
        };
        check(
            ConfigRecord::Restart(name(), request),
            "restart-connector-a-b",
            Some(r#"{"include-tasks":true,"only-failed":false}"#),
        );
        check(
            ConfigRecord::Logger("org.x".into(), "DEBUG".into()),
            "logger-cluster-org.x",
            Some(r#"{"level":"DEBUG"}"#),
        );
    }

    #[test]
    fn old_records_are_read_and_broken_ones_are_told() {
        let read = |key, value: &str| decode(key, Some(value.as_bytes()));
        let paused = ConfigRecord::Target("c".into(), Some(TargetState::Paused));
        assert_eq!(
            read("target-state-c", r#"{"state":"PAUSED"}"#),
            Ok(Some(paused))
        );
        assert_eq!(read("unknown-c", "{}"), Ok(None));
        for (key, value) in [
            ("target-state-c", r#"{"state":"ODD"}"#),
            ("target-state-c", r#"{"state":1}"#),
            ("connector-c", r#"{"properties":{"a":1}}"#),
            ("connector-c", "[]"),
            ("task-c-x", r#"{"properties":{}}"#),
            ("commit-c", r#"{"tasks":-1}"#),
            ("session-key", "{}"),
        ] {
            read(key, value).expect_err("broken");
        }
        decode("task-c-0", None).expect_err("a task has no end of its own");
        let neither = RestartRequest::default();
        let restart = ConfigRecord::Restart("c".into(), neither);
        assert_eq!(
            read("restart-connector-c", r#"{"include-tasks":"x"}"#),
            Ok(Some(restart))
        );
    }
}
