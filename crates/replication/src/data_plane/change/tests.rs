//! What becomes of single records, and the bytes of our header.

use config::transform::RecordCondition;
use kafka_wire::record::Headers;

use super::*;

fn origin() -> Origin {
    Origin {
        source_cluster: "west".to_owned(),
        destination_cluster: "east".to_owned(),
        source: "orders".into(),
        partition: 3,
        destination: "orders".into(),
        rules: Provenance::default(),
    }
}

type Shown = Vec<(String, Option<Vec<u8>>)>;

/// The headers afterwards; nothing where the record is not written.
fn applied(
    changes: &Changes,
    value: Option<&[u8]>,
    headers: &[(&str, Option<&[u8]>)],
) -> Result<Shown, String> {
    let mut given = HeaderBuffer::new();
    for (key, value) in headers {
        given.push(Header {
            key: key.as_bytes(),
            value: *value,
        });
    }
    let record = Record::new(17, 5, Some(b"k"), value, given.headers());
    let mut buffer = HeaderBuffer::new();
    match changes.apply(record, 1_000, &mut buffer) {
        Changed::Written(record) => {
            assert_eq!(
                (record.key(), record.value(), record.timestamp()),
                (Some(&b"k"[..]), value, 5)
            );
            let headers = record.headers().iter();
            let shown = headers.map(|h| {
                let key = String::from_utf8_lossy(h.key).into_owned();
                (key, h.value.map(<[u8]>::to_vec))
            });
            Ok(shown.collect())
        }
        Changed::Circled(_) => Err("Circled".to_owned()),
        other => Err(format!("{other:?}")),
    }
}

fn step(action: RecordAction, predicate: Option<(RecordPredicate, bool)>) -> RecordStep {
    RecordStep {
        action,
        condition: predicate.map(|(predicate, negated)| RecordCondition { predicate, negated }),
    }
}

fn insert(key: &str) -> RecordAction {
    RecordAction::InsertHeader {
        key: key.to_owned(),
        value: b"v".to_vec(),
    }
}

fn chain(steps: Vec<RecordStep>) -> Changes {
    Changes {
        steps,
        ..Changes::default()
    }
}

#[test]
fn steps_follow_each_other_and_see_what_was_done_before() {
    let has = |key: &str| RecordPredicate::HasHeader(key.to_owned());
    let changes = chain(vec![
        step(insert("a"), None),
        step(insert("b"), Some((has("a"), false))),
        step(
            RecordAction::DropHeaders(vec!["a".to_owned(), "x".to_owned()]),
            None,
        ),
        step(RecordAction::Drop, Some((has("a"), false))),
        step(
            RecordAction::Drop,
            Some((RecordPredicate::IsTombstone, false)),
        ),
        step(insert("c"), Some((RecordPredicate::IsTombstone, true))),
    ]);
    let headers = [
        ("x", None),
        ("keep", Some(&b""[..])),
        ("x", Some(b"1")),
        ("keep", None),
    ];
    let expected: Shown = vec![
        ("keep".to_owned(), Some(Vec::new())),
        ("keep".to_owned(), None),
        ("b".to_owned(), Some(b"v".to_vec())),
        ("c".to_owned(), Some(b"v".to_vec())),
    ];
    assert_eq!(applied(&changes, Some(b""), &headers), Ok(expected));
    applied(&changes, None, &headers).expect_err("a tombstone");
}

