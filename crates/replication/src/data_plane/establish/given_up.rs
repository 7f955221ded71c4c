//! A partition that was to have the source's offsets, and is to have mapped ones before a record of it is known to be at the
//! destination: there is padding, and perhaps more that was written since its position was stored.
//!
//! ```text
//!   destination   [padding ── position][padding][somebody else's][ours] ── end
//!                  └── to be deleted ──────────┘                  └── compared with the source, as where offsets are mapped
//! ```
//!
//! The decision is in [`behind_padding`], which is pure.

use kafka_wire::batch::BatchInfo;
use kafka_wire::types::ProducerIdentity;

use super::survey::{Means, Survey, is_unsettled};
use super::{READINGS, Readings, decide, destination_behind, first_position, no_beginning};
use crate::data_plane::core::{EstablishOrder, Established, Ground};
use crate::data_plane::placing::is_filler;
use crate::position::{Placement, Position, Preserved};
use crate::side::{Destination, Source};

/// What stands behind the position of such a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) struct Behind {
    /// Up to where the log is padding.
    pub(in super::super) padded: i64,
    /// In front of the first batch with records, where there is one.
    pub(in super::super) records: Option<Position>,
}

/// See the module. `since` are the batches behind the position.
pub(in super::super) fn behind_padding(
    position: &Position,
    preserved: Preserved,
    readings: Readings,
    since: &[BatchInfo],
) -> Behind {
    let is_ours = |info: &&BatchInfo| {
        info.producer_id == position.producer.id && !info.attributes.is_control()
    };
    let mut padded = position.destination_end.0;
    for info in since
        .iter()
        .take_while(|info| is_ours(info) && is_filler(info))
    {
        padded = info.next_offset();
    }
    let mut records = since.iter().filter(is_ours);
    let first = records.find(|info| info.records > 0 && !is_filler(info));
    let records = first.map(|info| Position {
        offset: Source(preserved.padding.max(readings.log_start)),
        leader_epoch: -1,
        destination_end: Destination(info.base_offset),
        producer: ProducerIdentity {
            id: info.producer_id,
            epoch: info.producer_epoch,
        },
        sequence: info.base_sequence,
        placement: Placement::Mapped,
        ..position.clone()
    });
    Behind { padded, records }
}

/// The decision for such a partition, which is written on under its name: what comes late is known by it.
pub(in super::super) fn mapped_behind(
    order: &EstablishOrder,
    position: &Position,
    readings: Readings,
    since: &[BatchInfo],
    behind: Behind,
) -> Established {
    let mut outcome = match behind.records {
        Some(records) => {
            let from = records.destination_end.0;
            let tail = since.iter().filter(|info| info.base_offset >= from);
            let tail: Vec<BatchInfo> = tail.copied().collect();
            decide(order, records, readings, &tail)
        }
        None => {
            let producer = ProducerIdentity {
                id: position.producer.id,
                epoch: position.producer.epoch.saturating_add(1),
            };
            Established::Ready {
                position: first_position(order, readings, producer),
                landed: Vec::new(),
                max_message_bytes: readings.max_message_bytes,
                store_first: true,
                repeated: 0,
                end: readings.end,
                ground: readings.ground(),
            }
        }
    };
    if let Established::Ready {
        ground,
        store_first,
        ..
    } = &mut outcome
    {
        *store_first = true;
        *ground = Ground {
            reason: order.given_up.clone().unwrap_or_default().into(),
            padded: behind.padded,
            ..std::mem::take(ground)
        };
    }
    outcome
}

impl Survey<'_> {
    /// See the module.
    pub(super) async fn given_up(
        &self,
        order: &EstablishOrder,
        (position, preserved): (&Position, Preserved),
        readings: Readings,
        means: &mut Means<'_>,
    ) -> Result<Established, String> {
        let end = readings.destination_end;
        if position.destination_end.0 > end {
            let behind = destination_behind(order, position, readings);
            return Ok(match order.readings < READINGS {
                true => Established::Behind(behind.reason),
                false => Established::Stop(behind),
            });
        }
        let from = position.destination_end.0.max(readings.destination_start);
        let written = self.written(order, (from, end), &mut means.room).await?;
        // Somebody else may write all the time: there is no end that stays.
        let mapped = Position {
            placement: Placement::Mapped,
            ..position.clone()
        };
        if is_unsettled(order, &mapped, readings, &written.since) {
            return Ok(Established::Unsettled(end));
        }
        let behind = behind_padding(position, preserved, readings, &written.since);
        // As if it had no position, where nothing of it is there.
        let order = EstablishOrder {
            position: behind.records.clone(),
            ..order.clone()
        };
        if let Some(stop) = no_beginning(&order, readings).filter(|_| behind.records.is_none()) {
            return Ok(Established::Stop(stop));
        }
        if let Some(writer) = order.transaction {
            return Ok(self.transactional(&order, writer, readings, means).await);
        }
        let since = &written.since;
        Ok(mapped_behind(&order, position, readings, since, behind))
    }
}

