//! gzip: any number of members are read, one is written.

use flate2::{Compress, Decompress, FlushCompress, FlushDecompress, Status};

use super::Fault;
use super::output::Output;

/// The window of every gzip writer: 2¹⁵ bytes.
const WINDOW_BITS: u8 = 15;

/// Room that is asked for at a time.
const STEP: usize = 32 * 1024;

pub(super) type Inflater = Decompress;

pub(super) fn decompress(
    inflater: &mut Option<Inflater>,
    payload: &[u8],
    output: &mut Output,
) -> Result<(), Fault> {
    let inflater = inflater.get_or_insert_with(|| Decompress::new_gzip(WINDOW_BITS));
    let mut input = payload;
    loop {
        // Keeps the kind of header that it was made for.
        inflater.reset(true);
        input = member(inflater, input, output)?;
        if input.is_empty() {
            return Ok(());
        }
    }
}

/// Reads one member and returns what follows it.
fn member<'a>(
    inflater: &mut Inflater,
    mut input: &'a [u8],
    output: &mut Output,
) -> Result<&'a [u8], Fault> {
    loop {
        let before = (inflater.total_in(), inflater.total_out());
        let status = inflater
            .decompress(input, output.room(STEP), FlushDecompress::None)
            .map_err(|_| Fault::Malformed("not a gzip stream, or its checksum is wrong"))?;
        let consumed = (inflater.total_in() - before.0) as usize;
        let produced = (inflater.total_out() - before.1) as usize;
        input = &input[consumed..];
        output.advance(produced)?;
        match status {
            Status::StreamEnd => return Ok(input),
            Status::Ok | Status::BufError if consumed == 0 && produced == 0 => {
                return Err(Fault::CutOff);
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

/// A compressor, and the level it was made for.
#[derive(Debug)]
pub(super) struct Deflater {
    level: i32,
    compress: Compress,
}

impl Deflater {
    fn new(level: i32) -> Self {
        let level_or_default = u32::try_from(level)
            .map_or_else(|_| flate2::Compression::default(), flate2::Compression::new);
        Self {
            level,
            compress: Compress::new_gzip(level_or_default, WINDOW_BITS),
        }
    }
}

pub(super) fn compress(
    deflater: &mut Option<Deflater>,
    level: i32,
    payload: &[u8],
    output: &mut Output,
) {
    let deflater = match deflater {
        Some(deflater) if deflater.level == level => deflater,
        other => other.insert(Deflater::new(level)),
    };
    let compress = &mut deflater.compress;
    compress.reset();
    let mut input = payload;
    loop {
        let before = (compress.total_in(), compress.total_out());
        let status = compress
            .compress(input, output.room(STEP), FlushCompress::Finish)
            .expect("compressing sound bytes does not fail");
        input = &input[(compress.total_in() - before.0) as usize..];
        output
            .advance((compress.total_out() - before.1) as usize)
            .expect("the output of a compressor has no limit");
        if status == Status::StreamEnd {
            return;
        }
    }
}
