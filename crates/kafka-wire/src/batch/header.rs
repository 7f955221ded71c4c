//! The 61 bytes in front of every batch, read where they are.
//!
//! [`BatchHeader`] gives what the bytes claim and believes nothing; [`BatchInfo`] is what remains
//! after the claims were checked, small enough to be kept per batch.

use super::{HEADER_SIZE, LENGTH_END, MAGIC, SMALLEST_BATCH_LENGTH};
use crate::types::{LeaderEpoch, Offset};

/// How a batch's payload is compressed: attribute bits 0–2.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Codec {
    /// 0: records as they are.
    None,
    /// 1: gzip.
    Gzip,
    /// 2: snappy, in the framing of its Java library or as one raw block.
    Snappy,
    /// 3: lz4 frames.
    Lz4,
    /// 4: zstd (KIP-110).
    Zstd,
    /// 5, 6 or 7: no broker knows it; Kafka answers UNKNOWN_SERVER_ERROR to such a batch.
    Unknown(u8),
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Gzip => f.write_str("gzip"),
            Self::Snappy => f.write_str("snappy"),
            Self::Lz4 => f.write_str("lz4"),
            Self::Zstd => f.write_str("zstd"),
            Self::Unknown(number) => write!(f, "unknown ({number})"),
        }
    }
}

/// The attribute bits of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    /// Bits 0–2.
    pub const CODEC_MASK: i16 = 0x0007;
    /// Bit 3: the broker that stored the batch set its time.
    pub const LOG_APPEND_TIME: i16 = 0x0008;
    /// Bit 4: part of a transaction.
    pub const TRANSACTIONAL: i16 = 0x0010;
    /// Bit 5: written by a broker for its own bookkeeping (transaction markers).
    pub const CONTROL: i16 = 0x0020;
    /// Bit 6: baseTimestamp is the time from which tombstones may be removed (KIP-534).
    pub const DELETE_HORIZON: i16 = 0x0040;

    /// How the payload is compressed.
    #[inline]
    #[must_use]
    pub fn codec(self) -> Codec {
        match self.0 & Self::CODEC_MASK {
            0 => Codec::None,
            1 => Codec::Gzip,
            2 => Codec::Snappy,
            3 => Codec::Lz4,
            4 => Codec::Zstd,
            // The mask leaves 5, 6 and 7.
            other => Codec::Unknown(other as u8),
        }
    }

    /// Whether bit 3 is set: all records have maxTimestamp as their time.
    #[inline]
    #[must_use]
    pub fn has_log_append_time(self) -> bool {
        self.0 & Self::LOG_APPEND_TIME != 0
    }

    /// Whether bit 4 is set.
    #[inline]
    #[must_use]
    pub fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Whether bit 5 is set.
    #[inline]
    #[must_use]
    pub fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// Whether bit 6 is set.
    #[inline]
    #[must_use]
    pub fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }
}

/// A view over the 61 header bytes. Every value is a claim of whoever sent it; see [`BatchInfo`].
#[derive(Clone, Copy, Debug)]
pub struct BatchHeader<'a> {
    bytes: &'a [u8; HEADER_SIZE],
}

impl<'a> BatchHeader<'a> {
    /// Looks at a header.
    #[inline]
    #[must_use]
    pub fn new(bytes: &'a [u8; HEADER_SIZE]) -> Self {
        Self { bytes }
    }

    /// Looks at the header in front of `batch`; `None` where there are fewer than 61 bytes.
    #[inline]
    #[must_use]
    pub fn of(batch: &'a [u8]) -> Option<Self> {
        batch.first_chunk().map(Self::new)
    }

