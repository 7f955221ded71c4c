#![forbid(unsafe_code)]
//! Connect's HTTP contract over a worker's handle. The only crate that serves HTTP.
//!
//! ```text
//!   connection ─▶ server: limits, drain ─▶ gate: who, CORS, headers ─▶ route (pure) ─▶ endpoint ─▶ Handle
//!                                                                  └▶ v1: `/api/v1`, see there
//! ```
//!
//! Invariants:
//! * Every error body of Connect's paths has exactly `error_code`, equal to the status, and a `message` that is never empty.
//! * What a client sends is bounded before memory is taken for it, in size and in time.
//! * Nothing is decided here: an endpoint is one call of the handle.
//!
//! Where a request has to be done by another worker, `Handle` says so, and `endpoint::answer` passes it on (`forward`).

mod answer;
mod auth;
mod cors;
mod endpoint;
mod forward;
mod gate;
mod headers;
mod metered;
mod openapi;
mod patience;
mod query;
mod request;
mod route;
mod server;
mod ui;
mod v1;

pub use auth::{AuthProblem, Users};
pub use forward::OtherWorkers;
pub use metered::{MetricsSource, Usage};
pub use openapi::document as openapi_document;
pub use server::{Address, Bound, RestError, RestOptions};
pub use v1::link_checks;
