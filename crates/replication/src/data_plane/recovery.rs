//! Compares what is read again from the source with what the destination holds already (pure).
//!
//! ```text
//!   destination   [ landed, 5 records ][ landed, 3 ] ── end
//!   read again    [ 2 ][ 2 ][ 4 ─────────── ][ 6 ] …
//!                 └── 5 are joined ─┘└── 3 ──┘└── missing: to be sent
//! ```
//!
//! Counting alone would lose records: when the source's cleaner has removed some of those that were
//! copied, as many later ones would be taken for copied. So contents are compared, by checksum. Batches
//! that were cut or joined on their way are cut and joined in the same way first. Where the destination
//! changes batches their number has to do, but only while the source shows no holes.

use std::collections::VecDeque;

use kafka_client::Buffers;
use kafka_wire::batch::{BatchHeader, BatchInfo, Codec, Identity, RawBatch, rewrite_header};
use kafka_wire::record::Levels;
use kafka_wire::types::ProducerIdentity;

use super::decode::Decoder;
use super::piped::{PipedBatch, keep_apart};
use crate::offset_map::Run;
use crate::side::{Destination, Source};

/// A batch of ours that the destination's log holds behind the position, or several that it held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Landed {
    /// The first offset.
    pub(crate) base: Destination<i64>,
    /// How many offsets.
    pub(crate) offsets: i64,
    /// The batch as it is stored there; `None` where retention has removed it and only its offsets tell.
    pub(crate) batch: Option<BatchInfo>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    landed: VecDeque<Landed>,
    /// Batches that are the beginning of what landed first.
    gathered: Vec<PipedBatch>,
    /// How many of them have memory of their own.
    apart: usize,
    /// Whether records of the source are gone that may have been there when they were copied.
    thinned: bool,
    /// Whether what is read again differs from what landed although it is the same.
    by_numbers: bool,
    /// How hard codecs worked on what was encoded anew.
    levels: Levels,
}

/// More than is ever made into one batch, with as much again: merged are 256 KiB, and what is changed becomes batches of a megabyte. Where
/// the source has lost what landed, as many records as that may be any number of bytes.
const MOST: usize = 2 * 1024 * 1024;

/// Records that were read again and are at the destination.
#[derive(Debug)]
pub(crate) struct Found {
    /// Where they are.
    pub(crate) runs: Vec<Run>,
    /// Where reading goes on behind them.
    pub(crate) next: i64,
    pub(crate) leader_epoch: i32,
    /// Sequence numbers they took.
    pub(crate) offsets: i64,
    /// Behind the last of them.
    pub(crate) end: Destination<i64>,
}

/// What is known after a look.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) found: Vec<Found>,
    /// What has to be sent, in order.
    pub(crate) missing: Vec<PipedBatch>,
    /// Records at the destination that were looked for in vain: the source holds something else there, and
    /// what follows may be at the destination twice.
    pub(crate) repeated: i64,
}

impl Recovery {
    /// What is encoded anew for a comparison is encoded with these levels, or with the usual ones.
    pub(crate) fn new(landed: Vec<Landed>, levels: Levels) -> Self {
        Self {
            landed: landed.into(),
            gathered: Vec::new(),
            apart: 0,
            thinned: false,
            by_numbers: false,
            levels,
        }
    }

    /// The source has lost records among those that are read again: from now on numbers prove nothing. As
    /// many later records would be taken for those that landed, and be lost.
    pub(crate) fn distrust_numbers(&mut self) {
        self.thinned = true;
    }

    /// Copies tell the time at which they were made: only their number can be compared.
    pub(crate) fn go_by_numbers(&mut self) {
        self.by_numbers = true;
    }

    /// Whether there is nothing left to compare with.
    pub(crate) fn is_over(&self) -> bool {
        self.landed.is_empty()
    }

    /// Whether batches wait for others to be compared together.
    pub(crate) fn waits(&self) -> bool {
        !self.gathered.is_empty()
    }

