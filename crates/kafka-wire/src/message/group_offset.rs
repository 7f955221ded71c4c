//! An offset that a group commits.

use crate::types::{LeaderEpoch, Offset, PartitionId};

use super::EncodeError;
use super::writer::Writer;

/// How far a group has come in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The partition.
    pub partition: PartitionId,
    /// Offset of the next record the group will read.
    pub offset: Offset,
    /// Leader epoch of the last record it has read; −1 if unknown. Versions that cannot carry it go
    /// without.
    pub leader_epoch: LeaderEpoch,
    /// Text of the group's own.
    pub metadata: Option<String>,
}

impl CommittedOffset {
    /// Writes the fields; the leader epoch from `epoch_since` on.
    pub(super) fn write(
        &self,
        epoch_since: i16,
        writer: &mut Writer<'_>,
    ) -> Result<(), EncodeError> {
        writer.i32(self.partition);
        writer.i64(self.offset);
        if writer.since(epoch_since) {
            writer.i32(self.leader_epoch);
        }
        writer.nullable_string("metadata", self.metadata.as_deref())
    }
}
