//! Codecs: bombs, cut-off and damaged payloads, and the forms that others write.

use std::io::Write;

use kafka_wire::batch::Codec;
use kafka_wire::record::{Compression, Compressor, DecompressError, Decompressor};

use crate::support::CODECS;

fn compressed(codec: Codec, content: &[u8]) -> Vec<u8> {
    let compression = Compression::new(codec).unwrap();
    Compressor::new().compress(compression, content).to_vec()
}

fn decompressed(codec: Codec, payload: &[u8], limit: usize) -> Result<Vec<u8>, DecompressError> {
    Decompressor::new()
        .decompress(codec, payload, limit)
        .map(<[u8]>::to_vec)
}

#[test]
fn a_bomb_of_any_codec_is_an_error_and_costs_no_more_than_the_limit() {
    const LIMIT: usize = 1_000_000;
    let content = vec![0; 50_000_000];
    for codec in CODECS {
        let bomb = compressed(codec, &content);
        let expected = DecompressError::TooLarge {
            codec,
            compressed: bomb.len(),
            limit: LIMIT,
        };
        assert_eq!(decompressed(codec, &bomb, LIMIT), Err(expected));
    }
}

#[test]
fn the_limit_is_exact() {
    let content: Vec<u8> = (0..200_000_u32)
        .map(|n| (n.wrapping_mul(n) >> 7) as u8)
        .collect();
    for codec in CODECS {
        let payload = compressed(codec, &content);
        for limit in [content.len(), content.len() + 1, usize::MAX] {
            assert_eq!(
                decompressed(codec, &payload, limit).as_ref(),
                Ok(&content),
                "{codec}"
            );
        }
        for limit in [0, 1, content.len() - 1] {
            let error = decompressed(codec, &payload, limit).unwrap_err();
            assert!(matches!(error, DecompressError::TooLarge { .. }), "{error}");
        }
    }
}

#[test]
fn every_size_around_blocks_comes_back() {
    let content: Vec<u8> = (0..300_000_u32)
        .map(|n| (n.wrapping_mul(n) >> 9) as u8)
        .collect();
    let mut decompressor = Decompressor::new();
    let mut compressor = Compressor::new();
    for codec in CODECS {
        let compression = Compression::new(codec).unwrap();
        for size in [
            0, 1, 2, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537, 131_073, 300_000,
        ] {
            let payload = compressor.compress(compression, &content[..size]);
            let found = decompressor.decompress(codec, payload, content.len());
            assert_eq!(found, Ok(&content[..size]), "{codec}, {size} bytes");
        }
    }
}

#[test]
fn every_cut_of_a_compressed_payload_is_an_error() {
    let content: Vec<u8> = (0..5_000_u32)
        .map(|n| (n.wrapping_mul(n) >> 5) as u8)
        .collect();
    for codec in &CODECS[1..] {
        let payload = compressed(*codec, &content);
        for cut in 0..payload.len() {
            let found = decompressed(*codec, &payload[..cut], usize::MAX);
            // Behind a whole block Java's snappy cannot know that another one should follow.
            let is_whole_block = *codec == Codec::Snappy && cut == 16;
            assert!(found.is_err() || is_whole_block, "{codec}, cut at {cut}");
        }
    }
}

#[test]
fn what_a_payload_merely_claims_is_not_reserved() {
    // Snappy that claims 4 GiB; zstd that claims 2⁶² bytes, and one that claims a window of 2 GiB.
    let snappy = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x61];
    let damaged = DecompressError::Malformed {
        codec: Codec::Snappy,
        place: "a block claims more than it can hold",
    };
    assert_eq!(
        decompressed(Codec::Snappy, &snappy, usize::MAX),
        Err(damaged)
    );
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    let content_size = [0xe0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x01, 0, 0];
    let window = [0x00, 0xa8, 0x01, 0, 0];
    for rest in [&content_size[..], &window[..]] {
        let frame = [&magic[..], rest].concat();
        assert!(decompressed(Codec::Zstd, &frame, usize::MAX).is_err());
    }
}

