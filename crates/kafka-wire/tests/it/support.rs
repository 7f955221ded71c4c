//! Records that own their bytes, made by chance, and their way in and out of batches.

use kafka_wire::batch::{Codec, Entry, RawBatch};
use kafka_wire::record::{
    BatchEncoder, BatchOptions, Compression, DecodeError, Header, HeaderBuffer, Record,
    RecordDecoder, Records,
};
use proptest::prelude::*;

/// Enough for every batch of these tests.
pub(crate) const LIMIT: usize = 16 * 1024 * 1024;

pub(crate) const CODECS: [Codec; 5] = [
    Codec::None,
    Codec::Gzip,
    Codec::Snappy,
    Codec::Lz4,
    Codec::Zstd,
];

/// What a reader sees of a record, but for its offset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Owned {
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl From<&Record<'_>> for Owned {
    fn from(record: &Record<'_>) -> Self {
        let headers = record.headers().iter();
        Self {
            timestamp: record.timestamp(),
            key: record.key().map(<[u8]>::to_vec),
            value: record.value().map(<[u8]>::to_vec),
            headers: headers
                .map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec)))
                .collect(),
        }
    }
}

impl Owned {
    /// Adds it to a batch.
    pub(crate) fn push(&self, encoder: &mut BatchEncoder) {
        let mut headers = HeaderBuffer::new();
        for (key, value) in &self.headers {
            let value = value.as_deref();
            headers.push(Header { key, value });
        }
        let (key, value) = (self.key.as_deref(), self.value.as_deref());
        let record = Record::new(0, self.timestamp, key, value, headers.headers());
        encoder.push(&record).unwrap();
    }
}

pub(crate) fn options(codec: Codec) -> BatchOptions {
    BatchOptions::new(Compression::new(codec).unwrap())
}

/// A batch of records.
pub(crate) fn encoded(records: &[Owned], options: &BatchOptions) -> RawBatch {
    let mut encoder = BatchEncoder::new();
    for record in records {
        record.push(&mut encoder);
    }
    encoder.finish(options).unwrap().batch
}

/// Offsets and records of what is read.
pub(crate) fn collect(records: Records<'_>) -> Result<Vec<(i64, Owned)>, DecodeError> {
    records
        .map(|record| record.map(|record| (record.offset(), Owned::from(&record))))
        .collect()
}

/// The records of a batch.
pub(crate) fn decoded(batch: &RawBatch) -> Vec<Owned> {
    let mut decoder = RecordDecoder::new();
    let records = collect(decoder.batch(batch, LIMIT).unwrap()).unwrap();
    let offsets: Vec<_> = records.iter().map(|(offset, _)| *offset).collect();
    let info = batch.info();
    let whole: Vec<_> = (info.base_offset..=info.last_offset).collect();
    assert_eq!(offsets, whole, "a batch without holes");
    records.into_iter().map(|(_, record)| record).collect()
}

/// Offsets and records of an entry in any format.
pub(crate) fn entry_records(entry: &Entry) -> Result<Vec<(i64, Owned)>, DecodeError> {
    let mut decoder = RecordDecoder::new();
    match entry {
        Entry::Batch(batch) => collect(decoder.batch(batch, LIMIT)?),
        Entry::Legacy(entry) => collect(decoder.legacy(entry, LIMIT)?),
    }
}

fn bytestring(longest: usize) -> impl Strategy<Value = Option<Vec<u8>>> {
    let chance = prop::collection::vec(any::<u8>(), 0..40);
    // Compressible, and sometimes larger than a block.
    let repeated = (any::<u8>(), 0..longest).prop_map(|(byte, length)| vec![byte; length]);
    prop::option::of(prop_oneof![4 => chance, 1 => repeated])
}

fn time() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => 1_700_000_000_000..1_700_000_100_000_i64,
        1 => Just(-1),
        // Nothing that a producer does, but nothing that a broker refuses either.
        1 => any::<i64>(),
    ]
}

pub(crate) fn record() -> impl Strategy<Value = Owned> {
    let header = (prop::collection::vec(any::<u8>(), 0..5), bytestring(200));
    let headers = prop_oneof![
        3 => Just(Vec::new()),
        2 => prop::collection::vec(header, 0..6),
    ];
    (time(), bytestring(300), bytestring(40_000), headers).prop_map(
        |(timestamp, key, value, headers)| Owned {
            timestamp,
            key,
            value,
            headers,
        },
    )
}

pub(crate) fn record_set() -> impl Strategy<Value = Vec<Owned>> {
    prop::collection::vec(record(), 1..25)
}

pub(crate) fn codec() -> impl Strategy<Value = Codec> {
    prop::sample::select(CODECS.to_vec())
}
