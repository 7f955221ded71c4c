//! The replicators that are compared, and how each is started.
//!
//! All copy the same topic under the same name, with acks=all and the codec of the source, into a destination topic that
//! they create themselves with the source's partition count. MirrorMaker 2 runs *tuned*, in good faith (fewer, larger
//! requests, two tasks, parallel collector), and, when asked for, *stock*. The loop of librdkafka is the judge's program.

mod mirror_maker;

use std::fmt;
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
    /// Tributary, computing the checksum of every batch on arrival: what patching them saves.
    Checked,
    /// Another build of Tributary, see `--former`.
    Former,
    /// Tributary, with TLS to the source.
    #[value(name = "tls-source")]
    TlsSource,
    /// Tributary, with TLS to the destination.
    #[value(name = "tls-destination")]
    TlsDestination,
    /// Tributary, with TLS on both sides.
    #[value(name = "tls-both")]
    TlsBoth,
    /// Another build of Tributary, with TLS on both sides.
    #[value(name = "former-tls")]
    FormerTls,
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
            Self::Checked => "Tributary, full checksums",
            Self::Former => "Tributary, former build",
            Self::TlsSource => "Tributary, TLS to the source",
            Self::TlsDestination => "Tributary, TLS to the destination",
            Self::TlsBoth => "Tributary, TLS on both sides",
            Self::FormerTls => "Tributary, former build, TLS on both sides",
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
            Self::TlsDestination => Sides::Destination,
            Self::TlsBoth | Self::FormerTls => Sides::Both,
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
    /// A second topic, of which nothing comes.
    pub(super) also: Option<&'a str>,
    /// Settings of the copies, for who does not look at the source's.
    pub(super) settings: &'a [&'a str],
    /// The copy is there, and keeps its own codec.
    pub(super) recompressed: bool,
    /// Milliseconds between commits of Connect's transactional mode.
    pub(super) commit: Option<u32>,
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
            Peer::Checked => self.tributary_command(&["--set", "src.consumer.check.crcs=true"]),
            Peer::TlsSource | Peer::TlsDestination | Peer::TlsBoth | Peer::FormerTls => {
                let settings = self.tls_settings.as_deref();
                let settings = settings.ok_or_else(|| Failure::new("there are no certificates"))?;
                let mut further = Vec::new();
                if peer != Peer::TlsDestination {
                    further.extend(["--from-config", settings]);
                }
                if peer != Peer::TlsSource {
                    further.extend(["--to-config", settings]);
                }
                self.tributary_command(&further)
            }
            Peer::Unmerged => self.tributary_command(&["--set", "tributary.batch.merge.below=0"]),
            Peer::Librdkafka => self.loop_command(),
            Peer::MirrorMakerTuned | Peer::MirrorMakerStock => mirror_maker::command(self, peer)?,
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
        let program = self.tributary.display().to_string();
        let arguments = ["replicate", "--from", self.source, "--to", self.destination];
        let ends: &[&str] = match self.goes_on {
            true => &[],
            false => &["--until-caught-up", "--hold", "1s"],
        };
        let mut command = vec![program];
        command.extend(arguments.map(str::to_owned));
        for topic in std::iter::once(self.topic).chain(self.also) {
            command.extend(["--topics".to_owned(), topic.replace('.', "\\.")]);
        }
        command.extend(["--name".to_owned(), self.name.to_owned()]);
        if let Some(milliseconds) = self.commit {
            let interval = format!("transaction.boundary.interval.ms={milliseconds}");
            for setting in [
                "exactly.once.support=required",
                "transaction.boundary=interval",
                &interval,
            ] {
                command.extend(["--set".to_owned(), setting.to_owned()]);
            }
        }
        if self.recompressed {
            let kept = "config.properties.exclude=compression.type";
            command.extend(["--set".to_owned(), kept.to_owned()]);
        }
        let options = ends.iter().chain(&["--progress", "off"]).chain(further);
        command.extend(options.map(|word| (*word).to_owned()));
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
        let also = self.also.into_iter().flat_map(|topic| ["--also", topic]);
        let settings = self
            .settings
            .iter()
            .flat_map(|setting| ["--setting", *setting]);
        let words = words.into_iter().chain(options).chain(also).chain(settings);
        std::iter::once(program)
            .chain(words.map(str::to_owned))
            .collect()
    }
}
