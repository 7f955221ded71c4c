//! SaslAuthenticate: one step of the mechanism (KIP-152, KIP-368).

use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// A step of the client.
#[derive(Clone, PartialEq, Eq)]
pub struct SaslAuthenticateRequest {
    /// The mechanism's bytes, which may hold a password.
    pub token: Bytes,
}

/// Without the token.
impl fmt::Debug for SaslAuthenticateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaslAuthenticateRequest")
            .finish_non_exhaustive()
    }
}

/// A step of the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaslAuthenticateResponse {
    /// SASL_AUTHENTICATION_FAILED, or NONE.
    pub error: ErrorCode,
    /// The broker's words about it.
    pub error_message: Option<String>,
    /// The mechanism's bytes.
    pub token: Bytes,
    /// Milliseconds after which the broker closes the connection unless the client authenticates again; 0 for never.
    pub session_lifetime_ms: i64,
}

impl Request for SaslAuthenticateRequest {
    type Response = SaslAuthenticateResponse;
    const API: ApiKey = ApiKey::SASL_AUTHENTICATE;
    const VERSIONS: VersionRange = VersionRange::new(0, 2);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.length("token", self.token.len())?;
        writer.raw(&self.token);
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<SaslAuthenticateResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let error = reader.error_code()?;
        let error_message = reader.nullable_string("error message")?;
        let token = reader.bytes("token")?;
        let session_lifetime_ms = if reader.since(1) {
            reader.i64("session lifetime")?
        } else {
            0
        };
        reader.skip_tags("SaslAuthenticate")?;
        reader.finish("SaslAuthenticate")?;
        Ok(SaslAuthenticateResponse {
            error,
            error_message,
            token,
            session_lifetime_ms,
        })
    }
}
