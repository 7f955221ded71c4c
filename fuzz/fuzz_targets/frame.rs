//! Any bytes as what a broker sends on a connection: frames of the announced length, or the end.
//!
//! The first byte chooses the limit, the second a request whose answer each frame is. Promises tried: no panic; a length
//! above the limit or below zero is refused before anything is reserved for it; frames follow each other without a hole.
#![no_main]

use bytes::Bytes;
use kafka_wire::frame::{ANSWER_LIMIT, FrameError, LENGTH_PREFIX, frame_length};
use kafka_wire::message::fetch::FetchRequest;
use kafka_wire::message::metadata::MetadataRequest;
use kafka_wire::message::{Request, split_response_header};
use libfuzzer_sys::fuzz_target;

fn read<R: Request>(choice: u8, frame: &Bytes) {
    let versions = R::VERSIONS;
    let version = versions.min + i16::from(choice) % (versions.max - versions.min + 1);
    let mut body = frame.clone();
    if split_response_header(R::API, version, &mut body).is_ok() {
        assert!(
            body.len() + 4 <= frame.len(),
            "the correlation id is taken off"
        );
        let _ = R::decode(version, body);
    }
}

fuzz_target!(|input: &[u8]| {
    let &[limit, choice, ref stream @ ..] = input else {
        return;
    };
    let limit = match limit {
        0 => ANSWER_LIMIT,
        some => usize::from(some) * 64,
    };
    let mut rest = Bytes::copy_from_slice(stream);
    while let Some(prefix) = rest.first_chunk::<LENGTH_PREFIX>() {
        let announced = i32::from_be_bytes(*prefix);
        let length = match frame_length(*prefix, limit) {
            Ok(length) => length,
            Err(FrameError::Negative { length }) => {
                assert!(length < 0 && length == announced);
                return;
            }
            Err(FrameError::TooLarge { length, limit }) => {
                assert!(length > limit);
                return;
            }
        };
        assert!(length <= limit);
        let end = LENGTH_PREFIX + length;
        if rest.len() < end {
            // The rest of it has not arrived.
            return;
        }
        let frame = rest.slice(LENGTH_PREFIX..end);
        match choice & 1 {
            0 => read::<FetchRequest>(choice >> 1, &frame),
            _ => read::<MetadataRequest>(choice >> 1, &frame),
        }
        rest = rest.slice(end..);
    }
});
