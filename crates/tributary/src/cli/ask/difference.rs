//! How a configuration differs from the stored one, without secrets, and what was shown in the place of a value. Pure.

use config::key::HIDDEN;
use serde_json::{Map, Value, json};

/// A key that differs, with its values as they may be shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Difference {
    key: String,
    before: Option<String>,
    after: Option<String>,
}

/// Keys that differ, by name, without secrets.
pub(super) fn differences(stored: &Value, wanted: &Map<String, Value>) -> Vec<Difference> {
    let nothing = Map::new();
    let stored = stored.as_object().unwrap_or(&nothing);
    let shown = |key: &str, value: &Value| match value.as_str().unwrap_or_default() {
        // It has no mark but its own.
        hidden if hidden.starts_with(HIDDEN) => hidden.to_owned(),
        value => config::key::shown_in_changes(key, value),
    };
    let mut keys: Vec<&String> = stored.keys().chain(wanted.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let differ = keys.into_iter().filter_map(|key| {
        let (before, after) = (stored.get(key), wanted.get(key));
        let is_same = match (before, after) {
            (Some(before), Some(after)) => before == after || stands_for(key, after, before),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        (!is_same).then(|| Difference {
            key: key.clone(),
            before: before.map(|value| shown(key, value)),
            after: after.map(|value| shown(key, value)),
        })
    });
    differ.collect()
}

/// Whether a value is what is shown of a stored one, whose secret is not: the worker puts that in its place.
fn stands_for(key: &str, value: &Value, stored: &Value) -> bool {
    let (Some(value), Some(stored)) = (value.as_str(), stored.as_str()) else {
        return false;
    };
    // Of what is not shown to this user either, it is not known which mark it has.
    let may_be = stored == HIDDEN && value.starts_with(HIDDEN);
    may_be || config::key::stands_for(key, value, stored)
}

/// Whether a configuration, with what is stored in its place, has secrets that are only known to the worker.
///
/// # Errors
/// What was shown in the place of a value stands for nothing that is stored.
pub(super) fn has_hidden(whole: &Map<String, Value>, stored: &Value) -> Result<bool, String> {
    let mut has_some = false;
    for (key, value) in whole {
        let text = value.as_str().unwrap_or_default();
        if !config::key::is_shown_only(key, text) {
            continue;
        }
        if stored.get(key) != Some(value) {
            return Err(format!(
                "the value of {key} reads {HIDDEN}, which stands for what is stored, and nothing is stored that it could stand for"
            ));
        }
        has_some = true;
    }
    Ok(has_some)
}

/// A configuration with what is stored in the place of what was shown of it.
pub(super) fn whole(wanted: &Map<String, Value>, stored: &Value) -> Map<String, Value> {
    let values = wanted.iter().map(|(key, value)| {
        let known = stored.get(key).filter(|one| stands_for(key, value, one));
        (key.clone(), known.unwrap_or(value).clone())
    });
    values.collect()
}

/// For people: what goes, and what comes.
pub(super) fn lines(differences: &[Difference]) -> Vec<String> {
    let of = |one: &Difference| {
        let line = |sign: char, value: &Option<String>| {
            let value = value.as_ref()?;
            Some(format!("{sign} {}={value}", one.key))
        };
        [line('-', &one.before), line('+', &one.after)]
    };
    differences.iter().flat_map(of).flatten().collect()
}

pub(super) fn object(link: &str, action: &str, differences: &[Difference]) -> Value {
    let changes = differences
        .iter()
        .map(|one| json!({"key": one.key, "before": one.before, "after": one.after}));
    json!({
        "object": format!("link/{link}"),
        "action": action,
        "changes": changes.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::alter::hidden;
    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("an object")
    }

    #[test]
    fn differences_are_told_key_by_key_without_secrets() {
        let stored = json!({"a": "1", "b": "2", "sasl.jaas.config": "x"});
        let wanted = map(json!({"a": "1", "b": "3", "sasl.jaas.config": "y", "c": "4"}));
        assert_eq!(
            lines(&differences(&stored, &wanted)),
            [
                "- b=2",
                "+ b=3",
                "+ c=4",
                "- sasl.jaas.config=[hidden] 2d711642",
                "+ sasl.jaas.config=[hidden] a1fce436"
            ]
        );
        assert_eq!(differences(&stored, &map(stored.clone())), []);
        // What was exported is what is there.
        let exported = hidden(&stored);
        assert_eq!(exported["sasl.jaas.config"], "[hidden]");
        assert_eq!(differences(&stored, &exported), []);
        assert_eq!(whole(&exported, &stored), map(stored.clone()));
        // So is what a difference shows, and nothing else that looks like it.
        let shown = map(json!({"sasl.jaas.config": "[hidden] 2d711642"}));
        assert_eq!(whole(&shown, &stored)["sasl.jaas.config"], "x");
        let shown = map(json!({"sasl.jaas.config": "[hidden] a1fce436"}));
        assert_eq!(
            whole(&shown, &stored)["sasl.jaas.config"],
            "[hidden] a1fce436"
        );
        let other = json!({"sasl.jaas.config": "[hidden]"});
        assert_eq!(differences(&json!({}), &map(other)).len(), 1);
    }

    #[test]
    fn what_is_hidden_from_this_user_too_is_no_change_and_has_no_mark_of_its_own() {
        let key = "dest.kafka.ssl.key.password";
        let hidden = json!({key: "[hidden]"});
        for same in ["[hidden]", "[hidden] 2d711642"] {
            let wanted = map(json!({key: same}));
            assert_eq!(differences(&hidden, &wanted), [], "{same}");
            assert_eq!(has_hidden(&whole(&wanted, &hidden), &hidden), Ok(true));
        }
        let wanted = map(json!({key: "y"}));
        assert_eq!(
            lines(&differences(&hidden, &wanted)),
            [
                "- dest.kafka.ssl.key.password=[hidden]",
                "+ dest.kafka.ssl.key.password=[hidden] a1fce436"
            ]
        );
        assert_eq!(has_hidden(&wanted, &hidden), Ok(false));
        // What is known here is put in its place, and what stands for nothing is told.
        let stored = json!({key: "x"});
        let wanted = map(json!({key: "[hidden] 2d711642"}));
        assert_eq!(has_hidden(&whole(&wanted, &stored), &stored), Ok(false));
        for stored in [json!({key: "y"}), json!({}), Value::Null] {
            has_hidden(&whole(&wanted, &stored), &stored).expect_err("of another one");
        }
    }
}
