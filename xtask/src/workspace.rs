//! Where the workspace is, and what Cargo knows about its crates.
//!
//! The root is asked of Cargo at run time. A path fixed at compile time would make a program that was built in one
//! checkout inspect that checkout for ever, wherever it is started.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Attempt as _, Failure, Result};

/// The directory that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> Result<PathBuf> {
    let manifest = captured(Command::new("cargo").args([
        "locate-project",
        "--workspace",
        "--message-format",
        "plain",
    ]))?;
    Path::new(manifest.trim())
        .parent()
        .map(Path::to_owned)
        .ok_or_else(|| Failure::new("cargo named no workspace; run this inside the checkout"))
}

/// `cargo metadata` of the workspace at `root`, without its dependencies.
pub(crate) fn metadata(root: &Path) -> Result<serde_json::Value> {
    let text = captured(
        Command::new("cargo")
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(root),
    )?;
    serde_json::from_str(&text).attempting("read what cargo metadata printed")
}

/// Runs a command to its end and returns its standard output; a command that fails is an error with its standard error.
pub(crate) fn captured(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().attempting(format!("run {program}"))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::new(format!(
            "{program} ended with {}: {complaint}",
            output.status
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
