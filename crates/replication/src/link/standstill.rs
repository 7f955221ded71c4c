//! Tells the room that watches compacted topics what the data planes and health say of partitions.

use std::collections::{BTreeMap, HashMap};

use kafka_wire::types::{TopicId, TopicName, TopicPartition};
use tokio::time::Instant;

use super::assign::{Known, all_parts};
use super::health::Heard;
use super::streams::StreamMaker;
use crate::data_plane::{PartitionStatus, State};
use crate::health::HealthHandle;
use crate::position_store::{StoredLink, StoredText};
use crate::standstill::{Seen, Standstill, StandstillHandle, StandstillOptions};

/// The room for a link, to be run beside it; `texts` is what is kept beside positions.
pub(super) fn of(
    maker: &StreamMaker,
    (stored, texts): (&Known, &[StoredText]),
    heard: &Heard,
    health: &HealthHandle,
) -> (Standstill, StandstillHandle) {
    let (heard, health, part) = (heard.clone(), health.clone(), maker.part.clone());
    let options = StandstillOptions {
        link: maker.config.name.clone(),
        source: maker.source.clone(),
        store: maker.store.another(),
        is_own: Box::new(move |partition| part.has(partition)),
        positions: positions(stored.own()),
        interval: maker.worker.health_interval,
        look: Box::new(move |is_wanted| look(&heard, &health, is_wanted)),
    };
    Standstill::new(options, texts)
}

/// Where the copies of partitions had come to when that was stored last.
fn positions(stored: &StoredLink) -> BTreeMap<TopicPartition, (TopicId, i64)> {
    let positions = stored.iter().filter_map(|(partition, known)| {
        let position = known.position.as_ref().or_else(|| all_parts(known))?;
        let copy = position.destination_topic_id.0;
        Some((partition.clone(), (copy, position.offset.0)))
    });
    positions.collect()
}

fn look(heard: &Heard, health: &HealthHandle, is_wanted: &dyn Fn(&TopicName) -> bool) -> Vec<Seen> {
    let snapshot = heard.snapshot();
    // Partitions of a topic stand together mostly: each is asked about once.
    let same =
        |one: &PartitionStatus, next: &PartitionStatus| one.source.topic == next.source.topic;
    let topics = snapshot.partitions.chunk_by(same);
    let wanted: Vec<&[PartitionStatus]> = topics
        .filter(|topic| is_wanted(&topic[0].source.topic))
        .collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let round = heard.rounds.borrow().0.clone();
    let copies: HashMap<&TopicName, TopicId> = round
        .copies
        .iter()
        .map(|copy| (&copy.source, copy.destination_id))
        .collect();
    let health = health.newest();
    let mut ends: HashMap<&TopicPartition, (i64, Instant)> = HashMap::new();
    let known = health.partitions.iter();
    for partition in known.filter(|one| is_wanted(&one.source.topic)) {
        if let (Some(end), Some(age)) = (partition.source_end, partition.lag.age)
            && let Some(read) = health.at.checked_sub(age)
        {
            ends.insert(&partition.source, (end, read));
        }
    }
    // One that is spread over several is as far as the last of its parts.
    let mut seen: BTreeMap<TopicPartition, Seen> = BTreeMap::new();
    for partition in wanted.into_iter().flatten() {
        let read = ends.get(&partition.source).copied();
        let newest = partition.end.into_iter().chain(read);
        let (Some(progress), Some((end, read))) =
            (partition.position, newest.max_by_key(|(_, read)| *read))
        else {
            continue;
        };
        let copy = copies.get(&partition.source.topic);
        let one = Seen {
            source: partition.source.clone(),
            copy: copy.copied().unwrap_or(TopicId::ZERO),
            progress,
            settled: matches!(partition.state, State::Running),
            end,
            read,
        };
        let settled = one.settled;
        let known = seen.entry(partition.source.clone()).or_insert(one);
        known.progress = known.progress.min(progress);
        known.settled &= settled;
    }
    seen.into_values().collect()
}

#[cfg(test)]
mod tests {
    use crate::help::page;
    use crate::metadata_sync::Condition;
    use crate::standstill::STATE;

    #[test]
    fn what_was_missed_has_one_name_and_a_page() {
        assert_eq!(Condition::TombstonesMissed.name(), STATE);
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert!(root.join(page(STATE)).is_file());
    }
}
