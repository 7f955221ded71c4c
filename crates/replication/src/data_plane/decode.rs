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

mod place;

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_wire::batch::{Codec, LegacyEntry, Obstacle, RawBatch};
use kafka_wire::record::{
    BatchEncoder, BatchOptions, Compression, DecodeError, Encoded, HeaderBuffer, Levels, OffsetRun,
    Record, RecordDecoder, Records, ReshapeError, SplitFailure, Splitter, merge,
};

use super::change::{Changed, Changes};
use super::piped::{DecodeReason, PipedBatch};
use super::placing::PlaceRules;
use super::route::{Blocked, Cause};
use crate::origin::OriginRule;

mod changed;

pub(super) use changed::Returned;

/// Largest payload of a batch, decompressed: a few bytes can expand to gigabytes, and that is then an
/// error of their batch. Four times the largest batch that brokers take is left.
const DECOMPRESSED: usize = 400 * 1024 * 1024;
/// Bytes of tiny batches that are merged into one.
const MERGED: usize = 256 * 1024;
/// What may come out of them: brokers and consumers decompress a batch as a whole.
const MERGED_UNCOMPRESSED: usize = 8 * 1024 * 1024;
/// Uncompressed bytes of records in old formats that make one batch.
const OLD_FORMAT_BATCH: usize = 128 * 1024;

/// How batches are judged and made; the same for a partition until it begins anew.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Rules {
    /// Which life of the partition they belong to: what was read in an earlier one may have been cut or
    /// joined otherwise.
    pub(crate) life: u64,
    /// Verify also what passes untouched.
    pub(crate) check_crcs: bool,
    /// Records get the time at which the source's broker appended them, where it set one.
    pub(crate) keep_append_time: bool,
    /// The destination topic's `max.message.bytes`, where known.
    pub(crate) max_message_bytes: Option<u32>,
    /// Whether that is only a guess: a single record above it is tried all the same.
    pub(crate) limit_is_guessed: bool,
    /// How hard codecs work on what is encoded anew.
    pub(crate) levels: Levels,
    /// Neighbouring batches smaller than this are merged, in answers whose batches are smaller on average.
    pub(crate) merge_below: u32,
    /// How many batches an answer needs to have for that; `None` where none are merged.
    pub(crate) merge_from: Option<usize>,
    /// The batch at this offset is encoded anew although it could pass: the destination did not take it.
    pub(crate) renumber: Option<i64>,
    /// Leave out single records that are too large.
    pub(crate) skip_too_large: bool,
    /// Have them set aside.
    pub(crate) quarantine: bool,
    /// What is done to each record.
    pub(crate) changes: Arc<Changes>,
    /// Offsets of records to leave out, because the destination refused them.
    pub(crate) refused: Arc<BTreeSet<i64>>,
    /// Which producers' batches are taken. The reader of the answer says so.
    pub(crate) origins: OriginRule,
    /// Where records are to get the offsets they have at the source.
    pub(crate) place: Option<PlaceRules>,
    /// What is read will stay in memory for long.
    pub(crate) lingers: bool,
}

impl Rules {
    /// Bytes of the largest batch that the destination takes; without a limit, what the format can say.
    fn largest_batch(&self) -> usize {
        self.max_message_bytes
            .map_or(i32::MAX as usize, |limit| limit as usize)
    }

    /// Uncompressed bytes of records that fit into it: what is compressed can become a little larger by it.
    fn largest_content(&self) -> usize {
        self.largest_batch() / 16 * 15
    }

    /// How a batch with this codec is encoded anew.
    fn options(&self, codec: Codec) -> BatchOptions {
        options(self.levels, codec)
    }

