//! Where a partition goes on that is written in transactions: where its stored position says. Nothing of the link lies behind it,
//! because what was written with it was committed with it, and what was not was taken back.

use kafka_wire::types::ProducerIdentity;

use super::survey::{Means, Survey};
use super::{
    Established, Ground, READINGS, Readings, decide, destination_behind, first_position,
    no_beginning,
};
use crate::data_plane::core::EstablishOrder;
use crate::position::{Placement, Position};
use crate::side::Destination;

const REASON: &str = "transactions take offsets at the destination";

impl Survey<'_> {
    /// Establishes a partition whose batches `writer` will write in transactions.
    pub(super) async fn transactional(
        &self,
        order: &EstablishOrder,
        writer: ProducerIdentity,
        readings: Readings,
        means: &mut Means<'_>,
    ) -> Established {
        let ground = Ground {
            reason: REASON.into(),
            ..readings.ground()
        };
        let Some(position) = &order.position else {
            if let Some(stop) = no_beginning(order, readings) {
                return Established::Stop(stop);
            }
            return Established::Ready {
                position: first_position(order, readings, writer),
                landed: Vec::new(),
                max_message_bytes: readings.max_message_bytes,
                // Where it began is kept, also if nothing is committed before the end of the process.
                store_first: true,
                repeated: 0,
                end: readings.end,
                ground,
            };
        };
        if position.transactional {
            return exact(order, position, readings);
        }
        // It was written without transactions before: once more the destination's log tells what is there.
        let before = EstablishOrder {
            transaction: None,
            ..order.clone()
        };
        let outcome = self
            .mapped(&before, readings, REASON.to_owned(), means)
            .await;
        without_storing(outcome)
    }

    /// Establishes a partition that was written in transactions before and is not any more: at its position, under a
    /// producer of its own.
    pub(super) async fn after_transactions(
        &self,
        order: &EstablishOrder,
        position: &Position,
        readings: Readings,
        means: &mut Means<'_>,
    ) -> Established {
        let mut outcome = exact(order, position, readings);
        if let Established::Ready {
            position,
            store_first,
            ..
        } = &mut outcome
        {
            match means.producers.for_records(&order.destination).await {
                Ok(producer) => position.producer = producer,
                Err(trouble) => return Established::Retry(trouble),
            }
            position.sequence = 0;
            position.transactional = false;
            *store_first = true;
        }
        outcome
    }
}

/// At the position, if both logs still hold what it says.
pub(in super::super) fn exact(
    order: &EstablishOrder,
    position: &Position,
    readings: Readings,
) -> Established {
    let behind = position.destination_end.0 > readings.destination_end;
    if behind {
        let stop = destination_behind(order, position, readings);
        return match order.readings < READINGS {
            true => Established::Behind(stop.reason),
            false => Established::Stop(stop),
        };
    }
    let position = Position {
        // What stands behind it is the end of a transaction, or what was taken back, or somebody else's.
        destination_end: Destination(readings.destination_end),
        placement: Placement::Mapped,
        ..position.clone()
    };
    let order = EstablishOrder {
        raise_epoch: false,
        ..order.clone()
    };
    without_storing(decide(&order, position, readings, &[]))
}

/// With what is written the position is stored.
fn without_storing(mut outcome: Established) -> Established {
    if let Established::Ready { store_first, .. } = &mut outcome {
        *store_first = false;
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_plane::establish::tests::order_at;
    use crate::placement::Topic;
    use crate::side::Source;
    use config::link::OnGap;
    use kafka_wire::types::TopicId;

    fn position() -> Position {
        Position {
            offset: Source(40),
            leader_epoch: 5,
            topic_id: Source(TopicId([1; 16])),
            destination_topic_id: Destination(TopicId([2; 16])),
            destination_end: Destination(140),
            producer: ProducerIdentity { id: 7, epoch: 3 },
            sequence: 10,
            placement: Placement::Mapped,
            transactional: true,
        }
    }

    fn readings(destination: (i64, i64)) -> Readings {
        Readings {
            max_message_bytes: None,
            levels: Default::default(),
            at_time: None,
            log_start: 0,
            end: 1000,
            epoch_end: Some(1000),
            destination_start: destination.0,
            destination_end: destination.1,
            topic: Topic::UNKNOWN,
        }
    }

    #[test]
    fn what_stands_behind_a_position_that_was_committed_is_not_taken_for_what_landed() {
        let order = order_at(position(), OnGap::Stop);
        for destination in [(0, 140), (0, 177), (160, 177), (177, 177)] {
            let outcome = exact(&order, &position(), readings(destination));
            let Established::Ready {
                position, landed, ..
            } = outcome
            else {
                panic!("{outcome:?}");
            };
            assert!(landed.is_empty());
            assert_eq!(position.offset, Source(40));
            assert_eq!(position.destination_end, Destination(destination.1));
        }
    }

    #[test]
    fn a_destination_that_is_shorter_than_what_was_committed_is_not_written_to() {
        let mut order = order_at(position(), OnGap::Stop);
        let outcome = exact(&order, &position(), readings((0, 139)));
        assert!(matches!(outcome, Established::Behind(_)), "{outcome:?}");
        order.readings = READINGS;
        let outcome = exact(&order, &position(), readings((0, 139)));
        assert!(matches!(outcome, Established::Stop(_)), "{outcome:?}");
    }
}
