//! One partition of a link: where it stands, what it waits for, why it does not go on (pure).
//!
//! ```text
//!            ┌──────────────────────── backoff ◀──────────────────────┐
//!            ▼                                                         │ refusal, doubt, leader gone
//!   Starting ── leaders found, destination's log read ──▶ Storing ──▶ Running ──▶ Stopped
//!                                                       (only when the stored position
//!                                                        does not name this producer yet)
//! ```
//!
//! Invariants
//! - Nothing is written before the position that names the producer is stored, so that whatever is
//!   written can be found again.
//! - The position covers the acknowledged prefix only.
//! - Leaving `Running` drops what was queued and sent: it is read again from the source, behind what
//!   the destination's log then turns out to hold.

mod lost;
mod placing;
mod refused;
mod totals;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use config::link::{OnRefused, StartPosition};
use kafka_client::fetch_session::Wanted;
use kafka_wire::record::Levels;
use kafka_wire::types::{NodeId, ProducerIdentity, TopicId, TopicPartition};
use lifecycle::Backoff;
use tokio::time::Instant;

use super::change::Changes;
use super::core::{Bare, Committed, Late, Settings};
use super::decode::{Decoder, Rules};
use super::flow::Ages;
use super::lingering::Stay;
use super::pace::Pace;
use super::piped::PipedBatch;
use super::placing::{Doubt, Placing};
use super::recovery::{Landed, Outcome, Recovery};
use super::route::{Blocked, DroppedCount};
use super::send_state::{Acknowledged, SendState};
use super::whole::BatchSize;
use crate::offset_map::OffsetMap;
use crate::origin::OriginRule;
use crate::position::{Placement, Position, advance_sequence};
use crate::side::{Destination, Source};

pub use lost::{Loss, Lost};
pub(crate) use refused::Refusal;
pub use totals::Totals;

/// Why a partition does not go on without an operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stop {
    /// Name of the state, for instance `source-gap`.
    pub state: &'static str,
    /// Source offset at which it stands, where known.
    pub offset: Option<i64>,
    /// What is wrong, with numbers, and what can be done.
    pub reason: String,
    /// What can no longer be read at the source because of it.
    pub lost: Option<Lost>,
}

/// What is said of a partition once it lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum News {
    Waits,
    GoesOn,
}

/// How long trouble lasts before it is news.
const NEWS_AFTER: Duration = Duration::from_secs(3);

/// Where a partition is in its life.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Leaders and ends are being looked up, or will be at a timer.
    Starting,
    /// The position is being stored; then it runs.
    Storing,
    /// It is copied.
    Running,
    /// It stands until an operator acts.
    Stopped(Stop),
}

/// Leader of a partition and its epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leader {
    pub(crate) node: NodeId,
    pub(crate) epoch: i32,
}

