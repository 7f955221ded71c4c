//! What clients of `validate` rely on.

use config::worker::{OffsetStorage, WorkerConfig};

use super::*;
use crate::plugin::{PLUGINS, find};

fn judged(class: &str, entries: &[(&str, Option<&str>)]) -> ConfigInfos {
    let plugin = find(class).expect("a known class");
    let mut given: GivenConfig = entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)))
        .collect();
    given.insert("connector.class".into(), Some(class.to_owned()));
    let worker = WorkerConfig::new(OffsetStorage::File("x".into()));
    validate(plugin, &given, &worker, None)
}

fn errors_of<'a>(infos: &'a ConfigInfos, key: &str) -> &'a [String] {
    let found = infos.configs.iter().find(|info| info.value.name == key);
    found.map_or(&[], |info| info.value.errors.as_slice())
}

#[test]
fn every_key_that_is_shown_has_a_definition_with_group_and_order() {
    for plugin in PLUGINS {
        let infos = judged(plugin.class, &[("topics", Some("a")), ("odd.key", None)]);
        for info in &infos.configs {
            assert!(!info.definition.group.is_empty());
            assert!(infos.groups.contains(&info.definition.group));
            assert_eq!(info.definition.name, info.value.name);
        }
        assert_eq!(errors_of(&infos, "odd.key"), [NULL]);
        let count: usize = infos
            .configs
            .iter()
            .map(|info| info.value.errors.len())
            .sum();
        assert_eq!(infos.error_count, count);
        let mut names: Vec<_> = infos.configs.iter().map(|info| &info.value.name).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all, "each key once");
    }
}

#[test]
fn errors_are_connects_word_for_word() {
    let infos = judged(
        "MirrorSourceConnector",
        &[
            ("name", Some("")),
            ("tasks.max", Some("0")),
            ("errors.tolerance", Some("some")),
            ("errors.log.enable", Some("perhaps")),
            ("replication.factor", Some("two")),
            ("transforms", Some("a, a")),
            ("exactly.once.support", Some("required")),
        ],
    );
    let check = |key: &str, expected: &str| assert_eq!(errors_of(&infos, key), [expected], "{key}");
    check(
        "name",
        "Invalid value  for configuration name: String may not be empty",
    );
    check(
        "tasks.max",
        "Invalid value 0 for configuration tasks.max: Value must be at least 1",
    );
    check(
        "errors.tolerance",
        "Invalid value some for configuration errors.tolerance: String must be one of: none, all",
    );
    check(
        "replication.factor",
        "Invalid value two for configuration replication.factor: Not a number of type SHORT",
    );
    check(
        "transforms",
        "Invalid value [a, a] for configuration transforms: Duplicate alias provided.",
    );
    check(
        "exactly.once.support",
        "This worker does not have exactly-once source support enabled.",
    );
    check(
        "source.cluster.bootstrap.servers",
        "Missing required configuration \"source.cluster.bootstrap.servers\" which has no default value.",
    );
    assert!(errors_of(&infos, "connector.class").is_empty());
}

#[test]
fn secrets_are_hidden_and_unknown_keys_are_left_out() {
    let infos = judged(
        "ReplicatorSource",
        &[
            (
                "src.kafka.sasl.jaas.config",
                Some("x.Y required password=\"p\";"),
            ),
            ("what.is.this", Some("1")),
        ],
    );
    let text = serde_json::to_string(&infos).expect("JSON");
    assert!(!text.contains("password=\\\"p"), "{text}");
    assert!(!text.contains("what.is.this"));
    assert_eq!(infos.name, "ReplicatorSource");
}

#[test]
fn a_name_that_workers_could_not_tell_each_other_is_refused_and_not_repeated() {
    let check = |length: usize, refused: bool| {
        let name = "n".repeat(length);
        let infos = judged("MirrorSourceConnector", &[("name", Some(&name))]);
        let errors = errors_of(&infos, "name");
        assert_eq!(errors.len(), usize::from(refused), "{length}");
        assert!(errors.iter().all(|error| error.len() < 300), "{errors:?}");
    };
    check(8_000, false);
    check(8_001, true);
    check(40_000, true);
}
