//! Workers to ask: Tributary's, and one of Kafka Connect from its jars, started with the same properties.

use std::time::Duration;

use serde_json::Value;
use test_support::eventually::eventually;
use test_support::kafka_jars::KafkaVersion;
use test_support::managed_process::{ManagedProcess, Stream};
use test_support::tools::KafkaTools;
use test_support::tributary_process::TributaryProcess;

use crate::connect_http::{Answer, Client};
use crate::support::program;

const STARTED: Duration = Duration::from_secs(60);
/// How long anything may take to be so, on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Something that answers Connect's REST API.
pub(crate) struct Worker {
    pub(crate) client: Client,
    pub(crate) folder: tempfile::TempDir,
    process: Process,
}

pub(crate) enum Process {
    Tributary(TributaryProcess),
    Connect(ManagedProcess),
}

impl Worker {
    /// A worker of Tributary with these lines in its file, and links from files of this content.
    pub(crate) async fn tributary(lines: &str, links: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let positions = folder.path().join("positions");
        let text = format!(
            "listeners=http://127.0.0.1:0\noffset.storage.file.filename={}\noffset.flush.interval.ms=1000\n{lines}\n",
            positions.display()
        );
        Self::of_files(folder, &text, links).await
    }

    /// As `tributary`, with nothing in its file but `text`.
    pub(crate) async fn of_files(folder: tempfile::TempDir, text: &str, links: &[&str]) -> Self {
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path.display().to_string()
        };
        let mut arguments = vec!["standalone".to_owned(), write("worker.properties", text)];
        arguments.extend(["--progress", "off"].map(str::to_owned));
        for (index, link) in links.iter().enumerate() {
            arguments.push(write(&format!("link-{index}"), link));
        }
        let process = program(&arguments);
        let line = process
            .expect_line("listening at http://", STARTED)
            .await
            .expect("it listens");
        let (_, address) = line.text.split_once("http://").expect("an address");
        Self {
            client: Client::new(address.trim()),
            folder,
            process: Process::Tributary(process),
        }
    }

    /// A worker of Kafka Connect, standalone, with connectors of MirrorMaker 2 in its class path.
    pub(crate) async fn connect(version: KafkaVersion, bootstrap: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("positions");
        let lines = format!("offset.storage.file.filename={}\n{more}", file.display());
        Self::java(version, "ConnectStandalone", bootstrap, &lines, folder).await
    }

    /// A worker of Kafka Connect that is one of a group, of one. Its topics begin with the group's name.
    pub(crate) async fn connect_group(version: KafkaVersion, bootstrap: &str, group: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let topic = |of: &str| {
            format!("{of}.storage.topic={group}-{of}s\n{of}.storage.replication.factor=1\n")
        };
        let lines = ["config", "offset", "status"].map(topic).concat();
        let lines = format!("group.id={group}\n{lines}");
        Self::java(version, "ConnectDistributed", bootstrap, &lines, folder).await
    }

    async fn java(
        version: KafkaVersion,
        class: &str,
        bootstrap: &str,
        lines: &str,
        folder: tempfile::TempDir,
    ) -> Self {
        let port = free_port();
        let text = format!(
            "bootstrap.servers={bootstrap}\nlisteners=http://127.0.0.1:{port}\n{lines}\n\
             offset.flush.interval.ms=1000\n\
             key.converter=org.apache.kafka.connect.converters.ByteArrayConverter\n\
             value.converter=org.apache.kafka.connect.converters.ByteArrayConverter\n"
        );
        let file = folder.path().join("worker.properties");
        std::fs::write(&file, text).expect("written");
        let tools = KafkaTools::for_version(version).expect("jars");
        let log = folder.path().join("log");
        let file = file.display().to_string();
        let process = tools
            .start(
                &format!("org.apache.kafka.connect.cli.{class}"),
                &[&file],
                &log,
            )
            .expect("Java starts");
        let worker = Self {
            client: Client::new(format!("127.0.0.1:{port}")),
            folder,
            process: Process::Connect(process),
        };
        let answers = async || match worker.client.raw(b"GET / HTTP/1.0\r\n\r\n").await {
            Ok(bytes) if bytes.starts_with(b"HTTP/1.1 200") => Ok(()),
            other => Err(format!("{other:?}")),
        };
        eventually("an answer of Kafka Connect", STARTED, answers)
            .await
            .expect("it starts");
        worker
    }

    /// The process of Tributary.
    pub(crate) fn process(&self) -> &TributaryProcess {
        match &self.process {
            Process::Tributary(process) => process,
            Process::Connect(process) => panic!("process {} is Kafka Connect", process.pid()),
        }
    }

    /// The process of Kafka Connect, and its folder.
    pub(crate) fn into_java(self) -> (ManagedProcess, tempfile::TempDir) {
        match self.process {
            Process::Connect(process) => (process, self.folder),
            Process::Tributary(_) => panic!("this worker is Tributary"),
        }
    }

    pub(crate) fn is_tributary(&self) -> bool {
        matches!(self.process, Process::Tributary(_))
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        match &self.process {
            Process::Tributary(process) => process.text(Stream::Error),
            Process::Connect(_) => {
                std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
            }
        }
    }

    /// Waits for the state of a connector.
    pub(crate) async fn becomes(&self, name: &str, state: &str) -> Value {
        let path = format!("/connectors/{name}/status");
        let waiting = format!("{name} to be {state}");
        let look = async || {
            let answer = self.client.get(&path).await;
            let json = answer.json();
            match json["connector"]["state"] == state {
                true => Ok(json),
                false => Err(answer.body),
            }
        };
        eventually(&waiting, SOON, look)
            .await
            .unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Fails unless the status is as expected.
pub(crate) fn expect(answer: Answer, status: u16) -> Answer {
    assert_eq!(answer.status, status, "{answer:?}");
    answer
}
