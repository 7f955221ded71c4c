//! Destination logs that no longer hold what was acknowledged (pure).

use kafka_wire::batch::BatchInfo;

use super::Readings;
use crate::data_plane::core::EstablishOrder;
use crate::data_plane::partition::Stop;
use crate::position::Position;

/// The log ends before what was acknowledged.
pub(super) fn destination_behind(
    order: &EstablishOrder,
    position: &Position,
    readings: Readings,
) -> Stop {
    Stop {
        state: "destination-behind",
        offset: Some(position.offset.0),
        reason: format!(
            "destination partition {} ends at {}, but {} offsets had been acknowledged: it was cut short or \
             replaced, and {} records are missing there. Set tributary.on.recreate=restart to copy everything the \
             source still has",
            order.destination,
            readings.destination_end,
            position.destination_end,
            position.destination_end.0 - readings.destination_end
        ),
        lost: None,
    }
}

/// Where others write too a log that was cut short soon is as long as it was. What was acknowledged last stands in front of the
/// position, unless a cleaner has been there; somebody else's batch in its place shows that it was lost.
pub(super) fn replaced(
    order: &EstablishOrder,
    position: &Position,
    tail: &[BatchInfo],
) -> Option<Stop> {
    let end = position.destination_end.0;
    let mut covering = tail
        .iter()
        .filter(|batch| (batch.base_offset..batch.next_offset()).contains(&(end - 1)));
    // Before the first acknowledgement under a name others' records stand there.
    let last = covering.next().filter(|_| position.sequence > 0)?;
    let is_ours = last.producer_id == position.producer.id && last.next_offset() == end;
    // The end of a transaction, and what used up an offset, have names of their own.
    if is_ours || last.attributes.is_control() {
        return None;
    }
    Some(Stop {
        state: "destination-behind",
        offset: Some(position.offset.0),
        reason: format!(
            "destination partition {} holds offsets {}–{} of another writer (producer id {}) where records of this link had been \
             acknowledged up to {end}: it was cut short, and written to by others since. Compare it with the source; \
             tributary.on.recreate=restart copies everything the source still has",
            order.destination, last.base_offset, last.last_offset, last.producer_id
        ),
        lost: None,
    })
}
