//! Damaged batches, behind a checksum that is right: valid records or a named error, never a panic.

use bytes::Bytes;
use kafka_wire::batch::{
    BatchBuilder, BatchHeader, Codec, Entry, LegacyEntry, RawBatch, recompute_crc,
};
use kafka_wire::record::{DecodeProblem, RecordDecoder};
use proptest::prelude::*;

use crate::support::{LIMIT, Owned, codec, collect, encoded, entry_records, options, record_set};

/// The batch with another payload, and length and checksum to go with it.
fn with_payload(batch: &RawBatch, payload: &[u8]) -> RawBatch {
    let mut header = *batch.header_bytes();
    let length = i32::try_from(payload.len() + 49).unwrap();
    header[8..12].copy_from_slice(&length.to_be_bytes());
    recompute_crc(&mut header, payload);
    RawBatch::parse([&header[..], payload].concat().into()).unwrap()
}

/// If anything is read, it has the structure that the header promises.
fn check_structure(batch: &RawBatch) -> Result<(), TestCaseError> {
    if let Ok(records) = entry_records(&Entry::Batch(batch.clone())) {
        prop_assert_eq!(records.len(), batch.info().records as usize);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_byte_gives_records_or_an_error(
        records in record_set(),
        codec in codec(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 20),
    ) {
        let batch = encoded(&records, &options(codec));
        for (place, bits) in flips {
            // With the old checksum it is found.
            let mut bytes = batch.bytes().to_vec();
            let place = 61 + place.index(bytes.len() - 61);
            bytes[place] ^= bits;
            let damaged = RawBatch::parse(bytes.clone().into()).unwrap();
            let error = RecordDecoder::new().batch(&damaged, LIMIT).err().map(|error| error.problem);
            prop_assert_eq!(error, Some(DecodeProblem::Checksum));
            // With a new one it is up to the codec and the records.
            check_structure(&with_payload(&batch, &bytes[61..]))?;
        }
    }

    #[test]
    fn a_cut_payload_is_an_error(
        records in record_set(),
        codec in codec(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 20),
    ) {
        let batch = encoded(&records, &options(codec));
        let payload = batch.payload();
        for cut in cuts {
            let cut = with_payload(&batch, &payload[..cut.index(payload.len())]);
            prop_assert!(entry_records(&Entry::Batch(cut)).is_err());
        }
    }

    #[test]
    fn any_bytes_as_a_payload_give_records_or_an_error(
        payload: Vec<u8>,
        codec in 0..8_i16,
        count in 0..5_i32,
    ) {
        let batch = BatchBuilder::new(3).attributes(codec).raw_payload(payload).records_count(count);
        check_structure(&RawBatch::parse(batch.build()).unwrap())?;
    }

    #[test]
    fn any_bytes_as_a_message_set_give_records_or_an_error(
        content in prop::collection::vec(any::<u8>(), 10..300),
        attributes in 0..16_u8,
        magic in 0..2_u8,
    ) {
        let entry = legacy(magic, attributes, &content);
        let _ = RecordDecoder::new().legacy(&entry, LIMIT).map(collect);
    }
}

/// A message whose checksum is right, whatever the rest is.
fn legacy(magic: u8, attributes: u8, content: &[u8]) -> LegacyEntry {
    let body = [&[magic, attributes], content].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&body);
    let size = i32::try_from(body.len() + 4).unwrap();
    let bytes = [
        &7_i64.to_be_bytes()[..],
        &size.to_be_bytes(),
        &crc.sum().to_be_bytes(),
        &body,
    ]
    .concat();
    LegacyEntry {
        magic,
        offset: 7,
        size: bytes.len() as u32,
        bytes: Bytes::from(bytes),
    }
}

fn problem(builder: &BatchBuilder) -> String {
    let batch = RawBatch::parse(builder.build()).unwrap();
    entry_records(&Entry::Batch(batch)).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let two = || {
        BatchBuilder::new(40)
            .record(Some(b"k"), Some(b"v"))
            .record(None, None)
    };
    let begin = "the batch at offset 40 cannot be decoded: ";
    let cases = [
        (
            two().records_count(3),
            "record 2 is malformed at its length",
        ),
        (
            two().records_count(1),
            "7 bytes are left over behind its last record",
        ),
        (
            two().raw_payload(vec![0x0a, 0, 0, 0, 1, 0x40]),
            "record 0 is malformed at the length of its value",
        ),
        (
            two().raw_payload(vec![0x0c, 0, 0, 0, 1, 1, 0x02]),
            "record 0 is malformed at the length of a header's key",
        ),
        (
            two().raw_payload(vec![0x0e, 0, 0, 0, 1, 1, 0, 0]),
            "record 0 is malformed at the end, which lies behind its last header",
        ),
        (
            two().raw_payload(vec![0x0c, 0, 0, 0, 1, 1, 1]),
            "record 0 is malformed at the number of its headers",
        ),
        (
            two().raw_payload(vec![0x80; 10]),
            "record 0 is malformed at its length",
        ),
        (
            two().raw_payload(vec![0x7e, 0]),
            "record 0 is malformed at its length, which exceeds the batch",
        ),
        (
            two().raw_payload(vec![0x0c, 0, 0, 0x7f, 1, 1, 0]),
            "record 0 is malformed at its offset",
        ),
        (
            two().attributes(4),
            "the zstd payload is damaged: not a zstd frame, or its checksum is wrong",
        ),
        (two().attributes(7), "codec number 7 is unknown to Kafka"),
    ];
    for (builder, expected) in cases {
        assert_eq!(problem(&builder), format!("{begin}{expected}"));
    }
}

