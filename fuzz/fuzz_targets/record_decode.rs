//! Any bytes as the payload of a batch: what is read has the structure its header promises, and can be
//! written again.
//!
//! The first three bytes choose codec, flags and record count; the checksum is made right, so that the codecs
//! and the records are reached. Promises tried: no panic; no more memory than the limit; as many records
//! as the header says; what was read comes out equal from a new batch, and from the parts of it.
#![no_main]

use kafka_wire::batch::{BatchBuilder, RawBatch};
use kafka_wire::record::{
    BatchEncoder, BatchOptions, Compression, RecordDecoder, Records, SplitFailure, Splitter,
};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 256 * 1024;

type Seen = (
    i64,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<(Vec<u8>, Option<Vec<u8>>)>,
);

fn seen(records: Records<'_>) -> Option<Vec<Seen>> {
    let mut all = Vec::new();
    for record in records {
        let record = record.ok()?;
        let headers = record.headers().iter();
        let headers = headers.map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec)));
        all.push((
            record.timestamp(),
            record.key().map(<[u8]>::to_vec),
            record.value().map(<[u8]>::to_vec),
            headers.collect(),
        ));
    }
    Some(all)
}

fuzz_target!(|input: &[u8]| {
    let &[attributes, count, limit, ref payload @ ..] = input else {
        return;
    };
    let batch = BatchBuilder::new(5)
        .attributes(i16::from(attributes & 0x0f))
        .base_timestamp(1_700_000_000_000)
        .raw_payload(payload.to_vec())
        .records_count(i32::from(count))
        .last_offset_delta(300)
        .build();
    let batch = RawBatch::parse(batch).expect("the header is possible");
    let mut decoder = RecordDecoder::new();
    let Some(records) = decoder.batch(&batch, LIMIT).ok().and_then(seen) else {
        return;
    };
    assert_eq!(records.len(), usize::from(count));
    if records.is_empty() {
        return;
    }
    let options = Compression::new(batch.header().codec()).map(BatchOptions::new);
    let options = options.expect("it was decompressed, so it is known");
    let mut encoder = BatchEncoder::new();
    let again = decoder.batch(&batch, LIMIT).expect("it was read before");
    encoder.extend(again).expect("it fits");
    let copy = encoder.finish(&options).expect("there are records");
    let copied = decoder.batch(&copy.batch, LIMIT).expect("we wrote it");
    assert_eq!(seen(copied).as_ref(), Some(&records));

    let limit = 70 + 16 * usize::from(limit);
    let again = decoder.batch(&batch, LIMIT).expect("it was read before");
    let mut parts = Vec::new();
    let mut too_large = 0;
    for part in Splitter::new(again, &mut encoder, options, limit) {
        match part {
            Ok(part) => {
                assert!(part.batch.bytes().len() <= limit);
                let mut decoder = RecordDecoder::new();
                let part = decoder.batch(&part.batch, LIMIT).expect("we wrote it");
                parts.extend(seen(part).expect("we wrote it"));
            }
            Err(SplitFailure::TooLarge(_)) => too_large += 1,
            Err(SplitFailure::Reshape(error)) => panic!("{error}"),
        }
    }
    assert_eq!(parts.len() + too_large, records.len());
    if too_large == 0 {
        assert_eq!(parts, records);
    }
});
