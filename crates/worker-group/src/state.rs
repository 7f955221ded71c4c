//! The states of connectors and tasks, in Connect's words. Clients know exactly these.

use serde::Serialize;

/// What a connector is wanted to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TargetState {
    /// To run.
    #[default]
    Started,
    /// To stand still, with its tasks.
    Paused,
    /// To stand still, without tasks; offsets can be changed.
    Stopped,
}

impl TargetState {
    /// As the config topic has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "STARTED",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
        }
    }

    /// From the config topic.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Started, Self::Paused, Self::Stopped]
            .into_iter()
            .find(|state| state.as_str() == text)
    }

    /// From `initial_state` of a request, in any case.
    #[must_use]
    pub fn parse_initial(text: &str) -> Option<Self> {
        match text.to_ascii_uppercase().as_str() {
            "RUNNING" => Some(Self::Started),
            "PAUSED" => Some(Self::Paused),
            "STOPPED" => Some(Self::Stopped),
            _ => None,
        }
    }
}

/// What a connector or task does. `Stopped` occurs on connectors only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// Nobody runs it yet.
    Unassigned,
    /// It runs. That does not mean that it is healthy.
    Running,
    /// It stands still, because that is wanted.
    Paused,
    /// It needs somebody.
    Failed,
    /// It is being begun anew.
    Restarting,
    /// It stands still without tasks, because that is wanted.
    Stopped,
}

impl State {
    /// As the status topic has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unassigned => "UNASSIGNED",
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Failed => "FAILED",
            Self::Restarting => "RESTARTING",
            Self::Stopped => "STOPPED",
        }
    }

    /// From the status topic.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [
            Self::Unassigned,
            Self::Running,
            Self::Paused,
            Self::Failed,
            Self::Restarting,
            Self::Stopped,
        ]
        .into_iter()
        .find(|state| state.as_str() == text)
    }
}
