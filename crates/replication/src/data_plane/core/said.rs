//! What is said of partitions as it is found out: what becomes of their offsets, and that they wait or go on.

use kafka_wire::types::TopicPartition;

use super::super::partition::News;
use super::Core;
use crate::news::{and_more, tell};

/// What was found out since it was said last.
#[derive(Debug, Default)]
pub(super) struct Said {
    preserved: Vec<(TopicPartition, String)>,
    mapped: Vec<(TopicPartition, String)>,
}

impl Said {
    pub(super) fn preserved(&mut self, partition: &TopicPartition, reason: &str) {
        tracing::debug!(%partition, "offsets are preserved: {reason}");
        self.preserved.push((partition.clone(), reason.to_owned()));
    }

    pub(super) fn mapped(&mut self, partition: &TopicPartition, reason: &str) {
        tracing::debug!(%partition, "offsets are mapped: {reason}");
        self.mapped.push((partition.clone(), reason.to_owned()));
    }

    /// Says it.
    pub(super) fn say(&mut self) {
        for (what, found) in [
            ("preserved", std::mem::take(&mut self.preserved)),
            ("mapped", std::mem::take(&mut self.mapped)),
        ] {
            tell(found, |partition, reason, more| {
                tracing::info!(%partition, "offsets are {what}: {reason}{}", and_more(more));
            });
        }
    }
}

impl Core {
    /// Says what was found out since the last time.
    pub(crate) fn say(&mut self) {
        self.said.say();
        let (mut waits, mut goes_on) = (Vec::new(), Vec::new());
        for partition in self.partitions.values_mut() {
            let Some(news) = partition.news.take() else {
                continue;
            };
            let source = partition.source.clone();
            match news {
                News::Waits => waits.push((source, partition.trouble.clone().unwrap_or_default())),
                News::GoesOn => goes_on.push((source, String::new())),
            }
        }
        let page = crate::help::page("retrying");
        tell(waits, |partition, trouble, more| {
            let more = and_more(more);
            tracing::warn!(%partition, state = "retrying", "partition waits: {trouble}{more} ({page})");
        });
        tell(goes_on, |partition, _, more| {
            tracing::info!(%partition, "partition goes on{}", and_more(more));
        });
    }
}
