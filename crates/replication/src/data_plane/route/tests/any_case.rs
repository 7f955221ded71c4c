//! Any records, in any codec, through any case of decoding: they come out equal and in order.

use std::sync::Arc;

use config::transform::{RecordAction, RecordCondition, RecordPredicate, RecordStep};
use kafka_wire::batch::{
    AbortedTransaction, Attributes, BuiltRecord, Codec, ControlType, HEADER_SIZE, control_batch,
};
use kafka_wire::record::{Compression, Compressor, RecordDecoder};
use kafka_wire::types::ProducerIdentity;
use proptest::prelude::*;

use super::*;
use crate::data_plane::change::Changes;
use crate::data_plane::placing::PlaceRules;
use crate::spread::Spread;

/// Offset, time, key, value, headers.
type Seen = (
    i64,
    i64,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<(Vec<u8>, Option<Vec<u8>>)>,
);

/// A batch of the source: codec, whether its times are append times, records, offsets missing behind them.
#[derive(Clone, Debug)]
struct Given {
    codec: u8,
    /// In message format 1: without headers, compressed in a wrapper.
    old: bool,
    append_time: bool,
    /// Written in a transaction, with its end behind it.
    transaction: Option<ControlType>,
    records: Vec<(i32, BuiltRecord)>,
    missing_behind: i32,
}

/// How the partition is read.
#[derive(Clone, Debug)]
struct Case {
    limit: Option<u32>,
    merge: bool,
    keep_append_time: bool,
    /// Begins that far behind the first offset.
    from: i64,
    /// Every so many records the destination refuses one.
    refused_every: i64,
    renumber: bool,
    /// What is done to records: nothing; a filter that never holds; one on tombstones; parts.
    change: u8,
}

fn bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::of(prop::collection::vec(any::<u8>(), 0..40))
}

fn record() -> impl Strategy<Value = (i32, BuiltRecord)> {
    let header = (prop::collection::vec(any::<u8>(), 0..4), bytes());
    let gap = prop_oneof![4 => Just(0), 1 => 1..4_i32];
    (
        gap,
        -1_000..1_000_i64,
        bytes(),
        bytes(),
        prop::collection::vec(header, 0..3),
    )
        .prop_map(|(gap, timestamp_delta, key, value, headers)| {
            let record = BuiltRecord {
                offset_delta: None,
                timestamp_delta,
                key,
                value,
                headers,
            };
            (gap, record)
        })
}

