//! One broker process of a cluster: started, stopped, killed, frozen and started again on the same ports and data.
//!
//! Invariant: the node's state says whether a process exists; at most one does.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use crate::class_archive;
use crate::kafka_jars::{KafkaJars, KafkaVersion};
use crate::managed_process::{ManagedProcess, Output, ProcessError, ProcessSpec};
use crate::ports::PortLease;
use crate::raw;

/// How long a broker may take to answer after its start.
pub const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a broker may take for a clean stop.
const STOP_LIMIT: Duration = Duration::from_secs(60);
const FORMAT_LIMIT: Duration = Duration::from_secs(60);
const LOG_TAIL_LINES: usize = 40;

/// A broker could not be started, stopped or signalled.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The process could not be handled.
    #[error("node {node} of cluster {cluster}: {source}")]
    Process {
        /// The cluster's name.
        cluster: String,
        /// Its node id.
        node: i32,
        /// What went wrong.
        source: ProcessError,
    },
    /// It is not running.
    #[error("node {node} of cluster {cluster} does not run; start it first")]
    NotRunning {
        /// The cluster's name.
        cluster: String,
        /// Its node id.
        node: i32,
    },
    /// It is running already.
    #[error("node {node} of cluster {cluster} runs already")]
    Running {
        /// The cluster's name.
        cluster: String,
        /// Its node id.
        node: i32,
    },
    /// It ended while it was starting.
    #[error(
        "Kafka {version}, node {node} of cluster {cluster}, ended while starting ({status}); the end of its log:\n{log}"
    )]
    Ended {
        /// The cluster's name.
        cluster: String,
        /// Its node id.
        node: i32,
        /// Which Kafka.
        version: KafkaVersion,
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// It runs but does not answer as it should.
    #[error(
        "Kafka {version}, node {node} of cluster {cluster}, was not ready within {limit:?}: {last}; the end of its log:\n{log}"
    )]
    NotReady {
        /// The cluster's name.
        cluster: String,
        /// Its node id.
        node: i32,
        /// Which Kafka.
        version: KafkaVersion,
        /// How long was waited.
        limit: Duration,
        /// What it answered last.
        last: String,
        /// The end of its log.
        log: String,
    },
    /// Its data directory could not be prepared.
    #[error("cannot format the storage of node {node} of cluster {cluster} ({status}):\n{log}")]
    Format {
        /// The cluster's name.
        cluster: String,
        /// Its node id.
        node: i32,
        /// How the tool ended.
        status: ExitStatus,
        /// What it printed.
        log: String,
    },
    /// A file could not be written.
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

/// The ports of one node; they stay reserved while it is stopped.
#[derive(Debug)]
pub(crate) struct NodePorts {
    pub(crate) direct: PortLease,
    pub(crate) second: PortLease,
    pub(crate) controller: PortLease,
    pub(crate) extra: Vec<PortLease>,
}

/// How the Java virtual machine of a broker is tuned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JvmTuning {
    pub(crate) heap_mib: u32,
    pub(crate) full_jit: bool,
}

/// One broker (and controller) of a cluster.
#[derive(Debug)]
pub struct KafkaNode {
    pub(crate) cluster: String,
    pub(crate) id: i32,
    pub(crate) jars: KafkaJars,
    pub(crate) jvm: JvmTuning,
    pub(crate) jvm_options: Vec<String>,
    pub(crate) directory: PathBuf,
    pub(crate) ports: NodePorts,
    pub(crate) process: Mutex<Option<ManagedProcess>>,
}

