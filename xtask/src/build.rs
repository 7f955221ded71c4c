//! Builds the programs that the commands start, and says where Cargo put them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::{Attempt as _, Failure, Result};
use crate::output;

/// How a program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Debug,
    Release,
}

/// Builds `tributary`.
pub(crate) fn tributary(root: &Path, profile: Profile) -> Result<PathBuf> {
    program(
        root,
        profile,
        &["--package", "tributary", "--bin", "tributary"],
        "tributary",
    )
}

/// Runs `cargo build` with these arguments and returns where the program of that name is, as Cargo reports it: a build
/// directory elsewhere or a default target then make no difference.
pub(crate) fn program(
    root: &Path,
    profile: Profile,
    arguments: &[&str],
    name: &str,
) -> Result<PathBuf> {
    let mut all = vec!["build", "--locked"];
    if profile == Profile::Release {
        all.push("--release");
    }
    all.extend_from_slice(arguments);
    output::line(format!("   cargo {}", all.join(" ")));
    let built = Command::new("cargo")
        .args(&all)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .attempting("start cargo")?;
    if !built.status.success() {
        return Err(Failure::new(format!(
            "`cargo {}` ended with {}",
            all.join(" "),
            built.status
        )));
    }
    String::from_utf8_lossy(&built.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == name)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .ok_or_else(|| Failure::new(format!("cargo built {name} but did not say where")))
}
