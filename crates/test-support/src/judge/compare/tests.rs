//! The judge is judged: every planted fault is reported as what it is, and nothing else is.

use super::super::digest::digest_of;
use super::*;

fn record(offset: i64) -> ReadRecord {
    ReadRecord {
        offset,
        timestamp: Some(1_000 + offset),
        key: Some(format!("key {}", offset % 3).into_bytes()),
        value: Some(format!("value {offset}").into_bytes()),
        headers: vec![
            ("trace".to_owned(), Some(vec![1])),
            ("trace".to_owned(), None),
        ],
    }
}

fn topic() -> Topic {
    Topic::from([
        (0, (0..10).map(record).collect()),
        (1, (0..5).map(record).collect()),
    ])
}

/// What the judge says after `plant` has damaged partition 0 of the copy: lost, duplicate, order, changed, extra.
fn check(plant: impl FnOnce(&mut Vec<ReadRecord>), expected: [u64; 5]) {
    let source = topic();
    let mut destination = topic();
    let partition = destination.get_mut(&0).expect("partition 0");
    plant(partition);
    assert_ne!(
        digest_of(partition),
        digest_of(&source[&0]),
        "the digest differs too"
    );
    let verdict = compare(&source, &destination);
    let counts = [
        verdict.lost,
        verdict.duplicate,
        verdict.order,
        verdict.changed,
        verdict.extra,
    ];
    assert_eq!(counts, expected, "{verdict}");
    assert!(!verdict.is_equal());
    assert!(
        verdict.differences[0].starts_with("partition 0: "),
        "{verdict}"
    );
}

#[test]
fn equal_sides_are_equal_whatever_their_offsets() {
    let mut moved = topic();
    for record in moved.values_mut().flatten() {
        record.offset += 100;
    }
    let verdict = compare(&topic(), &moved);
    assert!(verdict.is_equal(), "{verdict}");
    assert_eq!((verdict.source, verdict.destination), (15, 15));
    assert_eq!(digest_of(&topic()[&0]), digest_of(&moved[&0]));
}

#[test]
fn a_planted_loss_is_reported() {
    check(|records| drop(records.remove(4)), [1, 0, 0, 0, 0]);
    check(|records| records.truncate(7), [3, 0, 0, 0, 0]);
    check(Vec::clear, [10, 0, 0, 0, 0]);
}

#[test]
fn a_planted_duplicate_is_reported() {
    check(|records| records.insert(5, record(4)), [0, 1, 0, 0, 0]);
    check(
        |records| {
            let again: Vec<_> = records[2..6].to_vec();
            records.splice(6..6, again);
        },
        [0, 4, 0, 0, 0],
    );
}

#[test]
fn a_planted_swap_is_reported() {
    check(|records| records.swap(3, 4), [0, 0, 1, 0, 0]);
}

#[test]
fn every_planted_change_is_reported() {
    check(
        |records| records[3].value = Some(b"other".to_vec()),
        [0, 0, 0, 1, 0],
    );
    check(|records| records[3].value = None, [0, 0, 0, 1, 0]);
    check(|records| records[3].key = Some(Vec::new()), [0, 0, 0, 1, 0]);
    check(|records| records[3].timestamp = Some(7), [0, 0, 0, 1, 0]);
    check(|records| records[3].headers.swap(0, 1), [0, 0, 0, 1, 0]);
    check(|records| drop(records[3].headers.pop()), [0, 0, 0, 1, 0]);
    check(
        |records| records[3].headers[1].1 = Some(Vec::new()),
        [0, 0, 0, 1, 0],
    );
}

#[test]
fn null_and_empty_differ() {
    let one = |value: Option<Vec<u8>>| {
        Topic::from([(
            0,
            vec![ReadRecord {
                offset: 0,
                timestamp: None,
                key: None,
                value,
                headers: Vec::new(),
            }],
        )])
    };
    let verdict = compare(&one(None), &one(Some(Vec::new())));
    assert_eq!(verdict.changed, 1, "{verdict}");
    assert_ne!(
        digest_of(&one(None)[&0]),
        digest_of(&one(Some(Vec::new()))[&0])
    );
}

#[test]
fn a_planted_extra_record_is_reported() {
    check(|records| records.push(record(77)), [0, 0, 0, 0, 1]);
}

#[test]
fn several_faults_at_once_are_each_reported() {
    check(
        |records| {
            records[8].value = Some(b"other".to_vec());
            records.insert(6, record(2));
            records.remove(1);
        },
        [1, 1, 0, 1, 0],
    );
}

#[test]
fn equal_records_of_the_source_are_no_duplicates() {
    let same = Topic::from([(0, vec![record(1), record(1), record(1)])]);
    assert!(compare(&same, &same).is_equal());
    let fewer = Topic::from([(0, vec![record(1), record(1)])]);
    assert_eq!(compare(&same, &fewer).lost, 1);
    assert_eq!(compare(&fewer, &same).duplicate, 1);
}

#[test]
fn a_missing_partition_is_lost_and_an_unknown_one_is_extra() {
    let mut destination = topic();
    let moved = destination.remove(&1).expect("partition 1");
    destination.insert(2, moved);
    let verdict = compare(&topic(), &destination);
    assert_eq!((verdict.lost, verdict.extra), (5, 5), "{verdict}");
}
