//! Kafka's own console producer as a long-lived process, fed line by line.
//!
//! ```text
//! feeding thread ──lines──▶ named pipe ──stdin──▶ kafka-console-producer ──▶ broker
//! ```
//! Everything there is goes in at once, then the same lines again and again at a steady rate, now and then one that
//! deletes its key. Closing the pipe is how the producer is stopped: it sends what it holds and ends by itself, so what
//! was fed is what the source has.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use test_support::kafka_jars::KafkaJars;
use test_support::managed_process::{ManagedProcess, ProcessSpec};
use tokio::time::Instant;

use super::data::{NULL_MARKER, deletion_of};
use crate::failure::{Attempt as _, Failure, Result};

/// How often the steady part writes.
const TICK: Duration = Duration::from_millis(100);
/// Every so many steady lines, one deletes its key.
const DELETION_EVERY: usize = 100;
/// How long a producer may take to send what it holds and end.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// What to produce.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) bootstrap: String,
    pub(super) topic: String,
    pub(super) lines: Vec<String>,
    /// Lines per second once everything went in; at least 10.
    pub(super) rate: usize,
    pub(super) codec: &'static str,
}

/// A running producer.
#[derive(Debug)]
pub(super) struct Producer {
    topic: String,
    process: ManagedProcess,
    stop: Arc<AtomicBool>,
    feeding: JoinHandle<std::io::Result<u64>>,
}

impl Producer {
    /// Starts the producer and the thread that feeds it; `directory` takes the named pipe.
    pub(super) fn start(jars: &KafkaJars, directory: &Path, feed: Feed) -> Result<Self> {
        let pipe = directory.join(format!(
            "{}-{}.pipe",
            feed.topic,
            feed.bootstrap.replace(':', "-")
        ));
        make_pipe(&pipe)?;
        let process = ManagedProcess::start(command(jars, &pipe, &feed))
            .attempting(format!("start the console producer of {}", feed.topic))?;
        let stop = Arc::new(AtomicBool::new(false));
        let topic = feed.topic.clone();
        let feeding = {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || write_lines(&pipe, &feed, &stop))
        };
        Ok(Self {
            topic,
            process,
            stop,
            feeding,
        })
    }

    /// Fails when the producer ended by itself.
    pub(super) fn check(&self) -> Result<()> {
        match self
            .process
            .status()
            .attempting("look at a console producer")?
        {
            None => Ok(()),
            Some(status) => Err(Failure::new(format!(
                "the console producer of {} ended with {status}:\n{}",
                self.topic,
                self.process.lines().tail(20)
            ))),
        }
    }

    /// Stops feeding and waits until the producer has sent everything; returns how many lines it was given.
    pub(super) async fn finish(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let deadline = Instant::now() + STOP_LIMIT;
        while !self.feeding.is_finished() {
            self.check()?;
            if Instant::now() > deadline {
                return Err(Failure::new(format!(
                    "{}: the producer takes no more lines",
                    self.topic
                )));
            }
            tokio::time::sleep(TICK).await;
        }
        let fed = self
            .feeding
            .join()
            .map_err(|_| Failure::new("a feeding thread panicked"))?;
        let fed = fed.attempting(format!("feed the console producer of {}", self.topic))?;
        let status = self
            .process
            .wait(STOP_LIMIT)
            .await
            .attempting("stop a console producer")?;
        let complaints = self.process.lines().tail(20);
        if status.success() && !complaints.contains("ERROR") {
            return Ok(fed);
        }
        Err(Failure::new(format!(
            "the console producer of {} ended with {status}:\n{complaints}",
            self.topic
        )))
    }
}

fn make_pipe(pipe: &Path) -> Result<()> {
    let status = Command::new("mkfifo")
        .arg(pipe)
        .status()
        .attempting("start mkfifo")?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "mkfifo {} ended with {status}",
        pipe.display()
    )))
}

/// A shell that puts the pipe in place of standard input and becomes the producer.
fn command(jars: &KafkaJars, pipe: &Path, feed: &Feed) -> ProcessSpec {
    let properties = [
        "parse.key=true".to_owned(),
        "parse.headers=true".to_owned(),
        format!("null.marker={NULL_MARKER}"),
    ];
    let mut arguments = vec![
        "-c".to_owned(),
        "exec \"$@\" < \"$0\"".to_owned(),
        pipe.display().to_string(),
        jars.java().display().to_string(),
    ];
    let java = [
        "-Xmx96m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
    ];
    arguments.extend(java.map(str::to_owned));
    arguments.push(jars.classpath());
    arguments.push("org.apache.kafka.tools.ConsoleProducer".to_owned());
    arguments.extend(["--bootstrap-server".to_owned(), feed.bootstrap.clone()]);
    arguments.extend(["--topic".to_owned(), feed.topic.clone()]);
    arguments.extend(["--compression-codec".to_owned(), feed.codec.to_owned()]);
    for property in properties {
        arguments.extend(["--reader-property".to_owned(), property]);
    }
    ProcessSpec::new(
        format!("console producer of {}", feed.topic),
        PathBuf::from("sh"),
    )
    .arguments(arguments)
}

/// Writes until told to stop; returns how many lines.
fn write_lines(pipe: &Path, feed: &Feed, stop: &AtomicBool) -> std::io::Result<u64> {
    // Opening blocks until the producer's shell has opened the other end.
    let mut pipe = BufWriter::new(OpenOptions::new().write(true).open(pipe)?);
    let mut written = 0;
    for line in &feed.lines {
        if stop.load(Ordering::Relaxed) {
            return pipe.flush().map(|()| written);
        }
        writeln!(pipe, "{line}")?;
        written += 1;
    }
    pipe.flush()?;
    let per_tick = (feed.rate / 10).max(1);
    for (index, line) in feed.lines.iter().cycle().enumerate() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        if index % DELETION_EVERY == DELETION_EVERY - 1 {
            writeln!(pipe, "{}", deletion_of(line))?;
        } else {
            writeln!(pipe, "{line}")?;
        }
        written += 1;
        if index % per_tick == per_tick - 1 {
            pipe.flush()?;
            std::thread::sleep(TICK);
        }
    }
    pipe.flush()?;
    Ok(written)
}