    /// The bytes themselves.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &'a [u8; HEADER_SIZE] {
        self.bytes
    }

    /// Offset of the batch's first record, as the record was first written: compaction keeps it.
    #[inline]
    #[must_use]
    pub fn base_offset(&self) -> Offset {
        i64::from_be_bytes(field(self.bytes, 0))
    }

    /// Bytes after this field, as claimed.
    #[inline]
    #[must_use]
    pub fn batch_length(&self) -> i32 {
        i32::from_be_bytes(field(self.bytes, 8))
    }

    /// Bytes of the whole batch, as claimed: 12 + batchLength. Negative where that is nonsense.
    #[inline]
    #[must_use]
    pub fn size(&self) -> i64 {
        LENGTH_END as i64 + i64::from(self.batch_length())
    }

    /// Leader epoch in which the batch was appended, −1 before that.
    #[inline]
    #[must_use]
    pub fn leader_epoch(&self) -> LeaderEpoch {
        i32::from_be_bytes(field(self.bytes, 12))
    }

    /// Version of the format, 2 here.
    #[inline]
    #[must_use]
    pub fn magic(&self) -> i8 {
        i8::from_be_bytes(field(self.bytes, super::MAGIC_POSITION))
    }

    /// CRC-32C over everything from byte 21 on, as stored.
    #[inline]
    #[must_use]
    pub fn crc(&self) -> u32 {
        u32::from_be_bytes(field(self.bytes, super::CRC_POSITION))
    }

    /// The attribute bits.
    #[inline]
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        Attributes(i16::from_be_bytes(field(self.bytes, 21)))
    }

    /// Distance from the first offset of the batch to its last; compaction keeps it.
    #[inline]
    #[must_use]
    pub fn last_offset_delta(&self) -> i32 {
        i32::from_be_bytes(field(self.bytes, 23))
    }

    /// Offset of the batch's last record; `None` where the sum does not fit.
    #[inline]
    #[must_use]
    pub fn last_offset(&self) -> Option<Offset> {
        self.base_offset()
            .checked_add(i64::from(self.last_offset_delta()))
    }

    /// Milliseconds since 1970 to which the records' deltas refer; −1 for none.
    #[inline]
    #[must_use]
    pub fn base_timestamp(&self) -> i64 {
        i64::from_be_bytes(field(self.bytes, 27))
    }

    /// Largest time of a record, milliseconds since 1970; −1 for none.
    #[inline]
    #[must_use]
    pub fn max_timestamp(&self) -> i64 {
        i64::from_be_bytes(field(self.bytes, 35))
    }

    /// Id of an idempotent producer, −1 for none (KIP-98).
    #[inline]
    #[must_use]
    pub fn producer_id(&self) -> i64 {
        i64::from_be_bytes(field(self.bytes, 43))
    }

    /// Epoch of that producer, −1 for none.
    #[inline]
    #[must_use]
    pub fn producer_epoch(&self) -> i16 {
        i16::from_be_bytes(field(self.bytes, 51))
    }

    /// Sequence number of the first record, −1 for none.
    #[inline]
    #[must_use]
    pub fn base_sequence(&self) -> i32 {
        i32::from_be_bytes(field(self.bytes, 53))
    }

    /// Records present, which after compaction may be fewer than offsets.
    #[inline]
    #[must_use]
    pub fn records_count(&self) -> i32 {
        i32::from_be_bytes(field(self.bytes, 57))
    }

    /// How the payload is compressed.
    #[inline]
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.attributes().codec()
    }

    /// Whether the batch belongs to a transaction.
    #[inline]
    #[must_use]
    pub fn is_transactional(&self) -> bool {
        self.attributes().is_transactional()
    }

    /// Whether a broker wrote the batch for its own bookkeeping.
    #[inline]
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.attributes().is_control()
    }

    /// Whether the broker that stored the batch set its time.
    #[inline]
    #[must_use]
    pub fn has_log_append_time(&self) -> bool {
        self.attributes().has_log_append_time()
    }

    /// Whether baseTimestamp is the deadline of tombstones.
    #[inline]
    #[must_use]
    pub fn has_delete_horizon(&self) -> bool {
        self.attributes().has_delete_horizon()
    }

    /// Checks what the header claims about itself.
    ///
    /// # Errors
    /// Names the first claim that cannot be true. Whether the bytes are there is not asked.
    #[inline]
    pub fn check(&self) -> Result<BatchInfo, HeaderProblem> {
        if self.magic() != MAGIC {
            return Err(HeaderProblem::UnknownMagic {
                magic: self.magic(),
            });
        }
        let length = self.batch_length();
        if length < SMALLEST_BATCH_LENGTH {
            return Err(HeaderProblem::TooShort {
                length,
                smallest: SMALLEST_BATCH_LENGTH,
            });
        }
        let (base_offset, delta, count) = (
            self.base_offset(),
            self.last_offset_delta(),
            self.records_count(),
        );
        if base_offset < 0 {
            return Err(HeaderProblem::NegativeOffset { base_offset });
        }
        if delta < 0 {
            return Err(HeaderProblem::NegativeDelta {
                last_offset_delta: delta,
            });
        }
        let Ok(records) = u32::try_from(count) else {
            return Err(HeaderProblem::NegativeCount {
                records_count: count,
            });
        };
        let Some(last_offset) = self.last_offset() else {
            return Err(HeaderProblem::OffsetOverflow {
                base_offset,
                last_offset_delta: delta,
            });
        };
        Ok(BatchInfo {
            base_offset,
            last_offset,
            max_timestamp: self.max_timestamp(),
            producer_id: self.producer_id(),
            // Both are positive: checked above, and a length of 2³¹−1 leaves room for 12 more.
            size: length.unsigned_abs() + LENGTH_END as u32,
            crc: self.crc(),
            records,
            leader_epoch: self.leader_epoch(),
            base_sequence: self.base_sequence(),
            producer_epoch: self.producer_epoch(),
            attributes: self.attributes(),
        })
    }
}

