//! Runs the judge (`src/bin/judge/`), a process of its own, and reads what it prints.
//!
//! It reads clusters with librdkafka, which shares no code with Tributary. Being a process of its own keeps librdkafka
//! out of this program, which must build before a C++ compiler is known to be there, and keeps the judge's work out of
//! everybody's figures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::build::{self, Profile};
use crate::failure::{Attempt as _, Failure, Result};

/// First and end offset of every partition, by topic.
pub(crate) type Ends = BTreeMap<String, Vec<Span>>;

/// The offsets of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first: i64,
    /// One past the last.
    pub(crate) end: i64,
}

/// What one partition holds, as a consumer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartitionDigest {
    pub(crate) records: u64,
    /// Of keys and values.
    pub(crate) bytes: u64,
    /// Over key, value, headers and timestamp of every record, in order.
    pub(crate) hash: String,
}

/// The judge's program.
#[derive(Debug, Clone)]
pub(crate) struct Judge {
    program: PathBuf,
}

impl Judge {
    /// Builds it; the first time takes a minute, as it compiles librdkafka.
    pub(crate) fn build(root: &Path, profile: Profile) -> Result<Self> {
        let arguments = [
            "--package",
            "xtask",
            "--features",
            "judge",
            "--bin",
            "judge",
        ];
        let program = build::program(root, profile, &arguments, "judge")?;
        Ok(Self { program })
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Offsets of all topics but the brokers' own.
    pub(crate) async fn ends(&self, bootstrap: &str) -> Result<Ends> {
        let answer = self.ask(&["ends", bootstrap]).await?;
        let topics = answer.as_object().ok_or_else(|| unreadable(&answer))?;
        let span = |pair: &Value| {
            Some(Span {
                first: pair[0].as_i64()?,
                end: pair[1].as_i64()?,
            })
        };
        let spans = |partitions: &Value| -> Option<Vec<Span>> {
            partitions.as_array()?.iter().map(span).collect()
        };
        topics
            .iter()
            .map(|(topic, partitions)| Some((topic.clone(), spans(partitions)?)))
            .collect::<Option<Ends>>()
            .ok_or_else(|| unreadable(&answer))
    }

    /// Reads a topic from beginning to end; of a compacted one the last record of each key counts.
    pub(crate) async fn digest(
        &self,
        bootstrap: &str,
        topic: &str,
        compacted: bool,
    ) -> Result<Vec<PartitionDigest>> {
        let mut arguments = vec!["digest", bootstrap, topic];
        if compacted {
            arguments.push("--last-of-keys");
        }
        let answer = self.ask(&arguments).await?;
        let partition = |value: &Value| {
            let hash = value["hash"].as_str()?.to_owned();
            Some(PartitionDigest {
                records: value["records"].as_u64()?,
                bytes: value["bytes"].as_u64()?,
                hash,
            })
        };
        let partitions = answer.as_array().ok_or_else(|| unreadable(&answer))?;
        let all = partitions.iter().map(partition).collect::<Option<Vec<_>>>();
        all.ok_or_else(|| unreadable(&answer))
    }

    /// Creates a topic; `settings` are `key=value`.
    pub(crate) async fn create_topic(
        &self,
        bootstrap: &str,
        topic: &str,
        partitions: u32,
        settings: &[&str],
    ) -> Result<()> {
        let partitions = partitions.to_string();
        let mut arguments = vec!["create", bootstrap, topic, partitions.as_str()];
        arguments.extend_from_slice(settings);
        self.ask(&arguments).await.map(drop)
    }

    /// Runs the judge with these arguments and reads the JSON it prints.
    pub(crate) async fn ask(&self, arguments: &[&str]) -> Result<Value> {
        let output = tokio::process::Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .attempting("start the judge")?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let asked = arguments.join(" ");
            return Err(Failure::new(format!("judge {asked}: {}", complaint.trim())));
        }
        serde_json::from_slice(&output.stdout).attempting("read the judge's answer")
    }
}

fn unreadable(answer: &Value) -> Failure {
    Failure::new(format!("the judge answered something unexpected: {answer}"))
}
