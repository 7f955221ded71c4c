//! Any records, through any codec and any way of being decoded and encoded, come out equal and in order.

use kafka_wire::batch::{BatchBuilder, Identity, RawBatch, verify_crc};
use kafka_wire::record::{
    BatchEncoder, BatchOptions, Compression, EncodeError, Encoded, Header, HeaderBuffer, OffsetRun,
    RecordDecoder, SplitFailure, Splitter, merge,
};
use kafka_wire::types::ProducerIdentity;
use proptest::prelude::*;

use crate::support::{CODECS, LIMIT, Owned, codec, decoded, encoded, options, record, record_set};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_encoded_is_decoded_equal(records in record_set(), codec in codec()) {
        let batch = encoded(&records, &options(codec));
        prop_assert!(verify_crc(batch.bytes()));
        prop_assert_eq!(batch.header().codec(), codec);
        let latest = records.iter().map(|record| record.timestamp).max();
        prop_assert_eq!(Some(batch.info().max_timestamp), latest);
        prop_assert_eq!(decoded(&batch), records);
    }

    #[test]
    fn a_batch_goes_from_any_codec_to_any_codec(
        records in record_set(),
        from in codec(),
        to in codec(),
    ) {
        let batch = encoded(&records, &options(from));
        let mut decoder = RecordDecoder::new();
        let mut encoder = BatchEncoder::new();
        encoder.extend(decoder.batch(&batch, LIMIT).unwrap()).unwrap();
        let again = encoder.finish(&options(to)).unwrap().batch;
        prop_assert_eq!(decoded(&again), records);
    }

    #[test]
    fn a_batch_without_some_of_its_records_has_the_others(
        records in record_set(),
        kept in any::<u32>(),
        codec in codec(),
    ) {
        let batch = encoded(&records, &options(codec));
        let is_kept = |place: usize| kept >> (place % 32) & 1 == 1;
        let mut decoder = RecordDecoder::new();
        let mut encoder = BatchEncoder::new();
        let thinned = decoder
            .batch(&batch, LIMIT)
            .unwrap()
            .filter(|record| record.as_ref().is_ok_and(|record| is_kept(record.offset() as usize)));
        encoder.extend(thinned).unwrap();
        let expected: Vec<_> = records
            .into_iter()
            .enumerate()
            .filter_map(|(place, record)| is_kept(place).then_some(record))
            .collect();
        match encoder.finish(&options(codec)) {
            Ok(made) => prop_assert_eq!(decoded(&made.batch), expected),
            Err(error) => {
                prop_assert_eq!(error, EncodeError::Empty);
                prop_assert!(expected.is_empty());
            }
        }
    }

    #[test]
    fn merged_batches_hold_all_records_in_order(
        sets in prop::collection::vec(prop::collection::vec(record(), 1..6), 1..6),
        codecs in prop::collection::vec(codec(), 6),
        to in codec(),
    ) {
        let sources = sets.iter().zip(codecs);
        let batches: Vec<_> = sources.map(|(set, codec)| encoded(set, &options(codec))).collect();
        let mut decoder = RecordDecoder::new();
        let mut encoder = BatchEncoder::new();
        let merged = merge(&mut decoder, &mut encoder, &batches, &options(to), LIMIT).unwrap().batch;
        prop_assert_eq!(decoded(&merged), sets.concat());
    }

    #[test]
    fn parts_are_below_the_limit_and_hold_all_records_in_order(
        records in record_set(),
        codec in codec(),
        limit in 100..200_000_usize,
    ) {
        let batch = encoded(&records, &options(codec));
        let (parts, too_large) = split(&batch, limit);
        let mut whole: Vec<Owned> = Vec::new();
        let mut left = too_large.iter().peekable();
        let mut next = 0;
        for (part, first, last) in &parts {
            prop_assert!(part.bytes().len() <= limit);
            while left.next_if(|&&offset| offset == next).is_some() {
                next += 1;
            }
            prop_assert_eq!(*first, next);
            next = last + 1;
            whole.extend(decoded(part));
        }
        next += left.count() as i64;
        prop_assert_eq!(next, records.len() as i64);
        let fitting = records.iter().enumerate();
        let fitting = fitting.filter(|(place, _)| !too_large.contains(&(*place as i64)));
        let fitting: Vec<_> = fitting.map(|(_, record)| record.clone()).collect();
        prop_assert_eq!(whole, fitting);
        // A record is too large only if it is so on its own, in every form.
        for offset in too_large {
            let alone = &records[offset as usize..=offset as usize];
            prop_assert!(encoded(alone, &options(codec)).bytes().len() > limit);
            prop_assert!(encoded(alone, &options(CODECS[0])).bytes().len() > limit);
        }
    }

    #[test]
    fn records_dropped_and_changed_on_the_way_leave_the_others_as_they_were(
        records in record_set(),
        kept in any::<u32>(),
        codec in codec(),
        limit in 200..100_000_usize,
    ) {
        let batch = encoded(&records, &options(codec));
        let is_kept = |offset: i64| kept >> (offset % 32) & 1 == 1;
        let mut decoder = RecordDecoder::new();
        let mut encoder = BatchEncoder::new();
        let parts = Splitter::with_change(
            decoder.batch(&batch, LIMIT).unwrap(),
            &mut encoder,
            options(codec),
            limit,
            |record, headers| {
                headers.push(Header { key: b"first", value: None });
                headers.extend(record.headers());
                is_kept(record.offset()).then(|| record.with_headers(headers.headers()))
            },
        );
        let mut seen = Vec::new();
        for part in parts {
            match part {
                Ok(part) => {
                    prop_assert!(part.batch.bytes().len() <= limit);
                    seen.extend(offsets(&part).into_iter().zip(decoded(&part.batch).into_iter().map(Some)));
                }
                Err(SplitFailure::TooLarge(record)) => seen.push((record.offset, None)),
                Err(error) => panic!("{error}"),
            }
        }
        let expected: Vec<_> = (0..records.len() as i64).filter(|&offset| is_kept(offset)).collect();
        let found: Vec<_> = seen.iter().map(|(offset, _)| *offset).collect();
        prop_assert_eq!(found, expected);
        for (offset, record) in seen {
            let Some(mut record) = record else { continue };
            prop_assert_eq!(record.headers.remove(0), (b"first".to_vec(), None));
            prop_assert_eq!(&record, &records[offset as usize]);
        }
    }

    #[test]
    fn other_headers_change_nothing_else(records in record_set(), codec in codec()) {
        let batch = encoded(&records, &options(codec));
        let mut decoder = RecordDecoder::new();
        let mut encoder = BatchEncoder::new();
        let mut headers = HeaderBuffer::new();
        for record in decoder.batch(&batch, LIMIT).unwrap() {
            let record = record.unwrap();
            headers.clear();
            headers.extend(record.headers());
            headers.push(Header { key: b"hop", value: Some(b"1") });
            prop_assert_eq!(headers.headers().last(b"hop").and_then(|header| header.value), Some(&b"1"[..]));
            encoder.push(&record.with_headers(headers.headers())).unwrap();
        }
        let expected: Vec<_> = records
            .into_iter()
            .map(|mut record| {
                record.headers.push((b"hop".to_vec(), Some(b"1".to_vec())));
                record
            })
            .collect();
        prop_assert_eq!(decoded(&encoder.finish(&options(codec)).unwrap().batch), expected);
    }
}

