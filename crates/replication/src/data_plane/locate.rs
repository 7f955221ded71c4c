//! Looks up who leads the partitions on both sides, and which topics they really are.

use std::collections::{BTreeSet, HashMap};

use kafka_client::Cluster;
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::metadata::{MetadataResponse, MetadataTopics};
use kafka_wire::types::{TopicId, TopicName, TopicPartition};

use super::core::{LocateOrder, Located, Place};
use super::partition::Leader;

/// One request to each side, whatever the number of partitions.
pub(crate) async fn locate(
    source: &Cluster,
    destination: &Cluster,
    orders: Vec<LocateOrder>,
) -> Vec<Located> {
    let names = |of: fn(&LocateOrder) -> &TopicPartition| {
        let names: BTreeSet<TopicName> = orders.iter().map(|o| of(o).topic.clone()).collect();
        MetadataTopics::Topics(names.into_iter().collect())
    };
    if orders.iter().any(|order| order.in_vain) {
        source.doubt();
        destination.doubt();
    }
    let (from, to) = tokio::join!(
        source.metadata(names(|o| &o.source)),
        destination.metadata(names(|o| &o.destination))
    );
    let from = from
        .map(Places::new)
        .map_err(|error| format!("source: {error}"));
    let to = to
        .map(Places::new)
        .map_err(|error| format!("destination: {error}"));
    orders
        .into_iter()
        .map(|order| {
            let find =
                |places: &Result<Places, String>, side, partition: &TopicPartition| match places {
                    Ok(places) => places.find(partition).map_err(|code| {
                        format!("{side}: partition {partition} cannot be reached: {code}")
                    }),
                    Err(error) => Err(error.clone()),
                };
            Located {
                index: order.index,
                source: find(&from, "source", &order.source),
                destination: find(&to, "destination", &order.destination),
            }
        })
        .collect()
}

/// A topic's id, and the leaders of its partitions as far as there are any.
type Topic = (TopicId, HashMap<i32, Result<Leader, ErrorCode>>);

struct Places {
    topics: HashMap<TopicName, Result<Topic, ErrorCode>>,
}

impl Places {
    fn new(answer: MetadataResponse) -> Self {
        let topics = answer
            .topics
            .into_iter()
            .filter_map(|topic| {
                let name = topic.name?;
                if topic.error != ErrorCode::NONE {
                    return Some((name, Err(topic.error)));
                }
                let partitions = topic
                    .partitions
                    .into_iter()
                    .map(|p| {
                        let leader = if p.leader.0 >= 0 {
                            Ok(Leader {
                                node: p.leader,
                                epoch: p.leader_epoch,
                            })
                        } else {
                            Err(ErrorCode::LEADER_NOT_AVAILABLE)
                        };
                        (p.index, leader)
                    })
                    .collect();
                Some((name, Ok((topic.id, partitions))))
            })
            .collect();
        Self { topics }
    }

    fn find(&self, partition: &TopicPartition) -> Result<Place, ErrorCode> {
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        match self.topics.get(&partition.topic) {
            None => Err(unknown),
            Some(Err(code)) => Err(*code),
            Some(Ok((topic_id, partitions))) => {
                let leader = partitions
                    .get(&partition.partition)
                    .copied()
                    .unwrap_or(Err(unknown))?;
                Ok(Place {
                    leader,
                    topic_id: *topic_id,
                })
            }
        }
    }
}
