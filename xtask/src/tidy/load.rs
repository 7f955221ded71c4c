//! Reads the checkout into a [`Tree`]: the only part of tidy that touches the disk.
//!
//! Directories that hold what was built, fetched or copied verbatim (`target`, `node_modules`, `dist`) and hidden ones
//! are passed over.

use std::fs;
use std::path::Path;

use super::{CrateManifest, TextFile, Tree};
use crate::failure::{Attempt as _, Result};
use crate::workspace;

const SKIPPED_DIRECTORIES: &[&str] = &["target", "node_modules", "dist", "corpus", "artifacts"];
const TEXT_EXTENSIONS: &[&str] = &["rs", "md", "toml"];

pub(super) fn tree(root: &Path) -> Result<Tree> {
    let mut tree = Tree {
        crates: manifests(root)?,
        files: Vec::new(),
    };
    walk(root, root, &mut tree.files)?;
    tree.files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(tree)
}

fn manifests(root: &Path) -> Result<Vec<CrateManifest>> {
    let metadata = workspace::metadata(root)?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    Ok(packages.iter().map(manifest).collect())
}

fn manifest(package: &serde_json::Value) -> CrateManifest {
    let name = package["name"].as_str().unwrap_or_default().to_owned();
    let mut read = CrateManifest {
        name,
        ..CrateManifest::default()
    };
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        let name = dependency["name"].as_str().unwrap_or_default().to_owned();
        // `kind` is null for a normal dependency, else "dev" or "build".
        if dependency["kind"].as_str() == Some("dev") {
            read.dev_dependencies.push(name);
        } else {
            read.dependencies.push(name);
        }
    }
    read
}

fn walk(root: &Path, directory: &Path, files: &mut Vec<TextFile>) -> Result<()> {
    let entries = fs::read_dir(directory).attempting(format!("list {}", directory.display()))?;
    for entry in entries {
        let entry = entry.attempting(format!("list {}", directory.display()))?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry
            .file_type()
            .attempting(format!("look at {}", path.display()))?;
        if kind.is_dir() {
            if !name.starts_with('.') && !SKIPPED_DIRECTORIES.contains(&name.as_str()) {
                walk(root, &path, files)?;
            }
        } else if kind.is_file() && is_text(&path) {
            let text = fs::read_to_string(&path).attempting(format!("read {}", path.display()))?;
            let relative = path.strip_prefix(root).unwrap_or(&path);
            let path = relative.to_string_lossy().replace('\\', "/");
            files.push(TextFile { path, text });
        }
    }
    Ok(())
}

fn is_text(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| TEXT_EXTENSIONS.contains(&extension))
}
