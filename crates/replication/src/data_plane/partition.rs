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

use std::collections::VecDeque;
use std::time::Duration;

use config::link::StartPosition;
use kafka_client::fetch_session::Wanted;
use kafka_wire::types::{NodeId, TopicId, TopicPartition};
use lifecycle::Backoff;
use tokio::time::Instant;

use super::route::{Blocked, DroppedCount, PipedBatch};
use super::send_state::{Acknowledged, SendState};
use crate::offset_map::{OffsetMap, Run};
use crate::position::{Position, advance_sequence};
use crate::side::{Destination, Source};

/// Why a partition does not go on without an operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stop {
    /// Name of the state, for instance `source-gap`.
    pub state: &'static str,
    /// Source offset at which it stands, where known.
    pub offset: Option<i64>,
    /// What is wrong, with numbers, and what can be done.
    pub reason: String,
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

/// Batches of ours that the destination's log holds behind the position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Landed {
    /// Their first offset.
    pub base: Destination<i64>,
    /// How many offsets.
    pub offsets: i64,
}

/// Leader of a partition and its epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Leader {
    pub(crate) node: NodeId,
    pub(crate) epoch: i32,
}

/// Sums since the start of this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Records acknowledged.
    pub records: u64,
    /// Bytes of batches acknowledged, as stored.
    pub bytes: u64,
    /// Batches acknowledged, all of them untouched.
    pub batches: u64,
    /// Control batches dropped.
    pub control: u64,
    /// Batches of aborted transactions dropped.
    pub aborted: u64,
    /// Batches that were found at the destination and not sent again.
    pub found: u64,
    /// Records that may be at the destination twice, reported when it happened.
    pub repeated: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) source: TopicPartition,
    pub(crate) source_id: TopicId,
    pub(crate) destination: TopicPartition,
    pub(crate) start: StartPosition,
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
    pub(crate) leader: Option<Leader>,
    /// A follower to read from (KIP-392).
    pub(crate) follower: Option<NodeId>,
    pub(crate) destination_leader: Option<NodeId>,
    pub(crate) next_fetch: i64,
    pub(crate) position: Option<Position>,
    pub(crate) position_changed: bool,
    pub(crate) send: Option<SendState>,
    pub(crate) landed: VecDeque<Landed>,
    pub(crate) blocked: Option<Blocked>,
    /// Why it is to stop, or has stopped, although nothing is wrong with its data.
    pub(crate) halted: Option<Stop>,
    pub(crate) map: OffsetMap,
    /// Newest reading of the source's last stable offset.
    pub(crate) end: Option<(i64, Instant)>,
    /// Produce calls that name it and have no answer.
    pub(crate) open_calls: u32,
    /// Whether the next start must raise the producer's epoch.
    pub(crate) raise_epoch: bool,
    /// Readings in a row that found the destination's log shorter than it was.
    pub(crate) readings: u32,
    /// Offset of the last batch that was refused, and how often in a row.
    pub(crate) refused: Option<(i64, u32)>,
    pub(crate) queued_for_send: bool,
    pub(crate) totals: Totals,
}

/// What became of a batch that may be at the destination already.
#[derive(Debug)]
pub(crate) enum Found {
    /// It is there: nothing to send.
    Whole,
    /// It has to be sent.
    Missing(PipedBatch),
    /// Its first `repeated` records are there, in batches that were cut otherwise: it is sent whole.
    Partly { batch: PipedBatch, repeated: i64 },
}

impl Partition {
    /// Which node its records are read from.
    pub(crate) fn read_from(&self) -> Option<NodeId> {
        self.follower.or(self.leader.map(|leader| leader.node))
    }

    /// Whether it is read on when there is room.
    pub(crate) fn is_readable(&self) -> bool {
        matches!(self.phase, Phase::Running) && self.blocked.is_none() && !self.unreadable
    }

    /// What to ask for, while there is room for it.
    pub(crate) fn wanted(&self, room: usize, max_bytes: i32) -> Option<Wanted> {
        let send = self.send.as_ref()?;
        if !self.is_readable() || send.bytes() >= room {
            return None;
        }
        Some(Wanted {
            topic_id: self.source_id,
            offset: self.next_fetch,
            leader_epoch: self.leader.map_or(-1, |leader| leader.epoch),
            max_bytes,
        })
    }

