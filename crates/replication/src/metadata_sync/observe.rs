//! What both clusters hold, as far as the link is concerned.
//!
//! ```text
//!   source       Metadata (all topics)        one request; selection is applied to its names
//!                Metadata (by name)           for topics that should be there and are not; and instead of all topics,
//!                                             where exact names select and each of them is there, or where
//!                                             the first look was the last one
//!   destination  Metadata (copies' names)     one request; also originals of what is left out as their copy
//!   both         DescribeConfigs              only for topics to be created, and when settings are due
//! ```

use std::collections::{BTreeMap, BTreeSet};

use config::link::TopicSettings;
use kafka_client::cluster::Use;
use kafka_client::{ClientError, Cluster};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::describe_configs::{
    ConfigEntry, ConfigQuery, DescribeConfigsRequest, ResourceKind,
};
use kafka_wire::message::metadata::{MetadataTopics, TopicMetadata};
use kafka_wire::types::{TopicId, TopicName};

use super::first::First;
use super::plan::chosen::originals;

/// Topics in one DescribeConfigs request.
const DESCRIBE_TOPICS: usize = 100;

/// Settings in force on a topic, or the broker's refusal to tell.
pub type Settings = Result<Vec<ConfigEntry>, ErrorCode>;

/// A topic of either side.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Topic {
    /// Its id.
    pub id: TopicId,
    /// Number of partitions.
    pub partitions: i32,
    /// Replicas of its partitions.
    pub replication_factor: i16,
    /// Its settings, where they were asked for.
    pub settings: Option<Settings>,
}

/// Both sides at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Observation {
    /// Selected topics of the source.
    pub source: BTreeMap<TopicName, Topic>,
    /// All other topics of the source.
    pub unselected: BTreeSet<TopicName>,
    /// Whether the source was asked for all of its topics.
    pub everything: bool,
    /// Topics that should be at the source and cannot be seen: what a request by name said.
    pub absent: BTreeMap<TopicName, ErrorCode>,
    /// Copies that exist.
    pub destination: BTreeMap<TopicName, Topic>,
    /// Copies that cannot be looked at.
    pub hidden: BTreeMap<TopicName, ErrorCode>,
    /// Whether both sides are the same cluster.
    pub same_cluster: bool,
    /// Brokers of the destination.
    pub destination_brokers: usize,
    /// Whether settings of existing topics were asked for.
    pub settings_due: bool,
    /// Requests that were made for it.
    pub requests: u32,
}

impl Observation {
    /// Topics of the source that were looked at, selected or not.
    #[must_use]
    pub fn seen(&self) -> usize {
        self.source.len() + self.unselected.len()
    }

    /// Takes in what the source says of a topic that is selected, or should be there. The newest answer counts.
    fn selected(&mut self, name: TopicName, topic: &TopicMetadata) {
        if topic.error == ErrorCode::NONE {
            self.absent.remove(&name);
            self.source.insert(name, described(topic));
        } else if !self.source.contains_key(&name) {
            self.absent.insert(name, topic.error);
        }
    }
}

/// What to look at.
pub(super) struct Look<'a> {
    pub(super) settings: &'a TopicSettings,
    /// What the first look found, where nothing else is looked at any more.
    pub(super) first: Option<&'a mut First>,
    /// Topics that should be at the source, whether the list of all topics has them or not.
    pub(super) expected: BTreeSet<TopicName>,
    /// Whether settings of existing topics are compared too.
    pub(super) settings_due: bool,
    /// Whether topics are wanted too that nothing selects.
    pub(super) everything: bool,
    /// Settings of source topics whose copies were made a moment ago: they are not asked for again while
    /// those copies do not show yet.
    pub(super) settling: BTreeMap<TopicName, Settings>,
}

/// Looks at both clusters. Selection is applied to names first: nothing is asked about a topic that
/// is not selected.
pub(super) async fn observe(
    source: &Cluster,
    destination: &Cluster,
    mut look: Look<'_>,
) -> Result<Observation, String> {
    let mut seen = Observation {
        settings_due: look.settings_due,
        ..Observation::default()
    };
    let at_source = |error: ClientError| format!("source: {error}");
    let at_destination = |error: ClientError| format!("destination: {error}");
    observe_source(source, &look, &mut seen)
        .await
        .map_err(at_source)?;
    if let Some(first) = look.first.take() {
        first.narrow(&mut seen);
    }
    let names: BTreeMap<TopicName, TopicName> = seen
        .source
        .keys()
        .filter_map(|name| {
            let copy = look.settings.naming.apply(name.as_str()).ok()?;
            Some((name.clone(), copy.into()))
        })
        .collect();
    let originals = originals(&seen, look.settings).into_iter();
    let at_destination_too = names.values().cloned().chain(originals.map(|o| o.1));
    observe_destination(destination, at_destination_too.collect(), &mut seen)
        .await
        .map_err(at_destination)?;
    seen.same_cluster = source.is_same_as(destination);
    for (name, settings) in look.settling {
        if let Some(topic) = seen.source.get_mut(&name) {
            topic.settings = Some(settings);
        }
    }
    let is_there = |copy: &TopicName| seen.destination.contains_key(copy);
    let is_new = |copy: &TopicName| !is_there(copy) && !seen.hidden.contains_key(copy);
    let merged = look.settings.naming.is_constant();
    let compared = |copy: &TopicName| look.settings_due && !merged && is_there(copy);
    let wanted: Vec<TopicName> = names
        .iter()
        .filter(|(name, copy)| {
            let known = seen.source.get(*name).is_some_and(|t| t.settings.is_some());
            compared(copy) || (is_new(copy) && !known)
        })
        .map(|(name, _)| name.clone())
        .collect();
    let copies: BTreeSet<TopicName> = names.into_values().filter(|c| compared(c)).collect();
    let copies: Vec<TopicName> = copies.into_iter().collect();
    let (from, to) = tokio::join!(describe(source, &wanted), describe(destination, &copies));
    seen.requests += requests(&wanted) + requests(&copies);
    for (name, settings) in from.map_err(at_source)? {
        if let Some(topic) = seen.source.get_mut(&name) {
            topic.settings = Some(settings);
        }
    }
    for (name, settings) in to.map_err(at_destination)? {
        if let Some(topic) = seen.destination.get_mut(&name) {
            topic.settings = Some(settings);
        }
    }
    Ok(seen)
}

