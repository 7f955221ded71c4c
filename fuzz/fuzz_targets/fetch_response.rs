//! Any bytes as the answer to a Fetch: read or refused, and what is read lies inside the answer.
//!
//! The first byte chooses the version. Promises tried: no panic and no memory beyond the answer's
//! size; records are slices of the answer that do not overlap; an answer that is read cannot be
//! read any more when bytes are missing or left over.
#![no_main]

use bytes::Bytes;
use kafka_wire::batch::Batches;
use kafka_wire::message::Request;
use kafka_wire::message::fetch::FetchRequest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, body)) = input.split_first() else {
        return;
    };
    let versions = FetchRequest::VERSIONS;
    let version = versions.min + i16::from(choice) % (versions.max - versions.min + 1);
    let body = Bytes::copy_from_slice(body);
    let Ok(answer) = FetchRequest::decode(version, body.clone()) else {
        return;
    };

    let mut end = body.as_ptr();
    for partition in answer.topics.iter().flat_map(|topic| &topic.partitions) {
        if partition.records.is_empty() {
            continue;
        }
        let slice = partition.records.as_ptr_range();
        assert!(end <= slice.start && slice.end <= body.as_ptr_range().end);
        end = slice.end;
        // What follows in the data path.
        let _ = Batches::new(partition.records.clone()).count();
    }

    assert!(FetchRequest::decode(version, body.slice(..body.len() - 1)).is_err());
    assert!(FetchRequest::decode(version, body.slice(..body.len() / 2)).is_err());
    assert!(FetchRequest::decode(version, Bytes::from([&body[..], &[0]].concat())).is_err());
});
