//! How far a partition has been copied, with everything that is needed to go on exactly there.
//!
//! A position may lag behind what is in the destination: it is stored now and then. What was written
//! since is found in the destination's own log (`data_plane::establish`), by the producer identity
//! and sequence that the position carries.

use kafka_wire::types::{ProducerIdentity, TopicId};

use crate::side::{Destination, Source};

/// The acknowledged prefix of one partition: everything before it is in the destination's log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Position {
    /// Next source offset to copy.
    pub offset: Source<i64>,
    /// Leader epoch of the last batch copied; −1 before the first.
    pub leader_epoch: i32,
    /// The source topic it belongs to.
    pub topic_id: Source<TopicId>,
    /// The destination topic it was written to.
    pub destination_topic_id: Destination<TopicId>,
    /// End of the destination partition when everything before `offset` was in it.
    pub destination_end: Destination<i64>,
    /// Whose name is on the batches.
    pub producer: ProducerIdentity,
    /// Sequence number of the next record, 0..=2³¹−1.
    pub sequence: i32,
    /// Which offsets records get at the destination.
    pub placement: Placement,
    /// It was stored in a transaction with what was written: nothing of this link lies behind it.
    pub transactional: bool,
}

/// Which offsets the records of one partition get at the destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Placement {
    /// The next free ones; the offset map says which.
    #[default]
    Mapped,
    /// Those they have at the source.
    Preserved(Preserved),
}

/// What is needed to go on giving records the offsets they have at the source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Preserved {
    /// Whose name is on markers.
    pub marker: ProducerIdentity,
    /// Higher than that of every process before; the broker refuses markers of a lower one.
    pub coordinator_epoch: i32,
    /// The log is filled up to here before the first record is written.
    pub padding: i64,
}

impl Placement {
    /// What is needed to preserve offsets, where they are.
    #[must_use]
    pub fn preserved(&self) -> Option<&Preserved> {
        match self {
            Self::Mapped => None,
            Self::Preserved(preserved) => Some(preserved),
        }
    }
}

/// The sequence number `records` further on; after 2³¹−1 comes 0.
#[must_use]
pub fn advance_sequence(sequence: i32, records: i64) -> i32 {
    let sum = (i64::from(sequence) + records).rem_euclid(1 << 31);
    i32::try_from(sum).expect("reduced modulo 2^31")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(advance_sequence(5, 3), 8);
        assert_eq!(advance_sequence(i32::MAX, 1), 0);
        assert_eq!(advance_sequence(i32::MAX - 1, 5), 3);
    }
}
