//! `cargo xtask ui --live`: a person's first link, in Chromium against real workers and real clusters.
//!
//! ```text
//!  source ══▶ two workers of a group ══▶ destination   ◀── the browser makes a link, breaks it, repairs it
//!         ══▶ a worker with users    ══▶               ◀── somebody signs in who may only look
//! ```
//! The script says what has to happen to the clusters (`! stop destination`), and is told when it has. What the page shows is
//! compared with what the judge reads (`! ends source`): librdkafka, past the proxies and the workers. What looking costs is
//! the processor time of the worker that answers the browser (`! processor`), in milliseconds. The other worker of the group is
//! frozen and thawed: connections to it stay open, and it answers nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use test_support::fault_proxy::Direction;
use test_support::kafka_cluster::{ClusterBuilder, KafkaCluster};
use test_support::kafka_jars::KafkaVersion;
use test_support::run_directory::RunDirectory;
use test_support::tools::{CONSOLE_PRODUCER, KafkaTools, TOPIC_COMMAND};
use test_support::tributary_process::TributaryProcess;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

use crate::build::Profile;
use crate::failure::{Attempt as _, Failure, Result};
use crate::judge::Judge;
use crate::{kafka, output, setup};

/// How long a worker may take to listen.
const STARTED: Duration = Duration::from_secs(60);

/// A worker that is frozen stays in its group while that is looked at: one that was lost would have its work taken over, and what
/// it had would be known again.
const GROUP: &str = "group.id=browsers\nconfig.storage.topic=browsers.config\noffset.storage.topic=browsers.offset\n\
    status.storage.topic=browsers.status\nconfig.storage.replication.factor=1\noffset.storage.replication.factor=1\n\
    status.storage.replication.factor=1\nsession.timeout.ms=60000\n";

/// What is wanted of the script.
pub(super) struct Script<'a> {
    /// A folder for pictures.
    pub(super) pictures: Option<&'a Path>,
    /// Names of its parts, between commas; all where none is given.
    pub(super) only: Option<&'a str>,
    /// Whether what the worker costs is judged, or only told.
    pub(super) judged: bool,
}

/// Starts everything, runs the script, and ends everything.
pub(super) fn run(root: &Path, ui: &Path, program: &Path, script: &Script<'_>) -> Result<()> {
    setup::ensure(setup::FOR_DEMO)?;
    let tools = kafka::tools(KafkaVersion::default())?;
    let judge = Judge::build(root, Profile::Debug)?;
    crate::runtime()?.block_on(play(&tools, judge, program, ui, script))
}

struct Stage<'a> {
    tools: &'a KafkaTools,
    judge: Judge,
    source: KafkaCluster,
    destination: KafkaCluster,
    directory: RunDirectory,
}

async fn play(
    tools: &KafkaTools,
    judge: Judge,
    program: &Path,
    ui: &Path,
    wanted: &Script<'_>,
) -> Result<()> {
    let builder = |name| KafkaCluster::builder().name(name).through_proxy(true);
    let [source, destination] = ClusterBuilder::start_all(["source", "destination"].map(builder))
        .await
        .attempting("start the clusters")?;
    let stage = Stage {
        tools,
        judge,
        source,
        destination,
        directory: RunDirectory::new("ui").attempting("make a directory")?,
    };
    for topic in ["orders", "orders.lines"] {
        stage.create(topic).await?;
        stage.produce(topic, 500).await?;
    }
    let (other, _) = stage.worker(program, "first", GROUP, None).await?;
    let (answering, open) = stage.worker(program, "open", GROUP, None).await?;
    let users = stage.write(
        "users",
        "admin.basic.mira=may-change\nviewer.basic.vera=only-looks\n",
    )?;
    let lines = format!("tributary.rest.auth.file={}\n", users.display());
    let link = stage.write(
        "guarded.properties",
        &format!(
            "name=guarded\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={}\n\
             topic.whitelist=orders\ntopic.rename.format=guarded.${{topic}}\n",
            stage.source.proxied_bootstrap()
        ),
    )?;
    let (_guarded, guarded) = stage.worker(program, "guarded", &lines, Some(link)).await?;
    let given = json!({
        "worker": open,
        "source": stage.source.proxied_bootstrap(),
        "destination": stage.destination.proxied_bootstrap(),
        "guarded": guarded,
        "pictures": wanted.pictures.map(|path| path.display().to_string()),
        "only": wanted.only,
        "judged": wanted.judged,
    });
    let mut script = Command::new("node");
    let script = script.current_dir(ui).arg("test/worker.mjs");
    script.arg(given.to_string());
    let group = Workers { answering, other };
    stage.follow(script, &group).await
}

/// The workers of the group: the one that the browser asks, and another.
struct Workers {
    answering: TributaryProcess,
    other: TributaryProcess,
}

