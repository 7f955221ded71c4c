//! Batches with every obstacle, and what becomes of their records.

use bytes::Bytes;
use kafka_wire::batch::{BatchBuilder, BatchHeader, BuiltRecord, records, verify_crc};
use kafka_wire::batch::{BatchInfo, Identity, rewrite_header};
use kafka_wire::record::RecordDecoder;
use kafka_wire::types::ProducerIdentity;

use super::*;
use crate::data_plane::recovery::{Landed, Recovery};
use crate::side::Destination;

/// `count` records with different values at offsets from `base` on.
fn batch(base: i64, count: usize) -> RawBatch {
    let values: Vec<String> = (0..count).map(|n| format!("value {n} of {base}")).collect();
    let builder = values.iter().fold(BatchBuilder::new(base), |b, value| {
        b.record(Some(b"key"), Some(value.as_bytes()))
    });
    RawBatch::parse(builder.leader_epoch(4).build()).expect("well formed")
}

/// The same records in another codec, at other offsets: what the cleaner leaves.
fn made(codec: Codec, batch: &RawBatch, keep: impl Fn(i64) -> bool) -> RawBatch {
    let mut decoder = RecordDecoder::new();
    let mut encoder = BatchEncoder::new();
    for record in decoder.batch(batch, DECOMPRESSED).expect("whole") {
        let record = record.expect("readable");
        if keep(record.offset()) {
            encoder.push(&record).expect("small");
        }
    }
    let made = encoder
        .finish(&Rules::default().options(codec))
        .expect("some are left");
    // At the offsets of the source, which are not part of the checksum.
    let mut bytes = made.batch.bytes().to_vec();
    bytes[..8].copy_from_slice(&batch.info().base_offset.to_be_bytes());
    RawBatch::parse(bytes.into()).expect("well formed")
}

/// Keys, values and times, in order.
fn contents(batch: &RawBatch) -> Vec<(Option<Bytes>, Option<Bytes>, i64)> {
    let mut decoder = RecordDecoder::new();
    let owned = |part: Option<&[u8]>| part.map(Bytes::copy_from_slice);
    decoder
        .batch(batch, DECOMPRESSED)
        .expect("whole")
        .map(|record| {
            let record = record.expect("readable");
            (
                owned(record.key()),
                owned(record.value()),
                record.timestamp(),
            )
        })
        .collect()
}

fn limited(limit: u32) -> Rules {
    Rules {
        max_message_bytes: Some(limit),
        ..Rules::default()
    }
}

/// First and last source offset and `next` of each part; all records are those of the source, in order.
fn check(
    source: &RawBatch,
    reason: DecodeReason,
    from: i64,
    rules: &Rules,
    expected: &[(i64, i64, i64)],
) {
    let parts = Decoder::default()
        .reshape(source, reason, from, rules)
        .expect("it can be decoded");
    let found: Vec<_> = parts
        .iter()
        .map(|part| (part.first_offset(), part.last_offset(), part.next))
        .collect();
    assert_eq!(found, expected);
    let mut made = Vec::new();
    for part in &parts {
        assert!(verify_crc(part.batch.bytes()));
        let header = BatchHeader::new(part.batch.header_bytes());
        assert_eq!(header.codec(), source.header().codec());
        assert_eq!(header.records_count(), header.last_offset_delta() + 1);
        let mut offsets = 0;
        part.each_run(0, |run| offsets += run.length);
        assert_eq!(offsets, part.offsets(), "as many offsets as records");
        assert_eq!(part.reason(), Some(reason));
        made.extend(contents(&part.batch));
    }
    let all = contents(source);
    assert_eq!(made, all[all.len() - made.len()..]);
}

#[test]
fn a_batch_begun_inside_keeps_the_records_behind_the_beginning() {
    for codec in [
        Codec::None,
        Codec::Zstd,
        Codec::Lz4,
        Codec::Snappy,
        Codec::Gzip,
    ] {
        let source = made(codec, &batch(100, 10), |_| true);
        let rules = Rules::default();
        check(
            &source,
            DecodeReason::BegunInside,
            104,
            &rules,
            &[(104, 109, 110)],
        );
    }
}