fn given() -> impl Strategy<Value = Given> {
    let behind = prop_oneof![3 => Just(0), 1 => 1..5_i32];
    let records = prop::collection::vec(record(), 1..12);
    let rarely = || prop::bool::weighted(0.2);
    let ends = prop_oneof![
        4 => Just(None),
        1 => Just(Some(ControlType::Commit)),
        1 => Just(Some(ControlType::Abort))
    ];
    (0..5_u8, rarely(), rarely(), ends, records, behind).prop_map(
        |(codec, old, append_time, ends, records, missing_behind)| Given {
            codec,
            old,
            append_time: append_time && !old,
            transaction: ends.filter(|_| !old),
            records,
            missing_behind,
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let limit = prop::option::of(400..4_000_u32);
    let from = prop_oneof![1 => Just(0), 1 => 0..60_i64];
    let refused = prop_oneof![2 => Just(0), 1 => 2..9_i64];
    (
        limit,
        any::<bool>(),
        any::<bool>(),
        from,
        refused,
        any::<bool>(),
        0..4_u8,
    )
        .prop_map(
            |(limit, merge, keep_append_time, from, refused_every, renumber, change)| Case {
                limit,
                merge,
                keep_append_time,
                from,
                refused_every,
                renumber,
                change,
            },
        )
}

const BASE_TIME: i64 = 1_700_000_000_000;

/// Messages in format 1, or a wrapper of them.
fn build_old(given: &Given, base: i64) -> (Bytes, Vec<Seen>, i64) {
    let codec = [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::None,
    ];
    let codec = codec[usize::from(given.codec)];
    let mut delta = -1;
    let (mut messages, mut seen) = (Vec::new(), Vec::new());
    for (gap, record) in &given.records {
        delta += 1 + i64::from(*gap);
        let offset = if codec == Codec::None {
            base + delta
        } else {
            delta
        };
        let time = BASE_TIME + record.timestamp_delta;
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        messages.extend(old_record(offset, 0, time, key, value));
        let (key, value) = (record.key.clone(), record.value.clone());
        seen.push((base + delta, time, key, value, Vec::new()));
    }
    if codec != Codec::None {
        let mut compressor = Compressor::new();
        let compression = Compression::new(codec).expect("a known codec");
        let payload = compressor.compress(compression, &messages).to_vec();
        messages = old_record(base + delta, given.codec, BASE_TIME, None, Some(&payload)).to_vec();
    }
    (messages.into(), seen, base + delta + 1)
}

/// The batch as a broker holds it, what it says, and the offset behind it.
fn build(given: &Given, base: i64) -> (Bytes, Vec<Seen>, i64) {
    let codec = [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ][usize::from(given.codec)];
    let mut builder = BatchBuilder::new(base).base_timestamp(BASE_TIME);
    let mut delta = 0;
    let mut seen = Vec::new();
    let latest = given
        .records
        .iter()
        .map(|(_, record)| record.timestamp_delta)
        .max();
    for (gap, record) in &given.records {
        delta += gap;
        builder = builder.full_record(BuiltRecord {
            offset_delta: Some(delta),
            ..record.clone()
        });
        let time = match given.append_time {
            true => latest.unwrap_or(0),
            false => record.timestamp_delta,
        };
        seen.push((
            base + i64::from(delta),
            BASE_TIME + time,
            record.key.clone(),
            record.value.clone(),
            record.headers.clone(),
        ));
        delta += 1;
    }
    let end = delta + given.missing_behind;
    let mut bits = i16::from(given.codec);
    if given.append_time {
        bits |= Attributes::LOG_APPEND_TIME;
    }
    let producer = ProducerIdentity { id: base, epoch: 3 };
    if given.transaction.is_some() {
        bits |= Attributes::TRANSACTIONAL;
        builder = builder.producer(producer, 0);
    }
    builder = builder.attributes(bits).last_offset_delta(end - 1);
    let built = builder.build();
    let mut compressor = Compressor::new();
    let compression = Compression::new(codec).expect("a known codec");
    let payload = compressor
        .compress(compression, &built[HEADER_SIZE..])
        .to_vec();
    let mut built = builder.raw_payload(payload).build().to_vec();
    let mut end = base + i64::from(end);
    if let Some(kind) = given.transaction {
        built.extend(control_batch(end, producer, kind));
        end += 1;
    }
    (built.into(), seen, end)
}

/// What a reader of the destination would see, with the offsets that the records had.
fn written(routed: &Routed, limit: Option<u32>) -> Vec<Seen> {
    let mut decoder = RecordDecoder::new();
    let mut all = Vec::new();
    for piped in &routed.batches {
        let info = piped.batch.info();
        assert_eq!(info.records, info.offsets(), "brokers accept no holes");
        assert!(limit.is_none_or(|limit| piped.size() <= limit as usize));
        let mut offsets = Vec::new();
        piped.each_run(0, |run| {
            offsets.extend(run.source.0..run.source.0 + run.length)
        });
        // A batch that passes as it is loses the bit that hides its producers' times when it is sent.
        let records = decoder
            .batch(&piped.batch, 1 << 20)
            .expect("it can be read")
            .with_producer_times();
        let records: Vec<_> = records.map(|record| record.expect("sound")).collect();
        assert_eq!(offsets.len(), records.len());
        for (record, offset) in records.into_iter().zip(offsets) {
            let headers = record.headers().iter();
            all.push((
                offset,
                record.timestamp(),
                record.key().map(<[u8]>::to_vec),
                record.value().map(<[u8]>::to_vec),
                headers
                    .map(|h| (h.key.to_vec(), h.value.map(<[u8]>::to_vec)))
                    .collect(),
            ));
        }
    }
    all
}

fn changes(change: u8) -> Vec<Changes> {
    let dropping = |predicate| {
        let negated = false;
        let step = RecordStep {
            condition: Some(RecordCondition { predicate, negated }),
            action: RecordAction::Drop,
        };
        vec![Changes {
            steps: vec![step],
            ..Changes::default()
        }]
    };
    match change {
        0 => vec![Changes::default()],
        1 => dropping(RecordPredicate::HasHeader("never there".to_owned())),
        2 => dropping(RecordPredicate::IsTombstone),
        _ => (0..3)
            .map(|to| Changes {
                spread: Some(Spread { of: 3, to }),
                ..Changes::default()
            })
            .collect(),
    }
}

/// A log, what a reader of committed records sees of it with the times that are kept, and its aborted transactions.
struct Log {
    set: Bytes,
    records: Vec<Seen>,
    aborted: Vec<AbortedTransaction>,
    end: i64,
    /// Where its second batch begins.
    second: Option<i64>,
}

fn log(source: &[Given], keep_append_time: bool) -> Log {
    let (mut set, mut records, mut aborted) = (Vec::new(), Vec::new(), Vec::new());
    let (mut base, mut second) = (100, None);
    for (index, batch) in source.iter().enumerate() {
        if index == 1 {
            second = Some(base);
        }
        let (bytes, mut seen, end) = match batch.old {
            true => build_old(batch, base),
            false => build(batch, base),
        };
        if batch.append_time && !keep_append_time {
            // Their producers' times are kept.
            for (record, (_, built)) in seen.iter_mut().zip(&batch.records) {
                record.1 = BASE_TIME + built.timestamp_delta;
            }
        }
        set.extend(bytes);
        match batch.transaction {
            Some(ControlType::Abort) => aborted.push(AbortedTransaction {
                producer_id: base,
                first_offset: base,
            }),
            _ => records.append(&mut seen),
        }
        base = end;
    }
    Log {
        set: set.into(),
        records,
        aborted,
        end: base,
        second,
    }
}

/// The rules of a case, one for each part of the partition.
fn rules(case: &Case, log: &Log) -> Vec<Rules> {
    let refused = log.records.iter().map(|record| record.0);
    let refused = refused.filter(|offset| case.refuses(*offset));
    let refused: Arc<std::collections::BTreeSet<i64>> = Arc::new(refused.collect());
    let rules = |changes| Rules {
        max_message_bytes: case.limit,
        merge_below: 16_384,
        merge_from: case.merge.then_some(0),
        keep_append_time: case.keep_append_time,
        refused: Arc::clone(&refused),
        renumber: log.second.filter(|_| case.renumber),
        changes: Arc::new(changes),
        ..Rules::default()
    };
    changes(case.change).into_iter().map(rules).collect()
}

impl Case {
    fn refuses(&self, offset: i64) -> bool {
        self.refused_every > 0 && offset % self.refused_every == 0
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_records_in_any_codec_come_out_equal_in_any_case(
        source in prop::collection::vec(given(), 1..8),
        case in case(),
    ) {
        let log = log(&source, case.keep_append_time);
        let from = 100 + case.from;
        let expected: Vec<Seen> = log
            .records
            .iter()
            .filter(|record| record.0 >= from && !case.refuses(record.0))
            .filter(|record| case.change != 2 || record.3.is_some())
            .cloned()
            .collect();
        let mut found = Vec::new();
        for rules in rules(&case, &log) {
            let read = |from| {
                let (set, aborted) = (log.set.clone(), log.aborted.clone());
                route(set, aborted, from, &rules, &mut Decoder::default())
            };
            let routed = read(from);
            prop_assert!(routed.blocked.is_none(), "{:?}", routed.blocked);
            prop_assert_eq!(routed.next, log.end.max(from));
            let seen = written(&routed, case.limit);
            prop_assert!(seen.is_sorted_by_key(|record| record.0), "in order");
            // Whatever was acknowledged last before a crash: behind it is what was not written, and nothing else.
            let mut count = 0;
            for piped in &routed.batches {
                count += usize::try_from(piped.offsets()).expect("small");
                let again = written(&read(piped.next), case.limit);
                prop_assert_eq!(&again, &seen[count..], "read again from {}", piped.next);
            }
            found.extend(seen);
        }
        found.sort_by_key(|record| record.0);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_records_get_the_offsets_they_have_at_the_source_with_copies_or_gaps_between_them(
        source in prop::collection::vec(given(), 1..8),
        case in case(),
        copies in any::<bool>(),
        markers in any::<bool>(),
    ) {
        // Old formats are not placed, and what is changed is not either.
        let source: Vec<Given> = source.into_iter().map(|given| Given { old: false, ..given }).collect();
        let case = Case { change: 0, ..case };
        let log = log(&source, case.keep_append_time);
        let from = 100 + case.from;
        let place = PlaceRules { whole_from: from, copies, markers: markers || !copies, runs: true, pending: None };
        let mut rules = rules(&case, &log);
        rules[0].place = Some(place);
        let routed = route(log.set.clone(), log.aborted.clone(), from, &rules[0], &mut Decoder::default());
        prop_assert!(routed.blocked.is_none(), "{:?}", routed.blocked);
        let mut expected = std::collections::BTreeMap::new();
        for record in log.records.iter().filter(|record| record.0 >= from && !case.refuses(record.0)) {
            expected.insert(record.0, record);
        }
        let mut next = from;
        let mut places = routed.batches.iter().flat_map(|piped| {
            assert_eq!(piped.last_offset() - piped.first_offset() + 1, piped.offsets());
            (0..piped.offsets()).map(|at| piped.offset_at(at))
        });
        for record in written(&routed, case.limit) {
            prop_assert!(record.0 >= next, "in order");
            prop_assert!(record.0 == next || place.markers, "without a hole");
            let copied = expected.range(record.0..).next().map(|(offset, copied)| (*offset, *copied));
            let (offset, copied) = copied.expect("a record, or a copy of one behind it");
            prop_assert!(copies || offset == record.0, "no copies");
            prop_assert_eq!(places.next().flatten(), Some(offset));
            prop_assert_eq!(&(copied.0, record.1, record.2, record.3, record.4), copied);
            if offset == record.0 {
                expected.remove(&offset);
            }
            next = record.0 + 1;
        }
        prop_assert!(expected.is_empty(), "missing: {expected:?}");
    }
}