#[test]
fn an_emptied_batch_has_no_records_in_any_codec() {
    for codec in 0..5 {
        let batch = BatchBuilder::new(0)
            .attributes(codec)
            .last_offset_delta(9)
            .build();
        let entry = Entry::Batch(RawBatch::parse(batch).unwrap());
        assert_eq!(entry_records(&entry).unwrap(), []);
    }
}

#[test]
fn a_record_without_header_value_and_with_keys_of_any_bytes_comes_through() {
    let record = Owned {
        timestamp: i64::MIN,
        key: Some(vec![]),
        value: None,
        headers: vec![
            (vec![], None),
            (vec![0xff, 0xfe], Some(vec![])),
            (vec![0xff, 0xfe], None),
            (vec![], Some(vec![0])),
        ],
    };
    let later = Owned {
        timestamp: i64::MAX,
        ..record.clone()
    };
    let records = [record, later];
    for codec in crate::support::CODECS {
        assert_eq!(
            crate::support::decoded(&encoded(&records, &options(codec))),
            records
        );
    }
}

#[test]
fn ten_thousand_headers_come_through() {
    let header = |n: u32| {
        (
            format!("h{}", n % 7).into_bytes(),
            (!n.is_multiple_of(3)).then(|| n.to_be_bytes().to_vec()),
        )
    };
    let record = Owned {
        timestamp: 5,
        key: None,
        value: Some(vec![1; 10]),
        headers: (0..10_000).map(header).collect(),
    };
    let records = [record];
    assert_eq!(
        crate::support::decoded(&encoded(&records, &options(Codec::Lz4))),
        records
    );
}

#[test]
fn message_sets_that_contradict_themselves_are_named() {
    let null = (-1_i32).to_be_bytes();
    let cases = [
        (
            legacy(0, 1, &[null, null].concat()),
            "the compressed message is empty",
        ),
        (
            legacy(0, 4, &[null, null].concat()),
            "messages in old formats are not compressed with zstd",
        ),
        (
            legacy(0, 0, &[&null[..], &null, &[1]].concat()),
            "message 0 is malformed at the end, which lies behind its value",
        ),
        (
            legacy(1, 0, &[null, null].concat()),
            "message 0 is malformed at the length of its key",
        ),
        (
            legacy(0, 0, &[(-2_i32).to_be_bytes(), null].concat()),
            "message 0 is malformed at the length of its key",
        ),
    ];
    for (entry, expected) in cases {
        let error = RecordDecoder::new().legacy(&entry, LIMIT).err().unwrap();
        assert_eq!(
            error.to_string(),
            format!("the batch at offset 7 cannot be decoded: {expected}")
        );
    }
}

#[test]
fn a_wrapper_within_a_wrapper_is_refused_and_offsets_are_held_against_it() {
    let null = (-1_i32).to_be_bytes();
    let wrapped = |attributes: u8, inner_offset: i64| {
        let mut inner = legacy(1, attributes, &[&[0; 8][..], &null, &null].concat())
            .bytes
            .to_vec();
        inner[..8].copy_from_slice(&inner_offset.to_be_bytes());
        let compression = kafka_wire::record::Compression::new(Codec::Gzip).unwrap();
        let value = kafka_wire::record::Compressor::new()
            .compress(compression, &inner)
            .to_vec();
        let length = i32::try_from(value.len()).unwrap().to_be_bytes();
        legacy(1, 1, &[&[0; 8][..], &null, &length, &value].concat())
    };
    let records = |entry: &LegacyEntry| entry_records(&Entry::Legacy(entry.clone()));
    assert_eq!(records(&wrapped(0, 0)).unwrap()[0].0, 7);
    let nested = records(&wrapped(1, 0)).unwrap_err().to_string();
    assert!(
        nested.ends_with("message 0 within a compressed message is compressed itself"),
        "{nested}"
    );
    let offset = records(&wrapped(0, 8)).unwrap_err().to_string();
    assert!(
        offset.ends_with("the compressed message stands at offset 7 and holds one with number 8"),
        "{offset}"
    );
    // A writer that never set the wrapper's offset.
    let mut unset = wrapped(0, 3);
    let mut bytes = unset.bytes.to_vec();
    bytes[..8].fill(0);
    (unset.bytes, unset.offset) = (bytes.into(), 0);
    assert_eq!(records(&unset).unwrap()[0].0, 3);
}

#[test]
fn a_bomb_is_an_error_of_its_batch() {
    let record = Owned {
        timestamp: 0,
        key: None,
        value: Some(vec![0; 5_000_000]),
        headers: vec![],
    };
    for codec in crate::support::CODECS {
        let batch = encoded(std::slice::from_ref(&record), &options(codec));
        let mut decoder = RecordDecoder::new();
        let error = decoder.batch(&batch, 1_000_000).err().unwrap();
        assert!(
            error
                .to_string()
                .contains("expands to more than the allowed 1000000"),
            "{error}"
        );
        assert!(BatchHeader::of(batch.bytes()).is_some());
        // The next batch is not affected.
        let small = encoded(
            &[Owned {
                value: None,
                ..record.clone()
            }],
            &options(codec),
        );
        assert_eq!(decoder.batch(&small, 1_000_000).unwrap().count(), 1);
    }
}
