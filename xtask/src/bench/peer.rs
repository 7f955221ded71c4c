//! The replicators that are compared, and how each is started.
//!
//! All copy the same topic under the same name, with acks=all and the codec of the source, into a destination topic that
//! they create themselves with the source's partition count. MirrorMaker 2 runs *tuned*, in good faith (fewer, larger
//! requests, two tasks, parallel collector), and, when asked for, *stock*. The loop of librdkafka is the judge's program.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use test_support::kafka_jars::KafkaJars;
use test_support::managed_process::{ManagedProcess, Output, ProcessSpec};

use super::relay::Sides;
use crate::failure::{Attempt as _, Failure, Result};

/// A replicator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peer {
    Tributary,
    /// Tributary, with one source batch per request as it is.
    #[value(name = "unmerged")]
    Unmerged,
    /// Tributary, where copies get the next free offsets.
    Mapped,
    /// Tributary, taking every record apart and putting it together again: what passing through saves.
    Decoded,
    /// Another build of Tributary, see `--former`.
    Former,
    /// Tributary, with TLS to the source.
    #[value(name = "tls-source")]
    TlsSource,
    /// Tributary, with TLS on both sides.
    #[value(name = "tls-both")]
    TlsBoth,
    /// A loop that consumes and produces with librdkafka.
    Librdkafka,
    #[value(name = "mm2")]
    MirrorMakerTuned,
    #[value(name = "mm2-stock")]
    MirrorMakerStock,
}

/// Drops a header that no record has: each has to be looked at for that, and nothing is changed.
const DECODES: [&str; 6] = [
    "--set",
    "transforms=look",
    "--set",
    "transforms.look.type=DropHeaders",
    "--set",
    "transforms.look.headers=nobody-has-this",
];

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tributary => "Tributary",
            Self::Unmerged => "Tributary without merging",
            Self::Mapped => "Tributary, offsets mapped",
            Self::Decoded => "Tributary, decoding",
            Self::Former => "Tributary, former build",
            Self::TlsSource => "Tributary, TLS to the source",
            Self::TlsBoth => "Tributary, TLS on both sides",
            Self::Librdkafka => "librdkafka loop",
            Self::MirrorMakerTuned => "MirrorMaker 2 tuned",
            Self::MirrorMakerStock => "MirrorMaker 2 stock",
        })
    }
}

impl Peer {
    /// Which sides have TLS.
    pub(super) fn sides(self) -> Sides {
        match self {
            Self::TlsSource => Sides::Source,
            Self::TlsBoth => Sides::Both,
            _ => Sides::None,
        }
    }

    /// Whether it is Tributary, in one way or another, which ends by itself.
    pub(super) fn is_tributary(self) -> bool {
        !matches!(
            self,
            Self::Librdkafka | Self::MirrorMakerTuned | Self::MirrorMakerStock
        )
    }
}

/// One copy to be made.
#[derive(Debug)]
pub(super) struct Errand<'a> {
    pub(super) tributary: &'a Path,
    /// Has the loop of librdkafka.
    pub(super) judge: &'a Path,
    pub(super) jars: &'a KafkaJars,
    pub(super) source: &'a str,
    pub(super) destination: &'a str,
    pub(super) topic: &'a str,
    pub(super) codec: &'a str,
    /// Different for every run, so that none finds the positions of another.
    pub(super) name: &'a str,
    /// Takes configuration and logs.
    pub(super) directory: &'a Path,
    /// Client settings for the addresses with TLS.
    pub(super) tls_settings: Option<String>,
    /// `taskset -c 1` or nothing.
    pub(super) prefix: &'a [&'a str],
    /// Whether it is for records that come one by one, and goes on until it is ended.
    pub(super) goes_on: bool,
}