#[test]
fn an_unknown_codec_is_named() {
    let error = decompressed(Codec::Unknown(6), b"any", 10).unwrap_err();
    assert_eq!(error.to_string(), "codec number 6 is unknown to Kafka");
}

#[test]
fn several_members_and_frames_are_one_content() {
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd, Codec::Snappy] {
        let joined = [compressed(codec, b"first "), compressed(codec, b"second")].concat();
        assert_eq!(
            decompressed(codec, &joined, 100),
            Ok(b"first second".to_vec()),
            "{codec}"
        );
    }
}

#[test]
fn bytes_behind_the_end_are_an_error() {
    for codec in &CODECS[1..] {
        let payload = [&compressed(*codec, b"content")[..], b"rest"].concat();
        assert!(decompressed(*codec, &payload, 100).is_err(), "{codec}");
    }
}

#[test]
fn one_raw_block_of_snappy_is_read_as_librdkafka_writes_it() {
    let content = b"abcabcabcabcabcabcabc".repeat(100);
    let block = snap::raw::Encoder::new().compress_vec(&content).unwrap();
    assert_eq!(decompressed(Codec::Snappy, &block, 10_000), Ok(content));
}

#[test]
fn gzip_of_a_foreign_writer_with_name_and_comment_is_read() {
    let mut writer = flate2::GzBuilder::new()
        .filename("name")
        .comment("comment")
        .extra(b"extra".to_vec())
        .write(Vec::new(), flate2::Compression::best());
    writer.write_all(b"content").unwrap();
    let payload = writer.finish().unwrap();
    assert_eq!(
        decompressed(Codec::Gzip, &payload, 100),
        Ok(b"content".to_vec())
    );
}

/// An lz4 frame with chosen flags over blocks of 64 KiB.
fn lz4_frame(flags: u8, content: &[u8]) -> Vec<u8> {
    let has = |bit: u8| flags & bit != 0;
    let mut frame = vec![0x04, 0x22, 0x4d, 0x18, 0x40 | flags, 0x40];
    if has(0x08) {
        frame.extend((content.len() as u64).to_le_bytes());
    }
    let checksum = twox_hash::XxHash32::oneshot(0, &frame[4..]);
    frame.push((checksum >> 8) as u8);
    for (number, chunk) in content.chunks(65_536).enumerate() {
        let block = match has(0x20) {
            true => lz4_flex::block::compress(chunk),
            false => {
                let start = number * 65_536;
                let window = &content[start.saturating_sub(65_536)..start];
                lz4_flex::block::compress_with_dict(chunk, window)
            }
        };
        frame.extend((block.len() as u32).to_le_bytes());
        frame.extend(&block);
        if has(0x10) {
            frame.extend(twox_hash::XxHash32::oneshot(0, &block).to_le_bytes());
        }
    }
    frame.extend([0; 4]);
    if has(0x04) {
        frame.extend(twox_hash::XxHash32::oneshot(0, content).to_le_bytes());
    }
    frame
}

#[test]
fn lz4_frames_with_every_flag_are_read_and_their_checksums_verified() {
    let content = b"a text that repeats itself, but not with every length ".repeat(4_000);
    for flags in (0..0x40).step_by(4) {
        let frame = lz4_frame(flags, &content);
        let found = decompressed(Codec::Lz4, &frame, content.len());
        assert_eq!(found.as_ref(), Ok(&content), "flags {flags:#x}");
        for checksum in [(0x04, frame.len() - 1), (0x10, frame.len() - 9)] {
            let (bit, place) = checksum;
            let mut damaged = frame.clone();
            damaged[place] ^= 1;
            if flags & 0x14 == bit {
                let found = decompressed(Codec::Lz4, &damaged, content.len());
                assert!(found.is_err(), "flags {flags:#x}, byte {place}");
            }
        }
        let skipped = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &frame].concat();
        assert_eq!(
            decompressed(Codec::Lz4, &skipped, content.len()).as_ref(),
            Ok(&content)
        );
    }
}
