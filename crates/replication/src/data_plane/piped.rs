//! A batch on its way from the source to the destination, and where its records come from.
//!
//! Untouched, a batch's records have the source offsets that its header says. Decoded, its records are
//! those of one or several source batches without what is not written, and [`PipedBatch::each_run`] says
//! which offsets they had.

use bytes::Bytes;
use kafka_client::Buffers;
use kafka_wire::batch::RawBatch;
use kafka_wire::record::{Encoded, OffsetRun};

use tokio::time::Instant;

use crate::offset_map::Run;
use crate::side::{Destination, Source};

/// Why a batch was not passed on as it was.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DecodeReason {
    /// Compaction removed some of its records; brokers accept no holes.
    Thinned,
    /// Its records are in message format 0 or 1; brokers accept only 2.
    OldFormat,
    /// It is larger than the destination's `max.message.bytes`.
    TooLarge,
    /// The copy begins inside it.
    BegunInside,
    /// Append times of the source were asked for.
    AppendTime,
    /// The destination refused it without saying why, as brokers do when the records of a compressed
    /// batch are not numbered 0, 1, 2 ….
    Renumbered,
    /// It is one of many tiny ones of a partition that lags.
    Merged,
    /// Some of its records are left out, because the destination does not take them.
    Refused,
    /// Its records are changed: `transforms`, a provenance header, another choice of partitions.
    Transformed,
}

impl DecodeReason {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Thinned,
        Self::OldFormat,
        Self::TooLarge,
        Self::BegunInside,
        Self::AppendTime,
        Self::Renumbered,
        Self::Merged,
        Self::Refused,
        Self::Transformed,
    ];

    /// The word for it in status and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Thinned => "thinned",
            Self::OldFormat => "old-format",
            Self::TooLarge => "too-large",
            Self::BegunInside => "begun-inside",
            Self::AppendTime => "append-time",
            Self::Renumbered => "renumbered",
            Self::Merged => "merged",
            Self::Refused => "refused",
            Self::Transformed => "transform",
        }
    }
}

/// A batch on its way, and where reading goes on behind it. Records that were dropped right after it
/// count as read with it.
#[derive(Clone, Debug)]
pub(crate) struct PipedBatch {
    /// As the source served it, or as it was encoded anew; in both cases without a new identity.
    pub(crate) batch: RawBatch,
    decoded: Option<Box<Decoded>>,
    /// Source offset behind the batch and all that was dropped after it.
    pub(crate) next: i64,
    /// Leader epoch of the last batch before `next`. With the epoch of an earlier batch the source
    /// would seem to have been cut short where that epoch ended.
    pub(crate) leader_epoch: i32,
    /// When its answer was taken.
    pub(crate) read_at: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Decoded {
    /// `None` for filler.
    reason: Option<DecodeReason>,
    /// In order, covering as many offsets as there are records.
    runs: Vec<OffsetRun>,
    /// Where holes are filled with copies of the next record: the offsets that records of the source have, in order.
    filled: Vec<OffsetRun>,
}

impl PipedBatch {
    /// A batch that passes as it is.
    pub(crate) fn untouched(batch: RawBatch) -> Self {
        Self {
            next: batch.info().next_offset(),
            leader_epoch: batch.info().leader_epoch,
            batch,
            decoded: None,
            read_at: None,
        }
    }

    /// A batch that was encoded anew; reading goes on at `next`.
    pub(crate) fn decoded(
        encoded: Encoded,
        reason: DecodeReason,
        next: i64,
        leader_epoch: i32,
    ) -> Self {
        Self {
            batch: encoded.batch,
            decoded: Some(Box::new(Decoded {
                reason: Some(reason),
                runs: encoded.runs,
                filled: Vec::new(),
            })),
            next,
            leader_epoch,
            read_at: None,
        }
    }

    /// All offsets in between hold copies of the record that is next behind them; `records` are those of the source.
    pub(crate) fn filled_for(mut self, records: Vec<OffsetRun>) -> Self {
        if let Some(decoded) = &mut self.decoded {
            decoded.filled = records;
        }
        self
    }