async fn observe_source(
    source: &Cluster,
    look: &Look<'_>,
    seen: &mut Observation,
) -> Result<(), ClientError> {
    let expected = || look.expected.iter().cloned().collect::<Vec<_>>();
    // A thousand links of a topic each need not look at a thousand topics each.
    if !look.everything && look.settings.selection.is_of_names() && !look.expected.is_empty() {
        by_name(source, expected(), seen).await?;
        if seen.absent.is_empty() {
            return Ok(());
        }
        // Otherwise there is something to say about names that are like those.
    }
    let asked = match &look.first {
        Some(first) => MetadataTopics::Topics(first.topics().cloned().collect()),
        None => MetadataTopics::All,
    };
    let answer = source.metadata(asked).await?;
    seen.everything = look.first.is_none();
    seen.requests += 1;
    for topic in answer.topics {
        let Some(name) = topic.name.clone() else {
            continue;
        };
        if look.settings.selection.is_selected(name.as_str()) {
            seen.selected(name, &topic);
        } else {
            seen.unselected.insert(name);
        }
    }
    // An answer about all topics leaves out those that may not be described.
    let mut missing = expected();
    missing.retain(|name| !seen.source.contains_key(name) && !seen.absent.contains_key(name));
    match missing.is_empty() {
        true => Ok(()),
        false => by_name(source, missing, seen).await,
    }
}

async fn by_name(
    source: &Cluster,
    names: Vec<TopicName>,
    seen: &mut Observation,
) -> Result<(), ClientError> {
    let answer = source.metadata(MetadataTopics::Topics(names)).await?;
    seen.requests += 1;
    for topic in answer.topics {
        if let Some(name) = topic.name.clone() {
            seen.selected(name, &topic);
        }
    }
    Ok(())
}

fn described(topic: &TopicMetadata) -> Topic {
    let replicas = topic.partitions.iter().map(|p| p.replicas.len());
    Topic {
        id: topic.id,
        partitions: i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX),
        replication_factor: i16::try_from(replicas.max().unwrap_or(1)).unwrap_or(i16::MAX),
        settings: None,
    }
}

async fn observe_destination(
    destination: &Cluster,
    names: BTreeSet<TopicName>,
    seen: &mut Observation,
) -> Result<(), ClientError> {
    let topics = MetadataTopics::Topics(names.into_iter().collect());
    let answer = destination.metadata(topics).await?;
    seen.requests += 1;
    seen.destination_brokers = answer.brokers.len();
    for topic in answer.topics {
        let Some(name) = topic.name.clone() else {
            continue;
        };
        match topic.error {
            ErrorCode::NONE => {
                seen.destination.insert(name, described(&topic));
            }
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {}
            code => {
                seen.hidden.insert(name, code);
            }
        }
    }
    Ok(())
}

fn requests(topics: &[TopicName]) -> u32 {
    u32::try_from(topics.len().div_ceil(DESCRIBE_TOPICS)).unwrap_or(u32::MAX)
}

async fn describe(
    cluster: &Cluster,
    topics: &[TopicName],
) -> Result<Vec<(TopicName, Settings)>, ClientError> {
    let mut described = Vec::new();
    for chunk in topics.chunks(DESCRIBE_TOPICS) {
        let resources = chunk
            .iter()
            .map(|name| ConfigQuery {
                kind: ResourceKind::Topic,
                name: name.to_string(),
                keys: None,
            })
            .collect();
        let answer = cluster
            .call_any(Use::Admin, &DescribeConfigsRequest { resources })
            .await?;
        described.extend(answer.resources.into_iter().map(|resource| {
            let settings = match resource.error {
                ErrorCode::NONE => Ok(resource.entries),
                code => Err(code),
            };
            (TopicName::from(resource.name), settings)
        }));
    }
    Ok(described)
}
