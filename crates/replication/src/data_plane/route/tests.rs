//! What becomes of each kind of batch, as a table over built batches.

use kafka_wire::batch::{BatchBuilder, ControlType, control_batch};
use kafka_wire::types::ProducerIdentity;

use super::*;
use crate::data_plane::change::Changes;

mod any_case;

const PRODUCER: ProducerIdentity = ProducerIdentity { id: 9, epoch: 0 };

fn builder(base: i64, records: usize) -> BatchBuilder {
    (0..records).fold(BatchBuilder::new(base), |b, _| b.record(None, Some(b"v")))
}

fn plain(base: i64, records: usize) -> Bytes {
    builder(base, records).build()
}

fn in_transaction(base: i64, records: usize) -> Bytes {
    let builder = builder(base, records).producer(PRODUCER, 0);
    builder.transactional().build()
}

fn marker(base: i64, kind: ControlType) -> Bytes {
    control_batch(base, PRODUCER, kind)
}

/// A damaged entry of a format before the current one: 30 bytes with that magic.
fn legacy(base: i64) -> Bytes {
    let mut bytes = vec![0; 30];
    bytes[..8].copy_from_slice(&base.to_be_bytes());
    bytes[11] = 18;
    bytes[16] = 1;
    bytes.into()
}

fn aborted_at(first_offset: i64) -> AbortedTransaction {
    AbortedTransaction {
        producer_id: PRODUCER.id,
        first_offset,
    }
}

fn route_from(wanted: i64, batches: &[Bytes], aborted: &[AbortedTransaction]) -> Routed {
    route(
        batches.concat().into(),
        aborted.to_vec(),
        wanted,
        &Rules::default(),
        &mut Decoder::default(),
    )
}

/// Base offset and `next` of what is written, and where reading goes on.
fn check(routed: &Routed, written: &[(i64, i64)], next: i64) {
    let found: Vec<(i64, i64)> = routed
        .batches
        .iter()
        .map(|piped| (piped.first_offset(), piped.next))
        .collect();
    assert_eq!(
        (found.as_slice(), routed.next),
        (written, next),
        "{routed:?}"
    );
}

/// What stops reading, and where.
fn blocks(routed: &Routed, offset: i64, words: &str) {
    let blocked = routed.blocked.as_ref().expect("reading stops");
    assert_eq!(blocked.offset, offset, "{blocked:?}");
    assert!(
        blocked.reason.contains(words),
        "{words}: {}",
        blocked.reason
    );
    assert!(routed.next <= offset, "reading stays before it");
}

#[test]
fn an_empty_answer_changes_nothing() {
    let routed = route_from(5, &[], &[]);
    check(&routed, &[], 5);
    assert_eq!(routed.dropped, DroppedCount::default());
    assert!(routed.blocked.is_none());
}

#[test]
fn batches_pass_in_order_and_untouched_also_across_holes() {
    let sent = [plain(0, 3), plain(7, 2)];
    let routed = route_from(0, &sent, &[]);
    check(&routed, &[(0, 3), (7, 9)], 9);
    for (piped, sent) in routed.batches.iter().zip(&sent) {
        assert_eq!(piped.batch.bytes(), sent);
    }
}

#[test]
fn dropped_batches_count_as_read_with_the_batch_before_them() {
    let emptied = BatchBuilder::new(4).records_count(0).last_offset_delta(2);
    let batches = [
        marker(0, ControlType::Commit),
        plain(1, 2),
        marker(3, ControlType::Commit),
        emptied.build(),
        plain(7, 1),
    ];
    let routed = route_from(0, &batches, &[]);
    check(&routed, &[(1, 7), (7, 8)], 8);
    let dropped = DroppedCount {
        control: 2,
        aborted: 0,
        emptied: 1,
    };
    assert_eq!(routed.dropped, dropped);
}

#[test]
fn an_answer_of_nothing_but_dropped_batches_moves_reading_on() {
    let routed = route_from(0, &[marker(0, ControlType::Abort)], &[]);
    check(&routed, &[], 1);
}

