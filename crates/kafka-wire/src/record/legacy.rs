//! Message sets: the formats with magic 0 and 1, which old topics still hold.
//!
//! ```text
//!  offset 8 · size 4 · crc 4 · magic 1 · attributes 1 · [timestamp 8, magic 1] · key · value     (i32 lengths)
//! ```
//!
//! A compressed entry is a *wrapper*: its value is a compressed message set. The wrapper stands under the
//! offset of its last message. With magic 0 the inner offsets are those of the log; with magic 1 they
//! count from 0, so the last one has to be known first (KIP-31). Attributes: bits 0–2 codec, bit 3 (magic 1)
//! says that the broker set the time: then the wrapper's holds for all of it (KIP-32). The checksum is
//! the CRC-32 of gzip over everything behind it; the wrapper's covers its messages, whose own are
//! verified as well, since older brokers took them as they were.
//!
//! What is accepted follows Kafka's own reader: wrapper and messages have the same magic, wrappers are not
//! nested, zstd does not exist, an lz4 frame with magic 0 has a wrong header checksum (KAFKA-3160), and a
//! wrapper at offset 0 may come from a writer that never set it.

use super::compression::{Decompressor, Lz4Header};
use super::decode::DecodeProblem;
use super::view::{Headers, Record};
use crate::batch::{Attributes, Codec, LegacyEntry};
use crate::types::Offset;

/// What can be wrong with an entry in an old format.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LegacyProblem {
    /// A message is cut off, or its lengths contradict each other.
    #[error("message {index} is malformed at {place}")]
    Malformed {
        /// How many messages stand before it in the wrapper.
        index: u32,
        /// The part of it that cannot be read.
        place: &'static str,
    },
    /// Message and wrapper are in different formats.
    #[error("message {index} has magic {magic} within an entry with magic {expected}")]
    OtherMagic {
        /// How many messages stand before it.
        index: u32,
        /// Its own.
        magic: u8,
        /// That of the entry.
        expected: u8,
    },
    /// A wrapper within a wrapper.
    #[error("message {index} within a compressed message is compressed itself")]
    Nested {
        /// How many messages stand before it.
        index: u32,
    },
    /// A wrapper has no value or nothing in it.
    #[error("the compressed message is empty")]
    Empty,
    /// The formats never had this codec.
    #[error("messages in old formats are not compressed with {0}")]
    Codec(Codec),
    /// The offset of the wrapper is smaller than the number of its messages allows.
    #[error("the compressed message stands at offset {offset} and holds one with number {inner}")]
    Offset {
        /// The wrapper's offset.
        offset: Offset,
        /// The largest relative offset.
        inner: Offset,
    },
}

/// One message, its lengths checked.
#[derive(Clone, Copy)]
struct Message<'a> {
    offset: Offset,
    attributes: i16,
    timestamp: i64,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

impl Message<'_> {
    fn codec(&self) -> Codec {
        Attributes(self.attributes).codec()
    }
}

/// The messages of an entry, one after the other.
#[derive(Clone, Debug)]
pub(super) struct LegacyReader<'a> {
    rest: &'a [u8],
    index: u32,
    magic: u8,
    /// What relative offsets count from; 0 where they are absolute.
    base: Offset,
    append_time: Option<i64>,
    /// Whether the entry is a message and no wrapper.
    is_single: bool,
    ended: bool,
}

/// Verifies and decompresses an entry.
pub(super) fn open<'a>(
    decompressor: &'a mut Decompressor,
    entry: &'a LegacyEntry,
    limit: usize,
) -> Result<LegacyReader<'a>, DecodeProblem> {
    let magic = entry.magic;
    let mut whole = &entry.bytes[..];
    let outer = message(&mut whole, 0, magic)?;
    if !whole.is_empty() {
        return Err(DecodeProblem::LeftOver { bytes: whole.len() });
    }
    let is_append_time = magic == 1 && Attributes(outer.attributes).has_log_append_time();
    let mut reader = LegacyReader {
        rest: &entry.bytes,
        index: 0,
        magic,
        base: 0,
        append_time: is_append_time.then_some(outer.timestamp),
        is_single: true,
        ended: false,
    };
    let codec = outer.codec();
    match codec {
        Codec::None => return Ok(reader),
        Codec::Gzip | Codec::Snappy | Codec::Lz4 => {}
        Codec::Zstd | Codec::Unknown(_) => return Err(LegacyProblem::Codec(codec).into()),
    }
    let value = outer.value.ok_or(LegacyProblem::Empty)?;
    let header = match magic {
        0 => Lz4Header::Unchecked,
        _ => Lz4Header::Checked,
    };
    reader.rest = decompressor.decompress_with(codec, header, value, limit)?;
    reader.is_single = false;
    let last = last_inner(&reader)?.ok_or(LegacyProblem::Empty)?;
    if magic == 1 && outer.offset != 0 {
        // Relative to the first message, of which only the last one's absolute offset is known.
        let (offset, inner) = (outer.offset, last);
        if inner < 0 || inner > offset {
            return Err(LegacyProblem::Offset { offset, inner }.into());
        }
        reader.base = offset - inner;
    }
    Ok(reader)
}

