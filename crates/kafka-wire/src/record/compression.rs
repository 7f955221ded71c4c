//! The codecs of Kafka: one payload in, one payload out, with a hard limit and without new memory.
//!
//! ```text
//!  codec    | read                                   | written
//!  gzip     | any number of members                  | one member
//!  snappy   | Java's framing (xerial), one raw block | Java's framing, blocks of 32 KiB
//!  lz4      | frames, every flag but dictionaries    | one frame, independent blocks of 64 KiB, no checksums
//!  zstd     | any number of frames                   | one frame that states its content size
//! ```
//!
//! Invariants:
//! - *A claim reserves nothing*: output grows with what really came out, or with what the input at
//!   hand could at most expand to, and never beyond the limit.
//! - Bad bytes are a [`DecompressError`], never a panic.
//! - Contexts and output buffers belong to a [`Decompressor`] or [`Compressor`] and are used again.
//!
//! Deliberately absent: levels of lz4. Kafka's own default is the fast compressor, which is what runs
//! here at every level.

mod gzip;
mod level;
mod lz4;
mod output;
mod snappy;
mod zstd;

use std::fmt;

use lz4_flex::block::CompressTable;

pub use level::{Compression, LevelOutOfRange, Levels};

use self::output::Output;
use crate::batch::Codec;

/// Larger buffers are given back after use, or before the next one: one huge batch must not weigh for ever.
pub(super) const KEPT: usize = 8 * 1024 * 1024;

/// Why a payload cannot be decompressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DecompressError {
    /// More comes out than the caller allows.
    #[error("the {codec} payload of {compressed} bytes expands to more than the allowed {limit}")]
    TooLarge {
        /// How it is compressed.
        codec: Codec,
        /// Bytes that go in.
        compressed: usize,
        /// Bytes that may come out.
        limit: usize,
    },
    /// The end is missing.
    #[error("the {codec} payload ends early")]
    CutOff {
        /// How it is compressed.
        codec: Codec,
    },
    /// The bytes are not what the codec writes.
    #[error("the {codec} payload is damaged: {place}")]
    Malformed {
        /// How it is compressed.
        codec: Codec,
        /// What is wrong.
        place: &'static str,
    },
    /// Attribute bits name a codec that Kafka does not have.
    #[error("codec number {0} is unknown to Kafka")]
    UnknownCodec(u8),
}

/// A fault within one codec, before the codec's name is added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    Full,
    CutOff,
    Malformed(&'static str),
}

/// Which lz4 frames are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lz4Header {
    /// Ordinary ones.
    Checked,
    /// Those inside message sets with magic 0, whose header checksum covers the wrong bytes
    /// (KAFKA-3160). Like Kafka, nobody looks at it.
    Unchecked,
}

/// Decompresses payloads, one after the other.
#[derive(Default)]
pub struct Decompressor {
    output: Output,
    gzip: Option<gzip::Inflater>,
    zstd: Option<zstd::Decoder>,
}

impl Decompressor {
    /// Without any buffers; they come with use.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The content of `payload`, of at most `limit` bytes.
    ///
    /// # Errors
    /// [`DecompressError`], and nothing of the content.
    pub fn decompress<'a>(
        &'a mut self,
        codec: Codec,
        payload: &'a [u8],
        limit: usize,
    ) -> Result<&'a [u8], DecompressError> {
        self.decompress_with(codec, Lz4Header::Checked, payload, limit)
    }

    /// Gives back a large buffer now, and not only with the next payload.
    pub fn trim(&mut self) {
        self.output.trim();
    }

    pub(super) fn decompress_with<'a>(
        &'a mut self,
        codec: Codec,
        lz4_header: Lz4Header,
        payload: &'a [u8],
        limit: usize,
    ) -> Result<&'a [u8], DecompressError> {
        let output = &mut self.output;
        output.begin(limit);
        let result = match codec {
            Codec::None if payload.len() <= limit => return Ok(payload),
            Codec::None => Err(Fault::Full),
            Codec::Gzip => gzip::decompress(&mut self.gzip, payload, output),
            Codec::Snappy => snappy::decompress(payload, output),
            Codec::Lz4 => lz4::decompress(payload, lz4_header, output),
            Codec::Zstd => zstd::decompress(&mut self.zstd, payload, output),
            Codec::Unknown(number) => return Err(DecompressError::UnknownCodec(number)),
        };
        let compressed = payload.len();
        match result {
            Ok(()) => Ok(self.output.filled()),
            Err(Fault::Full) => Err(DecompressError::TooLarge {
                codec,
                compressed,
                limit,
            }),
            Err(Fault::CutOff) => Err(DecompressError::CutOff { codec }),
            Err(Fault::Malformed(place)) => Err(DecompressError::Malformed { codec, place }),
        }
    }
}

impl fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decompressor").finish_non_exhaustive()
    }
}

/// Compresses payloads, one after the other.
#[derive(Default)]
pub struct Compressor {
    output: Output,
    gzip: Option<gzip::Deflater>,
    snappy: Option<Box<snap::raw::Encoder>>,
    lz4: Option<CompressTable>,
    zstd: Option<zstd::Encoder>,
}

impl Compressor {
    /// Without any buffers; they come with use. Most links never encode anything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `payload`, compressed.
    ///
    /// # Panics
    /// Where a codec fails on sound input with room for every output, which none does.
    pub fn compress<'a>(&'a mut self, compression: Compression, payload: &'a [u8]) -> &'a [u8] {
        let output = &mut self.output;
        output.begin(usize::MAX - 1);
        match compression.codec() {
            Codec::None | Codec::Unknown(_) => return payload,
            Codec::Gzip => gzip::compress(&mut self.gzip, compression.level(), payload, output),
            Codec::Snappy => {
                let encoder = self
                    .snappy
                    .get_or_insert_with(|| Box::new(snap::raw::Encoder::new()));
                snappy::compress(encoder, payload, output);
            }
            Codec::Lz4 => {
                let table = self.lz4.get_or_insert_with(CompressTable::large);
                lz4::compress(table, payload, output);
            }
            Codec::Zstd => zstd::compress(&mut self.zstd, compression.level(), payload, output),
        }
        self.output.filled()
    }

    /// Gives back a large buffer now, and not only with the next payload.
    pub fn trim(&mut self) {
        self.output.trim();
    }
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}
