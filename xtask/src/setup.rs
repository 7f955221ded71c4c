//! The set-up check: what the commands need beyond Rust, looked for before anything is started.
//!
//! ```text
//! probe (runs each tool for its real version) → missing → Debian and root? install with apt-get, probe again
//!                                                       → otherwise stop with the exact commands to type
//! ```
//! Nothing is skipped in silence: a tool that is missing or too old either arrives or ends the command. What to say and
//! what to install is decided by pure functions in `remedy`; this file runs the tools.

mod remedy;
mod tool;

use std::path::Path;
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::output;
use remedy::{Host, Shortfall};
use tool::Found;
pub(crate) use tool::Tool;

/// What `cargo xtask test` needs.
pub(crate) const FOR_TESTS: &[Tool] = &[
    Tool::Java,
    Tool::Maven,
    Tool::Make,
    Tool::CCompiler,
    Tool::CppCompiler,
    Tool::KerberosCenter,
    Tool::KerberosAdministration,
    Tool::KerberosTools,
    Tool::Python,
    Tool::Npm,
    Tool::Curl,
    Tool::Promtool,
    Tool::Zsh,
    Tool::Fish,
];

/// What `cargo xtask clients` needs.
pub(crate) const FOR_CLIENTS: &[Tool] = &[Tool::Python, Tool::Npm];

/// What `cargo xtask bench` needs.
pub(crate) const FOR_BENCH: &[Tool] = &[
    Tool::Java,
    Tool::Maven,
    Tool::Make,
    Tool::CCompiler,
    Tool::CppCompiler,
];

/// What `cargo xtask demo` needs: also npm, for the data set.
pub(crate) const FOR_DEMO: &[Tool] = &[
    Tool::Java,
    Tool::Maven,
    Tool::Make,
    Tool::CCompiler,
    Tool::CppCompiler,
    Tool::Npm,
];

/// What `cargo xtask kafka` needs.
pub(crate) const FOR_KAFKA: &[Tool] = &[Tool::Java, Tool::Maven];

/// Makes sure that every tool is there in a version that will do, installing on Debian as root.
pub(crate) fn ensure(tools: &[Tool]) -> Result<()> {
    let missing = probe_all(tools);
    if missing.is_empty() {
        return Ok(());
    }
    for shortfall in &missing {
        output::line(format!("   missing: {shortfall}"));
    }
    let host = host();
    if host != Host::DebianRoot {
        return Err(Failure::new(remedy::instructions(host, &missing)));
    }
    install(&remedy::debian_packages(&missing))?;
    let still = probe_all(tools);
    if still.is_empty() {
        return Ok(());
    }
    // Debian's default JDK may be older than 17; a newer one then has a package of its own.
    install(&remedy::debian_fallback(&still))?;
    let still = probe_all(tools);
    if still.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(remedy::instructions(host, &still)))
    }
}

fn probe_all(tools: &[Tool]) -> Vec<Shortfall> {
    let mut missing = Vec::new();
    for &tool in tools {
        match remedy::assess(tool, &tool.probe()) {
            Ok(version) => output::line(format!("   found: {tool} {version}")),
            Err(shortfall) => missing.push(shortfall),
        }
    }
    missing
}

fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    output::line(format!(
        "   installing with apt-get: {}",
        packages.join(" ")
    ));
    run_apt(&["update"])?;
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend_from_slice(packages);
    run_apt(&arguments)
}

fn run_apt(arguments: &[&str]) -> Result<()> {
    let status = Command::new("apt-get")
        .arg("--quiet")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(format!(
            "apt-get {} ended with {status}",
            arguments[0]
        ))),
        Err(error) => Err(Failure::new(format!(
            "apt-get could not be started: {error}"
        ))),
    }
}

fn host() -> Host {
    if cfg!(target_os = "macos") {
        return Host::MacOs;
    }
    let apt = Path::new("/etc/debian_version").exists() && Path::new("/usr/bin/apt-get").exists();
    if apt {
        return if is_root() {
            Host::DebianRoot
        } else {
            Host::Debian
        };
    }
    if Path::new("/etc/fedora-release").exists() || Path::new("/etc/redhat-release").exists() {
        return Host::Fedora;
    }
    Host::Other
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