impl Stage<'_> {
    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.directory.path().join(name);
        fs::write(&path, text).attempting(format!("write {}", path.display()))?;
        Ok(path)
    }

    async fn create(&self, topic: &str) -> Result<()> {
        let at = self.source.bootstrap();
        let created = self.tools.create_topic(&at, topic, 2, &[]);
        created.await.attempting(format!("create {topic}"))?;
        Ok(())
    }

    async fn produce(&self, topic: &str, count: usize) -> Result<()> {
        let lines: String = (0..count)
            .map(|number| format!("{topic} {number}\n"))
            .collect();
        let at = self.source.bootstrap();
        let arguments = ["--bootstrap-server", &at, "--topic", topic];
        let produced = self
            .tools
            .run_with_input(CONSOLE_PRODUCER, &arguments, Some(lines.into_bytes()))
            .await;
        produced.attempting(format!("produce to {topic}"))?;
        Ok(())
    }

    /// A worker of its own, and where it is.
    async fn worker(
        &self,
        program: &Path,
        name: &str,
        lines: &str,
        link: Option<PathBuf>,
    ) -> Result<(TributaryProcess, String)> {
        let positions = self.directory.path().join(format!("{name}.positions"));
        let grouped = lines.contains("group.id=");
        let alone = match grouped {
            true => String::new(),
            false => format!("offset.storage.file.filename={}\n", positions.display()),
        };
        let text = format!(
            "bootstrap.servers={}\nlisteners=http://127.0.0.1:0\n{alone}{lines}",
            // The group goes on where its link's destination hangs.
            self.destination.bootstrap()
        );
        let file = self.write(&format!("{name}.worker"), &text)?;
        let verb = if grouped { "distributed" } else { "standalone" };
        let mut arguments = vec![PathBuf::from(verb), file];
        arguments.extend(link);
        let process = TributaryProcess::start(program, arguments).attempting("start tributary")?;
        let said = "listening at http://";
        let line = process.expect_line(said, STARTED).await;
        let line = line.attempting("wait for the worker")?.text;
        let address = line.split_once(said).map(|(_, address)| address.trim());
        let address = address.ok_or_else(|| Failure::new("the worker names no address"))?;
        Ok((process, format!("http://{address}")))
    }

    /// Runs the script, and does what it asks for.
    async fn follow(&self, script: &mut Command, workers: &Workers) -> Result<()> {
        let script = script.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = script.kill_on_drop(true).spawn().attempting("start node")?;
        let (input, output) = script
            .stdin
            .take()
            .zip(script.stdout.take())
            .ok_or_else(|| Failure::new("node has no pipes"))?;
        let (mut input, mut lines) = (input, BufReader::new(output).lines());
        while let Some(line) = lines.next_line().await.attempting("read what node says")? {
            let Some(wish) = line.strip_prefix("! ") else {
                output::line(line);
                continue;
            };
            output::line(format!("   … {wish}"));
            let answer = self.fulfil(wish, workers).await?;
            let told = input.write_all(format!("done {answer}\n").as_bytes()).await;
            told.attempting("answer node")?;
        }
        let status = script.wait().await.attempting("wait for node")?;
        match status.success() {
            true => Ok(()),
            false => Err(Failure::new(format!("the script ended with {status}"))),
        }
    }

    /// Does what is asked for; what is answered, where something was asked.
    async fn fulfil(&self, wish: &str, workers: &Workers) -> Result<String> {
        let words: Vec<&str> = wish.split(' ').collect();
        if let ["ends", side] = words[..] {
            let cluster = match side {
                "source" => &self.source,
                _ => &self.destination,
            };
            let ends = self.judge.ask(&["ends", &cluster.bootstrap()]).await?;
            return Ok(ends.to_string());
        }
        match words[..] {
            ["processor"] => {
                let usage = workers.answering.usage();
                let usage = usage.attempting("read what the worker uses")?;
                return Ok(usage.processor().as_millis().to_string());
            }
            ["freeze"] => workers.other.suspend().attempting("freeze a worker")?,
            ["thaw"] => workers.other.resume().attempting("thaw a worker")?,
            _ => self.bring_about(wish, &words).await?,
        }
        Ok(String::new())
    }

    async fn bring_about(&self, wish: &str, words: &[&str]) -> Result<()> {
        match *words {
            ["stop", "destination"] => {
                for direction in [Direction::Requests, Direction::Answers] {
                    self.destination.proxy(0).stall(direction);
                }
                Ok(())
            }
            ["heal"] => {
                self.destination.proxy(0).heal().await;
                Ok(())
            }
            ["produce", topic, count] => {
                let count = count.parse().attempting("understand the script")?;
                self.produce(topic, count).await
            }
            ["recreate", topic] => {
                let at = self.source.bootstrap();
                let arguments = ["--bootstrap-server", &at, "--delete", "--topic", topic];
                let deleted = self.tools.run(TOPIC_COMMAND, &arguments).await;
                deleted.attempting(format!("delete {topic}"))?;
                self.create(topic).await?;
                self.produce(topic, 50).await
            }
            _ => Err(Failure::new(format!("the script asks for {wish:?}"))),
        }
    }
}
