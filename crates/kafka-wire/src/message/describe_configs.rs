//! DescribeConfigs: configurations of topics and brokers.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// The type of a value that is a list (KIP-569).
const LIST: i8 = 7;

/// Asks for configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeConfigsRequest {
    /// The resources. Those of a broker with a name have to be asked of that broker.
    pub resources: Vec<ConfigQuery>,
}

/// One resource to ask about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigQuery {
    /// The kind of resource.
    pub kind: ResourceKind,
    /// Topic name, or broker id in digits; an empty broker name is the cluster-wide default.
    pub name: String,
    /// The keys to return; `None` for all.
    pub keys: Option<Vec<String>>,
}

/// Kind of a resource that has a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    /// A topic.
    Topic,
    /// A broker.
    Broker,
    /// One this code has no use for.
    Other(i8),
}

impl ResourceKind {
    pub(super) fn wire(self) -> i8 {
        match self {
            Self::Topic => 2,
            Self::Broker => 4,
            Self::Other(code) => code,
        }
    }

    pub(super) fn from_wire(code: i8) -> Self {
        match code {
            2 => Self::Topic,
            4 => Self::Broker,
            other => Self::Other(other),
        }
    }
}

/// Configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeConfigsResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// One entry for each resource.
    pub resources: Vec<DescribedResource>,
}

/// The configuration of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedResource {
    /// Why there is none, or NONE.
    pub error: ErrorCode,
    /// The broker's words about the error; Kafka 4.3 sends an empty text where there is none.
    pub error_message: Option<String>,
    /// The kind of resource.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// All keys in force, defaults included.
    pub entries: Vec<ConfigEntry>,
}

/// One configuration key in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// The key.
    pub name: String,
    /// The value; null where it is sensitive or not set.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether the key cannot be changed.
    pub read_only: bool,
    /// Whether the value is a secret.
    pub sensitive: bool,
    /// Whether the value is a list, in which order means nothing; below version 3 nobody says so.
    pub list: bool,
}

/// Where a configuration value comes from (KIP-226).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConfigSource {
    /// Set on the topic: an override.
    Topic,
    /// Set on this broker, dynamically.
    Broker,
    /// Set as the cluster-wide default, dynamically.
    ClusterDefault,
    /// Set in the broker's properties file.
    BrokerFile,
    /// Kafka's default.
    Default,
    /// One this code has no use for.
    Other(i8),
}

impl ConfigSource {
    fn from_wire(code: i8) -> Self {
        match code {
            1 => Self::Topic,
            2 => Self::Broker,
            3 => Self::ClusterDefault,
            4 => Self::BrokerFile,
            5 => Self::Default,
            other => Self::Other(other),
        }
    }
}

impl Request for DescribeConfigsRequest {
    type Response = DescribeConfigsResponse;
    const API: ApiKey = ApiKey::DESCRIBE_CONFIGS;
    const VERSIONS: VersionRange = VersionRange::new(2, 4);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.array("resources", &self.resources, |writer, resource| {
            writer.i8(resource.kind.wire());
            writer.string("resource name", &resource.name)?;
            match &resource.keys {
                None => writer.null_array(),
                Some(keys) => writer.array("configuration keys", keys, |writer, key| {
                    writer.string("configuration key", key)
                })?,
            }
            writer.end();
            Ok(())
        })?;
        let (synonyms, documentation) = (false, false);
        writer.bool(synonyms);
        if writer.since(3) {
            writer.bool(documentation);
        }
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<DescribeConfigsResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let resources = reader.array("resources", |reader| {
            let resource = DescribedResource {
                error: reader.error_code()?,
                error_message: reader.nullable_string("error message")?,
                kind: ResourceKind::from_wire(reader.i8("resource kind")?),
                name: reader.string("resource name")?,
                entries: reader.array("configuration", read_entry)?,
            };
            reader.skip_tags("resource")?;
            Ok(resource)
        })?;
        reader.skip_tags("DescribeConfigs")?;
        reader.finish("DescribeConfigs")?;
        Ok(DescribeConfigsResponse {
            throttle_time_ms,
            resources,
        })
    }
}

fn read_entry(reader: &mut Reader) -> Result<ConfigEntry, DecodeError> {
    let name = reader.string("configuration key")?;
    let value = reader.nullable_string("configuration value")?;
    let read_only = reader.bool("read-only")?;
    let source = ConfigSource::from_wire(reader.i8("configuration source")?);
    let sensitive = reader.bool("sensitive")?;
    reader.array("synonyms", |reader| {
        reader.string("synonym")?;
        reader.nullable_string("synonym's value")?;
        reader.i8("synonym's source")?;
        reader.skip_tags("synonym")
    })?;
    let list = if reader.since(3) {
        let kind = reader.i8("configuration type")?;
        reader.nullable_string("documentation")?;
        kind == LIST
    } else {
        false
    };
    reader.skip_tags("configuration")?;
    Ok(ConfigEntry {
        name,
        value,
        source,
        read_only,
        sensitive,
        list,
    })
}
