//! Loopback ports that stay ours while a broker is stopped.
//!
//! A port that the system hands out for "any free port" comes from the range it also takes for outgoing connections.
//! A broker that is stopped and started again would then now and then find its port taken by some client's socket. So
//! ports are leased from below that range, and a locked file per port keeps other test processes off it.
//!
//! Invariant: a lease is exclusive on this machine among all users of this module until it is dropped.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

/// Below this, other software's well-known ports.
const LOWEST: u16 = 20_000;
/// The first port outside the range, where the system does not tell its own range.
const HIGHEST: u16 = 32_000;

/// No port could be leased.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The lock files cannot be written.
    #[error("cannot keep port locks in {path}: {source}; make the directory writable")]
    Locks {
        /// Where the lock files are.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// All ports of the range are in use.
    #[error(
        "no free port on 127.0.0.1 between {LOWEST} and {end}; end processes that listen there"
    )]
    Exhausted {
        /// End of the range that was searched.
        end: u16,
    },
}

/// A loopback port reserved for its holder.
#[derive(Debug)]
pub struct PortLease {
    port: u16,
    /// The lock ends when the file is closed.
    _lock: File,
}

impl PortLease {
    /// Leases one free port.
    ///
    /// # Errors
    /// When the lock files cannot be written, or no port is free.
    pub fn new() -> Result<Self, PortError> {
        let directory = std::env::temp_dir().join("tributary-test-ports");
        let failed = |source| PortError::Locks {
            path: directory.clone(),
            source,
        };
        std::fs::create_dir_all(&directory).map_err(failed)?;
        let end = end_of_range();
        let span = end - LOWEST;
        let first = rand::random_range(0..span);
        for step in 0..span {
            let port = LOWEST + (first + step) % span;
            let lock = File::create(directory.join(port.to_string())).map_err(failed)?;
            let free =
                lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
            if free {
                return Ok(Self { port, _lock: lock });
            }
        }
        Err(PortError::Exhausted { end })
    }

    /// The port's number.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }
}

/// Where the system's range for outgoing connections begins, if that is known and leaves room.
fn end_of_range() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .filter(|begin| *begin > LOWEST + 1_000)
        .map_or(HIGHEST, |begin: u16| begin.min(HIGHEST))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn leased_ports_differ_and_can_be_listened_on() {
        let leases: Vec<_> = (0..20)
            .map(|_| PortLease::new().expect("a free port"))
            .collect();
        let ports: BTreeSet<_> = leases.iter().map(PortLease::port).collect();
        assert_eq!(ports.len(), leases.len());
        for lease in &leases {
            TcpListener::bind(lease.address()).expect("a leased port is free");
        }
    }
}
