//! The part of [`Core`] in which a partition begins: what both logs say of it is asked for, and taken.

use config::link::OnRefused;
use foldhash::HashMap;
use kafka_wire::types::NodeId;
use tokio::time::Instant;

use super::super::partition::{Loss, Partition, Phase};
use super::super::transaction::Transaction;
use super::{Core, EstablishOrder, Established, Ground, Index};
use crate::position::Position;

impl Core {
    /// Groups of partitions with the same two leaders, to be compared with both logs.
    pub(crate) fn take_establish(
        &mut self,
    ) -> impl Iterator<Item = ((NodeId, NodeId), Vec<EstablishOrder>)> + use<> {
        let orders = match self.waits_for_memory {
            true => HashMap::default(),
            false => std::mem::take(&mut self.to_establish),
        };
        orders
            .into_iter()
            .map(|((from, to, _), orders)| ((from, to), orders))
    }

    /// Takes the outcome of establishing one partition.
    pub(crate) fn on_established(&mut self, index: Index, outcome: Established, now: Instant) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        partition.establishing = false;
        // It was stopped meanwhile, for instance because its topic is not to be copied any more.
        if matches!(partition.phase, Phase::Stopped(_)) {
            partition.outdated = false;
            return;
        }
        if std::mem::take(&mut partition.outdated) {
            self.to_locate.insert(index);
            return;
        }
        let writer = self.transaction.as_ref().map(Transaction::writer);
        match outcome {
            Established::Ready {
                position,
                landed,
                max_message_bytes,
                store_first,
                repeated,
                end,
                ground,
            } => {
                partition.end = Some((end, now));
                partition.levels = self.settings.levels_over(ground.levels);
                partition.max_message_bytes = max_message_bytes.or(partition.max_message_bytes);
                partition.readings = 0;
                partition.accepts_gap = false;
                partition.learn(&position, &ground, repeated, now);
                let asked = self.settings.offsets.placement;
                partition.stand_on(ground, &position, asked, &mut self.said);
                partition.begin(position, landed, writer);
                if self.settings.on_refused != OnRefused::Stop {
                    // Which records were left out before a restart is not known any more.
                    partition.recovery.distrust_numbers();
                }
                if store_first {
                    partition.phase = Phase::Storing;
                    partition.position_changed = true;
                    self.changed.insert(index);
                } else {
                    self.run(index);
                }
            }
            Established::Unsettled(end) => self.unsettled(index, end, now),
            Established::Retry(trouble) => {
                partition.readings = 0;
                self.retry(index, trouble, now);
            }
            Established::Behind(trouble) => {
                partition.readings = partition.readings.saturating_add(1);
                self.retry(index, trouble, now);
            }
            Established::StopAndTell(stop, copies) => {
                partition.report_all_copies(&copies);
                self.on_established(index, Established::Stop(stop), now);
            }
            Established::Stop(stop) => {
                if let Some(stop) = self.recopied(index, stop, now) {
                    self.stop(index, stop);
                }
            }
            Established::Foreign(stop) => self.foreign(index, stop, now),
            Established::CannotPlace(stop) => self.cannot_place(index, stop, now),
        }
    }

    pub(super) fn run(&mut self, index: Index) {
        if let Some(partition) = self.partitions.get_mut(&index) {
            partition.phase = Phase::Running;
            partition.pad(&mut self.filler);
            self.to_trim.insert(index);
            self.queue_for_send(index);
            self.touch_reader(index);
        }
    }
}

impl Partition {
    /// Takes over what is known of it now beside where it begins.
    fn learn(&mut self, position: &Position, ground: &Ground, repeated: i64, now: Instant) {
        self.count_lost(ground.lost);
        self.taking = ground.taking;
        let is_ahead = position.placement.preserved().is_some()
            && position.offset.0 > position.destination_end.0;
        let is_gone = ground.lost.is_some_and(|lost| lost.why == Loss::Deleted);
        if is_gone || is_ahead {
            // What was sent lies in front of something that is not there. Its epoch says nothing of what follows.
            self.sent_epoch = None;
        }
        if repeated > 0 {
            self.report_repeated(repeated, position.offset.0);
        }
        self.report_all_copies(&ground.copies);
        let before = self.position.as_ref().map(|known| known.producer.id);
        self.is_new_writer |= before != Some(position.producer.id);
        if before.is_some() && self.life == 0 {
            self.late.begin_behind_another(now);
        }
    }
}
