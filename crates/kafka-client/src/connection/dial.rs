//! From an address to a usable connection: look up, connect, TLS, versions, SASL.
//!
//! Invariant: one limit, `socket.connection.setup.timeout.ms`, holds for all of it, and until the broker is known to be
//! one its frames may be small only. A peer that sends nothing, or anything, costs that much and no more.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use config::client::{ClientConfig, HostPort};
use config::security::Security;
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::api_versions::{ApiVersionsRequest, release};
use kafka_wire::message::{ApiKey, Request};
use kafka_wire::types::NodeId;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::frames::{ReadHalf, WriteHalf};
use super::renewal::Renewal;
use super::retrying::Retrying;
use super::{BrokerVersions, Connection, FRAME_LIMIT, FrameReader, FrameWriter, Parts};
use crate::error::ClientError;
use crate::meter::Meter;
use crate::security::{
    Protection, Ready, authenticate, ends_at, expects_tls, handshake_failed, server_name,
};

mod probe;

pub use probe::{Looked, Probe, ProbeStep};

/// Frame cap until the set-up is done, in bytes. Answers to ApiVersions and SASL have a few thousand.
const SETUP_FRAME_LIMIT: usize = 1024 * 1024;

/// How long sent bytes may stay unacknowledged by the other side's kernel: below what recovery may take.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(9);

/// How many bytes may wait in the kernel for being sent. Brokers read with small windows, so without a limit megabytes of a batch
/// would be copied into the kernel long before they leave, and have left the processor's caches until then: that made an
/// uncompressed copy a third dearer.
#[cfg(target_os = "linux")]
const NOT_SENT: u32 = 64 * 1024;

/// Makes connections to one cluster.
#[derive(Debug)]
pub(crate) struct Dialer {
    config: ClientConfig,
    protection: Option<Arc<Protection>>,
    /// The level of `metadata.version` that a broker named last; 0 before that.
    metadata_level: AtomicI16,
    /// What the broker speaks that was asked last. Connections that hear the same have it in common: a process may have
    /// thousands.
    versions: Mutex<BrokerVersions>,
    meter: Arc<Meter>,
    retrying: Retrying,
}

impl Connection {
    /// Opens a connection to `peer` and learns what it speaks.
    ///
    /// # Errors
    /// `Resolve`, `Connect`, `Timeout`, `Tls`, `Credentials`, `Authentication`, or what the handshake meets.
    pub async fn open(
        config: &ClientConfig,
        peer: &HostPort,
        node: Option<NodeId>,
    ) -> Result<Self, ClientError> {
        let dialer = Arc::new(Dialer::new(config.clone()));
        Box::pin(dialer.open(peer, node)).await
    }
}

impl Dialer {
    pub(crate) fn new(config: ClientConfig) -> Self {
        let protection = Protection::new(&config).map(Arc::new);
        let retrying = Retrying::new(config.reconnect_backoff, config.reconnect_backoff_max);
        Self {
            retrying,
            config,
            protection,
            metadata_level: AtomicI16::new(0),
            versions: Mutex::default(),
            meter: Arc::default(),
        }
    }