#[test]
fn records_that_the_cleaner_left_are_numbered_anew_and_their_offsets_are_known() {
    let builder = BatchBuilder::new(3)
        .record(Some(b"a"), Some(b"1"))
        .record(Some(b"b"), None)
        .record(Some(b"c"), Some(b""))
        .last_offset_delta(9);
    let source = RawBatch::parse(builder.build()).expect("well formed");
    let parts = Decoder::default()
        .reshape(&source, DecodeReason::Thinned, 0, &Rules::default())
        .expect("it can be decoded");
    assert_eq!(parts.len(), 1);
    assert_eq!(parts[0].next, 13, "behind the batch as it was");
    assert_eq!(contents(&parts[0].batch), contents(&source));
}

#[test]
fn a_batch_that_is_too_large_comes_in_the_same_parts_wherever_reading_begins() {
    let source = batch(50, 12);
    let rules = limited(u32::try_from(source.bytes().len() / 3).expect("small"));
    let parts = Decoder::default()
        .reshape(&source, DecodeReason::TooLarge, 50, &rules)
        .expect("it can be decoded");
    assert!(parts.len() >= 3);
    assert!(
        parts
            .iter()
            .all(|part| part.size() <= source.bytes().len() / 3)
    );
    assert_eq!(parts.last().map(|part| part.next), Some(62));
    for begin in 1..parts.len() {
        let from = parts[begin].first_offset();
        assert_eq!(from, parts[begin - 1].next);
        let again = Decoder::default()
            .reshape(&source, DecodeReason::BegunInside, from, &rules)
            .expect("it can be decoded");
        let bytes = |parts: &[PipedBatch]| -> Vec<Bytes> {
            parts
                .iter()
                .map(|part| part.batch.bytes().clone())
                .collect()
        };
        assert_eq!(bytes(&again), bytes(&parts[begin..]));
    }
    // Anywhere else it is cut once, and what is left divided.
    let from = parts[1].first_offset() + 1;
    let trimmed = Decoder::default()
        .reshape(&source, DecodeReason::BegunInside, from, &rules)
        .expect("it can be decoded");
    assert_eq!(trimmed[0].first_offset(), from);
}

#[test]
fn a_record_that_is_too_large_alone_is_named_with_what_it_needs() {
    let source = batch(50, 3);
    let blocked = Decoder::default()
        .reshape(&source, DecodeReason::TooLarge, 0, &limited(70))
        .expect_err("no record fits");
    assert_eq!((blocked.offset, blocked.cause), (50, Cause::Refused));
    assert!(
        blocked.reason.contains("max.message.bytes"),
        "{}",
        blocked.reason
    );
    // Where the limit is a guess the destination is asked.
    let guessed = Rules {
        limit_is_guessed: true,
        ..limited(70)
    };
    let one = [(50, 50, 51), (51, 51, 52), (52, 52, 53)];
    check(&source, DecodeReason::TooLarge, 0, &guessed, &one);
}

#[test]
fn damage_is_found_before_anything_is_encoded_anew() {
    let mut bytes = batch(5, 4).bytes().to_vec();
    let last = bytes.len() - 3;
    bytes[last] ^= 4;
    let damaged = RawBatch::parse(bytes.into()).expect("its header is whole");
    for rules in [Rules::default(), limited(80)] {
        let blocked = Decoder::default()
            .reshape(&damaged, DecodeReason::BegunInside, 7, &rules)
            .expect_err("its checksum does not fit");
        assert_eq!((blocked.offset, blocked.cause), (5, Cause::Damaged));
    }
}

