//! Keys that are to be set and that nobody would read: what is said of them before they are. Pure.

use config::RawConfig;
use config::keys::{Scope, known_elsewhere, nearest};
use config::resolve::scope_of;
use serde_json::{Map, Value};

/// Which vocabulary a stored configuration uses.
fn vocabulary(stored: &Value) -> Scope {
    let mut raw = RawConfig::new();
    if let Some(class) = stored["connector.class"].as_str() {
        raw.set_flag("connector.class", "connector.class", class);
    }
    scope_of(&raw)
}

/// Warnings about keys that are known nowhere: they may be notes of somebody. A null removes.
///
/// # Errors
/// A sentence about a key that belongs somewhere else.
pub(super) fn warnings(stored: &Value, patch: &Map<String, Value>) -> Result<Vec<String>, String> {
    let scope = vocabulary(stored);
    let mut warnings = Vec::new();
    let new = patch.iter().filter(|(key, value)| {
        !value.is_null() && stored.get(key.as_str()).is_none() && scope.find(key).is_none()
    });
    for (key, _) in new {
        let meant = nearest(scope, key).map(|meant| format!("; did you mean {meant} ?"));
        let meant = meant.unwrap_or_default();
        match known_elsewhere(scope, key) {
            Some(other) => {
                return Err(format!(
                    "{key} is a key of {other}, and in {scope} nobody reads it{meant}"
                ));
            }
            None => warnings.push(format!(
                "nobody reads {key}: it is no key of {scope}{meant}"
            )),
        }
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(class: &str, patch: Value) -> Result<Vec<String>, String> {
        let stored = json!({"connector.class": class, "note.of.mine": "1"});
        warnings(&stored, patch.as_object().expect("an object"))
    }

    #[test]
    fn a_key_of_another_vocabulary_is_refused_and_an_unknown_one_is_said() {
        let mirror = "org.apache.kafka.connect.mirror.MirrorSourceConnector";
        let wrong = said(mirror, json!({"src.kafka.bootstrap.servers": "a:1"}));
        let wrong = wrong.expect_err("Replicator's");
        assert!(wrong.contains("a Replicator connector"), "{wrong}");
        let replicator = "io.confluent.connect.replicator.ReplicatorSourceConnector";
        let known = said(replicator, json!({"src.kafka.bootstrap.servers": "a:1"}));
        assert_eq!(known, Ok(Vec::new()));
        let unknown = said(replicator, json!({"task.max": "1"})).expect("said");
        assert!(unknown[0].contains("tasks.max ?"), "{unknown:?}");
        // What is there already, and what is removed, is nothing new.
        for old in [json!({"note.of.mine": "2"}), json!({"task.max": null})] {
            assert_eq!(said(replicator, old), Ok(Vec::new()));
        }
    }
}
