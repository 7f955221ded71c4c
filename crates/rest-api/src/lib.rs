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
//! Deliberately absent: calls to other workers. Where a request has to be done by another worker, `Handle` will say so,
//! and the place to pass it on is `endpoint::answer`.

mod answer;
mod auth;
mod cors;
mod endpoint;
mod gate;
mod headers;
mod openapi;
mod query;
mod request;
mod route;
mod server;
mod ui;
mod v1;

pub use auth::{AuthProblem, Users};
pub use openapi::document as openapi_document;
pub use server::{Bound, RestError, RestOptions};
