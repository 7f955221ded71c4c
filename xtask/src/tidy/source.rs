//! Rules about single Rust files.

use super::crates::PURE;
use super::{Finding, TextFile};

/// Lines a file may have before it must say why it is longer.
const LONG: usize = 600;
/// How a long file gives its reason, within its first lines.
const LONG_REASON: &str = "//! Long because ";
/// How many of the first lines are searched for the reason.
const FIRST_LINES: usize = 30;
/// How a test gives the reason for sleeping, on the line itself or in the comment above it.
const SLEEP_REASON: &str = "// sleeps because ";

/// Names that say nothing about what is inside; `mod.rs` because the door of `x/` is `x.rs`.
const EMPTY_NAMES: &[&str] = &[
    "mod", "utils", "util", "helpers", "helper", "manager", "misc",
];

/// Rooms of `replication` that do not know each other: `link` puts them together.
const ROOMS: &[&str] = &[
    "data_plane",
    "health",
    "metadata_sync",
    "offset_sync",
    "standstill",
];

/// What would be I/O or a clock inside a pure crate.
const IMPURE_PATHS: &[&str] = &[
    "std::net",
    "std::fs",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
];

/// Every file begins with `//!`: what it is for, its invariants, what is deliberately absent. Only inner attributes may
/// stand above it.
pub(super) fn module_doc(file: &TextFile) -> Option<Finding> {
    let mut inside_attribute = false;
    let first = file.text.lines().map(str::trim).find(|line| {
        let attribute = inside_attribute || line.starts_with("#![");
        inside_attribute = attribute && !line.ends_with(']');
        !attribute && !line.is_empty()
    });
    if first.is_some_and(|line| line.starts_with("//! ") && line.len() > "//! ".len()) {
        return None;
    }
    Some(Finding::of(
        &file.path,
        1,
        "does not begin with `//!` saying what the file is for",
    ))
}

/// A file over 600 lines states its reason in its first lines, as `//! Long because …`.
pub(super) fn size(file: &TextFile) -> Option<Finding> {
    let lines = file.text.lines().count();
    let reason = file
        .text
        .lines()
        .take(FIRST_LINES)
        .any(|line| line.starts_with(LONG_REASON));
    if lines <= LONG || reason {
        return None;
    }
    let complaint = format!("{lines} lines; split it, or say `{LONG_REASON}…` at its top");
    Some(Finding::of(&file.path, 0, complaint))
}

/// A file is named after what is in it; `x.rs` is the door of `x/`.
pub(super) fn file_name(file: &TextFile) -> Option<Finding> {
    let name = file.path.rsplit('/').next()?;
    let stem = name.strip_suffix(".rs")?;
    EMPTY_NAMES.contains(&stem).then(|| {
        Finding::of(
            &file.path,
            0,
            format!("the name `{stem}` does not say what is inside"),
        )
    })
}

/// The one crate with unsafe code, and the files of it.
const WITH_UNSAFE: &str = "crates/kafka-client/src/lib.rs";
const UNSAFE: [&str; 2] = [
    "crates/kafka-client/src/security/gssapi.rs",
    "crates/kafka-client/src/connection/low_water.rs",
];

/// Unsafe code is allowed in two files only: one loads the system's Kerberos library, one sets a socket option.
pub(super) fn unsafe_elsewhere(file: &TextFile) -> Option<Finding> {
    let words = [
        "expect(unsafe_code",
        "allow(unsafe_code",
        "warn(unsafe_code",
    ];
    // Attributes may be broken over lines.
    let packed: String = file.text.split_whitespace().collect();
    let allows = words
        .iter()
        .any(|word| packed.contains(&format!("[{word}")));
    (allows && !UNSAFE.contains(&file.path.as_str())).then(|| {
        Finding::of(
            &file.path,
            0,
            format!(
                "allows unsafe code, which belongs to {} alone",
                UNSAFE.join(" and ")
            ),
        )
    })
}

