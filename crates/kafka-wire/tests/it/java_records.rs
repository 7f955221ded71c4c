//! What Kafka's Java code wrote, in every format and codec, is read as Kafka's Java code reads it
//! (`tests/golden/records`); and so is what librdkafka wrote.

use std::path::PathBuf;

use bytes::Bytes;
use kafka_wire::batch::{Attributes, Batches, Codec, Entry};
use kafka_wire::record::{BatchEncoder, RecordDecoder, murmur2, partition_of_key};

use crate::golden::captured;
use crate::support::{CODECS, LIMIT, Owned, decoded, entry_records, options};

fn path(file: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/records")).join(file)
}

fn read(file: &str) -> Vec<u8> {
    let path = path(file);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn entries(record_set: Vec<u8>) -> Vec<Entry> {
    Batches::new(record_set.into())
        .map(Result::unwrap)
        .collect()
}

fn text(bytes: Option<&Vec<u8>>) -> String {
    match bytes {
        None => "null".to_owned(),
        Some(bytes) if bytes.len() > 300 => {
            let mut crc = flate2::Crc::new();
            crc.update(bytes);
            format!("{} bytes, crc32 {:08x}", bytes.len(), crc.sum())
        }
        Some(bytes) => format!("'{}'", String::from_utf8_lossy(bytes)),
    }
}

/// A record in the words of the Java program.
fn line(offset: i64, magic: u8, codec: Codec, record: &Owned) -> String {
    let mut line = format!(
        "offset: {offset} timestamp: {} magic: {magic} codec: {codec} key: {} value: {}",
        record.timestamp,
        text(record.key.as_ref()),
        text(record.value.as_ref()),
    );
    for (key, value) in &record.headers {
        let (key, value) = (String::from_utf8_lossy(key), text(value.as_ref()));
        line.push_str(&format!(" header: {key}={value}"));
    }
    line
}

/// Magic and codec of an entry.
fn form(entry: &Entry) -> (u8, Codec) {
    match entry {
        Entry::Batch(batch) => (2, batch.header().codec()),
        // In old formats the attributes stand right behind the magic.
        Entry::Legacy(entry) => (entry.magic, Attributes(entry.bytes[17].into()).codec()),
    }
}

fn check(name: &str, expected_lines: usize) {
    let mut lines = Vec::new();
    for entry in entries(read(&format!("{name}.bin"))) {
        let (magic, codec) = form(&entry);
        let records = entry_records(&entry).unwrap_or_else(|error| panic!("{name}: {error}"));
        lines.extend(
            records
                .iter()
                .map(|(offset, record)| line(*offset, magic, codec, record)),
        );
    }
    let expected = String::from_utf8(read(&format!("{name}.txt"))).unwrap();
    assert_eq!(lines, expected.lines().collect::<Vec<_>>(), "{name}");
    assert_eq!(lines.len(), expected_lines, "{name}");
}

#[test]
fn batches_of_java_are_read_as_java_reads_them() {
    for codec in CODECS {
        check(&format!("magic2_{codec}"), 24);
    }
}

#[test]
fn message_sets_of_java_are_read_as_java_reads_them() {
    for magic in [0, 1] {
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4] {
            check(&format!("magic{magic}_{codec}"), 24);
        }
    }
    check("magic1_append_time", 24);
}

#[test]
fn message_sets_of_a_broker_are_read_as_java_reads_them() {
    check("broker_magic0", 64);
    check("broker_magic1", 64);
    check("broker_magic1_append_time", 64);
    check("broker_magic1_compacted", 41);
}

#[test]
fn message_sets_become_batches_with_the_same_records() {
    let mut encoder = BatchEncoder::new();
    for name in [
        "magic0_none",
        "magic0_lz4",
        "magic1_snappy",
        "magic1_append_time",
    ] {
        let mut expected = Vec::new();
        for entry in entries(read(&format!("{name}.bin"))) {
            expected.extend(entry_records(&entry).unwrap().into_iter().map(|(_, r)| r));
            let Entry::Legacy(entry) = &entry else {
                panic!("{name} holds a batch")
            };
            let mut decoder = RecordDecoder::new();
            encoder
                .extend(decoder.legacy(entry, LIMIT).unwrap())
                .unwrap();
        }
        let batch = encoder.finish(&options(Codec::Zstd)).unwrap().batch;
        assert_eq!(decoded(&batch), expected, "{name}");
    }
}

