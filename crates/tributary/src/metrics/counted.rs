//! Counts that only grow, out of counts that begin anew (pure).
//!
//! A partition counts from zero again when its link is begun anew, and what it counted is gone when it is somebody else's.
//! A sum over partitions would fall then, and Prometheus takes a fall for a restart and counts everything a second time.
//! So what is added from one look to the next is summed up here.

use std::collections::{BTreeMap, HashMap};

use kafka_client::meter::ClientCounts;
use kafka_wire::types::TopicPartition;
use replication::data_plane::{Flow, PartitionStatus, Totals};

/// A topic, and what its copy is called.
pub(super) type Named = (String, String);

/// What a link has counted.
#[derive(Debug, Default)]
pub(super) struct LinkCounts {
    /// Of topics that it has now.
    pub(super) topics: BTreeMap<Named, Totals>,
    /// Of all topics that it ever had.
    pub(super) link: Totals,
    /// Of all its parts that there ever were.
    pub(super) flow: Flow,
    /// What each part said at the last look.
    flows: HashMap<String, Flow>,
    /// Requests to the source and to the destination, of all its parts that there ever were.
    pub(super) clients: [ClientCounts; 2],
    /// The same, of each part at the last look.
    asked: HashMap<String, [ClientCounts; 2]>,
    /// As of the last look. Several streams may copy the same partition.
    seen: HashMap<(TopicPartition, TopicPartition, usize), Totals>,
}

impl LinkCounts {
    /// Adds what has happened since the last look.
    pub(super) fn look(&mut self, partitions: &[PartitionStatus]) {
        let mut seen = HashMap::with_capacity(partitions.len());
        let mut topics: BTreeMap<Named, Totals> = BTreeMap::new();
        for of_topic in partitions.chunk_by(are_of_one_topic) {
            let mut sum = Totals::default();
            for partition in of_topic {
                let (from, to) = (&partition.source, &partition.destination);
                let mut key = (from.clone(), to.clone(), 0);
                while seen.contains_key(&key) {
                    key.2 += 1;
                }
                let before = self.seen.get(&key).copied().unwrap_or_default();
                seen.insert(key, partition.totals);
                // Mostly nothing has happened.
                if partition.totals != before {
                    add(&mut sum, &since(&partition.totals, &before));
                }
            }
            add(&mut self.link, &sum);
            let name = named(&of_topic[0]);
            let topic = topics
                .entry(name)
                .or_insert_with_key(|name| self.topics.get(name).copied().unwrap_or_default());
            add(topic, &sum);
        }
        self.seen = seen;
        self.topics = topics;
    }

    /// The same for how long things took, of each part of the link.
    pub(super) fn look_at_flows<'a>(&mut self, parts: impl Iterator<Item = (&'a str, &'a Flow)>) {
        let mut flows = HashMap::new();
        for (key, now) in parts {
            let more = match self.flows.get(key) {
                Some(before) => now.since(before),
                None => now.clone(),
            };
            self.flow.add(&more);
            flows.insert(key.to_owned(), now.clone());
        }
        self.flows = flows;
    }

    /// The same for requests.
    pub(super) fn look_at_clients<'a>(
        &mut self,
        parts: impl Iterator<Item = (&'a str, [&'a ClientCounts; 2])>,
    ) {
        let mut asked = HashMap::new();
        for (key, now) in parts {
            let before = self.asked.remove(key).unwrap_or_default();
            for ((sum, now), before) in self.clients.iter_mut().zip(now).zip(&before) {
                sum.add(&now.since(before));
            }
            asked.insert(key.to_owned(), now.map(Clone::clone));
        }
        self.asked = asked;
    }
}

/// Partitions of a topic stand together mostly, and its names are made once for all of them.
pub(super) fn are_of_one_topic(one: &PartitionStatus, next: &PartitionStatus) -> bool {
    one.source.topic == next.source.topic && one.destination.topic == next.destination.topic
}

/// The topic of a partition.
pub(super) fn named(partition: &PartitionStatus) -> Named {
    let (from, to) = (&partition.source, &partition.destination);
    (from.topic.to_string(), to.topic.to_string())
}

/// What has come since; everything where counting has begun anew.
fn since(now: &Totals, before: &Totals) -> Totals {
    let anew = fields(now)
        .iter()
        .zip(fields(before))
        .any(|(now, then)| *now < then);
    if anew {
        return *now;
    }
    let mut more = Totals::default();
    let differences = fields(now).into_iter().zip(fields(before));
    let differences: Vec<u64> = differences.map(|(now, then)| now - then).collect();
    for (field, difference) in fields_mut(&mut more).into_iter().zip(differences) {
        *field = difference;
    }
    more
}

fn add(sum: &mut Totals, more: &Totals) {
    for (field, more) in fields_mut(sum).into_iter().zip(fields(more)) {
        *field = field.saturating_add(more);
    }
}

/// The counts that are shown.
fn fields(totals: &Totals) -> Vec<u64> {
    let mut copy = *totals;
    fields_mut(&mut copy)
        .into_iter()
        .map(|field| *field)
        .collect()
}

fn fields_mut(totals: &mut Totals) -> Vec<&mut u64> {
    let mut fields = vec![
        &mut totals.records,
        &mut totals.bytes,
        &mut totals.untouched,
        &mut totals.repeated,
        &mut totals.skipped,
        &mut totals.quarantined,
        &mut totals.returned,
        &mut totals.circled,
    ];
    fields.extend(&mut totals.decoded);
    fields.extend(&mut totals.lost);
    fields
}

#[cfg(test)]
mod tests {
    use replication::data_plane::State;

    use super::*;

    fn partition(topic: &str, number: i32, records: u64) -> PartitionStatus {
        let name = TopicPartition::new(topic.into(), number);
        PartitionStatus {
            source: name.clone(),
            destination: name,
            state: State::Running,
            position: None,
            read: None,
            oldest_ms: None,
            turn: None,
            age: None,
            latency: None,
            end: None,
            totals: Totals {
                records,
                ..Totals::default()
            },
            lost: None,
        }
    }

    #[test]
    fn sums_never_fall_when_partitions_go_or_begin_anew() {
        let mut counts = LinkCounts::default();
        let mut check = |now: &[PartitionStatus], topics: &[(&str, u64)], link: u64| {
            counts.look(now);
            let found: Vec<(&str, u64)> = counts
                .topics
                .iter()
                .map(|((name, _), totals)| (name.as_str(), totals.records))
                .collect();
            assert_eq!(found, topics);
            assert_eq!(counts.link.records, link);
        };
        check(
            &[partition("a", 0, 10), partition("a", 1, 5)],
            &[("a", 15)],
            15,
        );
        check(&[partition("a", 0, 12)], &[("a", 17)], 17);
        // Begun anew.
        check(&[partition("a", 0, 3)], &[("a", 20)], 20);
        // Two streams of one partition.
        check(
            &[
                partition("a", 0, 3),
                partition("a", 0, 4),
                partition("b", 0, 1),
            ],
            &[("a", 24), ("b", 1)],
            25,
        );
        check(&[partition("b", 0, 1)], &[("b", 1)], 25);
    }
}
