//! One planted fault per rule, and the same tree without it: each rule is seen to find and seen to be quiet.

use super::*;

fn file(path: &str, text: &str) -> TextFile {
    TextFile {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

fn manifest(name: &str, dependencies: &[&str], dev_dependencies: &[&str]) -> CrateManifest {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    CrateManifest {
        name: name.to_owned(),
        dependencies: owned(dependencies),
        dev_dependencies: owned(dev_dependencies),
    }
}

/// A small tree in which nothing is wrong.
fn clean() -> Tree {
    Tree {
        crates: vec![
            manifest("kafka-wire", &["bytes"], &["proptest"]),
            manifest("kafka-client", &["kafka-wire", "tokio"], &["test-support"]),
            manifest(
                "replication",
                &["kafka-client", "config"],
                &["test-support"],
            ),
            manifest("xtask", &["test-support", "clap"], &[]),
        ],
        files: vec![
            file(
                "crates/kafka-wire/src/lib.rs",
                "#![forbid(unsafe_code)]\n//! Bytes in, values out.\n",
            ),
            file(
                "crates/replication/src/data_plane.rs",
                "//! Moves batches.\nmod sender;\n",
            ),
            file("crates/tributary/tests/it/copy.rs", "//! Copies.\n"),
            file("README.md", "# Tributary\n"),
        ],
    }
}

/// Adds a fault to the clean tree and expects exactly one finding, at `place`, whose text contains `complaint`.
#[track_caller]
fn check_fault(plant: impl FnOnce(&mut Tree), place: &str, complaint: &str) {
    let mut tree = clean();
    plant(&mut tree);
    let findings = check(&tree);
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].place, place);
    assert!(findings[0].complaint.contains(complaint), "{}", findings[0]);
}

/// Adds a file and expects exactly one finding in it.
#[track_caller]
fn check_file(path: &str, text: &str, complaint: &str) {
    check_fault(|tree| tree.files.push(file(path, text)), path, complaint);
}

/// Adds a file and expects no finding.
#[track_caller]
fn check_passes(path: &str, text: &str) {
    let mut tree = clean();
    tree.files.push(file(path, text));
    assert_eq!(check(&tree), Vec::new());
}

#[test]
fn a_clean_tree_has_no_findings() {
    assert_eq!(check(&clean()), Vec::new());
}

#[test]
fn a_file_without_module_doc_is_found() {
    check_file(
        "crates/config/src/key.rs",
        "use std::fmt;\n",
        "does not begin with",
    );
    check_file(
        "crates/config/src/key.rs",
        "//!\nuse std::fmt;\n",
        "does not begin with",
    );
    check_file("crates/config/src/key.rs", "", "does not begin with");
    let expecting = "#![expect(\n    lint,\n    reason = \"why\"\n)]\n";
    check_passes(
        "crates/config/src/key.rs",
        &format!("{expecting}//! Keys.\n"),
    );
    let text = format!("{expecting}use std::fmt;\n");
    check_file("crates/config/src/key.rs", &text, "does not begin with");
}

#[test]
fn a_long_file_needs_a_reason() {
    let body = "// line\n".repeat(601);
    check_file(
        "crates/config/src/keys.rs",
        &format!("//! Keys.\n{body}"),
        "602 lines",
    );
    let reason = format!("//! Keys.\n//! Long because it is one table.\n{body}");
    check_passes("crates/config/src/keys.rs", &reason);
}

#[test]
fn a_name_that_says_nothing_is_found() {
    check_file(
        "crates/config/src/utils.rs",
        "//! Things.\n",
        "does not say what is inside",
    );
    check_file(
        "crates/config/src/key/mod.rs",
        "//! Keys.\n",
        "does not say what is inside",
    );
}

#[test]
fn a_crate_root_must_forbid_unsafe_code() {
    check_file(
        "crates/config/src/lib.rs",
        "//! Settings.\n",
        "forbid(unsafe_code)",
    );
    check_file(
        "xtask/src/bin/judge/main.rs",
        "//! Judge.\n",
        "forbid(unsafe_code)",
    );
}

