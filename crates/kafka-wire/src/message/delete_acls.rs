//! DeleteAcls: removes the access rights that filters match.

use bytes::{Bytes, BytesMut};

use super::acl::{AclBinding, AclFilter};
use super::create_acls::AclOutcome;
use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// Asks to remove access rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteAclsRequest {
    /// Which; each filter is carried out or refused on its own.
    pub filters: Vec<AclFilter>,
}

/// What became of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteAclsResponse {
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// One entry for each filter, in the order of the request.
    pub filters: Vec<DeletedAcls>,
}

/// What became of the bindings that one filter matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedAcls {
    /// What became of the filter as a whole.
    pub outcome: AclOutcome,
    /// The bindings it matched; none if there was no such binding.
    pub bindings: Vec<(AclBinding, AclOutcome)>,
}

impl Request for DeleteAclsRequest {
    type Response = DeleteAclsResponse;
    const API: ApiKey = ApiKey::DELETE_ACLS;
    const VERSIONS: VersionRange = VersionRange::new(1, 3);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        writer.array("filters", &self.filters, |writer, filter| {
            filter.write(writer)
        })?;
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<DeleteAclsResponse, DecodeError> {
        let mut reader = Reader::open::<Self>(version, body)?;
        let throttle_time_ms = reader.i32("throttle time")?;
        let filters = reader.array("filters", |reader| {
            let deleted = DeletedAcls {
                outcome: read_outcome(reader)?,
                bindings: reader.array("bindings", |reader| {
                    let outcome = read_outcome(reader)?;
                    let binding = AclBinding::read(reader)?;
                    reader.skip_tags("binding")?;
                    Ok((binding, outcome))
                })?,
            };
            reader.skip_tags("filter")?;
            Ok(deleted)
        })?;
        reader.skip_tags("DeleteAcls")?;
        reader.finish("DeleteAcls")?;
        Ok(DeleteAclsResponse {
            throttle_time_ms,
            filters,
        })
    }
}

fn read_outcome(reader: &mut Reader) -> Result<AclOutcome, DecodeError> {
    Ok(AclOutcome {
        error: reader.error_code()?,
        error_message: reader.nullable_string("error message")?,
    })
}