#[test]
fn data_of_aborted_transactions_is_dropped_and_of_committed_ones_is_not() {
    let batches = [
        in_transaction(0, 2),
        plain(2, 1),
        marker(3, ControlType::Abort),
        in_transaction(4, 1),
        marker(5, ControlType::Commit),
    ];
    let routed = route_from(0, &batches, &[aborted_at(0)]);
    check(&routed, &[(2, 4), (4, 6)], 6);
    assert_eq!((routed.dropped.aborted, routed.dropped.control), (1, 2));
}

#[test]
fn the_leader_epoch_is_that_of_the_last_batch_read_also_of_a_dropped_one() {
    let mut commit = marker(1, ControlType::Commit).to_vec();
    commit[12..16].copy_from_slice(&4_i32.to_be_bytes());
    let first = builder(0, 1).leader_epoch(3).build();
    let routed = route_from(0, &[first, commit.into()], &[]);
    check(&routed, &[(0, 2)], 2);
    assert_eq!(
        (routed.leader_epoch, routed.batches[0].leader_epoch),
        (4, 4)
    );
    assert_eq!(routed.batches[0].batch.info().leader_epoch, 3);
}

#[test]
fn batches_before_the_wanted_offset_are_dropped_and_one_around_it_is_cut() {
    let routed = route_from(3, &[plain(0, 3), plain(3, 1)], &[]);
    check(&routed, &[(3, 4)], 4);
    let routed = route_from(2, &[plain(0, 5)], &[]);
    check(&routed, &[(2, 5)], 5);
    assert_eq!(routed.batches[0].reason(), Some(DecodeReason::BegunInside));
}

#[test]
fn what_the_cleaner_left_is_decoded_in_its_place() {
    let thinned = builder(3, 2).last_offset_delta(9).build();
    let routed = route_from(0, &[plain(0, 3), thinned, plain(13, 1)], &[]);
    check(&routed, &[(0, 3), (3, 13), (13, 14)], 14);
    let reasons: Vec<_> = routed.batches.iter().map(PipedBatch::reason).collect();
    assert_eq!(reasons, [None, Some(DecodeReason::Thinned), None]);
}

#[test]
fn what_cannot_pass_stops_reading_before_it() {
    let overfull = builder(3, 2).last_offset_delta(0).build();
    let codec = builder(3, 2).attributes(7).build();
    for (batch, words) in [
        (overfull, "2"),
        (codec, "7"),
        (legacy(3), "cannot be decoded"),
    ] {
        let routed = route_from(0, &[plain(0, 3), batch, plain(13, 1)], &[]);
        check(&routed, &[(0, 3)], 3);
        blocks(&routed, 3, words);
    }
}

#[test]
fn a_cut_off_last_batch_is_left_for_the_next_answer() {
    let second = plain(3, 2);
    for kept in [1, 11, 12, 16, 17, 60, 61, second.len() - 1] {
        let cut = [plain(0, 3), second.slice(..kept)];
        let routed = route_from(0, &cut, &[]);
        check(&routed, &[(0, 3)], 3);
        assert!(routed.blocked.is_none(), "{kept} bytes: {routed:?}");
    }
}

#[test]
fn damage_stops_reading_only_where_it_is_looked_for() {
    let mut bytes = plain(3, 2).to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let records: Bytes = [plain(0, 3).to_vec(), bytes].concat().into();
    let strict = Rules {
        check_crcs: true,
        ..Rules::default()
    };
    let decoder = &mut Decoder::default();
    let routed = route(records.clone(), Vec::new(), 0, &strict, decoder);
    check(&routed, &[(0, 3)], 3);
    blocks(&routed, 3, "checksum");
    // The destination will look, and refuse it.
    let routed = route(records, Vec::new(), 0, &Rules::default(), decoder);
    check(&routed, &[(0, 3), (3, 5)], 5);
}

#[test]
fn bytes_that_are_no_batches_stop_reading_where_they_begin() {
    let mut nonsense = plain(3, 1).to_vec();
    nonsense[8..12].copy_from_slice(&(-5_i32).to_be_bytes());
    let routed = route_from(0, &[plain(0, 3), nonsense.into()], &[]);
    check(&routed, &[(0, 3)], 3);
    blocks(&routed, 3, "cannot be read");
}

