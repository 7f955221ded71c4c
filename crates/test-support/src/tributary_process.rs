//! The real `tributary` binary as the process under test: started, watched, signalled, measured.
//!
//! Invariant: it never outlives the test, and what it printed is in every error.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;

use crate::eventually::{NotInTime, eventually};
use crate::managed_process::{
    CapturedLines, Line, ManagedProcess, ProcessError, ProcessSpec, Stream,
};

const TAIL_LINES: usize = 60;

/// The process under test did not do what the test expects.
#[derive(Debug, thiserror::Error)]
pub enum TributaryError {
    /// It could not be started, signalled or waited for.
    #[error("{source}; the end of its output:\n{tail}")]
    Process {
        /// What went wrong.
        source: ProcessError,
        /// What it printed last.
        tail: String,
    },
    /// A line that was expected did not come.
    #[error("{source}; the end of its output:\n{tail}")]
    NoLine {
        /// What was waited for.
        source: NotInTime,
        /// What it printed last.
        tail: String,
    },
    /// The system does not tell how much it uses.
    #[error("cannot read the usage of process {pid} from /proc")]
    NoUsage {
        /// Its number.
        pid: u32,
    },
}

/// What the process has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory now, bytes.
    pub resident: u64,
    /// The most resident memory it ever had, bytes.
    pub peak_resident: u64,
    /// Processor time in user mode.
    pub user: Duration,
    /// Processor time in the kernel on its behalf.
    pub system: Duration,
}

impl Usage {
    /// User and system time together.
    #[must_use]
    pub fn processor(&self) -> Duration {
        self.user + self.system
    }
}

/// A running `tributary`.
#[derive(Debug)]
pub struct TributaryProcess {
    process: ManagedProcess,
}

impl TributaryProcess {
    /// Starts the binary with arguments.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn start<A: Into<OsString>>(
        binary: &Path,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Self, TributaryError> {
        Self::start_spec(ProcessSpec::new("tributary", binary).arguments(arguments))
    }

    /// Starts it with environment, directory or input of its own.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn start_spec(spec: ProcessSpec) -> Result<Self, TributaryError> {
        let process = ManagedProcess::start(spec).map_err(|source| TributaryError::Process {
            source,
            tail: String::new(),
        })?;
        Ok(Self { process })
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it has printed.
    #[must_use]
    pub fn lines(&self) -> &CapturedLines {
        self.process.lines()
    }

    /// The kept lines of one stream as one text.
    #[must_use]
    pub fn text(&self, stream: Stream) -> String {
        self.lines().text(stream)
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn runs(&self) -> Result<bool, TributaryError> {
        self.process
            .status()
            .map(|status| status.is_none())
            .map_err(|source| self.failed(source))
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill9(&self) {
        self.process.kill();
    }

    /// SIGTERM: asks it to stop.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn terminate(&self) -> Result<(), TributaryError> {
        self.process
            .signal(Signal::TERM)
            .map_err(|source| self.failed(source))
    }

    /// SIGINT: what Ctrl-C sends.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn interrupt(&self) -> Result<(), TributaryError> {
        self.process
            .signal(Signal::INT)
            .map_err(|source| self.failed(source))
    }

