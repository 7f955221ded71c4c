//! What becomes of a partition when both its logs have been read and compared.

use config::link::OnRefused;
use tokio::time::Instant;

use super::super::partition::Phase;
use super::super::transaction::Transaction;
use super::{Core, Established, Index};

impl Core {
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
                let asked = self.settings.offsets.placement;
                partition.count_lost(ground.lost);
                partition.taking = ground.taking;
                partition.stand_on(ground, &position, asked, &mut self.said);
                partition.max_message_bytes = max_message_bytes.or(partition.max_message_bytes);
                partition.readings = 0;
                partition.accepts_gap = false;
                if repeated > 0 {
                    partition.report_repeated(repeated, position.offset.0);
                }
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
            Established::Stop(stop) => {
                if let Some(stop) = self.recopied(index, stop, now) {
                    self.stop(index, stop);
                }
            }
            Established::Foreign(stop) => self.foreign(index, stop, now),
            Established::CannotPlace(stop) => self.cannot_place(index, stop, now),
        }
    }
}
