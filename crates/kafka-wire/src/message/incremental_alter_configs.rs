//! IncrementalAlterConfigs: changes single configuration keys and leaves the others alone
//! (KIP-339).

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;

use super::describe_configs::ResourceKind;
use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// Asks to change configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncrementalAlterConfigsRequest {
    /// The resources, each once.
    pub resources: Vec<ResourceChange>,
    /// Only check, change nothing.
    pub validate_only: bool,
}

/// Changes to one resource; all are made or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceChange {
    /// The kind of resource.
    pub kind: ResourceKind,
    /// Topic name, or broker id in digits.
    pub name: String,
    /// The changes, each key once.
    pub changes: Vec<ConfigChange>,
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    /// The key.
    pub name: String,
    /// What to do with it.
    pub operation: ConfigOperation,
}

/// What to do with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigOperation {
    /// Set this value.
    Set(String),
    /// Remove the override, so that the default holds.
    Delete,
    /// Add these elements to a list.
    Append(String),
    /// Remove these elements from a list.
    Subtract(String),
}

impl ConfigOperation {
    fn wire(&self) -> (i8, Option<&str>) {
        match self {
            Self::Set(value) => (0, Some(value)),
            Self::Delete => (1, None),
            Self::Append(value) => (2, Some(value)),
            Self::Subtract(value) => (3, Some(value)),
        }
    }
}

/// What became of the changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncrementalAlterConfigsResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// One entry for each resource.
    pub resources: Vec<AlteredResource>,
}

/// What became of the changes to one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlteredResource {
    /// INVALID_CONFIG and others, or NONE.
    pub error: ErrorCode,
    /// The broker's words about the error.
    pub error_message: Option<String>,
    /// The kind of resource.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
}

impl Request for IncrementalAlterConfigsRequest {
    type Response = IncrementalAlterConfigsResponse;
    const API: ApiKey = ApiKey::INCREMENTAL_ALTER_CONFIGS;
    const VERSIONS: VersionRange = VersionRange::new(0, 1);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.array("resources", &self.resources, |writer, resource| {
            writer.i8(resource.kind.wire());
            writer.string("resource name", &resource.name)?;
            writer.array("changes", &resource.changes, |writer, change| {
                let (operation, value) = change.operation.wire();
                writer.string("configuration key", &change.name)?;
                writer.i8(operation);
                writer.nullable_string("configuration value", value)?;
                writer.end();
                Ok(())
            })?;
            writer.end();
            Ok(())
        })?;
        writer.bool(self.validate_only);
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<IncrementalAlterConfigsResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let resources = reader.array("resources", |reader| {
            let resource = AlteredResource {
                error: reader.error_code()?,
                error_message: reader.nullable_string("error message")?,
                kind: ResourceKind::from_wire(reader.i8("resource kind")?),
                name: reader.string("resource name")?,
            };
            reader.skip_tags("resource")?;
            Ok(resource)
        })?;
        reader.skip_tags("IncrementalAlterConfigs")?;
        reader.finish("IncrementalAlterConfigs")?;
        Ok(IncrementalAlterConfigsResponse {
            throttle_time_ms,
            resources,
        })
    }
}
