//! Makes batches that a broker accepts out of those that cannot pass as they are (pure).
//!
//! ```text
//!  batch with an obstacle ─▶ records ─▶ without what is not wanted ─▶ one batch ─▶ parts below the limit
//!  old formats: entry, entry, entry ─▶ records ─────────────────────▶ one batch
//! ```
//!
//! Invariants
//! - Nothing is encoded whose stored checksum was not verified before.
//! - The parts of a batch are the same whenever it is read, also when reading begins behind some of
//!   them: after a crash they are compared with what the destination holds.
//!
//! Deliberately absent: when a batch is decoded (`route`), and what becomes of records that no
//! destination takes.

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_wire::batch::{Codec, LegacyEntry, Obstacle, RawBatch};
use kafka_wire::record::{
    BatchEncoder, BatchOptions, Compression, DecodeError, EncodeError, Record, RecordDecoder,
    ReshapeError, SplitFailure, Splitter, merge,
};

use super::piped::{DecodeReason, PipedBatch, SourceRun};
use super::route::{Blocked, Cause};

/// Largest payload of a batch, decompressed: a few bytes can expand to gigabytes, and that is then an
/// error of their batch. Four times the largest batch that brokers take is left.
const DECOMPRESSED: usize = 400 * 1024 * 1024;
/// Buffers larger than this are not kept for the next batch.
const KEPT: usize = 8 * 1024 * 1024;
/// Bytes of tiny batches that are merged into one.
const MERGED: usize = 256 * 1024;
/// Uncompressed bytes of records in old formats that make one batch.
const OLD_FORMAT_BATCH: usize = 128 * 1024;

/// How batches are judged and made; the same for a partition until it begins anew.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Rules {
    /// Verify also what passes untouched.
    pub(crate) check_crcs: bool,
    /// Records get the time at which the source's broker appended them, where it set one.
    pub(crate) keep_append_time: bool,
    /// The destination topic's `max.message.bytes`, where known.
    pub(crate) max_message_bytes: Option<u32>,
    /// Whether that is only a guess: a single record above it is tried all the same.
    pub(crate) limit_is_guessed: bool,
    /// Neighbouring batches smaller than this are merged; 0 where none are.
    pub(crate) merge_below: u32,
    /// The batch at this offset is encoded anew although it could pass: the destination did not take it.
    pub(crate) renumber: Option<i64>,
    /// Leave out single records that are too large.
    pub(crate) skip_too_large: bool,
    /// Offsets of records to leave out, because the destination refused them.
    pub(crate) refused: Arc<BTreeSet<i64>>,
}

impl Rules {
    /// Whether a batch has records that are to be left out.
    pub(super) fn refuse_some_of(&self, first: i64, last: i64) -> bool {
        self.refused.range(first..=last).next().is_some()
    }
}

/// See the module. Its buffers are used again.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    decoder: RecordDecoder,
    encoder: BatchEncoder,
    /// Records that were left out since this was asked last, and why.
    skipped: Vec<(i64, String)>,
}

impl Decoder {
    /// Records that were left out since this was asked last: their source offsets, and why.
    pub(super) fn take_skipped(&mut self) -> Vec<(i64, String)> {
        std::mem::take(&mut self.skipped)
    }

    /// Batches with the records of `batch` at offsets from `from` on; none if nothing is left of it.
    pub(super) fn reshape(
        &mut self,
        batch: &RawBatch,
        reason: DecodeReason,
        from: i64,
        rules: &Rules,
    ) -> Result<Vec<PipedBatch>, Blocked> {
        let mut parts = self.parts(batch, reason, i64::MIN, rules)?;
        if parts.first().is_some_and(|part| part.first_offset() < from) {
            let begin = parts.iter().position(|part| part.first_offset() >= from);
            let whole = begin.filter(|&at| at > 0 && parts[at - 1].last_offset() < from);
            parts = match whole {
                Some(at) => parts.split_off(at),
                None => self.parts(batch, reason, from, rules)?,
            };
        }
        self.shrink(batch.bytes().len());
        Ok(parts)
    }

