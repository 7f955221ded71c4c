//! zstd: read as a stream, because Java writes frames without a content size, and written at once.

use std::fmt;

use zstd::stream::raw::{self, DParameter, InBuffer, Operation, OutBuffer};

use super::Fault;
use super::output::Output;

/// The largest window that is accepted, 2²⁷ bytes: what the library, and with it Java, accepts, and
/// what its highest level uses.
const LARGEST_WINDOW: u32 = 27;

pub(super) struct Decoder(raw::Decoder<'static>);

impl Decoder {
    fn new() -> Result<Self, Fault> {
        let no_memory = |_| Fault::Malformed("there is no memory for a decoder");
        let mut decoder = raw::Decoder::new().map_err(no_memory)?;
        decoder
            .set_parameter(DParameter::WindowLogMax(LARGEST_WINDOW))
            .map_err(no_memory)?;
        Ok(Self(decoder))
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decoder")
    }
}

pub(super) fn decompress(
    decoder: &mut Option<Decoder>,
    payload: &[u8],
    output: &mut Output,
) -> Result<(), Fault> {
    let Decoder(decoder) = match decoder {
        Some(decoder) => decoder,
        none => none.insert(Decoder::new()?),
    };
    let damaged = |_| Fault::Malformed("not a zstd frame, or its checksum is wrong");
    decoder.reinit().map_err(damaged)?;
    let mut input = InBuffer::around(payload);
    // If all of a frame fits, the library decodes it in place and needs no window.
    let mut wanted = payload.len().saturating_mul(8);
    loop {
        let room = output.room(wanted);
        let capacity = room.len();
        let mut buffer = OutBuffer::around(room);
        let left_in_frame = decoder.run(&mut input, &mut buffer).map_err(damaged)?;
        let produced = buffer.pos();
        output.advance(produced)?;
        let is_read = input.pos() == payload.len();
        match left_in_frame {
            0 if is_read => return Ok(()),
            // The next frame.
            0 => {}
            _ if is_read && produced < capacity => return Err(Fault::CutOff),
            _ => {}
        }
        wanted = 64 * 1024;
    }
}

/// A compressor, and the level it was made for.
pub(super) struct Encoder {
    level: i32,
    compressor: zstd::bulk::Compressor<'static>,
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoder at level {}", self.level)
    }
}

pub(super) fn compress(
    encoder: &mut Option<Encoder>,
    level: i32,
    payload: &[u8],
    output: &mut Output,
) {
    let encoder = match encoder {
        Some(encoder) if encoder.level == level => encoder,
        other => other.insert(Encoder {
            level,
            compressor: zstd::bulk::Compressor::new(level)
                .expect("the level was checked, and memory is there"),
        }),
    };
    let room = output.room(zstd::zstd_safe::compress_bound(payload.len()));
    let written = encoder
        .compressor
        .compress_to_buffer(payload, room)
        .expect("there is room for the largest output");
    output
        .advance(written)
        .expect("the output of a compressor has no limit");
}