#[test]
fn any_bytes_are_judged_without_panic_and_reading_never_goes_back() {
    use rand::rngs::SmallRng;
    use rand::{RngExt, SeedableRng};
    for seed in 0..2000 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut bytes = [plain(0, 3), plain(3, 2), marker(5, ControlType::Abort)].concat();
        for _ in 0..random.random_range(1..6) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random_range(0..=255);
        }
        bytes.truncate(random.random_range(0..=bytes.len()));
        let rules = Rules {
            check_crcs: true,
            max_message_bytes: Some(70),
            ..Rules::default()
        };
        let decoder = &mut Decoder::default();
        let routed = route(bytes.into(), vec![aborted_at(0)], 2, &rules, decoder);
        assert!(routed.next >= 2, "seed {seed}: {routed:?}");
    }
}

/// Tiny batches are merged, whatever their number.
fn merging() -> Rules {
    Rules {
        merge_below: 1000,
        merge_from: Some(0),
        ..Rules::default()
    }
}

fn damaged(base: i64, records: usize) -> Bytes {
    let mut bytes = plain(base, records).to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    bytes.into()
}

#[test]
fn tiny_batches_that_cannot_be_merged_pass_as_they_are_and_none_is_passed_over() {
    let decoder = &mut Decoder::default();
    let sent = [plain(0, 3), damaged(3, 2), plain(5, 1)];
    let routed = route(sent.concat().into(), Vec::new(), 0, &merging(), decoder);
    check(&routed, &[(0, 3), (3, 5), (5, 6)], 6);
    for (piped, sent) in routed.batches.iter().zip(&sent) {
        assert_eq!(piped.batch.bytes(), sent);
    }
    // Nor does anything of them get into the next partition's answer.
    let other = route(plain(70, 1), Vec::new(), 70, &Rules::default(), decoder);
    check(&other, &[(70, 71)], 71);
}

#[test]
fn batches_are_merged_where_an_answer_has_many_and_those_in_front_are_tiny() {
    let sent = [plain(0, 1), plain(1, 1), plain(2, 1)];
    let merged = |from: Option<usize>, below: u32| {
        let rules = Rules {
            merge_below: below,
            merge_from: from,
            ..Rules::default()
        };
        let decoder = &mut Decoder::default();
        let routed = route(sent.concat().into(), Vec::new(), 0, &rules, decoder);
        assert_eq!(routed.next, 3);
        routed.batches.len() == 1
    };
    let mean = u32::try_from(sent[0].len()).expect("small");
    assert!(merged(Some(0), mean + 1));
    assert!(merged(Some(3), mean + 1));
    assert!(!merged(Some(4), mean + 1), "too few to hold it up");
    assert!(!merged(Some(3), mean), "not tiny");
    assert!(!merged(None, mean + 1));
}

#[test]
fn merged_batches_stay_below_what_the_destination_takes() {
    // Times far apart need longer numbers in a joined batch.
    let far = |base: i64| {
        let builder = BatchBuilder::new(base).base_timestamp(base << 50);
        let builder = (0..40).fold(builder, |b, _| b.record(None, Some(b"v")));
        builder.build()
    };
    let sent = [far(0), far(40)];
    let sum = sent[0].len() + sent[1].len();
    let limit = u32::try_from(sum * 5 / 4 + 1).expect("small");
    let rules = Rules {
        max_message_bytes: Some(limit),
        ..merging()
    };
    let routed = route(
        sent.concat().into(),
        Vec::new(),
        0,
        &rules,
        &mut Decoder::default(),
    );
    assert_eq!(routed.next, 80);
    for piped in &routed.batches {
        assert!(piped.size() <= limit as usize, "{routed:?}");
    }
    check(&routed, &[(0, 40), (40, 80)], 80);
}

/// A sound message with magic 1.
fn message(offset: i64, value: &[u8]) -> Bytes {
    old_entry(offset, 0, value)
}

/// Messages in an lz4 frame, which stores them as they are, under the offset of the last.
fn wrapper(last: i64, messages: &[Bytes]) -> Bytes {
    let messages = messages.concat();
    let length = u32::try_from(messages.len()).expect("small") | 0x8000_0000;
    let mut frame = vec![0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&messages);
    frame.extend_from_slice(&[0; 4]);
    old_entry(last, 3, &frame)
}

fn old_entry(offset: i64, codec: u8, value: &[u8]) -> Bytes {
    old_record(offset, codec, 1_000, None, Some(value))
}