/// Parts with first and last offset, and the offsets of records that fit nowhere.
fn split(batch: &RawBatch, limit: usize) -> (Vec<(RawBatch, i64, i64)>, Vec<i64>) {
    let (mut parts, mut too_large) = (Vec::new(), Vec::new());
    let mut decoder = RecordDecoder::new();
    let mut encoder = BatchEncoder::new();
    let records = decoder.batch(batch, LIMIT).unwrap();
    let options = options(batch.header().codec());
    for part in Splitter::new(records, &mut encoder, options, limit) {
        match part {
            Ok(part) => {
                // All records are kept, so a part has one run.
                let [run] = part.runs[..] else {
                    panic!("{:?}", part.runs)
                };
                let last = run.offset + i64::from(run.length) - 1;
                parts.push((part.batch, run.offset, last));
            }
            Err(SplitFailure::TooLarge(record)) => too_large.push(record.offset),
            Err(error) => panic!("{error}"),
        }
    }
    (parts, too_large)
}

/// The former offset of each record of a new batch.
fn offsets(made: &Encoded) -> Vec<i64> {
    let runs = made.runs.iter();
    let offsets = runs.flat_map(|run| run.offset..run.offset + i64::from(run.length));
    let offsets: Vec<_> = offsets.collect();
    assert_eq!(offsets.len(), made.batch.info().records as usize);
    offsets
}

fn valued(value: Vec<u8>) -> Owned {
    Owned {
        timestamp: 1,
        key: None,
        value: Some(value),
        headers: Vec::new(),
    }
}

#[test]
fn a_record_that_fits_nowhere_is_told_with_its_sizes_and_the_rest_goes_on() {
    let records = [
        valued(vec![1; 10]),
        valued(
            (0..5_000_u32)
                .map(|n| (n.wrapping_mul(n) % 251) as u8)
                .collect(),
        ),
        valued(vec![3; 10]),
    ];
    let batch = encoded(&records, &options(CODECS[0]));
    let mut decoder = RecordDecoder::new();
    let mut encoder = BatchEncoder::new();
    let parts = Splitter::new(
        decoder.batch(&batch, LIMIT).unwrap(),
        &mut encoder,
        options(CODECS[0]),
        1_000,
    );
    let parts: Vec<_> = parts.collect();
    let [Ok(first), Err(failure), Ok(last)] = &parts[..] else {
        panic!("{parts:?}")
    };
    assert_eq!((offsets(first), offsets(last)), (vec![0], vec![2]));
    assert_eq!(
        failure.to_string(),
        "the record at offset 1 needs a batch of 5070 bytes (5070 uncompressed), and the destination takes \
         1000; raise the destination topic's max.message.bytes to at least 5070"
    );
}

