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
        let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
        let mut text = String::new();
        file.take(LARGEST)
            .read_to_string(&mut text)
            .map_err(|error| error.to_string())?;
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
