//! Records: taken out of batches of every format and put into new ones, equal in everything a reader sees.
//!
//! Batches pass untouched wherever they can ([`batch`](crate::batch)). This room is for those that cannot:
//! thinned by compaction, in an old format, too large, begun in the middle, tiny, or to be changed.
//!
//! ```text
//!  RawBatch    ──verify CRC──decompress──┐
//!                                        ├──▶ Records ──(drop, change)──▶ BatchEncoder ──compress──CRC──▶ RawBatch
//!  LegacyEntry ──verify CRC──decompress──┘     borrowed                      │
//!                                                                            └── merge, Splitter
//! ```
//!
//! A [`Record`] borrows from the decompressed payload. What stands behind its offset delta (key, value,
//! headers) is copied as one piece, so a record costs one pass over its lengths and one copy, and no
//! memory of its own.
//!
//! Invariants:
//! - *Equal*: key, value (null is not empty), headers (order, equal keys, null values, keys that are
//!   not UTF-8) and timestamp come out as they went in, in the same order.
//! - *Nothing is read that was not verified*: the stored CRC comes first, because the new batch gets
//!   a new one, and that must not make damage look sound.
//! - *A claim reserves nothing*, and no byte of a peer leads to a panic. Decompression has a limit.
//! - What is encoded has offsets without holes: brokers refuse, or store and corrupt, anything else.
//!
//! Deliberately absent: who decides what is dropped or changed, and where the result goes.

mod compression;
mod decode;
mod encode;
mod legacy;
mod partitioner;
mod reader;
mod reshape;
mod view;

pub use compression::{
    Compression, Compressor, DecompressError, Decompressor, LevelOutOfRange, Levels,
};
pub use decode::{DecodeError, DecodeProblem, RecordDecoder, Records};
pub use encode::{BatchEncoder, BatchOptions, EncodeError, Encoded, OffsetRun};
pub use legacy::LegacyProblem;
pub use partitioner::{murmur2, partition_of_key};
pub use reshape::{Change, RecordTooLarge, ReshapeError, SplitFailure, Splitter, merge};
pub use view::{Header, HeaderBuffer, Headers, HeadersIter, Record};
