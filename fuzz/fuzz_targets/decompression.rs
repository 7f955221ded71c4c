//! Any bytes for every codec: a content within the limit, or an error; and any content comes back.
//!
//! The first byte chooses the codec, the second the limit. Promises tried: no panic; never more than the
//! limit; a decompressor that failed works as before; what is compressed is decompressed equal.
#![no_main]

use kafka_wire::batch::Codec;
use kafka_wire::record::{Compression, Compressor, Decompressor};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let &[codec, limit, ref payload @ ..] = input else {
        return;
    };
    let codec = match codec % 5 {
        0 => Codec::None,
        1 => Codec::Gzip,
        2 => Codec::Snappy,
        3 => Codec::Lz4,
        _ => Codec::Zstd,
    };
    let limit = usize::from(limit) * 1024;
    let mut decompressor = Decompressor::new();
    if let Ok(content) = decompressor.decompress(codec, payload, limit) {
        assert!(content.len() <= limit);
    }
    let compression = Compression::new(codec).expect("a known codec");
    let mut compressor = Compressor::new();
    let compressed = compressor.compress(compression, payload);
    let content = decompressor.decompress(codec, compressed, payload.len());
    assert_eq!(content, Ok(payload));
});