/// Which connection to its destination's broker a partition is written over, by number.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Over {
    /// What is on its way is on this one.
    pub(crate) lane: u16,
    /// What follows goes over this one, as soon as nothing is on its way over another, unless it is current and has one of its own.
    pub(crate) home: u16,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) source: TopicPartition,
    pub(crate) source_id: TopicId,
    pub(crate) destination: TopicPartition,
    pub(crate) start: StartPosition,
    /// What is done to its records.
    pub(crate) changes: Arc<Changes>,
    /// Whether records of it are on their way to the quarantine.
    pub(crate) setting_aside: bool,
    pub(crate) phase: Phase,
    /// When it is looked at again, while that is to happen.
    pub(crate) timer: Option<Instant>,
    /// Whether its logs are being read.
    pub(crate) establishing: bool,
    /// Whether its leader refused a fetch, until it is looked up again.
    pub(crate) unreadable: bool,
    pub(crate) backoff: Backoff,
    /// The newest trouble, while it lasts.
    pub(crate) trouble: Option<String>,
    /// Since when there is trouble, and whether that has been said.
    pub(crate) troubled_since: Option<(Instant, bool)>,
    /// What is to be said of that.
    pub(crate) news: Option<News>,
    pub(crate) leader: Option<Leader>,
    /// A follower to read from (KIP-392).
    pub(crate) follower: Option<NodeId>,
    pub(crate) destination_leader: Option<NodeId>,
    /// The newest leader epoch that was heard of there, and of which topic.
    pub(crate) destination_epoch: Option<(TopicId, i32)>,
    pub(crate) next_fetch: i64,
    /// Where this life began to write, or will once the log is filled.
    pub(crate) begun_at: i64,
    /// How often it has begun.
    pub(crate) life: u64,
    pub(crate) position: Option<Position>,
    pub(crate) position_changed: bool,
    pub(crate) send: Option<SendState>,
    /// What is read again and may be at the destination.
    pub(crate) recovery: Recovery,
    pub(crate) blocked: Option<Blocked>,
    /// Why it is to stop, or has stopped, although nothing is wrong with its data.
    pub(crate) halted: Option<Stop>,
    /// What was counted of it last, for which destination broker.
    pub(crate) held: Option<(NodeId, usize)>,
    /// Whether it goes on behind what is missing at the source, because an operator said so.
    pub(crate) accepts_gap: bool,
    /// What decided at its beginning which records the destination topic takes.
    pub(crate) taking: Option<u64>,
    /// What was found lost last.
    pub(crate) lost: Option<Lost>,
    /// Where reading goes on although the destination's log ends before it.
    pub(crate) skip_to: Option<i64>,
    pub(crate) map: OffsetMap,
    /// The destination topic's `max.message.bytes`, where known.
    pub(crate) max_message_bytes: Option<u32>,
    /// How hard codecs work on what is encoded anew.
    pub(crate) levels: Levels,
    /// Half of what was refused as too large although the limit, as far as it may be read, allows it.
    pub(crate) guessed_limit: Option<u32>,
    /// Source offsets of records that are left out, because the destination refused them.
    pub(crate) refused_records: Arc<BTreeSet<i64>>,
    /// Source offset of the last record that was left out as too large; −1 before the first.
    pub(crate) skipped_up_to: i64,
    /// How fast the destination takes its records.
    pub(crate) pace: Pace,
    /// For how long they stay in memory.
    pub(crate) stay: Stay,
    /// How large its batches are at the source.
    pub(crate) batch_size: BatchSize,
    /// Offset of a batch that the destination refused without a reason.
    pub(crate) renumber: Option<i64>,
    /// Newest reading of the source's last stable offset.
    pub(crate) end: Option<(i64, Instant)>,
    /// When it was read to its end, or was seen to be, last.
    pub(crate) current_at: Option<Instant>,
    /// Since when it has been behind although it moves.
    pub(crate) late_since: Option<Instant>,
    /// When something was read of it last.
    pub(crate) moved_at: Option<Instant>,
    /// Whether it lets smaller topics go before.
    pub(crate) yields: bool,
    /// Whether it is current and read over the connection of those that are, beside others that catch up.
    pub(crate) tail: bool,
    /// Which of several connections to its broker it is read over, where not by its number.
    pub(crate) moved_to: Option<u16>,
    /// Where nothing can be read although its source's log goes on.
    pub(crate) bare: Bare,
    /// What a broker may have carried out late.
    pub(crate) late: Late,
    /// Produce calls that name it and have no answer.
    pub(crate) open_calls: u32,
    /// Which of several connections these are on, and those that follow.
    pub(crate) over: Over,
    /// Whether the next start must raise the producer's epoch.
    pub(crate) raise_epoch: bool,
    /// The newest leader epoch among what was sent, of the topic as it is.
    pub(crate) sent_epoch: Option<i32>,
    /// Up to which source offset that is.
    pub(crate) sent_to: i64,
    /// Readings in a row that found the destination's log shorter than it was.
    pub(crate) readings: u32,
    /// The last batch that was refused.
    pub(crate) refused: Option<Refusal>,
    pub(crate) queued_for_send: bool,
    /// What it needs to know to preserve offsets.
    pub(crate) placing: Placing,
    /// What may still be carried out by a broker.
    pub(crate) doubt: Option<Doubt>,
    /// Whether the next start must store its position before anything is written.
    pub(crate) store_first: bool,
    /// Whether what is being found out about it began before it was stopped, taken back to what is stored, or led by another at the
    /// source.
    pub(crate) outdated: bool,
    /// Whether its producer is a new one, under which nothing was written yet.
    pub(crate) is_new_writer: bool,
    /// What of it counts, where it is written in transactions.
    pub(crate) committed: Committed,
    /// How old records were when they were read, and when they were acknowledged.
    pub(crate) ages: Ages,
    pub(crate) latencies: Ages,
    pub(crate) totals: Totals,
}

impl Partition {
    /// Which node its records are read from.
    pub(crate) fn read_from(&self) -> Option<NodeId> {
        self.follower.or(self.leader.map(|leader| leader.node))
    }

