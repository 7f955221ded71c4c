//! Planted differences are found and named, whichever way the records arrive.

use kafka_wire::record::{Headers, Record};
use proptest::prelude::*;

use super::*;
use crate::offset_map::Run;
use crate::side::{Destination, Source};
use crate::verify::findings::{Explained, Kind};

/// Who writes the copies.
const LINK: i64 = 7;

/// A record of the letter's key; its number makes it different from others of that key.
fn record(offset: i64, letter: char, number: i64) -> Fingerprint {
    let key = [letter.to_ascii_lowercase() as u8];
    let text = format!("{number}");
    let value = match letter {
        '_' => None,
        letter if letter.is_ascii_uppercase() => Some(&b"another"[..]),
        _ => Some(text.as_bytes()),
    };
    let record = Record::new(offset, 1_000 + number, Some(&key), value, Headers::NONE);
    let mut fingerprint = Fingerprint::of(&record, None);
    fingerprint.producer = LINK;
    fingerprint
}

/// Records `number` by `number`, at the offset given with each.
fn records(list: &[(i64, i64)]) -> Vec<Fingerprint> {
    let key = |number: i64| char::from(b'a' + (number % 20) as u8);
    list.iter()
        .map(|&(offset, number)| record(offset, key(number), number))
        .collect()
}

/// So many records, each at the offset of its number.
fn range(numbers: std::ops::Range<i64>) -> Vec<(i64, i64)> {
    numbers.map(|number| (number, number)).collect()
}

/// Numbers, from an offset on.
fn from(offset: i64, numbers: impl IntoIterator<Item = i64>) -> Vec<(i64, i64)> {
    (offset..).zip(numbers).collect()
}

/// Feeds both sides in portions.
fn compare(
    rules: Rules,
    expected: Option<Expected>,
    source: &[Fingerprint],
    destination: &[Fingerprint],
    portion: usize,
) -> Findings {
    let mut aligner = Aligner::new(rules, expected);
    let (mut here, mut there) = (source.chunks(portion), destination.chunks(portion));
    loop {
        match aligner.advance() {
            Need::Nothing => return aligner.finish(),
            Need::Source => match here.next() {
                Some(records) => aligner.push_source(records.to_vec()),
                None => aligner.end_source(),
            },
            Need::Destination => match there.next() {
                Some(records) => aligner.push_destination(records.to_vec()),
                None => aligner.end_destination(),
            },
        }
    }
}

fn kinds(found: &Findings) -> Vec<(Kind, Option<i64>, Option<i64>)> {
    let kept = found.kept.iter();
    kept.map(|d| (d.kind, d.source, d.destination)).collect()
}

/// By offset and by content, in small and large portions.
fn check(
    source: &[Fingerprint],
    destination: &[Fingerprint],
    by_offset: &[(Kind, Option<i64>, Option<i64>)],
    by_content: &[(Kind, Option<i64>, Option<i64>)],
) {
    for portion in [1, 3, 100_000] {
        let found = compare(
            Rules::default(),
            Some(Expected::Same),
            source,
            destination,
            portion,
        );
        assert_eq!(kinds(&found), by_offset, "by offset, {portion}");
        let found = compare(Rules::default(), None, source, destination, portion);
        assert_eq!(kinds(&found), by_content, "by content, {portion}");
    }
}

#[test]
fn equal_logs_have_no_difference_and_equal_hashes() {
    let all = records(&range(0..5_000));
    check(&all, &all, &[], &[]);
    let found = compare(Rules::default(), None, &all, &all, 100);
    assert_eq!((found.equal, found.compared), (5_000, 5_000));
    assert_eq!(found.source_hash, found.destination_hash);
}

#[test]
fn a_missing_record_is_named() {
    let source = records(&range(0..200));
    let kept = (0..200).filter(|number| *number != 50);
    let missing = (Kind::Missing, Some(50), None);
    let found = compare(Rules::default(), None, &source, &records(&from(0, kept)), 7);
    assert_eq!(kinds(&found), [missing]);
    assert_eq!((found.equal, found.compared), (199, 200));
    // Offsets as at the source.
    let kept: Vec<_> = range(0..200)
        .into_iter()
        .filter(|(o, _)| *o != 50)
        .collect();
    let found = compare(
        Rules::default(),
        Some(Expected::Same),
        &source,
        &records(&kept),
        7,
    );
    assert_eq!(kinds(&found), [(Kind::Missing, Some(50), Some(50))]);
}

#[test]
fn a_changed_record_is_named_in_both_ways() {
    let source = records(&range(0..100));
    let mut copy = source.clone();
    copy[30] = record(30, 'K', 30);
    let altered = [(Kind::Altered, Some(30), Some(30))];
    check(&source, &copy, &altered, &altered);
}

#[test]
fn swapped_records_are_out_of_order() {
    let source = records(&range(0..100));
    let mut list = range(0..100);
    (list[40].1, list[41].1) = (41, 40);
    let swapped = [
        (Kind::Order, Some(40), Some(41)),
        (Kind::Order, Some(41), Some(40)),
    ];
    check(&source, &records(&list), &swapped, &swapped);
}

