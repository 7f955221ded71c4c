//! Record batches (magic 2): cut out of an answer, judged by their header, given a new header.
//!
//! ```text
//!  record set of one partition ──split──▶ RawBatch ──aborted, pass──▶ ──rewrite──▶ 61 new bytes + old payload
//!                                            └─control─▶ abort | commit
//! ```
//!
//! All integers are big-endian. The header has [`HEADER_SIZE`] bytes, the payload (records,
//! compressed as a whole or not) follows. "Rewritten" says what becomes of a field when the batch is
//! written to another cluster untouched.
//!
//! | byte | field                | type | rewritten                                   | in the CRC |
//! |-----:|----------------------|------|---------------------------------------------|------------|
//! |    0 | baseOffset           | i64  | 0; the broker assigns offsets               | no  |
//! |    8 | batchLength          | i32  | kept; the batch has 12 + batchLength bytes  | no  |
//! |   12 | partitionLeaderEpoch | i32  | −1; the broker overwrites it                | no  |
//! |   16 | magic                | i8   | 2                                           | no  |
//! |   17 | crc                  | u32  | patched                                     | no  |
//! |   21 | attributes           | i16  | codec bits, and 0x10 within a transaction   | yes |
//! |   23 | lastOffsetDelta      | i32  | kept                                        | yes |
//! |   27 | baseTimestamp        | i64  | kept: the deltas of the records refer to it | yes |
//! |   35 | maxTimestamp         | i64  | kept                                        | yes |
//! |   43 | producerId           | i64  | ours, or −1                                 | yes |
//! |   51 | producerEpoch        | i16  | ours, or −1                                 | yes |
//! |   53 | baseSequence         | i32  | ours, or −1                                 | yes |
//! |   57 | recordsCount         | i32  | kept                                        | yes |
//! |   61 | payload              |      | kept, never read                            | yes |
//!
//! Attributes: bits 0–2 codec (0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd), bit 3 LogAppendTime, bit 4
//! transactional, bit 5 control, bit 6 deleteHorizon (baseTimestamp is then the deadline of
//! tombstones), bits 7–15 unused. Source: Kafka's documentation of the record batch, KIP-98, KIP-534.
//!
//! Invariants of the room:
//! - Nothing here panics on, or reserves memory for, what a peer merely claims.
//! - The CRC of bytes that came from elsewhere is patched, never computed anew: damage stays
//!   visible to the broker that stores the batch.
//!
//! Two parts of the room are not for batches that pass: [`records`](fn@records) reads, and [`BatchBuilder`]
//! writes, small uncompressed batches of our own state.
//!
//! Deliberately absent: codecs (nothing is decompressed here), and the content of the formats with
//! magic 0 and 1, which are only recognised. Both are in [`record`](crate::record).

mod aborted;
mod builder;
mod control;
mod crc;
mod header;
mod pass;
mod records;
mod rewrite;
mod split;
pub(crate) mod varint;

pub use aborted::{AbortedFilter, AbortedTransaction, Verdict};
pub use builder::{BatchBuilder, BuiltRecord, control_batch};
pub use control::{ControlError, ControlType, control_type};
pub use crc::{recompute_crc, verify_crc};
pub use header::{Attributes, BatchHeader, BatchInfo, Codec, HeaderProblem};
pub use pass::{Dropped, Obstacle, PassLimits, Passage, passage};
pub use records::{Record, RecordsError, records};
pub use rewrite::{Identity, rewrite_header};
pub use split::{Batches, CutOff, Entry, LegacyEntry, RawBatch, SplitError, SplitProblem};

/// Bytes of the header of a batch with magic 2.
pub const HEADER_SIZE: usize = 61;

/// Bytes in front of what batchLength counts: baseOffset and batchLength itself.
pub const LENGTH_END: usize = 12;

/// The smallest batchLength a batch with magic 2 can have: its header and no record.
pub const SMALLEST_BATCH_LENGTH: i32 = (HEADER_SIZE - LENGTH_END) as i32;

/// Where the magic byte is, in this format and in the two before it.
pub const MAGIC_POSITION: usize = 16;

/// The magic of the format this room reads and writes.
pub const MAGIC: i8 = 2;

/// Where the stored CRC-32C is (4 bytes).
pub const CRC_POSITION: usize = 17;

/// The first byte that the CRC-32C covers; it covers everything from here to the batch's end.
pub const CRC_COVERS_FROM: usize = 21;