    /// What is counted of all connections.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The release of Kafka whose metadata the cluster has agreed on, as far as it is known.
    pub(crate) fn release(&self) -> Option<&'static str> {
        release(self.metadata_level.load(Ordering::Relaxed))
    }

    pub(crate) fn config(&self) -> &ClientConfig {
        &self.config
    }

    pub(crate) fn protection(&self) -> Option<&Arc<Protection>> {
        self.protection.as_ref()
    }

    /// Whether a broker was not reached last, and is not to be tried yet.
    pub(crate) fn is_away(&self, peer: &HostPort) -> bool {
        self.retrying.is_away(peer)
    }

    /// See [`Connection::open`]. Where the broker could not be reached last, it is tried at a pace that all have in common who
    /// dial here.
    pub(crate) async fn open(
        self: &Arc<Self>,
        peer: &HostPort,
        node: Option<NodeId>,
    ) -> Result<Connection, ClientError> {
        self.retrying.turn(peer).await?;
        let outcome = self.try_open(peer, node).await;
        self.retrying.note(peer, &outcome);
        outcome
    }

    /// The same at once, for those who have a connection still.
    pub(super) async fn try_open(
        self: &Arc<Self>,
        peer: &HostPort,
        node: Option<NodeId>,
    ) -> Result<Connection, ClientError> {
        let setup = Setup {
            peer,
            limit: self.config.connection_setup_timeout,
            deadline: Instant::now() + self.config.connection_setup_timeout,
        };
        let Some(protection) = &self.protection else {
            let stream = setup
                .within("accept a connection", connect(&self.config, peer))
                .await?;
            let (read, write) = stream.into_split();
            let mut connection = self.connection(peer, node, Box::new(read), Box::new(write));
            self.greet(&mut connection, &setup, &Security::Plaintext)
                .await?;
            connection.set_frame_limit(FRAME_LIMIT);
            return Ok(connection);
        };
        // Boxed: the futures of TLS and of a token endpoint would make everybody's larger.
        Box::pin(self.open_protected(protection, &setup, node)).await
    }

    async fn open_protected(
        self: &Arc<Self>,
        protection: &Arc<Protection>,
        setup: &Setup<'_>,
        node: Option<NodeId>,
    ) -> Result<Connection, ClientError> {
        let peer = setup.peer;
        let generations = protection.generations();
        // A token endpoint has limits of its own; the broker is not to blame for it.
        let mut ready = protection.ready(peer).await?;
        let setup = &Setup {
            deadline: Instant::now() + setup.limit,
            ..*setup
        };
        let stream = setup
            .within("accept a connection", connect(&self.config, peer))
            .await?;
        let (read, write, certificate) = setup
            .within("finish the TLS handshake", secure(stream, peer, &ready))
            .await?;
        let mut connection = self.connection(peer, node, read, write);
        connection.parts.open.shown(certificate);
        self.greet(&mut connection, setup, ready.security()).await?;
        let mut lifetime = None;
        if let Some(login) = &mut ready.login {
            let work = authenticate(&mut connection, login, setup.deadline);
            let outcome = setup.within("finish the authentication", work).await;
            if let Err(ClientError::Authentication { .. }) = &outcome {
                protection.refused(login);
            }
            lifetime = outcome?;
            connection.parts.authenticated = true;
        }
        connection.set_frame_limit(FRAME_LIMIT);
        let renewal = Renewal::new(Arc::clone(self), ready.generation(), generations, lifetime);
        connection.parts.renewal = Some(renewal);
        Ok(connection)
    }

    fn connection(
        &self,
        peer: &HostPort,
        node: Option<NodeId>,
        read: ReadHalf,
        write: WriteHalf,
    ) -> Connection {
        Connection {
            parts: Parts {
                peer: peer.clone(),
                node,
                reader: FrameReader::new(peer.clone(), read, SETUP_FRAME_LIMIT),
                writer: FrameWriter::new(peer.clone(), write),
                versions: BrokerVersions::default(),
                client_id: self.config.client_id.as_str().into(),
                next_correlation_id: 0,
                renewal: None,
                authenticated: false,
                round_trip: Duration::ZERO,
                open: self.meter.opened(peer),
            },
            poisoned: None,
        }
    }

    /// What was heard before, where it is the same.
    fn share(&self, versions: &mut BrokerVersions) {
        let mut known = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == *versions {
            versions.clone_from(&known);
        } else {
            known.clone_from(versions);
        }
    }

    async fn greet(
        &self,
        connection: &mut Connection,
        setup: &Setup<'_>,
        security: &Security,
    ) -> Result<(), ClientError> {
        let limit = self.config.request_timeout.min(setup.limit);
        let begun = Instant::now();
        let greeted = setup
            .within("answer ApiVersions", connection.handshake(limit))
            .await;
        connection.parts.round_trip = begun.elapsed();
        let Err(error) = greeted else {
            self.share(&mut connection.parts.versions);
            if let Some(level) = connection.parts.versions.metadata_level() {
                self.metadata_level.store(level, Ordering::Relaxed);
            }
            return Ok(());
        };
        if security.tls().is_some() {
            return Err(error);
        }
        match error {
            ClientError::Frame { .. } if connection.parts.reader.begins_like_tls() => {
                let cause = "it answers in TLS, and this connection is in plain text";
                Err(expects_tls(setup.peer, security, cause))
            }
            ClientError::Closed { cause, .. } => {
                let cause =
                    format!("it ended the connection before it answered anything ({cause})");
                Err(expects_tls(setup.peer, security, &cause))
            }
            error => Err(error),
        }
    }
}

/// One limit for all steps.
struct Setup<'a> {
    peer: &'a HostPort,
    limit: Duration,
    deadline: Instant,
}

impl Setup<'_> {
    async fn within<T>(
        &self,
        what: &str,
        work: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        match timeout_at(self.deadline, work).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ClientError::Timeout {
                peer: self.peer.clone(),
                what: what.to_owned(),
                limit: self.limit,
            }),
        }
    }
}

/// Both halves of a stream, secured where that is wanted, and when the certificate ends that the broker has shown.
async fn secure(
    stream: TcpStream,
    peer: &HostPort,
    ready: &Ready,
) -> Result<(ReadHalf, WriteHalf, Option<SystemTime>), ClientError> {
    if ready.tls().is_none() {
        let (read, write) = stream.into_split();
        return Ok((Box::new(read), Box::new(write), None));
    }
    let stream = secured(stream, peer, ready).await?;
    let shown = stream.get_ref().1.peer_certificates();
    let ends = shown.and_then(|chain| ends_at(chain.first()?));
    let (read, write) = tokio::io::split(stream);
    Ok((Box::new(read), Box::new(write), ends))
}

