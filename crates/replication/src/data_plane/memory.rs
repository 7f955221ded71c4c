//! How long the destination's brokers remember who wrote to a partition.
//!
//! They count from the newest record of the writer's last batch, not from the append, and look every ten minutes as a rule.
//! Half of the time counts: clocks differ, and what is sent now is carried out later.

use std::time::Duration;

use kafka_client::cluster::Use;
use kafka_client::{ClientError, Cluster};
use kafka_wire::message::describe_configs::{ConfigQuery, DescribeConfigsRequest, ResourceKind};
use kafka_wire::message::metadata::MetadataTopics;
use kafka_wire::types::NodeId;
use tokio::time::timeout;

use crate::clock::wall_ms;

/// The setting of a broker that says it.
const EXPIRATION: &str = "producer.id.expiration.ms";
/// What it is as a rule, and taken for where it may not be read.
const USUAL: i64 = 24 * 60 * 60 * 1000;
/// Brokers that are asked in turn, until one answers: those of one cluster are set alike.
const ASKED: usize = 3;
/// How long one may take; nothing is begun meanwhile.
const LIMIT: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BrokerMemory {
    milliseconds: i64,
}

impl Default for BrokerMemory {
    fn default() -> Self {
        Self {
            milliseconds: USUAL,
        }
    }
}

impl BrokerMemory {
    /// Whether the writer of records of this time may have been forgotten.
    pub(crate) fn may_have_lost(self, time: i64) -> bool {
        time < wall_ms().saturating_sub(self.milliseconds / 2)
    }
}

/// Asks the destination's brokers; without the right to read their settings a day is assumed.
pub(super) async fn ask(destination: &Cluster) -> BrokerMemory {
    let found = first_answer(destination).await;
    if let Some(milliseconds) = found.filter(|found| *found < USUAL) {
        tracing::info!(
            minutes = milliseconds / 60_000,
            "the destination's brokers forget sooner than in a day who wrote a record ({EXPIRATION}); the end of a log is read \
             twice before older records are sent again"
        );
    }
    found.map_or_else(BrokerMemory::default, |milliseconds| BrokerMemory {
        milliseconds,
    })
}

async fn first_answer(destination: &Cluster) -> Option<i64> {
    let none = MetadataTopics::Topics(Vec::new());
    let metadata = timeout(LIMIT, destination.metadata(none)).await.ok()?;
    for broker in metadata.ok()?.brokers.iter().take(ASKED) {
        let asked = timeout(LIMIT, expiration(destination, broker.node)).await;
        if let Ok(Ok(found)) = asked {
            return found;
        }
    }
    None
}

/// What a broker says; nothing where it does not tell this link.
async fn expiration(destination: &Cluster, broker: NodeId) -> Result<Option<i64>, ClientError> {
    let request = DescribeConfigsRequest {
        resources: vec![ConfigQuery {
            kind: ResourceKind::Broker,
            name: broker.0.to_string(),
            keys: Some(vec![EXPIRATION.to_owned()]),
        }],
    };
    let answer = destination.call(broker, Use::Metadata, &request).await?;
    let entries = answer.resources.into_iter().flat_map(|all| all.entries);
    let mut entries = entries.filter(|entry| entry.name == EXPIRATION);
    let value = entries.next().and_then(|entry| entry.value);
    let value = value.and_then(|value| value.parse().ok());
    Ok(value.filter(|milliseconds| *milliseconds > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_time_that_brokers_remember_counts() {
        let hour = 60 * 60 * 1000;
        let ago = |hours: i64| wall_ms() - hours * hour;
        let usual = BrokerMemory::default();
        assert!(!usual.may_have_lost(ago(11)));
        assert!(usual.may_have_lost(ago(13)));
        let short = BrokerMemory { milliseconds: hour };
        assert!(!short.may_have_lost(ago(0)));
        assert!(short.may_have_lost(ago(1)));
        assert!(short.may_have_lost(i64::MIN));
    }
}
