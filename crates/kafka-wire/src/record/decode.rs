//! From a batch, or an entry in an old format, to its records.

use std::fmt;

use super::compression::{DecompressError, Decompressor};
use super::legacy::{self, LegacyProblem, LegacyReader};
use super::reader::Reader;
use super::view::Record;
use crate::batch::{HEADER_SIZE, LegacyEntry, RawBatch, verify_crc};
use crate::types::Offset;

/// Records that cannot be read. The batch is damaged at the source, or no broker ever accepted it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the batch at offset {offset} cannot be decoded: {problem}")]
pub struct DecodeError {
    /// The batch's first offset; of an entry in an old format the offset it stands under.
    pub offset: Offset,
    /// What is wrong with it.
    pub problem: DecodeProblem,
}

/// What can be wrong with a batch's payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecodeProblem {
    /// The bytes are not those that were written.
    #[error("its checksum is wrong; it is damaged at the source or was damaged on the way")]
    Checksum,
    /// The payload does not decompress, or not within the limit.
    #[error(transparent)]
    Decompress(#[from] DecompressError),
    /// A record's lengths contradict each other.
    #[error("record {index} is malformed at {place}")]
    Record {
        /// How many records stand before it.
        index: u32,
        /// The part of it that cannot be read.
        place: &'static str,
    },
    /// More bytes than records.
    #[error("{bytes} bytes are left over behind its last record")]
    LeftOver {
        /// How many bytes.
        bytes: usize,
    },
    /// An entry in an old format contradicts itself.
    #[error(transparent)]
    Legacy(#[from] LegacyProblem),
}

/// Decodes batches one after the other; its buffers are used again.
#[derive(Debug, Default)]
pub struct RecordDecoder {
    decompressor: Decompressor,
}

impl RecordDecoder {
    /// Without any buffers; they come with use.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives back the buffer of a large batch. Whoever decodes seldom does so after each; others need not.
    pub fn trim(&mut self) {
        self.decompressor.trim();
    }

    /// The records of a batch. Its checksum is verified here, its records while they are read. `limit`
    /// is the largest payload, decompressed, in bytes.
    ///
    /// # Errors
    /// Where checksum or compression are wrong. Wrong records show while reading.
    pub fn batch<'a>(
        &'a mut self,
        batch: &'a RawBatch,
        limit: usize,
    ) -> Result<Records<'a>, DecodeError> {
        let info = batch.info();
        let failed = |problem| DecodeError {
            offset: info.base_offset,
            problem,
        };
        if !verify_crc(batch.bytes()) {
            return Err(failed(DecodeProblem::Checksum));
        }
        let header = batch.header();
        let payload = &batch.bytes()[HEADER_SIZE..];
        // The cleaner leaves headers alone where it removed all records; nothing was compressed there.
        let payload = if payload.is_empty() && info.records == 0 {
            payload
        } else {
            self.decompressor
                .decompress(header.codec(), payload, limit)
                .map_err(|error| failed(error.into()))?
        };
        Ok(Records {
            offset: info.base_offset,
            sizes: (HEADER_SIZE + payload.len(), batch.bytes().len()),
            format: Format::Current(Reader::new(header, info.records, payload)),
        })
    }

    /// The records of an entry in an old format: one, or those of a compressed wrapper.
    ///
    /// # Errors
    /// As [`Self::batch`]. What stands within a wrapper is walked once here, because its offsets count
    /// from the last one.
    pub fn legacy<'a>(
        &'a mut self,
        entry: &'a LegacyEntry,
        limit: usize,
    ) -> Result<Records<'a>, DecodeError> {
        let reader = legacy::open(&mut self.decompressor, entry, limit);
        let reader = reader.map_err(|problem| DecodeError {
            offset: entry.offset,
            problem,
        })?;
        Ok(Records {
            offset: entry.offset,
            sizes: (reader.size(), entry.bytes.len()),
            format: Format::Legacy(reader),
        })
    }
}

/// The records of one batch, in order. Ends at the first error; a clone goes on from the same place.
#[derive(Clone)]
pub struct Records<'a> {
    offset: Offset,
    sizes: (usize, usize),
    format: Format<'a>,
}

#[derive(Clone)]
enum Format<'a> {
    Current(Reader<'a>),
    Legacy(LegacyReader<'a>),
}

impl Records<'_> {
    /// With the times of their producers, also where the broker set one for all of them: what a reader
    /// sees of a batch that was passed on untouched.
    #[must_use]
    pub fn with_producer_times(mut self) -> Self {
        if let Format::Current(reader) = &mut self.format {
            reader.forget_append_time();
        }
        self
    }

    /// Bytes of the batch they come from: uncompressed, and as it is stored.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        self.sizes
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let next = match &mut self.format {
            Format::Current(reader) => reader.next(),
            Format::Legacy(reader) => reader.next(),
        };
        let offset = self.offset;
        next.map(|record| record.map_err(|problem| DecodeError { offset, problem }))
    }
}

impl std::iter::FusedIterator for Records<'_> {}

/// Without contents.
impl fmt::Debug for Records<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("offset", &self.offset)
            .field("sizes", &self.sizes)
            .finish_non_exhaustive()
    }
}
