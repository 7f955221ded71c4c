//! Tells the room that watches compacted topics what the data planes and health say of partitions.

use std::collections::{BTreeMap, HashMap};

use kafka_wire::types::{TopicId, TopicName, TopicPartition};
use tokio::time::Instant;

use super::health::Heard;
use super::streams::StreamMaker;
use crate::health::HealthHandle;
use crate::position_store::StoredText;
use crate::standstill::{Seen, Standstill, StandstillHandle, StandstillOptions};

/// The room for a link, to be run beside it; `texts` is what is kept beside positions.
pub(super) fn of(
    maker: &StreamMaker,
    texts: &[StoredText],
    heard: Heard,
    health: HealthHandle,
) -> (Standstill, StandstillHandle) {
    let options = StandstillOptions {
        link: maker.config.name.clone(),
        source: maker.source.clone(),
        store: maker.store.another(),
        interval: maker.worker.health_interval,
        look: Box::new(move || look(&heard, &health)),
    };
    Standstill::new(options, texts)
}

fn look(heard: &Heard, health: &HealthHandle) -> Vec<Seen> {
    let round = heard.rounds.borrow().0.clone();
    let copies: HashMap<&TopicName, TopicId> = round
        .copies
        .iter()
        .map(|copy| (&copy.source, copy.destination_id))
        .collect();
    let health = health.newest();
    let mut ends: HashMap<&TopicPartition, (i64, Instant)> = HashMap::new();
    for partition in &health.partitions {
        if let (Some(end), Some(age)) = (partition.source_end, partition.lag.age)
            && let Some(read) = health.at.checked_sub(age)
        {
            ends.insert(&partition.source, (end, read));
        }
    }
    // One that is spread over several is as far as the last of its parts.
    let mut seen: BTreeMap<TopicPartition, Seen> = BTreeMap::new();
    for partition in &heard.snapshot().partitions {
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
            end,
            read,
        };
        let known = seen.entry(partition.source.clone()).or_insert(one);
        known.progress = known.progress.min(progress);
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
