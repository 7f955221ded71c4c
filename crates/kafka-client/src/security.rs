//! TLS and SASL of the connections to one cluster.
//!
//! ```text
//! config::Security ──▶ protection.rs   what holds now: files read, variables looked up, tokens fetched
//!                        │  pem.rs, jks.rs, store.rs   keys and certificates out of files
//!                        │  aws.rs, aws_profile.rs, aws_roles.rs   signatures of AWS_MSK_IAM, and whose they are
//!                        │  kerberos.rs, gssapi.rs   tickets of GSSAPI, from the system's library
//!                        │  token.rs, endpoint.rs, assertion.rs   OAUTHBEARER's tokens
//!                        ▼
//! connection/dial.rs ──▶ tls.rs (handshake) ──▶ sasl.rs (scram.rs) ──▶ requests
//! ```
//!
//! `listener.rs` uses the same files and formats for those who connect to this process.
//!
//! Invariants
//! - What a peer sends before it has proved who it is reserves little memory and costs little time.
//! - A connection never changes its credentials: when they change, or its session is about to end, it is followed by a
//!   new one between two requests ([`crate::connection::Renewal`]), so that nothing is lost and nothing repeated.
//! - Material that cannot be read never replaces material that could: it is used on, and said.
//! - No text made here contains a secret.

mod assertion;
mod aws;
mod aws_profile;
mod aws_roles;
mod certificate;
mod date;
mod endpoint;
mod explain;
mod gssapi;
mod jks;
mod kerberos;
mod listener;
mod pem;
mod protection;
mod sasl;
mod scram;
mod store;
mod tls;
mod token;

pub use listener::{ListenerProtection, OutwardProtection};

pub(crate) use certificate::{described, ends_at};
pub(crate) use explain::{expects_sasl, expects_tls, explain_alert, handshake_failed};
pub(crate) use protection::{Protection, Ready};
pub(crate) use sasl::authenticate;
pub(crate) use tls::server_name;
