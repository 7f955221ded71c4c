//! ApiVersions: what the broker speaks. The first request on every connection.
//!
//! It is sent before anything is known about the broker. A broker that does not know the version
//! answers UNSUPPORTED_VERSION *in version 0*, with its own range for this API (KIP-511); the
//! decoder reads that too.

use bytes::{Bytes, BytesMut};

use crate::error_code::ErrorCode;

use super::reader::Reader;
use super::writer::Writer;
use super::{ApiKey, DecodeError, EncodeError, Request, VersionRange};

/// Asks which versions of which APIs the broker speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiVersionsRequest {
    /// Name of the client, for the broker's metrics: letters, digits, `-` and `.` (KIP-511).
    pub software_name: String,
    /// Version of the client, of the same characters.
    pub software_version: String,
}

/// The product's name with the version of this crate.
impl Default for ApiVersionsRequest {
    fn default() -> Self {
        Self {
            software_name: "tributary".to_owned(),
            software_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// What the broker speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiVersionsResponse {
    /// UNSUPPORTED_VERSION if the request is to be sent again in a version of `apis`.
    pub error: ErrorCode,
    /// Every API the broker advertises. Advertised is not the same as usable: see
    /// [`choose_version`](super::choose_version).
    pub apis: Vec<AdvertisedApi>,
    /// Milliseconds the broker held the answer back for a quota.
    pub throttle_time_ms: i32,
    /// Features the whole cluster has agreed on, like `transaction.version` (KIP-584).
    pub finalized_features: Vec<FinalizedFeature>,
}

/// An API and the versions of it that the broker advertises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdvertisedApi {
    /// The API.
    pub key: ApiKey,
    /// Its versions.
    pub versions: VersionRange,
}

/// A feature and the levels the cluster has agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalizedFeature {
    /// Name, like `metadata.version`.
    pub name: String,
    /// Lowest level.
    pub min_level: i16,
    /// Highest level: the one in force.
    pub max_level: i16,
}

impl ApiVersionsResponse {
    /// The versions of `api` the broker advertises.
    #[must_use]
    pub fn range(&self, api: ApiKey) -> Option<VersionRange> {
        self.apis
            .iter()
            .find(|advertised| advertised.key == api)
            .map(|found| found.versions)
    }

    /// The level of `metadata.version` that the cluster has agreed on. Clusters with ZooKeeper have none.
    #[must_use]
    pub fn metadata_level(&self) -> Option<i16> {
        let mut features = self.finalized_features.iter();
        let feature = features.find(|feature| feature.name == "metadata.version")?;
        Some(feature.max_level)
    }
}

/// The release of Kafka that a level of `metadata.version` belongs to: what the cluster has agreed on, which its brokers may be
/// ahead of. Levels as in Kafka's `MetadataVersion`; a later one than these is not known.
#[must_use]
pub fn release(metadata_level: i16) -> Option<&'static str> {
    const RELEASES: [(i16, &str); 15] = [
        (1, "3.0"),
        (2, "3.1"),
        (3, "3.2"),
        (7, "3.3"),
        (8, "3.4"),
        (11, "3.5"),
        (14, "3.6"),
        (19, "3.7"),
        (20, "3.8"),
        (21, "3.9"),
        (25, "4.0"),
        (27, "4.1"),
        (29, "4.2"),
        (30, "4.3"),
        (31, "4.4"),
    ];
    let mut releases = RELEASES.iter().filter(|_| metadata_level > 0);
    let found = releases.find(|(last, _)| metadata_level <= *last)?;
    Some(found.1)
}

impl Request for ApiVersionsRequest {
    type Response = ApiVersionsResponse;
    const API: ApiKey = ApiKey::API_VERSIONS;
    const VERSIONS: VersionRange = VersionRange::new(0, 3);

    fn encode(&self, version: i16, out: &mut BytesMut) -> Result<(), EncodeError> {
        let mut writer = Writer::open::<Self>(version, out)?;
        if writer.since(3) {
            writer.string("software name", &self.software_name)?;
            writer.string("software version", &self.software_version)?;
        }
        writer.end();
        Ok(())
    }

    fn decode(version: i16, body: Bytes) -> Result<ApiVersionsResponse, DecodeError> {
        let error = Reader::open::<Self>(version, body.clone())?.error_code()?;
        let version = if error == ErrorCode::UNSUPPORTED_VERSION {
            0
        } else {
            version
        };
        let mut reader = Reader::open::<Self>(version, body)?;

        let error = reader.error_code()?;
        let apis = reader.array("APIs", |reader| {
            let key = ApiKey(reader.i16("API key")?);
            let (min, max) = (
                reader.i16("lowest version")?,
                reader.i16("highest version")?,
            );
            reader.skip_tags("API")?;
            Ok(AdvertisedApi {
                key,
                versions: VersionRange { min, max },
            })
        })?;
        let throttle_time_ms = if reader.since(1) {
            reader.i32("throttle time")?
        } else {
            0
        };
        let mut finalized_features = Vec::new();
        reader.tags("ApiVersions", |tag, reader| {
            if tag == 2 {
                finalized_features = reader.array("finalized features", read_feature)?;
            }
            Ok(tag == 2)
        })?;
        reader.finish("ApiVersions")?;
        Ok(ApiVersionsResponse {
            error,
            apis,
            throttle_time_ms,
            finalized_features,
        })
    }
}

fn read_feature(reader: &mut Reader) -> Result<FinalizedFeature, DecodeError> {
    let name = reader.string("feature name")?;
    let max_level = reader.i16("highest feature level")?;
    let min_level = reader.i16("lowest feature level")?;
    reader.skip_tags("feature")?;
    Ok(FinalizedFeature {
        name,
        min_level,
        max_level,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_of_metadata_belongs_to_a_release() {
        for (level, expected) in [
            (0, None),
            (1, Some("3.0")),
            (4, Some("3.3")),
            (21, Some("3.9")),
            (22, Some("4.0")),
            (30, Some("4.3")),
            (31, Some("4.4")),
            (32, None),
        ] {
            assert_eq!(release(level), expected, "{level}");
        }
    }
}
