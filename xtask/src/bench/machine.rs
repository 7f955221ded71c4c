//! The machine that measures: its description for the report, pinning, and processor time that went elsewhere.

use std::path::Path;
use std::process::{Command, Stdio};

use test_support::kafka_jars::KafkaJars;

use super::Layout;
use crate::failure::{Attempt as _, Failure, Result};
use crate::workspace::captured;

/// Keeps all threads of a process, and what they start, on one core.
pub(super) fn pin(pid: u32, core: u32) -> Result<()> {
    let status = Command::new("taskset")
        .args([
            "--all-tasks",
            "--cpu-list",
            "--pid",
            &core.to_string(),
            &pid.to_string(),
        ])
        .stdout(Stdio::null())
        .status()
        .attempting("start taskset (package util-linux); `--layout free` does without")?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "taskset could not pin to core {core}; `--layout free` does without"
    )))
}

/// Processor time of the whole machine since boot, over all cores, in hundredths of a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ticks {
    pub(super) all: u64,
    /// Spent on anything at all.
    pub(super) busy: u64,
    /// Given to other machines by the host.
    pub(super) stolen: u64,
}

/// From the first line of `/proc/stat`.
pub(super) fn ticks() -> Ticks {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    ticks_of(text.lines().next().unwrap_or_default())
}

/// user nice system idle iowait irq softirq steal; guest time is contained in user.
fn ticks_of(line: &str) -> Ticks {
    let ticks: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .take(8)
        .map(|text| text.parse().unwrap_or(0))
        .collect();
    let column = |index: usize| ticks.get(index).copied().unwrap_or(0);
    let (idle, stolen) = (column(3) + column(4), column(7));
    let all: u64 = ticks.iter().sum();
    Ticks {
        all,
        busy: all - idle - stolen,
        stolen,
    }
}

/// The rows of the report's table about machine, versions and layout.
pub(super) fn describe(
    root: &Path,
    jars: &KafkaJars,
    layout: Layout,
) -> Result<Vec<(String, String)>> {
    let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let java = Command::new(jars.java())
        .arg("-version")
        .output()
        .attempting("ask Java")?;
    let java = String::from_utf8_lossy(&java.stderr)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    let git = |arguments: &[&str]| {
        captured(Command::new("git").args(arguments).current_dir(root)).unwrap_or_default()
    };
    let changed = if git(&["status", "--porcelain", "--untracked-files=no"])
        .trim()
        .is_empty()
    {
        ""
    } else {
        " with uncommitted changes"
    };
    let commit = format!(
        "{}{changed}",
        git(&["rev-parse", "--short=12", "HEAD"]).trim()
    );
    let uname = captured(Command::new("uname").args(["-srm"]))?;
    let rust = captured(Command::new("rustc").arg("--version"))?;
    let layout = match layout {
        Layout::Pinned => "brokers, generator and judge on core 0, replicator on core 1",
        Layout::Free => "everything on all cores",
    };
    let rows = [
        ("processor", processor()),
        ("memory", memory()),
        ("kernel", uname.trim().to_owned()),
        ("Kafka, MirrorMaker 2", jars.version().to_string()),
        ("Java", java),
        ("Rust", rust.trim().to_owned()),
        ("Tributary", commit),
        ("layout", layout.to_owned()),
        ("command", format!("cargo xtask {command}")),
        ("date", date()?),
    ];
    Ok(rows.map(|(name, value)| (name.to_owned(), value)).to_vec())
}

/// Today, as `2026-01-31`, in UTC.
pub(super) fn date() -> Result<String> {
    Ok(captured(Command::new("date").args(["-u", "+%Y-%m-%d"]))?
        .trim()
        .to_owned())
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |line: &str| {
        line.split_once(':')
            .map(|(_, value)| value.trim().to_owned())
    };
    let model = text
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(value);
    let cores = text
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    format!(
        "{}, {cores} cores",
        model.unwrap_or_else(|| "unknown".to_owned())
    )
}

fn memory() -> String {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .unwrap_or_default();
    let kibibytes: u64 = line
        .split_whitespace()
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    format!("{} GiB", kibibytes >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_time_is_not_counted_twice() {
        let ticks = ticks_of("cpu  10 1 20 60 2 0 1 6 5 5");
        assert_eq!(
            ticks,
            Ticks {
                all: 100,
                busy: 32,
                stolen: 6
            }
        );
    }
}
