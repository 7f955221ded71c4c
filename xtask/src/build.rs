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
    programs(root, &all, &[])?
        .into_iter()
        .find_map(|(built, program)| (built == name).then_some(program))
        .ok_or_else(|| Failure::new(format!("cargo built {name} but did not say where")))
}

/// Runs `cargo` with the arguments of a build; names and places of the programs it reports. Variables without a value are
/// taken out of its environment.
pub(crate) fn programs(
    root: &Path,
    arguments: &[&str],
    environment: &[(&str, Option<&str>)],
) -> Result<Vec<(String, PathBuf)>> {
    let mut cargo = Command::new("cargo");
    for (name, value) in environment {
        match value {
            Some(value) => cargo.env(name, value),
            None => cargo.env_remove(name),
        };
    }
    let built = cargo
        .args(arguments)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .attempting("start cargo")?;
    if !built.status.success() {
        return Err(Failure::new(format!(
            "`cargo {}` ended with {}",
            arguments.join(" "),
            built.status
        )));
    }
    let text = String::from_utf8_lossy(&built.stdout);
    let messages = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let programs = messages.filter_map(|message| {
        let executable = message["executable"].as_str()?;
        let name = message["target"]["name"].as_str()?;
        Some((name.to_owned(), PathBuf::from(executable)))
    });
    Ok(programs.collect())
}
