//! The first exchange on a connection: which versions the broker speaks (KIP-35, KIP-511).

use std::sync::Arc;

use config::client::HostPort;
use kafka_wire::message::api_versions::ApiVersionsResponse;
use kafka_wire::message::{self, ApiKey, VersionRange};

use crate::error::ClientError;

/// What a broker says it speaks. Clones share it: connections to the brokers of a cluster mostly hear the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerVersions {
    /// By key, in their order.
    ranges: Arc<[(i16, VersionRange)]>,
    metadata_level: Option<i16>,
}

impl BrokerVersions {
    pub(crate) fn new(answer: &ApiVersionsResponse) -> Self {
        let ranges = answer.apis.iter().map(|api| (api.key.0, api.versions));
        let mut ranges: Vec<_> = ranges.collect();
        ranges.sort_unstable_by_key(|(key, _)| *key);
        ranges.dedup_by_key(|(key, _)| *key);
        Self {
            ranges: ranges.into(),
            metadata_level: answer.metadata_level(),
        }
    }

    /// The level of `metadata.version` that its cluster has agreed on.
    pub(crate) fn metadata_level(&self) -> Option<i16> {
        self.metadata_level
    }

    /// The highest version that both sides speak.
    ///
    /// # Errors
    /// `Unsupported` when there is none.
    pub fn choose(
        &self,
        peer: &HostPort,
        api: ApiKey,
        own: VersionRange,
    ) -> Result<i16, ClientError> {
        let offered = self.range(api);
        offered
            .and_then(|offered| message::choose_version(own, offered))
            .ok_or_else(|| ClientError::Unsupported {
                peer: peer.clone(),
                api,
                offered: offered.map_or_else(
                    || "not at all".to_owned(),
                    |r| format!("{}–{}", r.min, r.max),
                ),
                own,
            })
    }

    fn range(&self, api: ApiKey) -> Option<VersionRange> {
        let found = self.ranges.binary_search_by_key(&api.0, |(key, _)| *key);
        found.ok().map(|at| self.ranges[at].1)
    }

    /// How many APIs the broker knows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.ranges.len()
    }

    /// Whether the broker knows the API at all.
    #[must_use]
    pub fn knows(&self, api: ApiKey) -> bool {
        self.range(api).is_some()
    }
}
