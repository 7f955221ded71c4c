//! CreateAcls: adds access rights. One that is there already is created without error.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;

use super::acl::AclBinding;
use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// Asks to add access rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateAclsRequest {
    /// Which; each is added or refused on its own.
    pub bindings: Vec<AclBinding>,
}

/// What became of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateAclsResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// One entry for each binding, in the order of the request.
    pub outcomes: Vec<AclOutcome>,
}

/// What became of one binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclOutcome {
    /// INVALID_REQUEST, CLUSTER_AUTHORIZATION_FAILED, others, or NONE.
    pub error: ErrorCode,
    /// The broker's words about the error.
    pub error_message: Option<String>,
}

impl Request for CreateAclsRequest {
    type Response = CreateAclsResponse;
    const API: ApiKey = ApiKey::CREATE_ACLS;
    const VERSIONS: VersionRange = VersionRange::new(1, 3);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.array("bindings", &self.bindings, |writer, binding| {
            binding.write(writer)
        })?;
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<CreateAclsResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let outcomes = reader.array("outcomes", |reader| {
            let outcome = AclOutcome {
                error: reader.error_code()?,
                error_message: reader.nullable_string("error message")?,
            };
            reader.skip_tags("outcome")?;
            Ok(outcome)
        })?;
        reader.skip_tags("CreateAcls")?;
        reader.finish("CreateAcls")?;
        Ok(CreateAclsResponse {
            throttle_time_ms,
            outcomes,
        })
    }
}
