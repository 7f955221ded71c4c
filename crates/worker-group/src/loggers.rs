//! Levels of logging, by name, as Connect's `/admin/loggers` knows them.
//!
//! Names are modules of this program; a name of a Java logger is accepted, shown, and has no effect.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::refusal::{Kind, Refusal};
use crate::view::LoggerLevel;

/// The name that stands for all.
const ROOT: &str = "root";

/// What a level may be called, and what it is here.
const LEVELS: [(&str, &str); 8] = [
    ("OFF", "off"),
    ("FATAL", "error"),
    ("ERROR", "error"),
    ("WARN", "warn"),
    ("INFO", "info"),
    ("DEBUG", "debug"),
    ("TRACE", "trace"),
    ("ALL", "trace"),
];

/// Our modules that log.
const MODULES: [&str; 5] = [
    "kafka_client",
    "replication",
    "rest_api",
    "tributary",
    "worker_group",
];

/// Makes directives hold, such as `info,kafka_client=debug`.
pub type Apply = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// All levels.
pub struct Loggers {
    levels: BTreeMap<String, LoggerLevel>,
    apply: Apply,
}

impl fmt::Debug for Loggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loggers")
            .field("levels", &self.levels)
            .finish_non_exhaustive()
    }
}

impl Loggers {
    /// Levels as they are at start: `level` everywhere.
    #[must_use]
    pub fn new(level: &str, apply: Apply) -> Self {
        let level = LoggerLevel {
            level: level.to_ascii_uppercase(),
            last_modified: None,
        };
        let names = std::iter::once(ROOT).chain(MODULES);
        Self {
            levels: names.map(|name| (name.to_owned(), level.clone())).collect(),
            apply,
        }
    }

    /// All loggers with their levels.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, LoggerLevel> {
        self.levels.clone()
    }

    /// One logger. One that was never set has the level of the nearest one above it, if that is not root.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn get(&self, name: &str) -> Result<LoggerLevel, Refusal> {
        let found = self
            .levels
            .iter()
            .rev()
            .find(|(known, _)| is_below(name, known));
        let found = found.map(|(_, level)| level.clone());
        let missing = || Refusal::new(Kind::NotFound, format!("Logger {name} not found."));
        found.ok_or_else(missing)
    }

    /// Sets a logger and those below it; says which these are.
    ///
    /// # Errors
    /// There is no such level.
    pub fn set(&mut self, name: &str, level: &str) -> Result<Vec<String>, Refusal> {
        check(level)?;
        let level = level.to_ascii_uppercase();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| {
                u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
            });
        let set = LoggerLevel {
            level,
            last_modified: Some(now),
        };
        self.levels.insert(name.to_owned(), set.clone());
        let mut affected = Vec::new();
        for (known, level) in &mut self.levels {
            if name == ROOT || is_below(known, name) {
                *level = set.clone();
                affected.push(known.clone());
            }
        }
        (self.apply)(&self.directives()).map_err(Refusal::internal)?;
        Ok(affected)
    }

    fn directives(&self) -> String {
        let ours = |level: &str| {
            let found = LEVELS.iter().find(|(known, _)| *known == level);
            found.map_or("info", |(_, ours)| *ours)
        };
        let mut text = self
            .levels
            .get(ROOT)
            .map_or("info", |root| ours(&root.level))
            .to_owned();
        for (name, level) in &self.levels {
            // Names of Java classes are no modules.
            let module = MODULES.iter().any(|module| {
                name.strip_prefix(module)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            });
            let clean = name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
            if module && clean {
                text.push_str(&format!(",{name}={}", ours(&level.level)));
            }
        }
        text
    }
}

/// Whether there is such a level.
///
/// # Errors
/// There is none.
pub(crate) fn check(level: &str) -> Result<(), Refusal> {
    if LEVELS
        .iter()
        .any(|(known, _)| known.eq_ignore_ascii_case(level))
    {
        return Ok(());
    }
    // 404 is what Connect answers.
    let message = format!("invalid log level '{}'.", level.to_ascii_lowercase());
    Err(Refusal::new(Kind::NotFound, message))
}

/// Whether `name` is `above` or stands below it.
fn is_below(name: &str, above: &str) -> bool {
    name.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::") || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    fn loggers() -> (Loggers, Arc<Mutex<String>>) {
        let seen = Arc::new(Mutex::new(String::new()));
        let applied = Arc::clone(&seen);
        let apply: Apply = Box::new(move |directives| {
            *applied.lock().expect("nobody panics here") = directives.to_owned();
            Ok(())
        });
        (Loggers::new("info", apply), seen)
    }

    #[test]
    fn a_level_holds_for_a_logger_and_those_below_it() {
        let (mut loggers, seen) = loggers();
        assert_eq!(
            loggers
                .set("kafka_client::cluster", "debug")
                .expect("a level"),
            ["kafka_client::cluster"]
        );
        assert_eq!(
            loggers.set("kafka_client", "Trace").expect("a level"),
            ["kafka_client", "kafka_client::cluster"]
        );
        assert_eq!(
            loggers.get("kafka_client::x").expect("below").level,
            "TRACE"
        );
        let text = seen.lock().expect("nobody panics here").clone();
        assert!(text.starts_with("info,kafka_client=trace,"), "{text}");
        // Names of Java classes are shown and have no effect.
        loggers.set("org.apache.kafka", "WARN").expect("a level");
        let text = seen.lock().expect("nobody panics here").clone();
        assert!(!text.contains("apache"), "{text}");
        let all = loggers.set("root", "ERROR").expect("a level");
        assert_eq!(all.len(), loggers.all().len());
    }

    #[test]
    fn unknown_levels_and_loggers_have_connects_words() {
        let (mut loggers, _) = loggers();
        let refused = loggers.set("root", "LOUD").expect_err("no level");
        assert_eq!(refused.to_string(), "invalid log level 'loud'.");
        let refused = loggers.get("x.y").expect_err("no logger");
        assert_eq!(refused.to_string(), "Logger x.y not found.");
        assert_eq!(refused.kind, Kind::NotFound);
    }
}
