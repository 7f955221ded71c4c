//! lz4 frames, decompressed block by block straight into the output.
//!
//! ```text
//! magic · flags · block size · [content size 8] · header checksum   (xxh32 over flags … content size)
//! length · block · [block checksum 4]   …   0 · [content checksum 4]
//! ```
//!
//! Java reads independent blocks only and passes over content checksums; here both kinds of blocks are read
//! and every checksum is verified. What is written is what Java writes: independent blocks of 64 KiB, no
//! checksums.

use lz4_flex::block::{
    CompressTable, compress_into_with_table, decompress_into_with_dict, get_maximum_output_size,
};
use twox_hash::XxHash32;

use super::output::Output;
use super::{Fault, Lz4Header};

const MAGIC: u32 = 0x184D_2204;
/// Frames that are there to be passed over: 16 magics.
const SKIPPED: u32 = 0x184D_2A50;
/// The highest bit of a block's length: it is stored as it is.
const STORED: u32 = 0x8000_0000;
/// How far back a block may refer.
const WINDOW: usize = 64 * 1024;
/// No sequence expands more.
const MOST_EXPANSION: usize = 255;
/// Version 1, independent blocks, no checksums; 64 KiB; the checksum of these two bytes.
const WRITTEN_HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
const WRITTEN_BLOCK: usize = 64 * 1024;

pub(super) fn decompress(
    payload: &[u8],
    header: Lz4Header,
    output: &mut Output,
) -> Result<(), Fault> {
    let mut input = payload;
    loop {
        let magic = word(&mut input)?;
        if magic & 0xffff_fff0 == SKIPPED {
            let length = word(&mut input)?;
            take(&mut input, length as usize)?;
        } else if magic == MAGIC {
            frame(&mut input, header, output)?;
        } else {
            return Err(Fault::Malformed("not an lz4 frame"));
        }
        if input.is_empty() {
            return Ok(());
        }
    }
}

fn take<'a>(input: &mut &'a [u8], count: usize) -> Result<&'a [u8], Fault> {
    let (front, rest) = input.split_at_checked(count).ok_or(Fault::CutOff)?;
    *input = rest;
    Ok(front)
}

fn word(input: &mut &[u8]) -> Result<u32, Fault> {
    let (front, rest) = input.split_first_chunk().ok_or(Fault::CutOff)?;
    *input = rest;
    Ok(u32::from_le_bytes(*front))
}

/// The flags of a frame, and the size of its blocks.
struct Frame {
    block_size: usize,
    independent: bool,
    block_checksums: bool,
    content_checksum: bool,
}

impl Frame {
    fn read(input: &mut &[u8], check: Lz4Header) -> Result<Self, Fault> {
        let start = *input;
        let &[flags, sizes] = take(input, 2)? else {
            return Err(Fault::CutOff);
        };
        if flags >> 6 != 1 || flags & 0x02 != 0 {
            return Err(Fault::Malformed("a frame has an unknown version"));
        }
        if flags & 0x01 != 0 {
            return Err(Fault::Malformed("a frame needs a dictionary"));
        }
        let block_size = match sizes {
            0x40 => 64 * 1024,
            0x50 => 256 * 1024,
            0x60 => 1024 * 1024,
            0x70 => 4 * 1024 * 1024,
            _ => return Err(Fault::Malformed("a frame has an unknown block size")),
        };
        // The content size, where it is stated, is a claim that nobody needs.
        if flags & 0x08 != 0 {
            take(input, 8)?;
        }
        let described = &start[..start.len() - input.len()];
        let checksum = take(input, 1)?[0];
        let expected = (XxHash32::oneshot(0, described) >> 8) as u8;
        if check == Lz4Header::Checked && checksum != expected {
            return Err(Fault::Malformed("a frame's header checksum is wrong"));
        }
        Ok(Self {
            block_size,
            independent: flags & 0x20 != 0,
            block_checksums: flags & 0x10 != 0,
            content_checksum: flags & 0x04 != 0,
        })
    }
}

fn frame(input: &mut &[u8], header: Lz4Header, output: &mut Output) -> Result<(), Fault> {
    let frame = Frame::read(input, header)?;
    let begin = output.filled().len();
    loop {
        let length = word(input)?;
        if length == 0 {
            break;
        }
        let bytes = take(input, (length & !STORED) as usize)?;
        if frame.block_checksums && word(input)? != XxHash32::oneshot(0, bytes) {
            return Err(Fault::Malformed("a block's checksum is wrong"));
        }
        if length & STORED == 0 {
            block(&frame, begin, bytes, output)?;
        } else if bytes.len() > frame.block_size {
            return Err(Fault::Malformed("a block is larger than its frame allows"));
        } else {
            output.append(bytes)?;
        }
    }
    if frame.content_checksum {
        let content = &output.filled()[begin..];
        if word(input)? != XxHash32::oneshot(0, content) {
            return Err(Fault::Malformed("the content's checksum is wrong"));
        }
    }
    Ok(())
}

fn block(frame: &Frame, begin: usize, bytes: &[u8], output: &mut Output) -> Result<(), Fault> {
    let most = bytes.len().saturating_mul(MOST_EXPANSION);
    let (history, room) = output.history_and_room(most.min(frame.block_size));
    let allowed = room.len().min(frame.block_size);
    let is_at_limit = allowed < most.min(frame.block_size);
    let window = match frame.independent {
        true => &[],
        false => &history[begin.max(history.len().saturating_sub(WINDOW))..],
    };
    match decompress_into_with_dict(bytes, &mut room[..allowed], window) {
        Ok(written) => output.advance(written),
        Err(lz4_flex::block::DecompressError::OutputTooSmall { .. }) if is_at_limit => {
            Err(Fault::Full)
        }
        Err(_) => Err(Fault::Malformed("a block is not lz4")),
    }
}

pub(super) fn compress(table: &mut CompressTable, payload: &[u8], output: &mut Output) {
    let endless = "the output of a compressor has no limit";
    output.append(&WRITTEN_HEADER).expect(endless);
    for chunk in payload.chunks(WRITTEN_BLOCK) {
        let room = output.room(4 + get_maximum_output_size(chunk.len()));
        let (length, block) = room.split_at_mut(4);
        let written = compress_into_with_table(chunk, block, table)
            .expect("there is room for the largest output");
        // At most 64 KiB and a little.
        let (written, stored) = if written < chunk.len() {
            (written, 0)
        } else {
            block[..chunk.len()].copy_from_slice(chunk);
            (chunk.len(), STORED)
        };
        length.copy_from_slice(&(written as u32 | stored).to_le_bytes());
        output.advance(4 + written).expect(endless);
    }
    output.append(&0_u32.to_le_bytes()).expect(endless);
}