#[test]
fn a_record_says_where_it_came_from_once() {
    let changes = Changes {
        provenance: Some(origin()),
        ..Changes::default()
    };
    let first = applied(&changes, None, &[("h", None)]).expect("written");
    let expected: Vec<u8> = [
        &[1][..],
        &[0, 4],
        b"west",
        &[0, 6],
        b"orders",
        &3_i32.to_be_bytes(),
        &17_i64.to_be_bytes(),
        &1_000_i64.to_be_bytes(),
    ]
    .concat();
    assert_eq!(first[1], (PROVENANCE.to_owned(), Some(expected.clone())));
    // On the next way it stays as it is, and on the way back it is left out.
    let onward = Changes {
        provenance: Some(Origin {
            source_cluster: "east".to_owned(),
            destination_cluster: "south".to_owned(),
            ..origin()
        }),
        ..Changes::default()
    };
    let marked = [(PROVENANCE, Some(expected.as_slice()))];
    assert_eq!(applied(&onward, None, &marked).expect("written").len(), 1);
    let mut back = Origin {
        source_cluster: "east".to_owned(),
        destination_cluster: "west".to_owned(),
        ..origin()
    };
    // Also with bytes behind it that a later release may add.
    let longer = [&expected[..], b"more"].concat();
    let changes = |origin: &Origin| Changes {
        provenance: Some(origin.clone()),
        ..Changes::default()
    };
    assert_eq!(
        applied(&changes(&back), None, &marked).expect_err("a loop"),
        "CameFromThere"
    );
    applied(&changes(&back), None, &[(PROVENANCE, Some(&longer))]).expect_err("a loop");
    back.rules = Provenance::parse("west,orders,1000-1001").expect("legal");
    applied(&changes(&back), None, &marked).expect("an exception");
    back.destination = "copies".into();
    back.rules = Provenance::default();
    applied(&changes(&back), None, &marked).expect("another topic");
    back.source_cluster = "west".to_owned();
    assert_eq!(
        applied(&changes(&back), None, &marked).expect_err("counted"),
        "Circled"
    );
    // Other versions and other contents are kept, and not interpreted.
    for odd in [&[][..], &[2, 0, 0], &[1, 0, 9, 1], &[1, 0, 0, 0, 0, 1]] {
        assert_eq!(
            applied(&changes(&back), None, &[(PROVENANCE, Some(odd))])
                .expect("kept")
                .len(),
            1
        );
    }
}

#[test]
fn records_of_migrator_that_run_in_a_circle_are_not_written() {
    let changes = Changes {
        provenance: Some(origin()),
        ..Changes::default()
    };
    let name = "redpanda-migrator-provenance";
    let of = |cluster: &'static [u8]| [(name, Some(cluster))];
    assert_eq!(
        applied(&changes, None, &of(b"east")).expect_err("left out"),
        "CameFromThere"
    );
    for cluster in [&b"west"[..], b""] {
        let said = applied(&changes, None, &of(cluster)).expect_err("a loop");
        assert!(said.contains("Objected"), "{said}");
    }
    assert_eq!(
        applied(&changes, None, &of(b"north")).expect("kept").len(),
        2
    );
}

#[test]
fn each_record_belongs_to_exactly_one_partition_and_a_key_always_to_the_same() {
    let takers = |key: Option<&[u8]>, offset: i64, of: i32| -> Vec<i32> {
        (0..of)
            .filter(|to| Spread { of, to: *to }.takes(key, offset))
            .collect()
    };
    for of in [1, 2, 7, 12] {
        let mut used = std::collections::BTreeMap::new();
        for offset in 0..128 * 200 {
            let one = takers(None, offset, of);
            assert_eq!(one.len(), 1, "offset {offset} of {of}");
            assert_eq!(
                one,
                takers(None, offset & !127, of),
                "neighbours stay together"
            );
            *used.entry(one[0]).or_insert(0) += 1;
            let key = offset.to_string();
            assert_eq!(
                takers(Some(key.as_bytes()), offset, of),
                takers(Some(key.as_bytes()), 0, of)
            );
        }
        assert_eq!(used.len(), usize::try_from(of).expect("small"));
        let (least, most) = (used.values().min(), used.values().max());
        assert!(
            most.zip(least)
                .is_some_and(|(most, least)| most < &(least * 2)),
            "{used:?}"
        );
    }
    assert_eq!(takers(Some(b""), 0, 12).len(), 1, "an empty key is a key");
}

#[test]
fn without_anything_to_do_a_record_stays_the_same_bytes() {
    let record = Record::new(0, 0, None, None, Headers::NONE);
    let mut buffer = HeaderBuffer::new();
    assert!(matches!(
        Changes::default().apply(record, 0, &mut buffer),
        Changed::Written(_)
    ));
    assert!(Changes::default().is_empty());
}
