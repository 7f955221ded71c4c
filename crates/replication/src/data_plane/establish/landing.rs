//! What of this link stands in a destination's log behind a position (pure).

use std::collections::HashSet;

use kafka_wire::batch::BatchInfo;

use super::Readings;
use crate::data_plane::core::EstablishOrder;
use crate::data_plane::partition::Stop;
use crate::data_plane::recovery::Landed;
use crate::position::{Position, advance_sequence};
use crate::side::Destination;

/// What is already at the destination, as far as that can be known.
pub(super) fn count_landed(
    order: &EstablishOrder,
    position: &Position,
    readings: Readings,
    tail: &[BatchInfo],
    copies: &mut Vec<(i64, i64)>,
) -> Result<Vec<Landed>, Stop> {
    let landed = landed(position, readings, tail, copies).map_err(|sequence| Stop {
        state: "destination-foreign-writes",
        offset: Some(position.offset.0),
        reason: format!(
            "destination partition {} holds a batch of this link with sequence {sequence} where {} was to come: \
             something is missing in between. Compare both sides before going on",
            order.destination, position.sequence
        ),
        lost: None,
    })?;
    let dropped = emptied(position, readings, tail).is_some();
    if dropped && !countable(order, position, &landed, readings) {
        tracing::warn!(
            partition = %order.source,
            "the destination has dropped everything behind its offset {}, and others write there too: records from \
             source offset {} on may be copied twice",
            position.destination_end, position.offset
        );
        return Ok(Vec::new());
    }
    Ok(landed)
}

/// What was written behind the position and has been dropped since, where nothing at all is left.
fn emptied(position: &Position, readings: Readings, tail: &[BatchInfo]) -> Option<Landed> {
    let offsets = readings.destination_start - position.destination_end.0;
    (offsets > 0 && tail.is_empty()).then_some(Landed {
        base: position.destination_end,
        offsets,
        batch: None,
    })
}

/// Whether what is gone can only have been ours: nobody else writes there, and the source had as much.
fn countable(
    order: &EstablishOrder,
    position: &Position,
    landed: &[Landed],
    readings: Readings,
) -> bool {
    let gone: i64 = landed.iter().map(|l| l.offsets).sum();
    !order.shared && gone <= readings.end - position.offset.0
}

/// The batches of ours in the destination's tail, in order; `copies` are those that stand there a second time, also where an
/// error comes back.
///
/// What was sent under an epoch before the position's was sent again since, or will be: the position was stored before.
///
/// # Errors
/// The sequence number of the first batch of ours that leaves a hole.
pub(super) fn landed(
    position: &Position,
    readings: Readings,
    tail: &[BatchInfo],
    copies: &mut Vec<(i64, i64)>,
) -> Result<Vec<Landed>, i32> {
    let mut landed: Vec<Landed> = Vec::new();
    let mut sequence = position.sequence;
    // Retention at the destination may have removed the front of what we wrote: those count too.
    if let Some(dropped) = emptied(position, readings, tail) {
        return Ok(vec![dropped]);
    }
    let mut behind = position.destination_end.0;
    // Offsets behind our last batch that retention or the cleaner has emptied.
    let mut gone = 0;
    let mut hole = None;
    // Sequence numbers of what stands behind a hole. What was to stand in it may come late, and then is not there twice.
    let mut beyond = HashSet::new();
    let writer = position.producer;
    for batch in tail {
        gone += (batch.base_offset - behind).max(0);
        behind = batch.next_offset();
        let ours = batch.producer_id == writer.id && !batch.attributes.is_control();
        if !ours || batch.producer_epoch > writer.epoch {
            continue;
        }
        let first = batch.base_sequence;
        let ahead = (i64::from(first) - i64::from(sequence)).rem_euclid(1 << 31);
        let is_before = batch.producer_epoch < writer.epoch || ahead > 1 << 30;
        if is_before || beyond.contains(&first) {
            copies.push((batch.base_offset, batch.next_offset()));
            continue;
        }
        if hole.is_some() || ahead > gone {
            hole.get_or_insert(first);
            beyond.insert(first);
            continue;
        }
        if ahead > 0 {
            landed.push(Landed {
                base: Destination(batch.base_offset - ahead),
                offsets: ahead,
                batch: None,
            });
        }
        gone = 0;
        let offsets = i64::from(batch.offsets());
        landed.push(Landed {
            base: Destination(batch.base_offset),
            offsets,
            batch: Some(*batch),
        });
        sequence = advance_sequence(first, offsets);
    }
    hole.map_or(Ok(landed), Err)
}
