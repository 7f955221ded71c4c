//! What both clusters hold, as far as the link is concerned.

use std::collections::{BTreeMap, BTreeSet};

use config::link::TopicSettings;
use kafka_client::cluster::Use;
use kafka_client::{ClientError, Cluster};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::describe_configs::{
    ConfigQuery, ConfigSource, DescribeConfigsRequest, ResourceKind,
};
use kafka_wire::message::metadata::MetadataTopics;
use kafka_wire::types::{TopicId, TopicName};

/// Topics in one DescribeConfigs request.
const DESCRIBE_TOPICS: usize = 100;

/// A selected topic of the source.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SourceTopic {
    /// Its id.
    pub id: TopicId,
    /// Number of partitions.
    pub partitions: i32,
    /// Replicas of its first partition.
    pub replication_factor: i16,
    /// Settings that were made on the topic itself; asked for only where the destination topic is
    /// missing. `Err` holds the broker's refusal.
    pub overrides: Option<Result<Vec<(String, String)>, ErrorCode>>,
}

/// Both sides at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Observation {
    /// Selected topics of the source.
    pub source: BTreeMap<TopicName, SourceTopic>,
    /// Selected topics that cannot be looked at.
    pub unreadable: BTreeMap<TopicName, ErrorCode>,
    /// Destination topics that exist, with their partition counts.
    pub destination: BTreeMap<TopicName, i32>,
    /// Destination topics that cannot be looked at.
    pub hidden: BTreeMap<TopicName, ErrorCode>,
    /// Whether both sides are the same cluster: a copy that is selected itself would be copied again,
    /// and so on without end.
    pub same_cluster: bool,
    /// Brokers of the destination.
    pub destination_brokers: usize,
    /// Topics of the source that were looked at, selected or not.
    pub seen: usize,
}

/// Looks at both clusters. Selection is applied to names first: nothing is asked about a topic that
/// is not selected.
pub(super) async fn observe(
    source: &Cluster,
    destination: &Cluster,
    settings: &TopicSettings,
) -> Result<Observation, String> {
    let mut seen = Observation::default();
    let answer = source
        .metadata(MetadataTopics::All)
        .await
        .map_err(|e| format!("source: {e}"))?;
    seen.same_cluster =
        answer.cluster_id.is_some() && answer.cluster_id == destination.cluster_id();
    seen.seen = answer.topics.len();
    for topic in answer.topics {
        let Some(name) = topic.name else { continue };
        if !settings.selection.is_selected(name.as_str()) {
            continue;
        }
        if topic.error != ErrorCode::NONE {
            seen.unreadable.insert(name, topic.error);
            continue;
        }
        let replicas = topic
            .partitions
            .iter()
            .map(|p| p.replicas.len())
            .max()
            .unwrap_or(1);
        let found = SourceTopic {
            id: topic.id,
            partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
            replication_factor: i16::try_from(replicas).unwrap_or(i16::MAX),
            overrides: None,
        };
        seen.source.insert(name, found);
    }
    let names: BTreeMap<TopicName, TopicName> = seen
        .source
        .keys()
        .filter_map(|name| {
            Some((
                name.clone(),
                settings.naming.apply(name.as_str()).ok()?.into(),
            ))
        })
        .collect();
    observe_destination(destination, names.values().cloned().collect(), &mut seen)
        .await
        .map_err(|e| format!("destination: {e}"))?;
    let missing: Vec<TopicName> = names
        .into_iter()
        .filter(|(_, to)| !seen.destination.contains_key(to) && !seen.hidden.contains_key(to))
        .map(|(from, _)| from)
        .collect();
    describe(source, &missing, &mut seen)
        .await
        .map_err(|e| format!("source: {e}"))?;
    Ok(seen)
}

async fn observe_destination(
    destination: &Cluster,
    names: BTreeSet<TopicName>,
    seen: &mut Observation,
) -> Result<(), ClientError> {
    let topics = MetadataTopics::Topics(names.into_iter().collect());
    let answer = destination.metadata(topics).await?;
    seen.destination_brokers = answer.brokers.len();
    for topic in answer.topics {
        let Some(name) = topic.name else { continue };
        match topic.error {
            ErrorCode::NONE => {
                let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
                seen.destination.insert(name, partitions);
            }
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {}
            code => {
                seen.hidden.insert(name, code);
            }
        }
    }
    Ok(())
}

async fn describe(
    source: &Cluster,
    topics: &[TopicName],
    seen: &mut Observation,
) -> Result<(), ClientError> {
    for chunk in topics.chunks(DESCRIBE_TOPICS) {
        let resources = chunk
            .iter()
            .map(|name| ConfigQuery {
                kind: ResourceKind::Topic,
                name: name.to_string(),
                keys: None,
            })
            .collect();
        let answer = source
            .call_any(Use::Admin, &DescribeConfigsRequest { resources })
            .await?;
        for resource in answer.resources {
            let Some(topic) = seen.source.get_mut(&TopicName::from(resource.name)) else {
                continue;
            };
            topic.overrides = Some(if resource.error == ErrorCode::NONE {
                Ok(resource
                    .entries
                    .into_iter()
                    .filter(|e| e.source == ConfigSource::Topic && !e.read_only && !e.sensitive)
                    .filter_map(|e| Some((e.name, e.value?)))
                    .collect())
            } else {
                Err(resource.error)
            });
        }
    }
    Ok(())
}
