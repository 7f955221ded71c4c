//! snappy: in the framing of its Java library (xerial), or as one raw block, as librdkafka writes it.
//!
//! Java's framing: 8 bytes of magic, two versions of 4 bytes, then blocks, each behind its length. The
//! header may stand again between blocks, where streams were joined.

use snap::raw;

use super::Fault;
use super::output::Output;

const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
/// Version and oldest compatible version.
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
/// What Java's writer puts into a block.
const BLOCK: usize = 32 * 1024;
/// No element expands more: a copy of 64 bytes takes three. Rounded up.
const MOST_EXPANSION: usize = 22;

pub(super) fn decompress(payload: &[u8], output: &mut Output) -> Result<(), Fault> {
    let Some(mut input) = behind_header(payload) else {
        return block(payload, output);
    };
    while !input.is_empty() {
        if let Some(rest) = behind_header(input) {
            input = rest;
            continue;
        }
        let (length, rest) = input.split_first_chunk().ok_or(Fault::CutOff)?;
        let length = usize::try_from(i32::from_be_bytes(*length))
            .map_err(|_| Fault::Malformed("a block has a negative length"))?;
        let (bytes, rest) = rest.split_at_checked(length).ok_or(Fault::CutOff)?;
        block(bytes, output)?;
        input = rest;
    }
    Ok(())
}

/// Java's reader does not look at the versions either.
fn behind_header(input: &[u8]) -> Option<&[u8]> {
    input.strip_prefix(&MAGIC)?.get(VERSIONS.len()..)
}

fn block(bytes: &[u8], output: &mut Output) -> Result<(), Fault> {
    if bytes.is_empty() {
        return Err(Fault::CutOff);
    }
    let damaged = |_| Fault::Malformed("a block is not snappy");
    let length = raw::decompress_len(bytes).map_err(damaged)?;
    if length > bytes.len().saturating_mul(MOST_EXPANSION) {
        return Err(Fault::Malformed("a block claims more than it can hold"));
    }
    if length > output.left() {
        return Err(Fault::Full);
    }
    let written = raw::Decoder::new()
        .decompress(bytes, output.room(length))
        .map_err(damaged)?;
    output.advance(written)
}

pub(super) fn compress(encoder: &mut raw::Encoder, payload: &[u8], output: &mut Output) {
    let endless = "the output of a compressor has no limit";
    output.append(&MAGIC).expect(endless);
    output.append(&VERSIONS).expect(endless);
    for chunk in payload.chunks(BLOCK) {
        let room = output.room(4 + raw::max_compress_len(chunk.len()));
        let (length, block) = room.split_at_mut(4);
        let written = encoder
            .compress(chunk, block)
            .expect("there is room for the largest output");
        // At most 38 KiB.
        length.copy_from_slice(&(written as u32).to_be_bytes());
        output.advance(4 + written).expect(endless);
    }
}