impl Errand<'_> {
    /// Starts the replicator; its output goes to the returned file.
    pub(super) fn start(&self, peer: Peer) -> Result<(ManagedProcess, PathBuf)> {
        let log = self.directory.join(format!("{}.log", self.name));
        let command = match peer {
            Peer::Tributary | Peer::Former => self.tributary_command(&[]),
            Peer::Mapped => self.tributary_command(&["--set", "tributary.offsets=map"]),
            Peer::Decoded => self.tributary_command(&DECODES),
            Peer::TlsSource | Peer::TlsBoth => {
                let settings = self.tls_settings.as_deref();
                let settings = settings.ok_or_else(|| Failure::new("there are no certificates"))?;
                let mut further = vec!["--from-config", settings];
                if peer == Peer::TlsBoth {
                    further.extend(["--to-config", settings]);
                }
                self.tributary_command(&further)
            }
            Peer::Unmerged => self.tributary_command(&["--set", "tributary.batch.merge.below=0"]),
            Peer::Librdkafka => self.loop_command(),
            Peer::MirrorMakerTuned | Peer::MirrorMakerStock => self.mirror_maker_command(peer)?,
        };
        let mut words = self
            .prefix
            .iter()
            .map(|word| (*word).to_owned())
            .chain(command);
        let program = words.next().expect("every command has a program");
        let spec = ProcessSpec::new(peer.to_string(), program)
            .arguments(words)
            .output(Output::File(log.clone()));
        Ok((
            ManagedProcess::start(spec).attempting(format!("start {peer}"))?,
            log,
        ))
    }

    fn tributary_command(&self, further: &[&str]) -> Vec<String> {
        let pattern = self.topic.replace('.', "\\.");
        let program = self.tributary.display().to_string();
        let arguments = ["replicate", "--from", self.source, "--to", self.destination];
        let ends: &[&str] = match self.goes_on {
            true => &[],
            false => &["--until-caught-up", "--hold", "1s"],
        };
        let options = ends.iter().copied().chain(["--progress", "off"]);
        let mut command = vec![program];
        command.extend(arguments.map(str::to_owned));
        command.extend([
            "--topics".to_owned(),
            pattern,
            "--name".to_owned(),
            self.name.to_owned(),
        ]);
        command.extend(options.map(str::to_owned));
        command.extend(further.iter().map(|word| (*word).to_owned()));
        command
    }

    fn loop_command(&self) -> Vec<String> {
        let program = self.judge.display().to_string();
        let words = ["copy", self.source, self.destination, self.topic];
        let linger = if self.goes_on { "0" } else { "20" };
        let options = [
            "--codec",
            self.codec,
            "--group",
            self.name,
            "--linger-ms",
            linger,
        ];
        let words = words.into_iter().chain(options);
        std::iter::once(program)
            .chain(words.map(str::to_owned))
            .collect()
    }

    fn mirror_maker_command(&self, peer: Peer) -> Result<Vec<String>> {
        let path = self.directory.join(format!("{}.properties", self.name));
        let text = mirror_maker_properties(self, peer);
        fs::write(&path, text).attempting(format!("write {}", path.display()))?;
        let machine: &[&str] = match peer {
            Peer::MirrorMakerStock => &["-Xms1g", "-Xmx1g", "-XX:+UseG1GC"],
            _ => &["-Xms2g", "-Xmx2g", "-XX:+UseParallelGC"],
        };
        let mut command = vec![self.jars.java().display().to_string()];
        command.extend(machine.iter().map(|word| (*word).to_owned()));
        command.push("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn".to_owned());
        command.extend(["-cp".to_owned(), self.jars.classpath()]);
        command.push("org.apache.kafka.connect.mirror.MirrorMaker".to_owned());
        command.push(path.display().to_string());
        Ok(command)
    }
}

/// The configuration of MirrorMaker 2, as published with the figures.
pub(super) fn mirror_maker_properties(errand: &Errand<'_>, peer: Peer) -> String {
    let common = format!(
        "clusters = A, B\n\
         A.bootstrap.servers = {}\n\
         B.bootstrap.servers = {}\n\
         A->B.enabled = true\n\
         B->A.enabled = false\n\
         A->B.topics = {}\n\
         replication.policy.class = org.apache.kafka.connect.mirror.IdentityReplicationPolicy\n\
         emit.heartbeats.enabled = false\n\
         emit.checkpoints.enabled = false\n\
         sync.topic.acls.enabled = false\n\
         sync.topic.configs.enabled = false\n\
         refresh.topics.interval.seconds = 600\n\
         refresh.groups.enabled = false\n\
         replication.factor = 1\n\
         offset-syncs.topic.replication.factor = 1\n\
         heartbeats.topic.replication.factor = 1\n\
         checkpoints.topic.replication.factor = 1\n\
         config.storage.replication.factor = 1\n\
         offset.storage.replication.factor = 1\n\
         status.storage.replication.factor = 1\n\
         B.producer.compression.type = {}\n",
        errand.source,
        errand.destination,
        errand.topic.replace('.', "\\\\."),
        errand.codec,
    );
    let further = match peer {
        Peer::MirrorMakerStock => "tasks.max = 1\n",
        _ => {
            "tasks.max = 2\n\
             A.consumer.max.poll.records = 5000\n\
             A.consumer.max.partition.fetch.bytes = 2097152\n\
             A.consumer.fetch.max.bytes = 52428800\n\
             A.consumer.receive.buffer.bytes = -1\n\
             B.producer.batch.size = 262144\n\
             B.producer.linger.ms = 20\n\
             B.producer.buffer.memory = 67108864\n\
             B.producer.max.request.size = 10485760\n\
             B.producer.enable.idempotence = true\n\
             B.producer.max.in.flight.requests.per.connection = 5\n\
             B.producer.send.buffer.bytes = -1\n"
        }
    };
    if errand.goes_on {
        return (common + further).replace("linger.ms = 20", "linger.ms = 0");
    }
    common + further
}