    /// The records of a batch, with the times that their copies get: those of the batches beside it that pass
    /// untouched.
    fn records<'a>(
        &self,
        decoder: &'a mut RecordDecoder,
        batch: &'a RawBatch,
    ) -> Result<Records<'a>, Blocked> {
        let records = decoder
            .batch(batch, DECOMPRESSED)
            .map_err(|error| damaged(batch.info().base_offset, &error))?;
        Ok(match self.keep_append_time {
            true => records,
            false => records.with_producer_times(),
        })
    }

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
    returned: Returned,
    /// What provenance headers tell, in milliseconds since 1970.
    now: i64,
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
        self.skipped.clear();
        let mut parts = self.parts(batch, reason, i64::MIN, rules)?;
        if parts.first().is_some_and(|part| part.first_offset() < from) {
            let begin = parts.iter().position(|part| part.first_offset() >= from);
            let whole = begin.filter(|&at| at > 0 && parts[at - 1].last_offset() < from);
            parts = match whole {
                Some(at) => parts.split_off(at),
                None => {
                    self.skipped.clear();
                    self.parts(batch, reason, from, rules)?
                }
            };
        }
        self.skipped.retain(|(offset, _)| *offset >= from);
        self.shrink();
        Ok(parts)
    }

    /// Everything at once: without what lies in front of `from` and what is to be left out, divided where it
    /// has to be.
    fn parts(
        &mut self,
        batch: &RawBatch,
        reason: DecodeReason,
        from: i64,
        rules: &Rules,
    ) -> Result<Vec<PipedBatch>, Blocked> {
        let Self {
            decoder,
            encoder,
            skipped,
            ..
        } = self;
        let info = *batch.info();
        let base = info.base_offset;
        let limit = rules.largest_batch();
        let records = rules.records(decoder, batch)?;
        let options = rules.options(batch.header().codec());
        let wanted = |record: &Record<'_>| {
            record.offset() >= from && !rules.refused.contains(&record.offset())
        };
        let mut parts: Vec<Encoded> = Vec::new();
        let again = records.clone();
        let splitter = Splitter::with_change(records, encoder, options, limit, |record, _| {
            wanted(&record).then_some(record)
        });
        for part in splitter {
            match part {
                Ok(part) => parts.push(part),
                Err(SplitFailure::TooLarge(record)) if rules.limit_is_guessed => {
                    parts.push(alone(again.clone(), record.offset, options)?);
                }
                Err(SplitFailure::TooLarge(record)) if rules.skip_too_large => {
                    skipped.push((record.offset, record.to_string()));
                }
                Err(SplitFailure::TooLarge(record)) if rules.quarantine => {
                    let aside = alone(again.clone(), record.offset, options)?;
                    let blocked = Blocked::new(record.offset, Cause::Refused, record);
                    return Err(blocked.set_aside(aside.batch));
                }
                Err(SplitFailure::TooLarge(record)) => {
                    return Err(Blocked::new(record.offset, Cause::Refused, record));
                }
                Err(SplitFailure::Reshape(error)) => return Err(unusable(base, error)),
            }
        }
        let last = parts.len().saturating_sub(1);
        let piped = parts.into_iter().enumerate().map(|(index, part)| {
            let behind = part.runs.last().map_or(0, end_of);
            let next = if index == last {
                info.next_offset()
            } else {
                behind
            };
            PipedBatch::decoded(part, reason, next, info.leader_epoch)
        });
        Ok(piped.collect())
    }

    /// One batch of the first `count` records of some batches, and one of the rest of the last of them; the first as
    /// it is encoded with these levels.
    pub(super) fn join(
        &mut self,
        pieces: &[PipedBatch],
        count: i64,
        codec: Codec,
        levels: Levels,
    ) -> Result<(PipedBatch, Option<PipedBatch>), Blocked> {
        let Self {
            decoder, encoder, ..
        } = self;
        encoder.clear();
        let mut behind = BatchEncoder::new();
        let (mut runs, mut rest_runs) = (Vec::new(), Vec::new());
        let mut taken = 0;
        for piece in pieces {
            let first = piece.first_offset();
            // Where append times are kept, no batch has one any more.
            let records = decoder
                .batch(&piece.batch, DECOMPRESSED)
                .map_err(|error| damaged(first, &error))?
                .with_producer_times();
            let mut offsets = Vec::new();
            piece.each_run(0, |run| {
                offsets.extend(run.source.0..run.source.0 + run.length)
            });
            let mut offsets = offsets.into_iter();
            for record in records {
                let record = record.map_err(|error| damaged(first, &error))?;
                let (encoder, runs) = if taken < count {
                    (&mut *encoder, &mut runs)
                } else {
                    (&mut behind, &mut rest_runs)
                };
                taken += 1;
                encoder
                    .push(&record)
                    .map_err(|error| unusable(first, error.into()))?;
                let offset = offsets.next().unwrap_or(first);
                extend(runs, OffsetRun { offset, length: 1 });
            }
        }
        let finish = |encoder: &mut BatchEncoder, codec, runs: Vec<OffsetRun>| {
            let first = runs.first().map_or(0, |run| run.offset);
            let made = encoder.finish(&options(levels, codec));
            let made = made.map_err(|error| unusable(first, error.into()))?;
            Ok(Encoded {
                batch: made.batch,
                runs,
            })
        };
        let last = pieces.last();
        let (next, epoch) = last.map_or((0, -1), |piece| (piece.next, piece.leader_epoch));
        let reason = last.and_then(PipedBatch::reason);
        let reason = reason.unwrap_or(DecodeReason::BegunInside);
        // A part of a batch ends with its last record, whole batches with what was dropped behind them.
        let cut = runs.last().map_or(next, end_of);
        let rest = if behind.is_empty() {
            None
        } else {
            let codec = last.map_or(codec, |piece| piece.batch.header().codec());
            let made = finish(&mut behind, codec, rest_runs)?;
            Some(PipedBatch::decoded(made, reason, next, epoch))
        };
        let joined = finish(encoder, codec, runs)?;
        let next = if rest.is_some() { cut } else { next };
        Ok((PipedBatch::decoded(joined, reason, next, epoch), rest))
    }

    /// One batch of the records of several that could pass; their codec is the same. They pass as they are
    /// where one batch of them would be too large, or one of them cannot be read: the destination looks at
    /// each of them then.
    pub(super) fn merge(&mut self, tiny: Tiny, rules: &Rules) -> Vec<PipedBatch> {
        let Self {
            decoder, encoder, ..
        } = self;
        let Tiny {
            batches,
            next,
            leader_epoch,
            ..
        } = tiny;
        if let [first, _, ..] = batches.as_slice() {
            let options = rules.options(first.header().codec());
            let merged = merge(decoder, encoder, &batches, &options, MERGED_UNCOMPRESSED);
            let limit = rules.largest_batch();
            let merged = merged.ok().filter(|made| made.batch.bytes().len() <= limit);
            if let Some(made) = merged {
                let reason = DecodeReason::Merged;
                return vec![PipedBatch::decoded(made, reason, next, leader_epoch)];
            }
        }
        let mut untouched: Vec<PipedBatch> =
            batches.into_iter().map(PipedBatch::untouched).collect();
        if let Some(last) = untouched.last_mut() {
            last.pass_over(next, leader_epoch);
        }
        untouched
    }

    /// Adds the records of an entry in an old format to `gathered`; what is complete goes to `made`, also
    /// where the entry then turns out to be damaged.
    pub(super) fn gather(
        &mut self,
        entry: &LegacyEntry,
        from: i64,
        rules: &Rules,
        gathered: &mut Gathered,
        made: &mut Vec<PipedBatch>,
    ) -> Result<(), Blocked> {
        let Self {
            decoder,
            encoder,
            skipped,
            now,
            ..
        } = self;
        let codec = codec_of(entry);
        let most = rules.largest_content();
        let limit = OLD_FORMAT_BATCH.min(most);
        let records = decoder
            .legacy(entry, DECOMPRESSED)
            .map_err(|error| damaged(entry.offset, &error))?;
        let (uncompressed, _) = records.sizes();
        let full = encoder.uncompressed_size().saturating_add(uncompressed) > limit;
        if !encoder.is_empty() && (full || gathered.codec != codec) {
            made.extend(gathered.finish(encoder, skipped, rules)?);
        }
        gathered.of(codec, DecodeReason::OldFormat, -1);
        let mut headers = HeaderBuffer::new();
        for record in records {
            let record = record.map_err(|error| damaged(entry.offset, &error))?;
            if record.offset() < from || rules.refused.contains(&record.offset()) {
                continue;
            }
            headers.clear();
            let record = match rules.changes.apply(record, *now, &mut headers) {
                Changed::Written(record) | Changed::Circled(record) => record,
                // Old formats have no headers, so none of them can tell of a loop.
                Changed::LeftOut | Changed::Objected(_) | Changed::CameFromThere => continue,
            };
            let size = encoder.uncompressed_size() + encoder.size_of(&record);
            if !encoder.is_empty() && size > most {
                made.extend(gathered.finish(encoder, skipped, rules)?);
            }
            encoder
                .push(&record)
                .map_err(|error| unusable(entry.offset, error.into()))?;
        }
        Ok(())
    }

    /// What is left of the records in old formats.
    pub(super) fn gathered(
        &mut self,
        gathered: &mut Gathered,
        rules: &Rules,
    ) -> Result<Option<PipedBatch>, Blocked> {
        gathered.finish(&mut self.encoder, &mut self.skipped, rules)
    }

    /// Memory for one exceptional batch is not kept for all that follow. How small it was compressed says nothing of that.
    fn shrink(&mut self) {
        self.decoder.trim();
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
        // Varints of the joined records can be longer by a few bytes each.
        let limit = MERGED.min(rules.largest_batch() * 4 / 5);
        let alike = self.batches.first().is_none_or(|first| {
            first.header().codec() == batch.header().codec()
                && self.bytes + info.size as usize <= limit
        });
        // A gap between them has to be filled between them.
        let adjoins = |last: &RawBatch| last.info().next_offset() == info.base_offset;
        let alike = alike && (rules.place.is_none() || self.batches.last().is_none_or(adjoins));
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

/// Records in old formats, or changed ones, that wait for more of them, in the encoder.
#[derive(Debug)]
pub(super) struct Gathered {
    codec: Codec,
    reason: DecodeReason,
    leader_epoch: i32,
}

impl Default for Gathered {
    fn default() -> Self {
        Self {
            codec: Codec::None,
            reason: DecodeReason::OldFormat,
            leader_epoch: -1,
        }
    }
}

impl Gathered {
    /// The next records come from such a batch.
    fn of(&mut self, codec: Codec, reason: DecodeReason, leader_epoch: i32) {
        *self = Self {
            codec,
            reason,
            leader_epoch,
        };
    }

    fn finish(
        &mut self,
        encoder: &mut BatchEncoder,
        skipped: &mut Vec<(i64, String)>,
        rules: &Rules,
    ) -> Result<Option<PipedBatch>, Blocked> {
        if encoder.is_empty() {
            return Ok(None);
        }
        let alone = encoder.count() == 1;
        let made = encoder
            .finish(&rules.options(self.codec))
            .map_err(|error| unusable(0, error.into()))?;
        let (first, size) = (
            made.runs.first().map_or(0, |run| run.offset),
            made.batch.bytes().len(),
        );
        let is_tried = alone && rules.limit_is_guessed;
        let limit = rules.max_message_bytes.filter(|_| !is_tried);
        if let Some(limit) = limit.filter(|&l| size > l as usize) {
            let reason = format!(
                "the record at offset {first} needs a batch of {size} bytes, and the destination takes {limit}; \
                 raise the destination topic's max.message.bytes to at least {size}"
            );
            if alone && rules.skip_too_large {
                skipped.push((first, reason));
                return Ok(None);
            }
            let blocked = Blocked::new(first, Cause::Refused, reason);
            return Err(match alone && rules.quarantine {
                true => blocked.set_aside(made.batch),
                false => blocked,
            });
        }
        let next = made.runs.last().map_or(first, end_of);
        Ok(Some(PipedBatch::decoded(
            made,
            self.reason,
            next,
            self.leader_epoch,
        )))
    }
}

/// A batch of the record at one offset, whatever its size.
fn alone(records: Records<'_>, offset: i64, options: BatchOptions) -> Result<Encoded, Blocked> {
    let mut encoder = BatchEncoder::new();
    for record in records {
        let record = record.map_err(|error| damaged(offset, &error))?;
        if record.offset() == offset {
            encoder
                .push(&record)
                .map_err(|error| unusable(offset, error.into()))?;
            break;
        }
    }
    let made = encoder.finish(&options);
    made.map_err(|error| unusable(offset, error.into()))
}

/// Adds a run behind others, joined to them where they touch.
fn extend(runs: &mut Vec<OffsetRun>, run: OffsetRun) {
    match runs.last_mut() {
        Some(last) if end_of(last) == run.offset => last.length += run.length,
        _ => runs.push(run),
    }
}

/// The offset behind a run.
fn end_of(run: &OffsetRun) -> i64 {
    run.offset + i64::from(run.length)
}

fn options(levels: Levels, codec: Codec) -> BatchOptions {
    // An unknown codec is an obstacle of its own, and never gets here.
    BatchOptions::new(levels.of(codec).unwrap_or(Compression::NONE))
}

/// Attribute bits 0–2 of a message: byte 17, behind offset, size, checksum and magic.
fn codec_of(entry: &LegacyEntry) -> Codec {
    let attributes = entry.bytes.get(17).copied().unwrap_or(0);
    kafka_wire::batch::Attributes(i16::from(attributes)).codec()
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

fn unusable(offset: i64, error: ReshapeError) -> Blocked {
    match error {
        ReshapeError::Decode(error) => damaged(error.offset, &error),
        ReshapeError::Encode(error) => Blocked::new(offset, Cause::CannotPass, error),
    }
}

#[cfg(test)]
mod tests;
