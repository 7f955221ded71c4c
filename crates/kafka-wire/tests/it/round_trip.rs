//! What is built is found again; what is cut off anywhere is a prefix; what is damaged stays so.

use bytes::{Bytes, BytesMut};
use kafka_wire::batch::{
    Attributes, BatchBuilder, BatchHeader, Batches, BuiltRecord, Entry, HEADER_SIZE, Identity,
    control_type, rewrite_header, verify_crc,
};
use kafka_wire::types::ProducerIdentity;
use proptest::prelude::*;

use crate::golden::{DUMPED, captured};

/// The whole entries of `record_set`, by position and size, and whether the last one is cut off.
fn sizes(record_set: Bytes) -> (Vec<usize>, bool) {
    let mut entries = Batches::new(record_set);
    let mut sizes = Vec::new();
    for entry in entries.by_ref() {
        sizes.push(match entry.unwrap() {
            Entry::Batch(batch) => batch.bytes().len(),
            Entry::Legacy(entry) => entry.size as usize,
        });
    }
    (sizes, entries.is_cut_off())
}

/// Cutting `record_set` at every byte gives the entries that end before the cut, and no error.
fn check_every_cut(record_set: &Bytes) {
    let (whole, cut_off) = sizes(record_set.clone());
    assert!(!cut_off);
    for cut in 0..=record_set.len() {
        let mut end = 0;
        let expected: Vec<_> = whole
            .iter()
            .copied()
            .take_while(|size| {
                end += size;
                end <= cut
            })
            .collect();
        let ends_between_batches = expected.iter().sum::<usize>() == cut;
        let found = sizes(record_set.slice(..cut));
        assert_eq!(
            found,
            (expected, !ends_between_batches),
            "cut at byte {cut}"
        );
    }
}

#[test]
fn cutting_what_a_broker_wrote_at_any_byte_gives_a_prefix_of_its_batches() {
    for name in DUMPED {
        check_every_cut(&captured(name));
    }
}

/// An entry of magic 0 or 1 with nothing in it that anybody looks at.
fn legacy(magic: u8, offset: i64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0xaa; size];
    bytes[..8].copy_from_slice(&offset.to_be_bytes());
    bytes[8..12].copy_from_slice(&i32::try_from(size - 12).unwrap().to_be_bytes());
    bytes[16] = magic;
    bytes
}

#[test]
fn old_formats_are_recognised_between_batches_and_cut_off_like_them() {
    let batch = BatchBuilder::new(5).record(None, Some(b"value")).build();
    let set = [&legacy(0, 3, 26)[..], &batch, &legacy(1, 9, 60), &batch].concat();
    let found: Vec<_> = Batches::new(set.clone().into())
        .map(|entry| match entry.unwrap() {
            Entry::Legacy(entry) => (Some(entry.magic), entry.offset, entry.size as usize),
            Entry::Batch(batch) => (None, batch.info().base_offset, batch.bytes().len()),
        })
        .collect();
    let size = batch.len();
    assert_eq!(
        found,
        [
            (Some(0), 3, 26),
            (None, 5, size),
            (Some(1), 9, 60),
            (None, 5, size)
        ]
    );
    check_every_cut(&set.into());
}

type Bytestring = Option<Vec<u8>>;

fn bytestring() -> impl Strategy<Value = Bytestring> {
    prop::option::of(prop::collection::vec(any::<u8>(), 0..40))
}

fn record() -> impl Strategy<Value = BuiltRecord> {
    let header = (prop::collection::vec(any::<u8>(), 0..5), bytestring());
    (
        0..1_000_i64,
        bytestring(),
        bytestring(),
        prop::collection::vec(header, 0..3),
    )
        .prop_map(|(timestamp_delta, key, value, headers)| BuiltRecord {
            offset_delta: None,
            timestamp_delta,
            key,
            value,
            headers,
        })
}

fn builder() -> impl Strategy<Value = BatchBuilder> {
    let producer = (-1..i64::MAX, -1..i16::MAX, -1..i32::MAX);
    let records = prop::collection::vec(record(), 0..6);
    (
        0..i64::MAX / 2,
        0..0x80_i16,
        any::<i32>(),
        0..i64::MAX / 2,
        producer,
        records,
    )
        .prop_map(
            |(offset, attributes, epoch, time, (id, producer_epoch, sequence), records)| {
                let builder = BatchBuilder::new(offset)
                    .attributes(attributes)
                    .leader_epoch(epoch)
                    .base_timestamp(time)
                    .producer(
                        ProducerIdentity {
                            id,
                            epoch: producer_epoch,
                        },
                        sequence,
                    );
                records.into_iter().fold(builder, BatchBuilder::full_record)
            },
        )
}

/// Any bytes, but with a length and magic that let them be looked at as one batch.
fn any_batch() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), HEADER_SIZE..4_000).prop_map(|mut bytes| {
        let length = i32::try_from(bytes.len() - 12).unwrap();
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[16] = 2;
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        bytes
    })
}

