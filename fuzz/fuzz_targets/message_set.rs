//! Any bytes as a message set with magic 0 or 1.
//!
//! Tried twice: as it is, where the checksum keeps most of it out, and with the checksum made right. Promises
//! tried: no panic; no more memory than the limit; offsets are not negative; what is read fits into a batch.
#![no_main]

use bytes::Bytes;
use kafka_wire::batch::{Batches, Entry, LegacyEntry};
use kafka_wire::record::{BatchEncoder, BatchOptions, Compression, RecordDecoder};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 256 * 1024;

fn read(entry: &LegacyEntry) {
    let mut decoder = RecordDecoder::new();
    let Ok(records) = decoder.legacy(entry, LIMIT) else {
        return;
    };
    let mut encoder = BatchEncoder::new();
    for record in records {
        let Ok(record) = record else {
            return;
        };
        assert!(record.offset() >= 0 && record.headers().is_empty());
        encoder.push(&record).expect("it fits");
    }
    let count = encoder.count();
    assert!(count > 0, "an entry has a message");
    let batch = encoder.finish(&BatchOptions::new(Compression::NONE));
    let batch = batch.expect("there are records");
    let again = decoder
        .batch(&batch.batch, usize::MAX)
        .expect("we wrote it");
    assert_eq!(
        again.map(|record| record.expect("we wrote it")).count(),
        count as usize
    );
}

/// Puts right checksums into messages that follow each other.
fn repair(set: &mut [u8]) {
    let Some(size) = set.get(8..12).and_then(|bytes| bytes.first_chunk()) else {
        return;
    };
    let end = i64::from(i32::from_be_bytes(*size)) + 12;
    let Some(end) = usize::try_from(end)
        .ok()
        .filter(|end| (16..=set.len()).contains(end))
    else {
        return;
    };
    let mut crc = flate2::Crc::new();
    crc.update(&set[16..end]);
    set[12..16].copy_from_slice(&crc.sum().to_be_bytes());
    repair(&mut set[end..]);
}

fuzz_target!(|input: &[u8]| {
    let mut set = input.to_vec();
    for _ in 0..2 {
        for entry in Batches::new(Bytes::from(set.clone())).map_while(Result::ok) {
            if let Entry::Legacy(entry) = entry {
                read(&entry);
            }
        }
        repair(&mut set);
    }
});
