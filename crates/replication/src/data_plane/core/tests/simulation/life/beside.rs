//! The process before this one, which runs on for a moment because it has not noticed yet that the link is taken over, and
//! fills gaps meanwhile.

use kafka_wire::types::ProducerIdentity;
use rand::RngExt;

use super::{Life, Plant, number};

/// What it knows of one partition.
#[derive(Debug)]
pub(super) struct Former {
    partition: usize,
    marker: ProducerIdentity,
    coordinator_epoch: i32,
}

impl Life {
    /// The process that ends may have another one beside it, as well as behind it.
    pub(super) fn leave_running(&mut self) {
        // In the other half positions are in a file, where there is no claim.
        let has_claim = self.plant == Plant::UnreadGap || self.restarts.random_bool(0.5);
        if !self.places || !has_claim || self.zombies.is_some() {
            return;
        }
        self.guarded = true;
        // One that was beside another itself fills nothing yet.
        self.formers.clear();
        if self.core.is_beside_another() {
            return;
        }
        // Where it waits for an answer it asks for nothing.
        let fills = self.late_fills.iter().flat_map(|order| &order.gaps);
        let mut waits: Vec<usize> = fills.map(|gap| number(&gap.partition)).collect();
        let calls = self.late.iter().flat_map(|(_, request)| &request.topics);
        let calls = calls.flat_map(|topic| &topic.partitions);
        waits.extend(calls.filter_map(|p| usize::try_from(p.partition).ok()));
        let running = self.core.partitions.values().filter_map(|partition| {
            let position = partition.position.as_ref()?;
            let preserved = position.placement.preserved()?;
            let (partition, end) = (number(&partition.source), position.destination_end.0);
            // It writes nothing under a name that is not stored yet.
            let stored = self.kept[partition].position.as_ref();
            let is_stored = stored.is_some_and(|stored| stored.placement == position.placement);
            let is_idle = is_stored && !waits.contains(&partition);
            (is_idle && end >= preserved.padding).then_some(Former {
                partition,
                marker: preserved.marker,
                coordinator_epoch: preserved.coordinator_epoch,
            })
        });
        self.formers = running.collect();
    }

    /// It fills one offset of a gap.
    pub(super) fn act_beside(&mut self) {
        if self.formers.is_empty() || !self.restarts.random_bool(0.15) {
            return;
        }
        let at = self.restarts.random_range(0..self.formers.len());
        let former = &self.formers[at];
        let original = self.delivered(former.partition);
        let log = &mut self.destinations[former.partition];
        let is_gap = log.end >= self.sources[former.partition].start
            && !original.contains_key(&log.end)
            && original
                .keys()
                .next_back()
                .is_some_and(|last| *last > log.end);
        // What both of them write is answered to both.
        if is_gap && log.mark(former.marker, former.coordinator_epoch).is_ok() {
            self.tally.beside += 1;
        }
    }

    /// It may have looked by now.
    pub(super) fn end_beside(&mut self) {
        if self.restarts.random_bool(0.6) {
            return;
        }
        self.formers.clear();
        self.core.has_settled();
    }

    /// Whose the link is, where that is asked: this process's.
    pub(super) fn answer_owner(&mut self) {
        let question = self.core.owner_question();
        if question > 0 && !self.is_overtaken() {
            self.core.on_owner(question, self.now, None);
        }
    }
}
