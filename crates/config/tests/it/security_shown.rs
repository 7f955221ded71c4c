//! What problems show of configurations with variables: their names, never what they brought.

use config::resolve::resolve_link;

use crate::security::with_variables;
use crate::{link, no_cluster};

#[test]
fn problems_name_variables_and_not_what_they_brought() {
    let mut raw = link(
        "tasks.max=${env:PASSWORD}
         topic.regex=(${env:PASSWORD}
         topic.rename.format=${env:NOBODY}",
    );
    with_variables(&mut raw);
    let problems = resolve_link(&raw, &no_cluster()).expect_err("three faults");
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let all = texts.join("\n");
    assert_eq!(texts.len(), 3, "{all}");
    assert!(
        all.contains("tasks.max=${env:PASSWORD} (--set): it is no whole number"),
        "{all}"
    );
    assert!(
        all.contains("the variable ${env:NOBODY} cannot be replaced"),
        "{all}"
    );
    assert!(!all.contains("hunter2"), "{all}");
}

#[test]
fn problems_show_no_mark_of_what_variables_brought_into_secrets() {
    for (value, shown) in [
        ("${env:PASSWORD}", "${env:PASSWORD}"),
        ("a ${env:PASSWORD}", "[hidden]"),
    ] {
        let mut raw = link(&format!(
            "src.kafka.security.protocol=SASL_PLAINTEXT
             src.kafka.sasl.mechanism=PLAIN
             src.kafka.sasl.jaas.config={value}"
        ));
        with_variables(&mut raw);
        let problems = resolve_link(&raw, &no_cluster()).expect_err("no login module");
        let found: Vec<_> = problems.iter().map(|one| one.shown.as_deref()).collect();
        assert_eq!(found, [Some(shown)], "{problems:?}");
    }
}
