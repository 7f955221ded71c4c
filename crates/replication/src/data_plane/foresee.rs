//! What would become of offsets, without doing anything: where copying goes on what it was placed with, elsewhere the same
//! facts and the same choice as when copying begins.

use std::collections::{BTreeMap, HashMap};

use config::link::{LinkConfig, OnRefused, StartPosition};
use kafka_client::Cluster;
use kafka_client::cluster::Use;
use kafka_client::offsets::list_offsets;
use kafka_wire::message::IsolationLevel;
use kafka_wire::message::list_offsets::{EARLIEST, LATEST};
use kafka_wire::message::metadata::MetadataTopics;
use kafka_wire::types::{NodeId, TopicName, TopicPartition};

use super::core::{EstablishOrder, LocateOrder, Located};
use super::establish::{offset_of, survey_of};
use super::locate::locate;
use crate::placement::{Grants, Outlook, choose, keep};
use crate::position_store::Stored;

/// Partitions that are looked at; each costs a request.
const MOST_PARTITIONS: usize = 500;

/// A topic to be copied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its name.
    pub source: TopicName,
    /// Where it would be copied.
    pub destination: TopicName,
    /// Its partitions.
    pub partitions: i32,
    /// What is stored of those that were copied before.
    pub stored: BTreeMap<i32, Stored>,
}

/// What is to be expected of the offsets of topics; those that cannot be looked at are left out.
pub async fn foresee(
    link: &LinkConfig,
    source: &Cluster,
    destination: &Cluster,
    topics: &[Candidate],
) -> BTreeMap<TopicName, Outlook> {
    let partitions = topics.iter().flat_map(|topic| {
        (0..topic.partitions).map(|number| {
            (
                TopicPartition::new(topic.source.clone(), number),
                TopicPartition::new(topic.destination.clone(), number),
            )
        })
    });
    let orders: Vec<LocateOrder> = partitions
        .take(MOST_PARTITIONS)
        .enumerate()
        .map(|(index, (source, destination))| LocateOrder {
            index,
            source,
            destination,
            in_vain: false,
        })
        .collect();
    let mut outlooks = BTreeMap::new();
    let none = MetadataTopics::Topics(Vec::new());
    let Ok(brokers) = destination.metadata(none).await else {
        return outlooks;
    };
    let Some(some_broker) = brokers.brokers.first().map(|broker| broker.node) else {
        return outlooks;
    };
    let located = locate(source, destination, orders.clone()).await;
    let mut groups: HashMap<(NodeId, NodeId), Vec<(EstablishOrder, bool)>> = HashMap::new();
    let stored: HashMap<&TopicName, &BTreeMap<i32, Stored>> = topics
        .iter()
        .map(|topic| (&topic.source, &topic.stored))
        .collect();
    for (asked, found) in orders.into_iter().zip(located) {
        let known = stored.get(&asked.source.topic);
        let known = known.and_then(|all| all.get(&asked.source.partition));
        if let Some((leaders, order, exists)) = order_of(link, asked, found, known, some_broker) {
            groups.entry(leaders).or_default().push((order, exists));
        }
    }
    for (leaders, group) in groups {
        look(link, (source, destination), leaders, group, &mut outlooks).await;
    }
    outlooks
}

/// The order for a partition that begins or goes on, its leaders, and whether its destination exists.
fn order_of(
    link: &LinkConfig,
    asked: LocateOrder,
    found: Located,
    known: Option<&Stored>,
    some_broker: NodeId,
) -> Option<((NodeId, NodeId), EstablishOrder, bool)> {
    let source = found.source.ok()?;
    let destination = found.destination.ok();
    let to = destination
        .as_ref()
        .map_or(some_broker, |place| place.leader.node);
    let start = link
        .start
        .of(asked.source.topic.as_str(), asked.source.partition);
    let start = start.unwrap_or_else(|| link.start.of_topic(asked.source.topic.as_str()));
    let position = known.and_then(|known| known.position.clone());
    let begin = known.and_then(|known| known.begin);
    let start = begin.map_or(start, StartPosition::Offset);
    let changed = link.changes_records_of(asked.source.topic.as_str());
    let order = EstablishOrder {
        index: asked.index,
        start,
        source: asked.source,
        source_id: source.topic_id,
        destination: asked.destination,
        destination_id: destination
            .as_ref()
            .map(|place| place.topic_id)
            .unwrap_or_default(),
        position,
        raise_epoch: false,
        readings: 0,
        shared: link.may_share_partitions(),
        changed,
        on_gap: link.on_gap,
        offsets: link.offsets,
        given_up: None,
        memory: Default::default(),
        leaves_out: link.on_refused != OnRefused::Stop,
        first: true,
        store_first: false,
        source_epoch: -1,
        sent_epoch: None,
        sent_to: 0,
        doubt: None,
        transaction: None,
    };
    let begins_somewhere = !matches!(order.start, StartPosition::Time(_) | StartPosition::Nowhere);
    (begins_somewhere || order.position.is_some()).then_some((
        (source.leader.node, to),
        order,
        destination.is_some(),
    ))
}

async fn look(
    link: &LinkConfig,
    (source, destination): (&Cluster, &Cluster),
    (from, to): (NodeId, NodeId),
    group: Vec<(EstablishOrder, bool)>,
    outlooks: &mut BTreeMap<TopicName, Outlook>,
) {
    let sources: Vec<_> = group
        .iter()
        .map(|(order, _)| order.source.clone())
        .collect();
    let there = group.iter().filter(|(_, exists)| *exists);
    let destinations: Vec<_> = there.map(|(order, _)| order.destination.clone()).collect();
    let (committed, all) = (
        IsolationLevel::ReadCommitted,
        IsolationLevel::ReadUncommitted,
    );
    let (starts, ends, destination_starts, destination_ends) = tokio::join!(
        list_offsets(source, from, Use::Metadata, &sources, EARLIEST, committed),
        list_offsets(source, from, Use::Metadata, &sources, LATEST, committed),
        list_offsets(destination, to, Use::Metadata, &destinations, EARLIEST, all),
        list_offsets(destination, to, Use::Metadata, &destinations, LATEST, all),
    );
    let orders: Vec<EstablishOrder> = group.iter().map(|(order, _)| order.clone()).collect();
    let survey = survey_of(source, destination, (from, to), &orders).await;
    let grants = Grants::of(destination.config());
    for (order, exists) in group {
        let (Some(start), Some(end)) = (
            offset_of(&starts, &order.source),
            offset_of(&ends, &order.source),
        ) else {
            continue;
        };
        let empty = |offset: Option<i64>| if exists { offset } else { Some(0) };
        let (Some(destination_start), Some(destination_end)) = (
            empty(offset_of(&destination_starts, &order.destination)),
            empty(offset_of(&destination_ends, &order.destination)),
        ) else {
            continue;
        };
        let of_topic = order.source.topic.clone();
        if let Some(position) = &order.position {
            let changed = order.changed || order.shared;
            let choice = keep(&position.placement, &link.offsets, changed);
            let outlook = outlooks.entry(of_topic).or_default();
            outlook.add(choice, destination_end);
            continue;
        }
        // A topic that is yet to be created gets the source's settings.
        let readings = survey
            .readings(
                &order,
                exists,
                [start, end, destination_start, destination_end],
            )
            .await;
        let Ok(facts) = survey.facts(&order, readings, &mut survey.room()).await else {
            continue;
        };
        let topic = order.destination.topic.as_str();
        let choice = choose(&link.offsets, &facts, topic, &grants);
        let outlook = outlooks.entry(of_topic).or_default();
        outlook.add(choice, destination_end);
    }
}