/// `N` bytes of the header from `at` on. All callers name a constant place within the 61 bytes, so
/// the check disappears where it is inlined.
#[inline(always)]
fn field<const N: usize>(bytes: &[u8; HEADER_SIZE], at: usize) -> [u8; N] {
    *bytes[at..]
        .first_chunk()
        .expect("every field lies within the header")
}

/// What the data plane keeps of a batch: a header whose claims were checked by
/// [`BatchHeader::check`].
///
/// Holds: 0 ≤ base_offset ≤ last_offset, size ≥ 61.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchInfo {
    /// Offset of the first record, as first written.
    pub base_offset: Offset,
    /// Offset of the last record, as first written.
    pub last_offset: Offset,
    /// Largest time of a record, milliseconds since 1970; −1 for none.
    pub max_timestamp: i64,
    /// Id of an idempotent producer; negative for none.
    pub producer_id: i64,
    /// Bytes of the whole batch, header included.
    pub size: u32,
    /// The checksum as stored, unverified.
    pub crc: u32,
    /// Records present.
    pub records: u32,
    /// Leader epoch in which the batch was appended; −1 where unknown.
    pub leader_epoch: LeaderEpoch,
    /// Sequence of the first record; −1 for none.
    pub base_sequence: i32,
    /// Epoch of the producer; −1 for none.
    pub producer_epoch: i16,
    /// The attribute bits.
    pub attributes: Attributes,
}

impl BatchInfo {
    /// Where reading goes on behind this batch. Saturates at the largest offset there is.
    #[inline]
    #[must_use]
    pub fn next_offset(&self) -> Offset {
        self.last_offset.saturating_add(1)
    }

    /// Offsets the batch covers, 1..=2³¹. Equal to `records` unless compaction removed some.
    #[inline]
    #[must_use]
    pub fn offsets(&self) -> u32 {
        // At most 2³¹−1 by construction: the difference was an i32 on the wire.
        (self.last_offset - self.base_offset) as u32 + 1
    }

    /// Whether an idempotent producer wrote the batch.
    #[inline]
    #[must_use]
    pub fn has_producer(&self) -> bool {
        self.producer_id >= 0
    }
}