    fn parts(
        &mut self,
        batch: &RawBatch,
        reason: DecodeReason,
        from: i64,
        rules: &Rules,
    ) -> Result<Vec<PipedBatch>, Blocked> {
        let info = *batch.info();
        let consecutive = info.records == info.offsets() && from <= info.base_offset;
        let changes = [DecodeReason::AppendTime, DecodeReason::Renumbered].contains(&reason)
            || rules.refuse_some_of(info.base_offset, info.last_offset);
        let anew = !consecutive || changes;
        let encoded = if anew {
            self.encoded(batch, from, rules)?
        } else {
            Some((
                batch.clone(),
                vec![(info.base_offset, i64::from(info.offsets()))],
            ))
        };
        let Some((whole, runs)) = encoded else {
            return Ok(Vec::new());
        };
        let piped =
            |batch, runs, next| PipedBatch::decoded(batch, reason, runs, next, info.leader_epoch);
        let limit = rules
            .max_message_bytes
            .map_or(usize::MAX, |limit| limit as usize);
        if whole.bytes().len() <= limit {
            return Ok(vec![piped(whole, runs, info.next_offset())]);
        }
        let mut parts = Vec::new();
        for (batch, runs) in self.split(&whole, &runs, limit, rules)? {
            let next = runs.last().map_or(0, |(first, length)| first + length);
            parts.push(piped(batch, runs, next));
        }
        if let Some(last) = parts.last_mut() {
            last.next = info.next_offset();
        }
        Ok(parts)
    }

    /// One batch of the records from `from` on, and their offsets. Nothing if there are none.
    fn encoded(
        &mut self,
        batch: &RawBatch,
        from: i64,
        rules: &Rules,
    ) -> Result<Option<(RawBatch, Vec<SourceRun>)>, Blocked> {
        let Self {
            decoder, encoder, ..
        } = self;
        let base = batch.info().base_offset;
        encoder.clear();
        let mut runs = Vec::new();
        let records = decoder
            .batch(batch, DECOMPRESSED)
            .map_err(|error| damaged(base, &error))?;
        for record in records {
            let record = record.map_err(|error| damaged(base, &error))?;
            let offset = record.offset();
            if offset >= from && !rules.refused.contains(&offset) {
                push(encoder, &record, &mut runs)?;
            }
        }
        let Some(&(first, _)) = runs.first() else {
            return Ok(None);
        };
        let made = encoder.finish(&options(batch.header().codec(), first));
        let made = made.map_err(|error| unencodable(base, &error))?;
        Ok(Some((made, runs)))
    }

    fn split(
        &mut self,
        whole: &RawBatch,
        runs: &[SourceRun],
        limit: usize,
        rules: &Rules,
    ) -> Result<Vec<(RawBatch, Vec<SourceRun>)>, Blocked> {
        let Self {
            decoder, encoder, ..
        } = self;
        let mut alone = BatchEncoder::new();
        let base = whole.info().base_offset;
        let offset_at = |inner: i64| nth(runs, inner - base);
        let records = decoder
            .batch(whole, DECOMPRESSED)
            .map_err(|error| damaged(offset_at(base), &error))?;
        let codec = whole.header().codec();
        let mut parts = Vec::new();
        for part in Splitter::new(records.clone(), encoder, options(codec, base), limit) {
            match part {
                Ok(part) => {
                    let count = part.last_offset - part.first_offset + 1;
                    parts.push((part.batch, slice(runs, part.first_offset - base, count)));
                }
                Err(SplitFailure::TooLarge(record)) if rules.limit_is_guessed => {
                    let mut again = records
                        .clone()
                        .skip_while(|r| r.as_ref().is_ok_and(|r| r.offset() < record.offset));
                    if let Some(Ok(one)) = again.next() {
                        let mut run = Vec::new();
                        push(&mut alone, &one, &mut run)?;
                        let batch = alone.finish(&options(codec, record.offset));
                        let batch = batch.map_err(|error| unencodable(record.offset, &error))?;
                        parts.push((batch, slice(runs, record.offset - base, 1)));
                    }
                }
                Err(SplitFailure::TooLarge(mut record)) => {
                    record.offset = offset_at(record.offset);
                    if rules.skip_too_large {
                        self.skipped.push((record.offset, record.to_string()));
                        continue;
                    }
                    return Err(Blocked::new(record.offset, Cause::Refused, record));
                }
                Err(SplitFailure::Reshape(ReshapeError::Decode(error))) => {
                    return Err(damaged(offset_at(base), &error));
                }
                Err(SplitFailure::Reshape(ReshapeError::Encode(error))) => {
                    return Err(unencodable(offset_at(base), &error));
                }
            }
        }
        Ok(parts)
    }

