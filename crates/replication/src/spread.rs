//! Which of several destination partitions a record belongs to, where a source partition is spread over them.

use kafka_wire::record::partition_of_key;
use kafka_wire::types::PartitionId;

/// Records without a key that follow each other by offset and go to the same partition: 2⁷.
const STICKY_BITS: u32 = 7;

/// One of the destination partitions that a source partition is spread over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Spread {
    /// How many there were when the copy began.
    pub of: PartitionId,
    /// Which of them it is.
    pub to: PartitionId,
}

impl Spread {
    /// Whether a record goes there: by its key as Kafka's default partitioner says, without one by its source offset.
    #[must_use]
    pub fn takes(self, key: Option<&[u8]>, offset: i64) -> bool {
        let chosen = match key {
            Some(key) => partition_of_key(key, self.of),
            None => {
                // Neighbours go together, and the next ones anywhere else: a Weyl sequence over the blocks.
                let block = (offset >> STICKY_BITS).cast_unsigned();
                let scattered = block.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
                let of = u64::try_from(self.of).ok().filter(|of| *of > 0);
                of.and_then(|of| i32::try_from(scattered % of).ok())
            }
        };
        chosen == Some(self.to)
    }
}
