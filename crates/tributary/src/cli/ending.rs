//! How a run of links ends and what it shows: options that all commands have that run links.

use std::time::Duration;

use clap::Args;

use crate::answers::{self, Given};
use crate::duration;
use crate::worker::RunOptions;

#[derive(Debug, Args)]
pub(super) struct Ending {
    /// End with code 0 once every partition is copied up to its end
    #[arg(long)]
    until_caught_up: bool,

    /// How long it has to stay so
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "10s", requires = "until_caught_up")]
    hold: Duration,

    /// Stop after this time
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    stop_after: Option<Duration>,

    /// Interval of the progress lines, or off
    #[arg(long, value_name = "DURATION|off", value_parser = duration::parse_or_off, default_value = "10s")]
    progress: duration::OrOff,

    /// What to say to a partition that stands, once: resume, skip-record, continue, append or recopy (repeatable)
    #[arg(long = "answer", value_name = "TOPIC/P=ACTION[@OFFSET]", value_parser = answers::parse)]
    answers: Vec<Given>,
}

impl Ending {
    /// Whether the run ends by itself.
    pub(super) fn ends(&self) -> bool {
        self.until_caught_up || self.stop_after.is_some()
    }

    /// The same, as the worker takes it.
    pub(super) fn options(&self) -> RunOptions {
        RunOptions {
            until_caught_up: self.until_caught_up.then_some(self.hold),
            stop_after: self.stop_after,
            progress: self.progress.0,
            answers: self.answers.clone(),
        }
    }
}