#[test]
fn every_flipped_bit_of_a_message_set_is_found_by_its_checksum() {
    for name in ["magic0_none", "magic1_none", "magic1_gzip", "magic0_lz4"] {
        let bytes = read(&format!("{name}.bin"));
        let Some(Entry::Legacy(first)) = entries(bytes.clone()).into_iter().next() else {
            panic!("{name} holds a batch")
        };
        // Behind offset and size, which no checksum covers.
        for position in 12..first.bytes.len() {
            let mut damaged = first.clone();
            let mut bytes = damaged.bytes.to_vec();
            bytes[position] ^= 0x04;
            damaged.bytes = Bytes::from(bytes);
            let mut decoder = RecordDecoder::new();
            assert!(
                decoder.legacy(&damaged, LIMIT).is_err(),
                "{name}: byte {position}"
            );
        }
    }
}

/// The content that `tests/golden/codec_*.md` describes.
fn check_librdkafka(codec: Codec) {
    let mut number = 0;
    for entry in entries(captured(&format!("codec_{codec}")).to_vec()) {
        let records = entry_records(&entry).unwrap();
        assert_eq!(records.len(), 8);
        for (place, (offset, record)) in records.iter().enumerate() {
            assert_eq!(*offset, number, "{codec}");
            assert_eq!(record.timestamp, 1_700_000_000_000 + number, "{codec}");
            match place {
                0 => assert_eq!(record.key, None),
                1 => assert_eq!(record.key, Some(Vec::new())),
                2 => assert_eq!(record.value, None),
                3 => assert_eq!(record.value, Some(Vec::new())),
                _ => assert!(record.value.as_ref().is_some_and(|value| value.len() > 4)),
            }
            let expected: &[(&[u8], Option<&[u8]>)] = match place % 4 {
                0 => &[
                    (b"trace", Some("α".as_bytes())),
                    (b"dup", Some(b"1")),
                    (b"dup", Some(b"2")),
                    (b"none", None),
                    (b"empty", Some(b"")),
                ],
                _ => &[],
            };
            let headers = record.headers.iter();
            let found: Vec<_> = headers
                .map(|(key, value)| (&key[..], value.as_deref()))
                .collect();
            assert_eq!(found, expected, "{codec}, record {number}");
            number += 1;
        }
    }
    assert_eq!(number, 24);
}

#[test]
fn batches_of_librdkafka_are_read_as_it_was_told_to_write_them() {
    CODECS.into_iter().for_each(check_librdkafka);
}

#[test]
fn records_of_a_batch_with_append_time_have_that_time() {
    for entry in entries(captured("append_time").to_vec()) {
        let Entry::Batch(batch) = &entry else {
            panic!("an old format")
        };
        for (_, record) in entry_records(&entry).unwrap() {
            assert_eq!(record.timestamp, batch.info().max_timestamp);
        }
    }
}

#[test]
fn what_compaction_left_is_read_and_closed_up() {
    for name in ["compacted_none", "compacted_zstd"] {
        let (mut thinned, mut horizons) = (0, 0);
        for entry in entries(captured(name).to_vec()) {
            let Entry::Batch(batch) = &entry else {
                panic!("an old format")
            };
            let records = entry_records(&entry).unwrap();
            assert_eq!(records.len(), batch.info().records as usize, "{name}");
            let within = batch.info().base_offset..=batch.info().last_offset;
            assert!(records.iter().all(|(offset, _)| within.contains(offset)));
            assert!(records.is_sorted_by(|(before, _), (after, _)| before < after));
            if records.is_empty() {
                continue;
            }
            // Also where the base timestamp was made a deadline: the cleaner wrote the deltas to go with it.
            let latest = records.iter().map(|(_, record)| record.timestamp).max();
            assert_eq!(latest, Some(batch.info().max_timestamp), "{name}");
            horizons += u32::from(batch.header().has_delete_horizon());
            let mut encoder = BatchEncoder::new();
            let mut decoder = RecordDecoder::new();
            encoder
                .extend(decoder.batch(batch, LIMIT).unwrap())
                .unwrap();
            let closed_up = encoder
                .finish(&options(batch.header().codec()))
                .unwrap()
                .batch;
            let expected: Vec<_> = records.into_iter().map(|(_, record)| record).collect();
            assert_eq!(decoded(&closed_up), expected, "{name}");
            thinned += u32::from(batch.info().records < batch.info().offsets());
        }
        assert!(thinned >= 3, "{name}: {thinned} batches have holes");
        assert!(horizons > 0, "{name}: no batch has a delete horizon");
    }
}

#[test]
fn keys_go_where_java_sends_them() {
    let table = String::from_utf8(read("murmur2.txt")).unwrap();
    for row in table.lines() {
        let [key, hash, partition] = row.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let digits = key.as_bytes().chunks(2);
        let key: Vec<_> = digits
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        assert_eq!(murmur2(&key).to_string(), hash, "{row}");
        let found = partition_of_key(&key, 25).unwrap();
        assert_eq!(found.to_string(), partition, "{row}");
    }
    assert_eq!(table.lines().count(), 30);
    assert_eq!(partition_of_key(b"key", 0), None);
}
