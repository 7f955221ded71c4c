//! zstd: read as a stream, because Java writes frames without a content size, and written at once.

use std::fmt;

use zstd::stream::raw::{self, DParameter, InBuffer, Operation, OutBuffer};

use super::output::Output;
use super::{Fault, KEPT};

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
    // If a frame states its size and all of it fits, the library decodes it in place and needs no window. What a large
    // payload could expand to is not reserved: most of them hardly do.
    let stated = zstd::zstd_safe::get_frame_content_size(payload);
    let stated = stated.ok().flatten().map(usize::try_from);
    let stated = stated.map_or(KEPT, |size| size.unwrap_or(usize::MAX));
    let mut wanted = payload.len().saturating_mul(8).min(stated);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_for_what_comes_out_and_not_for_what_could() {
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(3 * KEPT)
        .collect();
        let stated = zstd::bulk::compress(&noise, 1).expect("it is compressed");
        // As Java writes frames.
        let streamed = zstd::stream::encode_all(&noise[..], 1).expect("it is compressed");
        for (payload, most) in [(stated, noise.len() + 1), (streamed, 2 * noise.len())] {
            let mut output = Output::default();
            output.begin(usize::MAX);
            decompress(&mut None, &payload, &mut output).expect("it is sound");
            assert_eq!(output.filled(), noise);
            assert!(output.reserved() <= most, "{} bytes", output.reserved());
        }
    }
}