#[test]
fn unsafe_code_belongs_to_two_files() {
    check_file(
        "crates/kafka-client/src/lib.rs",
        "//! Connections.\n",
        "deny(unsafe_code)",
    );
    let text = "//! Lanes.\n#![expect(\n    unsafe_code,\n    reason = \"speed\"\n)]\n";
    check_file(
        "crates/kafka-client/src/lane.rs",
        text,
        "allows unsafe code",
    );
    check_passes("crates/kafka-client/src/security/gssapi.rs", text);
    check_passes("crates/kafka-client/src/connection/low_water.rs", text);
}

#[test]
fn a_clock_in_a_pure_crate_is_found() {
    let text = "//! Batches.\nlet now = std::time::SystemTime::now();\n";
    check_file("crates/kafka-wire/src/batch.rs", text, "asks no clock");
    let tested = "//! Batches.\n#[cfg(test)]\nmod tests { use std::fs; }\n";
    check_passes("crates/kafka-wire/src/batch.rs", tested);
}

#[test]
fn a_room_that_names_another_room_is_found() {
    let text = "//! Plans.\nuse crate::data_plane::Progress;\n";
    check_file(
        "crates/replication/src/metadata_sync/plan.rs",
        text,
        "names the room `data_plane`",
    );
    check_passes(
        "crates/replication/src/metadata_sync/plan.rs",
        "//! Plans.\n// like data_plane\n",
    );
    check_passes(
        "crates/replication/src/link.rs",
        "//! Joins.\nuse crate::data_plane::Progress;\n",
    );
}

#[test]
fn a_test_that_sleeps_needs_a_reason() {
    let sleeping = "//! Copies.\ntokio::time::sleep(SECOND).await;\n";
    check_file(
        "crates/tributary/tests/it/slow.rs",
        sleeping,
        "a test that sleeps",
    );
    check_file(
        "crates/lifecycle/src/tests.rs",
        "//! T.\nstd::thread::sleep(S);\n",
        "that sleeps",
    );
    let reason = "//! Copies.\n// sleeps because the broker's clock must pass a second,\n\
                  // and it cannot be asked for its time\ntokio::time::sleep(SECOND).await;\n";
    check_passes("crates/tributary/tests/it/slow.rs", reason);
    check_passes("crates/lifecycle/src/backoff.rs", sleeping);
}

#[test]
fn a_test_that_is_switched_off_is_found() {
    let text = "//! Copies.\n#[ignore = \"needs Kafka\"]\nfn copies() {}\n";
    check_file("crates/tributary/tests/it/off.rs", text, "switched off");
}

#[test]
fn a_path_of_one_machine_is_found() {
    let text = format!("Look in {}tributary.\n", concat!("/ho", "me/"));
    check_file("docs/notes.md", &text, "path of one machine");
}

#[test]
fn unfinished_work_is_found() {
    let text = format!("//! Key.\n// {}: later\n", concat!("TO", "DO"));
    check_file("crates/config/src/key.rs", &text, "unfinished");
}

#[test]
fn a_dependency_upward_is_found() {
    let plant = |tree: &mut Tree| tree.crates[1].dependencies.push("replication".to_owned());
    check_fault(plant, "kafka-client", "only downward");
    let plant = |tree: &mut Tree| {
        tree.crates[0]
            .dev_dependencies
            .push("test-support".to_owned())
    };
    check_fault(plant, "kafka-wire", "tests of layer 1");
}

#[test]
fn what_supports_tests_may_not_enter_the_binary() {
    let plant = |tree: &mut Tree| tree.crates[2].dependencies.push("test-support".to_owned());
    check_fault(plant, "replication", "dev-dependencies only");
}

#[test]
fn a_crate_without_a_layer_is_found() {
    check_fault(
        |tree| tree.crates.push(manifest("extra", &[], &[])),
        "extra",
        "has no layer",
    );
}

#[test]
fn the_developer_commands_use_only_the_test_support() {
    let plant = |tree: &mut Tree| tree.crates[3].dependencies.push("replication".to_owned());
    check_fault(plant, "xtask", "from outside");
}

#[test]
fn a_runtime_in_a_pure_crate_is_found() {
    let plant = |tree: &mut Tree| tree.crates[0].dependencies.push("tokio".to_owned());
    check_fault(plant, "kafka-wire", "does no I/O");
}
