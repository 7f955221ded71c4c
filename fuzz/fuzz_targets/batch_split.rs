//! Any bytes as the record set of a partition: splitting ends, loses nothing and adds nothing.
//!
//! Promises tried: no panic; entries, remainder and nothing else make up the input, in order; what
//! comes out is consistent with itself; a shorter input gives a prefix.
#![no_main]

use bytes::Bytes;
use kafka_wire::batch::{
    AbortedFilter, AbortedTransaction, Batches, Entry, PassLimits, RawBatch, control_type, passage,
};
use libfuzzer_sys::fuzz_target;

fn sizes(record_set: Bytes) -> Vec<usize> {
    Batches::new(record_set)
        .filter_map(Result::ok)
        .map(|entry| match entry {
            Entry::Batch(batch) => batch.bytes().len(),
            Entry::Legacy(entry) => entry.size as usize,
        })
        .collect()
}

fuzz_target!(|input: &[u8]| {
    let set = Bytes::copy_from_slice(input);
    let mut entries = Batches::new(set.clone());
    let mut position = 0;
    let aborted = [0, 1, 2].map(|producer_id| AbortedTransaction {
        producer_id,
        first_offset: 1,
    });
    let mut filter = AbortedFilter::new(aborted.to_vec());
    for entry in entries.by_ref() {
        match entry {
            Ok(Entry::Batch(batch)) => {
                assert_eq!(
                    batch.bytes(),
                    &set[position..position + batch.bytes().len()]
                );
                position += batch.bytes().len();
                let info = batch.info();
                assert!(info.base_offset >= 0 && info.base_offset <= info.last_offset);
                assert!(info.offsets() >= 1);
                let _ = passage(info, &PassLimits::default());
                filter.on_batch(info, control_type(&batch).ok().flatten());
                let again = RawBatch::parse(batch.bytes().clone()).expect("it was read before");
                assert_eq!(again.info(), info);
            }
            Ok(Entry::Legacy(entry)) => {
                assert!(entry.magic <= 1);
                position += entry.size as usize;
            }
            Err(error) => assert_eq!(error.position, position),
        }
    }
    assert_eq!(entries.remainder(), &set[position..]);
    if let Some(cut_off) = entries.cut_off() {
        assert_eq!(
            (cut_off.position, cut_off.available),
            (position, set.len() - position)
        );
        assert!(
            cut_off
                .claimed
                .is_none_or(|size| size as usize > cut_off.available)
        );
    }
    let whole = sizes(set.clone());
    assert!(whole.starts_with(&sizes(set.slice(..set.len() / 2))));
});
