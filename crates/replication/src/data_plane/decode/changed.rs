//! Batches whose records are changed on their way: gathered over the batches of an answer into larger ones.
//!
//! What a filter leaves of a batch, or one of many destination partitions gets of it, can be a single record: batch by
//! batch such a partition would crawl. The borders need not be the same when it is read again, as recovery cuts and joins.

use kafka_wire::batch::{Codec, RawBatch};
use kafka_wire::record::HeaderBuffer;

use super::super::change::Changed;
use super::super::piped::{DecodeReason, PipedBatch};
use super::super::route::{Blocked, Cause};
use super::{Decoder, Gathered, Rules, damaged, unusable};

/// Numbers of records that were where they are going, or come from, before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(in super::super) struct Returned {
    /// They came from the destination topic, and are left out.
    pub(in super::super) left_out: u64,
    /// They were in the source topic before, and are written.
    pub(in super::super) circled: u64,
}

impl std::ops::AddAssign for Returned {
    fn add_assign(&mut self, other: Self) {
        self.left_out += other.left_out;
        self.circled += other.circled;
    }
}

/// Uncompressed bytes of records that make one batch: what every broker takes.
const CHANGED_BATCH: usize = 1_000_000;

impl Decoder {
    /// Sets the time that provenance headers tell, in milliseconds since 1970.
    pub(crate) fn set_time(&mut self, now: i64) {
        self.now = now;
    }

    /// Records that came back, since this was asked last.
    pub(in super::super) fn take_returned(&mut self) -> Returned {
        std::mem::take(&mut self.returned)
    }

    /// Adds the records of a batch from `from` on, as they are to be written; what is complete goes to `made`.
    pub(in super::super) fn change(
        &mut self,
        batch: &RawBatch,
        from: i64,
        rules: &Rules,
        gathered: &mut Gathered,
        made: &mut Vec<PipedBatch>,
    ) -> Result<(), Blocked> {
        let Self {
            decoder,
            encoder,
            skipped,
            returned,
            now,
            ..
        } = self;
        let base = batch.info().base_offset;
        let codec = batch.header().codec();
        let limit = CHANGED_BATCH.min(rules.largest_content());
        let records = rules.records(decoder, batch)?;
        if gathered.codec != codec {
            made.extend(gathered.finish(encoder, skipped, rules)?);
        }
        gathered.of(codec, DecodeReason::Transformed, batch.info().leader_epoch);
        let mut headers = HeaderBuffer::new();
        for record in records {
            let record = record.map_err(|error| damaged(base, &error))?;
            let offset = record.offset();
            if offset < from || rules.refused.contains(&offset) {
                continue;
            }
            headers.clear();
            let record = match rules.changes.apply(record, *now, &mut headers) {
                Changed::Written(record) => record,
                Changed::Circled(record) => {
                    returned.circled += 1;
                    record
                }
                Changed::LeftOut => continue,
                Changed::CameFromThere => {
                    returned.left_out += 1;
                    continue;
                }
                Changed::Objected(reason) if rules.skip_too_large => {
                    skipped.push((offset, reason));
                    continue;
                }
                Changed::Objected(reason) => {
                    let reason = format!("the record at offset {offset} is not copied: {reason}");
                    let blocked = Blocked::new(offset, Cause::Refused, reason);
                    if !rules.quarantine {
                        return Err(blocked);
                    }
                    // What came before it is complete; the encoder is free for it then.
                    made.extend(gathered.finish(encoder, skipped, rules)?);
                    encoder
                        .push(&record)
                        .map_err(|error| unusable(offset, error.into()))?;
                    let alone = encoder.finish(&rules.options(Codec::None));
                    let alone = alone.map_err(|error| unusable(offset, error.into()))?;
                    return Err(blocked.set_aside(alone.batch));
                }
            };
            let size = encoder.uncompressed_size() + encoder.size_of(&record);
            if !encoder.is_empty() && size > limit {
                made.extend(gathered.finish(encoder, skipped, rules)?);
            }
            encoder
                .push(&record)
                .map_err(|error| unusable(offset, error.into()))?;
        }
        self.shrink();
        // No record fits beside them: they are not held while the next batch is decompressed.
        if self.encoder.uncompressed_size() >= limit {
            made.extend(gathered.finish(&mut self.encoder, &mut self.skipped, rules)?);
        }
        Ok(())
    }
}
