//! One partition where records get the offsets they have at the source: filler, gaps, and the way back to
//! mapped offsets (pure).

use config::link::{Offsets, StartPosition};

use super::super::core::Settings;
use super::super::placing::{FILLERS_WAITING, Filler, PlaceRules};
use super::super::route::{Blocked, Cause, Routed};
use super::super::send_state::{Gap, LARGEST_GAP, SendState, Unplaceable};
use super::Partition;
use crate::offset_map::Run;
use crate::position::{Placement, Preserved};
use crate::side::{Destination, Source};

impl Partition {
    /// What is needed to preserve offsets, where they are.
    pub(crate) fn preserved(&self) -> Option<&Preserved> {
        self.position.as_ref()?.placement.preserved()
    }

    /// Whether the log has yet to be filled up to where the first record goes.
    pub(super) fn is_padding(&self) -> bool {
        let placed = self.send.as_ref().and_then(SendState::placed);
        let padding = self.preserved().map(|preserved| preserved.padding);
        let fills = placed.is_some_and(|placed| padding.is_some_and(|padding| placed < padding));
        fills || self.borrows()
    }

    /// Queues some filler, while the log has to be filled.
    pub(crate) fn pad(&mut self, filler: &mut Filler) {
        let Some(padding) = self.preserved().map(|preserved| preserved.padding) else {
            return;
        };
        let (keyed, limit) = (self.placing.compacted, self.max_message_bytes);
        let Some(send) = &mut self.send else { return };
        while let Some(placed) = send.placed().filter(|placed| *placed < padding)
            && send.waiting() < FILLERS_WAITING
        {
            let batch = filler.batch(placed, padding, keyed, limit);
            send.push(batch).expect("it begins behind what is queued");
        }
    }

    pub(super) fn place_rules(&self, settings: &Settings) -> Option<PlaceRules> {
        self.preserved()?;
        let compacted = self.placing.compacted;
        Some(PlaceRules {
            whole_from: self.begun_at,
            copies: compacted,
            markers: !compacted || !self.placing.no_markers,
            runs: settings.offsets.placement == Offsets::Preserve,
            pending: self.placing.pending,
        })
    }

    /// Counts an answer as read. Where offsets are preserved, those that nothing stands at are gaps now.
    pub(crate) fn has_read(&mut self, routed: &Routed) {
        let Some(preserved) = self.preserved().copied() else {
            self.pass_over(routed.next, routed.leader_epoch, routed.dropped);
            return;
        };
        self.totals.control += routed.dropped.control;
        self.totals.aborted += routed.dropped.aborted;
        self.note_epoch(routed.leader_epoch, routed.next);
        let Some(send) = &mut self.send else { return };
        let filled = match self.placing.compacted {
            true => routed.filled,
            false => routed.next,
        };
        if filled > preserved.padding
            && let Err(unplaceable) = send.fill_to(filled, routed.leader_epoch)
        {
            self.block(filled, unplaceable);
            return;
        }
        let placed = send.placed().unwrap_or(filled);
        self.placing.pending = Some(placed).filter(|placed| *placed < routed.next);
        self.count_pending(routed.leader_epoch);
    }

    /// A hole that waits for the next record counts as copied when there is nothing else to do.
    pub(super) fn count_pending(&mut self, leader_epoch: i32) {
        let idle = self.send.as_ref().is_some_and(SendState::is_empty);
        let next = self.next_fetch;
        if self.placing.pending.is_none() || !idle {
            return;
        }
        if let Some(position) = self.position.as_mut().filter(|p| p.offset.0 < next) {
            position.offset = Source(next);
            position.leader_epoch = leader_epoch;
            self.position_changed = true;
        }
    }

    /// It cannot go on: something cannot get the offsets it has at the source.
    pub(super) fn block(&mut self, offset: i64, unplaceable: Unplaceable) {
        let (offset, reason) = match unplaceable {
            Unplaceable::Scattered => (
                offset,
                "offsets are missing between its records, and this topic is not compacted: each run of \
                 records would need a batch of its own"
                    .to_owned(),
            ),
            Unplaceable::Taken { placed } => (
                offset,
                format!("its offset is taken already: the copy stands at {placed}"),
            ),
            Unplaceable::GapTooLarge(gap) => (
                gap.from,
                format!(
                    "{} offsets [{}, {}) without a record are more than {LARGEST_GAP}, the most that are used up \
                     by markers",
                    gap.to - gap.from,
                    gap.from,
                    gap.to
                ),
            ),
        };
        let blocked = Blocked::new(offset, Cause::CannotPlace, reason);
        self.blocked.get_or_insert(blocked);
    }

    /// Takes over that a gap was filled up to `gap.from`.
    pub(crate) fn has_filled(&mut self, gap: Gap, markers: i64) {
        self.totals.markers += u64::try_from(markers).unwrap_or(0);
        self.recover();
        self.backoff.reset();
        let sequence = self.send.as_ref().map(|send| send.acknowledged_up_to().1);
        if let (Some(position), Some(sequence)) = (&mut self.position, sequence) {
            // Further where it is known already that nothing stands before.
            position.offset = position.offset.max(Source(gap.from));
            position.destination_end = Destination(gap.from);
            position.leader_epoch = gap.leader_epoch;
            position.sequence = sequence;
            self.position_changed = true;
        }
        self.count_pending(gap.leader_epoch);
    }

    /// From here on offsets are mapped. What was copied so far has the same offsets on both sides.
    pub(crate) fn map_from_here(&mut self) {
        let start = self.placing.destination_start;
        let Some(position) = &mut self.position else {
            return;
        };
        let padding = position.placement.preserved().map_or(0, |p| p.padding);
        let end = position.destination_end.0;
        if end <= padding {
            // No record is known to be there: it begins as if it had never been placed, unless the log shows one.
            self.placing.given_up = Some(self.placing.reason.clone());
            if self.start != StartPosition::Earliest {
                self.start = StartPosition::Offset(padding);
            }
            return;
        }
        let length = position.destination_end.0 - start;
        position.placement = Placement::Mapped;
        // A hole that waited for its next record is behind the end.
        self.map.append(Run {
            source: Source(start),
            destination: Destination(start),
            length,
        });
        self.position_changed = true;
        self.store_first = true;
    }
}