fn old_record(
    offset: i64,
    codec: u8,
    time: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) -> Bytes {
    let mut body = vec![1, codec];
    body.extend_from_slice(&time.to_be_bytes());
    for part in [key, value] {
        let length = part.map_or(-1, |part| i32::try_from(part.len()).expect("small"));
        body.extend_from_slice(&length.to_be_bytes());
        body.extend_from_slice(part.unwrap_or_default());
    }
    // CRC-32, bit by bit.
    let checksum = !body.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    });
    let size = i32::try_from(body.len() + 4).expect("small");
    let mut bytes = offset.to_be_bytes().to_vec();
    bytes.extend_from_slice(&size.to_be_bytes());
    bytes.extend_from_slice(&checksum.to_be_bytes());
    bytes.extend_from_slice(&body);
    bytes.into()
}

#[test]
fn old_formats_between_tiny_batches_stay_in_their_place() {
    let sent = [
        plain(0, 2),
        plain(2, 1),
        message(3, b"old"),
        message(4, b"old too"),
        plain(5, 1),
        plain(6, 1),
        message(7, b"last"),
    ];
    let decoder = &mut Decoder::default();
    let routed = route(sent.concat().into(), Vec::new(), 0, &merging(), decoder);
    check(&routed, &[(0, 3), (3, 5), (5, 7), (7, 8)], 8);
}

#[test]
fn records_in_old_formats_that_are_left_out_are_passed_over() {
    let rules = Rules {
        refused: std::sync::Arc::new([3, 5, 6].into()),
        ..Rules::default()
    };
    let sent = [3, 4, 5, 6].map(|offset| message(offset, b"old"));
    let decoder = &mut Decoder::default();
    let routed = route(sent.concat().into(), Vec::new(), 3, &rules, decoder);
    check(&routed, &[(4, 7)], 7);
    // Otherwise the same answer would come for ever.
    let routed = route(sent[2..].concat().into(), Vec::new(), 5, &rules, decoder);
    check(&routed, &[], 7);
}

#[test]
fn records_in_old_formats_that_are_too_large_are_left_out_where_that_is_asked_for() {
    let rules = Rules {
        max_message_bytes: Some(100),
        skip_too_large: true,
        ..Rules::default()
    };
    let sent = [
        message(3, b"old"),
        message(4, &[b'x'; 200]),
        message(5, b"old"),
    ];
    let decoder = &mut Decoder::default();
    let routed = route(sent.concat().into(), Vec::new(), 3, &rules, decoder);
    check(&routed, &[(3, 4), (5, 6)], 6);
    let skipped: Vec<i64> = routed.skipped.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(skipped, [4]);
    let routed = route(sent[1].clone(), Vec::new(), 4, &rules, decoder);
    check(&routed, &[], 5);
}

#[test]
fn what_was_left_out_is_told_of_its_own_batch_only_and_only_behind_the_beginning() {
    let rules = Rules {
        max_message_bytes: Some(100),
        skip_too_large: true,
        ..Rules::default()
    };
    let large = |base: i64| {
        let large = [b'x'; 200];
        BatchBuilder::new(base)
            .record(None, Some(&large))
            .record(None, Some(b"small"))
            .record(None, Some(&large))
            .build()
    };
    let decoder = &mut Decoder::default();
    // The records of the first cannot be read to their end.
    let mut broken = large(0).to_vec();
    broken[57..61].copy_from_slice(&4_i32.to_be_bytes());
    broken[23..27].copy_from_slice(&3_i32.to_be_bytes());
    let payload = broken.split_off(61);
    let mut header: [u8; 61] = broken.try_into().expect("a header");
    kafka_wire::batch::recompute_crc(&mut header, &payload);
    let broken = [&header[..], &payload].concat();
    let routed = route(broken.into(), Vec::new(), 0, &rules, decoder);
    assert!(routed.blocked.is_some() && routed.skipped.is_empty());
    let routed = route(large(70), Vec::new(), 71, &rules, decoder);
    check(&routed, &[(71, 73)], 73);
    let skipped: Vec<i64> = routed.skipped.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(skipped, [72]);
}

