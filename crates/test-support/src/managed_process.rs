//! Child processes that cannot outlive their owner.
//!
//! Three things end a child, each for one way its owner can end:
//! * the owner drops it: killed and waited for;
//! * the owning process exits with the value in a `static`, or is killed itself: the kernel kills the child, because it
//!   was started through `setpriv --pdeathsig KILL`;
//! * there is no `setpriv`: a watchdog shell reads from a pipe whose other end only the owner holds, and kills when it
//!   closes.
//!
//! Invariant: a signal is sent only to a process that has not been waited for, so its number cannot have been reused.

mod capture;
mod keeper;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

pub use capture::{CapturedLines, Line, Stream};

/// Pause between two looks whether a process has ended.
const PAUSE: Duration = Duration::from_millis(10);

/// A child process could not be started, signalled or waited for.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The program cannot be run, or its output file cannot be written.
    #[error("cannot start {name} ({program}): {source}")]
    Start {
        /// What the process is for.
        name: String,
        /// The program.
        program: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not running any more.
    #[error("{name} has already ended ({status})")]
    Ended {
        /// What the process is for.
        name: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// It did not end in time.
    #[error("{name} (process {pid}) did not end within {limit:?}")]
    StillRuns {
        /// What the process is for.
        name: String,
        /// Its number.
        pid: u32,
        /// How long was waited.
        limit: Duration,
    },
    /// The system refused.
    #[error("cannot {what} {name}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the process is for.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Where the output of a child goes.
#[derive(Debug, Clone)]
pub enum Output {
    /// Both streams are appended to this file.
    File(PathBuf),
    /// The last lines of both streams are kept in memory.
    Captured,
}

/// What to start.
#[derive(Debug, Clone)]
pub struct ProcessSpec {
    /// What the process is for, in messages.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Variables set in addition to the inherited ones.
    pub environment: Vec<(String, OsString)>,
    /// Where it runs; the owner's directory if not given.
    pub directory: Option<PathBuf>,
    /// What it reads from standard input; nothing if not given.
    pub input: Option<Vec<u8>>,
    /// Where its output goes.
    pub output: Output,
}

impl ProcessSpec {
    /// A program without arguments, whose output is captured.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
            input: None,
            output: Output::Captured,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Gives it something to read.
    #[must_use]
    pub fn input(mut self, input: Vec<u8>) -> Self {
        self.input = Some(input);
        self
    }

    /// Says where its output goes.
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }
}

/// A child process that is killed and waited for when this value is dropped.
#[derive(Debug)]
pub struct ManagedProcess {
    name: String,
    pid: u32,
    state: Mutex<State>,
    lines: CapturedLines,
}

#[derive(Debug)]
struct State {
    child: Child,
    /// Set once the child has been waited for.
    status: Option<ExitStatus>,
    watchdog: Option<Child>,
}

impl ManagedProcess {
    /// Starts the process.
    ///
    /// # Errors
    /// When the program cannot be run or its output file cannot be opened.
    pub fn start(spec: ProcessSpec) -> Result<Self, ProcessError> {
        let ProcessSpec {
            name,
            program,
            arguments,
            environment,
            directory,
            input,
            output,
        } = spec;
        let failed = |source| ProcessError::Start {
            name: name.clone(),
            program: program.clone(),
            source,
        };
        let guarded = keeper::dies_with_us(&program);
        let mut command = guarded.command;
        command.args(arguments).envs(environment);
        if let Some(directory) = directory {
            command.current_dir(directory);
        }
        command.stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        match &output {
            Output::File(path) => {
                let file = std::fs::OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(path)
                    .map_err(failed)?;
                command
                    .stderr(file.try_clone().map_err(failed)?)
                    .stdout(file);
            }
            Output::Captured => {
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
            }
        }
        let mut child = keeper::spawn(command).map_err(failed)?;
        let watchdog = if guarded.needs_watchdog {
            keeper::watchdog(child.id())
        } else {
            None
        };
        let lines = CapturedLines::default();
        if let Some(stream) = child.stdout.take() {
            lines.read(Stream::Output, stream);
        }
        if let Some(stream) = child.stderr.take() {
            lines.read(Stream::Error, stream);
        }
        if let (Some(input), Some(stream)) = (input, child.stdin.take()) {
            capture::write(input, stream);
        }
        let pid = child.id();
        Ok(Self {
            name,
            pid,
            state: Mutex::new(State {
                child,
                status: None,
                watchdog,
            }),
            lines,
        })
    }

    /// The process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What the process is for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The captured output; empty where it goes to a file.
    #[must_use]
    pub fn lines(&self) -> &CapturedLines {
        &self.lines
    }

    /// How it ended, or nothing while it runs.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn status(&self) -> Result<Option<ExitStatus>, ProcessError> {
        self.state()
            .poll()
            .map_err(|source| self.refused("look at", source))
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When it has already ended.
    pub fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        let mut state = self.state();
        match state
            .poll()
            .map_err(|source| self.refused("look at", source))?
        {
            Some(status) => Err(ProcessError::Ended {
                name: self.name.clone(),
                status,
            }),
            None => kill_process(pid_of(&state.child), signal)
                .map_err(|errno| self.refused("send a signal to", errno.into())),
        }
    }

    /// Kills it (SIGKILL) and waits until it is gone. Does nothing when it has already ended.
    pub fn kill(&self) {
        self.state().end();
    }

    /// Waits until it ends by itself, at most for `limit`.
    ///
    /// # Errors
    /// When it still runs then.
    pub async fn wait(&self, limit: Duration) -> Result<ExitStatus, ProcessError> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.status()? {
                return Ok(status);
            }
            if Instant::now() >= end {
                return Err(ProcessError::StillRuns {
                    name: self.name.clone(),
                    pid: self.pid,
                    limit,
                });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the lock must still have its processes ended.
        self.state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn refused(&self, what: &'static str, source: std::io::Error) -> ProcessError {
        ProcessError::System {
            what,
            name: self.name.clone(),
            source,
        }
    }
}

impl State {
    fn poll(&mut self) -> std::io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
        }
        Ok(self.status)
    }

    /// Kills and waits: the watchdog first, so that it never signals a number that has been given to somebody else.
    fn end(&mut self) {
        if let Some(mut watchdog) = self.watchdog.take() {
            let _ = watchdog.kill();
            let _ = watchdog.wait();
        }
        if self.status.is_none() {
            let _ = self.child.kill();
            self.status = self.child.wait().ok();
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.end();
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_child(child)
}

/// A command and whether the kernel already ends it with us.
struct Guarded {
    command: Command,
    needs_watchdog: bool,
}

#[cfg(test)]
mod tests;