    /// One batch of the first `count` records of some batches, and one of the rest of the last of them.
    pub(super) fn join(
        &mut self,
        pieces: &[PipedBatch],
        count: i64,
        codec: Codec,
    ) -> Result<(PipedBatch, Option<PipedBatch>), Blocked> {
        let Self {
            decoder, encoder, ..
        } = self;
        encoder.clear();
        let (mut runs, mut taken) = (Vec::new(), 0);
        let mut rest = None;
        for piece in pieces {
            let first = piece.first_offset();
            let mut offsets = Vec::new();
            piece.each_run(0, |run| offsets.push((run.source.0, run.length)));
            let mut behind: Option<(BatchEncoder, Vec<SourceRun>)> = None;
            let records = decoder
                .batch(&piece.batch, DECOMPRESSED)
                .map_err(|error| damaged(first, &error))?;
            for (index, record) in (0..).zip(records) {
                let record = record.map_err(|error| damaged(first, &error))?;
                let run = slice(&offsets, index, 1);
                let (encoder, runs) = if taken < count {
                    taken += 1;
                    (&mut *encoder, &mut runs)
                } else {
                    let (encoder, runs) = behind.get_or_insert_default();
                    (encoder, runs)
                };
                encoder
                    .push(&record)
                    .map_err(|error| unencodable(first, &error))?;
                extend(runs, run);
            }
            rest = match behind {
                None => None,
                Some((mut encoder, runs)) => {
                    let at = runs.first().map_or(first, |(first, _)| *first);
                    let batch = encoder
                        .finish(&options(piece.batch.header().codec(), at))
                        .map_err(|error| unencodable(at, &error))?;
                    let reason = piece.reason().unwrap_or(DecodeReason::BegunInside);
                    Some(PipedBatch::decoded(
                        batch,
                        reason,
                        runs,
                        piece.next,
                        piece.leader_epoch,
                    ))
                }
            };
        }
        let (first, end) = match (runs.first(), runs.last()) {
            (Some((first, _)), Some((last, length))) => (*first, last + length),
            _ => return Err(Blocked::new(0, Cause::CannotPass, "there are no records")),
        };
        let batch = encoder
            .finish(&options(codec, first))
            .map_err(|error| unencodable(first, &error))?;
        let last = pieces.last();
        // A part of a batch ends with its last record, whole batches with what was dropped behind them.
        let next = match &rest {
            Some(_) => end,
            None => last.map_or(end, |piece| piece.next),
        };
        let epoch = last.map_or(-1, |piece| piece.leader_epoch);
        let joined = PipedBatch::decoded(batch, DecodeReason::BegunInside, runs, next, epoch);
        Ok((joined, rest))
    }

    /// One batch of the records of several that could pass; their codec is the same.
    pub(super) fn merge(&mut self, tiny: Tiny) -> Result<PipedBatch, Blocked> {
        let Self {
            decoder, encoder, ..
        } = self;
        let [first, _, ..] = tiny.batches.as_slice() else {
            let only = tiny.batches.into_iter().next();
            let mut piped = PipedBatch::untouched(only.expect("one was added"));
            piped.pass_over(tiny.next, tiny.leader_epoch);
            return Ok(piped);
        };
        let (base, codec) = (first.info().base_offset, first.header().codec());
        let mut runs = Vec::new();
        for batch in &tiny.batches {
            let info = batch.info();
            extend(&mut runs, [(info.base_offset, i64::from(info.offsets()))]);
        }
        let options = options(codec, base);
        let merged = merge(decoder, encoder, &tiny.batches, &options, DECOMPRESSED);
        let merged = merged.map_err(|error| match error {
            ReshapeError::Decode(error) => damaged(error.offset, &error),
            ReshapeError::Encode(error) => unencodable(base, &error),
        })?;
        Ok(PipedBatch::decoded(
            merged,
            DecodeReason::Merged,
            runs,
            tiny.next,
            tiny.leader_epoch,
        ))
    }