#[cfg(test)]
mod tests {
    use kafka_wire::batch::{BatchBuilder, RawBatch};

    use super::*;
    use crate::data_plane::establish::tests::{order_at, position, readings};
    use crate::data_plane::placing::Filler;
    use config::link::OnGap;

    const MARKER: ProducerIdentity = ProducerIdentity { id: 8, epoch: 0 };

    fn preserved(padding: i64) -> Preserved {
        Preserved {
            marker: MARKER,
            coordinator_epoch: 1,
            padding,
        }
    }

    fn at(base: i64, (producer, epoch): (i64, i16), sequence: i32) -> BatchInfo {
        let identity = ProducerIdentity {
            id: producer,
            epoch,
        };
        let builder = BatchBuilder::new(base).producer(identity, sequence);
        let batch = builder.record(None, Some(b"v")).build();
        *RawBatch::parse(batch).expect("built well formed").info()
    }

    /// Padding of ours.
    fn filler(base: i64, to: i64, sequence: i32) -> BatchInfo {
        let batch = Filler::default().batch(base, to, false, None).batch;
        BatchInfo {
            base_offset: base,
            last_offset: to - 1,
            producer_id: 7,
            producer_epoch: 3,
            base_sequence: sequence,
            ..*batch.info()
        }
    }

    #[test]
    fn what_was_written_behind_padding_since_the_position_was_stored_is_not_written_again() {
        // Padded up to 20 of 40, next sequence 20.
        let stored = Position {
            offset: Source(20),
            destination_end: Destination(20),
            sequence: 20,
            placement: Placement::Preserved(preserved(40)),
            ..position()
        };
        let check = |since: &[BatchInfo], padded: i64, records: Option<(i64, i32)>| {
            let behind = behind_padding(&stored, preserved(40), readings(), since);
            assert_eq!(behind.padded, padded, "{since:?}");
            let found = behind.records.as_ref();
            let found = found.map(|p| (p.destination_end.0, p.sequence));
            assert_eq!(found, records, "{since:?}");
            behind
        };
        check(&[], 20, None);
        check(&[filler(20, 40, 20)], 40, None);
        // Somebody else's within the padding, and behind it.
        let theirs = at(30, (99, 0), 0);
        check(&[filler(20, 30, 20), theirs, filler(31, 41, 30)], 30, None);
        let ours = at(40, (7, 3), 40);
        let behind = check(
            &[filler(20, 40, 20), ours, at(41, (99, 0), 0)],
            40,
            Some((40, 40)),
        );
        check(
            &[theirs, filler(31, 41, 30), at(41, (7, 3), 40)],
            20,
            Some((41, 40)),
        );
        let tail = [ours, at(41, (99, 0), 0)];
        let readings = Readings {
            destination_end: 42,
            ..readings()
        };
        let order = EstablishOrder {
            given_up: Some("others write".to_owned()),
            ..order_at(stored.clone(), OnGap::Stop)
        };
        match mapped_behind(&order, &stored, readings, &tail, behind) {
            Established::Ready {
                position,
                landed,
                ground,
                store_first: true,
                ..
            } => {
                assert_eq!(
                    (position.offset, position.placement),
                    (Source(40), Placement::Mapped)
                );
                assert_eq!(landed.len(), 1, "{landed:?}");
                assert_eq!((ground.padded, &*ground.reason), (40, "others write"));
            }
            other => panic!("{other:?}"),
        }
        let nothing = Behind {
            padded: 20,
            records: None,
        };
        let order = EstablishOrder {
            position: None,
            ..order
        };
        match mapped_behind(&order, &stored, readings, &[], nothing) {
            Established::Ready { position, .. } => {
                // A late batch of the name's last epoch is refused, or known by the name.
                assert_eq!(position.producer, ProducerIdentity { id: 7, epoch: 4 });
                assert_eq!((position.offset, position.sequence), (Source(0), 0));
            }
            other => panic!("{other:?}"),
        }
    }
}
