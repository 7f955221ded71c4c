//! DescribeAcls: the access rights of a cluster. Needs the right to describe the cluster.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;

use super::acl::{AclBinding, AclFilter, AclOperation, AclPattern, AclPermission, AclResource};
use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// Asks for access rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeAclsRequest {
    /// Which.
    pub filter: AclFilter,
}

/// Access rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeAclsResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// SECURITY_DISABLED without an authorizer, CLUSTER_AUTHORIZATION_FAILED, others, or NONE.
    pub error: ErrorCode,
    /// The broker's words about the error.
    pub error_message: Option<String>,
    /// What was found, in the broker's order.
    pub bindings: Vec<AclBinding>,
}

impl Request for DescribeAclsRequest {
    type Response = DescribeAclsResponse;
    const API: ApiKey = ApiKey::DESCRIBE_ACLS;
    const VERSIONS: VersionRange = VersionRange::new(1, 3);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        self.filter.write(&mut writer)
    }

    fn decode(version: i16, body: Bytes) -> Result<DescribeAclsResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let error = reader.error_code()?;
        let error_message = reader.nullable_string("error message")?;
        let mut bindings = Vec::new();
        reader.array("resources", |reader| {
            let resource = AclResource::from_wire(reader.i8("resource type")?);
            let name: Arc<str> = reader.string("resource name")?.into();
            let pattern = AclPattern::from_wire(reader.i8("pattern type")?);
            reader.array("bindings", |reader| {
                let binding = AclBinding {
                    resource,
                    name: Arc::clone(&name),
                    pattern,
                    principal: reader.string("principal")?,
                    host: reader.string("host")?,
                    operation: AclOperation::from_wire(reader.i8("operation")?),
                    permission: AclPermission::from_wire(reader.i8("permission")?),
                };
                bindings.push(binding);
                reader.skip_tags("binding")
            })?;
            reader.skip_tags("resource")
        })?;
        reader.skip_tags("DescribeAcls")?;
        reader.finish("DescribeAcls")?;
        Ok(DescribeAclsResponse {
            throttle_time_ms,
            error,
            error_message,
            bindings,
        })
    }
}
