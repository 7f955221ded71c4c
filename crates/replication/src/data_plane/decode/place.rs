//! Batches whose records get the offsets they have at the source (pure).
//!
//! ```text
//!   left by compaction   [10 11 .. 14 .. .. 17]          expected from 8 on
//!   with copies          [10' 10' 10 11 14' 14' 14 17' 17' 17]   8 … 17, without a hole
//!   by runs              [10 11] [14] [17]                with gaps between them, for markers
//! ```

use kafka_wire::batch::RawBatch;
use kafka_wire::record::{BatchEncoder, BatchOptions, Compression, Encoded, OffsetRun, Record};

use super::super::piped::{DecodeReason, PipedBatch};
use super::super::route::{Blocked, Cause};
use super::super::send_state::LARGEST_GAP;
use super::{DECOMPRESSED, Decoder, Rules, damaged, end_of, extend, unusable};

/// Records of one batch with copies: more cost the broker memory, fewer cost requests.
const MOST_RECORDS: u32 = 20_000;
/// Uncompressed bytes of the copies in one hole; an eighth where they stay uncompressed.
const MOST_BYTES: usize = 512 * 1024 * 1024;

impl Decoder {
    /// Batches with the records of `batch` at offsets from `from` on, and in front of each, from `filled` on,
    /// copies of it where there is none. Nothing where no record is left.
    pub(in super::super) fn fill(
        &mut self,
        batch: &RawBatch,
        filled: i64,
        from: i64,
        rules: &Rules,
    ) -> Result<Vec<PipedBatch>, Blocked> {
        let info = *batch.info();
        let Self {
            decoder,
            encoder,
            skipped,
            ..
        } = self;
        skipped.clear();
        encoder.clear();
        let records = rules.records(decoder, batch)?;
        let options = rules.options(batch.header().codec());
        let most = rules.largest_content();
        let (mut made, mut next, mut begin) = (Vec::new(), filled, filled);
        let mut held = Vec::new();
        for record in records {
            let record = record.map_err(|error| damaged(info.base_offset, &error))?;
            let offset = record.offset();
            if offset < from || rules.refused.contains(&offset) {
                continue;
            }
            let size = encoder.size_of(&record);
            too_many(
                offset - next,
                &record,
                size,
                options.compression != Compression::NONE,
            )?;
            while next <= offset {
                let size = encoder.uncompressed_size() + encoder.size_of(&record);
                let full = encoder.count() >= MOST_RECORDS || size > most;
                if full && !encoder.is_empty() {
                    let part = finished(encoder, &options, begin, info.leader_epoch)?;
                    made.push(part.filled_for(std::mem::take(&mut held)));
                    begin = next;
                }
                encoder
                    .push(&record)
                    .map_err(|error| unusable(offset, error.into()))?;
                if held.last().is_none_or(|last| end_of(last) <= offset) {
                    extend(&mut held, OffsetRun { offset, length: 1 });
                }
                next += 1;
            }
        }
        if !encoder.is_empty() {
            let part = finished(encoder, &options, begin, info.leader_epoch)?;
            made.push(part.filled_for(held));
        }
        if let Some(last) = made.last_mut() {
            last.pass_over(info.next_offset(), info.leader_epoch);
        }
        self.shrink();
        Ok(made)
    }

    /// Divides batches so that no offset is missing between the records of one.
    pub(in super::super) fn by_runs(
        &mut self,
        batches: Vec<PipedBatch>,
        rules: &Rules,
    ) -> Result<Vec<PipedBatch>, Blocked> {
        let mut divided = Vec::new();
        for piped in batches {
            if piped.last_offset() - piped.first_offset() + 1 == piped.offsets() {
                divided.push(piped);
                continue;
            }
            self.divide(&piped, rules, &mut divided)?;
        }
        Ok(divided)
    }

    fn divide(
        &mut self,
        piped: &PipedBatch,
        rules: &Rules,
        divided: &mut Vec<PipedBatch>,
    ) -> Result<(), Blocked> {
        let first = piped.first_offset();
        let reason = piped.reason().unwrap_or(DecodeReason::Thinned);
        let options = rules.options(piped.batch.header().codec());
        let mut runs = Vec::new();
        piped.each_run(0, |run| runs.push(run));
        let Self {
            decoder, encoder, ..
        } = self;
        encoder.clear();
        let mut records = decoder
            .batch(&piped.batch, DECOMPRESSED)
            .map_err(|error| damaged(first, &error))?;
        let last = runs.len().saturating_sub(1);
        for (index, run) in runs.iter().enumerate() {
            for _ in 0..run.length {
                let Some(record) = records.next() else { break };
                let record = record.map_err(|error| damaged(first, &error))?;
                encoder
                    .push(&record)
                    .map_err(|error| unusable(first, error.into()))?;
            }
            let mut part = encoder
                .finish(&options)
                .map_err(|error| unusable(first, error.into()))?;
            let length = part.batch.info().offsets();
            part.runs = vec![OffsetRun {
                offset: run.source.0,
                length,
            }];
            let behind = part.runs.last().map_or(run.source.0, end_of);
            let next = if index == last { piped.next } else { behind };
            divided.push(PipedBatch::decoded(part, reason, next, piped.leader_epoch));
        }
        Ok(())
    }
}

fn finished(
    encoder: &mut BatchEncoder,
    options: &BatchOptions,
    begin: i64,
    leader_epoch: i32,
) -> Result<PipedBatch, Blocked> {
    let made = encoder
        .finish(options)
        .map_err(|error| unusable(begin, error.into()))?;
    let length = made.batch.info().offsets();
    let run = OffsetRun {
        offset: begin,
        length,
    };
    let next = end_of(&run);
    let encoded = Encoded {
        batch: made.batch,
        runs: vec![run],
    };
    let reason = DecodeReason::Thinned;
    Ok(PipedBatch::decoded(encoded, reason, next, leader_epoch))
}

/// Copies that would be more than is worth it.
fn too_many(
    copies: i64,
    record: &Record<'_>,
    size: usize,
    compressed: bool,
) -> Result<(), Blocked> {
    let most = if compressed {
        MOST_BYTES
    } else {
        MOST_BYTES / 8
    };
    let bytes = usize::try_from(copies).unwrap_or(0).saturating_mul(size);
    if copies <= LARGEST_GAP && bytes <= most {
        return Ok(());
    }
    let reason = format!(
        "the {copies} offsets that are missing before the record at offset {} would need {bytes} bytes of its copies",
        record.offset()
    );
    Err(Blocked::new(record.offset(), Cause::CannotPlace, reason))
}