    /// A batch that only uses up offsets, from `offset` on.
    pub(crate) fn filler(batch: RawBatch, offset: i64) -> Self {
        let length = batch.info().offsets();
        Self {
            decoded: Some(Box::new(Decoded {
                reason: None,
                runs: vec![OffsetRun { offset, length }],
                filled: Vec::new(),
            })),
            next: offset + i64::from(length),
            leader_epoch: -1,
            batch,
            read_at: None,
        }
    }

    /// Whether it holds no records of the source.
    pub(crate) fn is_filler(&self) -> bool {
        self.decoded.as_ref().is_some_and(|d| d.reason.is_none())
    }

    /// Counts dropped records right behind it as read with it.
    pub(crate) fn pass_over(&mut self, next: i64, leader_epoch: i32) {
        if self.next < next {
            self.next = next;
            self.leader_epoch = leader_epoch;
        }
    }

    /// Counts what was encoded anew against the budget, and says how many bytes that is.
    pub(crate) fn count_in(&mut self, buffers: &Buffers) -> usize {
        if self.decoded.is_none() {
            return 0;
        }
        self.put_in(buffers.adopt(self.batch.bytes().clone()));
        self.size()
    }

    /// Takes the same bytes in other memory.
    fn put_in(&mut self, bytes: Bytes) {
        self.batch = RawBatch::parse(bytes).expect("the same bytes were read before");
    }

    /// Sequence numbers it takes, which is also the number of offsets it gets.
    pub(crate) fn offsets(&self) -> i64 {
        i64::from(self.batch.info().offsets())
    }

    /// Bytes as sent, header included.
    pub(crate) fn size(&self) -> usize {
        self.batch.bytes().len()
    }

    /// Source offset of its first record.
    pub(crate) fn first_offset(&self) -> i64 {
        self.decoded
            .as_ref()
            .and_then(|decoded| decoded.runs.first())
            .map_or(self.batch.info().base_offset, |run| run.offset)
    }

    /// Source offset of the record at `index`, if it has so many; of a copy that fills a hole, of what it is a copy of.
    pub(crate) fn offset_at(&self, index: i64) -> Option<i64> {
        let mut found = None;
        self.each_run(0, |run| {
            let within = index - run.destination.0;
            if (0..run.length).contains(&within) {
                found = Some(run.source.0 + within);
            }
        });
        let filled = self.decoded.as_ref().map(|decoded| &decoded.filled);
        let next = filled.zip(found).and_then(|(records, place)| {
            let run = records
                .iter()
                .find(|run| place < run.offset + i64::from(run.length))?;
            Some(place.max(run.offset))
        });
        next.or(found)
    }

    /// Source offset of its last record.
    pub(crate) fn last_offset(&self) -> i64 {
        self.decoded
            .as_ref()
            .and_then(|decoded| decoded.runs.last())
            .map_or(self.batch.info().last_offset, |run| {
                run.offset + i64::from(run.length) - 1
            })
    }

    /// Why it was decoded, if it was.
    pub(crate) fn reason(&self) -> Option<DecodeReason> {
        self.decoded.as_ref().and_then(|decoded| decoded.reason)
    }

    /// Calls `take` with the map of its offsets, when its first record is at `base`.
    pub(crate) fn each_run(&self, base: i64, mut take: impl FnMut(Run)) {
        let mut destination = base;
        let mut give = |run: OffsetRun| {
            let length = i64::from(run.length);
            take(Run {
                source: Source(run.offset),
                destination: Destination(destination),
                length,
            });
            destination += length;
        };
        match &self.decoded {
            None => give(OffsetRun {
                offset: self.batch.info().base_offset,
                length: self.batch.info().offsets(),
            }),
            Some(decoded) => decoded.runs.iter().copied().for_each(give),
        }
    }
}

/// Gives batches memory of their own, all of them one piece of it, which counts against the budget.
pub(crate) fn keep_apart(batches: &mut [PipedBatch], buffers: &Buffers) {
    let mut all = Vec::with_capacity(batches.iter().map(PipedBatch::size).sum());
    for piped in &mut *batches {
        all.extend_from_slice(piped.batch.bytes());
    }
    let mut all = buffers.adopt(all.into());
    for piped in batches {
        piped.put_in(all.split_to(piped.size()));
    }
}
