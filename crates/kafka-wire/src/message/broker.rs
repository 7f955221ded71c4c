//! A broker's address, as several answers carry it.

use crate::types::NodeId;

use super::DecodeError;
use super::reader::Reader;

/// A broker and where its listener is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Broker {
    /// The broker.
    pub node: NodeId,
    /// Host name or address, as advertised.
    pub host: String,
    /// Port, as advertised.
    pub port: u16,
    /// Rack, where the broker has one and the answer carries it.
    pub rack: Option<String>,
}

impl Broker {
    /// Reads id, host, port and rack, and whatever tagged fields follow.
    pub(super) fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        let broker = Self {
            node: reader.node_id("broker id")?,
            host: reader.string("broker host")?,
            port: read_port(reader)?,
            rack: reader.nullable_string("broker rack")?,
        };
        reader.skip_tags("broker")?;
        Ok(broker)
    }
}

pub(super) fn read_port(reader: &mut Reader) -> Result<u16, DecodeError> {
    let port = reader.i32("broker port")?;
    u16::try_from(port).map_err(|_| reader.out_of_range("broker port", port))
}
