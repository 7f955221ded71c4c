//! Which partition a key belongs to, as Kafka's clients say: murmur2 of its bytes.
//!
//! Deliberately absent: records without a key. Which partition they go to is a choice of the moment
//! (KIP-794), not a function of the record.

use crate::types::PartitionId;

const SEED: u32 = 0x9747_b28c;
const MULTIPLIER: u32 = 0x5bd1_e995;

/// The 32-bit murmur2 of Kafka's Java client. Not the textbook's: blocks are little-endian on every
/// machine, and the result is a signed number.
#[must_use]
pub fn murmur2(bytes: &[u8]) -> i32 {
    // Java's arrays end at 2 GiB; so do keys.
    let mut hash = SEED ^ bytes.len() as u32;
    let (blocks, tail) = bytes.as_chunks::<4>();
    for block in blocks {
        let mut mixed = u32::from_le_bytes(*block).wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed.wrapping_mul(MULTIPLIER);
    }
    if !tail.is_empty() {
        let mut last = [0; 4];
        last[..tail.len()].copy_from_slice(tail);
        hash = (hash ^ u32::from_le_bytes(last)).wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    (hash ^ (hash >> 15)).cast_signed()
}

/// The partition, of `partitions`, that Kafka's default partitioner gives to a key. `None` where there
/// are no partitions.
#[must_use]
pub fn partition_of_key(key: &[u8], partitions: PartitionId) -> Option<PartitionId> {
    let positive = murmur2(key) & i32::MAX;
    (partitions > 0).then(|| positive % partitions)
}
