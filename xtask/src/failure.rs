//! The one error of the developer commands: a sentence, and the exit code that goes with it.
//!
//! Nothing here is retried or told apart by callers, so there is no enum: whoever fails says what was attempted, what
//! went wrong and what to do.

use std::fmt::Display;

/// Why a command ends without success.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub(crate) struct Failure {
    sentence: String,
    exit_code: u8,
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure with exit code 1.
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            exit_code: 1,
        }
    }

    /// A failure after an interrupt from the terminal: exit code 130, as shells have it.
    pub(crate) fn interrupted() -> Self {
        Self {
            sentence: "interrupted".to_owned(),
            exit_code: 130,
        }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

/// Turns any error into a [`Failure`] that says what was attempted.
pub(crate) trait Attempt<T> {
    fn attempting(self, what: impl Display) -> Result<T>;
}

impl<T, E: Display> Attempt<T> for std::result::Result<T, E> {
    fn attempting(self, what: impl Display) -> Result<T> {
        self.map_err(|error| Failure::new(format!("failed to {what}: {error}")))
    }
}