    /// Bytes of what waits, and of what is known of it.
    pub(crate) fn bytes(&self) -> usize {
        let known = self.gathered.len() * size_of::<PipedBatch>();
        self.size() + known
    }

    fn size(&self) -> usize {
        self.gathered.iter().map(PipedBatch::size).sum()
    }

    /// Gives what waits memory of its own, counted there: it may be little of the answers that it came in, which leave
    /// with the rest of them.
    pub(crate) fn keep_apart(&mut self, buffers: &Buffers) {
        let new = &mut self.gathered[self.apart..];
        if !new.is_empty() {
            keep_apart(new, buffers);
            self.apart = self.gathered.len();
        }
    }

    /// Forgets what waits, and says from which source offset on it has to be read again.
    pub(crate) fn let_go(&mut self) -> Option<i64> {
        let from = self.gathered.first().map(PipedBatch::first_offset);
        self.clear();
        from
    }

    /// Takes the next batch that was read.
    pub(crate) fn take(&mut self, piped: PipedBatch, decoder: &mut Decoder) -> Outcome {
        let mut outcome = Outcome::default();
        let mut next = Some(piped);
        while let Some(piped) = next.take() {
            let Some(&first) = self.landed.front() else {
                outcome.missing.push(piped);
                break;
            };
            self.gathered.push(piped);
            if first.batch.is_none() {
                if self.thinned {
                    self.fail(&mut outcome);
                } else {
                    self.count(&mut outcome);
                }
                continue;
            }
            let total: i64 = self.gathered.iter().map(PipedBatch::offsets).sum();
            if total < first.offsets {
                let most = first.batch.map_or(0, |stored| 2 * stored.size as usize);
                if self.size() > MOST.max(most) {
                    self.fail(&mut outcome);
                }
                break;
            }
            let trust = Trust {
                numbers: !self.thinned,
                changed: self.by_numbers,
            };
            match compared(&first, &self.gathered, trust, self.levels, decoder) {
                Some((found, rest)) => {
                    self.landed.pop_front();
                    self.clear();
                    outcome.found.push(found);
                    next = rest;
                }
                None => self.fail(&mut outcome),
            }
        }
        outcome
    }

    /// Nothing more can be read: what waits for more has changed.
    pub(crate) fn give_up(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        self.fail(&mut outcome);
        outcome
    }

    /// Counts dropped records as read with the newest batch that waits; `false` when there is none.
    pub(crate) fn pass_over(&mut self, next: i64, leader_epoch: i32) -> bool {
        let Some(newest) = self.gathered.last_mut() else {
            return false;
        };
        newest.pass_over(next, leader_epoch);
        true
    }

    fn fail(&mut self, outcome: &mut Outcome) {
        outcome.repeated += self.landed.iter().map(|l| l.offsets).sum::<i64>();
        outcome.missing.append(&mut self.gathered);
        self.clear();
        self.landed.clear();
    }

    fn clear(&mut self) {
        self.gathered.clear();
        self.apart = 0;
    }

    /// What retention has removed at the destination can only be counted.
    fn count(&mut self, outcome: &mut Outcome) {
        let counted: i64 = self
            .landed
            .iter()
            .take_while(|landed| landed.batch.is_none())
            .map(|landed| landed.offsets)
            .sum();
        let Some(piped) = self.gathered.first().cloned() else {
            return;
        };
        if counted < piped.offsets() {
            return self.fail(outcome);
        }
        self.clear();
        let mut runs = Vec::new();
        let mut end = Destination(0);
        let landed = &mut self.landed;
        piped.each_run(0, |run| {
            let (mut source, mut missing) = (run.source.0, run.length);
            while missing > 0 {
                let Some(first) = landed.front_mut() else {
                    break;
                };
                let length = missing.min(first.offsets);
                runs.push(Run {
                    source: Source(source),
                    destination: first.base,
                    length,
                });
                end = Destination(first.base.0 + length);
                first.base = end;
                first.offsets -= length;
                if first.offsets == 0 {
                    landed.pop_front();
                }
                source += length;
                missing -= length;
            }
        });
        outcome.found.push(Found {
            runs,
            next: piped.next,
            leader_epoch: piped.leader_epoch,
            offsets: piped.offsets(),
            end,
        });
    }
}