    /// Whether it is read on when there is room.
    pub(crate) fn is_readable(&self) -> bool {
        matches!(self.phase, Phase::Running)
            && self.blocked.is_none()
            && !self.unreadable
            && self.map.has_room()
            && !self.is_padding()
    }

    /// Size of the batch that can be sent now, where there is one.
    pub(crate) fn sendable(&self, max_in_flight: usize) -> Option<usize> {
        self.send.as_ref()?.sendable(max_in_flight)
    }

    /// What to ask for, while there is room for it.
    ///
    /// Only so much is read ahead as the destination takes within a moment: what lies in memory for long is
    /// cold when it is sent, which costs more than all the rest of the way. `room` is the most; `reading` is how long an
    /// answer takes, after which the next one has to be there, and of how many partitions it is.
    pub(crate) fn wanted(
        &self,
        room: usize,
        max_bytes: i32,
        reading: (Duration, usize),
    ) -> Option<Wanted> {
        let send = self.send.as_ref()?;
        let ahead = self.pace.ahead(reading);
        if !self.is_readable() || send.bytes() >= ahead.min(room) {
            return None;
        }
        Some(Wanted {
            topic_id: self.source_id,
            offset: self.next_fetch,
            leader_epoch: self.leader.map_or(-1, |leader| leader.epoch),
            max_bytes: self
                .batch_size
                .whole(max_bytes.min(i32::try_from(ahead).unwrap_or(i32::MAX))),
        })
    }

    /// How its batches are judged and made.
    pub(crate) fn rules(&self, settings: &Settings) -> Rules {
        Rules {
            life: self.life,
            check_crcs: settings.check_crcs,
            keep_append_time: settings.keep_append_time,
            max_message_bytes: [self.max_message_bytes, self.guessed_limit]
                .into_iter()
                .flatten()
                .min(),
            limit_is_guessed: self.guessed_limit.is_some(),
            levels: self.levels,
            merge_below: settings.merge_below,
            merge_from: self.merge_from(settings),
            renumber: self.renumber,
            skip_too_large: settings.on_refused == OnRefused::Skip,
            quarantine: settings.on_refused == OnRefused::Quarantine,
            changes: Arc::clone(&self.changes),
            refused: Arc::clone(&self.refused_records),
            origins: OriginRule::default(),
            place: self.place_rules(settings),
            lingers: false,
        }
    }

    /// How many batches an answer needs for tiny ones to be merged: one per request would then hold the
    /// partition up, as it does where so many wait already. What arrives one by one is passed on as it is, and so is what has to be compared with
    /// the destination: that may have been passed on as it was.
    fn merge_from(&self, settings: &Settings) -> Option<usize> {
        let waiting = self.send.as_ref().map_or(0, SendState::waiting);
        let wait = waiting >= settings.merge_from;
        let merges = settings.merge_below > 0 && self.recovery.is_over();
        merges.then_some(if wait { 0 } else { settings.merge_from })
    }

    /// Leaves `Running`, if it was there; what was in memory is dropped.
    pub(crate) fn restart(&mut self) {
        if !self.recovery.is_over() {
            self.sent_epoch = None;
        }
        self.phase = Phase::Starting;
        self.send = None;
        self.recovery = Recovery::default();
        self.blocked = None;
        self.follower = None;
        self.queued_for_send = false;
    }

    /// Notes trouble. What passes by itself within moments, as after every start of a broker or the
    /// creation of a topic, is no news; what lasts is said once.
    pub(crate) fn meet(&mut self, trouble: String, now: Instant) {
        let (since, said) = self.troubled_since.get_or_insert((now, false));
        if now - *since >= NEWS_AFTER && !*said {
            *said = true;
            self.news = Some(News::Waits);
        }
        self.trouble = Some(trouble);
    }

    /// The trouble has passed.
    pub(crate) fn recover(&mut self) {
        if let Some((_, true)) = self.troubled_since.take() {
            // What nobody was told needs no end.
            let untold = self.news.take() == Some(News::Waits);
            self.news = (!untold).then_some(News::GoesOn);
        }
        self.trouble = None;
    }

    /// Everything the source holds, and nothing that is known of what was copied before.
    pub(crate) fn begin_anew(&mut self, why: &Stop) {
        tracing::warn!(partition = %self.source, state = why.state, "copied anew: {}", why.reason);
        self.position = None;
        self.sent_epoch = None;
        self.start = StartPosition::Earliest;
        (self.placing.given_up, self.placing.left_over) = (None, None);
        self.late = Late::default();
        self.map.begin_anew();
        self.forget_offsets();
    }

