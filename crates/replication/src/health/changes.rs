//! What is said of partitions whose state changed; many at once are told together.

use std::collections::BTreeMap;

use kafka_wire::types::TopicPartition;

use super::PartitionHealth;
use crate::news::{and_more, tell};

/// Changes that the data path does not say itself: by state, those that came to it and those that left it.
#[derive(Default)]
pub(super) struct Changes {
    came: BTreeMap<&'static str, Vec<(TopicPartition, String)>>,
    left: BTreeMap<(&'static str, &'static str), Vec<(TopicPartition, String)>>,
}

impl Changes {
    /// Notes a partition's state that is another one than before.
    pub(super) fn note(&mut self, before: &'static str, health: &PartitionHealth) {
        let own = ["stalled", "end-unknown", "destination-unknown"];
        if own.contains(&health.state) {
            let reason = health.reason.clone().unwrap_or_default();
            let came = self.came.entry(health.state).or_default();
            came.push((health.source.clone(), reason));
        } else if own.contains(&before) {
            let left = self.left.entry((before, health.state)).or_default();
            left.push((health.source.clone(), String::new()));
        }
    }

    /// Says all of them.
    pub(super) fn say(self, link: &str) {
        for (state, found) in self.came {
            let page = crate::help::page(state);
            tell(found, |partition, reason, more| {
                let more = and_more(more);
                tracing::warn!(link, %partition, state, "{reason}{more} ({page})");
            });
        }
        for ((before, state), found) in self.left {
            tell(found, |partition, _, more| {
                let more = and_more(more);
                tracing::info!(link, %partition, state, "no longer {before}{more}");
            });
        }
    }
}
