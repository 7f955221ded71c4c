//! What is done to a batch on its way, one step at a time: `cargo bench -p kafka-wire`.
//!
//! The first four are paid by every batch that passes untouched and read headers only, whatever a batch's size. The last two
//! are what decoding costs in their place.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kafka_wire::batch::{
    BatchBuilder, BatchHeader, Batches, Identity, RawBatch, rewrite_header, verify_crc,
};
use kafka_wire::record::{BatchEncoder, BatchOptions, Compression, RecordDecoder};
use kafka_wire::types::ProducerIdentity;

/// Bytes of a payload, decompressed.
const LIMIT: usize = 1 << 24;

/// A batch of about 64 KiB, as 1 KB records make it.
fn batch(base_offset: i64) -> Bytes {
    let value = vec![b'v'; 1000];
    let records = (0..64).map(|_| (Some(&b"key"[..]), Some(&value[..])));
    BatchBuilder::new(base_offset).records(records).build()
}

fn headers(criterion: &mut Criterion) {
    let bytes = batch(0);
    let raw = RawBatch::parse(bytes.clone()).expect("it is whole");
    let producer = ProducerIdentity { id: 7, epoch: 1 };
    let identity = Identity::new(producer, 42);
    criterion.bench_function("header view", |bencher| {
        bencher.iter(|| {
            let header = BatchHeader::of(black_box(&bytes)).expect("it has one");
            (
                header.base_offset(),
                header.size(),
                header.last_offset(),
                header.records_count(),
            )
        });
    });
    criterion.bench_function("rewrite and patch", |bencher| {
        bencher.iter(|| rewrite_header(black_box(raw.header_bytes()), identity, false));
    });
    let mut answer = BytesMut::new();
    for number in 0..64 {
        answer.extend_from_slice(&batch(number * 64));
    }
    let answer = answer.freeze();
    let mut group = criterion.benchmark_group("split");
    group.throughput(Throughput::Elements(64));
    group.bench_function("an answer of 64 batches", |bencher| {
        bencher.iter(|| Batches::new(black_box(answer.clone())).count());
    });
    group.finish();
}

fn payloads(criterion: &mut Criterion) {
    let raw = RawBatch::parse(batch(0)).expect("it is whole");
    let mut group = criterion.benchmark_group("64 KiB");
    group.throughput(Throughput::Bytes(raw.bytes().len() as u64));
    group.bench_function("checksum over all of it", |bencher| {
        bencher.iter(|| verify_crc(black_box(raw.bytes())));
    });
    let (mut decoder, mut encoder) = (RecordDecoder::new(), BatchEncoder::new());
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            let records = decoder.batch(black_box(&raw), LIMIT).expect("it is whole");
            records
                .filter_map(Result::ok)
                .map(|record| record.offset())
                .max()
        });
    });
    group.bench_function("decode and encode, uncompressed", |bencher| {
        bencher.iter(|| {
            for record in decoder.batch(black_box(&raw), LIMIT).expect("it is whole") {
                encoder
                    .push(&record.expect("it is whole"))
                    .expect("it fits");
            }
            encoder
                .finish(&BatchOptions::new(Compression::NONE))
                .expect("there are records")
        });
    });
    group.finish();
}

criterion_group!(all, headers, payloads);
criterion_main!(all);