/// The handshake of TLS, where it is used.
async fn secured(
    stream: TcpStream,
    peer: &HostPort,
    ready: &Ready,
) -> Result<TlsStream<TcpStream>, ClientError> {
    let (config, settings) = ready.tls().expect("the caller has seen that TLS is used");
    let name = server_name(peer).map_err(|cause| ClientError::Tls {
        peer: peer.clone(),
        cause,
        remedy: "dial it by a host name or an address".to_owned(),
    })?;
    let connector = TlsConnector::from(Arc::clone(config));
    connector
        .connect(name, stream)
        .await
        .map_err(|error| handshake_failed(peer, settings, &error))
}

impl Connection {
    async fn handshake(&mut self, limit: Duration) -> Result<(), ClientError> {
        // A broker that does not know the version answers in version 0 with UNSUPPORTED_VERSION;
        // asking once more in version 0 then works everywhere.
        for version in [ApiVersionsRequest::VERSIONS.max, 0] {
            let request = ApiVersionsRequest::default();
            let body = self
                .exchange(
                    ApiKey::API_VERSIONS,
                    version,
                    |out| request.encode(version, out),
                    limit,
                )
                .await?;
            let answer =
                ApiVersionsRequest::decode(version, body).map_err(|cause| ClientError::Decode {
                    peer: self.parts.peer.clone(),
                    cause,
                })?;
            if answer.error == ErrorCode::UNSUPPORTED_VERSION && version > 0 {
                continue;
            }
            if answer.error != ErrorCode::NONE {
                return Err(ClientError::Refused {
                    peer: self.parts.peer.clone(),
                    api: ApiKey::API_VERSIONS,
                    code: answer.error,
                });
            }
            self.parts.versions = BrokerVersions::new(&answer);
            return Ok(());
        }
        Err(ClientError::Refused {
            peer: self.parts.peer.clone(),
            api: ApiKey::API_VERSIONS,
            code: ErrorCode::UNSUPPORTED_VERSION,
        })
    }
}

async fn connect(config: &ClientConfig, peer: &HostPort) -> Result<TcpStream, ClientError> {
    connect_to_any(config, peer, resolve(peer).await?).await
}

async fn resolve(peer: &HostPort) -> Result<Vec<SocketAddr>, ClientError> {
    let found = lookup_host((peer.host.as_str(), peer.port)).await;
    let found = found.map_err(|cause| ClientError::Resolve {
        peer: peer.clone(),
        cause: Arc::new(cause),
    })?;
    Ok(found.collect())
}

async fn connect_to_any(
    config: &ClientConfig,
    peer: &HostPort,
    addresses: Vec<SocketAddr>,
) -> Result<TcpStream, ClientError> {
    let mut last = std::io::Error::other("the name has no address");
    for address in addresses {
        match connect_to(config, address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(ClientError::Connect {
        peer: peer.clone(),
        cause: Arc::new(last),
    })
}

async fn connect_to(config: &ClientConfig, address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // Setting a size switches the kernel's own sizing off, so only what the user asked for is set.
    if let Some(bytes) = config.send_buffer {
        socket.set_send_buffer_size(u32::try_from(bytes).unwrap_or(u32::MAX))?;
    }
    if let Some(bytes) = config.receive_buffer {
        socket.set_recv_buffer_size(u32::try_from(bytes).unwrap_or(u32::MAX))?;
    }
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10));
    let socket = SockRef::from(&stream);
    socket.set_tcp_keepalive(&keepalive)?;
    // A peer that is gone without a word is noticed by what it does not acknowledge. One that only hangs is not as long as its kernel
    // has room for what is sent; where it has none, Linux ends the connection too, and what was on its way is in doubt.
    #[cfg(target_os = "linux")]
    {
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
        // Without it a copy is dearer, and nothing else: not every kernel has it.
        drop(socket.set_tcp_notsent_lowat(NOT_SENT));
    }
    Ok(stream)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn listening() -> (TcpListener, SocketAddr, HostPort) {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let peer = HostPort {
            host: address.ip().to_string(),
            port: address.port(),
        };
        (listener, address, peer)
    }

    #[tokio::test]
    async fn a_connection_keeps_little_in_the_kernel_that_is_not_sent() {
        let (_listener, address, peer) = listening().await;
        let config = ClientConfig::new(vec![peer]);
        let stream = connect_to(&config, address).await.expect("it listens");
        let not_sent = SockRef::from(&stream).tcp_notsent_lowat();
        assert_eq!(not_sent.expect("it has the option"), NOT_SENT);
    }

    #[tokio::test]
    async fn a_broker_that_refused_is_tried_again_after_a_pause() {
        let (listener, _, peer) = listening().await;
        drop(listener);
        let pause = Duration::from_millis(300);
        let mut config = ClientConfig::new(vec![peer.clone()]);
        (config.reconnect_backoff, config.reconnect_backoff_max) = (pause, pause);
        let dialer = Arc::new(Dialer::new(config));
        assert!(!dialer.is_away(&peer));
        let begin = Instant::now();
        for _ in 0..2 {
            let refused = dialer.open(&peer, None).await;
            let refused = refused.expect_err("nobody listens").to_string();
            assert!(refused.contains("refused"), "{refused}");
        }
        assert!(dialer.is_away(&peer));
        assert!(begin.elapsed() >= pause / 5 * 4);
    }
}
