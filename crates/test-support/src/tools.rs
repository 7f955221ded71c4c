//! Kafka's own command line programs, run from the jars: the authority on topics, configs and offsets, and the peer
//! (MirrorMaker 2) of benchmarks.
//!
//! Short runs are bounded in time and give their output back; long ones are managed processes. Each run is a Java
//! start of about a second: a test that asks often should ask librdkafka.

use std::path::Path;
use std::time::Duration;

use crate::class_archive;
use crate::eventually::eventually_true;
use crate::kafka_jars::{self, JarError, KafkaJars, KafkaVersion};
use crate::managed_process::{ManagedProcess, Output, ProcessError, ProcessSpec, Stream};

/// Kafka's `kafka-topics`.
pub const TOPIC_COMMAND: &str = "org.apache.kafka.tools.TopicCommand";
/// Kafka's `kafka-configs`.
pub const CONFIG_COMMAND: &str = "kafka.admin.ConfigCommand";
/// Kafka's `kafka-console-producer`.
pub const CONSOLE_PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
/// Kafka's `kafka-console-consumer`.
pub const CONSOLE_CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
/// Kafka's `kafka-get-offsets`.
pub const GET_OFFSETS: &str = "org.apache.kafka.tools.GetOffsetShell";
/// Kafka's `kafka-consumer-groups`.
pub const CONSUMER_GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
/// Kafka's `kafka-delete-records`.
pub const DELETE_RECORDS: &str = "org.apache.kafka.tools.DeleteRecordsCommand";
/// Kafka's `kafka-acls`, of Kafka 4.
pub const ACL_COMMAND: &str = "org.apache.kafka.tools.AclCommand";
/// Kafka's `kafka-acls`, of Kafka 3.
pub const ACL_COMMAND_3: &str = "kafka.admin.AclCommand";
/// Kafka's `kafka-dump-log`.
pub const DUMP_LOG: &str = "kafka.tools.DumpLogSegments";
/// Kafka's `kafka-producer-perf-test`.
pub const PRODUCER_PERFORMANCE: &str = "org.apache.kafka.tools.ProducerPerformance";
/// MirrorMaker 2 as a program of its own.
pub const MIRROR_MAKER: &str = "org.apache.kafka.connect.mirror.MirrorMaker";
/// A stand-alone Connect worker.
pub const CONNECT_STANDALONE: &str = "org.apache.kafka.connect.cli.ConnectStandalone";

/// How long a short run may take.
pub const LIMIT: Duration = Duration::from_secs(90);

/// A tool did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The jars are missing.
    #[error(transparent)]
    Jars(#[from] JarError),
    /// The process could not be handled, or took too long.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It ended with an error.
    #[error("{tool} {arguments} failed ({status}):\n{output}")]
    Failed {
        /// Its main class.
        tool: String,
        /// What it was called with.
        arguments: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The end of what it printed.
        output: String,
    },
}

/// What a tool printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolOutput {
    /// On standard output.
    pub output: String,
    /// On standard error.
    pub error: String,
}

/// The tools of one version.
#[derive(Debug, Clone)]
pub struct KafkaTools {
    jars: KafkaJars,
    heap_mib: u32,
}

impl KafkaTools {
    /// The tools that go with brokers of a version: its own, or those of 4.3.1 where none are published. Blocks while
    /// jars are fetched.
    ///
    /// # Errors
    /// When the jars cannot be had.
    pub fn for_version(version: KafkaVersion) -> Result<Self, JarError> {
        Ok(Self {
            jars: kafka_jars::fetch(version.tools())?,
            heap_mib: 256,
        })
    }

    /// The largest Java heap of a tool in MiB; 256 if not said.
    #[must_use]
    pub fn heap_mib(mut self, heap_mib: u32) -> Self {
        self.heap_mib = heap_mib;
        self
    }

    /// The jars they run from.
    #[must_use]
    pub fn jars(&self) -> &KafkaJars {
        &self.jars
    }

    /// Runs a tool (its main class) to its end, with nothing to read.
    ///
    /// # Errors
    /// When it fails or takes longer than [`LIMIT`].
    pub async fn run(&self, tool: &str, arguments: &[&str]) -> Result<ToolOutput, ToolError> {
        self.run_with_input(tool, arguments, None).await
    }

    /// Runs a tool to its end and gives it something to read.
    ///
    /// # Errors
    /// When it fails or takes longer than [`LIMIT`].
    pub async fn run_with_input(
        &self,
        tool: &str,
        arguments: &[&str],
        input: Option<Vec<u8>>,
    ) -> Result<ToolOutput, ToolError> {
        let mut short = class_archive::arguments(&self.jars);
        short.push("-XX:TieredStopAtLevel=1".to_owned());
        let mut spec = self.spec(tool, arguments, &short);
        spec.input = input;
        let process = ManagedProcess::start(spec)?;
        let status = process.wait(LIMIT).await?;
        let lines = process.lines();
        // The streams of an ended process end at once; a child of its own that kept them open would be its fault.
        let _ = eventually_true("the end of output", LIMIT, async || lines.ended()).await;
        if status.success() {
            return Ok(ToolOutput {
                output: lines.text(Stream::Output),
                error: lines.text(Stream::Error),
            });
        }
        Err(ToolError::Failed {
            tool: tool.to_owned(),
            arguments: arguments.join(" "),
            status,
            output: lines.tail(40),
        })
    }

    /// Starts a tool that runs until it is stopped, such as [`MIRROR_MAKER`], with the full JIT; its output is appended
    /// to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        &self,
        tool: &str,
        arguments: &[&str],
        log: &Path,
    ) -> Result<ManagedProcess, ToolError> {
        let spec = self
            .spec(tool, arguments, &[])
            .output(Output::File(log.to_path_buf()));
        Ok(ManagedProcess::start(spec)?)
    }

    /// Creates a topic; `configs` are `key=value`.
    ///
    /// # Errors
    /// When it exists already or the broker refuses.
    pub async fn create_topic(
        &self,
        bootstrap: &str,
        topic: &str,
        partitions: u32,
        configs: &[&str],
    ) -> Result<ToolOutput, ToolError> {
        let partitions = partitions.to_string();
        let mut arguments = vec![
            "--bootstrap-server",
            bootstrap,
            "--create",
            "--topic",
            topic,
        ];
        arguments.extend(["--partitions", &partitions]);
        arguments.extend(configs.iter().flat_map(|config| ["--config", config]));
        self.run(TOPIC_COMMAND, &arguments).await
    }

    fn spec(&self, tool: &str, arguments: &[&str], options: &[String]) -> ProcessSpec {
        let name = tool.rsplit('.').next().unwrap_or(tool);
        ProcessSpec::new(name, self.jars.java())
            .arguments(options)
            .arguments([
                format!("-Xmx{}m", self.heap_mib),
                "-XX:+UseSerialGC".to_owned(),
            ])
            .arguments([
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-cp",
                &self.jars.classpath(),
                tool,
            ])
            .arguments(arguments)
    }
}
