//! The placing part of [`Core`]: gaps to fill, log starts to move, and what happens where a record cannot
//! have the offset it has at the source.

use std::time::Duration;

use config::link::{Offsets, OnForeignWrites};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::types::NodeId;
use tokio::time::Instant;

use super::super::partition::{Partition, Phase, Stop};
use super::super::placing::Doubt;
use super::super::send_state::Displaced;
use super::owning::Lease;
use super::said::Said;
use super::{Core, FillGap, FillOrder, Filled, Ground, Index, TrimOrder};
use crate::position::Position;

/// Markers in one request.
const MARKERS: i64 = 5_000;
/// Two readings of an end that are to be equal are at least so far apart.
const BETWEEN_READINGS: Duration = Duration::from_millis(500);

impl Partition {
    /// Takes over what was found out about offsets; what is new is to be said.
    pub(super) fn stand_on(
        &mut self,
        ground: Ground,
        position: &Position,
        asked: Offsets,
        said: &mut Said,
    ) {
        let placing = &mut self.placing;
        placing.compacted = ground.compacted;
        placing.deletes = ground.deletes;
        placing.source_start = ground.source_start;
        placing.destination_start = ground.destination_start;
        placing.fenced = false;
        if ground.padded > 0 {
            placing.left_over = Some(ground.padded);
        }
        if !ground.reason.is_empty() && *ground.reason != *placing.reason {
            let preserved = position.placement.preserved().is_some();
            let partition = &self.source;
            match (preserved, asked) {
                (true, _) => said.preserved(partition, &ground.reason),
                (false, Offsets::Map) => {}
                (false, _) => said.mapped(partition, &ground.reason),
            }
            placing.reason = ground.reason.into();
        }
    }
}

impl Core {
    /// A call ended without an answer: a broker may still carry it out.
    pub(super) fn doubt(&mut self, index: Index, record_time: i64, now: Instant) {
        let until = now + self.settings.settle;
        if let Some(partition) = self.partitions.get_mut(&index) {
            partition.late.doubt(now, record_time);
            let before = partition.doubt.map_or(i64::MAX, |doubt| doubt.record_time);
            partition.doubt = Some(Doubt {
                record_time: record_time.min(before),
                until,
                seen: None,
            });
        }
    }

