//! One connection to one broker: dialled, handshaken, and then either used by one owner, one request
//! at a time ([`Connection::call`]), or taken apart for pipelining ([`Connection::into_parts`]).
//!
//! Invariant: a request that was given up half-way poisons the connection. Its answer may still
//! arrive and would be taken for the next one's.

mod dial;
mod frames;
mod handshake;
mod low_water;
mod renewal;
mod retrying;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use config::client::HostPort;
use kafka_wire::message::{self, ApiKey, Request};
use kafka_wire::types::NodeId;
use tokio::time::{Instant, timeout};

pub use frames::{FrameReader, FrameWriter};
pub use handshake::BrokerVersions;
pub use renewal::Renewal;

use crate::buffer::{Buffers, Reservation};
use crate::error::ClientError;
use crate::meter::Open;
use crate::security::expects_sasl;

pub(crate) use dial::Dialer;
pub use dial::{Looked, Probe, ProbeStep};
pub(crate) use renewal::Succession;

/// Frame cap of everything but fetch answers, in bytes.
const FRAME_LIMIT: usize = 64 * 1024 * 1024;

/// A handshaken connection with a single owner.
#[derive(Debug)]
pub struct Connection {
    parts: Parts,
    poisoned: Option<String>,
}

/// What a connection consists of; whoever takes it apart keeps the rules above.
#[derive(Debug)]
pub struct Parts {
    /// Whom we talk to.
    pub peer: HostPort,
    /// The broker's id where the connection was made to a known broker.
    pub node: Option<NodeId>,
    /// Incoming frames.
    pub reader: FrameReader,
    /// Outgoing frames.
    pub writer: FrameWriter,
    /// What the broker speaks.
    pub versions: BrokerVersions,
    /// Sent in every request header.
    pub client_id: Arc<str>,
    /// Correlation id of the next request.
    pub next_correlation_id: i32,
    /// When it is to be followed by a new connection; plain connections never are.
    pub renewal: Option<Renewal>,
    /// Whether the broker has been told by SASL who we are.
    pub authenticated: bool,
    /// How long the first exchange took.
    pub round_trip: Duration,
    /// That it is open, and what is counted.
    pub(crate) open: Open,
}

impl Parts {
    /// The next correlation id; wraps around without becoming negative.
    pub fn correlate(&mut self) -> i32 {
        let id = self.next_correlation_id;
        self.next_correlation_id = id.checked_add(1).unwrap_or(0);
        id
    }
}

impl Connection {
    /// The broker's address.
    #[must_use]
    pub fn peer(&self) -> &HostPort {
        &self.parts.peer
    }

    /// What the broker speaks.
    #[must_use]
    pub fn versions(&self) -> &BrokerVersions {
        &self.parts.versions
    }