#[test]
fn append_times_become_the_times_of_the_records_only_where_that_is_asked_for() {
    let builder = BatchBuilder::new(0)
        .base_timestamp(70)
        .record(None, Some(b"a"))
        .record(None, Some(b"b"))
        .attributes(kafka_wire::batch::Attributes::LOG_APPEND_TIME);
    let mut header: [u8; 61] = builder.build()[..61].try_into().expect("a header");
    header[35..43].copy_from_slice(&500_i64.to_be_bytes());
    let payload = builder.build().slice(61..);
    kafka_wire::batch::recompute_crc(&mut header, &payload);
    let source = RawBatch::parse([&header[..], &payload].concat().into()).expect("well formed");
    let appended = Rules {
        keep_append_time: true,
        ..Rules::default()
    };
    // Otherwise as in the batches beside it, which pass untouched.
    for (reason, rules, time) in [
        (DecodeReason::AppendTime, appended, 500),
        (DecodeReason::BegunInside, Rules::default(), 70),
    ] {
        let parts = Decoder::default()
            .reshape(&source, reason, 1, &rules)
            .expect("it can be decoded");
        let header = BatchHeader::new(parts[0].batch.header_bytes());
        assert!(!header.has_log_append_time());
        for record in records(&parts[0].batch).expect("readable") {
            assert_eq!(record.timestamp, time, "{reason:?}");
        }
    }
}

/// Bytes that codecs find something in, and more of it the harder they look.
fn words(codec: Codec) -> RawBatch {
    let mut encoder = BatchEncoder::new();
    let mut text = String::new();
    for number in 0..4000_u32 {
        let word = number.wrapping_mul(2_654_435_761) >> 22;
        text.push_str(&format!("{word} of {}, ", word % 37));
    }
    for (offset, value) in (0..).zip(text.as_bytes().chunks(700)) {
        let headers = HeaderBuffer::new();
        let record = Record::new(offset, 1000, None, Some(value), headers.headers());
        encoder.push(&record).expect("small");
    }
    let made = encoder.finish(&Rules::default().options(codec));
    made.expect("records").batch
}

#[test]
fn what_is_encoded_anew_is_compressed_as_hard_as_the_destination_topic_says() {
    for (codec, low, high) in [(Codec::Gzip, 1, 9), (Codec::Zstd, -20, 19)] {
        let source = words(codec);
        let sizes = [low, high].map(|level| {
            let rules = Rules {
                levels: Levels::default().with(codec, level).expect("a level"),
                ..Rules::default()
            };
            let reason = DecodeReason::Renumbered;
            let made = Decoder::default().reshape(&source, reason, 0, &rules);
            let made = made.expect("it can be decoded");
            assert_eq!(contents(&made[0].batch), contents(&source));
            made[0].size()
        });
        assert!(sizes[0] > source.bytes().len(), "{codec}: {sizes:?}");
        assert!(sizes[1] < source.bytes().len(), "{codec}: {sizes:?}");
    }
}

/// A batch as the destination stores it.
fn landed(batch: &RawBatch) -> Landed {
    let identity = Identity::new(ProducerIdentity { id: 7, epoch: 1 }, 20);
    let header = rewrite_header(batch.header_bytes(), identity, false);
    let stored = [&header[..], &batch.payload()].concat();
    let stored: BatchInfo = *RawBatch::parse(stored.into()).expect("well formed").info();
    Landed {
        base: Destination(50),
        offsets: stored.offsets().into(),
        batch: Some(stored),
    }
}

#[test]
fn what_landed_is_recognised_at_the_levels_of_the_topic_and_at_the_usual_ones() {
    let source = words(Codec::Gzip);
    let at = |level| Levels::default().with(Codec::Gzip, level).expect("a level");
    let made = |levels| {
        let rules = Rules {
            levels,
            ..Rules::default()
        };
        let made = Decoder::default().reshape(&source, DecodeReason::Renumbered, 0, &rules);
        made.expect("it can be decoded").remove(0)
    };
    // At which level it was encoded, and at which it would be now.
    for (then, now, known) in [(9, 9, true), (6, 9, true), (9, 6, false), (1, 9, false)] {
        let stored = landed(&made(at(then)).batch);
        let mut recovery = Recovery::new(vec![stored], at(now));
        let read_again = PipedBatch::untouched(source.clone());
        let outcome = recovery.take(read_again, &mut Decoder::default());
        assert_eq!(outcome.found.len(), usize::from(known), "{then} and {now}");
        // What is not recognised is sent, and the records that may be there twice are told.
        assert_eq!(outcome.missing.len(), usize::from(!known));
        assert_eq!(outcome.repeated == 0, known);
    }
}