    /// Leaves `Running`, if it was there; what was in memory is dropped.
    pub(crate) fn restart(&mut self) {
        self.phase = Phase::Starting;
        self.send = None;
        self.landed.clear();
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
            tracing::warn!(partition = %self.source, "partition waits: {trouble}");
        }
        self.trouble = Some(trouble);
    }

    /// The trouble has passed.
    pub(crate) fn recover(&mut self) {
        if let Some((_, true)) = self.troubled_since.take() {
            tracing::info!(partition = %self.source, "partition goes on");
        }
        self.trouble = None;
    }

    /// Everything the source holds, and nothing that is known of what was copied before.
    pub(crate) fn begin_anew(&mut self, why: &Stop) {
        tracing::warn!(partition = %self.source, state = why.state, "copied anew: {}", why.reason);
        self.position = None;
        self.start = StartPosition::Earliest;
        self.map.begin_anew();
    }

    /// Stands from now on.
    pub(crate) fn stop(&mut self, stop: Stop) {
        self.send = None;
        self.landed.clear();
        self.trouble = None;
        self.phase = Phase::Stopped(stop);
    }

    /// Begins at `position`, of which `landed` is already at the destination.
    pub(crate) fn begin(&mut self, position: Position, landed: Vec<Landed>) {
        let offsets: i64 = landed.iter().map(|l| l.offsets).sum();
        let end = landed.last().map_or(position.destination_end, |last| {
            Destination(last.base.0 + last.offsets)
        });
        let sequence = advance_sequence(position.sequence, offsets);
        self.send = Some(SendState::new(position.producer, sequence, end));
        self.next_fetch = position.offset.0;
        self.landed = landed.into();
        self.raise_epoch = false;
        self.unreadable = false;
        self.position = Some(position);
    }

    /// Compares a batch with what was found at the destination.
    pub(crate) fn find(&mut self, piped: PipedBatch) -> Found {
        if self.landed.is_empty() {
            return Found::Missing(piped);
        }
        let offsets = piped.offsets();
        let there: i64 = self.landed.iter().map(|l| l.offsets).sum();
        if offsets > there {
            self.landed.clear();
            return Found::Partly {
                batch: piped,
                repeated: there,
            };
        }
        let info = *piped.batch.info();
        let mut source = info.base_offset;
        let mut missing = offsets;
        let mut end = Destination(0);
        while missing > 0 {
            let Some(first) = self.landed.front_mut() else {
                break;
            };
            let length = missing.min(first.offsets);
            self.map.append(Run {
                source: Source(source),
                destination: first.base,
                length,
            });
            end = Destination(first.base.0 + length);
            first.base = end;
            first.offsets -= length;
            if first.offsets == 0 {
                self.landed.pop_front();
            }
            source += length;
            missing -= length;
        }
        if let Some(position) = &mut self.position {
            position.offset = Source(piped.next);
            position.leader_epoch = piped.leader_epoch;
            position.destination_end = end;
            position.sequence = advance_sequence(position.sequence, offsets);
            self.position_changed = true;
        }
        self.totals.found += 1;
        Found::Whole
    }

    /// Counts dropped records as read. `leader_epoch` is that of the last batch read.
    pub(crate) fn pass_over(&mut self, next: i64, leader_epoch: i32, dropped: DroppedCount) {
        self.totals.control += dropped.control;
        self.totals.aborted += dropped.aborted;
        let attached = self
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
        self.map.append(done.run);
        self.totals.records += done.records;
        self.totals.bytes += done.bytes;
        self.totals.batches += 1;
        self.recover();
        self.refused = None;
        self.backoff.reset();
        if let Some(position) = &mut self.position {
            position.offset = Source(done.next);
            position.leader_epoch = done.leader_epoch;
            position.destination_end = Destination(done.run.destination.0 + done.run.length);
            position.sequence = done.sequence;
            self.position_changed = true;
        }
    }

    /// Counts refusals of the same batch in a row.
    pub(crate) fn count_refusal(&mut self, offset: i64) -> u32 {
        let times = match self.refused {
            Some((at, times)) if at == offset => times.saturating_add(1),
            _ => 1,
        };
        self.refused = Some((offset, times));
        times
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
            state: "cannot-pass",
            offset: Some(blocked.offset),
            reason: blocked.reason.clone(),
        })
    }
}
