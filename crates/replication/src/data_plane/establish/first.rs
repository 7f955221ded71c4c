//! What the source has where partitions begin, read of many of them with one request: one after the other they would take a
//! round trip each and, over a narrow connection, the time of a batch.

use std::collections::HashMap;

use config::link::Offsets;
use kafka_client::cluster::Use;
use kafka_wire::message::fetch::{FetchPartition, FetchRequest, FetchTopic, FetchedPartition};
use kafka_wire::message::{IsolationLevel, TopicRef};
use kafka_wire::types::{ProducerIdentity, TopicPartition};

use super::evidence::refused;
use super::survey::Survey;
use super::{Readings, first_position};
use crate::data_plane::core::EstablishOrder;

/// Partitions in one request; what is found is kept until the next one.
pub(super) const TOGETHER: usize = 64;
/// Bytes of each. A batch that is larger is left out, unless it is the first of the answer.
const BYTES: i32 = 16 * 1024;

/// What was found, by source partition.
pub(super) type Firsts = HashMap<TopicPartition, Result<FetchedPartition, String>>;

/// A partition, and the offset at which it begins.
type Begin<'a> = (&'a EstablishOrder, i64);

/// Where a partition without a position begins.
pub(super) fn begin(order: &EstablishOrder, readings: Readings) -> i64 {
    let nobody = ProducerIdentity { id: 0, epoch: 0 };
    first_position(order, readings, nobody).offset.0
}

/// Whether the placement is decided without a look at the source's records.
pub(super) fn is_decided(order: &EstablishOrder, begin: i64, readings: Readings) -> bool {
    let mapped = order.offsets.placement == Offsets::Map || order.shared || order.changed;
    mapped || begin >= readings.end
}

impl Survey<'_> {
    /// Reads the beginnings of all these, at most [`TOGETHER`], that have yet to be placed; forgets those read before.
    pub(in super::super) async fn read_firsts<'a>(
        &mut self,
        orders: impl Iterator<Item = (&'a EstablishOrder, Readings)>,
    ) {
        let begins: Vec<Begin<'_>> = orders
            .filter(|(order, _)| order.position.is_none() && order.transaction.is_none())
            // Where markers may not be written, a transaction further behind decides too.
            .filter(|(order, _)| self.may_write_markers(&order.destination.topic))
            .map(|(order, readings)| (order, begin(order, readings), readings))
            .filter(|(order, begin, readings)| !is_decided(order, *begin, *readings))
            .map(|(order, begin, _)| (order, begin))
            .collect();
        self.firsts.clear();
        // One alone is asked for when it is needed.
        if begins.len() < 2 {
            return;
        }
        let request = request(&begins);
        let answer = self.source.ask(Use::Metadata, &request).await;
        let answered = match answer {
            Ok(answer) => answer.topics,
            Err(trouble) => {
                let failed = begins
                    .iter()
                    .map(|(order, _)| (order.source.clone(), Err(trouble.clone())));
                return self.firsts.extend(failed);
            }
        };
        for topic in answered {
            for fetched in topic.partitions {
                self.note(&begins, &topic.topic, fetched);
            }
        }
    }

    fn note(&mut self, asked: &[Begin<'_>], topic: &TopicRef, fetched: FetchedPartition) {
        let found = asked.iter().find(|(order, _)| {
            let is_topic = match topic {
                TopicRef::Name(name) => order.source.topic == *name,
                TopicRef::Id(id) => order.source_id == *id,
            };
            is_topic && order.source.partition == fetched.partition
        });
        let Some((order, begin)) = found else {
            return;
        };
        let first = fetched
            .without_error()
            .map_err(|code| refused("source", &order.source, code));
        // A large batch was left out. Its base is below where the partition begins only in a log that does not begin at 0.
        let left_out = first.as_ref().is_ok_and(|first| first.records.is_empty());
        if !(left_out && *begin > 0) {
            self.firsts.insert(order.source.clone(), first);
        }
    }
}

/// One request for all of these.
fn request(begins: &[Begin<'_>]) -> FetchRequest {
    let mut topics: Vec<FetchTopic> = Vec::new();
    for (order, begin) in begins {
        let partition = FetchPartition {
            partition: order.source.partition,
            current_leader_epoch: -1,
            fetch_offset: *begin,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            max_bytes: BYTES,
        };
        let name = &order.source.topic;
        match topics.iter_mut().find(|topic| topic.name == *name) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(FetchTopic {
                name: name.clone(),
                id: order.source_id,
                partitions: vec![partition],
            }),
        }
    }
    FetchRequest {
        max_wait_ms: 0,
        min_bytes: 0,
        // What partitions may send bounds it, and the first one's batch would take the place of the others.
        max_bytes: i32::MAX,
        isolation_level: IsolationLevel::ReadCommitted,
        session_id: 0,
        session_epoch: -1,
        rack_id: String::new(),
        topics,
        forgotten: Vec::new(),
    }
}
