//! Directories for data and logs of brokers, removed with their owner, or by the next run if the owner was killed.
//!
//! Each directory holds a file that its owner keeps locked. The lock ends with the owner however it ends, so a directory
//! whose lock can be taken is nobody's and is swept.

use std::fs::File;
use std::path::Path;

use tempfile::TempDir;

use crate::environment;

const OWNER: &str = "owner.lock";
/// Held while a directory has been made but is not locked yet, so that nobody sweeps it in between.
const GATE: &str = "gate.lock";

/// A directory of its own for one cluster or process.
#[derive(Debug)]
pub struct RunDirectory {
    /// Before the lock: fields are dropped in order, and the directory must be gone before it looks abandoned.
    directory: TempDir,
    _owner: File,
}

impl RunDirectory {
    /// Makes a new empty directory whose name begins with `name`, and removes those that killed processes left behind.
    ///
    /// # Errors
    /// When the temporary directory is not writable.
    pub fn new(name: &str) -> std::io::Result<Self> {
        let parent = std::env::temp_dir().join("tributary-test-runs");
        std::fs::create_dir_all(&parent)?;
        let gate = File::create(parent.join(GATE))?;
        gate.lock()?;
        if !environment::keep_directories() {
            sweep(&parent);
        }
        let mut directory = tempfile::Builder::new()
            .prefix(&format!("{name}-"))
            .tempdir_in(&parent)?;
        directory.disable_cleanup(environment::keep_directories());
        let owner = File::create(directory.path().join(OWNER))?;
        owner.lock()?;
        Ok(Self {
            directory,
            _owner: owner,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Removes directories nobody owns. What cannot be removed now is left for the next time.
fn sweep(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for path in entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
    {
        if abandoned(&path) {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
}

fn abandoned(directory: &Path) -> bool {
    match File::open(directory.join(OWNER)) {
        Ok(owner) => owner.try_lock().is_ok(),
        // Without the file it is half removed: its owner is dropping it now or was killed while doing so.
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_lives_as_long_as_its_owner_and_no_sweep_takes_it() {
        let first = RunDirectory::new("first").expect("writable");
        let path = first.path().to_path_buf();
        let _second = RunDirectory::new("second").expect("writable");
        assert!(path.is_dir(), "the second owner's sweep left it alone");
        drop(first);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_killed_owner_left_behind_is_swept() {
        let parent = std::env::temp_dir().join("tributary-test-runs");
        std::fs::create_dir_all(&parent).expect("writable");
        let left = tempfile::Builder::new()
            .prefix("left-")
            .tempdir_in(&parent)
            .expect("writable")
            .keep();
        File::create(left.join(OWNER)).expect("writable");
        let _next = RunDirectory::new("next").expect("writable");
        assert!(!left.exists());
    }
}