    /// Adds the records of an entry in an old format to `gathered`; hands over what is complete.
    pub(super) fn gather(
        &mut self,
        entry: &LegacyEntry,
        from: i64,
        rules: &Rules,
        gathered: &mut Gathered,
    ) -> Result<Option<PipedBatch>, Blocked> {
        let Self {
            decoder, encoder, ..
        } = self;
        let codec = codec_of(entry);
        let limit = rules.max_message_bytes.map_or(OLD_FORMAT_BATCH, |limit| {
            OLD_FORMAT_BATCH.min(limit as usize)
        });
        let records = decoder
            .legacy(entry, DECOMPRESSED)
            .map_err(|error| damaged(entry.offset, &error))?;
        let (uncompressed, _) = records.sizes();
        let full = encoder.uncompressed_size().saturating_add(uncompressed) > limit;
        let before = if !encoder.is_empty() && (full || gathered.codec != codec) {
            gathered.finish(encoder, rules)?
        } else {
            None
        };
        gathered.codec = codec;
        for record in records {
            let record = record.map_err(|error| damaged(entry.offset, &error))?;
            if record.offset() >= from {
                push(encoder, &record, &mut gathered.runs)?;
            }
        }
        Ok(before)
    }

    /// What is left of the records in old formats.
    pub(super) fn gathered(
        &mut self,
        gathered: &mut Gathered,
        rules: &Rules,
    ) -> Result<Option<PipedBatch>, Blocked> {
        gathered.finish(&mut self.encoder, rules)
    }

    /// Memory for one exceptional batch is not kept for all that follow.
    fn shrink(&mut self, size: usize) {
        if size > KEPT {
            self.decoder = RecordDecoder::default();
            self.encoder = BatchEncoder::default();
        }
    }
}

/// Tiny batches that follow each other.
#[derive(Debug, Default)]
pub(super) struct Tiny {
    batches: Vec<RawBatch>,
    bytes: usize,
    next: i64,
    leader_epoch: i32,
}

