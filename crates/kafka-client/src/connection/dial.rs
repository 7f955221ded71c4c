//! From an address to a usable connection: look up, connect, handshake.
//!
//! TLS and SASL join between connect and handshake; both halves are already behind trait objects.

use std::net::SocketAddr;
use std::time::Duration;

use config::client::{ClientConfig, HostPort};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::api_versions::ApiVersionsRequest;
use kafka_wire::message::{ApiKey, Request};
use kafka_wire::types::NodeId;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;

use super::{BrokerVersions, Connection, FRAME_LIMIT, FrameReader, FrameWriter, Parts};
use crate::error::ClientError;

impl Connection {
    /// Opens a connection to `peer` and learns what it speaks.
    ///
    /// # Errors
    /// `Resolve`, `Connect`, `Timeout`, or what the handshake meets.
    pub async fn open(
        config: &ClientConfig,
        peer: &HostPort,
        node: Option<NodeId>,
    ) -> Result<Self, ClientError> {
        let limit = config.connection_setup_timeout;
        let stream = match timeout(limit, connect(config, peer)).await {
            Ok(stream) => stream?,
            Err(_) => {
                return Err(ClientError::Timeout {
                    peer: peer.clone(),
                    what: "accept a connection".to_owned(),
                    limit,
                });
            }
        };
        let (read, write) = stream.into_split();
        let mut connection = Self {
            parts: Parts {
                peer: peer.clone(),
                node,
                reader: FrameReader::new(peer.clone(), Box::new(read), FRAME_LIMIT),
                writer: FrameWriter::new(peer.clone(), Box::new(write)),
                versions: BrokerVersions::default(),
                client_id: config.client_id.as_str().into(),
                next_correlation_id: 0,
            },
            poisoned: None,
        };
        connection
            .handshake(config.request_timeout.min(limit))
            .await?;
        Ok(connection)
    }

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
    let addresses: Vec<SocketAddr> = lookup_host((peer.host.as_str(), peer.port))
        .await
        .map_err(|cause| ClientError::Resolve {
            peer: peer.clone(),
            cause,
        })?
        .collect();
    let mut last = std::io::Error::other("the name has no address");
    for address in addresses {
        match connect_to(config, address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(ClientError::Connect {
        peer: peer.clone(),
        cause: last,
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
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}