    /// There and back, as it was when the connection was made.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        self.parts.round_trip
    }

    /// When the last answer began to come, if it is so large that it came in pieces.
    #[must_use]
    pub fn answer_began(&self) -> Option<Instant> {
        self.parts.reader.began()
    }

    /// Whether the connection may still be used.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.poisoned.is_none()
    }

    /// Answers may become as large as this, in bytes; larger frames poison the connection.
    pub fn set_frame_limit(&mut self, limit: usize) {
        self.parts.reader.set_limit(limit);
    }

    /// Large answers are read into buffers of this pool from now on.
    pub fn set_buffers(&mut self, buffers: Buffers) {
        self.parts.reader.set_buffers(buffers);
    }

    /// What is read over it counts here from now on, in bytes.
    pub(crate) fn count_received(&mut self, received: Arc<AtomicU64>) {
        self.parts.reader.count_in(received);
    }

    /// The next answer is read into what was reserved for it.
    pub fn set_reservation(&mut self, reserved: Reservation) {
        self.parts.reader.set_reservation(reserved);
    }

    /// Takes the connection apart, for a pipelining owner.
    ///
    /// # Errors
    /// When the connection is poisoned.
    pub fn into_parts(self) -> Result<Parts, ClientError> {
        match self.poisoned {
            None => Ok(self.parts),
            Some(cause) => Err(ClientError::Closed {
                peer: self.parts.peer,
                cause,
            }),
        }
    }

    /// The version of `R` to use with this broker.
    ///
    /// # Errors
    /// When both sides have none in common.
    pub fn version<R: Request>(&self) -> Result<i16, ClientError> {
        self.parts
            .versions
            .choose(&self.parts.peer, R::API, R::VERSIONS)
    }

    /// Sends one request and waits for its answer, at the highest version that both sides speak and
    /// that can express it.
    ///
    /// Dropping the future poisons the connection.
    ///
    /// # Errors
    /// As [`ClientError`] says; after any of them but `Encode` and `Unsupported` the connection is
    /// poisoned.
    pub async fn call<R: Request>(
        &mut self,
        request: &R,
        limit: Duration,
    ) -> Result<R::Response, ClientError> {
        let version = self
            .parts
            .versions
            .choose(&self.parts.peer, R::API, request.versions())?;
        self.call_at(version, request, limit).await
    }

    /// As [`Connection::call`], at a version the caller has chosen.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn call_at<R: Request>(
        &mut self,
        version: i16,
        request: &R,
        limit: Duration,
    ) -> Result<R::Response, ClientError> {
        let body = self
            .exchange(R::API, version, |out| request.encode(version, out), limit)
            .await?;
        R::decode(version, body).map_err(|cause| {
            self.poisoned = Some("an answer could not be read".to_owned());
            ClientError::Decode {
                peer: self.parts.peer.clone(),
                cause,
            }
        })
    }

    /// As [`Connection::call`], with the body written by `encode` and the answer's body returned as
    /// it came.
    pub(crate) async fn exchange(
        &mut self,
        api: ApiKey,
        version: i16,
        encode: impl FnOnce(&mut BytesMut) -> Result<(), message::EncodeError>,
        limit: Duration,
    ) -> Result<Bytes, ClientError> {
        let correlation_id = self.parts.correlate();
        let mut frame = BytesMut::with_capacity(512);
        frame.extend_from_slice(&[0; 4]);
        message::encode_request_header(
            api,
            version,
            correlation_id,
            &self.parts.client_id,
            &mut frame,
        );
        encode(&mut frame).map_err(|cause| ClientError::Encode {
            peer: self.parts.peer.clone(),
            cause,
        })?;
        let length = u32::try_from(frame.len() - 4).expect("requests are far below 4 GiB");
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.exchange_frame(api, version, correlation_id, [frame.freeze()], limit)
            .await
    }

    /// Sends a finished frame, given as segments, and waits for the answer that carries
    /// `correlation_id`. An answer that has begun may take any time as long as it comes; `limit` is how long nothing may.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub async fn exchange_frame(
        &mut self,
        api: ApiKey,
        version: i16,
        correlation_id: i32,
        frame: impl IntoIterator<Item = Bytes>,
        limit: Duration,
    ) -> Result<Bytes, ClientError> {
        if let Some(cause) = &self.poisoned {
            return Err(ClientError::Closed {
                peer: self.parts.peer.clone(),
                cause: cause.clone(),
            });
        }
        self.poisoned = Some("a request was given up".to_owned());
        let parts = &mut self.parts;
        parts.open.meter().asks(api);
        let begun = Instant::now();
        let work = async {
            parts.writer.push(frame);
            match timeout(limit, parts.writer.flush()).await {
                Ok(Ok(())) => parts.reader.next_while_coming(limit).await,
                Ok(Err(error)) => Some(Err(error)),
                Err(_) => None,
            }
        };
        let outcome = work.await;
        let outcome =
            outcome.unwrap_or_else(|| Err(ClientError::no_answer(&self.parts.peer, api, limit)));
        let body = outcome
            .map_err(|error| self.explained(error, api, correlation_id))
            .and_then(|mut body| {
                let peer = &self.parts.peer;
                check_correlation(peer, api, version, correlation_id, &mut body)?;
                Ok(body)
            });
        let meter = self.parts.open.meter();
        match &body {
            Ok(body) => {
                let throttle_ms = message::throttle_time_ms(api, version, body);
                meter.answered(api, begun.elapsed(), throttle_ms);
                self.poisoned = None;
            }
            Err(error) => {
                meter.unanswered(api, 1);
                self.poisoned = Some(error.to_string());
            }
        }
        body
    }

    /// A broker that misses the SASL exchange says nothing and closes the connection.
    fn explained(&self, error: ClientError, api: ApiKey, correlation_id: i32) -> ClientError {
        let set_up = [
            ApiKey::API_VERSIONS,
            ApiKey::SASL_HANDSHAKE,
            ApiKey::SASL_AUTHENTICATE,
        ];
        match error {
            // ApiVersions has taken one or two of the ids.
            ClientError::Closed { peer, cause }
                if correlation_id <= 2 && !self.parts.authenticated && !set_up.contains(&api) =>
            {
                ClientError::Closed {
                    peer,
                    cause: expects_sasl(&cause),
                }
            }
            error => error,
        }
    }
}

/// Removes the answer's header and compares its correlation id with the one that is awaited.
///
/// # Errors
/// When the header cannot be read or names another request: the connection is then out of step.
pub fn check_correlation(
    peer: &HostPort,
    api: ApiKey,
    version: i16,
    awaited: i32,
    frame: &mut Bytes,
) -> Result<(), ClientError> {
    let found = message::split_response_header(api, version, frame).map_err(|cause| {
        ClientError::Decode {
            peer: peer.clone(),
            cause,
        }
    })?;
    if found == awaited {
        return Ok(());
    }
    Err(ClientError::Closed {
        peer: peer.clone(),
        cause: format!("the answer to request {found} came where {awaited} was awaited ({api})"),
    })
}
