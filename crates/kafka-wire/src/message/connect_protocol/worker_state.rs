//! What a worker joins the group with.

use bytes::{Bytes, BytesMut};

use super::{Assignment, ConnectDecodeError, ConnectEncodeError, ConnectProtocol};
use crate::message::ApiKey;
use crate::message::reader::Reader;
use crate::message::writer::Writer;

/// A worker as it joins: the metadata of JoinGroup.
///
/// ```text
/// version i16 · url string · config offset i64 · from version 1: allocation nullable bytes
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerState {
    /// Where its REST interface is, as it advertises it.
    pub url: String,
    /// Offset after the last record of the config topic that it has read; −1 for none.
    pub config_offset: i64,
    /// All that it holds; `None` for nothing. Version 0 does not say.
    pub allocation: Option<Assignment>,
}

impl WorkerState {
    /// The bytes in `protocol`.
    ///
    /// # Errors
    /// [`ConnectEncodeError`] if a text is longer than the protocol can say.
    pub fn encode(&self, protocol: ConnectProtocol) -> Result<Bytes, ConnectEncodeError> {
        let mut out = BytesMut::new();
        let mut writer = Writer::classic(ApiKey::JOIN_GROUP, protocol.version(), &mut out);
        writer.i16(protocol.version());
        writer.string("url", &self.url)?;
        writer.i64(self.config_offset);
        if protocol >= ConnectProtocol::Compatible {
            match &self.allocation {
                Some(allocation) => {
                    writer.bytes("allocation", &allocation.encode(protocol)?)?;
                }
                None => writer.null_bytes(),
            }
        }
        Ok(out.freeze())
    }

    /// Reads what a worker joined with, and in which protocol it said so.
    ///
    /// # Errors
    /// [`ConnectDecodeError`] if that cannot be read.
    pub fn decode(bytes: Bytes) -> Result<(ConnectProtocol, Self), ConnectDecodeError> {
        let mut reader = Reader::classic(ApiKey::JOIN_GROUP, bytes);
        let protocol = reader.connect_protocol()?;
        let url = reader.string("url")?;
        let config_offset = reader.i64("config offset")?;
        let allocation = if protocol >= ConnectProtocol::Compatible && !reader.at_end() {
            reader.nullable_bytes("allocation")?
        } else {
            None
        };
        let allocation = allocation
            .map(|bytes| Assignment::decode(bytes).map(|(_, held)| held))
            .transpose()?;
        let state = Self {
            url,
            config_offset,
            allocation,
        };
        Ok((protocol, state))
    }
}