#[test]
fn a_doubled_record_displaces_what_follows() {
    let source = records(&range(0..100));
    let doubled = (0..60).chain([59]).chain(60..100);
    let copy = records(&from(0, doubled));
    let duplicate = (Kind::Duplicate, None, Some(60));
    let displaced = (Kind::Displaced, Some(60), Some(61));
    check(&source, &copy, &[duplicate, displaced], &[duplicate]);
}

#[test]
fn a_batch_sent_twice_is_all_duplicates_wherever_the_map_points() {
    let source = records(&range(0..30));
    let numbers = (0..20).chain(10..30);
    let copy = records(&from(0, numbers));
    let found = compare(Rules::default(), None, &source, &copy, 100);
    assert_eq!(found.counts, [(Kind::Duplicate, 10)].into());
    // The map knows the second copies only: the first ones are the duplicates.
    let runs = [(0, 0, 10), (10, 20, 20)].map(|(source, destination, length)| Run {
        source: Source(source),
        destination: Destination(destination),
        length,
    });
    let found = compare(
        Rules::default(),
        Expected::from_runs(runs),
        &source,
        &copy,
        100,
    );
    assert_eq!(found.counts, [(Kind::Duplicate, 10)].into());
    let places: Vec<_> = found.kept.iter().map(|d| d.destination).collect();
    assert_eq!(places, (10..20).map(Some).collect::<Vec<_>>());
}

#[test]
fn what_another_producer_wrote_is_foreign() {
    let source = records(&range(0..100));
    let mut copy = records(&from(0, (0..70).chain([900]).chain(70..100)));
    copy[70].producer = 99;
    let foreign = (Kind::Foreign, None, Some(70));
    let displaced = (Kind::Displaced, Some(70), Some(71));
    check(&source, &copy, &[foreign, displaced], &[foreign]);
}

#[test]
fn offsets_that_are_wrong_for_long_are_displaced_and_nothing_else() {
    let source = records(&range(0..10_000));
    let copy = records(&from(0, (0..70).chain([900_001]).chain(70..10_000)));
    let found = compare(Rules::default(), Some(Expected::Same), &source, &copy, 500);
    let counts = [(Kind::Displaced, 9_930), (Kind::Extra, 1)];
    assert_eq!(found.counts, counts.into());
}

#[test]
fn copies_of_the_next_record_are_filler_at_equal_offsets() {
    let rules = Rules {
        compacted: (true, true),
        ..Rules::default()
    };
    let source = records(&[(0, 0), (5, 5), (9, 9)]);
    let copy = records(&[
        (0, 0),
        (1, 5),
        (2, 5),
        (3, 5),
        (4, 5),
        (5, 5),
        (7, 9),
        (9, 9),
    ]);
    let found = compare(rules, Some(Expected::Same), &source, &copy, 2);
    assert_eq!(kinds(&found), []);
    assert_eq!(found.explained.filler, 5);
}

#[test]
fn compaction_explains_only_records_whose_key_occurs_later() {
    let rules = |compacted| Rules {
        compacted,
        ..Rules::default()
    };
    // Numbers 3 and 23 have the same key; 7 occurs once.
    let all = records(&range(0..40));
    let without = |gone: &[i64]| {
        let kept = range(0..40).into_iter().filter(|(o, _)| !gone.contains(o));
        records(&kept.collect::<Vec<_>>())
    };
    for expected in [Some(Expected::Same), None] {
        let found = compare(
            rules((false, true)),
            expected.clone(),
            &all,
            &without(&[3, 4]),
            6,
        );
        assert_eq!(kinds(&found), []);
        assert_eq!(found.explained.compacted_at_destination, 2);
        let found = compare(
            rules((false, true)),
            expected.clone(),
            &all,
            &without(&[23]),
            6,
        );
        assert_eq!(found.counts, [(Kind::Missing, 1)].into());
        let found = compare(
            rules((true, false)),
            expected.clone(),
            &without(&[3, 4]),
            &all,
            6,
        );
        assert_eq!(kinds(&found), []);
        assert_eq!(found.explained.compacted_at_source, 2);
        let found = compare(rules((true, false)), expected, &without(&[23]), &all, 6);
        assert_eq!(found.counts, [(Kind::Extra, 1)].into());
    }
}

#[test]
fn what_is_behind_the_position_is_not_copied_yet() {
    let rules = Rules {
        copied_to: Some(90),
        ..Rules::default()
    };
    let source = records(&range(0..100));
    for expected in [Some(Expected::Same), None] {
        let copy = records(&range(0..93));
        let found = compare(rules.clone(), expected.clone(), &source, &copy, 10);
        assert_eq!((kinds(&found), found.explained.not_copied_yet), (vec![], 7));
        let copy = records(&range(0..85));
        let found = compare(rules.clone(), expected, &source, &copy, 10);
        assert_eq!(found.counts, [(Kind::Missing, 5)].into());
    }
}