/// The offset of the last message, found by sizes alone.
fn last_inner(reader: &LegacyReader<'_>) -> Result<Option<Offset>, LegacyProblem> {
    let (mut rest, mut last, mut index) = (reader.rest, None, 0);
    while !rest.is_empty() {
        let cut_off = LegacyProblem::Malformed {
            index,
            place: "its size",
        };
        let (&start, _) = rest.split_first_chunk().ok_or(cut_off)?;
        last = Some(i64::from_be_bytes(start));
        let size = rest.get(8..12).and_then(|bytes| bytes.first_chunk());
        let size = i32::from_be_bytes(*size.ok_or(cut_off)?);
        let size = usize::try_from(size).map_err(|_| cut_off)?;
        rest = rest.get(size.saturating_add(12)..).ok_or(cut_off)?;
        index += 1;
    }
    Ok(last)
}

impl<'a> LegacyReader<'a> {
    /// Bytes of the messages.
    pub(super) fn size(&self) -> usize {
        self.rest.len()
    }

    fn read(&mut self) -> Result<Record<'a>, DecodeProblem> {
        let index = self.index;
        let message = message(&mut self.rest, index, self.magic)?;
        if !self.is_single && message.codec() != Codec::None {
            return Err(LegacyProblem::Nested { index }.into());
        }
        let offset = message.offset.checked_add(self.base);
        let offset = offset
            .filter(|&offset| offset >= 0)
            .ok_or(LegacyProblem::Malformed {
                index,
                place: "its offset",
            })?;
        Ok(Record::new(
            offset,
            self.append_time.unwrap_or(message.timestamp),
            message.key,
            message.value,
            Headers::NONE,
        ))
    }
}

impl<'a> Iterator for LegacyReader<'a> {
    type Item = Result<Record<'a>, DecodeProblem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended || self.rest.is_empty() {
            return None;
        }
        let record = self.read();
        self.ended = record.is_err();
        self.index += 1;
        Some(record)
    }
}

/// Reads one message and verifies its checksum.
fn message<'a>(
    input: &mut &'a [u8],
    index: u32,
    expected_magic: u8,
) -> Result<Message<'a>, DecodeProblem> {
    let malformed = |place| LegacyProblem::Malformed { index, place };
    let mut head = *input;
    let offset = i64::from_be_bytes(fixed(&mut head).ok_or(malformed("its offset"))?);
    let size = i32::from_be_bytes(fixed(&mut head).ok_or(malformed("its size"))?);
    let size = usize::try_from(size).map_err(|_| malformed("its size"))?;
    let (mut body, rest) = head
        .split_at_checked(size)
        .ok_or(malformed("its size, which exceeds what is there"))?;
    *input = rest;
    let stored = u32::from_be_bytes(fixed(&mut body).ok_or(malformed("its checksum"))?);
    let mut checksum = flate2::Crc::new();
    checksum.update(body);
    if checksum.sum() != stored {
        return Err(DecodeProblem::Checksum);
    }
    let [magic, attributes] = fixed(&mut body).ok_or(malformed("its magic"))?;
    if magic != expected_magic {
        return Err(LegacyProblem::OtherMagic {
            index,
            magic,
            expected: expected_magic,
        }
        .into());
    }
    let timestamp = match magic {
        0 => -1,
        _ => i64::from_be_bytes(fixed(&mut body).ok_or(malformed("its timestamp"))?),
    };
    let key = nullable(&mut body).ok_or(malformed("the length of its key"))?;
    let value = nullable(&mut body).ok_or(malformed("the length of its value"))?;
    if !body.is_empty() {
        return Err(malformed("the end, which lies behind its value").into());
    }
    Ok(Message {
        offset,
        attributes: i16::from(attributes),
        timestamp,
        key,
        value,
    })
}

fn fixed<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (front, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(*front)
}

#[expect(
    clippy::option_option,
    reason = "the outer one is the failure, the inner one Kafka's null"
)]
fn nullable<'a>(input: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = i32::from_be_bytes(fixed(input)?);
    if length < 0 {
        return (length == -1).then_some(None);
    }
    let (bytes, rest) = input.split_at_checked(usize::try_from(length).ok()?)?;
    *input = rest;
    Some(Some(bytes))
}
