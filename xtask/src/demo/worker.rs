//! The one Tributary process of the demo: a standalone worker with two links, configured with Confluent Replicator's
//! keys, the way such files look in the field, and a third link with a fault in it, for somebody to find and mend.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use test_support::eventually::eventually;

use test_support::managed_process::{ManagedProcess, ProcessSpec};

use crate::failure::{Attempt as _, Failure, Result};
use crate::output;

/// Lines shown when it ends by itself.
const LAST_LINES: usize = 30;
/// How long it may take until it listens.
const LISTENS: Duration = Duration::from_secs(60);
/// Where people look first; another port where this one is taken.
const USUAL_PORT: u16 = 8083;
/// The link that fails: its source is an address at which nobody listens.
pub(super) const FAILING: &str = "archive";
const NOBODY: &str = "127.0.0.1:1";

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
        let text = failing_properties(central);
        arguments.push(write(directory, &format!("{FAILING}.properties"), &text)?);
        let shown: Vec<String> = arguments
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        output::line(format!("   tributary {}", shown.join(" ")));
        let spec = ProcessSpec::new("tributary", program).arguments(arguments);
        let process = ManagedProcess::start(spec).attempting("start tributary")?;
        Ok(Self { process, shown: 0 })
    }

    /// Where it serves its API and the control center, as soon as it does.
    pub(super) async fn address(&mut self) -> Result<String> {
        let lines = self.process.lines();
        let said = async || {
            let all = lines.since(0);
            let said = all
                .iter()
                .find_map(|line| line.text.split_once("listening at "));
            said.map(|(_, address)| address.trim().to_owned())
                .ok_or("other lines")
        };
        let address = eventually("the worker to listen", LISTENS, said).await;
        // Why it does not is in what it printed.
        self.relay()?;
        address.attempting("start the worker")
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
    let port = match TcpListener::bind(("127.0.0.1", USUAL_PORT)) {
        Ok(_) => USUAL_PORT,
        Err(_) => 0,
    };
    format!(
        "bootstrap.servers={central}\noffset.storage.file.filename={positions}\nlisteners=http://127.0.0.1:{port}\n"
    )
}

/// One topic of a region a second time, from an address that is wrong.
fn failing_properties(central: &str) -> String {
    format!(
        "name={FAILING}\n\
         connector.class=io.confluent.connect.replicator.ReplicatorSourceConnector\n\
         source.cluster.alias=nobody\n\
         target.cluster.alias=central\n\
         src.kafka.bootstrap.servers={NOBODY}\n\
         dest.kafka.bootstrap.servers={central}\n\
         topic.whitelist=birdstrikes\n\
         topic.rename.format={FAILING}.${{topic}}\n\
         topic.poll.interval.ms=2000\n"
    )
}

fn link_properties(region: &str, bootstrap: &str, central: &str) -> String {
    format!(
        "name={region}-to-central\n\
         connector.class=io.confluent.connect.replicator.ReplicatorSourceConnector\n\
         source.cluster.alias={region}\n\
         target.cluster.alias=central\n\
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
