//! From records to a batch with magic 2 whose offsets have no holes.

use std::fmt;

use bytes::Bytes;

use super::compression::{Compression, Compressor, KEPT};
use super::view::{Record, nullable_size, write_nullable};
use crate::batch::{
    Attributes, HEADER_SIZE, Identity, LENGTH_END, MAGIC, RawBatch, recompute_crc, varint,
};
use crate::types::Offset;

/// Under which header a batch is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchOptions {
    /// How the payload is compressed.
    pub compression: Compression,
    /// Who writes it, and with which sequence number. A batch without identity can get one later, as
    /// every other batch does ([`rewrite_header`](crate::batch::rewrite_header)).
    pub identity: Option<Identity>,
    /// Whether it is written within a transaction.
    pub transactional: bool,
    /// Bit 3, with this as the time of all records. Brokers refuse or clear it.
    pub append_time: Option<i64>,
}

impl BatchOptions {
    /// A batch without identity, outside of transactions. Its base offset is 0, as brokers want it.
    #[must_use]
    pub fn new(compression: Compression) -> Self {
        Self {
            compression,
            identity: None,
            transactional: false,
            append_time: None,
        }
    }
}

/// Records that do not fit into one batch of the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EncodeError {
    /// Batches state their length in 31 bits.
    #[error("{size} bytes of records do not fit into one batch; the format ends at 2 GiB")]
    TooLarge {
        /// Bytes of the batch with the record that did not fit.
        size: usize,
    },
    /// A batch without records is refused by every broker.
    #[error("there are no records to be encoded")]
    Empty,
}

/// Records that followed each other in the log they were read from, and follow each other in the new batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetRun {
    /// Offset of the first one in the log it was read from.
    pub offset: Offset,
    /// How many they are, ≥ 1.
    pub length: u32,
}

/// A new batch, and where its records come from.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The batch, at base offset 0.
    pub batch: RawBatch,
    /// The records' former offsets, in the order of the batch: together as long as the batch has records.
    pub runs: Vec<OffsetRun>,
}

/// The largest batch, uncompressed: what its length can state.
const LARGEST: usize = i32::MAX as usize;

/// Collects records and makes batches of them, one after the other. Its buffers are used again.
///
/// ```text
/// push, push, … ──▶ [61 bytes left free][records] ──finish──▶ uncompressed: the same bytes, with a header
///                                                             compressed:   a new [header][payload]
/// ```
pub struct BatchEncoder {
    /// Room for a header, then the records. Uncompressed, it becomes the batch without a copy.
    buffer: Vec<u8>,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    runs: Vec<OffsetRun>,
    compressor: Compressor,
}

impl Default for BatchEncoder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchEncoder {
    /// Without records and buffers.
    #[must_use]
    pub fn new() -> Self {
        Self {
            buffer: Vec::new(),
            count: 0,
            base_timestamp: 0,
            max_timestamp: 0,
            runs: Vec::new(),
            compressor: Compressor::new(),
        }
    }

    /// Records that the next batch will have.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count.unsigned_abs()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes that the next batch would have uncompressed.
    #[must_use]
    pub fn uncompressed_size(&self) -> usize {
        self.buffer.len().max(HEADER_SIZE)
    }

    /// Bytes by which a record would make the batch larger, uncompressed.
    #[must_use]
    pub fn size_of(&self, record: &Record<'_>) -> usize {
        let body = self.body_size(record);
        varint::size(body as i64) + body
    }

    /// Forgets the records, and keeps the memory unless it is much.
    pub fn clear(&mut self) {
        self.buffer.clear();
        if self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
        self.runs.clear();
        self.count = 0;
    }

    /// Adds a record behind those that are there. In the batch its offset is the next one, whatever it was;
    /// what it was is kept in [`Encoded::runs`].
    ///
    /// # Errors
    /// Where the batch would leave the format's bounds. The record is not added then.
    pub fn push(&mut self, record: &Record<'_>) -> Result<(), EncodeError> {
        let body = self.body_size(record);
        let size = self.uncompressed_size() + varint::size(body as i64) + body;
        // A record has at least seven bytes: the count fits wherever the size does.
        if size > LARGEST {
            return Err(EncodeError::TooLarge { size });
        }
        if self.count == 0 {
            self.buffer.clear();
            self.buffer.resize(HEADER_SIZE, 0);
            self.base_timestamp = record.timestamp;
            self.max_timestamp = record.timestamp;
        }
        self.buffer.reserve(size - self.buffer.len());
        let output = &mut self.buffer;
        varint::write(output, body as i64);
        output.push(record.attributes);
        // As Java: without a check, so that any two times come out as they went in.
        varint::write(output, record.timestamp.wrapping_sub(self.base_timestamp));
        varint::write(output, i64::from(self.count));
        match record.encoded {
            Some(encoded) => output.extend_from_slice(encoded),
            None => {
                write_nullable(output, record.key);
                write_nullable(output, record.value);
                record.headers.write(output);
            }
        }
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        self.count += 1;
        self.note(record.offset);
        Ok(())
    }

