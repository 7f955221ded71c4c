//! What variables in configurations are read from: this process's environment and files.

use std::path::Path;
use std::sync::Arc;

use config::raw::RawConfig;
use config::{Sources, Variables};

use crate::output;

/// Longest file that is taken for a value or a list of values, in bytes.
const LARGEST: u64 = 1024 * 1024;

struct Process;

impl Sources for Process {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the program's one place that reads the environment for configurations"
    )]
    fn environment(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        use std::io::Read as _;
        // Opening or reading a pipe may wait for ever, and whoever may have a configuration judged may name any file.
        let kind = std::fs::metadata(path).map_err(|error| error.to_string())?;
        if !kind.is_file() {
            return Err("it is no ordinary file".to_owned());
        }
        let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
        let mut text = String::new();
        let read = file.take(LARGEST + 1).read_to_string(&mut text);
        let read = read.map_err(|error| error.to_string())?;
        if u64::try_from(read).is_ok_and(|read| read > LARGEST) {
            return Err(format!("it is larger than {LARGEST} bytes"));
        }
        Ok(text)
    }
}

/// The providers of a worker; problems are printed.
pub(crate) fn of_worker(worker: &RawConfig, what: &str) -> Option<Variables> {
    match Variables::of_worker(Arc::new(Process), worker) {
        Ok(variables) => Some(variables),
        Err(problems) => {
            for problem in problems {
                output::error(&format!("{what}: {problem}"));
            }
            None
        }
    }
}

/// Gives a worker's configuration its own providers; problems are printed.
pub(crate) fn give_own(worker: &mut RawConfig, what: &str) -> Option<Variables> {
    let variables = of_worker(worker, what)?;
    worker.set_variables(variables.clone());
    Some(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ordinary_files_of_ordinary_size_are_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("f");
        std::fs::write(&path, "a=b").expect("written");
        assert_eq!(Process.file(&path).as_deref(), Ok("a=b"));
        std::fs::write(&path, "x".repeat(1024 * 1024 + 1)).expect("written");
        Process.file(&path).expect_err("too large");
        let problem = Process.file(Path::new("/dev/zero")).expect_err("no file");
        assert_eq!(problem, "it is no ordinary file");
        Process.file(directory.path()).expect_err("a directory");
    }
}
