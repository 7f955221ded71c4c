//! What a request makes of a stored configuration, key by key, for the list of activity. Pure.
//!
//! Of secrets a mark is told: that one was changed, and not from what to what. Deliberately absent: the rest of a
//! configuration of thousands of keys or of long values, since a thousand entries are kept in memory.

use config::key::shown_in_changes;
use serde_json::{Value, json};
use worker_group::{Config, GivenConfig};

use crate::endpoint::unmask;

/// Keys that are told.
const KEYS: usize = 50;
/// Characters of a value that are told.
const LONG: usize = 400;

/// How the stored configuration differs from what is given: the whole of the new one, or keys that replace some of it.
/// `null` where nothing differs, or where what is given does not hold.
pub(crate) fn between(stored: &Config, mut given: GivenConfig, is_whole: bool) -> Value {
    if unmask(&mut given, stored).is_err() {
        return Value::Null;
    }
    let mut keys: Vec<&String> = given.keys().collect();
    if is_whole {
        keys.extend(stored.keys().filter(|key| !given.contains_key(*key)));
    }
    keys.sort_unstable();
    let changed = keys.into_iter().filter_map(|key| {
        let before = stored.get(key);
        let after = given.get(key).and_then(Option::as_ref);
        // Connect writes it in by itself.
        let differs = before != after && key != "name";
        differs.then(|| {
            let shown = |value: Option<&String>| value.map(|value| told(key, value));
            json!({"key": key, "before": shown(before), "after": shown(after)})
        })
    });
    let rows: Vec<Value> = changed.take(KEYS).collect();
    if rows.is_empty() {
        return Value::Null;
    }
    Value::Array(rows)
}

fn told(key: &str, value: &str) -> String {
    let shown = shown_in_changes(key, value);
    match shown.char_indices().nth(LONG) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Config {
        let keys = [
            ("name", "n"),
            ("tasks.max", "2"),
            ("topic.regex", "a.*"),
            ("src.kafka.ssl.key.password", "hunter2"),
        ];
        let keys = keys.iter();
        keys.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn given(keys: &[(&str, Option<&str>)]) -> GivenConfig {
        let keys = keys.iter();
        keys.map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)))
            .collect()
    }

    #[test]
    fn a_whole_configuration_leaves_out_what_it_does_not_name() {
        let new = given(&[
            ("tasks.max", Some("4")),
            ("src.kafka.ssl.key.password", Some("[hidden]")),
        ]);
        assert_eq!(
            between(&stored(), new, true),
            json!([
                {"key": "tasks.max", "before": "2", "after": "4"},
                {"key": "topic.regex", "before": "a.*", "after": null},
            ])
        );
    }

    #[test]
    fn some_keys_change_only_themselves() {
        let patch = given(&[
            ("tasks.max", Some("2")),
            ("topic.regex", None),
            ("x", Some("1")),
        ]);
        assert_eq!(
            between(&stored(), patch, false),
            json!([
                {"key": "topic.regex", "before": "a.*", "after": null},
                {"key": "x", "before": null, "after": "1"},
            ])
        );
    }

    #[test]
    fn that_a_secret_was_changed_is_told_and_not_from_what_to_what() {
        let patch = given(&[("src.kafka.ssl.key.password", Some("hunter3"))]);
        let told = between(&stored(), patch, false);
        assert_eq!(told[0]["key"], "src.kafka.ssl.key.password");
        assert!(!told.to_string().contains("hunter"), "{told}");
        assert_eq!(told[0]["before"], "[hidden] f52fbd32");
        // What was told of the stored one, written back, is no change; what was told of another one does not hold.
        for shown in ["[hidden] f52fbd32", "[hidden] fb8c2e2b"] {
            let back = given(&[("src.kafka.ssl.key.password", Some(shown))]);
            assert_eq!(between(&stored(), back, false), Value::Null);
        }
        let back = given(&[("src.kafka.ssl.key.password", Some("[hidden] fb8c2e2b"))]);
        unmask(&mut back.clone(), &stored()).expect_err("of another one");
        assert_eq!(told[0]["after"], "[hidden] fb8c2e2b");
    }

    #[test]
    fn long_values_are_cut_and_nothing_is_told_where_nothing_differs() {
        let patch = given(&[("topic.regex", Some(&"é".repeat(1000)))]);
        let told = between(&stored(), patch, false);
        assert_eq!(
            told[0]["after"].as_str().map(|text| text.chars().count()),
            Some(LONG + 1)
        );
        assert_eq!(
            between(&stored(), given(&[("tasks.max", Some("2"))]), false),
            Value::Null
        );
    }
}