    fn note(&mut self, offset: Offset) {
        match self.runs.last_mut() {
            Some(run) if run.offset.checked_add(i64::from(run.length)) == Some(offset) => {
                run.length += 1;
            }
            _ => self.runs.push(OffsetRun { offset, length: 1 }),
        }
    }

    /// Makes a batch of all records since the last one, and begins anew.
    ///
    /// # Errors
    /// Where there are none, or the compressed batch leaves the format's bounds.
    pub fn finish(&mut self, options: &BatchOptions) -> Result<Encoded, EncodeError> {
        let batch = self.encode(options);
        let runs = std::mem::take(&mut self.runs);
        self.clear();
        Ok(Encoded {
            batch: batch?,
            runs,
        })
    }

    /// The batch that [`Self::encode`] made, and begins anew.
    pub(super) fn encoded(&mut self, batch: RawBatch) -> Encoded {
        let runs = std::mem::take(&mut self.runs);
        self.clear();
        Encoded { batch, runs }
    }

    /// As [`Self::finish`], but the records stay where the batch is compressed, for another try.
    pub(super) fn encode(&mut self, options: &BatchOptions) -> Result<RawBatch, EncodeError> {
        if self.count == 0 {
            return Err(EncodeError::Empty);
        }
        let bytes = if options.compression == Compression::NONE {
            let length = self.buffer.len();
            let mut batch = std::mem::take(&mut self.buffer);
            // The next batch is likely to be as large.
            self.buffer = Vec::with_capacity(if length <= RESERVED { length } else { 0 });
            // Whoever keeps the batch counts its bytes, and would keep the spare ones uncounted.
            if batch.capacity() - length > length / 4 {
                batch.shrink_to_fit();
            }
            self.write_header(&mut batch, options)?;
            batch
        } else {
            let payload = self
                .compressor
                .compress(options.compression, &self.buffer[HEADER_SIZE..]);
            let mut batch = Vec::with_capacity(HEADER_SIZE + payload.len());
            batch.resize(HEADER_SIZE, 0);
            batch.extend_from_slice(payload);
            self.compressor.trim();
            self.write_header(&mut batch, options)?;
            batch
        };
        Ok(RawBatch::parse(Bytes::from(bytes)).expect("what was written here can be read"))
    }

    fn write_header(&self, batch: &mut [u8], options: &BatchOptions) -> Result<(), EncodeError> {
        let size = batch.len();
        let too_large = |_| EncodeError::TooLarge { size };
        let length = i32::try_from(size - LENGTH_END).map_err(too_large)?;
        let (header, payload) = batch
            .split_first_chunk_mut::<HEADER_SIZE>()
            .expect("room for the header comes first");
        let mut attributes = codec_bits(options.compression);
        if options.transactional {
            attributes |= Attributes::TRANSACTIONAL;
        }
        if options.append_time.is_some() {
            attributes |= Attributes::LOG_APPEND_TIME;
        }
        let max_timestamp = options.append_time.unwrap_or(self.max_timestamp);
        let (id, epoch, sequence) = options.identity.map_or((-1, -1, -1), |identity| {
            let producer = identity.producer();
            (producer.id, producer.epoch, identity.base_sequence())
        });
        header[8..12].copy_from_slice(&length.to_be_bytes());
        header[12..16].copy_from_slice(&(-1_i32).to_be_bytes());
        header[16..17].copy_from_slice(&MAGIC.to_be_bytes());
        header[21..23].copy_from_slice(&attributes.to_be_bytes());
        header[23..27].copy_from_slice(&(self.count - 1).to_be_bytes());
        header[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        header[35..43].copy_from_slice(&max_timestamp.to_be_bytes());
        header[43..51].copy_from_slice(&id.to_be_bytes());
        header[51..53].copy_from_slice(&epoch.to_be_bytes());
        header[53..57].copy_from_slice(&sequence.to_be_bytes());
        header[57..61].copy_from_slice(&self.count.to_be_bytes());
        // Every record in it was verified when it was decoded.
        recompute_crc(header, payload);
        Ok(())
    }

    /// Bytes of a record behind its length.
    fn body_size(&self, record: &Record<'_>) -> usize {
        let time = match self.count {
            0 => 0,
            _ => record.timestamp.wrapping_sub(self.base_timestamp),
        };
        let rest = record.encoded.map_or_else(
            || {
                nullable_size(record.key)
                    + nullable_size(record.value)
                    + record.headers.encoded_size()
            },
            <[u8]>::len,
        );
        1 + varint::size(time) + varint::size(i64::from(self.count)) + rest
    }
}

/// Without contents.
impl fmt::Debug for BatchEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchEncoder")
            .field("count", &self.count)
            .field("uncompressed_size", &self.uncompressed_size())
            .finish_non_exhaustive()
    }
}

/// The largest buffer that is reserved before it is needed.
const RESERVED: usize = 1024 * 1024;

fn codec_bits(compression: Compression) -> i16 {
    use crate::batch::Codec;
    match compression.codec() {
        Codec::None => 0,
        Codec::Gzip => 1,
        Codec::Snappy => 2,
        Codec::Lz4 => 3,
        Codec::Zstd => 4,
        Codec::Unknown(number) => i16::from(number),
    }
}