impl KafkaNode {
    /// Its node id: 1 for the first node of a cluster.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.id
    }

    /// The direct listener, `127.0.0.1:port`.
    #[must_use]
    pub fn address(&self) -> String {
        self.ports.direct.address().to_string()
    }

    /// Where its partitions are.
    #[must_use]
    pub fn data_directory(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// What it printed, over all its starts.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.directory.join("broker.log")
    }

    /// The process number, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.lock().as_ref().map(ManagedProcess::pid)
    }

    /// Kills it at once (SIGKILL) and waits until it is gone. Does nothing when it does not run.
    pub fn kill(&self) {
        // Dropping kills and waits.
        drop(self.lock().take());
    }

    /// Stops it cleanly (SIGTERM) and waits until it is gone. It is killed when that takes longer than a minute.
    ///
    /// # Errors
    /// When it does not run, or had to be killed.
    pub async fn stop(&self) -> Result<(), NodeError> {
        let process = self.lock().take().ok_or_else(|| self.not_running())?;
        process
            .signal(Signal::TERM)
            .map_err(|source| self.process_error(source))?;
        process
            .wait(STOP_LIMIT)
            .await
            .map_err(|source| self.process_error(source))?;
        Ok(())
    }

    /// Freezes it (SIGSTOP): connections stay open, nothing is answered.
    ///
    /// # Errors
    /// When it does not run.
    pub fn suspend(&self) -> Result<(), NodeError> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen one go on (SIGCONT).
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> Result<(), NodeError> {
        self.signal(Signal::CONT)
    }

    /// Starts it on its ports and data and waits until it answers as a member of the cluster.
    ///
    /// # Errors
    /// When it runs already, ends while starting, or is not ready within [`START_LIMIT`]; the end of its log is in the
    /// error.
    pub async fn start(&self) -> Result<(), NodeError> {
        self.launch()?;
        self.ready(|view| view.nodes.contains(&self.id)).await
    }

    /// Kills it if it runs, and starts it.
    ///
    /// # Errors
    /// As [`KafkaNode::start`].
    pub async fn restart(&self) -> Result<(), NodeError> {
        self.kill();
        self.start().await
    }

    /// Writes `server.properties`.
    pub(crate) fn configure(&self, properties: &[(String, String)]) -> Result<(), NodeError> {
        let mut text = String::new();
        for (key, value) in properties {
            // Backslashes are escapes in a properties file; none of our paths has one, a test's value may.
            let _ = writeln!(text, "{key}={}", value.replace('\\', "\\\\"));
        }
        std::fs::create_dir_all(&self.directory).map_err(|source| NodeError::File {
            what: "create",
            path: self.directory.clone(),
            source,
        })?;
        let path = self.properties_file();
        std::fs::write(&path, text).map_err(|source| NodeError::File {
            what: "write",
            path,
            source,
        })
    }

    /// Starts preparing the data directory for a cluster id.
    pub(crate) fn begin_format(&self, cluster_id: &str) -> Result<ManagedProcess, NodeError> {
        let spec = ProcessSpec::new(
            format!("storage format of node {}", self.id),
            self.jars.java(),
        )
        .arguments(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m"])
        .arguments(class_archive::arguments(&self.jars))
        .arguments([
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
            &self.jars.classpath(),
        ])
        .arguments(["kafka.tools.StorageTool", "format"])
        .arguments([format!("--cluster-id={cluster_id}"), "--config".to_owned()])
        .arguments([self.properties_file()]);
        ManagedProcess::start(spec).map_err(|source| self.process_error(source))
    }

    /// Waits until the data directory is prepared.
    pub(crate) async fn end_format(&self, tool: ManagedProcess) -> Result<(), NodeError> {
        let status = tool
            .wait(FORMAT_LIMIT)
            .await
            .map_err(|source| self.process_error(source))?;
        if status.success() {
            return Ok(());
        }
        let log = tool.lines().tail(LOG_TAIL_LINES);
        Err(NodeError::Format {
            cluster: self.cluster.clone(),
            node: self.id,
            status,
            log,
        })
    }

    /// Starts the process without waiting for anything.
    pub(crate) fn launch(&self) -> Result<(), NodeError> {
        let mut slot = self.lock();
        if slot.is_some() {
            return Err(NodeError::Running {
                cluster: self.cluster.clone(),
                node: self.id,
            });
        }
        let jit = if self.jvm.full_jit {
            vec!["-XX:+UseG1GC".to_owned()]
        } else {
            // Short-lived brokers: compiling well costs more than it brings on two cores.
            let mut short = class_archive::arguments(&self.jars);
            short.extend(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"].map(str::to_owned));
            short
        };
        let spec = ProcessSpec::new(
            format!("broker {} of {}", self.id, self.cluster),
            self.jars.java(),
        )
        .arguments(jit)
        .arguments([format!("-Xmx{}m", self.jvm.heap_mib)])
        .arguments(&self.jvm_options)
        .arguments(["-Dorg.slf4j.simpleLogger.showDateTime=true"])
        .arguments(["-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS"])
        .arguments(["-cp", &self.jars.classpath(), "kafka.Kafka"])
        .arguments([self.properties_file()])
        .output(Output::File(self.log_file()));
        *slot = Some(ManagedProcess::start(spec).map_err(|source| self.process_error(source))?);
        Ok(())
    }

    /// Waits until the broker answers and `enough` agrees with what it sees.
    pub(crate) async fn ready(
        &self,
        enough: impl Fn(&raw::ClusterView) -> bool,
    ) -> Result<(), NodeError> {
        let end = Instant::now() + START_LIMIT;
        let address = self.address();
        loop {
            self.still_runs()?;
            let last = match raw::cluster_view(&address).await {
                Ok(view) if enough(&view) => return Ok(()),
                Ok(view) => format!(
                    "it sees nodes {:?}, controller {}",
                    view.nodes, view.controller
                ),
                Err(error) => error.to_string(),
            };
            if Instant::now() >= end {
                return Err(NodeError::NotReady {
                    cluster: self.cluster.clone(),
                    node: self.id,
                    version: self.jars.version(),
                    limit: START_LIMIT,
                    last,
                    log: tail_of(&self.log_file()),
                });
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    fn still_runs(&self) -> Result<(), NodeError> {
        let slot = self.lock();
        let process = slot.as_ref().ok_or_else(|| self.not_running())?;
        match process
            .status()
            .map_err(|source| self.process_error(source))?
        {
            None => Ok(()),
            Some(status) => Err(NodeError::Ended {
                cluster: self.cluster.clone(),
                node: self.id,
                version: self.jars.version(),
                status,
                log: tail_of(&self.log_file()),
            }),
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), NodeError> {
        let slot = self.lock();
        let process = slot.as_ref().ok_or_else(|| self.not_running())?;
        process
            .signal(signal)
            .map_err(|source| self.process_error(source))
    }

    fn properties_file(&self) -> PathBuf {
        self.directory.join("server.properties")
    }

    fn lock(&self) -> MutexGuard<'_, Option<ManagedProcess>> {
        self.process
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn not_running(&self) -> NodeError {
        NodeError::NotRunning {
            cluster: self.cluster.clone(),
            node: self.id,
        }
    }

    fn process_error(&self, source: ProcessError) -> NodeError {
        NodeError::Process {
            cluster: self.cluster.clone(),
            node: self.id,
            source,
        }
    }
}

/// The end of a broker's log without the pages of configuration it prints at its start.
fn tail_of(path: &Path) -> String {
    let text = std::fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with('\t'))
        .collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}