    /// SIGSTOP: freezes it.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn suspend(&self) -> Result<(), TributaryError> {
        self.process
            .signal(Signal::STOP)
            .map_err(|source| self.failed(source))
    }

    /// SIGCONT: lets it go on.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn resume(&self) -> Result<(), TributaryError> {
        self.process
            .signal(Signal::CONT)
            .map_err(|source| self.failed(source))
    }

    /// Waits until it ends and its output has been read.
    ///
    /// # Errors
    /// When it still runs after `limit`.
    pub async fn wait(&self, limit: Duration) -> Result<ExitStatus, TributaryError> {
        let status = self
            .process
            .wait(limit)
            .await
            .map_err(|source| self.failed(source))?;
        let lines = self.lines();
        eventually("the end of its output", limit, async || {
            if lines.ended() { Ok(()) } else { Err("open") }
        })
        .await
        .map_err(|source| TributaryError::NoLine {
            source,
            tail: lines.tail(TAIL_LINES),
        })?;
        Ok(status)
    }

    /// Waits for a line on either stream that contains `text`, printed before or after this call.
    ///
    /// # Errors
    /// When none comes within `limit`, or the process ends without it.
    pub async fn expect_line(&self, text: &str, limit: Duration) -> Result<Line, TributaryError> {
        self.expect_line_where(&format!("a line with \"{text}\""), limit, |line| {
            line.text.contains(text)
        })
        .await
    }

    /// Waits for a line on either stream that `matches`.
    ///
    /// # Errors
    /// When none comes within `limit`.
    pub async fn expect_line_where(
        &self,
        what: &str,
        limit: Duration,
        matches: impl Fn(&Line) -> bool,
    ) -> Result<Line, TributaryError> {
        let lines = self.lines();
        let mut looked_at = 0;
        let mut ended = false;
        let found = eventually(what, limit, async || {
            // Asked before the lines are read: a line printed just before the end is then still seen.
            let ending = lines.ended();
            let new = lines.since(looked_at);
            looked_at += new.len();
            match new.into_iter().find(|line| matches(line)) {
                Some(line) => Ok(Some(line)),
                None if ending => {
                    ended = true;
                    Ok(None)
                }
                None => Err("other lines"),
            }
        })
        .await;
        let tail = || lines.tail(TAIL_LINES);
        match found {
            Ok(Some(line)) => Ok(line),
            Ok(None) => {
                let source = NotInTime::at_the_end_of(what, "the process ended without it");
                Err(TributaryError::NoLine {
                    source,
                    tail: tail(),
                })
            }
            Err(source) => Err(TributaryError::NoLine {
                source,
                tail: tail(),
            }),
        }
    }

    /// What it uses; only while it runs.
    ///
    /// # Errors
    /// When it has ended, or the system has no /proc.
    pub fn usage(&self) -> Result<Usage, TributaryError> {
        usage_of(self.pid()).ok_or(TributaryError::NoUsage { pid: self.pid() })
    }

    fn failed(&self, source: ProcessError) -> TributaryError {
        TributaryError::Process {
            source,
            tail: self.lines().tail(TAIL_LINES),
        }
    }
}

/// What a process of ours uses, from /proc; nothing when it has ended.
#[must_use]
pub fn usage_of(pid: u32) -> Option<Usage> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the program's name, which may contain anything: state is the first, utime the 12th, stime the 13th.
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Usage {
        resident: kibibytes(&status, "VmRSS:")?,
        peak_resident: kibibytes(&status, "VmHWM:")?,
        user: ticks(fields.get(11)?)?,
        system: ticks(fields.get(12)?)?,
    })
}

/// The value in bytes of a line of `/proc/PID/status`.
fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

fn ticks(field: &str) -> Option<Duration> {
    // USER_HZ is 100 on every Linux architecture that Rust supports.
    field
        .parse::<u64>()
        .ok()?
        .checked_mul(10)
        .map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventually::eventually;

    const SOON: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> TributaryProcess {
        TributaryProcess::start(Path::new("sh"), ["-c", script]).expect("a shell")
    }

    #[tokio::test]
    async fn a_line_is_found_whether_it_was_printed_before_or_after() {
        let process = shell("echo one; echo two >&2; exec sleep 600");
        assert_eq!(
            process
                .expect_line("tw", SOON)
                .await
                .expect("printed")
                .stream,
            Stream::Error
        );
        assert_eq!(
            process
                .expect_line("one", SOON)
                .await
                .expect("printed")
                .text,
            "one"
        );
    }

    #[tokio::test]
    async fn a_process_that_ends_without_the_line_is_an_error_with_its_output() {
        let process = shell("echo something else; exit 1");
        let error = process
            .expect_line("ready", SOON)
            .await
            .expect_err("never printed")
            .to_string();
        assert!(
            error.contains("ready") && error.contains("something else"),
            "{error}"
        );
        assert_eq!(process.wait(SOON).await.expect("ended").code(), Some(1));
    }

    #[tokio::test]
    async fn memory_and_processor_time_are_measured() {
        let process =
            shell("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo done; exec sleep 600");
        process.expect_line("done", SOON).await.expect("it counts");
        // While one program takes the place of the other there is next to nothing in memory.
        let settled = eventually("a whole program", SOON, async || {
            let usage = process.usage().expect("it runs");
            let is_whole = usage.resident > 100_000;
            if is_whole { Ok(usage) } else { Err(usage) }
        });
        let usage = settled.await.expect("its memory is told");
        assert!(usage.processor() >= Duration::from_millis(50), "{usage:?}");
        assert!(usage.peak_resident >= usage.resident, "{usage:?}");
        process.terminate().expect("it runs");
        assert!(!process.wait(SOON).await.expect("it ends").success());
    }
}