    /// The end was read once, and has to be the same a while later.
    pub(super) fn unsettled(&mut self, index: Index, end: i64, now: Instant) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        let until = partition.doubt.map_or(now, |doubt| doubt.until);
        let at = until.max(now + BETWEEN_READINGS);
        let record_time = partition.doubt.map_or(i64::MIN, |doubt| doubt.record_time);
        partition.doubt = Some(Doubt {
            record_time,
            until,
            seen: Some(end),
        });
        if partition.timer.is_none() {
            partition.timer = Some(at);
            self.timers.insert((at, index));
        }
    }

    /// Gaps to be filled by some broker that is not filling any.
    pub(crate) fn next_fill(&mut self, now: Instant) -> Option<FillOrder> {
        if self.gaps.is_empty() || self.is_beside_another() || !self.owner.is_sure() {
            return None;
        }
        let latest = match self.may_mark_until(now) {
            Lease::None => None,
            Lease::Until(latest) => Some(latest),
            Lease::Over => return None,
        };
        let mut order: Option<FillOrder> = None;
        let mut room = MARKERS;
        for index in std::mem::take(&mut self.gaps) {
            let Some(partition) = self.partitions.get_mut(&index) else {
                continue;
            };
            let (Some(node), Some(gap)) = (
                partition.destination_leader,
                partition.send.as_ref().and_then(|send| send.gap()),
            ) else {
                continue;
            };
            let Some(preserved) = partition.preserved().copied() else {
                continue;
            };
            let elsewhere = order.as_ref().is_some_and(|order| order.node != node);
            let running = matches!(partition.phase, Phase::Running);
            if !running {
                continue;
            }
            if self.filling.contains(&node) || elsewhere || room == 0 {
                self.gaps.insert(index);
                continue;
            }
            let count = room.min(gap.to - gap.from);
            room -= count;
            let marker = match partition.placing.compacted {
                // So that the cleaner removes the markers.
                true => partition.position.as_ref().map(|p| p.producer),
                false => Some(preserved.marker),
            };
            if let Some(send) = &mut partition.send {
                send.fill();
            }
            partition.open_calls += 1;
            let order = order.get_or_insert_with(|| FillOrder {
                node,
                latest,
                gaps: Vec::new(),
            });
            order.gaps.push(FillGap {
                index,
                life: partition.life,
                partition: partition.destination.clone(),
                marker: marker.unwrap_or(preserved.marker),
                coordinator_epoch: preserved.coordinator_epoch,
                count,
                end: gap.from + count,
                unfenced: !partition.placing.fenced,
            });
        }
        if let Some(order) = &order {
            self.filling.insert(order.node);
        }
        order
    }

    /// Takes what became of gaps.
    pub(crate) fn on_filled(
        &mut self,
        node: NodeId,
        outcomes: Vec<(FillGap, Filled)>,
        now: Instant,
    ) {
        self.filling.remove(&node);
        for (gap, outcome) in outcomes {
            if let Some(partition) = self.partitions.get_mut(&gap.index) {
                partition.open_calls = partition.open_calls.saturating_sub(1);
            }
            self.take_filled(&gap, outcome, now);
            self.after_call(gap.index, now);
        }
    }

    fn take_filled(&mut self, gap: &FillGap, outcome: Filled, now: Instant) {
        let index = gap.index;
        if matches!(outcome, Filled::Unknown(_)) {
            // Markers that come again are not recognised.
            self.doubt(index, i64::MIN, now);
            self.raise_coordinator_epoch(index);
        }
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        let filling = partition
            .send
            .as_ref()
            .is_some_and(|send| send.is_filling());
        if partition.life != gap.life || !filling {
            return;
        }
        match outcome {
            Filled::End(end) if end >= gap.end => {
                let done = partition
                    .send
                    .as_mut()
                    .map_or(Ok(None), |send| send.filled(gap.end, end));
                match done {
                    Ok(filled) => {
                        partition.placing.fenced = true;
                        if let Some(filled) = filled {
                            partition.has_filled(filled, gap.count);
                        }
                        self.mark_changed(index);
                        self.queue_for_send(index);
                        self.touch_reader(index);
                        self.settle_blocked(index, now);
                        self.trim_later(index);
                    }
                    Err(displaced) => self.displaced(index, displaced, now),
                }
            }
            Filled::End(end) => {
                let trouble = format!(
                    "destination: {} ends at {end} after markers up to {}",
                    gap.partition, gap.end
                );
                self.doubt(index, i64::MIN, now);
                self.raise_coordinator_epoch(index);
                self.restart(index, trouble, now);
            }
            Filled::Late => {
                if let Some(send) = &mut partition.send {
                    send.not_filled();
                }
                self.gaps.insert(index);
            }
            Filled::Refused(code) => self.markers_refused(index, code, now),
            Filled::Elsewhere(trouble) | Filled::Unknown(trouble) => {
                self.restart(index, trouble, now)
            }
        }
    }

    /// Late markers are refused once one of a higher epoch stands.
    fn raise_coordinator_epoch(&mut self, index: Index) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        if let Some(position) = &mut partition.position
            && let crate::position::Placement::Preserved(preserved) = &mut position.placement
        {
            preserved.coordinator_epoch = preserved.coordinator_epoch.saturating_add(1);
            partition.store_first = true;
        }
    }

    fn markers_refused(&mut self, index: Index, code: ErrorCode, now: Instant) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        let destination = partition.destination.clone();
        match code {
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED
                if partition.placing.compacted && !partition.placing.no_markers =>
            {
                // Copies of the next record do without that right, except where the source's log begins later.
                partition.placing.no_markers = true;
                let trouble = "markers may not be written; copies of records take their place";
                self.restart(index, trouble.to_owned(), now);
            }
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED => {
                let reason = format!(
                    "{} has records of transactions, whose markers take offsets: to use them up in {destination}, \
                     ALTER on the destination cluster is needed: {}",
                    partition.source,
                    self.settings.grants.command("Alter", None)
                );
                let stop = Stop {
                    state: "offsets-not-preserved",
                    offset: partition.position.as_ref().map(|p| p.offset.0),
                    reason,
                    lost: None,
                };
                self.cannot_place(index, stop, now);
            }
            ErrorCode::TRANSACTION_COORDINATOR_FENCED | ErrorCode::INVALID_PRODUCER_EPOCH => {
                let stop = Stop {
                    state: "taken-over",
                    offset: partition.position.as_ref().map(|p| p.offset.0),
                    reason: format!(
                        "destination: markers for {destination} were refused with {code}: another process has taken \
                         this link over. End one of the two"
                    ),
                    lost: None,
                };
                self.stop(index, stop);
            }
            _ => {
                let trouble =
                    format!("destination: WriteTxnMarkers to {destination} answered {code}");
                self.doubt(index, i64::MIN, now);
                self.raise_coordinator_epoch(index);
                self.restart(index, trouble, now);
            }
        }
    }

    /// Something of the source cannot have its offset at the destination.
    pub(super) fn cannot_place(&mut self, index: Index, stop: Stop, now: Instant) {
        if let Some(partition) = self.partitions.get_mut(&index) {
            partition.count_lost(stop.lost);
        }
        match self.settings.offsets.placement {
            Offsets::Auto | Offsets::Map => self.hand_over(index, &stop, now),
            Offsets::Preserve => {
                let reason = format!(
                    "{}; tributary.offsets=map goes on without equal offsets",
                    stop.reason
                );
                self.stop(index, Stop { reason, ..stop });
            }
        }
    }

    /// Something stands where a record of this partition should be.
    pub(super) fn displaced(&mut self, index: Index, displaced: Displaced, now: Instant) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        let Displaced { expected, found } = displaced;
        if found < expected {
            let reason = format!(
                "destination partition {} answered offset {found} where its log was known to end at {expected}: it was cut \
                 short or replaced. Compare it with the source before going on",
                partition.destination
            );
            let stop = Stop {
                state: "destination-behind",
                offset: Some(expected),
                reason,
                lost: None,
            };
            if let Some(stop) = self.recopied(index, stop, now) {
                self.stop(index, stop);
            }
            return;
        }
        // It may be what a second process of this link has written, at the very offsets. What it is shows when the log
        // is read and compared with the source's.
        let trouble = format!(
            "destination partition {} was to go on at offset {expected}, and goes on at {found}",
            partition.destination
        );
        self.doubt_ownership();
        self.restart(index, trouble, now);
    }

    /// Somebody else has written where offsets are preserved.
    pub(super) fn foreign(&mut self, index: Index, stop: Stop, now: Instant) {
        match self.settings.offsets.on_foreign_writes {
            OnForeignWrites::Map => self.hand_over(index, &stop, now),
            OnForeignWrites::Stop => {
                let reason = format!(
                    "{}. It cannot be put right: delete the destination topic and set tributary.on.recreate=restart to \
                     copy it anew, or set tributary.on.foreign.writes=map to go on without equal offsets",
                    stop.reason
                );
                self.stop(index, Stop { reason, ..stop });
            }
        }
    }

    /// Offsets are mapped from here on.
    fn hand_over(&mut self, index: Index, stop: &Stop, now: Instant) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        tracing::warn!(
            partition = %partition.source,
            destination = %partition.destination,
            state = stop.state,
            offset = stop.offset,
            "offsets are no longer preserved from here on, they are mapped: {}", stop.reason
        );
        partition.placing.reason.clone_from(&stop.reason);
        partition.map_from_here();
        self.mark_changed(index);
        self.restart(index, stop.reason.clone(), now);
    }

    /// Looks whether a log start has to be moved.
    pub(super) fn trim_later(&mut self, index: Index) {
        self.to_trim.insert(index);
    }

    /// This process stood still for a while: another one may have taken over. What was read before is not
    /// written any more.
    pub(crate) fn was_paused(&mut self, now: Instant) {
        self.doubt_ownership();
        let running: Vec<Index> = self
            .partitions
            .iter()
            .filter(|(_, partition)| matches!(partition.phase, Phase::Running))
            .map(|(index, _)| *index)
            .collect();
        for index in running {
            let trouble = "the process stood still; the logs are read again";
            self.restart(index, trouble.to_owned(), now);
        }
    }

    /// Log starts to be moved.
    pub(crate) fn next_trim(&mut self) -> Option<TrimOrder> {
        if self.to_trim.is_empty() {
            return None;
        }
        let mut order: Option<TrimOrder> = None;
        for index in std::mem::take(&mut self.to_trim) {
            let follows = self.settings.offsets.follow_start;
            let Some(partition) = self.partitions.get_mut(&index) else {
                continue;
            };
            let Some(start) = partition.start_to_set(follows) else {
                continue;
            };
            let Some(node) = partition.destination_leader else {
                continue;
            };
            let compacted = partition.borrows();
            let elsewhere = order.as_ref().is_some_and(|order| {
                let other_topic = order.starts.last();
                let topic = &partition.destination.topic;
                order.node != node
                    || order.compacted != compacted
                    || compacted && other_topic.is_some_and(|(_, other, _)| other.topic != *topic)
            });
            // One at a time: what a topic had before is read first.
            if elsewhere || compacted && self.borrowing.is_some() {
                self.to_trim.insert(index);
                continue;
            }
            partition.placing.trimming = true;
            let order = order.get_or_insert_with(|| TrimOrder {
                node,
                starts: Vec::new(),
                compacted,
            });
            order
                .starts
                .push((index, partition.destination.clone(), start));
        }
        if let Some(order) = order.as_ref().filter(|order| order.compacted) {
            self.borrowing = order.starts.first().map(|(index, ..)| *index);
        }
        order
    }

    /// Takes what became of log starts.
    pub(crate) fn on_trimmed(&mut self, outcomes: Vec<(Index, Result<i64, String>)>, now: Instant) {
        for (index, outcome) in outcomes {
            self.borrowing = self.borrowing.filter(|borrower| *borrower != index);
            let Some(partition) = self.partitions.get_mut(&index) else {
                continue;
            };
            partition.placing.trimming = false;
            if partition.borrows() {
                match &outcome {
                    Ok(_) => partition.recover(),
                    // Nothing of it is written before that.
                    Err(trouble) => partition.meet(trouble.clone(), now),
                }
            }
            match outcome {
                Ok(start) => {
                    partition.placing.destination_start = start;
                    partition.placing.trim_refused = false;
                    self.touch_reader(index);
                }
                Err(trouble) if partition.placing.trim_refused => {
                    tracing::debug!(partition = %partition.source, "{trouble}");
                }
                Err(trouble) => {
                    partition.placing.trim_refused = true;
                    tracing::warn!(
                        partition = %partition.source,
                        "the destination's log start does not follow the source's: {trouble}"
                    );
                }
            }
        }
    }
}