/// What can be said where checksums differ.
#[derive(Clone, Copy, Debug)]
struct Trust {
    /// Whether the number of records proves something.
    numbers: bool,
    /// Whether bytes differ in any case.
    changed: bool,
}

/// Whether the first records of some batches are what landed, and what is left of them.
fn compared(
    landed: &Landed,
    pieces: &[PipedBatch],
    trust: Trust,
    levels: Levels,
    decoder: &mut Decoder,
) -> Option<(Found, Option<PipedBatch>)> {
    let stored = landed.batch.as_ref()?;
    let codec = pieces.first()?.batch.header().codec();
    let is_copy = |batch: &PipedBatch| {
        let batch = &batch.batch;
        let by_numbers = trust.changed || was_changed(stored, batch, codec);
        has_checksum_of(stored, batch)
            || (trust.numbers && by_numbers && may_be_copy(stored, batch))
    };
    let as_it_is = match pieces {
        [one] if one.offsets() == landed.offsets => is_copy(one).then(|| (one.clone(), None)),
        _ => None,
    };
    // Also a batch that passes as it is may have been encoded anew when it was sent.
    let anew = |decoder: &mut Decoder| {
        let codec = stored.attributes.codec();
        let usual = Levels::default();
        // Who has just changed the levels has batches of both kinds.
        let differ = levels.of(codec) != usual.of(codec);
        let mut tried = std::iter::once(levels).chain(differ.then_some(usual));
        tried.find_map(|levels| {
            let joined = decoder.join(pieces, landed.offsets, codec, levels);
            joined.ok().filter(|(batch, _)| is_copy(batch))
        })
    };
    let (candidate, rest) = as_it_is.or_else(|| anew(decoder))?;
    let mut runs = Vec::new();
    candidate.each_run(landed.base.0, |run| runs.push(run));
    let found = Found {
        runs,
        next: candidate.next,
        leader_epoch: candidate.leader_epoch,
        offsets: landed.offsets,
        end: Destination(landed.base.0 + landed.offsets),
    };
    Some((found, rest))
}

/// Whether a stored batch has the checksum that a batch's payload has under the header that was sent.
fn has_checksum_of(stored: &BatchInfo, batch: &RawBatch) -> bool {
    let producer = ProducerIdentity {
        id: stored.producer_id,
        epoch: stored.producer_epoch,
    };
    let identity = Identity::new(producer, stored.base_sequence);
    let header = rewrite_header(batch.header_bytes(), identity, false);
    stored.crc == BatchHeader::new(&header).crc()
}

/// Whether a stored batch has what a copy of a batch cannot have lost: the newest time, and uncompressed its size. Numbers
/// alone would take later records for those that landed where a filter lets other records through than it did.
fn may_be_copy(stored: &BatchInfo, batch: &RawBatch) -> bool {
    let batch = batch.info();
    let is_stamped =
        stored.attributes.has_log_append_time() || batch.attributes.has_log_append_time();
    if is_stamped || stored.records != stored.offsets() {
        return true;
    }
    let codecs = [stored, batch].map(|info| info.attributes.codec());
    let comparable = codecs == [Codec::None; 2];
    stored.max_timestamp == batch.max_timestamp && (!comparable || stored.size == batch.size)
}

/// Whether the destination's broker compressed or stamped a batch anew, or has compacted it: its checksum
/// says nothing then, and the number of records has to do. `codec` is that of the source.
fn was_changed(stored: &BatchInfo, batch: &RawBatch, codec: Codec) -> bool {
    stored.attributes.codec() != codec
        || stored.attributes.has_log_append_time()
        || batch.info().attributes.has_log_append_time()
        || stored.records != stored.offsets()
}
