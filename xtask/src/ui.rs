//! `cargo xtask ui`: checks and builds the control center; `ui/dist`, which is committed, is what the program embeds.
//!
//! ```text
//! npm ci ─▶ types from docs/rest-api.json ─▶ svelte-check ─▶ unit tests ─▶ vite ─▶ ui/dist
//!                                                        └─ --test: Chromium and axe, --shots: pictures of every screen
//! ```
//! Only who changes `ui/src` needs Node: a build of the program takes `ui/dist` as it lies.

mod live;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::build::{self, Profile};
use crate::failure::{Attempt as _, Failure, Result};
use crate::output;
use crate::setup::{self, Tool};

/// What is done beyond checking and building.
#[derive(Debug, Default, Args)]
pub(crate) struct UiOptions {
    /// Also drive every screen in the system's Chromium, with axe; CHROMIUM names another program
    #[arg(long)]
    test: bool,

    /// Also take pictures of every screen into this folder, for a person to look at
    #[arg(long, value_name = "FOLDER")]
    shots: Option<PathBuf>,

    /// Also make, break and repair a link in Chromium, with real workers and real Kafka clusters
    #[arg(long)]
    live: bool,

    /// The tributary of --live, such as one of a release; built for debugging where none is named
    #[arg(long, value_name = "FILE", requires = "live")]
    program: Option<PathBuf>,

    /// Only parts of --live with these names, between commas; one that there is not names them all
    #[arg(long, value_name = "PARTS", requires = "live")]
    only: Option<String>,

    /// Write nothing; fail where ui/dist is not what ui/src makes
    #[arg(long)]
    check: bool,
}

impl UiOptions {
    /// Pictures only.
    pub(crate) fn pictures(folder: PathBuf) -> Self {
        Self {
            shots: Some(folder),
            ..Self::default()
        }
    }
}

/// Checks and builds.
pub(crate) fn run(root: &Path, options: &UiOptions) -> Result<()> {
    setup::ensure(&[Tool::Npm])?;
    let ui = root.join("ui");
    npm(&ui, &["ci", "--ignore-scripts"])?;
    let types = "src/lib/schema.ts";
    let made = if options.check {
        "node_modules/schema.ts"
    } else {
        types
    };
    npx(
        &ui,
        &[
            "openapi-typescript",
            "../docs/rest-api.json",
            "-o",
            made,
            "--alphabetize",
            "--root-types",
        ],
    )?;
    if options.check {
        same(&ui.join(made), &ui.join(types))?;
    }
    npx(
        &ui,
        &[
            "svelte-check",
            "--tsconfig",
            "./tsconfig.json",
            "--fail-on-warnings",
        ],
    )?;
    npx(&ui, &["vitest", "run"])?;
    if options.check {
        npx(&ui, &["vite", "build", "--outDir", "node_modules/dist"])?;
        same_files(&ui.join("node_modules/dist"), &ui.join("dist"))?;
    } else {
        npx(&ui, &["vite", "build"])?;
    }
    if options.test {
        done(
            Command::new("node")
                .current_dir(&ui)
                .arg("test/browser.mjs"),
        )?;
    }
    let folder = options.shots.as_ref().map(std::path::absolute).transpose();
    let folder = folder.attempting("find the folder of the pictures")?;
    if let Some(folder) = &folder {
        done(
            Command::new("node")
                .current_dir(&ui)
                .arg("test/shots.mjs")
                .arg(folder),
        )?;
    }
    if options.live {
        let program = match &options.program {
            Some(program) => std::path::absolute(program).attempting("find the program")?,
            None => build::tributary(root, Profile::Debug)?,
        };
        let script = live::Script {
            pictures: folder.as_deref(),
            only: options.only.as_deref(),
            // What is built for debugging costs more than what is given away.
            judged: options.program.is_some(),
        };
        live::run(root, &ui, &program, &script)?;
    }
    Ok(())
}

fn npm(ui: &Path, arguments: &[&str]) -> Result<()> {
    done(Command::new("npm").current_dir(ui).args(arguments))
}

fn npx(ui: &Path, arguments: &[&str]) -> Result<()> {
    done(
        Command::new("npx")
            .current_dir(ui)
            .arg("--no-install")
            .args(arguments),
    )
}

fn done(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().attempting(format!("start {program}"))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("{command:?} ended with {status}")))
}

fn same(made: &Path, kept: &Path) -> Result<()> {
    let read = |path: &Path| fs::read(path).attempting(format!("read {}", path.display()));
    if read(made)? == read(kept)? {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} is not what its sources make; `cargo xtask ui` makes it anew",
        kept.display()
    )))
}

/// Compares both folders; compressed forms are left out, because they differ between versions of Node.
fn same_files(made: &Path, kept: &Path) -> Result<()> {
    let (mut one, mut other) = (names(made)?, names(kept)?);
    one.sort();
    other.sort();
    if one != other {
        return Err(Failure::new(
            "ui/dist has other files than ui/src makes; `cargo xtask ui` makes it anew",
        ));
    }
    for name in &one {
        same(&made.join(name), &kept.join(name))?;
    }
    output::line(format!(
        "   ui/dist: {} files, as ui/src makes them",
        one.len()
    ));
    Ok(())
}

fn names(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for place in [PathBuf::new(), PathBuf::from("assets")] {
        let folder = folder.join(&place);
        let entries = fs::read_dir(&folder).attempting(format!("read {}", folder.display()))?;
        for entry in entries {
            let path = entry.attempting("read a folder")?.path();
            let packed = path.extension().is_some_and(|extension| extension == "gz");
            if path.is_file() && !packed {
                found.extend(path.file_name().map(|name| place.join(name)));
            }
        }
    }
    Ok(found)
}
