//! DescribeCluster: cluster id, controller and brokers; since Kafka 2.8 (KIP-700).

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;
use crate::types::NodeId;

use super::broker::read_port;
use super::reader::Reader;
use super::writer::Writer;
use super::{
    ApiKey, AuthorizedOperations, Broker, DecodeError, EncodeError, Request, VersionRange,
};

/// Asks for the cluster id and the brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct DescribeClusterRequest {
    /// Also what the principal may do with the cluster (KIP-430).
    pub authorized_operations: bool,
}

/// The cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeClusterResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// Why there is no answer, or NONE.
    pub error: ErrorCode,
    /// The broker's words about the error.
    pub error_message: Option<String>,
    /// Id of the cluster.
    pub cluster_id: String,
    /// The controller; −1 for none.
    pub controller: NodeId,
    /// Brokers that are alive.
    pub brokers: Vec<Broker>,
    /// What the principal may do with the cluster, where that was asked.
    pub authorized_operations: Option<AuthorizedOperations>,
}

impl Request for DescribeClusterRequest {
    type Response = DescribeClusterResponse;
    const API: ApiKey = ApiKey::DESCRIBE_CLUSTER;
    const VERSIONS: VersionRange = VersionRange::new(0, 2);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        let (brokers_not_controllers, fenced_brokers) = (1, false);
        writer.bool(self.authorized_operations);
        if writer.since(1) {
            writer.i8(brokers_not_controllers);
        }
        if writer.since(2) {
            writer.bool(fenced_brokers);
        }
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<DescribeClusterResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let error = reader.error_code()?;
        let error_message = reader.nullable_string("error message")?;
        if reader.since(1) {
            reader.i8("endpoint type")?;
        }
        let cluster_id = reader.string("cluster id")?;
        let controller = reader.node_id("controller")?;
        let brokers = reader.array("brokers", read_broker)?;
        let authorized_operations = AuthorizedOperations::read(&mut reader)?;
        reader.skip_tags("DescribeCluster")?;
        reader.finish("DescribeCluster")?;
        Ok(DescribeClusterResponse {
            throttle_time_ms,
            error,
            error_message,
            cluster_id,
            controller,
            brokers,
            authorized_operations,
        })
    }
}

fn read_broker(reader: &mut Reader) -> Result<Broker, DecodeError> {
    let broker = Broker {
        node: reader.node_id("broker id")?,
        host: reader.string("broker host")?,
        port: read_port(reader)?,
        rack: reader.nullable_string("broker rack")?,
    };
    if reader.since(2) {
        // Fenced ones were not asked for.
        reader.bool("fenced")?;
    }
    reader.skip_tags("broker")?;
    Ok(broker)
}