#[test]
fn parts_of_an_even_batch_are_nearly_as_large_as_allowed() {
    let records: Vec<_> = (0..2_000_u32)
        .map(|n| {
            valued(
                format!("{n:08} {:08x} ", n.wrapping_mul(2_654_435_761))
                    .repeat(10)
                    .into(),
            )
        })
        .collect();
    for codec in CODECS {
        let batch = encoded(&records, &options(codec));
        let limit = batch.bytes().len() / 5;
        let (parts, too_large) = split(&batch, limit);
        assert!(too_large.is_empty());
        assert!(
            (5..=8).contains(&parts.len()),
            "{codec}: {} parts",
            parts.len()
        );
        let (parts, _) = split(&batch, batch.bytes().len());
        assert_eq!(parts.len(), 1, "{codec}: one batch is enough");
    }
}

#[test]
fn a_new_batch_knows_the_former_offset_of_every_record() {
    let made = |offset: i64| {
        let builder = BatchBuilder::new(offset)
            .record(None, None)
            .record(None, None);
        RawBatch::parse(builder.build()).unwrap()
    };
    let (mut decoder, mut encoder) = (RecordDecoder::new(), BatchEncoder::new());
    let batches = [made(10), made(12), made(20)];
    let merged = merge(
        &mut decoder,
        &mut encoder,
        &batches,
        &options(CODECS[0]),
        LIMIT,
    )
    .unwrap();
    let runs = [(10, 4), (20, 2)].map(|(offset, length)| OffsetRun { offset, length });
    assert_eq!(merged.runs, runs);
    assert_eq!(offsets(&merged), [10, 11, 12, 13, 20, 21]);
    // The next batch begins anew.
    let next = merge(
        &mut decoder,
        &mut encoder,
        &batches[..1],
        &options(CODECS[0]),
        LIMIT,
    )
    .unwrap();
    assert_eq!(offsets(&next), [10, 11]);
}

#[test]
fn the_header_says_what_was_asked_for() {
    let identity = Identity::new(ProducerIdentity { id: 7, epoch: 2 }, 40);
    let asked = BatchOptions {
        identity,
        transactional: true,
        append_time: Some(99),
        ..options(CODECS[4])
    };
    let batch = encoded(&[valued(vec![1]), valued(vec![2])], &asked);
    let header = batch.header();
    assert_eq!(header.attributes().0, 4 | 0x08 | 0x10);
    assert_eq!(header.max_timestamp(), 99);
    assert_eq!((header.base_offset(), header.leader_epoch()), (0, -1));
    let identity = (
        header.producer_id(),
        header.producer_epoch(),
        header.base_sequence(),
    );
    assert_eq!(identity, (7, 2, 40));
    assert_eq!((header.records_count(), header.last_offset_delta()), (2, 1));
    assert!(decoded(&batch).iter().all(|record| record.timestamp == 99));
}

#[test]
fn append_times_become_the_records_own() {
    let told = BatchOptions {
        append_time: Some(99),
        ..options(CODECS[3])
    };
    let batch = encoded(&[valued(vec![1]), valued(vec![2])], &told);
    let mut decoder = RecordDecoder::new();
    let mut encoder = BatchEncoder::new();
    encoder
        .extend(decoder.batch(&batch, LIMIT).unwrap())
        .unwrap();
    let copy = encoder.finish(&options(CODECS[3])).unwrap().batch;
    assert!(!copy.header().has_log_append_time());
    assert!(decoded(&copy).iter().all(|record| record.timestamp == 99));
}

#[test]
fn levels_are_those_of_kafka() {
    for (codec, default, lowest, highest) in [(1, 6, 1, 9), (3, 9, 1, 17), (4, 3, -131_072, 22)] {
        let compression = Compression::new(CODECS[codec]).unwrap();
        assert_eq!(compression.level(), default);
        for level in [lowest, highest] {
            let records = [valued(vec![7; 1_000])];
            let at_level = BatchOptions::new(compression.with_level(level).unwrap());
            assert_eq!(decoded(&encoded(&records, &at_level)), records);
        }
        assert!(compression.with_level(lowest - 1).is_err());
        let error = compression.with_level(highest + 1).unwrap_err().to_string();
        assert!(
            error.contains(&format!("allowed are {lowest} to {highest}")),
            "{error}"
        );
    }
    let snappy = Compression::new(CODECS[2]).unwrap();
    assert_eq!(
        snappy.with_level(1).unwrap_err().to_string(),
        "snappy has no level 1; it has no levels"
    );
}
