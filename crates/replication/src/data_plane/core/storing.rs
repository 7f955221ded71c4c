//! The part of [`Core`] that gives positions out to be stored.

use std::collections::BTreeSet;

use super::super::partition::Phase;
use super::Core;
use super::transacting::may_be_stored;
use crate::position_store::StoreEntry;

impl Core {
    /// Positions that changed since they were taken last, unless some are being stored. With `all`
    /// unset, only those that a partition waits for.
    pub(crate) fn take_positions(&mut self, all: bool) -> Vec<StoreEntry> {
        if !self.storing.is_empty() || !self.owner.is_sure() {
            return Vec::new();
        }
        let mut entries = Vec::new();
        let mut kept = BTreeSet::new();
        let mut has_room = Vec::new();
        for index in std::mem::take(&mut self.changed) {
            let Some(partition) = self.partitions.get_mut(&index) else {
                continue;
            };
            let waits = all || matches!(partition.phase, Phase::Storing);
            let may_be = may_be_stored(self.transaction.is_some(), &partition.recovery);
            if !waits || !may_be || partition.late.holds_position() {
                kept.insert(index);
                continue;
            }
            let Some(position) = partition
                .position
                .clone()
                .filter(|_| partition.position_changed)
            else {
                continue;
            };
            partition.position_changed = false;
            self.storing.push(index);
            if !partition.map.has_room() {
                has_room.push(index);
            }
            entries.push(StoreEntry {
                link: self.settings.link.clone(),
                partition: partition.source.clone(),
                destination: partition.destination.topic.clone(),
                spread: partition.changes.spread,
                position,
                segments: partition.map.take_changed(),
            });
        }
        self.changed = kept;
        for index in has_room {
            self.touch_reader(index);
        }
        entries
    }

    /// Whether a partition waits for its position to be stored.
    pub(crate) fn waits_for_store(&self) -> bool {
        self.storing.is_empty()
            && self.changed.iter().any(|index| {
                self.partitions
                    .get(index)
                    .is_some_and(|p| matches!(p.phase, Phase::Storing))
            })
    }

    /// Whether positions have been handed out and not yet reported as stored.
    pub(crate) fn is_storing(&self) -> bool {
        !self.storing.is_empty()
    }

    /// The positions taken last are stored.
    ///
    /// Two processes that begin a link at the same moment find no position, and each makes producers of its own, whose batches
    /// nobody takes for the other's. So before the first batch of a new producer it is asked whose the link is: who claimed it
    /// later, and read what was stored before this, is seen then; who claims it later still reads what is stored now.
    pub(crate) fn on_stored(&mut self) {
        for index in std::mem::take(&mut self.storing) {
            let Some(partition) = self.partitions.get_mut(&index) else {
                continue;
            };
            let waits = matches!(partition.phase, Phase::Storing);
            // One that began anew meanwhile has another position to store first.
            if waits && !self.changed.contains(&index) {
                if std::mem::take(&mut partition.outdated) {
                    partition.restart();
                    self.to_locate.insert(index);
                    continue;
                }
                if std::mem::take(&mut partition.is_new_writer) {
                    self.doubt_ownership();
                }
                self.run(index);
            }
        }
    }
}