#[test]
fn a_lost_beginning_explains_no_more_records_than_it_had_offsets() {
    let starts = |source, destination| Rules {
        starts: (source, destination),
        ..Rules::default()
    };
    let (all, rest) = (records(&range(0..200)), records(&from(100, 100..200)));
    let late = records(&from(5, 100..200));
    let found = compare(starts(0, 100), None, &all, &rest, 10);
    assert_eq!(kinds(&found), []);
    assert_eq!(found.explained.retention_at_destination, 100);
    // The log has dropped five offsets, so five records at most.
    let found = compare(starts(0, 5), None, &all, &late, 10);
    assert_eq!(found.counts, [(Kind::Missing, 95)].into());
    assert_eq!(found.explained.retention_at_destination, 5);
    let found = compare(starts(5, 0), None, &late, &all, 10);
    assert_eq!(found.counts, [(Kind::Extra, 95)].into());
    assert_eq!(found.explained.retention_at_source, 5);
}

#[test]
fn records_of_others_in_a_merged_topic_are_set_aside() {
    let rules = Rules {
        merged: true,
        producer: Some(LINK),
        copied_to: Some(20),
        ..Rules::default()
    };
    let source = records(&range(0..30));
    // Every other record is another link's; the map ends at source offset 20.
    let mut copy = Vec::new();
    let mut runs = Vec::new();
    for number in 0..30 {
        copy.push(record(number * 2, 'z', 1_000 + number));
        copy.last_mut().expect("just pushed").producer = 55;
        copy.push(records(&[(number * 2 + 1, number)])[0]);
        if number < 20 {
            runs.push(Run {
                source: Source(number),
                destination: Destination(number * 2 + 1),
                length: 1,
            });
        }
    }
    let found = compare(rules, Expected::from_runs(runs), &source, &copy, 4);
    assert_eq!(kinds(&found), []);
    assert_eq!((found.equal, found.explained.merged), (30, 30));
}

#[test]
fn broker_times_are_excused_and_counted() {
    let source = records(&range(0..10));
    let info = |offset| {
        let mut batch = kafka_wire::batch::BatchBuilder::new(offset).attributes(8);
        batch = batch.record(Some(b"k"), Some(b"v"));
        let batch = kafka_wire::batch::RawBatch::parse(batch.build()).expect("a batch");
        *batch.info()
    };
    let copy: Vec<Fingerprint> = range(0..10)
        .into_iter()
        .map(|(offset, number)| {
            let key = [b'a' + number as u8];
            let value = number.to_string();
            let record = Record::new(
                offset,
                77,
                Some(&key),
                Some(value.as_bytes()),
                Headers::NONE,
            );
            Fingerprint::of(&record, Some(&info(offset)))
        })
        .collect();
    let found = compare(Rules::default(), None, &source, &copy, 3);
    assert_eq!((kinds(&found), found.explained.append_time), (vec![], 10));
    assert_eq!(found.explained.entries(), [("append-time", 10)]);
}

#[test]
fn logs_that_have_nothing_in_common_end_and_stay_bounded() {
    let source = records(&range(0..60_000));
    let copy = records(&from(0, 100_000..150_000));
    let found = compare(
        Rules::default(),
        Some(Expected::Same),
        &source,
        &copy,
        5_000,
    );
    assert_eq!(found.equal, 0);
    // Where keys are the same, they count as changed.
    let count_of = |kind| found.counts.get(&kind).copied().unwrap_or(0);
    assert_eq!(count_of(Kind::Missing) + count_of(Kind::Altered), 60_000);
    assert_eq!(count_of(Kind::Extra) + count_of(Kind::Altered), 50_000);
    assert_eq!(found.explained, Explained::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is planted, numbers add up, and nothing is found where nothing was planted.
    #[test]
    fn every_record_is_accounted_for(
        count in 1..400_i64,
        gone in prop::collection::btree_set(0..400_i64, 0..12),
        doubled in prop::collection::btree_set(0..400_i64, 0..12),
        portion in 1..200_usize,
    ) {
        let source = records(&range(0..count));
        let numbers: Vec<i64> = (0..count)
            .filter(|number| !gone.contains(number))
            .flat_map(|number| std::iter::repeat_n(number, 1 + usize::from(doubled.contains(&number))))
            .collect();
        let missing = gone.iter().filter(|n| **n < count).count() as u64;
        let twice = doubled.iter().filter(|n| **n < count && !gone.contains(n)).count() as u64;
        let found = compare(Rules::default(), None, &source, &records(&from(0, numbers)), portion);
        let count_of = |kind| found.counts.get(&kind).copied().unwrap_or(0);
        prop_assert_eq!(count_of(Kind::Missing), missing);
        prop_assert_eq!(count_of(Kind::Duplicate), twice);
        prop_assert_eq!(found.differences(), missing + twice);
        prop_assert_eq!(found.equal, count as u64 - missing);
    }
}
