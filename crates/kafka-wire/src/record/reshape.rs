//! Several batches into one, one batch into several, a batch without some of its records.
//!
//! A [`Splitter`] is the way of a single batch: it drops and changes records as it is told, and makes one batch
//! where one is enough. Even a batch that was small enough may not be so again, with other headers or at
//! another level of compression. For uncounted needs there is [`BatchEncoder::extend`].
//!
//! How far a compressed batch shrinks is known only afterwards. The splitter therefore guesses from
//! what it saw last, first the batch it takes apart, and tries again with fewer records where the
//! guess was too high. Reading records again costs little beside compressing them.

use std::fmt;

use super::compression::Compression;
use super::decode::{DecodeError, RecordDecoder, Records};
use super::encode::{BatchEncoder, BatchOptions, EncodeError, Encoded};
use super::view::{HeaderBuffer, Record};
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
/// Where a batch cannot be read, or they do not fit into one. Nothing is left in the encoder then.
pub fn merge<'a>(
    decoder: &mut RecordDecoder,
    encoder: &mut BatchEncoder,
    batches: impl IntoIterator<Item = &'a RawBatch>,
    options: &BatchOptions,
    limit: usize,
) -> Result<Encoded, ReshapeError> {
    encoder.clear();
    for batch in batches {
        let used = encoder.uncompressed_size() - HEADER_SIZE;
        let added = decoder
            .batch(batch, limit.saturating_sub(used))
            .map_err(ReshapeError::from)
            .and_then(|records| encoder.extend(records));
        if let Err(error) = added {
            // They would get into what is made next, which may be another partition's.
            encoder.clear();
            return Err(error);
        }
    }
    Ok(encoder.finish(options)?)
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

/// What a [`Splitter`] does with each record: it gives the record back as it is, changed, or not at all. The
/// buffer, empty at first, is for headers that it makes.
///
/// A record may be shown more than once, so the answer must not depend on how often.
pub type Change = for<'r> fn(Record<'r>, &'r mut HeaderBuffer) -> Option<Record<'r>>;

/// Puts the records of one batch into batches below a limit: one, if they fit. Where a single record became
/// larger by compression than the limit allows, its batch is not compressed.
pub struct Splitter<'a, F = Change> {
    records: Records<'a>,
    encoder: &'a mut BatchEncoder,
    options: BatchOptions,
    limit: usize,
    /// Uncompressed and compressed bytes of what was seen last.
    ratio: (usize, usize),
    /// Whether it is worth trying to make one batch of everything.
    may_be_one: bool,
    headers: HeaderBuffer,
    change: F,
    ended: bool,
}

impl<'a> Splitter<'a> {
    /// Batches of at most `limit` bytes each, header included.
    #[must_use]
    pub fn new(
        records: Records<'a>,
        encoder: &'a mut BatchEncoder,
        options: BatchOptions,
        limit: usize,
    ) -> Self {
        Splitter::with_change(records, encoder, options, limit, |record, _| Some(record))
    }
}

impl<'a, F> Splitter<'a, F>
where
    F: for<'r> FnMut(Record<'r>, &'r mut HeaderBuffer) -> Option<Record<'r>>,
{
    /// As [`Splitter::new`], with records dropped or changed on the way; see [`Change`].
    #[must_use]
    pub fn with_change(
        records: Records<'a>,
        encoder: &'a mut BatchEncoder,
        options: BatchOptions,
        limit: usize,
        change: F,
    ) -> Self {
        encoder.clear();
        let ratio = records.sizes();
        Self {
            ratio,
            may_be_one: ratio.1 <= limit,
            records,
            encoder,
            options,
            limit,
            headers: HeaderBuffer::new(),
            change,
            ended: false,
        }
    }

    /// Uncompressed bytes that will probably fill a batch.
    fn target(&mut self) -> usize {
        if self.options.compression == Compression::NONE {
            return self.limit;
        }
        if std::mem::take(&mut self.may_be_one) {
            return usize::MAX;
        }
        let (uncompressed, compressed) = self.ratio;
        let (limit, uncompressed) = (self.limit as u128, uncompressed as u128);
        // A tenth less: parts differ, and a wrong guess costs more than a smaller batch.
        let target = limit * uncompressed * 9 / (10 * compressed.max(1) as u128);
        usize::try_from(target)
            .unwrap_or(usize::MAX)
            .max(self.limit)
    }

    /// Collects up to `most` records that have no more than `target` bytes, or one; none at the end.
    /// Returns the offset of the first one.
    fn collect(&mut self, most: u32, target: usize) -> Result<Option<Offset>, ReshapeError> {
        self.encoder.clear();
        let mut first = None;
        while self.encoder.count() < most {
            let before = self.records.clone();
            let Some(record) = self.records.next().transpose()? else {
                break;
            };
            self.headers.clear();
            let Some(record) = (self.change)(record, &mut self.headers) else {
                continue;
            };
            let size = self.encoder.uncompressed_size() + self.encoder.size_of(&record);
            if size > target && first.is_some() {
                self.records = before;
                break;
            }
            self.encoder.push(&record)?;
            first.get_or_insert(record.offset());
        }
        Ok(first)
    }

    fn part(&mut self) -> Result<Option<Encoded>, SplitFailure> {
        let (mut most, target) = (u32::MAX, self.target());
        loop {
            let begin = self.records.clone();
            let Some(offset) = self.collect(most, target)? else {
                return Ok(None);
            };
            let count = self.encoder.count();
            let uncompressed_size = self.encoder.uncompressed_size();
            let batch = self.encoder.encode(&self.options);
            let batch = batch.map_err(ReshapeError::from)?;
            let size = batch.bytes().len();
            if size <= self.limit {
                self.ratio = (uncompressed_size, size);
                return Ok(Some(self.encoder.encoded(batch)));
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
                let part = self.encoder.finish(&options).map_err(ReshapeError::from)?;
                return Ok(Some(part));
            }
            return Err(SplitFailure::TooLarge(RecordTooLarge {
                offset,
                batch_size: size.min(uncompressed_size),
                uncompressed_size,
                limit: self.limit,
            }));
        }
    }
}

impl<F> Iterator for Splitter<'_, F>
where
    F: for<'r> FnMut(Record<'r>, &'r mut HeaderBuffer) -> Option<Record<'r>>,
{
    type Item = Result<Encoded, SplitFailure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let part = self.part();
        // Nothing of a part that was not made gets into what the encoder makes next.
        self.encoder.clear();
        self.ended = matches!(&part, Ok(None) | Err(SplitFailure::Reshape(_)));
        part.transpose()
    }
}

impl<F> fmt::Debug for Splitter<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Splitter")
            .field("records", &self.records)
            .field("options", &self.options)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
