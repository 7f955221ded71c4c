//! The new header of a batch that is written to another cluster untouched.
//!
//! Which fields change, and to what, is in the table of [`batch`](super). Attribute bits other than
//! the codec are cleared, because brokers store the unused ones as sent, and a delete horizon would
//! make the destination's cleaner take baseTimestamp for a deadline.

use super::crc::{self, COVERED_SIZE};
use super::header::{Attributes, BatchHeader};
use super::{CRC_COVERS_FROM, HEADER_SIZE, SMALLEST_BATCH_LENGTH};
use crate::types::ProducerIdentity;

/// Under which identity a batch is written: a real triple. Brokers store half ones (an id without
/// an epoch or sequence) without complaint, so this type cannot hold them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Identity {
    producer: ProducerIdentity,
    base_sequence: i32,
}

impl Identity {
    /// `None` unless id, epoch and sequence are all ≥ 0.
    #[must_use]
    pub fn new(producer: ProducerIdentity, base_sequence: i32) -> Option<Self> {
        let is_real = producer.id >= 0 && producer.epoch >= 0 && base_sequence >= 0;
        is_real.then_some(Self {
            producer,
            base_sequence,
        })
    }

    /// The producer.
    #[must_use]
    pub fn producer(&self) -> ProducerIdentity {
        self.producer
    }

    /// Sequence number of the batch's first record, ≥ 0.
    #[must_use]
    pub fn base_sequence(&self) -> i32 {
        self.base_sequence
    }
}

/// The header under which the batch that began with `old` goes to the destination. The payload
/// stays as it is, and so does its damage: the CRC is patched from the stored one, in constant time.
///
/// `old` is the header of a whole batch ([`RawBatch::header_bytes`](super::RawBatch::header_bytes)),
/// which [`passage`](super::passage) lets pass. `transactional` says whether *we* write within a
/// transaction; that the batch was part of one at the source is forgotten.
#[must_use]
pub fn rewrite_header(
    old: &[u8; HEADER_SIZE],
    identity: Option<Identity>,
    transactional: bool,
) -> [u8; HEADER_SIZE] {
    let header = BatchHeader::new(old);
    let kept = header.attributes().0 & Attributes::CODEC_MASK;
    let attributes = if transactional {
        kept | Attributes::TRANSACTIONAL
    } else {
        kept
    };
    let (id, epoch, sequence) = match identity {
        Some(Identity {
            producer,
            base_sequence,
        }) => (producer.id, producer.epoch, base_sequence),
        None => (-1, -1, -1),
    };

    let mut new = *old;
    new[..8].copy_from_slice(&0_i64.to_be_bytes());
    new[12..16].copy_from_slice(&(-1_i32).to_be_bytes());
    new[21..23].copy_from_slice(&attributes.to_be_bytes());
    new[43..51].copy_from_slice(&id.to_be_bytes());
    new[51..53].copy_from_slice(&epoch.to_be_bytes());
    new[53..57].copy_from_slice(&sequence.to_be_bytes());

    // A length below the smallest belongs to no batch; the destination refuses it whatever the CRC.
    let tail = header
        .batch_length()
        .saturating_sub(SMALLEST_BATCH_LENGTH)
        .max(0)
        .unsigned_abs();
    let crc = crc::patch(header.crc(), covered(old), covered(&new), tail);
    new[17..21].copy_from_slice(&crc.to_be_bytes());
    new
}

