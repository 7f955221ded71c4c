//! What a source's answer costs before it is written: `cargo bench -p replication`. The header view is used from another crate here than
//! the one that it is in, so what is not inlined across crates shows, as it would in the product.
//!
//! Not here: what a step alone costs (`kafka-wire`'s benches), sockets, and brokers (`cargo xtask bench`).

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kafka_wire::batch::{
    BatchBuilder, Batches, Entry, Identity, PassLimits, Passage, passage, rewrite_header,
};
use kafka_wire::types::ProducerIdentity;

/// Batches of an answer.
const BATCHES: u64 = 64;

/// An answer with so many batches of this many records of 1 KB.
fn answer(records: usize) -> Bytes {
    let value = vec![b'v'; 1000];
    let mut answer = BytesMut::new();
    let mut offset = 0;
    for _ in 0..BATCHES {
        let records = (0..records).map(|_| (Some(&b"key"[..]), Some(&value[..])));
        let batch = BatchBuilder::new(offset).records(records).build();
        offset += 64;
        answer.extend_from_slice(&batch);
    }
    answer.freeze()
}

fn answers(criterion: &mut Criterion) {
    let limits = PassLimits {
        max_message_bytes: Some(1_048_588),
        first_offset: None,
        keep_append_time: false,
    };
    let producer = ProducerIdentity { id: 7, epoch: 1 };
    let mut group = criterion.benchmark_group("split, judge and rewrite 64 batches");
    group.throughput(Throughput::Elements(BATCHES));
    for records in [1, 64] {
        let answer = answer(records);
        group.bench_function(format!("of {records} records"), |bencher| {
            bencher.iter(|| {
                let mut sequence = 0;
                for entry in Batches::new(black_box(answer.clone())) {
                    let Ok(Entry::Batch(batch)) = entry else {
                        panic!("a batch was built");
                    };
                    assert_eq!(passage(batch.info(), &limits), Passage::Untouched);
                    let identity = Identity::new(producer, sequence);
                    black_box(rewrite_header(batch.header_bytes(), identity, false));
                    sequence += batch.header().records_count();
                }
            });
        });
    }
    group.finish();
}

criterion_group!(all, answers);
criterion_main!(all);
