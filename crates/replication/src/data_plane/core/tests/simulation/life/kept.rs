//! What of a life is stored, and how its process ends.

use config::link::OnRefused;
use rand::RngExt;

use super::{Life, Open, Plant, number};
use crate::data_plane::core::Core;
use crate::position_store::StoreEntry;
use crate::side::Source;

impl Life {
    pub(super) fn store(&mut self, all: bool) {
        if self.coordinator.is_some() {
            self.core.flush_transaction();
            return;
        }
        let mut entries = self.core.take_positions(all);
        for entry in &mut entries {
            if self.plant == Plant::StoreAhead {
                let partition = &self.core.partitions[&number(&entry.partition)];
                entry.position.offset = Source(partition.next_fetch);
            }
            self.check_position(entry);
        }
        if !entries.is_empty() {
            self.open.store = Some(entries);
        }
    }

    /// Everything before a position is in the destination's log, before the end that it names.
    pub(super) fn check_position(&mut self, entry: &StoreEntry) {
        let index = number(&entry.partition);
        let position = &entry.position;
        let there = &self.destinations[self.to[index]].places;
        let missing = self
            .wanted(index)
            .take_while(|offset| *offset < position.offset.0)
            .find(|offset| {
                let at = there.get(&(index, *offset));
                at.is_none_or(|at| *at >= position.destination_end.0)
            });
        if let Some(offset) = missing {
            self.found = Some(format!(
                "position {position:?} of {index} is stored, but source offset {offset} is not there"
            ));
        }
    }

    pub(super) fn stored(&mut self) {
        if let Some(entries) = self.open.store.take() {
            for entry in entries {
                self.keep(entry);
            }
            self.core.on_stored();
        }
    }

    /// What a process stores that was overtaken does not count where its successor has stored before.
    pub(super) fn keep(&mut self, entry: StoreEntry) {
        let kept = &mut self.kept[number(&entry.partition)];
        if kept.position_by <= self.process {
            (kept.position, kept.position_by) = (Some(entry.position), self.process);
        }
        for segment in entry.segments {
            let by = kept.segments_by.entry(segment.number).or_default();
            if *by <= self.process {
                *by = self.process;
                kept.segments.insert(segment.number, segment);
            }
        }
    }

    /// The process ends. What was being stored may be, for each partition.
    pub(super) fn crash(&mut self) {
        if self.leave_zombie() {
            return;
        }
        for entry in self.open.store.take().unwrap_or_default() {
            if self.random.random_bool(0.5) {
                self.keep(entry);
            }
        }
        for (id, lane) in std::mem::take(&mut self.open.lanes) {
            let not_served = lane.into_iter().find(|sent| sent.answer.is_none());
            if let Some(sent) = not_served.filter(|_| self.random.random_bool(0.5)) {
                self.late.push((id.node, sent.request));
            }
        }
        self.crash_fills();
        self.crash_step();
        self.land_before_cleaning();
        self.tally.crashes += 1;
        self.count_totals();
        self.open = Open::default();
        self.leave_running();
        self.core = Core::new(self.core.settings.clone());
        self.begin_beside_zombie();
        if std::mem::take(&mut self.guarded) {
            self.core.guard(true);
        }
        self.begin_transacting();
        self.assign();
    }

    /// A request that outlives its connection and lands behind what was read of the log: a known window.
    /// Where the same records are sent again it is closed by their sequence numbers; where others are,
    /// because the source was cleaned or records are left out, no life is to meet it.
    pub(super) fn land_before_cleaning(&mut self) {
        let skips = self.core.settings.on_refused == OnRefused::Skip;
        while (self.cleans || skips) && !self.late.is_empty() {
            self.land_late();
        }
    }
}
