//! What the source no longer has, of what was copied or would be next (pure).

use super::Readings;
use crate::data_plane::core::EstablishOrder;
use crate::data_plane::partition::{Loss, Lost, Stop};
use crate::position::Position;

/// What is missing behind a position from which `reached` was come to, and where the source goes on.
pub(super) fn missing(
    order: &EstablishOrder,
    position: &Position,
    readings: Readings,
    reached: i64,
) -> Option<(Stop, i64)> {
    let covered = order.covered(position.offset.0, reached);
    let taken_back = readings.epoch_end.filter(|end| *end < covered);
    let taken = "were copied and then taken back at the source";
    let (why, at, what) = match taken_back {
        _ if readings.log_start > reached => {
            (Loss::Deleted, readings.log_start, "its log now starts")
        }
        Some(at) => (Loss::Truncated, at, "its log for that leader epoch ends"),
        // Also where no epoch tells: what is written there next is not what was copied.
        None if is_short(readings, reached) => (Loss::Truncated, readings.end, "its log now ends"),
        None => return None,
    };
    let (state, became) = match why {
        Loss::Deleted => ("source-gap", "are lost"),
        Loss::Truncated => ("source-truncated", taken),
    };
    let (from, to) = (reached.min(at), reached.max(at));
    let reason = format!(
        "source partition {}: the copy stands at offset {reached}, but {what} at {at}: {} offsets [{from}, {to}) {became}. \
         Set tributary.on.gap=continue to go on at {at}",
        order.source,
        to - from,
    );
    let stop = Stop {
        state,
        offset: Some(reached),
        reason,
        lost: Some(Lost { why, from, to }),
    };
    Some((stop, at))
}

/// Whether the source's log ends before what was copied of it. Behind a new leader its end may lag for a moment.
pub(super) fn is_short(readings: Readings, reached: i64) -> bool {
    readings.end < reached
}

/// That it seems so, for as long as it may pass.
pub(super) fn short(order: &EstablishOrder, readings: Readings, reached: i64) -> String {
    format!(
        "the source's {} seems to end at {}, before the copy's end {reached}",
        order.source, readings.end
    )
}

/// A copy that ends before the source's log starts, where offsets are preserved.
pub(super) fn gap(order: &EstablishOrder, end: i64, start: i64) -> Stop {
    Stop {
        state: "source-gap",
        offset: Some(end),
        reason: format!(
            "source partition {}: the copy stands at offset {end}, but its log now starts at {start}: {} offsets \
             [{end}, {start}) are lost. Set tributary.on.gap=continue to go on at {start}",
            order.source,
            start - end
        ),
        lost: Some(Lost {
            why: Loss::Deleted,
            from: end,
            to: start,
        }),
    }
}

/// A copy that goes on where the source's log, of what was copied, has ended.
pub(super) fn truncation(order: &EstablishOrder, end: i64, at: i64) -> Stop {
    Stop {
        state: "source-truncated",
        offset: Some(at),
        reason: format!(
            "source partition {}: its log ends at {at} for what was copied, and the copy at {end}: {} offsets [{at}, {end}) \
             were copied and then taken back at the source. Set tributary.on.gap=continue to go on at {at}, behind what was \
             copied",
            order.source,
            end - at
        ),
        lost: Some(Lost {
            why: Loss::Truncated,
            from: at,
            to: end,
        }),
    }
}