fn identity() -> impl Strategy<Value = Option<Identity>> {
    let real = (0..=i64::MAX, 0..=i16::MAX, 0..=i32::MAX);
    prop::option::of(real.prop_map(|(id, epoch, sequence)| {
        Identity::new(ProducerIdentity { id, epoch }, sequence).unwrap()
    }))
}

proptest! {
    #[test]
    fn built_batches_are_found_again_with_their_headers(
        builders in prop::collection::vec(builder(), 0..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let built: Vec<Bytes> = builders.iter().map(BatchBuilder::build).collect();
        let set: Bytes = built.iter().fold(BytesMut::new(), |mut set, batch| {
            set.extend_from_slice(batch);
            set
        }).freeze();
        let found: Vec<_> = Batches::new(set.clone()).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(found.len(), built.len());
        for (entry, built) in found.iter().zip(&built) {
            let Entry::Batch(batch) = entry else { panic!("{entry:?}") };
            prop_assert_eq!(batch.bytes(), built);
            // No copy: the slice lies within the set.
            prop_assert!(set.as_ptr_range().contains(&batch.bytes().as_ptr()));
            prop_assert!(verify_crc(batch.bytes()));
            prop_assert_eq!(batch.header().check(), Ok(*batch.info()));
        }
        let prefix = sizes(set.slice(..cut.index(set.len() + 1))).0;
        let all: Vec<_> = built.iter().map(Bytes::len).collect();
        prop_assert!(all.starts_with(&prefix));
    }

    #[test]
    fn splitting_any_bytes_ends_without_a_panic(bytes: Vec<u8>) {
        let length = bytes.len();
        let taken: usize = Batches::new(bytes.into())
            .filter_map(Result::ok)
            .map(|entry| match entry {
                Entry::Batch(batch) => batch.bytes().len(),
                Entry::Legacy(entry) => entry.size as usize,
            })
            .sum();
        prop_assert!(taken <= length);
    }

    #[test]
    fn damage_in_a_built_set_never_panics_and_never_loses_what_lies_before(
        builders in prop::collection::vec(builder(), 1..4),
        place in any::<prop::sample::Index>(),
        bits in 1..=255_u8,
    ) {
        let built: Vec<Bytes> = builders.iter().map(BatchBuilder::build).collect();
        let mut set = built.concat();
        let place = place.index(set.len());
        set[place] ^= bits;
        let mut end = 0;
        let before = built.iter().take_while(|batch| { end += batch.len(); end <= place }).count();
        let found = Batches::new(set.into()).take_while(Result::is_ok).count();
        prop_assert!(found >= before, "{found} batches found, {before} lie before the damage");
    }

    #[test]
    fn a_rewritten_header_has_the_crc_of_the_new_bytes(
        batch in any_batch(),
        identity in identity(),
        transactional: bool,
        flip in prop::option::of((any::<prop::sample::Index>(), 0..8_u32)),
    ) {
        let new = rewrite_header(batch.first_chunk().unwrap(), identity, transactional);
        let mut rewritten = [&new[..], &batch[HEADER_SIZE..]].concat();
        prop_assert!(verify_crc(&rewritten));
        let (old, new) = (BatchHeader::of(&batch).unwrap(), BatchHeader::new(&new));
        let transaction = if transactional { Attributes::TRANSACTIONAL } else { 0 };
        prop_assert_eq!(new.attributes().0, old.attributes().0 & 7 | transaction);
        prop_assert_eq!(new.producer_id(), identity.map_or(-1, |own| own.producer().id));
        prop_assert_eq!(new.base_sequence(), identity.map_or(-1, |own| own.base_sequence()));

        // A bit that is flipped in the payload, before or after, disagrees with the CRC.
        if let Some((place, bit)) = flip && batch.len() > HEADER_SIZE {
            let place = HEADER_SIZE + place.index(batch.len() - HEADER_SIZE);
            rewritten[place] ^= 1 << bit;
            prop_assert!(!verify_crc(&rewritten));
        }
    }

    #[test]
    fn damage_in_the_covered_header_is_carried_through(
        batch in any_batch(),
        identity in identity(),
        // The CRC itself, and every field it covers: also those that get a new value.
        place in 17..HEADER_SIZE,
        bit in 0..8_u32,
    ) {
        let mut damaged = batch;
        damaged[place] ^= 1 << bit;
        let new = rewrite_header(damaged.first_chunk().unwrap(), identity, false);
        prop_assert!(!verify_crc(&[&new[..], &damaged[HEADER_SIZE..]].concat()));
    }

    #[test]
    fn any_control_payload_is_read_without_a_panic(payload: Vec<u8>) {
        let batch = BatchBuilder::new(0)
            .attributes(Attributes::CONTROL)
            .raw_payload(payload)
            .records_count(1)
            .build();
        let Some(Ok(Entry::Batch(batch))) = Batches::new(batch).next() else {
            panic!("what was built was not found");
        };
        let _ = control_type(&batch);
    }
}