#[test]
fn a_wrapper_larger_than_the_destination_takes_comes_in_parts() {
    let messages: Vec<Bytes> = (0..10).map(|n| message(n, &[b'a'; 50])).collect();
    let rules = Rules {
        max_message_bytes: Some(300),
        ..Rules::default()
    };
    let entry = wrapper(29, &messages);
    let routed = route(entry, Vec::new(), 20, &rules, &mut Decoder::default());
    assert!(routed.blocked.is_none(), "{routed:?}");
    assert_eq!((routed.next, routed.batches[0].first_offset()), (30, 20));
    assert!(routed.batches.len() > 2);
    for piped in &routed.batches {
        assert!(piped.size() <= 300, "{piped:?}");
    }
    let records: i64 = routed.batches.iter().map(PipedBatch::offsets).sum();
    assert_eq!(records, 10);
}

#[test]
fn what_comes_before_a_damaged_wrapper_is_written_before_what_is_sound_in_it() {
    let mut broken = message(1, &[b'b'; 80]).to_vec();
    let last = broken.len() - 1;
    broken[last] ^= 1;
    let inside = [message(0, &[b'b'; 80]), broken.into()];
    let sent = [message(20, &[b'a'; 80]), wrapper(22, &inside)];
    let rules = Rules {
        max_message_bytes: Some(200),
        ..Rules::default()
    };
    let decoder = &mut Decoder::default();
    let routed = route(sent.concat().into(), Vec::new(), 20, &rules, decoder);
    check(&routed, &[(20, 21), (21, 22)], 22);
    blocks(&routed, 22, "checksum");
}

#[test]
fn what_is_too_large_alone_is_not_passed_over_and_can_be_set_aside() {
    let large = [b'x'; 200];
    let old = [message(3, b"old"), message(4, &large), message(5, b"old")].concat();
    let new = [
        plain(3, 1),
        BatchBuilder::new(4).record(None, Some(&large)).build(),
        plain(5, 1),
    ];
    let changed = Changes {
        steps: vec![config::transform::RecordStep {
            condition: None,
            action: config::transform::RecordAction::DropHeaders(Vec::new()),
        }],
        ..Changes::default()
    };
    for (sent, changes) in [
        (old, Changes::default()),
        (new.concat(), Changes::default()),
        (new.concat(), changed),
    ] {
        for quarantine in [false, true] {
            let rules = Rules {
                max_message_bytes: Some(100),
                quarantine,
                changes: changes.clone().into(),
                ..Rules::default()
            };
            let decoder = &mut Decoder::default();
            let routed = route(sent.clone().into(), Vec::new(), 3, &rules, decoder);
            check(&routed, &[(3, 4)], 4);
            let blocked = routed.blocked.expect("the second record is too large");
            assert_eq!((blocked.offset, blocked.cause), (4, Cause::Refused));
            let aside = blocked.aside.map(|batch| batch.info().records);
            assert_eq!(aside, quarantine.then_some(1));
        }
    }
}

#[test]
fn each_batch_belongs_to_one_stream_also_where_records_are_changed_or_in_an_old_format() {
    use crate::origin::OriginRule;
    use config::transform::{RecordAction, RecordStep};
    let mark = RecordStep {
        condition: None,
        action: RecordAction::InsertHeader {
            key: "from".to_owned(),
            value: b"west".to_vec(),
        },
    };
    let marked = Changes {
        steps: vec![mark],
        ..Changes::default()
    };
    let by = |base, id| {
        let producer = ProducerIdentity { id, epoch: 0 };
        builder(base, 2).producer(producer, 0).build()
    };
    let sent = [by(0, 7), by(2, 8), plain(4, 2), legacy(6)].concat();
    for changes in [Changes::default(), marked] {
        for (local, written) in [(true, &[2, 3, 4, 5][..]), (false, &[0, 1])] {
            let rules = Rules {
                changes: changes.clone().into(),
                origins: OriginRule::of(&[7], local),
                ..Rules::default()
            };
            let sent = Bytes::from(sent.clone());
            let routed = route(sent, Vec::new(), 0, &rules, &mut Decoder::default());
            let mut offsets = Vec::new();
            for piped in &routed.batches {
                piped.each_run(0, |run| {
                    offsets.extend(run.source.0..run.source.0 + run.length);
                });
            }
            assert_eq!(offsets, written, "{changes:?}");
            // The entry in the old format is damaged, which is for the stream to say whose it is.
            assert_eq!(routed.blocked.is_some(), local, "{routed:?}");
            assert_eq!(routed.next, if local { 6 } else { 7 });
        }
    }
}
