//! Several batches into one, one batch into several, a batch without some of its records.
//!
//! Thinning needs no function of its own: it is [`BatchEncoder::extend`] with a filtered iterator.
//!
//! How far a compressed batch shrinks is known only afterwards. The [`Splitter`] therefore guesses from
//! what it saw last, first the batch it takes apart, and tries again with fewer records where the
//! guess was too high. Reading records again costs little beside compressing them.

use super::compression::Compression;
use super::decode::{DecodeError, RecordDecoder, Records};
use super::encode::{BatchEncoder, BatchOptions, EncodeError};
use super::view::Record;
use crate::batch::{HEADER_SIZE, RawBatch};
use crate::types::Offset;

/// Why records did not get from one batch into another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReshapeError {
    /// They cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// They do not fit into a batch.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl BatchEncoder {
    /// Adds records in their order, and says how many. On an error some of them may have been added.
    ///
    /// # Errors
    /// The first record that cannot be read or does not fit.
    pub fn extend<'a>(
        &mut self,
        records: impl IntoIterator<Item = Result<Record<'a>, DecodeError>>,
    ) -> Result<u32, ReshapeError> {
        let before = self.count();
        for record in records {
            self.push(&record?)?;
        }
        Ok(self.count() - before)
    }
}

/// Makes one batch of the records of several, in their order. `limit` holds for all payloads together,
/// decompressed, in bytes.
///
/// The batches are not compared: whether they may be joined (same clock, no hole between them where
/// offsets matter) is known to who calls. The result may be larger than a destination takes, which
/// shows in its size; then the batches go as they are.
///
/// # Errors
/// Where a batch cannot be read, or they do not fit into one.
pub fn merge<'a>(
    decoder: &mut RecordDecoder,
    encoder: &mut BatchEncoder,
    batches: impl IntoIterator<Item = &'a RawBatch>,
    options: &BatchOptions,
    limit: usize,
) -> Result<RawBatch, ReshapeError> {
    encoder.clear();
    for batch in batches {
        let used = encoder.uncompressed_size() - HEADER_SIZE;
        let records = decoder.batch(batch, limit.saturating_sub(used))?;
        encoder.extend(records)?;
    }
    Ok(encoder.finish(options)?)
}

/// A batch that holds some of the records of another.
#[derive(Clone, Debug)]
pub struct Part {
    /// The batch. Where a single record became larger by compression than the limit allows, it is not
    /// compressed.
    pub batch: RawBatch,
    /// Offset of its first record in the log it was read from.
    pub first_offset: Offset,
    /// Offset of its last record in the log it was read from.
    pub last_offset: Offset,
}

/// A record that is larger than the limit in a batch of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the record at offset {offset} needs a batch of {batch_size} bytes ({uncompressed_size} uncompressed), \
     and the destination takes {limit}; raise the destination topic's max.message.bytes to at least {batch_size}"
)]
pub struct RecordTooLarge {
    /// The record's offset in the log it was read from.
    pub offset: Offset,
    /// Bytes of the smallest batch of it.
    pub batch_size: usize,
    /// Bytes of a batch of it without compression.
    pub uncompressed_size: usize,
    /// What would be allowed.
    pub limit: usize,
}

/// Why a part of a batch could not be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SplitFailure {
    /// One record is too large. The next part goes on behind it.
    #[error(transparent)]
    TooLarge(#[from] RecordTooLarge),
    /// The records cannot be read, or not be written. There is no next part.
    #[error(transparent)]
    Reshape(#[from] ReshapeError),
}

/// Takes the records of one batch apart into batches below a limit.
#[derive(Debug)]
pub struct Splitter<'a> {
    records: Records<'a>,
    encoder: &'a mut BatchEncoder,
    options: BatchOptions,
    limit: usize,
    /// Uncompressed and compressed bytes of what was seen last.
    ratio: (usize, usize),
    ended: bool,
}

/// What a try collected.
struct Collected {
    first_offset: Offset,
    last_offset: Offset,
}

impl<'a> Splitter<'a> {
    /// Parts of at most `limit` bytes each, header included.
    #[must_use]
    pub fn new(
        records: Records<'a>,
        encoder: &'a mut BatchEncoder,
        options: BatchOptions,
        limit: usize,
    ) -> Self {
        encoder.clear();
        Self {
            ratio: records.sizes(),
            records,
            encoder,
            options,
            limit,
            ended: false,
        }
    }

    /// Uncompressed bytes that will probably fill a batch.
    fn target(&self) -> usize {
        if self.options.compression == Compression::NONE {
            return self.limit;
        }
        let (uncompressed, compressed) = self.ratio;
        let (limit, uncompressed) = (self.limit as u128, uncompressed as u128);
        // A tenth less: parts differ, and a wrong guess costs more than a smaller batch.
        let target = limit * uncompressed * 9 / (10 * compressed.max(1) as u128);
        usize::try_from(target)
            .unwrap_or(usize::MAX)
            .max(self.limit)
    }

    /// Collects up to `most` records that have no more than `target` bytes, or one. Nothing at the end.
    fn collect(&mut self, most: u32, target: usize) -> Result<Option<Collected>, ReshapeError> {
        self.encoder.clear();
        let mut collected: Option<Collected> = None;
        while self.encoder.count() < most {
            let before = self.records.clone();
            let Some(record) = self.records.next().transpose()? else {
                break;
            };
            let size = self.encoder.uncompressed_size() + self.encoder.size_of(&record);
            if size > target && collected.is_some() {
                self.records = before;
                break;
            }
            self.encoder.push(&record)?;
            let last_offset = record.offset();
            let first_offset = collected.map_or(last_offset, |part| part.first_offset);
            collected = Some(Collected {
                first_offset,
                last_offset,
            });
        }
        Ok(collected)
    }

    fn part(&mut self) -> Result<Option<Part>, SplitFailure> {
        let (mut most, target) = (u32::MAX, self.target());
        loop {
            let begin = self.records.clone();
            let Some(collected) = self.collect(most, target)? else {
                return Ok(None);
            };
            let count = self.encoder.count();
            let uncompressed_size = self.encoder.uncompressed_size();
            let done = |batch| Part {
                batch,
                first_offset: collected.first_offset,
                last_offset: collected.last_offset,
            };
            let batch = self.encoder.encode(&self.options);
            let batch = batch.map_err(ReshapeError::from)?;
            let size = batch.bytes().len();
            if size <= self.limit {
                self.ratio = (uncompressed_size, size);
                return Ok(Some(done(batch)));
            }
            if count > 1 {
                let fitting = u64::from(count) * self.limit as u64 * 9 / (10 * size as u64);
                most = u32::try_from(fitting).unwrap_or(1).clamp(1, count - 1);
                self.records = begin;
                continue;
            }
            if uncompressed_size <= self.limit {
                let mut options = self.options;
                options.compression = Compression::NONE;
                let batch = self.encoder.finish(&options).map_err(ReshapeError::from)?;
                return Ok(Some(done(batch)));
            }
            return Err(SplitFailure::TooLarge(RecordTooLarge {
                offset: collected.first_offset,
                batch_size: size.min(uncompressed_size),
                uncompressed_size,
                limit: self.limit,
            }));
        }
    }
}

impl Iterator for Splitter<'_> {
    type Item = Result<Part, SplitFailure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let part = self.part();
        self.ended = matches!(&part, Ok(None) | Err(SplitFailure::Reshape(_)));
        part.transpose()
    }
}

impl Drop for Splitter<'_> {
    fn drop(&mut self) {
        self.encoder.clear();
    }
}
