//! `cargo xtask tidy`: what the compiler and clippy do not check.
//!
//! ```text
//! load (walks the checkout, asks cargo for the manifests) → Tree → rules (pure) → findings
//! ```
//! The rules see only a [`Tree`], so each has a test with a planted fault: a checker must itself be seen to fail. What a
//! rule wants is written in its doc comment, where the reader who tripped over it looks first.

mod crates;
mod load;
mod source;
mod text;

use std::fmt;
use std::path::Path;

use crate::failure::{Failure, Result};
use crate::output;

/// A crate as its manifest describes it.
#[derive(Debug, Clone, Default)]
struct CrateManifest {
    name: String,
    dependencies: Vec<String>,
    dev_dependencies: Vec<String>,
}

/// A text file of the checkout.
#[derive(Debug, Clone)]
struct TextFile {
    /// Relative to the workspace root, with forward slashes.
    path: String,
    text: String,
}

/// Everything the rules look at.
#[derive(Debug, Clone, Default)]
struct Tree {
    crates: Vec<CrateManifest>,
    files: Vec<TextFile>,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    place: String,
    /// 1-based; 0 where the finding is about the whole file or crate.
    line: usize,
    complaint: String,
}

impl Finding {
    fn of(place: &str, line: usize, complaint: impl Into<String>) -> Self {
        Self {
            place: place.to_owned(),
            line,
            complaint: complaint.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.place, self.complaint),
            line => write!(f, "{}:{line}: {}", self.place, self.complaint),
        }
    }
}

/// Checks the workspace at `root` and prints every finding.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tree = load::tree(root)?;
    let findings = check(&tree);
    for finding in &findings {
        output::line(format!("   {finding}"));
    }
    if findings.is_empty() {
        output::line(format!(
            "   tidy: {} crates and {} files looked at, nothing found",
            tree.crates.len(),
            tree.files.len()
        ));
        return Ok(());
    }
    Err(Failure::new(format!(
        "tidy found {} things that want mending",
        findings.len()
    )))
}

fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = crates::layers(tree);
    findings.extend(crates::pure_crates(tree));
    for file in &tree.files {
        if is_rust(file) {
            findings.extend(source::module_doc(file));
            findings.extend(source::size(file));
            findings.extend(source::file_name(file));
            findings.extend(source::unsafe_forbidden(file));
            findings.extend(source::unsafe_elsewhere(file));
            findings.extend(source::no_io_in_pure_crates(file));
            findings.extend(source::separate_rooms(file));
            findings.extend(source::waiting_in_tests(file));
            findings.extend(source::skipped_tests(file));
        }
        findings.extend(text::machine_paths(file));
        findings.extend(text::unfinished(file));
    }
    findings
}

fn is_rust(file: &TextFile) -> bool {
    Path::new(&file.path)
        .extension()
        .is_some_and(|extension| extension == "rs")
}

#[cfg(test)]
mod tests;
