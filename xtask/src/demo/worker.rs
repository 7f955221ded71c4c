//! The one Tributary process of the demo: a standalone worker with two links, configured with Confluent Replicator's
//! keys, the way such files look in the field.

use std::fs;
use std::path::{Path, PathBuf};

use test_support::managed_process::{ManagedProcess, ProcessSpec};

use crate::failure::{Attempt as _, Failure, Result};
use crate::output;

/// Lines shown when it ends by itself.
const LAST_LINES: usize = 30;

/// The worker process and how much of its output was shown.
#[derive(Debug)]
pub(super) struct Worker {
    process: ManagedProcess,
    shown: usize,
}

impl Worker {
    /// Writes the property files into `directory` and starts the worker. `regions` are name and bootstrap servers.
    pub(super) fn start(
        program: &Path,
        directory: &Path,
        regions: &[(&str, String)],
        central: &str,
    ) -> Result<Self> {
        let worker = write(
            directory,
            "worker.properties",
            &worker_properties(central, directory),
        )?;
        let mut arguments = vec![PathBuf::from("standalone"), worker];
        for (region, bootstrap) in regions {
            let text = link_properties(region, bootstrap, central);
            arguments.push(write(directory, &format!("{region}.properties"), &text)?);
        }
        let shown: Vec<String> = arguments
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        output::line(format!("   tributary {}", shown.join(" ")));
        let spec = ProcessSpec::new("tributary", program).arguments(arguments);
        let process = ManagedProcess::start(spec).attempting("start tributary")?;
        Ok(Self { process, shown: 0 })
    }

    /// Shows what it printed since the last time; fails when it has ended.
    pub(super) fn relay(&mut self) -> Result<()> {
        let status = self.process.status().attempting("look at tributary")?;
        for line in self.process.lines().since(self.shown) {
            output::line(format!("   tributary | {}", line.text));
            self.shown += 1;
        }
        match status {
            None => Ok(()),
            Some(status) => Err(Failure::new(format!(
                "tributary ended with {status}; its last lines:\n{}",
                self.process.lines().tail(LAST_LINES)
            ))),
        }
    }
}

fn write(directory: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = directory.join(name);
    fs::write(&path, text).attempting(format!("write {}", path.display()))?;
    Ok(path)
}

fn worker_properties(central: &str, directory: &Path) -> String {
    let positions = directory.join("positions").display().to_string();
    format!("bootstrap.servers={central}\noffset.storage.file.filename={positions}\n")
}

fn link_properties(region: &str, bootstrap: &str, central: &str) -> String {
    format!(
        "name={region}-to-central\n\
         connector.class=io.confluent.connect.replicator.ReplicatorSourceConnector\n\
         src.kafka.bootstrap.servers={bootstrap}\n\
         dest.kafka.bootstrap.servers={central}\n\
         topic.regex=[a-z].*\n\
         topic.rename.format={region}.${{topic}}\n\
         topic.poll.interval.ms=2000\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_renames_its_topics_by_region() {
        let text = link_properties("west", "127.0.0.1:1", "127.0.0.1:2");
        assert!(
            text.contains("topic.rename.format=west.${topic}\n"),
            "{text}"
        );
        assert!(
            text.contains("src.kafka.bootstrap.servers=127.0.0.1:1\n"),
            "{text}"
        );
    }
}