    /// Stands from now on, whatever is being found out about it.
    pub(crate) fn stop(&mut self, stop: Stop) {
        self.outdated |= self.establishing;
        self.send = None;
        self.recovery = Recovery::default();
        self.trouble = None;
        self.accepts_gap = false;
        self.phase = Phase::Stopped(stop);
    }

    /// Begins at `position`, of which `landed` is already at the destination; written in transactions by `writer`, where
    /// there are any.
    pub(crate) fn begin(
        &mut self,
        position: Position,
        landed: Vec<Landed>,
        writer: Option<ProducerIdentity>,
    ) {
        let offsets: i64 = landed.iter().map(|l| l.offsets).sum();
        let end = landed.last().map_or(position.destination_end, |last| {
            Destination(last.base.0 + last.offsets)
        });
        let sequence = advance_sequence(position.sequence, offsets);
        let send = match writer {
            None => SendState::new(position.producer, sequence, end),
            Some(writer) => {
                let goes_on = position.transactional && position.producer == writer;
                let sequence = if goes_on { position.sequence } else { 0 };
                SendState::new(writer, sequence, end).transacting()
            }
        };
        self.begun_at = position.offset.0;
        self.next_fetch = position.offset.0;
        self.send = Some(match position.placement {
            Placement::Mapped => send,
            Placement::Preserved(preserved) => {
                self.begun_at = position.offset.0.max(preserved.padding);
                // The batch that holds the source's log start may begin before it.
                self.next_fetch = self.begun_at.max(self.placing.source_start);
                send.preserving()
            }
        });
        self.skip_to = self.skip_to.filter(|next| *next > self.next_fetch);
        self.next_fetch = self.skip_to.unwrap_or(self.next_fetch);
        if writer.is_some() && self.committed.kept.is_none() {
            self.committed.kept = Some((position.offset.0, self.totals));
        }
        self.placing.pending = None;
        self.bare = Bare::default();
        self.life += 1;
        self.recovery = Recovery::new(landed, self.levels);
        if self.changes.stamps() {
            self.recovery.go_by_numbers();
        }
        self.raise_epoch = false;
        self.store_first = false;
        self.doubt = None;
        self.unreadable = false;
        self.position = Some(position);
    }

    /// Compares a batch with what was found at the destination; the rest waits to be sent. `false` when it
    /// cannot get its offsets: nothing behind it may be taken in.
    pub(crate) fn read(&mut self, piped: PipedBatch, decoder: &mut Decoder) -> bool {
        if self.recovery.is_over() {
            return self.push(piped);
        }
        let outcome = self.recovery.take(piped, decoder);
        self.recovered(outcome);
        true
    }

    /// Nothing more can be read at the moment; what waited to be compared is sent.
    pub(crate) fn read_to_the_end(&mut self) {
        if self.recovery.waits() {
            let outcome = self.recovery.give_up();
            self.recovered(outcome);
        }
    }

    fn recovered(&mut self, outcome: Outcome) {
        for found in outcome.found {
            found.runs.into_iter().for_each(|run| self.map.append(run));
            if let Some(position) = &mut self.position {
                position.offset = Source(found.next);
                position.leader_epoch = found.leader_epoch;
                position.destination_end = found.end;
                position.sequence = advance_sequence(position.sequence, found.offsets);
                self.position_changed = true;
            }
            self.totals.found += 1;
        }
        if outcome.repeated > 0 {
            self.write_off(outcome.repeated, outcome.missing.first());
        }
        for piped in outcome.missing {
            self.push(piped);
        }
    }

    /// What landed and is not what the source holds now: what follows may be at the destination twice. It
    /// is not compared again, also not after a crash: what is sent from now on would stand behind it, and if
    /// the comparison then came out well, only a part of it would be there twice, out of order. With a new
    /// epoch sequence numbers that other records had are not used again.
    fn write_off(&mut self, repeated: i64, first: Option<&PipedBatch>) {
        let stands = self.position.as_ref().map_or(0, |p| p.offset.0);
        self.report_repeated(repeated, first.map_or(stands, PipedBatch::first_offset));
        if let (Some(position), Some(send)) = (&mut self.position, &self.send) {
            (position.destination_end, position.sequence) = send.acknowledged_up_to();
            self.position_changed = true;
            self.raise_epoch = true;
        }
    }

