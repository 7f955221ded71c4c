#![expect(
    clippy::disallowed_methods,
    reason = "tests have no composition root that could pass the environment in; this module is the only reader"
)]
//! The few things tests take from the environment, read in this file only.
//!
//! Everything is looked up at run time. A path fixed at compile time would point into another checkout when the build
//! directory is shared.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Set to anything but `0` or the empty text to keep directories of brokers after the test.
const KEEP: &str = "TRIBUTARY_TEST_KEEP";

/// How many topics tests with many topics make.
const TOPICS: &str = "TRIBUTARY_TEST_TOPICS";

/// How many minutes tests of random kills run.
const MINUTES: &str = "TRIBUTARY_TEST_MINUTES";

/// How many minutes were asked for, if any number was.
pub(crate) fn minutes() -> Option<u64> {
    std::env::var(MINUTES).ok()?.parse().ok()
}

/// How many links tests with many links make.
const LINKS: &str = "TRIBUTARY_TEST_LINKS";

/// How many partitions tests with many partitions make.
const PARTITIONS: &str = "TRIBUTARY_TEST_PARTITIONS";

/// For how many seconds tests go on that have no end of their own.
const SECONDS: &str = "TRIBUTARY_TEST_SECONDS";

/// How many topics were asked for, if any number was.
pub(crate) fn topics() -> Option<usize> {
    number(TOPICS)
}

/// How many links were asked for, if any number was.
pub(crate) fn links() -> Option<usize> {
    number(LINKS)
}

/// How many partitions were asked for, if any number was.
pub(crate) fn partitions() -> Option<usize> {
    number(PARTITIONS)
}

/// How many seconds were asked for, if any number was.
pub(crate) fn seconds() -> Option<usize> {
    number(SECONDS)
}

/// How many mutated answers a client is given.
const ANSWERS: &str = "TRIBUTARY_TEST_ANSWERS";

/// How many answers were asked for, if any number was.
pub(crate) fn answers() -> Option<usize> {
    number(ANSWERS)
}

/// The version of Kafka for tests that disturb their clusters.
const VERSION: &str = "TRIBUTARY_TEST_VERSION";

/// The version that was asked for, if any was.
pub(crate) fn version() -> Option<String> {
    std::env::var(VERSION).ok()
}

/// The program to test in place of the one that Cargo has built with the tests, from the workspace's root.
const PROGRAM: &str = "TRIBUTARY_TEST_PROGRAM";

/// The program that is to be tested, if one was named.
pub(crate) fn tested_program() -> Option<PathBuf> {
    let path = std::env::var_os(PROGRAM).filter(|path| !path.is_empty())?;
    Some(workspace_root()?.join(path))
}

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

/// Whether data and logs of processes stay on disk after their owner is gone.
pub(crate) fn keep_directories() -> bool {
    std::env::var_os(KEEP).is_some_and(|value| !value.is_empty() && value != "0")
}

/// The workspace's root: the outermost directory above the current package that has a `Cargo.toml` with `[workspace]`.
pub(crate) fn workspace_root() -> Option<PathBuf> {
    let start = std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .or_else(|| std::env::current_dir().ok())?;
    start
        .ancestors()
        .filter(|directory| declares_workspace(directory))
        .last()
        .map(Path::to_path_buf)
}

fn declares_workspace(directory: &Path) -> bool {
    std::fs::read_to_string(directory.join("Cargo.toml"))
        .is_ok_and(|manifest| manifest.lines().any(|line| line.trim() == "[workspace]"))
}

/// Cargo's build directory, where jars are kept: `CARGO_TARGET_DIR`, or `target` in the workspace's root.
pub(crate) fn build_directory() -> Option<PathBuf> {
    let root = workspace_root();
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) if !directory.is_empty() => {
            let directory = PathBuf::from(directory);
            if directory.is_absolute() {
                Some(directory)
            } else {
                Some(root?.join(directory))
            }
        }
        _ => Some(root?.join("target")),
    }
}

/// The `java` program: `JAVA_HOME/bin/java` if that exists, else the first on `PATH`.
pub(crate) fn java() -> Option<PathBuf> {
    std::env::var_os("JAVA_HOME")
        .map(|home| PathBuf::from(home).join("bin").join("java"))
        .filter(|path| path.is_file())
        .or_else(|| program("java"))
}

/// The first program of that name on `PATH`.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path: OsString = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}