impl Partition {
    /// Whether its log start was not moved yet for the first time.
    pub(super) fn has_start_to_set(&self) -> bool {
        let placing = &self.placing;
        let begins = |padding| placing.destination_start < padding;
        !placing.trim_refused
            && self.preserved().is_some_and(|p| begins(p.padding))
            && self.start_to_set(true).is_some()
    }

    /// Whether padding has yet to be deleted from a topic that is only compacted, before anything else is written.
    pub(crate) fn borrows(&self) -> bool {
        let placing = &self.placing;
        let end = self.position.as_ref().map(|p| p.destination_end.0);
        let is_padding = |padding| end.is_some_and(|end| end <= padding);
        let left = |padding| placing.destination_start < padding && is_padding(padding);
        placing.compacted && !placing.deletes && self.preserved().is_some_and(|p| left(p.padding))
    }

    /// Where the destination's log should start, if it is not there and can be.
    fn start_to_set(&self, follows: bool) -> Option<i64> {
        let placing = &self.placing;
        let Some(preserved) = self.preserved() else {
            let runs = matches!(self.phase, Phase::Running);
            let left = placing.left_over.filter(|_| runs && placing.deletes);
            return left.filter(|end| !placing.trimming && placing.destination_start < *end);
        };
        let padding = preserved.padding;
        let position = self.position.as_ref()?;
        let begins = placing.destination_start < padding;
        let borrows = self.borrows();
        // A copy may have been told to begin behind the source's start.
        let start = match borrows {
            true => padding,
            false => placing.source_start.max(padding),
        };
        let reached = position.destination_end.0 >= start && position.destination_end.0 >= padding;
        let runs = matches!(self.phase, Phase::Running);
        (runs
            && (follows || begins)
            && (placing.deletes || borrows)
            && !placing.trimming
            && reached
            && placing.destination_start < start)
            .then_some(start)
    }
}
