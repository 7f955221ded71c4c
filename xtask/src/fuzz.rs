//! `cargo xtask fuzz`: every fuzz target for a while, on the stable toolchain, with the kept corpus.
//!
//! ```text
//! build with coverage ─▶ corpus of the repository ─▶ a few targets at once ─▶ findings, peak memory
//!                                └─ --keep: what was found new, reduced, comes into the repository
//! ```
//! libFuzzer needs to see which code an input reaches. The flags for that are part of stable LLVM; the address sanitizer,
//! which is not, would find nothing here: nothing that is fuzzed has unsafe code. `--target` keeps the flags away from build scripts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use clap::Args;

use crate::failure::{Attempt as _, Failure, Result};
use crate::{build, output, workspace};

/// What an input may make a reader take, everything else of the process included.
const MEMORY_MIB: u32 = 256;
/// Largest input, in bytes: what matters shows in small ones.
const LARGEST: u32 = 8192;
/// An input that takes longer, in seconds, is a finding.
const SLOWEST: u32 = 10;
/// Targets at the same time.
const AT_ONCE: usize = 2;
/// Files of a kept corpus that are larger are not kept.
const KEPT_BYTES: u64 = 4096;
/// Files that are kept of each target at most.
const KEPT_FILES: usize = 200;

const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// How long, and which.
#[derive(Debug, Args)]
pub(crate) struct FuzzOptions {
    /// Targets [default: all]
    targets: Vec<String>,

    /// Seconds for each target
    #[arg(long, default_value_t = 20)]
    seconds: u64,

    /// Take inputs that reach new code over into the corpus of the repository
    #[arg(long)]
    keep: bool,
}

impl FuzzOptions {
    /// What every change must pass.
    pub(crate) fn short() -> Self {
        Self {
            targets: Vec::new(),
            seconds: 20,
            keep: false,
        }
    }
}

/// What a run of a target came to.
struct Outcome {
    target: String,
    executions: String,
    peak_mib: String,
    failure: Option<String>,
}

/// Runs the targets.
pub(crate) fn run(root: &Path, options: &FuzzOptions) -> Result<()> {
    let programs = targets(root)?;
    let chosen: Vec<&(String, PathBuf)> = programs
        .iter()
        .filter(|(name, _)| options.targets.is_empty() || options.targets.contains(name))
        .collect();
    if let Some(unknown) = options
        .targets
        .iter()
        .find(|name| !programs.iter().any(|(known, _)| known == *name))
    {
        return Err(Failure::new(format!("there is no fuzz target {unknown}")));
    }
    let queue = Mutex::new(chosen.into_iter());
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((name, program)) = next(&queue) {
                    let outcome = fuzz(root, name, program, options);
                    if let Ok(mut outcomes) = outcomes.lock() {
                        outcomes.push(outcome);
                    }
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap_or_default();
    let outcomes = outcomes.into_iter().collect::<Result<Vec<_>>>()?;
    let mut rows = vec![
        ["target", "inputs tried", "peak MiB", "result"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for outcome in &outcomes {
        rows.push(vec![
            outcome.target.clone(),
            outcome.executions.clone(),
            outcome.peak_mib.clone(),
            outcome
                .failure
                .clone()
                .unwrap_or_else(|| "no finding".to_owned()),
        ]);
    }
    output::line(output::table(&rows));
    let failed: Vec<&str> = outcomes
        .iter()
        .filter(|outcome| outcome.failure.is_some())
        .map(|outcome| outcome.target.as_str())
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "findings in {}; the inputs are in fuzz/artifacts",
        failed.join(", ")
    )))
}

fn next<'a>(
    queue: &Mutex<impl Iterator<Item = &'a (String, PathBuf)>>,
) -> Option<&'a (String, PathBuf)> {
    queue.lock().ok()?.next()
}

/// Builds all targets; their names and programs.
fn targets(root: &Path) -> Result<Vec<(String, PathBuf)>> {
    let host = workspace::captured(Command::new("rustc").arg("-vV"))?;
    let host = host
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .ok_or_else(|| Failure::new("rustc -vV names no host"))?;
    let arguments = [
        "build",
        "--locked",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--target",
        host,
    ];
    output::line(format!("   cargo {} (with coverage)", arguments.join(" ")));
    let environment = [
        ("RUSTFLAGS", Some(FLAGS)),
        ("CARGO_ENCODED_RUSTFLAGS", None),
    ];
    let mut programs = build::programs(root, &arguments, &environment)?;
    programs.sort();
    Ok(programs)
}