/// The root file of every crate and program forbids unsafe code itself, so that it also holds outside of Cargo; the one
/// with the exception denies it.
pub(super) fn unsafe_forbidden(file: &TextFile) -> Option<Finding> {
    let attribute = match file.path.as_str() {
        WITH_UNSAFE => "#![deny(unsafe_code)]",
        _ => "#![forbid(unsafe_code)]",
    };
    let roots = ["/src/lib.rs", "/src/main.rs"];
    let root = roots.iter().any(|root| file.path.ends_with(root)) || is_further_program(&file.path);
    if !root || file.text.lines().any(|line| line.trim() == attribute) {
        return None;
    }
    Some(Finding::of(&file.path, 0, format!("lacks `{attribute}`")))
}

/// `src/bin/x.rs` or `src/bin/x/main.rs`.
fn is_further_program(path: &str) -> bool {
    path.split_once("/src/bin/")
        .is_some_and(|(_, rest)| !rest.contains('/') || rest.ends_with("/main.rs"))
}

/// A pure crate's own code (not its tests) names no socket, file, thread or clock.
pub(super) fn no_io_in_pure_crates(file: &TextFile) -> Vec<Finding> {
    let pure = PURE
        .iter()
        .any(|name| file.path.starts_with(&format!("crates/{name}/src/")));
    if !pure || file.path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let own_code = file
        .text
        .lines()
        .take_while(|line| line.trim() != "#[cfg(test)]");
    let mut findings = Vec::new();
    for (index, line) in own_code.enumerate() {
        let code = without_comment(line);
        if let Some(path) = IMPURE_PATHS.iter().find(|path| code.contains(**path)) {
            let complaint = format!("`{path}` in a crate that does no I/O and asks no clock");
            findings.push(Finding::of(&file.path, index + 1, complaint));
        }
    }
    findings
}

/// The rooms of `replication` do not name each other; comments may.
pub(super) fn separate_rooms(file: &TextFile) -> Vec<Finding> {
    let Some(inside) = file.path.strip_prefix("crates/replication/src/") else {
        return Vec::new();
    };
    let own = inside.split(['/', '.']).next().unwrap_or_default();
    if !ROOMS.contains(&own) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let code = without_comment(line);
        for room in ROOMS.iter().filter(|room| **room != own) {
            if words(code).any(|word| word == *room) {
                let complaint = format!("the room `{own}` names the room `{room}`");
                findings.push(Finding::of(&file.path, index + 1, complaint));
            }
        }
    }
    findings
}

/// Tests wait for a condition, not for a time. One that must let time pass says `// sleeps because …`.
pub(super) fn waiting_in_tests(file: &TextFile) -> Vec<Finding> {
    if !is_test_file(file) {
        return Vec::new();
    }
    let lines: Vec<&str> = file.text.lines().collect();
    let mut findings = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let code = without_comment(line);
        let sleeps = code.contains("thread::sleep(") || code.contains("time::sleep(");
        let reason = |line: &&str| line.contains(SLEEP_REASON);
        let above = lines[..index]
            .iter()
            .rev()
            .take_while(|line| line.trim().starts_with("//"));
        if sleeps && !reason(line) && !above.into_iter().any(reason) {
            let complaint =
                format!("a test that sleeps; wait for a condition, or say `{SLEEP_REASON}…`");
            findings.push(Finding::of(&file.path, index + 1, complaint));
        }
    }
    findings
}

/// A test that cannot run fails; it is never switched off.
pub(super) fn skipped_tests(file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        if line.trim().starts_with("#[ignore") {
            findings.push(Finding::of(
                &file.path,
                index + 1,
                "a test that is switched off",
            ));
        }
    }
    findings
}

fn is_test_file(file: &TextFile) -> bool {
    file.path.contains("/tests/") || file.path.ends_with("/tests.rs")
}

/// The line up to `//`. A string with `//` inside is cut too, which costs a finding at worst and never invents one.
fn without_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}
