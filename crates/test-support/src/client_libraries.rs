//! Clients of Connect's REST API that other people wrote, installed once by pip and npm in Cargo's build directory.
//!
//! `<build directory>/clients/<which>/` holds one set. It counts when it carries a copy of the list it was made from,
//! which is written last; a locked file lets one process at a time install. Lists name exact versions: a failure is ours,
//! not that of a newer library.
//!
//! Nothing of them is committed or shipped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::environment;

/// The copy of the list.
const LIST: &str = "complete";
/// Of what an installer prints, this much is kept.
const TAIL_LINES: usize = 15;

/// A set of libraries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Libraries {
    /// Clients for Python.
    Python,
    /// A program that makes requests from an OpenAPI document.
    Schemathesis,
    /// Clients for Node.
    Node,
}

/// Libraries could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// There is no workspace above the current directory.
    #[error("found no Cargo workspace above the current directory; run this inside the checkout")]
    NoWorkspace,
    /// A program is missing.
    #[error("{program} is not on PATH; on Debian or Ubuntu: apt-get install {package}")]
    Missing {
        /// What to run.
        program: &'static str,
        /// The Debian packages that have it.
        package: &'static str,
    },
    /// An installer failed.
    #[error(
        "{command} ended with {status}; it needs its registry, or a mirror of it. It said:\n{tail}"
    )]
    Installer {
        /// What was run.
        command: String,
        /// How it ended.
        status: String,
        /// Its last lines.
        tail: String,
    },
    /// The file system refused something.
    #[error("cannot {what} {path}: {source}")]
    File {
        /// What was tried.
        what: &'static str,
        /// With which path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Libraries {
    /// All sets.
    pub const ALL: [Self; 3] = [Self::Python, Self::Schemathesis, Self::Node];

    /// The name of its directory.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Schemathesis => "schemathesis",
            Self::Node => "node",
        }
    }

    /// The list, from the root of the workspace.
    fn list(self) -> &'static str {
        match self {
            Self::Python => "crates/tributary/tests/clients/python.txt",
            Self::Schemathesis => "crates/tributary/tests/clients/schemathesis.txt",
            Self::Node => "crates/tributary/tests/clients/package.json",
        }
    }
}

/// Provides a set and says where it is; does nothing when it is there. Blocks, for half a minute on the very first use.
///
/// # Errors
/// When an installer is missing or fails; the error carries its last lines.
pub fn fetch(libraries: Libraries) -> Result<PathBuf, LibraryError> {
    let root = environment::workspace_root().ok_or(LibraryError::NoWorkspace)?;
    let parent = environment::build_directory()
        .ok_or(LibraryError::NoWorkspace)?
        .join("clients");
    let directory = parent.join(libraries.name());
    let list = root.join(libraries.list());
    let text = std::fs::read_to_string(&list).map_err(file_error("read", &list))?;
    let is_current =
        || std::fs::read_to_string(directory.join(LIST)).is_ok_and(|kept| kept == text);
    if is_current() {
        return Ok(directory);
    }
    std::fs::create_dir_all(&parent).map_err(file_error("create", &parent))?;
    let lock_path = parent.join(format!("{}.lock", libraries.name()));
    let lock = File::create(&lock_path).map_err(file_error("create", &lock_path))?;
    lock.lock().map_err(file_error("lock", &lock_path))?;
    // Another process may have installed while this one waited.
    if !is_current() {
        if directory.exists() {
            std::fs::remove_dir_all(&directory).map_err(file_error("remove", &directory))?;
        }
        std::fs::create_dir(&directory).map_err(file_error("create", &directory))?;
        match libraries {
            Libraries::Python | Libraries::Schemathesis => pip(&directory, &list)?,
            Libraries::Node => npm(&directory, &list)?,
        }
        let copy = directory.join(LIST);
        std::fs::write(&copy, &text).map_err(file_error("write", &copy))?;
    }
    Ok(directory)
}

/// The Python that has the libraries of a set.
#[must_use]
pub fn python(directory: &Path) -> PathBuf {
    directory.join("bin").join("python")
}

/// The `node` program.
///
/// # Errors
/// There is none.
pub fn node() -> Result<PathBuf, LibraryError> {
    let missing = LibraryError::Missing {
        program: "node",
        package: "nodejs npm",
    };
    environment::program("node").ok_or(missing)
}

/// The `curl` program.
///
/// # Errors
/// There is none.
pub fn curl() -> Result<PathBuf, LibraryError> {
    let missing = LibraryError::Missing {
        program: "curl",
        package: "curl",
    };
    environment::program("curl").ok_or(missing)
}

fn pip(directory: &Path, list: &Path) -> Result<(), LibraryError> {
    let program = environment::program("python3").ok_or(LibraryError::Missing {
        program: "python3",
        package: "python3 python3-venv",
    })?;
    run(Command::new(program).args(["-m", "venv"]).arg(directory))?;
    run(Command::new(python(directory))
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
        ])
        .arg(list))
}

fn npm(directory: &Path, list: &Path) -> Result<(), LibraryError> {
    let program = environment::program("npm").ok_or(LibraryError::Missing {
        program: "npm",
        package: "nodejs npm",
    })?;
    let copy = directory.join("package.json");
    std::fs::copy(list, &copy).map_err(file_error("write", &copy))?;
    run(Command::new(program)
        .args(["install", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(directory))
}

fn run(command: &mut Command) -> Result<(), LibraryError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(file_error("run", Path::new(&name)))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    Err(LibraryError::Installer {
        command: format!("{command:?}"),
        status: output.status.to_string(),
        tail: lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"),
    })
}

fn file_error(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> LibraryError {
    let path = path.to_path_buf();
    move |source| LibraryError::File { what, path, source }
}
