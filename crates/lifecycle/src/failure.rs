//! What a failed piece of work does to its scope, and how it is told.
//!
//! Policy is data, stated where the task is started: a reader of the start sees what its end will mean.

use std::fmt;

/// What follows when a task returns an error or panics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnFailure {
    /// The scope cannot do its work without this task: it is asked to stop, and everything below it.
    StopScope,
    /// The failure is recorded and logged; everything else goes on.
    Report,
}

/// A task that ended badly.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Full name of its scope.
    pub scope: String,
    /// Its name within the scope.
    pub task: String,
    /// What happened.
    pub cause: Cause,
    /// What was agreed to follow.
    pub on_failure: OnFailure,
}

/// How a task ended badly.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// It returned an error, shown here as text: errors of all rooms meet in a scope.
    Error(String),
    /// It panicked, with this message: a fault in the program.
    Panic(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Error(error) => write!(f, "{}/{} failed: {error}", self.scope, self.task),
            Cause::Panic(message) => write!(f, "{}/{} panicked: {message}", self.scope, self.task),
        }
    }
}

impl std::error::Error for Failure {}