#[inline]
fn covered(header: &[u8; HEADER_SIZE]) -> &[u8; COVERED_SIZE] {
    header[CRC_COVERS_FROM..]
        .first_chunk()
        .expect("40 of the 61 bytes are covered")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{recompute_crc, verify_crc};

    /// The header of the published vector: attributes, producer and sequence vary.
    fn vector(attributes: i16, id: i64, epoch: i16, sequence: i32, tail: usize) -> Vec<u8> {
        let mut header = [0; HEADER_SIZE];
        let length = i32::try_from(tail).unwrap() + SMALLEST_BATCH_LENGTH;
        header[..8].copy_from_slice(&77_i64.to_be_bytes());
        header[8..12].copy_from_slice(&length.to_be_bytes());
        header[12..16].copy_from_slice(&5_i32.to_be_bytes());
        header[16] = 2;
        header[21..23].copy_from_slice(&attributes.to_be_bytes());
        header[23..27].copy_from_slice(&9_i32.to_be_bytes());
        header[27..35].copy_from_slice(&1_700_000_000_000_i64.to_be_bytes());
        header[35..43].copy_from_slice(&1_700_000_000_009_i64.to_be_bytes());
        header[43..51].copy_from_slice(&id.to_be_bytes());
        header[51..53].copy_from_slice(&epoch.to_be_bytes());
        header[53..57].copy_from_slice(&sequence.to_be_bytes());
        header[57..61].copy_from_slice(&10_i32.to_be_bytes());
        let payload: Vec<u8> = (0..tail).map(|i| (i & 255) as u8).collect();
        recompute_crc(&mut header, &payload);
        [&header[..], &payload[..]].concat()
    }

    fn identity(id: i64, epoch: i16, base_sequence: i32) -> Option<Identity> {
        Identity::new(ProducerIdentity { id, epoch }, base_sequence)
    }

    #[test]
    fn the_published_vectors_hold_at_every_size() {
        let vectors = [
            (0, 0xde85_e801, 0x4238_cedc),
            (1, 0xa0c8_55ba, 0xccaf_45e4),
            (7, 0xa831_711a, 0x0549_e603),
            (1_000, 0x5276_6060, 0xec3c_981a),
            (65_536, 0xa8ed_5932, 0x5ea4_a323),
            (1_048_527, 0x61ca_ad77, 0x0c29_6d0b),
        ];
        for (tail, crc_old, crc_new) in vectors {
            let mut batch = vector(0x0014, 4242, 3, 77, tail);
            let old: [u8; HEADER_SIZE] = *batch.first_chunk().unwrap();
            assert_eq!(
                BatchHeader::new(&old).crc(),
                crc_old,
                "{tail} bytes behind the header"
            );
            let new = rewrite_header(&old, identity(9001, 0, 500), false);
            assert_eq!(
                BatchHeader::new(&new).crc(),
                crc_new,
                "{tail} bytes behind the header"
            );
            batch[..HEADER_SIZE].copy_from_slice(&new);
            assert!(verify_crc(&batch));
        }
    }

    #[test]
    fn only_the_named_fields_change() {
        let batch = vector(0x7fff, 4242, 3, 77, 10);
        let old: &[u8; HEADER_SIZE] = batch.first_chunk().unwrap();
        let new = rewrite_header(old, identity(1, 2, 3), true);
        let header = BatchHeader::new(&new);
        assert_eq!((header.base_offset(), header.leader_epoch()), (0, -1));
        assert_eq!(header.attributes(), Attributes(0x0017));
        let identity = (
            header.producer_id(),
            header.producer_epoch(),
            header.base_sequence(),
        );
        assert_eq!(identity, (1, 2, 3));
        // length and magic; last offset delta and both times; record count
        for kept in [8..12, 16..17, 23..43, 57..61] {
            assert_eq!(new[kept.clone()], old[kept]);
        }
    }

    #[test]
    fn without_identity_nothing_of_the_source_producer_remains() {
        let batch = vector(0x0034, 4242, 3, 77, 10);
        let new = rewrite_header(batch.first_chunk().unwrap(), None, false);
        let header = BatchHeader::new(&new);
        assert_eq!(header.attributes(), Attributes(4));
        let identity = (
            header.producer_id(),
            header.producer_epoch(),
            header.base_sequence(),
        );
        assert_eq!(identity, (-1, -1, -1));
    }

    #[test]
    fn half_an_identity_cannot_be_made() {
        assert!(identity(0, 0, 0).is_some());
        assert!(identity(i64::MAX, i16::MAX, i32::MAX).is_some());
        for (id, epoch, sequence) in [(-1, 0, 0), (0, -1, 0), (0, 0, -1)] {
            assert_eq!(identity(id, epoch, sequence), None);
        }
    }

    #[test]
    fn a_header_with_an_impossible_length_does_no_harm() {
        for length in [i32::MIN, -1, 0, 48] {
            let mut old = [0xff; HEADER_SIZE];
            old[8..12].copy_from_slice(&length.to_be_bytes());
            let new = rewrite_header(&old, None, false);
            assert_eq!(BatchHeader::new(&new).batch_length(), length);
        }
    }
}
