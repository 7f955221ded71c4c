//! Rules about crates: who may depend on whom, and which crates stay free of I/O.

use super::{Finding, Tree};

/// Layer of each crate; a crate depends only on crates of lower layers. The table of ARCHITECTURE.md.
const LAYERS: &[(&str, u8)] = &[
    ("lifecycle", 1),
    ("metrics", 1),
    ("kafka-wire", 1),
    ("config", 1),
    ("explain", 1),
    ("kafka-client", 2),
    ("test-support", 2),
    ("replication", 3),
    ("worker-group", 3),
    ("rest-api", 4),
    ("tributary", 5),
];

/// Crates that do no I/O and ask no clock.
pub(super) const PURE: &[&str] = &["kafka-wire", "config", "explain", "metrics"];

/// What a pure crate cannot need.
const IMPURE_DEPENDENCIES: &[&str] = &[
    "tokio",
    "mio",
    "axum",
    "hyper",
    "rustls",
    "tokio-rustls",
    "socket2",
    "reqwest",
];

/// The developer commands stand beside the layers and see only the test support.
const OUTSIDE: &str = "xtask";

fn layer(name: &str) -> Option<u8> {
    LAYERS
        .iter()
        .find(|(crate_name, _)| *crate_name == name)
        .map(|(_, layer)| *layer)
}

/// Crates depend downward. Dev-dependencies do too, except on `test-support`, which every crate above layer 1 may use
/// in its tests; nothing but xtask may depend on it outside of tests, or it would enter the binary.
pub(super) fn layers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in &tree.crates {
        let name = manifest.name.as_str();
        let mut complain = |complaint: String| {
            findings.push(Finding::of(name, 0, complaint));
        };
        if name == OUTSIDE {
            for used in manifest
                .dependencies
                .iter()
                .filter(|used| layer(used).is_some())
            {
                if used != "test-support" {
                    complain(format!(
                        "xtask drives the program from outside, so it may not use {used}"
                    ));
                }
            }
            continue;
        }
        let Some(own) = layer(name) else {
            complain("has no layer: add it to the table in xtask/src/tidy/crates.rs".to_owned());
            continue;
        };
        for used in &manifest.dependencies {
            if used == "test-support" {
                complain("test-support is for dev-dependencies only".to_owned());
            } else if let Some(other) = layer(used).filter(|other| *other >= own) {
                complain(format!(
                    "layer {own} depends on {used} of layer {other}; only downward"
                ));
            }
        }
        for used in &manifest.dev_dependencies {
            let Some(other) = layer(used) else { continue };
            let free = used == "test-support" && own > 1;
            if other >= own && !free {
                complain(format!(
                    "tests of layer {own} depend on {used} of layer {other}"
                ));
            }
        }
    }
    findings
}

/// `kafka-wire` and `config` are functions of their arguments: no runtime, no sockets, no TLS among their dependencies.
pub(super) fn pure_crates(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for manifest in tree
        .crates
        .iter()
        .filter(|manifest| PURE.contains(&manifest.name.as_str()))
    {
        for used in &manifest.dependencies {
            if IMPURE_DEPENDENCIES.contains(&used.as_str()) {
                let complaint = format!("does no I/O, so it may not depend on {used}");
                findings.push(Finding::of(&manifest.name, 0, complaint));
            }
        }
    }
    findings
}
