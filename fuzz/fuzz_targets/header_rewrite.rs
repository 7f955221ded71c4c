//! Any batch under any identity: the patched CRC is right exactly where the old one was.
#![no_main]

use kafka_wire::batch::{
    BatchHeader, HEADER_SIZE, Identity, recompute_crc, rewrite_header, verify_crc,
};
use kafka_wire::types::ProducerIdentity;
use libfuzzer_sys::fuzz_target;

/// Bytes in front of the batch: producer id, epoch, sequence, and switches.
const FRONT: usize = 15;

fuzz_target!(|input: &[u8]| {
    let Some((front, batch)) = input.split_at_checked(FRONT) else {
        return;
    };
    let Some(old) = batch.first_chunk::<HEADER_SIZE>() else {
        return;
    };
    let number = |range: std::ops::Range<usize>| {
        front[range]
            .iter()
            .fold(0_i64, |value, &byte| value << 8 | i64::from(byte))
    };
    let producer = ProducerIdentity {
        id: number(0..8),
        epoch: number(8..10) as i16,
    };
    let identity = Identity::new(producer, number(10..14) as i32);
    let switches = front[14];

    // The header as it is, whatever it claims: no panic, and the payload's length is kept.
    let new = rewrite_header(old, identity, switches & 1 != 0);
    assert_eq!(new[8..12], old[8..12]);

    // With a length that fits, the CRC of the old bytes decides.
    let mut old = *old;
    let payload = &batch[HEADER_SIZE..];
    let length = i32::try_from(batch.len() - 12).expect("inputs are small");
    old[8..12].copy_from_slice(&length.to_be_bytes());
    if switches & 2 != 0 {
        recompute_crc(&mut old, payload);
    }
    let was_right = verify_crc(&[&old[..], payload].concat());
    let new = rewrite_header(&old, identity, switches & 1 != 0);
    assert_eq!(verify_crc(&[&new[..], payload].concat()), was_right);

    let (old, new) = (BatchHeader::new(&old), BatchHeader::new(&new));
    assert_eq!((new.base_offset(), new.leader_epoch()), (0, -1));
    assert_eq!(new.codec(), old.codec());
    assert_eq!(new.attributes().0 & !0x17, 0);
    assert_eq!(new.producer_id() >= 0, identity.is_some());
    assert_eq!(new.producer_epoch() >= 0, identity.is_some());
    assert_eq!(new.base_sequence() >= 0, identity.is_some());
});