/// A claim in a batch's header that cannot be true.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HeaderProblem {
    /// Neither an old format nor the current one.
    #[error("record format (magic) {magic} is unknown; known are 0, 1 and 2")]
    UnknownMagic {
        /// As found at byte 16.
        magic: i8,
    },
    /// Fewer bytes than the format needs.
    #[error("a length of {length} bytes is claimed; the format needs at least {smallest}")]
    TooShort {
        /// As claimed, may be negative.
        length: i32,
        /// What an entry without any record has.
        smallest: i32,
    },
    /// No log has such an offset.
    #[error("the base offset {base_offset} is negative")]
    NegativeOffset {
        /// As claimed.
        base_offset: i64,
    },
    /// The last record would lie before the first.
    #[error("the last offset delta {last_offset_delta} is negative")]
    NegativeDelta {
        /// As claimed.
        last_offset_delta: i32,
    },
    /// Fewer than no records.
    #[error("the record count {records_count} is negative")]
    NegativeCount {
        /// As claimed.
        records_count: i32,
    },
    /// The last offset is beyond the largest there is.
    #[error("the base offset {base_offset} plus {last_offset_delta} exceeds the largest offset")]
    OffsetOverflow {
        /// As claimed.
        base_offset: i64,
        /// As claimed.
        last_offset_delta: i32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::BatchBuilder;

    fn header(change: impl FnOnce(&mut [u8; HEADER_SIZE])) -> Result<BatchInfo, HeaderProblem> {
        let batch = BatchBuilder::new(7).record(None, Some(b"v")).build();
        let mut bytes: [u8; HEADER_SIZE] = *batch.first_chunk().unwrap();
        change(&mut bytes);
        BatchHeader::new(&bytes).check()
    }

    #[test]
    fn every_codec_number_has_a_name() {
        let names: Vec<String> = (0..8)
            .map(|bits| Attributes(bits).codec().to_string())
            .collect();
        let expected = [
            "none",
            "gzip",
            "snappy",
            "lz4",
            "zstd",
            "unknown (5)",
            "unknown (6)",
            "unknown (7)",
        ];
        assert_eq!(names, expected);
        assert_eq!(Attributes(-1).codec(), Codec::Unknown(7));
    }

    #[test]
    fn attribute_bits_are_read_one_by_one() {
        type Question = fn(Attributes) -> bool;
        let questions: [(i16, Question); 4] = [
            (0x08, Attributes::has_log_append_time),
            (0x10, Attributes::is_transactional),
            (0x20, Attributes::is_control),
            (0x40, Attributes::has_delete_horizon),
        ];
        for (bit, question) in questions {
            assert!(question(Attributes(bit)));
            assert!(!question(Attributes(!bit)));
        }
    }

    #[test]
    fn claims_that_cannot_be_true_are_named() {
        assert!(header(|_| ()).is_ok());
        let problems = [
            (
                header(|b| b[16] = 3),
                HeaderProblem::UnknownMagic { magic: 3 },
            ),
            (
                header(|b| b[16] = 0xff),
                HeaderProblem::UnknownMagic { magic: -1 },
            ),
            (
                header(|b| b[8..12].copy_from_slice(&48_i32.to_be_bytes())),
                HeaderProblem::TooShort {
                    length: 48,
                    smallest: 49,
                },
            ),
            (
                header(|b| b[8..12].copy_from_slice(&i32::MIN.to_be_bytes())),
                HeaderProblem::TooShort {
                    length: i32::MIN,
                    smallest: 49,
                },
            ),
            (
                header(|b| b[..8].copy_from_slice(&(-1_i64).to_be_bytes())),
                HeaderProblem::NegativeOffset { base_offset: -1 },
            ),
            (
                header(|b| b[23..27].copy_from_slice(&(-1_i32).to_be_bytes())),
                HeaderProblem::NegativeDelta {
                    last_offset_delta: -1,
                },
            ),
            (
                header(|b| b[57..61].copy_from_slice(&(-2_i32).to_be_bytes())),
                HeaderProblem::NegativeCount { records_count: -2 },
            ),
            (
                header(|b| {
                    b[..8].copy_from_slice(&i64::MAX.to_be_bytes());
                    b[23..27].copy_from_slice(&1_i32.to_be_bytes());
                }),
                HeaderProblem::OffsetOverflow {
                    base_offset: i64::MAX,
                    last_offset_delta: 1,
                },
            ),
        ];
        for (found, expected) in problems {
            assert_eq!(found, Err(expected));
        }
    }

    #[test]
    fn the_largest_claims_do_not_overflow() {
        let info = header(|b| {
            b[8..12].copy_from_slice(&i32::MAX.to_be_bytes());
            b[23..27].copy_from_slice(&i32::MAX.to_be_bytes());
            b[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
            b[..8].copy_from_slice(&(i64::MAX - i64::from(i32::MAX)).to_be_bytes());
        })
        .unwrap();
        assert_eq!(info.size, 0x8000_000b);
        assert_eq!(info.offsets(), 0x8000_0000);
        assert_eq!((info.last_offset, info.next_offset()), (i64::MAX, i64::MAX));
    }

    #[test]
    fn what_is_kept_per_batch_stays_within_one_cache_line() {
        assert!(size_of::<BatchInfo>() <= 64);
    }
}
