//! How one cluster is reached: resolved client settings, which cannot be invalid.
//!
//! Deliberately absent: reading keys (see `resolve`).

use std::fmt;
use std::time::Duration;

use crate::security::{Given, Security};

/// A broker address as a user writes it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HostPort {
    /// Host name or address, without brackets around an IPv6 address.
    pub host: String,
    /// TCP port, 1..=65535.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Settings of the connections to one cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientConfig {
    /// `bootstrap.servers`, at least one; tried in order, an unreachable one is normal.
    pub bootstrap_servers: Vec<HostPort>,
    /// `client.id`, sent with every request (quotas).
    pub client_id: String,
    /// `client.rack`: where set, followers in this rack are read (KIP-392).
    pub client_rack: Option<String>,
    /// `request.timeout.ms`: limit of one request and its answer.
    pub request_timeout: Duration,
    /// `retry.backoff.ms`: first pause after a failed request.
    pub retry_backoff: Duration,
    /// `retry.backoff.max.ms`.
    pub retry_backoff_max: Duration,
    /// `reconnect.backoff.ms`: first pause after a failed connection.
    pub reconnect_backoff: Duration,
    /// `reconnect.backoff.max.ms`; capped below the recovery limit of the reliability promise.
    pub reconnect_backoff_max: Duration,
    /// `socket.connection.setup.timeout.ms`.
    pub connection_setup_timeout: Duration,
    /// `connections.max.idle.ms`.
    pub connections_max_idle: Duration,
    /// `metadata.max.age.ms`: metadata is refreshed at least this often.
    pub metadata_max_age: Duration,
    /// `send.buffer.bytes`, only where the user's configuration contains it; else the kernel decides.
    pub send_buffer: Option<usize>,
    /// `receive.buffer.bytes`, only where the user's configuration contains it.
    pub receive_buffer: Option<usize>,
    /// `security.protocol` and what belongs to it.
    pub security: Security,
    /// The keys that `security` was made from.
    pub given_security: Given,
}

impl ClientConfig {
    /// The defaults, for the given addresses.
    #[must_use]
    pub fn new(bootstrap_servers: Vec<HostPort>) -> Self {
        Self {
            bootstrap_servers,
            client_id: "tributary".to_owned(),
            client_rack: None,
            request_timeout: Duration::from_secs(30),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_secs(1),
            connection_setup_timeout: Duration::from_secs(10),
            connections_max_idle: Duration::from_secs(540),
            metadata_max_age: Duration::from_secs(300),
            send_buffer: None,
            receive_buffer: None,
            security: Security::Plaintext,
            given_security: Given::default(),
        }
    }
}