    /// Says that records from a source offset on may be at the destination twice.
    pub(crate) fn report_repeated(&mut self, repeated: i64, from: i64) {
        tracing::warn!(
            partition = %self.source,
            "the source no longer holds what was copied, to compare it with the destination: up to {repeated} \
             records from offset {from} on may be there twice"
        );
        self.totals.repeated += u64::try_from(repeated).unwrap_or(0);
    }

    fn push(&mut self, piped: PipedBatch) -> bool {
        let Some(send) = &mut self.send else {
            return false;
        };
        let offset = piped.first_offset();
        let (epoch, next) = (piped.leader_epoch, piped.next);
        match send.push(piped) {
            Ok(()) => {
                self.note_epoch(epoch, next);
                true
            }
            Err(unplaceable) => {
                self.block(offset, unplaceable);
                false
            }
        }
    }

    /// Something of this leader epoch counts as copied from now on. As long as something has landed that was not compared,
    /// that may be of a newer one.
    pub(super) fn note_epoch(&mut self, epoch: i32, next: i64) {
        if !self.recovery.is_over() {
            return;
        }
        let before = self.sent_epoch.map_or(next, |_| self.sent_to);
        self.sent_to = before.max(next);
        self.sent_epoch = self.sent_epoch.max(Some(epoch).filter(|epoch| *epoch >= 0));
    }

    /// Counts dropped records as read. `leader_epoch` is that of the last batch read.
    pub(crate) fn pass_over(&mut self, next: i64, leader_epoch: i32, dropped: DroppedCount) {
        self.totals.control += dropped.control;
        self.totals.aborted += dropped.aborted;
        self.note_epoch(leader_epoch, next);
        let attached = self.recovery.pass_over(next, leader_epoch)
            || self
                .send
                .as_mut()
                .is_some_and(|send| send.pass_over(next, leader_epoch));
        if attached {
            return;
        }
        if let Some(position) = self.position.as_mut().filter(|p| p.offset.0 < next) {
            position.offset = Source(next);
            position.leader_epoch = leader_epoch;
            self.position_changed = true;
        }
    }

    /// Takes over what the destination acknowledged.
    pub(crate) fn acknowledged(&mut self, done: &Acknowledged) {
        let batch = &done.batch;
        let preserved = self.preserved().is_some();
        let writer = self.send.as_ref().map(SendState::writer);
        if !preserved {
            batch.each_run(done.base.0, |run| self.map.append(run));
        }
        self.count(batch);
        self.recover();
        self.refused = None;
        self.backoff.reset();
        if let Some(position) = &mut self.position {
            let end = done.base.0 + batch.offsets();
            // Gaps count when they are filled.
            position.offset = Source(if preserved { end } else { batch.next });
            position.leader_epoch = batch.leader_epoch;
            position.destination_end = Destination(end);
            position.sequence = done.sequence;
            if let Some((producer, true)) = writer {
                position.producer = producer;
                position.transactional = true;
            }
            self.position_changed = true;
        }
        self.count_pending(batch.leader_epoch);
    }

    fn count(&mut self, batch: &PipedBatch) {
        if batch.is_filler() {
            self.totals.padded += u64::try_from(batch.offsets()).unwrap_or(0);
            return;
        }
        self.totals.records += u64::from(batch.batch.info().records);
        self.totals.bytes += batch.size() as u64;
        match batch.reason() {
            None => self.totals.untouched += 1,
            Some(reason) => self.totals.decoded[reason as usize] += 1,
        }
    }

    /// Whether it goes on behind what blocks it, as soon as that is set aside.
    pub(crate) fn sets_aside(&self) -> bool {
        let blocked = self.blocked.as_ref();
        blocked.is_some_and(|blocked| blocked.aside.is_some()) && self.halted.is_none()
    }

    /// The stop that becomes final once everything before it has been acknowledged.
    pub(crate) fn blocked_stop(&self) -> Option<Stop> {
        let blocked = self.blocked.as_ref()?;
        if let Some(halted) = &self.halted {
            return Some(Stop {
                offset: Some(blocked.offset),
                ..halted.clone()
            });
        }
        Some(Stop {
            state: blocked.cause.state(),
            offset: Some(blocked.offset),
            reason: blocked.reason.clone(),
            lost: None,
        })
    }
}