/// Runs one target from its kept corpus; what it finds new goes to a directory that is not kept.
fn fuzz(root: &Path, name: &str, program: &Path, options: &FuzzOptions) -> Result<Outcome> {
    let fuzz = root.join("fuzz");
    let (kept, found) = (
        fuzz.join("corpus").join(name),
        fuzz.join("target/found").join(name),
    );
    let artifacts = fuzz.join("artifacts").join(name);
    for directory in [&kept, &found, &artifacts] {
        fs::create_dir_all(directory).attempting(format!("create {}", directory.display()))?;
    }
    let run = Command::new(program)
        // So that what is counted is what a reader holds: else the C library keeps windows of many MiB that were given
        // back, and some runs end with ten times the memory of others.
        .env("MALLOC_MMAP_THRESHOLD_", "262144")
        .arg(format!("-max_total_time={}", options.seconds))
        .arg(format!("-rss_limit_mb={MEMORY_MIB}"))
        .arg(format!("-malloc_limit_mb={MEMORY_MIB}"))
        .arg(format!("-max_len={LARGEST}"))
        .arg(format!("-timeout={SLOWEST}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .args(["-print_final_stats=1", "-verbosity=1"])
        .args([&found, &kept])
        .stdout(Stdio::null())
        .output()
        .attempting(format!("run {name}"))?;
    let said = String::from_utf8_lossy(&run.stderr);
    let stat = |key: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(key));
        line.map_or_else(|| "?".to_owned(), |value| value.trim().to_owned())
    };
    let failure = (!run.status.success()).then(|| {
        let last: Vec<&str> = said.lines().rev().take(12).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        output::line(format!("{name}:\n{}", last.join("\n")));
        "a finding".to_owned()
    });
    if options.keep && failure.is_none() {
        keep(program, &kept, &found)?;
    }
    Ok(Outcome {
        target: name.to_owned(),
        executions: stat("stat::number_of_executed_units:"),
        peak_mib: stat("stat::peak_rss_mb:"),
        failure,
    })
}

/// Takes over what reaches new code, smallest first, as far as the corpus stays small.
fn keep(program: &Path, kept: &Path, found: &Path) -> Result<()> {
    let merged = found.with_extension("merged");
    if merged.exists() {
        fs::remove_dir_all(&merged).attempting("remove what was merged before")?;
    }
    fs::create_dir_all(&merged).attempting("create a directory")?;
    let status = Command::new(program)
        .args(["-merge=1", "-verbosity=0"])
        .arg(format!("-max_len={KEPT_BYTES}"))
        .args([&merged, &kept.to_path_buf(), &found.to_path_buf()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .attempting("reduce a corpus")?;
    if !status.success() {
        return Err(Failure::new(format!(
            "reducing a corpus ended with {status}"
        )));
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(&merged).attempting("read what was merged")? {
        let entry = entry.attempting("read what was merged")?;
        let size = entry.metadata().attempting("read what was merged")?.len();
        files.push((size, entry.path()));
    }
    files.sort();
    fs::remove_dir_all(kept).attempting("replace a corpus")?;
    fs::create_dir_all(kept).attempting("replace a corpus")?;
    for (_, file) in files
        .into_iter()
        .filter(|(size, _)| *size <= KEPT_BYTES)
        .take(KEPT_FILES)
    {
        if let Some(name) = file.file_name() {
            fs::copy(&file, kept.join(name)).attempting("keep an input")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_of_ci_stays_below_two_and_a_half_minutes() {
        let manifest = include_str!("../../fuzz/Cargo.toml");
        let targets = manifest.matches("[[bin]]").count();
        assert!(targets >= 10, "{targets}");
        let rounds = u64::try_from(targets.div_ceil(AT_ONCE)).expect("few");
        assert!(rounds * FuzzOptions::short().seconds <= 150);
    }
}
