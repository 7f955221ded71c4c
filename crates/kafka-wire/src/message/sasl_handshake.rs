//! SaslHandshake: which mechanism follows.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// Says which mechanism follows. Version 0 is left out: after it tokens would have no headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaslHandshakeRequest {
    /// Name of the mechanism.
    pub mechanism: String,
}

/// Whether the broker takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaslHandshakeResponse {
    /// UNSUPPORTED_SASL_MECHANISM, or NONE.
    pub error: ErrorCode,
    /// What the broker takes on this listener.
    pub mechanisms: Vec<String>,
}

impl Request for SaslHandshakeRequest {
    type Response = SaslHandshakeResponse;
    const API: ApiKey = ApiKey::SASL_HANDSHAKE;
    const VERSIONS: VersionRange = VersionRange::new(1, 1);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.string("mechanism", &self.mechanism)?;
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<SaslHandshakeResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let error = reader.error_code()?;
        let mechanisms = reader.array("mechanisms", |reader| reader.string("mechanism"))?;
        reader.skip_tags("SaslHandshake")?;
        reader.finish("SaslHandshake")?;
        Ok(SaslHandshakeResponse { error, mechanisms })
    }
}
