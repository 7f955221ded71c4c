//! Why a request is not done: a kind, which becomes the status of an HTTP answer, and a sentence.
//!
//! Sentences that clients compare are made here, each once, letter by letter those of Kafka Connect.

use thiserror::Error;

/// What kind of refusal it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The request cannot be understood, or asks for what cannot be.
    BadRequest,
    /// It is switched off.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// It is there already, or something else is going on.
    Conflict,
    /// Not yet.
    Unavailable,
    /// A fault on this side.
    Internal,
    /// Another worker has to do it; the message is its URL.
    Elsewhere,
}

/// A request that was not done.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{message}")]
pub struct Refusal {
    /// What kind.
    pub kind: Kind,
    /// Why, for people; never empty.
    pub message: String,
}

impl Refusal {
    /// Any refusal.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// The request is wrong.
    #[must_use]
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(Kind::BadRequest, message)
    }

    /// A fault on this side.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// Reading something of a connector that is not there.
    #[must_use]
    pub fn connector_not_found(name: &str) -> Self {
        Self::new(Kind::NotFound, format!("Connector {name} not found"))
    }

    /// Changing the wanted state of one that is not there.
    #[must_use]
    pub fn unknown_connector(name: &str) -> Self {
        Self::new(Kind::NotFound, format!("Unknown connector {name}"))
    }

    /// Restarting one that is not there.
    #[must_use]
    pub fn restart_of_unknown(name: &str) -> Self {
        Self::new(Kind::NotFound, format!("Unknown connector: {name}"))
    }

    /// Restarting a task that is not there.
    #[must_use]
    pub fn unknown_task(name: &str, task: u32) -> Self {
        Self::new(Kind::NotFound, format!("Unknown task: {name}-{task}"))
    }

    /// No status of a connector.
    #[must_use]
    pub fn no_status(name: &str) -> Self {
        Self::new(
            Kind::NotFound,
            format!("No status found for connector {name}"),
        )
    }

    /// No status of a task.
    #[must_use]
    pub fn no_task_status(name: &str, task: u32) -> Self {
        Self::new(
            Kind::NotFound,
            format!("No status found for task {name}-{task}"),
        )
    }

    /// A name that is taken.
    #[must_use]
    pub fn exists(name: &str) -> Self {
        Self::new(Kind::Conflict, format!("Connector {name} already exists"))
    }

    /// Offsets of a connector that is not stopped.
    #[must_use]
    pub fn not_stopped(name: &str) -> Self {
        Self::bad(format!(
            "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the \
             specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
        ))
    }

    /// A configuration that cannot be used, with all its errors.
    #[must_use]
    pub fn invalid_config(errors: &[String]) -> Self {
        let list: String = errors.iter().map(|error| format!("\n{error}")).collect();
        Self::bad(format!(
            "Connector configuration is invalid and contains the following {} error(s):{list}\nYou can also find the \
             above list of errors at the endpoint `/connector-plugins/{{connectorType}}/config/validate`",
            errors.len()
        ))
    }

    /// Another worker has to do it.
    #[must_use]
    pub fn elsewhere(url: &str) -> Self {
        Self::new(Kind::Elsewhere, url)
    }

    /// Nobody is known who could do it.
    #[must_use]
    pub fn no_leader() -> Self {
        Self::new(
            Kind::Conflict,
            "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.",
        )
    }

    /// It cannot be done while something else is going on.
    #[must_use]
    pub fn conflicting() -> Self {
        Self::new(
            Kind::Conflict,
            "Cannot complete request because of a conflicting operation (e.g. worker rebalance)",
        )
    }

    /// What is known may not be the newest.
    #[must_use]
    pub fn stale() -> Self {
        Self::new(
            Kind::Conflict,
            "Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config \
             change)",
        )
    }

    /// The config topic could not be written.
    #[must_use]
    pub fn not_written() -> Self {
        Self::internal(
            "Failed to write to config topic; this may be due to a transient error and the request can be safely retried",
        )
    }

    /// The worker is going away.
    #[must_use]
    pub fn shutting_down() -> Self {
        Self::internal("Worker is shutting down")
    }
}