#[test]
fn records_that_are_too_large_for_what_landed_are_not_gathered_until_there_are_as_many() {
    let merged = batch(0, 1000);
    let mut recovery = Recovery::new(vec![landed(&merged)], Levels::default());
    let large = |offset| {
        let value = vec![b'v'; 100_000];
        let builder = BatchBuilder::new(offset).record(None, Some(&value));
        let batch = RawBatch::parse(builder.build()).expect("well formed");
        PipedBatch::untouched(batch)
    };
    let mut decoder = Decoder::default();
    let mut outcomes = (0..1000).map(|offset| recovery.take(large(offset), &mut decoder));
    let outcome = outcomes.find(|outcome| outcome.repeated > 0);
    let outcome = outcome.expect("they are not what landed");
    assert_eq!(outcome.repeated, 1000);
    assert_eq!(outcome.missing.len(), 21, "two MiB, and the last one");
}

/// Two records with these times, the second behind `missing` offsets without one.
fn two(base: i64, missing: i32, times: [i64; 2]) -> RawBatch {
    let record = |offset_delta, timestamp_delta| BuiltRecord {
        offset_delta: Some(offset_delta),
        timestamp_delta,
        value: Some(b"value".to_vec()),
        ..BuiltRecord::default()
    };
    let builder = BatchBuilder::new(base)
        .full_record(record(0, times[0]))
        .full_record(record(missing + 1, times[1]));
    RawBatch::parse(builder.build()).expect("well formed")
}

#[test]
fn where_only_numbers_can_be_compared_later_records_are_not_taken_for_those_that_landed() {
    let sent = PipedBatch::untouched(two(0, 0, [10, 20]));
    let longer = batch(0, 2);
    // As it was, and others as a filter lets them through that was changed meanwhile: newer, or of another size.
    for (again, known) in [
        (two(0, 0, [10, 20]), true),
        (two(2, 0, [30, 40]), false),
        (longer, false),
    ] {
        let mut recovery = Recovery::new(vec![landed(&sent.batch)], Levels::default());
        recovery.go_by_numbers();
        let read_again = PipedBatch::untouched(again);
        let outcome = recovery.take(read_again, &mut Decoder::default());
        assert_eq!(outcome.found.len(), usize::from(known));
        assert_eq!(outcome.missing.len(), usize::from(!known));
        assert_eq!(outcome.repeated, if known { 0 } else { 2 });
    }
}

#[test]
fn a_copy_that_fills_a_hole_is_known_by_the_record_it_is_a_copy_of() {
    let source = two(10, 2, [0, 0]);
    let whole = Decoder::default()
        .fill(&source, 8, 10, &Rules::default())
        .expect("it can be decoded");
    let offsets = |part: &PipedBatch| -> Vec<Option<i64>> {
        (0..=part.offsets()).map(|at| part.offset_at(at)).collect()
    };
    let expected = [10, 10, 10, 13, 13, 13].map(Some);
    assert_eq!(offsets(&whole[0]), [&expected[..], &[None]].concat());
    // Also where the copies are in another batch than the record.
    let parts = Decoder::default()
        .fill(&source, 8, 10, &limited(100))
        .expect("it can be decoded");
    let found: Vec<_> = parts.iter().flat_map(offsets).flatten().collect();
    assert_eq!(found, [10, 10, 10, 13, 13, 13]);
    assert!(parts.len() > 2);
}