impl Tiny {
    /// Adds a batch if it is tiny and fits to those before it; otherwise gives it back.
    pub(super) fn add(&mut self, batch: RawBatch, rules: &Rules) -> Result<(), RawBatch> {
        let info = *batch.info();
        let limit = rules.max_message_bytes.map_or(MERGED, |limit| {
            // Varints of the joined records can be longer by a few bytes each.
            MERGED.min(limit as usize * 4 / 5)
        });
        let alike = self.batches.first().is_none_or(|first| {
            first.header().codec() == batch.header().codec()
                && self.bytes + info.size as usize <= limit
        });
        let tiny = info.size < rules.merge_below && !info.attributes.has_log_append_time();
        if !tiny || !alike {
            return Err(batch);
        }
        self.bytes += info.size as usize;
        self.next = info.next_offset();
        self.leader_epoch = info.leader_epoch;
        self.batches.push(batch);
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Counts dropped records right behind them as read with them.
    pub(super) fn pass_over(&mut self, next: i64, leader_epoch: i32) {
        if self.next < next {
            self.next = next;
            self.leader_epoch = leader_epoch;
        }
    }
}

/// Offsets of records in old formats that wait for more.
#[derive(Debug)]
pub(super) struct Gathered {
    codec: Codec,
    runs: Vec<SourceRun>,
}

impl Default for Gathered {
    fn default() -> Self {
        Self {
            codec: Codec::None,
            runs: Vec::new(),
        }
    }
}

impl Gathered {
    fn finish(
        &mut self,
        encoder: &mut BatchEncoder,
        rules: &Rules,
    ) -> Result<Option<PipedBatch>, Blocked> {
        let runs = std::mem::take(&mut self.runs);
        let (Some(&(first, _)), Some(&(last, length))) = (runs.first(), runs.last()) else {
            return Ok(None);
        };
        let batch = encoder
            .finish(&options(self.codec, first))
            .map_err(|error| unencodable(first, &error))?;
        let size = batch.bytes().len();
        if let Some(limit) = rules.max_message_bytes.filter(|&l| size > l as usize) {
            let reason = format!(
                "the record at offset {first} needs a batch of {size} bytes, and the destination takes {limit}; \
                 raise the destination topic's max.message.bytes to at least {size}"
            );
            return Err(Blocked::new(first, Cause::Refused, reason));
        }
        Ok(Some(PipedBatch::decoded(
            batch,
            DecodeReason::OldFormat,
            runs,
            last + length,
            -1,
        )))
    }
}

/// Adds a record and its offset.
fn push(
    encoder: &mut BatchEncoder,
    record: &Record<'_>,
    runs: &mut Vec<SourceRun>,
) -> Result<(), Blocked> {
    let offset = record.offset();
    encoder
        .push(record)
        .map_err(|error| unencodable(offset, &error))?;
    extend(runs, [(offset, 1)]);
    Ok(())
}

/// Adds runs behind others, joined where they touch.
fn extend(runs: &mut Vec<SourceRun>, more: impl IntoIterator<Item = SourceRun>) {
    for (offset, count) in more {
        match runs.last_mut() {
            Some((first, length)) if *first + *length == offset => *length += count,
            _ => runs.push((offset, count)),
        }
    }
}

fn options(codec: Codec, base_offset: i64) -> BatchOptions {
    BatchOptions {
        base_offset,
        // An unknown codec is an obstacle of its own, and never gets here.
        ..BatchOptions::new(Compression::new(codec).unwrap_or(Compression::NONE))
    }
}

/// Attribute bits 0–2 of a message: byte 17, behind offset, size, checksum and magic.
fn codec_of(entry: &LegacyEntry) -> Codec {
    let attributes = entry.bytes.get(17).copied().unwrap_or(0);
    kafka_wire::batch::Attributes(i16::from(attributes)).codec()
}

/// The `index`-th offset of some runs.
fn nth(runs: &[SourceRun], mut index: i64) -> i64 {
    for &(first, length) in runs {
        if index < length {
            return first + index;
        }
        index -= length;
    }
    runs.last().map_or(0, |(first, length)| first + length)
}

/// `count` offsets of some runs, from the `skip`-th on.
fn slice(runs: &[SourceRun], mut skip: i64, mut count: i64) -> Vec<SourceRun> {
    let mut taken = Vec::new();
    for &(first, length) in runs {
        let here = (length - skip).min(count);
        if here > 0 {
            taken.push((first + skip, here));
            count -= here;
        }
        skip = (skip - length).max(0);
    }
    taken
}

/// Why a batch with this obstacle is decoded; nothing where that does not help.
pub(super) fn reason(obstacle: &Obstacle) -> Option<DecodeReason> {
    match obstacle {
        Obstacle::Thinned { .. } => Some(DecodeReason::Thinned),
        Obstacle::TooLarge { .. } => Some(DecodeReason::TooLarge),
        Obstacle::BeginsBefore { .. } => Some(DecodeReason::BegunInside),
        Obstacle::AppendTime => Some(DecodeReason::AppendTime),
        Obstacle::LegacyFormat { .. } => Some(DecodeReason::OldFormat),
        Obstacle::Overfull { .. } | Obstacle::UnknownCodec { .. } => None,
    }
}

fn damaged(offset: i64, error: &DecodeError) -> Blocked {
    Blocked::new(offset, Cause::Damaged, error)
}

fn unencodable(offset: i64, error: &EncodeError) -> Blocked {
    Blocked::new(offset, Cause::CannotPass, error)
}

#[cfg(test)]
mod tests;
