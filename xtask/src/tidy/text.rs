//! Rules about any text: Rust, Markdown, manifests.

use super::{Finding, TextFile};

/// Beginnings of absolute paths that only exist on somebody's machine. Put together here, so that this file passes.
const MACHINE_PATHS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
];

/// Marks of something begun and left.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("db", "g!("),
    concat!("unimple", "mented!("),
];

/// No path of one machine: what works only there does not work.
pub(super) fn machine_paths(file: &TextFile) -> Vec<Finding> {
    occurrences(file, MACHINE_PATHS, |found| {
        format!("`{found}` is a path of one machine")
    })
}

/// What is not done is written down where work is planned, not in the code.
pub(super) fn unfinished(file: &TextFile) -> Vec<Finding> {
    occurrences(file, UNFINISHED, |found| {
        format!("`{found}` marks something unfinished")
    })
}

fn occurrences(file: &TextFile, needles: &[&str], say: impl Fn(&str) -> String) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for needle in needles.iter().filter(|needle| line.contains(**needle)) {
            findings.push(Finding::of(&file.path, index + 1, say(needle)));
        }
    }
    findings
}
