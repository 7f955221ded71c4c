//! From records to a batch with magic 2 whose offsets have no holes.

use bytes::Bytes;

use super::compression::{Compression, Compressor};
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
    /// Offset of the first record. Brokers accept 0 only; other values are for batches that stay
    /// here.
    pub base_offset: Offset,
    /// Who writes it, and with which sequence number. A batch without identity can get one later, as
    /// every other batch does ([`rewrite_header`](crate::batch::rewrite_header)).
    pub identity: Option<Identity>,
    /// Whether it is written within a transaction.
    pub transactional: bool,
    /// Bit 3, with this as the time of all records. Brokers refuse or clear it.
    pub append_time: Option<i64>,
}

impl BatchOptions {
    /// A batch at offset 0 without identity, outside of transactions.
    #[must_use]
    pub fn new(compression: Compression) -> Self {
        Self {
            compression,
            base_offset: 0,
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

/// The largest batch, uncompressed: what its length can state.
const LARGEST: usize = i32::MAX as usize;

/// Collects records and makes batches of them, one after the other. Its buffers are used again.
///
/// ```text
/// push, push, … ──▶ [61 bytes left free][records] ──finish──▶ uncompressed: the same bytes, with a header
///                                                             compressed:   a new [header][payload]
/// ```
#[derive(Debug)]
pub struct BatchEncoder {
    /// Room for a header, then the records. Uncompressed, it becomes the batch without a copy.
    buffer: Vec<u8>,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
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

    /// Forgets the records, and keeps the memory.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.count = 0;
    }

    /// Adds a record behind those that are there. Its own offset plays no part: a batch has offsets
    /// without holes.
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
        Ok(())
    }

    /// Makes a batch of all records since the last one, and begins anew.
    ///
    /// # Errors
    /// Where there are none, or the compressed batch leaves the format's bounds.
    pub fn finish(&mut self, options: &BatchOptions) -> Result<RawBatch, EncodeError> {
        let batch = self.encode(options);
        self.clear();
        batch
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
            self.buffer = Vec::with_capacity(if length <= KEPT { length } else { 0 });
            self.write_header(&mut batch, options)?;
            batch
        } else {
            let payload = self
                .compressor
                .compress(options.compression, &self.buffer[HEADER_SIZE..]);
            let mut batch = Vec::with_capacity(HEADER_SIZE + payload.len());
            batch.resize(HEADER_SIZE, 0);
            batch.extend_from_slice(payload);
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
        header[..8].copy_from_slice(&options.base_offset.to_be_bytes());
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

/// The largest buffer that is reserved before it is needed.
const KEPT: usize = 1024 * 1024;

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
