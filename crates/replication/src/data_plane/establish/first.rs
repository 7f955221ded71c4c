//! What the source has where a partition begins. Little is asked for: over a narrow connection a batch of each of many partitions
//! would take long.

use config::link::Offsets;
use kafka_wire::message::fetch::FetchedPartition;
use kafka_wire::types::ProducerIdentity;

use super::evidence::{at_source, refused};
use super::questions::Answer;
use super::room::Room;
use super::survey::Survey;
use super::{Readings, first_position};
use crate::data_plane::core::EstablishOrder;

/// Bytes that are looked at. A batch that is larger is left out where others are asked for with it.
const BYTES: i32 = 4 * 1024;
/// And where those behind the first decide too.
const FIRST_BYTES: i32 = 256 * 1024;

/// Where a partition without a position begins.
pub(super) fn begin(order: &EstablishOrder, readings: Readings) -> i64 {
    let nobody = ProducerIdentity { id: 0, epoch: 0 };
    first_position(order, readings, nobody).offset.0
}

/// Whether the placement is decided without a look at the source's records.
pub(super) fn is_decided(order: &EstablishOrder, begin: i64, readings: Readings) -> bool {
    let mapped = order.offsets.placement == Offsets::Map || order.shared || order.changed;
    mapped || begin >= readings.end
}

impl Survey<'_> {
    /// What the source has where a partition begins; nothing where only a batch stands there that is too large to be looked at.
    pub(super) async fn first_batches(
        &self,
        order: &EstablishOrder,
        begin: i64,
        room: &mut Room<'_>,
    ) -> Result<Option<FetchedPartition>, String> {
        let is_new = order.position.is_none() && order.transaction.is_none();
        // Where markers may not be written, a transaction further behind decides too.
        if is_new && self.may_write_markers(&order.destination.topic) {
            return match self.source.fetch(at_source(order, begin, BYTES)).await {
                Answer::Read(first) => Ok(Some(first)),
                Answer::Refused(code) => Err(refused("source", &order.source, code)),
                Answer::Trouble(trouble) => Err(trouble),
                // Its base is below where the partition begins only in a log that does not begin at 0.
                Answer::LeftOut if begin <= 0 => Ok(None),
                Answer::LeftOut => {
                    let bytes = room.more_than(BYTES).await;
                    let first = self.source_batches(order, begin, bytes, room);
                    first.await.map(Some)
                }
            };
        }
        let first = self.source_batches(order, begin, FIRST_BYTES, room).await?;
        Ok(Some(first))
    }
}
